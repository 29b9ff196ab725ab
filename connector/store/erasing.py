"""Forgetting a person (P-79): what is stored of them is removed or emptied, and they are recognised afterwards.

What goes: their answers; their name and address in what others wrote, and names in forms of their cases that fit no
contact, which may be theirs; texts of tasks, notes and documents of their cases, which may hold their name; fields that
were written from their answers; raw events that mention them. Their links stay known, closed, so that the page says so
kindly. What stays of them is the CRM's id in keys of steps and lines of the log: a number that names nobody without
the CRM.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from connector.store import jobs
from connector.store import mentions as found_in
from connector.store.database import insert_or
from connector.store.door_tables import BaselineRow, WhereaboutsRow, WishRow
from connector.store.tables import (
    AnswerRow,
    BadEventRow,
    CaseRow,
    ErasureRow,
    EventRow,
    IntentRow,
    IntentState,
    InventoryRow,
    LinkRow,
    StepRow,
)
from workflows.cases import OPEN_STATUSES, StepStatus
from workflows.draft import SOMEONE_ERASED
from workflows.permission import (
    NOBODY,
    SOMEBODY,
    TOLD,
    forgotten,
    naming,
    naming_others,
    unnamed,
    whose,
    words_of,
)
from workflows.writes import UpdateTask

SCRUB = SOMEONE_ERASED
"""In :attr:`CaseRow.written`: texts of this case are emptied as soon as they were sent."""
_CLOSING = ":close:erased"
"""What the key of a write ends with that closes a task about them."""
_ENDED = [IntentState.DONE.value, IntentState.REFUSED.value, IntentState.WITHDRAWN.value]
_EMPTY: dict[str, dict[str, Any]] = {
    "task": {"subject": "", "body": "", "contact_ids": [], "link": None},
    "note": {"title": "", "body": "", "contact_ids": []},
    "file": {"name": "", "content": ""},
    "document": {"name": "", "values": {}},
    "fields": {"values": {}},
    "update_task": {"note": None},
}


@dataclass
class Erased:
    """What was removed. ``left_tasks`` and ``left_notes`` are records in the CRM that we do not change, by id.

    ``unplaced``: cases whose forms named somebody who fits no contact; that name is gone, since it may be theirs.
    """

    answers: int = 0
    texts: int = 0
    links: int = 0
    withdrawn: int = 0
    events: int = 0
    cases: list[str] = field(default_factory=list)
    deals: set[str] = field(default_factory=set)
    closing: list[tuple[str, UpdateTask]] = field(default_factory=list)
    left_tasks: set[str] = field(default_factory=set)
    left_notes: set[str] = field(default_factory=set)
    unplaced: list[CaseRow] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether there was anything to remove."""
        return bool(self.answers or self.texts or self.links or self.withdrawn or self.events)


def known(session: Session, account: str, who: Collection[str]) -> ErasureRow | None:
    """The erasure of this person, by any of their digests."""
    return session.scalars(select(ErasureRow).where(ErasureRow.account == account, ErasureRow.who.in_(who))).first()


def all_known(session: Session, account: str) -> frozenset[str]:
    """The digests of everyone who was erased in this account."""
    return frozenset(session.scalars(select(ErasureRow.who).where(ErasureRow.account == account)))


def remember(session: Session, account: str, who: Iterable[str], receipt: dict[str, Any], now: datetime) -> None:
    """Recognise them from now on. The first receipt stays."""
    for one in who:
        values = {"account": account, "who": one, "at": now, "receipt": receipt}
        session.execute(insert_or(session, ErasureRow).values(**values).on_conflict_do_nothing())


def contacts_of_person(session: Session, account: str, person: Collection[str]) -> set[str]:
    """Contacts to whom links were given under one of these digests of an address."""
    query = select(LinkRow.contact_id).where(LinkRow.account == account, LinkRow.person.in_(person))
    return {one for one in session.scalars(query) if one is not None}


def contacts_known(session: Session, account: str) -> list[str]:
    """All contacts of the account's cases, and those who were given links."""
    of_cases = session.scalars(select(CaseRow.contact_ids).where(CaseRow.account == account))
    found = {one for ids in of_cases for one in ids}
    found |= set(session.scalars(select(AnswerRow.contact_id).where(AnswerRow.account == account)))
    links = select(LinkRow.contact_id).where(LinkRow.account == account, LinkRow.closed_at.is_(None))
    return sorted(one for one in found | set(session.scalars(links)) if one)


