"""Lines of the check-up that adapters of different CRMs tell alike (P-73)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from adapters.results import Finding, Level, Said

DRIFT_NOTED = 60
DRIFT_HARMFUL = 240
"""Seconds. CRMs refuse, and we do, what was signed more than five minutes ago."""


def clock(theirs: datetime, ours: datetime, crm: str) -> Finding:
    """How far our clock is from the CRM's, which its answers carry."""
    drift = round((ours - theirs).total_seconds())
    if abs(drift) < DRIFT_NOTED:
        return Finding(
            "clock", Level.OK, Said("within %(seconds)d s of %(crm)s's", seconds=max(abs(drift), 1), crm=crm)
        )
    if drift > 0:
        text = Said(
            "this machine's clock is %(seconds)d s ahead of %(crm)s's, so due times and signatures are judged wrongly",
            seconds=drift,
            crm=crm,
        )
    else:
        text = Said(
            "this machine's clock is %(seconds)d s behind %(crm)s's, so due times and signatures are judged wrongly",
            seconds=-drift,
            crm=crm,
        )
    level = Level.FAULT if abs(drift) >= DRIFT_HARMFUL else Level.WARNING
    remedy = Said("let the machine keep time by itself (NTP), such as: timedatectl set-ntp true")
    return Finding("clock", level, text, remedy)


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
            each = [Said("%(name)s (%(what)s)", name=name, what=needed[name]) for name in names]
            told = each[0]
            for one in each[1:]:
                told = Said("%(before)s, %(one)s", before=told, one=one)
            found.append(Finding("scopes", level, Said("the token may not: %(scopes)s", scopes=told), remedy))
    return found or [Finding("scopes", Level.OK, Said("all %(count)d that are needed were granted", count=len(needed)))]
