"""Taking our properties away again, and giving the access back (P-7A).

Archived properties can be restored within 90 days; their values come back with them
(https://knowledge.hubspot.com/properties/archive-and-restore-properties).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.errors import NotFound, Permanent
from adapters.hubspot.client import Client, Op
from adapters.hubspot.mapping import OBJECTS
from adapters.hubspot.schema import GROUP, GROUPS, LIST
from adapters.hubspot.settings import HubSpotSettings
from adapters.hubspot.values import own
from adapters.offers import Removal
from workflows.fields import FieldSpec
from workflows.records import RecordKind

ARCHIVE = Op("crm.properties.core_api", "archive")
ARCHIVE_GROUP = Op("crm.properties.groups_api", "archive")
RAW = Op("crm.owners.owners_api", "call_api", label="uninstall the app")

HISTORY = "tasks and notes"


def remove_app(client: Client, ours: Sequence[FieldSpec], *, dry_run: bool) -> Removal:
    """See :meth:`adapters.offers.Leaving.remove_app`."""
    removed: list[str] = []
    stays: dict[str, str] = {}
    for kind in dict.fromkeys(spec.record for spec in ours if spec.record in OBJECTS):
        names = {own(spec.name) for spec in ours if spec.record == kind}
        there = {str(each.get("name")) for each in client.call(LIST, OBJECTS[kind]).body.get("results") or []}
        for name in sorted(names & there):
            shown = f"{OBJECTS[kind]}.{name}"
            why = None if dry_run else _archived(client, kind, name)
            if why is None:
                removed.append(shown)
            else:
                stays[shown] = f"{why}: archive it in Settings > Properties"
        if not dry_run and kind not in GROUPS and not any(name.startswith(OBJECTS[kind]) for name in stays):
            _try(client, ARCHIVE_GROUP, OBJECTS[kind], GROUP)
    stays[HISTORY] = "they are your history of these deals; filter tasks by their titles to delete them"
    stays["webhooks, card and workflow action"] = "they go with the app when it is uninstalled or deleted"
    return Removal(tuple(removed), stays)


def _archived(client: Client, kind: RecordKind, name: str) -> str | None:
    """Archive one property; why not, or None."""
    return _try(client, ARCHIVE, OBJECTS[kind], name)


def _try(client: Client, op: Op, *args: Any) -> str | None:
    try:
        client.call(op, *args)
    except NotFound:
        return None
    except Permanent as error:
        return error.message
    return None


def sign_off(client: Client, settings: HubSpotSettings, *, dry_run: bool) -> Removal:
    """Uninstall the app where it was connected in the browser: its tokens, webhooks and card end with it.

    ``DELETE /appinstalls/<version>/external-install``, https://developers.hubspot.com/docs/api-reference
    """
    if settings.access_token is not None:
        by_hand = "the token of the settings: delete its app in Settings > Integrations, or rotate the token there"
        return Removal((), {"access token": by_hand})
    version = "v3" if settings.api_version == "classic" else settings.api_version
    if not dry_run:
        client.call(RAW, f"/appinstalls/{version}/external-install", "DELETE", auth_settings=["oauth2"])
    return Removal(("the app, with its tokens, webhooks and card",))
