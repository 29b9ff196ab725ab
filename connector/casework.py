"""What an admin does to a case by hand: pause, resume, cancel, try again what was refused (P-75, P-76)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from adapters.errors import AurevoirError
from connector.bootstrap import Runtime
from connector.engine import work_lock
from connector.presence import SERVE
from connector.reconciler import Reconciler
from connector.store import accounts, agenda, cases, intents
from connector.store.database import Busy
from connector.store.tables import IntentState
from workflows.cases import Case, CaseStatus, Event, StepStatus
from workflows.draft import PAUSED_AT, put_off
from workflows.said import Said

WAIT_SECONDS = 60.0
"""How long to wait for a round of work under way on the account."""
NOT_AGAIN, NEWER = "not tried again", Said("newer values were written since")
"""In the log of a case."""
ANSWER_TRIES, ANSWER_SECONDS = 20, 0.5
"""How long a running ``serve`` is waited for to say what became of a wish to start."""


_STATUS = {
    CaseStatus.SETTLING: Said("still settling"),
    CaseStatus.AWAITING_REASON: Said("waiting for its reason"),
    CaseStatus.ACTIVE: Said("still active"),
    CaseStatus.COMPLETED: Said("completed already"),
    CaseStatus.CANCELLED: Said("cancelled already"),
    CaseStatus.DISMISSED: Said("dismissed already"),
    CaseStatus.STOPPED: Said("stopped already"),
}


class NoSuchCase(AurevoirError):
    """No case, or more than one, has an id that begins like this."""


class NotPossible(AurevoirError):
    """The case is not in a state in which this can be done."""


def find(runtime: Runtime, case_id: str) -> Case:
    """The case with this id, or the beginning of an id. Raises :class:`NoSuchCase`."""
    with runtime.store.read() as session:
        case = cases.starting_with(session, case_id) if case_id else None
    if case is None:
        raise NoSuchCase(
            f"no case, or more than one, has an id that begins with {case_id!r}: see `aurevoir cases list`"
        )
    return case


def pause(runtime: Runtime, case_id: str) -> Case:
    """Write nothing for this case until it is resumed."""

    now = runtime.clock.now()

    def change(_session: Session, case: Case) -> Case:
        if not case.is_open or case.paused:
            raise NotPossible(
                Said("the case is paused already: nothing to pause")
                if case.is_open and case.paused
                else Said("the case is %(status)s: nothing to pause", status=_STATUS[case.status])
            )
        return case.model_copy(update={"paused": True, "written": {**case.written, PAUSED_AT: now.isoformat()}})

    return _change(runtime, case_id, "paused", change)


def resume(runtime: Runtime, case_id: str) -> Case:
    """Go on where the case was paused; what counts from the plan's start comes as much later."""
    now = runtime.clock.now()

    def change(_session: Session, case: Case) -> Case:
        if not case.paused:
            raise NotPossible(Said("the case is not paused: nothing to resume"))
        written = dict(case.written)
        since = datetime.fromisoformat(written.pop(PAUSED_AT, now.isoformat()))
        if case.confirmed_at is not None:
            written = put_off(written, now - max(since, case.confirmed_at))
        return case.model_copy(update={"paused": False, "written": written})

    return _change(runtime, case_id, "resumed", change)


def cancel(runtime: Runtime, case_id: str) -> Case:
    """End the case now: its open tasks are closed with a note, its links stop working (P-06).

    Raises :class:`NotPossible`, and :class:`~adapters.errors.AdapterError` when the CRM cannot be reached now.
    """
    case = find(runtime, case_id)
    if not case.is_open:
        raise NotPossible(Said("the case is %(status)s: nothing to cancel", status=_STATUS[case.status]))
    account = runtime.accounts.get(case.account)
    if account is None:
        raise NotPossible(
            Said("the settings have no account %(account)s, which this case belongs to", account=repr(case.account))
        )
    with runtime.store.read() as session:
        row = accounts.get(session, case.account)
    if row is not None and row.paused_at is not None:
        raise NotPossible(
            Said("%(account)s is paused, so nothing is written there: resume the account first", account=case.account)
        )
    with runtime.store.exclusive(work_lock(case.account), wait=WAIT_SECONDS):
        reconciler = Reconciler(account, runtime.store, runtime.library, runtime.links, runtime.clock)
        if not reconciler.cancel(case.deal_id):
            raise Busy(Said("it is not yet known whether an earlier write arrived: try again in a minute"))
    ended = find(runtime, case.id)
    if ended.is_open:
        raise Busy(
            Said("the case is %(status)s: `aurevoir check` says what is in the way", status=_STATUS[ended.status])
        )
    return ended


def leave(runtime: Runtime, case_id: str) -> Case:
    """Send what was refused of this case no more, and list it no longer: an admin has seen it.

    Steps whose task was refused count as left out from now on.
    """
    now = runtime.clock.now()

    def change(session: Session, case: Case) -> Case:
        failed = any(step.status is StepStatus.FAILED for step in case.steps)
        if not intents.leave(session, case.id, now) and not failed:
            raise NotPossible("nothing of this case was refused: nothing to leave")
        steps = (
            step.model_copy(update={"status": StepStatus.SKIPPED}) if step.status is StepStatus.FAILED else step
            for step in case.steps
        )
        return case.model_copy(update={"steps": tuple(steps)})

    return _change(runtime, case_id, "left as it is", change)


