"""HubSpot's webhook deliveries: who sent them, and what they point at. Pure: nothing is read or stored here.

A delivery is a JSON array of events, signed over the raw body and the address that HubSpot was given; it may hold
events of several accounts. Both shapes are read: classic (``deal.propertyChange``) and generic
(``object.propertyChange`` with ``objectTypeId``).
https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.errors import PayloadError, SignatureError
from adapters.hubspot.mapping import START_NOW
from adapters.signals import BadEvent, Receipt, Signal, SignalKind, WebhookAccount, WebhookRequest
from workflows.said import Said

TOLERANCE_MS = 5 * 60 * 1000
MOST_EVENTS = 1_000
DEEPEST = 32

# HubSpot signs the address with these, and only these, decoded.
_DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
    "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
_ESCAPE = re.compile("|".join(_DECODED), re.IGNORECASE)

_TYPES = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-27": "task"}
_ID = re.compile(r"^\d{1,19}$", re.ASCII)
_TYPE = re.compile(r"^[A-Za-z_]{1,40}\.[A-Za-z_]{1,40}$", re.ASCII)
_EARLIEST, _LATEST = 1_100_000_000_000, 4_100_000_000_000


# --- who sent it ----------------------------------------------------------------------------------------------------


def signed_address(url: str) -> str:
    """The address as HubSpot signs it."""
    return _ESCAPE.sub(lambda found: _DECODED[found[0].upper()], url)


def signature_v3(secret: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    """Base64 of HMAC-SHA256 over method, address, body and timestamp (milliseconds, as text)."""
    source = method.encode() + signed_address(url).encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode()


def signature_v2(secret: str, method: str, url: str, body: bytes) -> str:
    """SHA-256, in hex, over secret, method, address and body."""
    return hashlib.sha256(secret.encode() + method.encode() + url.encode() + body).hexdigest()


def signature_v1(secret: str, body: bytes) -> str:
    """SHA-256, in hex, over secret and body."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def verify_sender(request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> list[WebhookAccount]:
    """The accounts whose secret signed this delivery.

    Version 3 counts when its header is there; the older ones, which cannot be dated, only when it is not. Raises
    SignatureError.
    """
    secrets = list(dict.fromkeys(secret for account in accounts for secret in account.secrets if secret))
    given, expect = _expectation(request)
    good = {secret for secret in secrets if hmac.compare_digest(expect(secret).encode(), given)}
    if not good:
        raise SignatureError(
            "the signature fits none of our HubSpot accounts: check client_secret, and that server.public_url is the "
            "address that HubSpot sends to"
        )
    return [account for account in accounts if good.intersection(account.secrets)]


def _expectation(request: WebhookRequest) -> tuple[bytes, Callable[[str], str]]:
    """The signature that came, and how to make the right one from a secret."""
    headers, method, url, body = request.headers, request.method, request.url, request.body
    if "x-hubspot-signature-v3" in headers:
        timestamp = headers.get("x-hubspot-request-timestamp", "")
        _verify_time(timestamp, request.received_at)
        return _bytes(headers["x-hubspot-signature-v3"]), lambda secret: signature_v3(
            secret, method, url, body, timestamp
        )
    if "x-hubspot-signature" not in headers:
        raise SignatureError("the delivery carries no HubSpot signature")
    given, version = _bytes(headers["x-hubspot-signature"]), headers.get("x-hubspot-signature-version", "v1")
    if version == "v2":
        return given, lambda secret: signature_v2(secret, method, url, body)
    if version == "v1":
        return given, lambda secret: signature_v1(secret, body)
    raise SignatureError("the delivery names a signature version that we do not know: v1, v2 and v3 are known")


def _verify_time(timestamp: str, received_at: datetime) -> None:
    if not re.fullmatch(r"\d{10,16}", timestamp, re.ASCII):
        raise SignatureError("the delivery carries no time in milliseconds")
    off = int(timestamp) - received_at.timestamp() * 1000
    if abs(off) > TOLERANCE_MS:
        side = "ahead of" if off > 0 else "behind"
        raise SignatureError(f"the delivery's time is {abs(off) / 1000:.0f} s {side} our clock: more than five minutes")


def _bytes(header: str) -> bytes:
    """A header to be compared: not every header is ASCII, and a comparison must not fail on that."""
    return header.encode("utf-8", "surrogateescape")


# --- what it says ---------------------------------------------------------------------------------------------------


