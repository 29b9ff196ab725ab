"""The tables. The same on SQLite and PostgreSQL; migrations make them (see ``migrations/``).

Times are stored in UTC. JSON columns hold what is never searched for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Dialect, ForeignKey, Index, MetaData, Text, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime, TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime; naive ones are refused, since they would be somebody's local time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; SQLite keeps no zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all rows, with named constraints so that migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  read by SQLAlchemy at class creation
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
        str: Text(),
    }


class AccountRow(Base):
    """What we know of a connected account.

    ``started_at``: the moment of switch-on (P-71). ``state``: what the adapter wants remembered.
    ``known``: users and pipelines as last read, so that short commands cost no calls. ``trouble``: why calls stopped.
    ``worked_at``: the last round of work that ended well.
    """

    __tablename__ = "accounts"
    name: Mapped[str] = mapped_column(primary_key=True)
    crm: Mapped[str]
    account_id: Mapped[str]
    started_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    state: Mapped[dict[str, Any]] = mapped_column(default=dict)
    known: Mapped[dict[str, Any]] = mapped_column(default=dict)
    known_at: Mapped[datetime | None]
    trouble: Mapped[str | None]
    trouble_at: Mapped[datetime | None]
    polled_at: Mapped[datetime | None]
    pushed_at: Mapped[datetime | None]
    compared_at: Mapped[datetime | None]
    worked_at: Mapped[datetime | None]


class TokenRow(Base):
    """A cached token; ``sealed`` is encrypted by the vault, bound to the account."""

    __tablename__ = "tokens"
    account: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    expires_at: Mapped[datetime | None]
    saved_at: Mapped[datetime]


class CursorRow(Base):
    """How far a stream of changes has been read."""

    __tablename__ = "cursors"
    account: Mapped[str] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[str]
    moved_at: Mapped[datetime]


class AgendaRow(Base):
    """Look at this deal, not before ``due_at``. ``version`` rises with each signal, so that none is lost during a look.

    ``tasks``: also read the states of the case's tasks. ``asked``: an admin takes in an older ending. ``why``: the last
    signal, for the log. ``attempts``: looks that failed in a row, ``troubled_at``: since when.
    """

    __tablename__ = "agenda"
    account: Mapped[str] = mapped_column(primary_key=True)
    deal_id: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    tasks: Mapped[bool] = mapped_column(default=False)
    asked: Mapped[bool] = mapped_column(default=False)
    why: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    trouble: Mapped[str | None]
    troubled_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_agenda_account_due_at", "account", "due_at"),)


class CaseRow(Base):
    """One case; see :class:`workflows.cases.Case`. At most one is open per deal (P-08): the database holds that too."""

    __tablename__ = "cases"
    id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str]
    deal_id: Mapped[str]
    deal_name: Mapped[str]
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(server_default="offboarding")
    status: Mapped[str]
    paused: Mapped[bool]
    playbook: Mapped[str]
    playbook_version: Mapped[str]
    language: Mapped[str]
    stage_id: Mapped[str]
    entered_at: Mapped[datetime]
    opened_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    contract_end: Mapped[date | None]
    reason: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str]
    company_id: Mapped[str | None]
    contact_ids: Mapped[list[str]]
    written: Mapped[dict[str, Any]]

    __table_args__ = (
        UniqueConstraint("account", "deal_id", "number"),
        # and uq_cases_open (one open case a deal), made by the migrations: both dialects would be loaded for its WHERE
        Index("ix_cases_account_status", "account", "status"),
        Index("ix_cases_account_company_id", "account", "company_id"),
    )


class StepRow(Base):
    """One step of one case; see :class:`workflows.cases.Step`."""

    __tablename__ = "steps"
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str]
    position: Mapped[int]
    rule: Mapped[str]
    contact_id: Mapped[str | None]
    status: Mapped[str]
    due_at: Mapped[datetime | None]
    owner_id: Mapped[str | None]
    why: Mapped[str]
    task_id: Mapped[str | None]
    completed_at: Mapped[datetime | None]
    reason: Mapped[str]

    __table_args__ = (
        Index("ix_steps_account_task_id", "account", "task_id"),
        Index("ix_steps_account_status_owner_id", "account", "status", "owner_id"),
    )


class IntentState(StrEnum):
    """Where a keyed write stands. Only SENT ones are unclear after a crash."""

    PLANNED = "planned"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class IntentRow(Base):
    """A keyed write. Committed before the call; the CRM's id after. ``content`` is sent unchanged on a retry."""

    __tablename__ = "intents"
    account: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str]
    deal_id: Mapped[str]
    kind: Mapped[str]
    content: Mapped[dict[str, Any]]
    state: Mapped[str]
    position: Mapped[int]
    planned_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    record_id: Mapped[str | None]
    reason: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        Index("ix_intents_account_deal_id_state", "account", "deal_id", "state"),
        Index("ix_intents_case_id", "case_id"),
    )


class PlaybookRow(Base):
    """A playbook as a case began with it, so that a running case never changes under its feet (P-29, P-77)."""

    __tablename__ = "playbooks"
    key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]]
    first_used_at: Mapped[datetime]


