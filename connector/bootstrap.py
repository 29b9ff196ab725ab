"""Puts the parts together: the only module that knows which adapters exist (entry points ``aurevoir.adapters``)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from sqlalchemy.exc import SQLAlchemyError

from adapters.errors import Unavailable
from adapters.port import Adapter
from connector.account import Account
from connector.clock import Clock, SystemClock
from connector.door import Movers
from connector.engine import Engine, LocalEngine, Round, work_lock
from connector.erasure import Erasure
from connector.forgetting import Forgetter
from connector.heartbeat import Heartbeat
from connector.learning import Learning
from connector.library import Library
from connector.links import LinkSigner
from connector.notices import Notices
from connector.presence import SERVE
from connector.reconciler import Reconciler
from connector.reload import Live, Reloader, require_names
from connector.scheduler import Scheduler
from connector.settings import Settings
from connector.source import Source
from connector.store import Store, accounts, pauses
from connector.store.database import AWAY, Busy
from connector.store.housekeeping import Keep
from connector.vault import Vault
from connector.watcher import Watcher
from connector.web.runtime import Readiness

GROUP = "aurevoir.adapters"
LETTING_GO_SECONDS = 300.0


class Adapters(Mapping[str, Adapter]):
    """The installed adapters by name, each loaded when it is first used: a vendor's SDK is heavy."""

    def __init__(self) -> None:
        self._entries = {entry.name: entry for entry in entry_points(group=GROUP)}
        self._loaded: dict[str, Adapter] = {}

    def __getitem__(self, name: str) -> Adapter:
        if name not in self._loaded:
            self._loaded[name] = self._entries[name].load()
        return self._loaded[name]

    def __iter__(self):  # type: ignore[no-untyped-def]  # as Mapping declares it
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@dataclass
class Runtime:
    """All parts of one running process."""

    settings: Settings
    clock: Clock
    store: Store
    adapters: Mapping[str, Adapter]
    accounts: Live[Account]
    library: Library
    links: LinkSigner
    vault: Vault
    rounds: Live[Round]
    engine: Engine
    source: Source | None = None
    scheduler: Scheduler | None = None
    _works_elsewhere: bool = False
    _stops: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reloader = Reloader(self)

    def start(self, engine: Engine | None = None) -> None:
        """Begin to work: wake accounts that rested before the last stop, then tick.

        Rounds run in threads of this process, unless an ``engine`` takes care of them.
        """
        for one in self.rounds.values():
            one.wake()
        self.engine = engine or LocalEngine(self.rounds)
        url = self.settings.server.heartbeat_url
        heartbeat = Heartbeat(self.store, self.clock, url.get_secret_value() if url is not None else None)
        self.scheduler = Scheduler(self.accounts, self.engine, self.store, self.clock, heartbeat, self._keep)
        self._stops = [self.scheduler.stop, self.engine.stop]
        self.scheduler.start()

    def _keep(self) -> Keep:
        kept = self.settings.retention
        return Keep(**{name: getattr(kept, name) or None for name in type(kept).model_fields})

    def hand_over(self, engine: Engine) -> None:
        """Do no work here: ``engine`` tells others what there is to do."""
        self.engine = engine
        self._works_elsewhere = True
        self._stops = [engine.stop]

    def close(self) -> None:
        """Stop working, finish what is under way, give everything back."""
        self.reloader.stop()
        for stop in self._stops:
            stop()
        self._stops = []
        for account in self.accounts.values():
            account.close()
        self.store.close()

    def take_on(self, settings: Settings) -> None:
        """Go on with these settings from the next round of work on; see :mod:`connector.reload`.

        Raises :class:`~adapters.errors.ConfigError`, with everything left as it was, when they cannot be used.
        """
        library = Library(settings)
        former = dict(self.accounts.items())
        connected = {
            name: former[name]
            if name in former and former[name].config == config
            else Account(name, config, self.adapters[config.crm], self.store, self.vault, self.clock)
            for name, config in settings.accounts.items()
        }
        new = [account for name, account in connected.items() if former.get(name) is not account]
        require_names(new)
        self.settings, self.library = settings, library
        self.rounds.replace(_rounds(connected, self.store, library, self.links, self.clock))
        self.accounts.replace(connected)
        for account in (one for one in new if one.is_switched_on()):
            self.rounds[account.name].wake()
            self.engine.nudge(account.name)
        for name, account in former.items():
            if connected.get(name) is not account:
                threading.Thread(target=self._let_go, args=(account,), name=f"lets go of {name}", daemon=True).start()

    def _let_go(self, account: Account) -> None:
        """Give an account's connection back when the round of work under way is over."""
        with suppress(Busy, *AWAY), self.store.exclusive(work_lock(account.name), wait=LETTING_GO_SECONDS):
            pass
        account.close()

    def ready(self) -> Sequence[Readiness]:
        """What must be well for work to be done: ``(subject, ok, text)`` each. Never raises."""
        try:
            self.store.check()
            return [
                ("database", True, "answers"),
                *self._ready_settings(),
                self._ready_to_work(),
                *self._ready_accounts(),
            ]
        except SQLAlchemyError as error:
            return [("database", False, type(error).__name__)]

    def _ready_settings(self) -> Iterator[Readiness]:
        """Work goes on with the former settings, so a fault in changed ones is told, and is no reason to be unready."""
        if self.reloader.trouble is not None:
            yield ("settings", True, f"the changed file is not used: {self.reloader.trouble}")
        elif self.reloader.waiting:
            yield ("settings", True, f"a restart is needed for: {', '.join(self.reloader.waiting)}")

    def _ready_to_work(self) -> Readiness:
        if self._works_elsewhere:
            held = self.store.is_held(SERVE)
            return ("worker", held, "works" if held else "none runs: start `aurevoir worker`")
        ticking = self.scheduler is not None and self.scheduler.running
        return ("scheduler", ticking, "ticks" if ticking else "does not run")

    def _ready_accounts(self) -> Iterator[Readiness]:
        """An account that is being set up beside others that work is no reason to take their pages off the network."""
        with self.store.read() as session:
            rows = {name: accounts.get(session, name) for name in self.accounts}
            others_work = any(row is not None and row.started_at is not None for row in rows.values())
            for name, row in rows.items():
                if accounts.is_taken_out(row):
                    yield (f"account {name}", True, "taken out: remove it from the settings, or provision it again")
                elif row is None or row.started_at is None:
                    yield (f"account {name}", others_work, "not switched on: run `aurevoir provision`")
                elif row.trouble is not None:
                    yield (f"account {name}", False, row.trouble)
                elif row.paused_at is not None:
                    yield (f"account {name}", True, "paused")
                else:
                    held = ", ".join(pauses.playbooks(session, name))
                    yield (f"account {name}", True, f"works; paused playbooks: {held}" if held else "works")


