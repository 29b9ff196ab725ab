"""``aurevoir app``: what an admin runs to get the app for their CRM."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from connector.cli import main
from sandbox.kit import Server
from sandbox.salesforce import SalesforceSandbox

PUBLIC = "https://goodbye.acme.com"
SECRET = "Zm9yLW91dGJvdW5kLW1lc3NhZ2Vz"
USER = "user=aurevoir@acme.com"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run_it(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(("app", *args))
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run_it


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Server]:
    """An organisation, and settings that name two of its stages by label."""
    sandbox = SalesforceSandbox()
    with Server(sandbox.app) as server:
        config = f"""
            server: {{public_url: "{PUBLIC}"}}
            secret_key: k3y-of-the-test-7Qw9Zx1Lm4Rt8Vb2Ns6
            accounts:
              globex:
                crm: salesforce
                account_id: "{sandbox.world.org_id}"
                login_url: "{server.url}"
                client_id: "{sandbox.client.id}"
                client_secret: "{sandbox.client.secret}"
                webhook_secret: {SECRET}
                calendar: FR
                watch: [{{negotiating: Negotiation/Review, not_renewing: Closed Lost}}]
        """
        (tmp_path / "config.yaml").write_text(config)
        yield server


def unzipped(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name).decode() for name in zipped.namelist()}


def test_the_hubspot_app_needs_nothing_but_the_address(run: Run, tmp_path: Path) -> None:
    code, out, err = run("hubspot", "--public-url", PUBLIC, "--set", "support_email=help@acme.com", "--out", "there")
    assert (code, err) == (0, "")
    assert "there/aurevoir-hubspot.zip" in out
    files = unzipped(tmp_path / "there/aurevoir-hubspot.zip")
    assert PUBLIC in files["aurevoir-hubspot/src/app/webhooks/webhooks-hsmeta.json"]


def test_the_salesforce_app_of_an_account_tells_of_the_stages_that_it_watches(
    run: Run, org: Server, tmp_path: Path
) -> None:
    code, out, _ = run("salesforce", "--org", "globex", "--set", USER, "--json")
    assert code == 0
    main_zip, login_zip, *source = json.loads(out)
    files = unzipped(tmp_path / main_zip)
    assert f"{PUBLIC}/webhooks/salesforce/{SECRET}" in files["workflows/Opportunity.workflow"]
    moved = files["flows/Aurevoir_Stage_Moved.flow"]
    assert moved.count("<stringValue>Closed Lost</stringValue>") == 2
    assert moved.count("<stringValue>Negotiation/Review</stringValue>") == 2
    assert "extlClntAppGlobalOauthSets/Aurevoir_global.ecaGlblOauth" in unzipped(tmp_path / login_zip)
    assert any(path.endswith("sfdx-project.json") for path in source)


def test_an_org_that_cannot_be_asked_yet_gets_an_app_that_tells_every_change(
    run: Run, org: Server, tmp_path: Path
) -> None:
    org.stop()
    code, _, err = run("salesforce", "--account", "globex", "--set", USER)
    assert (code, "every change of stage will be told" in err) == (0, True)
    assert "Closed Lost" not in unzipped(tmp_path / "app/aurevoir-salesforce.zip")["flows/Aurevoir_Stage_Moved.flow"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("zoho",), "known: hubspot, salesforce"),
        (("hubspot", "--public-url", "http://goodbye.acme.com"), "public_url"),
        (("hubspot", "--public-url", PUBLIC), "support_email"),
        (("hubspot", "--public-url", PUBLIC, "--set", "colour"), "key=value"),
        (("salesforce", "--public-url", PUBLIC, "--set", USER), "account"),
        (("salesforce", "--org", "nobody"), "known: globex"),
        (("hubspot", "--account", "globex"), "is an account of salesforce"),
    ],
)
def test_wrong_use_is_told_with_its_cure_and_writes_nothing(
    run: Run, org: Server, tmp_path: Path, args: tuple[str, ...], words: str
) -> None:
    code, out, err = run(*args)
    assert (code, words in out + err) == (2, True)
    assert not (tmp_path / "app").exists()


def test_the_help_lists_what_else_may_be_said(run: Run) -> None:
    code, out, _ = run("salesforce", "--set", "help")
    assert (code, "user" in out, "push" in out) == (0, True, True)
    code, out, _ = run("--help")
    assert (code, len(out.splitlines()) <= 24) == (0, True)
