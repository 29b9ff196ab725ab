"""From an answer to what stands in the CRM: values for reports, and a note for people (P-37).

The customer's own score and reason are only ever written from the customer's own answer. What the interviewer and the
account's team said has fields of its own (P-34), and the readable texts always say whose words they are (P-39).
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from math import floor

from workflows.asking import author_id, is_farewell, is_own_view
from workflows.cases import Case
from workflows.dates import day_said
from workflows.documents import shorten
from workflows.fields import FIELDS
from workflows.heed import Heed
from workflows.questions import Answer, AnswerValue, Question, Questionnaire, QuestionType
from workflows.records import Contact, Deal, People, RecordKind, Ref
from workflows.rules import CaseKind, LinkKind, Texts
from workflows.survey import clean_text, wording
from workflows.survey_checks import FEEDBACK_FIELDS
from workflows.texts import date_words
from workflows.writes import CreateNote, FieldValue, UpdateFields, Write

MAX_TEXT = 30_000
"""Characters of one field or note: below what the narrowest CRM holds in a long text, which is 32,768."""
_BELOW = "\n\n— — —\n\n"

_WORDS: Mapping[str, Texts] = {
    "start": {"en": "First impression: {who}", "fr": "Première impression : {who}"},
    "survey": {"en": "Exit survey: {who}", "fr": "Enquête de sortie : {who}"},
    "interview": {"en": "Exit conversation: {who}", "fr": "Entretien de départ : {who}"},
    "customer": {"en": "the customer's own answer", "fr": "réponse du client lui-même"},
    "customer_named": {"en": "{name}'s own answer", "fr": "réponse donnée par {name}"},
    "phone": {"en": "{name}, taken by phone by {taker}", "fr": "{name}, au téléphone, noté par {taker}"},
    "colleague": {"en": "a colleague", "fr": "un membre de l’équipe"},
    "leaving": {"en": "How the leaving went: {who}", "fr": "Déroulement du départ : {who}"},
    "team": {"en": "Account team: its own view", "fr": "Équipe du compte : son propre point de vue"},
    "team_page": {"en": "Account team: {title}", "fr": "Équipe du compte : {title}"},
    "before": {
        "en": "Written before any answer of the customer or the interviewer came in.",
        "fr": "Rédigé avant l’arrivée de toute réponse du client ou de la personne qui l’a écouté.",
    },
    "after": {
        "en": (
            "Written after an answer of the customer or the interviewer had come in, so it is no longer a guess: the "
            "fields for reports leave it out."
        ),
        "fr": (
            "Rédigé après l’arrivée d’une réponse du client ou de la personne qui l’a écouté : ce n’est donc plus une "
            "estimation, et les champs des rapports n’en tiennent pas compte."
        ),
    },
    "change": {
        "en": "Score at the start: {start}. Score now: {score}. Change: {change}.",
        "fr": "Note au début : {start}. Note à présent : {score}. Évolution : {change}.",
    },
    "csm": {"en": "notes of our interviewer", "fr": "notes de la personne qui a mené l’entretien"},
    "csm_named": {
        "en": "notes of our interviewer after talking to {name}",
        "fr": "notes de la personne qui a parlé avec {name}",
    },
    "part": {"en": "{title} (part {part} of {parts})", "fr": "{title} (partie {part} sur {parts})"},
    "scale": {
        "en": "{value} ({low} = {lowest}, {high} = {highest})",
        "fr": "{value} ({low} = {lowest}, {high} = {highest})",
    },
    "shortened": {
        "en": "[Shortened here. The whole answer is in the note on the deal.]",
        "fr": "[Texte raccourci ici. La réponse entière figure dans la note sur la transaction.]",
    },
}


def feedback_writes(
    case: Case,
    questionnaire: Questionnaire,
    answer: Answer,
    deal: Deal,
    now: datetime,
    *,
    name: str | None = None,
    start: int | None = None,
    late: bool = False,
    phone: str | None = None,
    among: Sequence[Answer] = (),
    beside: Sequence[tuple[Answer, str]] = (),
    heed: Heed | None = None,
) -> tuple[Write, ...]:
    """The keyed writes that bring one answer onto contact, company and deal; none for an answer without values.

    ``name`` is the contact's, where known, ``start`` the score that the relation began with (P-33). ``late``: the team
    rated itself when answers were in already (P-39). ``phone``: who took the answer down in a call; None: nobody did.
    The same answer always gives the same keys; an edited one gives new keys, so that its note is added beside the
    former one and its values take the place of the former. Deal and company hold the newest answer, or what it comes to
    with those of other colleagues, ``among`` which it is, the newest first (:func:`_together`). ``beside``: what else
    was said of the relation, newest first, each with its :func:`last_words`; the customer's words stand above our notes
    of the conversation, and neither takes the other's place. An answer dated after ``now`` counts as given now.
    ``heed`` leaves out what people have changed in the CRM since, and the note then tells of it (P-7B).
    """
    if not answer.values:
        return ()
    who = answer.contact_id if answer.by == "customer" else f"{answer.by}@{answer.contact_id}"
    who = who if answer.contact_id else answer.by + (f"-{author_id(answer.author)}" if answer.author else "")
    key = f"{case.id}:feedback:{who}:{_digest(answer)}"
    company_id = deal.company_id or case.company_id
    title = _title(case.kind, questionnaire, answer, case.language, name, phone)
    score = given_score(questionnaire, answer)
    start = start if score is not None and case.kind is CaseKind.OFFBOARDING else None
    readable = [*_foreword(questionnaire, case.language, start, score, late=late)]
    readable += _readable(questionnaire, answer, case.language)
    text = "\n\n".join([title, *readable])
    is_told = case.kind is not CaseKind.BASELINE and is_about_the_relation(questionnaire)
    records = ((RecordKind.CONTACT, answer.contact_id), (RecordKind.COMPANY, company_id), (RecordKind.DEAL, deal.id))
    fields = []
    for kind, record_id in records:
        said = {} if late else _values(questionnaire, (answer, *among), kind)
        other = next((one for one in beside if _stands_beside(one[0], answer, kind)), None) if is_told else None
        told = _last_words(answer, text, other, case.language, now) if is_told else {}
        values = {**said, **_beginning(kind, start), **told}
        if record_id is None or not values:
            continue
        target = Ref(kind=kind, id=record_id)
        values = heed.settle(target, values) if heed is not None else values
        if values:
            named = f":@{other[0].contact_id}" if other is not None and other[0].contact_id else ""  # for an erasure
            fields.append(UpdateFields(key=f"{key}:{kind}{named}", deal_id=deal.id, target=target, values=values))
    readable += heed.told() if heed is not None else ()
    parts = parted(readable)
    notes = [
        CreateNote(
            key=f"{key}:note" if number == 1 else f"{key}:note{number}",
            deal_id=deal.id,
            title=title if len(parts) == 1 else _say("part", case.language, title=title, part=number, parts=len(parts)),
            body=body,
            at=min(answer.at, now),
            company_id=company_id,
            contact_ids=(answer.contact_id,) if answer.contact_id else (),
        )
        for number, body in enumerate(parts, start=1)
    ]
    return (*fields, *notes)


def given_score(questionnaire: Questionnaire, answer: Answer) -> int | None:
    """The customer's willingness to recommend, at the end or at the start, if this answer tells it."""
    if answer.by != "customer":
        return None
    asked = (one.key for one in questionnaire.questions() if one.field in ("exit_score", "start_score"))
    value = answer.values.get(next(asked, ""))
    return value if isinstance(value, int) else None


