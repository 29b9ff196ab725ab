"""Whatever the day, the zone and the calendar: dates that people can keep (P-07, P-21)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workflows.cases import Case, CaseStatus
from workflows.dates import calendar, day_of, local_date
from workflows.desk import Desk
from workflows.draft import Draft
from workflows.look import Look
from workflows.playbook import shipped_playbooks
from workflows.records import Deal, User
from workflows.rules import AccountRules, Anchor, Moment, PeopleRule, Playbook, StepRule, WatchRule
from workflows.texts import holds

ZONES = (
    *("Europe/Paris", "America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Sao_Paulo", "UTC"),
    *("Asia/Kolkata", "Asia/Kathmandu", "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Apia"),
    *("Africa/Casablanca", "America/Havana", "Asia/Beirut", "Pacific/Kiritimati", "Pacific/Honolulu"),
)
CALENDARS = ("FR", "US", "US-CA", "DE-BY", "GB", "AE", "IL", "JP", "IN", "BR")
DAYS = st.dates(date(2024, 1, 1), date(2035, 12, 31))
MOMENTS = st.builds(
    Moment,
    anchor=st.sampled_from([Anchor.CONTRACT_END, Anchor.CONFIRMED, Anchor.OPENED]),
    days=st.integers(-120, 400),
    business=st.booleans(),
)


def desk_at(now: datetime, end: date, zone: str, code: str) -> Desk:
    """A plan that began a few days ago."""
    rules = AccountRules(
        account="acme",
        time_zone=zone,
        language="en",
        calendar=code,
        watch=(WatchRule(pipeline_id=None, not_renewing=frozenset({"lost"})),),
        people=PeopleRule(),
        playbook="p",
    )
    began = now - timedelta(days=3)
    case = Case(
        id="c1",
        account="acme",
        deal_id="d1",
        status=CaseStatus.ACTIVE,
        playbook="p",
        language="en",
        stage_id="lost",
        entered_at=began,
        opened_at=began,
        confirmed_at=began,
        contract_end=end,
    )
    book = Playbook(key="p", version="1", languages=("en",), title={"en": "P"}, phases=())
    look = Look(now=now, rules=rules, deal=Deal(id="d1"), case=case, playbook=book, new_case_id="c1")
    return Desk(Draft(look, case), lambda *_: "")  # type: ignore[arg-type]


@pytest.mark.row("P-07", "P-21")
@given(
    now=st.datetimes(datetime(2024, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - naive bounds
    ahead=st.integers(-90, 400),
    zone=st.sampled_from(ZONES),
    theirs=st.sampled_from(ZONES),
    code=st.sampled_from(CALENDARS),
    release=MOMENTS,
    due=MOMENTS,
)
@example(  # the night in which clocks go forward, at the end of a month, before a leap day
    now=datetime(2028, 2, 28, 23, 30, tzinfo=UTC),
    ahead=1,
    zone="Pacific/Auckland",
    theirs="America/Havana",
    code="FR",
    release=Moment(anchor=Anchor.CONTRACT_END, days=-1),
    due=Moment(anchor=Anchor.CONTRACT_END),
)
@settings(max_examples=300, deadline=None)
def test_tasks_appear_at_nine_and_are_due_at_five_on_business_days_and_never_before_they_appear(
    now: datetime, ahead: int, zone: str, theirs: str, code: str, release: Moment, due: Moment
) -> None:
    desk = desk_at(now, now.date() + timedelta(days=ahead), zone, code)
    rule = StepRule(key="s", due=due, release=release, owner="csm", title={}, body={})
    appears = desk.release(rule)
    assert isinstance(appears, datetime)
    days = calendar(code)
    if release.anchor is Anchor.CONTRACT_END or release.days:
        here = appears.astimezone(ZoneInfo(zone))
        assert (here.hour, here.minute) == (9, 0)
        assert days.is_business_day(here.date())
    owner = User(id="u1", name="Ana", email="a@example.com", time_zone=theirs)
    written = max(appears, now)
    moment = desk.due(rule, None, owner, written)
    assert isinstance(moment, datetime)
    there = moment.astimezone(ZoneInfo(theirs))
    assert (there.hour, there.minute) == (17, 0)
    assert days.is_business_day(there.date())
    assert moment > written
    if due != release:
        assert there.date() >= local_date(written, ZoneInfo(theirs)), "never in the past"


@pytest.mark.row("P-07")
@given(
    base=DAYS,
    later=st.integers(0, 60),
    count=st.integers(-200, 200),
    business=st.booleans(),
    code=st.sampled_from(CALENDARS),
)
@settings(max_examples=300, deadline=None)
def test_when_an_end_moves_later_nothing_that_hangs_on_it_moves_earlier(
    base: date, later: int, count: int, business: bool, code: str
) -> None:
    moment = Moment(anchor=Anchor.CONTRACT_END, days=count, business=business)
    first, second = (day_of(moment, day, calendar(code)) for day in (base, base + timedelta(days=later)))
    assert first <= second
    assert calendar(code).is_business_day(first)


@pytest.mark.row("P-21")
@given(base=DAYS, count=st.integers(1, 60), code=st.sampled_from(CALENDARS))
@settings(max_examples=200, deadline=None)
def test_more_days_are_never_sooner(base: date, count: int, code: str) -> None:
    for business in (True, False):
        one, two = (
            day_of(Moment(anchor=Anchor.CONFIRMED, days=days, business=business), base, calendar(code))
            for days in (count, count + 1)
        )
        assert base <= one <= two


@pytest.mark.row("P-21", "P-07")
@pytest.mark.parametrize("days_left", [*range(-60, 121), 400, 3000])
def test_exactly_one_transition_plan_fits_any_number_of_days_left(days_left: int) -> None:
    plans = [rule for rule in shipped_playbooks()["saas"].steps() if rule.key.startswith("plan-")]
    fitting = [rule.key for rule in plans if holds(rule.when or "true", {"days_left": days_left})]
    expected = next(
        key
        for key, least in (("plan-90", 75), ("plan-60", 45), ("plan-30", 15), ("plan-short", -(10**6)))
        if days_left >= least
    )
    assert fitting == [expected]


@pytest.mark.row("P-07", "P-7B")
def test_when_the_end_moves_again_and_again_only_our_own_dates_follow(
    world: Any, make_rule: Callable[..., Any]
) -> None:
    world.playbook = world.playbook.model_copy(
        update={
            "phases": (
                world.playbook.phases[0].model_copy(
                    update={
                        "steps": (
                            make_rule("ours", "contract_end-100d", "contract_end-10d"),
                            make_rule("theirs", "contract_end-100d", "contract_end-10d"),
                        )
                    }
                ),
            )
        }
    )
    world.change(contract_end=date(2026, 5, 29))
    world.enter("lost")
    world.look()
    chosen = datetime(2026, 5, 12, 12, 0, tzinfo=UTC)
    world.touch("theirs", due_at=chosen)
    world.look()
    for end in (date(2026, 6, 30), date(2026, 7, 31), date(2026, 5, 15), date(2027, 2, 28)):
        world.change(contract_end=end)
        world.look()
        ours = world.tasks[world.step("ours").task_id].due_at
        assert ours.date() == day_of(Moment(anchor=Anchor.CONTRACT_END, days=-10), end, calendar("FR"))
        assert world.tasks[world.step("theirs").task_id].due_at == chosen


@pytest.mark.row("P-07")
@pytest.mark.parametrize("seen", [date(1970, 1, 1), date(9999, 12, 31), date(1, 1, 1)])
def test_an_absurd_end_makes_a_plan_that_asks_for_the_right_one(world: Any, seen: date) -> None:
    world.change(contract_end=seen)
    world.enter("lost")
    world.look()
    assert "case-1:_contract_end" in world.made
    assert f"({seen.isoformat()} cannot be right)" in world.made["case-1:_contract_end"].body
