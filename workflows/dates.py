"""Days and hours: business days by calendar, moments counted from an anchor, and due times in people's own zones.

Rules that hold everywhere (P-07, P-21):

* An offset in business days counts days on which people work in the account's calendar; an offset in days counts all
  days. Either way the result lies on a business day: it moves forward, or back when the offset counts back from its
  anchor, so that what must be ready before an end is.
* What appears on a day appears at 09:00, what is due on a day is due at 17:00, on the clock of the zone given.
* A local time that a clock change skips moves forward by as much as the clock does; of one that comes twice, the first
  counts.
"""

from __future__ import annotations

import difflib
import warnings
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo, available_timezones

import holidays
from holidays.registry import COUNTRIES

from workflows.rules import Moment
from workflows.said import Said

OPENS = time(9)
"""When tasks appear."""
CLOSES = time(17)
"""When tasks are due, unless the playbook says otherwise."""
MAX_DAYS = 3660
"""No offset counts further than about ten years; a longer one is cut to it."""
PLAUSIBLE = timedelta(days=3660)
"""A contract end further from today than this is a placeholder (31.12.9999, 1.1.1970), not an end."""
_MAX_CLOSED = 60

# Holidays that follow the moon are known for some years ahead only; the others still count, and nobody can mend it.
warnings.filterwarnings("ignore", message="Requested Holidays are available only", category=UserWarning)


class Calendar:
    """The business days of one country or part of it. Make it with :func:`calendar`."""

    def __init__(self, code: str) -> None:
        """``code``: a country such as ``FR``, or a part of one such as ``US-CA``. ValueError when there is none."""
        self.code = code
        country, _, part = code.partition("-")
        self._country, self._part = _known(code, country, part)
        self._years: dict[int, frozenset[date]] = {}

    @cached_property
    def _weekend(self) -> frozenset[int]:
        """Asked for late: the library loads 250 countries to know one, and settings only name theirs."""
        return frozenset(holidays.country_holidays(self._country, subdiv=self._part).weekend)

    def is_business_day(self, day: date) -> bool:
        """Whether people work on this day: no weekend of the country, no public holiday."""
        if day.weekday() in self._weekend:
            return False
        days_off = self._years.get(day.year)
        if days_off is None:
            days_off = frozenset(holidays.country_holidays(self._country, subdiv=self._part, years=day.year))
            self._years[day.year] = days_off
        return day not in days_off

    def next_business_day(self, day: date) -> date:
        """This day, or else the first business day after it."""
        return self._roll(day, timedelta(days=1))

    def previous_business_day(self, day: date) -> date:
        """This day, or else the last business day before it."""
        return self._roll(day, timedelta(days=-1))

    def add_business_days(self, day: date, count: int) -> date:
        """The business day that is ``count`` business days after (or before) this day; 0: this day or the next."""
        if count == 0:
            return self.next_business_day(day)
        one = timedelta(days=1 if count > 0 else -1)
        for _ in range(min(abs(count), MAX_DAYS)):
            day = self._roll(day + one, one)
        return day

    def _roll(self, day: date, one: timedelta) -> date:
        for _ in range(_MAX_CLOSED):
            if self.is_business_day(day):
                return day
            day += one
        return day


def _known(code: str, country: str, part: str) -> tuple[str, str | None]:
    """Country and part as the holidays library spells them. ValueError with what is near."""
    country = country.strip().upper()
    if country not in {row[1] for row in COUNTRIES.values()}:
        raise ValueError(Said("no calendar %(code)s: %(hint)s", code=repr(code), hint=_near_countries(country)))
    if not part:
        return country, None
    parts = getattr(holidays, country).subdivisions
    spelt = {one.casefold(): one for one in parts}
    if part.casefold() not in spelt:
        near = difflib.get_close_matches(part.casefold(), spelt, n=5, cutoff=0.4)
        shown = ", ".join(f"{country}-{one}" for one in ([spelt[one] for one in near] or parts[:12]))
        if not shown:
            raise ValueError(Said("no calendar %(code)s: write %(country)s alone", code=repr(code), country=country))
        raise ValueError(
            Said(
                "no calendar %(code)s: there are %(parts)s, and %(country)s alone",
                code=repr(code),
                parts=shown,
                country=country,
            )
        )
    return country, spelt[part.casefold()]


