"""One value of one field: from JSON, to JSON, and whether it may be stored."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from sandbox.salesforce.errors import ApiError, RecordError
from sandbox.salesforce.ids import normal_id
from sandbox.salesforce.schema import NUMERIC, TEXTUAL, Field

Row = Mapping[str, Any]

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})")
_NOTE_TAGS = frozenset(
    {"a", "b", "blockquote", "br", "div", "em", "h1", "h2", "h3", "i", "img", "li", "ol", "p", "s", "span", "strong"}
    | {"strike", "u", "ul"}
)
_TAG = re.compile(r"</?([A-Za-z][\w-]*)")
_STRAY = re.compile(r"&(?!#?\w+;)|<(?![A-Za-z/])")
_TOKENS = {str: "VALUE_STRING", bool: "VALUE_TRUE", int: "VALUE_NUMBER_INT", float: "VALUE_NUMBER_FLOAT"}


def _unreadable(kind: str, value: Any) -> ApiError:
    token = next((name for each, name in _TOKENS.items() if type(value) is each), "START_OBJECT")
    if value is False:
        token = "VALUE_FALSE"  # noqa: S105 - the vendor's word for a piece of JSON
    shown = "" if token == "START_OBJECT" else f" value {str(value).lower() if isinstance(value, bool) else value}"  # noqa: S105
    return ApiError(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {token}{shown} or request may be missing a required field"
        " at [line:1, column:1]",
    )


def from_json(field: Field, value: Any) -> Any:
    """The stored form of what a client sent; raises JSON_PARSER_ERROR for the whole request, as the vendor does.

    Dates and datetimes (aware) pass as they are, for callers in Python. Datetimes keep seconds, in UTC.
    """
    if value is None or value == "":
        return False if field.type == "boolean" else None
    if field.type == "boolean":
        if not isinstance(value, bool):
            raise _unreadable("boolean", value)
        return value
    if field.type in NUMERIC:
        return _number(field, value)
    if field.type == "date":
        return _date(value)
    if field.type == "datetime":
        return _datetime(value)
    if not isinstance(value, str):
        raise _unreadable("string", value)
    return value if field.type == "base64" else value.rstrip() if field.type != "textarea" else value


def _number(field: Field, value: Any) -> int | float:
    kind = "int" if field.type == "int" else "double"
    if isinstance(value, bool):
        raise _unreadable(kind, value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _unreadable(kind, value) from None
    return round(number) if field.scale == 0 else round(number, field.scale)


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value[:10] if _DATETIME.fullmatch(value) else value)
    except (TypeError, ValueError):
        raise _unreadable("date", value) from None


def _datetime(value: Any) -> datetime:
    if isinstance(value, str) and _DATETIME.fullmatch(value):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _unreadable("datetime", value) from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _unreadable("datetime", value)
    return value.astimezone(UTC).replace(microsecond=0)


def to_json(field: Field, value: Any) -> Any:
    """How a stored value is answered: datetimes as ``2026-11-21T09:15:02.000+0000``."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    if isinstance(value, date):
        return value.isoformat()
    if field.type in ("currency", "percent", "double") and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def check_value(field: Field, value: Any) -> None:
    """Whether this value fits its field on its own; raises :class:`RecordError`."""
    if value is None:
        return
    if field.type == "base64":
        _check_base64(field, value)
    elif field.type in TEXTUAL:
        _check_text(field, value)
    elif field.type in NUMERIC and field.precision and abs(value) >= 10 ** (field.precision - field.scale):
        raise RecordError(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{field.label}: value outside of valid range on numeric field: {value}",
            [field.name],
        )
    elif field.type == "reference" and normal_id(value) is None:
        raise RecordError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", [field.name])


def _check_base64(field: Field, value: str) -> None:
    try:
        content = base64.b64decode(value, validate=True)
        html = content.decode() if field.name == "Content" else ""
    except ValueError:
        raise RecordError("INVALID_FIELD", f"{field.name}: value not of required type", [field.name]) from None
    tags = {tag.lower() for tag in _TAG.findall(html)}
    if tags - _NOTE_TAGS or _STRAY.search(html):
        raise RecordError(
            "FIELD_INTEGRITY_EXCEPTION",
            "Note can't be saved because it contains HTML tags or unescaped characters that are not allowed in a Note.",
            [field.name],
        )


def _check_text(field: Field, value: str) -> None:
    if field.length and len(value) > field.length:
        shown = value[:40] + "..." if len(value) > 40 else value
        raise RecordError(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {shown} (max length={field.length})",
            [field.name],
        )
    if field.type == "email" and not _EMAIL.fullmatch(value):
        raise RecordError("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {value}", [field.name])
    if field.restricted and value not in {each.value for each in field.values if each.active}:
        raise RecordError(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{field.label}: bad value for restricted picklist field: {value}",
            [field.name],
        )
