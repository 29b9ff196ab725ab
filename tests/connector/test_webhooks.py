"""What a sender of webhooks meets: everything that matters is kept before 200, and no input ever leads to 5xx."""

from __future__ import annotations

import gzip
import io
import json
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError
from waitress.server import create_server
from werkzeug.test import EnvironBuilder, run_wsgi_app

from adapters.signals import Reply
from connector.store import accounts, cases, database
from connector.store.tables import AgendaRow, BadEventRow
from connector.web.front import MAX_BODY_BYTES, server_options
from workflows.quiet import STAYS

WATCHED, DULL = "20", "99"


# --- what matters is kept -------------------------------------------------------------------------------------------


def test_a_deal_in_a_watched_stage_is_on_the_agenda_and_its_account_is_nudged(house: Any) -> None:
    answer = house.deliver([{"id": "500", "stage": WATCHED}])
    assert answer.status_code == 200
    row = house.agenda()["acme", "500"]
    assert (row.why, row.due_at, row.tasks) == ("webhook", house.clock.now(), False)
    assert house.engine.accounts == ["acme"]


def test_a_deal_whose_stage_is_not_told_is_looked_at(house: Any) -> None:
    house.deliver([{"id": "500"}])
    assert ("acme", "500") in house.agenda()


def test_a_deal_in_another_stage_is_counted_and_costs_no_row_and_no_nudge(house: Any) -> None:
    answer = house.deliver([{"id": str(number), "stage": DULL} for number in range(50)])
    assert answer.status_code == 200
    assert house.agenda() == {}
    assert house.tallies() == {("quill.left_alone", ""): 50}
    assert house.engine.accounts == []


def test_a_deal_with_an_open_case_is_looked_at_whatever_its_stage(house: Any) -> None:
    house.open_case("500")
    house.deliver([{"id": "500", "stage": DULL}, {"id": "501", "stage": DULL}])
    assert set(house.agenda()) == {("acme", "500")}


@pytest.mark.row("P-25")
def test_a_deal_by_which_a_customer_remains_is_looked_at_whatever_its_stage(house: Any) -> None:
    case = house.open_case("500")
    with house.store.write() as session:
        cases.note_written(session, case.id, STAYS, "501")
    house.deliver([{"id": "501", "stage": DULL}, {"id": "502", "stage": DULL}])
    assert set(house.agenda()) == {("acme", "501")}


def test_everything_is_taken_while_the_stages_are_not_known(house: Any) -> None:
    with house.store.write() as session:
        accounts.change(session, "acme", known={}, known_at=None)
    house.deliver([{"id": "500", "stage": DULL}])
    assert ("acme", "500") in house.agenda()


def test_settings_that_no_longer_fit_the_crm_do_not_refuse_a_delivery(house: Any) -> None:
    with house.store.write() as session:
        known = {"users": [], "pipelines": [{"id": "p", "label": "Other", "stages": []}]}
        accounts.change(session, "acme", known=known, known_at=house.clock.now())
    assert house.deliver([{"id": "500", "stage": DULL}]).status_code == 200
    assert ("acme", "500") in house.agenda()


def test_a_change_of_a_task_of_ours_looks_at_its_deal_with_its_tasks_and_other_tasks_are_left_alone(house: Any) -> None:
    house.open_case("500", task_id="t1")
    house.deliver([{"kind": "task", "id": "t1"}, {"kind": "task", "id": "somebody's"}])
    assert set(house.agenda()) == {("acme", "500")}
    assert house.agenda()["acme", "500"].tasks
    assert house.tallies() == {("quill.left_alone", ""): 1}


def test_an_erased_contact_is_counted_and_in_the_log(house: Any) -> None:
    house.deliver([{"kind": "contact_erased", "id": "900"}])
    assert house.tallies() == {("quill.contact_erased", ""): 1}
    assert [(event.account, event.what, event.data) for event in house.events()] == [
        ("acme", "contact_erased", {"contact_id": "900"}),
        ("acme", "person erased", {}),
    ]


def test_a_hundred_copies_of_a_delivery_are_one_row(house: Any) -> None:
    for _ in range(3):
        house.deliver([{"id": "500", "stage": WATCHED}] * 100)
    assert len(house.agenda()) == 1


