"""``aurevoir erase``: an admin lets us forget one person (P-79)."""

from __future__ import annotations

from dataclasses import replace

import structlog

from adapters.errors import AurevoirError
from connector.bootstrap import Runtime
from connector.casework import WAIT_SECONDS
from connector.engine import work_lock
from connector.erasure import Erasure, Receipt, Unknown, back_ups
from connector.store import cases, erasing

log = structlog.get_logger(__name__)

_BATCH = 100


def erase_by_hand(
    runtime: Runtime, account: str, *, contact_id: str | None = None, email: str | None = None, name: str | None = None
) -> Receipt:
    """Erase one person in one account, between two rounds of work. The CRM is asked who has the address, if it answers.

    Raises :class:`Unknown` when neither a contact nor an address is given.
    """
    if not contact_id and not (email and "@" in email):
        raise Unknown("say whom: --contact with the contact's id in the CRM, or --email with the address")
    now = runtime.clock.now()
    erasure = Erasure(runtime.links)
    ids = {contact_id} if contact_id else set()
    words = [word.strip() for word in (email, name) if word and word.strip()]
    answered = True
    if email:
        found, answered = _contacts_with(runtime, account, email, words)
        ids |= found
    language = runtime.accounts[account].config.language
    with runtime.store.exclusive(work_lock(account), wait=WAIT_SECONDS), runtime.store.write() as session:
        receipt = erasure.erase(
            session, account, sorted(ids), now, language=language, words=words, back_ups=back_ups(runtime.store)
        )
    runtime.store.let_go_of_removed()
    runtime.engine.nudge(account)
    return receipt if answered else replace(receipt, crm_away=True)


def _contacts_with(runtime: Runtime, account: str, email: str, words: list[str]) -> tuple[set[str], bool]:
    """Contacts with this address: those who got a link, and those of any case's deal as the CRM has them now.

    And whether the CRM could be asked.
    """
    with runtime.store.read() as session:
        found = erasing.contacts_of_person(session, account, [runtime.links.person(account, email)])
        deals = sorted({case.deal_id for case in cases.listing(session, account=account, limit=100_000)})
    try:
        crm = runtime.accounts[account].crm()
        for start in range(0, len(deals), _BATCH):
            observed = crm.observe(deals[start : start + _BATCH])
            blind = [one.deal for one in observed.values() if one.people is None]
            people = [one.people for one in observed.values() if one.people is not None]
            people += crm.people(blind).values() if blind else ()
            for contact in (contact for each in people for contact in each.contacts):
                if (contact.email or "").casefold() == email.strip().casefold():
                    found.add(contact.id)
                    if contact.name and contact.name not in words:
                        words.append(contact.name)
    except AurevoirError as error:
        log.warning("the CRM could not be asked for contacts", account=account, failure=type(error).__name__)
        return found, False
    return found, True
