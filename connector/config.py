"""Reads config.yaml and the environment into :class:`Settings`, and tells every fault at once.

A value may hold ``${NAME}``: it is taken from the environment, or, where ``NAME_FILE`` is set there, from the file with
that path; ``${NAME_FILE}`` may be written as well. ``$${`` stands for a plain ``${``. A substituted value stays text.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from sqlalchemy.engine import make_url

from adapters.errors import ConfigError, Fault
from adapters.offers import Consenting, OAuthApp
from adapters.port import Adapter
from connector.account_settings import AccountConfig, WatchConfig
from connector.config_cures import Loc, as_written, cure_of
from connector.settings import Settings
from connector.values import near
from workflows.playbook import shipped_playbooks
from workflows.said import Said

__all__ = ["AccountConfig", "Settings", "WatchConfig", "environment", "load"]

ENV_FILE = "aurevoir.env"
"""Credentials may stand here, beside the configuration, for its owner's eyes only."""

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_KEY = re.compile(r"secret|token|password|private|api_key", re.IGNORECASE)
M = TypeVar("M", bound=BaseModel)


def load(
    path: Path, environ: Mapping[str, str], adapters: Mapping[str, Adapter], *, folder: Path | None = None
) -> Settings:
    """The checked settings from the file at ``path``. Relative paths in it are taken from its folder, or ``folder``.

    Raises :class:`~adapters.errors.ConfigError` with all faults.
    """
    report = _Report()
    folder = folder or path.parent
    filled = _fill(_read(path, report), (), environ, report)
    _check_across(filled, folder, adapters, report)
    vendor_raw = _split_vendor(filled, adapters, report)
    settings = _validate(Settings, filled, (), report)
    vendors = {name: _validate(model, keys, ("accounts", name), report) for name, (model, keys) in vendor_raw.items()}
    if settings is not None:
        vendors |= _complete(settings, vendors, adapters, report)
    if report.faults or settings is None:
        raise ConfigError(report.sorted())
    accounts = {name: one.model_copy(update={"vendor": vendors[name]}) for name, one in settings.accounts.items()}
    return settings.model_copy(update={"accounts": accounts, **_anchored(settings, folder)})


def read_raw(path: Path) -> dict[str, Any]:
    """What the file says, as it is written: every value is text, and nothing is filled in. Raises as :func:`load`."""
    report = _Report()
    raw = _read(path, report)
    if report.faults:
        raise ConfigError(report.sorted())
    return raw


def environment(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """``environ``, and below it what the file ``aurevoir.env`` beside the configuration sets (``NAME=value`` lines).

    Raises :class:`~adapters.errors.ConfigError` when other users may read that file, or it holds anything else.
    """
    file = path.parent / ENV_FILE
    if not file.is_file():
        return dict(environ)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        shared = file.stat().st_mode & 0o077
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [
                Fault(
                    Said("environment file"), str(file), Said("cannot be read: %(reason)s", reason=type(error).__name__)
                )
            ]
        ) from None
    faults = (
        []
        if not shared
        else [Fault(Said("environment file"), str(file), Said("others may read it: chmod 600 %(file)s", file=file))]
    )
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        name, is_set, value = line.strip().removeprefix("export ").partition("=")
        if _NAME.fullmatch(name) and is_set:
            found[name] = value[1:-1] if value[:1] in ("'", '"') and value[-1:] == value[:1] and value[1:] else value
        elif line.strip() and not line.lstrip().startswith("#"):
            faults.append(Fault(f"{ENV_FILE} line {number}", "", Said("write NAME=value, or # before a remark")))
    if faults:
        raise ConfigError(faults)
    return {name: value for name, value in found.items() if value} | dict(environ)


# --- faults ---------------------------------------------------------------------------------------------------------


