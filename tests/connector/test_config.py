"""What an admin writes is read as meant, and what is wrong with it is said all at once, without telling a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from adapters.errors import ConfigError, Fault
from adapters.services import FieldMap
from connector.account_settings import AccountConfig
from connector.bootstrap import Adapters
from connector.config import load
from connector.config_text import config_schema, config_text, placeholders
from connector.library import Library
from connector.settings import Settings
from connector.values import format_duration, parse_duration
from workflows.roles import USUAL_ROLES

SECRET = "k3yL0ng3n0ughT0b3Us3dInAT3stOfOurs"
ROOT = Path(__file__).parents[2]


class _Rate(BaseModel):
    model_config = ConfigDict(extra="forbid")
    per_day: int = 100


class _OwnKeys(BaseModel):
    model_config = ConfigDict(extra="forbid")
    access_token: SecretStr | None = None
    api_url: str = "https://api.example.com"
    rate: _Rate = _Rate()


ADAPTERS: Any = {
    name: SimpleNamespace(settings_model=_OwnKeys, same_account=lambda one, other: one == other)
    for name in ("hubspot", "salesforce")
}
LEAST = {
    "server": {"public_url": "https://goodbye.example.com"},
    "secret_key": SECRET,
    "accounts": {
        "acme": {
            "crm": "hubspot",
            "account_id": "4242",
            "calendar": "FR",
            "watch": [{"pipeline": "Renewals", "not_renewing": ["Not renewing"]}],
        }
    },
}
Read = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Loads a configuration given as YAML text, or as changes by dotted key to the least that works."""

    def read_it(text: str | None = None, environ: Mapping[str, str] | None = None, **changes: Any) -> Settings:
        path = tmp_path / "config.yaml"
        path.write_text(text if text is not None else _changed(changes), encoding="utf-8")
        return load(path, environ or {}, ADAPTERS)

    return read_it


def _changed(changes: Mapping[str, Any]) -> str:
    raw = json.loads(json.dumps(LEAST))
    for key, value in changes.items():
        *above, last = key.replace("acme__", "accounts__acme__").split("__")
        place = raw
        for part in above:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        place[last] = value
    return json.dumps(raw)  # JSON is YAML


def _faults(read: Read, *args: Any, **changes: Any) -> dict[str, Fault]:
    with pytest.raises(ConfigError) as caught:
        read(*args, **changes)
    return {fault.key: fault for fault in caught.value.faults}


def test_the_least_that_works_gets_the_defaults(read: Read, tmp_path: Path) -> None:
    settings = read()
    account = settings.accounts["acme"]
    assert settings.server.host == "127.0.0.1"
    assert settings.server.port == 8080
    assert settings.secrets == (SECRET,)
    assert settings.database_url == f"sqlite:///{tmp_path}/aurevoir.db"
    assert account.watch[0].settle_for == timedelta(hours=24)
    assert account.poll_every == timedelta(minutes=5)
    assert account.people.fallback == ("deal_owner", "company_owner", "manager")
    assert account.vendor.api_url == "https://api.example.com"
    assert not account.asks_reason


def test_every_value_is_text_until_its_key_says_otherwise(read: Read) -> None:
    text = _yaml_least(account_id="0042", calendar="NO")
    account = read(text).accounts["acme"]
    assert account.account_id == "0042"
    assert account.calendar == "NO"


def _yaml_least(account_id: str = "1", calendar: str = "FR", more: str = "") -> str:
    return (
        f"server: {{public_url: 'https://a.example'}}\nsecret_key: {SECRET}\naccounts:\n  acme:\n    crm: hubspot\n"
        f"    account_id: {account_id}\n    calendar: {calendar}\n    watch: [{{not_renewing: Lost}}]\n{more}"
    )


def test_one_name_stands_for_a_list_of_one(read: Read) -> None:
    assert read(acme__watch__0__not_renewing="Lost").accounts["acme"].watch[0].not_renewing == ("Lost",)


def test_a_key_with_nothing_after_it_counts_as_not_given(read: Read) -> None:
    account = read(_yaml_least(more="    people:\n    rate:\n    settle:\n".replace("    settle:\n", ""))).accounts[
        "acme"
    ]
    assert account.people.neutral_pool == ()
    assert account.vendor.rate.per_day == 100


