"""A running case: what changed on the deal, what appears now, when it is complete."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from workflows.answers import needless
from workflows.asking import is_about_leaving, is_farewell
from workflows.asks import ASKS, CONTACTS, CONTRACT_END, REASON, answered, ask
from workflows.cases import CaseStatus, Step, StepStatus
from workflows.channel import keep_channel
from workflows.dates import day_of, plausible
from workflows.desk import MAX_CONTACTS, Desk, reachable
from workflows.door import addressee, is_addressed, next_change, open_door, win_back_day, write_win_back
from workflows.draft import FINISHED, UNOWNED, Draft
from workflows.ending import SURVEY_LINK
from workflows.exit_rights import hangs_on_rights
from workflows.handover import attach_document, needs_start
from workflows.inventory import follow_items, items_over
from workflows.loop import is_our_due, moving
from workflows.meeting import invitation
from workflows.records import Contact, RecordKind, Ref
from workflows.rules import Anchor, CaseKind, LinkKind, StepRule
from workflows.said import Said
from workflows.texts import TextError, date_words, uses
from workflows.timetable import timetable
from workflows.timing import Base, Waiting
from workflows.wording import say
from workflows.writes import UpdateTask

UNKNOWN_REASON = "unknown"
"""The reason of a case that could wait for it no longer (P-04)."""
ANSWER_PATIENCE = timedelta(days=60)
"""Steps that follow an answer are left out when none has come so long after everything else was done."""
CONTACT_PATIENCE = timedelta(days=30)
"""Per-contact steps are left out when the deal still has no contacts so long after they should have appeared."""
_UNTIL_END_KNOWN = "contract_end"
_STALE = "stale:"
"""In what a case keeps written: the tasks whose text must be told of an end that was past already."""
_END_ANCHORS = frozenset({Anchor.CONTRACT_END, Anchor.SWITCHING_END, Anchor.RETRIEVAL_END})
"""Days that move with the contract's end."""


# --- what changed on the deal ---------------------------------------------------------------------------------------


def take_reason(desk: Desk) -> None:
    """Take over the reason from the deal, and close the task that asks for it (P-04)."""
    draft = desk.draft
    if draft.case.kind is not CaseKind.OFFBOARDING:
        return
    reason = (draft.look.deal.exit_reason or "").strip()
    if reason and reason != draft.case.reason:
        draft.set(reason=reason)
        desk.forget()
        draft.log("reason known", reason)
    if draft.case.reason not in (None, UNKNOWN_REASON):
        answered(desk, REASON)


def take_contract_end(desk: Desk) -> None:
    """Take over the contract's end: close the task that asks for it, move what hangs on it (P-07).

    An end that was known and is emptied on the deal stays known here.
    """
    draft = desk.draft
    seen = draft.look.deal.contract_end
    end = plausible(seen, desk.today)
    if seen is not None and end is None and draft.once("odd_end", seen.isoformat()):
        draft.log("contract end left aside", Said("%(day)s is too far from today to be right", day=seen.isoformat()))
    if end is not None and end != draft.case.contract_end:
        before = draft.case.contract_end
        draft.set(contract_end=end)
        desk.forget()
        words = (
            Said("from %(day_before)s to %(day)s", day_before=before.isoformat(), day=end.isoformat())
            if before is not None
            else end.isoformat()
        )
        draft.log("contract end moved" if before is not None else "contract end known", words)
        if end < desk.today and (before is None or before >= desk.today):
            _mark_stale_texts(desk)
    if draft.case.contract_end is not None:
        answered(desk, CONTRACT_END)
        _move_due_dates(desk, draft.case.contract_end)
        _tell_stale_texts(desk, draft.case.contract_end)


def _mark_stale_texts(desk: Desk) -> None:
    """The end turned out to be past: texts that were written by the days left speak of a time that is over."""
    for step in desk.draft.with_task():
        rule = desk.rules.get(step.rule)
        if rule is not None and any(uses(text, "days_left") for text in rule.body.values()):
            desk.draft.written[f"{_STALE}{step.key}"] = "yes"


def _tell_stale_texts(desk: Desk, end: date) -> None:
    """Tell the owners of such tasks below the text, which people may have changed: it is not written anew."""
    draft = desk.draft
    for step in draft.with_task():
        if f"{_STALE}{step.key}" not in draft.written or step.status is not StepStatus.OPEN:
            continue
        if step.task_id is None or draft.task(step) is None:
            continue
        del draft.written[f"{_STALE}{step.key}"]
        note = say("note.ended", desk.language, day=date_words(end, desk.dates))
        key = f"{draft.step_key(step)}:ended:{draft.number(f'ended:{step.key}')}"
        draft.writes.append(UpdateTask(key=key, deal_id=draft.case.deal_id, task_id=step.task_id, note=note))


