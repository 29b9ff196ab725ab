"""Keyed writes on their way to the CRM: sent, answered, or unclear and looked for.

An intent is planned, sent, or ended. Whatever was sent and has no clear answer is looked for in the CRM before anything
is sent again, so that nothing is lost and nothing is there twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from adapters.errors import Unavailable
from adapters.results import Outcome, Result, Wanted
from connector.account import Account
from connector.clock import Clock
from connector.documents import Documents, send
from connector.metrics import WRITES
from connector.store import Store, agenda, cases, intents
from connector.store.tables import AgendaRow, IntentRow, IntentState
from workflows.cases import Event
from workflows.decide import record
from workflows.progress import untold
from workflows.said import Said
from workflows.writes import Write

log = structlog.get_logger(__name__)

SOON = timedelta(seconds=5)
LONGEST_BACKOFF = timedelta(minutes=15)
_SENT_AS = {"document": "file"}
"""Documents become files on the way to the CRM."""
KEYLESS_KINDS = frozenset({"fields", "update_task"})
"""Writes that set values: sending them again does no harm, and there is nothing to look for."""
_ENDS = {
    Result.DONE: IntentState.DONE,
    Result.REFUSED: IntentState.REFUSED,
    Result.GONE: IntentState.WITHDRAWN,  # a person deleted what it was about: nothing to mend
}


class Sender:
    """Sends the intents of one account and keeps what becomes of them."""

    def __init__(self, account: Account, store: Store, documents: Documents, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._documents = documents
        self._clock = clock

    def resolve_unclear(self, rows: Sequence[AgendaRow]) -> list[AgendaRow]:
        """Find out what became of writes without a clear answer; gives the rows that can be looked at now."""
        now = self._clock.now()
        with self._store.read() as session:
            found = intents.open_for(session, self._account.name, [row.deal_id for row in rows])
        unclear = [intent for intent in found if intent.state == IntentState.SENT]
        if not unclear:
            return list(rows)
        again = [intent for intent in unclear if self._may_be_sent_again(intent)]
        search = [intent for intent in unclear if intent not in again]
        grace = self._account.crm().capabilities.settles_after  # a call may still land after its client has given up
        too_soon = {i.deal_id: i.sent_at + grace for i in search if i.sent_at is not None and i.sent_at + grace > now}
        with self._store.write() as session:
            intents.back_to_planned(session, self._account.name, [intent.key for intent in again], Said("sent again"))
            for row in rows:
                if row.deal_id in too_soon:
                    agenda.failed(
                        session, row, too_soon[row.deal_id], Said("waiting to see whether a write arrived"), now
                    )
        waiting = set(too_soon) | self._adopt([intent for intent in search if intent.deal_id not in too_soon], rows)
        return [row for row in rows if row.deal_id not in waiting]

    def _may_be_sent_again(self, intent: IntentRow) -> bool:
        if intent.kind in KEYLESS_KINDS:
            return True
        return intent.kind == "task" and self._account.crm().capabilities.unique_task_key

    def _adopt(self, search: Sequence[IntentRow], rows: Sequence[AgendaRow]) -> set[str]:
        """Ask the CRM which of these exist, adopt them, and free the others; gives deals that remain unclear."""
        if not search:
            return set()
        wanted = [Wanted(key=i.key, kind=_SENT_AS.get(i.kind, i.kind), deal_id=i.deal_id) for i in search]
        try:
            found = self._account.crm().find(wanted)
        except Unavailable as error:
            deals = {intent.deal_id for intent in search}
            now = self._clock.now()
            with self._store.write() as session:
                for row in rows:
                    if row.deal_id in deals:
                        agenda.failed(session, row, now + backoff(row.attempts), error.message, now)
            return deals
        now = self._clock.now()
        with self._store.write() as session:
            missing = [intent.key for intent in search if intent.key not in found]
            intents.back_to_planned(session, self._account.name, missing, Said("the CRM does not have it"))
            adopted = [
                (intent, Outcome(intent.key, Result.DONE, found[intent.key], reason=Said("was there already")))
                for intent in search
                if intent.key in found
            ]
            self.keep(session, adopted, now)
        log.info("unclear writes resolved", account=self._account.name, adopted=len(found), missing=len(missing))
        return set()

    def send(self, planned: Sequence[IntentRow]) -> Sequence[Outcome]:
        """Send them in as few calls as the CRM allows; its answers, in the same order."""
        if not planned:
            return ()
        writes: list[Write] = [intents.content(intent) for intent in planned]
        outcomes = send(self._account.crm(), self._documents, writes, begins=lambda: self._begin_to_send(planned))
        for result, count in Counter(outcome.result for outcome in outcomes).items():
            WRITES.labels(self._account.name, result.value).inc(count)
        return outcomes

    def _begin_to_send(self, planned: Sequence[IntentRow]) -> None:
        """Making documents took a while: count from now for how long a call may still land."""
        with self._store.write() as session:
            keys = [intent.key for intent in planned]
            intents.begin_to_send(session, self._account.name, keys, self._clock.now())

    def keep(self, session: Session, ended: Sequence[tuple[IntentRow, Outcome]], now: datetime) -> None:
        """Keep what the CRM answered, and let each case know."""
        name = self._account.name
        by_case: dict[str, list[tuple[IntentRow, Outcome]]] = {}
        for intent, outcome in ended:
            if outcome.result is Result.AGAIN:
                intents.back_to_planned(session, name, [intent.key], outcome.reason)
            elif outcome.result is Result.UNKNOWN:
                intents.unclear(session, name, intent.key, outcome.reason)
            else:
                state = _ENDS[outcome.result]
                intents.ended(session, name, intent.key, state, now, record_id=outcome.record_id, reason=outcome.reason)
                by_case.setdefault(intent.case_id, []).append((intent, outcome))
        for case in cases.by_ids(session, list(by_case)):
            pairs = by_case[case.id]
            after = case
            for intent, outcome in pairs:
                refused = outcome.reason or Said("refused by the CRM") if outcome.result is Result.REFUSED else None
                gone = outcome.result is Result.GONE
                after = record(after, intent.key, record_id=outcome.record_id, refused=refused, gone=gone)
                if refused is not None:
                    after = untold(after, intent.content.get("values", ()), now)
            if after != case:
                cases.save(session, after)
            events = [_outcome_event(intent, outcome) for intent, outcome in pairs]
            cases.log(session, name, events, now, case_id=case.id, deal_id=case.deal_id)

    def come_back(
        self, planned: Sequence[IntentRow], outcomes: Sequence[Outcome], now: datetime
    ) -> dict[str, tuple[datetime, str]]:
        """When to look again at deals of which a write is not settled, and why."""
        found: dict[str, tuple[datetime, str]] = {}
        for intent, outcome in zip(planned, outcomes, strict=True):
            if outcome.result is Result.AGAIN:
                until = outcome.until or now + backoff(intent.attempts + 1)
            elif outcome.result is not Result.UNKNOWN:
                continue
            elif self._may_be_sent_again(intent):  # nothing to wait for: it may land twice and be there once
                until = now + backoff(intent.attempts)
            else:
                until = now + self._account.crm().capabilities.settles_after
            known = found.get(intent.deal_id)
            if known is None or until > known[0]:
                found[intent.deal_id] = (until, outcome.reason)
        return found


def backoff(attempts: int) -> timedelta:
    """How long to wait after so many failures in a row: doubling, up to a quarter of an hour."""
    return min(SOON * (1 << min(attempts, 12)), LONGEST_BACKOFF)


def _outcome_event(intent: IntentRow, outcome: Outcome) -> Event:
    data = {"key": intent.key, "record": outcome.record_id or "", "correlation_id": outcome.correlation_id or ""}
    what = f"{intent.kind} {'written' if outcome.result is Result.DONE else outcome.result.value}"
    return Event(what=what, detail=outcome.reason, data={name: value for name, value in data.items() if value})
