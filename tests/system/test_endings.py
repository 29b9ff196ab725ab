"""Endings that are not alike, each with the playbook that ships for it, on every CRM: who ended it, how long it was
talked about, whom one can reach, which rights the contract gives, and how content they leave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from connector.preview import preview_deal
from sandbox.hubspot.definitions import DEAL
from workflows.exit_rights import add_months
from workflows.tone import review
from workflows.tone_check import drafts

OUR_DECISION = {"hubspot": "Other", "salesforce": "Our decision"}
SCOPE = {"hubspot": "description", "salesforce": "NextStep"}
"""A text of the deal, as good as any field to say yes or no in."""
CHOICES = [
    {"when": 'deal.exit_reason in ["Other", "Our decision"]', "playbook": "vendor-ended"},
    {"when": "case.save_steps_done", "playbook": "light"},
]

FAMILY = {"save_playbook": "save-plan", "playbooks": CHOICES}


@pytest.fixture
def account_settings(request: pytest.FixtureRequest, rig: Any) -> dict[str, Any]:
    """What a test wants to differ; ``scope``: a field of the deal says whether its contract gives exit rights."""
    given = dict(getattr(request, "param", {}))
    if given.pop("scope", False):
        fields = {"contract_end": rig.contract_end_field, "exit_reason": rig.exit_reason_field}
        given["fields"] = fields | {"exit_rights": SCOPE[rig.name]}
    return given


def work_out(system: Any) -> None:
    while system.work():
        pass


def go_on(system: Any, days: float) -> None:
    """So much later, what has come due meanwhile is worked on."""
    system.rig.advance(timedelta(days=days))
    work_out(system)


def go_to(system: Any, day: date) -> None:
    go_on(system, (day - system.rig.now().date()).days)


def mark(system: Any, deal: str, word: str) -> None:
    """Somebody says on the deal whether its contract gives exit rights."""
    if system.rig.name == "hubspot":
        system.rig._change(DEAL, deal, {SCOPE["hubspot"]: word})
    else:
        system.edit_deal(deal, SCOPE["salesforce"], word)


def task_about(system: Any, deal: str, words: str) -> Any:
    [found] = [task for task in system.rig.tasks(deal) if words in task.subject]
    return found


def subjects(system: Any, deal: str) -> str:
    return "\n".join(task.subject for task in system.rig.tasks(deal))


def page_in(text: str, kind: str) -> str:
    found = re.search(rf"https://[^/\s\"]+(/{kind}/[a-z2-7]+)", unescape(text))
    assert found is not None, text
    return found[1]


def send(system: Any, path: str, answers: Mapping[str, str]) -> None:
    """Open one of our pages, fill in and send it, as a person does."""
    seal = re.search(r'name="form-seal" value="([^"]+)"', system.web.get(path).text)
    assert seal is not None
    reply = system.web.post(path, data={**answers, "form-seal": seal[1]})
    assert reply.status_code == 303, reply.text
    work_out(system)


def finish_open(system: Any, deal: str) -> None:
    for task in system.rig.tasks(deal):
        if not task.done:
            system.rig.complete_task(task.id)
    system.rig.advance(timedelta(minutes=5))
    system.work(poll=True)
    work_out(system)


def due_day(task: Any) -> date:
    return task.due.date() if isinstance(task.due, datetime) else task.due


def drafted(system: Any, deal: str) -> Iterator[str]:
    """The texts for the customer in the deal's tasks, as people read them there."""
    for task in system.rig.tasks(deal):
        yield from drafts(re.sub(r"<[^>]+>", "", unescape(task.body).replace("<br>", "\n").replace("</p>", "\n")))


# --- who ended it, and how ------------------------------------------------------------------------------------------


