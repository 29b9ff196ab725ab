"""Provisioning: what is deployed is valid, least, and done once; what an org refuses is told and does no harm."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from lxml import etree

from adapters.errors import ScopeMissing, Unavailable
from adapters.results import Level
from adapters.salesforce.metadata import NAMESPACE, CustomField, Package, Value
from adapters.salesforce.shape import Shape
from sandbox.kit import Fault
from sandbox.salesforce.schema import PicklistValue
from workflows.fields import FIELDS, FieldSpec, FieldType, named_in
from workflows.questions import Option
from workflows.records import RecordKind

ROOTS = ("CustomObject", "PermissionSet", "Package")


@pytest.fixture(scope="session")
def metadata_xsd() -> etree.XMLSchema:
    """The vendor's own schema of metadata files, from the WSDL inside simple-salesforce."""
    wsdl = etree.fromstring(files("simple_salesforce").joinpath("metadata.wsdl").read_bytes())
    xsd = "{http://www.w3.org/2001/XMLSchema}"
    schema = wsdl.find(f"{{http://schemas.xmlsoap.org/wsdl/}}types/{xsd}schema")
    for name in ROOTS:
        etree.SubElement(schema, f"{xsd}element", {"name": name, "type": f"tns:{name}"})
    return etree.XMLSchema(etree.fromstring(etree.tostring(schema)))


def _option(value: str) -> Option:
    return Option(value=value, text={"en": value.title()})


def one_of_each() -> list[FieldSpec]:
    """A field of every type, on every kind of record in turn."""
    kinds = [RecordKind.TASK, RecordKind.DEAL, RecordKind.COMPANY, RecordKind.CONTACT]
    return [
        FieldSpec(
            record=kinds[number % 4],
            name=f"every_{kind.value}",
            type=kind,
            label=f"Every {kind.value} with a label & more than the forty characters",
            description="<described> & explained",
            options=(_option("a"), _option("b")) if kind is FieldType.ENUM else (),
        )
        for number, kind in enumerate(FieldType)
    ]


def package_of(specs: list[FieldSpec]) -> Package:
    fields = [CustomField(spec, tuple(Value(one.value, one.text["en"]) for one in spec.options)) for spec in specs]
    return Package("66.0", tuple(fields), tuple(each.shown for each in fields))


@pytest.mark.parametrize("specs", [list(FIELDS), one_of_each()], ids=["our fields", "one of each type"])
def test_every_file_of_a_package_is_valid_by_the_vendors_schema(
    specs: list[FieldSpec], metadata_xsd: etree.XMLSchema
) -> None:
    archive = zipfile.ZipFile(io.BytesIO(package_of(specs).zipped()))
    assert {name.partition("/")[0] for name in archive.namelist()} == {"package.xml", "objects", "permissionsets"}
    for name in archive.namelist():
        root = etree.fromstring(archive.read(name))
        assert metadata_xsd.validate(root), f"{name}: {metadata_xsd.error_log}"


def test_the_manifest_names_exactly_what_is_in_the_package() -> None:
    package = package_of(list(FIELDS))
    made = package.files()
    listed = {each.text for each in etree.fromstring(made["package.xml"]).iter(f"{{{NAMESPACE}}}members")}
    there = {
        f"{path.removeprefix('objects/').removesuffix('.object')}.{name.text}"
        for path, content in made.items()
        if path.startswith("objects/")
        for name in etree.fromstring(content).iterfind(f"{{{NAMESPACE}}}fields/{{{NAMESPACE}}}fullName")
    }
    assert listed == there | {"Aurevoir_Connector"}


def test_the_key_is_an_external_id_that_the_org_keeps_unique_with_case() -> None:
    (key,) = [CustomField(spec) for spec in FIELDS if spec.type is FieldType.KEY]
    elements = key.elements()
    assert key.member == "Activity.Aurevoir_Key__c"
    assert (elements["externalId"], elements["unique"], elements["caseSensitive"]) == (True, True, True)


def test_provisioning_deploys_once_and_remembers_what_the_org_is_like(org: Any) -> None:
    first = org.connect().ensure_schema(FIELDS)
    assert (len(first.created), first.refused, first.notes) == (len(FIELDS), {}, ())
    shape = Shape.of_state(first.state)
    assert shape is not None
    assert (shape.key, shape.open_status, shape.closed_status) == ("unique", "Not Started", "Completed")
    assert [call for call in org.calls() if "deployRequest" in call and call.startswith("POST")] == [
        "POST /metadata/deployRequest"
    ] * 2, "a check, then the deployment"
    org.sandbox.ledger.reset()
    again = org.connect().ensure_schema(FIELDS)
    assert (again.created, again.extended, len(again.present)) == ((), (), len(FIELDS))
    assert again.state == first.state
    assert not [call for call in org.calls() if call.startswith("POST")]


