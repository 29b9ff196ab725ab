"""What one person is asked: by role, by what they went through, and with an admin's own words for the reasons.

The reasons of :mod:`workflows.fields` are a stable taxonomy (P-34). A folder of questionnaires may word them anew and
add others, each counted as one of the stable ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from pydantic import Field, ValidationError

from workflows.documents import (
    Doc,
    Name,
    PlaybookError,
    language_faults,
    load,
    model_faults,
    translation_faults,
)
from workflows.fields import REASON_OPTIONS
from workflows.questions import Option, Question, Questionnaire
from workflows.rules import LinkKind
from workflows.said import Said
from workflows.survey import OWN_VIEW_FIELDS, REASON_FILES, OptionDoc, all_texts, to_option
from workflows.survey_checks import check_choices
from workflows.tone import Rule
from workflows.tone_check import Allowed, Note, check_tone, reason_texts


def feeds(questionnaire: Questionnaire, *fields: str) -> bool:
    """Whether any of its questions feeds one of these fields."""
    return any(question.field in fields for question in questionnaire.questions())


def author_id(author: str) -> str:
    """What tells the answers of one colleague from those of others, however they write their name; no personal data."""
    return hashlib.sha256(" ".join(author.split()).casefold().encode()).hexdigest()[:10] if author else ""


def is_own_view(questionnaire: Questionnaire) -> bool:
    """Whether the account's team rates itself here, which it does before it reads what the customer said (P-39)."""
    return questionnaire.kind is LinkKind.TEAM and feeds(questionnaire, *OWN_VIEW_FIELDS)


def is_farewell(questionnaire: Questionnaire) -> bool:
    """Whether a customer says here how the relation was: neither a first impression nor how the leaving went."""
    about_more = feeds(questionnaire, "exit_score", "exit_reason")
    return questionnaire.kind is LinkKind.SURVEY and (
        about_more or not feeds(questionnaire, "start_score", "leaving_score")
    )


def is_about_leaving(questionnaire: Questionnaire) -> bool:
    """Whether a customer says here how the leaving itself went (P-35), be it beside other things."""
    return questionnaire.kind is LinkKind.SURVEY and feeds(questionnaire, "leaving_score")


def fitted(
    questionnaire: Questionnaire, roles: Collection[str], known: Collection[str], steps: Collection[str] | None = None
) -> Questionnaire:
    """What this person is asked (P-11): questions for everybody and for their roles, and those in ``known``.

    ``known`` are the keys of questions that they answered before: what was said stays in sight when roles change.
    ``steps`` are the rules of the steps that their case had; choices about none of them go (P-35). None: all stay.
    """
    sections = []
    for section in questionnaire.sections:
        questions = tuple(
            question if steps is None else _offered(question, steps, answered=question.key in known)
            for question in section.questions
            if not question.roles or question.key in known or any(role in roles for role in question.roles)
        )
        questions = tuple(question for question in questions if not question.options or len(question.options) > 1)
        if questions:
            sections.append(section.model_copy(update={"questions": questions}))
    return questionnaire.model_copy(update={"sections": tuple(sections)})


def _offered(question: Question, steps: Collection[str], *, answered: bool) -> Question:
    kept = tuple(option for option in question.options if not option.steps or any(one in steps for one in option.steps))
    return question if answered or len(kept) == len(question.options) else question.model_copy(update={"options": kept})


# --- reasons in an admin's own words ----------------------------------------------------------------------------------


class ReasonsDoc(Doc):
    """The reasons for leaving in an admin's own words, for all questionnaires with `options: reasons`."""

    reasons: Name = Field(description="A name for the list, such as `own`.")
    languages: list[str] = Field(min_length=1, description="Languages of its texts.")
    options: list[OptionDoc] = Field(min_length=2, description="The reasons, in the order in which people read them.")
    tone_ok: Allowed = Field({}, description="Rules of tone that its texts may break, each with the reason.")


def load_reasons(texts: Mapping[str, str | bytes]) -> tuple[Option, ...]:
    """The reasons that a folder (file name to content) words, in its order; empty where it has none.

    Raises :class:`~workflows.documents.PlaybookError` with everything that is wrong with them.
    """
    for file in REASON_FILES:
        if file in texts:
            return parse_reasons(texts[file], file)
    return ()


def parse_reasons(text: str | bytes, file: str) -> tuple[Option, ...]:
    """The reasons that this YAML says; ``file`` is only named in messages. As :func:`load_reasons`."""
    document = load(text, file)
    faults = [*language_faults(document), *translation_faults(document, all_texts(document.data, ()))]
    doc: ReasonsDoc | None = None
    try:
        doc = ReasonsDoc.model_validate(document.data)
    except ValidationError as error:
        faults += model_faults(document, error, ReasonsDoc)
    if doc is not None:
        known = {option.value for option in REASON_OPTIONS}
        faults += check_choices(document, ("options",), doc.options, "exit_reason", known)
        if len({option.value for option in doc.options}) < len(doc.options):
            faults.append(document.fault(("options",), None, Said("each reason stands here once")))
    if faults or doc is None:
        raise PlaybookError(sorted(faults, key=lambda fault: fault.line or 0))
    return tuple(to_option(option) for option in doc.options)


def notes_on_reasons(text: str | bytes, file: str) -> list[Note]:
    """What in reasons that :func:`parse_reasons` takes may hurt who reads them (P-27). It bars no file from use."""
    document = load(text, file)
    threats, notes = check_tone(document, [reason_texts(document.data)])
    return [*(Note(level="warning", rule=Rule.THREAT, fault=fault) for fault in threats), *notes]


def with_reasons(questionnaire: Questionnaire, reasons: tuple[Option, ...]) -> Questionnaire:
    """The questionnaire with these reasons wherever it asks by the common ones."""
    if not reasons or not any(question.options == REASON_OPTIONS for question in questionnaire.questions()):
        return questionnaire
    sections = tuple(
        section.model_copy(
            update={
                "questions": tuple(
                    question.model_copy(update={"options": reasons}) if question.options == REASON_OPTIONS else question
                    for question in section.questions
                )
            }
        )
        for section in questionnaire.sections
    )
    return questionnaire.model_copy(update={"sections": sections})
