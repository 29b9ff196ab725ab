"""Search in the HubSpot sandbox: filters, limits, and an index that lags."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox.hubspot import HubSpotSandbox

Call = Callable[..., TestResponse]
PATH = "/crm/objects/2026-03/deals/search"


def one(name: str, operator: str, **values: Any) -> dict[str, Any]:
    return {"propertyName": name, "operator": operator, **values}


def request_of(*groups: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    base = {"limit": 200, "after": "0", "properties": ["dealname"], "sorts": ["hs_object_id"]}
    return {**base, "filterGroups": [{"filters": group} for group in groups], **more}


def ids(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.get_json()
    return [each["id"] for each in answer.get_json()["results"]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (one("dealstage", "EQ", value="1001"), ["904"]),
        (one("dealstage", "NEQ", value="1002"), ["904", "907"]),
        (one("dealstage", "IN", values=["1001", "contractsent"]), ["904", "907"]),
        (one("dealname", "EQ", value="foxglove – RENEWAL"), ["906"]),
        (one("amount", "GT", value="40000"), ["902", "904"]),
        (one("amount", "GTE", value="40000"), ["902", "904", "907"]),
        (one("amount", "LT", value="1200"), ["906"]),
        (one("amount", "LTE", value="1200"), ["905", "906"]),
        (one("amount", "BETWEEN", value="1000", highValue="7000"), ["903", "905"]),
        (one("hubspot_owner_id", "NOT_HAS_PROPERTY"), ["905"]),
        (one("exit_reason", "HAS_PROPERTY"), ["902", "903"]),
        (one("associations.companies", "EQ", value="504"), ["904", "907"]),
    ],
)
def test_a_filter_selects(call: Call, condition: dict[str, Any], expected: list[str]) -> None:
    assert ids(call("POST", PATH, request_of([condition]))) == expected


def test_moments_compare_as_epoch_milliseconds_and_as_iso(call: Call, portal: HubSpotSandbox) -> None:
    since = portal.clock.now() - timedelta(days=20)
    for value in (str(int(since.timestamp() * 1000)), since.isoformat()):
        found = ids(call("POST", PATH, request_of([one("hs_lastmodifieddate", "GTE", value=value)])))
        assert found == ["901", "902", "903", "905", "906", "907"]


def test_filters_of_a_group_are_and_and_groups_are_or(call: Call) -> None:
    both = [one("dealstage", "EQ", value="1002"), one("amount", "GT", value="10000")]
    assert ids(call("POST", PATH, request_of(both, [one("dealname", "EQ", value="Foxglove – renewal")]))) == [
        "901",
        "902",
        "906",
    ]


def test_the_index_lags_behind_changes_by_some_seconds(call: Call, portal: HubSpotSandbox) -> None:
    lost = request_of([one("dealstage", "EQ", value="1004")], properties=["dealstage"])
    call("PATCH", "/crm/objects/2026-03/deals/901", {"properties": {"dealstage": "1004"}})
    assert ids(call("POST", PATH, lost)) == []
    portal.clock.advance(timedelta(seconds=6))
    assert ids(call("POST", PATH, lost)) == ["901"]


def test_a_deleted_deal_stays_in_the_index_for_a_moment(call: Call, portal: HubSpotSandbox) -> None:
    everything = request_of()
    call("DELETE", "/crm/objects/2026-03/deals/901")
    assert "901" in ids(call("POST", PATH, everything))
    portal.clock.advance(timedelta(seconds=6))
    assert "901" not in ids(call("POST", PATH, everything))


def test_pages_follow_after_and_sorts_run_both_ways(call: Call) -> None:
    down = [{"propertyName": "amount", "direction": "DESCENDING"}]
    first = call("POST", PATH, request_of(limit=4, sorts=down)).get_json()
    rest = call("POST", PATH, request_of(limit=4, sorts=down, after=first["paging"]["next"]["after"])).get_json()
    assert first["total"] == 7
    assert [each["id"] for each in first["results"] + rest["results"]] == [
        "904",
        "902",
        "907",
        "901",
        "903",
        "905",
        "906",
    ]
    assert "paging" not in rest


@pytest.mark.parametrize(
    "raw",
    [
        request_of(limit=201),
        request_of(limit=0),
        request_of(after="9900"),
        request_of(after="x"),
        request_of(*[[one("amount", "GT", value="1")]] * 6),
        request_of([one("amount", "GT", value="1")] * 7),
        request_of(*[[one("amount", "GT", value="1")] * 5] * 4),
        request_of([one("no_such", "EQ", value="1")]),
        request_of([one("amount", "LIKE", value="1")]),
        request_of([one("amount", "EQ")]),
        request_of([one("amount", "BETWEEN", value="1")]),
        request_of([one("dealstage", "IN", values=["x" * 3000])]),
        request_of(sorts=["amount", "dealname"]),
        request_of(filters=[]),
    ],
)
def test_a_search_beyond_the_limits_is_refused(call: Call, raw: dict[str, Any]) -> None:
    answer = call("POST", PATH, raw)
    assert (answer.status_code, answer.get_json()["category"]) == (400, "VALIDATION_ERROR")


def test_five_searches_a_second_and_no_rate_limit_headers(call: Call, portal: HubSpotSandbox) -> None:
    answers = [call("POST", PATH, request_of()) for _ in range(6)]
    assert [each.status_code for each in answers] == [200] * 5 + [429]
    refused = answers[-1].get_json()
    assert (refused["policyName"], refused["errorType"]) == ("SECONDLY", "RATE_LIMIT")
    assert refused["message"] == "You have reached your secondly limit."
    assert not any(name.lower().startswith("x-hubspot-ratelimit") for each in answers for name, _ in each.headers)
    portal.clock.advance(timedelta(seconds=1))
    assert call("POST", PATH, request_of()).status_code == 200
