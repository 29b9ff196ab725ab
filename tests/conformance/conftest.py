"""Runs each test of this folder once for every rig that lies here as ``rig_<crm>.py`` (see conformance_kit.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import conformance_kit as kit
import pytest


@pytest.fixture(params=kit.RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One CRM's adapter with a fresh sandbox."""
    made = kit.make_rig(request.param)
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
