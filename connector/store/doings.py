"""What people did here, as the log has it: sign-ins, changes of settings, pauses, rehearsals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from connector.store import cases
from connector.store.tables import EventRow
from workflows.cases import Event

KEPT = "settings changed in the console"
"""A page of the set-up was kept; the detail is its step."""
REHEARSED = "rehearsed"
"""A rehearsal came to its end."""
_ANEW = ("account added in the console", "uninstalled")


def latest(session: Session, limit: int = 200) -> Sequence[EventRow]:
    """The log of what concerns no single case, the newest first."""
    return session.scalars(
        select(EventRow).where(EventRow.case_id.is_(None)).order_by(EventRow.id.desc()).limit(limit)
    ).all()


def rehearsed(session: Session, account: str, now: datetime) -> None:
    """Keep that a rehearsal of this account was seen to its end."""
    cases.log(session, account, [Event(what=REHEARSED)], now)


def steps_done(session: Session, account: str) -> set[str]:
    """The steps of the set-up that someone went through here since the account was added, or taken out."""
    lines = session.execute(
        select(EventRow.what, EventRow.detail)
        .where(EventRow.account == account, EventRow.case_id.is_(None))
        .where(EventRow.what.in_((KEPT, REHEARSED, *_ANEW)))
        .order_by(EventRow.id)
    )
    done: set[str] = set()
    for what, detail in lines:
        if what in _ANEW:
            done.clear()
        else:
            done.add("rehearsal" if what == REHEARSED else detail)
    return done
