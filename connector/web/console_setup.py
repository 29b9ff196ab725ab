"""The set-up wizard: from a new account to one that is switched on, a page for each question.

What is chosen stands in config.yaml, and nowhere else: each page reads it from there, and writes the keys that it is
about. A page that another admin overtook shows what they changed, and writes nothing until it is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from adapters.errors import AdapterError, AurevoirError, ConfigError
from adapters.offers import Located
from connector import setup
from connector.account import Account
from connector.config_edit import ChangedMeanwhile, Difference, literal
from connector.consent import Consents, NotInBrowser
from connector.store import doings
from connector.web import languages
from connector.web.console import Console, guard, known_account, sentence, way, words_of
from connector.web.console_known import FROM_CRM
from connector.web.console_labels import label
from connector.web.console_last import add_last_steps
from connector.web.console_pages import in_browser
from connector.web.console_questions import QUESTIONS, Offer, Read, Values, countries, more


@dataclass
class Sent:
    """A form that was not taken: why, and what stands in it."""

    faults: Mapping[str, str] = field(default_factory=dict)
    """By the key below the account, such as ``watch[0].settle_for``."""
    others: Sequence[str] = ()
    """Faults that belong to no field of the page."""
    differences: Sequence[Difference] = ()
    written: bool = False
    """It was written all the same, and something else stands in the way."""


def make_blueprint(console: Console) -> Blueprint:
    """Everything below ``/console/accounts``."""
    blueprint = guard(Blueprint("console_setup", __name__, url_prefix="/console/accounts"), console)
    _add_new(blueprint, console)
    _add_connecting(blueprint, console)
    _add_questions(blueprint, console)
    return add_last_steps(blueprint, console)


# --- a new account --------------------------------------------------------------------------------------------------


def _add_new(blueprint: Blueprint, console: Console) -> None:
    runtime = console.runtime

    @blueprint.route("/new", methods=["GET", "POST"])
    def new_account() -> ResponseReturnValue:
        crm = request.values.get("crm", "")
        if crm not in runtime.adapters:
            return console.page("setup/new_crm.html", adapters=runtime.adapters)
        adapter = runtime.adapters[crm]
        usual = "browser" if crm in runtime.settings.oauth else "credentials"
        browser = setup.may_consent(adapter) and request.values.get("how", usual) == "browser"
        asked = setup.asked_of(adapter, in_browser=browser)
        needs_app = browser and crm not in runtime.settings.oauth
        faults: list[str] = []
        if request.method == "POST":
            faults = _add(console, crm, asked, needs_app)
            if not faults:
                name = request.form["name"].strip()
                console.note("account added in the console", account=name)
                return redirect(url_for(".connect", name=name), 303)
        return console.page(
            "setup/new.html",
            crm=crm,
            adapter=adapter,
            asked=asked,
            browser=browser,
            may_consent=setup.may_consent(adapter),
            needs_app=needs_app,
            has_app=crm in runtime.settings.oauth,
            say=languages.say,
            where_id=languages.told(adapter.where_account_id) if isinstance(adapter, Located) else "",
            redirect_uri=f"{runtime.settings.server.public_url}/oauth/{crm}/callback",
            countries=countries(),
            faults=faults,
            given=request.form,
        ), 422 if faults else 200


def _add(console: Console, crm: str, asked: Sequence[tuple[str, str, bool, bool]], needs_app: bool) -> list[str]:
    """Add the account that the form describes; gives what is wrong with it."""
    form = {key: value.strip() for key, value in request.form.items()}
    name = form.get("name", "")
    values = {
        "crm": crm,
        "account_id": literal(form.get("account_id", "")),
        "calendar": literal(form.get("calendar", "")),
        "language": languages.current(),
    }
    values |= {key: literal(form[key]) for key, _, secret, _ in asked if not secret and form.get(key)}
    secrets = {key: form[key] for key, _, secret, _ in asked if secret and form.get(key)}
    app = {key: form.get(f"app_{key}", "") for key in ("client_id", "client_secret")} if needs_app else None
    if not all(_fits_a_line(one) for one in [*secrets.values(), *(app or {}).values()]):
        return [languages.say("A secret has a quote or a line break in it: paste it again, nothing around it.")]
    if app is not None and not all(app.values()):
        return [languages.say("Give the client id and the client secret of your app.")]
    try:
        setup.add_account(console.runtime, name, values, secrets, app)
    except AurevoirError as error:
        return words_of(error)
    return []


def _fits_a_line(secret: str) -> bool:
    """Whether it stands in the file of secrets as it is; that file's lines end at all that Unicode calls a line end."""
    return len(secret.splitlines()) <= 1 and secret.isprintable() and not {"'", '"'} & set(secret)


# --- connecting -----------------------------------------------------------------------------------------------------


