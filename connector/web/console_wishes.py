"""What leavers asked for (P-52): their words, the wishes made of them, what became of each, and who was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector.web import languages
from connector.web.console import Console, guard, known_account
from workflows.dates import day_said, local_date, zone
from workflows.survey import clean_text

if TYPE_CHECKING:  # what gathers is loaded when somebody looks: a start does without
    from connector.store.door import Voice

A_PAGE = 50
"""Words without a wish that one page shows, the newest first."""
MOST_TEXT = 300
NEW = "new"


def make_blueprint(console: Console) -> Blueprint:
    """``/console/wishes``."""
    blueprint = guard(Blueprint("console_wishes", __name__, url_prefix="/console/wishes"), console)
    runtime = console.runtime

    @blueprint.get("/")
    def wishes() -> ResponseReturnValue:
        names = list(runtime.accounts)
        name = request.args.get("account") or (names[0] if names else "")
        return _page(console, known_account(console, name).name if name else "", names)

    @blueprint.post("/<name>/gather")
    def gather(name: str) -> ResponseReturnValue:
        return _gather(console, name)

    @blueprint.post("/<name>/<int:wish>/<any(built, declined):what>")
    def settle(name: str, wish: int, what: str) -> ResponseReturnValue:
        return _settle(console, name, wish, what)

    return blueprint


def _gather(console: Console, name: str) -> ResponseReturnValue:
    """Words that were ticked become a new wish, or join one that there is."""
    from connector.door import NoSuchWish, add, gather

    runtime = console.runtime
    account, now = known_account(console, name), runtime.clock.now()
    voices, wish = _chosen(console, name), request.form.get("wish", NEW)
    text = clean_text(request.form.get("text", ""))[:MOST_TEXT]
    if wish == NEW and not text:
        problem = languages.say("Write what they asked for, as customers will read it.")
        return _page(console, name, list(runtime.accounts), problem=problem), 422
    if wish != NEW and not voices:
        problem = languages.say("Choose the words that ask for this wish.")
        return _page(console, name, list(runtime.accounts), problem=problem), 422
    try:
        if wish == NEW:
            number = add(runtime.store, name, text, voices, now)
        else:
            number = int(wish) if wish.isdecimal() else 0
            gather(runtime.store, name, number, voices, now)
            runtime.engine.nudge(account.name)
    except NoSuchWish:
        abort(404)
    console.note("words gathered into a wish", str(number), account=name)
    flash(languages.say("The wish is in the ledger."))
    return redirect(_address(name, number), 303)


def _settle(console: Console, name: str, wish: int, what: str) -> ResponseReturnValue:
    """A wish was built, or declined, on a day that is not to come."""
    from connector.door import NoSuchWish, decline, deliver

    runtime = console.runtime
    account, now = known_account(console, name), runtime.clock.now()
    note = clean_text(request.form.get("note", ""))
    on = day_said(request.form.get("on", ""))
    if on is None or on > local_date(now, zone(account.config.time_zone)):
        problem = languages.say("Give the day, today or before: customers are told once it is there.")
        return _page(console, name, list(runtime.accounts), problem=problem, troubled=wish), 422
    try:
        if what == "built":
            deals = deliver(runtime.store, name, wish, now, on=on, note=note)
            runtime.engine.nudge(name)
            told = languages.say("It is noted. Customers whose owner gets a task to tell them: %(num)d.")
            flash(told % {"num": len(deals)})
        elif decline(runtime.store, name, wish, now, on=on, note=note):
            flash(languages.say("It is noted as declined. Nobody is told, and it may still be built one day."))
        else:
            flash(languages.say("It is there already, and customers were told."), "trouble")
    except NoSuchWish:
        abort(404)
    console.note(f"wish marked as {what}", str(wish), account=name)
    return redirect(_address(name, wish), 303)


def _address(name: str, wish: int) -> str:
    return url_for("console_wishes.wishes", account=name, _anchor=f"wish-{wish}")


def _page(console: Console, name: str, names: Sequence[str], problem: str = "", troubled: int | None = None) -> str:
    from connector.door import ledger, told

    runtime = console.runtime
    if not name:
        return console.page("wishes.html", name="", names=names, ledger=None)
    kept = ledger(runtime.store, name, runtime.library.questionnaires)
    today = local_date(runtime.clock.now(), zone(runtime.accounts[name].config.time_zone))
    return console.page(
        "wishes.html",
        name=name,
        names=names,
        ledger=kept,
        told=told(runtime.store, name, kept.lines, runtime.library.playbooks.values()),
        shown=[(_key(voice), voice) for voice in kept.unsorted[:A_PAGE]],
        chosen=request.form.getlist("voice"),
        text=request.form.get("text", ""),
        note=request.form.get("note", ""),
        today=today.isoformat(),
        problem=problem,
        troubled=troubled,
        settled=lambda wish: wish.settled_on or wish.delivered_at or wish.declined_at,
    )


def _key(voice: Voice) -> str:
    return f"{voice.link_id}|{voice.question}"


def _chosen(console: Console, name: str) -> list[Voice]:
    """The words that were ticked and belong to no wish yet."""
    from connector.store.door import voices

    ticked = set(request.form.getlist("voice"))
    with console.runtime.store.read() as session:
        return [voice for voice in voices(session, name, unsorted=True) if _key(voice) in ticked]
