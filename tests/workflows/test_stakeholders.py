"""Who is who at the customer's, as texts, conditions and tasks see it (P-11 … P-13, P-16)."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.cases import StepStatus
from workflows.dates import calendar
from workflows.playbook import shipped_playbooks
from workflows.records import Contact, Role
from workflows.roles import USUAL_ROLES
from workflows.survey import shipped_questionnaires
from workflows.texts import holds, render
from workflows.views import Contacts
from workflows.writes import TaskType

ANN = Contact(id="p1", name="Ann Lee", first_name="Ann", roles=(Role.DECIDER, Role.COUNTERPART), primary=True)
BOB = Contact(id="p2", name="Bob Ray", roles=(Role.USER,))
CLEO = Contact(id="p3", name="", email="cleo@example.com", roles=(Role.OTHER,))


@pytest.mark.row("P-11")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("contacts.deciders | length == 1", True),
        ("contacts.users and contacts.influencers", False),
        ("contacts.unknown | length == 1", True),
        ("not contacts.counterparts", False),
        ("contacts | length >= 2 and contacts.unknown", True),
    ],
)
def test_conditions_ask_who_decides_who_uses_and_who_has_a_say(condition: str, expected: bool) -> None:
    assert holds(condition, {"contacts": Contacts([ANN, BOB, CLEO], "en")}) is expected


@pytest.mark.row("P-11")
@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "- Ann Lee: decides, receives the handover\n- Bob Ray: uses it\n- cleo@example.com: role unknown"),
        (
            "fr",
            "- Ann Lee\xa0: décide, reçoit la passation\n- Bob Ray\xa0: utilise\n- cleo@example.com\xa0: rôle inconnu",
        ),
    ],
)
def test_the_map_shows_everybody_with_their_role(language: str, shown: str) -> None:
    assert render("{{ contacts.map }}", {"contacts": Contacts([ANN, BOB, CLEO], language)}) == shown


def test_the_map_of_a_crowd_stays_readable() -> None:
    crowd = Contacts([Contact(id=f"p{n}", name=f"Person {n}") for n in range(200)], "en")
    assert len(crowd.map.splitlines()) == 21
    assert crowd.map.endswith("and 180 more")


@pytest.mark.row("P-13")
def test_a_text_names_the_counterpart_or_else_whom_it_would_have_named() -> None:
    text = "Hello {{ contacts.counterpart.first_name | default(contact.first_name) | default('[first name]') }}"
    assert render(text, {"contacts": Contacts([BOB, ANN], "en"), "contact": {"first_name": "Bob"}}) == "Hello Ann"
    assert render(text, {"contacts": Contacts([BOB], "en"), "contact": {"first_name": "Bob"}}) == "Hello Bob"
    assert render(text, {"contacts": Contacts([], "en"), "contact": {}}) == "Hello [first name]"


@pytest.mark.row("P-11")
def test_the_usual_names_of_roles_are_known_in_both_languages() -> None:
    for name, role in (
        ("decision maker", Role.DECIDER),
        ("décideur", Role.DECIDER),
        ("end user", Role.USER),
        ("utilisatrice", Role.USER),
        ("technical evaluator", Role.INFLUENCER),
        ("prescripteur", Role.INFLUENCER),
        ("handover counterpart", Role.COUNTERPART),
        ("interlocuteur de passation", Role.COUNTERPART),
    ):
        assert USUAL_ROLES[name] is role
    assert all(name == name.casefold() for name in USUAL_ROLES)


@pytest.mark.row("P-12", "P-11")
@pytest.mark.parametrize(
    ("contacts", "asked"),
    [((), "more-voices"), ((ANN,), "more-voices"), ((ANN, BOB), None), ((ANN, BOB, CLEO), "roles")],
)
def test_the_plan_asks_for_more_voices_and_for_their_roles(
    world: Any, contacts: tuple[Contact, ...], asked: str | None
) -> None:
    world.playbook = shipped_playbooks()["saas"]
    world.people = world.people.model_copy(update={"contacts": contacts})
    world.enter("lost")
    world.look()
    world.wait(days=4)
    made = {key.removeprefix("case-1:") for key in world.made} & {"more-voices", "roles"}
    assert made == ({asked} if asked else set())
    if asked == "roles":
        assert "- cleo@example.com: role unknown" in world.made["case-1:roles"].body


@pytest.mark.row("P-12")
@pytest.mark.parametrize("playbook", ["agency", "light", "vendor-ended", "partial"])
@pytest.mark.parametrize(("contacts", "asked"), [((), True), ((ANN,), True), ((ANN, BOB), False)])
def test_every_goodbye_looks_for_further_voices_where_one_or_none_is_known(
    world: Any, playbook: str, contacts: tuple[Contact, ...], asked: bool
) -> None:
    world.playbook = shipped_playbooks()[playbook]
    world.people = world.people.model_copy(update={"contacts": contacts})
    world.enter("lost")
    world.look()
    world.wait(days=4)
    assert ("case-1:more-voices" in world.made) is (asked and playbook != "vendor-ended")
    if playbook == "vendor-ended":  # nobody else hears of our decision before the first person did
        for key in ("agree-message", "tell-them"):
            world.finish(key)
            world.look()
            world.wait(days=4)
    assert ("case-1:more-voices" in world.made) is asked


@pytest.mark.row("P-12")
def test_one_person_who_stands_there_twice_is_one_voice(world: Any, make_rule: Any, make_book: Any) -> None:
    twice = (ANN.model_copy(update={"email": "ann@example.com"}), BOB.model_copy(update={"email": "Ann@Example.com"}))
    world.people = world.people.model_copy(update={"contacts": twice})
    world.playbook = make_book(make_rule("more", when="contacts | length < 2"))
    world.enter("lost")
    world.look()
    assert world.statuses() == {"more": "open"}


@pytest.mark.row("P-16")
@pytest.mark.parametrize("why", ["opted_out", "bounced", "email"])
def test_who_cannot_be_written_to_gets_a_call(world: Any, make_rule: Any, make_book: Any, why: str) -> None:
    lost = {"email": None} if why == "email" else {"email": "zoe@example.com", why: True}
    world.people = world.people.model_copy(update={"contacts": (ANN.model_copy(update=lost),)})
    texts = {"call_title": {"en": "Call {{ contact.name }}"}, "call_body": {"en": "Ask how it was."}}
    world.playbook = make_book(make_rule("ask", per_contact=True, link="interview", questionnaire="talk", **texts))
    world.enter("lost")
    world.look()
    (task,) = world.made.values()
    assert (task.type, task.subject, task.link) == (TaskType.CALL, "Call Ann Lee", None)


@pytest.mark.row("P-13")
def test_the_plan_asks_to_mark_a_counterpart_only_while_nobody_is(world: Any) -> None:
    world.playbook = shipped_playbooks()["saas"]
    for contacts, expected in (((BOB,), True), ((BOB, ANN), False)):
        other = type(world)()
        other.playbook = world.playbook
        other.people = other.people.model_copy(update={"contacts": contacts})
        other.enter("lost")
        other.look()
        other.wait(days=2)
        other.finish("counterpart")
        other.look()
        other.wait(days=4)
        assert ("case-1:mark-counterpart" in other.made) is expected


RECEIPTS = {"agency": "files", **dict.fromkeys(("saas", "vendor-ended"), "receipt")} | dict.fromkeys(
    ("light", "partial"), "handover"
)
"""In every goodbye that ships: the step that ends with the customer's “received”."""


