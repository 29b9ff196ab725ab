"""When the steps of one case appear, and when their tasks are due (P-20 … P-2E).

A step *appears* (is released) at a moment, and its task is due at another; both hang on anchors that may not be known
yet. Whatever appears on a day does so at 09:00 of the account's zone; with no offset from an exact moment (the plan's
start, an answer, a step that is done), at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from workflows.answers import answered_at, rated_at
from workflows.cases import Step, StepStatus
from workflows.dates import Calendar, calendar, counted, day_of, due_time, in_utc, local_date, opening, zone, zone_or
from workflows.door import news_of, win_back_day
from workflows.draft import FINISHED, Draft, delay_of
from workflows.exit_rights import exit_days, rights_of
from workflows.inventory import day_of_group, is_group
from workflows.loop import due_of
from workflows.records import User
from workflows.rounds import NEWS_ANCHORS, all_rules, mark_of
from workflows.rules import RIGHTS_ANCHORS, Anchor, CaseKind, LinkKind, Moment, StepRule
from workflows.timetable import PLAIN, Day, Timetable, day_of_moment, timetable

_LATE_ROOM = 2
_DAY_AFTER = Moment(anchor=Anchor.CONTRACT_END, days=1)


class Waiting(StrEnum):
    """What a step waits for before its dates can be told."""

    CONTRACT_END = "contract_end"
    ANSWER = "answer"
    ITEM = "item"
    """Nothing in the inventory is to be handed over on a day (P-22)."""
    STEP = "step"
    OVERDUE = "overdue"
    """The step that it watches over is not overdue."""
    DAY = "day"
    """No day to ask again is known (P-56)."""
    NEWS = "news"
    """Nothing new is known of the customer (P-52, P-53)."""
    NEVER = "never"
    """The step that it follows was left out, or the one that it watches over is done: it will not come."""


class Base(NamedTuple):
    """An anchor that is known: the day, and the exact moment where it is one."""

    day: date
    moment: datetime | None


@dataclass(frozen=True, slots=True)
class Reckoned:
    """When the steps of a playbook appear that hang on plain days alone, by rule; ``known``: those moments in UTC."""

    plain: Mapping[str, datetime | Waiting]
    known: Sequence[tuple[str, datetime]]


StepDone = Callable[[str, str | None], "datetime | Waiting"]


class Timing:
    """Works out the moments of one case's steps; :class:`~workflows.desk.Desk` adds people and words.

    ``done`` tells when a step (rule key, contact id) was done; by default as the case's steps say.
    """

    def __init__(self, draft: Draft, done: StepDone | None = None) -> None:
        look = draft.look
        self.draft = draft
        self.days = calendar(look.rules.calendar)
        self.tz = zone(look.rules.time_zone)
        self.today = local_date(draft.now, self.tz)
        self.rules = all_rules(look.playbook, draft.steps.values(), look.rules)
        self.done = done or self._done
        self._plain: Mapping[str, datetime | Waiting] | None = None
        self._later: frozenset[str] = frozenset()
        self._bases: dict[Anchor, Base | Waiting] = {}
        self._releases: dict[tuple[str, str | None], datetime | Waiting] = {}

    def forget(self) -> None:
        """The case has changed: work out anew when steps appear."""
        self._plain = None
        self._bases.clear()
        self._releases.clear()

    def forget_waiting(self) -> None:
        """A step has changed: work out anew what others wait for."""
        self._releases = {key: value for key, value in self._releases.items() if not isinstance(value, Waiting)}

    # --- anchors ----------------------------------------------------------------------------------------------------

    def base(self, moment: Moment, contact_id: str | None) -> Base | Waiting:
        """The moment's anchor."""
        if moment.anchor in PLAIN:
            return self._plain_base(moment.anchor)
        if moment.anchor is Anchor.OVERDUE:
            late = self.overdue(moment.step)
            return late if isinstance(late, Waiting) else Base(local_date(late, self.tz), None)
        if moment.anchor in NEWS_ANCHORS:
            news = news_of(self.draft.look, moment)
            return Base(local_date(news.at, self.tz), news.at) if news is not None else Waiting.NEWS
        if moment.anchor is Anchor.ITEM:
            return Base(day_of_group(contact_id), None) if contact_id and is_group(contact_id) else Waiting.ITEM
        if moment.anchor is Anchor.STEP:
            came = self.done(moment.step or "", contact_id)
        elif moment.anchor is Anchor.RATED:
            came = rated_at(self.draft.written, contact_id) or Waiting.ANSWER
        else:
            came = answered_at(self.draft.case, self.draft.written, contact_id) or Waiting.ANSWER
        return came if isinstance(came, Waiting) else Base(local_date(came, self.tz), came)

    def _plain_base(self, anchor: Anchor) -> Base | Waiting:
        """An anchor that is the same for every step and contact, worked out once until the case changes."""
        known = self._bases.get(anchor)
        if known is None:
            known = self._bases[anchor] = self._base_of_case(anchor)
        return known

    def _base_of_case(self, anchor: Anchor) -> Base | Waiting:
        case, look = self.draft.case, self.draft.look
        if anchor is Anchor.CONTRACT_END:
            return Base(case.contract_end, None) if case.contract_end is not None else Waiting.CONTRACT_END
        if anchor is Anchor.WIN_BACK:
            day = win_back_day(look, case, self.today)
            return Base(day, None) if day is not None else Waiting.DAY
        if anchor in RIGHTS_ANCHORS:
            rights = rights_of(look.rules, look.deal, self.draft.written)
            return Base(exit_days(case, rights, self.tz)[anchor], None) if rights else Waiting.NEVER
        began = case.opened_at if anchor is Anchor.OPENED else case.confirmed_at
        start = began + delay_of(case) if began is not None else self.draft.now
        return Base(local_date(start, self.tz), start)

    def effective_end(self) -> datetime | None:
        """The business morning after the contract's last day: no survey before it (P-31).

        None when no end is known, and for a case that is about no ending.
        """
        end = self.draft.case.contract_end
        if end is None or self.draft.case.kind is not CaseKind.OFFBOARDING:
            return None
        return opening(day_of(_DAY_AFTER, end, self.days), self.tz)

    def _done(self, key: str, contact_id: str | None) -> datetime | Waiting:
        """When a step was done: this contact's own, or else when the last of its tasks was."""
        steps = self.draft.of_rule(key)
        own = [step for step in steps if step.contact_id is not None and step.contact_id == contact_id]
        steps = own or steps
        if any(step.status not in FINISHED or step.status is StepStatus.FAILED for step in steps):
            return Waiting.STEP
        return max((step.completed_at for step in steps if step.completed_at is not None), default=Waiting.NEVER)

    def overdue(self, key: str | None) -> datetime | Waiting:
        """When the open task of this step is, or was, due; never once it is done or was left out (P-13)."""
        steps = self.draft.of_rule(key)
        if key not in self.rules or (steps and all(_is_over(step) for step in steps)):
            return Waiting.NEVER
        dues = [due_of(self.draft, step) for step in steps if step.status in (StepStatus.OPEN, StepStatus.WRITING)]
        return min((due for due in dues if due is not None), default=Waiting.OVERDUE)

    # --- when a step appears ----------------------------------------------------------------------------------------

    def release(self, rule: StepRule, contact_id: str | None = None) -> datetime | Waiting:
        """When the step's task appears, or what that waits for."""
        plain = self._plain if self._plain is not None else self._reckon_plain()
        known = plain.get(rule.key) or self._releases.get((rule.key, contact_id))
        if known is None:
            known = self._releases[rule.key, contact_id] = self._release(rule, contact_id)
        return known

    def is_later(self, step: Step) -> bool:
        """Whether it was worked out already that the step's moment is still to come."""
        if self._plain is None:
            self._reckon_plain()
        if step.rule in self._later:
            return True
        known = self._releases.get((step.rule, step.contact_id))
        return isinstance(known, datetime) and self.is_ahead(known)

    def is_ahead(self, moment: datetime) -> bool:
        """Whether this moment is still to come."""
        return in_utc(moment) > self.draft.now

    def _reckon_plain(self) -> Mapping[str, datetime | Waiting]:
        table, now = timetable(self.draft.look.playbook), self.draft.now
        bases = tuple(map(self._plain_base, table.anchors))
        found = _reckoned(table, bases, self.effective_end(), self.days, self.tz)
        self._plain, self._later = found.plain, frozenset(rule for rule, moment in found.known if moment > now)
        return found.plain

    def _release(self, rule: StepRule, contact_id: str | None) -> datetime | Waiting:
        first = self._appears(rule.release, contact_id)
        if isinstance(first, Waiting):
            return first  # as most of these do, at most times
        due = self.base(rule.due, contact_id)
        if mark_of(rule.key) and isinstance(due, Base) and rule.release.anchor is Anchor.CONTRACT_END:
            # Before holidays a status point and its due day may fall on one day: nobody meets it on its last (P-61).
            due_day = day_of(rule.due, due.day, self.days)
            first = min(first, opening(counted(-1, True, due_day, self.days), self.tz))
        second = self._appears(rule.not_before, contact_id) if rule.not_before is not None else None
        return _together(first, due, second, self.effective_end() if rule.link is LinkKind.SURVEY else None)

    def _appears(self, moment: Moment, contact_id: str | None) -> datetime | Waiting:
        return _morning(day_of_moment(moment), self.base(moment, contact_id), self.days, self.tz)

    # --- when it is due ---------------------------------------------------------------------------------------------

    def due(self, rule: StepRule, contact_id: str | None, owner: User | None, after: datetime) -> datetime | Waiting:
        """When the task is due, on the owner's clock, later than ``after``: its ``.date()`` is the owner's day.

        A day that has come already, as in a plan that begins late, becomes the second business day from now: nobody
        should meet a task that wants to be done by the evening, unless the playbook means just that.
        """
        base = self.base(rule.due, contact_id)
        if isinstance(base, Waiting):
            return base
        tz = zone_or(owner.time_zone if owner is not None else None, self.tz)
        day, today = day_of(rule.due, base.day, self.days), local_date(after, tz)
        if day <= today and rule.due != rule.release:
            day = self.days.add_business_days(today, _LATE_ROOM)
        return due_time(day, tz, self.days, after)

    def next_morning(self) -> datetime:
        """09:00 of the next business day, in the account's zone."""
        return opening(self.days.add_business_days(self.today, 1), self.tz)


