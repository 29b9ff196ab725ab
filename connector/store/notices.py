"""What people were told of inside the CRM, and what was done in a week."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from connector.store.database import insert_or
from connector.store.tables import AnswerRow, CaseRow, IntentRow, IntentState, NoticeRow


def open_ones(session: Session, account: str) -> Sequence[NoticeRow]:
    """Troubles that people were told of and that are not known to be over."""
    return session.scalars(
        select(NoticeRow).where(NoticeRow.account == account, NoticeRow.mended_at.is_(None)).order_by(NoticeRow.subject)
    ).all()


def keep(session: Session, account: str, subject: str, deal_id: str, key: str, now: datetime) -> None:
    """People are told of this trouble by the task with this key."""
    values = {"deal_id": deal_id, "key": key, "told_at": now, "mended_at": None}
    insert = insert_or(session, NoticeRow).values(account=account, subject=subject, **values)
    session.execute(insert.on_conflict_do_update(index_elements=[NoticeRow.account, NoticeRow.subject], set_=values))


def mended(session: Session, account: str, subject: str, now: datetime) -> None:
    """The trouble is over."""
    session.execute(
        update(NoticeRow).where(NoticeRow.account == account, NoticeRow.subject == subject).values(mended_at=now)
    )


def week(session: Session, account: str, since: datetime, until: datetime) -> dict[str, int]:
    """How many cases began and ended, tasks were written and answers came in between these moments."""
    begun = select(func.count()).where(
        CaseRow.account == account, CaseRow.confirmed_at >= since, CaseRow.confirmed_at < until
    )
    ended = select(func.count()).where(
        CaseRow.account == account,
        CaseRow.confirmed_at.is_not(None),
        CaseRow.closed_at >= since,
        CaseRow.closed_at < until,
    )
    tasks = select(func.count()).where(
        IntentRow.account == account,
        IntentRow.kind == "task",
        IntentRow.state == IntentState.DONE.value,
        IntentRow.ended_at >= since,
        IntentRow.ended_at < until,
        IntentRow.case_id != "",
    )
    answers = select(func.count()).where(
        AnswerRow.account == account, AnswerRow.received_at >= since, AnswerRow.received_at < until
    )
    counts = {"begun": begun, "ended": ended, "tasks": tasks, "answers": answers}
    return {name: session.scalar(query) or 0 for name, query in counts.items()}
