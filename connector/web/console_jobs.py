"""Work that an admin started and that takes longer than a page may: rehearsals and switch-ons.

It runs in a thread of this process, and the page that shows it is sent piece by piece while it goes on: no script, no
page that loads itself anew. What came of it is kept in memory for an hour, and nowhere else, since it names customers;
with several web processes, only the one that began it knows of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog
from flask import Response, stream_with_context
from markupsafe import Markup

from adapters.errors import AurevoirError

log = structlog.get_logger(__name__)

KEPT_SECONDS = 3600.0
SHOWN_EVERY_SECONDS = 0.4
MOST_FOLLOWED = 3
"""So many pages follow at once, since each holds a thread of the server; others show how far it is, and end."""
PLACE = "<!-- what is under way -->"
"""Stands in a page where progress and outcome go."""

Tell = Callable[[str, int, int | None], None]
"""Says how far the work is: the step, how much is done, and of how much, where that is known."""

Words = Callable[[str, int, int | None], str]
"""The same in the words of a page."""

_FOLLOWED = threading.BoundedSemaphore(MOST_FOLLOWED)


@dataclass
class Job:
    """One piece of work. ``progress`` is the last that was told; ``outcome`` or ``trouble`` is there when it ended."""

    progress: tuple[str, int, int | None] = ("", 0, None)
    outcome: Any = None
    trouble: str = ""
    ended: threading.Event = field(default_factory=threading.Event)
    ended_at: float = 0.0

    def run(self, work: Callable[[Tell], Any], unknown: str) -> None:
        """Do it; ``unknown`` is what people read when something went wrong that has no words of its own."""
        try:
            self.outcome = work(self._tell)
        except AurevoirError as error:
            self.trouble = str(error)
        except Exception as error:
            log.error("work in the background failed", exc_info=error)
            self.trouble = unknown
        finally:
            self.ended_at = time.monotonic()
            self.ended.set()

    def _tell(self, step: str, done: int, total: int | None = None) -> None:
        self.progress = (step, done, total)


class Jobs:
    """What is under way in this process, and what has just ended, by kind and account."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._jobs: dict[tuple[str, str], Job] = {}

    def start(self, kind: str, account: str, work: Callable[[Tell], Any], unknown: str) -> bool:
        """Begin it, unless the same is under way already; then False."""
        with self._guard:
            now = self._jobs.get((kind, account))
            if now is not None and not now.ended.is_set():
                return False
            job = self._jobs[kind, account] = Job()
        threading.Thread(target=job.run, args=(work, unknown), name=f"{kind} {account}", daemon=True).start()
        return True

    def of(self, kind: str, account: str) -> Job | None:
        """The one under way, or the last that ended within the hour."""
        with self._guard:
            for key, job in list(self._jobs.items()):
                if job.ended.is_set() and job.ended_at + KEPT_SECONDS < time.monotonic():
                    del self._jobs[key]
            return self._jobs.get((kind, account))


def follow(html: str, job: Job | None, words: Words, end: Callable[[Job], str]) -> Response:
    """The page around :data:`PLACE`: with what came of the job, or with its progress as it goes, and then that.

    ``words`` says a progress in the page's language, ``end`` makes the page's part on the outcome.
    """
    before, _, after = html.partition(PLACE)
    if job is None or job.ended.is_set():
        return Response(before + (end(job) if job is not None else "") + after, content_type="text/html; charset=utf-8")

    response = Response(
        stream_with_context(pieces(before, after, job, words, end)), content_type="text/html; charset=utf-8"
    )
    response.headers["X-Accel-Buffering"] = "no"  # a proxy shall pass pieces on as they come
    return response


def pieces(before: str, after: str, job: Job, words: Words, end: Callable[[Job], str]) -> Iterator[str]:
    """The page in pieces: what goes before, the progress of the work as it goes, and, once it ended, the rest."""
    yield before + '<ol class="progress" role="log">'
    follows, told = _FOLLOWED.acquire(blocking=False), ""
    try:
        while True:
            over = job.ended.wait(SHOWN_EVERY_SECONDS)
            now = words(*job.progress) if job.progress[0] else ""
            # a piece each time, if an empty one: that is how we learn that nobody looks any more
            yield str(Markup("<li>{}</li>\n").format(now)) if now and now != told else "\n"
            told = now or told
            if over or not follows:
                break
    finally:
        if follows:
            _FOLLOWED.release()
    yield "</ol>" + (end(job) if job.ended.is_set() else "") + after
