"""What every decision wants to know of a playbook, worked out once for each version: its rules, and its plain days.

A step hangs on *plain* days when nothing but the case itself tells them, such as the contract's end: they are the same
for every contact, whatever became of other steps. That is most of a playbook.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from workflows.exit_rights import hangs_on_rights
from workflows.rules import RIGHTS_ANCHORS, Anchor, LinkKind, Moment, Playbook, StepRule

PLAIN = frozenset({Anchor.CONTRACT_END, Anchor.CONFIRMED, Anchor.OPENED, Anchor.WIN_BACK}) | RIGHTS_ANCHORS
"""Anchors that are the same for every step and contact."""


class Day(NamedTuple):
    """A plain day: the offset from an anchor, as in :class:`~workflows.rules.Moment`."""

    anchor: Anchor
    days: int
    business: bool


@dataclass(frozen=True, slots=True)
class Row:
    """The plain days of one step: it appears on ``first``, not before ``second``, and is due by a day from ``due``."""

    rule: str
    first: Day
    second: Day | None
    due: Anchor
    is_survey: bool


@dataclass(frozen=True, slots=True, eq=False)
class Timetable:
    """The rules of a playbook by key, those left where an account keeps no exit-rights clock, and all plain days.

    Steps that wait for any answer wait for one to ``surveys``.
    """

    playbook: Playbook
    rules: dict[str, StepRule]
    without_clock: dict[str, StepRule]
    rows: tuple[Row, ...]
    days: frozenset[Day]
    anchors: tuple[Anchor, ...]
    surveys: frozenset[str]
    has_timeline: bool


_KNOWN: dict[tuple[str, str], Timetable] = {}
"""By key and version; of two playbooks that call themselves the same, the one that was asked for last."""


def timetable(playbook: Playbook) -> Timetable:
    """The timetable of this playbook; nobody may change what is in it."""
    known = _KNOWN.get((playbook.key, playbook.version))
    if known is None or known.playbook is not playbook:
        known = _KNOWN[playbook.key, playbook.version] = _timetable(playbook)
    return known


def _timetable(playbook: Playbook) -> Timetable:
    rules = {rule.key: rule for rule in playbook.steps()}
    rows = tuple(_row(rule) for rule in rules.values() if all(moment.anchor in PLAIN for moment in _moments(rule)))
    days = frozenset(day for row in rows for day in (row.first, row.second) if day is not None)
    return Timetable(
        playbook=playbook,
        rules=rules,
        without_clock={key: rule for key, rule in rules.items() if not hangs_on_rights(rule)},
        rows=rows,
        days=days,
        anchors=tuple(sorted({day.anchor for day in days} | {row.due for row in rows})),
        surveys=frozenset(key for key, rule in rules.items() if rule.link is LinkKind.SURVEY and rule.until is None),
        has_timeline=any(rule.customer for rule in rules.values()),
    )


def _moments(rule: StepRule) -> Iterator[Moment]:
    yield from (moment for moment in (rule.release, rule.not_before, rule.due) if moment is not None)


def _row(rule: StepRule) -> Row:
    return Row(
        rule=rule.key,
        first=day_of_moment(rule.release),
        second=day_of_moment(rule.not_before) if rule.not_before is not None else None,
        due=rule.due.anchor,
        is_survey=rule.link is LinkKind.SURVEY,
    )


def day_of_moment(moment: Moment) -> Day:
    """The moment without the step that it may name."""
    return Day(moment.anchor, moment.days, moment.business)
