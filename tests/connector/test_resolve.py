"""Names that an admin reads in the CRM become its ids, and a name that does not exist is told with those that do."""

from __future__ import annotations

import pytest

from adapters.errors import ConfigError
from connector.account_settings import AccountConfig
from connector.resolve import doubtful_people, resolve_rules
from workflows.records import Pipeline, Stage, User
from workflows.rules import AccountRules

PIPELINES = (
    Pipeline(
        id="77",
        label="Renewals",
        stages=(
            Stage(id="s1", label="Négociation"),
            Stage(id="s2", label="Not renewing"),
            Stage(id="s3", label="Renewed"),
        ),
    ),
    Pipeline(
        id="88", label="New business", stages=(Stage(id="n1", label="Open"), Stage(id="n2", label="Not renewing"))
    ),
)
USERS = (
    User(id="u1", name="Ada", email="ada@example.com"),
    User(id="u2", name="Bob", email="Bob@Example.com", active=False),
    User(id="u3", name="Cy", email="cy@example.com"),
)


def _config(**changes: object) -> AccountConfig:
    least = {
        "crm": "x",
        "account_id": "1",
        "calendar": "FR",
        "watch": [{"pipeline": "Renewals", "not_renewing": "Not renewing"}],
    }
    return AccountConfig.model_validate(least | changes)


def _resolve(config: AccountConfig) -> AccountRules:
    return resolve_rules("acme", config, PIPELINES, USERS, None)


def _faults(config: AccountConfig) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        _resolve(config)
    return {fault.key: fault.cure for fault in caught.value.faults}


def test_names_and_ids_are_both_understood_whatever_their_case() -> None:
    watch = [
        {"pipeline": " RENEWALS", "negotiating": "ne\u0301gociation", "not_renewing": ["s2"], "renewed": "renewed"}
    ]
    people = {"neutral_pool": ["ADA@example.com", "bob@example.com"], "manager": "cy@example.com"}
    rules = _resolve(_config(watch=watch, people=people))
    assert rules.watch[0].pipeline_id == "77"
    assert rules.watch[0].negotiating == {"s1"}
    assert rules.watch[0].not_renewing == {"s2"}
    assert rules.watch[0].renewed == {"s3"}
    assert rules.people.neutral_pool == ("u1", "u2")
    assert rules.people.manager == "u3"


def test_without_a_pipeline_a_stage_counts_wherever_it_exists() -> None:
    rule = _resolve(_config(watch=[{"not_renewing": "Not renewing", "negotiating": "Open"}])).watch[0]
    assert rule.pipeline_id is None
    assert rule.not_renewing == {"s2", "n2"}
    assert rule.negotiating == {"n1"}


def test_unknown_names_are_told_all_at_once_with_those_that_exist() -> None:
    watch = [
        {"pipeline": "Renewal", "not_renewing": "x"},
        {"pipeline": "77", "not_renewing": "Not renwing", "renewed": "Open"},
    ]
    faults = _faults(_config(watch=watch, people={"manager": "cyy@example.com"}))
    assert (
        "Did you mean Renewals? There are: Renewals (77), New business (88)"
        in faults["accounts.acme.watch[0].pipeline"]
    )
    assert "Did you mean Not renewing?" in faults["accounts.acme.watch[1].not_renewing[0]"]
    assert "Négociation (s1), Not renewing (s2), Renewed (s3)" in faults["accounts.acme.watch[1].renewed[0]"]
    assert "Did you mean cy@example.com" in faults["accounts.acme.people.manager"]
    assert len(faults) == 4


def test_two_of_the_same_name_must_be_told_apart_by_id() -> None:
    twins = (*PIPELINES, Pipeline(id="99", label="renewals", stages=()))
    with pytest.raises(ConfigError, match="write the id, one of 77, 99"):
        resolve_rules("acme", _config(), twins, USERS, None)


def test_a_stage_by_name_and_by_id_is_still_one_stage() -> None:
    watch = [{"pipeline": "Renewals", "not_renewing": "Not renewing", "renewed": "s2"}]
    assert "leave it in one of them" in _faults(_config(watch=watch))["accounts.acme.watch[0].renewed"]


def test_someone_inactive_is_a_warning_and_stops_nothing() -> None:
    config = _config(people={"neutral_pool": ["bob@example.com", "ada@example.com"]})
    assert _resolve(config).people.neutral_pool == ("u2", "u1")
    findings = doubtful_people("acme", config, USERS)
    assert [finding.text for finding in findings] == [
        "bob@example.com is not active in the CRM: tasks go to the next in line."
    ]


@pytest.mark.row("P-14")
def test_it_is_told_when_nobody_active_stands_in_for_owners() -> None:
    for people in ({}, {"manager": "bob@example.com"}):
        told = [one.text for one in doubtful_people("acme", _config(people=people), USERS)]
        assert any(text.startswith("nobody active is named to stand in") for text in told), people
    for people in ({"manager": "cy@example.com"}, {"neutral_pool": ["ada@example.com"]}):
        assert doubtful_people("acme", _config(people=people), USERS) == []
