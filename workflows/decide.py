"""Look again, then do the difference: the whole decision for one deal at one moment.

:func:`decide` is a pure function of what is known now. It never asks what event led here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from workflows.answers import stop_asking, stop_reminders, take_answers
from workflows.asks import CONTRACT_END, REASON, ask
from workflows.baseline import take_start
from workflows.cases import NOT_OPENED, Case, CaseStatus, Event, Step, StepStatus
from workflows.desk import Desk
from workflows.draft import Draft
from workflows.ending import BY_HAND, conclude, dismiss, let_go, resume, stop, tidy
from workflows.ending import cancel as end_by_cancelling
from workflows.family import first_playbook, fitting_playbook, language_of, negotiation_before
from workflows.fields import STATUS_OPTIONS
from workflows.guard import CONDITION, SAVED, Occasion, entry, is_new, leaving, occasion, refusal, unmet
from workflows.inventory import show_inventory
from workflows.look import Decision, Links, Look
from workflows.lookback import look_back_at
from workflows.loop import moving, take_tasks
from workflows.meeting import call_together
from workflows.pace import keep_pace
from workflows.quiet import is_quiet, keep_quiet
from workflows.records import DealState, RecordKind, Ref
from workflows.returning import close_door, unless_renewed
from workflows.rules import CaseKind
from workflows.running import (
    UNKNOWN_REASON,
    complete,
    earliest,
    follow_up,
    next_look,
    recall,
    release_steps,
    take_contract_end,
    take_reason,
)
from workflows.said import Said
from workflows.scope import follow_scope
from workflows.sides import next_comparison
from workflows.timeline import show_timeline
from workflows.timing import hangs_on_end
from workflows.writes import FieldValue, UpdateFields


def decide(look: Look, links: Links) -> Decision:
    """The case's next state and the writes that are still missing.

    Deciding again on the case that a decision gave, at the same moment, gives no further writes.
    """
    if look.case is not None:
        return _go_on(Draft(look, look.case), links)
    later = None
    if look.last is not None:
        leftover, later = _leftovers(Draft(look, look.last), links)
        if leftover is not None:
            return replace(leftover, events=(*leftover.events, *_not_opened(look, occasion(look.rules, look.deal))))
    begun = _begin(look, links)
    return begun if begun.case is not None or later is None else replace(begun, next_look=later)


def cancel(look: Look, outcome: str = BY_HAND) -> Decision:
    """What follows when an admin cancels the open case by hand; as :func:`decide`. ValueError when none is open.

    ``outcome`` is another reason to end it whatever its deal says, as :data:`~workflows.ending.TAKEN_OUT`.
    """
    if look.case is None:
        raise ValueError("the deal has no open case that could be cancelled")
    draft = Draft(look, look.case)
    take_tasks(draft)
    take_answers(draft)
    _end_early(draft, outcome)
    return _finish(draft)


def take_down(look: Look) -> Decision:
    """What follows for the last, ended case when the account is taken out (P-7A); ValueError when there is none."""
    if look.last is None:
        raise ValueError("the deal has no ended case that anything could be left of")
    draft = Draft(look, look.last)
    take_tasks(draft)
    take_answers(draft)
    let_go(draft)
    return _finish(draft)


def record(case: Case, key: str, *, record_id: str | None, refused: str | None, gone: bool = False) -> Case:
    """The case after the CRM answered the write with this key: there as ``record_id``, refused, or its record gone."""
    name, _, change = key.removeprefix(f"{case.id}:").partition(":")
    step = case.step(name.partition("~")[0])
    if step is None:
        return case
    changes: dict[str, object] = {}
    if change:
        if gone and change.partition(":")[0] in ("close", "due"):
            changes = {"status": StepStatus.DELETED}
        elif change.startswith("due:") and refused is None and moving(step.key) in case.written:
            kept = {name: value for name, value in case.written.items() if name != moving(step.key)}
            return case.model_copy(update={"written": kept})
    elif refused is not None:
        if step.status is StepStatus.WRITING:
            changes = {"status": StepStatus.FAILED}
    elif gone:
        if step.status is StepStatus.WRITING:
            changes = {"status": StepStatus.DELETED}  # it was made, and a person deleted it before we knew
    elif record_id is not None and step.status not in _HAS_TASK:
        # Also for a step that was closed meanwhile: its task exists after all, and the next look closes it.
        changes = {"status": StepStatus.OPEN, "task_id": record_id}
    if not changes:
        return case
    after = step.model_copy(update=changes)
    return case.model_copy(update={"steps": tuple(after if one.key == step.key else one for one in case.steps)})


# --- no open case ---------------------------------------------------------------------------------------------------


def _leftovers(draft: Draft, links: Links) -> tuple[Decision | None, datetime | None]:
    """What an ended case still owes: answers and tasks that came late, steps that last. None: nothing now.

    Also the next moment at which that changes by time alone.
    """
    take_answers(draft)
    later = None
    if draft.case.status is not CaseStatus.COMPLETED or draft.case.outcome == SAVED:
        tidy(draft)
    elif draft.look.deal.state is DealState.LIVE:
        later = _sooner(_keep_door(draft, links), keep_quiet(draft))
    if draft.is_waiting or draft.writes or draft.withdrawn or draft.result() is not draft.look.last:
        return _finish(draft, draft.now if later is None or _calls(draft) else later), later
    return None, later


def _keep_door(draft: Draft, links: Links) -> datetime | None:
    """Let steps appear that outlast a completed case, or end them once the customer is back (P-51 … P-56).

    So does the care that a low score calls for which came after the end of any case (P-36).
    """
    goodbye = draft.case.kind is CaseKind.OFFBOARDING
    if not goodbye and not any(step.status in _UNDONE for step in draft.steps.values()):
        return None
    take_tasks(draft)
    desk = Desk(draft, links)
    outcome = leaving(draft.look, draft.case) if goodbye else None
    if outcome != "renewed":
        unless_renewed(draft)
    if outcome is not None:
        close_door(draft, desk.rules, outcome)
        release_steps(desk)
        return None
    if goodbye:
        follow_up(desk)
    release_steps(desk)
    return next_look(desk)


def _calls(draft: Draft) -> bool:
    """Whether the deal's stage calls for a case that is not there yet."""
    present = occasion(draft.look.rules, draft.look.deal)
    return present is not None and refusal(draft.look, present) is None


