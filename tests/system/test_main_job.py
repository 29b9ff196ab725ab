"""The main job as its users meet it, on every CRM."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from adapters.results import Level
from connector import casework, operations
from connector.account_settings import PeopleConfig
from connector.checkup import check_up
from connector.polling import poll_now
from connector.presence import SERVE, present
from connector.store import accounts, cases, intents, record_log
from connector.store.failed import FailedKind
from connector.store.tables import IntentState
from workflows.cases import CaseStatus, StepStatus
from workflows.progress import SHOWN
from workflows.records import RecordKind

SINGLE = {"hubspot": 5, "salesforce": 2}
on_both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
BULK = {"hubspot": 0.12, "salesforce": 0.05}


def due_date(due: datetime | date) -> date:
    return due.date() if isinstance(due, datetime) else due


def open_tasks(system: Any, deal: str) -> list[Any]:
    return [task for task in system.rig.tasks(deal) if not task.done]


def finish_everything(system: Any, deal: str) -> None:
    """The people do all that is open, as they would over the weeks."""
    for task in open_tasks(system, deal):
        system.rig.complete_task(task.id)


@on_both
@pytest.mark.row("P-01", "P-14", "P-15", "P-20", "P-29")
def test_a_lost_renewal_becomes_a_dated_and_owned_plan_in_the_crm(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    case = system.case(deal)
    assert case.status is CaseStatus.ACTIVE
    tasks = system.rig.tasks(deal)
    assert 1 <= len(tasks) <= 7, "nobody gets everything at once"
    assert all(task.owner_id in system.rig.users for task in tasks)
    assert all(due_date(task.due) > system.rig.now().date() for task in tasks)
    assert system.rig.value(RecordKind.DEAL, deal, "status") == "active"
    assert system.rig.value(RecordKind.DEAL, deal, "case_id") == case.id
    assert (system.rig.value(RecordKind.DEAL, deal, "playbook") or "").startswith("saas")


def test_a_single_new_case_stays_within_its_call_budget(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    assert system.rig.tasks(deal)
    assert system.rig.calls() <= SINGLE[system.rig.name]


@pytest.mark.row("P-29")
def test_deals_show_how_far_they_are_in_one_call_an_hour(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(deal: str, *names: str) -> list[str | None]:
        return [system.rig.value(RecordKind.DEAL, deal, name) for name in names]

    def work(**later: float) -> None:
        system.rig.advance(timedelta(**later))
        system.work(poll=True)

    deals = [system.renewal(f"Customer{n} renewal", contacts=1) for n in range(4)]
    system.lose(*deals)
    system.work()
    tasks = {deal: sorted(system.rig.tasks(deal), key=lambda task: task.due) for deal in deals}
    done, due = shown(deals[0], "steps_done", "next_due")
    assert (done, due) == ("0", due_date(tasks[deals[0]][0].due).isoformat()), "with the plan's own write"
    assert int(shown(deals[0], "steps_all")[0] or 0) > len(tasks[deals[0]])
    crm, told = system.account.crm(), list[int]()
    write = crm.write

    def watched(batch: Any) -> Any:
        if here := [one for one in batch if "steps_done" in getattr(one, "values", {})]:
            told.append(len(here))
        return write(batch)

    monkeypatch.setattr(crm, "write", watched)
    work(minutes=20)
    for deal in deals:
        system.rig.complete_task(tasks[deal][0].id)
    work(minutes=20)
    assert [shown(deal, "steps_done") for deal in deals] == [["1"]] * 4
    assert told == [4], "all in one call"
    system.rig.complete_task(tasks[deals[0]][1].id)
    work(minutes=20)
    assert (told, shown(deals[0], "steps_done")) == ([4], ["1"]), "at a calm rhythm"
    system.rig.trouble(system.kit.Trouble.RESET_BEFORE, system.kit.Where.UPDATE)
    work(minutes=50)
    assert (told, shown(deals[0], "steps_done")) == ([4, 1], ["1"])
    work(minutes=10)
    work(minutes=90)
    assert (told, shown(deals[0], "steps_done")) == ([4, 1, 1], ["2"]), "again after a failure, and then never"


@pytest.mark.row("P-29")
def test_progress_waits_for_its_fields_and_is_told_once_they_are_there(system: Any) -> None:
    with system.runtime.store.write() as session:  # provisioned by a version before these fields
        accounts.change(session, "acme", state={})
    deal = system.renewal()
    system.lose(deal)
    system.work()
    assert system.rig.calls() <= SINGLE[system.rig.name]
    assert system.rig.value(RecordKind.DEAL, deal, "steps_all") is None
    system.account.provision()
    system.advance(hours=2)
    assert int(system.rig.value(RecordKind.DEAL, deal, "steps_all")) > 0
    if system.rig.name == "salesforce":  # which takes the other values, and says only so
        return
    fields = system.rig.world.schema.properties["0-3"]
    steps_done = fields.pop("aurevoir_steps_done")  # an admin took it out
    system.rig.complete_task(system.rig.tasks(deal)[0].id)
    system.rig.advance(timedelta(minutes=20))
    system.work(poll=True)
    system.advance(hours=2)
    fields["aurevoir_steps_done"] = steps_done
    system.advance(hours=2)
    assert [one.reason for one in operations.all_failed(system.runtime)] != []
    assert system.rig.value(RecordKind.DEAL, deal, "steps_done") == "0"
    assert SHOWN not in system.case(deal).written, "what was refused was not told"
    system.advance(hours=26)
    assert system.rig.value(RecordKind.DEAL, deal, "steps_done") == "1", "tried again the next day"
    assert list(operations.all_failed(system.runtime)) == []


def test_a_hundred_new_cases_stay_within_their_call_budget(system: Any) -> None:
    deals = [system.renewal(f"Customer{n} renewal", contacts=1) for n in range(100)]
    system.lose(*deals)
    system.rig.forget_calls()
    while system.work():
        pass
    tasks = sum(len(system.rig.tasks(deal)) for deal in deals)
    assert tasks >= 100
    allowed = BULK[system.rig.name] * 100 + (math.ceil(tasks / 100) if system.rig.name == "hubspot" else 0)
    assert system.rig.calls() <= allowed


@on_both
@pytest.mark.row("P-08")
def test_a_repeated_event_costs_one_read_and_writes_nothing(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    before = system.rig.tasks(deal)
    system.rig.forget_calls()
    for _ in range(20):
        system.signal(deal)
    system.work()
    assert system.rig.calls() <= 1
    assert system.rig.tasks(deal) == before


def test_a_deal_in_negotiation_opens_nothing_and_costs_no_row(system: Any) -> None:
    deal = system.renewal()
    system.rig.advance(timedelta(days=2))
    system.work(poll=True)
    assert system.case(deal) is None
    assert system.rig.tasks(deal) == []


@pytest.mark.parametrize("account_settings", [{"watch": {"settle_for": "24h"}}])
@pytest.mark.row("P-03")
def test_a_stage_that_does_not_hold_starts_nothing(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    system.rig.advance(timedelta(hours=23))
    system.work()
    assert system.rig.tasks(deal) == []
    system.rig.move_deal(deal, system.rig.negotiating)
    system.rig.advance(timedelta(hours=2))
    system.work()
    assert system.rig.tasks(deal) == []
    assert system.case(deal).status is CaseStatus.DISMISSED
    system.lose(deal)
    system.work()
    system.rig.advance(timedelta(hours=24, minutes=1))
    system.work()
    assert system.rig.tasks(deal), "the second time it held"


@pytest.mark.row("P-04")
def test_a_missing_reason_is_asked_for_once_and_the_plan_starts_when_it_is_there(system: Any) -> None:
    deal = system.renewal(exit_reason=None)
    system.lose(deal)
    system.work()
    assert system.case(deal).status is CaseStatus.AWAITING_REASON
    [asking] = system.rig.tasks(deal)
    system.signal(deal)
    system.work()
    assert len(system.rig.tasks(deal)) == 1
    system.edit_deal(deal, system.rig.exit_reason_field, system.rig.exit_reason_value)
    system.signal(deal)
    system.work()
    assert system.case(deal).status is CaseStatus.ACTIVE
    tasks = {task.id: task for task in system.rig.tasks(deal)}
    assert len(tasks) > 1
    assert tasks[asking.id].done


@pytest.mark.row("P-04")
def test_a_reason_that_never_comes_holds_the_plan_back_only_so_long(system: Any) -> None:
    deal = system.renewal(exit_reason=None)
    system.lose(deal)
    system.work()
    system.advance(days=5, minutes=1)
    assert system.case(deal).status is CaseStatus.ACTIVE
    assert len(system.rig.tasks(deal)) > 1
    assert system.rig.value(RecordKind.DEAL, deal, "reason_unknown").lower() == "true"


@on_both
@pytest.mark.row("P-06")
def test_a_reopened_deal_folds_the_plan_back(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    assert open_tasks(system, deal)
    system.rig.move_deal(deal, system.rig.negotiating)
    system.signal(deal)
    system.work()
    assert system.case(deal).status is CaseStatus.CANCELLED
    assert open_tasks(system, deal) == []
    assert len(system.rig.notes(deal)) == 1, "it says why"
    assert system.rig.value(RecordKind.DEAL, deal, "status") == "cancelled"


@pytest.mark.row("P-08")
def test_a_real_second_ending_starts_a_second_case(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    first = system.rig.tasks(deal)
    system.rig.move_deal(deal, system.rig.negotiating)
    system.signal(deal)
    system.work()
    system.rig.advance(timedelta(days=1))
    system.lose(deal)
    system.work()
    assert system.case(deal).number == 2
    assert len(system.rig.tasks(deal)) > len(first)


@pytest.mark.row("P-07")
def test_when_the_contract_end_moves_open_dates_move_but_peoples_own_edits_stay(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    system.go_on(days=20)
    hanging = [
        step.task_id
        for step in system.case(deal).steps
        if step.status is StepStatus.OPEN and step.rule in rules_on_end(system)
    ]
    assert len(hanging) >= 2, "the plan has tasks that hang on the contract's end"
    before = {task.id: due_date(task.due) for task in system.rig.tasks(deal)}
    touched, *others = hanging
    system.move_task(touched, before[touched] + timedelta(days=3))
    moved = system.case(deal).contract_end + timedelta(days=28)
    system.edit_deal(deal, system.rig.contract_end_field, moved.isoformat())
    system.signal(deal)
    system.work()
    after = {task.id: due_date(task.due) for task in system.rig.tasks(deal)}
    assert after[touched] == before[touched] + timedelta(days=3)
    assert all(after[one] > before[one] for one in others)


def rules_on_end(system: Any) -> set[str]:
    playbook = system.runtime.library.playbook("saas")
    return {step.key for step in playbook.steps() if step.due.anchor.value == "contract_end"}


@pytest.mark.row("P-07")
def test_an_unknown_contract_end_is_asked_for_and_the_rest_goes_on(system: Any) -> None:
    deal = system.renewal(contract_end=None)
    system.lose(deal)
    system.work()
    assert system.case(deal).status is CaseStatus.ACTIVE
    assert len(system.rig.tasks(deal)) >= 2
    system.go_on(days=30)
    before = len(system.rig.tasks(deal))
    soon = (system.rig.now() + timedelta(days=3)).date()
    system.edit_deal(deal, system.rig.contract_end_field, soon.isoformat())
    system.signal(deal)
    system.work()
    system.go_on(days=6)
    assert len(system.rig.tasks(deal)) > before


@pytest.mark.row("P-09")
def test_a_deleted_deal_stops_the_case_politely(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    system.rig.delete_deal(deal)
    system.signal(deal)
    system.work()
    assert system.case(deal).status is CaseStatus.STOPPED
    system.advance(days=3)


@pytest.mark.row("P-10", "P-14", "P-16")
def test_odd_deals_get_a_task_that_asks_and_never_a_crash(system: Any) -> None:
    nobody = system.renewal("Lonely renewal", contact_ids=[])
    gone = system.renewal("Gone renewal", owner_id=system.rig.users[1])
    bare = system.rig.add_deal("Bare renewal")
    system.deactivate(system.rig.users[1])
    system.lose(nobody, gone, bare)
    system.work()
    for deal in (nobody, gone, bare):
        tasks = system.rig.tasks(deal)
        assert tasks, "there is always someone to do something"
        assert all(task.owner_id != system.rig.users[1] for task in tasks)


@pytest.mark.row("P-14", "P-75")
def test_a_case_that_nobody_active_can_own_is_a_fault_and_on_the_failed_list_until_somebody_is_named(
    system: Any,
) -> None:
    account = system.account
    named = account.config
    account.config = named.model_copy(update={"people": PeopleConfig()})
    deal = system.renewal(owner_id=system.rig.users[1], company_id=None)
    system.deactivate(system.rig.users[1])
    system.lose(deal)
    system.work()
    assert system.rig.tasks(deal) == []
    held = list(operations.all_failed(system.runtime))
    assert held
    assert {(one.kind, one.deal_id) for one in held} == {(FailedKind.STEP, deal)}
    assert operations.standings(system.runtime)[0].failed == len(held)
    told = {one.finding.text: one.finding.level for one in check_up(system.runtime)}
    assert told["open cases with tasks that no active user can own: 1."] is Level.FAULT
    account.config = named
    account.forget_known()
    system.advance(days=4)
    assert system.rig.tasks(deal), "the next in line has them on the next business morning"
    assert list(operations.all_failed(system.runtime)) == []


@on_both
@pytest.mark.row("P-08")
def test_a_dropped_answer_after_the_write_makes_nothing_twice_and_loses_nothing(system: Any) -> None:
    deals = [system.renewal(f"Customer{n} renewal") for n in range(3)]
    system.rig.trouble(system.kit.Trouble.RESET_AFTER, system.kit.Where.CREATE_TASK)
    system.lose(*deals)
    system.work()
    system.rig.calm()
    for _ in range(6):
        system.rig.advance(timedelta(minutes=1))
        system.work()
    for deal in deals:
        subjects = [task.subject for task in system.rig.tasks(deal)]
        steps = [step for step in system.case(deal).steps if step.status is StepStatus.OPEN]
        assert len(subjects) == len(set(subjects)) == len(steps)
        assert {task.id for task in system.rig.tasks(deal)} == {step.task_id for step in steps}


@pytest.mark.parametrize("rig", ["salesforce"], indirect=True)
@pytest.mark.parametrize("account_settings", [{"total_timeout": 60.0}])
def test_where_the_crm_knows_our_keys_a_lost_answer_is_made_good_within_seconds(system: Any) -> None:
    deal = system.renewal()
    system.rig.trouble(system.kit.Trouble.RESET_AFTER, system.kit.Where.CREATE_TASK)
    system.lose(deal)
    system.work()
    assert not [step for step in system.case(deal).steps if step.status is StepStatus.OPEN], "no answer has come yet"
    system.rig.calm()
    system.rig.advance(timedelta(seconds=11))
    system.work()
    steps = [step for step in system.case(deal).steps if step.status is StepStatus.OPEN]
    assert steps
    assert {task.id for task in system.rig.tasks(deal)} == {step.task_id for step in steps}
    assert len(system.rig.tasks(deal)) == len(steps), "nothing is there twice"


@pytest.mark.parametrize(
    "what", ["SERVER_ERROR", "RATE_SHORT", "RATE_LONG", "RESET_BEFORE", "TRUNCATED", "BROKEN_JSON"]
)
@pytest.mark.parametrize("where", ["READ_DEAL", "CREATE_TASK", "UPDATE"])
def test_whatever_goes_wrong_once_comes_right_by_itself(system: Any, what: str, where: str) -> None:
    kit = system.kit
    deal = system.renewal()
    system.rig.trouble(kit.Trouble[what], kit.Where[where], times=1)
    system.lose(deal)
    system.runtime.rounds["acme"].run()
    for hours in (1, 1, 2, 4, 8, 14):
        system.rig.advance(timedelta(hours=hours))
        system.runtime.rounds["acme"].run()
    subjects = [task.subject for task in system.rig.tasks(deal)]
    assert subjects
    assert len(subjects) == len(set(subjects))
    assert system.rig.value(RecordKind.DEAL, deal, "status") == "active"
    with system.runtime.store.read() as session:
        states = {row.state for row in intents.of_case(session, system.case(deal).id)}
    assert states == {IntentState.DONE}


def test_a_revoked_credential_rests_the_account_and_loses_no_signal(system: Any) -> None:
    kit = system.kit
    deal = system.renewal()
    system.rig.trouble(kit.Trouble.UNAUTHORISED, kit.Where.READ_DEAL, times=None)
    system.lose(deal)
    system.runtime.rounds["acme"].run()
    [(_, ok, text)] = [line for line in system.runtime.ready() if line[0] == "account acme"]
    assert not ok
    assert text
    calls = system.rig.calls()
    system.runtime.rounds["acme"].run()
    assert system.rig.calls() == calls, "no storm of failing calls"
    system.rig.calm()
    system.rig.advance(timedelta(hours=2))
    system.work()
    assert system.rig.tasks(deal)


def test_a_poll_beside_serve_wakes_an_account_whose_credential_was_mended(system: Any) -> None:
    kit = system.kit
    deal = system.renewal()
    system.rig.trouble(kit.Trouble.UNAUTHORISED, kit.Where.READ_DEAL, times=None)
    system.lose(deal)
    with present(system.runtime.store, SERVE):
        system.runtime.rounds["acme"].run()
        system.rig.calm()
        assert poll_now(system.runtime, "acme").handed_over
        system.work()
    assert system.rig.tasks(deal), "without waiting out the hour"


@pytest.mark.row("P-26", "P-31", "P-32", "P-37", "P-3A")
def test_an_answered_survey_comes_back_onto_contact_company_and_deal(system: Any) -> None:
    deal = system.renewal(contacts=1)
    system.lose(deal)
    system.work()
    system.go_on(lambda: finish_everything(system, deal), days=80)
    case = system.case(deal)
    contact = case.contact_ids[0]
    link = system.rig.value(RecordKind.CONTACT, contact, "survey_link")
    assert link, "the link is there once the end is effective"
    assert any(link in task.body for task in system.rig.tasks(deal))
    path = link.removeprefix("https://goodbye.northwind.test")
    page = system.web.get(path)
    assert page.status_code == 200
    assert system.rig.value(RecordKind.CONTACT, contact, "exit_score") is None
    seal = re.search(r'name="form-seal" value="([^"]+)"', page.text)
    assert seal is not None
    form = {"form-seal": seal[1], "recommend": "9", "reason": "budget", "missing": "=cmd|' /C calc'!A0 <b>bold</b>"}
    answer = system.web.post(path, data=form, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    system.rig.forget_calls()
    system.work()
    assert system.rig.value(RecordKind.CONTACT, contact, "exit_score") == "9"
    assert system.rig.value(RecordKind.CONTACT, contact, "exit_reason") == "budget"
    assert system.rig.value(RecordKind.COMPANY, case.company_id, "exit_score") == "9"
    assert system.rig.value(RecordKind.DEAL, deal, "exit_reason") == "budget"
    [note] = [note for note in system.rig.notes(deal) if "bold" in note.body]
    if system.rig.name == "hubspot":  # the other rig shows a note as its reader sees it
        assert "&lt;b&gt;bold&lt;/b&gt;" in note.body, "escaped, as everything from outside"
    else:
        assert "<b>bold</b>" in note.body, "escaped, as everything from outside"
    form["recommend"] = "7"
    assert system.web.post(path, data=form, follow_redirects=True).status_code == 200
    system.work()
    assert system.rig.value(RecordKind.CONTACT, contact, "exit_score") == "7", "answers can be edited"
    ended = {"status": CaseStatus.COMPLETED, "outcome": "completed", "closed_at": system.rig.now()}
    with system.runtime.store.write() as session:
        first = cases.by_id(session, case.id)
        assert first is not None
        cases.save(session, first.model_copy(update=ended))
        cases.save(session, first.model_copy(update=ended | {"id": "later", "number": 2, "steps": (), "written": {}}))
    form["recommend"] = "3"
    assert system.web.post(path, data=form, follow_redirects=True).status_code == 200
    system.work()
    assert system.rig.value(RecordKind.DEAL, deal, "exit_score") == "3", "also by the page of an older case"


@pytest.mark.row("P-06")
def test_survey_links_stop_working_when_the_case_is_cancelled(system: Any) -> None:
    deal = system.renewal(contacts=1, contract_end=(system.rig.now() - timedelta(days=3)).date())
    system.lose(deal)
    system.work()
    system.go_on(lambda: finish_everything(system, deal), days=30)
    contact = system.case(deal).contact_ids[0]
    link = system.rig.value(RecordKind.CONTACT, contact, "survey_link")
    assert link
    path = link.removeprefix("https://goodbye.northwind.test")
    assert "<form" in system.web.get(path).text
    system.rig.move_deal(deal, system.rig.negotiating)
    system.signal(deal)
    system.work()
    assert "<form" not in system.web.get(path).text
    assert system.web.post(path, data={"recommend": "1"}).status_code in (200, 400, 410)
    assert system.rig.value(RecordKind.CONTACT, contact, "exit_score") is None


def test_an_account_without_push_works_by_polling_alone(system: Any) -> None:
    deal = system.renewal()
    system.rig.advance(timedelta(minutes=1))
    system.rig.move_deal(deal, system.rig.not_renewing)
    system.rig.advance(timedelta(minutes=1))
    system.work(poll=True)
    assert system.rig.tasks(deal)
    done = system.rig.tasks(deal)[0]
    system.rig.complete_task(done.id)
    system.rig.advance(timedelta(minutes=1))
    system.work(poll=True)
    step = next(step for step in system.case(deal).steps if step.task_id == done.id)
    assert step.status is StepStatus.DONE


def test_what_changed_while_we_were_stopped_is_caught_up_with(system: Any) -> None:
    deals = [system.renewal(f"Customer{n} renewal") for n in range(3)]
    for deal in deals:
        system.rig.move_deal(deal, system.rig.not_renewing)
        system.rig.advance(timedelta(days=2))
    system.work(poll=True)
    assert all(system.rig.tasks(deal) for deal in deals)


def test_the_daily_comparison_finds_what_every_event_and_poll_missed(system: Any) -> None:
    deal = system.renewal()
    system.rig.move_deal(deal, system.rig.not_renewing)
    system.rig.advance(timedelta(hours=25))
    system.work()
    assert system.rig.tasks(deal)


@pytest.mark.row("P-71")
def test_what_was_lost_before_the_switch_on_opens_no_case(system: Any) -> None:
    with system.runtime.store.write() as session:
        from connector.store import accounts

        accounts.change(session, "acme", started_at=system.rig.now() + timedelta(hours=1))
    system.account.reconnect()
    deal = system.renewal()
    system.lose(deal)
    system.work()
    assert system.case(deal) is None
    assert system.rig.tasks(deal) == []


@pytest.mark.row("P-74")
def test_the_log_of_a_case_says_what_was_done_and_why(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    with system.runtime.store.read() as session:
        lines = [(event.what, event.data) for event in cases.events(session, system.case(deal).id)]
    assert any("opened" in what or "started" in what for what, _ in lines)
    assert sum(what == "task written" for what, _ in lines) == len(system.rig.tasks(deal))
    written = [data["key"] for what, data in lines if what.endswith(" written")]
    assert len(written) == len(set(written)) > len(system.rig.tasks(deal)), "each write has one line of its own"
    answered = {data["record"] for what, data in lines if what == "task written"}
    assert answered == {task.id for task in system.rig.tasks(deal)}, "with what the CRM answered"
    assert {data["signal"] for what, data in lines if what == "released"} == {"webhook"}, "and on which signal"
    case, other = system.case(deal), system.renewal("Other renewal")
    system.lose(other)
    system.work()
    with system.runtime.store.read() as session:

        def told(record_id: str, kind: str = "") -> list[tuple[str, dict[str, Any]]]:
            return [(one.what, one.data) for one in record_log.of_record(session, record_id, kind=kind)]

        assert told(deal, "deal") == lines, "a deal's log is that of its cases"
        for record_id, kind in ((case.company_id, "company"), (case.contact_ids[0], "contact")):
            assert "task written" in dict(told(record_id, kind)), kind
            assert [line for line in told(record_id, kind) if line not in lines] == [], "nothing of another deal"
            assert len(told(record_id, kind)) < len(lines), "nor what concerned the deal alone"
        (task, *_) = system.rig.tasks(deal)
        assert {data["record"] for _, data in told(task.id, "task")} == {task.id}
        assert told("nobody") == []
    system.rig.move_deal(deal, system.rig.negotiating)
    system.rig.advance(timedelta(minutes=5))
    system.work(poll=True)
    with system.runtime.store.read() as session:
        last = [event.data.get("signal") for event in cases.events(session, system.case(deal).id)]
    assert any(str(signal).startswith("poll") for signal in last)


@pytest.mark.row("P-76")
def test_a_paused_case_writes_nothing_and_goes_on_where_it_was(system: Any) -> None:
    deal = system.renewal()
    system.rig.trouble(system.kit.Trouble.RATE_LONG, system.kit.Where.CREATE_TASK)
    system.lose(deal)
    system.runtime.rounds["acme"].run()
    system.rig.calm()
    casework.pause(system.runtime, system.case(deal).id)
    for _ in range(30):
        system.rig.advance(timedelta(hours=2))
        system.runtime.rounds["acme"].run()
    assert system.rig.tasks(deal) == [], "not even what was planned before the pause"
    casework.resume(system.runtime, system.case(deal).id)
    system.work()
    assert system.rig.tasks(deal)


def test_the_first_thing_after_a_stop_is_to_ask_what_changed(system: Any) -> None:
    deal = system.renewal()
    system.rig.move_deal(deal, system.rig.not_renewing)
    system.rig.advance(timedelta(minutes=1))
    system.work()
    assert system.case(deal) is None, "no webhook came, and the next poll is years away"
    system.restart()
    system.work()
    assert system.rig.tasks(deal)


def test_what_the_database_refuses_of_one_deal_holds_up_no_other(system: Any) -> None:
    good, bad = system.renewal("Good renewal"), system.renewal("Bad renewal")
    with system.runtime.store.write() as session:
        session.execute(
            text(
                "create trigger refuse before insert on cases when new.deal_name like 'Bad%' "
                "begin select raise(abort, 'refused'); end"
            )
        )
    system.lose(good, bad)
    system.runtime.rounds["acme"].run()
    assert system.rig.tasks(good)
    assert system.rig.tasks(bad) == []
    with system.runtime.store.write() as session:
        session.execute(text("drop trigger refuse"))
    system.rig.advance(timedelta(hours=1))
    system.work()
    assert system.rig.tasks(bad)
