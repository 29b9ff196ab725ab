"""`aurevoir poll`: look for changed deals now, whether or not ``serve`` runs on the same database."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from adapters.errors import AdapterError
from connector.bootstrap import Runtime
from connector.engine import NotSwitchedOn
from connector.presence import SERVE
from connector.store import accounts
from connector.store.database import Busy
from connector.watcher import Watcher
from workflows.said import Said


@dataclass(frozen=True)
class Polled:
    """What a poll of one account led to. ``handed_over``: a running ``serve`` does the looking."""

    account: str
    deals: int
    handed_over: bool
    trouble: str | None = None

    def __str__(self) -> str:
        """One line for people."""
        if self.trouble is not None:
            return f"{self.account}: {self.trouble}"
        deals = f"{self.deals} deal{'s' if self.deals != 1 else ''}"
        rest = "on the agenda of the running serve" if self.handed_over else "looked at"
        return f"{self.account}: {deals} {rest}"

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)


def poll_in_words(runtime: Runtime, name: str) -> Polled:
    """Poll one account as :func:`poll_now` does; what keeps it from that is told, and others can go on."""
    try:
        return poll_now(runtime, name)
    except AdapterError as error:
        return Polled(name, 0, handed_over=False, trouble=str(error.message))


def poll_now(runtime: Runtime, name: str) -> Polled:
    """Poll one account. Beside a running ``serve`` its deals are put on the agenda; else they are looked at here.

    Raises :class:`~adapters.errors.AdapterError` when the CRM cannot be asked beside a running ``serve``.
    """
    with runtime.store.read() as session:
        row = accounts.get(session, name)
    if row is None or row.started_at is None:
        raise NotSwitchedOn(
            Said("%(name)s is not switched on: run `aurevoir provision --account %(name)s`", name=name), account=name
        )
    try:
        with runtime.store.exclusive(SERVE):
            runtime.rounds[name].wake()
            looked = runtime.rounds[name].run(poll=True)
    except Busy:
        found = Watcher(runtime.accounts[name], runtime.store, runtime.clock).poll()
        runtime.rounds[name].wake()  # the CRM has just answered: what the account rested for is over
        return Polled(name, found, handed_over=True)
    with runtime.store.read() as session:
        row = accounts.get(session, name)
    return Polled(name, looked, handed_over=False, trouble=row.trouble if row is not None else None)
