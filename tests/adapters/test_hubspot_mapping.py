from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from adapters.hubspot.mapping import contact_from, deal_from, note_input, task_from, task_input
from adapters.hubspot.values import TaskKeys, encode, marker, parse_date, parse_moment, to_html
from adapters.services import FieldMap
from workflows.records import Role
from workflows.writes import CreateNote, CreateTask

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
NO_FIELDS = FieldMap()


def task(**changes: object) -> CreateTask:
    fixed = {"key": "acme/c1/call", "deal_id": "9", "subject": "Call", "due_at": NOW, "owner_id": "101"}
    return CreateTask.model_validate(fixed | changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-30", date(2026, 6, 30)),
        ("1782777600000", date(2026, 6, 30)),
        ("2026-06-30T00:00:00Z", date(2026, 6, 30)),
        ("2026-06-29T22:00:00.000Z", date(2026, 6, 30)),
        ("2026-06-30T21:59:00Z", date(2026, 6, 30)),
        ("2024-02-29", date(2024, 2, 29)),
        ("2025-02-29", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("99999999999999999", None),
    ],
)
def test_a_contract_end_is_the_day_that_people_meant(text: str | None, expected: date | None) -> None:
    assert parse_date(text, PARIS) == expected


@pytest.mark.parametrize("text", ["2026-11-22T09:00:00Z", "2026-11-22T10:00:00+01:00", "1795338000000"])
def test_moments_come_in_utc_however_they_are_written(text: str) -> None:
    assert parse_moment(text) == NOW
    assert parse_moment(text).tzinfo is UTC  # type: ignore[union-attr]


def test_history_is_newest_first_and_repeats_of_a_value_do_not_move_its_entry() -> None:
    record = {
        "id": "9",
        "properties": {"dealstage": "lost", "hubspot_owner_id": "103", "amount": "NaN", "closedate": ""},
        "propertiesWithHistory": {
            "dealstage": [
                {"value": "open", "timestamp": "2026-01-01T00:00:00Z"},
                {"value": "lost", "timestamp": "2026-03-01T00:00:00Z"},
                {"value": "lost", "timestamp": "2026-02-01T00:00:00Z"},
            ],
            "hubspot_owner_id": [
                {"value": "103", "timestamp": "2026-02-02T00:00:00Z"},
                {"value": "", "timestamp": "2026-02-01T00:00:00Z"},
                {"value": "101", "timestamp": "2026-01-01T00:00:00Z"},
            ],
        },
    }
    deal = deal_from(record, NO_FIELDS, PARIS, None, ())
    assert [(entry.stage_id, entry.at.month) for entry in deal.stage_history] == [("lost", 2), ("open", 1)]
    assert deal.past_owner_ids == ("101",)
    assert deal.amount is None
    assert deal.contract_end is None


def test_values_of_one_moment_keep_hubspots_order() -> None:
    stamp = "2026-01-01T00:00:00Z"
    entries = [{"value": value, "timestamp": stamp} for value in ("newest", "middle", "oldest")]
    record = {"id": "9", "properties": {}, "propertiesWithHistory": {"dealstage": entries}}
    deal = deal_from(record, NO_FIELDS, PARIS, None, ())
    assert [entry.stage_id for entry in deal.stage_history] == ["newest", "middle", "oldest"]


def test_roles_come_from_the_buying_role_and_from_labels_on_the_deal() -> None:
    record = {"id": "1", "properties": {"hs_buying_role": "DECISION_MAKER;END_USER;NEW_ONE", "firstname": "Hélène"}}
    assert contact_from(record, NO_FIELDS).roles == (Role.DECIDER, Role.USER, Role.OTHER)
    labelled = contact_from({"id": "1", "properties": {}}, NO_FIELDS, ["Decision maker", "Billing contact"])
    assert labelled.roles == (Role.DECIDER,)


def test_a_contact_without_a_usable_address_has_none() -> None:
    assert contact_from({"id": "1", "properties": {"email": " "}}, NO_FIELDS).email is None
    assert contact_from({"id": "1", "properties": {"email": "x@example.com"}}, NO_FIELDS).name == "x@example.com"


