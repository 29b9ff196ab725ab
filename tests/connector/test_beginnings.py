"""Where relations began, and what an account learns from, in both databases (P-40, P-60, P-61)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from connector import outbox
from connector.store import baselines, cases, intake, lessons
from connector.store.tables import LinkRow
from workflows.cases import Baseline, Case, CaseStatus, StartingFigure, StartingPerson
from workflows.questions import Answer
from workflows.records import Role
from workflows.rules import CaseKind
from workflows.writes import CreateNote

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def case(number: int, kind: CaseKind = CaseKind.BASELINE, **more: Any) -> Case:
    values: dict[str, Any] = {
        "id": f"c{number}",
        "account": "acme",
        "deal_id": f"d{number}",
        "kind": kind,
        "status": CaseStatus.ACTIVE,
        "playbook": "baseline",
        "language": "en",
        "stage_id": "won",
        "entered_at": AT,
        "opened_at": AT,
        "confirmed_at": AT,
        "company_id": "k1",
    }
    return Case(**{**values, **more})


def figure(value: str, days: int = 0) -> dict[str, StartingFigure]:
    return {"company.users": StartingFigure(value=value, at=AT + timedelta(days=days))}


def answer(
    session: Any,
    number: int,
    questionnaire: str,
    by: str,
    days: int = 0,
    received: datetime | None = None,
    **values: Any,
) -> None:
    link = LinkRow(
        id=f"{questionnaire}{number}", account="acme", case_id=f"c{number}", kind="interview", contact_id=None,
        questionnaire=questionnaire, language="en", made_at=AT, closed_at=None,
    )  # fmt: skip
    intake.keep_link(session, link)
    given = Answer(
        case_id=f"c{number}", contact_id=None, questionnaire=questionnaire, by=by, language="en",
        at=AT + timedelta(days=days), values=values,
    )  # fmt: skip
    intake.save_answer(session, link, given, received)


@pytest.mark.row("P-60")
def test_the_first_value_of_a_figure_stays_and_the_map_follows(store: Any) -> None:
    with store.write() as session:
        cases.save(session, case(1))
        people = (StartingPerson(contact_id="p1", roles=(Role.DECIDER,)),)
        baselines.keep(session, case(1), Baseline(figures=figure("12"), people=people), AT)
    with store.write() as session:
        more = figure("99") | {"deal.nps": StartingFigure(value="7", at=AT)}
        baselines.keep(session, case(1), Baseline(figures=more), AT + timedelta(days=3))
        baselines.keep(session, case(2, company_id=None), Baseline(figures=figure("5")), AT)
    with store.read() as session:
        found = baselines.by_subject(session, "acme", ["company:k1", "deal:d2", "company:none"])
        assert baselines.by_subject(session, "globex", ["company:k1"]) == {}
    assert {name: one.value for name, one in found["company:k1"].figures.items()} == {
        "company.users": "12",
        "deal.nps": "7",
    }
    assert found["company:k1"].people[0].roles == (Role.DECIDER,)
    assert found["company:k1"].people_at == AT
    assert found.keys() == {"company:k1", "deal:d2"}


@pytest.mark.row("P-61")
def test_the_newest_frame_of_a_company_counts(store: Any) -> None:
    with store.write() as session:
        for number in (1, 2):
            cases.save(session, case(number, company_id="k9"))
            answer(session, number, "frame", "csm", days=number, rhythm=f"r{number}")
        cases.save(session, case(3, CaseKind.OFFBOARDING, company_id="k9"))
        answer(session, 3, "frame", "csm", days=9, rhythm="of another kind of case")
    with store.read() as session:
        [found] = baselines.by_subject(session, "acme", ["company:k9"]).values()
    assert found.frame == {"rhythm": "r2"}


@pytest.mark.row("P-40")
def test_digests_take_what_came_since_the_last(store: Any) -> None:
    with store.write() as session:
        cases.save(session, case(1, CaseKind.OFFBOARDING, deal_name="Aurora"))
        cases.save(session, case(2))
        cases.save(session, case(3, CaseKind.OFFBOARDING, status=CaseStatus.STOPPED))
        answer(session, 1, "exit", "customer", days=1, missing="x")
        answer(session, 1, "team", "team", days=1, well="y")
        answer(session, 1, "interview", "csm", days=-1, product="before")
        answer(session, 2, "start", "customer", days=1, worry="z")
        answer(session, 3, "exit", "customer", days=1, missing="gone")
    with store.read() as session:
        found = lessons.leavers_answers(session, "acme", AT, AT + timedelta(days=2))
        assert lessons.leavers_answers(session, "acme", AT + timedelta(days=1), AT + timedelta(days=2)) == []
    told = [(one.answer.by, *one.answer.values.values(), one.deal_id, one.deal_name) for one in found]
    assert sorted(told) == [("customer", "x", "d1", "Aurora"), ("team", "y", "d1", "Aurora")]


@pytest.mark.row("P-40", "P-38")
def test_an_answer_that_a_survey_tool_brings_late_is_in_the_next_digest_and_in_no_other(store: Any) -> None:
    with store.write() as session:
        for number in (1, 2):
            cases.save(session, case(number, CaseKind.OFFBOARDING, deal_name="Aurora"))
        answer(session, 1, "exit", "customer", days=1, missing="at once")
        late = AT + timedelta(days=9)
        answer(session, 2, "exit", "customer", days=2, received=late, missing="brought a week later")
    weeks = [AT + timedelta(days=7 * number) for number in range(4)]
    with store.read() as session:
        told = [
            [one.answer.values["missing"] for one in lessons.leavers_answers(session, "acme", since, until)]
            for since, until in pairwise(weeks)
        ]
    assert told == [["at once"], ["brought a week later"], []]


def test_who_left_and_what_was_told_is_known(store: Any) -> None:
    with store.write() as session:
        cases.save(session, case(1, CaseKind.OFFBOARDING, company_id="k1"))
        back = {"status": CaseStatus.CANCELLED, "outcome": "renewed"}
        cases.save(session, case(2, CaseKind.OFFBOARDING, company_id="k2", **back))
        cases.save(session, case(3, CaseKind.OFFBOARDING, company_id="k3", confirmed_at=None))
        note = CreateNote(key="acme:early:company:k_1:x", deal_id="d1", title="t", body="b", at=AT)
        outbox.put(session, "acme", [note], AT, why="test")
    with store.read() as session:
        assert lessons.left_at(session, "acme", ["k1", "k2", "k3"]) == {"k1": AT}
        assert lessons.left_at(session, "acme", []) == {}
        before = AT - timedelta(days=1)
        assert lessons.told_since(session, "acme", "acme:early:company:k_1:", before) == {note.key}
        assert lessons.told_since(session, "acme", "acme:early:company:kx1:", before) == set(), "_ stands for itself"
        assert lessons.told_since(session, "acme", "acme:early:company:k_1:", AT) == set()
