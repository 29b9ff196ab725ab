"""The Salesforce package: valid by the vendor's schema, made from our fields, deployable, heard when stages move."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from lxml import etree

from adapters.errors import ConfigError
from adapters.offers import PackageOrder, Packager
from adapters.salesforce import ADAPTER, packaging, parts
from adapters.salesforce.adapter import SalesforceCrm
from adapters.salesforce.deploying import Deployer
from adapters.salesforce.metadata import Package
from adapters.salesforce.settings import SalesforceSettings
from adapters.signals import WebhookAccount, WebhookRequest
from sandbox.kit import Server
from workflows.fields import FIELDS

ORG = "00D5g00000ABCDE"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PUBLIC = "https://goodbye.acme.com"
SECRET = "Zm9yLW91dGJvdW5kLW1lc3NhZ2Vz"
NS = "{http://soap.sforce.com/2006/04/metadata}"
SETTINGS = SalesforceSettings.model_validate(
    {"login_url": "https://acme.my.salesforce.com", "client_id": "id", "client_secret": "s", "webhook_secret": SECRET}
)
LOST, TALKS, OTHER = "Closed Lost", "Negotiation/Review", "Prospecting"
USER = "aurevoir@acme.com"


def order(*stages: str, **options: str) -> PackageOrder:
    return PackageOrder(PUBLIC, SETTINGS, frozenset(stages), {"user": USER} | options)


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


ROOTS = (
    "CspTrustedSite", "CustomField", "CustomObject", "ExternalClientApplication", "ExtlClntAppGlobalOauthSettings",
    "ExtlClntAppOauthConfigurablePolicies", "ExtlClntAppOauthSettings", "Flow", "LightningComponentBundle", "ListView",
    "Package", "PermissionSet", "RemoteSiteSetting", "Report", "ReportFolder", "ReportType", "Workflow",
)  # fmt: skip


@lru_cache(maxsize=1)
def metadata_schema() -> etree.XMLSchema:
    """The vendor's own schema of metadata files, from the WSDL inside simple-salesforce."""
    wsdl = etree.fromstring(resources("simple_salesforce").joinpath("metadata.wsdl").read_bytes())
    xsd = "{http://www.w3.org/2001/XMLSchema}"
    schema = wsdl.find(f"{{http://schemas.xmlsoap.org/wsdl/}}types/{xsd}schema")
    for name in ROOTS:
        etree.SubElement(schema, f"{xsd}element", {"name": name, "type": f"tns:{name}"})
    return etree.XMLSchema(etree.fromstring(etree.tostring(schema)))


def assert_valid(files: Mapping[str, bytes]) -> int:
    """Holds every XML file to the schema of the Metadata API that simple-salesforce carries."""
    schema, checked = metadata_schema(), 0
    for name, content in files.items():
        if name.endswith((".html", ".js", ".json")):
            continue
        root = etree.fromstring(content)
        assert schema.validate(root), (name, schema.error_log)
        checked += 1
    return checked


# --- the files ------------------------------------------------------------------------------------------------------


def test_what_is_committed_is_what_the_fields_make() -> None:
    made = packaging.committed_files()
    there = {p.relative_to(parts.SOURCE).as_posix(): p.read_bytes() for p in parts.SOURCE.rglob("*") if p.is_file()}
    assert set(made) == set(there), "run `make package`, and delete what is left over"
    changed = [name for name, content in made.items() if there[name] != content]
    assert changed == [], "run `make package`"


def test_every_committed_file_is_valid_by_the_vendors_schema() -> None:
    assert assert_valid(packaging.committed_files()) > 30


def test_no_committed_file_holds_a_secret_of_the_app() -> None:
    files = packaging.committed_files()
    assert not any("GlobalOauth" in name or b"consumer" in content for name, content in files.items())


@pytest.mark.parametrize("stages", [(), (LOST,), (LOST, TALKS)])
def test_every_file_for_an_org_is_valid_and_listed(tmp_path: Path, stages: tuple[str, ...]) -> None:
    assert isinstance(ADAPTER, Packager)
    main, login, *source = ADAPTER.package(order(*stages), tmp_path / "out")
    for path in (main, login):
        files = contents(path)
        assert_valid(files)
        assert next(iter(files)) == "package.xml"
    assert_valid({path.name: path.read_bytes() for path in source})
    manifest = etree.fromstring(contents(main)["package.xml"])
    members = {
        each.findtext(f"{NS}name"): {m.text for m in each.findall(f"{NS}members")}
        for each in manifest.findall(f"{NS}types")
    }
    assert set(members) == {
        "CustomField", "PermissionSet", "ListView", "ReportType", "Report", "LightningComponentBundle",
        "WorkflowOutboundMessage", "Flow", "RemoteSiteSetting", "CspTrustedSite",
    }  # fmt: skip
    assert len(members["CustomField"]) == len(FIELDS)
    assert members["WorkflowOutboundMessage"] == {"Opportunity.Aurevoir_Look"}


