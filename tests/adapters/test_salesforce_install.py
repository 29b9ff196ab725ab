"""`provision` puts the whole app into an org: followed to its end, once, and what an org refuses told by name."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.errors import OutcomeUnknown, ScopeMissing
from adapters.offers import APP_STATE, Installing, PackageOrder
from adapters.results import Finding, Level, SchemaReport
from adapters.salesforce.adapter import SalesforceCrm
from adapters.salesforce.install import FLOWS
from sandbox.kit import Fault
from workflows.fields import FIELDS

URL = "https://goodbye.example.com"
SECRET = "a-path-secret-of-the-org-1234"
STAGES = frozenset({"Closed Lost", "Negotiation/Review"})


def install(org: Any, *, known: str = "", **more: Any) -> SchemaReport:
    crm: SalesforceCrm = org.connect(webhook_secret=SECRET)
    assert isinstance(crm, Installing)
    url = more.pop("public_url", URL)
    return crm.install_app(PackageOrder(url, crm._settings, more.pop("stages", STAGES)), known=known, **more)


def deployments(org: Any) -> list[dict[str, Any]]:
    return [each.result(details=False) for each in org.sandbox.metadata.deployments.values()]


def real(org: Any) -> list[dict[str, Any]]:
    return [each for each in deployments(org) if not each["checkOnly"]]


def test_everything_is_deployed_after_a_check_and_the_second_time_nothing(org: Any) -> None:
    org.provision()
    org.sandbox.metadata.deployments.clear()
    first = install(org)
    assert first.refused == {}
    named = " ".join(first.created)
    for part in ("the outbound message", "the flow", "the permission set", "the list view", "the report type",
                 "the report", "the part for the record page", "the remote site", "the trusted site"):  # fmt: skip
        assert part in named
    assert [each["checkOnly"] for each in deployments(org)] == [True, False]
    assert set(org.sandbox.hooks.flows) == set(FLOWS)
    assert all(flow.active for flow in org.sandbox.hooks.flows.values())
    message = org.sandbox.hooks.messages["Aurevoir_Look"]
    assert message.url == f"{URL}/webhooks/salesforce/{SECRET}"
    second = install(org, known=first.state[APP_STATE])
    assert (second.created, second.refused) == ((), {})
    assert set(second.present) == set(first.created)
    assert len(deployments(org)) == 2


def test_a_part_that_was_taken_away_is_put_back(org: Any) -> None:
    org.provision()
    known = install(org).state[APP_STATE]
    before, world = len(real(org)), org.sandbox.world
    gone = next(key for key, row in world.tables["FlowDefinition"].items() if row["DeveloperName"] == FLOWS[0])
    world.drop("FlowDefinition", gone)
    org.sandbox.metadata.org.components.discard(("Flow", FLOWS[0]))
    again = install(org, known=known)
    assert again.created == (f"the flow {FLOWS[0]}",)
    assert any("the report " in part for part in again.extended), "what is there is brought up to date, not created"
    assert len(real(org)) == before + 1


def test_another_address_or_another_stage_is_deployed_anew(org: Any) -> None:
    org.provision()
    known = install(org).state[APP_STATE]
    moved = install(org, known=known, public_url="https://other.example.com")
    assert org.sandbox.hooks.messages["Aurevoir_Look"].url.startswith("https://other.example.com/")
    install(
        org, known=moved.state[APP_STATE], public_url="https://other.example.com", stages=frozenset({"Closed Lost"})
    )
    assert len(real(org)) == 3


@pytest.mark.row("P-7B")
def test_sites_that_an_admin_switched_on_stay_on_until_our_address_changes(org: Any) -> None:
    org.provision()
    known = install(org).state[APP_STATE]
    tables = org.sandbox.world.tables

    def sites() -> list[dict[str, Any]]:
        return [row for table in ("RemoteProxy", "CspTrustedSite") for row in tables[table].values()]

    assert [(row["EndpointUrl"], row["IsActive"]) for row in sites()] == [(URL, False)] * 2
    for row in sites():
        row["IsActive"] = True
    again = install(org, known=known, stages=frozenset({"Closed Lost"}))
    assert any("the flow" in part for part in again.extended)
    assert not any("site" in part for part in (*again.created, *again.extended))
    assert all(row["IsActive"] for row in sites())
    moved = install(org, known=again.state[APP_STATE], public_url="https://other.example.com")
    assert [(row["EndpointUrl"], row["IsActive"]) for row in sites()] == [("https://other.example.com", False)] * 2
    assert sum(f"was switched on for {URL}" in note for note in moved.notes) == 2


@pytest.mark.row("P-7B")
def test_a_site_that_an_org_does_not_show_is_left_alone_and_told_while_the_other_is_made(org: Any) -> None:
    org.provision()
    world = org.sandbox.world
    hidden = world.schema.objects.pop("CspTrustedSite")  # sObject type 'CspTrustedSite' is not supported
    made = install(org)
    assert [row["EndpointUrl"] for row in world.tables["RemoteProxy"].values()] == [URL]
    assert not world.tables["CspTrustedSite"]
    assert not any("trusted site" in part for part in made.created)
    (note,) = [note for note in made.notes if "left as it is" in note]
    assert note.startswith("the trusted site")
    assert f"enter {URL} in Setup by hand" in note
    world.schema.objects["CspTrustedSite"] = hidden
    assert any("trusted site" in part for part in install(org).created), "once it is shown, it is made"


def test_a_dry_run_is_a_check_that_leaves_nothing_even_before_the_fields_are_there(org: Any) -> None:
    made = install(org, dry_run=True)
    assert made.refused == {}
    assert any("the flow" in each for each in made.created)
    assert made.state == {}
    assert [each["checkOnly"] for each in deployments(org)] == [True]
    assert org.sandbox.hooks.flows == {}
    assert "aurevoir_status__c" not in org.sandbox.world.schema.objects["Opportunity"].fields


def test_an_edition_without_outbound_messages_gets_the_rest_and_is_told(make_org: Callable[..., Any]) -> None:
    org = make_org(edition="professional")
    org.provision()
    made = install(org)
    assert set(made.refused) == {
        "the outbound message Aurevoir_Look", *(f"the flow {name}" for name in FLOWS),
    }  # fmt: skip
    assert "not available" in made.refused["the outbound message Aurevoir_Look"]
    assert any("the report Aurevoir/Exit_Score" in each for each in made.created)
    assert made.state[APP_STATE] == "", "so that the next run tries again"


def test_flows_that_production_leaves_asleep_are_named(make_org: Callable[..., Any]) -> None:
    org = make_org(flows_deploy_active=False)
    org.provision()
    made = install(org)
    assert made.refused == {}
    (note,) = [note for note in made.notes if "activate" in note]
    assert all(name in note for name in FLOWS)
    again = install(org, known=made.state[APP_STATE])
    assert again.created == ()
    assert any("activate" in note for note in again.notes), "until someone does"


def test_an_address_that_salesforce_cannot_reach_leaves_push_out_and_says_so(org: Any) -> None:
    org.provision()
    made = install(org, public_url="http://127.0.0.1:8080")
    assert made.refused == {}
    assert not any("flow" in each for each in made.created)
    assert any("cannot reach http://127.0.0.1:8080" in note for note in made.notes)


def test_without_a_secret_push_is_left_out_and_the_cure_named(org: Any) -> None:
    org.provision()
    crm = org.connect()
    made = crm.install_app(PackageOrder(URL, crm._settings, STAGES))
    assert any("webhook_secret" in note for note in made.notes)


def test_one_refused_report_does_not_keep_the_others_out(org: Any) -> None:
    org.provision()
    fields = org.sandbox.world.schema.objects["Opportunity"].fields
    fields.pop("aurevoir_start_score__c")
    made = install(org)
    assert any(name.startswith("the report") for name in made.refused)
    assert any("the flow" in each for each in made.created)


def test_the_way_of_a_deployment_is_told(org: Any) -> None:
    org.provision()
    org.sandbox.metadata.seconds = 0.3
    heard: list[tuple[str, int, int]] = []
    crm = org.connect(webhook_secret=SECRET)
    install_it = PackageOrder(URL, crm._settings, STAGES)

    def follow(status: str, done: int, total: int) -> None:
        heard.append((status, done, total))

    object.__setattr__(crm._services, "sleep", lambda _seconds: time.sleep(0.05))
    crm.install_app(install_it, follow=follow)
    assert any(0 < done < total for _, done, total in heard)
    assert heard[-1][0] == "Succeeded"
    assert heard[-1][1] == heard[-1][2] > 10


def test_a_user_who_may_not_deploy_is_told_which_permission_is_missing(org: Any) -> None:
    org.provision()
    org.sandbox.world.settings.may_deploy = False
    with pytest.raises(ScopeMissing, match="Modify Metadata"):
        install(org)


def test_a_deployment_that_breaks_off_half_way_is_done_at_the_next_run(org: Any) -> None:
    org.provision()
    org.sandbox.faults.set(Fault(match="^POST .*/metadata/deployRequest", times=1, status=500))
    with pytest.raises(OutcomeUnknown):
        install(org)
    assert install(org).refused == {}


def test_the_fields_of_provisioning_stay_as_they_are(org: Any) -> None:
    org.provision()
    install(org)
    crm = org.connect()
    assert crm.ensure_schema(FIELDS, dry_run=True).created == ()


# --- the check-up afterwards ----------------------------------------------------------------------------------------


def push_finding(org: Any) -> Finding:
    crm: SalesforceCrm = org.connect(webhook_secret=SECRET)
    return next(finding for finding in crm.check() if finding.subject == "outbound messages")


@pytest.mark.row("P-73")
def test_the_check_up_sees_whether_the_message_and_its_flows_are_there(org: Any) -> None:
    org.provision()
    before = push_finding(org)
    assert before.level is Level.WARNING
    assert "Aurevoir_Look, Aurevoir_Stage_Moved" in before.text, "names alone, which no language changes"
    assert "aurevoir provision" in before.remedy
    install(org)
    assert push_finding(org).level is Level.OK
    admin = org.sandbox.app.test_client()
    admin.post(f"/sandbox/flows/{FLOWS[1]}", json={"active": False})
    asleep = push_finding(org)
    assert asleep.level is Level.WARNING
    assert f"flows that sleep: {FLOWS[1]};" in asleep.text
    admin.post(f"/sandbox/flows/{FLOWS[1]}", json={"active": True})
    assert push_finding(org).level is Level.OK


@pytest.mark.row("P-73")
def test_the_check_up_names_flows_that_sleep_with_where_to_wake_them(make_org: Callable[..., Any]) -> None:
    org = make_org(flows_deploy_active=False)
    org.provision()
    install(org)
    asleep = push_finding(org)
    assert asleep.level is Level.WARNING
    assert all(name in asleep.text for name in FLOWS)
    assert "Setup > Flows" in asleep.remedy


@pytest.mark.row("P-73")
def test_the_check_up_misses_the_permission_set_of_the_connectors_user(org: Any) -> None:
    org.provision()
    world = org.sandbox.world
    for key in list(world.tables["PermissionSetAssignment"]):
        world.drop("PermissionSetAssignment", key)
    found = {finding.subject: finding for finding in org.connect().check()}
    assert found["permission set"].level is Level.FAULT
    assert "aurevoir provision" in found["permission set"].remedy


@pytest.mark.row("P-73")
def test_the_check_up_sees_a_clock_that_is_off(org: Any) -> None:
    org.provision()
    crm = org.connect()
    object.__setattr__(crm._services, "now", lambda: org.sandbox.clock.now() + timedelta(minutes=7))
    clock = next(finding for finding in crm.check() if finding.subject == "clock")
    assert clock.level is Level.FAULT
    assert "ahead of Salesforce's" in clock.text
