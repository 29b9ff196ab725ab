"""A believable small organisation: a team, renewals and new business, six customers in French and English, with gaps.

In Salesforce every account and opportunity has an owner; the gap here is an owner who has left.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.schema import Field, PicklistValue
from sandbox.seed_past import PAST, PastDeal, Step

USERS = (
    ("Camille", "Roux", "camille.roux@globex.example", "Head of customer success", "fr", "Europe/Paris"),
    ("Louis", "Martin", "louis.martin@globex.example", "Customer success manager", "fr", "Europe/Paris"),
    ("Emma", "Clark", "emma.clark@globex.example", "Customer success manager", "en_US", "Europe/London"),
    ("Nadia", "Benali", "nadia.benali@globex.example", "Customer success manager", "fr", "Europe/Paris"),
    ("Tom", "Wright", "tom.wright@globex.example", "Account executive", "en_US", "America/New_York"),
    ("Hugo", "Petit", "hugo.petit@globex.example", "Customer success manager", "fr", "Europe/Paris"),
)
INACTIVE = "hugo.petit@globex.example"
REASONS = (
    "Price",
    "Missing features",
    "Low usage",
    "Service quality",
    "Went to a competitor",
    "Company closed",
    "Other",
)
ACCOUNTS = (
    ("Atelier Lumière", "https://atelier-lumiere.example", "France", "camille.roux", 42),
    ("Bright Harbour Ltd", "https://brightharbour.example", "United Kingdom", "emma.clark", 118),
    ("Coopérative du Vercors", "https://coop-vercors.example", "France", "louis.martin", 17),
    ("Delta Robotics", "https://delta-robotics.example", "Ireland", "emma.clark", 260),
    ("Épicerie Fine Martin", "https://epicerie-martin.example", "France", "nadia.benali", None),
    ("Foxglove Studio", "https://foxglove.example", "United Kingdom", "nadia.benali", 9),
)
CONTACTS = (
    ("Atelier Lumière", "Hélène", "Garnier", "helene.garnier@atelier-lumiere.example", "fr", "Decision Maker"),
    ("Atelier Lumière", "Marc", "Dubois", "marc.dubois@atelier-lumiere.example", "fr", "Business User"),
    ("Atelier Lumière", "Sofia", "Lopes", None, "fr", "Influencer"),
    ("Bright Harbour Ltd", "Oliver", "Shaw", "oliver.shaw@brightharbour.example", "en", "Decision Maker"),
    ("Bright Harbour Ltd", "Priya", "Nair", "priya.nair@brightharbour.example", "en", "Executive Sponsor"),
    ("Bright Harbour Ltd", "Jack", "Mills", "jack.mills@brightharbour.example", None, "Business User"),
    ("Bright Harbour Ltd", "Ruth", "Adeyemi", "ruth.adeyemi@brightharbour.example", "en", None),
    ("Coopérative du Vercors", "Paul", "Morel", "paul.morel@coop-vercors.example", "fr", "Decision Maker"),
    ("Delta Robotics", "Aoife", "Byrne", "aoife.byrne@delta-robotics.example", "en", "Executive Sponsor"),
    ("Delta Robotics", "Kenji", "Mori", "kenji.mori@delta-robotics.example", "en", "Technical Buyer"),
    ("Épicerie Fine Martin", "Jeanne", "Martin", "jeanne.martin@epicerie-martin.example", "fr", "Decision Maker"),
    ("Foxglove Studio", "Maya", "Fox", "maya.fox@foxglove.example", "en", "Decision Maker"),
)
# name, account, contacts by first name, record type, stage, owner, amount, days to the contract's end, reason, NPS
DEALS: tuple[tuple[str, str, tuple[str, ...], str, str, str, int, int | None, str | None, int | None], ...] = (
    ("Atelier Lumière – renewal", "Atelier Lumière", ("Hélène", "Marc", "Sofia"), "Renewal", "Negotiation/Review",
     "camille.roux", 14400, 75, None, 9),
    ("Bright Harbour – renewal", "Bright Harbour Ltd", ("Oliver", "Priya", "Jack", "Ruth"), "Renewal",
     "Negotiation/Review", "emma.clark", 52000, 45, "Price", 8),
    ("Vercors – renouvellement", "Coopérative du Vercors", ("Paul",), "Renewal", "Negotiation/Review",
     "hugo.petit", 6800, 20, "Low usage", 7),
    ("Delta Robotics – renewal", "Delta Robotics", ("Aoife", "Kenji"), "Renewal", "Proposal/Price Quote",
     "emma.clark", 96000, 110, None, 10),
    ("Épicerie Martin – renouvellement", "Épicerie Fine Martin", ("Jeanne",), "Renewal", "Negotiation/Review",
     "nadia.benali", 1200, 60, None, None),
    ("Foxglove – renewal", "Foxglove Studio", (), "Renewal", "Negotiation/Review", "nadia.benali", 900, None, None, 6),
    ("Delta Robotics – second plant", "Delta Robotics", ("Aoife",), "New business", "Qualification",
     "tom.wright", 40000, None, None, None),
)  # fmt: skip


def _custom(name: str, kind: str, label: str, **more: Any) -> Field:
    return Field(name, kind, label, createable=True, updateable=True, custom=True, **more)


def _picklist(*values: str) -> tuple[PicklistValue, ...]:
    return tuple(PicklistValue(each, each) for each in values)


FIELDS = (
    ("Opportunity", _custom("Contract_End__c", "date", "Contract end")),
    ("Opportunity", _custom("Exit_Reason__c", "picklist", "Exit reason", length=255, values=_picklist(*REASONS))),
    ("Opportunity", _custom("NPS_Start__c", "double", "NPS at start", precision=2)),
    ("Account", _custom("Active_Users__c", "double", "Active users", precision=9)),
    ("Contact", _custom("Language__c", "picklist", "Language", length=255, values=_picklist("en", "fr"))),
)
"""The customer's own fields, which everyone there sees."""


