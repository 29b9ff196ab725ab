"""What a post-mortem begins with (P-42), and the frame of work that later plans show (P-61)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from workflows.baseline import FRAME_KEYS, frame_view, take_start
from workflows.cases import Baseline, StepStatus
from workflows.draft import Draft
from workflows.learned import MOST_LINES, learned_view
from workflows.lookback import LOOK_BACK
from workflows.plan import preview
from workflows.playbook import shipped_playbooks
from workflows.questions import Answer
from workflows.records import Company, Contact, People, Role
from workflows.rules import CaseKind
from workflows.survey import shipped_questionnaires

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
FORMS = shipped_questionnaires()
PEOPLE = People(contacts=(Contact(id="p1", name="Zoe Hill"),))


def said(form: str, by: str, contact: str | None = None, **values: Any) -> Answer:
    given = {key.replace("_", "-"): value for key, value in values.items()}
    return Answer(case_id="c", contact_id=contact, questionnaire=form, by=by, language="en", at=AT, values=given)


def view(*answers: Answer, language: str = "en", reason: str | None = None, **written: str) -> Any:
    return learned_view(written, reason, answers, FORMS, PEOPLE, language)


@pytest.mark.row("P-42")
def test_our_own_view_stands_before_that_of_the_customer() -> None:
    told = view(
        said("exit", "customer", "p1", recommend=3, reason="product_gap", missing="An export"),
        said("interview", "csm", reason="product_gap"),
        said("team", "team", recommend=8, reason="price"),
        said("retro", "team", well="The start"),
        reason="Too expensive",
    )["said"]
    order = ("Too expensive", "before it read any answer", "worked on the account", "The interviewer", "Zoe Hill")
    assert [told.index(part) for part in order] == sorted(told.index(part) for part in order)
    assert "- The main reason for leaving, as you see it: Price or value" in told
    assert "- How likely are you to recommend us to a friend or a colleague? 3 of 10" in told


def test_high_ratings_are_left_out_and_long_words_cut() -> None:
    told = view(said("exit", "customer", quality=5, training=2, missing="<b>=1+1</b> " + "x" * 60_000))["said"]
    assert "2 of 5" in told
    assert "5 of 5" not in told
    assert len(told) < 1000
    assert "<b>=1+1</b>" in told, "as it was written: who shows it escapes it"


def test_no_voice_takes_more_than_a_few_lines() -> None:
    everything = {question.key: 1 for question in FORMS["exit"].questions() if question.type == "scale"}
    assert len(view(said("exit", "customer", **everything))["said"].splitlines()) == MOST_LINES + 1


def test_where_nothing_is_known_nothing_is_said() -> None:
    assert view() == {"lookback": "", "said": ""}
    assert view(said("gone", "customer", x=1), said("exit", "customer"))["said"] == ""
    assert view(**{LOOK_BACK: "Signs"})["lookback"] == "Signs"


# --- where it begins ------------------------------------------------------------------------------------------------


@pytest.mark.row("P-61")
@pytest.mark.parametrize(
    ("language", "agreed"),
    [
        ("en", "who validates: Zoe (stand-in: Max); channel: Phone; status: every month (a call)"),
        (
            "fr",
            "qui valide\u00a0: Zoe (suppléance\u00a0: Max)\u00a0; canal\u00a0: Phone\u00a0; "
            "points\u00a0: chaque mois (a call)",
        ),
    ],
)
def test_the_frame_of_work_reads_as_a_line(language: str, agreed: str) -> None:
    frame = {"validates": "Zoe", "stands-in": "Max", "channel": "Phone", "rhythm": "monthly", "form": "a call"}
    seen = frame_view(Baseline(frame=frame), FORMS, language)
    assert seen["agreed"] == agreed
    assert seen["stands_in"] == "Max"
    assert seen["silence"] == ""


def test_without_a_frame_texts_can_ask_for_every_part_of_it() -> None:
    for forms in (FORMS, {}):
        seen = frame_view(None, forms, "en")
        assert {*FRAME_KEYS, "agreed"} <= seen.keys()
        assert not any(seen.values())


def _baseline(world: Any, **more: Any) -> Draft:
    world.enter("lost")
    world.look()
    case = world.case.model_copy(update={"kind": CaseKind.BASELINE, "written": more.pop("written", {})})
    return Draft(world.seen(case=case, **more), case)


@pytest.mark.row("P-60")
def test_the_first_value_of_a_figure_is_taken_as_soon_as_it_is_there_and_once(world: Any) -> None:
    world.change(figures={"nps": " "})
    company = Company(id="c1", name="Aurora", figures={"users": "12"})
    people = People(company=company, contacts=(Contact(id="p1", name="Zoe", roles=(Role.DECIDER,)),))
    first = _baseline(world, people=people)
    take_start(first)
    assert first.starting is not None
    assert {name: one.value for name, one in first.starting.figures.items()} == {"company.users": "12"}
    assert first.starting.people[0].roles == (Role.DECIDER,)
    world.change(figures={"nps": "7"})
    richer = people.model_copy(update={"company": company.model_copy(update={"figures": {"users": "99"}})})
    second = Draft(world.seen(people=richer, case=first.case), first.case.model_copy(update={"written": first.written}))
    take_start(second)
    assert second.starting is not None
    assert {name: one.value for name, one in second.starting.figures.items()} == {"deal.nps": "7"}
    assert second.starting.people == ()


def test_an_offboarding_takes_no_beginning(world: Any) -> None:
    world.enter("lost")
    world.look()
    draft = Draft(world.seen(people=PEOPLE), world.case)
    take_start(draft)
    assert draft.starting is None


@pytest.fixture
def paced(world: Any) -> Any:
    """A goodbye to a customer who once said how they want to work, 120 days before the contract ends."""
    world.playbook = shipped_playbooks()["saas"]
    world.questionnaires = dict(shipped_questionnaires())
    world.baseline = Baseline(frame={"rhythm": "fortnightly", "channel": "Teams", "validates": "Zoe Hill"})
    return world


def status_days(world: Any) -> list[date]:
    return [task.due_at.date() for key, task in world.made.items() if key.startswith("case-1:status.")]


@pytest.mark.row("P-61", "P-13", "P-21")
def test_the_rhythm_of_the_start_lays_out_status_points_with_channel_and_who_validates(paced: Any, links: Any) -> None:
    paced.change(contract_end=date(2026, 4, 30))
    paced.enter("lost")
    paced.look()
    planned = preview(paced.seen(people=paced.people), links)
    foreseen = [one.due_at.date() for one in planned if one.rule.startswith("status.") and one.due_at]
    paced.wait(days=70)
    days = status_days(paced)
    assert days == [date(2026, 3, 26), date(2026, 4, 9), date(2026, 4, 23)], "every two weeks, back from the last"
    assert foreseen == days
    body = paced.made["case-1:status.14"].body
    assert "every two weeks, by Teams" in body
    assert "Zoe Hill validates on their side" in body
    assert not {"case-1:status-60", "case-1:status-30", "case-1:mark-counterpart"} & paced.made.keys()


@pytest.mark.row("P-61", "P-07")
def test_status_points_follow_the_contracts_end_and_a_new_rhythm(paced: Any) -> None:
    paced.change(contract_end=date(2026, 4, 30))
    paced.enter("lost")
    paced.look()
    paced.wait(days=26)
    assert status_days(paced) == [date(2026, 3, 26)]
    paced.change(contract_end=date(2026, 5, 14))
    paced.look()
    paced.wait(days=30)
    assert len(status_days(paced)) == len({*status_days(paced)}), "no point of the same day twice"
    paced.baseline = Baseline(frame={"rhythm": "when-needed"})
    paced.look()
    assert {one.status for one in paced.case.steps if one.rule.startswith("status.")} <= {
        StepStatus.OPEN, StepStatus.SKIPPED,
    }  # fmt: skip
    paced.wait(days=30)
    assert max(status_days(paced)) <= date(2026, 5, 1), "who wants fewer gets no more"


@pytest.fixture
def weekly(world: Any, make_rule: Any, make_book: Any) -> Any:
    """A goodbye with a status point each week up to the contract's end on 4 May, whose tasks are done at once."""
    points = make_rule("status", "contract_end-60d", "contract_end", paced=True)
    world.playbook = make_book(make_rule("thank"), points, make_rule("rest", "contract_end+1bd", "contract_end+3bd"))
    world.baseline = Baseline(frame={"rhythm": "weekly"})
    world.change(contract_end=date(2026, 5, 4))
    world.enter("lost")
    world.look()
    return world


