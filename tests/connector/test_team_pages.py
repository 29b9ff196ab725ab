"""The page on which the account's own people answer before they read what the customer said; who is asked what."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from connector.store import intake
from connector.store.tables import StepRow
from connector.taking import Taken, take_answer
from workflows.rules import LinkKind

VIEW = {"recommend": "8", "reason": "price", "training": "5", "reason-told": "We were slow."}


def send(house: Any, path: str, answers: dict[str, str]) -> Any:
    """Open the page, fill in and send it, as a person does."""
    return house.client.post(path, data=hidden(house.client.get(path).text) | answers)


def hidden(html: str) -> dict[str, str]:
    """What a form carries that nobody sees."""
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', html)}


@pytest.fixture
def team(house: Any) -> str:
    path: str = house.give_link(LinkKind.TEAM, contact_id=None)
    return path


@pytest.mark.row("P-39")
def test_the_team_answers_on_a_page_of_its_own_and_may_change_it_while_nobody_else_has_spoken(
    house: Any, team: str
) -> None:
    assert team.startswith("/team/")
    html = house.client.get(team).text
    assert "Brasserie du Lac" in html
    assert "checked" not in html
    assert send(house, team, VIEW).status_code == 303
    assert send(house, team, VIEW | {"recommend": "7"}).status_code == 303
    (row,) = house.answers()
    assert (row.by, row.contact_id, row.given["recommend"], row.playbook) == ("team", None, 7, "saas")
    assert house.agenda()["acme", "500"].why == "answer"


@pytest.mark.row("P-39", "P-42")
def test_each_colleague_answers_by_name_and_reads_and_changes_nobody_elses_words(house: Any, team: str) -> None:
    assert send(house, team, VIEW | {"form-name": " Ana  Roy "}).status_code == 303
    thanked = send(house, team, VIEW | {"form-name": "Ben", "recommend": "3", "reason-told": "They grew."})
    assert "who=Ben" in thanked.headers["Location"]
    assert "who=Ben" in house.client.get(thanked.headers["Location"]).text
    assert {row.author: row.given["recommend"] for row in house.answers()} == {"Ana Roy": 8, "Ben": 3}
    for path in (team, f"{team}?who=Ana+Roy", f"{team}?who=Ana+Roy&form-own=made-up"):
        fresh = unescape(house.client.get(path).text)
        assert "Ana Roy" not in fresh, "who answered is told to whoever has answered"
        assert "We were slow." not in fresh
        assert "checked" not in fresh
    own = unescape(re.search(r'class="button" href="([^"]+)"', house.client.get(thanked.location).text)[1])
    mine = unescape(house.client.get(own).text)
    assert "Ana Roy, Ben" in mine
    assert "They grew." in mine
    assert "We were slow." not in mine
    there = re.search(r'href="(\?lang=en&[^"]+)"', mine)
    assert "They grew." in house.client.get(f"{team}{there[1]}").text, (
        "another language is no reason to lose one's place"
    )
    assert send(house, own, VIEW | {"form-name": "Ben", "recommend": "4"}).status_code == 303
    again = send(house, team, VIEW | {"form-name": "ana roy", "reason-told": "And dear."})
    assert again.status_code == 409, "somebody of this name has answered"
    assert "We were slow." not in again.text
    assert "And dear." in again.text
    assert next(row for row in house.answers() if row.author == "Ana Roy").given["reason-told"] == "We were slow."
    replaced = house.client.post(team, data=hidden(again.text) | VIEW | {"form-name": "ana roy", "recommend": "6"})
    assert replaced.status_code == 303, "whoever lost the way back says it anew"
    assert sorted(row.given["recommend"] for row in house.answers()) == [4, 6]
    send(house, house.give_link(), {"recommend": "2", "reason": "results"})
    kept = unescape(house.client.get(own).text)
    assert "Votre point de vue reste tel quel" in kept
    assert house.client.post(own, data=hidden(mine) | VIEW | {"form-name": "Ben"}).status_code == 409
    late = send(house, team, VIEW | {"form-name": "Ben", "reason-told": "Another Ben."})
    assert (late.status_code, "Another Ben." in late.text, "They grew." in late.text) == (409, True, False)
    assert send(house, team, VIEW | {"form-name": "Cleo"}).status_code == 303, "late, and marked as such"
    assert len({row.author for row in house.answers() if row.by == "team"}) == 3


@pytest.mark.row("P-39")
def test_what_was_said_for_all_together_says_so_and_keeps_nobody_from_answering_alone(house: Any, team: str) -> None:
    send(house, team, VIEW)
    assert "au nom de toute l’équipe. Vous pouvez" in unescape(house.client.get(team).text)
    for name in ("Ana", "Ben"):
        assert send(house, team, VIEW | {"form-name": name}).status_code == 303
    stale = hidden(house.client.get(team).text)
    assert house.client.post(team, data=stale | VIEW | {"form-name": "Ben", "recommend": "1"}).status_code == 409
    assert {row.given["recommend"] for row in house.answers()} == {8}


@pytest.mark.row("P-39")
@pytest.mark.parametrize(
    ("kind", "answers"),
    [(LinkKind.SURVEY, {"recommend": "2", "reason": "results"}), (LinkKind.INTERVIEW, {"reason": "results"})],
)
def test_from_the_first_answer_of_others_on_the_teams_view_stays_as_it_is(
    house: Any, team: str, kind: LinkKind, answers: dict[str, str]
) -> None:
    send(house, team, VIEW)
    open_page = house.client.get(team).text
    seal = re.search(r'name="form-seal" value="([^"]+)"', open_page)
    assert seal is not None
    assert send(house, house.give_link(kind), answers).status_code == 303
    html = unescape(house.client.get(team).text)
    assert "<form" not in html
    assert "Votre point de vue reste tel quel" in html
    assert "We were slow." in html
    late = house.client.post(team, data={**VIEW, "recommend": "2", "form-seal": seal[1]})
    assert late.status_code == 409
    assert [row.given["recommend"] for row in house.answers() if row.by == "team"] == [8]


@pytest.mark.row("P-39")
def test_a_change_that_was_under_way_when_the_first_answer_came_in_is_not_kept(house: Any, team: str) -> None:
    send(house, team, VIEW)
    send(house, house.give_link(), {"recommend": "2", "reason": "results"})
    questionnaire = house.runtime.library.questionnaire("team")
    link_id = house.runtime.links.read(LinkKind.TEAM, team.rpartition("/")[2])
    (row,) = [row for row in house.answers() if row.by == "team"]
    changed = intake.to_answer(row).model_copy(update={"values": {"recommend": 2, "reason": "results"}})
    assert take_answer(house.runtime, link_id, questionnaire, changed) is Taken.KEPT
    assert [row.given["recommend"] for row in house.answers() if row.by == "team"] == [8]


@pytest.mark.row("P-39")
def test_who_rates_after_the_first_answer_is_told_so_on_the_page(house: Any, team: str) -> None:
    send(house, house.give_link(), {"recommend": "2", "reason": "results"})
    assert "sera signalé comme rédigé après elles" in unescape(house.client.get(team).text)
    assert send(house, team, VIEW).status_code == 303


def test_a_view_does_not_stand_in_the_way_of_the_customer(house: Any, team: str) -> None:
    send(house, team, VIEW)
    path = house.give_link()
    assert send(house, path, {"recommend": "2", "reason": "results"}).status_code == 303
    assert send(house, path, {"recommend": "3", "reason": "results"}).status_code == 303
    assert "signalé" not in house.client.get(path).text


def test_a_team_link_opens_no_other_page(house: Any, team: str) -> None:
    token = team.rpartition("/")[2]
    for path in ("/s/", "/survey/", "/interview/"):
        assert house.client.get(path + token).status_code == 404


# --- who is asked what ------------------------------------------------------------------------------------------------


@pytest.mark.row("P-11", "P-32")
def test_a_page_shows_the_questions_that_fit_the_contacts_roles(house: Any) -> None:
    html = house.client.get(house.give_link(roles=["decider"])).text
    assert 'name="value"' in html
    assert 'name="daily-use"' not in html
    nobody = house.client.get(house.give_link(deal_id="501")).text
    assert 'name="value"' not in nobody
    assert "s-your-part" not in nobody


@pytest.mark.row("P-11")
def test_an_answer_is_not_lost_when_the_contact_is_no_longer_in_that_role(house: Any) -> None:
    path = house.give_link(roles=["decider"])
    send(house, path, {"recommend": "7", "reason": "price", "value": "2"})
    link_id = house.runtime.links.read(LinkKind.SURVEY, path.removeprefix("/s/"))
    with house.store.write() as session:
        intake.link(session, link_id).roles = ["user"]
    html = house.client.get(path).text
    assert re.search(r'name="value" value="2" checked', html)
    assert 'name="daily-use"' in html
    send(house, path, {"recommend": "8", "reason": "price", "value": "2", "daily-use": "4"})
    assert house.answers()[0].given == {"recommend": 8, "reason": "price", "value": 2, "daily-use": 4}


@pytest.mark.row("P-35")
def test_the_leaving_page_offers_only_steps_that_this_customer_met(house: Any) -> None:
    path = house.give_link(questionnaire="leaving")
    assert "hardest" not in house.client.get(path).text, "the case of the house has no step that a customer knows"
    with house.store.write() as session:
        session.get(StepRow, ("case-500", "thanks")).rule = "acknowledge"
    offered = re.findall(r'name="hardest" value="([a-z-]*)"', house.client.get(path).text)
    assert offered == ["first-reply", "none", ""]


# --- words that came too late ----------------------------------------------------------------------------------------


@pytest.mark.row("P-06", "P-37")
def test_what_was_written_for_a_page_that_closed_meanwhile_comes_back_to_be_copied(house: Any) -> None:
    path = house.give_link()
    seal = re.search(r'name="form-seal" value="([^"]+)"', house.client.get(path).text)
    assert seal is not None
    with house.store.write() as session:
        intake.close_links(session, "case-500", house.clock.now())
    words = {"recommend": "1", "reason": "price", "missing": "Merci à <b>Jo</b>\nشكرا"}
    answer = house.client.post(path, data={**words, "form-seal": seal[1]})
    assert answer.status_code == 410
    assert "Merci à &lt;b&gt;Jo&lt;/b&gt;\nشكرا" in answer.text
    assert "<form" not in answer.text
    assert house.answers() == []
    assert "Voici vos mots" not in house.client.get(path).text
