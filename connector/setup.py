"""Setting an account up: what there is to choose from, and how a choice becomes lines of config.yaml.

The file is the one truth; nothing chosen is kept anywhere else. Each step owns some keys of the account, and writes
those alone. Names are kept as they were written where they still mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from babel.core import get_global
from pydantic import SecretStr

from adapters.errors import AurevoirError, ConfigError, Fault
from adapters.offers import Consenting
from adapters.port import Adapter
from connector.account import Account
from connector.bootstrap import Runtime
from connector.config import read_raw
from connector.config_edit import Change, at, change_file, literal
from connector.resolve import named, resolve_rules
from connector.settings import Settings
from workflows.records import Pipeline, Stage
from workflows.said import Said

Raw = dict[str, Any]
STEPS = ("connect", "stages", "fields", "people", "playbooks", "place", "rehearsal", "switch_on")
OWNS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "stages": (("watch",),),
    "fields": (
        ("fields", "contract_end"),
        ("fields", "exit_reason"),
        ("ask_reason",),
        ("reason_wait",),
        ("fields", "figures"),
        ("fields", "language"),
    ),
    "people": (
        ("people", "neutral_pool"),
        ("people", "manager"),
        ("people", "director"),
        ("people", "fallback"),
        ("people", "roles"),
    ),
    "playbooks": (("playbook",), ("save_playbook",), ("baseline_playbook",), ("playbooks",)),
    "place": (("company",), ("calendar",), ("language",), ("time_zone",)),
}
"""The keys that each step writes, below the account."""
GROUPS = ("negotiating", "not_renewing", "renewed", "won")
ANY = "*"
"""Stands for all pipelines together, where the CRM has no such one of its own."""

_MAIN_ZONES = {
    "AR": "America/Argentina/Buenos_Aires",
    "CL": "America/Santiago",
    "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia",
    "DE": "Europe/Berlin",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "KZ": "Asia/Almaty",
    "MY": "Asia/Kuala_Lumpur",
    "NZ": "Pacific/Auckland",
    "PT": "Europe/Lisbon",
    "UA": "Europe/Kyiv",
    "UZ": "Asia/Tashkent",
}
"""Where a country has several zones, and nearly everybody lives in one."""


class NotTakenOn(AurevoirError):
    """The file was written, and something else in it keeps it from being used; the message says what."""


def usual_zone(calendar: str) -> str | None:
    """The time zone of a country (``FR``, or with a region ``DE-BY``); None where it has several, as the US."""
    country = calendar.partition("-")[0].upper()
    zones = get_global("territory_zones").get(country, ())
    return _MAIN_ZONES.get(country) or (zones[0] if len(zones) == 1 else None)


def raw_account(runtime: Runtime, name: str) -> Raw:
    """The account as the file has it; empty when it has none."""
    if runtime.source is None:
        return {}
    found = at(read_raw(runtime.source.path), ("accounts", name))
    return found if isinstance(found, dict) else {}


def seen(raw: Raw, step: str) -> list[Any]:
    """What stands at the keys of a step, in their order: a form carries it, to notice another admin's change."""
    return [at(raw, place) for place in OWNS[step]]


def save(runtime: Runtime, name: str, step: str, values: Sequence[Any], before: Sequence[Any]) -> Settings:
    """Write a step's values (None: not given) where ``before`` still stands, and go on with them.

    Raises :class:`~connector.config_edit.ChangedMeanwhile` and :class:`~adapters.errors.ConfigError`, with nothing
    written, and :class:`NotTakenOn`.
    """
    if runtime.source is None:
        raise ConfigError([Fault(Said("config file"), "", Said("this program was started without one"))])
    changes = [
        Change(("accounts", name, *place), value, was)
        for place, value, was in zip(OWNS[step], values, before, strict=True)
        if value is not None or was is not None
    ]
    settings = change_file(
        runtime.source, runtime.store, changes, check=lambda fresh: _require_names(runtime, name, fresh)
    )
    _go_on(runtime)
    return settings


def _require_names(runtime: Runtime, name: str, fresh: Settings) -> None:
    """Refuse what an account that works could not go on with: names that its CRM does not have."""
    account = runtime.accounts[name]
    if account.is_switched_on():
        resolve_rules(name, fresh.accounts[name], account.pipelines(), tuple(account.users().values()), None)


def add_account(
    runtime: Runtime, name: str, values: Raw, secrets: Mapping[str, str], app: Mapping[str, str] | None = None
) -> Settings:
    """A new account, with its secrets in the file beside config.yaml. ``app`` is ours at its CRM, where it is new.

    ``secrets`` go by the account's keys, ``app`` has ``client_id`` and ``client_secret``. Raises as :func:`save`.
    """
    if runtime.source is None:
        raise ConfigError([Fault(Said("config file"), "", Said("this program was started without one"))])
    if name in runtime.accounts or raw_account(runtime, name):
        raise ConfigError(
            [Fault(f"accounts.{name}", name, Said("there is an account of this name already: take another"))]
        )
    kept = {_variable(name, key): value for key, value in secrets.items()}
    account = values | {key: f"${{{_variable(name, key)}}}" for key in secrets} | {"watch": []}
    changes = [Change(("accounts", name), account)]
    if app is not None:
        variable = _variable(values["crm"], "app_client_secret")
        kept[variable] = app["client_secret"]
        ours = {"client_id": literal(app["client_id"]), "client_secret": f"${{{variable}}}"}
        changes.append(Change(("oauth", values["crm"]), ours))
    _require_free(runtime, name, kept)
    settings = change_file(runtime.source, runtime.store, changes, kept)
    _go_on(runtime)
    return settings


