"""Tables and small pure functions between Salesforce's words and ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from adapters.services import yes_or_no
from workflows.fields import ANSWERS, open_case
from workflows.records import (
    Company,
    Contact,
    Deal,
    DealState,
    OwnerEntry,
    People,
    RecordKind,
    Role,
    StageEntry,
    TaskState,
    User,
)
from workflows.writes import TaskType

Row = Mapping[str, Any]

OBJECTS = {
    RecordKind.DEAL: "Opportunity",
    RecordKind.COMPANY: "Account",
    RecordKind.CONTACT: "Contact",
    RecordKind.TASK: "Task",
}
"""Our kind of record to Salesforce's object."""

PREFIXES = {"Opportunity": "006", "Account": "001", "Contact": "003", "Task": "00T"}
"""The first three characters of an object's ids."""

ROLES = {
    "decision maker": Role.DECIDER,
    "economic buyer": Role.DECIDER,
    "economic decision maker": Role.DECIDER,
    "executive sponsor": Role.DECIDER,
    "business user": Role.USER,
    "user": Role.USER,
    "end user": Role.USER,
    "evaluator": Role.INFLUENCER,
    "influencer": Role.INFLUENCER,
    "technical buyer": Role.INFLUENCER,
    "technical evaluator": Role.INFLUENCER,
    "champion": Role.INFLUENCER,
}
"""Opportunity contact roles, as orgs are delivered with them, to ours; any other is OTHER."""

SET_ASIDE = frozenset({"deferred", "not applicable", "n/a", "différé", "différée", "sans objet"})
"""Task statuses, in small letters, that say: set aside without being done. "Deferred" comes with every org; others are
what admins add or translate."""

TASK_TYPES = {TaskType.CALL: "Call", TaskType.EMAIL: "Email"}
"""Values of Task.Type; used only where the org's picklist has them. A plain to-do has none."""

KEY_LENGTH = 120
SUBJECT_LENGTH = 255
BODY_LENGTH = 32_000
LONG_TEXT_LENGTH = 32_768
TEXT_LENGTH = 255
TITLE_LENGTH = 255
URL_LENGTH = 255

_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
FIELD_NAME = re.compile(r"[A-Za-z]\w*")


# --- ids ------------------------------------------------------------------------------------------------------------


def is_id(text: str, prefix: str = "") -> bool:
    """Whether ``text`` has the shape of a record id, of an object with this prefix."""
    return bool(_ID.fullmatch(text)) and text.startswith(prefix)


def to18(record_id: str) -> str:
    """The 18-character form of an id; what is no 15-character id comes back as it is.

    Each added character tells which of five characters are capitals.
    """
    if len(record_id) != 15 or not _ID.fullmatch(record_id):
        return record_id
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << at for at, char in enumerate(record_id[start : start + 5]) if "A" <= char <= "Z")
        suffix += _CHECK[bits]
    return record_id + suffix


def is_whole(text: str, prefix: str = "") -> bool:
    """Whether ``text`` is an id that a query takes: one with a wrong checksum would spoil the query for all others."""
    return is_id(text, prefix) and to18(text[:15]) == to18(text)


def same_id(one: str, other: str) -> bool:
    """Whether two ids, of 15 or 18 characters, name the same record. Case counts in the first 15."""
    return is_id(one) and is_id(other) and one[:15] == other[:15]


# --- names and keys -------------------------------------------------------------------------------------------------


def our_field(name: str) -> str:
    """The API name of one of our own fields: ``exit_score`` is ``Aurevoir_Exit_Score__c``."""
    return "Aurevoir_" + "_".join(part.capitalize() for part in name.split("_")) + "__c"


