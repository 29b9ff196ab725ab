"""Intents: keyed writes with their state, so that nothing is lost and nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from connector.store.database import insert_or
from connector.store.tables import IntentRow, IntentState
from workflows.fields import FieldType, field
from workflows.writes import FieldValue, UpdateFields, Write

_WRITE: TypeAdapter[Write] = TypeAdapter(Write)
_OPEN = (IntentState.PLANNED.value, IntentState.SENT.value)


def plan(session: Session, account: str, case_id: str, writes: Iterable[Write], now: datetime) -> None:
    """Add keyed writes as planned. A key that is there already is left as it is."""
    rows = [
        {
            "account": account,
            "key": write.key,
            "case_id": case_id,
            "deal_id": write.deal_id,
            "kind": write.kind,
            "content": _WRITE.dump_python(write, mode="json"),
            "state": IntentState.PLANNED.value,
            "position": position,
            "planned_at": now,
            "reason": "",
            "attempts": 0,
        }
        for position, write in enumerate(writes)
    ]
    if rows:
        session.execute(insert_or(session, IntentRow).values(rows).on_conflict_do_nothing())


def content(row: IntentRow) -> Write:
    """The write that the intent is for, just as it was planned."""
    write = _WRITE.validate_python(row.content, strict=False)
    if not isinstance(write, UpdateFields):
        return write
    values = {name: _typed(field(write.target.kind, name).type, value) for name, value in write.values.items()}
    return write.model_copy(update={"values": values})


def _typed(kind: FieldType, value: FieldValue) -> FieldValue:
    """JSON knows neither moments nor decimals; what the field holds tells what the text stands for."""
    if isinstance(value, str) and kind is FieldType.DATETIME:
        return datetime.fromisoformat(value)
    if isinstance(value, str) and kind is FieldType.DATE:
        return date.fromisoformat(value)
    if isinstance(value, str) and kind is FieldType.NUMBER:
        return Decimal(value)
    return value


def open_for(session: Session, account: str, deal_ids: Sequence[str]) -> Sequence[IntentRow]:
    """Planned and sent intents of these deals, in the order in which they were planned."""
    return session.scalars(
        select(IntentRow)
        .where(IntentRow.account == account, IntentRow.deal_id.in_(deal_ids), IntentRow.state.in_(_OPEN))
        .order_by(IntentRow.planned_at, IntentRow.position, IntentRow.key)
    ).all()


def sent(session: Session, account: str, keys: Sequence[str], now: datetime) -> None:
    """They are about to be sent; from here on their outcome is unclear until the CRM's answer is kept."""
    for chunk in _chunks(keys):
        session.execute(
            update(IntentRow)
            .where(IntentRow.account == account, IntentRow.key.in_(chunk))
            .values(state=IntentState.SENT.value, sent_at=now, attempts=IntentRow.attempts + 1)
        )


def begin_to_send(session: Session, account: str, keys: Sequence[str], now: datetime) -> None:
    """They were marked as sent a while ago, and only now the first call is made."""
    for chunk in _chunks(keys):
        session.execute(
            update(IntentRow).where(IntentRow.account == account, IntentRow.key.in_(chunk)).values(sent_at=now)
        )


def ended(
    session: Session,
    account: str,
    key: str,
    state: IntentState,
    now: datetime,
    *,
    record_id: str | None = None,
    reason: str = "",
) -> None:
    """The CRM's clear answer, or our own decision not to send it any more."""
    session.execute(
        update(IntentRow)
        .where(IntentRow.account == account, IntentRow.key == key)
        .values(state=state.value, ended_at=now, record_id=record_id, reason=reason)
    )


def back_to_planned(session: Session, account: str, keys: Sequence[str], reason: str) -> None:
    """It is certain that nothing was done: they may be sent again."""
    for chunk in _chunks(keys):
        session.execute(
            update(IntentRow)
            .where(IntentRow.account == account, IntentRow.key.in_(chunk))
            .values(state=IntentState.PLANNED.value, sent_at=None, reason=reason)
        )


def unclear(session: Session, account: str, key: str, reason: str) -> None:
    """Note why a sent intent has no clear outcome yet."""
    session.execute(update(IntentRow).where(IntentRow.account == account, IntentRow.key == key).values(reason=reason))


def withdraw(session: Session, account: str, keys: Sequence[str], now: datetime) -> None:
    """Planned intents among these will not be sent any more; sent ones stay what they are."""
    for chunk in _chunks(keys):
        session.execute(
            update(IntentRow)
            .where(
                IntentRow.account == account,
                IntentRow.key.in_(chunk),
                IntentRow.state == IntentState.PLANNED.value,
            )
            .values(state=IntentState.WITHDRAWN.value, ended_at=now)
        )


