"""What the organisation fills in by itself when a record is saved, and what it writes down besides."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.salesforce.schema import SObject
from sandbox.salesforce.values import Row, to_json

if TYPE_CHECKING:
    from sandbox.salesforce.world import Actor, World

_HISTORY_OF = {
    "Opportunity": ("OpportunityFieldHistory", "OpportunityId"),
    "Account": ("AccountHistory", "AccountId"),
    "Contact": ("ContactHistory", "ContactId"),
}


def stamps(sobject: SObject, who: Actor, stamp: datetime) -> dict[str, Any]:
    """The system fields of a save that this object has."""
    values = {"LastModifiedDate": stamp, "LastModifiedById": who.user_id, "SystemModstamp": stamp}
    return {name: value for name, value in values.items() if sobject.find(name)}


def _stage(world: World, name: str | None) -> Mapping[str, Any]:
    for row in world.tables["OpportunityStage"].values():
        if row["ApiName"] == name and row["IsActive"]:
            return row
    return {"IsClosed": False, "IsWon": False, "DefaultProbability": 0, "ForecastCategoryName": "Pipeline"}


def defaults(world: World, name: str, old: Row | None, row: dict[str, Any], who: Actor) -> None:
    """Values that a new record gets when the caller gave none."""
    if old is not None:
        return
    sobject = world.schema.objects[name]
    for field in sobject.fields.values():
        chosen = next((each.value for each in field.values if each.default), None)
        if chosen is not None and row.get(field.name) is None and (field.defaulted or field.custom):
            row[field.name] = chosen
    if sobject.find("OwnerId") and row.get("OwnerId") is None:
        row["OwnerId"] = who.user_id
    if name == "ContentDocumentLink":
        row["ShareType"] = row.get("ShareType") or "V"
        row["Visibility"] = row.get("Visibility") or "AllUsers"
    if name == "PermissionSetAssignment":
        row["IsActive"] = True


def derived(world: World, name: str, old: Row | None, row: dict[str, Any], stamp: datetime) -> None:
    """Values that follow from others and cannot be written."""
    if name == "Opportunity":
        _opportunity(world, old, row, stamp)
    elif name == "Task":
        _task(world, old, row, stamp)
    elif name == "Contact":
        row["Name"] = " ".join(part for part in (row.get("FirstName"), row["LastName"]) if part)
        row["IsEmailBounced"] = row.get("EmailBouncedDate") is not None
    elif name == "ContentVersion":
        _file(row)
    elif name == "ContentNote":
        content = base64.b64decode(row.get("Content") or "")
        row["ContentSize"], row["FileType"] = len(content), "SNOTE"
        row["TextPreview"] = " ".join(re.sub(r"<[^>]*>", " ", content.decode()).split())[:255]


def _opportunity(world: World, old: Row | None, row: dict[str, Any], stamp: datetime) -> None:
    stage = _stage(world, row["StageName"])
    moved = old is None or old["StageName"] != row["StageName"]
    given = row.get("Probability") != (old or {}).get("Probability")
    if moved and not given:
        row["Probability"] = stage["DefaultProbability"]
    if moved and old is not None:
        row["LastStageChangeDate"] = stamp
    row["IsClosed"], row["IsWon"] = stage["IsClosed"], stage["IsWon"]
    row["ForecastCategoryName"] = stage["ForecastCategoryName"]
    row["FiscalYear"] = row["CloseDate"].year


def _task(world: World, old: Row | None, row: dict[str, Any], stamp: datetime) -> None:
    row["IsClosed"] = any(
        each["ApiName"] == row.get("Status") and each["IsClosed"] for each in world.tables["TaskStatus"].values()
    )
    row["IsHighPriority"] = row.get("Priority") == "High"
    was_closed = old is not None and old["IsClosed"]
    if row["IsClosed"] and not was_closed:
        row["CompletedDateTime"] = stamp
    elif not row["IsClosed"]:
        row["CompletedDateTime"] = None
    what = world.find(row["WhatId"]) if row.get("WhatId") else None
    who = world.find(row["WhoId"]) if row.get("WhoId") else None
    row["AccountId"] = None
    for source in (what, who):
        if source is not None and row["AccountId"] is None:
            row["AccountId"] = source["Id"] if source["Id"].startswith("001") else source.get("AccountId")


def _file(row: dict[str, Any]) -> None:
    content = base64.b64decode(row.get("VersionData") or "")
    stem, _, extension = row["PathOnClient"].rpartition(".")
    row["Title"] = row.get("Title") or stem or row["PathOnClient"]
    row["FileExtension"] = extension or None
    row["FileType"] = extension.upper() if extension else "UNKNOWN"
    row["ContentSize"] = len(content)
    row["Checksum"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    row["IsLatest"] = True


def follow_up(world: World, name: str, old: Row | None, row: Row, who: Actor, stamp: datetime) -> None:
    """Other records that a save brings about: history, a file's document and link, the contact's role."""
    _track(world, name, old, row, who, stamp)
    if name == "Opportunity":
        _opportunity_history(world, old, row, who, stamp)
        if old is None and row.get("ContactId"):
            role = {"OpportunityId": row["Id"], "ContactId": row["ContactId"], "IsPrimary": True}
            world.insert("OpportunityContactRole", role, who, stamp)
    elif name == "ContentVersion" and old is None:
        _document(world, row, who, stamp)
    elif name == "ContentNote" and old is None:
        _note(world, row, who, stamp)
    elif name == "OpportunityContactRole" and row.get("IsPrimary"):
        _only_primary(world, row)


def _only_primary(world: World, row: Row) -> None:
    for each in list(world.tables["OpportunityContactRole"].values()):
        if each["OpportunityId"] == row["OpportunityId"] and each["IsPrimary"] and each["Id"] != row["Id"]:
            world.put("OpportunityContactRole", {**each, "IsPrimary": False})


def _track(world: World, name: str, old: Row | None, row: Row, who: Actor, stamp: datetime) -> None:
    if name not in _HISTORY_OF:
        return
    table, key = _HISTORY_OF[name]
    sobject = world.schema.objects[name]
    changes: list[tuple[str, Any, Any]] = [("created", None, None)] if old is None else []
    for field in sorted(world.settings.tracked.get(name, ())):
        kind = sobject.fields.get(field.lower())
        if old is not None and kind is not None and old.get(field) != row.get(field):
            changes.append((field, to_json(kind, old.get(field)), to_json(kind, row.get(field))))
    for field, before, after in changes:
        world.put(
            table,
            {
                "Id": world.new_id(table),
                key: row["Id"],
                "IsDeleted": False,
                "CreatedById": who.user_id,
                "CreatedDate": stamp,
                "Field": field,
                "DataType": sobject.fields[field.lower()].type.title() if field != "created" else "Text",
                "OldValue": before,
                "NewValue": after,
            },
        )


def _opportunity_history(world: World, old: Row | None, row: Row, who: Actor, stamp: datetime) -> None:
    watched = ("StageName", "Amount", "Probability", "CloseDate")
    if old is not None and all(old.get(name) == row.get(name) for name in watched):
        return
    amount, probability = row.get("Amount"), row.get("Probability")
    world.put(
        "OpportunityHistory",
        {
            "Id": world.new_id("OpportunityHistory"),
            "OpportunityId": row["Id"],
            "CreatedById": who.user_id,
            "CreatedDate": stamp,
            "SystemModstamp": stamp,
            "IsDeleted": False,
            "ForecastCategory": row.get("ForecastCategoryName"),
            "ExpectedRevenue": None if amount is None else amount * (probability or 0) / 100,
            "PrevAmount": old.get("Amount") if old else None,
            "PrevCloseDate": old.get("CloseDate") if old else None,
            **{name: row.get(name) for name in watched},
        },
    )


def _document(world: World, row: Row, who: Actor, stamp: datetime) -> None:
    document = row.get("ContentDocumentId")
    number = 1
    for each in list(world.tables["ContentVersion"].values()) if document else ():
        if each["Id"] != row["Id"] and each["ContentDocumentId"] == document:
            number += 1
            world.put("ContentVersion", {**each, "IsLatest": False})
    fresh = document is None
    document = document or world.new_id("ContentDocument")
    world.put("ContentVersion", {**row, "ContentDocumentId": document, "VersionNumber": str(number)})
    _put_document(world, document, row, who, stamp)
    if fresh:
        _link(world, row, document, stamp)


def _put_document(world: World, document: str, version: Row, who: Actor, stamp: datetime) -> None:
    about = {name: version.get(name) for name in ("Title", "ContentSize", "FileType", "FileExtension", "OwnerId")}
    times = {"CreatedDate": stamp, "CreatedById": who.user_id, "IsDeleted": False}
    times |= stamps(world.schema.objects["ContentDocument"], who, stamp)
    world.put("ContentDocument", {"Id": document, "LatestPublishedVersionId": version["Id"], **about, **times})


def _link(world: World, row: Row, document: str, stamp: datetime) -> None:
    links = {row["OwnerId"]: "I", **({row["FirstPublishLocationId"]: "V"} if row.get("FirstPublishLocationId") else {})}
    for entity, share in links.items():
        link = {"LinkedEntityId": entity, "ContentDocumentId": document, "ShareType": share}
        world.insert("ContentDocumentLink", link, world.admin, stamp)


def _note(world: World, row: Row, who: Actor, stamp: datetime) -> None:
    """A note is a document whose only version is its text."""
    version = {
        **{each.name: each.default for each in world.schema.objects["ContentVersion"].fields.values()},
        **{name: row.get(name) for name in ("Title", "OwnerId", "CreatedDate", "CreatedById", "SystemModstamp")},
        "Id": world.new_id("ContentVersion"),
        "ContentDocumentId": row["Id"],
        "PathOnClient": f"{row['Title']}.snote",
        "VersionData": row.get("Content"),
        "FileExtension": "snote",
        "FileType": "SNOTE",
        "ContentSize": row["ContentSize"],
        "VersionNumber": "1",
        "IsLatest": True,
    }
    world.put("ContentVersion", version)
    world.put("ContentNote", {**row, "LatestPublishedVersionId": version["Id"]})
    _put_document(world, row["Id"], version, who, stamp)
    _link(world, row, row["Id"], stamp)