def _begin(look: Look, links: Links) -> Decision:
    """Open a case, or take up the one of a restored deal, or leave the deal alone."""
    present = occasion(look.rules, look.deal)
    last = look.last
    if present is not None and last is not None and last.status is CaseStatus.STOPPED and not is_new(present, last):
        draft = Draft(look, resume(last))
        draft.log("resumed", Said("the deal is back"))
        return _go_on(draft, links)
    refused = refusal(look, present)
    if present is None or refused is not None:
        return Decision(events=_not_opened(look, present))
    look = look.model_copy(update={"playbook": first_playbook(look, present.kind)})
    return _go_on(Draft(look, _new_case(look, present)), links)


def _not_opened(look: Look, present: Occasion | None) -> tuple[Event, ...]:
    """Why no case begins, for who asked for one by hand (P-72); nothing where none was asked for, or one begins."""
    if not (look.asked or look.deal.start_now):
        return ()
    why = refusal(look, present)
    if look.deal.state is not DealState.LIVE:
        why = Said("the CRM has no such deal, or has it no longer")
    return (Event(what=NOT_OPENED, detail=why),) if why is not None else ()


def _new_case(look: Look, present: Occasion) -> Case:
    return Case(
        id=look.new_case_id,
        account=look.rules.account,
        deal_id=look.deal.id,
        deal_name=look.deal.name,
        number=look.last.number + 1 if look.last is not None else 1,
        kind=present.kind,
        status=CaseStatus.SETTLING,
        playbook=look.playbook.key,
        playbook_version=look.playbook.version,
        language=language_of(look.playbook, look.rules),
        stage_id=present.stage_id,
        entered_at=present.entered_at or look.now,
        opened_at=look.now,
        written=negotiation_before(look) if present.kind is CaseKind.OFFBOARDING else {},
    )


# --- an open case ---------------------------------------------------------------------------------------------------


def _go_on(draft: Draft, links: Links) -> Decision:
    deal = draft.look.deal
    if draft.case.paused:
        return Decision(case=draft.case)
    if deal.state is not DealState.LIVE:
        return _record_away(draft)
    take_tasks(draft)
    take_answers(draft)
    outcome = leaving(draft.look, draft.case)
    if outcome is not None:
        _end_early(draft, outcome)
        calls = occasion(draft.look.rules, deal) is not None  # the deal's new stage calls for a case of another kind
        return _finish(draft, draft.now if calls else None)
    draft.set(deal_name=deal.name or draft.case.deal_name)
    present = occasion(draft.look.rules, deal, draft.case.kind)
    if present is not None:
        _follow_stage(draft, present)
    return _finish(draft, _advance(draft, links, present))


