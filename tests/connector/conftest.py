"""Databases to test on, an SQLite file and a real PostgreSQL server; the whole program over one of them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from connector.store import Store

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'aurevoir.db'}"
    url: str = request.getfixturevalue("postgres_database")
    return url


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
    make.built = built  # type: ignore[attr-defined]
    yield make
    for one in built:
        one.runtime.close()


@pytest.fixture(autouse=True)
def _houses_end_with_their_test(houses: Any) -> Iterator[None]:
    """Else hundreds of programs would lie about, and every collection of garbage would walk through them all."""
    before = len(houses.built)
    yield
    while len(houses.built) > before:
        houses.built.pop().runtime.close()


@pytest.fixture
def house(houses: Any) -> Any:
    """The program with the settings that most tests want."""
    return houses()
