"""What answers do to a running case: scores from start to end, care at once, reminders that stop, rest, both sides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from workflows.cases import CaseStatus, Step, StepStatus
from workflows.decide import decide
from workflows.draft import Draft
from workflows.feedback import MAX_TEXT
from workflows.heed import Heed, marks
from workflows.playbook import PlaybookError, parse_playbook, shipped_playbooks
from workflows.questions import Answer, AnswerValue, Questionnaire
from workflows.records import Contact, People, RecordKind, Ref, Role
from workflows.rules import LinkKind
from workflows.survey import shipped_questionnaires
from workflows.writes import CreateNote, CreateTask, Priority, TaskType, UpdateFields, UpdateTask

ZOE = Contact(
    id="p1",
    name="Zoe Hill",
    first_name="Zoe",
    email="zoe@example.com",
    primary=True,
    roles=(Role.DECIDER,),
    start_score=9,
)
SAM = Contact(id="p2", name="Sam Low", first_name="Sam", email="sam@example.com", roles=(Role.USER,))


def said(
    world: Any,
    who: str | None,
    values: dict[str, AnswerValue],
    *,
    key: str = "exit",
    by: str = "customer",
    author: str = "",
) -> Any:
    """Somebody answers now, in place of what they answered before; gives the writes that follow."""
    answer = Answer(
        case_id=world.case.id, contact_id=who, questionnaire=key, by=by, language="en", at=world.now, values=values,
        author=author,
    )  # fmt: skip
    others = [one for one in world.answers if (one.questionnaire, one.contact_id, one.author) != (key, who, author)]
    world.answers = (*others, answer)
    return world.look()


def made(decision: Any) -> dict[str, CreateTask]:
    """The tasks among these writes, by step."""
    return {one.key.split(":", 1)[1]: one for one in decision if isinstance(one, CreateTask)}


@pytest.fixture
def leaving(world: Any, make_rule: Callable[..., Any], make_book: Callable[..., Any]) -> Any:
    """A case after its end: two people were sent the survey, and care follows a low score."""
    survey = {"link": LinkKind.SURVEY, "questionnaire": "exit", "per_contact": True}
    care = {"owner": "manager", "per_contact": True, "priority": Priority.HIGH, "when": "case.detractor"}
    care["title"] = {
        "en": "{{ contact.name }} gave {{ case.score }}, was {{ case.start_score }}: {{ case.score_change }}"
    }
    world.playbook = make_book(
        make_rule("survey", "contract_end", "contract_end+4bd", **survey),
        make_rule("remind", "step:survey+3bd", "step:survey+5bd", until="answered", **survey),
        make_rule("remind-again", "step:remind+4bd", "step:remind+6bd", until="answered", **survey),
        make_rule("care", "answered", "answered+1bd", **care),
        make_rule("farewell", "contract_end", "contract_end+90d"),
    )
    world.people = People(company=world.people.company, contacts=(ZOE, SAM))
    world.questionnaires = dict(shipped_questionnaires())
    world.enter("lost")
    world.look()
    world.wait(days=121)
    assert {"survey@p1", "survey@p2"} <= {step.key for step in world.case.steps}
    return world


# --- scores, and care at once -----------------------------------------------------------------------------------------


@pytest.mark.row("P-36", "P-33")
def test_a_low_score_calls_someone_senior_in_the_same_look_with_start_and_end(leaving: Any) -> None:
    tasks = made(said(leaving, "p1", {"recommend": 3, "reason": "results"}))
    assert tasks.keys() == {"care@p1"}
    care = tasks["care@p1"]
    assert (care.owner_id, care.priority) == ("u5", Priority.HIGH)
    assert care.subject == "Zoe Hill gave 3, was 9: -6"


@pytest.mark.row("P-36")
def test_everybody_gets_care_for_their_own_score_and_nobody_for_anothers(leaving: Any) -> None:
    assert made(said(leaving, "p1", {"recommend": 9, "reason": "budget"})) == {}
    assert leaving.step("care@p1").status is StepStatus.SKIPPED
    assert leaving.step("care@p2").status is StepStatus.WAITING
    leaving.now += timedelta(days=2)
    assert made(said(leaving, "p2", {"recommend": 6, "reason": "budget"})).keys() == {"care@p2"}


@pytest.mark.row("P-36")
def test_a_score_that_is_lowered_later_is_heard_as_well_and_a_change_of_words_calls_nobody_twice(leaving: Any) -> None:
    said(leaving, "p1", {"recommend": 9, "reason": "budget"})
    leaving.now += timedelta(hours=2)
    assert made(said(leaving, "p1", {"recommend": 2, "reason": "budget"})).keys() == {"care@p1"}
    leaving.now += timedelta(hours=2)
    assert made(said(leaving, "p1", {"recommend": 1, "reason": "budget", "missing": "You."})) == {}


@pytest.mark.row("P-36")
def test_a_low_score_that_comes_after_the_case_is_complete_calls_someone_senior_once(leaving: Any) -> None:
    for key in ("survey@p1", "survey@p2"):
        leaving.finish(key)
    leaving.look()
    for _ in range(150):
        leaving.wait(days=1)
        for step in leaving.case.steps:
            if step.status is StepStatus.OPEN:
                leaving.finish(step.key)
        leaving.look()
    assert leaving.case.status is CaseStatus.COMPLETED
    assert made(said(leaving, "p1", {"recommend": 9, "reason": "budget"})) == {}
    leaving.now += timedelta(days=1)
    assert made(said(leaving, "p1", {"recommend": 3, "reason": "results"})).keys() == {"care@p1"}
    assert leaving.case.status is CaseStatus.COMPLETED
    leaving.now += timedelta(days=1)
    assert made(said(leaving, "p1", {"recommend": 1, "reason": "results"})) == {}
    assert made(leaving.look()) == {}
    leaving.finish("care@p1")
    leaving.look()
    assert leaving.step("care@p1").status is StepStatus.DONE
    leaving.now += timedelta(days=30)
    assert made(said(leaving, "p2", {"recommend": 0, "reason": "results"})).keys() == {"care@p2"}


@pytest.mark.row("P-36")
@pytest.mark.parametrize(("low", "cared"), [(6, False), (8, True)])
def test_what_counts_as_low_is_for_the_account_to_say(leaving: Any, low: int, cared: bool) -> None:
    leaving.change_rules(low_score=low)
    assert bool(made(said(leaving, "p1", {"recommend": 8, "reason": "budget"}))) is cared


@pytest.mark.row("P-36", "P-76")
def test_nobody_is_called_for_a_paused_case_until_it_goes_on(leaving: Any) -> None:
    leaving.cases[-1] = leaving.case.model_copy(update={"paused": True})
    assert said(leaving, "p1", {"recommend": 0, "reason": "results"}) == ()
    leaving.cases[-1] = leaving.case.model_copy(update={"paused": False})
    assert made(leaving.look()).keys() == {"care@p1"}


@pytest.mark.row("P-37", "P-39")
@pytest.mark.parametrize("interview_first", [False, True])
def test_notes_of_the_conversation_stand_below_the_customers_words_whichever_came_first(
    leaving: Any, fields_of: Callable[..., Any], interview_first: bool
) -> None:
    noted: dict[str, AnswerValue] = {"reason": "price", "reason-told": "Too dear, I believe."}
    own: dict[str, AnswerValue] = {"recommend": 8, "reason": "budget", "missing": "An export that works."}
    steps = [
        lambda: said(leaving, "p1", own),
        lambda: said(leaving, None, noted, key="interview", by="csm"),
    ]
    steps[int(interview_first)]()
    leaving.now += timedelta(days=1)
    writes = steps[int(not interview_first)]()
    assert all("@p1" in one.key or ":p1:" in one.key for one in writes if "exit_feedback" in getattr(one, "values", ()))
    found = fields_of(writes)
    text = found["deal:d1"]["exit_feedback"]
    assert text == found["company:c1"]["exit_feedback"]
    assert text.startswith("Exit survey: Zoe Hill's own answer\n\nScore at the start: 9. Score now: 8.")
    assert text.index("An export that works.") < text.index("Exit conversation: notes of") < text.index("Too dear")
    assert found["deal:d1"]["exit_feedback_at"] == leaving.now
    if interview_first:
        assert "Too dear" not in found["contact:p1"]["exit_feedback"], "nobody noted that of this person"
    leaving.now += timedelta(days=1)
    long = fields_of(said(leaving, "p1", {**own, "missing": "x" * 40_000}))["deal:d1"]["exit_feedback"]
    assert "Exit conversation" not in long, "what is cut are the notes, which stand in a note of their own"
    assert len(long) <= MAX_TEXT


@pytest.mark.row("P-35")
def test_how_the_leaving_went_is_no_farewell_and_opens_no_care(leaving: Any) -> None:
    decision = said(leaving, "p1", {"leaving": 1, "hardest": "handover"}, key="leaving")
    assert made(decision) == {}
    written = [dict(one.values) for one in decision if isinstance(one, UpdateFields)]
    assert {"leaving_score": 1} in written
    assert all("exit_feedback" not in values for values in written)
    (note,) = [one for one in decision if isinstance(one, CreateNote)]
    assert note.title == "How the leaving went: Zoe Hill's own answer"
    assert "Getting back what is yours" in note.body
    assert leaving.step("care@p1").status is StepStatus.WAITING


def lay_out(world: Any, *rules: Any) -> None:
    """The plan gets these steps too."""
    (phase,) = world.playbook.phases
    phases = (phase.model_copy(update={"steps": (*phase.steps, *rules)}),)
    world.playbook = world.playbook.model_copy(update={"phases": phases, "version": "2-test"})
    steps = (*world.case.steps, *(Step(key=one.key, rule=one.key) for one in rules))
    world.cases[-1] = world.case.model_copy(update={"steps": steps})


def shipped_step(book: str, key: str) -> Any:
    """This step as it ships."""
    return next(rule for rule in shipped_playbooks()[book].steps() if rule.key == key)


@pytest.mark.row("P-35", "P-36")
@pytest.mark.parametrize("book", ["agency", "light", "saas"])
@pytest.mark.parametrize("after", [False, True])
def test_a_leaving_that_went_badly_calls_the_manager_at_once_and_thanks_nobody_for_the_exit_survey(
    leaving: Any, make_rule: Callable[..., Any], book: str, after: bool
) -> None:
    asks = make_rule(
        "leaving-survey",
        "contract_end",
        "contract_end+4bd",
        link=LinkKind.SURVEY,
        questionnaire="leaving",
        per_contact=True,
    )
    lay_out(leaving, asks, shipped_step(book, "leaving-care"), make_rule("thank", "answered", "answered+1bd"))
    leaving.look()
    if after:
        over = {"status": CaseStatus.COMPLETED, "outcome": "completed", "closed_at": leaving.now}
        leaving.cases[-1] = leaving.case.model_copy(update=over)
    assert made(said(leaving, "p1", {"leaving": 5, "fair": 4}, key="leaving")) == {}, "the middle is not bad"
    leaving.now += timedelta(hours=1)
    tasks = made(said(leaving, "p2", {"leaving": 0, "open": "Our lawyer is writing."}, key="leaving"))
    assert tasks.keys() == {"leaving-care@p2"}
    care = tasks["leaving-care@p2"]
    assert (care.owner_id, care.priority, care.contact_ids) == ("u5", Priority.HIGH, ("p2",))
    assert (care.due_at - leaving.now) <= timedelta(days=4)
    assert "0 out of 10" in care.body
    leaving.now += timedelta(hours=1)
    assert made(said(leaving, "p1", {"leaving": 5, "fair": 1}, key="leaving")).keys() == {"leaving-care@p1"}


@pytest.mark.row("P-05", "P-36")
def test_where_we_ended_it_unfair_treatment_calls_the_manager_though_the_score_is_high(
    leaving: Any, make_rule: Callable[..., Any]
) -> None:
    care = [shipped_step("vendor-ended", key) for key in ("leaving-care", "detractor-care")]
    asks = make_rule(
        "parting", "contract_end", "contract_end+4bd", link=LinkKind.SURVEY, questionnaire="parting", per_contact=True
    )
    lay_out(leaving, asks, *care)
    leaving.look()
    unfair = made(said(leaving, "p1", {"fair": 3, "leaving": 8, "recommend": 9}, key="parting"))
    assert unfair.keys() == {"leaving-care@p1"}
    leaving.now += timedelta(hours=1)
    both = made(said(leaving, "p2", {"fair": 1, "leaving": 0, "recommend": 2}, key="parting"))
    assert both.keys() - {"care@p2"} == {"detractor-care@p2"}, "one call, not two"


@pytest.mark.row("P-16", "P-37")
def test_what_somebody_said_in_a_call_is_entered_by_whoever_called_and_the_note_says_so(world: Any) -> None:
    world.playbook = shipped_playbooks()["light"]
    world.questionnaires = dict(shipped_questionnaires())
    world.people = People(company=world.people.company, contacts=(ZOE, SAM.model_copy(update={"email": None})))
    world.enter("lost")
    world.look()
    world.wait(days=125)
    call = next(one for one in world.made.values() if one.key.endswith(":survey@p2"))
    page = f"/survey/{world.case.id}/p2"
    assert (call.type, page in call.body, call.link) == (TaskType.CALL, True, None)
    notes = [one for one in said(world, "p2", {"recommend": 9, "reason": "price"}) if isinstance(one, CreateNote)]
    caller = world.users[call.owner_id].name
    assert [one.title for one in notes] == [f"Exit survey: Sam Low, taken by phone by {caller}"]
    notes = [one for one in said(world, "p1", {"recommend": 9, "reason": "price"}) if isinstance(one, CreateNote)]
    assert [one.title for one in notes] == ["Exit survey: Zoe Hill's own answer"]


@pytest.mark.row("P-31")
def test_the_contacts_field_keeps_the_exit_survey_when_the_leaving_is_asked_about(
    leaving: Any, make_rule: Callable[..., Any]
) -> None:
    more = {"link": LinkKind.SURVEY, "questionnaire": "leaving", "per_contact": True}
    lay_out(leaving, make_rule("later", "contract_end", "contract_end+4bd", **more))
    fields = [one for one in leaving.look() if isinstance(one, UpdateFields)]
    assert leaving.step("later@p1").task_id is not None
    assert not any("survey_link" in one.values for one in fields)


@pytest.mark.row("P-16")
def test_a_crowd_of_contacts_is_told_of_in_the_tasks_that_ask_some_of_them(
    world: Any, make_rule: Callable[..., Any], make_book: Callable[..., Any]
) -> None:
    crowd = tuple(Contact(id=f"p{at}", name=f"P {at}", email=f"p{at}@example.com") for at in range(25))
    asks = {"link": LinkKind.SURVEY, "questionnaire": "exit", "per_contact": True}
    world.playbook = make_book(
        make_rule("survey", "confirmed", "confirmed+4bd", **asks),
        make_rule("other", "confirmed", "confirmed+4bd", per_contact=True),
    )
    world.change(contract_end=date(2026, 1, 1))
    world.people = People(company=world.people.company, contacts=crowd)
    world.enter("lost")
    tasks = made(world.look())
    asked = [one.body for key, one in tasks.items() if key.startswith("survey@")]
    assert len(asked) == 10
    assert all("Only 10 contacts of this deal are asked" in body and "15 more are left out" in body for body in asked)
    assert not any("left out" in one.body for key, one in tasks.items() if key.startswith("other@"))


@pytest.mark.row("P-33")
def test_the_companys_start_stands_in_where_a_person_was_never_asked(leaving: Any) -> None:
    company = leaving.people.company.model_copy(update={"start_score": 7})
    leaving.people = leaving.people.model_copy(update={"company": company})
    tasks = made(said(leaving, "p2", {"recommend": 5, "reason": "results"}))
    assert tasks["care@p2"].subject == "Sam Low gave 5, was 7: -2"


@pytest.mark.row("P-36", "P-60")
@pytest.mark.parametrize("late", [False, True])
def test_a_low_score_at_the_start_is_cared_for_as_well(world: Any, late: bool) -> None:
    world.playbook = shipped_playbooks()["baseline"]
    world.questionnaires = dict(shipped_questionnaires())
    world.change_rules(won=frozenset({"signed"}), baseline_playbook="baseline")
    world.enter("signed")
    world.look()
    world.wait(days=25)
    assert world.step("first-score@p1").status is StepStatus.OPEN
    if late:
        rest = [one for one in world.case.steps if one.status is not StepStatus.WAITING]
        rest = [one.model_copy(update={"status": StepStatus.DONE}) for one in rest]
        over = {"status": CaseStatus.COMPLETED, "outcome": "completed", "closed_at": world.now, "steps": tuple(rest)}
        world.cases[-1] = world.case.model_copy(update=over)
    made_now = made(said(world, "p1", {"recommend": 4, "worry": "Will it last?"}, key="start"))
    assert {"low-start@p1"} | (set() if late else {"answer-worry@p1"}) <= made_now.keys()
    assert made_now["low-start@p1"].subject == "Call Zoe Hill yourself: a first score of 4"


@pytest.mark.row("P-10", "P-37")
@pytest.mark.parametrize("book", ["saas", "agency"])
def test_everybody_who_answers_is_thanked_by_name_and_nobody_for_anothers_answer(leaving: Any, book: str) -> None:
    lay_out(leaving, shipped_step(book, "thank-for-answer"))
    first = made(said(leaving, "p2", {"recommend": 8, "reason": "results"}))
    assert first.keys() == {"thank-for-answer@p2"}
    assert first["thank-for-answer@p2"].contact_ids == ("p2",)
    assert "Sam Low" in first["thank-for-answer@p2"].subject
    assert made(said(leaving, "p1", {"recommend": 9, "reason": "results"})).keys() == {"thank-for-answer@p1"}


@pytest.mark.row("P-37")
def test_an_answer_to_a_former_case_is_written_once_also_while_the_next_one_runs(world: Any) -> None:
    world.questionnaires = dict(shipped_questionnaires())
    world.enter("lost")
    world.look()
    former = world.case
    world.answers = (
        Answer(case_id=former.id, contact_id="p1", questionnaire="exit", by="customer", language="en", at=world.now,
               values={"recommend": 9, "reason": "price"}),
    )  # fmt: skip
    assert notes(world.look())
    world.enter("won")
    world.look()
    world.now += timedelta(days=90)
    world.enter("lost")
    assert not notes(world.look()), "what the former case wrote itself is not written again"
    assert world.case.id != former.id
    late = world.answers[0].model_copy(update={"at": world.now, "values": {"recommend": 2, "reason": "results"}})
    world.answers = (late,)
    (note,) = notes(world.look())
    assert "2" in note.body
    assert not world.look()
    assert world.case.answered_at is None, "it is no answer to the case that runs now"


@pytest.mark.row("P-37")
@pytest.mark.parametrize("open_now", [True, False])
def test_an_answer_to_any_former_case_is_written_once_under_that_case(world: Any, open_now: bool) -> None:
    world.questionnaires = dict(shipped_questionnaires())
    for _ in range(3):
        world.enter("lost")
        world.look()
        world.now += timedelta(days=30)
        world.enter("won")
        world.look()
        world.now += timedelta(days=30)
    if open_now:
        world.enter("lost")
        world.look()
    assert len(world.cases) == (4 if open_now else 3)
    first = world.cases[0]
    said = {"case_id": first.id, "contact_id": "p1", "questionnaire": "exit", "by": "customer", "language": "en"}
    world.answers = (Answer(**said, at=world.now, values={"recommend": 2, "reason": "results"}),)
    told = world.look()
    assert {write.key.partition(":")[0] for write in told if ":feedback:" in write.key} == {first.id}
    assert len(notes(told)) == 1
    assert not notes(world.look())
    world.now += timedelta(days=30)
    world.enter("won" if open_now else "lost")
    assert not notes([one for one in world.look() if ":feedback:" in one.key]), "nor by a case that comes after"
    world.now += timedelta(days=30)
    world.enter("lost" if open_now else "won")
    assert not notes([one for one in world.look() if ":feedback:" in one.key])


# --- reminders, and rest ----------------------------------------------------------------------------------------------


@pytest.mark.row("P-3A")
def test_who_does_not_answer_is_reminded_twice_in_business_days_and_never_again(leaving: Any) -> None:
    sent = leaving.now
    leaving.finish("survey@p1")
    reminded = []
    for _ in range(60):
        leaving.now += timedelta(days=1)
        tasks = made(leaving.look())
        reminded += [(key, leaving.now.date()) for key in tasks if key.startswith("remind")]
        for key in tasks:
            if key.startswith("remind"):
                leaving.finish(key)
    assert [key for key, _ in reminded] == ["remind@p1", "remind-again@p1"]
    assert reminded[0][1] - sent.date() >= timedelta(days=3)
    assert all(day.weekday() < 5 for _, day in reminded)
    assert leaving.step("remind@p2").status is StepStatus.WAITING, "Sam's survey was never sent"


@pytest.mark.row("P-3A")
def test_an_answer_closes_the_task_to_send_the_survey_and_what_follows_it_goes_on(
    leaving: Any, make_rule: Callable[..., Any]
) -> None:
    lay_out(leaving, make_rule("after", "step:survey+1d", "step:survey+2d"))
    decision = said(leaving, "p1", {"recommend": 9, "reason": "results"})
    (closed,) = [one for one in decision if isinstance(one, UpdateTask)]
    assert (closed.task_id, closed.close) == (leaving.step("survey@p1").task_id, True)
    assert "They have answered already" in (closed.note or "")
    assert leaving.step("survey@p2").status is StepStatus.OPEN
    said(leaving, "p2", {"recommend": 9, "reason": "results"})
    leaving.wait(days=3)
    assert leaving.step("after").status is StepStatus.OPEN


@pytest.mark.row("P-3A")
def test_an_answer_closes_the_open_reminder_and_keeps_the_next_from_coming(leaving: Any) -> None:
    leaving.finish("survey@p1")
    leaving.look()
    leaving.wait(days=10)
    assert leaving.step("remind@p1").status is StepStatus.OPEN
    decision = said(leaving, "p1", {"recommend": 8, "reason": "budget"})
    (closed,) = [one for one in decision if isinstance(one, UpdateTask)]
    assert closed.close
    assert "answer has come in" in (closed.note or "")
    leaving.wait(days=20)
    assert leaving.step("remind-again@p1").status is StepStatus.SKIPPED


@pytest.mark.row("P-3A")
def test_who_asked_for_peace_meanwhile_is_not_reminded(leaving: Any) -> None:
    leaving.finish("survey@p1")
    leaving.people = leaving.people.model_copy(update={"contacts": (ZOE.model_copy(update={"opted_out": True}), SAM)})
    leaving.look()
    leaving.wait(days=10)
    assert leaving.step("remind@p1").status is StepStatus.SKIPPED
    assert "remind@p1" not in " ".join(leaving.made)


@pytest.mark.row("P-3A", "P-16")
def test_who_opts_out_while_a_message_to_them_is_open_is_asked_no_more(leaving: Any) -> None:
    leaving.look()
    peace = ZOE.model_copy(update={"opted_out": True})
    leaving.people = leaving.people.model_copy(update={"contacts": (peace, SAM)})
    leaving.reads.clear()
    assert leaving.look() == (), "people are read once a day, not at each look"
    assert leaving.reads == []
    leaving.now += timedelta(days=1)
    (closed,) = [one for one in leaving.look() if isinstance(one, UpdateTask)]
    assert (closed.close, closed.task_id) == (True, leaving.step("survey@p1").task_id)
    assert "opted out" in (closed.note or "")
    assert leaving.reads == ["people"]
    leaving.look()
    assert leaving.reads == ["people"]
    before = set(leaving.made)
    leaving.finish("survey@p2")
    leaving.look()
    leaving.wait(days=10)
    assert {key.partition(":")[2] for key in leaving.made.keys() - before} == {"remind@p2"}, "Zoe is left in peace"


@pytest.mark.row("P-16")
@pytest.mark.parametrize("call", [True, False])
def test_a_call_to_who_opted_out_before_stays_and_without_one_they_are_not_asked(
    world: Any, make_rule: Callable[..., Any], make_book: Callable[..., Any], call: bool
) -> None:
    words = {"call_title": {"en": "Call {{ contact.name }}"}} if call else {}
    survey = {"link": LinkKind.SURVEY, "questionnaire": "exit", "per_contact": True, **words}
    world.playbook = make_book(make_rule("survey", **survey), make_rule("later", "contract_end", "contract_end+9d"))
    world.people = People(company=world.people.company, contacts=(ZOE.model_copy(update={"opted_out": True}), SAM))
    world.change(contract_end=world.now.date() - timedelta(days=3))
    world.enter("lost")
    world.look()
    assert world.step("survey@p1").status is (StepStatus.OPEN if call else StepStatus.SKIPPED)
    assert world.step("survey@p2").status is StepStatus.OPEN


@pytest.mark.row("P-3A")
def test_who_was_asked_for_another_case_lately_is_left_in_peace_and_the_log_says_since_when(
    world: Any, make_rule: Callable[..., Any], make_book: Callable[..., Any]
) -> None:
    survey = {"link": LinkKind.SURVEY, "questionnaire": "exit", "per_contact": True}
    world.playbook = make_book(make_rule("survey", "contract_end", "contract_end+4bd", **survey))
    world.people = People(company=world.people.company, contacts=(ZOE, SAM))
    world.surveyed = {"p1": world.now}
    world.enter("lost")
    world.look()
    world.wait(days=121)
    assert world.step("survey@p1").status is StepStatus.SKIPPED
    assert world.step("survey@p2").status is StepStatus.OPEN
    (why,) = [event.detail for event in world.events if event.data.get("step") == "survey@p1"]
    assert why == "they were sent a survey for another case on 2026-03-02, and the rest period is not over"


@pytest.mark.row("P-3A")
def test_every_playbook_that_ships_reminds_twice_at_most_and_only_who_has_not_answered() -> None:
    for playbook in shipped_playbooks().values():
        asked = [step for step in playbook.steps() if step.link is LinkKind.SURVEY]
        for key in {step.questionnaire for step in asked}:
            again = [step for step in asked if step.questionnaire == key][1:]
            assert len(again) <= 2, playbook.key
            assert all(step.until == "answered" for step in again), playbook.key


@pytest.mark.row("P-3A")
def test_a_playbook_that_reminds_a_third_time_is_refused() -> None:
    nag = """
  - key: survey-{n}
    phase: listen
    owner: csm
    release: step:survey + {n}bd
    due: step:survey + {n}bd
    until: answered
    per_contact: true
    link: survey
    questionnaire: exit
    title: {{en: Remind them, fr: Relancez}}
    body: {{en: "{{{{ link }}}} once more", fr: "{{{{ link }}}} encore"}}"""
    text = "extends: light\nversion: 1\nplaybook: nagging\nsteps:" + "".join(nag.format(n=n) for n in (5, 10, 15))
    text = text.replace("phase: listen", "phase: goodbye")
    with pytest.raises(PlaybookError, match="two reminders at most"):
        parse_playbook(text, "own.yaml")
    assert parse_playbook(text.rpartition("\n  - key: survey-15")[0], "own.yaml").steps()


# --- both sides -------------------------------------------------------------------------------------------------------


def notes(decision: Any) -> list[CreateNote]:
    return [one for one in decision if isinstance(one, CreateNote)]


def sides(decision: Any) -> str:
    """The text of the note that lays both sides beside each other; empty when none was written."""
    return "\n".join(note.body for note in notes(decision) if note.title.startswith("Both sides"))


@pytest.mark.row("P-39", "P-11")
def test_both_sides_stand_beside_each_other_as_soon_as_both_have_spoken(leaving: Any) -> None:
    leaving.change(exit_reason="Price")
    assert not sides(said(leaving, None, {"recommend": 8, "reason": "price", "training": 5}, key="team", by="team"))
    leaving.now += timedelta(hours=1)
    text = sides(said(leaving, "p1", {"recommend": 2, "reason": "results", "reason-second": "price", "training": 1}))
    assert "- The deal, as our sales record has it: Price" in text
    assert "- The account's team, before any answer: Price or value" in text
    assert "- Zoe Hill (decides): Unhappy with the results; second: Price or value" in text
    assert "They do not name the same reason" in text
    assert "8 expected" in text
    assert "2 (at the start 9, change −7)" in text
    assert "The training of their team: The account's team, before any answer 5, Zoe Hill (decides) 1" in text


@pytest.mark.row("P-39", "P-42")
def test_each_of_the_team_keeps_a_view_of_their_own_and_all_are_shown_with_their_mean(
    leaving: Any, fields_of: Callable[..., Any]
) -> None:
    told = {"key": "team", "by": "team"}
    for name, score, reason, on_deal in (
        ("Ana", 9, "price", {"team_score": 9, "exit_reason_team": "price"}),
        ("Dora", 9, "results", {"team_score": 9, "exit_reason_team": "results"}),
        ("Eve", 9, "price", {"team_score": 9, "exit_reason_team": "price"}),
        ("Ben", 3, "results", {"team_score": 8, "exit_reason_team": "results"}),
        ("Dora", 5, "price", {"team_score": 7, "exit_reason_team": "price"}),
    ):
        leaving.now += timedelta(minutes=1)
        written = said(leaving, None, {"recommend": score, "reason": reason}, author=name, **told)
        (note,) = notes(written)
        assert note.title == f"Account team: its own view ({name})"
        assert fields_of(written)["deal:d1"] == on_deal, "the mean of the scores, and what most of them chose"
    leaving.now += timedelta(hours=1)
    text = sides(said(leaving, "p1", {"recommend": 2, "reason": "results"}))
    assert "- Ana (The account's team, before any answer): 9 expected" in text
    assert "- Ben (The account's team, before any answer): 3 expected" in text
    assert "- The team on average: 6.5 expected (3 to 9)" in text
    assert "another score than the customer gave" in text
    assert "Ana" not in str(leaving.case.written), "names stand in the answers alone, where erasing finds them"
    leaving.now += timedelta(days=4)
    (note, *_) = notes(said(leaving, None, {"recommend": 3, "reason": "results"}, author="Cleo", **told))
    assert note.body.startswith("Written after an answer of the customer")
    leaving.now += timedelta(days=4)
    assert "- Cleo (The account's team, after the first answers): 3 expected" in sides(leaving.look())


@pytest.mark.row("P-39")
def test_later_answers_are_gathered_and_make_one_new_note_when_all_is_calm(leaving: Any) -> None:
    said(leaving, None, {"recommend": 8, "reason": "price"}, key="team", by="team")
    leaving.now += timedelta(hours=1)
    assert sides(said(leaving, "p1", {"recommend": 2, "reason": "results", "quality": 1}))
    leaving.now += timedelta(hours=1)
    assert not sides(said(leaving, "p2", {"recommend": 5, "reason": "results", "quality": 5}))
    leaving.now += timedelta(hours=1)
    decision = said(leaving, None, {"reason": "results"}, key="interview", by="csm")
    assert not sides(decision)
    assert leaving.last_decision.next_look <= leaving.now + timedelta(days=3)
    written: list[str] = []
    for _ in range(5):
        leaving.now += timedelta(days=1)
        written += filter(None, [sides(leaving.look())])
    assert len(written) == 1
    assert "Sam Low (uses it)" in written[0]
    assert "- The interviewer: Unhappy with the results" in written[0]


@pytest.mark.row("P-39")
def test_answers_that_are_being_gathered_are_not_forgotten_when_the_case_completes_meanwhile(leaving: Any) -> None:
    said(leaving, None, VIEW, key="team", by="team")
    leaving.now += timedelta(hours=1)
    assert sides(said(leaving, "p1", {"recommend": 2, "reason": "results"}))
    leaving.now += timedelta(hours=1)
    for task_id, task in leaving.tasks.items():
        leaving.tasks[task_id] = task.model_copy(update={"done": True, "completed_at": leaving.now})

    assert not sides(said(leaving, "p2", {"recommend": 7, "reason": "budget"}))
    assert leaving.last_decision.next_look <= leaving.now + timedelta(days=3)
    leaving.cases[-1] = leaving.case.model_copy(update={"status": CaseStatus.COMPLETED, "outcome": "completed"})
    leaving.now += timedelta(days=3)
    assert "Sam Low (uses it)" in sides(leaving.look())


@pytest.mark.row("P-39")
def test_those_who_decide_and_those_who_use_it_are_set_apart_where_they_differ(leaving: Any) -> None:
    said(leaving, "p1", {"recommend": 9, "reason": "price", "quality": 5})
    leaving.now += timedelta(hours=1)
    said(leaving, "p2", {"recommend": 1, "reason": "price", "quality": 2})
    leaving.now += timedelta(hours=1)
    text = sides(said(leaving, None, {"recommend": 8, "reason": "price", "quality": 4}, key="team", by="team"))
    assert "The account's team, after the first answers 4, Zoe Hill (decides) 5, Sam Low (uses it) 2" in text
    assert "Those who decide and those who use it see this differently." in text


VIEW: dict[str, AnswerValue] = {"recommend": 8, "reason": "price"}


@pytest.mark.row("P-39")
def test_a_view_that_was_written_before_the_answers_says_so_and_feeds_fields_of_its_own(leaving: Any) -> None:
    early = said(leaving, None, VIEW, key="team", by="team")
    written = [dict(one.values) for one in early if isinstance(one, UpdateFields) and "team_score" in one.values]
    assert written == [{"exit_reason_team": "price", "team_score": 8}] * 2, "on company and deal, and nothing else"
    assert "before any answer" in notes(early)[0].body


@pytest.mark.row("P-39")
def test_a_view_that_was_written_after_the_answers_says_so_and_feeds_no_report(leaving: Any) -> None:
    said(leaving, "p1", {"recommend": 2, "reason": "results"})
    leaving.now += timedelta(hours=1)
    late = said(leaving, None, VIEW, key="team", by="team")
    assert not [one for one in late if isinstance(one, UpdateFields) and "team_score" in one.values]
    (note,) = [one for one in notes(late) if one.title == "Account team: its own view"]
    assert "Written after an answer" in note.body


@pytest.mark.row("P-39")
def test_an_answer_that_comes_after_the_case_has_ended_is_compared_as_well(leaving: Any) -> None:
    said(leaving, None, {"recommend": 8, "reason": "price"}, key="team", by="team")
    leaving.cases[-1] = leaving.case.model_copy(
        update={"status": CaseStatus.COMPLETED, "outcome": "completed", "closed_at": leaving.now}
    )
    leaving.now += timedelta(days=1)
    assert "Zoe Hill (decides)" in sides(said(leaving, "p1", {"recommend": 2, "reason": "results"}))


def test_the_teams_questions_are_the_customers_so_that_they_can_be_compared() -> None:
    def scales(questionnaire: Questionnaire) -> dict[str, tuple[int, int]]:
        return {one.key: (one.low, one.high) for one in questionnaire.questions() if one.ends}

    team, customer = scales(shipped_questionnaires()["team"]), scales(shipped_questionnaires()["exit"])
    assert len(team) >= 9
    assert team.items() <= customer.items()


# --- what people correct (P-7B) -------------------------------------------------------------------------------------


def stand(world: Any, **values: str) -> None:
    """What stands in the deal's fields of answers now."""
    world.change(said=values)


