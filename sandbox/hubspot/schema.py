"""A portal's property definitions, groups and pipelines, and HubSpot's rules for adding to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.hubspot.definitions import DEAL, OBJECT_TYPES, ObjectType, Property, standard_properties
from sandbox.hubspot.errors import ApiError, invalid, not_found

if TYPE_CHECKING:
    from sandbox.hubspot.world import Options

PAIRS = {
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox"},
    "number": {"number"},
    "datetime": {"date"},
    "date": {"date"},
    "string": {"text", "textarea", "html", "phonenumber", "file"},
    "bool": {"booleancheckbox"},
}
MAX_UNIQUE = 10
ENTERED = "hs_v2_date_entered_"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_GROUP_LABELS = {
    "contactinformation": "Contact information",
    "companyinformation": "Company information",
    "dealinformation": "Deal information",
    "task_information": "Task information",
    "note_information": "Note information",
    "engagement_information": "Activity information",
}


@dataclass
class Stage:
    """A stage of a pipeline. ``probability`` 0 is lost, 1 is won; HubSpot shows it as text."""

    id: str
    label: str
    probability: float

    @property
    def closed(self) -> bool:
        """Won or lost."""
        return self.probability in (0.0, 1.0)


@dataclass
class Pipeline:
    """A deal pipeline."""

    id: str
    label: str
    stages: list[Stage] = field(default_factory=list)


def entered(stage_id: str) -> str:
    """The property that tells when a deal last entered a stage. What fits into no name is replaced, and numbered."""
    plain = re.sub(r"[^a-z0-9]", "_", stage_id.lower())
    return f"{ENTERED}{plain}" + ("" if plain == stage_id else f"_{sum(stage_id.encode())}")


class Schema:
    """Property definitions and groups by object type, and the pipelines of deals."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.properties = {kind.id: standard_properties(kind) for kind in OBJECT_TYPES}
        self.groups = {kind.id: {kind.group: _GROUP_LABELS[kind.group]} for kind in OBJECT_TYPES}
        self.archived: dict[str, dict[str, Property]] = {kind.id: {} for kind in OBJECT_TYPES}
        self.pipelines: list[Pipeline] = []

    def find(self, kind: ObjectType, name: str) -> Property | None:
        """A definition, or None."""
        found = self.properties[kind.id].get(name)
        if found is None and kind is DEAL and name.startswith(ENTERED):
            return next((each for each in self._entered() if each.name == name), None)
        return found

    def all(self, kind: ObjectType) -> list[Property]:
        """All definitions of a type, those that a portal has for each of its stages among them."""
        return [*self.properties[kind.id].values(), *(self._entered() if kind is DEAL else ())]

    def _entered(self) -> Iterator[Property]:
        for pipeline in self.pipelines:
            for stage in pipeline.stages:
                label = f'Date entered "{stage.label} ({pipeline.label})"'
                yield Property(
                    entered(stage.id), label, "datetime", "date", DEAL.group, hubspot_defined=True, read_only=True
                )

    def get(self, kind: ObjectType, name: str) -> Property:
        """A definition. Raises ApiError 404."""
        found = self.find(kind, name)
        if found is None:
            raise not_found(f"Property '{name}' was not found for object type {kind.id}")
        return found

    def stage(self, stage_id: str) -> tuple[Pipeline, Stage] | None:
        """A stage by its id, which is unique in the portal."""
        for pipeline in self.pipelines:
            for stage in pipeline.stages:
                if stage.id == stage_id:
                    return pipeline, stage
        return None

    def add_group(self, kind: ObjectType, name: str, label: str) -> None:
        """Create a group. Raises ApiError 409 when there is one."""
        if name in self.groups[kind.id]:
            raise ApiError(409, f"A property group named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")
        if not _NAME.fullmatch(name):
            raise invalid(f"The property group name '{name}' is not valid: lower-case letters, digits and _ only")
        self.groups[kind.id][name] = label

    def add(self, kind: ObjectType, wanted: Mapping[str, Any], now: str) -> Property:
        """Create a property. Raises ApiError 400 for what HubSpot does not allow, 409 when there is one."""
        name = wanted["name"]
        if name in self.properties[kind.id]:
            raise ApiError(409, f"A property named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")
        self._check_new(kind, wanted)
        made = Property(
            name=name,
            label=wanted["label"],
            type=wanted["type"],
            field_type=wanted["fieldType"],
            group=wanted["groupName"],
            options=check_options(wanted["type"], wanted.get("options", [])),
            unique=bool(wanted.get("hasUniqueValue", False)),
            description=wanted.get("description", ""),
            display_order=wanted.get("displayOrder", -1),
            hidden=bool(wanted.get("hidden", False)),
            form_field=bool(wanted.get("formField", False)),
            created_at=now,
            updated_at=now,
        )
        self.archived[kind.id].pop(name, None)
        self.properties[kind.id][name] = made
        return made

    def change(self, kind: ObjectType, name: str, wanted: Mapping[str, Any], now: str) -> Property:
        """Change a definition. A list of options replaces the old one."""
        found = self.get(kind, name)
        if found.hubspot_defined and set(wanted) - {"options", "label", "description"}:
            raise invalid(f"Property '{name}' is defined by HubSpot and cannot be changed")
        type_, field_type = wanted.get("type", found.type), wanted.get("fieldType", found.field_type)
        _check_pair(type_, field_type)
        self._check_group(kind, wanted.get("groupName", found.group))
        if "options" in wanted:
            found.options = check_options(type_, wanted["options"])
        found.type, found.field_type = type_, field_type
        found.group = wanted.get("groupName", found.group)
        found.label = wanted.get("label", found.label)
        found.description = wanted.get("description", found.description)
        found.display_order = wanted.get("displayOrder", found.display_order)
        found.hidden = wanted.get("hidden", found.hidden)
        found.form_field = wanted.get("formField", found.form_field)
        found.updated_at = now
        return found

    def archive(self, kind: ObjectType, name: str) -> None:
        """Archive a custom property."""
        found = self.get(kind, name)
        if found.hubspot_defined:
            raise invalid(f"Property '{name}' is defined by HubSpot and cannot be archived")
        self.archived[kind.id][name] = self.properties[kind.id].pop(name)

    def _check_new(self, kind: ObjectType, wanted: Mapping[str, Any]) -> None:
        name = wanted["name"]
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith("hs_"):
            raise invalid(f"The property name '{name}' is not valid: lower-case letters, digits and _, without hs_")
        _check_pair(wanted["type"], wanted["fieldType"])
        self._check_group(kind, wanted["groupName"])
        if not kind.custom and self._options.task_properties == "none":
            raise invalid(f"Custom properties are not supported for object type {kind.id}")
        own = [each for each in self.properties[kind.id].values() if not each.hubspot_defined]
        if self._options.max_custom is not None and len(own) >= self._options.max_custom:
            raise ApiError(400, "You have reached your limit of custom properties.", "PROPERTY_LIMIT_EXCEEDED")
        if wanted.get("hasUniqueValue"):
            self._check_unique(kind, wanted, own)

    def _check_unique(self, kind: ObjectType, wanted: Mapping[str, Any], own: Sequence[Property]) -> None:
        if not kind.custom and self._options.task_properties != "unique":
            raise invalid(f"hasUniqueValue is not supported for object type {kind.id}")
        if (wanted["type"], wanted["fieldType"]) != ("string", "text"):
            raise invalid("hasUniqueValue needs type string and fieldType text")
        if sum(1 for each in own if each.unique) >= MAX_UNIQUE:
            raise invalid(f"An object has at most {MAX_UNIQUE} properties with unique values")

    def _check_group(self, kind: ObjectType, group: str) -> None:
        if group not in self.groups[kind.id]:
            raise invalid(f"Property group '{group}' does not exist for object type {kind.id}")


def _check_pair(type_: str, field_type: str) -> None:
    if type_ not in PAIRS:
        raise invalid(f"{type_} is not a valid property type: {', '.join(sorted(PAIRS))}")
    if field_type not in PAIRS[type_]:
        allowed = ", ".join(sorted(PAIRS[type_]))
        raise invalid(f"fieldType {field_type} is not valid for type {type_}: {allowed}")


def check_options(type_: str, options: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Options with their display order filled in. Raises ApiError 400."""
    if options and type_ not in ("enumeration", "bool"):
        raise invalid(f"Options are not allowed for type {type_}")
    made: list[dict[str, Any]] = []
    for number, option in enumerate(options):
        missing = {"label", "value", "hidden"} - set(option)
        if missing:
            raise invalid(f"Some required fields were not set: {sorted(missing)}")
        if any(option["value"] == each["value"] or option["label"] == each["label"] for each in made):
            raise invalid(f"Option {option['value']} or its label appears twice")
        made.append({"displayOrder": number, "description": "", **option})
    return made