def _move_due_dates(desk: Desk, end: date) -> None:
    """Move the due dates of open tasks that were counted from another end, unless a person set them (P-07, P-7B)."""
    draft = desk.draft
    for step in draft.with_task():
        rule = desk.rules.get(step.rule) if step.status is StepStatus.OPEN else None
        if rule is None or rule.due.anchor not in _END_ANCHORS:
            continue
        if draft.written.get(f"end:{step.key}") == end.isoformat():
            continue
        state = draft.task(step)
        if state is None or step.task_id is None:
            continue
        draft.written[f"end:{step.key}"] = end.isoformat()
        if not is_our_due(draft, step, state):
            draft.log("due date kept", Said("the contract end moved, but a person had set this date"), step=step.key)
            continue
        due = desk.due(rule, step.contact_id, draft.look.users.get(state.owner_id or ""), draft.now)
        if isinstance(due, Waiting) or step.due_at is None or due.date() == step.due_at.date():
            continue
        key = f"{draft.step_key(step)}:due:{draft.number(f'due:{step.key}')}"
        draft.writes.append(UpdateTask(key=key, deal_id=draft.case.deal_id, task_id=step.task_id, due_at=due))
        if state.due_at is not None:
            draft.written[moving(step.key)] = state.due_at.isoformat()
        draft.put(step, due_at=due)
        desk.forget()  # others may watch over this one
        draft.log(
            "due date moved", Said("to %(day)s, with the contract end", day=due.date().isoformat()), step=step.key
        )


# --- what lasts ----------------------------------------------------------------------------------------------------


def follow_up(desk: Desk) -> None:
    """What may come once the customer has left: steps that come again, news, what they chose to hear (P-51 … P-56)."""
    draft = desk.draft

    def ends(rule: StepRule) -> date | None:
        base = desk.base(rule.repeat.until, None) if rule.repeat is not None else None
        return day_of(rule.repeat.until, base.day, desk.days) if rule.repeat and isinstance(base, Base) else None

    open_door(draft, desk.rules, desk.tz, ends)
    effective = desk.effective_end()
    has_left = effective is not None and draft.now >= effective
    if has_left and any(rule.release.anchor is Anchor.WIN_BACK for rule in desk.rules.values()):
        write_win_back(draft, win_back_day(draft.look, draft.case, desk.today))


# --- which steps appear ---------------------------------------------------------------------------------------------


def release_steps(desk: Desk) -> None:
    """Let every step appear whose moment has come; leave out those that do not apply. May find people to be needed."""
    follow_items(desk)
    changed = True
    while changed:
        changed = False
        desk.forget_waiting()
        for step in list(desk.draft.steps.values()):
            if step.status is StepStatus.WAITING and step.rule not in ASKS and not desk.is_later(step):
                changed |= _advance(desk, step)
        if desk.draft.needs_people or desk.draft.needs_involved:
            return


def _advance(desk: Desk, step: Step) -> bool:
    """Do what is due for a waiting step. True: look at the steps again, for it was left out or gave way to others."""
    draft = desk.draft
    rule = desk.rules.get(step.rule)
    if rule is None:
        return _skip(draft, step, Said("the playbook no longer has this step"))
    if rule.paced:
        return False  # it stands for its points
    if rule.per_contact and step.contact_id is None and _follow_contacts(desk, step, rule):
        return True
    release = desk.release(rule, step.contact_id)
    if release is Waiting.NEVER:
        return _skip(draft, step, _why_never(rule))
    if isinstance(release, Waiting) or desk.is_ahead(release) or _is_held(draft, step):
        return False
    if rule.release.anchor is Anchor.OVERDUE and not _surely_overdue(desk, rule):
        return False
    if draft.look.people is None:
        draft.needs_people = True
        return False
    if rule.per_contact and step.contact_id is None:
        return _expand(desk, step, rule, release)
    return _release(desk, step, rule)


def _why_never(rule: StepRule) -> str:
    if rule.release.anchor is Anchor.OVERDUE:
        return Said("what it watches over came to an end in time")
    if hangs_on_rights(rule):
        return Said("the contract is not in scope of exit rights")
    return Said("the step that it follows was left out")


def _surely_overdue(desk: Desk, rule: StepRule) -> bool:
    """Whether the task that this step watches was seen open just now; if not, its state is asked for (P-13)."""
    watched = desk.draft.of_rule(rule.release.step)
    states = [desk.draft.task(step) for step in watched if step.status is StepStatus.OPEN]
    return bool(states) and None not in states


def recall(desk: Desk) -> None:
    """What was made because a task was overdue is no longer needed once that task is done (P-13)."""
    for step in desk.draft.with_task():
        rule = desk.rules.get(step.rule)
        if rule is None or rule.release.anchor is not Anchor.OVERDUE:
            continue
        if desk.overdue(rule.release.step) is Waiting.NEVER:
            desk.draft.close(step, say("close.caught_up", desk.language))


