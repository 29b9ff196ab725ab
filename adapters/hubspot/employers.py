"""Where contacts work now (P-53): the company that HubSpot associates them with, and its name where it is another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.hubspot.changes import PAGE, search
from adapters.hubspot.client import Op
from adapters.hubspot.mapping import properties_of
from adapters.hubspot.reads import BATCH, Reader, Target, chunks
from adapters.hubspot.values import milliseconds, parse_moment
from adapters.results import Employer
from workflows.namesakes import Leaver, Namesake, Person, last_names, likely, namesakes
from workflows.records import RecordKind

CONTACT_TO_PRIMARY_COMPANY = 1
"""HubSpot's type id of a contact's primary company."""


def moved_contacts(reader: Reader, known: Mapping[str, str | None]) -> dict[str, Employer]:
    """One call for up to a thousand contacts, and one more for each hundred companies that are new."""
    rows = reader.associations("contacts", "companies", list(known))
    now = {contact_id: _employer(rows.get(contact_id, ()), company_id) for contact_id, company_id in known.items()}
    moved = {contact_id: one for contact_id, one in now.items() if one is not None and one != known[contact_id]}
    names: dict[str, str] = {}
    for chunk in chunks(sorted(set(moved.values())), BATCH):
        found = reader.batch_read(RecordKind.COMPANY, chunk, ["name"])
        names |= {company_id: properties_of(record).get("name", "") for company_id, record in found.items()}
    return {contact_id: Employer(one, names[one]) for contact_id, one in moved.items() if one in names}


def _employer(companies: Sequence[Target], known: str | None) -> str | None:
    """Their primary company; without one, the company that we knew, as long as it is among them, or else the first."""
    primary = next((one.id for one in companies if CONTACT_TO_PRIMARY_COMPANY in one.type_ids), None)
    ids = [one.id for one in companies]
    return primary or (known if known in ids else ids[0] if ids else None)


# --- entered anew ---------------------------------------------------------------------------------------------------

SEARCH_CONTACTS = Op("crm.contacts.search_api", "do_search", read=True, search=True)
_WHO = ("firstname", "lastname", "email", "phone", "mobilephone", "hs_linkedin_url", "createdate")
_NAMES_A_SEARCH = 100
_ROOM = 1_800
"""Characters of the last names in one search: HubSpot takes 3,000 for the whole body."""
MOST_MORE = 100
"""So many further searches at most, for all contacts of one call together, where a page was full."""


def entered_anew(reader: Reader, known: Mapping[str, Leaver]) -> dict[str, Namesake]:
    """Newer contacts of the same whole name, from a search for each hundred last names.

    HubSpot knows an address once, so numbers and the profile on LinkedIn tell. A property that the account lacks is
    empty. A page holds the newest two hundred: where it is full, its names are searched for by halves, down to a single
    one, in at most :data:`MOST_MORE` further searches. What is older than the newest of a full page then is left.
    """
    people: dict[str, Person] = {}
    for chunk in chunks(list(known), BATCH):
        found = reader.batch_read(RecordKind.CONTACT, chunk, list(_WHO))
        people |= {contact_id: _person(contact_id, record) for contact_id, record in found.items()}
    if not known:
        return {}
    since = milliseconds(min(leaver.since for leaver in known.values()))
    names = sorted({name.lower() for name in last_names(people.values())})
    newer = [one for one in _newer(reader, names, since).values() if one.id not in known]
    return namesakes(known, people, _with_companies(reader, likely(newer, people.values())))


def _newer(reader: Reader, names: Sequence[str], since: str) -> dict[str, Person]:
    """The newest contacts with these last names that were made since, by id."""
    found: dict[str, Person] = {}
    waiting = deque(_in_searches(names))
    more = 0
    while waiting:
        some = waiting.popleft()
        filters: list[Mapping[str, Any]] = [
            {"propertyName": "createdate", "operator": "GT", "value": since},
            {"propertyName": "lastname", "operator": "IN", "values": list(some)},
        ]
        answer = search(reader.client, SEARCH_CONTACTS, filters, "createdate", list(_WHO), "DESCENDING")
        rows = [record for record in answer.body.get("results") or [] if "id" in record]
        found |= {str(record["id"]): _person(str(record["id"]), record) for record in rows}
        if len(rows) >= PAGE and len(some) > 1 and more + 2 <= MOST_MORE:
            middle = len(some) // 2
            waiting += [some[:middle], some[middle:]]
            more += 2
    return found


def _in_searches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """The names in as few searches as hold them."""
    part: list[str] = []
    for name in names:
        if len(part) == _NAMES_A_SEARCH or sum(len(one) + 3 for one in part) + len(name) > _ROOM:
            yield part
            part = []
        part.append(name)
    if part:
        yield part


def _with_companies(reader: Reader, people: Sequence[Person]) -> list[Person]:
    if not people:
        return []
    rows = reader.associations("contacts", "companies", [one.id for one in people])
    at = {one.id: _employer(rows.get(one.id, ()), None) for one in people}
    names: dict[str, str] = {}
    for chunk in chunks(sorted({company_id for company_id in at.values() if company_id}), BATCH):
        found = reader.batch_read(RecordKind.COMPANY, chunk, ["name"])
        names |= {company_id: properties_of(record).get("name", "") for company_id, record in found.items()}
    return [
        one.model_copy(update={"company_id": at[one.id], "company_name": names.get(at[one.id] or "", "")})
        for one in people
    ]


def _person(contact_id: str, record: Mapping[str, Any]) -> Person:
    held = properties_of(record)
    return Person(
        id=contact_id,
        first_name=held.get("firstname", ""),
        last_name=held.get("lastname", ""),
        email=held.get("email", ""),
        numbers=tuple(held[name] for name in ("phone", "mobilephone") if held.get(name)),
        profile=held.get("hs_linkedin_url", ""),
        made_at=parse_moment(held.get("createdate")),
    )
