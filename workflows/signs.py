"""Signs in the history of key figures: what fell, rose, stood still or changed (P-41, P-62).

Rules, not learning, so that everyone can see why something is called a sign. Of a figure it must be known whether more
of it is better; the names tell, and the settings may say otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import pairwise

from pydantic import AwareDatetime

from workflows.cases import FigureChange
from workflows.records import Model
from workflows.rules import AccountRules, SignRule
from workflows.survey import wording

_BAD_WORDS = re.compile(
    r"ticket|incident|complaint|escalation|bug|error|overdue|unpaid|late|churn|risk|silence|since|downtime"
    r"|reclamation|retard|impaye|relance"
)
_SCORE_WORDS = re.compile(r"nps|csat|ces\b|health|score|satisfaction|sante|note\b")
_LEAST_RISE = 2
_FEW_POINTS = 3
MOST_TEXT = 60


class SignKind(StrEnum):
    """What happened to a figure. CHANGED: one that is no number. EMPTIED: nobody fills it any more."""

    FELL = "fell"
    ROSE = "rose"
    STALLED = "stalled"
    CHANGED = "changed"
    EMPTIED = "emptied"


class Sign(Model):
    """A sign: from ``before`` at ``since`` to ``after`` at ``at``, the first moment at which it counted as one.

    ``worst``: how far it went on from there. ``over``: when it was as before again, None if never.
    """

    figure: str
    kind: SignKind
    before: str
    after: str
    worst: str
    since: AwareDatetime
    at: AwareDatetime
    over: AwareDatetime | None = None


class Reading(Model):
    """A figure had this value from then on; None: empty."""

    value: str | None
    at: AwareDatetime


def readings(changes: Iterable[FigureChange], since: datetime) -> dict[str, list[Reading]]:
    """The values of each figure from ``since`` on, oldest first, with the one that it had then where that is told."""
    found: dict[str, list[Reading]] = {}
    for change in sorted(changes, key=lambda one: one.at):
        series = found.setdefault(change.figure, [])
        if change.at <= since:
            series[:] = [Reading(value=change.value, at=since)]
            continue
        if not series and change.before is not None:
            series.append(Reading(value=change.before, at=since))
        series.append(Reading(value=change.value, at=change.at))
    return found


def signs(series: Mapping[str, Sequence[Reading]], rule: SignRule) -> list[Sign]:
    """All signs, in the order in which they showed."""
    found = [sign for figure, each in series.items() for sign in _signs(figure, each, rule)]
    return sorted(found, key=lambda sign: (sign.at, sign.figure))


def stalled(figure: str, series: Sequence[Reading], now: datetime, rule: SignRule) -> Sign | None:
    """The figure has not moved for as long as the rule allows; a figure without history tells nothing."""
    if not series or rule.stalls_after is None or series[-1].value is None:
        return None
    last = series[-1]
    still = last.at
    for one in reversed(series):
        if one.value != last.value:
            break
        still = one.at
    if now - still < rule.stalls_after:
        return None
    value, at = last.value or "", still + rule.stalls_after
    return Sign(figure=figure, kind=SignKind.STALLED, before=value, after=value, worst=value, since=still, at=at)


def rising_is_bad(figure: str, rule: SignRule) -> bool:
    """Whether less of this figure is better."""
    return figure in rule.rising_is_bad or bool(_BAD_WORDS.search(figure.partition(".")[2].casefold()))


def is_score(figure: str) -> bool:
    """Whether this is a mark on a scale, by its name: a share of one tells nothing, least of all below zero."""
    return bool(_SCORE_WORDS.search(figure.partition(".")[2].casefold()))


def label(figure: str, rules: AccountRules | None = None) -> str:
    """What the account calls the figure, else its name in words: ``company.active_users`` is "active users"."""
    if rules is not None and (own := rules.figure_names.get(figure)):
        return wording(own, rules.language, tuple(own))
    name = re.sub(r"__[a-z]+$", "", figure.partition(".")[2] or figure)
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ")
    return " ".join(spaced.split()).lower() if not spaced.isupper() else spaced


def number(text: str | None) -> Decimal | None:
    """The value as a number, if it is one."""
    try:
        value = Decimal((text or "").strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _signs(figure: str, series: Sequence[Reading], rule: SignRule) -> Iterator[Sign]:
    filled = [one for one in series if (one.value or "").strip()]
    numbers = [(value, one.at) for one in filled if (value := number(one.value)) is not None]
    if filled and len(numbers) == len(filled):
        scale = _scale(figure, numbers)
        yield from _turns(figure, numbers, rule, scale)
    else:
        yield from _changes(figure, filled)
    if series and filled and not (series[-1].value or "").strip():
        last = filled[-1]
        said = _short(last.value or "")
        at = series[-1].at
        yield Sign(figure=figure, kind=SignKind.EMPTIED, before=said, after="", worst="", since=last.at, at=at)


def _scale(figure: str, numbers: Sequence[tuple[Decimal, datetime]]) -> Decimal | None:
    """How wide the scale of a score is; None for what is no score, and is compared with itself."""
    if not is_score(figure):
        return None
    return Decimal(10) if max(abs(value) for value, _ in numbers) <= 10 else Decimal(100)


def _turns(
    figure: str, numbers: Sequence[tuple[Decimal, datetime]], rule: SignRule, scale: Decimal | None
) -> Iterator[Sign]:
    """Each time that the figure went the wrong way from its best by as much as the rule says."""
    up = rising_is_bad(figure, rule)
    best, best_at = numbers[0]
    turn: Sign | None = None
    worst = best
    for value, at in numbers:
        if turn is None:
            if (value < best if up else value > best) or value == best:
                best, best_at = value, at if value != best else best_at
            elif _is_turn(best, value, rule, scale, up=up):
                kind = SignKind.ROSE if up else SignKind.FELL
                words = {"before": _plain(best), "after": _plain(value), "worst": _plain(value)}
                turn = Sign(figure=figure, kind=kind, since=best_at, at=at, **words)
                worst = value
            continue
        worst = max(worst, value) if up else min(worst, value)
        turn = turn.model_copy(update={"worst": _plain(worst)})
        if value <= best if up else value >= best:
            yield turn.model_copy(update={"over": at})
            turn, best, best_at = None, value, at
    if turn is not None:
        yield turn


def _is_turn(best: Decimal, value: Decimal, rule: SignRule, scale: Decimal | None, *, up: bool) -> bool:
    gone = abs(value - best)
    if up:
        return gone >= _LEAST_RISE and (best <= 0 or gone * 100 >= best * rule.rises_by) and gone >= _room(best)
    return gone * 100 >= (scale if scale is not None else abs(best)) * rule.falls_by


def _room(best: Decimal) -> int:
    """From nothing, one or two more are no sign yet."""
    return _FEW_POINTS if best <= 0 else _LEAST_RISE


def _changes(figure: str, filled: Sequence[Reading]) -> Iterator[Sign]:
    for former, one in pairwise(filled):
        if former.value != one.value:
            before, after = _short(former.value or ""), _short(one.value or "")
            yield Sign(
                figure=figure,
                kind=SignKind.CHANGED,
                before=before,
                after=after,
                worst=after,
                since=former.at,
                at=one.at,
            )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"


def _plain(value: Decimal) -> str:
    """As people write it: 12, not 12.0; 0.5, not 5E-1."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
