"""Many threads and processes on one database: nothing is lost, nothing overlaps, and trouble passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from sqlalchemy import text

from connector.logging import sieve_by_default
from connector.presence import present
from connector.store import Store, accounts, agenda
from connector.store.agenda import Entry
from connector.store.database import AWAY, Busy

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WINDOW = timedelta(seconds=10)

Outage = Callable[[], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def _plain_log() -> Iterator[None]:
    sieve_by_default()
    yield
    structlog.reset_defaults()


@pytest.fixture
def postgres(postgres_database: str) -> Iterator[Store]:
    """A store on PostgreSQL."""
    made = Store(postgres_database)
    made.upgrade(now=NOW)
    yield made
    made.close()


def together(number: int, work: Callable[[int], object]) -> list[object]:
    """Call it from so many threads at once."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(work, range(number)))


# --- the agenda, the budget -----------------------------------------------------------------------------------------


def test_signals_that_come_while_looks_end_are_never_lost(store: Store) -> None:
    """Whatever the order, a deal whose signal came after its row was read is still on the agenda."""
    deals = [str(number) for number in range(10)]
    unseen: list[str] = []
    for _ in range(5):
        with store.write() as session:
            agenda.put(session, "acme", [Entry(deal, NOW, "first") for deal in deals])
        with store.read() as session:
            rows = agenda.due(session, "acme", NOW, 100)

        def signal_or_end(number: int, rows: object = rows) -> None:
            if number:
                with store.write() as session:
                    agenda.put(session, "acme", [Entry(deal, NOW, "again") for deal in reversed(deals)])
                return
            with store.write() as session:
                for row in rows:  # type: ignore[attr-defined]
                    agenda.looked(session, row, None)

        together(3, signal_or_end)
        with store.read() as session:
            unseen += set(deals) - {row.deal_id for row in agenda.due(session, "acme", NOW, 100)}
    assert unseen == []


def test_deliveries_in_any_order_do_not_deadlock(store: Store) -> None:
    def put(number: int) -> None:
        for _ in range(8):
            order = range(30) if number % 2 else reversed(range(30))
            with store.write() as session:
                agenda.put(session, "acme", [Entry(str(deal), NOW, "webhook") for deal in order])

    together(4, put)
    with store.read() as session:
        rows = agenda.due(session, "acme", NOW, 100)
    assert {row.version for row in rows} == {32}, "each of them was counted"


def test_calls_from_many_processes_stay_within_the_budget_they_share(store: Store) -> None:
    def take(number: int) -> bool:
        with store.write() as session:
            return accounts.take_call(session, "acme", "api", limit=10, window=WINDOW, now=NOW) is None

    assert sum(map(bool, together(16, take))) == 10


def test_rows_that_two_make_at_once_are_one(store: Store) -> None:
    def keep(number: int) -> None:
        with store.write() as session:
            accounts.hold(session, "acme", "api", NOW + timedelta(minutes=number))
            accounts.move_cursor(session, "acme", "deals", str(number), NOW)

    together(8, keep)
    with store.read() as session:
        assert accounts.held_until(session, "acme", "api", NOW) == NOW + timedelta(minutes=7), "the longest wait counts"
        assert accounts.cursor(session, "acme", "deals") is not None


def test_who_has_to_give_way_comes_again_by_itself(postgres: Store) -> None:
    """Two transactions that take the same rows in opposite order: PostgreSQL ends one of them."""
    with postgres.write() as session:
        agenda.put(session, "acme", [Entry("1", NOW, "first"), Entry("2", NOW, "first")])
    meet = threading.Barrier(2)
    tries: list[int] = []

    def cross(number: int) -> None:
        def work(session: object) -> None:
            tries.append(number)
            for n, deal in enumerate(("1", "2") if number else ("2", "1")):
                if n and len(tries) <= 2:
                    meet.wait(5)
                agenda.put(session, "acme", [Entry(deal, NOW, "crossing")])  # type: ignore[arg-type]

        postgres.transaction(work)

    together(2, cross)
    assert len(tries) == 3, "one of them had to come again"
    with postgres.read() as session:
        assert {row.version for row in agenda.due(session, "acme", NOW, 10)} == {3}


# --- locks ----------------------------------------------------------------------------------------------------------


def test_only_one_thread_at_a_time_holds_a_name(store: Store) -> None:
    inside: list[int] = []
    most: list[int] = []

    def hold(number: int) -> None:
        with store.exclusive("work-acme", wait=20):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.01)
            inside.remove(number)

    together(12, hold)
    assert max(most) == 1
    assert len(most) == 12


def test_who_holds_a_name_does_not_get_it_again(store: Store) -> None:
    with store.exclusive("work-acme"), pytest.raises(Busy), store.exclusive("work-acme"):
        pass


def test_it_can_be_seen_that_a_name_is_held(store: Store) -> None:
    assert not store.is_held("serve")
    with store.exclusive("serve"):
        assert store.is_held("serve")
        assert not store.is_held("other")
    assert not store.is_held("serve")


def test_holders_of_locks_leave_the_others_their_connections(postgres: Store) -> None:
    """Were locks on the pool's connections, forty holders would leave none for the work."""

    def hold_and_work(number: int) -> None:
        with postgres.exclusive(f"work-{number}"), postgres.write() as session:
            agenda.put(session, f"account-{number}", [Entry("1", NOW, "test")])

    together(40, hold_and_work)
    with postgres.read() as session:
        assert len(agenda.due_accounts(session, NOW)) == 40


def test_many_hold_a_name_together_and_nobody_alone_meanwhile(postgres: Store) -> None:
    with postgres.shared("serve"), postgres.shared("serve"):
        assert postgres.is_held("serve")
        with pytest.raises(Busy), postgres.exclusive("serve"):
            pass
    with postgres.exclusive("serve"):
        pass


# --- a database that goes away --------------------------------------------------------------------------------------


def test_who_lost_the_lock_writes_no_more(postgres: Store, outage: Outage) -> None:
    """The lock went with its connection, and another may work by now; a fresh connection must not hide that."""
    with postgres.exclusive("work-acme"):
        with outage():
            pass
        assert not postgres.is_held("work-acme")
        with pytest.raises(AWAY), postgres.write():
            pass
    with postgres.write() as session:
        agenda.put(session, "acme", [Entry("1", NOW, "after")])


def test_a_cut_connection_is_replaced_unseen(postgres: Store, outage: Outage) -> None:
    with postgres.read() as session:
        session.execute(text("select 1"))
    with outage(), pytest.raises(AWAY):
        postgres.check()
    postgres.check()


def test_a_process_is_seen_again_after_the_database_was_away(
    postgres: Store, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.presence.LOOK_SECONDS", 0.05)
    with present(postgres, "serve"):
        assert postgres.is_held("serve")
        with outage():
            time.sleep(0.2)
        give_up = time.monotonic() + 5
        while not postgres.is_held("serve"):
            assert time.monotonic() < give_up
            time.sleep(0.02)
    assert not postgres.is_held("serve")


def test_errors_of_the_database_tell_no_values(store: Store) -> None:
    with pytest.raises(Exception, match="no_such_table") as told, store.write() as session:
        session.execute(text("insert into no_such_table values (:name)"), {"name": "Claire Martin"})
    assert "Claire" not in str(told.value)
