"""Telling other processes on the same database that we are here, for as long as we live.

A lock says it (see :mod:`connector.store.locks`): ``serve`` holds its own alone, workers hold the same one together.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import structlog

from connector.store import Store
from connector.store.database import AWAY, Busy

log = structlog.get_logger(__name__)

SERVE = "serve"
"""Held by what works on the database: one ``serve`` alone, or any number of workers."""
WEB = "web"
"""Held by each ``web``."""
LOOK_SECONDS = 5.0
ADDRESS = "address-"
"""Held beside it by what works, with a digest of the public address that it writes into links."""
SHARED_WAIT_SECONDS = 5.0
"""A short command may have it alone for a moment."""


@contextmanager
def working(store: Store, public_url: str, *, shared: bool = False) -> Iterator[None]:
    """Hold what a process holds that writes into CRMs, while the block runs; raises as :func:`present`."""
    with present(store, SERVE, shared=shared), present(store, _address(public_url), shared=shared):
        yield


def works_elsewhere_as(store: Store, public_url: str) -> bool:
    """Whether what works on the database now writes another public address than this into its links."""
    return store.is_held(SERVE) and not store.is_held(_address(public_url))


def _address(public_url: str) -> str:
    return ADDRESS + hashlib.sha256(public_url.encode()).hexdigest()[:16]


@contextmanager
def present(store: Store, name: str, *, shared: bool = False) -> Iterator[None]:
    """Hold ``name`` while the block runs; raises :class:`~connector.store.database.Busy` when others are in the way.

    A lock that is lost with the database's connections is taken again when the database is back.
    """
    leaving = threading.Event()
    begun: Future[None] = Future()
    holder = threading.Thread(
        target=_stay, args=(store, name, shared, begun, leaving), name=f"holds {name}", daemon=True
    )
    holder.start()
    try:
        begun.result()
        yield
    finally:
        leaving.set()
        holder.join()


def _stay(store: Store, name: str, shared: bool, begun: Future[None], leaving: threading.Event) -> None:
    while not leaving.is_set():
        try:
            with store.shared(name, wait=SHARED_WAIT_SECONDS) if shared else store.exclusive(name):
                if not begun.done():
                    begun.set_result(None)
                while not leaving.wait(LOOK_SECONDS):
                    store.require_held()
        except (Busy, *AWAY) as error:
            if not begun.done():
                begun.set_exception(error)
                return
            log.warning("others cannot see that this process works", reason=f"{name} is not held", exc_info=error)
            leaving.wait(LOOK_SECONDS)
        except Exception as error:  # whoever waits for the beginning is told, or would wait for ever
            if begun.done():
                raise
            begun.set_exception(error)
            return
