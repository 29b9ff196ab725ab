"""How every adapter is set up: fields, settings, check-up, capabilities."""

from __future__ import annotations

import json

import pytest
from conformance_kit import Desk, Rig, Trouble, Where, connect
from pydantic import ValidationError

from adapters.results import DataType, Level
from workflows.fields import FIELDS


def test_provisioning_creates_our_fields_once(rig: Rig) -> None:
    desk = connect(rig)
    first = desk.crm.ensure_schema(FIELDS)
    assert first.refused == {}
    assert len(set(first.created)) == len(first.created) > 0
    again = connect(rig, state=first.state).crm.ensure_schema(FIELDS)
    assert (again.created, again.extended, again.refused) == ((), (), {})
    assert set(first.created) <= set(again.present)
    assert again.state == first.state
    assert json.loads(json.dumps(dict(first.state))) == first.state
    desk.crm.close()


def test_a_dry_run_tells_what_would_be_created_and_creates_nothing(rig: Rig) -> None:
    desk = connect(rig)
    told = desk.crm.ensure_schema(FIELDS, dry_run=True)
    done = desk.crm.ensure_schema(FIELDS)
    assert set(told.created) == set(done.created)
    assert set(told.created) <= set(told.labels), "people read what each field is called"
    desk.crm.close()


def test_a_provisioned_account_passes_its_check_up(rig: Rig, desk: Desk) -> None:
    findings = list(desk.crm.check())
    assert findings
    assert [finding for finding in findings if finding.level == Level.FAULT] == []
    assert all(finding.text for finding in findings)


def test_an_account_that_is_not_provisioned_fails_its_check_up_with_the_remedy(rig: Rig) -> None:
    desk = connect(rig)
    faults = [finding for finding in desk.crm.check() if finding.level == Level.FAULT]
    assert any("aurevoir provision" in finding.remedy for finding in faults)
    desk.crm.close()


def test_the_check_up_never_raises(rig: Rig, desk: Desk) -> None:
    rig.close()
    assert any(finding.level == Level.FAULT for finding in desk.crm.check())


def test_its_own_deal_fields_are_told_for_an_admin_to_choose_from(rig: Rig, desk: Desk) -> None:
    rig.forget_calls()
    told = {one.name: one for one in desk.crm.deal_fields()}
    assert rig.calls() == 1
    assert told[rig.contract_end_field].type is DataType.DATE
    assert told[rig.exit_reason_field].type in (DataType.CHOICE, DataType.TEXT)
    assert all(one.label for one in told.values())
    assert not [name for name in told if "aurevoir" in name.lower()], "ours are nobody's choice"
    labels = [one.label.casefold() for one in told.values()]
    assert labels == sorted(labels)


def test_settings_refuse_what_they_do_not_know_without_showing_a_secret(rig: Rig) -> None:
    with pytest.raises(ValidationError) as caught:
        rig.adapter.settings_model.model_validate({**rig.bare_settings(), "acess_token": rig.secrets[0]})
    for secret in rig.secrets:
        assert secret not in str(caught.value)
        assert secret not in repr(rig.settings())


def test_every_call_is_claimed_from_the_budget(rig: Rig, desk: Desk) -> None:
    desk.budget.taken.clear()
    ids = [rig.add_deal(f"Deal {number}") for number in range(3)]
    rig.trouble(Trouble.SERVER_ERROR, Where.READ_DEAL, times=1)
    desk.crm.observe(ids)
    desk.crm.users()
    assert len(desk.budget.taken) >= rig.calls() > 0


def test_connecting_costs_no_call(rig: Rig) -> None:
    rig.forget_calls()
    desk = connect(rig)
    assert desk.crm.capabilities.due_time in (True, False)
    desk.crm.close()
    assert rig.calls() == 0


def test_the_adapter_says_its_name(rig: Rig) -> None:
    assert rig.adapter.name == rig.name
    assert rig.adapter.label
