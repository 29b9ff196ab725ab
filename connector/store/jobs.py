"""Work that an admin started in the console: how far it is, whether anyone still does it, and what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session

from connector.store.console_tables import JobRow
from connector.store.database import one_after_another

REHEARSAL = "rehearsal"
"""The kind of work whose outcome names people."""
KEPT = timedelta(hours=1)
"""What came of it is kept for so long: it names customers."""


def begin(session: Session, row: JobRow, silent_for: timedelta) -> bool:
    """Put this piece of work in the place of the last of its kind; False while someone is still at that.

    ``silent_for``: who gave no sign of life for so long is not at it any more.
    """
    one_after_another(session, f"job-{row.kind}-{row.account}")
    now = session.get(JobRow, (row.kind, row.account))
    if now is not None and now.ended_at is None and now.beat_at + silent_for > row.begun_at:
        return False
    if now is not None:
        session.delete(now)
        session.flush()
    session.add(row)
    return True


def get(session: Session, kind: str, account: str) -> JobRow | None:
    """The last piece of work of this kind."""
    return session.get(JobRow, (kind, account))


def change(session: Session, kind: str, account: str, run: str, **values: Any) -> None:
    """Set columns, unless another run has taken its place."""
    mine = (JobRow.kind == kind, JobRow.account == account, JobRow.run == run)
    session.execute(update(JobRow).where(*mine).values(**values))


def forget_old(session: Session, before: datetime) -> None:
    """Drop what ended, or was last heard of, before then."""
    session.execute(delete(JobRow).where(or_(JobRow.ended_at < before, JobRow.beat_at < before)))


def forget_ended(session: Session, account: str) -> None:
    """Drop what came of work on this account, and what would come of a rehearsal under way: it names customers.

    Whoever is at that rehearsal finds no place to keep its outcome. Other work under way keeps its place, so that
    nobody begins the same beside it.
    """
    over = or_(JobRow.ended_at.is_not(None), JobRow.kind == REHEARSAL)
    session.execute(delete(JobRow).where(JobRow.account == account, over))
