"""What ``aurevoir serve`` needs and how fast it is: a process of its own on SQLite, beside a sandbox in this process.

Time-keeping and sandbox share this process, so every figure holds the sandbox's own time as well.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from bench.figures import CRMS, Figure, percentile, spread
from bench.installation import Installation

STARTS = 3
CASES = 20
APART_SECONDS = 0.9
"""Each ending by itself costs eight calls on HubSpot, the echoes of its own writes among them, of which 90 go in ten
seconds (``calls_per_10s``): endings in closer succession would measure the wait for that window."""
SMALL, LARGE = 200, 30
"""Deliveries of one event, and of a hundred."""
SENDERS, SENT_AT_ONCE = 4, 200
MOST_START_SECONDS, MOST_IDLE_MB, MOST_CASE_SECONDS, MOST_HELP_SECONDS = 2.0, 120, 1.0, 0.5
IDLE_AFTER_SECONDS = 3.0
PATIENCE_SECONDS = 30.0
TIMEOUTS = {"hubspot": {"read_timeout": 10}, "salesforce": {"read_timeout": 10, "total_timeout": 20}}
"""As an admin has them: a time-out on a busy machine would be measured as latency otherwise."""


def measure() -> Iterator[Figure]:
    """Start, memory, latency and receiver on both CRMs."""
    yield Figure("The command", "aurevoir --help, median of 5", statistics.median(_help()), "s", MOST_HELP_SECONDS)
    for crm in CRMS:
        with tempfile.TemporaryDirectory() as folder:
            installed = Installation(crm, Path(folder), **TIMEOUTS[crm])
            try:
                installed.command("provision")
                yield from _start(installed)
                yield from _cases(installed)
                yield from _receiver(installed)
            finally:
                installed.close()


def _help() -> Iterator[float]:
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name("aurevoir"), "--help"], check=True, stdout=subprocess.DEVNULL)
        yield time.perf_counter() - began


def _start(installed: Installation) -> Iterator[Figure]:
    subject = f"The process, on {CRMS[installed.crm]}"
    seconds = []
    for number in range(STARTS):
        if number:
            installed.stop()
        seconds.append(installed.start())
    what = f"from its start until /healthz answers, median of {STARTS}"
    yield Figure(subject, what, statistics.median(seconds), "s", MOST_START_SECONDS)
    time.sleep(IDLE_AFTER_SECONDS)
    yield Figure(subject, "resident memory when idle", installed.memory_mb(), "MB", MOST_IDLE_MB)


def _cases(installed: Installation) -> Iterator[Figure]:
    """One ending by itself after the other; the first is not counted, since it loads what none has needed yet."""
    subject = f"The process, on {CRMS[installed.crm]}"
    installed.point_webhooks()
    first, *deals = installed.renewals(CASES + 1)
    _until_tasks(installed, first)
    waited = []
    for deal in deals:
        time.sleep(APART_SECONDS)
        waited.append(_until_tasks(installed, deal))
    yield from spread(subject, "from an ending until its tasks can be seen", waited, "s", MOST_CASE_SECONDS)
    installed.wait_until_settled([first, *deals])
    yield Figure(subject, f"resident memory after {CASES + 1} cases", installed.memory_mb(), "MB")


def _until_tasks(installed: Installation, deal: str) -> float:
    began = time.perf_counter()
    installed.lose(deal)
    while not installed.rig.tasks(deal):
        if time.perf_counter() - began > PATIENCE_SECONDS:
            raise TimeoutError(f"{installed.crm}: no tasks for deal {deal}")
        time.sleep(0.01)
    return time.perf_counter() - began


def _receiver(installed: Installation) -> Iterator[Figure]:
    """Real events of deals with open cases, each committed before the answer."""
    subject = f"The receiver, on {CRMS[installed.crm]}"
    deals = [case.deal_id for case in installed.cases().values()]
    many = [deals[number % len(deals)] for number in range(100)]
    with requests.Session() as session:
        for number, events, what in ((SMALL, deals[:1], "1 event"), (LARGE, many, "100 events")):
            took = [1000 * _post(session, installed, events) for _ in range(number)]
            told = f"a delivery of {what}, {number} times"
            yield Figure(subject, f"{told}: median", statistics.median(took), "ms")
            yield Figure(subject, f"{told}: 99 of 100 within", percentile(took, 99), "ms")
    yield Figure(subject, f"deliveries of 1 event from {SENDERS} senders", _at_once(installed, deals[:1]), "a second")


def _at_once(installed: Installation, deals: list[str]) -> float:
    own = threading.local()

    def send(_: int) -> None:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        _post(own.session, installed, deals)

    with ThreadPoolExecutor(SENDERS) as pool:
        began = time.perf_counter()
        list(pool.map(send, range(SENT_AT_ONCE)))
        return SENT_AT_ONCE / (time.perf_counter() - began)


def _post(session: requests.Session, installed: Installation, deals: list[str]) -> float:
    """Seconds until the answer."""
    path, body, headers = installed.delivery(deals)
    began = time.perf_counter()
    answer = session.post(f"{installed.url}{path}", data=body, headers=headers, timeout=10)
    took = time.perf_counter() - began
    answer.raise_for_status()
    return took
