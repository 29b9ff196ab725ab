"""What departments are told of the words of leavers (P-40)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from workflows.digest import CONCERNS, MOST_REMARKS, Said, departments_of, digests, period
from workflows.fields import REASON_OPTIONS
from workflows.questions import Answer, Question, Questionnaire, QuestionType, Section
from workflows.rules import Department, DigestRule, LinkKind
from workflows.survey import shipped_questionnaires

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
EXIT = shipped_questionnaires()["exit"]
INTERVIEW = shipped_questionnaires()["interview"]


def said(number: int = 1, form: Questionnaire = EXIT, by: str = "customer", **values: Any) -> Said:
    given = {key.replace("_", "-"): value for key, value in values.items()}
    at = AT + timedelta(hours=number)
    answer = Answer(
        case_id=f"c{number}", contact_id=None, questionnaire=form.key, by=by, language="en", at=at, values=given
    )
    return Said(answer, form, f"d{number}", f"Hotel {number}", f"https://crm.example.com/d{number}")


def told(*each: Said, language: str = "en") -> dict[str, str]:
    return {one.department.value: one.body for one in digests(each, date(2026, 2, 23), language)}


@pytest.mark.row("P-40")
def test_each_word_goes_to_whom_it_concerns() -> None:
    found = told(
        said(1, reason="price", missing="An export to Excel", communication="Answer the phone"),
        said(2, form=INTERVIEW, by="csm", reason="product_gap", price="Too dear for what we used"),
    )
    assert found.keys() == {"product", "sales", "finance", "operations"}
    assert "Hotel 1: “An export to Excel”" in found["product"]
    assert "Something missing in the product: 1" in found["product"]
    assert "Price or value: 1" in found["sales"]
    assert "Hotel 2 (in the exit conversation): “Too dear for what we used”" in found["finance"]
    assert "Answer the phone" in found["operations"]
    assert "export" not in found["operations"] + found["finance"] + found["sales"]


@pytest.mark.row("P-40")
def test_where_nobody_said_anything_there_is_no_digest() -> None:
    assert told() == {}
    assert told(said(1, recommend=9)) == {}, "a score alone concerns everybody, and is in the figures"
    assert told(said(1, reason="price", missing="")).keys() == {"sales", "finance"}


@pytest.mark.row("P-45", "P-40")
def test_counts_come_without_percentages_below_ten() -> None:
    few = told(*(said(n, reason="price", training=2) for n in range(9)))
    assert "- Price or value: 9\n" in few["sales"]
    assert "2, 2, 2, 2, 2, 2, 2, 2, 2 (of 5)" in few["success"]
    many = told(*(said(n, reason="price" if n else "budget", training=2 + n % 2) for n in range(10)))
    assert "- Price or value: 9 (90 %)" in many["sales"]
    assert "2.5 of 5 on average, 10 answers" in many["success"]


def test_it_hangs_on_the_newest_deal_in_it_and_links_to_all() -> None:
    [one] = [
        each
        for each in digests([said(3, missing="b"), said(1, missing="a"), said(9, goals="no")], date(2026, 2, 23), "en")
        if each.department is Department.PRODUCT
    ]
    assert one.deal_id == "d3"
    assert one.title == "What leavers told us, for product: 2 answers"
    assert one.body.count("https://crm.example.com/d1") == 1
    assert one.body.endswith("- Hotel 1 https://crm.example.com/d1\n- Hotel 3 https://crm.example.com/d3")


def test_long_and_many_remarks_stay_short() -> None:
    found = told(*(said(n, missing=f"{n} <b>=1+1</b> " + "x" * 60_000) for n in range(MOST_REMARKS + 5)))
    assert "And 5 more remarks" in found["product"]
    assert len(found["product"]) < 20_000
    assert "34 <b>" in found["product"], "the newest are shown"


def test_it_speaks_french() -> None:
    found = told(said(1, reason="price", missing="Un export"), language="fr")
    assert "Ce qui est arrivé depuis le 23 février 2026 et concerne : le produit." in found["product"]
    assert "- Prix ou valeur : 1" in found["finance"]
    assert "« Un export »" in found["product"]


def test_the_questionnaire_may_say_whom_an_answer_concerns() -> None:
    question = Question(key="price", type=QuestionType.TEXT, text={"en": "?"}, department=Department.PRODUCT)
    assert departments_of(question, "x") == (Department.PRODUCT,)
    form = Questionnaire(
        key="own",
        version="1",
        kind=LinkKind.SURVEY,
        languages=("en",),
        title={"en": "T"},
        intro={"en": "I"},
        thanks={"en": "T"},
        sections=(Section(key="s", title={"en": "S"}, questions=(question,)),),
    )
    assert told(said(1, form=form, price="Hm")).keys() == {"product"}


def test_every_reason_concerns_somebody() -> None:
    assert CONCERNS.keys() == {option.value for option in REASON_OPTIONS}
    assert set().union(*CONCERNS.values()) == set(Department)


@pytest.mark.parametrize(
    ("rule", "today", "name"),
    [
        (DigestRule(), date(2026, 3, 2), "2026-W10"),
        (DigestRule(), date(2026, 3, 8), "2026-W10"),
        (DigestRule(), date(2026, 3, 9), "2026-W11"),
        (DigestRule(weekday=4), date(2026, 3, 5), "2026-W09"),
        (DigestRule(weekday=4), date(2026, 3, 6), "2026-W10"),
        (DigestRule(), date(2027, 1, 1), "2026-W53"),
        (DigestRule(every="monthly"), date(2026, 3, 1), "2026-02"),
        (DigestRule(every="monthly"), date(2026, 3, 2), "2026-03"),
        (DigestRule(every="monthly", weekday=6), date(2026, 1, 3), "2025-12"),
    ],
)
def test_a_digest_is_due_from_its_day_on(rule: DigestRule, today: date, name: str) -> None:
    assert period(rule, today) == name
