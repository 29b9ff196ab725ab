"""Answers of another survey tool: proven, brought to our questions, taken once, and never half."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from standardwebhooks.webhooks import Webhook

from adapters.errors import ConfigError
from connector.library import Library
from connector.store import intake
from connector.store.tables import FeedbackRow
from connector.survey_links import about_person, address, lately_surveyed, surveyed_elsewhere
from connector.survey_settings import OwnToolConfig
from workflows.records import Contact, People
from workflows.rules import LinkKind

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of pure chance!").decode()
OLDER = "whsec_" + base64.b64encode(b"what was in use before this one.").decode()
TYPEFORM_SECRET = "the words that typeform was told"
LINK = "https://forms.example.com/to/abc#case={{ case_key }}&lang={{ language }}"
PATH = "/feedback/acme"
REAL_NOW = datetime.now(UTC)
"""The library looks at the real clock; the house has its own."""


def tool(kind: str = "standard", **more: Any) -> dict[str, Any]:
    secret = TYPEFORM_SECRET if kind == "typeform" else [SECRET, OLDER]
    return {"own_tool": {"link": LINK, "secret": secret, "format": kind, **more}}


@pytest.fixture
def standard(houses: Any) -> Any:
    return houses(surveys=tool(questions={"nps_2026": "recommend", "newsletter": None}))


def key_of(house: Any, **more: Any) -> str:
    """The case key that a survey link carries."""
    path: str = house.give_link(**more)
    return path.removeprefix("/s/")


def signed(body: bytes, *, id: str = "msg-1", secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    moment = at or datetime.now(UTC)
    signature = Webhook(secret).sign(id, moment, body.decode())
    return {"webhook-id": id, "webhook-timestamp": str(int(moment.timestamp())), "webhook-signature": signature}


def send(house: Any, payload: Any, *, path: str = PATH, headers: dict[str, str] | None = None, **more: Any) -> Any:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return house.client.post(
        path, data=body, content_type="application/json", headers=signed(body, **more) if headers is None else headers
    )


def answers(key: str, **given: Any) -> dict[str, Any]:
    data = {"case_key": key, "language": "en", "answers": {"recommend": 9, "reason": "price", **given}}
    return {"type": "survey.answered", "timestamp": "2026-03-02T08:59:00Z", "data": data}


# --- the three ways ---------------------------------------------------------------------------------------------------


@pytest.mark.row("P-38")
def test_a_standard_delivery_becomes_an_answer_like_any_other(standard: Any) -> None:
    given = {
        "nps_2026": 3,
        "reason": "Price or value",
        "recommend": None,
        "missing": "=HYPERLINK(1)\x00\n<b>",
        "newsletter": "x",
    }
    reply = send(standard, answers(key_of(standard), **given))
    assert (reply.status_code, reply.json) == (200, {"result": "taken"})
    (row,) = standard.answers()
    assert row.given == {"recommend": 3, "reason": "price", "missing": "=HYPERLINK(1)\n<b>"}
    assert (row.by, row.contact_id, row.language, row.questionnaire) == ("customer", "900", "en", "exit")
    assert (row.at, row.received_at) == (datetime(2026, 3, 2, 8, 59, tzinfo=UTC), standard.clock.now())
    assert standard.agenda()["acme", "500"].why == "answer"
    assert standard.engine.accounts == ["acme"]


def typeform(key: str | None, **more: Any) -> dict[str, Any]:
    """As Typeform sends it: answers with their field, hidden fields, and the form's definition beside them."""
    given = [
        {"type": "number", "number": 4, "field": {"id": "a1", "type": "opinion_scale", "ref": "score-ref"}},
        {"type": "choice", "choice": {"label": "Too expensive", "ref": "c9"}, "field": {"id": "a2", "ref": "reason"}},
        {"type": "text", "text": "Ünd 🚀", "field": {"id": "a3", "type": "long_text", "ref": "missing"}},
        {"type": "boolean", "boolean": False, "field": {"id": "a4", "type": "yes_no", "ref": "avoidable"}},
    ]
    response = {
        "form_id": "abc",
        "token": "t0k3n",
        "submitted_at": "2026-03-02T08:58:00Z",
        "hidden": {"case": key} if key else {},
        "definition": {"id": "abc", "fields": []},
        "answers": given,
    }
    return {"event_id": "01HEVENT", "event_type": "form_response", "form_response": response | more}


