"""What is dropped when its time is past, so that the database stays small for years and nobody is remembered too long.

Everything goes in batches, each a transaction of its own, so that nobody waits for it. What belongs to an open case is
never touched, and that an ending had its case is never forgotten: the daily comparison would begin it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from connector.store import jobs, tries
from connector.store.database import Store
from connector.store.door_tables import WhereaboutsRow
from connector.store.erasing import SCRUB, scrub
from connector.store.tables import (
    AnswerRow,
    BadEventRow,
    CallRow,
    CaseRow,
    EventRow,
    FeedbackRow,
    IntentRow,
    IntentState,
    InventoryRow,
    LinkRow,
    NoticeRow,
    StepRow,
    TallyRow,
)
from workflows.cases import OPEN_STATUSES

BATCH = 500
CALLS_KEPT = timedelta(days=2)
_OPEN = [status.value for status in OPEN_STATUSES]
_SETTLED = [IntentState.DONE.value, IntentState.WITHDRAWN.value, IntentState.REFUSED.value]


@dataclass(frozen=True)
class Keep:
    """How long what is kept; None: for ever."""

    texts: timedelta | None
    answers: timedelta | None
    cases: timedelta | None
    log: timedelta | None
    bad_events: timedelta | None


def clean(store: Store, keep: Keep, now: datetime) -> dict[str, dict[str, int]]:
    """Drop what is past its time, and log how much; gives by account and kind how much that was."""
    removed: dict[str, dict[str, int]] = {}
    for kind, account, count in _all(store, keep, now):
        mine = removed.setdefault(account, {})
        mine[kind] = mine.get(kind, 0) + count
    with store.write() as session:
        session.execute(delete(CallRow).where(CallRow.at < now - CALLS_KEPT))
        jobs.forget_old(session, now - jobs.KEPT)
        tries.forget_old(session, now - tries.FORGOTTEN)
        if keep.bad_events is not None:
            session.execute(delete(TallyRow).where(TallyRow.day < (now - keep.bad_events).date()))
        for account, counts in removed.items():
            detail = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
            line = EventRow(account=account, case_id=None, deal_id=None, at=now, what="cleaned", detail=detail, data={})
            session.add(line)
    return removed


def _all(store: Store, keep: Keep, now: datetime) -> Iterator[tuple[str, str, int]]:
    if keep.bad_events is not None:
        before = now - keep.bad_events
        yield from _delete(store, "unreadable events", BadEventRow, BadEventRow.id, BadEventRow.at < before)
        yield from _delete(store, "deliveries of answers", FeedbackRow, FeedbackRow.id, FeedbackRow.at < before)
        yield from _delete(store, "notices", NoticeRow, NoticeRow.subject, NoticeRow.mended_at < before)
    if keep.texts is not None:
        yield from _texts(store, now - keep.texts)
    if keep.answers is not None:
        yield from _answers(store, now - keep.answers)
    if keep.cases is not None:
        yield from _cases(store, now - keep.cases)
    if keep.log is not None:
        ours = select(CaseRow.id).where(CaseRow.status.in_(_OPEN))
        old = and_(EventRow.at < now - keep.log, or_(EventRow.case_id.is_(None), EventRow.case_id.not_in(ours)))
        yield from _delete(store, "lines of the log", EventRow, EventRow.id, old)
    yield from _texts_of_the_erased(store)


def _ended(before: datetime) -> ColumnElement[bool]:
    return and_(CaseRow.status.not_in(_OPEN), CaseRow.closed_at < before)


def _delete(
    store: Store, kind: str, table: type[Any], key: Any, old: ColumnElement[bool]
) -> Iterator[tuple[str, str, int]]:
    """Delete rows by batches; one count an account each."""
    while True:
        with store.write() as session:
            rows = session.execute(select(key, table.account).where(old).limit(BATCH)).all()
            if rows:
                session.execute(delete(table).where(key.in_([row[0] for row in rows]), old))
        yield from _counted(kind, [row[1] or "" for row in rows])
        if len(rows) < BATCH:
            return


def _counted(kind: str, names: list[str]) -> Iterator[tuple[str, str, int]]:
    for account in sorted(set(names)):
        yield kind, account, names.count(account)


def _texts(store: Store, before: datetime) -> Iterator[tuple[str, str, int]]:
    """Writes that are settled, of cases that have ended, or of none."""
    ended = select(CaseRow.id).where(_ended(before))
    old = and_(
        IntentRow.state.in_(_SETTLED),
        or_(IntentRow.case_id.in_(ended), and_(IntentRow.case_id == "", IntentRow.ended_at < before)),
    )
    yield from _delete(store, "texts", IntentRow, IntentRow.key, old)


def _answers(store: Store, before: datetime) -> Iterator[tuple[str, str, int]]:
    ended = select(CaseRow.id).where(_ended(before))
    yield from _delete(store, "answers", AnswerRow, AnswerRow.link_id, AnswerRow.case_id.in_(ended))


def _cases(store: Store, before: datetime) -> Iterator[tuple[str, str, int]]:
    """Of a case that ended long ago only that it was stays: its deal, kind, dates and outcome."""
    while True:
        with store.write() as session:
            with_steps = select(StepRow.case_id).where(StepRow.case_id == CaseRow.id).exists()
            rows = session.scalars(
                select(CaseRow).where(_ended(before), or_(with_steps, CaseRow.deal_name != "")).limit(BATCH)
            ).all()
            _strip(session, rows)
            names = [row.account for row in rows]
        yield from _counted("cases", names)
        if len(names) < BATCH:
            return


def _strip(session: Session, rows: Any) -> None:
    ids = [row.id for row in rows]
    session.execute(delete(StepRow).where(StepRow.case_id.in_(ids)))
    session.execute(delete(AnswerRow).where(AnswerRow.case_id.in_(ids)))
    session.execute(delete(IntentRow).where(IntentRow.case_id.in_(ids)))
    session.execute(delete(InventoryRow).where(InventoryRow.case_id.in_(ids)))
    session.execute(delete(WhereaboutsRow).where(WhereaboutsRow.case_id.in_(ids)))
    session.execute(update(LinkRow).where(LinkRow.case_id.in_(ids)).values(contact_id=None, roles=None, person=None))
    session.execute(
        update(LinkRow).where(LinkRow.case_id.in_(ids), LinkRow.closed_at.is_(None)).values(closed_at=LinkRow.made_at)
    )
    for row in rows:
        row.deal_name, row.reason, row.company_id = "", None, None
        row.contact_ids, row.written = [], {}


def _texts_of_the_erased(store: Store) -> Iterator[tuple[str, str, int]]:
    """What was sent for cases of people who were erased, since they were."""
    with store.read() as session:
        rows = session.execute(select(CaseRow.id, CaseRow.account, CaseRow.written).where(CaseRow.written.is_not(None)))
        flagged = [(case_id, account) for case_id, account, written in rows if written.get(SCRUB)]
    for case_id, account in flagged:
        with store.write() as session:
            count = scrub(session, account, [case_id])
        if count:
            yield "texts of the erased", account, count
