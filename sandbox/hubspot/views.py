"""The portal as a person sees it, for the pages. HTML in tasks and notes is shown as far as HubSpot shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import nh3
from markupsafe import Markup

from sandbox.hubspot.definitions import COMPANY, CONTACT, DEAL, NOTE, TASK, ObjectType, Property, object_type
from sandbox.hubspot.errors import ApiError
from sandbox.hubspot.files import StoredFile
from sandbox.hubspot.schema import Stage
from sandbox.hubspot.values import parse_moment
from sandbox.hubspot.world import Record, Source, World
from sandbox.pages import (
    BoardView,
    CardView,
    Choice,
    ColumnView,
    FieldView,
    Kind,
    LinkView,
    NoteView,
    PersonView,
    RecordView,
    TaskView,
)

TAGS = {"p", "br", "a", "b", "strong", "i", "em", "u", "ul", "ol", "li", "span", "div", "h1", "h2", "h3", "hr", "s"}
HIDDEN = {"hs_object_id", "hs_pinned_engagement_id", "hs_created_by_user_id", "associatedcompanyid"}
EDITABLE: Mapping[str, Literal["", "text", "date"]] = {
    "string": "text",
    "number": "text",
    "date": "date",
    "datetime": "date",
}


class Views:
    """Reads and changes a world on behalf of a person at the screen."""

    def __init__(self, world: World, files: Mapping[str, StoredFile]) -> None:
        self._world = world
        self._files = files

    # Reading.

    def board(self) -> list[BoardView]:
        """All live deals by pipeline and stage."""
        deals = self._world.all(DEAL)
        boards = []
        for pipeline in self._world.schema.pipelines:
            columns = []
            for stage in pipeline.stages:
                here = [self._card(each) for each in deals if each.value("dealstage") == stage.id]
                columns.append(ColumnView(stage.label, _tone(stage), here))
            boards.append(BoardView(pipeline.label, columns))
        return boards

    def record(self, kind: Kind, record_id: str) -> RecordView:
        """One record, live or binned; an old id of a merged one shows the survivor. Raises KeyError."""
        type_ = object_type(kind)
        world = self._world
        found = world.get(type_, record_id, merged=True) or world.get(type_, record_id, archived=True)
        if found is None:
            raise KeyError(f"{type_.name} {record_id}")
        stage = world.schema.stage(found.value("dealstage") or "")
        others = [each for each in (DEAL, COMPANY, CONTACT) if each is not type_]
        return RecordView(
            kind=kind,
            id=found.id,
            title=self._name(found),
            subtitle=f"{stage[0].label} · {stage[1].label}" if stage else "",
            banner=_banner(found, record_id),
            fields=self._fields(found),
            groups=[(each.plural.capitalize(), self._links(found, each)) for each in others],
            tasks=[self._task(each) for each in _by_due(self._joined(found, TASK))],
            notes=[self._note(each) for each in reversed(_by_due(self._joined(found, NOTE)))],
            files=[],
            stage=stage[1].id if stage else "",
            stages=[Choice(each.id, each.label) for each in stage[0].stages] if stage and not found.archived_at else (),
        )

    def all_tasks(self) -> list[TaskView]:
        """All tasks, open ones first, by due time."""
        tasks = [self._task(each, deals=True) for each in _by_due(self._world.all(TASK))]
        return sorted(tasks, key=lambda each: each.done)

    def people(self) -> list[PersonView]:
        """All users."""
        return [
            PersonView(
                each.id, f"{each.first_name} {each.last_name}", each.email, each.active, f"user id {each.user_id}"
            )
            for each in self._world.owners.values()
        ]

    def file(self, file_id: str) -> tuple[str, str, bytes]:
        """Name, media type and content. Raises KeyError."""
        if file_id not in self._files:
            raise KeyError(f"file {file_id}")
        stored = self._files[file_id]
        return stored.full_name, stored.media_type, stored.content

    # Changing.

    def set_stage(self, deal_id: str, stage: str) -> None:
        """Move a deal to a stage, by id or by label within its pipeline. Raises KeyError or ValueError."""
        deal = self._live(DEAL, deal_id)
        stage_id = self._stage_id(deal, stage)
        found = self._world.schema.stage(stage_id)
        if found is None:
            known = [each.label for pipeline in self._world.schema.pipelines for each in pipeline.stages]
            raise ValueError(f"There is no stage {stage}; there are {', '.join(known)}.")
        self._change(deal, {"pipeline": found[0].id, "dealstage": stage_id})

    def set_done(self, task_id: str, done: bool) -> None:
        """Complete or reopen a task. Raises KeyError."""
        self._change(self._live(TASK, task_id), {"hs_task_status": "COMPLETED" if done else "NOT_STARTED"})

    def set_fields(self, kind: Kind, record_id: str, values: Mapping[str, str]) -> None:
        """Change properties. Raises KeyError or ValueError."""
        found = self._live(object_type(kind), record_id)
        shown = {each.name for each in self._fields(found) if each.edit}
        same = {each.name: each.raw for each in self._fields(found)}
        self._change(found, {name: value for name, value in values.items() if name in shown and same[name] != value})

    # How it works.

    def _live(self, kind: ObjectType, record_id: str) -> Record:
        found = self._world.get(kind, record_id, merged=True)
        if found is None:
            raise KeyError(f"{kind.name} {record_id}")
        return found

    def _stage_id(self, deal: Record, stage: str) -> str:
        for pipeline in self._world.schema.pipelines:
            if pipeline.id == deal.value("pipeline"):
                return next((each.id for each in pipeline.stages if stage in (each.id, each.label)), stage)
        return stage

    def _change(self, record: Record, values: Mapping[str, str]) -> None:
        try:
            clean = self._world.check(record.kind, values, record)
        except ApiError as error:
            raise ValueError(error.message) from error
        self._world.update(record, clean, source=self._someone())

    def _someone(self) -> Source:
        owner = next((each for each in self._world.owners.values() if each.active), None)
        return Source.person(owner.user_id, f"{owner.first_name} {owner.last_name}") if owner else Source.person(1)

    def _joined(self, record: Record, kind: ObjectType) -> list[Record]:
        found = self._world.associations.of((record.kind.id, record.id), kind.id)
        live = (self._world.get(kind, other) for other, _ in found)
        return [each for each in live if each is not None]

    def _links(self, record: Record, kind: ObjectType) -> list[LinkView]:
        links = []
        for other, types in self._world.associations.of((record.kind.id, record.id), kind.id):
            found = self._world.get(kind, other)
            if found is not None:
                labels = [each.label for each in types if each.label]
                roles = (found.value("hs_buying_role") or "").replace("_", " ").lower().replace(";", ", ")
                note = ", ".join([*labels, *([roles] if roles else [])])
                links.append(LinkView(self._name(found), f"/{kind.plural}/{other}", note))
        return links

    def _card(self, deal: Record) -> CardView:
        tasks = self._joined(deal, TASK)
        left = sum(1 for each in tasks if each.value("hs_task_status") != "COMPLETED")
        companies = self._joined(deal, COMPANY)
        amount, currency = deal.value("amount"), deal.value("deal_currency_code") or ""
        return CardView(
            deal.id,
            self._name(deal),
            self._name(companies[0]) if companies else "",
            f"{float(amount):,.0f} {currency}" if amount else "",
            self._owner(deal.value("hubspot_owner_id")),
            f"{left} of {len(tasks)} tasks open" if tasks else "",
        )

    def _name(self, record: Record) -> str:
        if record.kind is CONTACT:
            parts = [record.value("firstname"), record.value("lastname")]
            return " ".join(each for each in parts if each) or record.value("email") or f"Contact {record.id}"
        return record.value("dealname") or record.value("name") or f"{record.kind.name.capitalize()} {record.id}"

    def _owner(self, owner_id: str | None) -> str:
        owner = self._world.owners.get(owner_id or "")
        if owner is None:
            return owner_id or ""
        return f"{owner.first_name} {owner.last_name}" + ("" if owner.active else " (inactive)")

    def _fields(self, record: Record) -> list[FieldView]:
        shown = []
        for name, definition in self._world.schema.properties[record.kind.id].items():
            value = record.value(name)
            filled_or_ours = value is not None or not definition.hubspot_defined
            if name not in HIDDEN and filled_or_ours and not (definition.read_only and name.startswith("hs_")):
                shown.append(self._field(definition, value))
        return shown

    def _field(self, definition: Property, value: str | None) -> FieldView:
        text = value or ""
        if definition.name == "hubspot_owner_id":
            choices = [Choice(each.id, self._owner(each.id)) for each in self._world.owners.values()]
            return FieldView(definition.label, definition.name, self._owner(value), text, "choice", choices)
        if definition.name in ("dealstage", "pipeline") or definition.read_only:
            return FieldView(definition.label, definition.name, self._plain(definition, text))
        if definition.type == "bool":
            return FieldView(definition.label, definition.name, text, "true" if text == "true" else "false", "check")
        if definition.type == "enumeration" and definition.field_type != "checkbox":
            choices = [Choice(each["value"], each["label"]) for each in definition.options]
            return FieldView(definition.label, definition.name, text, text, "choice", choices)
        long = len(text) > 120 or "\n" in text or definition.field_type == "checkbox"
        raw = text[:10] if definition.type == "datetime" else text
        edit = "" if long else EDITABLE.get(definition.type, "")
        return FieldView(definition.label, definition.name, self._plain(definition, text), raw, edit)

    def _plain(self, definition: Property, text: str) -> str:
        if definition.name == "dealstage":
            stage = self._world.schema.stage(text)
            return stage[1].label if stage else text
        if definition.name == "pipeline":
            return next((each.label for each in self._world.schema.pipelines if each.id == text), text)
        return _when(text) if definition.type == "datetime" and text else text

    def _task(self, task: Record, *, deals: bool = False) -> TaskView:
        done = task.value("hs_task_status") == "COMPLETED"
        due = parse_moment(task.value("hs_timestamp") or "")
        priority = task.value("hs_task_priority") or ""
        return TaskView(
            id=task.id,
            subject=task.value("hs_task_subject") or "(no title)",
            owner=self._owner(task.value("hubspot_owner_id")),
            due=f"due {_when(task.value('hs_timestamp') or '')}",
            status=(task.value("hs_task_status") or "").replace("_", " ").lower(),
            done=done,
            overdue=not done and due is not None and due < self._world.clock.now(),
            priority=f"{priority.lower()} priority" if priority not in ("", "NONE") else "",
            type=(task.value("hs_task_type") or "").lower(),
            body=rendered(task.value("hs_task_body") or ""),
            links=self._links(task, DEAL) if deals else self._links(task, CONTACT),
        )

    def _note(self, note: Record) -> NoteView:
        ids = [each for each in (note.value("hs_attachment_ids") or "").split(";") if each]
        files = [LinkView(self._files[each].full_name, f"/download/{each}") for each in ids if each in self._files]
        owner = self._owner(note.value("hubspot_owner_id"))
        return NoteView(
            _when(note.value("hs_timestamp") or ""), rendered(note.value("hs_note_body") or ""), by=owner, files=files
        )


def rendered(body: str) -> Markup:
    """A body as HubSpot's screens show it: harmless HTML is kept, all else is dropped, links open elsewhere."""
    clean = nh3.clean(body, tags=TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto", "tel"})
    return Markup(clean)  # noqa: S704 - cleaned in the line above


def _by_due(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda each: each.value("hs_timestamp") or "")


def _when(text: str) -> str:
    moment: datetime | None = parse_moment(text)
    return moment.strftime("%a %d %b %Y, %H:%M UTC") if moment else text


def _tone(stage: Stage) -> Literal["", "won", "lost"]:
    if not stage.closed:
        return ""
    return "won" if stage.probability else "lost"


def _banner(record: Record, asked: str) -> str:
    if record.archived_at is not None:
        return "This record is in the recycle bin."
    return f"Record {asked} was merged into this one." if record.id != asked else ""
