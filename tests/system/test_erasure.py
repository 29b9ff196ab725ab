"""Forgetting a person (P-79), on every CRM: by hand and by the CRM's privacy event."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import Unavailable
from adapters.offers import Forgetting
from adapters.signals import Receipt as Delivered
from adapters.signals import Signal, SignalKind
from connector import outbox
from connector.erase_by_hand import erase_by_hand, foresee
from connector.erasure import Erasure, Unknown
from connector.receiver import take_in
from connector.store import cases, intake
from connector.store.tables import AnswerRow, IntentRow, LinkRow
from workflows.cases import StepStatus
from workflows.questions import Answer
from workflows.records import RecordKind
from workflows.rules import LinkKind
from workflows.writes import CreateNote

MARK = "Zephyrine Quillfeather"
MAIL = "zephyrine@northwind.example"
SAID = "marmalade-flavoured candour"


def rows(system: Any, table: type[Any]) -> list[Any]:
    with system.runtime.store.read() as session:
        return list(session.query(table))


def answered(system: Any) -> tuple[str, str, str]:
    """A case with two contacts, one with a survey link, an answer and a note; gives deal, contact, path of the link."""
    company = system.rig.add_company("Northwind", owner_id=system.rig.users[0])
    contact = system.rig.add_contact(MARK, email=MAIL, decider=True)
    other = system.rig.add_contact("Person Two", email="two@northwind.example")
    end = (system.rig.now() + timedelta(days=20)).date()
    deal = system.renewal(company_id=company, contact_ids=[contact, other], contract_end=end)
    system.lose(deal)
    system.work()
    case = system.case(deal)
    links, now = system.runtime.links, system.rig.now()
    link_id = links.link_id(LinkKind.SURVEY, case.id, contact, "exit")
    link = LinkRow(
        id=link_id, account="acme", case_id=case.id, kind="survey", contact_id=contact, questionnaire="exit",
        language="en", made_at=now, closed_at=None, roles=None, person=links.person("acme", MAIL),
    )  # fmt: skip
    answer = Answer(
        case_id=case.id, contact_id=contact, questionnaire="exit", by="customer", language="en", at=now,
        values={"better": SAID},
    )  # fmt: skip
    note = CreateNote(key=f"{case.id}:greeting", deal_id=deal, title=MARK, body=f"{MARK} called.", at=now)
    with system.runtime.store.write() as session:
        intake.keep_link(session, link)
        intake.save_answer(session, link, answer)
        outbox.put(session, "acme", [note], now, case_id=case.id, why="test")
    system.work()
    path = links.address(LinkKind.SURVEY, case.id, contact, "exit").removeprefix("https://goodbye.northwind.test")
    return deal, contact, path


def note_form(system: Any, deal: str, **said: Any) -> None:
    """A colleague fills in the interview form of this deal's case."""
    case, links, now = system.case(deal), system.runtime.links, system.rig.now()
    link = LinkRow(
        id=links.link_id(LinkKind.INTERVIEW, case.id, None, "interview"), account="acme", case_id=case.id,
        kind="interview", questionnaire="interview", language="en", made_at=now,
    )  # fmt: skip
    values = {name.replace("_", "-"): value for name, value in said.items()}
    form = Answer(
        case_id=case.id, contact_id=None, questionnaire="interview", by="csm", language="en", at=now, values=values
    )
    with system.runtime.store.write() as session:
        intake.keep_link(session, link)
        intake.save_answer(session, link, form)


def plan_note(system: Any, deal: str, key: str, body: str) -> None:
    """A note that is planned, and not sent yet."""
    note = CreateNote(key=key, deal_id=deal, title="Agreed", body=body, at=system.rig.now())
    with system.runtime.store.write() as session:
        outbox.put(session, "acme", [note], system.rig.now(), case_id=system.case(deal).id, why="test")


def on_disk(system: Any) -> bytes:
    path = Path(system.runtime.store.path)
    return b"".join(one.read_bytes() for one in path.parent.glob("aurevoir.db*") if one.is_file())


