"""Connecting an org in the browser: the web-server flow of its External Client App, with PKCE.

The consent page is the org's own (My Domain), so that nobody consents for another org by being logged in there. A
confidential app sends its secret and PKCE's verifier, both. The scopes are ``api`` and ``refresh_token``; the org is
read from the ``id`` address of the answer, which has no ``expires_in``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pydantic import SecretStr

from adapters.errors import ConsentRefused, ConsentTrouble
from adapters.offers import ConsentRequest, Granted, OAuthApp
from adapters.salesforce.settings import SalesforceSettings
from adapters.services import Services, Token
from workflows.said import Said

if TYPE_CHECKING:
    from adapters.salesforce.oauth import Tokens

AUTHORIZE_PATH = "/services/oauth2/authorize"
SCOPES: Mapping[str, str] = {
    "api": Said("read and write records as the person who consents may"),
    "refresh_token": Said("do so at any time"),
}
_AS_GOOD = {"api": ("full",), "refresh_token": ("offline_access",)}
_TROUBLES: tuple[tuple[str, ConsentTrouble], ...] = (
    ("must be installed", ConsentTrouble.NOT_INSTALLED),
    ("oauth_approval_error_generic", ConsentTrouble.NOT_INSTALLED),
    ("oauth_ec_app_not_found", ConsentTrouble.NOT_INSTALLED),
    ("not admin approved", ConsentTrouble.NOT_INSTALLED),
    ("invalid_app_access", ConsentTrouble.NOT_INSTALLED),
    ("access_denied", ConsentTrouble.DENIED),
    ("invalid_scope", ConsentTrouble.SCOPES),
    ("redirect_uri", ConsentTrouble.REDIRECT),
    ("authorization code", ConsentTrouble.CODE),
    ("code verifier", ConsentTrouble.CODE),
    ("invalid_client", ConsentTrouble.APP),
    ("client identifier", ConsentTrouble.APP),
    ("invalid_grant", ConsentTrouble.CODE),
)
"""What Salesforce says, in error or description, to what an admin should do. The first that fits counts."""


class SalesforceConsent:
    """See :class:`adapters.offers.BrowserConsent`."""

    scopes = SCOPES

    def complete(self, settings: SalesforceSettings, app: OAuthApp | None) -> SalesforceSettings:
        """An org's own app logs in by itself unless the settings say otherwise; the shared app needs a consent."""
        if settings.client_id and settings.client_secret is not None:
            return settings.model_copy(update={"login": settings.login or "app"})
        if settings.client_id or settings.client_secret is not None:
            lacks = "client_secret" if settings.client_id else "client_id"
            raise ValueError(Said("%(lacks)s is missing: copy it from the same External Client App", lacks=lacks))
        if settings.login == "app":
            raise ValueError(Said("login: app needs client_id and client_secret of an External Client App of this org"))
        if app is None:
            raise ValueError(
                Said(
                    "has no credentials: set client_id and client_secret of the org's External Client App, or put "
                    "those of an app of yours under oauth.salesforce to connect in the browser"
                )
            )
        known = {"client_id": app.client_id, "client_secret": SecretStr(app.client_secret), "login": "browser"}
        return settings.model_copy(update=known)

    def wanted(self, settings: SalesforceSettings) -> bool:
        """As ``login`` says."""
        return settings.in_browser

    def authorize_url(self, account_id: str, settings: SalesforceSettings, request: ConsentRequest) -> str:
        """The org's own consent page."""
        del account_id
        query = {
            "response_type": "code",
            "client_id": settings.client_id or "",
            "redirect_uri": request.redirect_uri,
            "scope": " ".join(SCOPES),
            "state": request.state,
            "code_challenge": request.challenge,
            "code_challenge_method": "S256",
        }
        return f"{settings.login_url}{AUTHORIZE_PATH}?{urlencode(query)}"

    def trouble(self, error: str, description: str) -> ConsentTrouble:
        """By error and description: Salesforce uses one code for several things."""
        said = f"{error} {description}".lower()
        return next((trouble for sign, trouble in _TROUBLES if sign in said), ConsentTrouble.OTHER)

    def redeem(
        self,
        account: str,
        account_id: str,
        settings: SalesforceSettings,
        services: Services,
        code: str,
        request: ConsentRequest,
    ) -> Granted:
        """One call."""
        from adapters.salesforce.oauth import TokenRefused

        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": request.redirect_uri,
            "code_verifier": request.verifier,
        }
        with _tokens(account, account_id, settings, services) as tokens:
            try:
                token, body = tokens.redeem(form)
            except TokenRefused as refused:
                trouble = self.trouble(refused.error, refused.said)
                raise ConsentRefused(trouble, refused.message, account=account, status=refused.status) from None
        return Granted(token.facts["org_id"], token, _missing(body))

    def give_back(
        self, account: str, account_id: str, settings: SalesforceSettings, services: Services, token: Token
    ) -> None:
        """One call; of the five approvals that a user has for an app, this one is free again."""
        with _tokens(account, account_id, settings, services) as tokens:
            tokens.give_back(token)

    def keep_alive(
        self, account: str, account_id: str, settings: SalesforceSettings, services: Services, *, before: datetime
    ) -> None:
        """One call when it is due: refresh tokens lapse after 30 days without use in apps that follow the rules."""
        with _tokens(account, account_id, settings, services) as tokens:
            tokens.keep_alive(before)


@contextmanager
def _tokens(account: str, account_id: str, settings: SalesforceSettings, services: Services) -> Iterator[Tokens]:
    from adapters.salesforce.oauth import Tokens, grant_of  # bring requests: a receiver does without it
    from adapters.salesforce.transport import Wire, make_session

    wire = Wire(connect=settings.connect_timeout, read=settings.read_timeout, total=settings.total_timeout)
    with make_session(wire) as session:
        yield Tokens(account, account_id, settings, services, session, wire, grant_of(account, settings))


def _missing(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Scopes that were not given. Without a refresh token the account could not be kept, whatever the list says."""
    given = str(body.get("scope") or "").split()
    lacking = {name for name in SCOPES if given and not {name, *_AS_GOOD[name]} & set(given)}
    if not body.get("refresh_token"):
        lacking.add("refresh_token")
    return tuple(name for name in SCOPES if name in lacking)
