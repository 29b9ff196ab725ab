"""The REST API below ``/services/data/vXX.X``: one request in, one answer out, whoever carries it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from sandbox.salesforce import soql
from sandbox.salesforce.errors import ApiError, RecordError, malformed_query
from sandbox.salesforce.ids import normal_id
from sandbox.salesforce.query import Child, Reader
from sandbox.salesforce.schema import Field, SObject
from sandbox.salesforce.values import Row
from sandbox.salesforce.world import Actor, World

VERSIONS = range(31, 69)
LOCATOR_LIFE = timedelta(days=2)


@dataclass
class Call:
    """One request, as it came or as a part of a composite one. ``base``: ``/services/data/v66.0``."""

    method: str
    path: str
    args: Mapping[str, str]
    headers: Mapping[str, str]
    actor: Actor
    base: str
    body: Any = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    all_or_none: bool = False

    def json(self) -> dict[str, Any]:
        """The body as an object. Raises JSON_PARSER_ERROR."""
        if not isinstance(self.body, dict):
            raise ApiError(
                "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body."
            )
        return self.body


@dataclass
class Answer:
    """What is sent back. ``body`` JSON-able, bytes, or None for nothing. ``records``: how many it was about."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    records: int = 0


@dataclass
class Locator:
    """The rest of a long answer, kept for the client that comes back for it."""

    records: list[Any]
    size: int
    rows_per_page: int
    expires: datetime


Handler = Callable[..., Answer]


@lru_cache(maxsize=4)
def _compiled(rules: tuple[tuple[str, str], ...]) -> Map:
    """The map of these rules; compiling takes a while, and all organisations of a process have the same."""
    made = [Rule(path, methods=methods.split(), endpoint=at) for at, (methods, path) in enumerate(rules)]
    return Map(made, strict_slashes=False)


class Router:
    """Paths to handlers. Raises the vendor's NOT_FOUND and METHOD_NOT_ALLOWED."""

    def __init__(self) -> None:
        self._rules: tuple[tuple[str, str], ...] = ()
        self._handlers: list[Handler] = []

    def add(self, methods: str, path: str, handler: Handler) -> None:
        """Send requests for ``path`` with one of these methods to ``handler(call, **parts)``."""
        self._rules += ((methods, path),)
        self._handlers.append(handler)

    def dispatch(self, call: Call) -> Answer:
        """Find the handler and ask it."""
        try:
            at, parts = _compiled(self._rules).bind("").match(call.path.rstrip("/") or "/", call.method)
        except MethodNotAllowed as error:
            allowed = ",".join(sorted(error.valid_methods or ()))
            raise ApiError(
                "METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}"
            ) from None
        except NotFound:
            raise ApiError("NOT_FOUND", "The requested resource does not exist") from None
        handler = self._handlers[int(at)]
        return handler(call, **parts)


