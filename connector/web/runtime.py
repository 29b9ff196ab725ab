"""What the pages and endpoints need of the running program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from adapters.port import Adapter
from connector.account import Account
from connector.clock import Clock
from connector.engine import Engine
from connector.library import Library
from connector.links import LinkSigner
from connector.settings import Settings
from connector.store import Store
from connector.vault import Vault

Readiness = tuple[str, bool, str]
"""What was looked at, whether it is well, and a word on it."""


class Runtime(Protocol):
    """The parts of the program, put together."""

    @property
    def settings(self) -> Settings:
        """The checked configuration."""

    @property
    def clock(self) -> Clock:
        """Where "now" comes from."""

    @property
    def store(self) -> Store:
        """The database."""

    @property
    def adapters(self) -> Mapping[str, Adapter]:
        """Adapters by the name of their CRM."""

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Accounts by our name of them."""

    @property
    def engine(self) -> Engine:
        """Where to say that an account has something to look at."""

    @property
    def links(self) -> LinkSigner:
        """Makes and reads links."""

    @property
    def vault(self) -> Vault:
        """Seals secrets at rest."""

    @property
    def library(self) -> Library:
        """Playbooks and questionnaires."""

    def ready(self) -> Sequence[Readiness]:
        """How database, scheduler and accounts stand now; costs no call to a CRM."""
