"""The console's pages on what happens: accounts, cases, the check-up, what failed, playbooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from adapters.errors import AurevoirError
from adapters.offers import Consenting
from connector import casework, operations
from connector.account import Account
from connector.bootstrap import Runtime
from connector.presence import SERVE
from connector.store import accounts, agenda, case_search, doings, failed, pauses, record_log
from connector.web import languages
from connector.web.console import Console, guard, sentence
from connector.web.console_cases import add_cases, tell_retried
from connector.web.console_check import add_check
from workflows.survey import wording

MOST_LINES = 500
"""Lines of one record's log that a page shows, the newest; `aurevoir cases log` prints all of them."""


def make_blueprint(console: Console) -> Blueprint:
    """Everything but signing in and setting up."""
    blueprint = guard(Blueprint("console_pages", __name__, url_prefix="/console"), console)
    _add_accounts(blueprint, console)
    add_cases(blueprint, console)
    _add_lists(blueprint, console)
    add_check(blueprint, console)

    @blueprint.get("/<path:_unknown>")
    def unknown(_unknown: str) -> ResponseReturnValue:
        abort(404)

    return blueprint


# --- accounts -------------------------------------------------------------------------------------------------------


def _add_accounts(blueprint: Blueprint, console: Console) -> None:
    runtime = console.runtime

    @blueprint.get("/")
    def overview() -> ResponseReturnValue:
        now = runtime.clock.now()
        with runtime.store.read() as db:
            rows = {name: accounts.get(db, name) for name in runtime.accounts}
            depth = agenda.depth(db, now)
        return console.page(
            "overview.html",
            standings=operations.standings(runtime),
            rows=rows,
            depth=depth,
            states={name: _state(account, rows[name]) for name, account in runtime.accounts.items()},
            in_browser={name for name, account in runtime.accounts.items() if in_browser(account)},
            at_work=runtime.store.is_held(SERVE),
            trouble=runtime.reloader.trouble,
            waiting=runtime.reloader.waiting,
        )

    @blueprint.post("/accounts/<name>/<any(pause, resume):what>")
    def change_account(name: str, what: str) -> ResponseReturnValue:
        if name not in runtime.accounts:
            abort(404)
        try:
            if what == "pause":
                operations.pause_account(runtime, name)
                flash(languages.say("The account is paused: nothing is read or written until it goes on."))
            else:
                operations.resume_account(runtime, name)
                flash(languages.say("The account goes on where it was."))
            console.note(f"account {what}d in the console", account=name)
        except AurevoirError as error:
            flash(sentence(error), "trouble")
        return redirect(url_for(".overview"), 303)


def in_browser(account: Account) -> bool:
    """Whether an admin connects it by consent in the browser."""
    adapter = account.adapter
    return isinstance(adapter, Consenting) and adapter.consent.wanted(account.config.vendor)


def _state(account: Account, row: Any) -> str:
    if accounts.is_taken_out(row):
        return "taken out"
    if row is None or row.started_at is None:
        return "set up" if account.config.watch else "new"
    if row.paused_at is not None:
        return "paused"
    return "trouble" if row.trouble is not None else "works"


# --- lists ----------------------------------------------------------------------------------------------------------


def _add_lists(blueprint: Blueprint, console: Console) -> None:
    runtime = console.runtime

    @blueprint.get("/log")
    def log() -> ResponseReturnValue:
        record, account = request.args.get("record", "").strip(), request.args.get("account", "")
        kind = request.args.get("kind", "")
        with runtime.store.read() as db:
            if not record:
                events, total = doings.latest(db), None
            else:
                kind = kind if kind in record_log.KINDS else ""
                found = record_log.of_record(db, record, kind=kind, account=account or None)
                events, total = found[: -MOST_LINES - 1 : -1], len(found)
            return console.page(
                "log.html",
                events=events,
                total=total,
                record=record,
                kind=kind,
                kinds=record_log.KINDS,
                account=account,
            )

    @blueprint.get("/failed")
    def failed_list() -> ResponseReturnValue:
        with runtime.store.read() as db:
            found = failed.listing(db)
        return console.page("failed.html", found=found, cases={one.case_id for one in found if one.case_id})

    @blueprint.post("/failed/retry")
    def retry_write() -> ResponseReturnValue:
        account, key = request.form.get("account", ""), request.form.get("key", "")
        try:
            again = casework.retry_write(runtime, account, key)
            console.note("a refused write is tried again", detail=key, account=account)
            tell_retried(again=again, outdated=not again)
        except AurevoirError as error:
            flash(sentence(error), "trouble")
        return redirect(url_for(".failed_list"), 303)

    @blueprint.get("/playbooks")
    def playbook_list() -> ResponseReturnValue:
        with runtime.store.read() as db:
            used = case_search.playbooks_in_use(db)
            held = {name: pauses.playbooks(db, name) for name in runtime.accounts}
        shown = {
            key: {
                "playbook": one,
                "title": wording(one.title, languages.current(), one.languages),
                "accounts": [name for name, account in runtime.accounts.items() if key in chosen_by(account)],
                "versions": [row for row in used if row[1] == key],
                "held": {name: held[name][key] for name in held if key in held[name]},
            }
            for key, one in sorted(runtime.library.playbooks.items())
        }
        return console.page("playbooks.html", shown=shown, gone=_gone_playbooks(runtime, used, held))

    @blueprint.post("/playbooks/<key>/<any(pause, resume):what>")
    def change_playbook(key: str, what: str) -> ResponseReturnValue:
        chosen = [name for name in request.form.getlist("account") if name in runtime.accounts]
        try:
            if what == "pause":
                changed = operations.pause_playbook(runtime, key, chosen)
                flash(languages.say("The playbook is paused there: its cases stay as they are."))
            else:
                changed = list(operations.resume_playbook(runtime, key, chosen))
                flash(languages.say("The playbook's cases go on."))
            for name in changed:
                console.note(f"playbook {what}d in the console", detail=key, account=name)
        except AurevoirError as error:
            flash(sentence(error), "trouble")
        return redirect(url_for(".playbook_list"), 303)


def _gone_playbooks(
    runtime: Runtime, used: Sequence[tuple[str, str, str, int, int]], held: Mapping[str, Mapping[str, datetime]]
) -> dict[str, dict[str, Any]]:
    """Playbooks that left the library while cases follow them, or while they are paused; by name."""
    gone: dict[str, dict[str, Any]] = {}
    for account, key, _, open_now, _ in used:
        if key not in runtime.library.playbooks and open_now and account in runtime.accounts:
            one = gone.setdefault(key, {"open": {}, "held": {}})
            one["open"][account] = one["open"].get(account, 0) + open_now
    for account, paused in held.items():
        for key, since in paused.items():
            if key not in runtime.library.playbooks:
                one = gone.setdefault(key, {"open": {}, "held": {}})
                one["open"].setdefault(account, 0)
                one["held"][account] = since
    return dict(sorted(gone.items()))


def chosen_by(account: Account) -> set[str]:
    """The playbooks that the account's settings name."""
    config = account.config
    named = {config.playbook, *(choice.playbook for choice in config.playbooks)}
    return named | {one for one in (config.save_playbook, config.baseline_playbook) if one is not None}