def test_texts_are_escaped_and_addresses_become_links() -> None:
    made = to_html("Hi <b>\nsee https://x.example/s/a?b=1&c=2.")
    assert "&lt;b&gt;<br>" in made
    assert '<a href="https://x.example/s/a?b=1&amp;c=2" target="_blank" rel="noopener">' in made
    assert made.endswith("</a>.")


def test_a_text_never_grows_beyond_what_hubspot_takes_and_says_what_was_left_out() -> None:
    for text in ("<" * 60_000, "a" * 200_000, "https://x.example/ " * 5_000):
        made = to_html(text)
        assert len(made) <= 65_000
        assert "it is kept in Aurevoir" in made
    assert len(encode("x" * 70_000)) <= 65_536


@pytest.mark.parametrize("limit", [200, 2_000])
def test_a_text_is_made_to_fit_however_little_room_there_is(limit: int) -> None:
    for text in ("<" * 5_000, "https://x.example/" + "a" * 5_000, "\n" * 5_000, "é" * 5_000):
        assert 0 < len(to_html(text, limit)) <= limit


def test_characters_that_no_crm_takes_are_left_out() -> None:
    assert to_html("a\x00b\x1b\ud800c\r\nd") == "ab?c<br>d"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "true"),
        (7, "7"),
        (Decimal("1E+3"), "1000"),
        (NOW, "1795338000000"),
        (date(2026, 6, 30), "2026-06-30"),
        ("text", "text"),
    ],
)
def test_values_are_written_as_hubspot_wants_them(value: object, expected: str) -> None:
    assert encode(value) == expected  # type: ignore[arg-type]


def test_a_task_carries_its_key_as_the_account_allows() -> None:
    plain = task_input(task(link="https://x.example/s/1"), TaskKeys())
    assert marker("acme/c1/call") in plain["properties"]["hs_task_body"]
    assert "aurevoir_key" not in plain["properties"]
    own = task_input(task(link="https://x.example/s/1"), TaskKeys(property=True, link=True))
    assert marker("acme/c1/call") not in own["properties"]["hs_task_body"]
    assert own["properties"]["aurevoir_key"] == "acme/c1/call"
    assert own["properties"]["aurevoir_link"] == "https://x.example/s/1"
    for made in (plain, own):
        assert 'href="https://x.example/s/1"' in made["properties"]["hs_task_body"]


def test_a_task_is_due_at_its_moment_and_reminds_in_milliseconds() -> None:
    made = task_input(task(reminder_at=NOW), TaskKeys())["properties"]
    assert made["hs_timestamp"] == made["hs_task_reminders"] == "1795338000000"


def test_a_record_is_shown_on_deal_company_and_each_contact_once() -> None:
    made = task_input(task(company_id="5", contact_ids=("7", "8", "7")), TaskKeys())["associations"]
    assert [(each["to"]["id"], each["types"][0]["associationTypeId"]) for each in made] == [
        ("9", 216), ("5", 192), ("7", 204), ("8", 204),
    ]  # fmt: skip
    note = CreateNote(key="k", deal_id="9", title="Exit <feedback>", body="x" * 70_000, at=NOW, contact_ids=("7",))
    written = note_input(note)
    assert [each["types"][0]["associationTypeId"] for each in written["associations"]] == [214, 202]
    assert len(written["properties"]["hs_note_body"]) <= 65_536
    assert "Exit &lt;feedback&gt;" in written["properties"]["hs_note_body"]


def test_what_provisioning_found_survives_being_stored() -> None:
    for keys in (TaskKeys(), TaskKeys(True, False, True), TaskKeys(True, True, False)):
        assert TaskKeys.from_state(keys.to_state()) == keys
    assert TaskKeys.from_state({}) == TaskKeys()
    assert TaskKeys(True, True, True).without(["aurevoir_key"]) == TaskKeys(False, False, True)


def test_only_a_completed_task_is_done() -> None:
    for status, done in (("COMPLETED", True), ("DEFERRED", False), ("WAITING", False), ("", False)):
        values = {"hs_task_status": status, "hs_task_completion_date": "2026-11-22T09:00:00Z"}
        state = task_from({"id": "1", "properties": values})
        assert (state.done, state.completed_at) == (done, NOW if done else None)
