"""The database behind the store: connections, transactions, schema version.

SQLite runs in WAL mode with ``synchronous=FULL`` (NORMAL may lose the last commits on power loss), and each writing
transaction is ``BEGIN IMMEDIATE``: a read that turns into a write fails at once with "database is locked" otherwise,
whatever the busy time-out says. PostgreSQL uses its defaults.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from filelock import Timeout as FileLockTimeout
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, sessionmaker

from adapters.errors import AurevoirError

BUSY_SECONDS = 4.0
_READ_ONLY = "aurevoir_read_only"
_DIALECT_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class SchemaOutdated(AurevoirError):
    """The database has an older (or newer) schema than this version of the program."""


class Busy(AurevoirError):
    """Someone else holds what only one may hold."""


class Store:
    """A database with our tables.

    ``write()`` and ``read()`` give a session in one transaction; ``write()`` commits when its block ends well.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _engine(url, self.is_sqlite)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(
            self.engine.execution_options(**{_READ_ONLY: True}), expire_on_commit=False, autoflush=False
        )

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in a writing transaction."""
        with self._sessions.begin() as session:
            yield session

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
            return MigrationContext.configure(connection).get_current_revision()

    def newest_version(self) -> str:
        """The migration that this program needs."""
        head = ScriptDirectory.from_config(self._alembic()).get_current_head()
        if head is None:
            raise SchemaOutdated("this installation has no migrations: install the package again")
        return head

    def upgrade(self, *, now: datetime) -> Path | None:
        """Bring the schema up to date. An SQLite file that holds data is copied first; gives the copy's path."""
        before = self.schema_version()
        if before == self.newest_version():
            return None
        copy = self._back_up(now) if before is not None else None
        config = self._alembic()
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return copy

    def require_current(self) -> None:
        """Raise :class:`SchemaOutdated` unless the schema is the one that this program needs."""
        found, needed = self.schema_version(), self.newest_version()
        if found != needed:
            raise SchemaOutdated(
                f"the database has schema {found or 'none'}, this version needs {needed}: run `aurevoir db upgrade`"
            )

    @contextmanager
    def exclusive(self, name: str, *, wait: float = 0.0) -> Iterator[None]:
        """Held by one at a time over all threads and processes on this database; raises :class:`Busy` after ``wait``
        seconds. The operating system or the database server lets go of it when the process dies."""
        locked = self._file_lock(name, wait) if self.is_sqlite else self._advisory_lock(name, wait)
        with locked:
            yield

    @contextmanager
    def _file_lock(self, name: str, wait: float) -> Iterator[None]:
        if self.path is None:
            raise Busy("a database in memory cannot be shared: give a file")
        lock = FileLock(f"{self.path}.{name}.lock", timeout=wait, poll_interval=0.02, thread_local=False)
        try:
            lock.acquire()
        except FileLockTimeout:
            raise Busy(f"another process holds {name} of {self.path}") from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _advisory_lock(self, name: str, wait: float) -> Iterator[None]:
        ask = text("select pg_try_advisory_lock(hashtextextended(:name, 0))").bindparams(name=f"aurevoir:{name}")
        deadline = time.monotonic() + wait
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not connection.scalar(ask):
                if time.monotonic() >= deadline:
                    raise Busy(f"another process holds {name} of this database")
                time.sleep(0.05)
            try:
                yield
            finally:
                connection.execute(
                    text("select pg_advisory_unlock(hashtextextended(:name, 0))").bindparams(name=f"aurevoir:{name}")
                )

    def check(self) -> None:
        """Raise when the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(text("select 1"))

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()

    def _back_up(self, now: datetime) -> Path | None:
        if self.path is None or not self.path.exists():
            return None
        copy = self.path.with_name(f"{self.path.name}.{now:%Y%m%dT%H%M%S}.bak")
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        copy.chmod(0o600)
        return copy

    def _alembic(self) -> AlembicConfig:
        config = AlembicConfig()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        return config


def _engine(url: str, is_sqlite: bool) -> Engine:
    if not is_sqlite:
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url)
    event.listen(engine, "do_connect", _keep_private)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


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
        f"busy_timeout={int(BUSY_SECONDS * 1000)}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def insert_or(session: Session, table: type[Any]) -> Any:
    """``INSERT`` that can say ``ON CONFLICT``; both databases can, each by its own construct."""
    return _DIALECT_INSERTS[session.get_bind().dialect.name](table)
