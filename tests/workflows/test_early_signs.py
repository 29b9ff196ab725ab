"""Early signs of customers, told while it can still be helped (P-62)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workflows.cases import FigureChange
from workflows.dates import calendar
from workflows.early import MOST, early_signs, name_of, read_since, sign_task
from workflows.people import Choice
from workflows.records import Company, Deal, User
from workflows.rules import AccountRules, EarlyRule, PeopleRule, SignRule

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
USERS, LIVE = "company.active_users", "company.use_cases_live"
RULE = EarlyRule(figures=(USERS,), stalling=(LIVE,), signs=SignRule(falls_by=30, stalls_after=timedelta(days=90)))


def changes(figure: str, *values: tuple[int, str | None]) -> list[FigureChange]:
    return [FigureChange(figure=figure, value=value, at=NOW - timedelta(days=days)) for days, value in values]


@pytest.mark.row("P-62")
@pytest.mark.parametrize(
    ("figure", "values", "told"),
    [
        (USERS, [(80, "100"), (10, "60")], "fell 100 60"),
        (USERS, [(80, "100"), (10, "71")], ""),
        (USERS, [(80, "100"), (40, "20"), (10, "100")], ""),
        (USERS, [(300, "100"), (10, "60")], "fell 100 60"),
        (USERS, [(300, "100"), (200, "60")], ""),
        (USERS, [(300, "500"), (200, "100"), (10, "90")], ""),
        (USERS, [(80, "100"), (10, None)], ""),
        (USERS, [(10, "1")], ""),
        (USERS, [], ""),
        (LIVE, [(200, "0"), (120, "1")], "stalled 1 1"),
        (LIVE, [(120, "0"), (60, "1")], ""),
        (LIVE, [(500, "1")], "stalled 1 1"),
        (LIVE, [(500, None)], ""),
        ("company.other", [(80, "100"), (10, "1")], ""),
    ],
)
def test_what_is_an_early_sign(figure: str, values: list[tuple[int, str | None]], told: str) -> None:
    found = early_signs(changes(figure, *values), RULE, NOW)
    assert " ".join(f"{one.kind} {one.before} {one.after}" for one in found) == told


def test_few_signs_at_a_time_the_newest_first() -> None:
    figures = tuple(f"company.f{n}" for n in range(9))
    rule = RULE.model_copy(update={"figures": figures})
    many = [one for n, figure in enumerate(figures) for one in changes(figure, (80, "100"), (20 - n, "1"))]
    found = early_signs(many, rule, NOW)
    assert [one.figure for one in found] == list(reversed(figures))[:MOST]


def test_history_is_read_no_further_back_than_it_is_needed() -> None:
    assert NOW - read_since(EarlyRule(figures=(USERS,)), NOW) == timedelta(days=90)
    assert NOW - read_since(RULE, NOW) > timedelta(days=300)


@pytest.mark.row("P-62")
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_task_says_what_it_is_and_what_one_can_do(language: str) -> None:
    [sign] = early_signs(changes(USERS, (80, "100"), (10, "60"), (5, "40")), RULE, NOW)
    rules = AccountRules(
        account="acme",
        time_zone="Europe/Paris",
        language=language,
        calendar="FR",
        watch=(),
        people=PeopleRule(),
        playbook="saas",
        early=RULE,
    )
    user = User(id="u1", name="Ana", email="ana@example.com", time_zone="Europe/Paris")
    choice = Choice(user=user, why="Ana was chosen because.")
    deal = Deal(id="d1", name="Aurora 2026")
    task = sign_task("k", sign, deal, Company(id="c1", name="Aurora"), choice, rules, calendar("FR"), NOW)
    assert (task.owner_id, task.company_id, task.deal_id) == ("u1", "c1", "d1")
    assert task.due_at.date() == (NOW + timedelta(days=2)).date()
    assert task.body.endswith(choice.why)
    told = {
        "en": ("Early sign at Aurora: active users fell from 100 to 40", "before May 31, 2026"),
        "fr": ("Premier signe chez Aurora : active users en baisse, de 100 à 40", "avant le 31 mai 2026"),
    }[language]
    assert task.subject == told[0]
    assert told[1] in task.body
    assert name_of(sign) == "company.active_users:fell"
