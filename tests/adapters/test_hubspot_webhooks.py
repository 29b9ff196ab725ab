from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hubspot.utils.signature import Signature

from adapters.errors import PayloadError, SignatureError
from adapters.hubspot import ADAPTER, webhooks
from adapters.signals import Receipt, SignalKind, WebhookAccount, WebhookRequest

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp() * 1000))
URL = "https://goodbye.example.com/webhooks/hubspot"
SECRET = "client-secret"
ACME = WebhookAccount("acme", "62515", (SECRET,))
OTHER = WebhookAccount("other", "777", ("another-secret",))

CLASSIC = {
    "eventId": 3816279340, "subscriptionId": 25, "portalId": 62515, "appId": 1160452, "occurredAt": 1795000000000,
    "subscriptionType": "deal.propertyChange", "attemptNumber": 0, "objectId": 1246965, "propertyName": "dealstage",
    "propertyValue": "notrenewing", "changeSource": "CRM_UI", "sourceId": "userId:9586504",
}  # fmt: skip
GENERIC = CLASSIC | {"subscriptionType": "object.propertyChange", "objectTypeId": "0-3", "isSensitive": False}


def request(body: bytes, headers: dict[str, str], url: str = URL, at: datetime = NOW) -> WebhookRequest:
    return WebhookRequest("POST", url, headers, body, at)


def signed(body: bytes, *, secret: str = SECRET, url: str = URL, stamp: str = STAMP) -> WebhookRequest:
    signature = webhooks.signature_v3(secret, "POST", url, body, stamp)
    return request(body, {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": stamp}, url)


def receive(*events: Any, accounts: tuple[WebhookAccount, ...] = (ACME,)) -> Receipt:
    return ADAPTER.receive(signed(json.dumps(events).encode()), accounts)


# --- who sent it ----------------------------------------------------------------------------------------------------


def test_our_signatures_are_those_of_the_vendors_own_client() -> None:
    body = '[{"name": "Hélène"}]'
    for version, ours in (
        ("v1", webhooks.signature_v1(SECRET, body.encode())),
        ("v2", webhooks.signature_v2(SECRET, "POST", URL, body.encode())),
        ("v3", webhooks.signature_v3(SECRET, "POST", URL, body.encode(), STAMP)),
    ):
        assert ours == Signature.get_signature(SECRET, body, version, URL, "POST", STAMP)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_older_signatures_are_accepted_where_version_3_is_not_sent(version: str) -> None:
    body = json.dumps([CLASSIC]).encode()
    start = SECRET.encode() + (f"POST{URL}".encode() if version == "v2" else b"")
    headers = {
        "x-hubspot-signature": hashlib.sha256(start + body).hexdigest(),
        "x-hubspot-signature-version": version,
    }
    assert len(ADAPTER.receive(request(body, headers), [ACME]).signals) == 1
    with pytest.raises(SignatureError):
        ADAPTER.receive(request(body + b" ", headers), [ACME])


def test_a_wrong_version_3_signature_is_not_saved_by_a_right_older_one() -> None:
    body = b"[]"
    headers = {
        "x-hubspot-signature-v3": "wrong",
        "x-hubspot-request-timestamp": STAMP,
        "x-hubspot-signature": webhooks.signature_v1(SECRET, body),
        "x-hubspot-signature-version": "v1",
    }
    with pytest.raises(SignatureError, match="client_secret"):
        ADAPTER.receive(request(body, headers), [ACME])


def test_the_address_is_signed_with_hubspots_list_of_escapes_decoded_and_no_other() -> None:
    plain, sent = ":/?@!$'()*,;", "%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B"
    assert webhooks.signed_address(f"https://x.example/{sent}") == f"https://x.example/{plain}"
    assert webhooks.signed_address(f"https://x.example/{sent.lower()}") == f"https://x.example/{plain}"
    assert webhooks.signed_address("https://x.example/%20%26%3D%25") == "https://x.example/%20%26%3D%25"
    assert ADAPTER.receive(signed(b"[]", url=f"{URL}/%40home"), [ACME]).signals == ()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hubspot-signature-v3": "x"},
        {"x-hubspot-signature-v3": "sïgnature\udc80", "x-hubspot-request-timestamp": STAMP},
        {"x-hubspot-signature-v3": "x", "x-hubspot-request-timestamp": "٣" * 13},
        {"x-hubspot-signature-v3": "x", "x-hubspot-request-timestamp": "9" * 400},
        {"x-hubspot-signature-v3": "x", "x-hubspot-request-timestamp": "now"},
        {"x-hubspot-signature": "x", "x-hubspot-signature-version": "v9"},
        {"x-hubspot-signature": "ÿ", "x-hubspot-signature-version": "v1"},
    ],
)
def test_missing_and_garbled_headers_are_refused_and_never_crash(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureError):
        ADAPTER.receive(request(b"[]", headers), [ACME])