def on_deal(decision: Any, name: str) -> list[Any]:
    """What is written into a field of the deal."""
    fields = [one.values for one in decision if isinstance(one, UpdateFields) and one.target.id == "d1"]
    return [values[name] for values in fields if name in values]


@pytest.mark.row("P-7B")
def test_a_value_is_ours_until_a_person_changes_it_and_theirs_until_it_is_emptied(leaving: Any) -> None:
    said(leaving, "p1", {"recommend": 9, "reason": "price"})
    stand(leaving, exit_score="9.0", exit_reason="price")
    leaving.now += timedelta(hours=1)
    assert on_deal(said(leaving, "p2", {"recommend": 8, "reason": "budget"}), "exit_score") == [8], "still ours"
    stand(leaving, exit_score="5", exit_reason="budget")
    leaving.now += timedelta(hours=1)
    decision = said(leaving, "p1", {"recommend": 7, "reason": "results"})
    assert (on_deal(decision, "exit_score"), on_deal(decision, "exit_reason")) == ([], ["results"])
    [note] = [one.body for one in decision if isinstance(one, CreateNote)]
    assert "“Exit score (0-10)” on the deal keeps what a colleague entered there: 5." in note
    stand(leaving, exit_reason="results")
    leaving.now += timedelta(hours=1)
    assert on_deal(said(leaving, "p1", {"recommend": 6, "reason": "results"}), "exit_score") == [6], "it was emptied"


