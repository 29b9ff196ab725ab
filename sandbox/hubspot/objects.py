"""Routes of CRM objects: single, list and batch."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from sandbox.hubspot.access import grant, need
from sandbox.hubspot.definitions import COMPANY, CONTACT, DEAL, PRIMARY, ObjectType, object_type
from sandbox.hubspot.errors import ApiError, bad_json, invalid, missing_objects, not_found
from sandbox.hubspot.values import iso
from sandbox.hubspot.web import (
    api,
    array,
    batch,
    body,
    enforces_rules,
    fields,
    flag,
    inputs,
    limit,
    listed,
    page,
    single,
    strings,
)
from sandbox.hubspot.world import Record, World
from sandbox.kit import count_records

BATCH, BATCH_WITH_HISTORY, INLINE = 100, 50, 500
_SHUFFLE = random.Random(7)  # noqa: S311 - an order that nobody may rely on, not a secret


@dataclass(frozen=True)
class View:
    """What a read asks to see of a record. ``seen``: the moment that a lagging read sees."""

    properties: Sequence[str] = ()
    history: Sequence[str] = ()
    seen: datetime | None = None


def show(world: World, record: Record, view: View) -> dict[str, Any]:
    """A record as JSON. Unknown names are left out, empty properties are null."""
    kind = record.kind
    asked = view.properties or (() if view.history else kind.shown)
    names = [*asked, kind.created, kind.modified, "hs_object_id"]
    known = [name for name in dict.fromkeys(names) if world.schema.find(kind, name)]
    told: dict[str, Any] = {
        "id": record.id,
        "properties": {name: _value(world, record, name, view.seen) for name in known},
        "createdAt": iso(record.created_at),
        "updatedAt": iso(record.updated_at),
        "archived": record.archived_at is not None,
    }
    if record.archived_at is not None:
        told["archivedAt"] = iso(record.archived_at)
    if view.history:
        asked = [name for name in view.history if world.schema.find(kind, name)]
        told["propertiesWithHistory"] = {name: _versions(record, name, view.seen) for name in asked}
        told["properties"] |= {name: record.value(name, view.seen) for name in asked}
    return told


def _value(world: World, record: Record, name: str, seen: datetime | None) -> str | None:
    """The value of a property. A deal's first company is its primary one, unless another was made that."""
    if name != "hs_primary_associated_company":
        return record.value(name, seen)
    links = list(world.associations.of((record.kind.id, record.id), COMPANY.id, seen))
    primary = (each for each, types in links if any(one.label in PRIMARY for one in types))
    return next(primary, links[0][0] if links else None)


def _versions(record: Record, name: str, seen: datetime | None) -> list[dict[str, Any]]:
    told = []
    for each in record.history.get(name, []):
        if seen is not None and each.at > seen:
            continue
        version: dict[str, Any] = {"value": each.value or "", "timestamp": iso(each.at), "sourceType": each.source.type}
        version |= {"sourceId": each.source.id} if each.source.id else {}
        version |= {"sourceLabel": each.source.label} if each.source.label else {}
        version |= {"updatedByUserId": each.source.user_id} if each.source.user_id else {}
        told.append(version)
    return told


def inline_associations(world: World, record: Record, ends: Sequence[str]) -> dict[str, Any]:
    """The ``associations`` of a single read: one entry for each type, so a primary company comes twice."""
    told = {}
    seen = world.as_of(world.options.association_lag)
    for end in dict.fromkeys(object_type(each) for each in ends):
        found = world.associations.of((record.kind.id, record.id), end.id, seen)
        rows = [{"id": other, "type": each.name} for other, types in found for each in types]
        if rows:
            part, paging = page(rows, INLINE, None)
            told[end.plural] = {"results": part, **paging}
    return told


