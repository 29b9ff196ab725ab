"""HubSpot's refusals: status codes and error bodies."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any


class ApiError(Exception):
    """A refusal with HubSpot's body: ``status, message, correlationId, category`` and what else it names."""

    def __init__(self, status: int, message: str, category: str | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.category = category
        self.more = more

    def body(self) -> dict[str, Any]:
        """The JSON body, with a fresh correlation id."""
        body = {"status": "error", "message": self.message, "correlationId": str(uuid.uuid4())}
        if self.category is not None:
            body["category"] = self.category
        return body | self.more

    def inside_batch(self, **context: Sequence[str]) -> dict[str, Any]:
        """The same as an entry of ``errors`` in a 207 body; HubSpot gives no correlation id there."""
        body = self.body()
        del body["correlationId"]
        return body | {"context": {**body.get("context", {}), **context}}


class Problem(Exception):
    """One property value that HubSpot refuses."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str, **more: Any) -> ApiError:
    """400 VALIDATION_ERROR."""
    return ApiError(400, message, "VALIDATION_ERROR", **more)


def bad_json(message: str) -> ApiError:
    """400 for a body that is not the JSON of this endpoint."""
    return invalid(f"Invalid input JSON on line 1, column 1: {message}")


def invalid_properties(portal_id: str, problems: Mapping[str, Problem]) -> ApiError:
    """400 that lists every refused property: once inside the message, once in ``errors``."""
    told = [
        {
            "isValid": False,
            "message": problem.message,
            "error": problem.code,
            "name": name,
            "localizedErrorMessage": problem.message,
            "portalId": int(portal_id),
        }
        for name, problem in problems.items()
    ]
    errors = [
        {"message": problem.message, "code": problem.code, "context": {"propertyName": [name]}}
        for name, problem in problems.items()
    ]
    return invalid(f"Property values were not valid: {json.dumps(told, separators=(',', ':'))}", errors=errors)


def not_found(message: str = "resource not found", **more: Any) -> ApiError:
    """404 OBJECT_NOT_FOUND."""
    return ApiError(404, message, "OBJECT_NOT_FOUND", **more)


def missing_objects(name: str, ids: Sequence[str]) -> ApiError:
    """What a batch says of ids that it does not know."""
    return not_found(
        f"Could not get some {name.upper()} objects, they may be deleted or not exist. Check that ids are valid.",
        context={"ids": list(ids)},
    )


def missing_scopes(scopes: Sequence[str]) -> ApiError:
    """403 MISSING_SCOPES with the scopes of which one is required."""
    return ApiError(
        403,
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
        "https://developers.hubspot.com/scopes.",
        "MISSING_SCOPES",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": list(scopes)},
            }
        ],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


LIMIT_MESSAGES = {
    "TEN_SECONDLY_ROLLING": "You have reached your ten_secondly_rolling limit.",
    "SECONDLY": "You have reached your secondly limit.",
    "DAILY": "You have reached your daily limit.",
}


def rate_limited(policy: str, group: str) -> ApiError:
    """429 in the form of the older bodies: ``errorType``, ``policyName``, ``groupName``."""
    return ApiError(429, LIMIT_MESSAGES[policy], errorType="RATE_LIMIT", policyName=policy, groupName=group)


def outage(status: int) -> tuple[Any, Mapping[str, str]]:
    """What HubSpot's edge sends when something there fails: body and headers, for the fault plan."""
    if status == 429:
        return rate_limited("TEN_SECONDLY_ROLLING", "publicapi:private-apps:api-calls-per-10-seconds").body(), {}
    if status == 423:
        return ApiError(423, "The resource is locked by another operation. Try again shortly.", "LOCKED").body(), {}
    if status == 477:
        return ApiError(477, "This account is being migrated.", "MIGRATION_IN_PROGRESS").body(), {"Retry-After": "60"}
    if status in (500, 404, 400, 401, 403, 409):
        return ApiError(status, "internal error", "INTERNAL_ERROR" if status == 500 else None).body(), {}
    return f"<html><body><h1>Error {status}</h1><p>There was a problem with the server.</p></body></html>", {}
