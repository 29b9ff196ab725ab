"""A connected account at run time: its connection, and what is remembered about it so that calls are saved."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from adapters.errors import ConfigError, CredentialsInvalid, Fault, Permanent, RateLimited, Retryable, Unavailable
from adapters.port import Adapter, Crm
from adapters.results import SchemaReport
from adapters.services import Services, Token
from adapters.tokens import consent_ended, has_ended
from connector.account_settings import AccountConfig
from connector.clock import Clock
from connector.readonly import ReadOnly
from connector.resolve import has_last_resort, resolve_rules
from connector.store import Store, accounts
from connector.store.database import Busy
from connector.store.shown import FIELDS_THERE
from connector.store.tables import AccountRow
from connector.vault import Vault, VaultError
from workflows.fields import named_in
from workflows.records import Pipeline, User
from workflows.rules import AccountRules
from workflows.said import Said

KNOWN_FOR = timedelta(hours=1)
LONGEST_WAIT = timedelta(seconds=10)
REFRESH_WAIT_SECONDS = 60.0
PATIENCE_SECONDS = 0.5
"""How long a delivery waits while users and stages are being read; then it is taken as if they were unknown."""


class StoredToken:
    """The account's token in the database, sealed by the vault (:class:`adapters.services.TokenStore`)."""

    def __init__(self, store: Store, vault: Vault, account: str, clock: Clock, crm: str = "") -> None:
        """``crm``: what it is called."""
        self._store, self._vault, self._account, self._clock, self._crm = store, vault, account, clock, crm
        self._mine = threading.Lock()

    def load(self) -> Token | None:
        """The newest token, or None. Raises :class:`CredentialsInvalid` when our keys do not open it."""
        with self._store.read() as session:
            row = accounts.token(session, self._account)
        if row is None:
            return None
        try:
            secrets = json.loads(self._vault.open(row.sealed, account=self._account, column=accounts.SEALED))
        except VaultError as error:
            raise CredentialsInvalid(str(error), account=self._account) from error
        return Token(secrets=secrets, facts=row.facts, expires_at=row.expires_at, saved_at=row.saved_at)

    def save(self, token: Token) -> None:
        """Keep ``token``; on return it is on disk. That its consent has ended is at once the account's trouble."""
        sealed = self._vault.seal(json.dumps(dict(token.secrets)), account=self._account, column=accounts.SEALED)
        with self._store.write() as session:
            accounts.save_token(session, self._account, sealed, token.facts, token.expires_at, self._clock.now())
            row = accounts.get(session, self._account)
            if has_ended(token) and row is not None and row.started_at is not None:
                why = consent_ended(self._account, self._crm).message
                accounts.troubled(session, self._account, why, self._clock.now())

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held by whoever refreshes, over all threads and processes. Raises :class:`Unavailable` after a minute.

        Threads of one process queue up here, so that each process asks the database or the file system once.
        """
        with ExitStack() as held:
            try:
                if not self._mine.acquire(timeout=REFRESH_WAIT_SECONDS):
                    raise Busy
                held.callback(self._mine.release)
                held.enter_context(self._store.exclusive(f"token-{self._account}", wait=REFRESH_WAIT_SECONDS))
            except Busy:
                raise Unavailable(
                    Said("someone else has been refreshing the access token"), account=self._account
                ) from None
            yield


class SharedBudget:
    """The account's call budget in the database (:class:`adapters.services.Budget`)."""

    def __init__(self, store: Store, account: str, clock: Clock) -> None:
        self._store, self._account, self._clock = store, account, clock

    def take(self, bucket: str, *, limit: int, per_seconds: float) -> None:
        """Claim one call; waits up to ten seconds, else raises :class:`~adapters.errors.RateLimited`."""
        while True:
            now = self._clock.now()
            with self._store.write() as session:
                until = accounts.take_call(
                    session, self._account, bucket, limit=limit, window=timedelta(seconds=per_seconds), now=now
                )
            if until is None:
                return
            if until - now > LONGEST_WAIT:
                raise RateLimited(
                    Said("our call budget is used up"), until=until, account=self._account, operation=bucket
                )
            self._clock.sleep((until - now).total_seconds())

    def hold(self, bucket: str, until: datetime) -> None:
        """No call in this bucket before ``until``, by any process."""
        with self._store.write() as session:
            accounts.hold(session, self._account, bucket, until)


