"""A rehearsal as a file: a page that stands alone, a table for a spreadsheet, or data for a script.

Everything in it comes from the CRM, where anyone may have written it: the page escapes it, and the table keeps
spreadsheets from taking it for formulas (https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from babel.numbers import format_currency, format_decimal
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from connector import sentences
from connector.rehearsal import NoRehearsalError, Rehearsal
from connector.web import languages
from workflows.dates import zone
from workflows.plan import PlannedStep, Timeline, by_day
from workflows.rehearsal import Rehearsed
from workflows.texts import date_words

MOST_PLANS = 1_000
"""A page shows so many plans; more would be no page. The other files have all."""
_WEB = Path(__file__).parent / "web"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = (
    "deal_id", "deal", "company", "amount", "currency", "ended_at", "plan_starts_at", "contract_end", "reason",
    "playbook", "left_out", "missing", "url", "phase", "task", "owner", "why", "appears", "due", "estimated",
    "waits_for", "contact",
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """What the templates need, in one language; see ``rehearsal_parts.html``."""

    rehearsal: Rehearsal
    language: str
    most: int = MOST_PLANS

    @property
    def plans(self) -> Sequence[Rehearsed]:
        """The newest plans, newest first."""
        return self.rehearsal.would_open[::-1][: self.most]

    @property
    def more_plans(self) -> int:
        """How many are not among them."""
        return max(0, len(self.rehearsal.would_open) - self.most)

    def told(self, text: str) -> str:
        """A sentence of ours in the language."""
        return sentences.told(text, self.language)

    def day(self, moment: datetime | date | str | None) -> str:
        """A day where the account is, in words of the language; empty for none."""
        if moment is None:
            return ""
        if isinstance(moment, str):
            moment = date.fromisoformat(moment)
        if isinstance(moment, datetime):
            moment = moment.astimezone(zone(self.rehearsal.time_zone)).date()
        return date_words(moment, self.language, "medium")

    def money(self, one: Rehearsed) -> str:
        """The deal's amount, in its own currency."""
        if one.amount is None:
            return ""
        if one.currency is None:
            return str(format_decimal(one.amount, locale=self.language))
        return str(format_currency(one.amount, one.currency, locale=self.language))

    def by_day(self, one: Rehearsed) -> Timeline:
        """The plan in the order of its days; what hangs on a condition among the rest."""
        ends = date.fromisoformat(one.contract_end) if one.contract_end is not None else None
        return by_day([*one.tasks, *one.perhaps], ends)

    def url(self, one: Rehearsed) -> str | None:
        """The deal's page in the CRM, if it is a web address."""
        address = self.rehearsal.urls.get(one.deal_id, "")
        return address if address.startswith(("https://", "http://")) else None


def view(rehearsal: Rehearsal, language: str | None = None) -> View:
    """The rehearsal in a language that we speak; the account's by default."""
    wish = (language or rehearsal.language).partition("-")[0]
    return View(rehearsal, wish if wish in languages.available() else languages.FALLBACK)


def as_html(rehearsal: Rehearsal, language: str | None = None) -> str:
    """A page that needs nothing else: no script, and nothing is loaded from anywhere."""
    shown = view(rehearsal, language)
    words = languages.translations(shown.language)
    env = Environment(loader=FileSystemLoader(_WEB / "templates"), autoescape=True, extensions=["jinja2.ext.i18n"])
    env.install_gettext_callables(words.gettext, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
    css = "\n".join((_WEB / "static" / name).read_text(encoding="utf-8") for name in ("page.css", "rehearsal.css"))
    return env.get_template("rehearsal_file.html").render(
        view=shown,
        language=shown.language,
        css=Markup(css),  # noqa: S704 - our own sheets
    )


def as_json(rehearsal: Rehearsal, _language: str | None = None) -> str:
    """Everything, for scripts."""
    return json.dumps(rehearsal.as_json(), ensure_ascii=False, indent=2) + "\n"


def as_csv(rehearsal: Rehearsal, _language: str | None = None) -> str:
    """A line for each task, and one for each ending without any; spreadsheets open it as it is."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_COLUMNS)
    for one in rehearsal.deals:
        for cells in _lines(rehearsal, one):
            table.writerow([safe_cell(cell) for cell in cells])
    return "\ufeff" + text.getvalue()  # the mark by which spreadsheets know UTF-8


def _lines(rehearsal: Rehearsal, one: Rehearsed) -> Iterator[list[object]]:
    about: list[object] = [
        one.deal_id, one.deal_name, one.company_name, one.amount, one.currency, one.ended_at, one.starts_at,
        one.contract_end, one.reason, one.playbook, one.left_out and one.left_out.value,
        "; ".join(f"{each.what.value}: {each.detail}" if each.detail else each.what.value for each in one.lacks),
        rehearsal.urls.get(one.deal_id),
    ]  # fmt: skip
    if not one.tasks:
        yield [*about, *[""] * (len(_COLUMNS) - len(about))]
    for step in one.tasks:
        yield [*about, *_cells(step)]


def _cells(step: PlannedStep) -> list[object]:
    return [
        step.phase_title, step.title, step.owner_name, step.why, step.release_at, step.due_at,
        "yes" if step.estimated else "", step.waits_for, step.contact_name,
    ]  # fmt: skip


def safe_cell(value: object) -> str:
    """A cell as text that no spreadsheet computes."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes")
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


_WRITERS: dict[str, Callable[[Rehearsal, str | None], str]] = {".html": as_html, ".csv": as_csv, ".json": as_json}


def check_file(path: Path, language: str | None) -> None:
    """Raise :class:`NoRehearsalError` when no file of this name can be written, before the work is done."""
    if path.suffix.lower() not in _WRITERS:
        raise NoRehearsalError(f"--out {path}: the name must end in {', '.join(_WRITERS)}")
    if not path.absolute().parent.is_dir():
        raise NoRehearsalError(f"--out {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise NoRehearsalError(f"--out {path}: that is a folder")
    if language is not None and language.partition("-")[0] not in languages.available():
        raise NoRehearsalError(f"--language {language}: there are {', '.join(languages.available())}")


def write_file(rehearsal: Rehearsal, path: Path, language: str | None = None) -> None:
    """Write it, readable by its owner alone: it names customers. Replaces a file that is there."""
    text = _WRITERS[path.suffix.lower()](rehearsal, language)
    unready = path.with_name(f".{path.name}.part")
    try:
        unready.unlink(missing_ok=True)
        with os.fdopen(os.open(unready, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        unready.replace(path)
    except OSError as error:
        raise NoRehearsalError(f"--out {path}: cannot be written: {error.strerror}") from error
