"""Which texts of a file the tone guard reads, and what it says about them there."""

from __future__ import annotations

import pytest

from workflows.documents import PlaybookError, shipped_texts
from workflows.playbook import read_playbook
from workflows.survey import read_questionnaire
from workflows.tone_check import Note, drafts

HEAD = """\
playbook: small
version: 1
languages: [en]
title: {en: Small}
phases:
  - key: start
    title: {en: Start}
    release: confirmed
    steps:
      - key: tell
        owner: deal_owner
        due: confirmed + 1bd
        title: {en: Tell them}
"""
BLAME = "You should have told us earlier."
THREAT = "Pay the invoice, otherwise we will delete your data."


def step(*lines: str) -> str:
    return HEAD + "".join(f"        {line}\n" for line in lines)


def body(text: str, *more: str) -> str:
    return step(*more, "body:", "  en: |", *(f"    {line}" for line in text.splitlines()))


def notes_of(text: str) -> tuple[Note, ...]:
    return read_playbook(text, "own.yaml")[1]


def test_a_draft_stands_between_lines_of_three_hyphens() -> None:
    assert drafts("Do this.\n---\nHello\n---\nThen that.\n  --- \nBye") == ("\nHello\n", "\nBye")
    assert drafts("A rule -----\n- a list") == ()


@pytest.mark.row("P-27")
@pytest.mark.parametrize(
    ("text", "read"),
    [
        (body(f"Draft:\n---\n{BLAME}\n---"), True),
        (body(f"Draft:\n---\n{BLAME}"), True),
        (body(f"{BLAME}\n---\nHello\n---"), False),
        (body(BLAME), False),
        (body(BLAME, "type: email"), True),
        (body(f"{BLAME}\n---\nHello\n---", "type: email"), False),
        (body(BLAME, "type: call"), True),
        (
            step("per_contact: true", "body: {en: Do it}", "call_title: {en: Call}", f'call_body: {{en: "{BLAME}"}}'),
            True,
        ),
    ],
)
def test_what_reaches_the_customer_is_read_and_what_is_for_the_colleague_is_not(text: str, read: bool) -> None:
    assert [note.rule for note in notes_of(text)] == (["blame"] if read else [])


def test_a_warning_names_file_line_step_key_phrase_and_better_words() -> None:
    (note,) = notes_of(body(BLAME, "type: email"))
    assert note.level == "warning"
    assert str(note).startswith("own.yaml, line 16, step tell, body.en is 'You should have told': blame. It tells")
    assert "We would have liked to hear it earlier" in str(note)


@pytest.mark.row("P-27")
def test_a_threat_refuses_the_file() -> None:
    with pytest.raises(PlaybookError) as caught:
        read_playbook(body(THREAT, "type: email"), "own.yaml")
    assert "step tell, body.en is 'otherwise we will delete': threat. It threatens." in str(caught.value)


def test_a_warning_may_be_allowed_with_a_reason_which_is_listed() -> None:
    (note,) = notes_of(body(BLAME, "type: email", "tone_ok: {blame: They asked us to be blunt}"))
    assert (note.level, note.rule, note.reason) == ("allowed", "blame", "They asked us to be blunt")
    assert str(note).endswith("(allowed: They asked us to be blunt)")


def test_the_reason_is_part_of_the_version() -> None:
    plain = body(BLAME, "type: email")
    allowed = body(BLAME, "type: email", "tone_ok: {blame: They asked us to be blunt}")
    assert read_playbook(plain, "a.yaml")[0].version != read_playbook(allowed, "a.yaml")[0].version


def test_a_permission_that_nothing_needs_is_told() -> None:
    (note,) = notes_of(body("Thank you.", "type: email", "tone_ok: {guilt: Once it was needed}"))
    assert (note.level, note.fault.key, note.fault.line) == ("warning", "tone_ok.guilt", 15)
    assert "nothing here reads like guilt; drop it" in str(note)


