"""The card on a deal and the workflow action, over HTTP, signed as HubSpot signs them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from connector.app import create_app
from connector.bootstrap import Adapters, Runtime, build
from connector.config import load
from connector.store import accounts, cases, intake, intents
from connector.store.tables import AgendaRow, AnswerRow, CaseRow, IntentRow, IntentState, LinkRow, StepRow
from sandbox.hubspot.hooks import sign_v3
from workflows.cases import Case, CaseStatus, Event, Step, StepStatus
from workflows.questions import Answer
from workflows.rules import LinkKind
from workflows.writes import CreateTask

CONFIG = """
server: {public_url: "https://goodbye.example.com"}
secret_key: k3y-of-the-test-7Qw9Zx1Lm4Rt8Vb2Ns6
accounts:
  acme: &acme
    crm: hubspot
    account_id: "4242"
    access_token: pat-x
    client_secret: shared-secret
    calendar: FR
    watch: [{pipeline: Renewals, not_renewing: Not renewing}]
  globex: {<<: *acme, account_id: "7070"}
  initech: {<<: *acme, account_id: "9090", client_secret: its-own-secret}
  other:
    crm: salesforce
    account_id: 00D5g00000ABCDE
    login_url: https://globex.my.salesforce.com
    client_id: id
    client_secret: secret
    calendar: FR
    watch: [{not_renewing: Closed Lost}]
