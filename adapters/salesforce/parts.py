"""What an admin installs besides our fields: push, reports, list views, a part for the record page, and the app.

Names and shapes are those of Salesforce's Metadata API; the tests hold every file to the schema in the WSDL that
simple-salesforce carries.
https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_types_list.htm
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adapters.salesforce.mapping import OBJECTS, our_field
from adapters.salesforce.metadata import PERMISSION_SET, InOrder, Piece, render
from workflows.cases import CaseStatus
from workflows.fields import FIELDS
from workflows.records import RecordKind

SOURCE = Path(__file__).with_name("package")
COMPONENT = "aurevoirCase"
MESSAGE = "Aurevoir_Look"
READER = "Aurevoir_Reader"
TICKED = frozenset({our_field("start_now"), our_field("counterpart")})
"""Fields of ours that people tick themselves."""
APP = "Aurevoir"
SITE = "Aurevoir"
REPORT_TYPE = "Aurevoir_Offboardings"
FOLDER = "Aurevoir"
MESSAGE_FIELDS = ("Id", "StageName", "SystemModstamp")
"""The least that tells us which record to look at, all in every org; values are read over our own session."""

STATUS, PLAYBOOK = our_field("status"), our_field("playbook")
DONE, STEPS, NEXT, NEXT_DUE = (our_field(name) for name in ("steps_done", "steps_all", "next_step", "next_due"))
START, SCORE, REASON, SAID_AT = (
    our_field("start_score"),
    our_field("exit_score"),
    our_field("exit_reason"),
    our_field("exit_feedback_at"),
)


# --- push -----------------------------------------------------------------------------------------------------------


def outbound_message(version: str, endpoint: str, username: str) -> Piece:
    """The message that tells us of an opportunity. Address and user belong to one org."""
    message = {
        "fullName": MESSAGE,
        "apiVersion": version,
        "description": "Tells Aurevoir to look at this opportunity again. Carries no names and no amounts.",
        "endpointUrl": endpoint,
        "fields": list(MESSAGE_FIELDS),
        "includeSessionId": False,
        "integrationUser": username,
        "name": "Aurevoir look",
        "protected": False,
        "useDeadLetterQueue": False,
    }
    return Piece(
        "WorkflowOutboundMessage",
        (f"Opportunity.{MESSAGE}",),
        "workflows/Opportunity.workflow",
        render("Workflow", {"outboundMessages": [message]}),
    )


def flows(version: str, stages: Sequence[str]) -> tuple[Piece, ...]:
    """Two record-triggered flows: one for moves into and out of watched stages, one for what is created there.

    A move within watched stages counts as well, so "changed to meet the conditions" would not do: it is silent when the
    conditions held before. The former stage is known on updates only, hence two flows. Without ``stages`` every move
    is told, and creation only of what is lost already.
    """
    moved = _flow(version, "Aurevoir: stage moved", "Update", [_filter("StageName", "IsChanged")])
    if stages:
        moved["start"]["connector"] = {"targetReference": "Watched"}
        moved["decisions"] = [_decision(stages)]
        born = [_filter("StageName", "EqualTo", stage) for stage in stages]
    else:
        born = [_filter("IsClosed", "EqualTo"), _filter("IsWon", "EqualTo", False)]
    created = _flow(version, "Aurevoir: deal created", "Create", born)
    created["start"]["filterLogic"] = "or" if stages else "and"
    return tuple(
        Piece("Flow", (name,), f"flows/{name}.flow", render("Flow", content))
        for name, content in (("Aurevoir_Stage_Moved", moved), ("Aurevoir_Deal_Created", created))
    )


def _flow(version: str, label: str, trigger: str, filters: list[InOrder]) -> dict[str, Any]:
    call = InOrder(
        name="Tell_Aurevoir",
        label="Tell Aurevoir",
        locationX=176,
        locationY=323,
        actionName=f"Opportunity.{MESSAGE}",
        actionType="outboundMessage",
        flowTransactionModel="CurrentTransaction",
        nameSegment=f"Opportunity.{MESSAGE}",
    )
    start = InOrder(
        locationX=50,
        locationY=0,
        connector={"targetReference": "Tell_Aurevoir"},
        doesRequireRecordChangedToMeetCriteria=False,
        filterLogic="and",
        filters=filters,
        object="Opportunity",
        recordTriggerType=trigger,
        triggerType="RecordAfterSave",
    )
    return {
        "actionCalls": [call],
        "apiVersion": version,
        "description": "After save. Sends an outbound message and changes nothing.",
        "environments": "Default",
        "interviewLabel": f"{label} {{!$Flow.CurrentDateTime}}",
        "label": label,
        "processMetadataValues": [InOrder(name="BuilderType", value={"stringValue": "LightningFlowBuilder"})],
        "processType": "AutoLaunchedFlow",
        "start": start,
        # Salesforce takes flows into production inactive, whatever stands here; sandboxes activate them.
        "status": "Active",
    }


def _filter(name: str, operator: str, value: str | bool = True) -> InOrder:
    kind = "booleanValue" if isinstance(value, bool) else "stringValue"
    return InOrder(field=name, operator=operator, value={kind: value})


def _decision(stages: Sequence[str]) -> InOrder:
    conditions = [
        InOrder(leftValueReference=f"{record}.StageName", operator="EqualTo", rightValue={"stringValue": stage})
        for record in ("$Record", "$Record__Prior")
        for stage in stages
    ]
    rule = InOrder(
        name="Into_Or_Out_Of",
        conditionLogic="or",
        conditions=conditions,
        connector={"targetReference": "Tell_Aurevoir"},
        label="Into or out of a watched stage",
    )
    return InOrder(
        name="Watched",
        label="Watched stage?",
        locationX=176,
        locationY=180,
        defaultConnectorLabel="Neither",
        rules=[rule],
    )


def sites(public_url: str) -> tuple[Piece, ...]:
    """Our address, entered in the org for calls from Apex and for Lightning pages, and switched off.

    Nothing in the package calls us or loads from us: messages and links need neither entry. They are there for an admin
    who builds a part of their own, with the right address and nothing granted before they tick *Active*.
    """
    address = site_address(public_url)
    why = "Where this org's Aurevoir runs. Not needed by the package itself; activate it for a part of your own."
    remote = {"description": why, "disableProtocolSecurity": False, "isActive": False, "url": address}
    trusted = {
        "context": "LEX",
        "description": why,
        "endpointUrl": address,
        "isActive": False,
        "isApplicableToConnectSrc": True,
        "isApplicableToFontSrc": False,
        "isApplicableToFrameSrc": False,
        "isApplicableToImgSrc": False,
        "isApplicableToMediaSrc": False,
        "isApplicableToStyleSrc": False,
    }
    return (
        _piece("RemoteSiteSetting", SITE, "remoteSiteSettings", "remoteSite", remote),
        _piece("CspTrustedSite", SITE, "cspTrustedSites", "cspTrustedSite", trusted),
    )


def site_address(public_url: str) -> str:
    """Our address as sites hold it: without a path."""
    parsed = urlsplit(public_url)
    return f"{parsed.scheme}://{parsed.netloc}"


# --- for the people -------------------------------------------------------------------------------------------------


def reader(granted: Iterable[str]) -> Piece:
    """A permission set for people: to see our fields, and to change none but those that are theirs to tick."""
    content = {
        "label": "Aurevoir reader",
        "description": "Lets people see what Aurevoir writes onto opportunities, accounts, contacts and tasks.",
        "hasActivationRequired": False,
        "fieldPermissions": [
            {"editable": name.partition(".")[2] in TICKED, "field": name, "readable": True} for name in sorted(granted)
        ],
    }
    return Piece("PermissionSet", (READER,), f"permissionsets/{READER}.permissionset", render("PermissionSet", content))


def list_views() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Open and ended offboardings, on Opportunity."""
    under_way = (CaseStatus.ACTIVE, CaseStatus.AWAITING_REASON)
    ended = (CaseStatus.COMPLETED, CaseStatus.CANCELLED, CaseStatus.STOPPED)
    columns = ["OPPORTUNITY.NAME", "ACCOUNT.NAME", "OPPORTUNITY.STAGE_NAME", "OPPORTUNITY.CLOSE_DATE", STATUS, PLAYBOOK]
    return {
        "Opportunity": [
            _list_view("Aurevoir_Open", "Offboardings: open", under_way, [*columns, DONE, STEPS, NEXT, NEXT_DUE]),
            _list_view("Aurevoir_Ended", "Offboardings: ended", ended, [*columns, REASON, SCORE]),
        ]
    }


