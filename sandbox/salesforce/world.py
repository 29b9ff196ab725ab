"""The organisation's records, and what happens when one is saved."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sandbox.kit import Clock
from sandbox.salesforce import derive, rules
from sandbox.salesforce.errors import RecordError, invalid_field
from sandbox.salesforce.ids import long_id, make_id, normal_id
from sandbox.salesforce.objects import CASCADE
from sandbox.salesforce.schema import Field, Schema, SObject
from sandbox.salesforce.values import Row, from_json


@dataclass(frozen=True)
class Actor:
    """Who acts. ``api``: through the API, so that field permissions bind; else in the vendor's own pages."""

    user_id: str
    api: bool = False


@dataclass(frozen=True)
class Change:
    """One save: the row before and after (None: was not there)."""

    sobject: str
    old: Row | None
    new: Row
    actor: Actor


@dataclass
class Settings:
    """What differs between organisations, or is not known of the vendor for sure.

    ``duplicate_ids``: how DUPLICATE_VALUE names the record. ``late_visibility``: seconds until other people's saves can
    be queried, as after a long transaction. ``recycled_keys_block``: rows in the recycle bin still hold unique values.
    ``flows_deploy_active``: "Deploy processes and flows as active" is on; ``may_deploy``: the API users may change
    metadata; ``activity_unique``: fields on activities may be unique.
    """

    edition: Literal["enterprise", "professional"] = "enterprise"
    is_sandbox: bool = False
    duplicate_ids: Literal["15", "18", "unknown"] = "15"
    late_visibility: float = 0.0
    recycled_keys_block: bool = False
    page_rows: int = 2000
    daily_limit: int = 100_000
    api_enabled: bool = True
    session_timeout: timedelta = timedelta(hours=2)
    flows_deploy_active: bool = True
    may_deploy: bool = True
    activity_unique: bool = True
    tracked: dict[str, set[str]] = field(
        default_factory=lambda: {
            "Opportunity": {"StageName", "OwnerId", "Amount", "CloseDate"},
            "Account": {"OwnerId", "Type"},
            "Contact": {"Email", "AccountId"},
        }
    )


