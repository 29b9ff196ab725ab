"""A CRM that can be read and not written: what previews and rehearsals work with, so that they cannot write (P-70)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NoReturn

from adapters.errors import AurevoirError
from adapters.port import Crm
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
from workflows.fields import FieldSpec
from workflows.namesakes import Leaver, Namesake
from workflows.records import Deal, Involvement, People, Pipeline, Ref, TaskState, User
from workflows.writes import Write


class ReadOnlyError(AurevoirError):
    """Something wanted to write where nothing may be written: a fault of ours, and nothing was sent."""


class ReadOnly:
    """Passes reads on to ``crm``; whatever writes raises :class:`ReadOnlyError` before anything is sent.

    Methods are named one by one: one that the port gains later is not passed on until someone says that it reads.
    """

    def __init__(self, crm: Crm) -> None:
        self._crm = crm

    @property
    def capabilities(self) -> Capabilities:
        """As the CRM's, without push."""
        return self._crm.capabilities

    def start_cursor(self) -> str:
        """See :class:`adapters.port.Crm`."""
        return self._crm.start_cursor()

    def changed_deals(self, cursor: str) -> Page:
        """See :class:`adapters.port.Crm`."""
        return self._crm.changed_deals(cursor)

    def changed_tasks(self, cursor: str) -> Page:
        """See :class:`adapters.port.Crm`."""
        return self._crm.changed_tasks(cursor)

    def deals_in_stages(self, stage_ids: Sequence[str], cursor: str | None) -> Page:
        """See :class:`adapters.port.Crm`."""
        return self._crm.deals_in_stages(stage_ids, cursor)

    def ended_between(self, stage_ids: Sequence[str], since: datetime, until: datetime, cursor: str | None) -> Page:
        """See :class:`adapters.port.Crm`."""
        return self._crm.ended_between(stage_ids, since, until, cursor)

    def trace(self, deal_ids: Sequence[str]) -> Mapping[str, Traced]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.trace(deal_ids)

    def observe(self, deal_ids: Sequence[str]) -> Mapping[str, Observed]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.observe(deal_ids)

    def people(self, deals: Sequence[Deal]) -> Mapping[str, People]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.people(deals)

    def involved(self, deals: Sequence[Deal]) -> Mapping[str, tuple[Involvement, ...]]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.involved(deals)

    def moved_contacts(self, known: Mapping[str, str | None]) -> Mapping[str, Employer]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.moved_contacts(known)

    def namesakes(self, known: Mapping[str, Leaver]) -> Mapping[str, Namesake]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.namesakes(known)

    def task_states(self, task_ids: Sequence[str]) -> Mapping[str, TaskState]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.task_states(task_ids)

    def find(self, wanted: Sequence[Wanted]) -> Mapping[str, str]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.find(wanted)

    def history(self, records: Sequence[Ref], fields: Sequence[str], since: datetime) -> Sequence[Change]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.history(records, fields, since)

    def users(self) -> Sequence[User]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.users()

    def pipelines(self) -> Sequence[Pipeline]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.pipelines()

    def deal_fields(self) -> Sequence[FieldInfo]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.deal_fields()

    def write(self, batch: Sequence[Write]) -> Sequence[Outcome]:
        """Refuses."""
        self._refuse(f"{len(batch)} writes to the CRM")

    def ensure_schema(self, wanted: Sequence[FieldSpec], *, dry_run: bool = False) -> SchemaReport:
        """Refuses, but for a dry run."""
        if not dry_run:
            self._refuse("creating fields in the CRM")
        return self._crm.ensure_schema(wanted, dry_run=True)

    def check(self) -> Iterable[Finding]:
        """See :class:`adapters.port.Crm`."""
        return self._crm.check()

    def deal_url(self, deal_id: str) -> str | None:
        """See :class:`adapters.port.Crm`."""
        return self._crm.deal_url(deal_id)

    def close(self) -> None:
        """Nothing: the connection belongs to whoever opened it."""

    @staticmethod
    def _refuse(what: str) -> NoReturn:
        raise ReadOnlyError(f"{what} were asked for while nothing may be written; nothing was sent")
