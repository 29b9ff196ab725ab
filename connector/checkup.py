"""The check-up (P-73): how everything stands, in words, each with a remedy where it is not well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.errors import ConfigError
from adapters.results import Finding, Level, Said
from connector import former_address
from connector.account import Account
from connector.bootstrap import Runtime
from connector.checkup_access import access, at, ok, trouble, warning
from connector.checkup_address import check_address
from connector.commands.playbook import own_notes
from connector.library import Library
from connector.presence import SERVE
from connector.private import require_private
from connector.store import accounts, agenda, cases, failed, intake, intents
from connector.store.tables import AccountRow
from workflows.dates import calendar, zone
from workflows.rules import Playbook

LATE = timedelta(minutes=15)
"""Work that has been due for longer is worth a word."""
DELIVERY_MARGIN = timedelta(minutes=10)
"""A delivery may come so much later than what it tells of; both clocks may differ a little."""
GROUP = 0o070


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
    if count:
        yield ok("configuration", Said("read; accounts: %(count)d", count=count))
    else:
        remedy = Said("Add one in the console, at /console/ under your address, or under accounts in the settings.")
        yield warning("configuration", Said("read; no account yet, so nothing is watched."), remedy)
    yield _database(runtime)
    yield from _files(runtime)
    yield from _documents(runtime)
    yield from _left_behind(runtime)
    server = runtime.settings.server
    if server.on_loopback:
        yield warning(
            "public address",
            Said("%(url)s is this machine alone: no CRM and no customer can reach it.", url=server.public_url),
            Said("Set server.public_url to the address under which your proxy serves it; on a trial this is fine."),
        )
    else:
        yield from check_address(server.public_url, runtime.clock.now())
    at_work = "`aurevoir serve`" + ("" if runtime.store.is_sqlite else " or `aurevoir worker`")
    if runtime.store.is_held(SERVE):
        yield ok("process", Said("%(command)s runs", command=at_work))
    else:
        remedy = Said("Start %(command)s.", command=at_work)
        yield warning("process", Said("nothing works on this database now."), remedy)


def _files(runtime: Runtime) -> Iterator[Finding]:
    """What stands in files that others of this machine may read: `serve` does not start on these."""
    if runtime.source is None:
        return
    try:
        require_private(runtime.source.path, runtime.store)
    except ConfigError as error:
        for fault in error.faults:
            text = Said("%(file)s: others may read it.", file=fault.value)
            yield Finding("files", Level.FAULT, text, fault.cure)
    else:
        yield ok("files", Said("settings and database are for their owner alone"))


def _database(runtime: Runtime) -> Finding:
    path = runtime.store.path
    if path is not None and path.exists() and path.stat().st_mode & GROUP:
        return warning("database", Said("users of its group may read %(file)s.", file=path), f"chmod 600 {path}")
    return ok("database", Said("schema %(version)s", version=runtime.store.schema_version()))


def _left_behind(runtime: Runtime) -> Iterator[Finding]:
    """What is still kept of accounts that somebody took out of the settings: a sealed token is worth forgetting."""
    with runtime.store.read() as session:
        names = accounts.left_behind(session, runtime.accounts)
    for name in names:
        text = Said(
            "%(account)s is not in the settings any more, and what belongs to it is still kept here, its token "
            "included.",
            account=name,
        )
        remedy = Said(
            "`aurevoir uninstall --account %(account)s` forgets it and says what to delete in the CRM by hand. Or put "
            "it back into the settings.",
            account=name,
        )
        yield warning("accounts", text, remedy)


def _documents(runtime: Runtime) -> Iterator[Finding]:
    """The admin's own playbooks and questionnaires: they are read at the start, and their tone is worth a word."""
    notes = own_notes(runtime.settings)
    for note in notes[:5]:
        remedy = Said("`aurevoir playbook lint` shows all, with a better wording for each.")
        yield warning("playbooks", str(note), remedy)
    if not notes:
        count, forms = len(runtime.library.playbooks), len(runtime.library.questionnaires)
        text = Said("%(count)d playbooks and %(forms)d questionnaires, all usable", count=count, forms=forms)
        yield ok("playbooks", text)


