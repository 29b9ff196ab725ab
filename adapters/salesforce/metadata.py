"""Our fields and their permission set as files of a Metadata API package, with room for other parts.

The schema of the Metadata API wants the elements of a type in alphabetical order after ``fullName``; where a type
builds on another, those of the other come first (:class:`InOrder`).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from adapters.salesforce.mapping import KEY_LENGTH, LONG_TEXT_LENGTH, OBJECTS, TEXT_LENGTH, our_field
from workflows.fields import FieldSpec, FieldType
from workflows.records import RecordKind

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
PERMISSION_SET = "Aurevoir_Connector"
LONGEST_LABEL = 40

_TYPES: Mapping[FieldType, Mapping[str, Any]] = {
    FieldType.TEXT: {"type": "Text", "length": TEXT_LENGTH},
    FieldType.LONG_TEXT: {"type": "LongTextArea", "length": LONG_TEXT_LENGTH, "visibleLines": 6},
    FieldType.NUMBER: {"type": "Number", "precision": 18, "scale": 0},
    FieldType.DATETIME: {"type": "DateTime"},
    FieldType.DATE: {"type": "Date"},
    FieldType.BOOLEAN: {"type": "Checkbox", "defaultValue": "false"},
    FieldType.ENUM: {"type": "Picklist"},
    FieldType.URL: {"type": "Url"},
    FieldType.KEY: {"type": "Text", "length": KEY_LENGTH, "externalId": True, "unique": True, "caseSensitive": True},
}
"""What each type of ours is made of. A key is an external id that the org itself keeps unique, case counted."""


@dataclass(frozen=True)
class Value:
    """One entry of a picklist."""

    value: str
    label: str
    active: bool = True


@dataclass(frozen=True)
class CustomField:
    """A field to deploy. ``values`` are the picklist's whole list, an admin's additions among them.

    ``label``: as the org calls it already; by default as we do.
    """

    spec: FieldSpec
    values: tuple[Value, ...] = ()
    unique: bool = True
    label: str | None = None

    @property
    def owner(self) -> str:
        """The object that the field is defined on; a task's fields are defined on Activity."""
        return "Activity" if self.spec.record is RecordKind.TASK else OBJECTS[self.spec.record]

    @property
    def name(self) -> str:
        """API name."""
        return our_field(self.spec.name)

    @property
    def member(self) -> str:
        """Name in package.xml and in a deployment's messages."""
        return f"{self.owner}.{self.name}"

    @property
    def shown(self) -> str:
        """Name on the object where people see it, as permissions and reports spell it."""
        return f"{OBJECTS[self.spec.record]}.{self.name}"

    def elements(self) -> dict[str, Any]:
        """The field's elements, unordered."""
        made: dict[str, Any] = {
            **_TYPES[self.spec.type],
            "fullName": self.name,
            "label": self.label or self.spec.label[:LONGEST_LABEL],
            "description": self.spec.description,
        }
        if self.spec.type is FieldType.KEY and not self.unique:
            made.update(unique=False, caseSensitive=None)
        if self.spec.type is FieldType.ENUM:
            values = [
                {"fullName": one.value, "default": False, "label": one.label, "isActive": None if one.active else False}
                for one in self.values
            ]
            made["valueSet"] = {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}}
        if self.spec.type not in (FieldType.BOOLEAN, FieldType.LONG_TEXT):
            made["required"] = False
        return made


def custom_field(spec: FieldSpec) -> CustomField:
    """The field as we make it, in the language of its words."""
    return CustomField(spec, tuple(Value(one.value, spec.option_label(one)) for one in spec.options))


class InOrder(dict[str, Any]):
    """Elements in the order given."""


@dataclass(frozen=True)
class Piece:
    """Another part: its type and name as in package.xml, its path in the package, and its content.

    Several files may make up one part, and several parts may be in one file.
    """

    kind: str
    members: tuple[str, ...]
    path: str
    content: bytes


