"""One account's line to HubSpot: the vendor's client, made to keep time, to wait its turn, and to say what happened.

What the vendor's client leaves open and we settle here (all seen in version 12): each access to an API builds a new
object with a new connection pool, so they are made once and share one pool; no call has a time-out of its own; urllib3
would repeat calls by itself; ``str()`` of its errors holds whole bodies; each sub-package has its own error class; an
answer with an unexpected status becomes None. So we take the answers raw and read them ourselves.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import structlog
import urllib3
from hubspot import HubSpot
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)
from urllib3.util.retry import Retry

from adapters.errors import AdapterError, CredentialsInvalid, RateLimited, Unavailable
from adapters.hubspot.oauth import Login
from adapters.hubspot.problems import Circumstances, from_network, from_status, unclear
from adapters.hubspot.settings import HubSpotSettings
from adapters.services import Services
from workflows.said import Said

log = structlog.get_logger(__name__)

ATTEMPTS = 4
SHORT_WAIT = timedelta(seconds=11)
GROWING = wait_exponential(multiplier=0.25, max=4) + wait_random(0, 0.25)
LARGEST_ANSWER = 64 * 1024 * 1024
TOKEN_INFO = "/oauth/v2/private-apps/get/access-token-info"  # noqa: S105 - an address
"""Where HubSpot tells about the token of a private app."""
_CLASSIC = re.compile(r"^/crm/v[34]/(objects|associations|owners|pipelines|properties)(?P<rest>/.*)?$")


@dataclass(frozen=True)
class Op:
    """One operation of the vendor's client. ``read`` says that repeating it is harmless: bulk reads are POSTs, so the
    HTTP method does not tell. ``search`` has a limit of its own. ``tried``: a status with which a mere try may well be
    refused, and what that means; it is no trouble, and logged as none."""

    api: str
    method: str
    read: bool = False
    search: bool = False
    label: str = ""
    tried: tuple[int, str] | None = None

    @property
    def name(self) -> str:
        """For logs and errors, such as ``deals.batch_api.read``."""
        return self.label or f"{self.api.removeprefix('crm.').removeprefix('objects.')}.{self.method}"


@dataclass(frozen=True)
class Answer:
    """A success: its status, its JSON, and HubSpot's own clock when it answered."""

    status: int
    body: Mapping[str, Any]
    date: datetime


def dated(path: str, version: str) -> str:
    """The path template of a dated API version for one of v3 or v4; ``classic`` changes nothing.

    Deals go by their type id there, and owners without the slash that the client puts at the end. Paths outside the CRM
    (files) have no dated form in HubSpot's published list and stay.
    """
    found = _CLASSIC.match(path)
    if version == "classic" or found is None:
        return path
    rest = (found["rest"] or "").rstrip("/")
    if found[1] == "objects":
        rest = re.sub(r"^/deals(?=/|$)", "/0-3", rest)
    return f"/crm/{found[1]}/{version}{rest}"


