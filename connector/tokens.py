"""Stored tokens: kept alive while an account is quiet, and sealed anew when the secret key changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from adapters.errors import AdapterError, Permanent
from adapters.offers import Consenting
from connector.account import Account, StoredToken
from connector.clock import Clock
from connector.store import Store, accounts
from connector.vault import Vault, VaultError

log = structlog.get_logger(__name__)

KEPT_ALIVE = timedelta(hours=20)
"""A token that was not refreshed for so long is refreshed: once a day, with room for a try or two more."""
REST = timedelta(hours=1)


def keep_alive(connected: Iterable[Account], store: Store, clock: Clock) -> None:
    """Refresh tokens that were not refreshed for the better part of a day. Never raises for a single account.

    An account whose consent has ended rests, and shows why; it would not be noticed before its next work else.
    """
    before = clock.now() - KEPT_ALIVE
    with store.read() as session:
        old = {row.account for row in accounts.tokens(session) if row.saved_at < before}
    for account in connected:
        adapter, vendor = account.adapter, account.config.vendor
        if account.name not in old or not isinstance(adapter, Consenting) or not adapter.consent.wanted(vendor):
            continue
        try:
            with store.read() as session:
                account.require_same(accounts.get(session, account.name))
            adapter.consent.keep_alive(account.name, account.account_id, vendor, account.services, before=before)
        except Permanent as error:
            log.warning("a token cannot be kept alive", account=account.name, failure=type(error).__name__)
            with store.write() as session:
                now = clock.now()
                accounts.hold(session, account.name, accounts.ROUNDS, now + REST)
                accounts.troubled(session, account.name, str(error), now)
        except AdapterError as error:
            log.info("a token could not be kept alive yet", account=account.name, failure=type(error).__name__)


@dataclass(frozen=True)
class Rotated:
    """What :func:`rotate_keys` did, by account. ``failed``: with the reason."""

    sealed_anew: tuple[str, ...]
    current: tuple[str, ...]
    failed: dict[str, str]


def rotate_keys(store: Store, vault: Vault, clock: Clock) -> Rotated:
    """Seal every stored token with the first secret key.

    Each is stored by itself, under the lock of its refresher; whoever is interrupted simply begins again.
    """
    with store.read() as session:
        names = [row.account for row in accounts.tokens(session)]
    anew: list[str] = []
    current: list[str] = []
    failed: dict[str, str] = {}
    for name in names:
        try:
            (anew if _reseal(store, vault, clock, name) else current).append(name)
        except (VaultError, AdapterError) as error:
            failed[name] = str(error)
    return Rotated(tuple(anew), tuple(current), failed)


def _reseal(store: Store, vault: Vault, clock: Clock, name: str) -> bool:
    with StoredToken(store, vault, name, clock).lock(), store.write() as session:
        row = accounts.token(session, name)
        sealed = None if row is None else vault.reseal(row.sealed, account=name, column=accounts.SEALED)
        if row is None or sealed is None:
            return False
        row.sealed = sealed
        return True
