"""The HubSpot project that an admin uploads: the files in ``app/`` with the address of this installation filled in.

The files stand there as HubSpot wants them (platform version 2026.03), with an example address in place of the real
one, so that they can be checked and built as they are.
https://developers.hubspot.com/docs/apps/developer-platform/build-apps/create-an-app
"""

from __future__ import annotations

import ipaddress
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adapters.errors import ConfigError, Fault
from adapters.offers import PackageOrder
from workflows.said import Said

SOURCE = Path(__file__).with_name("app")
EXAMPLE = "https://aurevoir.example.com"
APP = "src/app/app-hsmeta.json"
PROJECT = "aurevoir-hubspot"
DISTRIBUTIONS = ("marketplace", "private")

OPTIONS: Mapping[str, str] = {
    "distribution": "marketplace (default), or private for accounts that you name in HubSpot.",
    "name": "The app's name as users see it; Aurevoir by default.",
    "support_email": "Where users of the app find help; required by HubSpot.",
    "support_url": "A page with help; our console by default.",
    "documentation_url": "A page that describes the app; our console by default.",
}


def package(order: PackageOrder, out: Path) -> list[Path]:
    """Write the project as a folder, and as a zip file beside it; the zip file comes first.

    Raises ConfigError before anything is written.
    """
    files = project_files(order)
    archive = out / f"{PROJECT}.zip"
    written = [archive]
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            path = out / PROJECT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            zipped.writestr(f"{PROJECT}/{name}", content)
            written.append(path)
    return written


def by_hand(order: PackageOrder) -> tuple[str, ...]:
    """What is left to do in HubSpot for webhooks and the card: its API takes no apps."""
    url = order.public_url.strip().rstrip("/")
    if _address_faults(url):
        return (
            Said(
                "webhooks and the card on deals need an address that HubSpot reaches, and %(url)s is none: "
                "until server.public_url is one, changes are found by polling",
                url=url,
            ),
        )
    return (
        Said(
            "webhooks, the card on deals and the workflow action come with an app that only HubSpot's own "
            "command can upload. If it is not there yet: `aurevoir app hubspot --set "
            "support_email=ADDRESS`, then `hs project upload` in the folder that it writes, then install it "
            "in the account. Until then changes are found by polling"
        ),
    )


def project_files(order: PackageOrder) -> dict[str, str]:
    """The project's files by their path in it. Raises ConfigError."""
    url = order.public_url.strip().rstrip("/")
    faults = [*_address_faults(url), *_option_faults(order.options)]
    if faults:
        raise ConfigError(faults)
    files = {
        path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8").replace(EXAMPLE, url)
        for path in _sources()
    }
    files[APP] = _app(json.loads(files[APP]), url, order.options)
    return files


def _sources() -> Iterator[Path]:
    """What HubSpot needs: not what checks and builds the project here."""
    yield SOURCE / "hsproject.json"
    for path in sorted((SOURCE / "src").rglob("*")):
        if path.is_file() and "node_modules" not in path.parts:
            yield path


def _app(app: dict[str, Any], url: str, options: Mapping[str, str]) -> str:
    config = app["config"]
    parts = urlsplit(url)
    # HubSpot compares origins: an address with a path would never fit.
    config["permittedUrls"]["fetch"] = [f"{parts.scheme}://{parts.netloc}"]
    config["distribution"] = options.get("distribution", config["distribution"])
    config["name"] = options.get("name", config["name"])
    for option, key in (
        ("support_email", "supportEmail"),
        ("support_url", "supportUrl"),
        ("documentation_url", "documentationUrl"),
    ):
        config["support"][key] = options.get(option, config["support"][key])
    return json.dumps(app, indent=2, ensure_ascii=False) + "\n"


def _address_faults(url: str) -> Sequence[Fault]:
    cure = Said(
        "must be the https address at which HubSpot reaches this installation, such as https://goodbye.example.com"
    )
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return [Fault("public_url", url, cure)]
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme != "https" or not plain or "." not in host or _is_local(host):
        return [Fault("public_url", url, cure)]
    return []


def _is_local(host: str) -> bool:
    """HubSpot calls no addresses of a local network."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _option_faults(options: Mapping[str, str]) -> Iterator[Fault]:
    for name, value in options.items():
        if name not in OPTIONS:
            yield Fault(name, value, f"no such option of a HubSpot app; known are {', '.join(OPTIONS)}")
        elif not value.strip():
            yield Fault(name, value, "is empty: give it a value, or leave it out")
        elif name.endswith("_url") and not value.startswith("https://"):
            yield Fault(name, value, "must be an address that begins with https://")
    if "support_email" not in options:
        yield Fault("support_email", "", "is missing: HubSpot asks for an address where users of the app find help")
    elif "@" not in options["support_email"]:
        yield Fault("support_email", options["support_email"], "must be an e-mail address")
    if options.get("distribution", DISTRIBUTIONS[0]) not in DISTRIBUTIONS:
        yield Fault("distribution", options["distribution"], f"must be {' or '.join(DISTRIBUTIONS)}")
