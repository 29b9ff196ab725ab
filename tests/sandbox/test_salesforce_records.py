"""What the organisation fills in, refuses and keeps when records are saved."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.ids import long_id, normal_id
from sandbox.salesforce.rules import ValidationRule

Rest = Callable[..., Any]


def query(rest: Rest, text: str, path: str = "/query", **more: Any) -> list[dict[str, Any]]:
    answer = rest("GET", path, query_string={"q": text}, **more)
    assert answer.status_code == 200, answer.get_json()
    records: list[dict[str, Any]] = answer.get_json()["records"]
    return records


def create(rest: Rest, name: str, **values: Any) -> tuple[int, Any]:
    answer = rest("POST", f"/sobjects/{name}", values)
    return answer.status_code, answer.get_json()


def test_the_long_form_of_an_id_is_the_one_of_the_vendors_own_records() -> None:
    assert long_id("0015500001QdZPK") == "0015500001QdZPKAA3"
    assert long_id("0035500001H9ka0") == "0035500001H9ka0AAB"
    assert normal_id("0035500001H9ka0AAC") is None


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"Subject": "x" * 256}, "STRING_TOO_LONG", "Subject"),
        ({"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE", "IsClosed"),
        ({"CreatedDate": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE", "CreatedDate"),
        ({"WhatId": "0065g0000000ZZZAAY"}, "MALFORMED_ID", "WhatId"),
        ({"WhatId": long_id("0065g0000000ZZZ")}, "INVALID_CROSS_REFERENCE_KEY", "WhatId"),
        ({"TaskSubtype": "Dance"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "TaskSubtype"),
    ],
)
def test_a_task_that_the_vendor_would_refuse_is_refused_with_code_and_field(
    rest: Rest, values: dict[str, Any], code: str, field: str
) -> None:
    status, (error,) = create(rest, "Task", **values)
    assert (status, error["errorCode"], error["fields"]) == (400, code, [field])


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"Nope__c": 1}, "INVALID_FIELD"),
        ({"ActivityDate": "tomorrow"}, "JSON_PARSER_ERROR"),
        ({"ReminderDateTime": "2026-01-01T09:00:00"}, "JSON_PARSER_ERROR"),
        ({"Subject": 5}, "JSON_PARSER_ERROR"),
        ({"IsReminderSet": "yes"}, "JSON_PARSER_ERROR"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(rest: Rest, values: dict[str, Any], code: str) -> None:
    records = [{"attributes": {"type": "Task"}, "Subject": "Good"}, {"attributes": {"type": "Task"}, **values}]
    answer = rest("POST", "/composite/sobjects", {"records": records})
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, code)
    assert query(rest, "SELECT Id FROM Task") == []


def test_required_fields_and_owners_who_left_are_named(rest: Rest, ids: dict[str, str]) -> None:
    _, (missing,) = create(rest, "Opportunity", Name="New")
    assert missing["message"] == "Required fields are missing: [StageName, CloseDate]"
    gone = ids["hugo.petit@globex.example"]
    _, (inactive,) = create(rest, "Task", OwnerId=gone)
    assert inactive["errorCode"] == "INACTIVE_OWNER_OR_USER"
    assert inactive["message"] == f"operation performed with inactive user [{gone[:15]}] as owner of task"


def test_a_deleted_record_is_gone_from_queries_but_not_from_the_recycle_bin(rest: Rest, ids: dict[str, str]) -> None:
    deal = ids["Delta Robotics – renewal"]
    _, made = create(rest, "Task", WhatId=deal)
    assert rest("DELETE", f"/sobjects/Opportunity/{deal}").status_code == 204
    assert query(rest, f"SELECT Id FROM Opportunity WHERE Id = '{deal}'") == []
    assert query(rest, f"SELECT IsDeleted FROM Opportunity WHERE Id = '{deal}'", "/queryAll")[0]["IsDeleted"] is True
    assert query(rest, "SELECT IsDeleted FROM Task", "/queryAll")[0]["IsDeleted"] is True
    gone = rest("PATCH", f"/sobjects/Task/{made['id']}", {"Subject": "x"})
    assert (gone.status_code, gone.get_json()[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
    _, (refused,) = create(rest, "Task", WhatId=deal)
    assert refused["errorCode"] == "ENTITY_IS_DELETED"


def test_undelete_brings_back_what_went_along(org: SalesforceSandbox, rest: Rest, ids: dict[str, str]) -> None:
    deal = ids["Delta Robotics – renewal"]
    org.world.delete(deal)
    org.world.undelete(deal)
    (row,) = query(rest, f"SELECT (SELECT Id FROM OpportunityContactRoles) FROM Opportunity WHERE Id = '{deal}'")
    assert row["OpportunityContactRoles"]["totalSize"] == 2


def test_merged_accounts_leave_a_pointer_and_hand_over_their_children(
    org: SalesforceSandbox, rest: Rest, ids: dict[str, str]
) -> None:
    master, loser = ids["Delta Robotics"], ids["Foxglove Studio"]
    org.world.merge(master, [loser])
    (gone,) = query(rest, f"SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '{loser}'", "/queryAll")
    assert (gone["IsDeleted"], gone["MasterRecordId"]) == (True, master)
    (deal,) = query(rest, "SELECT AccountId FROM Opportunity WHERE Name = 'Foxglove – renewal'")
    assert deal["AccountId"] == master


def test_a_stage_says_whether_the_deal_is_over_and_leaves_history(
    org: SalesforceSandbox, rest: Rest, ids: dict[str, str]
) -> None:
    org.clock.set(datetime(2027, 3, 1, 10, 0, 30, tzinfo=UTC))
    org.set_stage(ids["Bright Harbour – renewal"], "Not Renewing")
    (row,) = query(
        rest,
        "SELECT IsClosed, IsWon, Probability, LastStageChangeDate, SystemModstamp,"
        " (SELECT Field, OldValue, NewValue FROM Histories WHERE Field = 'StageName' ORDER BY CreatedDate DESC LIMIT 1)"
        f" FROM Opportunity WHERE Id = '{ids['Bright Harbour – renewal']}'",
    )
    assert (row["IsClosed"], row["IsWon"], row["Probability"]) == (True, False, 0)
    assert row["LastStageChangeDate"] == row["SystemModstamp"] == "2027-03-01T10:00:30.000+0000"
    (change,) = row["Histories"]["records"]
    assert (change["OldValue"], change["NewValue"]) == ("Negotiation/Review", "Not Renewing")


def test_datetimes_are_kept_in_utc_and_whole_seconds(rest: Rest) -> None:
    _, made = create(rest, "Task", IsReminderSet=True, ReminderDateTime="2026-12-01T09:00:00.987+02:00")
    shown = rest("GET", f"/sobjects/Task/{made['id']}").get_json()
    assert shown["ReminderDateTime"] == "2026-12-01T07:00:00.000+0000"


def test_closing_a_task_sets_when_and_reopening_forgets_it(org: SalesforceSandbox, rest: Rest) -> None:
    _, made = create(rest, "Task", Subject="Say goodbye")
    rest("PATCH", f"/sobjects/Task/{made['id']}", {"Status": "Completed"})
    task = rest("GET", f"/sobjects/Task/{made['id']}", query_string={"fields": "IsClosed,CompletedDateTime"}).get_json()
    assert task["IsClosed"] is True
    assert task["CompletedDateTime"] is not None
    rest("PATCH", f"/sobjects/Task/{made['id']}", {"Status": "In Progress"})
    assert org.world.known(made["id"])["CompletedDateTime"] is None


def test_validation_rules_and_row_locks_refuse_single_records(
    org: SalesforceSandbox, rest: Rest, ids: dict[str, str]
) -> None:
    org.world.validation_rules.append(
        ValidationRule("Opportunity", "IsClosed = true AND Exit_Reason__c = null", "A reason is needed", "StageName")
    )
    lost = rest("PATCH", f"/sobjects/Opportunity/{ids['Foxglove – renewal']}", {"StageName": "Closed Lost"})
    assert lost.get_json() == [
        {"message": "A reason is needed", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["StageName"]}
    ]
    org.world.row_locks[ids["Foxglove Studio"]] = 1
    records = [
        {"attributes": {"type": "Task"}, "WhatId": ids["Foxglove – renewal"]},
        {"attributes": {"type": "Task"}, "WhatId": ids["Foxglove – renewal"]},
    ]
    first, second = rest("POST", "/composite/sobjects", {"records": records}).get_json()
    assert first["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert second["success"] is True


def test_a_file_published_on_a_deal_hangs_on_it_and_keeps_its_bytes(rest: Rest, ids: dict[str, str]) -> None:
    deal = ids["Bright Harbour – renewal"]
    data = base64.b64encode(b"all we did").decode()
    _, made = create(rest, "ContentVersion", PathOnClient="Report.txt", VersionData=data, FirstPublishLocationId=deal)
    (link,) = query(
        rest, f"SELECT ContentDocument.Title, ShareType FROM ContentDocumentLink WHERE LinkedEntityId = '{deal}'"
    )
    assert (link["ContentDocument"]["Title"], link["ShareType"]) == ("Report", "V")
    assert rest("GET", f"/sobjects/ContentVersion/{made['id']}/VersionData").data == b"all we did"


def test_a_note_is_a_document_and_takes_no_html_that_its_editor_does_not_know(rest: Rest) -> None:
    good = base64.b64encode(b"<p>They said &amp; meant it</p>").decode()
    status, made = create(rest, "ContentNote", Title="Exit interview", Content=good)
    assert status == 201
    (document,) = query(rest, f"SELECT Title, FileType FROM ContentDocument WHERE Id = '{made['id']}'")
    assert (document["Title"], document["FileType"]) == ("Exit interview", "SNOTE")
    bad = base64.b64encode(b"a < b & c<script>").decode()
    assert create(rest, "ContentNote", Title="Bad", Content=bad)[1][0]["errorCode"] == "FIELD_INTEGRITY_EXCEPTION"


def test_long_answers_come_in_pages_and_child_rows_count(
    org: SalesforceSandbox, rest: Rest, ids: dict[str, str]
) -> None:
    org.world.settings.page_rows = 2
    answer = rest("GET", "/query", query_string={"q": "SELECT Name FROM Account ORDER BY Name"}).get_json()
    names = []
    while True:
        names += [row["Name"] for row in answer["records"]]
        assert answer["totalSize"] == 6
        if answer["done"]:
            break
        answer = rest("GET", answer["nextRecordsUrl"].removeprefix("/services/data/v66.0")).get_json()
    assert len(names) == len(set(names)) == 6
    text = "SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Name = 'Bright Harbour Ltd'"
    (row,) = query(rest, text)
    assert row["Contacts"]["done"] is False
    rest_of = rest("GET", row["Contacts"]["nextRecordsUrl"].removeprefix("/services/data/v66.0")).get_json()
    text = "SELECT Id, (SELECT Id FROM Contacts) FROM Account ORDER BY Name"
    assert len(query(rest, text)) == 1, "child rows fill the page"
    assert len(row["Contacts"]["records"]) + len(rest_of["records"]) == row["Contacts"]["totalSize"] == 4


def test_other_peoples_saves_can_become_visible_late(org: SalesforceSandbox, rest: Rest, ids: dict[str, str]) -> None:
    org.world.settings.late_visibility = 5
    deal = ids["Foxglove – renewal"]
    text = f"SELECT StageName, SystemModstamp FROM Opportunity WHERE Id = '{deal}'"
    org.set_stage(deal, "Closed Lost")
    saved = org.world.known(deal)["SystemModstamp"]
    assert query(rest, text)[0]["StageName"] == "Negotiation/Review"
    org.clock.advance(timedelta(seconds=6))
    (row,) = query(rest, text)
    assert row["StageName"] == "Closed Lost"
    assert datetime.fromisoformat(row["SystemModstamp"]) == saved


def test_versions_methods_and_addresses_are_refused_as_the_vendor_does(
    org: SalesforceSandbox, rest: Rest, sign_in: Callable[[], str]
) -> None:
    client = org.app.test_client()
    assert client.get("/services/data/v30.0/limits").status_code == 410
    assert client.get("/services/data/v99.0/limits").status_code == 404
    assert rest("PUT", "/limits", {}).get_json()[0]["errorCode"] == "METHOD_NOT_ALLOWED"
    assert rest("GET", "/sobjects/Nope").get_json()[0]["errorCode"] == "NOT_FOUND"
    assert rest("GET", "/query", query_string={"q": "x" * 17000}).status_code == 414
    wrong = client.post(
        "/services/data/v66.0/sobjects/Task", data="<a/>", headers={"Authorization": f"Bearer {sign_in()}"}
    )
    assert wrong.status_code == 415


def test_the_days_calls_are_counted_and_end(org: SalesforceSandbox, rest: Rest) -> None:
    org.world.settings.daily_limit = 2
    assert rest("GET", "/limits").headers["Sforce-Limit-Info"] == "api-usage=1/2"
    assert rest("GET", "/limits").get_json()["DailyApiRequests"] == {"Max": 2, "Remaining": 0}
    over = rest("GET", "/limits")
    assert (over.status_code, over.get_json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    org.clock.advance(timedelta(hours=25))
    assert rest("GET", "/limits").status_code == 200


def test_an_organisation_without_api_says_so(org: SalesforceSandbox, rest: Rest) -> None:
    org.world.settings.api_enabled = False
    assert rest("GET", "/limits").get_json()[0]["errorCode"] == "API_DISABLED_FOR_ORG"
