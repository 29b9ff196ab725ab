from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.people import RULES, Choice, Staff, choose, is_open_choice
from workflows.records import Company, Deal, Involvement, OwnerEntry, Part, StageEntry, User
from workflows.rules import Absence, PeopleRule

NAMES = {"u1": "Ana", "u2": "Ben", "u3": "Chloé", "u4": "Dan", "u5": "Eve"}

SMALL = PeopleRule(neutral_pool=("u3", "u4"))


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


def test_in_a_small_team_too_the_customer_keeps_the_same_person() -> None:
    both_owned_it: dict[str, Any] = {"deal": Deal(id="d1", past_owner_ids=("u3", "u4")), "load": {"u3": 9, "u4": 0}}
    assert chosen("neutral", staff(**both_owned_it, rule=SMALL)).user.id == "u4"
    assert chosen("neutral", staff(**both_owned_it, rule=SMALL), keep="u3").user.id == "u3"
    assert chosen("neutral", staff(**both_owned_it), keep="u3").user.id == "u5", "not where somebody had no part in it"


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


# --- by evidence ----------------------------------------------------------------------------------------------------


def day(number: int, month: int = 5) -> datetime:
    return datetime(2026, month, number, 12, tzinfo=UTC)


def owned(*entries: tuple[str | None, datetime]) -> tuple[OwnerEntry, ...]:
    return tuple(OwnerEntry(owner_id=owner, at=at) for owner, at in entries)


@pytest.mark.row("P-10", "P-15")
def test_whoever_owned_the_deal_until_lately_is_passed_over_and_it_says_until_when() -> None:
    deal = Deal(id="d1", owner_id="u1", owner_history=owned(("u1", day(4)), ("u3", day(1, 1))))
    choice = chosen("neutral", staff(deal=deal))
    assert choice.user.id == "u4"
    assert "Passed over: Chloé (owned the deal until May 4, 2026)." in choice.why
    assert "\n" not in choice.why


@pytest.mark.row("P-10")
def test_whoever_owned_the_deal_while_it_was_negotiated_counts_as_its_negotiator() -> None:
    stages = tuple(
        StageEntry(stage_id=one, at=at) for one, at in (("lost", day(20)), ("talks", day(2)), ("new", day(1)))
    )
    history = owned(("u1", day(10)), ("u3", day(3)), ("u4", day(1)))
    deal = Deal(id="d1", owner_id="u1", owner_history=history, stage_history=stages)
    team = staff(deal=deal, negotiating=frozenset({"talks"}))
    assert {user: tie.how for user, tie in team.ties.items()} == {
        "u1": "owns_deal",
        "u2": "owns_company",
        "u3": "negotiated",
        "u4": "negotiated",
    }
    earlier = deal.model_copy(update={"owner_history": owned(("u1", day(2)), ("u4", day(1)))})
    assert staff(deal=earlier, negotiating=frozenset({"talks"})).ties["u4"].how == "owned", "gone before it began"


@pytest.mark.row("P-10")
@pytest.mark.parametrize("part", list(Part))
def test_whoever_took_part_is_not_neutral(part: Part) -> None:
    team = staff(involved=(Involvement(user_id="u3", part=part),))
    choice = chosen("neutral", team)
    assert choice.user.id == "u4"
    assert "Passed over: Chloé (" in choice.why


@pytest.mark.row("P-10", "P-15")
def test_when_all_took_part_the_least_of_them_is_chosen_and_their_part_is_told() -> None:
    parts = (Involvement(user_id="u3", part=Part.DEAL_TEAM), Involvement(user_id="u4", part=Part.CALL))
    team = staff(involved=parts, rule=PeopleRule(neutral_pool=("u3", "u4")))
    choice = chosen("neutral", team)
    assert choice.user.id == "u4"
    assert "Their part: called the customer for this deal." in choice.why


@pytest.mark.row("P-10")
def test_among_neutral_people_those_who_speak_the_customers_language_come_first() -> None:
    users = {key: User(id=key, name=name, email="", language="en") for key, name in NAMES.items()}
    users["u4"] = users["u4"].model_copy(update={"language": "fr_CA"})
    choice = chosen("neutral", staff(users=users, spoken="fr-FR", load={"u4": 50}))
    assert choice.user.id == "u4"
    assert "They speak French." in choice.why
    nobody = chosen("neutral", staff(users=users, spoken="ja", load={"u3": 50}))
    assert nobody.user.id == "u4", "where nobody speaks it, the least loaded"
    told = PeopleRule(neutral_pool=("u3", "u4"), languages={"u3": ("ja", "en")})
    assert chosen("neutral", staff(users=users, spoken="ja", rule=told, load={"u3": 50})).user.id == "u3"


# --- absence --------------------------------------------------------------------------------------------------------


def away(user: str, stand_in: str | None = None, **rule: Any) -> PeopleRule:
    absence = Absence(user_id=user, first=date(2026, 5, 1), last=date(2026, 5, 20), stand_in=stand_in)
    return PeopleRule(**{"neutral_pool": ("u3", "u4"), "manager": "u5", "absences": (absence,), **rule})


