"""The form in which the customer's counterpart writes down what was said in the conversation (P-30)."""

from __future__ import annotations

from flask import Blueprint

from connector.web.answering import Desk, make_blueprint
from connector.web.runtime import Runtime
from workflows.rules import LinkKind


def make_interview(runtime: Runtime) -> tuple[Desk, Blueprint]:
    """``/interview/<token>``."""
    desk = Desk(runtime, LinkKind.INTERVIEW, "csm")
    return desk, make_blueprint(desk, "interview", ["/interview"])