"""
PUBLIC = "https://goodbye.example.com"
NOW = datetime.now(UTC)
TABLES = (AgendaRow, AnswerRow, LinkRow, IntentRow, StepRow, CaseRow)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder: Path = tmp_path_factory.mktemp("card")
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    adapters = Adapters()
    built = build(load(config, {}, adapters), adapters=adapters)
    built.store.upgrade(now=NOW)
    yield built
    built.close()


@pytest.fixture(scope="module")
def app(runtime: Runtime) -> Flask:
    return create_app(runtime)


@pytest.fixture
def client(runtime: Runtime, app: Flask) -> Any:
    with runtime.store.write() as session:
        for table in TABLES:
            session.query(table).delete()
    for limiter in app.extensions["limiter"]:
        limiter.reset()
    return app.test_client()


def give_case(runtime: Runtime, account: str = "acme", **more: Any) -> Case:
    """A case of deal 500 with one task under way, one overdue, one done and one that comes later."""
    steps = (
        Step(key="thanks", rule="thanks", status=StepStatus.DONE, task_id="1"),
        Step(key="talk", rule="talk", status=StepStatus.OPEN, task_id="2", owner_id="u", due_at=NOW + timedelta(1)),
        Step(key="late", rule="late", status=StepStatus.OPEN, task_id="3", owner_id="x", due_at=NOW - timedelta(1)),
        Step(key="month", rule="month", status=StepStatus.WAITING),
        Step(key="never", rule="never", status=StepStatus.SKIPPED),
    )
    values = {"status": CaseStatus.ACTIVE, "reason": "price", "steps": steps} | more
    case = Case(id=f"case-{account}", account=account, deal_id="500", deal_name=f"Secret of {account}", playbook="saas",
                language="en", stage_id="20", entered_at=NOW, opened_at=NOW, **values)  # fmt: skip
    link = runtime.links.address(LinkKind.INTERVIEW, case.id, None, "interview")
    task = CreateTask(key=f"{case.id}:talk", deal_id="500", subject="Hold the conversation", due_at=NOW, owner_id="u",
                      link=link)  # fmt: skip
    with runtime.store.write() as session:
        accounts.ensure(session, account, "hubspot", "4242")
        accounts.change(session, account, known={"users": [{"id": "u", "name": "Ana Lima"}], "pipelines": []})
        cases.save(session, case)
        intents.plan(session, account, case.id, [task], NOW)
        intents.ended(session, account, task.key, IntentState.DONE, NOW, record_id="2")
        row = LinkRow(id=runtime.links.link_id(LinkKind.INTERVIEW, case.id, None, "interview"), account=account,
                      case_id=case.id, kind="interview", contact_id=None, questionnaire="interview", language="en",
                      made_at=NOW, closed_at=None)  # fmt: skip
        intake.keep_link(session, row)
    return case


def ask(client: Any, query: str, *, secret: str = "shared-secret", at: float | None = None, **more: Any) -> Any:
    """What ``hubspot.fetch`` leads to: HubSpot adds who asks, and signs the whole address."""
    path = f"/card/hubspot?{query}"
    stamp = str(int((at or time.time()) * 1000))
    seal = sign_v3(secret, "GET", PUBLIC + path, b"", stamp)
    headers = {"X-HubSpot-Signature-v3": seal, "X-HubSpot-Request-Timestamp": stamp} | more
    return client.get(path, headers=headers)


def run_action(client: Any, body: Any, *, secret: str = "shared-secret", version: str = "v2") -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{PUBLIC}/card/hubspot/start"
    source = secret.encode() + (b"POST" + url.encode() if version == "v2" else b"") + content
    headers = {"X-HubSpot-Signature": hashlib.sha256(source).hexdigest(), "X-HubSpot-Signature-Version": version}
    return client.post("/card/hubspot/start", data=content, headers=headers)


def action(portal: int = 4242, deal: int = 500, kind: str = "DEAL") -> dict[str, Any]:
    return {
        "callbackId": "ap-4242-1-2-3",
        "origin": {"portalId": portal, "actionDefinitionId": 9, "actionDefinitionVersion": 1},
        "context": {"source": "WORKFLOWS", "workflowId": 12},
        "object": {"objectId": deal, "properties": {}, "objectType": kind},
        "inputFields": {},
    }


def agenda(runtime: Runtime) -> dict[tuple[str, str], bool]:
    with runtime.store.read() as session:
        return {(row.account, row.deal_id): row.asked for row in session.query(AgendaRow)}


# --- the card -------------------------------------------------------------------------------------------------------


def test_the_card_tells_status_next_steps_and_links(client: Any, runtime: Runtime) -> None:
    case = give_case(runtime)
    email = quote("someone+a@example.com", safe="")
    response = ask(client, f"dealId=500&language=en&userId=7&portalId=4242&userEmail={email}&appId=3")
    told = response.get_json()["case"]
    assert response.headers["Cache-Control"] == "no-store"
    assert (told["status"], told["reason"], told["done"], told["all"], told["later"]) == (
        "active", "Price or value", 1, 4, 1,
    )  # fmt: skip
    late, talk = told["next"]
    assert (late["title"], late["overdue"], late["owner"]) == ("late", True, None)
    assert (talk["title"], talk["owner"], talk["overdue"]) == ("Hold the conversation", "Ana Lima", False)
    (link,) = told["links"]
    assert link == {"text": "Conversation form: Hold the conversation", "url": talk["link"]}
    assert link["url"] == runtime.links.address(LinkKind.INTERVIEW, case.id, None, "interview")


def test_the_card_leads_to_pages_of_every_kind(client: Any, runtime: Runtime) -> None:
    case = give_case(runtime)
    with runtime.store.write() as session:
        for kind in LinkKind:
            link_id = runtime.links.link_id(kind, case.id, "900", "team")
            row = LinkRow(id=link_id, account="acme", case_id=case.id, kind=kind.value, contact_id="900",
                          questionnaire="team", language="en", made_at=NOW, closed_at=None)  # fmt: skip
            intake.keep_link(session, row)
    told = ask(client, "dealId=500&language=en&portalId=4242").get_json()["case"]
    assert len(told["links"]) == len(LinkKind) + 1
    assert "Our own form: How do you see it? Your own view, before theirs" in [one["text"] for one in told["links"]]
    with runtime.store.write() as session:
        row = LinkRow(id=runtime.links.link_id(LinkKind.TIMELINE, case.id, "901", ""), account="acme", case_id=case.id,
                      kind="timeline", contact_id="901", questionnaire="", language="fr", made_at=NOW)  # fmt: skip
        intake.keep_link(session, row)
    french = ask(client, "dealId=500&language=fr&portalId=4242").get_json()["case"]["links"]
    assert "Page du client" in [one["text"] for one in french], "without a title nothing follows"


def test_the_card_tells_what_the_customer_said_in_the_readers_language(client: Any, runtime: Runtime) -> None:
    case = give_case(runtime)
    link = LinkRow(id="survey-link", account="acme", case_id=case.id, kind="survey", contact_id="900",
                   questionnaire="exit", language="en", made_at=NOW, closed_at=NOW)  # fmt: skip
    fields = {q.field: q.key for q in runtime.library.questionnaire("exit").questions() if q.field}
    values = {fields["exit_score"]: 4, fields["exit_reason"]: "price"}
    answer = Answer(case_id=case.id, contact_id="900", questionnaire="exit", by="customer", language="en", at=NOW,
                    values=values)  # fmt: skip
    with runtime.store.write() as session:
        intake.keep_link(session, link)
        intake.save_answer(session, link, answer)
    told = ask(client, "dealId=500&language=fr&portalId=4242").get_json()["case"]
    (feedback,) = told["feedback"]
    assert (feedback["by"], feedback["score"], feedback["reason"]) == ("customer", 4, "Prix ou valeur")
    assert [one["url"] for one in told["links"] if "survey" in one["url"]] == []


def test_an_ended_case_has_no_next_steps(client: Any, runtime: Runtime) -> None:
    give_case(runtime, status=CaseStatus.CANCELLED)
    told = ask(client, "dealId=500&portalId=4242").get_json()["case"]
    assert (told["status"], told["next"]) == ("cancelled", [])


def test_a_deal_that_never_ended_has_no_case(client: Any) -> None:
    assert ask(client, "dealId=501&portalId=4242").get_json() == {"case": None, "not_opened": None}


def test_no_account_is_told_of_another_ones_case(client: Any, runtime: Runtime) -> None:
    give_case(runtime, "acme")
    give_case(runtime, "initech")
    # The same app, with the same secret, is installed in globex: its deal 500 is another one.
    assert ask(client, "dealId=500&portalId=7070").get_json() == {"case": None, "not_opened": None}
    # Someone in globex adds a portal to the address; HubSpot adds the true one.
    for query in ("portalId=4242&dealId=500&portalId=7070", "dealId=500&portalId=7070&portalId=4242"):
        refused = ask(client, query)
        assert (refused.status_code, "Secret" in refused.text) == (400, False)
    # Another app's secret proves its own account only.
    assert ask(client, "dealId=500&portalId=4242", secret="its-own-secret").status_code == 401
    assert ask(client, "dealId=500&portalId=9090").status_code == 401
    mine = ask(client, "dealId=500&portalId=9090", secret="its-own-secret").get_json()["case"]
    assert mine["id"] == "case-initech"


@pytest.mark.parametrize(
    "query",
    [
        "dealId=500",
        "portalId=4242",
        "dealId=5x&portalId=4242",
        "dealId=1&dealId=500&portalId=4242",
        "dealId=&portalId=4242",
    ],
)
def test_an_address_without_one_deal_and_one_account_is_refused(client: Any, runtime: Runtime, query: str) -> None:
    give_case(runtime)
    assert ask(client, query).status_code == 400


def test_an_old_or_altered_request_is_refused(client: Any, runtime: Runtime) -> None:
    give_case(runtime)
    assert ask(client, "dealId=500&portalId=4242", at=time.time() - 301).status_code == 401
    stamp = str(int(time.time() * 1000))
    seal = sign_v3("shared-secret", "GET", f"{PUBLIC}/card/hubspot?dealId=1&portalId=4242", b"", stamp)
    headers = {"X-HubSpot-Signature-v3": seal, "X-HubSpot-Request-Timestamp": stamp}
    assert client.get("/card/hubspot?dealId=500&portalId=4242", headers=headers).status_code == 401


def test_a_signature_that_does_not_cover_the_address_proves_no_card(client: Any, runtime: Runtime) -> None:
    give_case(runtime)
    v1 = {"X-HubSpot-Signature": hashlib.sha256(b"shared-secret").hexdigest(), "X-HubSpot-Signature-Version": "v1"}
    assert client.get("/card/hubspot?dealId=500&portalId=4242", headers=v1).status_code == 401
    assert client.get("/card/hubspot?dealId=500&portalId=4242").status_code == 401


@pytest.mark.parametrize("crm", ["salesforce", "unknown"])
def test_a_crm_without_a_card_of_ours_has_no_endpoint(client: Any, crm: str) -> None:
    assert client.get(f"/card/{crm}?dealId=1&portalId=4242").status_code == 404
    assert client.post(f"/card/{crm}/start").status_code == 404


# --- the workflow action --------------------------------------------------------------------------------------------


def test_the_action_puts_the_deal_on_the_agenda_once_and_by_hand(client: Any, runtime: Runtime) -> None:
    for _ in range(3):
        response = run_action(client, action())
        assert (response.status_code, response.get_json()) == (200, {"outputFields": {}})
    assert agenda(runtime) == {("acme", "500"): True}


def test_the_card_says_for_a_week_why_an_asked_case_did_not_begin_in_the_readers_language(
    client: Any, runtime: Runtime
) -> None:
    why = "the deal is not in a not-renewing stage of a watched pipeline"
    with runtime.store.write() as session:
        line = [Event(what="not opened", detail=why)]
        cases.log(session, "acme", line, runtime.clock.now() - timedelta(days=6), deal_id="500")
        cases.log(session, "acme", line, runtime.clock.now() - timedelta(days=8), deal_id="501")

    def told(deal: str, language: str, portal: int = 4242) -> Any:
        return ask(client, f"dealId={deal}&language={language}&portalId={portal}").get_json()["not_opened"]

    assert told("500", "en") == why
    assert told("500", "fr").startswith("la transaction")
    assert told("501", "en") is None
    assert told("500", "en", portal=7070) is None
    give_case(runtime)
    assert told("500", "en") is None, "it has one now"


def test_the_action_counts_for_the_account_that_runs_it(client: Any, runtime: Runtime) -> None:
    assert run_action(client, action(7070)).status_code == 200
    assert run_action(client, action(9090)).status_code == 401
    assert run_action(client, action(9090), secret="its-own-secret").status_code == 200
    assert run_action(client, action(666)).status_code == 401
    assert set(agenda(runtime)) == {("globex", "500"), ("initech", "500")}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"\xff", b"[" * 5000, action(kind="CONTACT"), action() | {"object": None}, action() | {"origin": 4},
        action(deal=0), action() | {"object": {"objectId": True, "objectType": "DEAL"}},
    ],
)  # fmt: skip
def test_an_action_that_cannot_be_read_is_refused(client: Any, runtime: Runtime, body: Any) -> None:
    assert run_action(client, body).status_code == 400
    assert agenda(runtime) == {}


def test_an_action_signed_over_its_body_alone_is_refused(client: Any, runtime: Runtime) -> None:
    assert run_action(client, action(), version="v1").status_code == 401
    assert client.post("/card/hubspot/start", json=action()).status_code == 401
    assert agenda(runtime) == {}
