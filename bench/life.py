"""How many calls a case costs over its whole life: from the negotiation to six months after the end.

People do their tasks on the day they are due. The polls of a day are the account's, whatever the number of cases: the
same time without any case is measured as well, and taken off.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from bench.figures import CRMS, Figure
from bench.installation import Installation
from connector.bootstrap import Adapters, Runtime, build
from connector.config import load

SUBJECT = "Calls to the CRM over a whole life"
TALKS_DAYS = 20
DAYS_LEFT = 80
AFTER_DAYS = 183
TOGETHER = 10


class _RigClock:
    def __init__(self, rig: Any) -> None:
        self._rig = rig

    def now(self) -> datetime:
        found: datetime = self._rig.now()
        return found

    def sleep(self, seconds: float) -> None:
        self._rig.advance(timedelta(seconds=seconds))


def measure() -> Iterator[Figure]:
    """Both CRMs: without a case, with one, and with ten side by side."""
    for crm, label in CRMS.items():
        nothing, _ = _live(crm, 0)
        one, tasks = _live(crm, 1)
        many, many_tasks = _live(crm, TOGETHER)
        days = TALKS_DAYS + DAYS_LEFT + AFTER_DAYS
        yield Figure(SUBJECT, f"{label}: {days} days without a case, with a poll a day", nothing, "calls")
        yield Figure(SUBJECT, f"{label}: one case alone, {tasks} tasks", one - nothing, "calls")
        what = f"{label}: each of {TOGETHER} cases side by side, {many_tasks // TOGETHER} tasks"
        yield Figure(SUBJECT, what, (many - nothing) / TOGETHER, "calls")


def _live(crm: str, number: int) -> tuple[int, int]:
    """The calls of so many lives together, and the tasks that they led to."""
    with tempfile.TemporaryDirectory() as folder:
        installed = Installation(crm, Path(folder), save_playbook="save-plan")
        adapters = Adapters()
        clock = _RigClock(installed.rig)
        runtime = build(load(installed.config, {}, adapters), adapters=adapters, clock=clock)
        try:
            runtime.store.upgrade(now=clock.now())
            runtime.accounts["acme"].provision()
            return _lived(installed, runtime, number)
        finally:
            runtime.close()
            installed.close()


def _lived(installed: Installation, runtime: Runtime, number: int) -> tuple[int, int]:
    rig = installed.rig
    rig.advance(timedelta(minutes=5))
    deals = installed.renewals(number) if number else []
    rig.forget_calls()
    _days(rig, runtime, deals, TALKS_DAYS)
    for deal in deals:
        installed.lose(deal)
    _days(rig, runtime, deals, DAYS_LEFT + AFTER_DAYS)
    return rig.calls(), sum(len(rig.tasks(deal)) for deal in deals)


def _days(rig: Any, runtime: Runtime, deals: list[str], number: int) -> None:
    for _ in range(number):
        rig.advance(timedelta(days=1))
        runtime.rounds["acme"].run(poll=True)
        while runtime.rounds["acme"].run():
            pass
        trouble = [text for subject, ok, text in runtime.ready() if subject == "account acme" and not ok]
        if trouble:
            raise RuntimeError(trouble[0])
        for deal in deals:
            for task in rig.tasks(deal):
                if not task.done and _is_due(task.due, rig.now()):
                    rig.complete_task(task.id)


def _is_due(due: datetime | date, now: datetime) -> bool:
    return (due if isinstance(due, datetime) else datetime.combine(due, time(17), UTC)) <= now
