"""Work that an admin started and that takes longer than a page may: rehearsals, switch-ons, check-ups.

It runs in a thread of the process that began it. How far it is stands in the database, with a sign of life each second,
so that any process shows it; who gives none for half a minute has died, and it may be begun again. What came of it is
kept sealed for an hour, since it names customers.
"""

from __future__ import annotations

import base64
import gc
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy.exc import SQLAlchemyError

from adapters.errors import AurevoirError
from connector.clock import Clock, SystemClock
from connector.store import Store
from connector.store import jobs as rows
from connector.store.console_tables import JobRow
from connector.vault import Vault, VaultError

log = structlog.get_logger(__name__)

BEAT_SECONDS = 1.0
SILENT = timedelta(seconds=30)
"""Longer than a beat by far: clocks of two machines may differ by some seconds."""
_COLUMN = "jobs.outcome"

Tell = Callable[[str, int, int | None], None]
"""Says how far the work is: the step, how much is done, and of how much, where that is known."""

Shapes = Mapping[str, Callable[[], TypeAdapter[Any]]]
"""How the outcome of each kind of work is written down; made when it is first needed."""


@dataclass(frozen=True)
class Job:
    """One piece of work as it stood when it was looked at.

    ``progress`` is the last that was told. When it has ended there is an ``outcome``, or a ``trouble`` in words, or it
    was ``interrupted``: the process that did it is gone. With none of these it is ``lost``.
    """

    begun_at: datetime
    progress: tuple[str, int, int | None] = ("", 0, None)
    ended: bool = False
    interrupted: bool = False
    trouble: str = ""
    open: Callable[[], Any] = lambda: None

    @cached_property
    def outcome(self) -> Any:
        """What came of it, if anything did."""
        return self.open()

    @property
    def lost(self) -> bool:
        """It ended, and what came of it cannot be read any more."""
        return self.ended and not self.interrupted and not self.trouble and self.outcome is None


class Jobs:
    """Begins work, and tells of it, by kind and account; an empty account stands for the installation as a whole."""

    def __init__(self, store: Store, vault: Vault, shapes: Shapes, clock: Clock | None = None) -> None:
        self._store, self._vault, self._shapes = store, vault, shapes
        self._clock = clock or SystemClock()

    def start(self, kind: str, account: str, work: Callable[[Tell], Any], unknown: str) -> bool:
        """Begin it, unless the same is under way in some process; then False.

        ``unknown`` is what people read when something went wrong that has no words of its own.
        """
        now = self._clock.now()
        row = JobRow(kind=kind, account=account, run=uuid.uuid4().hex, begun_at=now, beat_at=now, step="", done=0)
        with self._store.write() as session:
            rows.forget_old(session, now - rows.KEPT)
            if not rows.begin(session, row, SILENT):
                return False
            worker = _Worker(self, kind, account, row.run)
        threading.Thread(target=worker.run, args=(work, unknown), name=f"{kind} {account}", daemon=True).start()
        return True

    def of(self, kind: str, account: str) -> Job | None:
        """The one under way, or the last that ended within the hour."""
        now = self._clock.now()
        with self._store.read() as session:
            row = rows.get(session, kind, account)
        if row is None or (row.ended_at or row.beat_at) + rows.KEPT <= now:
            return None
        gone = row.ended_at is None and row.beat_at + SILENT <= now
        return Job(
            begun_at=row.begun_at,
            progress=(row.step, row.done, row.total),
            ended=row.ended_at is not None or gone,
            interrupted=gone,
            trouble=row.trouble,
            open=lambda: self._opened(row),
        )

    def seal(self, kind: str, account: str, outcome: Any) -> str:
        """The outcome as it is kept."""
        packed = zlib.compress(self._shapes[kind]().dump_json(outcome, exclude_defaults=True))
        return self._vault.seal(base64.b85encode(packed).decode(), account=account, column=_COLUMN)

    def tell(self, kind: str, account: str, run: str, **values: Any) -> None:
        """A sign of life, with what has changed."""
        now = self._clock.now()
        with self._store.write() as session:
            if "trouble" in values:
                values["ended_at"] = now
            rows.change(session, kind, account, run, beat_at=now, **values)

    def opened(self, kind: str, account: str, sealed: str) -> Any:
        """What :meth:`seal` was given. Raises VaultError, and ValueError or zlib.error for another shape."""
        written = zlib.decompress(base64.b85decode(self._vault.open(sealed, account=account, column=_COLUMN)))
        with _without_searching():
            return self._shapes[kind]().validate_json(written)

    def _opened(self, row: JobRow) -> Any:
        if row.outcome is None:
            return None
        try:
            return self.opened(row.kind, row.account, row.outcome)
        except VaultError as error:  # the key was changed within the hour
            log.warning("an outcome cannot be opened any more", account=row.account, reason=str(error))
        except (ValueError, zlib.error) as error:  # another version of the program kept it, in its own shape
            log.warning("an outcome cannot be read any more", account=row.account, failure=type(error).__name__)
        return None


@contextmanager
def _without_searching() -> Iterator[None]:
    """Hold back the search for garbage: a large outcome makes tens of thousands of objects and none, and the search
    through them again and again takes longer than all the rest."""
    searches = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searches:
            gc.enable()


class _Worker:
    """Does one piece of work, and gives signs of life meanwhile."""

    def __init__(self, jobs: Jobs, kind: str, account: str, run: str) -> None:
        self._jobs, self._mine = jobs, (kind, account, run)
        self._progress: tuple[str, int, int | None] = ("", 0, None)
        self._over = threading.Event()

    def run(self, work: Callable[[Tell], Any], unknown: str) -> None:
        """Do it, and keep what came of it."""
        beats = threading.Thread(target=self._beat, name=f"signs of life of {self._mine[0]}", daemon=True)
        beats.start()
        trouble, sealed = "", None
        try:
            sealed = self._jobs.seal(*self._mine[:2], work(self._tell))
        except AurevoirError as error:
            trouble = str(error)
        except Exception as error:
            log.error("work in the background failed", exc_info=error)
            trouble = unknown
        finally:
            self._over.set()
            beats.join()
        try:
            self._jobs.tell(*self._mine, trouble=trouble, outcome=sealed, **self._standing())
        except SQLAlchemyError as error:  # without signs of life it is shown as interrupted, which is what it is
            log.error("the outcome of work in the background could not be kept", exc_info=error)

    def _tell(self, step: str, done: int, total: int | None = None) -> None:
        self._progress = (step, done, total)

    def _standing(self) -> dict[str, Any]:
        return dict(zip(("step", "done", "total"), self._progress, strict=True))

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            try:
                self._jobs.tell(*self._mine, **self._standing())
            except SQLAlchemyError as error:  # the next one may go well; half a minute without is noticed
                log.warning("a sign of life could not be kept", failure=type(error).__name__)
