"""The database behind the store: connections, transactions, schema version.

SQLite runs in WAL mode with ``synchronous=FULL`` (NORMAL may lose the last commits on power loss), and each writing
transaction is ``BEGIN IMMEDIATE``: a read that turns into a write fails at once with "database is locked" otherwise,
whatever the busy time-out says. PostgreSQL uses its defaults: READ COMMITTED, and what must not be overtaken is either
one statement (an upsert, an update that names the version) or guarded by a lock.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from adapters.errors import AurevoirError
from connector.store.locks import AdvisoryLocks, FileLocks, Locks, refuse_strangers
from connector.store.locks import Busy as Busy  # what only one may do is asked of the store
from connector.store.locks import NotYours as NotYours

T = TypeVar("T")

BUSY_SECONDS = 4.0
POOL_SIZE, POOL_OVERFLOW = 5, 20
"""More than a process has threads: eight for requests, four for rounds, the scheduler's."""
POOL_WAIT_SECONDS = 10
_CONNECTING: dict[str, Any] = {
    "application_name": f"aurevoir {os.getpid()}",
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "options": "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}
AWAY = (OperationalError, InterfaceError, PendingRollbackError, PoolTimeout)
"""What is raised while the database cannot be reached or has no time for us: nothing was committed; try again later."""
_GAVE_WAY = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock (PostgreSQL, appendix A)."""
_READ_ONLY = "aurevoir_read_only"
_MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaOutdated(AurevoirError):
    """The database has an older (or newer) schema than this version of the program."""


class NoBackUp(AurevoirError):
    """No copy of the database could be made."""


class Store:
    """A database with our tables.

    ``write()`` and ``read()`` give a session in one transaction; ``write()`` commits when its block ends well.
    Raises :class:`~connector.store.locks.NotYours` where the SQLite file is another user's.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.path is not None:
            refuse_strangers(self.path)
        self.engine = _engine(self.url, self.is_sqlite)
        self._turns = threading.RLock()
        self._locks: Locks = FileLocks(self.path) if self.is_sqlite else AdvisoryLocks(self.url, connecting(self.url))
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(
            self.engine.execution_options(**{_READ_ONLY: True}), expire_on_commit=False, autoflush=False
        )

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in a writing transaction."""
        self._locks.require_held()
        with self._turn(), self._sessions.begin() as session:
            yield session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite has one writer at a time, and others sleep and try again, ever longer: our own threads queue instead.

        Who waits too long goes on and hears it from the database, as it would from another process.
        """
        taken = self.is_sqlite and self._turns.acquire(timeout=BUSY_SECONDS)
        try:
            yield
        finally:
            if taken:
                self._turns.release()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads and never waits for writers."""
        with self._readers() as session:
            yield session

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for a server or for memory."""
        if not self.is_sqlite or self.url.database in (None, "", ":memory:"):
            return None
        return Path(str(self.url.database))

    def schema_version(self) -> str | None:
        """The migration that the database is at; None when it is empty."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.scalar(text("select version_num from alembic_version"))
            return found

    def newest_version(self) -> str:
        """The migration that this program needs: their files are numbered, and the last is the newest."""
        files = sorted((_MIGRATIONS / "versions").glob("[0-9]*.py"))
        if not files:
            raise SchemaOutdated("this installation has no migrations: install the package again")
        return files[-1].name.partition("_")[0]

    def upgrade(self, *, now: datetime) -> Path | None:
        """Bring the schema up to date. An SQLite file that holds data is copied first; gives the copy's path."""
        before, needed = self.schema_version(), self.newest_version()
        _refuse_newer(before, needed)
        if before == needed:
            return None
        from alembic import command  # a tenth of the time and memory of a start, for what is seldom due
        from alembic.config import Config

        copy = self._back_up(now) if before is not None else None
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.set_main_option("path_separator", "os")
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return copy

    def require_current(self) -> None:
        """Raise :class:`SchemaOutdated` unless the schema is the one that this program needs."""
        found, needed = self.schema_version(), self.newest_version()
        _refuse_newer(found, needed)
        if found != needed:
            raise SchemaOutdated(
                f"the database has schema {found or 'none'}, this version needs {needed}: run `aurevoir db upgrade`"
            )

    def transaction(self, work: Callable[[Session], T]) -> T:
        """``work`` in a writing transaction, and again from the start when the database chose it to give way to others.

        That happens on PostgreSQL alone (deadlock, serialization). ``work`` must bear being called again.
        """
        again = Retrying(
            retry=retry_if_exception(_gave_way), stop=stop_after_attempt(5), wait=wait_random(0.01, 0.2), reraise=True
        )
        result: T = again(self._once, work)
        return result

    def _once(self, work: Callable[[Session], T]) -> T:
        with self.write() as session:
            return work(session)

    @contextmanager
    def exclusive(self, name: str, *, wait: float = 0.0) -> Iterator[None]:
        """Held by one at a time over all threads and processes on this database; raises :class:`Busy` after ``wait``
        seconds. The operating system or the database server lets go of it when the process dies.

        Should the lock be lost with its connection, this thread's next ``write()`` raises: another may work by now.
        """
        with self._locks.hold(name, wait, shared=False):
            yield

    @contextmanager
    def shared(self, name: str, *, wait: float = 0.0) -> Iterator[None]:
        """Held by any number together, while nobody has it :meth:`exclusive` (PostgreSQL; on SQLite by one alone)."""
        with self._locks.hold(name, wait, shared=True):
            yield

    def require_held(self) -> None:
        """Raise when this thread lost a lock that it believes to hold."""
        self._locks.require_held()

    def is_held(self, name: str) -> bool:
        """Whether anyone holds this name now, alone or together."""
        return self._locks.is_held(name)

    def let_go_of_removed(self) -> None:
        """See to it that what was removed stands in no file of ours any more: empties SQLite's log of changes."""
        if self.path is not None:
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def check(self) -> None:
        """Raise when the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(text("select 1"))

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()
        self._locks.close()

    def back_up(self, copy: Path) -> None:
        """Copy an SQLite file whole while others read and write it; the copy is for its owner alone.

        Raises :class:`NoBackUp` when there is nothing to copy, or the place for the copy cannot be used.
        """
        if self.path is None:
            raise NoBackUp("this database is a server's: copy it with its own tools, such as pg_dump --format=custom")
        if not self.path.is_file():
            raise NoBackUp(f"there is no database at {self.path}: name the settings of the one to copy with --config")
        try:
            copy.touch(mode=0o600, exist_ok=False)
        except OSError as error:
            raise NoBackUp(f"cannot write to {copy}: {error.strerror}; nothing was copied") from None
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)

    def _back_up(self, now: datetime) -> Path | None:
        if self.path is None or not self.path.exists():
            return None
        copy = self.path.with_name(f"{self.path.name}.{now:%Y%m%dT%H%M%S}.bak")
        self.back_up(copy)
        return copy


def connecting(url: URL) -> dict[str, Any]:
    """How to connect to PostgreSQL; what the address says itself wins.

    Both sides notice within half a minute when the other's machine is gone, and its locks are free then.
    """
    return {name: value for name, value in _CONNECTING.items() if name not in url.query}


def _engine(url: URL, is_sqlite: bool) -> Engine:
    """Errors never show parameters: they are names, addresses and answers."""
    if not is_sqlite:
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            pool_timeout=POOL_WAIT_SECONDS,
            connect_args=connecting(url),
        )
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "do_connect", _keep_private)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _gave_way(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _GAVE_WAY


def _keep_private(_dialect: Any, _record: Any, arguments: list[Any], _named: dict[str, Any]) -> None:
    """A new file is for its owner alone: it holds what customers said. SQLite gives its side files the same mode."""
    path = Path(str(arguments[0]))
    if path.name != ":memory:" and path.parent.is_dir():
        path.touch(mode=0o600)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={int(BUSY_SECONDS * 1000)}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def insert_or(session: Session, table: type[Any]) -> Any:
    """``INSERT`` that can say ``ON CONFLICT``; both databases can, each by its own construct."""
    dialect = import_module(f"sqlalchemy.dialects.{session.get_bind().dialect.name}")  # never both of them
    return dialect.insert(table)


def one_after_another(session: Session, name: str) -> None:
    """From here to the end of the transaction, only one has this name: for a count that a new row must not outrun.

    On SQLite every writing transaction is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            text("select pg_advisory_xact_lock(hashtextextended(:name, 1))").bindparams(name=f"aurevoir:{name}")
        )


def _refuse_newer(found: str | None, known: str) -> None:
    if found is not None and found > known:  # numbered, with leading zeros
        raise SchemaOutdated(
            f"the database has schema {found}, and this version of the program knows no newer one than {known}: run "
            "the newer version again, or restore the copy that was made before the upgrade"
        )