def erase(
    session: Session,
    account: str,
    contact_ids: Collection[str],
    now: datetime,
    *,
    words: Sequence[str] = (),
    note: str,
    asked: Mapping[str, tuple[str, str]],
) -> Erased:
    """Remove what is stored of these contacts, and wherever one of these ``words`` (name, address) stands.

    ``note`` is what their open tasks are closed with; those writes are handed back, to be planned. ``asked``: which
    questions of a form say who agreed, and whether (:func:`workflows.permission.keys_asked`).
    """
    done = Erased()
    own = cases_of(session, account, contact_ids)
    cases = _cases(session, account, own, words)
    done.cases = [case.id for case in cases]
    done.deals = {case.deal_id for case in cases}
    names = [name for case in cases if case.id in own for name in _permissions(session, case, contact_ids, done, asked)]
    _answers(session, account, contact_ids, words, done)
    for case in cases:
        _steps(session, case, contact_ids, note, done)
        _case(case, contact_ids, words)
    done.withdrawn += _withdraw(session, account, cases, contact_ids, words, now, names=names)
    done.texts += scrub(session, account, done.cases, done) + _digests(session, account, done)
    done.links += session.execute(  # type: ignore[attr-defined]  # a cursor's result, which counts
        update(LinkRow)
        .where(LinkRow.account == account, LinkRow.contact_id.in_(contact_ids), LinkRow.closed_at.is_(None))
        .values(closed_at=now, person=None)
    ).rowcount
    session.execute(
        update(LinkRow)
        .where(LinkRow.account == account, LinkRow.contact_id.in_(contact_ids))
        .values(person=None, roles=None)
    )
    _events(session, account, contact_ids, words, done)
    _baselines(session, account, contact_ids)
    session.execute(
        delete(WhereaboutsRow).where(WhereaboutsRow.account == account, WhereaboutsRow.contact_id.in_(contact_ids))
    )
    for word in words:
        done.texts += _inventory(session, account, word)
    done.texts += _wishes(session, account, words)
    jobs.forget_ended(session, account)  # a rehearsal names people, and can be made again
    return done


# --- what belongs to them -------------------------------------------------------------------------------------------


def cases_of(session: Session, account: str, contact_ids: Collection[str]) -> set[str]:
    """The ids of the cases that the person has a part in."""
    ids: set[str] = set()
    for table in (StepRow, LinkRow, AnswerRow):
        query = select(table.case_id).where(table.account == account, table.contact_id.in_(contact_ids))
        ids |= set(session.scalars(query))
    known = select(CaseRow.id, CaseRow.contact_ids, CaseRow.written).where(CaseRow.account == account)
    for case_id, contacts, written in session.execute(known):
        if set(contacts) & set(contact_ids) or any(_names(name, contact_ids) for name in written):
            ids.add(case_id)
    return ids


def _cases(session: Session, account: str, own: Collection[str], words: Sequence[str]) -> list[CaseRow]:
    """Those cases, and others whose name, texts or answers mention the person."""
    ids = set(own)
    if words:
        answers = session.scalars(select(AnswerRow).where(AnswerRow.account == account))
        ids |= {row.case_id for row in answers if _without(row, words) != (row.author, row.given)}
    for word in words:
        named = select(CaseRow.id).where(CaseRow.account == account, CaseRow.deal_name.icontains(word, autoescape=True))
        ids |= set(session.scalars(named))
        ids |= {row.case_id for row in _mentioning(session, account, word) if row.case_id}
    return list(session.scalars(select(CaseRow).where(CaseRow.id.in_(ids)).order_by(CaseRow.id))) if ids else []


def _mentioning(session: Session, account: str, word: str) -> Iterable[IntentRow]:
    rows = session.scalars(select(IntentRow).where(IntentRow.account == account))
    return [row for row in rows if found_in.is_named(row.content, [word])]


def _answers(session: Session, account: str, contact_ids: Collection[str], words: Sequence[str], done: Erased) -> None:
    """What they answered goes; out of what others answered, their name."""
    query = select(AnswerRow).where(AnswerRow.account == account)
    for row in session.scalars(query if words else query.where(AnswerRow.contact_id.in_(contact_ids))):
        if row.contact_id in contact_ids:
            session.delete(row)
            done.answers += 1
        elif _without(row, words) != (row.author, row.given):
            row.author, row.given = _without(row, words)
            done.texts += 1