def _record_away(draft: Draft) -> Decision:
    """The deal was merged, deleted or archived: follow it, or stop (P-09)."""
    deal = draft.look.deal
    take_tasks(draft)
    if deal.state is DealState.MERGED and deal.merged_into is not None and draft.look.survivor is None:
        draft.set(deal_id=deal.merged_into)
        draft.written.pop(_DEAL_FIELDS, None)
        draft.log("deal merged", Said("the case follows the deal into which it was merged"), deal=deal.merged_into)
        return _finish(draft, draft.now)
    stop(draft, deal.state.value)
    return _finish(draft)


def _end_early(draft: Draft, outcome: str) -> None:
    if draft.case.status is CaseStatus.SETTLING:
        dismiss(draft, outcome)
    elif outcome == SAVED:
        conclude(draft, outcome)
    else:
        end_by_cancelling(draft, outcome)


def _follow_stage(draft: Draft, present: Occasion) -> None:
    """Keep what tells this ending from the next one (P-08), and start the settling anew after a bounce (P-03)."""
    began = entry(draft.case, present)
    if began > draft.case.entered_at and present.stage_id == draft.case.stage_id:
        draft.log("came back", Said("the deal left the stage and came back between two looks"))
    draft.set(entered_at=began, stage_id=present.stage_id)


def _advance(draft: Draft, links: Links, present: Occasion | None) -> datetime | None:
    """Take the case as far as it can go now. The next moment at which that changes by time alone."""
    if draft.case.status is CaseStatus.SETTLING:
        if present is None:
            return None
        settled = draft.case.entered_at + present.rule.settle_for
        if draft.now < settled:
            return settled
        if unmet(draft.look, present) is not None:
            dismiss(draft, CONDITION)
            return None
    desk = Desk(draft, links)
    if draft.case.status is not CaseStatus.ACTIVE:
        waits_until = _confirm(desk)
        if waits_until is not None or draft.needs_people:
            return waits_until
    return _run(desk)


def _confirm(desk: Desk) -> datetime | None:
    """Start the plan once the reason is there or has been waited for long enough (P-04); else: when to look again."""
    draft, rules = desk.draft, desk.draft.look.rules
    take_reason(desk)
    asks = rules.asks_reason and draft.case.kind is CaseKind.OFFBOARDING and draft.case.reason is None
    if draft.look.people is None and (not asks or REASON not in draft.steps or draft.now >= _reason_deadline(draft)):
        draft.needs_people = True
        return None
    if asks:
        draft.written.setdefault(_ASKED_AT, draft.now.isoformat())
        asked = ask(desk, REASON)
        deadline = _reason_deadline(draft)
        if draft.now < deadline:
            draft.set(status=CaseStatus.AWAITING_REASON)
            return deadline if asked else min(deadline, desk.next_morning())
        draft.set(reason=UNKNOWN_REASON)
        draft.log("reason unknown", Said("the plan starts without a reason"))
    _start_plan(desk)
    return None


def _reason_deadline(draft: Draft) -> datetime:
    asked_at = datetime.fromisoformat(draft.written.get(_ASKED_AT, draft.now.isoformat()))
    return asked_at + draft.look.rules.reason_wait


def _start_plan(desk: Desk) -> None:
    draft = desk.draft
    draft.set(status=CaseStatus.ACTIVE, confirmed_at=draft.now)
    _choose_playbook(desk)
    draft.log("plan started", f"playbook {draft.case.playbook} {draft.case.playbook_version}")
    draft.lay_out(_first_steps(tuple(desk.rules)))
    take_contract_end(desk)
    if draft.case.contract_end is None and hangs_on_end(desk.rules.values()):
        ask(desk, CONTRACT_END)
    desk.forget()


def _choose_playbook(desk: Desk) -> None:
    """Now that the reason is known: the playbook that fits this ending, for good (P-05, P-2D, P-77)."""
    draft = desk.draft
    playbook, troubles = fitting_playbook(draft.look, draft.case, desk.tz)
    for trouble in troubles:
        draft.log("condition left aside", trouble)
    if playbook is not None:
        draft.set(playbook=playbook.key, playbook_version=playbook.version)
        desk.follow(playbook, language_of(playbook, draft.look.rules))


@lru_cache(maxsize=256)
def _first_steps(keys: Sequence[str]) -> Mapping[str, Step]:
    return {key: Step(key=key, rule=key) for key in keys}


