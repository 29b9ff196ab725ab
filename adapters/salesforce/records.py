"""Keyed writes as Salesforce records, grouped into the parts of a composite request."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.salesforce import mapping
from adapters.salesforce.mapping import LINK_FIELD, OBJECTS, clean, clip, is_whole, our_field, to18
from adapters.salesforce.shape import Shape
from workflows.fields import FieldType
from workflows.fields import field as spec_of
from workflows.records import RecordKind
from workflows.writes import AttachFile, CreateNote, CreateTask, UpdateFields, UpdateTask

COLLECTION = 200
MAX_PARTS = 25
MAX_COLLECTIONS = 5
NOTE_LENGTH = 4_000
"""Of a note below a task's text; the text above keeps most of its room."""
MAX_BYTES = 8 * 1024 * 1024
MAX_FILE = 28 * 1024 * 1024
"""Bytes of a file; as base64 that is the 37.5 MB that one record may have."""

SPARED = frozenset({LINK_FIELD, "Type", "Priority", "Status", "WhoId", "IsReminderSet", "ReminderDateTime"})
"""Fields of a new task that it can do without, if the org refuses them."""

LENGTHS = {FieldType.TEXT: mapping.TEXT_LENGTH, FieldType.KEY: mapping.KEY_LENGTH}

_ADDRESS = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")


@dataclass
class Record:
    """One record to create or change, for one write or several. ``lost`` tells, by field, why it was left out."""

    writes: list[int]
    body: dict[str, Any]
    fields_of: dict[int, frozenset[str]] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The object's name."""
        return str(self.body["attributes"]["type"])

    @property
    def creates(self) -> bool:
        """Whether it does not exist yet."""
        return "id" not in self.body

    def spare(self, names: Sequence[str], why: str) -> bool:
        """Leave out those of these fields that it can do without; whether that changed anything."""
        spared = SPARED if self.creates else frozenset(name for name in self.body if name not in ("attributes", "id"))
        there = [name for name in self.body if name.lower() in {each.lower() for each in names} and name in spared]
        for name in there:
            del self.body[name]
            self.lost[name] = why
        return bool(there)

    @property
    def empty(self) -> bool:
        """Whether nothing is left to change."""
        return not self.creates and len(self.body) == 2


@dataclass
class Part:
    """What goes into a composite together: a collection of records, or one record with those that link to it."""

    records: list[Record]
    links: list[dict[str, Any]] = field(default_factory=list)
    single: bool = False

    @property
    def subrequests(self) -> int:
        """How many of a composite's 25 places it takes."""
        return 2 if self.links else 1

    @property
    def collections(self) -> int:
        """How many of a composite's five collections it takes."""
        return (0 if self.single else 1) + (1 if self.links else 0)

    @property
    def size(self) -> int:
        """Bytes, roughly, as far as files matter."""
        return sum(len(str(each.body.get("VersionData", ""))) for each in self.records)

    def requests(self, reference: str, base: str) -> list[dict[str, Any]]:
        """Its subrequests. ``base`` is ``/services/data/v66.0``."""
        if not self.single:
            method = "POST" if self.records[0].creates else "PATCH"
            return [_collection(reference, base, method, [each.body for each in self.records])]
        record = self.records[0]
        body = {name: value for name, value in record.body.items() if name != "attributes"}
        made = {"method": "POST", "url": f"{base}/sobjects/{record.type}", "referenceId": reference, "body": body}
        if not self.links:
            return [made]
        links = [{**link, "ContentDocumentId": f"@{{{reference}.id}}"} for link in self.links]
        return [made, _collection(f"{reference}links", base, "POST", links)]


