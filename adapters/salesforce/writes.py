"""Keyed writes: one composite for all of them, an outcome for each.

The composite is sent once. What the answer says was refused without being done is sent again where that can help:
without a field that the org lacks, or in halves when one record spoils a whole collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from adapters.errors import AdapterError, OutcomeUnknown, Permanent, RateLimited, Rejected, Retryable
from adapters.results import Outcome, Wanted
from adapters.results import Result as End
from adapters.salesforce import records
from adapters.salesforce.answers import DUPLICATE, GONE, LATER, UNCLEAR, Problem, problems
from adapters.salesforce.client import Client
from adapters.salesforce.mapping import KEY_FIELD, PREFIXES, Row, is_whole, to18
from adapters.salesforce.reads import Reader
from adapters.salesforce.records import Part, Record
from adapters.salesforce.shape import Shape
from adapters.salesforce.soql import chunks, is_in, select
from adapters.services import Services
from workflows.said import Said
from workflows.writes import AttachFile, CreateNote, CreateTask, UpdateFields, UpdateTask, Write

ROUNDS = 10
"""Halving a collection of 200 down to the record that spoils it takes eight."""
PERMANENT_PAUSE = timedelta(hours=1)
"""How long to leave an account alone whose calls are refused as a whole, until someone mends it."""
OPERATION = "write"
PLACEHOLDER = Outcome("", End.UNKNOWN)


class Batch:
    """One call of :meth:`adapters.port.Crm.write`."""

    def __init__(
        self, client: Client, reader: Reader, services: Services, shape: Callable[[], Shape], batch: Sequence[Write]
    ) -> None:
        self._client = client
        self._reader = reader
        self._services = services
        self._read_shape = shape
        self._shape = Shape()
        self._batch = batch
        self._ends: dict[int, Outcome] = {}
        self._taken: dict[int, Record] = {}
        self._queue: list[Part] = []
        self._stopped: Outcome | None = None

    def run(self) -> list[Outcome]:
        """Send everything; an outcome for each write, in order."""
        try:
            self._shape = self._read_shape()
        except AdapterError as error:
            end = self._whole(error, sent=False)
            return [replace(end, key=write.key) for write in self._batch]
        parts = self._parts()
        for _ in range(ROUNDS):
            self._queue = []
            for group in records.pack(parts):
                self._send(group)
            parts = self._queue
            if not parts:
                break
        for part in parts:
            self._settle(
                part, replace(PLACEHOLDER, result=End.AGAIN, reason=Said("too many records were refused at once"))
            )
        self._adopt()
        return [self._ends[index] for index in range(len(self._batch))]

    # --- writes to parts --------------------------------------------------------------------------------------------

    def _parts(self) -> list[Part]:
        zone = self._services.time_zone
        tasks: dict[str, Record] = {}
        for index, task in self._in_account_order():
            if task.key in tasks:
                tasks[task.key].writes.append(index)
            else:
                tasks[task.key] = records.new_task(index, task, self._shape, zone)
        changed: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = {}
        notes: list[Part] = []
        current = self._current_tasks()
        for index, write in enumerate(self._batch):
            if isinstance(write, UpdateTask):
                self._change_task(index, write, current, changed)
            elif isinstance(write, UpdateFields):
                self._change_fields(index, write, changed)
            elif isinstance(write, CreateNote):
                notes.append(records.new_note(index, write))
            elif isinstance(write, AttachFile):
                self._attach(index, write, notes)
        return [*records.collections([*tasks.values(), *records.changes(changed)]), *notes]

    def _in_account_order(self) -> list[tuple[int, CreateTask]]:
        """New tasks, those of one account side by side: each locks its account while it is being made."""
        tasks = [(index, write) for index, write in enumerate(self._batch) if isinstance(write, CreateTask)]
        return sorted(tasks, key=lambda each: (each[1].company_id or "", each[1].deal_id))

    def _current_tasks(self) -> Mapping[str, Row] | Outcome:
        """The tasks to change as they stand; an outcome for all of those writes when that cannot be read."""
        ids = {to18(write.task_id) for write in self._batch if isinstance(write, UpdateTask)}
        known = sorted(one for one in ids if is_whole(one, PREFIXES["Task"]))
        fields = ["Id", "IsClosed", "IsDeleted", "Description"]
        try:
            return {
                row["Id"]: row
                for soql in chunks(lambda some: select(fields, "Task", is_in("Id", some)), known)
                for row in self._client.query("read tasks to change", soql, deleted=True)
            }
        except AdapterError as error:
            return self._whole(error, sent=False)

    def _change_task(
        self,
        index: int,
        write: UpdateTask,
        current: Mapping[str, Row] | Outcome,
        changed: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]],
    ) -> None:
        if isinstance(current, Outcome):
            self._end(index, current)
            return
        task_id = to18(write.task_id)
        row = current.get(task_id)
        if row is None or row.get("IsDeleted"):
            self._end(index, replace(PLACEHOLDER, result=End.GONE, reason=Said("the task was deleted")))
            return
        earlier = changed.get(("Task", task_id), [])
        text = next((values["Description"] for _, values in reversed(earlier) if "Description" in values), None)
        values = records.changed_task(
            write, text or row.get("Description") or "", self._shape, self._services.time_zone
        )
        if row.get("IsClosed") or not values:
            why = Said("the task is closed already and was left as it is") if row.get("IsClosed") else ""
            self._end(index, replace(PLACEHOLDER, result=End.DONE, record_id=task_id, reason=why))
            return
        changed.setdefault(("Task", task_id), []).append((index, values))

    def _change_fields(
        self, index: int, write: UpdateFields, changed: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]]
    ) -> None:
        target = records.target(write)
        if target is None:
            why = Said("%(id)s is not the id of a %(kind)s", id=repr(write.target.id), kind=write.target.kind)
            self._end(index, replace(PLACEHOLDER, result=End.REFUSED, reason=why))
        elif not write.values:
            self._end(index, replace(PLACEHOLDER, result=End.DONE, record_id=target[1]))
        else:
            changed.setdefault(target, []).append((index, records.field_values(write)))

    def _attach(self, index: int, write: AttachFile, parts: list[Part]) -> None:
        if len(write.content) > records.MAX_FILE:
            why = Said(
                "the file has %(size)s MiB; Salesforce takes up to %(most)s",
                size=len(write.content) >> 20,
                most=records.MAX_FILE >> 20,
            )
            self._end(index, replace(PLACEHOLDER, result=End.REFUSED, reason=why))
        else:
            parts.append(records.new_file(index, write))

    # --- one composite ----------------------------------------------------------------------------------------------

    def _send(self, group: Sequence[Part]) -> None:
        if self._stopped is not None:
            for part in group:
                self._settle(part, self._stopped)
            return
        base = f"/services/data/v{self._client.version}"
        requests = [each for at, part in enumerate(group) for each in part.requests(f"p{at}", base)]
        try:
            answer = self._client.post(OPERATION, "composite", json={"allOrNone": False, "compositeRequest": requests})
        except AdapterError as error:
            end = self._whole(error, sent=True)
            for part in group:
                self._settle(part, end)
            if not isinstance(error, Rejected):
                # What follows would meet the same; it was not sent, so it may be tried again.
                self._stopped = end if end.result is not End.UNKNOWN else replace(end, result=End.AGAIN)
            return
        listed = answer.get("compositeResponse") if isinstance(answer, Mapping) else None
        by_reference = {each.get("referenceId"): each for each in listed or [] if isinstance(each, Mapping)}
        for at, part in enumerate(group):
            self._read(part, by_reference.get(f"p{at}"), by_reference.get(f"p{at}links"))

    def _whole(self, error: AdapterError, *, sent: bool) -> Outcome:
        """What a failed call means for all writes in it."""
        end = replace(PLACEHOLDER, reason=error.message, correlation_id=error.correlation_id)
        if isinstance(error, RateLimited):
            return replace(end, result=End.AGAIN, until=error.until)
        if isinstance(error, OutcomeUnknown):
            return replace(end, result=End.UNKNOWN if sent else End.AGAIN)
        if isinstance(error, Rejected):
            return replace(end, result=End.REFUSED)
        if isinstance(error, Permanent):
            # The account is at fault, not the write: it waits until someone has mended it.
            return replace(end, result=End.AGAIN, until=self._services.now() + PERMANENT_PAUSE)
        return replace(end, result=End.AGAIN if isinstance(error, Retryable) else End.UNKNOWN)

    def _read(self, part: Part, answer: Mapping[str, Any] | None, links: Mapping[str, Any] | None) -> None:
        """Attribute a part's answer to its records."""
        status = answer.get("httpStatusCode") if answer else None
        body = answer.get("body") if answer else None
        if not isinstance(status, int):
            self._settle(part, replace(PLACEHOLDER, reason=Said("the answer does not mention it")))
        elif status >= 400:
            self._part_refused(part, status, body)
        elif part.single:
            self._single_done(part, body, links)
        elif not isinstance(body, list) or len(body) != len(part.records):
            self._settle(part, replace(PLACEHOLDER, reason=Said("the answer does not mention each record")))
        else:
            for record, item in zip(part.records, body, strict=True):
                self._item(record, item if isinstance(item, Mapping) else {})

    def _part_refused(self, part: Part, status: int, body: Any) -> None:
        problem = next(iter(problems(body)), Problem("UNKNOWN"))
        if status >= 500 or problem.code in UNCLEAR:
            self._settle(part, replace(PLACEHOLDER, reason=problem.code, correlation_id=problem.error_id))
        elif problem.code in LATER:
            self._settle(part, replace(PLACEHOLDER, result=End.AGAIN, reason=problem.code))
        elif problem.column and self._spare(part, problem):
            pass
        elif len(part.records) > 1:
            middle = len(part.records) // 2
            self._queue += [Part(part.records[:middle]), Part(part.records[middle:])]
        else:
            self._refuse(part.records[0], problem)

    def _spare(self, part: Part, problem: Problem) -> bool:
        """Queue the part again without a field that its object lacks; False when that field must not be left out."""
        whose = (problem.column_of or "").lower()
        spared = [
            record.spare([problem.column or ""], problem.explain())
            for record in part.records
            if not whose or record.type.lower() == whose
        ]
        if not any(spared):
            return False
        self._requeue(part.records)
        return True

    def _requeue(self, again: Sequence[Record]) -> None:
        """Send these once more, but for those with nothing left to send."""
        for record in again:
            if record.empty:
                self._done(record, record.body["id"])
        left = [record for record in again if not record.empty]
        self._queue += list(records.collections(left))

    # --- one record -------------------------------------------------------------------------------------------------

    def _item(self, record: Record, item: Mapping[str, Any]) -> None:
        if item.get("success") is True and item.get("id"):
            self._done(record, to18(str(item["id"])))
            return
        found = problems(item.get("errors"))
        if not found:
            self._each(record, replace(PLACEHOLDER, reason=Said("the answer says neither yes nor no")))
            return
        problem = found[0]
        names = [*problem.fields, *([problem.column] if problem.column else [])]
        if problem.code == DUPLICATE and record.creates and KEY_FIELD.lower() in problem.message.lower():
            for index in record.writes:
                self._taken[index] = record
                self._end(index, replace(PLACEHOLDER, result=End.DONE, record_id=to18(problem.holder or "") or None))
        elif problem.code not in LATER | UNCLEAR and names and record.spare(names, problem.explain()):
            self._requeue([record])
        else:
            self._refuse(record, problem)

    def _refuse(self, record: Record, problem: Problem) -> None:
        about_target = not record.creates and set(problem.fields) <= {"Id"}
        if problem.code in LATER:
            end = replace(PLACEHOLDER, result=End.AGAIN, reason=problem.explain())
        elif problem.code in UNCLEAR:
            end = replace(PLACEHOLDER, reason=problem.explain(), correlation_id=problem.error_id)
        elif about_target and problem.code in GONE | {"INVALID_CROSS_REFERENCE_KEY"}:
            end = replace(PLACEHOLDER, result=End.GONE, reason=Said("the record was deleted"))
        else:
            end = replace(PLACEHOLDER, result=End.REFUSED, reason=problem.explain())
        self._each(record, end)

    def _single_done(self, part: Part, body: Any, links: Mapping[str, Any] | None) -> None:
        """A note or a file was made. A note that could not be put on the deal is as good as none."""
        record, made = part.records[0], body.get("id") if isinstance(body, Mapping) else None
        if not made:
            self._each(record, replace(PLACEHOLDER, reason=Said("the answer says neither yes nor no")))
            return
        if not part.links:
            self._done(record, to18(str(made)))
            return
        listed = (links or {}).get("body")
        first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], Mapping) else {}
        if first.get("success") is True:
            self._done(record, to18(str(made)))
        else:
            found = problems(first.get("errors")) or problems(listed)
            self._refuse(record, found[0] if found else Problem("UNKNOWN_EXCEPTION"))

    def _done(self, record: Record, record_id: str) -> None:
        """The record is there; a write none of whose values could be kept is refused all the same."""
        for index in record.writes:
            mine = record.fields_of.get(index, frozenset(record.lost))
            lost = {name: why for name, why in record.lost.items() if name in mine}
            why = "; ".join(
                Said("%(name)s was left out: %(reason)s", name=name, reason=reason) for name, reason in lost.items()
            )
            refused = bool(record.fields_of) and bool(lost) and len(lost) == len(mine)
            result = End.REFUSED if refused else End.DONE
            self._end(index, replace(PLACEHOLDER, result=result, record_id=record_id, reason=why))

    def _wanted(self, index: int) -> Wanted:
        write = self._batch[index]
        return Wanted(write.key, "task", write.deal_id)

    def _adopt(self) -> None:
        """Tasks whose key exists already: the live ones are ours; one that a person deleted stays deleted."""
        if not self._taken:
            return
        keys = {index: self._batch[index].key for index in self._taken}
        try:
            live = self._reader.find_tasks([self._wanted(index) for index in self._taken], deleted=False)
        except AdapterError:
            # The answer named the record; without that the next attempt will tell.
            for index in self._taken:
                if self._ends[index].record_id is None:
                    self._end(index, replace(PLACEHOLDER, reason=Said("exists already, its id could not be read")))
            return
        for index, key in keys.items():
            if key in live:
                self._end(
                    index,
                    replace(PLACEHOLDER, result=End.DONE, record_id=live[key], reason=Said("it was there already")),
                )
            else:
                self._end(index, replace(PLACEHOLDER, result=End.GONE, reason=Said("a person deleted the task")))

    # --- outcomes ---------------------------------------------------------------------------------------------------

    def _settle(self, part: Part, end: Outcome) -> None:
        for record in part.records:
            self._each(record, end)

    def _each(self, record: Record, end: Outcome) -> None:
        for index in record.writes:
            self._end(index, end)

    def _end(self, index: int, end: Outcome) -> None:
        self._ends[index] = replace(end, key=self._batch[index].key)
