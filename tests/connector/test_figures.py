"""Figures from the database, as a command prints and writes them (P-44, P-45)."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from typer.testing import CliRunner

from connector.cli import app
from connector.figures import gather
from connector.store import Store, cases, intake
from connector.store.door import credit
from connector.store.tables import LinkRow
from workflows.cases import Case, CaseStatus, Step, StepStatus
from workflows.questions import Answer, Option, Question, Questionnaire
from workflows.rules import CaseKind
from workflows.survey import shipped_questionnaires

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
MARCH = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = Store(f"sqlite:///{tmp_path / 'aurevoir.db'}")
    made.upgrade(now=NOW)
    yield made
    made.close()


def case(number: int, **more: Any) -> Case:
    values: dict[str, Any] = {
        "id": f"c{number:05}",
        "account": "acme",
        "deal_id": f"d{number}",
        "status": CaseStatus.ACTIVE,
        "playbook": "saas",
        "playbook_version": "1-a",
        "language": "en",
        "stage_id": "lost",
        "entered_at": MARCH,
        "opened_at": MARCH,
        "confirmed_at": MARCH,
        "reason": "Price",
        "company_id": f"k{number}",
        "written": {"worth": "100.50 EUR"},
        "steps": (
            Step(
                key="acknowledge",
                rule="acknowledge",
                status=StepStatus.DONE,
                due_at=MARCH + timedelta(days=1),
                completed_at=MARCH + timedelta(hours=3),
            ),
        ),
    }
    return Case(**{**values, **more})


def page(number: int, kind: str = "survey", questionnaire: str = "exit") -> LinkRow:
    return LinkRow(
        id=f"{kind}{number}{questionnaire}", account="acme", case_id=f"c{number:05}", kind=kind,
        contact_id=f"p{number}", questionnaire=questionnaire, language="en", made_at=MARCH, closed_at=None,
    )  # fmt: skip


def said(number: int, questionnaire: str = "exit", by: str = "customer", **values: Any) -> Answer:
    return Answer(
        case_id=f"c{number:05}", contact_id=f"p{number}", questionnaire=questionnaire, by=by, language="en",
        at=MARCH + timedelta(days=1), values=values,
    )  # fmt: skip


def fill(store: Store) -> None:
    """Twelve endings with a survey each, five answers, an interview, a return, and another account's."""
    with store.write() as session:
        for number in range(12):
            cases.save(session, case(number))
            intake.keep_link(session, page(number))
        cases.save(session, case(90, account="globex", written={"worth": "7 USD"}))
        cases.save(session, case(91, kind=CaseKind.BASELINE, opened_at=MARCH - timedelta(days=900)))
        intake.keep_link(session, page(91, questionnaire="start"))
        intake.save_answer(session, page(91, questionnaire="start"), said(91, "start", recommend=9))
        for number in range(5):
            intake.save_answer(session, page(number), said(number, recommend=2, reason="price", avoidable="yes"))
        intake.keep_link(session, page(1, "interview", "interview"))
        intake.save_answer(
            session, page(1, "interview", "interview"), said(1, "interview", by="csm", reason="product_gap")
        )
        credit(session, "acme", "d77", "c00003", NOW)


def read(store: Store, **period: Any) -> Any:
    with store.read() as session:
        return gather(session, "acme", shipped_questionnaires(), NOW, PARIS, **period)


@pytest.mark.row("P-44", "P-45", "P-56")
def test_figures_come_from_all_that_the_account_knows(store: Store) -> None:
    fill(store)
    found = read(store)
    assert (found.offboardings, found.returns) == (12, 1)
    assert {key: str(value) for key, value in found.worth.items()} == {"EUR": "1206.00"}
    assert (found.responses.count, found.responses.of, found.responses.percent) == (5, 12, 42)
    assert (found.end.detractors, found.end.nps) == (5, None)
    assert {(line.who.value, line.reason): line.count for line in found.reasons} == {
        ("rep", "price"): 12,
        ("customer", "price"): 5,
        ("interviewer", "product_gap"): 1,
    }
    assert found.acknowledged_hours == 3.0
    assert found.avoidable == {"yes": 5}


@pytest.mark.row("P-16", "P-44")
def test_only_who_was_asked_in_writing_counts_for_the_response_rate_and_the_leaving_counts_apart(store: Store) -> None:
    marks = {
        0: {"mailed:survey@p0": "exit", "mailed:survey-reminder@p0": "exit", "mailed:leaving-survey@p0": "leaving"},
        1: {"phoned:survey@p1": "exit", "phoned:leaving-survey@p1": "leaving"},
        2: {"mailed:survey@p2": "yes"},
    }
    with store.write() as session:
        for number, written in marks.items():
            cases.save(session, case(number, written=written))
            for asked in ("exit", "leaving") if number < 2 else ("exit",):
                intake.keep_link(session, page(number, questionnaire=asked))
        intake.save_answer(session, page(0), said(0, recommend=9, reason="price"))
        for asked, values in (("exit", {"recommend": 2, "reason": "price"}), ("leaving", {"leaving": 3})):
            intake.save_answer(session, page(1, questionnaire=asked), said(1, asked, **values))
    found = read(store)
    assert (found.responses.count, found.responses.of) == (1, 2), "what was asked in a call is no mail that was sent"
    assert (found.leaving_responses.count, found.leaving_responses.of) == (0, 1)
    assert (found.end.answers, found.leaving[0].scores.answers) == (2, 1), "what they said in a call is heard"


