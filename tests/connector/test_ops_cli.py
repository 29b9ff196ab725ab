"""Looking after it from the command line: words, exit codes and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml

from connector.cli import main
from connector.presence import SERVE
from connector.store import Store, accounts
from sandbox.hubspot import HubSpotSandbox
from sandbox.kit import Server

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs the command beside a look-alike that is set up and switched on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    sandbox = HubSpotSandbox()

    def run_it(*args: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(args)
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out + told.err

    with Server(sandbox.app) as server:
        watch = {"pipeline": "Renewals", "not_renewing": "Not renewing", "settle_for": "0s"}
        config: dict[str, Any] = {
            "server": {"public_url": "http://127.0.0.1:8080"},
            "secret_key": "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-operations",
            "accounts": {
                "acme": {
                    "crm": "hubspot", "account_id": "4242", "access_token": "pat-eu1-sandbox", "calendar": "FR",
                    "api_url": server.url, "watch": [watch],
                }
            },
        }  # fmt: skip
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        assert run_it("provision")[0] == 0
        yield run_it
    sandbox.hooks.stop()
    structlog.reset_defaults()


def test_accounts_say_how_they_stand_and_are_paused_and_resumed(run: Run) -> None:
    run("poll")
    assert run("accounts")[0] == 0
    assert "acme is paused" in run("accounts", "pause", "acme")[1]
    (standing,) = json.loads(run("accounts", "list", "--json")[1])
    assert standing["paused_at"]
    assert standing["well"], "it rests because an admin wants it so"
    assert "acme goes on, with 0 open cases." in run("accounts", "resume", "acme")[1]
    code, told = run("accounts", "resume", "acme")
    assert (code, "nothing to resume" in told) == (2, True)


def test_an_account_in_trouble_ends_with_1(run: Run, tmp_path: Path) -> None:
    run("poll")
    store = Store(f"sqlite:///{tmp_path / 'aurevoir.db'}")
    with store.write() as session:
        row = accounts.get(session, "acme")
        assert row is not None
        assert row.worked_at is not None
        accounts.troubled(session, "acme", "the token was refused", row.worked_at)
    with store.exclusive(SERVE):
        assert run("accounts", "list", "--alive")[0] == 0, "a supervisor need not start anew what works"
    assert run("accounts", "list", "--alive")[0] == 1, "nothing works on it"
    store.close()
    code, told = run("accounts")
    assert (code, "the token was refused" in told) == (1, True)
    code, told = run("cases", "failed", "--json")
    assert code == 1
    assert [one["kind"] for one in json.loads(told)] == ["account"]


def test_a_playbook_is_paused_by_name_and_unknown_ones_are_told_with_those_that_exist(run: Run) -> None:
    assert "paused in acme" in run("playbook", "pause", "saas")[1]
    assert run("playbook", "pause", "saas")[0] == 2
    assert "goes on, with 0 open cases" in run("playbook", "resume", "saas")[1]
    code, told = run("playbook", "pause", "sas")
    assert code == 2
    assert "saas" in told


def test_a_case_is_started_by_hand_shown_with_its_kind_and_listed(run: Run) -> None:
    code, told = run("cases", "start", "--account", "acme", "--deal", "901")
    assert (code, "not in a not-renewing stage" in told) == (2, True), "the deal is not in such a stage"
    code, told = run("preview", "--account", "acme", "--deal", "999999")
    assert (code, "there is no deal 999999 in the CRM" in told, "deleted" in told) == (1, True, False)
    code, told = run("rehearse", "--account", "acme", "--since", "2026-13-01")
    assert (code, "'2026-13-01' is no day: write it as 2026-01-31" in told) == (2, True)
    assert "There are no cases." in run("cases")[1]
    assert "Nothing failed." in run("cases", "failed")[1]
    assert "Nothing is known of contact:151." in run("cases", "log", "contact:151")[1]
    code, told = run("cases", "log", "person:151")
    assert (code, "there is no kind 'person'" in told) == (2, True)


def test_erasing_says_what_stays_and_wants_to_know_whom(run: Run) -> None:
    assert run("erase", "--yes")[0] == 2
    code, told = run("erase", "--email", "nobody@example.com", "--yes")
    assert code == 1, "as all commands that find something amiss: it may be misspelled"
    assert "Nothing of this person was stored here: is it written as in the CRM" in told
    assert "nobody@example.com" not in told, "the receipt names nobody"
    code, told = run("erase", "--name", "Nobody Here", "--dry-run")
    assert "Found of this person in acme: nothing" in told
    assert "Nothing was changed." in told
    code, told = run("erase", "--name", "Nobody Here")
    assert (code, "By this name alone there is nothing to remove here." in told) == (1, True), "and nothing is asked"
    assert "Erasure" not in told, "no receipt of nothing"
    assert json.loads(run("erase", "--name", "Nobody Here", "--yes", "--json")[1]) == []


def test_a_set_up_is_exported_and_imported_again_without_a_change(run: Run, tmp_path: Path) -> None:
    assert run("export", "--out", "setup.yaml")[0] == 0
    assert "set up like that already" in run("import", "setup.yaml", "--dry-run")[1]
    text = (tmp_path / "setup.yaml").read_text().replace("calendar: FR", "calendar: DE")
    (tmp_path / "setup.yaml").write_text(text)
    assert "+calendar: DE" in run("import", "setup.yaml", "--dry-run")[1]
    assert "calendar: FR" in (tmp_path / "config.yaml").read_text()
    assert run("import", "setup.yaml", "--yes")[0] == 0
    assert "calendar: DE" in (tmp_path / "config.yaml").read_text()
    assert run("import", "gone.yaml")[0] == 2


def test_taking_it_out_is_shown_first_and_leaves_the_account_switched_off(run: Run) -> None:
    planned = json.loads(run("uninstall", "--account", "acme", "--dry-run", "--json")[1])
    assert (planned["dry_run"], planned["paused"]) == (True, False)
    assert run("accounts")[0] == 0
    run("accounts", "pause", "acme")
    told = run("uninstall", "--account", "acme", "--dry-run")[1]
    assert "acme is paused. Leaving writes into its CRM all the same:" in told
    assert "0 open cases would be cancelled" in told
    code, told = run("uninstall", "--account", "acme", "--yes")
    assert code == 0
    assert "What stays:" in told
    code, told = run("accounts")
    assert (code, "taken out" in told, "never" in told) == (0, True, False)
