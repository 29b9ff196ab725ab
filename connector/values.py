"""Kinds of values in config.yaml. Each refuses what cannot be meant, with the cure as its message (ValueError)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, SecretStr, WithJsonSchema

from workflows.dates import calendar
from workflows.family import WHEN_NAMES
from workflows.fields import REASON_OPTIONS
from workflows.said import Said
from workflows.texts import ONLY_IF_NAMES, check_expression

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d+)([smhdw])")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_GUESSABLE = re.compile(r"change.?me|secret.?key|password|passwort|example|default|insecure|12345678", re.IGNORECASE)
STRONG = Said("make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'")


def near(seen: str, known: Sequence[str], *, begins: bool = False) -> str:
    """``did you mean …? `` when something known looks like ``seen``, else nothing. Case does not count.

    ``begins``: it begins a sentence.
    """
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(seen.casefold(), by_folded, n=2, cutoff=0.6)
    if not found:
        return ""
    one, other = by_folded[found[0]], by_folded[found[-1]]
    if len(found) == 1:
        return Said("Did you mean %(one)s? ", one=one) if begins else Said("did you mean %(one)s? ", one=one)
    if begins:
        return Said("Did you mean %(one)s or %(other)s? ", one=one, other=other)
    return Said("did you mean %(one)s or %(other)s? ", one=one, other=other)


def parse_duration(value: object) -> timedelta:
    """``0s``, ``5m``, ``24h``, ``3d``, ``2w``, also put together (``1h30m``). Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    text = str(value).replace(" ", "")
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+", text) or len(text) > 20:
        raise ValueError(Said("write a number and a unit: s, m, h, d or w, such as 5m, 24h or 3d"))
    found: dict[str, int] = {}
    for number, unit in _DURATION.findall(text):
        found[_UNITS[unit]] = found.get(_UNITS[unit], 0) + int(number)
    length = timedelta(**found) if sum(found.values()) < 10**9 else timedelta.max
    if length > timedelta(days=3660):
        raise ValueError(Said("write at most ten years"))
    return length


def format_duration(length: timedelta) -> str:
    """The shortest spelling that :func:`parse_duration` reads back as the same."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0 and not (unit == "d" and seconds == size):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _listed(value: object) -> object:
    """One name stands for a list of one."""
    return [value] if isinstance(value, str | int) else value


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        cure = near(name, sorted(available_timezones()))
        raise ValueError(
            Said("unknown time zone; %(near)sWrite one of the tz database, such as Europe/Paris", near=cure)
        ) from None
    return name


def _calendar(code: str) -> str:
    calendar(code)
    return code


def _language(code: str) -> str:
    from babel import Locale, UnknownLocaleError

    try:
        locale = Locale.parse(code.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        raise ValueError(Said("unknown language; write its ISO code, such as en, fr or pt-BR")) from None
    return str(locale).replace("_", "-")


def _mail(address: str) -> str:
    if not _MAIL.fullmatch(address.strip()):
        raise ValueError(Said("write the e-mail address of a CRM user"))
    return address.strip()


def _figure(text: str) -> str:
    if not re.fullmatch(r"(company|deal)\.\w+", text):
        raise ValueError(Said("write company.<field> or deal.<field>, with the CRM's own name of the field"))
    return text


def _account_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise ValueError(Said("write a short name of a-z, 0-9, - and _"))
    return name


def _condition(text: str) -> str:
    problem = check_expression(text, ONLY_IF_NAMES)
    if problem is not None:
        raise ValueError(Said("this condition cannot be used: %(problem)s", problem=problem))
    return text


def _playbook_condition(text: str) -> str:
    problem = check_expression(text, WHEN_NAMES)
    if problem is not None:
        raise ValueError(Said("this condition cannot be used: %(problem)s", problem=problem))
    return text


def _positive(length: timedelta) -> timedelta:
    if length < timedelta(seconds=1):
        raise ValueError(Said("write at least 1s"))
    return length


def split_listen(value: str) -> tuple[str, int]:
    """``host:port`` or ``[v6 address]:port`` taken apart. Raises ValueError."""
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(Said("write host:port, such as 127.0.0.1:8080"))
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether this host name or address is this machine only."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(value: str) -> str:
    known = [option.value for option in REASON_OPTIONS]
    if value not in known:
        raise ValueError(Said("is no reason; write one of %(known)s", known=", ".join(known)))
    return value


def _strong(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if len(value) < 32:
        raise ValueError(
            Said("has %(count)d characters and needs at least 32; %(strong)s", count=len(value), strong=STRONG)
        )
    if _GUESSABLE.search(value) or len(set(value)) < 8:
        raise ValueError(Said("can be guessed; %(strong)s", strong=STRONG))
    return secret


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": r"^((\d+[smhdw])+|\$\{\w+\})$"}),
]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Mail = Annotated[str, AfterValidator(_mail)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Calendar = Annotated[str, AfterValidator(_calendar)]
Language = Annotated[str, AfterValidator(_language)]
Figure = Annotated[str, AfterValidator(_figure)]
Condition = Annotated[str, AfterValidator(_condition)]
PlaybookCondition = Annotated[str, AfterValidator(_playbook_condition)]
Reason = Annotated[str, AfterValidator(_reason)]
AccountName = Annotated[str, AfterValidator(_account_name)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
SecretKeys = Annotated[
    tuple[Annotated[SecretStr, AfterValidator(_strong)], ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
