"""The whole connector on one CRM: real settings, store, adapter and SDK, over HTTP against the sandbox.

Only time is moved by hand: the connector's clock is the sandbox's, and waiting moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import conformance_kit as kit
import pytest
import yaml
from flask.testing import FlaskClient

from connector.account import Account
from connector.app import create_app
from connector.bootstrap import Adapters, Runtime, build
from connector.config import load
from connector.store import agenda, cases
from sandbox.hubspot.definitions import TASK
from workflows.cases import Case

SECRET_KEY = "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-system-tests"


class RigClock:
    """The sandbox's clock; waiting moves it."""

    def __init__(self, rig: Any) -> None:
        self._rig = rig

    def now(self) -> datetime:
        return self._rig.now()

    def sleep(self, seconds: float) -> None:
        self._rig.advance(timedelta(seconds=seconds))


@dataclass
class System:
    """A running connector with one account, ``acme``, and hands to move the world around it."""

    rig: Any
    runtime: Runtime
    web: FlaskClient

    kit = kit

    @property
    def account(self) -> Account:
        return self.runtime.accounts["acme"]

    def work(self, *, poll: bool = False) -> int:
        """One round of work, as a nudge or the sweep would start it; fails when the account had to rest."""
        looked = self.runtime.rounds["acme"].run(poll=poll)
        trouble = [text for subject, ok, text in self.runtime.ready() if subject == "account acme" and not ok]
        assert not trouble, trouble
        return looked

    def signal(self, *deal_ids: str) -> None:
        """A webhook says that these deals reached the not-renewing stage."""
        request = self.rig.delivery(list(deal_ids), at=self.rig.now())
        path = f"/webhooks/{self.rig.name}" + (f"/{request.secret}" if request.secret else "")
        answer = self.web.post(path, data=request.body, headers=dict(request.headers))
        assert answer.status_code == 200, answer.text

    def lose(self, *deal_ids: str) -> None:
        """Move deals to the not-renewing stage, with the webhook for it."""
        for deal_id in deal_ids:
            self.rig.move_deal(deal_id, self.rig.not_renewing)
        self.signal(*deal_ids)

    def renewal(self, name: str = "Northwind renewal", *, contacts: int = 2, **values: Any) -> str:
        """A deal in negotiation with a company and contacts who can be written to."""
        owner = self.rig.users[0]
        company = self.rig.add_company(name.split()[0], owner_id=owner)
        people = [
            self.rig.add_contact(f"Person {n}", email=f"person{n}@{name.split()[0].lower()}.example", decider=n == 0)
            for n in range(contacts)
        ]
        defaults = {
            "owner_id": owner,
            "contract_end": (self.rig.now() + timedelta(days=75)).date(),
            "exit_reason": getattr(self.rig, "exit_reason_value", "Price"),
            "company_id": company,
            "contact_ids": people,
        }
        return self.rig.add_deal(name, **(defaults | values))

    def edit_deal(self, deal_id: str, field: str, value: str) -> None:
        """Change a field of the deal as a person would on its page."""
        if self.rig.name == "hubspot":
            self.rig.sandbox.set_fields("deals", deal_id, {field: value})
        else:
            self.rig.sandbox.world.update(deal_id, {field: value})

    def deactivate(self, user_id: str) -> None:
        """The user leaves the company."""
        if self.rig.name == "hubspot":
            owners = self.rig.world.owners
            owners[user_id] = replace(owners[user_id], active=False)
        else:
            self.rig.sandbox.world.tables["User"][user_id]["IsActive"] = False
        self.account.forget_known()

    def move_task(self, task_id: str, day: date) -> None:
        """Give a task another due date as a person would."""
        if self.rig.name == "hubspot":
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            self.rig._change(TASK, task_id, {"hs_timestamp": str(int(noon.timestamp() * 1000))})
        else:
            self.rig.sandbox.world.update(task_id, {"ActivityDate": day.isoformat()})

    def restart(self) -> None:
        """The process ends, and another begins on the same database."""
        before = self.runtime
        before.close()
        self.runtime = build(before.settings, adapters=before.adapters, clock=before.clock)
        self.web = create_app(self.runtime).test_client()

    def case(self, deal_id: str) -> Case | None:
        """The newest case of the deal."""
        with self.runtime.store.read() as session:
            found = [case for case in cases.listing(session) if case.deal_id == deal_id]
        return max(found, key=lambda case: case.number, default=None)

    def advance(self, **by: float) -> None:
        """Move time on, and do what has come due on the way, day by day."""
        end = self.rig.now() + timedelta(**by)
        while self.rig.now() < end:
            self.rig.advance(min(timedelta(days=1), end - self.rig.now()))
            self.work()

    def go_on(self, people: Callable[[], None] = lambda: None, **by: float) -> None:
        """Move time on and do what has come due, from one thing that is due to the next and not through each quiet day
        between them: at least once a week, and each time after what ``people`` do."""
        end = self.rig.now() + timedelta(**by)
        while (now := self.rig.now()) < end:
            people()
            due = min(self.agenda().values(), default=end)
            gap = due - now if due > now else timedelta(days=1)  # what is held up is tried again the next day
            self.rig.advance(min(gap, timedelta(days=7), end - now))
            self.work()

    def agenda(self) -> dict[str, datetime]:
        """When which deal is looked at next."""
        with self.runtime.store.read() as session:
            return {row.deal_id: row.due_at for row in agenda.due(session, "acme", self.rig.now() + FAR, 10_000)}


