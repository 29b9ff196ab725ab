"""The check-up (P-73): each thing that can be wrong is told in words, with the way to mend it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import workflows
from adapters.results import Finding, Level
from adapters.services import Token
from connector.app import create_app
from connector.bootstrap import Adapters, Runtime, build
from connector.checkup import check_up, is_well
from connector.checkup_address import check_address
from connector.links import LinkSigner
from connector.source import Source
from connector.store import accounts, agenda, cases, intents
from connector.store.tables import IntentState
from sandbox.hubspot import HubSpotSandbox
from sandbox.hubspot.access import ALL_SCOPES
from sandbox.hubspot.hooks import sign_v3
from sandbox.kit import Server
from workflows.cases import Case, CaseStatus, Step, StepStatus
from workflows.rules import LinkKind
from workflows.writes import CreateTask

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
ALIVE = json.dumps({"status": "alive"}).encode()
APP_SECRET = "the-secret-of-the-shared-app"


# --- the account ----------------------------------------------------------------------------------------------------


@pytest.fixture
def portal() -> Iterator[tuple[HubSpotSandbox, str]]:
    sandbox = HubSpotSandbox()
    with Server(sandbox.app) as server:
        yield sandbox, server.url
    sandbox.hooks.stop()


@pytest.fixture
def make(tmp_path: Path, portal: tuple[HubSpotSandbox, str]) -> Iterator[Callable[..., Runtime]]:
    """The parts for settings as an admin would have written them; ``account`` changes the account's."""
    made: list[Runtime] = []

    def make_it(*, account: dict[str, Any] | None = None, **settings: Any) -> Runtime:
        known: dict[str, Any] = {
            "crm": "hubspot",
            "account_id": "4242",
            "api_url": portal[1],
            "access_token": "${TOKEN}",
            "client_secret": "${SECRET}",
            "time_zone": "Europe/Paris",
            "language": "en",
            "calendar": "FR",
            "watch": [{"pipeline": "Renewals", "negotiating": ["Negotiation"], "not_renewing": ["Not renewing"]}],
            "fields": {"contract_end": "contract_end_date", "exit_reason": "exit_reason"},
            "people": {"manager": "camille.roux@acme.example"},
            **(account or {}),
        }
        path = tmp_path / "config.yaml"
        whole = {
            "server": {"listen": "127.0.0.1:0", "public_url": "http://127.0.0.1:8080"},
            "database_url": f"sqlite:///{tmp_path / 'aurevoir.db'}",
            "secret_key": "${KEY}",
            "accounts": {"acme": {key: value for key, value in known.items() if value is not None}},
            **settings,
        }
        path.write_text(yaml.safe_dump(whole))
        environ = {
            "KEY": "kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-check",
            "TOKEN": "pat-eu1-sandbox",
            "SECRET": "abc",
            "APP": APP_SECRET,
        }
        adapters = Adapters()
        source = Source(path, adapters, environ)
        runtime = build(source.load(), adapters=adapters, source=source)
        runtime.store.upgrade(now=runtime.clock.now())
        made.append(runtime)
        return runtime

    yield make_it
    for runtime in made:
        runtime.close()


def found(runtime: Runtime, subject: str) -> list[Finding]:
    return [one.finding for one in check_up(runtime) if one.finding.subject == subject]


def test_an_installation_without_accounts_is_told_where_to_add_one(make: Any) -> None:
    (finding,) = found(make(accounts={}), "configuration")
    assert finding.level is Level.WARNING
    assert "/console/" in finding.remedy


def test_the_address_of_the_example_is_a_fault(make: Any) -> None:
    server = {"listen": "127.0.0.1:0", "public_url": "https://goodbye.example.com"}
    (finding,) = found(make(server=server), "public address")
    assert finding.level is Level.FAULT
    assert "Set server.public_url" in finding.remedy