def follow(session: Session, account: str, case_id: str, deal_id: str) -> None:
    """The case's deal was merged into another: what is still open is looked for there (P-09)."""
    session.execute(
        update(IntentRow)
        .where(IntentRow.account == account, IntentRow.case_id == case_id, IntentRow.state.in_(_OPEN))
        .values(deal_id=deal_id)
    )


def newest(session: Session, account: str, prefix: str, kind: str) -> IntentRow | None:
    """The one planned last of this kind, of those whose keys begin so."""
    query = select(IntentRow).where(IntentRow.account == account, IntentRow.kind == kind)
    query = query.where(IntentRow.key.startswith(prefix, autoescape=True))
    return session.scalars(query.order_by(IntentRow.planned_at.desc()).limit(1)).first()


def by_key(session: Session, account: str, key: str) -> IntentRow | None:
    """The intent with this key, if it was ever planned."""
    return session.get(IntentRow, (account, key))


def of_case(session: Session, case_id: str) -> Sequence[IntentRow]:
    """All intents of a case, in the order in which they were planned."""
    return session.scalars(
        select(IntentRow).where(IntentRow.case_id == case_id).order_by(IntentRow.planned_at, IntentRow.position)
    ).all()


def refused(session: Session, account: str | None = None, case_id: str | None = None) -> Sequence[IntentRow]:
    """What failed for good (P-75)."""
    query = select(IntentRow).where(IntentRow.state == IntentState.REFUSED.value).order_by(IntentRow.ended_at)
    if account is not None:
        query = query.where(IntentRow.account == account)
    if case_id is not None:
        query = query.where(IntentRow.case_id == case_id)
    return session.scalars(query).all()


def under_way(session: Session, account: str) -> Sequence[IntentRow]:
    """All of the account's writes that have not come to an end, in the order in which they were planned."""
    return session.scalars(
        select(IntentRow)
        .where(IntentRow.account == account, IntentRow.state.in_(_OPEN))
        .order_by(IntentRow.planned_at, IntentRow.position, IntentRow.key)
    ).all()


def retry(session: Session, case_id: str, now: datetime) -> list[IntentRow]:
    """Plan the refused writes of a case again, and only those (P-75); gives them, each as :func:`retry_one`."""
    rows = [retry_one(session, row.account, row.key, now) for row in refused(session, case_id=case_id)]
    return [row for row in rows if row is not None]


def retry_one(session: Session, account: str, key: str, now: datetime) -> IntentRow | None:
    """Plan one refused write again; None when it is not refused (any more).

    Fields that a later write of ours has brought newer values to are left out; where none is left, the write is
    withdrawn instead, and its state says so: old values must not take the place of newer ones.
    """
    row = by_key(session, account, key)
    if row is None or row.state != IntentState.REFUSED.value:
        return None
    if row.kind == "fields" and (newer := _newer_fields(session, row)):
        values = {name: value for name, value in row.content["values"].items() if name not in newer}
        if not values:
            row.state, row.ended_at = IntentState.WITHDRAWN.value, now
            return row
        row.content = {**row.content, "values": values}
    row.state = IntentState.PLANNED.value
    row.sent_at = row.ended_at = None
    return row


def _newer_fields(session: Session, row: IntentRow) -> set[str]:
    """The fields of its record that were written after this write, whatever case did it.

    One that was refused counts as well: part of its values may have arrived, and it is the one to be tried again.
    """
    later = or_(
        IntentRow.planned_at > row.planned_at,
        and_(IntentRow.planned_at == row.planned_at, IntentRow.position > row.position),
    )
    contents = session.scalars(
        select(IntentRow.content)
        .where(IntentRow.account == row.account, IntentRow.kind == "fields", later)
        .where(or_(IntentRow.state != IntentState.WITHDRAWN.value, IntentRow.sent_at.is_not(None)))
        .where(IntentRow.content["target"]["id"].as_string() == row.content["target"]["id"])
    )
    return {name for each in contents if each["target"] == row.content["target"] for name in each["values"]}


def leave(session: Session, case_id: str, now: datetime) -> int:
    """The refused writes of a case are not wanted any more; gives how many."""
    rows = refused(session, case_id=case_id)
    for row in rows:
        row.state, row.ended_at = IntentState.WITHDRAWN.value, now
    return len(rows)


def _chunks(keys: Sequence[str], size: int = 500) -> Iterable[Sequence[Any]]:
    """SQLite bounds the number of variables in a statement."""
    return (keys[start : start + size] for start in range(0, len(keys), size))