def typeform_headers(body: bytes, secret: str = TYPEFORM_SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"Typeform-Signature": f"sha256={base64.b64encode(digest).decode()}"}


@pytest.mark.row("P-38")
def test_what_typeform_sends_is_taken_by_its_own_signature_and_once(houses: Any) -> None:
    mapping = {"questions": {"score-ref": "recommend"}, "choices": {"reason": {"Too expensive": "price"}}}
    house = houses(surveys=tool("typeform", **mapping))
    body = json.dumps(typeform(key_of(house)), ensure_ascii=False).encode()
    reply = send(house, body, headers=typeform_headers(body))
    assert (reply.status_code, reply.json) == (200, {"result": "taken"})
    assert house.answers()[0].given == {"recommend": 4, "reason": "price", "missing": "Ünd 🚀", "avoidable": "no"}
    assert house.answers()[0].language == "fr", "Typeform tells none, so the link's counts"
    again = send(house, body, headers=typeform_headers(body))
    assert again.json == {"result": "this delivery was taken before"}
    assert send(house, body, headers=typeform_headers(body, "another secret")).status_code == 401
    assert send(house, body, headers={}).status_code == 401
    partial = json.dumps(typeform("x") | {"event_type": "form_response_partial"}).encode()
    assert "left alone" in send(house, partial, headers=typeform_headers(partial)).json["result"]


def formbricks(key: str, event: str = "responseFinished", **more: Any) -> dict[str, Any]:
    data = {"q-nps": 8, "q-why": "Réduction de budget", "q-words": "Merci", "case": key}
    response = {
        "id": "resp1",
        "surveyId": "s1",
        "finished": event == "responseFinished",
        "updatedAt": "2026-03-02T08:57:00.123Z",
        "language": "fr",
        "data": data,
        "ttc": {"_total": 4947.9},
        "variables": {},
    }
    return {"webhookId": "w1", "event": event, "data": response | more}


FORMBRICKS = {"questions": {"q-nps": "recommend", "q-why": "reason", "q-words": "missing"}}


@pytest.mark.row("P-38")
@pytest.mark.parametrize("listed", [False, True])
def test_what_formbricks_sends_is_taken_when_it_is_finished(houses: Any, listed: bool) -> None:
    house = houses(surveys=tool("formbricks", **FORMBRICKS))
    payload = formbricks(key_of(house))
    assert send(house, [payload] if listed else payload).json == {"result": "taken"}
    assert house.answers()[0].given == {"recommend": 8, "reason": "budget", "missing": "Merci"}
    for unfinished in ("responseCreated", "responseUpdated"):
        reply = send(house, formbricks("k", unfinished), id=unfinished)
        assert (reply.status_code, reply.json["result"][:10]) == (200, "left alone")


@pytest.mark.row("P-38")
def test_formbricks_may_ask_whether_anybody_is_there_before_it_shows_the_secret(houses: Any) -> None:
    house = houses(surveys=tool("formbricks", **FORMBRICKS))
    reply = send(house, {"event": "testEndpoint"}, headers={"webhook-id": "t"})
    assert (reply.status_code, house.answers()) == (200, [])
    assert send(house, formbricks(key_of(house)), headers={"webhook-id": "t"}).status_code == 401
    nested = send(house, b"[" * 1024, headers={"webhook-id": "t"})
    assert nested.status_code == 401, "whoever cannot prove who they are breaks nothing"


