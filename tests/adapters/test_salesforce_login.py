"""Tokens and transport: what happens when Salesforce, or something in between, does not play along."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
import structlog

from adapters.errors import (
    AdapterError,
    CredentialsInvalid,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    ScopeMissing,
    Unavailable,
    Unsupported,
)
from adapters.salesforce import ADAPTER
from adapters.salesforce.adapter import SalesforceCrm
from adapters.salesforce.transport import Heard
from adapters.services import FieldMap, Services, Token
from sandbox.kit import Fault

LOGIN = "https://globex.my.salesforce.com"
TOKEN_URL = f"{LOGIN}/services/oauth2/token"
QUERY_URL = "https://globex--eu.my.salesforce.com/services/data/v66.0/query/"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECRET = "a-very-secret-client-secret"
ACCESS = "00D5g00000ABCDE!AQ.the.access.token"


def grant(**changes: Any) -> dict[str, Any]:
    known = {
        "access_token": ACCESS,
        "instance_url": "https://globex--eu.my.salesforce.com",
        "id": "https://login.salesforce.com/id/00D5g00000ABCDEEA5/0055g0000000001AAA",
        "token_type": "Bearer",
        "issued_at": "1795252502000",
        "signature": "FAKE=",
    }
    return {**known, **changes}


@pytest.fixture
def http() -> Any:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


class Fixed:
    """A connection to a made-up org over intercepted requests, with a clock that only waiting moves."""

    def __init__(self, tokens: Any, budget: Any) -> None:
        self.now = NOW
        self.tokens, self.budget = tokens, budget

    def connect(self, **settings: Any) -> SalesforceCrm:
        known = {"login_url": LOGIN, "client_id": "3MVG9", "client_secret": SECRET}
        model = ADAPTER.settings_model.model_validate({**known, **settings})
        services = Services(lambda: self.now, self.sleep, self.tokens, self.budget)
        made = ADAPTER.connect("globex", "00D5g00000ABCDE", model, FieldMap(), services, state={})
        assert isinstance(made, SalesforceCrm)
        return made

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def fixed(kept: tuple[Any, Any]) -> Fixed:
    return Fixed(*kept)


# --- tokens ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "description", "cure"),
    [
        (400, "invalid_client_id", "client identifier invalid", "consumer key"),
        (401, "invalid_client", "invalid client credentials", "client_id or client_secret is wrong"),
        (400, "invalid_client", "app must be installed into org", "an admin must install it"),
        (400, "invalid_grant", "no client credentials user enabled", "run-as user"),
        (400, "inactive_user", "inactive user", "choose an active one"),
        (400, "invalid_grant", "request not supported on this domain", "My Domain"),
        (400, "unsupported_grant_type", "grant type not supported", "client-credentials flow"),
        (400, "invalid_grant", "expired access/refresh token", "connect the account again"),
        (400, "something_new", "that nobody has seen", "check login_url"),
    ],
)
def test_a_refused_login_says_what_to_do(
    http: Any, fixed: Fixed, status: int, error: str, description: str, cure: str
) -> None:
    http.post(TOKEN_URL, status=status, json={"error": error, "error_description": description})
    with pytest.raises(CredentialsInvalid, match=cure) as caught:
        fixed.connect().users()
    assert SECRET not in str(caught.value)
    assert fixed.tokens.load() is None


def test_the_token_of_another_organisation_is_not_used(http: Any, fixed: Fixed) -> None:
    http.post(TOKEN_URL, json=grant(id="https://login.salesforce.com/id/00D5g00000ZZZZZEA5/0055g0000000001AAA"))
    with pytest.raises(CredentialsInvalid, match="00D5g00000ZZZZZ"):
        fixed.connect().users()
    assert fixed.tokens.load() is None


def test_a_kept_token_of_another_organisation_is_not_used_either(http: Any, fixed: Fixed) -> None:
    facts = {"instance_url": "https://evil.example", "org_id": "00D5g00000ZZZZZEA5"}
    fixed.tokens.save(Token({"access_token": "stray"}, facts))
    http.post(TOKEN_URL, json=grant())
    http.get(QUERY_URL, json={"totalSize": 0, "done": True, "records": []})
    fixed.connect().users()
    assert http.calls[-1].request.headers["Authorization"] == f"Bearer {ACCESS}"


@pytest.mark.parametrize("instance", ["http://globex.my.salesforce.com", "", "javascript:alert(1)", "//x"])
def test_an_instance_without_https_is_not_used(http: Any, fixed: Fixed, instance: str) -> None:
    http.post(TOKEN_URL, json=grant(instance_url=instance))
    with pytest.raises(CredentialsInvalid, match="instance"):
        fixed.connect().users()


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_login_that_fails_for_now_may_be_tried_again(http: Any, fixed: Fixed, status: int) -> None:
    http.post(TOKEN_URL, status=status, body="<html>sorry</html>")
    with pytest.raises(Unavailable):
        fixed.connect().users()


@pytest.mark.parametrize("body", ["", "<html></html>", "[]", json.dumps(grant(access_token="")), '{"id": 3}'])
def test_a_login_answer_that_makes_no_sense_may_be_tried_again(http: Any, fixed: Fixed, body: str) -> None:
    http.post(TOKEN_URL, body=body)
    with pytest.raises(Unavailable):
        fixed.connect().users()


def test_a_rate_limited_login_says_when_to_come_back(http: Any, fixed: Fixed) -> None:
    http.post(TOKEN_URL, status=429, headers={"Retry-After": "600"}, json={"error": "rate_limit"})
    with pytest.raises(RateLimited) as caught:
        fixed.connect().users()
    assert caught.value.until == NOW + timedelta(minutes=10)


def test_an_expired_token_is_replaced_once_and_the_call_made_again(org: Any) -> None:
    crm = org.connect()
    crm.users()
    org.sandbox.oauth.sessions.clear()
    org.sandbox.ledger.reset()
    assert crm.users()
    assert [call.status for call in org.sandbox.ledger.calls] == [401, 200]
    assert len(org.sandbox.ledger.token_calls) == 1


def test_a_newer_token_of_another_process_is_taken_over_without_a_login(org: Any) -> None:
    mine, theirs = org.connect(), org.connect()
    mine.users()
    org.sandbox.oauth.sessions.clear()
    theirs.users()
    org.sandbox.ledger.reset()
    assert mine.users()
    assert org.sandbox.ledger.token_calls == []


def test_many_threads_that_need_a_token_log_in_once(org: Any) -> None:
    crms = [org.connect() for _ in range(8)]
    threads = [threading.Thread(target=crm.users) for crm in crms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(org.sandbox.ledger.token_calls) == 1


def test_when_a_fresh_token_is_refused_too_the_credentials_are_at_fault(http: Any, fixed: Fixed) -> None:
    http.post(TOKEN_URL, json=grant())
    http.get(QUERY_URL, status=401, json=[{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}])
    with pytest.raises(CredentialsInvalid, match="refused too"):
        fixed.connect().users()
    assert len([call for call in http.calls if call.request.url.startswith(QUERY_URL)]) == 2


# --- answers --------------------------------------------------------------------------------------------------------


def answered(http: Any, status: int, code: str | None, message: str = "", **more: Any) -> None:
    http.post(TOKEN_URL, json=grant())
    body = [{"errorCode": code, "message": message}] if code else "<html>Service Unavailable</html>"
    http.get(QUERY_URL, status=status, body=json.dumps(body) if code else body, **more)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (403, "API_DISABLED_FOR_ORG", "", ScopeMissing),
        (403, "INSUFFICIENT_ACCESS", "", ScopeMissing),
        (404, "NOT_FOUND", "", NotFound),
        (410, "UNSUPPORTED_API_VERSION", "", Unsupported),
        (400, "INVALID_FIELD", "No such column 'Aurevoir_Key__c' on sobject of type Task", Rejected),
        (400, "MALFORMED_QUERY", "unexpected token", Rejected),
        (400, "QUERY_TIMEOUT", "", Unavailable),
        (500, "UNKNOWN_EXCEPTION", "ErrorId if you contact support: 123-456 (7)", Unavailable),
        (503, None, "", Unavailable),
        (502, None, "", Unavailable),
        (403, None, "", ScopeMissing),
    ],
)
def test_each_refusal_is_an_error_by_what_to_do(
    http: Any, fixed: Fixed, status: int, code: str | None, message: str, kind: type[AdapterError]
) -> None:
    answered(http, status, code, message)
    with pytest.raises(kind) as caught:
        fixed.connect().users()
    error = caught.value
    assert type(error) is kind
    assert (error.account, error.status) == ("globex", status)
    assert "SELECT" not in str(error)
    assert ACCESS not in str(error)
    if code == "INVALID_FIELD":
        assert isinstance(error, Rejected)
        assert error.field == "Aurevoir_Key__c"
        assert "aurevoir provision" in str(error)
    if code == "UNKNOWN_EXCEPTION":
        assert error.correlation_id == "123-456 (7)"


@pytest.mark.parametrize(
    ("message", "header", "wait"),
    [
        ("TotalRequests Limit exceeded.", None, timedelta(hours=1)),
        ("ConcurrentPerOrgLongTxn Limit exceeded.", None, timedelta(seconds=30)),
        ("TotalRequests Limit exceeded.", "120", timedelta(minutes=2)),
        ("TotalRequests Limit exceeded.", "9" * 400, timedelta(hours=24)),
        ("TotalRequests Limit exceeded.", "Mon, 23 Nov 2026 09:07:00 GMT", timedelta(minutes=7)),
        ("TotalRequests Limit exceeded.", "soon", timedelta(hours=1)),
    ],
)
def test_a_used_up_limit_holds_every_process_until_it_makes_sense(
    http: Any, fixed: Fixed, message: str, header: str | None, wait: timedelta
) -> None:
    answered(http, 403, "REQUEST_LIMIT_EXCEEDED", message, headers={"Retry-After": header} if header else None)
    with pytest.raises(RateLimited) as caught:
        fixed.connect().users()
    assert caught.value.until == NOW + wait
    assert fixed.budget.held == [("salesforce-daily", NOW + wait)]


def test_near_the_orgs_daily_limit_we_pause_before_it_is_reached(http: Any, fixed: Fixed) -> None:
    http.post(TOKEN_URL, json=grant())
    empty = {"totalSize": 0, "done": True, "records": []}
    http.get(
        QUERY_URL, json=empty, headers={"Sforce-Limit-Info": "api-usage=79/100; per-app-api-usage=17/25(appName=x)"}
    )
    http.get(QUERY_URL, json=empty, headers={"Sforce-Limit-Info": "api-usage=80/100"})
    crm = fixed.connect()
    crm.users()
    assert fixed.budget.held == []
    crm.users()
    assert fixed.budget.held == [("salesforce-daily", NOW + timedelta(minutes=15))]
    assert fixed.budget.taken[-1] == ("salesforce-daily", 80, 86_400.0)


def test_a_read_is_tried_again_after_a_passing_fault(http: Any, fixed: Fixed) -> None:
    http.post(TOKEN_URL, json=grant())
    http.get(QUERY_URL, status=503, body="<html></html>")
    http.get(QUERY_URL, body=requests.ConnectionError("reset"))
    http.get(QUERY_URL, json={"totalSize": 0, "done": True, "records": []})
    assert fixed.connect().users() == []
    assert fixed.now > NOW


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(http: Any, fixed: Fixed) -> None:
    http.post(TOKEN_URL, json=grant())
    http.get(QUERY_URL, status=302, headers={"Location": "https://elsewhere.example/collect"})
    elsewhere = http.get("https://elsewhere.example/collect", json={})
    with pytest.raises(Unavailable, match="redirected"):
        fixed.connect().users()
    assert elsewhere.call_count == 0


def test_an_endless_answer_is_cut_off(http: Any, fixed: Fixed) -> None:
    http.post(TOKEN_URL, json=grant())
    http.get(QUERY_URL, body=b" " * (11 * 1024 * 1024))
    with pytest.raises(Unavailable, match="larger than"):
        fixed.connect().users()


@pytest.mark.parametrize("body", ["<html>200 and not JSON</html>", "", "[]", '{"done": true}', '{"records": 3}'])
def test_a_good_status_with_a_bad_body_is_no_answer(http: Any, fixed: Fixed, body: str) -> None:
    http.post(TOKEN_URL, json=grant())
    http.get(QUERY_URL, body=body)
    with pytest.raises(Unavailable):
        fixed.connect().users()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.ConnectTimeout(), Unavailable),
        (requests.exceptions.SSLError(), Unavailable),
        (requests.ReadTimeout(), OutcomeUnknown),
        (requests.ConnectionError("Connection aborted."), OutcomeUnknown),
        (requests.exceptions.ChunkedEncodingError(), OutcomeUnknown),
    ],
)
def test_a_write_is_unclear_only_if_it_may_have_arrived(
    http: Any, fixed: Fixed, error: Exception, kind: type[AdapterError]
) -> None:
    http.post(TOKEN_URL, json=grant())
    sent = http.post("https://globex--eu.my.salesforce.com/services/data/v66.0/composite", body=error)
    with pytest.raises(kind):
        fixed.connect()._client.post("write", "composite", json={})
    assert sent.call_count == 1


def test_an_entry_in_netrc_does_not_replace_our_token(
    http: Any, fixed: Fixed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    http.post(TOKEN_URL, json=grant())
    http.get(QUERY_URL, json={"totalSize": 0, "done": True, "records": []})
    fixed.connect().users()
    assert http.calls[-1].request.headers["Authorization"] == f"Bearer {ACCESS}"


def test_calls_are_bounded_in_time_although_the_library_knows_no_time_out(make_org: Callable[..., Any]) -> None:
    org = make_org()
    crm = org.connect(read_timeout=0.3)
    crm.users()
    org.sandbox.faults.set(Fault(match="GET .*query", times=None, delay=0.8))
    with pytest.raises(Unavailable, match="ReadTimeout"):
        crm.users()


def test_nothing_secret_is_logged(org: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as lines:
        crm = org.connect()
        crm.users()
        org.sandbox.oauth.sessions.clear()
        crm.users()
        org.sandbox.faults.set(Fault(match="GET .*query", times=None, status=500))
        with pytest.raises(Unavailable):
            crm.users()
    token = org.tokens.load().secrets["access_token"]
    assert {line["event"] for line in lines} >= {"call", "call failed", "access token refused, getting another"}
    assert not [line for line in lines if "SELECT" in str(line)]
    said = [*caplog.messages, *map(str, lines)]
    assert not [line for line in said if token in line or "sandbox-secret" in line]


def test_headers_that_cannot_be_read_are_no_matter() -> None:
    heard = Heard.of({"Sforce-Limit-Info": "api-usage=many/100", "Date": "yesterday", "Retry-After": ""})
    assert (heard.used, heard.date, heard.wait_until(NOW)) == (None, None, None)
