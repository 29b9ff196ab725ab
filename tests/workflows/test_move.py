"""A running case moves to another version of its playbook, and people see what that changes (P-77)."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.cases import CaseStatus
from workflows.move import move, obstacle
from workflows.rules import CaseKind


@pytest.fixture
def running(world: Any, make_rule: Any, make_book: Any) -> Any:
    world.playbook = make_book(
        make_rule("thank"), make_rule("old-way", "confirmed+20bd", "confirmed+22bd"), make_rule("paper")
    )
    world.enter("lost")
    world.look()
    world.wait(days=14)
    return world


def to(world: Any, make_book: Any, *rules: Any, **more: Any) -> Any:
    new = make_book(*rules).model_copy(update={"version": "2-def"})
    moved = move(world.case, world.playbook, new, world.rules, world.now, **more)
    world.cases[-1] = moved.case
    world.playbook = new
    return moved


@pytest.mark.row("P-77")
def test_new_steps_come_removed_ones_go_and_tasks_stay(
    running: Any, make_rule: Any, make_book: Any, fields_of: Any
) -> None:
    moved = to(running, make_book, make_rule("thank"), make_rule("soon", "confirmed+15bd", "confirmed+18bd"))
    assert (moved.added, moved.removed, moved.kept, moved.past) == (("soon",), ("old-way",), ("paper",), ())
    assert {(change.kind, change.step) for change in moved.differences} == {
        ("added", "soon"),
        ("removed", "old-way"),
        ("removed", "paper"),
    }
    shown = fields_of(running.look())
    assert shown["deal:d1"]["playbook"] == "test 2-def"
    assert running.statuses() == {"thank": "open", "paper": "open", "old-way": "skipped", "soon": "waiting"}
    running.wait(days=10)
    assert running.statuses()["soon"] == "open"
    assert [key for key in running.made if key.endswith("old-way")] == []
    for step in ("thank", "paper", "soon"):
        running.finish(step)
    running.look()
    assert running.case.status == "completed"


@pytest.mark.row("P-77")
@pytest.mark.parametrize("wanted", [False, True])
def test_what_should_have_come_long_ago_is_made_up_for_only_where_that_is_wanted(
    running: Any, make_rule: Any, make_book: Any, wanted: bool
) -> None:
    rules = (make_rule("thank"), make_rule("paper"), make_rule("missed"))
    moved = to(running, make_book, *rules, with_past=wanted)
    assert (moved.added, moved.past) == ((("missed",), ()) if wanted else ((), ("missed",)))
    running.look()
    assert running.statuses()["missed"] == ("open" if wanted else "skipped")


@pytest.mark.row("P-77")
def test_waiting_steps_follow_the_dates_of_the_new_version(running: Any, make_rule: Any, make_book: Any) -> None:
    to(
        running,
        make_book,
        make_rule("thank"),
        make_rule("paper"),
        make_rule("old-way", "confirmed+11bd", "confirmed+12bd"),
    )
    running.look()
    running.wait(days=4)
    assert running.statuses()["old-way"] == "open"


@pytest.mark.row("P-77")
def test_moving_back_and_forth_makes_nothing_twice(running: Any, make_rule: Any, make_book: Any) -> None:
    first = running.playbook
    to(running, make_book, make_rule("thank"))
    running.look()
    moved = move(running.case, running.playbook, first, running.rules, running.now)
    assert moved.added == ()
    assert [step.key for step in moved.case.steps] == ["thank", "old-way", "paper"]


@pytest.mark.row("P-77")
def test_what_cannot_be_moved_says_why(running: Any, world: Any, make_book: Any, make_rule: Any) -> None:
    same = running.playbook
    assert "already" in str(obstacle(running.case, same, same))
    other = make_book(make_rule("x")).model_copy(update={"kind": CaseKind.SAVE, "version": "9"})
    assert "of the kind save" in str(obstacle(running.case, same, other))
    settling = running.case.model_copy(update={"status": CaseStatus.SETTLING})
    assert "newest version anyway" in str(obstacle(settling, same, other))
