"""Metadata deployments over REST: a zip in, a result some moments later.

Files are checked against the schema of the Metadata API that the simple-salesforce package carries.
"""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lxml import etree

from sandbox.salesforce.api import Answer, Api, Call
from sandbox.salesforce.component import NS, Component, Org, Problem, text, texts
from sandbox.salesforce.components import apply, remove
from sandbox.salesforce.errors import ApiError
from sandbox.salesforce.ids import make_id
from sandbox.salesforce.messages import Messages

_ORDER = (
    "CustomField",
    "WorkflowOutboundMessage",
    "Flow",
    "PermissionSet",
    "ListView",
    "ReportType",
    "Report",
    "LightningComponentBundle",
    "RemoteSiteSetting",
    "CspTrustedSite",
)
_FOLDERS = {
    ("objects", "object"): "CustomObject",
    ("permissionsets", "permissionset"): "PermissionSet",
    ("workflows", "workflow"): "Workflow",
    ("flows", "flow"): "Flow",
    ("reportTypes", "reportType"): "ReportType",
    ("reports", "report"): "Report",
    ("remoteSiteSettings", "remoteSite"): "RemoteSiteSetting",
    ("cspTrustedSites", "cspTrustedSite"): "CspTrustedSite",
    ("externalClientApps", "eca"): "ExternalClientApplication",
    ("extlClntAppOauthSettings", "ecaOauth"): "ExtlClntAppOauthSettings",
    ("extlClntAppGlobalOauthSets", "ecaGlblOauth"): "ExtlClntAppGlobalOauthSettings",
    ("extlClntAppOauthPolicies", "ecaOauthPlcy"): "ExtlClntAppOauthConfigurablePolicies",
}
_ROOTS = {*_FOLDERS.values(), "Package", "ReportFolder", "LightningComponentBundle"}
_PARTS = {
    "CustomObject": {"fields": "CustomField", "listViews": "ListView"},
    "Workflow": {"outboundMessages": "WorkflowOutboundMessage"},
}
DESTRUCTIVE = "destructiveChanges.xml"
_WSDL = "{http://schemas.xmlsoap.org/wsdl/}types/{http://www.w3.org/2001/XMLSchema}schema"
_XSD = "{http://www.w3.org/2001/XMLSchema}"


@lru_cache(maxsize=1)
def metadata_schema() -> Any:
    """The vendor's XML schema of metadata files, with an element for each type that may be a file."""
    wsdl = etree.fromstring(files("simple_salesforce").joinpath("metadata.wsdl").read_bytes())
    schema = wsdl.find(_WSDL)
    for name in sorted(_ROOTS):
        etree.SubElement(schema, f"{_XSD}element", {"name": name, "type": f"tns:{name}"})
    alone = etree.fromstring(etree.tostring(schema))
    return etree.XMLSchema(alone)


class _Undone(Exception):
    """Leaves the transaction of a deployment that is not to stay."""


@dataclass
class Deployment:
    """One deployment and how it stands."""

    id: str
    options: dict[str, Any]
    package: bytes
    user_id: str
    status: str = "Pending"
    components: list[Component] = field(default_factory=list)
    started: str = ""
    completed: str | None = None
    began: float = 0.0
    seconds: float = 0.0

    @property
    def reached(self) -> int:
        """How many components are through by now; the vendor counts them up while a deployment runs."""
        if self.done:
            return len(self.components) - len(self.failures)
        share = min(1.0, (time.monotonic() - self.began) / self.seconds) if self.seconds else 0.0
        return int(share * len(self.components))

    @property
    def done(self) -> bool:
        """Whether it has come to its end."""
        return self.completed is not None

    @property
    def failures(self) -> list[Component]:
        """Components that were refused."""
        return [each for each in self.components if each.problem is not None]

    def result(self, details: bool) -> dict[str, Any]:
        """As the vendor tells it."""
        good = [each for each in self.components if each.problem is None]
        answer: dict[str, Any] = {
            "id": self.id,
            "checkOnly": bool(self.options.get("checkOnly")),
            "ignoreWarnings": bool(self.options.get("ignoreWarnings")),
            "rollbackOnError": bool(self.options.get("rollbackOnError", True)),
            "status": self.status if self.done or not self.reached else "InProgress",
            "done": self.done,
            "success": self.status == "Succeeded",
            "numberComponentsTotal": len(self.components),
            "numberComponentsDeployed": self.reached,
            "numberComponentErrors": len(self.failures),
            "numberTestsTotal": 0,
            "numberTestsCompleted": 0,
            "numberTestErrors": 0,
            "createdBy": self.user_id,
            "createdDate": self.started,
            "startDate": self.started,
            "lastModifiedDate": self.completed or self.started,
            "completedDate": self.completed,
            "errorMessage": None,
            "errorStatusCode": None,
            "stateDetail": None if self.done or not self.reached else f"Processing {self.reached} components",
        }
        if details:
            answer["details"] = {
                "componentSuccesses": [self._message(each) for each in good] if self.done else [],
                "componentFailures": [self._message(each) for each in self.failures],
                "retrieveResult": None,
                "runTestResult": {"numFailures": 0, "numTestsRun": 0, "failures": [], "successes": []},
            }
        return answer

    def _message(self, each: Component) -> dict[str, Any]:
        good = each.problem is None
        return {
            "changed": good,
            "columnNumber": None,
            "componentType": each.type,
            "created": good and each.created,
            "createdDate": self.started,
            "deleted": good and each.deleted,
            "fileName": each.file,
            "fullName": each.full_name,
            "id": None,
            "lineNumber": None,
            "problem": each.problem,
            "problemType": None if good else "Error",
            "requiresProductionTestRun": False,
            "success": good,
            "warning": False,
        }


