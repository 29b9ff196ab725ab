"""Questionnaires: YAML into :class:`workflows.questions.Questionnaire`, and what people posted into clean answers.

A survey is kind to the one who answers (P-26, P-3A): at most five required questions, nothing chosen beforehand, and
the long form folded away and never required. The reasons are the stable taxonomy of :mod:`workflows.fields` (P-34).
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

from workflows.documents import (
    Doc,
    Loc,
    Name,
    PlaybookError,
    Wording,
    language_faults,
    load,
    load_all,
    model_faults,
    shipped_texts,
    translation_faults,
)
from workflows.fields import REASON_OPTIONS
from workflows.questions import AnswerValue, Option, Question, Questionnaire, QuestionType, Section
from workflows.records import Role
from workflows.rules import Department, LinkKind, Texts
from workflows.said import Said
from workflows.survey_checks import check
from workflows.tone_check import Allowed, Note, check_tone, survey_texts

MAX_LENGTH = 60_000
OWN_VIEW_FIELDS = frozenset({"exit_reason_team", "team_score"})
FieldName = Literal[
    "exit_score",
    "exit_reason",
    "exit_reason_second",
    "exit_avoidable",
    "start_score",
    "leaving_score",
    "exit_reason_interview",
    "exit_reason_team",
    "team_score",
    "fit",
    "permission",
    "permission_who",
    "permission_for",
    "permission_until",
]


_VALUE = r"[a-z][a-z0-9]*([-_][a-z0-9]+)*"


def _parse_value(text: object) -> str:
    if not isinstance(text, str) or not re.fullmatch(_VALUE, text) or len(text) > 40:
        raise ValueError(Said("write a name of small letters, digits, - and _, up to 40, such as `new-owner`"))
    return text


Value = Annotated[str, BeforeValidator(_parse_value), WithJsonSchema({"type": "string", "pattern": f"^{_VALUE}$"})]


class OptionDoc(Doc):
    """One choice."""

    value: Value = Field(description="Stable name of the choice; reports rest on it.")
    text: Wording = Field(description="What people read, by language.")
    category: str | None = Field(None, description="For a reason of your own: the common reason that it counts as.")
    steps: list[str] = Field([], description="Steps of playbooks that it is about; shown only after one of these.")


class QuestionDoc(Doc):
    """One question."""

    key: Name = Field(description="Name of the question, once in the file. Never change it: answers know it.")
    type: Annotated[QuestionType, Field(strict=False)] = Field(description="scale, choice, choices, text or date.")
    text: Wording = Field(description="The question, by language.")
    help: Wording = Field({}, description="A line below the question, by language.")
    required: bool = Field(False, description="Whether it must be answered; at most five, none in a folded section.")
    field: FieldName | None = Field(None, description="The CRM field that it feeds.")
    roles: list[Annotated[Role, Field(strict=False)]] = Field(
        [], description="Ask only people in these roles: decider, user, influencer."
    )
    department: Annotated[Department, Field(strict=False)] | None = Field(
        None, description="Whom the answer concerns: product, sales, finance, operations or success."
    )
    low: int = Field(0, ge=0, le=1, description="Where a scale begins.")
    high: int = Field(10, ge=2, le=10, description="Where a scale ends.")
    ends: list[Wording] = Field([], description="What the lowest and the highest value of a scale mean.")
    options: Literal["reasons"] | list[OptionDoc] = Field(
        [], description="The choices; `reasons` for the common reasons for leaving."
    )
    max_length: int = Field(MAX_LENGTH, ge=1, le=MAX_LENGTH, description="Longest text, in characters.")
    tone_ok: Allowed = Field({}, description="Rules of tone that its texts may break, each with the reason.")


class SectionDoc(Doc):
    """Questions under one heading."""

    key: Name = Field(description="Name of the section.")
    title: Wording = Field(description="Its heading, by language.")
    intro: Wording = Field({}, description="A few words below the heading, by language.")
    fold: bool = Field(False, description="Closed at first: the optional long form.")
    questions: list[QuestionDoc] = Field(min_length=1, description="The questions, in order.")
    tone_ok: Allowed = Field({}, description="Rules of tone that its texts may break, each with the reason.")


class QuestionnaireDoc(Doc):
    """A whole questionnaire file."""

    questionnaire: Name = Field(description="Name of the questionnaire, as steps of a playbook give it.")
    version: int = Field(ge=1, le=99999, description="Count it up when you change what is asked.")
    kind: Annotated[LinkKind, Field(strict=False)] = Field(description="survey, interview or team.")
    each: bool = Field(False, description="With `kind: team`: each colleague answers by name, beside the others.")
    languages: list[str] = Field(min_length=1, description="Languages of its texts; the first is the fallback.")
    title: Wording = Field(description="Heading of the page, by language.")
    intro: Wording = Field(description="First words on the page, by language.")
    thanks: Wording = Field(description="What people read once they have answered, by language.")
    sections: list[SectionDoc] = Field(min_length=1, description="The sections, in order.")
    tone_ok: Allowed = Field({}, description="Rules of tone that its texts may break, each with the reason.")


def parse_questionnaire(text: str | bytes, file: str) -> Questionnaire:
    """The questionnaire that this YAML says; ``file`` is only named in messages.

    Raises :class:`~workflows.documents.PlaybookError` with everything that is wrong.
    """
    return read_questionnaire(text, file)[0]


def read_questionnaire(text: str | bytes, file: str) -> tuple[Questionnaire, tuple[Note, ...]]:
    """The same, with notes on its tone (P-27): what may hurt a customer, and what its author allowed and why."""
    document = load(text, file)
    faults = [*language_faults(document), *translation_faults(document, all_texts(document.data, ()))]
    doc: QuestionnaireDoc | None = None
    try:
        doc = QuestionnaireDoc.model_validate(document.data)
    except ValidationError as error:
        faults += model_faults(document, error, QuestionnaireDoc)
    if doc is not None:
        faults += check(document, doc)
    threats, notes = check_tone(document, list(survey_texts(document.data)))
    faults += threats
    if faults or doc is None:
        raise PlaybookError(sorted(faults, key=lambda fault: fault.line or 0))
    return _to_questionnaire(doc), tuple(notes)


def all_texts(data: Any, loc: Loc) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """Every text by language, wherever it stands."""
    if isinstance(data, list):
        for index, item in enumerate(data):
            if loc and loc[-1] == "ends" and isinstance(item, dict):
                yield (*loc, index), item
            else:
                yield from all_texts(item, (*loc, index))
    for name, value in data.items() if isinstance(data, dict) else ():
        if name in ("title", "intro", "thanks", "text", "help") and isinstance(value, dict):
            yield (*loc, name), value
        else:
            yield from all_texts(value, (*loc, name))


def _to_questionnaire(doc: QuestionnaireDoc) -> Questionnaire:
    content = json.dumps(doc.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(content.encode()).hexdigest()[:10]
    return Questionnaire(
        key=doc.questionnaire,
        version=f"{doc.version}-{digest}",
        kind=doc.kind,
        each=doc.each and doc.kind is LinkKind.TEAM,
        languages=tuple(doc.languages),
        title=doc.title,
        intro=doc.intro,
        thanks=doc.thanks,
        sections=tuple(
            Section(
                key=section.key,
                title=section.title,
                intro=section.intro,
                fold=section.fold,
                questions=tuple(_to_question(question) for question in section.questions),
            )
            for section in doc.sections
        ),
    )


def _to_question(doc: QuestionDoc) -> Question:
    own = tuple(to_option(option) for option in doc.options if isinstance(option, OptionDoc))
    options = REASON_OPTIONS if doc.options == "reasons" else own
    given = doc.model_dump(exclude={"options", "ends", "roles", "tone_ok"})
    return Question(**given, ends=tuple(doc.ends), roles=tuple(doc.roles), options=options)


def to_option(doc: OptionDoc) -> Option:
    """The choice in the domain's words."""
    return Option(value=doc.value, text=doc.text, category=doc.category, steps=tuple(doc.steps))