def start_score(people: People | None, contact: Contact | None) -> int | None:
    """The score that the relation began with: the person's own, or else the company's (P-33)."""
    if contact is not None and contact.start_score is not None:
        return contact.start_score
    company = people.company if people is not None else None
    return company.start_score if company is not None else None


def is_about_the_relation(questionnaire: Questionnaire) -> bool:
    """Whether it belongs into the text of the last words: neither our team's view, nor how the leaving itself went."""
    return is_farewell(questionnaire) or questionnaire.kind is LinkKind.INTERVIEW


def last_words(
    case: Case, questionnaire: Questionnaire, answer: Answer, name: str | None, *, start: int | None, phone: str | None
) -> str:
    """Whose words these are, and every question with its answer, for the text that stands on the records."""
    start = start if case.kind is CaseKind.OFFBOARDING else None
    title = _title(case.kind, questionnaire, answer, case.language, name, phone)
    before = _foreword(questionnaire, case.language, start, given_score(questionnaire, answer), late=False)
    return "\n\n".join([title, *before, *_readable(questionnaire, answer, case.language)])


def _stands_beside(one: Answer, answer: Answer, kind: RecordKind) -> bool:
    """Whether it is of the other side, customer or us; on a contact it is theirs alone."""
    is_other_side = (one.by == "customer") is not (answer.by == "customer")
    return is_other_side and (kind is not RecordKind.CONTACT or one.contact_id == answer.contact_id)


