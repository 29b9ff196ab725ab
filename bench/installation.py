"""An installation to measure or to kill: its processes beside a sandbox in this one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import conformance_kit as kit
import requests
import yaml

from connector.store import Store, cases, intents
from connector.store.tables import IntentState
from sandbox.hubspot.hooks import sign_v3
from workflows.cases import Case, CaseStatus

SECRET_KEY = "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-installation"
READ_TIMEOUT = 2.0


class Installation:
    """One account on one CRM, in a folder of its own. Time is the machine's own; no settle time."""

    def __init__(self, crm: str, folder: Path, *, database_url: str | None = None, **account: Any) -> None:
        """``account``: more settings of the account."""
        self.crm = crm
        self._account = account
        self.rig: Any = kit.make_rig(crm)
        self.rig.sandbox.clock.set(datetime.now(UTC))
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = database_url or f"sqlite:///{folder / 'aurevoir.db'}"
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(self._settings()), encoding="utf-8")
        self.config.chmod(0o600)  # it holds secrets, and serve starts on no file that others may read
        self.process: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self._people: list[str] = []

    def _settings(self) -> Mapping[str, Any]:
        rig = self.rig
        manager = rig.world.owners[rig.users[0]].email if self.crm == "hubspot" else "claire@globex.example"
        watch = {"negotiating": [rig.negotiating], "not_renewing": [rig.not_renewing], "settle_for": "0s"}
        timeouts = {"read_timeout": READ_TIMEOUT, **({"total_timeout": 4.0} if self.crm == "salesforce" else {})}
        return {
            "server": {"listen": f"127.0.0.1:{self.port}", "public_url": self.url},
            "database_url": self.database_url,
            "secret_key": SECRET_KEY,
            "accounts": {
                "acme": {
                    "crm": self.crm,
                    "account_id": rig.account_id,
                    "time_zone": "Europe/Paris",
                    "calendar": "FR",
                    "watch": [{**watch, **({"pipeline": rig.pipeline_id} if rig.pipeline_id else {})}],
                    "fields": {"contract_end": rig.contract_end_field, "exit_reason": rig.exit_reason_field},
                    "people": {"manager": manager},
                    "poll_every": "1h",
                    **rig.bare_settings(),
                    **timeouts,
                    **self._account,
                }
            },
        }

    # --- the process ------------------------------------------------------------------------------------------------

    def command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a short command of ours to its end."""
        return subprocess.run(
            [*_AUREVOIR, *arguments, "--config", str(self.config)], env=_environment(), capture_output=True, check=True
        )

    def start(self, command: str = "serve") -> float:
        """Start ``serve`` or ``web`` and wait until it answers; gives the seconds that took."""
        began = time.monotonic()
        self.process = process = self._spawn(command, f"{command}.log")

        def answers() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{self.url}/healthz", timeout=1).ok
            return False

        self._wait(process, f"{command}.log", answers)
        return time.monotonic() - began

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start one more ``worker`` and wait until it works."""
        name = f"worker{len(self.workers)}.log"
        process = self._spawn("worker", name)
        self.workers.append(process)
        self._wait(process, name, lambda: '"working"' in (self.folder / name).read_text())
        return process

    def _spawn(self, command: str, log: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as file:
            return subprocess.Popen(
                [*_AUREVOIR, command, "--config", str(self.config)], env=_environment(), stdout=file, stderr=file
            )

    def _wait(self, process: subprocess.Popen[bytes], log: str, ready: Callable[[], bool]) -> None:
        give_up = time.monotonic() + 60
        while not ready():
            if process.poll() is not None:
                raise RuntimeError(f"it ended: {(self.folder / log).read_text()[-2000:]}")
            if time.monotonic() > give_up:
                raise TimeoutError("it does not answer")
            time.sleep(0.01)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        status = self.process.wait(20)
        self.process = None
        return status

    def memory_mb(self) -> float:
        """Resident memory of the process, in MiB (Linux)."""
        if self.process is None:
            raise RuntimeError("serve does not run")
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def close(self) -> None:
        """Stop everything."""
        self.kill()
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.rig.close()

    # --- the world --------------------------------------------------------------------------------------------------

    def point_webhooks(self, *, duplicate: float = 0.0, seed: int = 0) -> None:
        """The sandbox sends its webhooks here, with the vendor's retries; a share of them twice."""
        options: dict[str, Any] = {"duplicate": duplicate}
        if self.crm == "hubspot":
            options |= {
                "url": f"{self.url}/webhooks/hubspot",
                "secret": self.rig.webhook_secret,
                "scale": 0.002,
                "seed": seed,
            }
        else:
            options |= {
                "url": f"{self.url}/webhooks/salesforce/{self.rig.webhook_secret}",
                "stages": [self.rig.not_renewing],
            }
            self.rig.sandbox.hooks.scale = 0.01
        self.rig.sandbox.point_webhooks(options)

    def delivery(self, deals: list[str]) -> tuple[str, bytes, dict[str, str]]:
        """A delivery that says that these deals (at most 100) were lost, signed as of now: path, body, headers."""
        made = self.rig.delivery(deals, at=datetime.now(UTC))
        headers = dict(made.headers)
        if self.crm == "salesforce":
            return f"/webhooks/salesforce/{made.secret}", made.body, headers
        path, stamp = "/webhooks/hubspot", headers["x-hubspot-request-timestamp"]
        signed = sign_v3(self.rig.webhook_secret, "POST", f"{self.url}{path}", made.body, stamp)
        return path, made.body, headers | {"x-hubspot-signature-v3": signed}

    def renewals(self, number: int) -> list[str]:
        """Deals in negotiation, each with a company and a contact of its own."""
        rig, owner = self.rig, self.rig.users[0]
        first = len(self._people)
        deals = []
        for n in range(first, first + number):
            company = rig.add_company(f"Customer {n}", owner_id=owner)
            person = rig.add_contact(f"Person {n}", email=f"person{n}@customer{n}.example", decider=True)
            self._people.append(person)
            deals.append(
                rig.add_deal(
                    f"Customer {n} renewal",
                    owner_id=owner,
                    contract_end=date.today() + timedelta(days=75),  # noqa: DTZ011  any day will do
                    exit_reason=rig.exit_reason_value,
                    company_id=company,
                    contact_ids=[person],
                )
            )
        return deals

    def lose(self, deal_id: str) -> None:
        """Move a deal to the not-renewing stage; the sandbox sends its webhook."""
        self.rig.move_deal(deal_id, self.rig.not_renewing)

    # --- what became of it ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """The installation's database."""
        store = Store(self.database_url)
        try:
            yield store
        finally:
            store.close()

    def cases(self) -> dict[str, Case]:
        """The cases by deal."""
        with self.store() as store, store.read() as session:
            return {case.deal_id: case for case in cases.listing(session, limit=10_000)}

    def wait_until_settled(self, deals: list[str], seconds: float = 120) -> None:
        """Wait until each deal has an active case and no write is open."""
        give_up = time.monotonic() + seconds
        missing: list[str] = deals
        while time.monotonic() < give_up:
            found = self.cases()
            missing = [one for one in deals if one not in found or found[one].status is not CaseStatus.ACTIVE]
            with self.store() as store, store.read() as session:
                open_writes = len(intents.open_for(session, "acme", deals))
            if not missing and not open_writes:
                return
            time.sleep(0.2)
        raise TimeoutError(f"{len(missing)} of {len(deals)} deals without an active case, {open_writes} writes open")

    def differences(self, deals: list[str]) -> tuple[int, int]:
        """How many tasks are missing in the CRM, and how many are there more than once, by their keys."""
        missing = twice = 0
        with self.store() as store, store.read() as session:
            wanted = {
                deal: [
                    row.record_id
                    for row in intents.of_case(session, case.id)
                    if row.kind == "task" and row.state == IntentState.DONE
                ]
                for deal, case in self.cases().items()
            }
        for deal in deals:
            seen = [task.id for task in self.rig.tasks(deal)]
            subjects = [task.subject for task in self.rig.tasks(deal)]
            missing += len(set(wanted.get(deal, ())) - set(seen)) + (not seen)
            twice += len(subjects) - len(set(subjects)) + len(set(seen) - set(wanted.get(deal, ())))
        return missing, twice


_AUREVOIR = [str(Path(sys.executable).with_name("aurevoir"))]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONUNBUFFERED": "1"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
