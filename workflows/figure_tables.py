"""The figures as tables to read, print and open in a spreadsheet, in English and French (P-44, P-45).

A cell is a text or a number; None is an empty cell, also where there are too few answers for a percentage.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from workflows.facts import Who
from workflows.fields import DEGREE_OPTIONS, REASON_OPTIONS
from workflows.figures import NO_CURRENCY, UNKNOWN, Figures, Scores, Share
from workflows.records import Model
from workflows.rules import Texts
from workflows.survey import wording

Cell = str | int | float | Decimal | None

LANGUAGES = ("en", "fr")
BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_WORDS: Mapping[str, Texts] = {
    "summary": {"en": "Overview", "fr": "Vue d’ensemble"},
    "reasons": {"en": "Reasons over time", "fr": "Motifs dans le temps"},
    "worth": {"en": "Amounts by reason", "fr": "Montants par motif"},
    "scores": {"en": "Scores from start to end", "fr": "Notes du début à la fin"},
    "steps": {"en": "Steps", "fr": "Étapes"},
    "leaving": {"en": "How leaving was rated", "fr": "Comment le départ a été noté"},
    "figure": {"en": "Figure", "fr": "Indicateur"},
    "count": {"en": "Count", "fr": "Nombre"},
    "of": {"en": "Of", "fr": "Sur"},
    "percent": {"en": "Percent", "fr": "Pourcentage"},
    "month": {"en": "Month", "fr": "Mois"},
    "who": {"en": "Who said so", "fr": "Qui l’a dit"},
    "reason": {"en": "Reason", "fr": "Motif"},
    "times": {"en": "Times", "fr": "Fois"},
    "currency": {"en": "Currency", "fr": "Devise"},
    "amount": {"en": "Amount", "fr": "Montant"},
    "score": {"en": "Score", "fr": "Note"},
    "answers": {"en": "Answers", "fr": "Réponses"},
    "promoters": {"en": "Promoters (9-10)", "fr": "Promoteurs (9-10)"},
    "passives": {"en": "Passives (7-8)", "fr": "Passifs (7-8)"},
    "detractors": {"en": "Detractors (0-6)", "fr": "Détracteurs (0-6)"},
    "nps": {"en": "NPS", "fr": "NPS"},
    "average": {"en": "Average", "fr": "Moyenne"},
    "playbook": {"en": "Playbook", "fr": "Plan type"},
    "version": {"en": "Version", "fr": "Version"},
    "step": {"en": "Step", "fr": "Étape"},
    "done": {"en": "Done", "fr": "Faites"},
    "on_time": {"en": "On time", "fr": "À temps"},
    "due": {"en": "Were due", "fr": "Échues"},
    "not_applicable": {"en": "Not applicable", "fr": "Sans objet"},
    "left_out": {"en": "Left out by a condition", "fr": "Écartées par une condition"},
    "deleted": {"en": "Deleted", "fr": "Supprimées"},
    "hardest": {"en": "Hardest part", "fr": "Le plus difficile"},
    "offboardings": {"en": "Customers leaving", "fr": "Clients sur le départ"},
    "open": {"en": "Goodbyes still open", "fr": "Départs encore en cours"},
    "returns": {"en": "Customers who came back", "fr": "Clients revenus"},
    "responses": {
        "en": "Exit surveys answered, of those asked in writing",
        "fr": "Enquêtes de sortie remplies, sur celles demandées par écrit",
    },
    "leaving_responses": {
        "en": "Surveys on the leaving answered, of those asked in writing",
        "fr": "Enquêtes sur le départ remplies, sur celles demandées par écrit",
    },
    "agreed": {
        "en": "Rep and customer named the same reason",
        "fr": "Commercial et client ont donné le même motif",
    },
    "saves": {"en": "Negotiations that ended in a renewal", "fr": "Négociations conclues par un renouvellement"},
    "taken_back": {"en": "Endings renewed after all", "fr": "Départs finalement renouvelés"},
    "acknowledged_in_a_day": {
        "en": "Acknowledged within 24 hours, of those acknowledged",
        "fr": "Accusés de réception sous 24 heures, sur ceux faits",
    },
    "acknowledged_hours": {
        "en": "Median hours to the acknowledgement",
        "fr": "Délai médian de l’accusé de réception, en heures",
    },
    "steps_on_time": {"en": "Steps on time, of those due", "fr": "Étapes à temps, sur celles échues"},
    "avoidable": {"en": "Avoidable, says the customer: {degree}", "fr": "Évitable, selon le client : {degree}"},
    "fit": {"en": "Was a good fit: {degree}", "fr": "Client bien ciblé : {degree}"},
    "went": {
        "en": "People whose score {how} from start to end",
        "fr": "Personnes dont la note {how} du début à la fin",
    },
    "up": {"en": "rose", "fr": "a monté"},
    "same": {"en": "stayed", "fr": "n’a pas changé"},
    "down": {"en": "fell", "fr": "a baissé"},
    "start": {"en": "At the start", "fr": "Au début"},
    "end": {"en": "At the end", "fr": "À la fin"},
    UNKNOWN: {"en": "Unknown", "fr": "Inconnu"},
    Who.REP: {"en": "Sales or account owner", "fr": "Commercial ou responsable du compte"},
    Who.CUSTOMER: {"en": "Customer", "fr": "Client"},
    Who.INTERVIEWER: {"en": "Interviewer", "fr": "Personne qui a mené l’entretien"},
    Who.TEAM: {"en": "Account team", "fr": "Équipe du compte"},
}
_REASONS = {option.value: option.text for option in REASON_OPTIONS} | {UNKNOWN: _WORDS[UNKNOWN]}
_DEGREES = {option.value: option.text for option in DEGREE_OPTIONS}


class Table(Model):
    """A table: a stable name for files, a title and headers in words, and its rows."""

    name: str
    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def tables(figures: Figures, language: str = "en") -> tuple[Table, ...]:
    """All tables, in the order in which one reads them."""

    def made(name: str, headers: Sequence[str], rows: Iterator[tuple[Cell, ...]]) -> Table:
        named = tuple(say(header, language) for header in headers)
        return Table(name=name, title=say(name, language), headers=named, rows=tuple(rows))

    shares = ("figure", "count", "of", "percent")
    counted = ("answers", "promoters", "passives", "detractors", "nps", "average")
    steps = ("playbook", "step", "done", "on_time", "due", "percent", "not_applicable", "left_out", "deleted")
    return (
        made("summary", shares, _summary(figures, language)),
        made("reasons", ("month", "who", "reason", "times"), _reasons(figures, language)),
        made("worth", ("month", "who", "reason", "currency", "amount"), _worth(figures, language)),
        made("scores", ("score", *counted), _scores(figures, language)),
        made("steps", steps, _steps(figures)),
        made("leaving", ("playbook", "version", "answers", "average", "hardest", "times"), _leaving(figures)),
    )


def say(key: str, language: str, **values: object) -> str:
    """One of our words for figures; the key itself where we have none."""
    return wording(_WORDS.get(key, {"en": key}), language, LANGUAGES).format(**values)


def reason_words(reason: str, language: str) -> str:
    """The reason as people read it; a deal's own words stay what they are."""
    return wording(_REASONS.get(reason, {"en": reason}), language, LANGUAGES)


