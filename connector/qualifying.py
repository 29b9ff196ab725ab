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
from connector.store.door_tables import ToldRow
from connector.store.tables import AnswerRow
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
    said = door.told(session, account, list(deals))
    learned = _learned(session, [row.id for rows in deals.values() for row in rows])
    return {
        deal
        for deal, rows in deals.items()
        if deal not in own
        and all(row.deal_id != deal for row in rows)
        and (deal not in said or any(_is_news(learned.get(row.id), said[deal]) for row in rows))
    }


def tell(store: Store, account: Account, library: Library, deals: Iterable[Deal], now: datetime) -> None:
    """Plan what these deals are to tell of their companies' leaving, each once; the look that is under way sends it."""
    name, rules = account.name, account.rules()
    companies = {deal.id: deal.company_id for deal in deals if deal.company_id}
    with store.read() as session:
        due = to_tell(session, name, companies)
        former = door.former_cases(session, name, sorted({companies[one] for one in due})) if due else {}
        answers = intake.answers(session, [row.id for rows in former.values() for row in rows])
        said = door.told(session, name, list(due))
    finds: list[tuple[str, Deal, Told]] = []
    for deal in deals:
        for row in former.get(deal.company_id or "", ()) if deal.id in due else ():
            left = Left(row.id, row.deal_id, row.entered_at, row.contract_end, row.written.get(STAYS))
            if not is_new(rules, deal, left):
                continue
            url = account.crm().deal_url(row.deal_id)
            known = Former(left, row.deal_name, row.reason, answers.get(row.id, ()), url)
            found = told(known, library.questionnaires, rules.language)
            if found is not None:
                if deal.id not in said or found.fit is not None:
                    finds.append((row.id, deal, found))
                break  # the newest ending is the one that counts
    if finds:
        with store.write() as session:
            for case_id, deal, found in finds:
                intents.plan(session, name, case_id, _writes(name, deal, found, now), now)
                door.keep_told(session, name, deal.id, now, fit=found.fit is not None)


def _writes(account: str, deal: Deal, found: Told, now: datetime) -> list[Write]:
    """The note, and the field by which lists and automations of sales find such deals."""
    key = f"{account}:former:{deal.id}" + (":fit" if found.fit else "")
    note = CreateNote(key=key, deal_id=deal.id, title=found.title, body=found.body, at=now)
    if found.fit is None:
        return [note]
    target = Ref(kind=RecordKind.DEAL, id=deal.id)
    return [note, UpdateFields(key=f"{key}:field", deal_id=deal.id, target=target, values={"fit": found.fit})]


def _is_news(answered: datetime | None, said: ToldRow) -> bool:
    """Whether our own people have answered since, and the deal still waits to hear whether they were a fit."""
    return not said.fit and answered is not None and answered > said.at


def _learned(session: Session, case_ids: Sequence[str]) -> dict[str, datetime]:
    """When our own people last said something in these cases."""
    rows = session.execute(
        select(AnswerRow.case_id, func.max(AnswerRow.received_at))
        .where(AnswerRow.case_id.in_(case_ids), AnswerRow.by == "team")
        .group_by(AnswerRow.case_id)
    )
    return {row[0]: row[1] for row in rows}
