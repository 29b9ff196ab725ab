"""The console: who gets in, who stays, what is shown and what can be done there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import console_kit as kit
import pytest
from werkzeug.routing import Rule

from connector.admins import AdminProblem, Admins
from connector.checkup import check_up
from connector.commands.print import print_cases
from connector.operations import standings
from connector.store import Store, accounts, agenda, cases, intake, intents
from connector.store.console_tables import AdminSessionRow, JobRow, TryRow
from connector.store.tables import EventRow, IntentRow, IntentState, LinkRow
from connector.web import languages
from connector.web.brake import Brake, Lane
from workflows.cases import Case, CaseStatus, Event, Step, StepStatus
from workflows.questions import Answer
from workflows.records import RecordKind, Ref
from workflows.writes import CreateTask, UpdateFields

OPEN = {"console.sign_in", "console.welcome"}


@pytest.fixture(scope="module")
def rig() -> Iterator[Any]:
    made = kit.make_rig("hubspot")
    yield made
    made.close()


@pytest.fixture
def desk(rig: Any, tmp_path: Path) -> Iterator[kit.Desk]:
    made = kit.build_desk(rig, tmp_path)
    yield made
    made.runtime.close()


@pytest.fixture
def inside(desk: kit.Desk) -> kit.Desk:
    assert desk.sign_in().status_code == 303
    return desk


def open_case(desk: kit.Desk, name: str = "Northwind renewal", **changes: Any) -> Case:
    now = desk.rig.now()
    defaults: dict[str, Any] = {
        "id": f"c{abs(hash(name)):032x}"[:32],
        "account": "acme",
        "deal_id": "500",
        "deal_name": name,
        "status": CaseStatus.ACTIVE,
        "playbook": "saas",
        "language": "en",
        "stage_id": "20",
        "entered_at": now,
        "opened_at": now,
        "steps": (
            Step(key="acknowledge", rule="acknowledge", status=StepStatus.OPEN, task_id="9", why="chosen because"),
            Step(key="farewell", rule="farewell", status=StepStatus.DONE, completed_at=now),
        ),
    }
    case = Case.model_validate(defaults | changes)
    with desk.runtime.store.write() as session:
        cases.save(session, case)
    return case


def events(desk: kit.Desk) -> list[tuple[str, str, Any]]:
    with desk.runtime.store.read() as session:
        return [(row.what, row.detail, row.data.get("admin")) for row in session.query(EventRow).order_by(EventRow.id)]


# --- getting in -----------------------------------------------------------------------------------------------------


def test_no_page_is_shown_and_nothing_done_without_a_login(desk: kit.Desk) -> None:
    console = [rule for rule in desk.app.url_map.iter_rules() if rule.rule.startswith("/console")]
    assert len(console) > 15
    for rule in console:
        if rule.endpoint in OPEN:
            continue
        path = _some(rule)
        if "GET" in rule.methods:
            answer = desk.get(path)
            assert (answer.status_code, rule.rule) == (302, rule.rule)
            assert "/console/sign-in" in answer.location
        if "POST" in rule.methods:
            answer = desk.post(path, page="/console/sign-in")
            assert (answer.status_code, "/console/sign-in" in answer.location, rule.rule) == (302, True, rule.rule)


def _some(rule: Rule) -> str:
    """An address that the rule takes."""
    filled = {
        "name": "acme",
        "case_id": "c",
        "token": "t",
        "key": "saas",
        "table": "t",
        "kind": "csv",
        "wish": "1",
        "step": "fields",
        "_unknown": "x",
    }
    filled["what"] = "built" if "wish" in rule.rule else "pause"
    return re.sub(r"<(?:[^>]+:)?(\w+)>", lambda found: filled[found[1]], rule.rule)


def test_a_form_without_this_sessions_seal_changes_nothing(inside: kit.Desk) -> None:
    open_case(inside)
    writing = [rule for rule in inside.app.url_map.iter_rules() if rule.rule.startswith("/console")]
    for rule in (one for one in writing if "POST" in one.methods):
        answer = inside.browser.post(_some(rule), base_url=kit.PUBLIC, data={"csrf_token": "made up"})
        assert (answer.status_code, rule.rule) == (400, rule.rule)
        assert "out of date" in answer.text
    assert inside.get("/console/").status_code == 200, "not even signed out"


def test_the_right_password_opens_and_a_wrong_one_says_nothing_about_which_is_wrong(desk: kit.Desk) -> None:
    wrong = desk.sign_in("not the password")
    unknown = desk.sign_in(email="nobody@example.com")
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    said = [re.search(r'role="alert"><p>([^<]+)', one.text) for one in (wrong, unknown)]
    assert said[0] is not None
    assert said[1] is not None
    assert said[0][1] == said[1][1]
    assert desk.get("/console/").status_code == 302
    assert desk.sign_in().location == "/console/"
    assert desk.get("/console/").status_code == 200
    assert [what for what, _, _ in events(desk)][-3:] == ["sign-in refused", "sign-in refused", "signed in"]
    assert events(desk)[-1][2] == kit.MAIL
    assert events(desk)[-2][2] is None, "what a stranger typed is not kept"


def test_signing_in_leads_to_the_page_that_was_asked_for_and_to_no_other_site(desk: kit.Desk) -> None:
    asked = desk.get("/console/cases?status=open")
    path = asked.location
    assert "next=/console/cases" in path
    wrong = ["https://evil.example/", "//evil.example/console/", "/console//evil.example", "/console/../oauth", "/s/x",
             "/console/\\evil.example", "javascript:alert(1)", "/console/%0d%0aLocation:x"]  # fmt: skip
    for target in wrong:
        assert desk.sign_in(next=target).location == "/console/", target
        desk.post("/console/sign-out", page="/console/")
    assert desk.sign_in(next="/console/cases?status=open").location == "/console/cases?status=open"


def test_guessing_is_slowed_down_ever_more_and_shuts_out_nobody(desk: kit.Desk) -> None:
    form = kit.hidden(desk.get("/console/sign-in").text) | {"email": kit.MAIL}

    def sign_in(address: str, password: str, *, browser: Any = None) -> Any:
        over: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": address}, "base_url": kit.PUBLIC}
        return (browser or desk.browser).post("/console/sign-in", data=form | {"password": password}, **over)

    assert [sign_in("192.0.2.1", "a guess").status_code for _ in range(6)] == [401] * 5 + [429]
    held = sign_in("192.0.2.1", kit.PASSWORD)
    assert held.status_code == 429, "also the right one: a try that must wait tells nothing"
    assert "Wait 1 seconds" in held.text
    waits = []
    for _ in range(4):
        waits.append(int(sign_in("192.0.2.1", "a guess").headers["Retry-After"]))
        desk.rig.advance(timedelta(seconds=waits[-1]))
        assert sign_in("192.0.2.1", "a guess").status_code == 401
    assert waits == [1, 2, 4, 8]
    desk.rig.advance(timedelta(minutes=5))
    assert sign_in("192.0.2.1", kit.PASSWORD).status_code == 303, "the right admin comes in from the same address"

    stranger = desk.app.test_client()
    form = kit.hidden(stranger.get("/console/sign-in", base_url=kit.PUBLIC).text) | {"email": kit.MAIL}
    found = [sign_in(f"198.51.100.{number}", "a guess", browser=stranger).status_code for number in range(14)]
    assert (found[0], found[-1]) == (401, 429), "strangers from everywhere hold each other up"
    desk.post("/console/sign-out", page="/console/")
    form = kit.hidden(desk.get("/console/sign-in").text) | {"email": kit.MAIL}
    assert sign_in("192.0.2.1", kit.PASSWORD).status_code == 303, "a browser that was signed in before is not held up"


def test_the_cookie_is_for_the_console_alone_and_no_script_reads_it(desk: kit.Desk) -> None:
    cookies = {one.partition("=")[0]: one for one in desk.sign_in().headers.getlist("Set-Cookie")}
    assert set(cookies) == {"aurevoir_console", "aurevoir_known"}
    for cookie in cookies.values():
        for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/console"):
            assert part in cookie
    assert "Expires" not in cookies["aurevoir_console"], "gone with the browser"
    assert kit.MAIL not in cookies["aurevoir_known"]


def test_the_database_holds_neither_password_nor_what_the_browser_holds(inside: kit.Desk) -> None:
    with inside.runtime.store.read() as session:
        (row,) = session.query(AdminSessionRow).all()
        (admin,) = Admins(inside.runtime.store, inside.runtime.clock).listing()
    assert admin.password is not None
    assert admin.password.startswith("$argon2id$")
    cookie = inside.browser.get_cookie("aurevoir_console", path="/console", domain="goodbye.northwind.test")
    assert cookie is not None
    assert row.id not in cookie.value


# --- staying in -----------------------------------------------------------------------------------------------------


def test_signing_out_ends_the_session_even_for_a_copy_of_the_cookie(inside: kit.Desk) -> None:
    cookie = inside.browser.get_cookie("aurevoir_console", path="/console", domain="goodbye.northwind.test")
    assert cookie is not None
    assert inside.post("/console/sign-out", page="/console/").status_code == 303
    assert inside.get("/console/").status_code == 302
    inside.browser.set_cookie("aurevoir_console", cookie.value, path="/console", domain="goodbye.northwind.test")
    assert inside.get("/console/").status_code == 302


def test_an_hour_of_silence_and_twelve_hours_of_work_end_a_session(inside: kit.Desk) -> None:
    for _ in range(14):
        inside.rig.advance(timedelta(minutes=50))
        assert inside.get("/console/cases").status_code == 200
    inside.rig.advance(timedelta(minutes=50))
    assert inside.get("/console/cases").status_code == 302, "twelve hours are over"
    inside.sign_in()
    inside.rig.advance(timedelta(minutes=61))
    assert inside.get("/console/cases").status_code == 302


def test_a_new_password_signs_out_every_browser_and_a_removed_admin_is_out_at_once(inside: kit.Desk) -> None:
    admins = Admins(inside.runtime.store, inside.runtime.clock)
    admins.set_password(kit.MAIL, "another set of words")
    assert inside.get("/console/").status_code == 302
    assert inside.sign_in().status_code == 401
    assert inside.sign_in("another set of words").status_code == 303
    admins.remove(kit.MAIL)
    assert inside.get("/console/").status_code == 302


def test_tries_at_once_get_no_more_guesses_than_one_after_another(desk: kit.Desk) -> None:
    brake, now = Brake(desk.runtime.store), datetime(2026, 11, 23, tzinfo=UTC)
    lanes = Lane("near", 5, timedelta(minutes=1)), Lane("anywhere", 20, timedelta(seconds=10))
    assert [bool(brake.begin(lanes, now)) for _ in range(5)] == [False] * 5
    other = Store(desk.runtime.settings.database_url)  # another web process on the same database
    assert [bool(Brake(other).begin(lanes, now)) for _ in range(3)] == [True] * 3, "none has been answered yet"
    other.close()
    brake.right(lanes)
    near = [brake.begin((lanes[0], Lane("elsewhere", 20, timedelta(seconds=10))), now) for _ in range(6)]
    assert [bool(one) for one in near] == [False] * 5 + [True], "the right password opens all of the nearest"
    far = [bool(brake.begin(lanes[1:], now)) for _ in range(17)]
    assert far == [False] * 16 + [True], "of the rest it takes back its own try alone"
    assert not brake.begin((lanes[0], Lane("new", 5, timedelta(minutes=1))), now + timedelta(hours=1)), "begun anew"
    with desk.runtime.store.read() as session:
        assert session.query(TryRow).count() == 2, "what was counted an hour ago is gone"


# --- being invited --------------------------------------------------------------------------------------------------


def test_an_invitation_sets_a_password_once(desk: kit.Desk) -> None:
    admins = Admins(desk.runtime.store, desk.runtime.clock)
    admins.add("New@Example.com")
    token, _ = admins.invite("new@example.com")
    path = f"/console/welcome/{token}"
    assert "new@example.com" in desk.get(path).text
    short = desk.post(path, {"password": "short", "again": "short"})
    other = desk.post(path, {"password": "some calm long words", "again": "others"})
    assert (short.status_code, other.status_code) == (422, 422)
    taken = desk.post(path, {"password": "some calm long words", "again": "some calm long words"})
    assert taken.status_code == 303
    assert desk.get("/console/").status_code == 200, "and signed in with it"
    assert desk.get(path).status_code == 410
    desk.post("/console/sign-out", page="/console/")
    assert desk.sign_in("some calm long words", "NEW@example.com").status_code == 303


def test_an_invitation_is_over_after_a_day_or_with_the_next_one(desk: kit.Desk) -> None:
    admins = Admins(desk.runtime.store, desk.runtime.clock)
    first, _ = admins.invite(kit.MAIL)
    second, _ = admins.invite(kit.MAIL)
    assert desk.get(f"/console/welcome/{first}").status_code == 410
    assert desk.get(f"/console/welcome/{second}").status_code == 200
    assert desk.sign_in().status_code == 401, "the former password no longer opens"
    desk.rig.advance(timedelta(hours=25))
    assert desk.get(f"/console/welcome/{second}").status_code == 410


def test_who_guesses_invitations_is_held_up_and_who_holds_one_is_not(desk: kit.Desk) -> None:
    token, _ = Admins(desk.runtime.store, desk.runtime.clock).invite(kit.MAIL)
    guessed = [desk.get(f"/console/welcome/{number}").status_code for number in range(31)]
    assert guessed == [410] * 30 + [429]
    assert desk.get(f"/console/welcome/{token}").status_code == 200, "behind the same address"
    assert desk.get("/console/sign-in").status_code == 200


def test_passwords_that_are_short_or_guessed_are_refused(desk: kit.Desk) -> None:
    admins = Admins(desk.runtime.store, desk.runtime.clock)
    for bad in ("elevenchars", "aaaaaaaaaaaaaaa", "my admin password", "x" * 300):
        with pytest.raises(AdminProblem):
            admins.set_password(kit.MAIL, bad)


# --- what is shown --------------------------------------------------------------------------------------------------


def test_names_from_the_crm_are_text_wherever_they_stand(inside: kit.Desk) -> None:
    evil = '<script>alert("x")</script><img src=x onerror=alert(1)>'
    case = open_case(inside, evil, reason=evil, outcome=evil)
    with inside.runtime.store.write() as session:
        write = CreateTask(key=f"{case.id}:x", deal_id="500", subject=evil, due_at=case.opened_at, owner_id="1")
        intents.plan(session, "acme", case.id, [write], case.opened_at)
        intents.ended(session, "acme", write.key, IntentState.REFUSED, case.opened_at, reason=evil)
        link = LinkRow(id="L", account="acme", case_id=case.id, kind="survey", contact_id=None, questionnaire="exit",
                       language="en", made_at=case.opened_at, closed_at=None)  # fmt: skip
        intake.keep_link(session, link)
        answer = Answer(case_id=case.id, contact_id=None, questionnaire="exit", by="customer", language="en",
                        at=case.opened_at, values={"missed": evil})  # fmt: skip
        intake.save_answer(session, link, answer)
    for path in (
        "/console/",
        "/console/cases",
        f"/console/cases/{case.id}",
        "/console/failed",
        "/console/cases?text=<b>",
    ):
        html = inside.get(path).text
        assert "<script" not in html
        assert "<img" not in html
        assert "<b>" not in html
    assert "&lt;script&gt;" in inside.get(f"/console/cases/{case.id}").text


def test_cases_are_found_by_status_kind_playbook_and_text(inside: kit.Desk) -> None:
    open_case(inside, "Northwind renewal")
    open_case(inside, "Brasserie du Lac", deal_id="501", status=CaseStatus.COMPLETED, playbook="light")
    open_case(inside, "Save them", deal_id="502", kind="save", playbook="save-plan")
    names = ("Northwind", "Brasserie", "Save them")

    def shown(query: str) -> set[str]:
        html = inside.get(f"/console/cases{query}").text
        return {name for name in names if name in html}

    assert shown("") == {"Northwind", "Save them"}, "the open ones at first"
    assert shown("?status=") == set(names)
    assert shown("?status=completed") == {"Brasserie"}
    assert shown("?status=&kind=save") == {"Save them"}
    assert shown("?status=&playbook=light") == {"Brasserie"}
    assert shown("?status=&text=BRASS") == {"Brasserie"}
    assert shown("?status=&text=502") == {"Save them"}
    assert shown("?status=&text=%25") == set()
    assert shown("?status=&account=none") == set()
    assert shown("?page=99") == set()


def test_many_cases_come_a_page_at_a_time(inside: kit.Desk) -> None:
    for number in range(53):
        open_case(
            inside, f"Deal {number:03}", deal_id=str(number), opened_at=inside.rig.now() + timedelta(hours=number)
        )
    first, second = inside.get("/console/cases").text, inside.get("/console/cases?page=2").text
    assert "Deal 052" in first
    assert "Deal 002" not in first
    assert "Deal 002" in second
    assert "Page 2 of 2" in second


def test_a_page_that_there_is_not_is_empty(inside: kit.Desk) -> None:
    for page in ("-1", "0", "9" * 30, "two"):
        assert inside.get(f"/console/cases?page={page}").status_code == 200, page


def test_a_case_shows_its_steps_its_answers_and_why(inside: kit.Desk) -> None:
    case = open_case(inside)
    html = inside.get(f"/console/cases/{case.id}").text
    assert "chosen because" in html
    assert "done" in html
    told = [
        Event(what="plan started", detail="playbook saas 3"),
        Event(what="task written", data={"key": f"{case.id}:acknowledge", "record": "9"}),
        Event(what="never heard of"),
    ]
    with inside.runtime.store.write() as session:
        cases.log(session, "acme", told, inside.rig.now(), case_id=case.id, deal_id=case.deal_id)
    html = inside.get(f"/console/cases/{case.id}?lang=fr").text
    assert "Le plan a commencé" in html
    assert "never heard of" in html, "what we have no words for is not lost"
    assert html.index("Pour la recherche technique") < html.index("key: "), "folded away"
    assert "Northwind renewal" in re.findall(r"<tbody>.*?</tbody>", html, re.S)[0], "titles name the customer"
    for nothing in ("/console/cases/nosuch", "/console/nosuch", "/console/accounts/nosuch/stages"):
        page = inside.get(nothing)
        assert page.status_code == 404
        assert 'href="/console/playbooks"' in page.text, "the console's own page, with its menu"


def test_pages_speak_french(inside: kit.Desk) -> None:
    open_case(inside)
    assert "Dossiers" in inside.get("/console/?lang=fr").text
    assert "Dossiers" in inside.get("/console/cases").text, "remembered"
    assert "Cases" in inside.get("/console/?lang=en").text


def test_a_deal_that_waits_until_its_stage_has_held_says_until_when(
    inside: kit.Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    case = open_case(inside, status=CaseStatus.SETTLING, steps=())
    until = inside.rig.now() + timedelta(hours=24)
    with inside.runtime.store.write() as session:
        accounts.ensure(session, "acme", inside.rig.name, inside.rig.account_id)
        accounts.change(session, "acme", started_at=inside.rig.now())
        agenda.put(session, "acme", [agenda.Entry("500", until, "timer")])
    stamp = f'<time datetime="{until.isoformat()}">'
    for path in ("/console/", "/console/cases", f"/console/cases/{case.id}"):
        assert stamp in inside.get(path).text, path
    (standing,) = standings(inside.runtime)
    assert (standing.settling, standing.settles_at) == (1, until)
    print_cases([case], settles={case.id: until})
    assert f"settling until {until:%Y-%m-%d %H:%M}" in " ".join(capsys.readouterr().out.split())


def test_a_case_of_a_paused_account_is_marked_and_one_called_off_counts_only_what_was_done(
    inside: kit.Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = (StepStatus.DONE, StepStatus.CLOSED, StepStatus.SKIPPED)
    case = open_case(inside, steps=tuple(Step(key=end.value, rule=end.value, status=end) for end in ends))
    with inside.runtime.store.write() as session:
        accounts.ensure(session, "acme", inside.rig.name, inside.rig.account_id)
        accounts.change(session, "acme", started_at=inside.rig.now(), paused_at=inside.rig.now())
    html = inside.get("/console/cases").text
    assert ("account paused" in html, "3/3" in html) == (True, True)
    print_cases([case], resting={"acme"})
    cancelled = case.model_copy(update={"status": CaseStatus.CANCELLED})
    with inside.runtime.store.write() as session:
        cases.save(session, cancelled)
    html = inside.get("/console/cases?status=").text
    assert ("account paused" in html, "1/3" in html) == (False, True)
    print_cases([cancelled], resting={"acme"})
    told = " ".join(capsys.readouterr().out.split())
    assert ("active (account paused)" in told, "3/3" in told, "1/3" in told) == (True, True, True)


def test_steps_that_wait_say_when_they_appear_or_for_what(inside: kit.Desk) -> None:
    waits = tuple(Step(key=key, rule=key) for key in ("farewell", "thank-for-answer"))
    case = open_case(inside, steps=waits, contract_end=(inside.rig.now() + timedelta(days=75)).date())
    html = inside.get(f"/console/cases/{case.id}").text
    assert "appears on" in html
    assert "once the customer has answered" in html


def test_one_refused_write_is_tried_again_alone_also_where_it_belongs_to_no_case(inside: kit.Desk) -> None:
    case = open_case(inside)
    now = case.opened_at
    with inside.runtime.store.write() as session:
        for key, owner in ((f"{case.id}:thanks", case.id), (f"{case.id}:call", case.id), ("acme:trouble:1:day", "")):
            write = CreateTask(key=key, deal_id="500", subject="It is <amiss>", due_at=now, owner_id="1")
            intents.plan(session, "acme", owner, [write], now)
            intents.ended(session, "acme", key, IntentState.REFUSED, now, reason="no")
    html = inside.get("/console/failed").text
    assert "task “It is &lt;amiss&gt;”" in html
    assert "task acme" not in html
    for key in (f"{case.id}:thanks", "acme:trouble:1:day"):
        inside.post("/console/failed/retry", {"account": "acme", "key": key}, page="/console/failed")
    with inside.runtime.store.read() as session:
        states = {row.key: row.state for row in session.query(IntentRow)}
    assert states == {
        f"{case.id}:thanks": "planned", f"{case.id}:call": "refused", "acme:trouble:1:day": "planned"
    }  # fmt: skip
    inside.post("/console/failed/retry", {"account": "acme", "key": "acme:trouble:1:day"}, page="/console/failed")
    assert "nothing to try again" in inside.get("/console/failed").text


@pytest.mark.row("P-75")
def test_old_values_are_not_sent_over_newer_ones_and_the_admin_is_told(inside: kit.Desk) -> None:
    case = open_case(inside)
    deal = Ref(kind=RecordKind.DEAL, id="500")
    keys = [f"{case.id}:{number}" for number in (1, 2, 3)]
    with inside.runtime.store.write() as session:
        for minutes, (key, status) in enumerate(zip(keys, ("settling", "active", "completed"), strict=True)):
            at = case.opened_at + timedelta(minutes=minutes)
            write = UpdateFields(key=key, deal_id="500", target=deal, values={"status": status})
            intents.plan(session, "acme", case.id, [write], at)
            if key != keys[-1]:
                intents.ended(session, "acme", key, IntentState.REFUSED, at, reason="no")
    inside.post("/console/failed/retry", {"account": "acme", "key": keys[0]}, page="/console/failed")
    assert "Newer values were written since" in inside.get("/console/failed").text
    page = f"/console/cases/{case.id}"
    assert "Newer values were written since" in inside.post(f"{page}/retry", page=page, follow_redirects=True).text
    with inside.runtime.store.read() as session:
        states = {row.key: row.state for row in session.query(IntentRow)}
        assert [one.what for one in cases.events(session, case.id)].count("not tried again") == 2
    assert states == dict(zip(keys, ("withdrawn", "withdrawn", "planned"), strict=True))


# --- what can be done -----------------------------------------------------------------------------------------------


def test_a_case_is_paused_resumed_and_its_failed_writes_are_tried_again(inside: kit.Desk) -> None:
    case = open_case(inside)
    page = f"/console/cases/{case.id}"
    inside.post(f"{page}/pause", page=page)
    assert "Let it go on" in inside.get(page).text
    inside.post(f"{page}/resume", page=page)
    with inside.runtime.store.read() as session:
        assert not cases.by_id(session, case.id).paused  # type: ignore[union-attr]
    nothing = inside.post(f"{page}/retry", page=page, follow_redirects=True)
    assert "nothing of this case was refused" in nothing.text
    assert ("case pause", case.id, kit.MAIL) in events(inside)
    assert inside.engine.accounts.count("acme") >= 2, "looked at at once"


def test_an_account_is_paused_and_goes_on(inside: kit.Desk) -> None:
    inside.runtime.accounts["acme"].provision()
    inside.post("/console/accounts/acme/pause", page="/console/")
    assert "paused" in inside.get("/console/").text
    inside.post("/console/accounts/acme/resume", page="/console/")
    assert "Let it go on" not in inside.get("/console/").text


def test_what_could_not_be_done_is_not_in_the_log(inside: kit.Desk) -> None:
    before = events(inside)
    for path, form, page in (
        ("accounts/acme/resume", {}, "/console/"),
        ("playbooks/saas/resume", {"account": "acme"}, "/console/playbooks"),
    ):
        answer = inside.post(f"/console/{path}", form, page=page, follow_redirects=True)
        assert "nothing to resume" in answer.text
    assert events(inside) == before


def test_a_playbook_is_paused_where_it_is_used(inside: kit.Desk) -> None:
    open_case(inside)
    inside.post("/console/playbooks/saas/pause", {"account": "acme"}, page="/console/playbooks")
    assert "paused in acme" in inside.get("/console/playbooks").text
    inside.post("/console/playbooks/saas/resume", {"account": "acme"}, page="/console/playbooks")
    assert "paused in acme" not in inside.get("/console/playbooks").text


def test_a_playbook_that_left_the_library_can_still_be_paused_while_cases_follow_it(inside: kit.Desk) -> None:
    open_case(inside, playbook="our-old-one")
    assert "our-old-one" in inside.get("/console/playbooks").text
    inside.post("/console/playbooks/our-old-one/pause", {"account": "acme"}, page="/console/playbooks")
    assert "paused in acme" in inside.get("/console/playbooks").text
    inside.post("/console/playbooks/our-old-one/resume", {"account": "acme"}, page="/console/playbooks")
    assert "paused in acme" not in inside.get("/console/playbooks").text
    unknown = inside.post("/console/playbooks/never-there/pause", {"account": "acme"}, page="/console/playbooks")
    assert "there is no playbook" in inside.get(unknown.location).text


def test_settings_that_cannot_be_used_stand_on_the_first_page(inside: kit.Desk) -> None:
    whole = inside.file.read_text().replace("calendar: FR", "calendar: ZZ")
    inside.file.write_text(whole)
    inside.runtime.reloader.look()
    html = inside.get("/console/").text
    assert "cannot be used" in html
    assert "accounts.acme.calendar" in html


def test_the_check_up_is_run_when_asked_for(inside: kit.Desk) -> None:
    assert "to mend" not in inside.get("/console/check?run=1").text, "a link asks no CRM"
    begun = inside.post("/console/check", {"account": "acme"}, page="/console/check")
    assert (begun.status_code, begun.location) == (303, "/console/check#acme")
    assert "to mend" in inside.get("/console/check").text
    html = inside.get("/console/check?lang=fr").text
    assert "à réparer" in html, "kept without a language"
    assert 'id="acme"' in html
    with inside.runtime.store.write() as session:  # as if the process had died in the middle, two minutes ago
        (row,) = session.query(JobRow).all()
        row.ended_at, row.outcome, row.beat_at = None, None, row.beat_at - timedelta(minutes=2)
    html = inside.get("/console/check?lang=en").text
    assert "was stopped before this was done. Start it again" in html
    inside.post("/console/check", page="/console/check")
    assert "to mend" in inside.get("/console/check").text
    with inside.runtime.store.write() as session:  # as if another version of the program had kept it
        (row,) = session.query(JobRow).all()
        row.outcome = "v1:none-of-ours"
    lost = inside.get("/console/check").text
    assert "cannot be shown any more" in lost
    assert "Looked at" not in lost


def test_who_comes_second_is_told_that_work_is_under_way_and_stands_in_no_log(inside: kit.Desk) -> None:
    now = datetime.now(UTC)
    with inside.runtime.store.write() as session:
        for kind in ("rehearsal", "switch-on"):
            session.add(JobRow(kind=kind, account="acme", run="r", begun_at=now, beat_at=now, step="", done=0, total=9))
    before = events(inside)
    inside.post("/console/accounts/acme/switch-on", {"older": "take", "most": "9"}, page="/console/")
    assert "What you chose just now was not begun" in inside.get("/console/").text
    inside.post("/console/accounts/acme/rehearsal", {"since": "2026-01-01"}, page="/console/")
    assert "Start yours when it has ended" in inside.get("/console/").text
    assert events(inside) == before


def test_what_waits_for_a_restart_is_named_and_keeps_the_account_from_being_switched_on(inside: kit.Desk) -> None:
    former, fresh = kit.PUBLIC, "https://new.northwind.test"
    inside.file.write_text(inside.file.read_text().replace(former, fresh))
    assert inside.runtime.reloader.look()
    assert "take effect: server.public_url." in inside.get("/console/").text
    path = "/console/accounts/acme/switch-on"
    refused = inside.post(path, page="/console/")
    for html in (inside.get(path).text, refused.text):
        assert "It cannot be switched on yet" in html
        assert f"server.public_url = {fresh}: the file says so" in html
    assert refused.status_code == 422
    assert not inside.runtime.accounts["acme"].is_switched_on()


def test_the_check_up_is_said_in_the_readers_language(inside: kit.Desk) -> None:
    findings = [one.finding for one in check_up(inside.runtime)]
    with inside.app.test_request_context("/"):
        languages.choose(languages.available(), ("fr",))
        said = {languages.told(one.text) for one in findings} | {languages.told(one.remedy) for one in findings}
    told = {"pas en service : rien n’est encore suivi.", "à 1 s près celle de HubSpot", "Démarrez `aurevoir serve`."}
    assert told <= said
    assert not [one for one in said if "not switched on" in one or "Start " in one]


def test_who_did_what_can_be_read_afterwards(inside: kit.Desk) -> None:
    inside.sign_in("not the password")
    html = inside.get("/console/log").text
    for word in ("signed in", kit.MAIL, "password set"):
        assert word in html


@pytest.mark.row("P-74")
def test_the_log_of_one_record_is_on_the_page_as_on_the_command_line(inside: kit.Desk) -> None:
    case = open_case(inside).id
    with inside.runtime.store.write() as session:
        lines = [Event(what="task written", data={"record": "task-77", "key": f"{case}:call"}), Event(what="confirmed")]
        cases.log(session, "acme", lines, inside.rig.now(), case_id=case, deal_id="deal-9")
    shown = inside.get("/console/log?record=deal-9").text
    assert "What was done to deal-9" in shown
    assert shown.count(f'/console/cases/{case}"') == 2
    of_task = inside.get("/console/log?record=task-77&kind=deal").text
    assert "Nothing about it here" in of_task, "no deal has this id"
    assert kit.MAIL not in shown.partition("<main")[2], "what admins did is another list"
