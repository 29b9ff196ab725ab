"""Batches of the HubSpot sandbox: maxima, partial success, order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox.hubspot import HubSpotSandbox

Call = Callable[..., TestResponse]
NewTask = Callable[..., dict[str, Any]]
TASKS = "/crm/objects/2026-03/tasks"
DEALS = "/crm/objects/2026-03/deals"


def test_a_hundred_tasks_are_created_in_one_call_and_the_ledger_knows(
    call: Call, portal: HubSpotSandbox, new_task: NewTask
) -> None:
    answer = call("POST", f"{TASKS}/batch/create", {"inputs": [new_task(f"Task {n}") for n in range(100)]})
    body = answer.get_json()
    assert (answer.status_code, body["status"], len(body["results"])) == (201, "COMPLETE", 100)
    assert "numErrors" not in body
    assert (portal.ledger.count(), portal.ledger.calls[0].records) == (1, 100)


@pytest.mark.parametrize(
    ("path", "number", "more"),
    [
        (f"{TASKS}/batch/create", 101, {"properties": {}}),
        (f"{DEALS}/batch/update", 101, {"id": "901", "properties": {}}),
        (f"{DEALS}/batch/upsert", 101, {"id": "901", "properties": {}}),
        (f"{DEALS}/batch/archive", 101, {"id": "901"}),
        (f"{DEALS}/batch/read", 101, {"id": "901"}),
        ("/crm/associations/2026-03/deals/tasks/batch/read", 1001, {"id": "901"}),
    ],
)
def test_one_input_too_many_refuses_the_batch(call: Call, path: str, number: int, more: dict[str, Any]) -> None:
    answer = call("POST", path, {"inputs": [more] * number})
    assert (answer.status_code, answer.get_json()["category"]) == (400, "VALIDATION_ERROR")
    assert f"Received {number}" in answer.get_json()["message"]


def test_reads_with_history_hold_fifty(call: Call) -> None:
    raw = {"properties": [], "propertiesWithHistory": ["dealstage"]}
    asked = [{"id": str(number)} for number in range(51)]
    assert call("POST", f"{DEALS}/batch/read", {"inputs": asked, **raw}).status_code == 400
    assert call("POST", f"{DEALS}/batch/read", {"inputs": asked[:50], **raw}).status_code == 207


def test_an_empty_batch_is_refused(call: Call) -> None:
    assert call("POST", f"{DEALS}/batch/read", {"inputs": [], "properties": []}).status_code == 400


def test_a_read_names_what_it_could_not_find_in_one_error(call: Call) -> None:
    raw = {"inputs": [{"id": "901"}, {"id": "1"}, {"id": "2"}], "properties": ["dealname"]}
    answer = call("POST", f"{DEALS}/batch/read", raw)
    body = answer.get_json()
    assert (answer.status_code, body["numErrors"], [each["id"] for each in body["results"]]) == (207, 1, ["901"])
    assert (body["errors"][0]["category"], body["errors"][0]["context"]) == ("OBJECT_NOT_FOUND", {"ids": ["1", "2"]})


def test_2026_09_tells_partial_failure_in_the_body_alone(call: Call, new_task: NewTask) -> None:
    raw = {"inputs": [{"id": "901"}, {"id": "1"}], "properties": []}
    answer = call("POST", "/crm/objects/2026-09/deals/batch/read", raw)
    assert (answer.status_code, answer.get_json()["numErrors"]) == (200, 1)
    inputs = [new_task(trace="a"), new_task(trace="b", hs_task_status="DONE")]
    answer = call("POST", "/crm/objects/2026-09/tasks/batch/create", {"inputs": inputs})
    assert (answer.status_code, answer.get_json()["numErrors"]) == (201, 1)


def test_without_trace_ids_one_bad_input_fails_all(call: Call, portal: HubSpotSandbox, new_task: NewTask) -> None:
    inputs = [new_task("good"), new_task("bad", hs_task_priority="NORMAL")]
    assert call("POST", f"{TASKS}/batch/create", {"inputs": inputs}).status_code == 400
    assert portal.dump()["tasks"] == []


def test_with_trace_ids_the_good_ones_are_written_and_the_bad_ones_named(call: Call, new_task: NewTask) -> None:
    inputs = [new_task("good", trace="t1"), new_task("bad", trace="t2", hs_task_priority="NORMAL")]
    answer = call("POST", f"{TASKS}/batch/create", {"inputs": inputs})
    body = answer.get_json()
    assert (answer.status_code, body["numErrors"]) == (207, 1)
    assert body["results"][0]["objectWriteTraceId"] == "t1"
    error = body["errors"][0]
    assert (error["category"], error["context"]["objectWriteTraceId"]) == ("VALIDATION_ERROR", ["t2"])
    assert "correlationId" not in error


def test_successes_need_not_repeat_their_trace_id(call: Call, portal: HubSpotSandbox, new_task: NewTask) -> None:
    portal.options.echo_trace_ids = False
    body = call("POST", f"{TASKS}/batch/create", {"inputs": [new_task(trace="t1")]}).get_json()
    assert "objectWriteTraceId" not in body["results"][0]


def test_a_trace_id_is_no_idempotency_key(call: Call, portal: HubSpotSandbox, new_task: NewTask) -> None:
    for _ in range(2):
        call("POST", f"{TASKS}/batch/create", {"inputs": [new_task(trace="same")]})
    assert len(portal.dump()["tasks"]) == 2
    twice = {"inputs": [new_task(trace="same"), new_task(trace="same")]}
    assert call("POST", f"{TASKS}/batch/create", twice).status_code == 400


def test_results_need_not_come_in_the_order_of_the_inputs(call: Call, new_task: NewTask) -> None:
    inputs = [new_task(f"{number:02}") for number in range(30)]
    results = call("POST", f"{TASKS}/batch/create", {"inputs": inputs}).get_json()["results"]
    subjects = [each["properties"]["hs_task_subject"] for each in results]
    assert subjects != sorted(subjects)
    assert sorted(subjects) == [f"{number:02}" for number in range(30)]


def test_an_update_refuses_hs_object_id_as_id_property_and_the_same_id_twice(call: Call) -> None:
    one = {"id": "901", "properties": {"amount": "1"}}
    answer = call("POST", f"{DEALS}/batch/update", {"inputs": [{**one, "idProperty": "hs_object_id"}]})
    assert (answer.status_code, "non-unique property" in answer.get_json()["message"]) == (400, True)
    assert call("POST", f"{DEALS}/batch/update", {"inputs": [one, one]}).status_code == 400
    assert call("POST", f"{DEALS}/batch/update", {"inputs": [one]}).status_code == 200


def test_an_upsert_takes_no_associations_and_says_what_is_new(call: Call, new_task: NewTask) -> None:
    raw = {"id": "new@x.example", "idProperty": "email", "properties": {"firstname": "N"}}
    path = "/crm/objects/2026-03/contacts/batch/upsert"
    assert call("POST", path, {"inputs": [{**raw, "associations": []}]}).status_code == 400
    first = call("POST", path, {"inputs": [raw]}).get_json()["results"][0]
    second = call("POST", path, {"inputs": [raw]}).get_json()["results"][0]
    assert (first["new"], second["new"], first["id"] == second["id"]) == (True, False, True)


def test_contacts_can_be_read_by_address(call: Call) -> None:
    raw = {"inputs": [{"id": "paul.morel@coop-vercors.example"}], "properties": [], "idProperty": "email"}
    assert call("POST", "/crm/v3/objects/contacts/batch/read", raw).get_json()["results"][0]["id"] == "708"
    assert call("POST", "/crm/v3/objects/contacts/batch/read", {**raw, "idProperty": "lastname"}).status_code == 400


def test_an_archived_batch_is_204_even_for_what_is_gone(call: Call) -> None:
    answer = call("POST", f"{DEALS}/batch/archive", {"inputs": [{"id": "901"}, {"id": "1"}]})
    assert (answer.status_code, answer.data) == (204, b"")
    archived = call("POST", f"{DEALS}/batch/read?archived=true", {"inputs": [{"id": "901"}], "properties": []})
    assert archived.get_json()["results"][0]["archived"] is True


def test_reads_can_lag_behind_writes(call: Call, portal: HubSpotSandbox, new_task: NewTask) -> None:
    portal.options.write_lag = portal.options.association_lag = timedelta(seconds=30)
    made = call("POST", f"{TASKS}/batch/create", {"inputs": [new_task()]}).get_json()["results"][0]["id"]
    read = {"inputs": [{"id": made}], "properties": []}
    joined = {"inputs": [{"id": "901"}]}
    path = "/crm/associations/2026-03/deals/tasks/batch/read"
    assert call("POST", f"{TASKS}/batch/read", read).status_code == 207
    assert call("POST", path, joined).get_json()["results"] == []
    portal.clock.advance(timedelta(seconds=31))
    assert call("POST", f"{TASKS}/batch/read", read).status_code == 200
    assert len(call("POST", path, joined).get_json()["results"][0]["to"]) == 1
