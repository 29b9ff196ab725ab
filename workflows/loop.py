"""From the tasks in the CRM back to the plan: done, not applicable, reopened, deleted, given on, moved (P-2E, P-7B).

A step is not applicable when a person sets its task aside (deferred), or when a line of the task's text says so, such
as "Not applicable because they keep the data themselves". What follows such a step goes on from then: nobody said that
the rest is not wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo

from workflows.cases import Step, StepStatus
from workflows.dates import zone, zone_or
from workflows.draft import Draft
from workflows.records import TaskState
from workflows.said import Said
from workflows.texts import shorten

MAX_REASON = 500
_LIVE = (StepStatus.OPEN, StepStatus.DONE, StepStatus.NOT_APPLICABLE)
_SAID = re.compile(
    r"^[ \t>*-]*(?:not applicable|does not apply|n/a|sans objet|non applicable|ne s['’]applique pas)\b"
    r"[\s:;,.–—-]*(?:because|since|car|parce qu[e'’]|puisqu[e'’])?[ \t:]*(.*)$",
    re.IGNORECASE | re.MULTILINE,
)


def take_tasks(draft: Draft) -> None:
    """Take over the states of tasks that were read."""
    for step in list(draft.steps.values()):
        state = draft.look.tasks.get(step.task_id or "")
        if state is None or step.status not in _LIVE:
            continue
        if not state.found:
            draft.put(step, status=StepStatus.DELETED)
            draft.log("task deleted", Said("a person deleted the task; it is not made again"), step=step.key)
            continue
        _take_state(draft, step, state)
        if not state.done:
            _note_changes(draft, draft.steps[step.key], state)


def _take_state(draft: Draft, step: Step, state: TaskState) -> None:
    reason = not_applicable(state)
    if reason is not None:
        if step.status is not StepStatus.NOT_APPLICABLE or reason != step.reason:
            when = step.completed_at or state.completed_at or draft.now
            draft.put(step, status=StepStatus.NOT_APPLICABLE, completed_at=when, reason=reason)
            draft.log("not applicable", reason or Said("no reason was given"), step=step.key)
    elif state.done and step.status is not StepStatus.DONE:
        draft.put(step, status=StepStatus.DONE, completed_at=state.completed_at or draft.now, reason="")
        draft.log("task done", step=step.key)
    elif not state.done and step.status is not StepStatus.OPEN:
        draft.put(step, status=StepStatus.OPEN, completed_at=None, reason="")
        draft.log("task reopened", step=step.key)


def not_applicable(state: TaskState) -> str | None:
    """Why people say that the step of this task is not applicable; empty without a reason, None if they do not."""
    said = [match[1].strip(" .…\t") for match in _SAID.finditer(state.text)] if state.done or state.deferred else []
    given = [shorten(one, MAX_REASON) for one in said if one]
    if given:
        return given[-1]
    return "" if state.deferred or said else None


def _note_changes(draft: Draft, step: Step, state: TaskState) -> None:
    """Tell once what people changed, and keep it: their date and their choice of a person count from then on."""
    owner, due = state.owner_id, state.due_at.isoformat() if state.due_at is not None else ""
    if owner is None or owner == step.owner_id:
        draft.written.pop(f"owner:{step.key}", None)
    elif draft.once(f"owner:{step.key}", owner):
        draft.log("owner changed", Said("a person gave the task to someone else"), step=step.key, owner=owner)
    if same_due(state.due_at, step.due_at):
        draft.written.pop(moving(step.key), None)  # it has arrived
    if is_our_due(draft, step, state):
        draft.written.pop(f"due:{step.key}", None)
    elif draft.once(f"due:{step.key}", due):
        draft.log("due date changed", Said("a person changed the due date"), step=step.key, due=due)


def is_our_due(draft: Draft, step: Step, state: TaskState) -> bool:
    """Whether the task is still due when we wrote, on the clock of its owner then or now.

    So it is while it shows the date from which we moved it: that write has not arrived yet.
    """
    default = zone(draft.look.rules.time_zone)
    owners = [draft.look.users.get(owner or "") for owner in dict.fromkeys((step.owner_id, state.owner_id))]
    zones = [zone_or(owner.time_zone if owner is not None else None, default) for owner in owners]
    before = draft.written.get(moving(step.key))
    ours = [step.due_at, datetime.fromisoformat(before)] if before is not None else [step.due_at]
    return any(same_due(state.due_at, due, tz) for due in ours for tz in zones)


def moving(step_key: str) -> str:
    """Where :attr:`Case.written` keeps the due date from which we move a task, until the CRM has taken the new one."""
    return f"moving:{step_key}"


def same_due(seen: datetime | None, ours: datetime | None, tz: tzinfo | None = None) -> bool:
    """Whether the due date in the CRM is still the one that we wrote.

    A CRM without due times gives midnight of the day: then the days are compared, ours on the owner's clock ``tz``.
    """
    if seen is None or ours is None:
        return seen is ours
    if abs(seen - ours) < timedelta(minutes=1):
        return True
    midnight = (seen.hour, seen.minute, seen.second) == (0, 0, 0)
    return midnight and seen.date() == ours.astimezone(tz or ours.tzinfo).date()


def due_of(draft: Draft, step: Step) -> datetime | None:
    """When the step's task is due: as a person set it, or else as we wrote it. None: there is no date."""
    return due_said(draft.written, step)


def due_said(written: Mapping[str, str], step: Step) -> datetime | None:
    """The same, from :attr:`Case.written` of its case."""
    theirs = written.get(f"due:{step.key}")
    if theirs is None:
        return step.due_at
    return datetime.fromisoformat(theirs) if theirs else None


def handed_to(draft: Draft, step: Step) -> str | None:
    """Whom a person gave the step's task to, if they did."""
    return draft.written.get(f"owner:{step.key}")
