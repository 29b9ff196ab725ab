"""What we read in a CRM, in words that fit each of them: deals, companies, contacts, users, tasks.

As all words of the domain, these are immutable. Datetimes are aware; what the CRM gave as a date stays a
:class:`datetime.date`. Ids are the CRM's own, as text. Texts from outside are plain text: who shows them escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Model(BaseModel):
    """Base of all domain words: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RecordKind(StrEnum):
    """Kinds of CRM records that we read or write."""

    DEAL = "deal"
    COMPANY = "company"
    CONTACT = "contact"
    TASK = "task"
    NOTE = "note"
    FILE = "file"


class Ref(Model):
    """Points at one CRM record."""

    kind: RecordKind
    id: str


class User(Model):
    """Someone who works in the CRM and can own tasks."""

    id: str
    name: str
    email: str
    active: bool = True
    time_zone: str | None = None
    language: str | None = None


class Stage(Model):
    """A stage of a pipeline. ``closed`` and ``won`` are the CRM's own view of it."""

    id: str
    label: str
    closed: bool = False
    won: bool = False


class Pipeline(Model):
    """A pipeline with its stages in display order. In a CRM without pipelines: a record type, or all deals."""

    id: str
    label: str
    stages: tuple[Stage, ...]


class Role(StrEnum):
    """What a contact is to the decision (P-11); COUNTERPART: who says "received" for the handover (P-13)."""

    DECIDER = "decider"
    USER = "user"
    INFLUENCER = "influencer"
    COUNTERPART = "counterpart"
    OTHER = "other"


class Contact(Model):
    """A person at the customer's. Who cannot be written to gets a call, not a link (P-16).

    ``bounced``: the CRM saw mail to their address come back. ``start_score`` is our own field of that name as it stands
    in the CRM (P-33); a company has one as well. ``said`` holds our fields of answers as they
    stand there (:data:`workflows.fields.ANSWERS`), as the CRM's own text, without empty ones; so on company and deal.
    """

    id: str
    name: str
    first_name: str = ""
    email: str | None = None
    language: str | None = None
    roles: tuple[Role, ...] = ()
    primary: bool = False
    opted_out: bool = False
    bounced: bool = False
    start_score: int | None = None
    said: Mapping[str, str] = Field(default_factory=dict)


class Company(Model):
    """The customer. ``figures`` holds the mapped key figures as the CRM's own text."""

    id: str
    name: str
    owner_id: str | None = None
    start_score: int | None = None
    figures: Mapping[str, str] = Field(default_factory=dict)
    said: Mapping[str, str] = Field(default_factory=dict)


class StageEntry(Model):
    """The deal entered ``stage_id`` at ``at``."""

    stage_id: str
    at: AwareDatetime


class OwnerEntry(Model):
    """From ``at`` on, the deal was owned by this user; None: by nobody."""

    owner_id: str | None
    at: AwareDatetime


class DealState(StrEnum):
    """Whether the record can still be worked with (P-09)."""

    LIVE = "live"
    DELETED = "deleted"
    ARCHIVED = "archived"
    MERGED = "merged"


class Deal(Model):
    """One deal as the CRM shows it now. ``start_now``: someone asked there for its offboarding to begin (P-72).

    ``stage_history`` is newest first; its first entry is the present stage. A CRM that tells only the last change
    gives one entry. ``past_owner_ids`` are former owners, for P-10; ``owner_history`` says when each owned it, newest
    first, as far as the CRM tells. ``contract_end`` is the mapped end of the contract, or None when the field is empty
    (P-07). ``merged_into`` is set with :attr:`DealState.MERGED`. ``exit_rights`` is what the deal itself says about
    being in scope of the exit-rights clock; None: nothing (P-2B). ``open_case`` is the case that our own fields on the
    deal call open, whoever wrote them (P-08).
    """

    id: str
    name: str = ""
    state: DealState = DealState.LIVE
    merged_into: str | None = None
    pipeline_id: str | None = None
    stage_id: str = ""
    stage_history: tuple[StageEntry, ...] = ()
    owner_id: str | None = None
    past_owner_ids: tuple[str, ...] = ()
    owner_history: tuple[OwnerEntry, ...] = ()
    amount: Decimal | None = None
    currency: str | None = None
    close_date: date | None = None
    contract_end: date | None = None
    exit_reason: str | None = None
    figures: Mapping[str, str] = Field(default_factory=dict)
    company_id: str | None = None
    contact_ids: tuple[str, ...] = ()
    start_now: bool = False
    open_case: str | None = None
    exit_rights: bool | None = None
    said: Mapping[str, str] = Field(default_factory=dict)


PastField = Literal["name", "pipeline_id", "owner_id", "amount", "close_date", "contract_end", "exit_reason"]
"""The fields of a deal, besides its stage, of which CRMs may keep a history."""


class PastValue(Model):
    """From ``at`` on, until a later one took its place, the ``field`` of a deal had this value."""

    field: PastField
    value: str | Decimal | date | None
    at: AwareDatetime


class People(Model):
    """Company and contacts of one deal."""

    company: Company | None = None
    contacts: tuple[Contact, ...] = ()


class Part(StrEnum):
    """How someone of ours took part in a deal or an account, as the CRM shows it (P-10)."""

    TASK = "task"
    CALL = "call"
    MEETING = "meeting"
    DEAL_TEAM = "deal_team"
    COMPANY_TEAM = "company_team"


class Involvement(Model):
    """This user took part in a deal in this way; ``at`` is the last time, where the CRM tells."""

    user_id: str
    part: Part
    at: AwareDatetime | None = None


class TaskState(Model):
    """A task of ours as it stands in the CRM now. ``found`` is False when the CRM no longer has it.

    ``deferred``: a person set it aside without doing it. ``text`` is the body as plain text, only where the task is
    done or set aside: people may say there that the step was not applicable, and why (P-2E).
    """

    id: str
    found: bool = True
    done: bool = False
    deferred: bool = False
    text: str = ""
    completed_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    owner_id: str | None = None
