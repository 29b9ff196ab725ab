"""The pages as people meet them: on a phone and on a desk, light and dark, by touch and by keyboard, without script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from connector.store import intake
from workflows.rules import LinkKind

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 900}}
SMALLEST_TARGET = 44  # CSS pixels: WCAG 2.2, 2.5.5


@pytest.fixture
def links(site: tuple[Any, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """Fresh links for this test, by kind."""
    house, address = site
    deal = str(abs(hash(request.node.name)))
    return {
        "survey": address + house.give_link(deal_id=deal),
        "interview": address + house.give_link(LinkKind.INTERVIEW, deal_id=deal),
        "deal": deal,
    }


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    """A page on a phone, without script."""
    context = browser.new_context(**PHONE, java_script_enabled=False, locale="fr-FR")
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(
    ("device", "scheme", "language"),
    [(PHONE, "light", "fr"), (PHONE, "dark", "en"), (DESK, "light", "en"), (DESK, "dark", "fr")],
    ids=["phone-light-fr", "phone-dark-en", "desk-light-en", "desk-dark-fr"],
)
def test_no_page_has_a_barrier_that_axe_can_see(
    site: tuple[Any, str], browser: Any, links: dict[str, str], device: Any, scheme: str, language: str
) -> None:
    house, address = site
    closed = house.give_link(deal_id=f"closed-{links['deal']}")
    with house.store.write() as session:
        intake.close_links(session, f"case-closed-{links['deal']}", house.clock.now())
    context = browser.new_context(**device, color_scheme=scheme, bypass_csp=True)  # axe comes in as a script
    page = context.new_page()
    token = links["survey"].rpartition("/")[2]
    states = {
        "survey": links["survey"],
        "interview": links["interview"],
        "thanks": f"{address}/survey/{token}/thanks",
        "closed": address + closed,
        "not found": f"{address}/s/none",
    }
    for name, url in states.items():
        page.goto(f"{url}?lang={language}")
        check(page, name)
    page.goto(f"{links['survey']}?lang={language}")
    page.get_by_role("button").click()
    for fold in page.locator("summary").all():
        fold.click()
    check(page, "survey with problems, all unfolded")
    context.close()


def check(page: Any, name: str) -> None:
    """No finding of axe, and nothing wider than the screen."""
    rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})  # all else fills megabytes
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name


def test_a_customer_answers_on_a_phone_without_script_in_three_taps(
    site: tuple[Any, str], phone: Any, links: dict[str, str]
) -> None:
    phone.goto(links["survey"])
    phone.locator(".scale label", has_text="9").first.tap()
    phone.get_by_label("Prix ou valeur").first.tap()
    phone.get_by_role("button", name="Envoyer mes réponses").tap()
    expect(phone.get_by_role("heading", level=1)).to_have_text("Merci")  # waits for the page to come
    (row,) = [row for row in site[0].answers() if row.case_id == f"case-{links['deal']}"]
    assert (row.given["recommend"], row.given["reason"]) == (9, "price")
    phone.get_by_role("link", name="Modifier mes réponses").tap()
    expect(phone.get_by_label("Prix ou valeur").first).to_be_checked()


def test_everything_to_touch_is_large_enough(phone: Any, links: dict[str, str]) -> None:
    phone.goto(links["survey"])
    for fold in phone.locator("summary").all():
        fold.tap()
    targets = phone.locator("label:has(input), button, summary, nav a, textarea").all()
    sizes = [box for target in targets if (box := target.bounding_box())]
    assert len(sizes) > 60
    assert [box for box in sizes if box["height"] < SMALLEST_TARGET or box["width"] < SMALLEST_TARGET - 1] == []


def test_the_unseen_field_is_unseen_and_not_in_the_way_of_the_keyboard(browser: Any, links: dict[str, str]) -> None:
    context = browser.new_context(**DESK)
    page = context.new_page()
    page.goto(f"{links['survey']}?lang=en")
    trap = page.locator("[name=your-website]")
    assert not trap.is_visible()
    names = []
    for _ in range(12):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
    assert names[:3] == ["Skip to the content", "Français", "recommend"]
    assert "your-website" not in names
    context.close()


def test_the_scale_is_answered_by_keyboard_and_its_ends_are_read_out(browser: Any, links: dict[str, str]) -> None:
    context = browser.new_context(**DESK)
    page = context.new_page()
    page.goto(f"{links['survey']}?lang=en")
    group = page.get_by_role("group", name="How likely are you to recommend us")
    assert group.get_by_role("radio", name="0 – Not at all likely", exact=True).count() == 1
    assert group.get_by_role("radio", name="10 – Extremely likely", exact=True).count() == 1
    group.get_by_role("radio").first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert group.get_by_role("radio", name="3", exact=True).is_checked()
    context.close()


def test_an_error_leads_to_its_question_and_keeps_what_was_written(phone: Any, links: dict[str, str]) -> None:
    phone.goto(links["survey"])
    phone.locator("textarea").first.fill("Deux lignes,\net une pensée.")
    phone.get_by_role("button", name="Envoyer mes réponses").tap()
    alert = phone.get_by_role("alert")
    expect(alert).to_contain_text("2 questions sont à revoir")
    alert.get_by_role("link").first.tap()
    expect(phone).to_have_url(re.compile(r"#q-recommend$"))
    assert phone.locator("textarea").first.input_value() == "Deux lignes,\net une pensée."


def test_a_choice_can_be_taken_back_and_only_once_there_is_one(browser: Any, links: dict[str, str]) -> None:
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.goto(f"{links['survey']}?lang=en")
    question = page.locator("#q-avoidable")
    assert not question.get_by_label("No answer").is_visible()
    question.get_by_label("Partly").tap()
    question.get_by_label("No answer").tap()
    expect(question.get_by_label("No answer")).to_be_checked()
    context.close()


def test_opening_pages_in_a_browser_that_runs_everything_but_clicks_nothing_records_nothing(
    site: tuple[Any, str], browser: Any, links: dict[str, str]
) -> None:
    context = browser.new_context(**DESK)
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    for url in (links["survey"], links["interview"]):
        page.goto(url, wait_until="networkidle")
    assert [row for row in site[0].answers() if row.case_id == f"case-{links['deal']}"] == []
    assert messages == []  # no refused style, image or script either
    assert context.cookies() == []
    context.close()