def questionnaire_schema() -> dict[str, Any]:
    """The format as JSON Schema, for editors."""
    return QuestionnaireDoc.model_json_schema()


def load_questionnaires(texts: Mapping[str, str | bytes]) -> Mapping[str, Questionnaire]:
    """The questionnaires of one folder (file name to content), by key.

    Raises :class:`~workflows.documents.PlaybookError` with the faults of all files.
    """
    return load_all(
        {file: text for file, text in texts.items() if file not in REASON_FILES}, parse_questionnaire, "questionnaire"
    )


REASON_FILES = ("reasons.yaml", "reasons.yml")
"""Beside questionnaires, a folder may hold the reasons for leaving in an admin's own words (P-34)."""


@cache
def shipped_questionnaires() -> Mapping[str, Questionnaire]:
    """The questionnaires that come with the product, by key. Tests hold them to every check, as with playbooks."""
    return load_all(shipped_texts("surveys"), _as_written, "questionnaire")


def _as_written(text: str | bytes, file: str) -> Questionnaire:
    return _to_questionnaire(QuestionnaireDoc.model_validate(load(text, file, shipped=True).data))


# --- what people posted ---------------------------------------------------------------------------------------------

_PROBLEMS: Mapping[str, Texts] = {
    "required": {"en": "Please answer this question.", "fr": "Merci de répondre à cette question."},
    "one": {"en": "Please choose one answer only.", "fr": "Merci de ne choisir qu’une seule réponse."},
    "known": {
        "en": "Please choose from the answers shown.",
        "fr": "Merci de choisir parmi les réponses proposées.",
    },
    "day": {
        "en": "Please give a day, such as 2026-12-31.",
        "fr": "Merci d’indiquer un jour, par exemple 2026-12-31.",
    },
    "long": {
        "en": "This text has {length} characters. Please shorten it to {most}.",
        "fr": "Ce texte compte {length} caractères. Merci de le ramener à {most}.",
    },
}

