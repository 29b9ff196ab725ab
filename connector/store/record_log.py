"""The log of one record of the CRM: what was done to it, when, on which signal, with which answer (P-74)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, String, and_, cast, or_, select
from sqlalchemy.orm import Session

from connector.store.tables import CaseRow, EventRow, IntentRow

KINDS = ("deal", "company", "contact", "task", "note")
"""Records that we read or write. ``note`` stands for files as well."""


def of_record(session: Session, record_id: str, *, kind: str = "", account: str | None = None) -> list[EventRow]:
    """Every line about the record, oldest first: all of a deal's, and of others those of writes that concerned them.

    ``kind`` is one of :data:`KINDS`, or empty where the id says it all. What was written is known for as long as its
    texts are kept; after that only what was written to the record itself is told.
    """
    found = {event.id: event for event in _of_deal(session, record_id, account)} if kind in ("", "deal") else {}
    if kind != "deal":
        case_ids = _case_ids(session, record_id, account)
        rows = session.scalars(select(IntentRow).where(IntentRow.case_id.in_(case_ids)))
        keys = {row.key for row in rows if any(_fits(one, record_id, kind) for one in _records(row))}
        loose = and_(EventRow.case_id.is_(None), EventRow.deal_id.is_(None))
        lines = _events(session, account, or_(EventRow.case_id.in_(case_ids), loose))
        found |= {event.id: event for event in lines if event.data.get("key") in keys or _names(event, record_id)}
    return [found[number] for number in sorted(found)]


def _of_deal(session: Session, deal_id: str, account: str | None) -> Sequence[EventRow]:
    cases = select(CaseRow.id).where(CaseRow.deal_id == deal_id)  # a merged deal's case began under another id
    cases = cases.where(CaseRow.account == account) if account else cases
    return _events(session, account, or_(EventRow.deal_id == deal_id, EventRow.case_id.in_(cases)))


def _events(session: Session, account: str | None, condition: ColumnElement[bool]) -> Sequence[EventRow]:
    query = select(EventRow).where(condition)
    return session.scalars(query.where(EventRow.account == account) if account else query).all()


def _case_ids(session: Session, record_id: str, account: str | None) -> list[str]:
    named = cast(CaseRow.contact_ids, String).contains(f'"{record_id}"', autoescape=True)
    cases = select(CaseRow.id).where(or_(CaseRow.company_id == record_id, named))
    writes = select(IntentRow.case_id).where(IntentRow.record_id == record_id)
    if account:
        cases, writes = cases.where(CaseRow.account == account), writes.where(IntentRow.account == account)
    return sorted({*session.scalars(cases), *session.scalars(writes)} - {""})


def _records(row: IntentRow) -> Iterator[tuple[str, str | None]]:
    """Kind and id of every record that the write concerns."""
    content = row.content
    target = content.get("target") or {}
    yield target.get("kind", ""), target.get("id")
    yield "company", content.get("company_id")
    yield "task", content.get("task_id")
    for contact_id in content.get("contact_ids") or ():
        yield "contact", contact_id
    if row.kind != "fields":
        yield "task" if "task" in row.kind else "note", row.record_id


def _fits(record: tuple[str, str | None], record_id: str, kind: str) -> bool:
    return record[1] == record_id and kind in ("", record[0])


def _names(event: EventRow, record_id: str) -> bool:
    """Whether the line itself names the record, as what was written or as the person whose step it is."""
    return any(value == record_id or str(value).endswith(f"@{record_id}") for value in event.data.values())
