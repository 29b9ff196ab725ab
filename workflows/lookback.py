"""The look back: which signs came before the loss, on one timeline, and what cannot be told (P-41).

It rests on the history that the CRM keeps of the mapped figures, on who owned the deal, and on the stakeholder map of
the start. It blames nobody: a sign is something to watch for next time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from workflows.baseline import figures_of
from workflows.draft import Draft
from workflows.records import Model
from workflows.rules import AccountRules, CaseKind, Texts
from workflows.signs import Reading, Sign, SignKind, label, readings, signs
from workflows.survey import wording
from workflows.texts import date_words
from workflows.writes import CreateNote

LOOK_BACK = "_lookback"
"""Where a case keeps the timeline, in words: for the post-mortem, and so that it is told once."""
MOST_LINES = 40
MOST_KEPT = 6000
_LATE = timedelta(days=30)
_SOON = timedelta(days=7)
"""A plan that started longer ago than this was there before there was a look back: people have gone on from there."""
_LANGUAGES = ("en", "fr")

_WORDS: Mapping[str, Texts] = {
    "title": {"en": "Looking back: the signs before the end", "fr": "Avec le recul : les signes avant la fin"},
    "intro": {
        "en": "From {since} to {until}, when the deal came to its end. Signs to learn from, nobody's fault.",
        "fr": (
            "Du {since} au {until}, jour où la transaction a pris fin. Des signes dont apprendre, sans chercher de "
            "responsable."
        ),
    },
    "line": {"en": "- {day} ({days} days before): {what}", "fr": "- {day} ({days} jours avant) : {what}"},
    "undated": {"en": "- Since {day}: {what}", "fr": "- Depuis le {day} : {what}"},
    "fell": {"en": "{figure} fell from {before} to {after}", "fr": "{figure} : baisse de {before} à {after}"},
    "rose": {"en": "{figure} rose from {before} to {after}", "fr": "{figure} : hausse de {before} à {after}"},
    "stalled": {"en": "{figure} stood still at {after}", "fr": "{figure} : à l’arrêt à {after}"},
    "changed": {
        "en": "{figure} went from “{before}” to “{after}”",
        "fr": "{figure} : passage de « {before} » à « {after} »",
    },
    "emptied": {"en": "{figure} was emptied; it was {before}", "fr": "{figure} : champ vidé ; il valait {before}"},
    "worst": {"en": ", later {worst}", "fr": ", puis {worst}"},
    "over": {"en": "; back on {day}", "fr": " ; rétabli le {day}"},
    "owner": {
        "en": "the deal passed from {before} to {after}",
        "fr": "la transaction est passée de {before} à {after}",
    },
    "nobody": {"en": "nobody", "fr": "personne"},
    "someone": {"en": "someone who is no longer a user", "fr": "une personne qui n’est plus utilisatrice"},
    "gone": {
        "en": "no longer on the deal: {gone} of the {all} people on the stakeholder map of the start",
        "fr": "ne figurent plus sur la transaction : {gone} des {all} personnes de la carte de départ",
    },
    "gone_decider": {"en": ", a decider among them", "fr": ", dont une personne qui décidait"},
    "none": {"en": "No figure gave a sign in this time.", "fr": "Aucun chiffre n’a donné de signe sur cette période."},
    "more": {"en": "- and {count} more before these", "fr": "- et {count} autres auparavant"},
    "gaps": {"en": "What cannot be told:", "fr": "Ce qu’on ne peut pas dire :"},
    "unkept": {
        "en": "- {figure}: the CRM kept no history of it; it is {value} now",
        "fr": "- {figure} : le CRM n’en a gardé aucun historique ; valeur actuelle : {value}",
    },
    "empty": {
        "en": "- {figure}: empty, now and in all the history there is",
        "fr": "- {figure} : vide, aujourd’hui comme dans l’historique",
    },
    "late": {"en": "- {figure}: known since {day} only", "fr": "- {figure} : connu seulement depuis le {day}"},
}


class Entry(Model):
    """A line of the timeline: when it showed, and what it was, in words. ``dated`` False: some time since then."""

    day: date
    what: str
    dated: bool = True


class LookBack(Model):
    """The timeline, oldest first, and what cannot be told, as whole lines."""

    since: date
    until: date
    entries: tuple[Entry, ...] = ()
    gaps: tuple[str, ...] = ()


def look_back_at(draft: Draft, tz: ZoneInfo) -> None:
    """Write the look back onto the deal, once, when the plan of an offboarding has started; may need the history.

    Without mapped figures, and where the settings switch it off, there is none.
    """
    look, case = draft.look, draft.case
    wanted = case.kind is CaseKind.OFFBOARDING and look.rules.figures and look.rules.look_back
    late = case.confirmed_at is None or draft.now - case.confirmed_at > _SOON
    if not wanted or late or LOOK_BACK in draft.written:
        return
    if look.people is None:
        draft.needs_people = True
    if look.history is None:
        draft.needs_history = True
    if look.people is None or look.history is None:
        return
    text = in_words(timeline(draft, tz), case.language)
    draft.written[LOOK_BACK] = text[:MOST_KEPT]
    draft.writes.append(
        CreateNote(
            key=f"{case.id}:{LOOK_BACK}",
            deal_id=case.deal_id,
            title=_say("title", case.language),
            body=text,
            at=draft.now,
            company_id=look.people.company.id if look.people.company is not None else None,
        )
    )
    draft.log("looked back")


def timeline(draft: Draft, tz: ZoneInfo) -> LookBack:
    """What showed in the time before the loss, and what cannot be told. Asks for people and history to be there."""
    look, case = draft.look, draft.case
    until = case.entered_at
    since = until - look.rules.look_back
    series = readings([one for one in look.history or () if one.at <= until], since)
    entries = [
        Entry(day=sign.at.astimezone(tz).date(), what=_sign(sign, draft.look.rules, case.language, tz))
        for sign in signs(series, look.rules.signs)
        if sign.since != sign.at or sign.kind is SignKind.CHANGED
    ]
    entries += _owners(draft, since, until, tz)
    entries.sort(key=lambda entry: entry.day)
    return LookBack(
        since=since.astimezone(tz).date(),
        until=until.astimezone(tz).date(),
        entries=(*_gone(draft, tz), *entries),
        gaps=tuple(_gaps(draft, series, since, tz)),
    )


def in_words(found: LookBack, language: str) -> str:
    """The timeline as a note reads it."""

    def day(one: date) -> str:
        return date_words(one, language)

    lines = [_say("intro", language, since=day(found.since), until=day(found.until)), ""]
    shown = found.entries[-MOST_LINES:]
    if len(shown) < len(found.entries):
        lines.append(_say("more", language, count=len(found.entries) - len(shown)))
    for entry in shown:
        key = "line" if entry.dated else "undated"
        days = (found.until - entry.day).days
        lines.append(_say(key, language, day=day(entry.day), days=days, what=entry.what))
    if not shown:
        lines.append(_say("none", language))
    if found.gaps:
        lines += ["", _say("gaps", language), *found.gaps]
    return "\n".join(lines)


def _sign(sign: Sign, rules: AccountRules, language: str, tz: ZoneInfo) -> str:
    words = _say(sign.kind.value, language, figure=label(sign.figure, rules), before=sign.before, after=sign.after)
    if sign.worst != sign.after:
        words += _say("worst", language, worst=sign.worst)
    if sign.over is not None:
        words += _say("over", language, day=date_words(sign.over.astimezone(tz).date(), language))
    return words


def _owners(draft: Draft, since: datetime, until: datetime, tz: ZoneInfo) -> Iterator[Entry]:
    """Each time that the deal passed to someone else."""
    history = sorted(draft.look.deal.owner_history, key=lambda one: one.at)
    for former, one in pairwise(history):
        if since <= one.at <= until and one.owner_id != former.owner_id:
            before, after = _user(draft, former.owner_id), _user(draft, one.owner_id)
            what = _say("owner", draft.case.language, before=before, after=after)
            yield Entry(day=one.at.astimezone(tz).date(), what=what)


def _user(draft: Draft, user_id: str | None) -> str:
    user = draft.look.users.get(user_id or "")
    return user.name if user is not None else _say("someone" if user_id else "nobody", draft.case.language)


def _gone(draft: Draft, tz: ZoneInfo) -> Iterator[Entry]:
    """Who was on the map of the start and is on the deal no longer: neither CRM tells when they went."""
    baseline, people = draft.look.baseline, draft.look.people
    if baseline is None or people is None or baseline.people_at is None:
        return
    here = {contact.id for contact in people.contacts}
    gone = [one for one in baseline.people if one.contact_id not in here]
    if gone:
        what = _say("gone", draft.case.language, gone=len(gone), all=len(baseline.people))
        what += _say("gone_decider", draft.case.language) if any("decider" in one.roles for one in gone) else ""
        yield Entry(day=baseline.people_at.astimezone(tz).date(), what=what, dated=False)


def _gaps(draft: Draft, series: Mapping[str, Sequence[Reading]], since: datetime, tz: ZoneInfo) -> Iterator[str]:
    language = draft.case.language
    present = figures_of(draft.look.deal.figures, draft.look.people)
    for figure in draft.look.rules.figures:
        known = [one for one in series.get(figure, ()) if (one.value or "").strip()]
        value = present.get(figure)
        if not known and value is None:
            yield _say("empty", language, figure=label(figure, draft.look.rules))
        elif not known:
            yield _say("unkept", language, figure=label(figure, draft.look.rules), value=value)
        elif known[0].at > since + _LATE:
            yield _say(
                "late",
                language,
                figure=label(figure, draft.look.rules),
                day=date_words(known[0].at.astimezone(tz).date(), language),
            )


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, _LANGUAGES).format(**values)
