"""The console in a real browser: no barriers on any page, and a whole set-up by keyboard alone, on both CRMs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import conformance_kit
import console_kit as kit
import pytest
from axe_playwright_python.sync_playwright import Axe
from waitress.server import create_server

from connector.store import cases
from connector.web.front import server_options
from workflows.cases import Case

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 900}}
FOCUSED = """() => {
  const el = document.activeElement;
  const label = el.labels && el.labels.length ? el.labels[0].innerText : el.getAttribute('aria-label');
  const said = label || el.innerText || '';
  return said.trim().replace(/\\s+/g, ' ');
}"""


@contextmanager
def served(desk: kit.Desk) -> Iterator[str]:
    """The console over HTTP; gives its address."""
    for limiter in desk.app.extensions["limiter"]:
        limiter.enabled = False  # one browser opens everything here
    server = create_server(desk.app, listen="127.0.0.1:0", **server_options(desk.runtime))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
        server.task_dispatcher.shutdown()
        thread.join(5)
        desk.runtime.close()


@pytest.fixture(params=conformance_kit.RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = kit.make_rig(request.param)
    yield made
    made.close()


def sign_in(page: Any, address: str) -> None:
    page.goto(f"{address}/console/")
    page.fill("#email", kit.MAIL)
    page.fill("#password", kit.PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url == f"{address}/console/", page.url


def check(page: Any, name: str) -> None:
    """No finding of axe, and nothing wider than the screen."""
    rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})  # all else fills megabytes
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name


def some_cases(desk: kit.Desk) -> Case:
    """Two endings with their plans; the newer case."""
    rig = desk.rig
    desk.runtime.accounts["acme"].provision()
    for name in ("Northwind renewal 2026", "Brasserie du Lac, toutes licences et tous services compris jusqu'en 2027"):
        deal = rig.add_deal(name, owner_id=rig.users[0], contract_end=(rig.now() + timedelta(days=75)).date())
        rig.move_deal(deal, rig.not_renewing)
        rig.advance(timedelta(seconds=40))
    desk.runtime.rounds["acme"].run(poll=True)
    with desk.runtime.store.read() as session:
        return cases.listing(session)[0]


def test_no_page_of_the_console_has_a_barrier_that_axe_can_see(rig: Any, browser: Any, tmp_path: Path) -> None:
    device, scheme, language = (DESK, "light", "en") if rig.name == "hubspot" else (PHONE, "dark", "fr")
    desk = kit.build_desk(rig, tmp_path, public_url="http://127.0.0.1")
    case = some_cases(desk)
    with served(desk) as address:
        context = browser.new_context(**device, color_scheme=scheme, locale=language, bypass_csp=True)
        page = context.new_page()
        page.goto(f"{address}/console/sign-in")
        check(page, "sign in")
        sign_in(page, address)
        setup = "/console/accounts/acme"
        what_happens = (
            *("/console/", "/console/cases?status=", f"/console/cases/{case.id}", "/console/failed"),
            *("/console/playbooks", "/console/figures/", "/console/check", f"/console/log?record={case.deal_id}"),
        )
        setting_up = (
            *(f"/console/accounts/new?crm={rig.name}", f"{setup}/connect", f"{setup}/switch-on"),
            *(f"{setup}/{step}" for step in ("stages", "fields", "people", "playbooks", "rehearsal")),
        )
        for path in what_happens if device is DESK else setting_up:
            page.goto(address + path)
            page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
            check(page, path)
        page.goto(f"{address}/console/check")
        page.locator("main button").click()
        page.locator("ul.findings").first.wait_for()
        check(page, "the check-up's findings")
        page.goto(f"{address}{setup}/place")
        assert page.locator("#calendar").count() == 1, page.content()[:3000]
        page.fill("#calendar", "Atlantis")
        page.locator("main button").click()
        check(page, "a fault at its field")
        context.close()


# --- by keyboard ----------------------------------------------------------------------------------------------------


class Keys:
    """Goes through pages as someone without a mouse does."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def to(self, name: str) -> None:
        """Press Tab until what begins with these words has the focus."""
        seen = []
        for _ in range(120):
            self.page.keyboard.press("Tab")
            seen.append(self.page.evaluate(FOCUSED))
            if seen[-1].startswith(name):
                return
        raise AssertionError(f"{name!r} is not reached by Tab; there are {seen}")

    def first(self, field: str) -> Any:
        """Wait until the page has put the focus into its first field."""
        self.page.wait_for_function("id => document.activeElement.id === id", arg=field)
        return self.page.keyboard

    def write(self, name: str, text: str) -> None:
        self.to(name)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def choose(self, name: str, beginning: str) -> None:
        """In a list, by typing the beginning of a choice."""
        self.to(name)
        self.page.keyboard.type(beginning)

    def press(self, name: str, *, stays: bool = False) -> None:
        self.to(name)
        if stays:
            self.page.keyboard.press("Enter")
            return
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def heading(self, text: str) -> None:
        self.page.wait_for_function("text => document.querySelector('h1').innerText.trim() === text", arg=text)


