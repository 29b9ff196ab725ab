"""What an admin does to a case by hand: pause, resume, cancel, try again what was refused (P-75, P-76)."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from adapters.errors import AurevoirError
from connector.bootstrap import Runtime
from connector.engine import work_lock
from connector.reconciler import Reconciler
from connector.store import agenda, cases, intents
from connector.store.database import Busy
from workflows.model import Case, Event

WAIT_SECONDS = 60.0
"""How long to wait for a round of work under way on the account."""


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

    def change(_session: Session, case: Case) -> Case:
        if not case.is_open or case.paused:
            raise NotPossible(
                f"the case is {case.status.value}{' and paused' if case.paused else ''}: nothing to pause"
            )
        return case.model_copy(update={"paused": True})

    return _change(runtime, case_id, "paused", change)


def resume(runtime: Runtime, case_id: str) -> Case:
    """Go on where the case was paused."""

    def change(_session: Session, case: Case) -> Case:
        if not case.paused:
            raise NotPossible("the case is not paused: nothing to resume")
        return case.model_copy(update={"paused": False})

    return _change(runtime, case_id, "resumed", change)


def cancel(runtime: Runtime, case_id: str) -> Case:
    """End the case now: its open tasks are closed with a note, its links stop working (P-06).

    Raises :class:`NotPossible`, and :class:`~adapters.errors.AdapterError` when the CRM cannot be reached now.
    """
    case = find(runtime, case_id)
    if not case.is_open:
        raise NotPossible(f"the case is {case.status.value}: nothing to cancel")
    account = runtime.accounts.get(case.account)
    if account is None:
        raise NotPossible(f"the settings have no account {case.account!r}, which this case belongs to")
    with runtime.store.exclusive(work_lock(case.account), wait=WAIT_SECONDS):
        reconciler = Reconciler(account, runtime.store, runtime.library, runtime.links, runtime.clock)
        if not reconciler.cancel(case.deal_id):
            raise Busy("it is not yet known whether an earlier write arrived: try again in a minute")
    ended = find(runtime, case.id)
    if ended.is_open:
        raise Busy(f"the case is still {ended.status.value}: `aurevoir check` says what is in the way")
    return ended


def retry(runtime: Runtime, case_id: str) -> Case:
    """Send again the writes of this case that were refused, and only those."""

    def change(session: Session, case: Case) -> Case:
        if not intents.retry(session, case.id):
            raise NotPossible("nothing of this case was refused: nothing to try again")
        return case

    return _change(runtime, case_id, "tried again", change)


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
