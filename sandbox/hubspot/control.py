"""HubSpot's part of the control API: adding records, showing everything, pointing webhooks, acting as a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.hubspot.definitions import COMPANY, OBJECT_TYPES, ObjectType, object_type
from sandbox.hubspot.errors import ApiError
from sandbox.hubspot.hooks import parse_subscriptions, target
from sandbox.hubspot.objects import View, show
from sandbox.hubspot.world import NewLink, Options, Owner, Record, Source

if TYPE_CHECKING:
    from sandbox.hubspot import HubSpotSandbox

PERSON = Source.person(9586504, "Camille Roux")


def seed(sandbox: HubSpotSandbox, raw: Any) -> dict[str, Any]:
    """Add what the JSON names and return the new ids, in order, as ``{"ids": [...]}``. No webhooks are sent.

    ``{"records": [{"type": "deals", "properties": {...}, "id"?, "at"?, "associations"?: [{"type", "id", "label"?}]}],
    "owners": [{"id", "user_id", "email", "first_name", "last_name", "active"?}], "limits": {"burst", "daily",
    "search", "enabled"}, "options": {...}}``; a list alone is taken as records. An association's id may be ``"#n"``,
    the n-th record of this call, from 0. Lags are seconds. Raises ValueError.
    """
    wanted: dict[str, Any] = {"records": raw} if isinstance(raw, list) else raw
    _known(wanted, ("records", "owners", "limits", "options"))
    for each in wanted.get("owners", []):
        owner = Owner(**each)
        sandbox.world.owners[owner.id] = owner
    _limits(sandbox, wanted.get("limits", {}))
    _options(sandbox.options, wanted.get("options", {}))
    listeners, sandbox.world.listeners = sandbox.world.listeners, []
    ids: list[str] = []
    try:
        for each in wanted.get("records", []):
            ids.append(_record(sandbox, each, ids).id)
    except ApiError as error:
        raise ValueError(error.message) from error
    finally:
        sandbox.world.listeners = listeners
    return {"ids": ids}


def _known(raw: Any, names: Sequence[str]) -> None:
    if not isinstance(raw, dict):
        raise ValueError(f"expected an object with {', '.join(names)}")
    unknown = sorted(set(raw) - set(names))
    if unknown:
        raise ValueError(f"there is no {', '.join(unknown)}; there are {', '.join(names)}")


def _limits(sandbox: HubSpotSandbox, raw: Mapping[str, Any]) -> None:
    sandbox.access.limits = replace(sandbox.access.limits, **raw)


def _options(options: Options, raw: Mapping[str, Any]) -> None:
    _known(raw, [each.name for each in fields(options)])
    for name, value in raw.items():
        setattr(options, name, timedelta(seconds=value) if name.endswith("_lag") else value)


def _record(sandbox: HubSpotSandbox, raw: Mapping[str, Any], ids: Sequence[str]) -> Record:
    _known(raw, ("type", "properties", "id", "at", "associations"))
    world, kind = sandbox.world, object_type(str(raw["type"]))
    clean = world.check(kind, raw.get("properties", {}))
    links = [_link(sandbox, kind, each, ids) for each in raw.get("associations", [])]
    moment = datetime.fromisoformat(raw["at"]) if "at" in raw else None
    with world.at(moment):
        return world.create(kind, clean, links, source=PERSON, record_id=raw.get("id"))


def _link(sandbox: HubSpotSandbox, kind: ObjectType, raw: Mapping[str, Any], ids: Sequence[str]) -> NewLink:
    end = object_type(str(raw["type"]))
    record_id = str(raw["id"])
    record_id = ids[int(record_id[1:])] if record_id.startswith("#") else record_id
    label = raw.get("label", "Primary" if end is COMPANY and kind.id in ("0-1", "0-3") else None)
    found = [each for each in sandbox.world.associations.between(kind, end) if each.label == label]
    if not found:
        raise ValueError(f"there is no association {label} from {kind.name} to {end.name}")
    if sandbox.world.get(end, record_id) is None:
        raise ValueError(f"there is no {end.name} {record_id}")
    return NewLink(end, record_id, (found[0],))


def dump(sandbox: HubSpotSandbox) -> dict[str, Any]:
    """All records by type, with all properties and associations; binned ones are marked ``archived``."""
    world = sandbox.world
    told: dict[str, Any] = {}
    for kind in OBJECT_TYPES:
        rows = []
        for record in world.records[kind.id].values():
            row = show(world, record, View(list(record.history)))
            row["associations"] = {
                end.plural: {other: [each.name for each in types] for other, types in found}
                for end in OBJECT_TYPES
                if (found := list(world.associations.of((kind.id, record.id), end.id)))
            }
            rows.append(row)
        told[kind.plural] = rows
    told["owners"] = [asdict(each) for each in world.owners.values()]
    told["pipelines"] = [asdict(each) for each in world.schema.pipelines]
    told["files"] = [
        {"id": each.id, "name": each.full_name, "size": len(each.content)} for each in sandbox.files.values()
    ]
    told["merged"] = {f"{kind}/{old}": new for (kind, old), new in world.merged.items()}
    return told


def point(sandbox: HubSpotSandbox, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Point webhooks: ``{"url", "secret", "subscriptions"?, "drop"?, "duplicate"?, "shuffle"?, "paused"?, "scale"?,
    "seed"?}``; ``url`` null stops them. Raises ValueError.
    """
    _known(raw, ("url", "secret", "subscriptions", "drop", "duplicate", "shuffle", "paused", "scale", "seed"))
    hooks = sandbox.hooks
    if "subscriptions" in raw:
        hooks.subscriptions = parse_subscriptions(raw["subscriptions"])
    troubles = {name: raw[name] for name in ("drop", "duplicate", "shuffle", "seed") if name in raw}
    hooks.manners = replace(hooks.manners, **troubles)
    hooks.paused = bool(raw.get("paused", hooks.paused))
    hooks.scale = float(raw.get("scale", hooks.scale))
    if "url" in raw:
        hooks.point(*([target(raw["url"], raw.get("secret", ""))] if raw["url"] else []))
    return {
        "targets": [each.url for each in hooks.targets],
        "subscriptions": [f"{each.type} {each.property_name}".strip() for each in hooks.subscriptions],
        "pending": hooks.pending(),
        "paused": hooks.paused,
    }