def receive(request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Receipt:
    """Verify and parse a delivery. Raises SignatureError or PayloadError."""
    signers = verify_sender(request, accounts)
    return parse_events(parse_body(request.body), signers)


def parse_body(body: bytes) -> list[Any]:
    """The events of a body. Raises PayloadError for anything that HubSpot cannot have sent."""
    try:
        events = json.loads(
            body.decode("utf-8"), parse_constant=_no_number, parse_int=_small_int, parse_float=_real_float
        )
    except RecursionError as error:
        raise PayloadError(f"nested deeper than {DEEPEST} levels: HubSpot does not send that") from error
    except ValueError as error:
        raise PayloadError("not JSON in UTF-8: did HubSpot send this?") from error
    if not isinstance(events, list):
        raise PayloadError("not a list of events: did HubSpot send this?")
    if len(events) > MOST_EVENTS:
        raise PayloadError(f"more than {MOST_EVENTS} events at once: HubSpot sends at most 100")
    if _too_deep(events):
        raise PayloadError(f"nested deeper than {DEEPEST} levels: HubSpot does not send that")
    return events


def _no_number(_text: str) -> None:
    """What no field can hold reads as empty: it spoils its own event at most, not the batch around it."""


def _small_int(digits: str) -> int | None:
    return int(digits) if len(digits) <= 20 else None


def _real_float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _too_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            return True
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
    return False


class _BadEventError(Exception):
    """Why an event cannot be read."""


@dataclass
class _Sorted:
    signals: list[Signal] = field(default_factory=list)
    bad: list[BadEvent] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


def parse_events(events: Sequence[Any], signers: Sequence[WebhookAccount]) -> Receipt:
    """What the events of a verified delivery point at, for the accounts whose secret signed it."""
    by_portal = {account.account_id.strip(): account.name for account in signers}
    found = _Sorted()
    for event in events:
        name = None
        try:
            if not isinstance(event, dict):
                raise _BadEventError(Said("an event is not an object"))
            portal = _id(event, "portalId")
            name = by_portal.get(portal)
            if name is None:
                found.unknown[portal] += 1
                continue
            _sort_event(event, name, found)
        except _BadEventError as error:
            found.bad.append(BadEvent(name, str(error), _excerpt(event)))
    signals = tuple(dict.fromkeys(found.signals))
    return Receipt(signals, tuple(found.bad), dict(found.ignored), dict(found.unknown))


def _sort_event(event: Mapping[str, Any], account: str, found: _Sorted) -> None:
    what, action = _type(event)
    if (what, action) == ("contact", "privacyDeletion"):
        found.signals.append(
            Signal(account, SignalKind.CONTACT_ERASED, _id(event, "objectId"), _moment(event, "occurredAt"))
        )
    elif what == "deal" and action in _DEAL_ACTIONS:
        found.signals += _deal_signals(event, action, account, found)
    elif what == "task" and action in ("propertyChange", "deletion", "restore"):
        found.signals.append(Signal(account, SignalKind.TASK, _id(event, "objectId"), _moment(event, "occurredAt")))
    else:
        found.ignored[f"{what}.{action}"] += 1


_DEAL_ACTIONS = ("creation", "deletion", "restore", "merge", "propertyChange")


def _deal_signals(event: Mapping[str, Any], action: str, account: str, found: _Sorted) -> Iterable[Signal]:
    at = _moment(event, "occurredAt")
    if action == "merge":
        ids = [_id(event, name) for name in ("primaryObjectId", "newObjectId") if event.get(name)]
        merged = event.get("mergedObjectIds")
        ids += [_id({"id": each}, "id") for each in merged] if isinstance(merged, list) else []
        ids += [_id(event, "objectId")] if event.get("objectId") or not ids else []
        return [Signal(account, SignalKind.DEAL, each, at) for each in dict.fromkeys(ids)]
    stage = None
    if action == "propertyChange":
        name = _text(event, "propertyName")
        if name.startswith("aurevoir_") and (name, event.get("propertyValue")) != (START_NOW, "true"):
            found.ignored["our own change"] += 1
            return []
        stage = _text(event, "propertyValue") if name == "dealstage" else None
    return [Signal(account, SignalKind.DEAL, _id(event, "objectId"), at, stage)]


def _type(event: Mapping[str, Any]) -> tuple[str, str]:
    """Record and action; documented as ``eventType``, sent as ``subscriptionType``."""
    text = event.get("subscriptionType") or event.get("eventType")
    if not isinstance(text, str) or not _TYPE.match(text):
        raise _BadEventError(Said("no subscriptionType such as deal.propertyChange"))
    what, action = text.split(".")
    if what == "object":
        type_id = event.get("objectTypeId")
        if not isinstance(type_id, str) or not re.fullmatch(r"\d{1,3}-\d{1,12}", type_id, re.ASCII):
            raise _BadEventError(Said("no objectTypeId such as 0-3"))
        what = _TYPES.get(type_id, type_id)
    return what, action


def _id(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _ID.match(text):
        raise _BadEventError(Said("%(name)s is no id", name=name))
    return text


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or len(value) > 1_000 or not value.isprintable():
        raise _BadEventError(Said("%(name)s is no text", name=name))
    return value


def _moment(event: Mapping[str, Any], name: str) -> datetime:
    value = event.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not _EARLIEST < value < _LATEST:
        raise _BadEventError(Said("%(name)s is no time in milliseconds", name=name))
    return datetime.fromtimestamp(value / 1000, UTC)


def _excerpt(event: Any) -> str:
    """What an admin needs to find the event in HubSpot: ids and types, never values."""
    if not isinstance(event, dict):
        return Said("a %(name)s instead of an event", name=type(event).__name__)
    names = ("eventId", "subscriptionId", "portalId", "objectId", "objectTypeId", "occurredAt", "subscriptionType")
    pairs = ((name, str(event[name])) for name in (*names, "eventType", "propertyName") if name in event)
    return " ".join(f"{name}={re.sub(r'[^A-Za-z0-9._-]', '?', value[:60])}" for name, value in pairs)[:400]
