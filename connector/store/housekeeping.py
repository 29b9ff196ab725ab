"""What is dropped when its time is past, so that the database stays small for years."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from connector.store.tables import BadEventRow, CallRow, TallyRow


def tidy(session: Session, *, calls_before: datetime, aside_before: datetime) -> None:
    """Drop counted calls, and events kept aside and tallies, older than these moments."""
    session.execute(delete(CallRow).where(CallRow.at < calls_before))
    session.execute(delete(BadEventRow).where(BadEventRow.at < aside_before))
    session.execute(delete(TallyRow).where(TallyRow.day < aside_before.date()))
