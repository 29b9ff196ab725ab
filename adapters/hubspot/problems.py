"""From what HubSpot answered, or did not, to an error that says what to do.

HubSpot's bodies quote property values, so nothing of them reaches an error but names: category, code, property, scope,
correlation id. Every field of an error body is optional, and bodies may be HTML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

import urllib3.exceptions

from adapters.errors import (
    AdapterError,
    CredentialsInvalid,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    ScopeMissing,
    Unavailable,
)
from workflows.said import Said

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$")
_CODE = re.compile(r"^[A-Z][A-Z0-9_]{2,60}$")
_IN_TEXT_CODE = re.compile(r'\\?"error\\?"\s*:\s*\\?"([A-Z][A-Z0-9_]+)\\?"')
_IN_TEXT_NAME = re.compile(r'\\?"name\\?"\s*:\s*\\?"([A-Za-z0-9_]+)\\?"')
_NO_PROPERTY = re.compile(r'[Pp]roperty \\*"?([A-Za-z0-9_]+)\\*"? does not exist')
_TAKEN = re.compile(r"propertyName=([A-Za-z0-9_]+).*already has that value", re.DOTALL)
_CORRELATION = re.compile(r"^[A-Za-z0-9-]{8,64}$")
_LONGEST_WAIT = timedelta(hours=26)

UNKNOWN_PROPERTY = "PROPERTY_DOESNT_EXIST"
TAKEN = "CONFLICTING_UNIQUE_VALUE"
MISSING = "REQUIRED_FIELD"

SENTENCES: Mapping[str, str] = {
    UNKNOWN_PROPERTY: Said("HubSpot no longer has this property: run `aurevoir provision`"),
    "INVALID_OPTION": Said("the property has no such option: run `aurevoir provision`"),
    "INVALID_OWNER_ID": Said("HubSpot knows no such owner: choose an active user"),
    "INVALID_DATE": Said("not a date that HubSpot takes"),
    "INVALID_LONG": Said("not a moment that HubSpot takes"),
    "INVALID_NUMBER": Said("not a number that HubSpot takes"),
    "INVALID_EMAIL": Said("not an e-mail address that HubSpot takes"),
    "VALUE_TOO_LONG": Said("longer than HubSpot takes"),
    "READ_ONLY_VALUE": Said("HubSpot lets nobody write this property"),
    MISSING: Said("an admin made this property required: fill it, or relax the rule"),
    TAKEN: Said("another record has this value already"),
}


@dataclass(frozen=True)
class Problem:
    """The names in an error body; ``is_json`` False: it was none of HubSpot's."""

    category: str = ""
    sub_category: str = ""
    policy: str = ""
    correlation_id: str | None = None
    codes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    is_json: bool = False

    @property
    def unknown_property(self) -> bool:
        """Whether HubSpot says that a property does not exist."""
        return UNKNOWN_PROPERTY in self.codes

    @property
    def taken(self) -> bool:
        """Whether another record has the unique value already."""
        return TAKEN in self.codes or self.category == "CONFLICT"

    def sentence(self) -> str:
        """Why it was refused, for an admin."""
        code = next((code for code in self.codes if code in SENTENCES), None)
        why = SENTENCES[code] if code else self.codes[0] if self.codes else self.category or Said("no reason given")
        return f"{', '.join(self.fields)}: {why}" if self.fields else why


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value that should be a text or a list of texts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _unique(values: Iterator[str] | list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def parse_problem(body: Any) -> Problem:
    """The names in an error body (text, bytes, or one error of a batch answer as a mapping)."""
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except ValueError:
            return Problem()
    if not isinstance(body, Mapping):
        return Problem()
    details = body.get("errors")
    parts = [body, *(part for part in (details if isinstance(details, list) else ()) if isinstance(part, Mapping))]
    codes: list[str] = []
    fields: list[str] = []
    scopes: list[str] = []
    for part in parts:
        told = part.get("context")
        context: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
        message = part["message"] if isinstance(part.get("message"), str) else ""
        codes += [*_texts(part.get("code")), *_IN_TEXT_CODE.findall(message)]
        fields += [*_texts(context.get("propertyName")), *_IN_TEXT_NAME.findall(message), *_texts(part.get("in"))]
        scopes += _texts(context.get("requiredGranularScopes"))
        scopes += _texts(context.get("requiredScopes"))
        if missing := _NO_PROPERTY.findall(message):
            codes.append(UNKNOWN_PROPERTY)
            fields += missing
        if taken := _TAKEN.findall(message):
            codes.append(TAKEN)
            fields += taken
        if required := list(_texts(context.get("properties"))):
            codes.append(MISSING)
            fields += required
    correlation = body.get("correlationId")
    return Problem(
        category=next((c for c in _texts(body.get("category") or body.get("errorType")) if _CODE.match(c)), ""),
        sub_category=next(_texts(body.get("subCategory")), ""),
        policy=next(_texts(body.get("policyName")), ""),
        correlation_id=correlation if isinstance(correlation, str) and _CORRELATION.match(correlation) else None,
        codes=_unique([code for code in codes if _CODE.match(code)]),
        fields=_unique([name for name in fields if _NAME.match(name)]),
        scopes=_unique(scopes),
        is_json=True,
    )


class Refused(Rejected):
    """HubSpot refused the content; ``problem`` has the names."""

    def __init__(self, problem: Problem, said: Mapping[str, Any]) -> None:
        field = problem.fields[0] if problem.fields else None
        super().__init__(Said("HubSpot refused it (%(why)s)", why=problem.sentence()), field=field, **said)
        self.problem = problem


@dataclass(frozen=True)
class Circumstances:
    """What was being done when a call failed. ``writes``: an unclear end leaves the outcome open."""

    account: str
    operation: str
    writes: bool
    search: bool
    now: datetime
    time_zone: str


def _until(problem: Problem, headers: Mapping[str, str], at: Circumstances) -> datetime:
    """When HubSpot takes calls again: as it says, else by the policy that it names."""
    said = headers.get("Retry-After") or headers.get("retry-after")
    wait: timedelta | None = None
    if said is not None:
        try:
            wait = timedelta(seconds=float(said))
        except (ValueError, OverflowError):
            try:
                wait = parsedate_to_datetime(said) - at.now
            except (TypeError, ValueError):
                wait = None
    if wait is None and problem.policy == "DAILY":
        local = at.now.astimezone(ZoneInfo(at.time_zone))
        midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        wait = midnight.astimezone(UTC) - at.now
    if wait is None:
        wait = timedelta(seconds=1 if problem.policy == "SECONDLY" or (at.search and not problem.policy) else 10)
    return at.now + min(max(wait, timedelta(0)), _LONGEST_WAIT)


def from_status(status: int, body: Any, headers: Mapping[str, str], at: Circumstances) -> AdapterError:
    """The error for an HTTP answer that is no success."""
    problem = parse_problem(body)
    said: dict[str, Any] = {
        "account": at.account,
        "operation": at.operation,
        "status": status,
        "correlation_id": problem.correlation_id or headers.get("X-HubSpot-Correlation-Id"),
    }
    if status == 401:
        return CredentialsInvalid(
            Said("HubSpot no longer accepts the access token: replace it or connect again"), **said
        )
    if status == 403:
        refusal = Said("HubSpot does not let this app do that")
        if problem.scopes:
            needed = ", ".join(problem.scopes)
            refusal = Said("HubSpot does not let this app do that: it needs %(scopes)s", scopes=needed)
        return ScopeMissing(refusal, scopes=problem.scopes, **said)
    if status == 404 and problem.is_json:
        return NotFound(Said("HubSpot has no such record"), **said)
    if status == 404:
        # Only a record's absence comes with an error body; it must not be taken for a wrong address.
        return Rejected(Said("HubSpot has no such address: check api_url and api_version"), **said)
    if status in (423, 429, 477):
        until = at.now + timedelta(seconds=2) if status == 423 else _until(problem, headers, at)
        return RateLimited(
            Said("HubSpot asks to wait until %(until)s UTC", until=f"{until:%Y-%m-%d %H:%M:%S}"), until=until, **said
        )
    if 400 <= status < 500 and status != 408:
        return Refused(problem, said)
    return unclear(
        Said("HubSpot answered %(status)s", status=status), at, status=status, correlation_id=said["correlation_id"]
    )


def unclear(
    what: str, at: Circumstances, *, status: int | None = None, correlation_id: str | None = None
) -> OutcomeUnknown | Unavailable:
    """The error for a call without a clear answer."""
    said: dict[str, Any] = {"status": status, "correlation_id": correlation_id}
    if at.writes:
        return OutcomeUnknown(
            Said("%(what)s: it may or may not have been done", what=what),
            account=at.account,
            operation=at.operation,
            **said,
        )
    return Unavailable(what, account=at.account, operation=at.operation, **said)


def from_network(error: BaseException, at: Circumstances) -> AdapterError:
    """The error for a call that broke off. One that never left this machine is not unclear."""
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    if isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
        pool = error.pool if isinstance(error, urllib3.exceptions.MaxRetryError) else None
        text = Said("HubSpot cannot be reached: check api_url, and that this machine may call it")
        if isinstance(pool, urllib3.HTTPConnectionPool):
            text = Said(
                "HubSpot cannot be reached at %(host)s: check api_url, and that this machine may call it",
                host=pool.host,
            )
        return Unavailable(text, account=at.account, operation=at.operation)
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return unclear(Said("HubSpot did not answer in time"), at)
    return unclear(Said("the connection to HubSpot broke off"), at)
