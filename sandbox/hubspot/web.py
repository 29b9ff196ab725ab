"""What all HubSpot routes share: paths of every API version, strict bodies, pages of results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from sandbox.hubspot.errors import ApiError, bad_json, invalid

DATED = ("2025-09", "2026-03", "2026-09")
Handler = TypeVar("Handler", bound=Callable[..., ResponseReturnValue])
Item = TypeVar("Item")


def api(routes: Blueprint, method: str, *paths: str) -> Callable[[Handler], Handler]:
    """Route a handler at several paths. In a dated path ``VERSION`` stands for any dated version."""

    def register(handler: Handler) -> Handler:
        for path in paths:
            rule = path.replace("VERSION", f"<any({', '.join(repr(each) for each in DATED)}):_version>")
            routes.add_url_rule(rule, f"{method} {path}", _plain(handler), methods=[method])
        return handler

    return register


def _plain(handler: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
    def call(_version: str = "", **values: str) -> ResponseReturnValue:
        return handler(**values)

    return call


def version() -> str:
    """The dated version of the path, or an empty string on a classic one."""
    return str((request.view_args or {}).get("_version", ""))


def enforces_rules() -> bool:
    """From 2026-09 on, an admin's validation rules hold for API writes."""
    return version() >= "2026-09"


def body(required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """The JSON object of the request. Raises ApiError 415 or 400 for any other.

    Unknown keys are refused, although HubSpot may overlook some: a key that it overlooks has no effect, and a caller
    should learn of that here.
    """
    if request.mimetype != "application/json":
        raise ApiError(
            415, f"Content type '{request.mimetype}' is not supported; send application/json", "VALIDATION_ERROR"
        )
    raw = request.get_json(silent=True)
    if not isinstance(raw, dict):
        raise bad_json("the body is not a JSON object")
    return fields(raw, required, optional)


def fields(raw: Any, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """An object with these keys. Raises ApiError 400."""
    if not isinstance(raw, dict):
        raise bad_json("expected an object")
    missing = [name for name in required if raw.get(name) is None]
    if missing:
        raise bad_json(f"Some required fields were not set: {missing}")
    unknown = sorted(set(raw) - set(required) - set(optional))
    if unknown:
        raise bad_json(f"Unrecognized field {unknown[0]}")
    return raw


def array(raw: Any, name: str) -> list[Any]:
    """A JSON array. Raises ApiError 400."""
    if not isinstance(raw, list):
        raise bad_json(f"{name} must be an array")
    return raw


def strings(raw: Any, name: str) -> list[str]:
    """A JSON array of strings. Raises ApiError 400."""
    if any(not isinstance(each, str) for each in array(raw, name)):
        raise bad_json(f"{name} must be an array of strings")
    return list(raw)


def inputs(raw: Any, most: int, what: str = "inputs") -> list[Any]:
    """The inputs of a batch. Raises ApiError 400 for none or too many."""
    found = array(raw, what)
    if not found:
        raise invalid("The batch has no inputs")
    if len(found) > most:
        raise invalid(
            f"The maximum number of inputs supported in a batch request is {most}. Received {len(found)}.",
            context={"maximum": [str(most)]},
        )
    return found


def listed(name: str) -> list[str]:
    """A query parameter with commas, or given several times."""
    return [each.strip() for part in request.args.getlist(name) for each in part.split(",") if each.strip()]


def single(name: str) -> str | None:
    """A query parameter, or None."""
    return request.args.get(name) or None


def flag(name: str) -> bool:
    """A true or false query parameter. Raises ApiError 400."""
    text = request.args.get(name, "false").lower()
    if text not in ("true", "false"):
        raise invalid(f"{name} must be true or false, not {text}")
    return text == "true"


def limit(most: int, default: int) -> int:
    """The ``limit`` query parameter. Raises ApiError 400 outside 1 to ``most``."""
    text = request.args.get("limit", str(default))
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise invalid(f"limit must be between 1 and {most}, not {text}")
    return int(text)


def page(items: Sequence[Item], size: int, after: str | None) -> tuple[Sequence[Item], dict[str, Any]]:
    """One page by offset, and ``{"paging": ...}`` when there is a next one."""
    start = int(after) if after and after.isdigit() else 0
    part = items[start : start + size]
    following = start + size
    if following >= len(items):
        return part, {}
    link = f"{request.base_url}?after={following}"
    return part, {"paging": {"next": {"after": str(following), "link": link}}}


def batch(results: Sequence[Any], errors: Sequence[Mapping[str, Any]], now: str, status: int) -> ResponseReturnValue:
    """A batch answer: 207 when some inputs failed; 2026-09 documents the plain status for that too."""
    told: dict[str, Any] = {"status": "COMPLETE", "results": list(results), "startedAt": now, "completedAt": now}
    if errors:
        told |= {"numErrors": len(errors), "errors": list(errors)}
    return told, 207 if errors and version() < "2026-09" else status
