"""People as both CRMs show them: who took part on our side, who is who on the customer's, and what they do to tasks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conformance_kit import Desk, Rig, connect, provision, task

from workflows.loop import not_applicable
from workflows.records import Deal, Part, People, RecordKind, Ref, Role
from workflows.writes import UpdateFields


def seen(desk: Desk, deal_id: str) -> tuple[Deal, People]:
    observed = desk.crm.observe([deal_id])[deal_id]
    return observed.deal, observed.people or desk.crm.people([observed.deal])[deal_id]


@pytest.mark.row("P-10")
def test_owners_are_told_with_the_time_of_each(rig: Rig, desk: Desk) -> None:
    first, second = rig.users[:2]
    deal_id = rig.add_deal("Deal", owner_id=first)
    rig.advance(timedelta(days=3))
    given = rig.now()
    rig.give_deal(deal_id, second)
    deal = desk.crm.observe([deal_id])[deal_id].deal
    assert [entry.owner_id for entry in deal.owner_history] == [second, first]
    assert abs(deal.owner_history[0].at - given) < timedelta(minutes=5)


@pytest.mark.row("P-10")
def test_who_took_part_is_told_without_our_own_tasks(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Deal", owner_id=rig.users[0])
    other = rig.add_deal("Other", owner_id=rig.users[0])
    desk.crm.write([task(rig, deal_id, "case:ours", owner_id=rig.users[0])])
    deals = [desk.crm.observe([one])[one].deal for one in (deal_id, other)]
    assert desk.crm.involved(deals[:1]) == {deal_id: ()}
    for what in ("call", "meeting", "task", "task"):
        rig.act_on(deal_id, rig.users[1], what)
    rig.join_team(deal_id, rig.users[1])
    for asked in (deals[:1], deals):
        found = desk.crm.involved(asked)
        assert {one.part for one in found[deal_id]} == {Part.CALL, Part.MEETING, Part.TASK, Part.DEAL_TEAM}
        assert len(found[deal_id]) == 4, "each part once"
        assert {one.user_id for one in found[deal_id]} == {rig.users[1]}
    assert desk.crm.involved(deals)[other] == ()
    assert desk.crm.involved([]) == {}


@pytest.mark.row("P-10")
def test_asking_who_took_part_costs_few_calls(rig: Rig, desk: Desk) -> None:
    ids = [rig.add_deal(f"Deal {n}", owner_id=rig.users[0]) for n in range(20)]
    deals = [one.deal for one in desk.crm.observe(ids).values()]
    rig.forget_calls()
    desk.crm.involved(deals[:1])
    assert rig.calls() <= 2
    for deal_id in ids:
        rig.act_on(deal_id, rig.users[1], "call")
    rig.forget_calls()
    desk.crm.involved(deals)
    assert rig.calls() <= 5


@pytest.mark.row("P-11")
def test_roles_come_by_the_crms_own_names_and_by_those_of_the_admin(rig: Rig) -> None:
    people = {name: rig.add_contact(name, email=f"{name}@example.com") for name in ("ann", "bob", "cleo")}
    deal_id = rig.add_deal("Deal", contact_ids=list(people.values()))
    rig.give_role(deal_id, people["ann"], "Decision Maker")
    rig.give_role(deal_id, people["bob"], "Influencer")
    rig.give_role(deal_id, people["cleo"], "Executive Sponsor")
    desk = connect(rig, state=provision(rig), roles={"executive sponsor": Role.COUNTERPART})
    roles = {one.id: one.roles for one in seen(desk, deal_id)[1].contacts}
    desk.crm.close()
    assert roles == {
        people["ann"]: (Role.DECIDER,),
        people["bob"]: (Role.INFLUENCER,),
        people["cleo"]: (Role.COUNTERPART,),
    }


@pytest.mark.row("P-13", "P-16")
def test_a_counterpart_is_told_and_so_is_who_cannot_be_written_to(rig: Rig, desk: Desk) -> None:
    named, lost = (rig.add_contact(name, email=f"{name}@example.com") for name in ("ann", "bob"))
    deal_id = rig.add_deal("Deal", contact_ids=[named, lost])
    rig.tick_counterpart(named)
    rig.bounce(lost)
    by_id = {one.id: one for one in seen(desk, deal_id)[1].contacts}
    assert Role.COUNTERPART in by_id[named].roles
    assert Role.COUNTERPART not in by_id[lost].roles
    assert (by_id[named].bounced, by_id[lost].bounced) == (False, True)


@pytest.mark.row("P-2E")
def test_a_task_that_is_set_aside_tells_why(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Deal")
    writes = [task(rig, deal_id, f"case:k{n}", body="Do this & that.") for n in range(3)]
    aside, done, untouched = [str(one.record_id) for one in desk.crm.write(writes)]
    rig.set_aside(aside, "Not applicable because they never had logins")
    rig.complete_task(done)
    states = desk.crm.task_states([aside, done, untouched])
    assert states[aside].deferred
    assert not states[aside].done
    assert not_applicable(states[aside]) == "they never had logins"
    assert "Do this & that." in states[done].text
    assert not_applicable(states[done]) is None
    assert (states[untouched].deferred, states[untouched].text) == (False, "")


@pytest.mark.row("P-33")
def test_the_score_that_a_relation_began_with_is_read_back_as_it_was_written(rig: Rig) -> None:
    company, contact = rig.add_company("Northwind"), rig.add_contact("Zoe", email="zoe@example.com")
    deal_id = rig.add_deal("Deal", owner_id=rig.users[0], company_id=company, contact_ids=[contact])
    desk = connect(rig, state=provision(rig))
    scores = {Ref(kind=RecordKind.CONTACT, id=contact): 9, Ref(kind=RecordKind.COMPANY, id=company): 0}
    before = seen(desk, deal_id)[1]
    assert (before.contacts[0].start_score, before.company and before.company.start_score) == (None, None)
    desk.crm.write(
        [
            UpdateFields(key=f"case:{ref.kind}", deal_id=deal_id, target=ref, values={"start_score": score})
            for ref, score in scores.items()
        ]
    )
    people = seen(desk, deal_id)[1]
    assert people.contacts[0].start_score == 9
    assert people.company is not None
    assert people.company.start_score == 0, "nought is a score"
