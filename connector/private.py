"""Files that nobody else on this machine may read: a process that stays refuses to start while they can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from adapters.errors import ConfigError, Fault
from adapters.results import Said
from connector.config import _SECRET_KEY
from connector.store import Store

OTHERS = 0o007


def require_private(config: Path, store: Store) -> None:
    """Raise :class:`~adapters.errors.ConfigError` when any user of this machine can read customers' answers or secrets.

    That is the SQLite file with what lies beside it, and a config.yaml with secrets in it. (The environment file is
    looked at whenever it is read.)
    """
    faults = [*_database(store), *_config(config)]
    if faults:
        raise ConfigError(faults)


def open_to_others(path: Path) -> bool:
    """Whether any user of this machine may read or change the file."""
    try:
        return bool(path.stat().st_mode & OTHERS)
    except OSError:
        return False


def _database(store: Store) -> Iterator[Fault]:
    if store.path is None:
        return
    beside = (store.path, *(store.path.with_name(store.path.name + end) for end in ("-wal", "-shm")))
    exposed = [str(path) for path in beside if open_to_others(path)]
    if exposed:
        cure = Said(
            "any user of this machine may read what customers answered: chmod 600 %(files)s", files=" ".join(exposed)
        )
        yield Fault("database_url", str(store.path), cure)


def _config(path: Path) -> Iterator[Fault]:
    if not open_to_others(path):
        return
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError):
        return  # whoever reads the settings says so
    keys = sorted(set(_literal_secrets(raw)))
    if keys:
        cure = Said(
            "it holds secrets (%(keys)s) that any user of this machine may read: chmod 600 %(file)s, or put them into "
            "aurevoir.env and write ${NAME} here",
            keys=", ".join(keys),
            file=path,
        )
        yield Fault(Said("config file"), str(path), cure)


def _literal_secrets(value: Any, key: str = "") -> Iterator[str]:
    """Names of keys that hold a secret itself, and not the name of a variable."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _literal_secrets(one, str(name))
    elif isinstance(value, list):
        for one in value:
            yield from _literal_secrets(one, key)
    elif isinstance(value, str) and value and "${" not in value and _SECRET_KEY.search(key):
        yield key
