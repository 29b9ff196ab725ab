"""OAuth: the consent page, codes, tokens that expire, introspection, revocation, uninstalling."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from sandbox.hubspot.access import ALL_SCOPES, Access, Grant, grant
from sandbox.hubspot.errors import ApiError
from sandbox.hubspot.web import api, body

LIFETIME = timedelta(seconds=1800)
CODE_LIFETIME = timedelta(minutes=10)
VERSIONS = ("/oauth/v3", "/oauth/VERSION")


@dataclass
class OAuthApp:
    """An app registered with HubSpot. ``redirect_urls`` empty: any address on this machine."""

    client_id: str = "sandbox-client-id"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - a sandbox has no secrets
    app_id: int = 1160453
    name: str = "Connector"
    scopes: tuple[str, ...] = ("oauth",)
    redirect_urls: tuple[str, ...] = ()
    rotate: bool = False


@dataclass(frozen=True)
class Code:
    """An authorization code, good once."""

    redirect_url: str
    scopes: frozenset[str]
    user_id: int
    expires_at: datetime
    challenge: str


@dataclass
class OAuth:
    """Codes and refresh tokens of one portal. Access tokens live in :class:`Access`."""

    access: Access
    portal_id: str
    app: OAuthApp = field(default_factory=OAuthApp)
    codes: dict[str, Code] = field(default_factory=dict)
    refresh_tokens: dict[str, Grant] = field(default_factory=dict)

    def uninstall(self) -> None:
        """Take the app out of the portal: all its tokens die."""
        self.refresh_tokens.clear()
        for token in [each for each, held in self.access.tokens.items() if held.kind == "oauth"]:
            del self.access.tokens[token]

    def issue(self, scopes: frozenset[str], user_id: int, refresh_token: str | None = None) -> dict[str, Any]:
        """New tokens as the token endpoint answers them."""
        now = self.access.clock.now()
        refresh_token = refresh_token or secrets.token_urlsafe(48)
        held = Grant("oauth", scopes, self.app.app_id, user_id, now + LIFETIME, refresh_token)
        token = secrets.token_urlsafe(240)
        self.access.tokens[token] = held
        self.refresh_tokens[refresh_token] = held
        return {
            "token_type": "bearer",
            "access_token": token,
            "refresh_token": refresh_token,
            "expires_in": int(LIFETIME.total_seconds()),
            "hub_id": int(self.portal_id),
            "user_id": user_id,
            "scopes": sorted(scopes),
        }


def oauth_routes(oauth: OAuth) -> Blueprint:
    """Consent page, token endpoints, uninstall."""
    routes = Blueprint("oauth", __name__)
    _consent(routes, oauth)
    _tokens(routes, oauth)
    _introspection(routes, oauth)
    return routes


def _refusal(message: str) -> ResponseReturnValue:
    return render_template("sandbox/consent.html", problem=message, app=None, scopes=(), portal=""), 400


def _consent_problem(oauth: OAuth, asked: Mapping[str, str]) -> str | None:
    if asked.get("client_id") != oauth.app.client_id:
        return "The app's client id is missing or unknown."
    if not _redirect_allowed(oauth.app, asked.get("redirect_uri", "")):
        return "The redirect URL does not match one that the app has registered."
    scopes = set(asked.get("scope", "").split())
    unknown = (scopes | set(asked.get("optional_scope", "").split())) - set(ALL_SCOPES)
    if unknown:
        return f"The app asks for scopes that do not exist: {', '.join(sorted(unknown))}."
    missing = set(oauth.app.scopes) - scopes
    if missing:
        return f"The app requires scopes that the install URL lacks: {', '.join(sorted(missing))}."
    return None


def _redirect_allowed(app: OAuthApp, url: str) -> bool:
    if app.redirect_urls:
        return url in app.redirect_urls
    return urlsplit(url).hostname in ("127.0.0.1", "localhost")


def _consent(routes: Blueprint, oauth: OAuth) -> None:
    @routes.get("/oauth/authorize")
    @routes.get("/oauth/<portal>/authorize")
    def ask(portal: str = "") -> ResponseReturnValue:
        problem = _consent_problem(oauth, request.args)
        if problem is not None or (portal and portal != oauth.portal_id):
            return _refusal(problem or f"There is no account {portal}.")
        scopes = [*request.args["scope"].split(), *request.args.get("optional_scope", "").split()]
        return render_template(
            "sandbox/consent.html", problem=None, app=oauth.app, scopes=scopes, portal=oauth.portal_id
        )

    @routes.post("/oauth/authorize")
    @routes.post("/oauth/<portal>/authorize")
    def allow(portal: str = "") -> ResponseReturnValue:
        del portal
        problem = _consent_problem(oauth, request.args)
        if problem is not None:
            return _refusal(problem)
        back = {"state": request.args["state"]} if "state" in request.args else {}
        url = request.args["redirect_uri"]
        if request.form.get("allow") != "1":
            refused = {"error": "access_denied", "error_description": "The user denied access to the app"}
            return redirect(f"{url}?{urlencode(refused | back)}", 302)
        code = secrets.token_urlsafe(24)
        scopes = frozenset([*request.args["scope"].split(), *request.args.get("optional_scope", "").split()])
        expires_at = oauth.access.clock.now() + CODE_LIFETIME
        oauth.codes[code] = Code(url, scopes, 9586504, expires_at, request.args.get("code_challenge", ""))
        return redirect(f"{url}?{urlencode({'code': code} | back)}", 302)


def _tokens(routes: Blueprint, oauth: OAuth) -> None:
    @api(routes, "POST", *(f"{each}/token" for each in VERSIONS), "/oauth/v1/token")
    def token() -> ResponseReturnValue:
        form = _form(oauth)
        if form.get("grant_type") == "refresh_token":
            return _refresh(oauth, form.get("refresh_token", ""))
        if form.get("grant_type") == "authorization_code":
            return _exchange(oauth, form)
        raise _oauth_error("unsupported_grant_type", "BAD_GRANT_TYPE", "grant_type is missing or not supported")


def _form(oauth: OAuth) -> Mapping[str, str]:
    """The form body, with the app's credentials checked. Credentials in the query string are not looked at."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise _oauth_error("invalid_request", "BAD_REQUEST", "send application/x-www-form-urlencoded")
    form = request.form.to_dict()
    if form.get("client_id") != oauth.app.client_id:
        raise _oauth_error("invalid_client", "BAD_CLIENT_ID", "missing or invalid client id")
    if not secrets.compare_digest(form.get("client_secret", "").encode(), oauth.app.client_secret.encode()):
        raise _oauth_error("invalid_client", "BAD_CLIENT_SECRET", "missing or invalid client secret")
    return form


