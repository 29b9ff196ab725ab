"""Objects and their fields: what exists, what may be written, and how it is described."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.objects import CHILDREN, LABELS, OBJECTS, TOOLING

_LINE = re.compile(
    r"(?P<name>\w+) (?P<type>\w+)(?:\((?P<length>[\d.]+)\))?(?: (?P<flags>[-cu!dxR]+))?"
    r"(?: > (?P<to>[\w,]+) as(?: (?P<rel>\w+))?)?(?: = (?P<values>.+))?"
)
_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "base64": "xsd:base64Binary",
    "anyType": "xsd:anyType",
}
NUMERIC = frozenset({"int", "double", "currency", "percent"})
TEXTUAL = frozenset(
    {"string", "textarea", "picklist", "combobox", "email", "phone", "url", "anyType", "multipicklist", "base64"}
)
ACTIVITIES = ("Task", "Event")


@dataclass(frozen=True)
class PicklistValue:
    """One entry of a picklist."""

    value: str
    label: str
    default: bool = False
    active: bool = True

    def describe(self) -> dict[str, Any]:
        """As ``describe`` tells it."""
        return {
            "active": self.active,
            "defaultValue": self.default,
            "label": self.label,
            "validFor": None,
            "value": self.value,
        }


@dataclass(frozen=True)
class Field:
    """A field of an object. ``by_profile``: everyone sees it; else only who was granted it by a permission set."""

    name: str
    type: str
    label: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    createable: bool = False
    updateable: bool = False
    required: bool = False
    defaulted: bool = False
    filterable: bool = True
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None
    values: tuple[PicklistValue, ...] = ()
    restricted: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    custom: bool = False
    by_profile: bool = True
    description: str = ""
    default: Any = None

    def describe(self) -> dict[str, Any]:
        """As ``describe`` tells it; the parts that clients read."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "soapType": _SOAP.get(self.type, "xsd:string"),
            "length": self.length,
            "byteLength": self.length * 3,
            "precision": self.precision,
            "scale": self.scale,
            "digits": self.precision if self.type == "int" else 0,
            "createable": self.createable,
            "updateable": self.updateable,
            "nillable": not self.required and not self.defaulted and self.type not in ("boolean", "id"),
            "defaultedOnCreate": self.defaulted,
            "defaultValue": self.default if self.type == "boolean" else None,
            "custom": self.custom,
            "filterable": self.filterable,
            "sortable": self.filterable,
            "groupable": self.filterable and self.type not in ("datetime", *NUMERIC),
            "calculated": False,
            "externalId": self.external_id,
            "idLookup": self.external_id or self.type == "id" or (self.name == "Email" and not self.custom),
            "unique": self.unique,
            "caseSensitive": self.case_sensitive,
            "nameField": self.name == "Name",
            "permissionable": self.custom,
            "restrictedPicklist": self.restricted,
            "dependentPicklist": False,
            "inlineHelpText": None,
            "referenceTo": list(self.reference_to),
            "relationshipName": self.relationship,
            "polymorphicForeignKey": len(self.reference_to) > 1,
            "deprecatedAndHidden": False,
            "picklistValues": [each.describe() for each in self.values],
        }


