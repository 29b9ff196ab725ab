"""Watching one account: polling for what changed, and the daily comparison of everything.

Webhooks may be late, lost or not to be had; what these find goes on the same agenda.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from adapters.results import Page
from connector.account import Account
from connector.clock import Clock
from connector.metrics import POLLS
from connector.qualifying import to_tell
from connector.store import Store, accounts, agenda, cases, door
from workflows.guard import compared_stages
from workflows.quiet import QUIET_FOR, STAYS
from workflows.returning import SURE_AFTER

log = structlog.get_logger(__name__)

COMPARE_EVERY = timedelta(hours=24)
MOST_PAGES = 500
"""A bound on one poll; the cursor is kept, and the next poll goes on from there."""


class Watcher:
    """Finds deals of one account that should be looked at."""

    def __init__(self, account: Account, store: Store, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._since = clock.now()

    def poll_due(self) -> bool:
        """Whether the account is to be polled now: its time has come, or nobody listened since the last poll."""
        return self._is_poll_due(self._last()[0])

    def compare_due(self) -> bool:
        """Whether a day has passed since everything was compared."""
        return self._is_compare_due(self._last()[1])

    def is_due(self, polled_at: datetime | None, compared_at: datetime | None) -> bool:
        """Whether there is a poll or a comparison due, by what is known of the last ones."""
        return self._is_poll_due(polled_at) or self._is_compare_due(compared_at)

    def _is_poll_due(self, last: datetime | None) -> bool:
        return last is None or last < self._since or last + self._account.config.poll_every <= self._clock.now()

    def _is_compare_due(self, last: datetime | None) -> bool:
        return last is None or last + COMPARE_EVERY <= self._clock.now()

    def poll(self) -> int:
        """Put deals that changed, or whose tasks changed, on the agenda; gives how many."""
        try:
            found = self._poll_deals() + self._poll_tasks()
        except Exception:
            POLLS.labels(self._account.name, "failed").inc()
            raise
        with self._store.write() as session:
            accounts.change(session, self._account.name, polled_at=self._clock.now())
        POLLS.labels(self._account.name, "done").inc()
        return found

    def compare(self) -> int:
        """Put every deal that should have a case, and every deal that has one, on the agenda; gives how many.

        Also those by which customers remain (P-25): that they were deleted is told by nothing else where we poll.
        """
        stages = sorted(compared_stages(self._account.rules()))
        cursor: str | None = None
        found = 0
        for _ in range(MOST_PAGES if stages else 0):
            page = self._account.crm().deals_in_stages(stages, cursor)
            self._put(page.ids, "daily comparison")
            found += len(page.ids)
            cursor = page.cursor
            if not page.more:
                break
        with self._store.write() as session:
            now = self._clock.now()
            still_open = cases.open_deal_ids(session, self._account.name)
            agenda.put(
                session,
                self._account.name,
                [agenda.Entry(deal_id, now, "daily comparison", tasks=True) for deal_id in still_open],
            )
            keeping = cases.keeping(session, self._account.name, now - QUIET_FOR)
            keeping = (keeping | door.fresh_returns(session, self._account.name, now - SURE_AFTER)) - still_open
            agenda.put(
                session, self._account.name, [agenda.Entry(one, now, "daily comparison") for one in sorted(keeping)]
            )
            accounts.change(session, self._account.name, compared_at=now)
        return found + len(still_open) + len(keeping)

    def _poll_deals(self) -> int:
        found = 0
        for _ in range(MOST_PAGES):
            cursor = self._cursor("deals")
            page = self._account.crm().changed_deals(cursor)
            ids = self._that_matter(page)
            with self._store.write() as session:
                now = self._clock.now()
                agenda.put(session, self._account.name, [agenda.Entry(deal_id, now, "poll") for deal_id in ids])
                accounts.move_cursor(session, self._account.name, "deals", page.cursor, now)
            found += len(ids)
            if not page.more:
                break
        return found

    def _that_matter(self, page: Page) -> list[str]:
        """Leave out deals in stages that nobody watches, unless they have an open case, customers remain by them,
        former customers begin anew with them (P-43), or somebody asks there for an offboarding (P-72)."""
        watched = self._account.watched_stages()
        if watched is None or not page.stages:
            return list(page.ids)
        with self._store.read() as session:
            known = cases.open_deal_ids(session, self._account.name, page.ids)
            known |= {str(row.written[STAYS]) for row in cases.remaining_by(session, self._account.name, page.ids)}
            known |= door.returned(session, self._account.name, page.ids).keys()
            known |= to_tell(session, self._account.name, page.companies) | page.ticked
        return [one for one in page.ids if one in known or page.stages.get(one, "") in watched]

    def _poll_tasks(self) -> int:
        with self._store.read() as session:
            if not cases.waits_for_people(session, self._account.name):
                return 0
        found = 0
        for _ in range(MOST_PAGES):
            page = self._account.crm().changed_tasks(self._cursor("tasks"))
            with self._store.write() as session:
                now = self._clock.now()
                deals = set(cases.deals_of_tasks(session, self._account.name, page.ids).values())
                entries = [agenda.Entry(deal_id, now, "poll of tasks", tasks=True) for deal_id in sorted(deals)]
                agenda.put(session, self._account.name, entries)
                accounts.move_cursor(session, self._account.name, "tasks", page.cursor, now)
            found += len(deals)
            if not page.more:
                break
        return found

    def _cursor(self, stream: str) -> str:
        with self._store.read() as session:
            cursor = accounts.cursor(session, self._account.name, stream)
        return cursor if cursor is not None else self._account.crm().start_cursor()

    def _put(self, deal_ids: Sequence[str], why: str) -> None:
        with self._store.write() as session:
            now = self._clock.now()
            agenda.put(session, self._account.name, [agenda.Entry(deal_id, now, why) for deal_id in deal_ids])

    def _last(self) -> accounts.Rounds:
        with self._store.read() as session:
            return accounts.last_rounds(session).get(self._account.name, (None, None))