class Client:
    """Calls HubSpot for one account, one thread at a time. Raises AdapterError and nothing else for a failed call."""

    def __init__(self, account: str, account_id: str, settings: HubSpotSettings, services: Services) -> None:
        self._account, self._settings, self._services = account, settings, services
        self._pool = urllib3.PoolManager(num_pools=2, maxsize=4, cert_reqs="CERT_REQUIRED", retries=Retry(0))
        self._apis: dict[str, Any] = {}
        self._login = Login(account, account_id, settings, services, self._pool)
        self._hubspot = HubSpot.create(api_factory=self._make_api)

    def call(self, op: Op, *args: Any, **kwargs: Any) -> Answer:
        """Carry out one operation; waits its turn, repeats reads that broke off and calls that were asked to wait."""

        def once() -> Answer:
            return self._once(op, args, kwargs)

        return Retrying(
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(60),
            wait=self._pause,
            retry=retry_if_exception(functools.partial(self._worth_again, op)),
            sleep=self._services.sleep,
            reraise=True,
        )(once)

    def get(self, path: str) -> Answer:
        """Read an address that the vendor's client has no operation for, through the same pool, budget and errors."""
        op = Op("crm.owners.owners_api", "call_api", read=True, label=f"get {path}")
        return self.call(op, path, "GET", auth_settings=["oauth2"])

    def granted_scopes(self) -> frozenset[str] | None:
        """What the token may do, as HubSpot says; None where it does not say. One call."""
        if self._settings.access_token is None:
            said = self._login.introspected().get("scopes")
        else:
            op = Op("crm.owners.owners_api", "call_api", read=True, label="ask what the token may do")
            headers = {"Content-Type": "application/json"}
            body = {"tokenKey": self._settings.access_token.get_secret_value()}
            said = self.call(
                op, TOKEN_INFO, "POST", header_params=headers, body=body, auth_settings=["oauth2"]
            ).body.get("scopes")
        if isinstance(said, str):
            said = said.split()
        return frozenset(map(str, said)) if isinstance(said, list) else None

    def upload(self, path: str, parts: Sequence[tuple[str, Any]]) -> Answer:
        """Send a form with a file. The vendor's client has an operation for that, but takes files from disk only."""
        return self.call(
            Op("crm.owners.owners_api", "call_api", label="upload"),
            path,
            "POST",
            header_params={"Content-Type": "multipart/form-data"},
            post_params=list(parts),
            auth_settings=["oauth2"],
        )

    def close(self) -> None:
        """Give back connections."""
        self._pool.clear()

    # --- one call -----------------------------------------------------------------------------------------------

    def _once(self, op: Op, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Answer:
        self._take(op)
        token = self._login.access_token()
        try:
            return self._send(op, args, kwargs, token)
        except CredentialsInvalid:
            fresh = self._login.after_refusal(token)
            if fresh is None:
                raise
        self._take(op)
        return self._send(op, args, kwargs, fresh)

    def _send(self, op: Op, args: tuple[Any, ...], kwargs: Mapping[str, Any], token: str) -> Answer:
        api = self._api(op.api)
        api.api_client.configuration.access_token = token
        at = Circumstances(
            self._account, op.name, not op.read, op.search, self._services.now(), self._services.time_zone
        )
        timeout = (self._settings.connect_timeout, self._settings.read_timeout)
        started = time.monotonic()
        try:
            carrier = api.api_client if op.method == "call_api" else api
            response = getattr(carrier, op.method)(*args, **kwargs, _preload_content=False, _request_timeout=timeout)
            answer = self._read(response, at, started)
        except AdapterError as error:
            failure = error
        except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
            failure = from_network(error, at)
        except Exception as error:
            if not hasattr(error, "status") or not hasattr(error, "body"):
                raise
            failure = self._refusal(error, op, at)
        else:
            self._note(op, answer.status, started)
            return answer
        self._note(op, failure.status, started, type(failure).__name__, failure.correlation_id)
        raise failure from None

    def _read(self, response: urllib3.HTTPResponse, at: Circumstances, started: float) -> Answer:
        """Take in a whole answer. Time-outs only bound the gap between two pieces, so the sum is bounded here."""
        pieces, size = [], 0
        for piece in response.stream(65_536):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_ANSWER or time.monotonic() - started > 4 * self._settings.read_timeout:
                response.close()
                raise unclear(Said("HubSpot's answer was too long or too slow"), at, status=response.status)
        text = b"".join(pieces)
        try:
            body = json.loads(text) if text.strip() else {}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise unclear(Said("HubSpot's answer could not be read"), at, status=response.status)
        return Answer(response.status, body, self._date(response.headers, at.now))

    @staticmethod
    def _date(headers: Mapping[str, str], otherwise: datetime) -> datetime:
        try:
            return parsedate_to_datetime(headers["Date"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError):
            return otherwise

    def _refusal(self, error: Any, op: Op, at: Circumstances) -> AdapterError:
        if not error.status:
            return unclear(Said("the connection to HubSpot could not be secured"), at)
        failure = from_status(int(error.status), error.body, error.headers or {}, at)
        if isinstance(failure, RateLimited) and failure.status != 423:
            daily = failure.until - at.now > timedelta(minutes=5)
            for bucket in ("search",) if op.search and not daily else ("search", "general"):
                self._services.budget.hold(bucket, failure.until)
        return failure

    # --- waiting ------------------------------------------------------------------------------------------------

    def _take(self, op: Op) -> None:
        rate, budget = self._settings.rate, self._services.budget
        if rate.calls_per_day is not None:
            budget.take("daily", limit=rate.calls_per_day, per_seconds=86_400)
        if op.search:
            budget.take("search", limit=rate.searches_per_second, per_seconds=1)
        budget.take("general", limit=rate.calls_per_10s, per_seconds=10)

    def _worth_again(self, op: Op, error: BaseException) -> bool:
        if isinstance(error, RateLimited):
            # Without a status it was our own budget, which has waited as long as it wants to.
            return error.status is not None and error.until - self._services.now() <= SHORT_WAIT
        return op.read and isinstance(error, Unavailable)

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, RateLimited):
            return max((error.until - self._services.now()).total_seconds(), 0.0) + 0.05
        return GROWING(state)

    # --- parts --------------------------------------------------------------------------------------------------

    def _api(self, name: str) -> Any:
        if name not in self._apis:
            self._apis[name] = functools.reduce(getattr, name.split("."), self._hubspot)
        return self._apis[name]

    def _make_api(self, package: Any, api_name: str, _config: Mapping[str, Any]) -> Any:
        configuration = package.Configuration()
        configuration.host = self._settings.api_url
        configuration.client_side_validation = False
        api_client = package.ApiClient(configuration=configuration)
        api_client.rest_client.pool_manager = self._pool
        api_client.user_agent = _user_agent()
        plain = api_client.call_api

        def call_api(path: str, *args: Any, **kwargs: Any) -> Any:
            return plain(dated(path, self._settings.api_version), *args, **kwargs)

        api_client.call_api = call_api
        return getattr(package, api_name)(api_client=api_client)

    def _note(
        self, op: Op, status: int | None, started: float, failure: str = "", correlation_id: str | None = None
    ) -> None:
        milliseconds = round((time.monotonic() - started) * 1000)
        said = {"account": self._account, "operation": op.name, "status": status, "ms": milliseconds}
        if failure and op.tried is not None and status == op.tried[0]:
            log.info(op.tried[1], correlation_id=correlation_id, **said)
        elif failure:
            log.warning("call failed", failure=failure, correlation_id=correlation_id, **said)
        else:
            log.debug("call", **said)


@functools.cache
def _user_agent() -> str:
    return f"aurevoir hubspot-api-client-python/{importlib.metadata.version('hubspot-api-client')}"