def find(world: World, kind: ObjectType, record_id: str, id_property: str | None, *, archived: bool = False) -> Record:
    """The record of a single call; an old id of a merged one leads to the survivor. Raises ApiError 404."""
    if id_property and id_property != "hs_object_id":
        unique_property(world, kind, id_property)
        found = world.by_property(kind, id_property, record_id, archived=archived)
    else:
        found = world.get(kind, record_id, archived=archived, merged=True)
    if found is None:
        raise not_found()
    return found


def unique_property(world: World, kind: ObjectType, name: str) -> None:
    """Raises ApiError 400 unless records can be told apart by the property."""
    definition = world.schema.find(kind, name)
    if definition is None or not definition.unique:
        raise invalid(f"idProperty {name} is a non-unique property of {kind.name}")


def object_routes(world: World) -> Blueprint:
    """All routes under ``/crm/v3/objects`` and ``/crm/objects/{version}`` but search and associations."""
    routes = Blueprint("objects", __name__)
    _single(routes, world)
    _batch_reads(routes, world)
    _batch_writes(routes, world)
    _merging(routes, world)
    return routes


def paths(tail: str) -> tuple[str, str]:
    """The classic and the dated path of an object route."""
    return f"/crm/v3/objects/<object_type_>{tail}", f"/crm/objects/VERSION/<object_type_>{tail}"


def _single(routes: Blueprint, world: World) -> None:
    @api(routes, "GET", *paths("/<record_id>"))
    def read(object_type_: str, record_id: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.read_scope)
        found = find(
            world,
            kind,
            record_id,
            single("idProperty"),
            archived=flag("archived"),
        )
        count_records(1)
        told = show(world, found, View(listed("properties"), listed("propertiesWithHistory")))
        associations = inline_associations(world, found, listed("associations"))
        return told | ({"associations": associations} if associations else {})

    @api(routes, "GET", *paths(""))
    def read_all(object_type_: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.read_scope)
        history = listed("propertiesWithHistory")
        size = limit(BATCH_WITH_HISTORY if history else BATCH, 10)
        part, paging = page(world.all(kind, archived=flag("archived")), size, single("after"))
        count_records(len(part))
        rows = []
        for each in part:
            row = show(world, each, View(listed("properties"), history))
            associations = inline_associations(world, each, listed("associations"))
            rows.append(row | ({"associations": associations} if associations else {}))
        return {"results": rows, **paging}

    @api(routes, "POST", *paths(""))
    def create(object_type_: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.write_scope)
        count_records(1)
        make = plan_create(world, kind, body(["properties"], ["associations"]), set())
        record, _ = make()
        return show(world, record, View(list(record.history))), 201

    @api(routes, "PATCH", *paths("/<record_id>"))
    def update(object_type_: str, record_id: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.write_scope)
        count_records(1)
        found = find(world, kind, record_id, single("idProperty"))
        wanted = _properties(body(["properties"]))
        clean = world.check(kind, wanted, found, rules=enforces_rules())
        return show(world, world.update(found, clean, source=grant().source), View(list(wanted)))

    @api(routes, "DELETE", *paths("/<record_id>"))
    def archive(object_type_: str, record_id: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.write_scope)
        found = world.get(kind, record_id)
        if found is not None:
            world.archive(found, source=grant().source)
        return "", 204


def _batch_reads(routes: Blueprint, world: World) -> None:
    @api(routes, "POST", *paths("/batch/read"))
    def read(object_type_: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.read_scope)
        wanted = body(["inputs"], ["properties", "propertiesWithHistory", "idProperty"])
        history = strings(wanted.get("propertiesWithHistory", []), "propertiesWithHistory")
        asked = inputs(wanted["inputs"], BATCH_WITH_HISTORY if history else BATCH)
        ids = list(dict.fromkeys(_id(fields(each, ["id"])["id"]) for each in asked))
        count_records(len(ids))
        seen = world.as_of(world.options.write_lag)
        view = View(strings(wanted.get("properties", []), "properties"), history, seen)
        id_property = wanted.get("idProperty")
        if id_property not in (None, "hs_object_id"):
            unique_property(world, kind, id_property)
        archived, results, missing = flag("archived"), [], []
        for each in ids:
            if id_property in (None, "hs_object_id"):
                found = world.get(kind, each, archived=archived)
            else:
                found = world.by_property(kind, id_property, each, archived=archived)
            if found is None or (seen is not None and found.created_at > seen):
                missing.append(each)
            else:
                results.append(show(world, found, view))
        errors = [missing_objects(kind.name, missing).inside_batch()] if missing else []
        return batch(_mixed(world, results), errors, iso(world.clock.now()), 200)