def _list_view(name: str, label: str, statuses: Sequence[CaseStatus], columns: Sequence[str]) -> dict[str, Any]:
    return {
        "fullName": name,
        "columns": list(columns),
        "filterScope": "Everything",
        "filters": [{"field": STATUS, "operation": "equals", "value": ",".join(statuses)}],
        "label": label,
    }


def reports() -> tuple[Piece, ...]:
    """A report type, and ready reports on it in a folder of their own."""
    section = {
        "columns": [{"checkedByDefault": True, "field": name, "table": "Opportunity"} for name in _report_fields()],
        "masterLabel": "Offboarding",
    }
    kind = {
        "baseObject": "Opportunity",
        "category": "opportunities",
        "deployed": True,
        "description": "Opportunities with what Aurevoir writes onto them.",
        "label": "Offboardings",
        "sections": [section],
    }
    folder = {"accessType": "Public", "name": "Aurevoir", "publicFolderAccess": "ReadOnly"}
    return (
        Piece("ReportType", (REPORT_TYPE,), f"reportTypes/{REPORT_TYPE}.reportType", render("ReportType", kind)),
        Piece("Report", (FOLDER,), f"reports/{FOLDER}-meta.xml", render("ReportFolder", folder)),
        _report("Exit_Reasons", "Exit reasons", "Why customers left, by their own account.",
                by=(REASON,), columns=("Name", "Account", "Amount", SCORE, SAID_AT), where=(REASON, "notEqual", None)),
        _report("Exit_Score", "NPS, start to end", "How likely to recommend us (0 to 10), at the start and on leaving.",
                by=(SAID_AT,), columns=("Name", "Account", REASON, START, SCORE), where=(SCORE, "notEqual", None),
                average=(START, SCORE), grain="Month"),
        _report("Open_Offboardings", "Open offboardings", "Whose goodbye is under way, by status.",
                by=(STATUS, "Owner"),
                columns=("Name", "Account", "CloseDate", PLAYBOOK, DONE, STEPS, NEXT, NEXT_DUE),
                where=(STATUS, "equals", f"{CaseStatus.ACTIVE},{CaseStatus.AWAITING_REASON}")),
    )  # fmt: skip


