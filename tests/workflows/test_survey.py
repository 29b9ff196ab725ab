"""Questionnaires: kind to those who answer, and nothing that they write is lost, cut or believed blindly."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.asking import fitted, load_reasons, parse_reasons, with_reasons
from workflows.documents import PlaybookError
from workflows.fields import REASON_OPTIONS
from workflows.playbook import shipped_playbooks
from workflows.questions import Questionnaire, QuestionType
from workflows.rules import LinkKind
from workflows.survey import (
    clean_text,
    load_questionnaires,
    parse_questionnaire,
    questionnaire_schema,
    read_answers,
    shipped_questionnaires,
    wording,
)

SMALL = """\
questionnaire: small
version: 1
kind: survey
languages: [en, fr]
title: {en: Bye, fr: Au revoir}
intro: {en: Hello, fr: Bonjour}
thanks: {en: Thanks, fr: Merci}
sections:
  - key: all
    title: {en: All, fr: Tout}
    questions:
      - {key: nps, type: scale, required: true, field: exit_score, text: {en: How likely?, fr: Probable ?}}
      - {key: why, type: choice, options: reasons, field: exit_reason, text: {en: Why?, fr: Pourquoi ?}}
      - key: used
        type: choices
        text: {en: Used?, fr: Utilisé ?}
        options:
          - {value: "no", text: {en: Nothing, fr: Rien}}
          - {value: reports, text: {en: Reports, fr: Rapports}}
          - {value: alerts, text: {en: Alerts, fr: Alertes}}
      - {key: words, type: text, max_length: 20, text: {en: More?, fr: Autre chose ?}}
  - key: long
    title: {en: Long, fr: Long}
    fold: true
    questions:
      - {key: more, type: text, text: {en: What else?, fr: Quoi encore ?}}
