from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.dates import (
    CLOSES,
    at,
    calendar,
    closing,
    day_of,
    due_time,
    local_date,
    opening,
    plausible,
    remind_time,
    zone,
    zone_or,
)
from workflows.rules import Anchor, Moment

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
DAYS = st.dates(date(2020, 1, 1), date(2040, 12, 31))
CODES = st.sampled_from(["FR", "US", "US-CA", "DE-BY", "GB-SCT", "AE", "IL", "JP"])
OFFSETS = st.integers(-400, 400)


def offset(days: int, *, business: bool = False) -> Moment:
    return Moment(anchor=Anchor.CONFIRMED, days=days, business=business)


@pytest.mark.row("P-21")
def test_business_days_skip_weekends_and_holidays() -> None:
    france = calendar("FR")
    thursday = date(2026, 4, 30)  # 1 May is a holiday, then comes a weekend
    assert france.add_business_days(thursday, 1) == date(2026, 5, 4)
    assert france.add_business_days(date(2026, 5, 4), -1) == thursday
    assert france.add_business_days(date(2026, 5, 2), 0) == date(2026, 5, 4)


def test_parts_of_a_country_have_holidays_of_their_own() -> None:
    epiphany = date(2026, 1, 6)
    assert calendar("DE").is_business_day(epiphany)
    assert not calendar("DE-BY").is_business_day(epiphany)


def test_the_weekend_is_that_of_the_country() -> None:
    friday, sunday = date(2026, 2, 6), date(2026, 2, 8)
    assert not calendar("IL").is_business_day(friday)
    assert calendar("IL").is_business_day(sunday)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("France", "FR"),
        ("FRA", "FR"),
        ("US-CALI", "US-CA"),
        ("MC-1", "MC alone"),
        ("", "two letters"),
        ("UK", "such as"),
    ],
)
def test_an_unknown_calendar_names_what_is_near(code: str, hint: str) -> None:
    with pytest.raises(ValueError, match=r"no calendar") as raised:
        calendar(code)
    assert hint in str(raised.value)


def test_an_unknown_time_zone_names_what_is_near_and_a_persons_own_falls_back() -> None:
    for name in ("Europe/Pari", "Europe"):
        with pytest.raises(ValueError, match="Europe/"):
            zone(name)
    paris = zone("Europe/Paris")
    assert zone_or("Mars/Olympus", paris) is paris
    assert zone_or(None, paris) is paris
    assert zone_or("Asia/Tokyo", paris) is zone("Asia/Tokyo")


def test_an_offset_in_days_lands_on_a_business_day_on_the_safe_side() -> None:
    sunday = date(2026, 6, 28)
    france = calendar("FR")
    assert day_of(offset(7), sunday, france) == date(2026, 7, 6)
    assert day_of(offset(-7), sunday, france) == date(2026, 6, 19), "what comes before an end stays before it"


def test_month_ends_and_leap_days_count_as_days() -> None:
    france = calendar("FR")
    assert day_of(offset(1), date(2028, 2, 28), france) == date(2028, 2, 29)
    assert day_of(offset(365), date(2028, 2, 29), france) == date(2029, 2, 28)
    assert day_of(offset(-30), date(2026, 3, 31), france) == date(2026, 2, 27)


@pytest.mark.parametrize("base", [date.min, date.max])
@pytest.mark.parametrize("days", [-(10**9), -40, 0, 40, 10**9])
@pytest.mark.parametrize("business", [True, False])
def test_absurd_dates_end_at_the_ends_of_the_calendar_instead_of_failing(base: date, days: int, business: bool) -> None:
    assert date.min <= day_of(offset(days, business=business), base, calendar("FR")) <= date.max


@pytest.mark.row("P-07")
@pytest.mark.parametrize("end", [date(9999, 12, 31), date(1970, 1, 1), date(1, 1, 1), None])
def test_a_placeholder_is_no_contract_end(end: date | None) -> None:
    assert plausible(end, date(2026, 3, 2)) is None


def test_a_real_contract_end_is_taken_also_when_it_is_long_past() -> None:
    assert plausible(date(2019, 12, 31), date(2026, 3, 2)) == date(2019, 12, 31)


def test_a_skipped_hour_moves_on_and_a_doubled_one_counts_first() -> None:
    paris = zone("Europe/Paris")
    assert at(date(2026, 3, 29), time(2, 30), paris).isoformat() == "2026-03-29T03:30:00+02:00"
    assert at(date(2026, 10, 25), time(2, 30), paris).isoformat() == "2026-10-25T02:30:00+02:00"


def test_a_reminder_keeps_the_time_of_day_across_a_clock_change() -> None:
    due = closing(date(2026, 3, 30), zone("Europe/Paris"))
    remind = remind_time(due, timedelta(days=2), due - timedelta(days=10))
    assert remind is not None
    assert remind.isoformat() == "2026-03-28T17:00:00+01:00"
    assert remind_time(due, timedelta(days=2), due - timedelta(hours=1)) is None, "no reminder in the past"
    assert remind_time(due, None, due - timedelta(days=10)) is None


@given(st.sampled_from(ZONES), CODES, DAYS, OFFSETS, st.booleans(), st.times())
@settings(max_examples=150, deadline=None)
def test_due_times_lie_ahead_at_five_on_a_business_day_of_the_owners_zone(
    name: str, code: str, base: date, days: int, business: bool, clock: time
) -> None:
    tz, days_of = zone(name), calendar(code)
    now = datetime.combine(base, clock, UTC)
    due = due_time(day_of(offset(days, business=business), base, days_of), tz, days_of, now)
    assert due > now
    assert due.date() == due.astimezone(tz).date(), "the day can be read off the value"
    assert due.timetz().replace(tzinfo=None) == CLOSES
    assert days_of.is_business_day(due.date())
    if days >= 0:
        assert due.date() >= base


@given(st.sampled_from(ZONES), DAYS)
@settings(max_examples=150, deadline=None)
def test_a_day_begins_and_ends_in_its_own_zone(name: str, day: date) -> None:
    tz = zone(name)
    assert local_date(opening(day, tz), tz) == day
    assert local_date(closing(day, tz), tz) == day
    assert opening(day, tz) < closing(day, tz)


@given(st.sampled_from(ZONES), DAYS, st.times())
@settings(max_examples=150, deadline=None)
def test_every_local_time_names_a_moment_that_exists(name: str, day: date, clock: time) -> None:
    moment = at(day, clock, zone(name))
    assert moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) == moment.replace(tzinfo=None)


@given(CODES, DAYS, st.integers(1, 120))
@settings(max_examples=150, deadline=None)
def test_counting_business_days_forth_and_back_comes_home(code: str, day: date, count: int) -> None:
    days = calendar(code)
    start = days.next_business_day(day)
    there = days.add_business_days(start, count)
    between = sum(days.is_business_day(start + timedelta(days=n)) for n in range(1, (there - start).days + 1))
    assert between == count
    assert days.add_business_days(there, -count) == start
