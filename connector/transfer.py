"""Carrying a set-up from one account to another (P-78): one text file, with names in place of ids.

What goes along: an account's settings, playbooks and questionnaires of the admin's own, how long things are kept. What
does not: credentials, addresses, ids of accounts, and anything of a customer.
"""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, SecretStr

from adapters.errors import ConfigError, Fault
from connector.account import Account
from connector.account_settings import AccountConfig
from connector.bootstrap import Runtime
from connector.config import _SECRET_KEY, read_raw
from connector.config_cures import model_in
from connector.config_edit import Change, Place, at, change_file, literal, plain, rewritten
from connector.library import Library
from connector.resolve import resolve_rules
from connector.settings import Settings
from connector.source import Source
from connector.values import near
from workflows.records import Pipeline

FORMAT = 1
SANDBOX_MAIL = ".invalid"
"""What a CRM may append to users' addresses in its sandboxes, so that no mail leaves them."""
_THEIRS = frozenset({"crm", "account_id", "vendor"})
"""What says which account it is: it stays where it is."""
_FOLDERS = {"playbooks": "playbooks_dir", "surveys": "surveys_dir", "documents": "documents_dir"}
_KINDS = (".yaml", ".yml", ".docx")
_STAGES = ("negotiating", "not_renewing", "renewed", "won")


# --- export ---------------------------------------------------------------------------------------------------------


def export(runtime: Runtime, names: Sequence[str]) -> str:
    """The set-up of these accounts as a text file. Reads pipelines of the CRM to give stages their names.

    Raises :class:`~adapters.errors.AdapterError` when they cannot be read.
    """
    settings = runtime.settings
    content: dict[str, Any] = {
        "aurevoir": FORMAT,
        "exported_at": runtime.clock.now().astimezone(UTC).isoformat(timespec="seconds"),
        "accounts": {name: _account(runtime.accounts[name]) for name in names},
    }
    if "retention" in settings.model_fields_set:
        content["retention"] = settings.retention.model_dump(mode="json", exclude_unset=True)
    for what, key in _FOLDERS.items():
        if texts := _texts(getattr(settings, key)):
            content[what] = texts
    head = (
        "# A set-up of Aurevoir: names in place of ids, no secrets, no customers. Take it in with `aurevoir import`.\n"
    )
    return head + _dump(content)


def _account(account: Account) -> dict[str, Any]:
    config = account.config
    told = config.model_dump(mode="json", exclude_unset=True, exclude=set(_THEIRS))
    told = _without_secrets(told)
    told["watch"] = [_watch(watch, account.pipelines()) for watch in told.get("watch", ())]
    return {"crm": config.crm, **told, **dict(_vendor(config.vendor))}


def _watch(watch: dict[str, Any], pipelines: Sequence[Pipeline]) -> dict[str, Any]:
    chosen = [one for one in pipelines if watch.get("pipeline") in (None, one.id, one.label)]
    named = dict(watch)
    if watch.get("pipeline") is not None:
        named["pipeline"] = _label(watch["pipeline"], pipelines)
    stages = [stage for pipeline in chosen for stage in pipeline.stages]
    for group in _STAGES:
        if group in watch:
            named[group] = [_label(one, stages) for one in watch[group]]
    return named


def _label(said: str, known: Sequence[Any]) -> str:
    """The name for an id, where no other one has the same name."""
    label = next((one.label for one in known if one.id == said), said)
    ids = {one.id for one in known if one.label.casefold() == label.casefold()}
    return label if len(ids) <= 1 else said


def _vendor(vendor: Any) -> Iterator[tuple[str, Any]]:
    """The adapter's own keys that are neither secret nor say where the account is."""
    if not isinstance(vendor, BaseModel):
        return
    dumped = vendor.model_dump(mode="json", exclude_unset=True, by_alias=True)
    for name, about in type(vendor).model_fields.items():
        key = about.alias or name
        if key in dumped and not _is_theirs(key, about.annotation):
            yield key, dumped[key]


def _is_theirs(key: str, annotation: Any) -> bool:
    secret = _is_secret(annotation) or bool(_SECRET_KEY.search(key))
    return secret or key.endswith(("_url", "_id", "_user", "username"))


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in get_args(annotation)


def _secret_places(model: type[BaseModel]) -> Iterator[Place]:
    """Where a model holds secrets, however deep."""
    for key, about in model.model_fields.items():
        if _is_secret(about.annotation):
            yield (key,)
        elif (inner := model_in(about.annotation)) is not None:
            yield from ((key, *rest) for rest in _secret_places(inner))


def _without_secrets(told: Mapping[str, Any]) -> dict[str, Any]:
    """The account's own keys but for secrets that stand below them."""
    kept = dict(told)
    for place in _secret_places(AccountConfig):
        kept = _with(kept, place, None)
    return kept


