"""Access tokens: fetched under a lock, kept where all processes find them, tied to one organisation.

Salesforce does not say how long a token lives (its session setting decides), so a token is used until it is refused.
How a new one is got is a :class:`Grant`; client credentials need no consent and have no refresh token. A grant with a
rotating refresh token finds the newest one in the token that it is given, and what the answer brings is stored before
it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import requests

from adapters.errors import AdapterError, CredentialsInvalid, RateLimited, Unavailable
from adapters.salesforce.mapping import is_id, same_id, to18
from adapters.salesforce.settings import SalesforceSettings, checked_origin
from adapters.salesforce.transport import Wire
from adapters.services import Services, Token
from adapters.tokens import consent_ended, has_ended, newest, not_connected
from workflows.said import Said

LABEL = "Salesforce"
TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address, no secret
REVOKE_PATH = "/services/oauth2/revoke"
OPERATION = "get an access token"
POLITE_WAIT = timedelta(minutes=1)

CURES: tuple[tuple[str, str], ...] = (
    ("must be installed", Said("the app is not installed in this org; an admin must install it there first")),
    ("inactive user", Said("the app's run-as user is inactive; choose an active one in the app's policies")),
    (
        "no client credentials user",
        Said("choose a run-as user in the app's policies (OAuth flows, client credentials)"),
    ),
    ("not supported on this domain", Said("login_url must be the org's own address (Setup > My Domain)")),
    (
        "grant type not supported",
        Said("switch on the client-credentials flow in the External Client App's OAuth settings"),
    ),
    (
        "unsupported_grant_type",
        Said("switch on the client-credentials flow in the External Client App's OAuth settings"),
    ),
    ("invalid_client_id", Said("client_id is not known to this org; copy the consumer key again, and check login_url")),
    ("client identifier", Said("client_id is not known to this org; copy the consumer key again, and check login_url")),
    ("invalid_client", Said("client_id or client_secret is wrong; copy both again from the External Client App")),
    ("ip restricted", Said("the org lets this user in from other addresses only; relax the app's IP policy")),
    ("expired access/refresh token", Said("the consent has ended; connect the account again")),
    ("invalid_app_access", Said("the run-as user is not allowed to use the app; assign it in the app's policies")),
    ("access_denied", Said("the run-as user is not allowed to use the app; assign it in the app's policies")),
    ("invalid_grant", Said("the org refuses this login; check the app's run-as user and policies")),
)
"""What the token endpoint says, in error or description, to what to do. The first that fits counts."""


@dataclass(frozen=True)
class Bearer:
    """A token as calls need it. ``fetched``: fresh from the token endpoint, and not one that someone else stored."""

    access_token: str
    instance_url: str
    user_id: str
    fetched: bool = field(default=False, compare=False)


class Grant(Protocol):
    """A way to get a token."""

    renewable: bool
    """Whether the token has to be kept alive, since a new one needs someone's consent."""

    def form(self, token: Token | None) -> Mapping[str, str]:
        """What to post to the token endpoint. ``token`` is the newest known one."""


@dataclass(frozen=True)
class ClientCredentials:
    """The single-org way: the app's own key and secret, acting as the app's run-as user."""

    settings: SalesforceSettings
    renewable = False

    def form(self, token: Token | None) -> Mapping[str, str]:
        """The client-credentials request; an earlier token does not matter."""
        del token
        return {"grant_type": "client_credentials", **client_of(self.settings)}


@dataclass(frozen=True)
class RefreshToken:
    """The way of an account that was connected in the browser. Each refresh may void the token that it used."""

    settings: SalesforceSettings
    account: str
    renewable = True

    def form(self, token: Token | None) -> Mapping[str, str]:
        """The refresh request. Raises :class:`ConsentEnded` when the account was never connected."""
        refresh = token.secrets.get("refresh_token") if token is not None else None
        if not refresh:
            raise not_connected(self.account, LABEL)
        return {"grant_type": "refresh_token", "refresh_token": refresh, **client_of(self.settings)}


def client_of(settings: SalesforceSettings) -> dict[str, str]:
    """The app's key and secret, for the body of a request to the token endpoint."""
    secret = settings.client_secret.get_secret_value() if settings.client_secret is not None else ""
    return {"client_id": settings.client_id or "", "client_secret": secret}


