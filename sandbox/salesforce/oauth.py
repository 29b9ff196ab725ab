"""OAuth of the organisation: client credentials, web-server flow with PKCE, rotating refresh tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.world import Actor, World

CODE_LIFE = timedelta(minutes=15)
MAX_APPROVALS = 5
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class OAuthError(Exception):
    """Refused by the token endpoint: ``{"error","error_description"}``, status 400 unless said otherwise."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.body = {"error": error, "error_description": description}


@dataclass
class Client:
    """An External Client App. ``run_as``: user of the client-credentials flow; ``installed``: known in this org."""

    id: str
    secret: str
    redirect_uris: tuple[str, ...] = ()
    run_as: str | None = None
    pkce: bool = True
    rotation: bool = True
    installed: bool = True
    scopes: tuple[str, ...] = ("api", "refresh_token")
    idle: timedelta = timedelta(days=30)


@dataclass
class Session:
    """An access token's session; it ends some time after its last use."""

    user_id: str
    client_id: str
    issued: datetime
    used: datetime
    family: str = ""


@dataclass
class Grant:
    """One approval of one user for one app: the family of refresh tokens that descend from it."""

    client_id: str
    user_id: str
    current: str
    used: datetime
    spent: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Code:
    """An authorization code, good for one exchange."""

    client_id: str
    user_id: str
    redirect_uri: str
    challenge: str | None
    expires: datetime


