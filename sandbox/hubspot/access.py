"""Who may call: tokens, scopes and rate limits."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from flask import g, request

from sandbox.hubspot.errors import ApiError, missing_scopes, rate_limited
from sandbox.hubspot.values import iso
from sandbox.hubspot.world import Source
from sandbox.kit import Clock

ALL_SCOPES = (
    "oauth",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.owners.read",
    "crm.schemas.deals.read",
    "crm.schemas.deals.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "files",
)
_HOW = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details "
    "at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)


@dataclass
class Grant:
    """What a token stands for. Private-app tokens never expire."""

    kind: Literal["private", "oauth"]
    scopes: frozenset[str]
    app_id: int
    user_id: int
    expires_at: datetime | None = None
    refresh_token: str = ""

    @property
    def source(self) -> Source:
        """How its writes show in history and webhooks."""
        return Source("INTEGRATION", str(self.app_id), "Private app" if self.kind == "private" else "App", self.user_id)


class SlidingWindow:
    """At most ``limit`` calls in any stretch of ``seconds``, by the times of the calls themselves."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._times: deque[datetime] = deque()

    def take(self, now: datetime) -> bool:
        """Count one call; False when that would be one too many, and then it is not counted."""
        start = now - timedelta(seconds=self.seconds)
        self._times = deque(each for each in self._times if start < each <= now)
        if len(self._times) >= self.limit:
            return False
        self._times.append(now)
        return True

    @property
    def remaining(self) -> int:
        """Calls left as of the last one."""
        return max(self.limit - len(self._times), 0)


@dataclass
class Limits:
    """The portal's published figures: per app and 10 seconds, per account and day, searches per account and second."""

    burst: int = 100
    daily: int = 250_000
    search: int = 5
    enabled: bool = True


@dataclass
class Access:
    """Tokens of one portal and the counters of its calls."""

    clock: Clock
    time_zone: str
    limits: Limits = field(default_factory=Limits)
    tokens: dict[str, Grant] = field(default_factory=dict)
    _bursts: dict[int, SlidingWindow] = field(default_factory=dict)
    _search: SlidingWindow | None = None
    _day: str = ""
    _today: int = 0

    def add_private_app(
        self,
        token: str | None = None,
        scopes: Iterable[str] = ALL_SCOPES,
        *,
        app_id: int = 1160452,
        user_id: int = 9586504,
    ) -> str:
        """Make a private app and return its token."""
        token = token or f"pat-eu1-{secrets.token_hex(16)}"
        self.tokens[token] = Grant("private", frozenset(scopes), app_id, user_id)
        return token

    def authenticate(self) -> Grant:
        """The grant behind the bearer token of the request. Raises ApiError 401."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        grant = self.tokens.get(token) if scheme.lower() == "bearer" else None
        if grant is None:
            raise ApiError(401, _HOW, "INVALID_AUTHENTICATION")
        now = self.clock.now()
        if grant.expires_at is not None and grant.expires_at <= now:
            ago = int((now - grant.expires_at).total_seconds())
            raise ApiError(
                401,
                f"The OAuth token used to make this call expired {ago} second(s) ago.",
                "EXPIRED_AUTHENTICATION",
                context={"expire time": [iso(grant.expires_at)]},
            )
        g.grant = grant
        return grant

    def meter(self, grant: Grant, *, search: bool) -> None:
        """Count the call against its limit. Raises ApiError 429, and then it does not count."""
        now = self.clock.now()
        if not self.limits.enabled:
            return
        if search:
            if self._search is None or self._search.limit != self.limits.search:
                self._search = SlidingWindow(self.limits.search, 1.0)
            if not self._search.take(now):
                raise rate_limited("SECONDLY", "publicapi:crm:search:api-calls-per-second")
            return
        self._count_day(now)
        if not self._window(grant.app_id).take(now):
            raise rate_limited("TEN_SECONDLY_ROLLING", f"publicapi:{grant.kind}-apps:{grant.app_id}")
        self._today += 1

    def headers(self, grant: Grant) -> Mapping[str, str]:
        """Rate-limit headers of an answer; the daily ones for private apps only. Searches get none."""
        if not self.limits.enabled:
            return {}
        window = self._window(grant.app_id)
        told = {
            "X-HubSpot-RateLimit-Max": str(window.limit),
            "X-HubSpot-RateLimit-Remaining": str(window.remaining),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(window.seconds * 1000)),
        }
        if grant.kind == "private":
            told["X-HubSpot-RateLimit-Daily"] = str(self.limits.daily)
            told["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(self.limits.daily - self._today, 0))
        return told

    def _window(self, app_id: int) -> SlidingWindow:
        window = self._bursts.get(app_id)
        if window is None or window.limit != self.limits.burst:
            window = self._bursts[app_id] = SlidingWindow(self.limits.burst, 10.0)
        return window

    def _count_day(self, now: datetime) -> None:
        day = now.astimezone(ZoneInfo(self.time_zone)).date().isoformat()
        if day != self._day:
            self._day, self._today = day, 0
        if self._today >= self.limits.daily:
            raise rate_limited("DAILY", "publicapi:private-apps:daily")


def current() -> Grant | None:
    """The grant of the request at hand, if it has one."""
    found: Grant | None = g.get("grant")
    return found


def grant() -> Grant:
    """The grant of the request at hand."""
    found: Grant = g.grant
    return found


def need(*scopes: str) -> None:
    """Raises ApiError 403 unless the token has one of the scopes."""
    if not grant().scopes.intersection(scopes):
        raise missing_scopes(scopes)