def _report_fields() -> list[str]:
    ours = [our_field(spec.name) for spec in FIELDS if spec.record is RecordKind.DEAL]
    return ["Name", "Account", "Owner", "StageName", "Type", "Amount", "CloseDate", *ours]


def _report(
    name: str,
    label: str,
    description: str,
    *,
    by: Sequence[str],
    columns: Sequence[str],
    where: tuple[str, str, str | None],
    average: Sequence[str] = (),
    grain: str = "Day",
) -> Piece:
    filtered, operator, value = where
    content = {
        "columns": [
            {"aggregateTypes": "Average" if column in average else None, "field": _column(column)} for column in columns
        ],
        "description": description,
        "filter": {
            "criteriaItems": [
                {
                    "column": _column(filtered),
                    "columnToColumn": False,
                    "isUnlocked": True,
                    "operator": operator,
                    "value": value,
                }
            ]
        },
        "format": "Summary",
        "groupingsDown": [{"dateGranularity": grain, "field": _column(each), "sortOrder": "Asc"} for each in by],
        "name": label,
        "reportType": f"{REPORT_TYPE}__c",
        "scope": "organization",
        "showDetails": True,
        "timeFrameFilter": {"dateColumn": _column("CloseDate"), "interval": "INTERVAL_CUSTOM"},
    }
    return Piece("Report", (f"{FOLDER}/{name}",), f"reports/{FOLDER}/{name}.report", render("Report", content))


def _column(name: str) -> str:
    return f"{OBJECTS[RecordKind.DEAL]}${name}"


def component() -> tuple[Piece, ...]:
    """The part for an opportunity's page; an admin puts it there in the Lightning App Builder."""
    folder = SOURCE / "force-app/main/default/lwc" / COMPONENT
    return tuple(
        Piece("LightningComponentBundle", (COMPONENT,), f"lwc/{COMPONENT}/{path.name}", path.read_bytes())
        for path in sorted(folder.iterdir())
        if path.is_file()
    )


# --- the app --------------------------------------------------------------------------------------------------------


def external_client_app(contact: str) -> tuple[Piece, ...]:
    """The app through which we log in, with least scopes and a consent that lapses after 30 days without use."""
    app = {
        "contactEmail": contact,
        "description": "Lets Aurevoir read opportunities and lay out goodbyes as tasks.",
        "distributionState": "Local",
        "isProtected": False,
        "label": "Aurevoir",
    }
    settings = {
        "commaSeparatedOauthScopes": "Api, RefreshToken",
        "externalClientApplication": APP,
        "label": f"{APP}_oauth",
    }
    policy = {
        "commaSeparatedPermissionSet": PERMISSION_SET,
        "externalClientApplication": APP,
        "ipRelaxationPolicyType": "Enforce",
        "label": f"{APP}_policy",
        "permittedUsersPolicyType": "AdminApprovedPreAuthorized",
        "refreshTokenPolicyType": "SpecificInactivity",
        "refreshTokenValidityPeriod": 30,
        "refreshTokenValidityUnit": "Days",
    }
    return (
        _piece("ExternalClientApplication", APP, "externalClientApps", "eca", app),
        _piece("ExtlClntAppOauthSettings", f"{APP}_oauth", "extlClntAppOauthSettings", "ecaOauth", settings),
        _piece(
            "ExtlClntAppOauthConfigurablePolicies", f"{APP}_policy", "extlClntAppOauthPolicies", "ecaOauthPlcy", policy
        ),
    )


def app_secrets(public_url: str) -> Piece:
    """Where consent comes back to, and that it needs PKCE and rotates.

    Salesforce keeps the app's key and secret in this file once it is retrieved: it belongs into no repository.
    """
    content = {
        "callbackUrl": f"{public_url}/oauth/salesforce/callback",
        "externalClientApplication": APP,
        "isClientCredentialsFlowEnabled": False,
        "isConsumerSecretOptional": False,
        "isIntrospectAllTokens": False,
        "isPkceRequired": True,
        "isRefreshTokenRotationEnabled": True,
        "isSecretRequiredForRefreshToken": True,
        "label": f"{APP}_global",
    }
    return _piece(
        "ExtlClntAppGlobalOauthSettings", f"{APP}_global", "extlClntAppGlobalOauthSets", "ecaGlblOauth", content
    )


def _piece(kind: str, name: str, folder: str, suffix: str, content: Mapping[str, Any]) -> Piece:
    return Piece(kind, (name,), f"{folder}/{name}.{suffix}", render(kind, content))
