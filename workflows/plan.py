"""The whole plan of one deal at a glance, as if everything had appeared: for preview and rehearsal (P-70, P-72)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from pydantic import AwareDatetime

from workflows.answers import needless
from workflows.asks import CONTACTS, CONTRACT_END, REASON, ask_task, whom_to_ask
from workflows.cases import Case, CaseStatus, Step, StepStatus
from workflows.dates import plausible, zone
from workflows.desk import MAX_CONTACTS, Desk
from workflows.draft import Draft
from workflows.exit_rights import hangs_on_rights, rights_of
from workflows.family import fitting_playbook, language_of, negotiation_before
from workflows.look import Links, Look
from workflows.pace import paced
from workflows.people import Choice
from workflows.records import Model, User
from workflows.rules import CaseKind, LinkKind, Playbook, StepRule
from workflows.texts import TextError
from workflows.timing import Waiting, hangs_on_end
from workflows.writes import Priority, TaskType


class PlannedStep(Model):
    """One task of a plan, whether it exists yet or not.

    ``phase`` is empty for tasks that ask for what is missing. ``release_at`` and ``due_at`` are None while they cannot
    be told; ``waits_for`` then says what is missing: ``contract_end``, ``answer``, ``contacts``, ``item``
    (something in the inventory with a day), or ``never``. A step
    that follows another is dated as if that one were done when it is due; ``estimated`` says so. ``applies`` is False
    when the step's condition does not hold with what is known now, None when that cannot be told yet. ``owner_id`` is
    None when nobody is active. ``status`` and dates are those of the case where it has the task already.
    """

    key: str
    rule: str
    phase: str = ""
    phase_title: str = ""
    status: StepStatus = StepStatus.WAITING
    type: TaskType = TaskType.TODO
    priority: Priority = Priority.NORMAL
    title: str
    body: str
    link: str | None = None
    contact_id: str | None = None
    contact_name: str = ""
    owner_id: str | None = None
    owner_name: str = ""
    why: str = ""
    release_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    estimated: bool = False
    waits_for: str = ""
    condition: str = ""
    applies: bool | None = True


def preview(look: Look, links: Links, *, left_out: bool = True) -> tuple[PlannedStep, ...]:
    """The plan that this deal has or would get if its case opened at ``look.now``, in playbook order; writes nothing.

    The stage of the deal does not matter here. People who were not read count as none. Tasks that would ask for what is
    missing come first. With ``left_out`` also the steps whose condition does not hold, which ``applies`` then says.
    """
    case = look.case or _case(look)
    look, case = _with_fitting_playbook(look, case)
    if case.confirmed_at is None:
        case = case.model_copy(update={"confirmed_at": look.now})
    done: dict[str, datetime | Waiting] = {}
    draft = Draft(look, case)
    desk = Desk(draft, links, done=lambda key, _contact: done.get(key, Waiting.STEP))
    if case.contract_end is None:
        draft.set(contract_end=plausible(look.deal.contract_end, desk.today))
    _fill_done(desk, done)
    planned = _asks(desk)
    rights = rights_of(look.rules, look.deal, draft.written)
    for phase in look.playbook.phases:
        title = desk.text(phase.title)
        for rule in paced(desk, [rule for rule in phase.steps if rule.key in desk.rules]):
            if rights is None and hangs_on_rights(rule):
                continue
            for contact_id in _contact_ids(desk, rule):
                if rule.until == "answered" and contact_id is not None and not _may_come(desk, rule, contact_id):
                    continue
                applies = _applies(desk, rule, contact_id)
                if applies is False and not left_out:
                    continue
                planned.append(_planned(desk, rule, contact_id, applies, phase.key, title))
    return tuple(planned)


def _may_come(desk: Desk, rule: StepRule, contact_id: str) -> bool:
    """Whether a reminder is there, or could be: nobody is reminded in writing who cannot be written to (P-3A)."""
    made = any(step.contact_id == contact_id for step in desk.draft.of_rule(rule.key))
    return made or needless(desk, rule, contact_id) is None


def followed(look: Look) -> Playbook:
    """The playbook by which :func:`preview` plans: that of the open case, or the one that fits this deal."""
    return _with_fitting_playbook(look, look.case or _case(look))[0].playbook


class Timeline(Model):
    """A plan in the order of its days: up to the contract's end, after it, and what has no day yet."""

    before: tuple[PlannedStep, ...] = ()
    after: tuple[PlannedStep, ...] = ()
    undated: tuple[PlannedStep, ...] = ()


