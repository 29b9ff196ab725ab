"""What an adapter's author supplies to be held to the conformance suite: one class that fulfils :class:`Rig`.

The class lives in ``rig_<crm>.py`` beside this file under the name ``RIG``; the tests of this folder, of the whole
system and the benchmarks then run against it without another line. A rig translates plain wishes ("a deal in a
not-renewing stage", "the next write is done but its answer is lost") into its sandbox's words, and what the sandbox
holds back into the few plain records below. It reads and changes the sandbox directly, never through the adapter.

This folder is on the path of the tests: rig files and tests may ``from conformance_kit import ...``.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from adapters.errors import RateLimited
from adapters.port import Adapter, Crm
from adapters.services import FieldMap, Services, Token
from adapters.signals import WebhookAccount, WebhookRequest
from workflows.fields import FIELDS
from workflows.records import RecordKind, Role
from workflows.writes import CreateTask


class Trouble(StrEnum):
    """What can go wrong with a call, in words that every CRM knows."""

    UNAUTHORISED = "credentials refused"
    FORBIDDEN = "permission or scope missing"
    NOT_FOUND = "record or endpoint not there"
    CONFLICT = "conflict"
    INVALID = "content refused"
    RATE_SHORT = "too many calls, come back in about a second"
    RATE_LONG = "too many calls, come back in an hour or more"
    SERVER_ERROR = "internal server error"
    TIME_OUT = "no answer within the read time-out, nothing done"
    RESET_BEFORE = "connection reset, nothing done"
    RESET_AFTER = "done, then connection reset without an answer"
    TRUNCATED = "done, then half an answer"
    BROKEN_JSON = "answer is 200 with something that is not JSON"


class Where(StrEnum):
    """Which calls a trouble happens to."""

    READ_DEAL = "reading deals"
    CREATE_TASK = "creating tasks"
    UPDATE = "updating deals, companies, contacts"


@dataclass(frozen=True)
class SeenTask:
    """A task as the sandbox holds it. ``due`` is a date where the CRM keeps no time."""

    id: str
    subject: str
    body: str
    due: datetime | date
    owner_id: str
    done: bool
    company_id: str | None
    contact_ids: frozenset[str]


@dataclass(frozen=True)
class SeenNote:
    """A note or a document as the sandbox holds it. ``name`` and ``content`` only for a document."""

    id: str
    body: str = ""
    name: str | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Limits:
    """What the design promises of this adapter, in calls (token calls apart)."""

    observe_one: int
    people_one: int
    observe_hundred: int
    people_hundred: int
    task_batch: int
    """How many tasks one create call takes."""
    write_single_case: int
    """Eight tasks and the deal's fields in one ``write``."""


