"""People, tasks and versions over the whole connector, on every CRM: what an account's people do, and what follows."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from connector import moving
from connector.casework import NotPossible
from workflows.cases import CaseStatus, StepStatus
from workflows.playbook import parse_playbook
from workflows.records import RecordKind


def follow(system: Any, *steps: dict[str, Any], version: int = 1, **more: Any) -> None:
    """From now on the account's playbook has these steps."""
    common = {"title": {"en": "Do it for {{ company.name }}"}, "body": {"en": "Please."}, "owner": "csm"}
    release = {"key": "all", "title": {"en": "All"}, "release": "confirmed"}
    phases = [{**release, "steps": [{**common, **step} for step in steps]}]
    whole = {"playbook": "saas", "version": version, "languages": ["en"], "title": {"en": "Own"}, "phases": phases}
    read = parse_playbook(json.dumps(whole | more), "own.yaml")
    library = system.runtime.library
    library.playbooks = {**library.playbooks, "saas": read}


def task_of(system: Any, deal: str, step: str) -> Any:
    task_id = system.case(deal).step(step).task_id
    return next(task for task in system.rig.tasks(deal) if task.id == task_id)


def statuses(system: Any, deal: str) -> dict[str, str]:
    return {step.key: step.status.value for step in system.case(deal).steps}


def lost(system: Any, **values: Any) -> str:
    deal: str = system.renewal(**values)
    system.lose(deal)
    system.work()
    return deal


def calls_of_a_look(system: Any, **by: float) -> int:
    """Time passes, and what is due is done; how many calls that took. After days, what an account costs anyway (poll,
    comparison) is among them; that a read is cheap by itself is held by the conformance suite."""
    system.rig.advance(timedelta(**by))
    system.account.users()
    system.account.rules()  # read again now and then, whatever the cases
    system.rig.forget_calls()
    system.work()
    calls: int = system.rig.calls()
    return calls


WATCHED = (
    {"key": "receipt", "due": "confirmed + 2bd"},
    {"key": "remind", "release": "overdue:receipt + 3bd", "due": "overdue:receipt + 4bd"},
    {"key": "escalate", "owner": "manager", "release": "overdue:receipt + 5bd", "due": "overdue:receipt + 6bd"},
)


# --- tasks --------------------------------------------------------------------------------------------------------


@pytest.mark.row("P-13")
def test_a_receipt_that_does_not_come_is_reminded_of_then_escalated_then_taken_back(system: Any) -> None:
    follow(system, *WATCHED)
    deal = lost(system)
    assert statuses(system, deal) == {"receipt": "open", "remind": "waiting", "escalate": "waiting"}
    system.advance(days=8)
    assert statuses(system, deal)["remind"] == "open"
    system.advance(days=4)
    assert statuses(system, deal)["escalate"] == "open"
    system.rig.complete_task(task_of(system, deal, "receipt").id)
    system.rig.advance(timedelta(minutes=5))
    system.work(poll=True)
    assert task_of(system, deal, "remind").done
    assert task_of(system, deal, "escalate").done
    assert system.case(deal).status is CaseStatus.COMPLETED


@pytest.mark.row("P-13")
def test_what_is_done_in_time_brings_no_reminder_and_costs_one_read(system: Any) -> None:
    follow(system, *WATCHED)
    deal = lost(system)
    system.advance(hours=2)  # company and contacts are left alone from now on
    system.rig.complete_task(task_of(system, deal, "receipt").id)  # and nobody tells us
    assert calls_of_a_look(system, days=12) <= 8, "the deal, the task, the deal's status, and the day's"
    assert len(system.rig.tasks(deal)) == 1
    assert system.case(deal).status is CaseStatus.COMPLETED


@pytest.mark.row("P-2E")
def test_a_step_that_people_set_aside_is_kept_with_their_reason(system: Any) -> None:
    follow(system, {"key": "logins", "due": "confirmed + 2bd"}, {"key": "data", "due": "confirmed + 2bd"})
    deal = lost(system)
    system.rig.set_aside(task_of(system, deal, "logins").id, "Not applicable because they never had any")
    system.rig.complete_task(task_of(system, deal, "data").id)
    system.rig.advance(timedelta(minutes=5))
    system.work(poll=True)
    case = system.case(deal)
    assert (case.step("logins").status, case.step("logins").reason) == (
        StepStatus.NOT_APPLICABLE,
        "they never had any",
    )
    assert case.status is CaseStatus.COMPLETED


# --- people -------------------------------------------------------------------------------------------------------


TALK = {"key": "talk", "owner": "neutral", "release": "confirmed + 1bd", "due": "confirmed + 4bd"}


