"""Writes that no single case decides: digests, notices, what an admin must be told inside the CRM.

They take the way of all other writes. Here they only become intents of the deals that they hang on; the deals' next
looks send them, find out what became of them after an unclear answer, and never send them twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from connector.store import agenda, intents
from workflows.writes import Write


def put(session: Session, account: str, writes: Iterable[Write], now: datetime, *, case_id: str = "", why: str) -> None:
    """Plan ``writes`` and put their deals on the agenda. A key that was ever planned is left as it is.

    ``case_id`` names the case in whose log the outcome is told; empty: in none. ``why`` is the agenda's reason.
    """
    wanted = list(writes)
    intents.plan(session, account, case_id, wanted, now)
    agenda.put(session, account, [agenda.Entry(write.deal_id, now, why) for write in wanted])
