"""Both CRMs' deliveries through the whole receiver: authentic ones are kept, and no other ever leads to 5xx."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.app import create_app
from connector.bootstrap import Adapters, Runtime, build
from connector.config import load
from connector.store.tables import AgendaRow, BadEventRow, TallyRow

CONFIG = """
server: {public_url: "https://goodbye.example.com"}
secret_key: k3y-of-the-test-7Qw9Zx1Lm4Rt8Vb2Ns6
accounts:
  acme:
    crm: hubspot
    account_id: "4242"
    access_token: pat-x
    client_secret: hubspot-secret
    calendar: FR
    watch: [{pipeline: Renewals, not_renewing: Not renewing}]
  globex:
    crm: salesforce
    account_id: 00D5g00000ABCDE
    login_url: https://globex.my.salesforce.com
    client_id: id
    client_secret: secret
    webhook_secret: Zm9yLW91dGJvdW5kLW1lc3NhZ2Vz
    calendar: FR
    watch: [{not_renewing: Closed Lost}]
"""
SALESFORCE = "/webhooks/salesforce/Zm9yLW91dGJvdW5kLW1lc3NhZ2Vz"
EVENT = {
    "eventId": 1, "subscriptionId": 2, "portalId": 4242, "appId": 3, "occurredAt": 1772442000000, "attemptNumber": 0,
    "subscriptionType": "deal.propertyChange", "objectId": 500, "propertyName": "dealstage", "propertyValue": "20",
}  # fmt: skip
MESSAGE = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>
<notifications xmlns="http://soap.sforce.com/2005/09/outbound">
<OrganizationId>00D5g00000ABCDEEA4</OrganizationId><ActionId>04k5g00000AAAAAAAA</ActionId><SessionId xsi:nil="true"/>
<EnterpriseUrl>https://x</EnterpriseUrl><PartnerUrl>https://x</PartnerUrl>
<Notification><Id>04l5g00000AAAAAAAA</Id>
<sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
<sf:Id>0065g00000AAAAAAAA</sf:Id><sf:StageName>Closed Lost</sf:StageName></sObject></Notification>
</notifications></soapenv:Body></soapenv:Envelope>"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder: Path = tmp_path_factory.mktemp("both")
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    adapters = Adapters()
    built = build(load(config, {}, adapters), adapters=adapters)
    built.store.upgrade(now=datetime.now(UTC))
    yield built
    built.close()


@pytest.fixture(scope="module")
def app(runtime: Runtime) -> Flask:
    return create_app(runtime)


@pytest.fixture
def client(runtime: Runtime, app: Flask) -> Any:
    with runtime.store.write() as session:
        for table in (AgendaRow, BadEventRow, TallyRow):
            session.query(table).delete()
    for limiter in app.extensions["limiter"]:
        limiter.reset()
    return app.test_client()


def deals(runtime: Runtime) -> set[tuple[str, str]]:
    with runtime.store.read() as session:
        return {(row.account, row.deal_id) for row in session.query(AgendaRow)}


def signed(body: bytes, *, at: float | None = None, url: str = "https://goodbye.example.com/webhooks/hubspot") -> Any:
    stamp = str(int((at or time.time()) * 1000))
    source = b"POST" + url.encode() + body + stamp.encode()
    seal = base64.b64encode(hmac.new(b"hubspot-secret", source, hashlib.sha256).digest()).decode()
    return {"X-HubSpot-Signature-v3": seal, "X-HubSpot-Request-Timestamp": stamp, "Content-Type": "application/json"}


def test_a_signed_batch_is_on_the_agenda(client: Any, runtime: Runtime) -> None:
    body = json.dumps([EVENT, EVENT | {"objectId": 501}, EVENT | {"portalId": 666}]).encode()
    assert client.post("/webhooks/hubspot", data=body, headers=signed(body)).status_code == 200
    assert deals(runtime) == {("acme", "500"), ("acme", "501")}


@pytest.mark.parametrize("seconds", [-301, 301, -86400, 365 * 86400])
def test_an_old_or_future_batch_is_401(client: Any, runtime: Runtime, seconds: int) -> None:
    body = json.dumps([EVENT]).encode()
    answer = client.post("/webhooks/hubspot", data=body, headers=signed(body, at=time.time() + seconds))
    assert answer.status_code == 401
    assert deals(runtime) == set()


def test_an_outbound_message_is_on_the_agenda_and_gets_its_ack(client: Any, runtime: Runtime) -> None:
    answer = client.post(SALESFORCE, data=MESSAGE.encode(), content_type="text/xml")
    assert answer.status_code == 200
    assert b"<Ack>true</Ack>" in answer.data
    assert answer.content_type.startswith("text/xml")
    assert len(deals(runtime)) == 1


@pytest.mark.parametrize("path", [SALESFORCE[:-1], SALESFORCE + "x", "/webhooks/salesforce", "/webhooks/salesforce/é"])
def test_an_outbound_message_with_another_secret_is_401(client: Any, runtime: Runtime, path: str) -> None:
    assert client.post(path, data=MESSAGE.encode()).status_code == 401
    assert deals(runtime) == set()


def test_an_outbound_message_of_another_organisation_is_401(client: Any, runtime: Runtime) -> None:
    body = MESSAGE.replace("00D5g00000ABCDEEA4", "00D5g00000XXXXXEAQ").encode()
    assert client.post(SALESFORCE, data=body).status_code == 401
    assert deals(runtime) == set()


ODD_JSON = [
    b"", b"{}", b"null", b"[1]", b"[[]]", b"[" * 100_000, b"[{}]", b"\xef\xbb\xbf[]", "[]".encode("utf-16"), b"\xff",
    b'[{"portalId": NaN}]', b'["\\ud800"]', b"[{\"objectId\": " + b"9" * 5000 + b"}]", b'[{"portalId":1,"portalId":2}]',
    json.dumps([EVENT | {"objectId": 2**70}]).encode(), json.dumps([EVENT | {"objectId": "a\x00"}]).encode(),
    json.dumps([EVENT | {"occurredAt": -1}]).encode(), json.dumps([EVENT | {"portalId": [4242]}]).encode(),
    json.dumps([EVENT | {"propertyValue": "\ud800"}]).encode(), json.dumps([EVENT | {"subscriptionType": {}}]).encode(),
]  # fmt: skip
LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
ODD_XML = [
    b"", b"<", b"<a/>", b"\x00", "<a/>".encode("utf-16"), MESSAGE.encode()[:-30], b"<a>" * 50_000,
    (LAUGHS + MESSAGE.partition("?>")[2]).encode(), MESSAGE.replace("0065g", "&x;").encode(),
    MESSAGE.replace("UTF-8", "x-unknown").encode(), MESSAGE.replace("0065g00000AAAAAAAA", "\x01").encode(),
    MESSAGE.replace("Closed Lost", "&#xD800;").encode(), MESSAGE.replace("sf:Id", "sf:Other").encode(),
]  # fmt: skip


@pytest.mark.parametrize("body", ODD_JSON, ids=range(len(ODD_JSON)))
def test_odd_json_never_leads_to_5xx_signed_or_not(client: Any, runtime: Runtime, body: bytes) -> None:
    assert client.post("/webhooks/hubspot", data=body).status_code == 401
    assert client.post("/webhooks/hubspot", data=body, headers=signed(body)).status_code < 500
    assert deals(runtime) <= {("acme", "500")}


@pytest.mark.parametrize("body", ODD_XML, ids=range(len(ODD_XML)))
def test_odd_xml_never_leads_to_5xx_and_leaves_no_deal(client: Any, runtime: Runtime, body: bytes) -> None:
    assert client.post("/webhooks/salesforce/nope", data=body).status_code in (400, 401)
    assert client.post(SALESFORCE, data=body).status_code < 500
    assert len(deals(runtime)) <= 1


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 2000), value=st.integers(0, 255))
def test_one_changed_byte_of_a_delivery_never_leads_to_5xx(client: Any, position: int, value: int) -> None:
    batch, message = bytearray(json.dumps([EVENT]).encode()), bytearray(MESSAGE.encode())
    batch[position % len(batch)], message[position % len(message)] = value, value
    assert client.post("/webhooks/hubspot", data=bytes(batch), headers=signed(bytes(batch))).status_code < 500
    assert client.post(SALESFORCE, data=bytes(message)).status_code < 500
