"""Beyond one machine: rounds of work as Procrastinate jobs on the PostgreSQL that holds our tables.

A nudge is a job; ``lock`` lets one worker at a time work on an account, and ``queueing_lock`` makes a hundred nudges
one waiting job. The agenda stays the truth: a job that is lost or comes twice does no harm, since each worker's sweep
nudges accounts that have something due.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import structlog
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager
from sqlalchemy import URL, inspect

from connector.engine import Round, work_lock
from connector.store import Store
from connector.store.database import AWAY, SchemaOutdated, connecting

log = structlog.get_logger(__name__)

QUEUE = "aurevoir"
TASK = "work"
TABLE = "procrastinate_jobs"
ROUNDS_AT_ONCE = 4
NUDGE_SECONDS = 2.0
"""A request waits for its nudge no longer than this; the sweep finds what the nudge would have told."""
RECOVER_SECONDS = 3.0
COME_BACK_SECONDS = 2.0
"""How long to wait before asking a database again that went away."""


class ProcrastinateEngine:
    """Hands rounds of work to whichever worker is free."""

    def __init__(self, url: URL, accounts: Mapping[str, object]) -> None:
        self._accounts = accounts
        pool: dict[str, Any] = {"min_size": 0, "max_size": ROUNDS_AT_ONCE, "timeout": NUDGE_SECONDS}
        self._app = App(connector=SyncPsycopgConnector(**_connection(url), **pool))
        self._app.open()

    def nudge(self, account: str) -> None:
        """Queue a round for this account, unless one is waiting already. Never raises: what is due is swept up."""
        if account not in self._accounts:
            return
        try:
            self._app.configure_task(TASK, queue=QUEUE, lock=account, queueing_lock=account).defer(account=account)
        except AlreadyEnqueued:
            pass
        except (ProcrastinateException, psycopg.Error) as error:
            log.warning("a nudge was lost", account=account, exc_info=error)

    def stop(self) -> None:
        """Give back connections."""
        self._app.close()


def install(store: Store) -> bool:
    """Make Procrastinate's own tables where they are missing; says whether they were."""
    if _installed(store):
        return False
    with App(connector=SyncPsycopgConnector(**_connection(store.url))).open() as app:
        SchemaManager(connector=app.connector).apply_schema()
    return True


def require_installed(store: Store) -> None:
    """Raise :class:`~connector.store.database.SchemaOutdated` when Procrastinate's tables are missing."""
    if not _installed(store):
        raise SchemaOutdated("the database has no tables for the queue of work: run `aurevoir db upgrade`")


def run_worker(store: Store, rounds: Mapping[str, Round], *, on_start: Callable[[], None]) -> None:
    """Work on jobs until SIGTERM or SIGINT; rounds under way are finished then. Outlives a restart of the database."""
    app = App(connector=PsycopgConnector(**_connection(store.url), timeout=10.0))

    @app.task(name=TASK, queue=QUEUE)
    def work(account: str) -> None:
        one = rounds.get(account)
        if one is not None:
            one.run()

    asyncio.run(_until_told(app, store, on_start))


async def _until_told(app: App, store: Store, on_start: Callable[[], None]) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _tell, told, number)
    on_start()
    while not told.is_set():
        try:
            async with app.open_async():
                await _work(app, store, told)
        except (ProcrastinateException, psycopg.Error) as error:
            log.warning("the database cannot be used", exc_info=error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), COME_BACK_SECONDS)


def _tell(told: asyncio.Event, number: signal.Signals) -> None:
    log.info("stopping", signal=number.name)
    told.set()


async def _work(app: App, store: Store, told: asyncio.Event) -> None:
    """Fetch and do jobs until told to stop, or until Procrastinate gives up on its connection."""
    worker = asyncio.create_task(
        app.run_worker_async(
            queues=[QUEUE],
            name="aurevoir",
            concurrency=ROUNDS_AT_ONCE,
            delete_jobs="always",
            install_signal_handlers=False,
            fetch_job_polling_interval=2.0,
        )
    )
    recovery = asyncio.create_task(_recover(app, store))
    waiting = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({worker, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not worker.done():
            worker.cancel()  # it finishes the jobs under way
        with contextlib.suppress(asyncio.CancelledError):
            await worker
    finally:
        for one in (recovery, waiting):
            one.cancel()
        await asyncio.gather(recovery, waiting, return_exceptions=True)


async def _recover(app: App, store: Store) -> None:
    """Drop jobs of workers that died, so that their accounts are worked on again.

    Whoever works on an account holds its lock, which goes with the process. A job under way whose account nobody holds,
    twice in a row, is over, whether or not its worker could say so.
    """
    suspects: set[int | None] = set()
    while True:
        await asyncio.sleep(RECOVER_SECONDS)
        try:
            suspects = await _drop_dead(app, store, suspects)
        except (ProcrastinateException, psycopg.Error, *AWAY) as error:
            log.warning("the database cannot be used", exc_info=error)


async def _drop_dead(app: App, store: Store, suspects: set[int | None]) -> set[int | None]:
    free: set[int | None] = set()
    for job in await app.job_manager.list_jobs_async(queue=QUEUE, task=TASK, status=Status.DOING.value):
        if job.lock is not None and await asyncio.to_thread(store.is_held, work_lock(job.lock)):
            continue
        free.add(job.id)
        if job.id in suspects:
            log.warning("a worker died during a round", account=job.lock)
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
    return free


def _installed(store: Store) -> bool:
    return inspect(store.engine).has_table(TABLE)


def _connection(url: URL) -> dict[str, Any]:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return {"conninfo": plain, "kwargs": connecting(url)}