@pytest.mark.row("P-73")
def test_a_provisioned_account_is_well_and_each_part_says_so(make: Any) -> None:
    runtime = make()
    runtime.accounts["acme"].provision()
    findings = list(check_up(runtime))
    assert [one.finding for one in findings if one.finding.level is Level.FAULT] == []
    assert is_well(findings)
    subjects = {one.finding.subject for one in findings}
    assert {
        "configuration", "database", "files", "playbooks", "public address", "process", "agenda", "playbook",
        "calendar", "switch-on", "token", "account", "clock", "scopes", "names", "polling", "webhooks",
    } <= subjects  # fmt: skip


@pytest.mark.row("P-14")
def test_before_the_switch_on_it_is_said_that_nobody_stands_in_for_owners(make: Any) -> None:
    account = make(account={"people": {}}).accounts["acme"]
    assert any("Nobody active is named to stand in" in note for note in account.provision(dry_run=True).notes)
    account.provision()
    assert not any("stand in" in note for note in account.provision().notes), "from then on the check-up says it"


@pytest.mark.row("P-73")
def test_scopes_that_are_lacking_are_named_with_what_they_are_for(make: Any, portal: Any) -> None:
    sandbox = portal[0]
    few = [scope for scope in ALL_SCOPES if scope not in ("crm.objects.deals.write", "files")]
    sandbox.access.tokens.clear()
    sandbox.access.add_private_app("pat-eu1-sandbox", few)
    fault, warning = found(make(), "scopes")
    assert (fault.level, warning.level) == (Level.FAULT, Level.WARNING)
    assert "crm.objects.deals.write (write on deals)" in fault.text
    assert "files (attach documents)" in warning.text
    assert "add them to the app" in fault.remedy


@pytest.mark.row("P-73")
@pytest.mark.parametrize(("minutes", "level"), [(0, Level.OK), (2, Level.WARNING), (30, Level.FAULT)])
def test_a_clock_that_is_off_is_told_by_how_much(make: Any, portal: Any, minutes: int, level: Level) -> None:
    portal[0].clock.advance(timedelta(minutes=minutes))
    (clock,) = found(make(), "clock")
    assert clock.level is level
    if minutes:
        assert "behind HubSpot's" in clock.text
        assert "NTP" in clock.remedy


@pytest.mark.row("P-73")
def test_webhooks_that_stopped_coming_are_told_beside_what_polling_found(make: Any) -> None:
    runtime = make()
    runtime.accounts["acme"].provision()
    now = runtime.clock.now()
    (none,) = found(runtime, "webhooks")
    assert "none has come yet" in none.text
    with runtime.store.write() as session:
        accounts.change(session, "acme", started_at=now - timedelta(days=9), pushed_at=now - timedelta(days=2))
        cases.save(session, case(entered_at=now - timedelta(hours=3)))
    (missed,) = found(runtime, "webhooks")
    assert missed.level is Level.WARNING
    assert "polling found it later" in missed.text
    assert "/webhooks/hubspot" in missed.remedy
    with runtime.store.write() as session:
        accounts.change(session, "acme", pushed_at=now - timedelta(hours=3, minutes=-1))
    (well,) = found(runtime, "webhooks")
    assert well.level is Level.OK


def case(**changes: Any) -> Case:
    base = Case(
        id="c1", account="acme", deal_id="902", status=CaseStatus.ACTIVE, playbook="saas", playbook_version="1",
        language="en", stage_id="1004", entered_at=NOW, opened_at=NOW,
    )  # fmt: skip
    return base.model_copy(update=changes)


@pytest.mark.row("P-73")
def test_open_tasks_with_links_under_a_former_address_are_counted(make: Any) -> None:
    runtime = make()
    former = LinkSigner("https://former.acme.test", runtime.settings.secrets)
    open_step = Step(key="thanks", rule="thanks", status=StepStatus.OPEN, task_id="t1")
    done = Step(key="call", rule="call", status=StepStatus.DONE, task_id="t2")
    now = runtime.clock.now()
    with runtime.store.write() as session:
        cases.save(session, case(steps=(open_step, done), status=CaseStatus.COMPLETED))  # some steps outlast the case
        for step in (open_step, done):
            link = former.address(LinkKind.SURVEY, "c1", step.key, "exit")
            body = f"Please send {link}. Their site is https://northwind.example/s/{'a' * 52}."
            task = CreateTask(
                key=f"c1:{step.key}", deal_id="902", subject="Send it", body=body, due_at=now, owner_id="1"
            )
            intents.plan(session, "acme", "c1", [task], now)
            intents.ended(session, "acme", task.key, IntentState.DONE, now, record_id=step.task_id)
    (told,) = found(runtime, "links")
    assert told.level is Level.WARNING
    assert "under the former address https://former.acme.test: 1." in told.text


