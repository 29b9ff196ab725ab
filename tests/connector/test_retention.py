"""How long things are kept (P-79), on both databases: what is past its time goes, open cases are never touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.store import Store, cases, housekeeping, intake, intents
from connector.store.housekeeping import Keep
from connector.store.tables import AnswerRow, BadEventRow, EventRow, IntentRow, IntentState, LinkRow, StepRow
from workflows.cases import Case, CaseStatus, Event, Step, StepStatus
from workflows.questions import Answer
from workflows.writes import CreateNote

NOW = datetime(2030, 3, 2, 9, 0, tzinfo=UTC)
DAYS = {"texts": 90, "answers": 730, "cases": 1095, "log": 730, "bad_events": 90}
KEEP = Keep(**{name: timedelta(days=days) for name, days in DAYS.items()})
FOR_EVER = Keep(None, None, None, None, None)

pytestmark = pytest.mark.row("P-79")


def a_case(store: Store, name: str, *, ended: int | None) -> None:
    """A case with a step, a write, an answered link and a line of its log, all from when it began."""
    began = NOW - timedelta(days=(ended or 0) + 2000)
    case = Case(
        id=name, account="acme", deal_id=f"deal {name}", deal_name="Brasserie du Lac",
        status=CaseStatus.ACTIVE if ended is None else CaseStatus.COMPLETED, playbook="saas", language="fr",
        stage_id="20", entered_at=began, opened_at=began, reason="price", contact_ids=("900",),
        closed_at=None if ended is None else NOW - timedelta(days=ended),
        steps=(Step(key="thanks", rule="thanks", status=StepStatus.DONE),),
    )  # fmt: skip
    note = CreateNote(key=f"{name}:note", deal_id=case.deal_id, title="Anna", body="Anna said", at=began)
    link = LinkRow(
        id=name, account="acme", case_id=name, kind="survey", contact_id="900", questionnaire="exit", language="fr",
        made_at=began, closed_at=None, roles=None, person=None,
    )  # fmt: skip
    answer = Answer(case_id=name, contact_id="900", questionnaire="exit", by="customer", language="fr", at=began,
                    values={"better": "more"})  # fmt: skip
    with store.write() as session:
        cases.save(session, case)
        intents.plan(session, "acme", name, [note], began)
        intents.ended(session, "acme", note.key, IntentState.DONE, began, record_id="1")
        intake.keep_link(session, link)
        intake.save_answer(session, link, answer)
        cases.log(session, "acme", [Event(what="opened")], began, case_id=name)


def kept(store: Store) -> dict[str, set[str]]:
    """Which cases still have what."""
    with store.read() as session:
        found: dict[str, set[str]] = {}
        tables: dict[str, Any] = {"steps": StepRow, "answers": AnswerRow, "texts": IntentRow, "log": EventRow}
        for what, table in tables.items():
            found[what] = {row.case_id for row in session.query(table) if row.case_id}
        return found


def test_what_is_past_its_time_goes_and_open_cases_are_never_touched(store: Store) -> None:
    for name, ended in (("open", None), ("fresh", 10), ("quarter", 100), ("years", 800), ("old", 1200)):
        a_case(store, name, ended=ended)
    removed = housekeeping.clean(store, KEEP, NOW)
    assert kept(store) == {
        "steps": {"open", "fresh", "quarter", "years"},
        "answers": {"open", "fresh", "quarter"},
        "texts": {"open", "fresh"},
        "log": {"open"},
    }
    assert removed["acme"]["texts"] == 3
    assert housekeeping.clean(store, KEEP, NOW) == {}, "a second time there is nothing to do"
    with store.read() as session:
        (line,) = [row for row in session.query(EventRow) if row.what == "cleaned"]
    assert "3 texts" in line.detail, "what was removed is in the log"


def test_that_an_ending_had_its_case_is_never_forgotten(store: Store) -> None:
    a_case(store, "old", ended=5000)
    housekeeping.clean(store, KEEP, NOW)
    with store.read() as session:
        case = cases.last_by_deal(session, "acme", ["deal old"])["deal old"]
        (link,) = session.query(LinkRow)
    assert case.status is CaseStatus.COMPLETED
    assert case.entered_at < NOW
    assert (case.deal_name, case.reason, case.contact_ids, case.steps) == ("", None, (), ())
    assert link.closed_at is not None, "its page still says kindly that it is closed"
    assert link.contact_id is None


def test_for_ever_means_for_ever(store: Store) -> None:
    a_case(store, "old", ended=5000)
    assert housekeeping.clean(store, FOR_EVER, NOW) == {}
    assert kept(store)["texts"] == {"old"}


def test_it_goes_in_batches_and_all_of_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 7)
    with store.write() as session:
        intake.keep_bad(session, "quill", [("acme", "no id", "{}")] * 30, NOW - timedelta(days=100))
        intake.keep_bad(session, "quill", [("acme", "no id", "{}")], NOW - timedelta(days=10))
    assert housekeeping.clean(store, KEEP, NOW) == {"acme": {"unreadable events": 30}}
    with store.read() as session:
        assert session.query(BadEventRow).count() == 1
