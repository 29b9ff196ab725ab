"""Who is a customer still, or again: back after an ending (P-56), or there by another contract all the time (P-25)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from workflows.guard import watch_rule
from workflows.records import Deal, DealState
from workflows.rules import AccountRules


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
