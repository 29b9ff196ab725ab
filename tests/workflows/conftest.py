"""A world in small: one deal, a CRM that keeps tasks, and the loop that looks, decides, writes and records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from workflows.cases import OPEN_STATUSES, Baseline, Case, CaseStatus, Event, FigureChange, InventoryItem, News
from workflows.decide import cancel, decide, record
from workflows.look import Decision, Look
from workflows.questions import Answer, Question, Questionnaire, QuestionType, Section
from workflows.records import Company, Contact, Deal, Involvement, People, StageEntry, TaskState, User
from workflows.rules import (
    AccountRules,
    Anchor,
    LinkKind,
    Moment,
    PeopleRule,
    Phase,
    Playbook,
    Quiet,
    StepRule,
    WatchRule,
)
from workflows.writes import CreateNote, CreateTask, UpdateFields, UpdateTask, Write

MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""Monday 2 March 2026, 09:00 in Paris."""


def moment(text: str) -> Moment:
    """``confirmed``, ``contract_end-30d``, ``step:call+1bd`` as a Moment."""
    for sign in "+-":
        anchor, found, offset = text.partition(sign)
        if found and offset[:1].isdigit():
            business = offset.endswith("bd")
            days = int(offset.removesuffix("bd").removesuffix("d")) * (-1 if sign == "-" else 1)
            return moment(anchor).model_copy(update={"days": days, "business": business})
    kind, _, step = text.partition(":")
    return Moment(anchor=Anchor(kind), step=step or None)


def rule(key: str, release: str = "confirmed", due: str = "confirmed+1bd", **more: Any) -> StepRule:
    """A step rule with texts that name its key."""
    not_before = more.pop("not_before", None)
    values = {
        "owner": "deal_owner",
        "title": {"en": f"{key}: {{{{ company.name }}}}", "fr": f"{key} : {{{{ company.name }}}}"},
        "body": {"en": f"Please do {key}.", "fr": f"Merci de faire {key}."},
        **more,
    }
    when = moment(not_before) if not_before else None
    return StepRule(key=key, release=moment(release), due=moment(due), not_before=when, **values)


def book(*rules: StepRule) -> Playbook:
    """A playbook of one phase with these steps."""
    phase = Phase(key="all", title={"en": "All", "fr": "Tout"}, steps=rules)
    title = {"en": "Test"}
    return Playbook(key="test", version="1-abc", quiet=Quiet.DEAL, languages=("en", "fr"), title=title, phases=(phase,))


