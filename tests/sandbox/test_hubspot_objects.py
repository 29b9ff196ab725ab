"""Single records of the HubSpot sandbox: reading, writing, and what HubSpot refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox.hubspot import HubSpotSandbox
from sandbox.hubspot.definitions import DEAL
from sandbox.hubspot.world import RequiredWhen

Call = Callable[..., TestResponse]
NewTask = Callable[..., dict[str, Any]]
DEALS = "/crm/objects/2026-03/deals"


def problem(answer: TestResponse) -> tuple[str, str]:
    """Code and property of the first refused property, checked for HubSpot's shape."""
    body = answer.get_json()
    assert answer.status_code == 400
    assert (body["status"], body["category"]) == ("error", "VALIDATION_ERROR")
    assert body["correlationId"]
    first = body["errors"][0]
    assert body["message"].startswith("Property values were not valid: [")
    told = json.loads(body["message"].removeprefix("Property values were not valid: "))
    assert (told[0]["isValid"], told[0]["error"], told[0]["portalId"]) == (False, first["code"], 4242)
    return first["code"], first["context"]["propertyName"][0]


@pytest.mark.parametrize(
    "path",
    [
        "/crm/v3/objects/deals/901",
        "/crm/v3/objects/0-3/901",
        "/crm/objects/2026-03/deals/901",
        "/crm/objects/2026-09/0-3/901",
        "/crm/objects/2026-03/deal/901",
    ],
)
def test_a_deal_can_be_read_at_every_version_by_name_and_by_type_id(call: Call, path: str) -> None:
    body = call("GET", path).get_json()
    assert (body["id"], body["properties"]["dealstage"], body["archived"]) == ("901", "1002", False)


def test_a_version_that_does_not_exist_is_not_found(call: Call) -> None:
    assert call("GET", "/crm/objects/2026-04/deals/901").status_code == 404


def test_an_unknown_object_type_is_named(call: Call) -> None:
    answer = call("GET", "/crm/v3/objects/opportunities/1")
    assert (answer.status_code, answer.get_json()["message"]) == (
        400,
        "Unable to infer object type from: opportunities",
    )


def test_only_the_asked_properties_come_and_unknown_ones_are_left_out(call: Call) -> None:
    body = call("GET", f"{DEALS}/901?properties=dealname,contract_end_date,nothing,closed_lost_reason").get_json()
    assert set(body["properties"]) == {
        "dealname",
        "contract_end_date",
        "closed_lost_reason",
        "createdate",
        "hs_lastmodifieddate",
        "hs_object_id",
    }
    assert body["properties"]["closed_lost_reason"] is None


def test_history_comes_newest_first_with_time_and_source(call: Call) -> None:
    call("PATCH", f"{DEALS}/901", {"properties": {"dealstage": "1004"}})
    history = call("GET", f"{DEALS}/901?propertiesWithHistory=dealstage").get_json()["propertiesWithHistory"][
        "dealstage"
    ]
    assert [each["value"] for each in history] == ["1004", "1002", "1001"]
    assert (history[0]["sourceType"], history[1]["sourceType"], history[1]["updatedByUserId"]) == (
        "INTEGRATION",
        "CRM_UI",
        9586504,
    )
    assert history[0]["timestamp"] > history[1]["timestamp"] > history[2]["timestamp"]


def test_a_write_of_the_same_value_makes_no_history(call: Call) -> None:
    call("PATCH", f"{DEALS}/901", {"properties": {"dealstage": "1002"}})
    history = call("GET", f"{DEALS}/901?propertiesWithHistory=dealstage").get_json()["propertiesWithHistory"][
        "dealstage"
    ]
    assert len(history) == 2


def test_a_primary_company_is_named_once_for_each_type(call: Call) -> None:
    found = call("GET", f"{DEALS}/901?associations=companies,contacts,tasks").get_json()["associations"]
    assert found["companies"]["results"] == [
        {"id": "501", "type": "deal_to_company"},
        {"id": "501", "type": "deal_to_company_unlabeled"},
    ]
    assert [each["id"] for each in found["contacts"]["results"]] == ["701", "702", "703"]
    assert "tasks" not in found


