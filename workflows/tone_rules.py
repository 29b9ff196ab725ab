"""The words in which rules of tone are written; see :mod:`workflows.tone`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What a departing customer must not be met with (P-27)."""

    BLAME = "blame"
    THREAT = "threat"
    GUILT = "guilt"
    PRESSURE = "pressure"
    SELLING = "selling"


class Level(StrEnum):
    """WARNING: shown, and may be allowed with a reason. BLOCK: the text cannot be used."""

    WARNING = "warning"
    BLOCK = "block"


@dataclass(frozen=True)
class Habit:
    """Phrases that hurt for the same reason and are mended in the same way.

    Phrases are regular expressions over folded text (small letters, no accents), in which a blank matches any gap
    within a sentence, ``~`` up to six words that deny nothing, ``~~`` up to six words of any kind. ``deniable``: a
    negation shortly before takes it back. ``not_after_if``: it is harmless as a condition ("if you did not …").
    """

    rule: Rule
    why: str
    better: str
    phrases: tuple[str, ...]
    deniable: bool = True
    not_after_if: bool = False


@dataclass(frozen=True)
class Tongue:
    """A language: its habits, and how it denies, supposes and cites. All but ``habits`` are alternatives of a pattern.

    ``negators`` deny what follows; ``denials`` deny a whole clause; ``turns`` begin a new clause; ``conditions`` make
    a clause a supposition; ``citing`` and ``citing_after`` say whose words stand in quotes.
    """

    habits: tuple[Habit, ...]
    negators: str
    denials: str
    turns: str
    conditions: str
    citing: str
    citing_after: str
    short_forms: tuple[tuple[re.Pattern[str], str], ...] = ()
