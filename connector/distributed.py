"""Beyond one machine: rounds of work as Procrastinate jobs on the PostgreSQL that holds our tables.

A nudge is a job; ``lock`` lets one worker at a time work on an account, and ``queueing_lock`` makes a hundred nudges
one waiting job. The agenda stays the truth: a job that is lost or comes twice does no harm, since each worker's sweep
nudges accounts that have something due.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import timedelta

import structlog
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager
from sqlalchemy import URL, inspect

from connector.engine import Round
from connector.store import Store

log = structlog.get_logger(__name__)

QUEUE = "aurevoir"
TASK = "work"
HEARTBEAT = timedelta(seconds=5)
STALLED_AFTER = timedelta(seconds=20)
"""A worker that gave no sign for so long is dead: its job is dropped, and the next sweep nudges the account anew."""


class ProcrastinateEngine:
    """Hands rounds of work to whichever worker is free."""

    def __init__(self, url: URL, accounts: Mapping[str, object]) -> None:
        self._accounts = accounts
        self._url = _plain(url)
        self._app = App(connector=SyncPsycopgConnector(conninfo=self._url, min_size=0, max_size=4))
        self._app.open()

    def nudge(self, account: str) -> None:
        """Queue a round for this account, unless one is waiting already."""
        if account not in self._accounts:
            return
        with contextlib.suppress(AlreadyEnqueued):
            self._app.configure_task(TASK, queue=QUEUE, lock=account, queueing_lock=account).defer(account=account)

    def stop(self) -> None:
        """Give back connections."""
        self._app.close()


def install(store: Store) -> None:
    """Make Procrastinate's own tables where they are missing."""
    if inspect(store.engine).has_table("procrastinate_jobs"):
        return
    with App(connector=SyncPsycopgConnector(conninfo=_plain(store.url))).open() as app:
        SchemaManager(connector=app.connector).apply_schema()


def run_worker(url: URL, rounds: Mapping[str, Round], *, concurrency: int = 4) -> None:
    """Work on jobs until SIGTERM or SIGINT; the round under way is finished then."""
    app = App(connector=PsycopgConnector(conninfo=_plain(url)))

    @app.task(name=TASK, queue=QUEUE)
    def work(account: str) -> None:
        if account in rounds:
            rounds[account].run()

    @app.periodic(cron="* * * * * */10")
    @app.task(name="recover", queue=QUEUE)
    async def recover(timestamp: int) -> None:  # noqa: ARG001  Procrastinate passes it by this name
        silence = STALLED_AFTER.total_seconds()
        for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=silence):
            log.warning("a worker died during a round", account=job.task_kwargs.get("account"))
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)

    app.run_worker(
        queues=[QUEUE],
        name="aurevoir",
        concurrency=concurrency,
        delete_jobs="always",
        update_heartbeat_interval=HEARTBEAT.total_seconds(),
        stalled_worker_timeout=STALLED_AFTER.total_seconds(),
        fetch_job_polling_interval=2.0,
    )


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
