"""Which playbook of the family a case follows, and what a negotiation before it says about that (P-02, P-05, P-2D)."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from workflows.asks import ASKS
from workflows.cases import DEALT_WITH, Case, StepStatus
from workflows.look import Look
from workflows.records import Deal
from workflows.rules import AccountRules, Anchor, CaseKind, Playbook, StepRule
from workflows.texts import TextError, holds
from workflows.views import case_view, deal_view

WHEN_NAMES = frozenset({"deal", "case"})
"""What conditions of the account's ``playbooks`` may ask about; ``case`` also has what :func:`_case_view` adds."""
_SAVE_STEPS, _SAVE_LEFT, _SAVE_SEEN_TO = "save_steps", "save_left", "save_seen_to"
_ALL_DONE = frozenset({StepStatus.DONE, StepStatus.NOT_APPLICABLE, StepStatus.SKIPPED})


def first_playbook(look: Look, kind: CaseKind) -> Playbook:
    """The playbook that a new case of this kind begins with."""
    rules = look.rules
    named = {CaseKind.SAVE: rules.save_playbook, CaseKind.BASELINE: rules.baseline_playbook}
    return look.playbooks.get(named.get(kind) or rules.playbook, look.playbook)


def fitting_playbook(look: Look, case: Case, tz: ZoneInfo) -> tuple[Playbook | None, list[str]]:
    """The playbook of the first of the account's rules that fits this offboarding, and what could not be told.

    None when none of them fits: the case then follows the playbook that it began with.
    """
    troubles: list[str] = []
    for rule in look.rules.playbooks if case.kind is CaseKind.OFFBOARDING else ():
        try:
            if holds(rule.when, {"deal": deal_view(look.deal), "case": _case_view(look, case, tz)}):
                return look.playbooks.get(rule.playbook), troubles
        except TextError as error:
            troubles.append(f"{rule.when}: {error}")
    return None, troubles


def language_of(playbook: Playbook, rules: AccountRules) -> str:
    """The account's language, or the playbook's first where it is not written in that."""
    return rules.language if rules.language in playbook.languages else playbook.languages[0]


def negotiation_before(look: Look) -> Mapping[str, str]:
    """What a new offboarding keeps of the deal's last case, to tell later how thorough the negotiation was (P-2D).

    A save plan that ended with a renewal belongs to another year. A case that was dismissed hands on what it knew.
    Steps that the end of the negotiation itself makes needless count for nothing, nor do those that only watched over
    another, or asked for what was missing; one that somebody set aside as not applicable is seen to (P-2E).
    """
    last = look.last
    if last is None:
        return {}
    if last.kind is CaseKind.SAVE and last.confirmed_at is not None:
        if last.outcome == "saved":
            return {}
        book = look.playbooks.get(last.playbook)
        needless = {rule.key for rule in book.steps() if _is_needless(rule)} if book is not None else set()
        asked = [step for step in last.steps if step.rule not in needless and step.rule not in ASKS]
        left = sum(step.status not in _ALL_DONE for step in asked)
        seen_to = ",".join(step.rule for step in last.steps if step.status in DEALT_WITH)
        return {_SAVE_STEPS: "open" if left else "done", _SAVE_LEFT: str(left), _SAVE_SEEN_TO: seen_to}
    kept = (_SAVE_STEPS, _SAVE_LEFT, _SAVE_SEEN_TO)
    return {name: last.written[name] for name in kept if name in last.written} if last.confirmed_at is None else {}


def _is_needless(rule: StepRule) -> bool:
    return rule.until == "concluded" or rule.release.anchor is Anchor.OVERDUE


def _case_view(look: Look, case: Case, tz: ZoneInfo) -> Mapping[str, object]:
    return {
        **case_view(case, tz),
        "save_steps_done": case.written.get(_SAVE_STEPS) == "done",
        "save_steps_left": int(case.written.get(_SAVE_LEFT) or (0 if case.written.get(_SAVE_STEPS) == "done" else 99)),
        "save_steps_seen_to": tuple(case.written.get(_SAVE_SEEN_TO, "").split(",")),
        "days_negotiated": days_negotiated(look.rules, look.deal),
    }


def days_negotiated(rules: AccountRules, deal: Deal) -> int:
    """Whole days that the deal spent in negotiating stages right before its present stage; 0 when nothing tells."""
    negotiating = frozenset().union(*(rule.negotiating for rule in rules.watch))
    not_renewing = frozenset().union(*(rule.not_renewing for rule in rules.watch))
    ended_at = began_at = None
    for past in deal.stage_history:
        if past.stage_id in negotiating:
            began_at = past.at
        elif began_at is None and past.stage_id in not_renewing:
            ended_at = past.at
        else:
            break
    return (ended_at - began_at).days if ended_at is not None and began_at is not None else 0
