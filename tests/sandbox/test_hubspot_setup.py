"""Properties, groups, pipelines, owners and files of the HubSpot sandbox."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox.hubspot import TOKEN, HubSpotSandbox

Call = Callable[..., TestResponse]
NewTask = Callable[..., dict[str, Any]]
PROPERTIES = "/crm/properties/2026-03"


def wanted(name: str = "our_key", **more: Any) -> dict[str, Any]:
    base = {"name": name, "label": "Our key", "type": "string", "fieldType": "text", "groupName": "dealinformation"}
    return {**base, **more}


@pytest.mark.parametrize("base", ["/crm/v3/properties", PROPERTIES])
def test_a_property_is_created_once_and_then_a_conflict(call: Call, base: str) -> None:
    first, second = (call("POST", f"{base}/deals", wanted()) for _ in range(2))
    assert (first.status_code, first.get_json()["hasUniqueValue"]) == (201, False)
    assert (second.status_code, second.get_json()["status"]) == (409, "error")
    names = [each["name"] for each in call("GET", f"{base}/deals").get_json()["results"]]
    assert "our_key" in names
    assert "dealstage" in names


@pytest.mark.parametrize(
    "more",
    [
        {"type": "enumeration", "fieldType": "text"},
        {"type": "string", "fieldType": "number"},
        {"type": "money", "fieldType": "text"},
        {"groupName": "no_such_group"},
        {"name": "Our Key"},
        {"name": "hs_key"},
        {"options": [{"label": "A", "value": "a", "hidden": False}]},
        {"type": "enumeration", "fieldType": "select", "options": [{"label": "A", "value": "a"}]},
        {"type": "enumeration", "fieldType": "select", "options": [{"label": "A", "value": "a", "hidden": False}] * 2},
        {"type": "number", "fieldType": "number", "hasUniqueValue": True},
        {"label": None},
    ],
)
def test_a_definition_that_hubspot_refuses_is_refused(call: Call, more: dict[str, Any]) -> None:
    answer = call("POST", f"{PROPERTIES}/deals", wanted(**more))
    assert (answer.status_code, answer.get_json()["category"]) == (400, "VALIDATION_ERROR")


def test_an_object_takes_ten_unique_properties(call: Call) -> None:
    statuses = [
        call("POST", f"{PROPERTIES}/deals", wanted(f"key_{number}", hasUniqueValue=True)).status_code
        for number in range(11)
    ]
    assert statuses == [201] * 10 + [400]


def test_a_unique_value_is_refused_the_second_time_and_finds_its_record(call: Call) -> None:
    call("POST", f"{PROPERTIES}/deals", wanted(hasUniqueValue=True))
    call("PATCH", "/crm/v3/objects/deals/901", {"properties": {"our_key": "K1"}})
    refused = call("PATCH", "/crm/v3/objects/deals/902", {"properties": {"our_key": "K1"}})
    assert (refused.status_code, "already has that value" in refused.get_json()["message"]) == (400, True)
    assert call("GET", "/crm/v3/objects/deals/K1?idProperty=our_key").get_json()["id"] == "901"


@pytest.mark.parametrize(("mode", "plain", "unique"), [("none", 400, 400), ("plain", 201, 400), ("unique", 201, 201)])
def test_portals_differ_in_what_custom_properties_tasks_take(
    call: Call, portal: HubSpotSandbox, mode: Any, plain: int, unique: int
) -> None:
    portal.options.task_properties = mode
    group = {"groupName": "task_information"}
    assert call("POST", f"{PROPERTIES}/tasks", wanted("k1", **group)).status_code == plain
    assert call("POST", f"{PROPERTIES}/0-27", wanted("k2", hasUniqueValue=True, **group)).status_code == unique


def test_a_repeated_unique_key_within_one_batch_of_tasks_is_refused(
    call: Call, portal: HubSpotSandbox, new_task: NewTask
) -> None:
    portal.options.task_properties = "unique"
    call("POST", f"{PROPERTIES}/tasks", wanted(groupName="task_information", hasUniqueValue=True))
    inputs = [new_task(trace="a", our_key="K"), new_task(trace="b", our_key="K")]
    body = call("POST", "/crm/v3/objects/tasks/batch/create", {"inputs": inputs}).get_json()
    assert (len(body["results"]), body["numErrors"]) == (1, 1)
    again = call("POST", "/crm/v3/objects/tasks/batch/create", {"inputs": [new_task(our_key="K")]})
    assert again.status_code == 400


def test_a_free_portal_allows_few_custom_properties(call: Call, portal: HubSpotSandbox) -> None:
    portal.options.max_custom = 3
    answer = call("POST", f"{PROPERTIES}/deals", wanted())
    assert (answer.status_code, answer.get_json()["category"]) == (400, "PROPERTY_LIMIT_EXCEEDED")


def test_a_patch_replaces_the_options(call: Call) -> None:
    option = {"label": "Moved away", "value": "moved", "hidden": False}
    answer = call("PATCH", f"{PROPERTIES}/deals/exit_reason", {"options": [option]})
    assert [each["value"] for each in answer.get_json()["options"]] == ["moved"]
    assert call("PATCH", f"{PROPERTIES}/deals/exit_reason", {"hasUniqueValue": True}).status_code == 400
    assert call("PATCH", f"{PROPERTIES}/deals/nothing", {"label": "x"}).status_code == 404


def test_properties_are_created_in_batches_too(call: Call) -> None:
    answer = call("POST", f"{PROPERTIES}/deals/batch/create", {"inputs": [wanted("a_new"), wanted("exit_reason")]})
    body = answer.get_json()
    assert (answer.status_code, [each["name"] for each in body["results"]], body["numErrors"]) == (207, ["a_new"], 1)


def test_an_archived_property_is_listed_among_the_archived(call: Call) -> None:
    assert call("DELETE", f"{PROPERTIES}/deals/nps_start").status_code == 204
    found = call("GET", f"{PROPERTIES}/deals?archived=true").get_json()["results"]
    assert [(each["name"], each["archived"]) for each in found] == [("nps_start", True)]
    assert call("DELETE", f"{PROPERTIES}/deals/dealname").status_code == 400


def test_groups_are_created_once(call: Call) -> None:
    path = f"{PROPERTIES}/deals/groups"
    assert call("POST", path, {"name": "goodbye", "label": "Goodbye"}).status_code == 201
    assert call("POST", path, {"name": "goodbye", "label": "Goodbye"}).status_code == 409
    assert call("GET", f"{path}/goodbye").get_json()["label"] == "Goodbye"
    assert call("GET", f"{path}/other").status_code == 404


def test_stages_tell_probability_and_closed_as_text(call: Call) -> None:
    stages = call("GET", "/crm/pipelines/2026-03/deals").get_json()["results"][0]["stages"]
    told = {each["label"]: each["metadata"] for each in stages}
    assert told["Not renewing"] == {"isClosed": "true", "probability": "0.0"}
    assert told["Renewed"] == {"isClosed": "true", "probability": "1.0"}
    assert told["Negotiation"]["isClosed"] == "false"


def test_inactive_owners_are_among_the_archived_without_a_user_id(call: Call) -> None:
    active = call("GET", "/crm/owners/2026-03").get_json()["results"]
    gone = call("GET", "/crm/v3/owners/?archived=true").get_json()["results"]
    assert (len(active), all(each["userId"] for each in active)) == (5, True)
    assert [(each["email"], each["userId"], each["archived"]) for each in gone] == [
        ("hugo.petit@acme.example", None, True)
    ]
    assert call("GET", "/crm/v3/owners/106").status_code == 404
    assert call("GET", "/crm/v3/owners/?email=emma.clark@acme.example").get_json()["results"][0]["id"] == "103"


def send_file(portal: HubSpotSandbox, **form: Any) -> TestResponse:
    data = {"file": (io.BytesIO(b"%PDF"), "letter.pdf", "application/pdf"), **form}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return portal.app.test_client().post("/files/v3/files", data=data, headers=headers)


def test_a_file_is_uploaded_and_attached_to_a_note(call: Call, portal: HubSpotSandbox) -> None:
    stored = send_file(portal, folderPath="/goodbye", options=json.dumps({"access": "PRIVATE"}))
    body = stored.get_json()
    assert (stored.status_code, body["name"], body["extension"], body["size"]) == (201, "letter", "pdf", 4)
    properties = {"hs_timestamp": "2026-12-01T09:00:00Z", "hs_attachment_ids": body["id"]}
    assert call("POST", "/crm/v3/objects/notes", {"properties": properties}).status_code == 201
    assert call("GET", f"/files/2026-03/files/{body['id']}").get_json()["path"] == "/goodbye/letter.pdf"
    assert len(call("GET", "/files/v3/files/search?name=letter").get_json()["results"]) == 1


@pytest.mark.parametrize(
    "form",
    [
        {"options": '{"access": "PRIVATE"}'},
        {"folderPath": "/x"},
        {"folderPath": "/x", "options": '{"access": "SECRET"}'},
        {"folderPath": "/x", "options": "PRIVATE"},
    ],
)
def test_an_upload_needs_a_folder_and_an_access(portal: HubSpotSandbox, form: dict[str, str]) -> None:
    assert send_file(portal, **form).status_code == 400
