"""The port: what a CRM must be able to do for us, batch-shaped since both CRMs are.

An adapter package exposes one :class:`Adapter` under the entry-point group ``aurevoir.adapters``. Everything that
crosses the port is in the words of :mod:`workflows.records` and :mod:`workflows.writes`; vendor words stay behind it.
Methods may block; they raise :class:`adapters.errors.AdapterError` and nothing else. None of them writes unless its
name says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel

from adapters.results import (
    Capabilities,
    Change,
    Employer,
    FieldInfo,
    Finding,
    Observed,
    Outcome,
    Page,
    SchemaReport,
    Traced,
    Wanted,
)
from adapters.services import FieldMap, Services
from adapters.signals import Receipt, WebhookAccount, WebhookRequest
from workflows.fields import FieldSpec
from workflows.namesakes import Leaver, Namesake
from workflows.records import Deal, Involvement, People, Pipeline, Ref, TaskState, User
from workflows.writes import Write


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
        a record that is gone comes with its :class:`~workflows.records.DealState`."""

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

    def namesakes(self, known: Mapping[str, Leaver]) -> Mapping[str, Namesake]:
        """Which of these contacts, by id, were probably entered anew under another company since (P-53).

        Up to 500. See :mod:`workflows.namesakes` for what counts.
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
