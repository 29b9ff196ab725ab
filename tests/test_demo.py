"""The demo's stage: time moves for everyone at once, and never under a round of work."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from connector.engine import LocalEngine
from demo.stage import Stage
from sandbox.kit import Clock


class Slow:
    """A round that takes a moment in the room, and none in the story."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.saw: list[datetime] = []

    def run(self) -> None:
        self.saw.append(self.clock.now())
        time.sleep(0.2)
        self.saw.append(self.clock.now())


class Unsettled(Stage):
    def settle(self) -> None:
        """Nothing is left to do."""


def test_the_clock_moves_only_when_no_round_is_under_way() -> None:
    clock = Clock()
    one = Slow(clock)
    engine = LocalEngine(cast("Any", {"acme": one}), threads=1)
    engine.nudge("acme")
    while not one.saw:
        time.sleep(0.001)
    Unsettled(clock, (), cast("Any", SimpleNamespace(engine=engine)), "").advance(timedelta(days=7))
    engine.stop()
    before, after = one.saw
    assert after - before < timedelta(days=1)
    assert clock.now() - before >= timedelta(days=7)