@pytest.mark.parametrize(("off", "good"), [(-301, False), (-299, True), (299, True), (301, False), (3600, False)])
def test_a_delivery_counts_five_minutes_either_way(off: int, good: bool) -> None:
    delivery = signed(b"[]", stamp=str(int((NOW + timedelta(seconds=off)).timestamp() * 1000)))
    if good:
        ADAPTER.receive(delivery, [ACME])
    else:
        with pytest.raises(SignatureError, match="five minutes"):
            ADAPTER.receive(delivery, [ACME])


def test_without_any_secret_nothing_is_believed() -> None:
    empty = WebhookAccount("acme", "62515", ("",))
    with pytest.raises(SignatureError):
        ADAPTER.receive(signed(b"[]", secret=""), [empty])
    with pytest.raises(SignatureError):
        ADAPTER.receive(signed(b"[]"), [])


# --- what it says ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [CLASSIC, GENERIC, CLASSIC | {"portalId": "62515"}])
def test_both_shapes_point_at_the_deal_with_its_stage_and_an_aware_time(event: dict[str, Any]) -> None:
    (signal,) = receive(event).signals
    assert (signal.account, signal.kind, signal.record_id) == ("acme", SignalKind.DEAL, "1246965")
    assert signal.stage_id == "notrenewing"
    assert signal.occurred_at == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)


def test_the_type_is_read_under_either_of_its_two_names() -> None:
    event = {name: value for name, value in CLASSIC.items() if name != "subscriptionType"}
    assert len(receive(event | {"eventType": "deal.propertyChange"}).signals) == 1


def test_an_event_that_comes_several_times_in_a_batch_is_one_signal() -> None:
    assert len(receive(CLASSIC, CLASSIC, CLASSIC | {"attemptNumber": 3}).signals) == 1


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"subscriptionType": "deal.creation"}, SignalKind.DEAL),
        ({"subscriptionType": "object.deletion", "objectTypeId": "0-3"}, SignalKind.DEAL),
        ({"subscriptionType": "object.restore", "objectTypeId": "0-3"}, SignalKind.DEAL),
        ({"subscriptionType": "object.propertyChange", "objectTypeId": "0-27"}, SignalKind.TASK),
        ({"subscriptionType": "object.deletion", "objectTypeId": "0-27"}, SignalKind.TASK),
        ({"subscriptionType": "contact.privacyDeletion"}, SignalKind.CONTACT_ERASED),
    ],
)
def test_what_matters_points_at_its_record(change: dict[str, Any], kind: SignalKind) -> None:
    (signal,) = receive(CLASSIC | change).signals
    assert (signal.kind, signal.record_id) == (kind, "1246965")


def test_a_merge_points_at_every_deal_in_it() -> None:
    merge = {"primaryObjectId": 1, "mergedObjectIds": [2, 3], "newObjectId": 4, "numberOfPropertiesMoved": 0}
    event = CLASSIC | merge | {"subscriptionType": "object.merge", "objectTypeId": "0-3", "objectId": 1}
    assert {signal.record_id for signal in receive(event).signals} == {"1", "2", "3", "4"}


def test_a_tick_that_asks_for_an_offboarding_is_heard_and_our_own_taking_it_back_is_not() -> None:
    tick = CLASSIC | {"propertyName": "aurevoir_start_now", "propertyValue": "true"}
    (signal,) = receive(tick).signals
    assert (signal.kind, signal.record_id, signal.stage_id) == (SignalKind.DEAL, "1246965", None)
    assert receive(tick | {"propertyValue": "false"}).signals == ()


