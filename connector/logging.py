"""What we log, and what can never get into a log.

A log line holds an event's name and values under names on a list (:data:`ALLOWED`). Everything else is left out,
whoever passes it: names, addresses, answers, tokens and bodies have no place in a log, and a list of what is allowed
cannot be outsmarted by a new name as a list of what is forbidden can. Errors show their type and the place in our code;
their message only when it is one of ours, since those never carry a secret or a body (:mod:`adapters.errors`).
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog

from adapters.errors import AurevoirError

_SET_BY_US = frozenset({"event", "level", "timestamp", "logger", "error", "where", "left_out", "message"})
ALLOWED = _SET_BY_US | {
    # what it is about: our names and the CRM's ids
    *(
        "account",
        "accounts",
        "crm",
        "case",
        "case_id",
        "deal",
        "deal_id",
        "task_id",
        "record_id",
        "step",
        "key",
        "keys",
    ),
    *("playbook", "version", "questionnaire", "language", "kind", "stream"),
    # what happened
    *("result", "status", "operation", "reason", "why", "outcome", "method", "route", "error_id", "correlation_id"),
    # how much and when
    *(
        "adopted",
        "missing",
        "signals",
        "looks",
        "writes",
        "calls",
        "bad",
        "ignored",
        "unknown",
        "left_alone",
        "erased",
        "count",
        "perhaps",
        "due",
    ),
    *("failure", "attempts", "ms", "seconds", "until", "next_look", "started", "stopped"),
    # the process itself
    *("listen", "public_url", "pid", "database", "schema", "config", "copy", "threads", "worker", "signal"),
}
_CHATTY = (
    *("apscheduler", "urllib3", "sqlalchemy", "alembic", "werkzeug", "flask_limiter", "flask-limiter"),
    *("procrastinate", "psycopg", "asyncio"),
)
_LONGEST = 500
_OUR_FOLDERS = ("connector", "adapters", "workflows")
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def set_up(*, as_json: bool, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything, ours and the libraries', through the allow-list to ``stream`` (standard error); UTC times."""
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_errors,
        keep_allowed,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_only_the_template, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def sieve_by_default() -> None:
    """Where nobody called :func:`set_up` (another server runs the application): the same sieve, to standard logging.

    structlog's own default would print tracebacks with the values of local variables.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=[tell_errors, keep_allowed, structlog.processors.JSONRenderer(ensure_ascii=False)],
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
        )


def keep_allowed(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every value whose name is not on the list, and say which names were dropped; cut long texts."""
    dropped = sorted(name for name in line if name not in ALLOWED and not name.startswith("_"))
    for name in dropped:
        del line[name]
    if dropped:
        line["left_out"] = dropped
    for name, value in line.items():
        if isinstance(value, str) and len(value) > _LONGEST:
            line[name] = value[:_LONGEST] + "…"
    return line


def tell_errors(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turn an exception into its type and our last lines of code that it came through."""
    found = _exc_info(line.pop("exc_info", None))
    if found is None:
        return line
    kind, error, trace = found
    line["error"] = kind.__name__
    if isinstance(error, AurevoirError):
        line["message"] = str(error)
    frames = traceback.extract_tb(trace)
    ours = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames if _short(frame.filename)]
    line["where"] = " > ".join(ours[-4:])
    return line


def _exc_info(given: Any) -> _ExcInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if isinstance(given, tuple):
        return given if given[0] is not None else None
    if not given:
        return None
    kind, error, trace = sys.exc_info()
    return (kind, error, trace) if kind is not None and error is not None else None


def _short(filename: str) -> str:
    """The file within our packages, or an empty text for other people's code."""
    parts = Path(filename).parts
    if "site-packages" in parts:
        return ""
    at = next((index for index, part in enumerate(parts) if part in _OUR_FOLDERS), None)
    return "/".join(parts[at:]) if at is not None else ""


def _only_the_template(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of a library's message only what it wrote itself: its arguments may hold addresses and values."""
    record = line.get("_record")
    if isinstance(record, logging.LogRecord):
        line["event"] = str(record.msg) if record.args or not record.exc_info else record.name
        if record.exc_info:
            line["exc_info"] = record.exc_info
    return line