def _queue(runtime: Runtime) -> Iterator[Finding]:
    now = runtime.clock.now()
    with runtime.store.read() as session:
        depth = agenda.depth(session, now)
        troubled = agenda.troubled(session)
        refused = intents.refused(session)
        aside = intake.bad_events(session)
    late = {name: (count, since) for name, (count, since) in depth.items() if now - since > LATE}
    for name, (count, since) in late.items():
        yield warning(
            "agenda",
            Said(
                "deals of %(account)s that wait to be looked at: %(count)d, the first since %(since)s.",
                account=name,
                count=count,
                since=at(since),
            ),
            Said("Is `aurevoir serve` running? The account's other findings may say what holds it up."),
        )
    for row in troubled[:5]:
        text = Said("deal %(deal)s of %(account)s: %(why)s", deal=row.deal_id, account=row.account, why=row.trouble)
        yield warning("agenda", text, Said("It is tried again by itself."))
    for intent in refused[:5]:
        yield Finding(
            "writes",
            Level.FAULT,
            Said(
                "a write (%(kind)s) of case %(case)s was refused: %(why)s",
                kind=intent.kind,
                case=intent.case_id[:8] or "–",
                why=intent.reason,
            ),
            Said("Mend the reason, then try it again in the console, under Failed."),
        )
    if aside:
        yield warning(
            "deliveries",
            Said(
                "events that could not be read: %(count)d, the last one: %(why)s",
                count=len(aside),
                why=aside[0].reason,
            ),
            Said("Nothing is lost where polling is on; tell us if it goes on."),
        )
    if not (late or troubled or refused or aside):
        yield ok("agenda", Said("nothing is late, nothing failed"))


# --- one account ----------------------------------------------------------------------------------------------------


def _account(runtime: Runtime, account: Account) -> Iterator[Finding]:
    now = runtime.clock.now()
    with runtime.store.read() as session:
        row = accounts.get(session, account.name)
    if accounts.is_taken_out(row):
        yield _taken_out(account)
        return
    yield from _playbooks(account, runtime.library)
    yield _calendar(account, now)
    yield from _standing(account, row)
    faults: list[str] = []
    for finding in access(runtime, account, now):
        faults += [finding.text] if finding.level is Level.FAULT else []
        yield finding
    yield from trouble(row, faults)
    yield from _former_addresses(runtime, account)
    yield from _unowned(runtime, account)
    if row is not None and row.started_at is not None:
        yield from _heartbeat(account, row, now)
        yield from _deliveries(runtime, account, row)


def _taken_out(account: Account) -> Finding:
    """All that there is to say: its fields and its access are gone because an admin wanted it so."""
    remedy = Said(
        "Remove it from the settings. Or switch it on again: `aurevoir provision --account %(account)s`.",
        account=account.name,
    )
    return warning("switch-on", Said("taken out with `aurevoir uninstall`: nothing is watched."), remedy)


def _unowned(runtime: Runtime, account: Account) -> Iterator[Finding]:
    """Cases that stand still because nobody active can own their tasks (P-14)."""
    with runtime.store.read() as session:
        waiting = {one.case_id for one in failed.unowned(session, account.name)}
    if waiting:
        text = Said("open cases with tasks that no active user can own: %(count)d.", count=len(waiting))
        remedy = Said(
            "Name an active people.manager in the settings, or give the deals an active owner; their tasks are made "
            "on the next business morning. `aurevoir cases failed` lists them."
        )
        yield Finding("people", Level.FAULT, text, remedy)


def _former_addresses(runtime: Runtime, account: Account) -> Iterator[Finding]:
    """Links in open tasks that hang on an address which was ours before."""
    with runtime.store.read() as session:
        found = former_address.open_tasks(session, runtime.links, account.name)
    for address, count in found.items():
        yield warning(
            "links",
            Said(
                "open tasks with a link under the former address %(url)s: %(count)d. Such links work only while it "
                "still leads here.",
                url=address,
                count=count,
            ),
            Said(
                "Let the former address lead here until these tasks are done. `aurevoir preview` shows a deal's links "
                "as they are now."
            ),
        )


def _playbooks(account: Account, library: Library) -> Iterator[Finding]:
    """Every playbook that the account names, once."""
    config = account.config
    named = (
        config.playbook,
        *(one.playbook for one in config.playbooks),
        config.save_playbook,
        config.baseline_playbook,
    )
    for key in dict.fromkeys(name for name in named if name is not None):
        yield from _playbook(account, library.playbook(key))


