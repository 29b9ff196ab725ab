"""What is kept of customers who have left: their wishes, where their people are, and whether they came back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

from sqlalchemy import delete, false, func, select, update
from sqlalchemy.orm import Session

from connector.store.database import insert_or
from connector.store.door_tables import ReturnRow, ToldRow, VoiceRow, WhereaboutsRow, WishRow
from connector.store.tables import AnswerRow, CaseRow, StepRow
from workflows.cases import CaseStatus, News, NewsKind
from workflows.quiet import is_partial
from workflows.rules import CaseKind

CHUNK = 500
_LEFT = (CaseStatus.ACTIVE.value, CaseStatus.COMPLETED.value)


def news(session: Session, account: str, case_ids: Sequence[str]) -> dict[str, tuple[News, ...]]:
    """What was learned of the customers of these cases, by case (P-52, P-53, P-56)."""
    found: dict[str, list[News]] = {}
    wishes = (
        select(VoiceRow.case_id, VoiceRow.contact_id, WishRow.id, WishRow.text, WishRow.note, WishRow.delivered_at)
        .join(WishRow, WishRow.id == VoiceRow.wish_id)
        .where(VoiceRow.account == account, VoiceRow.case_id.in_(case_ids), WishRow.delivered_at.is_not(None))
        .order_by(WishRow.id, VoiceRow.link_id)
    )
    for case_id, contact_id, wish_id, wish, note, at in session.execute(wishes):
        text = f"{wish} ({note})" if note else wish
        told = found.setdefault(case_id, [])
        if not any(one.kind is NewsKind.WISH and one.id == str(wish_id) for one in told):
            told.append(News(kind=NewsKind.WISH, id=str(wish_id), at=at, contact_id=contact_id, text=text))
    moved = select(WhereaboutsRow).where(
        WhereaboutsRow.account == account, WhereaboutsRow.case_id.in_(case_ids), WhereaboutsRow.moved_at.is_not(None)
    )
    for row in session.scalars(moved):
        if row.moved_at is not None:
            one = News(
                kind=NewsKind.MOVED,
                id=f"{row.contact_id}-{row.company_id}",
                at=row.moved_at,
                contact_id=row.contact_id,
                text=row.company_name,
            )
            found.setdefault(row.case_id, []).append(one)
    for back in session.scalars(
        select(ReturnRow).where(ReturnRow.account == account, ReturnRow.case_id.in_(case_ids)).order_by(ReturnRow.at)
    ):
        found.setdefault(back.case_id, []).append(News(kind=NewsKind.RETURNED, id=back.deal_id, at=back.at))
    return {case_id: tuple(told) for case_id, told in found.items()}


# --- wishes (P-52) --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Voice:
    """One customer's words of a wish: the answer they stand in, and its deal."""

    link_id: str
    question: str
    case_id: str
    deal_id: str
    deal_name: str
    contact_id: str | None
    heard_at: datetime
    words: str
    wish_id: int | None


def add_voice(session: Session, account: str, link_id: str, question: str, answer: AnswerRow) -> None:
    """Keep that a wish was voiced in an answer; it may be known already."""
    values = {
        "link_id": link_id,
        "question": question,
        "account": account,
        "case_id": answer.case_id,
        "contact_id": answer.contact_id,
        "heard_at": answer.at,
    }
    session.execute(insert_or(session, VoiceRow).values(**values).on_conflict_do_nothing())


def unheard(session: Session, account: str, among: Collection[str]) -> Sequence[AnswerRow]:
    """Answers to these questionnaires that are new or were edited since wishes were last listened for."""
    return session.scalars(
        select(AnswerRow).where(
            AnswerRow.account == account, AnswerRow.heard == false(), AnswerRow.questionnaire.in_(among)
        )
    ).all()


def heard(session: Session, answer: AnswerRow) -> bool:
    """Note that an answer was gone through as it was read; False when it was edited since, and is to be read again."""
    seen = (AnswerRow.link_id == answer.link_id, AnswerRow.version == answer.version)
    noted = session.execute(update(AnswerRow).where(*seen).values(heard=True).returning(AnswerRow.link_id))
    return noted.first() is not None


