"""Our fields as HubSpot properties: created once, found again, options added and never taken away.

A property is made in the account's language; what it is called afterwards is the admin's matter and stays.

Whether tasks take properties of ours, and unique ones, differs between accounts and is documented nowhere: it is tried,
and what was found is remembered as how tasks carry their key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.errors import NotFound, Permanent, Rejected, ScopeMissing
from adapters.hubspot.client import Client, Op
from adapters.hubspot.mapping import OBJECTS
from adapters.hubspot.values import TaskKeys, own
from adapters.results import DataType, FieldInfo, SchemaReport
from workflows.fields import FieldSpec, FieldType
from workflows.records import RecordKind
from workflows.said import Said

LIST = Op("crm.properties.core_api", "get_all", read=True)
CREATE = Op("crm.properties.core_api", "create")
UPDATE = Op("crm.properties.core_api", "update")
CREATE_ON_TASKS = Op(
    "crm.properties.core_api",
    "create",
    tried=(400, Said("this account takes no such property on tasks: they are recognised in another way")),
)
CREATE_GROUP = Op(
    "crm.properties.groups_api", "create", tried=(409, Said("the group of our properties is there already"))
)

GROUP = "aurevoir"
# Tasks are an activity of HubSpot's own; public code puts properties into the group that is there.
GROUPS = {RecordKind.TASK: "task_information"}

TYPES: Mapping[FieldType, tuple[str, str]] = {
    FieldType.TEXT: ("string", "text"),
    FieldType.LONG_TEXT: ("string", "textarea"),
    FieldType.NUMBER: ("number", "number"),
    FieldType.DATETIME: ("datetime", "date"),
    FieldType.DATE: ("date", "date"),
    FieldType.BOOLEAN: ("bool", "booleancheckbox"),
    FieldType.ENUM: ("enumeration", "select"),
    FieldType.URL: ("string", "text"),
    FieldType.KEY: ("string", "text"),
}

_YES_NO = {"en": ("Yes", "No"), "fr": ("Oui", "Non")}


@dataclass
class Provisioner:
    """One run of ``ensure_schema``."""

    client: Client
    dry_run: bool
    present: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    keys: TaskKeys = field(default_factory=TaskKeys)

    def run(self, wanted: Sequence[FieldSpec]) -> SchemaReport:
        """Go through the records one by one: one list call each, and more only where something is missing."""
        for kind in dict.fromkeys(spec.record for spec in wanted):
            specs = [spec for spec in wanted if spec.record == kind]
            if kind not in OBJECTS:
                self.refused |= {_full(spec): Said("HubSpot has no fields on a %(kind)s", kind=kind) for spec in specs}
                continue
            try:
                self._record(kind, specs)
            except ScopeMissing as error:
                self.refused |= {_full(spec): error.message for spec in specs}
        self._tell_keys()
        return SchemaReport(
            tuple(self.present),
            tuple(self.created),
            tuple(self.extended),
            self.refused,
            tuple(self.notes),
            self.keys.to_state(),
            {_full(spec): spec.label for spec in wanted},
        )

    def _record(self, kind: RecordKind, specs: Sequence[FieldSpec]) -> None:
        there = self._list(kind)
        missing = [spec for spec in specs if own(spec.name) not in there]
        for spec in specs:
            if own(spec.name) in there:
                self._check(spec, there[own(spec.name)])
        if not missing:
            return
        archived = self._list(kind, archived="true")
        if not self.dry_run and kind not in GROUPS:
            self._create_group(kind)
        for spec in missing:
            self._create(spec, archived=own(spec.name) in archived)

    def _list(self, kind: RecordKind, **options: Any) -> dict[str, Mapping[str, Any]]:
        body = self.client.call(LIST, OBJECTS[kind], **options).body
        return {str(each["name"]): each for each in body.get("results") or [] if "name" in each}

    # --- what is there ------------------------------------------------------------------------------------------

    def _check(self, spec: FieldSpec, there: Mapping[str, Any]) -> None:
        wanted, name = TYPES[spec.type], _full(spec)
        if there.get("type") != wanted[0]:
            self.refused[name] = Said(
                "HubSpot has a property of this name of type %(type)s, and %(wanted)s is needed: archive that "
                "one in Settings > Properties, then run this again",
                type=there.get("type"),
                wanted=wanted[0],
            )
            return
        self._remember(spec, unique=bool(there.get("hasUniqueValue")))
        self.present.append(name)
        if spec.type == FieldType.ENUM:
            self._extend(spec, there)

    def _extend(self, spec: FieldSpec, there: Mapping[str, Any]) -> None:
        """Add options that are missing. HubSpot replaces the list, so an admin's own go along as they are."""
        old = [option for option in there.get("options") or [] if "value" in option]
        new = [option for option in _options(spec) if option["value"] not in {each["value"] for each in old}]
        if not new:
            return
        if not self.dry_run:
            kept = ("label", "value", "hidden", "displayOrder", "description")
            union = [{name: each[name] for name in kept if each.get(name) is not None} for each in old] + new
            try:
                self.client.call(UPDATE, OBJECTS[spec.record], own(spec.name), {"options": union})
            except Permanent as error:
                self.refused[_full(spec)] = f"options {', '.join(each['value'] for each in new)}: {error.message}"
                return
        self.extended.append(_full(spec))

    # --- what is missing ------------------------------------------------------------------------------------------

    def _create_group(self, kind: RecordKind) -> None:
        try:
            self.client.call(CREATE_GROUP, OBJECTS[kind], {"name": GROUP, "label": "Aurevoir", "displayOrder": -1})
        except Rejected as error:
            if error.status != 409:
                raise ScopeMissing(error.message) from error

    def _create(self, spec: FieldSpec, *, archived: bool) -> None:
        name = _full(spec)
        if self.dry_run:
            self.created.append(name)
            return
        tries = (True, False) if spec.type == FieldType.KEY else (False,)
        create = CREATE_ON_TASKS if spec.record == RecordKind.TASK else CREATE
        for unique in tries:
            try:
                made = self.client.call(create, OBJECTS[spec.record], _definition(spec, unique=unique)).body
            except Permanent as error:
                if error.status == 409 and not archived:
                    # Someone made it meanwhile.
                    self._check(spec, self._list(spec.record).get(own(spec.name), {}))
                    return
                reason = error
            else:
                self._remember(spec, unique=bool(made.get("hasUniqueValue")))
                self.created.append(name)
                return
        self.refused[name] = (
            Said(
                "a property of this name is archived: restore it in Settings > Properties > Archived, then run "
                "this again"
            )
            if archived
            else reason.message
        )

    # --- how tasks carry their key ----------------------------------------------------------------------------------

    def _remember(self, spec: FieldSpec, *, unique: bool) -> None:
        if spec.record != RecordKind.TASK:
            return
        if spec.type == FieldType.KEY:
            self.keys = TaskKeys(True, unique, self.keys.link)
        else:
            self.keys = TaskKeys(self.keys.property, self.keys.unique, True)

    def _tell_keys(self) -> None:
        if self.dry_run:
            return
        if self.keys.unique:
            self.notes.append(Said("tasks carry their key in a unique property: HubSpot itself refuses a second one"))
        elif self.keys.property:
            self.notes.append(Said("tasks carry their key in a property; this account takes no unique ones on tasks"))
        else:
            self.notes.append(
                Said("tasks carry their key as a line at the end of their text: no property of ours on tasks")
            )


