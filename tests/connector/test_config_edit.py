"""Changing config.yaml in place: comments stay, nothing is half written, and nothing but the change is changed."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.errors import ConfigError
from connector.bootstrap import Adapters
from connector.config import read_raw
from connector.config_edit import Change, ChangedMeanwhile, at, change_file
from connector.source import Source
from connector.store import Store

KEY = "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-edit-tests"
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
ACME = ("accounts", "acme")


class Bench:
    """A copy of the shipped example, with the environment that it needs."""

    def __init__(self, folder: Path, text: str | None = None) -> None:
        self.file = folder / "config.yaml"
        self.file.write_text(text or EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
        environ = {
            "AUREVOIR_SECRET_KEY": KEY,
            "HUBSPOT_ACCESS_TOKEN": "pat-eu1-sandbox",
            "HUBSPOT_CLIENT_SECRET": "client-secret-of-an-app",
            "SALESFORCE_CLIENT_ID": "consumer-key",
            "SALESFORCE_CLIENT_SECRET": "consumer-secret",
        }
        self.source = Source(self.file, Adapters(), environ)
        self.store = Store(f"sqlite:///{folder / 'aurevoir.db'}")

    def set(self, place: tuple[str, ...], value: Any, **more: Any) -> Any:
        """Change one value from what it is now."""
        seen = more.pop("seen", at(read_raw(self.file), place))
        return change_file(self.source, self.store, [Change(place, value, seen)], **more)

    def remarks(self) -> list[str]:
        return [line.strip() for line in self.file.read_text().splitlines() if line.strip().startswith("# ")]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


CHANGES: list[tuple[tuple[str, ...], Any]] = [
    (("company",), "Café “L'été” & Fils: # 1"),
    (("calendar",), "DE-BY"),
    (
        ("watch",),
        [{"pipeline": "Renewals", "not_renewing": ["Lost", "NO"], "settle_for": "12h"}, {"not_renewing": "x"}],
    ),
    (("watch",), [{"not_renewing": ["Lost"]}]),
    (("fields", "contract_end"), "renewal_date"),
    (("fields", "exit_reason"), "why"),
    (("people", "neutral_pool"), ["a@example.com", "b@example.com"]),
    (("people", "neutral_pool"), ["b@example.com"]),
    (("people", "neutral_pool"), None),
    (("people", "manager"), "m@example.com"),
    (("playbook",), "light"),
    (("save_playbook",), None),
    (("company",), None),
]


def test_many_changes_keep_every_remark_and_every_other_value(bench: Bench) -> None:
    remarks = bench.remarks()
    assert len(remarks) > 100
    other = read_raw(bench.file)["accounts"]["globex"]
    for place, value in [*CHANGES, *CHANGES[2:4], CHANGES[0]]:
        settings = bench.set((*ACME, *place), value)
        assert bench.remarks() == remarks, (place, value)
        raw = read_raw(bench.file)
        assert raw["accounts"]["globex"] == other
        assert settings == bench.source.load()
    (entry,) = raw["accounts"]["acme"]["watch"]
    assert {key: value for key, value in entry.items() if value is not None} == {"not_renewing": ["Lost"]}


def test_a_value_takes_the_place_of_the_example_that_stands_for_it(bench: Bench) -> None:
    before = bench.file.read_text()
    bench.set((*ACME, "company"), "Northwind Ltd")
    bench.set((*ACME, "fields", "contract_end"), "renewal_date")
    first = before.replace("    #company: Northwind\n", "    company: Northwind Ltd\n", 1)
    wanted = first.replace("      #contract_end: contract_end_date\n", "      contract_end: renewal_date\n", 1)
    assert _plain(bench.file.read_text()) == _plain(wanted)


def _plain(text: str) -> list[str]:
    """The lines, whether or not a dash stands on a line of its own."""
    return [line.replace("- ", "").strip() for line in text.splitlines() if line.strip() not in ("-", "")]


def test_an_account_is_added_to_a_file_without_any(tmp_path: Path) -> None:
    text = f"server: {{public_url: https://goodbye.example.com}}\nsecret_key: {KEY}\naccounts: {{}}  # none yet\n"
    bench = Bench(tmp_path, text)
    account = {"crm": "hubspot", "account_id": "0042", "calendar": "NO", "watch": [], "access_token": "${T}"}
    settings = bench.set(("accounts", "acme"), account, secrets={"T": "pat-eu1-secret"})
    assert settings.accounts["acme"].account_id == "0042", "as it was written, not as a number"
    assert settings.accounts["acme"].calendar == "NO"
    assert "pat-eu1-secret" not in bench.file.read_text()
    env = tmp_path / "aurevoir.env"
    assert "T=pat-eu1-secret" in env.read_text()
    assert env.stat().st_mode & 0o777 == 0o600


def test_secrets_that_lead_to_nothing_are_not_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    env = tmp_path / "aurevoir.env"
    env.write_text("# mine\nOTHER=1\n")
    env.chmod(0o600)
    with pytest.raises(ConfigError):
        bench.set((*ACME, "access_token"), "${T} ${NOSUCH}", secrets={"T": "pat-eu1-secret"})
    assert env.read_text() == "# mine\nOTHER=1\n"
    bench.set((*ACME, "access_token"), "${T}", secrets={"T": "pat-eu1-secret"})
    assert env.read_text() == "# mine\nOTHER=1\nT=pat-eu1-secret\n"


def test_what_cannot_be_used_is_not_written(bench: Bench) -> None:
    before = bench.file.read_text()
    wrong: list[tuple[tuple[str, ...], Any]] = [
        (("calendar",), "ZZ"),
        (("playbook",), "save-plan"),  # there is one, and it is no offboarding's
        (("watch",), [{"not_renewing": []}]),
    ]
    for place, value in wrong:
        with pytest.raises(ConfigError, match=rf"accounts\.acme\.{place[0]}"):
            bench.set((*ACME, *place), value)
    assert bench.file.read_text() == before
    assert [one.name for one in bench.file.parent.iterdir() if "draft" in one.name] == []


def test_mode_and_link_of_the_file_stay(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    real = folder / "settings.yaml"
    bench.file.rename(real)
    real.chmod(0o640)
    bench.file.symlink_to(real)
    bench.set((*ACME, "company"), "Northwind Ltd")
    assert bench.file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "Northwind Ltd" in real.read_text()


def test_a_folder_that_cannot_be_written_in_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_more: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("connector.config_edit.tempfile.mkstemp", refuse)  # root may write everywhere
    with pytest.raises(ConfigError, match="cannot be written: Permission denied"):
        bench.set((*ACME, "company"), "Northwind Ltd")


def test_a_value_that_someone_else_changed_is_not_overwritten(bench: Bench) -> None:
    bench.set((*ACME, "company"), "Theirs")
    with pytest.raises(ChangedMeanwhile) as caught:
        bench.set((*ACME, "company"), "Mine", seen=None)
    (one,) = caught.value.differences
    assert (one.key, one.was, one.now, one.wanted) == ("accounts.acme.company", None, "Theirs", "Mine")
    bench.set((*ACME, "company"), "Theirs", seen=None)  # both want the same


def test_of_many_who_write_at_once_every_value_arrives(bench: Bench) -> None:
    places = [
        ("company",),
        ("calendar",),
        ("fields", "contract_end"),
        ("people", "manager"),
        ("playbook",),
        ("language",),
    ]
    values = ["Northwind", "BE", "renewal_date", "m@example.com", "light", "en"]
    raw = read_raw(bench.file)

    def write(place: tuple[str, ...], value: str) -> None:
        full = (*ACME, *place)
        change_file(bench.source, bench.store, [Change(full, value, at(raw, full))])

    writers = [threading.Thread(target=write, args=pair) for pair in zip(places, values, strict=True)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    after = read_raw(bench.file)
    assert [at(after, (*ACME, *place)) for place in places] == values


def test_a_process_that_dies_before_the_last_step_leaves_the_file_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.file.read_text()

    class Died(BaseException):
        pass

    def die(_file: int) -> None:
        raise Died

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(Died):
        bench.set((*ACME, "company"), "Northwind Ltd")
    assert bench.file.read_text() == before


def test_yaml_that_cannot_be_kept_is_left_alone_with_a_word(tmp_path: Path) -> None:
    common = {"crm": "hubspot", "account_id": "1", "access_token": "pat-eu1-x", "calendar": "FR", "watch": []}
    text = yaml.safe_dump(
        {"server": {"public_url": "https://g.example.com"}, "secret_key": KEY, "accounts": {"acme": common}}
    )
    bench = Bench(tmp_path, text.replace("accounts:", "common: &c {calendar: BE}\naccounts:"))
    with pytest.raises(ConfigError):
        bench.set((*ACME, "company"), "Northwind")
