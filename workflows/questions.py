"""Questionnaires, and the answers to them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import AwareDatetime, Field

from workflows.records import Model, Role
from workflows.rules import Department, LinkKind, Texts


class QuestionType(StrEnum):
    """How a question is asked."""

    SCALE = "scale"
    CHOICE = "choice"
    CHOICES = "choices"
    TEXT = "text"
    DATE = "date"


class Option(Model):
    """One choice. ``value`` is stable; the texts may be reworded (P-34).

    A reason of an admin's own names with ``category`` the stable reason that it counts as. ``steps`` are those steps of
    a playbook that the choice is about: without any of them in the case, nobody is offered it (P-35).
    """

    value: str
    text: Texts
    category: str | None = None
    steps: tuple[str, ...] = ()


class Question(Model):
    """One question. ``field`` names the feedback field that the answer feeds, if any.

    A date is answered as ``2026-07-31``. A scale runs from ``low`` to ``high`` inclusive, with the meaning of both ends
    in ``ends``. With ``roles``, only people in one of these roles are asked (P-11).
    """

    key: str
    type: QuestionType
    text: Texts
    help: Texts = Field(default_factory=dict)
    required: bool = False
    field: str | None = None
    low: int = 0
    high: int = 10
    ends: tuple[Texts, ...] = ()
    options: tuple[Option, ...] = ()
    roles: tuple[Role, ...] = ()
    department: Department | None = None
    max_length: int = 60_000


class Section(Model):
    """Questions under one heading. A ``fold`` section is the optional long form, closed at first (P-32)."""

    key: str
    title: Texts
    intro: Texts = Field(default_factory=dict)
    fold: bool = False
    questions: tuple[Question, ...]


class Questionnaire(Model):
    """A survey page or an interview form. ``each``: on a page of our own people, each answers by name (P-42)."""

    key: str
    version: str
    kind: LinkKind
    each: bool = False
    languages: tuple[str, ...]
    title: Texts
    intro: Texts
    thanks: Texts
    sections: tuple[Section, ...]

    def questions(self) -> tuple[Question, ...]:
        """All questions in order."""
        return tuple(question for section in self.sections for question in section.questions)


AnswerValue = int | str | tuple[str, ...]


class Answer(Model):
    """What one person answered, by question key; unanswered questions are absent.

    ``by`` is ``customer``, ``csm`` (who held the conversation) or ``team`` (the account's own people). ``author`` is
    the name that a colleague gave; empty: nobody in particular, or all of them together.
    """

    case_id: str
    contact_id: str | None
    questionnaire: str
    by: str
    language: str
    at: AwareDatetime
    values: Mapping[str, AnswerValue]
    author: str = ""
