"""The page on which a former customer chooses what to hear: one click, nothing by opening it, an end at any time."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest

from connector.store import intake
from workflows.rules import LinkKind

pytestmark = pytest.mark.row("P-51")


@pytest.fixture
def path(house: Any) -> str:
    return str(house.give_link(LinkKind.TOUCH, questionnaire="touch"))


def seal(house: Any, path: str) -> str:
    found = re.search(r'name="form-seal" value="([^"]+)"', house.client.get(path).text)
    assert found is not None
    return found[1]


def send(house: Any, path: str, **values: str) -> Any:
    return house.client.post(path, data={"form-seal": seal(house, path), "your-website": "", **values})


def given(house: Any) -> dict[str, Any]:
    answers = house.answers()
    assert len(answers) <= 1
    return dict(answers[0].given) if answers else {}


def test_opening_the_page_changes_nothing_however_often(house: Any, path: str) -> None:
    for _ in range(3):
        assert house.client.get(path).status_code == 200
        assert house.client.head(path).status_code == 200
    assert given(house) == {}
    assert house.agenda() == {}


@pytest.mark.row("P-26")
def test_one_click_ends_it(house: Any, path: str) -> None:
    answer = send(house, path, hear="nothing")
    assert answer.status_code == 303
    assert given(house) == {"hear": "nothing"}
    assert [deal for _, deal in house.agenda()] == ["500"]
    assert house.engine.accounts == ["acme"]
    page = house.client.get(answer.headers["Location"]).text
    assert "Vous ne recevez plus rien de notre part." in page


@pytest.mark.row("P-55")
@pytest.mark.parametrize(("span", "days"), [("half", 183), ("one", 365), ("two", 730), ("for ever", 365)])
def test_news_always_has_an_end(house: Any, path: str, span: str, days: int) -> None:
    send(house, path, hear="news", span=span)
    assert given(house) == {"hear": "news", "until": (house.clock.now().date() + timedelta(days=days)).isoformat()}


@pytest.mark.row("P-56")
def test_a_day_to_be_asked_again_stays_beside_the_choice_and_goes_with_the_end_of_all(house: Any, path: str) -> None:
    send(house, path, hear="asked")
    send(house, path, again="2027-03-01")
    assert given(house) == {"hear": "asked", "again": "2027-03-01"}
    assert "1er mars 2027" in house.client.get(path).text
    send(house, path, hear="news", span="one")
    assert given(house)["again"] == "2027-03-01"
    send(house, path, hear="nothing")
    assert given(house) == {"hear": "nothing"}


@pytest.mark.parametrize("day", ["", "soon", "2020-01-01", "2026-03-02", "2199-01-01", "2026-02-31"])
def test_a_day_that_cannot_be_is_told_and_changes_nothing(house: Any, path: str, day: str) -> None:
    answer = send(house, path, again=day)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert given(house) == {}


@pytest.mark.parametrize("values", [{"hear": "everything"}, {}, {"hear": "nothing", "your-website": "spam"}])
def test_what_the_page_does_not_offer_is_not_taken(house: Any, path: str, values: dict[str, str]) -> None:
    assert send(house, path, **values).status_code in (400, 422)
    assert given(house) == {}


def test_a_form_without_our_seal_changes_nothing(house: Any, path: str) -> None:
    assert house.client.post(path, data={"hear": "nothing"}).status_code == 400
    assert given(house) == {}


def test_a_stranger_s_link_leads_nowhere(house: Any, path: str) -> None:
    assert house.client.get(path[:-1] + ("a" if path[-1] != "a" else "b")).status_code == 404
    assert house.client.get(path.replace("/touch/", "/survey/")).status_code == 404


def test_the_same_choice_twice_is_one(house: Any, path: str) -> None:
    send(house, path, hear="nothing")
    version = house.answers()[0].version
    send(house, path, hear="nothing")
    assert house.answers()[0].version == version


def test_the_page_speaks_the_reader_s_language_and_asks_for_nothing_ticked(house: Any, path: str) -> None:
    french, english = house.client.get(path).text, house.client.get(path + "?lang=en").text
    assert "Que souhaitez-vous recevoir" in french
    assert "What would you like to hear from us?" in english
    assert "checked" not in english
    assert 'value=""' in english, "no day is chosen beforehand"


def test_a_page_that_was_closed_says_so_and_takes_nothing(house: Any, path: str) -> None:
    mark = seal(house, path)
    with house.store.write() as session:
        intake.close_links(session, "case-500", house.clock.now())
    assert house.client.post(path, data={"form-seal": mark, "hear": "news"}).status_code == 410
    assert given(house) == {}


def test_an_agreement_that_has_run_out_is_shown_as_over(house: Any, path: str) -> None:
    send(house, path, hear="news", span="half")
    house.clock.time += timedelta(days=200)
    assert "depuis, vous n’en recevez plus" in house.client.get(path).text
    assert date.fromisoformat(given(house)["until"]) < house.clock.now().date()
