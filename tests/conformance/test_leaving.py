"""Adapters that can take what we created out again (P-7A); optional, and then all of this holds."""

from __future__ import annotations

import pytest
from conformance_kit import Desk, Rig, connect

from adapters.offers import Leaving
from workflows.fields import FIELDS

pytestmark = pytest.mark.row("P-7A")


def leaving(desk: Desk) -> Leaving:
    if not isinstance(desk.crm, Leaving):
        pytest.skip("this adapter does not take its parts out")
    return desk.crm


def test_taking_it_out_leaves_no_field_of_ours_and_says_what_stays(rig: Rig, desk: Desk) -> None:
    crm = leaving(desk)
    told = crm.remove_app(FIELDS, dry_run=True)
    assert desk.crm.ensure_schema(FIELDS, dry_run=True).created == (), "a dry run takes nothing out"
    done = crm.remove_app(FIELDS)
    assert done.removed == told.removed != ()
    assert done.stays
    assert all(done.stays.values()), "each with what to do about it"
    assert crm.remove_app(FIELDS).removed == (), "a second time there is nothing left"
    left = connect(rig).crm.ensure_schema(FIELDS, dry_run=True)
    assert left.present == ()


def test_signing_off_says_what_was_ended_and_what_is_left_to_a_person(desk: Desk) -> None:
    ended = leaving(desk).sign_off()
    assert ended.removed or ended.stays
    assert all(ended.stays.values())
