"""What people meet behind a link: a page that records nothing until they send it, and never loses what they wrote."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from connector.bootstrap import Adapters
from connector.setup import asked_of
from connector.store import cases, intake
from connector.web import languages
from workflows.rules import LinkKind

GOOD = {"recommend": "9", "reason": "price"}


class Inputs(HTMLParser):
    """The fields of a page, as a browser would send them untouched."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self.attributes: dict[str, dict[str, str | None]] = {}
        self._writing = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "input":
            self.attributes[name] = given
            if given["type"] in ("hidden", "text") or "checked" in given:
                self.values.setdefault(name, []).append(given.get("value") or "")
        if tag == "textarea":
            self._writing = name
            self.values[name] = [""]

    def handle_data(self, data: str) -> None:
        if self._writing:
            self.values[self._writing][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.values[self._writing][0] = self.values[self._writing][0].removeprefix("\n")
            self._writing = ""


def post(house: Any, path: str, answers: dict[str, Any], **more: Any) -> Any:
    """Open the page, fill in and send it, as a person does."""
    form = Inputs(house.client.get(path).text).values
    return house.client.post(path, data={**form, **answers}, **more)


# --- opening ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["Microsoft Office/16.0", "Barracuda Sentinel", "Mimecast", "Proofpoint", "curl/8"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_a_link_records_nothing_whoever_opens_it(house: Any, agent: str, method: str) -> None:
    path = house.give_link()
    with house.store.engine.connect() as connection:
        before = connection.exec_driver_sql("pragma data_version").scalar()
        for query in ("", "?lang=en", "?recommend=3&reason=price"):
            answer = house.client.open(path + query, method=method, headers={"User-Agent": agent})
            assert answer.status_code == 200
        assert connection.exec_driver_sql("pragma data_version").scalar() == before
    assert house.answers() == []
    assert house.agenda() == {}


def test_nothing_is_chosen_beforehand(house: Any) -> None:
    html = house.client.get(house.give_link()).text
    assert " checked" not in html
    assert "Notre décision" not in html, "a customer would read it as their own"
    assert "Une décision " in html
    assert "<details" in html
    assert not re.search(r"<details[^>]* open", html)
    sent = Inputs(html).values
    assert {name for name, value in sent.items() if any(value)} == {"form-seal"}


def test_a_link_works_without_any_cookie_and_sets_none(house: Any) -> None:
    path = house.give_link()
    assert "Set-Cookie" not in house.client.get(path).headers
    assert "Set-Cookie" not in post(house, path, GOOD).headers


def test_the_page_shows_who_asks_and_nothing_of_the_person_or_the_deal(house: Any) -> None:
    html = house.client.get(house.give_link()).text
    assert "Atelier Lumière" in html
    for secret in ("Brasserie", "renewal 2026", "900", "case-500", "acme"):
        assert secret not in html


def test_no_script_is_on_any_page(house: Any) -> None:
    survey, interview = house.give_link(), house.give_link(LinkKind.INTERVIEW)
    for path in (survey, interview, f"/survey/{survey[3:]}/thanks", "/s/none"):
        html = house.client.get(path).text
        assert "<script" not in html
        assert not re.search(r"\son\w+=", html)
        assert "style=" not in html


@pytest.mark.parametrize("path", ["/s/", "/survey/"])
def test_both_addresses_show_the_same_page(house: Any, path: str) -> None:
    token = house.give_link().removeprefix("/s/")
    assert house.client.get(path + token).status_code == 200
    assert post(house, path + token, GOOD).status_code == 303


def test_the_robot_trap_is_marked_unseen_on_itself(house: Any) -> None:
    trap = Inputs(house.client.get(house.give_link()).text).attributes["your-website"]
    assert "hidden" in trap
    assert (trap["aria-hidden"], trap["tabindex"], trap["autocomplete"]) == ("true", "-1", "off")


# --- language ------------------------------------------------------------------------------------------------------


def test_the_page_is_in_the_contacts_language_and_can_be_switched(house: Any) -> None:
    path = house.give_link(language="fr")
    french, english = house.client.get(path).text, house.client.get(path + "?lang=en").text
    assert '<html lang="fr">' in french
    assert "Envoyer mes réponses" in french
    assert '<html lang="en">' in english
    assert "Send my answers" in english
    assert 'href="?lang=en"' in french


def test_a_regional_language_gets_its_own_language_and_an_unknown_one_what_the_browser_prefers(house: Any) -> None:
    swiss = house.client.get(house.give_link(language="fr-CH"))
    assert '<html lang="fr">' in swiss.text
    dutch = house.give_link(language="nl", contact_id="901")
    assert '<html lang="fr">' in house.client.get(dutch, headers={"Accept-Language": "nl, fr;q=0.5"}).text
    assert '<html lang="en">' in house.client.get(dutch, headers={"Accept-Language": "nl"}).text


def test_an_answer_in_a_switched_language_is_kept_with_that_language(house: Any) -> None:
    path = house.give_link(language="fr")
    answer = post(house, path + "?lang=en", GOOD)
    assert answer.location.endswith("?lang=en")
    assert house.answers()[0].language == "en"


def test_every_word_of_our_pages_is_translated_and_no_translation_is_left_over() -> None:
    found = extract_from_dir(
        str(languages.FOLDER.parent),
        method_map=[("templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")],
        keywords={"_": None, "ngettext": (1, 2), "say": None},
        options_map={"templates/**.html": {"newstyle_gettext": "true"}},
    )
    said = {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in found}
    for adapter in Adapters().values():  # what each permission is for is said by who asks for it
        said |= {description for _, description, *_ in asked_of(adapter, in_browser=False)}
    for path in languages.FOLDER.glob("*.po"):
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.stem)
        known = {message.id[0] if isinstance(message.id, tuple) else message.id for message in catalog if message.id}
        assert known == said
        for message in catalog:
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(texts), message.id
            assert not list(message.check(catalog)), message.id


