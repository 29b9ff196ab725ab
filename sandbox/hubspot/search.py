"""The search endpoint: filters, sorts, pages, and an index that lags behind the records."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from sandbox.hubspot.access import need
from sandbox.hubspot.definitions import ObjectType, Property, object_type
from sandbox.hubspot.errors import bad_json, invalid
from sandbox.hubspot.objects import View, paths, show
from sandbox.hubspot.values import sortable
from sandbox.hubspot.web import api, array, body, fields, strings
from sandbox.hubspot.world import Record, World
from sandbox.kit import count_records

PAGE, CAP, BODY = 200, 10_000, 3_000
GROUPS, FILTERS, TOTAL = 5, 6, 18
Test = Callable[[Record], bool]
Comparison = Callable[[Any, Any], bool]
COMPARE: Mapping[str, Comparison] = {
    "EQ": lambda have, want: have == want,
    "NEQ": lambda have, want: have != want,
    "GT": lambda have, want: have > want,
    "GTE": lambda have, want: have >= want,
    "LT": lambda have, want: have < want,
    "LTE": lambda have, want: have <= want,
}
OPERATORS = {*COMPARE, "IN", "NOT_IN", "BETWEEN", "HAS_PROPERTY", "NOT_HAS_PROPERTY"}
ASSOCIATION = "associations."


def search_routes(world: World) -> Blueprint:
    """POST …/search."""
    routes = Blueprint("search", __name__)

    @api(routes, "POST", *paths("/search"))
    def search(object_type_: str) -> ResponseReturnValue:
        kind = object_type(object_type_)
        need(kind.read_scope)
        wanted = body([], ["query", "limit", "after", "sorts", "properties", "filterGroups"])
        if len(json.dumps(wanted, separators=(",", ":"))) > BODY:
            raise invalid(f"The search request is longer than {BODY} characters")
        start, size = _after(wanted.get("after")), _limit(wanted.get("limit", 10))
        if start + size > CAP:
            raise invalid(f"Paging past {CAP} results is not supported")
        seen = world.clock.now() - world.options.search_lag
        found = _found(world, kind, wanted, seen)
        part = found[start : start + size]
        count_records(len(part))
        view = View(strings(wanted.get("properties") or [], "properties"), (), seen)
        paging = {"paging": {"next": {"after": str(start + size)}}} if start + size < len(found) else {}
        return {"total": len(found), "results": [show(world, each, view) for each in part], **paging}

    return routes


def _found(world: World, kind: ObjectType, wanted: Mapping[str, Any], seen: datetime) -> list[Record]:
    groups = _groups(world, kind, wanted.get("filterGroups") or [], seen)
    query = wanted.get("query")
    indexed = [each for each in world.records[kind.id].values() if _indexed(each, seen)]
    found = [each for each in indexed if not groups or any(all(test(each) for test in group) for group in groups)]
    if query:
        words = str(query).lower()
        names = [name for name in kind.shown if kind.shown]
        found = [each for each in found if any(words in (each.value(name, seen) or "").lower() for name in names)]
    return _sorted(world, kind, found, array(wanted.get("sorts") or [], "sorts"), seen)


def _indexed(record: Record, seen: datetime) -> bool:
    """The index knows a record some moments after it was made, and forgets it some moments after it went."""
    return record.created_at <= seen and (record.archived_at is None or record.archived_at > seen)


def _groups(world: World, kind: ObjectType, raw: Any, seen: datetime) -> list[list[Test]]:
    groups = [fields(each, ["filters"]) for each in array(raw, "filterGroups")]
    counts = [len(array(each["filters"], "filters")) for each in groups]
    if len(groups) > GROUPS or any(count > FILTERS for count in counts) or sum(counts) > TOTAL:
        raise invalid(f"At most {GROUPS} filterGroups with {FILTERS} filters each and {TOTAL} in total are supported")
    return [[_test(world, kind, one, seen) for one in each["filters"]] for each in groups]


def _test(world: World, kind: ObjectType, raw: Any, seen: datetime) -> Test:
    wanted = fields(raw, ["propertyName", "operator"], ["value", "values", "highValue"])
    name, operator = wanted["propertyName"], wanted["operator"]
    if operator not in OPERATORS:
        raise bad_json(f"Unknown operator {operator}")
    if isinstance(name, str) and name.startswith(ASSOCIATION):
        return _association_test(world, kind, object_type(name.removeprefix(ASSOCIATION)), wanted, seen)
    definition = world.schema.find(kind, name)
    if definition is None:
        raise invalid(f'There was a problem with the request: property "{name}" does not exist')
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return lambda record: (record.value(name, seen) is not None) == (operator == "HAS_PROPERTY")
    return _value_test(definition, wanted, seen)


def _value_test(definition: Property, wanted: Mapping[str, Any], seen: datetime) -> Test:
    name, operator = definition.name, wanted["operator"]
    if operator in ("IN", "NOT_IN"):
        among = [sortable(definition, each) for each in strings(wanted.get("values"), "values")]
        return _on_value(
            definition, seen, lambda have: (have in among) == (operator == "IN"), empty=operator == "NOT_IN"
        )
    low = sortable(definition, _text(wanted.get("value"), "value"))
    if operator == "BETWEEN":
        high = sortable(definition, _text(wanted.get("highValue"), "highValue"))
        _same_kind(name, low, high)
        return _on_value(definition, seen, _between(low, high))
    compare = COMPARE[operator]
    return _on_value(
        definition, seen, lambda have: type(have) is type(low) and compare(have, low), empty=operator == "NEQ"
    )


def _on_value(definition: Property, seen: datetime, test: Callable[[Any], bool], *, empty: bool = False) -> Test:
    def check(record: Record) -> bool:
        value = record.value(definition.name, seen)
        return empty if value is None else test(sortable(definition, value))

    return check


def _association_test(
    world: World, kind: ObjectType, end: ObjectType, wanted: Mapping[str, Any], seen: datetime
) -> Test:
    if wanted["operator"] == "EQ":
        ids = [_text(wanted.get("value"), "value")]
    elif wanted["operator"] == "IN":
        ids = strings(wanted.get("values"), "values")
    else:
        raise invalid(f"Operator {wanted['operator']} is not supported for associations")
    return lambda record: any(other in ids for other, _ in world.associations.of((kind.id, record.id), end.id, seen))


def _sorted(world: World, kind: ObjectType, found: list[Record], sorts: Sequence[Any], seen: datetime) -> list[Record]:
    if len(sorts) > 1:
        raise invalid("At most one sort is supported")
    for raw in sorts:
        wanted = fields({"propertyName": raw} if isinstance(raw, str) else raw, ["propertyName"], ["direction"])
        direction = wanted.get("direction", "ASCENDING")
        if direction not in ("ASCENDING", "DESCENDING"):
            raise invalid(f"Unknown sort direction {direction}")
        definition = world.schema.get(kind, wanted["propertyName"])
        filled = [each for each in found if each.value(definition.name, seen) is not None]
        empty = [each for each in found if each.value(definition.name, seen) is None]
        filled.sort(key=_key(definition, seen), reverse=direction == "DESCENDING")
        found = filled + empty
    return found


def _key(definition: Property, seen: datetime) -> Callable[[Record], Any]:
    return lambda record: sortable(definition, record.value(definition.name, seen) or "")


def _between(low: Any, high: Any) -> Callable[[Any], bool]:
    return lambda have: type(have) is type(low) and low <= have <= high


def _same_kind(name: str, low: object, high: object) -> None:
    if type(low) is not type(high):
        raise invalid(f"value and highValue of {name} must be of the same kind")


def _text(raw: Any, name: str) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise bad_json(f"{name} must be a string")
    return str(raw)


def _after(raw: Any) -> int:
    text = str(raw or "0")
    if not text.isdigit():
        raise invalid(f"after must be a number from a previous page, not {text}")
    return int(text)


def _limit(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= PAGE:
        raise invalid(f"limit must be between 1 and {PAGE}, not {raw}")
    return raw
