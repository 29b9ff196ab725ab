"""The documents are held to the code: what they tell people to type, set, read or click on is there."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from prometheus_client import Counter
from pydantic import BaseModel

import connector.metrics
from adapters import errors
from adapters.hubspot.oauth import SCOPES
from adapters.port import Adapter, Crm
from adapters.results import Capabilities
from adapters.services import FieldMap, Services
from connector.account_settings import AccountConfig, PeopleConfig, WatchConfig
from connector.bootstrap import Adapters
from connector.cli import app
from connector.config import environment, load
from connector.field_settings import FieldsConfig
from connector.init import write_first_config
from connector.settings import OAuthConfig, ServerConfig, Settings
from workflows.fields import FIELDS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("adapters/*/README.md")], key=str)
NOT_YET_THERE = "acme"  # the CRM that CONTRIBUTING adds
PARTS: Mapping[str, type[BaseModel]] = {
    "server": ServerConfig,
    "watch[]": WatchConfig,
    "fields": FieldsConfig,
    "people": PeopleConfig,
    "oauth": OAuthConfig,
}


@cache
def text_of(path: Path) -> str:
    return path.read_text("utf-8")


def page(name: str) -> str:
    return text_of(ROOT / name)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fences(text: str, language: str = "sh") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def spans(text: str) -> list[str]:
    """What stands in backticks, outside of fences."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def typed(text: str) -> list[str]:
    """The command lines of all shell fences and indented code, without remarks."""
    indented = re.findall(r"^    (aurevoir .*)$", text, re.MULTILINE)
    joined = "\n".join([*fences(text), *indented]).replace("\\\n", " ")
    return [line for raw in joined.splitlines() if (line := re.sub(r"\s+# .*", "", raw).strip())]


