"""`aurevoir serve`: receiver, clock and work in one process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import structlog
import waitress.server

from adapters.errors import AurevoirError
from adapters.port import Adapter
from connector import logging as our_logging
from connector.app import create_app, server_options
from connector.bootstrap import Runtime, build
from connector.settings import Settings
from connector.store.database import Busy

log = structlog.get_logger(__name__)


class CannotListen(AurevoirError):
    """The address is taken, or not ours."""


def serve(settings: Settings, adapters: Mapping[str, Adapter]) -> None:
    """Serve until SIGTERM or SIGINT; what is under way is finished first.

    Raises :class:`~connector.store.database.Busy` when another ``serve`` works on the same database, and
    :class:`~connector.store.database.SchemaOutdated` for a server database with another schema.
    """
    our_logging.set_up(as_json=not sys.stderr.isatty(), level=os.environ.get("AUREVOIR_LOG_LEVEL", "INFO"))
    runtime = build(settings, adapters=adapters)
    try:
        with runtime.store.exclusive("serve"):
            if runtime.store.is_sqlite:
                copy = runtime.store.upgrade(now=runtime.clock.now())
                if copy is not None:
                    log.info("schema upgraded", copy=str(copy))
            runtime.store.require_current()
            _listen(runtime)
    except Busy as error:
        raise Busy(f"{error}: is another `aurevoir serve` running?") from None
    finally:
        runtime.close()
    log.info("stopped")


def _listen(runtime: Runtime) -> None:
    server = runtime.settings.server
    try:
        listening = waitress.server.create_server(
            create_app(runtime), host=server.host, port=server.port, **server_options(runtime)
        )
    except OSError as error:
        raise CannotListen(f"cannot listen on {server.listen}: {error.strerror}; see server.listen") from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    runtime.start()
    log.info("listening", listen=_address(listening), public_url=server.public_url, accounts=sorted(runtime.accounts))
    listening.run()
    listening.close()


def _address(listening: Any) -> str:
    """Where it listens: a name such as localhost may stand for two addresses."""
    pairs = getattr(listening, "effective_listen", None) or [(listening.effective_host, listening.effective_port)]
    return ", ".join(f"{host}:{port}" for host, port in pairs)


def _stop(number: int, _frame: FrameType | None) -> None:
    """Leave waitress' loop; it lets requests under way finish."""
    log.info("stopping", signal=signal.Signals(number).name)
    raise SystemExit(0)
