"""Reading: deals with their people, tasks, users, pipelines, histories, and keyed records after an unclear answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from adapters.errors import NotFound, Unavailable, Unsupported
from adapters.hubspot.client import Answer, Client, Op
from adapters.hubspot.mapping import (
    HISTORY,
    OBJECTS,
    PRIMARY_COMPANY,
    PRIMARY_COMPANY_NAME,
    TASK_PROPERTIES,
    company_from,
    company_properties,
    contact_from,
    contact_properties,
    deal_from,
    deal_properties,
    history_of,
    properties_of,
    task_from,
    with_former,
)
from adapters.hubspot.values import marker, own
from adapters.results import Change, Observed, Wanted
from adapters.services import FieldMap
from workflows.records import Deal, DealState, People, Pipeline, RecordKind, Ref, Stage, TaskState, User
from workflows.said import Said

GET_DEAL = Op("crm.deals.basic_api", "get_by_id", read=True)
BATCH_READ = {
    RecordKind.DEAL: Op("crm.deals.batch_api", "read", read=True),
    RecordKind.COMPANY: Op("crm.companies.batch_api", "read", read=True),
    RecordKind.CONTACT: Op("crm.contacts.batch_api", "read", read=True),
    RecordKind.TASK: Op("crm.objects.tasks.batch_api", "read", read=True),
    RecordKind.NOTE: Op("crm.objects.notes.batch_api", "read", read=True),
}
GET_ASSOCIATIONS = Op("crm.associations.v4.batch_api", "get_page", read=True)
GET_OWNERS = Op("crm.owners.owners_api", "get_page", read=True)
GET_PIPELINES = Op("crm.pipelines.pipelines_api", "get_all", read=True)

BATCH = 100
BATCH_WITH_HISTORY = 50
BATCH_ASSOCIATIONS = 1_000
OWNERS_A_PAGE = 500
MOST_PAGES = 200

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in pieces of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@dataclass(frozen=True)
class Target:
    """One end of an association, with its type ids and the labels that people gave it."""

    id: str
    type_ids: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """What reading needs to know of the account."""

    client: Client
    fields: FieldMap
    zone: ZoneInfo
    association_labels: bool = False
    owner_by_user: dict[str, str] = field(default_factory=dict)

    # --- deals ------------------------------------------------------------------------------------------------

    def observe(self, deal_ids: Sequence[str]) -> dict[str, Observed]:
        """Deals by the id asked for: one call for one, by the batch for many."""
        wanted = list(dict.fromkeys(deal_ids))
        if len(wanted) == 1:
            return {wanted[0]: Observed(self._observe_one(wanted[0]))}
        found: dict[str, Mapping[str, Any]] = {}
        for chunk in chunks(wanted, BATCH_WITH_HISTORY):
            found |= self.batch_read(RecordKind.DEAL, chunk, deal_properties(self.fields), history=HISTORY)
        present = [deal_id for deal_id in wanted if deal_id in found]
        companies = self.associations("deals", "companies", present)
        contacts = self.associations("deals", "contacts", present)
        seen = {}
        for deal_id in wanted:
            if deal_id in found:
                ids = primary(companies[deal_id]), [target.id for target in contacts[deal_id]]
                seen[deal_id] = Observed(deal_from(found[deal_id], self.fields, self.zone, *ids))
            else:
                # A batch leaves out what it could not get just now as well as what is gone or merged.
                seen[deal_id] = Observed(self._observe_one(deal_id))
        return seen

    def _observe_one(self, deal_id: str) -> Deal:
        try:
            record = self._get_deal(deal_id)
        except NotFound:
            return Deal(id=deal_id, state=self._how_gone(deal_id))
        if str(record["id"]) != deal_id:
            return Deal(id=deal_id, state=DealState.MERGED, merged_into=str(record["id"]))
        if record.get("archived"):
            return Deal(id=deal_id, state=DealState.ARCHIVED)
        company = primary(self.inline(record, "companies"))
        contacts = [target.id for target in self.inline(record, "contacts")]
        return deal_from(record, self.fields, self.zone, company, contacts)

    def _how_gone(self, deal_id: str) -> DealState:
        """In the recycle bin, or deleted for good. A wrong or withdrawn address answers 404 too: a batch tells them
        apart, since it answers for a missing record and not for a missing address."""
        try:
            self._get_deal(deal_id, archived="true")
        except NotFound:
            if deal_id in self.batch_read(RecordKind.DEAL, [deal_id], ["dealstage"]):
                raise Unavailable(Said("HubSpot both shows the deal and does not"), operation=GET_DEAL.name) from None
            return DealState.DELETED
        return DealState.ARCHIVED

    def _get_deal(self, deal_id: str, **options: Any) -> Mapping[str, Any]:
        body = self.client.call(
            GET_DEAL,
            deal_id,
            properties=deal_properties(self.fields),
            properties_with_history=list(HISTORY),
            associations=["companies", "contacts"],
            **options,
        ).body
        if "id" not in body:
            raise Unavailable(Said("HubSpot's answer has no deal in it"), operation=GET_DEAL.name)
        return body

    def inline(self, record: Mapping[str, Any], kind: str) -> list[Target]:
        """Associations that came with the record: one row for each type, so a company may come twice."""
        block = (record.get("associations") or {}).get(kind) or {}
        if (block.get("paging") or {}).get("next"):
            return self.associations("deals", kind, [str(record["id"])])[str(record["id"])]
        types: dict[str, tuple[int, ...]] = {}
        for row in block.get("results") or []:
            primary = (PRIMARY_COMPANY,) if row.get("type") == PRIMARY_COMPANY_NAME else ()
            types[str(row["id"])] = types.get(str(row["id"]), ()) + primary
        return [Target(record_id, type_ids) for record_id, type_ids in types.items()]

    def people(self, deals: Sequence[Deal]) -> dict[str, People]:
        """Company and contacts of deals, each record read once."""
        company_ids = list(dict.fromkeys(deal.company_id for deal in deals if deal.company_id))
        contact_ids = list(dict.fromkeys(each for deal in deals for each in deal.contact_ids))
        companies = self._read_all(RecordKind.COMPANY, company_ids, company_properties(self.fields))
        contacts = self._read_all(RecordKind.CONTACT, contact_ids, contact_properties(self.fields))
        labels = self._labels([deal.id for deal in deals if deal.contact_ids]) if self.association_labels else {}
        return {
            deal.id: People(
                company=company_from(companies[deal.company_id], self.fields)
                if deal.company_id in companies and deal.company_id
                else None,
                contacts=tuple(
                    contact_from(contacts[each], self.fields, labels.get((deal.id, each), ()))
                    for each in deal.contact_ids
                    if each in contacts
                ),
            )
            for deal in deals
        }

    def _labels(self, deal_ids: Sequence[str]) -> dict[tuple[str, str], tuple[str, ...]]:
        rows = self.associations("deals", "contacts", deal_ids)
        return {(deal_id, target.id): target.labels for deal_id, targets in rows.items() for target in targets}

    # --- tasks and keyed records ----------------------------------------------------------------------------------

    def task_states(self, task_ids: Sequence[str]) -> dict[str, TaskState]:
        """Tasks by id; one that no batch returns, archived or not, is deleted for good."""
        wanted = list(dict.fromkeys(task_ids))
        found = self._read_all(RecordKind.TASK, wanted, TASK_PROPERTIES)
        missing = [task_id for task_id in wanted if task_id not in found]
        found |= self._read_all(RecordKind.TASK, missing, TASK_PROPERTIES)
        return {
            task_id: task_from(found[task_id]) if task_id in found else TaskState(id=task_id, found=False)
            for task_id in wanted
        }

    def find(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Keyed tasks, notes and documents, through their deals and never through search, which lags."""
        tasks = [each for each in wanted if each.kind == "task"]
        notes = [each for each in wanted if each.kind in ("note", "file")]
        if len(tasks) + len(notes) != len(wanted):
            raise Unsupported("only tasks, notes and documents carry a key")
        found = self._find(RecordKind.TASK, tasks, "hs_task_body", [own("key")])
        return found | self._find(RecordKind.NOTE, notes, "hs_note_body", [])

    def _find(self, kind: RecordKind, wanted: Sequence[Wanted], body: str, keys: Sequence[str]) -> dict[str, str]:
        if not wanted:
            return {}
        rows = self.associations("deals", OBJECTS[kind], list(dict.fromkeys(each.deal_id for each in wanted)))
        ids = list(dict.fromkeys(target.id for targets in rows.values() for target in targets))
        records = self._read_all(kind, ids, [body, *keys])
        missing = [record_id for record_id in ids if record_id not in records]
        # A person may have deleted it since: it was there, and is not written again.
        records |= self._read_all(kind, missing, [body, *keys], archived="true")
        if len(records) < len(ids):
            raise Unavailable(
                Said("HubSpot names %(objects)s of the deal that it does not show now", objects=OBJECTS[kind]),
                operation="find",
            )
        found: dict[str, str] = {}
        for each in wanted:
            for target in sorted(rows.get(each.deal_id, ()), key=lambda one: (len(one.id), one.id)):
                values = properties_of(records[target.id])
                if values.get(own("key")) == each.key or marker(each.key) in values.get(body, ""):
                    found.setdefault(each.key, target.id)
        return found

    def tasks_by_key(self, keys: Sequence[str]) -> dict[str, str]:
        """Task ids by key, where the key property is unique."""
        found: dict[str, str] = {}
        for chunk in chunks(keys, BATCH):
            records = self.batch_read(RecordKind.TASK, chunk, [own("key")], id_property=own("key"))
            found |= {properties_of(record).get(own("key"), ""): record_id for record_id, record in records.items()}
        return found

    def task_bodies(self, task_ids: Sequence[str]) -> dict[str, str]:
        """The present bodies of tasks, as HTML, by id."""
        found = self._read_all(RecordKind.TASK, task_ids, ["hs_task_body"])
        missing = [task_id for task_id in task_ids if task_id not in found]
        found |= self._read_all(RecordKind.TASK, missing, ["hs_task_body"])
        return {task_id: properties_of(record).get("hs_task_body", "") for task_id, record in found.items()}

    # --- batches --------------------------------------------------------------------------------------------------

    def batch_read(
        self,
        kind: RecordKind,
        ids: Sequence[str],
        properties: Sequence[str],
        *,
        history: Sequence[str] = (),
        id_property: str | None = None,
        **options: Any,
    ) -> dict[str, Mapping[str, Any]]:
        """One batch read, by record id; what HubSpot does not have is left out."""
        body: dict[str, Any] = {
            "inputs": [{"id": each} for each in ids],
            "properties": list(properties),
            "propertiesWithHistory": list(history),
        }
        if id_property:
            body["idProperty"] = id_property
        answer = self.client.call(BATCH_READ[kind], body, **options)
        _refuse_gaps(answer, BATCH_READ[kind])
        return {str(record["id"]): record for record in answer.body.get("results") or [] if "id" in record}

    def batch_read_by(self, op: Op, ids: Sequence[str], properties: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """As :meth:`batch_read`, of a kind of record that we never write."""
        body = {"inputs": [{"id": each} for each in ids], "properties": list(properties), "propertiesWithHistory": []}
        answer = self.client.call(op, body)
        _refuse_gaps(answer, op)
        return {str(record["id"]): record for record in answer.body.get("results") or [] if "id" in record}

    def _read_all(
        self, kind: RecordKind, ids: Sequence[str], properties: Sequence[str], **options: Any
    ) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for chunk in chunks(ids, BATCH):
            found |= self.batch_read(kind, chunk, properties, **options)
        return found

    def associations(self, of: str, to: str, ids: Sequence[str]) -> dict[str, list[Target]]:
        """What these records are associated with; an entry for each id, however many pages it takes."""
        found: dict[str, dict[str, Target]] = {record_id: {} for record_id in ids}
        for chunk in chunks(ids, BATCH_ASSOCIATIONS):
            inputs = [{"id": record_id} for record_id in chunk]
            for _ in range(MOST_PAGES):
                if not inputs:
                    break
                answer = self.client.call(GET_ASSOCIATIONS, of, to, {"inputs": inputs})
                _refuse_gaps(answer, GET_ASSOCIATIONS)
                inputs = []
                for row in answer.body.get("results") or []:
                    record_id = str((row.get("from") or {}).get("id", ""))
                    found.setdefault(record_id, {}).update(_targets(row))
                    if after := ((row.get("paging") or {}).get("next") or {}).get("after"):
                        inputs.append({"id": record_id, "after": after})
        return {record_id: list(targets.values()) for record_id, targets in found.items()}

    # --- the account ------------------------------------------------------------------------------------------------

    def users(self) -> list[User]:
        """All owners, active and archived. Tasks are given to owners, whose id is not the user id."""
        found = {}
        for archived in ("true", "false"):
            for owner in self._owners(archived):
                user = owner.get("userId") or owner.get("userIdIncludingInactive")
                if user:
                    self.owner_by_user[str(user)] = str(owner["id"])
                name = " ".join(str(owner.get(part) or "").strip() for part in ("firstName", "lastName")).strip()
                email = str(owner.get("email") or "")
                found[str(owner["id"])] = User(
                    id=str(owner["id"]), name=name or email, email=email, active=archived == "false"
                )
        return list(found.values())

    def _owners(self, archived: str) -> Iterator[Mapping[str, Any]]:
        after: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            body = self.client.call(GET_OWNERS, limit=OWNERS_A_PAGE, archived=archived, **after).body
            yield from (owner for owner in body.get("results") or [] if "id" in owner)
            following = ((body.get("paging") or {}).get("next") or {}).get("after")
            if not following:
                return
            after = {"after": str(following)}

    def pipelines(self) -> list[Pipeline]:
        """All pipelines of deals. A closed stage has probability 0 (lost) or 1 (won), as text."""
        body = self.client.call(GET_PIPELINES, "deals").body
        return [
            Pipeline(
                id=str(each["id"]),
                label=str(each.get("label") or ""),
                stages=tuple(_stage(stage) for stage in _ordered(each.get("stages") or [])),
            )
            for each in _ordered(body.get("results") or [])
        ]

    def history(self, records: Sequence[Ref], fields: Sequence[str], since: datetime) -> list[Change]:
        """Past values, oldest first."""
        by_kind: dict[RecordKind, list[str]] = {}
        for ref in records:
            if ref.kind not in BATCH_READ:
                raise Unsupported(Said("HubSpot keeps no history of a %(kind)s", kind=ref.kind))
            by_kind.setdefault(ref.kind, []).append(ref.id)
        changes = []
        for kind, ids in by_kind.items():
            for chunk in chunks(list(dict.fromkeys(ids)), BATCH_WITH_HISTORY):
                found = self.batch_read(kind, chunk, fields, history=fields)
                changes += [
                    Change(Ref(kind=kind, id=record_id), name, past.value or None, past.at, past.user_id, before)
                    for record_id, record in found.items()
                    for name in fields
                    for past, before in with_former(history_of(record, name))
                    if past.at >= since
                ]
        return sorted(self._by_owner(changes), key=lambda change: change.at)

    def _by_owner(self, changes: Sequence[Change]) -> Iterable[Change]:
        """HubSpot tells who changed a value by user id; everywhere else people go by owner id."""
        if any(change.by_user_id for change in changes) and not self.owner_by_user:
            self.users()
        for change in changes:
            owner = self.owner_by_user.get(change.by_user_id or "")
            yield Change(change.record, change.field, change.value, change.at, owner)


def _refuse_gaps(answer: Answer, op: Op) -> None:
    """A batch may answer in part. What failed must not look as if it did not exist."""
    for error in answer.body.get("errors") or []:
        if error.get("category") not in ("OBJECT_NOT_FOUND", "VALIDATION_ERROR"):
            raise Unavailable(Said("HubSpot answered only in part"), operation=op.name, status=answer.status)


def primary(companies: Sequence[Target]) -> str | None:
    """The deal's primary company, else the first."""
    primary = next((target.id for target in companies if PRIMARY_COMPANY in target.type_ids), None)
    return primary or (companies[0].id if companies else None)


def _targets(row: Mapping[str, Any]) -> dict[str, Target]:
    targets = {}
    for to in row.get("to") or []:
        record_id = str(to["toObjectId"])
        types = to.get("associationTypes") or []
        labels = tuple(str(each["label"]) for each in types if each.get("label"))
        targets[record_id] = Target(record_id, tuple(int(each["typeId"]) for each in types), labels)
    return targets


def _ordered(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(items, key=lambda each: each.get("displayOrder") or 0)


def _stage(stage: Mapping[str, Any]) -> Stage:
    facts = stage.get("metadata") or {}
    probability = str(facts.get("probability", ""))
    closed = str(facts.get("isClosed", "")).lower() == "true" or probability in ("0.0", "1.0", "0", "1")
    return Stage(
        id=str(stage["id"]),
        label=str(stage.get("label") or ""),
        closed=closed,
        won=closed and probability in ("1.0", "1"),
    )