def link_for(kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
    """The address of a page."""
    return f"https://goodbye.example.com/{kind}/{case_id}/{contact_id or '-'}/{questionnaire}"


SURVEY = Questionnaire(
    key="exit",
    version="1",
    kind=LinkKind.SURVEY,
    languages=("en",),
    title={"en": "Goodbye"},
    intro={"en": "Thank you"},
    thanks={"en": "Thanks"},
    sections=(
        Section(
            key="all",
            title={"en": "All"},
            questions=(Question(key="nps", type=QuestionType.SCALE, text={"en": "How likely?"}, field="exit_score"),),
        ),
    ),
)

USERS = tuple(
    User(id=key, name=name, email=f"{key}@example.com", time_zone="Europe/Paris")
    for key, name in (("u1", "Ana"), ("u2", "Ben"), ("u3", "Chloé"), ("u4", "Dan"), ("u5", "Eve"))
)


class World:
    """A deal with its CRM, and our case of it. Every decision is checked for what must always hold."""

    def __init__(self) -> None:
        watch = WatchRule(
            pipeline_id="renewals",
            negotiating=frozenset({"talks"}),
            not_renewing=frozenset({"lost", "churned"}),
            renewed=frozenset({"won"}),
            settle_for=timedelta(0),
        )
        self.rules = AccountRules(
            account="acme",
            time_zone="Europe/Paris",
            language="en",
            calendar="FR",
            watch=(watch,),
            people=PeopleRule(neutral_pool=("u3", "u4"), manager="u5"),
            playbook="test",
        )
        self.now = MONDAY
        self.playbook = book(rule("thank"), rule("survey", "contract_end+1bd", "contract_end+3bd"))
        self.users: dict[str, User] = {user.id: user for user in USERS}
        self.load: dict[str, int] = {}
        self.people: People = People(
            company=Company(id="c1", name="Hotel Aurora", owner_id="u2"),
            contacts=(Contact(id="p1", name="Zoe Hill", first_name="Zoe", email="zoe@example.com", primary=True),),
        )
        self.deal = Deal(
            id="d1",
            name="Aurora 2026",
            pipeline_id="renewals",
            owner_id="u1",
            amount=Decimal(1200),
            contract_end=date(2026, 6, 30),
            company_id="c1",
            contact_ids=("p1",),
        )
        self.involved: tuple[Involvement, ...] = ()
        self.answers: tuple[Answer, ...] = ()
        self.questionnaires: dict[str, Questionnaire] = {"exit": SURVEY}
        self.surveyed: dict[str, datetime] = {}
        self.asked = False
        self.survivor: Case | None = None
        self.history: tuple[FigureChange, ...] = ()
        self.baseline: Baseline | None = None
        self.news: tuple[News, ...] = ()
        self.inventory: tuple[InventoryItem, ...] = ()
        self.started_with: dict[str, str] = {}
        self.cases: list[Case] = []
        self.tasks: dict[str, TaskState] = {}
        self.made: dict[str, CreateTask] = {}
        self.keys: set[str] = set()
        self.events: list[Event] = []
        self.sees_tasks = True
        self.crm_answers = True
        self.reads: list[str] = []
        self.last_decision = Decision()

    # --- what happens in the CRM ------------------------------------------------------------------------------------

    def enter(self, stage: str) -> None:
        """Someone moves the deal to this stage."""
        history = (StageEntry(stage_id=stage, at=self.now), *self.deal.stage_history)
        self.change(stage_id=stage, stage_history=history)

    def change(self, **values: Any) -> None:
        """Someone changes the deal."""
        self.deal = self.deal.model_copy(update=values)

    def change_rules(self, **values: Any) -> None:
        """An admin changes the account's rules; those of WatchRule count for its only pipeline."""
        watch = {name: value for name, value in values.items() if name in WatchRule.model_fields}
        rest = {name: value for name, value in values.items() if name not in watch}
        rest["watch"] = tuple(one.model_copy(update=watch) for one in self.rules.watch)
        self.rules = self.rules.model_copy(update=rest)

    def touch(self, step: str, **values: Any) -> None:
        """Someone changes the task of a step."""
        task_id = self.step(step).task_id
        assert task_id is not None
        self.tasks[task_id] = self.tasks[task_id].model_copy(update=values)

    def finish(self, step: str) -> None:
        """Someone completes the task of a step."""
        self.touch(step, done=True, completed_at=self.now)

    def wait(self, **span: float) -> None:
        """Time passes, and every look that was asked for is taken."""
        until = self.now + timedelta(**span)
        while self.last_decision.next_look is not None and self.last_decision.next_look <= until:
            self.now = max(self.now, self.last_decision.next_look)
            self.look()
        self.now = until

    # --- what we do -------------------------------------------------------------------------------------------------

    @property
    def case(self) -> Case:
        """The newest case."""
        return self.cases[-1]

    def step(self, key: str) -> Any:
        """The step of the newest case with this key."""
        return next(step for step in self.case.steps if step.key == key)

    def seen(self, **more: Any) -> Look:
        """What a look gives, without people and tasks unless they are named."""
        newest = self.cases[-1] if self.cases else None
        is_open = newest is not None and newest.status in OPEN_STATUSES
        ended = [case for case in self.cases if case.status not in OPEN_STATUSES]
        values: dict[str, Any] = {
            "now": self.now,
            "rules": self.rules,
            "deal": self.deal,
            "case": newest if is_open else None,
            "last": ended[-1] if ended else None,
            "older": tuple(ended[:-1]),
            "playbook": self.playbook,
            "questionnaires": self.questionnaires,
            "surveyed": self.surveyed,
            "users": self.users,
            "load": self.load,
            "answers": self.answers,
            "new_case_id": f"case-{len(self.cases) + 1}",
            "asked": self.asked,
            "survivor": self.survivor,
            "baseline": self.baseline,
            "news": self.news,
            "inventory": self.inventory,
        }
        return Look(**{**values, **more})

    def ask(self, choose: Callable[[Look], Decision]) -> Decision:
        """Decide, reading people and tasks only when that is asked for."""
        more: dict[str, Any] = {}
        if self.sees_tasks and self.cases:
            ids = [step.task_id for step in self.case.steps if step.task_id]
            more["tasks"] = {one: self.tasks[one] for one in ids}
        for _ in range(5):
            decision = choose(self.seen(**more))
            asks = decision.needs_people or decision.needs_involved or decision.needs_tasks or decision.needs_start
            if not asks:
                if not decision.needs_history:
                    return decision
                assert "history" not in more, "the history was told and asked for again"
                more["history"] = self.history
                self.reads.append("history")
            if decision.needs_start:
                assert "started_with" not in more, "the first figures were told and asked for again"
                more["started_with"] = self.started_with
                self.reads.append("start")
                continue
            assert decision.case is None
            assert not decision.writes
            if decision.needs_people:
                assert "people" not in more, "people were given and asked for again"
                more["people"] = self.people
                self.reads.append("people")
            if decision.needs_involved:
                assert "involved" not in more, "who took part was told and asked for again"
                more["involved"] = self.involved
                self.reads.append("involved")
            if decision.needs_tasks:
                wanted = {one: self.tasks.get(one, TaskState(id=one, found=False)) for one in decision.needs_tasks}
                assert not wanted.keys() & more.get("tasks", {}).keys(), "tasks were given and asked for again"
                more["tasks"] = {**more.get("tasks", {}), **wanted}
                self.reads.append("tasks")
        raise AssertionError("never satisfied")

    def look(self, choose: Callable[[Look], Decision] | None = None) -> tuple[Write, ...]:
        """Look once, and carry out what follows."""
        decision = self.ask(choose or (lambda look: decide(look, link_for)))
        self.last_decision = decision
        self.events += decision.events
        if decision.case is not None:
            self._keep(decision.case)
        keys = [write.key for write in decision.writes]
        assert len(set(keys)) == len(keys)
        assert not self.keys & set(keys), f"written twice: {self.keys & set(keys)}"
        self.keys |= set(keys)
        if choose is None and decision.case is not None and decision.next_look != self.now:
            again = self.ask(lambda look: decide(look, link_for))
            assert not again.writes, f"not idempotent: {[write.key for write in again.writes]}"
        if self.crm_answers:
            self.carry_out(decision.writes)
        return decision.writes

    def cancel_by_hand(self) -> tuple[Write, ...]:
        """An admin cancels the case."""
        return self.look(cancel)

    def carry_out(self, writes: tuple[Write, ...]) -> None:
        """The CRM takes the writes, and we record its answers."""
        for write in writes:
            if isinstance(write, CreateTask):
                self.made[write.key] = write
                task_id = f"t{len(self.made)}"
                due_at, owner = write.due_at, write.owner_id
                self.tasks[task_id] = TaskState(id=task_id, due_at=due_at, owner_id=owner)
                self._record(write.key, task_id)
            elif isinstance(write, UpdateTask):
                state = self.tasks[write.task_id]
                assert state.found, "a deleted task was changed"
                assert not state.done, "a task that people closed was changed"
                values: dict[str, Any] = {"done": True, "completed_at": self.now} if write.close else {}
                values |= {"due_at": write.due_at} if write.due_at else {}
                self.tasks[write.task_id] = state.model_copy(update=values)
                self._record(write.key, write.task_id)
            else:
                self._record(write.key, "x")

    def _record(self, key: str, record_id: str) -> None:
        self.cases = [record(case, key, record_id=record_id, refused=None) for case in self.cases]

    def _keep(self, case: Case) -> None:
        case = Case.model_validate_json(case.model_dump_json())  # as it comes back from the store
        known = {one.id: index for index, one in enumerate(self.cases)}
        if case.id in known:
            self.cases[known[case.id]] = case
        else:
            self.cases.append(case)
        assert sum(one.is_open for one in self.cases) <= 1, "two open cases"

    # --- what came of it --------------------------------------------------------------------------------------------

    def statuses(self) -> dict[str, str]:
        """The state of each step of the newest case."""
        return {step.key: step.status.value for step in self.case.steps}

    def happened(self) -> list[str]:
        """What the log says, in short."""
        return [event.what for event in self.events]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def make_world() -> Callable[[], World]:
    return World


@pytest.fixture(scope="session")
def make_rule() -> Callable[..., StepRule]:
    return rule


@pytest.fixture(scope="session")
def make_book() -> Callable[..., Playbook]:
    return book


@pytest.fixture
def links() -> Callable[[LinkKind, str, str | None, str], str]:
    return link_for


@pytest.fixture
def survey() -> Questionnaire:
    return SURVEY


@pytest.fixture
def fields_of() -> Callable[[tuple[Write, ...]], dict[str, Mapping[str, object]]]:
    """The field values among writes, by record."""

    def pick(writes: tuple[Write, ...]) -> dict[str, Mapping[str, object]]:
        found: dict[str, dict[str, object]] = {}
        for one in writes:
            if isinstance(one, UpdateFields):
                found.setdefault(f"{one.target.kind}:{one.target.id}", {}).update(one.values)
        return dict(found)

    return pick


@pytest.fixture
def notes_of() -> Callable[[tuple[Write, ...]], list[CreateNote]]:
    """The notes among writes."""
    return lambda writes: [write for write in writes if isinstance(write, CreateNote)]


@pytest.fixture
def case_statuses() -> Callable[[World], list[CaseStatus]]:
    """The states of all cases, oldest first."""
    return lambda world: [case.status for case in world.cases]
