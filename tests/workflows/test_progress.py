"""How far a case is, as its deal shows it (P-29)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from workflows.cases import Case, CaseStatus, Step, StepStatus
from workflows.progress import SHOWN, STALE, progress, told_title, untold, waits
from workflows.rules import Anchor, Moment, Phase, Playbook, StepRule

pytestmark = pytest.mark.row("P-29")

DAY = Moment(anchor=Anchor.CONFIRMED)


def rule(key: str, title: str, **more: Any) -> StepRule:
    return StepRule(key=key, due=DAY, release=DAY, owner="csm", title={"en": title}, body={"en": "."}, **more)


PLAYBOOK = Playbook(
    key="p", version="1-a", languages=("en",), title={"en": "P"},
    phases=(
        Phase(key="leave", title={"en": "Leaving"}, steps=(
            rule("letter", "Send the letter"), rule("ask", "Ask {{ contact.name }} why"), rule("bill", "Settle it"),
            rule("word", "A word now and then", lasting=True),
        )),
    ),
)  # fmt: skip


def at(day: int) -> datetime:
    return datetime(2026, 3, day, 16, tzinfo=UTC)


def case(**more: Any) -> Case:
    steps = (
        Step(key="letter", rule="letter", status=StepStatus.OPEN, due_at=at(20)),
        Step(key="ask@c1", rule="ask", contact_id="c1", status=StepStatus.WRITING, due_at=at(10)),
        Step(key="bill", rule="bill", status=StepStatus.DONE),
        Step(key="extra", rule="extra", status=StepStatus.SKIPPED),
        Step(key="word.2", rule="word.2", status=StepStatus.OPEN, due_at=at(1)),
    )
    known: dict[str, Any] = {
        "id": "c", "account": "a", "deal_id": "d", "status": CaseStatus.ACTIVE, "playbook": "p", "language": "en",
        "stage_id": "lost", "entered_at": at(1), "opened_at": at(1), "confirmed_at": at(2), "steps": steps,
    }  # fmt: skip
    return Case(**(known | more))


def test_steps_that_count_are_counted_and_the_first_that_is_due_comes_next() -> None:
    found = progress(case(), PLAYBOOK, UTC)
    assert found is not None
    assert (found.done, found.steps, found.due) == (1, 3, date(2026, 3, 10))
    moved = progress(case(written={"due:ask@c1": at(25).isoformat()}), PLAYBOOK, UTC)
    assert moved is not None
    assert moved.next_step is not None
    assert (moved.next_step.key, moved.due) == ("letter", date(2026, 3, 20)), "the date that people set counts"


def test_nothing_is_next_once_the_case_is_over_and_nothing_is_shown_before_it_began() -> None:
    ended = progress(case(status=CaseStatus.CANCELLED), PLAYBOOK, UTC)
    assert ended is not None
    assert ended.values("x") == {"steps_done": 1, "steps_all": 3, "next_step": None, "next_due": None}
    assert progress(case(confirmed_at=None), PLAYBOOK, UTC) is None


def test_no_customers_name_is_left_on_the_deal() -> None:
    steps = {step.key: step for step in case().steps}
    assert told_title(steps["ask@c1"], "Ask Zoe Hill why", PLAYBOOK, "en") == "Leaving"
    assert told_title(steps["letter"], "Send the letter", PLAYBOOK, "en") == "Send the letter"


def test_what_was_refused_is_told_another_day_and_not_at_once() -> None:
    told = case(written={SHOWN: "d|1/3||", "round": "2"})
    refused = untold(told, ("status", "steps_all"), at(3))
    assert refused.written == {"round": "2", STALE: at(3).isoformat()}
    assert [waits(refused, at(3)), waits(refused, at(4)), waits(told, at(3))] == [True, False, False]
    assert untold(told, ("status",), at(3)) == told, "another write was refused"
