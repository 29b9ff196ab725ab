"""What is known of one deal during a look, and which deals can be looked at side by side."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adapters.results import Observed
from connector.store.tables import AgendaRow, LinkRow
from workflows.cases import NOT_OPENED, Baseline, Case, CaseStatus, Event, FigureChange, InventoryItem, News, StepStatus
from workflows.draft import FINISHED
from workflows.look import Decision
from workflows.questions import Answer
from workflows.records import Involvement, People, TaskState
from workflows.said import Said


@dataclass
class DealLook:
    """What is known of one deal during a look."""

    row: AgendaRow
    observed: Observed
    case: Case | None
    last: Case | None
    older: tuple[Case, ...]
    survivor: Case | None
    answers: tuple[Answer, ...]
    news: tuple[News, ...] = ()
    baseline: Baseline | None = None
    history: tuple[FigureChange, ...] | None = None
    inventory: tuple[InventoryItem, ...] = ()
    started_with: Mapping[str, str] | None = None
    people: People | None = None
    involved: tuple[Involvement, ...] | None = None
    tasks: dict[str, TaskState] = field(default_factory=dict)
    links: list[LinkRow] = field(default_factory=list)
    decision: Decision = field(default_factory=Decision)
    trouble: str | None = None
    cancelled: str = ""
    held: bool = False
    again: datetime | None = None

    @property
    def may_write(self) -> bool:
        """Whether what is planned for its case goes out: not while that is paused, but for the ending by hand."""
        return bool(self.cancelled) or not (self.held or (self.case is not None and self.case.paused))


def hold(look: DealLook, paused: Container[str]) -> None:
    """Drop what was decided by a paused playbook, or would lead into one: the case stays where it is (P-76)."""
    after = look.decision.case
    if after is not None and after.playbook in paused and not look.cancelled:
        told = Event(what=NOT_OPENED, detail=Said("the playbook %(playbook)s is paused", playbook=after.playbook))
        asked = look.case is None and (look.row.asked or look.observed.deal.start_now)
        look.decision = Decision(case=look.case, events=(told,) if asked else ())
        look.links.clear()
        look.held = True


def followed(look: DealLook) -> Case | None:
    """The case whose frozen playbook counts: the open one, or the last one where it may be taken up again or lasts."""
    kept = (CaseStatus.STOPPED, CaseStatus.COMPLETED)  # P-09; P-51 … P-56
    return look.case or (look.last if look.last is not None and look.last.status in kept else None)


def in_turn(looks: Sequence[DealLook]) -> list[DealLook]:
    """Those that can be decided side by side; the others stay on the agenda and come next.

    A case that follows its deal into another one must be there before that one is looked at, or before a second case
    follows: the deal would get two open cases (P-08, P-09).
    """
    following = [
        look for look in looks if look.case is not None and look.observed.deal.merged_into and look.survivor is None
    ]
    first = {look.observed.deal.merged_into: look for look in reversed(following)}
    later = {id(look) for look in following if first[look.observed.deal.merged_into] is not look}
    return [look for look in looks if id(look) not in later and look.row.deal_id not in first]


def open_task_ids(case: Case | None) -> list[str]:
    """Tasks whose state may still change the plan: all but those that we closed or people deleted.

    Of a case that has ended, those that are open: its lasting steps.
    """
    if case is None:
        return []
    ended = (StepStatus.CLOSED, StepStatus.DELETED) if case.is_open else FINISHED
    return [step.task_id for step in case.steps if step.task_id and step.status not in ended]


def deals_of(looks: Iterable[DealLook]) -> list[str]:
    """The deals that were looked at, and those that their cases follow into."""
    ids = {look.row.deal_id for look in looks}
    ids |= {look.decision.case.deal_id for look in looks if look.decision.case is not None}
    return sorted(ids)
