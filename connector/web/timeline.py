"""The customer's own page (P-2A): the steps, days and people of the exit that concern them, and nothing else."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from connector.web import languages
from connector.web.case_pages import CasePage, closed, open_page
from connector.web.runtime import Runtime
from workflows.dates import local_date, zone
from workflows.rules import AccountRules, ExitRights, LinkKind, PeopleRule
from workflows.texts import date_words
from workflows.timeline import Milestone, Stand, stored_look, timeline


def make_blueprint(runtime: Runtime) -> Blueprint:
    """``/timeline/<token>``."""
    blueprint = Blueprint("timeline", __name__)

    @blueprint.get("/timeline/<token>")
    def show(token: str) -> ResponseReturnValue:
        page = open_page(runtime, LinkKind.TIMELINE, token)
        if page.is_over or page.account is None:
            return closed(page, render_template)
        now, language = runtime.clock.now(), languages.current()
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
            days_left=(end - today).days if end is not None else None,
            today=date_words(today, language),
            words=lambda day: date_words(day, language),
        )

    return blueprint


def _lines(page: CasePage, runtime: Runtime) -> tuple[Milestone, ...]:
    look = stored_look(page.case, page.playbook, _rules(page), page.users, runtime.clock.now())
    return timeline(look, page.case, languages.current())


def _rules(page: CasePage) -> AccountRules:
    """What dates need of the account's rules; names that only the CRM could resolve are left out."""
    assert page.account is not None  # noqa: S101  the caller has looked
    config = page.account.config
    return AccountRules(
        account=page.account.name,
        time_zone=config.time_zone,
        language=config.language,
        calendar=config.calendar,
        watch=(),
        people=PeopleRule(),
        playbook=page.case.playbook,
        our_name=config.company or "",
        exit_rights=ExitRights(**config.exit_rights.model_dump()) if config.exit_rights is not None else None,
    )
