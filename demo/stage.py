"""The stage of the demo: both sandboxes, and one connector that serves both, as real HTTP servers on loopback."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
import waitress.server
import yaml

from connector.app import create_app
from connector.bootstrap import Adapters, Runtime, build
from connector.config import load
from connector.engine import LocalEngine
from connector.store import accounts, agenda, cases
from connector.web.front import server_options
from sandbox.hubspot import SECRET, TOKEN, HubSpotSandbox
from sandbox.hubspot.definitions import COMPANY
from sandbox.kit import Clock, Server
from sandbox.pages import PageSource, TaskView
from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.views import Views
from sandbox.seed_hubspot import PEOPLE
from sandbox.seed_salesforce import salesforce_world
from workflows.cases import Case

PATIENCE_SECONDS = 60
HUBSPOT_STAGES = ("1001", "1002", "1004", "1003")
"""Upcoming, negotiation, not renewing, renewed."""
MORE = {
    "save_playbook": "save-plan",
    "baseline_playbook": "baseline",
    "digest": {"every": "weekly", "day": "monday"},
}
"""Plans for negotiations and for beginnings beside the goodbye, and digests of what leavers say."""
USERS = {"en": "Active users", "fr": "Utilisateurs actifs"}
"""What the key figure is called that reports show."""


@dataclass
class Crm:
    """One CRM in the demo: its pages, and the deal that the story is about."""

    account: str
    label: str
    sandbox: Any
    pages: PageSource
    server: Server
    deal_id: str
    early_stage: str
    talks_stage: str
    lost_stage: str
    won_stage: str
    reason_field: str
    calls: dict[str, int] = field(default_factory=dict)
    survey: str = ""
    """Where the leaving customer answered."""

    @property
    def deal_url(self) -> str:
        """Where a person sees the deal."""
        return f"{self.server.url}/deals/{self.deal_id}"

    def tasks(self) -> list[TaskView]:
        """The deal's tasks as its page shows them."""
        return list(self.pages.record("deals", self.deal_id).tasks)


class MovedClock:
    """The connector's clock in the demo: the sandboxes' own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """The story's present."""
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Wait in the story, and only a moment in the room."""
        time.sleep(min(seconds, 0.1))
        self._clock.advance(timedelta(seconds=seconds))


@dataclass
class Stage:
    """Everything that runs, and hands to move time."""

    clock: Clock
    crms: tuple[Crm, ...]
    runtime: Runtime
    address: str

    def case(self, crm: Crm) -> Case | None:
        """The deal's newest case."""
        with self.runtime.store.read() as session:
            found = [case for case in cases.listing(session, account=crm.account) if case.deal_id == crm.deal_id]
        return found[0] if found else None

    def arrive(self) -> None:
        """Wait until deliveries have arrived."""
        for crm in self.crms:
            crm.sandbox.hooks.settle(5)

    def rest(self) -> None:
        """Wait until deliveries have arrived and no round of work is under way."""
        self.arrive()
        give_up = time.monotonic() + PATIENCE_SECONDS
        while isinstance(self.runtime.engine, LocalEngine) and self.runtime.engine.busy:
            if time.monotonic() > give_up:
                raise TimeoutError(f"a round of work does not end: {self.runtime.ready()}")
            time.sleep(0.005)

    def settle(self) -> None:
        """Wait until deliveries have arrived and nothing is left to do at the story's present."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up:
            self.rest()
            waiting = self._with_something_to_do()
            if not waiting:
                return
            for name in waiting:
                self.runtime.engine.nudge(name)
        raise TimeoutError(f"the connector did not come to rest: {self.runtime.ready()}")

    def _with_something_to_do(self) -> set[str]:
        """Accounts with a look that is due, or a poll: who has neither is left in peace until they have."""
        now = self.clock.now()
        with self.runtime.store.read() as session:
            polled = {name: accounts.get(session, name) for name in self.runtime.accounts}
            due = set(agenda.due_accounts(session, now))
        every = {name: account.config.poll_every for name, account in self.runtime.accounts.items()}
        return due | {
            name for name, row in polled.items() if row and row.polled_at and row.polled_at + every[name] <= now
        }

    def advance(self, by: timedelta) -> None:
        """Move time on for everyone, once what was sent has arrived: late by a day, it would be refused as stale.

        Nor may a round be under way: the access token that it has just got would end before its next call.
        """
        self.rest()
        self.clock.advance(by)
        self.settle()


@contextmanager
def raised(folder: Path) -> Iterator[Stage]:
    """Set the stage up, and take it down at the end."""
    _quiet()
    clock = Clock()
    hubspot, salesforce = HubSpotSandbox(clock), SalesforceSandbox(clock=clock)
    names = salesforce_world(salesforce)
    _grow(hubspot, salesforce, names)
    with Server(hubspot.app) as hubspot_server, Server(salesforce.app) as salesforce_server:
        crms = (
            Crm(
                "acme",
                "HubSpot",
                hubspot,
                hubspot,
                hubspot_server,
                "901",
                "1001",
                "1002",
                "1004",
                "1003",
                "exit_reason",
            ),
            Crm(
                "globex",
                "Salesforce",
                salesforce,
                Views(salesforce),
                salesforce_server,
                names["Bright Harbour – renewal"],
                "Proposal/Price Quote",
                "Negotiation/Review",
                "Not Renewing",
                "Closed Won",
                "Exit_Reason__c",
            ),
        )
        with _connector(folder, clock, crms) as (runtime, address):
            secret = _webhook_secret(runtime)
            stages = ["Negotiation/Review", "Not Renewing", "Closed Won"]
            hubspot.point_webhooks({"url": f"{address}/webhooks/hubspot", "secret": SECRET})
            salesforce.point_webhooks({"url": f"{address}/webhooks/salesforce/{secret}", "stages": stages})
            yield Stage(clock, crms, runtime, address)
        for crm in crms:
            crm.sandbox.hooks.stop()


def _grow(hubspot: HubSpotSandbox, salesforce: SalesforceSandbox, names: dict[str, str]) -> None:
    """Both customers used it more and more, and each CRM remembers since when: their reports have figures to show."""
    with hubspot.world.at(hubspot.world.now() - timedelta(days=120)):
        company = hubspot.world.records[COMPANY.id]["501"]
        hubspot.world.update(company, {"active_users": "64"}, source=PEOPLE)
    salesforce.world.settings.tracked["Account"] |= {"Active_Users__c"}
    at = salesforce.world.now() - timedelta(days=120)
    salesforce.world.update(names["Bright Harbour Ltd"], {"Active_Users__c": 164}, at=at)


@contextmanager
def _connector(folder: Path, clock: Clock, crms: tuple[Crm, ...]) -> Iterator[tuple[Runtime, str]]:
    """The connector as `aurevoir serve` runs it, but on the story's clock."""
    listener = waitress.server.create_server(lambda *_: [], host="127.0.0.1", port=0)
    port = listener.effective_port
    listener.close()
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(_settings(port, folder, crms), sort_keys=False, allow_unicode=True), "utf-8")
    adapters = Adapters()
    runtime = build(load(config, {}, adapters), adapters=adapters, clock=MovedClock(clock))
    runtime.store.upgrade(now=clock.now())
    for account in runtime.accounts.values():
        account.provision()
    server = waitress.server.create_server(create_app(runtime), host="127.0.0.1", port=port, **server_options(runtime))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    runtime.start()
    try:
        yield runtime, f"http://127.0.0.1:{port}"
    finally:
        server.close()
        thread.join(5)
        runtime.close()


