"""What the program says of itself, in the reader's language: findings, faults, errors of a CRM, lines of the log.

Such a sentence is made in English as a :class:`~workflows.said.Said`, wherever it is made, and kept as the text that
it is: in the database, in the log, for scripts. It is said in another language at the edge, where somebody reads it, by
the gettext files beside this module (``translations/<code>.po``). The template is found again in the text itself, so
what was stored before there was a translation is translated as well, and a text that nobody knows is shown as it
stands. A gap named ``day`` or ``day_…`` takes a day as in 2026-01-31.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from adapters.errors import Fault
from workflows.said import Said
from workflows.texts import date_words
from workflows.wording import endings

FOLDER = Path(__file__).parent / "translations"
LONGEST = 5_000
"""Characters; what is longer is no sentence of ours."""
_GAP = re.compile(r"%\((\w+)\)([sd])")
_TAIL = re.compile(r"(, operation [\w ./-]+)?(, status \d{3})?(, correlation id \S+)?$")
"""What :class:`~adapters.errors.AdapterError` puts behind its message."""
_PLACED, _JOINED = Said("%(place)s: %(sentence)s"), Said("%(place)s; %(sentence)s")
_SEEN = Said("%(place)s = %(value)s: %(sentence)s")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(?::[\d.]+)?(?: UTC|\+00:00|Z)")
_ROW = re.compile(r" \(P-\d[\dA-Z]\)")
"""What some lines of the log that were stored before end with: it says nothing to who reads them."""
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_WHOLE = re.compile(r"-?\d{1,15}")


def told(text: str, language: str) -> str:
    """The sentence in this language, with its values; as it stands when the language or the sentence is unknown.

    Lines of several sentences are told one by one; what stands before a sentence, as the place of a fault does, stays.
    """
    words = _words(language)
    if not words:
        return str(text)
    if (found := _told(text, language, words)) is not None:
        return found
    if "\n" in text:
        return "\n".join(told(line, language) for line in text.split("\n"))
    return _told_in_part(text, language, words) or str(text)


def placed(fault: Fault) -> Said:
    """A fault of the settings as one sentence: where it stands, what was seen there, and the cure."""
    if not fault.value:
        return Said(_PLACED, place=fault.key, sentence=fault.cure)
    return Said(_SEEN, place=fault.key, value=fault.value, sentence=fault.cure)


def of_text(text: str) -> Said | None:
    """The sentence of ours that this text is, with its values; None: it is none."""
    if isinstance(text, Said):
        return text
    if len(text) > LONGEST:
        return None
    exact, patterns = _known()
    text = _ROW.sub("", text)
    if text in exact:
        return Said(text)
    return next((Said(one.template, **found) for one in patterns if (found := one.values_in(text)) is not None), None)


def _told(text: str, language: str, words: Mapping[str, str]) -> str | None:
    said = text if isinstance(text, Said) and text.template in words else of_text(str(text))
    if said is None or said.template not in words:
        return None
    values = {name: _value(one, language) for name, one in said.values.items()}
    return words[said.template] % values if values else words[said.template]


def _value(value: object, language: str) -> object:
    """What stands in a gap: a sentence of ours, a day, a moment or a grouped number in this language; else as it is."""
    if not isinstance(value, str):
        return value
    if _DAY.fullmatch(value) and (day := _as_day(value)) is not None:
        return date_words(day, language, "medium")
    if (found := _MOMENT.fullmatch(value)) and (day := _as_day(found[1])) is not None:
        return f"{date_words(day, language, 'medium')} {found[2]} UTC"
    if _THOUSANDS.fullmatch(value):
        return _grouped(int(value.replace(",", "")), language)
    return told(value, language)


def _grouped(number: int, language: str) -> str:
    """A number with its thousands apart, as people write it in this language."""
    from babel.numbers import format_decimal  # only where another language than English is spoken

    return str(format_decimal(number, locale=language.replace("_", "-").partition("-")[0]))


def _as_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _told_in_part(text: str, language: str, words: Mapping[str, str]) -> str | None:
    """A sentence with what an error of a CRM adds behind it, or with a place or another sentence before it."""
    if len(text) > LONGEST:
        return None
    tail = _TAIL.search(text)
    if tail is not None and tail[0]:
        details = [told(one, language) for one in tail[0].removeprefix(", ").split(", ")]
        return ", ".join([told(text[: tail.start()], language), *details])
    for between, joined in ((": ", _PLACED), ("; ", _JOINED)):
        at = text.find(between)
        while at >= 0:
            if (rest := _told(text[at + 2 :], language, words)) is not None:
                return words[joined] % {"place": told(text[:at], language), "sentence": rest}
            at = text.find(between, at + 1)
    for between, joined in ((": ", _PLACED), ("; ", _JOINED)):
        first, _, last = text.partition(between)
        if last and (begun := _told(first, language, words)) is not None:
            return words[joined] % {"place": begun, "sentence": told(last, language)}
    return None


# --- finding a sentence again ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pattern:
    """A template taken apart: what is fixed, and between that the gaps with their names and kinds."""

    template: str
    fixed: tuple[str, ...]
    gaps: tuple[tuple[str, str], ...]

    def values_in(self, text: str) -> dict[str, object] | None:
        """What stands in the gaps, when the text is this sentence. Linear: nothing is tried twice."""
        if not text.startswith(self.fixed[0]) or not text.endswith(self.fixed[-1]):
            return None
        at, end = len(self.fixed[0]), len(text) - len(self.fixed[-1])
        found: dict[str, object] = {}
        for (name, kind), behind in zip(self.gaps, (*self.fixed[1:-1], None), strict=True):
            upto = end if behind is None else text.find(behind, at, end)
            if upto < at:
                return None
            seen: object = text[at:upto]
            if name.partition("_")[0] == "day" and not _DAY.fullmatch(text[at:upto]):
                return None
            if kind == "d":
                if not _WHOLE.fullmatch(text[at:upto]):
                    return None
                seen = int(text[at:upto])
            if found.setdefault(name, seen) != seen:
                return None
            at = upto + len(behind or "")
        return found


def _pattern(template: str) -> _Pattern:
    parts = _GAP.split(template)
    fixed = tuple(one.replace("%%", "%") for one in parts[0::3])
    return _Pattern(template, fixed, tuple(zip(parts[1::3], parts[2::3], strict=True)))


@cache
def _known() -> tuple[frozenset[str], tuple[_Pattern, ...]]:
    """All templates of all languages: those without gaps, and the others, those with the most fixed letters first."""
    templates = {template for path in FOLDER.glob("*.po") for template in _words(path.stem)}
    gapped = [_pattern(one) for one in templates if _GAP.search(one)]
    usable = [one for one in gapped if any(part.strip(" :,.;–=()") for part in one.fixed)]
    return (
        frozenset(one for one in templates if not _GAP.search(one)),
        tuple(sorted(usable, key=lambda one: (-sum(map(len, one.fixed)), one.template))),
    )


@cache
def _words(language: str) -> Mapping[str, str]:
    """The translations into one language by their English template; into a regional one those of its language."""
    code = language.replace("_", "-").partition("-")[0]
    path = FOLDER / f"{code}.po"
    if not re.fullmatch(r"[a-z]{2,3}", code) or not path.exists():
        return {}
    from babel.messages.pofile import read_po  # only where another language than English is spoken

    with path.open("rb") as file:
        catalog = read_po(file, locale=path.stem)
    return {**endings(path.stem), **{str(one.id): str(one.string) for one in catalog if one.id and one.string}}
