"""The command as an admin and a script meet it: words, exit codes and JSON, against a look-alike CRM over HTTP."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.cli import main
from sandbox.hubspot import HubSpotSandbox
from sandbox.kit import Server

COMMANDS = [
    ("init",),
    ("check",),
    ("provision",),
    ("serve",),
    ("web",),
    ("worker",),
    ("connect",),
    ("rotate-keys",),
    ("app",),
    ("figures",),
    ("wishes", "list"),
    ("wishes", "add"),
    ("wishes", "deliver"),
    ("admin", "add"),
    ("admin", "list"),
    ("admin", "remove"),
    ("admin", "reset"),
    ("playbook", "lint"),
    ("playbook", "show"),
    ("playbook", "diff"),
    ("poll",),
    ("preview",),
    ("rehearse",),
    ("sandbox",),
    ("db", "upgrade"),
    ("cases", "list"),
    ("cases", "show"),
    ("cases", "log"),
    ("cases", "pause"),
    ("cases", "resume"),
    ("cases", "cancel"),
    ("cases", "retry"),
    ("cases", "leave"),
    ("cases", "failed"),
    ("cases", "start"),
    ("erase",),
    ("export",),
    ("import",),
    ("uninstall",),
    ("accounts", "list"),
    ("accounts", "pause"),
    ("accounts", "resume"),
    ("playbook", "pause"),
    ("playbook", "resume"),
    ("config-schema",),
    ("connect",),
    ("rotate-keys",),
]
LOST_DEAL = "902"


@dataclass
class Ran:
    """What a run of the command left."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run_it(*args: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(args)
        told = capsys.readouterr()
        return Ran(int(ended.value.code or 0), told.out, told.err)

    return run_it


@pytest.fixture
def portal() -> Iterator[tuple[HubSpotSandbox, str]]:
    sandbox = HubSpotSandbox()
    with Server(sandbox.app) as server:
        yield sandbox, server.url
    sandbox.hooks.stop()


@pytest.fixture
def set_up(run: Run, tmp_path: Path, portal: tuple[HubSpotSandbox, str]) -> Callable[..., None]:
    """Does what an admin does after `init`: fills in the secrets, and says which CRM, pipeline and stages."""

    def set_it_up(**changes: Any) -> None:
        run("init", "--crm", "hubspot")
        env = (tmp_path / "aurevoir.env").read_text()
        env = env.replace("ACCESS_TOKEN=", "ACCESS_TOKEN=pat-eu1-sandbox").replace(
            "CLIENT_SECRET=", "CLIENT_SECRET=abc"
        )
        (tmp_path / "aurevoir.env").write_text(env)
        config = yaml.safe_load((tmp_path / "config.yaml").read_text())
        account = config["accounts"]["acme"]
        account |= {"api_url": portal[1], "account_id": "4242", "language": "en"}
        watch = {
            "pipeline": "Renewals",
            "negotiating": "Negotiation",
            "not_renewing": "Not renewing",
            "settle_for": "0s",
        }
        account["watch"] = [watch]
        account["fields"] = {"contract_end": "contract_end_date", "exit_reason": "exit_reason"}
        config["server"]["public_url"] = "http://127.0.0.1:8080"
        account |= changes
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))

    return set_it_up


def _lose(sandbox: HubSpotSandbox, url: str, deal_id: str = LOST_DEAL) -> None:
    body = json.dumps({"stage": "Not renewing"}).encode()
    asked = urllib.request.Request(
        f"{url}/sandbox/deals/{deal_id}/stage", data=body, headers={"Content-Type": "application/json"}
    )
    urllib.request.urlopen(asked, timeout=5).close()
    sandbox.clock.advance(timedelta(minutes=1))  # past the lag of the CRM's search


# --- help and wrong use ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [(), *COMMANDS], ids=" ".join)
def test_help_exists_and_fits_a_screen(run: Run, command: Sequence[str]) -> None:
    ran = run(*command, "--help")
    lines = ran.out.splitlines()
    assert ran.code == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "…" not in ran.out
    assert "..." not in re.sub(r"\[?\[[A-Z]+\]\]?\.\.\.", "", ran.out)