@pytest.mark.row("P-05", "P-27", "P-2B", "P-2D", "P-2E", "P-72")
@pytest.mark.parametrize("account_settings", [{**FAMILY, "exit_rights": True}], indirect=True)
def test_each_ending_is_told_in_words_of_its_own_and_none_of_them_hurts(system: Any) -> None:
    talked, abrupt = system.renewal("Talked renewal"), system.renewal("Abrupt renewal")
    system.rig.advance(timedelta(minutes=15))
    system.work(poll=True)
    while "Say on the deal how Talked has decided" not in subjects(system, talked):
        finish_open(system, talked)
        go_on(system, 1)
    system.rig.set_aside(
        task_about(system, talked, "what was said").id, "Not applicable: they wrote it down themselves"
    )
    end = (system.rig.now() - timedelta(days=3)).date()
    ours = system.renewal("Ours renewal", contacts=1, exit_reason=OUR_DECISION[system.rig.name], contract_end=end)
    system.lose(talked, abrupt, ours)
    foretold = preview_deal(system.runtime, "acme", ours)
    assert not system.rig.tasks(ours), "a preview writes nothing"
    work_out(system)
    now = [step.title for step in foretold.steps if step.release_at and step.release_at <= system.rig.now()]
    assert (foretold.playbook.split()[0], now) == ("vendor-ended", subjects(system, ours).splitlines())
    followed = {deal: system.case(deal).playbook for deal in (talked, abrupt, ours)}
    assert followed == {talked: "light", abrupt: "saas", ours: "vendor-ended"}, "the plan was gone through to its end"
    assert "Thank Talked for a clear decision" in subjects(system, talked)
    assert "Tell Abrupt that you have heard them" in subjects(system, abrupt)
    assert "Agree who tells Ours" in subjects(system, ours), "who leaves by our decision has told us nothing to hear"
    assert "have heard" not in subjects(system, ours)
    for days in (1, 13):
        finish_open(system, ours)
        go_on(system, days)
    said = [text for deal in (talked, abrupt, ours) for text in drafted(system, deal)]
    assert len(said) >= 6
    assert [finding.phrase for text in said for finding in review(text, "en")] == []
    asked = system.web.get(page_in(task_about(system, ours, "how fairly we parted").body, "s")).text
    assert 'name="fair"' in asked
    assert 'name="reason"' not in asked, "the reason was ours"
    assert "Confirm the notice of Talked" in subjects(system, talked), "whoever leaves lightly keeps their rights"
    assert "exit conversation" not in subjects(system, talked) + subjects(system, ours), "nothing is asked twice"


# --- whom one can reach ---------------------------------------------------------------------------------------------


@pytest.mark.row("P-10", "P-12", "P-13", "P-15", "P-16")
def test_one_voice_brings_a_task_a_call_stands_in_for_a_link_and_silence_comes_to_the_manager(system: Any) -> None:
    manager, csm = system.rig.users
    company = system.rig.add_company("Alone", owner_id=csm)
    person = system.rig.add_contact("Zoe Hill", email=None)
    system.rig.tick_counterpart(person)
    end = (system.rig.now() + timedelta(days=20)).date()
    known = {"owner_id": csm, "company_id": company, "contract_end": end}
    alone = system.renewal("Alone renewal", contact_ids=[person], **known)
    empty = system.renewal("Empty renewal", contact_ids=[], **known)
    system.lose(alone, empty)
    work_out(system)
    go_on(system, 2)
    validates = task_about(system, alone, "Agree on one counterpart").body
    assert "who validates what" in validates
    assert "what happens when no answer comes" in validates
    go_on(system, 2)
    relieved = task_about(system, alone, "Brief the colleague")
    assert relieved.owner_id == csm
    assert "You are relieved of it" in relieved.body
    assert "was chosen because" in relieved.body, "and why it is theirs"
    assert "a single contact" in task_about(system, alone, "Find the voices to listen to").body
    assert "has no contacts" in task_about(system, empty, "Find the voices to listen to").body
    for days in (5, 10, 4):
        go_on(system, days)
    call = task_about(system, alone, "Call Zoe Hill and ask how it was")
    send(system, page_in(call.body, "s"), {"recommend": "9", "reason": "price"})
    assert any("Zoe Hill, taken by phone by " in note.body for note in system.rig.notes(alone))
    reminder, receipt = (task_about(system, alone, words) for words in ("has everything arrived", "confirm that all"))
    assert (reminder.owner_id, receipt.owner_id) == (csm, csm)
    assert "Call Zoe Hill rather than write again" in reminder.body
    go_on(system, 3)
    told = task_about(system, alone, "has everything that is theirs")
    assert told.owner_id == manager, "silence comes to the owner's manager"
    assert "Confirm the notice" not in subjects(system, alone), "no clock runs unless it is switched on"
    system.rig.complete_task(receipt.id)
    system.rig.advance(timedelta(minutes=5))
    system.work(poll=True)
    assert task_about(system, alone, "has everything that is theirs").done


