"""When a case begins, goes on and ends: the stage of the deal, and how long it has been there (P-01 … P-09, P-60).

A deal that sits in a stage which calls for a case is an *occasion*: an ending for an offboarding, a negotiation for a
save plan, a win for a baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workflows.cases import Case, CaseStatus
from workflows.look import Look
from workflows.records import Deal, DealState
from workflows.rules import AccountRules, CaseKind, WatchRule
from workflows.said import Said
from workflows.texts import TextError, holds
from workflows.views import deal_view

SAVED = "saved"
"""Outcome of a save plan whose deal was renewed."""
LOST = "not_renewing"
"""Outcome of another case whose deal reached a not-renewing stage."""
LEFT = frozenset({"renewed", "left_stage", "unwatched", SAVED, LOST})
"""Outcomes of cases whose deal was seen outside the stages that opened them."""
CONDITION = "condition"
"""Outcome of a case that was dismissed because ``only_if`` does not hold."""

_NO_OCCASION = {
    CaseKind.OFFBOARDING: Said("the deal is not in a not-renewing stage of a watched pipeline"),
    CaseKind.SAVE: Said("the deal is not in a negotiating stage of a watched pipeline"),
    CaseKind.BASELINE: Said("the deal is not in a won or renewed stage of a watched pipeline"),
}


@dataclass(frozen=True)
class Occasion:
    """The deal sits in a stage that calls for a case of this kind: its present run through such stages.

    ``entered_at`` is when the run began, None when the history does not tell. ``seen_outside``: the history shows the
    deal in another stage before the run, so the run surely began then.
    """

    kind: CaseKind
    rule: WatchRule
    stage_id: str
    entered_at: datetime | None
    seen_outside: bool


def watch_rule(rules: AccountRules, pipeline_id: str | None) -> WatchRule | None:
    """The rule for this pipeline, or the one for any pipeline; None when it is not watched."""
    exact = (rule for rule in rules.watch if rule.pipeline_id is not None and rule.pipeline_id == pipeline_id)
    return next(exact, None) or next((rule for rule in rules.watch if rule.pipeline_id is None), None)


def stages_of(rule: WatchRule, kind: CaseKind) -> frozenset[str]:
    """The stages that call for a case of this kind."""
    if kind is CaseKind.SAVE:
        return rule.negotiating
    return rule.won | rule.renewed if kind is CaseKind.BASELINE else rule.not_renewing


def kinds_wanted(rules: AccountRules) -> tuple[CaseKind, ...]:
    """The kinds of cases that this account wants opened: offboardings always, others where it names a playbook."""
    also = ((CaseKind.SAVE, rules.save_playbook), (CaseKind.BASELINE, rules.baseline_playbook))
    return (CaseKind.OFFBOARDING, *(kind for kind, playbook in also if playbook is not None))


def occasion(rules: AccountRules, deal: Deal, kind: CaseKind | None = None) -> Occasion | None:
    """What the deal's stage calls for now (P-01, P-02, P-60); None for nothing that the account wants.

    With ``kind`` only that kind is looked for, whether or not new cases of it are wanted.
    """
    rule = watch_rule(rules, deal.pipeline_id)
    if rule is None or deal.state is not DealState.LIVE:
        return None
    for one in (kind,) if kind is not None else kinds_wanted(rules):
        if deal.stage_id in stages_of(rule, one):
            return _occasion(one, rule, deal)
    return None


def _occasion(kind: CaseKind, rule: WatchRule, deal: Deal) -> Occasion:
    stages = stages_of(rule, kind)
    entered_at = None
    seen_outside = False
    for past in deal.stage_history:
        if past.stage_id not in stages:
            seen_outside = True
            break
        entered_at = past.at
    return Occasion(kind=kind, rule=rule, stage_id=deal.stage_id, entered_at=entered_at, seen_outside=seen_outside)


def is_new(present: Occasion, last: Case) -> bool:
    """Whether the present occasion is another one than that of the deal's last case (P-08).

    A last case of another kind says so: the deal was elsewhere when that opened. A later beginning of the run says so
    where the history shows the deal elsewhere in between, where it came back to the same stage, or where we saw it
    elsewhere ourselves. A CRM that tells only the last change of stage cannot tell a move between two such stages from
    a return; that does not count as new.
    """
    if last.kind is not present.kind:
        return True
    left = last.outcome in LEFT
    if present.entered_at is None:
        return left
    if present.entered_at <= last.entered_at:
        return last.outcome == CONDITION
    return present.seen_outside or present.stage_id == last.stage_id or left


def refusal(look: Look, present: Occasion | None) -> str | None:
    """Why no case opens for this deal now, in words; None when one does."""
    if present is None:
        return "; ".join(_NO_OCCASION[kind] for kind in kinds_wanted(look.rules))
    if look.last is not None and not is_new(present, look.last):
        return Said("this ending already had its case %(case)s", case=look.last.id)
    starts_at = look.rules.starts_at
    if present.kind is CaseKind.BASELINE and starts_at is not None and present.entered_at is None:
        return Said("nobody can tell whether the deal was won after the switch-on, and only then is a baseline taken")
    asked = (look.asked or look.deal.start_now) and present.kind is not CaseKind.BASELINE
    if present.entered_at is not None and starts_at is not None and present.entered_at < starts_at and not asked:
        return Said("the stage was entered before the switch-on at %(moment)s", moment=starts_at.isoformat())
    return unmet(look, present)


def unmet(look: Look, present: Occasion) -> str | None:
    """What the account's ``only_if`` says against this deal, or None. A condition that cannot be told does not hold."""
    condition = present.rule.only_if
    if not condition:
        return None
    try:
        if holds(condition, {"deal": deal_view(look.deal)}):
            return None
    except TextError as error:
        return f"only_if: {error}"
    return Said("only_if does not hold: %(condition)s", condition=condition)


