"""Handing over, on every CRM: documents once, the inventory as tasks, the customer's page, what the figures were."""

from __future__ import annotations

import html
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from docx import Document

from connector.store import intents
from workflows.records import RecordKind

SIZE = {"hubspot": "numberofemployees", "salesforce": "NumberOfEmployees"}
NOTES = r"^POST .*/notes/batch/create$"


@pytest.fixture
def account_settings(rig: Any) -> dict[str, Any]:
    """A mapped figure whose past the CRM keeps, and our name for letters."""
    if rig.name == "salesforce":
        rig.sandbox.world.settings.tracked["Account"].add(SIZE[rig.name])
    fields = {"contract_end": rig.contract_end_field, "exit_reason": rig.exit_reason_field}
    return {"company": "Atelier Lumière", "fields": {**fields, "figures": [f"company.{SIZE[rig.name]}"]}}


def set_size(system: Any, company: str, size: int) -> None:
    if system.rig.name == "hubspot":
        from sandbox.hubspot.definitions import COMPANY

        system.rig._change(COMPANY, company, {SIZE["hubspot"]: str(size)})
    else:
        system.rig.sandbox.world.update(company, {SIZE["salesforce"]: size})


def lose_answers(system: Any) -> None:
    """The next file is kept by the CRM, and we never hear of it."""
    if system.rig.name == "hubspot":
        from sandbox.kit import Fault

        system.rig.sandbox.faults.set(Fault(match=NOTES, cut="after", times=1))
    else:
        system.rig.trouble(system.kit.Trouble.RESET_AFTER, system.kit.Where.CREATE_TASK, times=2)


def words_of(content: bytes) -> str:
    """All that a Word file says."""
    document = Document(io.BytesIO(content))
    lines = [paragraph.text for paragraph in document.paragraphs]
    return "\n".join(lines + [" | ".join(cell.text for cell in row.cells) for t in document.tables for row in t.rows])


def page(system: Any, deal: str, subject: str) -> str:
    """The path of the page that the task with these words leads to."""
    task = next(one for one in system.rig.tasks(deal) if subject in one.subject)
    found = re.search(r"https://goodbye\.northwind\.test(/\w+/[a-z2-7]{52})", html.unescape(task.body))
    assert found is not None, task.body
    return found[1]


@pytest.mark.row("P-21", "P-23", "P-24", "P-28")
def test_a_document_is_attached_once_and_opens_even_when_the_crm_s_answer_was_lost(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    lose_answers(system)
    system.advance(days=1)
    system.rig.calm()
    for _ in range(8):
        system.rig.advance(timedelta(minutes=1))
        system.work()
    files = system.rig.files(deal)
    assert [one.name for one in files] == ["Transition plan - Northwind.docx"]
    assert "Access closes, once you have said that you have everything" in words_of(files[0].content)
    with system.runtime.store.read() as session:
        kept = [one for one in intents.of_case(session, system.case(deal).id) if one.kind == "document"]
    assert [one.state for one in kept] == ["done"]


@pytest.mark.row("P-23", "P-24")
def test_the_report_compares_with_the_first_value_that_the_crm_remembers(system: Any) -> None:
    company = system.rig.add_company("Northwind", owner_id=system.rig.users[0])
    set_size(system, company, 10)
    system.rig.advance(timedelta(days=30))
    set_size(system, company, 25)
    end = (system.rig.now() + timedelta(days=20)).date()
    deal = system.renewal(company_id=company, contract_end=end)
    system.lose(deal)
    system.advance(days=14)
    files = {one.name: one.content for one in system.rig.files(deal)}
    said = words_of(files["Achievements - Northwind.docx"])
    assert "| 10 | 25 | +15 (+150%)" in said
    letter = words_of(files["Letter of thanks - Northwind.docx"])
    assert "Atelier Lumière" in letter
    assert "from 10 to 25" in letter
    read = system.web.get(page(system, deal, "achieved with us"))
    assert read.status_code == 200
    assert "+15 (+150%)" in read.text


@pytest.mark.row("P-22")
def test_an_item_of_the_inventory_is_a_task_until_it_was_received(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.advance(days=4)
    address = page(system, deal, "List everything")
    form = system.web.get(address)
    row = re.findall(r'name="row-([0-9a-f]{32})-version"', form.text)[-1]
    seal = re.search(r'name="form-seal" value="([^"]+)"', form.text)
    assert seal is not None
    due = (system.rig.now() + timedelta(days=6)).date()
    values = {"form-seal": seal[1], f"row-{row}-title": "Photo archive", f"row-{row}-kind": "files"}
    values |= {f"row-{row}-due_on": due.isoformat(), f"row-{row}-place": "Shelf 3"}
    assert system.web.post(address, data=values).status_code == 303
    system.work()
    (task,) = [one for one in system.rig.tasks(deal) if "Photo archive" in one.subject]
    assert "Shelf 3" in task.body
    system.rig.advance(timedelta(minutes=20))
    system.work()
    assert "Photo archive" in str([one.body for one in system.rig.notes(deal)])
    system.advance(days=14)
    assert [one for one in system.rig.tasks(deal) if "No receipt yet" in one.subject and not one.done]
    form = system.web.get(address).text
    values = dict(re.findall(r'name="(row-[^"]+)" value="([^"]*)"', form)) | values
    values[f"row-{row}-received_on"] = system.rig.now().date().isoformat()
    assert system.web.post(address, data=values).status_code == 303
    system.work()
    assert all(one.done for one in system.rig.tasks(deal) if "Photo archive" in one.subject)


@pytest.mark.row("P-2A")
def test_the_customer_s_page_stands_on_the_deal_and_ends_with_the_plan(system: Any) -> None:
    deal = system.renewal()
    system.lose(deal)
    system.work()
    address = system.rig.value(RecordKind.DEAL, deal, "timeline_link")
    path = address.removeprefix("https://goodbye.northwind.test")
    shown = system.web.get(path)
    assert shown.status_code == 200
    assert "Access closes" in shown.text
    assert "Northwind" not in shown.text
    assert address in html.unescape(next(one.body for one in system.rig.tasks(deal) if "heard" in one.subject))
    system.rig.move_deal(deal, system.rig.negotiating)
    system.signal(deal)
    system.work()
    assert system.web.get(path).status_code == 410


@pytest.mark.row("P-25")
def test_finance_gets_its_checklist_before_the_end(system: Any) -> None:
    end = (system.rig.now() + timedelta(days=20)).date()
    deal = system.renewal(contract_end=end)
    system.lose(deal)
    system.advance(days=7)
    (task,) = [one for one in system.rig.tasks(deal) if "last invoice" in one.subject]
    assert "No billing after" in task.body
