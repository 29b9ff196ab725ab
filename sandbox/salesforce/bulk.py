"""Many records in one request: sObject collections and composite."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.salesforce.api import Answer, Api, Call
from sandbox.salesforce.errors import ApiError, RecordError
from sandbox.salesforce.ids import normal_id

MAX_RECORDS = 200
MAX_CHUNKS = 10
MAX_RETRIEVED = 2000
MAX_PARTS = 25
MAX_HEAVY_PARTS = 5
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_ROLLED_BACK = RecordError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)


class _Undo(Exception):
    """Leaves a transaction so that it is rolled back, keeping what is to be answered."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("rolled back")
        self.answer = answer


class Collections:
    """``/composite/sobjects``: up to 200 records, each with its own fate unless ``allOrNone``."""

    def __init__(self, api: Api) -> None:
        self.api, self.world = api, api.world
        add = api.router.add
        add("POST", "/composite/sobjects", self.insert)
        add("PATCH", "/composite/sobjects", self.update)
        add("DELETE", "/composite/sobjects", self.delete)
        add("GET POST", "/composite/sobjects/<name>", self.retrieve)
        add("PATCH", "/composite/sobjects/<name>/<key>", self.upsert)

    def _records(self, call: Call) -> list[dict[str, Any]]:
        records = call.json().get("records")
        if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
            raise ApiError("JSON_PARSER_ERROR", "Cannot deserialize instance of list, 'records' is required")
        if len(records) > MAX_RECORDS:
            raise ApiError("EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MAX_RECORDS} records")
        return records

    def _types(self, records: Sequence[dict[str, Any]]) -> list[str]:
        names = []
        for record in records:
            name = (record.get("attributes") or {}).get("type")
            if not name:
                raise ApiError("INVALID_FIELD", "attributes.type is required in each record")
            names.append(self.world.schema.object(name).name)
        chunks = sum(1 for at, name in enumerate(names) if at == 0 or names[at - 1] != name)
        if chunks > MAX_CHUNKS:
            raise ApiError(
                "INVALID_OPERATION",
                f"Cannot have more than {MAX_CHUNKS} chunks in a single operation. Please rearrange the data to reduce"
                " chunking.",
            )
        return names

    def _carry_out(self, call: Call, jobs: Sequence[Callable[[], dict[str, Any]]], all_or_none: bool) -> Answer:
        """Do each job in a transaction of its own, or all in one."""
        strict = all_or_none or call.all_or_none
        try:
            with self.world.atomic():
                items = [self._one(job) for job in jobs]
                answer = Answer(200, items, records=len(items))
                if strict and not all(item["success"] for item in items):
                    answer.body = [_ROLLED_BACK.item() if item["success"] else item for item in items]
                    raise _Undo(answer)
                return answer
        except _Undo as undo:
            return undo.answer

    def _one(self, job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            with self.world.atomic():
                return job()
        except RecordError as error:
            return error.item()

    def _check_bodies(self, call: Call, names: Sequence[str], records: Sequence[dict[str, Any]]) -> None:
        """What cannot be read refuses the whole request, before anything is done."""
        for name, record in zip(names, records, strict=True):
            sobject = self.world.schema.objects[name]
            self.world.read_values(sobject, {k: v for k, v in record.items() if k.lower() != "id"}, call.actor)

    def insert(self, call: Call) -> Answer:
        """Create records."""
        records = self._records(call)
        names = self._types(records)
        self._check_bodies(call, names, records)

        def job(name: str, record: dict[str, Any]) -> dict[str, Any]:
            return {"id": self.world.insert(name, record, call.actor), "success": True, "errors": []}

        jobs = [lambda n=name, r=record: job(n, r) for name, record in zip(names, records, strict=True)]
        return self._carry_out(call, jobs, bool(call.json().get("allOrNone")))

    def update(self, call: Call) -> Answer:
        """Change records by ``id``."""
        records = self._records(call)
        names = self._types(records)
        self._check_bodies(call, names, records)

        def job(name: str, record: dict[str, Any]) -> dict[str, Any]:
            given = {key.lower(): value for key, value in record.items()}.get("id")
            if not given:
                raise RecordError("MISSING_ARGUMENT", "Id not specified in an update call")
            full = normal_id(given)
            if full is None or self.world.schema.by_id(full) != name:
                raise RecordError("MALFORMED_ID", f"{name} ID: id value of incorrect type: {given}", ["Id"])
            self.world.update(full, {k: v for k, v in record.items() if k.lower() != "id"}, call.actor)
            return {"id": full, "success": True, "errors": []}

        jobs = [lambda n=name, r=record: job(n, r) for name, record in zip(names, records, strict=True)]
        return self._carry_out(call, jobs, bool(call.json().get("allOrNone")))

    def delete(self, call: Call) -> Answer:
        """Delete the records in ``ids``."""
        ids = [each.strip() for each in call.args.get("ids", "").split(",") if each.strip()]
        if not ids:
            raise ApiError("MISSING_ARGUMENT", "The ids parameter is required")
        if len(ids) > MAX_RECORDS:
            raise ApiError("EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MAX_RECORDS} records")

        def job(each: str) -> dict[str, Any]:
            self.world.delete(each, call.actor)
            return {"id": normal_id(each), "success": True, "errors": []}

        jobs = [lambda each=each: job(each) for each in ids]
        return self._carry_out(call, jobs, call.args.get("allOrNone", "false").lower() == "true")

    def retrieve(self, call: Call, name: str) -> Answer:
        """Many records of one object by id, in order; null for those that are not there."""
        sobject = self.api.object(name)
        asked = call.json() if call.method == "POST" else {key: call.args.get(key, "").split(",") for key in _RETRIEVE}
        ids, fields = asked.get("ids") or [], asked.get("fields") or []
        if not ids or not fields:
            raise ApiError("MISSING_ARGUMENT", "ids and fields are required")
        if len(ids) > MAX_RETRIEVED:
            raise ApiError(
                "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MAX_RETRIEVED} records"
            )
        wanted, reader = self.api.fields_asked(call, sobject, fields), self.api.reader(call)
        found = [self.world.tables[sobject.name].get(normal_id(each) or "") for each in ids]
        body = [
            None if row is None or row.get("IsDeleted") else self.api.record(reader, sobject, row, wanted)
            for row in found
        ]
        return Answer(200, body, records=len(body))

    def upsert(self, call: Call, name: str, key: str) -> Answer:
        """Create or change records of one object by an external id."""
        sobject = self.api.object(name)
        field = self.api.external(call, sobject, key)
        records = self._records(call)
        if any(each != sobject.name for each in self._types(records)):
            raise ApiError("INVALID_FIELD", "all records must be of the type in the address")
        self._check_bodies(call, [sobject.name] * len(records), records)
        seen: list[Any] = []

        def job(record: dict[str, Any]) -> dict[str, Any]:
            value = next((v for k, v in record.items() if k.lower() == field.name.lower()), None)
            if not value:
                raise RecordError("MISSING_ARGUMENT", f"{field.name} not specified")
            if value in seen:
                raise RecordError("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", [field.name])
            seen.append(value)
            rows = self.api.matches(sobject, field, value)
            if len(rows) > 1:
                raise RecordError("DUPLICATE_EXTERNAL_ID", f"{field.name}: more than one record found", [field.name])
            if rows:
                self.world.update(rows[0]["Id"], record, call.actor)
                return {"id": rows[0]["Id"], "success": True, "errors": [], "created": False}
            return {
                "id": self.world.insert(sobject.name, record, call.actor),
                "success": True,
                "errors": [],
                "created": True,
            }

        jobs = [lambda each=each: job(each) for each in records]
        return self._carry_out(call, jobs, bool(call.json().get("allOrNone")))


_RETRIEVE = ("ids", "fields")


class Composite:
    """``/composite``: up to 25 requests in one, later ones may refer to answers of earlier ones."""

    def __init__(self, api: Api) -> None:
        self.api, self.world = api, api.world
        api.router.add("POST", "/composite", self.run)

    def run(self, call: Call) -> Answer:
        """Carry out the parts in order."""
        parts = self._parts(call)
        strict = bool(call.json().get("allOrNone"))
        try:
            with self.world.atomic():
                results = self._all(call, parts, strict)
                answer = Answer(200, {"compositeResponse": results}, records=sum(r.pop("_records") for r in results))
                if strict and any(each["httpStatusCode"] >= 400 for each in results):
                    raise _Undo(answer)
                return answer
        except _Undo as undo:
            for each in undo.answer.body["compositeResponse"]:
                if each["httpStatusCode"] < 400:
                    each |= {"body": [_HALTED], "httpStatusCode": 400, "httpHeaders": {}}
            return undo.answer

    def _parts(self, call: Call) -> list[dict[str, Any]]:
        parts = call.json().get("compositeRequest")
        if not isinstance(parts, list) or not parts:
            raise ApiError("JSON_PARSER_ERROR", "compositeRequest is required and must be a list of subrequests")
        if len(parts) > MAX_PARTS:
            raise ApiError("LIMIT_EXCEEDED", f"The request can't contain more than {MAX_PARTS} subrequests.")
        heavy = sum(1 for part in parts if re.search(r"/(composite/sobjects|query(All)?)\b", str(part.get("url"))))
        if heavy > MAX_HEAVY_PARTS:
            raise ApiError(
                "LIMIT_EXCEEDED",
                f"The request can't contain more than {MAX_HEAVY_PARTS} sObject Collections or query subrequests.",
            )
        names = [part.get("referenceId") for part in parts]
        for name in names:
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*", name):
                raise ApiError("INVALID_FIELD", f"Invalid referenceId: {name}")
            if names.count(name) > 1:
                raise ApiError("DUPLICATE_VALUE", f"Duplicate referenceId: {name}")
        return parts

    def _all(self, call: Call, parts: list[dict[str, Any]], strict: bool) -> list[dict[str, Any]]:
        done: dict[str, Any] = {}
        results: list[dict[str, Any]] = []
        for part in parts:
            if strict and any(each["httpStatusCode"] >= 400 for each in results):
                answer = Answer(400, [_HALTED])
            else:
                answer = self._part(call, part, done, strict)
            name = part["referenceId"]
            done[name] = answer
            headers = dict(answer.headers)
            if answer.status == 201:
                headers["Location"] = f"{part['url']}/{answer.body['id']}"
            results.append(
                {
                    "body": answer.body,
                    "httpHeaders": headers,
                    "httpStatusCode": answer.status,
                    "referenceId": name,
                    "_records": answer.records,
                }
            )
        return results

    def _part(self, call: Call, part: dict[str, Any], done: dict[str, Answer], strict: bool) -> Answer:
        try:
            url = _resolve(str(part.get("url", "")), done)
            body = json.loads(_resolve(json.dumps(part.get("body")), done))
        except ApiError as error:
            return Answer(error.status, error.body())
        split = urlsplit(url)
        if not split.path.startswith("/services/data/v"):
            return Answer(404, ApiError("NOT_FOUND", "The requested resource does not exist").body())
        pieces = split.path.split("/", 4)
        inner = Call(
            method=str(part.get("method", "GET")).upper(),
            path="/" + unquote(pieces[4] if len(pieces) > 4 else ""),
            args=dict(parse_qsl(split.query, keep_blank_values=True)),
            headers=part.get("httpHeaders") or {},
            actor=call.actor,
            base="/".join(pieces[:4]),
            body=body,
            all_or_none=strict,
        )
        if inner.path.rstrip("/") == "/composite" or inner.path.startswith("/metadata"):
            return Answer(400, ApiError("INVALID_OPERATION", "This resource can't be used in a subrequest").body())
        answer = self.api.handle(inner)
        failed = isinstance(answer.body, list) and any(
            isinstance(each, dict) and each.get("success") is False for each in answer.body
        )
        if strict and failed:
            answer.status = 400
        return answer


_HALTED = {
    "errorCode": "PROCESSING_HALTED",
    "message": "The transaction was rolled back since another operation in the same transaction failed.",
}


def _resolve(text: str, done: dict[str, Answer]) -> str:
    """Replace ``@{part.path}`` by what the earlier part answered."""

    def value(match: re.Match[str]) -> str:
        name, path = match.groups()
        here: Any = done[name].body if name in done and done[name].status < 400 else None
        for word, index in _STEP.findall(path):
            try:
                here = here[word] if word else here[int(index)]
            except (KeyError, IndexError, TypeError):
                here = None
        if not isinstance(here, str | int | float) or isinstance(here, bool):
            raise ApiError(
                "PROCESSING_HALTED", f"Invalid reference specified. No value for {match[0][2:-1]} found in {name}."
            )
        return json.dumps(str(here))[1:-1]

    return _REFERENCE.sub(value, text)
