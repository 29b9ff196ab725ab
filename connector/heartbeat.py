"""The heartbeat (P-75): each minute in which all is well, an address of the admin's monitoring service is fetched.

When it stops (the machine is gone, the process hangs, an account cannot work), that service raises the alarm: what has
died cannot say so itself. Such a service is called a dead man's switch.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable

import structlog

from connector.account import Account
from connector.clock import Clock
from connector.metrics import BEATS
from connector.store import Store, accounts
from connector.store.database import AWAY

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0


class Heartbeat:
    """Looks at all accounts, says in the log which ones fell silent and which work again, and beats."""

    def __init__(self, store: Store, clock: Clock, url: str | None) -> None:
        self._store, self._clock, self._url = store, clock, url
        self._silent: set[str] = set()

    def beat(self, connected: Iterable[Account]) -> None:
        """Never raises. Without an address, only the log is told. Accounts that are not switched on do not count."""
        try:
            silent = self._silent_ones(connected)
        except AWAY as error:
            log.warning("no heartbeat: the database cannot be used", exc_info=error)
            return
        for name in sorted(silent - self._silent):
            log.error("an account does not work", account=name)
        for name in sorted(self._silent - silent):
            log.info("an account works again", account=name)
        self._silent = silent
        if self._url is not None and not silent:
            self._fetch(self._url)

    def _silent_ones(self, connected: Iterable[Account]) -> set[str]:
        now = self._clock.now()
        silent = set()
        with self._store.read() as session:
            for account in connected:
                row = accounts.get(session, account.name)
                started = row is not None and row.started_at is not None
                if row is not None and started and not accounts.is_well(row, account.config.poll_every, now):
                    silent.add(account.name)
        return silent

    def _fetch(self, url: str) -> None:
        request = urllib.request.Request(url, headers={"User-Agent": "aurevoir"})  # noqa: S310 - http(s) by the settings
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 - as above
                BEATS.labels("done").inc()
        except (OSError, ValueError) as error:
            BEATS.labels("failed").inc()
            status = error.code if isinstance(error, urllib.error.HTTPError) else None
            log.warning("the heartbeat did not get through", failure=type(error).__name__, status=status)