def _last_words(
    answer: Answer, text: str, other: tuple[Answer, str] | None, language: str, now: datetime
) -> dict[str, FieldValue]:
    """The text of the last words, the customer's first: what is shortened is cut at its end, from our notes."""
    if other is None:
        return {"exit_feedback": _shortened(text, language), "exit_feedback_at": min(answer.at, now)}
    texts = (text, other[1]) if answer.by == "customer" else (other[1], text)
    at = min(max(answer.at, other[0].at), now)
    return {"exit_feedback": _shortened(_BELOW.join(texts), language), "exit_feedback_at": at}


def _foreword(
    questionnaire: Questionnaire, language: str, start: int | None, score: int | None, *, late: bool
) -> Iterator[str]:
    if is_own_view(questionnaire):
        yield _say("after" if late else "before", language)
    if start is not None and score is not None:
        yield _say("change", language, start=start, score=score, change=signed(score - start))


def signed(number: int) -> str:
    """With its sign, and a real minus."""
    return f"+{number}" if number > 0 else str(number).replace("-", "\N{MINUS SIGN}")


def _beginning(kind: RecordKind, start: int | None) -> dict[str, FieldValue]:
    """Start beside end on the deal, whose reports show both (P-33)."""
    return {"start_score": start} if kind is RecordKind.DEAL and start is not None else {}


def _digest(answer: Answer) -> str:
    """Names this state of the answer. Its moment counts too: people may change an answer and then change it back."""
    said = [answer.questionnaire, answer.at.astimezone(UTC).isoformat(timespec="seconds"), dict(answer.values)]
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]


_SPEAKERS = {LinkKind.SURVEY: "customer", LinkKind.INTERVIEW: "csm", LinkKind.TEAM: "team"}


def _values(questionnaire: Questionnaire, answers: Sequence[Answer], kind: RecordKind) -> dict[str, FieldValue]:
    """The values for reports, of the first of these answers, or of all together where several are of one kind.

    On the person's own record an answer taken back empties the field; on company and deal it stays, since what stands
    there may be somebody else's.
    """
    answer = answers[0]
    if answer.by != _SPEAKERS.get(questionnaire.kind):
        return {}
    values: dict[str, FieldValue] = {}
    for question in questionnaire.questions():
        if (
            question.field is None
            or question.field not in FEEDBACK_FIELDS[questionnaire.kind]
            or not _has(kind, question.field)
        ):
            continue
        value = answer.values.get(question.key)
        if value is None and kind is not RecordKind.CONTACT:
            continue
        if question.options:
            counted = {option.value: option.category or option.value for option in question.options}
            if value is not None and value not in counted:
                continue  # a choice of an older version, which the CRM's field may not know
            value = counted.get(str(value))
        if len(answers) > 1 and value is not None:
            value = _together(question, answers)
        values[question.field] = value if isinstance(value, int | str) else None
    return values


def _together(question: Question, answers: Sequence[Answer]) -> int | str | None:
    """What colleagues say as one: the rounded mean of their scores, or what most of them chose; else the newest's."""
    said = [value for one in answers if (value := one.values.get(question.key)) is not None]
    scores = [value for value in said if isinstance(value, int)]
    if question.type is QuestionType.SCALE and scores:
        return floor(sum(scores) / len(scores) + 0.5)
    counted = {option.value: option.category or option.value for option in question.options}
    chosen = Counter(counted[str(value)] for value in said if str(value) in counted)
    return chosen.most_common(1)[0][0] if chosen else str(said[0])


def _has(kind: RecordKind, name: str) -> bool:
    return any(spec.record is kind and spec.name == name for spec in FIELDS)


def _readable(questionnaire: Questionnaire, answer: Answer, language: str) -> Iterator[str]:
    """Each answered question with its answer; what another version of the questionnaire asked is kept as well.

    Notes of a conversation stand below the titles of their sections: what was said is one thing, and what whoever
    listened thinks of it another.
    """
    asked = set()
    for section in questionnaire.sections:
        titled = questionnaire.kind is not LinkKind.INTERVIEW
        for question in section.questions:
            asked.add(question.key)
            value = answer.values.get(question.key)
            if value is None:
                continue
            if not titled:
                yield f"— {wording(section.title, language, questionnaire.languages)} —"
                titled = True
            text = wording(question.text, language, questionnaire.languages)
            yield f"{text}\n{_told(question, value, language, questionnaire.languages)}"
    for key in sorted(answer.values.keys() - asked):
        value = answer.values[key]
        yield f"{key}\n{', '.join(value) if isinstance(value, tuple) else value}"


