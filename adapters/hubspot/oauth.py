"""Access tokens of accounts that were connected in the browser, and how they are connected.

HubSpot's access tokens live for 1,800 seconds (``expires_in``) and are refreshed after 80 % of that: its guidelines ask
apps not to take a 401 as the sign to refresh. Secrets travel in the body of the dated token endpoint; the endpoints of
version 1 stop on 2027-02-16. Whatever refresh token comes back is kept: HubSpot does not promise that it stays the
same. An uninstalled app answers ``BAD_REFRESH_TOKEN``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import structlog

from adapters.errors import (
    AdapterError,
    ConsentRefused,
    ConsentTrouble,
    CredentialsInvalid,
    RateLimited,
    Retryable,
    Unavailable,
)
from adapters.hubspot.settings import HubSpotSettings
from adapters.offers import ConsentRequest, Granted, OAuthApp
from adapters.services import Services, Token
from adapters.tokens import consent_ended, has_ended, newest, not_connected
from workflows.said import Said

if TYPE_CHECKING:
    import urllib3

log = structlog.get_logger(__name__)

LABEL = "HubSpot"
OPERATION = "get an access token"
LIFETIME_SECONDS = 1800
SHARE_OF_LIFE = 0.8
LARGEST_ANSWER = 1024 * 1024
POLITE_WAIT = timedelta(seconds=10)
NEXT_TRY = timedelta(seconds=30)
SCOPES: Mapping[str, str] = {
    "oauth": Said("sign in"),
    "crm.objects.deals.read": Said("read deals"),
    "crm.objects.deals.write": Said("write on deals"),
    "crm.objects.contacts.read": Said("read contacts, tasks and notes"),
    "crm.objects.contacts.write": Said("write contacts, tasks and notes"),
    "crm.objects.companies.read": Said("read companies"),
    "crm.objects.companies.write": Said("write on companies"),
    "crm.objects.owners.read": Said("read users"),
    "crm.schemas.deals.write": Said("create our fields on deals"),
    "crm.schemas.contacts.write": Said("create our fields on contacts and tasks"),
    "crm.schemas.companies.write": Said("create our fields on companies"),
    "files": Said("attach documents"),
}
_TROUBLES = {
    "BAD_AUTH_CODE": ConsentTrouble.CODE,
    "BAD_CODE_VERIFIER": ConsentTrouble.CODE,
    "MISMATCH_REDIRECT_URI_AUTH_CODE": ConsentTrouble.REDIRECT,
    "BAD_REDIRECT_URI": ConsentTrouble.REDIRECT,
    "BAD_CLIENT_ID": ConsentTrouble.APP,
    "BAD_CLIENT_SECRET": ConsentTrouble.APP,
    "invalid_client": ConsentTrouble.APP,
    "invalid_grant": ConsentTrouble.CODE,
    "invalid_scope": ConsentTrouble.SCOPES,
    "access_denied": ConsentTrouble.DENIED,
}
"""HubSpot's ``status`` or ``error``, to what an admin should do."""


