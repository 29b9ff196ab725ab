"""What waitress serves: what machines ask for at once, and the pages for people from the first of them on.

Pages bring libraries of their own (forms, sessions, limits, dates in words). A process that only receives and works
does without them, and answers sooner after its start.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from connector.logging import sieve_by_default
from connector.web import health, security, webhooks
from connector.web.runtime import Runtime

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 1024 * 1024
FOR_MACHINES = frozenset({"webhooks", "healthz", "readyz", "metrics", "robots.txt"})
"""First parts of the paths that no person opens."""


class Front:
    """A WSGI application over a runtime. ``make_pages`` gives the one for all other paths, once the first is asked for.

    If that fails, so does the request, and the next one tries again.
    """

    def __init__(self, runtime: Runtime, make_pages: Callable[[], WSGIApplication]) -> None:
        self._machines: WSGIApplication = create_receiver(runtime)
        self._make_pages = make_pages
        self._pages: WSGIApplication | None = None
        self._making = threading.Lock()
        self._path = urlsplit(runtime.settings.server.public_url).path.rstrip("/")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if self._path and path.startswith(f"{self._path}/"):
            path = path[len(self._path) :]
        application = self._machines if is_for_machines(path) else self._of_people()
        return application(environ, start_response)

    def _of_people(self) -> WSGIApplication:
        with self._making:
            if self._pages is None:
                self._pages = self._make_pages()
            return self._pages


def create_receiver(runtime: Runtime) -> Flask:
    """The application for machines alone: deliveries of the CRMs, and how this process is."""
    sieve_by_default()
    public_url = runtime.settings.server.public_url
    app = Flask(__name__, static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES)
    security.put_under_path(app, public_url)
    security.protect(app, public_url)
    app.register_blueprint(webhooks.make_blueprint(runtime))
    app.register_blueprint(health.make_blueprint(runtime))
    app.register_error_handler(HTTPException, refuse_machine)
    app.register_error_handler(Exception, fail_machine)
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


def is_for_machines(path: str) -> bool:
    """Whether the path (below that of the public address) is one that no person opens."""
    return path[1:].partition("/")[0] in FOR_MACHINES


def refuse_machine(error: HTTPException) -> Response:
    """What was wrong with a machine's request, as JSON."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]  # Flask's own response class throughout
    response = jsonify(error=error.description or error.name)
    response.status_code = error.code or 500
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def fail_machine(error: Exception) -> Response:
    """The last resort: nothing of the error reaches the sender, only an id under which the log has it."""
    response = jsonify(error="an error of ours; send it again later", id=logged(error))
    response.status_code = 500
    return response


def logged(error: Exception) -> str:
    """Log an error that a request ran into; gives the id under which it can be found."""
    error_id = secrets.token_hex(4)
    route = request.url_rule.rule if request.url_rule is not None else None
    log.error("a request failed", error_id=error_id, method=request.method, route=route, exc_info=error)
    return error_id