def test_a_delivery_for_two_accounts_reaches_both(house: Any) -> None:
    house.deliver([{"id": "500", "stage": WATCHED}, {"account": "77", "id": "500", "stage": WATCHED}])
    assert set(house.agenda()) == {("acme", "500"), ("globex", "500")}
    assert house.engine.accounts == ["acme", "globex"]


def test_unknown_accounts_and_events_that_we_do_not_need_are_acknowledged_and_only_counted(house: Any) -> None:
    events = [{"account": "666", "id": "1"}] * 3 + [{"dull": "note.creation"}] * 2
    assert house.deliver(events).status_code == 200
    assert house.tallies() == {("quill.unknown_account", "666"): 3, ("quill.ignored", "note.creation"): 2}
    assert house.rows(AgendaRow) == []


def test_one_bad_event_among_99_good_ones_is_kept_aside_and_the_good_ones_count(house: Any) -> None:
    events = [{"id": str(number), "stage": WATCHED} for number in range(99)]
    events.insert(50, {"bad": "{\x00 \ud800 half an event"})
    assert house.deliver(events).status_code == 200
    assert len(house.agenda()) == 99
    (bad,) = house.rows(BadEventRow)
    assert (bad.crm, bad.account, bad.reason) == ("quill", "acme", "no id")
    assert "half an event" in bad.excerpt
    assert "\x00" not in bad.excerpt


@pytest.mark.parametrize("record_id", ["", "a\x00b", "é", "\ud800", "1" * 101, "a\nb"])
def test_an_id_that_no_record_has_becomes_a_bad_event(house: Any, record_id: str) -> None:
    assert house.deliver([{"id": record_id}, {"id": "500"}]).status_code == 200
    assert set(house.agenda()) == {("acme", "500")}
    assert len(house.rows(BadEventRow)) == 1


def test_the_moment_of_the_last_push_is_remembered(house: Any) -> None:
    house.clock.time += timedelta(hours=1)
    house.deliver([{"id": "500", "stage": DULL}])
    with house.store.read() as session:
        assert accounts.get(session, "acme").pushed_at == house.clock.now()
        assert accounts.get(session, "globex").pushed_at is None


def test_the_sender_gets_the_reply_that_its_adapter_wants(house: Any) -> None:
    house.quill.reply = Reply(200, "text/xml; charset=utf-8", b"<Ack>true</Ack>")
    answer = house.deliver([])
    assert (answer.content_type, answer.data) == ("text/xml; charset=utf-8", b"<Ack>true</Ack>")


# --- what is not committed is not acknowledged ----------------------------------------------------------------------


def test_a_delivery_that_cannot_be_committed_is_not_acknowledged_and_leaves_nothing(house: Any) -> None:
    def full(session: Any) -> None:
        raise OperationalError("insert", {}, Exception("database or disk is full"))

    from sqlalchemy import event

    with house.store.write() as session:
        factory = type(session)
    event.listen(factory, "before_commit", full)
    try:
        answer = house.deliver([{"id": "500", "stage": WATCHED}])
    finally:
        event.remove(factory, "before_commit", full)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert house.agenda() == {}
    assert house.engine.accounts == []
    assert house.deliver([{"id": "500", "stage": WATCHED}]).status_code == 200


