"""Settings for digests, the look back and early signs: what they mean, and what is wrong with them in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.errors import ConfigError
from connector.account_settings import AccountConfig
from connector.resolve import digest_times, resolve_rules
from workflows.records import Pipeline, Stage, User
from workflows.rules import AccountRules, Department

PIPELINES = (Pipeline(id="p", label="Renewals", stages=tuple(Stage(id=one, label=one) for one in ("Lost", "Won"))),)
USERS = (User(id="u1", name="Ana", email="ana@example.com"), User(id="u2", name="Ben", email="ben@example.com"))

MANAGER = {"manager": "ben@example.com"}


def config(**more: Any) -> AccountConfig:
    watch = {"not_renewing": ["Lost"], "renewed": ["Won"]}
    return AccountConfig.model_validate({"crm": "x", "account_id": "1", "calendar": "FR", "watch": [watch], **more})


def rules(**more: Any) -> AccountRules:
    return resolve_rules("acme", config(**more), PIPELINES, USERS, None)


def test_without_the_new_settings_nothing_is_told_and_nothing_watched() -> None:
    made = rules()
    assert (made.digest, made.early, made.figures) == (None, None, ())
    assert digest_times(config()) is None


@pytest.mark.row("P-40")
def test_a_department_named_is_told_weekly_and_by_the_id_of_its_user() -> None:
    made = rules(departments={"product": "ANA@example.com"}, people=MANAGER).digest
    assert made is not None
    assert (made.every, made.weekday, dict(made.owners)) == ("weekly", 0, {Department.PRODUCT: "u1"})
    monthly = rules(digest={"every": "monthly", "day": "friday"}, people=MANAGER).digest
    assert monthly is not None
    assert (monthly.every, monthly.weekday, dict(monthly.owners)) == ("monthly", 4, {})
    assert rules(departments={"product": "ana@example.com"}, digest={"every": "off"}).digest is None


def test_an_unknown_address_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError) as wrong:
        rules(departments={"finance": "bne@example.com"}, people=MANAGER)
    [fault] = wrong.value.faults
    assert fault.key == "accounts.acme.departments.finance"
    assert "ben@example.com" in fault.cure


@pytest.mark.row("P-62")
def test_early_signs_watch_all_mapped_figures_unless_some_are_named() -> None:
    figures = {"figures": ["company.users", "company.live"]}
    made = rules(fields=figures, early_signs={}).early
    assert made is not None
    assert (made.figures, made.signs.falls_by) == (("company.users", "company.live"), 30)
    some = rules(fields=figures, early_signs={"figures": ["company.users"], "stalling": ["company.live"]}).early
    assert some is not None
    assert (some.figures, some.stalling, some.signs.stalls_after) == (
        ("company.users",),
        ("company.live",),
        timedelta(days=90),
    )


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"early_signs": {}}, "early_signs needs fields.figures"),
        ({"early_signs": {"figures": ["deal.x"]}, "fields": {"figures": ["deal.y"]}}, "deal.x, which is not in"),
        (
            {"early_signs": {}, "fields": {"figures": ["deal.y"]}, "watch": [{"not_renewing": ["Lost"]}]},
            "early_signs needs stages",
        ),
        ({"signs": {"falls_by": 0}}, "greater than or equal to 1"),
        ({"digest": {"day": "someday"}}, "monday"),
        ({"digest": {}}, "name people.manager, or every one of departments"),
        ({"departments": {"product": "ana@example.com"}}, "name people.manager"),
        ({"departments": {"legal": "ana@example.com"}}, "legal"),
    ],
)
def test_what_could_not_work_is_refused_with_its_cure(settings: dict[str, Any], cure: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        config(**settings)
    assert cure in str(wrong.value)


def test_stages_of_won_deals_need_no_baseline_where_early_signs_watch_them() -> None:
    watch = [{"not_renewing": ["Lost"], "won": ["Won"]}]
    assert config(watch=watch, fields={"figures": ["deal.y"]}, early_signs={}).early_signs is not None
    with pytest.raises(ValidationError, match="won needs baseline_playbook"):
        config(watch=watch)