@dataclass
class SObject:
    """An object. ``fields`` by lower-case name, since names do not mind case."""

    name: str
    prefix: str
    label: str
    fields: dict[str, Field] = field(default_factory=dict)
    children: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, new: Field) -> None:
        """Add a field or replace it."""
        self.fields[new.name.lower()] = new

    def find(self, name: str) -> Field | None:
        """The field of this name in any case."""
        return self.fields.get(name.lower())

    @property
    def createable(self) -> bool:
        """Whether the API may create one."""
        return any(each.createable for each in self.fields.values())

    def summary(self, base: str) -> dict[str, Any]:
        """The object as the list of all objects tells it."""
        return {
            "name": self.name,
            "label": self.label,
            "labelPlural": f"{self.label}s",
            "keyPrefix": self.prefix,
            "custom": False,
            "createable": self.createable,
            "updateable": any(each.updateable for each in self.fields.values()),
            "deletable": self.createable,
            "undeletable": self.createable,
            "queryable": True,
            "retrieveable": True,
            "replicateable": True,
            "searchable": True,
            "triggerable": True,
            "mergeable": self.name in ("Account", "Contact"),
            "deprecatedAndHidden": False,
            "urls": {
                "sobject": f"{base}/sobjects/{self.name}",
                "describe": f"{base}/sobjects/{self.name}/describe",
                "rowTemplate": f"{base}/sobjects/{self.name}/{{ID}}",
            },
        }

    def describe(self, base: str, sees: Callable[[Field], bool], record_types: list[dict[str, Any]]) -> dict[str, Any]:
        """The whole describe, with the fields that the asking user sees."""
        return {
            **self.summary(base),
            "fields": [each.describe() for each in self.fields.values() if sees(each)],
            "childRelationships": [
                {"childSObject": child, "field": key, "relationshipName": name, "cascadeDelete": False}
                for name, (child, key) in self.children.items()
            ],
            "recordTypeInfos": record_types,
        }


def _label(name: str) -> str:
    if name in LABELS:
        return LABELS[name]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("__c").replace("_", " "))
    return re.sub(r"\bId$", "ID", words)


def _parse_field(line: str) -> Field:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError(f"not a field: {line}")
    flags = match["flags"] or ""
    numbers = [int(part) for part in (match["length"] or "0").split(".")]
    kind = match["type"]
    values = tuple(PicklistValue(value, value) for value in (match["values"] or "").split(";") if value)
    return Field(
        name=match["name"],
        type=kind,
        label=_label(match["name"]),
        length=18 if kind == "reference" else 0 if kind in NUMERIC else numbers[0],
        precision=sum(numbers) if kind in NUMERIC else 0,
        scale=numbers[1] if len(numbers) > 1 else 0,
        createable="c" in flags,
        updateable="u" in flags,
        required="!" in flags,
        defaulted="d" in flags,
        filterable="x" not in flags,
        restricted="R" in flags,
        reference_to=tuple(match["to"].split(",")) if match["to"] else (),
        relationship=match["rel"],
        values=values,
        default=False if kind == "boolean" else None,
    )


def _parse_object(head: str, body: str) -> SObject:
    name, prefix, label = head.split(" ", 2)
    sobject = SObject(name, "" if prefix == "-" else prefix, label, children=dict(CHILDREN.get(name, {})))
    sobject.add(Field("Id", "id", f"{label} ID", length=18, defaulted=True))
    for line in body.splitlines():
        if line.strip():
            sobject.add(_parse_field(line))
    return sobject


class Schema:
    """All objects of one organisation."""

    def __init__(self) -> None:
        self.objects = {each.name: each for each in (_parse_object(*item) for item in OBJECTS.items())}
        self._by_prefix: dict[str, str] = {}
        for each in self.objects.values():
            self._by_prefix.setdefault(each.prefix, each.name)  # a note is a document too, with the same id

    def object(self, name: str, *, tooling: bool = False) -> SObject:
        """The object of this name in any case. Raises the vendor's INVALID_TYPE, as queries answer."""
        for each in self.objects.values():
            if each.name.lower() == name.lower() and each.prefix and (each.name in TOOLING) is tooling:
                return each
        raise ApiError(
            "INVALID_TYPE",
            f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append"
            " the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate"
            " names.",
        )

    def named(self, name: str) -> SObject:
        """The object of exactly this name, including the one behind polymorphic references. Raises KeyError."""
        return self.objects[name]

    def by_id(self, record_id: str) -> str | None:
        """The object that an id belongs to, by its first three characters."""
        return self._by_prefix.get(record_id[:3])

    def add_field(self, object_name: str, new: Field) -> None:
        """Add a custom field; one on Activity appears on tasks and events alike."""
        for name in ACTIVITIES if object_name == "Activity" else (object_name,):
            self.objects[name].add(new)

    def set_values(self, object_name: str, field_name: str, values: Iterable[PicklistValue]) -> None:
        """Replace a picklist's values."""
        sobject = self.objects[object_name]
        old = sobject.fields[field_name.lower()]
        sobject.add(replace(old, values=tuple(values)))