def _without(row: AnswerRow, words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The answer's author and what it says, without these names."""
    return found_in.without(words, row.author), found_in.in_answer(row.given, words)


def _permissions(
    session: Session,
    case: CaseRow,
    contact_ids: Collection[str],
    done: Erased,
    asked: Mapping[str, tuple[str, str]],
) -> list[str]:
    """Take their names out of forms that say what they agreed to; gives the names, as they stood there (P-55).

    A name there that fits no contact may be theirs as well, and goes too.
    """
    theirs, others, names = naming(case.written, contact_ids), naming_others(case.written, contact_ids), []
    answers = select(AnswerRow).where(AnswerRow.case_id == case.id, AnswerRow.by == "csm")
    for row in session.scalars(answers):
        given = {key: text for key, text in row.given.items() if isinstance(text, str) and whose(text) in theirs}
        instead = dict.fromkeys(given, NOBODY)
        who, agreed = asked.get(row.questionnaire, ("", ""))
        name = row.given.get(who)
        if isinstance(name, str) and name not in (NOBODY, SOMEBODY) and whose(name) not in theirs | others:
            given, instead = given | {who: name}, instead | {who: unnamed(row.given.get(agreed))}
            done.unplaced.append(case)
        if given:
            row.given = row.given | instead
            names += [words_of(text) for text in given.values()]
            done.texts += 1
    return names


def _steps(session: Session, case: CaseRow, contact_ids: Collection[str], note: str, done: Erased) -> None:
    """Steps of an open case that are about them end; a task that stands in the CRM is closed with a note."""
    if case.status not in {status.value for status in OPEN_STATUSES}:
        return
    for step in session.scalars(select(StepRow).where(StepRow.case_id == case.id, StepRow.contact_id.in_(contact_ids))):
        if step.status == StepStatus.OPEN.value and step.task_id:
            key = f"{case.id}:{step.key}{_CLOSING}"
            write = UpdateTask(key=key, deal_id=case.deal_id, task_id=step.task_id, note=note, close=True)
            done.closing.append((case.id, write))
        if step.status in (StepStatus.OPEN.value, StepStatus.WAITING.value, StepStatus.WRITING.value):
            step.status = StepStatus.CLOSED.value


def _case(case: CaseRow, contact_ids: Collection[str], words: Sequence[str]) -> None:
    case.contact_ids = [one for one in case.contact_ids if one not in contact_ids]
    kept = {name: value for name, value in case.written.items() if not _names(name, contact_ids)}
    case.written = kept | forgotten(case.written, contact_ids) | {SCRUB: "1"}
    for word in words:
        at = case.deal_name.casefold().find(word.casefold())
        if at >= 0:
            case.deal_name = f"{case.deal_name[:at]}…{case.deal_name[at + len(word) :]}"


def _names(name: str, contact_ids: Collection[str]) -> bool:
    """Whether a key of ours ends with the id of one of them; counters stay, they keep keys apart."""
    return not name.startswith("#") and any(name.endswith((f":{one}", f"@{one}")) for one in contact_ids)


def _withdraw(
    session: Session,
    account: str,
    cases: Sequence[CaseRow],
    contact_ids: Collection[str],
    words: Sequence[str],
    now: datetime,
    *,
    names: Sequence[str],
) -> int:
    """Writes about them that were not made are made no more, nor those that would tell what they agreed to."""
    rows = session.scalars(
        select(IntentRow).where(
            IntentRow.account == account,
            IntentRow.case_id.in_([case.id for case in cases]),
            IntentRow.state.not_in(_ENDED),
        )
    ).all()
    rows = [row for row in rows if not row.key.endswith(_CLOSING)]  # an erasure just before planned that
    theirs = [row for row in rows if _is_about(row, contact_ids, words) or _tells_of(row, names)]
    for row in theirs:
        row.state, row.ended_at = IntentState.WITHDRAWN.value, now
    session.flush()
    return len(theirs)


def _is_about(row: IntentRow, contact_ids: Collection[str], words: Sequence[str]) -> bool:
    target = row.content.get("target") or {}
    linked = {*(row.content.get("contact_ids") or ()), target.get("id") if target.get("kind") == "contact" else None}
    return (
        bool(linked & set(contact_ids))
        or any(f"@{one}" in row.key or f":{one}:" in row.key for one in contact_ids)
        or found_in.is_named(row.content, words)
    )


def _tells_of(row: IntentRow, names: Sequence[str]) -> bool:
    return any(part in row.key for part in TOLD) and _is_about(row, (), names)


def scrub(session: Session, account: str, case_ids: Sequence[str], done: Erased | None = None) -> int:
    """Empty the texts of all writes of these cases that were made or will not be; gives how many."""
    rows = session.scalars(
        select(IntentRow).where(
            IntentRow.account == account, IntentRow.case_id.in_(case_ids), IntentRow.state.in_(_ENDED)
        )
    )
    count = 0
    for row in rows:
        if row.state == IntentState.REFUSED.value:
            row.state = IntentState.WITHDRAWN.value  # it could only be sent again with its texts
        emptied = row.content | _EMPTY.get(row.kind, {})
        if done is not None and row.state == IntentState.DONE.value and row.record_id:
            {
                "task": done.left_tasks,
                "note": done.left_notes,
                "file": done.left_notes,
                "document": done.left_notes,
            }.get(row.kind, set()).add(row.record_id)
        if emptied != row.content:
            row.content = emptied
            row.reason = ""
            count += 1
    return count


def _digests(session: Session, account: str, done: Erased) -> int:
    """Empty what departments were told of leavers' words: theirs may be among them, without a name."""
    rows = session.scalars(
        select(IntentRow).where(
            IntentRow.account == account,
            IntentRow.key.startswith(f"{account}:digest:", autoescape=True),
            IntentRow.state.in_(_ENDED),
        )
    )
    count = 0
    for row in rows:
        if row.content.get("body") and any(deal_id in row.content["body"] for deal_id in done.deals):
            if row.record_id:
                done.left_tasks.add(row.record_id)
            row.content, count = row.content | _EMPTY["task"], count + 1
    return count


def scrub_flagged(session: Session, account: str) -> int:
    """What was sent since for open cases of people who were erased; gives how many texts were emptied."""
    rows = session.execute(select(CaseRow.id, CaseRow.written).where(CaseRow.account == account))
    flagged = [case_id for case_id, written in rows if written.get(SCRUB)]
    return scrub(session, account, flagged) if flagged else 0


def _events(session: Session, account: str, contact_ids: Collection[str], words: Sequence[str], done: Erased) -> None:
    """Raw events that mention them go; a line of the log that names them loses its words."""
    mention = [BadEventRow.excerpt.icontains(one, autoescape=True) for one in (*contact_ids, *words)]
    if mention:
        found = session.execute(delete(BadEventRow).where(BadEventRow.account == account, or_(*mention)))
        done.events += found.rowcount  # type: ignore[attr-defined]  # a cursor's result, which counts
    for word in words:
        told = session.execute(
            update(EventRow)
            .where(EventRow.account == account, EventRow.detail.icontains(word, autoescape=True))
            .values(detail="(removed: it named a person who was erased)")
        )
        done.texts += told.rowcount  # type: ignore[attr-defined]  # a cursor's result, which counts


def _inventory(session: Session, account: str, word: str) -> int:
    """What people wrote about things of the customer's may name someone; gives how many texts did."""
    count = 0
    for row in session.scalars(select(InventoryRow).where(InventoryRow.account == account)):
        for column in ("title", "place", "evidence", "received_by"):
            if word.casefold() in getattr(row, column).casefold():
                setattr(row, column, re.sub(re.escape(word), "…", getattr(row, column), flags=re.IGNORECASE))
                count += 1
    return count


def _wishes(session: Session, account: str, words: Sequence[str]) -> int:
    """A line of the ledger is in a colleague's words, and may name who wished for it; gives how many lines did."""
    count = 0
    for row in session.scalars(select(WishRow).where(WishRow.account == account)) if words else ():
        left = found_in.without(words, row.text), found_in.without(words, row.note)
        if left != (row.text, row.note):
            (row.text, row.note), count = left, count + 1
    return count


def _baselines(session: Session, account: str, contact_ids: Collection[str]) -> None:
    for row in session.scalars(select(BaselineRow).where(BaselineRow.account == account)):
        if set(row.people) & set(contact_ids):
            row.people = {one: roles for one, roles in row.people.items() if one not in contact_ids}