def test_the_connectors_user_may_use_the_fields_at_once(org: Any) -> None:
    crm = org.provision()
    (row,) = org.rows("PermissionSetAssignment")
    assert row["AssigneeId"] == org.sandbox.integration_user_id
    assert not [finding for finding in crm.check() if finding.level is Level.FAULT]


def test_a_dry_run_writes_nothing(org: Any) -> None:
    report = org.connect().ensure_schema(FIELDS, dry_run=True)
    assert len(report.created) == len(FIELDS)
    assert not [call for call in org.calls() if call.startswith("POST")]


def test_options_that_an_admin_added_stay_when_ours_are_added(org: Any) -> None:
    org.provision()
    schema = org.sandbox.world.schema
    kept = [
        PicklistValue("on_hold", "On hold"),
        PicklistValue("active", "Under way"),
        PicklistValue("x", "X", active=False),
    ]
    schema.set_values("Opportunity", "Aurevoir_Status__c", kept)
    deals = schema.object("Opportunity")
    deals.add(replace(deals.find("Aurevoir_Status__c"), label="How far it is"))
    report = org.connect().ensure_schema(named_in("fr"))
    assert report.extended == ("Opportunity.Aurevoir_Status__c",)
    assert schema.object("Opportunity").find("Aurevoir_Status__c").label == "How far it is"
    values = schema.object("Opportunity").find("Aurevoir_Status__c").values
    assert [(each.value, each.active) for each in values][:3] == [("on_hold", True), ("active", True), ("x", False)]
    assert next(each.label for each in values if each.value == "active") == "Under way"
    assert {"awaiting_reason", "completed", "cancelled", "stopped"} <= {each.value for each in values}
    assert next(each.label for each in values if each.value == "completed") == "Terminé", "as the account speaks"


def test_an_org_without_unique_keys_on_tasks_gets_a_plain_one_and_we_know(make_org: Callable[..., Any]) -> None:
    org = make_org(activity_unique=False)
    report = org.connect().ensure_schema(named_in("fr"))
    reason = org.sandbox.world.schema.object("Opportunity").find("Aurevoir_Exit_Reason__c")
    assert (reason.label, reason.values[0].label) == ("Motif du départ (client)", "Reprise en interne")
    assert report.refused == {}
    assert "Task.Aurevoir_Key__c" in report.created
    assert any("unique" in note for note in report.notes)
    org.state = report.state
    assert not org.connect().capabilities.unique_task_key


def test_a_user_who_may_not_deploy_is_told_which_permission_is_missing(make_org: Callable[..., Any]) -> None:
    with pytest.raises(ScopeMissing, match="Modify Metadata"):
        make_org(may_deploy=False).connect().ensure_schema(FIELDS)


def test_a_field_that_the_org_refuses_does_not_keep_the_others_out(org: Any) -> None:
    twice = (_option("a"), _option("a"))
    odd = FieldSpec(
        record=RecordKind.DEAL,
        name="odd",
        type=FieldType.ENUM,
        label="Odd",
        description="Twice the same.",
        options=twice,
    )
    report = org.connect().ensure_schema([*FIELDS, odd])
    assert set(report.refused) == {"Opportunity.Aurevoir_Odd__c"}
    assert len(report.created) == len(FIELDS)
    assert org.connect().ensure_schema(FIELDS).created == ()


def test_a_deployment_that_never_ends_is_given_up_with_a_hint(org: Any) -> None:
    org.sandbox.metadata.seconds = 3600
    with pytest.raises(Unavailable, match="Deployment Status"):
        org.connect().ensure_schema(FIELDS)
    assert sum(org.slept) > 600


def test_the_check_up_names_what_is_missing_and_the_remedy(org: Any) -> None:
    from adapters.services import FieldMap

    fields = FieldMap(contract_end="No_Such_End__c", figures=(("company", "NumberOfEmployees"),))
    found = {finding.subject: finding for finding in org.connect(fields).check()}
    assert found["our fields"].level is Level.FAULT
    assert "aurevoir provision" in found["our fields"].remedy
    assert "Opportunity.No_Such_End__c" in found["fields.contract_end"].text
    assert found["fields.figures"].level is Level.OK
    assert "polling" in found["outbound messages"].text


def test_the_check_up_ends_at_a_refused_login(org: Any) -> None:
    org.sandbox.client.run_as = None
    (finding,) = org.connect().check()
    assert finding.level is Level.FAULT
    assert "run-as user" in finding.text
    org.sandbox.faults.set(Fault(match=".*", times=None, cut="before"))
    assert [each.level for each in org.connect().check()] == [Level.FAULT]
