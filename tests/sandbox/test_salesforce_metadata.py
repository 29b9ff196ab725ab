"""Deployments: what they change, what they refuse, and who may see a new field."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.salesforce import SalesforceSandbox

Rest = Callable[..., Any]
Deploy = Callable[..., dict[str, Any]]
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<{0} xmlns="http://soap.sforce.com/2006/04/metadata">{1}</{0}>'
KEY = (
    "<fields><fullName>Key__c</fullName><caseSensitive>true</caseSensitive><externalId>true</externalId>"
    "<label>Key</label><length>120</length><required>false</required><type>Text</type><unique>true</unique></fields>"
)
GRANT = (
    "<fieldPermissions><editable>true</editable><field>{}</field><readable>true</readable></fieldPermissions>"
    "<hasActivationRequired>false</hasActivationRequired><label>Connector</label>"
)
MESSAGE = (
    "<outboundMessages><fullName>Goodbye</fullName><apiVersion>66.0</apiVersion>"
    "<endpointUrl>{}</endpointUrl><fields>StageName</fields><includeSessionId>false</includeSessionId>"
    "<integrationUser>{}</integrationUser><name>Goodbye</name><protected>false</protected></outboundMessages>"
)
FLOW = (
    "<actionCalls><name>Send</name><label>Send</label><locationX>1</locationX><locationY>1</locationY>"
    "<actionName>Opportunity.Goodbye</actionName><actionType>outboundMessage</actionType></actionCalls>"
    "<label>Notify</label><processType>AutoLaunchedFlow</processType>"
    "<start><locationX>1</locationX><locationY>1</locationY><connector><targetReference>Send</targetReference>"
    "</connector><doesRequireRecordChangedToMeetCriteria>true</doesRequireRecordChangedToMeetCriteria>"
    "<filterLogic>and</filterLogic><filters><field>StageName</field><operator>EqualTo</operator><value>"
    "<stringValue>Closed Lost</stringValue></value></filters><object>Opportunity</object>"
    "<recordTriggerType>CreateAndUpdate</recordTriggerType><triggerType>RecordAfterSave</triggerType></start>"
    "<status>Active</status>"
)


def package(*members: tuple[str, str], **files: str) -> bytes:
    """A zip with a manifest of (type, member) and files by path."""
    types = "".join(f"<types><members>{member}</members><name>{kind}</name></types>" for kind, member in members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("package.xml", HEAD.format("Package", f"{types}<version>66.0</version>"))
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def key_package(xml: str = KEY, owner: str = "Activity") -> bytes:
    return package(("CustomField", f"{owner}.Key__c"), **{f"objects/{owner}.object": HEAD.format("CustomObject", xml)})


@pytest.fixture
def deploy(org: SalesforceSandbox, sign_in: Callable[[], str]) -> Deploy:
    """Deploy a zip and return the result with its details."""
    client, headers = org.app.test_client(), {"Authorization": f"Bearer {sign_in()}"}
    base = "/services/data/v66.0/metadata/deployRequest"

    def send(content: bytes, *, check_only: bool = False) -> dict[str, Any]:
        options = json.dumps({"deployOptions": {"checkOnly": check_only, "singlePackage": True}}).encode()
        data = {
            "json": (io.BytesIO(options), "deploy.json", "application/json"),
            "file": (io.BytesIO(content), "package.zip", "application/zip"),
        }
        answer = client.post(base, data=data, headers=headers)
        assert answer.status_code == 201, answer.get_json()
        followed = client.get(f"{base}/{answer.get_json()['id']}?includeDetails=true", headers=headers)
        result: dict[str, Any] = followed.get_json()["deployResult"]
        return result

    return send


def problem(result: dict[str, Any]) -> str:
    (failure,) = result["details"]["componentFailures"]
    return str(failure["problem"])


def test_a_new_field_is_invisible_until_a_permission_set_grants_it(
    org: SalesforceSandbox, rest: Rest, deploy: Deploy
) -> None:
    assert deploy(key_package())["status"] == "Succeeded"
    task = {"attributes": {"type": "Task"}, "Key__c": "a"}

    def tried() -> int:
        return int(rest("POST", "/composite/sobjects", {"records": [task]}).status_code)

    assert tried() == 400
    content = HEAD.format("PermissionSet", GRANT.format("Task.Key__c"))
    deployed = deploy(package(("PermissionSet", "Connector"), **{"permissionsets/Connector.permissionset": content}))
    assert deployed["success"] is True
    assert tried() == 400, "not assigned yet"
    found = rest("GET", "/query", query_string={"q": "SELECT Id FROM PermissionSet WHERE Name = 'Connector'"})
    assigned = {"PermissionSetId": found.get_json()["records"][0]["Id"], "AssigneeId": org.integration_user_id}
    assert rest("POST", "/sobjects/PermissionSetAssignment", assigned).status_code == 201
    assert tried() == 200
    twice = rest("POST", "/sobjects/PermissionSetAssignment", assigned)
    assert twice.get_json()[0]["errorCode"] == "DUPLICATE_VALUE"
    assert len(org.dump()["PermissionSetAssignment"]) == 1, "shown as well, though it has no date of creation"
    described = rest("GET", "/sobjects/Task/describe").get_json()["fields"]
    (field,) = [each for each in described if each["name"] == "Key__c"]
    assert (field["unique"], field["externalId"], field["caseSensitive"], field["length"]) == (True, True, True, 120)


def test_a_check_changes_nothing(org: SalesforceSandbox, deploy: Deploy) -> None:
    result = deploy(key_package(), check_only=True)
    assert (result["status"], result["numberComponentsTotal"]) == ("Succeeded", 1)
    assert org.world.schema.object("Task").find("Key__c") is None


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (key_package(KEY.replace("<label>Key</label>", "") + ""), "Label"),
        (key_package(KEY.replace("<length>120</length>", "")), "'length'"),
        (key_package(KEY.replace(">Text<", ">Url<")), "Can not specify 'externalId'"),
        (key_package(KEY.replace("<unique>true</unique>", "")), "'caseSensitive'"),
        (key_package(KEY.replace("<label>", "<labels>").replace("</label>", "</labels>")), "Error parsing file"),
        (key_package("<fields><type>Text</type><fullName>Key__c</fullName></fields>"), "Error parsing file"),
        (key_package("<fields>"), "Error parsing file"),
        (key_package(owner="Task"), "Entity Enumeration Or ID"),
        (package(("CustomField", "Activity.Key__c")), "was not found in the zip"),
        (package(**{"objects/Activity.object": HEAD.format("CustomObject", KEY)}), "isn't listed in package.xml"),
        (package(**{"lwc/a.js": "x"}), "Unknown file"),
        (b"no zip", "not valid"),
        (
            package(
                ("PermissionSet", "P"),
                **{"permissionsets/P.permissionset": HEAD.format("PermissionSet", GRANT.format("Task.Nope__c"))},
            ),
            "no CustomField named Task.Nope__c found",
        ),
    ],
)
def test_what_is_wrong_in_a_package_is_told_by_component(deploy: Deploy, content: bytes, part: str) -> None:
    result = deploy(content)
    assert (result["status"], result["success"]) == ("Failed", False)
    assert part in problem(result)


def test_one_bad_component_keeps_the_others_out(org: SalesforceSandbox, deploy: Deploy) -> None:
    bad = KEY.replace("Key__c", "Bad__c").replace("<length>120</length>", "<length>999</length>")
    content = package(
        ("CustomField", "Activity.Key__c"),
        ("CustomField", "Activity.Bad__c"),
        **{"objects/Activity.object": HEAD.format("CustomObject", KEY + bad)},
    )
    result = deploy(content)
    assert result["numberComponentErrors"] == 1
    assert org.world.schema.object("Task").find("Key__c") is None


def test_picklist_values_that_are_not_sent_again_fall_out_of_use(org: SalesforceSandbox, deploy: Deploy) -> None:
    def status(*values: str) -> bytes:
        entries = "".join(
            f"<value><fullName>{each}</fullName><default>false</default><label>{each}</label></value>"
            for each in values
        )
        xml = (
            "<fields><fullName>Key__c</fullName><label>Status</label><type>Picklist</type><valueSet><restricted>true"
            f"</restricted><valueSetDefinition><sorted>false</sorted>{entries}</valueSetDefinition></valueSet></fields>"
        )
        return key_package(xml, "Opportunity")

    deploy(status("Active", "Ours"))
    assert deploy(status("Active"))["success"] is True
    field = org.world.schema.object("Opportunity").find("Key__c")
    assert field is not None
    assert [(each.value, each.active) for each in field.values] == [("Active", True), ("Ours", False)]


def wiring(url: str = "https://goodbye.example.com/hook", user: str = "connector@globex.example") -> bytes:
    return package(
        ("WorkflowOutboundMessage", "Opportunity.Goodbye"),
        ("Flow", "Notify"),
        **{
            "workflows/Opportunity.workflow": HEAD.format("Workflow", MESSAGE.format(url, user)),
            "flows/Notify.flow": HEAD.format("Flow", FLOW),
        },
    )


def test_a_flow_and_its_message_go_live_together(
    org: SalesforceSandbox, deploy: Deploy, rest: Rest, ids: dict[str, str]
) -> None:
    org.hooks.paused = True
    assert deploy(wiring())["success"] is True
    org.set_stage(ids["Foxglove – renewal"], "Closed Lost")
    assert org.hooks.pending() == 1
    text = "SELECT DeveloperName, ActiveVersion.Status FROM FlowDefinition"
    (flow,) = rest("GET", "/tooling/query", query_string={"q": text}).get_json()["records"]
    assert (flow["DeveloperName"], flow["ActiveVersion"]["Status"]) == ("Notify", "Active")


def test_a_flow_stays_off_where_the_organisation_does_not_deploy_active_ones(
    org: SalesforceSandbox, deploy: Deploy, ids: dict[str, str]
) -> None:
    org.hooks.paused = True
    org.world.settings.flows_deploy_active = False
    assert deploy(wiring())["success"] is True
    org.set_stage(ids["Foxglove – renewal"], "Closed Lost")
    assert org.hooks.pending() == 0
    org.app.test_client().post("/sandbox/flows/Notify", json={"active": True})
    org.set_stage(ids["Bright Harbour – renewal"], "Closed Lost")
    assert org.hooks.pending() == 1


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (wiring(user="nobody@globex.example"), ["no User named nobody@globex.example", "can't find an action"]),
        (wiring(url="https://goodbye.example.com:81/hook"), ["port 81 is not allowed", "can't find an action"]),
    ],
)
def test_a_message_to_nowhere_takes_its_flow_along(
    org: SalesforceSandbox, deploy: Deploy, content: bytes, parts: list[str]
) -> None:
    failures = deploy(content)["details"]["componentFailures"]
    assert len(failures) == 2
    for failure, part in zip(failures, parts, strict=True):
        assert part in failure["problem"]
    assert org.hooks.messages == {}


def test_professional_edition_refuses_the_message(org: SalesforceSandbox, deploy: Deploy) -> None:
    org.world.settings.edition = "professional"
    failures = deploy(wiring())["details"]["componentFailures"]
    assert failures[0]["problem"] == "Outbound messages are not available in this organization"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "<operator>EqualTo</operator><value><stringValue>Closed Lost</stringValue></value>",
            "<operator>IsChanged</operator><value><booleanValue>true</booleanValue></value>",
            "IsChanged operator can be used only",
        ),
        ("<targetReference>Send", "<targetReference>Gone", "an element that it does not have: Gone"),
    ],
)
def test_a_flow_that_cannot_run_is_refused(
    org: SalesforceSandbox, deploy: Deploy, monkeypatch: pytest.MonkeyPatch, old: str, new: str, problem: str
) -> None:
    monkeypatch.setitem(globals(), "FLOW", FLOW.replace(old, new))
    (failure,) = deploy(wiring())["details"]["componentFailures"]
    assert problem in failure["problem"]


def test_reports_need_their_folder_their_type_and_its_columns(deploy: Deploy) -> None:
    kind = (
        "<baseObject>Opportunity</baseObject><deployed>true</deployed><label>Deals</label><sections><columns>"
        "<checkedByDefault>true</checkedByDefault><field>{}</field><table>Opportunity</table></columns>"
        "<masterLabel>All</masterLabel></sections>"
    )
    report = (
        "<columns><field>Opportunity${}</field></columns><format>Tabular</format><name>R</name>"
        "<reportType>Deals__c</reportType>"
    )

    def problems(column: str, shown: str, *, folder: bool = True) -> list[str]:
        files = {
            "reportTypes/Deals.reportType": HEAD.format("ReportType", kind.format(column)),
            "reports/F/R.report": HEAD.format("Report", report.format(shown)),
        }
        members = [("ReportType", "Deals"), ("Report", "F/R")]
        if folder:
            files["reports/F-meta.xml"] = HEAD.format("ReportFolder", "<name>F</name>")
            members.append(("Report", "F"))
        made = deploy(package(*members, **files))
        return [each["problem"] for each in made["details"]["componentFailures"]]

    assert problems("Name", "Name", folder=False) == ["Cannot find folder:F"]
    assert problems("Nothing__c", "Name") == [
        "In field: field - no column Opportunity.Nothing__c found",
        "reportType-invalid value: Deals__c",
    ]
    assert problems("Name", "Nothing__c") == ["Invalid field name: Opportunity$Nothing__c"]
    assert problems("Name", "Account") == []


def test_a_deployment_takes_its_time_and_needs_the_right(org: SalesforceSandbox, deploy: Deploy, rest: Rest) -> None:
    org.metadata.seconds = 0.1
    result = deploy(key_package())
    assert (result["done"], result["status"]) == (False, "Pending")
    until = time.monotonic() + 5
    while not org.metadata.deployments[result["id"]].done and time.monotonic() < until:
        time.sleep(0.02)
    assert org.world.schema.object("Task").find("Key__c") is not None
    org.world.settings.may_deploy = False
    refused = rest("POST", "/metadata/deployRequest", {"deployOptions": {}})
    assert (refused.status_code, refused.get_json()[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS")
