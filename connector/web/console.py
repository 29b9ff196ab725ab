"""The admin's pages: who may see them, and what they all share.

Every page below ``/console`` wants a signed-in admin, but for signing in itself; forms are checked against forgery by
the session. What the session cookie holds is worth something only while the database says so (:mod:`connector.admins`).
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from babel.dates import format_time, format_timedelta
from flask import Blueprint, Flask, abort, flash, g, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFError
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from adapters.errors import AdapterError, AurevoirError, ConfigError
from connector.account import Account
from connector.admins import Admin, AdminProblem, Admins
from connector.admins import note as note_in_log
from connector.bootstrap import Runtime
from connector.sentences import placed
from connector.setup import OWNS, STEPS, Raw, raw_account, seen
from connector.store import doings
from connector.web import event_words, languages
from connector.web.brake import Brake, KnownBrowsers
from connector.web.console_known import Offers
from workflows.dates import zone
from workflows.texts import date_words

SIGN_INS = "60 per minute"
"""Tries to sign in from one sender, which may be a proxy: a password takes a while to check."""
ASKED_WHEN_ADDED = frozenset({("calendar",), ("language",)})
"""Keys that stand in the file since the account was added, whether or not their page was ever seen."""
OPEN = frozenset({"console.sign_in", "console.welcome"})
"""Pages that need no admin."""
_OURS = re.compile(r"/console/[\w\-./]*(\?[\w\-.=&%+:]*)?")


class Visitor(UserMixin):  # type: ignore[misc]  # Flask-Login ships no types
    """A signed-in admin, as Flask-Login wants one: what it keeps in the cookie is what the browser was given."""

    def __init__(self, admin: Admin, held: str) -> None:
        self.admin = admin
        self._held = held

    def get_id(self) -> str:
        """What the session keeps."""
        return self._held


@dataclass(frozen=True)
class Console:
    """What all pages work with."""

    runtime: Runtime
    admins: Admins
    offers: Offers

    def page(self, template: str, **more: Any) -> str:
        """A page of the console."""
        return render_template(f"console/{template}", runtime=self.runtime, **more)

    def note(self, what: str, detail: str = "", account: str = "") -> None:
        """A line in the log: what the signed-in admin did."""
        with self.runtime.store.write() as db:
            note_in_log(db, self.runtime.clock.now(), admin().email, what, detail, account)


def admin() -> Admin:
    """Who is signed in; pages are not reached without."""
    found: Admin = current_user.admin
    return found


def cookie_settings(runtime: Runtime) -> dict[str, object]:
    """Settings of Flask for the session cookie. Its key is derived, so that it signs nothing else of ours."""
    public_url = urlsplit(runtime.settings.server.public_url)
    newest, *older = (_derived(key) for key in runtime.settings.secrets)
    return {
        "SECRET_KEY": newest,
        "SECRET_KEY_FALLBACKS": older,
        "SESSION_COOKIE_NAME": "aurevoir_console",
        "SESSION_COOKIE_PATH": f"{public_url.path.rstrip('/')}/console",
        "SESSION_COOKIE_SECURE": public_url.scheme == "https",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session
        "WTF_CSRF_SSL_STRICT": False,  # our pages send no referrer
    }


def _derived(key: str) -> str:
    return hmac.new(key.encode(), b"aurevoir.console session", hashlib.sha256).hexdigest()


def set_up(app: Flask, runtime: Runtime, limiter: Limiter, pages: str, guesses: str) -> Console:
    """Let the application know signed-in admins, and add the pages for signing in.

    One sender may ask for so many ``pages``, and make so many ``guesses`` at invitations.
    """
    console = Console(runtime, Admins(runtime.store, runtime.clock), Offers(runtime))
    manager = LoginManager()
    manager.session_protection = None  # the database says who is signed in; addresses change on the way
    manager.init_app(app, add_context_processor=False)

    @manager.user_loader  # type: ignore[untyped-decorator]
    def _load(held: str) -> Visitor | None:
        found = console.admins.signed_in(held)
        return Visitor(found, held) if found is not None else None

    known = KnownBrowsers(app)

    def sender() -> str:
        """Who holds an invitation is not held up by others behind the same address; nobody chooses a name to count."""
        token = (request.view_args or {}).get("token", "")
        invited = token and console.admins.invited(token) is not None
        return f"invitation {hashlib.sha256(token.encode()).hexdigest()}" if invited else known.sender()

    signing_in = _signing_in(console, limiter, known, sender)
    limiter.limit(pages, key_func=sender)(signing_in)
    limiter.limit(guesses, key_func=sender, deduct_when=lambda response: response.status_code == 410)(signing_in)
    app.register_blueprint(signing_in)
    return console


def guard(blueprint: Blueprint, console: Console) -> Blueprint:
    """Only for signed-in admins, in their language, with what all templates use."""

    @blueprint.before_request
    def _require_admin() -> ResponseReturnValue | None:
        wish = request.args.get("lang")
        if wish in languages.available():
            session["lang"] = wish
        languages.choose(languages.available(), (session.get("lang"),))
        if request.endpoint not in OPEN and not current_user.is_authenticated:
            return redirect(url_for("console.sign_in", next=_here()))
        return None

    @blueprint.errorhandler(404)
    def _no_such_page(_error: NotFound) -> ResponseReturnValue:
        return console.page(
            "message.html",
            title=languages.say("There is no such page in the console"),
            text=languages.say("What it was about may be gone, or the address was cut in two. Nothing was changed."),
            back=url_for("console_pages.overview"),
            onward=languages.say("To the accounts"),
        ), 404

    @blueprint.context_processor
    def _helpers() -> dict[str, object]:
        signed_in = current_user.is_authenticated
        return {
            "who": current_user.admin.email if signed_in else None,
            "moment": _moment_in(console),
            "day_there": _day_in(console),
            "zone_of": lambda name: _zone_of(console, name),
            "kept_steps": lambda name: _kept_steps(console.runtime, name),
            "day": lambda at: date_words(at, languages.current(), "medium") if at else "",
            "ago": lambda at: _ago(at, console.runtime.clock.now()),
            "happened": event_words.happened,
            "explained": event_words.explained,
            "ended_because": event_words.ended_because,
            "for_people": lambda data, account: event_words.for_people(data, _user_names(console, account)),
            "for_machines": event_words.for_machines,
            "console_languages": [(code, _with_language(code)) for code in languages.available()],
        }

    return blueprint


def on_forgery(_error: CSRFError) -> ResponseReturnValue:
    """A form that is not one of this session's: most often one that was left open while the session ended."""
    title = languages.say("This form was out of date")
    text = languages.say("Nothing was changed. Go back, load the page anew, and send it once more.")
    if request.blueprint is None or not request.blueprint.startswith("console"):
        return render_template("error.html", status=400), 400
    return render_template("console/message.html", title=title, text=text, back=url_for("console_pages.overview")), 400


