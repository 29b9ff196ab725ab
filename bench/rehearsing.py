"""A rehearsal of a thousand past deals, with the CRM's rate limits on, by the clock on the wall."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.figures import CRMS, Figure
from bench.installation import Installation
from connector.bootstrap import Adapters, build
from connector.config import load
from connector.rehearsal import Rehearsal, rehearse_account

SUBJECT = "Rehearsal of a thousand past deals"
DEALS = 1000
SECONDS = 60
BEYOND_HISTORY = {"hubspot": 60, "salesforce": 5}
"""Calls that do not read deals with their past."""


def measure() -> Iterator[Figure]:
    """Both CRMs; the account was never switched on, so everything is asked for the first time."""
    for crm in CRMS:
        yield from _one(crm)


def _one(crm: str) -> Iterator[Figure]:
    label = CRMS[crm]
    with tempfile.TemporaryDirectory() as folder:
        installed = Installation(crm, Path(folder))
        adapters = Adapters()
        runtime = build(load(installed.config, {}, adapters), adapters=adapters)
        try:
            runtime.store.upgrade(now=runtime.clock.now())
            since = _last_year(installed.rig)
            installed.rig.forget_calls()
            began, ours, all_threads = time.perf_counter(), time.thread_time(), time.process_time()
            made = rehearse_account(runtime, "acme", since.date())
            took = time.perf_counter() - began
            ours, all_threads = time.thread_time() - ours, time.process_time() - all_threads
        finally:
            runtime.close()
        calls = installed.rig.sandbox.ledger.as_json()["calls"]
        installed.close()
    _sound(label, made, calls)
    history = sum(_reads_history(crm, call) for call in calls)
    yield Figure(SUBJECT, f"{label}: until it is finished", took, "s", SECONDS)
    yield Figure(SUBJECT, f"{label}: our own computing in that time", ours, "s")
    yield Figure(SUBJECT, f"{label}: computing of the look-alike, which no real CRM costs us", all_threads - ours, "s")
    beyond = len(calls) - history
    yield Figure(SUBJECT, f"{label}: calls beyond those for history", beyond, "calls", BEYOND_HISTORY[crm])
    yield Figure(SUBJECT, f"{label}: calls that read deals with their past", history, "calls")


def _last_year(rig: Any) -> datetime:
    """A thousand renewals, each with a company and two contacts, lost over ten months."""
    now = datetime.now(UTC)
    began = now - timedelta(days=364)
    rig.sandbox.clock.set(began)
    deals = []
    for number in range(DEALS):
        company = rig.add_company(f"Company {number}", owner_id=rig.users[0])
        people = [
            rig.add_contact(f"Person {number}-{each}", email=f"p{each}@c{number}.example", decider=each == 0)
            for each in range(2)
        ]
        end = (began + timedelta(days=90 + number // 4)).date()
        deals.append(
            rig.add_deal(
                f"Renewal {number}", owner_id=rig.users[number % 2], company_id=company, contact_ids=people,
                contract_end=end, exit_reason=rig.exit_reason_value,
            )
        )  # fmt: skip
    for number, deal in enumerate(deals):
        rig.sandbox.clock.set(began + timedelta(days=20, hours=7 * number))
        rig.move_deal(deal, rig.not_renewing)
    rig.sandbox.clock.set(datetime.now(UTC))
    return began


def _reads_history(crm: str, call: dict[str, Any]) -> bool:
    path = str(call["path"])
    if crm == "hubspot":
        return path.endswith("/0-3/batch/read")
    return "/query" in path and int(call["records"]) > 100


def _sound(label: str, made: Rehearsal, calls: list[dict[str, Any]]) -> None:
    if len(made.would_open) != DEALS:
        raise RuntimeError(f"{label}: {len(made.would_open)} of {DEALS} deals would have opened")
    refused = [call for call in calls if int(call["status"]) == 429]
    if refused:
        raise RuntimeError(f"{label}: {len(refused)} calls came too fast and were refused")
