"""What the organisation refuses when a record is saved, in the order in which the vendor looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.salesforce import soql
from sandbox.salesforce.errors import RecordError
from sandbox.salesforce.ids import normal_id
from sandbox.salesforce.query import Reader
from sandbox.salesforce.schema import Field, SObject
from sandbox.salesforce.values import Row, check_value

if TYPE_CHECKING:
    from sandbox.salesforce.world import Actor, World


@dataclass(frozen=True)
class ValidationRule:
    """An admin's own rule: records of ``sobject`` that meet ``condition`` (as after WHERE) are refused."""

    sobject: str
    condition: str
    message: str
    field: str | None = None


def check_writable(world: World, sobject: SObject, given: Mapping[str, Any], who: Actor, *, new: bool) -> None:
    """Fields that this user may write here. Raises INVALID_FIELD_FOR_INSERT_UPDATE."""
    if "Id" in given:
        verb = "insert" if new else "update"
        raise RecordError("INVALID_FIELD_FOR_INSERT_UPDATE", f"cannot specify Id in an {verb} call", ["Id"])
    barred = [name for name in given if not _writable(world, sobject, sobject.fields[name.lower()], who, new=new)]
    if barred:
        raise RecordError(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {', '.join(barred)}. Please check the security settings of this field and"
            " verify that it is read/write for your profile or permission set.",
            barred,
        )


def _writable(world: World, sobject: SObject, field: Field, who: Actor, *, new: bool) -> bool:
    return (field.createable if new else field.updateable) and world.may_edit(who, sobject, field)


def normalise_ids(sobject: SObject, row: dict[str, Any]) -> None:
    """References are stored in 18 characters, whichever form was sent."""
    for field in sobject.fields.values():
        if field.type == "reference" and row.get(field.name) is not None:
            row[field.name] = normal_id(row[field.name]) or row[field.name]


def check_row(world: World, sobject: SObject, old: Row | None, row: Row) -> None:
    """Required fields, each value by itself, and what references point at. Only what changed is looked at."""
    missing = [field.name for field in sobject.fields.values() if field.required and row.get(field.name) is None]
    if missing:
        raise RecordError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
    for field in sobject.fields.values():
        value = row.get(field.name)
        if value is None or (old is not None and old.get(field.name) == value):
            continue
        check_value(field, value)
        if field.type == "reference" and (field.createable or field.updateable):
            _check_reference(world, sobject, field, value)


def _check_reference(world: World, sobject: SObject, field: Field, value: str) -> None:
    kind = world.schema.by_id(value)
    if kind not in field.reference_to:
        raise RecordError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", [field.name])
    target = world.find(value)
    if target is None:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [field.name])
    if target.get("IsDeleted"):
        raise RecordError("ENTITY_IS_DELETED", "entity is deleted", [field.name])
    if field.name == "OwnerId" and kind == "User" and not target["IsActive"]:
        raise RecordError(
            "INACTIVE_OWNER_OR_USER",
            f"operation performed with inactive user [{value[:15]}] as owner of {sobject.name.lower()}",
            [field.name],
        )


def check_rules(world: World, sobject: SObject, row: Row) -> None:
    """The admin's validation rules. Raises FIELD_CUSTOM_VALIDATION_EXCEPTION."""
    reader = Reader(world, world.admin)
    for rule in world.validation_rules:
        if rule.sobject != sobject.name:
            continue
        if reader.predicate(sobject, soql.parse_condition(rule.condition))(row):
            fields = [rule.field] if rule.field else []
            raise RecordError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, fields)


def unique_key(field: Field, row: Row) -> str | None:
    """The value as the unique index has it."""
    value = row.get(field.name)
    if value is None:
        return None
    return str(value) if field.case_sensitive else str(value).casefold()


def check_unique(world: World, sobject: SObject, row: Row) -> None:
    """Unique fields. Raises DUPLICATE_VALUE, which names the record that was first unless both came together."""
    if sobject.name == "PermissionSetAssignment":
        _check_assignment(world, row)
    if sobject.name == "ContentDocumentLink":
        _check_link(world, row)
    for field in sobject.fields.values():
        holder = world.holder(sobject.name, field, row) if field.unique else None
        if holder is None or holder == row["Id"]:
            continue
        name, shown = (
            field.name,
            {"15": holder[:15], "18": holder, "unknown": "<unknown>"}[world.settings.duplicate_ids],
        )
        if holder in world.batch:
            name = shown = "<unknown>"
        raise RecordError(
            "DUPLICATE_VALUE", f"duplicate value found: {name} duplicates value on record with id: {shown}"
        )


def _check_assignment(world: World, row: Row) -> None:
    user, granted = row["AssigneeId"], row["PermissionSetId"]
    for each in world.tables["PermissionSetAssignment"].values():
        if (each["AssigneeId"], each["PermissionSetId"]) == (user, granted):
            raise RecordError(
                "DUPLICATE_VALUE", f"Duplicate PermissionSetAssignment. Assignee: {user}; Permission Set: {granted}"
            )


def _check_link(world: World, row: Row) -> None:
    document, entity = row["ContentDocumentId"], row["LinkedEntityId"]
    for each in world.tables["ContentDocumentLink"].values():
        same = (each["ContentDocumentId"], each["LinkedEntityId"]) == (document, entity)
        if same and each["Id"] != row["Id"] and not each["IsDeleted"]:
            raise RecordError(
                "DUPLICATE_VALUE",
                f"Document with ID: {document} is already linked with the entity with ID: {entity}",
            )


def check_locks(world: World, row: Row) -> None:
    """Records that someone else holds right now. Raises UNABLE_TO_LOCK_ROW as often as the lock says."""
    for name in ("Id", "WhatId", "AccountId", "OpportunityId", "ContactId"):
        key = row.get(name)
        if key in world.row_locks:
            world.row_locks[key] -= 1
            if world.row_locks[key] <= 0:
                del world.row_locks[key]
            raise RecordError(
                "UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record or 1 records: {key}"
            )
