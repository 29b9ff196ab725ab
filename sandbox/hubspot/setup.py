"""Routes of what an admin sets up: properties, groups, pipelines, owners, the account itself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from sandbox.hubspot.access import need
from sandbox.hubspot.definitions import DEAL, ObjectType, Property, object_type
from sandbox.hubspot.errors import ApiError, invalid, not_found
from sandbox.hubspot.schema import Pipeline, Stage
from sandbox.hubspot.values import iso
from sandbox.hubspot.web import api, batch, body, fields, flag, inputs, limit, page, single
from sandbox.hubspot.world import Owner, World
from sandbox.kit import count_records

SINCE = "2024-01-08T09:00:00.000Z"
DEFINITION = ["name", "label", "type", "fieldType", "groupName"]
MORE = ["description", "options", "displayOrder", "hasUniqueValue", "hidden", "formField", "externalOptions"]


def setup_routes(world: World) -> Blueprint:
    """All of them."""
    routes = Blueprint("setup", __name__)
    _properties(routes, world)
    _property_batches(routes, world)
    _groups(routes, world)
    _pipelines(routes, world)
    _owners(routes, world)
    _account(routes, world)
    return routes


def _paths(tail: str) -> tuple[str, str]:
    return f"/crm/v3/properties/<kind>{tail}", f"/crm/properties/VERSION/<kind>{tail}"


def _read(kind: ObjectType) -> None:
    need(kind.read_scope, f"crm.schemas.{kind.scope}.read")


def _write(kind: ObjectType) -> None:
    """Which schema scope covers tasks is not documented: any of them does here."""
    if kind.custom:
        need(f"crm.schemas.{kind.scope}.write")
    else:
        need(*(f"crm.schemas.{each}.write" for each in ("contacts", "deals", "companies")))


def shown(world: World, kind: ObjectType, definition: Property) -> dict[str, Any]:
    """A definition with the options that the portal's pipelines and owners make."""
    told = definition.as_json()
    if kind is DEAL and definition.name == "pipeline":
        told["options"] = [_option(each.id, each.label) for each in world.schema.pipelines]
    if kind is DEAL and definition.name == "dealstage":
        stages = [stage for each in world.schema.pipelines for stage in each.stages]
        told["options"] = [_option(each.id, each.label) for each in stages]
    return told


def _option(value: str, label: str) -> dict[str, Any]:
    return {"value": value, "label": label, "hidden": False, "displayOrder": -1}


def _properties(routes: Blueprint, world: World) -> None:
    schema = world.schema

    @api(routes, "GET", *_paths(""))
    def read_all(kind: str) -> ResponseReturnValue:
        found = object_type(kind)
        _read(found)
        if flag("archived"):
            gone = schema.archived[found.id].values()
            return {"results": [each.as_json() | {"archived": True} for each in gone]}
        return {"results": [shown(world, found, each) for each in schema.all(found)]}

    @api(routes, "GET", *_paths("/<name>"))
    def read(kind: str, name: str) -> ResponseReturnValue:
        found = object_type(kind)
        _read(found)
        return shown(world, found, schema.get(found, name))

    @api(routes, "POST", *_paths(""))
    def create(kind: str) -> ResponseReturnValue:
        found = object_type(kind)
        _write(found)
        count_records(1)
        return schema.add(found, body(DEFINITION, MORE), iso(world.clock.now())).as_json(), 201

    @api(routes, "PATCH", *_paths("/<name>"))
    def change(kind: str, name: str) -> ResponseReturnValue:
        found = object_type(kind)
        _write(found)
        optional = [each for each in (*DEFINITION, *MORE) if each not in ("name", "hasUniqueValue", "externalOptions")]
        return schema.change(found, name, body([], optional), iso(world.clock.now())).as_json()

    @api(routes, "DELETE", *_paths("/<name>"))
    def archive(kind: str, name: str) -> ResponseReturnValue:
        found = object_type(kind)
        _write(found)
        schema.archive(found, name)
        return "", 204


def _property_batches(routes: Blueprint, world: World) -> None:
    schema = world.schema

    @api(routes, "POST", *_paths("/batch/read"))
    def read_many(kind: str) -> ResponseReturnValue:
        found = object_type(kind)
        _read(found)
        asked = [fields(each, ["name"])["name"] for each in inputs(body(["inputs"], ["archived"])["inputs"], 100)]
        known = [each for each in asked if schema.find(found, each)]
        missing = [not_found(f"Property '{each}' does not exist") for each in asked if each not in known]
        results = [shown(world, found, schema.get(found, each)) for each in known]
        return batch(results, [each.inside_batch() for each in missing], iso(world.clock.now()), 200)

    @api(routes, "POST", *_paths("/batch/create"))
    def create_many(kind: str) -> ResponseReturnValue:
        found = object_type(kind)
        _write(found)
        asked = [fields(each, DEFINITION, MORE) for each in inputs(body(["inputs"])["inputs"], 100)]
        count_records(len(asked))
        results, errors = [], []
        for each in asked:
            try:
                results.append(schema.add(found, each, iso(world.clock.now())).as_json())
            except ApiError as error:
                errors.append(error.inside_batch(name=[str(each["name"])]))
        return batch(results, errors, iso(world.clock.now()), 201)