def cannot_be_used(store: Store, error: Exception) -> Unavailable:
    """The database's trouble in words, for someone who started a command."""
    where = store.url.render_as_string(hide_password=True)
    return Unavailable(f"the database {where} cannot be used: {getattr(error, 'orig', None) or error}")


class _NoEngine:
    """For short commands: what they put on the agenda is found by the next sweep of a running ``serve``."""

    def nudge(self, account: str) -> None:
        """Nothing to do here."""

    def stop(self) -> None:
        """Nothing to give back."""


def build(
    settings: Settings,
    *,
    adapters: Mapping[str, Adapter] | None = None,
    clock: Clock | None = None,
    source: Source | None = None,
) -> Runtime:
    """The parts for these settings; nothing is started and no call is made. ``source``: where they can be changed.

    Raises :class:`~adapters.errors.ConfigError` when playbooks or questionnaires cannot be used.
    """
    clock = clock or SystemClock()
    adapters = adapters if adapters is not None else Adapters()
    library = Library(settings)
    store = Store(settings.database_url)
    vault = Vault(settings.secrets)
    links = LinkSigner(settings.server.public_url, settings.secrets)
    connected = {
        name: Account(name, config, adapters[config.crm], store, vault, clock)
        for name, config in settings.accounts.items()
    }
    return Runtime(
        settings=settings,
        clock=clock,
        store=store,
        adapters=adapters,
        accounts=Live(connected),
        library=library,
        links=links,
        vault=vault,
        rounds=Live(_rounds(connected, store, library, links, clock)),
        engine=_NoEngine(),
        source=source,
    )


def _one_by_one(*chores: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        for chore in chores:
            chore()

    return run


def _rounds(
    connected: Mapping[str, Account], store: Store, library: Library, links: LinkSigner, clock: Clock
) -> dict[str, Round]:
    rounds = {}
    for name, account in connected.items():
        reconciler = Reconciler(account, store, library, links, clock)
        rounds[name] = Round(
            account,
            reconciler,
            Watcher(account, store, clock),
            store,
            clock,
            after=_one_by_one(
                Notices(account, store, clock, links.public_url).tell,
                Learning(account, store, library, clock).run,
                Movers(account, store, clock).run,
                Forgetter(account, store, Erasure(links, library.questionnaires), clock).look,
                reconciler.progress.run,
            ),
        )
    return rounds
