"""Steps that come more than once: again some time after they were done, or once for each piece of news (P-51 … P-56).

Such a step has a rule of its own, made from that of the playbook, whose key says which one it is: ``stay-in-touch.2``
is the second of its kind, ``you-asked.7`` the one for the news with the id 7. Keys of playbooks hold no dot.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from workflows.cases import NewsKind, Step
from workflows.exit_rights import hangs_on_rights
from workflows.rules import AccountRules, Anchor, Moment, Playbook, StepRule
from workflows.timetable import timetable

NEWS_ANCHORS = {Anchor.WISH: NewsKind.WISH, Anchor.MOVED: NewsKind.MOVED}
"""Steps that hang on one of these come once for each piece of news of that kind."""
_DOT = "."
_ANEW = "-"
_NOTICE = 3
"""Days between a status point's appearing and its due day."""
_ROOM = 7
"""Days to do a step that comes again, where its first dates do not say."""


def all_rules(playbook: Playbook, steps: Iterable[Step], account: AccountRules) -> dict[str, StepRule]:
    """The rules of a playbook that are in force for the account, by key, and those of steps that come more than once.

    The answer is the caller's own.
    """
    known = timetable(playbook)
    again: dict[str, StepRule] = {}
    for step in steps:
        if step.rule in known.rules or step.rule in again:
            continue
        key, dot, mark = step.rule.rpartition(_DOT)
        before = known.rules.get(key) or again.get(key)
        if dot and before is not None:
            again[step.rule] = nth(before, mark)
    if account.exit_rights is not None:
        return known.rules | again
    return known.without_clock | {key: rule for key, rule in again.items() if not hangs_on_rights(rule)}


def nth(rule: StepRule, mark: str) -> StepRule:
    """The rule of one of several.

    ``mark`` is the number of the round, from 2, or the id of the news; of a paced step, how many days before its due
    day the point is due, with :func:`anew` where such a point was laid out before.
    """
    changes: dict[str, object] = {"key": f"{rule.key}{_DOT}{mark}"}
    if rule.release.anchor in NEWS_ANCHORS:
        changes["release"] = rule.release.model_copy(update={"step": mark})
        changes["due"] = rule.due.model_copy(update={"step": mark})
    elif rule.paced:
        due = rule.due.model_copy(update={"days": rule.due.days - int(mark.partition(_ANEW)[0])})
        release = due.model_copy(update={"days": due.days - _NOTICE})
        changes |= {"due": due, "release": release, "not_before": None, "paced": False}
    elif rule.repeat is not None:
        before = rule.key if mark == "2" else f"{rule.key}{_DOT}{int(mark) - 1}"
        release = Moment(anchor=Anchor.STEP, step=before, days=rule.repeat.days)
        changes |= {"release": release, "not_before": None}
        changes["due"] = release.model_copy(update={"days": rule.repeat.days + _room(rule)})
    return rule.model_copy(update=changes)


def first_of(key: str) -> str:
    """The key in the playbook of a rule that may be one of several."""
    return key.partition(_DOT)[0]


def mark_of(key: str) -> str:
    """Which one it is; empty for the playbook's own rule."""
    return key.partition(_DOT)[2]


def point_of(key: str) -> str:
    """The key of a status point without :func:`anew`."""
    first, dot, mark = key.partition(_DOT)
    return first + dot + mark.partition(_ANEW)[0]


def anew(point: StepRule, count: int) -> StepRule:
    """The rule of a status point that is laid out for the ``count``-th time: the contract's end was moved."""
    return point.model_copy(update={"key": f"{point.key}{_ANEW}{count}"})


def _room(rule: StepRule) -> int:
    """How many days lie between a step's appearing and its due date."""
    same = (rule.release.anchor, rule.release.step) == (rule.due.anchor, rule.due.step)
    return max(rule.due.days - rule.release.days, 1) if same else _ROOM


def next_budget_year(after: date, begins: tuple[int, int]) -> date:
    """The first day of the next budget year that begins on or after that day; a 29th of February may be the 28th."""
    for year in (after.year, after.year + 1):
        month, day = begins
        try:
            found = date(year, month, day)
        except ValueError:
            found = date(year, month, 28)
        if found >= after:
            return found
    return date(after.year + 2, begins[0], min(begins[1], 28))