def salesforce_world(sandbox: SalesforceSandbox) -> dict[str, str]:
    """Fill a fresh organisation; returns record ids by name (users by e-mail address), also kept in its ``names``.

    Records are most of a year old, and the opportunities have moved to their stages since.
    """
    world = sandbox.world
    ids = {
        email: sandbox.add_user(first, last, email, Title=title, LanguageLocaleKey=language, TimeZoneSidKey=zone)
        for first, last, email, title, language, zone in USERS
    }
    for name in ("Renewal", "New business"):
        ids[name] = sandbox.add_record_type(name)
    sandbox.add_stage("Not Renewing", closed=True, forecast="Omitted")
    for owner, field in FIELDS:
        world.schema.add_field(owner, field)
    with world.atomic():
        _customers(sandbox, ids)
        _deals(sandbox, ids)
    gone = world.tables["User"][ids[INACTIVE]]
    world.put("User", {**gone, "IsActive": False})
    sandbox.names |= ids
    return ids


def _customers(sandbox: SalesforceSandbox, ids: dict[str, str]) -> None:
    then = sandbox.world.now() - timedelta(days=365)
    for name, site, country, owner, users in ACCOUNTS:
        values = {"Name": name, "Website": site, "BillingCountry": country, "Active_Users__c": users}
        values["OwnerId"] = ids[f"{owner}@globex.example"]
        ids[name] = sandbox.world.insert("Account", values, at=then)
    for account, first, last, email, language, _ in CONTACTS:
        values = {"FirstName": first, "LastName": last, "Email": email, "Language__c": language}
        ids[f"{first} {last}"] = sandbox.world.insert("Contact", values | {"AccountId": ids[account]}, at=then)


