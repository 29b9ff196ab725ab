"""Both sides of a goodbye on one page (P-39): what the record, the team, the interviewer and the customers say.

The note appears once the account's team has rated itself and somebody else has spoken. Answers that come after it are
gathered for :data:`CALM`, so that ten contacts make no ten notes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from workflows.asking import author_id, is_farewell, is_own_view
from workflows.documents import shorten
from workflows.draft import Draft
from workflows.feedback import parted, signed, start_score
from workflows.questions import Answer, AnswerValue, Option, Question, Questionnaire, QuestionType
from workflows.records import Contact, Role
from workflows.rules import CaseKind, LinkKind, Texts
from workflows.said import Said
from workflows.survey import clean_text, wording
from workflows.writes import CreateNote

CALM = timedelta(days=3)
"""So long after the newest answer the note is written anew."""
APART = 2
"""From this difference on, on a scale of five, views part; on one of eleven, from twice as much."""
_DIGEST, _DUE = "sides", "sides_due"

_WORDS: Mapping[str, Texts] = {
    "title": {"en": "Both sides: how each saw this goodbye", "fr": "Regards croisés : comment chacun a vu ce départ"},
    "reason": {"en": "Main reason", "fr": "Raison principale"},
    "second": {"en": "{reason}; second: {second}", "fr": "{reason} ; ensuite : {second}"},
    "score": {"en": "Willingness to recommend (0 to 10)", "fr": "Volonté de recommander (de 0 à 10)"},
    "avoidable": {"en": "Could it have been avoided?", "fr": "Aurait-on pu l’éviter ?"},
    "themes": {
        "en": "Where the views part, from 1 (poor) to 5 (very good)",
        "fr": "Là où les avis divergent, de 1 (insuffisant) à 5 (très bien)",
    },
    "record": {"en": "The deal, as our sales record has it", "fr": "La transaction, telle que remplie par les ventes"},
    "team": {"en": "The account's team, before any answer", "fr": "L’équipe du compte, avant toute réponse"},
    "team_late": {
        "en": "The account's team, after the first answers",
        "fr": "L’équipe du compte, après les premières réponses",
    },
    "named": {"en": "{name} ({who})", "fr": "{name} ({who})"},
    "mean": {
        "en": "The team on average: {mean} expected ({lowest} to {highest})",
        "fr": "L’équipe en moyenne : {mean} attendu (de {lowest} à {highest})",
    },
    "interviewer": {"en": "The interviewer", "fr": "La personne qui a mené l’entretien"},
    "customer": {"en": "The customer", "fr": "Le client"},
    "decider": {"en": "{name} (decides)", "fr": "{name} (décide)"},
    "user": {"en": "{name} (uses it)", "fr": "{name} (utilise)"},
    "influencer": {"en": "{name} (advises)", "fr": "{name} (conseille)"},
    "line": {"en": "- {who}: {what}", "fr": "- {who} : {what}"},
    "expected": {"en": "{score} expected", "fr": "{score} attendu"},
    "from": {
        "en": "{score} (at the start {start}, change {change})",
        "fr": "{score} (au début {start}, soit {change})",
    },
    "agree": {"en": "They name the same reason.", "fr": "Ils donnent la même raison."},
    "part": {
        "en": "They do not name the same reason: worth a talk.",
        "fr": "Ils ne donnent pas la même raison : il vaut la peine d’en parler.",
    },
    "score_part": {
        "en": "The team expected another score than the customer gave.",
        "fr": "L’équipe s’attendait à une autre note que celle du client.",
    },
    "sponsor": {
        "en": "Those who decide and those who use it see this differently.",
        "fr": "Ceux qui décident et ceux qui utilisent ne voient pas cela de la même façon.",
    },
    "none": {"en": "Nowhere by much.", "fr": "Nulle part de beaucoup."},
}


@dataclass(frozen=True)
class Voice:
    """One who spoke: who it is in words, and what they said to which questions."""

    who: str
    questionnaire: Questionnaire
    answer: Answer
    contact: Contact | None = None

    def said(self, *names: str) -> tuple[Question, AnswerValue] | None:
        """The first answered question of this field, or of this key."""
        for question in self.questionnaire.questions():
            value = self.answer.values.get(question.key)
            if value is not None and (question.field in names or question.key in names):
                return question, value
        return None

    def has(self, *roles: Role) -> bool:
        """Whether they have one of these roles."""
        return self.contact is not None and any(role in self.contact.roles for role in roles)


def compare(draft: Draft) -> None:
    """Write the note where it is due: the first at once, later ones when answers have calmed down."""
    if draft.case.kind is not CaseKind.OFFBOARDING:
        return
    answers = _both(draft)
    if answers is None:
        return
    digest = hashlib.sha256(repr([_said(one) for one in answers]).encode())
    state = digest.hexdigest()[:16]
    if draft.written.get(_DIGEST) == state:
        draft.written.pop(_DUE, None)
        return
    due = max(one.at for one in answers) + CALM
    if _DIGEST in draft.written and draft.case.is_open and draft.now < due:
        draft.written[_DUE] = due.isoformat()
        return
    if draft.look.people is None:
        draft.needs_people = True
        return
    draft.written.pop(_DUE, None)
    draft.written[_DIGEST] = state
    _note(draft, answers)


def late_mark(answer: Answer) -> str:
    """Under which name the case keeps whether this view of the team was written before any answer (P-39)."""
    return f"late:{answer.questionnaire}" + (f":{author_id(answer.author)}" if answer.author else "")


def next_comparison(draft: Draft) -> datetime | None:
    """When the note is to be written anew, if it is."""
    due = draft.written.get(_DUE)
    return datetime.fromisoformat(due) if due is not None else None


def _said(answer: Answer) -> tuple[object, ...]:
    said = (answer.questionnaire, answer.contact_id, answer.values)
    return (*said, author_id(answer.author)) if answer.author else said


def _both(draft: Draft) -> list[Answer] | None:
    """The answers that count here, the team's first; None while one of the sides has not spoken."""
    team, others = [], []
    for answer in draft.look.answers:
        questionnaire = draft.look.questionnaires.get(answer.questionnaire)
        if questionnaire is None or answer.case_id != draft.case.id or not answer.values:
            continue
        if is_own_view(questionnaire):
            team.append(answer)
        elif questionnaire.kind is LinkKind.INTERVIEW or (answer.by == "customer" and is_farewell(questionnaire)):
            others.append(answer)
    others.sort(key=lambda one: (one.by, one.contact_id or ""))
    return [*team, *others] if team and others else None


