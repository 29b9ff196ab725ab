"""Taking the connector out of an account again (P-7A): what it created goes, and what stays is said.

In this order, so that nothing is left half done: open cases are cancelled, which closes their tasks with a note and
their pages, and tasks that outlasted ended cases are closed; then our fields and the rest of the app go; then the
access is given back; then the account is switched off here. Whatever fails stops the rest and is told, with pauses as
they were, and the command may simply be run again.

Where the CRM lets us in no more (the app was removed there, or the account is not in the settings any more), our side
is finished all the same: cases end, links close, tokens go; and what a person must do in the CRM is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

from adapters.errors import ConsentEnded, CredentialsInvalid
from adapters.offers import Leaving, LeftByHand, Removal
from connector.bootstrap import Runtime
from connector.casework import WAIT_SECONDS, NotPossible
from connector.engine import work_lock
from connector.reconciler import Reconciler
from connector.store import accounts, cases, intake, intents
from connector.store.database import Busy
from workflows.cases import Case, Event
from workflows.ending import TAKEN_OUT, end_unseen
from workflows.fields import FIELDS
from workflows.quiet import holds_quiet
from workflows.said import Said

MOST = 100_000
NAMED = 10
WHATEVER = "in the CRM: whatever of ours is still there"


@dataclass
class Uninstalled:
    """What was done, or with ``dry_run`` would be. ``stays`` maps what is left to why and what to do about it.

    ``cases_let_go``: deals whose ended cases still had open tasks, or with the fields kept still asked for quiet;
    ``tasks_let_go``: so many such tasks.
    ``out_of_reach``: the CRM let us in no more, so that our side alone was finished. ``paused``: an admin had paused
    the account, and the last writes of the leaving go into its CRM all the same.
    """

    account: str
    dry_run: bool
    paused: bool = False
    cases_cancelled: int = 0
    cases_let_go: int = 0
    tasks_let_go: int = 0
    out_of_reach: bool = False
    removed: list[str] = field(default_factory=list)
    stays: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)

    def add(self, removal: Removal) -> None:
        """Take over what one step removed and left."""
        self.removed += removal.removed
        self.stays |= dict(removal.stays)


def uninstall(
    runtime: Runtime, account: str, *, keep_fields: bool = False, dry_run: bool = False, without_crm: bool = False
) -> Uninstalled:
    """Do it, or only say what would be done. An account that is not in the settings any more is forgotten here alone.

    Raises :class:`~adapters.errors.AdapterError` when the CRM cannot be worked with, and :class:`NotPossible` when a
    case cannot be ended yet, or our credentials are refused: then nothing else was removed.
    """
    with runtime.store.read() as session:
        row = accounts.get(session, account)
    done = Uninstalled(account, dry_run, paused=row is not None and row.paused_at is not None)
    done.cases_cancelled = len(_open_cases(runtime, account))
    done.cases_let_go = len(_outlasted(runtime, account, keep_fields=keep_fields))
    done.tasks_let_go = sum(count for _, count in _left_open(runtime, account))
    locked = nullcontext() if dry_run else runtime.store.exclusive(work_lock(account), wait=WAIT_SECONDS)
    with locked:
        if without_crm or not _in_the_crm(runtime, done, keep_fields=keep_fields):
            _say_by_hand(runtime, done)
        if not dry_run:
            _finish_here(runtime, done)
    return _with_here(runtime, done, keep_fields=keep_fields)


def _in_the_crm(runtime: Runtime, done: Uninstalled, *, keep_fields: bool) -> bool:
    """What is done in the CRM; False when it lets us in no more, be it half way through."""
    account = runtime.accounts.get(done.account)
    if account is None:
        return False
    crm = account.crm()
    if not isinstance(crm, Leaving):
        raise NotPossible(f"the adapter of {account.name} cannot take its parts away: its documentation says how")
    try:
        if not done.dry_run:
            _cancel_all(runtime, account.name, _open_cases(runtime, account.name))
            _let_go(runtime, account.name, keep_fields=keep_fields)
            _require_settled(runtime, account.name)
            _say_tasks(runtime, done)
        if not keep_fields:
            done.add(crm.remove_app(FIELDS, dry_run=done.dry_run))
        done.add(crm.sign_off(dry_run=done.dry_run))
    except ConsentEnded:
        return False
    except CredentialsInvalid as refused:
        raise NotPossible(
            f"{refused}. Correct the credentials and run this again; or, where the app was deleted in the CRM, add "
            "--without-crm: then our side is finished, and you are told what to delete there by hand."
        ) from refused
    return True


def _say_by_hand(runtime: Runtime, done: Uninstalled) -> None:
    """What may still be in the CRM, where nothing could be looked at or removed."""
    done.out_of_reach = True
    with runtime.store.read() as session:
        row = accounts.get(session, done.account)
    account = runtime.accounts.get(done.account)
    crm = account.config.crm if account is not None else row.crm if row is not None else ""
    adapter = runtime.adapters.get(crm)
    _say_tasks(runtime, done)
    if isinstance(adapter, LeftByHand):
        done.stays |= dict(adapter.by_hand)
    else:
        done.stays[WHATEVER] = "the documentation of its adapter says how by hand"


def _say_tasks(runtime: Runtime, done: Uninstalled) -> None:
    """Which tasks of ours are still open in the CRM, and which of them it refused to close."""
    with runtime.store.read() as session:
        tasks = cases.open_tasks(session, done.account)
        refused = [one for one in intents.refused(session, done.account) if one.content.get("close")]
        deals = {
            case.id: case.deal_name or case.deal_id for case in cases.by_ids(session, [i.case_id for i in refused])
        }
    if tasks:
        done.stays["in the CRM: open tasks of ours"] = f"{_told(tasks)}: close them there"
    if refused:
        told = _told(list(Counter(deals.get(one.case_id, one.deal_id) for one in refused).items()))
        why = "; ".join(dict.fromkeys(one.reason for one in refused if one.reason))
        done.stays["in the CRM: tasks that it refused to close"] = f"{told} ({why}): close them there"


def _told(tasks: Sequence[tuple[str, int]]) -> str:
    """How many tasks there are, and on which deals."""
    named = ", ".join(f"{deal} ({count})" for deal, count in tasks[:NAMED])
    more = f" and {len(tasks) - NAMED} more" if len(tasks) > NAMED else ""
    return f"{sum(count for _, count in tasks)}, on {named}{more}"


def _open_cases(runtime: Runtime, account: str) -> list[Case]:
    with runtime.store.read() as session:
        return cases.listing(session, account=account, open_only=True, limit=MOST)


def _cancel_all(runtime: Runtime, account: str, found: Sequence[Case]) -> None:
    reconciler = Reconciler(runtime.accounts[account], runtime.store, runtime.library, runtime.links, runtime.clock)
    for case in found:
        if not reconciler.cancel(case.deal_id, TAKEN_OUT):
            raise Busy(f"it is not yet known whether a write for {case.deal_name} arrived: try again in a minute")
    left = _open_cases(runtime, account)
    if left:
        names = ", ".join(case.deal_name or case.deal_id for case in left[:5])
        raise NotPossible(
            f"{len(left)} cases could not be ended yet ({names}): `aurevoir cases failed` says why. Nothing was "
            "removed."
        )


def _outlasted(runtime: Runtime, account: str, *, keep_fields: bool) -> list[str]:
    with runtime.store.read() as session:
        return cases.outlasted(session, account, by=lambda written: keep_fields and holds_quiet(written))


def _left_open(runtime: Runtime, account: str) -> list[tuple[str, int]]:
    with runtime.store.read() as session:
        return cases.open_tasks(session, account, of_ended=True)


def _let_go(runtime: Runtime, account: str, *, keep_fields: bool) -> None:
    """Close the tasks that outlast ended cases, and where our fields stay, lift the quiet: nobody would later.

    A deal may have several such cases: each turn takes one of each deal. What an earlier try could not send goes along.
    """
    reconciler = Reconciler(runtime.accounts[account], runtime.store, runtime.library, runtime.links, runtime.clock)
    before: list[tuple[str, int]] | None = None
    while (tasks := _left_open(runtime, account)) != before:
        before = tasks
        deals = {*_outlasted(runtime, account, keep_fields=keep_fields), *_under_way(runtime, account)}
        if not reconciler.take_down(sorted(deals)):
            raise Busy("it is not yet known whether an earlier write arrived: try again in a minute")


def _under_way(runtime: Runtime, account: str) -> dict[str, str]:
    """The deals with writes that have not come to an end, each with why."""
    with runtime.store.read() as session:
        return {one.deal_id: one.reason for one in intents.under_way(session, account)}


def _require_settled(runtime: Runtime, account: str) -> None:
    """Our fields and the access are needed until the last write has arrived."""
    if left := _under_way(runtime, account):
        why = next((reason for reason in left.values() if reason), "no answer yet")
        raise NotPossible(
            f"the CRM has not taken all writes of {len(left)} {'deal' if len(left) == 1 else 'deals'} yet ({why}), so "
            "nothing was removed: run this again in a minute"
        )


def _finish_here(runtime: Runtime, done: Uninstalled) -> None:
    """Our side alone, in one transaction: cases that are still open end, links close, tokens and all else go."""
    now = runtime.clock.now()
    detail = f"{done.cases_cancelled} cases cancelled, {len(done.removed)} parts removed"
    if done.out_of_reach:
        detail += "; the CRM was out of reach"
    with runtime.store.write() as session:
        for case in cases.listing(session, account=done.account, open_only=True, limit=MOST):
            cases.save(session, end_unseen(case, now))
            ended = Event(what="cancelled", detail=Said("the account was taken out; its CRM was out of reach"))
            cases.log(session, done.account, [ended], now, case_id=case.id, deal_id=case.deal_id)
        intake.close_all_links(session, done.account, now)
        accounts.forget(session, done.account)
        cases.log(session, done.account, [Event(what="uninstalled", detail=detail)], now)
    runtime.store.let_go_of_removed()
    if done.account in runtime.accounts:
        runtime.accounts[done.account].reconnect()


def _with_here(runtime: Runtime, done: Uninstalled, *, keep_fields: bool) -> Uninstalled:
    if keep_fields:
        done.stays["our fields"] = "you asked to keep them, with what stands in them"
        if done.out_of_reach:
            done.stays["our fields"] += "; set “quiet” to no where it stands: nobody here lifts it any more"
    done.stays["here: cases, answers and their log"] = (
        "they are kept as long as retention says; delete the database to remove them at once"
    )
    if done.account in runtime.accounts:
        done.stays["here: the account in config.yaml, and its secrets"] = "take them out by hand, then restart"
    return done