@pytest.mark.row("P-73")
def test_an_account_of_the_browser_is_asked_for_its_connection_and_for_how_old_it_is(make: Any) -> None:
    shared = {"hubspot": {"client_id": "app-1", "client_secret": "${APP}"}}
    runtime = make(account={"access_token": None, "client_secret": None}, oauth=shared)
    (missing,) = found(runtime, "token")[:1]
    assert missing.level is Level.FAULT
    assert missing.remedy == "aurevoir connect acme"
    runtime.accounts["acme"].services.tokens.save(Token({"access_token": "a", "refresh_token": "b"}))
    assert found(runtime, "token")[0].level is Level.OK
    with runtime.store.write() as session:
        row = accounts.token(session, "acme")
        assert row is not None
        row.saved_at = runtime.clock.now() - timedelta(days=5)
    (old,) = found(runtime, "token")[:1]
    assert old.level is Level.WARNING
    assert "30 days" in old.text


@pytest.mark.row("P-73")
def test_deliveries_for_accounts_of_the_browser_are_proven_by_the_shared_apps_secret(make: Any) -> None:
    shared = {"hubspot": {"client_id": "app-1", "client_secret": "${APP}"}}
    runtime = make(account={"access_token": None, "client_secret": None}, oauth=shared)
    body = json.dumps(
        [
            {
                "eventId": 1, "subscriptionId": 25, "portalId": 4242, "appId": 1, "attemptNumber": 0,
                "occurredAt": int(runtime.clock.now().timestamp() * 1000), "objectId": 902, "objectTypeId": "0-3",
                "subscriptionType": "object.propertyChange", "propertyName": "dealstage", "propertyValue": "1004",
            }
        ]
    ).encode()  # fmt: skip
    stamp = str(int(runtime.clock.now().timestamp() * 1000))
    address = "http://127.0.0.1:8080/webhooks/hubspot"  # as the settings name it
    with Server(create_app(runtime)) as server:

        def deliver(secret: str) -> int:
            headers = {
                "Content-Type": "application/json",
                "X-HubSpot-Signature-v3": sign_v3(secret, "POST", address, body, stamp),
                "X-HubSpot-Request-Timestamp": stamp,
            }
            return requests.post(f"{server.url}/webhooks/hubspot", data=body, headers=headers, timeout=5).status_code

        assert deliver(APP_SECRET) == 200
        assert deliver("another-secret") == 401
    with runtime.store.read() as session:
        due = agenda.due(session, "acme", runtime.clock.now() + timedelta(days=1), 10)
        assert [row.deal_id for row in due] == ["902"]


@pytest.mark.row("P-73")
def test_settings_that_others_may_read_are_a_fault_with_the_cure(make: Any, tmp_path: Path) -> None:
    runtime = make(secret_key="kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-literal")
    path = tmp_path / "config.yaml"
    path.chmod(0o644)
    (files,) = found(runtime, "files")
    assert files.level is Level.FAULT
    assert f"chmod 600 {path}" in files.remedy
    path.chmod(0o600)
    assert found(runtime, "files")[0].level is Level.OK


@pytest.mark.row("P-73")
def test_an_account_that_fell_silent_is_told(make: Any) -> None:
    runtime = make()
    runtime.accounts["acme"].provision()
    with runtime.store.write() as session:
        long_ago = runtime.clock.now() - timedelta(days=2)
        accounts.change(session, "acme", started_at=long_ago, worked_at=long_ago)
    (silent,) = found(runtime, "work")
    assert silent.level is Level.WARNING
    assert "nothing was done for this account since" in silent.text


