"""When an offboarding begins, goes on and ends: the stage of the deal, and how long it has been there (P-01 … P-09)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workflows.look import Look
from workflows.model import AccountRules, Case, CaseStatus, Deal, DealState, WatchRule
from workflows.texts import TextError, holds
from workflows.views import deal_view

LEFT = frozenset({"renewed", "left_stage", "unwatched"})
"""Outcomes of cases whose deal was seen outside the not-renewing stages."""
CONDITION = "condition"
"""Outcome of a case that was dismissed because ``only_if`` does not hold."""


@dataclass(frozen=True)
class Ending:
    """The deal sits in a not-renewing stage: its present run through such stages.

    ``entered_at`` is when the run began, None when the history does not tell. ``seen_outside``: the history shows the
    deal in another stage before the run, so the run surely began then.
    """

    rule: WatchRule
    stage_id: str
    entered_at: datetime | None
    seen_outside: bool


def watch_rule(rules: AccountRules, pipeline_id: str | None) -> WatchRule | None:
    """The rule for this pipeline, or the one for any pipeline; None when it is not watched."""
    exact = (rule for rule in rules.watch if rule.pipeline_id is not None and rule.pipeline_id == pipeline_id)
    return next(exact, None) or next((rule for rule in rules.watch if rule.pipeline_id is None), None)


def ending(rules: AccountRules, deal: Deal) -> Ending | None:
    """The deal's present ending, or None while it is not in a not-renewing stage of a watched pipeline (P-01)."""
    rule = watch_rule(rules, deal.pipeline_id)
    if rule is None or deal.stage_id not in rule.not_renewing or deal.state is not DealState.LIVE:
        return None
    entered_at = None
    seen_outside = False
    for past in deal.stage_history:
        if past.stage_id not in rule.not_renewing:
            seen_outside = True
            break
        entered_at = past.at
    return Ending(rule=rule, stage_id=deal.stage_id, entered_at=entered_at, seen_outside=seen_outside)


def is_new(present: Ending, last: Case) -> bool:
    """Whether the present ending is another one than that of the deal's last case (P-08).

    A later beginning of the run says so where the history shows the deal elsewhere in between, where it came back to
    the same stage, or where we saw it elsewhere ourselves. A CRM that tells only the last change of stage cannot tell a
    move between two not-renewing stages from a return; that does not count as new.
    """
    left = last.outcome in LEFT
    if present.entered_at is None:
        return left
    if present.entered_at <= last.entered_at:
        return last.outcome == CONDITION
    return present.seen_outside or present.stage_id == last.stage_id or left


def refusal(look: Look, present: Ending | None) -> str | None:
    """Why no case opens for this deal now, in words; None when one does."""
    if present is None:
        return "the deal is not in a not-renewing stage of a watched pipeline (P-01)"
    if look.last is not None and not is_new(present, look.last):
        return f"this ending already had its case {look.last.id} (P-08)"
    starts_at = look.rules.starts_at
    if present.entered_at is not None and starts_at is not None and present.entered_at < starts_at and not look.asked:
        return f"the stage was entered before the switch-on at {starts_at.isoformat()} (P-71)"
    return unmet(look, present)


def unmet(look: Look, present: Ending) -> str | None:
    """What the account's ``only_if`` says against this deal, or None. A condition that cannot be told does not hold."""
    condition = present.rule.only_if
    if not condition:
        return None
    try:
        if holds(condition, {"deal": deal_view(look.deal)}):
            return None
    except TextError as error:
        return f"only_if: {error}"
    return f"only_if does not hold: {condition}"


def leaving(look: Look) -> str | None:
    """Why an open case of a live deal must end: ``renewed``, ``left_stage`` or ``unwatched`` (P-06, P-09); else None.

    A deal without a stage tells nothing: the case goes on.
    """
    rule = watch_rule(look.rules, look.deal.pipeline_id)
    if rule is None:
        return "unwatched"
    if look.deal.stage_id in rule.not_renewing or not look.deal.stage_id:
        return None
    return "renewed" if look.deal.stage_id in rule.renewed else "left_stage"


def entry(case: Case, present: Ending) -> datetime:
    """When the present ending began, for a case that is open: what the history says, or else what we knew.

    While the case settles, a later beginning starts the settling anew (P-03), unless the deal may merely have moved on
    within the not-renewing stages. Afterwards it is only kept, to tell this ending from the next.
    """
    if present.entered_at is None:
        return case.entered_at
    if case.status is not CaseStatus.SETTLING:
        return max(case.entered_at, present.entered_at)
    later = present.entered_at > case.entered_at
    moved_on = later and not present.seen_outside and present.stage_id != case.stage_id
    return case.entered_at if moved_on else present.entered_at
