"""What an adapter answers: records and changes, what became of each write, what it found out about the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from workflows.records import Deal, PastValue, People, Ref
from workflows.said import Said as Said


@dataclass(frozen=True)
class Capabilities:
    """What this CRM, in this account, can do. What is False here raises ``Unsupported`` when asked for.

    ``unique_task_key``: a second create with the same key is refused by the CRM itself, so an unclear create may simply
    be sent again. ``push``: webhooks can reach us. ``due_time``: a task is due at a time, not only on a date.
    """

    push: bool
    unique_task_key: bool
    due_time: bool
    stage_history: bool
    files: bool
    settles_after: timedelta


@dataclass(frozen=True)
class Page:
    """Deals or tasks that changed since the cursor. ``more``: ask again at once with ``cursor``, which is opaque text.

    ``stages`` gives the stage of each deal, where the CRM tells it in the same call, so that deals which nobody watches
    are left alone; ``companies`` likewise its company, by which a new deal of a former customer is noticed; ``ticked``
    likewise the deals on which somebody asked for the offboarding by hand (P-72). What the overlap brings again,
    unchanged since an earlier page told it, is left out: the cursor remembers it.
    """

    ids: tuple[str, ...]
    cursor: str
    more: bool = False
    stages: Mapping[str, str] = field(default_factory=dict)
    companies: Mapping[str, str] = field(default_factory=dict)
    ticked: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Observed:
    """A deal, and its people where the CRM gives them in the same call (else None: ask :meth:`Crm.people`)."""

    deal: Deal
    people: People | None = None


@dataclass(frozen=True)
class Traced:
    """A deal as it stands with its people, as :class:`Observed`, and what it was before, for a rehearsal (P-70).

    ``past`` has former values, newest first. ``untold`` names fields of Deal of whose past the CRM tells nothing, so
    that only their present value is known.
    """

    deal: Deal
    people: People | None = None
    past: tuple[PastValue, ...] = ()
    untold: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """One past value of one field of one record. ``before``: the value until then, where the CRM tells."""

    record: Ref
    field: str
    value: str | None
    at: datetime
    by_user_id: str | None = None
    before: str | None = None


class Result(StrEnum):
    """How one write ended.

    DONE: it is there (created now, or found to be there already). AGAIN: cleanly refused for now, nothing was done.
    REFUSED: refused for good. GONE: the record to change no longer exists. UNKNOWN: no clear answer.
    """

    DONE = "done"
    AGAIN = "again"
    REFUSED = "refused"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """The CRM's answer to one keyed write. ``until``: with AGAIN, not before then. ``reason`` is fit for an admin."""

    key: str
    result: Result
    record_id: str | None = None
    reason: str = ""
    until: datetime | None = None
    correlation_id: str | None = None


@dataclass(frozen=True)
class Wanted:
    """A keyed write whose outcome is unclear, to be looked for. ``kind`` is task, note or file."""

    key: str
    kind: str
    deal_id: str


@dataclass(frozen=True)
class SchemaReport:
    """What ``ensure_schema`` found and did; texts are ``record.field`` in the CRM's own names.

    ``extended`` was there and was brought up to date. With ``dry_run``, ``created`` is what would be created.
    ``refused`` maps a field to the reason. ``state`` is what the adapter wants remembered for this account (such as
    how tasks carry their key) and gets back at :meth:`Adapter.connect`. ``labels``: what people read of each field.
    """

    present: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    extended: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    state: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """One line of the check-up (P-73): what was looked at, how it stands, and the remedy."""

    subject: str
    level: Level
    text: str
    remedy: str = ""


class DataType(StrEnum):
    """What one of the CRM's own fields holds, as far as choosing among them needs it."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    OTHER = "other"


@dataclass(frozen=True)
class FieldInfo:
    """One of the CRM's own deal fields, as its people see it: ``name`` for settings, ``label`` for reading."""

    name: str
    label: str
    type: DataType


@dataclass(frozen=True)
class Employer:
    """The company that a contact works for now, with its name."""

    company_id: str
    name: str