def _run(desk: Desk) -> datetime | None:
    draft, people = desk.draft, desk.draft.look.people
    if people is not None:
        company_id = people.company.id if people.company is not None else None
        draft.set(company_id=company_id, contact_ids=tuple(contact.id for contact in people.contacts))
    take_start(draft)
    _note_worth(draft)
    look_back_at(draft, desk.tz)
    take_reason(desk)
    take_contract_end(desk)
    follow_scope(desk)
    keep_pace(desk)
    recall(desk)
    stop_asking(desk)
    stop_reminders(desk)
    follow_up(desk)
    release_steps(desk)
    if not draft.is_waiting:
        call_together(desk)
    complete(desk)
    if not draft.case.is_open:
        return earliest(next_look(desk), next_comparison(draft))  # some steps outlast a completed case
    show_timeline(desk)
    return earliest(next_look(desk), next_comparison(draft), show_inventory(desk))


def _note_worth(draft: Draft) -> None:
    """Keep what the deal is worth, with its currency, for the figures (P-45)."""
    deal = draft.look.deal
    if deal.amount is not None:
        draft.written["worth"] = f"{deal.amount} {deal.currency or ''}".strip()


# --- the end of the decision ----------------------------------------------------------------------------------------


def _finish(draft: Draft, next_look: datetime | None = None) -> Decision:
    if draft.needs_people or draft.needs_involved or draft.needs_history or draft.needs_start or draft.needs_tasks:
        return Decision(
            needs_start=draft.needs_start,
            needs_people=draft.needs_people,
            needs_involved=draft.needs_involved,
            needs_history=draft.needs_history,
            needs_tasks=tuple(draft.needs_tasks),
        )
    quiet_look = keep_quiet(draft)
    _write_deal_fields(draft)
    return Decision(
        case=draft.result(),
        writes=tuple(draft.writes),
        withdraw=tuple(draft.withdrawn),
        next_look=_sooner(next_look, quiet_look),
        events=tuple(draft.events),
        close_links=draft.close_links,
        starting=draft.starting,
    )


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


def _write_deal_fields(draft: Draft) -> None:
    """Show on the deal where the case stands: one write when it opens, one at each turn after that."""
    case = draft.case
    if case.kind is not CaseKind.OFFBOARDING:
        return  # other automations read these fields as: this customer is leaving (P-25)
    if case.status.value not in _SHOWN or draft.look.deal.state is not DealState.LIVE:
        return
    values: dict[str, FieldValue] = {
        "case_id": case.id,
        "status": case.status.value,
        "playbook": f"{case.playbook} {case.playbook_version}",
        "quiet": is_quiet(draft),
        **_reason_mark(draft),
    }
    draft.fields(_DEAL_FIELDS, Ref(kind=RecordKind.DEAL, id=case.deal_id), values)
    _untick(draft)


def _reason_mark(draft: Draft) -> dict[str, FieldValue]:
    """Marks the reason as unknown on the deal, in a field of our own, until somebody enters one there (P-04).

    The field that holds the reason is people's: it stays as it is. Where a reason was known all along, nothing is said.
    """
    unknown = draft.case.reason == UNKNOWN_REASON and not (draft.look.deal.exit_reason or "").strip()
    if unknown:
        draft.written[_UNKNOWN] = "marked"
    return {"reason_unknown": unknown} if _UNKNOWN in draft.written else {}


def _untick(draft: Draft) -> None:
    """Take back the tick by which someone asked for this case: it was heard (P-72)."""
    if not draft.look.deal.start_now:
        draft.written.pop(_START, None)
    elif draft.once(_START, "heard"):
        key = f"{draft.case.id}:{_START}:{draft.number(_START)}"
        target = Ref(kind=RecordKind.DEAL, id=draft.case.deal_id)
        draft.writes.append(
            UpdateFields(key=key, deal_id=draft.case.deal_id, target=target, values={"start_now": False})
        )


_DEAL_FIELDS = "_deal"
_START = "_start"
_UNKNOWN = "reason_unknown"
_HAS_TASK = (StepStatus.OPEN, StepStatus.DONE, StepStatus.NOT_APPLICABLE, StepStatus.DELETED)
_ASKED_AT = "asked_at"
_UNDONE = (StepStatus.WAITING, StepStatus.WRITING, StepStatus.OPEN)
_SHOWN = frozenset(option.value for option in STATUS_OPTIONS)