def _add_connecting(blueprint: Blueprint, console: Console) -> None:
    runtime = console.runtime

    @blueprint.get("/<name>")
    def start(name: str) -> ResponseReturnValue:
        account = known_account(console, name)
        known = account.has_known()
        return redirect(url_for(".stages" if known else ".connect", name=name))

    @blueprint.route("/<name>/connect", methods=["GET", "POST"])
    def connect(name: str) -> ResponseReturnValue:
        account = known_account(console, name)
        tried = request.method == "POST"  # the CRM is asked anew, and the page shows what it told
        if tried:
            console.offers.forget(account)
        address = None
        try:
            if in_browser(account):
                address, _ = Consents(runtime).invite(name)
        except NotInBrowser:
            address = None
        consented = account.services.tokens.load() is not None
        shown = _reached(account) if consented or not in_browser(account) else {}
        if tried and "away" not in shown:
            return redirect(url_for(".connect", name=name), 303)
        html = console.page("setup/connect.html", account=account, address=address, **way(name, "connect"), **shown)
        return html, 503 if tried else 200


def _reached(account: Account) -> dict[str, Any]:
    """Whether the CRM lets us in now: what it told, or why not."""
    try:
        return {"users": len(account.users()), "pipelines": len(account.pipelines())}
    except AurevoirError as error:
        return {"away": sentence(error)}


# --- the questions --------------------------------------------------------------------------------------------------


def _add_questions(blueprint: Blueprint, console: Console) -> None:
    for step, offer, read in QUESTIONS:
        view = _question(console, step, offer, read)
        blueprint.add_url_rule(f"/<name>/{step}", step, view, methods=["GET", "POST"])

    @blueprint.post(f"/<name>/<any({', '.join(sorted(FROM_CRM))}):step>/read-again")
    def read_again(name: str, step: str) -> ResponseReturnValue:
        console.offers.forget(known_account(console, name))
        return redirect(url_for(f".{step}", name=name), 303)


def _question(
    console: Console,
    step: str,
    offer: Offer,
    read: Read,
) -> Callable[[str], ResponseReturnValue]:
    """One page: shows what there is to choose from, and writes what was chosen."""

    def view(name: str) -> ResponseReturnValue:
        account = known_account(console, name)
        raw = setup.raw_account(console.runtime, name)
        sent, status = Sent(), 200
        try:
            if request.method == "POST":
                values = read(account, raw)
                sent = _save(console, name, step, values)
                if not (sent.faults or sent.others or sent.differences):
                    return _on(console, name, step)
                status = 409 if sent.differences else 422
                _lay(raw, step, values)
            offered = offer(console, account, raw)
        except AdapterError as error:
            return console.page("setup/away.html", account=account, why=sentence(error), **way(name, step)), 503
        return console.page(
            f"setup/{step}.html",
            account=account,
            raw=raw,
            sent=sent,
            more=more(step, raw),
            label=label,
            read_at=console.offers.read_at(account, step),
            before=json.dumps(setup.seen(setup.raw_account(console.runtime, name), step)),
            **way(name, step),
            **offered,
        ), status

    return view


def _save(console: Console, name: str, step: str, values: Values) -> Sent:
    """Write it; what came between is told in the page's own words."""
    try:
        before = json.loads(request.form.get("before", "[]"))
        if not isinstance(before, list) or len(before) != len(setup.OWNS[step]):
            abort(400)
    except ValueError:
        abort(400)
    try:
        setup.save(console.runtime, name, step, values, before)
    except ChangedMeanwhile as changed:
        return Sent(differences=changed.differences)
    except ConfigError as error:
        prefix = f"accounts.{name}."
        faults = {one.key.removeprefix(prefix): one.cure for one in error.faults if one.key.startswith(prefix)}
        mine = {key: languages.told(cure) for key, cure in faults.items()}
        others = [
            text for one, text in zip(error.faults, words_of(error), strict=True) if not one.key.startswith(prefix)
        ]
        return Sent(mine, others)
    except setup.NotTakenOn as error:
        return Sent(others=[languages.told(str(error))], written=True)
    except AurevoirError as error:
        return Sent(others=[sentence(error)])
    console.note(doings.KEPT, detail=step, account=name)
    return Sent()


def _on(console: Console, name: str, step: str) -> ResponseReturnValue:
    """To the next page of the set-up; an account that works already stays where it was."""
    flash(languages.say("Kept."))
    following = setup.STEPS[setup.STEPS.index(step) + 1]
    target = step if console.runtime.accounts[name].is_switched_on() else following
    return redirect(url_for(f".{target}", name=name), 303)


def _lay(raw: setup.Raw, step: str, values: Values) -> None:
    """Put what was sent over what the file says, so that the form shows it again."""
    for place, value in zip(setup.OWNS[step], values, strict=True):
        node = raw
        for key in place[:-1]:
            node[key] = dict(node.get(key) or {})
            node = node[key]
        node[place[-1]] = value
