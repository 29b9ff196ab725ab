"""The ``aurevoir`` command. Each command is thin; what it does is in the modules that it imports when it runs.

Exit codes: 0 done, 1 the thing asked about is not well, 2 wrong use or configuration.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from connector.commands.accounts import accounts_app, erase_command, export_command, import_command, uninstall_command
from connector.commands.admin import admin_app
from connector.commands.app import app_command
from connector.commands.base import (
    MORE,
    NOT_WELL,
    WRONG_USE,
    AccountName,
    AsJson,
    Commands,
    Config,
    chosen,
    in_words,
    known_adapters,
    print_json,
    settings_of,
    short_runtime,
    source_of,
)
from connector.commands.cases import cases_app
from connector.commands.figures import figures_command
from connector.commands.playbook import playbook_app
from connector.commands.rehearse import rehearse_command
from connector.commands.wishes import wishes_app

if TYPE_CHECKING:
    from connector.bootstrap import Runtime

app = typer.Typer(
    name="aurevoir",
    cls=Commands,
    help="Lays out the whole goodbye in the CRM when a customer does not renew.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
db_app = typer.Typer(help="Look after the database.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(cases_app, name="cases")
app.add_typer(accounts_app, name="accounts")
app.add_typer(admin_app, name="admin", rich_help_panel=MORE)
app.add_typer(db_app, name="db", rich_help_panel=MORE)
app.add_typer(playbook_app, name="playbook")
app.add_typer(wishes_app, name="wishes", rich_help_panel=MORE)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command and end the process with its exit code; our own errors are told in words, not traces."""
    from adapters.errors import AurevoirError, ConfigError

    try:
        app(args=args, prog_name="aurevoir")
    except ConfigError as error:
        from connector.commands.print import print_faults

        print_faults(error)
        sys.exit(WRONG_USE)
    except AurevoirError as error:
        typer.echo(f"aurevoir: {error}", err=True)
        sys.exit(_exit_code(error))
    sys.exit(0)


def _exit_code(error: Exception) -> int:
    from connector.admins import AdminProblem
    from connector.casework import NoSuchCase, NotPossible
    from connector.consent import NotInBrowser
    from connector.erasure import Unknown
    from connector.store.database import NoBackUp, NotYours, SchemaOutdated

    wrong_use = (NoSuchCase, NotPossible, NotInBrowser, SchemaOutdated, AdminProblem, Unknown, NoBackUp, NotYours)
    return WRONG_USE if isinstance(error, wrong_use) else NOT_WELL


@app.callback()
def _global(context: typer.Context, config: Config = None) -> None:
    context.obj = config


# --- setting up -----------------------------------------------------------------------------------------------------


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="[PATH]", help="Where to write it.")] = Path("config.yaml"),
    crm: Annotated[
        str | None, typer.Option(help="Which CRM: hubspot or salesforce.  [default: one account of each]")
    ] = None,
    in_browser: Annotated[
        bool, typer.Option("--in-browser", help="Without accounts: add them in the console.")
    ] = False,
) -> None:
    """Write a first config.yaml.

    Every key is explained in it. Secrets go into aurevoir.env beside it, with a new secret key. Overwrites nothing.
    """
    from connector.commands.print import print_written
    from connector.init import write_first_config

    adapters = known_adapters()
    if crm is not None and crm not in adapters:
        raise typer.BadParameter(f"there is no {crm!r}; known: {', '.join(adapters)}", param_hint="--crm")
    wanted = {} if in_browser else {name: adapters[name] for name in adapters if crm in (None, name)}
    print_written(write_first_config(path, wanted))


@app.command()
def check(context: typer.Context, as_json: AsJson = False, config: Config = None) -> None:
    """Say what is not well, and how to mend it."""
    from connector.checkup import check_up, is_well
    from connector.commands.print import findings_as_json, print_findings

    with short_runtime(context, config) as runtime:
        findings = list(check_up(runtime))
    if as_json:
        print_json(findings_as_json(findings))
    else:
        print_findings(findings)
    raise typer.Exit(0 if is_well(findings) else NOT_WELL)


