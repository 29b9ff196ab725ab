"""The check-up of the public address: whether it leads here, and how its certificate stands (P-73)."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from adapters.results import Finding, Level, Said

SUBJECT = "public address"
TIMEOUT_SECONDS = 5.0
EXPIRES_SOON = timedelta(days=14)
LARGEST = 4096
EXAMPLES = (".example.com", ".example.org", ".example.net")
"""Names under which nobody can ever be reached (RFC 2606); one stands in a new file of settings."""


def is_example(url: str) -> bool:
    """Whether the address is one of those that stand in examples."""
    return f".{urlsplit(url).hostname or ''}".endswith(EXAMPLES)


def check_address(url: str, now: datetime, context: ssl.SSLContext | None = None) -> Iterator[Finding]:
    """Ask ``/healthz`` there, as the outside would. What fails because of the network alone is no fault.

    A network may keep its own machines from its public address, and a certificate for names of a company's own may be
    good elsewhere; a certificate that has ended, or is for another name, is good nowhere.
    """
    parts = urlsplit(url)
    if is_example(url):
        text = Said("%(url)s is the example's address: every link in tasks and surveys would lead nowhere.", url=url)
        yield Finding(SUBJECT, Level.FAULT, text, Said("Set server.public_url to your own address, then restart."))
        return
    secure = parts.scheme == "https"
    try:
        answer, ends = _ask(url, context if context is not None else ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        reason = getattr(error, "verify_message", "") or str(error)
        remedy = Said("Let the proxy send a certificate for this name, with its whole chain, and renew it in time.")
        text = Said("that of %(host)s is not accepted: %(why)s.", host=parts.hostname, why=reason)
        yield Finding("certificate", Level.FAULT, text, remedy)
        return
    except (OSError, http.client.HTTPException) as error:
        yield Finding(
            SUBJECT,
            Level.WARNING,
            Said("%(url)s does not answer this machine (%(why)s).", url=url, why=_words(error)),
            Said(
                "Is `aurevoir serve` running, and the proxy? If your network hides its own address from inside, look "
                "from outside: %(url)s/healthz",
                url=url,
            ),
        )
        return
    yield _reached(url, answer)
    if secure and ends is not None:
        yield _certificate(ends, now)
    elif not secure:
        text = Said(
            "%(url)s has no encryption: CRMs send nothing there, and customers' answers could be read on the way.",
            url=url,
        )
        remedy = Said("Serve it under https and set server.public_url to that.")
        yield Finding("certificate", Level.FAULT, text, remedy)


def _ask(url: str, context: ssl.SSLContext) -> tuple[tuple[int, bytes], datetime | None]:
    """Status and body of ``/healthz``, and the moment at which the certificate ends. No proxy, no redirect."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    made: http.client.HTTPConnection
    if parts.scheme == "https":
        made = http.client.HTTPSConnection(host, parts.port or 443, timeout=TIMEOUT_SECONDS, context=context)
    else:
        made = http.client.HTTPConnection(host, parts.port or 80, timeout=TIMEOUT_SECONDS)
    try:
        made.connect()
        ends = None
        if isinstance(made.sock, ssl.SSLSocket):
            told = (made.sock.getpeercert() or {}).get("notAfter")
            ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told)), UTC) if told else None
        made.request("GET", f"{parts.path.rstrip('/')}/healthz", headers={"User-Agent": "aurevoir check"})
        answer = made.getresponse()
        return (answer.status, answer.read(LARGEST)), ends
    finally:
        made.close()


def _reached(url: str, answer: tuple[int, bytes]) -> Finding:
    status, body = answer
    try:
        ours = status == 200 and json.loads(body).get("status") == "alive"
    except (ValueError, AttributeError):
        ours = False
    if ours:
        return Finding(SUBJECT, Level.OK, Said("%(url)s leads here", url=url))
    if status in (502, 503, 504):
        text = Said("%(url)s leads to a proxy that does not reach us (status %(status)d).", url=url, status=status)
        return Finding(SUBJECT, Level.WARNING, text, Said("Is `aurevoir serve` running where the proxy looks for it?"))
    text = Said(
        "%(url)s/healthz answers with status %(status)d, and not as this installation does.", url=url, status=status
    )
    remedy = Said(
        "Let the proxy pass all paths on to server.listen unchanged, without redirects; or correct public_url."
    )
    return Finding(SUBJECT, Level.FAULT, text, remedy)


def _certificate(ends: datetime, now: datetime) -> Finding:
    days = (ends - now).days
    if ends - now > EXPIRES_SOON:
        return Finding("certificate", Level.OK, Said("good for %(days)d more days", days=days))
    text = Said(
        "ends on %(day)s, in %(days)d days; without it no CRM and no customer gets through.",
        day=f"{ends:%Y-%m-%d}",
        days=max(days, 0),
    )
    return Finding("certificate", Level.WARNING, text, Said("Renew it, and see why that did not happen by itself."))


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return Said("no answer within %(seconds)d s", seconds=TIMEOUT_SECONDS)
    if isinstance(error, socket.gaierror):
        return Said("its name is not known")
    if isinstance(error, ConnectionRefusedError):
        return Said("nothing listens there")
    return getattr(error, "strerror", None) or type(error).__name__
