"""The post-mortem calls people together, inside the CRM (P-42)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from workflows.records import DealState, Involvement, Part
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
    met.touch("invited.post-mortem.u2", due_at=day + timedelta(days=5))
    moved = [write for write in met.look() if isinstance(write, UpdateTask)]
    dues = {write.task_id: write.due_at and write.due_at.date() for write in moved}
    assert dues[met.step("invited.post-mortem.u1").task_id] == date(2026, 4, 9)
    assert dues[met.step("invited.post-mortem.u2").task_id] is None, "theirs stays, and the note tells them"
    assert all(write.note and "9 April 2026" in write.note for write in moved)
    assert not [write for write in met.look() if isinstance(write, UpdateTask)]


def test_what_is_left_of_invitations_closes_once_the_meeting_was_held(met: Any) -> None:
    met.look()
    met.finish("invited.post-mortem.u1")
    met.finish("post-mortem")
    met.look()
    assert {key: status for key, status in met.statuses().items() if key.startswith("invited")} == {
        "invited.post-mortem.u1": "done",
        "invited.post-mortem.u2": "closed",
        "invited.post-mortem.u4": "closed",
    }


def test_two_meetings_of_a_plan_call_for_themselves(
    met: Any, make_rule: Callable[..., Any], make_book: Callable[..., Any]
) -> None:
    body = {"en": "1. The relation"}
    first = make_rule("post-mortem", due="confirmed+10bd", owner="manager", meeting=True, body=body)
    second = make_rule("review", due="confirmed+20bd", owner="manager", meeting=True, body=body)
    met.playbook = make_book(first, second, make_rule("rest", "confirmed+40bd", "confirmed+41bd"))
    met.look()
    for meeting in ("post-mortem", "review"):
        assert task(met, f"invited.{meeting}.u4").due_at == task(met, meeting).due_at
    for _ in range(3):
        met.now += timedelta(hours=3)
        assert not met.look(), "nobody moved a day"
    met.finish("post-mortem")
    met.look()
    left = {key: status for key, status in met.statuses().items() if key.startswith("invited")}
    assert (left["invited.post-mortem.u4"], left["invited.review.u4"]) == ("closed", "open")


def test_the_invited_come_on_the_day_that_the_holder_has_where_five_is_midnight_in_greenwich(met: Any) -> None:
    home = "America/Los_Angeles"
    met.users = {key: user.model_copy(update={"time_zone": home}) for key, user in met.users.items()}
    met.change_rules(time_zone=home, calendar="US")
    met.now = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
    met.look()
    assert task(met, "post-mortem").due_at.astimezone(UTC).hour == 0
    assert task(met, "invited.post-mortem.u4").due_at.date() == date(2026, 3, 16)
    met.touch("post-mortem", due_at=datetime(2026, 3, 20, 0, 0, tzinfo=UTC))
    met.look()
    assert met.step("invited.post-mortem.u4").due_at.date() == date(2026, 3, 19)


def test_a_day_without_time_is_the_accounts_and_is_told_as_people_write_it_there(met: Any) -> None:
    met.users["u5"] = met.users["u5"].model_copy(update={"time_zone": "America/New_York"})
    met.change_rules(calendar="GB")
    met.look()
    assert "16 March 2026" in task(met, "invited.post-mortem.u4").body
    met.touch("post-mortem", due_at=datetime(2026, 4, 9, tzinfo=PARIS))
    moved = [write for write in met.look() if isinstance(write, UpdateTask)]
    assert {write.due_at and write.due_at.date() for write in moved} == {date(2026, 4, 9)}
    assert all(write.note and "9 April 2026" in write.note for write in moved)


def test_a_day_that_is_on_its_way_to_the_invited_is_not_taken_for_theirs(met: Any) -> None:
    met.look()
    met.touch("post-mortem", due_at=datetime(2026, 4, 9, 9, 0, tzinfo=UTC))
    met.crm_answers = False
    met.look()
    met.touch("post-mortem", due_at=datetime(2026, 4, 10, 9, 0, tzinfo=UTC))
    moved = [write for write in met.look() if isinstance(write, UpdateTask)]
    assert {write.due_at and write.due_at.date() for write in moved} == {date(2026, 4, 10)}
    assert "due date changed" not in [event.what for event in met.events if "invited" in event.data.get("step", "")]


@pytest.mark.row("P-09")
def test_people_are_called_together_anew_when_a_deal_comes_back(met: Any) -> None:
    met.look()
    met.touch("post-mortem", due_at=datetime(2026, 4, 9, 9, 0, tzinfo=UTC))
    met.look()
    met.change(state=DealState.DELETED)
    met.look()
    met.change(state=DealState.LIVE)
    met.now += timedelta(hours=1)
    met.look()
    again = task(met, "invited.post-mortem.u4~2")
    assert met.statuses()["invited.post-mortem.u4"] == "open"
    assert again.due_at.date() == task(met, "post-mortem~2").due_at.date(), "the day of a task that is gone is over"