def _require_free(runtime: Runtime, name: str, variables: Iterable[str]) -> None:
    """Refuse a name whose secrets would take another's place (a-b and a_b lead to the same) or never be read."""
    source = runtime.source
    if source is None:
        return
    text = source.path.read_text(encoding="utf-8-sig")
    taken = sorted(
        one for one in variables if f"${{{one}}}" in text or one in source.environ or f"{one}_FILE" in source.environ
    )
    if taken:
        cure = Said(
            "its secrets would be kept as %(names)s, which something else uses: take another name",
            names=", ".join(taken),
        )
        raise ConfigError([Fault(f"accounts.{name}", name, cure)])


def _variable(name: str, key: str) -> str:
    return f"AUREVOIR_{name}_{key}".upper().replace("-", "_")


def _go_on(runtime: Runtime) -> None:
    """This process takes it on at once; others notice within seconds. Raises :class:`NotTakenOn`."""
    runtime.reloader.look(surely=True)
    if runtime.reloader.trouble is not None:
        raise NotTakenOn(str(runtime.reloader.trouble))


# --- credentials ----------------------------------------------------------------------------------------------------


def asked_of(adapter: Adapter, *, in_browser: bool) -> list[tuple[str, str, bool, bool]]:
    """The adapter's keys that a new account needs: key, description, whether secret, whether it must be given.

    An account connected in the browser has no credentials of its own.
    """
    found = []
    for key, about in adapter.settings_model.model_fields.items():
        secret = _is_secret(about.annotation)
        credential = secret or key == "client_id"
        if about.is_required() or (credential and not in_browser):
            found.append((key, about.description or "", secret, about.is_required()))
    return found


def may_consent(adapter: Adapter) -> bool:
    """Whether its accounts may be connected in the browser."""
    return isinstance(adapter, Consenting)


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(one) for one in get_args(annotation))


# --- stages ---------------------------------------------------------------------------------------------------------


def offered_pipelines(account: Account) -> list[Pipeline]:
    """The CRM's pipelines; and one that stands for all of them, where the settings watch without naming one."""
    pipelines = list(account.pipelines())
    unnamed = any(one.pipeline is None for one in account.config.watch)
    if unnamed and not any(one.id == "" for one in pipelines):
        stages = {stage.label: Stage(id=stage.label, label=stage.label) for one in pipelines for stage in one.stages}
        pipelines.insert(0, Pipeline(id=ANY, label=ANY, stages=tuple(stages.values())))
    return pipelines


def watched(raw: Raw, pipelines: Sequence[Pipeline]) -> dict[str, Raw]:
    """The entry of ``watch`` for each pipeline that has one, by the pipeline's id."""
    found: dict[str, Raw] = {}
    for entry in raw.get("watch") or ():
        pipeline = _pipeline_of(entry, pipelines)
        if pipeline is not None:
            found[pipeline.id] = entry
    return found


def unknown_watches(raw: Raw, pipelines: Sequence[Pipeline]) -> list[str]:
    """Pipelines that the file names and the CRM does not have (any more)."""
    return [str(one.get("pipeline")) for one in raw.get("watch") or () if _pipeline_of(one, pipelines) is None]


def _pipeline_of(entry: Raw, pipelines: Sequence[Pipeline]) -> Pipeline | None:
    name = entry.get("pipeline")
    if name is None:
        return next((one for one in pipelines if one.id in ("", ANY)), None)
    fitting = named(str(name), pipelines)
    return fitting[0] if len(fitting) == 1 else None


def meaning(entry: Raw, stage: Stage, pipeline: Pipeline) -> str:
    """What the entry says that a stage means; empty for nothing."""
    for group in GROUPS:
        for name in listed(entry.get(group)):
            if any(one.id == stage.id for one in named(name, pipeline.stages)):
                return group
    return ""


def watch_entry(entry: Raw, pipeline: Pipeline, chosen: Mapping[str, str], settle_for: str, only_if: str) -> Raw:
    """The entry of ``watch`` for a pipeline. ``chosen``: group by stage id."""
    made: Raw = {}
    if pipeline.id not in ("", ANY):
        made["pipeline"] = entry.get("pipeline") or literal(pipeline.label)
    for group in GROUPS:
        stages = [stage for stage in pipeline.stages if chosen.get(stage.id) == group]
        if stages or group == "not_renewing":
            made[group] = [_name_of(stage, pipeline, listed(entry.get(group))) for stage in stages]
    if settle_for:
        made["settle_for"] = literal(settle_for)
    if only_if:
        made["only_if"] = literal(only_if)
    known = {"pipeline", *GROUPS, "settle_for", "only_if"}
    return made | {key: value for key, value in entry.items() if key not in known}


def _name_of(stage: Stage, pipeline: Pipeline, written: Iterable[str]) -> str:
    """The stage as the file calls it, or by its label where that is clear, or by its id."""
    for name in written:
        if [one.id for one in named(name, pipeline.stages)] == [stage.id]:
            return name
    return literal(stage.label if len(named(stage.label, pipeline.stages)) == 1 else stage.id)


def listed(value: Any) -> list[str]:
    """A list of names, where one name stands for a list of one."""
    return [] if value is None else [str(one) for one in value] if isinstance(value, list) else [str(value)]