class OtherAccount(Permanent):
    """The database holds another account's work under this name: nothing is read or written there."""


class Account:
    """One account of the settings, connected on first use. Work on it happens in one thread at a time."""

    def __init__(
        self, name: str, config: AccountConfig, adapter: Adapter, store: Store, vault: Vault, clock: Clock
    ) -> None:
        self.name = name
        self.config = config
        self.adapter = adapter
        self._store = store
        self._clock = clock
        self._services = Services(
            now=clock.now,
            sleep=clock.sleep,
            tokens=StoredToken(store, vault, name, clock, adapter.label),
            budget=SharedBudget(store, name, clock),
            time_zone=config.time_zone,
        )
        self._crm: Crm | None = None
        self._known_at: datetime | None = None
        self._pipelines: tuple[Pipeline, ...] = ()
        self._users: Mapping[str, User] = {}
        self._rules: AccountRules | None = None
        self._guard = threading.RLock()

    @property
    def account_id(self) -> str:
        """The account's id in its CRM."""
        return self.config.account_id

    @property
    def services(self) -> Services:
        """What its adapter may use of the outside."""
        return self._services

    def crm(self) -> Crm:
        """The connection."""
        with self._guard:
            if self._crm is None:
                self._crm = self._connect()
            return self._crm

    @contextmanager
    def reading(self) -> Iterator[ReadOnly]:
        """A connection of its own that cannot write, for work of any length beside the account's rounds.

        Users and pipelines are read over it where they are not known, so that it is the only one.
        """
        crm = self._connect()
        try:
            self._recall(crm)
            yield ReadOnly(crm)
        finally:
            crm.close()

    def _connect(self) -> Crm:
        with self._store.read() as session:
            row = accounts.get(session, self.name)
        self.require_same(row)
        state = dict(row.state) if row is not None else {}
        return self.adapter.connect(
            self.name,
            self.account_id,
            self.config.vendor,
            self.config.field_map(),
            self._services,
            state=state,
        )

    def require_same(self, row: AccountRow | None) -> None:
        """Raise :class:`OtherAccount` when the database holds the work on another account than the settings name.

        A database that was copied, from a trial to production for example, must never be acted on elsewhere (P-78).
        Before the switch-on an id may still be corrected.
        """
        started = row is not None and row.started_at is not None
        if row is not None and started and not self.adapter.same_account(row.account_id, self.account_id):
            raise OtherAccount(
                Said(
                    "under the name %(name)s this database holds the work on the account %(account_id)s, and the "
                    "settings say %(account_id2)s. If %(account_id2)s is meant, give it a name of its own under "
                    "accounts, or another database_url: its work begins anew there, and `aurevoir export` and "
                    "`aurevoir import` take the set-up along. If %(account_id)s is meant, correct account_id. "
                    "Nothing is written.",
                    name=self.name,
                    account_id=row.account_id,
                    account_id2=self.account_id,
                ),
                account=self.name,
            )

    def users(self) -> Mapping[str, User]:
        """All users by id, as last read."""
        self._recall()
        return self._users

    def users_at_hand(self) -> Mapping[str, User]:
        """All users by id as last read, for pages: never waits for the CRM, and is empty before it was first asked."""
        if self._users:
            return self._users
        with self._store.read() as session:
            row = accounts.get(session, self.name)
        known = row.known.get("users", ()) if row is not None and row.known else ()
        return {user["id"]: User.model_validate(user) for user in known}

    def pipelines(self) -> tuple[Pipeline, ...]:
        """All pipelines, as last read."""
        self._recall()
        return self._pipelines

    def rules(self) -> AccountRules:
        """The account's rules with the names of the settings resolved to ids.

        Raises :class:`~adapters.errors.ConfigError` when a name does not exist in the CRM.
        """
        self._recall()
        return self._resolved()

    def has_known(self) -> bool:
        """Whether users and pipelines were ever read: the CRM let us in once."""
        return self._load_known()

    def is_switched_on(self) -> bool:
        """Whether the account was provisioned, so that it is watched."""
        with self._store.read() as session:
            row = accounts.get(session, self.name)
        return row is not None and row.started_at is not None

    def require_names(self) -> None:
        """Raise :class:`~adapters.errors.ConfigError` with every name of the settings that the CRM does not have.

        Costs no call when what is known has them all; before a name is called wrong, the CRM is asked anew. Raises
        :class:`~adapters.errors.AdapterError` when it cannot be asked.
        """
        try:
            if self._load_known():
                self._resolved()
                return
        except ConfigError:
            pass
        self._ask_known()
        self._resolved()

    def watched_stages(self) -> frozenset[str] | None:
        """Ids of all stages that the settings name; None while the CRM's stages are not known yet.

        Never waits for the CRM: a delivery is waiting for its answer. Raises as :meth:`rules`.
        """
        rules = self._rules
        if rules is None:
            if not self._guard.acquire(timeout=PATIENCE_SECONDS):
                return None
            try:
                if not self._load_known():
                    return None
                rules = self._resolved()
            finally:
                self._guard.release()
        return frozenset().union(
            *(rule.negotiating | rule.not_renewing | rule.renewed | rule.won for rule in rules.watch)
        )

    def _resolved(self) -> AccountRules:
        """The rules by what is known, however old that is."""
        with self._guard:
            if self._rules is None:
                with self._store.read() as session:
                    row = accounts.get(session, self.name)
                started_at = row.started_at if row is not None else None
                self._rules = resolve_rules(
                    self.name, self.config, self._pipelines, tuple(self._users.values()), started_at
                )
            return self._rules

    def forget_known(self) -> None:
        """Read users and pipelines anew at their next use."""
        with self._guard:
            self._known_at = None
            self._rules = None
        with self._store.write() as session:
            accounts.change(session, self.name, known_at=None)

    def provision(self, *, dry_run: bool = False) -> SchemaReport:
        """Create what is missing of our fields; the first time, this is also the moment of switch-on (P-71)."""
        if not dry_run:
            self.require_watch()
            self.require_names()  # or else it would be switched on, and watch nothing
        report = self.crm().ensure_schema(named_in(self.config.language), dry_run=dry_run)
        report = self._noting_people(self._noting_others(report))
        if dry_run:
            return report
        now = self._clock.now()
        began = now.replace(microsecond=0)  # some CRMs tell in whole seconds when a stage was entered
        cursor = self.crm().start_cursor()
        with self._store.write() as session:
            row = self._claimed(session)
            state = {**row.state, **report.state, FIELDS_THERE: "yes"}
            accounts.change(session, self.name, state=state, started_at=row.started_at or began)
            accounts.change(session, self.name, crm=self.config.crm, account_id=self.account_id)
            accounts.release_hold(session, self.name, accounts.ROUNDS)
            for stream in ("deals", "tasks"):
                if accounts.cursor(session, self.name, stream) is None:
                    accounts.move_cursor(session, self.name, stream, cursor, now)
        self.reconnect()
        return report

    def _noting_others(self, report: SchemaReport) -> SchemaReport:
        """Our fields in an account that was never switched on here were made by somebody: perhaps by one who works."""
        with self._store.read() as session:
            row = accounts.get(session, self.name)
        if report.created or not report.present or (row is not None and row.started_at is not None):
            return report
        note = Said(
            "Our fields were there already. If another installation of Aurevoir works on this account, stop one of the "
            "two: both would write to the same customers. A deal that one looks after is left alone by the other"
        )
        return replace(report, notes=(*report.notes, note))

    def _noting_people(self, report: SchemaReport) -> SchemaReport:
        """Say before the switch-on, and at it, when nobody stands in for owners who are missing or inactive (P-14)."""
        if self.is_switched_on() or has_last_resort(self.config, tuple(self.users().values())):
            return report
        note = Said(
            "Nobody active is named to stand in: where a deal and its company have no active owner, the goodbye would "
            "wait without a single task. Set people.manager to an active user"
        )
        return replace(report, notes=(*report.notes, note))

    def _claimed(self, session: Session) -> AccountRow:
        """The account's row; refused while another name works on the same account of the CRM: both would write."""
        row = accounts.claim(session, self.name, self.config.crm, self.account_id, self.adapter.same_account)
        if isinstance(row, str):
            raise OtherAccount(
                Said(
                    "the account %(account_id)s is known here under the name %(row)s already, and two names would "
                    "do all work in it twice. Go on under %(row)s, or take that out first: `aurevoir uninstall "
                    "--account %(row)s`.",
                    account_id=self.account_id,
                    row=row,
                ),
                account=self.name,
            )
        return row

    def require_watch(self) -> None:
        """Raise :class:`~adapters.errors.ConfigError` while no stages are chosen: nothing would be watched."""
        if not self.config.watch:
            cure = Said("no stages are chosen yet: choose them in the console's set-up, or write them here")
            raise ConfigError([Fault(f"accounts.{self.name}.watch", "[]", cure)])

    def reconnect(self) -> None:
        """Drop the connection; the next use makes a new one with what is remembered now."""
        with self._guard:
            if self._crm is not None:
                self._crm.close()
            self._crm = None
            self._rules = None

    def close(self) -> None:
        """Give back connections."""
        with self._guard:
            if self._crm is not None:
                self._crm.close()
                self._crm = None

    def _recall(self, crm: Crm | None = None) -> None:
        """Have users and pipelines at hand: from memory, the database or the CRM; old ones while the CRM is away."""
        with self._guard:
            if self._known_at is not None and self._clock.now() - self._known_at < KNOWN_FOR:
                return
            if self._load_known(fresh=True):
                return
            try:
                self._ask_known(crm)
            except Retryable:
                if not self._load_known():
                    raise

    def _load_known(self, *, fresh: bool = False) -> bool:
        with self._guard:
            if self._known_at is not None and not fresh:
                return True
            with self._store.read() as session:
                row = accounts.get(session, self.name)
            if row is None or row.known_at is None or not row.known:
                return False
            if fresh and self._clock.now() - row.known_at >= KNOWN_FOR:
                return False
            users = (User.model_validate(user) for user in row.known["users"])
            pipelines = tuple(Pipeline.model_validate(pipeline) for pipeline in row.known["pipelines"])
            self._remember(tuple(users), pipelines, row.known_at)
            return True

    def _ask_known(self, crm: Crm | None = None) -> None:
        crm = crm or self.crm()
        users, pipelines = tuple(crm.users()), tuple(crm.pipelines())
        now = self._clock.now()
        known = {
            "users": [user.model_dump(mode="json") for user in users],
            "pipelines": [pipeline.model_dump(mode="json") for pipeline in pipelines],
        }
        with self._store.write() as session:
            accounts.ensure(session, self.name, self.config.crm, self.account_id)
            accounts.change(session, self.name, known=known, known_at=now)
        self._remember(users, pipelines, now)

    def _remember(self, users: tuple[User, ...], pipelines: tuple[Pipeline, ...], at: datetime) -> None:
        self._users = {user.id: user for user in users}
        self._pipelines = pipelines
        self._known_at = at
        self._rules = None
