"""One account's calls: through simple-salesforce, within the budget, with a fresh token, and errors by what to do.

Reads are tried again here; a write is sent once, and again only after an answer that says that nothing was done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import requests
import structlog
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError, SalesforceExpiredSession
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from adapters.errors import (
    AdapterError,
    CredentialsInvalid,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Retryable,
    ScopeMissing,
    Unavailable,
    Unsupported,
)
from adapters.salesforce.answers import CURES, LATER, UNCLEAR, Problem, problems
from adapters.salesforce.mapping import Row
from adapters.salesforce.oauth import Bearer, Tokens, grant_of
from adapters.salesforce.settings import SalesforceSettings
from adapters.salesforce.transport import RedirectRefusedError, TooLargeError, Wire, make_session
from adapters.services import Services
from workflows.said import Said

log = structlog.get_logger(__name__)

BUCKET = "salesforce-daily"
DAY = 86_400.0
USUAL_DAILY_CALLS = 100_000
"""What most editions allow a day; used until the first answer's header tells the org's own number."""
NEAR_LIMIT_PAUSE = timedelta(minutes=15)
DAILY_LIMIT_PAUSE = timedelta(hours=1)
CONCURRENT_PAUSE = timedelta(seconds=30)
POLITE_PAUSE = timedelta(seconds=30)
SHORT_WAIT = timedelta(seconds=5)
ATTEMPTS = 3
RENEWALS = 2
"""The first may only bring the token that another process stored hours ago, and that has come to its end as well."""


@dataclass(frozen=True)
class Result:
    """A page of a query. ``at`` is the server's clock when it answered; ``more`` is where the next page is."""

    rows: tuple[Row, ...]
    at: datetime
    more: str | None = None


