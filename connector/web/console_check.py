"""The check-up's page (P-73): begun by a form, followed while it goes on, and there to be read again for an hour."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import TypeAdapter

from adapters.results import Finding, Level, Said
from connector.bootstrap import Runtime
from connector.jobs import Job, Jobs, Tell
from connector.web import languages
from connector.web.console import Console
from connector.web.console_jobs import PLACE, follow, loss_of, trouble_of

KIND, EVERYWHERE = "check", ""
Line = tuple[str, str, Level, Any, Any]
"""A finding as it is kept: account, subject, level, and what is said of it and to be done, still without a language."""


def add_check(blueprint: Blueprint, console: Console) -> None:
    """Add the page to the console's."""
    runtime = console.runtime
    jobs = Jobs(runtime.store, runtime.vault, {KIND: lambda: TypeAdapter(list[Line])})

    @blueprint.get("/check")
    def check() -> ResponseReturnValue:
        html = console.page("check.html", place=PLACE, ran=jobs.of(KIND, EVERYWHERE) is not None)
        return follow(html, lambda: jobs.of(KIND, EVERYWHERE), _words, _checked)

    @blueprint.post("/check")
    def begin_check() -> ResponseReturnValue:
        unknown = languages.say("Something went wrong here. The log has more about it.")
        if not jobs.start(KIND, EVERYWHERE, lambda tell: _lines(runtime, tell), unknown):
            flash(languages.say("A check-up is under way already: you see it here."))
        return redirect(url_for(".check", _anchor=request.form.get("account") or None), 303)


def _lines(runtime: Runtime, tell: Tell) -> list[Line]:
    from connector.checkup import check_up  # loads what looks at certificates, for who asks

    found: list[Line] = []
    for one in check_up(runtime):
        said = one.finding
        found.append((one.account, said.subject, said.level, _kept(said.text), _kept(said.remedy)))
        tell(KIND, len(found), None)
    return found


def _words(_step: str, done: int, _total: int | None) -> str:
    return languages.say("Looked at: %d") % done


def _checked(job: Job) -> str:
    lines: list[Line] = job.outcome or []
    parts = [
        (name, [Finding(subject, level, _said(text), _said(remedy)) for _, subject, level, text, remedy in ones])
        for name, ones in groupby(lines, lambda line: line[0])
    ]
    html: str = render_template(
        "console/checked.html",
        parts=parts,
        trouble=trouble_of(job),
        loss=loss_of(job),
        at=job.begun_at,
        told=languages.told,
    )
    return html


def _kept(value: object) -> Any:
    """A sentence with its parts, as JSON takes it."""
    if isinstance(value, Said):
        return {"said": value.template, "with": {name: _kept(one) for name, one in value.values.items()}}
    return value if isinstance(value, str | int | float) else str(value)


def _said(kept: Any) -> Any:
    if not _is_said(kept):
        return kept
    template, values = kept["said"], kept["with"]
    return Said(template, **{name: _said(one) for name, one in values.items()})


def _is_said(kept: Any) -> bool:
    return isinstance(kept, dict)
