"""Which open cases are to be told on their deals, and what was told last (P-29)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from connector.store import cases
from connector.store.tables import CaseRow
from workflows.cases import OPEN_STATUSES, Case

_OPEN = [status.value for status in OPEN_STATUSES]


def marked(session: Session, account: str, mark: str, limit: int, held: Collection[str]) -> list[Case]:
    """Open cases with this line in :attr:`Case.written`, those that were opened first before others.

    Paused ones, and those of the ``held`` playbooks, are none: they would keep the others from their turn.
    """
    ids = session.scalars(
        select(CaseRow.id)
        .where(
            CaseRow.account == account,
            CaseRow.status.in_(_OPEN),
            CaseRow.written[mark].as_string().is_not(None),
            CaseRow.paused.is_(False),
            CaseRow.playbook.not_in(list(held)),
        )
        .order_by(CaseRow.opened_at, CaseRow.id)
        .limit(limit)
    )
    return cases.by_ids(session, list(ids))


def set_written(session: Session, case_id: str, written: Mapping[str, str]) -> None:
    """Keep all of :attr:`Case.written`, beside a look at the case."""
    row = session.get(CaseRow, case_id)
    if row is not None:
        row.written = dict(written)