class Rig(Protocol):
    """One adapter with its sandbox, made anew for each test by ``RIG()`` and closed after it."""

    name: str
    adapter: Adapter
    account_id: str
    limits: Limits
    read_timeout: float
    """Seconds for :meth:`settings`: generous, since machines are slow at times; short where a test waits for it."""
    secrets: Sequence[str]
    """Everything that must never show in an error or a log: tokens, client secrets, the webhook secret."""
    negotiating: str
    not_renewing: str
    """Stage ids; ``pipeline_id`` is theirs (None where the CRM's stages know no pipeline)."""
    pipeline_id: str | None
    users: Sequence[str]
    """At least two active users' ids; ``inactive_user`` is one more."""
    inactive_user: str
    contract_end_field: str
    exit_reason_field: str
    figure: tuple[str, str]
    """A ``("deal"|"company", field)`` pair that the sandbox knows."""
    exit_reason_value: str
    """A value that the sandbox takes in :attr:`exit_reason_field`."""
    stage_field: str
    """The CRM's own field that holds a deal's stage."""
    bad_owner_id: str
    """Looks like a user's id, and the CRM refuses a task for it."""

    # --- the connection ---------------------------------------------------------------------------------------

    def settings(self) -> Any:
        """An instance of the adapter's settings_model that points at the sandbox, with :attr:`read_timeout`."""

    def bare_settings(self) -> Mapping[str, Any]:
        """The same as keys and values, for the tests of settings."""

    def seed_token(self, tokens: MemoryTokens) -> None:
        """Put credentials into the store, where the adapter expects them there; else nothing."""

    def browser_settings(self) -> Mapping[str, Any]:
        """Keys and values of an account without credentials, that is connected in the browser with :attr:`shared_app`.

        This, and what follows to :meth:`uninstall`, only where the adapter is a :class:`adapters.offers.Consenting`.
        """

    shared_app: Mapping[str, str]
    """``client_id`` and ``client_secret`` of the app that the sandbox knows."""

    def consent(self, address: str, *, agree: bool = True) -> str:
        """What a person does at the CRM's consent page at ``address``; where the browser is sent back to."""

    def rotate(self, on: bool) -> None:
        """Whether each refresh voids the refresh token that it used."""

    def refreshes(self) -> int:
        """Calls to the token endpoint since :meth:`forget_calls`."""

    def end_sessions(self) -> None:
        """Access tokens come to their end, by time if they have one; the consent stays."""

    def uninstall(self) -> None:
        """An admin of the CRM takes the app out."""

    def now(self) -> datetime:
        """The sandbox's clock."""

    def advance(self, by: timedelta) -> None:
        """Move the sandbox's clock on."""

    def close(self) -> None:
        """Stop the sandbox."""

    def snapshot(self) -> Any:
        """What provisioning made in the sandbox. Optional, with :meth:`restore`: it makes the suite faster."""

    def restore(self, taken: Any) -> None:
        """Put it back into a fresh sandbox."""

    # --- records -----------------------------------------------------------------------------------------------

    def add_company(self, name: str, *, owner_id: str | None = None) -> str:
        """A company; its id."""

    def add_contact(self, name: str, *, email: str | None, decider: bool = False) -> str:
        """A contact; its id."""

    def add_deal(
        self,
        name: str,
        *,
        stage: str | None = None,
        owner_id: str | None = None,
        amount: Decimal | None = None,
        contract_end: date | None = None,
        exit_reason: str | None = None,
        figure: str | None = None,
        company_id: str | None = None,
        contact_ids: Sequence[str] = (),
    ) -> str:
        """A deal; its id. Without ``stage``: in negotiation. ``figure`` fills :attr:`figure` where that is a deal's."""

    def missing_id(self, kind: RecordKind) -> str:
        """A well-formed id of that kind which the CRM does not have."""

    def move_deal(self, deal_id: str, stage_id: str) -> None:
        """Move it to another stage, now, as a person would."""

    def give_deal(self, deal_id: str, owner_id: str) -> None:
        """Give it another owner, now, as a person would."""

    def delete_deal(self, deal_id: str) -> None:
        """Delete it as a person would (into the recycle bin)."""

    def complete_task(self, task_id: str) -> None:
        """Complete it as a person would."""

    def set_aside(self, task_id: str, line: str) -> None:
        """Set it aside without doing it, and write this line below its text, as a person would."""

    def act_on(self, deal_id: str, user_id: str, what: str) -> None:
        """This user has had a ``call``, ``meeting`` or ``task`` of their own on the deal."""

    def join_team(self, deal_id: str, user_id: str) -> None:
        """This user works on the deal beside its owner."""

    def give_role(self, deal_id: str, contact_id: str, role: str) -> None:
        """The contact has this role on the deal, by its name in the CRM."""

    def bounce(self, contact_id: str) -> None:
        """Mail to the contact came back."""

    def tick_counterpart(self, contact_id: str) -> None:
        """A person ticks our own field on the contact: this one says "received"."""

    def delete_task(self, task_id: str) -> None:
        """Delete it as a person would."""

    def tasks(self, deal_id: str) -> Sequence[SeenTask]:
        """The deal's tasks, deleted ones left out."""

    def notes(self, deal_id: str) -> Sequence[SeenNote]:
        """The deal's notes that are not documents."""

    def files(self, deal_id: str) -> Sequence[SeenNote]:
        """The deal's documents."""

    def value(self, kind: RecordKind, record_id: str, name: str) -> str | None:
        """What the sandbox holds in our own field ``name`` (as in workflows.fields); None when empty or unknown."""

    # --- trouble -----------------------------------------------------------------------------------------------

    def trouble(self, what: Trouble, where: Where, *, times: int | None = 1) -> None:
        """The next ``times`` calls of this sort fail so (None: always); the answer has the vendor's own shape."""

    def calm(self) -> None:
        """No more trouble."""

    def calls(self) -> int:
        """API calls since :meth:`forget_calls`; token calls apart."""

    def forget_calls(self) -> None:
        """Count from zero."""

    # --- webhooks ----------------------------------------------------------------------------------------------

    signs_time: bool
    """Whether deliveries carry a signature over body and time; False: only a secret in the path."""
    webhook_secret: str

    def delivery(
        self,
        deal_ids: Sequence[str],
        *,
        at: datetime,
        secret: str | None = None,
        account_id: str | None = None,
        received_at: datetime | None = None,
    ) -> WebhookRequest:
        """A delivery as the vendor sends it, saying that these deals came into the not-renewing stage at ``at``.

        Proven with ``secret`` (default: the right one), for ``account_id`` (default: ours), signed at ``at`` and
        received at ``received_at`` (default: ``at``).
        """