def test_nothing_associated_means_no_associations_key(call: Call) -> None:
    assert "associations" not in call("GET", f"{DEALS}/906?associations=contacts").get_json()


def test_an_unknown_record_is_404_with_hubspots_body(call: Call) -> None:
    answer = call("GET", f"{DEALS}/12345")
    assert (answer.status_code, answer.get_json()["category"]) == (404, "OBJECT_NOT_FOUND")


def test_a_created_task_is_201_with_defaults_and_dates_in_utc(call: Call, new_task: NewTask) -> None:
    raw = new_task(hs_timestamp="1795000000000", hs_task_reminders="1794990000000")
    answer = call("POST", "/crm/objects/2026-03/tasks", raw)
    body = answer.get_json()
    assert answer.status_code == 201
    assert body["properties"]["hs_timestamp"] == "2026-11-18T11:06:40.000Z"
    assert body["properties"]["hs_task_status"] == "NOT_STARTED"
    assert isinstance(body["id"], str)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"no_such": "1"}, ("PROPERTY_DOESNT_EXIST", "no_such")),
        ({"exit_reason": "Bored"}, ("INVALID_OPTION", "exit_reason")),
        ({"dealstage": "Not renewing"}, ("INVALID_OPTION", "dealstage")),
        ({"dealstage": "closedlost"}, ("INVALID_OPTION", "dealstage")),
        ({"pipeline": "other"}, ("INVALID_OPTION", "pipeline")),
        ({"hubspot_owner_id": "9586504"}, ("INVALID_OWNER_ID", "hubspot_owner_id")),
        ({"hubspot_owner_id": "106"}, ("INVALID_OWNER_ID", "hubspot_owner_id")),
        ({"amount": "much"}, ("INVALID_NUMBER", "amount")),
        ({"closedate": "tomorrow"}, ("INVALID_LONG", "closedate")),
        ({"contract_end_date": "2026-12-01T13:00:00Z"}, ("INVALID_DATE", "contract_end_date")),
        ({"contract_end_date": "1795000000000"}, ("INVALID_DATE", "contract_end_date")),
        ({"createdate": "2026-01-01T00:00:00Z"}, ("READ_ONLY_VALUE", "createdate")),
        ({"description": "x" * 65_537}, ("VALUE_TOO_LONG", "description")),
        ({"dealname": ["a"]}, ("INVALID_VALUE", "dealname")),
    ],
)
def test_a_refused_value_names_code_and_property_and_changes_nothing(
    call: Call, portal: HubSpotSandbox, properties: dict[str, Any], expected: tuple[str, str]
) -> None:
    before = portal.dump()
    assert problem(call("PATCH", f"{DEALS}/901", {"properties": {"dealname": "New", **properties}})) == expected
    assert portal.dump() == before


@pytest.mark.parametrize(
    ("name", "value"), [("hs_task_status", "DONE"), ("hs_task_priority", "NORMAL"), ("hs_task_type", "TO_DO")]
)
def test_a_task_takes_only_hubspots_words(call: Call, new_task: NewTask, name: str, value: str) -> None:
    assert problem(call("POST", "/crm/v3/objects/tasks", new_task(**{name: value}))) == ("INVALID_OPTION", name)


@pytest.mark.parametrize("kind", ["tasks", "notes"])
def test_tasks_and_notes_need_a_timestamp(call: Call, kind: str) -> None:
    answer = call("POST", f"/crm/v3/objects/{kind}", {"properties": {}})
    assert answer.status_code == 400
    assert answer.get_json()["context"] == {"properties": ["hs_timestamp"]}


def test_reminders_are_epoch_milliseconds_only(call: Call, new_task: NewTask) -> None:
    answer = call("POST", "/crm/v3/objects/tasks", new_task(hs_task_reminders="2026-12-01T08:00:00Z"))
    assert problem(answer) == ("INVALID_LONG", "hs_task_reminders")


def test_the_longest_text_is_taken(call: Call) -> None:
    raw = {"properties": {"hs_timestamp": "2026-12-01T09:00:00Z", "hs_note_body": "x" * 65_536}}
    assert call("POST", "/crm/v3/objects/notes", raw).status_code == 201


