"""What happens with a verified delivery: all that may matter is on the agenda before the sender hears "thank you".

A sender that was thanked never repeats itself, so nothing is kept in memory between its call and our commit. A delivery
costs one transaction, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from adapters.errors import AurevoirError
from adapters.signals import BadEvent, Receipt, Signal, SignalKind
from connector.store import Store, accounts, agenda, cases, door, intake
from workflows.cases import Event
from workflows.quiet import STAYS
from workflows.said import Said

log = structlog.get_logger(__name__)

_EXCERPT = 1000
_SUBJECT = 100
_RECORD_ID = 100


class Watched(Protocol):
    """What the receiver needs to know of an account."""

    def watched_stages(self) -> frozenset[str] | None:
        """Ids of the stages that matter; None while they are not known."""


@dataclass
class Taken:
    """What became of a delivery. ``nudge`` names the accounts that have something new to look at."""

    looks: int = 0
    bad: int = 0
    left_alone: int = 0
    erased: int = 0
    nudge: set[str] = field(default_factory=set)


Erase = Callable[[Session, str, Sequence[str], datetime], object]
"""Forgets these contacts of an account, in the transaction."""


def take_in(
    receipt: Receipt,
    crm: str,
    *,
    store: Store,
    accounts_by_name: Mapping[str, Watched],
    now: datetime,
    erase: Erase | None = None,
) -> Taken:
    """Commit what a delivery tells, in one transaction; the caller nudges and replies after that.

    ``erase`` is called for contacts whom the CRM was asked to forget (P-79).

    Raises what the database raises when it cannot commit: nothing is kept then, and the sender should come again.
    """
    good, unusable = _sort(receipt.signals)
    bad = [*receipt.bad, *unusable]
    by_account: dict[str, list[Signal]] = {}
    for signal in good:
        by_account.setdefault(signal.account, []).append(signal)
    watched = {name: _watched_stages(name, accounts_by_name) for name in by_account}

    def keep(session: Session) -> Taken:
        taken = Taken(bad=len(bad))
        for name in sorted(by_account):  # in order, so that two deliveries do not wait for each other
            _keep_signals(session, name, by_account[name], watched[name], now, taken)
            _forget(session, name, by_account[name], now, erase, taken)
        intake.keep_bad(session, crm, ((e.account, _storable(e.reason), _storable(e.excerpt)) for e in bad), now)
        _tally(session, receipt, crm, taken, now)
        return taken

    return store.transaction(keep)


def _keep_signals(
    session: Session,
    name: str,
    signals: Sequence[Signal],
    watched: frozenset[str] | None,
    now: datetime,
    taken: Taken,
) -> None:
    entries, left_alone = _entries(session, name, signals, watched, now)
    agenda.put(session, name, entries)
    accounts.change(session, name, pushed_at=now)
    taken.looks += len({entry.deal_id for entry in entries})
    taken.left_alone += left_alone
    if entries:
        taken.nudge.add(name)


def _forget(
    session: Session, name: str, signals: Sequence[Signal], now: datetime, erase: Erase | None, taken: Taken
) -> None:
    """At once, whatever else is going on: who is remembered as erased is left out of all later work."""
    erased = [signal.record_id for signal in signals if signal.kind is SignalKind.CONTACT_ERASED]
    if not erased:
        return
    cases.log(session, name, map(_erased, erased), now)
    if erase is not None:
        erase(session, name, sorted(set(erased)), now)
        taken.nudge.add(name)
    taken.erased += len(erased)


def _sort(signals: Iterable[Signal]) -> tuple[list[Signal], list[BadEvent]]:
    """Signals whose ids a database can hold; the others become bad events rather than a failed delivery."""
    good: list[Signal] = []
    bad: list[BadEvent] = []
    for signal in signals:
        if signal.record_id.isascii() and signal.record_id.isprintable() and 0 < len(signal.record_id) <= _RECORD_ID:
            good.append(signal)
        else:
            bad.append(BadEvent(signal.account, Said("the record id is not one"), repr(signal.record_id)))
    return good, bad


def _watched_stages(name: str, accounts_by_name: Mapping[str, Watched]) -> frozenset[str] | None:
    """The account's watched stages; unknown ones are no reason to refuse a delivery: then everything is taken."""
    try:
        return accounts_by_name[name].watched_stages()
    except AurevoirError as error:
        log.warning("stages_unknown", account=name, error=type(error).__name__)
        return None


def _entries(
    session: Session, account: str, signals: Sequence[Signal], watched: frozenset[str] | None, now: datetime
) -> tuple[list[agenda.Entry], int]:
    """The looks that these signals ask for, and how many of the signals ask for none.

    A deal matters when its stage does, when the payload does not tell its stage, when it has an open case, or when a
    customer remains or came back by it (P-25, P-56); a task when it is one of ours.
    """
    deals = [signal for signal in signals if signal.kind is SignalKind.DEAL]
    tasks = [signal.record_id for signal in signals if signal.kind is SignalKind.TASK]
    wanted = {deal.record_id for deal in deals if watched is None or deal.stage_id is None or deal.stage_id in watched}
    dull = {deal.record_id for deal in deals} - wanted
    if dull:
        wanted |= cases.open_deal_ids(session, account, among=sorted(dull))
        wanted |= {str(row.written[STAYS]) for row in cases.remaining_by(session, account, sorted(dull))}
        wanted |= door.returned(session, account, sorted(dull)).keys()
    deal_of = cases.deals_of_tasks(session, account, sorted(set(tasks))) if tasks else {}
    entries = [agenda.Entry(deal_id, now, "webhook") for deal_id in sorted(wanted)]
    entries += [agenda.Entry(deal_id, now, "webhook", tasks=True) for deal_id in sorted(set(deal_of.values()))]
    left_alone = sum(deal.record_id not in wanted for deal in deals) + sum(task not in deal_of for task in tasks)
    return entries, left_alone


def _erased(contact_id: str) -> Event:
    return Event(what="contact_erased", detail=Said("The CRM erased a contact."), data={"contact_id": contact_id})


def _tally(session: Session, receipt: Receipt, crm: str, taken: Taken, now: datetime) -> None:
    """Count by day what gets no row of its own."""
    counts: dict[tuple[str, str], int] = {}
    for name, found in (("ignored", receipt.ignored), ("unknown_account", receipt.unknown_accounts)):
        for subject, count in found.items():
            key = (f"{crm}.{name}", _storable(subject)[:_SUBJECT])
            counts[key] = counts.get(key, 0) + count
    for name, count in (("left_alone", taken.left_alone), ("contact_erased", taken.erased)):
        if count:
            counts[(f"{crm}.{name}", "")] = count
    for (name, subject), count in sorted(counts.items()):
        intake.tally(session, now.date(), name, subject, count)


def _storable(text: str) -> str:
    """Text from outside as any database takes it: no NUL, no lone surrogates, not long."""
    return text[:_EXCERPT].encode("utf-8", "replace").decode().replace("\x00", "�")
