"""Pages that follow work which takes longer than a page may (:mod:`connector.jobs`).

They are sent piece by piece while it goes on: no script, no page that loads itself anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from flask import Response, stream_with_context
from markupsafe import Markup

from connector.jobs import Job
from connector.web import languages

SHOWN_EVERY_SECONDS = 0.4
MOST_FOLLOWED = 3
"""So many pages follow at once, since each holds a thread of the server; others show how far it is, and end."""
PLACE = "<!-- what is under way -->"
"""Stands in a page where progress and outcome go."""

Words = Callable[[str, int, int | None], str]
"""How far it is, in the words of a page."""
Look = Callable[[], Job | None]
"""The work as it stands now."""

_FOLLOWED = threading.BoundedSemaphore(MOST_FOLLOWED)


def follow(html: str, look: Look, words: Words, end: Callable[[Job], str]) -> Response:
    """The page around :data:`PLACE`: with what came of the job, or with its progress as it goes, and then that.

    ``words`` says a progress in the page's language, ``end`` makes the page's part on the outcome.
    """
    before, _, after = html.partition(PLACE)
    job = look()
    if job is None or job.ended:
        return Response(before + (end(job) if job is not None else "") + after, content_type="text/html; charset=utf-8")

    response = Response(
        stream_with_context(pieces(before, after, job, look, words, end)), content_type="text/html; charset=utf-8"
    )
    response.headers["X-Accel-Buffering"] = "no"  # a proxy shall pass pieces on as they come
    return response


def pieces(before: str, after: str, job: Job, look: Look, words: Words, end: Callable[[Job], str]) -> Iterator[str]:
    """The page in pieces: what goes before, the progress of the work as it goes, and, once it ended, the rest.

    ``job``: as it stood at first.
    """
    yield before + '<ol class="progress" role="log">'
    follows, told = _FOLLOWED.acquire(blocking=False), ""
    try:
        while True:
            job = look() or replace(job, ended=True)  # gone meanwhile: somebody whom it may name was erased
            now = words(*job.progress) if job.progress[0] else ""
            # a piece each time, if an empty one: that is how we learn that nobody looks any more
            yield str(Markup("<li>{}</li>\n").format(now)) if now and now != told else "\n"
            told = now or told
            if job.ended or not follows:
                break
            time.sleep(SHOWN_EVERY_SECONDS)
    finally:
        if follows:
            _FOLLOWED.release()
    yield "</ol>" + (end(job) if job.ended else "") + after


def trouble_of(job: Job) -> str:
    """What went wrong, in words; empty when nothing did."""
    if job.interrupted:
        return languages.say(
            "The program was stopped before this was done. Start it again: what is done already is not done twice."
        )
    return languages.told(job.trouble)


def loss_of(job: Job) -> str:
    """That what came of it is gone, in words; empty when it is there, or nothing came of it."""
    if not job.lost:
        return ""
    return languages.say(
        "What came of this cannot be shown any more: the program or its key was changed since, or somebody was erased "
        "meanwhile. Start it again."
    )
