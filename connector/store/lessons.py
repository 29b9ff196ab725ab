"""What an account learns from: answers for its digests, who is a customer still, which signs were told already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connector.store.intake import to_answer
from connector.store.tables import AnswerRow, CaseRow, CursorRow, IntentRow
from workflows.cases import CaseStatus
from workflows.ending import BY_HAND, TAKEN_OUT
from workflows.questions import Answer
from workflows.rules import CaseKind

MOST_ANSWERS = 2000


@dataclass(frozen=True)
class Received:
    """An answer of an offboarding, and when it reached us."""

    answer: Answer
    deal_id: str
    deal_name: str
    at: datetime


def leavers_answers(session: Session, account: str, since: datetime, until: datetime) -> list[Received]:
    """Answers in offboardings that reached us after ``since`` and up to ``until``, in the order in which they did.

    A survey tool of the account's own may bring an answer days after it was given (P-38), so that its own moment
    would put it into a digest that is out already. Those of cases whose deal has gone are left out.
    At most :data:`MOST_ANSWERS`: the rest comes after the last of them.
    """
    rows = session.execute(
        select(AnswerRow, CaseRow.deal_id, CaseRow.deal_name)
        .join(CaseRow, CaseRow.id == AnswerRow.case_id)
        .where(
            AnswerRow.account == account,
            AnswerRow.received_at > since,
            AnswerRow.received_at <= until,
            AnswerRow.by.in_(("customer", "csm", "team")),
            CaseRow.kind == CaseKind.OFFBOARDING.value,
            CaseRow.status != CaseStatus.STOPPED.value,
        )
        .order_by(AnswerRow.received_at, AnswerRow.link_id)
        .limit(MOST_ANSWERS)
    )
    return [Received(to_answer(row), deal_id, deal_name, row.received_at) for row, deal_id, deal_name in rows]


def left_at(session: Session, account: str, company_ids: Sequence[str]) -> dict[str, datetime]:
    """When the newest plan for the leaving of each of these companies began, where one did and was not taken back."""
    if not company_ids:
        return {}
    rows = session.execute(
        select(CaseRow.company_id, func.max(CaseRow.entered_at))
        .where(
            CaseRow.account == account,
            CaseRow.kind == CaseKind.OFFBOARDING.value,
            CaseRow.company_id.in_(company_ids),
            CaseRow.confirmed_at.is_not(None),
            CaseRow.outcome.not_in(("renewed", BY_HAND, TAKEN_OUT)),
        )
        .group_by(CaseRow.company_id)
    )
    return {company_id: at for company_id, at in rows if company_id is not None}


def told_since(session: Session, account: str, prefix: str, since: datetime) -> set[str]:
    """Keys of writes with this beginning that were planned after that."""
    return set(
        session.scalars(
            select(IntentRow.key).where(
                IntentRow.account == account,
                IntentRow.key.startswith(prefix, autoescape=True),
                IntentRow.planned_at > since,
            )
        )
    )


def moved(session: Session, account: str, stream: str) -> tuple[str, datetime] | None:
    """How far a stream was read, and when that was."""
    row = session.get(CursorRow, (account, stream))
    return (row.cursor, row.moved_at) if row is not None else None
