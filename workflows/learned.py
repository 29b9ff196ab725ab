"""What a case has taught so far, as the agenda of a post-mortem shows it (P-42): the look back, and who said what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from workflows.asking import is_own_view
from workflows.lookback import LOOK_BACK
from workflows.questions import Answer, Question, Questionnaire, QuestionType
from workflows.records import People
from workflows.rules import LinkKind, Texts
from workflows.survey import wording
from workflows.texts import shorten

MOST_WORDS = 300
MOST_LINES = 8
"""So many lines of each voice: the whole is in its note."""
_FIRST = (
    "exit_score",
    "exit_reason",
    "exit_reason_interview",
    "exit_reason_team",
    "team_score",
    "exit_avoidable",
    "fit",
)
_LANGUAGES = ("en", "fr")
_WORDS: Mapping[str, Texts] = {
    "customer": {"en": "The customer", "fr": "Le client"},
    "csm": {"en": "The interviewer", "fr": "La personne qui a mené l’entretien"},
    "team": {"en": "The account's team, before it read any answer", "fr": "L’équipe du compte, avant toute réponse"},
    "retro": {"en": "Those who worked on the account", "fr": "Les personnes qui ont travaillé sur le compte"},
    "record": {"en": "The deal gives as reason: {reason}", "fr": "Motif indiqué sur la transaction : {reason}"},
    "line": {"en": "{question}: {value}", "fr": "{question} : {value}"},
    "of": {"en": "{value} of {high}", "fr": "{value} sur {high}"},
}


def learned_view(
    written: Mapping[str, str],
    reason: str | None,
    answers: Sequence[Answer],
    questionnaires: Mapping[str, Questionnaire],
    people: People,
    language: str,
) -> Mapping[str, str]:
    """``lookback``: the timeline of signs. ``said``: who said what, in a few lines each. Empty where there is none."""
    names = {contact.id: contact.name for contact in people.contacts}
    voices = [_say("record", language, reason=shorten(reason, 120))] if reason else []
    for answer in sorted(answers, key=lambda one: (_RANK.get(one.by, 9), one.at)):
        form = questionnaires.get(answer.questionnaire)
        lines = list(_lines(form, answer, language)) if form is not None and form.kind is not LinkKind.TOUCH else []
        if form is not None and lines:
            who = _who(form, answer, names, language)
            voices.append("\n".join([who, *(f"- {line}" for line in lines[:MOST_LINES])]))
    return {"lookback": written.get(LOOK_BACK, ""), "said": "\n\n".join(voices)}


_RANK = {"team": 0, "csm": 1, "customer": 2}


def _who(form: Questionnaire, answer: Answer, names: Mapping[str, str], language: str) -> str:
    by = "retro" if answer.by == "team" and not is_own_view(form) else answer.by
    who = _say(by if by in _WORDS else "csm", language)
    if answer.author:
        return f"{who} ({shorten(answer.author, 80)})"
    name = names.get(answer.contact_id or "")
    return f"{who} ({name})" if name and by == "customer" else who


def _lines(form: Questionnaire, answer: Answer, language: str) -> Iterator[str]:
    """The answers that count first, then words, then other ratings that are low."""
    asked = [question for question in form.questions() if question.key in answer.values]
    for question in sorted(asked, key=_importance):
        value = answer.values[question.key]
        if question.type is QuestionType.SCALE:
            if question.field is None and not (isinstance(value, int) and 2 * value <= question.high):
                continue
            told = _say("of", language, value=value, high=question.high)
        else:
            texts = {one.value: wording(one.text, language, form.languages) for one in question.options}
            chosen = value if isinstance(value, tuple) else (str(value),)
            told = shorten(", ".join(texts.get(one, one) for one in chosen), MOST_WORDS)
        if told:
            asks = wording(question.text, language, form.languages)
            yield f"{asks} {told}" if asks.endswith("?") else _say("line", language, question=asks, value=told)


def _importance(question: Question) -> int:
    if question.field in _FIRST:
        return 0
    return 1 if question.type is not QuestionType.SCALE else 2


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, _LANGUAGES).format(**values)
