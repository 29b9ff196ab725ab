"""Noticing that contacts were deleted, for a CRM that tells nobody of it (P-79): once a day, those of our cases.

Whoever was deleted there is forgotten here as well; one who was merged into another record lives on in that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from adapters.offers import Forgetting
from connector.account import Account
from connector.clock import Clock
from connector.erasure import Erasure
from connector.store import Store, erasing

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(hours=24)


class Forgetter:
    """Looks after the people of one account's cases. Call it under the account's lock of work."""

    def __init__(self, account: Account, store: Store, erasure: Erasure, clock: Clock) -> None:
        self._account, self._store, self._erasure, self._clock = account, store, erasure, clock
        self._looked_at: datetime | None = None

    def look(self) -> None:
        """Erase those who were deleted; once a day and after a start. Raises what the CRM and the database raise."""
        now = self._clock.now()
        crm = self._account.crm()
        due = self._looked_at is None or now - self._looked_at >= LOOK_EVERY
        if not due or not isinstance(crm, Forgetting):
            return
        with self._store.read() as session:
            known = erasing.contacts_known(session, self._account.name)
        gone = sorted(crm.deleted_contacts(known)) if known else []
        if gone:
            language = self._account.config.language
            with self._store.write() as session:
                self._erasure.erase(session, self._account.name, gone, now, language=language)
            self._store.let_go_of_removed()
            log.info("contacts were deleted in the CRM", account=self._account.name, erased=len(gone))
        self._looked_at = now
