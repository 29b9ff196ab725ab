"""Carrying out keyed writes: grouped by kind, in as few calls as HubSpot's batches allow, one outcome for each."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from adapters.errors import AdapterError, OutcomeUnknown
from adapters.hubspot.batches import Ended, Item, Sender, from_error, without_properties
from adapters.hubspot.client import Client, Op
from adapters.hubspot.mapping import file_note_input, note_input, task_input
from adapters.hubspot.problems import Problem
from adapters.hubspot.reads import Reader
from adapters.hubspot.values import (
    LONGEST_TEXT,
    TaskKeys,
    digest,
    encode,
    marker,
    milliseconds,
    own,
    to_html,
    with_marker,
)
from adapters.results import Outcome, Result
from workflows.records import RecordKind
from workflows.said import Said
from workflows.writes import AttachFile, CreateNote, CreateTask, UpdateFields, UpdateTask, Write

CREATE_TASKS = Op("crm.objects.tasks.batch_api", "create")
CREATE_NOTES = Op("crm.objects.notes.batch_api", "create")
UPLOAD = "/files/v3/files"
UPDATE = {
    RecordKind.DEAL: Op("crm.deals.batch_api", "update"),
    RecordKind.COMPANY: Op("crm.companies.batch_api", "update"),
    RecordKind.CONTACT: Op("crm.contacts.batch_api", "update"),
    RecordKind.TASK: Op("crm.objects.tasks.batch_api", "update"),
}
FOLDER = "/aurevoir"

W = TypeVar("W")


@dataclass
class Writer:
    """Writes for one account. ``keys`` learns when a property of ours has gone from HubSpot."""

    client: Client
    reader: Reader
    keys: TaskKeys
    ended: dict[str, Outcome] = field(default_factory=dict)

    def write(self, batch: Sequence[Write]) -> list[Outcome]:
        """One outcome for each write, in order; a key that comes twice is written once."""
        self.ended = {}
        once = list({write.key: write for write in batch}.values())
        self._create_tasks(_only(once, CreateTask))
        self._update_tasks(_only(once, UpdateTask))
        self._create_notes(_only(once, CreateNote))
        self._attach_files(_only(once, AttachFile))
        self._update_fields(_only(once, UpdateFields))
        return [self.ended[write.key] for write in batch]

    # --- creates ----------------------------------------------------------------------------------------------

    def _create_tasks(self, tasks: Sequence[CreateTask]) -> None:
        by_trace = {digest(task.key): task for task in tasks}

        def repair(item: Item, problem: Problem) -> Item | None:
            if without_properties(item, problem) is not None:
                self.keys = self.keys.without(problem.fields)
                return replace(item, input=task_input(by_trace[item.trace], self.keys))
            return _only_on_deal(item, problem)

        items = [Item((task.key,), task_input(task, self.keys)) for task in tasks]
        ends = Sender(self.client).send(CREATE_TASKS, items, repair)
        if self.keys.unique:
            ends = self._there_already(ends)
        self._settle([(item, _created(item, end)) for item, end in ends])

    def _there_already(self, ends: Sequence[tuple[Item, Ended]]) -> list[tuple[Item, Ended]]:
        """Where HubSpot refuses a second task with the same key, the first one is the outcome."""
        clashing = [item.keys[0] for item, end in ends if _clashes(end)]
        if not clashing:
            return list(ends)
        try:
            ids = self.reader.tasks_by_key(clashing)
        except AdapterError as error:
            # Whether it is there is known only when the reading works again.
            unclear = Ended(Result.UNKNOWN, reason=error.message)
            return [(item, unclear if _clashes(end) else end) for item, end in ends]
        return [
            (item, Ended(Result.DONE, ids[item.keys[0]]) if _clashes(end) and item.keys[0] in ids else end)
            for item, end in ends
        ]

    def _create_notes(self, notes: Sequence[CreateNote]) -> None:
        self._send_notes([Item((note.key,), note_input(note)) for note in notes])

    def _send_notes(self, items: Sequence[Item]) -> None:
        if items:
            ends = Sender(self.client).send(CREATE_NOTES, items, _only_on_deal)
            self._settle([(item, _created(item, end)) for item, end in ends])

    def _attach_files(self, files: Sequence[AttachFile]) -> None:
        items = []
        for file in files:
            try:
                file_id = self._upload(file)
            except OutcomeUnknown as error:
                # An upload alone shows nowhere, and a second one takes the place of the first.
                self.ended[file.key] = Outcome(file.key, Result.AGAIN, None, error.message)
            except AdapterError as error:
                self.ended[file.key] = from_error(error).outcome(file.key)
            else:
                made = file_note_input(file.key, file.deal_id, file.name, file.at, file_id)
                items.append(Item((file.key,), made))
        self._send_notes(items)

    def _upload(self, file: AttachFile) -> str:
        """The file's id. Its folder is named by the key, so that a repeat takes the place of the first."""
        name = re.sub(r"[^\w.() -]", "_", file.name).strip(". ")[-120:] or "document"
        body = self.client.upload(
            UPLOAD,
            [
                ("folderPath", f"{FOLDER}/{digest(file.key)}"),
                ("fileName", name),
                ("options", json.dumps({"access": "PRIVATE", "overwrite": True})),
                ("file", (name, file.content, file.media_type)),
            ],
        ).body
        if not body.get("id"):
            raise OutcomeUnknown(Said("HubSpot's answer does not name the uploaded file"), operation="upload")
        return str(body["id"])

    # --- updates ----------------------------------------------------------------------------------------------

    def _update_tasks(self, updates: Sequence[UpdateTask]) -> None:
        by_task: dict[str, list[UpdateTask]] = {}
        for update in updates:
            by_task.setdefault(update.task_id, []).append(update)
        noted = [task_id for task_id, each in by_task.items() if any(update.note for update in each)]
        try:
            bodies = self.reader.task_bodies(noted)
        except AdapterError as error:
            self._end([update.key for task_id in noted for update in by_task.pop(task_id)], from_error(error))
            bodies = {}
        items = []
        for task_id, each in by_task.items():
            keys = tuple(update.key for update in each)
            if task_id in noted and task_id not in bodies:
                self._end(keys, Ended(Result.GONE, task_id, Said("the task no longer exists in HubSpot")))
                continue
            properties, left_out = _task_changes(each, bodies.get(task_id, ""))
            if properties:
                items.append(replace(_update(keys, task_id, properties), note=left_out))
            else:
                self._end(keys, Ended(Result.DONE, task_id, left_out))
        self._send_updates(RecordKind.TASK, items)

    def _update_fields(self, updates: Sequence[UpdateFields]) -> None:
        by_target: dict[tuple[RecordKind, str], list[UpdateFields]] = {}
        for update in updates:
            by_target.setdefault((update.target.kind, update.target.id), []).append(update)
        by_kind: dict[RecordKind, list[Item]] = {}
        for (kind, record_id), each in by_target.items():
            keys = tuple(update.key for update in each)
            properties = {own(name): encode(value) for update in each for name, value in update.values.items()}
            if kind not in UPDATE:
                self._end(
                    keys,
                    Ended(
                        Result.REFUSED, None, Said("we have no fields of our own on a %(kind)s in HubSpot", kind=kind)
                    ),
                )
            elif not properties:
                self._end(keys, Ended(Result.DONE, record_id))
            else:
                by_kind.setdefault(kind, []).append(_update(keys, record_id, properties))
        for kind, items in by_kind.items():
            self._send_updates(kind, items)

    def _send_updates(self, kind: RecordKind, items: Sequence[Item]) -> None:
        if items:
            ends = Sender(self.client).send(UPDATE[kind], items, without_properties)
            self._settle([(item, _updated(item, end)) for item, end in ends])

    # --- outcomes ---------------------------------------------------------------------------------------------

    def _settle(self, ends: Sequence[tuple[Item, Ended]]) -> None:
        for item, end in ends:
            self._end(item.keys, end)

    def _end(self, keys: Sequence[str], end: Ended) -> None:
        for key in keys:
            self.ended[key] = end.outcome(key)


