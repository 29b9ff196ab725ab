"""The vendor's two ways of saying no: for a whole request, and for one record of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

STATUS_OF = {
    "NOT_FOUND": 404,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "API_DISABLED_FOR_ORG": 403,
    "INVALID_SESSION_ID": 401,
    "INVALID_AUTH_HEADER": 401,
    "METHOD_NOT_ALLOWED": 405,
    "UNSUPPORTED_API_VERSION": 410,
    "UNSUPPORTED_MEDIA_TYPE": 415,
}
"""HTTP status of an error code when it answers a request for a single thing; all others are 400."""


class ApiError(Exception):
    """A request that is refused as a whole: a list of one ``{"message","errorCode"}`` and its HTTP status."""

    def __init__(
        self, code: str, message: str, *, status: int | None = None, fields: Sequence[str] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or STATUS_OF.get(code, 400)
        self.fields = fields

    def body(self) -> list[dict[str, Any]]:
        """The answer's body."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = list(self.fields)
        return [error]


class RecordError(Exception):
    """A record that is refused, whatever happens to its neighbours."""

    def __init__(self, code: str, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = tuple(fields)

    def item(self) -> dict[str, Any]:
        """As one item of a collections answer: there the code is called ``statusCode``."""
        error = {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}
        return {"success": False, "errors": [error]}

    def as_api_error(self) -> ApiError:
        """The same for a request about this record alone."""
        return ApiError(self.code, self.message, fields=self.fields)


def malformed_query(message: str) -> ApiError:
    """The answer to a query that cannot be read."""
    return ApiError("MALFORMED_QUERY", message)


def invalid_field(message: str) -> ApiError:
    """The answer to a field or relationship that does not exist, or that this user may not see."""
    return ApiError("INVALID_FIELD", message)
