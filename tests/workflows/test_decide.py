"""When a case begins, goes on and ends: the stories of P-01 to P-09."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from workflows.cases import Case, CaseStatus, StepStatus
from workflows.decide import cancel, record
from workflows.ending import TAKEN_OUT
from workflows.questions import Answer
from workflows.records import DealState, StageEntry
from workflows.writes import CreateNote, CreateTask, UpdateTask

World = Any


def tasks(writes: tuple[Any, ...]) -> list[CreateTask]:
    return [write for write in writes if isinstance(write, CreateTask)]


def changes(writes: tuple[Any, ...]) -> list[UpdateTask]:
    return [write for write in writes if isinstance(write, UpdateTask)]


# --- P-01 concluded, not hinted -------------------------------------------------------------------------------------


@pytest.mark.row("P-01")
@pytest.mark.parametrize("stage", ["talks", "won", "unheard-of", ""])
def test_only_a_concluded_ending_opens_a_case(world: World, stage: str) -> None:
    world.enter(stage)
    assert world.look() == ()
    assert world.cases == []
    assert world.reads == []


@pytest.mark.row("P-01")
def test_an_ending_lays_out_the_plan_and_shows_it_on_the_deal(world: World, fields_of: Any) -> None:
    world.enter("lost")
    writes = world.look()
    assert [task.key for task in tasks(writes)] == ["case-1:thank"]
    shown = {"case_id": "case-1", "status": "active", "playbook": "test 1-abc", "quiet": True}
    assert fields_of(writes) == {"deal:d1": shown}
    assert len(writes) == 2, "one write on the deal, however many tasks"
    assert world.statuses() == {"thank": "open", "survey": "waiting"}


def test_a_look_that_changes_nothing_needs_no_people_and_writes_nothing(world: World) -> None:
    world.enter("lost")
    world.look()
    world.reads.clear()
    world.sees_tasks = False
    for _ in range(3):
        assert world.look() == ()
    assert world.reads == []


@pytest.mark.row("P-01")
def test_a_pipeline_that_is_not_watched_opens_nothing(world: World) -> None:
    world.change(pipeline_id="new business")
    world.enter("lost")
    assert world.look() == ()
    assert world.cases == []


def test_a_rule_without_pipeline_watches_them_all(world: World) -> None:
    world.change_rules(pipeline_id=None)
    world.change(pipeline_id="whatever")
    world.enter("lost")
    assert tasks(world.look())


# --- P-03 settle time -----------------------------------------------------------------------------------------------


@pytest.mark.row("P-03")
def test_nothing_is_written_until_the_stage_has_held(world: World) -> None:
    world.change_rules(settle_for=timedelta(hours=24))
    world.enter("lost")
    assert world.look() == ()
    assert world.case.status is CaseStatus.SETTLING
    assert world.last_decision.next_look == world.now + timedelta(hours=24)
    assert world.reads == [], "a case that settles needs no people"
    world.wait(hours=23)
    assert world.case.status is CaseStatus.SETTLING
    world.wait(hours=1)
    assert world.case.status is CaseStatus.ACTIVE


@pytest.mark.row("P-03")
def test_a_misclick_leaves_no_trace_in_the_crm(world: World) -> None:
    world.change_rules(settle_for=timedelta(hours=24))
    world.enter("lost")
    world.look()
    world.wait(hours=2)
    world.enter("talks")
    assert world.look() == ()
    assert world.case.status is CaseStatus.DISMISSED
    assert world.made == {}


@pytest.mark.row("P-03")
def test_the_settle_time_counts_from_the_entry_even_when_we_look_late(world: World) -> None:
    world.change_rules(settle_for=timedelta(hours=24))
    world.enter("lost")
    world.now += timedelta(hours=30)
    world.look()
    assert world.case.status is CaseStatus.ACTIVE


@pytest.mark.row("P-03")
def test_a_bounce_between_two_looks_starts_the_settling_anew(world: World) -> None:
    world.change_rules(settle_for=timedelta(hours=24))
    world.enter("lost")
    world.look()
    world.now += timedelta(hours=10)
    world.enter("talks")
    world.now += timedelta(hours=1)
    world.enter("lost")
    world.look()
    assert world.last_decision.next_look == world.now + timedelta(hours=24)


@pytest.mark.row("P-03")
@pytest.mark.parametrize("whole_history", [True, False])
def test_moving_on_between_two_not_renewing_stages_does_not_restart_the_settling(
    world: World, whole_history: bool
) -> None:
    world.change_rules(settle_for=timedelta(hours=24))
    world.enter("lost")
    entered = world.now
    world.look()
    world.now += timedelta(hours=10)
    world.enter("churned")
    if not whole_history:
        world.change(stage_history=world.deal.stage_history[:1])
    world.look()
    assert world.last_decision.next_look == entered + timedelta(hours=24)


@pytest.mark.row("P-03")
def test_without_any_history_the_settling_begins_now_and_ends(world: World) -> None:
    world.change_rules(settle_for=timedelta(hours=24))
    world.change(stage_id="lost", stage_history=())
    world.look()
    assert world.last_decision.next_look == world.now + timedelta(hours=24)
    world.wait(hours=24)
    assert world.case.status is CaseStatus.ACTIVE


@pytest.mark.parametrize(("amount", "opens"), [("1200", True), ("0", False), (None, False)])
def test_only_if_decides_what_is_worth_an_offboarding(world: World, amount: Any, opens: bool) -> None:
    world.change_rules(only_if="deal.amount > 0")
    world.change(amount=amount and type(world.deal.amount)(amount))
    world.enter("lost")
    world.look()
    assert bool(world.cases) is opens


def test_a_condition_that_stops_holding_while_the_stage_settles_dismisses_and_may_hold_again(world: World) -> None:
    world.change_rules(settle_for=timedelta(hours=24), only_if="deal.amount > 0")
    world.enter("lost")
    world.look()
    amount = world.deal.amount
    world.change(amount=None)
    world.wait(hours=24)
    assert world.case.status is CaseStatus.DISMISSED
    world.change(amount=amount)
    world.look()
    assert world.case.status is CaseStatus.ACTIVE
    assert world.case.number == 2


@pytest.mark.row("P-71")
def test_endings_before_the_switch_on_open_nothing_unless_asked(world: World) -> None:
    world.enter("lost")
    world.now += timedelta(days=3)
    world.change_rules(starts_at=world.now - timedelta(days=1))
    world.look()
    assert world.cases == []
    world.asked = True
    world.look()
    assert world.case.status is CaseStatus.ACTIVE


@pytest.mark.row("P-72")
def test_who_asks_for_a_deal_that_is_not_ending_hears_why_nothing_opens(world: World) -> None:
    world.enter("talks")
    world.asked = True
    world.look()
    assert "not-renewing" in world.events[-1].detail


# --- P-04 confirmed reason ------------------------------------------------------------------------------------------


@pytest.mark.row("P-04")
def test_a_missing_reason_is_asked_for_once_and_the_plan_waits_for_it(world: World, fields_of: Any) -> None:
    world.change_rules(asks_reason=True)
    world.enter("lost")
    writes = world.look()
    (task,) = tasks(writes)
    assert task.owner_id == "u1"
    assert task.subject.startswith("Why is Hotel Aurora leaving?")
    assert "7 March 2026" in task.body or "March 7, 2026" in task.body
    assert fields_of(writes)["deal:d1"]["status"] == "awaiting_reason"
    assert world.look() == ()
    world.change(exit_reason="price")
    writes = world.look()
    assert [task.key for task in tasks(writes)] == ["case-1:thank"]
    (close,) = changes(writes)
    assert close.close
    assert "Thank you" in (close.note or "")
    assert fields_of(writes)["deal:d1"]["status"] == "active"
    assert world.case.reason == "price"


@pytest.mark.row("P-04")
def test_after_the_wait_the_plan_starts_with_the_reason_unknown_and_still_takes_it_later(
    world: World, fields_of: Any
) -> None:
    world.change_rules(asks_reason=True, reason_wait=timedelta(days=5))
    world.enter("lost")
    world.look()
    world.wait(days=4)
    assert world.case.status is CaseStatus.AWAITING_REASON
    world.now += timedelta(days=1)
    shown = fields_of(world.look())["deal:d1"]
    assert (shown["status"], shown["reason_unknown"]) == ("active", True), "one write says both"
    assert world.case.status is CaseStatus.ACTIVE
    assert world.case.reason == "unknown"
    assert world.step("_reason").status is StepStatus.OPEN
    world.change(exit_reason="price")
    writes = world.look()
    assert changes(writes)
    assert fields_of(writes)["deal:d1"]["reason_unknown"] is False
    assert world.case.reason == "price"
    assert world.step("_reason").status is StepStatus.CLOSED


@pytest.mark.row("P-04")
def test_without_patience_the_plan_starts_at_once_and_the_reason_is_asked_for_beside_it(world: World) -> None:
    world.change_rules(asks_reason=True, reason_wait=timedelta(0))
    world.enter("lost")
    assert {task.key for task in tasks(world.look())} == {"case-1:_reason", "case-1:thank"}


@pytest.mark.row("P-04")
def test_a_reason_that_is_there_or_not_wanted_is_not_asked_for(world: World) -> None:
    world.change_rules(asks_reason=True)
    world.change(exit_reason=" budget ")
    world.enter("lost")
    assert [task.key for task in tasks(world.look())] == ["case-1:thank"]
    assert world.case.reason == "budget"


@pytest.mark.row("P-04")
def test_the_question_for_the_reason_is_in_the_accounts_language(world: World) -> None:
    world.change_rules(asks_reason=True, language="fr")
    world.enter("lost")
    (task,) = tasks(world.look())
    assert task.subject.startswith("Pourquoi ce départ")
    assert "7 mars 2026" in task.body


# --- P-06 reopened --------------------------------------------------------------------------------------------------


@pytest.mark.row("P-06")
@pytest.mark.parametrize(("stage", "why"), [("won", "renewed"), ("talks", "has left the not-renewing stage")])
def test_leaving_the_stage_closes_what_is_open_and_says_why(
    world: World, stage: str, why: str, fields_of: Any, notes_of: Any
) -> None:
    world.enter("lost")
    world.look()
    world.sees_tasks = False
    world.enter(stage)
    writes = world.look()
    (close,) = changes(writes)
    assert close.close
    assert close.task_id == "t1"
    assert why in (close.note or "")
    (note,) = notes_of(writes)
    assert why in note.body
    assert fields_of(writes)["deal:d1"]["status"] == "cancelled"
    assert world.last_decision.close_links
    assert world.last_decision.next_look is None
    assert world.case.status is CaseStatus.CANCELLED
    assert world.statuses() == {"thank": "closed", "survey": "closed"}
    assert world.look() == ()


@pytest.mark.row("P-06")
@pytest.mark.row("P-7B")
def test_tasks_that_people_finished_or_deleted_are_left_alone_when_a_case_is_cancelled(world: World) -> None:
    world.enter("lost")
    world.look()
    world.finish("thank")
    world.sees_tasks = False
    world.enter("won")
    assert not changes(world.look())
    assert world.step("thank").status is StepStatus.DONE


@pytest.mark.row("P-06")
def test_tasks_on_their_way_are_withdrawn_and_closed_if_they_arrive_all_the_same(world: World) -> None:
    world.enter("lost")
    world.crm_answers = False
    late = world.look()
    world.enter("won")
    world.look()
    assert world.last_decision.withdraw == ("case-1:thank",)
    world.crm_answers = True
    world.carry_out(tuple(tasks(late)))
    world.sees_tasks = False
    (close,) = changes(world.look())
    assert close.task_id == "t1"
    assert world.look() == ()
    assert world.tasks["t1"].done


@pytest.mark.row("P-06")
def test_a_task_that_arrived_late_and_was_finished_by_a_person_stays_finished(world: World) -> None:
    world.enter("lost")
    world.crm_answers = False
    late = world.look()
    world.enter("won")
    world.look()
    world.crm_answers = True
    world.carry_out(tuple(tasks(late)))
    world.finish("thank")
    assert world.look() == ()
    assert world.step("thank").status is StepStatus.DONE


@pytest.mark.row("P-06")
@pytest.mark.row("P-31")
def test_survey_links_are_taken_off_the_contacts_when_a_case_is_cancelled(
    world: World, make_rule: Any, make_book: Any, fields_of: Any
) -> None:
    survey = make_rule("survey", per_contact=True, link="survey", questionnaire="exit")
    world.playbook = make_book(survey)
    world.change(contract_end=date(2026, 2, 27))
    world.enter("lost")
    link = "https://goodbye.example.com/survey/case-1/p1/exit"
    assert fields_of(world.look())["contact:p1"] == {"survey_link": link}
    world.enter("won")
    assert fields_of(world.look())["contact:p1"] == {"survey_link": None}


@pytest.mark.row("P-06")
def test_an_admin_can_cancel_and_the_same_ending_does_not_come_back(world: World) -> None:
    world.enter("lost")
    world.look()
    writes = world.cancel_by_hand()
    assert "by hand" in (changes(writes)[0].note or "")
    assert world.case.status is CaseStatus.CANCELLED
    world.now += timedelta(days=1)
    assert world.look() == ()
    assert len(world.cases) == 1


@pytest.mark.row("P-7A")
def test_a_case_that_ends_because_the_connector_leaves_says_so_and_says_cancelled_once(world: World) -> None:
    world.enter("lost")
    world.look()
    writes = world.look(lambda look: cancel(look, TAKEN_OUT))
    (note,) = [write for write in writes if isinstance(write, CreateNote)]
    assert note.body.count("cancelled") == 1
    assert "was cancelled: the connector was taken out." in note.body
    assert changes(writes)[0].note == "No longer needed: the connector was taken out."
    assert world.case.outcome == TAKEN_OUT


def test_cancelling_what_is_not_open_is_an_error(world: World) -> None:
    world.enter("talks")
    with pytest.raises(ValueError, match="no open case"):
        cancel(world.seen())


# --- P-07 contract end ----------------------------------------------------------------------------------------------


@pytest.mark.row("P-07")
@pytest.mark.parametrize("seen", [None, date(9999, 12, 31)])
def test_an_unknown_end_is_asked_for_and_what_hangs_on_it_waits(world: World, seen: date | None) -> None:
    world.change(contract_end=seen)
    world.enter("lost")
    made = {task.key: task for task in tasks(world.look())}
    assert set(made) == {"case-1:thank", "case-1:_contract_end"}
    assert ("9999-12-31" in made["case-1:_contract_end"].body) is (seen is not None)
    assert world.last_decision.next_look is None
    world.change(contract_end=date(2026, 6, 30))
    (close,) = changes(world.look())
    assert close.close
    assert world.last_decision.next_look == datetime(2026, 7, 1, 7, 0, tzinfo=UTC)


@pytest.mark.row("P-07")
def test_a_plan_without_contract_dates_does_not_ask_for_the_end(world: World, make_rule: Any, make_book: Any) -> None:
    world.playbook = make_book(make_rule("thank"))
    world.change(contract_end=None)
    world.enter("lost")
    assert [task.key for task in tasks(world.look())] == ["case-1:thank"]


@pytest.mark.row("P-07")
def test_dates_that_passed_before_the_plan_began_leave_two_business_days(
    world: World, make_rule: Any, make_book: Any
) -> None:
    world.playbook = make_book(
        make_rule("handover", "contract_end-30d", "contract_end-7d"),
        make_rule("long", when="days_left >= 15"),
        make_rule("short", when="days_left < 15"),
    )
    world.change(contract_end=date(2026, 2, 20))
    world.enter("lost")
    made = {task.key: task for task in tasks(world.look())}
    assert set(made) == {"case-1:handover", "case-1:short"}
    assert made["case-1:handover"].due_at == datetime(2026, 3, 4, 16, 0, tzinfo=UTC)
    assert world.statuses()["long"] == "skipped"


@pytest.mark.row("P-07")
def test_an_open_draft_is_told_once_that_the_end_turned_out_to_be_past(
    world: World, make_rule: Any, make_book: Any
) -> None:
    promise = "{% if case.contract_end and days_left < 0 %}It has ended.{% else %}All goes on until then.{% endif %}"
    world.playbook = make_book(make_rule("hear", body={"en": promise, "fr": promise}), make_rule("thank"))
    world.change(contract_end=None)
    world.enter("lost")
    (hear,) = [one for one in world.look() if isinstance(one, CreateTask) and one.key.endswith(":hear")]
    assert "All goes on" in hear.body
    world.change(contract_end=date(2026, 2, 20))
    told = [one for one in changes(world.look()) if not one.close]
    assert [one.task_id for one in told] == [world.step("hear").task_id], "the other promises nothing"
    assert "The contract ended on 20 February 2026" in (told[0].note or "")
    assert told[0].due_at is None
    world.change(contract_end=date(2026, 2, 19))
    assert not [one for one in changes(world.look()) if one.note], "told once"


@pytest.mark.row("P-07")
def test_when_the_end_moves_open_dates_move_with_it(world: World, make_rule: Any, make_book: Any) -> None:
    world.playbook = make_book(
        make_rule("handover", "confirmed", "contract_end-10d"),
        make_rule("survey", "contract_end+1bd", "contract_end+3bd"),
    )
    world.enter("lost")
    world.look()
    world.sees_tasks = False
    for end, due in ((date(2026, 9, 30), date(2026, 9, 18)), (date(2026, 6, 30), date(2026, 6, 19))):
        world.change(contract_end=end)
        (change,) = changes(world.look())
        assert not change.close
        assert change.due_at is not None
        assert change.due_at.date() == due
        assert world.look() == ()
    world.change(contract_end=date(2026, 9, 30))
    (change,) = changes(world.look())
    assert world.last_decision.next_look == datetime(2026, 10, 1, 7, 0, tzinfo=UTC)


@pytest.mark.row("P-07")
@pytest.mark.row("P-7B")
@pytest.mark.parametrize("set_to", [datetime(2026, 6, 1, 12, 0, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), None])
def test_a_due_date_that_a_person_set_stays_when_the_end_moves(
    world: World, make_rule: Any, make_book: Any, set_to: datetime | None
) -> None:
    world.playbook = make_book(make_rule("handover", "confirmed", "contract_end-10d"))
    world.enter("lost")
    world.look()
    world.touch("handover", due_at=set_to)
    world.change(contract_end=date(2026, 9, 30))
    assert world.look() == ()
    assert world.happened().count("due date kept") == 1
    assert world.look() == ()
    assert world.happened().count("due date kept") == 1


@pytest.mark.row("P-07")
def test_a_crm_that_keeps_only_the_day_is_not_taken_for_a_person(world: World, make_rule: Any, make_book: Any) -> None:
    world.playbook = make_book(make_rule("handover", "confirmed", "contract_end-10d"))
    world.enter("lost")
    world.look()
    world.touch("handover", due_at=datetime(2026, 6, 19, tzinfo=UTC))
    world.change(contract_end=date(2026, 9, 30))
    assert changes(world.look())


@pytest.mark.row("P-07")
def test_a_task_that_was_on_its_way_when_the_end_moved_is_moved_once_it_is_there(
    world: World, make_rule: Any, make_book: Any
) -> None:
    world.playbook = make_book(make_rule("handover", "confirmed", "contract_end-10d"))
    world.enter("lost")
    world.crm_answers = False
    late = world.look()
    world.change(contract_end=date(2026, 9, 30))
    assert world.look() == ()
    world.crm_answers = True
    world.carry_out(tuple(tasks(late)))
    (change,) = changes(world.look())
    assert change.due_at is not None
    assert change.due_at.date() == date(2026, 9, 18)


@pytest.mark.row("P-07")
def test_an_end_that_moves_over_a_weekend_changes_no_due_date(world: World, make_rule: Any, make_book: Any) -> None:
    world.playbook = make_book(make_rule("handover", "confirmed", "contract_end+0d"))
    world.change(contract_end=date(2026, 6, 27))
    world.enter("lost")
    world.look()
    world.change(contract_end=date(2026, 6, 28))
    assert world.look() == ()


def test_an_end_that_is_emptied_stays_known(world: World) -> None:
    world.enter("lost")
    world.look()
    world.change(contract_end=None)
    assert world.look() == ()
    assert world.case.contract_end == date(2026, 6, 30)


# --- P-08 once per ending -------------------------------------------------------------------------------------------


@pytest.mark.row("P-08")
def test_the_same_ending_never_opens_twice_also_after_it_is_complete(
    world: World, make_rule: Any, make_book: Any
) -> None:
    world.playbook = make_book(make_rule("thank"))
    world.enter("lost")
    world.look()
    world.finish("thank")
    world.look()
    assert world.case.status is CaseStatus.COMPLETED
    for _ in range(3):
        world.now += timedelta(days=30)
        assert world.look() == ()
    assert len(world.cases) == 1


@pytest.mark.row("P-08")
@pytest.mark.parametrize("looks_between", [True, False])
@pytest.mark.parametrize("whole_history", [True, False])
def test_a_real_second_ending_opens_a_second_case(
    world: World, make_rule: Any, make_book: Any, looks_between: bool, whole_history: bool
) -> None:
    world.playbook = make_book(make_rule("thank"))
    world.enter("lost")
    world.look()
    world.finish("thank")
    world.look()
    world.now += timedelta(days=300)
    world.enter("won")
    if looks_between:
        world.look()
    world.now += timedelta(days=60)
    world.enter("lost")
    if not whole_history:
        world.change(stage_history=world.deal.stage_history[:1])
    first = world.look()  # a return that was noted is taken back, and the deal looked at again at once
    assert [task.key for task in tasks((*first, *world.look()))] == ["case-2:thank"]
    assert world.case.number == 2


@pytest.mark.row("P-08")
@pytest.mark.parametrize("whole_history", [True, False])
def test_moving_on_between_not_renewing_stages_is_no_second_ending(
    world: World, make_rule: Any, make_book: Any, whole_history: bool
) -> None:
    world.playbook = make_book(make_rule("thank"))
    world.enter("lost")
    world.look()
    world.finish("thank")
    world.look()
    world.now += timedelta(days=3)
    world.enter("churned")
    if not whole_history:
        world.change(stage_history=world.deal.stage_history[:1])
    assert world.look() == ()
    assert len(world.cases) == 1


@pytest.mark.row("P-08")
def test_coming_back_after_a_cancelled_case_opens_the_next(world: World) -> None:
    world.enter("lost")
    world.look()
    world.now += timedelta(days=1)
    world.enter("talks")
    world.look()
    world.now += timedelta(days=1)
    world.enter("lost")
    world.look()
    assert [case.status for case in world.cases] == [CaseStatus.CANCELLED, CaseStatus.ACTIVE]
    assert [case.number for case in world.cases] == [1, 2]


@pytest.mark.row("P-08")
def test_a_stale_read_of_the_old_stage_does_not_reopen_a_cancelled_case(world: World) -> None:
    world.enter("lost")
    before = world.deal
    world.look()
    world.now += timedelta(days=1)
    world.enter("talks")
    world.look()
    world.deal = before
    assert world.look() == ()
    assert len(world.cases) == 1


@pytest.mark.row("P-08")
def test_out_and_back_between_two_looks_goes_on_with_the_same_case_and_is_one_ending(
    world: World, make_rule: Any, make_book: Any
) -> None:
    world.playbook = make_book(make_rule("thank"))
    world.enter("lost")
    world.look()
    world.now += timedelta(days=1)
    world.enter("talks")
    world.enter("lost")
    assert world.look() == ()
    world.finish("thank")
    world.look()
    world.now += timedelta(days=1)
    assert world.look() == ()
    assert [case.status for case in world.cases] == [CaseStatus.COMPLETED]


@pytest.mark.row("P-08")
def test_a_complete_case_does_not_come_back_because_the_history_is_missing(
    world: World, make_rule: Any, make_book: Any
) -> None:
    world.playbook = make_book(make_rule("thank"))
    world.enter("lost")
    world.look()
    world.finish("thank")
    world.look()
    world.now += timedelta(days=30)
    world.change(stage_history=())
    assert world.look() == ()
    assert len(world.cases) == 1


@pytest.mark.row("P-08")
def test_a_history_that_lags_behind_the_stage_does_not_make_a_second_ending(world: World) -> None:
    world.enter("lost")
    world.look()
    entered = world.case.entered_at
    world.now += timedelta(days=1)
    world.change(stage_id="churned")
    assert world.look() == ()
    assert world.case.entered_at == entered


# --- P-09 odd records -----------------------------------------------------------------------------------------------


@pytest.mark.row("P-09")
@pytest.mark.parametrize("state", [DealState.DELETED, DealState.ARCHIVED])
def test_a_deal_that_goes_away_stops_politely_and_resumes_once_when_restored(
    world: World, state: DealState, fields_of: Any
) -> None:
    world.enter("lost")
    world.look()
    world.change(state=state)
    writes = world.look()
    assert [write.close for write in changes(writes)] == [True]
    assert fields_of(writes) == {}
    assert len(writes) == 1, "nothing is written on a deal that is gone"
    assert world.case.status is CaseStatus.STOPPED
    assert world.last_decision.close_links
    assert world.look() == ()
    world.change(state=DealState.LIVE)
    writes = world.look()
    assert world.case.status is CaseStatus.ACTIVE
    assert [task.key for task in tasks(writes)] == ["case-1:thank~2"]
    assert len(world.cases) == 1
    assert world.look() == ()
    assert world.step("thank").status is StepStatus.OPEN


@pytest.mark.row("P-09")
def test_a_deal_that_is_deleted_while_it_settles_settles_again_when_restored(world: World) -> None:
    world.change_rules(settle_for=timedelta(hours=24))
    world.enter("lost")
    world.look()
    world.change(state=DealState.DELETED)
    assert world.look() == ()
    world.change(state=DealState.LIVE)
    world.now += timedelta(hours=2)
    world.look()
    assert world.case.status is CaseStatus.SETTLING


@pytest.mark.row("P-09")
def test_a_deal_that_was_deleted_before_anything_opened_is_left_alone(world: World) -> None:
    world.enter("lost")
    world.change(state=DealState.DELETED)
    assert world.look() == ()
    assert world.cases == []


@pytest.mark.row("P-09")
def test_the_case_follows_a_merged_deal_and_shows_itself_there(world: World, fields_of: Any) -> None:
    world.enter("lost")
    world.look()
    world.change(state=DealState.MERGED, merged_into="d2")
    assert world.look() == ()
    assert world.case.deal_id == "d2"
    assert world.last_decision.next_look == world.now
    world.change(id="d2", state=DealState.LIVE, merged_into=None)
    writes = world.look()
    assert list(fields_of(writes)) == ["deal:d2"]
    assert not tasks(writes)
    assert len(world.cases) == 1


@pytest.mark.row("P-09")
def test_a_case_whose_survivor_has_its_own_stops(world: World) -> None:
    world.enter("lost")
    world.look()
    world.survivor = world.case.model_copy(update={"id": "other", "deal_id": "d2"})
    world.change(state=DealState.MERGED, merged_into="d2")
    (close,) = changes(world.look())
    assert "own offboarding" in (close.note or "")
    assert world.case.status is CaseStatus.STOPPED


@pytest.mark.row("P-09")
def test_a_deal_moved_to_another_pipeline_cancels_with_that_reason_or_goes_on(world: World, notes_of: Any) -> None:
    world.enter("lost")
    world.look()
    other = world.rules.watch[0].model_copy(update={"pipeline_id": "key accounts"})
    world.rules = world.rules.model_copy(update={"watch": (*world.rules.watch, other)})
    world.change(pipeline_id="key accounts")
    assert world.look() == ()
    world.change(pipeline_id="archive")
    (note,) = notes_of(world.look())
    assert "not watched" in note.body


def test_a_deal_whose_stage_cannot_be_read_keeps_its_case(world: World) -> None:
    world.enter("lost")
    world.look()
    world.change(stage_id="", stage_history=())
    assert world.look() == ()
    assert world.case.status is CaseStatus.ACTIVE


@pytest.mark.row("P-76")
def test_a_paused_case_decides_nothing_and_goes_on_where_it_was(world: World) -> None:
    world.enter("lost")
    world.look()
    world.cases[-1] = world.case.model_copy(update={"paused": True})
    world.enter("won")
    assert world.look() == ()
    assert world.last_decision.next_look is None
    world.cases[-1] = world.case.model_copy(update={"paused": False})
    world.look()
    assert world.case.status is CaseStatus.CANCELLED


# --- answers --------------------------------------------------------------------------------------------------------


def answer(at: datetime, nps: int, case_id: str = "case-1", by: str = "customer") -> Answer:
    values = {"nps": nps}
    return Answer(case_id=case_id, contact_id="p1", questionnaire="exit", by=by, language="en", at=at, values=values)


@pytest.mark.row("P-37")
def test_an_answer_is_written_back_once_and_again_when_it_is_edited(world: World, fields_of: Any) -> None:
    world.enter("lost")
    world.look()
    for nps in (9, 3, 9):
        world.now += timedelta(hours=1)
        world.answers = (answer(world.now, nps),)
        written = fields_of(world.look())
        assert {"contact:p1", "company:c1", "deal:d1"} == set(written)
        assert written["contact:p1"]["exit_score"] == nps
        assert world.look() == ()


@pytest.mark.row("P-37")
def test_an_answer_that_comes_after_the_case_is_complete_is_not_lost(
    world: World, make_rule: Any, make_book: Any, fields_of: Any, notes_of: Any
) -> None:
    world.playbook = make_book(make_rule("thank"))
    world.enter("lost")
    world.look()
    world.finish("thank")
    world.look()
    world.answers = (answer(world.now, 7),)
    writes = world.look()
    assert fields_of(writes)["contact:p1"]["exit_score"] == 7
    assert "Zoe Hill" in notes_of(writes)[0].title
    assert world.look() == ()


@pytest.mark.row("P-37")
def test_an_answer_that_comes_with_the_deletion_waits_for_the_deal_to_be_restored(world: World, fields_of: Any) -> None:
    world.enter("lost")
    world.look()
    world.answers = (answer(world.now, 4),)
    world.change(state=DealState.DELETED)
    assert fields_of(world.look()) == {}
    world.change(state=DealState.LIVE)
    written = fields_of(world.look())
    while world.last_decision.next_look == world.now:
        written |= fields_of(world.look())
    assert written["contact:p1"]["exit_score"] == 4


def test_an_answer_to_another_case_or_to_unknown_questions_is_not_written(world: World) -> None:
    world.enter("lost")
    world.look()
    unknown = answer(world.now, 7).model_copy(update={"questionnaire": "gone"})
    world.answers = (answer(world.now, 7, case_id="other"), unknown)
    assert world.look() == ()


# --- record ---------------------------------------------------------------------------------------------------------


def writing(world: World) -> Case:
    world.crm_answers = False
    world.enter("lost")
    world.look()
    case: Case = world.case
    return case


def test_a_written_task_opens_its_step_and_a_refused_one_fails(world: World) -> None:
    case = writing(world)
    opened = record(case, "case-1:thank", record_id="t9", refused=None)
    assert opened.steps[0].task_id == "t9"
    assert opened.steps[0].status is StepStatus.OPEN
    failed = record(case, "case-1:thank", record_id=None, refused="owner unknown")
    assert failed.steps[0].status is StepStatus.FAILED
    assert record(failed, "case-1:thank", record_id="t9", refused=None).steps[0].status is StepStatus.OPEN


def test_a_task_that_is_gone_when_we_change_it_counts_as_deleted_by_a_person(world: World) -> None:
    case = record(writing(world), "case-1:thank", record_id="t9", refused=None)
    gone = record(case, "case-1:thank:due:1", record_id=None, refused=None, gone=True)
    assert gone.steps[0].status is StepStatus.DELETED


@pytest.mark.parametrize("key", ["case-1:_deal:1", "case-1:_note:1", "case-2:thank", "case-1:feedback:p1:ab:note", "x"])
def test_other_writes_leave_the_steps_as_they_are(world: World, key: str) -> None:
    case = writing(world)
    assert record(case, key, record_id="x", refused=None) is case
    assert record(case, key, record_id=None, refused="no") is case


def test_history_entries_are_compared_by_moment_whatever_their_zone(world: World) -> None:
    world.change(stage_id="lost", stage_history=(StageEntry(stage_id="lost", at=world.now - timedelta(days=2)),))
    world.look()
    assert world.case.entered_at == world.now - timedelta(days=2)
