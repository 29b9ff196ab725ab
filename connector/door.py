"""What is looked after once customers have left: whether their people work elsewhere now, and what they wished for.

Both only find news; what follows from it is decided at the next look at the deal (P-52, P-53).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from adapters.errors import AurevoirError, CredentialsInvalid, Permanent, RateLimited
from adapters.port import Crm
from connector.account import Account
from connector.clock import Clock
from connector.store import Store, agenda, door, intake
from connector.store.door import Known, Voice
from connector.store.door_tables import WishRow
from connector.store.tables import AnswerRow
from workflows.cases import StepStatus
from workflows.namesakes import Leaver, Namesake, hint
from workflows.questions import Questionnaire
from workflows.rounds import nth
from workflows.rules import Anchor, Playbook
from workflows.wishes import wishes_in

log = structlog.get_logger(__name__)

COMPARE_EVERY = timedelta(days=30)
"""How often a contact is compared (P-53)."""
LOOK_EVERY = timedelta(days=1)
AFTER_TROUBLE = timedelta(hours=1)
BATCH = 500
MOST_NOTE = 300
"""Characters of the words on a wish that is there or was declined."""


class Movers:
    """Compares the contacts of completed offboardings of one account with where the CRM says that they work."""

    def __init__(self, account: Account, store: Store, clock: Clock) -> None:
        self._account, self._store, self._clock = account, store, clock
        self._not_before: datetime | None = None

    def run(self) -> None:
        """Compare whoever is due, at most once a day. Trouble with the CRM is logged: it stops no case.

        Raises :class:`~adapters.errors.RateLimited` and :class:`~adapters.errors.CredentialsInvalid` alone.
        """
        now = self._clock.now()
        if not self._account.config.door.movers or (self._not_before is not None and now < self._not_before):
            return
        self._not_before = now + LOOK_EVERY
        with self._store.read() as session:
            due = door.to_compare(session, self._account.name, now - COMPARE_EVERY)
        try:
            for start in range(0, len(due), BATCH):
                self._compare(due[start : start + BATCH], now)
        except (RateLimited, CredentialsInvalid):
            raise
        except AurevoirError as error:
            self._not_before = now + AFTER_TROUBLE
            log.warning("contacts could not be compared", account=self._account.name, reason=str(error))

    def _compare(self, people: Sequence[Known], now: datetime) -> None:
        crm = self._account.crm()
        moved = crm.moved_contacts({one.contact_id: one.company_id for one in people})
        left = {one.contact_id: one for one in people if one.contact_id not in moved and not one.noticed}
        anew = self._entered_anew(crm, left)
        with self._store.write() as session:
            for one in people:
                employer, alike = moved.get(one.contact_id), anew.get(one.contact_id)
                to: tuple[str | None, str] | None = None
                if employer is not None:
                    to = employer.company_id, employer.name
                elif alike is not None:  # a hint to confirm: the contact that we know stays where it was
                    to = one.company_id, hint(alike, self._account.config.language)
                door.keep_whereabouts(session, self._account.name, one, now, to)
            deals = {one.deal_id for one in people if one.contact_id in moved or one.contact_id in anew}
            agenda.put(session, self._account.name, [agenda.Entry(deal, now, "a contact moved on") for deal in deals])
        if deals:
            log.info("contacts moved on", account=self._account.name, count=len(moved), perhaps=len(anew))

    def _entered_anew(self, crm: Crm, left: Mapping[str, Known]) -> Mapping[str, Namesake]:
        """Who seems to have a newer contact elsewhere. A field that the CRM hides from us hinders nothing else."""
        try:
            return crm.namesakes({key: Leaver(company_id=one.company_id, since=one.since) for key, one in left.items()})
        except Permanent as error:
            if isinstance(error, CredentialsInvalid):
                raise
            log.warning("newer contacts could not be compared", account=self._account.name, reason=str(error))
            return {}


# --- the ledger of wishes (P-52) ------------------------------------------------------------------------------------


class NoSuchWish(ValueError):
    """There is no wish, or no voice, with this number."""


@dataclass(frozen=True)
class Line:
    """A wish with the voices that it gathers."""

    wish: WishRow
    voices: tuple[Voice, ...]


@dataclass(frozen=True)
class Ledger:
    """All wishes of one account, and voices that belong to none yet; voices are numbered from 1 in that order."""

    lines: tuple[Line, ...]
    unsorted: tuple[Voice, ...]


def ledger(store: Store, account: str, questionnaires: Mapping[str, Questionnaire]) -> Ledger:
    """The ledger as it stands, with what was answered since it was last read; only that is gone through.

    Answers to a questionnaire that is absent just now are gone through once it is there again.
    """
    with store.read() as session:
        has_news = bool(door.unheard(session, account, questionnaires))
    if has_news:
        with store.write() as session:
            for answer in door.unheard(session, account, questionnaires):
                _hear(session, account, questionnaires, answer)
    with store.read() as session:
        heard = door.voices(session, account)
        lines = tuple(
            Line(wish, tuple(one for one in heard if one.wish_id == wish.id)) for wish in door.wishes(session, account)
        )
    return Ledger(lines, tuple(one for one in heard if one.wish_id is None))


def _hear(session: Session, account: str, asked: Mapping[str, Questionnaire], answer: AnswerRow) -> None:
    if not door.heard(session, answer):
        return  # edited since it was read: the next reading hears it
    said = wishes_in(asked[answer.questionnaire], intake.to_answer(answer))
    door.forget_voices(session, answer.link_id, said)
    for question in said:
        door.add_voice(session, account, answer.link_id, question, answer)


def add(store: Store, account: str, text: str, voices: Sequence[Voice], now: datetime) -> int:
    """Write a wish into the ledger, with the voices that it gathers; gives its number."""
    with store.write() as session:
        row = door.add_wish(session, account, text.strip(), now)
        door.assign(session, row.id, voices)
        return row.id


def gather(store: Store, account: str, wish_id: int, voices: Sequence[Voice], now: datetime) -> list[str]:
    """These voices ask for this wish too; where it is there already, their deals are looked at, and given.

    Raises :class:`NoSuchWish`.
    """
    with store.write() as session:
        row = _wish(session, account, wish_id)
        door.assign(session, row.id, voices)
        if row.delivered_at is None:
            return []
        deals = sorted({one.deal_id for one in voices})
        agenda.put(session, account, [agenda.Entry(deal, now, "a wish was delivered") for deal in deals])
    return deals


def deliver(
    store: Store, account: str, wish_id: int, now: datetime, *, on: date | None = None, note: str = ""
) -> list[str]:
    """The wish is there: let each deal whose customer voiced it be looked at; gives the deals. Again does nothing.

    ``on``: since when; ``note``: a few words that the tasks say in brackets, such as where to find it. Raises
    :class:`NoSuchWish`.
    """
    with store.write() as session:
        row = _wish(session, account, wish_id)
        if row.delivered_at is not None:
            return []
        row.delivered_at, row.declined_at, row.settled_on, row.note = now, None, on, _line(note)
        deals = door.deals_of_wish(session, wish_id)
        agenda.put(session, account, [agenda.Entry(deal, now, "a wish was delivered") for deal in deals])
    return deals


def decline(store: Store, account: str, wish_id: int, now: datetime, *, on: date | None = None, note: str = "") -> bool:
    """The wish will not be built, for now: nobody is told, and it may be delivered later all the same.

    ``note`` says why, for colleagues. False: it is there already. Raises :class:`NoSuchWish`.
    """
    with store.write() as session:
        row = _wish(session, account, wish_id)
        if row.delivered_at is not None:
            return False
        row.declined_at, row.settled_on, row.note = now, on, _line(note)
        return True


def _wish(session: Session, account: str, wish_id: int) -> WishRow:
    row = door.wish(session, account, wish_id)
    if row is None:
        raise NoSuchWish(f"there is no wish {wish_id}: `aurevoir wishes list` shows them")
    return row


def _line(note: str) -> str:
    return " ".join(note.split())[:MOST_NOTE]


# --- who was told (P-52) ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What came of telling one customer: the state of the step, and when its task was done. None: there is none."""

    status: StepStatus | None = None
    due_at: datetime | None = None
    done_at: datetime | None = None


def told(
    store: Store, account: str, lines: Sequence[Line], playbooks: Iterable[Playbook]
) -> Mapping[tuple[int, str, str | None], Told]:
    """Whom we told of the wishes that are there, by wish, case and contact."""
    rules = [rule for book in playbooks for rule in book.steps() if rule.release.anchor is Anchor.WISH]
    there = [line for line in lines if line.wish.delivered_at is not None]
    keys = {(line.wish.id, nth(rule, str(line.wish.id)).key) for line in there for rule in rules}
    cases = {voice.case_id for line in there for voice in line.voices}
    with store.read() as session:
        steps = door.tellings(session, account, cases, {key for _, key in keys})
    found: dict[tuple[int, str, str | None], Told] = {}
    for wish_id, key in sorted(keys):
        for case_id in cases:
            for step in steps.get((case_id, key), ()):
                state = Told(StepStatus(step.status), step.due_at, step.completed_at)
                found[wish_id, case_id, step.contact_id] = state
    return found