class Metadata:
    """``/metadata/deployRequest``. ``seconds``: how long a deployment takes (real time; 0: at once)."""

    def __init__(self, api: Api, hooks: Messages, *, seconds: float = 0.2) -> None:
        self.world, self.seconds = api.world, seconds
        self.org = Org(api.world, hooks)
        self.deployments: dict[str, Deployment] = {}
        api.router.add("POST", "/metadata/deployRequest", self.start)
        api.router.add("GET", "/metadata/deployRequest/<key>", self.follow)

    def start(self, call: Call) -> Answer:
        """Take a deployment: 201 with its id."""
        if not self.world.settings.may_deploy:
            raise ApiError(
                "INSUFFICIENT_ACCESS",
                "INSUFFICIENT_ACCESS: use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata"
                " permissions",
                status=403,
            )
        options = call.json().get("deployOptions")
        if not isinstance(options, dict) or not call.files:
            raise ApiError("INVALID_OPERATION", "a deploy request needs deployOptions and a zip file")
        key = make_id("0Af", len(self.deployments) + 1)
        package = next(iter(call.files.values()))
        deployment = Deployment(key, options, package, call.actor.user_id, started=self._stamp())
        self.deployments[key] = deployment
        deployment.began, deployment.seconds = time.monotonic(), self.seconds
        deployment.components = read_package(package)
        if self.seconds:
            timer = threading.Timer(self.seconds, self._run, [deployment])
            timer.daemon = True
            timer.start()
        else:
            self._run(deployment)
        return Answer(201, {"id": key, "validatedDeployRequestId": None, "deployOptions": options})

    def follow(self, call: Call, key: str) -> Answer:
        """How a deployment stands."""
        deployment = self.deployments.get(key)
        if deployment is None:
            raise ApiError("NOT_FOUND", "The requested resource does not exist")
        details = call.args.get("includeDetails", "false").lower() == "true"
        body = {
            "id": key,
            "validatedDeployRequestId": None,
            "deployOptions": deployment.options,
            "deployResult": deployment.result(details),
        }
        return Answer(200, body)

    def _stamp(self) -> str:
        return self.world.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def _run(self, deployment: Deployment) -> None:
        """Apply everything; take it back when it was only a check, or when something failed."""
        components = deployment.components
        with self.world.lock:
            restore = self._snapshot()
            try:
                with self.world.atomic():
                    self._apply_all(components)
                    if deployment.options.get("checkOnly") or deployment.failures:
                        raise _Undone
            except _Undone:
                restore()
            deployment.status = "Failed" if deployment.failures else "Succeeded"
            deployment.completed = self._stamp()

    def _snapshot(self) -> Callable[[], None]:
        fields = {name: dict(each.fields) for name, each in self.world.schema.objects.items()}
        hooks, components = self.org.hooks, set(self.org.components)
        messages, flows, report_types = dict(hooks.messages), dict(hooks.flows), dict(self.org.report_types)

        def restore() -> None:
            for name, each in self.world.schema.objects.items():
                each.fields = fields[name]
            hooks.set_up(messages, flows)
            self.org.components, self.org.report_types = components, report_types

        return restore

    def _apply_all(self, components: list[Component]) -> None:
        rank = {name: at for at, name in enumerate(_ORDER)}
        for each in sorted(components, key=lambda each: (rank.get(each.type, len(rank)), "/" in each.full_name)):
            if each.problem is None and (each.element is not None or each.deleted):
                try:
                    remove(self.org, each) if each.deleted else apply(self.org, each)
                except Problem as problem:
                    each.problem = str(problem)


# --- reading the zip ------------------------------------------------------------------------------------------------


