"""Status points of a transition at the rhythm that the customer chose at the start of the relation (P-61).

A ``paced`` step stands for all of them. From its release on they are laid out, counted back from its due day, each as a
step of its own: ``status.14`` is the one that is due two weeks before that day. They move with the contract's end as
other steps do; when the end or the rhythm changes, those that still wait are laid out anew. Where nothing was agreed,
or a rhythm too slow for a transition, there are none: the playbook's fixed steps are for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from workflows.baseline import pace_of
from workflows.cases import Step, StepStatus
from workflows.dates import day_of, local_date
from workflows.desk import Desk
from workflows.rounds import first_of, mark_of, nth
from workflows.rules import StepRule
from workflows.said import Said
from workflows.timing import Base, Waiting

MOST = 26
"""Points of one plan at most: half a year of weeks."""


def keep_pace(desk: Desk) -> None:
    """Lay out the status points of the case, once their first day has come and the contract's end is known."""
    draft = desk.draft
    for rule in [rule for rule in desk.rules.values() if rule.paced]:
        start = desk.release(rule)
        if isinstance(start, Waiting) or desk.is_ahead(start):
            continue
        wanted = {one.key: one for one in points(desk, rule, local_date(start, desk.tz))}
        laid = [step for step in draft.steps.values() if first_of(step.rule) == rule.key and mark_of(step.rule)]
        for step in laid:
            if step.status is StepStatus.WAITING and step.rule not in wanted:
                draft.put(step, status=StepStatus.SKIPPED)
                draft.log(
                    "left out", Said("the rhythm of status points, or the contract's end, has changed"), step=step.key
                )
        known = {step.rule for step in laid}
        for key, made in wanted.items():
            if key not in known and _days(desk, made)[0] >= desk.today:
                desk.rules[key] = made
                draft.put(Step(key=key, rule=key))
        holder = draft.steps.get(rule.key)
        if holder is not None and holder.status is StepStatus.WAITING:
            draft.put(holder, status=StepStatus.SKIPPED)


def paced(desk: Desk, rules: Iterable[StepRule]) -> Iterator[StepRule]:
    """These rules, with a paced one replaced by those of its points: what a plan will look like."""
    for rule in rules:
        start = desk.release(rule) if rule.paced else None
        if start is None:
            yield rule
        elif not isinstance(start, Waiting):
            yield from points(desk, rule, local_date(max(start, desk.draft.now), desk.tz))


def points(desk: Desk, rule: StepRule, start: date) -> list[StepRule]:
    """The rules of all points that appear on or after ``start`` and are not due yet, the earliest first."""
    every = pace_of(desk.draft.look.baseline)
    if every is None:
        return []
    made = []
    for count in range(MOST):
        point = nth(rule, str(count * every.days))
        appears, due = _days(desk, point)
        if appears < start:
            break
        if due > desk.today:
            made.append(point)
    return made[::-1]


def _days(desk: Desk, point: StepRule) -> tuple[date, date]:
    """On which days a point appears and is due; both long ago while the end is not known."""
    base = desk.base(point.due, None)
    if not isinstance(base, Base):
        return date.min, date.min
    return day_of(point.release, base.day, desk.days), day_of(point.due, base.day, desk.days)
