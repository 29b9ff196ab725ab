"""What gets into a log, and what never does."""

from __future__ import annotations

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import connector.logging
from adapters.errors import Unavailable
from connector.links import LinkSigner
from connector.logging import ALLOWED, set_up

SECRETS = ["jo@example.com", "pat-eu1-4711", "Madame Dupont", "sk_live_9"]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The log as JSON lines."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    config, configured = structlog.get_config(), structlog.is_configured()
    set_up(as_json=True, stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    if configured:
        structlog.configure(**config)


def last(lines: io.StringIO) -> dict[str, object]:
    found: dict[str, object] = json.loads(lines.getvalue().splitlines()[-1])
    return found


def test_a_line_is_json_with_a_utc_time_and_the_values_on_the_list(lines: io.StringIO) -> None:
    structlog.get_logger("connector.receiver").info("webhook taken", account="acme", looks=3)
    line = last(lines)
    assert (line["event"], line["account"], line["looks"], line["level"]) == ("webhook taken", "acme", 3, "info")
    assert line["logger"] == "connector.receiver"
    assert str(line["timestamp"]).endswith("Z")


def test_values_that_are_not_on_the_list_are_left_out_whatever_they_are_called(lines: io.StringIO) -> None:
    structlog.get_logger("x").warning(
        "saved", account="acme", email=SECRETS[0], access_token=SECRETS[1], name=SECRETS[2], body={"a": SECRETS[3]}
    )
    assert last(lines)["left_out"] == ["access_token", "body", "email", "name"]
    assert not any(secret in lines.getvalue() for secret in SECRETS)


def test_bound_values_are_sieved_as_well(lines: io.StringIO) -> None:
    structlog.get_logger("x").bind(contact=SECRETS[0], account="acme").info("saved")
    assert last(lines)["left_out"] == ["contact"]
    assert SECRETS[0] not in lines.getvalue()


def test_an_error_shows_its_type_and_our_place_in_the_code_but_not_its_words(lines: io.StringIO) -> None:
    try:
        LinkSigner("https://x.example", ["k" * 40]).token(SECRETS[0], "x")  # type: ignore[arg-type]
    except KeyError:
        structlog.get_logger("x").exception("failed")
    line = last(lines)
    assert line["error"] == "KeyError"
    assert "connector/links.py" in str(line["where"])
    assert SECRETS[0] not in lines.getvalue()


def test_our_own_errors_are_told_in_full_since_they_never_hold_a_secret(lines: io.StringIO) -> None:
    try:
        raise Unavailable("the CRM did not answer", operation="observe", status=503)
    except Unavailable:
        structlog.get_logger("x").exception("failed")
    assert last(lines)["message"] == "the CRM did not answer, operation observe, status 503"


def test_of_what_libraries_log_only_their_own_words_are_kept(lines: io.StringIO) -> None:
    logging.getLogger("waitress").warning("no route for %s from %s", "/s/token", SECRETS[0])
    assert last(lines)["event"] == "no route for %s from %s"
    try:
        raise RuntimeError(SECRETS[1])
    except RuntimeError:
        logging.getLogger("waitress").exception("failed with %s", SECRETS[0])
    assert last(lines)["error"] == "RuntimeError"
    assert not any(secret in lines.getvalue() for secret in SECRETS)
    assert "/s/token" not in lines.getvalue()


def test_long_values_are_cut(lines: io.StringIO) -> None:
    structlog.get_logger("x").info("saved", reason="x" * 5000)
    assert len(str(last(lines)["reason"])) == 501


def test_on_a_console_the_same_values_are_readable_and_the_same_are_left_out(lines: io.StringIO) -> None:
    stream = io.StringIO()
    set_up(as_json=False, stream=stream)
    structlog.get_logger("x").info("webhook taken", account="acme", email=SECRETS[0])
    assert "webhook taken" in stream.getvalue()
    assert "account=acme" in stream.getvalue()
    assert SECRETS[0] not in stream.getvalue()


def test_an_application_on_another_server_logs_through_the_same_sieve(
    houses: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before, configured = structlog.get_config(), structlog.is_configured()
    structlog.reset_defaults()
    try:
        house = houses()
        house.deliver(b"[", headers={"Quill-Signature": SECRETS[0]})
        assert '"error": "SignatureError"' in caplog.text
        assert SECRETS[0] not in caplog.text
    finally:
        structlog.reset_defaults()
        if configured:
            structlog.configure(**before)


def test_every_value_that_we_log_is_on_the_list() -> None:
    """A name that is forgotten there would be missing from the log just when it is needed."""
    house = Path(connector.logging.__file__).parent.parent
    paths = [path for folder in ("connector", "adapters", "workflows") for path in (house / folder).rglob("*.py")]
    said = {name for path in paths for name in _logged(ast.parse(path.read_text()))}
    assert {"reason", "ms", "failure"} <= said
    assert said <= ALLOWED


def _logged(tree: ast.Module) -> set[str]:
    """Names of what a module logs: keywords of a call of ``log``, and keys of what is given to it as ``**said``."""
    said: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "log":
                said |= {keyword.arg for keyword in node.keywords if keyword.arg} - {"exc_info"}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and _is_said(node.targets[0]):
            said |= {str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)}
    return said


def _is_said(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "said"
