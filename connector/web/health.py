"""Is it alive, is it well, what does it count.

``/healthz`` only says that the process answers. ``/readyz`` and ``/metrics`` tell more, and not to everyone: with
``server.metrics_token`` set, whoever shows it as bearer token; without, only a program on this machine that asks us
directly. Others learn from ``/readyz`` only whether all is well.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from flask import Blueprint, Response, abort, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import WWWAuthenticate

from connector.store import accounts, agenda, failed
from connector.values import is_loopback
from connector.web.runtime import Runtime

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")


def make_blueprint(runtime: Runtime) -> Blueprint:
    """The three pages for machines, and robots.txt."""
    blueprint = Blueprint("health", __name__)
    registry = CollectorRegistry()
    registry.register(_Now(runtime))

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        findings = runtime.ready()
        well = all(ok for _subject, ok, _text in findings)
        body: dict[str, object] = {"ready": well}
        if _may_see(runtime):
            body["checks"] = [{"subject": subject, "ok": ok, "text": text} for subject, ok, text in findings]
        response = jsonify(body)
        response.status_code = 200 if well else 503
        return response

    @blueprint.get("/metrics")
    def metrics() -> Response:
        if not _may_see(runtime):
            abort(401, www_authenticate=WWWAuthenticate("bearer"))
        return Response(generate_latest(REGISTRY) + generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    @blueprint.get("/robots.txt")
    def robots() -> Response:
        return Response("User-agent: *\nDisallow: /\n", content_type="text/plain; charset=utf-8")

    return blueprint


def _may_see(runtime: Runtime) -> bool:
    token = runtime.settings.server.metrics_token
    if token is not None:
        given = request.authorization
        shown = given.token if given is not None and given.type == "bearer" else None
        return hmac.compare_digest((shown or "").encode(), token.get_secret_value().encode())
    return _asks_directly()


def _asks_directly() -> bool:
    """Whether a program on this machine asks us without a proxy between; a proxy names itself in one way or another."""
    try:
        near = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
    host = request.host.rpartition(":")[0] if ":" in request.host else request.host
    return near and is_loopback(host.strip("[]")) and not any(name in request.headers for name in _FORWARDED)


class _Now(Collector):
    """What the database says at the moment of asking."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterable[Metric]:
        """Whether the database answers, and how much waits on the agenda."""
        up = GaugeMetricFamily("aurevoir_database_up", "1 when the database answers.")
        due = GaugeMetricFamily("aurevoir_agenda_due", "Deals that are to be looked at now.", labels=["account"])
        late = GaugeMetricFamily(
            "aurevoir_agenda_oldest_seconds", "For how long the oldest of them has been due.", labels=["account"]
        )
        last = GaugeMetricFamily(
            "aurevoir_last_success_timestamp",
            "When work on the account last ended well, in seconds since 1970; 0: never.",
            labels=["account"],
        )
        paused = GaugeMetricFamily("aurevoir_account_paused", "1 while an admin has paused it.", labels=["account"])
        broken = GaugeMetricFamily(
            "aurevoir_failed", "What is on the failed list, by kind.", labels=["account", "kind"]
        )
        now = self._runtime.clock.now()
        try:
            with self._runtime.store.read() as session:
                depth = agenda.depth(session, now)
                rows = {name: accounts.get(session, name) for name in self._runtime.accounts}
                listed = Counter((one.account, one.kind) for one in failed.listing(session))
        except SQLAlchemyError:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        for account in self._runtime.accounts:
            count, since = depth.get(account, (0, now))
            due.add_metric([account], count)
            late.add_metric([account], (now - since) / timedelta(seconds=1))
            row = rows[account]
            worked = row.worked_at if row is not None else None
            last.add_metric([account], worked.timestamp() if worked is not None else 0)
            paused.add_metric([account], int(row is not None and row.paused_at is not None))
            for kind in failed.FailedKind:
                broken.add_metric([account, kind.value], listed[account, kind])
        return [up, due, late, last, paused, broken]