def _deals(sandbox: SalesforceSandbox, ids: dict[str, str]) -> None:
    world, now = sandbox.world, sandbox.world.now()
    roles = {(account, first): (f"{first} {last}", role) for account, first, last, _, _, role in CONTACTS}
    for name, account, contacts, kind, stage, owner, amount, days, reason, nps in DEALS:
        end = None if days is None else (now + timedelta(days=days)).date()
        values = {
            "Name": name,
            "AccountId": ids[account],
            "RecordTypeId": ids[kind],
            "StageName": "Prospecting",
            "OwnerId": ids[f"{owner}@globex.example"],
            "Amount": amount,
            "CloseDate": (now + timedelta(days=days or 90)).date(),
            "Type": "Existing Customer - Renewal" if kind == "Renewal" else "New Customer",
            "Contract_End__c": end,
            "Exit_Reason__c": reason,
            "NPS_Start__c": nps,
        }
        ids[name] = world.insert("Opportunity", values, at=now - timedelta(days=300))
        for at, first in enumerate(contacts):
            contact, role = roles[(account, first)]
            link = {"OpportunityId": ids[name], "ContactId": ids[contact], "Role": role, "IsPrimary": at == 0}
            world.insert("OpportunityContactRole", link, at=now - timedelta(days=300))
        world.update(ids[name], {"StageName": stage}, at=now - timedelta(days=12))


_STAGES = {Step.NEGOTIATED: "Negotiation/Review", Step.LOST: "Not Renewing", Step.RENEWED: "Closed Won"}
_ROLES = {"decider": "Decision Maker", "user": "Business User", "influencer": "Influencer"}


def salesforce_past(sandbox: SalesforceSandbox, ids: dict[str, str]) -> None:
    """Add last year's lost renewals to a seeded organisation, with all that happened to them.

    The organisation tracks the history of its own fields, as an admin would have it do.
    """
    world = sandbox.world
    world.settings.tracked["Opportunity"] |= {"Contract_End__c", "Exit_Reason__c"}
    gone = world.tables["User"][ids[INACTIVE]]
    world.put("User", {**gone, "IsActive": True})  # whoever left was there then
    with world.atomic():
        for past in PAST:
            _past_deal(sandbox, ids, past)
    world.put("User", gone)


def _past_deal(sandbox: SalesforceSandbox, ids: dict[str, str], past: PastDeal) -> None:
    world, now, deal = sandbox.world, sandbox.world.now(), ""
    for at, step in past.story(now):
        if step is Step.CREATED:
            deal = _beginning(sandbox, ids, past, at)
        elif step is Step.DELETED:
            world.delete(deal, at=at)
        elif step is Step.REASON:
            world.update(deal, {"Exit_Reason__c": past.reason}, at=at)
        else:
            world.update(deal, {"StageName": _STAGES[step]}, at=at)


def _beginning(sandbox: SalesforceSandbox, ids: dict[str, str], past: PastDeal, at: datetime) -> str:
    world, owner = sandbox.world, ids[f"{past.owner}@globex.example" if past.owner else INACTIVE]
    account = {"Name": past.company, "Website": f"https://{past.site}", "BillingCountry": past.country}
    company = world.insert("Account", {**account, "OwnerId": owner, "Active_Users__c": past.users}, at=at)
    deal = world.insert(
        "Opportunity",
        {
            "Name": past.name,
            "AccountId": company,
            "RecordTypeId": ids["Renewal"],
            "StageName": "Prospecting",
            "OwnerId": owner,
            "Amount": past.amount,
            "CloseDate": (at + timedelta(days=180)).date(),
            "Type": "Existing Customer - Renewal",
            "Contract_End__c": past.contract_end(world.now()),
            "NPS_Start__c": 8,
        },
        at=at,
    )
    for number, (first, last, email, language, role) in enumerate(past.people):
        person = {"FirstName": first, "LastName": last, "Email": email or None, "Language__c": language}
        contact = world.insert("Contact", person | {"AccountId": company}, at=at)
        link = {"OpportunityId": deal, "ContactId": contact, "Role": _ROLES[role], "IsPrimary": number == 0}
        world.insert("OpportunityContactRole", link, at=at)
    return deal
