"""HubSpot's webhooks: which changes are told, in which shape, how they are signed and how often they are retried."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from sandbox.delivery import Deliveries, Delivery, Target
from sandbox.hubspot.definitions import COMPANY, CONTACT, DEAL, TASK, ObjectType, object_type
from sandbox.hubspot.world import Change
from sandbox.kit import Clock

TRIES, SPREAD = 10, timedelta(hours=24)
DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
    "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
FLAGS = {"creation": "NEW", "deletion": "DELETED", "restore": "RESTORED"}


@dataclass(frozen=True)
class Subscription:
    """One thing that an app wants to hear of. Only ``generic`` ones exist for tasks and notes."""

    id: int
    event: str
    kind: ObjectType
    property_name: str = ""
    shape: Literal["classic", "generic"] = "classic"

    def wants(self, change: Change) -> bool:
        """Whether the change is told to this subscription."""
        if change.kind is not self.kind or change.event != self.event:
            return False
        return self.event != "propertyChange" or self.property_name == change.property

    @property
    def type(self) -> str:
        """The name of the event as HubSpot writes it."""
        hub_event = self.event == "privacyDeletion"
        return f"{'object' if self.shape == 'generic' and not hub_event else self.kind.name}.{self.event}"


def default_subscriptions(shape: Literal["classic", "generic"] = "generic") -> list[Subscription]:
    """What an app that follows renewals asks for; tasks always come in the generic shape."""
    watched = [
        (DEAL, name) for name in ("dealstage", "pipeline", "contract_end_date", "exit_reason", "hubspot_owner_id")
    ]
    watched += [(TASK, name) for name in ("hs_task_status", "hs_timestamp", "hubspot_owner_id")]
    lives = [(DEAL, event) for event in ("creation", "deletion", "restore", "merge")]
    lives += [
        (CONTACT, "deletion"),
        (CONTACT, "privacyDeletion"),
        (CONTACT, "merge"),
        (COMPANY, "merge"),
        (TASK, "deletion"),
    ]
    numbers = itertools.count(4_100_001)

    def made(event: str, kind: ObjectType, name: str = "") -> Subscription:
        return Subscription(next(numbers), event, kind, name, shape if kind.custom else "generic")

    changes = [made("propertyChange", kind, name) for kind, name in watched]
    return [*changes, *(made(event, kind) for kind, event in lives)]


def parse_subscriptions(raw: Sequence[Mapping[str, Any]]) -> list[Subscription]:
    """From JSON: ``{"subscriptionType": "deal.propertyChange", "objectType"?, "propertyName"?}``. Raises ValueError."""
    made = []
    for number, each in enumerate(raw, 4_200_001):
        start, _, event = str(each.get("subscriptionType", "")).partition(".")
        if not event:
            raise ValueError('a subscription needs a "subscriptionType" such as deal.propertyChange')
        generic = start == "object"
        kind = object_type(str(each.get("objectType", "")) if generic else start)
        made.append(
            Subscription(number, event, kind, each.get("propertyName", ""), "generic" if generic else "classic")
        )
    return made


class HubSpotHooks(Deliveries):
    """POSTs JSON arrays of up to 100 events, at most 10 at a time, and tries up to 10 more times over a day.

    Any answer but a success is retried, 4xx as well. Each try is signed afresh, with a new timestamp.
    """

    batch = 100
    timeout = 5.0

    def __init__(
        self, clock: Clock, portal_id: str, *, app_id: int = 1160452, scale: float = 1.0, workers: int = 10
    ) -> None:
        super().__init__(clock, scale=scale, workers=workers)
        self.portal_id, self.app_id = portal_id, app_id
        self.subscriptions = default_subscriptions()
        self._events = random.Random(11)  # noqa: S311 - event ids need not be secret
        self._gaps = random.Random(13)  # noqa: S311 - random spacing, not secrecy

    def hear(self, change: Change) -> None:
        """Queue what the subscriptions want of a change."""
        if self.targets:
            self.publish([self._event(each, change) for each in self.subscriptions if each.wants(change)])

    def write(self, target: Target, delivery: Delivery) -> tuple[bytes, Mapping[str, str]]:
        """The body with this try's number, signed as v1 and v3."""
        events = [{**each, "attemptNumber": delivery.attempt} for each in delivery.items]
        raw = json.dumps(events, separators=(",", ":"), ensure_ascii=False).encode()
        stamp = str(int(self.clock.now().timestamp() * 1000))
        return raw, {
            "Content-Type": "application/json",
            "User-Agent": "HubSpot Webhooks",
            "X-HubSpot-Signature": hashlib.sha256(target.secret.encode() + raw).hexdigest(),
            "X-HubSpot-Signature-Version": "v1",
            "X-HubSpot-Signature-v3": sign_v3(target.secret, "POST", target.url, raw, stamp),
            "X-HubSpot-Request-Timestamp": stamp,
        }

    def gap(self, attempt: int) -> timedelta | None:
        """Random spacing that fits ten retries into a day, short at first."""
        if attempt >= TRIES:
            return None
        share = (attempt + 1) / sum(range(1, TRIES + 1))
        return SPREAD * share * self._gaps.uniform(0.5, 1.0)

    def _event(self, subscription: Subscription, change: Change) -> dict[str, Any]:
        told: dict[str, Any] = {
            "eventId": self._events.randrange(10**9, 4 * 10**9),
            "subscriptionId": subscription.id,
            "portalId": int(self.portal_id),
            "appId": self.app_id,
            "occurredAt": int(change.at.timestamp() * 1000),
            "subscriptionType": subscription.type,
            "attemptNumber": 0,
            "objectId": int(change.id),
            "changeSource": change.source.type,
            "sourceId": change.source.id,
        }
        if subscription.shape == "generic":
            told |= {"objectTypeId": change.kind.id, "isSensitive": False}
        if change.event == "propertyChange":
            told |= {"propertyName": change.property, "propertyValue": change.value}
        elif change.event in FLAGS:
            told["changeFlag"] = FLAGS[change.event]
        return told | dict(change.more)


def sign_v3(secret: str, method: str, url: str, raw: bytes, stamp: str) -> str:
    """Base64 of HMAC-SHA256 over method, URI (some escapes decoded), body and timestamp in milliseconds."""
    text = (method + decoded(url)).encode() + raw + stamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()


def decoded(url: str) -> str:
    """The URI with HubSpot's list of escapes decoded; all others stay."""
    for escape, plain in DECODED.items():
        url = url.replace(escape, plain).replace(escape.lower(), plain)
    return url


def target(url: str, secret: str) -> Target:
    """A place to deliver to. Raises ValueError for what HubSpot would not take, except plain HTTP on loopback."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
        raise ValueError(f"webhooks go to HTTPS, or to this machine; not to {url}")
    return Target(url, secret)