Plan = Callable[[], tuple[Record, bool]]
Planner = Callable[[Mapping[str, Any], set[tuple[str, str]]], Plan]


def _batch_writes(routes: Blueprint, world: World) -> None:
    @api(routes, "POST", *paths("/batch/create"))
    def create(object_type_: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.write_scope)
        optional = ["associations", "objectWriteTraceId"]
        return _write(world, ["properties"], optional, lambda raw, claimed: plan_create(world, kind, raw, claimed), 201)

    @api(routes, "POST", *paths("/batch/update"))
    def update(object_type_: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.write_scope)
        return _write(
            world,
            ["id", "properties"],
            ["idProperty", "objectWriteTraceId"],
            lambda raw, claimed: _plan_update(world, kind, raw, claimed),
            200,
        )

    @api(routes, "POST", *paths("/batch/upsert"))
    def upsert(object_type_: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.write_scope)
        return _write(
            world,
            ["id", "properties"],
            ["idProperty", "objectWriteTraceId"],
            lambda raw, claimed: _plan_upsert(world, kind, raw, claimed),
            200,
            upsert=True,
        )

    @api(routes, "POST", *paths("/batch/archive"))
    def archive(object_type_: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.write_scope)
        asked = inputs(body(["inputs"])["inputs"], BATCH)
        count_records(len(asked))
        for each in asked:
            found = world.get(kind, _id(fields(each, ["id"])["id"]))
            if found is not None:
                world.archive(found, source=grant().source)
        return "", 204


def _write(
    world: World,
    required: Sequence[str],
    optional: Sequence[str],
    plan: Planner,
    status: int,
    *,
    upsert: bool = False,
) -> ResponseReturnValue:
    """Check all inputs, then write. Without a trace id on each input, one refused input refuses them all."""
    asked = [fields(each, required, optional) for each in inputs(body(["inputs"])["inputs"], BATCH)]
    count_records(len(asked))
    traces = [each.get("objectWriteTraceId") for each in asked]
    partial = None not in traces
    if partial and len(set(traces)) != len(traces):
        raise invalid("objectWriteTraceId must be unique within a batch")
    if "id" in required:
        _no_repeats([_id(each["id"]) for each in asked])
    plans: list[tuple[Plan, Any]] = []
    errors = []
    claimed: set[tuple[str, str]] = set()
    for each, trace in zip(asked, traces, strict=True):
        try:
            plans.append((plan(each, claimed), trace))
        except ApiError as error:
            if not partial:
                raise
            errors.append(error.inside_batch(objectWriteTraceId=[str(trace)]))
    results = [_done(world, make, trace, upsert=upsert) for make, trace in plans]
    return batch(_mixed(world, results), errors, iso(world.clock.now()), status)


def _done(world: World, make: Plan, trace: object, *, upsert: bool) -> dict[str, Any]:
    record, new = make()
    told = show(world, record, View(list(record.history)))
    if upsert:
        told["new"] = new
    if trace is not None and world.options.echo_trace_ids:
        told["objectWriteTraceId"] = str(trace)
    return told


def plan_create(world: World, kind: ObjectType, raw: Mapping[str, Any], claimed: set[tuple[str, str]]) -> Plan:
    """Check one create; the returned function does it."""
    clean = world.check(kind, _properties(raw), rules=enforces_rules(), claimed=claimed)
    links = world.links(
        kind, [_wanted_link(world, kind, each) for each in array(raw.get("associations") or [], "associations")]
    )
    source = grant().source
    return lambda: (world.create(kind, clean, links, source=source), True)


