"""What an account's endings teach, counted (P-44, P-45, P-46)."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from workflows.cases import CaseStatus
from workflows.facts import AnswerFacts, CaseFacts, StepFacts, Who
from workflows.figure_tables import BOM, csv_text, safe, tables
from workflows.figures import Figures, Gathering, Scores, Share, category
from workflows.rules import CaseKind

PARIS = ZoneInfo("Europe/Paris")
MARCH = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOW = MARCH + timedelta(days=90)


def case(number: int = 1, **more: Any) -> CaseFacts:
    values: dict[str, Any] = {
        "id": f"c{number}",
        "kind": CaseKind.OFFBOARDING,
        "status": CaseStatus.ACTIVE,
        "outcome": "",
        "playbook": "saas",
        "version": "1-abc",
        "opened_at": MARCH,
        "confirmed_at": MARCH,
        "reason": "Price or value",
    }
    return CaseFacts(**{**values, **more})


def answer(who: Who = Who.CUSTOMER, contact: str | None = "p1", at: datetime = MARCH, **fields: Any) -> AnswerFacts:
    values = {key: fields.pop(key) for key in ("hardest",) if key in fields}
    return AnswerFacts(who, contact, at, fields, values)


def count(*cases: CaseFacts, since: date | None = None, until: date | None = None) -> Figures:
    gathering = Gathering(NOW, PARIS, since, until)
    for one in cases:
        gathering.add(one)
    return gathering.figures()


@pytest.mark.row("P-45")
@pytest.mark.parametrize(("answers", "nps", "percent"), [(9, None, None), (10, -100, 0)])
def test_below_ten_answers_there_are_counts_and_no_percentages(
    answers: int, nps: int | None, percent: int | None
) -> None:
    given = [case(n, asked=1, answered=0, answers=(answer(contact=f"p{n}", exit_score=3),)) for n in range(answers)]
    found = count(*given)
    assert (found.end.answers, found.end.detractors, found.end.nps) == (answers, answers, nps)
    assert (found.responses.of, found.responses.percent) == (answers, percent)
    assert f'"nps":{nps if nps is not None else "null"}' in found.model_dump_json()


@pytest.mark.row("P-45")
def test_money_keeps_its_currency_and_is_never_added_across() -> None:
    found = count(
        case(1, amount=Decimal("1000.50"), currency="EUR"),
        case(2, amount=Decimal(200), currency="USD"),
        case(3, amount=Decimal("9.50"), currency="EUR"),
        case(4, amount=Decimal(7)),
    )
    assert found.worth == {"EUR": Decimal("1010.00"), "USD": Decimal(200), "": Decimal(7)}
    rows = next(table for table in tables(found) if table.name == "worth").rows
    assert [(row[3], row[4]) for row in rows] == [("", 7), ("EUR", Decimal("1010.00")), ("USD", 200)]


@pytest.mark.row("P-44", "P-39")
def test_reasons_are_told_by_month_and_by_who_said_so() -> None:
    found = count(
        case(1, answers=(answer(exit_reason="product_gap"), answer(Who.TEAM, None, exit_reason_team="price"))),
        case(2, opened_at=MARCH + timedelta(days=31), reason="Budget cut", answers=(answer(exit_reason="budget"),)),
        case(3, reason=None),
    )
    told = {(f"{line.month:%m}", line.who.value, line.reason): line.count for line in found.reasons}
    assert told == {
        ("03", "rep", "price"): 1,
        ("03", "customer", "product_gap"): 1,
        ("03", "team", "price"): 1,
        ("03", "rep", "unknown"): 1,
        ("04", "rep", "budget"): 1,
        ("04", "customer", "budget"): 1,
    }
    assert found.agreed == Share(count=1, of=2)


@pytest.mark.row("P-33", "P-44")
def test_a_score_at_the_end_is_set_beside_the_same_persons_first_one() -> None:
    begun = case(
        1,
        kind=CaseKind.BASELINE,
        opened_at=MARCH - timedelta(days=700),
        answers=(answer(start_score=9), answer(contact="p2", start_score=4)),
    )
    ended = case(
        2, answers=(answer(exit_score=3), answer(contact="p2", exit_score=6), answer(contact="p3", exit_score=1))
    )
    found = count(begun, ended, since=date(2026, 1, 1))
    assert [(pair.start, pair.end) for pair in found.pairs] == [(9, 3), (4, 6)]
    assert found.moved == (1, 0, 1)
    assert found.start.answers == 0, "what was answered before the period is not counted in it"
    assert (found.end.answers, found.offboardings) == (3, 1)


@pytest.mark.row("P-44", "P-20")
def test_how_fast_customers_hear_from_us_and_whether_steps_are_on_time() -> None:
    def step(rule: str, due: int, done: int | None, status: str = "done") -> StepFacts:
        at = MARCH + timedelta(days=done) if done is not None else None
        return StepFacts(rule, status, MARCH + timedelta(days=due, hours=3), at)

    steps = (
        step("acknowledge", 1, 1),
        step("survey", 5, 6),
        step("letter", 10, None, "open"),
        step("farewell", 200, None, "open"),
        step("exit-rights", 3, 1, "not_applicable"),
        step("_reason", 1, 9),
    )
    found = count(*(case(n, steps=steps) for n in range(10)))
    assert found.acknowledged_hours == 24.0
    assert found.acknowledged_in_a_day == Share(count=10, of=10)
    assert found.on_time == Share(count=10, of=30), "what is not due yet says nothing, our own asks are no steps"
    assert {line.step: line.not_applicable for line in found.steps if line.not_applicable} == {"exit-rights": 10}


@pytest.mark.row("P-02", "P-56", "P-44")
def test_saves_returns_and_endings_renewed_after_all() -> None:
    talks = {"kind": CaseKind.SAVE, "playbook": "save-plan"}
    found = count(
        case(1, **talks, status=CaseStatus.COMPLETED, outcome="saved"),
        case(2, **talks, status=CaseStatus.CANCELLED, outcome="not_renewing"),
        case(3, **talks),
        case(4, **talks, status=CaseStatus.CANCELLED, outcome="left_stage"),
        case(5, status=CaseStatus.CANCELLED, outcome="renewed"),
        case(6, kind=CaseKind.BASELINE, returned=True),
        case(7, status=CaseStatus.DISMISSED, outcome="renewed"),
    )
    assert found.saves == Share(count=1, of=2)
    assert found.returns == 1
    assert found.taken_back == Share(count=1, of=1)
    assert found.offboardings == 1


@pytest.mark.row("P-46", "P-35")
def test_leaving_is_scored_by_playbook_version_with_the_part_that_was_hardest() -> None:
    found = count(
        case(1, answers=(answer(leaving_score=4, hardest="handover"),)),
        case(2, answers=(answer(leaving_score=6, hardest="survey"),)),
        case(3, answers=(answer(leaving_score=5, hardest="handover"),)),
        case(4, version="2-def", answers=(answer(leaving_score=9),)),
        case(5, version="3-ghi", answers=(replace(answer(leaving_score=10), playbook="saas 2-def"),)),
    )
    first, second = found.leaving
    assert (first.version, first.scores.answers, first.hardest) == ("1-abc", 3, (("handover", 2), ("survey", 1)))
    assert (second.version, second.scores.promoters, second.hardest) == ("2-def", 2, ()), "as it was on that day"


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_a_period_begins_at_midnight_of_the_account(day: date) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=PARIS)
    before, after = midnight - timedelta(seconds=1), midnight
    found = count(case(1, opened_at=before.astimezone(UTC)), case(2, opened_at=after.astimezone(UTC)), since=day)
    assert found.offboardings == 1
    assert count(case(1, opened_at=before), case(2, opened_at=after), until=day).offboardings == 1


def test_a_reason_is_recognised_by_its_words_in_any_language_and_else_left_as_it_is() -> None:
    assert category("  prix ou VALEUR ") == "price"
    assert category("in_house") == "in_house"
    assert category("Moved to the moon") == "Moved to the moon"
    assert category(None) == category("  ") == "unknown"
    assert len(category("x" * 60_000)) == 80


@pytest.mark.parametrize("text", ["=1+1", "+33 1", "-2", "@SUM(A1)", "\t=1", " =1", "＝1+1"])
def test_no_text_becomes_a_formula_in_a_spreadsheet(text: str) -> None:
    assert safe(text) == f"'{text}"
    assert safe("a=1") == "a=1"
    assert safe(-20) == "-20"


@pytest.mark.row("P-44")
@pytest.mark.parametrize(("language", "delimiter"), [("en", ","), ("fr", ";")])
def test_tables_open_in_a_spreadsheet_with_their_accents(language: str, delimiter: str) -> None:
    found = count(case(1, reason='=cmd|"/c calc"!A0', amount=Decimal("12.5"), currency="EUR"))
    written = {table.name: csv_text(table, language) for table in tables(found, language)}
    assert all(text.startswith(BOM) for text in written.values())
    rows = list(csv.reader(written["worth"].removeprefix(BOM).splitlines(), delimiter=delimiter))
    assert rows[1][2] == '\'=cmd|"/c calc"!A0'
    assert rows[1][4] == ("12,5" if language == "fr" else "12.5")
    headers = [header for table in tables(found, language) for header in table.headers]
    assert ("À temps" in headers) == (language == "fr")
    assert all(header and not header.islower() for header in headers), "every header has its words"


def test_nothing_to_count_is_no_trouble() -> None:
    empty = count()
    assert (empty.end.nps, empty.acknowledged_hours, empty.saves.percent) == (None, None, None)
    assert [table.name for table in tables(empty)] == ["summary", "reasons", "worth", "scores", "steps", "leaving"]
    assert Scores().average is None


def test_absurd_answers_are_left_aside() -> None:
    odd = answer(exit_score="ten", exit_reason=("a", "b"), leaving_score=11, hardest=("handover", "survey"))
    found = count(case(1, answers=(odd,)))
    assert found.end.answers == 0
    assert found.leaving[0].hardest == (("handover", 1), ("survey", 1))
