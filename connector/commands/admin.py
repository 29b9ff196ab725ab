"""``aurevoir admin``: who may sign in to the console. Only someone on this machine can make an admin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector.commands.base import AsJson, Config, print_json, short_runtime

if TYPE_CHECKING:
    from connector.admins import Admins
    from connector.bootstrap import Runtime

admin_app = typer.Typer(help="Say who may sign in to the console.", no_args_is_help=True, rich_markup_mode=None)

Mail = Annotated[str, typer.Argument(metavar="EMAIL", help="The admin's e-mail address.")]
Link = Annotated[bool, typer.Option("--link", help="Print a link that sets the password, instead of asking for it.")]


@admin_app.command()
def add(context: typer.Context, email: Mail, link: Link = False, config: Config = None) -> None:
    """Let someone sign in to the console.

    Asks for a password; or prints a link, good once and for a day, with which they set their own.
    """
    with _admins(context, config) as (runtime, admins):
        password = _asked(email, link)
        admins.add(email)
        _give(runtime, admins, email, password)


@admin_app.command()
def reset(context: typer.Context, email: Mail, link: Link = False, config: Config = None) -> None:
    """Give an admin a new password; all their browsers are signed out."""
    with _admins(context, config) as (runtime, admins):
        _give(runtime, admins, email, _asked(email, link))


@admin_app.command()
def remove(context: typer.Context, email: Mail, config: Config = None) -> None:
    """Take the console away from someone, at once."""
    with _admins(context, config) as (_, admins):
        admins.remove(email)
    typer.echo(f"{email} is no admin any more, and is signed out everywhere.")


@admin_app.command("list")
def list_admins(context: typer.Context, as_json: AsJson = False, config: Config = None) -> None:
    """Say who may sign in, and when they last did."""
    with _admins(context, config) as (_, admins):
        rows = [
            {"email": row.email, "password": row.password is not None, "signed_in_at": row.signed_in_at}
            for row in admins.listing()
        ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        last = f"{row['signed_in_at']:%Y-%m-%d %H:%M} UTC" if row["signed_in_at"] else "never"
        typer.echo(f"{row['email']:<40} last signed in: {last}{'' if row['password'] else ' (no password yet)'}")
    if not rows:
        typer.echo("Nobody yet: `aurevoir admin add you@example.com`")


@contextmanager
def _admins(context: typer.Context, config: Path | None) -> Iterator[tuple[Runtime, Admins]]:
    from connector.admins import Admins

    with short_runtime(context, config) as runtime:
        yield runtime, Admins(runtime.store, runtime.clock)


def _asked(email: str, link: bool) -> str | None:
    """The password, asked for twice on the terminal; None where a link is to be given."""
    if link or not sys.stdin.isatty():
        return None
    from connector.admins import require_good

    password: str = typer.prompt("Password (12 characters or more)", hide_input=True, confirmation_prompt=True)
    require_good(password, email)
    return password


def _give(runtime: Runtime, admins: Admins, email: str, password: str | None) -> None:
    console = f"{runtime.settings.server.public_url}/console/"
    if password is not None:
        admins.set_password(email, password)
        typer.echo(f"{email} can sign in at {console}")
        return
    token, until = admins.invite(email)
    typer.echo(f"Good once, and until {until:%Y-%m-%d %H:%M} UTC; whoever opens it becomes {email}:")
    typer.echo(f"{console}welcome/{token}")