def _here() -> str:
    return request.full_path.rstrip("?") if request.method == "GET" else ""


def _with_language(code: str) -> str:
    """This page's address in another language."""
    kept = MultiDict((name, value) for name, value in request.args.items(multi=True) if name != "lang")
    return "?" + urlencode([*kept.items(multi=True), ("lang", code)])


def _moment_in(console: Console) -> Callable[..., Markup]:
    """A moment for people: on the account's clock, where it is about one; ``named`` where the page names no zone."""

    def moment(at: datetime | None, account: str | None = None, *, named: bool = False) -> Markup:
        if at is None:
            return Markup("–")
        found = console.runtime.accounts.get(account) if account else None
        there = at.astimezone(zone(found.config.time_zone) if found is not None else UTC)
        spoken = languages.current()
        text = f"{date_words(there, spoken, 'medium')} {format_time(there, 'short', locale=spoken)}"
        name = "" if found is not None and not named else f" {there.tzname()}"
        return Markup('<time datetime="{}">{}{}</time>').format(at.isoformat(), text, name)

    return moment


def _user_names(console: Console, account: str) -> Mapping[str, str]:
    """The names of an account's users by their ids, as known without asking the CRM; read once a page."""
    read: dict[str, Mapping[str, str]] = g.setdefault("user_names", {})
    if account not in read:
        found = console.runtime.accounts.get(account)
        users = found.users_at_hand().values() if found is not None else ()
        read[account] = {user.id: user.name or user.email for user in users}
    return read[account]


def _zone_of(console: Console, name: str) -> str:
    """The time zone of an account's clock; UTC for one that left the settings."""
    found = console.runtime.accounts.get(name)
    return found.config.time_zone if found is not None else "UTC"


def _kept_steps(runtime: Runtime, name: str) -> set[str]:
    """The steps of the set-up that someone has answered, in the file or on their page, or that are so by themselves.

    What a new account is asked for when it is added answers no page.
    """
    account, raw = runtime.accounts[name], raw_account(runtime, name)
    kept = {step for step in OWNS if _stands(raw, step)}
    with runtime.store.read() as db:
        kept |= doings.steps_done(db, name)
    if account.has_known():
        kept.add("connect")
    if account.is_switched_on():
        kept.add("switch_on")
    return kept


def _stands(raw: Raw, step: str) -> bool:
    """Whether the file says something of what the step alone asks."""
    said = zip(OWNS[step], seen(raw, step), strict=True)
    return any(value is not None and value != [] for place, value in said if place not in ASKED_WHEN_ADDED)


def _day_in(console: Console) -> Callable[[datetime, str], str]:
    """The day of a moment on the account's clock."""

    def day_there(at: datetime, account: str) -> str:
        found = console.runtime.accounts.get(account)
        there = at.astimezone(zone(found.config.time_zone) if found is not None else UTC)
        return date_words(there, languages.current(), "medium")

    return day_there