@dataclass
class _Report:
    """Faults by place, and what is needed to tell them without telling a secret."""

    faults: dict[Loc, Fault] = field(default_factory=dict)
    shown: dict[Loc, str] = field(default_factory=dict)
    """Values that hold placeholders, as they were written."""
    secrets: set[str] = field(default_factory=set)
    order: dict[Loc, int] = field(default_factory=dict)
    """Places in the order of the file."""

    def add(self, loc: Loc, value: object, cure: str) -> None:
        """Note a fault, unless this place or one above it has one already."""
        if any(loc[:length] in self.faults for length in range(1, len(loc) + 1)):
            return
        for secret in self.secrets:
            cure = cure.replace(secret, "***")
        self.faults[loc] = Fault(key=spell(loc), value=self._show(loc, value), cure=cure)

    def _show(self, loc: Loc, value: object) -> str:
        if loc in self.shown:
            return self.shown[loc]
        if value is None or isinstance(value, Mapping | list | tuple | BaseModel):
            return ""
        text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
        if _is_secret(loc):
            return "***"
        if loc == ("database_url",):
            text = re.sub(r"://([^:/@]*):.*@", r"://\1:***@", text)
        return text if len(text) <= 80 else text[:77] + "…"

    def sorted(self) -> list[Fault]:
        """The faults in the order of the file."""
        return [self.faults[loc] for loc in sorted(self.faults, key=self._position)]

    def _position(self, loc: Loc) -> tuple[int, int]:
        known = next((length for length in range(len(loc), 0, -1) if loc[:length] in self.order), 0)
        return self.order.get(loc[:known], -1), len(loc) - known


def spell(loc: Sequence[str | int]) -> str:
    """A place as people write it: ``accounts.acme.watch[0].settle_for``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


# --- the file -------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Leaves every value as the text that was written, so that NO is Norway and 0042 stays 0042.

    What is a number is for the models to say. Keys given twice are noted.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own way

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.twice: list[Fault] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping; of a key given twice the last value."""
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in lines:
                self.twice.append(
                    Fault(f"line {line}", key, Said("already set in line %(line)s: keep one of them", line=lines[key]))
                )
            lines[key] = line
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<$"), ["<"])


