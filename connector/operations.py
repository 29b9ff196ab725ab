"""What an admin does to an account or a playbook as a whole: pause it, let it go on, see how it stands (P-75, P-76)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from connector.account import Account
from connector.bootstrap import Runtime
from connector.casework import WAIT_SECONDS, NotPossible
from connector.engine import work_lock
from connector.store import accounts, case_search, cases, failed, pauses
from workflows.cases import Event
from workflows.said import Said

T = TypeVar("T")


@dataclass(frozen=True)
class Standing:
    """How one account stands. ``worked_at``: its last good round of work. ``failed``: how much is on the failed list.

    ``well`` says that work is done as it should be, or rests because an admin wants it so: ``taken_out`` says that it
    was uninstalled. ``settling``: how many open cases wait until their stage has held long enough, the first of them
    until ``settles_at``.
    """

    account: str
    crm: str
    started_at: datetime | None
    worked_at: datetime | None
    paused_at: datetime | None
    paused_playbooks: tuple[str, ...]
    trouble: str | None
    open_cases: int
    failed: int
    well: bool
    settling: int = 0
    settles_at: datetime | None = None
    taken_out: bool = False

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)


def standings(runtime: Runtime) -> list[Standing]:
    """How each account stands; costs no call to a CRM."""
    now = runtime.clock.now()
    with runtime.store.read() as session:
        return [_standing(session, account, now) for account in runtime.accounts.values()]


def _standing(session: Session, account: Account, now: datetime) -> Standing:
    row = accounts.get(session, account.name)
    taken_out = accounts.is_taken_out(row)
    settling, settles_at = case_search.settling(session, account.name)
    return Standing(
        account=account.name,
        crm=account.config.crm,
        started_at=row.started_at if row is not None else None,
        worked_at=row.worked_at if row is not None else None,
        paused_at=row.paused_at if row is not None else None,
        paused_playbooks=tuple(pauses.playbooks(session, account.name)),
        trouble=row.trouble if row is not None else None,
        open_cases=len(cases.open_deal_ids(session, account.name)),
        failed=len(failed.listing(session, account.name)),
        well=taken_out
        or (row is not None and row.trouble is None and accounts.is_well(row, account.config.poll_every, now)),
        settling=settling,
        settles_at=settles_at,
        taken_out=taken_out,
    )


# --- pauses ---------------------------------------------------------------------------------------------------------


def pause_account(runtime: Runtime, account: str) -> None:
    """Read and write nothing more in this account until it is resumed; what its CRM tells meanwhile is kept."""
    now = runtime.clock.now()
    if not _between_rounds(
        runtime, account, "account paused", lambda session: pauses.pause_account(session, account, now)
    ):
        raise NotPossible(
            Said("%(account)s is paused already, or was never switched on: nothing to pause", account=account)
        )


def resume_account(runtime: Runtime, account: str) -> int:
    """Let the account go on; gives how many open cases there are."""
    now = runtime.clock.now()
    found = _between_rounds(
        runtime, account, "account resumed", lambda session: pauses.resume_account(session, account, now)
    )
    if found is None:
        raise NotPossible(Said("%(account)s is not paused: nothing to resume", account=account))
    runtime.engine.nudge(account)
    return found


def pause_playbook(runtime: Runtime, playbook: str, chosen: list[str]) -> list[str]:
    """Hold the cases of this playbook where they are, in these accounts; gives those in which it was not held yet."""
    now = runtime.clock.now()
    _require_playbook(runtime, playbook)
    held = [
        account
        for account in chosen
        if _between_rounds(
            runtime,
            account,
            f"playbook {playbook} paused",
            lambda session, account=account: pauses.pause_playbook(session, account, playbook, now),  # type: ignore[misc]
        )
    ]
    if not held:
        raise NotPossible(Said("the playbook %(playbook)s is paused already: nothing to pause", playbook=playbook))
    return held


def resume_playbook(runtime: Runtime, playbook: str, chosen: list[str]) -> dict[str, int]:
    """Let the cases of this playbook go on; gives how many are open, by account."""
    now = runtime.clock.now()
    found: dict[str, int] = {}
    for account in chosen:
        count = _between_rounds(
            runtime,
            account,
            f"playbook {playbook} resumed",
            lambda session, account=account: pauses.resume_playbook(session, account, playbook, now),  # type: ignore[misc]
        )
        if count is not None:
            found[account] = count
            runtime.engine.nudge(account)
    if not found:
        raise NotPossible(Said("the playbook %(playbook)s is not paused: nothing to resume", playbook=playbook))
    return found


def _require_playbook(runtime: Runtime, playbook: str) -> None:
    """Of the library, or still followed by cases although it is gone from there."""
    with runtime.store.read() as session:
        followed = {key for _, key, *_ in case_search.playbooks_in_use(session)}
    if playbook not in runtime.library.playbooks and playbook not in followed:
        known = ", ".join(sorted(followed.union(runtime.library.playbooks)))
        raise NotPossible(
            Said("there is no playbook %(playbook)s; known are %(known)s", playbook=repr(playbook), known=known)
        )


def _between_rounds(runtime: Runtime, account: str, what: str, change: Callable[[Session], T]) -> T:
    """Change something while no round of work is under way on the account, and log it if it changed."""
    with (
        runtime.store.exclusive(work_lock(account), wait=WAIT_SECONDS),
        runtime.store.write() as session,
    ):
        done = change(session)
        if done is not None and done is not False:
            cases.log(session, account, [Event(what=what, detail="by hand")], runtime.clock.now())
        return done


def all_failed(runtime: Runtime, chosen: list[str] | None = None) -> Iterator[failed.Failed]:
    """Everything on the failed list, of these accounts or of all."""
    with runtime.store.read() as session:
        found = failed.listing(session)
    yield from (one for one in found if chosen is None or one.account in chosen or not one.account)