def _refresh(oauth: OAuth, refresh_token: str) -> dict[str, Any]:
    held = oauth.refresh_tokens.get(refresh_token)
    if held is None:
        raise _oauth_error("invalid_grant", "BAD_REFRESH_TOKEN", "missing or invalid refresh token")
    if oauth.app.rotate:
        del oauth.refresh_tokens[refresh_token]
    return oauth.issue(held.scopes, held.user_id, None if oauth.app.rotate else refresh_token)


def _exchange(oauth: OAuth, form: Mapping[str, str]) -> dict[str, Any]:
    code = oauth.codes.pop(form.get("code", ""), None)
    if code is None or code.expires_at <= oauth.access.clock.now():
        raise _oauth_error("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code")
    if form.get("redirect_uri") != code.redirect_url:
        raise _oauth_error(
            "invalid_grant", "MISMATCH_REDIRECT_URI_AUTH_CODE", "redirect uri does not match the one of the code"
        )
    if code.challenge:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
            raise _oauth_error("invalid_grant", "BAD_CODE_VERIFIER", "code verifier does not match")
    return oauth.issue(code.scopes, code.user_id)


def _introspection(routes: Blueprint, oauth: OAuth) -> None:
    @api(routes, "POST", *(f"{each}/token/introspect" for each in VERSIONS))
    def introspect() -> ResponseReturnValue:
        token = _form(oauth).get("token", "")
        held = oauth.access.tokens.get(token) or oauth.refresh_tokens.get(token)
        now = oauth.access.clock.now()
        alive = held is not None and (token in oauth.refresh_tokens or held.expires_at is None or held.expires_at > now)
        if held is None or not alive:
            return {"active": False}
        left = int((held.expires_at - now).total_seconds()) if held.expires_at else 0
        return {
            "active": True,
            "token_type": "refresh_token" if token in oauth.refresh_tokens else "access_token",
            "hub_id": int(oauth.portal_id),
            "user_id": held.user_id,
            "app_id": held.app_id,
            "client_id": oauth.app.client_id,
            "hub_domain": f"portal-{oauth.portal_id}.example",
            "scopes": sorted(held.scopes),
            "expires_in": max(left, 0),
            "is_private_distribution": True,
        }

    @api(routes, "POST", "/oauth/v2/private-apps/get/access-token-info")
    def token_info() -> ResponseReturnValue:
        held = oauth.access.tokens.get(str(body(["tokenKey"])["tokenKey"]))
        if held is None or held.kind != "private":
            raise ApiError(404, "private app token not found", "OBJECT_NOT_FOUND")
        about = {"userId": held.user_id, "hubId": int(oauth.portal_id), "appId": held.app_id}
        return {**about, "scopes": sorted(held.scopes)}

    @api(routes, "POST", *(f"{each}/token/revoke" for each in VERSIONS))
    def revoke() -> ResponseReturnValue:
        token = _form(oauth).get("token", "")
        held = oauth.refresh_tokens.pop(token, None)
        oauth.access.tokens.pop(token, None)
        if held is not None:
            for access_token in [key for key, each in oauth.access.tokens.items() if each.refresh_token == token]:
                del oauth.access.tokens[access_token]
        return "", 204

    @api(routes, "DELETE", "/appinstalls/v3/external-install", "/appinstalls/VERSION/external-install")
    def uninstall() -> ResponseReturnValue:
        if grant().kind != "oauth":
            raise ApiError(403, "Only an OAuth app can uninstall itself.", "FORBIDDEN")
        oauth.uninstall()
        return "", 204


def _oauth_error(error: str, status: str, message: str) -> ApiError:
    found = ApiError(400, message, error=error, error_description=message)
    found.more["status"] = status
    return found
