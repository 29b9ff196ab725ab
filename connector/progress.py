"""Showing on each deal how far its case is, at next to no cost in calls (P-29).

It goes along with a write to the deal that is made anyway. Otherwise the case is marked, and once an hour at most all
marked cases of an account are told in one go: a hundred deals are one call on HubSpot, two hundred on Salesforce.
What stands on the deal already is not written again. Until the CRM was given the fields for it, nothing is written:
after an upgrade, cases wait marked for the next ``provision``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from connector.account import Account
from connector.clock import Clock
from connector.sending import Sender
from connector.store import Store, accounts, agenda, cases, intents, lessons, pauses, shown
from connector.store.tables import IntentRow, IntentState
from workflows.cases import Case
from workflows.dates import zone
from workflows.progress import SHOWN, STALE, TURN, Progress, progress, told_title, waits
from workflows.records import RecordKind, Ref
from workflows.rules import Playbook
from workflows.writes import CreateTask, UpdateFields, Write

EVERY = timedelta(hours=1)
LOOK_EVERY = timedelta(minutes=1)
MOST = 1000
"""Cases told at a time; the others follow at the next turn."""
STREAM = "progress"


class ProgressOnDeals:
    """How far the cases of one account are, on their deals."""

    def __init__(self, account: Account, store: Store, sender: Sender, clock: Clock) -> None:
        self._account, self._store, self._sender, self._clock = account, store, sender, clock
        self._playbooks: dict[tuple[str, str], Playbook | None] = {}
        self._looked_at: datetime | None = None

    def beside(self, session: Session, case: Case, writes: Sequence[Write]) -> tuple[Case, Sequence[Write]]:
        """The case and its writes, with how far it is where one of them goes to its deal; else marked, if that changed.

        Call it before either is kept.
        """
        playbook = self._playbook(session, case)
        now = progress(case, playbook, zone(self._account.config.time_zone))
        if now is None or case.written.get(SHOWN) == now.mark(case.deal_id):
            return _without_mark(case), writes
        target = Ref(kind=RecordKind.DEAL, id=case.deal_id)
        place = next(
            (n for n, one in enumerate(writes) if isinstance(one, UpdateFields) and one.target == target), None
        )
        if place is None or waits(case, self._clock.now()) or not shown.may_be_told(session, case.account):
            return case.model_copy(update={"written": {STALE: TURN, **case.written}}), writes
        values = now.values(self._title(session, case, now, playbook, writes))
        write = writes[place]
        along = write.model_copy(update={"values": {**getattr(write, "values", {}), **values}})
        told = case.model_copy(update={"written": {**case.written, SHOWN: now.mark(case.deal_id)}})
        return _without_mark(told), [*writes[:place], along, *writes[place + 1 :]]

    def run(self) -> None:
        """Tell what changed since, if an hour has passed since that was last done; under the account's lock of work."""
        now = self._clock.now()
        if self._looked_at is not None and now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        with self._store.read() as session:
            last = lessons.moved(session, self._account.name, STREAM)
            if (last is not None and now - last[1] < EVERY) or not shown.may_be_told(session, self._account.name):
                return
            if not shown.marked(session, self._account.name, now, 1, pauses.playbooks(session, self._account.name)):
                return
        planned = self._plan(now)
        outcomes = self._sender.send(planned)
        again = self._sender.come_back(planned, outcomes, self._clock.now())

        def keep(session: Session) -> None:
            self._sender.keep(session, list(zip(planned, outcomes, strict=True)), self._clock.now())
            entries = [agenda.Entry(deal_id, until, why) for deal_id, (until, why) in again.items()]
            agenda.put(session, self._account.name, entries)  # a look sends what did not arrive

        self._store.transaction(keep)

    def _plan(self, now: datetime) -> Sequence[IntentRow]:
        """Keep what is to be told, as about to be sent."""
        account = self._account.name
        with self._store.write() as session:
            held = pauses.playbooks(session, account)
            writes: list[UpdateFields] = []
            for case in shown.marked(session, account, now, MOST, held):
                if intents.open_for(session, account, [case.deal_id]):
                    continue  # its next look, or the next turn, tells it
                write = self._write(session, case, now)
                if write is not None:
                    intents.plan(session, account, case.id, [write], now)
                    writes.append(write)
            keys = [write.key for write in writes]
            planned = [row for key in keys if (row := intents.by_key(session, account, key)) is not None]
            planned = [row for row in planned if row.state == IntentState.PLANNED]
            intents.sent(session, account, [row.key for row in planned], now)
            accounts.move_cursor(session, account, STREAM, now.isoformat(), now)
        return planned

    def _write(self, session: Session, case: Case, at: datetime) -> UpdateFields | None:
        """The write that tells how far the case is, noted as told; None when its deal shows that already."""
        playbook = self._playbook(session, case)
        now = progress(case, playbook, zone(self._account.config.time_zone))
        written = {name: value for name, value in case.written.items() if name != STALE}
        if now is None or written.get(SHOWN) == now.mark(case.deal_id):
            shown.set_written(session, case.id, written)
            return None
        number = int(written.get(f"#{SHOWN}", "0")) + 1
        shown.set_written(session, case.id, {**written, SHOWN: now.mark(case.deal_id), f"#{SHOWN}": str(number)})
        former = intents.by_key(session, case.account, f"{case.id}:{SHOWN}:{number - 1}")
        if former is not None and former.state == IntentState.REFUSED:  # it failed once, not once a day
            intents.ended(session, case.account, former.key, IntentState.WITHDRAWN, at)
        return UpdateFields(
            key=f"{case.id}:{SHOWN}:{number}",
            deal_id=case.deal_id,
            target=Ref(kind=RecordKind.DEAL, id=case.deal_id),
            values=now.values(self._title(session, case, now, playbook, ())),
        )

    def _title(
        self, session: Session, case: Case, now: Progress, playbook: Playbook | None, writes: Sequence[Write]
    ) -> str | None:
        """What the next step is called; its task may be among ``writes``."""
        step = now.next_step
        if step is None:
            return None
        key = f"{case.id}:{step.key}" + (f"~{taken_up}" if (taken_up := case.written.get("round")) else "")
        made: Write | None = next((one for one in writes if one.key == key), None)
        row = intents.by_key(session, case.account, key) if made is None else None
        made = intents.content(row) if row is not None else made
        subject = (made.subject if isinstance(made, CreateTask) else "") or step.rule
        return told_title(step, subject, playbook, case.language)

    def _playbook(self, session: Session, case: Case) -> Playbook | None:
        """The version that the case follows; a version never changes, so it is read once."""
        version = (case.playbook, case.playbook_version)
        if version not in self._playbooks:
            found = cases.playbook(session, *version)
            if found is None:
                return None
            self._playbooks[version] = found
        return self._playbooks[version]


def _without_mark(case: Case) -> Case:
    if STALE not in case.written:
        return case
    return case.model_copy(update={"written": {name: one for name, one in case.written.items() if name != STALE}})
