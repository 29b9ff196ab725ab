"""Looking after it, without a CRM: files that others can read, the heartbeat, what the failed list holds."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import ConfigError
from connector.heartbeat import Heartbeat
from connector.private import require_private
from connector.store import Store, accounts, agenda, failed, intake
from connector.store.failed import FailedKind

# --- files (nobody else reads what customers said) ------------------------------------------------------------------


def private(folder: Path, config: str, *, config_mode: int = 0o600, database_mode: int = 0o600) -> None:
    (folder / "config.yaml").write_text(config)
    (folder / "config.yaml").chmod(config_mode)
    (folder / "aurevoir.db").touch()
    (folder / "aurevoir.db").chmod(database_mode)
    store = Store(f"sqlite:///{folder / 'aurevoir.db'}")
    try:
        require_private(folder / "config.yaml", store)
    finally:
        store.close()


def test_a_database_that_every_user_can_read_keeps_it_from_starting(tmp_path: Path) -> None:
    private(tmp_path, "secret_key: ${KEY}")
    with pytest.raises(ConfigError) as refused:
        private(tmp_path, "secret_key: ${KEY}", database_mode=0o644)
    (fault,) = refused.value.faults
    assert fault.cure.endswith(f"chmod 600 {tmp_path / 'aurevoir.db'}")


def test_secrets_in_settings_that_every_user_can_read_keep_it_from_starting(tmp_path: Path) -> None:
    text = "accounts: {acme: {access_token: pat-eu1-literal, client_secret: '${SECRET}'}}"
    private(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        private(tmp_path, text, config_mode=0o644)
    (fault,) = refused.value.faults
    assert "access_token" in fault.cure
    assert "client_secret" not in fault.cure, "that one only names a variable"
    assert "pat-eu1-literal" not in str(refused.value)


def test_settings_without_secrets_may_be_read_by_others(tmp_path: Path) -> None:
    private(tmp_path, "secret_key: ${KEY}\naccounts: {acme: {crm: quill}}", config_mode=0o644)


# --- the heartbeat --------------------------------------------------------------------------------------------------


@pytest.fixture
def monitor() -> Iterator[tuple[str, list[str]]]:
    """A dead man's switch: its address, and the paths that were fetched."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def worked(house: Any, at: Any, *names: str) -> None:
    with house.store.write() as session:
        for name in names or ("acme", "globex"):
            accounts.change(session, name, worked_at=at)


@pytest.mark.row("P-75")
def test_it_beats_while_all_is_well_and_is_silent_when_one_account_is(
    house: Any, monitor: tuple[str, list[str]]
) -> None:
    url, seen = monitor
    heart = Heartbeat(house.store, house.clock, f"{url}/ping")
    worked(house, house.clock.now())
    heart.beat(house.runtime.accounts.values())
    assert seen == ["/ping"]
    house.clock.time += timedelta(minutes=16)
    worked(house, house.clock.now(), "globex")
    heart.beat(house.runtime.accounts.values())
    assert seen == ["/ping"], "acme has not worked for a quarter of an hour"
    with house.store.write() as session:
        accounts.change(session, "acme", paused_at=house.clock.now())
    heart.beat(house.runtime.accounts.values())
    assert seen == ["/ping", "/ping"], "an account that rests because an admin wants it so is no alarm"


def test_a_heartbeat_that_does_not_get_through_breaks_nothing(house: Any, monitor: tuple[str, list[str]]) -> None:
    url, seen = monitor
    worked(house, house.clock.now())
    Heartbeat(house.store, house.clock, f"{url}/broken").beat(house.runtime.accounts.values())
    Heartbeat(house.store, house.clock, "http://127.0.0.1:9/gone").beat(house.runtime.accounts.values())
    assert seen == ["/broken"]


def test_metrics_tell_when_each_account_last_worked(house: Any) -> None:
    worked(house, house.clock.now(), "acme")
    told = house.client.get("/metrics", base_url="http://127.0.0.1:8080").text
    seen = dict(re.findall(r'aurevoir_last_success_timestamp\{account="(\w+)"\} (\S+)', told))
    assert {name: float(value) for name, value in seen.items()} == {
        "acme": house.clock.now().timestamp(),
        "globex": 0,
    }


# --- the failed list ------------------------------------------------------------------------------------------------


@pytest.mark.row("P-75")
def test_the_failed_list_holds_events_looks_and_accounts_with_since_when(house: Any) -> None:
    now = house.clock.now()
    with house.store.write() as session:
        intake.keep_bad(session, "quill", [("acme", "no id", "{}")], now - timedelta(hours=3))
        agenda.put(session, "acme", [agenda.Entry("500", now, "webhook")])
        accounts.troubled(session, "globex", "the token was refused", now - timedelta(hours=2))
        accounts.troubled(session, "globex", "the token was refused", now)
    with house.store.write() as session:
        row = agenda.of_deal(session, "acme", "500")
        assert row is not None
        agenda.failed(session, row, now, "internal error", now - timedelta(hours=1))
        agenda.failed(session, row, now, "internal error", now)
        listed = failed.listing(session)
        mine = failed.listing(session, "globex")
    assert [(one.kind, now - one.since) for one in listed] == [
        (FailedKind.EVENT, timedelta(hours=3)),
        (FailedKind.ACCOUNT, timedelta(hours=2)),
        (FailedKind.LOOK, timedelta(hours=1)),
    ]
    assert [one.kind for one in mine] == [FailedKind.ACCOUNT]
