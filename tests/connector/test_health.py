"""What monitoring sees: alive without a database, ready or not with reasons, counts without anything of a person."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from connector.store import agenda
from connector.web.front import Front

TOKEN = "let-me-see-the-metrics"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
LOCAL = {"base_url": "http://127.0.0.1:8080"}


class Ticking:
    running = True


@pytest.fixture
def well(house: Any) -> Any:
    """A house in which everything is well."""
    house.runtime.scheduler = Ticking()
    return house


def samples(house: Any, **more: Any) -> dict[tuple[str, str], float]:
    """Metrics by name and account or result."""
    text = house.client.get("/metrics", **(LOCAL | more)).text
    return {
        (sample.name, sample.labels.get("account", sample.labels.get("result", ""))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("crm", "quill") == "quill"  # counters are the process's own: other tests deliver too
    }


def test_healthz_answers_without_a_database(house: Any) -> None:
    house.store.path.unlink()
    house.store.close()
    answer = house.client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "alive"})


def test_readyz_is_200_when_database_scheduler_and_accounts_are_well(well: Any) -> None:
    answer = well.client.get("/readyz", **LOCAL)
    assert answer.status_code == 200
    assert [check["subject"] for check in answer.json["checks"]] == [
        "database", "scheduler", "account acme", "account globex",
    ]  # fmt: skip


def test_readyz_is_503_and_says_what_is_wrong(house: Any) -> None:
    answer = house.client.get("/readyz", **LOCAL)
    assert answer.status_code == 503
    (wrong,) = [check for check in answer.json["checks"] if not check["ok"]]
    assert wrong == {"subject": "scheduler", "ok": False, "text": "does not run"}


def test_readyz_is_503_without_a_database(well: Any) -> None:
    well.store.close()
    for path in well.store.path.parent.glob("aurevoir.db*"):
        path.unlink()
    well.store.path.mkdir()
    assert well.client.get("/readyz").status_code == 503


def test_a_passer_by_learns_only_whether_all_is_well(well: Any) -> None:
    answer = well.client.get("/readyz", base_url="https://goodbye.example.com")
    assert answer.json == {"ready": True}


def test_metrics_count_deliveries_and_what_waits(well: Any) -> None:
    before = samples(well)
    well.deliver([{"id": "500", "stage": "20"}, {"id": "501", "stage": "99"}, {"bad": "x"}])
    well.client.post("/webhooks/quill", data=b"[]")
    well.clock.sleep(90)
    after = samples(well)
    grown = {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}
    assert grown["aurevoir_webhooks_total", "taken"] == 1
    assert grown["aurevoir_webhooks_total", "401"] == 1
    assert grown["aurevoir_webhook_events_total", "look"] == 1
    assert grown["aurevoir_webhook_events_total", "left_alone"] == 1
    assert grown["aurevoir_webhook_events_total", "bad"] == 1
    assert after["aurevoir_agenda_due", "acme"] == 1
    assert after["aurevoir_agenda_due", "globex"] == 0
    assert after["aurevoir_agenda_oldest_seconds", "acme"] == 90
    assert after["aurevoir_database_up", ""] == 1


def test_metrics_of_what_is_not_due_yet_say_zero(well: Any) -> None:
    with well.store.write() as session:
        later = well.clock.now().replace(year=2030)
        agenda.put(session, "acme", [agenda.Entry("500", later, "timer")])
    assert samples(well)["aurevoir_agenda_due", "acme"] == 0


def test_metrics_answer_without_a_database_and_say_so(well: Any) -> None:
    well.store.close()
    for path in well.store.path.parent.glob("aurevoir.db*"):
        path.unlink()
    well.store.path.mkdir()
    assert samples(well)["aurevoir_database_up", ""] == 0


def test_metrics_hold_no_ids_and_no_addresses(well: Any) -> None:
    well.deliver([{"id": "123456789", "stage": "20"}])
    text = well.client.get("/metrics", **LOCAL).text
    assert not re.search(r"123456789|@|4242", text.split("process_")[0])


@pytest.mark.parametrize(
    ("headers", "address", "host"),
    [
        ({}, "192.0.2.7", "127.0.0.1:8080"),
        ({}, "127.0.0.1", "goodbye.example.com"),
        ({"X-Forwarded-For": "192.0.2.7"}, "127.0.0.1", "127.0.0.1:8080"),
        ({"Forwarded": "for=192.0.2.7"}, "127.0.0.1", "localhost"),
        ({"Via": "1.1 proxy"}, "::1", "[::1]:8080"),
    ],
)
def test_without_a_token_only_a_program_on_this_machine_sees_the_metrics(
    well: Any, headers: dict[str, str], address: str, host: str
) -> None:
    answer = well.client.get(
        "/metrics", headers=headers, environ_base={"REMOTE_ADDR": address}, base_url=f"http://{host}"
    )
    assert answer.status_code == 401
    assert "aurevoir" not in answer.text
    for near in ("127.0.0.1:8080", "localhost", "[::1]:8080"):
        assert well.client.get("/metrics", base_url=f"http://{near}").status_code == 200


def test_with_a_token_it_alone_opens_the_metrics_from_anywhere(houses: Any) -> None:
    house = houses(metrics_token=TOKEN)
    for wrong in ({}, {"Authorization": "Bearer nope"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "é"}):
        answer = house.client.get("/metrics", headers=wrong, **LOCAL)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")
    far = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}, "base_url": "https://goodbye.example.com"}
    assert house.client.get("/metrics", headers=BEARER, **far).status_code == 200
    assert "checks" in house.client.get("/readyz", headers=BEARER, **far).json
    assert "checks" not in house.client.get("/readyz", **LOCAL).json


def test_search_engines_are_asked_to_stay_away(house: Any) -> None:
    answer = house.client.get("/robots.txt")
    assert answer.text == "User-agent: *\nDisallow: /\n"


def test_machines_are_answered_before_any_page_is_loaded(houses: Any) -> None:
    house, made = houses(public_url="https://example.com/goodbye"), []
    front = Client(Front(house.runtime, lambda: made.append("pages") or house.app))
    assert front.get("/healthz").json == {"status": "alive"}
    assert front.get("/goodbye/healthz").headers["X-Content-Type-Options"] == "nosniff"
    assert "error" in front.post("/webhooks/quill", data=b"[]").json
    assert front.get("/webhooks/quill").status_code == 405
    assert made == []
    assert front.get("/goodbye" + house.give_link()).status_code == 200
    assert front.get("/nowhere").status_code == 404
    assert made == ["pages"]
