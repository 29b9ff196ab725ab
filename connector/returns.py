"""Customers who had left and are back with another deal (P-56): noticed at a look, credited once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog

from connector.store import Store, agenda, cases, door, intents
from workflows.cases import Event
from workflows.door import Left, came_back
from workflows.records import Deal, RecordKind, Ref
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
        if case is None or deal.id in known:
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