@pytest.mark.parametrize("told", ["0001-01-01T00:00:00+05:00", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00"])
def test_a_moment_that_cannot_be_right_is_taken_as_now(standard: Any, told: str) -> None:
    payload = answers(key_of(standard))
    payload["data"]["answered_at"] = told
    assert send(standard, payload).status_code == 200
    (row,) = standard.answers()
    assert row.at == standard.clock.now()


# --- proof ------------------------------------------------------------------------------------------------------------


@pytest.mark.row("P-38")
@pytest.mark.parametrize(
    "forged",
    [
        lambda body: {},
        lambda body: signed(body, secret="whsec_" + base64.b64encode(b"a guess of thirty-two bytes long").decode()),
        lambda body: signed(b"another body"),
        lambda body: signed(body) | {"webhook-id": "another"},
        lambda body: signed(body) | {"webhook-signature": "v1,%%%"},
        lambda body: signed(body) | {"webhook-signature": "nonsense"},
        lambda body: signed(body) | {"webhook-timestamp": "soon"},
        lambda body: signed(body, at=datetime.now(UTC) - timedelta(minutes=6)),
        lambda body: signed(body, at=datetime.now(UTC) + timedelta(minutes=6)),
    ],
)
def test_what_is_not_proven_is_refused_and_leaves_nothing(standard: Any, forged: Any) -> None:
    body = json.dumps(answers(key_of(standard))).encode()
    reply = send(standard, body, headers=forged(body))
    assert reply.status_code == 401
    assert "secrets in the settings" in reply.json["error"]
    assert (standard.answers(), standard.rows(FeedbackRow)) == ([], [])


@pytest.mark.row("P-38")
def test_a_former_secret_counts_while_it_is_listed_and_several_signatures_may_be_sent(standard: Any) -> None:
    payload = answers(key_of(standard))
    body = json.dumps(payload).encode()
    assert send(standard, body, secret=OLDER).status_code == 200
    both = signed(body, id="msg-2")
    both["webhook-signature"] = f"v1a,AAAA {both['webhook-signature']}"
    assert send(standard, body, headers=both).status_code == 200


@pytest.mark.row("P-38")
def test_a_repeated_delivery_counts_once_also_after_the_answer_was_changed(standard: Any) -> None:
    key = key_of(standard)
    first = json.dumps(answers(key, recommend=2)).encode()
    headers = signed(first)
    send(standard, first, headers=headers)
    newer = answers(key, recommend=8) | {"timestamp": "2026-03-02T08:59:30Z"}
    assert send(standard, newer, id="msg-2").json == {"result": "taken"}
    assert send(standard, first, headers=headers).json == {"result": "this delivery was taken before"}
    assert send(standard, first, id="msg-3").json == {"result": "a newer answer of this person is here already"}
    assert [row.given["recommend"] for row in standard.answers()] == [8]


@pytest.mark.row("P-38")
def test_a_person_who_answers_in_both_places_has_one_answer(standard: Any) -> None:
    key = key_of(standard)
    send(standard, answers(key, missing="There."))
    assert "There." in standard.client.get(f"/s/{key}").text


# --- what cannot be taken ---------------------------------------------------------------------------------------------


@pytest.mark.row("P-38")
@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (lambda data: data | {"case_key": "x" * 52}, 404, "the case key is none of ours"),
        (lambda data: data | {"case_key": "case-500"}, 404, "the case key is none of ours"),
        (lambda data: data | {"case_key": None}, 400, "data.case_key is missing"),
        (lambda data: data | {"answers": "none"}, 400, "data.answers is no JSON object"),
        (lambda data: data | {"answers": {"mood": "sad", "recommend": 1}}, 422, "surveys.own_tool.questions"),
        (lambda data: data | {"answers": {"reason": "Mercury"}}, 422, "surveys.own_tool.choices.reason; ours are in_h"),
        (lambda data: data | {"answers": {"recommend": 11}}, 422, "send a whole number from 0 to 10"),
        (lambda data: data | {"answers": {"recommend": 2.5}}, 422, "send a whole number from 0 to 10"),
        (lambda data: data | {"answers": {"missing": {"a": 1}}}, 422, "send a text, a number"),
        (lambda data: data | {"answers": {"missing": "x" * 60_001}}, 422, "60001 characters"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_cure_and_nothing_is_kept(
    standard: Any, change: Any, status: int, words: str
) -> None:
    payload = answers(key_of(standard))
    payload["data"] = change(payload["data"])
    reply = send(standard, payload)
    assert reply.status_code == status
    assert words in json.dumps(reply.json)
    assert (standard.answers(), standard.rows(FeedbackRow), standard.agenda()) == ([], [], {})
    assert send(standard, answers(key_of(standard))).status_code == 200, "the same id once it is mended"


@pytest.mark.row("P-38")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"data": {"answers": NaN}}'])
def test_a_body_that_cannot_be_read_is_the_senders_fault(standard: Any, body: bytes) -> None:
    headers = signed(body) if body != b"\xff\xfe" else signed(b"")
    assert send(standard, body, headers=headers).status_code in (400, 401)
    assert standard.answers() == []


@pytest.mark.row("P-38")
def test_a_key_of_another_account_or_page_is_none(houses: Any) -> None:
    house = houses(surveys=tool())
    interview = house.give_link(LinkKind.INTERVIEW).rpartition("/")[2]
    assert send(house, answers(interview)).status_code == 404
    assert send(house, answers(key_of(house)), path="/feedback/globex").status_code == 404, "it has no tool"
    assert send(house, answers(key_of(house)), path="/feedback/nobody").status_code == 404
    assert house.client.get(PATH).status_code == 405
    other = house.runtime.accounts["globex"]
    other.config = other.config.model_copy(update={"surveys": house.runtime.accounts["acme"].config.surveys})
    assert send(house, answers(key_of(house)), path="/feedback/globex").status_code == 404, "nor is the key its own"
    assert house.answers() == []


@pytest.mark.row("P-38", "P-06")
def test_an_answer_for_a_closed_case_is_told_so_and_leaves_nothing(standard: Any) -> None:
    key = key_of(standard)
    with standard.store.write() as session:
        intake.close_links(session, "case-500", standard.clock.now())
    reply = send(standard, answers(key))
    assert reply.status_code == 410
    assert "closed" in reply.json["error"]
    assert (standard.answers(), standard.rows(FeedbackRow)) == ([], [])


@pytest.mark.row("P-38", "P-37")
def test_sixty_thousand_characters_are_taken_and_a_body_beyond_half_a_mebibyte_is_not(standard: Any) -> None:
    key = key_of(standard)
    assert send(standard, answers(key, missing="é" * 60_000)).status_code == 200
    assert len(standard.answers()[0].given["missing"]) == 60_000
    assert send(standard, answers(key, missing="x" * 600_000), id="msg-2").status_code == 413


@pytest.mark.row("P-38")
def test_who_guesses_is_slowed_down(standard: Any) -> None:
    statuses = [send(standard, b"{}", headers={}).status_code for _ in range(32)]
    assert statuses[:30] == [401] * 30
    assert statuses[-1] == 429


@pytest.mark.row("P-38")
def test_what_the_database_cannot_take_now_is_asked_for_again(standard: Any) -> None:
    key = key_of(standard)

    def broken(*_args: Any) -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    event.listen(standard.store.engine, "before_cursor_execute", broken)
    try:
        reply = send(standard, answers(key))
    finally:
        event.remove(standard.store.engine, "before_cursor_execute", broken)
    assert reply.status_code in (500, 503)
    assert send(standard, answers(key)).json == {"result": "taken"}


@pytest.mark.row("P-38")
def test_the_log_of_a_delivery_holds_neither_key_nor_answer(standard: Any, caplog: pytest.LogCaptureFixture) -> None:
    key = key_of(standard)
    with caplog.at_level("DEBUG"):
        send(standard, answers(key, missing="Madame Dupont"))
        send(standard, answers(key, reason="Madame Dupont"), id="msg-2")
    assert "answer saved" in caplog.text
    assert key not in caplog.text
    assert "Dupont" not in caplog.text


# --- the link, and the settings ---------------------------------------------------------------------------------------


@pytest.mark.row("P-38")
def test_the_link_in_the_crm_is_the_tools_and_carries_a_key_that_says_nothing(standard: Any) -> None:
    config = standard.runtime.accounts["acme"].config
    made = address(standard.runtime.links, config, LinkKind.SURVEY, "case-500", "900", "exit", "fr-CA")
    assert made == f"https://forms.example.com/to/abc#case={key_of(standard)}&lang=fr-CA"
    assert "case-500" not in made
    for kind, questionnaire in (
        (LinkKind.SURVEY, "leaving"),
        (LinkKind.INTERVIEW, "interview"),
        (LinkKind.TEAM, "team"),
    ):
        ours = address(standard.runtime.links, config, kind, "case-500", "900", questionnaire, "fr")
        assert ours.startswith("https://goodbye.example.com/")
    other = standard.runtime.accounts["globex"].config
    assert address(standard.runtime.links, other, LinkKind.SURVEY, "c", "900", "exit").startswith("https://goodbye")


@pytest.mark.row("P-38")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"link": "https://forms.example.com/"}, "put {{ case_key }} into it"),
        ({"link": "http://forms.example.com/{{ case_key }}"}, "use https"),
        ({"link": "forms.example.com/{{ case_key }}"}, "full web address"),
        ({"link": "https://forms.example.com/{{ case_key }}/{{ contact.email }}"}, "contact"),
        ({"secret": "not base64!"}, "base64"),
        ({"secret": "short"}, "too short"),
        ({"format": "xml"}, "standard"),
    ],
)
def test_settings_that_could_not_work_are_refused_in_words(change: dict[str, Any], words: str) -> None:
    good = {"link": LINK, "secret": SECRET}
    assert OwnToolConfig.model_validate(good).secrets == (SECRET,)
    with pytest.raises(ValidationError) as caught:
        OwnToolConfig.model_validate(good | change)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.row("P-38")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"questionnaires": ["exti"]}, "did you mean"),
        ({"questionnaires": ["interview"]}, "no such survey"),
        ({"questions": {"a": "recomend"}}, "recommend"),
        ({"choices": {"reason": {"Too dear": "prices"}}}, "price"),
        ({"choices": {"missing": {"Too dear": "price"}}}, "no such question with choices"),
    ],
)
def test_a_mapping_to_nothing_of_ours_is_named_at_the_start(houses: Any, change: dict[str, Any], words: str) -> None:
    settings = houses(surveys=tool()).runtime.settings
    own = OwnToolConfig.model_validate({"link": LINK, "secret": SECRET} | change)
    account = settings.accounts["acme"]
    surveys = account.surveys.model_copy(update={"own_tool": own})
    wrong = settings.model_copy(update={"accounts": {"acme": account.model_copy(update={"surveys": surveys})}})
    with pytest.raises(ConfigError) as caught:
        Library(wrong)
    assert words in str(caught.value)


