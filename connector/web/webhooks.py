"""Where the CRMs knock: one endpoint for each CRM that an account is connected to.

A sender repeats what is not answered with 2xx, for a day, and calls an endpoint broken that answers 5xx. So input never
leads to 5xx: what is wrong is 4xx, what is authentic but of no use is acknowledged and counted. Only our own trouble to
commit is 503, and then the sender's repetition is what we want. There is no CSRF check here: a delivery proves itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import structlog
from flask import Blueprint, Response, abort
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from adapters.errors import PayloadError, SignatureError
from adapters.port import Adapter
from adapters.signals import Receipt
from connector.erasure import Erasure
from connector.metrics import EVENTS, WEBHOOK_SECONDS, WEBHOOKS
from connector.receiver import Taken, take_in
from connector.web.deliveries import delivery, provable_accounts
from connector.web.runtime import Runtime

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 30


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The endpoints of all CRMs."""
    blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")

    @blueprint.post("/<crm>")
    @blueprint.post("/<crm>/<secret>")
    def receive(crm: str, secret: str | None = None) -> Response:
        if not any(account.config.crm == crm for account in runtime.accounts.values()):
            abort(404)
        adapter = runtime.adapters[crm]
        began = time.monotonic()
        try:
            response = _receive(runtime, adapter, crm, secret)
        except HTTPException as error:
            WEBHOOKS.labels(crm, str(error.code)).inc()
            log.warning("webhook refused", crm=crm, status=error.code, reason=error.name)
            raise
        WEBHOOK_SECONDS.labels(crm).observe(time.monotonic() - began)
        return response

    return blueprint


def _receive(runtime: Runtime, adapter: Adapter, crm: str, secret: str | None) -> Response:
    delivered = delivery(runtime, secret)
    try:
        receipt = adapter.receive(delivered, provable_accounts(runtime, adapter, crm))
    except SignatureError as error:
        return _refuse(crm, 401, "the delivery is not proven to come from the CRM", error)
    except PayloadError as error:
        return _refuse(crm, 400, "the delivery cannot be read", error)
    try:
        taken = take_in(
            receipt,
            crm,
            store=runtime.store,
            accounts_by_name=runtime.accounts,
            now=delivered.received_at,
            erase=partial(_erase, runtime),
        )
    except SQLAlchemyError as error:
        response = _refuse(crm, 503, "the delivery could not be kept just now; send it again", error)
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    for account in sorted(taken.nudge):
        runtime.engine.nudge(account)
    _count(crm, receipt, taken)
    return Response(receipt.reply.body, receipt.reply.status, content_type=receipt.reply.content_type)


def _erase(runtime: Runtime, session: Session, account: str, contact_ids: Sequence[str], now: datetime) -> None:
    config = runtime.accounts[account].config
    erasure = Erasure(runtime.links, runtime.library.questionnaires)
    erasure.erase(session, account, contact_ids, now, language=config.language)


def _refuse(crm: str, status: int, text: str, error: Exception) -> Response:
    """A refusal says little: the one who sends forgeries need not learn what gave them away. Our log says more."""
    WEBHOOKS.labels(crm, str(status)).inc()
    log.warning("webhook refused", crm=crm, status=status, exc_info=error)
    response = Response(status=status, content_type="application/json")
    response.set_data(f'{{"error": "{text}"}}')
    return response


def _count(crm: str, receipt: Receipt, taken: Taken) -> None:
    ignored, unknown = sum(receipt.ignored.values()), sum(receipt.unknown_accounts.values())
    WEBHOOKS.labels(crm, "taken").inc()
    counts = {
        "look": taken.looks,
        "left_alone": taken.left_alone,
        "erased": taken.erased,
        "bad": taken.bad,
        "ignored": ignored,
        "unknown_account": unknown,
    }
    for result, count in counts.items():
        if count:
            EVENTS.labels(crm, result).inc(count)
    log.info(
        "webhook taken",
        crm=crm,
        accounts=sorted({signal.account for signal in receipt.signals}),
        looks=taken.looks,
        left_alone=taken.left_alone,
        bad=taken.bad,
        ignored=ignored,
        unknown=unknown,
    )