class Client:
    """Calls to one org; for one thread at a time."""

    def __init__(self, account: str, account_id: str, settings: SalesforceSettings, services: Services) -> None:
        self.account = account
        self.version = settings.api_version
        self._settings = settings
        self._services = services
        self._wire = Wire(connect=settings.connect_timeout, read=settings.read_timeout, total=settings.total_timeout)
        self._session = make_session(self._wire)
        grant = grant_of(account, settings)
        self.tokens = Tokens(account, account_id, settings, services, self._session, self._wire, grant)
        self._made: tuple[Bearer, Salesforce] | None = None
        self._daily = USUAL_DAILY_CALLS
        self.usage: tuple[int, int] | None = None

    @property
    def heard_at(self) -> datetime | None:
        """The server's clock when it last answered, where it said."""
        return self._wire.heard.date

    def close(self) -> None:
        """Give back connections."""
        self._session.close()

    # --- calls ------------------------------------------------------------------------------------------------------

    def query(self, operation: str, soql: str, *, deleted: bool = False) -> list[Row]:
        """All rows of a query, page by page; ``deleted`` takes in the recycle bin and archived activities."""
        result = self.page(operation, soql, deleted=deleted)
        rows = list(result.rows)
        while result.more:
            result = self.next_page(operation, result.more)
            rows.extend(result.rows)
        return rows

    def page(self, operation: str, soql: str, *, deleted: bool = False) -> Result:
        """The first page of a query."""
        found: Result = self._read(operation, lambda sf: self._result(sf.query(soql, include_deleted=deleted)))
        return found

    def next_page(self, operation: str, more: str) -> Result:
        """The page of a query, or of a sub-query, that ``more`` points at."""
        found: Result = self._read(operation, lambda sf: self._result(sf.query_more(more, identifier_is_url=True)))
        return found

    def get(self, operation: str, path: str) -> Any:
        """A read of ``path`` below the versioned base."""
        return self._read(operation, lambda sf: sf.restful(path))

    def post(self, operation: str, path: str, **body: Any) -> Any:
        """A write, sent once. ``body`` is ``json=`` or ``data=`` with ``headers=``.

        Raises :class:`OutcomeUnknown` when it may have happened, and other errors when it has not.
        """
        return self._call(operation, lambda sf: sf.restful(path, method="POST", **body), writes=True)

    # --- one call, from all sides -----------------------------------------------------------------------------------

    def _read(self, operation: str, attempt: Callable[[Salesforce], Any]) -> Any:
        return self._call(operation, attempt, writes=False)

    def _call(self, operation: str, attempt: Callable[[Salesforce], Any], *, writes: bool) -> Any:
        """Retries: reads after any passing fault, writes after a clean refusal, both only if the wait is short."""

        def again(error: BaseException) -> bool:
            if isinstance(error, RateLimited):
                return error.until - self._services.now() <= SHORT_WAIT
            return isinstance(error, Retryable) and not writes

        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            retry=retry_if_exception(again),
            sleep=self._services.sleep,
            reraise=True,
        )
        return retrying(lambda: self._once(operation, attempt, writes=writes))

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        backoff = wait_random_exponential(multiplier=0.5, max=4)(state)
        if isinstance(error, RateLimited):
            return max((error.until - self._services.now()).total_seconds(), 0.0) + backoff / 10
        return backoff

    def _once(self, operation: str, attempt: Callable[[Salesforce], Any], *, writes: bool) -> Any:
        bearer = self.tokens.current()
        for _ in range(RENEWALS):
            try:
                return self._attempt(attempt, bearer, operation, writes=writes)
            except SalesforceExpiredSession:
                log.info("access token refused, getting another", account=self.account, operation=operation)
            bearer = self.tokens.renew(bearer.access_token)
            if bearer.fetched:
                break
        try:
            return self._attempt(attempt, bearer, operation, writes=writes)
        except SalesforceExpiredSession as error:
            message = Said("a fresh access token was refused too; check the External Client App and its run-as user")
            raise self._error(CredentialsInvalid, message, operation, 401) from error

    def _attempt(self, attempt: Callable[[Salesforce], Any], bearer: Bearer, operation: str, *, writes: bool) -> Any:
        limit = max(1, int(self._daily * self._settings.daily_call_share))
        self._services.budget.take(BUCKET, limit=limit, per_seconds=DAY)
        started = time.monotonic()
        try:
            answer = attempt(self._salesforce(bearer))
        except SalesforceExpiredSession:
            raise
        except SalesforceError as error:
            failure = self._refused(error, operation, writes=writes)
        except requests.exceptions.JSONDecodeError:
            failure = self._unclear(Said("the answer was not JSON"), operation, writes=writes)
        except requests.RequestException as error:
            failure = self._broken(error, operation, writes=writes)
        else:
            self._log(operation, started)
            return answer
        finally:
            self._note_usage()
        self._log(operation, started, failure)
        # What the libraries raise may hold addresses and bodies; it ends here.
        raise failure from None

    def _log(self, operation: str, started: float, failure: AdapterError | None = None) -> None:
        said = {"account": self.account, "operation": operation, "ms": round((time.monotonic() - started) * 1000)}
        if failure is None:
            log.debug("call", **said)
        else:
            kind, correlation = type(failure).__name__, failure.correlation_id
            log.warning("call failed", failure=kind, status=failure.status, correlation_id=correlation, **said)

    def _salesforce(self, bearer: Bearer) -> Salesforce:
        if self._made is None or self._made[0] != bearer:
            self._wire.allow(bearer.instance_url)
            made = Salesforce(
                session_id=bearer.access_token,
                instance_url=bearer.instance_url,
                version=self.version,
                session=self._session,
                parse_float=Decimal,
                object_pairs_hook=dict,
            )
            self._made = (bearer, made)
        return self._made[1]

    def _result(self, body: Any) -> Result:
        if not isinstance(body, Mapping) or not isinstance(body.get("records"), list):
            raise self._error(Unavailable, Said("a query's answer was not understood"), "query")
        more = None if body.get("done", True) else body.get("nextRecordsUrl")
        return Result(tuple(body["records"]), self._wire.heard.date or self._services.now(), more)

    def _note_usage(self) -> None:
        """Learn the org's daily number from the answer's header, and hold all processes when its share is used up."""
        heard = self._wire.heard
        if heard.used is None or heard.allowed is None:
            return
        self.usage = (heard.used, heard.allowed)
        self._daily = heard.allowed
        if heard.used >= heard.allowed * self._settings.daily_call_share:
            self._services.budget.hold(BUCKET, self._services.now() + NEAR_LIMIT_PAUSE)

    # --- errors -----------------------------------------------------------------------------------------------------

    def _refused(self, error: SalesforceError, operation: str, *, writes: bool) -> AdapterError:
        """A status of 300 or more, by what the caller should do."""
        status = int(error.status)
        first = next(iter(problems(error.content)), Problem("UNKNOWN"))
        if status == 429 or first.code == "REQUEST_LIMIT_EXCEEDED":
            return self._limited(first, operation, status)
        if status >= 500 or first.code in UNCLEAR:
            return self._unclear(Said("the server failed"), operation, status, first.error_id, writes=writes)
        if first.code in LATER:
            return self._error(Unavailable, Said("%(code)s: try again later", code=first.code), operation, status)
        if status == 410 or first.code == "UNSUPPORTED_API_VERSION":
            message = Said("API version %(version)s has been retired; set a newer api_version", version=self.version)
            return self._error(Unsupported, message, operation, status)
        if status == 403:
            known = first.explain() if first.code in CURES else f"{first.code}; {CURES['INSUFFICIENT_ACCESS']}"
            return self._error(ScopeMissing, known, operation, status)
        if status == 404:
            return self._error(
                NotFound, Said("%(code)s: not there, or not visible", code=first.code), operation, status
            )
        return Rejected(first.explain(), field=first.column, account=self.account, operation=operation, status=status)

    def _limited(self, problem: Problem, operation: str, status: int) -> RateLimited:
        """Daily and concurrent limits share a code and differ in words. A daily one comes back bit by bit."""
        now = self._services.now()
        daily = problem.code == "REQUEST_LIMIT_EXCEEDED" and "concurrent" not in problem.message.lower()
        pause = DAILY_LIMIT_PAUSE if daily else CONCURRENT_PAUSE if problem.code != "UNKNOWN" else POLITE_PAUSE
        until = self._wire.heard.wait_until(now) or now + pause
        self._services.budget.hold(BUCKET, until)
        text = Said("the org's daily API calls are used up") if daily else Said("too many calls at once")
        return RateLimited(text, until=until, account=self.account, operation=operation, status=status)

    def _broken(self, error: requests.RequestException, operation: str, *, writes: bool) -> AdapterError:
        """A failure without a whole answer. Messages of the library are left out: they repeat addresses."""
        kind = type(error).__name__
        if isinstance(error, requests.exceptions.SSLError):
            return self._error(Unavailable, Said("the server's certificate was not accepted"), operation)
        if isinstance(error, RedirectRefusedError):
            message = Said(
                "the server redirected the call; has the org's address changed? Check login_url and instance_url"
            )
            return self._error(Unavailable, message, operation)
        if unsent(error):
            return self._error(Unavailable, Said("no connection (%(kind)s)", kind=kind), operation)
        if isinstance(error, TooLargeError):
            return self._unclear(str(error), operation, writes=writes)
        return self._unclear(Said("no answer (%(kind)s)", kind=kind), operation, writes=writes)

    def _unclear(
        self, message: str, operation: str, status: int | None = None, error_id: str | None = None, *, writes: bool
    ) -> AdapterError:
        kind = OutcomeUnknown if writes else Unavailable
        return self._error(kind, message, operation, status, error_id)

    def _error(
        self,
        kind: Callable[..., AdapterError],
        message: str,
        operation: str,
        status: int | None = None,
        error_id: str | None = None,
    ) -> AdapterError:
        correlation = error_id or self._wire.heard.request_id
        return kind(message, account=self.account, operation=operation, status=status, correlation_id=correlation)


def unsent(error: requests.RequestException) -> bool:
    """Whether the request cannot have reached the server."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    if isinstance(error, requests.exceptions.InvalidURL):
        return True
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
