"""What is looked after once customers have left: whether their people work elsewhere now, and what they wished for.

Both only find news; what follows from it is decided at the next look at the deal (P-52, P-53).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from adapters.errors import AurevoirError, CredentialsInvalid, RateLimited
from connector.account import Account
from connector.clock import Clock
from connector.store import Store, agenda, door, intake
from connector.store.door import Known, Voice
from connector.store.tables import AnswerRow, WishRow
from workflows.questions import Questionnaire
from workflows.wishes import wishes_in

log = structlog.get_logger(__name__)

COMPARE_EVERY = timedelta(days=30)
"""How often a contact is compared (P-53)."""
LOOK_EVERY = timedelta(days=1)
AFTER_TROUBLE = timedelta(hours=1)
BATCH = 500


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
        moved = self._account.crm().moved_contacts({one.contact_id: one.company_id for one in people})
        with self._store.write() as session:
            for one in people:
                employer = moved.get(one.contact_id)
                to = (employer.company_id, employer.name) if employer is not None else None
                door.keep_whereabouts(session, self._account.name, one, now, to)
            deals = {one.deal_id for one in people if one.contact_id in moved}
            agenda.put(session, self._account.name, [agenda.Entry(deal, now, "a contact moved on") for deal in deals])
        if moved:
            log.info("contacts moved on", account=self._account.name, count=len(moved))


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
    """The ledger as it stands, with what was answered since it was last read."""
    with store.write() as session:
        for answer in door.unheard(session, account):
            _hear(session, account, questionnaires, answer)
    with store.read() as session:
        heard = door.voices(session, account)
        lines = tuple(
            Line(wish, tuple(one for one in heard if one.wish_id == wish.id)) for wish in door.wishes(session, account)
        )
    return Ledger(lines, tuple(one for one in heard if one.wish_id is None))


def _hear(session: Session, account: str, asked: Mapping[str, Questionnaire], answer: AnswerRow) -> None:
    questionnaire = asked.get(answer.questionnaire)
    if questionnaire is not None:
        for question in wishes_in(questionnaire, intake.to_answer(answer)):
            door.add_voice(session, account, answer.link_id, question, answer)


def add(store: Store, account: str, text: str, voices: Sequence[Voice], now: datetime) -> int:
    """Write a wish into the ledger, with the voices that it gathers; gives its number."""
    with store.write() as session:
        row = door.add_wish(session, account, text.strip(), now)
        door.assign(session, row.id, voices)
        return row.id


def deliver(store: Store, account: str, wish_id: int, now: datetime) -> list[str]:
    """The wish is there: let each deal whose customer voiced it be looked at; gives the deals. Again does nothing.

    Raises :class:`NoSuchWish`.
    """
    with store.write() as session:
        row = door.wish(session, account, wish_id)
        if row is None:
            raise NoSuchWish(f"there is no wish {wish_id}: `aurevoir wishes list` shows them")
        if row.delivered_at is not None:
            return []
        row.delivered_at = now
        deals = door.deals_of_wish(session, wish_id)
        agenda.put(session, account, [agenda.Entry(deal, now, "a wish was delivered") for deal in deals])
    return deals
