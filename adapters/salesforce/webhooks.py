"""Outbound messages: proof of origin, reading, and the one answer that Salesforce takes for a yes.

An outbound message carries no signature. It is believed when the secret in its address is an account's own and its
organisation id is that account's too; even then it is a hint only, and the record is read again over our own session.
``SessionId`` is empty since February 2026; whatever it holds is never read.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from lxml import etree

from adapters.errors import PayloadError, SignatureError
from adapters.salesforce.mapping import is_id, parse_datetime, same_id, to18
from adapters.signals import BadEvent, Receipt, Reply, Signal, SignalKind, WebhookAccount, WebhookRequest
from workflows.said import Said

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
SOBJECT = "urn:sobject.enterprise.soap.sforce.com"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 16
MAX_NOTIFICATIONS = 100

ACK = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    f'<soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Body>'
    f'<notificationsResponse xmlns="{OUTBOUND}"><Ack>true</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
).encode()

KINDS = {"Opportunity": (SignalKind.DEAL, "006"), "Task": (SignalKind.TASK, "00T")}
"""Vendor type to our kind and the first three characters of its ids; other types are acknowledged and left alone."""

_DECLARED = re.compile(r"""^<\?xml[^>]*?encoding\s*=\s*["']([^"']*)["']""")


def receive(request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Receipt:
    """Verify and parse one outbound message.

    Raises :class:`SignatureError` for a wrong secret or another organisation, :class:`PayloadError` for what is no
    outbound message. One unreadable notification among good ones comes back as a :class:`BadEvent`.
    """
    trusted = _accounts_with(request.secret, accounts)
    notifications = parse_envelope(request.body)
    organisation = _text(notifications, OUTBOUND, "OrganizationId") or ""
    account = next((one for one in trusted if same_id(one.account_id, organisation)), None)
    if account is None:
        raise SignatureError("the secret in the address belongs to another organisation than the one in the message")
    signals: list[Signal] = []
    bad: list[BadEvent] = []
    ignored: Counter[str] = Counter()
    for notification in notifications.iterchildren(f"{{{OUTBOUND}}}Notification"):
        found = _read(notification, account.name, request.received_at)
        if isinstance(found, Signal):
            signals.append(found)
        elif isinstance(found, BadEvent):
            bad.append(found)
        else:
            ignored[found] += 1
    return Receipt(tuple(signals), tuple(bad), dict(ignored), reply=Reply(200, "text/xml; charset=utf-8", ACK))


def _accounts_with(secret: str | None, accounts: Sequence[WebhookAccount]) -> list[WebhookAccount]:
    """Every account that this secret proves. Looks at all of them, so that the time taken tells nothing."""
    given = (secret or "").encode("utf-8", "surrogatepass")
    trusted = []
    for account in accounts:
        for known in account.secrets:
            if hmac.compare_digest(known.encode(), given) and known:
                trusted.append(account)
    if not trusted:
        raise SignatureError("the secret in the address is not one of ours")
    return trusted


def parse_envelope(body: bytes) -> etree._Element:
    """The ``notifications`` element of an outbound message.

    Raises :class:`PayloadError` for anything else. A DOCTYPE is refused before the parser sees it; since only UTF-8 is
    let through, no other encoding can hide one.
    """
    if len(body) > MAX_BYTES:
        raise PayloadError("larger than any outbound message (1 MiB)")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadError("not UTF-8, as Salesforce's outbound messages are") from error
    text = text.removeprefix("\ufeff").lstrip()
    declared = _DECLARED.match(text)
    if declared and declared.group(1).lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise PayloadError("declares an encoding other than UTF-8")
    if re.search(r"<!(doctype|entity|element|attlist|notation)", text, re.IGNORECASE):
        raise PayloadError("carries a document type declaration, which Salesforce never sends")
    return _notifications(_parse(text.encode()))


def _parse(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise PayloadError("not well-formed XML; a Salesforce outbound message was expected") from error
    if root.getroottree().docinfo.doctype:
        raise PayloadError("carries a document type declaration, which Salesforce never sends")
    if any(depth > MAX_DEPTH for depth in _depths(root)):
        raise PayloadError("nested deeper than any outbound message")
    return root


def _depths(root: etree._Element) -> Iterator[int]:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        yield depth


def _notifications(root: etree._Element) -> etree._Element:
    body = root.find(f"{{{SOAP}}}Body") if root.tag == f"{{{SOAP}}}Envelope" else None
    found = None if body is None else body.find(f"{{{OUTBOUND}}}notifications")
    if found is None:
        raise PayloadError("not a Salesforce outbound message; is another service calling this address?")
    if not is_id(_text(found, OUTBOUND, "OrganizationId") or "", "00D"):
        raise PayloadError("an outbound message without an organisation id")
    count = len(found.findall(f"{{{OUTBOUND}}}Notification"))
    if not 1 <= count <= MAX_NOTIFICATIONS:
        raise PayloadError(f"an outbound message with {count} notifications; Salesforce sends 1 to {MAX_NOTIFICATIONS}")
    return found


def _read(notification: etree._Element, account: str, received_at: datetime) -> Signal | BadEvent | str:
    """A signal, or a bad event, or the name of what is left alone."""
    record = notification.find(f"{{{OUTBOUND}}}sObject")
    if record is None or not len(record):
        # So arrives a record that was deleted before delivery; the next poll, which sees deletions, finds it.
        return Said("record without data")
    kind_name = (record.get(f"{{{XSI}}}type") or "").rpartition(":")[2]
    if kind_name not in KINDS:
        return kind_name or Said("record without type")
    kind, prefix = KINDS[kind_name]
    record_id = _text(record, SOBJECT, "Id") or ""
    if not is_id(record_id, prefix):
        return _bad(notification, account, Said("%(kind_name)s without a valid Id", kind_name=kind_name))
    stamp = _text(record, SOBJECT, "SystemModstamp")
    try:
        occurred_at = parse_datetime(stamp) if stamp else received_at
    except ValueError:
        return _bad(notification, account, Said("%(kind_name)s with an unreadable SystemModstamp", kind_name=kind_name))
    pipeline = _text(record, SOBJECT, "RecordTypeId")
    return Signal(
        account=account,
        kind=kind,
        record_id=to18(record_id),
        occurred_at=occurred_at,
        stage_id=_text(record, SOBJECT, "StageName"),
        pipeline_id=to18(pipeline) if pipeline and is_id(pipeline) else None,
    )


def _bad(notification: etree._Element, account: str, reason: str) -> BadEvent:
    """With what an admin needs to find it in Salesforce: ids and type, never values of the record."""
    record = notification.find(f"{{{OUTBOUND}}}sObject")
    found = {"notification": _text(notification, OUTBOUND, "Id")}
    if record is not None:
        found |= {"type": record.get(f"{{{XSI}}}type"), "Id": _text(record, SOBJECT, "Id")}
        found |= {"SystemModstamp": _text(record, SOBJECT, "SystemModstamp")}
    told = (f"{name}={re.sub(r'[^A-Za-z0-9:._+-]', '?', value[:60])}" for name, value in found.items() if value)
    return BadEvent(account, reason, " ".join(told))


def _text(parent: etree._Element, namespace: str, name: str) -> str | None:
    found = parent.find(f"{{{namespace}}}{name}")
    text = None if found is None else (found.text or "").strip()
    return text or None
