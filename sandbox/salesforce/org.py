"""The organisation as a whole: records, API, sign-in, outbound messages, control and pages, served together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.kit import Clock, Faults, Gate, Ledger, control
from sandbox.pages import pages
from sandbox.salesforce.api import Api
from sandbox.salesforce.bulk import Collections, Composite
from sandbox.salesforce.control import more_control
from sandbox.salesforce.errors import ApiError, RecordError
from sandbox.salesforce.messages import Flow, FlowFilter, Messages
from sandbox.salesforce.metadata import Metadata
from sandbox.salesforce.oauth import Client, OAuth
from sandbox.salesforce.schema import PicklistValue
from sandbox.salesforce.server import Usage, error_body, make_app
from sandbox.salesforce.values import to_json
from sandbox.salesforce.views import Views
from sandbox.salesforce.world import Settings, World

STAGES = (
    ("Prospecting", 10, False, False, "Pipeline"),
    ("Qualification", 10, False, False, "Pipeline"),
    ("Needs Analysis", 20, False, False, "Pipeline"),
    ("Proposal/Price Quote", 75, False, False, "Pipeline"),
    ("Negotiation/Review", 90, False, False, "Commit"),
    ("Closed Won", 100, True, True, "Closed"),
    ("Closed Lost", 0, True, False, "Omitted"),
)
TASK_STATUSES = (
    ("Not Started", True, False),
    ("In Progress", False, False),
    ("Completed", False, True),
    ("Waiting on someone else", False, False),
    ("Deferred", False, False),
)
MESSAGE_FIELDS = (
    "AccountId",
    "CloseDate",
    "IsClosed",
    "IsWon",
    "Name",
    "OwnerId",
    "StageName",
    "SystemModstamp",
    "Type",
)


class SalesforceSandbox:
    """A look-alike of one organisation.

    Holds an admin and an integration user, the standard stages and task statuses, and one app that signs in with
    ``client_id`` and ``client_secret`` (client credentials as the integration user, or the web-server flow). ``scale``
    stretches the gaps between deliveries of outbound messages (0: at once); ``deploy_seconds`` is how long a metadata
    deployment takes. ``names`` is for whoever fills it: ids by name.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        org_id: str = "00D5g00000ABCDE",
        name: str = "Globex",
        client_id: str = "3MVG9sandbox.client",
        client_secret: str = "sandbox-secret",  # noqa: S107 - a look-alike has no secrets
        redirect_uris: tuple[str, ...] = ("http://localhost:8080/oauth/salesforce/callback",),
        settings: Settings | None = None,
        scale: float = 1.0,
        deploy_seconds: float = 0.2,
    ) -> None:
        self.clock = clock or Clock()
        self.names: dict[str, str] = {}
        self.ledger = Ledger()
        self.faults = Faults()
        self.world = World(self.clock, org_id, settings)
        self.hooks = Messages(self.world, self.clock, scale=scale)
        self.oauth = OAuth(self.world)
        self._set_up(name)
        client = Client(client_id, client_secret, redirect_uris, run_as=self.integration_user_id)
        self.client = self.oauth.clients[client_id] = client
        self.usage = Usage(self.world)
        self.api = Api(self.world, self.usage.now)
        Collections(self.api)
        Composite(self.api)
        self.metadata = Metadata(self.api, self.hooks, seconds=deploy_seconds)
        self.app = make_app(
            self.world, self.api, self.oauth, self.usage, control(self), more_control(self), pages(Views(self))
        )
        gate = Gate(
            self.app,
            clock=self.clock,
            ledger=self.ledger,
            faults=self.faults,
            api=("/services/data",),
            tokens=("/services/oauth2", "/id/"),
            error_body=error_body,
        )
        self.app.wsgi_app = gate  # type: ignore[method-assign]

    def _set_up(self, name: str) -> None:
        world, sandbox = self.world, self.world.settings.is_sandbox
        edition = {"enterprise": "Enterprise Edition", "professional": "Professional Edition"}
        org = world.setup(
            "Organization",
            Name=name,
            InstanceName="EU42" if not sandbox else "EU42S",
            IsSandbox=sandbox,
            OrganizationType=edition[world.settings.edition],
            LanguageLocaleKey="en_US",
            TimeZoneSidKey="Europe/Paris",
        )
        row = dict(world.tables["Organization"].pop(org))
        world.tables["Organization"][world.org_id] = {**row, "Id": world.org_id}
        profile = world.setup("Profile", Name="System Administrator", UserType="Standard")
        minimum = world.setup("Profile", Name="Minimum Access - API Only Integrations", UserType="Standard")
        world.admin_id = self.add_user("Ada", "Admin", "admin@globex.example", ProfileId=profile)
        self.integration_user_id = self.add_user(
            "Connector", "Integration", "connector@globex.example", ProfileId=minimum
        )
        for order, (stage, probability, closed, won, forecast) in enumerate(STAGES, 1):
            self.add_stage(stage, probability=probability, closed=closed, won=won, forecast=forecast, order=order)
        for order, (status, default, closed) in enumerate(TASK_STATUSES, 1):
            world.setup(
                "TaskStatus", MasterLabel=status, ApiName=status, SortOrder=order, IsDefault=default, IsClosed=closed
            )
        for order, priority in enumerate(("High", "Normal", "Low"), 1):
            world.setup(
                "TaskPriority",
                MasterLabel=priority,
                ApiName=priority,
                SortOrder=order,
                IsDefault=priority == "Normal",
                IsHighPriority=priority == "High",
            )
        statuses = [PicklistValue(status, status, default) for status, default, _ in TASK_STATUSES]
        world.schema.set_values("Task", "Status", statuses)
        priorities = [PicklistValue(each, each, each == "Normal") for each in ("High", "Normal", "Low")]
        world.schema.set_values("Task", "Priority", priorities)

    # --- set-up that an admin does in the vendor's pages ------------------------------------------------------------

    def add_user(self, first: str, last: str, email: str, **values: Any) -> str:
        """Add a user; returns the id. ``values``: further fields, such as IsActive or TimeZoneSidKey."""
        known = {
            "FirstName": first,
            "LastName": last,
            "Name": f"{first} {last}".strip(),
            "Email": email,
            "Username": email,
            "Alias": (first[:1] + last)[:8].lower(),
            "IsActive": True,
            "TimeZoneSidKey": "Europe/Paris",
            "LocaleSidKey": "en_US",
            "LanguageLocaleKey": "en_US",
            "UserType": "Standard",
        }
        return self.world.setup("User", **{**known, **values})

    def add_stage(
        self,
        name: str,
        *,
        probability: int = 0,
        closed: bool = False,
        won: bool = False,
        forecast: str = "Pipeline",
        order: int | None = None,
        active: bool = True,
        api_name: str | None = None,
    ) -> str:
        """Add an opportunity stage; returns its id."""
        made = self.world.setup(
            "OpportunityStage",
            MasterLabel=name,
            ApiName=api_name or name,
            IsActive=active,
            SortOrder=order or len(self.world.tables["OpportunityStage"]) + 1,
            IsClosed=closed,
            IsWon=won,
            DefaultProbability=probability,
            ForecastCategoryName=forecast,
        )
        rows = sorted(self.world.tables["OpportunityStage"].values(), key=lambda row: int(row["SortOrder"]))
        values = [PicklistValue(row["ApiName"], row["MasterLabel"], active=row["IsActive"]) for row in rows]
        self.world.schema.set_values("Opportunity", "StageName", values)
        return made

    def add_record_type(self, name: str, developer_name: str | None = None, sobject: str = "Opportunity") -> str:
        """Add a record type; returns its id."""
        return self.world.setup(
            "RecordType",
            Name=name,
            DeveloperName=developer_name or name.replace(" ", "_"),
            SobjectType=sobject,
            IsActive=True,
        )

    def send_stages(self, url: str, stages: list[str], *, name: str = "Sandbox_Message") -> None:
        """Set up an outbound message and a flow that fires it when an opportunity enters one of these stages.

        Raises ValueError in an edition without outbound messages.
        """
        if self.world.settings.edition == "professional":
            raise ValueError("outbound messages are not part of Professional Edition: poll instead")
        filters = tuple(FlowFilter("StageName", "EqualTo", stage) for stage in stages)
        self.hooks.add_message(name, url, MESSAGE_FIELDS)
        self.hooks.flows[name] = Flow(name, filters, "or", (name,))

    # --- the control API --------------------------------------------------------------------------------------------

    def seed(self, records: Any) -> list[str]:
        """Create records as a person would: ``[{"attributes": {"type": "Account"}, "Name": ...}]``, in order.

        ``"@1"`` as a value stands for the id of the second record of the list. Returns their ids.
        """
        if not isinstance(records, list):
            raise ValueError('a seed is a list of records, each with {"attributes": {"type": "Account"}, ...}')
        made: list[str] = []
        for record in records:
            values = {
                key: made[int(value[1:])]
                if isinstance(value, str) and value[:1] == "@" and value[1:].isdigit()
                else value
                for key, value in record.items()
            }
            at = values.pop("at", None)
            try:
                made.append(
                    self.world.insert(
                        record["attributes"]["type"], values, at=datetime.fromisoformat(at) if at else None
                    )
                )
            except (ApiError, RecordError) as error:
                raise ValueError(str(error)) from error
        return made

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """All records by object, deleted ones too."""
        with self.world.lock:
            return {
                name: [self._plain(name, row) for row in table.values()]
                for name, table in self.world.tables.items()
                if table
            }

    def _plain(self, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
        fields = self.world.schema.objects[name].fields
        return {key: to_json(fields[key.lower()], value) for key, value in row.items() if key.lower() in fields}

    def set_stage(self, deal_id: str, stage: str) -> None:
        """Move an opportunity as a person would, by API name or label."""
        if self.world.live(deal_id) is None:
            raise KeyError(f"no opportunity {deal_id}")
        rows = self.world.tables["OpportunityStage"].values()
        known = {row[key]: row["ApiName"] for row in rows for key in ("MasterLabel", "ApiName") if row["IsActive"]}
        if stage not in known:
            raise ValueError(f"no stage {stage}; there are {', '.join(dict.fromkeys(known.values()))}")
        try:
            self.world.update(deal_id, {"StageName": known[stage]})
        except RecordError as error:
            raise ValueError(str(error)) from error

    def point_webhooks(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Set up outbound messages: ``{"url", "stages": [...]}``; an empty url takes them away.

        ``drop``, ``duplicate`` (shares), ``shuffle`` and ``paused`` set how delivery misbehaves; ``silent_integration``
        takes "Send Outbound Messages" from the integration user.
        """
        if "url" in options:
            self.hooks.remove("Sandbox_Message")
            if options["url"]:
                default = [
                    row["ApiName"]
                    for row in self.world.tables["OpportunityStage"].values()
                    if row["IsClosed"] and not row["IsWon"]
                ]
                self.send_stages(options["url"], list(options.get("stages") or default))
        manners = self.hooks.manners
        manners.drop = float(options.get("drop", manners.drop))
        manners.duplicate = float(options.get("duplicate", manners.duplicate))
        manners.shuffle = bool(options.get("shuffle", manners.shuffle))
        self.hooks.paused = bool(options.get("paused", self.hooks.paused))
        if "silent_integration" in options:
            change = self.hooks.silent_users.add if options["silent_integration"] else self.hooks.silent_users.discard
            change(self.integration_user_id)
        return {
            "messages": {each.name: each.url for each in self.hooks.messages.values()},
            "flows": {flow.name: flow.active for flow in self.hooks.flows.values()},
            "pending": self.hooks.pending(),
        }
