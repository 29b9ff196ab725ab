"""What an adapter may offer besides: consent in the browser, requests from inside the CRM, packages, leaving."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from adapters.errors import ConsentTrouble
from adapters.results import Said, SchemaReport
from adapters.services import Services, Token
from adapters.signals import Reply, WebhookAccount, WebhookRequest
from workflows.fields import FieldSpec


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

    def give_back(self, account: str, account_id: str, settings: Any, services: Services, token: Token) -> None:
        """End at the CRM what a consent brought and we do not keep. Raises as any call."""

    def keep_alive(self, account: str, account_id: str, settings: Any, services: Services, *, before: datetime) -> None:
        """Renew the stored token if it was saved before then, so that a quiet account's consent does not lapse.

        Raises :class:`~adapters.errors.ConsentEnded` and others as any call.
        """


@runtime_checkable
class Consenting(Protocol):
    """An adapter whose accounts may be connected in the browser instead of by credentials in the settings."""

    consent: BrowserConsent
    """How that is done."""


@runtime_checkable
class Located(Protocol):
    """An adapter that tells where people find the id of their account."""

    where_account_id: Said


@dataclass(frozen=True)
class Ask:
    """A proven request from inside the CRM, by someone who works there, about one deal of one account.

    ``account`` is our name of it. ``language`` is the asker's, where the request says so. ``reply`` is what the CRM
    wants to hear when the request has been carried out.
    """

    account: str
    deal_id: str
    language: str | None = None
    reply: Reply = field(default_factory=Reply)


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
    None and empty when it is for any account. ``language``: in which our fields are called. ``options`` are the
    adapter's own, see :attr:`Packager.package_options`.
    """

    public_url: str
    account: Any | None = None
    stage_ids: frozenset[str] = frozenset()
    options: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"


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
class LeftByHand(Protocol):
    """An adapter that can say how a person takes our parts out of its CRM, where no program is let in any more."""

    by_hand: Mapping[str, str]
    """What of ours may still be there, each with where to delete it."""


@runtime_checkable
class Leaving(Protocol):
    """A :class:`Crm` from which what we created can be taken away again (P-7A)."""

    def remove_app(self, ours: Sequence[FieldSpec], *, dry_run: bool = False) -> Removal:
        """Take away our fields with what stands in them, and the other parts that its API can; again with the same end.

        With ``dry_run`` it tells what would go, without what the CRM says beforehand that it would refuse. Raises
        :class:`~adapters.errors.AdapterError` when the CRM cannot be asked.
        """

    def sign_off(self, *, dry_run: bool = False) -> Removal:
        """Give the access back, as far as it was granted to us; afterwards the connection is of no use."""
