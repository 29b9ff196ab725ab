"""What holds whatever happens, in whatever order: no write twice, no task of a person's touched, one open case.

:class:`World` checks after every single look that no write key comes twice, that deciding again at the same moment
writes nothing, that no task which people closed or deleted is changed, and that one case at most is open.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from workflows.cases import CaseStatus, StepStatus
from workflows.questions import Answer
from workflows.records import DealState, People
from workflows.writes import CreateTask

World = Any

RULES = (
    ("thank", {}),
    ("talk", {"release": "confirmed+1bd", "due": "confirmed+5bd", "owner": "neutral", "link": "interview"}),
    ("note", {"release": "step:talk", "due": "step:talk+1bd"}),
    ("plan", {"release": "contract_end-60d", "due": "contract_end-30d", "when": "days_left > 10", "owner": "csm"}),
    ("escalate", {"release": "overdue:plan+3bd", "due": "overdue:plan+4bd", "owner": "manager"}),
    ("short", {"when": "days_left is not none and days_left <= 10"}),
    ("survey", {"release": "contract_end", "due": "contract_end+3bd", "per_contact": True, "link": "survey"}),
    ("care", {"release": "answered", "due": "answered+1bd", "owner": "manager"}),
)


class Life(RuleBasedStateMachine):
    """People move the deal, its dates, owners and tasks about; now and then we look."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.tasks_before = 0

    @initialize(settle=st.sampled_from([0, 24]), asks=st.booleans(), sees=st.booleans())
    def begin(self, settle: int, asks: bool, sees: bool) -> None:
        self.world = make_world()
        self.world.playbook = make_book(*(make_rule(key, **({"questionnaire": "exit"} | more)) for key, more in RULES))
        self.world.change_rules(settle_for=timedelta(hours=settle), asks_reason=asks)
        self.world.sees_tasks = sees
        self.world.enter("talks")

    @rule(stage=st.sampled_from(["lost", "lost", "lost", "churned", "talks", "won"]), forgets=st.booleans())
    def move(self, stage: str, forgets: bool) -> None:
        self.world.now += timedelta(minutes=1)
        if stage != self.world.deal.stage_id:
            self.world.enter(stage)
        if forgets:
            self.world.change(stage_history=self.world.deal.stage_history[:1])

    @rule(hours=st.sampled_from([1, 25, 24 * 5, 24 * 40]))
    def wait(self, hours: int) -> None:
        self.world.now += timedelta(hours=hours)

    @rule(days=st.one_of(st.none(), st.integers(-40, 200), st.just(400_000)))
    def set_end(self, days: int | None) -> None:
        end = None if days is None else date.fromordinal(self.world.now.date().toordinal() + days)
        self.world.change(contract_end=end)

    @rule(reason=st.sampled_from([None, "price", "other"]))
    def set_reason(self, reason: str | None) -> None:
        self.world.change(exit_reason=reason)

    @rule(active=st.sets(st.sampled_from(["u1", "u2", "u3", "u4", "u5"])))
    def staff(self, active: set[str]) -> None:
        users = self.world.users.items()
        self.world.users = {key: user.model_copy(update={"active": key in active}) for key, user in users}

    @rule(there=st.booleans())
    def contacts(self, there: bool) -> None:
        people = make_world().people
        self.world.people = people if there else People(company=people.company)

    @rule(state=st.sampled_from([DealState.LIVE, DealState.LIVE, DealState.DELETED, DealState.ARCHIVED]))
    def keep_or_delete(self, state: DealState) -> None:
        self.world.change(state=state)

    @precondition(lambda self: self.world.tasks)
    @rule(data=st.data(), change=st.sampled_from(["done", "reopen", "delete", "due", "owner"]))
    def touch_task(self, data: Any, change: str) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.world.tasks)))
        state = self.world.tasks[task_id]
        values = {
            "done": {"done": True, "completed_at": self.world.now},
            "reopen": {"done": False, "completed_at": None},
            "delete": {"found": False},
            "due": {"due_at": self.world.now + timedelta(days=3)},
            "owner": {"owner_id": "u2"},
        }[change]
        if state.found:
            self.world.tasks[task_id] = state.model_copy(update=values)

    @precondition(lambda self: self.world.cases)
    @rule(nps=st.integers(0, 10))
    def answer(self, nps: int) -> None:
        self.world.now += timedelta(seconds=5)
        at, case_id = self.world.now, self.world.case.id
        one = Answer(
            case_id=case_id,
            contact_id="p1",
            questionnaire="exit",
            by="customer",
            language="en",
            at=at,
            values={"nps": nps},
        )
        self.world.answers = (one,)

    @rule(answers=st.booleans())
    def crm(self, answers: bool) -> None:
        self.world.crm_answers = answers

    @precondition(lambda self: self.world.cases and self.world.case.is_open)
    @rule()
    def cancel(self) -> None:
        self.world.cancel_by_hand()

    @rule(times=st.integers(1, 3))
    def look(self, times: int) -> None:
        for _ in range(times):
            self.world.look()

    @invariant()
    def tasks_are_owned_dated_and_made_once(self) -> None:
        if not hasattr(self, "world"):
            return
        made = [task for task in self.world.made.values() if isinstance(task, CreateTask)]
        for task in made[self.tasks_before :]:
            assert task.owner_id in self.world.users
            assert task.subject
        self.tasks_before = len(made)
        for case in self.world.cases:
            assert case.status is not CaseStatus.COMPLETED or all(
                step.status not in (StepStatus.WAITING, StepStatus.WRITING) for step in case.steps
            )


make_world: Any = None
make_rule: Any = None
make_book: Any = None


@pytest.fixture(scope="module", autouse=True)
def makers(request: pytest.FixtureRequest) -> None:
    """For the state machine too, which takes no fixtures."""
    global make_world, make_rule, make_book
    make_world, make_rule, make_book = (request.getfixturevalue(n) for n in ("make_world", "make_rule", "make_book"))


def test_no_order_of_events_breaks_a_case() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


@given(st.lists(st.sampled_from([0, 1, 2, 24, 24 * 30, 24 * 100]), max_size=12), st.integers(-30, 150))
@settings(max_examples=60, deadline=None)
def test_however_often_we_look_the_same_tasks_come_of_it(hours: list[int], days: int) -> None:
    """Looking more often changes nothing about what is made, when nothing changes but time."""
    eager, lazy = make_world(), make_world()
    for world in (eager, lazy):
        world.playbook = make_book(*(make_rule(key, **({"questionnaire": "exit"} | more)) for key, more in RULES))
        world.change(contract_end=world.now.date() + timedelta(days=days))
        world.enter("lost")
        world.look()
    for span in hours:
        eager.wait(hours=span)
        eager.look()
    lazy.wait(hours=sum(hours))
    assert list(eager.made.values()) == list(lazy.made.values())
    assert eager.case.steps == lazy.case.steps


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(-20, 120), st.booleans()), max_size=8))
@settings(max_examples=30, deadline=None)
def test_however_the_end_moves_a_second_look_at_the_same_moment_writes_nothing(
    moves: list[tuple[int, int, bool]],
) -> None:
    """:class:`World` decides again after each look, before the CRM has taken what the first one wrote."""
    world = make_world()
    world.playbook = make_book(*(make_rule(key, **({"questionnaire": "exit"} | more)) for key, more in RULES))
    world.enter("lost")
    world.look()
    for wait, end, answers in moves:
        world.crm_answers = answers
        world.wait(days=wait)
        world.change(contract_end=world.now.date() + timedelta(days=end))
        world.look()
        assert "due date changed" not in world.happened(), "nobody but us moved a date"
