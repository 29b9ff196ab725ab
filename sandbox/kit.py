"""What every sandbox CRM is made of: a clock to move, a ledger of calls, a plan of faults, a server, a control API.

A sandbox is a Flask application whose ``wsgi_app`` is wrapped in a :class:`Gate`. The gate counts API calls and lets
faults happen to them; pages and the control API under ``/sandbox/`` pass untouched and uncounted.
"""

from __future__ import annotations

import io
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from http.client import responses as reasons
from typing import TYPE_CHECKING, Any, Protocol, Self

from flask import Blueprint, Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.http import http_date
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from sandbox.faults import CutError, Fault, Faults

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Call", "Clock", "Controlled", "Fault", "Faults", "Gate", "Ledger", "Server", "control", "count_records"]

RECORDS = "sandbox.records"


class Clock:
    """Real time plus an offset that people and tests may move. Everything in UTC; may be shared by sandboxes."""

    def __init__(self, now: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._offset = timedelta(0)
        self._listeners: list[Callable[[], None]] = []
        if now is not None:
            self.set(now)

    def now(self) -> datetime:
        """The sandbox's present moment, aware, in UTC."""
        return datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> None:
        """Move on by that much; whoever waits for a moment is told."""
        with self._lock:
            self._offset += by
        self._tell()

    def set(self, now: datetime) -> None:
        """Make it that moment. Raises ValueError for a datetime without a time zone."""
        if now.tzinfo is None:
            raise ValueError("the clock needs a time zone, for example 2026-11-22T09:00:00Z")
        with self._lock:
            self._offset = now.astimezone(UTC) - datetime.now(UTC)
        self._tell()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each move."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()


@dataclass(frozen=True)
class Call:
    """One API call as the sandbox saw it. ``status`` 0: the caller got no answer. ``fault``: what was done to it."""

    time: str
    method: str
    path: str
    template: str
    status: int
    records: int
    fault: str = ""


class Ledger:
    """Every API call. Calls for tokens are kept apart, since call budgets leave them out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls: list[Call] = []
        self.token_calls: list[Call] = []

    def add(self, call: Call, *, token: bool = False) -> None:
        """Write down one call."""
        with self._lock:
            (self.token_calls if token else self.calls).append(call)

    def count(self, prefix: str | None = None) -> int:
        """How many calls; ``prefix`` is the start of the path, or of ``METHOD path``."""
        with self._lock:
            calls = list(self.calls)
        if prefix is None:
            return len(calls)
        return sum(
            1 for call in calls if f"{call.method} {call.path}".startswith(prefix) or call.path.startswith(prefix)
        )

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self.calls.clear()
            self.token_calls.clear()

    def as_json(self) -> dict[str, Any]:
        """``{"total", "tokens", "calls": [...], "token_calls": [...]}``."""
        with self._lock:
            return {
                "total": len(self.calls),
                "tokens": len(self.token_calls),
                "calls": [asdict(call) for call in self.calls],
                "token_calls": [asdict(call) for call in self.token_calls],
            }


ErrorBody = Callable[[int], tuple[Any, Mapping[str, str]]]
"""What the vendor sends with that status when its servers fail: body (JSON-able or text) and headers."""


def count_records(number: int) -> None:
    """Tell the ledger how many records the call at hand is about."""
    request.environ.get(RECORDS, {})["number"] = number


class Gate:
    """WSGI wrapper around a sandbox: counts API calls and lets faults happen to them."""

    def __init__(
        self,
        app: Flask,
        *,
        clock: Clock,
        ledger: Ledger,
        faults: Faults,
        api: Sequence[str],
        tokens: Sequence[str],
        error_body: ErrorBody,
    ) -> None:
        self._flask = app
        self._inner: WSGIApplication = app.wsgi_app
        self._clock, self._ledger, self._faults = clock, ledger, faults
        self._api, self._tokens, self._error_body = tuple(api), tuple(tokens), error_body

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or break off. Every answer carries the sandbox's own ``Date``."""
        start_response = self._dated(start_response)
        path = environ.get("PATH_INFO", "")
        if not path.startswith(self._api + self._tokens):
            return self._inner(environ, start_response)
        method = environ["REQUEST_METHOD"]
        environ[RECORDS] = {"number": 0}
        fault = self._faults.take(method, path)
        if fault is None:
            answer = self._do(environ)
            self._note(environ, answer.status_code)
            return answer(environ, start_response)
        return self._fail(fault, environ, start_response)

    def _dated(self, start_response: StartResponse) -> StartResponse:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            kept = [each for each in headers if each[0].lower() != "date"]
            return start_response(status, [*kept, ("Date", http_date(self._clock.now()))], exc_info)

        return start

    def _fail(self, fault: Fault, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if fault.delay:
            time.sleep(fault.delay)
        if fault.cut == "before":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            self._note(environ, 0, "cut before")
            raise CutError(reset=True)
        if fault.land_late:
            self._later(fault.land_late, environ)
            self._note(environ, 0, "cut, lands late")
            raise CutError(reset=True)
        answer = self._do(environ) if fault.status is None or fault.done else None
        if fault.cut == "after":
            self._note(environ, 0, "cut after")
            raise CutError(reset=True)
        if fault.status is not None:
            answer = self._answer(fault)
        assert answer is not None  # noqa: S101 - one of the two branches above made it
        if fault.cut == "truncate":
            self._note(environ, 0, "truncated")
            return self._half(answer, environ, start_response)
        self._note(environ, answer.status_code, "status" if fault.status else "delay")
        return answer(environ, start_response)

    def _do(self, environ: WSGIEnvironment) -> Response:
        return Response.from_app(self._inner, environ, buffered=True)

    def _later(self, seconds: float, environ: WSGIEnvironment) -> None:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        kept = {key: value for key, value in environ.items() if not key.startswith("werkzeug.")}
        kept["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        timer = threading.Timer(seconds, self._do, args=(kept,))
        timer.daemon = True
        timer.start()

    def _answer(self, fault: Fault) -> Response:
        status = fault.status or 500
        body, headers = self._error_body(status) if fault.body is None else (fault.body, {})
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html" if isinstance(body, str) else "application/json"
        answer = Response(text, status=f"{status} {reasons.get(status, 'Unknown')}", content_type=kind)
        answer.headers.update({**headers, **fault.headers})
        return answer

    def _half(self, answer: Response, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = b"".join(answer(environ, start_response))
        yield body[: len(body) // 2]
        raise CutError(reset=False)

    def _note(self, environ: WSGIEnvironment, status: int, fault: str = "") -> None:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        call = Call(
            time=self._clock.now().isoformat(timespec="milliseconds"),
            method=method,
            path=path,
            template=self._template(method, path),
            status=status,
            records=environ[RECORDS]["number"],
            fault=fault,
        )
        self._ledger.add(call, token=path.startswith(self._tokens))

    def _template(self, method: str, path: str) -> str:
        try:
            rule, _ = self._flask.url_map.bind("").match(path, method, return_rule=True)
        except HTTPException:
            return path
        return re.sub(r"<(?:[^:<>]*:)?_?(\w+)>", r"<\1>", str(rule.rule))


class _Handler(WSGIRequestHandler):
    """Quiet, and able to reset a connection as a dying server does."""

    protocol_version = "HTTP/1.1"
    _reset = False

    def log(self, type: str, message: str, *args: Any) -> None:
        """Write no access log: the ledger has it."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """Leave ``Date`` to the sandbox, whose clock is not this machine's."""
        self.send_response_only(code, message)

    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:
        """Close at once; with linger 0 the peer gets RST instead of an orderly end."""
        self.close_connection = True
        if isinstance(error, CutError) and error.reset:
            self._reset = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def finish(self) -> None:
        """Let go of the connection before the server would send an orderly end."""
        super().finish()
        if self._reset:
            self.connection.close()


class Server:
    """Serves a sandbox on loopback, each request in its own thread. Port 0 takes a free one."""

    def __init__(self, app: WSGIApplication, port: int = 0) -> None:
        self._server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Handler)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Address without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> Self:
        """Serve in the background."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        if self._thread is None:
            self._server.server_close()
            return
        self._server.shutdown()
        self._thread.join()
        self._thread = None

    def serve_forever(self) -> None:
        """Serve until interrupted."""
        self._server.serve_forever(0.2)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Controlled(Protocol):
    """What a sandbox must offer to be controlled from outside."""

    clock: Clock
    ledger: Ledger
    faults: Faults

    def seed(self, records: Any) -> Any:
        """Add records in the vendor's words; returns what was made (JSON-able). Raises ValueError."""

    def dump(self) -> Any:
        """All records, JSON-able."""

    def set_stage(self, deal_id: str, stage: str) -> None:
        """Move a deal as a person would. Raises KeyError for an unknown deal, ValueError for an unknown stage."""

    def point_webhooks(self, options: Mapping[str, Any]) -> Any:
        """Where deliveries go and how; returns what is set now. Raises ValueError."""


def control(sandbox: Controlled) -> Blueprint:
    """The control API under ``/sandbox/``: clock, faults, calls, seed, dump, stage, webhooks."""
    routes = Blueprint("control", __name__, url_prefix="/sandbox")

    @routes.errorhandler(ValueError)
    @routes.errorhandler(KeyError)
    @routes.errorhandler(TypeError)
    @routes.errorhandler(re.error)
    def refuse(error: Exception) -> ResponseReturnValue:
        return jsonify(error=str(error.args[0]) if error.args else str(error)), 404 if isinstance(
            error, KeyError
        ) else 400

    _time_and_faults(routes, sandbox)
    _records(routes, sandbox)
    return routes


def _time_and_faults(routes: Blueprint, sandbox: Controlled) -> None:
    """The clock, what goes wrong with calls, and which were made."""

    @routes.route("/clock", methods=["GET", "POST"])
    def clock() -> ResponseReturnValue:
        if request.method == "POST":
            wanted = request.get_json()
            if "set" in wanted:
                sandbox.clock.set(datetime.fromisoformat(wanted["set"]))
            sandbox.clock.advance(timedelta(seconds=float(wanted.get("advance_seconds", 0))))
        return jsonify(now=sandbox.clock.now().isoformat())

    @routes.get("/faults")
    def planned() -> ResponseReturnValue:
        return jsonify(sandbox.faults.as_json())

    @routes.post("/faults")
    def plan() -> ResponseReturnValue:
        raw = request.get_json()
        sandbox.faults.set(*[Fault.parse(each) for each in (raw if isinstance(raw, list) else [raw])])
        return jsonify(sandbox.faults.as_json())

    @routes.delete("/faults")
    def clear() -> ResponseReturnValue:
        sandbox.faults.clear()
        return jsonify([])

    @routes.get("/calls")
    def calls() -> ResponseReturnValue:
        return jsonify(sandbox.ledger.as_json())

    @routes.delete("/calls")
    def forget() -> ResponseReturnValue:
        sandbox.ledger.reset()
        return jsonify(sandbox.ledger.as_json())


def _records(routes: Blueprint, sandbox: Controlled) -> None:
    """The records, and where webhooks go."""

    @routes.post("/seed")
    def seed() -> ResponseReturnValue:
        return jsonify(sandbox.seed(request.get_json()))

    @routes.get("/dump")
    def dump() -> ResponseReturnValue:
        return jsonify(sandbox.dump())

    @routes.post("/deals/<deal_id>/stage")
    def stage(deal_id: str) -> ResponseReturnValue:
        sandbox.set_stage(deal_id, request.get_json()["stage"])
        return jsonify(id=deal_id, stage=request.get_json()["stage"])

    @routes.post("/webhooks")
    def webhooks() -> ResponseReturnValue:
        return jsonify(sandbox.point_webhooks(request.get_json()))
