"""Reading from Salesforce: everything of a deal in one query, and every change told once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from adapters.errors import Rejected
from adapters.results import Page, Wanted
from adapters.salesforce import ADAPTER
from adapters.salesforce.mapping import to18
from adapters.salesforce.reads import ALL_PIPELINE
from adapters.services import FieldMap
from adapters.signals import WebhookAccount, WebhookRequest
from sandbox.salesforce.schema import Field
from workflows.records import DealState, Part, RecordKind, Ref, Role
from workflows.writes import CreateTask

MINUTE = timedelta(minutes=1)


def told(ask: Callable[[str], Page], cursor: str) -> tuple[list[str], str]:
    """All ids from here on, and the cursor after them."""
    ids: list[str] = []
    while True:
        page = ask(cursor)
        ids += page.ids
        cursor = page.cursor
        if not page.more:
            return ids, cursor


def lose(org: Any, deal_id: str) -> None:
    org.sandbox.set_stage(deal_id, "Closed Lost")


# --- changes --------------------------------------------------------------------------------------------------------


def test_a_change_that_becomes_visible_after_a_later_one_is_told(make_org: Callable[..., Any]) -> None:
    org = make_org(late_visibility=300.0)
    deal_id = org.deal()
    org.sandbox.clock.advance(timedelta(hours=1))
    crm = org.connect()
    cursor = crm.start_cursor()
    org.sandbox.clock.advance(MINUTE)
    lose(org, deal_id)
    org.sandbox.world.settings.late_visibility = 0.0
    quick = org.deal("Stamped later, seen at once")
    org.sandbox.clock.advance(MINUTE)
    ids, cursor = told(crm.changed_deals, cursor)
    assert ids == [quick]
    org.sandbox.clock.advance(5 * MINUTE)
    ids, cursor = told(crm.changed_deals, cursor)
    assert ids == [deal_id]
    assert told(crm.changed_deals, cursor)[0] == []


def test_a_second_change_within_the_second_of_the_first_is_told(org: Any) -> None:
    crm = org.connect()
    deal_id = org.deal()
    cursor = crm.start_cursor()
    stamp = org.sandbox.world.now()
    lose(org, deal_id)
    _, cursor = told(crm.changed_deals, cursor)
    org.sandbox.world.update(deal_id, {"StageName": "Closed Won"}, at=stamp)
    page = crm.changed_deals(cursor)
    assert page.ids == (deal_id,)
    assert page.stages == {deal_id: "Closed Won"}


def test_the_servers_clock_counts_and_not_ours(org: Any) -> None:
    crm = org.connect()
    deal_id = org.deal()
    org.sandbox.clock.advance(timedelta(days=30))
    org.slept.clear()
    services_now = crm._services.now()
    assert abs(services_now - org.sandbox.clock.now()) < MINUTE
    object.__setattr__(crm._services, "now", lambda: datetime(2001, 1, 1, tzinfo=UTC))
    cursor = crm.start_cursor()
    org.sandbox.clock.advance(MINUTE)
    lose(org, deal_id)
    assert told(crm.changed_deals, cursor)[0] == [deal_id]


def test_a_bulk_load_with_one_stamp_is_told_whole_in_small_pages(make_org: Callable[..., Any]) -> None:
    org = make_org(page_rows=7)
    crm = org.connect()
    cursor = crm.start_cursor()
    stamp = org.sandbox.world.now()
    made = [
        org.sandbox.world.insert(
            "Opportunity", {"Name": f"D{n}", "StageName": "Prospecting", "CloseDate": "2026-12-31"}, at=stamp
        )
        for n in range(30)
    ]
    ids, cursor = told(crm.changed_deals, cursor)
    assert ids == made
    assert told(crm.changed_deals, cursor)[0] == []
    assert sorted(told(lambda text: crm.deals_in_stages(["Prospecting"], text), "")[0]) == sorted(made)


def test_a_deleted_deal_is_told_as_changed(org: Any) -> None:
    crm = org.connect()
    deal_id = org.deal()
    org.sandbox.clock.advance(timedelta(hours=1))
    cursor = crm.start_cursor()
    org.sandbox.clock.advance(MINUTE)
    org.sandbox.world.delete(deal_id)
    assert told(crm.changed_deals, cursor)[0] == [deal_id]


def test_only_tasks_of_ours_are_told_as_changed(org: Any) -> None:
    crm = org.provision()
    deal_id = org.deal()
    cursor = crm.start_cursor()
    org.add("Task", Subject="Somebody's own", WhatId=deal_id, Status="Not Started", Priority="Normal")
    write = CreateTask(key="k", deal_id=deal_id, subject="Ours", due_at=org.sandbox.clock.now(), owner_id=org.someone)
    (outcome,) = crm.write([write])
    assert told(crm.changed_tasks, cursor)[0] == [outcome.record_id]
    del org.sandbox.world.schema.object("Task").fields["aurevoir_key__c"]
    assert told(crm.changed_tasks, cursor)[0] == [], "an admin deleted the field: no stop, and nothing that carries it"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "nonsense", '{"since": "x", "after": null, "seen": {}}', '{"since": 3}']
)
def test_a_cursor_that_is_not_ours_is_refused(org: Any, text: str) -> None:
    with pytest.raises(Rejected, match="cursor"):
        org.connect().changed_deals(text)


# --- deals and people -----------------------------------------------------------------------------------------------


def test_a_deal_comes_with_people_history_and_figures_in_one_call(org: Any) -> None:
    schema = org.sandbox.world.schema
    for name, owner in (("Active_Users__c", "Account"), ("Nps_Start__c", "Opportunity")):
        schema.add_field(
            owner, Field(name, "double", name, precision=18, createable=True, updateable=True, custom=True)
        )
    schema.add_field(
        "Contact", Field("Lang__c", "string", "Lang", length=5, createable=True, updateable=True, custom=True)
    )
    org.provision()
    crm = org.connect(
        FieldMap(
            contract_end="CloseDate",
            exit_reason="NextStep",
            language="Lang__c",
            figures=(("company", "Active_Users__c"), ("deal", "Nps_Start__c"), ("deal", "Amount")),
        )
    )
    account = org.add("Account", Name="Acme", Active_Users__c=120, OwnerId=org.sandbox.integration_user_id)
    ann = org.add(
        "Contact", FirstName="Ann", LastName="Bee", Email="a@acme.example", Lang__c="fr_FR", HasOptedOutOfEmail=True
    )
    cy = org.add("Contact", LastName="Cy")
    deal_id = org.deal(AccountId=account, Amount=12000, Nps_Start__c=40, NextStep="Too dear")
    org.add("OpportunityContactRole", OpportunityId=deal_id, ContactId=cy)
    org.add("OpportunityContactRole", OpportunityId=deal_id, ContactId=ann, Role="Economic Buyer", IsPrimary=True)
    org.sandbox.clock.advance(MINUTE)
    lose(org, deal_id)
    org.sandbox.ledger.reset()
    observed = crm.observe([deal_id])[deal_id]
    assert org.calls() == ["GET /query/"]
    deal, people = observed.deal, observed.people
    assert [entry.stage_id for entry in deal.stage_history] == ["Closed Lost", "Negotiation/Review"]
    assert deal.stage_history[0].at - deal.stage_history[1].at == MINUTE
    assert (str(deal.amount), deal.exit_reason, deal.company_id) == ("12000.0", "Too dear", account)
    assert deal.figures == {"Nps_Start__c": "40", "Amount": "12000"}
    assert deal.contact_ids == (ann, cy)
    assert people.company.figures == {"Active_Users__c": "120"}
    assert people.company.owner_id == org.sandbox.integration_user_id
    first, second = people.contacts
    assert (first.language, first.opted_out, first.roles, first.primary) == ("fr", True, (Role.DECIDER,), True)
    assert (second.email, second.roles, second.name) == (None, (Role.OTHER,), "Cy")


def test_deleted_unknown_and_senseless_ids_are_told_and_cost_one_more_call(org: Any) -> None:
    org.provision()
    here, binned = org.deal("Here"), org.deal("Binned")
    org.sandbox.world.delete(binned)
    asked = [here[:15], binned, "0065g00000zzzzzAAA", "nonsense", ""]
    org.sandbox.ledger.reset()
    seen = org.connect().observe(asked)
    assert list(seen) == asked
    assert [each.deal.state for each in seen.values()] == [DealState.LIVE] + [DealState.DELETED] * 4
    assert seen[binned].deal.name == "Binned"
    assert all(each.people is not None for each in seen.values())
    assert org.calls() == ["GET /query/", "GET /queryAll/"]


def test_a_deal_with_more_people_than_a_page_holds_is_read_to_its_end(make_org: Callable[..., Any]) -> None:
    org = make_org(page_rows=10)
    org.provision()
    deal_id = org.deal()
    people = [org.add("Contact", LastName=f"P{number}") for number in range(35)]
    for person in people:
        org.add("OpportunityContactRole", OpportunityId=deal_id, ContactId=person)
    observed = org.connect().observe([deal_id])[deal_id]
    assert set(observed.deal.contact_ids) == set(people)


def test_a_poll_tells_who_is_ticked_and_goes_on_once_that_field_is_gone(org: Any) -> None:
    org.provision()
    crm, deal_id, field = org.connect(), org.deal(), "Aurevoir_Start_Now__c"
    cursor = crm.start_cursor()
    org.sandbox.world.update(deal_id, {field: True})
    page = crm.changed_deals(cursor)
    assert (page.ids, page.ticked) == ((deal_id,), {deal_id})
    org.sandbox.world.schema.objects["Opportunity"].fields.pop(field.lower())
    lose(org, deal_id)
    page = crm.changed_deals(cursor)
    assert (page.ids, page.ticked) == ((deal_id,), frozenset())


def test_a_field_hidden_since_we_looked_is_noticed(org: Any) -> None:
    org.provision()
    deal_id = org.deal()
    del org.sandbox.world.schema.object("Contact").fields["hasoptedoutofemail"]
    assert org.connect().observe([deal_id])[deal_id].deal.name == "Acme renewal"


def test_a_mapped_field_that_is_missing_is_named(org: Any) -> None:
    org.provision()
    with pytest.raises(Rejected, match="No_Such__c") as caught:
        org.connect(FieldMap(contract_end="No_Such__c")).observe([org.deal()])
    assert caught.value.field == "No_Such__c"


def test_former_owners_come_from_the_deals_history(org: Any) -> None:
    org.provision()
    new = org.sandbox.add_user("New", "Owner", "new@globex.example")
    deal_id = org.deal()
    org.sandbox.world.update(deal_id, {"OwnerId": new})
    deal = org.connect().observe([deal_id])[deal_id].deal
    assert (deal.owner_id, deal.past_owner_ids) == (new, (org.someone,))


# --- the rest -------------------------------------------------------------------------------------------------------


def test_record_types_are_pipelines_and_all_opportunities_one_more(org: Any) -> None:
    renewal = org.sandbox.add_record_type("Renewal")
    pipelines = {each.id: each for each in org.connect().pipelines()}
    assert {key: each.label for key, each in pipelines.items()} == {
        ALL_PIPELINE: "All opportunities",
        renewal: "Renewal",
    }
    assert pipelines[renewal].stages == pipelines[ALL_PIPELINE].stages
    assert org.connect().observe([org.deal(RecordTypeId=renewal)]).popitem()[1].deal.pipeline_id == renewal


def test_users_come_with_their_zone_and_language(org: Any) -> None:
    made = org.sandbox.add_user(
        "Zoé", "Petit", "zoe@globex.example", TimeZoneSidKey="Europe/Paris", LanguageLocaleKey="fr"
    )
    (user,) = [each for each in org.connect().users() if each.id == made]
    assert (user.name, user.email, user.time_zone, user.language) == (
        "Zoé Petit",
        "zoe@globex.example",
        "Europe/Paris",
        "fr",
    )


def test_history_comes_from_tracked_fields_and_no_other(org: Any) -> None:
    deal_id, account = org.deal(), org.add("Account", Name="Acme", Type="Prospect")
    since = org.sandbox.clock.now() - MINUTE
    org.sandbox.world.update(deal_id, {"Amount": 10, "NextStep": "x"})
    org.sandbox.world.update(account, {"Type": "Other"})
    records = [Ref(kind=RecordKind.DEAL, id=deal_id), Ref(kind=RecordKind.COMPANY, id=account)]
    changes = org.connect().history(records, ["Amount", "NextStep", "Type"], since)
    assert {(change.record.id, change.field, change.value) for change in changes} == {
        (deal_id, "Amount", "10"),
        (account, "Type", "Other"),
    }
    with pytest.raises(Rejected, match="API name"):
        org.connect().history(records, ["Amount FROM User"], since)


def test_without_our_field_tasks_carry_their_key_where_few_look(org: Any) -> None:
    crm = org.connect()
    deal_id = org.deal()
    write = CreateTask(key="k", deal_id=deal_id, subject="S", due_at=org.sandbox.clock.now(), owner_id=org.someone)
    cursor = crm.start_cursor()
    (outcome,) = crm.write([write])
    assert not crm.capabilities.unique_task_key
    assert crm.find([Wanted("k", "task", deal_id), Wanted("z", "task", deal_id)]) == {"k": outcome.record_id}
    assert told(crm.changed_tasks, cursor)[0] == [outcome.record_id]


def test_states_of_a_thousand_tasks_take_three_calls(org: Any) -> None:
    org.provision()
    ids = [to18(f"00T5g00000{number:05}") for number in range(999)] + ["00T5g0000000001AAA"]
    states = org.connect().task_states(ids)
    assert list(states) == ids
    assert not any(state.found for state in states.values())
    assert len(org.calls()) <= 4


def test_a_deals_page_is_told_once_the_org_is_known(org: Any) -> None:
    crm = org.connect()
    deal_id = org.deal()
    assert crm.deal_url(deal_id) is None
    crm.users()
    assert crm.deal_url(deal_id[:15]) == f"{org.url}/lightning/r/Opportunity/{deal_id}/view"
    assert org.connect().deal_url(deal_id) is not None, "a kept token tells it without a call"


def test_what_the_sandbox_sends_is_understood_and_our_answer_ends_its_retries(org: Any) -> None:
    got: list[bytes] = []
    secret = "a-path-secret-of-24-characters"
    account = WebhookAccount("globex", "00D5g00000ABCDE", (secret,))

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            request = WebhookRequest("POST", "", {}, got[-1], datetime.now(UTC), self.path.rpartition("/")[2])
            reply = ADAPTER.receive(request, [account]).reply
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        org.sandbox.send_stages(f"http://127.0.0.1:{server.server_port}/webhooks/salesforce/{secret}", ["Closed Lost"])
        deal_id = org.deal()
        lose(org, deal_id)
        org.sandbox.hooks.deliver_now()
        assert org.sandbox.hooks.pending() == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    request = WebhookRequest("POST", "", {}, got[0], datetime.now(UTC), secret)
    (signal,) = ADAPTER.receive(request, [account]).signals
    assert (signal.record_id, signal.stage_id) == (deal_id, "Closed Lost")


# --- who took part --------------------------------------------------------------------------------------------------


def test_teams_that_an_org_has_not_or_no_longer_are_done_without(org: Any) -> None:
    deal_id, claire = org.deal(), org.sandbox.add_user("Claire", "Martin", "claire@example.com")
    world = org.sandbox.world
    account = world.live(deal_id)["AccountId"]
    world.insert("OpportunityTeamMember", {"OpportunityId": deal_id, "UserId": claire})
    if account:
        world.insert("AccountTeamMember", {"AccountId": account, "UserId": claire})
    world.insert("Event", {"WhatId": deal_id, "OwnerId": claire, "Subject": "Met"})
    crm = org.connect()
    deal = crm.observe([deal_id])[deal_id].deal
    wanted = {Part.MEETING, Part.DEAL_TEAM} | ({Part.COMPANY_TEAM} if account else set())
    assert {one.part for one in crm.involved([deal])[deal_id]} == wanted
    del world.schema.objects["Opportunity"].children["OpportunityTeamMembers"]
    del world.schema.objects["Account"].children["AccountTeamMembers"]
    assert {one.part for one in crm.involved([deal])[deal_id]} == {Part.MEETING}, "hidden since we looked"
    assert {one.part for one in org.connect().involved([deal])[deal_id]} == {Part.MEETING}, "never there"
