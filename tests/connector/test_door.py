"""The ledger of wishes: what leavers missed, gathered, delivered once, and forgotten with its answer (P-52)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner

from connector.cli import app
from connector.door import NoSuchWish, add, decline, deliver, ledger
from connector.store import door, intake
from connector.store.door_tables import VoiceRow
from connector.store.tables import AnswerRow, LinkRow
from workflows.questions import Answer
from workflows.wishes import wishes_in

pytestmark = pytest.mark.row("P-52")


def say(house: Any, questionnaire: str = "exit", by: str = "customer", deal_id: str = "500", **values: Any) -> str:
    """Someone answers; gives the link's id."""
    house.give_link(deal_id=deal_id, questionnaire=questionnaire)
    link = next(one for one in house.rows(LinkRow) if one.case_id == f"case-{deal_id}")
    answer = Answer(
        case_id=f"case-{deal_id}",
        contact_id="900",
        questionnaire=questionnaire,
        by=by,
        language="fr",
        at=house.clock.now(),
        values=values,
    )
    with house.store.write() as session:
        intake.save_answer(session, link, answer)
    return str(link.id)


def words(house: Any) -> list[str]:
    return [voice.words for voice in ledger(house.store, "acme", house.runtime.library.questionnaires).unsorted]


@pytest.mark.parametrize(
    ("values", "heard"),
    [
        ({"recommend": 7, "reason": "product_gap", "missing": "No export."}, ["No export."]),
        ({"recommend": 7, "reason": "budget", "missing": "You were kind."}, []),
        ({"recommend": 7, "reason": "budget", "technical-gaps": "No API."}, ["No API."]),
        ({"recommend": 7, "reason": "price", "reason-second": "product_gap", "missing": "No export."}, ["No export."]),
        ({"recommend": 7, "reason": "product_gap"}, []),
    ],
)
def test_words_that_name_a_gap_are_heard_and_no_others(house: Any, values: dict[str, Any], heard: list[str]) -> None:
    say(house, **values)
    assert words(house) == heard
    assert words(house) == heard, "reading again changes nothing"


