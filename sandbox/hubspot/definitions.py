"""What every portal has: object types, their standard properties, and the association types between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.hubspot.errors import invalid


@dataclass(frozen=True)
class ObjectType:
    """A kind of CRM object. Tasks and notes go by the scopes of contacts."""

    id: str
    name: str
    plural: str
    group: str
    created: str
    modified: str
    shown: tuple[str, ...]
    scope: str
    required: tuple[str, ...] = ()

    @property
    def read_scope(self) -> str:
        """The scope that reads it."""
        return f"crm.objects.{self.scope}.read"

    @property
    def write_scope(self) -> str:
        """The scope that writes it."""
        return f"crm.objects.{self.scope}.write"

    @property
    def custom(self) -> bool:
        """Whether its portal always lets custom properties be added."""
        return self.plural == self.scope


_STAMP = ("hs_createdate", "hs_lastmodifieddate")
CONTACT = ObjectType(
    "0-1", "contact", "contacts", "contactinformation", "createdate", "lastmodifieddate",
    ("email", "firstname", "lastname"), "contacts",
)  # fmt: skip
COMPANY = ObjectType(
    "0-2", "company", "companies", "companyinformation", "createdate", "hs_lastmodifieddate",
    ("name", "domain"), "companies",
)  # fmt: skip
DEAL = ObjectType(
    "0-3", "deal", "deals", "dealinformation", "createdate", "hs_lastmodifieddate",
    ("amount", "closedate", "dealname", "dealstage", "pipeline"), "deals",
)  # fmt: skip
TASK = ObjectType("0-27", "task", "tasks", "task_information", *_STAMP, (), "contacts", ("hs_timestamp",))
NOTE = ObjectType("0-46", "note", "notes", "note_information", *_STAMP, (), "contacts", ("hs_timestamp",))
MEETING = ObjectType(
    "0-47", "meeting", "meetings", "engagement_information", *_STAMP, (), "contacts", ("hs_timestamp",)
)
CALL = ObjectType("0-48", "call", "calls", "engagement_information", *_STAMP, (), "contacts", ("hs_timestamp",))
OBJECT_TYPES = (CONTACT, COMPANY, DEAL, TASK, NOTE, MEETING, CALL)
_BY_NAME = {name: each for each in OBJECT_TYPES for name in (each.id, each.name, each.plural)}


def object_type(text: str) -> ObjectType:
    """The type by id (``0-3``), plural or singular name. Raises ApiError 400 as HubSpot does."""
    found = _BY_NAME.get(text.lower())
    if found is None:
        raise invalid(f"Unable to infer object type from: {text}")
    return found


@dataclass
class Property:
    """A property definition."""

    name: str
    label: str
    type: str
    field_type: str
    group: str
    options: list[dict[str, Any]] = field(default_factory=list)
    unique: bool = False
    hubspot_defined: bool = False
    read_only: bool = False
    description: str = ""
    display_order: int = -1
    hidden: bool = False
    form_field: bool = False
    created_at: str | None = None
    updated_at: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As the properties API shows it."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": self.options,
            "displayOrder": self.display_order,
            "calculated": False,
            "externalOptions": self.name in ("hubspot_owner_id", "dealstage", "pipeline"),
            "hasUniqueValue": self.unique,
            "hidden": self.hidden,
            "hubspotDefined": self.hubspot_defined,
            "formField": self.form_field,
            "archived": False,
            "modificationMetadata": {
                "archivable": not self.hubspot_defined,
                "readOnlyDefinition": self.hubspot_defined,
                "readOnlyValue": self.read_only,
            },
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
        }


def options(values: Sequence[str | tuple[str, str]]) -> list[dict[str, Any]]:
    """Option objects from values, or (value, label) pairs."""
    pairs = [(each, each.replace("_", " ").capitalize()) if isinstance(each, str) else each for each in values]
    return [
        {"label": label, "value": value, "displayOrder": number, "hidden": False}
        for number, (value, label) in enumerate(pairs)
    ]


_TEXT, _AREA, _HTML = ("string", "text"), ("string", "textarea"), ("string", "html")
_NUMBER, _DATE, _TIME = ("number", "number"), ("date", "date"), ("datetime", "date")
_SELECT, _CHECKS, _BOOL = ("enumeration", "select"), ("enumeration", "checkbox"), ("bool", "booleancheckbox")
_READ_ONLY = {"hs_object_id": _NUMBER, "hs_merged_object_ids": _CHECKS}
_OWNED = {"hubspot_owner_id": _SELECT, "hs_created_by_user_id": _NUMBER, "hs_pinned_engagement_id": _NUMBER}
_ACTIVITY = {"hs_timestamp": _TIME, "hubspot_owner_id": _SELECT, "hs_attachment_ids": _CHECKS}
_STANDARD: dict[str, dict[str, tuple[str, str]]] = {
    "0-1": {
        "email": _TEXT, "firstname": _TEXT, "lastname": _TEXT, "phone": ("string", "phonenumber"), "jobtitle": _TEXT,
        "mobilephone": ("string", "phonenumber"), "hs_linkedin_url": _TEXT,
        "hs_language": _SELECT, "hs_buying_role": _CHECKS, "hs_email_optout": ("bool", "booleancheckbox"),
        "hs_email_hard_bounce_reason_enum": _SELECT,
        "lifecyclestage": ("enumeration", "radio"), "associatedcompanyid": _NUMBER, **_OWNED,
    },
    "0-2": {
        "name": _TEXT, "domain": _TEXT, "phone": ("string", "phonenumber"), "country": _TEXT, "city": _TEXT,
        "numberofemployees": _NUMBER, "industry": _TEXT, **_OWNED,
    },
    "0-3": {
        "dealname": _TEXT, "dealstage": ("enumeration", "radio"), "pipeline": _SELECT, "closedate": _TIME,
        "amount": _NUMBER, "deal_currency_code": _SELECT, "dealtype": ("enumeration", "radio"), "description": _AREA,
        "closed_lost_reason": _AREA, "closed_won_reason": _AREA, "hs_all_collaborator_owner_ids": _TEXT,
        "hs_primary_associated_company": _NUMBER, **_OWNED,
    },
    "0-27": {
        "hs_task_subject": _TEXT, "hs_task_body": _HTML, "hs_task_status": _SELECT, "hs_task_priority": _SELECT,
        "hs_task_type": _SELECT, "hs_task_reminders": _TEXT, "hs_task_completion_date": _TIME, **_ACTIVITY,
    },
    "0-46": {"hs_note_body": _HTML, **_ACTIVITY},
    "0-47": {"hs_meeting_title": _TEXT, "hs_meeting_body": _HTML, "hs_meeting_outcome": _TEXT, **_ACTIVITY},
    "0-48": {"hs_call_title": _TEXT, "hs_call_body": _HTML, "hs_call_direction": _TEXT, **_ACTIVITY},
}  # fmt: skip
_OPTIONS: dict[str, Sequence[str | tuple[str, str]]] = {
    "hs_language": [("en", "English"), ("fr", "French"), ("fr-fr", "French - France"), ("de", "German"),
                    ("es", "Spanish"), ("en-gb", "English - United Kingdom"), ("en-us", "English - United States")],
    "hs_buying_role": ["BLOCKER", "BUDGET_HOLDER", "CHAMPION", "DECISION_MAKER", "END_USER", "EXECUTIVE_SPONSOR",
                       "INFLUENCER", "LEGAL_AND_COMPLIANCE", "OTHER"],
    "lifecyclestage": ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity",
                       "customer", "evangelist", "other"],
    "deal_currency_code": [(each, each) for each in ("EUR", "USD", "GBP", "CHF")],
    "dealtype": ["newbusiness", "existingbusiness"],
    "hs_email_hard_bounce_reason_enum": ["BLOCKED", "CONTENT", "MAILBOX_FULL", "OTHER", "UNKNOWN_USER"],
    "hs_task_status": ["NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"],
    "hs_task_priority": ["NONE", "LOW", "MEDIUM", "HIGH"],
    "hs_task_type": ["EMAIL", "CALL", "TODO"],
}  # fmt: skip
_LABELS = {
    "dealname": "Deal Name", "dealstage": "Deal Stage", "pipeline": "Pipeline", "closedate": "Close Date",
    "hubspot_owner_id": "Owner", "hs_timestamp": "Activity date", "hs_buying_role": "Buying Role",
    "hs_language": "Preferred language", "createdate": "Create Date", "lastmodifieddate": "Last Modified Date",
    "firstname": "First Name", "lastname": "Last Name", "jobtitle": "Job Title", "deal_currency_code": "Currency",
}  # fmt: skip
_SET_BY_HUBSPOT = {"hs_task_completion_date", "hs_created_by_user_id", "hs_primary_associated_company"}
FREE_CHECKS = {"hs_attachment_ids", "hs_merged_object_ids"}


def standard_properties(kind: ObjectType) -> dict[str, Property]:
    """The properties that HubSpot defines on a type."""
    stamps = {kind.created: _TIME, kind.modified: _TIME}
    read_only = {*_READ_ONLY, *stamps, *_SET_BY_HUBSPOT}
    made = {}
    for name, (type_, field_type) in {**_STANDARD[kind.id], **_READ_ONLY, **stamps}.items():
        if name == "hs_email_optout":
            choices = options([("true", "Yes"), ("false", "No")])
        else:
            choices = options(_OPTIONS.get(name, []))
        label = _LABELS.get(name, name.removeprefix("hs_").replace("_", " ").capitalize())
        made[name] = Property(
            name, label, type_, field_type, kind.group, choices, hubspot_defined=True, read_only=name in read_only,
            unique=kind is CONTACT and name == "email",
        )  # fmt: skip
    return made


@dataclass(frozen=True)
class AssociationType:
    """One direction of a way in which two records belong together. ``label`` None: the unlabelled default."""

    id: int
    inverse: int
    start: str
    end: str
    name: str
    label: str | None = None
    category: str = "HUBSPOT_DEFINED"


def _pair(
    start: ObjectType, end: ObjectType, there: int, back: int, tail: str = "", label: str | None = None
) -> list[AssociationType]:
    return [
        AssociationType(there, back, start.id, end.id, f"{start.name}_to_{end.name}{tail}", label),
        AssociationType(back, there, end.id, start.id, f"{end.name}_to_{start.name}{tail}", label),
    ]


ASSOCIATION_TYPES: tuple[AssociationType, ...] = (
    *_pair(DEAL, CONTACT, 3, 4),
    *_pair(DEAL, COMPANY, 341, 342, "_unlabeled"),
    *_pair(DEAL, COMPANY, 5, 6, label="Primary"),
    *_pair(CONTACT, COMPANY, 279, 280, "_unlabeled"),
    *_pair(CONTACT, COMPANY, 1, 2, label="Primary"),
    *_pair(TASK, DEAL, 216, 215),
    *_pair(TASK, CONTACT, 204, 203),
    *_pair(TASK, COMPANY, 192, 191),
    *_pair(MEETING, DEAL, 212, 211),
    *_pair(MEETING, CONTACT, 200, 199),
    *_pair(MEETING, COMPANY, 188, 187),
    *_pair(CALL, DEAL, 206, 205),
    *_pair(CALL, CONTACT, 194, 193),
    *_pair(CALL, COMPANY, 182, 181),
    *_pair(NOTE, DEAL, 214, 213),
    *_pair(NOTE, CONTACT, 202, 201),
    *_pair(NOTE, COMPANY, 190, 189),
)
PRIMARY = {"Primary"}
