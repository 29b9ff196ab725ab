"""Where contacts work now (P-53): the company that HubSpot associates them with, and its name where it is another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.hubspot.mapping import properties_of
from adapters.hubspot.reads import BATCH, Reader, Target, chunks
from adapters.results import Employer
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
