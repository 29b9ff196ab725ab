"""Taking our parts out of the org again, and giving the access back (P-7A).

One deployment deletes what is named in ``destructiveChanges.xml``
(https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_deploy_deleting_files.htm). Deleted
fields can be restored within 15 days. Flows cannot be deleted while a version is active, and the API wants each version
by its number: they are left to a person's hand, and the outbound message that they call with them.
"""

from __future__ import annotations

from collections.abc import Sequence

from simple_salesforce.format import format_soql

from adapters.offers import Removal
from adapters.salesforce import parts
from adapters.salesforce.client import Client
from adapters.salesforce.deploying import Deployer
from adapters.salesforce.install import members, shown
from adapters.salesforce.mapping import OBJECTS
from adapters.salesforce.metadata import PERMISSION_SET, CustomField, Package, Piece
from adapters.salesforce.shape import describe, fields_of
from adapters.services import Services
from workflows.fields import FieldSpec

ROUNDS = 6
FLOWS = "flows and the outbound message"
BY_HAND = "deactivate and delete the flows Aurevoir_* (Setup > Flows), then the message (Setup > Outbound Messages)"
_GONE = ("no ", "not found", "does not exist")


def remove_app(client: Client, services: Services, ours: Sequence[FieldSpec], *, dry_run: bool) -> Removal:
    """See :meth:`adapters.offers.Leaving.remove_app`."""
    wanted = _there(client, ours)
    stays: dict[str, str] = {}
    if wanted:
        wanted = _deleted(client, services, wanted, stays, dry_run=dry_run)
    removed = tuple(shown(kind, member) for kind, names in sorted(wanted.items()) for member in sorted(names))
    stays[FLOWS] = BY_HAND
    stays["tasks, notes and files"] = "they are your history of these opportunities; delete them there if they must go"
    return Removal(removed, stays)


def _there(client: Client, ours: Sequence[FieldSpec]) -> dict[str, set[str]]:
    """What of ours is in the org, by type: all of it, or nothing that names our fields could be deleted."""
    described = {name: set(fields_of(each)) for name, each in describe(client).items()}
    fields = [CustomField(spec) for spec in ours]
    found = {"CustomField": {one.member for one in fields if one.name.lower() in described[OBJECTS[one.spec.record]]}}
    names = [PERMISSION_SET, parts.READER]
    soql = format_soql("SELECT Name FROM PermissionSet WHERE Name IN {}", names)
    sets = {str(row["Name"]) for row in client.query("look for the permission sets", soql)}
    found["PermissionSet"] = sets
    if parts.READER in sets:  # it came with the rest of the app
        app = Package(client.version, permission_set=False, list_views=parts.list_views(), pieces=_pieces())
        for kind, member in members(app):
            found.setdefault(kind, set()).add(member)
    return {kind: members for kind, members in found.items() if members}


def _pieces() -> tuple[Piece, ...]:
    """Parts to delete; it is by their names alone, so that the address of the sites does not matter."""
    return (*parts.reports(), *parts.component(), *parts.sites("https://aurevoir.invalid"))


def _deleted(
    client: Client, services: Services, wanted: dict[str, set[str]], stays: dict[str, str], *, dry_run: bool
) -> dict[str, set[str]]:
    """Delete it, without what the org refuses; what was deleted in the end, or for a dry run what it would let go."""
    deployer = Deployer(client, services, "remove the app")
    for _ in range(ROUNDS):
        package = Package(client.version, permission_set=False, destroyed=wanted)
        failures = deployer.deploy(package, check_only=True)
        if not failures and not dry_run:
            failures = deployer.deploy(package, check_only=False)
        if not failures:
            return wanted
        known = {member for members in wanted.values() for member in members}
        named = {one.member: one for one in failures if one.member in known}
        for one in named.values():
            if not one.problem.lower().startswith(_GONE):
                stays[shown(one.kind, one.member)] = f"{one.problem}: delete it in Setup"
        if not named:
            stays["the app"] = failures[0].problem
            return {}
        wanted = {kind: left for kind, members in wanted.items() if (left := members - set(named))}
        if not wanted:
            return {}
    stays["the app"] = "the org kept refusing: Setup > Deployment Status has the details"
    return {}


def sign_off(client: Client, *, dry_run: bool) -> Removal:
    """End the tokens; the app itself belongs to the org and stays."""
    if not dry_run:
        client.tokens.revoke()
    by_hand = "delete it in Setup > External Client App Manager, and the connector's user if nobody else needs them"
    return Removal(("the access tokens",), {"the External Client App": by_hand})