def read_package(content: bytes) -> list[Component]:
    """The components of a zip, those that cannot be read with their problem."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile:
        return [Component("", "", "", None, problem="The zip file is not valid")]
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if "package.xml" not in names:
        return [Component("", "package.xml", "package.xml", None, problem="No package.xml found")]
    manifest = _parse("package.xml", archive.read("package.xml"), "Package")
    if isinstance(manifest, str):
        return [Component("", "package.xml", "package.xml", None, problem=manifest)]
    found: list[Component] = []
    for name in names:
        if name not in ("package.xml", DESTRUCTIVE):
            found += _read_file(name, archive.read(name))
    doomed = _doomed(archive.read(DESTRUCTIVE)) if DESTRUCTIVE in names else []
    return _compare(manifest, found) + doomed


def _doomed(content: bytes) -> list[Component]:
    """What is to be deleted."""
    root = _parse(DESTRUCTIVE, content, "Package")
    if isinstance(root, str):
        return [Component("", DESTRUCTIVE, DESTRUCTIVE, None, problem=root)]
    return [
        Component(text(each, "name") or "", member, DESTRUCTIVE, None, created=False, deleted=True)
        for each in root.findall(f"{NS}types")
        for member in texts(each, "members")
    ]


def _compare(manifest: Any, found: list[Component]) -> list[Component]:
    """What the manifest names must be there, and what is there must be named."""
    wanted = {
        (text(each, "name") or "", member)
        for each in manifest.findall(f"{NS}types")
        for member in texts(each, "members")
    }
    every = {kind for kind, member in wanted if member == "*"}
    there = {(each.type, each.full_name) for each in found}
    for each in found:
        named = (each.type, each.full_name) in wanted or each.type in every
        if each.problem is None and not named:
            each.problem = f"The object '{each.full_name}' of type {each.type} isn't listed in package.xml"
    missing = [
        Component(
            kind,
            member,
            "package.xml",
            None,
            problem=f"An object '{member}' of type {kind} was named in package.xml, but was not found in the zip",
        )
        for kind, member in sorted(wanted - there)
        if member != "*"
    ]
    broken = {each.file for each in found if each.problem is not None}
    return found + ([] if broken else missing)


def _read_file(name: str, content: bytes) -> list[Component]:
    folder, _, rest = name.partition("/")
    stem, _, suffix = rest.rpartition(".")
    if folder == "lwc":
        return _bundle_file(name, rest, content)
    if folder == "reports" and rest.endswith("-meta.xml") and "/" not in rest:
        return [_whole("ReportFolder", "Report", rest.removesuffix("-meta.xml"), name, content)]
    kind = _FOLDERS.get((folder, suffix))
    if kind is None or rest.count("/") != (kind == "Report"):
        return [Component("", name, name, None, problem=f"Unknown file in the package: {name}")]
    whole = _whole(kind, kind, stem, name, content)
    return _parts(whole.element, _PARTS[kind], stem, name) if kind in _PARTS and whole.problem is None else [whole]


def _whole(root: str, kind: str, full_name: str, name: str, content: bytes) -> Component:
    """A file that is one component."""
    parsed = _parse(name, content, root)
    if isinstance(parsed, str):
        return Component(kind, full_name, name, None, problem=parsed)
    return Component(kind, full_name, name, parsed)


def _bundle_file(name: str, rest: str, content: bytes) -> list[Component]:
    """A Lightning component is told by its description; the other files go with it."""
    bundle, _, file = rest.partition("/")
    if file == f"{bundle}.js-meta.xml":
        return [_whole("LightningComponentBundle", "LightningComponentBundle", bundle, name, content)]
    if "/" in file or file.rpartition(".")[0] != bundle or not file.endswith((".js", ".html", ".css", ".svg")):
        return [Component("", name, name, None, problem=f"Unknown file in the package: {name}")]
    return []


def _parts(root: Any, kinds: Mapping[str, str], owner: str, name: str) -> list[Component]:
    other = next((each for each in root if etree.QName(each).localname not in kinds), None)
    if other is not None:
        what = etree.QName(other).localname
        kind = next(iter(kinds.values()))
        return [Component(kind, owner, name, None, problem=f"This look-alike deploys no {what} in {name}")]
    return [
        Component(kinds[etree.QName(each).localname], f"{owner}.{text(each, 'fullName')}", name, each) for each in root
    ]


def _parse(name: str, content: bytes, kind: str) -> Any:
    """The root element, or what is wrong with the file."""
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True))
    except etree.XMLSyntaxError as error:
        return f"Error parsing file: {error.msg}"
    if root.tag != f"{NS}{kind}":
        return f"Error parsing file: {name} should start with {kind}, not {etree.QName(root).localname}"
    schema = metadata_schema()
    if not schema.validate(root):
        fault = schema.error_log[0]
        return f"Error parsing file: {fault.message.replace(NS, '')} at line {fault.line}"
    return root