def by_day(steps: Iterable[PlannedStep], contract_end: date | None) -> Timeline:
    """The steps by when they are due, or appear where that alone is known; of one day in the plan's order.

    What is due on the day of the contract's end comes before it. Without such a day all of them do.
    """
    dated: list[tuple[datetime, PlannedStep]] = []
    undated: list[PlannedStep] = []
    for step in steps:
        at = step.due_at or step.release_at
        if at is None:
            undated.append(step)
        else:
            dated.append((at, step))
    dated.sort(key=lambda pair: pair[0])
    late = [contract_end is not None and at.date() > contract_end for at, _ in dated]
    return Timeline(
        before=tuple(step for (_, step), is_late in zip(dated, late, strict=True) if not is_late),
        after=tuple(step for (_, step), is_late in zip(dated, late, strict=True) if is_late),
        undated=tuple(undated),
    )


class Expected(Model):
    """When a step that waits appears and is due; as in :class:`PlannedStep`. Whether its condition holds shows then."""

    release_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    estimated: bool = False
    waits_for: str = ""
    condition: str = ""


def expected(look: Look, case: Case) -> dict[str, Expected]:
    """What the steps of a case wait for that have no task yet, by their key, as far as ``look`` can tell it."""
    done: dict[str, datetime | Waiting] = {}
    desk = Desk(Draft(look, case), _no_links, done=lambda key, _contact: done.get(key, Waiting.STEP))
    _fill_done(desk, done)
    desk.forget()
    found = {}
    for step in case.steps:
        rule = desk.rules.get(step.rule) if step.status is StepStatus.WAITING else None
        if rule is None:
            continue
        release = desk.release(rule, step.contact_id)
        if isinstance(release, Waiting):
            found[step.key] = Expected(waits_for=release.value, condition=rule.when or "")
            continue
        due = desk.due(rule, step.contact_id, None, max(release, look.now))
        found[step.key] = Expected(
            release_at=release,
            due_at=None if isinstance(due, Waiting) else due,
            estimated=_is_estimated(rule),
            condition=rule.when or "",
        )
    return found


