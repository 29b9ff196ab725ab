"""The Flask application: all that is reachable over HTTP.

Behind :mod:`connector.web.front` it is loaded when somebody opens the first page.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Flask, Response, render_template, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from connector.bootstrap import Runtime
from connector.logging import sieve_by_default
from connector.web import (
    card,
    console,
    console_figures,
    console_pages,
    console_setup,
    console_wishes,
    document,
    front,
    health,
    languages,
    oauth,
    security,
    timeline,
    webhooks,
)
from connector.web.feedback import make_feedback
from connector.web.interview import make_interview
from connector.web.inventory import make_inventory
from connector.web.survey import make_survey
from connector.web.team import make_team
from connector.web.touch import make_touch
from workflows.rules import LinkKind

GUESSES = "30 per minute"
"""Addresses of pages that are none, from one sender: nobody guesses 128 bits, and nobody needs to try."""
PAGES = "240 per minute"
"""Requests for pages from one sender, which may be a whole office behind one address."""
POSTS = "12 per minute"
"""Forms sent through one link."""


def create_app(runtime: Runtime) -> Flask:
    """The whole application over a runtime: the pages, and what machines ask for as well."""
    sieve_by_default()
    public_url = runtime.settings.server.public_url
    app = Flask(__name__, template_folder="web/templates", static_folder="web/static")
    app.config.update(
        MAX_CONTENT_LENGTH=front.MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=front.MAX_BODY_BYTES,
        **console.cookie_settings(runtime),
    )
    security.put_under_path(app, public_url)
    security.protect(app, public_url)
    languages.set_up(app)
    _add_blueprints(app, runtime, _make_limiter(app))
    app.register_error_handler(CSRFError, console.on_forgery)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_error)
    return app


def _make_limiter(app: Flask) -> Limiter:
    """Counts requests by the sender's address; blueprints say what is too much.

    The counts live in this process's memory (Flask-Limiter has no SQL store): with several web processes each counts
    for itself, so a sender gets at most that many times the limit.
    """
    return Limiter(get_remote_address, app=app, storage_uri="memory://")


def _add_blueprints(app: Flask, runtime: Runtime, limiter: Limiter) -> None:
    """All pages. What is not exempt here is checked against forgery by a session (the pages with a login)."""
    csrf = CSRFProtect(app)
    deliveries = webhooks.make_blueprint(runtime)
    csrf.exempt(deliveries)  # a delivery proves itself
    app.register_blueprint(deliveries)
    cards = card.make_blueprint(runtime)
    csrf.exempt(cards)  # as above
    app.register_blueprint(cards)
    for desk, pages in (make_survey(runtime), make_interview(runtime), make_team(runtime)):
        csrf.exempt(pages)  # their forms carry a seal of their own
        limiter.limit(PAGES)(pages)
        limiter.limit(GUESSES, deduct_when=lambda response: response.status_code == 404)(pages)
        _limit_forms(runtime, limiter, desk.too_often, pages)
        app.register_blueprint(pages)
    survey_tools = make_feedback(runtime)
    csrf.exempt(survey_tools)  # a delivery proves itself
    limiter.limit(PAGES)(survey_tools)
    limiter.limit(GUESSES, deduct_when=lambda response: response.status_code in (401, 404))(survey_tools)
    app.register_blueprint(survey_tools)
    desk_of_items, items = make_inventory(runtime)
    csrf.exempt(items)  # as above
    _limit_forms(runtime, limiter, desk_of_items.too_often, items)
    choices, touch = make_touch(runtime)
    csrf.exempt(touch)  # as above
    _limit_forms(runtime, limiter, choices.too_often, touch)
    for pages in (items, touch, timeline.make_blueprint(runtime), document.make_blueprint(runtime)):
        limiter.limit(PAGES)(pages)
        limiter.limit(GUESSES, deduct_when=lambda response: response.status_code == 404)(pages)
        app.register_blueprint(pages)
    connecting = oauth.make_blueprint(runtime)
    limiter.limit(PAGES)(connecting)
    limiter.limit(GUESSES, deduct_when=lambda response: response.status_code >= 400)(connecting)
    app.register_blueprint(connecting)
    app.register_blueprint(health.make_blueprint(runtime))
    desk_of_admins = console.set_up(app, runtime, limiter, PAGES, GUESSES)
    for part in (console_pages, console_figures, console_wishes, console_setup):
        of_admins = part.make_blueprint(desk_of_admins)
        limiter.limit(PAGES)(of_admins)
        app.register_blueprint(of_admins)


def _link() -> str:
    return f"link {(request.view_args or {}).get('token')}"


def _limit_forms(runtime: Runtime, limiter: Limiter, too_often: Callable[..., Response], pages: Blueprint) -> None:
    """Limit the forms sent through one link. Whoever sends to none of ours is counted by address alone."""

    def is_none() -> bool:
        token = (request.view_args or {}).get("token", "")
        return all(runtime.links.read(kind, token) is None for kind in LinkKind)

    limiter.limit(POSTS, key_func=_link, methods=["POST"], exempt_when=is_none, on_breach=too_often)(pages)


def _on_http_error(error: HTTPException) -> Response:
    if error.response is not None or front.is_for_machines(request.path):
        return front.refuse_machine(error)
    status = error.code or 500
    response = Response(render_template("error.html", status=status), content_type="text/html; charset=utf-8")
    response.status_code = status
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    if status == 429:
        response.headers["Retry-After"] = "60"
    return response


def _on_error(error: Exception) -> Response:
    """The last resort: nothing of the error reaches the page, only an id under which the log has it."""
    if front.is_for_machines(request.path):
        return front.fail_machine(error)
    html = render_template("error.html", status=InternalServerError.code, error_id=front.logged(error))
    response = Response(html, content_type="text/html; charset=utf-8")
    response.status_code = 500
    return response
