"""How far a case is, as its deal shows it (P-29): steps done and in all, which one is next, and when that is due."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo

from workflows.cases import Case, CaseStatus, Step, StepStatus, steps_over
from workflows.loop import due_said
from workflows.records import Model
from workflows.rounds import first_of
from workflows.rules import CaseKind, Playbook
from workflows.writes import FieldValue

SHOWN = "_progress"
"""In :attr:`Case.written`: how far the case was when its deal was last told."""
STALE = "_progress_stale"
"""In :attr:`Case.written`: the deal is to be told at the account's next turn; the moment since when, if it was refused
then."""
TURN = "yes"
TRIED_AGAIN = timedelta(days=1)
"""What was refused is tried again after so long: somebody may have mended the cause."""
_AT_WORK = (StepStatus.OPEN, StepStatus.WRITING)
_NAMES_SOMEBODY = re.compile(r"{[{%][^}]*\b(?:contact|first|contacts)\b")


class Progress(Model):
    """How far a case is. Steps that were left out do not count, nor those that outlast the case (P-51 … P-56).

    ``next_step`` is the open one that is due first, as people set it (P-7B); None when nothing waits for anybody.
    """

    done: int
    steps: int
    next_step: Step | None = None
    due: date | None = None

    def mark(self, deal_id: str) -> str:
        """The same text as long as the deal would show the same."""
        step = self.next_step.key if self.next_step is not None else ""
        return f"{deal_id}|{self.done}/{self.steps}|{step}|{self.due or ''}"

    def values(self, next_title: str | None) -> dict[str, FieldValue]:
        """Our fields on the deal."""
        return {
            "steps_done": self.done,
            "steps_all": self.steps,
            "next_step": next_title if self.next_step is not None else None,
            "next_due": self.due,
        }


def progress(case: Case, playbook: Playbook | None, tz: tzinfo) -> Progress | None:
    """How far the case is; None when it shows nothing on its deal, as before its plan has begun.

    ``tz`` is the account's zone, for the day on which the next step is due.
    """
    if case.kind is not CaseKind.OFFBOARDING or case.confirmed_at is None or case.status is CaseStatus.STOPPED:
        return None  # other automations read our fields on the deal as: this customer is leaving (P-25)
    lasting = {rule.key for rule in playbook.steps() if rule.lasting} if playbook is not None else frozenset()
    counted = [
        step for step in case.steps if step.status is not StepStatus.SKIPPED and first_of(step.rule) not in lasting
    ]
    over = steps_over(case.status)
    due, following = _next(case, counted) if case.is_open else (None, None)
    return Progress(
        done=sum(step.status in over for step in counted),
        steps=len(counted),
        next_step=following,
        due=due.astimezone(tz).date() if due is not None else None,
    )


def untold(case: Case, values: Iterable[str], now: datetime) -> Case:
    """The case after a write of these fields was refused: it was not told, and is to be told another day."""
    if SHOWN not in case.written or "steps_all" not in values:
        return case
    kept = {name: value for name, value in case.written.items() if name != SHOWN}
    return case.model_copy(update={"written": {**kept, STALE: now.isoformat()}})


def waits(case: Case, now: datetime) -> bool:
    """Whether it was refused so lately that it is not to be tried again yet."""
    since = case.written.get(STALE, TURN)
    return since != TURN and now < datetime.fromisoformat(since) + TRIED_AGAIN


def _next(case: Case, steps: list[Step]) -> tuple[datetime | None, Step | None]:
    """The open step that is due first, and when; those without a date come last."""
    dated = [(due_said(case.written, step), step) for step in steps if step.status in _AT_WORK]
    timed = [(due, step) for due, step in dated if due is not None]
    if timed:
        return min(timed, key=lambda one: (one[0], one[1].key))
    return None, next((step for _, step in dated), None)


def told_title(step: Step, subject: str, playbook: Playbook | None, language: str) -> str:
    """What the deal calls a step: the subject of its task, or its phase where that names a person.

    What stands on the deal outlives the case, and nobody's name is to stay there (P-79).
    """
    for phase in playbook.phases if playbook is not None else ():
        for rule in phase.steps:
            texts = (*rule.title.values(), *rule.call_title.values())
            if rule.key == first_of(step.rule) and any(map(_NAMES_SOMEBODY.search, texts)):
                return phase.title.get(language) or next(iter(phase.title.values()))
    return subject