def test_all_faults_are_told_at_once_with_key_value_and_cure(read: Read) -> None:
    faults = _faults(
        read,
        server__public_url="http://goodbye.example.com",
        server__listen="8080",
        databse_url="x",
        secret_key="short",
        acme__time_zone="Europe/Pari",
        acme__calendar="DE-BYY",
        acme__language="frxx",
        acme__acess_token="t0p-s3cret",
        acme__rate={"per_dya": 5},
        acme__watch__0__settle_for="3 dyas",
        acme__watch__0__only_if="deal.__class__",
        acme__fields={"figures": ["deal.nps", "ticket.age"]},
        acme__people={"neutral_pool": ["a"], "fallback": ["deal_ownr"]},
        playbooks_dir="nowhere",
        oauth={"hubpot": {"client_id": "a", "client_secret": "b"}},
    )
    cures = {key: fault.cure for key, fault in faults.items()}
    assert "use https" in cures["server.public_url"]
    assert "127.0.0.1:8080" in cures["server.listen"]
    assert "did you mean database_url?" in cures["databse_url"]
    assert "at least 32" in cures["secret_key"]
    assert "secrets.token_urlsafe" in cures["secret_key"]
    assert "Europe/Paris" in cures["accounts.acme.time_zone"]
    assert "DE-BY" in cures["accounts.acme.calendar"]
    assert "ISO code" in cures["accounts.acme.language"]
    assert "did you mean access_token?" in cures["accounts.acme.acess_token"]
    assert "did you mean per_day?" in cures["accounts.acme.rate.per_dya"]
    assert "24h" in cures["accounts.acme.watch[0].settle_for"]
    assert "cannot be used" in cures["accounts.acme.watch[0].only_if"]
    assert "company.<field>" in cures["accounts.acme.fields.figures[1]"]
    assert "e-mail address" in cures["accounts.acme.people.neutral_pool[0]"]
    assert "did you mean deal_owner?" in cures["accounts.acme.people.fallback[0]"]
    assert "no such folder" in cures["playbooks_dir"]
    assert "did you mean hubspot?" in cures["oauth.hubpot"]
    assert len(faults) == 16
    assert faults["accounts.acme.watch[0].settle_for"].value == "3 dyas"


def test_faults_come_in_the_order_of_the_file(read: Read) -> None:
    keys = list(_faults(read, server__listen="x", acme__calendar="ZZ", zzz="1", secret_key="short"))
    assert keys == ["server.listen", "secret_key", "accounts.acme.calendar", "zzz"]


def test_a_missing_key_is_explained(read: Read) -> None:
    faults = _faults(read, "accounts: {acme: {crm: hubspot}}")
    assert faults["server"].cure.startswith("is missing.")
    assert "holidays" in faults["accounts.acme.calendar"].cure
    assert faults["accounts.acme.watch"].cure.startswith("is missing.")


def test_an_unknown_crm_is_told_with_those_that_exist(read: Read) -> None:
    faults = _faults(read, acme__crm="hubspott", acme__access_token="x")
    assert list(faults) == ["accounts.acme.crm"]
    assert "did you mean hubspot? Known: hubspot, salesforce" in faults["accounts.acme.crm"].cure


def test_a_key_given_twice_is_refused_with_both_lines(read: Read) -> None:
    faults = _faults(read, _yaml_least(more="    playbook: saas\n    playbook: agency\n"))
    assert faults["line 10"] == Fault("line 10", "playbook", "already set in line 9: keep one of them")


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("a: [1", "is not YAML"),
        ("a: b: c", "is not YAML"),
        ("secret_key: [${NEW}, ${OLD}]", "in quotes"),
        ("", "holds no keys"),
        ("- a", "holds no keys"),
    ],
)
def test_a_file_that_is_no_configuration_is_told_so(read: Read, text: str, cure: str) -> None:
    assert cure in next(iter(_faults(read, text).values())).cure


