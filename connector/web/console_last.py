"""The last two pages of the set-up: the rehearsal, and the switch-on with the choice that goes with it (P-70, P-71)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from babel.dates import format_timedelta
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from pydantic import TypeAdapter

from adapters.errors import AurevoirError
from adapters.offers import Installing
from connector import switch_on
from connector.account import Account
from connector.jobs import Job, Jobs, Tell
from connector.provisioning import require_address
from connector.store import doings
from connector.store.jobs import REHEARSAL
from connector.web import languages
from connector.web.console import Console, known_account, way, words_of
from connector.web.console_jobs import PLACE, follow, loss_of, trouble_of

if TYPE_CHECKING:  # the planner of the past is loaded when somebody rehearses
    from connector.rehearsal import Progress, Rehearsal

A_YEAR = timedelta(days=365)
MOST_TAKEN_IN = 200
MOST_SHOWN = 100
"""A page shows so many plans of a rehearsal; a thousand would make fourteen megabytes. Its files have them."""
_MEDIA = {"html": "text/html", "csv": "text/csv", "json": "application/json"}


def add_last_steps(blueprint: Blueprint, console: Console) -> Blueprint:
    """Add the pages to the set-up's blueprint."""
    jobs = Jobs(
        console.runtime.store,
        console.runtime.vault,
        {REHEARSAL: _rehearsal_shape, "switch-on": lambda: TypeAdapter(switch_on.SwitchedOn)},
    )
    _add_rehearsal(blueprint, console, jobs)
    _add_switch_on(blueprint, console, jobs)
    return blueprint


@cache
def _rehearsal_shape() -> TypeAdapter[Any]:
    from connector.rehearsal import Rehearsal

    return TypeAdapter(Rehearsal)


def _unknown() -> str:
    return languages.say("Something went wrong here. The log has more about it.")


# --- the rehearsal --------------------------------------------------------------------------------------------------


def _add_rehearsal(blueprint: Blueprint, console: Console, jobs: Jobs) -> None:
    runtime = console.runtime

    @blueprint.route("/<name>/rehearsal", methods=["GET", "POST"])
    def rehearsal(name: str) -> ResponseReturnValue:
        account = known_account(console, name)
        today = runtime.clock.now().date()
        since, until = request.form.get("since"), request.form.get("until")
        period = ""
        if request.method == "POST":
            try:
                begin, end = date.fromisoformat(since or ""), date.fromisoformat(until or "") if until else None
            except ValueError:
                period = languages.say("Write both days as in 2026-01-31; the last may stay empty.")
            else:
                if jobs.start(REHEARSAL, name, lambda tell: _rehearse(console, name, begin, end, tell), _unknown()):
                    console.note("rehearsal begun in the console", detail=f"since {begin}", account=name)
                else:
                    flash(
                        languages.say(
                            "A rehearsal is under way already, with the days that were chosen for it: you see it here. "
                            "Start yours when it has ended."
                        )
                    )
                return redirect(url_for(".rehearsal", name=name), 303)
        html = console.page(
            "setup/rehearsal.html",
            account=account,
            since=since or (today - A_YEAR).isoformat(),
            until=until or "",
            period=period,
            place=PLACE,
            **way(name, "rehearsal"),
        )
        language = languages.current()
        return follow(
            html, lambda: jobs.of(REHEARSAL, name), _progress_words, lambda ended: _rehearsed(ended, name, language)
        )

    @blueprint.get("/<name>/rehearsal.<any(html, csv, json):kind>", endpoint="rehearsal_file")
    def kept_rehearsal(name: str, kind: str) -> ResponseReturnValue:
        job = jobs.of(REHEARSAL, known_account(console, name).name)
        if job is None or job.outcome is None:
            abort(404)
        from connector import rehearsal_file as files

        write = {"html": files.as_html, "csv": files.as_csv, "json": files.as_json}[kind]
        answer = Response(write(job.outcome, languages.current()), content_type=f"{_MEDIA[kind]}; charset=utf-8")
        answer.headers["Content-Disposition"] = f'attachment; filename="rehearsal-{name}.{kind}"'
        return answer


def _rehearse(console: Console, name: str, since: date, until: date | None, tell: Tell) -> Rehearsal:
    from connector.rehearsal import rehearse_account

    def on_progress(now: Progress) -> None:
        tell(now.step, now.done, now.total)

    outcome = rehearse_account(console.runtime, name, since, until, on_progress)
    with console.runtime.store.write() as db:
        doings.rehearsed(db, name, console.runtime.clock.now())
    return outcome


def _progress_words(step: str, done: int, total: int | None) -> str:
    words = {
        "finding": languages.say("Looking for deals that ended then: %d found"),
        "reading": languages.say("Reading how they were: %d"),
        "planning": languages.say("Making their plans: %d"),
    }.get(step, f"{step.replace('%', '')}: %d")
    return words % done + (languages.say(" of %d") % total if total is not None else "")