def missing_properties(client: Client, kind: RecordKind, names: Sequence[str]) -> list[str]:
    """Which of these properties HubSpot does not have. Raises AdapterError."""
    try:
        body = client.call(LIST, OBJECTS[kind]).body
    except NotFound:
        return list(names)
    there = {each.get("name") for each in body.get("results") or []}
    return [name for name in names if name not in there]


_DATA = {
    "string": DataType.TEXT,
    "number": DataType.NUMBER,
    "date": DataType.DATE,
    "datetime": DataType.DATE,
    "bool": DataType.BOOLEAN,
    "enumeration": DataType.CHOICE,
}


def deal_fields(client: Client) -> list[FieldInfo]:
    """The account's own deal properties, by label. Raises AdapterError."""
    body = client.call(LIST, OBJECTS[RecordKind.DEAL]).body
    found = [
        FieldInfo(
            str(each["name"]),
            str(each.get("label") or each["name"]),
            _DATA.get(str(each.get("type")), DataType.OTHER),
        )
        for each in body.get("results") or []
        if "name" in each and not each.get("hidden") and not str(each["name"]).startswith(own(""))
    ]
    return sorted(found, key=lambda one: one.label.casefold())


def _full(spec: FieldSpec) -> str:
    return f"{OBJECTS.get(spec.record, spec.record)}.{own(spec.name)}"


def _options(spec: FieldSpec) -> list[dict[str, Any]]:
    if spec.type == FieldType.BOOLEAN:
        yes, no = _YES_NO.get(spec.language, _YES_NO["en"])
        pairs = [("true", yes), ("false", no)]
    else:
        pairs = [(option.value, spec.option_label(option)) for option in spec.options]
    return [
        {"label": label, "value": value, "hidden": False, "displayOrder": order}
        for order, (value, label) in enumerate(pairs)
    ]


def _definition(spec: FieldSpec, *, unique: bool) -> dict[str, Any]:
    kind, shape = TYPES[spec.type]
    made: dict[str, Any] = {
        "name": own(spec.name),
        "label": spec.label,
        "description": spec.description,
        "type": kind,
        "fieldType": shape,
        "groupName": GROUPS.get(spec.record, GROUP),
        "formField": False,
    }
    if spec.type in (FieldType.ENUM, FieldType.BOOLEAN):
        made["options"] = _options(spec)
    if unique:
        made["hasUniqueValue"] = True
    return made
