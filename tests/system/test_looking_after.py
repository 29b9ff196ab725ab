"""Looking after it, on every CRM: pauses, the failed list, being told inside the CRM."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.results import Level
from connector import casework, operations
from connector.account import OtherAccount
from connector.bootstrap import build
from connector.checkup import check_up
from connector.presence import SERVE, present
from connector.store import accounts, failed, record_log
from connector.store.failed import FailedKind
from workflows.cases import CaseStatus, StepStatus
from workflows.records import RecordKind


def all_failed(system: Any) -> list[failed.Failed]:
    with system.runtime.store.read() as session:
        return failed.listing(session)


def begun(system: Any, name: str = "Northwind renewal") -> str:
    deal: str = system.renewal(name)
    system.lose(deal)
    system.work()
    assert system.case(deal).status is CaseStatus.ACTIVE
    return deal


# --- pauses (P-76) --------------------------------------------------------------------------------------------------


@pytest.mark.row("P-76")
def test_a_paused_playbook_holds_its_cases_and_opens_none_until_it_is_resumed(system: Any) -> None:
    deal = begun(system)
    before = len(system.rig.tasks(deal))
    operations.pause_playbook(system.runtime, "saas", ["acme"])
    other = system.renewal("Globex renewal")
    system.lose(other)
    system.signal(deal)
    system.go_on(days=40)
    assert len(system.rig.tasks(deal)) == before, "nothing is written while it is paused"
    assert system.case(other) is None
    found = operations.resume_playbook(system.runtime, "saas", ["acme"])
    assert found == {"acme": 1}
    system.work()
    assert system.case(other).status is CaseStatus.ACTIVE, "what ended meanwhile is found by the comparison"
    system.advance(days=5)
    assert system.case(deal).is_open


@pytest.mark.row("P-76")
def test_what_counts_from_the_plans_start_comes_as_much_later_as_the_pause_was_long(system: Any) -> None:
    deal, twin = begun(system), begun(system, "Globex renewal")
    casework.pause(system.runtime, system.case(deal).id)
    system.go_on(days=21)
    casework.resume(system.runtime, system.case(deal).id)
    system.work()
    paused, straight = system.case(deal), system.case(twin)
    assert paused.written["delay"] == "21"

    def waiting(case: Any) -> int:
        return sum(step.status is StepStatus.WAITING for step in case.steps)

    assert waiting(paused) > waiting(straight), "its steps do not all appear at once"


@pytest.mark.row("P-76")
def test_a_paused_account_writes_nothing_and_misses_nothing(system: Any) -> None:
    deal = system.renewal()
    operations.pause_account(system.runtime, "acme")
    system.lose(deal)
    system.work()
    assert system.rig.tasks(deal) == []
    (standing,) = operations.standings(system.runtime)
    assert standing.well
    assert standing.paused_at is not None
    operations.resume_account(system.runtime, "acme")
    system.work()
    assert system.case(deal).status is CaseStatus.ACTIVE
    with pytest.raises(casework.NotPossible, match="is not paused"):
        operations.resume_account(system.runtime, "acme")


def test_a_paused_account_is_not_written_to_by_cancelling_either(system: Any) -> None:
    deal = begun(system)
    operations.pause_account(system.runtime, "acme")
    with pytest.raises(casework.NotPossible, match="resume the account first"):
        casework.cancel(system.runtime, system.case(deal).id)


# --- what failed (P-75) ---------------------------------------------------------------------------------------------


@pytest.mark.row("P-75")
def test_a_refused_write_is_listed_with_its_reason_and_retried_alone(system: Any) -> None:
    deal = system.renewal()
    system.rig.trouble(system.kit.Trouble.INVALID, system.kit.Where.UPDATE)
    system.lose(deal)
    system.work()
    listed = all_failed(system)
    assert listed, "a refusal is never silent"
    write = listed[0]
    assert (write.kind, write.deal_id, write.case_id) == (FailedKind.WRITE, deal, system.case(deal).id)
    assert write.reason
    casework.retry(system.runtime, system.case(deal).id)
    system.work()
    assert all_failed(system) == []
    assert system.rig.value(RecordKind.DEAL, deal, "status") == "active"
    subjects = [task.subject for task in system.rig.tasks(deal)]
    assert subjects, "steps that had failed have their tasks now"
    assert len(subjects) == len(set(subjects)), "what had worked is not repeated"
    assert all(step.status is not StepStatus.FAILED for step in system.case(deal).steps)


def test_what_an_admin_leaves_is_listed_no_longer_and_never_sent(system: Any) -> None:
    deal = system.renewal()
    system.rig.trouble(system.kit.Trouble.INVALID, system.kit.Where.UPDATE)
    system.lose(deal)
    system.work()
    casework.leave(system.runtime, system.case(deal).id)
    system.work()
    assert all_failed(system) == []
    assert system.rig.value(RecordKind.DEAL, deal, "status") is None


# --- told inside the CRM (P-75) -------------------------------------------------------------------------------------


def notices_on(system: Any, deal: str) -> list[Any]:
    return [task for task in system.rig.tasks(deal) if "could not be written" in task.subject]


@pytest.mark.row("P-75")
def test_people_are_told_inside_the_crm_of_what_failed_once_and_it_closes_itself(system: Any) -> None:
    deal = system.renewal()
    system.rig.trouble(system.kit.Trouble.INVALID, system.kit.Where.UPDATE)
    system.lose(deal)
    system.work()
    system.advance(minutes=10)
    (notice,) = notices_on(system, deal)
    assert notice.owner_id == system.rig.users[0], "the manager of the settings"
    assert "aurevoir cases retry" in notice.body
    assert not notice.done
    system.advance(days=2)
    assert len(notices_on(system, deal)) == 1, "one for each trouble, not one a day while it stays"
    casework.retry(system.runtime, system.case(deal).id)
    system.advance(hours=1)
    system.advance(hours=1)
    (notice,) = notices_on(system, deal)
    assert notice.done
    assert "mended" in notice.body
    assert all_failed(system) == []


@pytest.mark.parametrize("account_settings", [{"tell_troubles": False}])
def test_nobody_is_told_who_does_not_want_to_be(system: Any) -> None:
    deal = system.renewal()
    system.rig.trouble(system.kit.Trouble.INVALID, system.kit.Where.UPDATE)
    system.lose(deal)
    system.work()
    system.advance(minutes=10)
    assert all_failed(system)
    assert notices_on(system, deal) == []


@pytest.mark.parametrize("account_settings", [{"weekly_note": True}])
@pytest.mark.row("P-75")
def test_a_sign_of_life_comes_each_monday_to_those_who_want_it(system: Any) -> None:
    deal = begun(system)
    system.advance(days=15)
    told = [task for task in system.rig.tasks(deal) if "Aurevoir works" in task.subject]
    assert len(told) in (2, 3)
    assert "plans begun 1" in "".join(task.body for task in told)
    assert "Nothing failed." in told[-1].body


# --- a copied database (P-78) ---------------------------------------------------------------------------------------


@pytest.mark.row("P-78")
def test_a_copied_database_refuses_to_write_to_another_account(system: Any) -> None:
    deal = system.renewal()
    before = system.runtime
    other = {"hubspot": "777", "salesforce": "00D7g00000ZZZZZ"}[system.rig.name]
    config = before.settings.accounts["acme"].model_copy(update={"account_id": other})
    settings = before.settings.model_copy(update={"accounts": {"acme": config}})
    copy = build(settings, adapters=before.adapters, clock=before.clock)
    try:
        system.rig.move_deal(deal, system.rig.not_renewing)
        assert copy.rounds["acme"].run(poll=True) == 0
        ((_, ok, words),) = [one for one in copy.ready() if one[0] == "account acme"]
        assert not ok
        assert "a name of its own" in words
        with pytest.raises(OtherAccount):
            copy.accounts["acme"].provision()
        told = [one.finding for one in check_up(copy) if one.finding.subject in ("connection", "token", "work")]
        assert [one.remedy for one in told if one.level is Level.FAULT] == ["Nothing else can be checked before that."]
        with pytest.raises(OtherAccount), copy.accounts["acme"].reading():
            pass
    finally:
        copy.close()
    assert system.rig.tasks(deal) == []


@pytest.mark.row("P-08")
def test_a_second_installation_on_the_same_account_leaves_alone_what_the_first_began(
    system: Any, tmp_path: Path
) -> None:
    before = system.runtime
    settings = before.settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'other.db'}"})
    other = build(settings, adapters=before.adapters, clock=before.clock)
    try:
        other.store.upgrade(now=system.rig.now())
        noted = " ".join(map(str, other.accounts["acme"].provision().notes))
        assert "another installation" in noted, "what is there already was made by somebody"
        deal = begun(system)
        tasks = system.rig.tasks(deal)
        system.rig.advance(timedelta(minutes=2))  # a search may show a change a little later
        other.rounds["acme"].run(poll=True)
        assert system.rig.tasks(deal) == tasks
        [told] = operations.all_failed(other)
        assert (told.kind, told.deal_id, system.case(deal).id[:8] in told.reason) == (FailedKind.LOOK, deal, True)
        assert system.rig.value(RecordKind.DEAL, deal, "case_id") == system.case(deal).id
    finally:
        other.close()


# --- started by hand (P-72) -----------------------------------------------------------------------------------------


def older_ending(system: Any) -> str:
    """A deal that was lost before the switch-on."""
    deal: str = system.renewal()
    system.rig.move_deal(deal, system.rig.not_renewing)
    with system.runtime.store.write() as session:
        accounts.change(session, "acme", started_at=system.rig.now() + timedelta(seconds=1))
    system.rig.advance(timedelta(minutes=2))
    system.account.reconnect()
    system.signal(deal)
    system.work()
    assert system.case(deal) is None
    return deal


@pytest.mark.row("P-72")
def test_a_case_is_started_by_hand_for_an_ending_from_before_the_switch_on(system: Any) -> None:
    deal = older_ending(system)
    told = casework.start_now(system.runtime, "acme", deal)
    case = system.case(deal)
    assert case.status is CaseStatus.ACTIVE
    assert case.id[:8] in told
    assert "has its case already" in casework.start_now(system.runtime, "acme", deal)
    other = system.renewal("Globex renewal")
    with pytest.raises(casework.NotPossible, match="not in a not-renewing stage"):
        casework.start_now(system.runtime, "acme", other)
    gone = {"hubspot": "99999", "salesforce": "0067g00000ZZZZZ"}[system.rig.name]
    with pytest.raises(casework.NotPossible, match="the CRM has no such deal"):
        casework.start_now(system.runtime, "acme", gone)
    with system.runtime.store.read() as session:
        [line] = record_log.of_record(session, gone, kind="deal")
    assert line.what == "not opened"


@pytest.mark.row("P-72")
def test_beside_serve_the_hand_start_waits_for_what_becomes_of_it(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = system.renewal("Globex renewal")
    sleep = system.runtime.clock.sleep
    monkeypatch.setattr(system.runtime.clock, "sleep", lambda seconds: (sleep(seconds), system.work()))
    with present(system.runtime.store, SERVE):
        with pytest.raises(casework.NotPossible, match="not in a not-renewing stage"):
            casework.start_now(system.runtime, "acme", other)
        assert "has begun" in casework.start_now(system.runtime, "acme", older_ending(system))


def tick(system: Any, deal: str) -> None:
    """Somebody asks on the deal's page for its offboarding, and the next poll comes."""
    field = {"hubspot": "aurevoir_start_now", "salesforce": "Aurevoir_Start_Now__c"}[system.rig.name]
    page = system.rig.sandbox.app.test_client()
    assert f'name="{field}" type="checkbox" value="true">' in page.get(f"/deals/{deal}").text
    assert page.post(f"/deals/{deal}/fields", data={field: ["false", "true"]}).status_code == 303
    system.rig.advance(timedelta(minutes=2))
    system.work(poll=True)


