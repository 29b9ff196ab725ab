"""What we keep ourselves: cases and their steps, the inventory, news for people, where a relation began."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from pydantic import AwareDatetime, Field

from workflows.questions import AnswerValue
from workflows.records import Model, Role
from workflows.rules import CaseKind


class CaseStatus(StrEnum):
    """Where a case stands. The first three are open: a deal has at most one open case (P-08).

    COMPLETED: all was done, or what a save plan was for has come about (P-02). DISMISSED: the stage did not hold
    (P-03). CANCELLED: reopened, renewed (P-06), moved on to another kind of case, or by hand. STOPPED: the record went
    away (P-09).
    """

    SETTLING = "settling"
    AWAITING_REASON = "awaiting_reason"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    DISMISSED = "dismissed"
    STOPPED = "stopped"


OPEN_STATUSES = frozenset({CaseStatus.SETTLING, CaseStatus.AWAITING_REASON, CaseStatus.ACTIVE})


class StepStatus(StrEnum):
    """Where a step stands. WRITING: its task is on the way to the CRM. NOT_APPLICABLE: a person said so (P-2E)."""

    WAITING = "waiting"
    WRITING = "writing"
    OPEN = "open"
    DONE = "done"
    NOT_APPLICABLE = "not_applicable"
    CLOSED = "closed"
    DELETED = "deleted"
    SKIPPED = "skipped"
    FAILED = "failed"


DEALT_WITH = frozenset((StepStatus.DONE, StepStatus.NOT_APPLICABLE))
"""Steps that people have seen to."""
CALLED_OFF = frozenset((CaseStatus.DISMISSED, CaseStatus.CANCELLED, CaseStatus.STOPPED))
"""Cases that ended before their plan did."""


def steps_over(status: CaseStatus) -> frozenset[StepStatus]:
    """Which steps of such a case count as over: of one that was called off, only those that people have seen to."""
    if status in CALLED_OFF:
        return DEALT_WITH
    return DEALT_WITH | {StepStatus.CLOSED, StepStatus.DELETED, StepStatus.SKIPPED}


class Step(Model):
    """One step of one case. ``key`` is the rule's key, with ``@<contact id>`` for a per-contact step.

    ``due_at`` and ``owner_id`` are what we last wrote; a person's own change in the CRM wins over them (P-7B).
    ``why`` explains the choice of the owner in one line (P-15). ``reason`` is what people gave for a step that is not
    applicable (P-2E).
    """

    key: str
    rule: str
    contact_id: str | None = None
    status: StepStatus = StepStatus.WAITING
    due_at: AwareDatetime | None = None
    owner_id: str | None = None
    why: str = ""
    task_id: str | None = None
    completed_at: AwareDatetime | None = None
    reason: str = ""


class Case(Model):
    """One ending of one customer relation, or one negotiation or beginning. ``number`` counts the deal's cases, from 1.

    ``entered_at`` is when the deal entered the stage that opened the case; it tells one ending from the next (P-08).
    ``written`` holds a digest of what was last written for a purpose other than a step (fields, notes), by the name of
    that purpose, so that the same is not written again.
    """

    id: str
    account: str
    deal_id: str
    deal_name: str = ""
    number: int = 1
    kind: CaseKind = CaseKind.OFFBOARDING
    status: CaseStatus
    paused: bool = False
    playbook: str
    playbook_version: str = ""
    language: str
    stage_id: str
    entered_at: AwareDatetime
    opened_at: AwareDatetime
    confirmed_at: AwareDatetime | None = None
    contract_end: date | None = None
    reason: str | None = None
    answered_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    outcome: str = ""
    company_id: str | None = None
    contact_ids: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    written: Mapping[str, str] = Field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """True while the case may still write."""
        return self.status in OPEN_STATUSES

    def step(self, key: str) -> Step | None:
        """The step with this key, or None."""
        return next((step for step in self.steps if step.key == key), None)


NOT_OPENED = "not opened"
"""What the log says where a case was asked for by hand and none begins."""


class Event(Model):
    """A line of a case's log (P-74): what happened and why, in words. ``data`` holds ids, never personal data."""

    what: str
    detail: str = ""
    data: Mapping[str, str] = Field(default_factory=dict)


class ItemKind(StrEnum):
    """What an item of the inventory is (P-22)."""

    FILES = "files"
    EXPORT = "export"
    DOCUMENTS = "documents"
    CONTRACTS = "contracts"
    REPORTS = "reports"
    LOGINS = "logins"
    TRAINING = "training"
    OTHER = "other"


class InventoryItem(Model):
    """One thing that belongs to the customer (P-22): who hands it over, where it is found, and by when.

    ``owner_id`` is one of our users; None: the customer's own counterpart sees to it. ``received_on`` closes the item.
    Never holds a secret: logins go through a password manager.
    """

    id: str
    kind: ItemKind = ItemKind.OTHER
    title: str
    owner_id: str | None = None
    place: str = ""
    due_on: date | None = None
    evidence: str = ""
    received_on: date | None = None
    received_by: str = ""
    changed_at: AwareDatetime


class NewsKind(StrEnum):
    """What may be learned of a customer who has left.

    WISH: what they wished for is there (P-52). MOVED: one of them works elsewhere now (P-53). RETURNED: they are back
    with another deal (P-56).
    """

    WISH = "wish"
    MOVED = "moved"
    RETURNED = "returned"


class News(Model):
    """One such piece of news. ``id`` tells it from others of its kind; ``text`` is the wish, or the new company's name.

    ``contact_id`` is the person whom it is about; None: nobody in particular.
    """

    kind: NewsKind
    id: str
    at: AwareDatetime
    contact_id: str | None = None
    text: str = ""


class StartingFigure(Model):
    """A key figure as it stood at the start, as the CRM's own text, and when that was."""

    value: str
    at: AwareDatetime


class StartingPerson(Model):
    """Someone on the stakeholder map of the start. No name: who it is stands in the CRM."""

    contact_id: str
    roles: tuple[Role, ...] = ()


class Baseline(Model):
    """Where the relation with a company began (P-60, P-61).

    ``figures`` go by their names in the settings, such as ``company.active_users``; what was empty is absent.
    ``people`` is the stakeholder map as it was last taken, at ``people_at``. ``frame`` is what was agreed on how to
    work together, by question of the questionnaire ``frame``.
    """

    figures: Mapping[str, StartingFigure] = Field(default_factory=dict)
    people: tuple[StartingPerson, ...] = ()
    people_at: AwareDatetime | None = None
    frame: Mapping[str, AnswerValue] = Field(default_factory=dict)


class FigureChange(Model):
    """From ``at`` on, a mapped figure had this value, as the CRM's own text; None: empty.

    ``before`` is the value that it had until then, where the CRM tells.
    """

    figure: str
    value: str | None
    at: AwareDatetime
    before: str | None = None