def _read(path: Path, report: _Report) -> dict[str, Any]:
    where = Said("config file")
    try:
        loader = _Loader(path.read_text(encoding="utf-8-sig"))
        raw = loader.get_single_data()
    except FileNotFoundError:
        cure = Said("there is no such file: write one with `aurevoir init`, or name yours with --config")
        raise ConfigError([Fault(where, str(path), cure)]) from None
    except OSError as error:
        raise ConfigError(
            [Fault(where, str(path), Said("cannot be read: %(reason)s", reason=error.strerror))]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            [Fault(where, str(path), Said("is not UTF-8 text (byte %(byte)s): save it as UTF-8", byte=error.start))]
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else where
        cure = Said("is not YAML: %(problem)s", problem=error.problem or error.context)
        if mark and "${" in (mark.get_snippet() or ""):
            cure = Said('is not YAML: %(problem)s; inside [ ] write "${NAME}" in quotes', problem=error.problem)
        raise ConfigError([Fault(place, "", cure)]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError([Fault(where, str(path), Said("is not YAML: %(problem)s", problem=error))]) from None
    if not isinstance(raw, dict):
        cure = Said("holds no keys: write a new one with `aurevoir init`")
        raise ConfigError([Fault(where, str(path), cure)])
    for number, fault in enumerate(loader.twice):
        report.faults[("", number)] = fault
    return raw


# --- the environment ------------------------------------------------------------------------------------------------


def _fill(value: Any, loc: Loc, environ: Mapping[str, str], report: _Report) -> Any:
    """``value`` with its placeholders replaced. A key with nothing after it counts as not given."""
    report.order[loc] = len(report.order)
    if isinstance(value, dict):
        given = {str(key): one for key, one in value.items() if one is not None}
        return {key: _fill(one, (*loc, key), environ, report) for key, one in given.items()}
    if isinstance(value, list):
        return [_fill(one, (*loc, number), environ, report) for number, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    text = value
    if "${" in value:
        report.shown[loc] = value
        text = _PLACEHOLDER.sub(lambda match: _substitute(match, loc, environ, report), value)
    if _is_secret(loc) and len(text) >= 6:
        report.secrets.add(text)
    return text


def _substitute(match: re.Match[str], loc: Loc, environ: Mapping[str, str], report: _Report) -> str:
    name = match[1]
    if name is None:
        return "${"
    try:
        return _look_up(name, environ)
    except ValueError as error:
        report.add(loc, match[0], str(error))
        return match[0]


def _look_up(name: str, environ: Mapping[str, str]) -> str:
    """What ``${name}`` stands for. Raises ValueError with the cure."""
    if not _NAME.fullmatch(name):
        raise ValueError(Said("write ${NAME} with the name of an environment variable ($${ for a plain ${)"))
    file_name = name if name.endswith("_FILE") else f"{name}_FILE"
    if name in environ and name != file_name:
        if file_name in environ:
            raise ValueError(
                Said(
                    "both %(name)s and %(file_name)s are set in the environment: keep one of them",
                    name=name,
                    file_name=file_name,
                )
            )
        value = environ[name]
    elif file_name in environ:
        try:
            value = Path(environ[file_name]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else Said("not UTF-8 text")
            raise ValueError(
                Said(
                    "%(file_name)s names the file %(file)s, which cannot be read: %(reason)s",
                    file_name=file_name,
                    file=environ[file_name],
                    reason=reason,
                )
            ) from None
    else:
        hint = near(name, [known for known in environ if known not in ("PATH", "HOME")])
        if name == file_name:
            raise ValueError(
                Said(
                    "is not set; %(near)sSet %(name)s in the environment, or in %(file)s beside this file",
                    near=hint,
                    name=name,
                    file=ENV_FILE,
                )
            )
        raise ValueError(
            Said(
                "is not set; %(near)sSet %(name)s in the environment, or in %(file)s beside this file, or %(variable)s "
                "to the path of a file that holds it",
                near=hint,
                name=name,
                file=ENV_FILE,
                variable=file_name,
            )
        )
    if not value:
        raise ValueError(Said("%(name)s is set, but empty", name=name))
    return value


def _is_secret(loc: Loc) -> bool:
    return any(isinstance(part, str) and _SECRET_KEY.search(part) for part in loc)


# --- checks ---------------------------------------------------------------------------------------------------------


def _accounts(filled: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The accounts that can be looked at before the whole has been checked."""
    accounts = filled.get("accounts")
    return {name: one for name, one in accounts.items() if isinstance(one, dict)} if isinstance(accounts, dict) else {}


def _split_vendor(
    filled: dict[str, Any], adapters: Mapping[str, Adapter], report: _Report
) -> dict[str, tuple[type[BaseModel], dict[str, Any]]]:
    """Takes each account's keys for its adapter out of ``filled``; unknown ones are faults."""
    found = {}
    common = [name for name in AccountConfig.model_fields if name != "vendor"]
    for name, account in _accounts(filled).items():
        crm = account.get("crm")
        adapter = adapters.get(crm) if isinstance(crm, str) else None
        if adapter is None and crm is not None:
            cure = Said(
                "there is no such adapter; %(near)sKnown: %(known)s",
                near=near(str(crm), list(adapters)),
                known=", ".join(sorted(adapters)),
            )
            report.add(("accounts", name, "crm"), crm, cure)
        vendor = {key: account.pop(key) for key in list(account) if key not in common}
        if adapter is None:
            continue  # without an adapter nobody knows which of these keys are right
        theirs = [one.alias or key for key, one in adapter.settings_model.model_fields.items()]
        for key in [key for key in vendor if key not in theirs]:
            cure = Said(
                "unknown key; %(near)sKeys here: %(known)s",
                near=near(key, common + theirs),
                known=", ".join(common + theirs),
            )
            del vendor[key]  # its value is not shown: it may be a secret under a misspelt name
            report.add(("accounts", name, key), None, cure)
        found[name] = (adapter.settings_model, vendor)
    return found


def _validate(model: type[M], raw: dict[str, Any], prefix: Loc, report: _Report) -> M | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            loc = as_written(raw, one["loc"])
            if one["type"] == "too_short" and one["input"]:
                continue  # pydantic counts good items alone; the bad ones have faults of their own
            seen = None if one["type"] == "extra_forbidden" else one.get("input")
            report.add(prefix + loc, seen, cure_of(model, loc, dict(one)))
    return None


def _complete(
    settings: Settings, vendors: Mapping[str, BaseModel | None], adapters: Mapping[str, Adapter], report: _Report
) -> dict[str, BaseModel]:
    """The adapters' own settings, with what accounts that are connected in the browser take from the shared app."""
    found: dict[str, BaseModel] = {}
    for name, vendor in vendors.items():
        crm = settings.accounts[name].crm
        adapter, shared = adapters[crm], settings.oauth.get(crm)
        if vendor is None or not isinstance(adapter, Consenting):
            continue
        app = OAuthApp(shared.client_id, shared.client_secret.get_secret_value()) if shared is not None else None
        try:
            found[name] = adapter.consent.complete(vendor, app)
        except ValueError as error:
            report.add(("accounts", name), None, str(error))
    return found


def _check_across(filled: dict[str, Any], folder: Path, adapters: Mapping[str, Adapter], report: _Report) -> None:
    """What no single key can tell."""
    known = [(name, one) for name, one in _accounts(filled).items() if str(one.get("crm")) in adapters]
    for (first, one), (second, other) in combinations(known, 2):
        ids = (str(one.get("account_id")), str(other.get("account_id")))
        if one["crm"] == other["crm"] and "None" not in ids and adapters[one["crm"]].same_account(*ids):
            cure = Said(
                "the account %(first)s has the same one: each CRM account may be set up once", first=repr(first)
            )
            report.add(("accounts", second, "account_id"), ids[1], cure)
    for name, account in _accounts(filled).items():
        entries = account.get("watch")
        for number, watch in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(watch, dict) and not watch.get("not_renewing") and not watch.get("won"):
                cure = Said("name the stages in not_renewing, or in won where only the beginning matters")
                report.add(("accounts", name, "watch", number, "not_renewing"), None, cure)
    oauth = filled.get("oauth")
    for crm in oauth if isinstance(oauth, dict) else ():
        if crm not in adapters:
            cure = Said(
                "there is no such adapter; %(near)sKnown: %(known)s",
                near=near(crm, list(adapters)),
                known=", ".join(sorted(adapters)),
            )
            report.add(("oauth", crm), None, cure)
    for key in ("playbooks_dir", "surveys_dir", "documents_dir"):
        value = filled.get(key)
        if isinstance(value, str) and not (folder / value).is_dir():
            report.add(
                (key,),
                value,
                Said("there is no such folder: make %(folder)s, or leave the key out", folder=folder / value),
            )
    if not isinstance(filled.get("playbooks_dir"), str):  # an admin's own are known only once they have been read
        _check_playbooks(filled, report)


def _check_playbooks(filled: dict[str, Any], report: _Report) -> None:
    """Name unknown playbooks together with all other faults; what else must fit is said when the library is read."""
    known = sorted(shipped_playbooks())
    for name, one in _accounts(filled).items():
        for key in ("playbook", "save_playbook", "baseline_playbook"):
            chosen = one.get(key)
            if isinstance(chosen, str) and chosen not in known:
                cure = Said(
                    "there is no such playbook; %(near)sKnown: %(known)s",
                    near=near(chosen, known),
                    known=", ".join(known),
                )
                report.add(("accounts", name, key), chosen, cure)


def _anchored(settings: Settings, folder: Path) -> dict[str, Any]:
    """The settings that hold paths, with relative ones taken from ``folder``."""
    url = make_url(settings.database_url)
    changed: dict[str, Any] = {
        key: folder.resolve() / value
        for key in ("playbooks_dir", "surveys_dir", "documents_dir")
        if (value := getattr(settings, key)) is not None
    }
    if url.drivername == "sqlite" and url.database:
        url = url.set(database=str(folder.resolve() / url.database))
        changed["database_url"] = url.render_as_string(hide_password=False)
    return changed
