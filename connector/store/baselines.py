"""Where relations began, by company: what baselines found, for what comes later (P-60, P-61)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connector.store.door_tables import BaselineRow
from connector.store.tables import AnswerRow, CaseRow
from workflows.baseline import FRAME
from workflows.cases import Baseline, Case, StartingFigure, StartingPerson
from workflows.questions import AnswerValue
from workflows.rules import CaseKind


def subject(company_id: str | None, deal_id: str) -> str:
    """What a beginning is kept under: the company, or the deal where it has none."""
    return f"company:{company_id}" if company_id else f"deal:{deal_id}"


def keep(session: Session, case: Case, starting: Baseline, now: datetime) -> None:
    """Add what a baseline found; a figure that was taken before stays as it was."""
    name = subject(case.company_id, case.deal_id)
    row = session.get(BaselineRow, (case.account, name))
    if row is None:
        row = BaselineRow(account=case.account, subject=name, case_id=case.id, figures={}, people={}, people_at=None)
        session.add(row)
    taken = {figure: one.model_dump(mode="json") for figure, one in starting.figures.items()}
    row.figures = {**taken, **row.figures}
    if starting.people:
        row.people = {one.contact_id: [role.value for role in one.roles] for one in starting.people}
        row.people_at = now
    session.flush()


def by_subject(session: Session, account: str, subjects: Iterable[str]) -> dict[str, Baseline]:
    """The beginnings that are known of these."""
    names = sorted(set(subjects))
    rows = session.scalars(select(BaselineRow).where(BaselineRow.account == account, BaselineRow.subject.in_(names)))
    kept = {row.subject: row for row in rows}
    frames = _frames(session, account, names)
    return {
        name: Baseline(
            figures={key: StartingFigure.model_validate(one) for key, one in kept[name].figures.items()}
            if name in kept
            else {},
            people=_people(kept[name].people) if name in kept else (),
            people_at=kept[name].people_at if name in kept else None,
            frame=frames.get(name, {}),
        )
        for name in names
        if name in kept or name in frames
    }


def _people(kept: dict[str, Any]) -> tuple[StartingPerson, ...]:
    return tuple(StartingPerson.model_validate({"contact_id": one, "roles": roles}) for one, roles in kept.items())


def _frames(session: Session, account: str, subjects: Iterable[str]) -> dict[str, dict[str, AnswerValue]]:
    """What was last agreed on how to work together, by subject."""
    companies = [name.removeprefix("company:") for name in subjects if name.startswith("company:")]
    deals = [name.removeprefix("deal:") for name in subjects if name.startswith("deal:")]
    found: dict[str, dict[str, AnswerValue]] = {}
    for column, ids in ((CaseRow.company_id, companies), (CaseRow.deal_id, deals)):
        rows = session.execute(
            select(CaseRow.company_id, CaseRow.deal_id, AnswerRow.given)
            .join(AnswerRow, AnswerRow.case_id == CaseRow.id)
            .where(
                CaseRow.account == account,
                CaseRow.kind == CaseKind.BASELINE.value,
                column.in_(ids),
                AnswerRow.questionnaire == FRAME,
            )
            .order_by(AnswerRow.at)
        )
        for company_id, deal_id, given in rows if ids else ():
            found[subject(company_id, deal_id)] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
            }
    return found
