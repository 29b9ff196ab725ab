"""Addresses of pages as people get them, and who was sent a survey lately.

Where an account has a survey tool of its own, the address of a survey is the tool's, and carries the token of our own
link as the case key: signed, not to be guessed, and one for each person and questionnaire (P-38).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from connector.account_settings import AccountConfig
from connector.links import LinkSigner
from connector.store import Store, intake
from connector.store.tables import LinkRow
from workflows.records import Contact, People
from workflows.rules import LinkKind


def address(
    links: LinkSigner,
    config: AccountConfig,
    kind: LinkKind,
    case_id: str,
    contact_id: str | None,
    questionnaire: str,
    language: str | None = None,
) -> str:
    """The full address that stands for this link in the account's CRM."""
    tool = config.surveys.own_tool
    if tool is None or kind is not LinkKind.SURVEY or questionnaire not in tool.questionnaires:
        return links.address(kind, case_id, contact_id, questionnaire)
    key = links.token(kind, links.link_id(kind, case_id, contact_id, questionnaire))
    return tool.address(key, language or config.language)


def about_person(links: LinkSigner, account: str, link: LinkRow, people: People | None) -> None:
    """Note on the link what is known of its person now: their roles (P-11), and who they are (P-3A)."""
    contact = _contact(people, link.contact_id)
    if contact is not None:
        link.roles = [role.value for role in contact.roles]
        link.person = links.person(account, contact.email) if contact.email else None


def language_of(config: AccountConfig, people: People | None, contact_id: str | None) -> str:
    """In which language this person is spoken to."""
    contact = _contact(people, contact_id)
    return (contact.language if contact is not None else None) or config.language


def _contact(people: People | None, contact_id: str | None) -> Contact | None:
    return next((one for one in people.contacts if one.id == contact_id), None) if people and contact_id else None


class RememberedLinks:
    """Signs addresses for the decision on one deal, and notes in ``given`` which ones must lead somewhere."""

    def __init__(
        self,
        links: LinkSigner,
        account: str,
        config: AccountConfig,
        people: People | None,
        given: list[LinkRow],
        now: datetime,
    ) -> None:
        self._links, self._account, self._config = links, account, config
        self._people, self._given, self._now = people, given, now

    def __call__(self, kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
        """The address of a page; see :class:`workflows.look.Links`."""
        language = language_of(self._config, self._people, contact_id)
        link = LinkRow(
            id=self._links.link_id(kind, case_id, contact_id, questionnaire),
            account=self._account,
            case_id=case_id,
            kind=kind.value,
            contact_id=contact_id,
            questionnaire=questionnaire,
            language=language,
            made_at=self._now,
            closed_at=None,
        )
        about_person(self._links, self._account, link, self._people)
        self._given.append(link)
        return address(self._links, self._config, kind, case_id, contact_id, questionnaire, language)


def lately_surveyed(
    store: Store, links: LinkSigner, name: str, config: AccountConfig, asked: Sequence[People], now: datetime
) -> Sequence[LinkRow]:
    """Surveys that any of these people were sent within the rest period, for whichever case, oldest first."""
    contacts = {contact.id: contact for people in asked for contact in people.contacts}
    if not contacts or not config.surveys.rest:
        return ()
    persons = {links.person(name, contact.email) for contact in contacts.values() if contact.email}
    with store.read() as session:
        return intake.surveyed(session, name, persons, list(contacts), now - config.surveys.rest)


def surveyed_elsewhere(
    found: Sequence[LinkRow], links: LinkSigner, name: str, people: People | None, case_id: str
) -> Mapping[str, datetime]:
    """Of these surveys, when each contact was sent the last one that belongs to another case than this (P-3A)."""
    last: dict[str, datetime] = {}
    for contact in people.contacts if people is not None and found else ():
        person = links.person(name, contact.email) if contact.email else None
        for row in found:
            if row.case_id != case_id and (row.contact_id == contact.id or (person and row.person == person)):
                last[contact.id] = row.made_at
    return last
