"""Takes an answer in: kept and put on its deal's agenda in one transaction, whoever brings it."""

from __future__ import annotations

from enum import StrEnum

import structlog
from sqlalchemy.exc import IntegrityError

from connector.store import agenda, intake
from connector.web.runtime import Runtime
from workflows.asking import is_own_view
from workflows.questions import Answer, Questionnaire

log = structlog.get_logger(__name__)


class Taken(StrEnum):
    """What became of an answer.

    KEPT: the team's own view stays as it was, since others have answered meanwhile (P-39). REPEATED: this delivery was
    taken before. OLDER: a newer answer of the same person is here already.
    """

    SAVED = "saved"
    UNCHANGED = "unchanged"
    CLOSED = "closed"
    KEPT = "kept"
    REPEATED = "repeated"
    OLDER = "older"


def take_answer(
    runtime: Runtime, link_id: str, questionnaire: Questionnaire, answer: Answer, *, delivery: str | None = None
) -> Taken:
    """Keep an answer that came through this link; ``delivery`` is the id under which another survey tool sent it.

    Nothing is kept of an answer that is closed, kept, repeated or older. Raises SQLAlchemyError when the database
    cannot take it now.
    """
    try:
        taken = _take(runtime, link_id, questionnaire, answer, delivery)
    except IntegrityError:  # the same one, sent twice at once: the other made the row
        taken = _take(runtime, link_id, questionnaire, answer, delivery)
    if taken is Taken.SAVED:
        with runtime.store.read() as session:
            link = intake.link(session, link_id)
        account = link.account if link is not None else ""
        log.info("answer saved", account=account, case=answer.case_id, questionnaire=answer.questionnaire)
        runtime.engine.nudge(account)
    return taken


def _take(runtime: Runtime, link_id: str, questionnaire: Questionnaire, answer: Answer, delivery: str | None) -> Taken:
    now = runtime.clock.now()
    with runtime.store.write() as session:
        link = intake.link(session, link_id)
        deal_id = intake.deal_of(session, answer.case_id)
        if link is None or deal_id is None or link.closed_at is not None:
            return Taken.CLOSED
        if delivery is not None and not intake.take_once(session, link.account, delivery, now):
            return Taken.REPEATED
        link = intake.keep_own_link(session, link, answer.author)
        before = intake.answer(session, link.id)
        if before is not None:
            if dict(intake.to_answer(before).values) == dict(answer.values):
                return Taken.UNCHANGED
            if is_own_view(questionnaire) and intake.others_answered(session, answer.case_id):
                return Taken.KEPT
            if delivery is not None and answer.at < before.at:
                return Taken.OLDER
        elif not answer.values:
            return Taken.UNCHANGED
        intake.save_answer(session, link, answer, now)
        agenda.put(session, link.account, [agenda.Entry(deal_id, now, "answer")])
    return Taken.SAVED