@app.command("provision")
def provision_command(
    context: typer.Context,
    account: AccountName = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be created.")] = False,
    take_in: Annotated[
        int, typer.Option(metavar="N", min=0, help="Also open cases for the N latest endings from before.")
    ] = 0,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Create our fields in the CRM, and switch on.

    Where the CRM's API takes it, the rest of our app is installed too. Endings from before the first time open no
    case, unless --take-in says how many. Running it again creates only what is missing.
    """
    from connector.commands.print import deployment_progress, print_provisioned, print_taken_in, provisioned_as_json
    from connector.provisioning import provision
    from connector.switch_on import Waiting, take_in_older, waiting

    older: dict[str, tuple[Waiting, int]] = {}
    with short_runtime(context, config) as runtime, deployment_progress() as follow:
        reports = {name: provision(runtime, name, dry_run=dry_run, follow=follow) for name in chosen(runtime, account)}
        if take_in:
            for name in reports:
                found = waiting(runtime, runtime.accounts[name])
                older[name] = (found, 0 if dry_run else len(take_in_older(runtime, name, found, take_in)))
    if as_json:
        print_json(provisioned_as_json(reports, dry_run=dry_run))
    else:
        print_provisioned(reports, dry_run=dry_run)
        print_taken_in(older, take_in, dry_run=dry_run)
    raise typer.Exit(NOT_WELL if any(report.refused for report in reports.values()) else 0)


@app.command()
def connect(
    context: typer.Context,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Which account.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Print an address that connects an account in the browser.

    Open it as an administrator of the CRM within half an hour, while serve runs.
    """
    from connector.commands.print import print_invitation
    from connector.consent import Consents

    with short_runtime(context, config) as runtime:
        (name,) = chosen(runtime, account)
        address, until = Consents(runtime).invite(name)
    if as_json:
        print_json({"account": name, "address": address, "valid_until": until})
    else:
        print_invitation(name, address, until)


@app.command("rotate-keys", rich_help_panel=MORE)
def rotate_keys_command(context: typer.Context, as_json: AsJson = False, config: Config = None) -> None:
    """Seal stored tokens anew with the first secret_key.

    Put the new key in front of the list, restart, then run this. It may be interrupted and run again.
    """
    from connector.commands.print import print_rotated, rotated_as_json
    from connector.tokens import rotate_keys

    with short_runtime(context, config) as runtime:
        rotated = rotate_keys(runtime.store, runtime.vault, runtime.clock)
    if as_json:
        print_json(rotated_as_json(rotated))
    else:
        print_rotated(rotated)
    raise typer.Exit(NOT_WELL if rotated.failed else 0)


app.command("app", rich_help_panel=MORE)(app_command)
app.command("erase", rich_help_panel=MORE)(erase_command)
app.command("export", rich_help_panel=MORE)(export_command)
app.command("import", rich_help_panel=MORE)(import_command)
app.command("uninstall", rich_help_panel=MORE)(uninstall_command)
app.command("figures", rich_help_panel=MORE)(figures_command)


@db_app.command()
def upgrade(context: typer.Context, config: Config = None) -> None:
    """Bring the database to this version's schema.

    An SQLite file is copied first. Stop serve, web and worker before.
    """
    from connector.bootstrap import build
    from connector.presence import SERVE, WEB
    from connector.store.database import Busy

    runtime = build(settings_of(context, config), adapters=known_adapters())
    try:
        with in_words(runtime), runtime.store.exclusive(SERVE), runtime.store.exclusive(WEB):
            before, copy = runtime.store.schema_version(), runtime.store.upgrade(now=runtime.clock.now())
            after = runtime.store.schema_version()
            added = False if runtime.store.is_sqlite else _install_queue(runtime)
    except Busy as error:
        raise Busy(f"{error}: stop `aurevoir serve`, `web` and `worker` first") from None
    typer.echo(
        f"The schema is up to date ({after})."
        if before == after
        else f"Upgraded from {before or 'nothing'} to {after}."
    )
    if added:
        typer.echo("Tables for the queue of work were added, for `aurevoir web` and `aurevoir worker`.")
    if copy is not None:
        typer.echo(f"The database as it was: {copy}")


def _install_queue(runtime: Runtime) -> bool:
    from connector.distributed import install

    return install(runtime.store)


@db_app.command()
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy to write; it must not exist yet.")],
    config: Config = None,
) -> None:
    """Copy the SQLite database whole, while serve runs.

    Keep the copy with the secret key: tokens and sent links are lost without it.
    """
    from connector.store.database import Store

    store = Store(settings_of(context, config).database_url)
    try:
        store.back_up(file)
    finally:
        store.close()
    typer.echo(f"{file}: a copy of {store.path}, {file.stat().st_size:,} bytes")


