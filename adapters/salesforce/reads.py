"""What is read of deals, people, tasks, history, users and stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from adapters.errors import Rejected
from adapters.results import Change, Observed, Traced, Wanted
from adapters.salesforce import mapping, past
from adapters.salesforce.client import Client
from adapters.salesforce.mapping import KEY_FIELD, PREFIXES, Row, is_whole, parse_datetime, stored_key, to18
from adapters.salesforce.shape import FALLBACK_KEY_FIELD, OPTIONAL, Shape
from adapters.salesforce.soql import chunks, is_equal, is_in, moment, select
from adapters.services import FieldMap
from workflows.records import Deal, DealState, People, Pipeline, RecordKind, Ref, Stage, TaskState, User

ALL_PIPELINE = ""
"""Id of the pipeline that stands for all opportunities, whatever their record type."""

HISTORIES = {
    RecordKind.DEAL: ("OpportunityFieldHistory", "OpportunityId"),
    RecordKind.COMPANY: ("AccountHistory", "AccountId"),
    RecordKind.CONTACT: ("ContactHistory", "ContactId"),
}
"""Where an object's tracked changes are, and the field that names the record."""

OWNER_HISTORY = ("Owner", "OwnerId")
"""What the history calls a change of owner: lookups are told by relationship in most orgs."""

_ANSWERS = frozenset(field for names in mapping.ANSWER_FIELDS.values() for field in names.values()) - {
    mapping.START_FIELD
}
OPTIONAL_NAMES = frozenset(name for names in OPTIONAL.values() for name in names)


