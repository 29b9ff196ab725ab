"""Customers who are back with another deal (P-56), or remain by one (P-25): noticed at a look, noted once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog

from connector.store import Store, agenda, cases, door, intents
from workflows.cases import Event
from workflows.dates import local_date, zone
from workflows.quiet import STAYS
from workflows.records import Deal, RecordKind, Ref
from workflows.returning import Left, came_back, stays
from workflows.rules import AccountRules
from workflows.writes import UpdateFields

log = structlog.get_logger(__name__)


def credit_returns(store: Store, account: str, rules: AccountRules, deals: Iterable[Deal], now: datetime) -> None:
    """Note which of these deals brought a customer back, say so on the deal, and let the former one be looked at."""
    won = {deal.id: deal for deal in deals if came_back(rules, deal, None)}
    if not won:
        return
    with store.read() as session:
        known = door.returned(session, account, list(won))
        former = door.former_cases(session, account, [deal.company_id for deal in won.values() if deal.company_id])
    for deal in won.values():
        left = [
            Left(row.id, row.deal_id, row.entered_at, row.contract_end) for row in former.get(deal.company_id or "", ())
        ]
        case = next((one for one in left if came_back(rules, deal, one)), None)
        if deal.id in known:
            continue
        if case is None:
            today = local_date(now, zone(rules.time_zone))
            _keep(store, account, [one for one in left if stays(rules, deal, one, today)], deal, now)
            continue
        write = UpdateFields(
            key=f"{account}:returned:{deal.id}",
            deal_id=deal.id,
            target=Ref(kind=RecordKind.DEAL, id=deal.id),
            values={"returned": True},
        )
        told = Event(what="came back", detail="with another deal (P-56)", data={"deal": deal.id})
        with store.write() as session:
            door.credit(session, account, deal.id, case.case_id, now)
            intents.plan(session, account, "", [write], now)
            cases.log(session, account, [told], now, case_id=case.case_id, deal_id=case.deal_id)
            agenda.put(session, account, [agenda.Entry(case.deal_id, now, "the customer is back")])
        log.info("a customer came back", account=account, deal=deal.id, case=case.case_id)


def _keep(store: Store, account: str, left: Iterable[Left], deal: Deal, now: datetime) -> None:
    """By this deal the company remains a customer: the endings of others keep nobody but their own deal quiet."""
    for case in left:
        told = Event(what="remains a customer", detail="by another deal (P-25)", data={"deal": deal.id})
        with store.write() as session:
            if cases.note_written(session, case.case_id, STAYS, deal.id):
                cases.log(session, account, [told], now, case_id=case.case_id, deal_id=case.deal_id)
                agenda.put(session, account, [agenda.Entry(case.deal_id, now, "the customer remains by another deal")])
