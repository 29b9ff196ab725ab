"""Pages that follow long work never hold more of the server's threads than they may."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from connector.web.console_jobs import MOST_FOLLOWED, Job, pieces


@pytest.fixture
def job() -> Iterator[Job]:
    """Work that goes on until the test is over."""
    made = Job(progress=("reading", 3, 9))
    yield made
    made.ended.set()


def page(job: Job) -> Iterator[str]:
    """What a browser gets, piece by piece."""
    return pieces("<main>", "</main>", job, lambda step, done, of: f"{step} {done}/{of}", lambda _job: "END")


def test_a_page_too_many_shows_how_far_the_work_is_and_lets_go_of_its_thread(job: Job) -> None:
    following = [page(job) for _ in range(MOST_FOLLOWED)]
    for one in following:
        next(one)
        assert "reading 3/9" in next(one)
    whole = "".join(page(job))
    assert "reading 3/9" in whole
    assert whole.endswith("</ol></main>")
    job.ended.set()
    assert all("".join(one).endswith("</ol>END</main>") for one in following)


def test_a_page_that_nobody_looks_at_any_more_gives_its_place_back(job: Job) -> None:
    for _ in range(MOST_FOLLOWED + 2):
        left = page(job)
        next(left)
        next(left)
        del left  # the server closes what it cannot deliver
    last = page(job)
    next(last)
    next(last)
    assert next(last) == "\n", "it is still followed, though nothing new is to be told"
    threading.Timer(0.1, job.ended.set).start()
    assert "".join(last).endswith("END</main>")
