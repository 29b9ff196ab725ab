"""Requests from people inside HubSpot: the card on a deal, and the workflow action "Start an offboarding".

HubSpot proves both with the app's client secret. The card's request comes through ``hubspot.fetch``, which adds
``portalId`` to the address and signs method, address and time (version 3). A workflow action is signed with version 2,
over secret, method, address and body.
https://developers.hubspot.com/docs/apps/developer-platform/add-features/ui-extensions/fetching-data
https://developers.hubspot.com/docs/api-reference/latest/automation/workflow-actions/custom-action-guide
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adapters.errors import PayloadError, SignatureError
from adapters.hubspot.webhooks import verify_sender
from adapters.offers import Ask
from adapters.signals import Reply, WebhookAccount, WebhookRequest

STARTED = Reply(body=b'{"outputFields": {}}')
"""What a workflow wants to hear; it goes on at once."""

_ID = re.compile(r"[1-9]\d{0,18}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2}", re.ASCII)


def asked_for_card(request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Ask:
    """Who asks for the card of which deal. Raises SignatureError or PayloadError.

    Only version 3 counts: version 1 covers the body alone, which is empty here, so it would be the same for any deal.
    """
    if "x-hubspot-signature-v3" not in request.headers:
        raise SignatureError("the request for a card carries no HubSpot signature of version 3")
    signers = verify_sender(request, accounts)
    query = parse_qs(urlsplit(request.url).query, keep_blank_values=True, max_num_fields=50)
    account = _account(_one(query, "portalId"), signers)
    language = query.get("language", [""])[0]
    return Ask(account, _one(query, "dealId"), language if _LANGUAGE.fullmatch(language) else None)


def asked_to_start(request: WebhookRequest, accounts: Sequence[WebhookAccount]) -> Ask:
    """Which deal a workflow wants an offboarding for. Raises SignatureError or PayloadError.

    Version 1 is refused: it does not cover the address. HubSpot may repeat a request, and version 2 carries no time:
    asking twice for the same deal changes nothing.
    """
    headers = request.headers
    if "x-hubspot-signature-v3" not in headers and headers.get("x-hubspot-signature-version") != "v2":
        raise SignatureError("a workflow action is signed with version 2 or 3, and this request is not")
    signers = verify_sender(request, accounts)
    body = _object(request.body)
    subject, origin = _part(body, "object"), _part(body, "origin")
    if str(subject.get("objectType", "")).upper() not in ("DEAL", "0-3"):
        raise PayloadError("the workflow is not about deals: use the action in a deal-based workflow")
    account = _account(_number(origin, "portalId"), signers)
    return Ask(account, _number(subject, "objectId"), reply=STARTED)


def _account(portal: str, signers: Sequence[WebhookAccount]) -> str:
    """The account of this portal among those whose secret signed. Raises SignatureError."""
    for account in signers:
        if account.account_id.strip() == portal:
            return account.name
    raise SignatureError(f"HubSpot account {portal} is none of those that this app's secret proves")


def _one(query: Mapping[str, Sequence[str]], name: str) -> str:
    """The id in the query.

    Twice is refused: HubSpot adds ``portalId`` to whatever address the card asks for, and which of two counts must not
    be up to the one who asks.
    """
    values = query.get(name, [])
    if len(values) != 1 or not _ID.fullmatch(values[0]):
        raise PayloadError(f"the address of the request needs {name} once, as a number")
    return values[0]


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PayloadError("not JSON in UTF-8: did HubSpot send this?") from error
    if not isinstance(body, dict):
        raise PayloadError("not an object: did HubSpot send this?")
    return body


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = body.get(name)
    if not isinstance(part, dict):
        raise PayloadError(f"the request has no {name}: did HubSpot send this?")
    return part


def _number(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _ID.fullmatch(text):
        raise PayloadError(f"the request has no {name} that could be one")
    return text
