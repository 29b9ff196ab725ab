"""The tone guard (P-27): finds blame, threats, guilt, pressure and last-minute selling in texts that reach a customer.

Rules are phrases with room for inflection, by language, in :mod:`workflows.tone_en` and :mod:`workflows.tone_fr`.
Texts are folded before they are read: case, accents, apostrophes, short forms, line breaks and odd blanks make no
difference. What is denied ("you are under no pressure") or quoted from the customer is no fault. A rule is a helper
and no judge: all but threats are warnings, since only people know what their customer will hear.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

from workflows import tone_en, tone_fr
from workflows.records import Model
from workflows.tone_rules import Habit, Level, Rule, Tongue

__all__ = ["LANGUAGES", "Finding", "Level", "Rule", "review"]

_TONGUES: Mapping[str, Tongue] = {"en": tone_en.TONGUE, "fr": tone_fr.TONGUE}
LANGUAGES = frozenset(_TONGUES)
"""Languages that have rules; texts in others are not reviewed."""

_BETWEEN = r"(?:[^\w.!?;\n]+)"
"""What may stand between two words of one sentence."""


class Finding(Model):
    """One phrase that may hurt. ``phrase`` is as written; ``why`` and ``better`` are in the language of the text."""

    rule: Rule
    level: Level
    phrase: str
    why: str
    better: str


@lru_cache(maxsize=1024)
def review(text: str, language: str) -> tuple[Finding, ...]:
    """What is wrong with the tone of a text, in its order; each rule names a stretch of text once.

    ``language`` may carry a region (``fr-CA``). A language without rules gives no findings. Values in double braces
    count as one word.
    """
    code = language.replace("_", "-").partition("-")[0].lower()
    if code not in _TONGUES:
        return ()
    tongue, folded = _TONGUES[code], _fold(text, _TONGUES[code])
    spans: list[tuple[int, int, Habit]] = []
    for habit, pattern in _patterns(code):
        for match in pattern.finditer(folded.text):
            start, end = match.span()
            taken = any(habit.rule is one.rule and start < last and first < end for first, last, one in spans)
            if not taken and not _excused(folded.text, start, habit, tongue):
                spans.append((start, end, habit))
    return tuple(
        Finding(
            rule=habit.rule,
            level=Level.BLOCK if habit.rule is Rule.THREAT else Level.WARNING,
            phrase=" ".join(text[folded.at[start] : folded.at[end - 1] + 1].split()),
            why=habit.why,
            better=habit.better,
        )
        for start, end, habit in sorted(spans, key=lambda span: span[:2])
    )


@cache
def _patterns(code: str) -> tuple[tuple[Habit, re.Pattern[str]], ...]:
    return tuple(
        (habit, _compile(source, _TONGUES[code].negators))
        for habit in _TONGUES[code].habits
        for source in habit.phrases
    )


def _compile(source: str, negators: str) -> re.Pattern[str]:
    """A phrase as a pattern: a blank is any gap in a sentence, ``~`` up to six words that deny nothing, ``~~`` any."""
    source = source.replace(" ~~ ", rf"{_BETWEEN}(?:\w+{_BETWEEN}){{0,6}}?")
    source = source.replace(" ~ ", rf"{_BETWEEN}(?:(?!(?:{negators})\b)\w+{_BETWEEN}){{0,6}}?")
    return re.compile(rf"(?<!\w)(?:{source.replace(' ', _BETWEEN)})(?!\w)")


def _excused(text: str, start: int, habit: Habit, tongue: Tongue) -> bool:
    """Whether the words before a phrase deny it, or make it a mere possibility."""
    before = _last_clause(text[max(0, start - 160) : start], tongue)
    near = " ".join(before.split()[-6:])
    if re.search(rf"\b(?:{tongue.denials})\b", before):
        return True
    if habit.deniable and re.search(rf"\b(?:{tongue.negators})\b", near):
        return True
    return habit.not_after_if and re.search(rf"\b(?:{tongue.conditions})\b", near) is not None


def _last_clause(before: str, tongue: Tongue) -> str:
    return re.split(rf"[.!?;:,\n]|\b(?:{tongue.turns})\b", before)[-1]


# --- folding --------------------------------------------------------------------------------------------------------


@dataclass
class _Folded:
    """A text made plain; ``at`` tells for each of its characters where it stood."""

    text: str
    at: list[int] = field(default_factory=list)

    def replace(self, pattern: re.Pattern[str], by: str | Callable[[re.Match[str]], str]) -> _Folded:
        """What matches gives way; what comes instead stands where that began, and its last character where it ended."""
        out, at, done = list[str](), list[int](), 0
        for match in pattern.finditer(self.text):
            start, end = match.span()
            new = match.expand(by) if isinstance(by, str) else by(match)
            out += [self.text[done:start], new]
            at += self.at[done:start]
            at += [self.at[start]] * (len(new) - 1) + [self.at[end - 1]] * bool(new)
            done = end
        return _Folded("".join(out) + self.text[done:], at + self.at[done:])


_SAME = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "′": "'", "‑": "-", "‐": "-", "–": "-", "—": "-", "…": " "}
)
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae"})
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_VALUE = re.compile(r"{{[^{}]{0,400}}}")
_MARKUP = re.compile(r"{[%#][^{}]{0,400}[%#]}")
_BLANKS = re.compile(r"[^\S\n]+")
_NEW_PART = re.compile(r" ?\n(?: ?\n)+ ?| ?\n ?(?=[-*•]\s|\d+[.)]\s)")
_LINE = re.compile(r"(?<!\n) ?\n(?!\n) ?")
_STEPS = ((_UNSEEN, ""), (_VALUE, "x"), (_MARKUP, " "), (_BLANKS, " "), (_NEW_PART, "\n\n"), (_LINE, " "))
_CITED_LINE = re.compile(r"^[^\S\n]*>.*$", re.MULTILINE)
_QUOTE = re.compile(r"“[^“”]{1,600}”|«[^«»]{1,600}»|\"[^\"\n]{1,600}\"")


def _fold(text: str, tongue: Tongue) -> _Folded:
    folded = _without_citations(_characters(text), tongue)
    for pattern, by in _STEPS:
        folded = folded.replace(pattern, by)
    for short, long in tongue.short_forms:
        folded = folded.replace(short, long)
    return folded


def _characters(text: str) -> _Folded:
    """Small letters without accents, one by one, so that each knows where it stood."""
    plain = [_plain(character) for character in text.replace("\r\n", " \n").replace("\r", "\n")]
    return _Folded("".join(plain), [index for index, kept in enumerate(plain) for _ in kept])


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    spread = unicodedata.normalize("NFKD", character.translate(_SAME).lower())
    return "".join(one for one in spread if not unicodedata.combining(one)).translate(_LIGATURES)


def _without_citations(folded: _Folded, tongue: Tongue) -> _Folded:
    """Blanks out the customer's own words, and what people are told never to write."""

    def cite(match: re.Match[str]) -> str:
        before = re.split(r"[.!?\n]", match.string[max(0, match.start() - 120) : match.start()])[-1]
        after = match.string[match.end() : match.end() + 60]
        theirs = re.search(rf"\b(?:{tongue.citing})\b", before) or re.match(rf"\W*(?:{tongue.citing_after})\b", after)
        return " x " if theirs else match.group()

    return folded.replace(_CITED_LINE, " ").replace(_QUOTE, cite)
