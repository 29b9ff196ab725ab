"""The plan that one deal would get (P-72): the live decision, run forward in time, with nothing written anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adapters.errors import NotFound, Unsupported
from connector.bootstrap import Runtime
from connector.links import LinkSigner
from connector.store import cases
from workflows.decide import Decision, Look, decide, record
from workflows.guard import watch_rule
from workflows.model import (
    AccountRules,
    Case,
    CreateTask,
    Deal,
    DealState,
    LinkKind,
    People,
    StageEntry,
    TaskState,
    User,
    WatchRule,
)

HORIZON = timedelta(days=3 * 366)
MOST_LOOKS = 2000


@dataclass(frozen=True)
class PlannedStep:
    """A task as it would appear. ``due_at`` in the time zone of the account."""

    step: str
    title: str
    owner: str
    why: str
    appears_at: datetime
    due_at: datetime


@dataclass
class Preview:
    """A plan. ``left_out`` maps steps to why they would not appear; ``lacks`` says what the deal should have."""

    account: str
    deal_id: str
    deal_name: str
    playbook: str
    contract_end: str | None
    steps: list[PlannedStep] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)


def preview_deal(runtime: Runtime, name: str, deal_id: str) -> Preview:
    """What would happen if the deal were lost now, each task were done on its due day, and nobody answered.

    Raises :class:`~adapters.errors.NotFound` for a deal that is not there, and
    :class:`~adapters.errors.Unsupported` for one in a pipeline that is not watched.
    """
    account = runtime.accounts[name]
    observed = account.crm().observe([deal_id])[deal_id]
    deal, rules = observed.deal, account.rules()
    if deal.state is not DealState.LIVE:
        raise NotFound(f"deal {deal_id} is {deal.state.value} in the CRM", account=name)
    rule = watch_rule(rules, deal.pipeline_id)
    if rule is None:
        raise Unsupported(f"deal {deal_id} is in a pipeline that the settings do not watch", account=name)
    people = observed.people or account.crm().people([deal]).get(deal.id, People())
    with runtime.store.read() as session:
        load = cases.load_by_owner(session, name)
    now = runtime.clock.now()
    look = Look(
        now=now,
        rules=rules,
        deal=deal,
        people=people,
        playbook=runtime.library.playbook(rules.playbook),
        questionnaires=runtime.library.questionnaires,
        users=account.users(),
        load=load,
        new_case_id="preview",
        asked=True,
    )
    links = _Addresses(runtime.links)
    lacks = [*_why_not(decide(look, links)), *_lacks(deal, people)]
    sure = look.model_copy(update={"deal": _lost(deal, rule, now), "rules": _at_once(rules)})
    return _Rehearsal(sure, links).run(lacks)


class _Addresses:
    """Real addresses, remembered nowhere, so that they lead nowhere."""

    def __init__(self, links: LinkSigner) -> None:
        self._links = links

    def __call__(self, kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
        return self._links.address(kind, case_id, contact_id, questionnaire)


class _Rehearsal:
    """One case, looked at whenever something would change by itself or a task would be done."""

    def __init__(self, look: Look, links: _Addresses) -> None:
        self._look = look
        self._links = links
        self._tasks: dict[str, TaskState] = {}
        self._found = Preview(
            account=look.rules.account,
            deal_id=look.deal.id,
            deal_name=look.deal.name,
            playbook=look.playbook.key,
            contract_end=None,
        )

    def run(self, lacks: list[str]) -> Preview:
        """Look again and again until nothing is left to happen."""
        self._found.lacks = lacks
        now: datetime | None = self._look.now
        case: Case | None = None
        for _ in range(MOST_LOOKS):
            if now is None or now > self._look.now + HORIZON:
                break
            self._do_what_is_due(now)
            decision = decide(
                self._look.model_copy(update={"now": now, "case": case, "tasks": self._tasks}), self._links
            )
            case = self._take(decision, now)
            if case is None or not case.is_open:
                break
            now = self._next(decision, now)
        if case is not None:
            self._found.contract_end = case.contract_end.isoformat() if case.contract_end else None
        self._found.steps.sort(key=lambda step: step.due_at)
        return self._found

    def _do_what_is_due(self, now: datetime) -> None:
        for task_id, task in self._tasks.items():
            if not task.done and task.due_at is not None and task.due_at <= now:
                self._tasks[task_id] = task.model_copy(update={"done": True, "completed_at": task.due_at})

    def _take(self, decision: Decision, now: datetime) -> Case | None:
        """The case after the CRM would have taken everything."""
        case = decision.case
        for event in decision.events:
            if event.what == "left out":
                self._found.left_out[event.data.get("step", "")] = event.detail
        for write in decision.writes if case is not None else ():
            if not isinstance(write, CreateTask) or case is None:
                continue
            task_id = f"task {len(self._tasks) + 1}"
            self._tasks[task_id] = TaskState(id=task_id, due_at=write.due_at, owner_id=write.owner_id)
            case = record(case, write.key, record_id=task_id, refused=None)
            self._show(write, case, task_id, now)
        return case

    def _show(self, write: CreateTask, case: Case, task_id: str, now: datetime) -> None:
        step = next((one for one in case.steps if one.task_id == task_id), None)
        self._found.steps.append(
            PlannedStep(
                step=step.key if step is not None else write.key,
                title=write.subject,
                owner=_name(self._look.users, write.owner_id),
                why=step.why if step is not None else "",
                appears_at=now,
                due_at=write.due_at,
            )
        )

    def _next(self, decision: Decision, now: datetime) -> datetime | None:
        moments = [task.due_at for task in self._tasks.values() if not task.done and task.due_at is not None]
        if decision.next_look is not None:
            moments.append(max(decision.next_look, now + timedelta(seconds=1)))
        return min((max(one, now) for one in moments), default=None)


def _name(users: Mapping[str, User], user_id: str) -> str:
    user = users.get(user_id)
    return user.name or user.email if user is not None else user_id


def _lost(deal: Deal, rule: WatchRule, now: datetime) -> Deal:
    """The deal as if it had just reached a not-renewing stage, unless it sits in one."""
    if deal.stage_id in rule.not_renewing:
        return deal
    stage_id = min(rule.not_renewing)
    history = (StageEntry(stage_id=stage_id, at=now), *deal.stage_history)
    return deal.model_copy(update={"stage_id": stage_id, "stage_history": history})


def _at_once(rules: AccountRules) -> AccountRules:
    """The rules without what only takes time, or keeps other deals out."""
    watch = tuple(one.model_copy(update={"settle_for": timedelta(), "only_if": None}) for one in rules.watch)
    return rules.model_copy(update={"watch": watch, "asks_reason": False, "starts_at": None})


def _why_not(decision: Decision) -> list[str]:
    """What keeps a case from opening as things stand."""
    if decision.case is not None:
        return []
    return [f"no case would open now: {event.detail}" for event in decision.events if event.what == "not opened"]


def _lacks(deal: Deal, people: People) -> list[str]:
    lacks = []
    if deal.contract_end is None:
        lacks.append("the deal has no contract end: a task will ask for it")
    if not people.contacts:
        lacks.append("the deal has no contacts: a task will ask for them")
    for contact in people.contacts:
        if contact.email is None:
            lacks.append(f"{contact.name or contact.id} has no e-mail address: a call takes the place of a link")
    if people.company is None:
        lacks.append("the deal has no company")
    return lacks