@pytest.mark.row("P-10", "P-15")
def test_whoever_was_on_the_phone_with_the_customer_does_not_lead_the_conversation(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(system, TALK)
    owner, other = system.rig.users[0], system.rig.users[1]
    third = extra_user(system)
    rules = system.account.rules()
    people = rules.people.model_copy(update={"neutral_pool": (other, third)})
    monkeypatch.setattr(system.account, "rules", lambda: rules.model_copy(update={"people": people}))
    deal = system.renewal(owner_id=owner)
    system.rig.act_on(deal, other, "call")
    system.lose(deal)
    system.work()
    system.advance(hours=2)
    calls = calls_of_a_look(system, days=1)
    step = system.case(deal).step("talk")
    assert step.owner_id == third
    assert "called the customer" in step.why
    most = {"hubspot": 9, "salesforce": 8}  # deal, people (in HubSpot two), who took part (two), task, deal, the day's
    assert calls <= most[system.rig.name]


def extra_user(system: Any) -> str:
    """One more active user."""
    if system.rig.name == "hubspot":
        known = system.rig.world.owners
        found: str = next(key for key, owner in known.items() if owner.active and key not in system.rig.users)
    else:
        found = system.rig.sandbox.add_user("Third", "Person", "third@globex.example")
        system.account.forget_known()
    return found


@pytest.mark.row("P-11", "P-12", "P-13")
def test_who_is_who_shows_in_texts_and_a_single_voice_brings_a_task(system: Any) -> None:
    voices = {"key": "more-voices", "due": "confirmed + 2bd", "when": "contacts | length < 2"}
    names = {"key": "names", "due": "confirmed + 2bd", "body": {"en": "{{ contacts.map }}"}}
    mark = {"key": "mark", "due": "confirmed + 2bd", "when": "not contacts.counterparts"}
    follow(system, voices, names, mark)
    alone, ticked = system.renewal("Alone", contacts=1), system.renewal("Known", contacts=2)
    with_contacts = system.account.crm().observe([ticked])[ticked].deal.contact_ids
    system.rig.tick_counterpart(with_contacts[0])
    system.lose(alone, ticked)
    system.work()
    assert statuses(system, alone) == {"more-voices": "open", "names": "open", "mark": "open"}
    assert statuses(system, ticked) == {"more-voices": "skipped", "names": "open", "mark": "skipped"}
    assert "receives the handover" in task_of(system, ticked, "names").body
    assert "Person 0: decides" in task_of(system, alone, "names").body


# --- quiet --------------------------------------------------------------------------------------------------------


@pytest.mark.row("P-25")
def test_deal_company_and_contacts_are_left_alone_until_the_customer_stays(system: Any) -> None:
    follow(system, {"key": "thank", "due": "confirmed + 1bd"})
    company = system.rig.add_company("Quiet", owner_id=system.rig.users[0])
    crowd = [system.rig.add_contact(f"Ann {number}", email=f"ann{number}@quiet.example") for number in range(60)]
    deal = lost(system, company_id=company, contact_ids=crowd)
    records = ((RecordKind.DEAL, deal), (RecordKind.COMPANY, company), (RecordKind.CONTACT, crowd[-1]))

    def shown() -> list[bool]:
        return [str(system.rig.value(kind, one, "quiet")).lower() == "true" for kind, one in records]

    assert shown() == [True, False, False]
    assert calls_of_a_look(system, hours=1, minutes=5) <= {"hubspot": 3, "salesforce": 2}[system.rig.name]
    assert shown() == [True, True, True]
    system.rig.move_deal(deal, system.rig.negotiating)
    system.signal(deal)
    system.work()
    assert shown() == [False, False, False]


def test_a_customer_is_left_alone_until_the_last_of_their_deals_is_settled(system: Any) -> None:
    follow(system, {"key": "thank", "due": "confirmed + 1bd"})
    company = system.rig.add_company("Quiet", owner_id=system.rig.users[0])
    contact = system.rig.add_contact("Ann Quiet", email="ann@quiet.example")
    deals = [lost(system, company_id=company, contacts=0, contact_ids=[contact]) for _ in range(2)]
    system.rig.advance(timedelta(hours=2))
    system.work()
    records = ((RecordKind.COMPANY, company), (RecordKind.CONTACT, contact))
    for deal, still in zip(deals, (True, False), strict=True):
        system.rig.move_deal(deal, system.rig.negotiating)
        system.signal(deal)
        system.work()
        shown = [str(system.rig.value(kind, one, "quiet")).lower() == "true" for kind, one in records]
        assert shown == [still, still]


# --- versions -----------------------------------------------------------------------------------------------------


@pytest.mark.row("P-77")
def test_a_running_case_moves_to_a_newer_version_with_the_difference_first(system: Any) -> None:
    first = {"key": "thank", "due": "confirmed + 1bd"}
    follow(system, first, {"key": "later", "release": "confirmed + 20bd", "due": "confirmed + 21bd"})
    deal = lost(system)
    case = system.case(deal)
    with pytest.raises(NotPossible, match="already"):
        moving.planned(system.runtime, case.id)
    follow(system, first, {"key": "better", "release": "confirmed + 1bd", "due": "confirmed + 5bd"}, version=2)
    system.signal(deal)
    system.work()
    assert statuses(system, deal) == {"thank": "open", "later": "waiting"}, "a running case keeps its version"
    seen = moving.planned(system.runtime, case.id)
    assert (seen.added, seen.removed) == (("better",), ("later",))
    assert statuses(system, deal) == {"thank": "open", "later": "waiting"}, "looking changes nothing"
    moving.carry_out(system.runtime, case.id[:8])
    system.advance(days=4)
    assert statuses(system, deal) == {"thank": "open", "later": "skipped", "better": "open"}
    assert (system.rig.value(RecordKind.DEAL, deal, "playbook") or "").startswith("saas 2-")
    with pytest.raises(NotPossible, match="no playbook 'nothing'"):
        moving.planned(system.runtime, case.id, "nothing")
