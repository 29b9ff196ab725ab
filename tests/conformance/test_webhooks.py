"""What every adapter believes of a delivery, and what it makes of it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from conformance_kit import ACCOUNT, Rig, hook_account

from adapters.errors import SignatureError, WebhookError
from adapters.signals import SignalKind, WebhookAccount

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SOAP = b'<?xml version="1.0"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body/></Envelope>'


def test_a_good_delivery_points_at_its_deals_with_aware_times(rig: Rig) -> None:
    ids = [rig.add_deal("A"), rig.add_deal("B")]
    receipt = rig.adapter.receive(rig.delivery(ids, at=AT), [hook_account(rig)])
    assert [(signal.account, signal.kind, signal.record_id) for signal in receipt.signals] == [
        (ACCOUNT, SignalKind.DEAL, each) for each in ids
    ]
    for signal in receipt.signals:
        assert abs(signal.occurred_at - AT) < timedelta(seconds=1)
        assert signal.occurred_at.utcoffset() == timedelta(0)
        assert signal.stage_id in (rig.not_renewing, None)
    assert receipt.bad == ()
    assert 200 <= receipt.reply.status < 300


def test_both_secrets_count_while_one_is_being_rotated(rig: Rig) -> None:
    deal_id = rig.add_deal("A")
    new = "a-new-secret-of-good-length-0123456789"
    for secret in (rig.webhook_secret, new):
        delivery = rig.delivery([deal_id], at=AT, secret=secret)
        assert len(rig.adapter.receive(delivery, [hook_account(rig, new)]).signals) == 1


def test_another_secret_or_none_is_refused(rig: Rig) -> None:
    deal_id = rig.add_deal("A")
    wrong = rig.delivery([deal_id], at=AT, secret="not-the-secret-but-long-enough-012345")
    bare = dataclasses.replace(rig.delivery([deal_id], at=AT), headers={}, secret=None)
    for delivery in (wrong, bare):
        with pytest.raises(SignatureError):
            rig.adapter.receive(delivery, [hook_account(rig)])


def test_an_account_without_a_secret_believes_nothing(rig: Rig) -> None:
    delivery = rig.delivery([rig.add_deal("A")], at=AT, secret="")
    with pytest.raises(SignatureError):
        rig.adapter.receive(delivery, [WebhookAccount(ACCOUNT, rig.account_id, ())])
    with pytest.raises(SignatureError):
        rig.adapter.receive(delivery, [WebhookAccount(ACCOUNT, rig.account_id, ("",))])


def test_an_altered_body_and_a_stale_or_future_time_are_refused_where_deliveries_are_signed(rig: Rig) -> None:
    if not rig.signs_time:
        pytest.skip("this CRM's deliveries are proven by a secret in the path only")
    deal_id = rig.add_deal("A")
    good = rig.delivery([deal_id], at=AT)
    spoilt = [
        dataclasses.replace(good, body=good.body + b" "),
        dataclasses.replace(good, url=good.url + "/"),
        dataclasses.replace(good, method="PUT"),
        rig.delivery([deal_id], at=AT, received_at=AT + timedelta(minutes=5, seconds=2)),
        rig.delivery([deal_id], at=AT, received_at=AT - timedelta(minutes=5, seconds=2)),
    ]
    for delivery in spoilt:
        with pytest.raises(SignatureError):
            rig.adapter.receive(delivery, [hook_account(rig)])
    late = rig.delivery([deal_id], at=AT, received_at=AT + timedelta(minutes=4, seconds=58))
    assert len(rig.adapter.receive(late, [hook_account(rig)]).signals) == 1


@pytest.mark.parametrize("body", [b"", b"[]]", b"{}", b'{"event": "answer"}', SOAP, b"\xff\xfe\x00", b"<a>" * 50])
def test_another_vendors_payload_is_refused(rig: Rig, body: bytes) -> None:
    delivery = dataclasses.replace(rig.delivery([rig.add_deal("A")], at=AT), body=body)
    with pytest.raises(WebhookError):
        rig.adapter.receive(delivery, [hook_account(rig)])


def test_an_event_of_an_account_that_is_not_set_up_is_acknowledged_and_counted_or_refused(rig: Rig) -> None:
    delivery = rig.delivery([rig.add_deal("A")], at=AT)
    stranger = WebhookAccount("stranger", rig.account_id[:-3] + "ZZZ", (rig.webhook_secret,))
    try:
        receipt = rig.adapter.receive(delivery, [stranger])
    except SignatureError:
        return
    assert receipt.signals == ()
    assert sum(receipt.unknown_accounts.values()) >= 1


def test_ids_of_one_account_are_the_same_account(rig: Rig) -> None:
    assert rig.adapter.same_account(rig.account_id, f" {rig.account_id} ".strip())
    assert not rig.adapter.same_account(rig.account_id, rig.account_id[:-1] + "9")


def test_the_settings_say_which_secrets_prove_a_delivery(rig: Rig) -> None:
    secrets = rig.adapter.webhook_secrets(rig.settings())
    assert rig.webhook_secret in secrets
