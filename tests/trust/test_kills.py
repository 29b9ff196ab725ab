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
@pytest.mark.parametrize("crm", kit.RIGS)
def test_twenty_kills_while_fifty_cases_open_lose_nothing_and_do_nothing_twice(crm: str, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    place = Installation(crm, tmp_path)
    try:
        place.command("provision", "--account", "acme")
        place.point_webhooks(duplicate=0.2, seed=seed)
        deals = place.renewals(CASES)
        place.rig.sandbox.faults.set(Fault(match=CREATES[crm], cut="after", share=0.3, times=6))
        losing = threading.Thread(target=lambda: [(place.lose(deal), time.sleep(0.5)) for deal in deals])
        losing.start()
        for _ in range(KILLS):
            place.start()
            time.sleep(chance.uniform(0.05, 1.2))
            place.kill()
        losing.join()
        place.rig.sandbox.faults.clear()
        place.start()
        place.wait_until_settled(deals, seconds=240)
        missing, twice = place.differences(deals)
        assert (missing, twice) == (0, 0), f"seed {seed}"
        assert place.stop() == 0
    finally:
        place.close()
