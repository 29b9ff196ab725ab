"""A look-alike of HubSpot: one portal with its API, OAuth, webhooks and a few pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

from sandbox.hubspot.access import Access, current
from sandbox.hubspot.control import dump, extra_control, point, seed
from sandbox.hubspot.errors import ApiError, not_found, outage
from sandbox.hubspot.files import StoredFile, file_routes
from sandbox.hubspot.hooks import HubSpotHooks
from sandbox.hubspot.links import link_routes
from sandbox.hubspot.oauth import OAuth, OAuthApp, oauth_routes
from sandbox.hubspot.objects import object_routes
from sandbox.hubspot.search import search_routes
from sandbox.hubspot.setup import setup_routes
from sandbox.hubspot.views import Views
from sandbox.hubspot.world import Options, World
from sandbox.kit import Clock, Faults, Gate, Ledger, Server, control
from sandbox.pages import pages
from sandbox.seed_hubspot import hubspot_past, hubspot_world

__all__ = ["HubSpotSandbox", "OAuthApp", "Options", "serve"]

API = ("/crm/", "/files/", "/account-info/", "/appinstalls/", "/oauth/v2/private-apps/")
TOKENS = ("/oauth/v1/token", "/oauth/v3/token", "/oauth/2")
TOKEN = "pat-eu1-sandbox"  # noqa: S105 - a sandbox has no secrets
SECRET = "sandbox-client-secret"  # noqa: S105
LARGEST = 25 * 1024 * 1024


class _PortalFlask(Flask):
    """Answers one request at a time, since the world is one object. Faults happen outside, so delays hold up no one.

    All portals of a process share one map of routes: compiling it takes a tenth of a second.
    """

    world: World
    _routes: ClassVar[Map | None] = None

    def share_routes(self) -> None:
        """Take over the map of an earlier portal; :meth:`add_url_rule` then only registers the functions."""
        if _PortalFlask._routes is not None:
            self.url_map = _PortalFlask._routes

    def keep_routes(self) -> None:
        """Leave the finished map to later portals."""
        _PortalFlask._routes = self.url_map

    def add_url_rule(self, rule: str, endpoint: str | None = None, *args: Any, **more: Any) -> None:
        """Add a route, unless the shared map has it."""
        view = args[0] if args else more.get("view_func")
        if self.url_map is _PortalFlask._routes and endpoint is not None:
            if view is not None:
                self.view_functions[endpoint] = view
            return
        super().add_url_rule(rule, endpoint, *args, **more)

    def full_dispatch_request(self) -> Any:
        """Dispatch under the world's lock."""
        with self.world.lock:
            return super().full_dispatch_request()


class HubSpotSandbox(Views):
    """One portal. ``token`` is a private app's, with all scopes; ``app`` is the OAuth app that may be installed.

    ``scale`` multiplies the gaps between webhook retries. ``empty`` leaves out the seeded world.
    """

    vendor = "HubSpot"

    def __init__(
        self,
        clock: Clock | None = None,
        portal_id: str = "4242",
        *,
        token: str | None = TOKEN,
        app: OAuthApp | None = None,
        scale: float = 1.0,
        empty: bool = False,
    ) -> None:
        self.clock = clock or Clock()
        self.world = World(self.clock, portal_id)
        self.files: dict[str, StoredFile] = {}
        super().__init__(self.world, self.files)
        self.account = portal_id
        self.ledger, self.faults = Ledger(), Faults()
        self.access = Access(self.clock, self.world.time_zone)
        self.oauth = OAuth(self.access, portal_id, app or OAuthApp())
        self.hooks = HubSpotHooks(self.clock, portal_id, scale=scale)
        self.world.listeners.append(self.hooks.hear)
        if token:
            self.access.add_private_app(token)
        if not empty:
            hubspot_world(self.world)
        self.app = self._build()

    @property
    def options(self) -> Options:
        """Ways in which this portal differs."""
        return self.world.options

    def seed(self, records: Any) -> Any:
        """Add records, owners or options; see :func:`sandbox.hubspot.control.seed`."""
        return seed(self, records)

    def dump(self) -> Any:
        """Everything, as JSON."""
        return dump(self)

    def point_webhooks(self, options: Mapping[str, Any]) -> Any:
        """Where webhooks go; see :func:`sandbox.hubspot.control.point`."""
        return point(self, options)

    def _build(self) -> Flask:
        app = _PortalFlask("sandbox.hubspot", static_folder=None)
        app.world = self.world
        app.share_routes()
        app.config["MAX_CONTENT_LENGTH"] = LARGEST
        app.json.sort_keys = False  # type: ignore[attr-defined]
        for blueprint in (
            object_routes(self.world),
            search_routes(self.world),
            link_routes(self.world),
            setup_routes(self.world),
            file_routes(self.world, self.files),
            oauth_routes(self.oauth),
            control(self),
            extra_control(self),
            pages(self),
        ):
            app.register_blueprint(blueprint)
        app.keep_routes()
        app.before_request(self._guard)
        app.after_request(self._stamp)
        app.register_error_handler(ApiError, _refuse)
        app.register_error_handler(HTTPException, _http)
        app.wsgi_app = Gate(  # type: ignore[method-assign]
            app,
            clock=self.clock,
            ledger=self.ledger,
            faults=self.faults,
            api=API,
            tokens=TOKENS,
            error_body=outage,
        )
        return app

    def _guard(self) -> None:
        if request.path.startswith(API):
            search = request.path.startswith("/crm/") and request.path.endswith("/search")
            self.access.meter(self.access.authenticate(), search=search)

    def _stamp(self, response: Any) -> Any:
        held = current()
        search = request.path.startswith("/crm/") and request.path.endswith("/search")
        if held is not None and not search:
            response.headers.update(self.access.headers(held))
        return response


def _refuse(error: ApiError) -> ResponseReturnValue:
    return error.body(), error.status


def _http(error: HTTPException) -> ResponseReturnValue:
    if not request.path.startswith(API + TOKENS):
        return error.get_response()
    if error.code == 404:
        return not_found(f"Unable to find {request.method} {request.path}").body(), 404
    return ApiError(error.code or 500, str(error.description)).body(), error.code or 500


def serve(
    port: int = 0,
    webhook_url: str | None = None,
    *,
    secret: str = SECRET,
    now: datetime | None = None,
    scale: float = 1.0,
    token: str = TOKEN,
    portal_id: str = "4242",
) -> None:
    """Serve a seeded portal on loopback until interrupted, and say where.

    ``webhook_url`` is where its webhooks go, signed with ``secret``; ``now`` sets its clock.
    """
    sandbox = HubSpotSandbox(Clock(now), portal_id, token=token, scale=scale)
    hubspot_past(sandbox.world)
    if webhook_url:
        sandbox.point_webhooks({"url": webhook_url, "secret": secret})
    server = Server(sandbox.app, port)
    print(  # noqa: T201 - the person who started it reads this
        f"HubSpot sandbox, account {portal_id}: {server.url}\n  access token  {token}\n  client secret {secret}",
        flush=True,
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        sandbox.hooks.stop()
