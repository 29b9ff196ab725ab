"""A running program takes on what changes in its settings, and goes on with the former ones where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.errors import ConfigError
from connector.bootstrap import Adapters, Runtime, build
from connector.presence import working
from connector.provisioning import provision, require_address
from connector.source import Source
from connector.store import accounts

KEY = "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-reload-tests"


def _config() -> dict[str, Any]:
    account = {
        "crm": "hubspot",
        "account_id": "4242",
        "access_token": "pat-eu1-sandbox",
        "calendar": "FR",
        "watch": [{"not_renewing": ["Lost"]}],
    }
    return {
        "server": {"public_url": "https://goodbye.example.com"},
        "database_url": "sqlite:///aurevoir.db",
        "secret_key": KEY,
        "accounts": {"acme": account, "globex": account | {"account_id": "777"}},
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(_config()), encoding="utf-8")
    return path


@pytest.fixture
def runtime(file: Path) -> Iterator[Runtime]:
    source = Source(file, Adapters(), {})
    made = build(source.load(), adapters=source.adapters, source=source)
    made.store.upgrade(now=made.clock.now())
    yield made
    made.close()


def change(file: Path, **account: Any) -> None:
    """As an editor does: a new file in the place of the former one."""
    whole = yaml.safe_load(file.read_text(encoding="utf-8"))
    whole["accounts"]["acme"].update(account)
    fresh = file.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(whole), encoding="utf-8")
    fresh.replace(file)


def test_a_changed_account_is_taken_on_and_the_others_stay_connected(runtime: Runtime, file: Path) -> None:
    before = dict(runtime.accounts.items())
    assert not runtime.reloader.look(), "nothing has changed"
    change(file, company="Northwind")
    assert runtime.reloader.look()
    assert runtime.settings.accounts["acme"].company == "Northwind"
    assert runtime.accounts["acme"].config.company == "Northwind"
    assert runtime.accounts["acme"] is not before["acme"]
    assert runtime.accounts["globex"] is before["globex"]
    assert runtime.rounds["acme"].account is runtime.accounts["acme"]


def test_what_cannot_be_used_changes_nothing_and_is_told(runtime: Runtime, file: Path) -> None:
    runtime.start()
    change(file, playbook="nosuch", company="Northwind")
    assert not runtime.reloader.look()
    assert runtime.settings.accounts["acme"].company is None
    told = {subject: text for subject, _ok, text in runtime.ready()}
    assert "accounts.acme.playbook" in told["settings"]
    change(file, playbook="light")
    assert runtime.reloader.look()
    assert "settings" not in {subject for subject, _ok, _text in runtime.ready()}
    assert runtime.accounts["acme"].config.playbook == "light"


def test_settings_that_met_a_passing_fault_are_taken_on_at_the_next_look(
    runtime: Runtime, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(file, company="Northwind")
    with monkeypatch.context() as broken:
        broken.setattr(runtime.store, "read", _away)
        with pytest.raises(ConnectionError):
            runtime.reloader.look()
    assert runtime.accounts["acme"].config.company is None
    assert runtime.reloader.look()
    assert runtime.accounts["acme"].config.company == "Northwind"


def _away() -> None:
    raise ConnectionError("the database is away")


def test_an_account_may_come_and_go(runtime: Runtime, file: Path) -> None:
    whole = _config()
    whole["accounts"]["initech"] = whole["accounts"].pop("globex") | {"account_id": "999"}
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    runtime.start()
    assert runtime.reloader.look()
    assert set(runtime.accounts) == set(runtime.rounds) == {"acme", "initech"}
    assert runtime.scheduler is not None
    assert {account.name for account in runtime.scheduler._accounts} == {"acme", "initech"}


def test_what_the_process_was_built_on_waits_for_a_restart(runtime: Runtime, file: Path) -> None:
    whole = _config() | {"server": {"public_url": "https://farewell.example.com"}}
    whole["accounts"]["acme"]["company"] = "Northwind"
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    assert runtime.reloader.look()
    assert runtime.settings.server.public_url == "https://goodbye.example.com"
    assert runtime.settings.accounts["acme"].company == "Northwind"
    told = {subject: text for subject, _ok, text in runtime.ready()}
    assert "restart is needed for: server.public_url" in told["settings"]


def test_a_playbook_of_ones_own_is_taken_on_when_it_is_saved(runtime: Runtime, file: Path) -> None:
    folder = file.parent / "playbooks"
    folder.mkdir()
    file.write_text(yaml.safe_dump(_config() | {"playbooks_dir": "playbooks"}), encoding="utf-8")
    assert runtime.reloader.look()
    (folder / "mine.yaml").write_text("key: mine\nphases: nonsense\n", encoding="utf-8")
    assert not runtime.reloader.look()
    assert runtime.reloader.trouble is not None
    (folder / "mine.yaml").unlink()
    assert runtime.reloader.look()
    assert runtime.reloader.trouble is None


def test_a_watching_process_needs_no_telling(runtime: Runtime, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.reload.LOOK_SECONDS", 0.02)
    runtime.reloader.start()
    change(file, company="Northwind")
    for _ in range(200):
        if runtime.settings.accounts["acme"].company:
            break
        runtime.reloader._leaving.wait(0.02)
    assert runtime.settings.accounts["acme"].company == "Northwind"


def test_an_account_that_is_being_set_up_does_not_take_the_others_off_the_network(runtime: Runtime) -> None:
    standing = {subject: ok for subject, ok, _text in runtime.ready()}
    assert (standing["account acme"], standing["account globex"]) == (False, False), "nothing is watched at all"
    with runtime.store.write() as session:
        accounts.ensure(session, "acme", "hubspot", "4242")
        accounts.change(session, "acme", started_at=runtime.clock.now())
    standing = {subject: ok for subject, ok, _text in runtime.ready()}
    assert (standing["account acme"], standing["account globex"]) == (True, True)


def test_nothing_is_switched_on_while_links_would_lead_nowhere(runtime: Runtime, file: Path) -> None:
    with pytest.raises(ConfigError) as example:
        provision(runtime, "acme")
    (fault,) = example.value.faults
    assert (fault.key, fault.value) == ("server.public_url", "https://goodbye.example.com")
    assert "put your own there" in fault.cure
    mine = _config() | {"server": {"public_url": "https://goodbye.acme.test", "trusted_proxy": "127.0.0.1"}}
    file.write_text(yaml.safe_dump(mine), encoding="utf-8")
    with pytest.raises(ConfigError) as pending:
        provision(runtime, "acme")
    assert {one.key: one.value for one in pending.value.faults} == {
        "server.public_url": "https://goodbye.acme.test",
        "server.trusted_proxy": "127.0.0.1",
    }
    assert all("restart" in one.cure for one in pending.value.faults)


def test_a_short_command_switches_nothing_on_beside_a_program_that_still_writes_another_address(
    runtime: Runtime, file: Path
) -> None:
    mine = _config() | {"server": {"public_url": "https://goodbye.acme.test"}}
    file.write_text(yaml.safe_dump(mine), encoding="utf-8")
    source = Source(file, Adapters(), {})
    short = build(source.load(), adapters=source.adapters, source=source)
    try:
        with working(runtime.store, "https://former.acme.test"), pytest.raises(ConfigError, match="restart it first"):
            require_address(short)
        with working(runtime.store, "https://goodbye.acme.test"):
            require_address(short)
        require_address(short)
    finally:
        short.close()