# --- answering -----------------------------------------------------------------------------------------------------


def test_a_sent_form_is_kept_its_deal_is_looked_at_and_the_person_is_thanked(house: Any) -> None:
    path = house.give_link()
    answer = post(house, path, GOOD | {"missed": "Une intégration"})
    assert answer.status_code == 303
    (row,) = house.answers()
    assert row.given["recommend"] == 9
    assert row.given["reason"] == "price"
    assert (row.by, row.contact_id, row.case_id, row.language, row.version) == ("customer", "900", "case-500", "fr", 1)
    assert row.at == house.clock.now()
    assert house.agenda()["acme", "500"].why == "answer"
    assert house.engine.accounts == ["acme"]
    thanks = house.client.get(answer.location).text
    assert "Modifier mes réponses" in thanks
    assert "jusqu’à la fermeture" in thanks


def test_people_find_their_answers_again_and_change_them(house: Any) -> None:
    path = house.give_link()
    text = '  Deux\nlignes, <b>"gras"</b> & 🙂 مرحبا '
    names = [name for name in Inputs(house.client.get(path).text).values if name not in ("form-seal", "your-website")]
    writing = names[0]
    post(house, path, GOOD | {writing: text})
    again = Inputs(house.client.get(path).text).values
    assert again["recommend"] == ["9"]
    assert again["reason"] == ["price"]
    assert again[writing] == [text.strip()]
    house.clock.time += timedelta(days=3)
    post(house, path, {"recommend": "4"})
    (row,) = house.answers()
    assert (row.given["recommend"], row.given[writing], row.version) == (4, text.strip(), 2)


def test_an_optional_choice_can_be_taken_back(house: Any) -> None:
    path = house.give_link()
    post(house, path, GOOD | {"avoidable": "yes"})
    post(house, path, {"avoidable": ""})
    assert "avoidable" not in house.answers()[0].given


def test_a_missing_answer_is_named_at_the_top_and_at_the_question_and_nothing_is_lost(house: Any) -> None:
    path = house.give_link()
    answer = post(house, path + "?lang=en", {"reason": "price", "avoidable": "partly"})
    assert answer.status_code == 422
    html = answer.text
    assert 'role="alert"' in html
    assert 'href="#q-recommend"' in html
    assert html.count("Please answer this question.") == 2
    assert re.search(r'<fieldset[^>]*id="q-recommend"[^>]*aria-describedby="p-recommend"', html)
    assert Inputs(html).values["reason"] == ["price"]
    assert Inputs(html).values["avoidable"] == ["partly"]
    assert house.answers() == []


