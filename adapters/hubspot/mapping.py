"""HubSpot's records in our words, and our writes in HubSpot's. Pure: no call is made here.

Property values are texts in both directions, whatever their type; an empty text is an empty value.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from adapters.hubspot.values import (
    LONGEST_TEXT,
    TaskKeys,
    clean,
    digest,
    milliseconds,
    own,
    parse_date,
    parse_moment,
    shorten,
    to_html,
    to_text,
    with_marker,
)
from adapters.services import FieldMap, yes_or_no
from workflows.fields import ANSWERS, open_case
from workflows.records import Company, Contact, Deal, OwnerEntry, RecordKind, Role, StageEntry, TaskState
from workflows.writes import CreateNote, CreateTask, Priority, TaskType

OBJECTS: Mapping[RecordKind, str] = {
    RecordKind.DEAL: "deals",
    RecordKind.COMPANY: "companies",
    RecordKind.CONTACT: "contacts",
    RecordKind.TASK: "tasks",
    RecordKind.NOTE: "notes",
}

# Association types go from the new record: https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide
TASK_TO = {RecordKind.DEAL: 216, RecordKind.CONTACT: 204, RecordKind.COMPANY: 192}
NOTE_TO = {RecordKind.DEAL: 214, RecordKind.CONTACT: 202, RecordKind.COMPANY: 190}
PRIMARY_COMPANY = 5
PRIMARY_COMPANY_NAME = "deal_to_company"

PRIORITIES = {Priority.LOW: "LOW", Priority.NORMAL: "MEDIUM", Priority.HIGH: "HIGH"}
TASK_TYPES = {TaskType.TODO: "TODO", TaskType.CALL: "CALL", TaskType.EMAIL: "EMAIL"}

# hs_buying_role is a property of the contact, with several values joined by semicolons.
ROLES: Mapping[str, Role] = {
    "DECISION_MAKER": Role.DECIDER,
    "BUDGET_HOLDER": Role.DECIDER,
    "EXECUTIVE_SPONSOR": Role.DECIDER,
    "END_USER": Role.USER,
    "INFLUENCER": Role.INFLUENCER,
    "CHAMPION": Role.INFLUENCER,
    "BLOCKER": Role.INFLUENCER,
    "LEGAL_AND_COMPLIANCE": Role.INFLUENCER,
}

TASK_PROPERTIES = (
    "hs_task_status", "hs_task_completion_date", "hs_timestamp", "hubspot_owner_id", "hs_task_body",
)  # fmt: skip
START = "aurevoir_start_score"
"""Willingness to recommend at the start, which the end is compared with (P-33)."""
START_NOW = "aurevoir_start_now"
"""Our own tick on a deal: its offboarding is to begin by hand (P-72)."""
CASE, STATUS = "aurevoir_case_id", "aurevoir_status"
"""Our own fields on a deal: which case looks after it, and how that stands."""
COUNTERPART = "aurevoir_counterpart"
"""Our own tick on a contact: who says "received" for the handover (P-13)."""
BOUNCED = "hs_email_hard_bounce_reason_enum"
"""Filled by HubSpot when mail to the address came back for good."""
HISTORY = ("dealstage", "hubspot_owner_id")

# --- reading --------------------------------------------------------------------------------------------------------


def deal_properties(fields: FieldMap) -> list[str]:
    """The deal properties that a look needs."""
    figures = [field for record, field in fields.figures if record == "deal"]
    base = [
        "dealname",
        "dealstage",
        "pipeline",
        "closedate",
        "amount",
        "deal_currency_code",
        "hubspot_owner_id",
        START_NOW,
        CASE,
        STATUS,
    ]
    return list(dict.fromkeys([*base, *fields.of_deal(), *figures, *_answers(RecordKind.DEAL)]))


def company_properties(fields: FieldMap) -> list[str]:
    """The company properties that a look needs."""
    figures = [field for record, field in fields.figures if record == "company"]
    return list(dict.fromkeys(["name", "hubspot_owner_id", START, *figures, *_answers(RecordKind.COMPANY)]))


def contact_properties(fields: FieldMap) -> list[str]:
    """The contact properties that a look needs."""
    base = ["firstname", "lastname", "email", "hs_buying_role", "hs_email_optout", BOUNCED, COUNTERPART, START]
    return list(dict.fromkeys([*base, fields.language or "hs_language", *_answers(RecordKind.CONTACT)]))


def _answers(kind: RecordKind) -> list[str]:
    """Our fields of answers on this kind of record: what people changed there stays (P-7B)."""
    return [own(name) for name in ANSWERS[kind]]


def _said(values: Mapping[str, str], kind: RecordKind) -> dict[str, str]:
    return {name: values[own(name)] for name in ANSWERS[kind] if own(name) in values}


def properties_of(record: Mapping[str, Any]) -> dict[str, str]:
    """A record's properties that are not empty, as texts."""
    raw = record.get("properties")
    pairs = raw.items() if isinstance(raw, Mapping) else ()
    return {str(name): str(value) for name, value in pairs if value not in (None, "")}