def test_completing_a_task_dates_it_and_reopening_takes_the_date_away(call: Call, new_task: NewTask) -> None:
    path = f"/crm/v3/objects/tasks/{call('POST', '/crm/v3/objects/tasks', new_task()).get_json()['id']}"
    call("PATCH", path, {"properties": {"hs_task_status": "COMPLETED"}})
    assert call("GET", f"{path}?properties=hs_task_completion_date").get_json()["properties"]["hs_task_completion_date"]
    call("PATCH", path, {"properties": {"hs_task_status": "NOT_STARTED"}})
    again = call("GET", f"{path}?properties=hs_task_completion_date").get_json()["properties"]
    assert again["hs_task_completion_date"] is None


@pytest.mark.parametrize("value", ["2027-03-31", "2027-03-31T00:00:00Z", "1806451200000"])
def test_a_date_is_a_day_or_its_midnight_in_utc(call: Call, value: str) -> None:
    call("PATCH", f"{DEALS}/901", {"properties": {"contract_end_date": value}})
    found = call("GET", f"{DEALS}/901?properties=contract_end_date").get_json()["properties"]
    assert found["contract_end_date"] == "2027-03-31"


def test_an_empty_string_clears_and_a_leading_semicolon_appends(call: Call) -> None:
    path = "/crm/v3/objects/contacts/701"
    call("PATCH", path, {"properties": {"hs_buying_role": ";END_USER", "jobtitle": "CTO"}})
    call("PATCH", path, {"properties": {"jobtitle": ""}})
    found = call("GET", f"{path}?properties=hs_buying_role,jobtitle").get_json()["properties"]
    assert (found["hs_buying_role"], found["jobtitle"]) == ("DECISION_MAKER;END_USER", None)


def test_a_contact_with_a_known_address_is_a_conflict_that_names_the_other(call: Call) -> None:
    raw = {"properties": {"email": "Helene.Garnier@atelier-lumiere.example"}}
    answer = call("POST", "/crm/v3/objects/contacts", raw)
    assert (answer.status_code, answer.get_json()["category"]) == (409, "CONFLICT")
    assert answer.get_json()["message"] == "Contact already exists. Existing ID: 701"


def test_an_address_must_look_like_one(call: Call) -> None:
    assert (
        problem(call("PATCH", "/crm/v3/objects/contacts/703", {"properties": {"email": "sofia"}}))[0] == "INVALID_EMAIL"
    )


@pytest.mark.parametrize(
    ("end", "type_id", "category"),
    [
        ("901", 215, "HUBSPOT_DEFINED"),  # the direction deal to task
        ("901", 216, "USER_DEFINED"),
        ("901", 9999, "HUBSPOT_DEFINED"),
    ],
)
def test_an_inline_association_of_a_wrong_type_is_refused(
    call: Call, portal: HubSpotSandbox, new_task: NewTask, end: str, type_id: int, category: str
) -> None:
    raw = new_task()
    raw["associations"][0]["types"] = [{"associationCategory": category, "associationTypeId": type_id}]
    raw["associations"][0]["to"] = {"id": end}
    assert call("POST", "/crm/v3/objects/tasks", raw).status_code == 400
    assert portal.dump()["tasks"] == []


def test_an_inline_association_to_an_unknown_record_is_refused(call: Call, new_task: NewTask) -> None:
    raw = new_task()
    raw["associations"][0]["to"] = {"id": "123456"}
    assert call("POST", "/crm/v3/objects/tasks", raw).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"properties": "x"}, 400), ({"properties": {}, "extra": 1}, 400), ([1], 400)],
)
def test_a_body_of_the_wrong_shape_is_refused(call: Call, body: Any, status: int) -> None:
    answer = call("PATCH", f"{DEALS}/901", body)
    assert (answer.status_code, answer.get_json()["category"]) == (status, "VALIDATION_ERROR")


def test_a_body_that_is_not_json_is_refused(portal: HubSpotSandbox) -> None:
    headers = {"Authorization": "Bearer pat-eu1-sandbox"}
    client = portal.app.test_client()
    broken = client.patch(f"{DEALS}/901", data=b"{", content_type="application/json", headers=headers)
    other = client.patch(f"{DEALS}/901", data=b"a=1", content_type="application/x-www-form-urlencoded", headers=headers)
    assert (broken.status_code, other.status_code) == (400, 415)


