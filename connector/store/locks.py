"""What only one may do at a time, over all threads and processes on one database.

The operating system or the database server lets go of a lock when its holder dies, so a restart after kill -9 works at
once. Nothing here is re-entrant: who holds a name and asks for it again is refused like anyone else.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import structlog
from filelock import FileLock
from filelock import Timeout as FileLockTimeout
from sqlalchemy import URL, Connection, NullPool, TextClause, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from adapters.errors import AurevoirError

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.05
_KEY = "hashtextextended(:name, 0)"


class Busy(AurevoirError):
    """Someone else holds what only one may hold."""


class NotYours(AurevoirError):
    """The database's files belong to another user of this machine than the one who runs this."""


class Locks(Protocol):
    """Named locks."""

    def hold(self, name: str, wait: float, *, shared: bool) -> contextlib.AbstractContextManager[None]:
        """Held while the block runs; raises :class:`Busy` after ``wait`` seconds.

        With ``shared``, several may hold it together, and nobody alone meanwhile.
        """

    def is_held(self, name: str) -> bool:
        """Whether anyone holds it now; takes nothing."""

    def require_held(self) -> None:
        """Raise when this thread lost a lock that it believes to hold."""

    def close(self) -> None:
        """Give everything back."""


class FileLocks:
    """Locks on files beside an SQLite file, which must lie on a local disk. Shared ones are exclusive here."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @contextmanager
    def hold(self, name: str, wait: float, *, shared: bool) -> Iterator[None]:
        """See :class:`Locks`."""
        lock = self._lock(name)
        try:
            lock.acquire(timeout=wait)
        except FileLockTimeout:
            raise Busy(f"another process holds {name} of {self._path}") from None
        except PermissionError:
            raise NotYours(
                f"{lock.lock_file} belongs to {_owner(Path(lock.lock_file))}, and cannot be opened by {_this_user()}: "
                "remove that file while nothing runs, and run every command as the user whom the database belongs to"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def is_held(self, name: str) -> bool:
        """See :class:`Locks`. It is tried out: for a moment nobody else can have it."""
        try:
            with self.hold(name, 0, shared=False):
                return False
        except Busy:
            return True

    def require_held(self) -> None:
        """Nothing to do: a file stays locked as long as we live."""

    def close(self) -> None:
        """Nothing to do."""

    def _lock(self, name: str) -> FileLock:
        if self._path is None:
            raise Busy("a database in memory cannot be shared: give a file")
        return FileLock(f"{self._path}.{name}.lock", poll_interval=0.02, thread_local=False)


def refuse_strangers(path: Path) -> None:
    """Raise :class:`NotYours` where this user's files beside the database at ``path`` would shut out its owner.

    The service's own process could not open what a command of root's left there, at some later time and far from its
    cause. A new database in root's name is refused in the folder of somebody else for the same reason.
    """
    if not hasattr(os, "geteuid"):
        return
    me = os.geteuid()
    try:
        owner = (path if path.exists() else path.parent).stat().st_uid
    except OSError:
        return  # opening it says what is the matter
    if owner == me or (not path.exists() and me != 0):
        return
    place = path if path.exists() else path.parent
    name = _owner(place)
    raise NotYours(
        f"{place} belongs to {name}, and this runs as {_this_user()}: what one of you writes beside it, the other "
        f"cannot open. Run it as {name} (`sudo -u {name} …`), or give the files to one user with `chown`"
    )


def _owner(path: Path) -> str:
    with contextlib.suppress(KeyError, OSError):
        return path.owner()
    with contextlib.suppress(OSError):
        return f"#{path.stat().st_uid}"
    return "another user"


def _this_user() -> str:
    import pwd  # not everywhere

    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return f"#{os.geteuid()}"


class AdvisoryLocks:
    """PostgreSQL's advisory locks, each on a connection of its own that is closed with it.

    Taking the connection from a pool would let many holders starve the very work that they hold their locks for. A
    session's lock goes with its connection: behind a pooler that shares connections by transaction it would not hold.
    """

    def __init__(self, url: URL, connect_args: dict[str, Any]) -> None:
        self._engine = create_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True, connect_args=connect_args
        )
        self._mine = threading.local()

    @contextmanager
    def hold(self, name: str, wait: float, *, shared: bool) -> Iterator[None]:
        """See :class:`Locks`."""
        kind = "_shared" if shared else ""
        ask, free = _lock_call(f"pg_try_advisory_lock{kind}", name), _lock_call(f"pg_advisory_unlock{kind}", name)
        deadline = time.monotonic() + wait
        with self._engine.connect() as connection:
            while not connection.scalar(ask):
                if time.monotonic() >= deadline:
                    raise Busy(f"another process holds {name} of this database")
                time.sleep(_POLL_SECONDS)
            held = self._held()
            held.append(connection)
            try:
                yield
            finally:
                held.remove(connection)
                _let_go(connection, free)

    def is_held(self, name: str) -> bool:
        """See :class:`Locks`."""
        query = text(
            "select exists (select from pg_locks where locktype = 'advisory' and objsubid = 1 and granted"  # noqa: S608
            " and database = (select oid from pg_database where datname = current_database())"
            f" and (classid::bigint << 32) | objid::bigint = {_KEY})"
        ).bindparams(name=f"aurevoir:{name}")
        with self._engine.connect() as connection:
            return bool(connection.scalar(query))

    def require_held(self) -> None:
        """Raise what the database raises when the connection of a lock of this thread is gone, and the lock with it."""
        for connection in self._held():
            connection.execute(text("select 1"))

    def close(self) -> None:
        """Nothing is kept open."""
        self._engine.dispose()

    def _held(self) -> list[Connection]:
        found: list[Connection] = self._mine.__dict__.setdefault("held", [])
        return found


def _lock_call(function: str, name: str) -> TextClause:
    return text(f"select {function}({_KEY})").bindparams(name=f"aurevoir:{name}")


def _let_go(connection: Connection, free: TextClause) -> None:
    """At once, not when the server notices that we left; a connection that is gone has let go already."""
    try:
        connection.execute(free)
    except SQLAlchemyError:
        log.warning("a lock's connection was lost while it was held", exc_info=True)
        connection.invalidate()
