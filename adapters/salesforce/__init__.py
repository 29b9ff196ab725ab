"""The Salesforce adapter; see README.md for its limits and quirks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from adapters.errors import Rejected
from adapters.offers import BrowserConsent, PackageOrder
from adapters.port import Adapter, Crm
from adapters.results import Said
from adapters.salesforce import mapping, packaging, webhooks
from adapters.salesforce.consent import SalesforceConsent
from adapters.salesforce.settings import SalesforceSettings
from adapters.services import FieldMap, Services
from adapters.signals import Receipt, WebhookAccount, WebhookRequest


class SalesforceAdapter:
    """The object behind the entry point; see :class:`adapters.port.Adapter`."""

    name = "salesforce"
    label = "Salesforce"
    where_account_id = Said(
        "In Salesforce, open Setup > Company Information: the organization ID, of 15 or 18 characters."
    )
    settings_model: type[BaseModel] = SalesforceSettings
    package_options: Mapping[str, str] = packaging.OPTIONS
    consent: BrowserConsent = SalesforceConsent()
    by_hand: Mapping[str, str] = {
        "in Salesforce: flows and the outbound message": (
            "deactivate and delete the flows Aurevoir_* (Setup > Flows), then the message (Setup > Outbound Messages)"
        ),
        "in Salesforce: our fields": (
            "Setup > Object Manager, for Opportunity, Account, Contact and Activity: those whose names begin with "
            "Aurevoir_, after the reports, list views and page parts that show them"
        ),
        "in Salesforce: permission sets and the app": (
            "Setup > Permission Sets and Setup > External Client App Manager: delete Aurevoir there"
        ),
        "in Salesforce: notes, files and tasks that are done": "your history; delete them there if they must go",
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
        """Make a connection; calls nothing yet.

        Raises :class:`Rejected` for a mapped field whose name cannot be one.
        """
        mapped = (*fields.of_deal(), fields.language, *(name for _, name in fields.figures))
        for name in mapped:
            try:
                mapping.checked_field(name or "Id")
            except ValueError as error:
                raise Rejected(str(error), field=name, account=account, operation="connect") from error
        from adapters.salesforce.adapter import SalesforceCrm  # brings the SDK: a receiver does without it

        return SalesforceCrm(account, account_id, settings, fields, services, state)

    def webhook_secrets(self, settings: Any) -> tuple[str, ...]:
        """The secrets in the addresses of this account's outbound messages."""
        secrets: tuple[str, ...] = settings.webhook_secrets
        return secrets

    def receive(self, request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Receipt:
        """Verify and parse an outbound message."""
        return webhooks.receive(request, accounts)

    def package(self, order: PackageOrder, out: Path) -> Sequence[Path]:
        """Packages for the Metadata API and an SFDX project, for one org."""
        return packaging.package(order, out)

    def same_account(self, one: str, other: str) -> bool:
        """Whether two organisation ids, of 15 or 18 characters, are the same."""
        return mapping.same_id(one, other)


ADAPTER: Adapter = SalesforceAdapter()