def _plan_update(world: World, kind: ObjectType, raw: Mapping[str, Any], claimed: set[tuple[str, str]]) -> Plan:
    id_property, record_id = raw.get("idProperty"), _id(raw["id"])
    if id_property is not None:
        unique_property(world, kind, id_property)
        found = world.by_property(kind, id_property, record_id)
    else:
        found = world.get(kind, record_id)
    if found is None:
        raise missing_objects(kind.name, [record_id])
    clean, source = world.check(kind, _properties(raw), found, rules=enforces_rules(), claimed=claimed), grant().source
    return lambda: (world.update(found, clean, source=source), False)


def _plan_upsert(world: World, kind: ObjectType, raw: Mapping[str, Any], claimed: set[tuple[str, str]]) -> Plan:
    id_property, value = raw.get("idProperty"), _id(raw["id"])
    if id_property is None:
        return _plan_update(world, kind, raw, claimed)
    unique_property(world, kind, id_property)
    if world.by_property(kind, id_property, value) is not None:
        return _plan_update(world, kind, raw, claimed)
    wanted = {**_properties(raw), id_property: value}
    clean, source = world.check(kind, wanted, rules=enforces_rules(), claimed=claimed), grant().source
    return lambda: (world.create(kind, clean, source=source), True)


def _merging(routes: Blueprint, world: World) -> None:
    @api(routes, "POST", *paths("/merge"))
    def merge(object_type_: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.write_scope)
        if not kind.custom:
            raise invalid(f"Objects of type {kind.name} cannot be merged")
        wanted = body(["primaryObjectId", "objectIdToMerge"])
        primary = world.get(kind, _id(wanted["primaryObjectId"]))
        other = world.get(kind, _id(wanted["objectIdToMerge"]))
        if primary is None or other is None or primary is other:
            raise missing_objects(kind.name, [wanted["primaryObjectId"], wanted["objectIdToMerge"]])
        return show(world, world.merge(primary, other, source=grant().source), View(DEAL.shown if kind is DEAL else ()))

    @api(routes, "POST", "/crm/v3/objects/contacts/gdpr-delete", "/crm/objects/VERSION/contacts/gdpr-delete")
    def forget() -> ResponseReturnValue:
        need(CONTACT.write_scope)
        wanted = body(["objectId"], ["idProperty"])
        world.forget(find(world, CONTACT, _id(wanted["objectId"]), wanted.get("idProperty")), source=grant().source)
        return "", 204


def _wanted_link(world: World, kind: ObjectType, raw: Any) -> tuple[ObjectType, str, list[dict[str, Any]]]:
    """The target kind follows from the first type id, since the input names only the record."""
    wanted = fields(raw, ["to", "types"])
    types = [fields(each, ["associationCategory", "associationTypeId"]) for each in array(wanted["types"], "types")]
    record_id = _id(fields(wanted["to"], ["id"])["id"])
    for each in world.associations.types:
        if types and (each.start, each.id, each.category) == (
            kind.id,
            types[0]["associationTypeId"],
            types[0]["associationCategory"],
        ):
            return object_type(each.end), record_id, types
    raise invalid(f"One or more association types are not valid from {kind.name}", context={"to": [record_id]})


def _no_repeats(ids: Sequence[str]) -> None:
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice:
        raise invalid(f"Duplicate IDs found in batch input: {twice}. IDs must be unique", context={"ids": twice})


def _properties(raw: Mapping[str, Any]) -> dict[str, Any]:
    found = raw["properties"]
    if not isinstance(found, dict):
        raise bad_json("properties must be an object")
    return found


def _id(raw: Any) -> str:
    if not isinstance(raw, str):
        raise bad_json("id must be a string")
    return raw


def _mixed(world: World, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if world.options.shuffle:
        _SHUFFLE.shuffle(results)
    return results
