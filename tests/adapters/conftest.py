"""A Salesforce organisation for the tests of its adapter."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.salesforce import ADAPTER
from adapters.salesforce.adapter import SalesforceCrm
from adapters.services import FieldMap, Services, Token
from sandbox.kit import Clock, Server
from sandbox.salesforce import SalesforceSandbox, Settings
from workflows.fields import FIELDS

ORG = "00D5g00000ABCDE"
GRANTS = ("PermissionSet", "PermissionSetAssignment", "FieldPermissions")
PROVISIONED: list[tuple[Mapping[str, str], Any, Any]] = []
"""State, fields and grants of an organisation with our fields, once a test has made them."""


class SavedTokens:
    """A token store in memory that can be locked."""

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
class FreeBudget:
    """Lets every call through and remembers what it was asked."""

    taken: list[tuple[str, int, float]] = field(default_factory=list)
    held: list[tuple[str, datetime]] = field(default_factory=list)

    def take(self, bucket: str, *, limit: int, per_seconds: float) -> None:
        self.taken.append((bucket, limit, per_seconds))

    def hold(self, bucket: str, until: datetime) -> None:
        self.held.append((bucket, until))


@dataclass
class Org:
    """A sandbox organisation that is being served, and connections to it."""

    sandbox: SalesforceSandbox
    url: str
    tokens: SavedTokens = field(default_factory=SavedTokens)
    budget: FreeBudget = field(default_factory=FreeBudget)
    slept: list[float] = field(default_factory=list)
    state: Mapping[str, str] = field(default_factory=dict)

    def connect(self, fields: FieldMap | None = None, zone: str = "Europe/Paris", **settings: Any) -> SalesforceCrm:
        """A new connection, as another process would make it."""
        known = {"login_url": self.url, "client_id": self.sandbox.client.id, "client_secret": "sandbox-secret"}
        model = ADAPTER.settings_model.model_validate({**known, **settings})
        services = Services(self.sandbox.clock.now, self.sleep, self.tokens, self.budget, zone)
        made = ADAPTER.connect("globex", ORG, model, fields or FieldMap(), services, state=self.state)
        assert isinstance(made, SalesforceCrm)
        return made

    def sleep(self, seconds: float) -> None:
        """Waiting moves the sandbox's clock instead."""
        self.slept.append(seconds)
        self.sandbox.clock.advance(timedelta(seconds=seconds))

    def provision(self) -> SalesforceCrm:
        """A connection to the organisation with our fields, deployed for the first test and copied for the others."""
        world = self.sandbox.world
        if not PROVISIONED:
            state = self.connect().ensure_schema(FIELDS).state
            fields = {
                name: {key: field for key, field in each.fields.items() if key.startswith("aurevoir_")}
                for name, each in world.schema.objects.items()
            }
            PROVISIONED.append((state, fields, {name: dict(world.tables[name]) for name in GRANTS}))
        self.state, fields, tables = PROVISIONED[0]
        for name, each in world.schema.objects.items():
            each.fields = {**each.fields, **fields[name]}
        for name, rows in tables.items():
            world.tables[name] = dict(rows)
        self.sandbox.ledger.reset()
        return self.connect()

    def add(self, object_name: str, **values: Any) -> str:
        """A record, as a person makes it."""
        return self.sandbox.world.insert(object_name, values)

    def deal(self, name: str = "Acme renewal", **values: Any) -> str:
        """An opportunity in negotiation."""
        known = {"Name": name, "StageName": "Negotiation/Review", "CloseDate": "2026-12-31"}
        return self.add("Opportunity", **{**known, **values})

    @property
    def someone(self) -> str:
        """An active user's id."""
        return self.sandbox.world.admin_id

    def calls(self) -> list[str]:
        """``METHOD path`` of each API call, without the versioned base."""
        return [f"{call.method} {call.path.removeprefix('/services/data/v66.0')}" for call in self.sandbox.ledger.calls]

    def rows(self, object_name: str) -> list[Mapping[str, Any]]:
        """Live records of an object."""
        return list(self.sandbox.world.rows(object_name))


@pytest.fixture
def kept() -> tuple[SavedTokens, FreeBudget]:
    """A token store and a budget."""
    return SavedTokens(), FreeBudget()


@pytest.fixture
def make_org() -> Iterator[Callable[..., Org]]:
    """Serves organisations with the given sandbox settings."""
    served: list[tuple[SalesforceSandbox, Server]] = []

    def make(**settings: Any) -> Org:
        sandbox = SalesforceSandbox(
            clock=Clock(datetime(2026, 11, 23, 9, 0, tzinfo=UTC)),
            org_id=ORG,
            settings=Settings(**settings),
            deploy_seconds=0,
        )
        server = Server(sandbox.app).start()
        served.append((sandbox, server))
        return Org(sandbox, server.url)

    yield make
    for sandbox, server in served:
        sandbox.hooks.stop()
        server.stop()


@pytest.fixture
def org(make_org: Callable[..., Org]) -> Org:
    """An organisation as it is delivered."""
    return make_org()
