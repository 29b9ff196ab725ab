"""The console over HTTP, with a config.yaml that it may change and a look-alike CRM behind each account."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import conformance_kit as kit
import yaml
from flask.testing import FlaskClient

from connector.app import create_app
from connector.bootstrap import Adapters, Runtime, build
from connector.config import read_raw
from connector.source import Source

PUBLIC = "https://goodbye.northwind.test"
KEY = "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-console-tests"
MAIL = "admin@example.com"
PASSWORD = "four plain words here"


class Clock:
    """The sandbox's."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig

    def now(self) -> Any:
        return self.rig.now()

    def sleep(self, seconds: float) -> None:
        self.rig.advance(timedelta(seconds=seconds))


class Nudges:
    """An engine that remembers whom it was told about."""

    def __init__(self) -> None:
        self.accounts: list[str] = []

    def nudge(self, account: str) -> None:
        self.accounts.append(account)

    def stop(self) -> None:
        """Nothing to give back."""


def account(rig: Any, **changes: Any) -> dict[str, Any]:
    """An account that is set up for this rig's CRM."""
    watch = {"negotiating": [rig.negotiating], "not_renewing": [rig.not_renewing], "settle_for": "0s"}
    if rig.pipeline_id:
        watch["pipeline"] = rig.pipeline_id
    made = {
        "crm": rig.name,
        "account_id": rig.account_id,
        "calendar": "FR",
        "watch": [watch],
        "poll_every": "3650d",
        **rig.bare_settings(),
        "read_timeout": 20,
    }
    return made | changes


@dataclass
class Desk:
    """The console, an admin's browser, and what is behind it."""

    rig: Any
    runtime: Runtime
    app: Any
    file: Path
    engine: Nudges = field(default_factory=Nudges)
    browser: FlaskClient = None  # type: ignore[assignment]

    def get(self, path: str, **more: Any) -> Any:
        return self.browser.get(path, base_url=PUBLIC, **more)

    def post(self, path: str, form: dict[str, Any] | None = None, *, page: str | None = None, **more: Any) -> Any:
        """Send a form, with the seal and the hidden fields of the page that it stands on."""
        found = hidden(self.get(page or path).text)
        return self.browser.post(path, base_url=PUBLIC, data=found | (form or {}), **more)

    def sign_in(self, password: str = PASSWORD, email: str = MAIL, **more: Any) -> Any:
        return self.post("/console/sign-in", {"email": email, "password": password} | more)

    def raw(self, name: str = "acme") -> dict[str, Any]:
        """The account as the file has it."""
        found: dict[str, Any] = read_raw(self.file)["accounts"][name]
        return found


def hidden(html: str) -> dict[str, str]:
    """The hidden fields of a page's last form (the first one signs out)."""
    form = html.rpartition("<form")[2]
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return {name: _text(value) for name, value in found}


def _text(value: str) -> str:
    from html import unescape

    return unescape(value)


def build_desk(rig: Any, folder: Path, public_url: str = PUBLIC, **changes: Any) -> Desk:
    """One account ``acme``, unless ``accounts`` says otherwise, and an admin who may sign in."""
    from connector.admins import Admins

    whole = {
        "server": {"public_url": public_url},
        "database_url": "sqlite:///aurevoir.db",
        "secret_key": KEY,
        "accounts": {"acme": account(rig)},
    } | changes
    file = folder / "config.yaml"
    file.write_text("# Mine, and it stays.\n" + yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    source = Source(file, Adapters(), {})
    runtime = build(source.load(), adapters=source.adapters, clock=Clock(rig), source=source)
    runtime.store.upgrade(now=rig.now())
    engine = Nudges()
    runtime.engine = engine
    admins = Admins(runtime.store, runtime.clock)
    admins.add(MAIL)
    admins.set_password(MAIL, PASSWORD)
    app = create_app(runtime)
    app.testing = True
    return Desk(rig, runtime, app, file, engine, app.test_client())


def make_rig(crm: str) -> Any:
    """A fresh look-alike."""
    return kit.make_rig(crm)