@pytest.mark.row("P-79")
def test_an_erased_person_leaves_nothing_in_any_file_and_the_receipt_names_nobody(system: Any) -> None:
    deal, _, path = answered(system)
    nuance = f"{MARK.upper()} wept. Zephyrine is like that."
    note_form(system, deal, nuance=nuance, permission="refused", permission_who="Zef Q.")
    assert SAID.encode() in on_disk(system)
    assert MARK.encode() in on_disk(system)
    named = foresee(system.runtime, "acme", name=MARK)
    assert f"{MARK} called." in str([place.words for place in named.places if place.whole])
    assert not named.useless
    found = foresee(system.runtime, "acme", email=MAIL)
    assert found.receipt.answers_removed == 1
    assert nuance in [place.words for place in found.places if place.whole]
    assert sorted(row.by for row in rows(system, AnswerRow)) == ["csm", "customer"], "only shown"
    receipt = erase_by_hand(system.runtime, "acme", email=MAIL)
    assert receipt.answers_removed == 1
    assert receipt.texts_emptied > 0
    told = str(receipt.as_json())
    for secret in (MARK, MAIL, SAID):
        assert secret.encode() not in on_disk(system)
        assert secret not in told
    assert system.web.get(path).status_code == 410, "their link says kindly that it is closed"
    (form,) = rows(system, AnswerRow)
    assert form.given["nuance"] == "… wept. Zephyrine is like that.", "a part of a name may be anybody's"
    assert [one.what for one in receipt.to_look_at] == ["the question nuance in an answer to interview"]
    assert form.given["permission-who"] == "?", "it fits no contact, and may be them; the refusal stays everybody's"
    assert receipt.forms_without_a_name == (system.case(deal).id,)
    assert receipt.notes_in_crm, "what stays in the CRM is said"
    assert system.case(deal).is_open, "the customer's goodbye goes on without them"


@pytest.mark.row("P-79")
def test_erasing_twice_changes_nothing_more_and_says_so(system: Any) -> None:
    _, contact, _ = answered(system)
    first = erase_by_hand(system.runtime, "acme", contact_id=contact, name=MARK)
    again = erase_by_hand(system.runtime, "acme", contact_id=contact, name=MARK)
    assert again.already == first.at.replace("Z", "+00:00") or again.already is not None
    assert (again.answers_removed, again.links_closed, again.writes_withdrawn) == (0, 0, 0)
    with pytest.raises(Unknown):
        erase_by_hand(system.runtime, "acme", email="nobody")


@pytest.mark.row("P-79")
def test_by_a_name_alone_texts_of_who_has_it_are_shown_and_stay(system: Any) -> None:
    contact = system.rig.add_contact("Zoe Ann Quill", email=MAIL, decider=True)
    company = system.rig.add_company("Northwind", owner_id=system.rig.users[0])
    end = (system.rig.now() + timedelta(days=20)).date()
    deal = system.renewal(company_id=company, contact_ids=[contact], contract_end=end)
    system.lose(deal)
    system.work()
    plan_note(system, deal, f"{system.case(deal).id}:hello", "Bonjour Zoe,\nmerci.")
    found = foresee(system.runtime, "acme", name="zoe  Ann quill")
    (shown,) = [one for one in found.theirs if one.what == "the text of a note"]
    assert "Zoe" in shown.words
    assert found.namesakes == (contact,)
    known = foresee(system.runtime, "acme", name="zoe  Ann quill", contact_id=contact)
    assert (known.theirs, known.useless) == ((), False), "with --contact they go"


