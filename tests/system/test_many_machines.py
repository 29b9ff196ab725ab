"""``web`` and ``worker`` as processes of their own on one PostgreSQL, as on several machines."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from bench.installation import Installation
from connector import distributed
from connector.store import intents
from connector.store.tables import IntentState
from sandbox.kit import Fault

CREATE = "POST .*/composite$"


@pytest.fixture
def place(postgres_database: str, tmp_path: Path) -> Iterator[Installation]:
    """An installation that is switched on; nothing runs yet."""
    made = Installation("salesforce", tmp_path, database_url=postgres_database)
    try:
        assert "queue of work" in made.command("db", "upgrade").stdout.decode()
        made.command("provision", "--account", "acme")
        yield made
    finally:
        made.close()


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def lines(place: Installation, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (place.folder / name).read_text().splitlines()]


@pytest.mark.timeout(300)
def test_web_receives_workers_work_take_over_from_the_dead_and_finish_before_they_stop(place: Installation) -> None:
    place.point_webhooks()
    place.start("web")
    for _ in range(2):
        place.start_worker()
    deals = place.renewals(6)
    place.rig.sandbox.faults.set(Fault(match=CREATE, delay=1.5, times=None))
    for deal in deals[:5]:
        place.lose(deal)
    wait_for(lambda: is_writing(place, deals))
    killed = next(worker for worker in place.workers if worker.pid == holder(place))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    place.wait_until_settled(deals[:5], seconds=60)
    assert place.differences(deals[:5]) == (0, 0)

    place.lose(deals[5])
    wait_for(lambda: is_writing(place, deals))
    [left] = [worker for worker in place.workers if worker is not killed]
    left.send_signal(signal.SIGTERM)
    assert left.wait(60) == 0
    assert not is_writing(place, deals), "it kept the answer to what it had sent"
    assert place.rig.tasks(deals[5])
    assert place.stop() == 0
    said = [line["event"] for line in lines(place, f"worker{place.workers.index(left)}.log")]
    assert (said.count("working"), said[-1]) == (1, "stopped")
    assert not any("round" in str(line["event"]) for line in lines(place, "web.log")), "web does no work of its own"
    with place.store() as store:
        assert not store.is_held("serve")
        assert not store.is_held("web")


def test_a_nudge_while_the_queue_is_away_is_only_logged(postgres_database: str) -> None:
    engine = distributed.ProcrastinateEngine(make_url(postgres_database).set(database="gone"), {"acme": object()})
    began = time.monotonic()
    engine.nudge("acme")
    assert time.monotonic() - began < distributed.NUDGE_SECONDS + 2, "a request waits for it"
    engine.stop()


def is_writing(place: Installation, deals: list[str]) -> bool:
    """Whether a write was sent whose answer is not kept yet."""
    with place.store() as store, store.read() as session:
        return any(row.state == IntentState.SENT for row in intents.open_for(session, "acme", deals))


def holder(place: Installation) -> int | None:
    """The process that works on the account now: our connections bear its id."""
    query = text(
        "select application_name from pg_stat_activity join pg_locks using (pid) where locktype = 'advisory'"
        " and objsubid = 1 and mode = 'ExclusiveLock'"
        " and (classid::bigint << 32) | objid::bigint = hashtextextended('aurevoir:work-acme', 0)"
    )
    with place.store() as store, store.read() as session:
        name = session.scalar(query)
    return int(name.rpartition(" ")[2]) if name else None
