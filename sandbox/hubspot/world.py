"""A portal's records: properties with history, life and death, and the checks that HubSpot makes on every write."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sandbox.hubspot.associations import Associations
from sandbox.hubspot.definitions import CONTACT, DEAL, OBJECT_TYPES, TASK, AssociationType, ObjectType
from sandbox.hubspot.errors import ApiError, Problem, invalid, invalid_properties, missing_objects
from sandbox.hubspot.schema import Schema, entered
from sandbox.hubspot.values import canonical, iso
from sandbox.kit import Clock

BIN_DAYS = 90


@dataclass(frozen=True)
class Source:
    """Who changed something, as history and webhooks tell it."""

    type: str
    id: str
    label: str = ""
    user_id: int | None = None

    @staticmethod
    def person(user_id: int, name: str = "") -> Source:
        """Someone at the screen."""
        return Source("CRM_UI", f"userId:{user_id}", name, user_id)


@dataclass(frozen=True)
class Version:
    """One value of a property over time."""

    value: str | None
    at: datetime
    source: Source


@dataclass
class Record:
    """A CRM object. ``history`` has the newest version of each property first."""

    kind: ObjectType
    id: str
    created_at: datetime
    updated_at: datetime
    history: dict[str, list[Version]] = field(default_factory=dict)
    archived_at: datetime | None = None

    def value(self, name: str, seen: datetime | None = None) -> str | None:
        """The value of a property, now or as it was at ``seen``."""
        for version in self.history.get(name, []):
            if seen is None or version.at <= seen:
                return version.value
        return None


@dataclass(frozen=True)
class Change:
    """Something that webhooks tell about."""

    event: Literal["creation", "propertyChange", "deletion", "restore", "merge", "privacyDeletion"]
    kind: ObjectType
    id: str
    at: datetime
    source: Source
    property: str = ""
    value: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Owner:
    """A user who can own records. ``id`` is not the ``user_id``; assigning by the latter is refused."""

    id: str
    user_id: int
    email: str
    first_name: str
    last_name: str
    active: bool = True


@dataclass(frozen=True)
class RequiredWhen:
    """An admin's rule, enforced on API writes from version 2026-09: with that value, ``needs`` must be filled."""

    kind: ObjectType
    property: str
    value: str
    needs: str


@dataclass
class Options:
    """Ways in which portals differ, or in which the documentation leaves us in doubt.

    Lags are on the sandbox's clock: search sees the portal as it was ``search_lag`` ago, association reads
    ``association_lag`` ago, batch and list reads ``write_lag`` ago. ``echo_trace_ids``: successes of a batch repeat
    their ``objectWriteTraceId``. ``shuffle``: batch results come in another order than the inputs.
    ``task_properties``: whether tasks take custom properties, and unique ones. ``max_custom``: custom properties
    allowed for an object. ``merge_makes_new``: a merge leaves a third record, and both old ids point to it.
    """

    search_lag: timedelta = timedelta(seconds=5)
    association_lag: timedelta = timedelta(0)
    write_lag: timedelta = timedelta(0)
    echo_trace_ids: bool = True
    shuffle: bool = True
    task_properties: Literal["none", "plain", "unique"] = "plain"
    max_custom: int | None = None
    merge_makes_new: bool = False


@dataclass(frozen=True)
class NewLink:
    """A link asked for with a new record."""

    end: ObjectType
    id: str
    types: tuple[AssociationType, ...]


