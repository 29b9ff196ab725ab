"""What people see and do of ours inside their CRM: the card on a deal, and starting an offboarding by hand.

A request proves itself as a delivery does, and says which account it is for; only that account's cases are told. The
CRM decides who may open the deal's page; who sees the page sees the card.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from flask import Blueprint, Response, abort, jsonify
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from adapters.errors import AurevoirError, PayloadError, SignatureError
from adapters.offers import Ask, Embedded
from adapters.signals import WebhookAccount, WebhookRequest
from connector.metrics import WEBHOOKS
from connector.sentences import told
from connector.store import accounts, agenda, cases, intake, intents
from connector.store.tables import LinkRow
from connector.survey_links import address
from connector.web.deliveries import delivery, provable_accounts
from connector.web.runtime import Runtime
from workflows.cases import Case, Step, StepStatus
from workflows.feedback import feedback_writes
from workflows.fields import REASON_OPTIONS
from workflows.progress import Progress, progress
from workflows.questions import Answer
from workflows.records import Deal, RecordKind
from workflows.rules import LinkKind
from workflows.survey import wording
from workflows.writes import CreateTask, UpdateFields

log = structlog.get_logger(__name__)

LONGEST_FEEDBACK = 2_000
"""Characters of one answer that the card shows; the note on the deal has it whole."""
RETRY_AFTER_SECONDS = 30
_ENDED = (StepStatus.DONE, StepStatus.NOT_APPLICABLE, StepStatus.CLOSED)
_LINKS: Mapping[LinkKind, Mapping[str, str]] = {
    LinkKind.SURVEY: {"en": "Survey page: {title}", "fr": "Page d’enquête : {title}"},
    LinkKind.INTERVIEW: {"en": "Conversation form: {title}", "fr": "Formulaire d’entretien : {title}"},
    LinkKind.TEAM: {"en": "Our own form: {title}", "fr": "Formulaire interne : {title}"},
    LinkKind.INVENTORY: {"en": "What is the customer's: {title}", "fr": "Ce qui appartient au client : {title}"},
    LinkKind.TIMELINE: {"en": "The customer's page: {title}", "fr": "Page du client : {title}"},
    LinkKind.DOCUMENT: {"en": "Document: {title}", "fr": "Document : {title}"},
    LinkKind.TOUCH: {"en": "What they want to hear: {title}", "fr": "Ce qu’ils souhaitent recevoir : {title}"},
}

Hook = Callable[[WebhookRequest, Sequence[WebhookAccount]], Ask]


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The endpoints of all CRMs that show a card."""
    blueprint = Blueprint("card", __name__, url_prefix="/card")

    @blueprint.get("/<crm>")
    def show(crm: str) -> Response:
        ask = _proven(runtime, crm, _embedded(runtime, crm).asked_for_card)
        return jsonify(case=_told(runtime, ask), not_opened=_refused(runtime, ask)) if isinstance(ask, Ask) else ask

    @blueprint.post("/<crm>/start")
    def start(crm: str) -> Response:
        ask = _proven(runtime, crm, _embedded(runtime, crm).asked_to_start)
        return _start(runtime, crm, ask) if isinstance(ask, Ask) else ask

    return blueprint


def _embedded(runtime: Runtime, crm: str) -> Embedded:
    if not any(account.config.crm == crm for account in runtime.accounts.values()):
        abort(404)
    adapter = runtime.adapters[crm]
    if not isinstance(adapter, Embedded):
        abort(404)
    return adapter


def _proven(runtime: Runtime, crm: str, hook: Hook) -> Ask | Response:
    """The request, verified; or the refusal. It says little, as with deliveries."""
    request = delivery(runtime)
    try:
        return hook(request, provable_accounts(runtime, runtime.adapters[crm], crm))
    except SignatureError as error:
        return _refuse(crm, 401, "the request is not proven to come from an account that is set up here", error)
    except PayloadError as error:
        return _refuse(crm, 400, "the request cannot be read", error)


def _refuse(crm: str, status: int, text: str, error: AurevoirError | SQLAlchemyError) -> Response:
    WEBHOOKS.labels(crm, str(status)).inc()
    log.warning("request from inside the CRM refused", crm=crm, status=status, exc_info=error)
    response = jsonify(error=text)
    response.status_code = status
    return response


# --- starting by hand -----------------------------------------------------------------------------------------------


def _start(runtime: Runtime, crm: str, ask: Ask) -> Response:
    """Put the deal on the agenda, older endings included (P-71). Asking again is the same row, and the same case."""
    now = runtime.clock.now()
    try:
        with runtime.store.write() as session:
            agenda.put(session, ask.account, [agenda.Entry(ask.deal_id, now, "by hand", asked=True)])
    except SQLAlchemyError as error:
        response = _refuse(crm, 503, "the request could not be kept just now; send it again", error)
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    runtime.engine.nudge(ask.account)
    log.info("asked to start", crm=crm, account=ask.account, deal_id=ask.deal_id)
    return Response(ask.reply.body, ask.reply.status, content_type=ask.reply.content_type)


# --- the card -------------------------------------------------------------------------------------------------------


def _refused(runtime: Runtime, ask: Ask) -> str | None:
    """Why no case began that somebody asked for lately, in the reader's language; None: one did, or nobody asked."""
    with runtime.store.read() as session:
        if cases.open_by_deal(session, ask.account, [ask.deal_id]):
            return None
        row = agenda.of_deal(session, ask.account, ask.deal_id)
        last = cases.not_opened(session, ask.account, ask.deal_id, runtime.clock.now() - cases.LATELY)
    if row is not None and row.asked and row.trouble:
        return told(row.trouble, ask.language or "en")
    return told(last.detail, ask.language or "en") if last is not None else None


