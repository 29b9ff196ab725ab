"""Feedback: every word that was said reaches the right records, once, and says whose word it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.hubspot.mapping import note_input
from workflows.asking import with_reasons
from workflows.cases import Case, CaseStatus
from workflows.feedback import MAX_TEXT, feedback_writes
from workflows.fields import REASON_OPTIONS, field
from workflows.questions import Answer, AnswerValue, Option
from workflows.records import Deal
from workflows.survey import clean_text, shipped_questionnaires
from workflows.writes import CreateNote, UpdateFields, Write

NOW = datetime(2026, 7, 6, 9, 30, tzinfo=UTC)
SAID: dict[str, AnswerValue] = {
    "recommend": 6,
    "reason": "product_gap",
    "avoidable": "partly",
    "missing": 'An export that works.\n=HYPERLINK("x") <b>bold</b>',
    "ease": 5,
}


def make_case(**more: Any) -> Case:
    values = {"id": "c1", "account": "acme", "deal_id": "d1", "status": CaseStatus.ACTIVE, "playbook": "saas"}
    values |= {"language": "en", "stage_id": "lost", "entered_at": NOW, "opened_at": NOW}
    return Case(**{**values, **more})


def make_answer(**more: Any) -> Answer:
    values = {
        "case_id": "c1",
        "contact_id": "p1",
        "questionnaire": "exit",
        "by": "customer",
        "language": "fr",
        "at": NOW,
    }
    return Answer(**{**values, "values": SAID, **more})


def write(answer: Answer, case: Case | None = None, deal: Deal | None = None, **more: Any) -> tuple[Write, ...]:
    questionnaire = shipped_questionnaires()[answer.questionnaire]
    deal = deal or Deal(id="d1", company_id="k1", contact_ids=("p1",))
    return feedback_writes(case or make_case(), questionnaire, answer, deal, NOW + timedelta(days=1), **more)


def fields_by_record(writes: tuple[Write, ...]) -> dict[str, dict[str, object]]:
    return {f"{one.target.kind}:{one.target.id}": dict(one.values) for one in writes if isinstance(one, UpdateFields)}


def notes(writes: tuple[Write, ...]) -> list[CreateNote]:
    return [one for one in writes if isinstance(one, CreateNote)]


@pytest.mark.row("P-37")
def test_an_answer_reaches_contact_company_and_deal_and_one_note_on_all_three() -> None:
    writes = write(make_answer(), name="Zoe Hill")
    found = fields_by_record(writes)
    assert found.keys() == {"contact:p1", "company:k1", "deal:d1"}
    for values in found.values():
        assert (values["exit_score"], values["exit_reason"], values["exit_feedback_at"]) == (6, "product_gap", NOW)
        assert "An export that works." in str(values["exit_feedback"])
    (note,) = notes(writes)
    assert (note.title, note.company_id, note.contact_ids, note.at) == (
        "Exit survey: Zoe Hill's own answer",
        "k1",
        ("p1",),
        NOW,
    )


def test_the_note_holds_every_question_and_answer_in_the_language_of_the_case() -> None:
    (note,) = notes(write(make_answer(), make_case(language="fr")))
    assert "Quelle est la raison principale de votre départ\xa0?\nManque dans le produit" in note.body
    assert "\n6 (0 = Pas du tout probable, 10 = Très probable)" in note.body
    assert note.body.index("raison principale") < note.body.index("Aurions-nous pu") < note.body.index("An export")
    assert '=HYPERLINK("x") <b>bold</b>' in note.body


def test_the_same_answer_has_the_same_keys_and_an_edited_one_has_others() -> None:
    first = write(make_answer())
    again = write(make_answer(values=dict(reversed(SAID.items()))))
    later = write(make_answer(at=NOW + timedelta(minutes=1), values={**SAID, "recommend": 7}))
    back = write(make_answer(at=NOW + timedelta(minutes=2)))
    assert [one.key for one in first] == [one.key for one in again]
    assert len({one.key for writes in (first, later, back) for one in writes}) == 12
    assert all(one.key.startswith("c1:feedback:p1:") for one in first)
    assert {one.key.rpartition(":")[2] for one in first} == {"contact", "company", "deal", "note"}


@pytest.mark.row("P-39")
def test_a_colleagues_notes_never_pass_for_the_customers_score_or_reason() -> None:
    said = {"reason": "price", "reason-told": "Too dear, they said.", "mood": "warm"}
    writes = write(make_answer(by="csm", contact_id=None, questionnaire="interview", values=said))
    found = fields_by_record(writes)
    assert found.keys() == {"company:k1", "deal:d1"}
    for values in found.values():
        assert values.keys() == {"exit_feedback", "exit_feedback_at", "exit_reason_interview"}
        assert values["exit_reason_interview"] == "price"
        assert str(values["exit_feedback"]).startswith("Exit conversation: notes of our interviewer\n")
    (note,) = notes(writes)
    assert "Price or value" in note.body
    assert all(one.key.startswith("c1:feedback:csm:") for one in writes)


def test_a_survey_that_a_colleague_filled_in_is_kept_apart_from_the_persons_own_answer() -> None:
    ours = write(make_answer(by="csm"), name="Zoe Hill")
    assert "exit_score" not in fields_by_record(ours)["contact:p1"]
    assert notes(ours)[0].title == "Exit survey: notes of our interviewer after talking to Zoe Hill"
    assert not {one.key for one in ours} & {one.key for one in write(make_answer())}


def test_a_score_that_was_taken_back_is_emptied_on_the_person_and_left_to_others_elsewhere() -> None:
    found = fields_by_record(write(make_answer(values={"reason": "price"})))
    assert found["contact:p1"]["exit_score"] is None
    assert "exit_score" not in found["deal:d1"]


def test_without_company_and_contact_the_deal_alone_is_written() -> None:
    writes = write(make_answer(contact_id=None), deal=Deal(id="d9"))
    assert fields_by_record(writes).keys() == {"deal:d9"}
    assert notes(writes)[0].contact_ids == ()
    assert fields_by_record(write(make_answer(), make_case(company_id="k7"), Deal(id="d9"))).keys() >= {"company:k7"}


def test_long_answers_are_shortened_in_fields_and_whole_in_notes() -> None:
    said = {"recommend": 1, "missing": "a" * 15_000, "why-us": "b" * 10_000, "communication": "c" * 10_000}
    writes = write(make_answer(values=said))
    for values in fields_by_record(writes).values():
        text = str(values["exit_feedback"])
        assert len(text) <= MAX_TEXT
        assert text.endswith("[Shortened here. The whole answer is in the note on the deal.]")
    parts = notes(writes)
    assert [part.title[-13:] for part in parts] == ["(part 1 of 2)", "(part 2 of 2)"]
    assert all(len(part.body) <= MAX_TEXT for part in parts)
    assert sum(part.body.count("a" * 15_000) + part.body.count("c" * 10_000) for part in parts) == 2
    assert len({one.key for one in writes}) == len(writes)


def test_what_an_older_questionnaire_asked_is_not_lost() -> None:
    writes = write(make_answer(values={"recommend": 9, "reason": "bored", "colour": "blue", "tools": ("x", "y")}))
    (note,) = notes(writes)
    assert "colour\nblue" in note.body
    assert "tools\nx, y" in note.body
    assert "bored" in note.body
    assert "exit_reason" not in fields_by_record(writes)["contact:p1"]


def test_an_answer_from_the_future_counts_as_given_now() -> None:
    values = fields_by_record(write(make_answer(at=NOW + timedelta(days=300))))["deal:d1"]
    assert values["exit_feedback_at"] == NOW + timedelta(days=1)


def test_an_empty_answer_writes_nothing() -> None:
    assert write(make_answer(values={})) == ()


def test_only_fields_that_we_own_are_written() -> None:
    for one in write(make_answer()):
        if isinstance(one, UpdateFields):
            assert all(field(one.target.kind, name) for name in one.values)


@pytest.mark.row("P-33", "P-60")
def test_a_first_impression_gives_the_start_score_and_never_passes_for_exit_feedback() -> None:
    answer = make_answer(questionnaire="start", values={"recommend": 8, "worry": "The migration."})
    writes = write(answer, make_case(kind="baseline", playbook="baseline"), name="Zoe Hill")
    assert fields_by_record(writes) == {key: {"start_score": 8} for key in ("contact:p1", "company:k1", "deal:d1")}
    [note] = notes(writes)
    assert note.title == "First impression: Zoe Hill's own answer"
    assert "The migration." in note.body


# --- start and end, own reasons, and whatever people write ------------------------------------------------------------


@pytest.mark.row("P-33")
def test_the_score_at_the_end_stands_beside_the_one_at_the_start() -> None:
    writes = write(make_answer(values={"recommend": 3, "reason": "price"}), start=9)
    (note,) = notes(writes)
    assert note.body.startswith("Score at the start: 9. Score now: 3. Change: \N{MINUS SIGN}6.")
    found = fields_by_record(writes)
    assert (found["deal:d1"]["start_score"], found["deal:d1"]["exit_score"]) == (9, 3)
    assert "start_score" not in found["contact:p1"], "what stands there is where it came from"
    assert "start_score" not in fields_by_record(write(make_answer(values={"reason": "price"}), start=9))["deal:d1"]


@pytest.mark.row("P-34")
def test_a_reason_of_the_admins_own_is_counted_as_its_stable_one_and_read_in_its_own_words() -> None:
    own = (Option(value="bought", category="merger_closure", text={"en": "We were bought"}), *REASON_OPTIONS[:1])
    questionnaire = with_reasons(shipped_questionnaires()["exit"], own)
    said = {"recommend": 7, "reason": "bought", "reason-second": "in_house", "avoidable": "partly"}
    deal = Deal(id="d1", company_id="k1")
    writes = feedback_writes(make_case(), questionnaire, make_answer(values=said), deal, NOW)
    values = fields_by_record(writes)["deal:d1"]
    told = (values["exit_reason"], values["exit_reason_second"], values["exit_avoidable"])
    assert told == ("merger_closure", "in_house", "partly")
    assert "We were bought" in notes(writes)[0].body


HARD_TEXTS = {
    "plain": "a" * 60_000,
    "markup": "<script>alert(1)</script> & \"'" * 2_000,
    "lines": "one\n" * 15_000,
    "emoji": "\U0001f469\u200d\U0001f680 " * 15_000,
    "arabic": "شكرا جزيلا لكم " * 4_000,
    "addresses": "https://example.com/a?b=c&d=e " * 2_000,
}


@pytest.mark.row("P-37")
@pytest.mark.parametrize("kind", HARD_TEXTS)
def test_not_a_word_of_sixty_thousand_characters_is_lost_in_notes_of_either_crm(kind: str) -> None:
    text = clean_text(HARD_TEXTS[kind])[:60_000]
    made = notes(write(make_answer(values={"recommend": 1, "missing": text})))
    body = "\n\n".join(note.body for note in made)
    assert "".join(body.split()).endswith("".join(text.split()))
    assert len({note.key for note in made}) == len(made)
    for note in made:
        shown = note_input(note)["properties"]["hs_note_body"]
        assert len(shown) <= 65_536
        assert "longer than" not in shown
        assert "<script" not in shown


@pytest.mark.row("P-37")
def test_a_field_of_emoji_fits_where_they_count_twice() -> None:
    text = "\U0001f600" * 40_000
    for values in fields_by_record(write(make_answer(values={"recommend": 1, "missing": text}))).values():
        assert len(str(values["exit_feedback"]).encode("utf-16-le")) // 2 <= MAX_TEXT


@pytest.mark.row("P-37")
def test_a_formula_never_begins_a_field() -> None:
    for values in fields_by_record(write(make_answer(values={"recommend": 1, "missing": "=1+1"}))).values():
        assert str(values["exit_feedback"])[0] not in "=+-@\t"