@pytest.mark.parametrize(
    ("allowed", "cure"),
    [
        ("{threat: We mean it}", "a threat cannot be allowed; reword the text"),
        ("{blaming: Why not}", "there is no rule 'blaming'; write one of blame, guilt, pressure, selling"),
        ('{blame: " "}', "say why blame is right here"),
        ("{blame: true}", "say why blame is right here"),
        ("blame", "write which rule may be broken here and why"),
    ],
)
def test_a_permission_without_rule_or_reason_is_refused(allowed: str, cure: str) -> None:
    with pytest.raises(PlaybookError) as caught:
        read_playbook(body(THREAT if "threat" in allowed else BLAME, "type: email", f"tone_ok: {allowed}"), "own.yaml")
    assert any("step tell, tone_ok" in str(fault) and cure in str(fault) for fault in caught.value.faults)


def test_a_language_without_rules_is_told() -> None:
    text = body("Danke.", "type: email").replace("[en]", "[de]").replace("{en:", "{de:").replace("  en: |", "  de: |")
    (note,) = notes_of(text)
    assert (note.rule, note.fault.key, note.fault.seen) == (None, "languages", "de")


SURVEY = """\
questionnaire: small
version: 1
kind: survey
languages: [en]
title: {en: Title}
intro: {en: Intro}
thanks: {en: Thanks}
sections:
  - key: one
    title: {en: Heading}
    intro: {en: Words}
    questions:
      - key: why
        type: choice
        text: {en: Question}
        help: {en: Help}
        options:
          - {value: a, text: {en: Answer}}
          - {value: b, text: {en: Other}}
"""


@pytest.mark.row("P-27")
@pytest.mark.parametrize("place", ["Title", "Intro", "Thanks", "Heading", "Words", "Question", "Help"])
def test_all_that_a_survey_says_is_read(place: str) -> None:
    (note,) = read_questionnaire(SURVEY.replace(f"en: {place}", f"en: {BLAME}"), "own.yaml")[1]
    assert note.rule == "blame"
    with pytest.raises(PlaybookError, match="threat"):
        read_questionnaire(SURVEY.replace(f"en: {place}", f'en: "{THREAT}"'), "own.yaml")


def test_answers_to_choose_from_are_the_customers_words_and_an_interview_form_is_ours() -> None:
    assert read_questionnaire(SURVEY.replace("en: Answer", "en: You never answered us"), "own.yaml")[1] == ()
    form = SURVEY.replace("kind: survey", "kind: interview").replace("en: Question", f"en: {BLAME}")
    assert read_questionnaire(form, "own.yaml")[1] == ()


@pytest.mark.parametrize("part", ["kind: survey\n", "    intro: {en: Heading", "        type: choice\n"])
def test_survey_section_and_question_may_be_allowed_their_words(part: str) -> None:
    places = {"kind": "Thanks", "    intro": "Words", "        type": "Help"}
    place = next(word for start, word in places.items() if part.startswith(start))
    indent = " " * (len(part) - len(part.lstrip()))
    line = next(line for line in SURVEY.splitlines(True) if line.startswith(part.split(":")[0] + ":"))
    text = SURVEY.replace(line, line + indent + "tone_ok: {blame: It is a quotation}\n", 1)
    (note,) = read_questionnaire(text.replace(f"en: {place}", f"en: {BLAME}"), "own.yaml")[1]
    assert note.level == "allowed"


@pytest.mark.row("P-27")
@pytest.mark.parametrize("file", shipped_texts("playbooks"))
def test_shipped_playbooks_have_no_tone_to_mend(file: str) -> None:
    assert [str(note) for note in read_playbook(shipped_texts("playbooks")[file], file)[1]] == []


@pytest.mark.row("P-27")
@pytest.mark.parametrize("file", shipped_texts("surveys"))
def test_shipped_questionnaires_have_no_tone_to_mend(file: str) -> None:
    assert [str(note) for note in read_questionnaire(shipped_texts("surveys")[file], file)[1]] == []