@pytest.mark.row("P-10", "P-14")
def test_who_is_away_today_or_when_it_is_due_does_not_lead_the_conversation() -> None:
    for days in ([date(2026, 5, 10)], [date(2026, 4, 28), date(2026, 5, 2)]):
        choice = choose("neutral", staff(rule=away("u3"), load={"u4": 9}), days=days)
        assert choice is not None
        assert choice.user.id == "u4"
        assert "Passed over: Chloé (away until May 20, 2026)." in choice.why
    back = choose("neutral", staff(rule=away("u3"), load={"u4": 9}), days=[date(2026, 5, 21)])
    assert back is not None
    assert back.user.id == "u3"


@pytest.mark.row("P-14", "P-15")
def test_a_stand_in_takes_the_task_of_an_owner_who_is_away_or_else_the_next_in_line_does() -> None:
    days = [date(2026, 5, 10)]
    named = choose("deal_owner", staff(rule=away("u1", "u4")), days=days)
    assert named is not None
    assert (named.user.id, named.why) == (
        "u4",
        "Dan was chosen as the stand-in of Ana, who is away until May 20, 2026.",
    )
    unnamed = choose("deal_owner", staff(rule=away("u1")), days=days)
    assert unnamed is not None
    assert unnamed.user.id == "u2"
    assert unnamed.why.startswith("The deal's owner is away until May 20, 2026, so Ben was chosen")


@pytest.mark.row("P-14")
def test_a_stand_in_who_is_away_too_is_no_help_and_no_task_goes_unowned() -> None:
    everyone = tuple(
        Absence(user_id=key, first=date(2026, 5, 1), last=date(2026, 5, 20), stand_in="u4") for key in NAMES
    )
    rule = away("u1", absences=everyone)
    for one in RULES:
        choice = choose(one, staff(rule=rule), days=[date(2026, 5, 10)])
        assert choice is not None, one
    last = choose("deal_owner", staff(rule=rule), days=[date(2026, 5, 10)])
    assert last is not None
    assert last.user.id == "u1"
    assert "nobody else is there" in last.why


# --- what people decided, and what need not be asked ----------------------------------------------------------------


@pytest.mark.row("P-7B")
def test_whom_people_chose_counts_even_outside_the_pool() -> None:
    choice = choose("neutral", staff(), keep="u3", handed="u1")
    assert choice is not None
    assert choice.user.id == "u1"
    gone = choose("neutral", staff("u1"), keep="u3", handed="u1")
    assert gone is not None
    assert gone.user.id == "u3"


@pytest.mark.row("P-10")
def test_who_took_part_is_asked_for_only_where_it_could_change_the_choice() -> None:
    assert is_open_choice("neutral", staff(), None, None)
    assert not is_open_choice("deal_owner", staff(), None, None)
    assert not is_open_choice("neutral", staff(), "u3", None), "the conversation has its person"
    assert not is_open_choice("neutral", staff(), None, "u2"), "people chose"
    alone = staff(rule=PeopleRule(neutral_pool=("u3",)))
    assert not is_open_choice("neutral", alone, None, None), "there is nobody else"


@given(
    rule=st.sampled_from(RULES),
    inactive=st.sets(st.sampled_from(sorted(NAMES)), max_size=4),
    absent=st.dictionaries(st.sampled_from(sorted(NAMES)), st.sampled_from([*sorted(NAMES), None])),
    parts=st.lists(st.tuples(st.sampled_from([*sorted(NAMES), "gone"]), st.sampled_from(list(Part))), max_size=6),
    owners=st.lists(st.sampled_from([*sorted(NAMES), None]), max_size=4),
    language=st.sampled_from(["en", "fr", "pt-BR"]),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_known_somebody_active_gets_the_task_with_a_reason_in_one_line(
    rule: str,
    inactive: set[str],
    absent: dict[str, str | None],
    parts: list[tuple[str, Part]],
    owners: list[str | None],
    language: str,
) -> None:
    absences = tuple(
        Absence(user_id=user, first=date(2026, 1, 1), last=date(2026, 12, 31), stand_in=stand_in)
        for user, stand_in in absent.items()
    )
    history = owned(*((owner, day(20 - number)) for number, owner in enumerate(owners)))
    team = staff(
        *inactive,
        language=language,
        rule=PeopleRule(neutral_pool=("u3", "u4"), manager="u5", absences=absences),
        involved=tuple(Involvement(user_id=user, part=part) for user, part in parts),
        deal=Deal(id="d1", owner_id="u1", owner_history=history),
    )
    choice = choose(rule, team, days=[date(2026, 5, 10)])
    if choice is None:
        assert not {"u1", "u2", "u3", "u4", "u5"} - inactive
        return
    assert choice.user.active
    assert choice.user.name in choice.why
    assert choice.why == choice.why.strip()
    assert "\n" not in choice.why
    assert "{" not in choice.why


@pytest.mark.row("P-14")
def test_what_is_missing_is_asked_of_who_is_there(world: Any) -> None:
    gone = Absence(user_id="u1", first=date(2026, 3, 1), last=date(2026, 3, 20), stand_in="u4")
    people = world.rules.people.model_copy(update={"absences": (gone,)})
    world.change_rules(people=people)
    world.change(contract_end=None)
    world.enter("lost")
    world.look()
    task = world.made["case-1:_contract_end"]
    assert task.owner_id == "u4"
    assert "stand-in of Ana" in task.body
