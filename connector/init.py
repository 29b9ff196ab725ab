"""Writes an admin's first configuration: config.yaml, and beside it the file that holds its secrets."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.errors import ConfigError, Fault
from adapters.port import Adapter
from connector.config import ENV_FILE
from connector.config_text import config_text, placeholders

_HEAD = """\
# Secrets for the configuration beside this file; what the environment sets wins. Keep it to yourself (mode 600),
# out of version control, and in your back-ups: without the secret key, stored tokens and sent survey links are lost.
"""


@dataclass(frozen=True)
class Written:
    """What :func:`write_first_config` wrote. ``to_fill`` names what is still empty."""

    config: Path
    env_file: Path
    to_fill: tuple[str, ...]
    accounts: bool = True


def write_first_config(path: Path, adapters: Mapping[str, Adapter]) -> Written:
    """Write a commented configuration for these adapters, and ``aurevoir.env`` with a new secret key.

    Without adapters there is no account in it: they are added in the console.
    Raises :class:`~adapters.errors.ConfigError` rather than overwrite anything.
    """
    env_file = path.parent / ENV_FILE
    faults = [
        Fault(what, str(one), "exists already and is left as it is: name another path, or move it away")
        for what, one in (("config file", path), ("environment file", env_file))
        if one.exists()
    ]
    if not path.parent.is_dir():
        faults.append(Fault("config file", str(path), f"there is no folder {path.parent}: make it first"))
    if faults:
        raise ConfigError(faults)
    text = config_text(adapters)
    names = placeholders(text)
    if not adapters:
        text = text.replace("\naccounts:\n", "\naccounts: {}\n").replace("\n#oauth: {}\n", "\n")
    lines = [f"{name}={secrets.token_urlsafe(48) if name == 'AUREVOIR_SECRET_KEY' else ''}" for name in names]
    _write(env_file, _HEAD + "\n".join(lines) + "\n", 0o600)
    _write(path, text, 0o644)
    to_fill = tuple(name for name in names if name != "AUREVOIR_SECRET_KEY")
    return Written(path, env_file, to_fill, accounts=bool(adapters))


def _write(path: Path, text: str, mode: int) -> None:
    """Write a file that did not exist; it is never open to others, not even for a moment."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError([Fault("file", str(path), f"cannot be written: {error.strerror}")]) from None
