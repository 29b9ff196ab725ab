"""What ended in a period, and what the deals were then: what a rehearsal rests on (P-70)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from adapters.results import Traced
from workflows.records import DealState

A_DAY = timedelta(days=1)


def ended(desk: Any, since: Any, until: Any, *stages: str) -> set[str]:
    """All pages."""
    found: list[str] = []
    cursor = None
    while True:
        page = desk.crm.ended_between(list(stages) or [desk.rig.not_renewing], since, until, cursor)
        found += page.ids
        cursor = page.cursor
        if not page.more:
            return set(found)


def was(traced: Traced, field: str, at: Any) -> Any:
    """The value of a field at a moment, as the past tells it."""
    return next((value.value for value in traced.past if value.field == field and value.at <= at), None)


def test_deals_that_ended_in_the_period_are_named_whatever_became_of_them(desk: Any) -> None:
    rig = desk.rig
    rig.advance(400 * A_DAY)  # away from the seeded records
    before, during, back, after, never = (rig.add_deal(name) for name in ("Before", "During", "Back", "After", "Never"))
    rig.advance(A_DAY)
    rig.move_deal(before, rig.not_renewing)
    rig.advance(A_DAY)
    since = rig.now()
    rig.advance(A_DAY)
    rig.move_deal(during, rig.not_renewing)
    rig.move_deal(back, rig.not_renewing)
    rig.advance(A_DAY)
    rig.move_deal(back, rig.negotiating)
    until = rig.now()
    rig.advance(A_DAY)
    rig.move_deal(after, rig.not_renewing)
    rig.advance(timedelta(minutes=1))
    found = ended(desk, since, until)
    assert {during, back} <= found
    assert not {before, never} & found


def test_a_period_without_endings_names_none(desk: Any) -> None:
    now = desk.rig.now()
    assert ended(desk, now - A_DAY, now) == set()
    assert desk.crm.ended_between([], now - A_DAY, now, None).ids == ()


def test_more_endings_than_fit_on_a_page_are_all_named_once(desk: Any) -> None:
    rig = desk.rig
    rig.advance(400 * A_DAY)
    since = rig.now() - A_DAY
    deals = {rig.add_deal(f"Deal {number}", stage=rig.not_renewing) for number in range(205)}
    rig.advance(timedelta(minutes=1))
    assert ended(desk, since, rig.now()) == deals


def test_a_trace_tells_the_stages_people_and_former_values_of_a_deal(desk: Any) -> None:
    rig = desk.rig
    company = rig.add_company("Northwind", owner_id=rig.users[0])
    contact = rig.add_contact("Ada North", email="ada@northwind.example")
    deal = rig.add_deal("Northwind", owner_id=rig.users[0], company_id=company, contact_ids=[contact])
    rig.advance(A_DAY)
    rig.move_deal(deal, rig.not_renewing)
    lost_at = rig.now()
    rig.advance(A_DAY)
    rig.give_deal(deal, rig.users[1])
    rig.advance(timedelta(minutes=1))
    traced = desk.crm.trace([deal])[deal]
    people = traced.people or desk.crm.people([traced.deal])[deal]
    assert [entry.stage_id for entry in traced.deal.stage_history] == [rig.not_renewing, rig.negotiating]
    assert people.company is not None
    assert (people.company.id, [one.id for one in people.contacts]) == (company, [contact])
    assert traced.deal.owner_id == rig.users[1]
    assert was(traced, "owner_id", lost_at) == rig.users[0]


def test_every_deal_asked_for_is_traced_the_one_that_is_gone_as_gone(desk: Any) -> None:
    rig = desk.rig
    kept, gone = rig.add_deal("Kept"), rig.add_deal("Gone")
    rig.delete_deal(gone)
    traced = desk.crm.trace([kept, gone])
    assert traced[kept].deal.state is DealState.LIVE
    assert traced[gone].deal.state in (DealState.ARCHIVED, DealState.DELETED)


@pytest.mark.parametrize(("number", "most"), [(1, 3), (100, 4)])
def test_tracing_many_costs_few_calls(desk: Any, number: int, most: int) -> None:
    rig = desk.rig
    deals = [rig.add_deal(f"Deal {each}", stage=rig.not_renewing) for each in range(number)]
    rig.forget_calls()
    desk.crm.trace(deals)
    assert rig.calls() <= most