def _playbook(account: Account, playbook: Playbook) -> Iterator[Finding]:
    spoken = account.config.language.partition("-")[0]
    if spoken in playbook.languages:
        yield ok("playbook", Said("%(name)s, version %(version)s", name=playbook.key, version=playbook.version))
        return
    yield warning(
        "playbook",
        Said(
            "%(name)s has no texts in %(wanted)s: %(used)s is used.",
            name=playbook.key,
            wanted=account.config.language,
            used=playbook.languages[0],
        ),
        Said(
            "Set language to one of %(known)s, or add a playbook of your own in playbooks_dir.",
            known=", ".join(playbook.languages),
        ),
    )


def _calendar(account: Account, now: datetime) -> Finding:
    """Whether business days can be told for the year to come, where the account is."""
    code, zone_name = account.config.calendar, account.config.time_zone
    try:
        days, here = calendar(code), now.astimezone(zone(zone_name))
    except ValueError as error:
        remedy = Said("Correct calendar or time_zone in the configuration.")
        return Finding("calendar", Level.FAULT, str(error), remedy)
    ahead = (here.date() + timedelta(days=number) for number in range(366))
    off = sum(1 for day in ahead if day.weekday() < 5 and not days.is_business_day(day))
    if off == 0:
        text = Said("%(code)s tells of no public holiday in the next year: tasks would be due on them.", code=code)
        return warning("calendar", text, Said("Update Aurevoir, or set calendar to a country that fits."))
    return ok(
        "calendar",
        Said(
            "%(code)s; holidays on weekdays in the next year: %(count)d; it is %(time)s in %(zone)s",
            code=code,
            count=off,
            time=f"{here:%H:%M}",
            zone=zone_name,
        ),
    )


def _standing(account: Account, row: AccountRow | None) -> Iterator[Finding]:
    if row is None or row.started_at is None:
        remedy = f"aurevoir provision --account {account.name}"
        yield Finding("switch-on", Level.FAULT, Said("not switched on: nothing is watched yet."), remedy)
        return
    yield ok("switch-on", Said("watched since %(at)s", at=at(row.started_at)))
    if row.paused_at is not None:
        text = Said("paused since %(at)s.", at=at(row.paused_at))
        yield warning("work", text, Said("Resume it when you are ready."))


def _heartbeat(account: Account, row: AccountRow, now: datetime) -> Iterator[Finding]:
    if row.polled_at is None or row.polled_at < now - 3 * account.config.poll_every:
        text = Said("last polled: %(at)s.", at=at(row.polled_at))
        yield warning("polling", text, Said("Is `aurevoir serve` running?"))
    else:
        yield ok("polling", Said("last at %(at)s", at=at(row.polled_at)))
    if not accounts.is_well(row, account.config.poll_every, now):
        text = Said("nothing was done for this account since %(at)s.", at=at(row.worked_at or row.started_at))
        remedy = Said("Is `aurevoir serve` running? The other findings may say what is in the way.")
        yield warning("work", text, remedy)


def _deliveries(runtime: Runtime, account: Account, row: AccountRow) -> Iterator[Finding]:
    """Whether webhooks come: the last one, beside the last ending that one should have told of."""
    secrets = account.adapter.webhook_secrets(account.config.vendor)
    if not secrets:
        yield ok("webhooks", Said("not set up: changes are found by polling alone"))
        return
    with runtime.store.read() as session:
        ended = cases.last_entry(session, account.name)
    missed = ended is not None and row.started_at is not None and ended > row.started_at + DELIVERY_MARGIN
    if row.pushed_at is None and not missed:
        yield warning(
            "webhooks",
            Said("none has come yet; whether they are subscribed cannot be seen from here."),
            Said("Move a deal in the CRM and check again; if none comes, set them up as the documentation says."),
        )
    elif missed and ended is not None and (row.pushed_at is None or row.pushed_at < ended - DELIVERY_MARGIN):
        yield warning(
            "webhooks",
            Said(
                "a deal reached a watched stage at %(at)s, and polling found it later; last delivery: %(last)s.",
                at=at(ended),
                last=at(row.pushed_at),
            ),
            Said(
                "Look at the deliveries in the CRM: is the subscription or flow active, and does it send to %(url)s?",
                url=f"{runtime.settings.server.public_url}/webhooks/{account.config.crm}",
            ),
        )
    else:
        yield ok("webhooks", Said("the last one came at %(at)s", at=at(row.pushed_at)))