def _groups(routes: Blueprint, world: World) -> None:
    def told(name: str, label: str) -> dict[str, Any]:
        return {"name": name, "label": label, "displayOrder": -1, "archived": False}

    @api(routes, "GET", *_paths("/groups"))
    def read_all(kind: str) -> ResponseReturnValue:
        found = object_type(kind)
        _read(found)
        return {"results": [told(*each) for each in world.schema.groups[found.id].items()]}

    @api(routes, "GET", *_paths("/groups/<name>"))
    def read(kind: str, name: str) -> ResponseReturnValue:
        found = object_type(kind)
        _read(found)
        if name not in world.schema.groups[found.id]:
            raise not_found(f"Property group '{name}' was not found")
        return told(name, world.schema.groups[found.id][name])

    @api(routes, "POST", *_paths("/groups"))
    def create(kind: str) -> ResponseReturnValue:
        found = object_type(kind)
        _write(found)
        wanted = body(["name", "label"], ["displayOrder"])
        world.schema.add_group(found, wanted["name"], wanted["label"])
        return told(wanted["name"], wanted["label"]), 201


def _pipelines(routes: Blueprint, world: World) -> None:
    def stage(each: Stage, order: int) -> dict[str, Any]:
        return {
            "id": each.id,
            "label": each.label,
            "displayOrder": order,
            "metadata": {"isClosed": str(each.closed).lower(), "probability": str(float(each.probability))},
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            "archived": False,
            "createdAt": SINCE,
            "updatedAt": SINCE,
        }

    def told(each: Pipeline, order: int) -> dict[str, Any]:
        return {
            "id": each.id,
            "label": each.label,
            "displayOrder": order,
            "stages": [stage(one, number) for number, one in enumerate(each.stages)],
            "archived": False,
            "createdAt": SINCE,
            "updatedAt": SINCE,
        }

    def all_of(kind: str) -> list[dict[str, Any]]:
        need(DEAL.read_scope)
        if object_type(kind) is not DEAL:
            raise invalid(f"Object type {kind} has no pipelines")
        return [told(each, order) for order, each in enumerate(world.schema.pipelines)]

    def one_of(kind: str, pipeline: str) -> dict[str, Any]:
        found = next((each for each in all_of(kind) if each["id"] == pipeline), None)
        if found is None:
            raise not_found(f"Pipeline {pipeline} was not found")
        return found

    classic, dated = "/crm/v3/pipelines/<kind>", "/crm/pipelines/VERSION/<kind>"

    @api(routes, "GET", classic, dated)
    def read_all(kind: str) -> ResponseReturnValue:
        return {"results": all_of(kind)}

    @api(routes, "GET", f"{classic}/<pipeline>", f"{dated}/<pipeline>")
    def read(kind: str, pipeline: str) -> ResponseReturnValue:
        return one_of(kind, pipeline)

    @api(routes, "GET", f"{classic}/<pipeline>/stages", f"{dated}/<pipeline>/stages")
    def stages(kind: str, pipeline: str) -> ResponseReturnValue:
        return {"results": one_of(kind, pipeline)["stages"]}


def _owners(routes: Blueprint, world: World) -> None:
    def told(owner: Owner) -> dict[str, Any]:
        return {
            "id": owner.id,
            "email": owner.email,
            "type": "PERSON",
            "firstName": owner.first_name,
            "lastName": owner.last_name,
            "userId": owner.user_id if owner.active else None,
            "userIdIncludingInactive": owner.user_id,
            "createdAt": SINCE,
            "updatedAt": SINCE,
            "archived": not owner.active,
        }

    @api(routes, "GET", "/crm/v3/owners/", "/crm/v3/owners", "/crm/owners/VERSION")
    def read_all() -> ResponseReturnValue:
        need("crm.objects.owners.read")
        archived, email = flag("archived"), single("email")
        found = [each for each in world.owners.values() if each.active != archived and email in (None, each.email)]
        part, paging = page(found, limit(500, 100), single("after"))
        count_records(len(part))
        return {"results": [told(each) for each in part], **paging}

    @api(routes, "GET", "/crm/v3/owners/<owner_id>", "/crm/owners/VERSION/<owner_id>")
    def read(owner_id: str) -> ResponseReturnValue:
        need("crm.objects.owners.read")
        by_user = single("idProperty") == "userId"
        for each in world.owners.values():
            if owner_id == (str(each.user_id) if by_user else each.id) and each.active != flag("archived"):
                return told(each)
        raise not_found(f"Owner {owner_id} was not found")


def _account(routes: Blueprint, world: World) -> None:
    @api(routes, "GET", "/account-info/v3/details", "/account-info/VERSION/details")
    def details() -> ResponseReturnValue:
        return {
            "portalId": int(world.portal_id),
            "accountType": "STANDARD",
            "timeZone": world.time_zone,
            "companyCurrency": "EUR",
            "additionalCurrencies": ["USD"],
            "utcOffset": "+01:00",
            "utcOffsetMilliseconds": 3_600_000,
            "uiDomain": "app-eu1.hubspot.com",
            "dataHostingLocation": "eu1",
        }
