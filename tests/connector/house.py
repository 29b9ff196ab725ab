"""The whole program on a small database, with a CRM of our own making: its deliveries are signed as real ones are.

Quill is no vendor's word: what works with it works for any adapter that keeps to the port.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel

from adapters.errors import PayloadError, SignatureError
from adapters.signals import BadEvent, Receipt, Reply, Signal, SignalKind, WebhookAccount, WebhookRequest
from connector.account_settings import AccountConfig
from connector.app import create_app
from connector.bootstrap import Runtime, build
from connector.settings import Settings
from connector.store import Store, accounts, cases, intake
from connector.store.tables import AgendaRow, AnswerRow, EventRow, LinkRow, TallyRow
from workflows.cases import Case, CaseStatus, Step, StepStatus
from workflows.records import Pipeline, Stage
from workflows.rules import LinkKind

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = "k3y-of-the-house-7Qw9Zx1Lm4Rt8Vb2Ns6"
OLD_KEY = "f0rmer-house-key-5Hd3Jf7Kg1Pa9Sy4Cu8"
PUBLIC = "https://goodbye.example.com"
STAGES = [Stage(id="10", label="Negotiation"), Stage(id="20", label="Not renewing"), Stage(id="30", label="Renewed")]


class QuillSettings(BaseModel):
    """Quill signs with one secret an account."""

    secret: str = "quill-secret"


class Quill:
    """An adapter that only receives."""

    name = "quill"
    label = "Quill"
    settings_model = QuillSettings

    def __init__(self) -> None:
        self.reply = Reply()

    def webhook_secrets(self, settings: QuillSettings) -> tuple[str, ...]:
        return (settings.secret,)

    def same_account(self, one: str, other: str) -> bool:
        return one == other

    def connect(self, *args: Any, **more: Any) -> Any:
        raise AssertionError("nothing here may call the CRM")

    def receive(self, request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Receipt:
        seal = request.headers.get("quill-signature", "")
        proven = any(hmac.compare_digest(seal.encode(), sign(request.url, request.body, s).encode())
                     for account in accounts for s in account.secrets)  # fmt: skip
        if not proven:
            raise SignatureError("not signed by Quill")
        try:
            events = json.loads(request.body.decode())
        except (ValueError, RecursionError):
            raise PayloadError("not JSON") from None
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise PayloadError("not a list of events")
        return self._sort(events, {account.account_id: account.name for account in accounts}, request.received_at)

    def _sort(self, events: list[dict[str, Any]], names: Mapping[str, str], at: datetime) -> Receipt:
        signals, bad, ignored, unknown = [], [], {}, {}
        for event in events:
            account = names.get(event.get("account", "4242"))
            if account is None:
                unknown[event["account"]] = unknown.get(event["account"], 0) + 1
            elif "dull" in event:
                ignored[event["dull"]] = ignored.get(event["dull"], 0) + 1
            elif "bad" in event:
                bad.append(BadEvent(account, "no id", event["bad"]))
            else:
                kind = SignalKind(event.get("kind", "deal"))
                signals.append(Signal(account, kind, event["id"], at, event.get("stage")))
        return Receipt(tuple(signals), tuple(bad), ignored, unknown, self.reply)


def sign(url: str, body: bytes, secret: str = "quill-secret") -> str:
    """How Quill signs: the public address and the body."""
    return hmac.new(secret.encode(), url.encode() + body, hashlib.sha256).hexdigest()


class HeldClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Nudges:
    """An engine that remembers whom it was told about."""

    def __init__(self) -> None:
        self.accounts: list[str] = []

    def nudge(self, account: str) -> None:
        self.accounts.append(account)


def settings(
    database: Path, *, public_url: str = PUBLIC, surveys: Mapping[str, Any] | None = None, **server: Any
) -> Settings:
    """Two accounts of the same CRM, one in French with its company's name and these ``surveys``."""
    account = {
        "crm": "quill",
        "account_id": "4242",
        "calendar": "FR",
        "language": "fr",
        "company": "Atelier Lumière",
        "watch": [{"negotiating": "Negotiation", "not_renewing": "Not renewing", "renewed": "Renewed"}],
    }
    given = Settings.model_validate(
        {
            "server": {"public_url": public_url, **server},
            "database_url": f"sqlite:///{database}",
            "secret_key": [KEY, OLD_KEY],
            "accounts": {
                "acme": account | {"surveys": surveys or {}},
                "globex": account | {"account_id": "77", "language": "en"},
            },
        }
    )
    vendors: dict[str, AccountConfig] = {
        name: one.model_copy(update={"vendor": QuillSettings()}) for name, one in given.accounts.items()
    }
    return given.model_copy(update={"accounts": vendors})


