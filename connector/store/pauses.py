"""What is paused, and what follows when it goes on (P-76).

A case, a playbook in an account, or a whole account is paused. Meanwhile nothing is written for it; signals and answers
are kept. When it goes on, what is counted from the plan's start moves by as many days as it was paused, so that the
rest of a plan does not appear all at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from connector.store import accounts, agenda
from connector.store.database import insert_or
from connector.store.tables import AccountRow, AnswerRow, CaseRow, PauseRow
from workflows.cases import OPEN_STATUSES
from workflows.draft import put_off

_OPEN = [status.value for status in OPEN_STATUSES]


def playbooks(session: Session, account: str) -> dict[str, datetime]:
    """The account's paused playbooks, each with the moment since when."""
    rows = session.scalars(select(PauseRow).where(PauseRow.account == account).order_by(PauseRow.playbook))
    return {row.playbook: row.paused_at for row in rows}


def accounts_paused(session: Session) -> set[str]:
    """Accounts that an admin has paused."""
    return set(session.scalars(select(AccountRow.name).where(AccountRow.paused_at.is_not(None))))


def pause_playbook(session: Session, account: str, playbook: str, now: datetime) -> bool:
    """Hold the cases of a playbook where they are; False when they are held already."""
    if playbook in playbooks(session, account):
        return False
    values = {"account": account, "playbook": playbook, "paused_at": now}
    session.execute(insert_or(session, PauseRow).values(**values).on_conflict_do_nothing())
    return True


def resume_playbook(session: Session, account: str, playbook: str, now: datetime) -> int | None:
    """Let them go on, with what was missed; gives how many open cases there are, None when it was not paused.

    Everything is compared anew, since deals that ended meanwhile opened no case.
    """
    since = playbooks(session, account).get(playbook)
    if since is None:
        return None
    session.execute(delete(PauseRow).where(PauseRow.account == account, PauseRow.playbook == playbook))
    cases = session.scalars(
        select(CaseRow).where(
            CaseRow.account == account,
            CaseRow.playbook == playbook,
            CaseRow.status.in_(_OPEN),
            CaseRow.paused.is_(False),
        )
    ).all()
    _delay(cases, since, now)
    late = session.scalars(
        select(CaseRow.deal_id)
        .join(AnswerRow, AnswerRow.case_id == CaseRow.id)
        .where(CaseRow.account == account, CaseRow.playbook == playbook, AnswerRow.received_at >= since)
    )
    deals = {case.deal_id for case in cases} | set(late)
    agenda.put(session, account, [agenda.Entry(deal_id, now, "playbook resumed", tasks=True) for deal_id in deals])
    accounts.change(session, account, compared_at=None)
    return len(cases)


def pause_account(session: Session, account: str, now: datetime) -> bool:
    """Read and write nothing more for an account; False when it is paused already."""
    row = accounts.get(session, account)
    if row is None or row.paused_at is not None:
        return False
    accounts.change(session, account, paused_at=now)
    return True


def resume_account(session: Session, account: str, now: datetime) -> int | None:
    """Let an account go on; gives how many open cases there are, None when it was not paused.

    The next round polls and compares everything, as after a stop.
    """
    row = session.get(AccountRow, account)
    if row is None or row.paused_at is None:
        return None
    since = row.paused_at
    held = playbooks(session, account)
    cases = session.scalars(
        select(CaseRow).where(CaseRow.account == account, CaseRow.status.in_(_OPEN), CaseRow.paused.is_(False))
    ).all()
    _delay([case for case in cases if case.playbook not in held], since, now)
    accounts.change(session, account, paused_at=None, compared_at=None, polled_at=None)
    accounts.release_hold(session, account, accounts.ROUNDS)
    return len(cases)


def _delay(cases: Iterable[CaseRow], since: datetime, now: datetime) -> None:
    for case in cases:
        if case.confirmed_at is not None:
            case.written = put_off(case.written, now - max(since, case.confirmed_at))
