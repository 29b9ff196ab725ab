"""How a case ends before its plan does (dismissed, cancelled, concluded, stopped: P-06, P-09) and goes on again."""

from __future__ import annotations

from datetime import datetime

from workflows.asks import ASKS
from workflows.cases import Case, CaseStatus, StepStatus
from workflows.draft import Draft
from workflows.loop import moving
from workflows.meeting import CALLED, INVITED, MEETS
from workflows.quiet import end_quiet
from workflows.records import RecordKind, Ref
from workflows.said import Said
from workflows.texts import shorten
from workflows.wording import say, say_of
from workflows.writes import CreateNote

BY_HAND = "by_hand"
"""The outcome of a case that an admin ended."""
TAKEN_OUT = "taken_out"
"""The outcome of a case that ended because the connector leaves the account (P-7A)."""
SURVEY_LINK = "_link:"
"""Name of what was last written into a contact's survey link, followed by the contact's id."""


def dismiss(draft: Draft, outcome: str) -> None:
    """The stage did not hold: nothing was written to the CRM, and nothing is (P-03)."""
    draft.end(CaseStatus.DISMISSED, outcome)
    draft.log("dismissed", _why(draft, outcome, "en"))


def cancel(draft: Draft, outcome: str) -> None:
    """What the plan was for is over: close what is open, stop the links, and say why in a note (P-06)."""
    _fold(draft, outcome)
    draft.end(CaseStatus.CANCELLED, outcome)
    draft.log("cancelled", _why(draft, outcome, "en"))


def conclude(draft: Draft, outcome: str) -> None:
    """What the plan was for has come about: as :func:`cancel`, with the case completed (P-02)."""
    _fold(draft, outcome)
    draft.end(CaseStatus.COMPLETED, outcome)
    draft.log("completed", _why(draft, outcome, "en"))


def _fold(draft: Draft, outcome: str) -> None:
    case, language = draft.case, draft.case.language
    _close_all(draft, outcome)
    name = draft.look.deal.name or case.deal_name or say("customer", language)
    note = CreateNote(
        key=f"{case.id}:_note:{draft.number('_note')}",
        deal_id=case.deal_id,
        title=say_of(case.kind, "note.cancelled.title", language),
        body=say_of(
            case.kind,
            "note.cancelled.body",
            language,
            company=shorten(name, 200),
            why=_why(draft, outcome, language),
        ),
        at=draft.now,
        company_id=case.company_id,
    )
    draft.writes.append(note)


def stop(draft: Draft, outcome: str) -> None:
    """The deal's record went away: close what is open and write nothing on the deal itself (P-09)."""
    _close_all(draft, outcome)
    draft.end(CaseStatus.STOPPED, outcome)
    draft.log("stopped", _why(draft, outcome, "en"))


def let_go(draft: Draft) -> None:
    """What outlasts an ended case ends as well: nobody will look after it any more (P-7A)."""
    end_quiet(draft)
    _close_all(draft, TAKEN_OUT)
    draft.log("let go", Said("its last tasks are closed and its pages too: the account is taken out"))


def end_unseen(case: Case, now: datetime) -> Case:
    """The case ended with the connector's leaving where the CRM cannot be reached any more (P-7A).

    Steps whose tasks are still open there stay open here: they are known, for a person or a later access to close.
    """
    steps = tuple(
        step.model_copy(update={"status": StepStatus.CLOSED})
        if step.status in (StepStatus.WAITING, StepStatus.WRITING)
        else step
        for step in case.steps
    )
    ended = {"status": CaseStatus.CANCELLED, "outcome": TAKEN_OUT, "closed_at": now, "paused": False, "steps": steps}
    return case.model_copy(update=ended)


def tidy(draft: Draft) -> None:
    """Close tasks of an ended case of which we learned only after its end that the CRM had made them."""
    for step in list(draft.steps.values()):
        if step.status is StepStatus.OPEN:
            state = draft.task(step)
            if state is not None and (state.done or not state.found):
                draft.put(step, status=StepStatus.DONE if state.done else StepStatus.DELETED)
            else:
                draft.close(draft.steps[step.key], _note(draft, draft.case.outcome))


def resume(case: Case) -> Case:
    """The case of a deal that was restored, open again where it was (P-09).

    Steps whose tasks we closed are to be made again, under new keys; what we asked for is asked again if need be, and
    people are called together anew for a meeting that was not held.
    """
    steps = tuple(
        step.model_copy(update={"status": StepStatus.WAITING, "task_id": None, "due_at": None, "owner_id": None})
        if step.status is StepStatus.CLOSED
        else step
        for step in case.steps
        if step.rule not in (*ASKS, INVITED) or step.status is not StepStatus.CLOSED
    )
    closed = [step.key for step in case.steps if step.status is StepStatus.CLOSED]
    dates = {name for key in closed for name in (f"due:{key}", moving(key))}  # of tasks that are gone
    kept = {
        name: value
        for name, value in case.written.items()
        if not name.startswith((CALLED, MEETS)) and name not in dates
    }
    kept["round"] = str(int(case.written.get("round", "1")) + 1)
    if case.confirmed_at is not None:
        status = CaseStatus.ACTIVE
    else:
        status = CaseStatus.AWAITING_REASON if "asked_at" in case.written else CaseStatus.SETTLING
    changes = {"status": status, "outcome": "", "closed_at": None, "steps": steps, "written": kept}
    return case.model_copy(update=changes)


def _close_all(draft: Draft, outcome: str) -> None:
    for step in list(draft.steps.values()):
        draft.close(step, _note(draft, outcome))
    for name in [name for name, value in draft.written.items() if name.startswith(SURVEY_LINK) and value]:
        contact = Ref(kind=RecordKind.CONTACT, id=name.removeprefix(SURVEY_LINK))
        draft.fields(name, contact, {"survey_link": None})
    draft.close_links = True


def _note(draft: Draft, outcome: str) -> str:
    language = draft.case.language
    return say("close.cancelled", language, why=_why(draft, outcome or BY_HAND, language))


def _why(draft: Draft, outcome: str, language: str) -> str:
    return say_of(draft.case.kind, f"end.{outcome}", language)
