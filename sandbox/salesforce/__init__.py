"""A look-alike of a Salesforce organisation over HTTP on loopback."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.kit import Clock, Server
from sandbox.salesforce.org import SalesforceSandbox
from sandbox.salesforce.world import Actor, Settings

__all__ = ["Actor", "SalesforceSandbox", "Settings", "serve"]


def serve(
    port: int = 8082,
    webhook_url: str | None = None,
    *,
    clock: Clock | None = None,
    scale: float = 1.0,
    edition: str = "enterprise",
    seeded: bool = True,
    tell: Callable[[str], object] = print,
) -> None:
    """Serve one organisation on loopback until interrupted; ``tell`` gets what a person needs to know.

    ``webhook_url``: where outbound messages go when an opportunity enters a lost stage. ``scale`` stretches the gaps
    between their deliveries. ``port`` 0 takes a free one.
    """
    from sandbox.seed_salesforce import salesforce_past, salesforce_world

    if edition not in ("enterprise", "professional"):
        raise ValueError(f"edition is enterprise or professional, not {edition}")
    settings = Settings(edition="professional" if edition == "professional" else "enterprise")
    sandbox = SalesforceSandbox(clock=clock, scale=scale, settings=settings)
    if seeded:
        salesforce_past(sandbox, salesforce_world(sandbox))
    if webhook_url:
        sandbox.point_webhooks({"url": webhook_url})
    server = Server(sandbox.app, port)
    tell(f"Salesforce sandbox at {server.url} (organisation {sandbox.world.org_id})")
    tell(f"client_id {sandbox.client.id}  client_secret {sandbox.client.secret}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        tell("stopped")
    finally:
        sandbox.hooks.stop()
