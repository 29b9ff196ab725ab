"""The port: what a CRM must be able to do for us, batch-shaped since both CRMs are.

An adapter package exposes one :class:`Adapter` under the entry-point group ``aurevoir.adapters``. Everything that
crosses the port is in the words of :mod:`workflows.model`; vendor words stay behind it. Methods may block; they raise
:class:`adapters.errors.AdapterError` and nothing else. None of them writes unless its name says so.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from adapters.errors import ConsentTrouble
from workflows.fields import FieldSpec
from workflows.model import Deal, Involvement, PastValue, People, Pipeline, Ref, Role, TaskState, User, Write

# --- what an adapter gets -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FieldMap:
    """Which of the CRM's own fields hold what, by the CRM's names, as the admin set them.

    ``contract_end`` None: the close date. ``figures`` are ``("company"|"deal", field)`` pairs. ``language`` is the
    contact's language field, where the CRM has none of its own. ``roles`` says what a role or label of a contact means,
    by its name in small letters; it goes before what the adapter knows of its CRM's usual names (P-11).
    """

    contract_end: str | None = None
    exit_reason: str | None = None
    language: str | None = None
    figures: tuple[tuple[str, str], ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True)
class Token:
    """Credentials as they are cached. ``secrets`` is encrypted at rest; ``facts`` (scopes, instance) is not."""

    secrets: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    saved_at: datetime | None = None
    """Set by the store when it is read."""


class TokenStore(Protocol):
    """Where one account's token is kept, shared by all processes."""

    def load(self) -> Token | None:
        """The newest token, or None."""

    def save(self, token: Token) -> None:
        """Keep ``token``; on return it is on disk."""

    def lock(self) -> AbstractContextManager[None]:
        """Held by whoever refreshes: one at a time over all threads and processes. Read again after taking it."""


class Budget(Protocol):
    """An account's call budget, shared by all processes: a sliding window that stays below the CRM's limit."""

    def take(self, bucket: str, *, limit: int, per_seconds: float) -> None:
        """Claim one call; waits while the wait is short.

        Raises :class:`~adapters.errors.RateLimited` when it would be long.
        """

    def hold(self, bucket: str, until: datetime) -> None:
        """The CRM said to wait: no call in this bucket before ``until``, by any process."""


@dataclass(frozen=True)
class Services:
    """What an adapter may use of the outside: the clock, its token, its budget, and a way to wait.

    ``time_zone`` is the account's (IANA name): where a CRM keeps a moment that stands for a date, or a date that stands
    for a moment, it is read and written there.
    """

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    tokens: TokenStore
    budget: Budget
    time_zone: str = "UTC"


# --- webhooks -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WebhookRequest:
    """A delivery as it came in. ``url`` is built from the configured public URL, never from the request's host.

    ``headers`` are lower-case. ``secret`` is the last part of the path where the CRM's endpoint has one.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    secret: str | None = None


@dataclass(frozen=True)
class WebhookAccount:
    """An account that a delivery may be for, with the secrets that prove it; several while one is being rotated."""

    name: str
    account_id: str
    secrets: tuple[str, ...]


class SignalKind(StrEnum):
    """What kind of record a signal points at."""

    DEAL = "deal"
    TASK = "task"
    CONTACT_ERASED = "contact_erased"


@dataclass(frozen=True)
class Signal:
    """Look at this record again. ``account`` is our name of it.

    ``stage_id`` is the deal's stage as the payload has it, or None where it does not say; it is a hint to leave
    uninteresting deals alone, and never acted upon.
    """

    account: str
    kind: SignalKind
    record_id: str
    occurred_at: datetime
    stage_id: str | None = None
    pipeline_id: str | None = None


@dataclass(frozen=True)
class BadEvent:
    """An event of an authentic batch that cannot be read: kept aside, with the reason, for the admin."""

    account: str | None
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Reply:
    """What the sender must be answered once everything is committed."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b"{}"