def _told(question: Question, value: AnswerValue, language: str, languages: tuple[str, ...]) -> str:
    if question.type is QuestionType.SCALE and len(question.ends) == 2:
        lowest, highest = (wording(end, language, languages) for end in question.ends)
        bounds = {"low": question.low, "high": question.high, "lowest": lowest, "highest": highest}
        return _say("scale", language, value=value, **bounds)
    if question.type is QuestionType.DATE and isinstance(value, str) and (day := day_said(value)) is not None:
        return date_words(day, language)
    texts = {option.value: wording(option.text, language, languages) for option in question.options}
    chosen = value if isinstance(value, tuple) else (str(value),)
    return ", ".join(texts.get(one, one) for one in chosen)


def parted(readable: list[str]) -> list[str]:
    """The answers in as few notes as hold them, cut between questions where that is possible, and never shortened."""
    parts: list[str] = []
    room = 0
    for text in (piece for whole in readable for piece in _pieces(whole)):
        weight = _weight(text) + 2 * _weight("\n")
        if parts and weight <= room:
            parts[-1] += f"\n\n{text}"
        else:
            parts.append(text)
            room = MAX_TEXT
        room -= weight
    return parts


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of :data:`MAX_TEXT` at most, cut at a line's or a word's end where there is one."""
    while _weight(text) > MAX_TEXT:
        end = _fitting(text)
        cut = max(text.rfind("\n", end - 500, end), text.rfind(" ", end - 200, end))
        yield text[: cut if cut > 0 else end].rstrip()
        text = text[cut if cut > 0 else end :].lstrip()
    yield text


_HEAVY = {"&": 5, "<": 4, ">": 4, '"': 6, "'": 6, "\n": 5}
"""Characters of a note that CRMs keep as HTML, which counts as well."""


def _weight(text: str) -> int:
    return _costs(text)[-1] if text else 0


def _fitting(text: str) -> int:
    """How many characters of the text fit into one note."""
    return bisect_right(_costs(text), MAX_TEXT)


def _costs(text: str) -> list[int]:
    """What each beginning of the text takes in a note: escaped, in UTF-16 as CRMs count, and addresses as links."""
    linked = {match.start() for match in re.finditer("://", text)}
    return list(
        accumulate(
            _HEAVY.get(one, 2 if ord(one) > 0xFFFF else 1) + (120 if at in linked else 0) for at, one in enumerate(text)
        )
    )


def _shortened(text: str, language: str) -> str:
    """The text as a field holds it, which counts UTF-16 and perhaps two for a line's end."""
    if sum(2 if ord(one) > 0xFFFF or one == "\n" else 1 for one in text) <= MAX_TEXT:
        return text
    last = _say("shortened", language)
    sizes = list(accumulate(2 if ord(one) > 0xFFFF or one == "\n" else 1 for one in text))
    return f"{text[: bisect_right(sizes, MAX_TEXT - len(last) - 5)].rstrip()}…\n\n{last}"


def _title(
    kind: CaseKind, questionnaire: Questionnaire, answer: Answer, language: str, name: str | None, phone: str | None
) -> str:
    if questionnaire.kind is LinkKind.TEAM:
        title = wording(questionnaire.title, language, questionnaire.languages)
        title = _say("team", language) if is_own_view(questionnaire) else _say("team_page", language, title=title)
        return f"{title} ({shorten(clean_text(answer.author))})" if answer.author else title
    name = shorten(clean_text(name or ""))
    by = "customer" if answer.by == "customer" else "csm"
    who = _say(f"{by}_named" if name else by, language, name=name)
    if phone is not None:
        taker = shorten(clean_text(phone)) or _say("colleague", language)
        who = _say("phone", language, name=name or _say("customer", language), taker=taker)
    if kind is CaseKind.BASELINE and questionnaire.kind is LinkKind.INTERVIEW:
        return wording(questionnaire.title, language, questionnaire.languages)
    page = "interview" if questionnaire.kind is LinkKind.INTERVIEW else "survey"
    if page == "survey" and not is_farewell(questionnaire):
        page = "leaving"
    return _say("start" if kind is CaseKind.BASELINE else page, language, who=who)


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, ("en",)).format(**values)
