"""Writing to Salesforce: few calls, each outcome with its own write, nobody's work undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from adapters.results import Result, Wanted
from adapters.salesforce.mapping import KEY_FIELD, to18
from adapters.salesforce.records import MAX_FILE, Part, Record, collections, pack
from sandbox.kit import Fault
from sandbox.salesforce.rules import ValidationRule
from workflows.records import RecordKind, Ref
from workflows.writes import AttachFile, CreateNote, CreateTask, Priority, TaskType, UpdateFields, UpdateTask

DUE = datetime(2026, 12, 3, 9, 0, tzinfo=UTC)


def task(org: Any, deal_id: str, key: str = "k", **changes: Any) -> CreateTask:
    known = {"key": key, "deal_id": deal_id, "subject": f"Do {key}", "due_at": DUE, "owner_id": org.someone}
    return CreateTask.model_validate({**known, **changes})


def fields(record_id: str, key: str = "f", kind: RecordKind = RecordKind.DEAL, **values: Any) -> UpdateFields:
    return UpdateFields(key=key, deal_id="d", target=Ref(kind=kind, id=record_id), values=values)


def results(outcomes: Any) -> list[Result]:
    return [outcome.result for outcome in outcomes]


# --- calls ----------------------------------------------------------------------------------------------------------


def test_one_new_case_costs_one_read_and_one_write(org: Any) -> None:
    org.provision()
    deal_id = org.deal()
    crm = org.connect()
    crm.observe([deal_id])
    batch = [*(task(org, deal_id, f"k{number}") for number in range(8)), fields(deal_id, status="active", case_id="c")]
    assert set(results(crm.write(batch))) == {Result.DONE}
    assert org.calls() == ["GET /query/", "POST /composite"]


def test_a_hundred_cases_together_cost_no_more_than_one(org: Any) -> None:
    org.provision()
    account = org.add("Account", Name="Acme")
    deals = [org.deal(f"Deal {number}", AccountId=account) for number in range(100)]
    crm = org.connect()
    assert len(crm.observe(deals)) == 100
    batch: list[Any] = [task(org, deal_id, f"{deal_id}/{step}") for deal_id in deals for step in range(6)]
    batch += [fields(deal_id, f"{deal_id}/f", status="active") for deal_id in deals]
    outcomes = crm.write(batch)
    assert set(results(outcomes)) == {Result.DONE}
    assert [outcome.key for outcome in outcomes] == [write.key for write in batch]
    assert len(org.calls()) == 2
    by_key = {row[KEY_FIELD]: row for row in org.rows("Task")}
    assert all(
        by_key[write.key]["Id"] == outcome.record_id for write, outcome in zip(batch[:600], outcomes, strict=False)
    )
    assert all(by_key[write.key]["WhatId"] == write.deal_id for write in batch[:600])


def test_composites_stay_within_the_vendors_limits() -> None:
    tasks = [Record([n], {"attributes": {"type": "Task"}}) for n in range(2500)]
    changed = [Record([n], {"attributes": {"type": "Opportunity"}, "id": str(n)}) for n in range(350)]
    link = {"attributes": {"type": "ContentDocumentLink"}}
    notes = [Part([Record([n], {"attributes": {"type": "ContentNote"}})], [link], single=True) for n in range(12)]
    large = {"attributes": {"type": "ContentVersion"}, "VersionData": "x" * 5_000_000}
    documents = [Part([Record([n], dict(large))], single=True) for n in range(3)]
    packed = pack([*collections([*tasks, *changed]), *notes, *documents])
    for group in packed:
        requests = [each for at, part in enumerate(group) for each in part.requests(f"p{at}", "/services/data/v66.0")]
        heavy = [each for each in requests if each["url"].endswith("/composite/sobjects")]
        assert len(requests) <= 25
        assert len(heavy) <= 5
        assert all(len(each["body"]["records"]) <= 200 for each in heavy)
        assert len({each["referenceId"] for each in requests}) == len(requests)
        assert sum(part.size for part in group) <= 8 * 1024 * 1024
    assert sum(len(part.records) for group in packed for part in group) == 2500 + 350 + 12 + 3


def test_tasks_of_one_account_travel_side_by_side(org: Any) -> None:
    org.provision()
    accounts = [org.add("Account", Name=f"A{number}") for number in range(3)]
    deals = [org.deal(f"D{number}", AccountId=accounts[number % 3]) for number in range(9)]
    batch = [task(org, deal, f"k{n}", company_id=accounts[n % 3]) for n, deal in enumerate(deals)]
    org.connect().write(batch)
    order = [row["AccountId"] for row in sorted(org.rows("Task"), key=lambda row: row["Id"])]
    assert order == [account for account in sorted(accounts) for _ in range(3)]


# --- tasks ----------------------------------------------------------------------------------------------------------


def test_a_task_is_what_a_csm_expects_to_see(org: Any) -> None:
    org.provision()
    account = org.add("Account", Name="Acme")
    contact = org.add("Contact", LastName="Bee", AccountId=account)
    deal_id = org.deal(AccountId=account)
    wanted = task(
        org,
        deal_id,
        subject="Say\nthank you",
        body="Call them.",
        due_at=datetime(2026, 12, 3, 23, 30, tzinfo=UTC),
        reminder_at=datetime(2026, 12, 3, 8, 0, tzinfo=UTC),
        priority=Priority.HIGH,
        type=TaskType.CALL,
        contact_ids=(contact,),
        link="https://goodbye.example.com/s/abc",
    )
    (outcome,) = org.connect(zone="Europe/Paris").write([wanted])
    (row,) = org.rows("Task")
    assert outcome.record_id == row["Id"]
    assert (row["Subject"], row["ActivityDate"]) == ("Say thank you", date(2026, 12, 4))
    assert (row["Status"], row["Priority"], row["Type"]) == ("Not Started", "High", "Call")
    assert (row["WhatId"], row["WhoId"], row["AccountId"]) == (deal_id, contact, account)
    assert (row["IsReminderSet"], row["ReminderDateTime"]) == (True, datetime(2026, 12, 3, 8, tzinfo=UTC))
    assert row["Description"] == "Call them.\n\nhttps://goodbye.example.com/s/abc"
    assert row["Aurevoir_Link__c"] == "https://goodbye.example.com/s/abc"


@pytest.mark.parametrize("spelling", ["15", "18", "unknown"])
def test_a_key_that_is_taken_is_adopted_however_the_org_names_the_holder(
    make_org: Callable[..., Any], spelling: str
) -> None:
    org = make_org(duplicate_ids=spelling)
    org.provision()
    deal_id = org.deal()
    (first,) = org.connect().write([task(org, deal_id)])
    org.sandbox.world.update(first.record_id, {"Status": "Completed", "Subject": "Mine now"})
    org.sandbox.ledger.reset()
    again, other = org.connect().write([task(org, deal_id), task(org, deal_id, "other")])
    assert (again.result, again.record_id) == (Result.DONE, first.record_id)
    assert other.result is Result.DONE
    assert len(org.calls()) == 2
    row = org.sandbox.world.live(first.record_id)
    assert (row["Status"], row["Subject"]) == ("Completed", "Mine now"), "what people did stays"


def test_a_task_that_a_person_deleted_is_not_made_again(make_org: Callable[..., Any]) -> None:
    org = make_org(recycled_keys_block=True)
    org.provision()
    deal_id = org.deal()
    (first,) = org.connect().write([task(org, deal_id)])
    org.sandbox.world.delete(first.record_id)
    (again,) = org.connect().write([task(org, deal_id)])
    assert (again.result, again.record_id) == (Result.GONE, None)
    assert "deleted" in again.reason
    assert org.connect().find([Wanted("k", "task", deal_id)]) == {"k": first.record_id}


def test_a_long_key_is_kept_and_found(org: Any) -> None:
    org.provision()
    deal_id, key = org.deal(), "acme/" + "x" * 300
    (outcome,) = org.connect().write([task(org, deal_id, key, subject="Long")])
    assert org.connect().find([Wanted(key, "task", deal_id), Wanted(key + "y", "task", deal_id)]) == {
        key: outcome.record_id
    }


def test_a_locked_account_puts_off_its_own_tasks_only(org: Any) -> None:
    org.provision()
    locked, free = org.add("Account", Name="Locked"), org.add("Account", Name="Free")
    deals = [org.deal("D1", AccountId=locked), org.deal("D2", AccountId=free)]
    org.sandbox.world.row_locks[locked] = 1
    batch = [task(org, deals[0], "a"), task(org, deals[1], "b")]
    outcomes = org.connect().write(batch)
    assert results(outcomes) == [Result.AGAIN, Result.DONE]
    assert "UNABLE_TO_LOCK_ROW" in outcomes[0].reason
    assert results(org.connect().write(batch)) == [Result.DONE, Result.DONE]
    assert len(org.rows("Task")) == 2


def test_a_validation_rule_is_told_in_the_admins_own_words(org: Any) -> None:
    org.provision()
    rule = ValidationRule("Task", "Subject = 'Do k'", "Tasks need a better subject")
    org.sandbox.world.validation_rules.append(rule)
    refused, done = org.connect().write([task(org, org.deal()), task(org, org.deal(), "other")])
    assert (refused.result, done.result) == (Result.REFUSED, Result.DONE)
    assert "Tasks need a better subject" in refused.reason
    assert "validation rule" in refused.reason


def test_an_inactive_owner_is_refused_with_the_cure_and_alone(org: Any) -> None:
    org.provision()
    left = org.sandbox.add_user("Left", "Already", "left@globex.example", IsActive=False)
    deal_id = org.deal()
    outcomes = org.connect().write([task(org, deal_id, "a", owner_id=left), task(org, deal_id, "b")])
    assert results(outcomes) == [Result.REFUSED, Result.DONE]
    assert "active user" in outcomes[0].reason


def test_a_task_lands_without_what_it_can_spare(org: Any) -> None:
    """Since provisioning, an admin took the link field away, and the contact was deleted."""
    org.provision()
    contact = org.add("Contact", LastName="Bee")
    org.sandbox.world.delete(contact)
    fields_of_task = org.sandbox.world.schema.object("Task").fields
    del fields_of_task["aurevoir_link__c"]
    deal_id = org.deal()
    batch = [task(org, deal_id, f"k{n}", link="https://x.example/s/1") for n in range(3)]
    batch.append(task(org, deal_id, "who", contact_ids=(contact,)))
    outcomes = org.connect().write(batch)
    assert results(outcomes) == [Result.DONE] * 4
    assert "Aurevoir_Link__c was left out" in outcomes[0].reason
    assert "https://x.example/s/1" in org.rows("Task")[0]["Description"]


def test_one_record_that_spoils_a_collection_is_singled_out(org: Any) -> None:
    """A value that cannot be read refuses the whole collection, and does not say whose it is."""
    org.provision()
    contacts = [org.add("Contact", LastName=f"C{number}") for number in range(20)]
    batch = [fields(each, f"k{n}", RecordKind.CONTACT, exit_feedback_at=DUE) for n, each in enumerate(contacts)]
    batch[13] = fields(contacts[13], "k13", RecordKind.CONTACT, exit_feedback_at="yesterday")
    outcomes = org.connect().write(batch)
    assert [at for at, outcome in enumerate(outcomes) if outcome.result is not Result.DONE] == [13]
    assert outcomes[13].result is Result.REFUSED
    assert len([row for row in org.rows("Contact") if row["Aurevoir_Exit_Feedback_At__c"] == DUE]) == 19


# --- changing tasks -------------------------------------------------------------------------------------------------


def test_a_task_that_people_closed_is_left_as_it_is(org: Any) -> None:
    org.provision()
    deal_id = org.deal()
    (made,) = org.connect().write([task(org, deal_id, body="Call.")])
    org.sandbox.world.update(made.record_id, {"Status": "Completed"})
    change = UpdateTask(key="u", deal_id=deal_id, task_id=made.record_id, due_at=DUE + timedelta(days=9), note="Moved.")
    (outcome,) = org.connect().write([change])
    assert outcome.result is Result.DONE
    assert "closed" in outcome.reason
    row = org.sandbox.world.live(made.record_id)
    assert (row["ActivityDate"], row["Description"]) == (date(2026, 12, 3), "Call.")


def test_two_changes_to_one_task_in_a_batch_are_one(org: Any) -> None:
    org.provision()
    deal_id = org.deal()
    (made,) = org.connect().write([task(org, deal_id, body="Call.")])
    short = made.record_id[:15]
    batch = [
        UpdateTask(key="a", deal_id=deal_id, task_id=made.record_id, note="First.", due_at=DUE + timedelta(days=1)),
        UpdateTask(key="b", deal_id=deal_id, task_id=short, note="Second.", close=True),
    ]
    org.sandbox.ledger.reset()
    assert results(org.connect().write(batch)) == [Result.DONE, Result.DONE]
    row = org.sandbox.world.live(made.record_id)
    assert row["Description"] == "Call.\n\nFirst.\n\nSecond."
    assert (row["ActivityDate"], row["IsClosed"]) == (date(2026, 12, 4), True)
    assert org.calls() == ["GET /queryAll/", "POST /composite"]


def test_when_tasks_cannot_be_read_they_are_not_changed(org: Any) -> None:
    org.provision()
    deal_id = org.deal()
    (made,) = org.connect().write([task(org, deal_id)])
    org.sandbox.faults.set(Fault(match="GET .*queryAll", times=None, status=503))
    change = UpdateTask(key="u", deal_id=deal_id, task_id=made.record_id, close=True)
    outcomes = org.connect().write([change, task(org, deal_id, "other")])
    assert results(outcomes) == [Result.AGAIN, Result.DONE]


# --- fields ---------------------------------------------------------------------------------------------------------


def test_a_field_that_an_admin_deleted_does_not_keep_the_others_from_landing(org: Any) -> None:
    org.provision()
    deal_id, contact = org.deal(), org.add("Contact", LastName="Bee")
    del org.sandbox.world.schema.object("Opportunity").fields["aurevoir_playbook__c"]
    batch = [
        fields(deal_id, "a", status="active", playbook="saas 1"),
        fields(deal_id, "b", playbook="saas 1"),
        fields(contact, "c", RecordKind.CONTACT, exit_score=9),
    ]
    both, lost, other = org.connect().write(batch)
    assert (both.result, lost.result, other.result) == (Result.DONE, Result.REFUSED, Result.DONE)
    assert "Aurevoir_Playbook__c was left out" in both.reason
    assert "aurevoir provision" in lost.reason
    assert org.sandbox.world.live(deal_id)["Aurevoir_Status__c"] == "active"
    assert org.sandbox.world.live(contact)["Aurevoir_Exit_Score__c"] == 9


def test_an_option_that_an_admin_removed_does_not_either(org: Any) -> None:
    org.provision()
    deal_id = org.deal()
    org.sandbox.world.schema.set_values("Opportunity", "Aurevoir_Status__c", [])
    (outcome,) = org.connect().write([fields(deal_id, status="active", case_id="c1")])
    assert outcome.result is Result.DONE
    assert "Aurevoir_Status__c was left out" in outcome.reason
    assert org.sandbox.world.live(deal_id)["Aurevoir_Case_Id__c"] == "c1"


def test_fields_for_what_is_no_record_are_refused_before_any_call(org: Any) -> None:
    org.provision()
    outcomes = org.connect().write([fields("0015g00000ABCDE"), fields("", kind=RecordKind.NOTE)])
    assert results(outcomes) == [Result.REFUSED] * 2
    assert org.calls() == []


# --- notes and files ------------------------------------------------------------------------------------------------


def note(deal_id: str, key: str = "n", **changes: Any) -> CreateNote:
    known = {"key": key, "deal_id": deal_id, "title": "Exit feedback", "body": "Thank you.", "at": DUE}
    return CreateNote.model_validate({**known, **changes})


def test_a_note_stands_on_deal_company_and_contacts(org: Any) -> None:
    org.provision()
    account, contact = org.add("Account", Name="Acme"), org.add("Contact", LastName="Bee")
    deal_id = org.deal(AccountId=account)
    (outcome,) = org.connect().write([note(deal_id, company_id=account, contact_ids=(contact,))])
    assert outcome.result is Result.DONE
    links = {
        row["LinkedEntityId"]
        for row in org.rows("ContentDocumentLink")
        if row["ContentDocumentId"] == outcome.record_id
    }
    assert {deal_id, account, contact} <= links
    assert len(org.calls()) == 1


def test_a_note_that_cannot_be_put_on_its_deal_is_no_note(org: Any) -> None:
    org.provision()
    deal_id, other = org.deal(), org.deal()
    org.sandbox.world.delete(deal_id)
    lost, kept = org.connect().write([note(deal_id), note(other, "m")])
    assert lost.result is not Result.DONE
    assert lost.reason
    assert kept.result is Result.DONE
    assert org.connect().find([Wanted("n", "note", deal_id), Wanted("m", "note", other)]) == {"m": kept.record_id}


def test_a_newer_version_of_a_document_does_not_hide_ours(org: Any) -> None:
    org.provision()
    deal_id = org.deal()
    file = AttachFile(key="f", deal_id=deal_id, name="Letter.docx", media_type="x", content=b"ours", at=DUE)
    (outcome,) = org.connect().write([file])
    document = org.sandbox.world.live(outcome.record_id)["ContentDocumentId"]
    org.add("ContentVersion", ContentDocumentId=document, PathOnClient="Letter.docx", VersionData="dGhlaXJz")
    assert org.connect().find([Wanted("f", "file", deal_id)]) == {"f": outcome.record_id}


def test_a_document_that_is_too_large_is_refused_before_any_call(org: Any) -> None:
    org.provision()
    content = bytes(MAX_FILE + 1)
    file = AttachFile(key="f", deal_id=org.deal(), name="Film.mp4", media_type="x", content=content, at=DUE)
    (outcome,) = org.connect().write([file])
    assert outcome.result is Result.REFUSED
    assert "28" in outcome.reason
    assert org.calls() == []


# --- whole calls ----------------------------------------------------------------------------------------------------


def test_after_an_unclear_composite_the_rest_is_not_sent(org: Any) -> None:
    org.provision()
    deal_id = org.deal()
    batch = [task(org, deal_id, f"k{number}") for number in range(1400)]
    org.sandbox.faults.set(Fault(match="POST .*composite", cut="after"))
    ended = results(org.connect().write(batch))
    assert ended.count(Result.UNKNOWN) == 1000
    assert ended.count(Result.AGAIN) == 400
    assert len(org.rows("Task")) == 1000


def test_an_unclear_answer_may_be_sent_again_since_keys_are_unique(org: Any) -> None:
    org.provision()
    deal_id = org.deal()
    batch = [task(org, deal_id, f"k{number}") for number in range(5)]
    org.sandbox.faults.set(Fault(match="POST .*composite", cut="truncate"))
    crm = org.connect()
    assert crm.capabilities.unique_task_key
    assert set(results(crm.write(batch))) == {Result.UNKNOWN}
    again = crm.write(batch)
    assert set(results(again)) == {Result.DONE}
    assert {outcome.record_id for outcome in again} == {row["Id"] for row in org.rows("Task")}
    assert len(org.rows("Task")) == 5


def test_an_account_at_fault_puts_writes_off_instead_of_failing_them(org: Any) -> None:
    org.provision()
    org.sandbox.world.settings.api_enabled = False
    (outcome,) = org.connect().write([task(org, org.deal())])
    assert outcome.result is Result.AGAIN
    assert timedelta(minutes=59) < outcome.until - org.sandbox.clock.now() <= timedelta(hours=1)
    assert "API" in outcome.reason


def test_without_a_login_nothing_is_written_and_nothing_raised(org: Any) -> None:
    org.provision()
    org.tokens.token = None
    org.sandbox.client.run_as = None
    outcomes = org.connect().write([task(org, org.deal()), fields(org.deal(), status="active")])
    assert results(outcomes) == [Result.AGAIN] * 2
    org.state = {}
    assert results(org.connect().write([task(org, org.deal())])) == [Result.AGAIN]


def test_ids_come_back_in_18_characters(org: Any) -> None:
    org.provision()
    (outcome,) = org.connect().write([task(org, org.deal()[:15])])
    assert outcome.record_id == to18(outcome.record_id[:15])