@dataclass
class House:
    """The program, and a hand on everything in it."""

    runtime: Runtime
    app: Flask
    clock: HeldClock
    engine: Nudges
    quill: Quill

    @staticmethod
    def sign(url: str, body: bytes) -> str:
        return sign(url, body)

    @property
    def store(self) -> Store:
        return self.runtime.store

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def deliver(self, events: Any, *, path: str = "/webhooks/quill", public_url: str = PUBLIC, **more: Any) -> Any:
        """Send what Quill would send."""
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        headers = {"Quill-Signature": sign(public_url + path, body), "Content-Type": "application/json"}
        return self.client.post(path, data=body, headers=headers | more.pop("headers", {}), **more)

    def open_case(self, deal_id: str = "500", *, task_id: str | None = None) -> Case:
        """An open case with one task."""
        case = Case(
            id=f"case-{deal_id}",
            account="acme",
            deal_id=deal_id,
            deal_name="Brasserie du Lac – renewal 2026",
            status=CaseStatus.ACTIVE,
            playbook="saas",
            language="fr",
            stage_id="20",
            entered_at=NOW,
            opened_at=NOW,
            steps=(Step(key="thanks", rule="thanks", status=StepStatus.OPEN, task_id=task_id),),
        )
        with self.store.write() as session:
            cases.save(session, case)
        return case

    def give_link(
        self,
        kind: LinkKind = LinkKind.SURVEY,
        *,
        deal_id: str = "500",
        contact_id: str | None = "900",
        questionnaire: str | None = None,
        language: str = "fr",
        roles: Sequence[str] = (),
    ) -> str:
        """A link as the reconciler hands it out; gives its path."""
        key = questionnaire or {LinkKind.SURVEY: "exit", LinkKind.INTERVIEW: "interview", LinkKind.TEAM: "team"}[kind]
        case = self.open_case(deal_id)
        link_id = self.runtime.links.link_id(kind, case.id, contact_id, key)
        link = LinkRow(id=link_id, account="acme", case_id=case.id, kind=kind.value, contact_id=contact_id,
                       questionnaire=key, language=language, made_at=NOW, closed_at=None,
                       roles=list(roles))  # fmt: skip
        with self.store.write() as session:
            intake.keep_link(session, link)
        address = self.runtime.links.address(kind, case.id, contact_id, key)
        return address.removeprefix(self.runtime.settings.server.public_url)

    def rows(self, table: type[Any]) -> list[Any]:
        """All rows of a table."""
        with self.store.read() as session:
            return list(session.query(table))

    def agenda(self) -> dict[tuple[str, str], AgendaRow]:
        return {(row.account, row.deal_id): row for row in self.rows(AgendaRow)}

    def answers(self) -> list[AnswerRow]:
        return self.rows(AnswerRow)

    def tallies(self) -> dict[tuple[str, str], int]:
        return {(row.name, row.subject): row.count for row in self.rows(TallyRow)}

    def events(self) -> list[EventRow]:
        return self.rows(EventRow)


def make_template(path: Path) -> Path:
    """An empty database with today's schema and the accounts' known stages; copied for each test."""
    store = Store(f"sqlite:///{path}")
    store.upgrade(now=NOW)
    pipelines = [Pipeline(id="p", label="Renewals", stages=tuple(STAGES)).model_dump(mode="json")]
    with store.write() as session:
        for name, account_id in (("acme", "4242"), ("globex", "77")):
            accounts.ensure(session, name, "quill", account_id)
            known = {"users": [], "pipelines": pipelines}
            accounts.change(session, name, started_at=NOW, known=known, known_at=NOW)
    store.close()
    return path


def build_house(template: Path, folder: Path, **more: Any) -> House:
    """A fresh copy of the program."""
    database = folder / "aurevoir.db"
    shutil.copy(template, database)
    quill, clock, engine = Quill(), HeldClock(), Nudges()
    runtime = build(settings(database, **more), adapters={"quill": quill}, clock=clock)  # type: ignore[dict-item]
    runtime.engine = engine
    app = create_app(runtime)
    app.testing = True
    return House(runtime, app, clock, engine, quill)


def fields(html: str) -> Iterable[str]:
    """The names of all inputs on a page."""
    import re

    return re.findall(r'<(?:input|textarea)[^>]* name="([^"]+)"', html)