def forget_voices(session: Session, link_id: str, said: Collection[str]) -> None:
    """An edited answer no longer voices a wish under any but these questions; what was made a wish of stays."""
    gone = (VoiceRow.link_id == link_id, VoiceRow.wish_id.is_(None), VoiceRow.question.not_in(said))
    session.execute(delete(VoiceRow).where(*gone))


def voices(session: Session, account: str, *, unsorted: bool = False) -> list[Voice]:
    """What leavers wished for, in their words, the newest first; with ``unsorted`` what belongs to no wish yet."""
    query = (
        select(VoiceRow, AnswerRow.given, CaseRow.deal_id, CaseRow.deal_name)
        .join(AnswerRow, AnswerRow.link_id == VoiceRow.link_id)
        .join(CaseRow, CaseRow.id == VoiceRow.case_id)
        .where(VoiceRow.account == account)
        .order_by(VoiceRow.heard_at.desc(), VoiceRow.link_id, VoiceRow.question)
    )
    rows = session.execute(query.where(VoiceRow.wish_id.is_(None)) if unsorted else query)
    return [
        Voice(
            link_id=row.link_id,
            question=row.question,
            case_id=row.case_id,
            deal_id=deal_id,
            deal_name=deal_name,
            contact_id=row.contact_id,
            heard_at=row.heard_at,
            words=str(given.get(row.question, "")),
            wish_id=row.wish_id,
        )
        for row, given, deal_id, deal_name in rows
    ]


def wishes(session: Session, account: str) -> Sequence[WishRow]:
    """All wishes of the ledger, the newest first."""
    return session.scalars(select(WishRow).where(WishRow.account == account).order_by(WishRow.id.desc())).all()


def wish(session: Session, account: str, wish_id: int) -> WishRow | None:
    """The wish with this number."""
    return session.scalar(select(WishRow).where(WishRow.account == account, WishRow.id == wish_id))


def add_wish(session: Session, account: str, text: str, now: datetime) -> WishRow:
    """A new line of the ledger."""
    row = WishRow(account=account, text=text, made_at=now, delivered_at=None)
    session.add(row)
    session.flush()
    return row


def assign(session: Session, wish_id: int | None, chosen: Iterable[Voice]) -> None:
    """These voices belong to this wish; None: to none."""
    for voice in chosen:
        session.execute(
            update(VoiceRow)
            .where(VoiceRow.link_id == voice.link_id, VoiceRow.question == voice.question)
            .values(wish_id=wish_id)
        )


def deals_of_wish(session: Session, wish_id: int) -> list[str]:
    """The deals whose customers voiced it."""
    query = select(CaseRow.deal_id).join(VoiceRow, VoiceRow.case_id == CaseRow.id).where(VoiceRow.wish_id == wish_id)
    return sorted(set(session.scalars(query)))


def tellings(
    session: Session, account: str, case_ids: Collection[str], rules: Collection[str]
) -> Mapping[tuple[str, str], Sequence[StepRow]]:
    """The steps that tell customers of their wish, by case and rule."""
    found: dict[tuple[str, str], list[StepRow]] = {}
    wanted = sorted(case_ids)
    for start in range(0, len(wanted) if rules else 0, CHUNK):
        query = select(StepRow).where(
            StepRow.account == account,
            StepRow.case_id.in_(wanted[start : start + CHUNK]),
            StepRow.rule.in_(sorted(rules)),
        )
        for step in session.scalars(query):
            found.setdefault((step.case_id, step.rule), []).append(step)
    return found


