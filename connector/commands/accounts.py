"""``aurevoir accounts``, and pausing playbooks: looking after whole accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector.commands.base import NOT_WELL, AccountName, AsJson, Config, chosen, print_json, short_runtime, source_of
from connector.commands.playbook import playbook_app

accounts_app = typer.Typer(
    help="See how accounts stand; pause and resume them.", invoke_without_command=True, rich_markup_mode=None
)

_Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Which account.")]
_Playbook = Annotated[str, typer.Argument(metavar="KEY", help="The playbook, by its name.")]


@accounts_app.callback()
def _accounts(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_accounts(context)


@accounts_app.command("list")
def list_accounts(
    context: typer.Context,
    as_json: AsJson = False,
    alive: Annotated[
        bool, typer.Option("--alive", help="End with 0 while a serve or worker runs, however accounts stand.")
    ] = False,
    config: Config = None,
) -> None:
    """Say how each account stands, and when it last worked.

    Ends with 1 if one does not work. Costs no call to a CRM.
    """
    from connector.commands.print_operations import print_standings
    from connector.operations import standings
    from connector.presence import SERVE

    with short_runtime(context, config) as runtime:
        found = standings(runtime)
        runs = runtime.store.is_held(SERVE)
    if as_json:
        print_json([one.as_json() for one in found])
    else:
        print_standings(found)
    raise typer.Exit(0 if (runs if alive else all(one.well for one in found)) else NOT_WELL)


@accounts_app.command("pause")
def pause_account(context: typer.Context, account: _Account, config: Config = None) -> None:
    """Read and write nothing more in an account until it is resumed.

    What the CRM and customers tell meanwhile is kept.
    """
    from connector import operations

    with short_runtime(context, config) as runtime:
        operations.pause_account(runtime, chosen(runtime, account)[0])
    typer.echo(f"{account} is paused. `aurevoir accounts resume {account}` lets it go on.")


@accounts_app.command("resume")
def resume_account(context: typer.Context, account: _Account, config: Config = None) -> None:
    """Let a paused account go on where it was."""
    from connector import operations

    with short_runtime(context, config) as runtime:
        count = operations.resume_account(runtime, chosen(runtime, account)[0])
    typer.echo(f"{account} goes on, with {count} open case{'s' if count != 1 else ''}.")


@playbook_app.command("pause")
def pause_playbook(
    context: typer.Context, playbook: _Playbook, account: AccountName = None, config: Config = None
) -> None:
    """Hold the cases of a playbook where they are.

    Nothing is written for them, and no case begins with it; answers are still taken in.
    """
    from connector import operations

    with short_runtime(context, config) as runtime:
        held = operations.pause_playbook(runtime, playbook, chosen(runtime, account))
    typer.echo(f"The playbook {playbook} is paused in {', '.join(held)}.")


@playbook_app.command("resume")
def resume_playbook(
    context: typer.Context, playbook: _Playbook, account: AccountName = None, config: Config = None
) -> None:
    """Let the cases of a paused playbook go on.

    What counts from the start of a plan comes as much later as it was paused.
    """
    from connector import operations

    with short_runtime(context, config) as runtime:
        found = operations.resume_playbook(runtime, playbook, chosen(runtime, account))
    for name, count in found.items():
        typer.echo(f"{name}: the playbook {playbook} goes on, with {count} open case{'s' if count != 1 else ''}.")


def erase_command(
    context: typer.Context,
    contact: Annotated[str | None, typer.Option(metavar="ID", help="The contact's id in the CRM.")] = None,
    email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Their e-mail address.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Their name, to find it in texts.")] = None,
    account: AccountName = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what was found.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Forget one person here, and say what was removed and what stays. What was found is shown before.

    May be repeated: what is gone stays gone. The receipt names nobody.

    Ends with 0 if something of them was found, with 1 if nothing was or a name alone removes nothing, with 2 if it
    was not said whom.
    """
    from connector.commands.print_operations import print_foreseen, print_receipt
    from connector.erase_by_hand import erase_by_hand, foresee

    whom = {"contact_id": contact, "email": email, "name": name}
    with short_runtime(context, config) as runtime:
        names, by_name = chosen(runtime, account), not contact and not email
        found = [foresee(runtime, one, **whom) for one in names] if dry_run or not yes or by_name else []
        if not as_json:
            for one in found:
                print_foreseen(one)
        if by_name and not dry_run:
            names = [name for name, one in zip(names, found, strict=True) if not one.useless]
        if names and not yes and not dry_run:
            typer.confirm(
                f"Remove what is stored of this person in {', '.join(names)}? It cannot be undone", abort=True
            )
        receipts = [one.receipt for one in found] if dry_run else [erase_by_hand(runtime, one, **whom) for one in names]
    if not as_json and (dry_run or not receipts):
        typer.echo("Nothing was changed." if dry_run else "By this name alone there is nothing to remove here.")
    elif as_json:
        print_json([receipt.as_json() for receipt in receipts])
    else:
        for receipt in receipts:
            print_receipt(receipt)
    raise typer.Exit(0 if any(receipt.found for receipt in receipts) else NOT_WELL)


