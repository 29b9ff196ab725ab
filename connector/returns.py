"""Customers who are back with another deal (P-56), or remain by one (P-25): noticed at a look, noted once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from connector.store import Store, agenda, cases, door, intents
from connector.store.door_tables import ReturnRow
from connector.store.tables import CaseRow
from workflows.cases import Event
from workflows.dates import local_date, zone
from workflows.quiet import STAYS
from workflows.records import Deal, DealState, RecordKind, Ref
from workflows.returning import Left, came_back, holds_from, is_no_return, stays, stays_no_more
from workflows.rules import AccountRules
from workflows.said import Said
from workflows.writes import UpdateFields

log = structlog.get_logger(__name__)


def credit_returns(
    store: Store, account: str, rules: AccountRules, deals: Sequence[Deal], now: datetime
) -> Mapping[str, datetime]:
    """Note which of these deals brought a customer back, say so on the deal, and let the former one be looked at.

    A win counts once it has held for the settle time of ``watch``, and what was noted by one that does not hold is
    taken back. Gives the deals that are to be looked at again, and when: then their win counts.
    """
    _take_back(store, account, rules, deals, now)
    _take_back_returns(store, account, rules, deals, now)
    won = {deal.id: deal for deal in deals if came_back(rules, deal, None)}
    if not won:
        return {}
    with store.read() as session:
        known = door.returned(session, account, list(won))
        former = door.former_cases(session, account, [deal.company_id for deal in won.values() if deal.company_id])
    today = local_date(now, zone(rules.time_zone))
    again: dict[str, datetime] = {}
    for deal in won.values():
        left = [_left(row) for row in former.get(deal.company_id or "", ())] if deal.id not in known else []
        case = next((one for one in left if came_back(rules, deal, one)), None)
        kept = [one for one in left if one.stays_by is None and stays(rules, deal, one, today)]
        if case is None and not kept:
            continue
        if now < (holds := holds_from(rules, deal)):
            again[deal.id] = holds
        elif case is not None:
            _credit(store, account, case, deal, now)
        else:
            _keep(store, account, kept, deal, now)
    return again


def _left(row: CaseRow) -> Left:
    return Left(row.id, row.deal_id, row.entered_at, row.contract_end, row.written.get(STAYS))


def _on_deal(account: str, deal: Deal, now: datetime, **values: Any) -> UpdateFields:
    """A write onto the deal; each moment's has a key of its own, since a return may be taken back, and come again."""
    key = f"{account}:returned:{deal.id}:{int(now.timestamp())}"
    return UpdateFields(key=key, deal_id=deal.id, target=Ref(kind=RecordKind.DEAL, id=deal.id), values=values)


def _credit(store: Store, account: str, case: Left, deal: Deal, now: datetime) -> None:
    write = _on_deal(account, deal, now, returned=True)
    told = Event(what="came back", detail=Said("with another deal"), data={"deal": deal.id})
    with store.write() as session:
        door.credit(session, account, deal.id, case.case_id, now)
        intents.plan(session, account, "", [write], now)
        cases.log(session, account, [told], now, case_id=case.case_id, deal_id=case.deal_id)
        agenda.put(session, account, [agenda.Entry(case.deal_id, now, "the customer is back")])
    log.info("a customer came back", account=account, deal=deal.id, case=case.case_id)


def _keep(store: Store, account: str, left: Iterable[Left], deal: Deal, now: datetime) -> None:
    """By this deal the company remains a customer: the endings of others keep nobody but their own deal quiet."""
    told = Event(what="remains a customer", detail=Said("by another deal"), data={"deal": deal.id})
    with store.write() as session:
        for case in left:
            if cases.note_written(session, case.case_id, STAYS, deal.id):
                cases.log(session, account, [told], now, case_id=case.case_id, deal_id=case.deal_id)
                agenda.put(session, account, [agenda.Entry(case.deal_id, now, "the customer remains by another deal")])


def _take_back(store: Store, account: str, rules: AccountRules, deals: Sequence[Deal], now: datetime) -> None:
    """Where the customer remained by a deal that no longer says so, quiet is decided anew (P-25)."""
    seen = {deal.id: deal for deal in deals}
    with store.read() as session:
        noted = [_left(row) for row in cases.remaining_by(session, account, list(seen))]
    wrong = [one for one in noted if stays_no_more(rules, seen[one.stays_by or ""], one)]
    if not wrong:
        return
    with store.write() as session:
        for case in wrong:
            deal = seen[case.stays_by or ""]
            told = Event(what="remains no longer", detail=Said("by that deal"), data={"deal": deal.id})
            cases.forget_written(session, case.case_id, STAYS)
            cases.log(session, account, [told], now, case_id=case.case_id, deal_id=case.deal_id)
            looks = [case.deal_id, *([deal.merged_into] if deal.merged_into is not None else [])]
            why = "the customer remains by that deal no longer"
            agenda.put(session, account, [agenda.Entry(deal_id, now, why) for deal_id in looks])


def _take_back_returns(store: Store, account: str, rules: AccountRules, deals: Sequence[Deal], now: datetime) -> None:
    """A return whose deal turned out to be no win is none: on the deal, in the figures, and for the former case."""
    seen = {deal.id: deal for deal in deals}
    with store.read() as session:
        known = door.returned(session, account, list(seen))
    wrong = [row for row in known.values() if is_no_return(rules, seen[row.deal_id], row.at, now)]
    for row in wrong:
        _take_back_return(store, account, row, seen[row.deal_id], now)


def _take_back_return(store: Store, account: str, row: ReturnRow, deal: Deal, now: datetime) -> None:
    why = "the customer is not back by that deal after all"
    told = Event(what="back no longer", detail=Said("by that deal"), data={"deal": deal.id})
    with store.write() as session:
        door.take_back(session, account, deal.id)
        if deal.state is DealState.LIVE:
            intents.plan(session, account, "", [_on_deal(account, deal, now, returned=False)], now)
        former = session.get(CaseRow, row.case_id)
        looks = [deal.merged_into] if deal.merged_into is not None else []
        if former is not None:
            cases.log(session, account, [told], now, case_id=former.id, deal_id=former.deal_id)
            looks.append(former.deal_id)
        agenda.put(session, account, [agenda.Entry(deal_id, now, why) for deal_id in looks])
    log.info("a return was taken back", account=account, deal=deal.id, case=row.case_id)