class Api:
    """Single records, queries, describes and limits. Collections, composite and metadata add their routes."""

    def __init__(self, world: World, usage: Callable[[], tuple[int, int]]) -> None:
        self.world = world
        self.router = Router()
        self._usage = usage
        self._locators: dict[str, Locator] = {}
        add = self.router.add
        add("GET", "/limits", self.limits)
        add("GET", "/query", self.query)
        add("GET", "/queryAll", self.query)
        add("GET", "/tooling/query", self.query)
        add("GET", "/query/<locator>", self.more)
        add("GET", "/queryAll/<locator>", self.more)
        add("GET", "/sobjects", self.all_objects)
        add("GET", "/sobjects/<name>", self.about)
        add("POST", "/sobjects/<name>", self.create)
        add("GET", "/sobjects/<name>/describe", self.describe)
        add("GET", "/sobjects/<name>/<key>", self.read)
        add("PATCH", "/sobjects/<name>/<key>", self.change)
        add("DELETE", "/sobjects/<name>/<key>", self.remove)
        add("GET", "/sobjects/<name>/<key>/<any(VersionData, Content):blob>", self.content)
        add("GET", "/sobjects/<name>/<field_name>/<path:value>", self.read_by_key)
        add("PATCH", "/sobjects/<name>/<field_name>/<path:value>", self.upsert)

    def handle(self, call: Call) -> Answer:
        """Answer one request; what goes wrong becomes an answer too, with nothing left behind."""
        try:
            with self.world.atomic():
                self.world.batch = set()
                return self.router.dispatch(call)
        except RecordError as error:
            refusal = error.as_api_error()
        except ApiError as error:
            refusal = error
        return Answer(refusal.status, refusal.body())

    # --- queries ----------------------------------------------------------------------------------------------------

    def reader(self, call: Call) -> Reader:
        """A reader for the user who asks."""
        deleted, tooling = call.path.startswith("/queryAll"), call.path.startswith("/tooling")
        return Reader(self.world, call.actor, deleted=deleted, tooling=tooling, base=call.base)

    def query(self, call: Call) -> Answer:
        """Run a SELECT and answer its first page."""
        text = call.args.get("q")
        if text is None:
            raise malformed_query("A query string has to be specified")
        result = self.reader(call).run(soql.parse_query(text.strip()))
        locator = Locator(result.records, result.size, self._rows_per_page(call), self.world.now() + LOCATOR_LIFE)
        return self._page(call, locator, 0, None)

    def more(self, call: Call, locator: str) -> Answer:
        """The next page of an earlier query."""
        name, _, start = locator.partition("-")
        kept = self._locators.get(name)
        if kept is None or not start.isdigit() or self.world.now() > kept.expires:
            raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(call, kept, int(start), name)

    def _rows_per_page(self, call: Call) -> int:
        options = call.headers.get("Sforce-Query-Options", "")
        wanted = options.partition("batchSize=")[2].split(",")[0].strip()
        asked = min(max(int(wanted), 200), 2000) if wanted.isdigit() else 2000
        return min(asked, self.world.settings.page_rows)

    def _page(self, call: Call, locator: Locator, start: int, name: str | None) -> Answer:
        end, weight = start, 0
        while end < len(locator.records) and (end == start or weight < locator.rows_per_page):
            weight += _weight(locator.records[end])
            end += 1
        records = [self._finish(call, each, locator) for each in locator.records[start:end]]
        body: dict[str, Any] = {"totalSize": locator.size, "done": end >= len(locator.records)}
        if not body["done"]:
            body["nextRecordsUrl"] = f"{call.base}/query/{name or self._keep(locator)}-{end}"
        body["records"] = records
        return Answer(200, body, records=len(records))

    def _keep(self, locator: Locator) -> str:
        name = f"01g5g00000{len(self._locators):05d}AAA"
        self._locators[name] = locator
        return name

    def _finish(self, call: Call, record: Any, parent: Locator) -> Any:
        """A record with its child rows cut into pages as well."""
        finished = dict(record)
        for name, value in record.items():
            if isinstance(value, Child):
                child = Locator(value.records, len(value.records), parent.rows_per_page, parent.expires)
                finished[name] = self._page(call, child, 0, None).body
        return finished

    # --- single records ---------------------------------------------------------------------------------------------

    def object(self, name: str) -> SObject:
        """The object that an address names. Raises NOT_FOUND."""
        try:
            return self.world.schema.object(name)
        except ApiError:
            raise ApiError("NOT_FOUND", "The requested resource does not exist") from None

    def row(self, sobject: SObject, key: str) -> Row:
        """The live record that an address names. Raises NOT_FOUND or ENTITY_IS_DELETED, both 404."""
        full = normal_id(key)
        if full is None:
            raise ApiError(
                "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {key}", status=404
            )
        row = self.world.tables[sobject.name].get(full)
        if row is None:
            raise ApiError("NOT_FOUND", "The requested resource does not exist")
        if row.get("IsDeleted"):
            raise ApiError("ENTITY_IS_DELETED", "entity is deleted", status=404, fields=[])
        return row

    def create(self, call: Call, name: str) -> Answer:
        """Insert one record: 201."""
        made = self.world.insert(self.object(name).name, call.json(), call.actor)
        return Answer(201, {"id": made, "success": True, "errors": []}, records=1)

    def read(self, call: Call, name: str, key: str) -> Answer:
        """One record, all fields that the user sees or those in ``fields``."""
        sobject = self.object(name)
        return self._shown(call, sobject, self.row(sobject, key))

    def _shown(self, call: Call, sobject: SObject, row: Row) -> Answer:
        reader = self.reader(call)
        fields = self.fields_asked(call, sobject, call.args.get("fields", "").split(","))
        return Answer(200, self.record(reader, sobject, row, fields), records=1)

    def fields_asked(self, call: Call, sobject: SObject, names: Iterable[str]) -> list[Field]:
        """The fields of these names, or all that the user sees when there are none. Raises INVALID_FIELD."""
        reader = self.reader(call)
        wanted = [reader.field(sobject, name.strip()) for name in names if name.strip()]
        return wanted or [each for each in sobject.fields.values() if self.world.may_read(call.actor, sobject, each)]

    def record(self, reader: Reader, sobject: SObject, row: Row, fields: Iterable[Field]) -> dict[str, Any]:
        """A record with these fields."""
        values = {each.name: reader.shown(row, sobject, each) for each in fields}
        return {**reader.shell(sobject.name, row), "Id": row["Id"], **values}

    def change(self, call: Call, name: str, key: str) -> Answer:
        """Update one record: 204."""
        body = call.json()
        if any(each.lower() == "id" for each in body):
            raise ApiError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
        self.world.update(self.row(self.object(name), key)["Id"], body, call.actor)
        return Answer(204, records=1)

    def remove(self, call: Call, name: str, key: str) -> Answer:
        """Delete one record: 204."""
        self.world.delete(self.row(self.object(name), key)["Id"], call.actor)
        return Answer(204, records=1)

    def content(self, call: Call, name: str, key: str, blob: str) -> Answer:
        """A file's or a note's bytes."""
        sobject = self.object(name)
        if sobject.find(blob) is None:
            raise ApiError("NOT_FOUND", "The requested resource does not exist")
        data = base64.b64decode(self.row(sobject, key)[blob] or "")
        return Answer(200, data, {"Content-Type": "application/octet-stream"}, records=1)

    # --- by external id ---------------------------------------------------------------------------------------------

    def external(self, call: Call, sobject: SObject, name: str) -> Field:
        """An external id field that the user sees. Raises NOT_FOUND."""
        found = sobject.find(name)
        usable = found is not None and (found.external_id or found.type == "id" or found.name == "Email")
        if found is None or not usable or not self.world.may_read(call.actor, sobject, found):
            raise ApiError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}")
        return found

    def matches(self, sobject: SObject, key: Field, value: str) -> list[Row]:
        """Live records with this external id."""
        condition = soql.Compare(soql.Path((key.name,)), "=", soql.Literal(value, value))
        test = Reader(self.world, self.world.admin).predicate(sobject, condition)
        return [row for row in self.world.tables[sobject.name].values() if test(row) and not row.get("IsDeleted")]

    def _one(self, call: Call, sobject: SObject, key: Field, value: str) -> Row | Answer | None:
        rows = self.matches(sobject, key, value)
        if len(rows) > 1:
            return Answer(300, [f"{call.base}/sobjects/{sobject.name}/{row['Id']}" for row in rows])
        return rows[0] if rows else None

    def read_by_key(self, call: Call, name: str, field_name: str, value: str) -> Answer:
        """One record by external id; 300 when several match."""
        sobject = self.object(name)
        found = self._one(call, sobject, self.external(call, sobject, field_name), value)
        if isinstance(found, Answer):
            return found
        if found is None:
            raise ApiError("NOT_FOUND", "The requested resource does not exist")
        return self._shown(call, sobject, found)

    def upsert(self, call: Call, name: str, field_name: str, value: str) -> Answer:
        """Update the record with this external id, or create it."""
        sobject = self.object(name)
        key = self.external(call, sobject, field_name)
        found = self._one(call, sobject, key, value)
        if isinstance(found, Answer):
            return found
        if found is not None:
            self.world.update(found["Id"], call.json(), call.actor)
            return Answer(200, {"id": found["Id"], "success": True, "errors": [], "created": False}, records=1)
        made = self.world.insert(sobject.name, {**call.json(), key.name: value}, call.actor)
        return Answer(201, {"id": made, "success": True, "errors": [], "created": True}, records=1)

    # --- about the organisation -------------------------------------------------------------------------------------

    def all_objects(self, call: Call) -> Answer:
        """The list of all objects."""
        objects = [each.summary(call.base) for each in self.world.schema.objects.values() if each.prefix]
        return Answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})

    def about(self, call: Call, name: str) -> Answer:
        """One object in short."""
        return Answer(200, {"objectDescribe": self.object(name).summary(call.base), "recentItems": []})

    def describe(self, call: Call, name: str) -> Answer:
        """One object with the fields that the user sees."""
        sobject = self.object(name)
        types = [
            {
                "recordTypeId": row["Id"],
                "name": row["Name"],
                "developerName": row["DeveloperName"],
                "active": row["IsActive"],
                "available": row["IsActive"],
                "master": False,
                "defaultRecordTypeMapping": False,
            }
            for row in self.world.rows("RecordType")
            if row["SobjectType"] == sobject.name
        ]
        return Answer(
            200, sobject.describe(call.base, lambda each: self.world.may_read(call.actor, sobject, each), types)
        )

    def limits(self, call: Call) -> Answer:
        """What is left of the day's calls, and of storage."""
        used, limit = self._usage()
        return Answer(
            200,
            {
                "DailyApiRequests": {"Max": limit, "Remaining": max(limit - used, 0)},
                "DataStorageMB": {"Max": 10240, "Remaining": 10200},
                "FileStorageMB": {"Max": 10240, "Remaining": 10200},
            },
        )


def _weight(record: Any) -> int:
    """How much a record counts towards a page: itself and its child rows."""
    return 1 + sum(len(value.records) for value in record.values() if isinstance(value, Child))


def encode(body: Any) -> bytes:
    """An answer's body as sent."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()
