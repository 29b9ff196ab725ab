"""Associations of the HubSpot sandbox: types, directions, labels, partial answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

Call = Callable[..., TestResponse]
NewTask = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("base", ["/crm/v4/associations", "/crm/associations/2026-03", "/crm/associations/2026-09"])
def test_a_deal_without_contacts_is_an_error_entry_beside_the_results(call: Call, base: str) -> None:
    answer = call("POST", f"{base}/deals/contacts/batch/read", {"inputs": [{"id": "901"}, {"id": "906"}]})
    body = answer.get_json()
    assert answer.status_code == (200 if base.endswith("2026-09") else 207)
    assert [each["toObjectId"] for each in body["results"][0]["to"]] == ["701", "702", "703"]
    error = body["errors"][0]
    assert error["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert error["context"]["fromObjectId"] == ["906"]


def test_types_come_with_category_id_and_label(call: Call) -> None:
    body = call("POST", "/crm/v4/associations/0-3/0-2/batch/read", {"inputs": [{"id": "901"}]}).get_json()
    assert body["results"] == [
        {
            "from": {"id": "901"},
            "to": [
                {
                    "toObjectId": "501",
                    "associationTypes": [
                        {"category": "HUBSPOT_DEFINED", "typeId": 5, "label": "Primary"},
                        {"category": "HUBSPOT_DEFINED", "typeId": 341, "label": None},
                    ],
                }
            ],
        }
    ]


def test_the_other_direction_has_its_own_ids(call: Call, new_task: NewTask) -> None:
    task = call("POST", "/crm/v3/objects/tasks", new_task()).get_json()["id"]
    there = call("GET", f"/crm/v4/objects/tasks/{task}/associations/deals").get_json()["results"]
    back = call("GET", "/crm/objects/2026-03/deals/901/associations/tasks").get_json()["results"]
    assert [each["associationTypes"][0]["typeId"] for each in (there[0], back[0])] == [216, 215]


def test_deleted_records_are_no_longer_associated(call: Call) -> None:
    call("DELETE", "/crm/v3/objects/contacts/702")
    body = call("POST", "/crm/v4/associations/deals/contacts/batch/read", {"inputs": [{"id": "901"}]}).get_json()
    assert [each["toObjectId"] for each in body["results"][0]["to"]] == ["701", "703"]


def test_the_labels_of_a_pair_end_with_the_unlabelled_one(call: Call) -> None:
    found = call("GET", "/crm/associations/2026-03/deals/contacts/labels").get_json()["results"]
    assert [(each["category"], each["label"]) for each in found] == [
        ("USER_DEFINED", "Billing contact"),
        ("HUBSPOT_DEFINED", None),
    ]


def test_a_custom_label_can_be_given_and_shows(call: Call) -> None:
    type_id = call("GET", "/crm/v4/associations/deals/contacts/labels").get_json()["results"][0]["typeId"]
    raw = [{"associationCategory": "USER_DEFINED", "associationTypeId": type_id}]
    answer = call("PUT", "/crm/v4/objects/deals/901/associations/contacts/702", raw)
    assert (answer.status_code, answer.get_json()["labels"]) == (201, ["Billing contact"])
    found = call("GET", "/crm/v4/objects/deals/901/associations/contacts").get_json()["results"]
    labels = {each["toObjectId"]: [kind["label"] for kind in each["associationTypes"]] for each in found}
    assert labels["702"] == ["Billing contact", None]


def test_at_most_ten_custom_labels_for_a_pair(call: Call) -> None:
    path = "/crm/associations/2026-03/deals/contacts/labels"
    statuses = [call("POST", path, {"name": f"l{n}", "label": f"Label {n}"}).status_code for n in range(10)]
    assert statuses == [200] * 9 + [400]


def test_a_deal_has_one_primary_company(call: Call) -> None:
    raw = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]
    call("PUT", "/crm/objects/2026-03/deals/901/associations/companies/502", raw)
    found = call("GET", "/crm/v4/objects/deals/901/associations/companies").get_json()["results"]
    primary = {each["toObjectId"]: [kind["label"] for kind in each["associationTypes"]] for each in found}
    assert primary == {"501": [None], "502": ["Primary", None]}


def test_default_associations_are_unlabelled_and_told_both_ways(call: Call) -> None:
    raw = {"inputs": [{"from": {"id": "906"}, "to": {"id": "712"}}]}
    answer = call("POST", "/crm/associations/2026-03/deals/contacts/batch/associate/default", raw)
    assert answer.status_code == 200
    assert [each["associationSpec"]["associationTypeId"] for each in answer.get_json()["results"]] == [3, 4]
    single = call("PUT", "/crm/v4/objects/deals/906/associations/default/contacts/711")
    assert (single.status_code, single.get_json()["status"]) == (200, "COMPLETE")


def test_batch_create_is_201_or_207_and_refuses_a_wrong_type(call: Call) -> None:
    path = "/crm/associations/2026-03/deals/contacts/batch/create"
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}
    good = {"from": {"id": "906"}, "to": {"id": "712"}, "types": [kind]}
    gone = {"from": {"id": "906"}, "to": {"id": "1"}, "types": [kind]}
    wrong = {**good, "types": [{**kind, "associationTypeId": 4}]}
    assert call("POST", path, {"inputs": [good]}).status_code == 201
    partly = call("POST", path, {"inputs": [good, gone]})
    assert (partly.status_code, partly.get_json()["numErrors"]) == (207, 1)
    assert call("POST", path, {"inputs": [wrong]}).status_code == 400


def test_associations_can_be_taken_away(call: Call) -> None:
    assert call("DELETE", "/crm/v4/objects/deals/901/associations/contacts/701").status_code == 204
    raw = {"inputs": [{"from": {"id": "901"}, "to": [{"id": "702"}]}]}
    assert call("POST", "/crm/v4/associations/deals/contacts/batch/archive", raw).status_code == 204
    found = call("GET", "/crm/v4/objects/deals/901/associations/contacts").get_json()["results"]
    assert [each["toObjectId"] for each in found] == ["703"]


def test_a_pair_without_any_type_is_refused(call: Call) -> None:
    raw = {"inputs": [{"from": {"id": "1"}, "to": {"id": "2"}}]}
    assert call("POST", "/crm/v4/associations/tasks/notes/batch/associate/default", raw).status_code == 400
