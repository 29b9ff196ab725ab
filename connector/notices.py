"""Telling people inside the CRM (P-75): a task when something cannot be written, and a sign of life each Monday.

One task for each trouble, at most one a day, for the manager or whoever stands in. It closes by itself when the trouble
is over. Silence is never success: when the CRM itself cannot be worked with there is nowhere to tell it there, and then
the health pages, the metrics, the log and the heartbeat do (:mod:`connector.heartbeat`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from adapters.errors import AurevoirError
from connector import outbox
from connector.account import Account
from connector.clock import Clock
from connector.sentences import told
from connector.store import Store, cases, failed, intents, notices
from connector.store.database import AWAY
from connector.store.failed import Failed, FailedKind
from connector.store.tables import IntentState, NoticeRow
from workflows.cases import Case
from workflows.dates import calendar, closing, local_date, opening, zone
from workflows.records import TaskState, User
from workflows.texts import shorten
from workflows.wording import say
from workflows.writes import CreateTask, Priority, UpdateTask, Write

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(minutes=5)
PATIENCE = timedelta(hours=3)
"""What is tried again by itself is told when it did not work for so long."""
MOST_LINES = 8
OURS = ":notice:"
"""In the key of a task that tells a trouble: its own refusal is not told by another one."""


@dataclass(frozen=True)
class Trouble:
    """Something to tell: what cannot be written of one case, or on one deal."""

    subject: str
    deal_id: str
    deal_name: str
    case_id: str | None
    failures: tuple[Failed, ...]


def troubles(found: Sequence[Failed], now: datetime) -> list[Trouble]:
    """What of the failed list people in the CRM can do something about, by case or deal, the oldest first."""
    groups: dict[str, list[Failed]] = {}
    for one in found:
        if one.deal_id is None or OURS in one.key or (one.again and now - one.since < PATIENCE):
            continue
        if one.kind is FailedKind.STEP and one.again:
            continue  # it waits for somebody active: there is nobody to tell
        if one.kind in (FailedKind.WRITE, FailedKind.STEP, FailedKind.LOOK):
            groups.setdefault(f"case:{one.case_id}" if one.case_id else f"deal:{one.deal_id}", []).append(one)
    return [
        Trouble(subject, each[0].deal_id or "", each[0].deal_name, each[0].case_id, tuple(each))
        for subject, each in groups.items()
    ]


class Notices:
    """Tells the troubles of one account. Call it under the account's lock of work, after the looks."""

    def __init__(self, account: Account, store: Store, clock: Clock, public_url: str) -> None:
        self._account, self._store, self._clock, self._public_url = account, store, clock, public_url
        self._looked_at: datetime | None = None

    def tell(self) -> None:
        """Plan tasks for new troubles, close those of old ones; looks at the list every five minutes.

        Raises what the CRM and the database raise. A fault of ours is logged, and stops no other work.
        """
        now = self._clock.now()
        if self._looked_at is not None and now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        try:
            self._look(now)
        except (AurevoirError, *AWAY):
            raise
        except Exception:
            log.exception("troubles could not be told", account=self._account.name)

    def _look(self, now: datetime) -> None:
        name = self._account.name
        with self._store.read() as session:
            found = troubles(failed.listing(session, name), now) if self._account.config.tell_troubles else []
            told = {row.subject: row for row in notices.open_ones(session, name)}
        for trouble in found:
            if trouble.subject not in told:
                self._tell(trouble, now)
        subjects = {trouble.subject for trouble in found}
        self._mended([row for row in told.values() if row.subject not in subjects], now)
        if self._account.config.weekly_note:
            self._sign_of_life(now)

    # --- a trouble --------------------------------------------------------------------------------------------------

    def _tell(self, trouble: Trouble, now: datetime) -> None:
        owner = self._owner(trouble.case_id)
        if owner is None:
            log.warning("nobody to tell of a trouble", account=self._account.name, deal=trouble.deal_id)
            return
        today = self._today(now)
        key = f"{self._account.name}{OURS}{_digest(trouble.subject)}:{today.isoformat()}"
        with self._store.write() as session:
            if intents.by_key(session, self._account.name, key) is not None:
                return  # it was told and mended today: once a day is enough
            task = self._task(key, trouble.deal_id, owner, now, *self._words(trouble), priority=Priority.HIGH)
            self._put(session, [task], now, "telling a trouble", trouble.case_id)
            notices.keep(session, self._account.name, trouble.subject, trouble.deal_id, key, now)
        log.warning("told people in the CRM", account=self._account.name, deal=trouble.deal_id, key=key)

    def _words(self, trouble: Trouble) -> tuple[str, str]:
        language = self._account.config.language
        company = shorten(trouble.deal_name or trouble.deal_id, 120)
        shown = trouble.failures[:MOST_LINES]
        lines = [f"- {told(one.what, language)}: {told(one.reason, language)}" for one in shown]
        left = len(trouble.failures) - MOST_LINES
        if left > 0:
            lines.append(say("notice.more", language, count=left))
        what = "notice.cure.case" if trouble.case_id else "notice.cure.deal"
        cure = say(what, language, case=(trouble.case_id or "")[:8], console=f"{self._public_url}/console")
        body = say("notice.body", language, company=company, what="\n".join(lines), cure=cure)
        return say("notice.title", language, company=company), body

    def _mended(self, rows: Sequence[NoticeRow], now: datetime) -> None:
        """Close the tasks of troubles that are over, unless people have."""
        name = self._account.name
        with self._store.read() as session:
            made = {row.key: intents.by_key(session, name, row.key) for row in rows}
        ids = [intent.record_id for intent in made.values() if intent is not None and intent.record_id]
        states: Mapping[str, TaskState] = self._account.crm().task_states(ids) if ids else {}
        language = self._account.config.language
        with self._store.write() as session:
            for row in rows:
                intent = made[row.key]
                if intent is not None and intent.state == IntentState.SENT:
                    continue  # it may be there: the next look finds out
                if intent is not None:
                    intents.withdraw(session, name, [row.key], now)
                state = states.get(intent.record_id or "") if intent is not None else None
                if state is not None and state.found and not state.done:
                    note = say("notice.mended", language)
                    close = UpdateTask(
                        key=f"{row.key}:close", deal_id=row.deal_id, task_id=state.id, note=note, close=True
                    )
                    self._put(session, [close], now, "a trouble is over", None)
                notices.mended(session, name, row.subject, now)

    # --- a sign of life ---------------------------------------------------------------------------------------------

    def _sign_of_life(self, now: datetime) -> None:
        """Once a week, from Monday morning on: what was done in the seven days before."""
        name, today = self._account.name, self._today(now)
        monday = today - timedelta(days=today.weekday())
        if now < opening(monday, zone(self._account.config.time_zone)):
            return
        key = f"{name}:alive:{monday.isoformat()}"
        with self._store.read() as session:
            if intents.by_key(session, name, key) is not None:
                return
            newest = next(iter(cases.listing(session, account=name, limit=1)), None)
            done = notices.week(session, name, now - timedelta(days=7), now)
            failures = len(failed.listing(session, name))
        owner = self._owner(newest.id if newest is not None else None)
        if newest is None or owner is None:
            return
        language = self._account.config.language
        rest = say("alive.failed" if failures else "alive.well", language, count=failures)
        body = say("alive.body", language, **done, rest=rest)
        task = self._task(key, newest.deal_id, owner, now, say("alive.title", language), body, priority=Priority.LOW)
        with self._store.write() as session:
            self._put(session, [task], now, "sign of life", None)

    # --- parts ------------------------------------------------------------------------------------------------------

    def _put(self, session: Session, writes: Sequence[Write], now: datetime, why: str, case_id: str | None) -> None:
        outbox.put(session, self._account.name, writes, now, case_id=case_id or "", why=why)

    def _task(
        self, key: str, deal_id: str, owner: User, now: datetime, subject: str, body: str, *, priority: Priority
    ) -> CreateTask:
        days, tz = calendar(self._account.config.calendar), zone(owner.time_zone or self._account.config.time_zone)
        due = closing(days.add_business_days(local_date(now, tz), 1), tz)
        return CreateTask(
            key=key, deal_id=deal_id, subject=subject, body=body, due_at=due, owner_id=owner.id, priority=priority
        )

    def _owner(self, case_id: str | None) -> User | None:
        """The manager; else who has most to do with the case; else someone of the pool. Active people only."""
        users = self._account.users()
        people = self._account.rules().people
        with self._store.read() as session:
            case = cases.by_id(session, case_id) if case_id else None
        wanted = [people.manager, *(_owners(case) if case is not None else ()), *people.neutral_pool]
        return next((users[one] for one in wanted if one in users and users[one].active), None)

    def _today(self, now: datetime) -> date:
        return local_date(now, zone(self._account.config.time_zone))


def _owners(case: Case) -> Iterator[str]:
    """Who owns the case's tasks, the latest first."""
    return (step.owner_id for step in reversed(case.steps) if step.owner_id)


def _digest(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()[:12]
