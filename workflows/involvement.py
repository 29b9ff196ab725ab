"""How near someone of ours stands to a deal, by what the CRM shows, and whether they are there (P-10, P-14).

Who owned the deal, and when; who owned it while it was negotiated; who owns the account; who is on their teams; whose
calls, meetings and tasks are on it. The nearer, the less neutral.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from workflows.records import Company, Deal, Involvement, Part
from workflows.rules import Absence
from workflows.texts import date_words
from workflows.wording import say

_WEIGHTS = {
    "owns_deal": 7,
    "owns_company": 6,
    "negotiated": 5,
    "owned": 4,
    Part.DEAL_TEAM: 3,
    Part.COMPANY_TEAM: 2,
    Part.MEETING: 1,
    Part.CALL: 1,
    Part.TASK: 1,
}


@dataclass(frozen=True)
class Tie:
    """One way in which someone is bound to the deal; ``until`` is the last day of it, where that is known and past."""

    how: str
    weight: int
    until: date | None = None

    def words(self, language: str) -> str:
        """What they did, to stand in brackets behind their name."""
        key = f"tie.{self.how}"
        if self.until is None:
            return say(key, language)
        return say(f"{key}.until", language, day=date_words(self.until, language))


def ties(
    deal: Deal,
    company: Company | None,
    involved: Iterable[Involvement],
    negotiating: frozenset[str],
    tz: tzinfo,
) -> Mapping[str, Tie]:
    """The strongest tie of each user who has one, by user id. ``negotiating``: the stages of a negotiation."""
    found: dict[str, Tie] = {}
    for user_id, tie in _all_ties(deal, company, involved, negotiating, tz):
        known = found.get(user_id)
        if known is None or tie.weight > known.weight:
            found[user_id] = tie
    return found


def _all_ties(
    deal: Deal, company: Company | None, involved: Iterable[Involvement], negotiating: frozenset[str], tz: tzinfo
) -> Iterator[tuple[str, Tie]]:
    if deal.owner_id:
        yield deal.owner_id, _tie("owns_deal")
    if company is not None and company.owner_id:
        yield company.owner_id, _tie("owns_company")
    for user_id, since, until in _spans(deal):
        day = until.astimezone(tz).date() if until is not None else None
        if _overlaps(deal, since, until, negotiating):
            yield user_id, _tie("negotiated", day)
        yield user_id, _tie("owned", day)
    for user_id in deal.past_owner_ids:
        yield user_id, _tie("owned")
    for one in involved:
        yield one.user_id, _tie(one.part)


def _tie(how: str, until: date | None = None) -> Tie:
    return Tie(str(how), _WEIGHTS[how], until)


def _spans(deal: Deal) -> Iterator[tuple[str, datetime, datetime | None]]:
    """Who owned the deal from when until when; the latest first, so that the latest end counts."""
    until: datetime | None = None
    for entry in deal.owner_history:
        if entry.owner_id:
            yield entry.owner_id, entry.at, until
        until = entry.at


def _overlaps(deal: Deal, since: datetime, until: datetime | None, stages: frozenset[str]) -> bool:
    """Whether the deal was in one of these stages in that time."""
    left: datetime | None = None
    for entry in deal.stage_history:
        if entry.stage_id in stages and (until is None or entry.at < until) and (left is None or left > since):
            return True
        left = entry.at
    return False


def away(absences: Iterable[Absence], user_id: str, days: Iterable[date]) -> Absence | None:
    """The absence that covers one of these days, the one that ends last; None when the person is there."""
    wanted = list(days)
    covering = [
        one for one in absences if one.user_id == user_id and any(one.first <= day <= one.last for day in wanted)
    ]
    return max(covering, key=lambda one: one.last, default=None)
