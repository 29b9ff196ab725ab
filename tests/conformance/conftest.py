"""Runs each test of this folder once for every rig that lies here as ``rig_<crm>.py`` (see kit.py)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


def _load(stem: str, name: str) -> ModuleType:
    """Import a file of this folder: without packages in tests/, a plain import would not find it."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{stem}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


kit = _load("kit", "conformance_kit")
RIGS = sorted(path.stem.removeprefix("rig_") for path in HERE.glob("rig_*.py"))


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One CRM's adapter with a fresh sandbox."""
    made = _load(f"rig_{request.param}", f"conformance_rig_{request.param}").RIG()
    if kit.Trouble.TIME_OUT in getattr(request.node, "callspec", request).params.values():
        made.read_timeout = 0.5
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def desk(rig: Any) -> Iterator[Any]:
    """The rig with a connection to an account whose fields are already provisioned."""
    made = kit.connect(rig, state=kit.provision(rig))
    rig.forget_calls()
    yield made
    made.crm.close()
