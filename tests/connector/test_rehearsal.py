"""Rehearsing from the command line and as files, against a look-alike with a believable last year (P-70)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from lxml import html

from adapters.hubspot.past import entry_property
from connector.cli import main
from connector.rehearsal import Rehearsal
from connector.rehearsal_file import as_csv, as_html, safe_cell, write_file
from sandbox.hubspot import HubSpotSandbox
from sandbox.kit import Server
from sandbox.seed_hubspot import hubspot_past
from sandbox.seed_past import PAST
from workflows.plan import PlannedStep
from workflows.records import Deal, PastValue, People, StageEntry
from workflows.rehearsal import Lack, Lacking, LeftOut, PastDeal, Rehearsed, Workload

Run = Callable[..., tuple[int, str, str]]
NASTY = '=HYPERLINK("http://evil.example")<script>alert(1)</script>'


@pytest.fixture
def portal() -> Iterator[tuple[HubSpotSandbox, str]]:
    sandbox = HubSpotSandbox()
    hubspot_past(sandbox.world)
    with Server(sandbox.app) as server:
        yield sandbox, server.url
    sandbox.hooks.stop()


@pytest.fixture
def config(tmp_path: Path, portal: tuple[HubSpotSandbox, str]) -> Path:
    """Settings as an admin would have written them; the account is not switched on."""
    people = {"neutral_pool": ["emma.clark@acme.example"], "manager": "camille.roux@acme.example"}
    account = {
        "crm": "hubspot",
        "account_id": "4242",
        "api_url": portal[1],
        "access_token": "pat-eu1-sandbox",
        "time_zone": "Europe/Paris",
        "language": "fr",
        "calendar": "FR",
        "watch": [{"pipeline": "Renewals", "negotiating": ["Negotiation"], "not_renewing": ["Not renewing"]}],
        "fields": {"contract_end": "contract_end_date", "exit_reason": "exit_reason"},
        "people": people,
    }
    path = tmp_path / "config.yaml"
    settings = {
        "server": {"listen": "127.0.0.1:0", "public_url": "http://127.0.0.1:8080"},
        "database_url": f"sqlite:///{tmp_path / 'aurevoir.db'}",
        "secret_key": "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-rehearsal",
        "accounts": {"acme": account},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_it(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(config), *args])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run_it


def last_year(portal: tuple[HubSpotSandbox, str]) -> str:
    return (portal[0].clock.now() - timedelta(days=365)).date().isoformat()


@pytest.mark.row("P-70")
def test_last_year_is_rehearsed_before_the_account_is_switched_on(run: Run, portal: Any) -> None:
    code, out, _ = run("rehearse", "--account", "acme", "--since", last_year(portal), "--json")
    made = json.loads(out)
    assert code == 0
    summary = made["summary"]
    deleted = sum(past.deleted_after is not None for past in PAST)
    twice = sum(past.lost_before is not None for past in PAST)
    bounced = sum(past.back_after is not None for past in PAST)
    assert summary["endings"] == len(PAST) - deleted + twice
    assert summary["would_open"] == summary["endings"] - bounced
    assert summary["left_out"] == {"bounced": bounced}
    assert summary["lacking"]["contract_end"] == sum(past.left is None for past in PAST)
    assert summary["lacking"]["contacts"] == sum(not past.people for past in PAST)
    opened = [deal for deal in made["deals"] if deal["opens"]]
    assert all(step["owner_name"] and step["title"] for deal in opened for step in deal["steps"] if step["applies"])


def test_with_mapped_figures_as_many_would_have_opened(run: Run, portal: Any, config: Path) -> None:
    """A rehearsal reads no history of figures, and waits for none."""
    settings = yaml.safe_load(config.read_text())
    settings["accounts"]["acme"]["fields"]["figures"] = ["company.numberofemployees"]
    config.write_text(yaml.safe_dump(settings))
    _, out, _ = run("rehearse", "--account", "acme", "--since", last_year(portal), "--json")
    assert json.loads(out)["summary"]["would_open"] == 17


def test_the_terminal_shows_a_line_for_each_ending_and_the_sum(run: Run, portal: Any) -> None:
    code, out, _ = run("rehearse", "--account", "acme", "--since", last_year(portal))
    assert code == 0
    assert "Harrow Logistics – renewal" in out
    assert "17 would have opened an offboarding" in out
    assert re.search(r"3: no contract end", out)
    assert "Nothing was written to the CRM." in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--since", "2999-01-01"), "lies in the future"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "lies before --since"),
        (("--since", "1999-01-01"), "ten years"),
        (("--since", "yesterday"), "write it as 2026-01-31"),
        (("--since", "2026-01-01", "--out", "report.docx"), "must end in .html, .csv, .json"),
        (("--since", "2026-01-01", "--out", "/nowhere/at/all.html"), "there is no folder"),
        (("--since", "2026-01-01", "--out", "r.html", "--language", "nl"), "there are en, fr"),
    ],
)
def test_wrong_use_is_told_in_words(run: Run, args: tuple[str, ...], words: str) -> None:
    code, _, err = run("rehearse", "--account", "acme", *args)
    assert code == 2
    assert words in " ".join(re.sub("[│╭╮╰╯─]", " ", err).split())


def test_an_unknown_account_is_wrong_use_and_names_those_that_are_known(run: Run) -> None:
    code, _, err = run("rehearse", "--account", "acmee", "--since", "2026-01-01")
    assert (code, "acme" in err) == (2, True)


def test_a_stage_renamed_since_is_named_with_those_that_there_are(run: Run, portal: Any) -> None:
    sandbox = portal[0]
    stages = sandbox.world.schema.pipelines[0].stages
    before, stages[3].label = stages[3].label, "Churned"
    try:
        code, _, err = run("rehearse", "--account", "acme", "--since", last_year(portal))
    finally:
        stages[3].label = before
    assert code == 2
    assert "Not renewing" in err
    assert "Churned" in err


def test_a_year_without_endings_says_so(run: Run, portal: Any) -> None:
    today = portal[0].clock.now().date().isoformat()
    code, out, _ = run("rehearse", "--account", "acme", "--since", today)
    assert code == 0
    assert "None did." in out


def test_a_crm_that_does_not_answer_is_not_well(run: Run, portal: Any) -> None:
    portal[0].access.tokens.clear()
    code, _, err = run("rehearse", "--account", "acme", "--since", last_year(portal))
    assert code == 1
    assert "token" in err or "credentials" in err


# --- files ----------------------------------------------------------------------------------------------------------


def rehearsed(**changes: Any) -> Rehearsed:
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    step = PlannedStep(
        key="hello", rule="hello", title=NASTY, body="", owner_id="1", owner_name=NASTY, why="@cmd",
        release_at=at, due_at=at + timedelta(days=2),
    )  # fmt: skip
    base = Rehearsed(
        deal_id="7", deal_name=NASTY, company_name="Ç & Co", ended_at=at, starts_at=at, playbook="saas 1-x",
        lacks=(Lacking(what=Lack.EMAIL, detail=NASTY),), steps=(step,),
    )  # fmt: skip
    return base.model_copy(update=changes)


def rehearsal(*deals: Rehearsed, **changes: Any) -> Rehearsal:
    base = Rehearsal(
        account="acme", crm="HubSpot", since=date(2026, 1, 1), until=date(2026, 6, 30),
        made_at=datetime(2026, 7, 1, 9, tzinfo=UTC), time_zone="Europe/Paris", language="fr", deals=deals,
        urls={"7": "https://crm.example/7"},
    )  # fmt: skip
    return replace(base, **changes)


def test_the_page_stands_alone_escapes_what_came_from_the_crm_and_speaks_the_language() -> None:
    text = as_html(rehearsal(rehearsed()))
    page = html.document_fromstring(text)
    assert page.get("lang") == "fr"
    assert "Simulation" in page.text_content()
    assert NASTY in page.text_content()
    assert page.xpath("//script | //link | //img | //iframe") == []
    assert re.findall(r"(?:src|href)=\"(?!https://crm\.example/7)", text) == []
    assert "@import" not in text
    (step,) = rehearsed().steps
    later = [
        step.model_copy(update={"title": f"in {days}", "due_at": step.due_at + timedelta(days=days)}) for days in (9, 3)
    ]
    loose = step.model_copy(update={"title": "some day", "due_at": None, "release_at": None, "waits_for": "item"})
    ordered = rehearsed(steps=(loose, *later), contract_end=(step.due_at + timedelta(days=5)).date().isoformat())
    rows = html.document_fromstring(as_html(rehearsal(ordered), "en")).xpath("//details//tbody/tr")
    found = [re.search("in 9|in 3|some day|The contract ends", row.text_content())[0] for row in rows]
    assert found == ["in 3", "The contract ends", "in 9", "some day"], "by day, around the contract's end"
    english = as_html(rehearsal(rehearsed()), "en")
    assert "1 offboarding would have opened." in english
    assert "Ç &amp; Co" in english


def test_an_address_that_is_none_is_no_link() -> None:
    page = as_html(rehearsal(rehearsed(), urls={"7": "javascript:alert(1)"}))
    assert "javascript:" not in page


def test_the_table_holds_every_task_and_nothing_that_a_spreadsheet_computes() -> None:
    left_out = rehearsed(deal_id="8", left_out=LeftOut.GONE, steps=(), lacks=())
    rows = list(csv.DictReader(io.StringIO(as_csv(rehearsal(rehearsed(), left_out)).removeprefix("\ufeff"))))
    assert [row["deal_id"] for row in rows] == ["7", "8"]
    assert rows[0]["task"] == f"'{NASTY}"
    assert rows[0]["why"] == "'@cmd"
    assert rows[1]["task"] == ""
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\r=1"])
def test_a_cell_that_looks_like_a_formula_becomes_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_a_file_is_for_its_owner_alone_and_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("older")
    write_file(rehearsal(rehearsed()), path)
    assert json.loads(path.read_text())["summary"]["would_open"] == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["r.json"]


# --- as it was ------------------------------------------------------------------------------------------------------

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_deal_at_a_moment_has_the_values_of_then() -> None:
    past = PastDeal(
        Deal(
            id="1", stage_id="lost", owner_id="c", exit_reason="price",
            stage_history=(
                StageEntry(stage_id="lost", at=T0 + timedelta(days=5)), StageEntry(stage_id="open", at=T0),
            ),
        ),
        People(),
        (
            PastValue(field="owner_id", value="c", at=T0 + timedelta(days=9)),
            PastValue(field="owner_id", value="b", at=T0 + timedelta(days=2)),
            PastValue(field="owner_id", value="a", at=T0),
            PastValue(field="exit_reason", value="price", at=T0 + timedelta(days=8)),
        ),
    )  # fmt: skip
    then = past.at(T0 + timedelta(days=6))
    assert (then.stage_id, then.owner_id, then.past_owner_ids, then.exit_reason) == ("lost", "b", ("a",), None)
    assert past.at(T0 + timedelta(days=20)).exit_reason == "price"
    assert past.next_change(T0 + timedelta(days=5)) == T0 + timedelta(days=8)


def test_a_task_counts_as_open_from_when_it_appears_until_it_is_due() -> None:
    step = PlannedStep(
        key="a", rule="a", title="A", body="", owner_id="u", release_at=T0, due_at=T0 + timedelta(days=3)
    )
    load = Workload()
    load.add([step, step])
    assert load.at(T0 - timedelta(days=1)) == {}
    assert load.at(T0 + timedelta(days=1)) == {"u": 2}
    assert load.at(T0 + timedelta(days=4)) == {}


@pytest.mark.parametrize(
    ("stage", "known", "found"),
    [
        ("1004", ["hs_v2_date_entered_1004"], "hs_v2_date_entered_1004"),
        ("closedlost", ["hs_v2_date_entered_closedlost_2"], "hs_v2_date_entered_closedlost_2"),
        ("ab-12", ["hs_v2_date_entered_ab_12_777"], "hs_v2_date_entered_ab_12_777"),
        ("100", ["hs_v2_date_entered_1004"], None),
    ],
)
def test_the_property_of_a_stage_is_found_by_its_id(stage: str, known: list[str], found: str | None) -> None:
    assert entry_property(stage, known) == found