def _summary(figures: Figures, language: str) -> Iterator[tuple[Cell, ...]]:
    yield say("offboardings", language), figures.offboardings, None, None
    yield say("open", language), figures.open, None, None
    shares = {
        "responses": figures.responses,
        "leaving_responses": figures.leaving_responses,
        "acknowledged_in_a_day": figures.acknowledged_in_a_day,
        "steps_on_time": figures.on_time,
        "agreed": figures.agreed,
        "taken_back": figures.taken_back,
        "saves": figures.saves,
    }
    for name, share in shares.items():
        yield say(name, language), *_share(share)
    yield say("acknowledged_hours", language), figures.acknowledged_hours, figures.acknowledged, None
    yield say("returns", language), figures.returns, None, None
    for how, people in zip(("up", "same", "down"), figures.moved, strict=True):
        share = Share(count=people, of=len(figures.pairs))
        yield say("went", language, how=say(how, language)), *_share(share)
    for key, counts in (("avoidable", figures.avoidable), ("fit", figures.fits)):
        for degree, text in _DEGREES.items():
            share = Share(count=counts.get(degree, 0), of=sum(counts.values()))
            yield say(key, language, degree=wording(text, language, LANGUAGES)), *_share(share)


def _share(share: Share) -> tuple[Cell, ...]:
    return share.count, share.of, share.percent


def _reasons(figures: Figures, language: str) -> Iterator[tuple[Cell, ...]]:
    for line in figures.reasons:
        yield f"{line.month:%Y-%m}", say(line.who, language), reason_words(line.reason, language), line.count


def _worth(figures: Figures, language: str) -> Iterator[tuple[Cell, ...]]:
    for line in figures.reasons:
        for currency, amount in sorted(line.worth.items()):
            said = reason_words(line.reason, language)
            yield f"{line.month:%Y-%m}", say(line.who, language), said, currency or NO_CURRENCY, amount


def _scores(figures: Figures, language: str) -> Iterator[tuple[Cell, ...]]:
    for name, scores in (("start", figures.start), ("end", figures.end)):
        yield say(name, language), *_counted(scores)


def _counted(scores: Scores) -> tuple[Cell, ...]:
    groups = (scores.answers, scores.promoters, scores.passives, scores.detractors)
    return *groups, scores.nps, scores.average


def _steps(figures: Figures) -> Iterator[tuple[Cell, ...]]:
    for line in figures.steps:
        rest = (line.not_applicable, line.left_out, line.deleted)
        yield line.playbook, line.step, line.done, *_share(line.on_time), *rest


def _leaving(figures: Figures) -> Iterator[tuple[Cell, ...]]:
    for line in figures.leaving:
        shown = line.scores.answers, line.scores.average
        for part, times in line.hardest or ((None, None),):
            yield line.playbook, line.version, *shown, part, times


# --- spreadsheets ---------------------------------------------------------------------------------------------------


def safe(cell: Cell) -> str:
    """A cell that no spreadsheet takes for a formula, whatever a customer or a colleague typed.

    A text that begins like one gets an apostrophe in front, which spreadsheets do not show; numbers stay numbers.
    """
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return str(cell)
    return f"'{cell}" if cell.lstrip(" \u00a0\u200b\ufeff").startswith(_FORMULA) else cell


def csv_text(table: Table, language: str = "en") -> str:
    """The table for a spreadsheet: with a byte order mark, or else accents are lost, and with semicolons in French,
    where the comma stands in numbers."""
    lines = _Lines()
    writer = csv.writer(lines, delimiter=";" if language.startswith("fr") else ",")
    writer.writerow(safe(header) for header in table.headers)
    writer.writerows([_written(cell, language) for cell in row] for row in table.rows)
    return BOM + "".join(lines)


class _Lines(list[str]):
    """What a writer of CSV writes to."""

    write = list.append


def _written(cell: Cell, language: str) -> str:
    text = safe(cell)
    return text.replace(".", ",") if isinstance(cell, float | Decimal) and language.startswith("fr") else text
