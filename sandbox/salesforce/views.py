"""What people see of the organisation in the pages."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import nh3
from markupsafe import Markup

from sandbox.kit import Clock, Ledger
from sandbox.pages import (
    BoardView,
    CardView,
    Choice,
    ColumnView,
    FieldView,
    Kind,
    LinkView,
    NoteView,
    PersonView,
    RecordView,
    TaskView,
)
from sandbox.salesforce.errors import ApiError, RecordError
from sandbox.salesforce.messages import Messages
from sandbox.salesforce.schema import Field
from sandbox.salesforce.values import Row

if TYPE_CHECKING:
    from sandbox.salesforce.org import SalesforceSandbox

OBJECT_OF: dict[str, str] = {"deals": "Opportunity", "companies": "Account", "contacts": "Contact"}
_SHOWN = {
    "Opportunity": ("Amount", "CloseDate", "Type", "LastStageChangeDate", "NextStep", "Description"),
    "Account": ("Website", "Industry", "BillingCountry", "Phone"),
    "Contact": ("Title", "Email", "Phone", "HasOptedOutOfEmail"),
}
_TEXTS = ("string", "email", "double", "int")
_EDITS = {"date": "date", "picklist": "choice", "boolean": "check", **dict.fromkeys(_TEXTS, "text")}


class Views:
    """The pages' view of one sandbox; see :class:`sandbox.pages.PageSource`."""

    vendor = "Salesforce"

    def __init__(self, sandbox: SalesforceSandbox) -> None:
        self._sandbox, self._world = sandbox, sandbox.world
        self.clock: Clock = sandbox.clock
        self.ledger: Ledger = sandbox.ledger
        self.account = sandbox.world.org_id

    @property
    def hooks(self) -> Messages:
        """Deliveries of outbound messages."""
        return self._sandbox.hooks

    # --- reading ----------------------------------------------------------------------------------------------------

    def board(self) -> Sequence[BoardView]:
        """Live opportunities by record type and stage."""
        with self._world.lock:
            kinds: list[tuple[str | None, str]] = [
                (row["Id"], row["Name"])
                for row in self._world.rows("RecordType")
                if row["SobjectType"] == "Opportunity"
            ]
            deals = [row for row in self._world.tables["Opportunity"].values() if not row["IsDeleted"]]
            tasks = self._open_tasks()
            plain = [row for row in deals if not row.get("RecordTypeId")]
            boards = [(label, [row for row in deals if row.get("RecordTypeId") == key]) for key, label in kinds]
            boards += [("Opportunities", plain)] if plain or not boards else []
            return [self._board(label, rows, tasks) for label, rows in boards]

    def _board(self, label: str, rows: Sequence[Row], tasks: Mapping[str, int]) -> BoardView:
        used = {row["StageName"] for row in rows}
        columns = []
        for stage in self._stages():
            name = stage["ApiName"]
            early = not stage["IsClosed"] and name != "Negotiation/Review"
            if early and name not in used:
                continue
            tone = "won" if stage["IsWon"] else "lost" if stage["IsClosed"] else ""
            cards = [self._card(row, tasks.get(row["Id"], 0)) for row in rows if row["StageName"] == name]
            columns.append(ColumnView(stage["MasterLabel"], tone, cards))  # type: ignore[arg-type]
        return BoardView(label, columns)

    def _card(self, row: Row, tasks: int) -> CardView:
        amount = "" if row.get("Amount") is None else f"{row['Amount']:,.0f}"
        open_tasks = f"{tasks} open task{'s' if tasks != 1 else ''}" if tasks else ""
        company = self._name(row.get("AccountId"))
        return CardView(row["Id"], row["Name"], company, amount, self._name(row.get("OwnerId")), open_tasks)

    def record(self, kind: Kind, record_id: str) -> RecordView:
        """One opportunity, account or contact."""
        name = OBJECT_OF[kind]
        with self._world.lock:
            row = self._row(name, record_id)
            tasks = [each for each in self._tasks() if row["Id"] in (each["WhatId"], each["WhoId"])]
            stages: Sequence[Choice] = ()
            if kind == "deals":
                stages = [Choice(stage["ApiName"], stage["MasterLabel"]) for stage in self._stages()]
            return RecordView(
                kind=kind,
                id=row["Id"],
                title=row["Name"],
                subtitle=f"{self._world.schema.objects[name].label} · {row['Id']}",
                banner="In the recycle bin." if row["IsDeleted"] else "",
                fields=self._fields(name, row),
                groups=self._groups(kind, row),
                tasks=[self._task(each) for each in tasks],
                notes=self._notes(row["Id"]),
                files=self._files(row["Id"]),
                stage=row.get("StageName", ""),
                stages=stages,
            )

    def all_tasks(self) -> Sequence[TaskView]:
        """All live tasks, open ones first, by due date."""
        with self._world.lock:
            return [self._task(row, deal=True) for row in self._tasks()]

    def people(self) -> Sequence[PersonView]:
        """All users."""
        return [
            PersonView(row["Id"], row["Name"], row["Email"], row["IsActive"], row["TimeZoneSidKey"])
            for row in self._world.tables["User"].values()
        ]

    def file(self, file_id: str) -> tuple[str, str, bytes]:
        """Name, media type and content of a file version."""
        row = self._row("ContentVersion", file_id)
        kind = mimetypes.guess_type(row["PathOnClient"])[0] or "application/octet-stream"
        return row["PathOnClient"], kind, base64.b64decode(row.get("VersionData") or "")

    # --- acting as a person -----------------------------------------------------------------------------------------

    def set_stage(self, deal_id: str, stage: str) -> None:
        """Move an opportunity."""
        self._sandbox.set_stage(deal_id, stage)

    def set_done(self, task_id: str, done: bool) -> None:
        """Complete or reopen a task."""
        row = self._row("Task", task_id)
        self._save(row["Id"], {"Status": "Completed" if done else "Not Started"})

    def set_fields(self, kind: Kind, record_id: str, values: Mapping[str, str]) -> None:
        """Change fields that the page offers; it saves those whose value is another one now."""
        row = self._row(OBJECT_OF[kind], record_id)
        known = {each.name: each for each in self._fields(OBJECT_OF[kind], row) if each.edit}
        changed = {name: value for name, value in values.items() if name in known and known[name].raw != value}
        self._save(row["Id"], {name: v == "true" if known[name].edit == "check" else v for name, v in changed.items()})

    def _save(self, record_id: str, values: Mapping[str, Any]) -> None:
        try:
            self._world.update(record_id, values)
        except (RecordError, ApiError) as error:
            raise ValueError(error.message) from error

    # --- pieces -----------------------------------------------------------------------------------------------------

    def _row(self, name: str, record_id: str) -> Row:
        row = self._world.find(record_id)
        if row is None or self._world.schema.by_id(row["Id"]) != name:
            raise KeyError(f"{name} {record_id}")
        return row

    def _stages(self) -> list[Row]:
        rows = [row for row in self._world.tables["OpportunityStage"].values() if row["IsActive"]]
        return sorted(rows, key=lambda row: (row["IsClosed"], row["SortOrder"]))

    def _name(self, record_id: str | None) -> str:
        row = self._world.find(record_id) if record_id else None
        if row is None:
            return ""
        gone = " (inactive)" if row["Id"].startswith("005") and not row["IsActive"] else ""
        return f"{row.get('Name') or ''}{gone}"

    def _fields(self, name: str, row: Row) -> list[FieldView]:
        fields = self._world.schema.objects[name].fields
        shown = [fields[each.lower()] for each in _SHOWN[name]]
        shown += [each for each in fields.values() if each.custom]
        first = FieldView("Owner", "OwnerId", self._name(row.get("OwnerId")))
        ticked = self._ticked(name)
        return [first, *(self._field(each, row.get(each.name), each.name in ticked) for each in shown)]

    def _ticked(self, name: str) -> set[str]:
        """Custom check boxes that a permission set lets people change: the person at the screen was given it."""
        rows = self._world.tables["FieldPermissions"].values()
        granted = {row["Field"] for row in rows if row["PermissionsEdit"]}
        fields = self._world.schema.objects[name].fields.values()
        return {each.name for each in fields if each.type == "boolean" and f"{name}.{each.name}" in granted}

    def _field(self, field: Field, value: Any, granted: bool) -> FieldView:
        raw = "" if value is None else value.isoformat() if type(value) is date else str(value)
        edit: Any = _EDITS.get(field.type, "") if field.updateable and (field.by_profile or granted) else ""
        raw = raw.lower() or "false" if edit == "check" else raw
        choices = [Choice(each.value, each.label) for each in field.values if each.active]
        return FieldView(field.label, field.name, _plain(value), raw, edit, choices)

    def _groups(self, kind: Kind, row: Row) -> list[tuple[str, Sequence[LinkView]]]:
        tables = self._world.tables

        def links(name: str, of: Kind, test: Callable[[Row], bool], note: Callable[[Row], str]) -> list[LinkView]:
            found = [each for each in tables[name].values() if test(each) and not each["IsDeleted"]]
            return [LinkView(each["Name"], f"/{of}/{each['Id']}", note(each)) for each in found]

        if kind == "deals":
            company = self._world.find(row["AccountId"]) if row.get("AccountId") else None
            top = [LinkView(company["Name"], f"/companies/{company['Id']}")] if company else []
            return [("Account", top), ("Contact roles", self._roles(row["Id"]))]
        if kind == "companies":
            mine: Callable[[Row], bool] = lambda each: each.get("AccountId") == row["Id"]  # noqa: E731
            return [
                ("Opportunities", links("Opportunity", "deals", mine, lambda each: str(each["StageName"]))),
                ("Contacts", links("Contact", "contacts", mine, lambda each: each.get("Title") or "")),
            ]
        deals = {
            each["OpportunityId"]
            for each in tables["OpportunityContactRole"].values()
            if each["ContactId"] == row["Id"] and not each["IsDeleted"]
        }
        company = self._world.find(row["AccountId"]) if row.get("AccountId") else None
        return [
            ("Account", [LinkView(company["Name"], f"/companies/{company['Id']}")] if company else []),
            (
                "Opportunities",
                links("Opportunity", "deals", lambda each: each["Id"] in deals, lambda each: str(each["StageName"])),
            ),
        ]

    def _roles(self, deal_id: str) -> list[LinkView]:
        roles = [
            each
            for each in self._world.tables["OpportunityContactRole"].values()
            if each["OpportunityId"] == deal_id and not each["IsDeleted"]
        ]
        return [
            LinkView(
                self._name(each["ContactId"]),
                f"/contacts/{each['ContactId']}",
                ", ".join(part for part in (each.get("Role"), "primary" if each["IsPrimary"] else "") if part),
            )
            for each in roles
        ]

    def _documents(self, record_id: str) -> set[str]:
        return {
            each["ContentDocumentId"]
            for each in self._world.tables["ContentDocumentLink"].values()
            if each["LinkedEntityId"] == record_id and not each["IsDeleted"]
        }

    def _notes(self, record_id: str) -> list[NoteView]:
        """Notes, with the formatting that the vendor's editor keeps."""
        documents = self._documents(record_id)
        return [
            NoteView(
                at=_plain(each["CreatedDate"]),
                body=Markup(nh3.clean(base64.b64decode(each["Content"] or "").decode())),  # noqa: S704 - cleaned
                title=each["Title"],
                by=self._name(each["OwnerId"]),
            )
            for each in self._world.tables["ContentNote"].values()
            if each["Id"] in documents and not each["IsDeleted"]
        ]

    def _files(self, record_id: str) -> list[LinkView]:
        documents = self._documents(record_id)
        return [
            LinkView(each["Title"], f"/download/{each['Id']}", f"{each['ContentSize']} bytes")
            for each in self._world.tables["ContentVersion"].values()
            if each["ContentDocumentId"] in documents and each["IsLatest"] and each["FileType"] != "SNOTE"
        ]

    def _tasks(self) -> list[Row]:
        rows = [row for row in self._world.tables["Task"].values() if not row["IsDeleted"]]
        return sorted(rows, key=lambda row: (row["IsClosed"], row.get("ActivityDate") or date.max, row["Id"]))

    def _open_tasks(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in self._tasks():
            if row.get("WhatId") and not row["IsClosed"]:
                counts[row["WhatId"]] = counts.get(row["WhatId"], 0) + 1
        return counts

    def _task(self, row: Row, *, deal: bool = False) -> TaskView:
        due = row.get("ActivityDate")
        links = []
        if deal and row.get("WhatId"):
            kind = "companies" if row["WhatId"].startswith("001") else "deals"
            links.append(LinkView(self._name(row["WhatId"]), f"/{kind}/{row['WhatId']}"))
        if row.get("WhoId"):
            links.append(LinkView(self._name(row["WhoId"]), f"/contacts/{row['WhoId']}"))
        return TaskView(
            id=row["Id"],
            subject=row.get("Subject") or "(no subject)",
            owner=self._name(row["OwnerId"]),
            due=f"due {due.strftime('%d %b %Y')}" if due else "no due date",
            status=row.get("Status") or "",
            done=row["IsClosed"],
            overdue=bool(due and due < self.clock.now().date() and not row["IsClosed"]),
            priority="" if row.get("Priority") == "Normal" else row.get("Priority") or "",
            type=row.get("Type") or "",
            body=row.get("Description") or "",
            links=links,
        )


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%d %b %Y, %H:%M UTC")
    if isinstance(value, date):
        return value.strftime("%d %b %Y")
    return f"{value:,.0f}" if isinstance(value, float) and value == int(value) else str(value)
