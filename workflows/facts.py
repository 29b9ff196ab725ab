"""What figures are counted from: plain rows of cases, their steps, and the answers in them (P-44)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from workflows.cases import CaseStatus
from workflows.questions import AnswerValue
from workflows.rules import CaseKind


class Who(StrEnum):
    """Whose words they are (P-39)."""

    REP = "rep"
    CUSTOMER = "customer"
    INTERVIEWER = "interviewer"
    TEAM = "team"


@dataclass(frozen=True, slots=True)
class StepFacts:
    """One step of a case. ``rule`` is the step's key in the playbook."""

    rule: str
    status: str
    due_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """One answer. ``fields``: by the feedback field that a question feeds; ``values``: by question key.

    ``playbook``: key and version that the case followed then, with a blank between; empty: as it does now.
    """

    who: Who
    contact_id: str | None
    at: datetime
    fields: Mapping[str, AnswerValue] = field(default_factory=dict)
    values: Mapping[str, AnswerValue] = field(default_factory=dict)
    playbook: str = ""


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """One case with its steps and answers. ``asked`` and ``answered`` count the exit surveys that people were asked to
    fill in in writing, and those of them that they did; ``asked_later`` and ``answered_later`` those on the leaving.

    ``reason`` is the rep's, as the deal has it. ``returned``: this customer had left, and came back (P-56).
    """

    id: str
    kind: CaseKind
    status: CaseStatus
    outcome: str
    playbook: str
    version: str
    opened_at: datetime
    confirmed_at: datetime | None = None
    reason: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    company_id: str | None = None
    returned: bool = False
    asked: int = 0
    answered: int = 0
    asked_later: int = 0
    answered_later: int = 0
    steps: tuple[StepFacts, ...] = ()
    answers: tuple[AnswerFacts, ...] = ()
