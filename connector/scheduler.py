"""APScheduler as the clock: it only says "now"; what is due stands in the database and survives every stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from connector.account import Account
from connector.clock import Clock
from connector.engine import Engine
from connector.heartbeat import Heartbeat
from connector.store import Store, accounts, agenda, housekeeping
from connector.store.database import AWAY
from connector.tokens import keep_alive
from connector.watcher import Watcher

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 1
TIDY_HOURS = 6
TOKENS_MINUTES = 15
BEAT_SECONDS = 60


class Scheduler:
    """Nudges accounts that have something due, and tidies up.

    The sweep reads the database: it finds what a lost nudge, another process or a stop left behind.
    """

    def __init__(
        self,
        connected: Mapping[str, Account],
        engine: Engine,
        store: Store,
        clock: Clock,
        heartbeat: Heartbeat,
        keep: Callable[[], housekeeping.Keep],
    ) -> None:
        """``keep`` tells how long what is kept, as the settings are now."""
        self._connected = connected
        self._watchers: dict[Account, Watcher] = {}
        self._engine = engine
        self._store = store
        self._clock = clock
        self._heartbeat = heartbeat
        self._keep = keep
        self._jobs = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        """Begin."""
        self._jobs.add_job(self.sweep, "interval", seconds=SWEEP_SECONDS, id="sweep")
        self._jobs.add_job(self.tidy, "interval", hours=TIDY_HOURS, id="tidy")
        self._jobs.add_job(self.refresh, "interval", minutes=TOKENS_MINUTES, id="tokens")
        self._jobs.add_job(self.beat, "interval", seconds=BEAT_SECONDS, id="heartbeat")
        self._jobs.start()

    def stop(self) -> None:
        """Let the job under way finish."""
        if self._jobs.running:
            self._jobs.shutdown(wait=True)

    @property
    def _accounts(self) -> tuple[Account, ...]:
        """As they are now: changed settings bring others."""
        return tuple(self._connected.values())

    @property
    def running(self) -> bool:
        """Whether the clock ticks."""
        return bool(self._jobs.running)

    def sweep(self) -> None:
        """Nudge every account that has a look, a poll or a comparison due. While the database is away, nothing is."""
        try:
            due = self._due()
        except AWAY as error:
            log.warning("the database cannot be used", exc_info=error)
            return
        for name in due:
            self._engine.nudge(name)

    def _due(self) -> list[str]:
        now = self._clock.now()
        with self._store.read() as session:
            due = set(agenda.due_accounts(session, now))
            resting = set(accounts.resting(session, now))
            last = accounts.last_rounds(session)
        return [
            name
            for name, watcher in self._watching()
            if name not in resting and (name in due or watcher.is_due(*last.get(name, (None, None))))
        ]

    def _watching(self) -> Iterator[tuple[str, Watcher]]:
        present = self._accounts
        self._watchers = {
            account: self._watchers.get(account) or Watcher(account, self._store, self._clock) for account in present
        }
        return ((account.name, watcher) for account, watcher in self._watchers.items())

    def beat(self) -> None:
        """Say that all is well, if it is."""
        self._heartbeat.beat(self._accounts)

    def refresh(self) -> None:
        """Refresh tokens that lay still for the better part of a day: a consent that nobody uses lapses."""
        keep_alive(self._accounts, self._store, self._clock)

    def tidy(self) -> None:
        """Drop what is past its time."""
        try:
            removed = housekeeping.clean(self._store, self._keep(), self._clock.now())
        except AWAY as error:
            log.warning("the database cannot be used", exc_info=error)
            return
        for account, counts in removed.items():
            log.info("dropped what was past its time", account=account, count=sum(counts.values()))