def _rehearsed(job: Job, name: str, language: str) -> str:
    """The outcome as a part of the page."""
    from connector.rehearsal_file import view

    shown = replace(view(job.outcome, language), most=MOST_SHOWN) if job.outcome is not None else None
    return render_template(
        "console/setup/rehearsed.html", view=shown, trouble=trouble_of(job), loss=loss_of(job), name=name
    )


# --- the switch-on --------------------------------------------------------------------------------------------------


def _add_switch_on(blueprint: Blueprint, console: Console, jobs: Jobs) -> None:
    @blueprint.route("/<name>/switch-on", methods=["GET", "POST"], endpoint="switch_on")
    def switching(name: str) -> ResponseReturnValue:
        account = known_account(console, name)
        job = jobs.of("switch-on", name)
        watching = job is not None and (not job.ended or "begun" in request.args)
        if request.method == "POST":
            faults = _ready(console, account)
            if not faults:
                most = request.form.get("most", 0, type=int) if request.form.get("older") == "take" else 0
                most = max(0, min(most, MOST_TAKEN_IN))
                if jobs.start("switch-on", name, lambda tell: _switch(console, name, most, tell), _unknown()):
                    console.note("switched on in the console", detail=f"up to {most} older endings", account=name)
                else:
                    flash(
                        languages.say(
                            "A switch-on is under way already, with what was chosen for it: you see it here. What you "
                            "chose just now was not begun."
                        ),
                        "trouble",
                    )
                return redirect(url_for(".switch_on", name=name, begun=1), 303)
            shown: dict[str, Any] = {"faults": faults}
        else:
            shown = {"faults": []} if watching else _offered(console, account)
        html = console.page(
            "setup/switch_on.html",
            account=account,
            on=account.is_switched_on(),
            most=MOST_TAKEN_IN,
            place=PLACE,
            **way(name, "switch_on"),
            **shown,
        )
        if request.method == "POST":
            return html, 422
        if not watching:
            return html
        return follow(html, lambda: jobs.of("switch-on", name), _deploy_words, lambda ended: _switched(ended, account))


def _ready(console: Console, account: Account) -> list[str]:
    """What stands in the way of a switch-on, as far as the settings tell."""
    faults: list[str] = []
    if not account.config.watch:
        unwatched = languages.say("No stages are chosen yet, so nothing would be watched.")
        stages = Markup('<a href="{}">{}</a>').format(
            url_for(".stages", name=account.name), languages.say("Choose the stages")
        )
        faults.append(Markup("{} {}").format(unwatched, stages))
    for require in (partial(require_address, console.runtime), account.require_names):
        try:
            require()
        except AurevoirError as error:
            faults += words_of(error)
    return faults


def _offered(console: Console, account: Account) -> dict[str, Any]:
    """What would be created, and which deals the choice is about."""
    faults = _ready(console, account)
    if faults:
        return {"faults": faults}
    try:
        report = account.provision(dry_run=True)
        found = switch_on.waiting(console.runtime, account)
        return {"report": report, "waiting": found, "installs": isinstance(account.crm(), Installing), "faults": []}
    except AurevoirError as error:
        return {"faults": words_of(error)}


def _switch(console: Console, name: str, most: int, tell: Tell) -> switch_on.SwitchedOn:
    tell("fields", 0, None)
    return switch_on.switch_on(
        console.runtime, name, most, follow=lambda _status, done, total: tell("app", done, total or None)
    )


def _deploy_words(step: str, done: int, total: int | None) -> str:
    """Each part is counted twice: the CRM first looks through all of them, then takes them."""
    if step == "fields":
        return languages.say("Creating our fields in the CRM")
    words = languages.say("The CRM looks through the rest of our app, and takes it: %d")
    return words % done + (languages.say(" of %d") % total if total is not None else "")


def _switched(job: Job, account: Account) -> str:
    """The outcome as a part of the page. A trouble after the switch-on does not undo it."""
    done = job.outcome if isinstance(job.outcome, switch_on.SwitchedOn) else None
    on = account.is_switched_on()
    settles = [{"pipeline": one.pipeline, "held": _held(one.settle_for)} for one in account.config.watch]
    return render_template(
        "console/setup/switched_on.html",
        told=languages.told,
        done=done,
        trouble=trouble_of(job),
        loss=loss_of(job),
        name=account.name,
        on=on,
        settles=settles,
    )


def _held(settle_for: timedelta) -> str:
    if not settle_for:
        return languages.say("at once")
    return format_timedelta(settle_for, threshold=2, granularity="minute", locale=languages.current())
