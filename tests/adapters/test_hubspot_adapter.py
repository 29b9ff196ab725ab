"""What is HubSpot's own: the vendor's oddities that the adapter must bear. The rest is in tests/conformance."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import conformance_kit as kit
import pytest
from pydantic import SecretStr, ValidationError
from rig_hubspot import RIG
from structlog.testing import capture_logs

from adapters.errors import CredentialsInvalid, NotFound, OutcomeUnknown, Permanent, RateLimited, Unavailable
from adapters.hubspot.changes import PAGE, Cursor
from adapters.hubspot.client import dated
from adapters.hubspot.settings import HubSpotSettings
from adapters.results import Level, Result, Wanted
from adapters.services import FieldMap, Services, Token
from sandbox.hubspot import TOKEN
from sandbox.hubspot.definitions import CONTACT, DEAL, TASK
from sandbox.hubspot.errors import rate_limited
from sandbox.kit import Fault
from workflows.fields import FIELDS, named_in
from workflows.namesakes import Leaver
from workflows.records import DealState, RecordKind, Ref, Role
from workflows.writes import CreateNote, UpdateFields, UpdateTask

task = kit.task


@pytest.fixture
def rig() -> Iterator[Any]:
    made = RIG()
    yield made
    made.close()


@pytest.fixture
def desk(rig: Any) -> Iterator[Any]:
    made = kit.connect(rig, state=kit.provision(rig))
    rig.forget_calls()
    yield made
    made.crm.close()


def reconnect(rig: Any, state: dict[str, str] | None = None, **changes: Any) -> Any:
    """A connection with other settings."""
    settings = HubSpotSettings.model_validate({**rig.bare_settings(), **changes})
    rig.settings = lambda: settings
    return kit.connect(rig, state=state)


def paths(rig: Any) -> list[str]:
    return [f"{call.method} {call.path}" for call in rig.sandbox.ledger.calls]


def update(deal_id: str, key: str = "f", **values: Any) -> UpdateFields:
    return UpdateFields(key=key, deal_id=deal_id, target=Ref(kind=RecordKind.DEAL, id=deal_id), values=values)


# --- paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classic", "new"),
    [
        ("/crm/v3/objects/deals/{dealId}", "/crm/objects/2026-03/0-3/{dealId}"),
        ("/crm/v3/objects/deals", "/crm/objects/2026-03/0-3"),
        ("/crm/v3/objects/tasks/batch/create", "/crm/objects/2026-03/tasks/batch/create"),
        ("/crm/v3/owners/", "/crm/owners/2026-03"),
        ("/crm/v3/pipelines/{objectType}", "/crm/pipelines/2026-03/{objectType}"),
        ("/crm/v3/properties/{objectType}/groups", "/crm/properties/2026-03/{objectType}/groups"),
        (
            "/crm/v4/associations/{fromObjectType}/{toObjectType}/batch/read",
            "/crm/associations/2026-03/{fromObjectType}/{toObjectType}/batch/read",
        ),
        ("/files/v3/files", "/files/v3/files"),
    ],
)
def test_paths_of_the_vendors_client_become_dated_ones(classic: str, new: str) -> None:
    assert dated(classic, "2026-03") == new
    assert dated(classic, "classic") == classic


@pytest.mark.parametrize(("version", "start"), [("classic", "/crm/v"), ("2026-03", "/crm/"), ("2026-09", "/crm/")])
def test_every_version_of_the_api_serves_a_whole_case(rig: Any, version: str, start: str) -> None:
    desk = reconnect(rig, api_version=version)
    report = desk.crm.ensure_schema(FIELDS)
    assert report.refused == {}
    deal = desk.crm.observe(["901"])["901"].deal
    people = desk.crm.people([deal])["901"]
    assert len(people.contacts) == 3
    bad = task(rig, "901", "bad", owner_id="999999")
    outcomes = desk.crm.write([task(rig, "901", "good"), bad, update("901", status="active")])
    assert [outcome.result for outcome in outcomes] == [Result.DONE, Result.REFUSED, Result.DONE]
    rig.advance(timedelta(minutes=1))
    assert desk.crm.find([Wanted("good", "task", "901")])
    assert desk.crm.changed_deals(desk.crm.start_cursor()).more is False
    assert all(version in path or version == "classic" for path in paths(rig) if " /crm/" in path)
    assert all(f" {start}" in path or " /files/" in path for path in paths(rig))


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("makes_new", [False, True])
def test_a_merged_deal_names_the_one_that_goes_on_alone_and_in_a_batch(rig: Any, desk: Any, makes_new: bool) -> None:
    rig.sandbox.options.merge_makes_new = makes_new
    with rig.world.lock:
        winner, loser = rig.world.get(DEAL, "901"), rig.world.get(DEAL, "902")
        survivor = rig.world.merge(winner, loser, source=_person())
    for ids in (["902"], ["902", "903"]):
        deal = desk.crm.observe(ids)["902"].deal
        assert (deal.state, deal.merged_into) == (DealState.MERGED, survivor.id)


def test_what_a_batch_leaves_out_is_asked_for_again_before_it_counts_as_gone(rig: Any, desk: Any) -> None:
    rig.sandbox.options.write_lag = timedelta(minutes=10)
    fresh = rig.add_deal("Just made")
    seen = desk.crm.observe(["901", fresh])
    assert seen[fresh].deal.state == DealState.LIVE
    assert seen[fresh].deal.name == "Just made"


def test_an_address_that_is_not_there_is_not_taken_for_deleted_deals(rig: Any, desk: Any) -> None:
    body = {"status": "error", "message": "resource not found", "correlationId": "0119cdfd-94c6", "category": "X"}
    rig.sandbox.faults.set(Fault(r"/0-3/", None, status=404, body=body))
    for ids in (["901"], ["901", "902"]):
        with pytest.raises(NotFound):
            desk.crm.observe(ids)
    rig.sandbox.faults.set(Fault(r"/0-3/", None, status=404, body="<html>Not Found</html>"))
    with pytest.raises(Permanent, match="api_version"):
        desk.crm.observe(["901"])


def test_the_primary_company_counts_and_a_company_comes_once(rig: Any, desk: Any) -> None:
    with rig.world.lock:
        other = rig.world.associations.default(DEAL, _kind("companies"))
        rig.world.associations.link((DEAL.id, "901"), ("0-2", "502"), other, rig.now())
    assert desk.crm.observe(["901"])["901"].deal.company_id == "501"
    assert desk.crm.observe(["901", "902"])["901"].deal.company_id == "501"


def test_more_contacts_than_one_page_of_associations_all_come(rig: Any, desk: Any) -> None:
    contacts = [rig.add_contact(f"Person {n}", email=f"p{n}@example.com") for n in range(620)]
    deal_id = rig.add_deal("Crowded", contact_ids=contacts)
    for ids in ([deal_id], [deal_id, "901"]):
        assert set(desk.crm.observe(ids)[deal_id].deal.contact_ids) == set(contacts)


def test_labels_on_the_deal_cost_one_call_more_and_give_roles(rig: Any) -> None:
    with rig.world.lock:
        label = rig.world.associations.add_label(DEAL, CONTACT, "Decision maker")[0]
        rig.world.associations.link((DEAL.id, "901"), (CONTACT.id, "703"), label, rig.now())
    desk = reconnect(rig, association_labels=True)
    deal = desk.crm.observe(["901"])["901"].deal
    rig.forget_calls()
    people = desk.crm.people([deal])["901"]
    assert rig.calls() == 3
    assert Role.DECIDER in next(contact.roles for contact in people.contacts if contact.id == "703")


def test_a_part_of_a_batch_that_failed_is_not_read_as_absence(rig: Any, desk: Any) -> None:
    failed = {"status": "error", "category": "INTERNAL_ERROR", "message": "internal error", "context": {}}
    body = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [failed]}
    for path, read in (
        (r"/deals/contacts/batch/read", lambda: desk.crm.observe(["901", "902"])),
        (r"/deals/tasks/batch/read", lambda: desk.crm.find([Wanted("k", "task", "901")])),
    ):
        rig.sandbox.faults.set(Fault(path, None, status=207, body=body))
        with pytest.raises(Unavailable):
            read()


def test_former_owners_come_newest_first_and_who_changed_what_is_told_by_owner(rig: Any, desk: Any) -> None:
    for owner in ("102", "104", "101"):
        rig.advance(timedelta(days=1))
        rig.give_deal("901", owner)
    deal = desk.crm.observe(["901"])["901"].deal
    assert (deal.owner_id, deal.past_owner_ids) == ("101", ("104", "102"))
    changes = desk.crm.history([Ref(kind=RecordKind.DEAL, id="901")], ["hubspot_owner_id"], rig.now() - timedelta(2.5))
    assert [change.value for change in changes] == ["102", "104", "101"]
    assert {change.by_user_id for change in changes} == {"101"}


def test_a_close_date_that_a_person_chose_is_the_day_in_the_accounts_time_zone(rig: Any) -> None:
    deal_id = rig.add_deal("Deal")
    rig._change(DEAL, deal_id, {"closedate": "2027-02-27T23:30:00.000Z"})
    for zone, day in (("Europe/Paris", 28), ("UTC", 27)):
        services = Services(rig.now, lambda _: None, kit.MemoryTokens(), kit.MemoryBudget(rig), zone)
        crm = rig.adapter.connect("acme", "4242", rig.settings(), FieldMap(), services, state={})
        deal = crm.observe([deal_id])[deal_id].deal
        assert deal.contract_end == deal.close_date
        assert deal.close_date is not None
        assert deal.close_date.day == day
        crm.close()


# --- changes --------------------------------------------------------------------------------------------------------


def test_the_first_cursor_goes_by_hubspots_clock_and_not_by_ours(rig: Any) -> None:
    services = Services(
        lambda: datetime(2020, 1, 1, tzinfo=UTC), lambda _: None, kit.MemoryTokens(), kit.MemoryBudget(rig)
    )
    crm = rig.adapter.connect("acme", "4242", rig.settings(), FieldMap(), services, state={})
    assert abs(json.loads(crm.start_cursor())["floor"] / 1000 - rig.now().timestamp()) < 5
    crm.close()


def test_an_import_that_touches_hundreds_in_one_millisecond_is_read_through(rig: Any, desk: Any) -> None:
    cursor = desk.crm.start_cursor()
    rig.advance(timedelta(seconds=10))
    with rig.world.at(rig.now()):
        made = [rig.add_deal(f"Deal {number}") for number in range(2 * PAGE + 30)]
    rig.advance(timedelta(minutes=1))
    seen: list[str] = []
    for _ in range(12):
        page = desk.crm.changed_deals(cursor)
        seen += page.ids
        cursor = page.cursor
        if not page.more:
            break
    assert sorted(seen) == sorted(made)
    assert not page.more


def test_a_full_page_never_stands_still() -> None:
    start = Cursor(floor=1_000, start=1_000)
    same = [(str(number), 1_000) for number in range(PAGE)]
    tied, more = start.after(same, 5_000, 0)
    assert (tied.floor, tied.tie, more) == (1_000, "0", True)
    walked, more = tied.after(same, 5_000, 0)
    assert (walked.tie, more) == (str(PAGE - 1), True)
    ended, more = walked.after([], 5_000, 0)
    assert (ended.floor, ended.tie, more) == (1_001, None, True)


def test_a_cursor_that_is_none_of_ours_says_so(desk: Any) -> None:
    for text in ("", "null", '{"since": 1}', "[1]"):
        with pytest.raises(Permanent, match="start a new one"):
            desk.crm.changed_deals(text)


# --- writing --------------------------------------------------------------------------------------------------------


def test_the_call_budget_holds_for_one_case_and_for_a_hundred(rig: Any, desk: Any) -> None:
    ids = [rig.add_deal(f"D{n}", company_id="501", contact_ids=["701", "702"]) for n in range(100)]
    for wanted, most in ((ids[:1], 5), (ids, 100 * 0.12 + 800 / 100)):
        rig.forget_calls()
        deals = [seen.deal for seen in desk.crm.observe(wanted).values()]
        people = desk.crm.people(deals)
        writes: list[Any] = [
            task(
                rig, deal.id, f"{deal.id}/{len(wanted)}/{n}", contact_ids=tuple(c.id for c in people[deal.id].contacts)
            )
            for deal in deals
            for n in range(8)
        ]
        writes += [update(deal.id, f"{deal.id}/f", status="active") for deal in deals]
        assert {outcome.result for outcome in desk.crm.write(writes)} == {Result.DONE}
        assert rig.calls() <= most


@pytest.mark.parametrize("trace", [True, False])
def test_outcomes_are_attributed_with_and_without_echoed_trace_ids(rig: Any, desk: Any, trace: bool) -> None:
    rig.sandbox.options.echo_trace_ids = trace
    batch: list[Any] = [task(rig, "901", f"k{n}") for n in range(5)]
    batch += [CreateNote(key=f"n{n}", deal_id="901", title=f"Note {n}", body="x", at=rig.now()) for n in range(3)]
    batch.append(task(rig, "901", "bad", owner_id="999999"))
    batch.append(update("901", status="active"))
    outcomes = desk.crm.write(batch)
    assert [outcome.result for outcome in outcomes] == [Result.DONE] * 8 + [Result.REFUSED, Result.DONE]
    subjects = {seen.id: seen.subject for seen in rig.tasks("901")}
    assert [subjects[outcome.record_id] for outcome in outcomes[:5]] == [each.subject for each in batch[:5]]
    assert "owner" in outcomes[8].reason


def test_a_property_that_an_admin_deleted_is_reported_and_the_others_land(rig: Any, desk: Any) -> None:
    with rig.world.lock:
        rig.world.schema.archive(DEAL, "aurevoir_playbook")
    batch = [update("901", "a", status="active", playbook="saas 1"), update("902", "b", status="active")]
    lost, good = desk.crm.write(batch)
    assert (lost.result, good.result) == (Result.REFUSED, Result.DONE)
    assert "aurevoir_playbook" in lost.reason
    assert "aurevoir provision" in lost.reason
    assert rig.value(RecordKind.DEAL, "901", "status") == "active"


def test_tasks_still_get_written_when_an_admin_deleted_our_task_properties(rig: Any, desk: Any) -> None:
    with rig.world.lock:
        rig.world.schema.archive(TASK, "aurevoir_key")
        rig.world.schema.archive(TASK, "aurevoir_link")
    batch = [task(rig, "901", f"k{n}", link="https://x.example/s/1") for n in range(3)]
    outcomes = desk.crm.write(batch)
    assert [outcome.result for outcome in outcomes] == [Result.DONE] * 3
    assert len(rig.tasks("901")) == 3
    found = desk.crm.find([Wanted(each.key, "task", "901") for each in batch])
    assert found == {outcome.key: outcome.record_id for outcome in outcomes}
    rig.forget_calls()
    desk.crm.write([task(rig, "901", "k4", link="https://x.example/s/1")])
    assert rig.calls() == 1, "what was learned is remembered"


def test_a_contact_that_is_gone_does_not_keep_a_task_off_the_deal(rig: Any, desk: Any) -> None:
    rig._bin(CONTACT, "702")
    (outcome,) = desk.crm.write([task(rig, "901", "k", company_id="501", contact_ids=("701", "702"))])
    assert outcome.result == Result.DONE
    assert "deal only" in outcome.reason
    assert len(rig.tasks("901")) == 1


def test_a_batch_refused_as_a_whole_is_halved_until_the_bad_one_stands_alone(rig: Any, desk: Any) -> None:
    """HubSpot may refuse a whole batch although each input has a trace id."""
    batch = [task(rig, "901", f"k{n}") for n in range(16)]
    refuse_if(rig, lambda inputs: any(one["properties"]["aurevoir_key"] == "k5" for one in inputs))
    outcomes = desk.crm.write(batch)
    assert [outcome.key for outcome in outcomes if outcome.result != Result.DONE] == ["k5"]
    assert len(rig.tasks("901")) == 15
    assert rig.calls() <= 10


def test_a_batch_in_which_all_is_refused_does_not_cost_calls_without_end(rig: Any, desk: Any) -> None:
    refuse_if(rig, lambda _: True)
    outcomes = desk.crm.write([task(rig, "901", f"k{n}") for n in range(100)])
    assert {outcome.result for outcome in outcomes} == {Result.REFUSED, Result.AGAIN}
    assert rig.calls() <= 50


def refuse_if(rig: Any, test: Callable[[Sequence[Any]], bool]) -> None:
    """Let the sandbox refuse whole creates of tasks by what is in them."""
    inner = rig.sandbox.app.before_request_funcs.setdefault(None, [])

    def refuse() -> Any:
        from flask import request

        if request.path.endswith("/tasks/batch/create") and test(request.get_json()["inputs"]):
            return {"status": "error", "message": "refused", "category": "VALIDATION_ERROR"}, 400
        return None

    inner.append(refuse)


def test_an_answer_without_the_records_is_unclear(rig: Any, desk: Any) -> None:
    rig.sandbox.faults.set(Fault("/tasks/batch/create", status=200, body={"status": "COMPLETE"}, done=True))
    (outcome,) = desk.crm.write([task(rig, "901", "k")])
    assert outcome.result == Result.UNKNOWN
    assert desk.crm.find([Wanted("k", "task", "901")])


def test_a_create_that_lands_after_its_caller_gave_up_is_unclear_and_found_later(rig: Any) -> None:
    desk = reconnect(rig, state=dict(kit.provision(rig)), read_timeout=0.3)
    rig.sandbox.faults.set(Fault("/tasks/batch/create", delay=1.0))
    (outcome,) = desk.crm.write([task(rig, "901", "k")])
    assert outcome.result == Result.UNKNOWN
    deadline = time.monotonic() + 10
    while not rig.tasks("901") and time.monotonic() < deadline:
        time.sleep(0.05)
    rig.advance(timedelta(minutes=1))
    assert set(desk.crm.find([Wanted("k", "task", "901")])) == {"k"}


def test_after_two_unclear_answers_nothing_more_is_sent_into_the_dark(rig: Any, desk: Any) -> None:
    rig.trouble(kit.Trouble.RESET_AFTER, kit.Where.CREATE_TASK, times=None)
    outcomes = desk.crm.write([task(rig, "901", f"k{n}") for n in range(350)])
    results = [outcome.result for outcome in outcomes]
    assert results == [Result.UNKNOWN] * 200 + [Result.AGAIN] * 150
    assert rig.calls() == 2


def test_what_an_association_names_and_a_batch_does_not_show_is_unclear(rig: Any, desk: Any) -> None:
    desk.crm.write([task(rig, "901", "k")])
    rig.sandbox.options.write_lag = timedelta(minutes=5)
    with pytest.raises(Unavailable, match="does not show"):
        desk.crm.find([Wanted("k", "task", "901")])


def test_a_note_on_a_task_is_added_once_even_when_sent_again(rig: Any, desk: Any) -> None:
    (made,) = desk.crm.write([task(rig, "901", "k", body="Call.")])
    notes = [
        UpdateTask(key=key, deal_id="901", task_id=made.record_id, note="The contract end moved.") for key in ("a", "b")
    ]
    for batch in (notes[:1], notes[:1], notes):
        assert {outcome.result for outcome in desk.crm.write(batch)} == {Result.DONE}
    (seen,) = rig.tasks("901")
    assert seen.body.count("The contract end moved.") == 2


def test_a_note_that_finds_no_room_in_the_tasks_text_is_told(rig: Any, desk: Any) -> None:
    (made,) = desk.crm.write([task(rig, "901", "k", body="x" * 64_990)])
    change = UpdateTask(key="u", deal_id="901", task_id=made.record_id, note="Closed.", close=True)
    (outcome,) = desk.crm.write([change])
    assert outcome.result == Result.DONE
    assert "note was left out" in outcome.reason
    assert rig.tasks("901")[0].done


def test_a_second_upload_takes_the_place_of_the_first(rig: Any, desk: Any) -> None:
    from workflows.writes import AttachFile

    file = AttachFile(
        key="f", deal_id="901", name="a/b: letter.pdf", media_type="application/pdf", content=b"1", at=rig.now()
    )
    rig.sandbox.faults.set(Fault("/files/v3/files", cut="after"))
    (first,) = desk.crm.write([file])
    assert first.result == Result.AGAIN
    (second,) = desk.crm.write([file])
    assert second.result == Result.DONE
    folders = {stored.folder for stored in rig.sandbox.files.values()}
    names = {stored.full_name for stored in rig.sandbox.files.values()}
    assert len(folders) == len(names) == 1
    assert len(rig.files("901")) == 1


# --- provisioning ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ability", "mode"), [("none", "marker"), ("plain", "property"), ("unique", "unique")])
def test_how_tasks_carry_their_key_is_found_out_and_works(rig: Any, ability: str, mode: str) -> None:
    rig.sandbox.options.task_properties = ability
    desk = kit.connect(rig)
    with capture_logs() as said:
        report = desk.crm.ensure_schema(FIELDS)
    assert report.state["task_key"] == mode
    assert not [line for line in said if line["log_level"] == "warning"], "what may well be refused is no trouble"
    assert any("no such property on tasks" in line["event"] for line in said) == (mode != "unique")
    assert ("tasks.aurevoir_key" in report.refused) == (mode == "marker")
    assert desk.crm.ensure_schema(FIELDS).state == report.state
    crm = kit.connect(rig, state=report.state).crm
    assert crm.capabilities.unique_task_key == (mode == "unique")
    (outcome,) = crm.write([task(rig, "901", "k")])
    assert crm.find([Wanted("k", "task", "901")]) == {"k": outcome.record_id}


def test_where_keys_are_unique_a_repeated_create_is_the_first_task(rig: Any) -> None:
    rig.sandbox.options.task_properties = "unique"
    desk = kit.connect(rig)
    desk.crm.ensure_schema(FIELDS)
    (first,) = desk.crm.write([task(rig, "901", "k")])
    again = desk.crm.write([task(rig, "901", "k"), task(rig, "901", "other")])
    assert [outcome.result for outcome in again] == [Result.DONE, Result.DONE]
    assert again[0].record_id == first.record_id
    assert len(rig.tasks("901")) == 2


def test_options_that_an_admin_added_or_renamed_stay(rig: Any, desk: Any) -> None:
    with rig.world.lock:
        status = rig.world.schema.get(DEAL, "aurevoir_status")
        status.options = [{"label": "Waiting for legal", "value": "legal", "hidden": False, "displayOrder": 0}]
        status.options += [{"label": "Running", "value": "active", "hidden": True, "displayOrder": 1}]
    report = desk.crm.ensure_schema(FIELDS)
    assert report.extended == ("deals.aurevoir_status",)
    options = {each["value"]: each for each in rig.world.schema.get(DEAL, "aurevoir_status").options}
    assert options["legal"]["label"] == "Waiting for legal"
    assert (options["active"]["label"], options["active"]["hidden"]) == ("Running", True)
    assert {"completed", "cancelled", "stopped"} <= set(options)


def test_a_property_of_our_name_and_another_type_is_left_alone_and_told(rig: Any) -> None:
    wanted = {"name": "aurevoir_status", "label": "Mine", "type": "number", "fieldType": "number"}
    with rig.world.lock:
        rig.world.schema.add(DEAL, wanted | {"groupName": DEAL.group}, "2026-01-01T00:00:00.000Z")
    report = kit.connect(rig).crm.ensure_schema(FIELDS)
    assert "number" in report.refused["deals.aurevoir_status"]
    assert rig.world.schema.get(DEAL, "aurevoir_status").type == "number"


def test_properties_are_called_in_the_accounts_language_and_never_renamed(rig: Any) -> None:
    crm, schema = kit.connect(rig).crm, rig.world.schema
    crm.ensure_schema([spec for spec in FIELDS if spec.name == "quiet"])
    report = crm.ensure_schema(named_in("fr-FR"))
    assert report.refused == {}
    assert schema.get(DEAL, "aurevoir_quiet").label == "Offboarding: keep quiet", "there before"
    reason, returned = schema.get(DEAL, "aurevoir_exit_reason"), schema.get(DEAL, "aurevoir_returned")
    assert reason.label == "Motif du départ (client)"
    assert "Réduction de budget" in {each["label"] for each in reason.options if each["value"] == "budget"}
    assert {each["label"] for each in returned.options} == {"Oui", "Non"}
    again = crm.ensure_schema(named_in("fr-FR"))
    assert (again.created, again.extended) == ((), ())
    assert crm.ensure_schema(FIELDS).created == (), "another language renames nothing"
    assert schema.get(DEAL, "aurevoir_exit_reason").label == "Motif du départ (client)"


def test_a_missing_scope_is_named_and_the_rest_is_still_set_up(rig: Any) -> None:
    rig.sandbox.access.tokens.clear()
    scopes = [
        "crm.objects.deals.read",
        "crm.objects.contacts.read",
        "crm.schemas.deals.write",
        "crm.objects.companies.read",
    ]
    rig.sandbox.access.add_private_app(TOKEN, scopes)
    report = kit.connect(rig).crm.ensure_schema(FIELDS)
    assert "deals.aurevoir_status" in report.created
    assert "crm.schemas.contacts.write" in report.refused["contacts.aurevoir_exit_score"]
    assert report.state["task_key"] in ("marker", "property")


def test_changed_tasks_are_found_when_an_admin_deleted_the_property_of_their_key_and_the_check_up_says_so(
    rig: Any, desk: Any
) -> None:
    (before,) = desk.crm.write([task(rig, "901", "k")])
    rig.advance(timedelta(hours=1))
    cursor = desk.crm.start_cursor()
    with rig.world.lock:
        rig.world.schema.archive(TASK, "aurevoir_key")
    rig.advance(timedelta(minutes=2))
    rig.complete_task(str(before.record_id))
    rig.advance(timedelta(minutes=2))
    assert before.record_id in desk.crm.changed_tasks(cursor).ids
    rig.forget_calls()
    desk.crm.changed_tasks(cursor)
    assert rig.calls() == 1, "what was learned is remembered"
    again = kit.connect(rig, state={"task_key": "unique", "task_link": "property"})
    found = {finding.subject: finding for finding in again.crm.check()}
    again.crm.close()
    assert (found["task properties"].level, found["task key"].level) == (Level.FAULT, Level.WARNING)
    assert "aurevoir provision" in found["task properties"].remedy


def test_the_check_up_names_another_account_a_missing_property_and_a_bad_token(rig: Any) -> None:
    services = Services(rig.now, lambda _: None, kit.MemoryTokens(), kit.MemoryBudget(rig))
    fields = FieldMap(contract_end="contract_end_dat", figures=(("company", "seats"),))
    crm = rig.adapter.connect("acme", "999", rig.settings(), fields, services, state={})
    texts = {finding.subject: finding for finding in crm.check() if finding.level == Level.FAULT}
    assert "4242" in texts["account"].text
    assert "contract_end_dat" in texts["fields.contract_end_dat"].text
    assert "seats" in texts["fields.seats"].text
    assert "aurevoir provision" in texts["deal properties"].remedy
    crm.close()
    rig.sandbox.access.tokens.clear()
    faults = [finding for finding in kit.connect(rig).crm.check() if finding.level == Level.FAULT]
    assert [finding.subject for finding in faults] == ["token"]


# --- tokens, limits, settings -----------------------------------------------------------------------------------------


def test_an_account_connected_in_the_browser_uses_the_stored_token_and_the_newest_after_a_401(rig: Any) -> None:
    settings = HubSpotSettings.model_validate({**rig.bare_settings(), "access_token": None})
    tokens = kit.MemoryTokens()
    services = Services(rig.now, lambda _: None, tokens, kit.MemoryBudget(rig))
    crm = rig.adapter.connect("acme", "4242", settings, FieldMap(), services, state={})
    with pytest.raises(CredentialsInvalid, match="connect the account"):
        crm.observe(["901"])
    tokens.save(Token({"access_token": "an-old-token"}))
    with pytest.raises(CredentialsInvalid):
        crm.observe(["901"])
    tokens.save(Token({"access_token": TOKEN}, expires_at=rig.now() + timedelta(minutes=30)))
    assert crm.observe(["901"])["901"].deal.name
    rig.sandbox.access.tokens["pat-new"] = rig.sandbox.access.tokens.pop(TOKEN)
    tokens.save(Token({"access_token": "pat-new"}))
    assert crm.observe(["901"])["901"].deal.name
    crm.close()


def test_used_up_for_the_day_means_until_midnight_where_the_account_lives(rig: Any) -> None:
    services = Services(rig.now, lambda _: None, kit.MemoryTokens(), kit.MemoryBudget(rig), "Europe/Paris")
    crm = rig.adapter.connect("acme", "4242", rig.settings(), FieldMap(), services, state={})
    rig.trouble(kit.Trouble.RATE_LONG, kit.Where.READ_DEAL)
    with pytest.raises(RateLimited) as caught:
        crm.observe(["901"])
    local = caught.value.until.astimezone(ZoneInfo("Europe/Paris"))
    assert (local.hour, local.minute, local.second) == (0, 0, 0)
    assert timedelta(0) < caught.value.until - rig.now() <= timedelta(days=1)
    crm.close()


@pytest.mark.parametrize(("said", "seconds"), [("3", 3), ("0", 0), ("nonsense", 10), ("-5", 0)])
def test_hubspots_own_word_on_waiting_is_obeyed(rig: Any, desk: Any, said: str, seconds: int) -> None:
    error = rate_limited("TEN_SECONDLY_ROLLING", "publicapi")
    rig.sandbox.faults.set(Fault("^GET .*/0-3/901", status=429, body=error.body(), headers={"Retry-After": said}))
    before = rig.now()
    assert desk.crm.observe(["901"])["901"].deal.name
    assert timedelta(seconds=seconds) <= rig.now() - before < timedelta(seconds=seconds + 2)


def test_a_portal_under_migration_is_left_alone_for_as_long_as_it_says(rig: Any, desk: Any) -> None:
    rig.sandbox.faults.set(Fault("^GET .*/0-3/901", None, status=477, headers={"Retry-After": "7200"}))
    with pytest.raises(RateLimited) as caught:
        desk.crm.observe(["901"])
    assert caught.value.until - rig.now() > timedelta(minutes=119)
    assert rig.calls() == 1


def test_the_portals_burst_limit_is_never_reached(rig: Any, desk: Any) -> None:
    for _ in range(250):
        desk.crm.observe(["901"])
    for _ in range(30):
        desk.crm.changed_deals(desk.crm.start_cursor())
    assert all(call.status != 429 for call in rig.sandbox.ledger.calls)


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        ({"access_token": ""}, "connected in the browser"),
        ({"access_token": "pat with space"}, "paste it again"),
        ({"access_token": "pat\n"}, "paste it again"),
        ({"client_secret": ["good", ""]}, "leave the key out"),
        ({"api_url": "http://api.hubapi.com"}, "https://"),
        ({"api_url": "https://api.hubapi.com/crm"}, "without a path"),
        ({"api_version": "v3"}, '"classic"'),
        ({"rate": {"calls_per_10s": 0}}, "greater than or equal"),
        ({"token": "x"}, "not permitted"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_cure(change: dict[str, Any], cure: str) -> None:
    with pytest.raises(ValidationError) as caught:
        HubSpotSettings.model_validate({"access_token": "pat-1"} | change)
    assert cure in str(caught.value)


def test_one_client_secret_or_several_are_taken() -> None:
    for raw, expected in (("a", ("a",)), (["a", "b"], ("a", "b")), (None, ()), (SecretStr("a"), ("a",))):
        settings = HubSpotSettings.model_validate({"client_secret": raw})
        assert RIG.adapter.webhook_secrets(settings) == expected
    assert HubSpotSettings().api_version == "2026-03"


def test_without_a_client_secret_there_is_no_push(rig: Any) -> None:
    desk = reconnect(rig, client_secret=None)
    assert not desk.crm.capabilities.push
    assert RIG.adapter.webhook_secrets(rig.settings()) == ()


def test_an_upload_without_an_answer_that_names_the_file_is_not_taken_for_done(rig: Any, desk: Any) -> None:
    rig.sandbox.faults.set(Fault("/files/v3/files", status=201, body={}))
    with pytest.raises(OutcomeUnknown):
        desk.crm._writer._upload(_file(rig))


def _file(rig: Any) -> Any:
    from workflows.writes import AttachFile

    return AttachFile(key="f", deal_id="901", name="x.pdf", media_type="application/pdf", content=b"1", at=rig.now())


def _person() -> Any:
    from sandbox.hubspot.control import PERSON

    return PERSON


def _kind(name: str) -> Any:
    from sandbox.hubspot.definitions import object_type

    return object_type(name)


# --- who was entered anew -------------------------------------------------------------------------------------------


@pytest.mark.row("P-53")
def test_the_newest_of_a_common_name_are_seen_and_rarer_names_are_not_lost_behind_them(rig: Any, desk: Any) -> None:
    before, after = rig.add_company("Aurora"), rig.add_company("Borealis")
    people = {name: rig.add_contact(name, email=None) for name in ("Zoe Hill", "Max Stone")}
    known = {contact: Leaver(company_id=before, since=rig.now()) for contact in people.values()}
    rig.advance(timedelta(days=1))

    def enter_anew(name: str) -> str:
        contact: str = rig.add_contact(name, email=None)
        rig.employ(contact, after)
        for one in (contact, people[name]):
            rig.give_number(one, "+33 6 12 34 56 78")
        rig.advance(timedelta(days=1))
        return contact

    stone = enter_anew("Max Stone")
    for n in range(PAGE + 5):
        rig.add_contact(f"P{n} Hill", email=None)
    rig.advance(timedelta(days=1))
    hill = enter_anew("Zoe Hill")
    rig.forget_calls()
    found = desk.crm.namesakes(known)
    assert {one: alike.contact_id for one, alike in found.items()} == {
        people["Zoe Hill"]: hill,
        people["Max Stone"]: stone,
    }
    searches = [path for path in paths(rig) if path.endswith("/search")]
    assert len(searches) == 3, "both names, then each by itself; a single name is divided no more"


@pytest.mark.row("P-53")
def test_dividing_common_names_ends_at_a_bound(rig: Any, desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.hubspot.employers.PAGE", 1)
    monkeypatch.setattr("adapters.hubspot.employers.MOST_MORE", 4)
    names = [f"Zoe Hill{n}" for n in range(8)]
    known = {rig.add_contact(one, email=f"{n}@aurora.example"): one for n, one in enumerate(names)}
    since = rig.now()
    rig.advance(timedelta(days=1))
    for one in names:
        rig.add_contact(one, email=None)
    rig.advance(timedelta(days=1))
    rig.forget_calls()
    desk.crm.namesakes({contact: Leaver(company_id=None, since=since) for contact in known})
    assert len([path for path in paths(rig) if path.endswith("/search")]) == 5
