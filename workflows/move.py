"""Moving a running case to another version of its playbook, or to another playbook, with the difference first (P-77).

What people already have stays as it is: tasks, their dates, their owners. What has not appeared yet follows the new
version; steps that it no longer has go, and those that it adds come, but for those whose moment lies far back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from workflows.cases import Case, CaseStatus, Event, Step, StepStatus
from workflows.desk import Desk
from workflows.draft import Draft
from workflows.family import language_of
from workflows.look import Look
from workflows.playbook_diff import Change, changes
from workflows.records import Deal, Model
from workflows.rounds import first_of
from workflows.rules import AccountRules, Playbook, StepRule
from workflows.said import Said

FAR_BACK = timedelta(days=7)
"""A step that should have appeared longer ago than this is not made up for, unless that is wanted."""


class Move(Model):
    """What a move changes. ``case`` is the case after it; steps are named by their keys in the playbook.

    ``added`` will appear; ``past`` are new as well, and left out since their moment lies far back; ``removed`` had not
    appeared and never will; ``kept`` are no longer in the playbook, but people have their tasks.
    """

    case: Case
    differences: tuple[Change, ...]
    added: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()


def obstacle(case: Case, old: Playbook, new: Playbook) -> str | None:
    """Why this case cannot be moved to ``new``, in words; None when it can."""
    if case.status is not CaseStatus.ACTIVE:
        begins = case.is_open and "its plan begins with the newest version anyway"
        return f"the case is {case.status.value}: {begins or 'it follows no plan any more'}"
    if new.kind is not case.kind:
        return f"the playbook {new.key} is of the kind {new.kind}, and the case of the kind {case.kind}"
    if (old.key, old.version) == (new.key, new.version):
        return f"the case follows {new.key} {new.version} already, and there is no newer version of it"
    return None


def move(
    case: Case, old: Playbook, new: Playbook, rules: AccountRules, now: datetime, *, with_past: bool = False
) -> Move:
    """The case as it goes on with ``new``. ``with_past``: make up for steps whose moment lies far back as well."""
    language = case.language if case.language in new.languages else language_of(new, rules)
    follows = {"playbook": new.key, "playbook_version": new.version, "language": language}
    moved = case.model_copy(update=follows)
    known = {first_of(step.rule) for step in case.steps}
    fresh = [rule for rule in new.steps() if rule.key not in known]
    past = () if with_past else tuple(rule.key for rule in fresh if _lies_far_back(_desk(moved, new, rules, now), rule))
    steps, removed, kept = _existing(case, old, new)
    for rule in fresh:
        status = StepStatus.SKIPPED if rule.key in past else StepStatus.WAITING
        steps[rule.key] = Step(key=rule.key, rule=rule.key, status=status)
    added = tuple(rule.key for rule in fresh if rule.key not in past)
    told = Said(
        "from %(key)s %(version)s to %(key2)s %(version2)s",
        key=old.key,
        version=old.version,
        key2=new.key,
        version2=new.version,
    )
    events = [Event(what="playbook changed", detail=told)]
    events += [Event(what="left out", detail=Said("its moment lay far back"), data={"step": key}) for key in past]
    events += [
        Event(what="left out", detail=Said("the playbook no longer has it"), data={"step": key}) for key in removed
    ]
    return Move(
        case=moved.model_copy(update={"steps": _in_order(steps, new)}),
        differences=changes(old, new),
        added=added,
        past=past,
        removed=removed,
        kept=kept,
        events=tuple(events),
    )


def _existing(case: Case, old: Playbook, new: Playbook) -> tuple[dict[str, Step], tuple[str, ...], tuple[str, ...]]:
    """The case's steps, those that will not come closed off; which they are, and which are kept for their tasks."""
    wanted, were = ({rule.key for rule in playbook.steps()} for playbook in (new, old))
    steps: dict[str, Step] = {}
    removed, kept = [], []
    for step in case.steps:
        key = first_of(step.rule)
        steps[step.key] = step
        if key not in were or key in wanted:
            continue
        if step.status is StepStatus.WAITING:
            removed.append(key)
            steps[step.key] = step.model_copy(update={"status": StepStatus.SKIPPED})
        elif step.status in (StepStatus.OPEN, StepStatus.WRITING):
            kept.append(key)
    return steps, tuple(dict.fromkeys(removed)), tuple(dict.fromkeys(kept))


def _desk(case: Case, playbook: Playbook, rules: AccountRules, now: datetime) -> Desk:
    deal = Deal(id=case.deal_id, contract_end=case.contract_end)
    look = Look(now=now, rules=rules, deal=deal, case=case, playbook=playbook, new_case_id=case.id)
    return Desk(Draft(look, case), lambda _kind, _case, _contact, _questionnaire: "")


def _lies_far_back(desk: Desk, rule: StepRule) -> bool:
    release = desk.release(rule)
    return isinstance(release, datetime) and release < desk.draft.now - FAR_BACK


def _in_order(steps: Mapping[str, Step], new: Playbook) -> tuple[Step, ...]:
    """As in the playbook; what is in none of it (our own questions, what was removed) stays in front."""
    places = {rule.key: number for number, rule in enumerate(new.steps())}
    return tuple(sorted(steps.values(), key=lambda step: places.get(first_of(step.rule), -1)))