def _settings(port: int, folder: Path, crms: tuple[Crm, ...]) -> dict[str, Any]:
    hubspot, salesforce = crms
    return {
        "server": {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}"},
        "database_url": f"sqlite:///{folder / 'demo.db'}",
        "secret_key": secrets.token_urlsafe(48),
        "accounts": {"acme": _acme(hubspot), "globex": _globex(salesforce)},
    }


def _acme(hubspot: Crm) -> dict[str, Any]:
    """A French portal, with people of their own for exit conversations."""
    people = hubspot.pages.people()
    return {
        "crm": "hubspot",
        "account_id": hubspot.sandbox.account,
        "api_url": hubspot.server.url,
        "access_token": TOKEN,
        "client_secret": SECRET,
        "company": "Acme",
        "time_zone": "Europe/Paris",
        "language": "fr",
        "calendar": "FR",
        "watch": [
            {
                "pipeline": "Renewals",
                "negotiating": ["Negotiation"],
                "not_renewing": ["Not renewing"],
                "renewed": ["Renewed"],
            }
        ],
        "fields": {
            "contract_end": "contract_end_date",
            "exit_reason": "exit_reason",
            "figures": ["company.active_users"],
            "figure_names": {"company.active_users": USERS},
        },
        "people": {"neutral_pool": [people[3].email, people[4].email], "manager": people[0].email},
        "poll_every": "2d",
        **MORE,
    }


def _globex(salesforce: Crm) -> dict[str, Any]:
    """A British org, whose contacts have a language of their own."""
    return {
        "crm": "salesforce",
        "account_id": salesforce.sandbox.world.org_id,
        "login_url": salesforce.server.url,
        "client_id": salesforce.sandbox.client.id,
        "client_secret": salesforce.sandbox.client.secret,
        "webhook_secret": secrets.token_urlsafe(32),
        "company": "Globex",
        "time_zone": "Europe/London",
        "language": "en",
        "calendar": "GB",
        "watch": [
            {
                "pipeline": "Renewal",
                "negotiating": ["Negotiation/Review"],
                "not_renewing": ["Not Renewing"],
                "renewed": ["Closed Won"],
            }
        ],
        "fields": {
            "contract_end": "Contract_End__c",
            "exit_reason": "Exit_Reason__c",
            "language": "Language__c",
            "figures": ["company.Active_Users__c"],
            "figure_names": {"company.Active_Users__c": USERS},
        },
        "people": {"manager": "nadia.benali@globex.example"},
        "poll_every": "2d",
        **MORE,
    }


def _webhook_secret(runtime: Runtime) -> str:
    account = runtime.accounts["globex"]
    return account.adapter.webhook_secrets(account.config.vendor)[0]


def _quiet() -> None:
    """The story is what people read here; what goes wrong still shows."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    logging.getLogger("waitress").setLevel(logging.ERROR)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
