"""What we write into a CRM, each with a key of its own: at most one visible effect per key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from workflows.records import Model, Ref


class Priority(StrEnum):
    """Priority of a task."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class TaskType(StrEnum):
    """What the owner is to do."""

    TODO = "todo"
    CALL = "call"
    EMAIL = "email"


class CreateTask(Model):
    """A task to create. ``body`` is plain text; addresses in it become links. It is found again by ``deal_id``."""

    kind: Literal["task"] = "task"
    key: str
    deal_id: str
    subject: str = Field(max_length=255)
    body: str = ""
    due_at: AwareDatetime
    reminder_at: AwareDatetime | None = None
    priority: Priority = Priority.NORMAL
    type: TaskType = TaskType.TODO
    owner_id: str
    company_id: str | None = None
    contact_ids: tuple[str, ...] = ()
    link: str | None = None


class UpdateTask(Model):
    """Changes to a task of ours; None leaves a value as it is. Never sent for a task that people have closed.

    ``note`` is added below the body, and closes the task when ``close`` is set (P-06).
    """

    kind: Literal["update_task"] = "update_task"
    key: str
    deal_id: str
    task_id: str
    due_at: AwareDatetime | None = None
    owner_id: str | None = None
    note: str | None = None
    close: bool = False


class CreateNote(Model):
    """A note on the deal, and on company and contacts where given. ``body`` is plain text."""

    kind: Literal["note"] = "note"
    key: str
    deal_id: str
    title: str
    body: str
    at: AwareDatetime
    company_id: str | None = None
    contact_ids: tuple[str, ...] = ()


class AttachFile(Model):
    """A document on the deal. ``content`` is base64 when stored as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    kind: Literal["file"] = "file"
    key: str
    deal_id: str
    name: str
    media_type: str
    content: bytes
    at: AwareDatetime


class DocumentKind(StrEnum):
    """An editable document that a step attaches to the deal.

    LETTER: thanks, to sign by the head of the company (P-23). ACHIEVEMENTS: what the relation brought (P-24).
    FAREWELL: a goodbye message (P-28). CASE_STUDY: four questions to a former customer (P-54). PLAN: the steps and
    dates of the exit on one page (P-21). INVENTORY: what is the customer's, to sign for (P-22).
    """

    LETTER = "letter"
    ACHIEVEMENTS = "achievements"
    FAREWELL = "farewell"
    CASE_STUDY = "case-study"
    PLAN = "plan"
    INVENTORY = "inventory"


class AttachDocument(Model):
    """A document to make and attach. ``values`` is all that it says, as plain data (see :mod:`workflows.papers`).

    It becomes an :class:`AttachFile` of the same key when it is sent, so that it stays small until then; adapters never
    see it.
    """

    kind: Literal["document"] = "document"
    key: str
    deal_id: str
    document: DocumentKind
    language: str
    name: str
    values: Mapping[str, Any]
    at: AwareDatetime


FieldValue = str | int | Decimal | bool | AwareDatetime | date | None


class UpdateFields(Model):
    """Values for our own fields on one record, by their names in :data:`workflows.fields.FIELDS`. None empties one."""

    kind: Literal["fields"] = "fields"
    key: str
    deal_id: str
    target: Ref
    values: Mapping[str, FieldValue]


Write = Annotated[
    CreateTask | UpdateTask | CreateNote | AttachFile | AttachDocument | UpdateFields, Field(discriminator="kind")
]
