"""Taking on changed settings without a restart; what is not sound changes nothing, and is told.

Every few seconds the file, its secrets and the admin's own playbooks are looked at. Accounts whose settings changed are
connected anew; a round of work under way ends with the former ones. Address, database and secret keys are what the
process was built on: for them a restart is needed, and the log says so.
"""

from __future__ import annotations

import threading
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, TypeVar

import structlog
from pydantic import BaseModel, SecretStr

from adapters.errors import AdapterError, ConfigError, Fault
from connector.settings import Settings
from workflows.said import Said

if TYPE_CHECKING:
    from connector.account import Account
    from connector.bootstrap import Runtime

log = structlog.get_logger(__name__)

LOOK_SECONDS = 2.0
FIXED = ("server", "database_url", "secret_key")
"""What a running process keeps as it began."""

T = TypeVar("T")


class Live(Mapping[str, T]):
    """A mapping that is replaced as a whole, so that whoever walks over it sees one state to the end."""

    def __init__(self, items: Mapping[str, T]) -> None:
        self._items = dict(items)

    def replace(self, items: Mapping[str, T]) -> None:
        """From now on these."""
        self._items = dict(items)

    def __getitem__(self, name: str) -> T:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def keys(self) -> KeysView[str]:
        """The names as they are at this moment."""
        return self._items.keys()

    def items(self) -> ItemsView[str, T]:
        """Names and values as they are at this moment."""
        return self._items.items()

    def values(self) -> ValuesView[T]:
        """The values as they are at this moment."""
        return self._items.values()


class Reloader:
    """Keeps a running process in step with its settings."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._guard = threading.Lock()
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen = self._fingerprint()
        self.trouble: ConfigError | None = None
        """Why the file as it stands now was not taken on; None when it was."""
        self.waiting: Mapping[str, str] = {}
        """Keys whose change needs a restart, such as ``server.public_url``, with their new value; empty for secrets."""

    def start(self) -> None:
        """Look from now on."""
        if self._runtime.source is None:
            return
        self._thread = threading.Thread(target=self._watch, name="settings", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._leaving.set()
        if self._thread is not None:
            self._thread.join(LOOK_SECONDS * 5)

    def look(self, *, surely: bool = False) -> bool:
        """Take on what has changed since the last look; True when something was. ``surely``: without a look first."""
        source = self._runtime.source
        if source is None:
            return False
        with self._guard:
            now = self._fingerprint()
            if now == self._seen and not surely:
                return False
            try:
                fresh = source.load()
                self._take_on(fresh)
            except ConfigError as error:
                self._seen, self.trouble = now, error
                log.error(
                    "changed settings cannot be used; the former ones go on", reason=str(error), count=len(error.faults)
                )
                return False
            self.trouble = None
            self._seen = self._fingerprint()  # the folders of playbooks may be others now
        log.info("settings taken on", accounts=sorted(self._runtime.accounts), reason=", ".join(self.waiting) or "all")
        return True

    def _take_on(self, fresh: Settings) -> None:
        current = self._runtime.settings
        self.waiting = {
            place: told for key in FIXED for place, told in _changed(key, getattr(fresh, key), getattr(current, key))
        }
        if self.waiting:
            log.warning("a changed setting needs a restart", keys=sorted(self.waiting))
        self._runtime.take_on(fresh.model_copy(update={key: getattr(current, key) for key in FIXED}))

    def require_no_restart_due(self) -> None:
        """Raise :class:`~adapters.errors.ConfigError` with every key that needs a restart before it takes effect."""
        self.look()
        cure = Said("the file says so, and the running program still has another value: restart it, then do this again")
        if self.waiting:
            raise ConfigError([Fault(key, told, cure) for key, told in self.waiting.items()])

    def _fingerprint(self) -> str:
        source = self._runtime.source
        return source.fingerprint(self._runtime.settings) if source is not None else ""

    def _watch(self) -> None:
        while not self._leaving.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception as error:  # the next look may go well, and nobody else keeps in step
                log.error("settings could not be looked at", exc_info=error)


def _changed(key: str, fresh: object, current: object) -> Iterator[tuple[str, str]]:
    """The keys that differ, down to the single value, with what may be shown of the new one."""
    if isinstance(fresh, BaseModel) and isinstance(current, BaseModel):
        for name in type(fresh).model_fields:
            yield from _changed(f"{key}.{name}", getattr(fresh, name), getattr(current, name))
    elif fresh != current:
        kept = isinstance(fresh, SecretStr | tuple) or key == "database_url"  # that may hold a password
        yield key, "" if kept or fresh is None else str(fresh)


def require_names(accounts: Iterable[Account]) -> None:
    """Start nothing while the settings name what an account does not have; a CRM that is away is no reason to wait.

    Raises :class:`~adapters.errors.ConfigError` with all faults.
    """
    faults: list[Fault] = []
    for account in accounts:
        try:
            if account.is_switched_on():
                account.require_names()
        except ConfigError as error:
            faults += error.faults
        except AdapterError as error:
            log.warning("names not checked", account=account.name, reason=error.message)
    if faults:
        raise ConfigError(faults)