def test_help_loads_nothing_heavy() -> None:
    heavy = ("sqlalchemy", "pydantic", "hubspot", "simple_salesforce", "flask", "holidays", "alembic", "yaml")
    code = f"import sys, connector.cli; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_server_loads_what_is_seldom_due_only_when_it_is_due(tmp_path: Path) -> None:
    heavy = ("alembic", "rich", "hubspot", "simple_salesforce", "zeep", "holidays.countries", "procrastinate")
    code = f"""
import sys
from connector.cli import _start_quickly
_start_quickly()
import connector.serve
from connector.bootstrap import Adapters
from connector.store import Store
from connector.values import Calendar
from pydantic import TypeAdapter
[adapter.settings_model for adapter in Adapters().values()]
TypeAdapter(Calendar).validate_python("FR")
Store("sqlite:///{tmp_path / "new.db"}").schema_version()
print([name for name in {heavy} if name in sys.modules])
import rich"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("check", "--nonsense"),
        ("preview",),
        ("sandbox", "nonsense"),
        ("init", "--crm", "nonsense"),
        ("cases", "nonsense"),
        ("check",),
        ("check", "--config", "missing.yaml"),
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_two_and_says_why(run: Run, args: Sequence[str]) -> None:
    ran = run(*args)
    assert ran.code == 2
    assert ran.out == ""
    assert "nonsense" in ran.err or "Missing option" in ran.err or "aurevoir init" in ran.err


# --- init -----------------------------------------------------------------------------------------------------------


def test_init_writes_a_commented_configuration_and_a_private_file_of_secrets(run: Run, tmp_path: Path) -> None:
    ran = run("init", "--crm", "salesforce")
    assert ran.code == 0
    assert "SALESFORCE_CLIENT_SECRET" in ran.out
    assert set(yaml.safe_load((tmp_path / "config.yaml").read_text())["accounts"]) == {"acme"}
    env_file = tmp_path / "aurevoir.env"
    assert env_file.stat().st_mode & 0o777 == 0o600
    secret = re.search(r"AUREVOIR_SECRET_KEY=(\S+)", env_file.read_text())
    assert secret is not None
    assert len(secret[1]) >= 32
    assert secret[1] not in ran.out


def test_init_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine")
    ran = run("init")
    assert ran.code == 2
    assert "exists already" in ran.err
    assert (tmp_path / "config.yaml").read_text() == "mine"
    assert not (tmp_path / "aurevoir.env").exists()


def test_after_init_the_faults_say_what_is_still_to_be_filled_in(run: Run) -> None:
    run("init", "--crm", "hubspot")
    ran = run("check")
    assert ran.code == 2
    assert "accounts.acme.access_token = ${HUBSPOT_ACCESS_TOKEN}" in ran.err
    assert "Set HUBSPOT_ACCESS_TOKEN in the environment, or in aurevoir.env beside this file" in ran.err


def test_a_file_of_secrets_that_others_may_read_is_refused(run: Run, tmp_path: Path) -> None:
    run("init", "--crm", "hubspot")
    (tmp_path / "aurevoir.env").chmod(0o644)
    ran = run("check")
    assert ran.code == 2
    assert "chmod 600" in ran.err


def test_the_environment_wins_over_the_file_of_secrets(
    run: Run, set_up: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up()
    monkeypatch.setenv("AUREVOIR_SECRET_KEY", "short")
    ran = run("check")
    assert ran.code == 2
    assert "at least 32" in ran.err
    assert "short" not in ran.err


def test_the_configuration_may_be_named_in_three_ways(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for args in (
        ("check", "--config", "a.yaml"),
        ("--config", "a.yaml", "check"),
        ("cases", "list", "--config", "a.yaml"),
    ):
        assert "a.yaml" in run(*args).err
    monkeypatch.setenv("AUREVOIR_CONFIG", "b.yaml")
    assert "b.yaml" in run("check").err


# --- against a CRM --------------------------------------------------------------------------------------------------


def test_an_admin_gets_from_nothing_to_a_case_and_out_again(
    run: Run, set_up: Callable[..., None], portal: tuple[HubSpotSandbox, str], tmp_path: Path
) -> None:
    set_up()
    before = run("check", "--json")
    assert before.code == 1
    assert any(one["subject"] == "switch-on" and one["level"] == "fault" for one in before.json()["findings"])
    assert (tmp_path / "aurevoir.db").stat().st_mode & 0o077 == 0

    tried = run("provision", "--dry-run", "--json")
    assert "deals.aurevoir_status" in tried.json()["acme"]["created"]
    told = run("provision", "--dry-run").out
    assert "(aurevoir_status)" in told.partition("\n    deals\n")[2].partition("\n    companies\n")[0]
    assert "Exit score (0-10)" in " ".join(told.split())
    assert max(map(len, told.splitlines())) <= 160, "wrapped, also where a file has no width"
    assert run("poll").code == 1
    assert run("provision").code == 0
    assert run("provision", "--json").json()["acme"]["created"] == []

    after = run("check", "--json")
    assert after.code == 0, after.out
    assert after.json()["well"] is True

    _lose(*portal)
    polled = run("poll", "--account", "acme", "--once", "--json")
    assert polled.code == 0
    assert polled.json() == [{"account": "acme", "deals": 1, "handed_over": False, "trouble": None}]
    (case,) = run("cases", "list", "--open", "--json").json()
    assert case["deal_id"] == LOST_DEAL
    assert case["status"] == "active"
    assert case["id"][:8] in run("cases").out
    shown = run("cases", "show", case["id"][:6], "--json").json()
    assert "plan started" in [event["what"] for event in shown["events"]]
    assert "plan started" in run("cases", "show", case["id"]).out

    assert run("cases", "pause", case["id"]).code == 0
    again = run("cases", "pause", case["id"])
    assert (again.code, "nothing to pause" in again.err) == (2, True)
    assert run("cases", "resume", case["id"]).code == 0
    assert "nothing to try again" in run("cases", "retry", case["id"]).err

    assert run("cases", "cancel", case["id"]).code == 0
    assert run("cases", "list", "--open", "--json").json() == []
    tasks = [task["properties"] for task in portal[0].dump()["tasks"]]
    mine = [task for task in tasks if task.get("aurevoir_key", "").startswith(case["id"])]
    assert mine
    assert {task["hs_task_status"] for task in mine} == {"COMPLETED"}
    assert run("poll").code == 0
    assert run("cases", "list", "--open", "--json").json() == []


def test_a_preview_shows_the_plan_and_writes_nothing(
    run: Run, set_up: Callable[..., None], portal: tuple[HubSpotSandbox, str]
) -> None:
    set_up()
    written_before = portal[0].dump()
    ran = run("preview", "--account", "acme", "--deal", LOST_DEAL, "--json")
    assert ran.code == 0
    seen = ran.json()
    assert seen["contract_end"]
    assert seen["not_now"].endswith("not in a not-renewing stage of a watched pipeline"), "plain words, and no more"
    assert len(seen["steps"]) >= 15
    assert all(step["owner_name"] for step in seen["steps"])
    told = run("preview", "--account", "acme", "--deal", LOST_DEAL).out
    assert "Nothing was written" in told
    until = told.partition("the contract ends")[0]
    days = re.findall(r"^\S[^\n]{5,30}?  ~?(\d{4}-\d\d-\d\d)", until, re.M)
    assert days == sorted(days), told
    assert len(days) >= 5
    assert portal[0].dump() == written_before
    assert run("cases", "list", "--json").json() == []


def test_a_preview_of_a_deal_that_is_not_there_says_so(run: Run, set_up: Callable[..., None]) -> None:
    set_up()
    ran = run("preview", "--account", "acme", "--deal", "404404")
    assert ran.code == 1
    assert "404404" in ran.err
    other = run("preview", "--account", "acne", "--deal", "1")
    assert (other.code, "known: acme" in other.err) == (2, True)


def test_a_check_names_what_the_settings_got_wrong_and_what_there_is(run: Run, set_up: Callable[..., None]) -> None:
    set_up(watch=[{"pipeline": "Renewal", "not_renewing": "Lost"}])
    ran = run("check", "--json")
    assert ran.code == 1
    (finding,) = [one for one in ran.json()["findings"] if one["subject"] == "accounts.acme.watch[0].pipeline"]
    assert "There are: Renewals (renewals)" in finding["text"]


def test_a_check_tells_a_refused_token_without_showing_it(
    run: Run, set_up: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSPOT_ACCESS_TOKEN", "pat-eu1-nobody-knows-this")
    set_up()
    ran = run("check")
    assert ran.code == 1
    assert "MEND" in ran.out
    assert "nobody-knows-this" not in ran.out + ran.err


def test_a_database_is_brought_up_to_date_once(run: Run, set_up: Callable[..., None]) -> None:
    set_up()
    assert "Upgraded from nothing" in run("db", "upgrade").out
    assert "up to date" in run("db", "upgrade").out


def test_a_database_that_cannot_be_used_is_told_in_words(run: Run, set_up: Callable[..., None], tmp_path: Path) -> None:
    set_up()
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["database_url"] = "sqlite:////nowhere/at/all.db"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    ran = run("cases", "list")
    assert ran.code == 1
    assert "/nowhere/at/all.db cannot be used" in ran.err


# --- serve ----------------------------------------------------------------------------------------------------------


def test_serve_listens_refuses_a_second_and_stops_cleanly(
    run: Run, set_up: Callable[..., None], tmp_path: Path
) -> None:
    set_up()
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["server"]["listen"] = "127.0.0.1:0"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert run("provision").code == 0
    command = [sys.executable, "-m", "connector.cli", "serve"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stderr is not None
            line = json.loads(serving.stderr.readline())
            assert line["event"] == "listening"
            with urllib.request.urlopen(f"http://{line['listen']}/healthz", timeout=5) as answer:
                assert answer.status == 200
            polled = run("poll", "--json")
            assert polled.json()[0]["handed_over"] is True
            second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert second.returncode == 1
            assert "another `aurevoir serve`" in second.stderr
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(10) == 0
        finally:
            serving.kill()


WRONG = [{"pipeline": "Renewal", "not_renewing": "Lost"}]
NOBODY = {"neutral_pool": ["nadja.benali@acme.example"]}


def test_nothing_is_created_or_switched_on_while_a_name_is_wrong(
    run: Run, set_up: Callable[..., None], portal: tuple[HubSpotSandbox, str]
) -> None:
    set_up(watch=WRONG, people=NOBODY)
    ran = run("provision")
    assert ran.code == 2
    assert "There are: Renewals (renewals)" in ran.err.replace("\n", " ").replace("  ", " ")
    assert "nadia.benali@acme.example" in ran.err
    assert "aurevoir_status" not in json.dumps(portal[0].dump())
    polled = run("poll")
    assert (polled.code, "acme: acme is not switched on: run `aurevoir provision" in polled.out) == (1, True)
    saved = run("db", "backup", "copy.db")
    assert (saved.code, "a copy of" in saved.out) == (0, True)
    assert run("db", "backup", "copy.db").code == 2, "a copy is never written over"


def test_serve_starts_nothing_while_a_name_is_wrong_and_tells_all_of_them(
    run: Run, set_up: Callable[..., None], tmp_path: Path
) -> None:
    set_up()
    assert run("provision").code == 0
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["accounts"]["acme"] |= {"watch": WRONG, "people": NOBODY}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    ran = run("serve")
    assert ran.code == 2
    assert "2 faults" in ran.err
    assert "Did you mean Renewals?" in ran.err
    assert "listening" not in ran.err


def test_a_crm_that_is_away_does_not_keep_serve_from_starting(
    run: Run, set_up: Callable[..., None], tmp_path: Path, portal: tuple[HubSpotSandbox, str]
) -> None:
    set_up()
    assert run("provision").code == 0
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["accounts"]["acme"] |= {"watch": WRONG, "api_url": "http://127.0.0.1:9"}  # nobody can say it is wrong now
    config["server"]["listen"] = "127.0.0.1:0"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "connector.cli", "serve"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stderr is not None
            assert any('"listening"' in line for line in serving.stderr)
        finally:
            serving.kill()


@pytest.mark.parametrize("command", ["web", "worker"])
def test_web_and_worker_ask_for_postgresql_and_name_the_other_way(
    run: Run, set_up: Callable[..., None], tmp_path: Path, command: str
) -> None:
    set_up()
    ran = run(command)
    assert ran.code == 2
    assert "database_url" in ran.err
    assert "PostgreSQL" in ran.err
    assert "aurevoir serve" in ran.err
    assert list(tmp_path.glob("*.db*")) == [], "nothing was made"


def test_on_postgresql_an_admin_upgrades_first_and_everything_that_stays_says_so(
    run: Run, set_up: Callable[..., None], tmp_path: Path, postgres_database: str
) -> None:
    set_up()
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["database_url"] = postgres_database
    config["server"]["listen"] = "127.0.0.1:0"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    for command in ("serve", "web", "worker"):
        refused = run(command)
        assert (refused.code, "aurevoir db upgrade" in refused.err) == (2, True), command
    upgraded = run("db", "upgrade")
    assert "Upgraded from nothing" in upgraded.out
    assert "queue of work" in upgraded.out
    again = run("db", "upgrade")
    assert "up to date" in again.out
    assert "queue of work" not in again.out
    command_line = [sys.executable, "-m", "connector.cli", "serve"]
    with subprocess.Popen(command_line, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stderr is not None
            assert json.loads(serving.stderr.readline())["event"] == "listening"
            assert run("worker").code == 1, "serve does all the work alone"
            assert "stop" in run("db", "upgrade").err
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(20) == 0
        finally:
            serving.kill()


def test_an_address_that_is_taken_is_told_in_words(
    run: Run, set_up: Callable[..., None], portal: tuple[HubSpotSandbox, str], tmp_path: Path
) -> None:
    set_up()
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["server"]["listen"] = portal[1].removeprefix("http://")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    ran = subprocess.run(
        [sys.executable, "-m", "connector.cli", "serve"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "cannot listen on" in ran.stderr
    assert "server.listen" in ran.stderr


# --- access ---------------------------------------------------------------------------------------------------------


def in_browser(tmp_path: Path) -> None:
    """The account has no token: it is to be connected with the shared app."""
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    del config["accounts"]["acme"]["access_token"], config["accounts"]["acme"]["client_secret"]
    config["oauth"] = {"hubspot": {"client_id": "sandbox-client-id", "client_secret": "sandbox-client-secret"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))


def test_connect_prints_one_address_for_the_browser(run: Run, set_up: Callable[..., None], tmp_path: Path) -> None:
    set_up()
    in_browser(tmp_path)
    told = run("connect", "acme")
    assert told.code == 0
    [line] = [line for line in told.out.splitlines() if line.startswith("http")]
    assert line.startswith("http://127.0.0.1:8080/oauth/hubspot/install?account=acme&key=")
    ran = run("connect", "acme", "--json")
    assert set(ran.json()) == {"account", "address", "valid_until"}


def test_connect_says_when_there_is_nothing_to_connect(run: Run, set_up: Callable[..., None]) -> None:
    set_up()
    ran = run("connect", "acme")
    assert ran.code == 2
    assert "credentials of config.yaml" in ran.err
    assert run("connect", "nobody").code == 2


def test_check_of_an_account_that_was_never_connected_names_the_cure(
    run: Run, set_up: Callable[..., None], tmp_path: Path
) -> None:
    set_up()
    in_browser(tmp_path)
    ran = run("check")
    assert ran.code == 1
    assert "aurevoir connect acme" in ran.out


def test_rotate_keys_without_tokens_is_done_at_once(run: Run, set_up: Callable[..., None]) -> None:
    set_up()
    ran = run("rotate-keys")
    assert (ran.code, "0 sealed anew" in ran.out) == (0, True)
    assert run("rotate-keys", "--json").json() == {"sealed_anew": [], "current": [], "failed": {}}


# --- admins of the console ------------------------------------------------------------------------------------------


def test_an_installation_begins_in_the_browser_without_an_account_or_a_password(run: Run, tmp_path: Path) -> None:
    first = run("init", "--in-browser")
    assert first.code == 0
    assert "aurevoir admin add you@example.com" in first.out
    assert "accounts: {}" in (tmp_path / "config.yaml").read_text()
    assert "Nobody yet" in run("admin", "list").out
    added = run("admin", "add", "me@example.com", "--link")
    assert added.code == 0
    assert "https://goodbye.example.com/console/welcome/" in added.out
    assert "no password yet" in run("admin", "list").out
    again = run("admin", "add", "ME@example.com", "--link")
    assert (again.code, "is an admin already" in again.err) == (2, True)
    assert run("admin", "add", "nonsense", "--link").code == 2
    other = run("admin", "reset", "me@example.com", "--link").out
    assert other != added.out
    assert run("admin", "remove", "me@example.com").code == 0
    assert run("admin", "remove", "me@example.com").code == 2