@app.command("config-schema", hidden=True)
def config_schema_command(
    example: Annotated[bool, typer.Option("--example", help="Print an example with every key instead.")] = False,
) -> None:
    """Print the JSON Schema of config.yaml."""
    from connector.config_text import config_schema, config_text

    if example:
        typer.echo(config_text(known_adapters()), nl=False)
    else:
        print_json(config_schema(known_adapters()))


# --- working --------------------------------------------------------------------------------------------------------


@app.command()
def serve(context: typer.Context, config: Config = None) -> None:
    """Receive, watch and work, in one process.

    Runs until SIGTERM or Ctrl-C, and finishes what is under way.
    """
    _start_quickly()
    from connector.serve import serve as run

    run(source_of(context, config))


@app.command(rich_help_panel=MORE)
def web(context: typer.Context, config: Config = None) -> None:
    """Only receive and show pages (PostgreSQL).

    For several machines: any number of them, beside `aurevoir worker`, which does the rest.
    """
    _start_quickly()
    from connector.serve import web as run

    run(source_of(context, config))


@app.command(rich_help_panel=MORE)
def worker(context: typer.Context, config: Config = None) -> None:
    """Only watch and work, any number of them (PostgreSQL).

    One at a time works on an account; when one dies, another takes over.
    """
    _start_quickly()
    from connector.serve import worker as run

    run(source_of(context, config))


@app.command(rich_help_panel=MORE)
def poll(
    context: typer.Context,
    account: AccountName = None,
    once: Annotated[bool, typer.Option("--once", help="Poll once and end (the default).", show_default=False)] = True,  # noqa: ARG001 - said in scripts
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Look for changed deals now.

    Beside a running serve it only puts them on the agenda.
    """
    from connector.polling import poll_in_words

    with short_runtime(context, config) as runtime:
        polled = [poll_in_words(runtime, name) for name in chosen(runtime, account)]
    if as_json:
        print_json([one.as_json() for one in polled])
    else:
        for one in polled:
            typer.echo(str(one))
    raise typer.Exit(0 if all(one.trouble is None for one in polled) else NOT_WELL)


app.command("rehearse")(rehearse_command)


@app.command()
def preview(
    context: typer.Context,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Which account.")],
    deal: Annotated[str, typer.Option("--deal", metavar="ID", help="The deal's id in the CRM.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show the plan that a deal would get.

    That of its open case, or the one that it would get if it were lost now. Writes nothing.
    """
    from connector.commands.print import print_preview
    from connector.preview import preview_deal

    with short_runtime(context, config) as runtime:
        (name,) = chosen(runtime, account)
        seen = preview_deal(runtime, name, deal)
    if as_json:
        print_json(seen.as_json())
    else:
        print_preview(seen)


@app.command()
def sandbox(
    crm: Annotated[str, typer.Argument(metavar="hubspot|salesforce", help="Which one.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0: any free one.")] = 0,
) -> None:
    """Run a look-alike CRM on this machine.

    Its pages show its records, and move deals from stage to stage.
    """
    from importlib import import_module
    from importlib.util import find_spec

    if not crm.isidentifier() or crm not in known_adapters() or find_spec(f"sandbox.{crm}") is None:
        raise typer.BadParameter(f"there is no look-alike of {crm!r}", param_hint="hubspot|salesforce")
    import_module(f"sandbox.{crm}").serve(port)


# --- shared ---------------------------------------------------------------------------------------------------------


def _start_quickly() -> None:
    """For processes that stay: both save a fifth of the time until they answer."""
    gc.set_threshold(50_000)  # loading makes thousands of objects and no garbage, and 700 of them start a search
    if "rich" not in sys.modules:  # structlog loads it where there is one, for coloured traces that no log of ours has
        sys.modules["rich"] = None  # type: ignore[assignment]  # Python's documented way to say "not here"
        try:
            import structlog  # noqa: F401 - only to be loaded while rich is away
        finally:
            del sys.modules["rich"]


if __name__ == "__main__":
    main()
