"""The words of our own pages, in the reader's language.

English stands in the templates; other languages are gettext files beside this module (``translations/<code>.po``), read
when the program starts, so that a translator's file works as it is and nothing has to be compiled. Texts of surveys
come from the questionnaire instead.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, g, request

from connector import sentences

FALLBACK = "en"
NAMES = {"en": "English", "fr": "Français"}
FOLDER = Path(__file__).parent / "translations"


def set_up(app: Flask) -> None:
    """Let templates say ``_("…")`` and ``ngettext(…)`` in the language of the page being made."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # added by the extension
        lambda text: _translations().gettext(text),
        lambda one, many, count: _translations().ngettext(one, many, count),
        newstyle=True,
    )

    @app.context_processor
    def _names() -> dict[str, object]:
        return {"language": current(), "language_names": NAMES, "told": told}


def say(text: str) -> str:
    """The text in the language of the page being made."""
    return _translations().gettext(text)


def told(text: object) -> str:
    """A sentence of the program, in the language of the page; a text that we do not know as it is."""
    words = str(text) if not isinstance(text, str) else text
    if not words:
        return ""  # gettext keeps a catalog's own description under the empty text
    found = sentences.told(words, current())
    return say(words) if found == words else found


def current() -> str:
    """The language of the page being made: as chosen by :func:`choose`, else what the browser prefers."""
    chosen: str = g.get("language") or choose(available(), ())
    return chosen


def choose(offered: Sequence[str], wishes: Iterable[str | None]) -> str:
    """The first wish that is offered (``fr`` for ``fr-CA``), else the browser's, else the first offered; remembered."""
    chosen = None
    for wish in wishes:
        for code in (wish or "", (wish or "").replace("_", "-").partition("-")[0]):
            chosen = chosen or (code if code in offered else None)
    g.language = chosen or request.accept_languages.best_match(list(offered)) or offered[0]
    return str(g.language)


@cache
def available() -> tuple[str, ...]:
    """The languages of our own words, the fallback first."""
    return (FALLBACK, *sorted(path.stem for path in FOLDER.glob("*.po")))


def translations(language: str) -> NullTranslations:
    """Our words in one language, for what is made outside of a request; the fallback's when there are none."""
    return _load(language)


def _translations() -> NullTranslations:
    return _load(current())


@cache
def _load(language: str) -> NullTranslations:
    path = FOLDER / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalog = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)
