"""The page on which the account's own people answer: their own view before the customer's (P-39), and later lessons."""

from __future__ import annotations

from flask import Blueprint

from connector.web.answering import Desk, make_blueprint
from connector.web.runtime import Runtime
from workflows.rules import LinkKind


def make_team(runtime: Runtime) -> tuple[Desk, Blueprint]:
    """``/team/<token>``."""
    desk = Desk(runtime, LinkKind.TEAM, "team")
    return desk, make_blueprint(desk, "team", ["/team"])