def _collection(reference: str, base: str, method: str, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    body = {"allOrNone": False, "records": list(records)}
    return {"method": method, "url": f"{base}/composite/sobjects", "referenceId": reference, "body": body}


def collections(records: Sequence[Record]) -> Iterator[Part]:
    """Records in collections of 200, those of one kind together: a collection may change its type ten times only."""
    for creates in (True, False):
        some = sorted((each for each in records if each.creates is creates), key=lambda each: each.type)
        for start in range(0, len(some), COLLECTION):
            yield Part(some[start : start + COLLECTION])


def pack(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts in as few composites as their limits allow, in order."""
    packed: list[list[Part]] = []
    for part in parts:
        last = packed[-1] if packed else []
        fits = (
            last
            and sum(each.subrequests for each in last) + part.subrequests <= MAX_PARTS
            and sum(each.collections for each in last) + part.collections <= MAX_COLLECTIONS
            and sum(each.size for each in last) + part.size <= MAX_BYTES
        )
        if fits:
            last.append(part)
        else:
            packed.append([part])
    return packed


# --- one write as a record ------------------------------------------------------------------------------------------


def new_task(index: int, write: CreateTask, shape: Shape, time_zone: str) -> Record:
    """A task on the deal. The account follows from the deal; the first contact is its name.

    Its link stands in the text as well, where an address can be clicked whatever the page layout shows.
    """
    contacts = [to18(one) for one in write.contact_ids if is_whole(one, mapping.PREFIXES["Contact"])]
    kind = mapping.TASK_TYPES.get(write.type)
    body: dict[str, Any] = {
        "attributes": {"type": "Task"},
        "Subject": clip(" ".join(clean(write.subject).split()), mapping.SUBJECT_LENGTH),
        "Description": _with_link(clean(write.body), write.link) or None,
        "ActivityDate": mapping.write_date(write.due_at, time_zone),
        "OwnerId": to18(write.owner_id),
        "WhatId": to18(write.deal_id),
        "WhoId": contacts[0] if contacts else None,
        "Status": shape.open_status,
        "Priority": shape.priorities.get(write.priority),
        "Type": kind if kind in shape.task_types else None,
        shape.key_field: mapping.stored_key(write.key),
    }
    if write.link and len(write.link) <= mapping.URL_LENGTH and shape.has(f"Task.{LINK_FIELD}"):
        body[LINK_FIELD] = write.link
    if write.reminder_at is not None:
        body |= {"IsReminderSet": True, "ReminderDateTime": mapping.write_datetime(write.reminder_at)}
    return Record([index], {name: value for name, value in body.items() if value is not None})


def _with_link(text: str, link: str | None) -> str:
    if not link or link in text:
        return clip(text, mapping.BODY_LENGTH)
    return f"{clip(text, mapping.BODY_LENGTH - len(link) - 2)}\n\n{link}".strip()


def changed_task(write: UpdateTask, description: str, shape: Shape, time_zone: str) -> dict[str, Any]:
    """The fields of a task that change; the note goes below what the task says now."""
    body: dict[str, Any] = {}
    if write.due_at is not None:
        body["ActivityDate"] = mapping.write_date(write.due_at, time_zone)
    if write.owner_id is not None:
        body["OwnerId"] = to18(write.owner_id)
    note = clip(clean(write.note or "").strip(), NOTE_LENGTH)
    if note and note not in description:
        # Sent again after an unclear answer, it must not stand there twice.
        body["Description"] = f"{clip(description, mapping.BODY_LENGTH - len(note) - 2)}\n\n{note}".strip()
    if write.close:
        body["Status"] = shape.closed_status
    return body


def field_values(write: UpdateFields) -> dict[str, Any]:
    """Our fields by their API names."""
    return {our_field(name): _fitting(write.target.kind, name, value) for name, value in write.values.items()}


def _fitting(kind: RecordKind, name: str, value: Any) -> Any:
    """A value as the field takes it, texts cut to its length."""
    if not isinstance(value, str):
        return mapping.write_value(value)
    try:
        kind_of_field = spec_of(kind, name).type
    except KeyError:
        return mapping.write_value(value)
    return mapping.write_value(clip(clean(value), LENGTHS.get(kind_of_field, mapping.LONG_TEXT_LENGTH)))


def new_note(index: int, write: CreateNote) -> Part:
    """An enhanced note, linked to the deal first, then to company and contacts."""
    mark = mapping.marker(write.key)
    title = f"{clip(' '.join(clean(write.title).split()), mapping.TITLE_LENGTH - len(mark) - 1)} {mark}"
    content = base64.b64encode(note_html(clean(write.body)).encode()).decode()
    body = {"attributes": {"type": "ContentNote"}, "Title": title, "Content": content}
    linked = [write.deal_id, *([write.company_id] if write.company_id else []), *write.contact_ids]
    links = [
        {"attributes": {"type": "ContentDocumentLink"}, "LinkedEntityId": entity, "ShareType": "V"}
        for entity in dict.fromkeys(to18(one) for one in linked)
    ][:COLLECTION]
    return Part([Record([index], body)], links, single=True)


def note_html(text: str) -> str:
    """Plain text as the HTML that a note keeps: paragraphs and line breaks, addresses as links, all else escaped."""
    paragraphs = [part.strip("\n") for part in re.split(r"\n\s*\n", text.replace("\r\n", "\n"))]
    return "".join(f"<p>{_linked(part)}</p>" for part in paragraphs if part.strip())


def _linked(text: str) -> str:
    made, at = "", 0
    for match in _ADDRESS.finditer(text):
        address = html.escape(match.group())
        made += html.escape(text[at : match.start()]) + f'<a href="{address}">{address}</a>'
        at = match.end()
    return (made + html.escape(text[at:])).replace("\n", "<br>")


def new_file(index: int, write: AttachFile) -> Part:
    """A file on the deal, with our key as its reason for change."""
    body = {
        "attributes": {"type": "ContentVersion"},
        "Title": clip(clean(write.name).rpartition(".")[0] or clean(write.name), mapping.TITLE_LENGTH),
        "PathOnClient": clean(write.name)[-500:],
        "VersionData": base64.b64encode(write.content).decode(),
        "FirstPublishLocationId": to18(write.deal_id),
        "ReasonForChange": write.key[:1000],
    }
    return Part([Record([index], body)], single=True)


def changes(by_record: Mapping[tuple[str, str], list[tuple[int, dict[str, Any]]]]) -> list[Record]:
    """One record for all that changes on it: a collection may name a record once only. Later values win."""
    made = []
    for (name, record_id), parts in by_record.items():
        body: dict[str, Any] = {"attributes": {"type": name}, "id": record_id}
        for _, values in parts:
            body |= values
        fields_of = {index: frozenset(values) for index, values in parts}
        made.append(Record([index for index, _ in parts], body, fields_of))
    return made


def target(write: UpdateFields) -> tuple[str, str] | None:
    """Object and id of the record to change; None when it is no record that we write fields on."""
    name = OBJECTS.get(write.target.kind)
    if name is None or not is_whole(write.target.id, mapping.PREFIXES[name]):
        return None
    return name, to18(write.target.id)
