"""Errors by what the caller should do, not by cause.

:class:`ConfigError` carries every fault at once. :class:`WebhookError` says why a delivery is refused.
:class:`AdapterError` says whether to come back (:class:`Retryable`) or to stop and tell someone (:class:`Permanent`).
None of them ever carries a secret or a body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workflows.said import Said


class AurevoirError(Exception):
    """Base of all our errors."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong in the configuration: where, what was seen, and what would be right."""

    key: str
    value: str
    cure: str

    def __str__(self) -> str:
        seen = f" = {self.value}" if self.value else ""
        return f"{self.key}{seen}: {self.cure}"


class ConfigError(AurevoirError):
    """The configuration cannot be used. ``faults`` holds all of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class WebhookError(AurevoirError):
    """A delivery that is refused; nothing of it is stored."""


class SignatureError(WebhookError):
    """Not from the CRM, or too old: answer 401."""


class PayloadError(WebhookError):
    """Nothing that the CRM could have sent: answer 400."""


class AdapterError(AurevoirError):
    """A call to the CRM failed. ``correlation_id`` is the CRM's own, for its support."""

    def __init__(
        self,
        message: str,
        *,
        account: str = "",
        operation: str = "",
        status: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        self.account = account
        self.operation = operation
        self.status = status
        self.correlation_id = correlation_id
        self.details: list[str] = []
        """What only someone who looks into the CRM can use."""
        if operation:
            self.details.append(Said("operation %(name)s", name=operation))
        if status is not None:
            self.details.append(Said("status %(number)d", number=status))
        if correlation_id:
            self.details.append(Said("correlation id %(id)s", id=correlation_id))
        super().__init__(", ".join([message, *self.details]))
        self.message = message


class Retryable(AdapterError):
    """Nothing is wrong with the request: come back later."""


class RateLimited(Retryable):
    """The CRM or our own budget refused, and nothing was done. Come back at ``until`` (aware)."""

    def __init__(
        self,
        message: str,
        *,
        until: datetime,
        account: str = "",
        operation: str = "",
        status: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message, account=account, operation=operation, status=status, correlation_id=correlation_id)
        self.until = until


class Unavailable(Retryable):
    """The CRM did not answer a read, or said that it cannot now."""


class OutcomeUnknown(Retryable):
    """A write ended without a clear answer: it may or may not have happened."""


class Permanent(AdapterError):
    """Repeating will not help; someone has to act."""


class CredentialsInvalid(Permanent):
    """The CRM no longer accepts our credentials: stop calling until someone reconnects."""


class ConsentEnded(CredentialsInvalid):
    """The consent given in the browser was revoked, or the app uninstalled: someone has to connect the account anew."""


class ConsentTrouble(StrEnum):
    """Why connecting an account in the browser did not work, by what the admin should do."""

    DENIED = "denied"
    NOT_INSTALLED = "not installed"
    SCOPES = "scopes"
    CODE = "code"
    REDIRECT = "redirect"
    APP = "app"
    OTHER = "other"


class ConsentRefused(Permanent):
    """The CRM did not let an account be connected in the browser."""

    def __init__(self, trouble: ConsentTrouble, message: str, *, account: str = "", status: int | None = None) -> None:
        super().__init__(message, account=account, operation="connect", status=status)
        self.trouble = trouble


class ScopeMissing(Permanent):
    """The credentials lack a scope or permission. ``scopes`` names them where the CRM does."""

    def __init__(
        self,
        message: str,
        *,
        scopes: Sequence[str] = (),
        account: str = "",
        operation: str = "",
        status: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message, account=account, operation=operation, status=status, correlation_id=correlation_id)
        self.scopes = tuple(scopes)


class NotFound(Permanent):
    """The record or endpoint does not exist."""


class Rejected(Permanent):
    """The CRM refused the content. ``field`` names the property where the CRM does."""

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        account: str = "",
        operation: str = "",
        status: int | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message, account=account, operation=operation, status=status, correlation_id=correlation_id)
        self.field = field


class Unsupported(Permanent):
    """This CRM cannot do that; its capabilities say so."""
