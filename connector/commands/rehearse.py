"""``aurevoir rehearse``: what would have been done with last year's lost deals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector.commands.base import AsJson, Config, day


def rehearse_command(
    context: typer.Context,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Which account.")],
    since: Annotated[str, typer.Option(metavar="DATE", help="First day of the period.")],
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Last day.  [default: today]")] = None,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write it to a file: .html, .csv or .json.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="en|fr", help="Language of the file.  [default: the account's]")
    ] = None,
    config: Config = None,
) -> None:
    """Show what would have been done with past endings.

    Plays every deal that was lost in the period through the planner, as it was then. Writes nothing to the CRM.
    """
    from connector.commands.base import chosen, print_json, short_runtime
    from connector.commands.print_rehearsal import print_rehearsal, progress
    from connector.rehearsal import NoRehearsalError, rehearse_account
    from connector.rehearsal_file import check_file, write_file
    from connector.store import doings

    first, last = day(since, "--since"), day(until, "--until") if until is not None else None
    try:
        if out is not None:
            check_file(out, language)
        with short_runtime(context, config) as runtime:
            (name,) = chosen(runtime, account)
            with progress() as on_progress:
                made = rehearse_account(runtime, name, first, last, on_progress)
            with runtime.store.write() as session:
                doings.rehearsed(session, name, runtime.clock.now())
        if out is not None:
            write_file(made, out, language)
    except NoRehearsalError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        print_json(made.as_json())
    else:
        print_rehearsal(made)
        if out is not None:
            typer.echo(f"Written to {out}.")
