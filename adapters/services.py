"""What an adapter is given: where its token is kept, its call budget, the names of the account's own fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from workflows.records import Role


@dataclass(frozen=True)
class FieldMap:
    """Which of the CRM's own fields hold what, by the CRM's names, as the admin set them.

    ``contract_end`` None: the close date. ``figures`` are ``("company"|"deal", field)`` pairs. ``language`` is the
    contact's language field, where the CRM has none of its own. ``roles`` says what a role or label of a contact means,
    by its name in small letters; it goes before what the adapter knows of its CRM's usual names (P-11).
    ``exit_rights`` is the deal's field that says whether its contract is in scope of the exit-rights clock (P-2B), as
    :func:`yes_or_no` reads it.
    """

    contract_end: str | None = None
    exit_reason: str | None = None
    language: str | None = None
    figures: tuple[tuple[str, str], ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    exit_rights: str | None = None

    def of_deal(self) -> list[str]:
        """The deal's fields that a look reads besides its figures."""
        return [name for name in (self.contract_end, self.exit_reason, self.exit_rights) if name]


_YES = frozenset({"true", "yes", "y", "1", "in", "in scope", "oui", "vrai", "concerné", "applicable"})
_NO = frozenset({"false", "no", "n", "0", "out", "out of scope", "non", "faux", "non concerné", "not applicable"})


def yes_or_no(text: str | None) -> bool | None:
    """What a tick box or a choice says, in words of English or French; None for what is empty or none of them."""
    word = " ".join((text or "").replace("_", " ").split()).casefold()
    return True if word in _YES else False if word in _NO else None


@dataclass(frozen=True)
class Token:
    """Credentials as they are cached. ``secrets`` is encrypted at rest; ``facts`` (scopes, instance) is not."""

    secrets: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    saved_at: datetime | None = None
    """Set by the store when it is read."""


class TokenStore(Protocol):
    """Where one account's token is kept, shared by all processes."""

    def load(self) -> Token | None:
        """The newest token, or None."""

    def save(self, token: Token) -> None:
        """Keep ``token``; on return it is on disk."""

    def lock(self) -> AbstractContextManager[None]:
        """Held by whoever refreshes: one at a time over all threads and processes. Read again after taking it."""


class Budget(Protocol):
    """An account's call budget, shared by all processes: a sliding window that stays below the CRM's limit."""

    def take(self, bucket: str, *, limit: int, per_seconds: float) -> None:
        """Claim one call; waits while the wait is short.

        Raises :class:`~adapters.errors.RateLimited` when it would be long.
        """

    def hold(self, bucket: str, until: datetime) -> None:
        """The CRM said to wait: no call in this bucket before ``until``, by any process."""


@dataclass(frozen=True)
class Services:
    """What an adapter may use of the outside: the clock, its token, its budget, and a way to wait.

    ``time_zone`` is the account's (IANA name): where a CRM keeps a moment that stands for a date, or a date that stands
    for a moment, it is read and written there.
    """

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    tokens: TokenStore
    budget: Budget
    time_zone: str = "UTC"
