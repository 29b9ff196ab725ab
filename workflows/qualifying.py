"""What sales must know of a former customer when a new deal of theirs begins (P-43): why they left, were they a fit.

And what post-mortems taught about qualifying: the answers in words to the questions of our own forms that name sales as
their department. They stand on the new deal, and in the digest for sales.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workflows.fields import DEGREE_OPTIONS
from workflows.figure_tables import reason_words
from workflows.questions import Answer, Question, Questionnaire, QuestionType
from workflows.records import Deal, DealState
from workflows.returning import Left
from workflows.rules import AccountRules, Department, LinkKind, Texts
from workflows.survey import wording
from workflows.texts import date_words, shorten

MOST_WORDS = 600
_LANGUAGES = ("en", "fr")
_REASONS = {"customer": ("exit_reason",), "csm": ("exit_reason_interview",), "team": ("exit_reason_team",)}
_WORDS: Mapping[str, Texts] = {
    "title": {"en": "They were a customer before", "fr": "Ce client l’a déjà été"},
    "title.fit": {
        "en": "They were a customer before: a fit? {fit}",
        "fr": "Ce client l’a déjà été : bien ciblé ? {fit}",
    },
    "left": {
        "en": "This company was a customer until {day}. Please read this before you qualify the deal.",
        "fr": "Cette entreprise a été cliente jusqu’au {day}. À lire avant de qualifier la transaction.",
    },
    "left.unknown": {
        "en": "This company was a customer and left. Please read this before you qualify the deal.",
        "fr": "Cette entreprise a été cliente, puis est partie. À lire avant de qualifier la transaction.",
    },
    "fit": {"en": "Was this customer ever a fit? {fit}.", "fr": "Ce client nous correspondait-il vraiment ? {fit}."},
    "fit.unknown": {
        "en": "Whether they were a fit has not been said yet; it will be noted here once the post-mortem says so.",
        "fr": "On n’a pas encore dit si ce client nous correspondait ; ce sera noté ici après le bilan interne.",
    },
    "deal": {
        "en": "Why they left, as the deal says: {reason}",
        "fr": "Motif du départ, d’après la transaction : {reason}",
    },
    "customer": {
        "en": "Why they left, in their own answer: {reason}",
        "fr": "Motif du départ, selon le client : {reason}",
    },
    "csm": {
        "en": "Why they left, as our interviewer heard it: {reason}",
        "fr": "Motif du départ, d’après l’entretien : {reason}",
    },
    "team": {
        "en": "Why they left, as the account's team saw it: {reason}",
        "fr": "Motif du départ, vu par l’équipe : {reason}",
    },
    "former": {"en": "The former deal: {deal}", "fr": "L’ancienne transaction : {deal}"},
}


@dataclass(frozen=True)
class Former:
    """An offboarding of a company, and what was said in it; ``reason`` is the deal's own word, ``url`` its page."""

    left: Left
    deal_name: str
    reason: str | None
    answers: Sequence[Answer]
    url: str | None = None


@dataclass(frozen=True)
class Told:
    """What is noted on a new deal. ``fit``: yes, partly or no; None while nobody has said."""

    title: str
    body: str
    fit: str | None


def is_new(rules: AccountRules, deal: Deal, left: Left) -> bool:
    """Whether this deal is one to qualify: open, of a company that left, and begun after they had decided to."""
    if deal.state is not DealState.LIVE or deal.id == left.deal_id or left.stays_by is not None:
        return False
    if not deal.stage_history or deal.stage_history[-1].at <= left.entered_at:
        return False
    return all(deal.stage_id not in rule.not_renewing | rule.renewed | rule.won for rule in rules.watch)


def lessons(questionnaire: Questionnaire, answer: Answer) -> Iterator[tuple[Question, str]]:
    """What an answer of our own people says to sales, in words."""
    if questionnaire.kind is not LinkKind.TEAM:
        return
    for question in questionnaire.questions():
        said = answer.values.get(question.key)
        if question.type is QuestionType.TEXT and question.department is Department.SALES and said:
            yield question, str(said)


def told(former: Former, questionnaires: Mapping[str, Questionnaire], language: str) -> Told | None:
    """The note on a new deal of this former customer; None when neither a reason nor a fit is known."""
    given = [
        (questionnaires[one.questionnaire], one)
        for one in sorted(former.answers, key=lambda each: each.at)
        if one.questionnaire in questionnaires
    ]
    fit = next((value for form, one in reversed(given) for value in [_fed(form, one, "fit")] if value), None)
    reasons = list(_reasons(former, given, language))
    if fit is None and not reasons:
        return None
    name = _degree(fit, language) if fit else ""
    end = former.left.contract_end
    lines = [_say("left", language, day=date_words(end, language)) if end else _say("left.unknown", language), ""]
    lines += [_say("fit", language, fit=name) if fit else _say("fit.unknown", language), *reasons]
    for form, one in given:
        for question, words in lessons(form, one):
            lines += ["", wording(question.text, language, form.languages), shorten(words, MOST_WORDS)]
    place = " ".join(part for part in (former.deal_name, former.url) if part)
    lines += ["", _say("former", language, deal=place or former.left.deal_id)]
    title = _say("title.fit", language, fit=name.lower()) if fit else _say("title", language)
    return Told(title, "\n".join(lines), fit)


def _reasons(former: Former, given: Sequence[tuple[Questionnaire, Answer]], language: str) -> Iterator[str]:
    if former.reason and former.reason != "unknown":
        yield _say("deal", language, reason=shorten(reason_words(former.reason, language), MOST_WORDS))
    for by, fields in _REASONS.items():
        for form, answer in reversed(given):
            value = _fed(form, answer, *fields) if answer.by == by else None
            if value:
                yield _say(by, language, reason=_option(form, fields, value, language))
                break


def _fed(form: Questionnaire, answer: Answer, *fields: str) -> str | None:
    """What the answer gave to the question that feeds one of these fields."""
    keys = (question.key for question in form.questions() if question.field in fields)
    return next((str(answer.values[key]) for key in keys if answer.values.get(key)), None)


def _option(form: Questionnaire, fields: Sequence[str], value: str, language: str) -> str:
    options = (one for question in form.questions() if question.field in fields for one in question.options)
    known = next((one for one in options if one.value == value), None)
    return wording(known.text, language, form.languages) if known else reason_words(value, language)


def _degree(value: str, language: str) -> str:
    known = next((one.text for one in DEGREE_OPTIONS if one.value == value), {"en": value})
    return wording(known, language, _LANGUAGES)


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, _LANGUAGES).format(**values)
