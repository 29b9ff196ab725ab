"""Two processes' worth of connector on one account: they never overlap, and trouble of the database passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
import structlog

from connector import distributed
from connector.bootstrap import Runtime, build
from connector.engine import DATABASE_PAUSE_SECONDS
from connector.logging import sieve_by_default
from sandbox.kit import Fault

on_both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def _plain_log() -> Iterator[None]:
    sieve_by_default()
    yield
    structlog.reset_defaults()


@pytest.fixture
def other(system: Any) -> Iterator[Runtime]:
    """All parts a second time, as another process would have them."""
    made = build(system.runtime.settings, adapters=system.runtime.adapters, clock=system.runtime.clock)
    yield made
    made.close()


@on_both
def test_two_rounds_on_one_account_never_overlap(system: Any, other: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    deals = [system.renewal(f"Customer{n} renewal") for n in range(3)]
    system.lose(*deals)
    system.rig.sandbox.faults.set(Fault(match=".*", delay=0.1, times=None))
    start = threading.Barrier(2)

    def work(runtime: Runtime) -> int:
        start.wait(5)
        return runtime.rounds["acme"].run()

    with ThreadPoolExecutor(2) as pool:
        looked = sorted(pool.map(work, (system.runtime, other)))
    system.rig.calm()
    assert looked == [0, 3], "one did it all, the other saw that someone works"
    assert "an account rests" not in caplog.text, "the other did not even begin"
    for deal in deals:
        subjects = [task.subject for task in system.rig.tasks(deal)]
        assert subjects
        assert len(subjects) == len(set(subjects))


@on_postgresql
def test_while_the_database_is_away_senders_are_asked_to_come_again_and_the_work_goes_on_after(
    system: Any, outage: Callable[[], AbstractContextManager[None]]
) -> None:
    deal = system.renewal()
    system.rig.move_deal(deal, system.rig.not_renewing)
    system.signal(deal)
    request = system.rig.delivery([deal], at=system.rig.now())
    path = f"/webhooks/{system.rig.name}" + (f"/{request.secret}" if request.secret else "")
    engine = distributed.ProcrastinateEngine(system.runtime.store.url, system.runtime.accounts)
    with outage():
        answer = system.web.post(path, data=request.body, headers=dict(request.headers))
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert system.runtime.rounds["acme"].run() == 0
        engine.nudge("acme")
        [(subject, well, _)] = system.runtime.ready()
        assert (subject, well) == ("database", False)
    engine.stop()
    assert system.web.post(path, data=request.body, headers=dict(request.headers)).status_code == 200
    time.sleep(DATABASE_PAUSE_SECONDS)
    system.work()
    assert system.rig.tasks(deal)