class World:
    """All records in memory, behind one lock. Ids in 18 characters; both forms are taken."""

    def __init__(self, clock: Clock, org_id: str, settings: Settings | None = None) -> None:
        self.clock = clock
        self.org_id = normal_id(org_id) or long_id(org_id[:15])
        self.settings = settings or Settings()
        self.schema = Schema()
        self.lock = threading.RLock()
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in self.schema.objects}
        self.validation_rules: list[rules.ValidationRule] = []
        self.row_locks: dict[str, int] = {}
        self.listeners: list[Callable[[list[Change]], None]] = []
        self.admin_id = ""
        self._numbers: dict[str, int] = {}
        self._unique: dict[tuple[str, str], dict[str, str]] = {}
        self._veils: dict[str, list[tuple[datetime, Row | None]]] = {}
        self._undo: list[tuple[str, str, Row | None]] = []
        self._changes: list[Change] = []
        self._depth = 0
        self.batch: set[str] = set()

    # --- reading ----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The moment that a save gets: whole seconds, UTC."""
        return self.clock.now().replace(microsecond=0)

    def find(self, record_id: str) -> Row | None:
        """A record by id, deleted or not, whatever its object."""
        full = normal_id(record_id)
        kind = self.schema.by_id(full) if full else None
        return self.tables[kind].get(full) if kind and full else None

    def live(self, record_id: str) -> Row | None:
        """A record by id unless it is deleted."""
        row = self.find(record_id)
        return None if row is None or row.get("IsDeleted") else row

    def rows(self, name: str, *, deleted: bool = False, ids: Collection[str] | None = None) -> Iterator[Row]:
        """The rows that queries see now."""
        table = self.tables[name]
        pairs = table.items() if ids is None else [(key, table[key]) for key in sorted(ids) if key in table]
        for key, row in pairs:
            seen = self._seen(key, row)
            if seen is not None and (deleted or not seen.get("IsDeleted")):
                yield seen

    def _seen(self, key: str, row: Row) -> Row | None:
        veils = self._veils.get(key)
        if not veils:
            return row
        now = self.clock.now()
        for until, before in veils:
            if now < until:
                return before
        del self._veils[key]
        return row

    def may_read(self, actor: Actor, sobject: SObject, wanted: Field) -> bool:
        """Field-level security: seen by everyone, or granted by a permission set of this user."""
        return self._granted(actor, sobject, wanted, "PermissionsRead")

    def may_edit(self, actor: Actor, sobject: SObject, wanted: Field) -> bool:
        """As :meth:`may_read`, for writing."""
        return self._granted(actor, sobject, wanted, "PermissionsEdit")

    def _granted(self, actor: Actor, sobject: SObject, wanted: Field, what: str) -> bool:
        if wanted.by_profile or not actor.api:
            return True
        sets = {
            row["PermissionSetId"]
            for row in self.tables["PermissionSetAssignment"].values()
            if row["AssigneeId"] == actor.user_id
        }
        name = f"{sobject.name}.{wanted.name}"
        return any(
            row[what] and row["Field"] == name and row["ParentId"] in sets
            for row in self.tables["FieldPermissions"].values()
        )

    # --- transactions -----------------------------------------------------------------------------------------------

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All or nothing. May be nested; listeners hear of saves when the outermost one ends well."""
        with self.lock:
            undo_at, changes_at = len(self._undo), len(self._changes)
            self._depth += 1
            try:
                yield
            except BaseException:
                self._roll_back(undo_at, changes_at)
                raise
            finally:
                self._depth -= 1
                if self._depth == 0:
                    changes, self._changes = self._changes, []
                    self._undo.clear()
                    self._tell(changes)

    def _tell(self, changes: list[Change]) -> None:
        if changes:
            for listener in self.listeners:
                listener(changes)

    def _roll_back(self, undo_at: int, changes_at: int) -> None:
        while len(self._undo) > undo_at:
            name, key, old = self._undo.pop()
            self._store(name, key, old)
            self._veils.pop(key, None)
        del self._changes[changes_at:]

    def _store(self, name: str, key: str, row: Row | None) -> Row | None:
        old = self.tables[name].get(key)
        for each in self.schema.objects[name].fields.values():
            if each.unique:
                self._index(name, each, old, row)
        if row is None:
            self.tables[name].pop(key, None)
        else:
            self.tables[name][key] = row
        return old

    def _index(self, name: str, unique: Field, old: Row | None, new: Row | None) -> None:
        index = self._unique.setdefault((name, unique.name), {})
        if old is not None and (value := rules.unique_key(unique, old)) and index.get(value) == old["Id"]:
            del index[value]
        if new is not None and not self._bin_frees(new) and (value := rules.unique_key(unique, new)):
            index.setdefault(value, new["Id"])

    def _bin_frees(self, row: Row) -> bool:
        return bool(row.get("IsDeleted")) and not self.settings.recycled_keys_block

    def holder(self, name: str, unique: Field, row: Row) -> str | None:
        """The id of the record that holds this unique value already, if another does."""
        value = rules.unique_key(unique, row)
        return self._unique.get((name, unique.name), {}).get(value) if value else None

    def put(self, name: str, row: Row) -> None:
        """Store a row as it is, with nothing checked or derived, inside the transaction at hand."""
        self._undo.append((name, row["Id"], self._store(name, row["Id"], row)))
        if self._depth == 0:
            self._undo.clear()

    def drop(self, name: str, key: str) -> None:
        """Remove a row for good, inside the transaction at hand."""
        self._undo.append((name, key, self._store(name, key, None)))

    def reindex(self, name: str, unique: Field) -> None:
        """Know the values of a field that is unique from now on."""
        self._unique.pop((name, unique.name), None)
        for row in self.tables[name].values() if unique.unique else ():
            self._index(name, unique, None, row)

    # --- saving -----------------------------------------------------------------------------------------------------

    @property
    def admin(self) -> Actor:
        """The person who sits before the vendor's pages."""
        return Actor(self.admin_id)

    def new_id(self, name: str) -> str:
        """The next id of an object."""
        prefix = self.schema.objects[name].prefix
        self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return make_id(prefix, self._numbers[prefix])

    def setup(self, name: str, **values: Any) -> str:
        """Make a record of the set-up (users, stages, ...), which the API could not make; returns its id."""
        with self.lock:
            stamp = {"CreatedDate": self.now(), "LastModifiedDate": self.now(), "SystemModstamp": self.now()}
            known = {key: value for key, value in stamp.items() if self.schema.objects[name].find(key)}
            row = {"Id": self.new_id(name), **known, **values}
            self.put(name, row)
            return str(row["Id"])

    def insert(
        self, name: str, values: Mapping[str, Any], actor: Actor | None = None, at: datetime | None = None
    ) -> str:
        """Create a record; returns its id. Raises RecordError, or ApiError for what cannot be read at all."""
        who, sobject = actor or self.admin, self.schema.object(name)
        with self.atomic():
            given = self._given(sobject, values, who, new=True)
            stamp = at or self.now()
            row = {
                "Id": self.new_id(sobject.name),
                **{each.name: each.default for each in sobject.fields.values() if each.name != "Id"},
                **given,
            }
            row |= {"CreatedDate": stamp, "CreatedById": who.user_id}
            self._save(sobject, None, row, who, stamp)
            return str(row["Id"])

    def update(
        self, record_id: str, values: Mapping[str, Any], actor: Actor | None = None, at: datetime | None = None
    ) -> None:
        """Change a record. Raises as :meth:`insert`."""
        who = actor or self.admin
        with self.atomic():
            old = self.known(record_id)
            sobject = self.schema.objects[self.schema.by_id(old["Id"]) or ""]
            given = self._given(sobject, values, who, new=False)
            self._save(sobject, old, {**old, **given}, who, at or self.now())

    def known(self, record_id: Any) -> Row:
        """A live record, or the vendor's reason why there is none."""
        full = normal_id(record_id)
        if full is None:
            raise RecordError("MALFORMED_ID", f"malformed id {record_id}", ["Id"])
        row = self.find(full)
        if row is None:
            raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row.get("IsDeleted"):
            raise RecordError("ENTITY_IS_DELETED", "entity is deleted")
        return row

    def read_values(self, sobject: SObject, values: Mapping[str, Any], who: Actor) -> dict[str, Any]:
        """The stored forms of a body's fields. Raises ApiError: such a body is refused as a whole."""
        given: dict[str, Any] = {}
        for name, value in values.items():
            if name == "attributes":
                continue
            wanted = sobject.find(name)
            if wanted is None or not self.may_read(who, sobject, wanted):
                raise invalid_field(f"No such column '{name}' on sobject of type {sobject.name}")
            given[wanted.name] = from_json(wanted, value)
        return given

    def _given(self, sobject: SObject, values: Mapping[str, Any], who: Actor, *, new: bool) -> dict[str, Any]:
        given = self.read_values(sobject, values, who)
        rules.check_writable(self, sobject, given, who, new=new)
        return given

    def _save(self, sobject: SObject, old: Row | None, row: dict[str, Any], who: Actor, stamp: datetime) -> None:
        rules.normalise_ids(sobject, row)
        derive.defaults(self, sobject.name, old, row, who)
        rules.check_row(self, sobject, old, row)
        derive.derived(self, sobject.name, old, row, stamp)
        rules.check_rules(self, sobject, row)
        rules.check_unique(self, sobject, row)
        rules.check_locks(self, row)
        for name, value in derive.stamps(sobject, who, stamp).items():
            row[name] = value
        self.put(sobject.name, row)
        self._veil(row["Id"], old, who)
        self._changes.append(Change(sobject.name, old, row, who))
        if old is None:
            self.batch.add(row["Id"])
        derive.follow_up(self, sobject.name, old, row, who, stamp)

    def _veil(self, key: str, old: Row | None, who: Actor) -> None:
        if who.api or not self.settings.late_visibility:
            self._veils.pop(key, None)
            return
        until = self.clock.now() + timedelta(seconds=self.settings.late_visibility)
        self._veils.setdefault(key, []).append((until, old))

    # --- the recycle bin --------------------------------------------------------------------------------------------

    def delete(self, record_id: str, actor: Actor | None = None, at: datetime | None = None) -> None:
        """Move a record and what hangs on it to the recycle bin. Raises RecordError."""
        who = actor or self.admin
        with self.atomic():
            row = self.known(record_id)
            rules.check_locks(self, row)
            self._bin(row, who, at or self.now(), deleted=True)

    def undelete(self, record_id: str, actor: Actor | None = None) -> None:
        """Take a record, and what went with it, out of the recycle bin."""
        row = self.find(record_id)
        if row is None or not row.get("IsDeleted"):
            raise RecordError("UNDELETE_FAILED", "Entity is not in the recycle bin")
        with self.atomic():
            self._bin(row, actor or self.admin, self.now(), deleted=False)

    def _bin(self, row: Row, who: Actor, stamp: datetime, *, deleted: bool) -> None:
        name = self.schema.by_id(row["Id"]) or ""
        sobject = self.schema.objects[name]
        if sobject.find("IsDeleted") is None:
            self.drop(name, row["Id"])
            return
        new = {**row, "IsDeleted": deleted, **derive.stamps(sobject, who, stamp)}
        self.put(name, new)
        self._veil(row["Id"], row, who)
        self._changes.append(Change(name, row, new, who))
        for child, key in CASCADE.get(name, ()):
            for each in list(self.tables[child].values()):
                if each.get(key) == row["Id"] and bool(each.get("IsDeleted")) is not deleted:
                    self._bin(each, who, stamp, deleted=deleted)

    def purge(self, record_id: str) -> None:
        """Empty the recycle bin of one record: it is gone for good."""
        row = self.find(record_id)
        if row is None or not row.get("IsDeleted"):
            raise RecordError("UNDELETE_FAILED", "Entity is not in the recycle bin")
        with self.atomic():
            self.drop(self.schema.by_id(row["Id"]) or "", row["Id"])

    def merge(self, master_id: str, losers: Iterable[str], actor: Actor | None = None) -> None:
        """Merge accounts or contacts: what hangs on the losers moves to the master, and they go to the recycle bin."""
        who = actor or self.admin
        with self.atomic():
            master = self.known(master_id)
            for loser_id in losers:
                loser = self.known(loser_id)
                self._hand_over(loser["Id"], master["Id"], who)
                name = self.schema.by_id(loser["Id"]) or ""
                stamps = derive.stamps(self.schema.objects[name], who, self.now())
                gone = {**loser, "IsDeleted": True, "MasterRecordId": master["Id"], **stamps}
                self.put(name, gone)
                self._changes.append(Change(name, loser, gone, who))

    def _hand_over(self, loser: str, master: str, who: Actor) -> None:
        for name, sobject in self.schema.objects.items():
            keys = [each.name for each in sobject.fields.values() if each.type == "reference"]
            for row in list(self.tables[name].values()):
                moved = {key: master for key in keys if row.get(key) == loser}
                if moved:
                    new = {**row, **moved, **derive.stamps(sobject, who, self.now())}
                    self.put(name, new)
                    self._changes.append(Change(name, row, new, who))
