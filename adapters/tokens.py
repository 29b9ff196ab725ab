"""One refresher for an account's token, over all threads and processes.

A refresh token may be good once only: two that use it at the same time lose the connection. So whoever needs a new
token takes the store's lock, reads again, and goes to the CRM only if nobody else has been there; what the CRM answers
is stored before it is used. A consent that has ended is remembered, so that we stop asking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.errors import ConsentEnded
from adapters.services import Services, Token
from workflows.said import Said

ENDED = "ended_at"
"""The fact that keeps the moment at which the CRM said that the consent has ended."""
ASK_AGAIN_AFTER = timedelta(hours=12)
"""A CRM may err: so long after it said that, one more attempt is made."""


def newest(
    account: str,
    label: str,
    services: Services,
    *,
    good: Callable[[Token], bool],
    fetch: Callable[[Token | None], Token],
) -> tuple[Token, bool]:
    """The stored token if it is ``good`` by now, else what ``fetch`` brings, stored; and whether it was fetched.

    Raises :class:`~adapters.errors.ConsentEnded` without a call while the consent is known to have ended, and
    whatever ``fetch`` raises.
    """
    with services.tokens.lock():
        token = services.tokens.load()
        if token is not None and good(token):
            return token, False
        ended = token.facts.get(ENDED) if token is not None else None
        if ended is not None and services.now() - datetime.fromisoformat(ended) < ASK_AGAIN_AFTER:
            raise consent_ended(account, label)
        try:
            fresh = fetch(token)
        except ConsentEnded:
            if token is not None:
                services.tokens.save(replace(token, facts={**token.facts, ENDED: services.now().isoformat()}))
            raise
        services.tokens.save(fresh)
        return fresh, True


def has_ended(token: Token) -> bool:
    """Whether the CRM said that the consent behind this token has ended."""
    return ENDED in token.facts


def consent_ended(account: str, label: str, status: int | None = None) -> ConsentEnded:
    """The consent was taken back, in words for an admin."""
    return ConsentEnded(
        Said(
            "%(label)s has ended this connection (the app was uninstalled there, or its access revoked): "
            "connect the account again with `aurevoir connect %(account)s`; nothing that happens meanwhile "
            "is lost",
            label=label,
            account=account,
        ),
        account=account,
        operation="refresh the access token",
        status=status,
    )


def not_connected(account: str, label: str) -> ConsentEnded:
    """The account was never connected."""
    return ConsentEnded(
        Said(
            "this account is not connected to %(label)s yet: connect the account with `aurevoir connect "
            "%(account)s`, and open the address that it prints",
            label=label,
            account=account,
        ),
        account=account,
    )
