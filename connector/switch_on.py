"""Switching an account on, and the choice that goes with it: deals that already sit in the stage (P-70, P-71).

They open no case unless an admin says so, and then no more than the number said, the latest endings first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.results import SchemaReport
from connector.account import Account
from connector.bootstrap import Runtime
from connector.provisioning import Follow, provision
from connector.store import accounts, agenda, cases
from workflows.guard import occasion
from workflows.records import DealState
from workflows.rules import CaseKind

MOST_PAGES = 40
MOST_READ = 2_000
"""So many deals are read at most to find the latest endings among them."""
BATCH = 100


@dataclass(frozen=True)
class Waiting:
    """Deals that sit in a not-renewing stage now and never had a case. ``more``: there may be others."""

    deal_ids: tuple[str, ...]
    more: bool = False


@dataclass(frozen=True)
class SwitchedOn:
    """What a switch-on led to. ``taken_in`` are the deals that are looked at as an admin asked."""

    report: SchemaReport
    taken_in: tuple[str, ...]


def waiting(runtime: Runtime, account: Account) -> Waiting:
    """Which deals the choice is about; a call for each page of deals."""
    stages = sorted(frozenset().union(*(rule.not_renewing for rule in account.rules().watch)))
    found: list[str] = []
    cursor: str | None = None
    more = bool(stages)
    for _ in range(MOST_PAGES):
        if not more or len(found) >= MOST_READ:
            break
        page = account.crm().deals_in_stages(stages, cursor)
        found += page.ids
        cursor, more = page.cursor, page.more
    ids = list(dict.fromkeys(found))
    with runtime.store.read() as session:
        known = set()
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            known |= set(cases.open_by_deal(session, account.name, chunk))
            known |= set(cases.last_by_deal(session, account.name, chunk))
    return Waiting(tuple(one for one in ids if one not in known), more)


def switch_on(runtime: Runtime, name: str, take_in: int = 0, follow: Follow | None = None) -> SwitchedOn:
    """Create our fields, watch from now on, and look at up to ``take_in`` of the deals that already sit in the stage.

    ``follow`` hears how a deployment goes. Raises as :func:`connector.provisioning.provision`.
    """
    report = provision(runtime, name, follow=follow)
    if take_in <= 0:
        runtime.engine.nudge(name)
        return SwitchedOn(report, ())
    return SwitchedOn(report, take_in_older(runtime, name, waiting(runtime, runtime.accounts[name]), take_in))


def take_in_older(runtime: Runtime, name: str, found: Waiting, most: int) -> tuple[str, ...]:
    """Have up to ``most`` of these looked at as an admin asked, the latest endings first; gives which."""
    chosen = _latest(runtime.accounts[name], found.deal_ids, most)
    now = runtime.clock.now()
    with runtime.store.write() as session:
        wishes = [agenda.Entry(deal_id, now, "taken in at switch-on", asked=True) for deal_id in chosen]
        agenda.put(session, name, wishes)
        accounts.release_hold(session, name, accounts.ROUNDS)
    runtime.engine.nudge(name)
    return chosen


def _latest(account: Account, deal_ids: tuple[str, ...], most: int) -> tuple[str, ...]:
    """Those that ended last: a deal in another pipeline's stage of the same name is none of them."""
    rules = account.rules()
    ended: list[tuple[datetime, str]] = []
    for start in range(0, min(len(deal_ids), MOST_READ), BATCH):
        for deal_id, seen in account.crm().observe(deal_ids[start : start + BATCH]).items():
            present = occasion(rules, seen.deal, CaseKind.OFFBOARDING)
            if present is not None and seen.deal.state is DealState.LIVE:
                ended.append((present.entered_at or datetime.min.replace(tzinfo=UTC), deal_id))
    return tuple(deal_id for _, deal_id in sorted(ended, reverse=True)[:most])
