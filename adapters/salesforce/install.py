"""The rest of the app in the org: reports, list views, rights to read, the part for the page, and push (outbound
message and flows), deployed through the Metadata API beside the fields of :mod:`adapters.salesforce.schema`.

Everything goes in one deployment, tried with ``checkOnly`` first; what the org refuses is left out, told, and tried
again at the next time. What was deployed is remembered by a digest, and the parts that matter are looked for in the
org: a second run deploys nothing, and what was taken away, or was half there, is put back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from simple_salesforce.format import format_soql

from adapters.errors import AdapterError, Permanent
from adapters.offers import APP_STATE, PackageOrder
from adapters.results import SchemaReport
from adapters.salesforce import parts
from adapters.salesforce.client import Client
from adapters.salesforce.deploying import Deployer, Failure, Follow
from adapters.salesforce.mapping import OBJECTS, our_field
from adapters.salesforce.metadata import CustomField, Package, Piece, custom_field
from adapters.salesforce.packaging import address_faults
from adapters.salesforce.settings import SalesforceSettings
from adapters.salesforce.shape import describe, fields_of
from adapters.services import Services
from workflows.fields import FIELDS
from workflows.said import Said

ROUNDS = 5
FLOWS = ("Aurevoir_Stage_Moved", "Aurevoir_Deal_Created")
KINDS = {
    "WorkflowOutboundMessage": Said("the outbound message %(name)s"),
    "Flow": Said("the flow %(name)s"),
    "PermissionSet": Said("the permission set %(name)s"),
    "ListView": Said("the list view %(name)s"),
    "ReportType": Said("the report type %(name)s"),
    "Report": Said("the report %(name)s"),
    "LightningComponentBundle": Said("the part for the record page %(name)s"),
    "RemoteSiteSetting": Said("the remote site %(name)s"),
    "CspTrustedSite": Said("the trusted site %(name)s"),
    "CustomField": Said("the field %(name)s"),
}
"""Parts in an admin's words, with their name."""
UNNAMED = Said("the app")
_SITES = {
    "RemoteSiteSetting": "SELECT EndpointUrl, IsActive FROM RemoteProxy WHERE SiteName = {}",
    "CspTrustedSite": "SELECT EndpointUrl, IsActive FROM CspTrustedSite WHERE DeveloperName = {}",
}
"""How the Tooling API is asked for a site."""


@dataclass(frozen=True)
class PushParts:
    """Looks for the parts of push in an org; a call each."""

    client: Client

    def messages(self) -> Sequence[Mapping[str, Any]]:
        """Our outbound message, if it is there."""
        soql = format_soql("SELECT Name FROM WorkflowOutboundMessage WHERE Name = {}", parts.MESSAGE)
        return self._tooling("look for the outbound message", soql)

    def flows(self) -> dict[str, bool]:
        """Which of our flows are there, and whether they are active."""
        soql = format_soql(
            "SELECT DeveloperName, ActiveVersionId FROM FlowDefinition WHERE DeveloperName IN {}", list(FLOWS)
        )
        rows = self._tooling("look for the flows", soql)
        return {str(row["DeveloperName"]): row.get("ActiveVersionId") is not None for row in rows}

    def site(self, kind: str) -> tuple[str, bool] | None:
        """The site of this type that is entered under our name: its address, and whether an admin switched it on.

        Orgs show these objects over the Tooling API, some of them over the other one as well or only; what both refuse
        raises :class:`~adapters.errors.Permanent`.
        https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_remoteproxy.htm
        """
        soql, operation = format_soql(_SITES[kind], parts.SITE), f"look for {shown(kind, parts.SITE)}"
        try:
            rows = self._tooling(operation, soql)
        except Permanent:
            rows = self.client.query(operation, soql)
        return next(((str(row["EndpointUrl"]), bool(row["IsActive"])) for row in rows), None)

    def _tooling(self, operation: str, soql: str) -> Sequence[Mapping[str, Any]]:
        answer = self.client.get(operation, f"tooling/query/?q={quote(soql)}")
        rows: Sequence[Mapping[str, Any]] = (answer or {}).get("records") or []
        return rows