@pytest.mark.row("P-79")
def test_a_crm_that_cannot_be_asked_who_it_was_is_told_on_the_receipt(
    system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(system)
    with monkeypatch.context() as away:
        away.setattr(system.runtime.accounts["acme"], "crm", _away)
        receipt = erase_by_hand(system.runtime, "acme", email=MAIL)
    assert receipt.answers_removed == 1, "what is known here goes at once"
    assert receipt.as_json()["crm_away"]
    assert receipt.stays[0].startswith("Not finished")
    again = erase_by_hand(system.runtime, "acme", email=MAIL)
    assert not again.crm_away
    assert not [one for one in again.stays if one.startswith("Not finished")]


def _away() -> None:
    raise Unavailable("the CRM is away")


@pytest.mark.row("P-79")
def test_nobody_who_was_erased_gets_a_page_or_a_task_of_their_own_again(system: Any) -> None:
    deal, contact, _ = answered(system)
    erase_by_hand(system.runtime, "acme", contact_id=contact)
    system.advance(days=25)
    case = system.case(deal)
    made = [step for step in case.steps if step.contact_id == contact and step.status is StepStatus.OPEN]
    assert made == []
    assert contact not in case.contact_ids
    assert all(row.closed_at for row in rows(system, LinkRow) if row.contact_id == contact)
    assert any(row.contact_id not in (None, contact) for row in rows(system, LinkRow)), "others still get theirs"


@pytest.mark.row("P-79")
def test_the_crms_privacy_event_erases_at_once_and_may_come_twice(system: Any) -> None:
    deal, contact, path = answered(system)
    now = system.rig.now()
    event = Delivered(signals=(Signal("acme", SignalKind.CONTACT_ERASED, contact, now),) * 2)
    erasure = Erasure(system.runtime.links, system.runtime.library.questionnaires)
    for _ in range(2):
        taken = take_in(
            event,
            system.rig.name,
            store=system.runtime.store,
            accounts_by_name=system.runtime.accounts,
            now=now,
            erase=lambda session, account, ids, at: erasure.erase(session, account, ids, at, language="en"),
        )
        assert taken.erased == 2
    assert rows(system, AnswerRow) == []
    kept = [row for row in rows(system, IntentRow) if MARK in str(row.content)]
    assert kept == [], "texts of the case may hold the name"
    assert system.web.get(path).status_code == 410
    system.rig.advance(timedelta(minutes=1))
    system.work()
    with system.runtime.store.read() as session:
        told = [event.what for event in cases.events(session, system.case(deal).id)]
    assert "person erased" not in told, "the line stands in the account's log, with a reference"


@pytest.mark.row("P-55", "P-79")
def test_what_someone_agreed_to_in_the_conversation_is_forgotten_with_them_by_their_id_alone(system: Any) -> None:
    deal, contact, _ = answered(system)
    case, links, now = system.case(deal), system.runtime.links, system.rig.now()
    until = (now + timedelta(days=90)).date().isoformat()
    said = {"permission_who": f" {MARK}", "permission_for": ("news",), "permission_until": until}
    note_form(system, deal, permission="granted", **said)
    system.signal(deal)
    system.work()
    company = case.company_id
    assert MARK in (system.rig.value(RecordKind.COMPANY, company, "nurture_basis") or "")
    told = len([one for one in system.rig.notes(deal) if MARK in str(one)])
    plan_note(system, deal, f"{case.id}:permission:again", MARK)
    plan_note(system, deal, f"{case.id}:feedback:again", MARK)
    erasure = Erasure(links, system.runtime.library.questionnaires)
    with system.runtime.store.write() as session:
        erasure.erase(session, "acme", [contact], now, language="en")
    for _ in range(2):
        system.rig.advance(timedelta(hours=6))
        system.signal(deal)
        system.work(poll=True)
    assert len([one for one in system.rig.notes(deal) if MARK in str(one)]) == told, "their name is written no more"
    assert not system.rig.value(RecordKind.COMPANY, company, "nurture_basis")
    assert MARK not in (system.rig.value(RecordKind.COMPANY, company, "exit_feedback") or "")
    written = [row.content for row in rows(system, IntentRow)] + [row.given for row in rows(system, AnswerRow)]
    assert MARK not in str(written)
    assert rows(system, AnswerRow)[0].given["permission-for"] == ["news"], (
        "the colleague's form stays, without the name"
    )


@pytest.mark.row("P-79")
def test_a_contact_deleted_in_a_crm_that_tells_nobody_is_noticed_within_a_day(system: Any) -> None:
    if not isinstance(system.account.crm(), Forgetting):
        pytest.skip("this CRM tells of privacy deletions itself; others it keeps in a bin, to be restored")
    _, contact, path = answered(system)
    system.rig.sandbox.world.delete(contact)
    system.advance(hours=25)
    assert rows(system, AnswerRow) == []
    assert MARK.encode() not in on_disk(system)
    assert system.web.get(path).status_code == 410
