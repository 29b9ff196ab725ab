"""A running case: which tasks appear when, for whom, with which words; and what people do to them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from workflows.cases import CaseStatus, StepStatus
from workflows.loop import same_due
from workflows.questions import Answer
from workflows.records import Contact, People, Role
from workflows.rules import PeopleRule
from workflows.writes import CreateTask, TaskType, UpdateTask

World = Any

ZOE = Contact(id="p1", name="Zoe Hill", first_name="Zoe", email="zoe@example.com", primary=True)
MAX = Contact(id="p2", name="Max Roy")
OPTED_OUT = Contact(id="p3", name="Ida Berg", email="ida@example.com", opted_out=True)


def made(writes: tuple[Any, ...]) -> dict[str, CreateTask]:
    return {write.key.partition(":")[2]: write for write in writes if isinstance(write, CreateTask)}


def opened(world: World, *rules: Any) -> dict[str, CreateTask]:
    """The tasks that appear when a case with these steps opens."""
    playbook = world.playbook
    world.playbook = playbook.model_copy(update={"phases": (playbook.phases[0].model_copy(update={"steps": rules}),)})
    world.enter("lost")
    return made(world.look())


# --- when -----------------------------------------------------------------------------------------------------------


@pytest.mark.row("P-21")
def test_steps_appear_on_business_mornings_of_the_account_and_never_all_at_once(world: World, make_rule: Any) -> None:
    first = opened(
        world,
        make_rule("now"),
        make_rule("later", "confirmed+3bd", "confirmed+5bd"),
        make_rule("weekend", "confirmed+5d", "confirmed+12d"),
        make_rule("end", "contract_end", "contract_end+2bd"),
    )
    assert set(first) == {"now"}
    assert first["now"].due_at == datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
    appeared = {}
    for _ in range(3):
        world.now = world.last_decision.next_look
        for key in made(world.look()):
            appeared[key] = world.now.isoformat()
    assert appeared == {
        "later": "2026-03-05T09:00:00+01:00",
        "weekend": "2026-03-09T09:00:00+01:00",  # the fifth day is a Saturday
        "end": "2026-06-30T09:00:00+02:00",
    }


@pytest.mark.row("P-21")
def test_not_before_keeps_a_late_plan_from_appearing_all_at_once(world: World, make_rule: Any) -> None:
    world.change(contract_end=date(2026, 3, 6))
    late = make_rule("inventory", "contract_end-60d", "contract_end-10d", not_before="confirmed+3bd")
    assert set(opened(world, make_rule("thank"), late)) == {"thank"}
    world.now = world.last_decision.next_look
    assert set(made(world.look())) == {"inventory"}
    assert world.now == datetime(2026, 3, 5, 8, 0, tzinfo=UTC)


@pytest.mark.row("P-31")
def test_a_survey_never_appears_before_the_end_is_effective(world: World, make_rule: Any) -> None:
    world.change(contract_end=date(2026, 3, 5))
    early = make_rule("survey", "confirmed", link="survey", questionnaire="exit", per_contact=True)
    interview = make_rule("interview", "confirmed", link="interview", questionnaire="talk")
    assert set(opened(world, early, interview)) == {"interview"}
    assert world.last_decision.next_look == datetime(2026, 3, 6, 8, 0, tzinfo=UTC)
    world.now = world.last_decision.next_look
    assert set(made(world.look())) == {"survey@p1"}


def test_a_due_time_is_five_in_the_owners_own_zone(world: World, make_rule: Any) -> None:
    world.users["u1"] = world.users["u1"].model_copy(update={"time_zone": "America/Los_Angeles"})
    task = opened(world, make_rule("thank", reminder=timedelta(hours=4)))["thank"]
    assert task.due_at.isoformat() == "2026-03-03T17:00:00-08:00"
    assert task.reminder_at is not None
    assert task.reminder_at.isoformat() == "2026-03-03T13:00:00-08:00"


def test_a_user_in_an_unheard_of_zone_works_in_the_accounts(world: World, make_rule: Any) -> None:
    world.users["u1"] = world.users["u1"].model_copy(update={"time_zone": "Mars/Olympus"})
    assert opened(world, make_rule("thank"))["thank"].due_at.isoformat() == "2026-03-03T17:00:00+01:00"


def test_a_step_follows_another_from_the_moment_it_was_done(world: World, make_rule: Any) -> None:
    opened(world, make_rule("call"), make_rule("note", "step:call", "step:call+1bd"))
    assert world.last_decision.next_look == datetime(2026, 7, 1, 7, 0, tzinfo=UTC), "only the end of the contract"
    world.now += timedelta(hours=5)
    world.finish("call")
    world.now += timedelta(days=3)
    assert world.step("call").completed_at is None
    world.look()
    assert world.step("call").completed_at == datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def test_a_step_that_follows_appears_with_the_look_that_finds_the_other_done(world: World, make_rule: Any) -> None:
    opened(world, make_rule("call"), make_rule("note", "step:call", "step:call+1bd"))
    world.finish("call")
    assert made(world.look())["note"].due_at == datetime(2026, 3, 3, 16, 0, tzinfo=UTC)


def test_a_step_per_contact_follows_that_contacts_own_step_and_any_other_the_last(world: World, make_rule: Any) -> None:
    world.people = world.people.model_copy(update={"contacts": (ZOE, MAX)})
    opened(
        world,
        make_rule("talk", per_contact=True),
        make_rule("thank", "step:talk", "step:talk", per_contact=True),
        make_rule("sum", "step:talk", "step:talk"),
    )
    world.finish("talk@p1")
    assert set(made(world.look())) == {"thank@p1"}
    world.finish("talk@p2")
    assert set(made(world.look())) == {"thank@p2", "sum"}


@pytest.mark.parametrize("found", [True, False])
def test_what_follows_a_step_that_was_left_out_is_left_out_too(world: World, make_rule: Any, found: bool) -> None:
    first = make_rule("call", when=None if not found else "days_left < 0")
    opened(world, first, make_rule("note", "step:call", "step:call"), make_rule("more", "step:note", "step:note"))
    if not found:
        world.touch("call", found=False)
        world.look()
    assert world.statuses()["note"] == "skipped"
    assert world.statuses()["more"] == "skipped"
    assert world.case.status is CaseStatus.COMPLETED


def test_what_follows_a_task_that_the_crm_refused_waits_for_it(world: World, make_rule: Any) -> None:
    world.crm_answers = False
    opened(world, make_rule("call"), make_rule("note", "step:call", "step:call"))
    step = world.step("call").model_copy(update={"status": StepStatus.FAILED})
    world.cases[-1] = world.case.model_copy(update={"steps": (step, world.step("note"))})
    assert world.look() == ()
    assert world.statuses() == {"call": "failed", "note": "waiting"}


# --- whether --------------------------------------------------------------------------------------------------------


def test_a_condition_is_asked_when_the_step_would_appear(world: World, make_rule: Any) -> None:
    opened(world, make_rule("thank"), make_rule("big", "confirmed+2bd", when="deal.amount > 1000"))
    world.change(amount=None)
    world.wait(days=3)
    assert world.statuses()["big"] == "skipped"
    assert "left out" in world.happened()


@pytest.mark.row("P-07")
def test_a_condition_on_the_days_left_waits_while_the_end_is_unknown(world: World, make_rule: Any) -> None:
    world.change(contract_end=None)
    either = make_rule("either", when="days_left is none or days_left > 9")
    assert set(opened(world, make_rule("long", when="days_left > 9"), either)) == {"either"}
    world.now += timedelta(days=40)
    world.reads.clear()
    world.look()
    assert world.reads == [], "waiting for the end costs nothing"
    world.change(contract_end=world.now.date() + timedelta(days=20))
    assert set(made(world.look())) == {"long"}


# --- who ------------------------------------------------------------------------------------------------------------


@pytest.mark.row("P-15")
def test_the_task_says_why_it_is_yours_once(world: World, make_rule: Any) -> None:
    own_place = {"en": "For you, since: {{ why }} Thank you."}
    tasks = opened(world, make_rule("thank"), make_rule("call", body=own_place))
    assert tasks["thank"].body == "Please do thank.\n\nAna was chosen because they own the deal."
    assert tasks["call"].body == "For you, since: Ana was chosen because they own the deal. Thank you."
    assert world.step("thank").why == "Ana was chosen because they own the deal."


@pytest.mark.row("P-14")
def test_an_inactive_owner_is_replaced_and_the_task_says_so(world: World, make_rule: Any) -> None:
    world.users["u1"] = world.users["u1"].model_copy(update={"active": False})
    task = opened(world, make_rule("thank"))["thank"]
    assert task.owner_id == "u2"
    assert "The deal has no active owner, so Ben" in task.body


@pytest.mark.row("P-14")
def test_while_nobody_is_active_no_task_is_made_and_each_morning_it_is_tried_again(
    world: World, make_rule: Any
) -> None:
    everyone, world.users = world.users, {}
    assert opened(world, make_rule("thank")) == {}
    assert "nobody active" in world.happened()
    assert "unowned:thank" in world.case.written
    assert world.last_decision.next_look == datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
    world.reads.clear()
    assert world.look() == ()
    assert world.reads == []
    world.users = everyone
    world.now = world.last_decision.next_look
    assert set(made(world.look())) == {"thank"}
    assert "unowned:thank" not in world.case.written


@pytest.mark.row("P-14")
def test_the_question_for_the_reason_also_waits_for_someone_active(world: World) -> None:
    world.change_rules(asks_reason=True)
    everyone, world.users = world.users, {}
    world.enter("lost")
    assert made(world.look()) == {}
    assert world.case.status is CaseStatus.AWAITING_REASON
    world.users = everyone
    world.now = world.last_decision.next_look
    assert set(made(world.look())) == {"_reason"}


@pytest.mark.row("P-10")
def test_one_neutral_person_speaks_with_the_customer_through_the_whole_case(world: World, make_rule: Any) -> None:
    rules = (make_rule("talk", owner="neutral"), make_rule("check", "confirmed+9bd", "confirmed+9bd", owner="neutral"))
    world.load = {"u3": 5}
    assert opened(world, *rules)["talk"].owner_id == "u4"
    world.load = {"u4": 50}
    world.wait(days=20)
    assert world.made["case-1:check"].owner_id == "u4"


# --- for whom -------------------------------------------------------------------------------------------------------


def survey_rule(make_rule: Any) -> Any:
    return make_rule(
        "survey",
        per_contact=True,
        linked_to=("company", "contact"),
        link="survey",
        questionnaire="exit",
        title={"en": "Send {{ contact.first_name }} the survey"},
        body={"en": "Hello {{ contact.first_name }}"},
        call_title={"en": "Call {{ contact.name }}"},
        call_body={"en": "Ask {{ contact.name }} by phone."},
    )


@pytest.mark.row("P-16")
def test_each_contact_gets_a_link_or_where_that_cannot_be_a_call(world: World, make_rule: Any, fields_of: Any) -> None:
    world.people = world.people.model_copy(update={"contacts": (MAX, OPTED_OUT, ZOE)})
    world.change(contract_end=date(2026, 2, 27))
    rule = survey_rule(make_rule)
    world.playbook = world.playbook.model_copy(
        update={"phases": (world.playbook.phases[0].model_copy(update={"steps": (rule,)}),)}
    )
    world.enter("lost")
    writes = world.look()
    tasks = made(writes)
    assert list(tasks) == ["survey@p1", "survey@p2", "survey@p3"], "the primary contact comes first"
    link = "https://goodbye.example.com/survey/case-1/p1/exit"
    assert tasks["survey@p1"].subject == "Send Zoe the survey"
    assert tasks["survey@p1"].link == link
    assert f"Link: {link}" in tasks["survey@p1"].body
    assert tasks["survey@p1"].contact_ids == ("p1",)
    for key, name in (("survey@p2", "Max Roy"), ("survey@p3", "Ida Berg")):
        assert tasks[key].subject == f"Call {name}"
        assert tasks[key].type is TaskType.CALL
        assert tasks[key].link is None
        assert "https://" not in tasks[key].body
    written = {key for key in fields_of(writes) if key.startswith("contact")}
    assert written == {"contact:p1"}, "only who gets the survey has its link on the record"


@pytest.mark.row("P-16")
def test_a_deal_without_contacts_gets_a_task_to_add_them_and_goes_on_when_they_are_there(
    world: World, make_rule: Any
) -> None:
    nobody, world.people = world.people, People(company=world.people.company)
    talk = make_rule("talk", per_contact=True)
    assert set(opened(world, make_rule("thank"), talk)) == {"thank", "_contacts"}
    assert world.statuses()["talk"] == "waiting"
    world.people = nobody
    world.now = world.last_decision.next_look
    writes = world.look()
    assert set(made(writes)) == {"talk@p1"}
    assert [write.task_id for write in writes if isinstance(write, UpdateTask)] == [world.step("_contacts").task_id]
    assert list(world.statuses()) == ["thank", "talk@p1", "_contacts"]


@pytest.mark.row("P-16")
def test_contacts_that_never_come_are_not_waited_for_without_end(world: World, make_rule: Any) -> None:
    world.people = People()
    opened(world, make_rule("talk", per_contact=True))
    world.wait(days=33)
    assert world.statuses()["talk"] == "skipped"


def test_two_hundred_contacts_make_a_handful_of_tasks_for_those_who_matter_most(world: World, make_rule: Any) -> None:
    crowd = [Contact(id=f"x{n:03}", name=f"N {n}", email=f"n{n}@example.com") for n in range(200)]
    double = Contact(id="y1", name="Again", email="N0@example.com")
    decider = Contact(id="z9", name="Decider", email="d@example.com", roles=(Role.DECIDER,))
    world.people = world.people.model_copy(update={"contacts": (*crowd, double, decider)})
    tasks = opened(world, make_rule("talk", per_contact=True))
    assert len(tasks) == 10
    assert next(iter(tasks)) == "talk@z9"
    assert "contacts left out" in world.happened()
    assert "talk@y1" not in tasks, "an address is written to once"


def test_nothing_known_about_anybody_still_makes_a_plan(world: World, make_rule: Any) -> None:
    world.people = People()
    world.change(owner_id=None, name="", contract_end=None, amount=None)
    body = {"en": "Hello {{ contact.first_name }}, {{ company.figures.nps }} {{ deal.amount + 1 }}"}
    task = opened(world, make_rule("thank", body=body, linked_to=("company", "contact")))["thank"]
    assert task.subject == "thank: the customer"
    assert task.body.startswith("Hello …, …")
    assert task.owner_id == "u5"
    assert task.company_id is None
    assert task.contact_ids == ()


def test_long_names_and_html_stay_plain_and_within_the_crms_limits(world: World, make_rule: Any) -> None:
    company = world.people.company.model_copy(update={"name": "<b>=A</b>" * 100})
    world.people = world.people.model_copy(update={"company": company})
    task = opened(world, make_rule("thank"))["thank"]
    assert len(task.subject) == 255
    assert task.subject.startswith("thank: <b>=A</b>")


def test_a_task_is_shown_where_the_playbook_says(world: World, make_rule: Any) -> None:
    both = make_rule("both", linked_to=("company", "contact"))
    tasks = opened(world, make_rule("company"), make_rule("contact", linked_to=("contact",)), both)
    shown = {key: (task.company_id, task.contact_ids) for key, task in tasks.items()}
    assert shown == {"company": ("c1", ()), "contact": (None, ("p1",)), "both": ("c1", ("p1",))}


def test_people_and_companies_without_names_are_named_by_what_is_known(world: World, make_rule: Any) -> None:
    company = world.people.company.model_copy(update={"name": ""})
    contact = ZOE.model_copy(update={"name": "", "first_name": ""})
    world.people = People(company=company, contacts=(contact,))
    title = {"en": "{{ company.name }} / {{ contact.name }} / {{ contact.first_name }}"}
    task = opened(world, make_rule("thank", title=title))["thank"]
    assert task.subject == "Aurora 2026 / zoe@example.com / [first name]", "no letter begins with an address"


def test_texts_are_in_the_cases_language_or_in_the_playbooks_first(world: World, make_rule: Any) -> None:
    world.change_rules(language="fr")
    only_english = make_rule("call", title={"en": "Call"}, body={"en": "Now"})
    tasks = opened(world, make_rule("thank"), only_english)
    assert tasks["thank"].subject == "thank : Hotel Aurora"
    assert tasks["call"].subject == "Call"


# --- what people do -------------------------------------------------------------------------------------------------


@pytest.mark.row("P-29")
def test_the_case_is_complete_when_every_task_is_done_or_gone(world: World, make_rule: Any, fields_of: Any) -> None:
    opened(world, make_rule("one"), make_rule("two"), make_rule("three", when="deal.amount < 0"))
    world.finish("one")
    world.touch("two", found=False)
    writes = world.look()
    assert world.statuses() == {"one": "done", "two": "deleted", "three": "skipped"}
    assert world.case.status is CaseStatus.COMPLETED
    assert fields_of(writes)["deal:d1"]["status"] == "completed"
    assert world.last_decision.next_look is None
    assert not world.last_decision.close_links, "who answers late is still heard"


@pytest.mark.row("P-7B")
def test_a_deleted_task_is_never_made_again(world: World, make_rule: Any) -> None:
    opened(world, make_rule("one"), make_rule("two"))
    world.touch("one", found=False)
    for _ in range(3):
        world.now += timedelta(days=10)
        assert made(world.look()) == {}


def test_a_reopened_task_is_open_again(world: World, make_rule: Any) -> None:
    opened(world, make_rule("one"), make_rule("two"))
    world.finish("one")
    world.look()
    world.touch("one", done=False, completed_at=None)
    world.look()
    assert world.statuses()["one"] == "open"


@pytest.mark.row("P-7B")
def test_what_a_person_changes_on_a_task_is_kept_and_told_once(world: World, make_rule: Any) -> None:
    opened(world, make_rule("one"))
    world.touch("one", owner_id="u2", due_at=world.now + timedelta(days=9))
    for _ in range(3):
        world.now += timedelta(hours=1)
        assert world.look() == ()
    assert world.happened().count("owner changed") == 1
    assert world.happened().count("due date changed") == 1


def test_steps_that_follow_an_answer_appear_with_it(world: World, make_rule: Any) -> None:
    opened(world, make_rule("thank"), make_rule("care", "answered", "answered+1bd"))
    answer = Answer(
        case_id="case-1",
        contact_id="p1",
        questionnaire="exit",
        by="customer",
        language="en",
        at=world.now,
        values={"nps": 2},
    )
    world.answers = (answer.model_copy(update={"by": "csm"}),)
    assert made(world.look()) == {}
    world.answers = (answer,)
    assert set(made(world.look())) == {"care"}


def test_an_answer_that_never_comes_is_not_waited_for_without_end(world: World, make_rule: Any) -> None:
    opened(
        world,
        make_rule("thank"),
        make_rule("care", "answered", "answered"),
        make_rule("more", "step:care", "step:care"),
    )
    world.finish("thank")
    world.look()
    assert world.case.status is CaseStatus.ACTIVE
    world.wait(days=400)
    assert world.case.status is CaseStatus.COMPLETED
    assert world.case.closed_at == datetime(2026, 8, 30, 7, 0, tzinfo=UTC), "sixty days after the end of the contract"


def test_a_step_that_the_playbook_no_longer_has_is_left_out(world: World, make_rule: Any, make_book: Any) -> None:
    opened(world, make_rule("one"), make_rule("two", "confirmed+5bd"))
    world.playbook = make_book(make_rule("one"))
    world.look()
    assert world.statuses()["two"] == "skipped"


def test_due_dates_are_compared_by_the_minute_or_by_the_day() -> None:
    ours = datetime.fromisoformat("2026-03-03T17:00:00-08:00")
    assert same_due(datetime(2026, 3, 4, 1, 0, tzinfo=UTC), ours)
    assert same_due(datetime(2026, 3, 3, tzinfo=UTC), ours), "a CRM without times keeps the owner's day"
    assert not same_due(datetime(2026, 3, 4, tzinfo=UTC), ours)
    assert not same_due(datetime(2026, 3, 4, 2, 0, tzinfo=UTC), ours)
    assert not same_due(None, ours)


def test_a_bigger_pool_rule_never_leaves_a_task_unowned(world: World, make_rule: Any) -> None:
    world.change_rules(people=PeopleRule(neutral_pool=("u3",), fallback=()))
    world.users = {key: user.model_copy(update={"active": key == "u3"}) for key, user in world.users.items()}
    rules = [make_rule(owner, owner=owner) for owner in ("manager", "neutral")]
    rules += [make_rule("deal-owner", owner="deal_owner"), make_rule("csm", owner="csm")]
    assert {task.owner_id for task in opened(world, *rules).values()} == {"u3"}
