"""Who was entered anew under another company, told by more than a name (P-53)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflows.namesakes import Leaver, Person, Shared, hint, last_names, namesakes

pytestmark = pytest.mark.row("P-53")
END = datetime(2026, 6, 30, tzinfo=UTC)
ZOE = Person(
    id="p1",
    first_name="Zoé",
    last_name="Hill",
    email="zoe@aurora.example",
    numbers=("06 12 34 56 78", "42"),
    profile="https://www.linkedin.com/in/zoe-hill/",
    company_id="c1",
)


def newer(**changes: Any) -> Person:
    values = {"id": "p9", "email": "zoe@borealis.example", "numbers": (), "profile": "", "company_id": "c2"}
    return ZOE.model_copy(update=values | {"company_name": "Borealis", "made_at": END + timedelta(days=9)} | changes)


def found(*people: Person) -> dict[str, Any]:
    return namesakes({"p1": Leaver(company_id="c1", since=END)}, {"p1": ZOE}, people)


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({"numbers": ("+33 (0)6-12-34-56-78",)}, Shared.NUMBER),
        ({"numbers": ("+33612345678",)}, Shared.NUMBER),
        ({"first_name": "ZOE", "numbers": ("0612345678",)}, Shared.NUMBER),
        ({"profile": "linkedin.com/in/Zoe-Hill?trk=x"}, Shared.PROFILE),
        ({"email": "ZOE@aurora.example"}, Shared.EMAIL),
        ({}, None),
        ({"numbers": ("42",)}, None),
        ({"profile": "https://www.linkedin.com/company/aurora"}, None),
        ({"email": "ZOE@aurora.example", "last_name": "Hall"}, None),
        ({"email": "ZOE@aurora.example", "company_id": "c1"}, None),
        ({"email": "ZOE@aurora.example", "company_id": None}, None),
        ({"email": "ZOE@aurora.example", "made_at": END - timedelta(days=1)}, None),
    ],
)
def test_a_name_and_something_that_people_take_along_tell_who_someone_is(changes: Any, shared: Shared | None) -> None:
    told = found(newer(**changes))
    assert [one.shared for one in told.values()] == ([shared] if shared else [])


def test_two_who_are_alike_are_nobody() -> None:
    assert found(newer(email=ZOE.email), newer(id="p8", email=ZOE.email, company_id="c3")) == {}


def test_nobody_is_looked_for_who_could_not_be_told_from_others() -> None:
    bare = ZOE.model_copy(update={"email": "", "numbers": ("42",), "profile": ""})
    assert last_names([ZOE, bare, ZOE.model_copy(update={"first_name": ""})]) == ["Hill"]
    assert last_names([bare]) == []


def test_a_hint_says_that_a_human_should_look() -> None:
    (one,) = found(newer(email=ZOE.email)).values()
    assert hint(one, "en").startswith("Borealis (perhaps:")
    assert "à vérifier" in hint(one, "fr-FR")