def ticked(system: Any, deal: str) -> bool:
    return system.rig.value(RecordKind.DEAL, deal, "start_now") not in ("false", "False", False)


@pytest.mark.parametrize("account_settings", [{"language": "fr", "watch": {"negotiating": []}}])
@pytest.mark.row("P-72")
def test_people_start_a_case_by_a_tick_on_the_deal_which_is_taken_back_when_it_was_heard(system: Any) -> None:
    deal = older_ending(system)
    tick(system, deal)
    assert system.case(deal).status is CaseStatus.ACTIVE
    assert not ticked(system, deal)
    other = system.renewal("Globex renewal")  # in a stage that nobody watches
    for times in (1, 2):
        tick(system, other)
        assert system.case(other) is None
        assert not ticked(system, other), "who asked is answered in the CRM, where they asked"
        notes = system.rig.notes(other)
        assert len(notes) == times, "once for each tick"
        assert all("n’est pas à une étape de non-renouvellement" in note.body for note in notes)
        assert not any("(P-" in note.body for note in notes)
        system.rig.advance(timedelta(minutes=20))
        system.work(poll=True)
        system.signal(other)
        system.work()
        assert len(system.rig.notes(other)) == times
    with system.runtime.store.read() as session:
        said = [line.what for line in record_log.of_record(session, other, kind="deal")]
    assert said.count("not opened") == 2
