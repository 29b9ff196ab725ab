"""What comes in from outside: links that were given out, answers, and what a delivery leaves besides signals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from connector.store.database import insert_or
from connector.store.tables import AnswerRow, BadEventRow, CaseRow, FeedbackRow, LinkRow, TallyRow
from workflows.asking import author_id
from workflows.questions import Answer


def keep_link(session: Session, link: LinkRow) -> None:
    """Make a link known. It may be known already: then only what is known of its person is brought up to date."""
    values = {column.key: getattr(link, column.key) for column in LinkRow.__mapper__.column_attrs}
    insert = insert_or(session, LinkRow).values(**values)
    newer = {name: values[name] for name in ("roles", "person") if values[name] is not None}
    if newer:
        session.execute(insert.on_conflict_do_update(index_elements=[LinkRow.id], set_=newer))
    else:
        session.execute(insert.on_conflict_do_nothing())


def surveyed(
    session: Session, account: str, people: Collection[str], contacts: Collection[str], since: datetime
) -> Sequence[LinkRow]:
    """Surveys given since then to any of these ``people`` (keyed digests) or ``contacts`` (ids), oldest first."""
    return session.scalars(
        select(LinkRow)
        .where(LinkRow.account == account, LinkRow.kind == "survey", LinkRow.made_at > since)
        .where(or_(LinkRow.person.in_(people), LinkRow.contact_id.in_(contacts)))
        .order_by(LinkRow.made_at, LinkRow.id)
    ).all()


def link(session: Session, link_id: str) -> LinkRow | None:
    """The link with this id."""
    return session.get(LinkRow, link_id)


def own_link(link: LinkRow, author: str) -> str:
    """The id under which the answer of this colleague is kept; without a name that of the page itself (P-42)."""
    return f"{link.id}~{author_id(author)}" if author else link.id


def keep_own_link(session: Session, link: LinkRow, author: str) -> LinkRow:
    """The link beside the page's own under which this colleague's answer is kept."""
    if not author:
        return link
    known = session.get(LinkRow, own_link(link, author))
    if known is not None:
        return known
    values = {column.key: getattr(link, column.key) for column in LinkRow.__mapper__.column_attrs}
    made = LinkRow(**values | {"id": own_link(link, author)})
    session.add(made)
    session.flush()
    return made


def authors(session: Session, link_id: str) -> list[str]:
    """The names of the colleagues who answered on this page, the first first."""
    theirs = AnswerRow.link_id.startswith(f"{link_id}~", autoescape=True)
    return list(session.scalars(select(AnswerRow.author).where(theirs).order_by(AnswerRow.received_at)))


def links_of_case(session: Session, case_id: str) -> Sequence[LinkRow]:
    """The case's pages that still take answers."""
    return session.scalars(
        select(LinkRow)
        .where(LinkRow.case_id == case_id, LinkRow.closed_at.is_(None), LinkRow.id.not_like("%~%"))
        .order_by(LinkRow.made_at, LinkRow.id)
    ).all()


def close_links(session: Session, case_id: str, now: datetime) -> None:
    """The pages of this case take no more answers (P-06)."""
    session.execute(
        update(LinkRow).where(LinkRow.case_id == case_id, LinkRow.closed_at.is_(None)).values(closed_at=now)
    )


def close_all_links(session: Session, account: str, now: datetime) -> None:
    """No page of the account takes answers any more."""
    session.execute(
        update(LinkRow).where(LinkRow.account == account, LinkRow.closed_at.is_(None)).values(closed_at=now)
    )


def answer(session: Session, link_id: str) -> AnswerRow | None:
    """What was answered through this link so far."""
    return session.get(AnswerRow, link_id)


def save_answer(session: Session, link_row: LinkRow, answer: Answer, received_at: datetime | None = None) -> None:
    """Keep what was answered through this link; it replaces what the same person answered before.

    ``received_at``: when it reached us; None: when it was given.
    """
    row = session.get(AnswerRow, link_row.id)
    case = session.get(CaseRow, answer.case_id)
    session.merge(
        AnswerRow(
            link_id=link_row.id,
            account=link_row.account,
            case_id=answer.case_id,
            contact_id=answer.contact_id,
            questionnaire=answer.questionnaire,
            by=answer.by,
            language=answer.language,
            author=answer.author,
            at=answer.at,
            received_at=received_at or answer.at,
            heard=False,
            version=row.version + 1 if row is not None else 1,
            playbook=f"{case.playbook} {case.playbook_version}".strip() if case is not None else "",
            given={key: list(value) if isinstance(value, tuple) else value for key, value in answer.values.items()},
        )
    )


def answers(session: Session, case_ids: Sequence[str]) -> dict[str, tuple[Answer, ...]]:
    """All answers of these cases, by case, oldest first."""
    found: dict[str, list[Answer]] = {}
    for row in session.scalars(
        select(AnswerRow).where(AnswerRow.case_id.in_(case_ids)).order_by(AnswerRow.at, AnswerRow.link_id)
    ):
        found.setdefault(row.case_id, []).append(to_answer(row))
    return {case_id: tuple(rows) for case_id, rows in found.items()}


def to_answer(row: AnswerRow) -> Answer:
    """The row in the domain's words."""
    return Answer(
        case_id=row.case_id,
        contact_id=row.contact_id,
        questionnaire=row.questionnaire,
        by=row.by,
        language=row.language,
        at=row.at,
        author=row.author,
        values={key: tuple(value) if isinstance(value, list) else value for key, value in row.given.items()},
    )


def deal_of(session: Session, case_id: str) -> str | None:
    """The deal that this case is about now."""
    return session.scalar(select(CaseRow.deal_id).where(CaseRow.id == case_id))


def others_answered(session: Session, case_id: str) -> bool:
    """Whether a customer or an interviewer has answered anything in this case."""
    found = select(AnswerRow.link_id).where(AnswerRow.case_id == case_id, AnswerRow.by.in_(("customer", "csm")))
    return session.scalar(found.limit(1)) is not None


def take_once(session: Session, account: str, delivery: str, now: datetime) -> bool:
    """Note that a delivery of another survey tool was taken; False when it had been before (P-38)."""
    insert = insert_or(session, FeedbackRow).values(account=account, id=delivery, at=now)
    taken = session.execute(insert.on_conflict_do_nothing().returning(FeedbackRow.id))
    return taken.first() is not None


def keep_bad(session: Session, crm: str, bad: Iterable[tuple[str | None, str, str]], now: datetime) -> None:
    """Keep aside events that could not be read: ``(account, reason, excerpt)`` each."""
    session.add_all(
        BadEventRow(crm=crm, account=account, at=now, reason=reason, excerpt=excerpt)
        for account, reason, excerpt in bad
    )


def bad_events(session: Session, limit: int = 100) -> Sequence[BadEventRow]:
    """Events kept aside, the newest first."""
    return session.scalars(select(BadEventRow).order_by(BadEventRow.id.desc()).limit(limit)).all()


def tally(session: Session, day: date, name: str, subject: str, count: int) -> None:
    """Count something that gets no row of its own."""
    insert = insert_or(session, TallyRow).values(day=day, name=name, subject=subject, count=count)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=[TallyRow.day, TallyRow.name, TallyRow.subject],
            set_={"count": TallyRow.count + insert.excluded.count},
        )
    )


def tallies(session: Session, since: date) -> Sequence[TallyRow]:
    """Counts by day since then."""
    return session.scalars(select(TallyRow).where(TallyRow.day >= since).order_by(TallyRow.day, TallyRow.name)).all()