def test_the_message_goes_to_the_orgs_own_address_and_carries_the_least(tmp_path: Path) -> None:
    main, *_ = ADAPTER.package(order(LOST), tmp_path)
    message = etree.fromstring(contents(main)["workflows/Opportunity.workflow"])[0]
    assert message.findtext(f"{NS}endpointUrl") == f"{PUBLIC}/webhooks/salesforce/{SECRET}"
    assert message.findtext(f"{NS}integrationUser") == USER
    assert message.findtext(f"{NS}includeSessionId") == "false"
    assert [each.text for each in message.findall(f"{NS}fields")] == [
        "Id",
        "StageName",
        "SystemModstamp",
    ]


def test_the_orgs_own_address_is_entered_as_a_site_and_grants_nothing_before_an_admin_says_so(tmp_path: Path) -> None:
    deep = PackageOrder(f"{PUBLIC}:8443/goodbye/", SETTINGS, frozenset(), {"user": USER})
    main, *_ = ADAPTER.package(deep, tmp_path)
    remote, trusted = (
        {etree.QName(each).localname: each.text for each in etree.fromstring(contents(main)[path])}
        for path in ("remoteSiteSettings/Aurevoir.remoteSite", "cspTrustedSites/Aurevoir.cspTrustedSite")
    )
    assert (remote["url"], trusted["endpointUrl"]) == (f"{PUBLIC}:8443", f"{PUBLIC}:8443")
    assert (remote["isActive"], trusted["isActive"]) == ("false", "false")
    assert remote["disableProtocolSecurity"] == "false"


def test_the_report_on_scores_shows_them_at_the_start_and_at_the_end_with_their_averages(tmp_path: Path) -> None:
    main, *_ = ADAPTER.package(order(), tmp_path)
    report = etree.fromstring(contents(main)["reports/Aurevoir/Exit_Score.report"])
    shown = {each.findtext(f"{NS}field"): each.findtext(f"{NS}aggregateTypes") for each in report.iter(f"{NS}columns")}
    assert shown["Opportunity$Aurevoir_Start_Score__c"] == "Average"
    assert shown["Opportunity$Aurevoir_Exit_Score__c"] == "Average"


def test_the_app_to_log_in_asks_for_little_and_rotates(tmp_path: Path) -> None:
    _, login, *_ = ADAPTER.package(order(), tmp_path)
    files = {name.partition("/")[0]: etree.fromstring(content) for name, content in contents(login).items()}
    secrets = {etree.QName(each).localname: each.text for each in files["extlClntAppGlobalOauthSets"]}
    assert secrets["callbackUrl"] == f"{PUBLIC}/oauth/salesforce/callback"
    assert (secrets["isPkceRequired"], secrets["isRefreshTokenRotationEnabled"]) == ("true", "true")
    assert files["extlClntAppOauthSettings"].findtext(f"{NS}commaSeparatedOauthScopes") == "Api, RefreshToken"


def test_an_org_without_push_gets_the_rest(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"webhook_secret": ()})
    quiet = PackageOrder(PUBLIC, settings, frozenset(), {"user": USER, "push": "no"})
    main, *_ = ADAPTER.package(quiet, tmp_path)
    assert not any(name.startswith(("workflows", "flows")) for name in contents(main))
    with pytest.raises(ConfigError, match="push=no"):
        ADAPTER.package(PackageOrder(PUBLIC, settings, frozenset(), {"user": USER}), tmp_path)


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    wrong = PackageOrder("http://127.0.0.1:8080", None, frozenset(), {"colour": "red", "push": "maybe", "contact": "x"})
    with pytest.raises(ConfigError) as caught:
        ADAPTER.package(wrong, tmp_path / "out")
    keys = {fault.key for fault in caught.value.faults}
    assert keys == {"colour", "push", "contact", "account", "public_url", "user"}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "url", ["https://goodbye.acme.com:81", "https://x", "https://a@goodbye.acme.com", "https://[::1"]
)
def test_an_address_that_salesforce_cannot_reach_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="public_url"):
        ADAPTER.package(PackageOrder(url, SETTINGS, frozenset(), {"user": USER}), tmp_path)