def _release(desk: Desk, step: Step, rule: StepRule) -> bool:
    draft = desk.draft
    if is_addressed(rule) and not rule.per_contact:
        person = addressee(draft.look, draft.case, rule, desk.contacts(), step.contact_id)
        if person is None:
            return _skip(draft, step, Said("there is nobody whom this may be about: they left, or asked for peace"))
        step = draft.put(step, contact_id=person.id)
    if uses(rule.when or "", "results") and needs_start(desk, rule):
        draft.needs_start = True
        return False
    if (why := needless(desk, rule, step.contact_id)) is not None:
        return _skip(draft, step, why)
    try:
        applies = desk.applies(rule, step.contact_id)
    except TextError as error:
        if draft.case.contract_end is None and uses(rule.when or "", "days_left"):
            draft.written[f"hold:{step.key}"] = _UNTIL_END_KNOWN
            return False
        return _skip(draft, step, str(error))
    if not applies:
        return _skip(draft, step, Said("its condition does not hold: %(when)s", when=rule.when))
    if needs_start(desk, rule):
        draft.needs_start = True
        return False
    if desk.must_ask_who_took_part(rule) or (rule.meeting and draft.look.involved is None):
        draft.needs_involved = True
        return False
    choice = desk.owner(rule, step.contact_id)
    if choice is None:
        draft.log(
            "nobody active", Said("no active user can own the task; see the people in the settings"), step=step.key
        )
        draft.written.setdefault(f"{UNOWNED}{step.key}", draft.now.isoformat())
        return _hold(desk, step)
    due = desk.due(rule, step.contact_id, choice.user, draft.now)
    if isinstance(due, Waiting):
        return False
    task = desk.task(step, rule, choice, due)
    if rule.meeting:
        task = task.model_copy(update={"body": f"{task.body}\n\n{invitation(desk, choice.user.id)}"})
    draft.writes.append(task)
    attach_document(desk, step, rule, choice)
    draft.put(step, status=StepStatus.WRITING, due_at=due, owner_id=choice.user.id, why=choice.why)
    _let_go(draft, step)
    if rule.due.anchor in _END_ANCHORS and draft.case.contract_end is not None:
        draft.written[f"end:{step.key}"] = draft.case.contract_end.isoformat()
    draft.log("released", f"due {due.date().isoformat()}", step=step.key, owner=choice.user.id)
    contact = desk.contact(step.contact_id)
    if rule.link is LinkKind.SURVEY and contact is not None:
        in_writing = reachable(contact)
        if in_writing or rule.call_title or rule.call_body:
            keep_channel(draft, step, rule.questionnaire or "", in_writing=in_writing)
        if in_writing:
            _write_survey_link(desk, contact, rule)
    return False


def _write_survey_link(desk: Desk, contact: Contact, rule: StepRule) -> None:
    """The contact's own field carries the link too, for the CRM's mail automation (P-31); of exit surveys only."""
    asked = desk.draft.look.questionnaires.get(rule.questionnaire or "")
    if desk.draft.case.kind is not CaseKind.OFFBOARDING or (asked is not None and not is_farewell(asked)):
        return
    link = desk.link(rule, contact.id)
    if link is not None:
        target = Ref(kind=RecordKind.CONTACT, id=contact.id)
        desk.draft.fields(f"{SURVEY_LINK}{contact.id}", target, {"survey_link": link})


def _follow_contacts(desk: Desk, step: Step, rule: StepRule) -> bool:
    """Where a per-contact step follows another, each contact's follows their own, and waits for nobody else's.

    One that follows the answer follows the survey: whoever was sent it may answer.
    """
    draft = desk.draft
    if rule.release.anchor not in (Anchor.STEP, Anchor.ANSWERED, Anchor.RATED):
        return False
    leads: Collection[str | None] = (rule.release.step,)
    if rule.release.anchor is not Anchor.STEP:
        leads = timetable(draft.look.playbook).surveys
    if rule.release.anchor is Anchor.RATED:
        leads = [key for key in leads if _asks_about_leaving(desk, key)]
    followed = dict.fromkeys(one.contact_id for one in draft.steps.values() if one.rule in leads and one.contact_id)
    if followed:
        made = [Step(key=f"{rule.key}@{one}", rule=rule.key, contact_id=one) for one in followed]
        draft.replace(step.key, made)
    return bool(followed)


def _asks_about_leaving(desk: Desk, key: str | None) -> bool:
    rule = desk.rules.get(key or "")
    asked = desk.draft.look.questionnaires.get(rule.questionnaire or "") if rule is not None else None
    return asked is not None and is_about_leaving(asked)


