"""Taking the connector out of an account again (P-7A): what it created goes, and what stays is said.

In this order, so that nothing is left half done: open cases are cancelled, which closes their tasks with a note and
their pages; then our fields and the rest of the app go; then the access is given back; then the account is switched off
here. Whatever fails stops the rest and is told, and the command may simply be run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from adapters.errors import ConsentEnded
from adapters.offers import Leaving, Removal
from connector.bootstrap import Runtime
from connector.casework import WAIT_SECONDS, NotPossible
from connector.engine import work_lock
from connector.reconciler import Reconciler
from connector.store import accounts, cases, pauses
from connector.store.database import Busy
from workflows.cases import Case, Event
from workflows.fields import FIELDS

MOST = 100_000


@dataclass
class Uninstalled:
    """What was done, or with ``dry_run`` would be. ``stays`` maps what is left to why and what to do about it."""

    account: str
    dry_run: bool
    cases_cancelled: int = 0
    removed: list[str] = field(default_factory=list)
    stays: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)

    def add(self, removal: Removal) -> None:
        """Take over what one step removed and left."""
        self.removed += removal.removed
        self.stays |= dict(removal.stays)


def uninstall(runtime: Runtime, account: str, *, keep_fields: bool = False, dry_run: bool = False) -> Uninstalled:
    """Do it, or only say what would be done.

    Raises :class:`~adapters.errors.AdapterError` when the CRM cannot be worked with, and :class:`NotPossible` when a
    case cannot be ended yet: then nothing else was removed.
    """
    done = Uninstalled(account, dry_run)
    crm = runtime.accounts[account].crm()
    if not isinstance(crm, Leaving):
        raise NotPossible(f"the adapter of {account} cannot take its parts away: its documentation says how by hand")
    still_open = _open_cases(runtime, account)
    done.cases_cancelled = len(still_open)
    if dry_run:
        with _ended_already(done):
            if not keep_fields:
                done.add(crm.remove_app(FIELDS, dry_run=True))
        return _with_here(done, keep_fields=keep_fields)
    with runtime.store.exclusive(work_lock(account), wait=WAIT_SECONDS):
        with _ended_already(done):
            _cancel_all(runtime, account, still_open)
            if not keep_fields:
                done.add(crm.remove_app(FIELDS))
            done.add(crm.sign_off())
        _switch_off(runtime, account, done)
    return _with_here(done, keep_fields=keep_fields)


@contextmanager
def _ended_already(done: Uninstalled) -> Iterator[None]:
    """Without open cases an access that has ended keeps nobody from leaving: another run gave it back, or an admin."""
    try:
        yield
    except ConsentEnded:
        if done.cases_cancelled:
            raise
        done.stays["in the CRM: whatever of ours is still there"] = (
            "the access has ended already, so nothing was looked at or removed; connect the account again to have it "
            "removed, or delete it by hand"
        )


def _open_cases(runtime: Runtime, account: str) -> list[Case]:
    with runtime.store.read() as session:
        return cases.listing(session, account=account, open_only=True, limit=MOST)


def _cancel_all(runtime: Runtime, account: str, found: Sequence[Case]) -> None:
    now = runtime.clock.now()
    with runtime.store.write() as session:
        pauses.resume_account(session, account, now)
        for case in found:
            if case.paused:
                cases.save(session, case.model_copy(update={"paused": False}))
    reconciler = Reconciler(runtime.accounts[account], runtime.store, runtime.library, runtime.links, runtime.clock)
    for case in found:
        if not reconciler.cancel(case.deal_id):
            raise Busy(f"it is not yet known whether a write for {case.deal_name} arrived: try again in a minute")
    left = _open_cases(runtime, account)
    if left:
        names = ", ".join(case.deal_name or case.deal_id for case in left[:5])
        raise NotPossible(
            f"{len(left)} cases could not be ended yet ({names}): `aurevoir cases failed` says why. Nothing was "
            "removed."
        )


def _switch_off(runtime: Runtime, account: str, done: Uninstalled) -> None:
    now = runtime.clock.now()
    with runtime.store.write() as session:
        accounts.forget(session, account)
        detail = f"{done.cases_cancelled} cases cancelled, {len(done.removed)} parts removed"
        cases.log(session, account, [Event(what="uninstalled", detail=detail)], now)
    runtime.accounts[account].reconnect()


def _with_here(done: Uninstalled, *, keep_fields: bool) -> Uninstalled:
    if keep_fields:
        done.stays["our fields"] = "you asked to keep them, with what stands in them"
    done.stays["here: cases, answers and their log"] = (
        "they are kept as long as retention says; delete the database to remove them at once"
    )
    done.stays["here: the account in config.yaml, and its secrets"] = "take them out by hand, then restart"
    return done
