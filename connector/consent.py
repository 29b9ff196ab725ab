"""Connecting an account in the browser: who may begin, what comes back, and what is kept.

An admin begins it with a signed address that is good for half an hour (``aurevoir connect``). From then on everything
hangs together by ``state``: random, good once and for ten minutes, bound to the CRM, to the account and to the browser
that began (a cookie), so that nobody can be made to finish what someone else began. The account in the CRM must be the
one of the settings, and be bound to no other account here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

import structlog
from itsdangerous import BadData, TimestampSigner

from adapters.errors import AdapterError, AurevoirError, ConsentRefused, ConsentTrouble, Retryable
from adapters.offers import BrowserConsent, Consenting, ConsentRequest, Granted
from connector.account import Account
from connector.store import accounts, consents
from connector.store.console_tables import OAuthStateRow
from connector.vault import VaultError
from connector.web.runtime import Runtime
from workflows.said import Said

log = structlog.get_logger(__name__)

INVITATION = timedelta(minutes=30)
ATTEMPT = timedelta(minutes=10)
_COLUMN = "oauth_states.verifier"


class NotInBrowser(AurevoirError):
    """The account has credentials in the settings: there is nothing to connect."""


class Wrong(StrEnum):
    """What went wrong, beside what the CRM itself says (:class:`~adapters.errors.ConsentTrouble`)."""

    INVITATION = "invitation"
    STATE = "state"
    BROWSER = "browser"
    OTHER_CRM = "other crm"
    ACCOUNT = "account"
    BOUND = "bound"
    AWAY = "away"


class NotConnected(AurevoirError):
    """An attempt that failed; nothing was changed. ``what`` is a :class:`Wrong` or a ``ConsentTrouble``.

    ``names`` fill the sentence on the page: ``found`` and ``wanted`` ids, ``other`` account, ``missing`` scopes.
    """

    def __init__(self, what: StrEnum, account: str | None, **names: object) -> None:
        super().__init__(f"not connected: {what.value}")
        self.what = what
        self.account = account
        self.names = names


@dataclass(frozen=True)
class Begun:
    """Where to send the browser, which keeps ``browser`` as a cookie."""

    url: str
    browser: str


class Consents:
    """Connects accounts in the browser."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        clock, keys = runtime.clock, runtime.settings.secrets

        class Signer(TimestampSigner):
            """Goes by our clock."""

            def get_timestamp(self) -> int:
                return int(clock.now().timestamp())

        self._signer = Signer(
            list(reversed(keys)), salt="aurevoir.connect", key_derivation="hmac", digest_method=hashlib.sha256
        )

    # --- beginning --------------------------------------------------------------------------------------------------

    def invite(self, name: str) -> tuple[str, datetime]:
        """The address for an admin's browser, and until when it may be opened.

        Raises :class:`NotInBrowser` for an account that has its credentials in the settings.
        """
        account = self._runtime.accounts[name]
        if self._consent(account) is None:
            raise NotInBrowser(
                Said(
                    "%(name)s signs in with credentials of config.yaml, so there is nothing to connect in the "
                    "browser; `aurevoir check` says whether they work",
                    name=name,
                )
            )
        crm = account.config.crm
        query = {"account": name, "key": self._signer.sign(f"{crm}/{name}").decode()}
        address = f"{self._runtime.settings.server.public_url}/oauth/{crm}/install?{urlencode(query)}"
        return address, self._runtime.clock.now() + INVITATION

    def begin(self, crm: str, name: str, key: str, browser: str | None) -> Begun:
        """Keep a new attempt. ``browser`` is the cookie's value, where there is one. Raises :class:`NotConnected`."""
        try:
            invited = self._signer.unsign(key, max_age=int(INVITATION.total_seconds())).decode()
        except (BadData, UnicodeError):
            invited = ""
        account = self._runtime.accounts.get(name)
        consent = self._consent(account) if account is not None and account.config.crm == crm else None
        if account is None or consent is None or not hmac.compare_digest(invited.encode(), f"{crm}/{name}".encode()):
            raise NotConnected(Wrong.INVITATION, None)
        browser = browser if browser and len(browser) == 43 else secrets.token_urlsafe(32)
        redirect_uri = f"{self._runtime.settings.server.public_url}/oauth/{crm}/callback"
        request = ConsentRequest(redirect_uri, secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        now = self._runtime.clock.now()
        row = OAuthStateRow(
            id=_digest(request.state),
            crm=crm,
            account=name,
            browser=_digest(browser),
            verifier=self._runtime.vault.seal(request.verifier, account=name, column=_COLUMN),
            redirect_uri=redirect_uri,
            expires_at=now + ATTEMPT,
        )
        with self._runtime.store.write() as session:
            consents.begin(session, row, now)
        log.info("connecting begun", account=name, crm=crm)
        return Begun(consent.authorize_url(account.account_id, account.config.vendor, request), browser)

    # --- finishing --------------------------------------------------------------------------------------------------

    def finish(self, crm: str, given: Mapping[str, str], browser: str | None) -> Account:
        """Take what the CRM sent back with the browser; from here on the account works. Raises NotConnected."""
        row, account, consent = self._attempt(crm, given.get("state", ""), browser)
        try:
            granted = self._redeem(row, account, consent, given)
            try:
                self._claim(account, consent, granted)
            except NotConnected as refused:
                self._give_back(account, consent, granted, refused)
                raise
        except NotConnected as failed:
            log.warning("not connected", account=account.name, crm=crm, reason=failed.what.value)
            raise
        services = account.services
        with services.tokens.lock():
            services.tokens.save(granted.token)
        with self._runtime.store.write() as session:
            accounts.release_hold(session, account.name, accounts.ROUNDS)
            accounts.change(session, account.name, trouble=None, trouble_at=None)
        log.info("connected", account=account.name, crm=crm)
        self._runtime.engine.nudge(account.name)
        return account

    def _attempt(self, crm: str, state: str, browser: str | None) -> tuple[OAuthStateRow, Account, BrowserConsent]:
        """The attempt behind ``state``, used up whether it fits or not."""
        with self._runtime.store.write() as session:
            row = consents.take(session, _digest(state), self._runtime.clock.now())
        account = self._runtime.accounts.get(row.account) if row is not None else None
        consent = self._consent(account) if account is not None else None
        if row is None or account is None or consent is None:
            raise NotConnected(Wrong.STATE, None)
        if not hmac.compare_digest(row.browser, _digest(browser or "")):
            raise NotConnected(Wrong.BROWSER, None)
        if row.crm != crm or account.config.crm != crm:
            raise NotConnected(Wrong.OTHER_CRM, row.account)
        return row, account, consent

    def _redeem(
        self, row: OAuthStateRow, account: Account, consent: BrowserConsent, given: Mapping[str, str]
    ) -> Granted:
        error = given.get("error", "")
        if error or not given.get("code"):
            trouble = consent.trouble(error, given.get("error_description", ""))
            raise NotConnected(trouble, account.name)
        try:
            verifier = self._runtime.vault.open(row.verifier, account=account.name, column=_COLUMN)
        except VaultError:  # the keys were changed meanwhile
            raise NotConnected(Wrong.STATE, account.name) from None
        request = ConsentRequest(row.redirect_uri, given.get("state", ""), verifier)
        vendor, services = account.config.vendor, account.services
        try:
            return consent.redeem(account.name, account.account_id, vendor, services, given["code"], request)
        except ConsentRefused as refused:
            raise NotConnected(refused.trouble, account.name) from refused
        except Retryable as away:
            raise NotConnected(Wrong.AWAY, account.name) from away
        except AdapterError as failed:
            log.warning("redeeming a code failed", account=account.name, failure=type(failed).__name__)
            raise NotConnected(consent.trouble("", ""), account.name) from failed

    def _claim(self, account: Account, consent: BrowserConsent, granted: Granted) -> None:
        """Bind the name to what was granted: the account of the settings, given to none other, with all scopes.

        Looked at and written in one transaction, so that of two names at once one gets it.
        """
        same = account.adapter.same_account
        with self._runtime.store.write() as session:
            for name, one in self._runtime.accounts.items():
                shared = one.config.crm == account.config.crm and same(one.account_id, granted.account_id)
                if name != account.name and shared:
                    raise _refused(Wrong.BOUND, account, granted, other=name)
            mine = accounts.claim(session, account.name, account.config.crm, granted.account_id, same)
            if isinstance(mine, str):
                raise _refused(Wrong.BOUND, account, granted, other=mine)
            if not same(granted.account_id, account.account_id) or not same(granted.account_id, mine.account_id):
                raise _refused(Wrong.ACCOUNT, account, granted)
            if granted.missing:
                missing = [(scope, consent.scopes.get(scope, "")) for scope in granted.missing]
                raise NotConnected(ConsentTrouble.SCOPES, account.name, missing=missing)

    def _give_back(self, account: Account, consent: BrowserConsent, granted: Granted, refused: NotConnected) -> None:
        """Leave no access behind that nobody uses; but end none that may be the same as one that is in use here."""
        with self._runtime.store.read() as session:
            mine, kept = accounts.get(session, account.name), accounts.token(session, account.name)
        same = mine is not None and account.adapter.same_account(mine.account_id, granted.account_id)
        if refused.what is Wrong.BOUND or (kept is not None and same):
            return
        vendor, services = account.config.vendor, account.services
        try:
            consent.give_back(account.name, account.account_id, vendor, services, granted.token)
        except AdapterError as error:
            log.warning("a refused consent could not be given back", account=account.name, failure=type(error).__name__)

    @staticmethod
    def _consent(account: Account) -> BrowserConsent | None:
        adapter = account.adapter
        if isinstance(adapter, Consenting) and adapter.consent.wanted(account.config.vendor):
            return adapter.consent
        return None


def _refused(what: Wrong, account: Account, granted: Granted, **names: object) -> NotConnected:
    return NotConnected(what, account.name, found=granted.account_id, wanted=account.account_id, **names)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