def test_a_trouble_in_a_folded_section_unfolds_it(house: Any) -> None:
    html = post(house, house.give_link(), GOOD | {"start": "99"}).text
    opened = re.findall(r"<details[^>]* open>.*?</details>", html, re.S)
    assert len(opened) == 1
    assert 'id="q-start"' in opened[0]


def test_sending_the_same_form_twice_is_one_answer_and_one_look(house: Any) -> None:
    path = house.give_link()
    for _ in range(3):
        assert post(house, path, GOOD).status_code == 303
    (row,) = house.answers()
    assert row.version == 1
    assert house.engine.accounts == ["acme"]


def test_fifty_people_sending_the_same_form_at_once_are_one_answer(house: Any) -> None:
    house.app.extensions["limiter"] and [setattr(one, "enabled", False) for one in house.app.extensions["limiter"]]
    path = house.give_link()
    form = Inputs(house.client.get(path).text).values
    with ThreadPoolExecutor(10) as pool:
        codes = list(pool.map(lambda n: house.app.test_client().post(
            path, data={**form, **GOOD, "recommend": str(n % 11)}).status_code, range(50)))  # fmt: skip
    assert set(codes) == {303}
    assert len(house.answers()) == 1


def test_an_empty_form_with_nothing_required_is_fine_and_keeps_nothing(house: Any) -> None:
    questionnaire = house.runtime.library.questionnaires["exit"]
    relaxed = questionnaire.model_copy(update={"sections": tuple(
        section.model_copy(update={"questions": tuple(q.model_copy(update={"required": False})
                                                      for q in section.questions)})
        for section in questionnaire.sections)})  # fmt: skip
    house.runtime.library.questionnaires = {"exit": relaxed}
    assert post(house, house.give_link(), {}).status_code == 303
    assert house.answers() == []


def test_html_in_an_answer_comes_back_as_text(house: Any) -> None:
    path = house.give_link()
    attack = "</textarea><script>alert(1)</script>"
    name = next(n for n in Inputs(house.client.get(path).text).values if n not in ("form-seal", "your-website"))
    post(house, path, GOOD | {name: attack})
    html = house.client.get(path).text
    assert "<script" not in html
    assert attack in unescape(html)