def test_a_deleted_record_is_found_only_among_the_archived_for_ninety_days(call: Call, portal: HubSpotSandbox) -> None:
    assert call("DELETE", f"{DEALS}/901").status_code == 204
    assert call("GET", f"{DEALS}/901").status_code == 404
    archived = call("GET", f"{DEALS}/901?archived=true").get_json()
    assert archived["archived"] is True
    assert archived["archivedAt"]
    portal.clock.advance(timedelta(days=91))
    assert call("GET", f"{DEALS}/901?archived=true").status_code == 404
    assert call("DELETE", f"{DEALS}/901").status_code == 204, "deleting what is gone is not an error"


def test_after_a_merge_the_old_id_leads_to_the_survivor_but_not_in_batches(call: Call) -> None:
    merged = call("POST", f"{DEALS}/merge", {"primaryObjectId": "901", "objectIdToMerge": "902"})
    assert (merged.status_code, merged.get_json()["id"]) == (200, "901")
    assert call("GET", f"{DEALS}/902").get_json()["id"] == "901"
    assert call("PATCH", f"{DEALS}/902", {"properties": {"amount": "5"}}).get_json()["id"] == "901"
    batch = call("POST", f"{DEALS}/batch/read", {"inputs": [{"id": "902"}], "properties": []})
    assert (batch.status_code, batch.get_json()["results"]) == (207, [])
    inputs = [{"id": "902", "properties": {"amount": "6"}}]
    assert call("POST", f"{DEALS}/batch/update", {"inputs": inputs}).status_code == 404
    contacts = call("GET", f"{DEALS}/901?associations=contacts").get_json()["associations"]["contacts"]["results"]
    assert len(contacts) == 7


def test_a_merge_can_leave_a_third_record(call: Call, portal: HubSpotSandbox) -> None:
    portal.options.merge_makes_new = True
    new = call("POST", f"{DEALS}/merge", {"primaryObjectId": "901", "objectIdToMerge": "902"}).get_json()["id"]
    assert new not in ("901", "902")
    assert [call("GET", f"{DEALS}/{each}").get_json()["id"] for each in ("901", "902")] == [new, new]


def test_merged_contacts_are_found_by_address_whatever_the_merge_leaves(call: Call, portal: HubSpotSandbox) -> None:
    portal.options.merge_makes_new = True
    path = "/crm/v3/objects/contacts"
    new = call("POST", f"{path}/merge", {"primaryObjectId": "701", "objectIdToMerge": "703"}).get_json()["id"]
    found = call("GET", f"{path}/helene.garnier@atelier-lumiere.example?idProperty=email").get_json()
    assert found["id"] == new


def test_a_privacy_deletion_leaves_nothing(call: Call) -> None:
    assert call("POST", "/crm/v3/objects/contacts/gdpr-delete", {"objectId": "701"}).status_code == 204
    assert call("GET", "/crm/v3/objects/contacts/701?archived=true").status_code == 404
    assert "701" not in json.dumps(call("GET", f"{DEALS}/901?associations=contacts").get_json())


def test_an_admins_rules_bind_api_writes_from_2026_09_only(call: Call, portal: HubSpotSandbox) -> None:
    portal.world.rules.append(RequiredWhen(DEAL, "dealstage", "1004", "exit_reason"))
    move = {"properties": {"dealstage": "1004"}}
    refused = call("PATCH", "/crm/objects/2026-09/deals/901", move)
    assert (refused.status_code, refused.get_json()["context"]) == (400, {"properties": ["exit_reason"]})
    assert call("PATCH", f"{DEALS}/901", move).status_code == 200


def test_list_pages_hold_a_hundred_or_fifty_with_history(call: Call) -> None:
    assert call("GET", f"{DEALS}?limit=101").status_code == 400
    assert call("GET", f"{DEALS}?limit=51&propertiesWithHistory=dealstage").status_code == 400
    first = call("GET", f"{DEALS}?limit=5").get_json()
    rest = call("GET", f"{DEALS}?limit=5&after={first['paging']['next']['after']}").get_json()
    assert len(first["results"]) + len(rest["results"]) == 7
    assert "paging" not in rest