@dataclass(frozen=True)
class Package:
    """What one deployment holds. ``granted`` are all our fields, by ``Object.Field``, that the permission set opens.

    ``list_views`` are elements of list views by object. ``destroyed`` are full names of parts to delete, by type.
    """

    version: str
    fields: tuple[CustomField, ...] = ()
    granted: tuple[str, ...] = field(default=())
    permission_set: bool = True
    list_views: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()
    destroyed: Mapping[str, Iterable[str]] = field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        """Paths and contents."""
        made = {"package.xml": self._manifest()}
        for owner in sorted({each.owner for each in self.fields} | set(self.list_views)):
            content = {
                "fields": [each.elements() for each in self.fields if each.owner == owner],
                "listViews": list(self.list_views.get(owner, ())),
            }
            made[f"objects/{owner}.object"] = render("CustomObject", content)
        if self.permission_set:
            made[f"permissionsets/{PERMISSION_SET}.permissionset"] = render(
                "PermissionSet", permission_set(self.granted)
            )
        if self.destroyed:
            types = [{"members": sorted(names), "name": kind} for kind, names in sorted(self.destroyed.items())]
            made["destructiveChanges.xml"] = render("Package", {"types": types, "version": self.version})
        return made | {piece.path: piece.content for piece in self.pieces}

    def zipped(self) -> bytes:
        """The package as a zip file."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in self.files().items():
                archive.writestr(path, content)
        return buffer.getvalue()

    def _manifest(self) -> bytes:
        members: dict[str, set[str]] = {}
        if self.fields:
            members["CustomField"] = {each.member for each in self.fields}
        if self.permission_set:
            members["PermissionSet"] = {PERMISSION_SET}
        for owner, views in self.list_views.items():
            members.setdefault("ListView", set()).update(f"{owner}.{view['fullName']}" for view in views)
        for piece in self.pieces:
            members.setdefault(piece.kind, set()).update(piece.members)
        types = [{"members": sorted(names), "name": kind} for kind, names in sorted(members.items())]
        return render("Package", {"types": types, "version": self.version})


def permission_set(granted: Iterable[str]) -> dict[str, Any]:
    """The least that the connector's user needs: our fields, their records, tasks, and the API."""
    return {
        "label": "Aurevoir connector",
        "description": "What the connector's user needs to lay out goodbyes and bring back what customers say.",
        "hasActivationRequired": False,
        "fieldPermissions": [{"editable": True, "field": name, "readable": True} for name in sorted(granted)],
        "objectPermissions": [_object_permission(name) for name in ("Account", "Contact", "Opportunity")],
        "userPermissions": [{"enabled": True, "name": name} for name in ("ApiEnabled", "EditTask")],
    }


def _object_permission(name: str) -> dict[str, Any]:
    return {
        "allowCreate": False,
        "allowDelete": False,
        "allowEdit": True,
        "allowRead": True,
        "modifyAllRecords": False,
        "object": name,
        "viewAllRecords": False,
    }


def render(root: str, content: Mapping[str, Any]) -> bytes:
    """An XML document: mappings are elements in schema order, lists repeat theirs, None is left out.

    An :class:`InOrder` keeps its own order.
    """
    element = etree.Element(f"{{{NAMESPACE}}}{root}", nsmap={None: NAMESPACE})
    _fill(element, content)
    made: bytes = etree.tostring(element, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return made


def _fill(parent: etree._Element, content: Mapping[str, Any]) -> None:
    names = content if isinstance(content, InOrder) else sorted(content, key=lambda each: (each != "fullName", each))
    for name in names:
        values = content[name] if isinstance(content[name], Sequence) and not isinstance(content[name], str) else None
        for value in values if values is not None else [content[name]]:
            if value is None:
                continue
            child = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
            if isinstance(value, Mapping):
                _fill(child, value)
            else:
                child.text = str(value).lower() if isinstance(value, bool) else str(value)
