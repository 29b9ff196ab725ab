"""One deployment through the Metadata API: sent, followed to its end, and its failures told by name.

https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_rest_deploy.htm
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from urllib3 import encode_multipart_formdata

from adapters.errors import ScopeMissing, Unavailable
from adapters.salesforce.client import Client
from adapters.salesforce.metadata import Package
from adapters.services import Services
from workflows.said import Said

log = structlog.get_logger(__name__)

LONGEST_DEPLOYMENT = timedelta(minutes=10)
OPTIONS = {
    "allowMissingFiles": False,
    "autoUpdatePackage": False,
    "ignoreWarnings": True,
    "performRetrieve": False,
    "purgeOnDelete": False,
    "rollbackOnError": True,
    "singlePackage": True,
    "testLevel": "NoTestRun",
}

Follow = Callable[[str, int, int], None]
"""Told of a deployment's status, of how many parts are done, and of how many there are."""


@dataclass(frozen=True)
class Failure:
    """A part that the org refused: its type and full name as in package.xml, and the org's reason."""

    kind: str
    member: str
    problem: str


@dataclass(frozen=True)
class Deployer:
    """Deploys to one org. ``what`` is for the log and for errors; ``follow`` hears how it goes.

    ``there`` collects what the org says it had before and took anew: type and full name.
    """

    client: Client
    services: Services
    what: str = "deploy our fields"
    follow: Follow = lambda _status, _done, _total: None
    there: set[tuple[str, str]] = field(default_factory=set)

    def deploy(self, package: Package, *, check_only: bool) -> list[Failure]:
        """Deploy a package and follow it to its end; what failed. With ``check_only`` nothing stays.

        Raises :class:`Unavailable` when it takes longer than ten minutes.
        """
        options = {"deployOptions": {**OPTIONS, "checkOnly": check_only}}
        body, content_type = encode_multipart_formdata(
            {
                "json": ("deploy.json", json.dumps(options).encode(), "application/json"),
                "file": ("package.zip", package.zipped(), "application/zip"),
            }
        )
        try:
            headers = {"Content-Type": content_type}
            started = self.client.post(self.what, "metadata/deployRequest", data=body, headers=headers)
        except ScopeMissing as error:
            message = Said(
                "the connector's user may not create fields; give it 'Modify Metadata Through Metadata API Functions'"
            )
            raise ScopeMissing(
                message, account=self.client.account, operation=self.what, status=error.status
            ) from error
        result = self._await(str((started or {}).get("id") or ""))
        self.there.update(
            (str(one.get("componentType") or ""), str(one.get("fullName") or ""))
            for one in _listed(result, "componentSuccesses")
            if one.get("created") is False
        )
        if result.get("success") is True or result.get("status") in ("Succeeded", "SucceededPartial"):
            return []
        return _failures(result)

    def _await(self, deployment: str) -> Mapping[str, Any]:
        if not deployment:
            raise Unavailable(Said("Salesforce did not say under which id it deploys"), account=self.client.account)
        until = self.services.now() + LONGEST_DEPLOYMENT
        pause = 0.5
        while True:
            answer = self.client.get(
                "follow the deployment", f"metadata/deployRequest/{deployment}?includeDetails=true"
            )
            result: Mapping[str, Any] = (answer or {}).get("deployResult") or {}
            done, total = result.get("numberComponentsDeployed") or 0, result.get("numberComponentsTotal") or 0
            status = str(result.get("status") or "Pending")
            self.follow(status, int(done), int(total))
            if result.get("done"):
                return result
            progress = f"{done} of {total} parts"
            log.info(self.what, account=self.client.account, status=status, reason=progress)
            if self.services.now() > until:
                message = Said(
                    "deployment %(deployment)s is still running; look at Setup > Deployment Status, then run this "
                    "again",
                    deployment=deployment,
                )
                raise Unavailable(message, account=self.client.account, operation=self.what)
            self.services.sleep(pause)
            pause = min(pause * 2, 10.0)


def _listed(result: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    listed = (result.get("details") or {}).get(name) or []
    return listed if isinstance(listed, list) else [listed]


def _failures(result: Mapping[str, Any]) -> list[Failure]:
    found = [
        Failure(
            str(one.get("componentType") or ""),
            str(one.get("fullName") or one.get("fileName") or ""),
            str(one.get("problem") or "refused"),
        )
        for one in _listed(result, "componentFailures")
    ]
    return found or [Failure("", "", str(result.get("errorMessage") or result.get("status") or "refused"))]
