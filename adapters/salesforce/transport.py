"""How bytes travel: simple-salesforce's requests go where the settings say, within bounds.

simple-salesforce always speaks to ``https://<host of the instance>``. The adapter mounted there sends each request to
the configured origin with that host (so that a look-alike on plain http on this machine can be used), refuses any other
host, never follows a redirect, bounds time and size, and keeps the headers that simple-salesforce's errors leave out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from workflows.said import Said

MAX_BYTES = 10 * 1024 * 1024
CHUNK = 64 * 1024
LONGEST_WAIT = timedelta(hours=24)


class RedirectRefusedError(requests.RequestException):
    """The server answered with a redirect; a token must not travel on to where it points."""


class TooLargeError(requests.RequestException):
    """The answer is larger than any that we ask for."""


@dataclass(frozen=True)
class Heard:
    """What the last answer's headers said."""

    date: datetime | None = None
    retry_after: str | None = None
    used: int | None = None
    allowed: int | None = None
    request_id: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Heard:
        """Read them; what cannot be read is None."""
        used, allowed = _usage(headers.get("Sforce-Limit-Info", ""))
        return cls(
            date=_http_date(headers.get("Date", "")),
            retry_after=headers.get("Retry-After"),
            used=used,
            allowed=allowed,
            request_id=headers.get("X-SFDC-Request-Id"),
        )

    def wait_until(self, now: datetime) -> datetime | None:
        """Until when Retry-After (seconds or a date) asks to wait; at most a day. None when it does not say."""
        if self.retry_after is None:
            return None
        text = self.retry_after.strip()
        if text.isdigit():
            # Hundreds of digits would overflow; a day is the most we wait anyway.
            return now + min(timedelta(seconds=int(text[:9])), LONGEST_WAIT)
        until = _http_date(text)
        return None if until is None else min(max(until, now), now + LONGEST_WAIT)


def _usage(text: str) -> tuple[int | None, int | None]:
    """Used and allowed calls from ``api-usage=18/5000; per-app-api-usage=...``."""
    for part in text.split(";"):
        name, _, value = part.strip().partition("=")
        used, _, allowed = value.partition("/")
        if name == "api-usage" and used.isdigit() and allowed.isdigit():
            return int(used), int(allowed)
    return None, None


def _http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else None


class Wire(HTTPAdapter):
    """The transport adapter; ``heard`` is what the last answer's headers said. Time-outs are in seconds."""

    def __init__(self, *, connect: float, read: float, total: float, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(max_retries=0)
        self._timeout = (connect, read)
        self._total = total
        self._max_bytes = max_bytes
        self._origins: dict[str, str] = {}
        self.heard = Heard()

    def allow(self, origin: str) -> None:
        """Let requests for this origin's host through, over this origin's scheme."""
        parts = urlsplit(origin)
        self._origins[parts.netloc.lower()] = parts.scheme

    def send(self, request: requests.PreparedRequest, *_: Any, **kwargs: Any) -> requests.Response:
        """Send one request and read the whole answer.

        Raises requests' own exceptions, :class:`RedirectRefusedError` and :class:`TooLargeError`.
        """
        parts = urlsplit(str(request.url))
        scheme = self._origins.get(parts.netloc.lower())
        if scheme is None:
            raise requests.exceptions.InvalidURL(f"not an address of this account: {parts.netloc}")
        request = request.copy()
        request.url = urlunsplit(parts._replace(scheme=scheme))
        kwargs.update(stream=True, timeout=self._timeout)
        self.heard = Heard()
        deadline = time.monotonic() + self._total
        response = super().send(request, **kwargs)
        self.heard = Heard.of(response.headers)
        try:
            if response.is_redirect:
                raise RedirectRefusedError("the server answered with a redirect, which is not followed")
            self._read(response, deadline)
        finally:
            response.close()
        return response

    def _read(self, response: requests.Response, deadline: float) -> None:
        """Read the body within bounds and hand it over as if requests had read it."""
        body = bytearray()
        for chunk in response.iter_content(CHUNK):
            body += chunk
            if len(body) > self._max_bytes:
                raise TooLargeError(Said("the answer is larger than %(max_bytes)s bytes", max_bytes=self._max_bytes))
            if time.monotonic() > deadline:
                raise requests.exceptions.ReadTimeout(f"the answer took longer than {self._total} s")
        response._content = bytes(body)


def make_session(wire: Wire) -> requests.Session:
    """A session that speaks over ``wire`` alone and takes no credentials from .netrc."""
    session = requests.Session()
    session.adapters.clear()
    session.mount("https://", wire)
    # Without an auth of its own, requests would put a .netrc entry over our Authorization header.
    session.auth = _as_it_is
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
