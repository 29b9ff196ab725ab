"""What would have been done with a deal that ended in the past, by the same decisions as today (P-70).

A deal is played through as it was: each look sees the stage, the owner and the values of its own moment. Company,
contacts and users are those of the present, since no CRM tells since when someone was there.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from pydantic import AwareDatetime

from workflows.cases import Case, CaseStatus, Event
from workflows.decide import decide
from workflows.desk import Desk
from workflows.draft import Draft
from workflows.guard import CONDITION, occasion, refusal, stages_of, watch_rule
from workflows.look import Decision, Look
from workflows.plan import PlannedStep, preview
from workflows.questions import Questionnaire
from workflows.records import Deal, DealState, Involvement, Model, PastValue, People, User
from workflows.rules import AccountRules, CaseKind, LinkKind, Playbook, StepRule
from workflows.timing import hangs_on_end

MOST_LOOKS = 60
"""So many looks until a plan starts are more than enough: it waits for a settle time, then for a reason."""
CONDITION_EVENT = "condition left aside"


class Lack(StrEnum):
    """What would have been missing. The values are stable: files and scripts hold them."""

    CONTRACT_END = "contract_end"
    REASON = "reason"
    COMPANY = "company"
    CONTACTS = "contacts"
    EMAIL = "email"
    OWNER = "owner"
    NEUTRAL = "neutral"
    CONDITION = "condition"


class LeftOut(StrEnum):
    """Why no plan would have started.

    BOUNCED: the stage did not hold (P-03). CONDITION: ``only_if`` does not hold. REOPENED: it was renewed or reopened
    before the plan started (P-06). WAITING: it ended so lately that the plan has not started yet. GONE: the deal is no
    longer there, so that nothing can be told. OTHER: the reason says it.
    """

    BOUNCED = "bounced"
    CONDITION = "condition"
    REOPENED = "reopened"
    WAITING = "waiting"
    GONE = "gone"
    OTHER = "other"


class Lacking(Model):
    """One thing that is missing. ``detail`` names whom or what it is about, where that helps."""

    what: Lack
    detail: str = ""


class Rehearsed(Model):
    """One past ending, and what would have followed.

    ``starts_at`` is when the plan would have started, None where ``left_out`` says why not (with ``why`` in English
    words). ``reason_came_at``: the reason was missing on the day, and was filled in then. ``reopened_at``: when the
    deal left the stage again after the plan had started, which would have ended it. ``steps`` come without bodies and
    links, and without those whose condition does not hold.
    """

    deal_id: str
    deal_name: str = ""
    company_name: str = ""
    amount: Decimal | None = None
    currency: str | None = None
    ended_at: AwareDatetime | None = None
    starts_at: AwareDatetime | None = None
    contract_end: str | None = None
    reason: str | None = None
    reason_came_at: AwareDatetime | None = None
    reopened_at: AwareDatetime | None = None
    playbook: str = ""
    language: str = ""
    left_out: LeftOut | None = None
    why: str = ""
    lacks: tuple[Lacking, ...] = ()
    steps: tuple[PlannedStep, ...] = ()

    @property
    def opens(self) -> bool:
        """Whether a plan would have started."""
        return self.left_out is None

    @property
    def tasks(self) -> tuple[PlannedStep, ...]:
        """The steps that would have become tasks."""
        return tuple(step for step in self.steps if step.applies)

    @property
    def perhaps(self) -> tuple[PlannedStep, ...]:
        """The steps of which that cannot be told, since their condition asks for something that is missing."""
        return tuple(step for step in self.steps if step.applies is None)

    def missing(self, what: Lack) -> bool:
        """Whether this would have been missing."""
        return any(each.what is what for each in self.lacks)


@dataclass(frozen=True)
class PastDeal:
    """A deal as it stands now, its people, its former values, newest first, and who of ours took part in it."""

    deal: Deal
    people: People
    past: Sequence[PastValue] = ()
    involved: Sequence[Involvement] = ()

    def at(self, moment: datetime) -> Deal:
        """The deal as it was at this moment: live, in the stage of then, with the values of then.

        A field of which nothing is known keeps its present value.
        """
        stages = tuple(entry for entry in self.deal.stage_history if entry.at <= moment)
        values: dict[str, object] = {}
        for known in {each.field for each in self.past}:
            entries = [each for each in self.past if each.field == known]
            values[known] = next((each.value for each in entries if each.at <= moment), None)
        values["name"] = values.get("name") or self.deal.name
        owner = values.get("owner_id", self.deal.owner_id)
        before = [each.value for each in self.past if each.field == "owner_id" and each.at <= moment and each.value]
        return self.deal.model_copy(
            update={
                **values,
                "state": DealState.LIVE,
                "stage_history": stages,
                "stage_id": stages[0].stage_id if stages else self.deal.stage_id,
                "past_owner_ids": tuple(str(each) for each in dict.fromkeys(before) if each != owner),
            }
        )

    def next_change(self, after: datetime) -> datetime | None:
        """When something of the deal changed next."""
        moments = [*(each.at for each in self.past), *(entry.at for entry in self.deal.stage_history)]
        return min((at for at in moments if at > after), default=None)

    def endings(self, rules: AccountRules, since: datetime, until: datetime) -> list[datetime]:
        """When the deal entered a not-renewing stage in this time, coming from elsewhere (P-08)."""
        found = []
        inside = False
        for entry in reversed(self.deal.stage_history):
            rule = watch_rule(rules, self.at(entry.at).pipeline_id)
            lost = rule is not None and entry.stage_id in stages_of(rule, CaseKind.OFFBOARDING)
            if lost and not inside and since <= entry.at < until:
                found.append(entry.at)
            inside = lost
        return found


@dataclass
class Workload:
    """Who has how many open tasks of ours at a moment, as past endings are played in the order of time."""

    _coming: list[tuple[datetime, int, datetime, str]] = field(default_factory=list)
    _open: list[tuple[datetime, str]] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)

    def add(self, steps: Iterable[PlannedStep]) -> None:
        """These tasks appear and are done when they are due."""
        for step in steps:
            if step.owner_id and step.release_at is not None and step.due_at is not None:
                heapq.heappush(self._coming, (step.release_at, len(self._coming), step.due_at, step.owner_id))

    def at(self, moment: datetime) -> Mapping[str, int]:
        """The counts at this moment, which may not go back."""
        while self._coming and self._coming[0][0] <= moment:
            _, _, due, owner = heapq.heappop(self._coming)
            self._counts[owner] += 1
            heapq.heappush(self._open, (due, owner))
        while self._open and self._open[0][0] <= moment:
            self._counts[heapq.heappop(self._open)[1]] -= 1
        return {owner: count for owner, count in self._counts.items() if count}


@dataclass(frozen=True)
class Stage:
    """All that a rehearsal rests on besides the deal. ``now`` is the present, beyond which nothing is played."""

    rules: AccountRules
    playbooks: Mapping[str, Playbook]
    questionnaires: Mapping[str, Questionnaire]
    users: Mapping[str, User]
    now: datetime

    def look(self, deal: PastDeal, moment: datetime, case: Case | None, load: Mapping[str, int]) -> Look:
        """What a look at that moment would have seen. The account counts as switched on since ever."""
        playbook = self.playbooks[case.playbook if case is not None else self.rules.playbook]
        return Look(
            now=moment,
            rules=self.rules.model_copy(update={"starts_at": None, "look_back": timedelta(0)}),  # no history is read
            deal=deal.at(moment),
            people=deal.people,
            involved=tuple(one for one in deal.involved if one.at is None or one.at <= moment),
            case=case,
            playbook=playbook,
            playbooks=self.playbooks,
            questionnaires=self.questionnaires,
            users=self.users,
            load=load,
            history=(),
            started_with={},
            new_case_id=f"rehearsal-{deal.deal.id}",
        )


def without_bodies(playbook: Playbook) -> Playbook:
    """The same plan with titles alone: nobody reads a thousand letters, and they take most of the time."""

    def bare(rule: StepRule) -> StepRule:
        return rule.model_copy(update={"body": {}, "call_body": {}})

    phases = (
        phase.model_copy(update={"steps": tuple(bare(rule) for rule in phase.steps)}) for phase in playbook.phases
    )
    return playbook.model_copy(update={"phases": tuple(phases)})


def no_links(kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
    """Nothing is signed for a case that does not exist."""
    del kind, case_id, contact_id, questionnaire
    return ""


def rehearse(stage: Stage, deal: PastDeal, ended_at: datetime, load: Mapping[str, int]) -> Rehearsed:
    """Play one ending from the moment the deal entered the stage until its plan starts, or until it is clear why not.

    ``load`` counts open tasks by owner when the plan would start.
    """
    told = _about(deal, ended_at)
    case, look, events = _play(stage, deal, ended_at, load)
    if case is None:
        why = refusal(look, occasion(look.rules, look.deal)) or "it cannot be decided without reading more of the CRM"
        kind = LeftOut.CONDITION if why.startswith("only_if") else LeftOut.OTHER
        return told.model_copy(update={"left_out": kind, "why": why})
    if case.confirmed_at is None or not case.is_open:
        return told.model_copy(update=_not_started(case))
    look = look.model_copy(update={"case": case, "playbook": stage.playbooks[case.playbook]})
    steps = preview(look, no_links, left_out=False)
    return told.model_copy(
        update={
            "deal_name": look.deal.name,
            "starts_at": case.confirmed_at,
            "contract_end": case.contract_end.isoformat() if case.contract_end is not None else None,
            "reason": case.reason,
            "reason_came_at": _reason_came_at(stage, deal, ended_at, case),
            "reopened_at": _reopened_at(look, deal, case),
            "playbook": f"{case.playbook} {case.playbook_version}",
            "language": case.language,
            "lacks": tuple(_lacks(stage, look, case, steps, events, ended_at, deal)),
            "steps": steps,
        }
    )


def gone(deal: Deal) -> Rehearsed:
    """A deal that is no longer there."""
    why = f"the deal is {deal.state.value}" + (f" into {deal.merged_into}" if deal.merged_into else "")
    return Rehearsed(deal_id=deal.id, deal_name=deal.name, left_out=LeftOut.GONE, why=why)


def _about(deal: PastDeal, ended_at: datetime) -> Rehearsed:
    then, company = deal.at(ended_at), deal.people.company
    return Rehearsed(
        deal_id=then.id,
        deal_name=then.name,
        company_name=company.name if company is not None else "",
        amount=then.amount,
        currency=then.currency,
        ended_at=ended_at,
    )


def _play(
    stage: Stage, deal: PastDeal, moment: datetime, load: Mapping[str, int]
) -> tuple[Case | None, Look, list[Event]]:
    """Look whenever something changes or comes due, as the connector would have, until the plan starts or cannot."""
    case: Case | None = None
    events: list[Event] = []
    for _ in range(MOST_LOOKS):
        look = stage.look(deal, moment, case, load)
        decision = decide(look, no_links)
        events += decision.events
        case = decision.case
        if case is None or not case.is_open or case.confirmed_at is not None:
            break
        following = _next_moment(deal, moment, decision)
        if following is None or following > stage.now:
            break
        moment = following
    return case, look, events


def _next_moment(deal: PastDeal, moment: datetime, decision: Decision) -> datetime | None:
    known = [at for at in (decision.next_look, deal.next_change(moment)) if at is not None and at > moment]
    return min(known, default=None)


def _not_started(case: Case) -> dict[str, object]:
    """What became of a case whose plan did not start."""
    if case.is_open:
        waits = "the settle time is not over" if case.status is CaseStatus.SETTLING else "the reason is awaited"
        return {"left_out": LeftOut.WAITING, "why": waits}
    if case.outcome == CONDITION:
        return {"left_out": LeftOut.CONDITION, "why": "only_if does not hold"}
    if case.status is CaseStatus.DISMISSED:
        return {"left_out": LeftOut.BOUNCED, "why": f"the stage did not hold: {case.outcome}"}
    return {"left_out": LeftOut.REOPENED, "why": case.outcome}


def _reason_came_at(stage: Stage, deal: PastDeal, ended_at: datetime, case: Case) -> datetime | None:
    """When the reason that was missing on the day was filled in; None when it was there, or never came."""
    if not stage.rules.asks_reason or deal.at(ended_at).exit_reason:
        return None
    came = [each.at for each in deal.past if each.field == "exit_reason" and each.value and each.at > ended_at]
    return min(came, default=None) if case.reason is not None else None


def _reopened_at(look: Look, deal: PastDeal, case: Case) -> datetime | None:
    """When the deal left the not-renewing stages after the plan had started."""
    rule = watch_rule(look.rules, look.deal.pipeline_id)
    lost = stages_of(rule, CaseKind.OFFBOARDING) if rule is not None else frozenset()
    start = case.confirmed_at or look.now
    left = [entry.at for entry in deal.deal.stage_history if entry.at > start and entry.stage_id not in lost]
    return min(left, default=None)


# --- what would have been missing -----------------------------------------------------------------------------------


def _lacks(
    stage: Stage,
    look: Look,
    case: Case,
    steps: Sequence[PlannedStep],
    events: Sequence[Event],
    ended_at: datetime,
    deal: PastDeal,
) -> Iterable[Lacking]:
    playbook, people = stage.playbooks[case.playbook], deal.people
    if case.contract_end is None and hangs_on_end(playbook.steps()):
        yield Lacking(what=Lack.CONTRACT_END)
    if look.rules.asks_reason and not (deal.at(ended_at).exit_reason or "").strip():
        yield Lacking(what=Lack.REASON)
    if people.company is None:
        yield Lacking(what=Lack.COMPANY)
    if not people.contacts:
        yield Lacking(what=Lack.CONTACTS)
    for contact in people.contacts:
        if contact.email is None:
            yield Lacking(what=Lack.EMAIL, detail=contact.name or contact.id)
    tasks = [step for step in steps if step.applies]
    unowned = list(dict.fromkeys(step.title for step in tasks if step.owner_id is None))
    if unowned:
        yield Lacking(what=Lack.OWNER, detail="; ".join(unowned))
    yield from _neutrality(look, case, playbook, tasks)
    left_aside = [event.detail for event in events if event.what == CONDITION_EVENT]
    if case.contract_end is not None:  # without it, conditions on the days left cannot be told, and that is said above
        # What hangs on an answer or on an earlier step cannot be told yet, and that is as it should be.
        untold = [step for step in steps if step.applies is None and not step.waits_for and not step.estimated]
        left_aside += [f"{step.rule}: {step.condition}" for step in untold]
    for detail in dict.fromkeys(left_aside):
        yield Lacking(what=Lack.CONDITION, detail=detail)


def _neutrality(look: Look, case: Case, playbook: Playbook, tasks: Sequence[PlannedStep]) -> Iterable[Lacking]:
    """Tasks for someone neutral that went to someone who has a part in the deal."""
    wanted = {rule.key for rule in playbook.steps() if rule.owner == "neutral"}
    given = {step.owner_id: step.owner_name for step in tasks if step.rule in wanted and step.owner_id}
    if not given:
        return
    staff = Desk(Draft(look.model_copy(update={"case": case, "playbook": playbook}), case), no_links).staff
    neutral = {user.id for user in staff.pool() if staff.involvement(user) == 0}
    for owner_id, name in given.items():
        if owner_id not in neutral:
            yield Lacking(what=Lack.NEUTRAL, detail=name)
