"""Every adapter reads so: see conformance_kit.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conformance_kit import Desk, Rig, task

from adapters.errors import Unsupported
from workflows.records import DealState, RecordKind, Ref, Role

SOON = timedelta(minutes=2)


def deals(rig: Rig, number: int, **more: Any) -> list[str]:
    return [rig.add_deal(f"Deal {index}", **more) for index in range(number)]


def all_pages(desk: Desk, method: Any, *args: Any) -> tuple[list[str], dict[str, str], int, Any]:
    """Ids in order, stages, number of pages, last cursor; one call a page at most, and it comes to an end."""
    ids: list[str] = []
    stages: dict[str, str] = {}
    for number in range(1, 60):
        before = desk.rig.calls()
        page = method(*args)
        assert desk.rig.calls() - before <= 1
        ids += page.ids
        stages |= page.stages
        args = (*args[:-1], str(page.cursor))
        if not page.more:
            return ids, stages, number, page.cursor
    raise AssertionError("the pages do not end")


def test_a_deal_comes_with_all_that_the_settings_map(rig: Rig, desk: Desk) -> None:
    company, contact = rig.add_company("Lumière"), rig.add_contact("Hélène Garnier", email="h@example.com")
    deal_id = rig.add_deal(
        "Lumière – renewal",
        owner_id=rig.users[0],
        amount=Decimal("14400.50"),
        contract_end=date(2027, 2, 28),
        exit_reason=rig.exit_reason_value,
        figure="9",
        company_id=company,
        contact_ids=[contact],
    )
    deal = desk.crm.observe([deal_id])[deal_id].deal
    assert (deal.id, deal.name, deal.state) == (deal_id, "Lumière – renewal", DealState.LIVE)
    assert (deal.stage_id, deal.pipeline_id) == (rig.negotiating, rig.pipeline_id)
    assert (deal.owner_id, deal.amount) == (rig.users[0], Decimal("14400.50"))
    assert (deal.contract_end, deal.exit_reason) == (date(2027, 2, 28), rig.exit_reason_value)
    assert (deal.company_id, deal.contact_ids) == (company, (contact,))
    if rig.figure[0] == "deal":
        assert Decimal(deal.figures[rig.figure[1]]) == 9


def test_what_is_empty_in_the_crm_is_empty_here(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Bare")
    deal = desk.crm.observe([deal_id])[deal_id].deal
    assert (deal.amount, deal.contract_end, deal.exit_reason) == (None, None, None)
    assert (deal.company_id, deal.contact_ids, dict(deal.figures)) == (None, (), {})
    assert desk.crm.people([deal])[deal_id].contacts == ()


def test_the_moment_of_entering_a_stage_is_known_aware_and_newest_first(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Moving")
    rig.advance(timedelta(days=3))
    moved = rig.now()
    rig.move_deal(deal_id, rig.not_renewing)
    rig.advance(SOON)
    deal = desk.crm.observe([deal_id])[deal_id].deal
    entry = deal.stage_history[0]
    assert (deal.stage_id, entry.stage_id) == (rig.not_renewing, rig.not_renewing)
    assert abs(entry.at - moved) < timedelta(seconds=5)
    assert entry.at.utcoffset() == timedelta(0)
    assert list(deal.stage_history) == sorted(deal.stage_history, key=lambda each: each.at, reverse=True)


def test_many_deals_at_once_are_seen_as_one_by_one(rig: Rig, desk: Desk) -> None:
    company = rig.add_company("One")
    contacts = [rig.add_contact(f"Person {n}", email=f"p{n}@example.com") for n in range(3)]
    ids = [
        rig.add_deal("A", company_id=company, contact_ids=contacts, owner_id=rig.users[0], figure="3"),
        rig.add_deal("B", company_id=company, contact_ids=contacts[:1]),
        rig.add_deal("C", stage=rig.not_renewing, contract_end=date(2026, 12, 31)),
    ]
    together = desk.crm.observe(ids)
    assert list(together) == ids
    for deal_id in ids:
        alone = desk.crm.observe([deal_id])[deal_id].deal
        assert together[deal_id].deal.model_copy(update={"contact_ids": ()}) == alone.model_copy(
            update={"contact_ids": ()}
        )
        assert set(together[deal_id].deal.contact_ids) == set(alone.contact_ids)


def test_a_deleted_and_an_unknown_deal_are_told_among_living_ones(rig: Rig, desk: Desk) -> None:
    living, deleted = deals(rig, 2)
    unknown = rig.missing_id(RecordKind.DEAL)
    rig.delete_deal(deleted)
    for ids in ([deleted], [living, deleted, unknown]):
        seen = desk.crm.observe(ids)
        assert list(seen) == ids
        assert seen[deleted].deal.state in (DealState.ARCHIVED, DealState.DELETED)
    assert seen[living].deal.state == DealState.LIVE
    assert seen[unknown].deal.state == DealState.DELETED


def test_people_come_with_roles_and_without_an_address_where_there_is_none(rig: Rig, desk: Desk) -> None:
    company = rig.add_company("Lumière", owner_id=rig.users[1])
    decider = rig.add_contact("Hélène Garnier", email="h@example.com", decider=True)
    silent = rig.add_contact("Sofia Lopes", email=None)
    deal_id = rig.add_deal("Deal", company_id=company, contact_ids=[decider, silent])
    observed = desk.crm.observe([deal_id])[deal_id]
    people = observed.people or desk.crm.people([observed.deal])[deal_id]
    assert people.company is not None
    assert (people.company.id, people.company.name, people.company.owner_id) == (company, "Lumière", rig.users[1])
    by_id = {contact.id: contact for contact in people.contacts}
    assert by_id[decider].roles == (Role.DECIDER,)
    assert (by_id[decider].name, by_id[decider].email) == ("Hélène Garnier", "h@example.com")
    assert by_id[decider].first_name == "Hélène"
    assert by_id[silent].email is None


def test_two_hundred_contacts_on_a_deal_all_come(rig: Rig, desk: Desk) -> None:
    contacts = [rig.add_contact(f"Person {n}", email=f"p{n}@example.com") for n in range(200)]
    deal_id = rig.add_deal("Crowded", contact_ids=contacts)
    observed = desk.crm.observe([deal_id])[deal_id]
    people = observed.people or desk.crm.people([observed.deal])[deal_id]
    assert {contact.id for contact in people.contacts} == set(contacts)


def test_reading_costs_no_more_calls_than_promised(rig: Rig, desk: Desk) -> None:
    ids = []
    for number in range(100):
        contacts = [rig.add_contact(f"P {number} {n}", email=f"p{number}.{n}@example.com") for n in range(3)]
        company = rig.add_company(f"Company {number}")
        ids.append(rig.add_deal(f"Deal {number}", company_id=company, contact_ids=contacts))
    for wanted, observing, asking in (
        (ids[:1], rig.limits.observe_one, rig.limits.people_one),
        (ids, rig.limits.observe_hundred, rig.limits.people_hundred),
    ):
        rig.forget_calls()
        seen = desk.crm.observe(wanted)
        assert rig.calls() <= observing
        rig.forget_calls()
        missing = [each.deal for each in seen.values() if each.people is None]
        people = desk.crm.people(missing) if missing else {}
        assert rig.calls() <= asking
        assert len(people) == len(missing)


def test_users_come_active_or_not(rig: Rig, desk: Desk) -> None:
    users = {user.id: user for user in desk.crm.users()}
    assert all(users[each].active for each in rig.users)
    assert not users[rig.inactive_user].active
    assert all("@" in users[each].email for each in rig.users)


def test_pipelines_name_the_stages_and_which_are_lost(rig: Rig, desk: Desk) -> None:
    stages = {stage.id: stage for pipeline in desk.crm.pipelines() for stage in pipeline.stages}
    assert (stages[rig.not_renewing].closed, stages[rig.not_renewing].won) == (True, False)
    assert not stages[rig.negotiating].closed
    assert all(stage.label for stage in stages.values())


def test_a_changed_deal_is_told_with_its_company(rig: Rig, desk: Desk) -> None:
    cursor = desk.crm.start_cursor()
    rig.advance(SOON)
    company = rig.add_company("Northwind")
    mine, nobodys = rig.add_deal("Again", company_id=company), rig.add_deal("Alone")
    rig.advance(SOON)
    page = desk.crm.changed_deals(cursor)
    assert {*page.ids} >= {mine, nobodys}
    assert page.companies == {mine: company}


def test_a_change_is_told_once_with_its_stage_and_the_cursor_is_text(rig: Rig, desk: Desk) -> None:
    deal_id, other = deals(rig, 2)
    rig.advance(timedelta(hours=1))
    cursor = desk.crm.start_cursor()
    assert isinstance(cursor, str)
    rig.advance(SOON)
    ids, _, _, cursor = all_pages(desk, desk.crm.changed_deals, cursor)
    assert ids == []
    rig.move_deal(deal_id, rig.not_renewing)
    rig.advance(SOON)
    ids, stages, _, cursor = all_pages(desk, desk.crm.changed_deals, cursor)
    assert ids == [deal_id]
    assert stages.get(deal_id, rig.not_renewing) == rig.not_renewing
    ids, _, _, cursor = all_pages(desk, desk.crm.changed_deals, cursor)
    assert ids == []
    rig.give_deal(deal_id, rig.users[1])
    rig.give_deal(other, rig.users[1])
    rig.advance(SOON)
    ids, _, _, _ = all_pages(desk, desk.crm.changed_deals, cursor)
    assert sorted(ids) == sorted([deal_id, other])


def test_a_change_that_shows_late_is_still_told(rig: Rig, desk: Desk) -> None:
    """The poll may come before the CRM's own index knows of the change."""
    deal_id = rig.add_deal("Late")
    rig.advance(timedelta(hours=1))
    cursor = desk.crm.start_cursor()
    rig.advance(SOON)
    rig.move_deal(deal_id, rig.not_renewing)
    rig.advance(timedelta(seconds=3))
    seen: list[str] = []
    for _ in range(3):
        ids, _, _, cursor = all_pages(desk, desk.crm.changed_deals, cursor)
        seen += ids
        rig.advance(SOON)
    assert seen == [deal_id]