@pytest.mark.parametrize(
    "text", ["a\x00b\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "\u202eabc", "🙂" * 5000]
)
def test_odd_characters_are_taken(house: Any, text: str) -> None:
    path = house.give_link()
    name = next(n for n in Inputs(house.client.get(path).text).values if n not in ("form-seal", "your-website"))
    assert post(house, path, GOOD | {name: text}).status_code == 303
    assert len(house.answers()) == 1


def test_a_text_that_is_too_long_is_handed_back_whole(house: Any) -> None:
    path = house.give_link()
    name = next(n for n in Inputs(house.client.get(path).text).values if n not in ("form-seal", "your-website"))
    answer = post(house, path, GOOD | {name: "x" * 60_001})
    assert answer.status_code == 422
    assert Inputs(answer.text).values[name] == ["x" * 60_001]


def test_a_form_beyond_one_mebibyte_is_refused_with_a_kind_page(house: Any) -> None:
    answer = post(house, house.give_link(), GOOD | {"missed": "x" * 1_200_000})
    assert answer.status_code == 413
    assert "<h1>" in answer.text


def test_a_program_that_fills_in_the_unseen_field_leaves_no_answer_and_a_person_loses_nothing(house: Any) -> None:
    path = house.give_link()
    answer = post(house, path, GOOD | {"your-website": "https://spam.example"})
    assert answer.status_code == 400
    assert house.answers() == []
    again = Inputs(answer.text).values
    assert again["recommend"] == ["9"]
    assert again["your-website"] == [""]
    assert house.client.post(path, data=again).status_code == 303


@pytest.mark.parametrize("seal", [None, "", "x", "é", "A" * 22])
def test_a_form_without_our_seal_leaves_no_answer(house: Any, seal: str | None) -> None:
    path = house.give_link()
    data = GOOD if seal is None else GOOD | {"form-seal": seal}
    answer = house.client.post(path, data=data)
    assert answer.status_code == 400
    assert house.answers() == []
    assert house.client.post(path, data=Inputs(answer.text).values).status_code == 303


def test_a_seal_fits_its_own_link_only(house: Any) -> None:
    mine, other = house.give_link(contact_id="900"), house.give_link(contact_id="901")
    seal = Inputs(house.client.get(mine).text).values["form-seal"]
    assert house.client.post(other, data=GOOD | {"form-seal": seal[0]}).status_code == 400


def test_when_the_answer_cannot_be_saved_the_form_comes_back_with_all_that_was_written(house: Any) -> None:
    def full(session: Any) -> None:
        raise OperationalError("insert", {}, Exception("database or disk is full"))

    path = house.give_link()
    form = Inputs(house.client.get(path).text).values
    with house.store.write() as session:
        factory = type(session)
    event.listen(factory, "before_commit", full)
    try:
        answer = house.client.post(path, data={**form, **GOOD})
    finally:
        event.remove(factory, "before_commit", full)
    assert answer.status_code == 503
    assert Inputs(answer.text).values["recommend"] == ["9"]
    assert house.answers() == []
    assert house.engine.accounts == []
    assert house.client.post(path, data=Inputs(answer.text).values).status_code == 303


# --- closed, unknown, too often --------------------------------------------------------------------------------------


def test_a_closed_page_says_so_kindly_and_takes_nothing(house: Any) -> None:
    path = house.give_link()
    form = Inputs(house.client.get(path).text).values
    with house.store.write() as session:
        intake.close_links(session, "case-500", house.clock.now())
    for answer in (house.client.get(path), house.client.post(path, data={**form, **GOOD})):
        assert answer.status_code == 410
        assert "Cette page est fermée" in answer.text
        assert "<form" not in answer.text
    assert house.answers() == []


def test_a_page_that_closes_while_someone_writes_takes_nothing(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = house.give_link()
    form = Inputs(house.client.get(path).text).values
    by_id = cases.by_id

    def closing(session: Any, case_id: str) -> Any:
        with house.store.write() as other:
            intake.close_links(other, case_id, house.clock.now())
        return by_id(session, case_id)

    monkeypatch.setattr(cases, "by_id", closing)
    assert house.client.post(path, data={**form, **GOOD}).status_code == 410
    assert house.answers() == []


def test_everything_that_is_no_link_gets_one_and_the_same_page(house: Any) -> None:
    path = house.give_link()
    interview = house.give_link(LinkKind.INTERVIEW).removeprefix("/interview/")
    unknown = house.runtime.links.address(LinkKind.SURVEY, "no such case", "1", "exit").rpartition("/")[2]
    tampered = path[:-1] + ("a" if path[-1] != "a" else "b")
    pages = {
        (answer := house.client.get(wrong)).text + str(answer.status_code)
        for wrong in (tampered, path[:-1], "/s/x", f"/s/{interview}", f"/survey/{unknown}", "/interview/" + path[3:])
    }
    assert len(pages) == 1
    assert pages.pop().endswith("404")


def test_who_guesses_addresses_is_slowed_down_and_others_are_not(house: Any) -> None:
    codes = [house.client.get(f"/s/guess{number}").status_code for number in range(40)]
    assert codes[:30] == [404] * 30
    assert codes[-1] == 429
    good = house.give_link()
    assert house.client.get(good, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200


def test_a_form_sent_very_often_comes_back_with_all_that_was_written(house: Any) -> None:
    path = house.give_link()
    form = Inputs(house.client.get(path).text).values
    codes = [house.client.post(path, data={**form, **GOOD, "recommend": str(n % 11)}) for n in range(14)]
    assert [answer.status_code for answer in codes[:12]] == [303] * 12
    last = codes[-1]
    assert last.status_code == 429
    assert last.headers["Retry-After"] == "60"
    assert Inputs(last.text).values["reason"] == ["price"]


def test_a_questionnaire_that_is_gone_is_not_the_visitors_fault(house: Any) -> None:
    path = house.give_link()
    house.runtime.library.questionnaires = {}
    answer = house.client.get(path)
    assert answer.status_code == 503
    assert "<h1>" in answer.text


# --- the interview ---------------------------------------------------------------------------------------------------


def test_the_interview_form_names_the_deal_and_keeps_the_notes_as_the_csms(house: Any) -> None:
    path = house.give_link(LinkKind.INTERVIEW, contact_id=None)
    html = house.client.get(path).text
    assert "Brasserie du Lac" in html
    answer = post(house, path, {"reason": "price"})
    assert answer.status_code == 303
    assert "/interview/" in answer.location
    (row,) = house.answers()
    assert (row.by, row.contact_id, row.given["reason"]) == ("csm", None, "price")
    assert house.agenda()["acme", "500"].why == "answer"
    assert "enregistré" in house.client.get(answer.location).text


@pytest.mark.row("P-55")
@pytest.mark.parametrize(
    ("said", "troubled"),
    [
        ({}, {"permission-who", "permission-for", "permission-until"}),
        ({"permission-who": "Zoe", "permission-for": "news", "permission-until": "2031-12-31"}, {"permission-until"}),
        ({"permission-who": "Zoe", "permission-for": "news", "permission-until": "tomorrow"}, {"permission-until"}),
        ({"permission-who": "Zoe", "permission-for": "news", "permission-until": "2027-01-31"}, set()),
    ],
)
def test_a_permission_is_noted_with_who_what_and_until_when_or_not_at_all(
    house: Any, said: dict[str, str], troubled: set[str]
) -> None:
    path = house.give_link(LinkKind.INTERVIEW, contact_id=None)
    answer = post(house, path, {"reason": "price", "permission": "granted"} | said)
    assert set(re.findall(r'class="problem" id="p-([a-z-]+)"', answer.text)) == troubled
    assert [row.given.get("permission-until") for row in house.answers()] == ([] if troubled else ["2027-01-31"])
    if not troubled:
        assert (
            'type="date" id="d-permission-until" name="permission-until" value="2027-01-31"'
            in house.client.get(path).text
        )


# --- manners ---------------------------------------------------------------------------------------------------------

HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}


def test_every_answer_of_every_kind_carries_the_headers(house: Any) -> None:
    path = house.give_link()
    answers = [
        house.client.get(path), post(house, path, {}), post(house, path, GOOD), house.client.get("/s/none"),
        house.client.get("/nowhere"), house.client.get("/healthz"), house.client.get("/webhooks/quill"),
        house.deliver([]), house.client.get("/robots.txt"), house.client.get("/readyz"),
    ]  # fmt: skip
    for answer in answers:
        for name, value in HEADERS.items():
            assert value in answer.headers[name], (name, answer.request.path)
    for directive in ("frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert directive in answers[0].headers["Content-Security-Policy"]
    assert "unsafe" not in answers[0].headers["Content-Security-Policy"]


def test_strict_transport_is_not_claimed_where_there_is_no_https(houses: Any) -> None:
    answer = houses(public_url="http://127.0.0.1:8080").client.get("/healthz")
    assert "Strict-Transport-Security" not in answer.headers


def test_pages_work_under_a_public_address_with_a_path(houses: Any) -> None:
    house = houses(public_url="https://example.com/goodbye")
    path = house.give_link()
    html = house.client.get(path).text
    assert 'href="/goodbye/static/page.css"' in html
    with house.client.get("/goodbye/static/page.css") as style:
        assert style.status_code == 200
    assert post(house, "/goodbye" + path, GOOD).location.startswith("/goodbye/survey/")


def test_every_route_that_changes_something_proves_itself_or_is_checked_against_forgery(house: Any) -> None:
    """Whoever adds a page that takes POST gets the session check unless it is exempted here, with a reason."""
    forms = {"survey.form", "interview.form", "team.form", "inventory.form", "touch.form"}
    exempt = {"webhooks.receive", "card.start", "feedback.receive", *forms}
    writing = {rule.endpoint for rule in house.app.url_map.iter_rules() if rule.methods - {"GET", "HEAD", "OPTIONS"}}
    assert {one for one in writing if not one.startswith("console")} == exempt  # the console's are checked, by a test


def test_the_log_of_an_answer_holds_neither_token_nor_answer(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = house.give_link()
    with caplog.at_level("DEBUG"):
        post(house, path, GOOD | {"missed": "Madame Dupont"})
    assert "answer saved" in caplog.text
    assert path[3:] not in caplog.text
    assert "Dupont" not in caplog.text


def test_an_error_of_ours_shows_a_number_and_nothing_else(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_args: object) -> Any:
        raise RuntimeError("jo@example.com")

    house.runtime.library.questionnaire = broken
    path = house.give_link()
    answer = house.client.get(path, headers={"Accept-Language": "fr"})
    assert answer.status_code == 500
    assert "jo@example.com" not in answer.text + caplog.text
    number = re.search(r"numéro : (\w{8})", answer.text)
    assert number is not None
    assert number[1] in caplog.text
    assert path[3:] not in caplog.text
