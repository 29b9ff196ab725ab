"""Outbound messages: who is believed, what is read, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from adapters.errors import PayloadError, SignatureError
from adapters.salesforce.webhooks import ACK, OUTBOUND, SOAP, receive
from adapters.signals import SignalKind, WebhookAccount, WebhookRequest

SECRET = "Zm9vYmFyYmF6cXV4MTIzNA"
NOW = datetime(2026, 11, 21, 9, 15, 5, tzinfo=UTC)
OURS = WebhookAccount("globex", "00D5g00000ABCDE", (SECRET,))
OTHER = WebhookAccount("umbrella", "00D5g00000ZZZZZEA5", ("another-secret-of-24-chars",))
SESSION = "00D5g00000ABCDE!AQ.leaked.session.id"


def record(
    record_id: str = "0065g00000OPP01",
    stage: str = "Not Renewing",
    stamp: str = "2026-11-21T09:15:02.000Z",
    kind: str = "Opportunity",
    extra: str = "",
) -> str:
    stamped = f"<sf:SystemModstamp>{stamp}</sf:SystemModstamp>" if stamp else ""
    return (
        f'<sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{record_id}</sf:Id>'
        f"<sf:Name>Acme &amp; fils</sf:Name><sf:StageName>{stage}</sf:StageName>{stamped}{extra}</sObject>"
    )


def message(*records: str, org: str = "00D5g00000ABCDEEA5", session: str = '<SessionId xsi:nil="true"/>') -> str:
    notifications = "".join(
        f"<Notification><Id>04l5g0000000Nt{number:04}</Id>{each}</Notification>" for number, each in enumerate(records)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{org}</OrganizationId><ActionId>04k5g0000000ActAAA</ActionId>{session}"
        "<EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/66.0/x</EnterpriseUrl>"
        f"<PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/66.0/x</PartnerUrl>{notifications}"
        "</notifications></soapenv:Body></soapenv:Envelope>"
    )


def delivered(body: str | bytes, secret: str | None = SECRET) -> WebhookRequest:
    raw = body.encode() if isinstance(body, str) else body
    url = "https://goodbye.example.com/webhooks/salesforce/x"
    return WebhookRequest("POST", url, {"content-type": "text/xml"}, raw, NOW, secret)


def test_a_moved_opportunity_is_a_signal_with_its_stage_as_a_hint() -> None:
    receipt = receive(delivered(message(record())), [OTHER, OURS])
    (signal,) = receipt.signals
    assert signal.account == "globex"
    assert signal.kind is SignalKind.DEAL
    assert signal.record_id == "0065g00000OPP01AAH"
    assert signal.stage_id == "Not Renewing"
    assert signal.occurred_at == datetime(2026, 11, 21, 9, 15, 2, tzinfo=UTC)


def test_the_answer_is_the_one_that_salesforce_takes_for_a_yes() -> None:
    reply = receive(delivered(message(record())), [OURS]).reply
    assert (reply.status, reply.body) == (200, ACK)
    assert reply.content_type.startswith("text/xml")
    ack = etree.fromstring(reply.body).find(f"{{{SOAP}}}Body/{{{OUTBOUND}}}notificationsResponse/{{{OUTBOUND}}}Ack")
    assert ack.text == "true"


def test_both_spellings_of_the_organisation_id_are_ours() -> None:
    for org in ("00D5g00000ABCDE", "00D5g00000ABCDEEA5"):
        assert receive(delivered(message(record(), org=org)), [OURS]).signals


@pytest.mark.parametrize(
    "secret", [None, "", "wrong-secret-wrong-secret", SECRET[:-1], SECRET + "x", "gehe\u00efm" * 4]
)
def test_a_wrong_secret_is_refused_before_anything_is_read(secret: str | None) -> None:
    with pytest.raises(SignatureError):
        receive(delivered(b"this is not even XML", secret), [OURS, OTHER])


def test_an_account_without_a_secret_believes_nobody() -> None:
    with pytest.raises(SignatureError):
        receive(delivered(message(record()), ""), [WebhookAccount("globex", "00D5g00000ABCDE", ("",))])


def test_while_a_secret_is_being_changed_both_are_good() -> None:
    rotating = WebhookAccount("globex", "00D5g00000ABCDE", ("the-new-secret-of-24-chars", SECRET))
    for secret in rotating.secrets:
        assert receive(delivered(message(record()), secret), [rotating]).signals


@pytest.mark.parametrize("org", ["00D5g00000ZZZZZEA5", "00D5G00000ABCDE", "00D5g00000ABCDF"])
def test_the_secret_of_one_organisation_does_not_open_another(org: str) -> None:
    with pytest.raises(SignatureError):
        receive(delivered(message(record(), org=org)), [OURS, OTHER])


@pytest.mark.parametrize(
    "session", [f"<SessionId>{SESSION}</SessionId>", "<SessionId></SessionId>", '<SessionId xsi:nil="true"/>', ""]
)
def test_a_session_id_is_kept_nowhere(session: str) -> None:
    receipt = receive(delivered(message(record(), record(record_id="nonsense"), session=session)), [OURS])
    assert len(receipt.signals) == 1
    assert SESSION not in repr(receipt)


def test_a_bad_notification_among_good_ones_is_kept_aside() -> None:
    body = message(record(), record(record_id="0015g00000ACC01"), record(stamp="yesterday"), record("0065g00000OPP02"))
    receipt = receive(delivered(body), [OURS])
    assert [signal.record_id[:15] for signal in receipt.signals] == ["0065g00000OPP01", "0065g00000OPP02"]
    assert [bad.reason for bad in receipt.bad] == [
        "Opportunity without a valid Id",
        "Opportunity with an unreadable SystemModstamp",
    ]
    assert all(bad.account == "globex" for bad in receipt.bad)
    assert [bad.excerpt.split() for bad in receipt.bad] == [
        [
            "notification=04l5g0000000Nt0001",
            "type=sf:Opportunity",
            "Id=0015g00000ACC01",
            "SystemModstamp=2026-11-21T09:15:02.000Z",
        ],
        ["notification=04l5g0000000Nt0002", "type=sf:Opportunity", "Id=0065g00000OPP01", "SystemModstamp=yesterday"],
    ], "ids and types, never what people wrote"


def test_a_record_deleted_before_delivery_and_other_types_are_left_alone() -> None:
    gone = '<sObject xsi:nil="true" xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"/>'
    receipt = receive(delivered(message(gone, "", record(kind="Case", record_id="5005g00000CAS01"))), [OURS])
    assert not receipt.signals
    assert not receipt.bad
    assert receipt.ignored == {"record without data": 2, "Case": 1}


def test_without_a_stamp_the_moment_of_arrival_counts() -> None:
    assert receive(delivered(message(record(stamp=""))), [OURS]).signals[0].occurred_at == NOW


def test_a_hundred_notifications_are_read_and_more_are_nobodys() -> None:
    assert len(receive(delivered(message(*[record()] * 100)), [OURS]).signals) == 100
    for number in (0, 101):
        with pytest.raises(PayloadError, match="notifications"):
            receive(delivered(message(*[record()] * number)), [OURS])


DOCTYPE = '<!DOCTYPE x [<!ENTITY a "AAAA"><!ENTITY b SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    "body",
    [
        message(record()).replace("?>", "?>" + DOCTYPE, 1).encode(),
        message(record()).replace("?>", "?>" + DOCTYPE.lower(), 1).encode(),
        message(record()).replace("?>", "?><!--x-->\n\t" + DOCTYPE, 1).encode(),
        message(record()).replace("?>", "?>" + DOCTYPE, 1).encode("utf-16"),
        message(record()).replace("?>", "?>" + DOCTYPE, 1).encode("utf-32"),
        message(record()).replace("UTF-8", "UTF-7").replace("?>", "?>+ADwAIQ-DOCTYPE x>", 1).encode(),
        message(record()).replace("UTF-8", "IBM037").encode("cp037"),
        message(record()).replace("UTF-8", "ISO-8859-1").encode(),
    ],
)
def test_no_document_type_comes_through_in_any_encoding(body: bytes) -> None:
    with pytest.raises(PayloadError):
        receive(delivered(body), [OURS])


def _nested(depth: int) -> str:
    return message(record(extra="<sf:Deep>" + "<sf:a>" * depth + "</sf:a>" * depth + "</sf:Deep>"))


BODIES: dict[str, Any] = {
    "empty": "",
    "no XML": "hello",
    "JSON": '[{"eventId": 1, "subscriptionType": "deal.propertyChange"}]',
    "a cut body": message(record())[:-40],
    "bytes that are no UTF-8": message(record()).encode() + b"\xff",
    "a NUL": message(record()).replace("Acme", "Ac\0me"),
    "an undefined entity": message(record()).replace("Acme", "&b;"),
    "another SOAP message": message(record()).replace("2005/09/outbound", "2006/04/metadata"),
    "no envelope": "<notifications xmlns='http://soap.sforce.com/2005/09/outbound'/>",
    "no organisation": message(record(), org=""),
    "an organisation that is none": message(record(), org="0015g00000ABCDEEA4"),
    "nested 40 deep": _nested(40),
    "nested 5000 deep": _nested(5000),
    "2 MiB": message(record(extra="<sf:Description>" + "x" * 2_000_000 + "</sf:Description>")),
}


@pytest.mark.parametrize("name", BODIES)
def test_what_salesforce_could_not_have_sent_is_refused(name: str) -> None:
    with pytest.raises(PayloadError):
        receive(delivered(BODIES[name]), [OURS])


def test_special_characters_and_a_byte_order_mark_are_read_as_they_are() -> None:
    body = "\ufeff" + message(record(stage="R&amp;D &lt;perdu&gt; — 東京"))
    assert receive(delivered(body), [OURS]).signals[0].stage_id == "R&D <perdu> — 東京"