def extra_control(sandbox: HubSpotSandbox) -> Blueprint:
    """What a person does in the portal, beyond the common control API."""
    routes = Blueprint("hubspot_control", __name__, url_prefix="/sandbox")
    world = sandbox.world

    @routes.errorhandler(KeyError)
    @routes.errorhandler(ValueError)
    @routes.errorhandler(ApiError)
    def refuse(error: Exception) -> ResponseReturnValue:
        return jsonify(error=str(error.args[0])), 404 if isinstance(error, KeyError) else 400

    def record(kind: str, record_id: str, *, archived: bool = False) -> Record:
        found = world.get(object_type(kind), record_id, archived=archived)
        if found is None:
            raise KeyError(f"{kind} {record_id}")
        return found

    @routes.patch("/<kind>/<record_id>")
    def change(kind: str, record_id: str) -> ResponseReturnValue:
        found = record(kind, record_id)
        world.update(found, world.check(found.kind, request.get_json(), found), source=PERSON)
        return show(world, found, View(list(found.history)))

    @routes.delete("/<kind>/<record_id>")
    def archive(kind: str, record_id: str) -> ResponseReturnValue:
        world.archive(record(kind, record_id), source=PERSON)
        return "", 204

    @routes.post("/<kind>/<record_id>/restore")
    def restore(kind: str, record_id: str) -> ResponseReturnValue:
        world.restore(record(kind, record_id, archived=True), source=PERSON)
        return "", 204

    @routes.post("/<kind>/<record_id>/merge")
    def merge(kind: str, record_id: str) -> ResponseReturnValue:
        survivor = world.merge(record(kind, record_id), record(kind, request.get_json()["other"]), source=PERSON)
        return jsonify(id=survivor.id)

    @routes.post("/contacts/<record_id>/forget")
    def forget(record_id: str) -> ResponseReturnValue:
        world.forget(record("contacts", record_id), source=PERSON)
        return "", 204

    @routes.delete("/install")
    def uninstall() -> ResponseReturnValue:
        sandbox.oauth.uninstall()
        return "", 204

    return routes
