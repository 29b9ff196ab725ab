"""What people do to tasks in the CRM, and what that means for the plan (P-13, P-2E, P-7B)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from workflows.loop import not_applicable, same_due
from workflows.records import TaskState, User
from workflows.writes import CreateTask, UpdateTask


def made(world: Any, step: str) -> CreateTask:
    return next(task for key, task in world.made.items() if key.endswith(f":{step}"))


def closed(writes: Any) -> list[str]:
    return [write.task_id for write in writes if isinstance(write, UpdateTask) and write.close]


@pytest.fixture
def handover(world: Any, make_rule: Any, make_book: Any) -> Any:
    """A receipt to ask for, a reminder three business days after it was due, and an escalation two days later."""
    world.playbook = make_book(
        make_rule("receipt", due="confirmed+2bd"),
        make_rule("remind", "overdue:receipt+3bd", "overdue:receipt+4bd"),
        make_rule("escalate", "overdue:receipt+5bd", "overdue:receipt+6bd", owner="manager"),
    )
    world.sees_tasks = False  # a look reads tasks only where it must
    world.enter("lost")
    world.look()
    return world


# --- not applicable -------------------------------------------------------------------------------------------------


@pytest.mark.row("P-2E")
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"deferred": True}, ""),
        ({"deferred": True, "text": "Do.\nNot applicable because they keep the data."}, "they keep the data"),
        ({"done": True, "text": "Do this.\n\nNot applicable: nothing was delivered"}, "nothing was delivered"),
        ({"done": True, "text": "Faites ceci.\nSans objet car aucun accès n’existe"}, "aucun accès n’existe"),
        ({"done": True, "text": "Sans objet parce qu’aucun accès n’existe"}, "aucun accès n’existe"),
        ({"done": True, "text": "N/A - no logins"}, "no logins"),
        ({"done": True, "text": "Not applicable"}, ""),
        ({"done": True, "text": "Write “not applicable because …” if there is nothing to do."}, None),
        ({"done": True, "text": "Done, all well"}, None),
        ({"text": "Not applicable because …"}, None),
        ({"done": True, "text": "x" * 30_000 + "\n" + "n/a " * 5_000}, "/a n"),
    ],
)  # fmt: skip
def test_people_say_on_the_task_that_a_step_is_not_applicable(state: dict[str, Any], reason: str | None) -> None:
    said = not_applicable(TaskState(id="t1", **state))
    assert said == reason or (said and reason and reason in said)
    assert said is None or len(said) <= 500


@pytest.mark.row("P-2E")
def test_a_step_that_is_not_applicable_is_kept_as_such_with_its_reason(
    world: Any, make_rule: Any, make_book: Any
) -> None:
    world.playbook = make_book(make_rule("logins"), make_rule("then", "step:logins", "step:logins+2bd"))
    world.enter("lost")
    world.look()
    world.touch("logins", deferred=True, text="Please do logins.\nNot applicable because they never had any")
    world.look()
    step = world.step("logins")
    assert (step.status, step.reason) == ("not_applicable", "they never had any")
    assert ("not applicable", "they never had any") in [(event.what, event.detail) for event in world.events]
    assert world.statuses()["then"] == "open", "nobody said that the rest is not wanted"
    world.touch("logins", deferred=False, text="")
    world.look()
    assert (world.step("logins").status, world.step("logins").reason) == ("open", "")


@pytest.mark.row("P-2E", "P-29")
def test_a_case_is_complete_when_the_rest_is_not_applicable(world: Any, make_rule: Any, make_book: Any) -> None:
    world.playbook = make_book(make_rule("a"), make_rule("b"))
    world.enter("lost")
    world.look()
    world.finish("a")
    world.touch("b", deferred=True)
    world.look()
    assert world.case.status == "completed"
    assert world.statuses() == {"a": "done", "b": "not_applicable"}


# --- overdue --------------------------------------------------------------------------------------------------------


@pytest.mark.row("P-13")
def test_an_open_task_is_reminded_of_after_three_business_days_and_escalated_after_five(handover: Any) -> None:
    assert set(handover.made) == {"case-1:receipt"}
    handover.wait(days=5)  # due on Wednesday 4 March; until Saturday nothing
    assert set(handover.made) == {"case-1:receipt"}
    handover.wait(days=3)
    assert handover.made["case-1:remind"].owner_id == "u1"
    assert "case-1:escalate" not in handover.made
    handover.wait(days=3)
    assert handover.made["case-1:escalate"].owner_id == "u5"
    assert handover.made["case-1:escalate"].due_at.date() == date(2026, 3, 12)


@pytest.mark.row("P-13")
def test_what_is_done_in_time_is_never_escalated_and_holds_up_no_case(handover: Any) -> None:
    handover.finish("receipt")  # nobody tells us: the look at the reminder's moment finds out
    handover.wait(days=30)
    assert set(handover.made) == {"case-1:receipt"}
    assert handover.case.status == "completed"
    assert handover.statuses() == {"receipt": "done", "remind": "skipped", "escalate": "skipped"}


@pytest.mark.row("P-13")
def test_a_reminder_is_taken_back_once_what_it_was_about_is_done(handover: Any) -> None:
    handover.wait(days=8)
    assert "case-1:remind" in handover.made
    handover.finish("receipt")
    handover.sees_tasks = True
    writes = handover.look()
    assert closed(writes) == [handover.step("remind").task_id]
    assert handover.case.status == "completed"


@pytest.mark.row("P-13", "P-7B")
def test_a_due_date_that_people_moved_counts_for_what_is_overdue(handover: Any) -> None:
    handover.touch("receipt", due_at=datetime(2026, 3, 18, 16, 0, tzinfo=UTC))
    handover.sees_tasks = True
    handover.look()
    handover.sees_tasks = False
    handover.wait(days=16)
    assert set(handover.made) == {"case-1:receipt"}
    handover.wait(days=7)
    assert "case-1:remind" in handover.made


@pytest.mark.row("P-13")
def test_watching_costs_a_read_of_tasks_only_when_the_moment_comes(handover: Any) -> None:
    handover.reads.clear()
    handover.wait(days=5)
    assert handover.reads == []
    handover.wait(days=3)
    assert handover.reads.count("tasks") == 1


@pytest.mark.row("P-13")
def test_a_task_that_was_deleted_or_left_out_is_watched_no_more(handover: Any) -> None:
    task_id = handover.step("receipt").task_id
    handover.tasks[task_id] = TaskState(id=task_id, found=False)
    handover.wait(days=30)
    assert handover.statuses() == {"receipt": "deleted", "remind": "skipped", "escalate": "skipped"}


# --- given on, and dates in every zone --------------------------------------------------------------------------------


@pytest.mark.row("P-7B", "P-10")
def test_whom_people_gave_the_conversation_to_gets_what_follows_too(world: Any, make_rule: Any, make_book: Any) -> None:
    world.playbook = make_book(
        make_rule("talk", owner="neutral"), make_rule("check", "confirmed+5bd", "confirmed+6bd", owner="neutral")
    )
    world.enter("lost")
    world.look()
    assert made(world, "talk").owner_id == "u3"
    world.touch("talk", owner_id="u2")
    world.look()
    world.wait(days=10)
    assert made(world, "check").owner_id == "u2"
    assert "gave them" in made(world, "check").body


@pytest.mark.row("P-7B")
@pytest.mark.parametrize("name", ["America/Los_Angeles", "America/Denver", "Pacific/Auckland", "Asia/Kolkata", "UTC"])
def test_our_own_due_date_is_not_taken_for_a_persons_wherever_its_owner_is(
    world: Any, make_rule: Any, make_book: Any, name: str
) -> None:
    world.users["u1"] = User(id="u1", name="Ana", email="u1@example.com", time_zone=name)
    world.playbook = make_book(make_rule("thank"))
    world.enter("lost")
    world.look()
    ours = made(world, "thank").due_at
    stored = world.step("thank").due_at.astimezone(UTC)  # as the database gives it back
    world.cases[-1] = world.case.model_copy(
        update={"steps": (world.step("thank").model_copy(update={"due_at": stored}),)}
    )
    only_the_day = datetime.combine(ours.date(), datetime.min.time(), ZoneInfo("Europe/Paris"))
    for seen in (ours.astimezone(UTC), only_the_day):
        world.touch("thank", due_at=seen)
        world.look()
    assert "due date changed" not in world.happened()
    world.touch("thank", due_at=only_the_day + timedelta(days=1))
    world.look()
    assert world.happened().count("due date changed") == 1


def test_a_person_who_puts_the_date_back_leaves_no_trace_of_the_change(
    world: Any, make_rule: Any, make_book: Any
) -> None:
    world.playbook = make_book(make_rule("thank"))
    world.enter("lost")
    world.look()
    ours = made(world, "thank").due_at
    world.touch("thank", due_at=ours + timedelta(days=3), owner_id="u2")
    world.look()
    world.touch("thank", due_at=ours, owner_id="u1")
    world.look()
    assert not [name for name in world.case.written if name.startswith(("due:", "owner:"))]


def test_a_task_without_a_date_is_not_ours() -> None:
    assert not same_due(None, datetime(2026, 3, 3, 16, tzinfo=UTC))
