"""The part of the check-up on one account's access: its token, and what its CRM says (P-73). One cause is told once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from adapters.errors import AdapterError, AurevoirError, ConfigError, ConsentEnded, CredentialsInvalid
from adapters.offers import Consenting
from adapters.results import Finding, Level, Said
from adapters.tokens import ENDED
from connector.account import Account, OtherAccount
from connector.bootstrap import Runtime
from connector.resolve import doubtful_people
from connector.store import accounts
from connector.store.tables import AccountRow

STALE_TOKEN = timedelta(days=3)
"""Tokens are renewed daily."""


def access(runtime: Runtime, account: Account, now: datetime) -> Iterator[Finding]:
    """Whether the CRM lets us in, and has what the settings name; what it says is as fresh as its answers."""
    for finding in _token(runtime, account, now):
        yield finding
        if finding.level is Level.FAULT:
            return
    faults: list[str] = []
    try:
        for finding in account.crm().check():
            faults += [finding.text] if finding.level is Level.FAULT else []
            yield finding
        account.forget_known()
        account.rules()
    except ConfigError as error:
        for fault in error.faults:
            seen = f"{fault.value}: " if fault.value else ""
            yield Finding(fault.key, Level.FAULT, f"{seen}{fault.cure}", Said("Correct it in the configuration."))
    except AurevoirError as error:
        told = error.message if isinstance(error, AdapterError) else str(error)
        if told not in faults and not (faults and isinstance(error, CredentialsInvalid)):
            yield Finding("connection", Level.FAULT, told, _cure(error, account))
    else:
        yield ok("names", Said("all pipelines, stages and people of the settings were found in the CRM"))
        yield from doubtful_people(account.name, account.config, tuple(account.users().values()))


def _cure(error: AurevoirError, account: Account) -> str:
    if isinstance(error, OtherAccount):
        return Said("Nothing else can be checked before that.")
    if isinstance(error, ConsentEnded):
        return f"aurevoir connect {account.name}"
    return Said("Correct the credentials or addresses of this account.")


def trouble(row: AccountRow | None, faults: list[str]) -> Iterator[Finding]:
    """Why the last round of work had to stop, unless the check has just found the same."""
    if row is None or row.trouble is None or row.started_at is None:
        return
    if not any(text in row.trouble for text in faults):
        remedy = Said("It is tried again by itself; the other findings say more.")
        yield Finding("work", Level.FAULT, row.trouble, remedy)


def _token(runtime: Runtime, account: Account, now: datetime) -> Iterator[Finding]:
    """How old a stored token is. Those of the browser are renewed daily, and lapse after weeks without."""
    adapter = account.adapter
    in_browser = isinstance(adapter, Consenting) and adapter.consent.wanted(account.config.vendor)
    with runtime.store.read() as session:
        row = accounts.token(session, account.name)
    if not in_browser:
        yield ok("token", Said("from the settings: it is yours to renew, twice a year is a good habit"))
    elif row is None:
        yield Finding(
            "token", Level.FAULT, Said("the account is not connected yet."), f"aurevoir connect {account.name}"
        )
    elif (sealed := _sealed(account)) is not None:
        remedy = Said(
            "With the earlier secret in place nothing more is to be done; else: aurevoir connect %(account)s",
            account=account.name,
        )
        yield Finding("token", Level.FAULT, sealed, remedy)
    elif ENDED in row.facts:
        return  # what the CRM says of it follows, when it is asked
    elif now - row.saved_at > STALE_TOKEN:
        text = Said(
            "last renewed on %(day)s; a consent that nobody uses for 30 days may lapse.", day=f"{row.saved_at:%Y-%m-%d}"
        )
        remedy = Said(
            "Start `aurevoir serve`, which renews it daily; else: aurevoir connect %(account)s", account=account.name
        )
        yield warning("token", text, remedy)
    else:
        yield ok("token", Said("renewed at %(at)s", at=at(row.saved_at)))


def _sealed(account: Account) -> str | None:
    """Why the stored token cannot be opened with our keys; None: it can."""
    try:
        account.services.tokens.load()
    except CredentialsInvalid as error:
        return error.message
    return None


def at(moment: datetime | None) -> str:
    """The moment for people."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment is not None else Said("never")


def ok(subject: str, text: str) -> Finding:
    """All is well with it."""
    return Finding(subject, Level.OK, text)


def warning(subject: str, text: str, remedy: str) -> Finding:
    """Worth reading, and no fault."""
    return Finding(subject, Level.WARNING, text, remedy)
