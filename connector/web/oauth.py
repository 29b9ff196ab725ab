"""The browser's part of connecting an account: away to the CRM, and back with its answer.

Nothing of the answer is shown, logged or kept but what it was exchanged for. See :mod:`connector.consent`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from adapters.errors import ConsentTrouble
from connector.consent import ATTEMPT, Consents, NotConnected, Wrong
from connector.store import accounts
from connector.web.runtime import Runtime

COOKIE = "aurevoir_connect"
_STATUS = {
    Wrong.AWAY: 503,
    Wrong.BOUND: 409,
    Wrong.ACCOUNT: 409,
    ConsentTrouble.DENIED: 403,
    ConsentTrouble.SCOPES: 403,
}


def make_blueprint(runtime: Runtime) -> Blueprint:
    """``/oauth/<crm>/install`` and ``/oauth/<crm>/callback``."""
    blueprint = Blueprint("oauth", __name__)
    consents = Consents(runtime)
    public_url = urlsplit(runtime.settings.server.public_url)

    def keep(response: Response, browser: str) -> Response:
        """SameSite=Lax: the CRM sends the browser back by a link, and forms of other sites do without the cookie."""
        response.set_cookie(
            COOKIE,
            browser,
            max_age=int(ATTEMPT.total_seconds()),
            path=f"{public_url.path.rstrip('/')}/oauth/",
            secure=public_url.scheme == "https",
            httponly=True,
            samesite="Lax",
        )
        return response

    @blueprint.get("/oauth/<crm>/install")
    def install(crm: str) -> ResponseReturnValue:
        name, key = request.args.get("account", ""), request.args.get("key", "")
        try:
            begun = consents.begin(_known(runtime, crm), name, key, request.cookies.get(COOKIE))
        except NotConnected as failed:
            return _failed(runtime, crm, failed)
        return keep(make_response(redirect(begun.url, 302)), begun.browser)

    @blueprint.get("/oauth/<crm>/callback")
    def callback(crm: str) -> ResponseReturnValue:
        try:
            account = consents.finish(_known(runtime, crm), request.args, request.cookies.get(COOKIE))
        except NotConnected as failed:
            return _failed(runtime, crm, failed)
        with runtime.store.read() as session:
            row = accounts.get(session, account.name)
        return render_template(
            "connected.html",
            account=account.name,
            account_id=account.account_id,
            crm=account.adapter.label,
            switched_on=row is not None and row.started_at is not None,
        )

    return blueprint


def _known(runtime: Runtime, crm: str) -> str:
    if crm not in runtime.adapters:
        abort(404)
    return crm


def _failed(runtime: Runtime, crm: str, failed: NotConnected) -> ResponseReturnValue:
    html = render_template(
        "not_connected.html",
        what=failed.what.value,
        account=failed.account,
        crm=runtime.adapters[crm].label,
        redirect_uri=f"{runtime.settings.server.public_url}/oauth/{crm}/callback",
        **({"found": "", "wanted": "", "other": "", "missing": ()} | failed.names),
    )
    return html, _STATUS.get(failed.what, 400)
