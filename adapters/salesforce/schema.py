"""Provisioning: our fields and their permission set, deployed through the Metadata API and assigned.

One deployment carries everything that is missing, is tried with ``checkOnly`` first, and leaves out what the org
refuses. What a describe shows is left as it is, so a second run deploys nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simple_salesforce.format import format_soql

from adapters.errors import Permanent
from adapters.results import SchemaReport
from adapters.salesforce.answers import DUPLICATE, problems
from adapters.salesforce.client import Client
from adapters.salesforce.deploying import Deployer
from adapters.salesforce.mapping import OBJECTS
from adapters.salesforce.metadata import PERMISSION_SET, CustomField, Package, Value, custom_field
from adapters.salesforce.shape import Describes, describe, discover, fields_of
from adapters.services import Services
from workflows.fields import FieldSpec, FieldType
from workflows.said import Said

ROUNDS = 5
PERMISSION_MEMBER = f"PermissionSet.{PERMISSION_SET}"


@dataclass
class Plan:
    """What there is and what is to be deployed. ``refused`` is by ``Object.Field``."""

    present: list[str] = field(default_factory=list)
    created: list[CustomField] = field(default_factory=list)
    extended: list[CustomField] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    permission_set: bool = False

    @property
    def fields(self) -> tuple[CustomField, ...]:
        """All fields to deploy."""
        return (*self.created, *self.extended)

    def replace(self, old: CustomField, new: CustomField | None) -> None:
        """Deploy ``new`` in place of ``old``, or neither."""
        for wanted in (self.created, self.extended):
            kept = [new if each is old else each for each in wanted]
            wanted[:] = [each for each in kept if each is not None]


def ensure_schema(
    client: Client, services: Services, wanted: Sequence[FieldSpec], *, dry_run: bool = False
) -> SchemaReport:
    """Create what is missing of our fields; see :meth:`adapters.port.Crm.ensure_schema`."""
    described = describe(client)
    plan = make_plan(wanted, described)
    assigned = permission_set_assigned(client)
    plan.permission_set = bool(plan.fields) or assigned is None
    if dry_run:
        if not assigned:
            plan.notes.append(
                Said(
                    "permission set %(permission_set)s would be given to the connector's user",
                    permission_set=PERMISSION_SET,
                )
            )
        return _report(plan, {})
    if plan.fields or plan.permission_set:
        _deploy_all(client, services, plan, wanted)
        assigned = permission_set_assigned(client)
    if assigned is False:
        _assign(client, plan)
    if plan.fields or not assigned:
        described = describe(client)
    shape = discover(client, described)
    if shape.key == "plain":
        plan.notes.append(
            Said("the org does not keep the task key unique; unclear answers are resolved by looking first")
        )
    return _report(plan, shape.to_state())


def make_plan(wanted: Sequence[FieldSpec], described: Describes) -> Plan:
    """Compare what is wanted with what the describes show."""
    plan = Plan()
    for spec in wanted:
        known = fields_of(described[OBJECTS[spec.record]])
        new = custom_field(spec)
        old = known.get(new.name.lower())
        if old is None:
            plan.created.append(new)
        elif missing := _missing_values(new, old):
            there = tuple(Value(one["value"], one["label"], one["active"]) for one in old["picklistValues"])
            plan.extended.append(replace(new, values=(*there, *missing), label=str(old["label"])))
        else:
            plan.present.append(new.shown)
    return plan


def _missing_values(new: CustomField, old: Mapping[str, Any]) -> tuple[Value, ...]:
    """Options that the picklist lacks. One that an admin switched off is there."""
    if new.spec.type is not FieldType.ENUM:
        return ()
    there = {one["value"] for one in old.get("picklistValues", ())}
    return tuple(one for one in new.values if one.value not in there)


def _report(plan: Plan, state: Mapping[str, str]) -> SchemaReport:
    return SchemaReport(
        present=tuple(plan.present),
        created=tuple(each.shown for each in plan.created),
        extended=tuple(each.shown for each in plan.extended),
        refused=dict(plan.refused),
        notes=tuple(plan.notes),
        state=dict(state),
        labels={each.shown: each.spec.label for each in (*plan.created, *plan.extended)},
    )


# --- deploying ------------------------------------------------------------------------------------------------------


def _deploy_all(client: Client, services: Services, plan: Plan, wanted: Sequence[FieldSpec]) -> None:
    """Check, leave out what is refused, check again, and deploy what is left."""
    for _ in range(ROUNDS):
        if not plan.fields and not plan.permission_set:
            return
        package = _package(client, plan, wanted)
        deployer = Deployer(client, services)
        failures = deployer.deploy(package, check_only=True) or deployer.deploy(package, check_only=False)
        if not failures:
            return
        _leave_out(plan, {one.member: one.problem for one in failures})
    for each in plan.fields:
        plan.refused[each.shown] = Said("the org kept refusing the deployment it is part of")
    plan.created.clear()
    plan.extended.clear()


def _package(client: Client, plan: Plan, wanted: Sequence[FieldSpec]) -> Package:
    granted = [CustomField(spec).shown for spec in wanted]
    return Package(
        version=client.version,
        fields=plan.fields,
        granted=tuple(name for name in granted if name not in plan.refused),
        permission_set=plan.permission_set,
    )


def _leave_out(plan: Plan, failures: Mapping[str, str]) -> None:
    """Take what failed out of the plan. A key that may not be unique is tried again as a plain external id."""
    failed = [each for each in plan.fields if each.member in failures]
    for each in failed:
        if each.spec.type is FieldType.KEY and each.unique:
            plan.replace(each, replace(each, unique=False))
        else:
            plan.refused[each.shown] = failures[each.member]
            plan.replace(each, None)
    if failed:
        return  # the permission set fails with its fields; it gets another chance without them
    named = {name: why for name, why in failures.items() if name.endswith(PERMISSION_SET)}
    if plan.permission_set and (named or not plan.fields):
        why = next(iter((named or failures).values()))
        plan.refused[PERMISSION_MEMBER] = why
        plan.permission_set = False
        return
    for each in plan.fields:
        plan.refused[each.shown] = next(iter(failures.values()))
    plan.created.clear()
    plan.extended.clear()


# --- the permission set ---------------------------------------------------------------------------------------------


def permission_set_assigned(client: Client) -> bool | None:
    """Whether the connector's user has our permission set; None when the org has no such set."""
    sets = client.query(
        "look for the permission set", format_soql("SELECT Id FROM PermissionSet WHERE Name = {}", PERMISSION_SET)
    )
    if not sets:
        return None
    soql = format_soql(
        "SELECT Id FROM PermissionSetAssignment WHERE PermissionSetId = {} AND AssigneeId = {}",
        sets[0]["Id"],
        client.tokens.current().user_id,
    )
    return bool(client.query("look for the permission set's assignment", soql))


def _assign(client: Client, plan: Plan) -> None:
    sets = client.query(
        "look for the permission set", format_soql("SELECT Id FROM PermissionSet WHERE Name = {}", PERMISSION_SET)
    )
    record = {
        "attributes": {"type": "PermissionSetAssignment"},
        "PermissionSetId": sets[0]["Id"],
        "AssigneeId": client.tokens.current().user_id,
    }
    by_hand = Said(
        "give permission set %(permission_set)s to the connector's user by hand (Setup > Permission Sets)",
        permission_set=PERMISSION_SET,
    )
    try:
        answer = client.post(
            "assign the permission set", "composite/sobjects", json={"allOrNone": False, "records": [record]}
        )
    except Permanent as error:
        plan.notes.append(f"{by_hand}: {error.message}")
        return
    found = [problem for item in answer or [] for problem in problems(item.get("errors"))]
    if found and found[0].code != DUPLICATE:
        plan.notes.append(f"{by_hand}: {found[0].explain()}")