FAR = timedelta(days=4000)


def write_config(rig: Any, folder: Path, database_url: str | None, **account: Any) -> Path:
    """A config.yaml for the rig's CRM."""
    watch = {
        "negotiating": [rig.negotiating],
        "not_renewing": [rig.not_renewing],
        "settle_for": "0s",
        **({"pipeline": rig.pipeline_id} if rig.pipeline_id else {}),
        **account.pop("watch", {}),
    }
    manager = rig.world.owners[rig.users[0]].email if rig.name == "hubspot" else "claire@globex.example"
    config: Mapping[str, Any] = {
        "server": {"listen": "127.0.0.1:0", "public_url": "https://goodbye.northwind.test"},
        "database_url": database_url or f"sqlite:///{folder / 'aurevoir.db'}",
        "secret_key": SECRET_KEY,
        "accounts": {
            "acme": {
                "crm": rig.name,
                "account_id": rig.account_id,
                "time_zone": "Europe/Paris",
                "language": "en",
                "calendar": "FR",
                "watch": [watch],
                "fields": {"contract_end": rig.contract_end_field, "exit_reason": rig.exit_reason_field},
                "people": {"manager": manager},
                "playbook": "saas",
                "poll_every": "3650d",
                **rig.bare_settings(),
                "read_timeout": 10,
                **account,
            }
        },
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture(params=kit.RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One CRM with a fresh sandbox."""
    made = kit.make_rig(request.param)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def account_settings() -> dict[str, Any]:
    """What a test wants to differ in the account's settings."""
    return {}


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str | None:
    """The database's address; None for an SQLite file. Tests that want both ask for them by name (``on_both``)."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres_database")
    return url


_PROVISIONED: dict[str, Any] = {}


def _provision(rig: Any, runtime: Runtime) -> None:
    """Switch the account on. Only the first time in a test run all our fields are really created in the sandbox: a
    third of these tests would be spent on it, and the conformance suite proves it."""
    if rig.name in _PROVISIONED:
        rig.restore(_PROVISIONED[rig.name])
    runtime.accounts["acme"].provision()
    if hasattr(rig, "snapshot"):
        _PROVISIONED.setdefault(rig.name, rig.snapshot())


@pytest.fixture
def set_up_only(rig: Any, tmp_path: Path, account_settings: dict[str, Any]) -> Iterator[Runtime]:
    """A connector whose settings are there, and whose account was never switched on."""
    adapters = Adapters()
    settings = load(write_config(rig, tmp_path, None, **account_settings), {}, adapters)
    runtime = build(settings, adapters=adapters, clock=RigClock(rig))
    runtime.store.upgrade(now=rig.now())
    yield runtime
    runtime.close()


@pytest.fixture
def system(rig: Any, tmp_path: Path, account_settings: dict[str, Any], database: str | None) -> Iterator[System]:
    """A connector that is switched on, with nothing to do yet; calls are counted from here."""
    adapters = Adapters()
    settings = load(write_config(rig, tmp_path, database, **account_settings), {}, adapters)
    runtime = build(settings, adapters=adapters, clock=RigClock(rig))
    runtime.store.upgrade(now=rig.now())
    _provision(rig, runtime)
    made = System(rig, runtime, create_app(runtime).test_client())
    rig.advance(timedelta(minutes=1))
    made.work(poll=True)
    rig.forget_calls()
    yield made
    made.runtime.close()
