"""Provisioning over both CRMs: the switch-on, and the rest of the app as far as the CRM's API takes it."""

from __future__ import annotations

from typing import Any

from adapters.offers import APP_STATE
from connector.bootstrap import Runtime
from connector.provisioning import provision
from connector.store import accounts
from sandbox.kit import Fault


def state(runtime: Runtime) -> dict[str, Any]:
    with runtime.store.read() as session:
        row = accounts.get(session, "acme")
        assert row is not None
        return dict(row.state)


def test_an_account_is_switched_on_and_its_app_installed_or_told_of(rig: Any, set_up_only: Runtime) -> None:
    told: list[tuple[str, int, int]] = []
    report = provision(set_up_only, "acme", follow=lambda *heard: told.append(heard))
    assert report.refused == {}
    assert set_up_only.accounts["acme"].is_switched_on()
    if rig.name == "hubspot":
        assert any("hs project upload" in note for note in report.notes)
    else:
        assert any("the flow" in name for name in report.created)
        assert told[-1][0] == "Succeeded"
        stages = {one.value for flow in rig.sandbox.hooks.flows.values() for one in flow.filters}
        assert rig.not_renewing in stages
        assert state(set_up_only)[APP_STATE]


def test_a_second_run_creates_nothing_and_forgets_nothing(rig: Any, set_up_only: Runtime) -> None:
    provision(set_up_only, "acme")
    before = state(set_up_only)
    again = provision(set_up_only, "acme")
    assert (again.created, again.refused) == ((), {})
    assert state(set_up_only) == before
    set_up_only.accounts["acme"].provision()  # fields alone
    assert state(set_up_only) == before, "what was installed stays known"
    assert rig.calls() > 0


def test_a_dry_run_switches_nothing_on_and_leaves_nothing(rig: Any, set_up_only: Runtime) -> None:
    report = provision(set_up_only, "acme", dry_run=True)
    assert report.created
    assert not set_up_only.accounts["acme"].is_switched_on()
    if rig.name == "salesforce":
        assert any("the flow" in name for name in report.created)
        assert rig.sandbox.hooks.flows == {}


def test_an_app_that_is_refused_does_not_undo_the_switch_on(rig: Any, set_up_only: Runtime) -> None:
    if rig.name == "salesforce":
        set_up_only.accounts["acme"].provision()
        rig.sandbox.faults.set(Fault(match="^POST .*/metadata/deployRequest", times=None, status=500))
    report = provision(set_up_only, "acme")
    assert set_up_only.accounts["acme"].is_switched_on()
    assert ("the app" in report.refused) == (rig.name == "salesforce")
