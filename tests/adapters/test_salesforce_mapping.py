"""Small translations between Salesforce's words and ours, and the settings of an account."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.errors import Rejected
from adapters.results import Capabilities
from adapters.salesforce import ADAPTER, mapping
from adapters.salesforce.records import new_note, note_html
from adapters.salesforce.soql import LONGEST_QUERY, chunks, is_in, select
from adapters.services import FieldMap, Services
from workflows.records import DealState, Role
from workflows.writes import CreateNote

NO_SERVICES = Services(now=lambda: datetime.now(UTC), sleep=lambda _: None, tokens=None, budget=None)  # type: ignore[arg-type]
GOOD: dict[str, Any] = {
    "login_url": "https://globex.my.salesforce.com",
    "client_id": "3MVG9.client",
    "client_secret": "very-secret",
}


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("0015500001QdZPK", "0015500001QdZPKAA3"),  # recorded from a real organisation
        ("00D5g00000ABCDE", "00D5g00000ABCDEEA5"),
        ("0015500001qdzpk", "0015500001qdzpkAAA"),
    ],
)
def test_an_id_of_15_characters_gets_its_three(short: str, long: str) -> None:
    assert mapping.to18(short) == long
    assert mapping.to18(long) == long
    assert mapping.same_id(short, long)


def test_ids_that_differ_in_case_alone_are_two_records() -> None:
    assert not mapping.same_id("0015500001QdZPK", "0015500001qdZPK")
    assert not ADAPTER.same_account("", "")
    assert ADAPTER.same_account("00D5g00000ABCDE", "00D5g00000ABCDEEA5")


@pytest.mark.parametrize("name", ["Id; DROP", "Name FROM User", "x'y", "", "1st", "Account.Name", "é"])
def test_a_field_name_that_could_be_more_than_a_name_is_refused_with_the_cure(name: str) -> None:
    with pytest.raises(ValueError, match="API name"):
        mapping.checked_field(name)


def test_a_mapped_field_with_such_a_name_is_refused_when_connecting() -> None:
    settings = ADAPTER.settings_model.model_validate(GOOD)
    services: Any = None
    for fields in (FieldMap(contract_end="End FROM User"), FieldMap(figures=(("deal", "a b"),))):
        with pytest.raises(Rejected, match="API name"):
            ADAPTER.connect("globex", "00D5g00000ABCDE", settings, fields, services, state={})


def test_our_fields_are_spelt_as_the_org_wants_them() -> None:
    assert mapping.our_field("exit_feedback_at") == "Aurevoir_Exit_Feedback_At__c"
    assert mapping.KEY_FIELD == "Aurevoir_Key__c"


@given(st.text(min_size=1, max_size=400))
def test_a_stored_key_fits_its_field_and_stays_itself_when_it_can(key: str) -> None:
    stored = mapping.stored_key(key)
    assert len(stored) <= 120
    assert (stored == key) is (len(key) <= 120)
    assert mapping.stored_key(key + "x") != stored


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        # Nine in the morning in Auckland is still the day before in UTC and in Paris.
        (datetime(2026, 12, 3, 9, tzinfo=ZoneInfo("Pacific/Auckland")), "Europe/Paris", "2026-12-03"),
        (datetime(2026, 12, 3, 17, tzinfo=ZoneInfo("America/Los_Angeles")), "America/Los_Angeles", "2026-12-03"),
        # Kept in UTC, the same moment is meant where the account is.
        (datetime(2026, 12, 4, 1, tzinfo=UTC), "America/Los_Angeles", "2026-12-03"),
        (datetime(2026, 12, 2, 23, 30, tzinfo=UTC), "Europe/Paris", "2026-12-03"),
        (datetime(2026, 12, 3, 23, 30, tzinfo=timezone(timedelta(hours=-5))), "Europe/Paris", "2026-12-03"),
    ],
)
def test_a_task_is_due_on_the_day_that_was_meant(moment: datetime, zone: str, day: str) -> None:
    assert mapping.write_date(moment, zone) == day


@given(
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    st.integers(0, 23),
    st.sampled_from(["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Paris", "America/New_York", "Asia/Kolkata"]),
)
def test_a_due_day_comes_back_as_it_was_written_in_every_zone(day: date, hour: int, zone: str) -> None:
    due = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone))
    written = mapping.write_date(due, zone)
    state = mapping.task_state({"Id": "00T5g0000000001", "IsClosed": False, "ActivityDate": written}, zone)
    assert state.due_at is not None
    assert state.due_at.astimezone(ZoneInfo(zone)).date() == day


def test_datetimes_are_written_in_utc_and_read_aware() -> None:
    paris = datetime(2026, 12, 3, 9, 0, 0, 400_000, tzinfo=ZoneInfo("Europe/Paris"))
    assert mapping.write_datetime(paris) == "2026-12-03T08:00:00Z"
    assert mapping.parse_datetime("2026-11-21T09:15:02.000+0000") == datetime(2026, 11, 21, 9, 15, 2, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        mapping.parse_datetime("2026-11-21T09:15:02")


def test_figures_are_the_crms_own_text_without_needless_zeros() -> None:
    row = {"A": Decimal("12000.0"), "B": Decimal("3.50"), "C": None, "D": True, "E": "green", "F": ""}
    assert mapping.figures(row, "ABCDEFG") == {"A": "12000", "B": "3.5", "D": "true", "E": "green"}


@pytest.mark.parametrize(
    ("value", "code"), [("fr", "fr"), ("fr_FR", "fr"), ("EN-us", "en"), ("Klingon", None), (None, None), (3, None)]
)
def test_a_language_is_a_code_or_unknown(value: Any, code: str | None) -> None:
    assert mapping.language_code(value) == code


def _at(minute: int) -> str:
    return f"2026-11-21T09:{minute:02}:00.000+0000"


def test_stage_history_tells_each_entry_once_newest_first() -> None:
    changes = [("Negotiation", 1), ("Negotiation", 2), ("Lost", 3), ("Negotiation", 4), ("Lost", 5), ("Lost", 6)]
    entries = [{"StageName": stage, "CreatedDate": _at(minute)} for stage, minute in changes]
    history = mapping.stage_history({"StageName": "Lost"}, entries)
    assert [(entry.stage_id, entry.at.minute) for entry in history] == [
        ("Lost", 5),
        ("Negotiation", 4),
        ("Lost", 3),
        ("Negotiation", 1),
    ]


def test_without_history_the_last_stage_change_tells_the_entry() -> None:
    row = {"StageName": "Lost", "LastStageChangeDate": _at(7)}
    (entry,) = mapping.stage_history(row, [])
    assert (entry.stage_id, entry.at.minute) == ("Lost", 7)
    late = mapping.stage_history(row, [{"StageName": "Negotiation", "CreatedDate": _at(1)}])
    assert [each.stage_id for each in late] == ["Lost", "Negotiation"]


def test_former_owners_are_told_by_id_and_names_are_left_out() -> None:
    one, two = "0055g0000000001AAA", "0055g0000000002AAA"
    entries = [
        {"OldValue": "Ann", "NewValue": "Ben", "CreatedDate": _at(1)},
        {"OldValue": one, "NewValue": two, "CreatedDate": _at(1)},
        {"OldValue": two, "NewValue": "0055g0000000003AAA", "CreatedDate": _at(2)},
    ]
    assert mapping.past_owners({"OwnerId": "0055g0000000003AAA"}, entries) == (two, one)


def test_roles_of_one_contact_are_gathered_and_the_primary_comes_first() -> None:
    contact = {"Name": "Ann Bee", "Email": "ann@acme.example"}
    roles = [
        {"ContactId": "1", "Role": None, "IsPrimary": False, "Contact": {"Name": "Cy"}},
        {"ContactId": "2", "Role": "Business User", "IsPrimary": False, "Contact": contact},
        {"ContactId": "2", "Role": "Decision Maker", "IsPrimary": True, "Contact": contact},
        {"ContactId": "3", "Role": "Other", "IsPrimary": False, "Contact": None},
    ]
    people = mapping.people({}, roles, (), None)
    assert [each.id for each in people.contacts] == ["2", "1"]
    assert people.contacts[0].roles == (Role.USER, Role.DECIDER)
    assert people.contacts[1].roles == (Role.OTHER,)
    assert people.contacts[1].email is None


def test_a_deal_without_its_own_end_field_ends_on_its_close_date() -> None:
    row = {
        "Id": "0065g0000000001AAA",
        "StageName": "Lost",
        "CloseDate": "2026-12-31",
        "End__c": None,
        "IsDeleted": True,
    }
    plain = mapping.deal(row, contract_end=None, exit_reason=None, figure_names=())
    mapped = mapping.deal(row, contract_end="End__c", exit_reason=None, figure_names=())
    assert plain.contract_end == date(2026, 12, 31)
    assert mapped.contract_end is None
    assert plain.state is DealState.DELETED


def test_a_note_is_escaped_and_its_addresses_are_links() -> None:
    html = note_html("a < b & c\nline two\n\nsee https://x.example/s?a=1&b=2. Thanks")
    assert html == (
        "<p>a &lt; b &amp; c<br>line two</p>"
        '<p>see <a href="https://x.example/s?a=1&amp;b=2">https://x.example/s?a=1&amp;b=2</a>. Thanks</p>'
    )
    assert "\n" not in html


def test_a_long_note_title_keeps_the_mark_by_which_it_is_found() -> None:
    write = CreateNote(key="k", deal_id="006", title="t" * 400, body="b", at=datetime.now(UTC))
    title = new_note(0, write).records[0].body["Title"]
    assert len(title) <= 255
    assert title.endswith(mapping.marker("k"))


def test_a_query_that_would_make_too_long_an_address_is_asked_in_pieces() -> None:
    ids = [f"0065g00000{number:05}AAA" for number in range(1000)]
    queries = list(chunks(lambda some: select(["Id"], "Opportunity", is_in("Id", some)), ids))
    assert 1 < len(queries) <= 4
    assert all(len(query) < LONGEST_QUERY for query in queries)
    assert sum(query.count("0065g") for query in queries) == 1000
    assert list(chunks(lambda some: is_in("Id", some), [])) == []


def test_values_in_queries_cannot_end_their_quotes() -> None:
    assert (
        is_in("StageName", ["O'Neil\\", "x') OR (Name != '"]) == "StageName IN ('O\\'Neil\\\\','x\\') OR (Name != \\'')"
    )


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "cure"),
    [
        ("login_url", "https://login.salesforce.com", "My Domain"),
        ("login_url", "http://globex.my.salesforce.com", "https://"),
        ("login_url", "globex.my.salesforce.com", "scheme and host"),
        ("login_url", "https://globex.my.salesforce.com/services", "scheme and host"),
        ("login_url", "https://me:pw@globex.my.salesforce.com", "scheme and host"),
        ("login_url", "https://globex:99999", "like https"),
        ("instance_url", "ftp://globex", "https://"),
        ("client_secret", "  ", "copy the consumer secret"),
        ("webhook_secret", "short", "16 to 128"),
        ("webhook_secret", "with/slash-and-sixteen-characters", "16 to 128"),
        ("webhook_secret", ["good-and-long-enough-one", "short"], "16 to 128"),
        ("api_version", "66", '"66.0"'),
        ("api_version", "30.0", "from"),
        ("daily_call_share", 0, "greater than 0"),
        ("wobble", 1, "not permitted"),
    ],
)
def test_a_wrong_setting_is_named_with_its_cure(key: str, value: Any, cure: str) -> None:
    with pytest.raises(ValidationError, match=key) as caught:
        ADAPTER.settings_model.model_validate({**GOOD, key: value})
    assert cure in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_secrets_do_not_show_and_may_be_two_while_one_is_changed() -> None:
    both = ["the-new-secret-of-24-chars", "the-old-secret-of-24-chars"]
    settings = ADAPTER.settings_model.model_validate({**GOOD, "webhook_secret": both})
    assert ADAPTER.webhook_secrets(settings) == tuple(both)
    assert not any(secret in repr(settings) for secret in [*both, "very-secret"])
    assert ADAPTER.webhook_secrets(ADAPTER.settings_model.model_validate(GOOD)) == ()


def test_a_look_alike_on_this_machine_may_speak_plain_http() -> None:
    settings: Any = ADAPTER.settings_model.model_validate({**GOOD, "login_url": "http://127.0.0.1:8181/"})
    assert settings.login_url == "http://127.0.0.1:8181"


# --- what the README promises ---------------------------------------------------------------------------------------

README = Path(str(files("adapters.salesforce").joinpath("README.md"))).read_text(encoding="utf-8")


def test_the_readme_names_every_setting_and_every_module() -> None:
    for name in ADAPTER.settings_model.model_fields:
        assert f"`{name}`" in README
    for module in Path(str(files("adapters.salesforce"))).glob("*.py"):
        assert module.stem in ("__init__", "adapter") or f"`{module.name}`" in README


def test_the_readmes_capabilities_are_the_codes() -> None:
    table = README.partition("| capability | |")[2].partition("\n\n")[0]
    told = dict(re.findall(r"^\| ([a-z ]+) \| `?(\w+)", table, re.MULTILINE))
    crm = ADAPTER.connect(
        "globex", "00D5g00000ABCDE", ADAPTER.settings_model.model_validate(GOOD), FieldMap(), NO_SERVICES, state={}
    )
    known = {
        each.name.replace("_", " "): getattr(crm.capabilities, each.name) for each in dataclasses.fields(Capabilities)
    }
    assert {name: word for name, word in told.items() if word in ("yes", "no")} == {
        name: "yes" if value else "no"
        for name, value in known.items()
        if value is True or (value is False and name not in ("push", "unique task key"))
    }
    assert set(told) == set(known)
