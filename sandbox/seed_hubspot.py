"""A believable small portal: a team, two pipelines, six customers in French and English, with the usual gaps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sandbox.hubspot.definitions import COMPANY, CONTACT, DEAL, AssociationType, ObjectType
from sandbox.hubspot.schema import Pipeline, Stage
from sandbox.hubspot.values import iso
from sandbox.hubspot.world import Owner, Source, World
from sandbox.seed_past import PAST, PastDeal, Step

PEOPLE = Source.person(9586504, "Camille Roux")
OWNERS = (
    Owner("101", 9586504, "camille.roux@acme.example", "Camille", "Roux"),
    Owner("102", 9586505, "louis.martin@acme.example", "Louis", "Martin"),
    Owner("103", 9586506, "emma.clark@acme.example", "Emma", "Clark"),
    Owner("104", 9586507, "nadia.benali@acme.example", "Nadia", "Benali"),
    Owner("105", 9586508, "tom.wright@acme.example", "Tom", "Wright"),
    Owner("106", 9586509, "hugo.petit@acme.example", "Hugo", "Petit", active=False),
)
PIPELINES = (
    Pipeline(
        "renewals",
        "Renewals",
        [
            Stage("1001", "Upcoming", 0.8),
            Stage("1002", "Negotiation", 0.5),
            Stage("1003", "Renewed", 1.0),
            Stage("1004", "Not renewing", 0.0),
        ],
    ),
    Pipeline(
        "default",
        "New business",
        [
            Stage("qualifiedtobuy", "Qualified", 0.2),
            Stage("contractsent", "Contract sent", 0.6),
            Stage("closedwon", "Closed won", 1.0),
            Stage("closedlost", "Closed lost", 0.0),
        ],
    ),
)
REASONS = (
    "Price",
    "Missing features",
    "Low usage",
    "Service quality",
    "Went to a competitor",
    "Company closed",
    "Other",
)
PROPERTIES = (
    (DEAL, "contract_end_date", "Contract end date", "date", "date", ()),
    (DEAL, "exit_reason", "Exit reason", "enumeration", "select", REASONS),
    (DEAL, "nps_start", "NPS at start", "number", "number", ()),
    (COMPANY, "active_users", "Active users", "number", "number", ()),
    (COMPANY, "plan", "Plan", "string", "text", ()),
)
COMPANIES = (
    ("501", "Atelier Lumière", "atelier-lumiere.example", "France", "101", "42", "Business"),
    ("502", "Bright Harbour Ltd", "brightharbour.example", "United Kingdom", "103", "118", "Enterprise"),
    ("503", "Coopérative du Vercors", "coop-vercors.example", "France", "102", "17", "Business"),
    ("504", "Delta Robotics", "delta-robotics.example", "Ireland", "103", "260", "Enterprise"),
    ("505", "Épicerie Fine Martin", "epicerie-martin.example", "France", None, "", "Starter"),
    ("506", "Foxglove Studio", "foxglove.example", "United Kingdom", "104", "9", "Starter"),
)
CONTACTS = (
    ("701", "501", "Hélène", "Garnier", "helene.garnier@atelier-lumiere.example", "fr", "DECISION_MAKER"),
    ("702", "501", "Marc", "Dubois", "marc.dubois@atelier-lumiere.example", "fr-fr", "END_USER"),
    ("703", "501", "Sofia", "Lopes", "", "fr", "INFLUENCER"),
    ("704", "502", "Oliver", "Shaw", "oliver.shaw@brightharbour.example", "en", "DECISION_MAKER;BUDGET_HOLDER"),
    ("705", "502", "Priya", "Nair", "priya.nair@brightharbour.example", "en-gb", "CHAMPION"),
    ("706", "502", "Jack", "Mills", "jack.mills@brightharbour.example", "", "END_USER"),
    ("707", "502", "Ruth", "Adeyemi", "ruth.adeyemi@brightharbour.example", "en", ""),
    ("708", "503", "Paul", "Morel", "paul.morel@coop-vercors.example", "fr", "DECISION_MAKER"),
    ("709", "504", "Aoife", "Byrne", "aoife.byrne@delta-robotics.example", "en", "EXECUTIVE_SPONSOR"),
    ("710", "504", "Kenji", "Mori", "kenji.mori@delta-robotics.example", "en", "END_USER"),
    ("711", "505", "Jeanne", "Martin", "jeanne.martin@epicerie-martin.example", "fr", "DECISION_MAKER"),
    ("712", "506", "Maya", "Fox", "maya.fox@foxglove.example", "en", "DECISION_MAKER"),
)
_BRIGHT = ("704", "705", "706", "707")
# id, name, company, contacts, pipeline, stage, owner, amount, days to the contract's end, exit reason, NPS at start
DEALS = (
    ("901", "Atelier Lumière – renewal", "501", ("701", "702", "703"), "renewals", "1002", "101", "14400", 75, "", "9"),
    ("902", "Bright Harbour – renewal", "502", _BRIGHT, "renewals", "1002", "103", "52000", 45, "Price", "8"),
    ("903", "Vercors – renouvellement", "503", ("708",), "renewals", "1002", "106", "6800", 20, "Low usage", "7"),
    ("904", "Delta Robotics – renewal", "504", ("709", "710"), "renewals", "1001", "103", "96000", 110, "", "10"),
    ("905", "Épicerie Martin – renouvellement", "505", ("711",), "renewals", "1002", None, "1200", 60, "", ""),
    ("906", "Foxglove – renewal", "506", (), "renewals", "1002", "104", "900", None, "", "6"),
    ("907", "Delta Robotics – second plant", "504", ("709",), "default", "contractsent", "105", "40000", None, "", ""),
)  # fmt: skip


def hubspot_world(world: World) -> World:
    """Fill an empty portal. Records are a year old, and the deals have moved to their stages since."""
    now = world.clock.now()
    world.owners = {each.id: each for each in OWNERS}
    world.schema.pipelines = [Pipeline(each.id, each.label, list(each.stages)) for each in PIPELINES]
    for kind, name, label, type_, field_type, choices in PROPERTIES:
        options = [{"label": each, "value": each, "hidden": False} for each in choices]
        wanted = {"name": name, "label": label, "type": type_, "fieldType": field_type, "options": options}
        world.schema.add(kind, wanted | {"groupName": kind.group}, iso(now - timedelta(days=400)))
    world.associations.add_label(DEAL, CONTACT, "Billing contact")
    _customers(world, now - timedelta(days=365))
    _deals(world, now)
    return world


def _customers(world: World, then: datetime) -> None:
    with world.at(then):
        for record_id, name, domain, country, owner, users, plan in COMPANIES:
            values = {"name": name, "domain": domain, "country": country, "hubspot_owner_id": owner}
            _add(world, COMPANY, record_id, {**values, "active_users": users, "plan": plan})
        for record_id, company, first, last, email, language, roles in CONTACTS:
            values = {"firstname": first, "lastname": last, "email": email, "hs_language": language}
            _add(world, CONTACT, record_id, {**values, "hs_buying_role": roles})
            _join(world, CONTACT, record_id, COMPANY, company)


def _deals(world: World, now: datetime) -> None:
    for record_id, name, company, contacts, pipeline, stage, owner, amount, days, reason, nps in DEALS:
        end = None if days is None else (now + timedelta(days=days)).date().isoformat()
        first = next(each for each in PIPELINES if each.id == pipeline).stages[0].id
        values = {"dealname": name, "pipeline": pipeline, "dealstage": first, "amount": amount, "nps_start": nps}
        with world.at(now - timedelta(days=300)):
            _add(
                world,
                DEAL,
                record_id,
                values
                | {"deal_currency_code": "EUR", "hubspot_owner_id": owner, "exit_reason": reason}
                | {"closedate": iso(now + timedelta(days=days or 90)), "contract_end_date": end},
            )
            _join(world, DEAL, record_id, COMPANY, company)
            for contact in contacts:
                world.associations.link(
                    (DEAL.id, record_id), (CONTACT.id, contact), _plain(world, DEAL, CONTACT), world.now()
                )
        if stage != first:
            with world.at(now - timedelta(days=12)):
                world.update(world.records[DEAL.id][record_id], {"dealstage": stage}, source=PEOPLE)


_STAGES = {Step.NEGOTIATED: "1002", Step.LOST: "1004", Step.RENEWED: "1003"}
_ROLES = {"decider": "DECISION_MAKER", "user": "END_USER", "influencer": "INFLUENCER"}


def hubspot_past(world: World) -> None:
    """Add last year's lost renewals to a seeded portal, with all that happened to them."""
    now = world.clock.now()
    owners = {each.email.partition("@")[0]: each.id for each in OWNERS}
    for number, past in enumerate(PAST):
        company, deal, first = str(5_101 + number), str(9_101 + number), 7_101 + 10 * number
        for at, step in past.story(now):
            with world.at(at):
                if step is Step.CREATED:
                    _beginning(world, past, company, deal, first, owners.get(past.owner or ""), now)
                elif step is Step.REASON:
                    world.update(world.records[DEAL.id][deal], {"exit_reason": past.reason}, source=PEOPLE)
                elif step is Step.DELETED:
                    world.archive(world.records[DEAL.id][deal], source=PEOPLE)
                else:
                    moved = {"dealstage": _STAGES[step]} | ({"closedate": iso(at)} if step is Step.LOST else {})
                    world.update(world.records[DEAL.id][deal], moved, source=PEOPLE)


