"""The organisation over HTTP: the API below ``/services``, the control API, and pages for people."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from flask import Blueprint, Flask, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.routing import Map

from sandbox.kit import count_records
from sandbox.salesforce.api import VERSIONS, Answer, Api, Call, encode
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.oauth import OAuth, OAuthError
from sandbox.salesforce.world import World

MAX_URI = 16_384
_DAY = timedelta(hours=24)


class Usage:
    """Calls of the last 24 hours, a rolling window on the sandbox's clock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._times: deque[datetime] = deque()

    def add(self) -> bool:
        """Count one more call; False when the day's allowance is used up."""
        with self._world.lock:
            used, limit = self.now()
            if used >= limit:
                return False
            self._times.append(self._world.clock.now())
            return True

    def now(self) -> tuple[int, int]:
        """Used and allowed."""
        now = self._world.clock.now()
        with self._world.lock:
            while self._times and now - self._times[0] > _DAY:
                self._times.popleft()
            return len(self._times), self._world.settings.daily_limit


def error_body(status: int) -> tuple[Any, Mapping[str, str]]:
    """What the vendor's servers send with a status when the fault plan says only that."""
    bodies: dict[int, tuple[str, str]] = {
        401: ("INVALID_SESSION_ID", "Session expired or invalid"),
        403: ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        404: ("NOT_FOUND", "The requested resource does not exist"),
        410: ("UNSUPPORTED_API_VERSION", "API version no longer supported"),
        500: (
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred. Please include this ErrorId if you contact support: 0000000000-00000 (0)",
        ),
    }
    if status in (502, 503, 504):
        return "<html><body>Service Unavailable</body></html>", {}
    code, message = bodies.get(status, ("UNKNOWN_EXCEPTION", "An unexpected error occurred."))
    return [{"message": message, "errorCode": code}], {}


def api_routes(world: World, api: Api, oauth: OAuth, usage: Usage) -> Blueprint:
    """Everything below ``/services``."""
    routes = Blueprint("services", __name__)

    @routes.get("/services/data/")
    @routes.get("/services/data")
    def versions() -> ResponseReturnValue:
        known = [{"label": f"v{each}", "url": f"/services/data/v{each}.0", "version": f"{each}.0"} for each in VERSIONS]
        return Response(json.dumps(known), content_type="application/json;charset=UTF-8")

    @routes.route(
        "/services/data/v<version>", defaults={"path": ""}, methods=["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"]
    )
    @routes.route("/services/data/v<version>/<path:path>", methods=["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"])
    def data(version: str, path: str) -> ResponseReturnValue:
        try:
            answer = _data(world, api, oauth, usage, version, path)
        except ApiError as error:
            answer = Answer(error.status, error.body())
        count_records(answer.records)
        headers = {"Content-Type": "application/json;charset=UTF-8", **answer.headers}
        if answer.status not in (401, 410):
            used, limit = usage.now()
            headers["Sforce-Limit-Info"] = f"api-usage={used}/{limit}"
        return Response(b"" if answer.body is None else encode(answer.body), answer.status, headers)

    @routes.get("/lightning/r/<name>/<record_id>/view")
    def record_page(name: str, record_id: str) -> ResponseReturnValue:
        kinds = {"Opportunity": "deals", "Account": "companies", "Contact": "contacts"}
        return redirect(f"/{kinds[name]}/{record_id}" if name in kinds else "/tasks")

    _oauth_routes(routes, world, oauth)
    return routes


def _data(world: World, api: Api, oauth: OAuth, usage: Usage, version: str, path: str) -> Answer:
    if len(request.full_path) > MAX_URI:
        raise ApiError("URI_TOO_LONG", "The length of the URI exceeds the 16,384-byte limit", status=414)
    number = version.removesuffix(".0")
    if not number.isdigit() or int(number) not in VERSIONS:
        if number.isdigit() and 0 < int(number) < VERSIONS.start:
            raise ApiError("UNSUPPORTED_API_VERSION", "API version no longer supported")
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    actor = oauth.authenticate(request.headers.get("Authorization"))
    if not world.settings.api_enabled:
        raise ApiError("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")
    if not usage.add():
        raise ApiError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    body, files = _body()
    call = Call(
        method=request.method,
        path="/" + unquote(path),
        args=request.args.to_dict(),
        headers=dict(request.headers),
        actor=actor,
        base=f"/services/data/v{number}.0",
        body=body,
        files=files,
    )
    return api.handle(call)