def _near_countries(word: str) -> str:
    by_word = {module: row[1] for module, row in COUNTRIES.items()}
    by_word |= {name.casefold(): row[1] for row in COUNTRIES.values() for name in row[1:3]}
    word = word.casefold().replace(" ", "_")
    near = dict.fromkeys(by_word[one] for one in difflib.get_close_matches(word, by_word, n=6, cutoff=0.5))
    hint = Said("close to it: %(near)s", near=", ".join(near)) if near else Said("write a country code")
    return Said("%(hint)s (two letters, such as FR or US, with a part if need be, such as US-CA)", hint=hint)


@lru_cache(maxsize=512)
def calendar(code: str) -> Calendar:
    """The calendar with this code, made once. ValueError lists close matches for a code that is not known."""
    return Calendar(code)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone with this IANA name. ValueError lists close matches for one that is not known."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: a name that is a folder of the zone files, such as "Europe"
        near = difflib.get_close_matches(name, available_timezones(), n=5, cutoff=0.5)
        hint = (
            Said("close to it: %(near)s", near=", ".join(near))
            if near
            else Said("write an IANA name, such as Europe/Paris")
        )
        raise ValueError(Said("no time zone %(name)s: %(hint)s", name=repr(name), hint=hint)) from None


def zone_or(name: str | None, default: ZoneInfo) -> ZoneInfo:
    """The time zone of a person, or ``default`` when the CRM names none or one that nobody knows."""
    if not name:
        return default
    try:
        return zone(name)
    except ValueError:
        return default


def local_date(moment: datetime, tz: ZoneInfo) -> date:
    """The day that it is at this moment in this zone."""
    return moment.astimezone(tz).date()


def at(day: date, clock: time, tz: ZoneInfo) -> datetime:
    """That time on that day on the zone's clock, as an aware moment in the zone (see the module for clock changes)."""
    return datetime.combine(day, clock, tz).astimezone(UTC).astimezone(tz)


@lru_cache(maxsize=65536)
def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Kept, since comparing moments of two zones works out both offsets anew each time."""
    return moment.astimezone(UTC)


def day_of(moment: Moment, base: date, days: Calendar) -> date:
    """The business day that the moment's offset names, counted from the day of its anchor.

    A base near the ends of the calendar (years 1 and 9999) gives the last day that there is; see :func:`plausible`.
    """
    return counted(moment.days, moment.business, base, days)


@lru_cache(maxsize=65536)
def counted(count: int, business: bool, base: date, days: Calendar) -> date:
    """As :func:`day_of`, for an offset of ``count`` days, or business days."""
    count = max(-MAX_DAYS, min(MAX_DAYS, count))
    try:
        if business:
            return days.add_business_days(base, count)
        day = base + timedelta(days=count)
        return days.previous_business_day(day) if count < 0 else days.next_business_day(day)
    except OverflowError:
        return date.max if count >= 0 else date.min


@lru_cache(maxsize=65536)
def opening(day: date, tz: ZoneInfo) -> datetime:
    """09:00 of this day in this zone: when tasks appear."""
    return at(day, OPENS, tz)


@lru_cache(maxsize=65536)
def closing(day: date, tz: ZoneInfo) -> datetime:
    """17:00 of this day in this zone: when tasks are due."""
    return at(day, CLOSES, tz)


def due_time(day: date, tz: ZoneInfo, days: Calendar, after: datetime) -> datetime:
    """17:00 of this day in this zone, or of the next business day whose 17:00 comes after ``after`` (P-07)."""
    due = closing(day, tz)
    if due > after:
        return due
    day = days.next_business_day(max(day, local_date(after, tz)))
    due = closing(day, tz)
    return due if due > after else closing(days.add_business_days(day, 1), tz)


def remind_time(due: datetime, before: timedelta | None, after: datetime) -> datetime | None:
    """When the CRM should remind: ``before`` it is due, on the owner's clock; None when that is not after ``after``."""
    if before is None:
        return None
    remind = due - before  # on the wall clock: "a day before" is the same time of day across a clock change
    remind = remind.astimezone(UTC).astimezone(due.tzinfo)
    return remind if after < remind < due else None


def plausible(end: date | None, today: date) -> date | None:
    """The contract's end, or None when it is unknown or no date that a contract would have."""
    return end if end is not None and abs(end - today) <= PLAUSIBLE else None


def day_said(value: object) -> date | None:
    """The day that an answer names, or None."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
