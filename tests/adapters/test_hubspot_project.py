"""The HubSpot project: in the shapes that the platform takes, with our address, least scopes, a card that builds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conformance_kit import connect, make_rig, task
from rig_hubspot import RIG

from adapters.errors import ConfigError
from adapters.hubspot import ADAPTER, oauth, webhooks
from adapters.hubspot.project import EXAMPLE, SOURCE, project_files
from adapters.offers import PackageOrder, Packager
from adapters.results import Level
from adapters.signals import WebhookAccount
from sandbox.hubspot import TOKEN
from workflows.fields import FIELDS
from workflows.records import RecordKind, Ref
from workflows.writes import AttachFile, CreateNote, UpdateFields

PUBLIC = "https://goodbye.acme.com"
MAIL = {"support_email": "help@acme.com"}
PARTS = {
    "src/app/app-hsmeta.json": "app",
    "src/app/webhooks/webhooks-hsmeta.json": "webhooks",
    "src/app/cards/offboarding-card-hsmeta.json": "card",
    "src/app/settings/settings-hsmeta.json": "settings",
    "src/app/workflow-actions/start-offboarding-hsmeta.json": "workflow-action",
}


@pytest.fixture
def files() -> dict[str, str]:
    return project_files(PackageOrder(PUBLIC, options=MAIL))


def part(files: dict[str, str], kind: str) -> dict[str, Any]:
    path = next(path for path, each in PARTS.items() if each == kind)
    return json.loads(files[path])["config"]


# --- shapes ---------------------------------------------------------------------------------------------------------


def test_the_project_has_one_part_of_each_kind_in_its_folder(files: dict[str, str]) -> None:
    assert json.loads(files["hsproject.json"]) == {"name": "aurevoir", "srcDir": "src", "platformVersion": "2026.03"}
    metas = {path: json.loads(text) for path, text in files.items() if path.endswith("-hsmeta.json")}
    assert {path: meta["type"] for path, meta in metas.items()} == PARTS
    assert all(set(meta) == {"uid", "type", "config"} for meta in metas.values())
    assert len({meta["uid"] for meta in metas.values()}) == len(metas)
    assert all(re.fullmatch(r"[a-z0-9_-]+", meta["uid"]) for meta in metas.values())


def test_the_app_asks_for_consent_and_may_fetch_from_us_alone(files: dict[str, str]) -> None:
    app = part(files, "app")
    assert set(app) == {"name", "description", "distribution", "auth", "permittedUrls", "support"}
    assert (app["distribution"], app["auth"]["type"]) == ("marketplace", "oauth")
    assert app["auth"]["redirectUrls"] == [f"{PUBLIC}/oauth/hubspot/callback"]
    assert set(app["auth"]) == {
        "type",
        "redirectUrls",
        "requiredScopes",
        "optionalScopes",
        "conditionallyRequiredScopes",
    }
    assert app["permittedUrls"] == {"fetch": [PUBLIC], "iframe": [], "img": []}
    assert app["support"]["supportEmail"] == "help@acme.com"


def test_the_app_subscribes_to_what_the_receiver_uses(files: dict[str, str]) -> None:
    config = part(files, "webhooks")
    assert config["settings"] == {"targetUrl": f"{PUBLIC}/webhooks/hubspot", "maxConcurrentRequests": 10}
    assert set(config["subscriptions"]) == {"crmObjects", "legacyCrmObjects", "hubEvents"}
    types = {"deal": "0-3", "task": "0-27"}
    for number, each in enumerate((*config["subscriptions"]["crmObjects"], *config["subscriptions"]["hubEvents"])):
        assert each["active"] is True
        event = {"portalId": 4242, "objectId": 5, "occurredAt": 1_772_442_000_000, "eventId": number,
                 "subscriptionType": each["subscriptionType"]}  # fmt: skip
        if each["subscriptionType"].startswith("object."):
            event["objectTypeId"] = types[each["objectType"]]
        if each["subscriptionType"].endswith(".propertyChange"):
            event |= {"propertyName": each["propertyName"], "propertyValue": "20"}
        receipt = webhooks.parse_events([event], [WebhookAccount("acme", "4242", ("s",))])
        assert len(receipt.signals) == 1, each
    asked = {
        (each["objectType"], each["subscriptionType"], each.get("propertyName"))
        for each in config["subscriptions"]["crmObjects"]
    }
    assert ("deal", "object.propertyChange", "dealstage") in asked
    assert {"object.merge", "object.deletion", "object.restore"} <= {
        event for kind, event, _ in asked if kind == "deal"
    }
    assert config["subscriptions"]["hubEvents"] == [{"subscriptionType": "contact.privacyDeletion", "active": True}]


def test_card_settings_and_action_point_at_what_is_there(files: dict[str, str]) -> None:
    card, settings, action = (part(files, kind) for kind in ("card", "settings", "workflow-action"))
    assert (card["location"], card["objectTypes"]) == ("crm.record.tab", ["deals"])
    assert set(card) == {"name", "description", "location", "entrypoint", "objectTypes"}
    for each in (card, settings):
        assert f"src{each['entrypoint']}" in files
    assert action["actionUrl"] == f"{PUBLIC}/card/hubspot/start"
    assert (action["isPublished"], action["supportedClients"]) == (True, [{"client": "WORKFLOWS"}])
    assert (action["inputFields"], action["objectTypes"]) == ([], ["DEAL"])
    assert action["labels"]["en"]["actionName"] == "Start an offboarding"
    assert {frozenset(words) for words in action["labels"].values()} == {
        frozenset(
            ("actionName", "actionDescription", "actionCardContent", "inputFieldLabels", "inputFieldDescriptions")
        )
    }


def test_versions_are_exact_and_the_same_everywhere() -> None:
    wanted = json.loads((SOURCE / "package.json").read_text())["devDependencies"]
    locked = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    for folder in ("cards", "settings"):
        package = json.loads((SOURCE / "src/app" / folder / "package.json").read_text())
        assert package["dependencies"].items() <= wanted.items()
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in each for path, each in locked.items() if path)


# --- filling it in --------------------------------------------------------------------------------------------------


def test_the_project_is_written_as_folder_and_zip_with_our_address_everywhere(tmp_path: Path) -> None:
    assert isinstance(ADAPTER, Packager)
    archive, *written = ADAPTER.package(PackageOrder(f"{PUBLIC}/cs/", options=MAIL), tmp_path / "out")
    with zipfile.ZipFile(archive) as zipped:
        content = {name: zipped.read(name).decode() for name in zipped.namelist()}
    assert {path.relative_to(tmp_path / "out").as_posix() for path in written} == set(content)
    assert not any("node_modules" in name or name.endswith("package-lock.json") for name in content)
    assert not any(EXAMPLE in text for text in content.values())
    files = {name.removeprefix("aurevoir-hubspot/"): text for name, text in content.items()}
    assert part(files, "webhooks")["settings"]["targetUrl"] == f"{PUBLIC}/cs/webhooks/hubspot"
    assert part(files, "app")["permittedUrls"]["fetch"] == [PUBLIC]
    assert f'"{PUBLIC}/cs"' in files["src/app/cards/address.ts"]


@pytest.mark.parametrize(
    "url",
    ["http://goodbye.acme.com", "https://localhost:8080", "https://127.0.0.1", "https://10.0.0.4", "https://acme",
     "https://a@goodbye.acme.com", "https://goodbye.acme.com?x=1", "goodbye.acme.com", "https://[::1", ""],
)  # fmt: skip
def test_an_address_that_hubspot_cannot_reach_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="public_url"):
        ADAPTER.package(PackageOrder(url, options=MAIL), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_wrong_options_are_told_at_once(tmp_path: Path) -> None:
    options = {
        "distribution": "shop",
        "support_email": "nobody",
        "support_url": "http://x",
        "colour": "red",
        "name": " ",
    }
    with pytest.raises(ConfigError) as caught:
        ADAPTER.package(PackageOrder(PUBLIC, options=options), tmp_path)
    assert {fault.key for fault in caught.value.faults} == set(options)
    with pytest.raises(ConfigError, match="support_email"):
        ADAPTER.package(PackageOrder(PUBLIC), tmp_path)


# --- scopes ---------------------------------------------------------------------------------------------------------


def work(rig: RIG) -> list[str]:
    """All that the adapter does in an account; what it was refused, and why."""
    company, contact = rig.add_company("Lumière"), rig.add_contact("Hélène Garnier", email="h@example.com")
    deal_id = rig.add_deal("Deal", company_id=company, contact_ids=[contact])
    crm = connect(rig).crm
    refused: list[str] = []

    def attempt(step: Callable[[], Any]) -> Any:
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - whatever it was, the step did not work
            refused.append(str(error))

    report = attempt(lambda: crm.ensure_schema(FIELDS))
    refused += report.refused.values() if report else []
    refused += [each.text for each in crm.check() if each.level is Level.FAULT]
    observed = attempt(lambda: crm.observe([deal_id]))
    attempt(lambda: crm.people([observed[deal_id].deal]))
    now = rig.now()
    targets = {RecordKind.DEAL: deal_id, RecordKind.COMPANY: company, RecordKind.CONTACT: contact}
    batch = [
        task(rig, deal_id, "t"),
        CreateNote(key="n", deal_id=deal_id, title="T", body="B", at=now),
        AttachFile(key="f", deal_id=deal_id, name="a.txt", media_type="text/plain", content=b"x", at=now),
        *(UpdateFields(key=f"u-{kind}", deal_id=deal_id, target=Ref(kind=kind, id=each), values={"exit_score": 3})
          for kind, each in targets.items()),
    ]  # fmt: skip
    refused += [f"{each.key}: {each.reason}" for each in crm.write(batch) if each.result != "done"]
    attempt(crm.pipelines)
    attempt(crm.users)
    crm.close()
    return refused


def scopes() -> list[str]:
    return json.loads((SOURCE / "src/app/app-hsmeta.json").read_text())["config"]["auth"]["requiredScopes"]


def run_with(granted: list[str]) -> list[str]:
    rig = make_rig("hubspot")
    assert isinstance(rig, RIG)
    try:
        rig.sandbox.access.add_private_app(TOKEN, granted)
        return work(rig)
    finally:
        rig.close()


def test_consent_asks_for_the_scopes_that_the_app_has() -> None:
    assert set(oauth.SCOPES) == set(scopes())


def test_the_scopes_are_enough_for_all_that_the_adapter_does() -> None:
    assert run_with(scopes()) == []


@pytest.mark.parametrize("scope", [each for each in scopes() if each != "oauth"])
def test_no_scope_could_be_left_out(scope: str) -> None:
    assert run_with([each for each in scopes() if each != scope])


# --- the card and the settings page ---------------------------------------------------------------------------------


def npm(*args: str) -> None:
    environment = os.environ | {"NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    done = subprocess.run(
        ["npm", "--silent", *args],
        check=False,
        cwd=SOURCE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def _node() -> None:
    if shutil.which("npm") is None:
        pytest.skip("Node.js is not on this machine: the card is neither type-checked nor built")
    if not (SOURCE / "node_modules/.package-lock.json").is_file():
        pytest.skip("the card's packages are not installed: run `npm ci` in adapters/hubspot/app")


@pytest.mark.usefixtures("_node")
def test_card_and_settings_page_are_typed_soundly() -> None:
    npm("run", "check")


@pytest.mark.usefixtures("_node")
def test_card_and_settings_page_build() -> None:
    npm("run", "build")
    for page in ("cards/OffboardingCard.js", "settings/SettingsPage.js"):
        assert (SOURCE / "build" / page).stat().st_size > 10_000


@pytest.mark.usefixtures("_node")
def test_card_and_settings_page_show_what_they_should() -> None:
    npm("run", "test")