KEY_FIELD = our_field("key")
COUNTERPART_FIELD = our_field("counterpart")
"""Our own tick on a contact: who says "received" for the handover (P-13)."""
START_NOW_FIELD = our_field("start_now")
"""Our own tick on a deal: its offboarding is to begin by hand (P-72)."""
CASE_FIELD, STATUS_FIELD = our_field("case_id"), our_field("status")
"""Our own fields on a deal: which case looks after it, and how that stands."""
LINK_FIELD = our_field("link")
START_FIELD = our_field("start_score")
"""Willingness to recommend at the start, which the end is compared with (P-33)."""


ANSWER_FIELDS: Mapping[RecordKind, Mapping[str, str]] = {
    kind: {name: our_field(name) for name in names} for kind, names in ANSWERS.items()
}
"""Our fields of answers by our name for them: what people changed there stays (P-7B)."""


def checked_field(name: str) -> str:
    """``name``, if it can be a field's API name. Field names cannot be quoted in SOQL, so they are checked.

    Raises ValueError with the cure.
    """
    if not FIELD_NAME.fullmatch(name) or len(name) > 80:
        raise ValueError(f"{name!r} is no field's API name; write it as in Setup > Object Manager, like Renewal_End__c")
    return name


def stored_key(key: str) -> str:
    """The key as the key field holds it: a longer one is cut and ends in its digest instead."""
    if len(key) <= KEY_LENGTH:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: KEY_LENGTH - len(digest) - 1]}~{digest}"


def marker(key: str) -> str:
    """A short mark of a key for the title of a note, which has no field for it."""
    return f"[{hashlib.sha256(key.encode()).hexdigest()[:10]}]"


# --- values ---------------------------------------------------------------------------------------------------------


def parse_datetime(text: str) -> datetime:
    """Salesforce's datetime (``2026-11-21T09:15:02.000+0000``), aware, in UTC. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"a datetime without time zone: {text}")
    return parsed.astimezone(UTC)


def parse_date(text: Any) -> date | None:
    """The date in a date or datetime field; None when it is empty or neither."""
    if not isinstance(text, str):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def write_datetime(moment: datetime) -> str:
    """An aware datetime as Salesforce takes it, in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_date(moment: datetime, time_zone: str) -> str:
    """The day of a due moment. A moment kept in UTC counts where the account is; any other where it says it is."""
    if moment.utcoffset() == UTC.utcoffset(None):
        moment = moment.astimezone(ZoneInfo(time_zone))
    return moment.date().isoformat()