def test_the_part_for_the_page_shows_fields_of_ours() -> None:
    folder = parts.SOURCE / "force-app/main/default/lwc/aurevoirCase"
    script = (folder / "aurevoirCase.js").read_text()
    named = set(re.findall(r"@salesforce/schema/(\S+?)'", script))
    ours = {f"{each.owner}.{each.name}" for each in packaging.main_package("66.0", ()).fields}
    assert named
    assert named <= ours
    template = (folder / "aurevoirCase.html").read_text()
    assert "{recordId}" in template
    # Directives have prefixes without a namespace, and bindings stand without quotes; all else is XML.
    plain = re.sub(r"\b(lwc|for):", r"\1-", template)
    plain = re.sub(r"\s(lwc-else|multiple-rows)(?=[\s>])", r' \1=""', plain)
    etree.fromstring(re.sub(r"=(\{\w+\})", r'="\1"', plain))
    if shutil.which("node"):
        done = subprocess.run(
            ["node", "--check", "--input-type=module"],
            input=script.replace("@api ", ""),
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


# --- in an org ------------------------------------------------------------------------------------------------------


def deployed(org: Any, *stages: str, url: str = PUBLIC, check_only: bool = False) -> dict[str, str]:
    """Deploy both packages as an admin would; what was refused."""
    someone = org.sandbox.world.tables["User"][org.someone]["Username"]
    crm: SalesforceCrm = org.connect()
    made = packaging.packages(PackageOrder(url, SETTINGS, frozenset(stages), {"user": someone}))
    refused: dict[str, str] = {}
    for each in made:
        failed = Deployer(crm._client, crm._services).deploy(each, check_only=check_only)
        refused |= {one.member: one.problem for one in failed}
    return refused


class Ear:
    """Takes outbound messages at the secret address, and tells what our receiver makes of them."""

    def __init__(self) -> None:
        self.signals: list[tuple[str, str | None]] = []
        self.app = Flask("ear")
        self.app.add_url_rule("/webhooks/salesforce/<secret>", view_func=self.take, methods=["POST"])

    def take(self, secret: str) -> Any:
        delivery = WebhookRequest("POST", request.url, {}, request.get_data(), NOW, secret)
        receipt = ADAPTER.receive(delivery, [WebhookAccount("globex", ORG, (SECRET,))])
        self.signals += [(each.record_id, each.stage_id) for each in receipt.signals]
        return receipt.reply.body, receipt.reply.status, {"Content-Type": receipt.reply.content_type}


@pytest.fixture
def told(make_org: Callable[..., Any]) -> Iterator[Callable[..., tuple[Any, Callable[[], list[str | None]]]]]:
    """An organisation with the package for these stages, and the stages that reached us since the last question."""
    ear = Ear()
    server = Server(ear.app).start()

    def make(*stages: str) -> tuple[Any, Callable[[], list[str | None]]]:
        org = make_org(flows_deploy_active=True)
        assert deployed(org, *stages, url=server.url) == {}

        def heard() -> list[str | None]:
            org.sandbox.hooks.deliver_now()
            signals, ear.signals = ear.signals, []
            return [stage for _, stage in signals]

        return org, heard

    yield make
    server.stop()


def move(org: Any, deal_id: str, **values: Any) -> None:
    org.sandbox.world.update(deal_id, values)


def test_moves_into_out_of_and_between_watched_stages_are_told_once_each(told: Any) -> None:
    org, heard = told(TALKS, LOST)
    deal_id = org.deal(StageName=OTHER)
    assert heard() == []
    for stage in (TALKS, LOST, OTHER):
        move(org, deal_id, StageName=stage)
        assert heard() == [stage]
    move(org, deal_id, StageName="Qualification")
    assert heard() == []


def test_other_changes_of_a_watched_deal_are_not_told(told: Any) -> None:
    org, heard = told(LOST)
    deal_id = org.deal(StageName=LOST)
    assert heard() == [LOST]
    move(org, deal_id, Name="Another name")
    move(org, deal_id, StageName=LOST)
    assert heard() == []


def test_without_named_stages_every_move_is_told(told: Any) -> None:
    org, heard = told()
    deal_id = org.deal(StageName=OTHER)
    assert heard() == []
    move(org, deal_id, StageName=TALKS)
    move(org, org.deal(StageName=LOST), Name="Lost from the start")
    assert heard() == [TALKS, LOST]


def test_the_package_can_be_tried_and_deployed_again(org: Any) -> None:
    assert deployed(org, LOST, check_only=True) == {}
    assert org.rows("Task") == []
    assert "aurevoir_status__c" not in org.sandbox.world.schema.objects["Opportunity"].fields
    assert deployed(org, LOST) == {}
    assert deployed(org, LOST, TALKS) == {}
    crm = org.connect()
    assert crm.ensure_schema(FIELDS).refused == {}, "fields of the package are those of provisioning"
    assert crm.ensure_schema(FIELDS, dry_run=True).created == ()


def test_what_the_org_cannot_resolve_is_refused_by_name(org: Any) -> None:
    crm = org.connect()
    lonely = Package("66.0", permission_set=False, list_views=parts.list_views(), pieces=parts.reports())
    failed = Deployer(crm._client, crm._services).deploy(lonely, check_only=True)
    refused = {one.member: one.problem for one in failed}
    assert {"Opportunity.Aurevoir_Open", "Aurevoir_Offboardings", "Aurevoir/Exit_Score"} <= set(refused)
