"""Keys and single values as HubSpot has them: moments, days, texts and HTML. Pure.

Property values are texts in both directions, whatever their type; an empty text is an empty value.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from workflows.writes import FieldValue

LONGEST_TEXT = 65_000
"""HubSpot takes 65,536 characters in a text; the rest is room for the marker."""

_ADDRESS = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")
_LINE_END = re.compile(r"<br\s*/?>|</?(?:p|div|li|h[1-6]|tr)\b[^>]{0,2000}>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]{0,2000}>")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TOO_LONG = "… (the rest is longer than HubSpot takes; it is kept in Aurevoir)"


def own(name: str) -> str:
    """Our field ``name`` as a HubSpot property."""
    return f"aurevoir_{name}"


def digest(key: str) -> str:
    """Stands for a key where HubSpot's users see it or its characters are limited."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def marker(key: str) -> str:
    """The line at the end of a body by which a keyed record is found again."""
    return f"Ref. aurevoir-{digest(key)}"


@dataclass(frozen=True)
class TaskKeys:
    """How tasks carry their key in this account, as provisioning found out.

    ``property``: in a property of ours, else a marker line in the body. ``unique``: HubSpot refuses a second task with
    it. ``link``: there is a property for the page that belongs to the task.
    """

    property: bool = False
    unique: bool = False
    link: bool = False

    @classmethod
    def from_state(cls, state: Mapping[str, str]) -> TaskKeys:
        """From what :attr:`SchemaReport.state` said; before provisioning, the marker."""
        mode = state.get("task_key", "marker")
        return cls(mode in ("property", "unique"), mode == "unique", state.get("task_link") == "property")

    def to_state(self) -> dict[str, str]:
        """What is remembered."""
        mode = "unique" if self.unique else "property" if self.property else "marker"
        return {"task_key": mode, "task_link": "property" if self.link else "none"}

    def without(self, names: Iterable[str]) -> TaskKeys:
        """The same, once HubSpot said that these properties do not exist."""
        gone = set(names)
        kept = self if own("key") not in gone else replace(self, property=False, unique=False)
        return kept if own("link") not in gone else replace(kept, link=False)


def parse_moment(text: str | None) -> datetime | None:
    """A datetime property (ISO 8601 or epoch milliseconds), in UTC; None when empty or no moment."""
    if not text:
        return None
    try:
        if re.fullmatch(r"-?\d{9,15}", text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_date(text: str | None, zone: ZoneInfo) -> date | None:
    """A date property, or a datetime property that stands for a date.

    What was set through an API is midnight UTC; what a person chose (the close date has a time) counts in ``zone``.
    """
    if not text:
        return None
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None
    moment = parse_moment(text)
    if moment is None:
        return None
    return moment.date() if moment.time() == time(0) else moment.astimezone(zone).date()


def milliseconds(moment: datetime) -> str:
    """A moment as HubSpot takes it everywhere."""
    return str(round(moment.timestamp() * 1000))


def clean(text: str) -> str:
    """Text without what no CRM field takes: control characters, and halves of characters."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").encode("utf-8", "replace").decode())


def shorten(text: str, limit: int = LONGEST_TEXT) -> str:
    """Text that fits into a property; says so where something was cut off."""
    return text if len(text) <= limit else text[: max(limit - len(_TOO_LONG), 0)] + _TOO_LONG


def encode(value: FieldValue) -> str:
    """A value for a property; None empties it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return milliseconds(value)
    if isinstance(value, date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else shorten(clean(str(value)))


def to_html(text: str, limit: int = LONGEST_TEXT) -> str:
    """Plain text as HTML for a body: escaped, addresses as links, lines kept; ``limit`` characters at most."""
    text, size = clean(text), limit
    while len(made := _to_html(shorten(text, size))) > limit:
        size = size * limit // (len(made) + 1)
    return made


def _to_html(text: str) -> str:
    parts, end = [], 0
    for found in _ADDRESS.finditer(text):
        parts.append(html.escape(text[end : found.start()]))
        address = html.escape(found[0])
        parts.append(f'<a href="{address}" target="_blank" rel="noopener">{address}</a>')
        end = found.end()
    parts.append(html.escape(text[end:]))
    return "".join(parts).replace("\n", "<br>")


def to_text(body: str) -> str:
    """A body of HTML as plain text with its lines."""
    lines = _LINE_END.sub("\n", body)
    return html.unescape(_TAG.sub("", lines)).replace("\xa0", " ")


def with_marker(body: str, key: str) -> str:
    """A body of HTML with the key's marker as its last line."""
    return f"{body}<br><br><small>{marker(key)}</small>" if body else f"<small>{marker(key)}</small>"
