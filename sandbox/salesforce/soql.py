"""SOQL text to a tree. What the grammar does not know is MALFORMED_QUERY, as with the vendor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path as File
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken
from lark.exceptions import VisitError

from sandbox.salesforce.errors import malformed_query

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
MAX_LENGTH = 100_000


@dataclass(frozen=True)
class Path:
    """A field, with the relationships that lead to it."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True)
class Literal:
    """A value as written. ``text`` is its source; a string's value is a list of (character, escaped) for LIKE."""

    value: str | bool | float | date | datetime | None
    text: str

    @property
    def kind(self) -> str:
        """The vendor's word for its type."""
        for kind, name in ((bool, "boolean"), (datetime, "dateTime"), (date, "date"), (str, "string")):
            if isinstance(self.value, kind):
                return name
        return "null" if self.value is None else "number"


@dataclass(frozen=True)
class Compare:
    """``path operator literal``."""

    path: Path
    operator: str
    literal: Literal


@dataclass(frozen=True)
class Like:
    """``path LIKE pattern``, the pattern as a regular expression over the whole value."""

    path: Path
    pattern: str


@dataclass(frozen=True)
class Member:
    """``path [NOT] IN (...)``: literals, or a query for one field."""

    path: Path
    negated: bool
    literals: tuple[Literal, ...]
    query: Query | None


@dataclass(frozen=True)
class Group:
    """``and``, ``or`` or ``not`` over parts."""

    kind: str
    parts: tuple[Condition, ...]


Condition = Compare | Like | Member | Group


@dataclass(frozen=True)
class Ordering:
    """One column of ORDER BY. Nulls come first unless said otherwise."""

    path: Path
    descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Query:
    """One SELECT. ``items`` are fields and child queries in order; empty with ``count``."""

    items: tuple[Path | Query, ...]
    count: bool
    sobject: str
    where: Condition | None
    order: tuple[Ordering, ...]
    limit: int | None
    offset: int


@dataclass(frozen=True)
class _Where:
    condition: Condition


@dataclass(frozen=True)
class _Order:
    columns: tuple[Ordering, ...]


@dataclass(frozen=True)
class _Number:
    name: str
    value: int


def _units(text: str) -> list[tuple[str, bool]]:
    """The characters of a quoted string, each with whether a backslash stood before it."""
    units: list[tuple[str, bool]] = []
    inner = text[1:-1]
    at = 0
    while at < len(inner):
        char = inner[at]
        if char != "\\":
            units.append((char, False))
            at += 1
            continue
        mark = inner[at + 1]
        if mark == "u" and re.fullmatch(r"[0-9A-Fa-f]{4}", inner[at + 2 : at + 6]):
            units.append((chr(int(inner[at + 2 : at + 6], 16)), True))
            at += 6
        elif mark in _ESCAPES or mark in "%_":
            units.append((_ESCAPES.get(mark, mark), True))
            at += 2
        else:
            raise malformed_query(f"Illegal escape sequence: \\{mark}")
    return units


def _pattern(text: str) -> str:
    pattern = ""
    for char, escaped in _units(text):
        wild = {"%": ".*", "_": "."}.get(char)
        pattern += wild if wild and not escaped else re.escape(char)
    return pattern


class _Build(Transformer[Token, Any]):
    """Turns lark's tree into ours."""

    def start(self, children: list[Any]) -> Query:
        return children[0]  # type: ignore[no-any-return]

    def condition(self, children: list[Any]) -> Condition:
        return children[0]  # type: ignore[no-any-return]

    def path(self, children: list[Token]) -> Path:
        return Path(tuple(str(name) for name in children))

    def literal(self, children: list[Token]) -> Literal:
        token = children[0]
        return Literal(_value(token), str(token))

    def compare(self, children: list[Any]) -> Compare:
        path, operator, literal = children
        return Compare(path, "!=" if operator == "<>" else str(operator), literal)

    def like(self, children: list[Any]) -> Like:
        return Like(children[0], _pattern(children[1]))

    def member(self, children: list[Any]) -> Member:
        path, negated, *values = children
        if isinstance(values[0], Query):
            return Member(path, negated is not None, (), values[0])
        return Member(path, negated is not None, tuple(values), None)

    def both(self, children: list[Any]) -> Group:
        return Group("and", tuple(children))

    def either(self, children: list[Any]) -> Group:
        return Group("or", tuple(children))

    def negation(self, children: list[Any]) -> Group:
        return Group("not", tuple(children))

    def where(self, children: list[Any]) -> _Where:
        return _Where(children[0])

    def ordering(self, children: list[Any]) -> Ordering:
        path, direction, nulls = children
        return Ordering(path, (direction or "").lower() == "desc", (nulls or "").lower() == "last")

    def order(self, children: list[Any]) -> _Order:
        return _Order(tuple(children))

    def limit(self, children: list[Token]) -> _Number:
        return _Number("limit", int(children[0]))

    def offset(self, children: list[Token]) -> _Number:
        return _Number("offset", int(children[0]))

    def query(self, children: list[Any]) -> Query:
        at = next(i for i, child in enumerate(children) if isinstance(child, Token) and child.type == "NAME")
        tail = [child for child in children[at + 1 :] if child is not None]
        numbers = {part.name: part.value for part in tail if isinstance(part, _Number)}
        items = tuple(child for child in children[:at] if isinstance(child, Path | Query))
        return Query(
            items=items,
            count=not items,
            sobject=str(children[at]),
            where=next((part.condition for part in tail if isinstance(part, _Where)), None),
            order=next((part.columns for part in tail if isinstance(part, _Order)), ()),
            limit=numbers.get("limit"),
            offset=numbers.get("offset", 0),
        )


def _value(token: Token) -> str | bool | float | date | datetime | None:
    text = str(token)
    match token.type:
        case "STRING":
            return "".join(char for char, _ in _units(text))
        case "NUMBER" | "INT":
            return float(text)
        case "TRUE" | "FALSE":
            return token.type == "TRUE"
        case "NULL":
            return None
    try:
        if token.type == "DATE":
            return date.fromisoformat(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise malformed_query(f"line 1:{token.column} invalid date: {text}") from error


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = (File(__file__).with_name("soql.lark")).read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", start=["start", "condition"], maybe_placeholders=True)


def _parse(text: str, start: str) -> Any:
    if len(text) > MAX_LENGTH:
        raise malformed_query("SOQL statements cannot be longer than 100000 characters.")
    try:
        return _Build().transform(_parser().parse(text, start=start))
    except UnexpectedToken as error:
        seen = "<EOF>" if error.token.type == "$END" else str(error.token)
        raise malformed_query(f"unexpected token: '{seen}'") from error
    except UnexpectedCharacters as error:
        raise malformed_query(f"unexpected token: '{error.char}'") from error
    except VisitError as error:
        raise error.orig_exc from error


@lru_cache(maxsize=256)
def parse_query(text: str) -> Query:
    """The tree of one SELECT; raises MALFORMED_QUERY."""
    query: Query = _parse(text, "start")
    return query


@lru_cache(maxsize=256)
def parse_condition(text: str) -> Condition:
    """The tree of what may stand after WHERE; raises MALFORMED_QUERY."""
    condition: Condition = _parse(text, "condition")
    return condition