def test_a_file_that_cannot_be_read_is_told_so(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: é".encode("latin-1"))
    for path, cure in ((tmp_path / "none.yaml", "aurevoir init"), (tmp_path, "cannot be read"), (latin, "UTF-8")):
        with pytest.raises(ConfigError, match=cure):
            load(path, {}, ADAPTERS)


@pytest.mark.parametrize(
    "secret", ["change-me-" * 5, "a" * 40, "abcabcabc" * 5, "the-default-secret-key-of-this-thing"]
)
def test_a_secret_key_that_can_be_guessed_is_refused(read: Read, secret: str) -> None:
    fault = _faults(read, secret_key=secret)["secret_key"]
    assert "can be guessed" in fault.cure
    assert secret not in str(fault)


def test_a_list_of_secret_keys_rotates(read: Read) -> None:
    assert read(secret_key=["new-" + SECRET, SECRET]).secrets == ("new-" + SECRET, SECRET)


# --- the environment ------------------------------------------------------------------------------------------------


def test_a_placeholder_is_taken_from_the_environment_or_from_a_file(read: Read, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.write_text(SECRET + "\n")
    for written, environ in (
        ("${KEY}", {"KEY": SECRET}),
        ("${KEY}", {"KEY_FILE": str(held)}),
        ("${KEY_FILE}", {"KEY_FILE": str(held)}),
    ):
        assert read(environ=environ, secret_key=written).secrets == (SECRET,)


def test_a_placeholder_may_stand_within_a_text_and_be_escaped(read: Read) -> None:
    url = read(environ={"PW": "p${x"}, database_url="postgresql+psycopg://me:${PW}@db/x").database_url
    assert url == "postgresql+psycopg://me:p${x@db/x"
    assert read(acme__watch__0__not_renewing="$${Lost}").accounts["acme"].watch[0].not_renewing == ("${Lost}",)


def test_a_substituted_value_is_never_read_as_yaml(read: Read) -> None:
    settings = read(environ={"STAGE": "a: [b]\n# c"}, acme__watch__0__not_renewing=["${STAGE}"])
    assert settings.accounts["acme"].watch[0].not_renewing == ("a: [b]\n# c",)


def test_an_unset_placeholder_names_its_key_and_what_is_near(read: Read) -> None:
    faults = _faults(read, environ={"AUREVOIR_SECRET": "x"}, secret_key="${AUREVOIR_SECRET_KEY}")
    assert list(faults) == ["secret_key"]
    assert faults["secret_key"].value == "${AUREVOIR_SECRET_KEY}"
    cure = faults["secret_key"].cure
    assert "did you mean AUREVOIR_SECRET? Set AUREVOIR_SECRET_KEY in the environment, or in aurevoir.env" in cure
    assert "AUREVOIR_SECRET_KEY_FILE" in cure


@pytest.mark.parametrize(
    ("environ", "cure"),
    [
        ({"KEY": ""}, "is set, but empty"),
        ({"KEY": "a", "KEY_FILE": "b"}, "keep one of them"),
        ({"KEY_FILE": "/nowhere/at/all"}, "which cannot be read"),
    ],
)
def test_a_placeholder_that_cannot_be_filled_says_why(read: Read, environ: dict[str, str], cure: str) -> None:
    assert cure in _faults(read, environ=environ, secret_key="${KEY}")["secret_key"].cure


def test_no_fault_ever_shows_a_secret(read: Read) -> None:
    with pytest.raises(ConfigError) as caught:
        read(
            environ={"TOKEN": "environment-secret"},
            secret_key="literal-s3cret",
            database_url="mysql://me:database-pw@host/x",
            acme__access_tokens="typo-in-the-key",
            acme__access_token=["${TOKEN}"],
            oauth={"hubspot": {"client_id": "x", "client_secrt": "oauth-s3cret", "client_secret": ""}},
        )
    told = str(caught.value)
    assert len(caught.value.faults) == 6
    for secret in ("environment-secret", "literal-s3cret", "database-pw", "typo-in-the-key", "oauth-s3cret"):
        assert secret not in told


def test_an_adapter_that_repeats_a_secret_in_its_complaint_gives_nothing_away(tmp_path: Path) -> None:
    class Talkative(_OwnKeys):
        @field_validator("access_token")
        @classmethod
        def _token(cls, token: SecretStr) -> SecretStr:
            raise ValueError(f"no good: {token.get_secret_value()}")

    adapters: Any = {"hubspot": SimpleNamespace(settings_model=Talkative, same_account=str.__eq__)}
    (tmp_path / "c.yaml").write_text(_changed({"acme__access_token": "t0p-s3cret"}))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "c.yaml", {}, adapters)
    assert str(caught.value) == "accounts.acme.access_token = ***: no good: ***"


def test_settings_do_not_show_secrets_when_printed(read: Read) -> None:
    settings = read(acme__access_token="vendor-s3cret")
    assert "vendor-s3cret" not in repr(settings)
    assert SECRET not in repr(settings)


# --- what no single key can tell ------------------------------------------------------------------------------------


def test_one_crm_account_may_be_set_up_once_only(read: Read) -> None:
    twin = LEAST["accounts"]["acme"]  # type: ignore[index]
    faults = _faults(read, accounts__other=twin)
    assert "the account 'acme' has the same one" in faults["accounts.other.account_id"].cure


def test_a_stage_has_one_meaning(read: Read) -> None:
    fault = _faults(read, acme__watch__0__renewed=["not renewing"])["accounts.acme.watch[0]"]
    assert "in both not_renewing and renewed" in fault.cure


def test_asking_for_a_reason_needs_a_field_for_it(read: Read) -> None:
    assert "fields.exit_reason" in _faults(read, acme__ask_reason="true")["accounts.acme"].cure
    assert read(acme__fields={"exit_reason": "why"}).accounts["acme"].asks_reason
    assert not read(acme__fields={"exit_reason": "why"}, acme__ask_reason="false").accounts["acme"].asks_reason


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost/", "https://a.example/path", "http://[::1]:1"]
)
def test_a_public_address_is_https_or_loopback(read: Read, url: str) -> None:
    assert read(server__public_url=url).server.public_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["a.example", "https://u:p@a.example", "https://a.example/?x=1", "ftp://a", "http://[", "https://a:x"]
)
def test_a_public_address_that_is_none_is_refused(read: Read, url: str) -> None:
    assert "write" in _faults(read, server__public_url=url)["server.public_url"].cure


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://h/d", "nonsense", "mysql://h/d"])
def test_a_database_that_cannot_hold_the_promises_is_refused(read: Read, url: str) -> None:
    assert "database_url" in _faults(read, database_url=url)


