"""Webhook deliveries as the vendors make them: gathered, sent by background threads, retried for hours.

A vendor's class says how a delivery is written, what counts as accepted and how long to wait before the next try.
Waiting follows the sandbox's clock, multiplied by ``scale``: with scale 0 retries come at once.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import requests

from sandbox.kit import Clock


@dataclass(frozen=True)
class Target:
    """Where deliveries go, and the secret that signs them where the vendor signs."""

    url: str
    secret: str = ""


@dataclass(frozen=True)
class Delivery:
    """Some items on their way to one target. ``attempt`` counts from 0; ``due`` is a moment of the sandbox's clock."""

    id: int
    items: tuple[Mapping[str, Any], ...]
    due: datetime
    attempt: int = 0


@dataclass(frozen=True)
class Attempt:
    """What became of one try. ``status`` None: no answer; ``error`` says why it was not accepted."""

    time: datetime
    delivery: int
    attempt: int
    url: str
    status: int | None
    accepted: bool
    error: str
    items: tuple[Mapping[str, Any], ...]


@dataclass
class Manners:
    """Troubles of the network, on request: a share of deliveries dropped or sent twice, or order shuffled."""

    drop: float = 0.0
    duplicate: float = 0.0
    shuffle: bool = False
    seed: int = 0
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - chance, not secrecy


class Deliveries:
    """Base of a vendor's webhook sender. Without a target, items are thrown away as the vendor would."""

    batch = 100
    timeout: float | tuple[float, float] = 5.0

    def __init__(self, clock: Clock, *, scale: float = 1.0, workers: int = 1, gather: float = 0.02) -> None:
        self.clock = clock
        self.scale = scale
        self.manners = Manners()
        self.targets: list[Target] = []
        self.log: list[Attempt] = []
        self.paused = False
        self._workers, self._gather = workers, gather
        self._changed = threading.Condition()
        self._fresh: list[Mapping[str, Any]] = []
        self._waiting: list[tuple[Target, Delivery]] = []
        self._threads: list[threading.Thread] = []
        self._number = 0
        self._in_flight = 0
        self._stopping = False
        clock.on_change(self._wake)

    # What a vendor says.

    def write(self, target: Target, delivery: Delivery) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of this try, signed afresh."""
        raise NotImplementedError

    def accepted(self, response: requests.Response) -> bool:
        """Whether the answer ends the retries."""
        return 200 <= response.status_code < 300

    def gap(self, attempt: int) -> timedelta | None:
        """How long to wait after failed try number ``attempt``; None gives up."""
        raise NotImplementedError

    # What everyone may do.

    def point(self, *targets: Target) -> None:
        """Send everything from now on to these targets."""
        with self._changed:
            self.targets = list(targets)
        if targets:
            self.start()

    def publish(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Queue items for delivery."""
        with self._changed:
            if self.targets:
                self._fresh.extend(items)
                self._changed.notify_all()

    def start(self) -> None:
        """Start the background threads, once."""
        with self._changed:
            self._stopping = False
            missing = self._workers - len(self._threads)
            started = [threading.Thread(target=self._run, daemon=True) for _ in range(missing)]
            self._threads.extend(started)
        for thread in started:
            thread.start()

    def stop(self) -> None:
        """Stop the background threads; what is queued stays queued."""
        with self._changed:
            self._stopping = True
            threads, self._threads = self._threads, []
            self._changed.notify_all()
        for thread in threads:
            thread.join()

    def deliver_now(self) -> int:
        """Send all that is queued at this moment, whether due or not, each once; returns how many requests went out."""
        with self._changed:
            self._gather_fresh()
            jobs, self._waiting = self._waiting, []
        for target, delivery in jobs:
            self._send(target, delivery)
        return len(jobs)

    def pending(self) -> int:
        """Deliveries that are queued, waiting for a retry or under way."""
        with self._changed:
            return len(self._fresh) + len(self._waiting) + self._in_flight

    def settle(self, seconds: float = 5.0) -> bool:
        """Wait (real time) until nothing is queued or waiting any more; False when it still is."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not (self._fresh or self._waiting or self._in_flight), timeout=seconds
            )

    # How it works.

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _gather_fresh(self) -> None:
        items, self._fresh = self._fresh, []
        if self.manners.shuffle:
            self.manners.chance.shuffle(items)
        for start in range(0, len(items), self.batch):
            chunk = tuple(items[start : start + self.batch])
            if self.manners.chance.random() < self.manners.drop:
                continue
            copies = 2 if self.manners.chance.random() < self.manners.duplicate else 1
            for target in self.targets:
                for _ in range(copies):
                    self._number += 1
                    self._waiting.append((target, Delivery(self._number, chunk, self.clock.now())))
        if self.manners.shuffle:
            self.manners.chance.shuffle(self._waiting)

    def _next(self) -> tuple[Target, Delivery] | None:
        """Wait for the next due delivery; None when it is time to stop. Called with the lock held."""
        while not self._stopping:
            if self._fresh and not self.paused:
                if self._gather:
                    self._changed.wait_for(lambda: self._stopping, timeout=self._gather)
                if self._stopping:  # its notification came during the wait above and would be missed below
                    return None
                self._gather_fresh()
            now = self.clock.now()
            due = next((job for job in self._waiting if job[1].due <= now and not self.paused), None)
            if due is not None:
                self._waiting.remove(due)
                self._in_flight += 1
                return due
            soonest = min((job[1].due for job in self._waiting), default=None)
            self._changed.wait(None if soonest is None else min(max((soonest - now).total_seconds(), 0.01), 3600.0))
        return None

    def _run(self) -> None:
        while True:
            with self._changed:
                job = self._next()
            if job is None:
                return
            try:
                self._send(*job)
            finally:
                with self._changed:
                    self._in_flight -= 1
                    self._changed.notify_all()

    def _send(self, target: Target, delivery: Delivery) -> None:
        status, error, good = None, "", False
        try:
            body, headers = self.write(target, delivery)
            response = requests.post(
                target.url, data=body, headers=dict(headers), timeout=self.timeout, allow_redirects=False
            )
            status, good = response.status_code, self.accepted(response)
            error = "" if good else f"answered {status}"
        except requests.RequestException as failure:
            error = type(failure).__name__
        gap = None if good else self.gap(delivery.attempt)
        with self._changed:
            self.log.append(
                Attempt(
                    self.clock.now(), delivery.id, delivery.attempt, target.url, status, good, error, delivery.items
                )
            )
            if gap is not None:
                later = self.clock.now() + gap * self.scale
                self._waiting.append((target, replace(delivery, attempt=delivery.attempt + 1, due=later)))
            self._changed.notify_all()
