"""``aurevoir erase``: an admin lets us forget one person (P-79)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import structlog

from adapters.errors import AurevoirError
from connector.bootstrap import Runtime
from connector.casework import WAIT_SECONDS
from connector.engine import work_lock
from connector.erasure import Erasure, Receipt, Unknown, back_ups
from connector.store import cases, erasing, mentions
from workflows.records import Contact

log = structlog.get_logger(__name__)

_BATCH = 100


@dataclass(frozen=True)
class Foreseen:
    """What an erasure would do. ``receipt`` as it would be; ``places`` where name, address or a part of them stand.

    ``namesakes`` are contacts in the CRM who have the name, and were not named by id or address: they may be others.
    ``theirs``: texts of our tasks and notes in the namesakes' cases with a part of the name, which stay as well.
    """

    receipt: Receipt
    places: tuple[mentions.Place, ...]
    namesakes: tuple[str, ...]
    theirs: tuple[mentions.Place, ...] = ()

    @property
    def useless(self) -> bool:
        """Whether an erasure by a name alone would change nothing: nobody is recognised by a name."""
        return not self.receipt.removes


@dataclass
class _Person:
    """Whom it is about: contacts by id, names and addresses to look for. ``answered``: the CRM could be asked."""

    ids: set[str]
    words: list[str]
    namesakes: set[str] = field(default_factory=set)
    answered: bool = True

    def add(self, contact: Contact) -> None:
        """A contact who is this person."""
        self.ids.add(contact.id)
        known = {word.casefold() for word in self.words}
        self.words += [one for one in (contact.email, contact.name) if one and one.casefold() not in known]


class _OnlyLooked(Exception):
    """Ends a transaction that must change nothing."""


def erase_by_hand(
    runtime: Runtime, account: str, *, contact_id: str | None = None, email: str | None = None, name: str | None = None
) -> Receipt:
    """Erase one person in one account, between two rounds of work. The CRM is asked who it is, if it answers.

    By a name alone, what they answered stays, since others may have the name: only the name goes wherever it stands.
    Raises :class:`Unknown` when nobody is said.
    """
    receipt = _erase(runtime, account, _person(runtime, account, contact_id, email, name))
    runtime.store.let_go_of_removed()
    runtime.engine.nudge(account)
    return receipt


def foresee(
    runtime: Runtime, account: str, *, contact_id: str | None = None, email: str | None = None, name: str | None = None
) -> Foreseen:
    """What :func:`erase_by_hand` would remove and leave; changes nothing, and raises the same."""
    person = _person(runtime, account, contact_id, email, name)
    with runtime.store.read() as session:
        own = erasing.cases_of(session, account, person.ids)
        places = mentions.places(session, account, own, person.words) if person.words else []
        others = erasing.cases_of(session, account, person.namesakes) - own
        texts = mentions.in_writes(session, account, others, person.words) if person.words else []
    receipt = _erase(runtime, account, person, only_look=True)
    going = [*(one for one in texts if one.whole), *places]
    emptied = {one.case_id for one in going if one.whole}
    theirs = [one for one in texts if not one.whole and one.case_id not in emptied]
    return Foreseen(receipt, tuple(going), tuple(sorted(person.namesakes)), tuple(theirs))


def _erase(runtime: Runtime, account: str, person: _Person, *, only_look: bool = False) -> Receipt:
    now = runtime.clock.now()
    erasure = Erasure(runtime.links, runtime.library.questionnaires)
    language = runtime.accounts[account].config.language
    ids, files = sorted(person.ids), back_ups(runtime.store)
    receipt: Receipt | None = None
    try:
        with runtime.store.exclusive(work_lock(account), wait=WAIT_SECONDS), runtime.store.write() as session:
            receipt = erasure.erase(session, account, ids, now, language=language, words=person.words, back_ups=files)
            if only_look:
                raise _OnlyLooked
    except _OnlyLooked:
        log.debug("an erasure was foreseen", account=account)
    if receipt is None:
        raise RuntimeError("an erasure gave no receipt")
    return receipt if person.answered else replace(receipt, crm_away=True)


def _person(runtime: Runtime, account: str, contact_id: str | None, email: str | None, name: str | None) -> _Person:
    given = [word.strip() for word in (email, name) if word and word.strip()]
    if not contact_id and not given:
        raise Unknown(
            "say whom: --contact with the contact's id in the CRM, --email with the address, or --name with the name "
            "as it may stand in what people wrote"
        )
    if email and "@" not in email:
        raise Unknown(f"--email {email}: this is no address; a name goes with --name")
    person = _Person({contact_id} if contact_id else set(), given)
    with runtime.store.read() as session:
        if email:
            person.ids |= erasing.contacts_of_person(session, account, [runtime.links.person(account, email)])
        own = erasing.cases_of(session, account, person.ids)
        known = cases.listing(session, account=account, limit=100_000)
    deals = sorted({case.deal_id for case in known if case.id in own or given})
    try:
        for contact in _contacts(runtime, account, deals):
            _compare(person, contact, email, name)
    except AurevoirError as error:
        log.warning("the CRM could not be asked for contacts", account=account, failure=type(error).__name__)
        person.answered = False
    person.namesakes -= person.ids
    return person


def _compare(person: _Person, contact: Contact, email: str | None, name: str | None) -> None:
    mine = bool(email) and (contact.email or "").casefold() == (email or "").strip().casefold()
    if mine or contact.id in person.ids:
        person.add(contact)
    elif name and " ".join(contact.name.casefold().split()) == " ".join(name.casefold().split()):
        person.namesakes.add(contact.id)


def _contacts(runtime: Runtime, account: str, deals: list[str]) -> list[Contact]:
    """The contacts of these deals as the CRM has them now."""
    found: list[Contact] = []
    for start in range(0, len(deals), _BATCH):
        crm = runtime.accounts[account].crm()
        observed = crm.observe(deals[start : start + _BATCH])
        blind = [one.deal for one in observed.values() if one.people is None]
        people = [one.people for one in observed.values() if one.people is not None]
        people += crm.people(blind).values() if blind else ()
        found += [contact for each in people for contact in each.contacts]
    return found
