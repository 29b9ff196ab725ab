"""A decision while it is being made: the case as it will be, and what is to be written, withdrawn and told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from workflows.cases import Baseline, Case, CaseStatus, Event, Step, StepStatus
from workflows.look import Look
from workflows.records import Ref, TaskState
from workflows.writes import FieldValue, UpdateFields, UpdateTask, Write

FINISHED = frozenset(
    {
        StepStatus.DONE,
        StepStatus.NOT_APPLICABLE,
        StepStatus.CLOSED,
        StepStatus.DELETED,
        StepStatus.SKIPPED,
        StepStatus.FAILED,
    }
)
"""Step states after which nothing of the step is left to do."""
_WITH_TASK = frozenset({StepStatus.OPEN, StepStatus.WRITING})

DOCUMENT = ":document"
"""What the key of a step's document ends with, after the key of the step's task."""
DELAY = "delay"
MAILED = "mailed:"
UNOWNED = "unowned:"
_PEOPLE_READ = "people_read"
PAUSED_AT = "paused_at"
SOMEONE_ERASED = "erased"


def delay_of(case: Case) -> timedelta:
    """For how many days the case was paused since its plan started (P-76)."""
    return timedelta(days=int(case.written.get(DELAY, "0")))


def put_off(written: Mapping[str, str], by: timedelta) -> dict[str, str]:
    """:attr:`Case.written` of a case that goes on after a pause: what counts from the plan's start comes later."""
    days = int(written.get(DELAY, "0")) + max(by.days, 0)
    return {**written, DELAY: str(days)} if days else dict(written)


