"""Who may sign in to the console, and which browsers are signed in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from connector.store.console_tables import AdminRow, AdminSessionRow


def listing(session: Session) -> Sequence[AdminRow]:
    """All admins, by address."""
    return session.scalars(select(AdminRow).order_by(AdminRow.email)).all()


def by_email(session: Session, email: str) -> AdminRow | None:
    """The admin with this address, however it is written."""
    return session.scalar(select(AdminRow).where(AdminRow.email == email.strip().casefold()))


def by_invitation(session: Session, digest: str, now: datetime) -> AdminRow | None:
    """The admin whom this invitation, still good, is for."""
    return session.scalar(select(AdminRow).where(AdminRow.invitation == digest, AdminRow.invited_until > now))


def add(session: Session, email: str, now: datetime) -> AdminRow:
    """A new admin, without a password yet."""
    row = AdminRow(email=email.strip().casefold(), created_at=now)
    session.add(row)
    session.flush()
    return row


def remove(session: Session, admin_id: int) -> None:
    """Take an admin out; their browsers are signed out with that."""
    end_sessions(session, admin_id)
    session.execute(delete(AdminRow).where(AdminRow.id == admin_id))


def change(session: Session, admin_id: int, **values: object) -> None:
    """Set columns of the admin's row."""
    session.execute(update(AdminRow).where(AdminRow.id == admin_id).values(**values))


def begin_session(session: Session, digest: str, admin_id: int, now: datetime) -> None:
    """A browser is signed in."""
    session.add(AdminSessionRow(id=digest, admin_id=admin_id, made_at=now, seen_at=now))


def of_session(session: Session, digest: str) -> tuple[AdminSessionRow, AdminRow] | None:
    """The signed-in browser and its admin."""
    found = session.execute(
        select(AdminSessionRow, AdminRow).join(AdminRow).where(AdminSessionRow.id == digest)
    ).one_or_none()
    return (found[0], found[1]) if found is not None else None


def seen(session: Session, digest: str, now: datetime) -> None:
    """The browser was heard of."""
    session.execute(update(AdminSessionRow).where(AdminSessionRow.id == digest).values(seen_at=now))


def end_session(session: Session, digest: str) -> None:
    """A browser is signed out."""
    session.execute(delete(AdminSessionRow).where(AdminSessionRow.id == digest))


def end_sessions(session: Session, admin_id: int) -> None:
    """All browsers of an admin are signed out."""
    session.execute(delete(AdminSessionRow).where(AdminSessionRow.admin_id == admin_id))


def tidy(session: Session, seen_before: datetime) -> None:
    """Drop browsers that were not heard of for long."""
    session.execute(delete(AdminSessionRow).where(AdminSessionRow.seen_at < seen_before))
