"""Where "work on account A" runs: in this process, one round at a time for each account.

A round polls when that is due and looks until nothing is due. The agenda is the truth: a nudge that is lost with the
process is found again by the scheduler's sweep.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from adapters.errors import ConfigError, Permanent, RateLimited, Retryable
from connector.account import Account
from connector.clock import Clock
from connector.metrics import RESTS
from connector.reconciler import Reconciler
from connector.sending import backoff
from connector.store import Store, accounts
from connector.store.database import AWAY, Busy
from connector.watcher import Watcher
from workflows.said import Said

log = structlog.get_logger(__name__)

AFTER_REFUSAL = timedelta(hours=1)
"""How long an account rests that the CRM will not let in, or whose settings no longer fit."""
DATABASE_PAUSE_SECONDS = 2.0
"""How long an account rests when the database is away; noted in memory, for want of anything else."""
MOST_LOOKS = 10_000
NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is remembered when an account last worked well."""


def work_lock(account: str) -> str:
    """The name under which one at a time works on this account; see :meth:`connector.store.Store.exclusive`."""
    return f"work-{account}"


class NotSwitchedOn(Permanent):
    """The account was never provisioned: signals are kept, and nothing is read or written."""


class Engine(Protocol):
    """Something that works on accounts soon after it was told to."""

    def nudge(self, account: str) -> None:
        """There may be something to do for this account; returns at once."""

    def stop(self) -> None:
        """Finish what is under way here, and give everything back."""


class Round:
    """One round of work on one account."""

    def __init__(
        self,
        account: Account,
        reconciler: Reconciler,
        watcher: Watcher,
        store: Store,
        clock: Clock,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """``after`` is called when there is nothing more to look at: what it plans is sent in the same round."""
        self.account = account
        self._after = after
        self._reconciler = reconciler
        self._watcher = watcher
        self._store = store
        self._clock = clock
        self._failures = 0
        self._not_before = 0.0

    def run(self, *, poll: bool = False) -> int:
        """Do what is due, and poll even before its time with ``poll``; gives how many deals were looked at.

        One process at a time works on an account: this gives 0 at once where another does. Never raises: when
        something is wrong the account rests for a while, and the reason can be seen.
        """
        if time.monotonic() < self._not_before:
            return 0
        try:
            return self._run(poll)
        except AWAY as error:
            self._not_before = time.monotonic() + DATABASE_PAUSE_SECONDS
            log.warning("the database cannot be used", account=self.account.name, exc_info=error)
            RESTS.labels(self.account.name, "database").inc()
            return 0

    def _run(self, poll: bool) -> int:
        name = self.account.name
        try:
            with self._store.exclusive(work_lock(name)):
                if self._resting():
                    return 0
                return self._work(poll)
        except Busy:
            return 0
        except AWAY:
            raise
        except RateLimited as error:
            self._rest(error.until, "rate_limited", error.message)
        except NotSwitchedOn:
            self._wait_for_switch_on()
        except (Permanent, ConfigError) as error:
            self._rest(self._clock.now() + AFTER_REFUSAL, "refused", str(error))
        except Retryable as error:
            self._rest(self._next_try(), "unavailable", error.message)
        except Exception as error:
            log.exception("a round of work failed", account=name)
            self._rest(self._next_try(), "internal", f"internal error: {type(error).__name__}")
        return 0

    def wake(self) -> None:
        """Do not rest any longer: what was wrong may have been mended."""
        with self._store.write() as session:
            accounts.release_hold(session, self.account.name, accounts.ROUNDS)

    def _next_try(self) -> datetime:
        self._failures += 1
        return self._clock.now() + backoff(self._failures)

    def _work(self, poll: bool) -> int:
        self._require_switched_on()
        if self._watcher.compare_due():
            self._watcher.compare()
        if poll or self._watcher.poll_due():
            self._watcher.poll()
        looked = self._look()
        self._after()
        looked += self._look()
        self._failures = 0
        self._well()
        return looked

    def _look(self) -> int:
        looked = 0
        while looked < MOST_LOOKS and (rows := self._reconciler.look()):
            looked += rows
        return looked

    def _require_switched_on(self) -> None:
        with self._store.read() as session:
            row = accounts.get(session, self.account.name)
        if row is None or row.started_at is None:
            raise NotSwitchedOn(
                Said(
                    "%(name)s is not switched on: run `aurevoir provision --account %(name)s`", name=self.account.name
                ),
                account=self.account.name,
            )
        self.account.require_same(row)

    def _resting(self) -> bool:
        with self._store.read() as session:
            row = accounts.get(session, self.account.name)
            held = accounts.held_until(session, self.account.name, accounts.ROUNDS, self._clock.now())
        return held is not None or (row is not None and row.paused_at is not None)

    def _rest(self, until: datetime, kind: str, reason: str) -> None:
        log.warning("an account rests", account=self.account.name, until=until.isoformat(), kind=kind)
        RESTS.labels(self.account.name, kind).inc()
        with self._store.write() as session:
            accounts.hold(session, self.account.name, accounts.ROUNDS, until)
            accounts.troubled(session, self.account.name, reason, self._clock.now())

    def _wait_for_switch_on(self) -> None:
        """Nothing is wrong: it is being set up, or was taken out. Provisioning ends the rest."""
        with self._store.write() as session:
            accounts.hold(session, self.account.name, accounts.ROUNDS, self._clock.now() + AFTER_REFUSAL)

    def _well(self) -> None:
        """Note that all went well, once a minute at most: somebody may wait for it (P-75)."""
        now = self._clock.now()
        with self._store.read() as session:
            row = accounts.get(session, self.account.name)
        noted = row is not None and row.worked_at is not None and now - row.worked_at < NOTED_EVERY
        if row is None or (noted and row.trouble is None):
            return
        with self._store.write() as session:
            accounts.change(session, self.account.name, trouble=None, trouble_at=None, worked_at=now)


class LocalEngine:
    """Works on accounts in threads of this process; one round at a time for each account, and one more if nudged."""

    def __init__(self, rounds: Mapping[str, Round], *, threads: int = 4) -> None:
        self._rounds = rounds
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="work")
        self._guard = threading.Lock()
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._stopped = False

    def nudge(self, account: str) -> None:
        """There may be something to do for this account."""
        with self._guard:
            if self._stopped or account not in self._rounds:
                return
            if account in self._running:
                self._again.add(account)
                return
            self._running.add(account)
        self._pool.submit(self._run, account)

    @property
    def busy(self) -> bool:
        """Whether a round is under way or waiting."""
        with self._guard:
            return bool(self._running)

    def stop(self) -> None:
        """Let the rounds under way finish, and start no more."""
        with self._guard:
            self._stopped = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, account: str) -> None:
        try:
            one = self._rounds.get(account)  # gone, where the settings have changed meanwhile
            if one is not None:
                one.run()
        finally:
            with self._guard:
                self._running.discard(account)
                again = account in self._again
                self._again.discard(account)
            if again:
                self.nudge(account)
