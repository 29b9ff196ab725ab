"""A process whose threads all want an access token at the same moment; see ``tests/trust/test_refreshes.py``.

Run as ``python -m bench.refreshers CONFIG ACCOUNT``. Each line on standard input is a moment (ISO 8601), at which every
thread asks for a token as its calls would; one JSON line answers it, with a digest of each token and what went wrong.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector import logging as our_logging
from connector.account import Account
from connector.bootstrap import Adapters, build
from connector.config import load

THREADS = 20


class ToldClock:
    """Time as the line says."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing here should wait, and {seconds} s were wanted")


class Asker:
    """One thread's connection, as a process of its own would have it."""

    def __init__(self, account: Account) -> None:
        self.crm: Any = account.adapter.connect(
            account.name,
            account.account_id,
            account.config.vendor,
            account.config.field_map(),
            account.services,
            state={},
        )
        self.crm_name = account.config.crm
        self.last = "" if self.crm_name == "hubspot" else self.crm._client.tokens.current().access_token

    def ask(self, barrier: threading.Barrier) -> tuple[str, str]:
        """Digest of the token, and what went wrong. HubSpot tells a token's end; Salesforce refuses the old one."""
        barrier.wait()
        try:
            client = self.crm._client
            if self.crm_name == "hubspot":
                token = client._login.access_token()
            else:
                token = client.tokens.renew(self.last).access_token
        except Exception as error:  # noqa: BLE001 - told to the parent, which fails
            return "", f"{type(error).__name__}: {error}"
        self.last = token
        return hashlib.sha256(token.encode()).hexdigest(), ""


def main(config: str, name: str) -> None:
    """Answer lines until there are no more."""
    our_logging.set_up(as_json=True, level="ERROR")
    clock, adapters = ToldClock(), Adapters()
    runtime = build(load(Path(config), {}, adapters), adapters=adapters, clock=clock)
    account = runtime.accounts[name]
    askers = [Asker(account) for _ in range(THREADS)]
    barrier = threading.Barrier(THREADS)
    print("ready", flush=True)
    with ThreadPoolExecutor(THREADS) as pool:
        for line in sys.stdin:
            clock.time = datetime.fromisoformat(line.strip())
            answers = list(pool.map(lambda asker: asker.ask(barrier), askers))
            troubles = [trouble for _, trouble in answers if trouble]
            try:
                askers[0].crm.start_cursor()
            except Exception as error:  # noqa: BLE001 - as above
                troubles.append(f"a call with the token: {type(error).__name__}: {error}")
            print(json.dumps({"tokens": sorted({token for token, _ in answers}), "troubles": troubles}), flush=True)
    runtime.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
