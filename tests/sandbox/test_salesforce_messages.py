"""Outbound messages: when they go, what they carry, and how often they come again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, request
from lxml import etree

from sandbox.kit import Server
from sandbox.salesforce import Actor, SalesforceSandbox, Settings
from sandbox.salesforce.messages import OUTBOUND, SOBJECT, XSI, evaluate_logic

ACK = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>{}</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
)


class Inbox:
    """Takes deliveries, and answers the next of ``answers`` or an acknowledgement."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answers: list[tuple[int, str]] = []
        self.app = Flask("inbox")
        self.app.add_url_rule("/hook", view_func=self.take, methods=["POST"])
        self._lock = threading.Lock()

    def take(self) -> tuple[str, int, dict[str, str]]:
        with self._lock:
            self.bodies.append(request.get_data())
            status, text = self.answers.pop(0) if self.answers else (200, ACK.format("true"))
        return text, status, {"Content-Type": "text/xml"}

    def notes(self) -> list[dict[str, Any]]:
        """Each notification so far: its id, and the record's fields (None: no data)."""
        found = []
        for body in self.bodies:
            for note in etree.fromstring(body).iter(f"{{{OUTBOUND}}}Notification"):
                record = note.find(f"{{{OUTBOUND}}}sObject")
                fields = {each.tag.removeprefix(f"{{{SOBJECT}}}"): each.text for each in record}
                nil = record.get(f"{{{XSI}}}nil") == "true"
                found.append({"id": note.findtext(f"{{{OUTBOUND}}}Id"), "fields": None if nil else fields})
        return found


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def wired(org: SalesforceSandbox, inbox: Inbox) -> Iterator[SalesforceSandbox]:
    """The organisation sends a message when a deal enters a lost stage; only ``deliver_now`` delivers."""
    org.hooks.paused = True
    with Server(inbox.app) as server:
        org.point_webhooks({"url": f"{server.url}/hook", "stages": ["Closed Lost", "Not Renewing"]})
        yield org


def test_entering_a_watched_stage_sends_the_deal_without_empty_fields_or_session(
    wired: SalesforceSandbox, inbox: Inbox, ids: dict[str, str]
) -> None:
    deal = ids["Bright Harbour – renewal"]
    wired.world.update(deal, {"Type": None, "Name": 'R&D <Müller> "renewal"'})
    wired.set_stage(deal, "Not Renewing")
    assert wired.hooks.deliver_now() == 1
    (note,) = inbox.notes()
    assert note["fields"]["StageName"] == "Not Renewing"
    assert note["fields"]["IsClosed"] == "true"
    assert note["fields"]["Name"] == 'R&D <Müller> "renewal"'
    assert note["fields"]["SystemModstamp"].endswith(".000Z")
    assert "Type" not in note["fields"]
    root = etree.fromstring(inbox.bodies[0])
    assert root.findtext(f".//{{{OUTBOUND}}}OrganizationId") == wired.world.org_id
    assert root.find(f".//{{{OUTBOUND}}}SessionId").get(f"{{{XSI}}}nil") == "true"
    top = root[0][0]
    assert [etree.QName(each).localname for each in top] == [
        "OrganizationId",
        "ActionId",
        "SessionId",
        "EnterpriseUrl",
        "PartnerUrl",
        "Notification",
    ]


def test_a_save_that_stays_in_the_stage_sends_nothing_more(
    wired: SalesforceSandbox, inbox: Inbox, ids: dict[str, str]
) -> None:
    deal = ids["Bright Harbour – renewal"]
    wired.set_stage(deal, "Not Renewing")
    wired.world.update(deal, {"NextStep": "Call"})
    wired.set_stage(deal, "Closed Won")
    wired.world.insert("Task", {"WhatId": deal})
    wired.hooks.deliver_now()
    assert len(inbox.notes()) == 1


def test_the_message_shows_the_record_as_it_is_when_sent(
    wired: SalesforceSandbox, inbox: Inbox, ids: dict[str, str]
) -> None:
    moved, gone = ids["Bright Harbour – renewal"], ids["Foxglove – renewal"]
    wired.set_stage(moved, "Closed Lost")
    wired.set_stage(gone, "Closed Lost")
    wired.set_stage(moved, "Negotiation/Review")
    wired.world.delete(gone)
    wired.hooks.deliver_now()
    first, second = inbox.notes()
    assert first["fields"]["StageName"] == "Negotiation/Review"
    assert second["fields"] is None


@pytest.mark.parametrize("answer", [(500, ""), (200, "OK"), (200, ACK.format("false")), (302, ACK.format("true"))])
def test_anything_but_the_exact_acknowledgement_brings_the_same_notification_again(
    wired: SalesforceSandbox, inbox: Inbox, ids: dict[str, str], answer: tuple[int, str]
) -> None:
    inbox.answers = [answer]
    wired.set_stage(ids["Foxglove – renewal"], "Closed Lost")
    wired.hooks.deliver_now()
    assert wired.hooks.pending() == 1
    wired.hooks.deliver_now()
    assert wired.hooks.pending() == 0
    first, second = inbox.notes()
    assert first["id"] == second["id"]


