"""Outbound messages: a flow queues a notification, a sender delivers it as SOAP until it is acknowledged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import requests
from lxml import etree

from sandbox.delivery import Deliveries, Delivery, Target
from sandbox.kit import Clock
from sandbox.salesforce.ids import make_id
from sandbox.salesforce.schema import Field
from sandbox.salesforce.values import Row, to_json
from sandbox.salesforce.world import Change, World

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
SOBJECT = "urn:sobject.enterprise.soap.sforce.com"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
FIRST_GAP = timedelta(seconds=30)
LONGEST_GAP = timedelta(hours=2)
GIVE_UP = timedelta(hours=24)

Operator = Literal["EqualTo", "NotEqualTo", "IsNull", "IsChanged"]


@dataclass(frozen=True)
class OutboundMessage:
    """Where a message goes and which fields it carries."""

    name: str
    url: str
    fields: tuple[str, ...]
    action_id: str
    api_version: str = "66.0"


@dataclass(frozen=True)
class FlowFilter:
    """One entry condition of a flow."""

    field: str
    operator: Operator
    value: str | bool | float | None


@dataclass(frozen=True)
class Condition:
    """One condition of a decision, on the record as it is now or as it was before."""

    prior: bool
    test: FlowFilter


@dataclass(frozen=True)
class Decision:
    """What must hold for a flow to go on; ``logic`` as of a flow."""

    conditions: tuple[Condition, ...]
    logic: str

    def holds(self, change: Change) -> bool:
        """Whether this save passes. What a new record was before is nothing."""
        rows = ((each.test, (change.old or {}) if each.prior else change.new) for each in self.conditions)
        return _combine(self.logic, [_holds(test, row, None) for test, row in rows])


@dataclass
class Flow:
    """A record-triggered flow that sends outbound messages.

    ``logic``: ``and``, ``or``, or numbers of filters as in ``1 AND (2 OR 3)``.
    """

    name: str
    filters: tuple[FlowFilter, ...]
    logic: str
    messages: tuple[str, ...]
    on_create: bool = True
    on_update: bool = True
    only_on_change: bool = True
    active: bool = True
    decision: Decision | None = None

    def fires(self, change: Change) -> bool:
        """Whether this save starts the flow."""
        if not (self.on_create if change.old is None else self.on_update):
            return False
        if not self._meets(change.new, change.old) or (self.decision and not self.decision.holds(change)):
            return False
        return not self.only_on_change or change.old is None or not self._meets(change.old, None)

    def _meets(self, row: Row, old: Row | None) -> bool:
        return _combine(self.logic, [_holds(each, row, old) for each in self.filters])


def _combine(logic: str, met: Sequence[bool]) -> bool:
    if logic.lower() in ("and", "or"):
        return (all if logic.lower() == "and" else any)(met) if met else True
    return evaluate_logic(logic, met)


def _holds(entry: FlowFilter, row: Row, old: Row | None) -> bool:
    value = row.get(entry.field)
    match entry.operator:
        case "IsNull":
            return (value is None) is bool(entry.value)
        case "IsChanged":
            return (old is not None and old.get(entry.field) != value) is bool(entry.value)
        case "EqualTo":
            return bool(value == entry.value)
        case "NotEqualTo":
            return bool(value != entry.value)


def evaluate_logic(logic: str, met: Sequence[bool]) -> bool:
    """The value of ``1 AND (2 OR NOT 3)``. Raises ValueError for anything else."""
    tokens = re.findall(r"\d+|\(|\)|\w+|\S", logic)
    at = 0

    def take(*wanted: str) -> bool:
        nonlocal at
        if at < len(tokens) and tokens[at].upper() in wanted:
            at += 1
            return True
        return False

    def term() -> bool:
        nonlocal at
        if take("NOT"):
            return not term()
        if take("("):
            value = either()
            if not take(")"):
                raise ValueError(f"filter logic without its closing bracket: {logic}")
            return value
        if at >= len(tokens) or not tokens[at].isdigit() or not 1 <= int(tokens[at]) <= len(met):
            raise ValueError(f"filter logic names no such filter: {logic}")
        at += 1
        return met[int(tokens[at - 1]) - 1]

    def both() -> bool:
        value = term()
        while take("AND"):
            value = term() and value
        return value

    def either() -> bool:
        value = both()
        while take("OR"):
            value = both() or value
        return value

    result = either()
    if at != len(tokens):
        raise ValueError(f"filter logic not understood: {logic}")
    return result


class Messages(Deliveries):
    """Flows, outbound messages and their delivery. Each message of a flow goes to its own address."""

    batch = 100
    timeout = 60.0

    def __init__(self, world: World, clock: Clock, *, scale: float = 1.0) -> None:
        super().__init__(clock, scale=scale)
        self.world = world
        self.messages: dict[str, OutboundMessage] = {}
        self.flows: dict[str, Flow] = {}
        self.silent_users: set[str] = set()
        self._notifications = 0
        self._actions = 0
        world.listeners.append(self._heard)

    # --- set-up -----------------------------------------------------------------------------------------------------

    def add_message(self, name: str, url: str, fields: Sequence[str], api_version: str = "66.0") -> OutboundMessage:
        """Define an outbound message on opportunities, or change where it goes and what it carries."""
        known = self.messages.get(name)
        if known is None:
            self._actions += 1
        action = known.action_id if known else make_id("04k", self._actions)
        message = OutboundMessage(name, url, tuple(dict.fromkeys(["Id", *fields])), action, api_version)
        self.messages[name] = message
        self.point(*[Target(each.url) for each in self.messages.values()])
        return message

    def remove(self, name: str) -> None:
        """Take an outbound message and what leads to it away."""
        messages = {key: each for key, each in self.messages.items() if key != name}
        self.set_up(messages, {key: flow for key, flow in self.flows.items() if name not in flow.messages})

    def set_up(self, messages: Mapping[str, OutboundMessage], flows: Mapping[str, Flow]) -> None:
        """Replace all messages and flows."""
        self.messages, self.flows = dict(messages), dict(flows)
        self.point(*[Target(each.url) for each in self.messages.values()])

    # --- from a save to a notification ------------------------------------------------------------------------------

    def _heard(self, changes: list[Change]) -> None:
        items = [item for change in changes for item in self._items(change)]
        if items:
            self.publish(items)

    def _items(self, change: Change) -> list[Mapping[str, Any]]:
        gone = change.new.get("IsDeleted") or (change.old or {}).get("IsDeleted")
        if change.sobject != "Opportunity" or gone or change.actor.user_id in self.silent_users:
            return []
        items = []
        for flow in self.flows.values():
            if flow.active and flow.fires(change):
                items += [self._item(name, change) for name in flow.messages if name in self.messages]
        return items

    def _item(self, name: str, change: Change) -> Mapping[str, Any]:
        self._notifications += 1
        late = 0.0 if change.actor.api else self.world.settings.late_visibility
        return {
            "message": name,
            "id": make_id("04l", self._notifications),
            "record": change.new["Id"],
            "not_before": self.clock.now() + timedelta(seconds=late),
        }

    # --- delivery ---------------------------------------------------------------------------------------------------

    def _gather_fresh(self) -> None:
        """Put what is queued into messages of up to a hundred notifications for one address each."""
        items, self._fresh = self._fresh, []
        if self.manners.shuffle:
            self.manners.chance.shuffle(items)
        for name in dict.fromkeys(item["message"] for item in items):
            mine = [item for item in items if item["message"] == name]
            for start in range(0, len(mine), self.batch):
                self._queue(name, tuple(mine[start : start + self.batch]))
        if self.manners.shuffle:
            self.manners.chance.shuffle(self._waiting)

    def _queue(self, name: str, chunk: tuple[Mapping[str, Any], ...]) -> None:
        message = self.messages.get(name)
        if message is None or self.manners.chance.random() < self.manners.drop:
            return
        copies = 2 if self.manners.chance.random() < self.manners.duplicate else 1
        due = max(item["not_before"] for item in chunk)
        for _ in range(copies):
            self._number += 1
            self._waiting.append((Target(message.url, name), Delivery(self._number, chunk, due)))

    def write(self, target: Target, delivery: Delivery) -> tuple[bytes, Mapping[str, str]]:
        """The SOAP envelope, with the records as they are at this moment."""
        message = self.messages.get(target.secret)
        if message is None:
            raise requests.ConnectionError("the outbound message was removed")
        with self.world.lock:
            body = envelope(self.world, message, delivery.items)
        return body, {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "User-Agent": "SFDC Outbound"}

    def accepted(self, response: requests.Response) -> bool:
        """Only HTTP 200 with exactly the acknowledgement counts."""
        return response.status_code == 200 and _acknowledges(response.content)

    def gap(self, attempt: int) -> timedelta | None:
        """30 s, then twice as long each time, at most two hours; given up after a day."""
        waited, gap = timedelta(0), FIRST_GAP
        for _ in range(attempt):
            waited += gap
            gap = min(gap * 2, LONGEST_GAP)
        return gap if waited + gap <= GIVE_UP else None


def _acknowledges(body: bytes) -> bool:
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return False
    path = f"{{{SOAP}}}Body/{{{OUTBOUND}}}notificationsResponse/{{{OUTBOUND}}}Ack"
    return root.tag == f"{{{SOAP}}}Envelope" and (root.findtext(path) or "").strip() == "true"


def envelope(world: World, message: OutboundMessage, items: Sequence[Mapping[str, Any]]) -> bytes:
    """One message. No session id is ever sent; empty fields are left out; a deleted record has no data."""
    root = etree.Element(
        f"{{{SOAP}}}Envelope",
        nsmap={"soapenv": SOAP, "xsd": "http://www.w3.org/2001/XMLSchema", "xsi": XSI},
    )
    top = etree.SubElement(
        etree.SubElement(root, f"{{{SOAP}}}Body"), f"{{{OUTBOUND}}}notifications", nsmap={None: OUTBOUND}
    )
    host = "https://sandbox.my.salesforce.com/services/Soap"
    _add(top, "OrganizationId", world.org_id)
    _add(top, "ActionId", message.action_id)
    etree.SubElement(top, f"{{{OUTBOUND}}}SessionId", {f"{{{XSI}}}nil": "true"})
    _add(top, "EnterpriseUrl", f"{host}/c/{message.api_version}/{world.org_id[:15]}")
    _add(top, "PartnerUrl", f"{host}/u/{message.api_version}/{world.org_id[:15]}")
    for item in items:
        note = etree.SubElement(top, f"{{{OUTBOUND}}}Notification")
        _add(note, "Id", item["id"])
        _add_record(world, note, message, world.live(item["record"]))
    text: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return text


def _add(parent: Any, name: str, text: str) -> None:
    etree.SubElement(parent, f"{{{OUTBOUND}}}{name}").text = text


def _add_record(world: World, note: Any, message: OutboundMessage, row: Row | None) -> None:
    record = etree.SubElement(
        note, f"{{{OUTBOUND}}}sObject", {f"{{{XSI}}}type": "sf:Opportunity"}, nsmap={"sf": SOBJECT}
    )
    if row is None:
        record.set(f"{{{XSI}}}nil", "true")
        return
    sobject = world.schema.objects["Opportunity"]
    for name in message.fields:
        field_ = sobject.find(name)
        if field_ is not None and row.get(field_.name) is not None:
            etree.SubElement(record, f"{{{SOBJECT}}}{field_.name}").text = _text(field_, row[field_.name])


def _text(field_: Field, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if field_.type == "datetime":
        return str(value.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    text = str(to_json(field_, value))
    return re.sub(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]", "", text)
