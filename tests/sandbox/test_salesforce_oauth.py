"""Signing in to the organisation: client credentials, the browser's flow, rotating tokens, sessions that end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.oauth import challenge_of

VERIFIER = "v" * 64
BACK = "http://localhost:8080/oauth/salesforce/callback"


def post(org: SalesforceSandbox, path: str = "token", **form: str) -> tuple[int, Any]:
    known = {"client_id": org.client.id, "client_secret": org.client.secret}
    answer = org.app.test_client().post(f"/services/oauth2/{path}", data=known | form)
    return answer.status_code, answer.get_json(silent=True)


def authorize(org: SalesforceSandbox, answer: str = "allow", **query: str) -> dict[str, str]:
    """Open the page, answer it as the integration user, and return what the redirect carries."""
    known = {
        "response_type": "code",
        "client_id": org.client.id,
        "redirect_uri": BACK,
        "scope": "api refresh_token",
        "state": "s1",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    wanted = {name: value for name, value in (known | query).items() if value}
    client = org.app.test_client()
    page = client.get("/services/oauth2/authorize", query_string=wanted)
    if page.status_code == 200:
        assert re.search(r"<button name=.answer. value=.allow.", page.text)
        form = {"answer": answer, "user": org.integration_user_id}
        page = client.post("/services/oauth2/authorize", query_string=wanted, data=form)
    assert page.status_code == 302
    assert page.location.startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(page.location).query).items()}


def exchange(org: SalesforceSandbox, code: str, verifier: str = VERIFIER) -> tuple[int, Any]:
    form = {"code": code, "redirect_uri": BACK, "code_verifier": verifier}
    return post(org, grant_type="authorization_code", **form)


def refresh(org: SalesforceSandbox, token: str) -> tuple[int, Any]:
    return post(org, grant_type="refresh_token", refresh_token=token)


def limits(org: SalesforceSandbox, token: str) -> int:
    client = org.app.test_client()
    return client.get("/services/data/v66.0/limits", headers={"Authorization": f"Bearer {token}"}).status_code


def test_client_credentials_give_a_session_without_refresh_token_or_expiry(org: SalesforceSandbox) -> None:
    status, answer = post(org, grant_type="client_credentials")
    assert status == 200
    assert not {"refresh_token", "expires_in"} & set(answer)
    assert answer["id"] == f"https://login.salesforce.com/id/{org.world.org_id}/{org.integration_user_id}"
    secret, text = org.client.secret.encode(), f"{answer['id']}{answer['issued_at']}".encode()
    assert answer["signature"] == base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()
    assert limits(org, answer["access_token"]) == 200
    assert org.ledger.count() == 1, "token calls are counted apart"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", "client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "wrong"}, "invalid_client_id"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "wrong"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "wrong"}, "invalid_grant"),
    ],
)
def test_wrong_credentials_and_grants_are_refused(org: SalesforceSandbox, form: dict[str, str], error: str) -> None:
    status, answer = post(org, **form)
    assert (status, answer["error"]) == (400, error)


def test_the_browsers_flow_gives_a_code_once_and_only_to_the_right_verifier(org: SalesforceSandbox) -> None:
    back = authorize(org)
    assert back["state"] == "s1"
    assert exchange(org, back["code"], "w" * 64)[1]["error"] == "invalid_grant"
    code = authorize(org)["code"]
    status, answer = exchange(org, code)
    assert (status, answer["scope"]) == (200, "refresh_token api")
    assert limits(org, answer["access_token"]) == 200
    assert exchange(org, code)[1] == {"error": "invalid_grant", "error_description": "invalid authorization code"}


def test_a_code_dies_after_a_quarter_of_an_hour(org: SalesforceSandbox) -> None:
    code = authorize(org)["code"]
    org.clock.advance(timedelta(minutes=16))
    assert exchange(org, code)[1]["error_description"] == "expired authorization code"


@pytest.mark.parametrize(
    ("query", "error"),
    [({"code_challenge": ""}, "invalid_request"), ({"scope": "api web"}, "invalid_scope")],
)
def test_a_request_without_pkce_or_with_other_scopes_goes_back_refused(
    org: SalesforceSandbox, query: dict[str, str], error: str
) -> None:
    assert authorize(org, **query)["error"] == error


def test_a_user_may_say_no_and_an_app_must_be_installed(org: SalesforceSandbox) -> None:
    assert authorize(org, "deny")["error"] == "access_denied"
    org.client.installed = False
    assert authorize(org)["error_description"] == "app must be installed into org"


def test_an_unknown_redirect_address_gets_nothing(org: SalesforceSandbox) -> None:
    query = {"client_id": org.client.id, "redirect_uri": "https://evil.example/", "response_type": "code"}
    answer = org.app.test_client().get("/services/oauth2/authorize", query_string=query)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "redirect_uri_mismatch")


def test_refresh_tokens_rotate_and_an_old_one_ends_the_whole_family(org: SalesforceSandbox) -> None:
    _, first = exchange(org, authorize(org)["code"])
    _, second = refresh(org, first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert limits(org, second["access_token"]) == 200
    dead = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    assert refresh(org, first["refresh_token"]) == (400, dead)
    assert refresh(org, second["refresh_token"]) == (400, dead)
    assert limits(org, second["access_token"]) == 401


def test_a_refresh_token_dies_of_idleness(org: SalesforceSandbox) -> None:
    _, first = exchange(org, authorize(org)["code"])
    org.clock.advance(timedelta(days=29))
    _, second = refresh(org, first["refresh_token"])
    org.clock.advance(timedelta(days=31))
    assert refresh(org, second["refresh_token"])[0] == 400


def test_a_sixth_approval_revokes_the_first(org: SalesforceSandbox) -> None:
    tokens = [exchange(org, authorize(org)["code"])[1]["refresh_token"] for _ in range(6)]
    assert refresh(org, tokens[0])[0] == 400
    assert refresh(org, tokens[1])[0] == 200


def test_a_session_ends_some_time_after_its_last_use(org: SalesforceSandbox, sign_in: Callable[[], str]) -> None:
    token = sign_in()
    for _ in range(3):
        org.clock.advance(timedelta(minutes=90))
        assert limits(org, token) == 200
    org.clock.advance(timedelta(hours=2))
    answer = org.app.test_client().get("/services/data/v66.0/limits", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.get_json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_introspection_tells_and_revocation_ends(org: SalesforceSandbox) -> None:
    _, answer = exchange(org, authorize(org)["code"])
    _, about = post(org, "introspect", token=answer["access_token"])
    assert (about["active"], about["username"]) == (True, "connector@globex.example")
    assert post(org, "revoke", token=answer["refresh_token"])[0] == 200
    assert post(org, "introspect", token=answer["access_token"])[1] == {"active": False}
    assert limits(org, answer["access_token"]) == 401
