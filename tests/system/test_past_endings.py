"""A rehearsal over both CRMs: past endings as they were, the live planner, and nothing written (P-70)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.port import Crm
from connector.bootstrap import Runtime
from connector.readonly import ReadOnly, ReadOnlyError
from connector.rehearsal import NoRehearsalError, Progress, Rehearsal, rehearse_account
from connector.store import cases
from workflows.records import RecordKind, Ref
from workflows.rehearsal import Lack, LeftOut
from workflows.writes import UpdateFields

DAY = timedelta(days=1)


class House:
    """A connector that was set up and never switched on, and a CRM whose past is made by hand."""

    def __init__(self, rig: Any, runtime: Runtime) -> None:
        self.rig, self.runtime = rig, runtime
        rig.advance(400 * DAY)  # away from the records that every sandbox has
        self.since = rig.now()

    def renewal(self, name: str, **values: Any) -> str:
        rig = self.rig
        company = rig.add_company(name, owner_id=rig.users[0])
        contact = rig.add_contact("Ada North", email=f"ada@{name.lower()}.example", decider=True)
        defaults = {
            "owner_id": rig.users[0],
            "contract_end": (rig.now() + 80 * DAY).date(),
            "exit_reason": getattr(rig, "exit_reason_value", "Price"),
            "company_id": company,
            "contact_ids": [contact],
        }
        deal: str = rig.add_deal(name, **(defaults | values))
        return deal

    def lose(self, deal: str) -> datetime:
        self.rig.move_deal(deal, self.rig.not_renewing)
        at: datetime = self.rig.now()
        return at

    def rehearse(self, **more: Any) -> Rehearsal:
        self.rig.advance(timedelta(minutes=5))  # past the lag of a search
        self.rig.forget_calls()
        return rehearse_account(self.runtime, "acme", self.since.date(), **more)


@pytest.fixture
def account_settings(rig: Any, request: pytest.FixtureRequest) -> dict[str, Any]:
    """``figures``: the settings map a key figure."""
    settings = dict(getattr(request, "param", {}))
    if settings.pop("figures", False):
        fields = {"contract_end": rig.contract_end_field, "exit_reason": rig.exit_reason_field}
        settings["fields"] = {**fields, "figures": [".".join(rig.figure)]}
    return settings


@pytest.fixture
def house(rig: Any, set_up_only: Runtime) -> House:
    return House(rig, set_up_only)


def is_read(call: dict[str, Any]) -> bool:
    return call["method"] == "GET" or str(call["path"]).rstrip("/").endswith(("/batch/read", "/search"))


@pytest.mark.row("P-70")
def test_a_past_ending_is_planned_as_the_deal_was_then_and_nothing_is_written(house: House) -> None:
    rig = house.rig
    deal = house.renewal("Northwind")
    rig.advance(DAY)
    lost_at = house.lose(deal)
    rig.advance(30 * DAY)
    rig.give_deal(deal, rig.users[1])
    made = house.rehearse()
    (one,) = made.deals
    assert one.opens
    assert one.deal_name == "Northwind"
    assert one.ended_at is not None
    assert abs(one.ended_at - lost_at) < timedelta(seconds=5)
    assert one.starts_at == one.ended_at
    assert [each.what for each in one.lacks] == [Lack.NEUTRAL]  # the settings name no pool
    owners = {step.owner_id for step in one.tasks}
    assert rig.users[0] in owners
    assert len(one.tasks) > 10
    assert all(step.due_at is None or step.due_at > lost_at for step in one.tasks)
    assert rig.tasks(deal) == []
    assert all(is_read(call) for call in rig.sandbox.ledger.as_json()["calls"])
    with house.runtime.store.read() as session:
        assert list(cases.listing(session)) == []
    assert not house.runtime.accounts["acme"].is_switched_on()


@pytest.mark.row("P-70")
@pytest.mark.parametrize(
    "account_settings", [{"watch": {"settle_for": "24h", "only_if": "deal.amount > 100"}}], indirect=True
)
def test_what_would_not_have_opened_says_why(house: House) -> None:
    rig = house.rig
    amount = {"amount": 5000}
    bounced, small, lost, lately = (
        house.renewal("Bounced", **amount),
        house.renewal("Small", amount=50),
        house.renewal("Lost", **amount),
        house.renewal("Lately", **amount),
    )
    rig.advance(DAY)
    for deal in (bounced, small, lost):
        house.lose(deal)
    rig.advance(timedelta(hours=3))
    rig.move_deal(bounced, rig.negotiating)
    rig.advance(10 * DAY)
    house.lose(lately)
    made = house.rehearse()
    assert [one.deal_id for one in made.would_open] == [lost]
    assert {kind: [one.deal_id for one in ones] for kind, ones in made.left_out.items()} == {
        LeftOut.BOUNCED: [bounced],
        LeftOut.CONDITION: [small],
        LeftOut.WAITING: [lately],
    }


@pytest.mark.row("P-70")
@pytest.mark.parametrize("account_settings", [{"figures": True}], indirect=True)
def test_key_figures_in_the_settings_keep_no_plan_from_being_shown(house: House) -> None:
    rig = house.rig
    deal = house.renewal("Figures", figure="9")
    rig.advance(DAY)
    house.lose(deal)
    assert [one.deal_id for one in house.rehearse().would_open] == [deal]


@pytest.mark.row("P-70")
@pytest.mark.parametrize(
    "account_settings", [{"playbooks": [{"when": "deal.amount > 1000", "playbook": "light"}]}], indirect=True
)
def test_the_playbook_is_chosen_as_it_would_be_and_a_condition_that_cannot_be_told_is_named(house: House) -> None:
    rig = house.rig
    large, unknown = house.renewal("Large", amount=5000), house.renewal("Unknown")
    rig.advance(DAY)
    for deal in (large, unknown):
        house.lose(deal)
    made = {one.deal_id: one for one in house.rehearse().would_open}
    assert made[large].playbook.startswith("light ")
    assert made[unknown].playbook.startswith("saas ")
    assert not made[large].missing(Lack.CONDITION)
    (lack,) = [each for each in made[unknown].lacks if each.what is Lack.CONDITION]
    assert "deal.amount > 1000" in lack.detail


@pytest.mark.row("P-70")
def test_what_would_have_been_missing_is_told(house: House) -> None:
    rig = house.rig
    without = house.renewal("Bare", contract_end=None, exit_reason=None, contact_ids=[], company_id=None)
    rig.advance(DAY)
    house.lose(without)
    rig.advance(20 * DAY)
    made = house.rehearse()
    (one,) = made.would_open
    wanted = {Lack.REASON, Lack.CONTACTS, Lack.COMPANY, Lack.CONTRACT_END}
    assert wanted <= {each.what for each in one.lacks}
    assert one.starts_at is not None
    assert one.ended_at is not None
    assert one.starts_at - one.ended_at == timedelta(days=5)  # the reason was waited for


@pytest.mark.row("P-70")
def test_two_endings_of_one_deal_are_two_and_a_deleted_deal_is_none(house: House) -> None:
    rig = house.rig
    twice, gone = house.renewal("Twice"), house.renewal("Gone")
    rig.advance(DAY)
    house.lose(twice)
    house.lose(gone)
    rig.advance(10 * DAY)
    rig.move_deal(twice, rig.negotiating)
    rig.advance(40 * DAY)
    house.lose(twice)
    rig.delete_deal(gone)
    made = house.rehearse()
    assert [one.deal_id for one in made.would_open] == [twice, twice]
    assert made.would_open[0].reopened_at is not None
    assert made.would_open[1].reopened_at is None


@pytest.mark.row("P-70")
def test_the_period_bounds_what_is_played(house: House) -> None:
    rig = house.rig
    first, second = house.renewal("First"), house.renewal("Second")
    rig.advance(DAY)
    house.lose(first)
    rig.advance(5 * DAY)
    until = rig.now().date()
    rig.advance(5 * DAY)
    house.lose(second)
    made = house.rehearse(until=until)
    assert [one.deal_id for one in made.deals] == [first]


@pytest.mark.parametrize(("since", "until"), [(2, None), (-3, -5), (-4000, None)])
def test_a_period_that_makes_no_sense_is_refused_in_words(house: House, since: int, until: int | None) -> None:
    today = house.rig.now().date()
    last = today + until * DAY if until is not None else None
    with pytest.raises(NoRehearsalError, match=r"--(since|until)"):
        rehearse_account(house.runtime, "acme", today + since * DAY, last)


@pytest.mark.row("P-70")
def test_many_past_deals_cost_few_calls_and_the_way_is_told(house: House) -> None:
    rig, told = house.rig, list[Progress]()
    deals = [house.renewal(f"Deal{number}") for number in range(250)]
    rig.advance(DAY)
    for deal in deals:
        house.lose(deal)
    made = house.rehearse(on_progress=told.append)
    assert len(made.would_open) == 250
    seen = rig.sandbox.ledger.as_json()["calls"]
    history = [call for call in seen if _reads_history(rig.name, call)]
    assert len(history) <= 6
    assert len(seen) - len(history) <= (17 if rig.name == "hubspot" else 5)
    assert [each.step for each in told if each.total == each.done or each.step == "finding"][-1] == "planning"
    assert told[-1] == Progress("planning", 250, 250)


def _reads_history(crm: str, call: dict[str, Any]) -> bool:
    """Deals with their past: fifty a call at one, and a few hundred a call at the other."""
    return str(call["path"]).endswith("/0-3/batch/read") if crm == "hubspot" else call["records"] == 250


def test_a_connection_for_reading_refuses_to_write(house: House) -> None:
    with house.runtime.accounts["acme"].reading() as crm:
        change = UpdateFields(key="k", deal_id="1", target=Ref(kind=RecordKind.DEAL, id="1"), values={})
        house.rig.forget_calls()
        with pytest.raises(ReadOnlyError, match="nothing was sent"):
            crm.write([change])
        with pytest.raises(ReadOnlyError):
            crm.ensure_schema([])
        assert house.rig.calls() == 0


def test_whatever_the_port_can_do_is_passed_on_or_refused_by_name() -> None:
    port = {name for name in vars(Crm) if not name.startswith("_")}
    assert port <= set(vars(ReadOnly))
