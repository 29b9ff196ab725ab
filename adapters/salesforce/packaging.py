"""The app that an admin installs in an org, as packages for the Metadata API and as an SFDX project.

The address of outbound messages holds a secret of the org, and the message needs one of its users, so this is made for
each org. What is the same for all of them lies in ``package/``, written by ``make package`` and
compared in the tests, so that it cannot drift from the fields that we write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from adapters.errors import ConfigError, Fault
from adapters.offers import PackageOrder
from adapters.salesforce import parts
from adapters.salesforce.metadata import Package, Piece, custom_field, render
from adapters.salesforce.settings import SalesforceSettings
from workflows.fields import named_in

SOURCE_VERSION = "66.0"
PROJECT = "aurevoir-salesforce"
DEFAULT = "force-app/main/default"
EXAMPLE_URL = "https://aurevoir.example.com"
EXAMPLE_SECRET = "REPLACE-WITH-THE-SECRET-OF-THE-ORG"  # noqa: S105 - says itself that it is none
EXAMPLE_USER = "REPLACE.WITH.USERNAME@example.com"
EXAMPLE_CONTACT = "admin@example.com"

OPTIONS: Mapping[str, str] = {
    "user": "Username of the connector's user in the org; outbound messages are sent in its name.",
    "contact": "E-mail address of the app's contact; the user's by default.",
    "push": "yes (default), or no for an org that is only polled, such as Professional Edition.",
}
_USERNAME = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def package(order: PackageOrder, out: Path) -> list[Path]:
    """Write the package of what we need in the org, that of the app to log in with, and both as an SFDX project.

    Two packages, since an org that takes no External Client App through the API must still get the rest. Raises
    ConfigError before anything is written.
    """
    faults = list(_faults(order))
    if faults:
        raise ConfigError(faults)
    main, app = packages(order)
    out.mkdir(parents=True, exist_ok=True)
    written = [out / f"{PROJECT}.zip", out / f"{PROJECT}-login.zip"]
    for path, each in zip(written, (main, app), strict=True):
        path.write_bytes(each.zipped())
    for name, content in {**source_files(main), **source_files(app)}.items():
        path = out / PROJECT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def packages(order: PackageOrder) -> tuple[Package, Package]:
    """What we need in the org, and the app to log in with."""
    settings = order.account
    if not isinstance(settings, SalesforceSettings):
        raise TypeError("a package is made for an account")
    user = order.options.get("user", "")
    push: tuple[Piece, ...] = ()
    if _wants_push(order):
        endpoint = f"{_url(order)}/webhooks/salesforce/{settings.webhook_secrets[0]}"
        push = (
            parts.outbound_message(settings.api_version, endpoint, user),
            *parts.flows(settings.api_version, sorted(order.stage_ids)),
        )
    contact = order.options.get("contact") or user
    return (
        main_package(settings.api_version, (*parts.sites(_url(order)), *push), order.language),
        login_package(settings.api_version, contact, parts.app_secrets(_url(order))),
    )


def main_package(version: str, of_the_org: Sequence[Piece], language: str = "en") -> Package:
    """Fields, permission sets, reports, list views, the part for the record page, and what names the org's own address.

    That is: our address as a remote and a trusted site, and push where wanted.
    """
    fields = tuple(custom_field(spec) for spec in named_in(language))
    granted = tuple(each.shown for each in fields)
    return Package(
        version=version,
        fields=fields,
        granted=granted,
        list_views=parts.list_views(),
        pieces=(parts.reader(granted), *parts.reports(), *parts.component(), *of_the_org),
    )


def login_package(version: str, contact: str, *secrets: Piece) -> Package:
    """The External Client App."""
    return Package(version, permission_set=False, pieces=(*parts.external_client_app(contact), *secrets))


# --- as source ------------------------------------------------------------------------------------------------------


def source_files(package: Package) -> dict[str, bytes]:
    """The package as an SFDX project: fields and list views in files of their own, all others as they are."""
    made = {"sfdx-project.json": _project()}
    for each in package.fields:
        path = f"{DEFAULT}/objects/{each.owner}/fields/{each.name}.field-meta.xml"
        made[path] = render("CustomField", each.elements())
    for owner, views in package.list_views.items():
        for view in views:
            path = f"{DEFAULT}/objects/{owner}/listViews/{view['fullName']}.listView-meta.xml"
            made[path] = render("ListView", view)
    whole = replace(package, fields=(), list_views={}).files()
    made |= {f"{DEFAULT}/{_source_path(path)}": content for path, content in whole.items() if path != "package.xml"}
    return made


def _source_path(path: str) -> str:
    if path.startswith("lwc/"):
        return path
    if path.startswith("reports/") and path.endswith("-meta.xml"):
        return path.replace("-meta.xml", ".reportFolder-meta.xml")
    return f"{path}-meta.xml"


def _project() -> bytes:
    content = {
        "packageDirectories": [{"path": "force-app", "default": True}],
        "name": "aurevoir",
        "namespace": "",
        "sfdcLoginUrl": "https://login.salesforce.com",
        "sourceApiVersion": SOURCE_VERSION,
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def committed_files() -> dict[str, bytes]:
    """What lies in ``package/``: that of no org, with words in capitals where an org's own values belong.

    Without the app's OAuth secrets, which Salesforce wants in no repository.
    """
    endpoint = f"{EXAMPLE_URL}/webhooks/salesforce/{EXAMPLE_SECRET}"
    push = (
        *parts.sites(EXAMPLE_URL),
        parts.outbound_message(SOURCE_VERSION, endpoint, EXAMPLE_USER),
        *parts.flows(SOURCE_VERSION, ()),
    )
    main, app = main_package(SOURCE_VERSION, push), login_package(SOURCE_VERSION, EXAMPLE_CONTACT)
    return {**source_files(main), **source_files(app)}


def write_committed() -> list[Path]:
    """Write ``package/`` anew; what is no longer made is left for people to delete."""
    written = []
    for name, content in committed_files().items():
        path = parts.SOURCE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


# --- what may be wrong ----------------------------------------------------------------------------------------------


def _url(order: PackageOrder) -> str:
    return order.public_url.strip().rstrip("/")


def _wants_push(order: PackageOrder) -> bool:
    return order.options.get("push", "yes") == "yes"


def _faults(order: PackageOrder) -> Iterator[Fault]:
    for name, value in order.options.items():
        if name not in OPTIONS:
            yield Fault(name, value, f"no such option of a Salesforce app; known are {', '.join(OPTIONS)}")
    if order.options.get("push", "yes") not in ("yes", "no"):
        yield Fault("push", order.options["push"], "must be yes or no")
    if not isinstance(order.account, SalesforceSettings):
        yield Fault("account", "", "is missing: the package holds secrets of one org, so name its account")
    elif _wants_push(order) and not order.account.webhook_secret:
        cure = "is missing in the account's settings: set it, or say push=no for an org that is only polled"
        yield Fault("webhook_secret", "", cure)
    yield from address_faults(_url(order))
    user = order.options.get("user", "")
    if not _USERNAME.fullmatch(user):
        yield Fault("user", user, "must be the username of the connector's user in the org, like aurevoir@acme.com")
    contact = order.options.get("contact")
    if contact is not None and not _USERNAME.fullmatch(contact):
        yield Fault("contact", contact, "must be an e-mail address")


def address_faults(url: str) -> Iterator[Fault]:
    """What keeps Salesforce from sending outbound messages to this address; nothing when it can."""
    cure = "must be the https address at which Salesforce reaches this installation, on port 443 or 1024 to 65535"
    try:
        seen = urlsplit(url)
        host, port = seen.hostname or "", seen.port or 443
    except ValueError:
        yield Fault("public_url", url, cure)
        return
    named = "." in host and not host.startswith("127.") and not seen.username and not (seen.query or seen.fragment)
    if seen.scheme != "https" or not named or not (port == 443 or port >= 1024):
        yield Fault("public_url", url, cure)
