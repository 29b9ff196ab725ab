"""How long decisions take: pure computing, no CRM and no database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.figures import Figure
from workflows.decide import decide
from workflows.look import Look
from workflows.playbook import shipped_playbooks
from workflows.records import Company, Contact, Deal, People, StageEntry, User
from workflows.rules import AccountRules, LinkKind, PeopleRule, WatchRule
from workflows.survey import shipped_questionnaires

SUBJECT = "Deciding"
DEALS = 1_000
MOST_SECONDS = 2.0
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
USERS = {f"u{n}": User(id=f"u{n}", name=f"User {n}", email=f"u{n}@ours.example") for n in range(1, 6)}
RULES = AccountRules(
    account="acme",
    time_zone="Europe/Paris",
    language="en",
    calendar="FR",
    watch=(
        WatchRule(
            pipeline_id="renewals",
            negotiating=frozenset({"talks"}),
            not_renewing=frozenset({"lost"}),
            settle_for=timedelta(0),
        ),
    ),
    people=PeopleRule(neutral_pool=("u3", "u4"), manager="u5"),
    playbook="saas",
)


def measure() -> Iterator[Figure]:
    """The whole plan of a thousand deals that end at once, in seconds of one core."""
    playbooks, questionnaires = shipped_playbooks(), shipped_questionnaires()
    looks = [
        Look(
            now=NOW,
            rules=RULES,
            deal=_deal(number),
            people=_people(number),
            playbook=playbooks["saas"],
            playbooks=playbooks,
            questionnaires=questionnaires,
            users=USERS,
            new_case_id=f"case-{number}",
        )
        for number in range(DEALS)
    ]
    decide(looks[0], _link)  # loads the holidays
    began = time.process_time()
    decisions = [decide(look, _link) for look in looks]
    took = time.process_time() - began
    writes = sum(len(decision.writes) for decision in decisions)
    if not all(decision.writes for decision in decisions):
        raise RuntimeError("a deal that ended got no plan")
    yield Figure(SUBJECT, f"the plans of {DEALS} deals with {writes} writes, on one core", took, "s", MOST_SECONDS)


def _deal(number: int) -> Deal:
    entered = StageEntry(stage_id="lost", at=NOW - timedelta(hours=1))
    return Deal(
        id=f"d{number}",
        name=f"Customer {number} renewal",
        pipeline_id="renewals",
        stage_id="lost",
        stage_history=(entered, StageEntry(stage_id="talks", at=NOW - timedelta(days=60))),
        owner_id="u1",
        contract_end=NOW.date() + timedelta(days=number % 120),
        exit_reason="Price",
        company_id=f"c{number}",
        contact_ids=(f"p{number}", f"q{number}"),
    )


def _people(number: int) -> People:
    contacts = tuple(
        Contact(id=f"{side}{number}", name=f"Person {side}{number}", email=f"{side}{number}@customer.example")
        for side in "pq"
    )
    return People(company=Company(id=f"c{number}", name=f"Customer {number}", owner_id="u2"), contacts=contacts)


def _link(kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
    return f"https://goodbye.example.com/{kind}/{case_id}/{contact_id}/{questionnaire}"