def _ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in words; a moment is told to the minute."""
    if at is None:
        return languages.say("never")
    if now - at < timedelta(minutes=1):
        return languages.say("just now")
    return format_timedelta(at - now, add_direction=True, granularity="minute", locale=languages.current())


# --- signing in -----------------------------------------------------------------------------------------------------


def _signing_in(console: Console, limiter: Limiter, known: KnownBrowsers, sender: Callable[[], str]) -> Blueprint:
    blueprint = guard(Blueprint("console", __name__, url_prefix="/console"), console)
    brake = Brake(console.runtime.store)

    @blueprint.route("/sign-in", methods=["GET", "POST"])
    @limiter.limit(SIGN_INS, key_func=sender, methods=["POST"], override_defaults=False)
    def sign_in() -> ResponseReturnValue:
        target = _safe(request.values.get("next", ""))
        if request.method == "GET":
            if current_user.is_authenticated:
                return redirect(request.script_root + target, 303)
            return console.page("sign_in.html", target=target, email="")
        email, now = request.form.get("email", ""), console.runtime.clock.now()
        lanes = known.lanes(email)
        if wait := brake.begin(lanes, now):
            return _not_yet(console, target, email, wait)
        held = console.admins.sign_in(email, request.form.get("password", ""))
        if held is None:
            wrong = languages.say("Address and password do not belong together.")
            return console.page("sign_in.html", target=target, email=email, wrong=wrong), 401
        brake.right(lanes)
        _enter(console, held)
        answer = make_response(redirect(request.script_root + target, 303))
        known.remember(answer, email)
        return answer

    @blueprint.route("/welcome/<token>", methods=["GET", "POST"])
    @limiter.limit(SIGN_INS, key_func=sender, override_defaults=False)
    def welcome(token: str) -> ResponseReturnValue:
        invited = console.admins.invited(token)
        if invited is None:
            return console.page("invitation_over.html"), 410
        wrong = ""
        if request.method == "POST":
            password = request.form.get("password", "")
            try:
                if password != request.form.get("again", ""):
                    wrong = languages.say("The two are not the same: type it once more.")
                elif held := console.admins.accept(token, password):
                    _enter(console, held)
                    answer = make_response(redirect(url_for("console_pages.overview"), 303))
                    known.remember(answer, invited.email)
                    return answer
                else:
                    return console.page("invitation_over.html"), 410
            except AdminProblem:
                wrong = languages.say(
                    "Take at least 12 characters that nobody guesses: a few words that you can remember do well."
                )
        return console.page("welcome.html", email=invited.email, wrong=wrong), 422 if wrong else 200

    @blueprint.post("/sign-out")
    def sign_out() -> ResponseReturnValue:
        console.admins.sign_out(admin())
        logout_user()
        session.clear()
        flash(languages.say("You are signed out."))
        return redirect(url_for("console.sign_in"), 303)

    return blueprint


def _enter(console: Console, held: str) -> None:
    """A fresh session, so that nothing of the visitor before goes on."""
    language = session.get("lang")
    session.clear()
    if language:
        session["lang"] = language
    found = console.admins.signed_in(held)
    if found is not None:
        login_user(Visitor(found, held))


def _not_yet(console: Console, target: str, email: str, wait: timedelta) -> ResponseReturnValue:
    """Too many wrong passwords lately: said before the password is looked at, so that it tells nothing about it."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    wrong = (
        languages.say("There were many wrong passwords for this address. Wait %d seconds, then try again.") % seconds
    )
    html = console.page("sign_in.html", target=target, email=email, wrong=wrong)
    return html, 429, {"Retry-After": str(seconds)}


def _safe(target: str) -> str:
    """Where to go after signing in: a page of the console, whatever the address says."""
    return target if _OURS.fullmatch(target) and "//" not in target and ".." not in target else "/console/"


# --- what several pages need ----------------------------------------------------------------------------------------


def known_account(console: Console, name: str) -> Account:
    """The account of this name, or no page."""
    if name not in console.runtime.accounts:
        abort(404)
    return console.runtime.accounts[name]


def words_of(error: AurevoirError) -> list[str]:
    """An error's sentences."""
    if isinstance(error, ConfigError):
        return [languages.told(placed(one)) for one in error.faults]
    return [sentence(error)]


def sentence(error: AurevoirError) -> str:
    """An error as a sentence; what only the CRM's support can use of it stands in brackets behind."""
    if not isinstance(error, AdapterError):
        return languages.told(str(error))
    message = languages.told(error.message)
    said = message[:1].upper() + message[1:]
    details = ", ".join(map(languages.told, error.details))
    return f"{said if said.endswith(('.', '?', '!')) else f'{said}.'}{f' ({details})' if details else ''}"


def way(name: str, current: str) -> dict[str, Any]:
    """What a page of the set-up needs to show the way through it."""
    return {"name": name, "step": current, "steps": STEPS}