class OAuth:
    """Who may call, and how they prove it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clients: dict[str, Client] = {}
        self.sessions: dict[str, Session] = {}
        self.grants: dict[str, Grant] = {}
        self._codes: dict[str, Code] = {}

    # --- sessions ---------------------------------------------------------------------------------------------------

    def authenticate(self, header: str | None) -> Actor:
        """The user behind an ``Authorization`` header. Raises the vendor's 401."""
        kind, _, token = (header or "").partition(" ")
        if kind not in ("Bearer", "OAuth") or not token:
            raise ApiError("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        with self.world.lock:
            session = self.sessions.get(token.strip())
            now = self.world.clock.now()
            if session is None or not self._alive(session, now):
                raise ApiError("INVALID_SESSION_ID", "Session expired or invalid")
            session.used = now
            return Actor(session.user_id, api=True)

    def _alive(self, session: Session, now: datetime) -> bool:
        user = self.world.find(session.user_id)
        fresh = now - session.used < self.world.settings.session_timeout
        return fresh and user is not None and bool(user["IsActive"])

    def expire_sessions(self) -> None:
        """End every session, as a changed policy or the night does."""
        with self.world.lock:
            self.sessions.clear()

    def revoke_user(self, user_id: str) -> None:
        """An admin revokes all that a user had approved."""
        with self.world.lock:
            for name in [name for name, grant in self.grants.items() if grant.user_id == user_id]:
                self._kill(name)

    # --- the token endpoint -----------------------------------------------------------------------------------------

    def token(self, form: Mapping[str, str], basic: tuple[str, str] | None, url: str) -> dict[str, Any]:
        """Answer ``POST /services/oauth2/token``. ``url``: the sandbox's own address. Raises OAuthError."""
        with self.world.lock:
            kind = form.get("grant_type", "")
            flows = {
                "client_credentials": self._client_credentials,
                "authorization_code": self._authorization_code,
                "refresh_token": self._refresh,
            }
            if kind not in flows:
                raise OAuthError("unsupported_grant_type", "grant type not supported")
            return flows[kind](self._client(form, basic), form, url)

    def _client(self, form: Mapping[str, str], basic: tuple[str, str] | None) -> Client:
        name, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        client = self.clients.get(name)
        if client is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(client.secret.encode(), secret.encode()):
            raise OAuthError("invalid_client", "invalid client credentials")
        return client

    def _client_credentials(self, client: Client, form: Mapping[str, str], url: str) -> dict[str, Any]:
        user = self.world.find(client.run_as) if client.run_as else None
        if user is None or not user["IsActive"]:
            raise OAuthError("invalid_grant", "no client credentials user enabled")
        answer = self._session(client, user["Id"], url)
        return {**answer, "scope": "api"}

    def _authorization_code(self, client: Client, form: Mapping[str, str], url: str) -> dict[str, Any]:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.client_id != client.id:
            raise OAuthError("invalid_grant", "invalid authorization code")
        if self.world.clock.now() > code.expires:
            raise OAuthError("invalid_grant", "expired authorization code")
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        if code.challenge is not None and challenge_of(form.get("code_verifier", "")) != code.challenge:
            raise OAuthError("invalid_grant", "invalid code verifier")
        family = secrets.token_hex(8)
        refresh = self._new_refresh()
        self._make_room(client, code.user_id)
        self.grants[family] = Grant(client.id, code.user_id, refresh, self.world.clock.now())
        return {**self._session(client, code.user_id, url, family), "refresh_token": refresh}

    def _make_room(self, client: Client, user_id: str) -> None:
        """At most five approvals per user and app: one more revokes the oldest."""
        held = [name for name, each in self.grants.items() if (each.client_id, each.user_id) == (client.id, user_id)]
        for name in held[: max(0, len(held) - MAX_APPROVALS + 1)]:
            self._kill(name)

    def _refresh(self, client: Client, form: Mapping[str, str], url: str) -> dict[str, Any]:
        token = form.get("refresh_token", "")
        mine = (
            name
            for name, each in self.grants.items()
            if each.client_id == client.id and (token == each.current or token in each.spent)
        )
        family = next(mine, None)
        if family is None:
            raise OAuthError("invalid_grant", "expired access/refresh token")
        grant = self.grants[family]
        now = self.world.clock.now()
        if token in grant.spent or now - grant.used > client.idle:
            self._kill(family)
            raise OAuthError("invalid_grant", "expired access/refresh token")
        grant.used = now
        answer = self._session(client, grant.user_id, url, family)
        if client.rotation:
            grant.spent.add(token)
            grant.current = self._new_refresh()
            answer["refresh_token"] = grant.current
        return answer

    def _new_refresh(self) -> str:
        return f"5Aep861{secrets.token_urlsafe(48)}"

    def _session(self, client: Client, user_id: str, url: str, family: str = "") -> dict[str, Any]:
        now = self.world.clock.now()
        token = f"{self.world.org_id[:15]}!{secrets.token_urlsafe(60)}"
        self.sessions[token] = Session(user_id, client.id, now, now, family)
        identity = f"https://login.salesforce.com/id/{self.world.org_id}/{user_id}"
        issued = str(int(now.timestamp() * 1000))
        digest = hmac.digest(client.secret.encode(), f"{identity}{issued}".encode(), hashlib.sha256)
        return {
            "access_token": token,
            "signature": base64.b64encode(digest).decode(),
            "scope": " ".join(sorted(client.scopes, reverse=True)),
            "instance_url": url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }

    # --- the browser's part -----------------------------------------------------------------------------------------

    def check_authorize(self, query: Mapping[str, str]) -> Client:
        """The app of an authorization request. Raises OAuthError when nothing may be sent to its redirect address."""
        client = self.clients.get(query.get("client_id", ""))
        if client is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if query.get("redirect_uri") not in client.redirect_uris:
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        return client

    def refusal(self, client: Client, query: Mapping[str, str]) -> dict[str, str] | None:
        """What goes back to the app instead of a code, without asking the user; None when all is well."""
        if not client.installed:
            return {"error": "invalid_client", "error_description": "app must be installed into org"}
        if query.get("response_type") != "code":
            return {"error": "unsupported_response_type", "error_description": "response type not supported"}
        challenge = query.get("code_challenge")
        if client.pkce and (not challenge or query.get("code_challenge_method", "S256") != "S256"):
            return {"error": "invalid_request", "error_description": "missing required code challenge"}
        wanted = set(query.get("scope", "").split())
        if wanted - {*client.scopes, "offline_access", "full"}:
            return {
                "error": "invalid_scope",
                "error_description": "the requested scope is invalid, unknown, or malformed",
            }
        return None

    def approve(self, client: Client, query: Mapping[str, str], user_id: str) -> dict[str, str]:
        """The user said yes: the code that goes back."""
        code = f"aPrx{secrets.token_urlsafe(40)}=="
        expires = self.world.clock.now() + CODE_LIFE
        challenge = query.get("code_challenge") or None
        with self.world.lock:
            self._codes[code] = Code(client.id, user_id, query["redirect_uri"], challenge, expires)
        return {"code": code}

    @staticmethod
    def send_back(query: Mapping[str, str], values: Mapping[str, str]) -> str:
        """The redirect address with an answer and the caller's ``state``."""
        extra = {"state": query["state"]} if "state" in query else {}
        join = "&" if "?" in query["redirect_uri"] else "?"
        return f"{query['redirect_uri']}{join}{urlencode({**values, **extra})}"

    # --- the rest ---------------------------------------------------------------------------------------------------

    def revoke(self, token: str) -> bool:
        """End a session, or an approval with all its tokens. False for an unknown token."""
        with self.world.lock:
            session = self.sessions.pop(token, None)
            if session is not None:
                return True
            for family, grant in list(self.grants.items()):
                if token == grant.current:
                    self._kill(family)
                    return True
            return False

    def _kill(self, family: str) -> None:
        self.grants.pop(family, None)
        for token in [token for token, session in self.sessions.items() if session.family == family]:
            del self.sessions[token]

    def introspect(self, form: Mapping[str, str], basic: tuple[str, str] | None) -> dict[str, Any]:
        """Whether a token is good, and for whom."""
        with self.world.lock:
            client = self._client(form, basic)
            token, now = form.get("token", ""), self.world.clock.now()
            session = self.sessions.get(token)
            if session is not None and self._alive(session, now) and session.client_id == client.id:
                user_id, ends = session.user_id, session.used + self.world.settings.session_timeout
                about = {
                    "exp": int(ends.timestamp()),
                    "iat": int(session.issued.timestamp()),
                    "token_type": "access_token",
                }
            else:
                grant = next((each for each in self.grants.values() if each.current == token), None)
                if grant is None or grant.client_id != client.id or now - grant.used > client.idle:
                    return {"active": False}
                user_id, about = grant.user_id, {"token_type": "refresh_token"}
            user = self.world.find(user_id) or {}
            return {
                "active": True,
                "scope": " ".join(client.scopes),
                "client_id": client.id,
                "username": user.get("Username"),
                "sub": f"https://login.salesforce.com/id/{self.world.org_id}/{user_id}",
                **about,
            }


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier; empty for one that is too short, too long or oddly spelled."""
    if not _VERIFIER.fullmatch(verifier):
        return ""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
