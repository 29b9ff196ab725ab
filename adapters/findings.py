"""Lines of the check-up that adapters of different CRMs tell alike (P-73)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from adapters.results import Finding, Level

DRIFT_NOTED = 60
DRIFT_HARMFUL = 240
"""Seconds. CRMs refuse, and we do, what was signed more than five minutes ago."""


def clock(theirs: datetime, ours: datetime, crm: str) -> Finding:
    """How far our clock is from the CRM's, which its answers carry."""
    drift = round((ours - theirs).total_seconds())
    if abs(drift) < DRIFT_NOTED:
        return Finding("clock", Level.OK, f"within {max(abs(drift), 1)} s of {crm}'s")
    where = "ahead of" if drift > 0 else "behind"
    text = f"this machine's clock is {abs(drift)} s {where} {crm}'s, so due times and signatures are judged wrongly"
    level = Level.FAULT if abs(drift) >= DRIFT_HARMFUL else Level.WARNING
    return Finding("clock", level, text, "let the machine keep time by itself (NTP), such as: timedatectl set-ntp true")


def some(names: Sequence[str], most: int = 4) -> str:
    """These names, or how many they are with the first of them."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{len(names)} of them, such as {', '.join(names[: most - 1])}"


def scopes(
    granted: Collection[str], needed: Mapping[str, str], harmless: Collection[str], remedy: str
) -> list[Finding]:
    """What a token may do against what we need; the lack of a harmless one only keeps a part of the work undone."""
    missing = [name for name in needed if name not in granted]
    found = []
    for level, names in (
        (Level.FAULT, [name for name in missing if name not in harmless]),
        (Level.WARNING, [name for name in missing if name in harmless]),
    ):
        if names:
            told = ", ".join(f"{name} ({needed[name]})" for name in names)
            found.append(Finding("scopes", level, f"the token may not: {told}", remedy))
    return found or [Finding("scopes", Level.OK, f"all {len(needed)} that are needed were granted")]