class World:
    """All records of one portal. Not locked by itself: callers hold ``lock``."""

    def __init__(self, clock: Clock, portal_id: str = "4242") -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.portal_id = portal_id
        self.time_zone = "Europe/Paris"
        self.options = Options()
        self.schema = Schema(self.options)
        self.associations = Associations()
        self.owners: dict[str, Owner] = {}
        self.rules: list[RequiredWhen] = []
        self.records: dict[str, dict[str, Record]] = {kind.id: {} for kind in OBJECT_TYPES}
        self._unique: dict[tuple[str, str, str], Record] = {}
        self.merged: dict[tuple[str, str], str] = {}
        self.listeners: list[Callable[[Change], None]] = []
        self._pretended: datetime | None = None
        self._ids = itertools.count(30_000_000_001, 17)

    def now(self) -> datetime:
        """The moment that writes carry."""
        return self._pretended or self.clock.now()

    @contextmanager
    def at(self, moment: datetime | None) -> Iterator[None]:
        """Write as if it were another moment (None: now), to lay down a past."""
        self._pretended = moment
        try:
            yield
        finally:
            self._pretended = None

    # Reading.

    def get(self, kind: ObjectType, record_id: str, *, archived: bool = False, merged: bool = False) -> Record | None:
        """A record by id, from the live ones or the recycle bin; ``merged`` follows an old id to the survivor."""
        if merged:
            record_id = self.merged.get((kind.id, record_id), record_id)
        record = self.records[kind.id].get(record_id)
        if record is None or (record.archived_at is not None) != archived:
            return None
        return None if archived and self._purged(record) else record

    def by_property(self, kind: ObjectType, name: str, value: str, *, archived: bool = False) -> Record | None:
        """A record by the value of a unique property; values differ by more than case."""
        if archived:
            binned = self.all(kind, archived=True)
            return next((each for each in binned if (each.value(name) or "").lower() == value.lower()), None)
        found = self._unique.get((kind.id, name, value.lower()))
        if found is None or self.get(kind, found.id) is not found:
            return None
        return found if (found.value(name) or "").lower() == value.lower() else None

    def all(self, kind: ObjectType, *, archived: bool = False) -> list[Record]:
        """All live or all binned records, oldest first."""
        found = [each for each in self.records[kind.id].values() if (each.archived_at is not None) == archived]
        return [each for each in found if not (archived and self._purged(each))]

    def as_of(self, lag: timedelta) -> datetime | None:
        """The moment whose state a lagging read sees; None: the present."""
        return self.now() - lag if lag else None

    # Writing.

    def check(
        self,
        kind: ObjectType,
        values: Mapping[str, Any],
        record: Record | None = None,
        *,
        rules: bool = False,
        claimed: set[tuple[str, str]] | None = None,
    ) -> dict[str, str | None]:
        """Canonical values of a create (no record) or an update. Raises ApiError naming every refused property."""
        clean: dict[str, str | None] = {}
        problems: dict[str, Problem] = {}
        for name, value in values.items():
            try:
                clean[name] = self._check_one(kind, name, value, record)
            except Problem as problem:
                problems[name] = problem
        if not problems:
            self._check_stage(kind, clean, record, problems)
        if problems:
            raise invalid_properties(self.portal_id, problems)
        self._check_required(kind, clean, record, rules=rules)
        self._check_unique(kind, clean, record, claimed if claimed is not None else set())
        return clean

    def links(
        self, kind: ObjectType, wanted: Sequence[tuple[ObjectType, str, Sequence[Mapping[str, Any]]]]
    ) -> list[NewLink]:
        """Resolve the inline associations of a create. Raises ApiError for a wrong type or an unknown target."""
        found = []
        for end, record_id, types in wanted:
            known = [
                self.associations.type(kind, end, each["associationCategory"], each["associationTypeId"])
                for each in types
            ]
            if self.get(end, record_id, merged=True) is None:
                raise missing_objects(end.name, [record_id])
            found.append(NewLink(end, self.merged.get((end.id, record_id), record_id), tuple(known)))
        return found

    def create(
        self,
        kind: ObjectType,
        values: Mapping[str, str | None],
        links: Sequence[NewLink] = (),
        *,
        source: Source,
        record_id: str | None = None,
    ) -> Record:
        """Make a record from checked values."""
        now = self.now()
        record = Record(kind, record_id or str(next(self._ids)), now, now)
        self.records[kind.id][record.id] = record
        values = {**self._defaults(kind), **values, "hs_object_id": record.id, kind.created: iso(now)}
        filled = {name: value for name, value in values.items() if value is not None}
        derived = self._derived(kind, filled, now) if kind is DEAL else {}
        self._set(record, {**filled, **derived}, source, now)
        for link in links:
            for each in link.types:
                self.associations.link((kind.id, record.id), (link.end.id, link.id), each, now)
        self._tell(Change("creation", kind, record.id, now, source))
        for name, value in values.items():
            if value is not None and name in record.history and not self.schema.get(kind, name).read_only:
                self._tell(Change("propertyChange", kind, record.id, now, source, name, value))
        return record

    def update(self, record: Record, values: Mapping[str, str | None], *, source: Source) -> Record:
        """Change a record by checked values; what is the same already makes no history and no event."""
        now = self.now()
        changed = {name: value for name, value in values.items() if record.value(name) != value}
        derived = self._derived(record.kind, changed, now)
        self._set(record, {**changed, **derived}, source, now)
        for name, value in changed.items():
            self._tell(Change("propertyChange", record.kind, record.id, now, source, name, value or ""))
        return record

    def archive(self, record: Record, *, source: Source) -> None:
        """Move to the recycle bin, where it stays 90 days."""
        record.archived_at = self.now()
        self._tell(Change("deletion", record.kind, record.id, record.archived_at, source))

    def restore(self, record: Record, *, source: Source) -> None:
        """Take back out of the recycle bin."""
        record.archived_at = None
        self._tell(Change("restore", record.kind, record.id, self.now(), source))

    def forget(self, record: Record, *, source: Source) -> None:
        """Delete for good, as GDPR asks: the contact and all that it said."""
        now = self.now()
        del self.records[record.kind.id][record.id]
        self.associations.drop((record.kind.id, record.id))
        self._tell(Change("privacyDeletion", record.kind, record.id, now, source))
        self._tell(Change("deletion", record.kind, record.id, now, source))

    def merge(self, primary: Record, other: Record, *, source: Source) -> Record:
        """Merge ``other`` into ``primary``; the old id then leads to the survivor."""
        now, kind = self.now(), primary.kind
        survivor = primary
        if self.options.merge_makes_new:
            survivor = Record(kind, str(next(self._ids)), primary.created_at, now, primary.history)
            self.records[kind.id][survivor.id] = survivor
            for name in survivor.history:
                self._index(survivor, name, survivor.value(name))
        missing = {name: other.value(name) for name in other.history if primary.value(name) is None}
        gone = [other.id] if survivor is primary else [other.id, primary.id]
        for old in gone:
            del self.records[kind.id][old]
            self.merged[kind.id, old] = survivor.id
            self.associations.move((kind.id, old), (kind.id, survivor.id), now)
        for earlier, target in list(self.merged.items()):
            if earlier[0] == kind.id and target in gone:
                self.merged[earlier] = survivor.id
        known = [*(survivor.value("hs_merged_object_ids") or "").split(";"), *gone]
        ids = {"hs_object_id": survivor.id, "hs_merged_object_ids": ";".join(each for each in known if each)}
        self._set(survivor, {**missing, **ids}, source, now)
        told = {
            "primaryObjectId": int(primary.id),
            "mergedObjectIds": [int(other.id)],
            "newObjectId": int(survivor.id),
            "numberOfPropertiesMoved": len(missing),
        }
        self._tell(Change("merge", kind, primary.id, now, source, more=told))
        return survivor

    # How it works.

    def _tell(self, change: Change) -> None:
        for listener in self.listeners:
            listener(change)

    def _set(self, record: Record, values: Mapping[str, str | None], source: Source, now: datetime) -> None:
        if not values:
            return
        for name, value in {**values, record.kind.modified: iso(now)}.items():
            record.history.setdefault(name, []).insert(0, Version(value, now, source))
            self._index(record, name, value)
        record.updated_at = now

    def _index(self, record: Record, name: str, value: str | None) -> None:
        definition = self.schema.find(record.kind, name)
        if value is not None and definition is not None and definition.unique:
            self._unique[record.kind.id, name, value.lower()] = record

    def _purged(self, record: Record) -> bool:
        return record.archived_at is not None and self.now() - record.archived_at > timedelta(days=BIN_DAYS)

    def _defaults(self, kind: ObjectType) -> dict[str, str | None]:
        if kind is DEAL and self.schema.pipelines:
            return {"pipeline": self.schema.pipelines[0].id}
        return {"hs_task_status": "NOT_STARTED", "hs_task_type": "TODO"} if kind is TASK else {}

    def _derived(self, kind: ObjectType, changed: Mapping[str, str | None], now: datetime) -> dict[str, str | None]:
        if kind is DEAL and changed.get("dealstage"):
            return {entered(changed["dealstage"] or ""): iso(now)}
        if kind is not TASK or "hs_task_status" not in changed:
            return {}
        return {"hs_task_completion_date": iso(now) if changed["hs_task_status"] == "COMPLETED" else None}

    def _check_one(self, kind: ObjectType, name: str, value: Any, record: Record | None) -> str | None:
        definition = self.schema.find(kind, name)
        if definition is None:
            raise Problem("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        if definition.read_only:
            raise Problem("READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
        if name == "hubspot_owner_id" and value != "":
            owner = self.owners.get(str(value))
            if owner is None or not owner.active:
                raise Problem("INVALID_OWNER_ID", f"Owner {value} does not exist or is not active")
            return owner.id
        if name in ("dealstage", "pipeline"):
            if not isinstance(value, str):
                raise Problem("INVALID_OPTION", f"{value} was not one of the allowed options: []")
            return value or None
        return canonical(definition, value, record.value(name) if record else None)

    def _check_stage(
        self, kind: ObjectType, clean: Mapping[str, str | None], record: Record | None, problems: dict[str, Problem]
    ) -> None:
        if kind is not DEAL or not {"dealstage", "pipeline"} & set(clean):
            return
        before = record.value if record else self._defaults(kind).get
        pipeline_id = clean.get("pipeline", before("pipeline"))
        stage_id = clean.get("dealstage", before("dealstage"))
        known = self.schema.pipelines
        pipeline = next((each for each in known if each.id == pipeline_id), None)
        if pipeline is None:
            problems["pipeline"] = _not_allowed(pipeline_id, [each.id for each in known])
        elif stage_id is not None and all(stage.id != stage_id for stage in pipeline.stages):
            problems["dealstage"] = _not_allowed(stage_id, [stage.id for stage in pipeline.stages])

    def _check_required(
        self, kind: ObjectType, clean: Mapping[str, str | None], record: Record | None, *, rules: bool
    ) -> None:
        def after(name: str) -> str | None:
            return clean[name] if name in clean else (record.value(name) if record else None)

        missing = [name for name in kind.required if after(name) is None]
        if missing:
            verb = "updating" if record else "creating"
            raise invalid(
                f"Error {verb} {kind.name.upper()}. Some required properties were not set.",
                context={"properties": missing},
            )
        needed = [
            rule.needs
            for rule in (self.rules if rules else [])
            if rule.kind is kind
            and rule.property in clean
            and after(rule.property) == rule.value
            and not after(rule.needs)
        ]
        if needed:
            raise invalid("Some conditionally required properties were not set.", context={"properties": needed})

    def _check_unique(
        self, kind: ObjectType, clean: Mapping[str, str | None], record: Record | None, claimed: set[tuple[str, str]]
    ) -> None:
        for name, value in clean.items():
            if value is None or not self.schema.get(kind, name).unique:
                continue
            other = self.by_property(kind, name, value)
            if other is not None and other is not record:
                raise self._taken(kind, name, value, other, record)
            if (name, value.lower()) in claimed:
                raise invalid(f"Duplicate value {value} of the unique property {name} within the batch")
            claimed.add((name, value.lower()))

    def _taken(self, kind: ObjectType, name: str, value: str, other: Record, record: Record | None) -> ApiError:
        if kind is CONTACT and name == "email":
            return ApiError(409, f"Contact already exists. Existing ID: {other.id}", "CONFLICT")
        on = record.id if record else "a new record"
        message = (
            f"Cannot set PropertyValueCoordinates{{portalId={self.portal_id}, propertyName={name}, value={value}}}"
        )
        return invalid(f"{message} on {on}. {other.id} already has that value.")


def _not_allowed(value: str | None, allowed: Sequence[str]) -> Problem:
    return Problem("INVALID_OPTION", f"{value} was not one of the allowed options: [{', '.join(allowed)}]")
