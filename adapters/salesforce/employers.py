"""Where contacts work now (P-53): the account that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.results import Employer
from adapters.salesforce.client import Client
from adapters.salesforce.mapping import PREFIXES, is_whole, parse_datetime, to18
from adapters.salesforce.soql import chunks, is_in, moment, select
from workflows.namesakes import Leaver, Namesake, Person, last_names, namesakes

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


_WHO = (*_FIELDS, "FirstName", "LastName", "Email", "Phone", "MobilePhone", "CreatedDate")
MOST_ALIKE = 2_000
"""So many newer contacts of the same last names are looked through in one round, the newest first."""


def entered_anew(client: Client, known: Mapping[str, Leaver]) -> dict[str, Namesake]:
    """Salesforce keeps no profile on LinkedIn by itself, so address and numbers tell."""
    asked = {to18(contact_id): contact_id for contact_id in known}
    ids = [one for one in asked if is_whole(one, PREFIXES["Contact"])]
    people = {}
    for soql in chunks(lambda some: select(_WHO, "Contact", is_in("Id", some)), ids):
        for row in client.query("read who former contacts are", soql):
            people[asked[row["Id"]]] = _person(row)
    names = last_names(people.values())
    if not names:
        return {}
    since = moment(min(leaver.since for leaver in known.values()))

    def newer(some: Sequence[str]) -> str:
        where = f"CreatedDate > {since} AND {is_in('LastName', some)}"
        return select(_WHO, "Contact", where, "CreatedDate DESC", MOST_ALIKE)

    found = [_person(row) for soql in chunks(newer, names) for row in client.query("read newer contacts", soql)]
    at = {one: leaver.model_copy(update={"company_id": _whole(leaver.company_id)}) for one, leaver in known.items()}
    others = [one for one in found if one.id not in asked]
    return namesakes(at, people, others)


def _whole(account_id: str | None) -> str | None:
    return to18(account_id) if account_id is not None else None


def _person(row: Mapping[str, Any]) -> Person:
    return Person(
        id=row["Id"],
        first_name=row.get("FirstName") or "",
        last_name=row.get("LastName") or "",
        email=row.get("Email") or "",
        numbers=tuple(row[name] for name in ("Phone", "MobilePhone") if row.get(name)),
        company_id=row.get("AccountId"),
        company_name=(row.get("Account") or {}).get("Name") or "",
        made_at=parse_datetime(row["CreatedDate"]),
    )
