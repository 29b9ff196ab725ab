"""What texts and conditions of playbooks can see: the fields of deal, company, contact and case, as plain mappings."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from workflows.model import Case, Company, Contact, Deal
from workflows.wording import say

View = Mapping[str, object]


def deal_view(deal: Deal) -> View:
    """The fields of :class:`~workflows.model.Deal`."""
    return dict(deal)


def company_view(company: Company | None, deal: Deal, language: str) -> View:
    """The fields of :class:`~workflows.model.Company`. The deal's name stands in, so that texts always name someone."""
    name = deal.name or say("customer", language)
    if company is None:
        return {"id": None, "name": name, "owner_id": None, "figures": {}}
    return {**dict(company), "name": company.name or name}


def contact_view(contact: Contact | None) -> View:
    """The fields of :class:`~workflows.model.Contact`, never without a name to greet; empty when there is nobody."""
    if contact is None:
        return {}
    name = contact.name or contact.email or ""
    return {**dict(contact), "name": name, "first_name": contact.first_name or name}


def case_view(case: Case, tz: ZoneInfo) -> View:
    """The fields of :class:`~workflows.model.Case`, its moments in the account's zone."""
    view = {name: value for name, value in case if name not in ("steps", "written")}
    moments = ("entered_at", "opened_at", "confirmed_at", "answered_at", "closed_at")
    return view | {name: view[name].astimezone(tz) for name in moments if view[name] is not None}
