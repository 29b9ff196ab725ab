"""The figures of one account from the database (P-44): cases are read page by page, and none is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from connector.store.door_tables import ReturnRow
from connector.store.tables import AnswerRow, CaseRow, LinkRow, StepRow
from workflows.asking import is_farewell
from workflows.cases import CaseStatus
from workflows.channel import asked_in_writing
from workflows.facts import AnswerFacts, CaseFacts, StepFacts, Who
from workflows.figures import Figures, Gathering
from workflows.questions import AnswerValue, Question, Questionnaire
from workflows.rules import CaseKind, LinkKind

PAGE = 500
_WHO = {LinkKind.INTERVIEW: Who.INTERVIEWER, LinkKind.TEAM: Who.TEAM}


def gather(
    session: Session,
    account: str,
    questionnaires: Mapping[str, Questionnaire],
    now: datetime,
    tz: ZoneInfo,
    since: date | None = None,
    until: date | None = None,
) -> Figures:
    """The figures of the cases that were opened from ``since`` on and before ``until``, days in the zone ``tz``."""
    gathering = Gathering(now, tz, since, until)
    for case in _cases(session, account, questionnaires, _period(tz, since, until)):
        gathering.add(case)
    return gathering.figures()


def _period(tz: ZoneInfo, since: date | None, until: date | None) -> tuple[datetime | None, datetime | None]:
    begin, end = (None if day is None else datetime.combine(day, time(), tz) for day in (since, until))
    return begin, end


def _cases(
    session: Session,
    account: str,
    questionnaires: Mapping[str, Questionnaire],
    period: tuple[datetime | None, datetime | None],
) -> Iterator[CaseFacts]:
    last = ""
    while page := session.execute(
        select(*_COLUMNS).where(CaseRow.account == account, CaseRow.id > last).order_by(CaseRow.id).limit(PAGE)
    ).all():
        last = page[-1].id
        counted = [row.id for row in page if _within(row.opened_at, period)]
        steps, back = _steps(session, counted), _back(session, account, counted)
        asked = _asked(session, {row.id: row.written for row in page if row.id in set(counted)}, questionnaires)
        answers = _answers(session, [row.id for row in page], questionnaires)
        for row in page:
            amount, currency = worth(row.written)
            yield CaseFacts(
                id=row.id,
                kind=CaseKind(row.kind),
                status=CaseStatus(row.status),
                outcome=row.outcome,
                playbook=row.playbook,
                version=row.playbook_version,
                opened_at=row.opened_at,
                confirmed_at=row.confirmed_at,
                reason=row.reason,
                amount=amount,
                currency=currency,
                company_id=row.company_id,
                returned=row.id in back,
                **asked.get(row.id, {}),
                steps=tuple(steps.get(row.id, ())),
                answers=tuple(answers.get(row.id, ())),
            )


_COLUMNS = (
    CaseRow.id,
    CaseRow.kind,
    CaseRow.status,
    CaseRow.outcome,
    CaseRow.playbook,
    CaseRow.playbook_version,
    CaseRow.opened_at,
    CaseRow.confirmed_at,
    CaseRow.reason,
    CaseRow.company_id,
    CaseRow.written,
)


def worth(written: Mapping[str, str]) -> tuple[Decimal | None, str | None]:
    """The deal's amount and currency as the case last saw them."""
    amount, _, currency = written.get("worth", "").partition(" ")
    try:
        return Decimal(amount), currency or None
    except InvalidOperation:
        return None, None


def _within(at: datetime, period: tuple[datetime | None, datetime | None]) -> bool:
    begin, end = period
    room = timedelta(days=1)  # who counts days exactly is the domain
    return (begin is None or at >= begin - room) and (end is None or at < end + room)


def _steps(session: Session, case_ids: Sequence[str]) -> dict[str, list[StepFacts]]:
    found: dict[str, list[StepFacts]] = defaultdict(list)
    columns = (StepRow.case_id, StepRow.rule, StepRow.status, StepRow.due_at, StepRow.completed_at)
    for row in session.execute(select(*columns).where(StepRow.case_id.in_(case_ids))) if case_ids else ():
        found[row.case_id].append(StepFacts(row.rule, row.status, row.due_at, row.completed_at))
    return found


def _category(question: Question, value: AnswerValue) -> AnswerValue:
    """A reason of an admin's own counts as the common one that it names (P-34)."""
    counted = {option.value: option.category for option in question.options if option.category}
    return counted.get(value, value) if isinstance(value, str) else value


def _back(session: Session, account: str, case_ids: Sequence[str]) -> set[str]:
    """Those of these cases whose customer came back with another deal (P-56)."""
    query = select(ReturnRow.case_id).where(ReturnRow.account == account, ReturnRow.case_id.in_(case_ids))
    return set(session.scalars(query))


def _asked(
    session: Session, written: Mapping[str, Mapping[str, str]], questionnaires: Mapping[str, Questionnaire]
) -> dict[str, dict[str, int]]:
    """By case: how many were asked for which survey in writing, and how many of them answered; calls do not count."""
    rows = session.execute(
        select(LinkRow.case_id, LinkRow.questionnaire, LinkRow.contact_id, AnswerRow.link_id)
        .outerjoin(AnswerRow, AnswerRow.link_id == LinkRow.id)
        .where(LinkRow.case_id.in_(written), LinkRow.kind == LinkKind.SURVEY.value)
    )
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for case_id, questionnaire, contact_id, answer in rows:
        if not asked_in_writing(written[case_id], questionnaire, contact_id):
            continue
        asked = questionnaires.get(questionnaire)
        later = "" if asked is None or is_farewell(asked) else "_later"
        found[case_id][f"asked{later}"] += 1
        found[case_id][f"answered{later}"] += answer is not None
    return found


def _answers(
    session: Session, case_ids: Sequence[str], questionnaires: Mapping[str, Questionnaire]
) -> dict[str, list[AnswerFacts]]:
    feeds = {key: {q.key: q for q in one.questions() if q.field} for key, one in questionnaires.items()}
    found: dict[str, list[AnswerFacts]] = defaultdict(list)
    columns = (AnswerRow.case_id, AnswerRow.contact_id, AnswerRow.questionnaire, AnswerRow.by, AnswerRow.at)
    query = select(*columns, AnswerRow.given, AnswerRow.playbook).where(AnswerRow.case_id.in_(case_ids))
    for row in session.execute(query):
        one = questionnaires.get(row.questionnaire)
        who = Who.CUSTOMER if row.by == "customer" else _WHO.get(one.kind if one else LinkKind.TEAM, Who.TEAM)
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in row.given.items()}
        mapped = feeds.get(row.questionnaire, {})
        fields = {
            mapped[key].field or "": _category(mapped[key], value) for key, value in values.items() if key in mapped
        }
        found[row.case_id].append(AnswerFacts(who, row.contact_id, row.at, fields, values, row.playbook))
    return found