def test_an_answer_that_is_edited_while_it_is_gone_through_is_heard_again(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(house, recommend=7, reason="product_gap", missing="No export.")
    with house.store.read() as session:
        stale = door.unheard(session, "acme", ["exit"])
    say(house, recommend=7, reason="budget", missing="No export.", **{"technical-gaps": "No API."})
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(door, "unheard", lambda *_: stale)
        assert words(house) == []
    assert words(house) == ["No API."]


def test_answers_wait_for_a_questionnaire_that_is_absent_just_now(house: Any) -> None:
    say(house, recommend=7, reason="product_gap", missing="No export.")
    assert ledger(house.store, "acme", {}).unsorted == ()
    assert words(house) == ["No export."]


def test_our_own_team_voices_no_wish_of_a_customer(house: Any) -> None:
    say(house, by="team", **{"recommend": 7, "reason": "product_gap", "missing": "They wanted an export."})
    assert words(house) == []


def test_a_wish_is_delivered_once_and_each_deal_is_looked_at(house: Any) -> None:
    for deal in ("500", "501"):
        say(house, deal_id=deal, reason="product_gap", recommend=7, missing=f"No export for {deal}.")
    found = ledger(house.store, "acme", house.runtime.library.questionnaires).unsorted
    now = house.clock.now()
    wish = add(house.store, "acme", "  an export  ", found, now)
    assert words(house) == []
    assert deliver(house.store, "acme", wish, now) == ["500", "501"]
    assert {deal for _, deal in house.agenda()} == {"500", "501"}
    assert deliver(house.store, "acme", wish, now) == []
    with pytest.raises(NoSuchWish, match="aurevoir wishes list"):
        deliver(house.store, "acme", 99, now)
    with pytest.raises(NoSuchWish):
        deliver(house.store, "globex", wish, now)


def test_a_voice_goes_with_its_answer(house: Any) -> None:
    link = say(house, reason="product_gap", recommend=7, missing="No export.")
    assert words(house) == ["No export."]
    with house.store.write() as session:
        session.execute(delete(AnswerRow).where(AnswerRow.link_id == link))
    assert words(house) == []
    assert house.rows(VoiceRow) == []


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of one account, with nothing in the database yet."""
    path = tmp_path / "config.yaml"
    path.write_text(
        f"""
server: {{public_url: "https://goodbye.example.com"}}
database_url: sqlite:///{tmp_path / "aurevoir.db"}
secret_key: kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-wishes
accounts:
  acme:
    crm: hubspot
    account_id: "4242"
    access_token: pat-eu1-0000
    client_secret: hush-hush-hush
    calendar: FR
    watch: [{{pipeline: Renewals, not_renewing: [Not renewing]}}]
"""
    )
    path.chmod(0o600)
    return path


def test_the_command_keeps_the_ledger(config: Path) -> None:
    run = CliRunner().invoke
    assert "nobody has asked for anything yet" in run(app, ["wishes", "list", "--config", str(config)]).output
    made = run(app, ["wishes", "add", "an export", "--config", str(config)])
    assert made.exit_code == 0, made.output
    assert "aurevoir wishes deliver 1" in made.output
    assert "wish 1 (open, 0 customers): an export" in run(app, ["wishes", "list", "--config", str(config)]).output
    told = run(app, ["wishes", "deliver", "1", "--config", str(config)])
    assert "Nobody is to be told" in told.output
    listed = json.loads(run(app, ["wishes", "list", "--json", "--config", str(config)]).output)
    assert listed["acme"]["wishes"][0]["delivered_at"] is not None
    assert "stays so" in run(app, ["wishes", "decline", "1", "--config", str(config)]).output


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (["add", "an export", "--voice", "3"], "0 words"),
        (["add", "  "], "what they asked for"),
        (["deliver", "7"], "no wish 7"),
        (["list", "--account", "umbrella"], "acme"),
    ],
)
def test_wrong_use_is_told_with_its_cure(config: Path, arguments: list[str], cure: str) -> None:
    ran = CliRunner().invoke(app, ["wishes", *arguments, "--config", str(config)])
    assert ran.exit_code == 2
    assert cure in ran.output


def test_only_answers_that_are_new_or_were_edited_are_gone_through(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = say(house, deal_id="500", reason="product_gap", recommend=7, missing="No export.")
    say(house, deal_id="501", reason="price", recommend=7, missing="Too dear.")
    assert words(house) == ["No export."]
    gone_through: list[str] = []

    def listen(questionnaire: Any, answer: Any) -> tuple[str, ...]:
        gone_through.append(answer.case_id)
        return wishes_in(questionnaire, answer)

    monkeypatch.setattr("connector.door.wishes_in", listen)
    assert words(house) == ["No export."]
    assert gone_through == []
    say(house, deal_id="502", reason="product_gap", recommend=7, missing="No import.")
    with house.store.write() as session:
        link = session.get(LinkRow, first)
        said = intake.to_answer(session.get(AnswerRow, first))
        intake.save_answer(session, link, said.model_copy(update={"values": {"recommend": 7, "reason": "price"}}))
    assert words(house) == ["No import."], "who changed their answer no longer asks for it"
    assert sorted(gone_through) == ["case-500", "case-502"]


def test_a_declined_wish_tells_nobody_and_may_be_delivered_all_the_same(house: Any) -> None:
    say(house, reason="product_gap", recommend=7, missing="No export.")
    found, now = ledger(house.store, "acme", house.runtime.library.questionnaires).unsorted, house.clock.now()
    wish = add(house.store, "acme", "an export", found, now)
    assert decline(house.store, "acme", wish, now, note="too few asked")
    assert not [entry for entry in house.agenda().values() if "wish" in entry.why]
    assert deliver(house.store, "acme", wish, now, note="under Reports") == ["500"]
    assert not decline(house.store, "acme", wish, now, note="after all")
    with house.store.read() as session:
        assert [one.text for one in door.news(session, "acme", ["case-500"])["case-500"]] == [
            "an export (under Reports)"
        ]
