"""HubSpot behind the port: puts the parts together and holds no logic of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from adapters.errors import Rejected
from adapters.hubspot import leaving, past
from adapters.hubspot.changes import SEARCH_DEALS, SEARCH_TASKS, Cursor, changed, in_stages
from adapters.hubspot.checkup import Checkup
from adapters.hubspot.client import Client
from adapters.hubspot.employers import entered_anew, moved_contacts
from adapters.hubspot.involved import involved
from adapters.hubspot.project import by_hand
from adapters.hubspot.reads import GET_OWNERS, Reader
from adapters.hubspot.schema import Provisioner, deal_fields, missing_properties
from adapters.hubspot.settings import HubSpotSettings
from adapters.hubspot.values import TaskKeys, own
from adapters.hubspot.writes import Writer
from adapters.offers import APP_STATE, PackageOrder, Removal
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
from workflows.fields import FieldSpec
from workflows.namesakes import Leaver, Namesake
from workflows.records import Deal, Involvement, People, Pipeline, RecordKind, Ref, TaskState, User
from workflows.writes import Write


class HubSpotCrm:
    """One connected HubSpot account; see :class:`adapters.port.Crm` for what each method promises."""

    def __init__(
        self,
        account: str,
        account_id: str,
        settings: HubSpotSettings,
        fields: FieldMap,
        services: Services,
        state: Mapping[str, str],
    ) -> None:
        self._account_id, self._settings, self._fields = account_id, settings, fields
        self._now = services.now
        self._client = Client(account, account_id, settings, services)
        self._reader = Reader(self._client, fields, ZoneInfo(services.time_zone), settings.association_labels)
        self._entries: Sequence[str] | None = None
        self._writer = Writer(self._client, self._reader, TaskKeys.from_state(state))

    @property
    def capabilities(self) -> Capabilities:
        """Without a client secret no webhook can be proven, so there is no push."""
        return Capabilities(
            push=bool(self._settings.client_secret),
            unique_task_key=self._writer.keys.unique,
            due_time=True,
            stage_history=True,
            files=True,
            settles_after=timedelta(seconds=2 * self._settings.read_timeout + 5),
        )

    def start_cursor(self) -> str:
        """HubSpot's present moment, from the date of its answer to one small call."""
        return Cursor.at(self._client.call(GET_OWNERS, limit=1).date).text()

    def changed_deals(self, cursor: str) -> Page:
        """One page, one call, with the deals' stages."""
        return changed(self._client, SEARCH_DEALS, cursor, self._settings.overlap_seconds)

    def changed_tasks(self, cursor: str) -> Page:
        """Where tasks carry no property of ours, all tasks that changed: the caller knows which are ours.

        HubSpot refuses a search by a property that somebody deleted; from then on tasks are as before provisioning.
        """
        overlap = self._settings.overlap_seconds
        if self._writer.keys.property:
            ours = [{"propertyName": own("key"), "operator": "HAS_PROPERTY"}]
            try:
                return changed(self._client, SEARCH_TASKS, cursor, overlap, ours)
            except Rejected:
                if not missing_properties(self._client, RecordKind.TASK, [own("key")]):
                    raise
                self._writer.keys = self._writer.keys.without([own("key")])
        return changed(self._client, SEARCH_TASKS, cursor, overlap)

    def deals_in_stages(self, stage_ids: Sequence[str], cursor: str | None) -> Page:
        """By id, so that deals which move meanwhile push none out of sight."""
        return in_stages(self._client, stage_ids, cursor)

    def ended_between(self, stage_ids: Sequence[str], since: datetime, until: datetime, cursor: str | None) -> Page:
        """One call a page, and one for the names of properties that tell when a stage was entered.

        Deals that entered after ``until`` are among them: HubSpot lets nothing but the last entry be searched for.
        """
        if self._entries is None or cursor is None:
            self._entries = past.entry_properties(self._client)
        return past.ended_between(self._client, stage_ids, since, cursor, self._entries)

    def trace(self, deal_ids: Sequence[str]) -> Mapping[str, Traced]:
        """One call for each fifty deals, and two for all; HubSpot keeps the last 20 values of a property."""
        return past.trace(self._reader, deal_ids)

    def observe(self, deal_ids: Sequence[str]) -> Mapping[str, Observed]:
        """One call for one deal; about two for each fifty and two more for many."""
        return self._reader.observe(deal_ids)

    def people(self, deals: Sequence[Deal]) -> Mapping[str, People]:
        """One call for each hundred companies and each hundred contacts."""
        return self._reader.people(deals)

    def involved(self, deals: Sequence[Deal]) -> Mapping[str, tuple[Involvement, ...]]:
        """One call for one deal, four for many; one more for each kind of activity, and each hundred of them."""
        return involved(self._reader, deals)

    def moved_contacts(self, known: Mapping[str, str | None]) -> Mapping[str, Employer]:
        """Through their associations with companies."""
        return moved_contacts(self._reader, known)

    def namesakes(self, known: Mapping[str, Leaver]) -> Mapping[str, Namesake]:
        """One call for each hundred contacts and each hundred last names; two more where somebody is alike."""
        return entered_anew(self._reader, known)

    def task_states(self, task_ids: Sequence[str]) -> Mapping[str, TaskState]:
        """One call for each hundred."""
        return self._reader.task_states(task_ids)

    def find(self, wanted: Sequence[Wanted]) -> Mapping[str, str]:
        """Through the deals' associations."""
        return self._reader.find(wanted)

    def history(self, records: Sequence[Ref], fields: Sequence[str], since: datetime) -> Sequence[Change]:
        """HubSpot keeps the last 20 values of a property, 45 on contacts."""
        return self._reader.history(records, fields, since)

    def users(self) -> Sequence[User]:
        """Owners: HubSpot gives tasks to owners."""
        return self._reader.users()

    def pipelines(self) -> Sequence[Pipeline]:
        """One call."""
        return self._reader.pipelines()

    def deal_fields(self) -> Sequence[FieldInfo]:
        """One call."""
        return deal_fields(self._client)

    def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """One call for each hundred of a kind."""
        return self._writer.write(batch)

    def remove_app(self, ours: Sequence[FieldSpec], *, dry_run: bool = False) -> Removal:
        """A call for each record to see what is there, and one for each property."""
        return leaving.remove_app(self._client, ours, dry_run=dry_run)

    def sign_off(self, *, dry_run: bool = False) -> Removal:
        """One call."""
        return leaving.sign_off(self._client, self._settings, dry_run=dry_run)

    def ensure_schema(self, wanted: Sequence[FieldSpec], *, dry_run: bool = False) -> SchemaReport:
        """Also finds out how tasks can carry their key, and uses it from now on."""
        provisioner = Provisioner(self._client, dry_run)
        report = provisioner.run(wanted)
        if not dry_run:
            self._writer.keys = provisioner.keys
        return report

    def install_app(
        self,
        order: PackageOrder,
        *,
        dry_run: bool = False,
        known: str = "",
        follow: Callable[[str, int, int], None] | None = None,
    ) -> SchemaReport:
        """Nothing: HubSpot takes apps from its own command alone. The notes say how."""
        return SchemaReport(notes=by_hand(order), state={APP_STATE: known})

    def check(self) -> Iterable[Finding]:
        """About ten calls."""
        return Checkup(
            self._client,
            self._reader,
            self._account_id,
            self._fields,
            self._writer.keys,
            bool(self._settings.client_secret),
            self._now,
        ).run()

    def deal_url(self, deal_id: str) -> str | None:
        """The deal's record page."""
        return f"{self._settings.app_url}/contacts/{self._account_id}/record/0-3/{deal_id}"

    def close(self) -> None:
        """Close pooled connections."""
        self._client.close()
