"""``aurevoir cases``: what an admin does with single cases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector.commands.base import NOT_WELL, AccountName, AsJson, Config, chosen, print_json, short_runtime

if TYPE_CHECKING:
    from workflows.cases import Case

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
    from connector.commands.print import print_cases
    from connector.store import case_search, cases, pauses

    with short_runtime(context, config) as runtime, runtime.store.read() as session:
        name = chosen(runtime, account)[0] if account else None
        found = cases.listing(session, account=name, open_only=open_only)
        held = {(one, key) for one in runtime.accounts for key in pauses.playbooks(session, one)}
        resting = pauses.accounts_paused(session)
        settles = case_search.settles_at(session, [case.id for case in found])
    if as_json:
        print_json(
            [case.model_dump(mode="json", exclude={"written"}) | {"settles_at": settles.get(case.id)} for case in found]
        )
    else:
        print_cases(found, held, settles, resting)


@cases_app.command()
def show(context: typer.Context, case_id: CaseId, as_json: AsJson = False, config: Config = None) -> None:
    """Show one case: its steps, what failed, and what was done and why."""
    from connector.casework import find
    from connector.commands.print import case_as_json, print_case
    from connector.store import cases, intents

    with short_runtime(context, config) as runtime:
        case = find(runtime, case_id)
        with runtime.store.read() as session:
            events, refused = cases.events(session, case.id), intents.refused(session, case_id=case.id)
        account = runtime.accounts.get(case.account)
        users = account.users_at_hand() if account is not None else {}
    if as_json:
        print_json(case_as_json(case, events, refused))
    else:
        print_case(case, events, refused, {user.id: user.name for user in users.values()})


@cases_app.command("log")
def show_log(
    context: typer.Context,
    record: Annotated[str, typer.Argument(metavar="RECORD", help="Its id in the CRM, or such as contact:151.")],
    account: AccountName = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show what was done to one record: a deal, company, contact, task or note."""
    from connector.commands.print import log_as_json, print_log
    from connector.store import record_log

    kind, _, record_id = record.rpartition(":")
    if kind and kind not in record_log.KINDS:
        raise typer.BadParameter(f"there is no kind {kind!r}; there are: {', '.join(record_log.KINDS)}")
    with short_runtime(context, config) as runtime, runtime.store.read() as session:
        name = chosen(runtime, account)[0] if account else None
        events = record_log.of_record(session, record_id, kind=kind, account=name)
    if as_json:
        print_json([{"account": one.account, "case": one.case_id, **log_as_json(one)} for one in events])
    else:
        print_log(record, events)


@cases_app.command("failed")
def list_failed(
    context: typer.Context, account: AccountName = None, as_json: AsJson = False, config: Config = None
) -> None:
    """List everything that failed: why, since when, and for which deal.

    Ends with 1 if there is anything.
    """
    from connector.commands.print_operations import print_failed
    from connector.operations import all_failed

    with short_runtime(context, config) as runtime:
        found = list(all_failed(runtime, chosen(runtime, account) if account else None))
    if as_json:
        print_json([one.as_json() for one in found])
    else:
        print_failed(found)
    raise typer.Exit(NOT_WELL if found else 0)


@cases_app.command()
def start(
    context: typer.Context,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Which account.")],
    deal: Annotated[str, typer.Option("--deal", metavar="ID", help="The deal's id in the CRM.")],
    config: Config = None,
) -> None:
    """Start the case of one deal by hand, even if it ended before the switch-on.

    The deal must be in a stage that you watch. `aurevoir preview` shows the plan before.
    """
    from connector import casework

    with short_runtime(context, config) as runtime:
        (name,) = chosen(runtime, account)
        told = casework.start_now(runtime, name, deal)
    typer.echo(told)


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
    from connector import casework

    with short_runtime(context, config) as runtime:
        done = casework.retry(runtime, case_id)
    name = _named(done.case)
    if done.again:
        typer.echo(f"{name}: refused writes are sent again at the next look.")
    if done.outdated:
        typer.echo(f"{name}: {done.outdated} not sent again and listed no longer: {casework.NEWER}.")


@cases_app.command()
def leave(context: typer.Context, case_id: CaseId, config: Config = None) -> None:
    """Leave what the CRM refused of a case unwritten, and list it no longer."""
    _change_case(context, config, "leave", case_id, "{}: what was refused is left as it is.")


@cases_app.command()
def move(
    context: typer.Context,
    case_id: CaseId,
    playbook: Annotated[
        str | None, typer.Option("--playbook", metavar="KEY", help="To this one.  [default: its own, newest version]")
    ] = None,
    with_past: Annotated[bool, typer.Option("--with-past", help="Also make up for steps of long ago.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Move a running case to the newest version of its playbook.

    Shows the difference first, and asks. Tasks that people have stay.
    """
    from connector import moving
    from connector.commands.print_moves import move_as_json, print_move

    with short_runtime(context, config) as runtime:
        seen = moving.planned(runtime, case_id, playbook, with_past=with_past)
        if not as_json:
            print_move(seen)
        if not dry_run:
            if not yes:
                typer.confirm("Move the case?", abort=True, err=True)
            seen = moving.carry_out(runtime, case_id, playbook, with_past=with_past)
    if as_json:
        print_json({"moved": not dry_run, **move_as_json(seen)})
    elif not dry_run:
        typer.echo(f"Case {seen.case.id[:8]} follows {seen.case.playbook} {seen.case.playbook_version} now.")


def _change_case(context: typer.Context, config: Path | None, what: str, case_id: str, told: str) -> None:
    from connector import casework

    with short_runtime(context, config) as runtime:
        case = getattr(casework, what)(runtime, case_id)
    typer.echo(told.format(_named(case)))


def _named(case: Case) -> str:
    return f"Case {case.id[:8]} ({case.deal_name or case.deal_id})"
