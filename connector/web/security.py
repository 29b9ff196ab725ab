"""Manners that hold for every answer: headers, and the path under which a proxy shows us."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, Response, request
from secure import (
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    Secure,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ONE_YEAR = 365 * 24 * 3600
ONE_HOUR = 3600


def protect(app: Flask, public_url: str) -> None:
    """Put the security headers on every answer; pages are neither kept by caches nor found by search engines."""
    headers = _headers(https=urlsplit(public_url).scheme == "https")

    @app.after_request
    def _protect(response: Response) -> Response:
        headers.set_headers(response)
        response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        if request.endpoint == "static":
            response.headers["Cache-Control"] = f"public, max-age={ONE_HOUR}"
        else:
            response.headers["Cache-Control"] = "no-store"
        return response


def _headers(*, https: bool) -> Secure:
    """No script runs and nothing is loaded from elsewhere, so that an answer shown back can do nothing."""
    policy = (
        ContentSecurityPolicy()
        .default_src("'none'")
        .style_src("'self'")
        .img_src("'self'")
        .form_action("'self'")
        .base_uri("'none'")
        .frame_ancestors("'none'")
    )
    return Secure(
        csp=policy,
        coop=CrossOriginOpenerPolicy().same_origin(),
        corp=CrossOriginResourcePolicy().same_origin(),
        hsts=StrictTransportSecurity().max_age(ONE_YEAR) if https else None,
        permissions=PermissionsPolicy().geolocation().microphone().camera(),
        referrer=ReferrerPolicy().no_referrer(),
        xcto=XContentTypeOptions().nosniff(),
        xfo=XFrameOptions().deny(),
    )


def put_under_path(app: Flask, public_url: str) -> None:
    """Serve the application under the path of the public address, if that has one."""
    if path := urlsplit(public_url).path.rstrip("/"):
        app.wsgi_app = UnderPath(app.wsgi_app, path)  # type: ignore[method-assign]  # Flask's documented way


class UnderPath:
    """Serves the application under the path of the public address, whether or not the proxy takes that path off."""

    def __init__(self, application: WSGIApplication, path: str) -> None:
        self._application = application
        self._path = path

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if path == self._path or path.startswith(self._path + "/"):
            environ["PATH_INFO"] = path[len(self._path) :]
        environ["SCRIPT_NAME"] = self._path
        return self._application(environ, start_response)