@pytest.mark.row("P-7B")
def test_what_stood_there_before_us_or_did_not_go_through_is_replaced_and_told(leaving: Any) -> None:
    stand(leaving, exit_reason="in_house")
    decision = said(leaving, "p1", {"recommend": 9, "reason": "price"})
    assert on_deal(decision, "exit_reason") == ["price"]
    [note] = [one.body for one in decision if isinstance(one, CreateNote)]
    assert "“Exit reason (customer)” on the deal said before this answer: Taken in-house" in note
    leaving.now += timedelta(hours=1)  # the CRM refused the write: what stands there is nobody's correction
    assert on_deal(said(leaving, "p1", {"recommend": 9, "reason": "budget"}), "exit_reason") == ["budget"]


@pytest.mark.row("P-7B")
def test_two_answers_in_one_look_tell_of_a_kept_value_once(leaving: Any) -> None:
    said(leaving, "p1", {"recommend": 9, "reason": "price"})
    stand(leaving, exit_score="4")
    leaving.now += timedelta(hours=1)
    given = [
        Answer(case_id=leaving.case.id, contact_id=who, questionnaire="exit", by="customer", language="en",
               at=leaving.now, values={"recommend": score, "reason": "price"})
        for who, score in (("p1", 8), ("p2", 7))
    ]  # fmt: skip
    leaving.answers = tuple(given)
    decision = leaving.look()
    assert on_deal(decision, "exit_score") == []
    notes = [one.body for one in decision if isinstance(one, CreateNote) and "keeps what a colleague" in one.body]
    assert len(notes) == 1