def grant_of(account: str, settings: SalesforceSettings) -> Grant:
    """How an account with these settings gets tokens."""
    return RefreshToken(settings, account) if settings.in_browser else ClientCredentials(settings)


class Tokens:
    """One account's tokens."""

    def __init__(
        self,
        account: str,
        account_id: str,
        settings: SalesforceSettings,
        services: Services,
        session: requests.Session,
        wire: Wire,
        grant: Grant,
    ) -> None:
        self._account = account
        self._account_id = account_id
        self._settings = settings
        self._services = services
        self._session = session
        self._wire = wire
        self._grant = grant
        self._bearer: Bearer | None = None

    def known(self) -> Bearer | None:
        """The token at hand, without any call."""
        if self._bearer is None:
            token = self._services.tokens.load()
            self._bearer = None if token is None else self._read(token)
        return self._bearer

    def current(self) -> Bearer:
        """The token at hand, or a new one. Raises as :meth:`renew`."""
        return self.known() or self.renew(None)

    def renew(self, refused: str | None) -> Bearer:
        """A token other than the ``refused`` one: another process's newer one, or a fresh one.

        Raises :class:`CredentialsInvalid` when the org says no or is not ours, :class:`Retryable` when it cannot say.
        """
        self._bearer = None
        token, fetched = self._newest(lambda token: self._is_other(token, refused))
        bearer = self._read(token)
        if bearer is None:
            raise self._error(Unavailable, Said("the token endpoint's answer was not understood"))
        self._bearer = bearer
        return replace(bearer, fetched=fetched)

    def keep_alive(self, before: datetime) -> None:
        """Refresh a token that was saved before then, where a consent stands behind it."""
        if self._grant.renewable:
            self._newest(lambda token: token.saved_at is not None and token.saved_at >= before)

    def revoke(self) -> None:
        """End the consent, or the session where there is none; tokens that have ended already are fine.

        https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_revoke_token.htm
        """
        token = self._services.tokens.load()
        if token is not None:
            self.give_back(token)
        self._bearer = None

    def give_back(self, token: Token) -> None:
        """End what stands behind this token, stored or not."""
        said = token.secrets.get("refresh_token") or token.secrets.get("access_token")
        if said:
            self._post({"token": said}, path=REVOKE_PATH)

    def redeem(self, form: Mapping[str, str]) -> tuple[Token, Mapping[str, Any]]:
        """The token for a code, of whichever organisation it is, and the whole answer.

        Raises as :meth:`renew`; :class:`TokenRefused` tells what the endpoint said.
        """
        body = self._ask({**form, **client_of(self._settings)})
        return self._token(body, None), body

    def _newest(self, good: Callable[[Token], bool]) -> tuple[Token, bool]:
        return newest(self._account, LABEL, self._services, good=good, fetch=self._fetch)

    def _is_other(self, token: Token, refused: str | None) -> bool:
        bearer = self._read(token)
        return bearer is not None and bearer.access_token != refused

    def _read(self, token: Token) -> Bearer | None:
        """The token as calls need it, or None if it is not one of ours."""
        access, instance = token.secrets.get("access_token"), token.facts.get("instance_url")
        ours = same_id(token.facts.get("org_id", ""), self._account_id) and not has_ended(token)
        if not access or not instance or not ours:
            return None
        return Bearer(access, self._settings.instance_url or instance, token.facts.get("user_id", ""))

    def _fetch(self, token: Token | None) -> Token:
        try:
            body = self._ask(self._grant.form(token))
        except TokenRefused as refused:
            if self._grant.renewable and refused.error == "invalid_grant" and "ip restricted" not in refused.said:
                raise consent_ended(self._account, LABEL, refused.status) from None
            raise
        return self._pinned(self._token(body, token))

    def _ask(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """The body of a good answer."""
        answer = self._post(form)
        try:
            body = answer.json()
        except ValueError as error:
            raise self._error(Unavailable, Said("the token endpoint did not answer in JSON"), answer) from error
        if not isinstance(body, dict):
            raise self._error(Unavailable, Said("the token endpoint's answer was not understood"), answer)
        if answer.status_code != 200:
            raise TokenRefused(body, self._account, answer.status_code)
        return body

    def _post(self, form: Mapping[str, str], path: str = TOKEN_PATH) -> requests.Response:
        self._wire.allow(self._settings.login_url)
        address = urlunsplit(urlsplit(self._settings.login_url)._replace(scheme="https", path=path))
        try:
            answer = self._session.post(address, data=form, headers={"Accept": "application/json"})
        except requests.RequestException as error:
            kind = type(error).__name__
            raise self._error(
                Unavailable, Said("the token endpoint at login_url could not be reached (%(kind)s)", kind=kind)
            ) from error
        if answer.status_code == 429 or (answer.status_code == 403 and b"RATE" in answer.content.upper()):
            until = self._wire.heard.wait_until(self._services.now())
            raise RateLimited(
                Said("the token endpoint asks to wait"),
                until=until or self._services.now() + POLITE_WAIT,
                account=self._account,
                operation=OPERATION,
                status=answer.status_code,
            )
        if answer.status_code >= 500:
            raise self._error(Unavailable, Said("the token endpoint is not available now"), answer)
        return answer

    def _token(self, body: Mapping[str, Any], old: Token | None) -> Token:
        """The answer as a token."""
        org_id, user_id = identity(str(body.get("id") or ""))
        access = body.get("access_token")
        if not isinstance(access, str) or not access or not org_id:
            raise self._error(Unavailable, Said("the token endpoint's answer was not understood"))
        try:
            instance = checked_origin(str(body.get("instance_url") or ""), "instance_url")
        except ValueError as error:
            raise self._error(
                CredentialsInvalid, Said("the token endpoint named no usable instance: %(error)s", error=error)
            ) from error
        secrets = {"access_token": access}
        refresh = body.get("refresh_token") or (old.secrets.get("refresh_token") if old else None)
        if refresh:
            secrets["refresh_token"] = str(refresh)
        facts = {"instance_url": instance, "org_id": to18(org_id), "user_id": to18(user_id)}
        return Token(secrets, {**facts, "issued_at": str(body.get("issued_at") or "")})

    def _pinned(self, token: Token) -> Token:
        """The token, once it is known to be for our organisation."""
        org_id = token.facts["org_id"]
        if not same_id(org_id, self._account_id):
            raise self._error(
                CredentialsInvalid,
                Said(
                    "these credentials belong to organisation %(org_id)s, not to account_id %(account_id)s; correct "
                    "account_id, or login_url, client_id and client_secret",
                    org_id=org_id,
                    account_id=self._account_id,
                ),
            )
        return token

    def _error(
        self, kind: Callable[..., AdapterError], message: str, answer: requests.Response | None = None
    ) -> AdapterError:
        status = None if answer is None else answer.status_code
        return kind(message, account=self._account, operation=OPERATION, status=status)


class TokenRefused(CredentialsInvalid):
    """The token endpoint said no. ``error`` is its code, ``said`` code and description in lower case, never shown."""

    def __init__(self, body: Mapping[str, Any], account: str, status: int) -> None:
        super().__init__(refusal(body), account=account, operation=OPERATION, status=status)
        self.error = str(body.get("error") or "")
        self.said = f"{self.error} {body.get('error_description') or ''}".lower()


def refusal(body: Mapping[str, Any]) -> str:
    """What to do about the token endpoint's refusal. Its own words are shown only where we know them."""
    error = str(body.get("error") or "")
    said = f"{error} {body.get('error_description') or ''}".lower()
    cure = next((cure for sign, cure in CURES if sign in said), Said("check login_url, client_id and client_secret"))
    return Said(
        "Salesforce refused the login (%(code)s): %(cure)s", code=error[:60] or Said("no reason given"), cure=cure
    )


def identity(url: str) -> tuple[str, str]:
    """Organisation and user id from a token's ``id`` (``https://…/id/<org>/<user>``); empty where it has none."""
    parts = urlsplit(url).path.strip("/").split("/")
    if len(parts) == 3 and parts[0] == "id" and is_id(parts[1], "00D") and is_id(parts[2], "005"):
        return parts[1], parts[2]
    return "", ""
