"""Save plans and baselines as people meet them, on every CRM (P-02, P-60)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.store import cases
from workflows.cases import CaseStatus
from workflows.records import RecordKind
from workflows.rules import CaseKind

WON = {"hubspot": "1003", "salesforce": "Closed Won"}
SAVE = {"save_playbook": "save-plan"}
BASELINE = {"baseline_playbook": "baseline"}


@pytest.fixture
def account_settings(request: pytest.FixtureRequest, rig: Any) -> dict[str, Any]:
    """The playbooks that a test names, and the stage of this CRM that says: renewed."""
    return {**request.param, "watch": {"renewed": [WON[rig.name]]}}


def kinds(system: Any, deal: str) -> list[tuple[str, str]]:
    with system.runtime.store.read() as session:
        found = [case for case in cases.listing(session) if case.deal_id == deal]
    return [(case.kind.value, case.outcome) for case in sorted(found, key=lambda case: case.number)]


def work_out(system: Any) -> None:
    while system.work():
        pass


@pytest.mark.row("P-01", "P-02")
@pytest.mark.parametrize("account_settings", [SAVE], indirect=True)
@pytest.mark.parametrize("stays", [True, False])
def test_a_save_plan_opens_in_negotiation_and_ends_with_it(system: Any, stays: bool) -> None:
    deal = system.renewal()
    system.rig.advance(timedelta(minutes=15))
    system.work(poll=True)
    case = system.case(deal)
    assert (case.kind, case.status) == (CaseKind.SAVE, CaseStatus.ACTIVE)
    plan = {task.id for task in system.rig.tasks(deal)}
    assert plan
    assert not system.rig.value(RecordKind.DEAL, deal, "status"), "nobody is told that this customer leaves"
    system.rig.move_deal(deal, WON[system.rig.name] if stays else system.rig.not_renewing)
    system.signal(deal)
    work_out(system)
    tasks = {task.id: task for task in system.rig.tasks(deal)}
    assert all(tasks[one].done for one in plan)
    if stays:
        assert kinds(system, deal) == [("save", "saved")]
    else:
        assert kinds(system, deal) == [("save", "not_renewing"), ("offboarding", "")]
        assert system.rig.value(RecordKind.DEAL, deal, "status") == "active"


@pytest.mark.row("P-60", "P-71")
@pytest.mark.parametrize("account_settings", [BASELINE], indirect=True)
def test_a_deal_that_is_won_gets_its_baseline_in_the_crm(system: Any) -> None:
    deal = system.renewal()
    system.rig.move_deal(deal, WON[system.rig.name])
    system.rig.advance(timedelta(minutes=15))
    system.work(poll=True)
    assert kinds(system, deal) == [("baseline", "")]
    [task] = system.rig.tasks(deal)
    assert "within 72 hours" in task.subject
    assert not system.rig.value(RecordKind.DEAL, deal, "status")
