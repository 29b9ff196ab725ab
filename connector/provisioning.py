"""Provisioning: our fields, the switch-on, and the rest of our app in the CRM as far as its API takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adapters.errors import AdapterError, ConfigError, Fault
from adapters.offers import APP_STATE, Installing, PackageOrder
from adapters.results import SchemaReport
from connector.account import Account
from connector.bootstrap import Runtime
from connector.checkup_address import is_example
from connector.presence import works_elsewhere_as
from connector.store import accounts
from workflows.said import Said

Follow = Callable[[str, int, int], None]


def require_address(runtime: Runtime) -> None:
    """Refuse what would put links into the CRM that lead nowhere, or soon do.

    Raises :class:`~adapters.errors.ConfigError` while the public address is that of the example, and while a changed
    one waits for a restart: here, or of the program that works on the same database.
    """
    runtime.reloader.require_no_restart_due()
    url, key = runtime.settings.server.public_url, "server.public_url"
    if is_example(url):
        cure = Said(
            "is the example's address, and every link in tasks would lead nowhere: put your own there, then restart"
        )
        raise ConfigError([Fault(key, url, cure)])
    if works_elsewhere_as(runtime.store, url):
        cure = Said(
            "the running `aurevoir serve` or `worker` still writes another address into links: restart it first"
        )
        raise ConfigError([Fault(key, url, cure)])


def provision(runtime: Runtime, name: str, *, dry_run: bool = False, follow: Follow | None = None) -> SchemaReport:
    """Create what is missing of our fields, switch on, and install the rest of the app; what was done and left undone.

    May be run again at any time: what is there stays. The switch-on holds although the rest of the app is refused,
    since polling does without it. ``follow`` hears how a deployment goes. Raises as
    :meth:`connector.account.Account.provision` and, unless it is a dry run, :func:`require_address`.
    """
    if not dry_run:
        require_address(runtime)
    account = runtime.accounts[name]
    report = account.provision(dry_run=dry_run)
    crm = account.crm()
    if not isinstance(crm, Installing):
        return report
    try:
        app = crm.install_app(_order(runtime, account), dry_run=dry_run, known=_known(runtime, name), follow=follow)
    except AdapterError as error:
        refused = {
            **report.refused,
            Said("the app"): Said("%(message)s; mend that, and run this again", message=error.message),
        }
        return replace(report, refused=refused)
    if not dry_run:
        _remember(runtime, name, app.state.get(APP_STATE, ""))
    return SchemaReport(
        present=(*report.present, *app.present),
        created=(*report.created, *app.created),
        extended=(*report.extended, *app.extended),
        refused={**report.refused, **app.refused},
        notes=(*report.notes, *app.notes),
        state={**report.state, **app.state},
        labels=report.labels,
    )


def _order(runtime: Runtime, account: Account) -> PackageOrder:
    watch = account.rules().watch
    stages = frozenset().union(*(rule.negotiating | rule.not_renewing | rule.renewed | rule.won for rule in watch))
    return PackageOrder(
        runtime.settings.server.public_url, account.config.vendor, stages, language=account.config.language
    )


def _known(runtime: Runtime, name: str) -> str:
    with runtime.store.read() as session:
        row = accounts.get(session, name)
    return str(row.state.get(APP_STATE, "")) if row is not None else ""


def _remember(runtime: Runtime, name: str, app: str) -> None:
    with runtime.store.write() as session:
        row = accounts.get(session, name)
        if row is not None:
            accounts.change(session, name, state={**row.state, APP_STATE: app})
