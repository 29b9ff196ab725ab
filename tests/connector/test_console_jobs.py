"""Work that an admin started: every process shows how far it is, and whether it still goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from adapters.errors import ConfigError, Fault
from connector.jobs import SILENT, Job, Jobs
from connector.rehearsal import Rehearsal
from connector.store import Store
from connector.store.jobs import REHEARSAL, forget_ended
from connector.vault import Vault
from connector.web.console_jobs import MOST_FOLLOWED, pieces
from workflows.plan import PlannedStep
from workflows.rehearsal import Rehearsed

SECRET = "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-jobs"


@dataclass
class HandClock:
    """Moved by hand."""

    at: datetime = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class House:
    """Two processes on one database, as far as jobs go."""

    url: str
    clock: HandClock = field(default_factory=HandClock)
    stores: list[Store] = field(default_factory=list)

    def process(self) -> Jobs:
        store = Store(self.url)
        store.upgrade(now=self.clock.now())
        self.stores.append(store)
        return Jobs(store, Vault([SECRET]), {"count": lambda: TypeAdapter(list[int])}, self.clock)


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    on_file = request.param == "sqlite"
    made = House(f"sqlite:///{tmp_path / 'a.db'}" if on_file else request.getfixturevalue("postgres_database"))
    yield made
    for store in made.stores:
        store.close()


def wait_for(found: Callable[[], Any]) -> Any:
    """What comes of a thread, soon."""
    pause = threading.Event()
    for _ in range(200):
        if value := found():
            return value
        pause.wait(0.02)
    raise AssertionError("it did not come")


def ended(jobs: Jobs) -> Job | None:
    job = jobs.of("count", "acme")
    return job if job is not None and job.ended else None


def test_another_process_shows_how_far_the_work_is_and_what_came_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.jobs.BEAT_SECONDS", 0.02)
    here, there = house.process(), house.process()
    go_on = threading.Event()

    def work(tell: Any) -> list[int]:
        tell("counting", 3, 9)
        go_on.wait(10)
        return [1, 2, 3]

    assert here.start("count", "acme", work, "unknown")
    job = wait_for(lambda: (found := there.of("count", "acme")) and found.progress[0] and found)
    assert job.progress == ("counting", 3, 9)
    assert not there.start("count", "acme", work, "unknown"), "it is under way"
    go_on.set()
    job = wait_for(lambda: ended(there))
    assert (job.outcome, job.trouble, job.interrupted) == ([1, 2, 3], "", False)
    with house.stores[0].engine.connect() as connection:
        (kept,) = connection.exec_driver_sql("select outcome from jobs").one()
    assert kept.startswith("v1:"), "it names customers, and is sealed"
    house.clock.sleep(3601)
    assert there.of("count", "acme") is None


def test_work_of_a_process_that_died_is_shown_as_interrupted_and_may_be_begun_again(house: House) -> None:
    here, there = house.process(), house.process()
    dead = threading.Event()
    here.start("count", "acme", lambda _tell: dead.wait(20) and [], "unknown")
    house.clock.sleep(SILENT.total_seconds() + 1)
    job = there.of("count", "acme")
    assert job is not None
    assert (job.ended, job.interrupted) == (True, True)
    assert there.start("count", "acme", lambda _tell: [7], "unknown")
    assert wait_for(lambda: ended(there)).outcome == [7]
    dead.set()  # the one believed dead ends after all: it has no say any more
    for thread in threading.enumerate():
        if thread.name == "count acme":
            thread.join(10)
    job = there.of("count", "acme")
    assert job is not None
    assert job.outcome == [7]


def test_what_went_wrong_is_kept_in_words(house: House) -> None:
    jobs = house.process()

    def refused(_tell: Any) -> list[int]:
        raise ConfigError([Fault("accounts.acme.watch", "[]", "no stages are chosen yet")])

    def broken(_tell: Any) -> list[int]:
        raise RuntimeError("secret detail")

    jobs.start("count", "acme", refused, "unknown")
    assert "no stages are chosen yet" in wait_for(lambda: ended(jobs)).trouble
    jobs.start("count", "acme", broken, "Something went wrong here.")
    assert wait_for(lambda: ended(jobs)).trouble == "Something went wrong here."


def test_an_outcome_that_another_version_kept_is_lost_and_breaks_no_page(house: House) -> None:
    jobs = house.process()
    jobs.start("count", "acme", lambda _tell: [1, 2], "unknown")
    assert not wait_for(lambda: ended(jobs)).lost
    newer = Jobs(house.stores[0], Vault([SECRET]), {"count": lambda: TypeAdapter(dict[str, int])}, house.clock)
    job = newer.of("count", "acme")
    assert job is not None
    assert (job.lost, job.outcome) == (True, None)
    assert newer.start("count", "acme", lambda _tell: {"a": 1}, "unknown"), "it may be begun again"
    assert wait_for(lambda: ended(newer)).outcome == {"a": 1}


def test_a_rehearsal_that_goes_on_while_somebody_is_erased_leaves_nothing(house: House) -> None:
    house.process()
    shapes = dict.fromkeys((REHEARSAL, "count"), lambda: TypeAdapter(list[int]))
    jobs, go_on = Jobs(house.stores[0], Vault([SECRET]), shapes, house.clock), threading.Event()
    before = set(threading.enumerate())
    for kind in shapes:
        assert jobs.start(kind, "acme", lambda _tell: [7] if go_on.wait(10) else [], "unknown")
    with house.stores[0].write() as session:
        forget_ended(session, "acme")
    assert jobs.of(REHEARSAL, "acme") is None
    assert not jobs.start("count", "acme", lambda _tell: [], "unknown"), "other work goes on, and once"
    go_on.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert jobs.of(REHEARSAL, "acme") is None
    assert wait_for(lambda: ended(jobs)).outcome == [7]


def test_a_rehearsal_of_a_thousand_deals_is_kept_small_and_comes_back_whole(tmp_path: Path) -> None:
    step = PlannedStep(key="call", rule="call", title="Call them", body="", owner_id="u1", due_at=HandClock().at)
    deals = tuple(Rehearsed(deal_id=str(n), ended_at=HandClock().at, steps=(step,) * 35) for n in range(1000))
    day = HandClock().at.date()
    made = Rehearsal("acme", "hubspot", day, day, HandClock().at, "Europe/Paris", "en", deals, {})
    store = Store(f"sqlite:///{tmp_path / 'a.db'}")
    jobs = Jobs(store, Vault([SECRET]), {REHEARSAL: lambda: TypeAdapter(Rehearsal)}, HandClock())
    began = time.process_time()
    kept = jobs.seal(REHEARSAL, "acme", made)
    assert len(kept) < 3_000_000
    assert jobs.opened(REHEARSAL, "acme", kept) == made
    assert time.process_time() - began < 4, "both together take less than a second where nothing else runs"
    store.close()


# --- pages that follow it -------------------------------------------------------------------------------------------


@dataclass
class Under:
    """Work that goes on until the test says that it is over."""

    job: Job = field(default_factory=lambda: Job(datetime(2026, 11, 23, tzinfo=UTC), ("reading", 3, 9)))

    def end(self) -> None:
        self.job = Job(self.job.begun_at, self.job.progress, ended=True)

    def page(self) -> Iterator[str]:
        """What a browser gets, piece by piece."""
        words = lambda step, done, of: f"{step} {done}/{of}"  # noqa: E731
        return pieces("<main>", "</main>", self.job, lambda: self.job, words, lambda _job: "END")


@pytest.fixture
def under(monkeypatch: pytest.MonkeyPatch) -> Under:
    monkeypatch.setattr("connector.web.console_jobs.SHOWN_EVERY_SECONDS", 0.01)
    return Under()


def test_a_page_too_many_shows_how_far_the_work_is_and_lets_go_of_its_thread(under: Under) -> None:
    following = [under.page() for _ in range(MOST_FOLLOWED)]
    for one in following:
        next(one)
        assert "reading 3/9" in next(one)
    whole = "".join(under.page())
    assert "reading 3/9" in whole
    assert whole.endswith("</ol></main>")
    under.end()
    assert all("".join(one).endswith("</ol>END</main>") for one in following)


def test_a_page_tells_when_the_work_that_it_follows_is_gone(under: Under) -> None:
    job = under.job
    shown = pieces("<main>", "</main>", job, lambda: None, lambda *_: "", lambda gone: f"lost: {gone.lost}")
    assert "".join(shown).endswith("</ol>lost: True</main>")


def test_a_page_that_nobody_looks_at_any_more_gives_its_place_back(under: Under) -> None:
    for _ in range(MOST_FOLLOWED + 2):
        left = under.page()
        next(left)
        next(left)
        del left  # the server closes what it cannot deliver
    last = under.page()
    next(last)
    next(last)
    assert next(last) == "\n", "it is still followed, though nothing new is to be told"
    threading.Timer(0.1, under.end).start()
    assert "".join(last).endswith("END</main>")
