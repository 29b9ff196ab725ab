"""Checks and canonical forms of property values. Everything is kept as text, as HubSpot returns it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from sandbox.hubspot.definitions import FREE_CHECKS, Property
from sandbox.hubspot.errors import Problem

LONGEST = 65_536
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_EPOCH = re.compile(r"-?\d{1,15}")


def iso(moment: datetime) -> str:
    """A moment as HubSpot writes it: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(text: str) -> datetime | None:
    """A datetime value from ISO 8601 with a zone or epoch milliseconds; None when it is neither."""
    if _EPOCH.fullmatch(text):
        try:
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        except (OverflowError, ValueError, OSError):
            return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC) if len(text) == len("2026-01-01") else None
    return moment.astimezone(UTC)


def canonical(definition: Property, value: Any, old: str | None) -> str | None:
    """The value as it is stored; None clears. ``old`` is what stands there now. Raises Problem."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        raise Problem("INVALID_VALUE", f"Property value of {definition.name} must be a string")
    if value == "":
        return None
    if len(value) > LONGEST:
        raise Problem("VALUE_TOO_LONG", f"{definition.name} is {len(value)} characters long, above {LONGEST}")
    check = _CHECKS.get(definition.type)
    if definition.type == "enumeration":
        return _enumeration(definition, value, old)
    if definition.name == "hs_task_reminders":
        _reminders(value)
    if definition.name == "email" and not _EMAIL.fullmatch(value):
        raise Problem("INVALID_EMAIL", f"Email address {value} is invalid")
    return check(value) if check else value


def _enumeration(definition: Property, value: str, old: str | None) -> str | None:
    if definition.name in FREE_CHECKS:
        return value
    allowed = [option["value"] for option in definition.options]
    several = definition.field_type == "checkbox"
    append = several and value.startswith(";")
    chosen = [each for each in value.split(";") if each] if several else [value]
    for each in chosen:
        if each not in allowed:
            raise Problem("INVALID_OPTION", f"{each} was not one of the allowed options: [{', '.join(allowed)}]")
    if append and old:
        chosen = [*old.split(";"), *chosen]
    return ";".join(dict.fromkeys(chosen)) or None


def _number(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise Problem("INVALID_NUMBER", f"{value} was not a valid number.")
    return value


def _datetime(value: str) -> str:
    moment = parse_moment(value)
    if moment is None:
        raise Problem("INVALID_LONG", f"{value} was not a valid long.")
    return iso(moment)


def _date(value: str) -> str:
    moment = parse_moment(value)
    if moment is None:
        raise Problem("INVALID_DATE", f"{value} was not a valid date.")
    if (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        clock = f"{moment.hour}:{moment.minute}:{moment.second}.{moment.microsecond // 1000}"
        raise Problem("INVALID_DATE", f"{value} is at {clock} UTC, not midnight!")
    return date(moment.year, moment.month, moment.day).isoformat()


def _bool(value: str) -> str:
    if value not in ("true", "false"):
        raise Problem("INVALID_OPTION", f"{value} was not one of the allowed options: [true, false]")
    return value


def _reminders(value: str) -> None:
    if not all(_EPOCH.fullmatch(each) for each in value.split(";")):
        raise Problem("INVALID_LONG", f"{value} was not a valid long.")


_CHECKS = {"number": _number, "datetime": _datetime, "date": _date, "bool": _bool}


def sortable(definition: Property, value: str) -> float | str:
    """The value as search compares it: moments and numbers by size, all else as lower-case text."""
    if definition.type in ("datetime", "date"):
        moment = parse_moment(value)
        if moment is not None:
            return moment.timestamp() * 1000
    if definition.type == "number":
        try:
            return float(value)
        except ValueError:
            return value.lower()
    return value.lower()
