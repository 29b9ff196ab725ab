"""Which deals are told how far their case is (P-29), on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.store import Store, cases, shown
from workflows.cases import Case, CaseStatus
from workflows.progress import STALE

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

pytestmark = pytest.mark.row("P-29")


def a_case(name: str, *, playbook: str = "saas", paused: bool = False) -> Case:
    return Case(
        id=name, account="acme", deal_id=name, status=CaseStatus.ACTIVE, playbook=playbook, language="en",
        stage_id="lost", entered_at=NOW, opened_at=NOW, paused=paused, written={STALE: "yes"},
    )  # fmt: skip


def test_paused_cases_keep_no_other_from_its_turn(store: Store) -> None:
    with store.write() as session:
        for one in (
            a_case("1", paused=True),
            a_case("2", playbook="held"),
            a_case("3"),
        ):
            cases.save(session, one)
    with store.read() as session:
        assert [case.id for case in shown.marked(session, "acme", NOW, 1, {"held"})] == ["3"]
        assert [case.id for case in shown.marked(session, "acme", NOW, 2, ())] == ["2", "3"]