@dataclass(frozen=True)
class Receipt:
    """A verified delivery. ``ignored`` counts events that we know and do not need, by what they are;
    ``unknown_accounts`` counts events by an account id that is not set up here."""

    signals: tuple[Signal, ...]
    bad: tuple[BadEvent, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    unknown_accounts: Mapping[str, int] = field(default_factory=dict)
    reply: Reply = Reply()


# --- reads ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Capabilities:
    """What this CRM, in this account, can do. What is False here raises ``Unsupported`` when asked for.

    ``unique_task_key``: a second create with the same key is refused by the CRM itself, so an unclear create may simply
    be sent again. ``push``: webhooks can reach us. ``due_time``: a task is due at a time, not only on a date.
    """

    push: bool
    unique_task_key: bool
    due_time: bool
    stage_history: bool
    files: bool
    settles_after: timedelta


@dataclass(frozen=True)
class Page:
    """Deals or tasks that changed since the cursor. ``more``: ask again at once with ``cursor``, which is opaque text.

    ``stages`` gives the stage of each deal, where the CRM tells it in the same call, so that deals which nobody watches
    are left alone. What the overlap brings again, unchanged since an earlier page told it, is left out: the cursor
    remembers it.
    """

    ids: tuple[str, ...]
    cursor: str
    more: bool = False
    stages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """A deal, and its people where the CRM gives them in the same call (else None: ask :meth:`Crm.people`)."""

    deal: Deal
    people: People | None = None


@dataclass(frozen=True)
class Traced:
    """A deal as it stands with its people, as :class:`Observed`, and what it was before, for a rehearsal (P-70).

    ``past`` has former values, newest first. ``untold`` names fields of Deal of whose past the CRM tells nothing, so
    that only their present value is known.
    """

    deal: Deal
    people: People | None = None
    past: tuple[PastValue, ...] = ()
    untold: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """One past value of one field of one record. ``before``: the value until then, where the CRM tells."""

    record: Ref
    field: str
    value: str | None
    at: datetime
    by_user_id: str | None = None
    before: str | None = None


# --- writes ---------------------------------------------------------------------------------------------------------


class Result(StrEnum):
    """How one write ended.

    DONE: it is there (created now, or found to be there already). AGAIN: cleanly refused for now, nothing was done.
    REFUSED: refused for good. GONE: the record to change no longer exists. UNKNOWN: no clear answer.
    """

    DONE = "done"
    AGAIN = "again"
    REFUSED = "refused"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """The CRM's answer to one keyed write. ``until``: with AGAIN, not before then. ``reason`` is fit for an admin."""

    key: str
    result: Result
    record_id: str | None = None
    reason: str = ""
    until: datetime | None = None
    correlation_id: str | None = None


@dataclass(frozen=True)
class Wanted:
    """A keyed write whose outcome is unclear, to be looked for. ``kind`` is task, note or file."""

    key: str
    kind: str
    deal_id: str


@dataclass(frozen=True)
class SchemaReport:
    """What ``ensure_schema`` found and did; texts are ``record.field`` in the CRM's own names.

    With ``dry_run``, ``created`` is what would be created. ``refused`` maps a field to the reason. ``state`` is what
    the adapter wants remembered for this account (such as how tasks carry their key) and gets back at
    :meth:`Adapter.connect`.
    """

    present: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    extended: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    state: Mapping[str, str] = field(default_factory=dict)


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """One line of the check-up (P-73): what was looked at, how it stands, and the remedy."""

    subject: str
    level: Level
    text: str
    remedy: str = ""


class DataType(StrEnum):
    """What one of the CRM's own fields holds, as far as choosing among them needs it."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    OTHER = "other"


@dataclass(frozen=True)
class FieldInfo:
    """One of the CRM's own deal fields, as its people see it: ``name`` for settings, ``label`` for reading."""

    name: str
    label: str
    type: DataType


@dataclass(frozen=True)
class Employer:
    """The company that a contact works for now, with its name."""

    company_id: str
    name: str


class Crm(Protocol):
    """One connected account. Safe to use from one thread at a time."""

    @property
    def capabilities(self) -> Capabilities:
        """What this account can do; costs no call."""

    def start_cursor(self) -> str:
        """A cursor that stands at the CRM's present moment. The CRM's clock counts, not ours."""

    def changed_deals(self, cursor: str) -> Page:
        """Deals changed since ``cursor``, oldest first, re-reading a safe overlap; at most one call a page."""

    def changed_tasks(self, cursor: str) -> Page:
        """Tasks of ours changed since ``cursor``; as :meth:`changed_deals`."""

    def deals_in_stages(self, stage_ids: Sequence[str], cursor: str | None) -> Page:
        """All deals that now sit in one of these stages, for the daily full comparison. None: from the start."""

    def ended_between(self, stage_ids: Sequence[str], since: datetime, until: datetime, cursor: str | None) -> Page:
        """Deals that entered one of these stages in that time, as far as the CRM can tell, whatever became of them.

        May name deals that did not: :meth:`trace` tells for sure. Deleted ones may be left out. None: from the start.
        """

    def trace(self, deal_ids: Sequence[str]) -> Mapping[str, Traced]:
        """The deals with their past, by the id asked for; up to 500, in as few calls as the CRM allows.

        Every id asked for is answered, as by :meth:`observe`.
        """

    def observe(self, deal_ids: Sequence[str]) -> Mapping[str, Observed]:
        """The deals as they stand, by the id asked for; up to 100. Every id asked for is answered:
        a record that is gone comes with its :class:`~workflows.model.DealState`."""

    def people(self, deals: Sequence[Deal]) -> Mapping[str, People]:
        """Company and contacts of these deals, by deal id; needless where :meth:`observe` gave them."""

    def involved(self, deals: Sequence[Deal]) -> Mapping[str, tuple[Involvement, ...]]:
        """Who of ours took part in these deals besides their owners, by deal id; up to 100 deals (P-10).

        Asked only when a neutral person is to be chosen. Our own tasks do not count. At most one entry a user and part.
        """

    def moved_contacts(self, known: Mapping[str, str | None]) -> Mapping[str, Employer]:
        """Which of these contacts (id to the id of the company where they were) work for another company now (P-53).

        Up to 500. Who is gone, or works for no company that the CRM knows, is left out.
        """

    def task_states(self, task_ids: Sequence[str]) -> Mapping[str, TaskState]:
        """The tasks as they stand, by id; up to 1,000. A deleted one comes with ``found=False``."""

    def find(self, wanted: Sequence[Wanted]) -> Mapping[str, str]:
        """Which of these keyed records exist: key to record id; absent keys do not exist.

        Raises :class:`~adapters.errors.Unavailable` when that cannot be told for sure now.
        """

    def history(self, records: Sequence[Ref], fields: Sequence[str], since: datetime) -> Sequence[Change]:
        """Past values of the CRM's own fields, oldest first, as far back as the CRM keeps them."""

    def users(self) -> Sequence[User]:
        """All users, active and not."""

    def pipelines(self) -> Sequence[Pipeline]:
        """All pipelines of deals with their stages."""

    def deal_fields(self) -> Sequence[FieldInfo]:
        """The CRM's own fields of a deal that settings may name, by label; ours and hidden ones are left out.

        One call.
        """

    def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Carry out keyed writes in as few calls as the CRM allows; one outcome each, in order.

        Never raises for a failed call: that is what outcomes are for. Creates are sent at most once.
        """

    def ensure_schema(self, wanted: Sequence[FieldSpec], *, dry_run: bool = False) -> SchemaReport:
        """Create what is missing of our fields, idempotently; options that an admin added stay."""

    def check(self) -> Iterable[Finding]:
        """Findings on connection, scopes, our fields and what the settings name."""

    def deal_url(self, deal_id: str) -> str | None:
        """Where people see the deal in the CRM, or None when that cannot be told."""

    def close(self) -> None:
        """Give back connections."""


# --- consent in the browser -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OAuthApp:
    """Our own app at a CRM, as the settings name it for all accounts that have none of their own."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True)
class ConsentRequest:
    """One attempt to connect an account: where the browser comes back to, and what proves that it is the same one.

    ``verifier`` is PKCE's (RFC 7636); an adapter sends its challenge, and later itself, where the CRM checks it.
    """

    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def challenge(self) -> str:
        """The S256 challenge of the verifier."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True)
class Granted:
    """What a consent brought. ``missing``: scopes that we need and were not given."""

    account_id: str
    token: Token
    missing: tuple[str, ...] = ()


class BrowserConsent(Protocol):
    """Connecting accounts by OAuth's authorization code, for a CRM that has it."""

    scopes: Mapping[str, str]
    """What we ask for, each with what it is for, in a few English words."""

    def complete(self, settings: Any, app: OAuthApp | None) -> Any:
        """An account's settings with what it takes from the shared app.

        Raises ValueError with the cure when the account has no credentials and there is no app to get them with.
        """

    def wanted(self, settings: Any) -> bool:
        """Whether an account with these settings is connected in the browser, and not by credentials of its own."""

    def authorize_url(self, account_id: str, settings: Any, request: ConsentRequest) -> str:
        """Where the browser goes to ask for consent."""

    def trouble(self, error: str, description: str) -> ConsentTrouble:
        """What the CRM means by the error that came back with the browser."""

    def redeem(
        self, account: str, account_id: str, settings: Any, services: Services, code: str, request: ConsentRequest
    ) -> Granted:
        """Turn the code into a token, once; the caller compares the account and stores it.

        Raises :class:`~adapters.errors.ConsentRefused`, or :class:`~adapters.errors.Retryable` when the CRM does not
        answer; the code may be spent then.
        """

    def keep_alive(self, account: str, account_id: str, settings: Any, services: Services, *, before: datetime) -> None:
        """Renew the stored token if it was saved before then, so that a quiet account's consent does not lapse.

        Raises :class:`~adapters.errors.ConsentEnded` and others as any call.
        """


class Adapter(Protocol):
    """One kind of CRM: the object behind the entry point."""

    name: str
    label: str
    settings_model: type[BaseModel]
    """The adapter's own keys of an account in config.yaml (credentials, addresses, API version)."""

    def connect(
        self,
        account: str,
        account_id: str,
        settings: Any,
        fields: FieldMap,
        services: Services,
        *,
        state: Mapping[str, str],
    ) -> Crm:
        """Make a :class:`Crm`; calls nothing yet. ``settings`` is an instance of ``settings_model``.

        ``state`` is what :attr:`SchemaReport.state` last said for this account; empty before provisioning.
        """

    def webhook_secrets(self, settings: Any) -> tuple[str, ...]:
        """The secrets that prove a delivery for an account with these settings; empty: it has no push."""

    def receive(self, request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Receipt:
        """Verify and parse a delivery.

        Raises :class:`~adapters.errors.SignatureError` or :class:`~adapters.errors.PayloadError`.
        """

    def same_account(self, one: str, other: str) -> bool:
        """Whether two account ids name the same account (a CRM may spell one in two ways)."""


# --- what an adapter may offer besides ------------------------------------------------------------------------------


@runtime_checkable
class Consenting(Protocol):
    """An adapter whose accounts may be connected in the browser instead of by credentials in the settings."""

    consent: BrowserConsent
    """How that is done."""


@dataclass(frozen=True)
class Ask:
    """A proven request from inside the CRM, by someone who works there, about one deal of one account.

    ``account`` is our name of it. ``language`` is the asker's, where the request says so. ``reply`` is what the CRM
    wants to hear when the request has been carried out.
    """

    account: str
    deal_id: str
    language: str | None = None
    reply: Reply = Reply()


@runtime_checkable
class Embedded(Protocol):
    """An adapter whose CRM shows a card of ours on a deal, and lets people start an offboarding by hand.

    Both raise :class:`~adapters.errors.SignatureError` or :class:`~adapters.errors.PayloadError`.
    """

    def asked_for_card(self, request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Ask:
        """Verify a request for the card of a deal."""

    def asked_to_start(self, request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Ask:
        """Verify a request to start the offboarding of a deal; the CRM may send it more than once."""


@dataclass(frozen=True)
class PackageOrder:
    """What an app to be installed in the CRM is made for.

    ``account`` holds the vendor settings of the account that it is for, and ``stage_ids`` the stages watched there;
    None and empty when it is for any account. ``options`` are the adapter's own, see :attr:`Packager.package_options`.
    """

    public_url: str
    account: Any | None = None
    stage_ids: frozenset[str] = frozenset()
    options: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Packager(Protocol):
    """An adapter that brings an app to be installed in its CRM."""

    package_options: Mapping[str, str]
    """What may be said of the app besides, by name, each with a line of help."""

    def package(self, order: PackageOrder, out: Path) -> Sequence[Path]:
        """Write the app into the folder ``out``; the files written, the one to hand to the CRM first.

        Raises :class:`~adapters.errors.ConfigError` with what is missing or wrong, before anything is written.
        """


@runtime_checkable
class Installing(Protocol):
    """A :class:`Crm` that takes the rest of our app (push, reports, what people see) through its API, or that can say
    what of it is left to do by hand."""

    def install_app(
        self,
        order: PackageOrder,
        *,
        dry_run: bool = False,
        known: str = "",
        follow: Callable[[str, int, int], None] | None = None,
    ) -> SchemaReport:
        """Put the app there, idempotently; our fields are there already.

        ``known`` is what :attr:`SchemaReport.state` last said under :data:`APP_STATE`. ``follow`` hears the status of a
        deployment under way, how many parts are done, and how many there are. With ``dry_run`` nothing stays. What is
        left to do by hand is in the notes. Raises :class:`~adapters.errors.AdapterError` when the CRM cannot be asked.
        """


APP_STATE = "app"
"""The key under which an adapter remembers which app it installed last."""


@dataclass(frozen=True)
class Removal:
    """What was taken away, or with ``dry_run`` would be, in the CRM's own names.

    ``stays`` maps what is left to why, and to how it is removed by hand.
    """

    removed: tuple[str, ...] = ()
    stays: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Forgetting(Protocol):
    """A :class:`Crm` that does not push privacy deletions, and can be asked who was deleted (P-79)."""

    def deleted_contacts(self, contact_ids: Sequence[str]) -> frozenset[str]:
        """Which of these contacts were deleted; those merged into another record are not among them."""


@runtime_checkable
class Leaving(Protocol):
    """A :class:`Crm` from which what we created can be taken away again (P-7A)."""

    def remove_app(self, ours: Sequence[FieldSpec], *, dry_run: bool = False) -> Removal:
        """Take away our fields with what stands in them, and the other parts that its API can; again with the same end.

        Raises :class:`~adapters.errors.AdapterError` when the CRM cannot be asked.
        """

    def sign_off(self) -> Removal:
        """Give the access back, as far as it was granted to us; afterwards the connection is of no use."""