@dataclass(frozen=True)
class PastValue:
    """One entry of a property's history. ``user_id`` is HubSpot's user id, which is not the owner id."""

    value: str
    at: datetime
    user_id: str | None = None


def history_of(record: Mapping[str, Any], name: str) -> list[PastValue]:
    """A property's history, newest first; an entry that only repeats the value before it is left out."""
    raw = (record.get("propertiesWithHistory") or {}).get(name) or []
    found = []
    for entry in raw:
        at = parse_moment(str(entry.get("timestamp") or ""))
        if at is not None:
            user = entry.get("updatedByUserId")
            found.append(PastValue(str(entry.get("value") or ""), at, str(user) if user else None))
    found.reverse()  # it comes newest first: two changes within a millisecond must keep their order
    found.sort(key=lambda entry: entry.at)
    kept: list[PastValue] = []
    for entry in found:
        if not kept or kept[-1].value != entry.value:
            kept.append(entry)
    return kept[::-1]


def with_former(history: Sequence[PastValue]) -> Iterator[tuple[PastValue, str | None]]:
    """Each entry of a history, newest first, with the value before it; None: empty, or not kept."""
    formers = [*(past.value or None for past in history[1:]), None]
    yield from zip(history, formers, strict=False)


def amount_of(text: str | None) -> Decimal | None:
    """A number, or None where there is none."""
    try:
        amount = Decimal(text) if text else None
    except InvalidOperation:
        return None
    return amount if amount is None or amount.is_finite() else None


def deal_from(
    record: Mapping[str, Any],
    fields: FieldMap,
    zone: ZoneInfo,
    company_id: str | None,
    contact_ids: Sequence[str],
) -> Deal:
    """A live deal from a record with history."""
    values = properties_of(record)
    stages, owners = history_of(record, "dealstage"), history_of(record, "hubspot_owner_id")
    owner = values.get("hubspot_owner_id")
    past_owners = [entry.value for entry in owners if entry.value and entry.value != owner]
    end = fields.contract_end or "closedate"
    return Deal(
        id=str(record["id"]),
        name=values.get("dealname", ""),
        pipeline_id=values.get("pipeline"),
        stage_id=values.get("dealstage", ""),
        stage_history=tuple(StageEntry(stage_id=entry.value, at=entry.at) for entry in stages if entry.value),
        owner_id=owner,
        past_owner_ids=tuple(dict.fromkeys(past_owners)),
        owner_history=tuple(OwnerEntry(owner_id=entry.value or None, at=entry.at) for entry in owners),
        amount=amount_of(values.get("amount")),
        currency=values.get("deal_currency_code"),
        close_date=parse_date(values.get("closedate"), zone),
        contract_end=parse_date(values.get(end), zone),
        exit_reason=values.get(fields.exit_reason) if fields.exit_reason else None,
        figures={name: values[name] for kind, name in fields.figures if kind == "deal" and name in values},
        company_id=company_id,
        contact_ids=tuple(contact_ids),
        start_now=values.get(START_NOW) == "true",
        open_case=open_case(values.get(CASE), values.get(STATUS)),
        exit_rights=yes_or_no(values.get(fields.exit_rights)) if fields.exit_rights else None,
        said=_said(values, RecordKind.DEAL),
    )


def company_from(record: Mapping[str, Any], fields: FieldMap) -> Company:
    """A company with its mapped key figures."""
    values = properties_of(record)
    return Company(
        id=str(record["id"]),
        name=values.get("name", ""),
        owner_id=values.get("hubspot_owner_id"),
        start_score=_score(values.get(START)),
        figures={name: values[name] for kind, name in fields.figures if kind == "company" and name in values},
        said=_said(values, RecordKind.COMPANY),
    )


