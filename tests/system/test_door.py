"""What follows once a customer has left, on every CRM: a word now and then, wishes, moves, and the way back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from connector.door import add, deliver, ledger
from connector.store.tables import LinkRow
from workflows.cases import CaseStatus
from workflows.namesakes import Leaver
from workflows.records import RecordKind
from workflows.rules import LinkKind

WON = {"hubspot": "1003", "salesforce": "Closed Won"}
UNWATCHED = {"hubspot": "1001", "salesforce": "Prospecting"}
PUBLIC = "https://goodbye.northwind.test"


@pytest.fixture
def account_settings(rig: Any) -> dict[str, Any]:
    """The shortest playbook with an open door, and the stage of this CRM that says: renewed."""
    return {"playbook": "light", "watch": {"renewed": [WON[rig.name]]}}


def finish_everything(system: Any, deal: str) -> None:
    for task in system.rig.tasks(deal):
        if not task.done:
            system.rig.complete_task(task.id)
    system.work(poll=True)


def go_on(system: Any, days: int) -> None:
    """Time passes, and whatever comes due on the way is worked on; hardly anything does, long after the end."""
    until = system.rig.now() + timedelta(days=days)
    while (due := min(system.agenda().values(), default=until)) < until:
        system.rig.advance(max(due - system.rig.now(), timedelta(0)))
        system.work()
    system.rig.advance(until - system.rig.now())
    system.work()


def answer_page(system: Any, deal: str, question: str, **values: str) -> None:
    """The customer answers the page that asks this question."""
    bodies = " ".join(task.body for task in system.rig.tasks(deal))
    links = re.findall(rf"{re.escape(PUBLIC)}(/s/[a-z0-9]+)", bodies)
    path = next(one for one in links if f'name="{question}"' in system.web.get(one).text)
    seal = re.search(r'name="form-seal" value="([^"]+)"', system.web.get(path).text)
    assert seal is not None
    answer = system.web.post(path, data={"form-seal": seal[1], **values}, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    system.work()


def leave(system: Any, deal_values: Mapping[str, str] | None = None, **said: str) -> str:
    """A customer has left and answered, and everything before the open door is done."""
    end = (system.rig.now() + timedelta(days=1)).date()
    deal: str = system.renewal(contacts=1, contract_end=end, **(deal_values or {}))
    system.lose(deal)
    system.work()
    for days in (1, 7, 7, 15, 15, 10):
        finish_everything(system, deal)
        go_on(system, days)
    answer_page(system, deal, "reason", recommend="7", **said)
    finish_everything(system, deal)
    assert system.case(deal).status is CaseStatus.COMPLETED
    return deal


def titles(system: Any, deal: str, *, open_only: bool = True) -> list[str]:
    return [task.subject for task in system.rig.tasks(deal) if not (task.done and open_only)]


def note_conversation(system: Any, deal: str, **said: str) -> None:
    """A colleague fills in the interview form of this case."""
    runtime, case_id = system.runtime, system.case(deal).id
    link_id = runtime.links.link_id(LinkKind.INTERVIEW, case_id, None, "interview")
    with runtime.store.write() as session:
        row = LinkRow(id=link_id, account="acme", case_id=case_id, kind="interview", questionnaire="interview")
        row.language, row.made_at = "en", system.rig.now()
        session.merge(row)
    path = f"/interview/{runtime.links.token(LinkKind.INTERVIEW, link_id)}"
    seal = re.search(r'name="form-seal" value="([^"]+)"', system.web.get(path).text)
    assert seal is not None
    values = {"reason": "budget"} | {name.replace("_", "-"): value for name, value in said.items()}
    answer = system.web.post(path, data={"form-seal": seal[1], **values})
    assert answer.status_code == 303, answer.text
    system.work()


def is_set(system: Any, kind: RecordKind, record_id: str, name: str) -> bool:
    """Whether a tick box of ours is ticked."""
    return (system.rig.value(kind, record_id, name) or "").lower() == "true"


def choose(system: Any, link: str, **values: str) -> None:
    path = link.removeprefix(PUBLIC)
    seal = re.search(r'name="form-seal" value="([^"]+)"', system.web.get(path).text)
    assert seal is not None
    assert system.web.post(path, data={"form-seal": seal[1], **values}).status_code == 303
    system.work()


@pytest.mark.row("P-35", "P-36", "P-50", "P-51", "P-55", "P-56")
def test_a_friendly_word_comes_again_until_they_say_stop_and_a_return_is_credited(system: Any) -> None:
    deal = leave(system, reason="merger_closure")
    case = system.case(deal)
    contact, company = case.contact_ids[0], case.company_id
    assert titles(system, deal) == []
    assert "Ask Northwind whether the leaving went well" in titles(system, deal, open_only=False), "a month later"
    answer_page(system, deal, "leaving", leaving="8")
    assert system.rig.value(RecordKind.CONTACT, contact, "leaving_score") == "8", "the leaving itself is rated"
    answer_page(system, deal, "reason", recommend="2", reason="merger_closure")
    [care] = titles(system, deal)
    assert "a score of 2" in care, "a low score calls someone senior also after all was done"
    finish_everything(system, deal)
    go_on(system, 130)
    assert titles(system, deal) == ["Send a friendly word to Person 0"]
    [task] = [one for one in system.rig.tasks(deal) if not one.done]
    [link] = set(re.findall(rf"{re.escape(PUBLIC)}/touch/[a-z0-9]+", task.body))

    until = (system.rig.now() + timedelta(days=90)).date().isoformat()
    said = {"permission_who": "person 0", "permission_for": "news", "permission_until": until}
    note_conversation(system, deal, permission="granted", **said)
    assert is_set(system, RecordKind.CONTACT, contact, "nurture"), "they agreed in the conversation"
    assert "person 0" in (system.rig.value(RecordKind.COMPANY, company, "nurture_basis") or "")
    note_conversation(system, deal, permission="unasked")
    assert not is_set(system, RecordKind.CONTACT, contact, "nurture"), "noted by mistake, and taken back"
    assert not system.rig.value(RecordKind.COMPANY, company, "nurture_basis")

    choose(system, link, hear="news", span="two")
    assert is_set(system, RecordKind.CONTACT, contact, "nurture")
    assert system.rig.value(RecordKind.COMPANY, company, "nurture_until") is not None
    finish_everything(system, deal)
    go_on(system, 200)
    assert titles(system, deal).count("Send a friendly word to Person 0") == 1, "again, some time later"

    choose(system, link, hear="nothing")
    assert not is_set(system, RecordKind.CONTACT, contact, "nurture")
    assert system.rig.value(RecordKind.COMPANY, company, "nurture_until") is None
    assert titles(system, deal) == [], "the open one is closed"

    assert is_set(system, RecordKind.COMPANY, company, "quiet")
    back = system.renewal("Back again", contacts=1, company_id=company)
    system.rig.advance(timedelta(days=1))
    system.rig.move_deal(back, WON[system.rig.name])
    system.work(poll=True)
    system.work()
    assert is_set(system, RecordKind.DEAL, back, "returned")
    assert system.case(deal).written["returned"] == back
    assert not is_set(system, RecordKind.COMPANY, company, "quiet"), "a customer again, who gets invoices and reminders"
    system.work(poll=True)
    system.rig.move_deal(back, UNWATCHED[system.rig.name])
    system.rig.advance(timedelta(minutes=1))
    system.work(poll=True)
    system.work()
    assert not is_set(system, RecordKind.DEAL, back, "returned"), "reopened: they are not back after all"
    assert is_set(system, RecordKind.COMPANY, company, "quiet")
    assert "returned" not in system.case(deal).written
    go_on(system, 400)
    assert titles(system, deal) == []


@pytest.mark.row("P-25", "P-52", "P-53", "P-56")
def test_leavers_are_told_of_what_they_asked_for_and_who_moves_on_is_noticed_once(system: Any) -> None:
    company = system.rig.add_company("Northwind")
    beside = system.renewal("Another contract", contacts=1, company_id=company)
    deal = leave(system, {"company_id": company}, reason="product_gap", missing="No export to Excel, sadly.")
    case = system.case(deal)
    runtime, questionnaires = system.runtime, system.runtime.library.questionnaires
    heard = ledger(runtime.store, "acme", questionnaires)
    assert [voice.words for voice in heard.unsorted] == ["No export to Excel, sadly."]
    wish = add(runtime.store, "acme", "an export to Excel", heard.unsorted, system.rig.now())
    go_on(system, 20)
    assert "Tell Person 0: what they asked for is there" not in titles(system, deal), "not before it is there"
    assert deliver(runtime.store, "acme", wish, system.rig.now()) == [deal]
    assert deliver(runtime.store, "acme", wish, system.rig.now()) == [], "told once"
    system.work()
    system.work()
    assert titles(system, deal).count("Tell Person 0: what they asked for is there") == 1
    assert any("an export to Excel" in task.body for task in system.rig.tasks(deal))

    anew = system.rig.add_contact("Person 0", email="person@corona.example")
    system.rig.employ(anew, system.rig.add_company("Hotel Corona"))
    for contact in (anew, case.contact_ids[0]):
        system.rig.give_number(contact, "+33 6 12 34 56 78")
    go_on(system, 31)
    assert titles(system, deal).count("Person 0 works elsewhere now: wish them well") == 1
    assert any("Hotel Corona (perhaps: a newer contact" in task.body for task in system.rig.tasks(deal))

    elsewhere = system.rig.add_company("Hotel Borealis")
    system.rig.employ(case.contact_ids[0], elsewhere)
    go_on(system, 1)
    assert not any("Borealis" in task.body for task in system.rig.tasks(deal)), "compared once a month"
    go_on(system, 31)
    go_on(system, 31)
    assert titles(system, deal).count("Person 0 works elsewhere now: wish them well") == 2, "a hint, and a fact"
    assert any("Hotel Borealis" in task.body for task in system.rig.tasks(deal))

    assert is_set(system, RecordKind.COMPANY, company, "quiet")
    system.rig.advance(timedelta(days=1))
    system.rig.move_deal(beside, WON[system.rig.name])
    system.signal(beside)
    system.work()
    system.work()
    assert not is_set(system, RecordKind.COMPANY, company, "quiet"), "a customer still, by another contract"
    assert is_set(system, RecordKind.DEAL, deal, "quiet")
    assert not is_set(system, RecordKind.DEAL, beside, "returned")
    system.rig.advance(timedelta(minutes=5))
    system.rig.move_deal(beside, UNWATCHED[system.rig.name])
    system.rig.advance(timedelta(minutes=1))
    system.work(poll=True)
    system.work()
    assert is_set(system, RecordKind.COMPANY, company, "quiet"), "it was a slip: they are left alone again"


@pytest.mark.row("P-53")
def test_comparing_where_people_work_costs_next_to_nothing(system: Any) -> None:
    company, other = system.rig.add_company("Aurora"), system.rig.add_company("Borealis")
    people = [system.rig.add_contact(f"Guest {n}", email=f"guest{n}@aurora.example") for n in range(300)]
    for contact in people:
        system.rig.employ(contact, company)
    system.rig.employ(people[7], other)
    system.rig.forget_calls()
    moved = system.account.crm().moved_contacts(dict.fromkeys(people, company))
    assert {contact: (one.company_id, one.name) for contact, one in moved.items()} == {people[7]: (other, "Borealis")}
    assert system.rig.calls() <= 2

    system.rig.give_number(people[3], "+33 6 12 34 56 78")
    system.rig.give_number(people[4], "+33 1 00 00 00 00")
    since = system.rig.now()
    system.rig.advance(timedelta(days=1))
    new = [system.rig.add_contact(f"Guest {n}", email=f"g{n}@borealis.example") for n in (3, 4, 5)]
    for contact in new:
        system.rig.employ(contact, other)
    system.rig.give_number(new[0], "06.12.34.56.78")
    system.rig.advance(timedelta(minutes=1))
    system.rig.forget_calls()
    known = {contact: Leaver(company_id=company, since=since) for contact in people}
    (found,) = system.account.crm().namesakes(known).items()
    assert found[0] == people[3], "the same name alone tells nobody"
    assert (found[1].contact_id, found[1].company_name, found[1].shared) == (new[0], "Borealis", "number")
    assert system.rig.calls() <= {"hubspot": 8, "salesforce": 3}[system.rig.name]
