"""A customer gives up a part of what they have and stays, on every CRM (P-09)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from workflows.cases import CaseStatus
from workflows.records import RecordKind

WON = {"hubspot": "1003", "salesforce": "Closed Won"}


@pytest.fixture
def account_settings(rig: Any) -> dict[str, Any]:
    """Endings are partial here, and a stage of this CRM says: renewed."""
    return {"playbook": "partial", "watch": {"renewed": [WON[rig.name]]}}


def is_set(system: Any, kind: RecordKind, record_id: str, name: str) -> bool:
    """Whether a tick box of ours is ticked."""
    return (system.rig.value(kind, record_id, name) or "").lower() == "true"


@pytest.mark.row("P-09")
@pytest.mark.row("P-56")
def test_who_gives_up_a_part_gets_the_short_plan_and_counts_neither_as_leaving_nor_as_returning(system: Any) -> None:
    deal = system.renewal(contacts=1, contract_end=(system.rig.now() + timedelta(days=3)).date())
    system.lose(deal)
    system.work()
    case = system.case(deal)
    assert case.playbook == "partial"
    assert system.rig.tasks(deal), "the short plan is laid out"
    for _ in range(12):
        for task in system.rig.tasks(deal):
            if not task.done:
                system.rig.complete_task(task.id)
        system.rig.advance(timedelta(days=7))
        system.work(poll=True)
    assert system.case(deal).status is CaseStatus.COMPLETED
    assert not is_set(system, RecordKind.COMPANY, case.company_id, "quiet"), "the rest of it goes on as ever"

    other = system.renewal("The rest", contacts=1, company_id=case.company_id)
    system.rig.advance(timedelta(days=1))
    system.rig.move_deal(other, WON[system.rig.name])
    system.work(poll=True)
    system.work()
    assert not is_set(system, RecordKind.DEAL, other, "returned"), "they never left"
