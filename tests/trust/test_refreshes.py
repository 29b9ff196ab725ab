"""Rotating refresh tokens under a crowd: 20 threads in each of 2 processes want a new token at the same moment.

The look-alike of Salesforce ends the whole connection when a spent refresh token comes again, as the vendor does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import conformance_kit as kit
import pytest
import yaml

from connector.bootstrap import Adapters, build
from connector.config import load
from connector.consent import Consents

ROOT = Path(__file__).parents[2]
PROCESSES = 2


class Crowd:
    """A connected account, and processes whose threads use it."""

    def __init__(self, crm: str, folder: Path, database_url: str) -> None:
        self.rig: Any = kit.make_rig(crm)
        self.rig.sandbox.clock.set(datetime(2026, 11, 23, 9, 0, tzinfo=UTC))
        self.rig.rotate(True)
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(self._settings(crm, database_url)), encoding="utf-8")
        self._connect(crm)
        command = [sys.executable, "-m", "bench.refreshers", str(self.config), "acme"]
        pipe = subprocess.PIPE
        self.processes = [
            subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(PROCESSES)
        ]
        for process in self.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

    def _settings(self, crm: str, database_url: str) -> Any:
        account = {
            "crm": crm,
            "account_id": self.rig.account_id,
            "calendar": "FR",
            "watch": [{"not_renewing": [self.rig.not_renewing]}],
            **self.rig.browser_settings(),
            "read_timeout": 20,
        }
        return {
            "server": {"public_url": "https://goodbye.example.com"},
            "database_url": database_url,
            "secret_key": "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-crowd-tests",
            "accounts": {"acme": account},
            "oauth": {crm: dict(self.rig.shared_app)},
        }

    def _connect(self, crm: str) -> None:
        """As a browser would."""
        adapters = Adapters()
        runtime = build(load(self.config, {}, adapters), adapters=adapters, clock=self)
        runtime.store.upgrade(now=self.now())
        consents = Consents(runtime)
        key = parse_qs(urlsplit(consents.invite("acme")[0]).query)["key"][0]
        begun = consents.begin(crm, "acme", key, None)
        back = parse_qs(urlsplit(self.rig.consent(begun.url)).query)
        consents.finish(crm, {name: values[0] for name, values in back.items()}, begun.browser)
        runtime.close()

    def now(self) -> datetime:
        return self.rig.now()

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here should wait")

    def round(self) -> tuple[int, set[str], list[str]]:
        """All tokens end, and all threads ask: how many refreshes that took, which tokens they got, what went wrong."""
        self.rig.end_sessions()
        self.rig.forget_calls()
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{self.now().isoformat()}\n")
            process.stdin.flush()
        tokens, troubles = set[str](), list[str]()
        for process in self.processes:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            tokens |= set(told["tokens"])
            troubles += told["troubles"]
        return self.rig.refreshes(), tokens, troubles

    def close(self) -> None:
        for process in self.processes:
            process.communicate(timeout=20)
        self.rig.close()


@pytest.fixture
def crowd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Crowd]:
    crm, database = request.param
    url = f"sqlite:///{tmp_path / 'aurevoir.db'}"
    if database == "postgresql":
        url = request.getfixturevalue("postgres_database")
    made = Crowd(crm, tmp_path, url)
    yield made
    made.close()


def run(crowd: Crowd, rounds: int) -> None:
    before: set[str] = set()
    for number in range(rounds):
        refreshes, tokens, troubles = crowd.round()
        assert troubles == [], f"round {number}"
        assert refreshes == 1, f"round {number}"
        assert len(tokens) == 1, f"round {number}"
        assert tokens != before, f"round {number}"
        before = tokens


ON_SQLITE = [(crm, "sqlite") for crm in kit.RIGS]
ON_POSTGRESQL = [(kit.RIGS[-1], "postgresql")]


@pytest.mark.parametrize("crowd", ON_SQLITE, indirect=True, ids="-".join)
def test_forty_threads_in_two_processes_refresh_once_a_round(crowd: Crowd) -> None:
    run(crowd, 5)


@pytest.mark.trust
@pytest.mark.timeout(900)
@pytest.mark.parametrize("crowd", ON_SQLITE, indirect=True, ids="-".join)
def test_a_thousand_rounds_lose_no_connection(crowd: Crowd) -> None:
    run(crowd, 1000)


@pytest.mark.trust
@pytest.mark.timeout(900)
@pytest.mark.parametrize("crowd", ON_POSTGRESQL, indirect=True, ids="-".join)
def test_locks_of_a_server_database_hold_as_well(crowd: Crowd) -> None:
    run(crowd, 200)
