"""List views, report types and reports of a deployment: kept if all their columns are there."""

from __future__ import annotations

from sandbox.salesforce.component import NS, Component, Org, Problem, text, texts

_STANDARD_COLUMNS = {
    "OPPORTUNITY.NAME",
    "ACCOUNT.NAME",
    "OPPORTUNITY.STAGE_NAME",
    "OPPORTUNITY.CLOSE_DATE",
    "OPPORTUNITY.AMOUNT",
    "CORE.USERS.ALIAS",
}


def list_view(org: Org, component: Component) -> None:
    """A list view, if the object has its columns; raises :class:`Problem`."""
    owner = component.full_name.partition(".")[0]
    element = component.element
    names = texts(element, "columns") + [text(each, "field") or "" for each in element.findall(f"{NS}filters")]
    for name in names:
        if name not in _STANDARD_COLUMNS and (not name.endswith("__c") or not _has(org, owner, name)):
            raise Problem(f"Could not resolve list view column: {name}")


def report_type(org: Org, component: Component) -> None:
    """A report type, if its object has its columns; raises :class:`Problem`."""
    base = text(component.element, "baseObject") or ""
    if base not in org.world.schema.objects:
        raise Problem(f"In field: baseObject - no CustomObject named {base} found")
    for each in component.element.iter(f"{NS}columns"):
        name = text(each, "field") or ""
        if text(each, "table") != base or not _has(org, base, name):
            raise Problem(f"In field: field - no column {text(each, 'table')}.{name} found")
    org.report_types[f"{component.full_name}__c"] = base


def report(org: Org, component: Component) -> None:
    """A report must lie in a folder that is there, and use a report type that has its columns."""
    if "/" not in component.full_name:
        return
    folder = component.full_name.partition("/")[0]
    if ("Report", folder) not in org.components:
        raise Problem(f"Cannot find folder:{folder}")
    element = component.element
    base = org.report_types.get(text(element, "reportType") or "")
    if base is None:
        raise Problem(f"reportType-invalid value: {text(element, 'reportType')}")
    tags = ("columns", "groupingsDown", "groupingsAcross")
    used = [each.text for tag in tags for each in element.findall(f"{NS}{tag}/{NS}field")]
    used += [each.text for each in element.iter(f"{NS}column", f"{NS}dateColumn")]
    for name in used:
        table, _, column = (name or "").partition("$")
        if table != base or not _has(org, base, column):
            raise Problem(f"Invalid field name: {name}")


def _has(org: Org, owner: str, name: str) -> bool:
    """Whether the object has the field; a look-up goes without its Id in reports."""
    sobject = org.world.schema.objects[owner]
    return sobject.find(name) is not None or sobject.find(f"{name}Id") is not None