def test_what_we_know_and_do_not_need_is_counted_and_so_is_our_own_writing() -> None:
    receipt = receive(
        CLASSIC | {"subscriptionType": "contact.propertyChange"},
        CLASSIC | {"subscriptionType": "contact.deletion"},
        CLASSIC | {"subscriptionType": "contact.deletion"},
        CLASSIC | {"subscriptionType": "conversation.newMessage"},
        GENERIC | {"objectTypeId": "2-3456789"},
        CLASSIC | {"propertyName": "aurevoir_status"},
    )
    assert receipt.signals == ()
    assert receipt.bad == ()
    assert receipt.ignored == {
        "contact.propertyChange": 1,
        "contact.deletion": 2,
        "conversation.newMessage": 1,
        "2-3456789.propertyChange": 1,
        "our own change": 1,
    }


def test_each_event_goes_to_the_account_of_its_own_portal() -> None:
    second = WebhookAccount("globex", "777", (SECRET,))
    receipt = receive(CLASSIC, CLASSIC | {"portalId": 777}, CLASSIC | {"portalId": 999}, accounts=(ACME, second))
    assert [signal.account for signal in receipt.signals] == ["acme", "globex"]
    assert receipt.unknown_accounts == {"999": 1}


def test_a_secret_opens_only_the_accounts_that_have_it() -> None:
    receipt = receive(CLASSIC | {"portalId": 777}, accounts=(ACME, OTHER))
    assert receipt.signals == ()
    assert receipt.unknown_accounts == {"777": 1}


@pytest.mark.parametrize(
    "bad",
    [
        CLASSIC | {"objectId": "1; drop"},
        CLASSIC | {"objectId": True},
        CLASSIC | {"objectId": None},
        CLASSIC | {"occurredAt": "yesterday"},
        CLASSIC | {"occurredAt": 12},
        CLASSIC | {"subscriptionType": 5},
        CLASSIC | {"subscriptionType": "deal"},
        CLASSIC | {"portalId": None},
        CLASSIC | {"propertyValue": "stage\x00"},
        CLASSIC | {"propertyValue": "\ud800"},
        CLASSIC | {"propertyValue": ["a"]},
        GENERIC | {"objectTypeId": None},
        "an event",
        [CLASSIC],
        None,
    ],
)
def test_a_bad_event_is_kept_aside_and_the_good_ones_count(bad: Any) -> None:
    receipt = receive(CLASSIC, bad, CLASSIC | {"objectId": 2})
    assert [signal.record_id for signal in receipt.signals] == ["1246965", "2"]
    (kept,) = receipt.bad
    assert kept.reason
    assert kept.excerpt.isascii()


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "9" * 400, "-" + "9" * 5_000])
def test_a_number_that_no_field_holds_spoils_its_own_event_alone(number: str) -> None:
    good, bad = (
        json.dumps(CLASSIC),
        json.dumps(CLASSIC | {"objectId": 0}).replace('"objectId": 0', '"objectId": ' + number),
    )
    receipt = ADAPTER.receive(signed(f"[{good}, {bad}, {number}]".encode()), [ACME])
    assert [signal.record_id for signal in receipt.signals] == ["1246965"]
    assert len(receipt.bad) == 2


def test_what_is_kept_of_a_bad_event_names_ids_and_no_values() -> None:
    event = CLASSIC | {"occurredAt": None, "propertyName": "email", "propertyValue": "helene@example.com"}
    (kept,) = receive(event).bad
    assert "objectId=1246965" in kept.excerpt
    assert "helene" not in kept.excerpt
    assert kept.account == "acme"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'"text"',
        b"[",
        b"\xff\xfe[\x00]\x00",
        b"\xef\xbb\xbf[]",
        b'["\xed\xa0\x80"]',
        b'["\x00"]',
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 33 + b"]" * 33,
        json.dumps([CLASSIC] * 1_001).encode(),
        b"<?xml version='1.0'?><a/>",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_hubspot_cannot_have_sent_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(PayloadError, match="HubSpot"):
        ADAPTER.receive(signed(body), [ACME])


def test_account_ids_are_compared_as_numbers() -> None:
    assert ADAPTER.same_account("4242", " 4242 ")
    assert not ADAPTER.same_account("4242", "4243")
