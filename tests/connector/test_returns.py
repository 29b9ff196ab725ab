"""A customer who remains, or is back, by another deal: told from a slip, or taken back (P-25, P-56)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connector.returns import credit_returns
from connector.store import Store, agenda, cases, door, intents
from workflows.cases import Case, CaseStatus
from workflows.quiet import STAYS
from workflows.records import Deal, DealState, StageEntry
from workflows.rules import AccountRules, PeopleRule, WatchRule

pytestmark = pytest.mark.row("P-25", "P-03")

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULES = AccountRules(
    account="acme",
    time_zone="Europe/Paris",
    language="en",
    calendar="FR",
    people=PeopleRule(),
    playbook="saas",
    watch=(WatchRule(pipeline_id=None, not_renewing=frozenset({"lost"}), won=frozenset({"won"})),),
)


def upsell(*stages: tuple[str, datetime], **more: Any) -> Deal:
    """Another deal of the company; its stages the newest first."""
    history = tuple(StageEntry(stage_id=stage, at=at) for stage, at in stages)
    return Deal(id="d2", stage_id=history[0].stage_id, stage_history=history, **{"company_id": "c1", **more})


def at(days: float) -> datetime:
    return NOW + timedelta(days=days)


@pytest.fixture
def leaving(store: Store) -> Any:
    """A customer is leaving; gives what happens at a look at other deals of theirs."""
    case = Case(
        id="case-1", account="acme", deal_id="d1", status=CaseStatus.ACTIVE, playbook="saas", language="en",
        stage_id="lost", entered_at=NOW, opened_at=NOW, contract_end=date(2026, 6, 30), company_id="c1",
    )  # fmt: skip
    with store.write() as session:
        cases.save(session, case)

    def look(deal: Deal, now: datetime) -> tuple[Any, dict[str, str], list[str]]:
        with store.write() as session:
            for row in agenda.due(session, "acme", at(999), 100):
                agenda.looked(session, row, None)
        again = credit_returns(store, "acme", RULES, [deal], now)
        with store.read() as session:
            found = cases.by_id(session, "case-1")
            assert found is not None
            return again, dict(found.written), sorted(row.deal_id for row in agenda.due(session, "acme", now, 100))

    return look


def test_a_win_counts_once_it_has_held_for_the_settle_time(leaving: Any) -> None:
    deal = upsell(("won", at(1)), ("talks", at(-9)))
    assert leaving(deal, at(1)) == ({"d2": at(2)}, {}, []), "it is looked at again then"
    assert leaving(deal, at(2)) == ({}, {STAYS: "d2"}, ["d1"])
    assert leaving(deal, at(3)) == ({}, {STAYS: "d2"}, []), "noted once"


@pytest.mark.parametrize(
    ("deal", "looks"),
    [
        (upsell(("talks", at(4)), ("won", at(1)), ("talks", at(-9))), ["d1"]),
        (Deal(id="d2", state=DealState.DELETED), ["d1"]),
        (Deal(id="d2", state=DealState.MERGED, merged_into="d3"), ["d1", "d3"]),
    ],
    ids=["put back", "deleted", "merged"],
)
def test_what_was_noted_by_a_win_that_does_not_hold_is_taken_back(leaving: Any, deal: Deal, looks: list[str]) -> None:
    leaving(upsell(("won", at(1)), ("talks", at(-9))), at(3))
    assert leaving(deal, at(4)) == ({}, {}, looks)
    assert leaving(deal, at(5)) == ({}, {}, []), "once"


def test_a_contract_that_ran_out_meanwhile_is_no_slip(leaving: Any) -> None:
    deal = upsell(("won", at(-99)), ("talks", at(-200)), contract_end=date(2026, 12, 31))
    assert leaving(deal, at(1))[1] == {STAYS: "d2"}
    assert leaving(deal, at(400)) == ({}, {STAYS: "d2"}, [])


@pytest.mark.row("P-56")
def test_a_return_counts_once_it_has_held_too(leaving: Any, store: Store) -> None:
    deal = upsell(("won", at(200)), ("talks", at(150)))
    assert leaving(deal, at(200)) == ({"d2": at(201)}, {}, [])
    leaving(deal, at(201))
    with store.read() as session:
        assert list(door.returned(session, "acme", ["d2"])) == ["d2"]


LOST = (("lost", at(230)), ("won", at(200)), ("talks", at(150)))


@pytest.mark.row("P-56")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("deal", "days", "looks", "returns"),
    [
        (upsell(*LOST), 230, ["d1"], []),
        (upsell(("talks", at(230)), *LOST[1:]), 230, ["d1"], []),
        (Deal(id="d2", state=DealState.DELETED), 230, ["d1"], []),
        (Deal(id="d2", state=DealState.MERGED, merged_into="d3"), 400, ["d1", "d3"], []),
        (upsell(("lost", at(400)), *LOST[1:]), 400, [], ["d2"]),
        (Deal(id="d2", state=DealState.DELETED), 400, [], ["d2"]),
        (upsell(*LOST[1:]), 230, [], ["d2"]),
    ],
    ids=["lost", "open again", "deleted", "merged", "left again later", "deleted much later", "won as before"],
)
def test_a_return_whose_deal_turns_out_to_be_no_win_is_taken_back_with_a_word_in_the_log(
    leaving: Any, store: Store, deal: Deal, days: int, looks: list[str], returns: list[str]
) -> None:
    won = upsell(*LOST[1:])
    leaving(won, at(201))
    assert leaving(deal, at(days))[2] == looks
    with store.read() as session:
        assert list(door.returned(session, "acme", ["d2"])) == returns
        told = [event.what for event in cases.events(session, "case-1")]
        values = [intents.content(row).values for row in intents.open_for(session, "acme", ["d2"])]  # type: ignore[union-attr]
    assert told == (["came back"] if returns else ["came back", "back no longer"])
    live = deal.state is DealState.LIVE and not returns
    assert values == [{"returned": True}, *([{"returned": False}] if live else [])]
    if live:
        again = upsell(("won", at(300)), *LOST)
        leaving(again, at(302))
        with store.read() as session:
            assert list(door.returned(session, "acme", ["d2"])) == ["d2"], "and noted anew, if it is won after all"


def test_deals_by_which_customers_remain_are_known_for_as_long_as_quiet_may_last(leaving: Any, store: Store) -> None:
    leaving(upsell(("won", at(1)), ("talks", at(-9))), at(3))
    with store.read() as session:
        assert cases.keeping(session, "acme", at(99)) == {"d2"}
    with store.write() as session:
        found = cases.by_id(session, "case-1")
        assert found is not None
        cases.save(session, found.model_copy(update={"status": CaseStatus.COMPLETED, "closed_at": at(5)}))
    with store.read() as session:
        assert cases.keeping(session, "acme", at(4)) == {"d2"}
        assert cases.keeping(session, "acme", at(6)) == set()
        assert [row.id for row in cases.remaining_by(session, "acme", ["d2", "d9"])] == ["case-1"]
        assert cases.remaining_by(session, "globex", ["d2"]) == []
