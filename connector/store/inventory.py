"""The customer's things (P-22), item by item, so that two people who save at once lose nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from connector.store.database import insert_or
from connector.store.tables import InventoryRow
from workflows.cases import InventoryItem, ItemKind

FIELDS = ("kind", "title", "owner_id", "place", "due_on", "evidence", "received_on", "received_by")
"""What people fill in."""


def to_item(row: InventoryRow) -> InventoryItem:
    """The row as the domain knows it."""
    values = {name: getattr(row, name) for name in FIELDS}
    return InventoryItem(id=row.id, changed_at=row.changed_at, **values | {"kind": ItemKind(row.kind)})


def rows(session: Session, case_id: str, *, hold: bool = False) -> Sequence[InventoryRow]:
    """The case's items in their order, without those that were taken out. ``hold``: nobody else changes them now."""
    query = (
        select(InventoryRow)
        .where(InventoryRow.case_id == case_id, InventoryRow.removed_at.is_(None))
        .order_by(InventoryRow.position, InventoryRow.id)
    )
    return session.scalars(query.with_for_update() if hold else query).all()


def of_cases(session: Session, case_ids: Sequence[str]) -> dict[str, tuple[InventoryItem, ...]]:
    """The items of each of these cases that has any."""
    found: dict[str, list[InventoryItem]] = {}
    for row in session.scalars(
        select(InventoryRow)
        .where(InventoryRow.case_id.in_(case_ids), InventoryRow.removed_at.is_(None))
        .order_by(InventoryRow.position, InventoryRow.id)
    ):
        found.setdefault(row.case_id, []).append(to_item(row))
    return {case_id: tuple(items) for case_id, items in found.items()}


def is_begun(session: Session, case_id: str) -> bool:
    """Whether anybody has saved the list, even if everything was taken out of it again."""
    return session.scalar(select(InventoryRow.id).where(InventoryRow.case_id == case_id).limit(1)) is not None


def add(session: Session, account: str, case_id: str, item: InventoryItem) -> None:
    """Put a new item at the end. One that is there already, as of a form sent twice, is left as it is."""
    last = session.scalar(select(func.max(InventoryRow.position)).where(InventoryRow.case_id == case_id))
    values = {"account": account, "case_id": case_id, "position": (last or 0) + 1, "version": 1, **_values(item)}
    session.execute(insert_or(session, InventoryRow).values(id=item.id, **values).on_conflict_do_nothing())


def change(session: Session, item: InventoryItem, version: int) -> bool:
    """Keep the item as it is now, if nobody changed it since it had this version; whether that was so."""
    result = session.execute(
        update(InventoryRow)
        .where(InventoryRow.id == item.id, InventoryRow.version == version, InventoryRow.removed_at.is_(None))
        .values(version=version + 1, **_values(item))
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]  # a result of an update has it


def remove(session: Session, item_id: str, version: int, now: datetime) -> bool:
    """Take the item out, if nobody changed it since; whether it is out."""
    result = session.execute(
        update(InventoryRow)
        .where(InventoryRow.id == item_id, InventoryRow.version == version)
        .values(version=version + 1, removed_at=now, changed_at=now)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]  # as above


def _values(item: InventoryItem) -> dict[str, object]:
    return {name: getattr(item, name) for name in FIELDS} | {"kind": item.kind.value, "changed_at": item.changed_at}
