"""The official client against the HubSpot sandbox over HTTP, on classic and on dated paths."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.discovery.discovery_base import DiscoveryBase
from urllib3.exceptions import ProtocolError
from urllib3.util.retry import Retry

from sandbox.hubspot import TOKEN, HubSpotSandbox
from sandbox.kit import Fault

TIMES = {"_request_timeout": (2, 5)}


def with_dated_paths(package: Any, name: str, config: Any) -> Any:
    """Build an API of the client as it does itself, with each classic path rewritten to a dated one."""
    api = DiscoveryBase._default_api_factory(package, name, config)
    send = api.api_client.call_api

    def call_api(path: str, *args: Any, **more: Any) -> Any:
        return send(re.sub(r"^/crm/v[34]/(\w+)", r"/crm/\1/2026-03", path).rstrip("/"), *args, **more)

    api.api_client.call_api = call_api
    return api


@pytest.fixture(params=["classic", "dated"])
def client(request: pytest.FixtureRequest, hubspot_url: str) -> Any:
    hook = {"api_factory": with_dated_paths} if request.param == "dated" else {}
    return HubSpot.create(access_token=TOKEN, host=hubspot_url, retry=Retry(0), **hook)


def task(subject: str, trace: str | None = None, **more: Any) -> dict[str, Any]:
    to_deal = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 216}
    properties = {"hs_timestamp": "2026-12-01T09:00:00Z", "hs_task_subject": subject}
    made = {"properties": {**properties, **more}, "associations": [{"to": {"id": "901"}, "types": [to_deal]}]}
    return made | ({"objectWriteTraceId": trace} if trace else {})


def test_a_whole_case_can_be_read_and_written(client: Any, portal: HubSpotSandbox) -> None:
    deal = client.crm.deals.basic_api.get_by_id(
        "901", properties_with_history=["dealstage"], associations=["companies", "contacts"], **TIMES
    )
    assert deal.properties_with_history["dealstage"][0].value == "1002"
    contacts = [each.id for each in deal.associations["contacts"].results]
    read = {"inputs": [{"id": each} for each in contacts], "properties": ["email"], "propertiesWithHistory": []}
    assert len(client.crm.contacts.batch_api.read(read, **TIMES).results) == 3
    made = client.crm.objects.tasks.batch_api.create({"inputs": [task("a"), task("b")]}, **TIMES)
    assert {each.properties["hs_task_subject"] for each in made.results} == {"a", "b"}
    written = client.crm.deals.batch_api.update({"inputs": [{"id": "901", "properties": {"amount": "7"}}]}, **TIMES)
    assert written.results[0].properties["amount"] == "7"
    rows = client.crm.associations.v4.batch_api.get_page("deals", "tasks", {"inputs": [{"id": "901"}]}, **TIMES).results
    assert sorted(each.to_object_id for each in rows[0].to) == sorted(each.id for each in made.results)
    assert portal.ledger.count() == 5


def test_partial_success_comes_as_the_with_errors_kind(client: Any) -> None:
    made = client.crm.objects.tasks.batch_api.create(
        {"inputs": [task("a", "t1"), task("b", "t2", hs_task_status="DONE")]}, **TIMES
    )
    assert (type(made).__name__, made.num_errors) == ("BatchResponseSimplePublicObjectWithErrors", 1)
    assert made.errors[0].context["objectWriteTraceId"] == ["t2"]
    assert made.results[0].object_write_trace_id == "t1"


def test_deals_without_contacts_come_as_errors_of_the_association_read(client: Any) -> None:
    read = client.crm.associations.v4.batch_api.get_page("deals", "contacts", {"inputs": [{"id": "906"}]}, **TIMES)
    assert read.errors[0].sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_what_is_set_up_can_be_read_and_extended(client: Any) -> None:
    pipelines = client.crm.pipelines.pipelines_api.get_all("deals", **TIMES).results
    assert [each.label for each in pipelines] == ["Renewals", "New business"]
    assert len(client.crm.owners.owners_api.get_page(**TIMES).results) == 5
    assert client.crm.owners.owners_api.get_page(archived=True, **TIMES).results[0].user_id is None
    definition = {"name": "key", "label": "Key", "type": "string", "fieldType": "text", "groupName": "task_information"}
    assert client.crm.properties.core_api.create("tasks", definition, **TIMES).name == "key"
    assert "key" in [each.name for each in client.crm.properties.core_api.get_all("tasks", **TIMES).results]
    labels = client.crm.associations.v4.schema.definitions_api.get_all("deals", "contacts", **TIMES).results
    assert [each.label for each in labels] == ["Billing contact", None]


def test_search_and_deletions_answer_as_the_client_expects(client: Any) -> None:
    raw = {"filterGroups": [], "sorts": ["hs_lastmodifieddate"], "limit": 3, "after": "0", "properties": ["dealname"]}
    found = client.crm.deals.search_api.do_search(raw, **TIMES)
    assert (found.total, found.paging.next.after) == (7, "3")
    client.crm.deals.basic_api.archive("904", **TIMES)
    assert client.crm.deals.basic_api.get_by_id("904", archived=True, **TIMES).archived is True
    client.crm.deals.batch_api.archive({"inputs": [{"id": "903"}]}, **TIMES)


def test_refusals_raise_with_hubspots_body(client: Any) -> None:
    with pytest.raises(Exception, match="resource not found") as caught:
        client.crm.deals.basic_api.get_by_id("1", **TIMES)
    assert caught.value.status == 404


def test_an_answer_lost_after_the_write_leaves_the_task_behind(client: Any, portal: HubSpotSandbox) -> None:
    portal.faults.set(Fault("tasks/batch/create", cut="after"))
    with pytest.raises(ProtocolError):
        client.crm.objects.tasks.batch_api.create({"inputs": [task("once")]}, **TIMES)
    assert [each["properties"]["hs_task_subject"] for each in portal.dump()["tasks"]] == ["once"]