def test_more_changes_than_a_page_holds_all_come_once(rig: Rig, desk: Desk) -> None:
    cursor = desk.crm.start_cursor()
    rig.advance(timedelta(seconds=30))
    made = deals(rig, 450)
    rig.advance(SOON)
    ids, _, pages, cursor = all_pages(desk, desk.crm.changed_deals, cursor)
    assert sorted(ids) == sorted(made)
    assert pages <= 6
    assert all_pages(desk, desk.crm.changed_deals, cursor)[0] == []


def test_the_full_comparison_finds_every_deal_in_the_stages(rig: Rig, desk: Desk) -> None:
    lost = deals(rig, 230, stage=rig.not_renewing)
    negotiated = deals(rig, 3)
    rig.advance(SOON)
    ids, _, _, _ = all_pages(desk, desk.crm.deals_in_stages, [rig.not_renewing], None)
    assert set(lost) <= set(ids)
    assert len(ids) == len(set(ids))
    assert not set(negotiated) & set(ids)


def test_tasks_are_seen_open_done_and_deleted(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Deal")
    due = datetime(2026, 12, 1, 16, 0, tzinfo=UTC)
    outcomes = desk.crm.write([task(rig, deal_id, f"k{n}", due_at=due) for n in range(3)])
    is_open, done, deleted = [str(outcome.record_id) for outcome in outcomes]
    rig.advance(timedelta(hours=2))
    completed = rig.now()
    rig.complete_task(done)
    rig.delete_task(deleted)
    unknown = rig.missing_id(RecordKind.TASK)
    states = desk.crm.task_states([is_open, done, deleted, unknown])
    assert (states[is_open].found, states[is_open].done) == (True, False)
    assert states[is_open].owner_id == rig.users[0]
    at = states[is_open].due_at
    assert at is not None
    assert at == due if desk.crm.capabilities.due_time else at.date() == due.date()
    assert states[done].done
    finished = states[done].completed_at
    assert finished is not None
    assert abs(finished - completed) < timedelta(minutes=5)
    assert not states[deleted].found
    assert not states[unknown].found


def test_a_completed_task_of_ours_is_told_as_changed(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Deal")
    (outcome,) = desk.crm.write([task(rig, deal_id, "k")])
    rig.advance(timedelta(hours=1))
    cursor = desk.crm.start_cursor()
    rig.advance(SOON)
    rig.complete_task(str(outcome.record_id))
    rig.advance(SOON)
    ids, _, _, _ = all_pages(desk, desk.crm.changed_tasks, cursor)
    assert ids == [outcome.record_id]


def test_history_tells_past_stages_or_the_capability_says_no(rig: Rig, desk: Desk) -> None:
    since = rig.now() - timedelta(minutes=1)
    deal_id = rig.add_deal("Moving")
    rig.advance(timedelta(days=1))
    rig.move_deal(deal_id, rig.not_renewing)
    rig.advance(SOON)
    record = Ref(kind=RecordKind.DEAL, id=deal_id)
    if not desk.crm.capabilities.stage_history:
        with pytest.raises(Unsupported):
            desk.crm.history([record], [rig.stage_field], since)
        return
    changes = desk.crm.history([record], [rig.stage_field], since)
    assert changes[-1].value == rig.not_renewing
    assert {change.field for change in changes} == {rig.stage_field}
    assert list(changes) == sorted(changes, key=lambda change: change.at)
    assert all(change.at.tzinfo is not None for change in changes)
    later = desk.crm.history([record], [rig.stage_field], since + timedelta(hours=12))
    assert [change.value for change in later] == [rig.not_renewing]


def test_a_deal_has_an_address_for_people_or_none(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Deal")
    url = desk.crm.deal_url(deal_id)
    assert url is None or (url.startswith("http") and deal_id in url)


def test_asking_for_nothing_costs_nothing(rig: Rig, desk: Desk) -> None:
    assert desk.crm.observe([]) == {}
    assert desk.crm.people([]) == {}
    assert desk.crm.task_states([]) == {}
    assert desk.crm.find([]) == {}
    assert list(desk.crm.write([])) == []
    assert rig.calls() == 0
