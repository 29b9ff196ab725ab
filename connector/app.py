"""The Flask application: what is reachable over HTTP."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, jsonify, render_template, request
from flask_limiter import Limiter
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
    document,
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

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 1024 * 1024
GUESSES = "30 per minute"
"""Addresses of pages that are none, from one sender: nobody guesses 128 bits, and nobody needs to try."""
PAGES = "240 per minute"
"""Requests for pages from one sender, which may be a whole office behind one address."""
POSTS = "12 per minute"
"""Forms sent through one link."""


def create_app(runtime: Runtime) -> Flask:
    """The application over a runtime. Serve it with :func:`server_options` on waitress."""
    sieve_by_default()
    public_url = urlsplit(runtime.settings.server.public_url)
    app = Flask(__name__, template_folder="web/templates", static_folder="web/static")
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        **console.cookie_settings(runtime),
    )
    if path := public_url.path.rstrip("/"):
        app.wsgi_app = security.UnderPath(app.wsgi_app, path)  # type: ignore[method-assign]  # Flask's documented way
    security.protect(app, runtime.settings.server.public_url)
    languages.set_up(app)
    _add_blueprints(app, runtime, security.make_limiter(app))
    app.register_error_handler(CSRFError, console.on_forgery)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_error)
    return app


def server_options(runtime: Runtime) -> dict[str, object]:
    """Settings for waitress: it buffers slow clients, refuses large bodies unread and believes one proxy at most."""
    proxy = runtime.settings.server.trusted_proxy
    believed = {"trusted_proxy": proxy, "trusted_proxy_headers": {"x-forwarded-for"}, "trusted_proxy_count": 1}
    return {
        "threads": 8,
        "ident": None,
        "max_request_body_size": MAX_BODY_BYTES,
        "max_request_header_size": 32 * 1024,
        "channel_timeout": 30,
        "connection_limit": 1000,
        "asyncore_use_poll": True,
        "clear_untrusted_proxy_headers": False,
        **(believed if proxy else {}),
    }


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
        limiter.limit(POSTS, key_func=_link, methods=["POST"], on_breach=desk.too_often)(pages)
        app.register_blueprint(pages)
    survey_tools = make_feedback(runtime)
    csrf.exempt(survey_tools)  # a delivery proves itself
    limiter.limit(PAGES)(survey_tools)
    limiter.limit(GUESSES, deduct_when=lambda response: response.status_code in (401, 404))(survey_tools)
    app.register_blueprint(survey_tools)
    desk_of_items, items = make_inventory(runtime)
    csrf.exempt(items)  # as above
    limiter.limit(POSTS, key_func=_link, methods=["POST"], on_breach=desk_of_items.too_often)(items)
    choices, touch = make_touch(runtime)
    csrf.exempt(touch)  # as above
    limiter.limit(POSTS, key_func=_link, methods=["POST"], on_breach=choices.too_often)(touch)
    for pages in (items, touch, timeline.make_blueprint(runtime), document.make_blueprint(runtime)):
        limiter.limit(PAGES)(pages)
        limiter.limit(GUESSES, deduct_when=lambda response: response.status_code == 404)(pages)
        app.register_blueprint(pages)
    connecting = oauth.make_blueprint(runtime)
    limiter.limit(PAGES)(connecting)
    limiter.limit(GUESSES, deduct_when=lambda response: response.status_code >= 400)(connecting)
    app.register_blueprint(connecting)
    app.register_blueprint(health.make_blueprint(runtime))
    desk_of_admins = console.set_up(app, runtime, limiter)
    for part in (console_pages, console_figures, console_setup):
        of_admins = part.make_blueprint(desk_of_admins)
        limiter.limit(PAGES)(of_admins)
        app.register_blueprint(of_admins)


def _link() -> str:
    return f"link {(request.view_args or {}).get('token')}"


def _on_http_error(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]  # Flask's own response class throughout
    status = error.code or 500
    if request.path.startswith("/webhooks/"):
        response = jsonify(error=error.description or error.name)
    else:
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
    error_id = secrets.token_hex(4)
    route = request.url_rule.rule if request.url_rule is not None else None
    log.error("a request failed", error_id=error_id, method=request.method, route=route, exc_info=error)
    if request.path.startswith("/webhooks/"):
        response = jsonify(error="an error of ours; send it again later", id=error_id)
    else:
        html = render_template("error.html", status=InternalServerError.code, error_id=error_id)
        response = Response(html, content_type="text/html; charset=utf-8")
    response.status_code = 500
    return response
