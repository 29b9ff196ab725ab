"""Finding cases as an admin looks for them, a page at a time, with how far each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from connector.store.tables import AgendaRow, CaseRow, StepRow
from workflows.cases import OPEN_STATUSES, CaseStatus, StepStatus, steps_over

A_PAGE = 50
OPEN = "open"
PAUSED = "paused"


@dataclass(frozen=True)
class CaseFilter:
    """What is looked for. ``status`` is one of the case's, :data:`OPEN` or :data:`PAUSED`; empty: all.

    ``text`` is a part of the deal's name, or the beginning of an id of the deal or the case.
    """

    account: str = ""
    status: str = ""
    kind: str = ""
    playbook: str = ""
    text: str = ""


@dataclass(frozen=True)
class FoundCase:
    """A case in the list: its row, and how many of its steps are over."""

    row: CaseRow
    over: int
    steps: int

    @property
    def is_open(self) -> bool:
        """Whether it may still write."""
        return self.row.status in OPEN_STATUSES


def search(session: Session, wanted: CaseFilter, page: int = 1) -> tuple[list[FoundCase], int]:
    """One page of the cases that fit, the newest first, and how many fit in all."""
    query = _narrowed(select(CaseRow), wanted)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.scalars(
        query.order_by(CaseRow.opened_at.desc(), CaseRow.id).limit(A_PAGE).offset((page - 1) * A_PAGE)
    ).all()
    stand = _steps(session, [row.id for row in rows])
    return [FoundCase(row, *_how_far(row, stand.get(row.id, {}))) for row in rows], total


def _narrowed(query: Select[Any], wanted: CaseFilter) -> Select[Any]:
    for column, value in (
        (CaseRow.account, wanted.account),
        (CaseRow.kind, wanted.kind),
        (CaseRow.playbook, wanted.playbook),
    ):
        if value:
            query = query.where(column == value)
    if wanted.status == OPEN:
        query = query.where(CaseRow.status.in_([one.value for one in OPEN_STATUSES]))
    elif wanted.status == PAUSED:
        query = query.where(CaseRow.paused, CaseRow.status.in_([one.value for one in OPEN_STATUSES]))
    elif wanted.status:
        query = query.where(CaseRow.status == wanted.status)
    if wanted.text:
        query = query.where(
            CaseRow.deal_name.icontains(wanted.text, autoescape=True)
            | CaseRow.deal_id.startswith(wanted.text, autoescape=True)
            | CaseRow.id.startswith(wanted.text, autoescape=True)
        )
    return query


def _steps(session: Session, case_ids: Sequence[str]) -> dict[str, dict[StepStatus, int]]:
    """How many steps of each case stand how."""
    rows = session.execute(
        select(StepRow.case_id, StepRow.status, func.count())
        .where(StepRow.case_id.in_(case_ids))
        .group_by(StepRow.case_id, StepRow.status)
    )
    found: dict[str, dict[StepStatus, int]] = {}
    for case_id, status, count in rows:
        found.setdefault(case_id, {})[StepStatus(status)] = count
    return found


def _how_far(row: CaseRow, steps: Mapping[StepStatus, int]) -> tuple[int, int]:
    over = steps_over(CaseStatus(row.status))
    return sum(count for status, count in steps.items() if status in over), sum(steps.values())


def settles_at(session: Session, case_ids: Sequence[str]) -> dict[str, datetime]:
    """Until when the stage must hold of those that settle (P-03), by case: then their deal is looked at next."""
    query = (
        select(CaseRow.id, AgendaRow.due_at)
        .join(AgendaRow, (AgendaRow.account == CaseRow.account) & (AgendaRow.deal_id == CaseRow.deal_id))
        .where(CaseRow.status == CaseStatus.SETTLING.value, CaseRow.id.in_(case_ids))
    )
    return {row.id: row.due_at for row in session.execute(query)}


def settling(session: Session, account: str) -> tuple[int, datetime | None]:
    """How many cases of the account settle, and when the first of them has done so."""
    query = (
        select(func.count(), func.min(AgendaRow.due_at))
        .select_from(CaseRow)
        .outerjoin(AgendaRow, (AgendaRow.account == CaseRow.account) & (AgendaRow.deal_id == CaseRow.deal_id))
        .where(CaseRow.account == account, CaseRow.status == CaseStatus.SETTLING.value)
    )
    count, first = session.execute(query).one()
    return int(count), first


def playbooks_in_use(session: Session) -> list[tuple[str, str, str, int, int]]:
    """Account, playbook, version, how many open cases follow it, and how many ever did."""
    open_now = case((CaseRow.status.in_([one.value for one in OPEN_STATUSES]), 1), else_=0)
    rows = session.execute(
        select(CaseRow.account, CaseRow.playbook, CaseRow.playbook_version, func.sum(open_now), func.count())
        .group_by(CaseRow.account, CaseRow.playbook, CaseRow.playbook_version)
        .order_by(CaseRow.playbook, CaseRow.playbook_version.desc(), CaseRow.account)
    )
    return [(account, key, version, int(now or 0), ever) for account, key, version, now, ever in rows]
