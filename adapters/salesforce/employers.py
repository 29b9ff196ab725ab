"""Where contacts work now (P-53): the account that they belong to."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.results import Employer
from adapters.salesforce.client import Client
from adapters.salesforce.mapping import PREFIXES, is_whole, to18
from adapters.salesforce.soql import chunks, is_in, select

_FIELDS = ("Id", "AccountId", "Account.Name")


def moved_contacts(client: Client, known: Mapping[str, str | None]) -> dict[str, Employer]:
    """One query for about 400 contacts."""
    asked = {to18(contact_id): contact_id for contact_id in known}
    ids = [one for one in asked if is_whole(one, PREFIXES["Contact"])]
    found = {}
    for soql in chunks(lambda some: select(_FIELDS, "Contact", is_in("Id", some)), ids):
        for row in client.query("read where contacts work", soql):
            before = known[asked[row["Id"]]]
            company_id = row["AccountId"]
            if company_id and (before is None or company_id != to18(before)):
                found[asked[row["Id"]]] = Employer(company_id, (row.get("Account") or {}).get("Name") or "")
    return found