@pytest.mark.row("P-27", "P-73")
def test_a_questionnaire_of_ones_own_that_blames_is_noted_with_where_to_see_better_words(
    make: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "surveys"
    folder.mkdir()
    ours = (Path(workflows.__file__).parent / "surveys/exit.yaml").read_text(encoding="utf-8")
    (folder / "exit.yaml").write_text(ours, encoding="utf-8")
    assert [one.level for one in found(make(surveys_dir=str(folder)), "playbooks")] == [Level.OK]
    blaming = ours.replace("Thank you for the time we worked together.", "You should have told us earlier.")
    (folder / "exit.yaml").write_text(blaming, encoding="utf-8")
    (note,) = found(make(surveys_dir=str(folder)), "playbooks")
    assert note.level is Level.WARNING
    assert "intro.en" in note.text
    assert "aurevoir playbook lint" in note.remedy


# --- the public address ---------------------------------------------------------------------------------------------


def certificate(folder: Path, *, days: int, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """A certificate for this machine that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    secret.write_bytes(encoded)
    return cert, secret


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Callable[..., tuple[str, ssl.SSLContext]]]:
    """A server that answers as told; gives its address, and a context that trusts its certificate."""
    servers: list[HTTPServer] = []

    def start(
        status: int = 200, body: bytes = ALIVE, *, days: int | None = 60, name: str = "127.0.0.1"
    ) -> tuple[str, ssl.SSLContext]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/healthz" else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        context = ssl.create_default_context()
        if days is not None:
            cert, key = certificate(tmp_path, days=days, name=name)
            speaks = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            speaks.load_cert_chain(cert, key)
            server.socket = speaks.wrap_socket(server.socket, server_side=True)
            context = ssl.create_default_context(cafile=str(cert))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http{'s' if days is not None else ''}://127.0.0.1:{server.server_port}", context

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def looked(address: tuple[str, ssl.SSLContext]) -> dict[str, Finding]:
    url, context = address
    return {one.subject: one for one in check_address(url, datetime.now(UTC), context)}


@pytest.mark.row("P-73")
def test_an_address_that_leads_here_says_how_long_its_certificate_is_good(answering: Any) -> None:
    told = looked(answering(days=60))
    assert told["public address"].level is Level.OK
    assert (told["certificate"].level, told["certificate"].text) == (Level.OK, "good for 59 more days")


@pytest.mark.row("P-73")
def test_a_certificate_that_ends_soon_is_noted_and_one_that_has_ended_is_a_fault(answering: Any) -> None:
    soon = looked(answering(days=5))["certificate"]
    assert soon.level is Level.WARNING
    assert "in 4 days" in soon.text
    ended = looked(answering(days=-1))["certificate"]
    assert ended.level is Level.FAULT
    assert "expired" in ended.text


@pytest.mark.row("P-73")
def test_a_certificate_that_nobody_trusts_or_for_another_name_is_a_fault(answering: Any) -> None:
    url, _ = answering()
    stranger = looked((url, ssl.create_default_context()))["certificate"]
    assert stranger.level is Level.FAULT
    other = looked(answering(name="127.0.0.2"))["certificate"]
    assert other.level is Level.FAULT


@pytest.mark.row("P-73")
def test_another_server_behind_the_address_is_a_fault_and_one_that_is_down_a_note(answering: Any) -> None:
    other = looked(answering(200, b"<html>Welcome to nginx</html>"))["public address"]
    assert other.level is Level.FAULT
    assert "public_url" in other.remedy
    down = looked(answering(502, b"Bad gateway"))["public address"]
    assert down.level is Level.WARNING
    assert "aurevoir serve" in down.remedy


@pytest.mark.row("P-73")
def test_an_address_without_encryption_is_a_fault_and_one_without_an_answer_a_note(answering: Any) -> None:
    plain = looked(answering(days=None))
    assert plain["public address"].level is Level.OK
    assert plain["certificate"].level is Level.FAULT
    url, context = answering()
    nothing = looked((url.rpartition(":")[0] + ":1", context))["public address"]
    assert nothing.level is Level.WARNING
    assert "nothing listens there" in nothing.text
