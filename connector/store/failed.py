"""Everything that failed, in one list (P-75): what, why, since when, and what it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import Session

from connector.store.accounts import UNBOUND
from connector.store.tables import AccountRow, AgendaRow, BadEventRow, CaseRow, IntentRow, IntentState, StepRow
from workflows.cases import OPEN_STATUSES, StepStatus
from workflows.draft import UNOWNED
from workflows.said import Said


class FailedKind(StrEnum):
    """What failed.

    WRITE: the CRM refused it for good. LOOK: a deal cannot be worked on, and is tried again. STEP: a step of an open
    case has no task: the CRM refused it, or nobody active can own it. EVENT: a delivery's event could not be read.
    ACCOUNT: nothing can be done in it now.
    """

    WRITE = "write"
    LOOK = "look"
    STEP = "step"
    EVENT = "event"
    ACCOUNT = "account"


@dataclass(frozen=True)
class Failed:
    """One line of the list. ``what`` says it in a few words, ``key`` is ours of the write, step or event.

    ``again``: it is tried again by itself. Writes can be sent again one by one or by their case; the rest mends itself
    with its reason. ``write`` is the kind of a write, ``name`` its title, step or record: for other languages.
    """

    kind: FailedKind
    account: str
    since: datetime
    what: str
    reason: str
    key: str = ""
    deal_id: str | None = None
    deal_name: str = ""
    case_id: str | None = None
    again: bool = False
    write: str = ""
    name: str = ""

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self) | {"kind": self.kind.value, "since": self.since.isoformat()}


def listing(session: Session, account: str | None = None) -> list[Failed]:
    """All that failed and is not mended, the oldest first."""
    found = [*_accounts(session, account), *_writes(session, account), *_steps(session, account)]
    found += unowned(session, account)
    found += [*_looks(session, account), *_events(session, account)]
    return sorted(found, key=lambda one: (one.since, one.key))


def _accounts(session: Session, account: str | None) -> Iterator[Failed]:
    taken_out = AccountRow.started_at.is_(None) & (AccountRow.account_id == UNBOUND)
    query = select(AccountRow).where(AccountRow.trouble.is_not(None), ~taken_out)
    for row in session.scalars(query if account is None else query.where(AccountRow.name == account)):
        since = row.trouble_at or row.worked_at or row.started_at
        if since is not None:
            yield Failed(FailedKind.ACCOUNT, row.name, since, Said("all work"), row.trouble or "", again=True)


def _writes(session: Session, account: str | None) -> Iterator[Failed]:
    query = (
        select(IntentRow, CaseRow.deal_name)
        .outerjoin(CaseRow, CaseRow.id == IntentRow.case_id)
        .where(IntentRow.state == IntentState.REFUSED.value)
    )
    for row, deal_name in session.execute(query if account is None else query.where(IntentRow.account == account)):
        yield Failed(
            FailedKind.WRITE,
            row.account,
            row.ended_at or row.planned_at,
            _said(row),
            row.reason,
            key=row.key,
            deal_id=row.deal_id,
            deal_name=deal_name or "",
            case_id=row.case_id or None,
            write=row.kind,
            name=str(row.content.get("subject") or "") or _name(row),
        )


def _said(row: IntentRow) -> str:
    """Which write it is, in words: task thanks, fields of the contact."""
    name = _name(row)
    if row.kind == "fields":
        return Said("fields of the %(name)s", name=name)
    if row.kind in ("task", "update_task"):
        return (
            Said("change of the task %(name)s", name=name)
            if row.kind == "update_task"
            else Said("task %(name)s", name=name)
        )
    return f"{row.kind} {name}".strip()


def _name(row: IntentRow) -> str:
    """Of a task its step, or its subject where it belongs to no case; of fields the kind of their record."""
    if row.kind == "fields":
        return str(row.content.get("target", {}).get("kind", "record"))
    if row.kind not in ("task", "update_task"):
        return ""
    if not row.case_id:
        return str(row.content.get("subject") or "")
    return row.key.removeprefix(f"{row.case_id}:").partition(":")[0]


def _steps(session: Session, account: str | None) -> Iterator[Failed]:
    """Steps without a task whose write is not in the list itself."""
    key = CaseRow.id + ":" + StepRow.key
    refused = (
        select(IntentRow.key)
        .where(IntentRow.case_id == CaseRow.id, IntentRow.state == IntentState.REFUSED.value)
        .where(or_(IntentRow.key == key, IntentRow.key.startswith(key + "~")))
        .exists()
    )
    query = (
        select(StepRow, CaseRow)
        .join(CaseRow, CaseRow.id == StepRow.case_id)
        .where(StepRow.status == StepStatus.FAILED.value, ~refused)
        .where(CaseRow.status.in_([status.value for status in OPEN_STATUSES]))
    )
    for step, case in session.execute(query if account is None else query.where(StepRow.account == account)):
        yield Failed(
            FailedKind.STEP,
            step.account,
            case.confirmed_at or case.opened_at,
            Said("task %(name)s", name=step.key),
            Said("the CRM refused its task, and it was left at that"),
            key=step.key,
            deal_id=case.deal_id,
            deal_name=case.deal_name,
            case_id=case.id,
            name=step.key,
        )


def unowned(session: Session, account: str | None = None) -> Iterator[Failed]:
    """Steps of open cases whose tasks wait because nobody active can own them (P-14)."""
    query = select(CaseRow).where(CaseRow.status.in_([status.value for status in OPEN_STATUSES]))
    query = query.where(cast(CaseRow.written, String).contains(f'"{UNOWNED}', autoescape=True))
    for case in session.scalars(query if account is None else query.where(CaseRow.account == account)):
        waiting = select(StepRow.key).where(StepRow.case_id == case.id, StepRow.status == StepStatus.WAITING.value)
        steps = set(session.scalars(waiting))
        for key, since in case.written.items():
            step = key.removeprefix(UNOWNED)
            if key.startswith(UNOWNED) and (step in steps or step.startswith("_")):
                yield Failed(
                    FailedKind.STEP,
                    case.account,
                    datetime.fromisoformat(since),
                    Said("task %(name)s", name=step.strip("_")),
                    Said(
                        "no active user can own its task: name an active people.manager in the settings, or give the "
                        "deal an active owner"
                    ),
                    key=step,
                    deal_id=case.deal_id,
                    deal_name=case.deal_name,
                    case_id=case.id,
                    again=True,
                    name=step.strip("_"),
                )


def _looks(session: Session, account: str | None) -> Iterator[Failed]:
    query = (
        select(AgendaRow, CaseRow.id, CaseRow.deal_name)
        .outerjoin(
            CaseRow,
            (CaseRow.account == AgendaRow.account)
            & (CaseRow.deal_id == AgendaRow.deal_id)
            & CaseRow.status.in_([status.value for status in OPEN_STATUSES]),
        )
        .where(AgendaRow.trouble.is_not(None))
    )
    for row, case_id, deal_name in session.execute(
        query if account is None else query.where(AgendaRow.account == account)
    ):
        yield Failed(
            FailedKind.LOOK,
            row.account,
            row.troubled_at or row.due_at,
            Said("work on the deal"),
            row.trouble or "",
            deal_id=row.deal_id,
            deal_name=deal_name or "",
            case_id=case_id,
            again=True,
        )


def _events(session: Session, account: str | None) -> Iterator[Failed]:
    query = select(BadEventRow)
    for row in session.scalars(query if account is None else query.where(BadEventRow.account == account)):
        yield Failed(
            FailedKind.EVENT, row.account or "", row.at, Said("a delivery's event"), row.reason, key=str(row.id)
        )
