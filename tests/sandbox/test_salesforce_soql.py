"""What the sandbox understands of SOQL, and what it refuses as the vendor does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sandbox.salesforce import Actor, SalesforceSandbox
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.query import Reader
from sandbox.salesforce.soql import parse_query

Select = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def select(org: SalesforceSandbox) -> Select:
    reader = Reader(org.world, Actor(org.integration_user_id, api=True))
    return lambda text: reader.run(parse_query(text)).records


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["Name"] for row in rows]


def refusal(select: Select, text: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        select(text)
    return caught.value


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Name = 'delta robotics'", ["Delta Robotics"]),
        ("Name LIKE 'D%' OR Name LIKE '_oxglove%'", ["Delta Robotics", "Foxglove Studio"]),
        ("Active_Users__c = null", ["Épicerie Fine Martin"]),
        ("(NOT Name LIKE '%e%') AND Active_Users__c > 9", ["Bright Harbour Ltd"]),
        ("Active_Users__c >= 118 AND BillingCountry != 'Ireland'", ["Bright Harbour Ltd"]),
        ("BillingCountry NOT IN ('France', 'Ireland') AND Active_Users__c < 10", ["Foxglove Studio"]),
        ("Owner.Email = 'louis.martin@globex.example'", ["Coopérative du Vercors"]),
        ("Owner.IsActive = false", []),
        ("Id IN (SELECT AccountId FROM Opportunity WHERE Amount < 1000)", ["Foxglove Studio"]),
        ("Name = 'L\\'Atelier' OR Website = 'https://foxglove.example'", ["Foxglove Studio"]),
    ],
)
def test_conditions_select_what_they_say(select: Select, where: str, expected: list[str]) -> None:
    assert names(select(f"SELECT Name FROM Account WHERE {where} ORDER BY Name")) == expected


def test_rows_come_in_the_order_asked_for_with_nulls_where_asked(select: Select) -> None:
    first = names(select("SELECT Name FROM Account ORDER BY Active_Users__c DESC, Name LIMIT 2"))
    assert first == ["Épicerie Fine Martin", "Delta Robotics"]
    last = names(select("SELECT Name FROM Account ORDER BY Active_Users__c NULLS LAST LIMIT 2 OFFSET 4"))
    assert last == ["Delta Robotics", "Épicerie Fine Martin"]


def test_datetimes_and_dates_compare_by_moment_and_day(
    org: SalesforceSandbox, ids: dict[str, str], select: Select
) -> None:
    now = org.world.now()
    org.world.update(ids["Foxglove – renewal"], {"NextStep": "Call"}, at=now)
    east = (now - timedelta(minutes=1)).isoformat()
    assert names(select(f"SELECT Name FROM Opportunity WHERE SystemModstamp >= {east}")) == ["Foxglove – renewal"]
    day = (now + timedelta(days=20)).date().isoformat()
    assert names(select(f"SELECT Name FROM Opportunity WHERE Contract_End__c <= {day}")) == ["Vercors – renouvellement"]


def test_parents_and_children_come_along_and_an_empty_child_query_is_null(select: Select) -> None:
    (row,) = select(
        "SELECT Id, Account.Owner.Name, RecordType.Name, (SELECT Contact.Email, Role FROM OpportunityContactRoles"
        " WHERE IsPrimary = true), (SELECT Id FROM Tasks), (SELECT StageName FROM OpportunityHistories ORDER BY"
        " CreatedDate DESC) FROM Opportunity WHERE Name = 'Bright Harbour – renewal'"
    )
    assert row["Account"]["Owner"]["Name"] == "Emma Clark"
    assert row["Account"]["Owner"]["attributes"]["type"] == "User"
    assert row["RecordType"]["Name"] == "Renewal"
    assert row["Tasks"] is None
    roles = row["OpportunityContactRoles"].records
    assert [(each["Contact"]["Email"], each["Role"]) for each in roles] == [
        ("oliver.shaw@brightharbour.example", "Decision Maker")
    ]
    stages = [each["StageName"] for each in row["OpportunityHistories"].records]
    assert stages == ["Negotiation/Review", "Prospecting"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Id FROM Account WHERE Name = 'a' AND Site = 'b' OR Site = 'c'",
        "SELECT Id FROM Account WHERE Name = 'a' AND NOT Site = 'b'",
        "SELECT Id FROM Account WHERE Name = 'a\\q'",
        "SELECT Id FROM Account WHERE Name = 'unclosed",
        "SELECT Id FROM Account GROUP BY Name",
        "SELECT Id FROM Account LIMIT many",
        "SELECT Id FROM Account FOR UPDATE",
        "SELECT * FROM Account",
        "SELECT Id, Id FROM Account",
        "SELECT Id FROM Account WHERE CreatedDate > 2026-02-30T00:00:00Z",
        "SELECT ContentDocumentId FROM ContentDocumentLink",
        "",
    ],
)
def test_what_the_grammar_does_not_know_is_a_malformed_query(select: Select, text: str) -> None:
    error = refusal(select, text)
    assert (error.code, error.status) == ("MALFORMED_QUERY", 400)


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("SELECT Nope__c FROM Task", "INVALID_FIELD", "No such column 'Nope__c' on entity 'Task'"),
        ("SELECT Nope.Name FROM Task", "INVALID_FIELD", "Didn't understand relationship 'Nope'"),
        ("SELECT Id, (SELECT Id FROM Nopes) FROM Account", "INVALID_TYPE", "Didn't understand relationship 'Nopes'"),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported"),
        ("SELECT Id FROM Task WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Opportunity WHERE CloseDate = '2026-01-01'", "INVALID_FIELD", "must be of type date and"),
        ("SELECT Id FROM Opportunity WHERE CreatedDate > 2026-01-01", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Opportunity WHERE IsClosed = 'true'", "INVALID_FIELD", "must be of type boolean"),
        ("SELECT Id FROM Opportunity WHERE Name = 1", "INVALID_FIELD", "should be enclosed in quotes"),
        ("SELECT Id FROM Opportunity WHERE Id = 'short'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: short"),
        ("SELECT Id FROM FlowDefinition", "INVALID_TYPE", "'FlowDefinition' is not supported"),
    ],
)
def test_what_does_not_exist_or_does_not_compare_is_refused_by_name(
    select: Select, text: str, code: str, part: str
) -> None:
    error = refusal(select, text)
    assert error.code == code
    assert part in error.message


def test_ids_are_found_in_either_form(ids: dict[str, str], select: Select) -> None:
    full = ids["Foxglove – renewal"]
    assert len(full) == 18
    for form in (full, full[:15]):
        assert [row["Id"] for row in select(f"SELECT Id FROM Opportunity WHERE Id = '{form}'")] == [full]


def test_a_task_tells_about_who_and_what_it_belongs_to(
    org: SalesforceSandbox, ids: dict[str, str], select: Select
) -> None:
    deal, contact = ids["Delta Robotics – renewal"], ids["Aoife Byrne"]
    org.world.insert("Task", {"Subject": "Call", "WhatId": deal, "WhoId": contact})
    (row,) = select("SELECT What.Name, What.Type, Who.Name, Owner.Name, AccountId, Status FROM Task")
    assert row["What"] == {
        "attributes": {"type": "Name", "url": f"/sobjects/Opportunity/{deal}"},
        "Name": "Delta Robotics – renewal",
        "Type": "Opportunity",
    }
    assert row["Who"]["Name"] == "Aoife Byrne"
    assert (row["Owner"]["Name"], row["AccountId"]) == ("Ada Admin", ids["Delta Robotics"])
    assert row["Status"] == "Not Started"