@dataclass
class Install:
    """One run; see :meth:`adapters.offers.Installing.install_app`."""

    client: Client
    services: Services
    order: PackageOrder
    known: str
    follow: Follow
    refused: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    there: set[tuple[str, str]] = field(default_factory=set)
    """What the org had before, and was brought up to date."""

    def run(self, *, dry_run: bool) -> SchemaReport:
        """Look at what is there, and deploy what is not."""
        described = {name: set(fields_of(each)) for name, each in describe(self.client).items()}
        push = self._push()
        package = self._package(described, (*self._sites(), *push))
        names = [shown(kind, member) for kind, member in members(package)]
        digest = _digest(package)
        if digest == self.known and not self._missing(push):
            self._tell_flows(push)
            return SchemaReport(present=tuple(names), notes=tuple(self.notes), state={APP_STATE: digest})
        package = self._without_sites(package)
        if dry_run:
            missing = _missing_fields(described)
            package = self._tried(replace(package, fields=missing), check_only=True)
        else:
            package = self._tried(package, check_only=False)
            self._tell_flows(push)
        taken = [one for one in members(package) if one[0] != "CustomField"]
        kept = digest if not self.refused else ""
        return SchemaReport(
            created=tuple(shown(*one) for one in taken if one not in self.there),
            extended=tuple(shown(*one) for one in taken if one in self.there),
            refused=dict(self.refused),
            notes=tuple(self.notes),
            state={} if dry_run else {APP_STATE: kept},
        )

    # --- what belongs in the org ----------------------------------------------------------------------------------

    def _package(self, described: Mapping[str, set[str]], of_the_org: Sequence[Piece]) -> Package:
        """All but the fields: those are there already. Rights are given to those that are."""
        fields = [CustomField(spec) for spec in FIELDS]
        there = [each.shown for each in fields if each.name.lower() in described[OBJECTS[each.spec.record]]]
        granted = there or [each.shown for each in fields]
        return Package(
            version=self.client.version,
            permission_set=False,
            list_views=parts.list_views(),
            pieces=(parts.reader(granted), *parts.reports(), *parts.component(), *of_the_org),
        )

    def _sites(self) -> tuple[Piece, ...]:
        """Our address, where it is one that others can use."""
        url = self._url()
        return () if any(address_faults(url)) else parts.sites(url)

    def _url(self) -> str:
        return self.order.public_url.strip().rstrip("/")

    def _push(self) -> tuple[Piece, ...]:
        """The outbound message and the flows, where we can be reached and the org has a secret for it."""
        settings = self.order.account
        if not isinstance(settings, SalesforceSettings):
            raise TypeError("an app is installed for an account")
        url = self._url()
        if not settings.webhook_secret:
            self.notes.append(
                Said(
                    "the outbound message and its flows are left out, since the settings have no webhook_secret: "
                    "changes are found by polling until you set one and run this again"
                )
            )
            return ()
        if any(address_faults(url)):
            self.notes.append(
                Said(
                    "the outbound message and its flows are left out, since Salesforce cannot reach %(url)s: set "
                    "server.public_url to an https address on port 443 or 1024 to 65535, and run this again",
                    url=url,
                )
            )
            return ()
        endpoint = f"{url}/webhooks/salesforce/{settings.webhook_secrets[0]}"
        version = settings.api_version
        return (
            parts.outbound_message(version, endpoint, self._username()),
            *parts.flows(version, sorted(self.order.stage_ids)),
        )

    def _username(self) -> str:
        soql = format_soql("SELECT Username FROM User WHERE Id = {}", self.client.tokens.current().user_id)
        rows = self.client.query("look for the connector's user", soql)
        if not rows:
            raise Permanent(Said("Salesforce does not show us our own user"), account=self.client.account)
        return str(rows[0]["Username"])

    # --- what is there ----------------------------------------------------------------------------------------------

    def _without_sites(self, package: Package) -> Package:
        """The package without sites that are there with our address: whether they are switched on is an admin's choice.

        Deployed anew, they would be switched off again (P-7B).
        """
        kinds = sorted({piece.kind for piece in package.pieces} & set(_SITES))
        stay = {kind for kind in kinds if self._stays(kind)}
        return replace(package, pieces=tuple(piece for piece in package.pieces if piece.kind not in stay))

    def _stays(self, kind: str) -> bool:
        """Whether the site of this type is left as it is: there with our address, or not to be seen by us."""
        part, address = shown(kind, parts.SITE), parts.site_address(self._url())
        try:
            found = PushParts(self.client).site(kind)
        except Permanent as error:
            self.notes.append(
                Said(
                    "%(part)s is left as it is: %(message)s. If your own part needs it, enter %(address)s in Setup by "
                    "hand",
                    part=part,
                    message=error.message,
                    address=address,
                )
            )
            return True
        if found is None or _same_site(found[0], address):
            return found is not None
        if found[1]:
            self.notes.append(
                Said(
                    "%(part)s was switched on for %(former)s; it names %(address)s now and is switched off: "
                    "tick Active there again if your own part needs it",
                    part=part,
                    former=found[0],
                    address=address,
                )
            )
        return False

    def _missing(self, push: Sequence[Piece]) -> bool:
        """Whether a part that matters has gone since, or never came."""
        sets = self.client.query(
            "look for the permission set", format_soql("SELECT Id FROM PermissionSet WHERE Name = {}", parts.READER)
        )
        if not sets:
            return True
        there = PushParts(self.client)
        return bool(push) and (not there.messages() or set(there.flows()) != set(FLOWS))

    def _tell_flows(self, push: Sequence[Piece]) -> None:
        """Production takes flows that are deployed through the API inactive."""
        if not any(piece.kind == "Flow" for piece in push):
            return
        try:
            asleep = [name for name, active in PushParts(self.client).flows().items() if not active]
        except AdapterError as error:
            self.notes.append(
                Said("whether the flows are active could not be seen: %(message)s", message=error.message)
            )
            return
        if asleep:
            self.notes.append(
                Said(
                    "activate %(names)s (Setup > Flows): Salesforce takes flows into production inactive, and "
                    "until then changes are found by polling",
                    names=", ".join(sorted(asleep)),
                )
            )

    # --- deploying --------------------------------------------------------------------------------------------------

    def _tried(self, package: Package, *, check_only: bool) -> Package:
        """Check, leave out what is refused, check again, and deploy what is left; what was deployed in the end."""
        deployer = Deployer(self.client, self.services, "deploy the app", self.follow, self.there)
        for _ in range(ROUNDS):
            if not members(package):
                return package
            failures = deployer.deploy(package, check_only=True)
            if not failures and not check_only:
                failures = deployer.deploy(package, check_only=False)
            if not failures:
                return package
            package = self._without(package, failures)
        self.refused[UNNAMED] = Said("the org kept refusing: Setup > Deployment Status has the details")
        return replace(package, fields=(), list_views={}, pieces=())

    def _without(self, package: Package, failures: Sequence[Failure]) -> Package:
        """The package without what failed. What cannot be told by name takes everything along."""
        by_name = {one.member: one for one in failures}
        known = {member for _, member in members(package)}
        for one in failures:
            name = shown(one.kind, one.member) if one.member in known else UNNAMED
            self.refused.setdefault(name, one.problem)
        if not known & set(by_name):
            return replace(package, fields=(), list_views={}, pieces=())
        return replace(
            package,
            fields=tuple(each for each in package.fields if each.member not in by_name),
            list_views=_views_without(package.list_views, by_name),
            pieces=tuple(piece for piece in package.pieces if not set(piece.members) & set(by_name)),
        )


