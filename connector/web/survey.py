"""The departing customer's page: one calm form, in their language, without a login."""

from __future__ import annotations

from flask import Blueprint

from connector.web.answering import Desk, make_blueprint
from connector.web.runtime import Runtime
from workflows.rules import LinkKind


def make_survey(runtime: Runtime) -> tuple[Desk, Blueprint]:
    """``/survey/<token>``, and ``/s/<token>`` as it stands in messages."""
    desk = Desk(runtime, LinkKind.SURVEY, "customer")
    return desk, make_blueprint(desk, "survey", ["/survey", "/s"])