def section(text: str, heading: str) -> str:
    start = re.search(rf"^#+ {re.escape(heading)}\n", text, re.MULTILINE)
    assert start is not None, f"no heading {heading!r}"
    return re.split(r"^#+ ", text[start.end() :], flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads."""
    found = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        for line in text.splitlines()
        if line.strip().startswith("|")
    ]
    heads = {number - 1 for number, row in enumerate(found) if row[-1] and set(row[-1]) <= set("-:")}
    return [row for number, row in enumerate(found) if number not in heads and number - 1 not in heads]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- what people type -----------------------------------------------------------------------------------------------

ROOT_COMMAND: Any = typer.main.get_command(app)


def find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that these words name, and the words after it."""
    command = ROOT_COMMAND
    while (known := getattr(command, "commands", None)) and words and not words[0].startswith("-"):
        assert words[0] in known, f"there is no command {words[0]!r}"
        command, words = known[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_command_line_is_one_that_the_command_takes(path: Path) -> None:
    for line in typed(text_of(path)):
        words = shlex.split(line)
        if Path(words[0]).name == "aurevoir":
            command, rest = find_command(words[1:])
            command.make_context(" ".join(words), rest)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_command_that_a_sentence_names_exists_with_its_options(path: Path) -> None:
    for span in spans(text_of(path)):
        if span.startswith("aurevoir "):
            command, rest = find_command(span.replace("…", "x").split()[1:])
            known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
            assert {word for word in rest if word.startswith("-")} <= known, span


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    said = [*typed(text_of(path)), *spans(text_of(path))]
    assert {line.split()[1] for line in said if line.startswith("make ")} <= targets


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
def test_the_trials_edits_of_the_first_configuration_do_what_they_mean(crm: str, tmp_path: Path) -> None:
    setup = next(fence for fence in fences(page("docs/admin.md")) if fence.startswith(f"aurevoir init --crm {crm}"))
    adapters = Adapters()
    config = tmp_path / "config.yaml"
    write_first_config(config, {crm: adapters[crm]})
    edits = [line for line in setup.splitlines() if not line.startswith("aurevoir ")]
    subprocess.run("\n".join(edits), shell=True, cwd=tmp_path, check=True)
    settings = load(config, environment(config, {}), adapters)
    account = settings.accounts["acme"]
    assert settings.server.public_url == f"http://{settings.server.listen}"
    assert account.watch[0].settle_for == timedelta(0)
    assert adapters[crm].webhook_secrets(account.vendor)
    assert "http://127.0.0.1:809" in repr(account.vendor)


def test_the_trial_in_the_browser_begins_with_an_account_that_calls_the_look_alike_alone(tmp_path: Path) -> None:
    setup = next(fence for fence in fences(page("docs/admin.md")) if "--in-browser" in fence and "api_url" in fence)
    adapters = Adapters()
    config = tmp_path / "config.yaml"
    write_first_config(config, {})
    edits = [line for line in setup.splitlines() if not line.startswith("aurevoir ")]
    subprocess.run("\n".join(edits), shell=True, cwd=tmp_path, check=True)
    account = load(config, environment(config, {}), adapters).accounts["acme"]
    assert "http://127.0.0.1:809" in repr(account.vendor)
    assert setup.index("api_url") < setup.index("aurevoir serve")


# --- what people set ------------------------------------------------------------------------------------------------


def vendor_models() -> list[type[BaseModel]]:
    return [adapter.settings_model for adapter in Adapters().values()]


def keys_of(model: type[BaseModel]) -> set[str]:
    return {about.alias or name for name, about in model.model_fields.items()}


def models(*more: type[BaseModel]) -> list[type[BaseModel]]:
    return [Settings, AccountConfig, *more, *vendor_models()]


def has_key(key: str) -> bool:
    head, _, tail = key.rpartition(".")
    if head in PARTS:
        return tail in keys_of(PARTS[head])
    if not head:
        return any(tail in keys_of(model) for model in models())
    parents = [model.model_fields[head].annotation for model in vendor_models() if head in model.model_fields]
    return any(isinstance(parent, type) and tail in keys_of(parent) for parent in parents)


def test_every_setting_in_the_admins_table_exists() -> None:
    listed = [key for row in rows(section(page("docs/admin.md"), "The settings")) for key in code(row[0])]
    assert len(listed) > 15
    assert [key for key in listed if not has_key(key)] == []


def test_every_setting_that_everyone_has_to_think_about_is_in_the_admins_guide() -> None:
    said = set(spans(page("docs/admin.md")))
    leaves = {f"{part}.{key}" for part in ("watch[]", "fields", "people") for key in keys_of(PARTS[part])}
    told_with_watch = {"watch[].pipeline", "watch[].negotiating", "watch[].not_renewing", "watch[].renewed"}
    assert {key for key in leaves - told_with_watch if key not in said and "watch" not in key} == set()


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_setting_that_a_sentence_names_exists(path: Path) -> None:
    dotted = [span for span in spans(text_of(path)) if re.fullmatch(r"(server|fields|people|watch\[\])\.[a-z_]+", span)]
    given = [span.partition(":")[0] for span in spans(text_of(path)) if re.match(r"[a-z]+_[a-z_]+: \S", span)]
    anywhere = {key for model in models(*PARTS.values()) for key in keys_of(model)}
    assert [key for key in dotted if not has_key(key)] == []
    assert [key for key in given if key not in anywhere] == []


# --- what people read -----------------------------------------------------------------------------------------------


def test_the_table_of_metrics_is_what_can_be_counted() -> None:
    counted = {
        f"{one._name}_total" if isinstance(one, Counter) else one._name
        for one in vars(connector.metrics).values()
        if hasattr(one, "_documentation")
    }
    now = set(re.findall(r'GaugeMetricFamily\(\s*"(\w+)"', page("connector/web/health.py")))
    listed = [code(row[0])[0] for row in rows(section(page("docs/admin.md"), "Look after it"))]
    assert sorted(listed) == sorted(counted | now)


@cache
def sentences_in_the_code() -> str:
    """All texts of the program, with … where a value is filled in, and the pieces of one text joined."""
    found = []
    for folder in ("connector", "adapters"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(text_of(path))):
                if isinstance(node, ast.JoinedStr):
                    found.append(
                        "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)


def troubles() -> list[str]:
    return [code(row[0])[0] for row in rows(section(page("docs/admin.md"), "Troubleshooting"))]


@pytest.mark.parametrize("sentence", troubles())
def test_every_sentence_of_the_troubleshooting_is_one_that_is_really_printed(sentence: str) -> None:
    pieces = [re.escape(piece) for piece in sentence.split("…")]
    assert re.search(".{0,80}".join(pieces), sentences_in_the_code()), sentence


# --- what people are promised ---------------------------------------------------------------------------------------


class _NoStore:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError("capabilities cost no call")


def capabilities(crm: str, *, full: bool) -> Capabilities:
    """What the adapter says of an account, bare, or with webhooks set up and a CRM that keeps our key unique."""
    adapter = Adapters()[crm]
    raw: dict[str, Any] = {"hubspot": {}, "salesforce": {"login_url": "https://globex.my.salesforce.com"}}[crm]
    raw |= {"hubspot": {"access_token": "token"}, "salesforce": {"client_id": "id", "client_secret": "secret"}}[crm]
    state: Mapping[str, str] = {}
    if full:
        raw |= {"hubspot": {"client_secret": "secret"}, "salesforce": {"webhook_secret": "a" * 20}}[crm]
        state = {"hubspot": {"task_key": "unique"}, "salesforce": salesforce_state()}[crm]
    services = Services(now=_NoStore(), sleep=_NoStore(), tokens=_NoStore(), budget=_NoStore())  # type: ignore[arg-type]
    settings = adapter.settings_model.model_validate(raw)
    with_close = adapter.connect("acme", "4242", settings, FieldMap(), services, state=state)
    try:
        return with_close.capabilities
    finally:
        with_close.close()


def salesforce_state() -> dict[str, str]:
    from adapters.salesforce.shape import Shape

    return Shape.model_construct(key="unique").to_state()


@pytest.mark.parametrize(("column", "crm"), [(1, "hubspot"), (2, "salesforce")])
def test_the_table_of_what_works_where_says_what_the_adapters_say(column: int, crm: str) -> None:
    told = {code(row[0])[-1]: row[column] for row in rows(section(page("README.md"), "What works where"))}
    bare, full = capabilities(crm, full=False), capabilities(crm, full=True)
    assert told.keys() == Capabilities.__annotations__.keys()
    for name, cell in told.items():
        low, high = getattr(bare, name), getattr(full, name)
        if isinstance(low, timedelta):
            assert cell == f"{low.total_seconds():g} s"
        else:
            word = {(True, True): "yes", (False, False): "no", (False, True): "with|where"}[low, high]
            assert re.match(rf"({word})\b", cell), f"{name}: {cell}"


def test_the_scopes_that_admins_are_told_to_give_are_those_that_are_asked_for() -> None:
    explained = [code(row[0])[0] for row in rows(section(page("docs/security.md"), "Scopes, and why"))]
    assert explained == list(SCOPES)
    steps = section(page("docs/install-hubspot.md"), "2. Let it into HubSpot")
    given = {span for span in spans(steps) if re.fullmatch(r"crm\.[a-z.]+|files", span)}
    assert given == SCOPES.keys() - {"oauth"}


def test_the_fields_that_managers_are_told_of_are_those_that_we_write() -> None:
    wanted: dict[str, list[str]] = {}
    for field in FIELDS:
        wanted.setdefault(field.label, []).append(field.record.value)
    told = {row[0]: row[1].split(", ") for row in rows(section(page("docs/csm.md"), "Fields"))}
    assert told == wanted


def test_every_playbook_that_ships_is_mentioned_and_its_phases_are_told() -> None:
    shipped = sorted(path.stem for path in (ROOT / "workflows" / "playbooks").glob("*.yaml"))
    mentioned = {span for path in PAGES for span in spans(text_of(path))}
    assert [name for name in shipped if name not in mentioned] == [], "name it in the README's table or a page of docs/"
    saas = yaml.safe_load(page("workflows/playbooks/saas.yaml"))
    told = [row[0] for row in rows(section(page("docs/csm.md"), "The plan that ships: `saas`"))]
    assert told == [phase["title"]["en"] for phase in saas["phases"]]


def test_the_port_is_told_whole_to_authors_of_adapters() -> None:
    said = {word for row in rows(section(page("docs/adapters.md"), "The port")) for word in code(row[0])}
    methods = {
        name
        for protocol in (Adapter, Crm)
        for name, one in vars(protocol).items()
        if not name.startswith("_") and (callable(one) or isinstance(one, property))
    }
    assert said == methods
    named_errors = {
        word.partition("(")[0] for row in rows(section(page("docs/adapters.md"), "Errors")) for word in code(row[0])
    }
    assert all(hasattr(errors, name) for name in named_errors)


# --- where people are led -------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as they are made from their words."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def links(text: str) -> Iterator[str]:
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (target for target in re.findall(r"\]\(([^)\s]+)\)", plain) if "://" not in target)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in links(text_of(path)):
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(text_of(target)), link


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_file_of_ours_that_a_page_names_is_there(path: Path) -> None:
    named_files = [
        span
        for span in spans(text_of(path))
        if re.fullmatch(
            r"(\.ci|adapters|bench|connector|demo|docs|sandbox|tests|workflows)/([\w./-]*\.(py|md|ya?ml|json)|[\w/]*/)?",
            span,
        )
        and NOT_YET_THERE not in span
    ]
    assert [name for name in named_files if not (ROOT / name).exists()] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        here = waiting.pop()
        if here.suffix == ".md" and here not in reached:
            reached.add(here)
            waiting += [
                (here.parent / link.partition("#")[0]).resolve() for link in links(text_of(here)) if link[0] != "#"
            ]
    assert [named(path) for path in PAGES if path not in reached] == []


def test_the_picture_is_small_enough_to_load_at_once() -> None:
    assert all(path.stat().st_size < 300_000 for path in (ROOT / "docs" / "images").iterdir())