class Draft:
    """Collects one decision. Reads of people and tasks that it turns out to need are noted, not done.

    Besides digests of what was written, :attr:`written` keeps under names of its own: ``#<name>`` how often something
    was written, ``hold:<step>`` until when a step cannot be released, :data:`UNOWNED` ``<step>`` since when nobody
    active can own its task, ``end:<step>`` the contract end that its due date was counted from, ``moving:<step>`` the
    due date from which we move it until the CRM has taken that, ``due:<step>`` and ``owner:<step>`` what a person set
    instead of us, ``round`` how often the case was taken up again, ``round:<step>`` how often that step alone was,
    :data:`MAILED` ``<step>`` that its task asks to write to its contact, :data:`PAUSED_AT` since when it is paused,
    :data:`DELAY` for how many days it was, and :data:`SOMEONE_ERASED` that somebody of it was erased.
    """

    def __init__(self, look: Look, case: Case) -> None:
        self.look = look
        self.now: datetime = look.now
        self.case = case
        self.steps: dict[str, Step] = {step.key: step for step in case.steps}
        self._keys_of: dict[str, list[str]] | None = None
        self.written: dict[str, str] = dict(case.written)
        self.writes: list[Write] = []
        self.withdrawn: list[str] = []
        self.events: list[Event] = []
        self.needs_tasks: list[str] = []
        self.needs_people = False
        self.needs_history = False
        self.needs_start = False
        self.needs_involved = False
        self.close_links = False
        self.starting: Baseline | None = None
        self.judged: dict[tuple[Ref, str], bool] = {}
        """Of which fields it was found out already whether they may be written (:mod:`workflows.heed`)."""

    @property
    def is_waiting(self) -> bool:
        """Whether facts must be read first, so that nothing is decided yet."""
        asks = self.needs_people or self.needs_involved or self.needs_history or self.needs_start
        return asks or bool(self.needs_tasks)

    # --- the case ---------------------------------------------------------------------------------------------------

    def set(self, **values: Any) -> None:
        """Change fields of the case."""
        if any(getattr(self.case, name) != value for name, value in values.items()):
            self.case = self.case.model_copy(update=values)

    def end(self, status: CaseStatus, outcome: str) -> None:
        """The case is over."""
        self.set(status=status, outcome=outcome, closed_at=self.now)

    def put(self, step: Step, **changes: Any) -> Step:
        """Keep the step, with these changes."""
        step = step.model_copy(update=changes) if changes else step
        if step.key not in self.steps:
            self._keys_of = None
        self.steps[step.key] = step
        return step

    def lay_out(self, steps: Mapping[str, Step]) -> None:
        """Add these steps, by their keys."""
        self.steps |= steps
        self._keys_of = None

    def replace(self, key: str, steps: list[Step]) -> None:
        """Put these steps in the place of the one with this key."""
        old = list(self.steps.values())
        self.steps = {step.key: step for one in old for step in (steps if one.key == key else [one])}
        self._keys_of = None

    def of_rule(self, rule: str | None) -> list[Step]:
        """The steps that follow this rule, in the plan's order."""
        if self._keys_of is None:
            self._keys_of = {}
            for step in self.steps.values():
                self._keys_of.setdefault(step.rule, []).append(step.key)
        return [self.steps[key] for key in self._keys_of.get(rule or "", ())]

    def with_task(self) -> list[Step]:
        """The steps whose task is open in the CRM, or on the way there."""
        return [step for step in self.steps.values() if step.status in _WITH_TASK]

    def result(self) -> Case:
        """The case as it stands now; the very same object when nothing changed."""
        steps = tuple(self.steps.values())
        if steps == self.case.steps and self.written == self.case.written:
            return self.case
        return self.case.model_copy(update={"steps": steps, "written": dict(self.written)})

    # --- keys -------------------------------------------------------------------------------------------------------

    def step_key(self, step: Step) -> str:
        """The key of the write that makes the step's task."""
        taken_up, once_more = self.written.get("round", ""), self.written.get(f"round:{step.key}", "")
        times = f"{taken_up or 1}.{once_more}" if once_more else taken_up
        return f"{self.case.id}:{step.key}" + (f"~{times}" if times else "")

    def once_more(self, step: Step) -> None:
        """A step whose task we closed waits for its moment again, for a new task under a new key."""
        self.written[f"round:{step.key}"] = str(int(self.written.get(f"round:{step.key}", "0")) + 1)
        self.put(step, status=StepStatus.WAITING, task_id=None, due_at=None, owner_id=None)

    def number(self, name: str) -> int:
        """How often something of this name was written, this time included: it keeps keys of writes apart."""
        count = int(self.written.get(f"#{name}", "0")) + 1
        self.written[f"#{name}"] = str(count)
        return count

    # --- what is to be told and written -----------------------------------------------------------------------------

    def log(self, what: str, detail: str = "", **data: str) -> None:
        """Add a line to the case's log."""
        self.events.append(Event(what=what, detail=detail, data=data))

    def once(self, name: str, value: str) -> bool:
        """Whether this is news: True the first time that ``name`` has this value."""
        if self.written.get(name) == value:
            return False
        self.written[name] = value
        return True

    def fields(
        self,
        name: str,
        target: Ref,
        values: Mapping[str, FieldValue],
        settle: Callable[[Ref, Mapping[str, FieldValue]], Mapping[str, FieldValue]] | None = None,
    ) -> None:
        """Write our own fields on one record, unless the same was written last under this name.

        ``settle`` says which of them may be written, where people may have changed some; with none of them, nothing is.
        """
        digest = f"{target.id}|" + "|".join(f"{key}={value}" for key, value in sorted(values.items()))
        if self.once(name, digest):
            values = settle(target, values) if settle is not None else values
            if not values:
                return
            key = f"{self.case.id}:{name}:{self.number(name)}"
            self.writes.append(UpdateFields(key=key, deal_id=self.case.deal_id, target=target, values=values))

    # --- tasks ------------------------------------------------------------------------------------------------------

    def task(self, step: Step) -> TaskState | None:
        """The state of the step's task; None, and asked for, when it was not read just now."""
        state = self.look.tasks.get(step.task_id or "")
        if state is None and step.task_id and step.task_id not in self.needs_tasks:
            self.needs_tasks.append(step.task_id)
        return state

    def read_people_daily(self) -> None:
        """Have people read once a day: what they want may have changed, and no other sign tells it."""
        today = self.now.date().isoformat()
        if self.look.people is not None:
            self.written[_PEOPLE_READ] = today
        elif self.written.get(_PEOPLE_READ) != today:
            self.needs_people = True

    def close(self, step: Step, note: str) -> None:
        """The step is no longer needed: withdraw its task, or close it in the CRM with a note, unless people have."""
        if step.status is StepStatus.WRITING:
            self.withdrawn.append(self.step_key(step))
            if any(rule.key == step.rule and rule.document is not None for rule in self.look.playbook.steps()):
                self.withdrawn.append(self.step_key(step) + DOCUMENT)
        if step.status in (StepStatus.WRITING, StepStatus.WAITING):
            self.put(step, status=StepStatus.CLOSED)
        if step.status is not StepStatus.OPEN or step.task_id is None or self.task(step) is None:
            return
        key = f"{self.step_key(step)}:close:{self.number(f'close:{step.key}')}"
        self.writes.append(UpdateTask(key=key, deal_id=self.case.deal_id, task_id=step.task_id, note=note, close=True))
        self.put(step, status=StepStatus.CLOSED)
