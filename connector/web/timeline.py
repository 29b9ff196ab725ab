"""The customer's own page (P-2A): the steps, days and people of the exit that concern them, and nothing else."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from connector.web import languages
from connector.web.case_pages import CasePage, closed, open_page, stored_rules
from connector.web.runtime import Runtime
from workflows.dates import local_date, zone
from workflows.rules import LinkKind, Quiet
from workflows.texts import date_words, dated_as
from workflows.timeline import Milestone, Stand, stored_look, timeline


def make_blueprint(runtime: Runtime) -> Blueprint:
    """``/timeline/<token>``."""
    blueprint = Blueprint("timeline", __name__)

    @blueprint.get("/timeline/<token>")
    def show(token: str) -> ResponseReturnValue:
        page = open_page(runtime, LinkKind.TIMELINE, token)
        if page.is_over or page.account is None:
            return closed(page, render_template)
        now = runtime.clock.now()
        language = dated_as(languages.current(), page.account.config.calendar)
        lines = _lines(page, runtime)
        end = page.case.contract_end
        today = local_date(now, zone(page.account.config.time_zone))
        return render_template(
            "timeline.html",
            page=page,
            lines=lines,
            stands=Stand,
            contract_end=date_words(end, language) if end is not None else "",
            over=end is not None and end < today,
            part=page.playbook.quiet is Quiet.DEAL,
            days_left=(end - today).days if end is not None else None,
            today=date_words(today, language),
            words=lambda day: date_words(day, language),
        )

    return blueprint


def _lines(page: CasePage, runtime: Runtime) -> tuple[Milestone, ...]:
    assert page.account is not None  # noqa: S101  the caller has looked
    rules = stored_rules(page.account, page.case.playbook)
    look = stored_look(page.case, page.playbook, rules, page.users, runtime.clock.now())
    return timeline(look, page.case, languages.current())