def _note(draft: Draft, answers: Sequence[Answer]) -> None:
    case, language = draft.case, draft.case.language
    voices = [_voice(draft, answer) for answer in answers]
    blocks = [
        _reasons(draft, voices, language),
        _scores(draft, voices, language),
        _avoidable(voices, language),
        _themes(voices, language),
    ]
    title = _say("title", language)
    key = f"{case.id}:sides:{draft.number('sides')}"
    for number, body in enumerate(parted([block for block in blocks if block]), start=1):
        draft.writes.append(
            CreateNote(
                key=key if number == 1 else f"{key}:{number}",
                deal_id=case.deal_id,
                title=title,
                body=body,
                at=draft.now,
                company_id=draft.look.deal.company_id or case.company_id,
            )
        )
    draft.log("both sides compared", Said("%(count)d answers side by side", count=len(answers)))


def _voice(draft: Draft, answer: Answer) -> Voice:
    language = draft.case.language
    questionnaire = draft.look.questionnaires[answer.questionnaire]
    people = draft.look.people
    contact = next((one for one in (people.contacts if people else ()) if one.id == answer.contact_id), None)
    if answer.by == "team":
        who = _say("team_late" if draft.written.get(late_mark(answer)) == "yes" else "team", language)
        who = _say("named", language, name=shorten(clean_text(answer.author)), who=who) if answer.author else who
    elif answer.by == "csm":
        who = _say("interviewer", language)
    else:
        name = shorten(clean_text(contact.name)) if contact is not None else ""
        role = next((one for one in (Role.DECIDER, Role.USER, Role.INFLUENCER) if contact and one in contact.roles), "")
        who = _say(str(role), language, name=name) if name and role else name or _say("customer", language)
    return Voice(who, questionnaire, answer, contact)


# --- its parts --------------------------------------------------------------------------------------------------------


