"""Inventory, timeline and documents in a real browser: for everybody, on a phone, in light and dark, without script."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from connector.documents import _SAMPLE
from connector.store import accounts, cases, intake, intents, inventory
from connector.store.tables import LinkRow
from workflows.cases import Step
from workflows.playbook import shipped_playbooks
from workflows.rules import LinkKind
from workflows.writes import AttachDocument, DocumentKind

pytestmark = pytest.mark.browser

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 900}}
CASE = "case-700"


@pytest.fixture(scope="module")
def pages(site: tuple[Any, str]) -> dict[str, str]:
    """Addresses of the pages of one case."""
    house, address = site
    playbook = shipped_playbooks()["saas"]
    steps = tuple(Step(key=rule.key, rule=rule.key) for rule in playbook.steps())
    case = house.open_case("700").model_copy(
        update={"confirmed_at": NOW, "contract_end": date(2026, 5, 31), "steps": steps, "playbook_version": "1"}
    )
    paper = AttachDocument(
        key=f"{CASE}:achievements:document", deal_id="700", document=DocumentKind.ACHIEVEMENTS, language="en",
        name="Achievements.docx", values={**_SAMPLE, "layout": "report"}, at=NOW,
    )  # fmt: skip
    user = {"id": "u1", "name": "Ana Lind", "email": "ana@example.com"}
    found = {}
    with house.store.write() as session:
        cases.save(session, case)
        intents.plan(session, "acme", case.id, [paper], NOW)
        accounts.change(session, "acme", known=dict(accounts.get(session, "acme").known) | {"users": [user]})
        for kind in (LinkKind.INVENTORY, LinkKind.TIMELINE, LinkKind.DOCUMENT):
            about = "achievements" if kind is LinkKind.DOCUMENT else ""
            link_id = house.runtime.links.link_id(kind, case.id, None, about)
            row = LinkRow(id=link_id, account="acme", case_id=case.id, kind=kind.value, contact_id=None,
                          questionnaire=about, language="en", made_at=NOW, closed_at=None)  # fmt: skip
            intake.keep_link(session, row)
            made = house.runtime.links.address(kind, case.id, None, about)
            found[kind.value] = address + made.removeprefix(house.runtime.settings.server.public_url)
    return found


def check(page: Any, name: str) -> None:
    rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})  # all else fills megabytes
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name


@pytest.mark.parametrize(
    ("device", "scheme", "language"), [(PHONE, "dark", "fr"), (DESK, "light", "en")], ids=["phone", "desk"]
)
def test_the_pages_are_for_everybody(
    browser: Any, pages: dict[str, str], device: dict[str, Any], scheme: str, language: str
) -> None:
    context = browser.new_context(**device, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    for name, url in pages.items():
        page.goto(f"{url}?lang={language}")
        check(page, name)
    page.goto(f"{pages['inventory']}?lang={language}")
    page.locator(".line > summary").first.click()
    page.locator("[name$=-place]").first.fill("password: Tr0ub4dor&3")
    page.locator(".sending button").first.click()
    expect(page.get_by_role("alert")).to_be_visible()
    check(page, "an inventory with a problem")
    context.close()


@pytest.mark.row("P-22")
def test_the_inventory_is_filled_in_on_a_phone_without_script(
    site: tuple[Any, str], browser: Any, pages: dict[str, str]
) -> None:
    context = browser.new_context(**PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["inventory"] + "?lang=en")
    line = page.locator("fieldset.row").last
    line.locator(".line > summary").tap()
    line.locator("[name$=-title]").fill("Domain northwind.example")
    line.locator("[name$=-owner]").fill("ana@example.com")
    line.locator("[name$=-due_on]").fill("2026-04-10")
    line.locator(".receipt > summary").tap()
    line.locator("[name$=-evidence]").fill("Transfer code sent")
    page.get_by_role("button", name="Save", exact=True).tap()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    with site[0].store.read() as session:
        kept = {row.title: row for row in inventory.rows(session, CASE)}
    row = kept["Domain northwind.example"]
    assert (row.owner_id, row.due_on, row.evidence) == ("u1", date(2026, 4, 10), "Transfer code sent")
    context.close()


def test_the_customers_page_prints_without_what_is_for_the_screen(browser: Any, pages: dict[str, str]) -> None:
    context = browser.new_context(**DESK)
    page = context.new_page()
    page.goto(pages["timeline"] + "?lang=en")
    page.emulate_media(media="print")
    assert page.locator(".timeline li").count() > 4
    assert page.locator(".timeline li").first.is_visible()
    assert not page.locator("nav").is_visible()
    context.close()