RIGS = sorted(path.stem.removeprefix("rig_") for path in Path(__file__).parent.glob("rig_*.py"))
"""The CRMs that have a rig."""


def make_rig(crm: str) -> Rig:
    """A fresh rig of this CRM."""
    made: Rig = importlib.import_module(f"rig_{crm}").RIG()
    return made


class MemoryTokens:
    """A token store for one test."""

    def __init__(self) -> None:
        self.token: Token | None = None
        self._lock = threading.Lock()

    def load(self) -> Token | None:
        return self.token

    def save(self, token: Token) -> None:
        self.token = token

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        with self._lock:
            yield


@dataclass
class MemoryBudget:
    """A sliding window per bucket that waits by moving the clock; remembers what was claimed."""

    rig: Rig
    taken: list[str] = field(default_factory=list)
    held: dict[str, datetime] = field(default_factory=dict)
    window: dict[str, deque[datetime]] = field(default_factory=dict)

    def take(self, bucket: str, *, limit: int, per_seconds: float) -> None:
        self.taken.append(bucket)
        now = self.rig.now()
        until = self.held.get(bucket)
        if until is not None and until > now:
            if until - now > timedelta(seconds=15):
                raise RateLimited("the account's calls are used up for now", until=until)
            self.rig.advance(until - now)
        seen = self.window.setdefault(bucket, deque())
        while seen and self.rig.now() - seen[0] > timedelta(seconds=per_seconds):
            seen.popleft()
        if len(seen) >= limit:
            self.rig.advance(seen[0] + timedelta(seconds=per_seconds, milliseconds=10) - self.rig.now())
            seen.popleft()
        seen.append(self.rig.now())

    def hold(self, bucket: str, until: datetime) -> None:
        self.held[bucket] = until


@dataclass
class Desk:
    """A rig with a connection made from it, and what the connection used of the outside."""

    rig: Rig
    crm: Crm
    budget: MemoryBudget
    tokens: MemoryTokens
    slept: list[float]


ACCOUNT = "acme"
_PROVISIONED: dict[str, tuple[Any, Mapping[str, str]]] = {}


def provision(rig: Rig) -> Mapping[str, str]:
    """Create our fields in the rig's sandbox, through the adapter once and by its snapshot from then on."""
    if rig.name in _PROVISIONED:
        rig.restore(_PROVISIONED[rig.name][0])
        return _PROVISIONED[rig.name][1]
    desk = connect(rig)
    state = desk.crm.ensure_schema(FIELDS).state
    desk.crm.close()
    if hasattr(rig, "snapshot"):
        _PROVISIONED[rig.name] = (rig.snapshot(), state)
    return state


def connect(
    rig: Rig,
    *,
    state: Mapping[str, str] | None = None,
    account: str = ACCOUNT,
    roles: Mapping[str, Role] | None = None,
) -> Desk:
    """Connect as the connector would, with roles as an admin may name them.

    Waiting moves the sandbox's clock, so that no test sleeps.
    """
    budget, tokens, slept = MemoryBudget(rig), MemoryTokens(), []
    rig.seed_token(tokens)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        rig.advance(timedelta(seconds=seconds))

    crm = rig.adapter.connect(
        account,
        rig.account_id,
        rig.settings(),
        FieldMap(
            contract_end=rig.contract_end_field,
            exit_reason=rig.exit_reason_field,
            figures=(rig.figure,),
            roles=roles or {},
        ),
        Services(now=rig.now, sleep=sleep, tokens=tokens, budget=budget),
        state=state or {},
    )
    return Desk(rig, crm, budget, tokens, slept)


def hook_account(rig: Rig, *extra_secrets: str) -> WebhookAccount:
    """The rig's account as the receiver knows it."""
    return WebhookAccount(ACCOUNT, rig.account_id, (rig.webhook_secret, *extra_secrets))


def task(rig: Rig, deal_id: str, key: str, **changes: Any) -> CreateTask:
    """A task to create, with all that must be given."""
    fixed = {
        "key": key,
        "deal_id": deal_id,
        "subject": f"Do {key}",
        "due_at": rig.now() + timedelta(days=7),
        "owner_id": rig.users[0],
    }
    return CreateTask.model_validate(fixed | changes)
