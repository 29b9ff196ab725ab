"""Wrong passwords of late, counted for all web processes together; nothing here says whose they were.

What is counted goes by a digest. The table is bounded: what is over an hour old goes with the next try or the next
cleaning, and of a flood of names the oldest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from connector.store.console_tables import TryRow
from connector.store.database import one_after_another

FORGOTTEN = timedelta(hours=1)
"""After so long without a wrong password, it begins anew."""
MOST_KEPT = 10_000


def hold(session: Session, names: Iterable[str]) -> None:
    """From here to the end of the transaction nobody else counts under these names."""
    for name in sorted(names):
        one_after_another(session, f"try-{_digest(name)}")


def of(session: Session, name: str, now: datetime) -> tuple[int, datetime]:
    """How many wrong passwords there were under this name, and the moment of the last; none after an hour's rest."""
    row = session.get(TryRow, _digest(name), populate_existing=True)
    return (0, now) if row is None or row.last_at + FORGOTTEN <= now else (row.wrong, row.last_at)


def add(session: Session, name: str, now: datetime) -> None:
    """Count one more."""
    wrong, _ = of(session, name, now)
    key = _digest(name)
    row = session.get(TryRow, key)
    if row is not None:
        row.wrong, row.last_at = wrong + 1, now
        return
    forget_old(session, now - FORGOTTEN)
    session.add(TryRow(key=key, wrong=1, last_at=now))
    session.flush()
    if (over := (session.scalar(select(func.count()).select_from(TryRow)) or 0) - MOST_KEPT) > 0:
        oldest = select(TryRow.key).order_by(TryRow.last_at, TryRow.key).limit(over)
        session.execute(delete(TryRow).where(TryRow.key.in_(oldest)))


def take_back(session: Session, name: str, *, all_of_it: bool) -> None:
    """The last one counted was right after all; or nothing under this name counts any more."""
    row = session.get(TryRow, _digest(name), populate_existing=True)
    if row is not None and all_of_it:
        session.delete(row)
    elif row is not None:
        row.wrong = max(0, row.wrong - 1)


def forget_old(session: Session, before: datetime) -> None:
    """Drop what was counted before then."""
    session.execute(delete(TryRow).where(TryRow.last_at <= before))


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