@pytest.mark.row("P-7B")
def test_what_another_deals_answer_wrote_on_a_shared_company_or_contact_is_no_colleagues_word(leaving: Any) -> None:
    said(leaving, "p1", {"recommend": 3, "reason": "price"})
    company = leaving.people.company.model_copy(update={"said": {"exit_score": "9"}})
    [zoe, *others] = leaving.people.contacts
    zoe = zoe.model_copy(update={"said": {"exit_score": "9"}})
    leaving.people = People(company=company, contacts=(zoe, *others))
    other = Draft(leaving.seen(people=leaving.people), leaving.case.model_copy(update={"id": "case-b", "written": {}}))
    for kind, key in ((RecordKind.COMPANY, "c1"), (RecordKind.CONTACT, "p1")):
        Heed(other).settle(Ref(kind=kind, id=key), {"exit_score": 9})
    leaving.now += timedelta(hours=1)
    answer = leaving.answers[0].model_copy(update={"at": leaving.now, "values": {"recommend": 5, "reason": "price"}})
    leaving.answers = (answer,)
    for elsewhere, written in (((marks(other.written),), [5, 5]), ((), [])):
        more = {"people": leaving.people, "tasks": leaving.tasks, "elsewhere": elsewhere}
        writes = decide(leaving.seen(**more), lambda *_: "https://x").writes
        shared = [one for one in writes if isinstance(one, UpdateFields) and one.target.id in ("c1", "p1")]
        assert [one.values["exit_score"] for one in shared if "exit_score" in one.values] == written
        notes = [one.body for one in writes if isinstance(one, CreateNote)]
        assert any("keeps what a colleague" in body for body in notes) == (not written)