def _with(node: Mapping[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """A copy with this value at a place, where what leads there exists; None takes the key out."""
    made = dict(node)
    key, *rest = place
    if rest:
        if isinstance(made.get(key), Mapping):
            made[key] = _with(made[key], tuple(rest), value)
    elif value is not None:
        made[key] = value
    else:
        made.pop(key, None)
    return made


def _texts(folder: Path | None) -> dict[str, str | bytes]:
    """What the admin put into a folder of documents; YAML as text, layouts as they are."""
    if folder is None or not folder.is_dir():
        return {}
    files = [path for path in sorted(folder.iterdir()) if path.suffix in _KINDS]
    return {path.name: path.read_bytes() if path.suffix == ".docx" else path.read_text("utf-8") for path in files}


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, which people can read."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)


def _dump(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)


# --- import ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transfer:
    """What an import would do. ``difference`` is empty when the set-up is the same already.

    ``files``: own playbooks and questionnaires by path. ``notes`` are worth reading.
    """

    account: str
    changes: tuple[Change, ...]
    files: Mapping[Path, str | bytes]
    difference: str
    notes: tuple[str, ...] = ()


@dataclass
class _Plan:
    changes: list[Change] = field(default_factory=list)
    files: dict[Path, str | bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)


def plan(runtime: Runtime, source: Source, text: str, account: str, taken: str | None = None) -> Transfer:
    """What taking the set-up in the file into ``account`` means; nothing is written.

    ``taken``: which of the file's accounts. Raises :class:`~adapters.errors.ConfigError` with everything in it that the
    account does not have, and what it has instead.
    """
    content = _read(text)
    given = _chosen(content, account, taken)
    target = runtime.accounts[account]
    if given.get("crm") != target.config.crm:
        cure = (
            f"{account} is an account of {target.config.crm}: a set-up goes from one account to another of the same CRM"
        )
        raise ConfigError([Fault("crm", str(given.get("crm")), cure)])
    raw = read_raw(source.path)
    made = _Plan()
    wanted = _people_here(target, _without_secrets(_ours(target, given, made.notes)), made.notes)
    present = _account(target)
    _settings(raw, account, wanted, present, made)
    if isinstance(content.get("retention"), Mapping):
        _set(raw, ("retention",), _as_said(content["retention"]), made)
    _documents(raw, source, runtime.settings, content, made)
    _check(source, raw, target, made)
    before = _dump(present)
    after = _dump({"crm": target.config.crm, **wanted})
    made.shown.insert(0, _difference(f"accounts.{account}", before, after))
    return Transfer(account, tuple(made.changes), made.files, "".join(made.shown), tuple(made.notes))


def apply(runtime: Runtime, source: Source, transfer: Transfer) -> Settings:
    """Write it: first the files, then the settings in one step; gives the settings as they are then.

    Where the settings cannot be written the files are put back. Raises as :func:`connector.config_edit.change_file`.
    """
    before = {path: path.read_bytes() if path.is_file() else None for path in transfer.files}
    try:
        for path, content in transfer.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_as_bytes(content))
        return change_file(source, runtime.store, transfer.changes)
    except BaseException:
        for path, former in before.items():
            if former is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(former)
        raise


def _read(text: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError([Fault("set-up file", "", f"is not YAML: {error}")]) from None
    if not isinstance(content, dict) or content.get("aurevoir") != FORMAT:
        cure = f"is no set-up that this version can read (aurevoir: {FORMAT}): make one with `aurevoir export`"
        raise ConfigError([Fault("set-up file", "", cure)])
    return content


def _chosen(content: Mapping[str, Any], account: str, taken: str | None) -> dict[str, Any]:
    found = content.get("accounts")
    held = {str(name): one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}
    name = taken or (account if account in held else next(iter(held)) if len(held) == 1 else None)
    if name not in held:
        hint = near(name, list(held)) if name else ""
        cure = f"{hint}name one of its accounts with --from: {', '.join(held) or 'it has none'}"
        raise ConfigError([Fault("set-up file", name or "", cure)])
    return dict(held[name])


def _ours(target: Account, given: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """What a file may say. Credentials and addresses are this account's own: a file could send its token elsewhere."""
    vendor = target.adapter.settings_model.model_fields
    theirs = {
        about.alias or name for name, about in vendor.items() if _is_theirs(about.alias or name, about.annotation)
    }
    notes.extend(f"{key} stays as it is here, whatever the file says" for key in given if key in theirs)
    return {key: value for key, value in given.items() if key not in _THEIRS | theirs}


def _as_said(value: Any) -> Any:
    """A value whose texts are taken word for word: a file from elsewhere fills in nothing from the environment."""
    if isinstance(value, Mapping):
        return {key: _as_said(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_said(one) for one in value]
    return literal(value) if isinstance(value, str) else value


def _people_here(target: Account, wanted: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """The same people under the addresses that they have here: sandboxes spell them in a way of their own."""
    known = {user.email.casefold() for user in target.users().values() if user.email}

    def here(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: here(one) for key, one in value.items()}
        if isinstance(value, list):
            return [here(one) for one in value]
        if not isinstance(value, str) or "@" not in value or value.casefold() in known:
            return value
        other = value.removesuffix(SANDBOX_MAIL) if value.endswith(SANDBOX_MAIL) else value + SANDBOX_MAIL
        if other.casefold() not in known:
            return value
        notes.append(f"{value} is {other} here")
        return other

    return {key: here(value) for key, value in wanted.items()}


def _settings(
    raw: Mapping[str, Any], account: str, wanted: Mapping[str, Any], present: Mapping[str, Any], made: _Plan
) -> None:
    """Set what the file has, and take out what it does not: afterwards both are set up alike.

    What says the same already, in other words (one name in place of a list of one, an id in place of a name), stays.
    """
    now = at(raw, ("accounts", account)) or {}
    common = set(AccountConfig.model_fields) - _THEIRS
    meant = _as_said(wanted)
    for place in _secret_places(AccountConfig):
        meant = _with(meant, place, at(now, place))
    for key in [*wanted, *(key for key in now if key in common and key not in wanted)]:
        if key not in wanted or wanted[key] != present.get(key):
            _set(raw, ("accounts", account, key), meant.get(key), made)


def _set(raw: Mapping[str, Any], place: tuple[str, ...], value: Any, made: _Plan) -> None:
    seen = at(raw, place)
    if plain(value) != seen:
        made.changes.append(Change(place, value, seen))


def _documents(
    raw: Mapping[str, Any], source: Source, settings: Settings, content: Mapping[str, Any], made: _Plan
) -> None:
    for what, key in _FOLDERS.items():
        texts = content.get(what)
        if not isinstance(texts, Mapping) or not texts:
            continue
        folder = getattr(settings, key)
        if folder is None:
            folder = source.path.resolve().parent / what
            made.changes.append(Change((key,), what, at(raw, (key,))))
        for name, text in texts.items():
            path = folder / Path(str(name)).name
            before, after = path.read_bytes() if path.is_file() else b"", _as_bytes(text)
            if path.suffix not in _KINDS or before == after:
                continue
            made.files[path] = after
            if path.suffix == ".docx":
                made.shown.append(f"{what}/{path.name}: {len(before)} bytes now, {len(after)} after\n")
            else:
                made.shown.append(_difference(f"{what}/{path.name}", before.decode("utf-8", "replace"), after.decode()))


def _as_bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else str(content).encode()


def _difference(name: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"{name} now", f"{name} after", n=2
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def _check(source: Source, raw: Mapping[str, Any], target: Account, made: _Plan) -> None:
    """Everything that does not fit this account, at once: settings, playbooks, then every name."""
    with _as_if_written(source, raw, made) as settings:
        Library(settings)
        config = settings.accounts[target.name]
    faults: list[Fault] = []
    try:
        resolve_rules(target.name, config, target.pipelines(), tuple(target.users().values()), None)
    except ConfigError as error:
        faults += error.faults
    faults += _unknown_fields(target, config)
    if faults:
        raise ConfigError(faults)


def _unknown_fields(target: Account, config: AccountConfig) -> Iterator[Fault]:
    """Deal fields that the account does not have."""
    known = {one.name for one in target.crm().deal_fields()}
    figures = [name for kind, _, name in (figure.partition(".") for figure in config.fields.figures) if kind == "deal"]
    named = [(key, getattr(config.fields, key)) for key in ("contract_end", "exit_reason", "exit_rights")]
    for key, name in [*named, *(("figures", figure) for figure in figures)]:
        if name is not None and name.casefold() not in {one.casefold() for one in known}:
            cure = f"deals have no such field here; {near(name, sorted(known))}create it, or name another"
            yield Fault(f"accounts.{target.name}.fields.{key}", name, cure)


@contextmanager
def _as_if_written(source: Source, raw: Mapping[str, Any], made: _Plan) -> Iterator[Settings]:
    """The settings that would follow, with documents in a folder that goes away again."""
    here = source.path.resolve().parent
    with tempfile.TemporaryDirectory(prefix="aurevoir-import-") as name:
        changes = list(made.changes)
        for what, key in _FOLDERS.items():
            folder = here / str(at(raw, (key,)) or what)
            files = {path.name: text for path, text in made.files.items() if path.parent == folder}
            if files:
                changes = [change for change in changes if change.place != (key,)]
                changes.append(Change((key,), str(_staged(Path(name) / what, folder, files)), at(raw, (key,))))
        draft = Path(name) / "config.yaml"
        draft.write_text(rewritten(source.path.read_text("utf-8-sig"), raw, changes), encoding="utf-8")
        yield source.load_from(draft)


def _staged(staged: Path, present: Path, files: Mapping[str, str | bytes]) -> Path:
    """A copy of a folder with documents, with these put into it."""
    staged.mkdir()
    for path in present.iterdir() if present.is_dir() else ():
        if path.suffix in _KINDS:
            shutil.copy(path, staged / path.name)
    for file, content in files.items():
        (staged / file).write_bytes(_as_bytes(content))
    return staged
