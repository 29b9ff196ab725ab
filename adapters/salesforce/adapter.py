"""The port, for Salesforce."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from adapters.errors import Rejected
from adapters.offers import PackageOrder, Removal
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
from adapters.salesforce import changes, checkup, leaving, mapping, past, schema
from adapters.salesforce.client import Client
from adapters.salesforce.deploying import Follow
from adapters.salesforce.employers import entered_anew, moved_contacts
from adapters.salesforce.install import Install
from adapters.salesforce.involved import involved
from adapters.salesforce.mapping import START_NOW_FIELD
from adapters.salesforce.reads import Reader
from adapters.salesforce.settings import SalesforceSettings
from adapters.salesforce.shape import Shape, deal_fields, discover, discover_deals
from adapters.salesforce.writes import Batch
from adapters.services import FieldMap, Services
from workflows.fields import FieldSpec
from workflows.namesakes import Leaver, Namesake
from workflows.records import Deal, Involvement, People, Pipeline, Ref, TaskState, User
from workflows.writes import Write


class SalesforceCrm:
    """One connected org; see :class:`adapters.port.Crm`."""

    def __init__(
        self,
        account: str,
        account_id: str,
        settings: SalesforceSettings,
        fields: FieldMap,
        services: Services,
        state: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._fields = fields
        self._services = services
        self._shape = Shape.of_state(state)
        self._client = Client(account, account_id, settings, services)
        self._deal_shape: Shape | None = None
        self._reader = Reader(
            self._client, fields, services.time_zone, self._known_shape, self._known_deal_shape, self._forget_shape
        )

    def _known_shape(self) -> Shape:
        """The org's peculiarities, as remembered at provisioning, else read now."""
        if self._shape is None:
            self._shape = discover(self._client)
        return self._shape

    def _known_deal_shape(self) -> Shape:
        """Enough of it to read deals: an account that is only rehearsed need not be asked about its tasks."""
        if self._shape is None and self._deal_shape is None:
            self._deal_shape = discover_deals(self._client)
        return self._shape or self._deal_shape or self._known_shape()

    def _forget_shape(self) -> None:
        self._shape = self._deal_shape = None

    @property
    def capabilities(self) -> Capabilities:
        """What this org can do, as far as provisioning found out."""
        return Capabilities(
            push=bool(self._settings.webhook_secret),
            unique_task_key=self._shape is not None and self._shape.key == "unique",
            due_time=False,
            stage_history=True,
            files=True,
            settles_after=timedelta(seconds=self._settings.total_timeout + 5),
        )

    def start_cursor(self) -> str:
        """A cursor at the server's present moment; one call."""
        return changes.start_cursor(self._client)

    def changed_deals(self, cursor: str) -> Page:
        """Changed and deleted opportunities, up to 2,000 a page; with the tick where the org has its field.

        An org that refuses that field is looked at again: somebody deleted or hid it since.
        """
        fields = self._fields.of_deal()
        if not self._known_deal_shape().has(f"Opportunity.{START_NOW_FIELD}"):
            return changes.changed_deals(self._client, cursor, fields)
        try:
            return changes.changed_deals(self._client, cursor, [*fields, START_NOW_FIELD])
        except Rejected as error:
            if (error.field or "").rpartition(".")[2] != START_NOW_FIELD:
                raise
            self._forget_shape()
            return changes.changed_deals(self._client, cursor, fields)

    def changed_tasks(self, cursor: str) -> Page:
        """Changed and deleted tasks with our key, up to 2,000 a page.

        An org that refuses the key's field is looked at again: somebody deleted or hid it since.
        """
        field = self._known_shape().key_field
        try:
            return changes.changed_tasks(self._client, cursor, field)
        except Rejected as error:
            if (error.field or "").rpartition(".")[2] != field:
                raise
            self._forget_shape()
            return changes.changed_tasks(self._client, cursor, self._known_shape().key_field)

    def deals_in_stages(self, stage_ids: Sequence[str], cursor: str | None) -> Page:
        """Opportunities that sit in these stages, by id."""
        return changes.deals_in_stages(self._client, stage_ids, cursor)

    def ended_between(self, stage_ids: Sequence[str], since: datetime, until: datetime, cursor: str | None) -> Page:
        """By the history of stages; up to 2,000 of its rows a page."""
        return past.ended_between(self._client, stage_ids, since, until, cursor)

    def trace(self, deal_ids: Sequence[str]) -> Mapping[str, Traced]:
        """One call for about 300, people included."""
        return self._reader.trace(deal_ids)

    def observe(self, deal_ids: Sequence[str]) -> Mapping[str, Observed]:
        """Deals with their people: one call, and one more when some are gone."""
        return self._reader.observe(deal_ids)

    def people(self, deals: Sequence[Deal]) -> Mapping[str, People]:
        """Company and contacts; needless after :meth:`observe`, which has given them."""
        seen = self._reader.observe([deal.id for deal in deals])
        return {deal_id: each.people or People() for deal_id, each in seen.items()}

    def involved(self, deals: Sequence[Deal]) -> Mapping[str, tuple[Involvement, ...]]:
        """One call for about 300 deals, and one more where the org has account teams."""
        return involved(self._client, self._known_shape(), deals)

    def moved_contacts(self, known: Mapping[str, str | None]) -> Mapping[str, Employer]:
        """By the account of each contact; about 400 a call."""
        return moved_contacts(self._client, known)

    def namesakes(self, known: Mapping[str, Leaver]) -> Mapping[str, Namesake]:
        """One query for about 400 contacts, and one for about as many last names."""
        return entered_anew(self._client, known)

    def task_states(self, task_ids: Sequence[str]) -> Mapping[str, TaskState]:
        """Tasks as they stand; about 400 a call."""
        return self._reader.task_states(task_ids)

    def find(self, wanted: Sequence[Wanted]) -> Mapping[str, str]:
        """Which keyed records exist; one call for each kind among them."""
        return self._reader.find(wanted)

    def history(self, records: Sequence[Ref], fields: Sequence[str], since: datetime) -> Sequence[Change]:
        """Past values of the fields whose history the org tracks; the others have none."""
        try:
            return self._reader.history(records, fields, since)
        except ValueError as error:
            raise Rejected(str(error), account=self._client.account, operation="read history") from error

    def users(self) -> Sequence[User]:
        """The org's people, active and not."""
        return self._reader.users()

    def pipelines(self) -> Sequence[Pipeline]:
        """All opportunities (id ``""``), then each record type."""
        return self._reader.pipelines()

    def deal_fields(self) -> Sequence[FieldInfo]:
        """One describe."""
        return deal_fields(self._client)

    def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Carry out keyed writes in one composite call as far as its limits allow."""
        return Batch(self._client, self._reader, self._services, self._known_shape, batch).run()

    def deleted_contacts(self, contact_ids: Sequence[str]) -> frozenset[str]:
        """A call for as many as fit into an address."""
        return self._reader.deleted_contacts(contact_ids)

    def remove_app(self, ours: Sequence[FieldSpec], *, dry_run: bool = False) -> Removal:
        """One deployment that deletes what is there, after a trial of it."""
        self._forget_shape()
        return leaving.remove_app(self._client, self._services, ours, dry_run=dry_run)

    def sign_off(self, *, dry_run: bool = False) -> Removal:
        """One call."""
        return leaving.sign_off(self._client, dry_run=dry_run)

    def ensure_schema(self, wanted: Sequence[FieldSpec], *, dry_run: bool = False) -> SchemaReport:
        """Deploy what is missing of our fields, and give the connector's user access to them."""
        report = schema.ensure_schema(self._client, self._services, wanted, dry_run=dry_run)
        if not dry_run:
            self._shape = Shape.of_state(report.state)
        return report

    def install_app(
        self,
        order: PackageOrder,
        *,
        dry_run: bool = False,
        known: str = "",
        follow: Follow | None = None,
    ) -> SchemaReport:
        """Deploy the rest of the package; with ``dry_run`` as a check that changes nothing."""
        heard = follow or (lambda _status, _done, _total: None)
        return Install(self._client, self._services, order, known, heard).run(dry_run=dry_run)

    def check(self) -> Iterable[Finding]:
        """Findings on login, API use, fields and push."""
        return checkup.check(self._client, self._settings, self._fields, self._services)

    def deal_url(self, deal_id: str) -> str | None:
        """The record's page; None before the first login tells where the org lives."""
        bearer = self._client.tokens.known()
        return f"{bearer.instance_url}/lightning/r/Opportunity/{mapping.to18(deal_id)}/view" if bearer else None

    def close(self) -> None:
        """Give back connections."""
        self._client.close()
