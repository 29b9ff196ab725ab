"""Where a relation begins: who is who, what the key figures are, how people want to work together (P-60, P-61).

What is taken at the start is never overwritten: the first value of a figure stays the one that reports compare with.
The stakeholder map follows what people enter while the baseline lasts. The working frame is what the ``frame`` form
holds; later playbooks of the same company show it as ``frame``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from workflows.cases import Baseline, StartingFigure, StartingPerson
from workflows.draft import Draft
from workflows.questions import AnswerValue, Question, Questionnaire
from workflows.records import People
from workflows.rules import CaseKind, Texts
from workflows.said import Said
from workflows.survey import wording

FRAME = "frame"
"""The questionnaire whose answers are the working frame."""
FRAME_KEYS = ("rhythm", "form", "channel", "urgent", "validates", "stands_in", "silence")
"""What texts can always show of it, empty while it is not known."""
_RHYTHM = "rhythm"
_PACES = {"weekly": timedelta(days=7), "fortnightly": timedelta(days=14)}
"""Rhythms that lay out status points of their own; slower ones have the plan's fixed ones."""
_IN_A_LINE = (("who", "validates", "stands_in"), ("how", "channel", "urgent"), ("when", "rhythm", "form"))
_WORDS: Mapping[str, Texts] = {
    "who": {"en": "who validates: {value}", "fr": "qui valide : {value}"},
    "stands_in": {"en": " (stand-in: {value})", "fr": " (suppléance : {value})"},
    "how": {"en": "channel: {value}", "fr": "canal : {value}"},
    "urgent": {"en": " (when urgent: {value})", "fr": " (en cas d’urgence : {value})"},
    "when": {"en": "status: {value}", "fr": "points : {value}"},
    "form": {"en": " ({value})", "fr": " ({value})"},
}
_TAKEN = "start:"
_MAP = "map"


def figures_of(deal_figures: Mapping[str, str], people: People | None) -> dict[str, str]:
    """The mapped figures that have a value now, by the names of the settings (``company.active_users``)."""
    company = people.company if people is not None else None
    named = {f"deal.{name}": value for name, value in deal_figures.items()}
    named |= {f"company.{name}": value for name, value in (company.figures if company is not None else {}).items()}
    return {name: value.strip() for name, value in named.items() if value.strip()}


def take_start(draft: Draft) -> None:
    """Note what is there to be kept of the beginning; where someone has just done a task, read the people anew."""
    if draft.case.kind is not CaseKind.BASELINE:
        return
    people = draft.look.people
    if people is None:
        draft.needs_people = draft.needs_people or any(event.what == "task done" for event in draft.events)
        return
    figures = {
        name: StartingFigure(value=value, at=draft.now)
        for name, value in figures_of(draft.look.deal.figures, people).items()
        if f"{_TAKEN}{name}" not in draft.written
    }
    draft.written.update({f"{_TAKEN}{name}": "taken" for name in figures})
    persons = tuple(StartingPerson(contact_id=one.id, roles=one.roles) for one in people.contacts)
    said = ";".join(f"{one.contact_id}={','.join(one.roles)}" for one in persons)
    mapped = bool(persons) and draft.once(_MAP, said)
    if figures or mapped:
        draft.starting = Baseline(figures=figures, people=persons if mapped else ())
        draft.log(
            "beginning noted",
            Said("%(count)d figures, %(people)d people", count=len(figures), people=len(persons) if mapped else 0),
        )


def pace_of(baseline: Baseline | None) -> timedelta | None:
    """How often the customer wants a status point, where that is often enough to matter in a transition."""
    said = baseline.frame.get(_RHYTHM) if baseline is not None else None
    return _PACES.get(said) if isinstance(said, str) else None


def frame_view(
    baseline: Baseline | None, questionnaires: Mapping[str, Questionnaire], language: str
) -> Mapping[str, str]:
    """The working frame as texts show it: by question, in words, empty where it is open.

    ``agreed``: all in a line. ``pace``: the value of ``rhythm``, such as ``weekly``, for conditions.
    """
    said = baseline.frame if baseline is not None else {}
    form = questionnaires.get(FRAME)
    questions = {question.key: question for question in form.questions()} if form is not None else {}
    languages = form.languages if form is not None else ()
    shown = dict.fromkeys((*FRAME_KEYS, *(_name(key) for key in questions)), "")
    for key, value in said.items():
        shown[_name(key)] = _told(questions.get(key), value, language, languages)
    return {**shown, "agreed": _agreed(shown, language), "pace": str(said.get(_RHYTHM, ""))}


def _agreed(shown: Mapping[str, str], language: str) -> str:
    """The whole frame in a line; empty where nothing was agreed."""
    parts = []
    for words, name, detail in _IN_A_LINE:
        if shown[name]:
            more = _say(detail, language, value=shown[detail]) if shown[detail] else ""
            parts.append(_say(words, language, value=shown[name]) + more)
    return "; ".join(parts) if not language.startswith("fr") else " ; ".join(parts)


def _name(key: str) -> str:
    return key.replace("-", "_")


def _told(question: Question | None, value: AnswerValue, language: str, languages: tuple[str, ...]) -> str:
    texts = {one.value: wording(one.text, language, languages) for one in (question.options if question else ())}
    chosen = value if isinstance(value, tuple) else (str(value),)
    return ", ".join(texts.get(one, one) for one in chosen)


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, ("en",)).format(**values)
