"""Routes of associations (v4 and dated) and of their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from sandbox.hubspot.access import need
from sandbox.hubspot.definitions import AssociationType, ObjectType, object_type
from sandbox.hubspot.errors import ApiError, bad_json, missing_objects, not_found
from sandbox.hubspot.values import iso
from sandbox.hubspot.web import api, array, batch, body, fields, inputs, limit, page, single
from sandbox.hubspot.world import World
from sandbox.kit import count_records

READ, WRITE, PAGE = 1000, 2000, 500


def link_routes(world: World) -> Blueprint:
    """All routes of associations."""
    routes = Blueprint("links", __name__)
    _reads(routes, world)
    _batch_writes(routes, world)
    _single_writes(routes, world)
    _labels(routes, world)
    return routes


def _pair_paths(tail: str) -> tuple[str, str]:
    return f"/crm/v4/associations/<start>/<end>{tail}", f"/crm/associations/VERSION/<start>/<end>{tail}"


def _object_paths(tail: str) -> tuple[str, str]:
    return f"/crm/v4/objects/<start>/<start_id>/associations/{tail}", (
        f"/crm/objects/VERSION/<start>/<start_id>/associations/{tail}"
    )


def _kinds(start: str, end: str, *, write: bool) -> tuple[ObjectType, ObjectType]:
    """Both kinds, with the scope of either of them."""
    kinds = object_type(start), object_type(end)
    need(*dict.fromkeys(each.write_scope if write else each.read_scope for each in kinds))
    return kinds


def _told(kind: AssociationType) -> dict[str, Any]:
    return {"category": kind.category, "typeId": kind.id, "label": kind.label}


def _rows(world: World, start: ObjectType, record_id: str, end: ObjectType) -> list[dict[str, Any]]:
    seen = world.as_of(world.options.association_lag)
    found = world.associations.of((start.id, record_id), end.id, seen)
    live = [(other, types) for other, types in found if world.get(end, other) is not None]
    return [{"toObjectId": other, "associationTypes": [_told(each) for each in types]} for other, types in live]


def _reads(routes: Blueprint, world: World) -> None:
    @api(routes, "POST", *_pair_paths("/batch/read"))
    def read_many(start: str, end: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=False)
        asked = [fields(each, ["id"], ["after"]) for each in inputs(body(["inputs"])["inputs"], READ)]
        count_records(len(asked))
        results, errors = [], []
        for each in asked:
            record_id = _text(each["id"])
            rows = _rows(world, one, record_id, two)
            if rows:
                part, paging = page(rows, PAGE, each.get("after"))
                results.append({"from": {"id": record_id}, "to": part, **paging})
            else:
                errors.append(_nothing(one, two, record_id))
        return batch(results, errors, iso(world.clock.now()), 200)

    @api(routes, "GET", *_object_paths("<end>"))
    def read(start: str, start_id: str, end: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=False)
        found = world.get(one, start_id, merged=True)
        if found is None:
            raise not_found()
        part, paging = page(_rows(world, one, found.id, two), limit(PAGE, PAGE), single("after"))
        count_records(len(part))
        return {"results": part, **paging}


def _nothing(start: ObjectType, end: ObjectType, record_id: str) -> Mapping[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {end.name} is associated with {start.name} {record_id}.",
        "context": {"fromObjectId": [record_id], "fromObjectType": [start.name], "toObjectType": [end.name]},
    }


def _batch_writes(routes: Blueprint, world: World) -> None:
    @api(routes, "POST", *_pair_paths("/batch/create"))
    def create_many(start: str, end: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=True)
        asked = [fields(each, ["from", "to", "types"]) for each in inputs(body(["inputs"])["inputs"], WRITE)]
        count_records(len(asked))
        wanted = [(*_ends(each), _types(world, one, two, each["types"])) for each in asked]
        results, errors = [], []
        for start_id, end_id, types in wanted:
            try:
                results.append(_join(world, one, start_id, two, end_id, types))
            except ApiError as error:
                errors.append(error.inside_batch())
        return batch(results, errors, iso(world.clock.now()), 201)

    @api(routes, "POST", *_pair_paths("/batch/associate/default"))
    def default_many(start: str, end: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=True)
        asked = [fields(each, ["from", "to"]) for each in inputs(body(["inputs"])["inputs"], WRITE)]
        count_records(len(asked))
        world.associations.default(one, two)
        results, errors = [], []
        for each in asked:
            start_id, end_id = _ends(each)
            try:
                results += _join_default(world, one, start_id, two, end_id)
            except ApiError as error:
                errors.append(error.inside_batch())
        return batch(results, errors, iso(world.clock.now()), 200)

    @api(routes, "POST", *_pair_paths("/batch/archive"))
    def archive_many(start: str, end: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=True)
        for each in inputs(body(["inputs"])["inputs"], WRITE):
            wanted = fields(each, ["from", "to"])
            start_id = _text(fields(wanted["from"], ["id"])["id"])
            for other in array(wanted["to"], "to"):
                world.associations.unlink((one.id, start_id), (two.id, _text(fields(other, ["id"])["id"])))
        return "", 204

    @api(routes, "POST", *_pair_paths("/batch/labels/archive"))
    def unlabel_many(start: str, end: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=True)
        for each in inputs(body(["inputs"])["inputs"], WRITE):
            wanted = fields(each, ["from", "to", "types"])
            start_id, end_id = _ends(wanted)
            for kind in _types(world, one, two, wanted["types"]):
                world.associations.unlabel((one.id, start_id), (two.id, end_id), kind)
        return "", 204


def _single_writes(routes: Blueprint, world: World) -> None:
    @api(routes, "PUT", *_object_paths("default/<end>/<end_id>"))
    def default(start: str, start_id: str, end: str, end_id: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=True)
        return batch(_join_default(world, one, start_id, two, end_id), [], iso(world.clock.now()), 200)

    @api(routes, "PUT", *_object_paths("<end>/<end_id>"))
    def create(start: str, start_id: str, end: str, end_id: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=True)
        types = _types(world, one, two, request.get_json(silent=True))
        return _join(world, one, start_id, two, end_id, types), 201

    @api(routes, "DELETE", *_object_paths("<end>/<end_id>"))
    def archive(start: str, start_id: str, end: str, end_id: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=True)
        world.associations.unlink((one.id, start_id), (two.id, end_id))
        return "", 204


def _labels(routes: Blueprint, world: World) -> None:
    @api(routes, "GET", *_pair_paths("/labels"))
    def labels(start: str, end: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=False)
        return {"results": [_told(each) for each in world.associations.between(one, two)]}

    @api(routes, "POST", *_pair_paths("/labels"))
    def add_label(start: str, end: str) -> ResponseReturnValue:
        one, two = _kinds(start, end, write=True)
        wanted = body(["name", "label"], ["inverseLabel"])
        made = world.associations.add_label(one, two, wanted["label"], wanted.get("inverseLabel"), wanted["name"])
        return {"results": [_told(each) for each in made]}


def _join(
    world: World, one: ObjectType, start_id: str, two: ObjectType, end_id: str, types: Sequence[AssociationType]
) -> dict[str, Any]:
    _both_exist(world, one, start_id, two, end_id)
    for kind in types:
        world.associations.link((one.id, start_id), (two.id, end_id), kind, world.clock.now())
    return {
        "fromObjectTypeId": one.id,
        "fromObjectId": start_id,
        "toObjectTypeId": two.id,
        "toObjectId": end_id,
        "labels": [each.label for each in types if each.label],
    }


def _join_default(world: World, one: ObjectType, start_id: str, two: ObjectType, end_id: str) -> list[dict[str, Any]]:
    kind = world.associations.default(one, two)
    _join(world, one, start_id, two, end_id, [kind])
    return [
        {
            "from": {"id": here},
            "to": {"id": there},
            "associationSpec": {"associationCategory": kind.category, "associationTypeId": type_id},
        }
        for here, there, type_id in ((start_id, end_id, kind.id), (end_id, start_id, kind.inverse))
    ]


def _both_exist(world: World, one: ObjectType, start_id: str, two: ObjectType, end_id: str) -> None:
    for kind, record_id in ((one, start_id), (two, end_id)):
        if world.get(kind, record_id) is None:
            raise missing_objects(kind.name, [record_id])


def _types(world: World, one: ObjectType, two: ObjectType, raw: Any) -> list[AssociationType]:
    asked = [fields(each, ["associationCategory", "associationTypeId"]) for each in array(raw, "types")]
    if not asked:
        raise bad_json("types must name at least one association type")
    return [world.associations.type(one, two, each["associationCategory"], each["associationTypeId"]) for each in asked]


def _ends(raw: Mapping[str, Any]) -> tuple[str, str]:
    return _text(fields(raw["from"], ["id"])["id"]), _text(fields(raw["to"], ["id"])["id"])


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise bad_json("id must be a string")
    return raw
