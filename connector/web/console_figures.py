"""What the endings of an account teach (P-44, P-45): numbers at a glance, charts, and every table, as CSV too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from babel.numbers import format_currency, format_decimal
from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue

from connector.web import languages
from connector.web.console import Console, guard, known_account
from workflows.dates import zone
from workflows.fields import REASON_OPTIONS
from workflows.texts import locale_of

if TYPE_CHECKING:  # what counts is loaded when somebody looks: a start does without
    from workflows.figures import Figures

MOST_BARS = 12


def make_blueprint(console: Console) -> Blueprint:
    """``/console/figures``."""
    blueprint = guard(Blueprint("console_figures", __name__, url_prefix="/console/figures"), console)

    @blueprint.get("/")
    def figures() -> ResponseReturnValue:
        from workflows.figure_tables import tables
        from workflows.figures import FEW

        names = list(console.runtime.accounts)
        name = request.args.get("account") or (names[0] if names else "")
        since, until = _day("since"), _day("until")
        if not name:
            return console.page("figures.html", name="", names=names, shown=None, since=since, until=until)
        found = _figures(console, name, since, until)
        return console.page(
            "figures.html",
            name=name,
            names=names,
            since=since,
            until=until,
            few=FEW,
            shown=found,
            reasons=_reasons(found),
            money=_money,
            scores=[(str(score), found.start.counts[score], found.end.counts[score]) for score in range(11)],
            tables=[one for one in tables(found, languages.current()) if one.rows],
        )

    @blueprint.get("/<name>/<table>.csv")
    def table(name: str, table: str) -> ResponseReturnValue:
        from workflows.figure_tables import csv_text, tables

        found = _figures(console, known_account(console, name).name, _day("since"), _day("until"))
        language = languages.current()
        one = next((each for each in tables(found, language) if each.name == table), None)
        if one is None:
            abort(404)
        answer = Response(csv_text(one, language), content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}-{table}.csv"'
        return answer

    return blueprint


def _figures(console: Console, name: str, since: date | None, until: date | None) -> Figures:
    from connector.figures import gather

    runtime, account = console.runtime, known_account(console, name)
    tz = zone(account.config.time_zone)
    with runtime.store.read() as db:
        return gather(db, name, runtime.library.questionnaires, runtime.clock.now(), tz, since, until)


def _money(amount: Decimal, currency: str | None) -> str:
    """An amount without its cents, as people of the page's language write it."""
    language = languages.current()
    locale = locale_of(language)
    if not currency:
        none = languages.say("(no currency)")
        return f"{format_decimal(round(amount), locale=locale)} {none}"
    whole = str(locale.currency_formats["standard"].pattern).replace(".00", "")
    return str(format_currency(round(amount), currency, whole, locale=locale, currency_digits=False))


def _day(key: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(key, ""))
    except ValueError:
        return None


def _reasons(found: Figures) -> Mapping[str, Sequence[tuple[str, int]]]:
    """Reasons over the whole period, by who said so, the most frequent first."""
    from workflows.facts import Who
    from workflows.figures import UNKNOWN

    words = {one.value: one.text.get(languages.current(), one.text["en"]) for one in REASON_OPTIONS}
    words[UNKNOWN] = languages.say("unknown")
    told: dict[str, Any] = {}
    for who in (Who.CUSTOMER, Who.REP):
        counted: Counter[str] = Counter()
        for line in found.reasons:
            if line.who is who:
                counted[words.get(line.reason, line.reason)] += line.count
        if counted:
            told[who.value] = counted.most_common(MOST_BARS)
    return told