def test_a_whole_set_up_is_done_by_keyboard_alone(rig: Any, browser: Any, tmp_path: Path) -> None:
    desk = kit.build_desk(rig, tmp_path, public_url="http://127.0.0.1", accounts={})
    label = rig.adapter.label
    with served(desk) as address:
        context = browser.new_context(**DESK, locale="en")
        page = context.new_page()
        keys = Keys(page)
        page.goto(f"{address}/console/")
        keys.first("email").type(kit.MAIL)
        keys.write("Password", kit.PASSWORD)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        keys.heading("Accounts")
        keys.press("Add an account")
        keys.press(label)
        fill_in_account(keys, rig)
        keys.heading("Connection")
        point_at_sandbox(desk)
        keys.press("Try the connection")
        page.get_by_text("Connected.").wait_for()
        keys.press("Go on")
        keys.heading("Stages")
        choose_stages(keys, desk)
        for step, following in (
            ("Fields", "People"),
            ("People", "Playbooks"),
            ("Playbooks", "Calendar and language"),
            ("Calendar and language", "Rehearsal"),
        ):
            keys.heading(step)
            if step == "People":
                page.locator("input[name=pool]").first.focus()
                page.keyboard.press("Space")
            keys.press("Keep")
            keys.heading(following)
        keys.press("Rehearse")
        page.get_by_text("ended in this time").wait_for()
        keys.press("Go on")
        keys.heading("Switch on")
        keys.press("Create the fields, and switch on")
        page.get_by_text("The account is switched on").wait_for(timeout=60_000)
        context.close()
        assert desk.runtime.accounts["acme"].is_switched_on()
        assert desk.raw()["watch"][0]["not_renewing"]
        assert len(desk.raw()["people"]["neutral_pool"]) == 1


LABELS = {
    "access_token": "Access token",
    "client_secret": "Client secret",
    "login_url": "Login address",
    "client_id": "Client id",
}


def fill_in_account(keys: Keys, rig: Any) -> None:
    given = {**rig.bare_settings()}
    keys.first("name").type("acme")
    keys.write("Id of the account", rig.account_id)
    for key in ("access_token", "client_secret", "login_url", "client_id"):
        if key in given and keys.page.locator(f"#{key}").count():
            keys.page.locator(f"#{key}").focus()
            keys.page.keyboard.press("Shift+Tab")
            keys.write(LABELS[key], str(given[key]))
    keys.page.locator("#calendar").focus()
    keys.page.keyboard.type("France")
    keys.press("Add it")


def point_at_sandbox(desk: kit.Desk) -> None:
    """The look-alike has another address than the real CRM."""
    there = {key: value for key, value in desk.rig.bare_settings().items() if key in ("api_url", "app_url")}
    lines = "".join(f"    {key}: {value}\n" for key, value in there.items())
    text = desk.file.read_text()
    desk.file.write_text(text.replace("    calendar: FR\n", f"    calendar: FR\n{lines}"))
    assert desk.runtime.reloader.look(surely=True)


def choose_stages(keys: Keys, desk: kit.Desk) -> None:
    rig = desk.rig
    pipelines = desk.runtime.accounts["acme"].pipelines()
    chosen = next(one for one in pipelines if one.id == (rig.pipeline_id or ""))
    stage = next(one for one in chosen.stages if one.id == rig.not_renewing)
    if keys.page.locator(f'[id="card-{chosen.id}"]').get_attribute("open") is None:
        keys.press(chosen.label, stays=True)  # unfolds it
    keys.page.locator(f'[id="stage:{chosen.id}:{stage.id}"]').focus()
    keys.page.keyboard.type("ended")
    keys.press("Keep")