# --- which rights the contract gives, and where we failed them ------------------------------------------------------


@pytest.mark.row("P-11", "P-2B", "P-2C")
@pytest.mark.parametrize("account_settings", [{"exit_rights": True, "scope": True}], indirect=True)
def test_the_clock_of_exit_rights_runs_and_an_own_failure_may_be_made_good_by_a_person(system: Any) -> None:
    owner = system.rig.users[1]
    lost_on = system.rig.now().date()
    deal = system.renewal(owner_id=owner, contract_end=lost_on + timedelta(days=10))
    outside = system.renewal("Southwind renewal", contract_end=lost_on + timedelta(days=10))
    mark(system, outside, "No")
    system.lose(deal, outside)
    work_out(system)
    system.rig.give_role(deal, system.case(deal).contact_ids[1], "End User")
    go_on(system, 5)
    days = {"notice": add_months(lost_on, 2)}
    days["switching"] = days["notice"] + timedelta(days=30)
    days["retrieval"] = days["switching"] + timedelta(days=30)
    confirmed = task_about(system, deal, "Confirm the notice of").body
    assert all(f"{day.day} {day:%B %Y}" in confirmed for day in days.values()), confirmed
    assert "Switching costs you nothing" in confirmed, "the notice ends after 2027-01-12"
    assert "Confirm the notice of" not in subjects(system, outside), "its deal says that its contract is not in scope"

    assert "Did our own words fail" not in subjects(system, deal), "nobody is asked before they were heard"
    system.rig.complete_task(task_about(system, deal, "the exit conversation").id)
    system.rig.advance(timedelta(minutes=5))
    system.work(poll=True)
    goodwill = task_about(system, deal, "Did our own words fail")
    assert goodwill.owner_id == owner
    said = {"what": "silent", "told": "Two tickets stayed open for a month.", "offer": "notice"}
    send(system, page_in(goodwill.body, "team"), said | {"reason": "We owed them an answer; Ana agreed."})
    [note] = [note.body for note in system.rig.notes(deal) if "Two tickets" in note.body]
    assert "Notice or a fee waived" in note
    assert "We owed them an answer; Ana agreed." in note

    go_to(system, days["switching"] - timedelta(days=20))
    assert due_day(task_about(system, deal, "ready to switch")) < days["switching"]
    for number, (own, others) in enumerate((("deciding", "daily-use"), ("daily-use", "deciding"))):
        page = page_in(task_about(system, deal, f"Send Person {number} the two-minute").body, "s")
        asked = system.web.get(page).text
        assert (f'name="{own}"' in asked, f'name="{others}"' in asked) == (True, False), "each is asked what fits"
    go_to(system, days["retrieval"] - timedelta(days=20))
    assert due_day(task_about(system, deal, "retrieve what they still need")) < days["retrieval"]
    go_to(system, days["retrieval"] + timedelta(days=4))
    assert "Send them a receipt" in task_about(system, deal, "Erase the data").body