def _expand(desk: Desk, step: Step, rule: StepRule, release: datetime) -> bool:
    """One step for each contact; without contacts, ask for some and try again on the next business day (P-16)."""
    draft = desk.draft
    contacts = desk.contacts()
    if not contacts:
        if draft.now >= release + CONTACT_PATIENCE:
            return _skip(draft, step, Said("the deal has no contacts"))
        ask(desk, CONTACTS)
        return _hold(desk, step)
    if len(contacts) > MAX_CONTACTS:
        draft.log(
            "contacts left out",
            Said("%(count)d contacts; the first %(most)d get a task", count=len(contacts), most=MAX_CONTACTS),
            step=step.key,
        )
    draft.written.pop(f"hold:{step.key}", None)
    made = [Step(key=f"{rule.key}@{one.id}", rule=rule.key, contact_id=one.id) for one in contacts[:MAX_CONTACTS]]
    draft.replace(step.key, made)
    answered(desk, CONTACTS)
    return True


def _skip(draft: Draft, step: Step, why: str) -> bool:
    draft.put(step, status=StepStatus.SKIPPED)
    _let_go(draft, step)
    draft.log("left out", why, step=step.key)
    return True


def _hold(desk: Desk, step: Step) -> bool:
    desk.draft.written[f"hold:{step.key}"] = desk.next_morning().isoformat()
    return False


def _let_go(draft: Draft, step: Step) -> None:
    draft.written.pop(f"hold:{step.key}", None)
    draft.written.pop(f"{UNOWNED}{step.key}", None)


def _is_held(draft: Draft, step: Step) -> bool:
    held = draft.written.get(f"hold:{step.key}")
    if held is None:
        return False
    if held == _UNTIL_END_KNOWN:
        return draft.case.contract_end is None
    return draft.now < datetime.fromisoformat(held)


# --- when it goes on, and when it is complete -----------------------------------------------------------------------


def complete(desk: Desk) -> None:
    """The case is complete when every step is; steps that follow an answer are not waited for without end.

    A save plan goes on until the negotiation ends: only then is it known what came of it (P-02).
    """
    draft = desk.draft
    if draft.case.kind is CaseKind.SAVE:
        return
    patience = answer_deadline(desk)
    if patience is not None and draft.now >= patience:
        for step in list(draft.steps.values()):
            if step.status is StepStatus.WAITING and not is_lasting(desk, step):
                _skip(draft, step, Said("no answer came"))
    if all(step.status in FINISHED or is_lasting(desk, step) for step in draft.steps.values()):
        draft.end(CaseStatus.COMPLETED, "completed")
        draft.log("completed")


def is_lasting(desk: Desk, step: Step) -> bool:
    """Whether the case may end without this step (P-51 … P-56)."""
    rule = desk.rules.get(step.rule)
    return rule is not None and rule.lasting


def answer_deadline(desk: Desk) -> datetime | None:
    """Until when steps that follow an answer are waited for; None while other steps are unfinished."""
    draft = desk.draft
    rest = []
    for step in draft.steps.values():
        if step.status in FINISHED or is_lasting(desk, step):
            continue
        if step.status is not StepStatus.WAITING or step.rule not in desk.rules:
            return None
        rest.append(step)
    waits = {desk.release(desk.rules[step.rule], step.contact_id) for step in rest}
    if Waiting.ANSWER not in waits or not waits <= {Waiting.ANSWER, Waiting.STEP, Waiting.OVERDUE}:
        return None
    moments = [step.completed_at for step in draft.steps.values()]
    moments += [draft.case.confirmed_at, desk.effective_end()]
    return max((moment for moment in moments if moment is not None), default=draft.now) + ANSWER_PATIENCE


def next_look(desk: Desk) -> datetime | None:
    """The next moment at which something of a running case changes by time alone."""
    draft = desk.draft
    moments: list[datetime | None] = [answer_deadline(desk)]
    if draft.case.is_open or any(rule.lasting for rule in desk.rules.values()):
        moments.append(desk.effective_end())
    moments.append(next_change(draft.look, draft.case, desk.tz))
    moments.append(items_over(desk))
    for step in draft.steps.values():
        rule = desk.rules.get(step.rule)
        if step.status is StepStatus.WAITING and rule is not None:
            release = desk.release(rule, step.contact_id)
            if not isinstance(release, Waiting):
                held = draft.written.get(f"hold:{step.key}")
                moments.append(release if held is None else _held_until(held))
    return min((moment for moment in set(moments) if moment is not None and desk.is_ahead(moment)), default=None)


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of these that is known."""
    return min((moment for moment in moments if moment is not None), default=None)


def _held_until(held: str) -> datetime | None:
    return None if held == _UNTIL_END_KNOWN else datetime.fromisoformat(held)
