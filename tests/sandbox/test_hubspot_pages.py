"""What a person sees and does in the HubSpot sandbox, and its control API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox.hubspot import HubSpotSandbox

Call = Callable[..., TestResponse]


@pytest.fixture
def person(portal: HubSpotSandbox) -> FlaskClient:
    return portal.app.test_client()


@pytest.mark.parametrize(
    "path",
    ["/", "/deals/901", "/deals/906", "/companies/505", "/contacts/703", "/tasks", "/users", "/deliveries", "/calls"],
)
def test_every_page_opens_and_is_no_api_call(portal: HubSpotSandbox, person: FlaskClient, path: str) -> None:
    page = person.get(path)
    assert page.status_code == 200
    assert "script" not in page.headers["Content-Security-Policy"]
    assert 'http-equiv="refresh"' not in page.text
    assert 'http-equiv="refresh"' in person.get(f"{path}?watch=1").text
    assert portal.ledger.count() == 0


def test_the_board_shows_deals_by_stage_with_their_gaps(person: FlaskClient) -> None:
    page = person.get("/").text
    assert "Not renewing" in page
    assert "Hugo Petit (inactive)" in page
    assert "no owner" in page


def test_a_task_shows_who_when_and_harmless_html_only(
    call: Call, person: FlaskClient, new_task: Callable[..., dict[str, Any]]
) -> None:
    body = '<p>Call <b>her</b> <a href="https://x.example/s/1">survey</a></p><script>alert(1)</script><img src=x>'
    call("POST", "/crm/v3/objects/tasks", new_task("<i>Thank</i> her", hs_task_body=body))
    page = person.get("/deals/901").text
    assert "&lt;i&gt;Thank&lt;/i&gt; her" in page
    assert "Camille Roux" in page
    assert "Tue 01 Dec 2026, 09:00 UTC" in page
    assert '<a href="https://x.example/s/1"' in page
    assert "<script" not in page
    assert "<img" not in page


def test_a_person_moves_a_deal_and_history_says_so(call: Call, person: FlaskClient) -> None:
    assert person.post("/deals/901/stage", data={"stage": "1004"}).status_code == 303
    deal = call("GET", "/crm/v3/objects/deals/901?propertiesWithHistory=dealstage").get_json()
    newest = deal["propertiesWithHistory"]["dealstage"][0]
    assert (newest["value"], newest["sourceType"]) == ("1004", "CRM_UI")


def test_a_person_completes_a_task_and_comes_back(
    call: Call, person: FlaskClient, new_task: Callable[..., dict[str, Any]]
) -> None:
    task = call("POST", "/crm/v3/objects/tasks", new_task()).get_json()["id"]
    answer = person.post(f"/tasks/{task}/done", data={"done": "1", "back": "/deals/901"})
    assert answer.headers["Location"] == "/deals/901"
    assert 'class="task done"' in person.get("/tasks").text
    assert person.post(f"/tasks/{task}/done", data={"done": "0", "back": "//evil.example"}).headers["Location"] == "/"


def test_a_person_ticks_a_box_and_takes_the_tick_back(call: Call, person: FlaskClient) -> None:
    about: dict[str, Any] = {"name": "start_it", "label": "Start it", "groupName": "dealinformation", "hidden": False}
    options = [{"label": one, "value": one, "hidden": False} for one in ("true", "false")]
    about |= {"type": "bool", "fieldType": "booleancheckbox", "options": options}
    made = call("POST", "/crm/v3/properties/deals", about)
    assert made.status_code == 201, made.text
    assert 'name="start_it" type="checkbox"' in person.get("/deals/901").text

    def value() -> str | None:
        deal = call("GET", "/crm/v3/objects/deals/901?properties=start_it").get_json()
        found: str | None = deal["properties"]["start_it"]
        return found

    person.post("/deals/901/fields", data={"start_it": "false"})
    assert value() is None, "saving something else does not touch an empty box"
    person.post("/deals/901/fields", data={"start_it": ["false", "true"]})
    assert value() == "true"
    assert 'type="checkbox" value="true" checked' in person.get("/deals/901").text
    person.post("/deals/901/fields", data={"start_it": "false"})
    assert value() == "false"


def test_a_person_moves_the_contracts_end(call: Call, person: FlaskClient) -> None:
    person.post("/deals/901/fields", data={"contract_end_date": "2027-03-31"})
    deal = call("GET", "/crm/v3/objects/deals/901?properties=contract_end_date").get_json()
    assert deal["properties"]["contract_end_date"] == "2027-03-31"
    refused = person.post("/deals/901/fields", data={"contract_end_date": "soon"})
    assert (refused.status_code, "was not a valid date" in refused.text) == (400, True)


def test_an_unknown_record_is_a_plain_404_page(person: FlaskClient) -> None:
    assert person.get("/deals/1").status_code == 404
    assert "There is no deal 1." in person.get("/deals/1").text


def test_a_merged_and_a_binned_deal_say_so(call: Call, person: FlaskClient) -> None:
    call("POST", "/crm/v3/objects/deals/merge", {"primaryObjectId": "901", "objectIdToMerge": "902"})
    call("DELETE", "/crm/v3/objects/deals/903")
    assert "was merged into this one" in person.get("/deals/902").text
    assert "recycle bin" in person.get("/deals/903").text


def test_the_control_api_moves_clock_and_deals_and_shows_everything(
    portal: HubSpotSandbox, person: FlaskClient
) -> None:
    assert (
        person.post("/sandbox/clock", json={"set": "2030-01-01T00:00:00Z"}).get_json()["now"].startswith("2030-01-01")
    )
    person.post("/sandbox/clock", json={"advance_seconds": 86400})
    assert person.get("/sandbox/clock").get_json()["now"].startswith("2030-01-02")
    assert person.post("/sandbox/deals/901/stage", json={"stage": "Not renewing"}).status_code == 200
    deal = next(each for each in person.get("/sandbox/dump").get_json()["deals"] if each["id"] == "901")
    assert deal["properties"]["dealstage"] == "1004"
    assert deal["associations"]["companies"] == {"501": ["deal_to_company", "deal_to_company_unlabeled"]}
    assert portal.ledger.count() == 0


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("/sandbox/clock", {"set": "2030-01-01T00:00:00"}, 400, "time zone"),
        ("/sandbox/deals/1/stage", {"stage": "1004"}, 404, "deal 1"),
        ("/sandbox/deals/901/stage", {"stage": "Nowhere"}, 400, "Not renewing"),
        ("/sandbox/faults", [{"match": "(", "status": 500}], 400, "unterminated"),
        ("/sandbox/seed", {"colour": []}, 400, "colour"),
        ("/sandbox/seed", [{"type": "deals", "properties": {"nope": "1"}}], 400, "nope"),
        ("/sandbox/webhooks", {"url": "ftp://x"}, 400, "HTTPS"),
    ],
)
def test_the_control_api_says_what_is_wrong(person: FlaskClient, path: str, body: Any, status: int, word: str) -> None:
    answer = person.post(path, json=body)
    assert (answer.status_code, word in answer.get_json()["error"]) == (status, True)


def test_seeding_lays_down_a_past_with_links(call: Call, person: FlaskClient) -> None:
    records = [
        {"type": "companies", "properties": {"name": "New Ltd"}},
        {
            "type": "deals",
            "properties": {"dealname": "Old deal", "dealstage": "1002"},
            "at": "2025-01-01T00:00:00+00:00",
            "associations": [{"type": "companies", "id": "#0"}, {"type": "contacts", "id": "701"}],
        },
    ]
    company, deal = person.post("/sandbox/seed", json={"records": records}).get_json()["ids"]
    found = call("GET", f"/crm/v3/objects/deals/{deal}?associations=companies,contacts").get_json()
    assert found["createdAt"] == "2025-01-01T00:00:00.000Z"
    assert found["associations"]["companies"]["results"][0] == {"id": company, "type": "deal_to_company"}


def test_planned_faults_calls_and_limits_are_set_from_outside(call: Call, person: FlaskClient) -> None:
    person.post("/sandbox/faults", json=[{"match": "GET /crm", "status": 503, "times": 2}])
    assert call("GET", "/crm/v3/objects/deals/901").status_code == 503
    assert person.get("/sandbox/faults").get_json()[0]["times"] == 1
    person.delete("/sandbox/faults")
    assert call("GET", "/crm/v3/objects/deals/901").status_code == 200
    assert [each["status"] for each in person.get("/sandbox/calls").get_json()["calls"]] == [503, 200]
    assert person.delete("/sandbox/calls").get_json()["total"] == 0
    person.post("/sandbox/seed", json={"limits": {"burst": 0}, "options": {"search_lag": 0}})
    assert call("GET", "/crm/v3/objects/deals/901").status_code == 429
