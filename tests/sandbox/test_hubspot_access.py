"""Tokens, scopes, rate limits and OAuth of the HubSpot sandbox."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from sandbox.hubspot import HubSpotSandbox, OAuthApp
from sandbox.kit import Clock, Fault

Call = Callable[..., TestResponse]
DEAL = "/crm/objects/2026-03/deals/901"
BACK = "http://127.0.0.1:9/oauth/hubspot/callback"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
def test_without_a_good_token_the_answer_is_401(portal: HubSpotSandbox, headers: dict[str, str]) -> None:
    answer = portal.app.test_client().get(DEAL, headers=headers)
    assert (answer.status_code, answer.get_json()["category"]) == (401, "INVALID_AUTHENTICATION")
    assert answer.get_json()["message"].startswith("Authentication credentials not found.")


@pytest.mark.parametrize(
    ("method", "path", "body", "scope"),
    [
        ("GET", DEAL, None, "crm.objects.deals.read"),
        ("PATCH", DEAL, {"properties": {}}, "crm.objects.deals.write"),
        ("POST", "/crm/v3/objects/tasks", {"properties": {}}, "crm.objects.contacts.write"),
        ("POST", "/crm/v3/objects/notes/batch/read", {"inputs": [{"id": "1"}]}, "crm.objects.contacts.read"),
        ("GET", "/crm/v3/owners/", None, "crm.objects.owners.read"),
        ("POST", "/crm/v3/properties/deals", {}, "crm.schemas.deals.write"),
        ("GET", "/crm/v3/pipelines/deals", None, "crm.objects.deals.read"),
        ("GET", "/files/v3/files/1", None, "files"),
    ],
)
def test_a_missing_scope_is_403_and_named(
    call: Call, portal: HubSpotSandbox, method: str, path: str, body: Any, scope: str
) -> None:
    token = portal.access.add_private_app(scopes=["oauth"])
    answer = call(method, path, body, token=token)
    told = answer.get_json()
    assert (answer.status_code, told["category"]) == (403, "MISSING_SCOPES")
    assert scope in told["errors"][0]["context"]["requiredGranularScopes"]


def test_the_burst_limit_is_a_sliding_window_with_headers(call: Call, portal: HubSpotSandbox) -> None:
    portal.access.limits.burst = 4
    first = call("GET", DEAL)
    assert (first.headers["X-HubSpot-RateLimit-Max"], first.headers["X-HubSpot-RateLimit-Remaining"]) == ("4", "3")
    assert first.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert first.headers["X-HubSpot-RateLimit-Daily"] == "250000"
    portal.clock.advance(timedelta(seconds=6))
    assert [call("GET", DEAL).status_code for _ in range(4)] == [200, 200, 200, 429]
    portal.clock.advance(timedelta(seconds=5))
    assert [call("GET", DEAL).status_code for _ in range(2)] == [200, 429], "only the first call has left the window"


def test_a_429_has_hubspots_body_and_no_retry_after(call: Call, portal: HubSpotSandbox) -> None:
    portal.access.limits.burst = 0
    answer = call("GET", DEAL)
    body = answer.get_json()
    assert answer.status_code == 429
    assert body["message"] == "You have reached your ten_secondly_rolling limit."
    assert (body["errorType"], body["policyName"]) == ("RATE_LIMIT", "TEN_SECONDLY_ROLLING")
    assert "Retry-After" not in answer.headers


def test_a_refused_call_does_nothing(call: Call, portal: HubSpotSandbox) -> None:
    portal.access.limits.burst = 0
    call("PATCH", DEAL, {"properties": {"amount": "1"}})
    portal.access.limits.burst = 100
    assert call("GET", DEAL).get_json()["properties"]["amount"] == "14400"


def test_the_daily_limit_ends_at_midnight_in_the_portals_time_zone() -> None:
    portal = HubSpotSandbox(Clock(datetime(2026, 6, 1, 21, 59, tzinfo=UTC)))
    portal.access.limits.daily = 1
    client, headers = portal.app.test_client(), {"Authorization": "Bearer pat-eu1-sandbox"}
    assert client.get(DEAL, headers=headers).status_code == 200
    refused = client.get(DEAL, headers=headers)
    assert (refused.status_code, refused.get_json()["policyName"]) == (429, "DAILY")
    portal.clock.advance(timedelta(minutes=2))
    assert client.get(DEAL, headers=headers).status_code == 200


@pytest.mark.parametrize(("status", "header"), [(423, None), (477, "60"), (502, None)])
def test_planned_failures_look_like_hubspots(
    call: Call, portal: HubSpotSandbox, status: int, header: str | None
) -> None:
    portal.faults.set(Fault("GET /crm", status=status))
    answer = call("GET", DEAL)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, header)
    assert (answer.mimetype == "text/html") == (status == 502)


# --- OAuth ------------------------------------------------------------


def authorize(portal: HubSpotSandbox, allow: str = "1", **more: str) -> TestResponse:
    query = {"client_id": "sandbox-client-id", "redirect_uri": BACK, "scope": "oauth crm.objects.deals.read"}
    return portal.app.test_client().post("/oauth/authorize", query_string={**query, **more}, data={"allow": allow})


def code_of(answer: TestResponse) -> str:
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def token(portal: HubSpotSandbox, version: str = "2026-03", **form: str) -> TestResponse:
    base = {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"}
    return portal.app.test_client().post(f"/oauth/{version}/token", data={**base, **form})


def install(portal: HubSpotSandbox) -> dict[str, Any]:
    code = code_of(authorize(portal))
    answer = token(portal, grant_type="authorization_code", code=code, redirect_uri=BACK)
    assert answer.status_code == 200, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def test_the_consent_page_names_app_and_scopes(portal: HubSpotSandbox) -> None:
    query = {"client_id": "sandbox-client-id", "redirect_uri": BACK, "scope": "oauth files"}
    page = portal.app.test_client().get("/oauth/authorize", query_string=query)
    assert page.status_code == 200
    assert "<code>files</code>" in page.text


def test_a_code_becomes_tokens_once_and_the_state_comes_back(portal: HubSpotSandbox) -> None:
    answer = authorize(portal, state="a&b")
    assert answer.status_code == 302
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["state"] == ["a&b"]
    form = {"grant_type": "authorization_code", "code": code_of(answer), "redirect_uri": BACK}
    first, second = token(portal, **form), token(portal, **form)
    body = first.get_json()
    assert (body["expires_in"], body["hub_id"], body["token_type"]) == (1800, 4242, "bearer")
    assert body["scopes"] == ["crm.objects.deals.read", "oauth"]
    assert (second.status_code, second.get_json()["status"]) == (400, "BAD_AUTH_CODE")
    assert (portal.ledger.count(), len(portal.ledger.token_calls)) == (0, 2)


def test_a_denial_comes_back_as_an_error(portal: HubSpotSandbox) -> None:
    assert "error=access_denied" in authorize(portal, allow="0", state="s").headers["Location"]


@pytest.mark.parametrize(
    "more", [{"client_id": "other"}, {"redirect_uri": "https://evil.example/x"}, {"scope": "oauth crm.everything"}]
)
def test_a_wrong_install_address_stops_at_hubspot(portal: HubSpotSandbox, more: dict[str, str]) -> None:
    answer = authorize(portal, **more)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_required_scopes_and_registered_redirects_are_held_to() -> None:
    app = OAuthApp(scopes=("oauth", "files"), redirect_urls=(BACK,))
    portal = HubSpotSandbox(app=app)
    assert authorize(portal).status_code == 400
    assert authorize(portal, scope="oauth files").status_code == 302
    assert authorize(portal, scope="oauth files", redirect_uri=f"{BACK}/").status_code == 400


def test_an_access_token_expires_after_half_an_hour_and_is_refreshed(call: Call, portal: HubSpotSandbox) -> None:
    tokens = install(portal)
    assert call("GET", DEAL, token=tokens["access_token"]).status_code == 200
    portal.clock.advance(timedelta(seconds=1800))
    expired = call("GET", DEAL, token=tokens["access_token"])
    assert (expired.status_code, expired.get_json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    fresh = token(portal, grant_type="refresh_token", refresh_token=tokens["refresh_token"]).get_json()
    assert fresh["refresh_token"] == tokens["refresh_token"]
    answer = call("GET", DEAL, token=fresh["access_token"])
    assert answer.status_code == 200
    assert "X-HubSpot-RateLimit-Daily" not in answer.headers, "daily figures are for private apps"


def test_refresh_tokens_can_rotate() -> None:
    portal = HubSpotSandbox(app=OAuthApp(rotate=True))
    old = install(portal)["refresh_token"]
    new = token(portal, grant_type="refresh_token", refresh_token=old).get_json()["refresh_token"]
    assert new != old
    assert token(portal, grant_type="refresh_token", refresh_token=old).get_json()["status"] == "BAD_REFRESH_TOKEN"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "BAD_REFRESH_TOKEN"),
        ({"grant_type": "refresh_token", "client_id": "x"}, "BAD_CLIENT_ID"),
        ({"grant_type": "refresh_token", "client_secret": "x"}, "BAD_CLIENT_SECRET"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
    ],
)
@pytest.mark.parametrize("version", ["v1", "v3", "2026-03", "2026-09"])
def test_token_errors_are_400_with_hubspots_status(
    portal: HubSpotSandbox, version: str, form: dict[str, str], status: str
) -> None:
    answer = token(portal, version, **form)
    assert (answer.status_code, answer.get_json()["status"]) == (400, status)
    assert answer.get_json()["error"].startswith(("invalid_", "unsupported_"))


def test_the_redirect_of_the_exchange_must_be_the_one_of_the_consent(portal: HubSpotSandbox) -> None:
    form = {"grant_type": "authorization_code", "redirect_uri": f"{BACK}/x", "code": code_of(authorize(portal))}
    assert token(portal, **form).get_json()["status"] == "MISMATCH_REDIRECT_URI_AUTH_CODE"


def test_credentials_in_the_query_string_do_not_count(portal: HubSpotSandbox) -> None:
    query = {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret", "grant_type": "refresh_token"}
    answer = portal.app.test_client().post("/oauth/2026-03/token", query_string=query, data={"x": "1"})
    assert answer.get_json()["status"] == "BAD_CLIENT_ID"


def test_pkce_is_checked_when_it_was_asked_for(portal: HubSpotSandbox) -> None:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()
    form = {"grant_type": "authorization_code", "redirect_uri": BACK}
    wrong = token(portal, code=code_of(authorize(portal, code_challenge=challenge)), **form)
    right = token(portal, code=code_of(authorize(portal, code_challenge=challenge)), code_verifier="verifier", **form)
    assert (wrong.status_code, right.status_code) == (400, 200)


def test_introspection_tells_the_portal_and_revocation_ends_it(call: Call, portal: HubSpotSandbox) -> None:
    tokens = install(portal)
    base = {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"}
    client = portal.app.test_client()

    def introspect(which: str) -> dict[str, Any]:
        found: dict[str, Any] = client.post(
            "/oauth/2026-03/token/introspect", data={**base, "token": tokens[which]}
        ).get_json()
        return found

    assert (introspect("access_token")["hub_id"], introspect("refresh_token")["active"]) == (4242, True)
    client.post("/oauth/2026-03/token/revoke", data={**base, "token": tokens["refresh_token"]})
    assert (introspect("access_token"), introspect("refresh_token")) == ({"active": False}, {"active": False})
    assert call("GET", DEAL, token=tokens["access_token"]).status_code == 401


def test_uninstalling_ends_all_tokens_of_the_app_but_not_the_private_one(call: Call, portal: HubSpotSandbox) -> None:
    tokens = install(portal)
    path = "/appinstalls/2026-03/external-install"
    assert call("DELETE", path, token=tokens["access_token"]).status_code == 204
    assert call("GET", DEAL, token=tokens["access_token"]).status_code == 401
    refused = token(portal, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refused.get_json()["status"] == "BAD_REFRESH_TOKEN"
    assert call("GET", DEAL).status_code == 200