def test_figures_have_names_of_the_admins_own_and_none_that_is_no_figure(read: Read) -> None:
    named = {"company.users": {"fr": "Utilisateurs actifs"}}
    config = read(acme__fields={"figures": ["company.users"], "figure_names": named}).accounts["acme"]
    assert config.fields.figure_names == named
    told = _faults(read, acme__fields={"figures": ["deal.nps"], "figure_names": named})
    assert any("company.users, which is not in figures" in fault.cure for fault in told.values())


def test_mapped_fields_reach_the_adapter(read: Read) -> None:
    fields = {"contract_end": "end", "exit_reason": "why", "figures": ["company.users", "deal.nps"]}
    assert read(acme__fields=fields).accounts["acme"].field_map() == FieldMap(
        contract_end="end", exit_reason="why", figures=(("company", "users"), ("deal", "nps")), roles=USUAL_ROLES
    )


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0s", timedelta()),
        ("5m", timedelta(minutes=5)),
        ("24h", timedelta(hours=24)),
        ("3d", timedelta(days=3)),
        ("1h30m", timedelta(minutes=90)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_durations_are_read_and_written_back(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 minutes", "1.5h", "99999999999999999w", "11y", "600w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_duration(text)


# --- config.example.yaml --------------------------------------------------------------------------------------------


def _uncommented(text: str) -> str:
    return re.sub(r"(?m)^(\s*)#(\w)", r"\1\2", text)


def _given(text: str) -> dict[str, str]:
    return {name: f"{SECRET}{number}" for number, name in enumerate(placeholders(text))}


@pytest.mark.parametrize("change", [str, _uncommented], ids=["as it stands", "with every key set"])
def test_the_example_is_a_configuration_that_works(tmp_path: Path, change: Callable[[str], str]) -> None:
    text = change((ROOT / "config.example.yaml").read_text(encoding="utf-8"))
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    for folder in ("playbooks", "surveys", "documents"):
        (tmp_path / folder).mkdir()
    settings = load(tmp_path / "config.yaml", _given(text), Adapters())
    assert {account.crm for account in settings.accounts.values()} == set(Adapters())


def test_the_example_holds_every_key_with_its_reason() -> None:
    text = config_text(Adapters())
    assert (ROOT / "config.example.yaml").read_text(encoding="utf-8") == text, "run `make schema`"
    lines = text.splitlines()
    keys = [
        number
        for number, line in enumerate(lines)
        if re.match(r"\s*#?\w+:", line) and line.strip() not in ("acme:", "globex:")
    ]
    bare = [lines[number] for number in keys if not lines[number - 1].lstrip().startswith("# ")]
    assert bare == []


def test_the_published_schema_is_that_of_the_models() -> None:
    published = json.loads((ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(config_schema(Adapters()))), "run `make schema`"
    for crm, adapter in Adapters().items():
        known = set(published["$defs"][f"{crm}.account"]["properties"])
        assert known == (set(AccountConfig.model_fields) - {"vendor"}) | set(adapter.settings_model.model_fields)


def test_an_adapters_own_rules_are_told_like_ours(tmp_path: Path) -> None:
    class Strict(_OwnKeys):
        size: int = Field(ge=1)

    adapters: Any = {"hubspot": SimpleNamespace(settings_model=Strict, same_account=str.__eq__)}
    with pytest.raises(ValidationError):
        Strict(size=0)
    (tmp_path / "c.yaml").write_text(_changed({"acme__size": 0, "server__listen": "x"}))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "c.yaml", {}, adapters)
    assert [fault.key for fault in caught.value.faults] == ["server.listen", "accounts.acme.size"]


def test_an_unknown_playbook_is_told_together_with_every_other_fault(read: Read) -> None:
    with pytest.raises(ConfigError) as caught:
        read(acme__playbook="sass", acme__save_playbook="safe-plan", acme__calendar="XX", server__listen="x")
    cures = {fault.key: fault.cure for fault in caught.value.faults}
    ours = {f"accounts.acme.{key}" for key in ("playbook", "save_playbook", "calendar")}
    assert set(cures) == ours | {"server.listen"}
    assert "did you mean saas" in cures["accounts.acme.playbook"]
    assert "did you mean save-plan" in cures["accounts.acme.save_playbook"]


def test_a_watch_without_stages_is_told_together_with_its_other_faults(read: Read) -> None:
    with pytest.raises(ConfigError) as caught:
        read(acme__watch=[{"pipeline": "Renewals", "settle_for": "soon"}, {"not_renewing": []}])
    place = "accounts.acme.watch"
    assert {fault.key for fault in caught.value.faults} == {
        f"{place}[0].not_renewing",
        f"{place}[0].settle_for",
        f"{place}[1].not_renewing",
    }


def test_a_playbook_for_another_kind_of_case_is_refused_with_those_that_fit(read: Read) -> None:
    settings = read(
        acme__watch__0__negotiating=["Talks"],
        acme__watch__0__won=["Won"],
        acme__save_playbook="saas",
        acme__baseline_playbook="light",
        acme__playbooks=[{"when": "case.save_steps_done", "playbook": "save-plan"}],
    )
    with pytest.raises(ConfigError) as caught:
        Library(settings)
    cures = {fault.key: fault.cure for fault in caught.value.faults}
    assert "one of the kind save is meant: save-plan" in cures["accounts.acme.save_playbook"]
    assert "one of the kind baseline is meant: baseline" in cures["accounts.acme.baseline_playbook"]
    assert "of the kind save" in cures["accounts.acme.playbooks[0].playbook"]


@pytest.mark.parametrize(
    ("changes", "cure"),
    [
        ({"acme__save_playbook": "save-plan"}, "watch[].negotiating"),
        ({"acme__baseline_playbook": "baseline"}, "watch[].won or watch[].renewed"),
        ({"acme__watch__0__won": ["Won"]}, "won needs baseline_playbook"),
    ],
)
def test_a_playbook_without_its_stages_and_stages_without_their_playbook_are_told(
    read: Read, changes: dict[str, Any], cure: str
) -> None:
    assert cure in _faults(read, **changes)["accounts.acme"].cure


def test_a_condition_on_playbooks_may_ask_about_deal_and_case_only(read: Read) -> None:
    choice = {"when": "company.name == 'x'", "playbook": "light"}
    fault = _faults(read, acme__playbooks=[choice])["accounts.acme.playbooks[0].when"]
    assert "cannot be used" in fault.cure


def test_a_pipeline_where_only_wins_matter_needs_no_stage_for_losses(read: Read) -> None:
    changes = {
        "acme__watch__0__not_renewing": [],
        "acme__watch__0__won": ["Won"],
        "acme__baseline_playbook": "baseline",
    }
    assert read(**changes).accounts["acme"].watch[0].not_renewing == ()
    assert (
        "name the stages" in _faults(read, acme__watch__0__not_renewing=[])["accounts.acme.watch[0].not_renewing"].cure
    )