def test_a_period_leaves_out_other_endings(store: Store) -> None:
    fill(store)
    assert read(store, since=date(2026, 3, 3)).offboardings == 0
    assert read(store, since=date(2026, 3, 2), until=date(2026, 3, 3)).offboardings == 12
    assert read(store, until=date(2026, 3, 2)).steps[0].done == 1, "that of the first weeks, long before"


def test_a_reason_of_an_admins_own_counts_as_its_category(store: Store) -> None:
    fill(store)
    asked = dict(shipped_questionnaires())
    asked["exit"] = _reworded(asked["exit"])
    with store.write() as session:
        intake.save_answer(session, page(7), said(7, reason="moved-away"))
    with store.read() as session:
        found = gather(session, "acme", asked, NOW, PARIS)
    assert sum(line.count for line in found.reasons if line.reason == "not_needed") == 1


def _reworded(form: Questionnaire) -> Questionnaire:
    own = Option(value="moved-away", text={"en": "Moved away"}, category="not_needed")

    def worded(question: Question) -> Question:
        return question.model_copy(update={"options": (*question.options, own)}) if question.field else question

    sections = tuple(
        section.model_copy(update={"questions": tuple(worded(one) for one in section.questions)})
        for section in form.sections
    )
    return form.model_copy(update={"sections": sections})


def test_hundreds_of_cases_are_read_page_by_page_and_soon(store: Store) -> None:
    with store.write() as session:
        for number in range(600):
            cases.save(session, case(number, opened_at=MARCH + timedelta(hours=2 * number)))
    began = time.perf_counter()
    found = read(store)
    assert found.offboardings == 600
    assert len({line.month for line in found.reasons}) == 2
    assert time.perf_counter() - began < 5


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Callable[..., Any]:
    """The command on a filled database."""
    fill(store)
    account = {"crm": "hubspot", "account_id": "4242", "calendar": "FR", "access_token": "t", "client_secret": "s" * 20}
    settings = {
        "server": {"listen": "127.0.0.1:0", "public_url": "https://goodbye.example.com"},
        "database_url": f"sqlite:///{tmp_path / 'aurevoir.db'}",
        "secret_key": "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-figures",
        "accounts": {"acme": account | {"watch": [{"not_renewing": ["x"]}]}},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    path.chmod(0o600)
    return lambda *words: CliRunner().invoke(app, ["figures", "--config", str(path), *words])


def test_scripts_get_numbers(run: Callable[..., Any]) -> None:
    ran = run("--json", "--since", "2026-01-01")
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)["acme"]
    assert told["responses"] == {"count": 5, "of": 12, "percent": 42}
    assert told["end"]["nps"] is None


def test_people_get_tables(run: Callable[..., Any]) -> None:
    ran = run()
    assert ran.exit_code == 0, ran.output
    assert "Reasons over time" in ran.stdout
    assert "Below 10 answers there are counts and no percentages." in ran.stdout


def test_an_installation_without_accounts_says_so(run: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"accounts": {}}), encoding="utf-8")
    ran = run()
    assert (ran.exit_code, ran.stdout.strip()) == (0, "No account is set up yet, so there are no figures.")


@pytest.mark.row("P-44")
def test_spreadsheets_get_files(run: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "out" / "csv"
    ran = run("--csv", str(folder), "--language", "fr")
    assert ran.exit_code == 0, ran.output
    raw = (folder / "reasons.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(raw.decode("utf-8-sig").splitlines(), delimiter=";"))
    assert rows[0] == ["Mois", "Qui l’a dit", "Motif", "Fois"]
    assert ["2026-03", "Client", "Prix ou valeur", "5"] in rows


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("--since", "yesterday"), "write it as 2026-01-31"),
        (("--since", "2026-02-01", "--until", "2026-02-01"), "later than --since"),
        (("--account", "nobody"), "there is no account"),
        (("--csv", "/proc/nowhere"), "cannot be written"),
    ],
)
def test_wrong_use_is_told_with_its_cure(run: Callable[..., Any], words: tuple[str, ...], cure: str) -> None:
    ran = run(*words)
    assert ran.exit_code == 2
    assert cure in " ".join(ran.output.replace("│", " ").split())