# --- rest between surveys ---------------------------------------------------------------------------------------------


@pytest.mark.row("P-3A")
@pytest.mark.parametrize(
    ("rest", "days", "mail", "rests"),
    [
        ("90d", 89, "Jo@Example.com ", True),
        ("90d", 91, "jo@example.com", False),
        ("90d", 10, "other@example.com", False),
        ("0s", 1, "jo@example.com", False),
    ],
)
def test_a_person_rests_by_their_address_also_under_another_record_until_the_rest_is_over(
    houses: Any, rest: str, days: int, mail: str, rests: bool
) -> None:
    house = houses(surveys={"rest": rest})
    links, config = house.runtime.links, house.runtime.accounts["acme"].config
    path = house.give_link().removeprefix("/s/")
    with house.store.write() as session:
        link = intake.link(session, links.read(LinkKind.SURVEY, path))
        about_person(links, "acme", link, People(contacts=(Contact(id="900", name="Jo", email="jo@example.com"),)))
        assert "example" not in link.person
    other = People(contacts=(Contact(id="901", name="Jo", email=mail),))
    now = house.clock.now() + timedelta(days=days)
    found = lately_surveyed(house.store, links, "acme", config, [other], now)
    assert bool(surveyed_elsewhere(found, links, "acme", other, "case-7")) is rests
    assert not surveyed_elsewhere(found, links, "acme", other, "case-500"), "their own case is no other"
