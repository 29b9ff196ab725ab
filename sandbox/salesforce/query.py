"""Runs a parsed query over the world, as one user sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.salesforce import soql
from sandbox.salesforce.errors import ApiError, invalid_field, malformed_query
from sandbox.salesforce.ids import normal_id
from sandbox.salesforce.schema import NUMERIC, TEXTUAL, Field, SObject
from sandbox.salesforce.values import Row, to_json

if TYPE_CHECKING:
    from sandbox.salesforce.world import Actor, World

Predicate = Callable[[Row], bool]
MAX_DEPTH = 5
MAX_OFFSET = 2000
_SHORTHAND = (
    " If you are attempting to use a custom {what}, be sure to append the '{end}' after the custom {what} name."
    " Please reference your WSDL or the describe call for the appropriate names."
)


@dataclass(frozen=True)
class Found:
    """A path resolved: the reference fields to follow, and the field at the end."""

    hops: tuple[Field, ...]
    sobject: SObject
    field: Field
    names: tuple[str, ...]


@dataclass
class Child:
    """Rows of a child query under one parent, all of them; the API pages them."""

    records: list[Any]


@dataclass
class Result:
    """All rows of a query, rendered, before paging. ``size`` is the count; with ``count()`` there are no rows."""

    size: int
    records: list[dict[str, Any]]


class Reader:
    """Reads on behalf of one user.

    ``deleted``: the recycle bin too; ``tooling``: set-up objects; ``base``: how addresses of records start.
    """

    def __init__(
        self, world: World, actor: Actor, *, deleted: bool = False, tooling: bool = False, base: str = ""
    ) -> None:
        self.world, self.actor, self.deleted, self.base = world, actor, deleted, base
        self.tooling = tooling

    # --- names ------------------------------------------------------------------------------------------------------

    def field(self, sobject: SObject, name: str) -> Field:
        """A field that the user may see. Raises INVALID_FIELD."""
        found = sobject.find(name)
        if found is None or not self.world.may_read(self.actor, sobject, found):
            hint = _SHORTHAND.format(what="field", end="__c")
            raise invalid_field(f"\nERROR at Row:1:Column:1\nNo such column '{name}' on entity '{sobject.name}'.{hint}")
        return found

    def resolve(self, sobject: SObject, path: soql.Path) -> Found:
        """Follow a path from an object. Raises INVALID_FIELD."""
        *relations, last = path.parts
        if relations and relations[0].lower() == sobject.name.lower():
            relations = relations[1:]
        if len(relations) > MAX_DEPTH:
            raise malformed_query("only 5 levels of parent relationships may be followed")
        hops: list[Field] = []
        names: list[str] = []
        here = sobject
        for name in relations:
            hop = self._relation(here, name)
            hops.append(hop)
            names.append(hop.relationship or name)
            here = self.world.schema.named("Name" if len(hop.reference_to) > 1 else hop.reference_to[0])
        field = self.field(here, last)
        return Found(tuple(hops), here, field, (*names, field.name))

    def _relation(self, sobject: SObject, name: str) -> Field:
        for each in sobject.fields.values():
            if each.relationship and each.relationship.lower() == name.lower():
                return each
        hint = _SHORTHAND.format(what="relationship", end="__r")
        raise invalid_field(f"Didn't understand relationship '{name}' in field path.{hint}")

    # --- values -----------------------------------------------------------------------------------------------------

    def parent(self, row: Row, hop: Field) -> Row | None:
        """The record that a reference points at."""
        key = row.get(hop.name)
        return None if key is None else self.world.find(key)

    def value(self, row: Row, found: Found) -> Any:
        """The stored value at the end of a path; None when a parent is missing."""
        here = row
        for hop in found.hops:
            above = self.parent(here, hop)
            if above is None:
                return None
            here = above
        return self._own(here, found.sobject, found.field)

    def _own(self, row: Row, sobject: SObject, field: Field) -> Any:
        if sobject.name == "Name" and field.name == "Type":
            return self.world.schema.by_id(row["Id"])
        return row.get(field.name, field.default)

    # --- conditions -------------------------------------------------------------------------------------------------

    def predicate(self, sobject: SObject, condition: soql.Condition) -> Predicate:
        """A test of rows. Raises the vendor's error for what cannot be compared."""
        match condition:
            case soql.Group(kind, parts):
                tests = [self.predicate(sobject, part) for part in parts]
                if kind == "not":
                    return lambda row: not tests[0](row)
                gather = all if kind == "and" else any
                return lambda row: gather(test(row) for test in tests)
            case soql.Compare():
                return self._compare(sobject, condition)
            case soql.Like():
                return self._like(sobject, condition)
            case soql.Member():
                return self._member(sobject, condition)

    def _filterable(self, sobject: SObject, path: soql.Path) -> Found:
        found = self.resolve(sobject, path)
        if not found.field.filterable:
            raise invalid_field(f"field '{path}' can not be filtered in a query call")
        return found

    def _compare(self, sobject: SObject, condition: soql.Compare) -> Predicate:
        found = self._filterable(sobject, condition.path)
        wanted = _folded(found.field, operand(found.field, condition.literal))
        test = _OPERATORS[condition.operator]
        return lambda row: test(_folded(found.field, self.value(row, found)), wanted)

    def _like(self, sobject: SObject, condition: soql.Like) -> Predicate:
        found = self._filterable(sobject, condition.path)
        if found.field.type not in TEXTUAL:
            raise ApiError("INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {found.field.type} field")
        pattern = re.compile(condition.pattern, re.IGNORECASE | re.DOTALL)
        return lambda row: pattern.fullmatch(self.value(row, found) or "") is not None

    def _member(self, sobject: SObject, condition: soql.Member) -> Predicate:
        found = self._filterable(sobject, condition.path)
        if condition.query is not None:
            wanted = set(self._column(condition.query))
        else:
            wanted = {_folded(found.field, operand(found.field, each)) for each in condition.literals}
        return lambda row: (_folded(found.field, self.value(row, found)) in wanted) is not condition.negated

    def _column(self, query: soql.Query) -> Iterable[Any]:
        if len(query.items) != 1 or not isinstance(query.items[0], soql.Path):
            raise malformed_query("a semi join sub-select must select exactly one field")
        sobject = self.world.schema.object(query.sobject, tooling=self.tooling)
        found = self.resolve(sobject, query.items[0])
        return [self.value(row, found) for row in self.rows(sobject, query)]

    # --- rows -------------------------------------------------------------------------------------------------------

    def rows(self, sobject: SObject, query: soql.Query, among: Iterable[Row] | None = None) -> list[Row]:
        """The rows that a query selects, in its order."""
        if sobject.name == "ContentDocumentLink" and among is None:
            _demand_link_filter(query.where)
        tests = [self.predicate(sobject, query.where)] if query.where else []
        source = self._source(sobject, query.where) if among is None else among
        rows = [row for row in source if all(test(row) for test in tests)]
        for column in reversed(query.order):
            found = self.resolve(sobject, column.path)
            rows = self._sorted(rows, found, column)
        if query.offset > MAX_OFFSET:
            raise ApiError("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
        end = None if query.limit is None else query.offset + query.limit
        return rows[query.offset : end]

    def _source(self, sobject: SObject, where: soql.Condition | None) -> Iterable[Row]:
        ids = _ids_asked_for(where)
        return self.world.rows(sobject.name, deleted=self.deleted, ids=ids)

    def _sorted(self, rows: list[Row], found: Found, column: soql.Ordering) -> list[Row]:
        keyed: list[tuple[Any, Row]] = [(_folded(found.field, self.value(row, found)), row) for row in rows]
        nulls = [row for key, row in keyed if key is None]
        filled = [pair for pair in keyed if pair[0] is not None]
        filled.sort(key=lambda pair: pair[0], reverse=column.descending)
        ordered = [row for _, row in filled]
        return ordered + nulls if column.nulls_last else nulls + ordered

    # --- answers ----------------------------------------------------------------------------------------------------

    def run(self, query: soql.Query) -> Result:
        """The whole answer, before paging."""
        sobject = self.world.schema.object(query.sobject, tooling=self.tooling)
        if query.count:
            return Result(len(self.rows(sobject, query)), [])
        render = self._renderer(sobject, query.items)
        rows = self.rows(sobject, query)
        return Result(len(rows), [render(row) for row in rows])

    def _renderer(self, sobject: SObject, items: Sequence[soql.Path | soql.Query]) -> Callable[[Row], dict[str, Any]]:
        fields = [self.resolve(sobject, item) for item in items if isinstance(item, soql.Path)]
        names = [found.names for found in fields]
        for name in names:
            if names.count(name) > 1:
                raise malformed_query(f"duplicate field selected: {'.'.join(name)}")
        children = [self._children(sobject, item) for item in items if isinstance(item, soql.Query)]

        def render(row: Row) -> dict[str, Any]:
            record = self.shell(sobject.name, row)
            for found in fields:
                self._place(record, row, found)
            for name, fetch in children:
                rows = fetch(row)
                record[name] = Child(rows) if rows else None
            return record

        return render

    def _place(self, record: dict[str, Any], row: Row, found: Found) -> None:
        here, node = row, record
        for hop, name in zip(found.hops, found.names, strict=False):
            above = self.parent(here, hop)
            if above is None:
                node.setdefault(name, None)
                return
            if node.get(name) is None:
                kind = "Name" if len(hop.reference_to) > 1 else hop.reference_to[0]
                node[name] = self.shell(kind, above)
            node, here = node[name], above
        node[found.field.name] = self.shown(here, found.sobject, found.field)

    def shown(self, row: Row, sobject: SObject, field: Field) -> Any:
        """A field of a row as JSON; a file's content is an address."""
        value = self._own(row, sobject, field)
        if field.type == "base64":
            return f"{self.base}/sobjects/{sobject.name}/{row['Id']}/{field.name}"
        return to_json(field, value)

    def shell(self, kind: str, row: Row) -> dict[str, Any]:
        """A record with nothing but its ``attributes``."""
        name = self.world.schema.by_id(row["Id"]) if kind == "Name" else kind
        return {"attributes": {"type": kind, "url": f"{self.base}/sobjects/{name}/{row['Id']}"}}

    def _children(self, sobject: SObject, query: soql.Query) -> tuple[str, Callable[[Row], list[Any]]]:
        name = next((each for each in sobject.children if each.lower() == query.sobject.lower()), None)
        if name is None:
            hint = _SHORTHAND.format(what="relationship", end="__r")
            raise ApiError(
                "INVALID_TYPE", f"Didn't understand relationship '{query.sobject}' in FROM part of query call.{hint}"
            )
        kind, key = sobject.children[name]
        if any(isinstance(item, soql.Query) for item in query.items):
            raise malformed_query("sub-selects may not be nested in sub-selects")
        child = self.world.schema.object(kind)
        render = self._renderer(child, query.items)
        if query.where:
            self.predicate(child, query.where)
        by_parent: dict[str, list[Row]] = {}
        for row in self.world.rows(kind, deleted=self.deleted):
            by_parent.setdefault(row.get(key) or "", []).append(row)
        return name, lambda row: [render(each) for each in self.rows(child, query, by_parent.get(row["Id"], []))]


def operand(field: Field, literal: soql.Literal) -> Any:
    """The literal as it compares with this field. Raises the vendor's error when types differ."""
    value, kind = literal.value, literal.kind
    if value is None:
        return None
    if field.type in ("id", "reference"):
        if value == "":
            return None
        normal = normal_id(value)
        if normal is None:
            raise ApiError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}")
        return normal
    wanted = {"datetime": "dateTime", "date": "date", "boolean": "boolean"}.get(field.type)
    wanted = wanted or ("number" if field.type in NUMERIC else "string")
    if kind != wanted:
        quotes = "should be enclosed in quotes" if wanted == "string" else "should not be enclosed in quotes"
        shown = {"number": "double"}.get(wanted, wanted)
        raise invalid_field(f"value of filter criterion for field '{field.name}' must be of type {shown} and {quotes}")
    return None if value == "" else value.replace(microsecond=0) if isinstance(value, datetime) else value