# --- who works where (P-53) -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """A contact of an ended case, and the company where they were last seen.

    ``since`` is when the contract ended; ``noticed``: it was seen before that they work elsewhere, or seem to.
    """

    contact_id: str
    case_id: str
    deal_id: str
    company_id: str | None
    since: datetime
    noticed: bool = False


def to_compare(session: Session, account: str, before: datetime) -> list[Known]:
    """The people of completed offboardings that were not compared since ``before``; each once, by the newest case."""
    seen = {
        row.contact_id: row for row in session.scalars(select(WhereaboutsRow).where(WhereaboutsRow.account == account))
    }
    cases = session.execute(
        select(
            CaseRow.id,
            CaseRow.deal_id,
            CaseRow.company_id,
            CaseRow.contact_ids,
            CaseRow.contract_end,
            CaseRow.closed_at,
        )
        .where(
            CaseRow.account == account,
            CaseRow.kind == CaseKind.OFFBOARDING.value,
            CaseRow.status == CaseStatus.COMPLETED.value,
        )
        .order_by(CaseRow.opened_at)
    )
    found: dict[str, Known] = {}
    for case_id, deal_id, company_id, contact_ids, contract_end, closed_at in cases:
        ended = [datetime.combine(contract_end, time(), UTC)] if contract_end is not None else []
        since = min([*ended, closed_at or before])
        for contact_id in contact_ids:
            row = seen.get(contact_id)
            if row is None or row.checked_at < before:
                known = row.company_id if row is not None else company_id
                noticed = row is not None and row.moved_at is not None
                found[contact_id] = Known(contact_id, case_id, deal_id, known, since, noticed)
    return list(found.values())


def keep_whereabouts(
    session: Session, account: str, one: Known, now: datetime, moved_to: tuple[str | None, str] | None
) -> None:
    """The contact was compared; ``moved_to`` is the id and name of the company where they are now, if another.

    With a mere hint, its id is that of the company where we know them.
    """
    row = session.get(WhereaboutsRow, (account, one.contact_id))
    if row is None:
        row = WhereaboutsRow(
            account=account, contact_id=one.contact_id, company_id=one.company_id, company_name="", moved_at=None
        )
        session.add(row)
    row.case_id, row.checked_at = one.case_id, now
    if moved_to is not None:
        row.company_id, row.company_name = moved_to
        row.moved_at = now


# --- returns (P-56) -------------------------------------------------------------------------------------------------


def former_cases(session: Session, account: str, company_ids: Sequence[str]) -> dict[str, list[CaseRow]]:
    """The offboardings of these companies that reached a plan, by company, the newest first.

    A partial ending is none of them: such a customer never left.
    """
    found: dict[str, list[CaseRow]] = {}
    query = (
        select(CaseRow)
        .where(
            CaseRow.account == account,
            CaseRow.company_id.in_(company_ids),
            CaseRow.kind == CaseKind.OFFBOARDING.value,
            CaseRow.status.in_(_LEFT),
        )
        .order_by(CaseRow.opened_at.desc())
    )
    for row in session.scalars(query):
        if not is_partial(row.written):
            found.setdefault(row.company_id or "", []).append(row)
    return found


def told(session: Session, account: str, deal_ids: Sequence[str]) -> dict[str, ToldRow]:
    """Which of these deals were told why their customer had left (P-43), by deal."""
    query = select(ToldRow).where(ToldRow.account == account, ToldRow.deal_id.in_(deal_ids))
    return {row.deal_id: row for row in session.scalars(query)}


def keep_told(session: Session, account: str, deal_id: str, now: datetime, *, fit: bool) -> None:
    """The deal is told now why its customer had left; ``fit``: also whether they were a fit."""
    found = {"fit": fit, "at": now}
    added = insert_or(session, ToldRow).values(account=account, deal_id=deal_id, **found)
    session.execute(added.on_conflict_do_update(index_elements=[ToldRow.account, ToldRow.deal_id], set_=found))


def returned(session: Session, account: str, deal_ids: Sequence[str]) -> Mapping[str, ReturnRow]:
    """Which of these deals were recognised as returns, by deal."""
    query = select(ReturnRow).where(ReturnRow.account == account, ReturnRow.deal_id.in_(deal_ids))
    return {row.deal_id: row for row in session.scalars(query)}


def credit(session: Session, account: str, deal_id: str, case_id: str, now: datetime) -> None:
    """A customer who had left came back with this deal."""
    values = {"account": account, "deal_id": deal_id, "case_id": case_id, "at": now}
    session.execute(insert_or(session, ReturnRow).values(**values).on_conflict_do_nothing())


def take_back(session: Session, account: str, deal_id: str) -> None:
    """What was recognised as a return by this deal was none."""
    session.execute(delete(ReturnRow).where(ReturnRow.account == account, ReturnRow.deal_id == deal_id))


def fresh_returns(session: Session, account: str, since: datetime) -> set[str]:
    """The deals that brought customers back since then."""
    return set(session.scalars(select(ReturnRow.deal_id).where(ReturnRow.account == account, ReturnRow.at >= since)))


def count_returns(session: Session, account: str) -> int:
    """How many deals brought a customer back."""
    return session.scalar(select(func.count()).select_from(ReturnRow).where(ReturnRow.account == account)) or 0
