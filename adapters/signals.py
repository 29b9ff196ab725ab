"""Webhooks: a delivery as it came, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class WebhookRequest:
    """A delivery as it came in. ``url`` is built from the configured public URL, never from the request's host.

    ``headers`` are lower-case. ``secret`` is the last part of the path where the CRM's endpoint has one.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    secret: str | None = None


@dataclass(frozen=True)
class WebhookAccount:
    """An account that a delivery may be for, with the secrets that prove it; several while one is being rotated."""

    name: str
    account_id: str
    secrets: tuple[str, ...]


class SignalKind(StrEnum):
    """What kind of record a signal points at."""

    DEAL = "deal"
    TASK = "task"
    CONTACT_ERASED = "contact_erased"


@dataclass(frozen=True)
class Signal:
    """Look at this record again. ``account`` is our name of it.

    ``stage_id`` is the deal's stage as the payload has it, or None where it does not say; it is a hint to leave
    uninteresting deals alone, and never acted upon.
    """

    account: str
    kind: SignalKind
    record_id: str
    occurred_at: datetime
    stage_id: str | None = None
    pipeline_id: str | None = None


@dataclass(frozen=True)
class BadEvent:
    """An event of an authentic batch that cannot be read: kept aside, with the reason, for the admin."""

    account: str | None
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Reply:
    """What the sender must be answered once everything is committed."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b"{}"


@dataclass(frozen=True)
class Receipt:
    """A verified delivery. ``ignored`` counts events that we know and do not need, by what they are;
    ``unknown_accounts`` counts events by an account id that is not set up here."""

    signals: tuple[Signal, ...]
    bad: tuple[BadEvent, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    unknown_accounts: Mapping[str, int] = field(default_factory=dict)
    reply: Reply = Reply()
