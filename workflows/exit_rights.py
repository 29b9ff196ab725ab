"""The exit-rights clock (P-2B): the days that a right to switch supplier sets, counted from the customer's notice.

The pattern is that of the EU Data Act: notice, then help with switching, then time to retrieve data, then erasure. Help
and retrieval never end earlier for a contract that runs longer. Whether a contract is in scope, and what else applies,
is for the admin and their counsel: nothing here claims to be legal compliance.
"""

from __future__ import annotations

import calendar as months
from collections.abc import Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from workflows.cases import Case
from workflows.dates import local_date
from workflows.records import Deal
from workflows.rules import RIGHTS_ANCHORS, AccountRules, Anchor, CaseKind, ExitRights, StepRule

SCOPE = "exit_rights"
"""In :attr:`Case.written`: what the deal says of its contract, ``in`` or ``out`` of scope; absent: nothing."""


def rights_of(rules: AccountRules, deal: Deal, written: Mapping[str, str]) -> ExitRights | None:
    """The clock of this deal's contract; None where none runs.

    The deal's own word counts first, as it was last seen where it cannot be read; else what the account says.
    """
    rights, said = rules.exit_rights, deal.exit_rights
    if rights is None:
        return None
    return rights if is_in_scope(rights, scope_word(said) or written.get(SCOPE, "")) else None


def is_in_scope(rights: ExitRights, word: str) -> bool:
    """Whether a contract is in scope of which the deal says this word, ``in``, ``out`` or nothing."""
    return rights.in_scope if word == "" else word == "in"


def scope_word(said: bool | None) -> str:
    """What the deal says as :data:`SCOPE` keeps it."""
    return {True: "in", False: "out", None: ""}[said]


def add_months(day: date, count: int) -> date:
    """The same day so many months later, or the last of that month where it is shorter."""
    number = day.year * 12 + day.month - 1 + count
    year, month = divmod(number, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def exit_days(case: Case, rights: ExitRights, tz: ZoneInfo) -> Mapping[Anchor, date]:
    """The last day of notice, of help with switching, and of retrieving data.

    Notice counts as given on the day on which the deal entered the stage that ended the relation.
    """
    noticed = local_date(case.entered_at, tz)
    notice = add_months(noticed, rights.notice_months)
    switching = notice + timedelta(days=rights.switching_days)
    if case.contract_end is not None:
        switching = max(switching, case.contract_end)
    return {
        Anchor.NOTICE_END: notice,
        Anchor.SWITCHING_END: switching,
        Anchor.RETRIEVAL_END: switching + timedelta(days=rights.retrieval_days),
    }


def exit_view(case: Case, rights: ExitRights | None, tz: ZoneInfo) -> Mapping[str, object] | None:
    """What texts see of the clock; None where none runs. ``no_charges``: switching may cost nothing by then."""
    if rights is None or case.kind is not CaseKind.OFFBOARDING:
        return None
    days = exit_days(case, rights, tz)
    return {
        **{anchor.value: day for anchor, day in days.items()},
        "no_charges": days[Anchor.SWITCHING_END] >= rights.no_charges_from,
        "no_charges_from": rights.no_charges_from,
    }


def hangs_on_rights(rule: StepRule) -> bool:
    """Whether the step is dated by the exit-rights clock."""
    if rule.release.anchor in RIGHTS_ANCHORS or rule.due.anchor in RIGHTS_ANCHORS:
        return True
    return rule.not_before is not None and rule.not_before.anchor in RIGHTS_ANCHORS