def _folded(field: Field, value: Any) -> Any:
    """Text compares without case, except where a field says otherwise."""
    if isinstance(value, str) and field.type in TEXTUAL and not field.case_sensitive:
        return value.casefold()
    return value


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda seen, wanted: seen is not None and wanted is not None and test(seen, wanted)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda seen, wanted: bool(seen == wanted),
    "!=": lambda seen, wanted: bool(seen != wanted),
    "<": _ordered(lambda seen, wanted: bool(seen < wanted)),
    ">": _ordered(lambda seen, wanted: bool(seen > wanted)),
    "<=": _ordered(lambda seen, wanted: bool(seen <= wanted)),
    ">=": _ordered(lambda seen, wanted: bool(seen >= wanted)),
}


def _ids_asked_for(where: soql.Condition | None) -> set[str] | None:
    """The only ids that can match, when the condition names them; saves a walk over the whole table."""
    match where:
        case soql.Compare(soql.Path((name,)), "=", soql.Literal(str() as value)) if name.lower() == "id":
            return {normal_id(value) or ""}
        case soql.Member(soql.Path((name,)), False, literals, None) if name.lower() == "id":
            return {normal_id(each.value) or "" for each in literals}
        case soql.Group("and", parts):
            sets = [ids for ids in map(_ids_asked_for, parts) if ids is not None]
            return set.intersection(*sets) if sets else None
    return None


def _demand_link_filter(where: soql.Condition | None) -> None:
    """The vendor answers questions about file links only for named files or records."""
    parts = where.parts if isinstance(where, soql.Group) and where.kind == "and" else (where,)
    for part in parts:
        match part:
            case soql.Member(path, False) | soql.Compare(path, "="):
                if path.parts[-1].lower() in ("contentdocumentid", "linkedentityid"):
                    return
    raise malformed_query(
        "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or"
        " LinkedEntityId using the equals operator or multiple Id's using the IN operator."
    )
