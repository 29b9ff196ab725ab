"""The check-up (P-73): how everything stands, in words, each with a remedy where it is not well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.errors import AurevoirError, ConfigError
from adapters.port import Finding, Level
from connector.account import Account
from connector.bootstrap import Runtime
from connector.presence import SERVE
from connector.resolve import doubtful_people
from connector.store import accounts, agenda, intake, intents
from connector.store.tables import AccountRow
from workflows.model import Playbook

LATE = timedelta(minutes=15)
"""Work that has been due for longer is worth a word."""


@dataclass(frozen=True)
class Checked:
    """A finding, and the account that it is about; empty: all of it."""

    account: str
    finding: Finding


def check_up(runtime: Runtime) -> Iterator[Checked]:
    """All findings, as they are made: calls to CRMs take their time."""
    for finding in (*_installation(runtime), *_queue(runtime)):
        yield Checked("", finding)
    for name, account in runtime.accounts.items():
        for finding in _account(runtime, account):
            yield Checked(name, finding)


def is_well(findings: list[Checked]) -> bool:
    """Whether nothing needs mending. Warnings are worth reading, and are no fault."""
    return all(one.finding.level is not Level.FAULT for one in findings)


# --- the installation -----------------------------------------------------------------------------------------------


def _installation(runtime: Runtime) -> Iterator[Finding]:
    count = len(runtime.accounts)
    yield _ok("configuration", f"read; {count} account{'s' if count != 1 else ''}")
    yield _database(runtime)
    server = runtime.settings.server
    if server.on_loopback:
        yield _warning(
            "public address",
            f"{server.public_url} is this machine alone: no CRM and no customer can reach it.",
            "Set server.public_url to the address under which your proxy serves it; on a trial this is fine.",
        )
    else:
        yield _ok("public address", server.public_url)
    at_work = "`aurevoir serve`" + ("" if runtime.store.is_sqlite else " or `aurevoir worker`")
    if runtime.store.is_held(SERVE):
        yield _ok("process", f"{at_work} runs")
    else:
        yield _warning("process", "nothing works on this database now.", f"Start {at_work}.")


def _database(runtime: Runtime) -> Finding:
    path = runtime.store.path
    if path is not None and path.exists() and path.stat().st_mode & 0o077:
        return _warning("database", f"other users of this machine may read {path}.", f"chmod 600 {path}")
    return _ok("database", f"schema {runtime.store.schema_version()}")


def _queue(runtime: Runtime) -> Iterator[Finding]:
    now = runtime.clock.now()
    with runtime.store.read() as session:
        depth = agenda.depth(session, now)
        troubled = agenda.troubled(session)
        refused = intents.refused(session)
        aside = intake.bad_events(session)
    late = {name: (count, since) for name, (count, since) in depth.items() if now - since > LATE}
    for name, (count, since) in late.items():
        yield _warning(
            "agenda",
            f"{count} deals of {name} wait to be looked at, the first since {since:%Y-%m-%d %H:%M} UTC.",
            "Is `aurevoir serve` running? The account's other findings may say what holds it up.",
        )
    for row in troubled[:5]:
        yield _warning("agenda", f"deal {row.deal_id} of {row.account}: {row.trouble}", "It is tried again by itself.")
    for intent in refused[:5]:
        yield Finding(
            "writes",
            Level.FAULT,
            f"a {intent.kind} of case {intent.case_id[:8]} was refused: {intent.reason}",
            f"Mend the reason, then: aurevoir cases retry {intent.case_id[:8]}",
        )
    if aside:
        yield _warning(
            "deliveries",
            f"{len(aside)} events could not be read, the last one: {aside[0].reason}",
            "Nothing is lost where polling is on; tell us if it goes on.",
        )
    if not (late or troubled or refused or aside):
        yield _ok("agenda", "nothing is late, nothing failed")


# --- one account ----------------------------------------------------------------------------------------------------


def _account(runtime: Runtime, account: Account) -> Iterator[Finding]:
    now = runtime.clock.now()
    with runtime.store.read() as session:
        row = accounts.get(session, account.name)
    yield from _playbook(account, runtime.library.playbook(account.config.playbook))
    yield from _standing(account, row)
    try:
        yield from account.crm().check()
        account.forget_known()
        account.rules()
    except ConfigError as error:
        for fault in error.faults:
            seen = f"{fault.value}: " if fault.value else ""
            yield Finding(fault.key, Level.FAULT, f"{seen}{fault.cure}", "Correct it in the configuration.")
    except AurevoirError as error:
        yield Finding("connection", Level.FAULT, str(error), "Correct the credentials or addresses of this account.")
    else:
        yield _ok("names", "all pipelines, stages and people of the settings were found in the CRM")
        yield from doubtful_people(account.name, account.config, tuple(account.users().values()))
    if row is not None and row.started_at is not None:
        yield from _heartbeat(account, row, now - 3 * account.config.poll_every)


def _playbook(account: Account, playbook: Playbook) -> Iterator[Finding]:
    spoken = account.config.language.partition("-")[0]
    if spoken in playbook.languages:
        yield _ok("playbook", f"{playbook.key}, version {playbook.version}")
        return
    yield _warning(
        "playbook",
        f"{playbook.key} has no texts in {account.config.language}: {playbook.languages[0]} is used.",
        f"Set language to one of {', '.join(playbook.languages)}, or add a playbook of your own in playbooks_dir.",
    )


def _standing(account: Account, row: AccountRow | None) -> Iterator[Finding]:
    if row is None or row.started_at is None:
        remedy = f"aurevoir provision --account {account.name}"
        yield Finding("switch-on", Level.FAULT, "not switched on: nothing is watched yet.", remedy)
        return
    yield _ok("switch-on", f"watched since {row.started_at:%Y-%m-%d %H:%M} UTC")
    if row.trouble is not None:
        yield Finding("work", Level.FAULT, row.trouble, "It is tried again by itself; the other findings say more.")
    if row.paused_at is not None:
        yield _warning("work", f"paused since {row.paused_at:%Y-%m-%d %H:%M} UTC.", "Resume it when you are ready.")


def _heartbeat(account: Account, row: AccountRow, polled_before: datetime) -> Iterator[Finding]:
    if row.polled_at is None or row.polled_at < polled_before:
        last = f"{row.polled_at:%Y-%m-%d %H:%M} UTC" if row.polled_at else "never"
        yield _warning("polling", f"last polled: {last}.", "Is `aurevoir serve` running?")
    else:
        yield _ok("polling", f"last at {row.polled_at:%Y-%m-%d %H:%M} UTC")
    if not account.adapter.webhook_secrets(account.config.vendor):
        yield _ok("webhooks", "not set up: changes are found by polling alone")
    elif row.pushed_at is None:
        yield _warning(
            "webhooks",
            "none has come yet; whether they are subscribed cannot be seen from here.",
            "Move a deal in the CRM and check again; if none comes, set them up as the documentation says.",
        )
    else:
        yield _ok("webhooks", f"the last one came at {row.pushed_at:%Y-%m-%d %H:%M} UTC")


def _ok(subject: str, text: str) -> Finding:
    return Finding(subject, Level.OK, text)


def _warning(subject: str, text: str, remedy: str) -> Finding:
    return Finding(subject, Level.WARNING, text, remedy)