class LinkRow(Base):
    """A page of ours that someone was given. Closed links say so kindly and take nothing.

    ``roles``: of the contact when the link was last given out (P-11). ``person``: a keyed digest of their e-mail
    address, by which two records of the same person are told (P-3A).
    """

    __tablename__ = "links"
    id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str]
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    contact_id: Mapped[str | None]
    questionnaire: Mapped[str]
    language: Mapped[str]
    made_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    roles: Mapped[list[str] | None]
    person: Mapped[str | None]

    __table_args__ = (Index("ix_links_account_kind_made_at", "account", "kind", "made_at"),)


class AnswerRow(Base):
    """What one person answered through one link; edited in place until closed (P-3A).

    ``at``: when it was given; ``received_at``: when this state of it reached us, later where a survey tool of the
    account's own brought it (P-38). ``author``: the name that a
    colleague gave (P-42). ``playbook``: key and version that the case followed then, for figures by version (P-46).
    ``heard``: this state of it was gone through for wishes (P-52).
    """

    __tablename__ = "answers"
    link_id: Mapped[str] = mapped_column(ForeignKey("links.id", ondelete="CASCADE"), primary_key=True)
    account: Mapped[str]
    case_id: Mapped[str] = mapped_column(index=True)
    contact_id: Mapped[str | None]
    questionnaire: Mapped[str]
    by: Mapped[str]
    language: Mapped[str]
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    version: Mapped[int]
    given: Mapped[dict[str, Any]]
    author: Mapped[str] = mapped_column(server_default="", default="")
    playbook: Mapped[str] = mapped_column(server_default="", default="")
    heard: Mapped[bool] = mapped_column(server_default=false(), default=False)

    __table_args__ = (
        Index("ix_answers_account_received_at", "account", "received_at"),
        Index("ix_answers_account_heard", "account", "heard"),
    )


class FeedbackRow(Base):
    """A delivery of another survey tool that was taken, so that the same one counts once (P-38)."""

    __tablename__ = "feedback_deliveries"
    account: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class InventoryRow(Base):
    """One thing that belongs to the customer (P-22); see :class:`workflows.cases.InventoryItem`.

    ``version`` rises with each change, so that of two people who save at once neither overwrites the other unseen.
    """

    __tablename__ = "inventory"
    id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str]
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    version: Mapped[int]
    kind: Mapped[str]
    title: Mapped[str]
    owner_id: Mapped[str | None]
    place: Mapped[str]
    due_on: Mapped[date | None]
    evidence: Mapped[str]
    received_on: Mapped[date | None]
    received_by: Mapped[str]
    changed_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]


class EventRow(Base):
    """A line of the log (P-74): what was done to which record, when and why. No personal data."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    account: Mapped[str]
    case_id: Mapped[str | None] = mapped_column(index=True)
    deal_id: Mapped[str | None]
    at: Mapped[datetime]
    what: Mapped[str]
    detail: Mapped[str]
    data: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_events_account_at", "account", "at"),)


class BadEventRow(Base):
    """An event of an authentic delivery that could not be read, kept aside for the admin."""

    __tablename__ = "bad_events"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    crm: Mapped[str]
    account: Mapped[str | None]
    at: Mapped[datetime]
    reason: Mapped[str]
    excerpt: Mapped[str]


class TallyRow(Base):
    """Daily counts of what is acknowledged and otherwise left alone."""

    __tablename__ = "tallies"
    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]


class CallRow(Base):
    """One call to a CRM, for the sliding window that all processes share."""

    __tablename__ = "calls"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    account: Mapped[str]
    bucket: Mapped[str]
    at: Mapped[datetime]

    __table_args__ = (Index("ix_calls_account_bucket_at", "account", "bucket", "at"),)


class HoldRow(Base):
    """The CRM said to wait until then."""

    __tablename__ = "holds"
    account: Mapped[str] = mapped_column(primary_key=True)
    bucket: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]


class PauseRow(Base):
    """A playbook whose cases in this account wait until it is resumed (P-76)."""

    __tablename__ = "pauses"
    account: Mapped[str] = mapped_column(primary_key=True)
    playbook: Mapped[str] = mapped_column(primary_key=True)
    paused_at: Mapped[datetime]


class NoticeRow(Base):
    """A trouble that people were told of inside the CRM (P-75). ``key``: that of the task that tells it.

    ``subject`` names the trouble for us; ``mended_at`` is set when it was over and the task was closed.
    """

    __tablename__ = "notices"
    account: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    deal_id: Mapped[str]
    key: Mapped[str]
    told_at: Mapped[datetime]
    mended_at: Mapped[datetime | None]


class ErasureRow(Base):
    """Someone whose data was erased here (P-79). ``who`` is a keyed digest: it recognises them, and names nobody.

    ``receipt`` is what the confirmation says: counts and moments.
    """

    __tablename__ = "erasures"
    account: Mapped[str] = mapped_column(primary_key=True)
    who: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    receipt: Mapped[dict[str, Any]] = mapped_column(default=dict)
