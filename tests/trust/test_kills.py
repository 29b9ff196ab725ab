"""kill -9 at random moments, events twice, answers dropped after the write: nothing missing, nothing twice."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import conformance_kit as kit
import pytest

from bench.installation import Installation
from sandbox.kit import Fault

KILLS = 20
CASES = 50
CREATES = {"hubspot": "POST .*/tasks/batch/create", "salesforce": "POST .*/composite$"}


@pytest.mark.trust
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("crm", "database"), [*((crm, "sqlite") for crm in kit.RIGS), (kit.RIGS[0], "postgresql")])
def test_twenty_kills_while_fifty_cases_open_lose_nothing_and_do_nothing_twice(
    crm: str, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    url = request.getfixturevalue("postgres_database") if database == "postgresql" else None
    place = Installation(crm, tmp_path, database_url=url)
    try:
        place.command("db", "upgrade")
        place.command("provision", "--account", "acme")
        deals, losing = lose_fifty(place, seed)
        for _ in range(KILLS):
            place.start()
            time.sleep(chance.uniform(0.05, 1.2))
            place.kill()
        losing.join()
        place.rig.sandbox.faults.clear()
        place.start()
        place.wait_until_settled(deals, seconds=240)
        assert place.differences(deals) == (0, 0), f"seed {seed}"
        assert place.stop() == 0
    finally:
        place.close()


@pytest.mark.trust
@pytest.mark.timeout(600)
@pytest.mark.parametrize("crm", kit.RIGS)
def test_workers_that_are_killed_one_after_another_lose_nothing_and_do_nothing_twice(
    crm: str, tmp_path: Path, postgres_database: str
) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    place = Installation(crm, tmp_path, database_url=postgres_database)
    try:
        place.command("db", "upgrade")
        place.command("provision", "--account", "acme")
        place.start("web")
        place.start_worker()
        deals, losing = lose_fifty(place, seed)
        for _ in range(KILLS // 2):
            place.start_worker()
            time.sleep(chance.uniform(0.05, 1.2))
            dying = chance.choice([worker for worker in place.workers if worker.poll() is None])
            dying.kill()
            dying.wait()
        losing.join()
        place.rig.sandbox.faults.clear()
        place.wait_until_settled(deals, seconds=240)
        assert place.differences(deals) == (0, 0), f"seed {seed}"
        assert place.stop() == 0
    finally:
        place.close()


def lose_fifty(place: Installation, seed: int) -> tuple[list[str], threading.Thread]:
    """Fifty deals that are being lost, one after another, some told twice and some answers dropped after the write."""
    place.point_webhooks(duplicate=0.2, seed=seed)
    deals = place.renewals(CASES)
    place.rig.sandbox.faults.set(Fault(match=CREATES[place.crm], cut="after", share=0.3, times=6))
    losing = threading.Thread(target=lambda: [(place.lose(deal), time.sleep(0.5)) for deal in deals])
    losing.start()
    return deals, losing