class TokenEndpoint:
    """The token endpoint for one account's app; secrets in the body."""

    def __init__(self, account: str, settings: HubSpotSettings, services: Services, pool: urllib3.PoolManager) -> None:
        self._account, self._settings, self._services, self._pool = account, settings, services, pool

    def post(self, path: str, **form: str) -> tuple[int, Mapping[str, Any]]:
        """Status and body of an answer below 500. Raises :class:`Retryable`."""
        import urllib3  # who only receives does without it

        version = "v3" if self._settings.api_version == "classic" else self._settings.api_version
        secret = self._settings.client_secret[0].get_secret_value() if self._settings.client_secret else ""
        app = {"client_id": self._settings.client_id or "", "client_secret": secret}
        timeout = urllib3.Timeout(connect=self._settings.connect_timeout, read=self._settings.read_timeout)
        try:
            answer = self._pool.request(
                "POST",
                f"{self._settings.api_url}/oauth/{version}/{path}",
                body=urlencode(form | app),
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            text = answer.read(LARGEST_ANSWER)
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # The library's own words hold the address; its kind is enough.
            kind = type(error).__name__
            raise self.error(
                Unavailable, Said("HubSpot's token endpoint did not answer (%(kind)s)", kind=kind)
            ) from None
        return self._understood(int(answer.status), answer.headers, text)

    def _understood(self, status: int, headers: Mapping[str, str], text: bytes) -> tuple[int, Mapping[str, Any]]:
        if status == 429:
            said = headers.get("Retry-After", "")
            wait = timedelta(seconds=min(int(said), 86_400)) if said.isdigit() and len(said) < 10 else POLITE_WAIT
            raise RateLimited(
                Said("HubSpot's token endpoint asks to wait"),
                until=self._services.now() + wait,
                account=self._account,
                operation=OPERATION,
                status=status,
            )
        if status == 204:
            return status, {}
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if status >= 500 or not isinstance(body, dict):
            raise self.error(Unavailable, Said("HubSpot's token endpoint gave no answer that could be read"), status)
        return status, body

    def token(self, body: Mapping[str, Any], old: Token | None, facts: Mapping[str, str]) -> Token:
        """The token in a good answer."""
        now, life = self._services.now(), body.get("expires_in")
        seconds = life if isinstance(life, int) and 0 < life <= 86_400 else LIFETIME_SECONDS
        access = body.get("access_token")
        if not isinstance(access, str) or not access:
            raise self.error(Unavailable, Said("HubSpot's token endpoint gave no token"))
        secrets = {"access_token": access}
        refresh = body.get("refresh_token") or (old.secrets.get("refresh_token") if old else None)
        if refresh:
            secrets["refresh_token"] = str(refresh)
        renew_at = now + timedelta(seconds=seconds * SHARE_OF_LIFE)
        return Token(secrets, {**facts, "renew_at": renew_at.isoformat()}, now + timedelta(seconds=seconds))

    def error(self, kind: type[AdapterError], message: str, status: int | None = None) -> AdapterError:
        """An error of this account."""
        return kind(message, account=self._account, operation=OPERATION, status=status)


class Login:
    """One account's access token, for one thread at a time: that of the settings, or the stored one kept fresh."""

    def __init__(
        self,
        account: str,
        account_id: str,
        settings: HubSpotSettings,
        services: Services,
        pool: urllib3.PoolManager,
    ) -> None:
        self._account, self._account_id, self._settings, self._services = account, account_id, settings, services
        self._endpoint = TokenEndpoint(account, settings, services, pool)
        self._held: Token | None = None
        self._not_before: datetime | None = None

    def access_token(self) -> str:
        """A token to call with, refreshed ahead of its end.

        Raises :class:`CredentialsInvalid` when there is none to be had, :class:`Retryable` when that cannot be told.
        """
        if self._settings.access_token is not None:
            return self._settings.access_token.get_secret_value()
        if self._held is None or self._is_old(self._held):
            self._held = self._services.tokens.load()
        held = self._held
        if held is None or not held.secrets.get("access_token"):
            raise not_connected(self._account, LABEL)
        return self._ahead(held) if self._is_old(held) else held.secrets["access_token"]

    def after_refusal(self, refused: str) -> str | None:
        """Another token than the refused one, or None when there can be none. Raises as :meth:`access_token`."""
        if self._settings.access_token is not None:
            return None
        self._held = self._renewed(
            lambda token: token.secrets.get("access_token") != refused and not self._is_old(token)
        )
        return self._held.secrets["access_token"]

    def introspected(self) -> Mapping[str, Any]:
        """What HubSpot says of the stored token, its ``scopes`` among it; for accounts connected in the browser."""
        _, about = self._endpoint.post("token/introspect", token=self.access_token(), token_type_hint="access_token")  # noqa: S106 - a kind
        return about

    def keep_alive(self, before: datetime) -> None:
        """Refresh a token that was saved before then."""
        self._held = self._renewed(lambda token: token.saved_at is not None and token.saved_at >= before)

    def _ahead(self, held: Token) -> str:
        """Refresh; while HubSpot does not answer, a token that still lives will do."""
        now = self._services.now()
        lives = held.expires_at is not None and held.expires_at > now and not has_ended(held)
        if lives and self._not_before is not None and now < self._not_before:
            return held.secrets["access_token"]
        try:
            self._held = self._renewed(lambda token: not self._is_old(token))
        except Retryable as error:
            if not lives:
                raise
            self._not_before = now + NEXT_TRY
            log.warning("token not refreshed ahead of time", account=self._account, failure=type(error).__name__)
            return held.secrets["access_token"]
        return self._held.secrets["access_token"]

    def _is_old(self, token: Token) -> bool:
        if has_ended(token):
            return True
        renew_at = token.facts.get("renew_at")
        end = datetime.fromisoformat(renew_at) if renew_at else token.expires_at
        return end is not None and end <= self._services.now()

    def _renewed(self, good: Callable[[Token], bool]) -> Token:
        return newest(self._account, LABEL, self._services, good=good, fetch=self._fetch)[0]

    def _fetch(self, old: Token | None) -> Token:
        if old is None or not old.secrets.get("refresh_token"):
            raise not_connected(self._account, LABEL)
        status, body = self._endpoint.post(
            "token", grant_type="refresh_token", refresh_token=old.secrets["refresh_token"]
        )
        if status != 200:
            said = str(body.get("status") or body.get("error") or "")
            if "BAD_REFRESH_TOKEN" in said or body.get("error") == "invalid_grant":
                raise consent_ended(self._account, LABEL, status)
            raise self._endpoint.error(
                CredentialsInvalid,
                Said(
                    "HubSpot refused to refresh the access token (%(code)s): check that client_id and "
                    "client_secret are those of the app that was installed",
                    code=said[:60] or Said("no reason given"),
                ),
                status,
            )
        portal = body.get("hub_id")
        if portal is not None and str(portal) != self._account_id:
            raise self._endpoint.error(
                CredentialsInvalid,
                Said(
                    "HubSpot gave a token for account %(portal)s, not for %(account_id)s",
                    portal=portal,
                    account_id=self._account_id,
                ),
            )
        facts = {key: value for key, value in old.facts.items() if key in ("portal_id", "scopes", "user_id")}
        return self._endpoint.token(body, old, facts)


class HubSpotConsent:
    """See :class:`adapters.offers.BrowserConsent`."""

    scopes = SCOPES

    def complete(self, settings: HubSpotSettings, app: OAuthApp | None) -> HubSpotSettings:
        """Without a token and an app of its own, the account uses the shared app, which signs its webhooks too."""
        if settings.access_token is not None:
            return settings
        if settings.client_id:
            if not settings.client_secret:
                raise ValueError(Said("client_id needs the client_secret of the same app beside it"))
            return settings
        if app is None:
            raise ValueError(
                Said(
                    "has neither an access_token nor an app to connect with in the browser: set access_token, or "
                    "put client_id and client_secret of your app under oauth.hubspot"
                )
            )
        known = {"client_id": app.client_id, "client_secret": [app.client_secret, *settings.client_secret]}
        return HubSpotSettings.model_validate(settings.model_dump() | known)

    def wanted(self, settings: HubSpotSettings) -> bool:
        """An account without a token of its own."""
        return settings.access_token is None

    def authorize_url(self, account_id: str, settings: HubSpotSettings, request: ConsentRequest) -> str:
        """HubSpot's page for this very account; PKCE's challenge is no documented part of it."""
        query = {
            "client_id": settings.client_id or "",
            "redirect_uri": request.redirect_uri,
            "scope": " ".join(SCOPES),
            "state": request.state,
        }
        return f"{settings.app_url}/oauth/{account_id}/authorize?{urlencode(query)}"

    def trouble(self, error: str, description: str) -> ConsentTrouble:
        """By HubSpot's error code."""
        del description
        return _TROUBLES.get(error, ConsentTrouble.OTHER)

    def redeem(
        self,
        account: str,
        account_id: str,
        settings: HubSpotSettings,
        services: Services,
        code: str,
        request: ConsentRequest,
    ) -> Granted:
        """One call, and one more where the answer does not say which account it is for."""
        with _pool() as pool:
            endpoint = TokenEndpoint(account, settings, services, pool)
            status, body = endpoint.post(
                "token", grant_type="authorization_code", code=code, redirect_uri=request.redirect_uri
            )
            if status != 200:
                said = str(body.get("status") or body.get("error") or "")
                trouble = _TROUBLES.get(said) or _TROUBLES.get(str(body.get("error")), ConsentTrouble.OTHER)
                raise ConsentRefused(
                    trouble, Said("HubSpot refused the code (%(code)s)", code=said[:60]), account=account, status=status
                )
            about = body if body.get("hub_id") and body.get("scopes") else self._introspect(endpoint, body)
        scopes = _scopes(about.get("scopes"))
        facts = {"portal_id": str(about["hub_id"]), "scopes": " ".join(scopes), "user_id": str(about.get("user_id"))}
        missing = tuple(scope for scope in SCOPES if scope not in scopes)
        return Granted(facts["portal_id"], endpoint.token(body, None, facts), missing)

    @staticmethod
    def _introspect(endpoint: TokenEndpoint, body: Mapping[str, Any]) -> Mapping[str, Any]:
        token = str(body.get("access_token") or "")
        _, about = endpoint.post("token/introspect", token=token, token_type_hint="access_token")  # noqa: S106 - a kind
        if not about.get("active") or not about.get("hub_id"):
            raise endpoint.error(Unavailable, Said("HubSpot does not say which account the token is for"))
        return about

    def give_back(
        self, account: str, account_id: str, settings: HubSpotSettings, services: Services, token: Token
    ) -> None:
        """One call. The app stays installed in the account until somebody uninstalls it there."""
        with _pool() as pool:
            said = token.secrets.get("refresh_token") or token.secrets["access_token"]
            TokenEndpoint(account, settings, services, pool).post("token/revoke", token=said)

    def keep_alive(
        self, account: str, account_id: str, settings: HubSpotSettings, services: Services, *, before: datetime
    ) -> None:
        """One call when it is due."""
        if self.wanted(settings):
            with _pool() as pool:
                Login(account, account_id, settings, services, pool).keep_alive(before)


def _pool() -> urllib3.PoolManager:
    import urllib3

    return urllib3.PoolManager(num_pools=1, cert_reqs="CERT_REQUIRED", retries=False)


def _scopes(said: Any) -> list[str]:
    return [str(one) for one in said] if isinstance(said, list) else str(said or "").split()