def test_a_hundred_notifications_go_in_one_message(wired: SalesforceSandbox, inbox: Inbox, ids: dict[str, str]) -> None:
    with wired.world.atomic():
        for number in range(130):
            values = {"Name": f"R{number}", "CloseDate": "2027-01-01", "StageName": "Closed Lost"}
            wired.world.insert("Opportunity", values)
    assert wired.hooks.deliver_now() == 2
    assert sorted(body.count(b"</Notification>") for body in inbox.bodies) == [30, 100]


def test_gaps_double_up_to_two_hours_and_end_within_a_day(org: SalesforceSandbox) -> None:
    gaps = []
    while (gap := org.hooks.gap(len(gaps))) is not None:
        gaps.append(gap)
    assert gaps[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert max(gaps) == timedelta(hours=2)
    assert timedelta(hours=21) < sum(gaps, timedelta(0)) <= timedelta(hours=24)


def test_saves_that_are_taken_back_send_nothing(wired: SalesforceSandbox, ids: dict[str, str], rest: Any) -> None:
    records = [
        {"attributes": {"type": "Opportunity"}, "id": ids["Foxglove – renewal"], "StageName": "Closed Lost"},
        {"attributes": {"type": "Opportunity"}, "id": ids["Delta Robotics – renewal"], "Name": "x" * 200},
    ]
    rest("PATCH", "/composite/sobjects", {"allOrNone": True, "records": records})
    assert wired.hooks.pending() == 0


def test_a_user_without_the_permission_sends_nothing(wired: SalesforceSandbox, ids: dict[str, str]) -> None:
    wired.point_webhooks({"silent_integration": True})
    connector = Actor(wired.integration_user_id, api=True)
    wired.world.update(ids["Foxglove – renewal"], {"StageName": "Closed Lost"}, connector)
    assert wired.hooks.pending() == 0
    wired.set_stage(ids["Bright Harbour – renewal"], "Closed Lost")
    assert wired.hooks.pending() == 1


def test_professional_edition_has_no_outbound_messages() -> None:
    sandbox = SalesforceSandbox(settings=Settings(edition="professional"))
    answer = sandbox.app.test_client().post("/sandbox/webhooks", json={"url": "http://127.0.0.1:1/hook"})
    assert (answer.status_code, answer.get_json()["error"]) == (
        400,
        "outbound messages are not part of Professional Edition: poll instead",
    )


def test_the_background_sender_delivers_by_itself(org: SalesforceSandbox, inbox: Inbox, ids: dict[str, str]) -> None:
    with Server(inbox.app) as server:
        org.point_webhooks({"url": f"{server.url}/hook"})
        org.set_stage(ids["Foxglove – renewal"], "Closed Lost")
        assert org.hooks.settle()
    assert len(inbox.notes()) == 1


@pytest.mark.parametrize(
    ("logic", "met", "expected"),
    [
        ("1 OR 2", [False, True], True),
        ("1 AND (2 OR NOT 3)", [True, False, True], False),
        ("1 OR 2 AND 3", [True, False, False], True),
    ],
)
def test_filter_logic_counts_as_written(logic: str, met: list[bool], expected: bool) -> None:
    assert evaluate_logic(logic, met) is expected


@pytest.mark.parametrize("logic", ["1 OR", "3", "(1", "1 XOR 2", ""])
def test_filter_logic_that_makes_no_sense_is_refused(logic: str) -> None:
    with pytest.raises(ValueError, match="filter logic"):
        evaluate_logic(logic, [True, True])


def test_control_settings_and_troubles_work_over_http(org: SalesforceSandbox, ids: dict[str, str]) -> None:
    client: Callable[..., Any] = org.app.test_client().open
    assert client("/sandbox/settings", method="POST", json={"duplicate_ids": "18"}).get_json()["duplicate_ids"] == "18"
    assert client("/sandbox/settings", method="POST", json={"nope": 1}).status_code == 400
    deal = ids["Foxglove – renewal"]
    moved = client(f"/sandbox/deals/{deal}/stage", method="POST", json={"stage": "Not Renewing"})
    assert moved.status_code == 200
    assert client(f"/sandbox/records/{deal}", method="GET").get_json()["StageName"] == "Not Renewing"
    assert client(f"/sandbox/deals/{deal}/stage", method="POST", json={"stage": "Nope"}).status_code == 400
    seeded = client(
        "/sandbox/seed",
        method="POST",
        json=[
            {"attributes": {"type": "Account"}, "Name": "Seeded"},
            {
                "attributes": {"type": "Opportunity"},
                "Name": "Deal",
                "StageName": "Prospecting",
                "CloseDate": "2027-01-01",
                "AccountId": "@0",
                "at": "2026-01-01T00:00:00+00:00",
            },
        ],
    ).get_json()
    row = client(f"/sandbox/records/{seeded[1]}", method="GET").get_json()
    assert (row["AccountId"], row["CreatedDate"]) == (seeded[0], "2026-01-01T00:00:00.000+0000")
    assert client("/sandbox/dump", method="GET").get_json()["Account"][-1]["Name"] == "Seeded"
    assert org.ledger.count() == 0
