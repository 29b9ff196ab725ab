"""A stage that settings name is renamed in the CRM: it is told, nothing is guessed, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.store import accounts

pytestmark = [pytest.mark.row("P-73"), pytest.mark.parametrize("rig", ["hubspot"], indirect=True)]


@pytest.fixture
def account_settings() -> dict[str, Any]:
    """By name, as the console writes it."""
    return {"watch": {"negotiating": ["Negotiation"], "not_renewing": ["Not renewing"]}}


def rename(system: Any, label: str, new: str) -> None:
    schema = system.rig.world.schema
    schema.pipelines = [
        replace(one, stages=[replace(each, label=new) if each.label == label else each for each in one.stages])
        for one in schema.pipelines
    ]
    system.account.forget_known()


def test_a_stage_renamed_while_it_is_watched_holds_the_account_says_so_and_loses_nothing(system: Any) -> None:
    deal = system.renewal()
    rename(system, "Not renewing", "Lost for good")
    system.lose(deal)
    system.runtime.rounds["acme"].run()
    assert system.case(deal) is None, "nothing is guessed"
    with system.runtime.store.read() as session:
        trouble = accounts.get(session, "acme").trouble
    assert "Not renewing" in trouble
    assert "Lost for good" in trouble, "those that there are"
    rename(system, "Lost for good", "Not renewing")
    system.advance(hours=2)
    assert system.case(deal).is_open
    with system.runtime.store.read() as session:
        assert accounts.get(session, "acme").trouble is None
