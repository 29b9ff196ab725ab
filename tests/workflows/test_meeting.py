"""The post-mortem calls people together, inside the CRM (P-42)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from workflows.records import Involvement, Part
from workflows.rules import Department, DigestRule
from workflows.writes import CreateTask, UpdateTask

pytestmark = pytest.mark.row("P-42")

PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def met(world: Any, make_rule: Callable[..., Any], make_book: Callable[..., Any]) -> Any:
    """A case whose post-mortem was announced: Eve holds it, the deal is Ana's, the account Ben's, Dan had a call."""
    body = {"en": "1. The relation\n{{ learned.said }}"}
    meeting = make_rule("post-mortem", due="confirmed+10bd", owner="manager", meeting=True, body=body)
    world.playbook = make_book(meeting, make_rule("rest", "confirmed+40bd", "confirmed+41bd"))
    world.involved = (Involvement(user_id="u4", part=Part.CALL),)
    world.enter("lost")
    return world


def task(world: Any, step: str) -> CreateTask:
    made: CreateTask = world.made[f"case-1:{step}"]
    return made


def test_who_worked_on_the_account_sales_and_a_director_are_invited_by_name(met: Any) -> None:
    met.rules = met.rules.model_copy(
        update={
            "people": met.rules.people.model_copy(update={"director": "u3"}),
            "digest": DigestRule(owners={Department.SALES: "u2"}),
        }
    )
    met.look()
    held = task(met, "post-mortem").body
    for line in ("Chloé (director), u3@example.com", "Ben (sales)", "Ana (owns the deal)", "Dan (called the customer"):
        assert line in held, held
    assert "Eve" not in held.partition("Invited")[2], "who holds it invites the others"
    invited = {key: one for key, one in met.made.items() if ".u" in key}
    assert {one.owner_id for one in invited.values()} == {"u1", "u2", "u3", "u4"}
    for one in invited.values():
        assert one.due_at.date() == task(met, "post-mortem").due_at.date()
        assert "1. The relation" in one.body
        assert "Eve holds a meeting" in one.body
    assert met.reads.count("involved") == 1


def test_without_names_in_the_settings_the_seller_speaks_for_sales_and_the_lack_is_said(met: Any) -> None:
    met.look()
    held = task(met, "post-mortem").body
    assert "Ana (owns the deal, for sales)" in held
    assert "people.director" in held


def test_a_moved_day_moves_the_invited_unless_they_chose_their_own(met: Any) -> None:
    met.look()
    day = datetime(2026, 4, 9, 11, 0, tzinfo=PARIS)
    met.touch("post-mortem", due_at=day)
    met.touch("invited.u2", due_at=day + timedelta(days=5))
    moved = [write for write in met.look() if isinstance(write, UpdateTask)]
    dues = {write.task_id: write.due_at and write.due_at.date() for write in moved}
    assert dues[met.step("invited.u1").task_id] == date(2026, 4, 9)
    assert dues[met.step("invited.u2").task_id] is None, "theirs stays, and the note tells them"
    assert all(write.note and "April 9, 2026" in write.note for write in moved)
    assert not [write for write in met.look() if isinstance(write, UpdateTask)]


def test_what_is_left_of_invitations_closes_once_the_meeting_was_held(met: Any) -> None:
    met.look()
    met.finish("invited.u1")
    met.finish("post-mortem")
    met.look()
    assert {key: status for key, status in met.statuses().items() if key.startswith("invited")} == {
        "invited.u1": "done",
        "invited.u2": "closed",
        "invited.u4": "closed",
    }
