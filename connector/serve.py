"""The processes that stay: ``serve`` (everything in one), ``web`` (receiver and pages), ``worker`` (clock and work)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import structlog
import waitress.server
from flask import Flask

from adapters.errors import AurevoirError, ConfigError, Fault
from connector import logging as our_logging
from connector.bootstrap import Runtime, build, cannot_be_used
from connector.presence import WEB, present, working
from connector.private import require_private
from connector.reload import require_names
from connector.settings import Settings
from connector.source import Source
from connector.store.database import AWAY, Busy
from connector.web.front import Front, server_options

log = structlog.get_logger(__name__)


class CannotListen(AurevoirError):
    """The address is taken, or not ours."""


def serve(source: Source) -> None:
    """Receive, watch and work until SIGTERM or SIGINT; what is under way is finished first.

    Raises :class:`~connector.store.database.Busy` when another process works on the same database, and
    :class:`~connector.store.database.SchemaOutdated` for a server database with another schema.
    """
    settings = source.load()
    with _running(source, settings) as runtime, working(runtime.store, settings.server.public_url):
        if runtime.store.is_sqlite:
            copy = runtime.store.upgrade(now=runtime.clock.now())
            if copy is not None:
                log.info("schema upgraded", copy=str(copy))
        runtime.store.require_current()
        require_names(runtime.accounts.values())
        _listen(runtime, runtime.start)


def web(source: Source) -> None:
    """Receive and show pages until SIGTERM or SIGINT; workers do the rest.

    Raises :class:`~adapters.errors.ConfigError` without PostgreSQL, and
    :class:`~connector.store.database.SchemaOutdated` when ``aurevoir db upgrade`` is due.
    """
    settings = source.load()
    _require_postgresql(settings, "web")
    from connector import distributed  # with the optional dependencies of PostgreSQL

    with _running(source, settings) as runtime, present(runtime.store, WEB, shared=True):
        runtime.store.require_current()
        distributed.require_installed(runtime.store)
        engine = distributed.ProcrastinateEngine(runtime.store.url, runtime.accounts)
        _listen(runtime, lambda: runtime.hand_over(engine))


def worker(source: Source) -> None:
    """Watch and work until SIGTERM or SIGINT; a round under way is finished first. Raises as :func:`web`."""
    settings = source.load()
    _require_postgresql(settings, "worker")
    from connector import distributed

    with _running(source, settings) as runtime, working(runtime.store, settings.server.public_url, shared=True):
        runtime.store.require_current()
        distributed.require_installed(runtime.store)
        require_names(runtime.accounts.values())
        runtime.start(distributed.ProcrastinateEngine(runtime.store.url, runtime.accounts))
        threads = distributed.ROUNDS_AT_ONCE
        distributed.run_worker(
            runtime.store,
            runtime.rounds,
            on_start=lambda: log.info("working", accounts=sorted(runtime.accounts), threads=threads),
        )


@contextmanager
def _running(source: Source, settings: Settings) -> Iterator[Runtime]:
    """The parts of a process that stays, given back at its end, with its faults in words; changed settings come in."""
    our_logging.set_up(as_json=not sys.stderr.isatty(), level=os.environ.get("AUREVOIR_LOG_LEVEL", "INFO"))
    runtime = build(settings, adapters=source.adapters, source=source)
    try:
        require_private(source.path, runtime.store)
        runtime.reloader.start()
        yield runtime
    except Busy as error:
        raise Busy(f"{error}: is another `aurevoir serve` or `aurevoir worker` running?") from None
    except AWAY as error:
        raise cannot_be_used(runtime.store, error) from None
    finally:
        runtime.close()
    log.info("stopped")


def _require_postgresql(settings: Settings, command: str) -> None:
    if settings.database_url.startswith("sqlite"):
        cure = (
            f"`aurevoir {command}` needs a PostgreSQL database that all processes share "
            "(postgresql+psycopg://user:password@host/name); with SQLite, use `aurevoir serve`, "
            "which does everything in one process"
        )
        raise ConfigError([Fault("database_url", settings.database_url, cure)])


def _listen(runtime: Runtime, start: Callable[[], None]) -> None:
    server = runtime.settings.server
    try:
        listening = waitress.server.create_server(
            Front(runtime, lambda: _pages(runtime)), host=server.host, port=server.port, **server_options(runtime)
        )
    except OSError as error:
        raise CannotListen(f"cannot listen on {server.listen}: {error.strerror}; see server.listen") from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    start()
    log.info("listening", listen=_address(listening), public_url=server.public_url, accounts=sorted(runtime.accounts))
    listening.run()
    listening.close()


def _pages(runtime: Runtime) -> Flask:
    from connector.app import create_app  # a fifth of the time and memory of a start, for who opens a page

    return create_app(runtime)


def _address(listening: Any) -> str:
    """Where it listens: a name such as localhost may stand for two addresses."""
    pairs = getattr(listening, "effective_listen", None) or [(listening.effective_host, listening.effective_port)]
    return ", ".join(f"{host}:{port}" for host, port in pairs)


def _stop(number: int, _frame: FrameType | None) -> None:
    """Leave waitress' loop; it lets requests under way finish."""
    log.info("stopping", signal=signal.Signals(number).name)
    raise SystemExit(0)
