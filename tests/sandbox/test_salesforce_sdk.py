"""The real simple-salesforce over HTTP: it must find everything where it expects it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_soql

from sandbox.kit import Fault
from sandbox.salesforce import SalesforceSandbox


class Plain(HTTPAdapter):
    """Sends what the library addresses to https to the sandbox, which speaks plain HTTP."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.url = urlunsplit(parts._replace(scheme="http"))
        return super().send(request, *args, **kwargs)


@pytest.fixture
def sf(salesforce_url: str, sign_in: Callable[[], str]) -> Salesforce:
    session = requests.Session()
    session.mount("https://", Plain())
    return Salesforce(instance_url=salesforce_url, session_id=sign_in(), session=session, version="66.0")


def test_the_library_queries_pages_and_counts(org: SalesforceSandbox, sf: Salesforce) -> None:
    org.world.settings.page_rows = 2
    soql = format_soql("SELECT Id, Name FROM Account WHERE Name != {} AND CreatedDate <= {}", "L'été", org.world.now())
    rows = sf.query_all(soql)["records"]
    assert len({row["Name"] for row in rows}) == 6
    assert sf.api_usage["api-usage"].used == 3
    assert sf.limits()["DailyApiRequests"]["Remaining"] == 99_996


def test_the_library_creates_reads_changes_upserts_and_deletes(sf: Salesforce, ids: dict[str, str]) -> None:
    made = sf.Task.create({"Subject": "Say goodbye", "WhatId": ids["Foxglove – renewal"]})
    assert sf.Task.get(made["id"])["Status"] == "Not Started"
    assert sf.Task.update(made["id"], {"Status": "Completed"}) == 204
    assert sf.Contact.upsert("Email/maya.fox@foxglove.example", {"Title": "Founder"}) == 200
    assert sf.Task.delete(made["id"]) == 204
    assert {field["name"] for field in sf.Opportunity.describe()["fields"]} >= {"StageName", "Contract_End__c"}
    assert "Task" in {each["name"] for each in sf.describe()["sobjects"]}


def test_the_library_carries_collections_and_composite(sf: Salesforce) -> None:
    records = [{"attributes": {"type": "Task"}, "Subject": "One"}]
    (item,) = sf.restful("composite/sobjects", method="POST", json={"allOrNone": False, "records": records})
    assert item["success"] is True
    part = {"method": "GET", "url": "/services/data/v66.0/limits", "referenceId": "limits"}
    answer = sf.restful("composite", method="POST", json={"compositeRequest": [part]})
    assert answer["compositeResponse"][0]["httpStatusCode"] == 200


def test_the_library_raises_the_error_that_fits(org: SalesforceSandbox, sf: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest) as malformed:
        sf.query("SELECT Nope FROM Task")
    assert malformed.value.content[0]["errorCode"] == "INVALID_FIELD"
    with pytest.raises(SalesforceResourceNotFound):
        sf.Task.get("00T5g0000009999AAA")
    org.faults.set(Fault("GET .*/query", status=503), Fault("GET .*/query", status=403))
    with pytest.raises(SalesforceGeneralError) as broken:
        sf.query("SELECT Id FROM Task")
    assert (broken.value.status, broken.value.content) == (503, "<html><body>Service Unavailable</body></html>")
    with pytest.raises(SalesforceRefusedRequest) as refused:
        sf.query("SELECT Id FROM Task")
    assert refused.value.content[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    org.oauth.expire_sessions()
    with pytest.raises(SalesforceExpiredSession):
        sf.query("SELECT Id FROM Task")


def test_an_answer_lost_after_the_write_leaves_the_record(
    org: SalesforceSandbox, sf: Salesforce, ids: dict[str, str]
) -> None:
    org.faults.set(Fault("POST .*/composite/sobjects", cut="after"))
    records = [{"attributes": {"type": "Task"}, "Subject": "One", "WhatId": ids["Foxglove – renewal"]}]
    with pytest.raises(requests.ConnectionError):
        sf.restful("composite/sobjects", method="POST", json={"records": records})
    assert sf.query("SELECT Id FROM Task")["totalSize"] == 1


def test_the_answers_date_follows_the_organisations_clock(org: SalesforceSandbox, salesforce_url: str) -> None:
    requests.post(f"{salesforce_url}/sandbox/clock", json={"set": "2027-05-01T08:00:00+00:00"}, timeout=5)
    answer = requests.get(f"{salesforce_url}/services/data/v66.0/limits", timeout=5)
    assert answer.headers["Date"].startswith("Sat, 01 May 2027 08:00:0")


def test_the_pages_show_the_world_and_move_it(org: SalesforceSandbox, salesforce_url: str, ids: dict[str, str]) -> None:
    deal = ids["Bright Harbour – renewal"]
    task = org.world.insert("Task", {"Subject": "Thank them", "Description": "<b>plain</b>", "WhatId": deal})
    board = requests.get(salesforce_url, timeout=5).text
    assert "Bright Harbour – renewal" in board
    assert "Not Renewing" in board
    page = requests.get(f"{salesforce_url}/deals/{deal}", timeout=5).text
    assert "&lt;b&gt;plain&lt;/b&gt;" in page
    requests.post(f"{salesforce_url}/deals/{deal}/stage", data={"stage": "Not Renewing"}, timeout=5)
    requests.post(f"{salesforce_url}/tasks/{task}/done", data={"done": "1"}, timeout=5)
    fields = {"Contract_End__c": "2027-01-31", "OwnerId": "ignored"}
    requests.post(f"{salesforce_url}/deals/{deal}/fields", data=fields, timeout=5)
    row = org.world.known(deal)
    assert (row["StageName"], row["Contract_End__c"].isoformat()) == ("Not Renewing", "2027-01-31")
    assert org.world.known(task)["IsClosed"] is True
    for path in ("/tasks", "/users", "/deliveries", "/calls", f"/companies/{ids['Delta Robotics']}"):
        assert requests.get(f"{salesforce_url}{path}", timeout=5).status_code == 200
    assert requests.get(f"{salesforce_url}/deals/nope", timeout=5).status_code == 404
    linked = requests.get(f"{salesforce_url}/lightning/r/Opportunity/{deal}/view", timeout=5)
    assert linked.url == f"{salesforce_url}/deals/{deal}"