def test_a_database_that_others_hold_for_too_long_asks_the_sender_to_come_again(
    houses: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    house = houses()
    with house.store.engine.connect() as other:
        other.exec_driver_sql("select 1")  # holds the write lock: each transaction begins immediate
        answer = house.deliver([{"id": "500", "stage": WATCHED}])
    assert answer.status_code == 503


# --- proof of origin ------------------------------------------------------------------------------------------------


def test_a_delivery_without_proof_is_401_and_leaves_nothing(house: Any) -> None:
    answer = house.client.post("/webhooks/quill", json=[{"id": "500", "stage": WATCHED}])
    assert answer.status_code == 401
    assert answer.is_json
    assert house.agenda() == {}
    assert house.tallies() == {}


def test_the_address_that_is_proven_is_the_configured_one_whatever_host_the_proxy_names(house: Any) -> None:
    lies = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
    assert house.deliver([{"id": "500"}], headers=lies).status_code == 200
    assert house.deliver([{"id": "501"}], public_url="https://evil.example", headers=lies).status_code == 401


def test_the_query_is_part_of_the_proven_address(house: Any) -> None:
    body = b"[]"
    path = "/webhooks/quill?a=%2F&b=c%20d"
    seal = house.sign("https://goodbye.example.com" + path, body)
    assert house.client.post(path, data=body, headers={"Quill-Signature": seal}).status_code == 200
    assert house.client.post("/webhooks/quill?a=1", data=body, headers={"Quill-Signature": seal}).status_code == 401


@pytest.mark.parametrize("strips", [True, False])
def test_a_public_address_with_a_path_works_whether_or_not_the_proxy_takes_the_path_off(
    houses: Any, strips: bool
) -> None:
    house = houses(public_url="https://example.com/goodbye")
    seal = house.sign("https://example.com/goodbye/webhooks/quill", b"[]")
    path = "/webhooks/quill" if strips else "/goodbye/webhooks/quill"
    assert house.client.post(path, data=b"[]", headers={"Quill-Signature": seal}).status_code == 200


def test_the_secret_in_the_path_reaches_the_adapter(house: Any) -> None:
    seen: list[Any] = []
    receive = house.quill.receive
    house.quill.receive = lambda request, accounts: (seen.append(request), receive(request, accounts))[1]
    house.deliver([], path="/webhooks/quill/s3cret")
    assert seen[0].secret == "s3cret"
    assert seen[0].url == "https://goodbye.example.com/webhooks/quill/s3cret"


def test_each_account_of_the_crm_is_offered_with_its_secrets_and_one_without_push_is_not(house: Any) -> None:
    house.runtime.accounts["globex"].config.vendor.secret = ""
    house.quill.webhook_secrets = lambda settings: (settings.secret,) if settings.secret else ()
    house.deliver([{"account": "77", "id": "500"}])
    assert house.agenda() == {}
    assert house.tallies() == {("quill.unknown_account", "77"): 1}


GOOD = json.dumps([{"id": "500", "stage": WATCHED}]).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(["body", "signature"]), position=st.integers(0, 200), bit=st.integers(0, 6))
def test_one_flipped_bit_anywhere_is_refused(house: Any, place: str, position: int, bit: int) -> None:
    seal = house.sign("https://goodbye.example.com/webhooks/quill", GOOD).encode()
    parts = {"body": GOOD, "signature": seal}
    flipped = bytearray(parts[place])
    flipped[position % len(flipped)] ^= 1 << bit
    parts[place] = bytes(flipped)
    header = parts["signature"].decode("latin-1")
    if any(character in "\r\n\x00" for character in header):
        return  # no HTTP message can carry it
    answer = house.client.post("/webhooks/quill", data=parts["body"], headers={"Quill-Signature": header})
    assert answer.status_code == 401
    assert house.agenda() == {}


# --- what is wrong is 4xx, never 5xx --------------------------------------------------------------------------------

MALFORMED = [
    b"", b"null", b"{}", b"[1]", b"[", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe[\x00]\x00", b"\xef\xbb\xbf[]",
    b"[\x00]", b'["\\ud800"]', b"[NaN]", b"[" + b"9" * 5000 + b"]", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_a_body_that_is_no_delivery_is_4xx_and_leaves_nothing(house: Any, body: bytes) -> None:
    assert 400 <= house.deliver(body).status_code < 500
    assert house.client.post("/webhooks/quill", data=body).status_code == 401
    assert house.agenda() == {}
    assert house.tallies() == {}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300), headers=st.dictionaries(
    st.sampled_from(["Content-Type", "Quill-Signature", "Content-Encoding", "Accept", "X-Forwarded-For", "Cookie"]),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60),
))  # fmt: skip
def test_no_bytes_and_no_headers_lead_to_5xx(house: Any, body: bytes, headers: dict[str, str]) -> None:
    assert house.client.post("/webhooks/quill", data=body, headers=headers).status_code < 500


def test_a_body_over_one_mebibyte_is_413_and_not_read(house: Any) -> None:
    class Unread(io.BytesIO):
        def read(self, *_args: object) -> bytes:
            raise AssertionError("the body was read")

        readinto = readline = read  # type: ignore[assignment]

    environ = EnvironBuilder(path="/webhooks/quill", method="POST").get_environ()
    environ |= {"wsgi.input": Unread(), "CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)}
    _body, status, _headers = run_wsgi_app(house.app, environ)
    assert status.startswith("413")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "x"])
def test_a_compressed_body_is_415_and_never_inflated(house: Any, coding: str) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    assert house.deliver(bomb, headers={"Content-Encoding": coding}).status_code == 415