def live(world: Any, days: int) -> None:
    for _ in range(days):
        world.wait(days=1)
        for step in world.case.steps:
            if step.rule.startswith("status.") and step.status is StepStatus.OPEN:
                world.finish(step.key)
        world.look()


@pytest.mark.row("P-61", "P-07")
def test_an_end_that_moves_later_brings_status_points_for_the_weeks_that_it_adds(weekly: Any) -> None:
    live(weekly, 56)
    told = status_days(weekly)
    weekly.change(contract_end=date(2026, 6, 15))
    live(weekly, 46)
    added = status_days(weekly)[len(told) :]
    assert [day.isoformat() for day in added] == [
        f"2026-{day}" for day in ("05-04", "05-11", "05-18", "05-22", "06-01", "06-08", "06-15")
    ]
    weekly.change(contract_end=date(2026, 6, 16))
    weekly.look()
    live(weekly, 7)
    assert status_days(weekly)[-1] == added[-1], "a day more is no reason to tell the same again"


@pytest.mark.row("P-61")
def test_a_status_point_before_holidays_appears_a_business_day_before_it_is_due(weekly: Any) -> None:
    weekly.wait(days=30)
    assert weekly.now.date() == date(2026, 4, 1)
    assert "case-1:status.28" not in weekly.made
    weekly.wait(days=1)
    assert weekly.made["case-1:status.28"].due_at.date() == date(2026, 4, 3), "6 April is Easter Monday"
    assert "left out" not in weekly.happened()


@pytest.mark.row("P-61")
def test_a_status_point_that_nobody_saw_in_time_says_so(weekly: Any) -> None:
    weekly.wait(days=5)
    weekly.now += timedelta(days=23)
    assert weekly.now.date() == date(2026, 3, 30)
    weekly.look()
    left_out = [(event.data["step"], event.detail) for event in weekly.events if event.what == "left out"]
    late = "its day passed before the task could appear"
    assert left_out == [("status.49", late), ("status.42", late)]
    assert "case-1:status.35" in weekly.made, "its day is today"
