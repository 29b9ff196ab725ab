"""Cases, their steps, the playbooks that they follow, and their log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.orm import Session

from connector.store.database import insert_or
from connector.store.tables import AnswerRow, CaseRow, EventRow, PlaybookRow, StepRow
from workflows.cases import NOT_OPENED, OPEN_STATUSES, Case, CaseStatus, Event, Step, StepStatus
from workflows.heed import marks
from workflows.quiet import STAYS
from workflows.rules import Playbook

LATELY = timedelta(days=7)
"""For how long it is worth showing that a case was asked for and none began."""
_OPEN = [status.value for status in OPEN_STATUSES]
_CASE_COLUMNS = [column.key for column in CaseRow.__mapper__.column_attrs]


def _to_case(row: CaseRow, steps: Iterable[StepRow]) -> Case:
    values = {name: getattr(row, name) for name in _CASE_COLUMNS}
    return Case.model_validate(
        values | {"contact_ids": tuple(row.contact_ids), "steps": tuple(_to_step(step) for step in steps)}
    )


def _to_step(row: StepRow) -> Step:
    return Step(
        key=row.key,
        rule=row.rule,
        contact_id=row.contact_id,
        status=StepStatus(row.status),
        due_at=row.due_at,
        owner_id=row.owner_id,
        why=row.why,
        task_id=row.task_id,
        completed_at=row.completed_at,
        reason=row.reason,
    )


def _with_steps(session: Session, rows: Sequence[CaseRow]) -> list[Case]:
    steps: dict[str, list[StepRow]] = {}
    if rows:
        for step in session.scalars(
            select(StepRow).where(StepRow.case_id.in_([row.id for row in rows])).order_by(StepRow.position)
        ):
            steps.setdefault(step.case_id, []).append(step)
    return [_to_case(row, steps.get(row.id, ())) for row in rows]


def open_by_deal(session: Session, account: str, deal_ids: Sequence[str]) -> dict[str, Case]:
    """The open case of each of these deals that has one."""
    rows = session.scalars(
        select(CaseRow).where(CaseRow.account == account, CaseRow.deal_id.in_(deal_ids), CaseRow.status.in_(_OPEN))
    ).all()
    return {case.deal_id: case for case in _with_steps(session, rows)}


def last_by_deal(
    session: Session, account: str, deal_ids: Sequence[str], *, with_tasks_first: bool = False
) -> dict[str, Case]:
    """The newest ended case of each of these deals that has one; if so wanted, the newest with open tasks before it."""
    rows = session.scalars(
        select(CaseRow)
        .where(CaseRow.account == account, CaseRow.deal_id.in_(deal_ids), CaseRow.status.not_in(_OPEN))
        .order_by(CaseRow.number)
    ).all()
    newest = {row.deal_id: row for row in rows}
    if with_tasks_first:
        left = set(session.scalars(select(StepRow.case_id).where(*_left_open(account))))
        newest |= {row.deal_id: row for row in rows if row.id in left}
    return {case.deal_id: case for case in _with_steps(session, list(newest.values()))}


def known(session: Session, case_ids: Sequence[str]) -> frozenset[str]:
    """Which of these cases are in this database."""
    return frozenset(session.scalars(select(CaseRow.id).where(CaseRow.id.in_(case_ids))))


def older_by_deal(session: Session, account: str, last: Iterable[Case]) -> dict[str, tuple[Case, ...]]:
    """The ended cases before these, by deal, oldest first; without their steps, and only where any was answered."""
    before = {case.deal_id: case for case in last if case.number > 1}
    if not before:
        return {}
    query = select(CaseRow).where(CaseRow.account == account, CaseRow.deal_id.in_(before), CaseRow.status.not_in(_OPEN))
    rows = [row for row in session.scalars(query.order_by(CaseRow.number)) if row.number < before[row.deal_id].number]
    said = select(AnswerRow.case_id).where(AnswerRow.case_id.in_([row.id for row in rows]))
    answered = set(session.scalars(said)) if rows else set()
    deals = {row.deal_id for row in rows if row.id in answered}
    return {deal: tuple(_to_case(row, ()) for row in rows if row.deal_id == deal) for deal in deals}


def _left_open(account: str) -> tuple[ColumnElement[bool], ...]:
    """What is true of a step whose task of ours is open in the CRM, as far as is known."""
    return StepRow.account == account, StepRow.status == StepStatus.OPEN.value, StepRow.task_id.is_not(None)


def by_id(session: Session, case_id: str) -> Case | None:
    """The case with this id."""
    row = session.get(CaseRow, case_id)
    return _with_steps(session, [row])[0] if row is not None else None


def starting_with(session: Session, beginning: str) -> Case | None:
    """The one case whose id begins like this; None when there is none, or more than one."""
    rows = session.scalars(
        select(CaseRow).where(CaseRow.id.startswith(beginning, autoescape=True)).order_by(CaseRow.id).limit(2)
    ).all()
    exact = bool(rows) and rows[0].id == beginning
    return _with_steps(session, rows[:1])[0] if exact or len(rows) == 1 else None


def by_ids(session: Session, case_ids: Sequence[str]) -> list[Case]:
    """The cases with these ids."""
    return _with_steps(session, session.scalars(select(CaseRow).where(CaseRow.id.in_(case_ids))).all())


def listing(session: Session, *, account: str | None = None, open_only: bool = False, limit: int = 200) -> list[Case]:
    """Cases, the newest first."""
    query = select(CaseRow).order_by(CaseRow.opened_at.desc(), CaseRow.id).limit(limit)
    if account is not None:
        query = query.where(CaseRow.account == account)
    if open_only:
        query = query.where(CaseRow.status.in_(_OPEN))
    return _with_steps(session, session.scalars(query).all())


def open_deal_ids(session: Session, account: str, among: Sequence[str] | None = None) -> set[str]:
    """Deals with an open case; all of the account, or those among the given ones."""
    query = select(CaseRow.deal_id).where(CaseRow.account == account, CaseRow.status.in_(_OPEN))
    if among is not None:
        query = query.where(CaseRow.deal_id.in_(among))
    return set(session.scalars(query))


def deals_of_tasks(session: Session, account: str, task_ids: Sequence[str]) -> dict[str, str]:
    """Which deal each of these tasks of ours belongs to, by task id: of open cases, and of completed ones that last."""
    rows = session.execute(
        select(StepRow.task_id, CaseRow.deal_id)
        .join(CaseRow, CaseRow.id == StepRow.case_id)
        .where(StepRow.account == account, StepRow.task_id.in_(task_ids))
        .where(CaseRow.status.in_([*_OPEN, CaseStatus.COMPLETED.value]))
    )
    return {task_id: deal_id for task_id, deal_id in rows if task_id is not None}


def written_elsewhere(session: Session, case: Case) -> list[Mapping[str, str]]:
    """What the other open cases of the same company wrote last, each by the name of the write."""
    if case.company_id is None:
        return []
    others = select(CaseRow.written).where(
        CaseRow.account == case.account,
        CaseRow.company_id == case.company_id,
        CaseRow.status.in_(_OPEN),
        CaseRow.id != case.id,
    )
    return list(session.scalars(others))


def answered_elsewhere(
    session: Session, account: str, company_ids: Collection[str], contact_ids: Collection[str]
) -> tuple[Mapping[str, str], ...]:
    """What cases of these companies, open or ended, and those that these contacts answered wrote of answers (P-7B)."""
    if not company_ids and not contact_ids:
        return ()
    answered = select(AnswerRow.case_id).where(AnswerRow.account == account, AnswerRow.contact_id.in_(contact_ids))
    told = CaseRow.company_id.in_(company_ids) | CaseRow.id.in_(answered)
    rows = session.scalars(select(CaseRow.written).where(CaseRow.account == account, told))
    return tuple(kept for written in rows if (kept := marks(written)))


def waits_for_people(session: Session, account: str) -> bool:
    """Whether there is any open case, or a completed one with an open task."""
    open_case = select(CaseRow.id).where(CaseRow.account == account, CaseRow.status.in_(_OPEN)).exists()
    open_step = select(StepRow.key).where(StepRow.account == account, StepRow.status == StepStatus.OPEN.value).exists()
    return bool(session.scalar(select(open_case | open_step)))


def open_tasks(session: Session, account: str, *, of_ended: bool = False) -> list[tuple[str, int]]:
    """The name of each deal with open tasks of ours, and how many, whatever became of their cases; by name.

    ``of_ended``: only those of cases that have ended.
    """
    rows = session.execute(
        select(func.max(CaseRow.deal_name), CaseRow.deal_id, func.count())
        .join(StepRow, CaseRow.id == StepRow.case_id)
        .where(*_left_open(account), CaseRow.status.not_in(_OPEN if of_ended else ()))
        .group_by(CaseRow.deal_id)
        .order_by(func.max(CaseRow.deal_name), CaseRow.deal_id)
    )
    return [(name or deal_id, count) for name, deal_id, count in rows]


def outlasted(session: Session, account: str, *, by: Callable[[Mapping[str, str]], bool]) -> list[str]:
    """Deals with ended cases that have open tasks of ours, or that last wrote what ``by`` is true of."""
    with_tasks = (
        select(CaseRow.deal_id)
        .join(StepRow, CaseRow.id == StepRow.case_id)
        .where(*_left_open(account), CaseRow.status.not_in(_OPEN))
    )
    ended = select(CaseRow.deal_id, CaseRow.written).where(
        CaseRow.account == account, CaseRow.status == CaseStatus.COMPLETED.value
    )
    found = set(session.scalars(with_tasks)) | {deal_id for deal_id, written in session.execute(ended) if by(written)}
    return sorted(found)


def last_entry(session: Session, account: str) -> datetime | None:
    """When a deal last entered a stage that opened a case; None without cases."""
    return session.scalar(select(func.max(CaseRow.entered_at)).where(CaseRow.account == account))


def load_by_owner(session: Session, account: str) -> dict[str, int]:
    """How many open tasks of ours each user has."""
    rows = session.execute(
        select(StepRow.owner_id, func.count())
        .where(
            StepRow.account == account,
            StepRow.status.in_([StepStatus.OPEN.value, StepStatus.WRITING.value]),
            StepRow.owner_id.is_not(None),
        )
        .group_by(StepRow.owner_id)
    )
    return {owner_id: count for owner_id, count in rows if owner_id is not None}


def save(session: Session, case: Case) -> None:
    """Keep the case as it is now, with its steps."""
    values = case.model_dump(exclude={"steps"}, mode="python")
    values |= {"kind": case.kind.value, "status": case.status.value}
    values |= {"contact_ids": list(case.contact_ids), "written": dict(case.written)}
    session.merge(CaseRow(**values))
    session.flush()
    session.execute(delete(StepRow).where(StepRow.case_id == case.id))
    if case.steps:
        session.execute(StepRow.__table__.insert(), [_step_values(case, n, step) for n, step in enumerate(case.steps)])  # type: ignore[attr-defined]  # Table, typed as FromClause


def note_written(session: Session, case_id: str, name: str, value: str) -> bool:
    """Keep a line of :attr:`Case.written`, beside a look at the case; False where one of this name stands there."""
    row = session.get(CaseRow, case_id)
    if row is None or name in row.written:
        return False
    row.written = {**row.written, name: value}
    return True


def forget_written(session: Session, case_id: str, name: str) -> None:
    """Take a line that :func:`note_written` kept off again."""
    row = session.get(CaseRow, case_id)
    if row is not None:
        row.written = {one: value for one, value in row.written.items() if one != name}


def remaining_by(session: Session, account: str, deal_ids: Sequence[str]) -> Sequence[CaseRow]:
    """The offboardings whose customers remain by one of these deals (P-25)."""
    return session.scalars(_remaining(account).where(CaseRow.written[STAYS].as_string().in_(deal_ids))).all()


def keeping(session: Session, account: str, since: datetime) -> set[str]:
    """The deals by which customers remain whose offboarding is open, or was open since."""
    late = or_(CaseRow.closed_at.is_(None), CaseRow.closed_at >= since)
    noted = CaseRow.written[STAYS].as_string()
    return set(session.scalars(_remaining(account).where(late, noted.is_not(None)).with_only_columns(noted)))


def _remaining(account: str) -> Select[CaseRow]:
    status = [*_OPEN, CaseStatus.COMPLETED.value]
    return select(CaseRow).where(CaseRow.account == account, CaseRow.status.in_(status))


def _step_values(case: Case, position: int, step: Step) -> dict[str, object]:
    return step.model_dump(mode="python") | {
        "case_id": case.id,
        "account": case.account,
        "position": position,
        "status": step.status.value,
    }


def keep_playbook(session: Session, playbook: Playbook, now: datetime) -> None:
    """Freeze this version of a playbook for the cases that begin with it (P-77)."""
    session.execute(
        insert_or(session, PlaybookRow)
        .values(
            key=playbook.key,
            version=playbook.version,
            content=playbook.model_dump(mode="json"),
            first_used_at=now,
        )
        .on_conflict_do_nothing()
    )


def playbook(session: Session, key: str, version: str) -> Playbook | None:
    """The frozen version of a playbook."""
    row = session.get(PlaybookRow, (key, version))
    return Playbook.model_validate(row.content) if row is not None else None


def log(
    session: Session,
    account: str,
    events: Iterable[Event],
    now: datetime,
    *,
    case_id: str | None = None,
    deal_id: str | None = None,
) -> None:
    """Add lines to the log."""
    session.add_all(
        EventRow(
            account=account,
            case_id=case_id,
            deal_id=deal_id,
            at=now,
            what=event.what,
            detail=event.detail,
            data=dict(event.data),
        )
        for event in events
    )


def not_opened(session: Session, account: str, deal_id: str, since: datetime, after: int = 0) -> EventRow | None:
    """The newest line on why no case began that somebody asked for by hand; of those since, with a higher id."""
    query = select(EventRow).where(EventRow.account == account, EventRow.at >= since, EventRow.id > after)
    query = query.where(EventRow.deal_id == deal_id, EventRow.what == NOT_OPENED)
    return session.scalars(query.order_by(EventRow.id.desc()).limit(1)).first()


def events(session: Session, case_id: str) -> Sequence[EventRow]:
    """The log of a case, oldest first."""
    return session.scalars(select(EventRow).where(EventRow.case_id == case_id).order_by(EventRow.id)).all()