def _told(runtime: Runtime, ask: Ask) -> dict[str, Any] | None:
    """The deal's open case, or its last one, as the card shows it; None when it never had one. Costs no CRM call."""
    with runtime.store.read() as session:
        deal_ids = [ask.deal_id]
        case = cases.open_by_deal(session, ask.account, deal_ids).get(ask.deal_id) or cases.last_by_deal(
            session, ask.account, deal_ids
        ).get(ask.deal_id)
        if case is None:
            return None
        tasks = _tasks(session, case)
        owners = _owners(session, ask.account)
        answers = intake.answers(session, [case.id]).get(case.id, ())
        far = _how_far(session, case)
    language = ask.language or case.language
    feedback = [told for answer in reversed(answers) if (told := _feedback(runtime, case, answer, language))]
    return {
        "id": case.id,
        "status": case.status.value,
        "paused": case.paused,
        "playbook": f"{case.playbook} {case.playbook_version}".strip(),
        "contract_end": case.contract_end.isoformat() if case.contract_end else None,
        "reason": _reason(case.reason, language) if case.reason else None,
        "done": far.done,
        "all": far.steps,
        "later": sum(step.status is StepStatus.WAITING for step in case.steps),
        "next": list(_next_steps(case, tasks, owners, runtime.clock.now())),
        "feedback": feedback,
        "links": list(_links(runtime, case, tasks, language)),
    }


def _how_far(session: Session, case: Case) -> Progress:
    """How far the case is, as the fields of its deal say (P-29); before its plan began, and for others, all counts."""
    playbook = cases.playbook(session, case.playbook, case.playbook_version)
    return progress(case, playbook, UTC) or Progress(
        done=sum(step.status in _ENDED for step in case.steps),
        steps=sum(step.status is not StepStatus.SKIPPED for step in case.steps),
    )


def _tasks(session: Session, case: Case) -> dict[str, CreateTask]:
    """What was written of the case's tasks, by the task's id in the CRM."""
    found = ((row.record_id, intents.content(row)) for row in intents.of_case(session, case.id) if row.kind == "task")
    return {record_id: content for record_id, content in found if record_id and isinstance(content, CreateTask)}


def _owners(session: Session, account: str) -> dict[str, str]:
    """Names of users as last read from the CRM."""
    row = accounts.get(session, account)
    return {user["id"]: user["name"] for user in row.known.get("users", ())} if row is not None else {}


def _open(case: Case) -> list[Step]:
    """Steps that have a task which is not done, the earliest due first; those of an ended case are nobody's."""
    steps = [step for step in case.steps if step.status is StepStatus.OPEN and step.task_id] if case.is_open else []
    return sorted(steps, key=lambda step: (step.due_at is None, step.due_at))


def _next_steps(
    case: Case, tasks: Mapping[str, CreateTask], owners: Mapping[str, str], now: datetime
) -> Iterator[dict[str, Any]]:
    for step in _open(case):
        task = tasks.get(step.task_id or "")
        yield {
            "title": task.subject if task else step.rule,
            "owner": owners.get(step.owner_id or ""),
            "due_at": step.due_at.isoformat() if step.due_at else None,
            "overdue": step.due_at is not None and step.due_at < now,
            "link": task.link if task else None,
        }


def _links(runtime: Runtime, case: Case, tasks: Mapping[str, CreateTask], language: str) -> Iterator[dict[str, str]]:
    """The case's pages that still take answers, named by their task."""
    with runtime.store.read() as session:
        rows = intake.links_of_case(session, case.id)
    for row in rows:
        kind = LinkKind(row.kind)
        url = _address(runtime, row)
        title = next((task.subject for task in tasks.values() if task.link == url), None)
        if title is None:
            questionnaire = runtime.library.questionnaires.get(row.questionnaire)
            title = wording(questionnaire.title, language, questionnaire.languages) if questionnaire else ""
        text = wording(_LINKS[kind], language, ("en",)).format(title=title)
        yield {"text": text if title else text.rstrip(" :\u00a0\u202f"), "url": url}


def _address(runtime: Runtime, row: LinkRow) -> str:
    """The link as it stands in the CRM."""
    kind, account = LinkKind(row.kind), runtime.accounts.get(row.account)
    if account is None:
        return runtime.links.address(kind, row.case_id, row.contact_id, row.questionnaire)
    given = (kind, row.case_id, row.contact_id, row.questionnaire, row.language)
    return address(runtime.links, account.config, *given)


def _feedback(runtime: Runtime, case: Case, answer: Answer, language: str) -> dict[str, Any] | None:
    """One answer, by the same values that are written onto the deal."""
    questionnaire = runtime.library.questionnaires.get(answer.questionnaire)
    if questionnaire is None:
        return None
    writes = feedback_writes(case, questionnaire, answer, Deal(id=case.deal_id), runtime.clock.now())
    values = next(
        (w.values for w in writes if isinstance(w, UpdateFields) and w.target.kind is RecordKind.DEAL),
        None,
    )
    if values is None:
        return None
    reason, text = values.get("exit_reason"), str(values.get("exit_feedback") or "")
    return {
        "by": answer.by,
        "at": answer.at.isoformat(),
        "score": values.get("exit_score"),
        "reason": _reason(str(reason), language) if reason else None,
        "text": text if len(text) <= LONGEST_FEEDBACK else f"{text[: LONGEST_FEEDBACK - 1]}…",
    }


def _reason(value: str, language: str) -> str:
    """The wording of a reason of ours; the CRM's own reason as it stands."""
    texts = {option.value: option.text for option in REASON_OPTIONS}
    return wording(texts[value], language, ("en",)) if value in texts else value
