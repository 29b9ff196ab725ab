from __future__ import annotations

from typing import Any

import pytest

from workflows.model import Company, Deal, PeopleRule, User
from workflows.people import RULES, Choice, Staff, choose

NAMES = {"u1": "Ana", "u2": "Ben", "u3": "Chloé", "u4": "Dan", "u5": "Eve"}


def staff(*inactive: str, language: str = "en", **more: Any) -> Staff:
    values: dict[str, Any] = {
        "deal": Deal(id="d1", owner_id="u1"),
        "company": Company(id="c1", name="Hotel Aurora", owner_id="u2"),
        "rule": PeopleRule(neutral_pool=("u3", "u4"), manager="u5"),
        "users": {
            key: User(id=key, name=name, email=f"{key}@example.com", active=key not in inactive)
            for key, name in NAMES.items()
        },
        "load": {},
        "language": language,
    }
    return Staff(**{**values, **more})


def chosen(rule: str, who: Staff, keep: str | None = None) -> Choice:
    choice = choose(rule, who, keep=keep)
    assert choice is not None
    return choice


@pytest.mark.parametrize(
    ("rule", "user"),
    [("deal_owner", "u1"), ("company_owner", "u2"), ("csm", "u2"), ("manager", "u5"), ("neutral", "u3")],
)
def test_each_rule_names_its_person_and_says_why(rule: str, user: str) -> None:
    choice = chosen(rule, staff())
    assert choice.user.id == user
    assert choice.user.name in choice.why
    assert "\n" not in choice.why


def test_every_rule_is_listed() -> None:
    assert set(RULES) == {"deal_owner", "company_owner", "neutral", "manager", "csm"}


@pytest.mark.row("P-10")
def test_the_neutral_person_is_the_least_loaded_and_then_always_the_same() -> None:
    assert chosen("neutral", staff(load={"u3": 2, "u4": 1})).user.id == "u4"
    assert chosen("neutral", staff(load={"u3": 1, "u4": 1})).user.id == "u3"


@pytest.mark.row("P-10")
@pytest.mark.parametrize(
    "near",
    [
        {"deal": Deal(id="d1", owner_id="u3")},
        {"deal": Deal(id="d1", owner_id="u1", past_owner_ids=("u3",))},
        {"company": Company(id="c1", name="x", owner_id="u3")},
    ],
)
def test_whoever_owned_the_deal_or_the_account_is_not_neutral(near: dict[str, Any]) -> None:
    assert chosen("neutral", staff(load={"u4": 99}, **near)).user.id == "u4"


@pytest.mark.row("P-10")
def test_the_customer_keeps_the_same_neutral_person_while_that_one_is_fit() -> None:
    assert chosen("neutral", staff(load={"u4": 99}), keep="u4").user.id == "u4"
    assert chosen("neutral", staff("u4"), keep="u4").user.id == "u3"


@pytest.mark.row("P-15")
def test_in_a_small_team_the_least_involved_person_is_chosen_and_it_says_so() -> None:
    team = staff(deal=Deal(id="d1", owner_id="u4", past_owner_ids=("u3",)), rule=PeopleRule(neutral_pool=("u3", "u4")))
    choice = chosen("neutral", team)
    assert choice.user.id == "u3"
    assert "least involved" in choice.why


@pytest.mark.row("P-15")
def test_a_manager_without_a_part_in_the_deal_is_less_involved_than_its_owners() -> None:
    team = staff(deal=Deal(id="d1", owner_id="u3"), rule=PeopleRule(neutral_pool=("u3",), manager="u5"))
    assert chosen("neutral", team).user.id == "u5"


@pytest.mark.row("P-14")
@pytest.mark.parametrize(
    ("rule", "inactive", "user"),
    [
        ("deal_owner", ("u1",), "u2"),
        ("deal_owner", ("u1", "u2"), "u5"),
        ("deal_owner", ("u1", "u2", "u5"), "u3"),
        ("company_owner", ("u2",), "u1"),
        ("csm", ("u2",), "u1"),
        ("manager", ("u5",), "u1"),
        ("neutral", ("u3", "u4"), "u5"),
        ("neutral", ("u3", "u4", "u5"), "u1"),
    ],
)
def test_an_inactive_person_is_replaced_along_the_chain(rule: str, inactive: tuple[str, ...], user: str) -> None:
    assert chosen(rule, staff(*inactive)).user.id == user


@pytest.mark.row("P-14")
def test_the_configured_chain_comes_before_everyone_else() -> None:
    rule = PeopleRule(neutral_pool=("u3",), manager="u5", fallback=("manager", "company_owner"))
    choice = chosen("deal_owner", staff("u1", rule=rule))
    assert choice.user.id == "u5"
    assert choice.why == "The deal has no active owner, so Eve was chosen as the manager named in the settings."


@pytest.mark.row("P-14")
def test_nobody_is_chosen_only_when_nobody_is_active() -> None:
    for rule in RULES:
        assert choose(rule, staff(*NAMES)) is None


@pytest.mark.row("P-15")
def test_the_reason_is_in_the_language_of_the_case() -> None:
    assert "à qui appartient la transaction" in chosen("deal_owner", staff(language="fr")).why
    assert chosen("deal_owner", staff("u1", language="fr")).why.startswith("La transaction n’a pas de propriétaire")
    assert chosen("deal_owner", staff(language="de")).why.endswith("own the deal.")


def test_a_deal_without_owner_or_company_still_finds_someone() -> None:
    bare = staff(deal=Deal(id="d1"), company=None)
    assert {chosen(rule, bare).user.id for rule in RULES} == {"u5", "u3"}