@lru_cache(maxsize=1024)
def _reckoned(
    table: Timetable, bases: Sequence[Base | Waiting], effective: datetime | None, days: Calendar, tz: ZoneInfo
) -> Reckoned:
    """Kept, since a case's days are the same at each look, and those of many cases at one. ``bases``: by anchor."""
    of = dict(zip(table.anchors, bases, strict=True))
    morning = {day: _morning(day, of[day.anchor], days, tz) for day in table.days}
    plain = {
        row.rule: _together(
            morning[row.first],
            of[row.due],
            morning[row.second] if row.second is not None else None,
            effective if row.is_survey else None,
        )
        for row in table.rows
    }
    known = [(rule, in_utc(moment)) for rule, moment in plain.items() if not isinstance(moment, Waiting)]
    return Reckoned(plain, known)


def _morning(day: Day, base: Base | Waiting, days: Calendar, tz: ZoneInfo) -> datetime | Waiting:
    """At nine of this day; with no offset from an exact moment, that moment."""
    if isinstance(base, Waiting):
        return base
    if base.moment is not None and day.days == 0:
        return base.moment
    return opening(counted(day.days, day.business, base.day, days), tz)


def _together(
    first: datetime | Waiting, due: Base | Waiting, second: datetime | Waiting | None, effective: datetime | None
) -> datetime | Waiting:
    """When a step appears: at ``first``, but not before ``second`` and ``effective``, and once its due day is known."""
    if isinstance(first, Waiting):
        return first
    if isinstance(due, Waiting):
        return due
    if isinstance(second, Waiting) and second is not Waiting.NEVER:
        return second
    if second is not None and not isinstance(second, Waiting):
        first = max(first, second)
    return first if effective is None else max(first, effective)


def _is_over(step: Step) -> bool:
    """Whether nobody has to do this step any more; one that the CRM refused is still to be done."""
    return step.status in FINISHED and step.status is not StepStatus.FAILED


def hangs_on_end(rules: Iterable[StepRule]) -> bool:
    """Whether any of these steps is dated by the contract's end."""
    moments = (moment for rule in rules for moment in (rule.release, rule.due, rule.not_before) if moment is not None)
    return any(moment.anchor is Anchor.CONTRACT_END for moment in moments)
