"""Status points of a transition at the rhythm that the customer chose at the start of the relation (P-61).

A ``paced`` step stands for all of them. From its release on they are laid out, counted back from its due day, each as a
step of its own: ``status.14`` is the one that is due two weeks before that day. They move with the contract's end as
other steps do. When the end or the rhythm changes, those that still wait and fit no longer are left out, and those
whose days are to come are laid out, also where one at this distance from the former end was done: ``status.14-2``.
Where nothing was agreed, or a rhythm too slow for a transition, there are none: for that a playbook has fixed steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from workflows.baseline import pace_of
from workflows.cases import Step, StepStatus
from workflows.dates import day_of, local_date
from workflows.desk import Desk
from workflows.draft import FINISHED
from workflows.rounds import anew, first_of, mark_of, nth, point_of
from workflows.rules import StepRule
from workflows.said import Said
from workflows.timing import Base, Waiting

MOST = 26
"""Points of one plan at most: half a year of weeks."""
_PACE = "pace:"
"""Name of the contract's end and the rhythm for which points were laid out last, followed by the paced step's key."""
_CLOSE = 3
"""Two points that lie closer than this part of the rhythm are one: the contract's end was moved by a few days."""


def keep_pace(desk: Desk) -> None:
    """Lay out the status points of the case, once their first day has come and the contract's end is known."""
    draft = desk.draft
    for rule in [rule for rule in desk.rules.values() if rule.paced]:
        start = desk.release(rule)
        if isinstance(start, Waiting) or desk.is_ahead(start):
            continue
        every = points(desk, rule, local_date(start, desk.tz))
        if every or _laid(desk, rule):
            _leave_out(desk, rule, every)
            _lay_out(desk, rule, every)
        holder = draft.steps.get(rule.key)
        if holder is not None and holder.status is StepStatus.WAITING:
            draft.put(holder, status=StepStatus.SKIPPED)


def _laid(desk: Desk, rule: StepRule) -> list[Step]:
    return [step for step in desk.draft.steps.values() if first_of(step.rule) == rule.key and mark_of(step.rule)]


def _leave_out(desk: Desk, rule: StepRule, every: Iterable[StepRule]) -> None:
    """Of the points that still wait, leave out those that belong to the plan no longer, or whose day has passed."""
    dues = {point.key: _days(desk, point)[1] for point in every}
    for step in _laid(desk, rule):
        due = dues.get(point_of(step.rule))
        if step.status is not StepStatus.WAITING or (due is not None and due >= desk.today):
            continue
        why = Said("the rhythm of status points, or the contract's end, has changed")
        if due is not None:
            why = Said("its day passed before the task could appear")
        desk.draft.put(step, status=StepStatus.SKIPPED)
        desk.draft.log("left out", why, step=step.key)


def _lay_out(desk: Desk, rule: StepRule, every: Iterable[StepRule]) -> None:
    """Add the points whose days are to come; those that there were before only once end or rhythm have changed."""
    draft, laid, pace = desk.draft, _laid(desk, rule), pace_of(desk.draft.look.baseline)
    days = pace.days if pace is not None else 0
    has_changed = draft.once(f"{_PACE}{rule.key}", f"{draft.case.contract_end}|{days}")
    given = [step.due_at.date() for step in laid if step.due_at is not None]
    for point in every:
        appears, due = _days(desk, point)
        same = [step for step in laid if point_of(step.rule) == point.key]
        is_known = any(step.status not in FINISHED for step in same) or (bool(same) and not has_changed)
        if is_known or appears < desk.today or any(abs((due - day).days) <= days // _CLOSE for day in given):
            continue
        made = anew(point, len(same) + 1) if same else point
        desk.rules[made.key] = made
        draft.put(Step(key=made.key, rule=made.key))


def paced(desk: Desk, rules: Iterable[StepRule]) -> Iterator[StepRule]:
    """These rules, with a paced one replaced by those of its points to come: what a plan will look like."""
    for rule in rules:
        start = desk.release(rule) if rule.paced else None
        if start is None:
            yield rule
        elif not isinstance(start, Waiting):
            newest = {point_of(step.rule): step.rule for step in _laid(desk, rule)}
            for point in points(desk, rule, local_date(max(start, desk.draft.now), desk.tz)):
                if _days(desk, point)[1] > desk.today:
                    yield point.model_copy(update={"key": newest.get(point.key, point.key)})


def points(desk: Desk, rule: StepRule, start: date) -> list[StepRule]:
    """The rules of all points that appear on or after ``start``, the earliest first."""
    every = pace_of(desk.draft.look.baseline)
    if every is None:
        return []
    made = []
    for count in range(MOST):
        point = nth(rule, str(count * every.days))
        if _days(desk, point)[0] < start:
            break
        made.append(point)
    return made[::-1]


def _days(desk: Desk, point: StepRule) -> tuple[date, date]:
    """On which days a point appears and is due; both long ago while the end is not known."""
    base, appears = desk.base(point.due, None), desk.release(point)
    if not isinstance(base, Base) or isinstance(appears, Waiting):
        return date.min, date.min
    return local_date(appears, desk.tz), day_of(point.due, base.day, desk.days)
