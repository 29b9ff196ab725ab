"""The agenda: one row per deal that is to be looked at. A hundred signals for a deal are one row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from connector.store.database import insert_or
from connector.store.tables import AgendaRow


@dataclass(frozen=True)
class Entry:
    """A wish to look at a deal at ``due_at``; see :class:`connector.store.tables.AgendaRow`."""

    deal_id: str
    due_at: datetime
    why: str
    tasks: bool = False
    asked: bool = False


def put(session: Session, account: str, entries: Iterable[Entry]) -> None:
    """Add wishes. An earlier moment wins; the version rises, so that a look under way does not swallow it."""
    rows = [
        {
            "account": account,
            "deal_id": entry.deal_id,
            "due_at": entry.due_at,
            "why": entry.why,
            "tasks": entry.tasks,
            "asked": entry.asked,
            "version": 1,
            "attempts": 0,
        }
        for entry in _merged(entries)
    ]
    if not rows:
        return
    insert = insert_or(session, AgendaRow).values(rows)
    new = insert.excluded
    session.execute(
        insert.on_conflict_do_update(
            index_elements=[AgendaRow.account, AgendaRow.deal_id],
            set_={
                "due_at": case((new.due_at < AgendaRow.due_at, new.due_at), else_=AgendaRow.due_at),
                "version": AgendaRow.version + 1,
                "why": new.why,
                "tasks": or_(AgendaRow.tasks, new.tasks),
                "asked": or_(AgendaRow.asked, new.asked),
            },
        )
    )


def _merged(entries: Iterable[Entry]) -> Iterable[Entry]:
    """One entry a deal, since a statement may not touch a row twice; in order, so that two that put the same deals wait
    for each other instead of deadlocking."""
    merged: dict[str, Entry] = {}
    for entry in entries:
        other = merged.get(entry.deal_id, entry)
        merged[entry.deal_id] = replace(
            entry,
            due_at=min(entry.due_at, other.due_at),
            tasks=entry.tasks or other.tasks,
            asked=entry.asked or other.asked,
        )
    return [merged[deal_id] for deal_id in sorted(merged)]


def due(session: Session, account: str, now: datetime, limit: int) -> Sequence[AgendaRow]:
    """The rows of an account whose time has come, the longest due first."""
    return session.scalars(
        select(AgendaRow)
        .where(AgendaRow.account == account, AgendaRow.due_at <= now)
        .order_by(AgendaRow.due_at, AgendaRow.deal_id)
        .limit(limit)
    ).all()


def of_deal(session: Session, account: str, deal_id: str) -> AgendaRow | None:
    """The deal's row, if it is to be looked at."""
    return session.get(AgendaRow, (account, deal_id))


def due_accounts(session: Session, now: datetime) -> Sequence[str]:
    """Accounts that have something due."""
    return session.scalars(select(AgendaRow.account).where(AgendaRow.due_at <= now).distinct()).all()


def looked(session: Session, row: AgendaRow, next_look: datetime | None) -> None:
    """A look is over: move the row to the next look, or remove it. A signal that came meanwhile keeps it due."""
    unchanged = _same_version(row)
    if next_look is None:
        session.execute(delete(AgendaRow).where(unchanged))
    else:
        session.execute(
            update(AgendaRow)
            .where(unchanged)
            .values(due_at=next_look, tasks=False, asked=False, attempts=0, trouble=None, troubled_at=None, why="timer")
        )


def failed(session: Session, row: AgendaRow, until: datetime, trouble: str, now: datetime) -> None:
    """A look could not be finished: come back at ``until``. A signal that came meanwhile does not hurry it."""
    session.execute(
        update(AgendaRow)
        .where(AgendaRow.account == row.account, AgendaRow.deal_id == row.deal_id)
        .values(
            due_at=until,
            attempts=AgendaRow.attempts + 1,
            trouble=trouble,
            troubled_at=func.coalesce(AgendaRow.troubled_at, now),
        )
    )


def _same_version(row: AgendaRow):  # type: ignore[no-untyped-def]  # SQLAlchemy's expression types say nothing here
    return and_(AgendaRow.account == row.account, AgendaRow.deal_id == row.deal_id, AgendaRow.version == row.version)


def troubled(session: Session) -> Sequence[AgendaRow]:
    """Rows whose last look failed."""
    return session.scalars(
        select(AgendaRow).where(AgendaRow.trouble.is_not(None)).order_by(AgendaRow.account, AgendaRow.deal_id)
    ).all()


def depth(session: Session, now: datetime) -> dict[str, tuple[int, datetime]]:
    """By account: how many rows are due, and since when the oldest is."""
    found: dict[str, tuple[int, datetime]] = {}
    for account, since in session.execute(
        select(AgendaRow.account, AgendaRow.due_at).where(AgendaRow.due_at <= now).order_by(AgendaRow.due_at)
    ):
        count, oldest = found.get(account, (0, since))
        found[account] = (count + 1, oldest)
    return found