def start(runtime: Runtime, account: str, deal_id: str) -> None:
    """Put a deal on the agenda whose case is to begin now, older endings included (P-71, P-72); as from the CRM.

    What becomes of it is decided by the next look: a deal that is not in such a stage gets no case.
    """
    now = runtime.clock.now()
    with runtime.store.write() as session:
        row = accounts.get(session, account)
        if row is None or row.started_at is None:
            raise NotPossible(f"{account} is not switched on: run `aurevoir provision --account {account}`")
        agenda.put(session, account, [agenda.Entry(deal_id, now, "by hand", asked=True)])
    runtime.engine.nudge(account)


def start_now(runtime: Runtime, account: str, deal_id: str) -> str:
    """As :func:`start`, and do the looking here unless a ``serve`` runs beside; gives a sentence on what became of it.

    Raises :class:`NotPossible` when no case begins, with the reason.
    """
    begun, told = runtime.clock.now(), 0
    with runtime.store.read() as session:
        before = cases.open_by_deal(session, account, [deal_id]).get(deal_id)
        if (line := cases.not_opened(session, account, deal_id, begun - cases.LATELY)) is not None:
            told = line.id
    start(runtime, account, deal_id)
    if before is not None:
        return f"Deal {deal_id} has its case already: {before.id[:8]} ({before.status.value})."
    try:
        with runtime.store.exclusive(SERVE):
            runtime.rounds[account].wake()
            runtime.rounds[account].run()
    except Busy:
        for _ in range(ANSWER_TRIES):
            runtime.clock.sleep(ANSWER_SECONDS)
            if (said := _became(runtime, account, deal_id, begun, told)) is not None:
                return said
        return (
            f"Deal {deal_id} is on the agenda of the running serve: `aurevoir cases log deal:{deal_id}` will say what "
            "becomes of it."
        )
    said = _became(runtime, account, deal_id, begun, told)
    if said is None:
        raise NotPossible(f"no case begins for deal {deal_id}: `aurevoir preview` says why")
    return said


def _became(runtime: Runtime, account: str, deal_id: str, begun: datetime, told: int) -> str | None:
    """What became of a wish to start, in a sentence; None: it is not known yet. Raises :class:`NotPossible`."""
    with runtime.store.read() as session:
        case = cases.open_by_deal(session, account, [deal_id]).get(deal_id)
        line = cases.not_opened(session, account, deal_id, begun, told)
        row = accounts.get(session, account)
        still = agenda.of_deal(session, account, deal_id)
    if case is not None:
        return f"Case {case.id[:8]} of deal {deal_id} has begun ({case.status.value}, playbook {case.playbook})."
    if line is not None:
        raise NotPossible(f"no case begins for deal {deal_id}: {line.detail}")
    trouble = (row.trouble if row is not None else None) or (still.trouble if still is not None else None)
    if trouble is not None:
        raise NotPossible(f"no case has begun yet: {trouble}")
    return None


@dataclass(frozen=True)
class Retried:
    """How many refused writes of a case are sent again, and how many are not, since newer values were written."""

    case: Case
    again: int
    outdated: int


def retry(runtime: Runtime, case_id: str) -> Retried:
    """Send again the writes of this case that were refused, and only those; but no values that are outdated by now."""
    now = runtime.clock.now()
    again: list[str] = []
    outdated: list[str] = []

    def change(session: Session, case: Case) -> Case:
        for row in intents.retry(session, case.id, now):
            (again if row.state == IntentState.PLANNED.value else outdated).append(row.key)
        if not again and not outdated:
            raise NotPossible(Said("nothing of this case was refused: nothing to try again"))
        told = [Event(what=NOT_AGAIN, detail=NEWER, data={"key": key}) for key in outdated]
        cases.log(session, case.account, told, now, case_id=case.id, deal_id=case.deal_id)
        return case

    return Retried(_change(runtime, case_id, "tried again", change), len(again), len(outdated))


def retry_write(runtime: Runtime, account: str, key: str) -> bool:
    """Send one write again that was refused, and nothing else. Raises :class:`NotPossible` when it is not refused.

    False: newer values were written since, so that it is withdrawn instead.
    """
    now = runtime.clock.now()
    with runtime.store.exclusive(work_lock(account), wait=WAIT_SECONDS), runtime.store.write() as session:
        row = intents.retry_one(session, account, key, now)
        if row is None:
            raise NotPossible(Said("this is not refused any more: nothing to try again"))
        again, data = row.state == IntentState.PLANNED.value, {"key": key}
        event = Event(what="tried again", detail="by hand", data=data)
        if not again:
            event = Event(what=NOT_AGAIN, detail=NEWER, data=data)
        cases.log(session, account, [event], now, case_id=row.case_id or None, deal_id=row.deal_id)
        agenda.put(session, account, [agenda.Entry(row.deal_id, now, "tried again by hand")])
    runtime.engine.nudge(account)
    return again


def _change(runtime: Runtime, case_id: str, what: str, change: Callable[[Session, Case], Case]) -> Case:
    """Change a case between two rounds of work on its account, and have it looked at."""
    case_id, account = (found := find(runtime, case_id)).id, found.account
    now = runtime.clock.now()
    with runtime.store.exclusive(work_lock(account), wait=WAIT_SECONDS), runtime.store.write() as session:
        case = cases.by_id(session, case_id)
        if case is None:
            raise NoSuchCase(f"case {case_id} is gone")
        changed = change(session, case)
        if changed != case:
            cases.save(session, changed)
        cases.log(session, account, [Event(what=what, detail="by hand")], now, case_id=case.id, deal_id=case.deal_id)
        agenda.put(session, account, [agenda.Entry(case.deal_id, now, f"{what} by hand")])
    runtime.engine.nudge(account)
    return changed