class Reader:
    """The reads of one account.

    ``shape`` gives the org's peculiarities, ``deal_shape`` those that deals and their people need; ``forget`` makes it
    look at them again.
    """

    def __init__(
        self,
        client: Client,
        fields: FieldMap,
        time_zone: str,
        shape: Callable[[], Shape],
        deal_shape: Callable[[], Shape],
        forget: Callable[[], None],
    ) -> None:
        self._client = client
        self._fields = fields
        self._time_zone = time_zone
        self._shape = shape
        self._deal_shape = deal_shape
        self._forget = forget
        self._company_figures = tuple(name for kind, name in fields.figures if kind == "company")
        self._deal_figures = tuple(name for kind, name in fields.figures if kind == "deal")

    # --- deals and people -------------------------------------------------------------------------------------------

    def observe(self, deal_ids: Sequence[str]) -> dict[str, Observed]:
        """Deals with their people, by the id asked for: one query, and one more for those that it does not return."""
        asked = {deal_id: to18(deal_id) for deal_id in deal_ids}
        known = list(dict.fromkeys(one for one in asked.values() if is_whole(one, PREFIXES["Opportunity"])))
        found = {row["Id"]: row for row in self._deal_rows(known)}
        found.update(self._missing([one for one in known if one not in found]))
        seen = {full: self._observed(full, found.get(full)) for full in set(asked.values())}
        return {deal_id: seen[full] for deal_id, full in asked.items()}

    def trace(self, deal_ids: Sequence[str]) -> dict[str, Traced]:
        """Deals with people and past: one query for about 300, and one more for those that are gone."""
        asked = {deal_id: to18(deal_id) for deal_id in deal_ids}
        known = list(dict.fromkeys(one for one in asked.values() if is_whole(one, PREFIXES["Opportunity"])))
        rows = {row["Id"]: row for row in self._deal_rows(known, self._past_fields)}
        untold = past.untold(rows.values(), self._fields)
        found = {**rows, **self._missing([one for one in known if one not in rows])}
        seen = {}
        for deal_id, full in asked.items():
            observed = self._observed(full, found.get(full))
            values = past.past_of(rows[full], self._fields) if full in rows else ()
            seen[deal_id] = Traced(observed.deal, observed.people, values, untold)
        return seen

    def _missing(self, deal_ids: Sequence[str]) -> dict[str, Row]:
        """Those of the deals that lie in the recycle bin."""
        fields = ["Id", "Name", "StageName", "AccountId", "OwnerId", "IsDeleted"]
        return {
            row["Id"]: row
            for soql in chunks(lambda ids: select(fields, "Opportunity", is_in("Id", ids)), deal_ids)
            for row in self._client.query("look for missing deals", soql, deleted=True)
        }

    def _deal_rows(self, deal_ids: Sequence[str], fields: Callable[[], list[str]] | None = None) -> list[Row]:
        try:
            return self._query_deals(deal_ids, fields or self._deal_fields)
        except Rejected as error:
            # An optional field may have been hidden since we looked; anything else is for the admin to mend.
            if (error.field or "").rpartition(".")[2] not in OPTIONAL_NAMES:
                raise
            self._forget()
            return self._query_deals(deal_ids, fields or self._deal_fields)

    def _query_deals(self, deal_ids: Sequence[str], wanted: Callable[[], list[str]]) -> list[Row]:
        fields = wanted()
        return [
            self._whole(row)
            for soql in chunks(lambda ids: select(fields, "Opportunity", is_in("Id", ids)), deal_ids)
            for row in self._client.query("read deals", soql)
        ]

    def _past_fields(self) -> list[str]:
        """As :meth:`_deal_fields`, with all that was tracked."""
        names = tuple(name for each in past.tracked_names(self._fields).values() for name in each)
        return self._deal_fields(past.HISTORY_FIELDS, names, answers=False)

    def _deal_fields(
        self,
        history: Sequence[str] = ("StageName", "CreatedDate"),
        tracked: Sequence[str] = OWNER_HISTORY,
        *,
        answers: bool = True,
    ) -> list[str]:
        """All that a look needs, people and history as sub-queries; without what people answered, it is shorter."""
        shape, fields = self._deal_shape(), self._fields
        there = {name: _there(shape, name) for name in ("Opportunity", "Account", "Contact")}
        if not answers:
            there = {name: [one for one in found if one not in _ANSWERS] for name, found in there.items()}
        contact = ["Name", "FirstName", "Email", *there["Contact"]]
        contact += [fields.language] if fields.language else []
        roles = ["ContactId", "Role", "IsPrimary", *(f"Contact.{name}" for name in contact)]
        parts = [
            *("Id", "Name", "StageName", "OwnerId", "Amount", "CloseDate", "AccountId", "LastStageChangeDate"),
            "CreatedDate",
            *there["Opportunity"],
            *fields.of_deal(),
            *self._deal_figures,
            *(f"Account.{name}" for name in ("Name", "OwnerId", *there["Account"], *self._company_figures)),
            f"({select(roles, 'OpportunityContactRoles', order='CreatedDate, Id')})",
            f"({select(history, 'OpportunityHistories', order='CreatedDate, Id')})",
        ]
        if shape.owner_history:
            change = ["Field", "OldValue", "NewValue", "CreatedDate"]
            parts.append(f"({select(change, 'Histories', is_in('Field', tracked), 'CreatedDate, Id')})")
        return parts

    def _whole(self, row: Row) -> Row:
        """The row with each sub-query as a plain list. An empty one comes as null, a long one in pages."""
        whole = dict(row)
        for name in ("OpportunityContactRoles", "OpportunityHistories", "Histories"):
            part = row.get(name) or {}
            rows = list(part.get("records", ()))
            more = None if part.get("done", True) else part.get("nextRecordsUrl")
            while more:
                result = self._client.next_page("read the rest of a deal", more)
                rows.extend(result.rows)
                more = result.more
            whole[name] = rows
        return whole

    def _observed(self, deal_id: str, row: Row | None) -> Observed:
        if row is None:
            return Observed(Deal(id=deal_id, state=DealState.DELETED), People())
        roles = row.get("OpportunityContactRoles") or []
        people = mapping.people(row, roles, self._company_figures, self._fields.language, self._fields.roles)
        deal = mapping.deal(
            row,
            contract_end=self._fields.contract_end,
            exit_reason=self._fields.exit_reason,
            exit_rights=self._fields.exit_rights,
            figure_names=self._deal_figures,
            history=row.get("OpportunityHistories") or [],
            owners=row.get("Histories") or [],
            contact_ids=[one.id for one in people.contacts],
        )
        return Observed(deal, people)

    def deleted_contacts(self, contact_ids: Sequence[str]) -> frozenset[str]:
        """Contacts that lie in the recycle bin (15 days). The loser of a merge lies there too, and names its master.

        https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_contact.htm
        """
        asked = {to18(one): one for one in contact_ids if is_whole(one, PREFIXES["Contact"])}
        fields = ["Id", "IsDeleted", "MasterRecordId"]
        rows = {
            row["Id"]: row
            for soql in chunks(lambda some: select(fields, "Contact", is_in("Id", some)), sorted(asked))
            for row in self._client.query("look for deleted contacts", soql, deleted=True)
        }
        gone = (row for row in rows.values() if row.get("IsDeleted") and not row.get("MasterRecordId"))
        return frozenset(asked[row["Id"]] for row in gone)

    # --- tasks, notes, files ----------------------------------------------------------------------------------------

    def task_states(self, task_ids: Sequence[str]) -> dict[str, TaskState]:
        """Tasks as they stand, by the id asked for."""
        asked = {task_id: to18(task_id) for task_id in task_ids}
        known = list(dict.fromkeys(one for one in asked.values() if is_whole(one, PREFIXES["Task"])))
        completed = [name for name in _there(self._shape(), "Task") if name == "CompletedDateTime"]
        fields = ["Id", "IsClosed", "IsDeleted", "ActivityDate", "OwnerId", "Status", "Description", *completed]
        found = {
            row["Id"]: mapping.task_state(row, self._time_zone)
            for soql in chunks(lambda ids: select(fields, "Task", is_in("Id", ids)), known)
            for row in self._client.query("read tasks", soql, deleted=True)
        }
        return {
            task_id: found.get(full, TaskState(id=full, found=False)).model_copy(update={"id": task_id})
            for task_id, full in asked.items()
        }

    def find(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Which of these keyed records exist, by key. A task that a person deleted meanwhile counts as existing."""
        by_kind: dict[str, list[Wanted]] = {}
        for one in wanted:
            by_kind.setdefault(one.kind, []).append(one)
        found = self.find_tasks(by_kind.get("task", ()))
        if "note" in by_kind:
            found.update(self._find_notes(by_kind["note"]))
        if "file" in by_kind:
            found.update(self._find_files(by_kind["file"]))
        return found

    def find_tasks(self, wanted: Sequence[Wanted], *, deleted: bool = True) -> dict[str, str]:
        """Tasks by our key; without a field of ours, by the key in a standard field of the deal's tasks."""
        by_stored = {stored_key(one.key): one.key for one in wanted}
        ours = self._shape().key != "missing" if wanted else True
        name, values = (KEY_FIELD, list(by_stored)) if ours else ("WhatId", _deals(wanted))
        key = KEY_FIELD if ours else FALLBACK_KEY_FIELD
        found: dict[str, str] = {}
        for soql in chunks(lambda some: select(["Id", "IsDeleted", key], "Task", is_in(name, some)), values):
            rows = [row for row in self._client.query("look for tasks", soql, deleted=deleted) if row[key] in by_stored]
            for row in sorted(rows, key=lambda each: not each.get("IsDeleted")):
                found[by_stored[row[key]]] = row["Id"]
        return found

    def _find_notes(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Notes by the mark in their title, through the deal that they are linked to."""
        fields = ["ContentDocumentId", "ContentDocument.Title"]
        titles = {
            row["ContentDocumentId"]: (row.get("ContentDocument") or {}).get("Title") or ""
            for soql in chunks(
                lambda ids: select(fields, "ContentDocumentLink", is_in("LinkedEntityId", ids)), _deals(wanted)
            )
            for row in self._client.query("look for notes", soql)
        }
        marks = {mapping.marker(one.key): one.key for one in wanted}
        return {
            key: note_id for note_id, title in titles.items() for mark, key in marks.items() if title.endswith(mark)
        }

    def _find_files(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Files by the key in their reason for change. A newer version by a person does not hide ours."""
        fields = ["Id", "ReasonForChange"]
        keys = {one.key for one in wanted}
        return {
            row["ReasonForChange"]: row["Id"]
            for soql in chunks(
                lambda ids: select(fields, "ContentVersion", is_in("FirstPublishLocationId", ids)), _deals(wanted)
            )
            for row in self._client.query("look for files", soql)
            if row.get("ReasonForChange") in keys
        }

    # --- history, users, pipelines ----------------------------------------------------------------------------------

    def history(self, records: Sequence[Ref], fields: Sequence[str], since: datetime) -> list[Change]:
        """Past values, where the org tracks the field (Setup > Object Manager > Set History Tracking)."""
        names = [mapping.checked_field(name) for name in fields]
        found: list[Change] = []
        for kind, (source, parent) in HISTORIES.items():
            ids = [to18(ref.id) for ref in records if ref.kind is kind and is_whole(ref.id)]
            if ids and names:
                found.extend(self._history(kind, source, parent, ids, names, since))
        return sorted(found, key=lambda change: change.at)

    def _history(
        self, kind: RecordKind, source: str, parent: str, ids: list[str], names: list[str], since: datetime
    ) -> Iterator[Change]:
        fields = [parent, "Field", "OldValue", "NewValue", "CreatedDate", "CreatedById"]
        condition = f"{is_in('Field', names)} AND CreatedDate >= {moment(since)}"
        for soql in chunks(lambda some: select(fields, source, f"{condition} AND {is_in(parent, some)}"), ids):
            for row in self._client.query("read history", soql):
                yield Change(
                    record=Ref(kind=kind, id=row[parent]),
                    field=row["Field"],
                    value=mapping.as_text(row.get("NewValue")),
                    at=parse_datetime(row["CreatedDate"]),
                    by_user_id=row.get("CreatedById"),
                    before=mapping.as_text(row.get("OldValue")),
                )

    def users(self) -> list[User]:
        """All people of the org, active and not; its automated and portal users are left out."""
        fields = ["Id", "Name", "Email", "IsActive", "TimeZoneSidKey", "LanguageLocaleKey"]
        soql = select(fields, "User", is_equal("UserType", "Standard"), "Name, Id")
        return [mapping.user(row) for row in self._client.query("read users", soql)]

    def pipelines(self) -> list[Pipeline]:
        """All opportunities as one pipeline, and each active record type as another.

        Which of the org's stages a record type offers cannot be queried, so each shows all that are active.
        """
        rows = self._client.query(
            "read stages",
            select(["ApiName", "MasterLabel", "IsClosed", "IsWon"], "OpportunityStage", "IsActive = true", "SortOrder"),
        )
        stages = tuple(
            Stage(id=row["ApiName"], label=row["MasterLabel"], closed=row["IsClosed"], won=row["IsWon"]) for row in rows
        )
        types: Iterable[Row] = ()
        if self._deal_shape().has("Opportunity.RecordTypeId"):
            types = self._client.query(
                "read record types",
                select(["Id", "Name"], "RecordType", "SobjectType = 'Opportunity' AND IsActive = true", "Name"),
            )
        return [
            Pipeline(id=ALL_PIPELINE, label="All opportunities", stages=stages),
            *(Pipeline(id=row["Id"], label=row["Name"], stages=stages) for row in types),
        ]


def _there(shape: Shape, name: str) -> list[str]:
    """The optional fields that this org has on the object."""
    return [one for one in OPTIONAL[name] if shape.has(f"{name}.{one}")]


def _deals(wanted: Sequence[Wanted]) -> list[str]:
    return list(dict.fromkeys(to18(one.deal_id) for one in wanted if is_whole(one.deal_id)))