# Line feeds and tabs are people's own. Direction overrides could make a note read otherwise than it was written, and
# lone surrogates cannot be stored.
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def clean_text(text: str) -> str:
    """The text as it is kept: NFC, line feeds only, no control characters, no blanks around it."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return unicodedata.normalize("NFC", _UNSEEN.sub("", text)).strip()


def wording(texts: Texts, language: str, languages: Sequence[str] = ()) -> str:
    """The text in this language (``fr`` for ``fr-CA`` where need be), else in the first of ``languages`` there is."""
    for code in (language, language.replace("_", "-").partition("-")[0], *languages, *texts):
        if code in texts:
            return texts[code]
    return ""


def read_answers(
    questionnaire: Questionnaire, form: Mapping[str, Sequence[str]], language: str
) -> tuple[dict[str, AnswerValue], dict[str, str]]:
    """The answers in a posted form, by question key, and what is wrong with others, in words for the one who answers.

    ``form`` maps the name of each input, which is the question's key, to what was sent for it; other inputs are none of
    ours and left alone. Unanswered questions are absent. What is wrong is never cut or guessed at.
    """
    values: dict[str, AnswerValue] = {}
    problems: dict[str, str] = {}
    for question in questionnaire.questions():
        sent = list(dict.fromkeys(text for raw in form.get(question.key, ()) if (text := clean_text(raw))))
        problem = _problem(question, sent)
        if problem:
            text = wording(_PROBLEMS[problem], language, ("en",))
            problems[question.key] = text.format(length=len(sent[0]) if sent else 0, most=question.max_length)
        elif sent:
            values[question.key] = _value(question, sent)
    return values, problems


def _problem(question: Question, sent: list[str]) -> str | None:
    if not sent:
        return "required" if question.required else None
    if len(sent) > 1 and question.type is not QuestionType.CHOICES:
        return "one"
    if question.type is QuestionType.TEXT:
        return "long" if len(sent[0]) > question.max_length else None
    if question.type is QuestionType.DATE:
        return None if _is_day(sent[0]) else "day"
    if question.type is QuestionType.SCALE:
        known = {str(value) for value in range(question.low, question.high + 1)}
    else:
        known = {option.value for option in question.options}
    return None if known.issuperset(sent) else "known"


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _value(question: Question, sent: list[str]) -> AnswerValue:
    if question.type is QuestionType.SCALE:
        return int(sent[0])
    if question.type is QuestionType.CHOICES:
        return tuple(option.value for option in question.options if option.value in sent)
    return sent[0]