def write_value(value: Any) -> Any:
    """One of our field values as Salesforce's JSON takes it; None and the empty text empty the field."""
    if isinstance(value, datetime):
        return write_datetime(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if value == "" else value


def as_text(value: Any) -> str | None:
    """A field's value as text, numbers without needless zeros; None when empty."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal | float):
        number = Decimal(str(value))
        return str(int(number)) if number == number.to_integral_value() else format(number.normalize(), "f")
    return str(value)


def language_code(text: Any) -> str | None:
    """``fr`` from ``fr``, ``fr_FR`` or ``FR-fr``; None from anything else."""
    match = re.fullmatch(r"([A-Za-z]{2,3})(?:[_-]\w+)?", text.strip()) if isinstance(text, str) else None
    return match.group(1).lower() if match else None


def clean(text: str) -> str:
    """``text`` without what no field takes: control characters but for line breaks and tabs, and halves of pairs."""
    return _UNFIT.sub("", text)


def clip(text: str, length: int) -> str:
    """``text``, cut to ``length`` with a sign that it was cut."""
    return text if len(text) <= length else text[: length - 1] + "…"


# --- rows to records ------------------------------------------------------------------------------------------------


def figures(row: Row | None, names: Iterable[str]) -> dict[str, str]:
    """The mapped figures of a row that are not empty, as text."""
    found = {name: as_text((row or {}).get(name)) for name in names}
    return {name: text for name, text in found.items() if text is not None}


def stage_history(row: Row, entries: Sequence[Row]) -> tuple[StageEntry, ...]:
    """Stage entries, newest first, the present stage at the head.

    The history has a row for each change of amount, probability or close date too; those that keep the stage are no
    entries. Where it says nothing of the present stage, LastStageChangeDate does.
    """
    found: list[StageEntry] = []
    for entry in sorted(entries, key=lambda each: str(each["CreatedDate"])):
        stage = entry.get("StageName")
        if stage and (not found or found[-1].stage_id != stage):
            found.append(StageEntry(stage_id=stage, at=parse_datetime(entry["CreatedDate"])))
    present = row.get("StageName")
    if present and (not found or found[-1].stage_id != present):
        changed = row.get("LastStageChangeDate") or row.get("CreatedDate")
        if changed:
            found.append(StageEntry(stage_id=present, at=parse_datetime(changed)))
    return tuple(reversed(found))


def owner_history(row: Row, entries: Sequence[Row]) -> tuple[OwnerEntry, ...]:
    """Who owned the deal from when on, newest first; as :func:`past_owners`, ids only."""
    changes = [
        (parse_datetime(entry["CreatedDate"]), entry.get("OldValue"), entry.get("NewValue"))
        for entry in sorted(entries, key=lambda each: str(each["CreatedDate"]))
        if entry.get("Field") in (None, "Owner", "OwnerId")
        and isinstance(entry.get("NewValue"), str)
        and is_id(entry["NewValue"], "005")
    ]
    found = [OwnerEntry(owner_id=to18(str(new)), at=at) for at, _, new in changes]
    first = changes[0][1] if changes else row.get("OwnerId")
    if row.get("CreatedDate") and isinstance(first, str) and is_id(first, "005"):
        found.insert(0, OwnerEntry(owner_id=to18(first), at=parse_datetime(row["CreatedDate"])))
    return tuple(reversed(found))


def past_owners(row: Row, entries: Sequence[Row]) -> tuple[str, ...]:
    """Former owners, latest first. The owner's history has rows with names and rows with ids; only ids are taken."""
    found: list[str] = []
    for entry in sorted(entries, key=lambda each: str(each["CreatedDate"]), reverse=True):
        for value in (entry.get("NewValue"), entry.get("OldValue")):
            owner = to18(value) if isinstance(value, str) and is_id(value, "005") else None
            if owner and owner != row.get("OwnerId") and owner not in found:
                found.append(owner)
    return tuple(found)


def contact(
    row: Row, roles: Sequence[Row], language_field: str | None, meanings: Mapping[str, Role] | None = None
) -> Contact:
    """A contact from its row and its roles on one deal. ``meanings``: what roles mean as the admin says."""
    known = {**ROLES, **(meanings or {})}
    names = [(role.get("Role") or "").strip().casefold() for role in roles]
    kinds = [known.get(name, Role.OTHER) for name in names]
    if row.get(COUNTERPART_FIELD):
        kinds.append(Role.COUNTERPART)
    return Contact(
        id=row["Id"],
        name=row.get("Name") or "",
        first_name=row.get("FirstName") or "",
        email=row.get("Email") or None,
        language=language_code(row.get(language_field)) if language_field else None,
        roles=tuple(dict.fromkeys(kinds)),
        primary=any(role.get("IsPrimary") for role in roles),
        opted_out=bool(row.get("HasOptedOutOfEmail")),
        bounced=bool(row.get("EmailBouncedDate")),
        start_score=_score(row.get(START_FIELD)),
        said=_said(row, RecordKind.CONTACT),
    )


def _said(row: Row, kind: RecordKind) -> dict[str, str]:
    """Our fields of answers that are not empty, as text."""
    found = {name: as_text(row.get(field)) for name, field in ANSWER_FIELDS[kind].items()}
    return {name: text for name, text in found.items() if text is not None}


def _score(value: Any) -> int | None:
    """A score from 0 to 10; what people wrote beyond that is none."""
    return round(value) if isinstance(value, int | float | Decimal) and 0 <= value <= 10 else None


def people(
    row: Row,
    roles: Sequence[Row],
    company_figures: Sequence[str],
    language_field: str | None,
    meanings: Mapping[str, Role] | None = None,
) -> People:
    """Company and contacts of a deal's row; the primary contact first, then as Salesforce lists them."""
    by_contact: dict[str, list[Row]] = {}
    for role in roles:
        if role.get("Contact"):
            by_contact.setdefault(role["ContactId"], []).append(role)
    contacts = [
        contact({**of[0]["Contact"], "Id": contact_id}, of, language_field, meanings)
        for contact_id, of in by_contact.items()
    ]
    contacts.sort(key=lambda each: not each.primary)
    return People(company=company(row, company_figures), contacts=tuple(contacts))


def company(row: Row, names: Sequence[str]) -> Company | None:
    """The deal's account, or None when it has none or we may not see it."""
    account = row.get("Account")
    if not row.get("AccountId") or not account:
        return None
    return Company(
        id=row["AccountId"],
        name=account.get("Name") or "",
        owner_id=account.get("OwnerId"),
        start_score=_score(account.get(START_FIELD)),
        figures=figures(account, names),
        said=_said(account, RecordKind.COMPANY),
    )


def deal(
    row: Row,
    *,
    contract_end: str | None,
    exit_reason: str | None,
    exit_rights: str | None = None,
    figure_names: Sequence[str],
    history: Sequence[Row] = (),
    owners: Sequence[Row] = (),
    contact_ids: Sequence[str] = (),
) -> Deal:
    """A deal from its row. Without a field for the contract's end the close date counts."""
    amount = row.get("Amount")
    return Deal(
        id=row["Id"],
        name=row.get("Name") or "",
        state=DealState.DELETED if row.get("IsDeleted") else DealState.LIVE,
        pipeline_id=row.get("RecordTypeId"),
        stage_id=row.get("StageName") or "",
        stage_history=stage_history(row, history),
        owner_id=row.get("OwnerId"),
        past_owner_ids=past_owners(row, owners),
        owner_history=owner_history(row, owners),
        amount=None if amount is None else Decimal(str(amount)),
        currency=row.get("CurrencyIsoCode"),
        close_date=parse_date(row.get("CloseDate")),
        contract_end=parse_date(row.get(contract_end or "CloseDate")),
        exit_reason=as_text(row.get(exit_reason)) if exit_reason else None,
        figures=figures(row, figure_names),
        company_id=row.get("AccountId"),
        contact_ids=tuple(contact_ids),
        start_now=bool(row.get(START_NOW_FIELD)),
        open_case=open_case(row.get(CASE_FIELD), row.get(STATUS_FIELD)),
        exit_rights=yes_or_no(as_text(row.get(exit_rights))) if exit_rights else None,
        said=_said(row, RecordKind.DEAL),
    )


def task_state(row: Row, time_zone: str) -> TaskState:
    """A task from its row. Its due date becomes the start of that day where the account is."""
    if row.get("IsDeleted"):
        return TaskState(id=row["Id"], found=False)
    due = parse_date(row.get("ActivityDate"))
    done = bool(row.get("IsClosed"))
    deferred = not done and str(row.get("Status") or "").strip().casefold() in SET_ASIDE
    completed = row.get("CompletedDateTime")
    return TaskState(
        id=row["Id"],
        done=done,
        deferred=deferred,
        text=str(row.get("Description") or "") if done or deferred else "",
        completed_at=parse_datetime(completed) if done and completed else None,
        due_at=datetime.combine(due, time(), ZoneInfo(time_zone)) if due else None,
        owner_id=row.get("OwnerId"),
    )


def user(row: Row) -> User:
    """A user from its row."""
    return User(
        id=row["Id"],
        name=row.get("Name") or "",
        email=row.get("Email") or "",
        active=bool(row.get("IsActive")),
        time_zone=row.get("TimeZoneSidKey") or None,
        language=language_code(row.get("LanguageLocaleKey")),
    )
