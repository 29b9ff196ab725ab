"""What people do to records in the course of a case, as the connector meets it on every CRM (P-06 … P-09, P-7B)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.store import cases
from sandbox.hubspot.control import PERSON
from sandbox.hubspot.definitions import DEAL, TASK
from workflows.cases import CaseStatus, StepStatus
from workflows.records import RecordKind


def open_tasks(system: Any, deal: str) -> list[Any]:
    return [task for task in system.rig.tasks(deal) if not task.done]


def restore_deal(system: Any, deal: str) -> None:
    if system.rig.name == "hubspot":
        world = system.rig.sandbox.world
        world.restore(world.get(DEAL, deal, archived=True), source=PERSON)
    else:
        system.rig.sandbox.world.undelete(deal)


@pytest.mark.row("P-09")
def test_a_restored_deal_takes_its_case_up_again(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    first = system.case(deal)
    before = {task.subject for task in open_tasks(system, deal)}
    assert before
    system.rig.delete_deal(deal)
    system.signal(deal)
    system.work()
    assert system.case(deal).status is CaseStatus.STOPPED
    system.rig.advance(timedelta(hours=1))
    restore_deal(system, deal)
    system.signal(deal)
    system.work()
    case = system.case(deal)
    assert (case.id, case.status) == (first.id, CaseStatus.ACTIVE)
    subjects = [task.subject for task in open_tasks(system, deal)]
    assert set(subjects) == before
    assert len(subjects) == len(set(subjects))
    system.advance(days=3)


@pytest.mark.row("P-09")
def test_a_deal_moved_to_a_pipeline_that_nobody_watches_ends_its_case(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    if system.rig.name == "hubspot":
        system.rig._change(DEAL, deal, {"pipeline": "default", "dealstage": "closedlost"})
    else:
        system.rig.sandbox.world.update(deal, {"RecordTypeId": system.rig.sandbox.add_record_type("New business")})
    system.signal(deal)
    system.work()
    assert system.case(deal).status is CaseStatus.CANCELLED
    assert open_tasks(system, deal) == []
    assert len(system.rig.notes(deal)) == 1, "it says why"
    assert system.rig.value(RecordKind.DEAL, deal, "status") == "cancelled"


@pytest.mark.row("P-7B")
def test_people_may_finish_delete_and_give_away_tasks_and_nothing_is_undone(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    system.advance(days=3)
    done, gone, given, *_ = open_tasks(system, deal)
    system.rig.complete_task(done.id)
    system.rig.delete_task(gone.id)
    give_task(system, given.id, system.rig.users[1])
    for _ in range(5):
        system.signal(deal)
        system.advance(days=1)
    tasks = {task.id: task for task in system.rig.tasks(deal)}
    assert tasks[done.id].done
    assert gone.id not in tasks
    assert gone.subject not in {task.subject for task in tasks.values()}, "it is not made again"
    assert tasks[given.id].owner_id == system.rig.users[1]
    states = {step.task_id: step.status for step in system.case(deal).steps}
    assert states[done.id] is StepStatus.DONE
    assert states[gone.id] is StepStatus.DELETED


def give_task(system: Any, task_id: str, user_id: str) -> None:
    if system.rig.name == "hubspot":
        system.rig._change(TASK, task_id, {"hubspot_owner_id": user_id})
    else:
        system.rig.sandbox.world.update(task_id, {"OwnerId": user_id})


@pytest.mark.row("P-07")
def test_a_contract_that_ended_months_ago_gets_a_short_plan_and_not_all_at_once(system: Any) -> None:
    deal = system.renewal(contract_end=(system.rig.now() - timedelta(days=120)).date())
    system.lose(deal)
    system.work()
    assert 1 <= len(open_tasks(system, deal)) <= 7
    most = 0
    for _ in range(20):
        new = len(system.rig.tasks(deal))
        system.advance(days=1)
        most = max(most, len(system.rig.tasks(deal)) - new)
    assert most <= 7
    assert all(task.due for task in system.rig.tasks(deal))
    subjects = " ".join(task.subject for task in system.rig.tasks(deal))
    assert "90-day" not in subjects
    assert "training" not in subjects


@pytest.mark.row("P-09")
@pytest.mark.parametrize("rig", ["hubspot"], indirect=True)  # Salesforce has no merge of deals
def test_a_case_follows_its_deal_into_the_one_it_is_merged_into(system: Any) -> None:
    first, second = system.renewal(), system.renewal("Twin renewal")
    system.lose(first)
    system.work()
    subjects = sorted(task.subject for task in system.rig.tasks(first))
    system.rig.move_deal(second, system.rig.not_renewing)
    survivor = merge_deals(system, second, first)
    system.signal(first, second)
    while system.work():
        pass
    case = system.case(survivor)
    assert case.status is CaseStatus.ACTIVE
    assert [one.id for one in all_cases(system) if one.is_open] == [case.id]
    assert sorted(task.subject for task in open_tasks(system, survivor)) == subjects, "nothing lost, nothing twice"
    assert system.rig.value(RecordKind.DEAL, survivor, "case_id") == case.id


@pytest.mark.row("P-09")
@pytest.mark.parametrize("rig", ["hubspot"], indirect=True)  # Salesforce has no merge of deals
def test_of_two_merged_deals_with_a_case_each_one_goes_on(system: Any) -> None:
    first, second = system.renewal(), system.renewal("Twin renewal")
    system.lose(first, second)
    system.work()
    survivor = merge_deals(system, second, first)
    system.signal(first, second)
    while system.work():
        pass
    assert len([one for one in all_cases(system) if one.is_open]) == 1
    subjects = [task.subject for task in open_tasks(system, survivor)]
    assert subjects
    assert len(subjects) == len(set(subjects))


@pytest.mark.row("P-08", "P-09")
@pytest.mark.parametrize("rig", ["hubspot"], indirect=True)  # Salesforce has no merge of deals
def test_three_deals_merged_at_once_keep_one_case_and_hold_up_nobody(system: Any) -> None:
    first, second, third = (system.renewal(f"{name} renewal") for name in ("Northwind", "Twin", "Triplet"))
    other = system.renewal("Contoso renewal")
    system.lose(first, second)
    system.work()
    system.rig.move_deal(third, system.rig.not_renewing)
    survivor = merge_deals(system, merge_deals(system, third, first), second)
    system.rig.move_deal(other, system.rig.not_renewing)
    system.signal(first, second, third, survivor, other)
    while system.work():
        pass
    assert sorted(one.deal_id for one in all_cases(system) if one.is_open) == sorted([survivor, other])
    assert system.rig.tasks(other)


def merge_deals(system: Any, keep: str, other: str) -> str:
    world = system.rig.sandbox.world
    return str(world.merge(world.get(DEAL, keep), world.get(DEAL, other), source=PERSON).id)


def all_cases(system: Any) -> list[Any]:
    with system.runtime.store.read() as session:
        return list(cases.listing(session))
