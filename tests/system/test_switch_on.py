"""The moment of switch-on, beside a CRM that tells moments in whole seconds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.store import accounts


@pytest.mark.row("P-71")
def test_a_deal_that_is_lost_in_the_second_of_the_switch_on_opens_its_case(system: Any) -> None:
    with system.runtime.store.write() as session:
        accounts.change(session, "acme", started_at=None)
    deal = system.renewal()
    late_in_the_second = (1_400_000 - system.rig.now().microsecond) % 1_000_000
    system.rig.advance(timedelta(microseconds=late_in_the_second))
    system.account.provision()
    system.lose(deal)
    system.work()
    assert system.case(deal) is not None