"""


@pytest.fixture(scope="module")
def small() -> Questionnaire:
    return parse_questionnaire(SMALL, "small.yaml")


@pytest.fixture(scope="module")
def exit_survey() -> Questionnaire:
    return shipped_questionnaires()["exit"]


# --- what ships -----------------------------------------------------------------------------------------------------


@pytest.mark.row("P-26")
@pytest.mark.row("P-3A")
def test_a_leaving_customer_must_click_five_times_at_most_and_never_in_the_long_form(
    exit_survey: Questionnaire,
) -> None:
    required = [question for question in exit_survey.questions() if question.required]
    assert [question.key for question in required] == ["recommend", "reason"]
    assert not any(
        question.required for section in exit_survey.sections if section.fold for question in section.questions
    )
    assert not exit_survey.sections[0].fold
    assert len(exit_survey.sections[0].questions) <= 5


@pytest.mark.row("P-32")
@pytest.mark.row("P-34")
def test_the_survey_asks_for_all_that_a_company_should_know(exit_survey: Questionnaire) -> None:
    asked = {question.key: question for question in exit_survey.questions()}
    themes = {"start", "expertise", "account-manager", "others", "quality", "training", "knowledge", "overall", "goals"}
    assert asked.keys() >= themes | {"missing", "communication", "meetings", "why-us", "recommend"}
    assert asked.keys() >= {"avoidable", "ease", "improve"}
    assert (asked["recommend"].low, asked["recommend"].high, asked["recommend"].field) == (0, 10, "exit_score")
    assert [option.value for option in asked["reason"].options] == [option.value for option in REASON_OPTIONS]
    assert [option.value for option in asked["avoidable"].options] == ["yes", "partly", "no"]
    assert all(len(question.ends) == 2 for question in asked.values() if question.type is QuestionType.SCALE)


@pytest.mark.row("P-30")
@pytest.mark.row("P-39")
def test_the_interview_covers_four_fields_mood_and_both_sides() -> None:
    interview = shipped_questionnaires()["interview"]
    asked = {question.key for question in interview.questions()}
    assert interview.kind is LinkKind.INTERVIEW
    assert asked >= {"product", "price", "benefit", "improve", "mood", "nuance", "reason", "reason-told"}
    fields = {question.field for question in interview.questions()} - {None}
    fields -= {"permission", "permission_who", "permission_for", "permission_until"}
    assert fields == {"exit_reason_interview"}, "our words are not the customer's"


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "cure"),
    [
        (", fr: Merci", "", "line 7, thanks.fr: the text in fr is missing"),
        ("fr: Rien", "de: Nichts", "question used, options.#1.text.fr"),
        ("required: true", "required: maybe", "write true or false"),
        ("type: scale", "type: stars", "write one of 'scale', 'choice', 'choices', 'text' or 'date'"),
        ("key: words", "key: nps", "two questions have this key"),
        ("required: true, ", "low: 1, ", "ask from low: 0 to high: 10"),
        ("type: scale, required: true, ", "type: text, ", "only a scale can feed"),
        ("options: reasons, ", "", "two different options or more"),
        ("value: reports", 'value: "no"', "two different options or more"),
        ("max_length: 20", "options: reasons", "a text has no options"),
        ("max_length: 20", "ends: [{en: a, fr: b}, {en: c, fr: d}]", "a scale has two ends"),
        ("max_length: 20", "max_length: 60001", "write 60000 or less"),
        ("key: more, type: text", "key: more, required: true, type: text", "nothing in a folded section"),
        ("field: exit_reason", "field: exit_mood", "field is 'exit_mood': write one of 'exit_score', 'exit_reason'"),
        ("options: reasons", "options: resons", "options is 'resons': write one of 'reasons'"),
        ("value: alerts, ", "", "options.#3.value: this key is missing"),
        ("{value: alerts,", "{value: alerts, ticked: true,", "no such key; there are: category, steps, text, value"),
        ("languages: [en, fr]", "languages: [en, fr, de]", "write the options out"),
        (
            "options: reasons",
            "options: [{value: bored, text: {en: a, fr: b}}, {value: price, text: {en: c, fr: d}}]",
            "bored",
        ),
    ],
)
def test_a_questionnaire_that_could_not_work_is_refused_with_its_cure(old: str, new: str, cure: str) -> None:
    assert old in SMALL
    with pytest.raises(PlaybookError) as caught:
        parse_questionnaire(SMALL.replace(old, new, 1), "own.yaml")
    assert cure in str(caught.value)


@pytest.mark.row("P-32")
def test_a_survey_that_demands_more_than_five_answers_is_refused() -> None:
    more = "".join(f"      - {{key: q{n}, type: text, required: true, text: {{en: A, fr: B}}}}\n" for n in range(5))
    greedy = SMALL.replace("  - key: long\n", more + "  - key: long\n")
    with pytest.raises(PlaybookError, match="6 questions are required"):
        parse_questionnaire(greedy, "own.yaml")
    ours = greedy.replace("kind: survey", "kind: interview").replace("field: exit_score, ", "")
    assert parse_questionnaire(ours.replace("field: exit_reason, ", ""), "own.yaml").questions()


def test_an_admins_questionnaires_are_loaded_beside_ours() -> None:
    assert load_questionnaires({"a.yaml": SMALL}).keys() == {"small"}
    assert questionnaire_schema()["$defs"]["QuestionDoc"]["additionalProperties"] is False


# --- answers --------------------------------------------------------------------------------------------------------


def test_answers_are_read_in_their_own_kinds_and_other_inputs_left_alone(small: Questionnaire) -> None:
    form = {
        "nps": ["9"],
        "why": ["price"],
        "used": ["alerts", "reports", "alerts"],
        "words": [" Thank\r\nyou "],
        "more": [""],
        "csrf_token": ["x"],
    }
    values, problems = read_answers(small, form, "en")
    assert values == {"nps": 9, "why": "price", "used": ("reports", "alerts"), "words": "Thank\nyou"}
    assert problems == {}


@pytest.mark.parametrize(
    ("form", "key", "words"),
    [
        ({}, "nps", "Merci de répondre à cette question."),
        ({"nps": ["  "]}, "nps", "Merci de répondre à cette question."),
        ({"nps": ["11"]}, "nps", "Merci de choisir parmi les réponses proposées."),
        ({"nps": ["-1"]}, "nps", "Merci de choisir parmi les réponses proposées."),
        ({"nps": ["٣"]}, "nps", "Merci de choisir parmi les réponses proposées."),
        ({"nps": ["3", "4"]}, "nps", "Merci de ne choisir qu’une seule réponse."),
        ({"nps": ["3"], "why": ["bored"]}, "why", "Merci de choisir parmi les réponses proposées."),
        ({"nps": ["3"], "used": ["reports", "x"]}, "used", "Merci de choisir parmi les réponses proposées."),
        ({"nps": ["3"], "words": ["x" * 21]}, "words", "Ce texte compte 21 caractères. Merci de le ramener à 20."),
    ],
)
def test_what_cannot_be_taken_is_said_beside_its_question_in_the_persons_language(
    small: Questionnaire, form: dict[str, list[str]], key: str, words: str
) -> None:
    values, problems = read_answers(small, form, "fr-CA")
    assert problems == {key: words}
    assert key not in values


def test_good_answers_beside_a_bad_one_are_given_back(small: Questionnaire) -> None:
    values, problems = read_answers(small, {"nps": ["99"], "more": ["Do not lose this"]}, "xx")
    assert values == {"more": "Do not lose this"}
    assert problems == {"nps": "Please choose from the answers shown."}


@pytest.mark.row("P-37")
def test_sixty_thousand_characters_are_taken_and_one_more_is_not(small: Questionnaire) -> None:
    assert read_answers(small, {"nps": ["1"], "more": ["é" * 60_000]}, "en")[1] == {}
    assert "60001 characters" in read_answers(small, {"nps": ["1"], "more": ["e\u0301" * 60_001]}, "en")[1]["more"]


@given(st.text())
@settings(deadline=None)
def test_a_kept_text_can_be_stored_and_shown_and_stays_as_it_is(text: str) -> None:
    kept = clean_text(text)
    assert clean_text(kept) == kept == unicodedata.normalize("NFC", kept)
    kept.encode("utf-8")
    assert not any(unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t" for one in kept)


def test_direction_overrides_and_nulls_go_while_emoji_and_markup_stay() -> None:
    assert clean_text("a\x00b\u202ec \U0001f468\u200d\U0001f469\u200d\U0001f467 <b>=1+1</b>\r") == (
        "abc \U0001f468\u200d\U0001f469\u200d\U0001f467 <b>=1+1</b>"
    )


def test_a_text_is_shown_in_the_nearest_language_that_there_is() -> None:
    texts = {"fr": "Bonjour", "en": "Hello"}
    assert wording(texts, "fr-CA") == "Bonjour"
    assert wording(texts, "de", ("en", "fr")) == "Hello"
    assert wording({}, "de") == ""


# --- by role, by what they went through, and in an admin's own words --------------------------------------------------


def keys(questionnaire: Questionnaire) -> set[str]:
    return {question.key for question in questionnaire.questions()}


@pytest.mark.row("P-11", "P-32")
@pytest.mark.parametrize(
    ("roles", "own"),
    [
        ([], set()),
        (["other"], set()),
        (["decider"], {"value", "deciding"}),
        (["user"], {"daily-use", "daily-obstacles"}),
        (["influencer", "decider"], {"technical-fit", "technical-gaps", "value", "deciding"}),
    ],
)
def test_each_is_asked_what_fits_their_part_and_the_fourteen_themes_stay_for_everybody(
    exit_survey: Questionnaire, roles: list[str], own: set[str]
) -> None:
    asked = keys(fitted(exit_survey, roles, ()))
    themes = {"start", "expertise", "account-manager", "others", "quality", "training", "knowledge", "overall", "goals"}
    themes |= {"missing", "communication", "meetings", "why-us", "recommend"}
    assert themes <= asked
    by_role = {question.key for question in exit_survey.questions() if question.roles}
    assert asked & by_role == own
    assert all(section.questions for section in fitted(exit_survey, roles, ()).sections), "no empty heading"


@pytest.mark.row("P-11")
def test_what_was_answered_stays_in_sight_when_roles_change(exit_survey: Questionnaire) -> None:
    assert "value" in keys(fitted(exit_survey, ["user"], ["value"]))


@pytest.mark.row("P-35")
def test_the_hardest_step_is_chosen_from_those_that_the_customer_went_through() -> None:
    leaving = shipped_questionnaires()["leaving"]

    def offered(steps: set[str], known: tuple[str, ...] = ()) -> list[str]:
        asked = {question.key: question for question in fitted(leaving, (), known, steps).questions()}
        return [option.value for option in asked["hardest"].options]

    assert offered({"acknowledge", "survey"}) == ["first-reply", "survey", "none"]
    asked = [question.key for question in fitted(leaving, (), (), set()).questions()]
    assert "hardest" not in asked, "one choice is none"
    assert len(offered(set(), ("hardest",))) == 9, "what was chosen can still be seen"


def test_every_step_that_a_choice_is_about_is_one_of_a_playbook_that_ships() -> None:
    steps = {step.key for playbook in shipped_playbooks().values() for step in playbook.steps()}
    for question in shipped_questionnaires()["leaving"].questions():
        for option in question.options:
            assert not option.steps or steps & set(option.steps), option.value


REASONS = """\
reasons: own
languages: [en, fr]
options:
  - {value: price, text: {en: Too dear for us, fr: Trop cher pour nous}}
  - {value: new-owner, category: merger_closure, text: {en: We were bought, fr: Nous avons été rachetés}}