def _reasons(draft: Draft, voices: Sequence[Voice], language: str) -> str:
    lines = []
    named = set()
    if record := shorten(clean_text(draft.look.deal.exit_reason or "")):
        lines.append(_line(_say("record", language), record, language))
    for voice in voices:
        first = voice.said("exit_reason", "exit_reason_interview", "exit_reason_team")
        if first is None:
            continue
        named.add(_category(*first))
        words = _in_words(voice, first, language)
        second = voice.said("exit_reason_second", "reason-second")
        if second is not None:
            words = _say("second", language, reason=words, second=_in_words(voice, second, language))
        lines.append(_line(voice.who, words, language))
    if len(lines) > 1 and named:
        lines.append(_say("agree" if len(named) == 1 else "part", language))
    return _block("reason", lines, language)


def _scores(draft: Draft, voices: Sequence[Voice], language: str) -> str:
    lines, given, expected = list[str](), list[int](), list[int]()
    for voice in voices:
        said = voice.said("team_score", "exit_score")
        if said is None or not isinstance(said[1], int):
            continue
        score = said[1]
        start = start_score(draft.look.people, voice.contact) if voice.answer.by == "customer" else None
        if voice.answer.by == "team":
            expected.append(score)
            words = _say("expected", language, score=score)
        else:
            given.append(score)
            words = str(score)
            if start is not None:
                words = _say("from", language, score=score, start=start, change=signed(score - start))
        lines.append(_line(voice.who, words, language))
    mean = sum(expected) / len(expected) if expected else None
    if mean is not None and len(expected) > 1:
        shown = f"{mean:.1f}".replace(".", "," if language.startswith("fr") else ".")
        spread = {"lowest": min(expected), "highest": max(expected)}
        lines.append(f"- {_say('mean', language, mean=shown, **spread)}")
    if mean is not None and any(abs(mean - score) >= 2 * APART for score in given):
        lines.append(_say("score_part", language))
    return _block("score", lines, language)


def _avoidable(voices: Sequence[Voice], language: str) -> str:
    said = [(voice, voice.said("exit_avoidable", "avoidable")) for voice in voices]
    lines = [_line(voice.who, _in_words(voice, one, language), language) for voice, one in said if one is not None]
    return _block("avoidable", lines, language)


def _themes(voices: Sequence[Voice], language: str) -> str:
    """Questions that the team and others rated on the same scale, where they lie apart."""
    lines = list(_parting(voices, language)) or [_say("none", language)]
    return _block("themes", lines, language) if any(voice.answer.by == "customer" for voice in voices) else ""


def _parting(voices: Sequence[Voice], language: str) -> Iterator[str]:
    team = next((voice for voice in voices if voice.answer.by == "team"), None)
    for question in team.questionnaire.questions() if team is not None else ():
        if question.type is not QuestionType.SCALE or question.field is not None:
            continue
        rated = [(voice, value) for voice in voices if (value := _rating(voice, question)) is not None]
        values = [value for _, value in rated]
        if len(values) < 2 or max(values) - min(values) < APART:
            continue
        text = wording(question.text, language, voices[0].questionnaire.languages)
        yield _line(text, ", ".join(f"{voice.who} {value}" for voice, value in rated), language)
        deciding = [value for voice, value in rated if voice.has(Role.DECIDER)]
        using = [value for voice, value in rated if voice.has(Role.USER) and not voice.has(Role.DECIDER)]
        if deciding and using and abs(sum(deciding) / len(deciding) - sum(using) / len(using)) >= APART:
            yield f"  {_say('sponsor', language)}"


def _rating(voice: Voice, question: Question) -> int | None:
    said = voice.said(question.key)
    if said is None or (said[0].low, said[0].high) != (question.low, question.high):
        return None
    return said[1] if isinstance(said[1], int) else None


def _category(question: Question, value: AnswerValue) -> str:
    option = _option(question, value)
    return (option.category or option.value) if option is not None else str(value)


def _in_words(voice: Voice, said: tuple[Question, AnswerValue], language: str) -> str:
    option = _option(*said)
    return wording(option.text, language, voice.questionnaire.languages) if option is not None else str(said[1])


def _option(question: Question, value: AnswerValue) -> Option | None:
    return next((option for option in question.options if option.value == value), None)


def _block(heading: str, lines: Sequence[str], language: str) -> str:
    return "\n".join([_say(heading, language), *lines]) if lines else ""


def _line(who: str, what: str, language: str) -> str:
    return _say("line", language, who=who, what=what)


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, ("en",)).format(**values)
