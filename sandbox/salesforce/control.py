"""What the control API can do with a Salesforce organisation besides what every sandbox can."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.salesforce import soql
from sandbox.salesforce.components import switch_flow
from sandbox.salesforce.errors import ApiError, RecordError
from sandbox.salesforce.ids import normal_id
from sandbox.salesforce.rules import ValidationRule
from sandbox.salesforce.values import to_json

if TYPE_CHECKING:
    from sandbox.salesforce.org import SalesforceSandbox


def more_control(sandbox: SalesforceSandbox) -> Blueprint:
    """Records as a person edits them, and the troubles that an organisation makes."""
    routes = Blueprint("salesforce_control", __name__, url_prefix="/sandbox")

    @routes.errorhandler(ApiError)
    @routes.errorhandler(RecordError)
    @routes.errorhandler(ValueError)
    @routes.errorhandler(TypeError)
    def refuse(error: Exception) -> ResponseReturnValue:
        return jsonify(error=str(error)), 400

    _records(routes, sandbox)
    _troubles(routes, sandbox)
    return routes


def _records(routes: Blueprint, sandbox: SalesforceSandbox) -> None:
    world = sandbox.world

    @routes.get("/records/<record_id>")
    def one(record_id: str) -> ResponseReturnValue:
        row = world.find(record_id)
        if row is None:
            return jsonify(error=f"no record {record_id}"), 404
        known = world.schema.objects[world.schema.by_id(row["Id"]) or ""].fields
        return jsonify({name: to_json(known[name.lower()], value) for name, value in row.items()})

    @routes.patch("/records/<record_id>")
    def change(record_id: str) -> ResponseReturnValue:
        world.update(record_id, request.get_json())
        return jsonify(id=normal_id(record_id))

    @routes.delete("/records/<record_id>")
    def bin_(record_id: str) -> ResponseReturnValue:
        world.delete(record_id)
        return jsonify(id=normal_id(record_id))

    @routes.post("/records/<record_id>/undelete")
    def undelete(record_id: str) -> ResponseReturnValue:
        world.undelete(record_id)
        return jsonify(id=normal_id(record_id))

    @routes.post("/records/<record_id>/purge")
    def purge(record_id: str) -> ResponseReturnValue:
        world.purge(record_id)
        return jsonify(id=normal_id(record_id))

    @routes.post("/records/<record_id>/merge")
    def merge(record_id: str) -> ResponseReturnValue:
        world.merge(record_id, request.get_json()["losers"])
        return jsonify(id=normal_id(record_id))


def _troubles(routes: Blueprint, sandbox: SalesforceSandbox) -> None:
    world = sandbox.world

    @routes.route("/settings", methods=["GET", "POST"])
    def settings() -> ResponseReturnValue:
        if request.method == "POST":
            _change_settings(sandbox, request.get_json())
        names = [each.name for each in fields(world.settings) if each.name not in ("tracked", "session_timeout")]
        shown: dict[str, Any] = {name: getattr(world.settings, name) for name in names}
        return jsonify(session_timeout=world.settings.session_timeout.total_seconds(), **shown)

    @routes.post("/locks")
    def lock() -> ResponseReturnValue:
        wanted = request.get_json()
        world.row_locks[world.known(wanted["id"])["Id"]] = int(wanted.get("times", 1))
        return jsonify(world.row_locks)

    @routes.post("/rules")
    def rules() -> ResponseReturnValue:
        wanted = [ValidationRule(**each) for each in request.get_json()]
        for each in wanted:
            world.schema.object(each.sobject)
            soql.parse_condition(each.condition)
        world.validation_rules = wanted
        return jsonify([each.__dict__ for each in wanted])

    _people_and_flows(routes, sandbox)


def _people_and_flows(routes: Blueprint, sandbox: SalesforceSandbox) -> None:
    world = sandbox.world

    @routes.post("/users/<user_id>")
    def user(user_id: str) -> ResponseReturnValue:
        row = world.known(user_id)
        world.put("User", {**row, "IsActive": bool(request.get_json()["active"])})
        return jsonify(id=row["Id"], active=request.get_json()["active"])

    @routes.post("/sessions/expire")
    def expire() -> ResponseReturnValue:
        sandbox.oauth.expire_sessions()
        return jsonify(sessions=0)

    @routes.post("/flows/<name>")
    def flow(name: str) -> ResponseReturnValue:
        known = sandbox.hooks.flows.get(name)
        if known is None:
            return jsonify(error=f"no flow {name}"), 404
        active = bool(request.get_json()["active"])
        sandbox.hooks.flows[name] = replace(known, active=active)
        switch_flow(world, name, active)
        return jsonify(name=name, active=active)


def _change_settings(sandbox: SalesforceSandbox, wanted: dict[str, Any]) -> None:
    known = {each.name for each in fields(sandbox.world.settings)} - {"tracked"}
    unknown = set(wanted) - known
    if unknown:
        raise ValueError(f"no setting {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    if "session_timeout" in wanted:
        wanted = {**wanted, "session_timeout": timedelta(seconds=float(wanted["session_timeout"]))}
    sandbox.world.settings = replace(sandbox.world.settings, **wanted)
