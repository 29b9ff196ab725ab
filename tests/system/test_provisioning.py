"""Provisioning over both CRMs: the switch-on, and the rest of the app as far as the CRM's API takes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.offers import APP_STATE
from adapters.results import Finding, Level
from connector.bootstrap import Runtime
from connector.checkup import check_up
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


@pytest.mark.row("P-73")
def test_the_check_up_of_a_switched_on_account_is_well_and_names_a_stage_and_a_field_that_are_gone(
    rig: Any, set_up_only: Runtime
) -> None:
    def told() -> dict[str, Finding]:
        return {one.finding.subject: one.finding for one in check_up(set_up_only) if one.account == "acme"}

    before = told()["switch-on"]
    assert (before.level, before.remedy) == (Level.FAULT, "aurevoir provision --account acme")
    set_up_only.accounts["acme"].provision()
    well = told()
    assert [one for one in well.values() if one.level is Level.FAULT] == []
    assert {"switch-on", "names", "calendar", "token", "clock", "webhooks"} <= well.keys(), "each part says so"
    if rig.name == "hubspot":
        schema = rig.world.schema
        schema.pipelines = [replace(one, stages=one.stages[:3]) for one in schema.pipelines]
        del schema.properties["0-3"][rig.contract_end_field]
    else:
        stages = rig.sandbox.world.tables["OpportunityStage"]
        del stages[next(key for key, row in stages.items() if row["ApiName"] == rig.not_renewing)]
        del rig.sandbox.world.schema.objects["Opportunity"].fields[rig.contract_end_field.lower()]
    stage, field = sorted((one for one in told().values() if one.level is Level.FAULT), key=lambda one: one.subject)
    assert stage.subject == "accounts.acme.watch[0].not_renewing[0]"
    assert f"{rig.not_renewing}: there is no such stage. " in stage.text
    assert field.subject.startswith("fields.contract_end")
    assert rig.contract_end_field in field.text
    assert stage.remedy
    assert field.remedy


def test_an_app_that_is_refused_does_not_undo_the_switch_on(rig: Any, set_up_only: Runtime) -> None:
    if rig.name == "salesforce":
        set_up_only.accounts["acme"].provision()
        rig.sandbox.faults.set(Fault(match="^POST .*/metadata/deployRequest", times=None, status=500))
    report = provision(set_up_only, "acme")
    assert set_up_only.accounts["acme"].is_switched_on()
    assert ("the app" in report.refused) == (rig.name == "salesforce")
