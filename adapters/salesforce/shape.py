"""What differs from org to org: which optional fields there are, and what the org calls its task states.

Found once by describe and two small queries (six calls), then remembered as the account's state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import ValidationError

from adapters.results import DataType, FieldInfo
from adapters.salesforce.client import Client
from adapters.salesforce.mapping import (
    ANSWER_FIELDS,
    CASE_FIELD,
    COUNTERPART_FIELD,
    KEY_FIELD,
    LINK_FIELD,
    START_NOW_FIELD,
    STATUS_FIELD,
    TASK_TYPES,
    Row,
)
from workflows.records import Model, RecordKind
from workflows.writes import Priority

STATE_KEY = "shape"
DEAL_TEAM = "OpportunityTeamMembers"
COMPANY_TEAM = "AccountTeamMembers"
FALLBACK_KEY_FIELD = "CallObject"
OBJECTS = ("Opportunity", "Account", "Contact", "Task")
OPTIONAL = {
    "Opportunity": (
        *("RecordTypeId", "CurrencyIsoCode", START_NOW_FIELD, CASE_FIELD, STATUS_FIELD),
        *ANSWER_FIELDS[RecordKind.DEAL].values(),
    ),
    "Account": tuple(ANSWER_FIELDS[RecordKind.COMPANY].values()),
    "Contact": (
        *("HasOptedOutOfEmail", "EmailBouncedDate", COUNTERPART_FIELD),
        *ANSWER_FIELDS[RecordKind.CONTACT].values(),
    ),
    "Task": ("CompletedDateTime", LINK_FIELD),
}
"""Standard fields that an org may lack or hide, and our own that may not be provisioned yet."""

Describes = Mapping[str, Mapping[str, Any]]


class Shape(Model):
    """One org's peculiarities.

    ``key``: whether tasks carry our key, and whether the org keeps it unique. ``optional`` lists ``Object.Field`` of
    :data:`OPTIONAL` that are there. ``owner_history``: deals tell their former owners. ``teams`` are the relationships
    to teams that the org has.
    """

    key: Literal["unique", "plain", "missing"] = "missing"
    optional: tuple[str, ...] = ()
    owner_history: bool = False
    teams: tuple[str, ...] = ()
    task_types: tuple[str, ...] = ()
    open_status: str | None = None
    closed_status: str = "Completed"
    priorities: Mapping[Priority, str] = {}

    def has(self, name: str) -> bool:
        """Whether the org has the optional field ``Object.Field``."""
        return name in self.optional

    @property
    def key_field(self) -> str:
        """Where a task carries its key: our field, or a standard one that hardly anyone uses while ours is missing."""
        return FALLBACK_KEY_FIELD if self.key == "missing" else KEY_FIELD

    def to_state(self) -> dict[str, str]:
        """As the account's state."""
        return {STATE_KEY: self.model_dump_json()}

    @classmethod
    def of_state(cls, state: Mapping[str, str]) -> Shape | None:
        """From the account's state; None when it is not there or of another version."""
        try:
            return cls.model_validate_json(state[STATE_KEY])
        except (KeyError, ValidationError):
            return None


def describe(client: Client) -> Describes:
    """The describes of the objects that we touch, by object."""
    return {name: client.get(f"describe {name}", f"sobjects/{name}/describe") for name in OBJECTS}


_DATA = {
    **dict.fromkeys(("string", "textarea", "email", "phone", "url", "combobox"), DataType.TEXT),
    **dict.fromkeys(("int", "double", "currency", "percent"), DataType.NUMBER),
    **dict.fromkeys(("date", "datetime"), DataType.DATE),
    **dict.fromkeys(("picklist", "multipicklist"), DataType.CHOICE),
    "boolean": DataType.BOOLEAN,
}


def deal_fields(client: Client) -> list[FieldInfo]:
    """The org's own opportunity fields, by label."""
    described = client.get("describe Opportunity", "sobjects/Opportunity/describe")
    found = [
        FieldInfo(each["name"], each.get("label") or each["name"], _DATA.get(each.get("type", ""), DataType.OTHER))
        for each in described["fields"]
        if not each.get("deprecatedAndHidden") and not each["name"].startswith("Aurevoir_")
    ]
    return sorted(found, key=lambda one: one.label.casefold())


def fields_of(described: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """A describe's fields by lower-case name."""
    return {field["name"].lower(): field for field in described["fields"]}


def discover_deals(client: Client) -> Shape:
    """What reading deals and their people has to know, and nothing of tasks: two calls."""
    described = {
        name: client.get(f"describe {name}", f"sobjects/{name}/describe") for name in ("Opportunity", "Contact")
    }
    return Shape(optional=_optional(described), owner_history=_has_history(described))


def discover(client: Client, described: Describes | None = None) -> Shape:
    """The org's peculiarities, read now."""
    described = described or describe(client)
    fields = {name: fields_of(described[name]) for name in OBJECTS}
    statuses = client.query(
        "read task statuses", "SELECT ApiName, MasterLabel, IsDefault, IsClosed FROM TaskStatus ORDER BY SortOrder"
    )
    priorities = client.query(
        "read task priorities",
        "SELECT ApiName, MasterLabel, IsDefault, IsHighPriority FROM TaskPriority ORDER BY SortOrder",
    )
    key = fields["Task"].get(KEY_FIELD.lower())
    kinds = {value["value"] for value in fields["Task"].get("type", {}).get("picklistValues", ()) if value["active"]}
    return Shape(
        key="missing" if key is None else "unique" if key.get("unique") else "plain",
        optional=_optional(described),
        owner_history=_has_history(described),
        teams=_teams(described),
        task_types=tuple(kind for kind in TASK_TYPES.values() if kind in kinds),
        open_status=_first([row for row in statuses if not row["IsClosed"]]),
        closed_status=_first([row for row in statuses if row["IsClosed"]]) or "Completed",
        priorities=_priorities(priorities),
    )


def _optional(described: Describes) -> tuple[str, ...]:
    """Which of the optional fields are there, of the objects that were described."""
    known = {name: fields_of(each) for name, each in described.items()}
    there = [f"{name}.{one}" for name in known for one in OPTIONAL.get(name, ()) if one.lower() in known[name]]
    return tuple(sorted(there))


def _teams(described: Describes) -> tuple[str, ...]:
    """The relationships to teams that the org has: they are there once an admin switched them on."""
    children = (child for name in ("Opportunity", "Account") for child in described[name].get("childRelationships", ()))
    names = {child.get("relationshipName") for child in children}
    return tuple(name for name in (DEAL_TEAM, COMPANY_TEAM) if name in names)


def _has_history(described: Describes) -> bool:
    children = described["Opportunity"].get("childRelationships", ())
    return "Histories" in {child.get("relationshipName") for child in children}


def _name(row: Row) -> str:
    return str(row.get("ApiName") or row["MasterLabel"])


def _first(rows: Sequence[Row]) -> str | None:
    """The default among these, else the first."""
    return next((_name(row) for row in sorted(rows, key=lambda row: not row.get("IsDefault"))), None)


def _priorities(rows: Sequence[Row]) -> dict[Priority, str]:
    """The org's priorities for ours: its first high one, its default, and the last that is neither."""
    high = [row for row in rows if row["IsHighPriority"]]
    rest = [row for row in rows if not row["IsHighPriority"]]
    found = {Priority.HIGH: _first(high), Priority.NORMAL: _first(rest)}
    lower = [row for row in rest if _name(row) != found[Priority.NORMAL]]
    found[Priority.LOW] = _name(lower[-1]) if lower else found[Priority.NORMAL]
    return {priority: name for priority, name in found.items() if name}