def _beginning(
    world: World, past: PastDeal, company: str, deal: str, first: int, owner: str | None, now: datetime
) -> None:
    about = {"name": past.company, "domain": past.site, "country": past.country, "hubspot_owner_id": owner}
    _add(world, COMPANY, company, {**about, "active_users": str(past.users or ""), "plan": "Business"})
    values = {"dealname": past.name, "pipeline": "renewals", "dealstage": "1001", "amount": str(past.amount)}
    values |= {"deal_currency_code": "EUR", "closedate": iso(now - timedelta(days=past.ago - 90))}
    end = past.contract_end(now)
    _add(world, DEAL, deal, {**values, "hubspot_owner_id": owner, "contract_end_date": end, "nps_start": "8"})
    _join(world, DEAL, deal, COMPANY, company)
    for at, (given, last, email, language, role) in enumerate(past.people):
        contact = str(first + at)
        person = {"firstname": given, "lastname": last, "email": email, "hs_language": language}
        _add(world, CONTACT, contact, {**person, "hs_buying_role": _ROLES[role]})
        _join(world, CONTACT, contact, COMPANY, company)
        world.associations.link((DEAL.id, deal), (CONTACT.id, contact), _plain(world, DEAL, CONTACT), world.now())


def _add(world: World, kind: ObjectType, record_id: str, values: Mapping[str, str | None]) -> None:
    world.create(kind, {name: value for name, value in values.items() if value}, source=PEOPLE, record_id=record_id)


def _join(world: World, start: ObjectType, start_id: str, end: ObjectType, end_id: str) -> None:
    primary = next(each for each in world.associations.between(start, end) if each.label == "Primary")
    world.associations.link((start.id, start_id), (end.id, end_id), primary, world.now())


def _plain(world: World, start: ObjectType, end: ObjectType) -> AssociationType:
    return world.associations.default(start, end)