def export_command(
    context: typer.Context,
    account: AccountName = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where to.  [default: print it]")
    ] = None,
    config: Config = None,
) -> None:
    """Write the set-up as one text file, to take it to another account.

    Names in place of ids, no secrets, nothing of a customer.
    """
    from connector.transfer import export

    with short_runtime(context, config) as runtime:
        text = export(runtime, chosen(runtime, account))
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        typer.echo(f"Wrote {out}. `aurevoir import {out} --dry-run` elsewhere shows what it would change there.")


def import_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `aurevoir export` wrote.")],
    account: AccountName = None,
    taken: Annotated[str | None, typer.Option("--from", metavar="NAME", help="Which of the file's accounts.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    config: Config = None,
) -> None:
    """Take a set-up from another account into this one; shows the difference first.

    Names are looked up here; what does not exist here is listed with what does, and then nothing is changed.
    """
    from connector import transfer

    with short_runtime(context, config) as runtime:
        names = chosen(runtime, account)
        if len(names) != 1:
            raise typer.BadParameter(f"name one of {', '.join(names)}", param_hint="--account")
        source = source_of(context, config)
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{file} cannot be read: {type(error).__name__}", param_hint="FILE") from None
        planned = transfer.plan(runtime, source, text, names[0], taken)
        for note in planned.notes:
            typer.echo(f"Note: {note}.")
        if not planned.changes and not planned.files:
            typer.echo(f"{names[0]} is set up like that already.")
            return
        typer.echo(planned.difference)
        if dry_run:
            typer.echo("Nothing was changed.")
            return
        if not yes:
            typer.confirm(f"Set up {names[0]} like that?", abort=True)
        transfer.apply(runtime, source, planned)
    typer.echo(f"{names[0]} is set up like that. Next: aurevoir check, then aurevoir provision --account {names[0]}")


def uninstall_command(
    context: typer.Context,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Which account.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    keep_fields: Annotated[bool, typer.Option("--keep-fields", help="Leave our fields with their values.")] = False,
    without_crm: Annotated[
        bool, typer.Option("--without-crm", help="Finish our side alone: the app is gone from the CRM already.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Take out of the CRM what we created, and say what stays.

    Open cases are cancelled, our fields go with their values, and the access is given back. Of an account that is not
    in the settings any more, what is kept here goes: its sealed token, its links, its open cases.
    """
    from connector.commands.print_operations import print_uninstalled
    from connector.store import accounts
    from connector.uninstall import uninstall

    with short_runtime(context, config) as runtime:
        with runtime.store.read() as session:
            left = accounts.left_behind(session, runtime.accounts)
        (name,) = [account] if account in left else chosen(runtime, account)
        how = {"keep_fields": keep_fields, "without_crm": without_crm}
        if dry_run or not yes:
            done = uninstall(runtime, name, dry_run=True, **how)
        if not dry_run:
            if not yes:
                print_uninstalled(done)
                question = "Finish our side" if done.out_of_reach else "Do this"
                lost = "" if done.out_of_reach or keep_fields else "? Values in our fields go with them"
                although = ", although it is paused" if done.paused and not done.out_of_reach else ""
                typer.confirm(f"{question} in {name}{although}{lost}", abort=True)
            done = uninstall(runtime, name, **how)
    if as_json:
        print_json(done.as_json())
    else:
        print_uninstalled(done)
