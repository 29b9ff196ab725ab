"""Record ids: 15 characters that mind case, 18 with a checksum that does not."""

from __future__ import annotations

import re

_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def long_id(short: str) -> str:
    """The 18-character form of a 15-character id: each suffix character tells which of five are capitals."""
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << at for at, char in enumerate(short[start : start + 5]) if "A" <= char <= "Z")
        suffix += _CHECK[bits]
    return short + suffix


def normal_id(text: object) -> str | None:
    """The 18-character form of what may be an id in either form, or None when it is none."""
    if not isinstance(text, str) or not _SHAPE.fullmatch(text):
        return None
    full = long_id(text[:15])
    return full if len(text) == 15 or text == full else None


def make_id(prefix: str, number: int) -> str:
    """The ``number``-th id of an object with this key prefix, in 18 characters."""
    digits = ""
    for _ in range(5):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return long_id(f"{prefix}5g00000{digits}")
