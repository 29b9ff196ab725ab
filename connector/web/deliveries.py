"""What requests from a CRM have in common: how they come in, and whom they can be proven for."""

from __future__ import annotations

from flask import abort, request
from werkzeug.exceptions import BadRequest

from adapters.port import Adapter
from adapters.signals import WebhookAccount, WebhookRequest
from connector.web.runtime import Runtime


def delivery(runtime: Runtime, secret: str | None = None) -> WebhookRequest:
    """The request as it came; its address from the settings, since a proxy may show us another one."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        abort(415, "send the body without Content-Encoding")
    try:
        body = request.get_data(cache=False)
    except (OSError, ValueError) as error:  # a body that ends early, or chunks that are none
        raise BadRequest("the body could not be read") from error
    query = request.query_string.decode("latin-1")
    return WebhookRequest(
        method=request.method,
        url=f"{runtime.settings.server.public_url}{request.path}{'?' if query else ''}{query}",
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        received_at=runtime.clock.now(),
        secret=secret,
    )


def provable_accounts(runtime: Runtime, adapter: Adapter, crm: str) -> list[WebhookAccount]:
    """The accounts of this CRM that a delivery can be proven for."""
    return [
        WebhookAccount(account.name, account.account_id, secrets)
        for account in runtime.accounts.values()
        if account.config.crm == crm and (secrets := adapter.webhook_secrets(account.config.vendor))
    ]
