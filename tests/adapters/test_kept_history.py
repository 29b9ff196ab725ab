"""What the two CRMs keep of the past, where they differ: names of properties, tracked fields, pages, lost values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import conformance_kit as kit
import pytest

from adapters.services import FieldMap
from sandbox.hubspot.schema import ENTERED, Schema, Stage

DAY = timedelta(days=1)


@pytest.fixture
def portal() -> Iterator[Any]:
    rig = kit.make_rig("hubspot")
    desk = kit.connect(rig)
    rig.advance(400 * DAY)
    yield desk
    desk.crm.close()
    rig.close()


def everything(crm: Any, stages: list[str], since: Any, until: Any) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = crm.ended_between(stages, since, until, cursor)
        found += page.ids
        cursor = page.cursor
        if not page.more:
            return found


# --- HubSpot --------------------------------------------------------------------------------------------------------


def test_more_stages_than_a_search_takes_are_searched_in_turn(portal: Any) -> None:
    rig, since = portal.rig, portal.rig.now() - timedelta(seconds=1)  # a CRM keeps whole milliseconds
    stages = [f"lost-{number}" for number in range(12)]
    rig.world.schema.pipelines[0].stages += [Stage(each, each.title(), 0.0) for each in stages]
    deals = []
    for each in stages:
        deals.append(rig.add_deal(each))
        rig.move_deal(deals[-1], each)
    rig.advance(timedelta(minutes=1))
    rig.forget_calls()
    assert sorted(everything(portal.crm, stages, since, rig.now())) == sorted(deals)
    assert rig.calls() == 1 + 3, "the names of properties, and five stages a search"


def test_a_stage_without_a_date_of_entry_gives_those_that_still_sit_in_it(
    portal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, since = portal.rig, portal.rig.now() - timedelta(seconds=1)  # a CRM keeps whole milliseconds
    stays, back = rig.add_deal("Stays"), rig.add_deal("Back")
    for deal in (stays, back):
        rig.move_deal(deal, rig.not_renewing)
    rig.move_deal(back, rig.negotiating)
    rig.advance(timedelta(minutes=1))
    monkeypatch.setattr(Schema, "_entered", lambda _self: iter(()))
    assert everything(portal.crm, [rig.not_renewing], since, rig.now()) == [stays]


def test_a_property_that_was_changed_too_often_is_as_it_was_at_the_oldest_value_that_is_left(portal: Any) -> None:
    rig = portal.rig
    deal = rig.add_deal("Often", owner_id=rig.users[0])
    began = rig.now()
    for number in range(25):
        rig.advance(DAY)
        rig.give_deal(deal, rig.users[number % 2])
    record = rig.world.records["0-3"][deal]
    record.history["hubspot_owner_id"] = record.history["hubspot_owner_id"][:20]
    past = [each for each in portal.crm.trace([deal])[deal].past if each.field == "owner_id"]
    assert any(each.at <= began for each in past), "something is known of every moment"


def test_the_look_alike_tells_when_a_stage_was_entered_last(portal: Any) -> None:
    rig = portal.rig
    deal = rig.add_deal("Twice")
    rig.move_deal(deal, rig.not_renewing)
    first = rig.world.records["0-3"][deal].value(f"{ENTERED}{rig.not_renewing}")
    rig.advance(DAY)
    rig.move_deal(deal, rig.negotiating)
    rig.move_deal(deal, rig.not_renewing)
    assert rig.world.records["0-3"][deal].value(f"{ENTERED}{rig.not_renewing}") > first


# --- Salesforce -----------------------------------------------------------------------------------------------------


def test_pages_that_cut_a_deals_history_name_each_deal_once(make_org: Any) -> None:
    org = make_org(page_rows=2)
    org.provision()
    since = org.sandbox.clock.now() - DAY
    deals = []
    for number in range(5):
        deals.append(org.deal(f"Deal {number}", StageName="Closed Lost"))
        for amount in (10, 20, 30):  # each change of the amount is a row of the history
            org.sandbox.world.update(deals[-1], {"Amount": amount})
    found = everything(org.connect(), ["Closed Lost"], since, org.sandbox.clock.now() + DAY)
    assert sorted(found) == sorted(deals)
    assert set(org.connect().trace(deals)) == set(deals)


def test_fields_that_the_org_does_not_track_are_named_and_those_that_it_tracks_are_told(org: Any) -> None:
    org.provision()
    world = org.sandbox.world
    world.settings.tracked["Opportunity"] = {"StageName", "CloseDate"}
    deal = org.deal(CloseDate="2026-12-31")
    before = org.sandbox.clock.now()
    org.sandbox.clock.advance(DAY)
    world.update(
        deal, {"OwnerId": org.sandbox.add_user("New", "Owner", "new@globex.example"), "CloseDate": "2027-03-31"}
    )
    traced = org.connect().trace([deal])[deal]
    assert "owner_id" in traced.untold
    ends = [(each.at <= before, each.value) for each in traced.past if each.field == "contract_end"]
    assert (True, date(2026, 12, 31)) in ends
    assert (False, date(2027, 3, 31)) in ends


def test_a_tracked_field_has_its_old_value_before_its_first_change(org: Any) -> None:
    org.provision()
    world = org.sandbox.world
    first, second = org.someone, org.sandbox.add_user("Second", "Owner", "second@globex.example")
    deal = org.deal(OwnerId=first)
    org.sandbox.clock.advance(DAY)
    world.update(deal, {"OwnerId": second})
    traced = org.connect(FieldMap()).trace([deal])[deal]
    owners = [(each.value, each.at) for each in traced.past if each.field == "owner_id"]
    assert [value for value, _ in owners] == [second, first]
    assert owners[1][1] < org.sandbox.clock.now() - DAY
    assert "owner_id" not in traced.untold