def contact_from(record: Mapping[str, Any], fields: FieldMap, labels: Iterable[str] = ()) -> Contact:
    """A contact; roles from the buying role, and from the labels on the deal where these are read."""
    values = properties_of(record)
    first, last, email = (values.get(name, "").strip() for name in ("firstname", "lastname", "email"))
    buying = [part.strip() for part in values.get("hs_buying_role", "").split(";") if part.strip()]
    roles = [role_of(name, fields) or Role.OTHER for name in buying]
    roles += [role for label in labels if (role := role_of(label, fields)) is not None]
    roles += [Role.COUNTERPART] if values.get(COUNTERPART) == "true" else []
    language = values.get(fields.language or "hs_language", "").strip().lower().replace("_", "-")
    return Contact(
        id=str(record["id"]),
        name=f"{first} {last}".strip() or email,
        first_name=first,
        email=email if "@" in email else None,
        language=language or None,
        roles=tuple(dict.fromkeys(roles)),
        opted_out=values.get("hs_email_optout") == "true",
        bounced=BOUNCED in values,
        start_score=_score(values.get(START)),
        said=_said(values, RecordKind.CONTACT),
    )


def _score(text: str | None) -> int | None:
    """A score from 0 to 10; what people wrote beyond that is none."""
    try:
        score = float(text or "")
    except ValueError:
        return None
    return round(score) if 0 <= score <= 10 else None


def role_of(name: str, fields: FieldMap) -> Role | None:
    """What a buying role or a label means: as the admin says, or as HubSpot's own mean; None for any other."""
    plain = " ".join(name.replace("_", " ").split()).casefold()
    known = fields.roles.get(name.strip().casefold(), fields.roles.get(plain))
    return known or ROLES.get(re.sub(r"[\s-]+", "_", name.strip()).upper())


def task_from(record: Mapping[str, Any]) -> TaskState:
    """A task of ours as it stands."""
    values = properties_of(record)
    done, deferred = (values.get("hs_task_status") == status for status in ("COMPLETED", "DEFERRED"))
    return TaskState(
        id=str(record["id"]),
        done=done,
        deferred=deferred,
        text=to_text(values.get("hs_task_body", "")) if done or deferred else "",
        completed_at=parse_moment(values.get("hs_task_completion_date")) if done else None,
        due_at=parse_moment(values.get("hs_timestamp")),
        owner_id=values.get("hubspot_owner_id"),
    )


# --- writing --------------------------------------------------------------------------------------------------------


def _association(record_id: str, type_id: int) -> dict[str, Any]:
    return {
        "to": {"id": record_id},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}],
    }


def associations(
    types: Mapping[RecordKind, int], deal_id: str, company_id: str | None, contact_ids: Sequence[str]
) -> list[dict[str, Any]]:
    """What a new task or note is shown on."""
    wanted = [_association(deal_id, types[RecordKind.DEAL])]
    if company_id:
        wanted.append(_association(company_id, types[RecordKind.COMPANY]))
    return wanted + [_association(each, types[RecordKind.CONTACT]) for each in dict.fromkeys(contact_ids)]


def task_input(task: CreateTask, keys: TaskKeys) -> dict[str, Any]:
    """One input of a batch create of tasks."""
    text = task.body
    if task.link and task.link not in text:
        text = f"{text}\n\n{task.link}".strip()
    body = to_html(text)
    properties = {
        "hs_task_subject": shorten(clean(task.subject), 255),
        "hs_task_body": body if keys.property else with_marker(body, task.key),
        "hs_task_status": "NOT_STARTED",
        "hs_task_priority": PRIORITIES[task.priority],
        "hs_task_type": TASK_TYPES[task.type],
        "hs_timestamp": milliseconds(task.due_at),
        "hubspot_owner_id": task.owner_id,
    }
    if task.reminder_at is not None:
        properties["hs_task_reminders"] = milliseconds(task.reminder_at)
    if keys.property:
        properties[own("key")] = task.key
    if keys.link and task.link:
        properties[own("link")] = task.link
    return {
        "properties": properties,
        "associations": associations(TASK_TO, task.deal_id, task.company_id, task.contact_ids),
        "objectWriteTraceId": digest(task.key),
    }


def note_input(note: CreateNote) -> dict[str, Any]:
    """One input of a batch create of notes."""
    title = f"<strong>{to_html(note.title, 2_000)}</strong><br>"
    body = title + to_html(note.body, LONGEST_TEXT - len(title))
    return {
        "properties": {"hs_timestamp": milliseconds(note.at), "hs_note_body": with_marker(body, note.key)},
        "associations": associations(NOTE_TO, note.deal_id, note.company_id, note.contact_ids),
        "objectWriteTraceId": digest(note.key),
    }


def file_note_input(key: str, deal_id: str, name: str, at: datetime, file_id: str) -> dict[str, Any]:
    """The note that hangs an uploaded document on the deal."""
    body = with_marker(html.escape(clean(name)), key)
    return {
        "properties": {"hs_timestamp": milliseconds(at), "hs_note_body": body, "hs_attachment_ids": file_id},
        "associations": associations(NOTE_TO, deal_id, None, ()),
        "objectWriteTraceId": digest(key),
    }
