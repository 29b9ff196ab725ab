"""``aurevoir app``: the app that an admin installs in the CRM, with this installation's address in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from adapters.offers import PackageOrder, Packager
    from connector.bootstrap import Runtime


def app_command(
    context: typer.Context,
    crm: Annotated[str, typer.Argument(metavar="hubspot|salesforce", help="For which CRM.")],
    public_url: Annotated[
        str | None, typer.Option(metavar="URL", help="How the CRM reaches us.  [default: that of the settings]")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", "--org", metavar="NAME", help="The account that it is for.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write it.")] = Path("app"),
    options: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="What else to say; `--set help` lists all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the files written as JSON.")] = False,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The settings.")] = None,
) -> None:
    """Write the app to install in the CRM.

    What it writes for one account may hold that account's webhook secret.
    """
    from connector.commands.base import chosen, print_json, settings_of, short_runtime

    packager = _packager(crm)
    if options == ["help"]:
        for name, text in packager.package_options.items():
            typer.echo(f"{name:<20} {text}")
        return
    said = _parsed(options or ())
    if account is None:
        url = public_url or settings_of(context, config).server.public_url
        order = _order(url, said)
    else:
        with short_runtime(context, config) as runtime:
            order = _order_for(runtime, crm, chosen(runtime, account)[0], public_url, said)
    written = packager.package(order, out)
    if as_json:
        print_json([str(path) for path in written])
    else:
        typer.echo(f"Wrote {len(written)} files below {out}; to install: {written[0]}")


def _packager(crm: str) -> Packager:
    """The adapter, if it brings an app. Wrong use when it does not."""
    from adapters.offers import Packager
    from connector.bootstrap import Adapters

    adapters = Adapters()
    able = [name for name in adapters if isinstance(adapters[name], Packager)]
    adapter = adapters[crm] if crm in able else None
    if not isinstance(adapter, Packager):
        raise typer.BadParameter(f"there is no app for {crm!r}; known: {', '.join(able)}", param_hint="CRM")
    return adapter


def _parsed(options: Sequence[str]) -> dict[str, str]:
    pairs = [option.partition("=") for option in options]
    for name, sign, _ in pairs:
        if not sign or not name.strip():
            raise typer.BadParameter("write key=value, such as --set user=aurevoir@example.com", param_hint="--set")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _order(url: str, options: Mapping[str, str]) -> PackageOrder:
    from adapters.offers import PackageOrder

    return PackageOrder(public_url=url, options=options)


def _order_for(
    runtime: Runtime, crm: str, name: str, public_url: str | None, options: Mapping[str, str]
) -> PackageOrder:
    """The order for one account, with the stages that it watches.

    An account that cannot be asked yet, since this app is what will connect it, gets one that tells every change.
    """
    from adapters.errors import AdapterError
    from adapters.offers import PackageOrder

    account = runtime.accounts[name]
    if account.config.crm != crm:
        raise typer.BadParameter(f"{name} is an account of {account.config.crm}, not of {crm}", param_hint="--account")
    try:
        rules = account.rules().watch
        stages = frozenset().union(*(rule.negotiating | rule.not_renewing | rule.renewed for rule in rules))
    except AdapterError as error:
        typer.echo(f"The stages of {name} could not be read, so every change of stage will be told: {error}", err=True)
        stages = frozenset()
    return PackageOrder(
        public_url or runtime.settings.server.public_url,
        account.config.vendor,
        stages,
        options,
        account.config.language,
    )
