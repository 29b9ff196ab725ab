"""Clock, ledger, faults, server and deliveries: what both sandboxes stand on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Flask, request

from sandbox.delivery import Deliveries, Delivery, Target
from sandbox.kit import Clock, Fault, Faults, Gate, Ledger, Server, count_records


class Tiny:
    """A CRM of one endpoint that remembers what it was sent."""

    def __init__(self) -> None:
        self.clock, self.ledger, self.faults = Clock(), Ledger(), Faults()
        self.written: list[Any] = []
        self.app = Flask("tiny")
        self.app.post("/api/<thing>")(self.write)
        self.app.add_url_rule("/token", "token", lambda: {"token": "t"}, methods=["POST"])
        self.app.add_url_rule("/", "page", lambda: "page")
        self.app.wsgi_app = Gate(  # type: ignore[method-assign]
            self.app,
            clock=self.clock,
            ledger=self.ledger,
            faults=self.faults,
            api=["/api/"],
            tokens=["/token"],
            error_body=lambda status: ({"vendor": status}, {"Retry-After": "1"}),
        )

    def write(self, thing: str) -> dict[str, str]:
        self.written.append(request.get_json())
        count_records(3)
        return {"thing": thing, "padding": "x" * 500}


@pytest.fixture
def tiny() -> Tiny:
    return Tiny()


@pytest.fixture
def url(tiny: Tiny) -> Iterator[str]:
    with Server(tiny.app) as server:
        yield server.url


def post(url: str) -> requests.Response:
    return requests.post(f"{url}/api/deal", json={"a": 1}, timeout=5)


def test_the_clock_runs_from_where_it_is_set_and_can_be_moved() -> None:
    clock = Clock(datetime(2030, 1, 1, tzinfo=UTC))
    clock.advance(timedelta(days=1))
    assert timedelta(0) <= clock.now() - datetime(2030, 1, 2, tzinfo=UTC) < timedelta(seconds=5)


def test_the_clock_refuses_a_moment_without_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Clock(datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


def test_the_ledger_counts_api_calls_but_neither_pages_nor_tokens(tiny: Tiny, url: str) -> None:
    post(url)
    requests.post(f"{url}/token", timeout=5)
    requests.get(url, timeout=5)
    assert (tiny.ledger.count(), len(tiny.ledger.token_calls)) == (1, 1)
    call = tiny.ledger.calls[0]
    assert (call.method, call.path, call.template, call.status, call.records) == (
        "POST",
        "/api/deal",
        "/api/<thing>",
        200,
        3,
    )


def test_the_ledger_counts_by_the_start_of_path_or_method_and_path(tiny: Tiny, url: str) -> None:
    post(url)
    assert [tiny.ledger.count(each) for each in ("/api", "POST /api", "GET /api", "/other")] == [1, 1, 0, 0]
    tiny.ledger.reset()
    assert tiny.ledger.count() == 0


def test_cut_before_resets_the_connection_and_does_nothing(tiny: Tiny, url: str) -> None:
    tiny.faults.set(Fault("POST /api", cut="before"))
    with pytest.raises(requests.ConnectionError, match="reset"):
        post(url)
    assert tiny.written == []
    assert post(url).status_code == 200, "one fault happens once"


def test_cut_after_does_the_work_and_then_resets_the_connection(tiny: Tiny, url: str) -> None:
    tiny.faults.set(Fault("", cut="after"))
    with pytest.raises(requests.ConnectionError, match="reset"):
        post(url)
    assert len(tiny.written) == 1
    assert (tiny.ledger.calls[0].status, tiny.ledger.calls[0].fault) == (0, "cut after")


def test_truncate_does_the_work_and_sends_half_of_the_answer(tiny: Tiny, url: str) -> None:
    tiny.faults.set(Fault("", cut="truncate"))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        post(url)
    assert len(tiny.written) == 1


def test_a_status_is_answered_with_the_vendors_body_and_nothing_is_done(tiny: Tiny, url: str) -> None:
    tiny.faults.set(Fault("", status=503))
    answer = post(url)
    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (503, {"vendor": 503}, "1")
    assert tiny.written == []


def test_a_status_may_hide_that_the_work_was_done(tiny: Tiny, url: str) -> None:
    tiny.faults.set(Fault("", status=503, done=True))
    assert post(url).status_code == 503
    assert len(tiny.written) == 1


def test_a_cut_write_can_land_late(tiny: Tiny, url: str) -> None:
    tiny.faults.set(Fault("", cut="after", land_late=0.1))
    with pytest.raises(requests.ConnectionError):
        post(url)
    assert tiny.written == []
    deadline = time.monotonic() + 3
    while not tiny.written and time.monotonic() < deadline:
        time.sleep(0.02)
    assert tiny.written == [{"a": 1}]


def test_a_delay_past_the_callers_patience_still_lands(tiny: Tiny, url: str) -> None:
    tiny.faults.set(Fault("", delay=0.3))
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{url}/api/deal", json={"a": 1}, timeout=0.05)
    deadline = time.monotonic() + 3
    while not tiny.written and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(tiny.written) == 1


def test_a_fault_can_wait_for_some_calls_and_hit_a_share_of_them() -> None:
    faults = Faults([Fault("/x", after=2)])
    assert [faults.take("GET", "/x") is not None for _ in range(4)] == [False, False, True, False]
    half = Faults([Fault("/x", share=0.5, times=None)], seed=1)
    hits = sum(half.take("GET", "/x") is not None for _ in range(200))
    assert 70 < hits < 130


@pytest.mark.parametrize("raw", [[], {"status": 500}, {"match": "x", "colour": "red"}, {"match": "x", "cut": "half"}])
def test_a_fault_that_makes_no_sense_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match=r"match|colour|cut"):
        Fault.parse(raw)


class Post(Deliveries):
    """Retries twice, an hour apart; puts the attempt into the body."""

    def write(self, target: Target, delivery: Delivery) -> tuple[bytes, Mapping[str, str]]:
        text = f"{delivery.attempt}:{','.join(str(each['n']) for each in delivery.items)}"
        return text.encode(), {"Content-Type": "text/plain"}

    def gap(self, attempt: int) -> timedelta | None:
        return timedelta(hours=1) if attempt < 2 else None


class Receiver:
    """Takes deliveries; refuses the first ``refusals`` of them."""

    def __init__(self, refusals: int = 0) -> None:
        self.got: list[str] = []
        self.refusals = refusals
        self.app = Flask("receiver")
        self.app.post("/hook")(self.take)

    def take(self) -> tuple[str, int]:
        self.got.append(request.get_data(as_text=True))
        if self.refusals:
            self.refusals -= 1
            return "no", 404
        return "ok", 200


def test_deliveries_gather_items_into_batches() -> None:
    receiver, hooks = Receiver(), Post(Clock())
    hooks.batch = 3
    with Server(receiver.app) as server:
        hooks.targets = [Target(f"{server.url}/hook")]
        hooks.publish([{"n": number} for number in range(5)])
        assert hooks.deliver_now() == 2
    assert receiver.got == ["0:0,1,2", "0:3,4"]


def test_a_refused_delivery_comes_again_when_the_sandboxs_clock_says_so() -> None:
    clock = Clock()
    receiver, hooks = Receiver(refusals=1), Post(clock)
    with Server(receiver.app) as server:
        hooks.point(Target(f"{server.url}/hook"))
        hooks.publish([{"n": 7}])
        assert not hooks.settle(0.3), "the retry waits an hour"
        clock.advance(timedelta(hours=2))
        assert hooks.settle(3)
        hooks.stop()
    assert receiver.got == ["0:7", "1:7"]
    assert [each.accepted for each in hooks.log] == [False, True]


def test_retries_end_and_nothing_listening_counts_as_refused() -> None:
    hooks = Post(Clock(), scale=0)
    with Server(Receiver().app) as server:
        nowhere = server.url
    hooks.point(Target(f"{nowhere}/hook"))
    hooks.publish([{"n": 1}])
    assert hooks.settle(3)
    hooks.stop()
    assert [(each.status, each.error) for each in hooks.log] == [(None, "ConnectionError")] * 3


def test_deliveries_stop_at_once_even_while_they_gather_items() -> None:
    hooks = Post(Clock(), workers=5, gather=0.2)
    hooks.point(Target("http://127.0.0.1:9/hook"))
    hooks.publish([{"n": 1}])
    time.sleep(0.05)
    stopper = threading.Thread(target=hooks.stop, daemon=True)
    stopper.start()
    stopper.join(3)
    assert not stopper.is_alive()
    assert hooks.pending() == 1, "what was not sent stays queued"


def test_deliveries_can_be_doubled_and_dropped() -> None:
    receiver, hooks = Receiver(), Post(Clock())
    with Server(receiver.app) as server:
        hooks.targets = [Target(f"{server.url}/hook")]
        hooks.manners.duplicate = 1.0
        hooks.publish([{"n": 1}])
        hooks.deliver_now()
        hooks.manners.duplicate, hooks.manners.drop = 0.0, 1.0
        hooks.publish([{"n": 2}])
        hooks.deliver_now()
    assert receiver.got == ["0:1", "0:1"]


def test_many_requests_at_once_are_all_answered(url: str) -> None:
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(post(url).status_code)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 20
