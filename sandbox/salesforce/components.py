"""What a deployment changes: custom fields, permission sets, outbound messages and flows, checked like the vendor's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args
from urllib.parse import urlsplit

from sandbox.salesforce.component import NS, Component, Org, Problem, flag, text, texts
from sandbox.salesforce.messages import Condition, Decision, Flow, FlowFilter, Operator, evaluate_logic
from sandbox.salesforce.reports import list_view, report, report_type
from sandbox.salesforce.schema import ACTIVITIES, Field, PicklistValue
from sandbox.salesforce.world import World

OWNERS = ("Account", "Contact", "Opportunity", "Activity", "ContentVersion", "User")
_TYPES = {
    "Text": "string",
    "TextArea": "textarea",
    "LongTextArea": "textarea",
    "Number": "double",
    "Currency": "currency",
    "Percent": "percent",
    "Date": "date",
    "DateTime": "datetime",
    "Checkbox": "boolean",
    "Picklist": "picklist",
    "Url": "url",
    "Email": "email",
    "Phone": "phone",
}
_KEYS = ("Text", "Number", "Email")


def apply(org: Org, component: Component) -> None:
    """Carry out one component; raises :class:`Problem`."""
    key = (component.type, component.full_name)
    component.created = key not in org.components
    handler = _HANDLERS.get(component.type)
    if handler is not None:
        handler(org, component)
    org.components.add(key)


def remove(org: Org, component: Component) -> None:
    """Delete one component; raises :class:`Problem` for one that is not there or that something else needs."""
    kind, name = component.type, component.full_name
    if kind == "CustomField":
        _remove_field(org, name)
    elif kind == "PermissionSet":
        _remove_permission_set(org, name)
    elif (kind, name) not in org.components:
        raise Problem(f"No {kind} named: {name} found")
    elif (row := _site_row(org, component)) is not None:
        org.world.drop(_SITES[kind][0], row["Id"])
    org.components.discard((kind, name))


def _remove_field(org: Org, full_name: str) -> None:
    owner, name = full_name.split(".", 1)
    for each in ACTIVITIES if owner == "Activity" else (owner,):
        sobject = org.world.schema.objects[each]
        found = sobject.find(name)
        if found is None:
            raise Problem(f"No CustomField named: {full_name} found")
        del sobject.fields[next(key for key, field in sobject.fields.items() if field is found)]
    for row in list(org.world.tables["FieldPermissions"].values()):
        if str(row["Field"]).partition(".")[2] == name and str(row["SobjectType"]) == owner:
            org.world.drop("FieldPermissions", row["Id"])


def _remove_permission_set(org: Org, name: str) -> None:
    known = next((row for row in org.world.tables["PermissionSet"].values() if row["Name"] == name), None)
    if known is None:
        raise Problem(f"No PermissionSet named: {name} found")
    for table, key in (("FieldPermissions", "ParentId"), ("PermissionSetAssignment", "PermissionSetId")):
        for row in list(org.world.tables[table].values()):
            if row[key] == known["Id"]:
                org.world.drop(table, row["Id"])
    org.world.drop("PermissionSet", known["Id"])


# --- custom fields --------------------------------------------------------------------------------------------------


def _custom_field(org: Org, component: Component) -> None:
    owner, name = component.full_name.split(".", 1)
    if owner not in OWNERS:
        raise Problem(f"Entity Enumeration Or ID: bad value for restricted picklist field: {owner}")
    if not re.fullmatch(r"[A-Za-z](?:_?[A-Za-z0-9])*__c", name) or len(name) > 43:
        raise Problem(f"Invalid name '{name}': letters, digits and single underscores, at most 40, ending in __c")
    new = read_field(component.element, name)
    if owner == "Activity" and new.unique and not org.world.settings.activity_unique:
        raise Problem("Can not specify 'unique' for a CustomField on Activity")
    sobject = org.world.schema.objects["Task" if owner == "Activity" else owner]
    old = sobject.find(name)
    if old is not None:
        new = _merge(old, new)
    org.world.schema.add_field(owner, new)
    if old is None:
        org.world.setup("CustomField", DeveloperName=name.removesuffix("__c"), TableEnumOrId=owner, FullName=name)
        for each in ACTIVITIES if owner == "Activity" else (owner,):
            org.world.reindex(each, new)
    elif new.unique and not old.unique:
        for each in ACTIVITIES if owner == "Activity" else (owner,):
            org.world.reindex(each, new)


def _merge(old: Field, new: Field) -> Field:
    """A field that is there already: its type stays, and picklist values that are not sent again fall out of use."""
    if old.type != new.type:
        raise Problem(f"Cannot change the type of {old.name} from {old.type} to {new.type} here")
    sent = {each.value for each in new.values}
    dropped = tuple(replace(each, active=False) for each in old.values if each.value not in sent)
    return replace(new, values=new.values + dropped, by_profile=old.by_profile)


def read_field(element: Any, name: str) -> Field:
    """A field as its XML tells it; raises :class:`Problem`."""
    kind, label = text(element, "type") or "", text(element, "label")
    if kind not in _TYPES:
        raise Problem(f"Field type {kind or '(none)'} is not supported in this organization")
    if not label or len(label) > 40:
        raise Problem("Label: data value too large or missing (max length=40)")
    _check_flags(element, kind)
    length, precision, scale = _sizes(element, kind)
    values = _values(element) if kind == "Picklist" else ()
    return Field(
        name=name,
        type="int" if kind == "Number" and scale == 0 and precision <= 9 else _TYPES[kind],
        label=label,
        length=length,
        precision=precision,
        scale=scale,
        createable=True,
        updateable=True,
        required=flag(element, "required"),
        filterable=kind != "LongTextArea",
        values=values,
        restricted=kind == "Picklist" and any(each.text == "true" for each in element.iter(f"{NS}restricted")),
        external_id=flag(element, "externalId"),
        unique=flag(element, "unique"),
        case_sensitive=flag(element, "caseSensitive"),
        custom=True,
        by_profile=False,
        description=text(element, "description") or "",
        default=text(element, "defaultValue") == "true" if kind == "Checkbox" else None,
    )


def _check_flags(element: Any, kind: str) -> None:
    for name in ("externalId", "unique"):
        if flag(element, name) and kind not in _KEYS:
            raise Problem(f"Can not specify '{name}' for a CustomField of type {kind}")
    if text(element, "caseSensitive") is not None and not flag(element, "unique"):
        raise Problem("Can not specify 'caseSensitive' for a CustomField that is not unique")
    if text(element, "required") is not None and kind in ("LongTextArea", "Checkbox"):
        raise Problem(f"Can not specify 'required' for a CustomField of type {kind}")
    if kind == "Checkbox" and text(element, "defaultValue") not in ("true", "false"):
        raise Problem("Must specify 'defaultValue' for a CustomField of type Checkbox")


def _sizes(element: Any, kind: str) -> tuple[int, int, int]:
    """Length, precision and scale; raises :class:`Problem` when the type needs others."""
    length = int(text(element, "length") or 0)
    if kind == "Text" and not 1 <= length <= 255:
        raise Problem("Must specify 'length' between 1 and 255 for a CustomField of type Text")
    if kind == "LongTextArea" and not 256 <= length <= 131072:
        raise Problem("Must specify 'length' between 256 and 131072 for a CustomField of type LongTextArea")
    if kind == "LongTextArea" and text(element, "visibleLines") is None:
        raise Problem("Must specify 'visibleLines' for a CustomField of type LongTextArea")
    if kind in ("Number", "Currency", "Percent"):
        precision, scale = text(element, "precision"), text(element, "scale")
        if precision is None or scale is None or not 1 <= int(precision) <= 18 or int(scale) > int(precision):
            raise Problem(f"Must specify 'precision' (1 to 18) and 'scale' for a CustomField of type {kind}")
        return 0, int(precision), int(scale)
    fixed = {"TextArea": 255, "Url": 255, "Email": 80, "Phone": 40, "Picklist": 255}
    return fixed.get(kind, length if kind in ("Text", "LongTextArea") else 0), 0, 0


def _values(element: Any) -> tuple[PicklistValue, ...]:
    definition = element.find(f"{NS}valueSet/{NS}valueSetDefinition")
    if definition is None:
        raise Problem("Must specify 'valueSet' for a CustomField of type Picklist")
    values = tuple(
        PicklistValue(
            value=text(each, "fullName") or "",
            label=text(each, "label") or text(each, "fullName") or "",
            default=flag(each, "default"),
            active=text(each, "isActive") != "false",
        )
        for each in definition.findall(f"{NS}value")
    )
    names = [each.value for each in values]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Problem(f"Duplicate picklist value: {twice}")
    return values


# --- permission sets ------------------------------------------------------------------------------------------------


def _permission_set(org: Org, component: Component) -> None:
    world, element = org.world, component.element
    grants = [_grant(world, each) for each in element.findall(f"{NS}fieldPermissions")]
    about = {"Label": text(element, "label"), "Description": text(element, "description")}
    known = next((row for row in world.tables["PermissionSet"].values() if row["Name"] == component.full_name), None)
    if known is None:
        key = world.setup("PermissionSet", Name=component.full_name, IsOwnedByProfile=False, **about)
    else:
        key = known["Id"]
        world.put("PermissionSet", {**known, **about})
        for row in list(world.tables["FieldPermissions"].values()):
            if row["ParentId"] == key:
                world.drop("FieldPermissions", row["Id"])
    for name, read, edit in grants:
        kind = name.split(".")[0]
        world.setup(
            "FieldPermissions", ParentId=key, SobjectType=kind, Field=name, PermissionsRead=read, PermissionsEdit=edit
        )


def _grant(world: World, element: Any) -> tuple[str, bool, bool]:
    name = text(element, "field") or ""
    owner, _, field_name = name.partition(".")
    sobject = world.schema.objects.get(owner)
    found = sobject.find(field_name) if sobject is not None else None
    if sobject is None or found is None:
        raise Problem(f"In field: field - no CustomField named {name} found")
    if found.required:
        raise Problem(f"You cannot deploy to a required field: {name}")
    read, edit = flag(element, "readable"), flag(element, "editable")
    if edit and not read:
        raise Problem(f"Field {name} is editable without being readable")
    return f"{sobject.name}.{found.name}", read, edit


# --- outbound messages and flows ------------------------------------------------------------------------------------


def _outbound_message(org: Org, component: Component) -> None:
    world, element = org.world, component.element
    if world.settings.edition == "professional":
        raise Problem("Outbound messages are not available in this organization")
    owner, name = component.full_name.split(".", 1)
    if owner != "Opportunity":
        raise Problem(f"Outbound messages on {owner} are not supported by this look-alike")
    url = urlsplit(text(element, "endpointUrl") or "")
    if url.scheme not in ("http", "https") or not url.hostname:
        raise Problem("Endpoint URL: invalid endpoint")
    default = {"http": 80, "https": 443}[url.scheme]
    port = url.port or default
    if port != default and not 1024 <= port <= 66535:
        raise Problem(f"Endpoint URL: port {port} is not allowed")
    user = text(element, "integrationUser")
    if not any(row["Username"] == user and row["IsActive"] for row in world.tables["User"].values()):
        raise Problem(f"In field: integrationUser - no User named {user} found")
    fields = texts(element, "fields")
    for each in fields:
        if world.schema.objects[owner].find(each) is None:
            raise Problem(f"In field: fields - no CustomField named {owner}.{each} found")
    if name not in org.hooks.messages:
        world.setup("WorkflowOutboundMessage", Name=name, FullName=component.full_name, EntityDefinitionId=owner)
    org.hooks.add_message(name, url.geturl(), fields, text(element, "apiVersion") or "66.0")


def _flow(org: Org, component: Component) -> None:
    element, start = component.element, component.element.find(f"{NS}start")
    if start is None or text(start, "triggerType") != "RecordAfterSave" or text(start, "object") != "Opportunity":
        raise Problem("This look-alike runs only record-triggered flows after save on Opportunity")
    if text(start, "filterFormula"):
        raise Problem("This look-alike does not evaluate entry formulas; use filters")
    if text(start, "recordTriggerType") != "Update" and any(
        text(each, "operator") == "IsChanged" for each in start.findall(f"{NS}filters")
    ):
        raise Problem("The IsChanged operator can be used only in flows that run when a record is updated")
    decision, first = _decision(org, element, start)
    messages = _actions(org, element, first)
    filters = tuple(_filter(org, each) for each in start.findall(f"{NS}filters"))
    logic = text(start, "filterLogic") or "and"
    _check_logic(logic, len(filters))
    trigger = text(start, "recordTriggerType")
    status = text(element, "status") or "Draft"
    active = status == "Active" and org.world.settings.flows_deploy_active
    org.hooks.flows[component.full_name] = Flow(
        name=component.full_name,
        filters=filters,
        logic=logic,
        messages=messages,
        on_create=trigger in ("Create", "CreateAndUpdate"),
        on_update=trigger in ("Update", "CreateAndUpdate"),
        only_on_change=flag(start, "doesRequireRecordChangedToMeetCriteria"),
        active=active,
        decision=decision,
    )
    _flow_rows(org.world, component, text(element, "label") or "", active)


def _check_logic(logic: str, count: int) -> None:
    if logic.lower() not in ("and", "or"):
        try:
            evaluate_logic(logic, [True] * count)
        except ValueError as error:
            raise Problem(str(error)) from error


def _decision(org: Org, element: Any, start: Any) -> tuple[Decision | None, Any]:
    """The decision that the flow begins with, if any, and the element from which it goes on."""
    target = start.find(f"{NS}connector/{NS}targetReference")
    decisions = {text(each, "name"): each for each in element.findall(f"{NS}decisions")}
    found = decisions.get(None if target is None else (target.text or "").strip())
    if found is None:
        return None, start
    rules = found.findall(f"{NS}rules")
    if len(rules) != 1 or found.find(f"{NS}defaultConnector") is not None:
        raise Problem("This look-alike takes only decisions with one outcome that goes on")
    rule = rules[0]
    conditions = tuple(_condition(org, element, each) for each in rule.findall(f"{NS}conditions"))
    logic = text(rule, "conditionLogic") or "and"
    _check_logic(logic, len(conditions))
    return Decision(conditions, logic), rule


def _condition(org: Org, flow: Any, element: Any) -> Condition:
    record, _, name = (text(element, "leftValueReference") or "").partition(".")
    if record not in ("$Record", "$Record__Prior"):
        raise Problem(f"This look-alike knows only $Record and $Record__Prior in decisions, not {record}")
    prior = record == "$Record__Prior"
    if prior and text(flow.find(f"{NS}start"), "recordTriggerType") == "Create":
        raise Problem("$Record__Prior is not available in a flow that runs only when a record is created")
    return Condition(prior, _test(org, name, text(element, "operator") or "", element.find(f"{NS}rightValue")))


def _actions(org: Org, element: Any, start: Any) -> tuple[str, ...]:
    calls = {text(each, "name"): each for each in element.findall(f"{NS}actionCalls")}
    names = []
    at = start.find(f"{NS}connector")
    while at is not None:
        target = text(at, "targetReference")
        call = calls.get(target)
        if call is None:
            raise Problem(f"The flow refers to an element that it does not have: {target}")
        action = text(call, "actionName") or ""
        if text(call, "actionType") != "outboundMessage":
            raise Problem("This look-alike carries out only actions of type outboundMessage")
        if action.partition(".")[2] not in org.hooks.messages:
            raise Problem(f"We can't find an action with the name and action type that you specified: {action}")
        names.append(action.partition(".")[2])
        at = call.find(f"{NS}connector")
    return tuple(names)


def _filter(org: Org, element: Any) -> FlowFilter:
    return _test(org, text(element, "field") or "", text(element, "operator") or "", element.find(f"{NS}value"))


def _test(org: Org, name: str, operator: str, value: Any) -> FlowFilter:
    found = org.world.schema.objects["Opportunity"].find(name)
    if found is None:
        raise Problem(f"The field {name} of Opportunity doesn't exist")
    if operator not in get_args(Operator):
        raise Problem(f"This look-alike does not know the filter operator {operator}")
    content = value[0] if value is not None and len(value) else None
    if content is None or not content.tag.endswith(("stringValue", "booleanValue", "numberValue")):
        raise Problem(f"The filter on {name} needs a stringValue, booleanValue or numberValue")
    raw = (content.text or "").strip()
    if content.tag.endswith("booleanValue"):
        return FlowFilter(found.name, operator, raw == "true")  # type: ignore[arg-type]
    wanted: str | float = float(raw) if content.tag.endswith("numberValue") else raw
    return FlowFilter(found.name, operator, wanted)  # type: ignore[arg-type]


def _flow_rows(world: World, component: Component, label: str, active: bool) -> None:
    table = world.tables["FlowDefinition"]
    known = next((row for row in table.values() if row["DeveloperName"] == component.full_name), None)
    definition = known["Id"] if known else world.setup("FlowDefinition", DeveloperName=component.full_name)
    versions = [row for row in world.tables["Flow"].values() if row["DefinitionId"] == definition]
    version = world.setup(
        "Flow",
        DefinitionId=definition,
        MasterLabel=label,
        Status="Active" if active else "Draft",
        ProcessType="AutoLaunchedFlow",
        VersionNumber=len(versions) + 1,
    )
    row = world.tables["FlowDefinition"][definition]
    now_active = version if active else row.get("ActiveVersionId")
    world.put(
        "FlowDefinition", {**row, "MasterLabel": label, "LatestVersionId": version, "ActiveVersionId": now_active}
    )


def switch_flow(world: World, name: str, active: bool) -> None:
    """Show a flow as active or not, as when an admin switches it in Setup; one that was never deployed has no rows."""
    known = next((row for row in world.tables["FlowDefinition"].values() if row["DeveloperName"] == name), None)
    if known is None:
        return
    version = world.tables["Flow"][known["LatestVersionId"]]
    world.put("Flow", {**version, "Status": "Active" if active else "Obsolete"})
    world.put("FlowDefinition", {**known, "ActiveVersionId": version["Id"] if active else None})


# --- sites ----------------------------------------------------------------------------------------------------------


_SITES = {
    "RemoteSiteSetting": ("RemoteProxy", "SiteName", "url"),
    "CspTrustedSite": ("CspTrustedSite", "DeveloperName", "endpointUrl"),
}
"""Table, key, and where a file of this type has the address."""


def _site_row(org: Org, component: Component) -> Mapping[str, Any] | None:
    table, key, _ = _SITES.get(component.type, ("", "", ""))
    rows = org.world.tables[table].values() if table else ()
    return next((row for row in rows if row[key] == component.full_name), None)


def _site(org: Org, component: Component) -> None:
    table, key, address = _SITES[component.type]
    values = {"EndpointUrl": text(component.element, address), "IsActive": flag(component.element, "isActive")}
    known = _site_row(org, component)
    if known is None:
        org.world.setup(table, **{key: component.full_name}, **values)
    else:
        org.world.put(table, {**known, **values})


_HANDLERS: dict[str, Callable[[Org, Component], None]] = {
    "CustomField": _custom_field,
    "PermissionSet": _permission_set,
    "WorkflowOutboundMessage": _outbound_message,
    "Flow": _flow,
    "ListView": list_view,
    "ReportType": report_type,
    "Report": report,
    "RemoteSiteSetting": _site,
    "CspTrustedSite": _site,
}
