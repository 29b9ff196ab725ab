"""What every adapter makes of failures: errors by what is to be done, and nothing secret in them."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import structlog
from conformance_kit import Desk, Rig, Trouble, Where, connect, task

from adapters.errors import (
    AdapterError,
    CredentialsInvalid,
    NotFound,
    Permanent,
    RateLimited,
    Rejected,
    ScopeMissing,
    Unavailable,
)
from adapters.results import Result
from workflows.records import RecordKind, Ref
from workflows.writes import UpdateFields

READING = {
    Trouble.UNAUTHORISED: CredentialsInvalid,
    Trouble.FORBIDDEN: ScopeMissing,
    Trouble.NOT_FOUND: NotFound,
    Trouble.CONFLICT: Permanent,
    Trouble.INVALID: Rejected,
    Trouble.RATE_LONG: RateLimited,
    Trouble.SERVER_ERROR: Unavailable,
    Trouble.TIME_OUT: Unavailable,
    Trouble.RESET_BEFORE: Unavailable,
    Trouble.RESET_AFTER: Unavailable,
    Trouble.TRUNCATED: Unavailable,
    Trouble.BROKEN_JSON: Unavailable,
}
CREATING = {
    Trouble.UNAUTHORISED: Result.AGAIN,
    Trouble.FORBIDDEN: Result.REFUSED,
    Trouble.CONFLICT: Result.REFUSED,
    Trouble.INVALID: Result.REFUSED,
    Trouble.RATE_LONG: Result.AGAIN,
    Trouble.SERVER_ERROR: Result.UNKNOWN,
    Trouble.TIME_OUT: Result.UNKNOWN,
    Trouble.RESET_BEFORE: Result.UNKNOWN,
    Trouble.RESET_AFTER: Result.UNKNOWN,
    Trouble.TRUNCATED: Result.UNKNOWN,
    Trouble.BROKEN_JSON: Result.UNKNOWN,
}
PASSING = [
    Trouble.RATE_SHORT,
    Trouble.SERVER_ERROR,
    Trouble.RESET_BEFORE,
    Trouble.RESET_AFTER,
    Trouble.TRUNCATED,
    Trouble.BROKEN_JSON,
]


@pytest.mark.parametrize("what", READING)
def test_a_read_that_keeps_failing_says_what_to_do(rig: Rig, desk: Desk, what: Trouble) -> None:
    deal_id = rig.add_deal("Deal")
    rig.trouble(what, Where.READ_DEAL, times=None)
    with pytest.raises(READING[what]) as caught:
        desk.crm.observe([deal_id])
    assert caught.value.account == "acme"
    assert caught.value.operation
    assert rig.calls() <= 6


@pytest.mark.parametrize("what", PASSING)
def test_a_read_gets_over_trouble_that_passes(rig: Rig, desk: Desk, what: Trouble) -> None:
    deal_id = rig.add_deal("Deal")
    rig.trouble(what, Where.READ_DEAL, times=2)
    assert desk.crm.observe([deal_id])[deal_id].deal.name == "Deal"
    assert sum(desk.slept) < 60


def test_when_the_crm_says_come_back_late_nobody_waits_and_the_moment_is_told(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Deal")
    rig.trouble(Trouble.RATE_LONG, Where.READ_DEAL, times=None)
    before = rig.now()
    with pytest.raises(RateLimited) as caught:
        desk.crm.observe([deal_id])
    assert caught.value.until - before > timedelta(minutes=10)
    assert rig.now() - before < timedelta(minutes=1)
    assert rig.calls() == 1
    with pytest.raises(RateLimited):
        desk.crm.observe([deal_id])
    assert rig.calls() == 1, "the account's budget remembers, so the CRM is not asked again"


@pytest.mark.parametrize("what", CREATING)
def test_each_failure_of_a_create_has_its_outcome(rig: Rig, desk: Desk, what: Trouble) -> None:
    deal_id = rig.add_deal("Deal")
    rig.trouble(what, Where.CREATE_TASK, times=None)
    before = rig.now()
    (outcome,) = desk.crm.write([task(rig, deal_id, "k")])
    assert outcome.result == CREATING[what]
    assert outcome.reason
    assert outcome.record_id is None
    if what == Trouble.RATE_LONG:
        assert outcome.until is not None
        assert outcome.until - before > timedelta(minutes=10)
    if CREATING[what] == Result.UNKNOWN:
        assert rig.calls() <= 1


def test_a_create_that_was_asked_to_wait_a_moment_is_sent_again(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Deal")
    rig.trouble(Trouble.RATE_SHORT, Where.CREATE_TASK)
    (outcome,) = desk.crm.write([task(rig, deal_id, "k")])
    assert outcome.result == Result.DONE
    assert len(rig.tasks(deal_id)) == 1


@pytest.mark.parametrize("what", [Trouble.SERVER_ERROR, Trouble.RESET_AFTER, Trouble.TRUNCATED])
def test_an_unclear_update_is_unclear_and_may_be_sent_again(rig: Rig, desk: Desk, what: Trouble) -> None:
    deal_id = rig.add_deal("Deal")
    target = Ref(kind=RecordKind.DEAL, id=deal_id)
    update = UpdateFields(key="f", deal_id=deal_id, target=target, values={"status": "active"})
    rig.trouble(what, Where.UPDATE)
    assert [outcome.result for outcome in desk.crm.write([update])] == [Result.UNKNOWN]
    assert [outcome.result for outcome in desk.crm.write([update])] == [Result.DONE]
    assert rig.value(RecordKind.DEAL, deal_id, "status") == "active"


def test_one_part_that_fails_leaves_the_other_parts_their_own_outcome(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Deal")
    target = Ref(kind=RecordKind.DEAL, id=deal_id)
    update = UpdateFields(key="f", deal_id=deal_id, target=target, values={"status": "active"})
    rig.trouble(Trouble.RESET_AFTER, Where.UPDATE)
    outcomes = desk.crm.write([task(rig, deal_id, "k"), update])
    assert outcomes[1].result in (Result.UNKNOWN, Result.DONE)
    assert outcomes[0].result in (Result.UNKNOWN, Result.DONE)
    rig.advance(timedelta(minutes=2))
    assert len(rig.tasks(deal_id)) == 1


def test_a_crm_that_is_not_there_is_unavailable_and_nothing_counts_as_refused(rig: Rig, desk: Desk) -> None:
    deal_id = rig.add_deal("Deal")
    rig.close()
    with pytest.raises(Unavailable):
        desk.crm.observe([deal_id])
    (outcome,) = desk.crm.write([task(rig, deal_id, "k")])
    assert outcome.result in (Result.AGAIN, Result.UNKNOWN)


@pytest.mark.parametrize("what", list(Trouble))
def test_nothing_secret_or_personal_is_in_an_error_or_a_log(
    rig: Rig, what: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    with structlog.testing.capture_logs() as logs:
        desk = connect(rig)
        contact = rig.add_contact("Hélène Garnier", email="someone@example.com")
        deal_id = rig.add_deal("Private name", contact_ids=[contact])
        rig.trouble(what, Where.READ_DEAL, times=None)
        try:
            desk.crm.observe([deal_id])
        except AdapterError as error:
            chain = [error, error.__cause__, None if error.__suppress_context__ else error.__context__]
            said += [f"{each!s} {each!r}" for each in chain if each is not None]
        rig.calm()
        rig.trouble(what, Where.CREATE_TASK, times=None)
        outcomes = desk.crm.write([task(rig, deal_id, "k", subject="Private subject")])
        said += [outcome.reason for outcome in outcomes]
        desk.crm.close()
    said += [str(line) for line in logs] + [
        record.getMessage() for record in caplog.records if record.name[:4] != "werk"
    ]
    everything = "\n".join(said)
    assert said
    for secret in (*rig.secrets, "someone@example.com", "Private name", "Private subject", "Hélène"):
        assert secret not in everything
