"""``aurevoir cases``: what an admin does with single cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector.cli_base import AccountName, AsJson, Config, chosen, print_json, short_runtime

cases_app = typer.Typer(help="Look after single cases.", invoke_without_command=True, rich_markup_mode=None)

CaseId = Annotated[str, typer.Argument(metavar="ID", help="The case, by the beginning of its id.")]


@cases_app.callback()
def _cases(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_cases(context)


@cases_app.command("list")
def list_cases(
    context: typer.Context,
    account: AccountName = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only cases that are still open.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List cases, the newest first."""
    from connector.cli_print import print_cases
    from connector.store import cases

    with short_runtime(context, config) as runtime, runtime.store.read() as session:
        name = chosen(runtime, account)[0] if account else None
        found = cases.listing(session, account=name, open_only=open_only)
    if as_json:
        print_json([case.model_dump(mode="json", exclude={"written"}) for case in found])
    else:
        print_cases(found)


@cases_app.command()
def show(context: typer.Context, case_id: CaseId, as_json: AsJson = False, config: Config = None) -> None:
    """Show one case: its steps, what failed, and what was done and why."""
    from connector.casework import find
    from connector.cli_print import case_as_json, print_case
    from connector.store import cases, intents

    with short_runtime(context, config) as runtime:
        case = find(runtime, case_id)
        with runtime.store.read() as session:
            events, refused = cases.events(session, case.id), intents.refused(session, case_id=case.id)
    if as_json:
        print_json(case_as_json(case, events, refused))
    else:
        print_case(case, events, refused)


@cases_app.command()
def pause(context: typer.Context, case_id: CaseId, config: Config = None) -> None:
    """Write nothing more for a case until it is resumed."""
    _change_case(context, config, "pause", case_id, "{} is paused.")


@cases_app.command()
def resume(context: typer.Context, case_id: CaseId, config: Config = None) -> None:
    """Let a paused case go on where it was."""
    _change_case(context, config, "resume", case_id, "{} goes on.")


@cases_app.command()
def cancel(context: typer.Context, case_id: CaseId, config: Config = None) -> None:
    """End a case: open tasks are closed with a note, survey links stop working."""
    _change_case(context, config, "cancel", case_id, "{} is cancelled.")


@cases_app.command()
def retry(context: typer.Context, case_id: CaseId, config: Config = None) -> None:
    """Send again what the CRM refused of a case, and nothing else."""
    _change_case(context, config, "retry", case_id, "{}: refused writes are sent again at the next look.")


def _change_case(context: typer.Context, config: Path | None, what: str, case_id: str, told: str) -> None:
    from connector import casework

    with short_runtime(context, config) as runtime:
        case = getattr(casework, what)(runtime, case_id)
    typer.echo(told.format(f"Case {case.id[:8]} ({case.deal_name or case.deal_id})"))