def test_a_crm_that_no_account_has_is_404_and_loads_nothing(house: Any) -> None:
    for path in ("/webhooks/hubspot", "/webhooks/salesforce/x", "/webhooks/", "/webhooks/%00", "/webhooks/quill/a/b"):
        assert house.client.post(path, data=b"[]").status_code == 404


def test_other_methods_are_405(house: Any) -> None:
    assert house.client.get("/webhooks/quill").status_code == 405
    assert house.client.put("/webhooks/quill").status_code == 405


def test_an_error_of_ours_is_500_with_an_id_and_nothing_else(house: Any) -> None:
    house.app.testing = False

    def broken(*_args: object) -> Any:
        raise RuntimeError("the secret is 4711")

    house.quill.receive = broken
    answer = house.deliver([])
    assert answer.status_code == 500
    assert "4711" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json["id"]


def test_the_log_line_of_a_delivery_holds_ids_and_counts_only(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        house.deliver([{"id": "500", "stage": WATCHED, "email": "jo@example.com"}], path="/webhooks/quill/s3cret")
    assert "jo@example.com" not in caplog.text
    assert "s3cret" not in caplog.text


# --- over a real socket, on the server that ships -------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(houses: Any) -> Iterator[tuple[Any, int]]:
    """A house on waitress, and its port."""
    house = houses()
    server = create_server(house.app, listen="127.0.0.1:0", **server_options(house.runtime))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield house, server.effective_port
    server.close()
    server.task_dispatcher.shutdown()
    thread.join(5)


def talk(port: int, raw: bytes, *, finish: bool = True) -> int:
    """Send raw bytes; the status of the answer, or 0 when the server just hung up."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        try:
            connection.sendall(raw)
            if finish:
                connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(200)
        except OSError:
            return 0
    return int(answer.split()[1]) if answer else 0


HEAD = b"POST /webhooks/quill HTTP/1.1\r\nHost: x\r\nQuill-Signature: 0\r\n"
RAW = {
    "a bad chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\nabc\r\n0\r\n\r\n",
    "a negative chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
    "chunks that end early": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "a body cut short": HEAD + b"Content-Length: 50\r\n\r\n[]",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n[]",
    "a length that is no number": HEAD + b"Content-Length: 1e3\r\n\r\n[]",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
    "length and chunks": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a large body": HEAD + b"Content-Length: 10000000\r\n\r\n" + b"0" * 2_000_000,
    "a header without colon": b"POST /webhooks/quill HTTP/1.1\r\nHost x\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a huge header": HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_malformed_http_never_leads_to_a_server_error(served: tuple[Any, int], raw: bytes) -> None:
    house, port = served
    status = talk(port, raw)
    assert status == 0 or 400 <= status < 500
    assert house.agenda() == {}


def test_a_transfer_coding_that_nobody_knows_is_not_implemented_as_http_wants_it(served: tuple[Any, int]) -> None:
    assert talk(served[1], HEAD + b"Transfer-Encoding: snail\r\n\r\n[]") == 501


def test_many_half_open_connections_do_not_hold_up_a_good_delivery(served: tuple[Any, int]) -> None:
    house, port = served
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    try:
        for connection in slow:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n[")
            body = b'[{"id":"500"}]'
        seal = house.sign("https://goodbye.example.com/webhooks/quill", body).encode()
        good = b"POST /webhooks/quill HTTP/1.1\r\nHost: x\r\nQuill-Signature: %s\r\nContent-Length: %d\r\n\r\n%s"
        assert talk(port, good % (seal, len(body), body), finish=False) == 200
    finally:
        for connection in slow:
            connection.close()


def test_behind_a_trusted_proxy_a_guesser_does_not_slow_down_the_other_visitors(houses: Any) -> None:
    house = houses(trusted_proxy="127.0.0.1")
    server = create_server(house.app, listen="127.0.0.1:0", **server_options(house.runtime))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()

    def visit(path: str, address: str) -> int:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\nConnection: close\r\n\r\n"
        return talk(server.effective_port, request.encode(), finish=False)

    try:
        assert {visit(f"/s/guess{number}", "192.0.2.1") for number in range(31)} == {404, 429}
        assert visit(house.give_link(), "192.0.2.1") == 429
        assert visit(house.give_link(), "192.0.2.2") == 200
    finally:
        server.close()
        server.task_dispatcher.shutdown()
        thread.join(5)
