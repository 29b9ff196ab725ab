"""What the customer sees of the plan (P-2A, P-21): steps that the playbook words for them, with day, person and state.

Nothing else of a case goes in here: no reason, no condition, no task text, no step without words for the customer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum

from workflows.cases import Case, CaseStatus, Step, StepStatus
from workflows.dates import local_date
from workflows.desk import Desk
from workflows.draft import Draft
from workflows.look import Look
from workflows.records import Deal, Model, RecordKind, Ref, User
from workflows.rules import AccountRules, CaseKind, LinkKind, Playbook, StepRule
from workflows.texts import TextError, dated_as, render
from workflows.timetable import timetable
from workflows.timing import Waiting

_NEAR = frozenset({"csm", "deal_owner", "company_owner"})
"""Owners who are known before the step appears; who holds the conversation is chosen only then."""
_SHOWN = "_timeline"
_GONE = frozenset(
    {StepStatus.SKIPPED, StepStatus.CLOSED, StepStatus.DELETED, StepStatus.FAILED, StepStatus.NOT_APPLICABLE}
)


class Stand(StrEnum):
    """How a step stands, as the customer sees it."""

    DONE = "done"
    NEXT = "next"
    AHEAD = "ahead"


class Milestone(Model):
    """One line. ``day`` is None while it cannot be told; ``who`` is ours, empty while nobody was chosen."""

    key: str
    title: str
    day: date | None = None
    who: str = ""
    email: str = ""
    stand: Stand = Stand.AHEAD


def has_timeline(playbook: Playbook, case: Case) -> bool:
    """Whether there is anything to show a customer."""
    return case.kind is CaseKind.OFFBOARDING and timetable(playbook).has_timeline


def show_timeline(desk: Desk) -> None:
    """Put the address of the customer's page on the deal, once the plan runs (P-2A)."""
    draft = desk.draft
    if _SHOWN in draft.written or draft.case.status is not CaseStatus.ACTIVE:
        return
    if has_timeline(draft.look.playbook, draft.case):
        deal = Ref(kind=RecordKind.DEAL, id=draft.case.deal_id)
        draft.fields(_SHOWN, deal, {"timeline_link": desk.timeline()})


def stored_look(case: Case, playbook: Playbook, rules: AccountRules, users: Mapping[str, User], now: datetime) -> Look:
    """What is known of a case without asking the CRM, for pages that must not wait for it."""
    deal = Deal(id=case.deal_id, name=case.deal_name, contract_end=case.contract_end, company_id=case.company_id)
    return Look.model_construct(
        now=now, rules=rules, deal=deal, case=case, playbook=playbook, users=users, new_case_id=case.id
    )


def timeline(look: Look, case: Case, language: str) -> tuple[Milestone, ...]:
    """The customer's lines by day, those without one last. Steps with a condition show once it was found to hold."""
    desk = Desk(Draft(look, case), _no_links)
    return milestones(desk, language)


def milestones(desk: Desk, language: str, *, foresee: bool = False) -> tuple[Milestone, ...]:
    """As :func:`timeline`, of a decision that is being made. ``foresee``: also name who would get later steps now."""
    found = [_milestone(desk, rule, language, foresee) for rule in desk.rules.values() if rule.customer]
    lines = sorted((one for one in found if one is not None), key=lambda one: (one.day is None, one.day or date.min))
    return _with_next(lines)


def _milestone(desk: Desk, rule: StepRule, language: str, foresee: bool) -> Milestone | None:
    steps = [step for step in desk.draft.steps.values() if step.rule == rule.key]
    if steps and all(step.status in _GONE for step in steps):
        return None
    if rule.when is not None and not any(_is_there(step) for step in steps) and not _applies(desk, rule):
        return None
    done = bool(steps) and all(step.status is StepStatus.DONE or step.status in _GONE for step in steps)
    owner = desk.draft.look.users.get(_owner_id(desk, steps) or "")
    if owner is None and foresee and rule.owner in _NEAR:
        choice = desk.owner(rule)
        owner = choice.user if choice is not None else None
    return Milestone(
        key=rule.key,
        title=_title(desk, rule, language),
        day=_day(desk, rule, steps, done=done),
        who=owner.name if owner is not None else "",
        email=owner.email if owner is not None else "",
        stand=Stand.DONE if done else Stand.AHEAD,
    )


def _is_there(step: Step) -> bool:
    return step.status in (StepStatus.OPEN, StepStatus.WRITING, StepStatus.DONE)


def _applies(desk: Desk, rule: StepRule) -> bool:
    """Conditions on what is not known here are taken to fail: better a line too few than one that is not true."""
    try:
        return desk.applies(rule, None)
    except TextError:
        return False


def _owner_id(desk: Desk, steps: Sequence[Step]) -> str | None:
    step = next((step for step in steps if step.owner_id), None)
    return desk.draft.written.get(f"owner:{step.key}", step.owner_id) if step is not None else None


def _day(desk: Desk, rule: StepRule, steps: Sequence[Step], *, done: bool) -> date | None:
    """When it was done or is due: as people set it, as we set it, or as the plan reckons now."""
    if done:
        ended = [step.completed_at for step in steps if step.completed_at is not None]
        return local_date(max(ended), desk.tz) if ended else None
    made = next((step for step in steps if step.due_at is not None), None)
    if made is not None and made.due_at is not None:
        changed = desk.draft.written.get(f"due:{made.key}")
        return (datetime.fromisoformat(changed) if changed else made.due_at).date()
    release = desk.release(rule, None)
    if isinstance(release, Waiting):
        return None
    due = desk.due(rule, None, None, max(release, desk.draft.now))
    return None if isinstance(due, Waiting) else due.date()


def _title(desk: Desk, rule: StepRule, language: str) -> str:
    texts = rule.customer
    words = texts.get(language) or texts.get(desk.draft.look.playbook.languages[0]) or next(iter(texts.values()))
    dates = dated_as(language, desk.draft.look.rules.calendar)
    values = {"contract_end": desk.draft.case.contract_end, "case": {"language": language, "dates": dates}}
    try:
        return render(words, values)
    except TextError:
        return words


def _with_next(lines: Sequence[Milestone]) -> tuple[Milestone, ...]:
    first = next((number for number, one in enumerate(lines) if one.stand is not Stand.DONE and one.day), None)
    return tuple(
        one.model_copy(update={"stand": Stand.NEXT}) if number == first else one for number, one in enumerate(lines)
    )


def _no_links(kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:  # noqa: ARG001
    return ""
