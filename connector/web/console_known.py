"""What a CRM offers to choose from in the set-up: read once, kept for a while, and read anew when an admin says so."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from adapters.results import FieldInfo
from connector.account import KNOWN_FOR, Account
from connector.bootstrap import Runtime
from connector.store import accounts

FROM_CRM = frozenset({"stages", "fields", "people"})
"""Pages of the set-up whose choices come from the CRM."""


class Offers:
    """The deal fields of each account, in this process's memory; users and stages are kept by the account itself."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._guard = threading.Lock()
        self._fields: dict[str, tuple[str, datetime, Sequence[FieldInfo]]] = {}

    def deal_fields(self, account: Account) -> Sequence[FieldInfo]:
        """The fields that deals have, no older than an hour. Raises :class:`~adapters.errors.AdapterError`."""
        now = self._runtime.clock.now()
        with self._guard:
            account_id, read_at, fields = self._fields.get(account.name, ("", now, ()))
        if account_id == account.account_id and now - read_at < KNOWN_FOR:
            return fields
        fields = tuple(account.crm().deal_fields())
        with self._guard:
            self._fields[account.name] = (account.account_id, now, fields)
        return fields

    def read_at(self, account: Account, step: str) -> datetime | None:
        """When what the page of a step offers was read from the CRM; None where nothing of it is."""
        if step not in FROM_CRM:
            return None
        if step == "fields":
            with self._guard:
                return self._fields[account.name][1] if account.name in self._fields else None
        with self._runtime.store.read() as session:
            row = accounts.get(session, account.name)
        return row.known_at if row is not None else None

    def forget(self, account: Account) -> None:
        """Read all of it anew at its next use."""
        with self._guard:
            self._fields.pop(account.name, None)
        account.forget_known()