def _body() -> tuple[Any, dict[str, bytes]]:
    if request.method in ("GET", "HEAD", "DELETE"):
        return None, {}
    if request.mimetype == "multipart/form-data":
        files = {name: part.read() for name, part in request.files.items()}
        return _json(request.form.get("json", "") or files.pop("json", b"").decode()), files
    if request.mimetype != "application/json":
        raise ApiError("UNSUPPORTED_MEDIA_TYPE", f"Content type is not supported: {request.mimetype or '(none)'}")
    return _json(request.get_data(as_text=True)), {}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ApiError("JSON_PARSER_ERROR", f"Unexpected content in the request body: {error}") from error


def _oauth_routes(routes: Blueprint, world: World, oauth: OAuth) -> None:
    @routes.errorhandler(OAuthError)
    def refused(error: OAuthError) -> ResponseReturnValue:
        return error.body, error.status

    def basic() -> tuple[str, str] | None:
        auth = request.authorization
        return (auth.username or "", auth.password or "") if auth is not None and auth.type == "basic" else None

    @routes.post("/services/oauth2/token")
    def token() -> ResponseReturnValue:
        return oauth.token(request.form, basic(), request.host_url.rstrip("/"))

    @routes.post("/services/oauth2/introspect")
    def introspect() -> ResponseReturnValue:
        return oauth.introspect(request.form, basic())

    @routes.route("/services/oauth2/revoke", methods=["GET", "POST"])
    def revoke() -> ResponseReturnValue:
        if not oauth.revoke(request.values.get("token", "")):
            raise OAuthError("unsupported_token_type", "this token type is not supported")
        return "", 200

    _browser_routes(routes, world, oauth)
    _identity_routes(routes, world, oauth)


def _browser_routes(routes: Blueprint, world: World, oauth: OAuth) -> None:
    @routes.get("/services/oauth2/authorize")
    def authorize() -> ResponseReturnValue:
        client = oauth.check_authorize(request.args)
        refusal = oauth.refusal(client, request.args)
        if refusal is not None:
            return redirect(oauth.send_back(request.args, refusal))
        users = [row for row in world.rows("User") if row["IsActive"]]
        return render_template("salesforce/authorize.html", client=client, users=users, org=_organization(world))

    @routes.post("/services/oauth2/authorize")
    def decide() -> ResponseReturnValue:
        client = oauth.check_authorize(request.args)
        refusal = oauth.refusal(client, request.args)
        if refusal is None and request.form.get("answer") != "allow":
            refusal = {"error": "access_denied", "error_description": "end-user denied authorization"}
        user = world.find(request.form.get("user", ""))
        if refusal is None and (user is None or not user.get("IsActive")):
            refusal = {"error": "access_denied", "error_description": "user is not active"}
        values = refusal or oauth.approve(client, request.args, request.form["user"])
        return redirect(oauth.send_back(request.args, values))


def _identity_routes(routes: Blueprint, world: World, oauth: OAuth) -> None:
    @routes.get("/services/oauth2/userinfo")
    @routes.get("/id/<org>/<user>")
    def identity(**_: str) -> ResponseReturnValue:
        try:
            actor = oauth.authenticate(request.headers.get("Authorization"))
        except ApiError:
            return "Bad_OAuth_Token", 403
        user = world.find(actor.user_id) or {}
        return {
            "id": f"https://login.salesforce.com/id/{world.org_id}/{actor.user_id}",
            "organization_id": world.org_id,
            "user_id": actor.user_id,
            "username": user.get("Username"),
            "display_name": user.get("Name"),
            "email": user.get("Email"),
            "active": user.get("IsActive"),
        }


def _organization(world: World) -> Mapping[str, Any]:
    return next(iter(world.tables["Organization"].values()))


class _OrgFlask(Flask):
    """All organisations of a process have the same routes, so the map is compiled once and shared."""

    _routes: ClassVar[Map | None] = None

    def add_url_rule(self, rule: str, endpoint: str | None = None, *args: Any, **more: Any) -> None:
        """Add a route, unless the shared map has it already: then only its function."""
        view = args[0] if args else more.get("view_func")
        if self.url_map is not _OrgFlask._routes or endpoint is None:
            super().add_url_rule(rule, endpoint, *args, **more)
        elif view is not None:
            self.view_functions[endpoint] = view

    def build(self, blueprints: Sequence[Blueprint]) -> None:
        """Register everything, into an earlier organisation's map where there is one."""
        if _OrgFlask._routes is not None:
            self.url_map = _OrgFlask._routes
        for each in blueprints:
            self.register_blueprint(each)
        _OrgFlask._routes = self.url_map


def make_app(world: World, api: Api, oauth: OAuth, usage: Usage, *more: Blueprint) -> Flask:
    """The Flask application."""
    app = _OrgFlask("sandbox", root_path=str(Path(__file__).parent.parent), static_folder=None)
    app.build([api_routes(world, api, oauth, usage), *more])
    return app
