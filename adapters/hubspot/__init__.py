"""The HubSpot adapter; see README.md for its limits and quirks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from adapters.hubspot import asks, project, webhooks
from adapters.hubspot.oauth import HubSpotConsent
from adapters.hubspot.settings import HubSpotSettings
from adapters.offers import Ask, BrowserConsent, PackageOrder
from adapters.port import Adapter, Crm
from adapters.results import Said
from adapters.services import FieldMap, Services
from adapters.signals import Receipt, WebhookAccount, WebhookRequest


class HubSpotAdapter:
    """The adapter behind the entry point."""

    name = "hubspot"
    label = "HubSpot"
    where_account_id = Said("In HubSpot, open the menu of your account at the top right: the number stands there.")
    settings_model: type[BaseModel] = HubSpotSettings
    package_options: Mapping[str, str] = project.OPTIONS
    consent: BrowserConsent = HubSpotConsent()
    by_hand: Mapping[str, str] = {
        "in HubSpot: our properties": (
            "Settings > Properties, for deals, contacts, companies and tasks: those whose names begin with aurevoir_ "
            "can be archived there"
        ),
        "in HubSpot: the app": "Settings > Integrations > Connected apps, or Private apps: uninstall or delete it",
        "in HubSpot: notes and tasks that are done": "your history; filter tasks by their titles to delete them",
    }

    def connect(
        self,
        account: str,
        account_id: str,
        settings: Any,
        fields: FieldMap,
        services: Services,
        *,
        state: Mapping[str, str],
    ) -> Crm:
        """Make a connection; calls nothing yet."""
        from adapters.hubspot.adapter import HubSpotCrm  # brings the vendor's client: a receiver does without it

        return HubSpotCrm(account, account_id, settings, fields, services, state)

    def webhook_secrets(self, settings: Any) -> tuple[str, ...]:
        """The app's client secrets; HubSpot signs with them."""
        return tuple(secret.get_secret_value() for secret in settings.client_secret)

    def receive(self, request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Receipt:
        """Verify and parse a delivery."""
        return webhooks.receive(request, accounts)

    def asked_for_card(self, request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Ask:
        """The card on a deal's page."""
        return asks.asked_for_card(request, accounts)

    def asked_to_start(self, request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Ask:
        """The workflow action "Start an offboarding"."""
        return asks.asked_to_start(request, accounts)

    def package(self, order: PackageOrder, out: Path) -> Sequence[Path]:
        """The project that `hs project upload` takes."""
        return project.package(order, out)

    def same_account(self, one: str, other: str) -> bool:
        """HubSpot account ids are plain numbers."""
        return one.strip().lstrip("0") == other.strip().lstrip("0")


ADAPTER: Adapter = HubSpotAdapter()