def _only(writes: Sequence[Any], kind: type[W]) -> list[W]:
    return [write for write in writes if isinstance(write, kind)]


def _clashes(end: Ended) -> bool:
    return end.result == Result.REFUSED and end.problem is not None and end.problem.taken


def _only_on_deal(item: Item, problem: Problem) -> Item | None:
    """A company or contact that is gone must not keep a task or note off the deal."""
    shown_on = item.input["associations"]
    if problem.category != "OBJECT_NOT_FOUND" or len(shown_on) == 1:
        return None
    return replace(
        item,
        input={**item.input, "associations": shown_on[:1]},
        note=Said("written on the deal only: its company or a contact no longer exists"),
    )


def _created(item: Item, end: Ended) -> Ended:
    if end.result == Result.GONE:
        return replace(end, result=Result.REFUSED, reason=Said("the deal to write on no longer exists in HubSpot"))
    return replace(end, reason=item.note) if end.result == Result.DONE else end


def _updated(item: Item, end: Ended) -> Ended:
    """What was left out is told, though the other values are there."""
    if end.result != Result.DONE or not item.left_out:
        return replace(end, reason=item.note) if end.result == Result.DONE else end
    names = ", ".join(item.left_out)
    reason = Said(
        "HubSpot no longer has %(names)s: run `aurevoir provision`. The other values were written", names=names
    )
    return replace(end, result=Result.REFUSED, reason=reason)


def _update(keys: tuple[str, ...], record_id: str, properties: dict[str, str]) -> Item:
    return Item(keys, {"id": record_id, "properties": properties, "objectWriteTraceId": digest("|".join(keys))})


def _task_changes(updates: Sequence[UpdateTask], body: str) -> tuple[dict[str, str], str]:
    """The properties to send for all changes to one task, and what did not fit.

    A note that is there already is not added again: an update may be sent twice.
    """
    properties: dict[str, str] = {}
    left_out = ""
    for update in updates:
        if update.due_at is not None:
            properties["hs_timestamp"] = milliseconds(update.due_at)
        if update.owner_id is not None:
            properties["hubspot_owner_id"] = update.owner_id
        if update.close:
            properties["hs_task_status"] = "COMPLETED"
        if not update.note or marker(update.key) in body:
            continue
        room = LONGEST_TEXT - len(body) - 100
        if room < 200:
            left_out = Said("the task's text is full, so the note was left out")
            continue
        note = with_marker(to_html(update.note, room), update.key)
        body = properties["hs_task_body"] = f"{body}<br><br>{note}" if body else note
    return properties, left_out
