"""What every command shares: its options, the settings, the parts that it needs, and how it prints.

Nothing heavy is imported here: a command pays for the imports that it needs, and ``--help`` for none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from adapters.port import Adapter
    from connector.bootstrap import Runtime
    from connector.settings import Settings
    from connector.source import Source

NOT_WELL = 1
WRONG_USE = 2
MORE = "More"
"""The help panel of commands that are seldom needed: named together at the end, so that the help fits a screen."""

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The settings.  [default: config.yaml, or AUREVOIR_CONFIG]"),
]
AccountName = Annotated[str | None, typer.Option("--account", metavar="NAME", help="Only this account.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Commands(TyperGroup):
    """The commands, each with what it does; those of the panel MORE by name alone."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List them. (Typer brings a copy of Click of its own, whose types it does not name for others.)"""
        shown = {name: command for name in self.list_commands(ctx) if not (command := self.commands[name]).hidden}
        more = [name for name, command in shown.items() if getattr(command, "rich_help_panel", None) == MORE]
        limit = formatter.width - 6 - max(map(len, shown), default=0)
        with formatter.section("Commands"):
            formatter.write_dl([(n, c.get_short_help_str(limit)) for n, c in shown.items() if n not in more])
        if more:
            with formatter.section("More, each with --help"):
                formatter.write_text(", ".join(more))


def day(text: str, option: str) -> date:
    """The day that an option gives. Raises :class:`typer.BadParameter` with how to write it."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day: write it as 2026-01-31", param_hint=option) from None


def known_adapters() -> Mapping[str, Adapter]:
    """The installed adapters, by the CRM's name; each is loaded when it is asked for."""
    from connector.bootstrap import Adapters

    return Adapters()


def settings_of(context: typer.Context, config: Path | None) -> Settings:
    """The settings of the file that is named here, before the command, or by AUREVOIR_CONFIG.

    Raises:
        ConfigError: with all faults.
    """
    return source_of(context, config).load()


def source_of(context: typer.Context, config: Path | None) -> Source:
    """The same file, to be read again when it changes."""
    from connector.source import Source

    given = config or context.find_root().obj or os.environ.get("AUREVOIR_CONFIG") or "config.yaml"
    return Source(Path(given), known_adapters(), os.environ)


@contextmanager
def short_runtime(context: typer.Context, config: Path | None) -> Iterator[Runtime]:
    """The parts for a short command: nothing is started. A new SQLite database gets its tables."""
    from connector import logging as our_logging
    from connector.bootstrap import build

    our_logging.set_up(as_json=False, level=os.environ.get("AUREVOIR_LOG_LEVEL", "ERROR"))
    source = source_of(context, config)
    runtime = build(source.load(), adapters=source.adapters, source=source)
    with in_words(runtime):
        if runtime.store.is_sqlite and runtime.store.schema_version() is None:
            runtime.store.upgrade(now=runtime.clock.now())
        runtime.store.require_current()
        yield runtime


@contextmanager
def in_words(runtime: Runtime) -> Iterator[None]:
    """Gives everything back at the end; the database's trouble is told in words."""
    from connector.bootstrap import cannot_be_used
    from connector.store.database import AWAY

    try:
        yield
    except AWAY as error:
        raise cannot_be_used(runtime.store, error) from None
    finally:
        runtime.close()


def chosen(runtime: Runtime, account: str | None) -> list[str]:
    """The account that was named, or all. Wrong use when there is none of that name."""
    if account is None:
        return list(runtime.accounts)
    if account not in runtime.accounts:
        known = ", ".join(runtime.accounts)
        raise typer.BadParameter(f"there is no account {account!r}; known: {known}", param_hint="--account")
    return [account]


def print_json(value: Any) -> None:
    """Print a value for a script; what JSON has no word for is printed as its text."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
