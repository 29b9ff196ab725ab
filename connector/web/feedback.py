"""Where another survey tool brings its answers: ``POST /feedback/<account>`` (P-38).

As with deliveries of CRMs, there is no session here: a delivery proves itself by its signature. What cannot be taken is
answered with 4xx and a body that says what was seen and what would be right, and nothing of it is kept. A tool repeats
what was not taken, so that a mapping can be mended meanwhile.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from flask import Blueprint, Response, abort, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from connector.metrics import ANSWERS
from connector.store import intake
from connector.store.tables import LinkRow
from connector.survey_settings import OwnToolConfig
from connector.survey_tools import (
    Delivery,
    Problem,
    Unproven,
    Unreadable,
    bring_home,
    is_greeting,
    read_delivery,
    verify_delivery,
)
from connector.taking import Taken, take_answer
from connector.web.deliveries import delivery
from connector.web.runtime import Runtime
from workflows.questions import Answer
from workflows.rules import LinkKind

log = structlog.get_logger(__name__)

MAX_BYTES = 512 * 1024
RETRY_AFTER_SECONDS = 30
SKEW = timedelta(days=1)
"""Nobody answers before they were asked: a moment that lies further back than clocks differ is no moment at all."""
_SAID = {
    Taken.SAVED: "taken",
    Taken.UNCHANGED: "the same answer is here already",
    Taken.REPEATED: "this delivery was taken before",
    Taken.OLDER: "a newer answer of this person is here already",
}


def make_feedback(runtime: Runtime) -> Blueprint:
    """``/feedback/<account>``, for accounts with a survey tool of their own."""
    blueprint = Blueprint("feedback", __name__)

    @blueprint.post("/feedback/<account>")
    def receive(account: str) -> Response:
        tool = _tool_of(runtime, account)
        if tool is None:
            abort(404, "no account of this name takes answers of a survey tool: see surveys.own_tool in the settings")
        request.max_content_length = MAX_BYTES
        sent = delivery(runtime)
        if is_greeting(tool, sent.body):
            return _reply(200, result="somebody is here")
        try:
            delivered = verify_delivery(tool, sent.headers, sent.body)
            found = read_delivery(tool, sent.body)
        except Unproven:
            abort(401, "the signature fits none of the secrets in the settings, or was made over five minutes ago")
        except Unreadable as error:
            abort(400, str(error))
        if found is None:
            return _reply(200, result="left alone: it tells of no finished answer")
        return _take(runtime, account, tool, delivered, found)

    @blueprint.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        status = error.code or 500
        ANSWERS.labels("feedback", str(status)).inc()
        log.warning("an answer of a survey tool was refused", status=status, reason=error.name)
        response = _reply(status, error=error.description or error.name)
        if status == 429:
            response.headers["Retry-After"] = "60"
        return response

    return blueprint


def _tool_of(runtime: Runtime, account: str) -> OwnToolConfig | None:
    known = runtime.accounts.get(account)
    return known.config.surveys.own_tool if known is not None else None


def _take(runtime: Runtime, account: str, tool: OwnToolConfig, delivered: str, found: Delivery) -> Response:
    link = _link(runtime, account, found.case_key)
    if link is None:
        abort(404, "the case key is none of ours: hand {{ case_key }} of the survey link back unchanged")
    questionnaire = runtime.library.questionnaires.get(link.questionnaire)
    if questionnaire is None:
        log.error("a link names a questionnaire that is gone", account=account, questionnaire=link.questionnaire)
        abort(503, "the questionnaire of this link is gone from the settings; send it again later")
    values, problems = bring_home(tool, questionnaire, found.given)
    if problems:
        return _refuse(account, problems)
    now = runtime.clock.now()
    told = found.at if found.at is not None and found.at > link.made_at - SKEW else now
    answer = Answer(
        case_id=link.case_id,
        contact_id=link.contact_id,
        questionnaire=link.questionnaire,
        by="customer",
        language=(found.language or link.language)[:20],
        at=min(told, now),
        values=values,
    )
    try:
        taken = take_answer(runtime, link.id, questionnaire, answer, delivery=delivered)
    except SQLAlchemyError as error:
        log.error("an answer could not be saved", account=account, case=link.case_id, exc_info=error)
        ANSWERS.labels("feedback", "unsaved").inc()
        response = _reply(503, error="the answer could not be kept just now; send it again")
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    ANSWERS.labels("feedback", taken.value).inc()
    if taken is Taken.CLOSED:
        return _reply(410, error="this survey is closed: the offboarding that it belongs to has ended or was cancelled")
    return _reply(200, result=_SAID[taken])


def _link(runtime: Runtime, account: str, case_key: str) -> LinkRow | None:
    link_id = runtime.links.read(LinkKind.SURVEY, case_key)
    if link_id is None:
        return None
    with runtime.store.read() as session:
        link = intake.link(session, link_id)
    return link if link is not None and link.account == account else None


def _refuse(account: str, problems: list[Problem]) -> Response:
    """Nothing of an answer is kept unless all of it can be: its tool will send it again once the mapping is right."""
    ANSWERS.labels("feedback", "422").inc()
    log.warning("answers of a survey tool fit no question", account=account, count=len(problems))
    said = [{"question": one.question, "seen": one.seen, "cure": one.cure} for one in problems]
    return _reply(422, error="these answers fit none of our questions; nothing was kept", problems=said)


def _reply(status: int, **said: object) -> Response:
    response = jsonify(said)
    response.status_code = status
    return response
