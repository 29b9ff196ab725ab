"""Who is a customer still, or again: back after an ending (P-56), or there by another contract all the time (P-25)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from workflows.cases import StepStatus
from workflows.draft import FINISHED, Draft
from workflows.guard import watch_rule
from workflows.records import Deal, DealState, RecordKind, Ref
from workflows.rules import AccountRules, StepRule, Texts
from workflows.said import Said
from workflows.survey import wording

SURE_AFTER = timedelta(days=90)
"""So long after it was noted, a return stands whatever becomes of its deal: they were here again, and left again."""
_CLOCKS = timedelta(minutes=5)
"""The CRM's clock and ours may differ by so much."""
_RETURNED, _NOTED_AT, _CLOSED = "returned", "returned_at", "door:"
"""In :attr:`Case.written`: the deal by which they came back, when that was noted, and which steps it closed."""
_NOTES: Mapping[str, Texts] = {
    "returned": {
        "en": "This customer is back, so this task is no longer needed.",
        "fr": "Ce client est revenu : cette tâche n’est plus nécessaire.",
    },
    "changed": {
        "en": "The deal has moved on, so this task is no longer needed.",
        "fr": "La transaction a évolué : cette tâche n’est plus nécessaire.",
    },
}


@dataclass(frozen=True)
class Left:
    """An offboarding that a customer went through, as far as a return is concerned."""

    case_id: str
    deal_id: str
    entered_at: datetime
    contract_end: date | None
    stays_by: str | None = None
    """The other deal by which it is noted already that they remain a customer."""


def holds_from(rules: AccountRules, deal: Deal) -> datetime:
    """When a deal that is won or renewed has been so for the settle time: before that it may be a slip (P-03)."""
    rule = watch_rule(rules, deal.pipeline_id)
    settle_for = rule.settle_for if rule is not None else timedelta(0)
    return deal.stage_history[0].at + settle_for


def came_back(rules: AccountRules, deal: Deal, left: Left | None) -> bool:
    """Whether this deal, now won or renewed, brings back a customer who had left; None: whether it could at all.

    It must be another deal, begun after they had decided to leave, as far as the CRM tells, and won after the end of
    the former contract: one that ran beside it all the time is no return.
    """
    rule = watch_rule(rules, deal.pipeline_id)
    if rule is None or deal.state is not DealState.LIVE or deal.company_id is None:
        return False
    if deal.stage_id not in rule.renewed | rule.won or not deal.stage_history:
        return False
    if left is None:
        return True
    won_at, known_since = deal.stage_history[0].at, deal.stage_history[-1].at
    after_end = left.contract_end is None or won_at.date() > left.contract_end
    return deal.id != left.deal_id and known_since > left.entered_at and after_end


def stays(rules: AccountRules, deal: Deal, left: Left, today: date) -> bool:
    """Whether the company remains a customer by this deal, now won or renewed, although another contract ends (P-25).

    It was won or renewed after they had decided to end the other one, or its contract runs on beyond the end of that.
    The deal by which the ended contract itself began runs no longer than it, and says nothing.
    """
    if deal.id == left.deal_id or not came_back(rules, deal, None):
        return False
    if deal.stage_history[0].at > left.entered_at:
        return True
    ends = deal.contract_end
    return ends is not None and left.contract_end is not None and ends > max(today, left.contract_end)


def stays_no_more(rules: AccountRules, deal: Deal, left: Left) -> bool:
    """Whether this deal no longer says what :func:`stays` once read in it: it left its stage, was deleted or merged.

    That its contract has come to its end meanwhile is no such thing: what follows then is told by its own stage.
    """
    return not stays(rules, deal, left, date.min)


def is_no_return(rules: AccountRules, deal: Deal, noted_at: datetime, now: datetime) -> bool:
    """Whether the deal that brought a customer back turns out to be no win (P-56); ``noted_at``: when it was noted.

    It left its won stage, be it lost or open again, or was deleted, before :data:`SURE_AFTER`; or it was merged: then
    the deal that it was merged into tells by itself. That somebody changed which stages are watched says nothing.
    """
    if deal.state is DealState.MERGED:
        return True
    if deal.state is not DealState.LIVE:
        return now <= noted_at + SURE_AFTER
    rule = watch_rule(rules, deal.pipeline_id)
    if rule is None or not deal.stage_id or deal.stage_id in rule.renewed | rule.won:
        return False
    left_at = deal.stage_history[0].at if deal.stage_history else now
    return noted_at - _CLOCKS <= left_at <= noted_at + SURE_AFTER


# --- what a return ends, and what goes on if it was none --------------------------------------------------------------


def close_door(draft: Draft, rules: Mapping[str, StepRule], why: str, deal_id: str = "") -> None:
    """Nothing follows any more: close open tasks with a note, leave out what waits. ``why`` is an outcome."""
    back = why in ("returned", "renewed")
    if back and draft.once(_RETURNED, deal_id or draft.case.deal_id):
        draft.written[_NOTED_AT] = draft.now.isoformat()
        draft.log("returned", Said("the customer is back"), deal=deal_id or draft.case.deal_id)
        if not deal_id:
            draft.fields("_returned", Ref(kind=RecordKind.DEAL, id=draft.case.deal_id), {"returned": True})
    for step in list(draft.steps.values()):
        rule = rules.get(step.rule)
        if rule is not None and rule.lasting and step.status not in FINISHED:
            draft.close(step, wording(_NOTES["returned" if back else "changed"], draft.case.language, ("en",)))
            if deal_id and draft.steps[step.key].status is StepStatus.CLOSED:
                draft.written[f"{_CLOSED}{step.key}"] = "yes"


def reopen_door(draft: Draft) -> None:
    """The other deal that brought them back was no return after all: what its news closed goes on, under new keys."""
    if draft.written.get(_RETURNED, draft.case.deal_id) == draft.case.deal_id:
        return
    draft.log("resumed", Said("the customer is not back after all"), deal=draft.written.pop(_RETURNED))
    draft.written.pop(_NOTED_AT, None)
    for name in [name for name in draft.written if name.startswith(_CLOSED)]:
        del draft.written[name]
        step = draft.steps.get(name.removeprefix(_CLOSED))
        if step is not None and step.status is StepStatus.CLOSED:
            draft.put(step, status=StepStatus.WAITING, task_id=None, due_at=None, owner_id=None)
    draft.written["round"] = str(int(draft.written.get("round", "1")) + 1)


def unless_renewed(draft: Draft) -> None:
    """The deal itself was renewed after all, and is not any more: before :data:`SURE_AFTER` that was no return."""
    noted_at = draft.written.get(_NOTED_AT)
    if noted_at is None or draft.written.get(_RETURNED) != draft.case.deal_id:
        return
    del draft.written[_NOTED_AT]
    if draft.now <= datetime.fromisoformat(noted_at) + SURE_AFTER:
        del draft.written[_RETURNED]
        draft.log("back no longer", Said("the deal is not renewed any more"), deal=draft.case.deal_id)
        draft.fields("_returned", Ref(kind=RecordKind.DEAL, id=draft.case.deal_id), {"returned": False})