"""


@pytest.mark.row("P-34")
def test_an_admin_words_the_reasons_anew_and_adds_own_ones_that_count_as_a_stable_one(
    exit_survey: Questionnaire,
) -> None:
    reasons = load_reasons({"reasons.yaml": REASONS, "own.yaml": SMALL})
    asked = {question.key: question for question in with_reasons(exit_survey, reasons).questions()}
    for key in ("reason", "reason-second"):
        assert [option.text["en"] for option in asked[key].options] == ["Too dear for us", "We were bought"]
    assert [option.value for option in asked["avoidable"].options] == ["yes", "partly", "no"], "no list of reasons"
    assert [option.category for option in asked["reason"].options] == [None, "merger_closure"]
    assert load_questionnaires({"reasons.yaml": REASONS, "own.yaml": SMALL}).keys() == {"small"}
    assert with_reasons(exit_survey, ()) is exit_survey


@pytest.mark.row("P-34")
@pytest.mark.parametrize(
    ("old", "new", "cure"),
    [
        ("category: merger_closure, ", "", "no such value; "),
        ("category: merger_closure", "category: merger-closure", "did you mean 'merger_closure'?"),
        (", fr: Trop cher pour nous", "", "the text in fr is missing"),
        ("value: new-owner", "value: price", "each reason stands here once"),
        ("value: price, text", "value: Price, text", "small letters"),
    ],
)
def test_reasons_that_could_not_be_counted_are_refused_with_their_cure(old: str, new: str, cure: str) -> None:
    assert old in REASONS
    with pytest.raises(PlaybookError) as caught:
        parse_reasons(REASONS.replace(old, new), "reasons.yaml")
    assert cure in str(caught.value)


@pytest.mark.row("P-34", "P-39")
@pytest.mark.parametrize(
    ("old", "new", "cure"),
    [
        (
            "kind: survey",
            "kind: interview",
            "a page of the kind interview feeds no such field; it may feed exit_reason_in",
        ),
        ("kind: survey", "kind: team", "a page of the kind team feeds no such field"),
        ("key: words, type: text", "key: words, type: text, roles: [boss]", "write one of"),
        ("type: scale, required: true", "type: scale, required: true, roles: [user]", "cannot be required"),
        ("options: reasons, field: exit_reason", "options: reasons, field: exit_avoidable", "holds no, partly, yes"),
    ],
)
def test_a_field_takes_only_the_words_of_those_whose_it_is(old: str, new: str, cure: str) -> None:
    assert old in SMALL
    with pytest.raises(PlaybookError) as caught:
        parse_questionnaire(SMALL.replace(old, new), "own.yaml")
    assert cure in str(caught.value)
