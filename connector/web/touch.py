"""Where a former customer says what they want to hear from us, until when, and when to be asked again (P-51, P-55).

Opening the page changes nothing; one click does, and the last one counts. What they chose is kept as an answer of
theirs, and their deal is looked at.
"""

from __future__ import annotations

from datetime import date, timedelta

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from connector.store import agenda, intake
from connector.web import languages
from connector.web.answering import SealedForm
from connector.web.case_pages import CasePage, closed, open_page
from connector.web.runtime import Runtime
from workflows.dates import day_said, local_date, zone
from workflows.door import TOUCH, Hear
from workflows.questions import Answer, AnswerValue
from workflows.rules import LinkKind
from workflows.texts import date_words

log = structlog.get_logger(__name__)

SPANS = {"half": 183, "one": 365, "two": 730}
"""For how many days news may be wanted."""
FARTHEST = timedelta(days=1830)


class TouchDesk:
    """Shows the page and takes what people choose."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def form(self, token: str) -> ResponseReturnValue:
        """Show the page, or take a choice."""
        page = open_page(self._runtime, LinkKind.TOUCH, token)
        if page.is_over:
            return closed(page, render_template)
        return self._take(page) if request.method == "POST" else self._render(page)

    def too_often(self, _limit: object = None) -> Response:
        """Say so to someone who sends too often."""
        page = open_page(self._runtime, LinkKind.TOUCH, (request.view_args or {})["token"])
        wait = languages.say("This form was sent many times just now. Please wait a minute, then send it again.")
        response = make_response(self._render(page, 429, notice=wait))
        response.headers["Retry-After"] = "60"
        return response

    def _take(self, page: CasePage) -> ResponseReturnValue:
        sealed = SealedForm(meta={"csrf_context": (self._runtime.links, page.link.id)})
        if not sealed.validate():
            again = languages.say("Please choose once more: nothing has been changed yet.")
            return self._render(page, 400, notice=again)
        values, problem = self._read(page)
        if problem:
            return self._render(page, 422, notice=problem)
        try:
            self._save(page, values)
        except SQLAlchemyError as error:
            log.error("a choice could not be saved", account=page.link.account, case=page.case.id, exc_info=error)
            sorry = languages.say("We could not save your choice just now. Please try again in a minute.")
            return self._render(page, 503, notice=sorry)
        return redirect(url_for(".form", token=page.token, lang=languages.current(), saved=1), 303)

    def _read(self, page: CasePage) -> tuple[dict[str, AnswerValue], str]:
        """What will count from now on, and what is wrong with what was sent."""
        values = dict(self._chosen(page))
        hear = request.form.get("hear", "")
        if hear in tuple(Hear):
            values = {name: value for name, value in values.items() if name == "again" and hear != Hear.NOTHING}
            values["hear"] = hear
            if hear == Hear.NEWS:
                days = SPANS.get(request.form.get("span", ""), SPANS["one"])
                values["until"] = (self._today(page) + timedelta(days=days)).isoformat()
            return values, ""
        day, today = day_said(request.form.get("again", "")), self._today(page)
        if day is None:
            return {}, languages.say("Please choose a day, then send it again.")
        if not today < day <= today + FARTHEST:
            return {}, languages.say("Please choose a day between tomorrow and five years from now.")
        return values | {"again": day.isoformat()}, ""

    def _save(self, page: CasePage, values: dict[str, AnswerValue]) -> None:
        now = self._runtime.clock.now()
        answer = Answer(
            case_id=page.case.id,
            contact_id=page.link.contact_id,
            questionnaire=TOUCH,
            by="customer",
            language=languages.current(),
            at=now,
            values=values,
        )
        with self._runtime.store.write() as session:
            link = intake.link(session, page.link.id)
            before = intake.answer(session, page.link.id)
            is_new = before is None or values != dict(intake.to_answer(before).values)
            if link is not None and link.closed_at is None and is_new:
                intake.save_answer(session, link, answer)
                agenda.put(session, link.account, [agenda.Entry(page.case.deal_id, now, "choice")])
        log.info("choice saved", account=page.link.account, case=page.case.id)
        self._runtime.engine.nudge(page.link.account)

    def _chosen(self, page: CasePage) -> dict[str, AnswerValue]:
        with self._runtime.store.read() as session:
            row = intake.answer(session, page.link.id)
        return dict(intake.to_answer(row).values) if row is not None else {}

    def _today(self, page: CasePage) -> date:
        tz = zone(page.account.config.time_zone if page.account is not None else "UTC")
        return local_date(self._runtime.clock.now(), tz)

    def _render(self, page: CasePage, status: int = 200, notice: str = "") -> ResponseReturnValue:
        values, today, language = self._chosen(page), self._today(page), languages.current()
        until, again = day_said(values.get("until")), day_said(values.get("again"))
        html = render_template(
            "touch.html",
            page=page,
            hear=values.get("hear", ""),
            until=date_words(until, language) if until is not None else "",
            is_over=until is not None and until < today,
            again=date_words(again, language) if again is not None else "",
            again_day=again.isoformat() if again is not None else "",
            first_day=(today + timedelta(days=1)).isoformat(),
            last_day=(today + FARTHEST).isoformat(),
            saved=bool(request.args.get("saved")) and not notice,
            notice=notice,
            seal=self._runtime.links.form_seal(page.link.id),
            address=url_for(".form", token=page.token),
        )
        return html, status


def make_touch(runtime: Runtime) -> tuple[TouchDesk, Blueprint]:
    """``/touch/<token>``."""
    desk = TouchDesk(runtime)
    blueprint = Blueprint("touch", __name__)
    blueprint.add_url_rule("/touch/<token>", "form", desk.form, methods=["GET", "POST"])
    return desk, blueprint
