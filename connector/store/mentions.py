"""Where a person's name or address stands in what people wrote here (P-79): to take it out, or to have it looked at.

A whole name or address is theirs, and goes. A part of a name may be anybody's: it stays, and is told with its place, so
that a person looks at it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connector.store.door_tables import WishRow
from connector.store.tables import AnswerRow, CaseRow, IntentRow, InventoryRow

GONE = "…"
"""Stands where a name was."""
MOST_PLACES = 50
INVENTORY_TEXTS = ("title", "place", "evidence", "received_by")
_WRITES = {
    "task": "the text of a task",
    "note": "the text of a note",
    "file": "a file",
    "document": "a document",
    "fields": "what a field says",
    "update_task": "the note on a task",
}
_LEAST = 3
"""Shorter parts of a name are no clue to anybody."""
_AROUND = 40


@dataclass(frozen=True)
class Place:
    """Where something may be about them: what kind of text, of which case, and the words around it.

    ``whole``: the name or address itself stands there, else only a part of the name. ``words`` quotes people.
    """

    what: str
    case_id: str
    deal_id: str
    words: str
    whole: bool

    def as_json(self) -> dict[str, str]:
        """Without the words, so that it names nobody."""
        return {"what": self.what, "case": self.case_id, "deal": self.deal_id}

    def __str__(self) -> str:
        of = f" of case {self.case_id[:8]}, deal {self.deal_id}" if self.case_id else ""
        return f"{self.what}{of}"


def without(words: Sequence[str], text: str) -> str:
    """The text with :data:`GONE` in the place of each of these names and addresses; of nothing else, that alone."""
    left = text
    for word in words:
        left = _whole(word).sub(GONE, left)
    return GONE if left != text and not re.search(r"\w", left) else left


def places(session: Session, account: str, case_ids: Collection[str], words: Sequence[str]) -> list[Place]:
    """Where these names and addresses stand, whole or, in the person's own cases, in part; those in whole first.

    Elsewhere a text with all parts of a name is one as well, such as a name with its accents left out.
    """
    parts = [_parts(word) for word in words]
    found = []
    for what, case_id, deal_id, text in _texts(session, account):
        hits = [match for word in words if (match := _whole(word).search(text))]
        if hits:
            found.append(Place(what, case_id, deal_id, _around(text, hits[0]), whole=True))
            continue
        enough: Callable[[Iterable[Any]], bool] = any if case_id in case_ids else all
        plain = _plain(text)
        some = [[re.search(rf"(?<!\w){re.escape(one)}(?!\w)", plain) for one in each] for each in parts if each]
        hits = [match for each in some if enough(each) for match in each if match]
        if hits:
            shown = text if len(plain) == len(text) else plain
            found.append(Place(what, case_id, deal_id, _around(shown, hits[0]), whole=False))
    return sorted(found, key=lambda one: not one.whole)


def in_writes(session: Session, account: str, case_ids: Collection[str], words: Sequence[str]) -> list[Place]:
    """The same in texts that we wrote into the CRM or mean to; a part of a name counts in these cases alone."""
    parts = [one for word in words for one in _parts(word)]
    found = []
    query = select(IntentRow).where(IntentRow.account == account).order_by(IntentRow.key)
    for row in session.scalars(query):
        text = _said(row.content)
        where = _WRITES.get(row.kind, "a write"), row.case_id or "", row.deal_id
        hit = next((match for word in words if (match := _anywhere(word).search(text))), None)
        if hit:
            found.append(Place(*where, _around(text, hit), whole=True))
        elif row.case_id in case_ids:
            plain = _plain(text)
            part = next(
                (match for one in parts if (match := re.search(rf"(?<!\w){re.escape(one)}(?!\w)", plain))), None
            )
            if part:
                found.append(Place(*where, _around(text if len(plain) == len(text) else plain, part), whole=False))
    return sorted(found, key=lambda one: not one.whole)


def is_named(content: object, words: Iterable[str]) -> bool:
    """Whether one of these names and addresses stands in a text of a write."""
    text = _said(content)
    return any(_anywhere(word).search(text) for word in words)


def in_answer(given: dict[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """What somebody answered, without these names and addresses."""
    return {key: without(words, text) if isinstance(text, str) else text for key, text in given.items()}


def _texts(session: Session, account: str) -> Iterator[tuple[str, str, str, str]]:
    """What people wrote, and where: kind of text, case, deal, the text."""
    known = select(CaseRow.id, CaseRow.deal_id, CaseRow.deal_name).where(CaseRow.account == account)
    deals: dict[str, str] = {}
    for case_id, deal_id, name in session.execute(known):
        deals[case_id] = deal_id
        yield "the name of the deal", case_id, deal_id, name
    for row in session.scalars(select(AnswerRow).where(AnswerRow.account == account)):
        where = row.case_id, deals.get(row.case_id, "")
        if row.author:
            yield f"who answered in the form {row.questionnaire}", *where, row.author
        for key, text in row.given.items():
            if isinstance(text, str):
                yield f"the question {key} in an answer to {row.questionnaire}", *where, text
    for item in session.scalars(select(InventoryRow).where(InventoryRow.account == account)):
        for column in INVENTORY_TEXTS:
            yield "the list of what is handed over", item.case_id, deals.get(item.case_id, ""), getattr(item, column)
    for wish in session.scalars(select(WishRow).where(WishRow.account == account)):
        yield f"wish {wish.id} of the ledger", "", "", f"{wish.text}\n{wish.note}"


def _said(content: object) -> str:
    """All texts of a write, one a line."""
    if isinstance(content, dict):
        return "\n".join(filter(None, map(_said, content.values())))
    if isinstance(content, list):
        return "\n".join(filter(None, map(_said, content)))
    return content if isinstance(content, str) else ""


def _anywhere(word: str) -> re.Pattern[str]:
    return re.compile(r"\s+".join(re.escape(one) for one in word.split()), re.IGNORECASE)


def _whole(word: str) -> re.Pattern[str]:
    said = r"\s+".join(re.escape(one) for one in word.split())
    return re.compile(rf"(?<!\w){said}(?!\w)", re.IGNORECASE)


def _parts(word: str) -> list[str]:
    """The parts of a name, plainly written; none of an address."""
    if "@" in word:
        return []
    return [one for one in re.findall(r"\w+", _plain(word)) if len(one) >= _LEAST]


def _plain(text: str) -> str:
    """Small letters without accents."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(one for one in apart if not unicodedata.combining(one)).casefold()


def _around(text: str, match: re.Match[str]) -> str:
    start, end = max(match.start() - _AROUND, 0), match.end() + _AROUND
    cut = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{cut}{'…' if end < len(text) else ''}"
