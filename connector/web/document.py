"""A document to read on the web, for the colleague who sends it: what the file on the deal says, and what to do first.

The file is what people edit and send; this page shows the words with which it was made.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue

from connector.store import intents
from connector.web.case_pages import CasePage, closed, open_page
from connector.web.runtime import Runtime
from workflows.draft import DOCUMENT
from workflows.rules import LinkKind

BAR_WIDTH = 320
"""Units of the drawing that the longest bar of a figure takes."""


def make_blueprint(runtime: Runtime) -> Blueprint:
    """``/document/<token>``."""
    blueprint = Blueprint("document", __name__)

    @blueprint.get("/document/<token>")
    def show(token: str) -> ResponseReturnValue:
        page = open_page(runtime, LinkKind.DOCUMENT, token)
        if page.is_over:
            return closed(page, render_template)
        content = _content(runtime, page)
        if content is None or not content["values"]:  # somebody whom it named was erased
            abort(404)
        return render_template("document.html", page=page, paper=content["values"], name=content["name"], bars=bars)

    return blueprint


def _content(runtime: Runtime, page: CasePage) -> dict[str, Any] | None:
    """The newest document of the step that the link names."""
    beginning = f"{page.case.id}:{page.link.questionnaire}"
    with runtime.store.read() as session:
        made = [
            intent.content
            for intent in intents.of_case(session, page.case.id)
            if intent.kind == "document" and _step_of(intent.key) == beginning
        ]
    return made[-1] if made else None


def _step_of(key: str) -> str:
    return key.removesuffix(DOCUMENT).partition("~")[0]


def bars(chart: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of a chart with the widths of their two bars."""
    return [
        bar | {"widths": [round(BAR_WIDTH * value / (max(bar["values"]) or 1), 1) for value in bar["values"]]}
        for bar in chart["bars"]
    ]
