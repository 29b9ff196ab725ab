"""``aurevoir figures``: what the endings of an account teach, in the terminal, as JSON or for a spreadsheet (P-44)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector.commands.base import AccountName, AsJson, Config, chosen, day, print_json, short_runtime

if TYPE_CHECKING:
    from connector.bootstrap import Runtime
    from workflows.figures import Figures


def figures_command(
    context: typer.Context,
    account: AccountName = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Cases opened from this day on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Cases opened before this day.")] = None,
    to_csv: Annotated[
        Path | None, typer.Option("--csv", metavar="DIR", help="Write a CSV file a table into this folder.")
    ] = None,
    language: Annotated[str, typer.Option(metavar="en|fr", help="Language of the headings.")] = "en",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show reasons, scores, response, saves and returns.

    Below ten answers there are counts and no percentages. Reads the database
    only; the CRM is not called.
    """
    begin = day(since, "--since") if since is not None else None
    end = day(until, "--until") if until is not None else None
    if begin and end and begin >= end:
        raise typer.BadParameter("it must be later than --since", param_hint="--until")
    with short_runtime(context, config) as runtime:
        found = {name: figures_of(runtime, name, begin, end) for name in chosen(runtime, account)}
    if to_csv is not None:
        for name, figures in found.items():
            _write(to_csv if len(found) == 1 else to_csv / name, figures, language)
    if as_json:
        print_json({name: as_plain(figures) for name, figures in found.items()})
    elif to_csv is None:
        from connector.commands.print_figures import print_figures

        if not found:
            typer.echo("No account is set up yet, so there are no figures.")
        for name, figures in found.items():
            print_figures(name, figures, language)


def figures_of(runtime: Runtime, name: str, since: date | None = None, until: date | None = None) -> Figures:
    """The figures of one account, days in its own zone."""
    from connector.figures import gather
    from workflows.dates import zone

    tz = zone(runtime.accounts[name].config.time_zone)
    with runtime.store.read() as session:
        return gather(session, name, runtime.library.questionnaires, runtime.clock.now(), tz, since, until)


def as_plain(figures: Figures) -> dict[str, object]:
    """For scripts: the tables with stable names, and the numbers as they are."""
    return figures.model_dump(mode="json")


def _write(folder: Path, figures: Figures, language: str) -> None:
    from workflows.figure_tables import csv_text, tables

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables(figures, language):
            (folder / f"{table.name}.csv").write_text(csv_text(table, language), encoding="utf-8", newline="")
    except OSError as error:
        cure = f"{folder} cannot be written: {error.strerror}"
        raise typer.BadParameter(cure, param_hint="--csv") from None
    typer.echo(f"Wrote {len(tables(figures))} tables into {folder}")
