"""What a new deal of a former customer tells sales (P-43)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from workflows.qualifying import Former, is_new, told
from workflows.questions import Answer
from workflows.records import Deal, StageEntry
from workflows.returning import Left
from workflows.rules import AccountRules, PeopleRule, WatchRule
from workflows.survey import shipped_questionnaires

pytestmark = pytest.mark.row("P-43")

LEFT_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
LEFT = Left("case-1", "d1", LEFT_AT, date(2026, 6, 30))
RULES = AccountRules(
    account="acme", time_zone="UTC", language="en", calendar="FR", people=PeopleRule(), playbook="saas",
    watch=(WatchRule(pipeline_id="1", not_renewing=frozenset({"lost"}), won=frozenset({"won"})),),
)  # fmt: skip


def deal(stage: str = "first call", began: int = 9, **more: Any) -> Deal:
    at = datetime(2026, began, 1, tzinfo=UTC)
    return Deal(id="d2", company_id="c1", stage_id=stage, stage_history=(StageEntry(stage_id=stage, at=at),), **more)


def test_only_an_open_deal_begun_after_they_left_is_one_to_qualify() -> None:
    assert is_new(RULES, deal(), LEFT)
    assert not is_new(RULES, deal(began=2), LEFT), "it ran before they decided to leave"
    assert not is_new(RULES, deal("won"), LEFT)
    assert not is_new(RULES, deal(), Left("case-1", "d1", LEFT_AT, None, stays_by="d7")), "who remains never left"


def test_the_fit_follows_once_it_is_known_and_nothing_is_said_without_anything_to_say() -> None:
    forms = shipped_questionnaires()
    assert told(Former(LEFT, "Northwind", None, ()), forms, "en") is None
    early = told(Former(LEFT, "Northwind", "Too dear", ()), forms, "en")
    assert early is not None
    assert early.fit is None
    assert "Too dear" in early.body
    assert "until June 30, 2026" in early.body
    assert "has not been said yet" in early.body
    said = Answer(
        case_id="case-1", contact_id=None, questionnaire="postmortem", by="team", language="en", at=LEFT_AT,
        values={"fit": "partly", "fit-told": "They had no one to run it."},
    )  # fmt: skip
    late = told(Former(LEFT, "Northwind", "Too dear", (said,)), forms, "fr")
    assert late is not None
    assert late.fit == "partly"
    assert "En partie" in late.body
    assert "They had no one to run it." in late.body
