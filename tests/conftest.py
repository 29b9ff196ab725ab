"""What all tests share. That nothing leaves the machine is set in pyproject.toml (pytest-socket: loopback only)."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings and credentials must not reach a test."""
    for name in list(os.environ):
        if name.startswith(("AUREVOIR_", "HUBSPOT_", "SALESFORCE_", "SF_")):
            monkeypatch.delenv(name)