def _no_links(kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:  # noqa: ARG001 - as Links
    return ""


def _is_estimated(rule: StepRule) -> bool:
    return any(one.step for one in (rule.release, rule.due, rule.not_before) if one)


def _with_fitting_playbook(look: Look, case: Case) -> tuple[Look, Case]:
    """The playbook that the plan would follow if it started now; that of a plan that has started stays."""
    chosen, _ = fitting_playbook(look, case, zone(look.rules.time_zone))
    if chosen is None or (look.case is not None and look.case.confirmed_at is not None):
        return look, case
    follows = {
        "playbook": chosen.key,
        "playbook_version": chosen.version,
        "language": language_of(chosen, look.rules),
    }
    return look.model_copy(update={"playbook": chosen}), case.model_copy(update=follows)


def _case(look: Look) -> Case:
    return Case(
        id=look.new_case_id,
        account=look.rules.account,
        deal_id=look.deal.id,
        deal_name=look.deal.name,
        status=CaseStatus.ACTIVE,
        playbook=look.playbook.key,
        playbook_version=look.playbook.version,
        language=language_of(look.playbook, look.rules),
        stage_id=look.deal.stage_id,
        entered_at=look.now,
        opened_at=look.now,
        confirmed_at=look.now,
        reason=look.deal.exit_reason,
        written=negotiation_before(look),
    )


def _fill_done(desk: Desk, done: dict[str, datetime | Waiting]) -> None:
    """Reckon when each step will be done: when it was, or else when it is due."""
    desk.forget()
    left = list(desk.rules.values())
    while left:
        for rule in left:
            moment = _reckoned(desk, rule)
            if moment is not Waiting.STEP:
                done[rule.key] = moment
        waiting = [rule for rule in left if rule.key not in done]
        if len(waiting) == len(left):
            return
        desk.forget_waiting()  # what waited for another step may be known now, and what is known stays as it is
        left = waiting


def _reckoned(desk: Desk, rule: StepRule) -> datetime | Waiting:
    ended = [step.completed_at for step in desk.draft.of_rule(rule.key) if step.completed_at is not None]
    if ended:
        return max(ended)
    release = desk.release(rule)
    return release if isinstance(release, Waiting) else desk.due(rule, None, None, max(release, desk.draft.now))


def _asks(desk: Desk) -> list[PlannedStep]:
    look, draft = desk.draft.look, desk.draft
    asks = look.rules.asks_reason and draft.case.kind is CaseKind.OFFBOARDING
    reason = asks and not (look.deal.exit_reason or draft.case.reason or "").strip()
    end = draft.case.contract_end is None and hangs_on_end(desk.rules.values())
    contacts = any(rule.per_contact for rule in desk.rules.values()) and not desk.contacts()
    wanted = {REASON: reason, CONTRACT_END: end, CONTACTS: contacts}
    return [_asked(desk, key) for key, missing in wanted.items() if missing]


def _asked(desk: Desk, key: str) -> PlannedStep:
    choice = whom_to_ask(desk)
    task = ask_task(desk, key, choice or Choice(user=User(id="", name="", email=""), why=""))
    made = desk.draft.steps.get(key, Step(key=key, rule=key))
    return PlannedStep(
        key=key,
        rule=key,
        status=made.status,
        priority=task.priority,
        title=task.subject,
        body=task.body,
        owner_id=choice.user.id if choice is not None else None,
        owner_name=choice.user.name if choice is not None else "",
        why=choice.why if choice is not None else "",
        release_at=desk.draft.now,
        due_at=made.due_at or task.due_at,
    )


def _contact_ids(desk: Desk, rule: StepRule) -> list[str | None]:
    if not rule.per_contact:
        return [None]
    made = [step.contact_id for step in desk.draft.of_rule(rule.key) if step.contact_id]
    return [*made] or [contact.id for contact in desk.contacts()[:MAX_CONTACTS]] or [None]


def _planned(
    desk: Desk, rule: StepRule, contact_id: str | None, applies: bool | None, phase: str, phase_title: str
) -> PlannedStep:
    key = f"{rule.key}@{contact_id}" if contact_id else rule.key
    made = desk.draft.steps.get(key, Step(key=key, rule=rule.key))
    contact = desk.contact(contact_id)
    choice = desk.owner(rule)
    why = made.why or (choice.why if choice is not None else "")
    owner_id = made.owner_id or (choice.user.id if choice is not None else None)
    owner = desk.draft.look.users.get(owner_id or "")
    release = desk.release(rule, contact_id)
    moment = release if isinstance(release, datetime) else None
    due = desk.due(rule, contact_id, owner, max(moment, desk.draft.now)) if moment is not None else None
    words = desk.wording(rule, contact_id, why)
    waits_for = release.value if isinstance(release, Waiting) else ""
    return PlannedStep(
        key=key,
        rule=rule.key,
        phase=phase,
        phase_title=phase_title,
        status=made.status,
        type=words.type,
        priority=rule.priority,
        title=words.title or rule.key,
        body=words.body,
        link=words.link,
        contact_id=contact_id,
        contact_name=contact.name if contact is not None else "",
        owner_id=owner_id,
        owner_name=owner.name if owner is not None else "",
        why=why,
        release_at=moment,
        due_at=made.due_at or (due if isinstance(due, datetime) else None),
        estimated=made.due_at is None and _is_estimated(rule),
        waits_for="contacts" if rule.per_contact and contact_id is None else waits_for,
        condition=rule.when or "",
        applies=applies,
    )


def _applies(desk: Desk, rule: StepRule, contact_id: str | None) -> bool | None:
    if rule.when is not None and desk.release(rule, contact_id) is Waiting.ANSWER:
        return None  # what was answered may be what it asks about
    try:
        return desk.applies(rule, contact_id)
    except TextError:
        return None