@pytest.mark.row("P-13")
@pytest.mark.parametrize("key", sorted(key for key, one in shipped_playbooks().items() if one.kind == "offboarding"))
def test_every_goodbye_says_who_validates_and_what_follows_when_no_answer_comes(world: Any, key: str) -> None:
    world.playbook, receipt = shipped_playbooks()[key], RECEIPTS[key]
    world.questionnaires = dict(shipped_questionnaires())
    world.people = world.people.model_copy(update={"contacts": (BOB, ANN)})
    world.enter("lost")
    world.look()
    world.wait(days=150)
    made = {name.partition(":")[2]: task for name, task in world.made.items()}
    assert "Ann" in made[receipt].body
    assert all(words in made[receipt].body for words in ("three business days", "your manager"))
    due, days = made[receipt].due_at.date(), calendar("FR")
    reminder, manager = made[f"{receipt}-reminder"], made["escalate"]
    assert "Ann Lee" in reminder.body
    assert (reminder.owner_id, manager.owner_id) == ("u2", "u5")
    assert reminder.due_at.date() == days.add_business_days(due, 4)
    assert manager.due_at.date() == days.add_business_days(due, 6)
    world.finish(receipt)
    world.look()
    assert world.step("escalate").status is StepStatus.CLOSED, "their “received” settles it"


@pytest.mark.row("P-61", "P-13")
def test_who_was_agreed_on_at_the_start_validates_unless_somebody_is_marked() -> None:
    people = [BOB, ANN.model_copy(update={"roles": (Role.DECIDER,)})]
    for said, expected in (("Bob Ray (operations)", "Bob Ray"), ("Bobby Rayner", None), ("", None)):
        assert Contacts(people, "en", said).counterpart.get("name") == expected
    assert Contacts([BOB, ANN], "en", "Bob Ray").counterpart["name"] == "Ann Lee"
    short, accented = (BOB.model_copy(update={"name": name}) for name in ("Bob", "Zoé Hill"))
    crowd = Contacts([short, BOB, accented], "en", "Bob Ray, zoe hill")
    assert [one["name"] for one in crowd.counterparts] == ["Bob Ray", "Zoé Hill"], "no other Bob, whatever the accents"
    assert Contacts([short], "en", "Bob (operations)").counterpart["name"] == "Bob"