def leaving(look: Look, case: Case) -> str | None:
    """Why the open ``case`` of a live deal must end (P-02, P-06, P-09), as its outcome; None when it goes on.

    ``unwatched``, ``left_stage``; ``renewed`` for an offboarding, :data:`SAVED` for a save plan, and :data:`LOST` for
    these others. A deal without a stage tells nothing: the case goes on.
    """
    rule = watch_rule(look.rules, look.deal.pipeline_id)
    stage_id = look.deal.stage_id
    if rule is None:
        return "unwatched"
    if stage_id in stages_of(rule, case.kind) or not stage_id:
        return None
    if stage_id in rule.not_renewing:
        return LOST
    if stage_id in rule.renewed | rule.won:
        return SAVED if case.kind is CaseKind.SAVE else "renewed"
    return "left_stage"


def entry(case: Case, present: Occasion) -> datetime:
    """When the present run began, for a case that is open: what the history says, or else what we knew.

    While the case settles, a later beginning starts the settling anew (P-03), unless the deal may merely have moved on
    within such stages. Afterwards it is only kept, to tell this occasion from the next.
    """
    if present.entered_at is None:
        return case.entered_at
    if case.status is not CaseStatus.SETTLING:
        return max(case.entered_at, present.entered_at)
    later = present.entered_at > case.entered_at
    moved_on = later and not present.seen_outside and present.stage_id != case.stage_id
    return case.entered_at if moved_on else present.entered_at


def compared_stages(rules: AccountRules) -> frozenset[str]:
    """The stages whose deals should all have had a case: those of the daily comparison.

    Won and renewed deals are not among them: they gather over the years, and a baseline that was missed is no harm.
    """
    wanted = [kind for kind in kinds_wanted(rules) if kind is not CaseKind.BASELINE]
    return frozenset().union(*(stages_of(rule, kind) for rule in rules.watch for kind in wanted))
