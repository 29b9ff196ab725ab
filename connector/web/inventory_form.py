"""The inventory as a form (P-22): what was posted as items, what is wrong with it in words, and what it would change.

Each line goes by the id of its item, also a new one: so the same form sent twice adds nothing twice. A line carries the
version that it was made from and a digest of what it showed: only lines that somebody changed are written, and one that
somebody else has changed meanwhile is handed back beside theirs.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from connector.web.languages import say
from workflows.cases import InventoryItem, ItemKind
from workflows.inventory import looks_secret
from workflows.records import User

LENGTHS = {"title": 200, "owner": 200, "place": 300, "evidence": 500, "received_by": 100}
"""Characters that a field takes."""
FAR = timedelta(days=3660)
FIELDS = ("kind", "title", "owner", "place", "due_on", "evidence", "received_on", "received_by")
_NAME = re.compile(rf"row-([0-9a-f]{{32}})-({'|'.join(FIELDS)}|version|was|remove)")


@dataclass
class Line:
    """One line of the form: texts as they stand in it. ``version`` 0: it is not kept yet. ``theirs``: somebody else's
    texts, where they changed the same line meanwhile."""

    id: str
    texts: dict[str, str]
    version: int = 0
    was: str = ""
    remove: bool = False
    problems: dict[str, str] = field(default_factory=dict)
    theirs: dict[str, str] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was filled in; a kind alone says nothing."""
        return not any(value for name, value in self.texts.items() if name != "kind")

    @property
    def is_touched(self) -> bool:
        """Whether somebody changed it since the page was made."""
        return self.remove or digest(self.texts) != self.was


def digest(texts: Mapping[str, str]) -> str:
    """By which a line is known to be as it was shown."""
    said = "\x1f".join(texts.get(name, "") for name in FIELDS)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def blank(texts: Mapping[str, str] | None = None, *, suggested: bool = False) -> Line:
    """A line that is not kept yet. A suggested one counts as filled in by hand."""
    filled = dict.fromkeys(FIELDS, "") | {"kind": ItemKind.OTHER.value} | dict(texts or {})
    return Line(uuid.uuid4().hex, filled, was="" if suggested else digest(filled))


def shown(item: InventoryItem, version: int, users: Mapping[str, User]) -> Line:
    """A kept item as a line."""
    texts = {
        "kind": item.kind.value,
        "title": item.title,
        "owner": owner_words(item.owner_id, users),
        "place": item.place,
        "due_on": item.due_on.isoformat() if item.due_on is not None else "",
        "evidence": item.evidence,
        "received_on": item.received_on.isoformat() if item.received_on is not None else "",
        "received_by": item.received_by,
    }
    return Line(item.id, texts, version, digest(texts))


def owner_words(owner_id: str | None, users: Mapping[str, User]) -> str:
    """How an owner stands in the form: by e-mail address, which names one person only; empty for the counterpart."""
    user = users.get(owner_id or "")
    return (user.email or user.name or user.id) if user is not None else (owner_id or "")


def posted(form: Mapping[str, Sequence[str]]) -> list[Line]:
    """The lines of a posted form, in its order. What is no field of ours is left out."""
    lines: dict[str, Line] = {}
    for name, sent in form.items():
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        line = lines.setdefault(match[1], Line(match[1], dict.fromkeys(FIELDS, "")))
        value = sent[0] if sent else ""
        if match[2] == "version":
            line.version = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else 0
        elif match[2] == "was":
            line.was = value[:16]
        elif match[2] == "remove":
            line.remove = bool(value)
        else:
            line.texts[match[2]] = " ".join(value.split())
    return list(lines.values())


def read(line: Line, users: Mapping[str, User], now: datetime, before: InventoryItem | None) -> InventoryItem | None:
    """The item that a line says; None, with its problems noted, where it says none."""
    texts = line.texts
    owner_id = _owner(line, users, before)
    days = {name: _day(line, name, now.date()) for name in ("due_on", "received_on")}
    if not texts["title"]:
        line.problems["title"] = say("Say what it is, or leave the whole line empty.")
    for name, most in LENGTHS.items():
        if len(texts[name]) > most:
            words = say("That is %(length)d characters; up to %(most)d fit here. Put long texts into a file.")
            line.problems[name] = words % {"length": len(texts[name]), "most": most}
        elif looks_secret(texts[name]):
            line.problems[name] = say(
                "This looks like a password or a key. Please hand it over through a password manager, and write here "
                "only where to find it there."
            )
    if texts["kind"] not in list(ItemKind):
        line.problems["kind"] = say("Choose one of the kinds.")
    if days["received_on"] is not None and days["received_on"] > now.date() + timedelta(days=1):
        line.problems["received_on"] = say("This day has not come yet.")
    if line.problems:
        return None
    return InventoryItem(
        id=line.id,
        kind=ItemKind(texts["kind"]),
        title=texts["title"],
        owner_id=owner_id,
        place=texts["place"],
        due_on=days["due_on"],
        evidence=texts["evidence"],
        received_on=days["received_on"],
        received_by=texts["received_by"],
        changed_at=now,
    )


def _owner(line: Line, users: Mapping[str, User], before: InventoryItem | None) -> str | None:
    seen = line.texts["owner"]
    if not seen:
        return None
    if before is not None and seen == owner_words(before.owner_id, users):
        return before.owner_id  # also somebody who has left meanwhile: the plan finds another
    active = [user for user in users.values() if user.active]
    wanted = seen.casefold()
    found = [user for user in active if wanted in (user.email.casefold(), user.id)]
    found = found or [user for user in active if wanted == user.name.casefold()]
    if len(found) != 1:
        line.problems["owner"] = (
            say("Several colleagues are called that: write the e-mail address.")
            if found
            else say("No active colleague has this name or address. Leave it empty for the customer's counterpart.")
        )
        return None
    return found[0].id


def _day(line: Line, name: str, today: date) -> date | None:
    seen = line.texts[name]
    if not seen:
        return None
    try:
        day = date.fromisoformat(seen)
    except ValueError:
        line.problems[name] = say("Write the day as year-month-day, such as 2027-03-31.")
        return None
    if abs(day - today) > FAR:
        line.problems[name] = say("This day is too far from today to be right.")
        return None
    return day


def problems_of(lines: Iterable[Line]) -> int:
    """How many lines need another look."""
    return sum(1 for line in lines if line.problems or line.theirs is not None)
