"""Collections and composite requests, and what one record's fate does to the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.schema import Field

Rest = Callable[..., Any]
KEY = Field(
    "Key__c",
    "string",
    "Key",
    length=120,
    createable=True,
    updateable=True,
    external_id=True,
    unique=True,
    case_sensitive=True,
    custom=True,
)
ROOT = "/services/data/v66.0"


@pytest.fixture(autouse=True)
def _keyed(org: SalesforceSandbox) -> None:
    org.world.schema.add_field("Activity", KEY)


def task(key: str | None = None, **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Task"}, "Subject": "Say goodbye", "Key__c": key, **values}


def insert(rest: Rest, *records: dict[str, Any], strict: bool = False) -> list[dict[str, Any]]:
    answer = rest("POST", "/composite/sobjects", {"allOrNone": strict, "records": list(records)})
    assert answer.status_code == 200, answer.get_json()
    items: list[dict[str, Any]] = answer.get_json()
    return items


def count(org: SalesforceSandbox) -> int:
    return len(list(org.world.rows("Task")))


def test_each_record_has_its_own_fate_and_keeps_its_place(org: SalesforceSandbox, rest: Rest) -> None:
    items = insert(rest, task("a"), task("b", Subject="x" * 256), task("c"))
    assert [item["success"] for item in items] == [True, False, True]
    assert items[1]["errors"][0]["statusCode"] == "STRING_TOO_LONG"
    assert "id" not in items[1]
    assert count(org) == 2


@pytest.mark.parametrize(("form", "shown"), [("15", 15), ("18", 18), ("unknown", None)])
def test_a_second_record_with_the_same_key_is_refused_naming_the_first(
    org: SalesforceSandbox, rest: Rest, form: Any, shown: int | None
) -> None:
    org.world.settings.duplicate_ids = form
    (first,) = insert(rest, task("a"))
    (second,) = insert(rest, task("a"))
    (error,) = second["errors"]
    assert error["statusCode"] == "DUPLICATE_VALUE"
    name = first["id"][:shown] if shown else "<unknown>"
    assert error["message"] == f"duplicate value found: Key__c duplicates value on record with id: {name}"
    assert count(org) == 1


def test_keys_mind_case_where_the_field_does(org: SalesforceSandbox, rest: Rest) -> None:
    assert all(item["success"] for item in insert(rest, task("a"), task("A")))
    found = rest("GET", "/query", query_string={"q": "SELECT Key__c FROM Task WHERE Key__c = 'A'"}).get_json()[
        "records"
    ]
    assert [row["Key__c"] for row in found] == ["A"]
    org.world.schema.add_field("Activity", replace(KEY, name="Other__c", case_sensitive=False))
    items = insert(rest, task(Other__c="b"), task(Other__c="B"))
    assert [item["success"] for item in items] == [True, False]
    assert "<unknown>" in items[1]["errors"][0]["message"]


def test_a_key_in_the_recycle_bin_is_free_unless_the_organisation_says_otherwise(
    org: SalesforceSandbox, rest: Rest
) -> None:
    (item,) = insert(rest, task("a"))
    org.world.delete(item["id"])
    (again,) = insert(rest, task("a"))
    assert again["success"] is True
    org.world.settings.recycled_keys_block = True
    org.world.delete(again["id"])
    assert insert(rest, task("a"))[0]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"


def test_all_or_none_takes_the_good_ones_back(org: SalesforceSandbox, rest: Rest) -> None:
    good, bad = insert(rest, task("a"), task("b", Subject="x" * 256), strict=True)
    assert good["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert bad["errors"][0]["statusCode"] == "STRING_TOO_LONG"
    assert count(org) == 0
    assert insert(rest, task("a"))[0]["success"] is True, "the key of a rolled back record must be free again"


def test_too_many_records_or_too_mixed_kinds_are_refused_whole(rest: Rest) -> None:
    answer = rest("POST", "/composite/sobjects", {"records": [task()] * 201})
    assert answer.get_json()[0]["errorCode"] == "EXCEEDED_ID_LIMIT"
    account = {"attributes": {"type": "Account"}, "Name": "A"}
    answer = rest("POST", "/composite/sobjects", {"records": [task(), account] * 6})
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, "INVALID_OPERATION")


def test_update_delete_and_retrieve_work_on_many_at_once(rest: Rest, ids: dict[str, str]) -> None:
    made = [item["id"] for item in insert(rest, task("a"), task("b"))]
    body = {"records": [{"attributes": {"type": "Task"}, "id": made[0], "Subject": "Changed"}, task(Subject="No id")]}
    done, lost = rest("PATCH", "/composite/sobjects", body).get_json()
    assert done == {"id": made[0], "success": True, "errors": []}
    assert lost["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    gone = rest("DELETE", "/composite/sobjects", query_string={"ids": f"{made[1]},{ids['Aoife Byrne']}x"}).get_json()
    assert [item["success"] for item in gone] == [True, False]
    rows = rest("POST", "/composite/sobjects/Task", {"ids": made, "fields": ["Subject"]}).get_json()
    assert (rows[0]["Subject"], rows[1]) == ("Changed", None)


def test_upsert_by_key_changes_what_is_there_and_creates_the_rest(org: SalesforceSandbox, rest: Rest) -> None:
    (first,) = insert(rest, task("a"))
    body = {"records": [task("a", Subject="Overwritten"), task("b")]}
    items = rest("PATCH", "/composite/sobjects/Task/Key__c", body).get_json()
    assert [(item["created"], item["success"]) for item in items] == [(False, True), (True, True)]
    assert org.world.known(first["id"])["Subject"] == "Overwritten"


def composite(rest: Rest, *parts: tuple[str, str, str, Any], strict: bool = False) -> Any:
    requests = [
        {"referenceId": name, "method": method, "url": f"{ROOT}{path}", "body": body}
        for name, method, path, body in parts
    ]
    return rest("POST", "/composite", {"allOrNone": strict, "compositeRequest": requests})


def test_composite_parts_run_in_order_and_refer_to_earlier_answers(
    org: SalesforceSandbox, rest: Rest, ids: dict[str, str]
) -> None:
    deal = ids["Foxglove – renewal"]
    answer = composite(
        rest,
        ("tasks", "POST", "/composite/sobjects", {"records": [task("a")]}),
        ("deal", "PATCH", f"/sobjects/Opportunity/{deal}", {"NextStep": "@{tasks[0].id}"}),
        ("look", "GET", "/query?q=SELECT+NextStep+FROM+Opportunity+WHERE+NextStep+%21%3D+null", None),
        ("lost", "PATCH", f"/sobjects/Opportunity/{deal}", {"NextStep": "@{nothing.id}"}),
    ).get_json()["compositeResponse"]
    assert [part["httpStatusCode"] for part in answer] == [200, 204, 200, 400]
    made = answer[0]["body"][0]["id"]
    assert answer[2]["body"]["records"][0]["NextStep"] == made
    assert answer[3]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert org.ledger.count() == 1, "a composite request counts as one call"


def test_a_key_used_by_an_earlier_part_names_its_record(rest: Rest) -> None:
    parts = [(name, "POST", "/composite/sobjects", {"records": [task("a")]}) for name in ("one", "two")]
    first, second = composite(rest, *parts).get_json()["compositeResponse"]
    assert first["body"][0]["id"][:15] in second["body"][0]["errors"][0]["message"]


def test_a_refused_record_does_not_fail_its_composite_part_unless_all_or_none(
    org: SalesforceSandbox, rest: Rest, ids: dict[str, str]
) -> None:
    tasks = ("tasks", "POST", "/composite/sobjects", {"records": [task("a"), task("b", Subject="x" * 256)]})
    deal = ("deal", "PATCH", f"/sobjects/Opportunity/{ids['Foxglove – renewal']}", {"NextStep": "Done"})
    loose = composite(rest, tasks, deal).get_json()["compositeResponse"]
    assert [part["httpStatusCode"] for part in loose] == [200, 204]
    assert count(org) == 1
    strict = composite(rest, deal, tasks, strict=True).get_json()["compositeResponse"]
    assert strict[0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert [part["httpStatusCode"] for part in strict] == [400, 400]
    assert count(org) == 1


def test_composite_limits_are_kept(rest: Rest) -> None:
    many = composite(rest, *[(f"p{at}", "GET", "/limits", None) for at in range(26)])
    heavy = composite(rest, *[(f"p{at}", "GET", "/query?q=SELECT+Id+FROM+Task", None) for at in range(6)])
    for answer in (many, heavy):
        assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
