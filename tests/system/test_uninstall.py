"""Taking it out again (P-7A), on every CRM."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from adapters.errors import AdapterError
from adapters.offers import Leaving
from adapters.results import Level
from connector import operations
from connector.checkup import check_up
from connector.store import accounts, cases, intents
from connector.store.tables import IntentState
from connector.switch_on import switch_on
from connector.uninstall import uninstall
from sandbox.kit import Fault
from workflows.cases import CaseStatus
from workflows.fields import FIELDS
from workflows.records import RecordKind, Ref
from workflows.writes import UpdateFields

pytestmark = pytest.mark.row("P-7A")


def begun(system: Any) -> str:
    deal: str = system.renewal()
    system.lose(deal)
    system.work()
    return deal


def test_what_we_created_goes_and_what_stays_is_said(system: Any) -> None:
    switch_on(system.runtime, "acme", 0)  # with the rest of the app, or as much of it as an address on loopback allows
    deal = begun(system)
    planned = uninstall(system.runtime, "acme", dry_run=True)
    assert planned.cases_cancelled == 1
    assert len(planned.removed) >= len(FIELDS) - 3
    assert system.case(deal).status is CaseStatus.ACTIVE, "a dry run changes nothing"

    done = uninstall(system.runtime, "acme")
    assert sorted(done.removed) == sorted(planned.removed), "what was announced is what went"
    assert system.case(deal).status is CaseStatus.CANCELLED
    assert system.case(deal).outcome == "taken_out"
    assert all(task.done for task in system.rig.tasks(deal)), "open tasks are closed"
    assert any("stay" in why or "keep" in why or "delete" in why for why in done.stays.values())
    with system.runtime.store.read() as session:
        row = accounts.get(session, "acme")
        assert row is not None
        assert accounts.token(session, "acme") is None
        assert intents.open_for(session, "acme", [deal]) == []
    assert row.started_at is None


def test_an_account_that_was_taken_out_is_no_failure_and_the_check_up_says_what_to_do(system: Any) -> None:
    uninstall(system.runtime, "acme")
    system.work()  # a running server goes on asking
    told = {subject: (ok, text) for subject, ok, text in system.runtime.ready()}
    assert told["account acme"] == (True, "taken out: remove it from the settings, or provision it again")
    assert list(operations.all_failed(system.runtime)) == []
    (standing,) = operations.standings(system.runtime)
    assert (standing.taken_out, standing.failed, standing.trouble, standing.well) == (True, 0, None, True)
    (finding,) = [one.finding for one in check_up(system.runtime) if one.account == "acme"]
    assert (finding.level, finding.text) == (Level.WARNING, "taken out with `aurevoir uninstall`: nothing is watched.")


def test_after_it_the_crm_has_none_of_our_fields_and_a_second_time_removes_nothing_more(system: Any) -> None:
    crm = system.account.crm()
    assert isinstance(crm, Leaving)
    before = set(crm.remove_app(FIELDS, dry_run=True).removed)
    assert set(crm.remove_app(FIELDS).removed) == before
    assert crm.remove_app(FIELDS).removed == ()
    again = system.account.crm().ensure_schema(FIELDS, dry_run=True)
    assert again.present == (), "none of our fields is left"


def test_fields_stay_where_an_admin_wants_to_keep_what_was_said(system: Any) -> None:
    begun(system)
    back = system.renewal("Globex returns")  # without a case of its own, and its return was not written yet
    deal = Ref(kind=RecordKind.DEAL, id=back)
    returned = UpdateFields(key=f"acme:returned:{back}:1", deal_id=back, target=deal, values={"returned": True})
    with system.runtime.store.write() as session:
        intents.plan(session, "acme", "", [returned], system.rig.now())
    operations.pause_account(system.runtime, "acme")
    done = uninstall(system.runtime, "acme", keep_fields=True)
    assert str(system.rig.value(RecordKind.DEAL, back, "returned")).lower() == "true", "nothing is left under way"
    assert "our fields" in done.stays
    assert not any("exit_score" in part.lower() for part in done.removed)


def test_an_uninstall_that_stops_half_way_leaves_the_pause_and_tells_later_what_the_crm_refused_to_close(
    system: Any,
) -> None:
    deal = begun(system)
    first = system.case(deal)
    ended = {"status": CaseStatus.COMPLETED, "outcome": "completed", "closed_at": system.rig.now()}
    with system.runtime.store.write() as session:  # an older ending with tasks, and the newer one that is paused
        cases.save(session, first.model_copy(update=ended))
        newer = {"id": "newer", "number": first.number + 1, "steps": (), "paused": True}
        cases.save(session, first.model_copy(update=newer))
    operations.pause_account(system.runtime, "acme")
    remove = "^DELETE .*/properties/" if system.rig.name == "hubspot" else "^POST .*/metadata/deployRequest"
    system.rig.sandbox.faults.set(Fault(match=remove, status=500, times=None))
    with pytest.raises(AdapterError):
        uninstall(system.runtime, "acme")
    (standing,) = operations.standings(system.runtime)
    assert standing.paused_at is not None, "nobody let it go on"
    assert all(task.done for task in system.rig.tasks(deal)), "the older ending's tasks are closed too"

    system.rig.sandbox.faults.clear()
    with system.runtime.store.write() as session:
        close = next(one for one in intents.of_case(session, first.id) if one.content.get("close"))
        intents.ended(session, "acme", close.key, IntentState.REFUSED, system.rig.now(), reason="no right to it")
    done = uninstall(system.runtime, "acme")
    told = done.stays["in the CRM: tasks that it refused to close"]
    assert told == "1, on Northwind renewal (1) (no right to it): close them there"


def test_what_outlasts_a_completed_case_is_closed_and_quiet_that_would_stay_is_lifted(system: Any) -> None:
    deal = begun(system)
    system.rig.advance(timedelta(hours=2))
    system.work()
    case = system.case(deal)
    company = case.company_id
    assert str(system.rig.value(RecordKind.COMPANY, company, "quiet")).lower() == "true"
    ended = {"status": CaseStatus.COMPLETED, "outcome": "completed", "closed_at": system.rig.now()}
    with system.runtime.store.write() as session:
        cases.save(session, case.model_copy(update=ended))
        assert [count for _, count in cases.open_tasks(session, "acme")] == [
            sum(not task.done for task in system.rig.tasks(deal))
        ]

    planned = uninstall(system.runtime, "acme", keep_fields=True, dry_run=True)
    assert (planned.cases_let_go, planned.tasks_let_go) == (1, len(system.rig.tasks(deal)))
    done = uninstall(system.runtime, "acme", keep_fields=True)
    assert (done.cases_cancelled, done.cases_let_go) == (0, 1)
    assert all(task.done for task in system.rig.tasks(deal))
    assert "in the CRM: open tasks of ours" not in done.stays
    assert str(system.rig.value(RecordKind.COMPANY, company, "quiet")).lower() == "false"
    assert str(system.rig.value(RecordKind.DEAL, deal, "quiet")).lower() == "false"
    assert system.case(deal).status is CaseStatus.COMPLETED, "it is still how the case ended"