def members(package: Package) -> list[tuple[str, str]]:
    """Type and full name of everything in a package, each once."""
    found = [("CustomField", each.member) for each in package.fields]
    found += [
        ("ListView", f"{owner}.{view['fullName']}")
        for owner in package.list_views
        for view in package.list_views[owner]
    ]
    found += [(piece.kind, member) for piece in package.pieces for member in piece.members]
    return list(dict.fromkeys(found))


def shown(kind: str, member: str) -> str:
    """A part as an admin would call it."""
    name = re.sub(r"^[A-Za-z]+[.]", "", member) if kind != "CustomField" else member
    return Said(KINDS[kind], name=name) if kind in KINDS else f"{kind} {name}"


def _same_site(one: str, other: str) -> bool:
    return one.rstrip("/").lower() == other.rstrip("/").lower()


def _views_without(
    views: Mapping[str, Sequence[Mapping[str, Any]]], gone: Iterable[str]
) -> dict[str, Sequence[Mapping[str, Any]]]:
    gone = set(gone)
    kept = {
        owner: [view for view in of_owner if f"{owner}.{view['fullName']}" not in gone]
        for owner, of_owner in views.items()
    }
    return {owner: of_owner for owner, of_owner in kept.items() if of_owner}


def _missing_fields(described: Mapping[str, set[str]]) -> tuple[CustomField, ...]:
    """Fields that a trial needs along, since the other parts name them."""
    return tuple(
        custom_field(spec) for spec in FIELDS if our_field(spec.name).lower() not in described[OBJECTS[spec.record]]
    )


def _digest(package: Package) -> str:
    digest = hashlib.sha256()
    for path, content in sorted(package.files().items()):
        digest.update(path.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()
