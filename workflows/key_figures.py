"""Key figures of a relation: at the start, now, and the change between them (P-24).

Figures are whatever an admin mapped, as the CRM's own text. What reads like an amount, a share or a plain number is
reckoned with; everything else is shown as it stands, and nothing is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation

from babel.numbers import format_decimal, format_percent

from workflows.cases import FigureChange
from workflows.records import Deal, Model, People
from workflows.rules import SignRule, Texts
from workflows.signs import is_score, rising_is_bad
from workflows.survey import wording
from workflows.texts import locale_of, shorten

MISSING = "…"
MAX_FIGURES = 20
LONGEST = 120
"""Characters of a figure that is a text."""
_SHORT = frozenset({"api", "arr", "ces", "csat", "id", "kpi", "mrr", "nps", "roi", "sla"})
LARGEST = Decimal(10) ** 15
_MINUS = "\N{MINUS SIGN}"
_SIGN = r"[€$£¥]|[A-Z]{3}|%"
_NUMBER = re.compile(rf"({_SIGN})?\s*([+-]?\d[\d\s'’\u00a0\u202f]*(?:[.,]\d+)?)\s*({_SIGN})?")


class Amount(Model):
    """A number with its unit: a currency, ``%``, or none."""

    number: Decimal
    unit: str = ""


class KeyFigure(Model):
    """One figure in words for people, and as numbers for the chart where they are numbers in the same unit."""

    name: str
    label: str
    start: str = MISSING
    now: str = MISSING
    change: str = ""
    bars: tuple[float, float] | None = None
    rose: bool = False
    """More of it, where more is good news."""

    @property
    def is_missing(self) -> bool:
        """Whether one of the two values is not known."""
        return MISSING in (self.start, self.now)


def present_figures(deal: Deal, people: People | None) -> dict[str, str]:
    """The mapped figures as they are now, by ``deal.<name>`` and ``company.<name>``; empty ones are left out."""
    found = {f"deal.{name}": value for name, value in deal.figures.items()}
    if people is not None and people.company is not None:
        found |= {f"company.{name}": value for name, value in people.company.figures.items()}
    return {name: value.strip() for name, value in found.items() if value and value.strip()}


def key_figures(
    names: Iterable[str],
    now: Mapping[str, str],
    start: Mapping[str, str],
    language: str,
    called: Mapping[str, Texts] | None = None,
) -> list[KeyFigure]:
    """The figures of these names, in order; ``called`` says what some are called.

    A figure ``x_start`` is no line of its own: it is how ``x`` began.
    """
    every = list(dict.fromkeys(names))
    twins = {f"{name}_start" for name in every}
    wanted = [name for name in every if name not in twins or name.removesuffix("_start") not in every]
    return [
        _figure(name, start.get(name) or now.get(f"{name}_start"), now.get(name), language, (called or {}).get(name))
        for name in wanted[:MAX_FIGURES]
    ]


def _figure(name: str, start: str | None, now: str | None, language: str, called: Texts | None) -> KeyFigure:
    label = shorten(wording(called, language), 60) if called else _label(name)
    first, last = parse_amount(start), parse_amount(now)
    known: dict[str, object] = {
        "start": _shown(first, start, language),
        "now": _shown(last, now, language),
    }
    if first is not None and last is not None and first.unit == last.unit:
        known["change"] = _change(first, last, language, of_scale=is_score(name))
        known["rose"] = last.number > first.number and not rising_is_bad(name, SignRule())
        if first.number >= 0 and last.number >= 0:
            known["bars"] = (float(first.number), float(last.number))
    return KeyFigure.model_validate({"name": name, "label": label} | known)


def _label(name: str) -> str:
    """The field's name as people would write it: ``company.active_users`` is *Active users*."""
    words = re.sub(r"__\w$", "", name.partition(".")[2]).replace("_", " ").split() or [name]
    spelt = " ".join(word.upper() if word.lower() in _SHORT else word for word in words)
    return shorten(spelt[:1].upper() + spelt[1:], 60)


def parse_amount(text: str | None) -> Amount | None:
    """The number that this text says, or None for one that says none for sure (``1,234`` may be either of two)."""
    match = _NUMBER.fullmatch(text.strip()) if text else None
    if match is None or (match[1] and match[3]):
        return None
    digits = re.sub(r"[\s'’\u00a0\u202f]", "", match[2])
    if re.search(r",\d{3}$", digits):
        return None
    try:
        number = Decimal(digits.replace(",", "."))
    except InvalidOperation:
        return None
    return Amount(number=number, unit=match[1] or match[3] or "") if abs(number) < LARGEST else None


def _shown(amount: Amount | None, text: str | None, language: str) -> str:
    if amount is None:
        return shorten(text, LONGEST) if text and text.strip() else MISSING
    return _with_unit(format_decimal(amount.number, locale=locale_of(language)).replace("-", _MINUS), amount.unit)


def _change(first: Amount, last: Amount, language: str, *, of_scale: bool) -> str:
    locale = locale_of(language)
    by = last.number - first.number
    if by == 0:
        return "="
    words = _with_unit(format_decimal(abs(by), locale=locale), "pt" if first.unit == "%" else first.unit)
    words = ("+" if by > 0 else _MINUS) + words
    if of_scale or first.unit == "%" or first.number <= 0:
        return words
    share = by / first.number
    if abs(share) >= 100:
        return words
    return f"{words} ({'+' if share > 0 else _MINUS}{format_percent(abs(share), locale=locale)})"


def _with_unit(number: str, unit: str) -> str:
    return f"{number}\u00a0{unit}" if unit else number


def first_values(changes: Iterable[FigureChange]) -> dict[str, str]:
    """The oldest value that is known of each figure. ``changes`` are those of one customer, oldest first."""
    first: dict[str, str] = {}
    for change in changes:
        value = (change.before or change.value or "").strip()
        if value:
            first.setdefault(change.figure, value)
    return first
