"""Webhooks of the HubSpot sandbox: shapes, signatures, retries."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests
from flask import Flask, request
from hubspot.utils.signature import Signature
from werkzeug.test import TestResponse

from sandbox.hubspot import HubSpotSandbox
from sandbox.hubspot.hooks import decoded, default_subscriptions
from sandbox.kit import Server

Call = Callable[..., TestResponse]
SECRET = "s3cret"


@dataclass
class Receiver:
    """Keeps what is delivered; answers with the statuses given, then 200."""

    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)
    url: str = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, body in self.got for event in json.loads(body)]


@pytest.fixture
def receiver(portal: HubSpotSandbox) -> Iterator[Receiver]:
    kept = Receiver()
    app = Flask("receiver")

    @app.post("/webhooks/hubspot")
    def take() -> tuple[str, int]:
        kept.got.append((dict(request.headers), request.get_data(as_text=True)))
        return "", kept.statuses.pop(0) if kept.statuses else 200

    with Server(app) as server:
        kept.url = f"{server.url}/webhooks/hubspot"
        portal.point_webhooks({"url": kept.url, "secret": SECRET})
        yield kept
        portal.hooks.stop()


def test_a_moved_deal_is_told_in_the_generic_shape(portal: HubSpotSandbox, receiver: Receiver) -> None:
    portal.set_stage("901", "Not renewing")
    assert portal.hooks.settle()
    (event,) = receiver.events
    assert event["subscriptionType"] == "object.propertyChange"
    assert (event["objectTypeId"], event["objectId"], event["portalId"]) == ("0-3", 901, 4242)
    assert (event["propertyName"], event["propertyValue"], event["attemptNumber"]) == ("dealstage", "1004", 0)
    assert (event["changeSource"], event["sourceId"], event["isSensitive"]) == ("CRM_UI", "userId:9586504", False)
    assert abs(event["occurredAt"] / 1000 - portal.clock.now().timestamp()) < 30


def test_a_moved_deal_is_told_in_the_classic_shape_when_subscribed_so(
    portal: HubSpotSandbox, receiver: Receiver
) -> None:
    wanted = [{"subscriptionType": "deal.propertyChange", "propertyName": "dealstage"}]
    portal.point_webhooks({"subscriptions": wanted})
    portal.set_stage("901", "1004")
    portal.hooks.settle()
    (event,) = receiver.events
    assert event["subscriptionType"] == "deal.propertyChange"
    assert "objectTypeId" not in event


def test_a_completed_task_is_told_generically_and_api_writes_say_so(
    portal: HubSpotSandbox, receiver: Receiver, call: Call, new_task: Callable[..., dict[str, Any]]
) -> None:
    portal.hooks.subscriptions = default_subscriptions("classic")
    task = call("POST", "/crm/v3/objects/tasks", new_task()).get_json()["id"]
    call("PATCH", f"/crm/v3/objects/tasks/{task}", {"properties": {"hs_task_status": "COMPLETED"}})
    portal.hooks.settle()
    done = [each for each in receiver.events if each.get("propertyValue") == "COMPLETED"]
    assert [(each["objectTypeId"], each["changeSource"]) for each in done] == [("0-27", "INTEGRATION")]


def test_both_signatures_hold_and_each_try_has_a_fresh_timestamp(portal: HubSpotSandbox, receiver: Receiver) -> None:
    receiver.statuses = [404, 500]
    portal.set_stage("901", "1004")
    assert portal.hooks.settle()
    assert [json.loads(body)[0]["attemptNumber"] for _, body in receiver.got] == [0, 1, 2]
    for headers, body in receiver.got:
        stamp = headers["X-Hubspot-Request-Timestamp"]
        assert Signature.is_valid(
            headers["X-Hubspot-Signature-V3"], SECRET, body, receiver.url, "POST", "v3", timestamp=stamp
        )
        assert headers["X-Hubspot-Signature"] == hashlib.sha256((SECRET + body).encode()).hexdigest()
        assert headers["X-Hubspot-Signature-Version"] == "v1"
    assert len({headers["X-Hubspot-Request-Timestamp"] for headers, _ in receiver.got}) == 3
    assert len({json.loads(body)[0]["eventId"] for _, body in receiver.got}) == 1


def test_ten_retries_and_then_no_more(portal: HubSpotSandbox, receiver: Receiver) -> None:
    receiver.statuses = [401] * 50
    portal.set_stage("901", "1004")
    assert portal.hooks.settle()
    assert len(receiver.got) == 11
    gaps = [portal.hooks.gap(attempt) for attempt in range(11)]
    assert gaps[-1] is None
    assert sum((each for each in gaps if each), timedelta()) <= timedelta(hours=24)


def test_a_redirect_is_not_followed(portal: HubSpotSandbox, receiver: Receiver) -> None:
    receiver.statuses = [302]
    portal.set_stage("901", "1004")
    portal.hooks.settle()
    assert [each.status for each in portal.hooks.log] == [302, 200]


def test_a_hundred_events_at_most_in_a_delivery(portal: HubSpotSandbox, receiver: Receiver) -> None:
    made = portal.seed(
        [{"type": "deals", "properties": {"dealname": f"D{n}", "dealstage": "1001"}} for n in range(130)]
    )
    portal.hooks.paused = True
    for deal_id in made["ids"]:
        portal.set_stage(deal_id, "1004")
    assert portal.hooks.deliver_now() == 2
    sizes = [len(json.loads(body)) for _, body in receiver.got]
    assert sizes == [100, 30]


def test_the_life_of_a_record_is_told(portal: HubSpotSandbox, receiver: Receiver, call: Call) -> None:
    client = portal.app.test_client()
    client.delete("/sandbox/deals/903")
    client.post("/sandbox/deals/903/restore")
    client.post("/sandbox/deals/901/merge", json={"other": "902"})
    client.post("/sandbox/contacts/708/forget")
    portal.hooks.settle()
    told = {each["subscriptionType"]: each for each in receiver.events}
    assert set(told) == {
        "object.deletion",
        "object.restore",
        "object.merge",
        "contact.privacyDeletion",
    }
    assert (told["object.merge"]["primaryObjectId"], told["object.merge"]["mergedObjectIds"]) == (901, [902])
    deletions = [each["objectId"] for each in receiver.events if each["subscriptionType"] == "object.deletion"]
    assert sorted(deletions) == [708, 903]


def test_what_nobody_subscribed_to_is_not_told(portal: HubSpotSandbox, receiver: Receiver, call: Call) -> None:
    call("PATCH", "/crm/v3/objects/deals/901", {"properties": {"dealname": "Other"}})
    assert portal.hooks.pending() == 0
    assert receiver.got == []


def test_seeding_sends_nothing(portal: HubSpotSandbox) -> None:
    portal.point_webhooks({"url": "http://127.0.0.1:9/x", "secret": "", "paused": True})
    portal.seed([{"type": "deals", "properties": {"dealname": "D", "dealstage": "1001"}}])
    assert portal.hooks.pending() == 0


def test_webhooks_go_to_https_or_to_this_machine(portal: HubSpotSandbox) -> None:
    with pytest.raises(ValueError, match="HTTPS"):
        portal.point_webhooks({"url": "http://example.com/x", "secret": ""})


def test_only_hubspots_escapes_are_decoded_before_signing() -> None:
    assert decoded("https://h/a%40b%2Fc%20d%26e%3D%3a") == "https://h/a@b/c%20d%26e%3D:"


def test_the_sandbox_serves_as_a_process_of_its_own_until_interrupted() -> None:
    command = [sys.executable, "-c", "from sandbox.hubspot import serve; serve()"]
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a test run in the background ignores it
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=heed) as process:  # noqa: PLW1509
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        assert requests.get(f"{url}/sandbox/clock", timeout=5).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
