"""A HubSpot portal and a Salesforce organisation to call, whose clocks stand where the test wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from sandbox.hubspot import TOKEN, HubSpotSandbox
from sandbox.kit import Server
from sandbox.salesforce import SalesforceSandbox
from sandbox.seed_salesforce import salesforce_world

Call = Callable[..., TestResponse]


@pytest.fixture
def portal() -> Iterator[HubSpotSandbox]:
    """A seeded portal, not served."""
    sandbox = HubSpotSandbox(scale=0)
    yield sandbox
    sandbox.hooks.stop()


@pytest.fixture
def hubspot_url(portal: HubSpotSandbox) -> Iterator[str]:
    """The portal over HTTP."""
    with Server(portal.app) as server:
        yield server.url


@pytest.fixture
def call(portal: HubSpotSandbox) -> Call:
    """Call the portal's API with its private-app token: ``call("POST", path, {json}, token=…)``."""
    client = portal.app.test_client()

    def send(method: str, path: str, body: Any = None, *, token: str = TOKEN, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return client.open(path, method=method, json=body, headers=headers, **more)

    return send


@pytest.fixture
def new_task() -> Callable[..., dict[str, Any]]:
    """The input that creates a task on deal 901."""

    def make(subject: str = "Say goodbye", *, trace: str | None = None, **properties: str) -> dict[str, Any]:
        values = {"hs_timestamp": "2026-12-01T09:00:00Z", "hs_task_subject": subject, "hubspot_owner_id": "101"}
        to_deal = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 216}
        made: dict[str, Any] = {
            "properties": {name: value for name, value in (values | properties).items() if value is not None},
            "associations": [{"to": {"id": "901"}, "types": [to_deal]}],
        }
        return made | ({"objectWriteTraceId": trace} if trace else {})

    return make


@pytest.fixture
def org() -> Iterator[SalesforceSandbox]:
    """A seeded organisation, not served. Retries of outbound messages wait for the clock; deployments are instant."""
    sandbox = SalesforceSandbox(deploy_seconds=0)
    salesforce_world(sandbox)
    yield sandbox
    sandbox.hooks.stop()


@pytest.fixture
def ids(org: SalesforceSandbox) -> dict[str, str]:
    """Ids of the organisation's records by name."""
    return org.names


@pytest.fixture
def salesforce_url(org: SalesforceSandbox) -> Iterator[str]:
    """The organisation over HTTP."""
    with Server(org.app) as server:
        yield server.url


@pytest.fixture
def sign_in(org: SalesforceSandbox) -> Callable[[], str]:
    """Get an access token of the integration user by client credentials."""
    form = {"grant_type": "client_credentials", "client_id": org.client.id, "client_secret": org.client.secret}

    def get() -> str:
        answer = org.app.test_client().post("/services/oauth2/token", data=form)
        return str(answer.get_json()["access_token"])

    return get


@pytest.fixture
def rest(org: SalesforceSandbox, sign_in: Callable[[], str]) -> Call:
    """Call the organisation's REST API as the integration user: ``rest("GET", "/limits")``."""
    client = org.app.test_client()

    def send(method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {sign_in()}", **more.pop("headers", {})}
        return client.open(f"/services/data/v66.0{path}", method=method, json=body, headers=headers, **more)

    return send
