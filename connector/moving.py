"""Moves a running case to another version of its playbook by an admin's hand (P-77)."""

from __future__ import annotations

from sqlalchemy.orm import Session

from connector.bootstrap import Runtime
from connector.casework import WAIT_SECONDS, NoSuchCase, NotPossible, find
from connector.engine import work_lock
from connector.store import agenda, cases
from workflows.cases import Case
from workflows.move import Move, move, obstacle
from workflows.rules import Playbook


def planned(runtime: Runtime, case_id: str, playbook: str | None = None, *, with_past: bool = False) -> Move:
    """What moving this case would change; nothing is changed.

    ``playbook`` is the key of the one to follow; by default the case's own, in its newest version. Raises
    :class:`NotPossible` with the reason when there is nothing to move to.
    """
    case = find(runtime, case_id)
    new = _newest(runtime, case, playbook)
    with runtime.store.read() as session:
        return _move(runtime, session, case, new, with_past)


def carry_out(runtime: Runtime, case_id: str, playbook: str | None = None, *, with_past: bool = False) -> Move:
    """Move the case now, between two rounds of work on its account; the next look goes on with the new version."""
    found = find(runtime, case_id)
    new = _newest(runtime, found, playbook)
    now = runtime.clock.now()
    with runtime.store.exclusive(work_lock(found.account), wait=WAIT_SECONDS), runtime.store.write() as session:
        case = cases.by_id(session, found.id)
        if case is None:
            raise NoSuchCase(f"case {found.id} is gone")
        moved = _move(runtime, session, case, new, with_past)
        cases.keep_playbook(session, new, now)
        cases.save(session, moved.case)
        cases.log(session, case.account, moved.events, now, case_id=case.id, deal_id=case.deal_id)
        agenda.put(session, case.account, [agenda.Entry(case.deal_id, now, "moved to another version by hand")])
    runtime.engine.nudge(found.account)
    return moved


def _newest(runtime: Runtime, case: Case, key: str | None) -> Playbook:
    try:
        return runtime.library.playbook(key or case.playbook)
    except KeyError:
        known = sorted(one.key for one in runtime.library.playbooks.values() if one.kind is case.kind)
        raise NotPossible(f"there is no playbook {key or case.playbook!r}: write one of {', '.join(known)}") from None


def _move(runtime: Runtime, session: Session, case: Case, new: Playbook, with_past: bool) -> Move:
    account = runtime.accounts.get(case.account)
    if account is None:
        raise NotPossible(f"the settings have no account {case.account!r}, which this case belongs to")
    old = cases.playbook(session, case.playbook, case.playbook_version)
    if old is None:
        raise NotPossible(f"the version that the case follows ({case.playbook_version}) was not kept")
    reason = obstacle(case, old, new)
    if reason is not None:
        raise NotPossible(reason)
    return move(case, old, new, account.rules(), runtime.clock.now(), with_past=with_past)
