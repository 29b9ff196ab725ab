from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import urllib3.exceptions
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import AdapterError, OutcomeUnknown, Permanent, RateLimited, Rejected, ScopeMissing, Unavailable
from adapters.hubspot.problems import Circumstances, Problem, from_network, from_status, parse_problem

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
READ = Circumstances("acme", "deals.batch_api.read", False, False, NOW, "UTC")
WRITE = Circumstances("acme", "tasks.batch_api.create", True, False, NOW, "UTC")

BAD_VALUES = {
    "status": "error",
    "message": 'Property values were not valid: [{"isValid":false,"message":"Property \\"foo\\" does not exist",'
    '"error":"PROPERTY_DOESNT_EXIST","name":"foo","localizedErrorMessage":"...","portalId":4242}]',
    "correlationId": "0119cdfd-94c6-4d85-9e49-1afaa4657aaf",
    "category": "VALIDATION_ERROR",
}
NEWER = {
    "status": "error",
    "message": "helene@example.com is not valid",
    "category": "VALIDATION_ERROR",
    "errors": [{"message": "...", "code": "INVALID_EMAIL", "context": {"propertyName": ["email"]}}],
}
TEN_SECONDLY = {
    "status": "error",
    "message": "You have reached your ten_secondly_rolling limit.",
    "errorType": "RATE_LIMIT",
    "correlationId": "84f7f8e6-ad60-4d85-9e49-1afaa4657aaf",
    "policyName": "TEN_SECONDLY_ROLLING",
    "groupName": "publicapi:private-apps:api-calls-per-10-seconds",
}
TAKEN = {
    "status": "error",
    "category": "VALIDATION_ERROR",
    "message": "Cannot set PropertyValueCoordinates{portalId=4242, propertyName=aurevoir_key, value=k} on a "
    "new record. 31 already has that value.",
}


def test_the_property_is_named_in_the_older_and_in_the_newer_form() -> None:
    older, newer = parse_problem(json.dumps(BAD_VALUES)), parse_problem(NEWER)
    assert (older.fields, older.unknown_property) == (("foo",), True)
    assert "aurevoir provision" in older.sentence()
    assert (newer.fields, newer.codes) == (("email",), ("INVALID_EMAIL",))
    assert older.correlation_id == "0119cdfd-94c6-4d85-9e49-1afaa4657aaf"


def test_a_unique_value_that_is_taken_and_a_required_property_are_understood() -> None:
    assert parse_problem(TAKEN).taken
    assert parse_problem(TAKEN).fields == ("aurevoir_key",)
    required = {"category": "VALIDATION_ERROR", "message": "...", "context": {"properties": ["closed_lost_reason"]}}
    assert "closed_lost_reason" in parse_problem(required).sentence()


def test_values_of_an_error_body_never_reach_the_error() -> None:
    for body in (BAD_VALUES, NEWER, TAKEN):
        error = from_status(400, json.dumps(body), {}, WRITE)
        assert isinstance(error, Rejected)
        assert "helene" not in str(error)
        assert "value=k" not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, {"errors": [{"context": {"requiredGranularScopes": ["files"]}}]}, ScopeMissing),
        (409, {"category": "CONFLICT"}, Rejected),
        (422, {}, Rejected),
        (415, "<html>", Rejected),
        (423, {}, RateLimited),
        (429, TEN_SECONDLY, RateLimited),
        (408, "", Unavailable),
        (500, {"category": "INTERNAL_ERROR"}, Unavailable),
        (502, "<html><body>Bad gateway</body></html>", Unavailable),
        (524, b"\xff\xfe", Unavailable),
    ],
)
def test_each_status_says_what_to_do(status: int, body: Any, kind: type[AdapterError]) -> None:
    error = from_status(status, body if isinstance(body, str | bytes) else json.dumps(body), {}, READ)
    assert type(error) is kind or (kind is Rejected and isinstance(error, Rejected))
    assert error.status == status
    if kind is Unavailable:
        assert isinstance(from_status(status, "", {}, WRITE), OutcomeUnknown)


def test_a_missing_scope_is_named() -> None:
    body = json.dumps({"errors": [{"context": {"requiredGranularScopes": ["files", "oauth"]}}]})
    error = from_status(403, body, {}, READ)
    assert isinstance(error, ScopeMissing)
    assert error.scopes == ("files", "oauth")
    assert "files, oauth" in str(error)


def test_a_host_that_cannot_be_reached_is_named_with_what_to_check() -> None:
    pool = urllib3.HTTPConnectionPool("127.0.0.1", 9)
    refused = urllib3.exceptions.NewConnectionError(cast(Any, None), "refused")
    told = str(from_network(urllib3.exceptions.MaxRetryError(pool, "/", refused), READ))
    assert "cannot be reached at 127.0.0.1: check api_url" in told


def test_a_call_that_never_left_is_no_unclear_write() -> None:
    pool: Any = None
    refused = urllib3.exceptions.NewConnectionError(pool, "refused")
    assert isinstance(from_network(urllib3.exceptions.MaxRetryError(pool, "/", refused), WRITE), Unavailable)
    for broken in (urllib3.exceptions.ReadTimeoutError(pool, "/", "slow"), ConnectionResetError(), TimeoutError()):
        assert isinstance(from_network(broken, WRITE), OutcomeUnknown)
        assert isinstance(from_network(broken, READ), Unavailable)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["errors", "message", "context", "category", "code", "in", "correlationId", "policyName", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(body=json_values | st.binary(max_size=40), status=st.integers(300, 599), said=st.text(max_size=12))
def test_whatever_comes_back_becomes_one_of_our_errors(body: Any, status: int, said: str) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body)
    assert isinstance(parse_problem(raw), Problem)
    for at in (READ, WRITE):
        error = from_status(status, raw, {"Retry-After": said}, at)
        assert isinstance(error, Permanent | RateLimited | OutcomeUnknown | Unavailable)
        if isinstance(error, RateLimited):
            assert error.until >= NOW
