"""Other automations are told to leave a customer alone who leaves, and when that is over (P-25)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from workflows.cases import News, NewsKind
from workflows.draft import Draft
from workflows.quiet import STAYS, is_quiet
from workflows.rules import Quiet
from workflows.writes import UpdateFields


def said(writes: Any) -> dict[str, object]:
    """What these writes say of quiet, by record."""
    return {
        f"{write.target.kind}:{write.target.id}": write.values["quiet"]
        for write in writes
        if isinstance(write, UpdateFields) and "quiet" in write.values
    }


@pytest.fixture
def leaving(world: Any) -> Any:
    world.playbook = world.playbook.model_copy(update={"quiet": Quiet.CUSTOMER})
    world.enter("lost")
    world.first = world.look()
    return world


@pytest.mark.row("P-25")
def test_the_deal_says_so_at_once_and_company_and_contacts_within_the_hour(leaving: Any) -> None:
    assert said(leaving.first) == {"deal:d1": True}
    leaving.now += timedelta(minutes=59)
    assert said(leaving.look()) == {}
    assert leaving.last_decision.next_look == leaving.now + timedelta(minutes=1)
    leaving.now += timedelta(minutes=1)
    assert said(leaving.look()) == {"company:c1": True, "contact:p1": True}
    leaving.now += timedelta(days=1)
    assert said(leaving.look()) == {}


@pytest.mark.row("P-25", "P-06")
def test_quiet_ends_everywhere_when_the_customer_stays(leaving: Any) -> None:
    leaving.wait(hours=2)
    leaving.enter("won")
    assert said(leaving.look()) == {"deal:d1": False, "company:c1": False, "contact:p1": False}


@pytest.mark.row("P-25")
def test_a_misclick_that_is_put_right_at_once_reaches_no_company_and_no_contact(leaving: Any) -> None:
    leaving.now += timedelta(minutes=20)
    leaving.enter("won")
    assert said(leaving.look()) == {"deal:d1": False}


@pytest.mark.row("P-25", "P-09")
def test_where_only_a_part_ends_the_deal_alone_says_so(world: Any) -> None:
    world.playbook = world.playbook.model_copy(update={"quiet": Quiet.DEAL})
    world.enter("lost")
    assert said(world.look()) == {"deal:d1": True}
    world.now += timedelta(days=1)
    assert said(world.look()) == {}


def test_a_playbook_may_ask_for_no_quiet_at_all(world: Any) -> None:
    world.playbook = world.playbook.model_copy(update={"quiet": Quiet.NOWHERE})
    world.enter("lost")
    assert said(world.look()) == {"deal:d1": False}


@pytest.mark.row("P-25")
@pytest.mark.parametrize("days", [None, 30])
def test_after_the_case_is_complete_quiet_lasts_as_long_as_the_playbook_says(
    world: Any, make_rule: Any, make_book: Any, days: int | None
) -> None:
    span = None if days is None else timedelta(days=days)
    world.playbook = make_book(make_rule("thank")).model_copy(update={"quiet": Quiet.CUSTOMER, "quiet_for": span})
    world.enter("lost")
    world.look()
    world.wait(days=1)
    world.finish("thank")
    assert said(world.look()) == {"deal:d1": True}
    assert world.case.status == "completed"
    before = len(world.keys)
    world.wait(days=29)
    assert len(world.keys) == before
    world.wait(days=2)
    assert len([key for key in world.keys if "_quiet" in key]) == (2 if days is None else 4), "set and lifted once each"
    world.wait(days=333)
    assert len([key for key in world.keys if "_quiet" in key]) == (2 if days is None else 4)
    world.wait(days=2)
    assert len([key for key in world.keys if "_quiet" in key]) == 4, "after a year at the latest, unless it says longer"
    world.change(name="touched once more")
    assert said(world.look()) == {}
    assert is_quiet(Draft(world.seen(), world.case)) is (days is None), "the ended deal stays as it is"


@pytest.mark.row("P-25")
def test_a_playbook_may_ask_for_quiet_that_lasts(world: Any, make_rule: Any, make_book: Any) -> None:
    span = timedelta(days=9999)
    world.playbook = make_book(make_rule("thank")).model_copy(update={"quiet": Quiet.CUSTOMER, "quiet_for": span})
    world.enter("lost")
    world.look()
    world.wait(days=1)
    world.finish("thank")
    world.look()
    world.wait(days=4000)
    assert said(world.look()) == {}


@pytest.mark.row("P-25", "P-56")
def test_a_customer_who_comes_back_after_all_is_no_longer_left_alone(
    world: Any, make_rule: Any, make_book: Any
) -> None:
    world.playbook = make_book(make_rule("thank")).model_copy(update={"quiet": Quiet.CUSTOMER})
    world.enter("lost")
    world.look()
    world.wait(days=1)
    world.finish("thank")
    world.look()
    world.now += timedelta(days=90)
    world.enter("won")
    assert said(world.look()) == {"deal:d1": False, "company:c1": False, "contact:p1": False}


def test_a_customer_who_comes_back_with_another_deal_is_no_longer_left_alone(
    world: Any, make_rule: Any, make_book: Any
) -> None:
    world.playbook = make_book(make_rule("thank")).model_copy(update={"quiet": Quiet.CUSTOMER})
    world.enter("lost")
    world.look()
    world.wait(days=1)
    world.finish("thank")
    world.look()
    world.now += timedelta(days=90)
    assert said(world.look()) == {}
    world.news = (News(kind=NewsKind.RETURNED, id="d2", at=world.now),)
    assert said(world.look()) == {"deal:d1": False, "company:c1": False, "contact:p1": False}
    world.now += timedelta(days=90)
    assert said(world.look()) == {}


@pytest.mark.row("P-25")
@pytest.mark.parametrize("since_the_start", [True, False])
def test_who_keeps_another_contract_remains_a_customer_and_the_deal_alone_is_left_quiet(
    leaving: Any, since_the_start: bool
) -> None:
    if not since_the_start:
        leaving.wait(hours=2)
    case = leaving.case
    leaving.cases[-1] = case.model_copy(update={"written": {**case.written, STAYS: "d2"}})
    leaving.now += timedelta(hours=2)
    assert said(leaving.look()) == ({} if since_the_start else {"company:c1": False, "contact:p1": False})
    leaving.wait(days=2)
    assert said(leaving.look()) == {}
    without = {name: value for name, value in leaving.case.written.items() if name != STAYS}
    leaving.cases[-1] = leaving.case.model_copy(update={"written": without})
    assert said(leaving.look()) == {"company:c1": True, "contact:p1": True}, "it was a slip"


@pytest.mark.row("P-25", "P-7B")
def test_what_people_changed_by_hand_is_not_written_again(leaving: Any) -> None:
    leaving.wait(hours=2)
    for _ in range(5):  # a person has cleared the field meanwhile: no look of ours puts it back
        leaving.now += timedelta(days=1)
        assert said(leaving.look()) == {}


@pytest.mark.row("P-25")
def test_who_joins_the_deal_is_left_alone_too_and_who_leaves_it_no_longer(leaving: Any) -> None:
    leaving.wait(hours=2)
    leaving.change(contact_ids=("p2",))
    assert said(leaving.look()) == {"contact:p2": True, "contact:p1": False}


@pytest.mark.row("P-25")
def test_all_of_two_hundred_contacts_are_left_alone_and_beyond_a_thousand_the_log_says_who_is_not(leaving: Any) -> None:
    leaving.change(contact_ids=tuple(f"p{n}" for n in range(200)))
    leaving.now += timedelta(hours=2)
    assert len(said(leaving.look())) == 201
    assert "quiet reaches not all" not in leaving.happened()
    leaving.change(contact_ids=tuple(f"p{n}" for n in range(1200)))
    leaving.now += timedelta(hours=1)
    assert len(said(leaving.look())) == 800
    leaving.look()
    (told,) = [event.detail for event in leaving.events if event.what == "quiet reaches not all"]
    assert told == "1200 contacts; the first 1000 are asked to be left alone"
