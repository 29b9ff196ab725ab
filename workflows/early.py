"""Early signs: key figures of customers that fall, rise or stand still while it can still be helped (P-62)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from workflows.cases import FigureChange
from workflows.dates import Calendar, due_time, local_date, zone_or
from workflows.people import Choice
from workflows.records import Company, Deal
from workflows.rules import AccountRules, EarlyRule, Texts
from workflows.signs import Sign, SignKind, label, readings, signs, stalled
from workflows.survey import wording
from workflows.texts import date_words, shorten
from workflows.writes import CreateTask, Priority

MOST = 3
"""So many signs of one customer are told at a time: who gets ten tasks reads none."""
_ROOM = timedelta(days=400)
_LANGUAGES = ("en", "fr")
_WORDS: Mapping[str, Texts] = {
    "title.fell": {
        "en": "Early sign at {company}: {figure} fell from {before} to {after}",
        "fr": "Premier signe chez {company} : {figure} en baisse, de {before} à {after}",
    },
    "title.rose": {
        "en": "Early sign at {company}: {figure} rose from {before} to {after}",
        "fr": "Premier signe chez {company} : {figure} en hausse, de {before} à {after}",
    },
    "title.stalled": {
        "en": "Early sign at {company}: {figure} has stood still at {after} since {since}",
        "fr": "Premier signe chez {company} : {figure} à l’arrêt à {after} depuis le {since}",
    },
    "body": {
        "en": (
            "{what}\n\nThe renewal is not in question yet, and a call can still change something. Ask openly: what has "
            "changed on their side, what is in the way, who has left or joined, what would help this month. Agree on "
            "one thing with a date, and make a task of it.\n\nIf there is a plain reason, such as a season or figures "
            "that were tidied up, close this task: the same sign is not told again before {again}."
        ),
        "fr": (
            "{what}\n\nLe renouvellement n’est pas encore en jeu, et un appel peut encore changer quelque chose. Posez "
            "des questions ouvertes : qu’est-ce qui a changé de leur côté, qu’est-ce qui bloque, qui est parti ou "
            "arrivé, qu’est-ce qui aiderait ce mois-ci. Convenez d’une chose avec une date, et créez-en une tâche.\n\n"
            "S’il y a une raison simple, comme une saison ou un nettoyage des chiffres, fermez cette tâche : le même "
            "signe ne sera pas redit avant le {again}."
        ),
    },
    "what.fell": {
        "en": "{figure} of {company} was {before} on {since} and is {worst} now.",
        "fr": "{company}, {figure} : {before} le {since}, {worst} aujourd’hui.",
    },
    "what.rose": {
        "en": "{figure} of {company} was {before} on {since} and has gone up to {worst}.",
        "fr": "{company}, {figure} : {before} le {since}, monté à {worst}.",
    },
    "what.stalled": {
        "en": "{figure} of {company} has not moved from {after} since {since}.",
        "fr": "{company}, {figure} : {after}, sans changement depuis le {since}.",
    },
}


def read_since(rule: EarlyRule, now: datetime) -> datetime:
    """How far back the history is needed: standing still shows only against the last move."""
    return now - max(rule.within, _ROOM if rule.stalling else rule.within)


def early_signs(changes: Iterable[FigureChange], rule: EarlyRule, now: datetime) -> list[Sign]:
    """The signs that hold now, the newest first; what has recovered since is none."""
    told = list(changes)
    recent = readings([one for one in told if one.figure in rule.figures], now - rule.within)
    found = [
        sign for sign in signs(recent, rule.signs) if sign.over is None and sign.kind in (SignKind.FELL, SignKind.ROSE)
    ]
    for figure, series in readings([one for one in told if one.figure in rule.stalling], now - _ROOM).items():
        still = stalled(figure, series, now, rule.signs)
        found += [still] if still is not None else []
    return sorted(found, key=lambda sign: sign.at, reverse=True)[:MOST]


def name_of(sign: Sign) -> str:
    """What makes it the same sign again, for keys."""
    return f"{sign.figure}:{sign.kind}"


def sign_task(
    key: str,
    sign: Sign,
    deal: Deal,
    company: Company | None,
    choice: Choice,
    rules: AccountRules,
    days: Calendar,
    now: datetime,
) -> CreateTask:
    """The task that tells a sign, due on the second business day."""
    language, tz = rules.language, zone_or(choice.user.time_zone, zone_or(rules.time_zone, ZoneInfo("UTC")))
    again = rules.early.again_after if rules.early is not None else timedelta()
    today = local_date(now, tz)
    values = {
        "company": shorten((company.name if company is not None else "") or deal.name or deal.id, 80),
        "figure": label(sign.figure, rules),
        "before": sign.before,
        "after": sign.worst,
        "worst": sign.worst,
        "since": date_words(local_date(sign.since, tz), language),
    }
    what = _say(f"what.{sign.kind}", language, **values)
    body = _say("body", language, what=what[:1].upper() + what[1:], again=date_words(today + again, language))
    return CreateTask(
        key=key,
        deal_id=deal.id,
        subject=shorten(_say(f"title.{sign.kind}", language, **values), 255),
        body=f"{body}\n\n{choice.why}",
        due_at=due_time(days.add_business_days(today, 2), tz, days, now),
        priority=Priority.HIGH,
        owner_id=choice.user.id,
        company_id=company.id if company is not None else None,
    )


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, _LANGUAGES).format(**values)
