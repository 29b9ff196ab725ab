"""Queries as text. Values are quoted by simple-salesforce; names of fields and objects are ours or were checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from simple_salesforce.format import format_soql

from adapters.salesforce.mapping import write_datetime

LONGEST_QUERY = 12_000
"""Characters of a percent-encoded query; Salesforce takes about 16,000 of address and headers together."""


def select(fields: Iterable[str], source: str, where: str = "", order: str = "", limit: int | None = None) -> str:
    """A query. Each field is asked for once, since SOQL refuses a second time."""
    names = ", ".join({name.lower(): name for name in fields}.values())
    text = f"SELECT {names} FROM {source}"  # noqa: S608 - names only; values are quoted by is_in and is_equal
    text += f" WHERE {where}" if where else ""
    text += f" ORDER BY {order}" if order else ""
    return text + (f" LIMIT {limit}" if limit is not None else "")


def is_equal(field: str, value: Any) -> str:
    """``field = value``, quoted."""
    return f"{field} = {format_soql('{}', value)}"


def is_above(field: str, value: Any) -> str:
    """``field > value``, quoted."""
    return f"{field} > {format_soql('{}', value)}"


def is_in(field: str, values: Sequence[str]) -> str:
    """``field IN (values)``, quoted."""
    return f"{field} IN {format_soql('{}', list(values))}"


def moment(value: datetime) -> str:
    """A datetime literal, with the milliseconds that format_soql would cut off."""
    text = write_datetime(value)
    return text if not value.microsecond else f"{text[:-1]}.{value.microsecond // 1000:03}Z"


def chunks(query: Callable[[Sequence[str]], str], values: Sequence[str]) -> Iterator[str]:
    """``query(values)``, in as many queries as the length of an address allows; none for no values."""
    if not values:
        return
    text = query(values)
    if len(quote(text)) <= LONGEST_QUERY or len(values) == 1:
        yield text
        return
    middle = len(values) // 2
    yield from chunks(query, values[:middle])
    yield from chunks(query, values[middle:])
