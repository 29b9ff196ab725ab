"""Which open cases are to be told on their deals, and what was told last (P-29)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from connector.store import accounts, cases
from connector.store.tables import CaseRow
from workflows.cases import OPEN_STATUSES, Case
from workflows.progress import STALE, TRIED_AGAIN, TURN

FIELDS_THERE = "progress_fields"
"""In an account's state: its fields for progress were provisioned. Versions before these fields never noted it."""
_OPEN = [status.value for status in OPEN_STATUSES]


def may_be_told(session: Session, account: str) -> bool:
    """Whether the CRM was given the fields for it: until then each write that has them along would be refused."""
    row = accounts.get(session, account)
    return row is not None and FIELDS_THERE in row.state


def marked(session: Session, account: str, now: datetime, limit: int, held: Collection[str]) -> list[Case]:
    """Open cases that are to be told now, those that were opened first before others.

    Paused ones, and those of the ``held`` playbooks, are none: they would keep the others from their turn. So would
    those that were refused within a day.
    """
    stale = CaseRow.written[STALE].as_string()
    ids = session.scalars(
        select(CaseRow.id)
        .where(
            CaseRow.account == account,
            CaseRow.status.in_(_OPEN),
            or_(stale == TURN, stale <= (now - TRIED_AGAIN).isoformat()),
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
