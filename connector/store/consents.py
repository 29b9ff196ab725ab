"""Attempts to connect an account in the browser."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from connector.store.console_tables import OAuthStateRow


def begin(session: Session, row: OAuthStateRow, now: datetime) -> None:
    """Keep an attempt; those whose time is past are dropped."""
    session.execute(delete(OAuthStateRow).where(OAuthStateRow.expires_at <= now))
    session.add(row)


def take(session: Session, state_id: str, now: datetime) -> OAuthStateRow | None:
    """The attempt, which is gone from here on; None when there is none, or it has been taken, or it is too old."""
    gone = delete(OAuthStateRow).where(OAuthStateRow.id == state_id).returning(OAuthStateRow)
    row = session.execute(gone).scalar_one_or_none()
    return row if row is not None and row.expires_at > now else None
