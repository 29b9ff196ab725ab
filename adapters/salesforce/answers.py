"""What Salesforce's refusals mean: for a whole call, and for one record of it.

Salesforce names a refusal ``errorCode`` in plain answers and ``statusCode`` inside collections. Its messages may repeat
the data that was sent, so only those that cannot are shown; for the rest the code, the fields and a cure must do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.said import Said

_FIX_ACCESS = Said(
    "the connector's user may not do that; give it the permission set that `aurevoir provision` "
    "made, and sharing access to the record and its account"
)
_PROVISION = Said("the field is missing, or hidden from the connector's user; run `aurevoir provision`")
_OWNER = Said("the owner is inactive or may not own this; choose an active user")

CURES: Mapping[str, str] = {
    "INVALID_FIELD": _PROVISION,
    "INVALID_FIELD_FOR_INSERT_UPDATE": _FIX_ACCESS,
    "INVALID_TYPE": Said("this org has no such object, or the connector's user may not see it"),
    "INSUFFICIENT_ACCESS": _FIX_ACCESS,
    "INSUFFICIENT_ACCESS_OR_READONLY": _FIX_ACCESS,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": _FIX_ACCESS,
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Said(
        "an automation of this org failed on the record; look at its Apex trigger"
    ),
    "CANNOT_EXECUTE_FLOW_TRIGGER": Said("a flow of this org failed on the record; look at the flow's error mail"),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": Said("a validation rule of this org refuses it; exempt the connector's user"),
    "FIELD_FILTER_VALIDATION_EXCEPTION": Said("a lookup filter of this org refuses it; exempt the connector's user"),
    "REQUIRED_FIELD_MISSING": Said("this org requires a field that we do not fill; give it a default value"),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": Said("the picklist lacks the value; run `aurevoir provision`"),
    "STRING_TOO_LONG": Said("the text is longer than the field"),
    "NUMBER_OUTSIDE_VALID_RANGE": Said("the number does not fit the field"),
    "INACTIVE_OWNER_OR_USER": _OWNER,
    "OP_WITH_INVALID_USER_TYPE_EXCEPTION": _OWNER,
    "INVALID_CROSS_REFERENCE_KEY": Said(
        "a record that it points at does not exist, or the connector's user may not see it"
    ),
    "MALFORMED_ID": Said("an id in it is none of this org's"),
    "STORAGE_LIMIT_EXCEEDED": Said("the org's storage is full; free some in Setup > Storage Usage"),
    "DUPLICATES_DETECTED": Said("a duplicate rule of this org refuses it; exempt the connector's user"),
    "TRANSFER_REQUIRES_READ": _OWNER,
    "API_DISABLED_FOR_ORG": Said("this edition has no API; ask Salesforce to enable it"),
    "API_CURRENTLY_DISABLED": Said("the API is switched off for the connector's user; grant it 'API Enabled'"),
    "INVALID_SESSION_ID": Said("the access token was refused; check the External Client App and its run-as user"),
    "UNSUPPORTED_API_VERSION": Said("this API version has been retired; set a newer api_version"),
    "MALFORMED_QUERY": Said("a query was refused; a field name in the settings may be wrong"),
    "INVALID_QUERY_FILTER_OPERATOR": Said("a query was refused; an id in it is none of this org's"),
}
"""Refusal code to what it means here and what to do."""

SHOWN = frozenset({"FIELD_CUSTOM_VALIDATION_EXCEPTION", "INVALID_FIELD", "FIELD_FILTER_VALIDATION_EXCEPTION"})
"""Codes whose message is the admin's own text or names fields only."""

LATER = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "REQUEST_LIMIT_EXCEEDED",
        "SERVER_UNAVAILABLE",
        "QUERY_TIMEOUT",
        "REQUEST_RUNNING_TOO_LONG",
        "TXN_SECURITY_RUNTIME_EXCEPTION",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "PROCESSING_HALTED",
    }
)
"""Refusals after which the same may be tried again; nothing was done."""

GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND"})
"""The record to change is no more."""

UNCLEAR = frozenset({"UNKNOWN_EXCEPTION"})
"""The server failed and does not say how far it had come."""

DUPLICATE = "DUPLICATE_VALUE"

_COLUMN = re.compile(r"No such column '([\w.]+)'(?: on (?:entity|sobject of type) '?(\w+)'?)?")
_HOLDER = re.compile(r"record with id: ([0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?)")
_ERROR_ID = re.compile(r"ErrorId[^:]*: ([\w-]+(?: \(-?\d+\))?)")


@dataclass(frozen=True)
class Problem:
    """One refusal. ``message`` stays inside the adapter."""

    code: str
    message: str = ""
    fields: tuple[str, ...] = ()

    def explain(self) -> str:
        """What an admin reads: code, fields and cure, and the message where that cannot hold personal data."""
        parts = [self.code]
        if self.fields:
            parts.append(f"({', '.join(self.fields)})")
        text = " ".join(parts)
        if self.code in SHOWN and self.message:
            text += f": {' '.join(self.message.split())[:300]}"
        cure = CURES.get(self.code)
        return f"{text}; {cure}" if cure else text

    @property
    def column(self) -> str | None:
        """The field that does not exist, by an INVALID_FIELD message."""
        match = _COLUMN.search(self.message)
        return match.group(1) if match else (self.fields[0] if self.fields else None)

    @property
    def column_of(self) -> str | None:
        """The object that lacks it."""
        match = _COLUMN.search(self.message)
        return match.group(2) if match else None

    @property
    def holder(self) -> str | None:
        """The id of the record that already has a unique value, where the message tells it."""
        match = _HOLDER.search(self.message)
        return match.group(1) if match else None

    @property
    def error_id(self) -> str | None:
        """The number by which Salesforce's support finds a server error."""
        match = _ERROR_ID.search(self.message)
        return match.group(1) if match else None


def problems(content: Any) -> tuple[Problem, ...]:
    """The refusals in an answer: a list of them, or one, or none that can be read."""
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list):
        return ()
    return tuple(_problem(each) for each in content if isinstance(each, Mapping))


def _problem(raw: Mapping[str, Any]) -> Problem:
    code = raw.get("errorCode") or raw.get("statusCode") or raw.get("error") or "UNKNOWN"
    fields = raw.get("fields")
    names = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    return Problem(str(code), str(raw.get("message") or raw.get("error_description") or ""), names)
