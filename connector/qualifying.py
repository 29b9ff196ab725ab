"""Meeting sales at a new deal of a former customer (P-43): noticed by the poll, told on that deal once.

The poll names the company of each changed deal in the call that it makes anyway, so that only deals of companies that
left are looked at more closely. What is told goes along with the writes of that look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connector.account import Account
from connector.library import Library
from connector.store import Store, cases, door, intake, intents
from connector.store.tables import AnswerRow, IntentRow
from workflows.qualifying import Former, Told, is_new, told
from workflows.quiet import STAYS
from workflows.records import Deal, RecordKind, Ref
from workflows.returning import Left
from workflows.writes import CreateNote, UpdateFields, Write


def to_tell(session: Session, account: str, companies: Mapping[str, str]) -> set[str]:
    """Which of these deals, given with their companies, may be new ones of former customers that tell nothing yet.

    A deal that tells why they left is named again when our own people have answered since.
    """
    former = door.former_cases(session, account, sorted(set(companies.values()))) if companies else {}
    deals = {deal: former[company] for deal, company in companies.items() if company in former}
    if not deals:
        return set()
    own = cases.open_deal_ids(session, account, list(deals))
    said = _said(session, account, deals)
    learned = _learned(session, [row.id for rows in deals.values() for row in rows])
    return {
        deal
        for deal, rows in deals.items()
        if deal not in own
        and all(row.deal_id != deal for row in rows)
        and (deal not in said or any(learned.get(row.id, said[deal]) > said[deal] for row in rows))
    }


def tell(store: Store, account: Account, library: Library, deals: Iterable[Deal], now: datetime) -> None:
    """Plan what these deals are to tell of their companies' leaving, each once; the look that is under way sends it."""
    name, rules = account.name, account.rules()
    companies = {deal.id: deal.company_id for deal in deals if deal.company_id}
    with store.read() as session:
        due = to_tell(session, name, companies)
        former = door.former_cases(session, name, sorted({companies[one] for one in due})) if due else {}
        answers = intake.answers(session, [row.id for rows in former.values() for row in rows])
    writes: list[tuple[str, Sequence[Write]]] = []
    for deal in deals:
        for row in former.get(deal.company_id or "", ()) if deal.id in due else ():
            left = Left(row.id, row.deal_id, row.entered_at, row.contract_end, row.written.get(STAYS))
            if not is_new(rules, deal, left):
                continue
            url = account.crm().deal_url(row.deal_id)
            known = Former(left, row.deal_name, row.reason, answers.get(row.id, ()), url)
            found = told(known, library.questionnaires, rules.language)
            if found is not None:
                writes.append((row.id, _writes(name, deal, found, now)))
                break  # the newest ending is the one that counts
    if writes:
        with store.write() as session:
            for case_id, each in writes:
                intents.plan(session, name, case_id, each, now)


def _writes(account: str, deal: Deal, found: Told, now: datetime) -> list[Write]:
    """The note, and the field by which lists and automations of sales find such deals."""
    key = _key(account, deal.id) + (":fit" if found.fit else "")
    note = CreateNote(key=key, deal_id=deal.id, title=found.title, body=found.body, at=now)
    if found.fit is None:
        return [note]
    target = Ref(kind=RecordKind.DEAL, id=deal.id)
    return [note, UpdateFields(key=f"{key}:field", deal_id=deal.id, target=target, values={"fit": found.fit})]


def _key(account: str, deal_id: str) -> str:
    return f"{account}:former:{deal_id}"


def _said(session: Session, account: str, deals: Iterable[str]) -> dict[str, datetime]:
    """When each of these deals was last told something."""
    keys = {_key(account, deal) + end: deal for deal in deals for end in ("", ":fit")}
    rows = session.execute(
        select(IntentRow.key, IntentRow.planned_at).where(IntentRow.account == account, IntentRow.key.in_(list(keys)))
    )
    found: dict[str, datetime] = {}
    for key, at in rows:
        found[keys[key]] = max(at, found.get(keys[key], at))
    return found


def _learned(session: Session, case_ids: Sequence[str]) -> dict[str, datetime]:
    """When our own people last said something in these cases."""
    rows = session.execute(
        select(AnswerRow.case_id, func.max(AnswerRow.received_at))
        .where(AnswerRow.case_id.in_(case_ids), AnswerRow.by == "team")
        .group_by(AnswerRow.case_id)
    )
    return {row[0]: row[1] for row in rows}
