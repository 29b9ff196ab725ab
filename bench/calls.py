"""How many calls the CRM sees, counted by its sandbox (calls for tokens apart). The connector runs in this process."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.figures import CRMS, Figure
from bench.installation import Installation
from connector.app import create_app
from connector.bootstrap import Adapters, Runtime, build
from connector.config import load

SUBJECT = "Calls to the CRM"
SINGLE = {"hubspot": 5, "salesforce": 2}
WITH_LABELS = 6
EACH_OF_A_HUNDRED = {"hubspot": 0.12, "salesforce": 0.05}
"""A case; HubSpot takes tasks in batches of 100, which come on top."""
REPEATS = 20


def measure() -> Iterator[Figure]:
    """Both CRMs; HubSpot once more with association labels."""
    for crm in CRMS:
        with _running(crm) as desk:
            yield from _single(desk)
            yield from _hundred(desk)
    with _running("hubspot", association_labels=True) as desk:
        calls, _ = desk.lose(1)
        yield Figure(SUBJECT, "HubSpot: one new case, with association labels", calls, "calls", WITH_LABELS)


class _Desk:
    """A connector that is switched on, and what it costs to have it do something."""

    def __init__(self, crm: str, installed: Installation, runtime: Runtime) -> None:
        self.crm, self.installed, self.runtime = crm, installed, runtime
        self.web = create_app(runtime).test_client()

    def work(self) -> None:
        """Everything that is due."""
        while self.runtime.rounds["acme"].run():
            pass
        trouble = [text for subject, ok, text in self.runtime.ready() if subject == "account acme" and not ok]
        if trouble:
            raise RuntimeError(f"{self.crm}: {trouble[0]}")

    def signal(self, deals: list[str]) -> None:
        """The webhook for these deals, in one delivery."""
        path, body, headers = self.installed.delivery(deals)
        answer = self.web.post(path, data=body, headers=headers)
        if answer.status_code != 200:
            raise RuntimeError(f"{self.crm}: the delivery was refused: {answer.text}")

    def lose(self, number: int) -> tuple[int, list[str]]:
        """So many endings together: the calls that they cost, and the deals."""
        deals = self.installed.renewals(number)
        for deal in deals:
            self.installed.lose(deal)
        self.signal(deals)
        self.installed.rig.forget_calls()
        self.work()
        if not all(self.installed.rig.tasks(deal) for deal in deals):
            raise RuntimeError(f"{self.crm}: not every deal got its tasks")
        return self.installed.rig.calls(), deals


@contextmanager
def _running(crm: str, **account: Any) -> Iterator[_Desk]:
    with tempfile.TemporaryDirectory() as folder:
        installed = Installation(crm, Path(folder), **account)
        adapters = Adapters()
        runtime = build(load(installed.config, {}, adapters), adapters=adapters)
        try:
            runtime.store.upgrade(now=runtime.clock.now())
            runtime.accounts["acme"].provision()
            desk = _Desk(crm, installed, runtime)
            runtime.rounds["acme"].run(poll=True)  # users and stages are read once a day, not by each case
            yield desk
        finally:
            runtime.close()
            installed.close()


def _single(desk: _Desk) -> Iterator[Figure]:
    label = CRMS[desk.crm]
    calls, deals = desk.lose(1)
    yield Figure(SUBJECT, f"{label}: one new case", calls, "calls", SINGLE[desk.crm])
    rig = desk.installed.rig
    before = rig.tasks(deals[0])
    rig.forget_calls()
    for _ in range(REPEATS):
        desk.signal(deals)
    desk.work()
    seen = rig.sandbox.ledger.as_json()["calls"]
    reads = sum(_is_read(call) for call in seen)
    if rig.tasks(deals[0]) != before:
        raise RuntimeError(f"{label}: a repeated event changed the tasks")
    writes = len(seen) - reads
    yield Figure(SUBJECT, f"{label}: its event again, {REPEATS} times: reads", reads, "calls", 1)
    yield Figure(SUBJECT, f"{label}: its event again, {REPEATS} times: writes", writes, "calls", 0)


def _hundred(desk: _Desk) -> Iterator[Figure]:
    calls, deals = desk.lose(100)
    tasks = sum(len(desk.installed.rig.tasks(deal)) for deal in deals)
    most = EACH_OF_A_HUNDRED[desk.crm] + (math.ceil(tasks / 100) / 100 if desk.crm == "hubspot" else 0)
    what = f"{CRMS[desk.crm]}: a hundred new cases with {tasks} tasks together, each"
    yield Figure(SUBJECT, what, calls / 100, "calls", round(most, 4))


def _is_read(call: dict[str, Any]) -> bool:
    """Bulk reads and searches are POSTs at HubSpot."""
    return call["method"] == "GET" or str(call["path"]).rstrip("/").endswith(("/batch/read", "/search"))
