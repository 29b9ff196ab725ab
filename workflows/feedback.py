"""From an answer to what stands in the CRM: values for reports, and a note for people (P-37).

The customer's own score and reason are only ever written from the customer's own answer. What a colleague noted in the
exit conversation goes into the readable texts, which always say whose words they are (P-39).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from workflows.documents import shorten
from workflows.model import (
    Answer,
    AnswerValue,
    Case,
    CaseKind,
    CreateNote,
    Deal,
    FieldValue,
    LinkKind,
    Question,
    Questionnaire,
    QuestionType,
    RecordKind,
    Ref,
    Texts,
    UpdateFields,
    Write,
)
from workflows.survey import clean_text, wording

MAX_TEXT = 30_000
"""Characters of one field or note: below what the narrowest CRM holds in a long text, which is 32,768."""

_WORDS: Mapping[str, Texts] = {
    "start": {"en": "First impression: {who}", "fr": "Première impression : {who}"},
    "survey": {"en": "Exit survey: {who}", "fr": "Enquête de départ : {who}"},
    "interview": {"en": "Exit conversation: {who}", "fr": "Entretien de départ : {who}"},
    "customer": {"en": "the customer's own answer", "fr": "réponse du client lui-même"},
    "customer_named": {"en": "{name}'s own answer", "fr": "réponse de {name}"},
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
    case: Case, questionnaire: Questionnaire, answer: Answer, deal: Deal, now: datetime, *, name: str | None = None
) -> tuple[Write, ...]:
    """The keyed writes that bring one answer onto contact, company and deal; none for an answer without values.

    ``name`` is the contact's, where known. The same answer always gives the same keys; an edited one gives new keys, so
    that its note is added beside the former one and its values take the place of the former. Deal and company hold the
    newest answer. An answer dated after ``now`` counts as given now.
    """
    if not answer.values:
        return ()
    who = answer.contact_id if answer.by == "customer" else f"csm@{answer.contact_id}" if answer.contact_id else None
    key = f"{case.id}:feedback:{who or answer.by}:{_digest(answer)}"
    company_id = deal.company_id or case.company_id
    title = _title(case.kind, questionnaire, answer, case.language, name)
    readable = list(_readable(questionnaire, answer, case.language))
    text = _shortened("\n\n".join([title, *readable]), case.language)
    told: dict[str, FieldValue] = {"exit_feedback": text, "exit_feedback_at": min(answer.at, now)}
    if case.kind is CaseKind.BASELINE:
        told = {}  # what a customer said at the start is no word of farewell: it stands in the note alone
    records = ((RecordKind.CONTACT, answer.contact_id), (RecordKind.COMPANY, company_id), (RecordKind.DEAL, deal.id))
    fields = [
        UpdateFields(
            key=f"{key}:{kind}",
            deal_id=deal.id,
            target=Ref(kind=kind, id=record_id),
            values=values,
        )
        for kind, record_id in records
        if record_id is not None
        and (values := {**_values(questionnaire, answer, own=kind is RecordKind.CONTACT), **told})
    ]
    parts = _parts(readable)
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


def _digest(answer: Answer) -> str:
    """Names this state of the answer. Its moment counts too: people may change an answer and then change it back."""
    said = [answer.questionnaire, answer.at.astimezone(UTC).isoformat(timespec="seconds"), dict(answer.values)]
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]


def _values(questionnaire: Questionnaire, answer: Answer, *, own: bool) -> dict[str, FieldValue]:
    """The values for reports.

    On the person's ``own`` record an answer taken back empties the field; on company and deal it stays, since what
    stands there may be somebody else's.
    """
    if answer.by != "customer":
        return {}
    values: dict[str, FieldValue] = {}
    for question in questionnaire.questions():
        value = answer.values.get(question.key)
        if question.field is None or not (own or value is not None):
            continue
        if question.options and value not in {None, *(option.value for option in question.options)}:
            continue  # a choice of an older version, which the CRM's field may not know
        values[question.field] = value if isinstance(value, int | str) else None
    return values


def _readable(questionnaire: Questionnaire, answer: Answer, language: str) -> Iterator[str]:
    """Each answered question with its answer; what another version of the questionnaire asked is kept as well."""
    asked = set()
    for question in questionnaire.questions():
        asked.add(question.key)
        value = answer.values.get(question.key)
        if value is not None:
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
    texts = {option.value: wording(option.text, language, languages) for option in question.options}
    chosen = value if isinstance(value, tuple) else (str(value),)
    return ", ".join(texts.get(one, one) for one in chosen)


def _parts(readable: list[str]) -> list[str]:
    """The answers in as few notes as hold them, cut between questions."""
    parts: list[str] = []
    for text in readable:
        if parts and len(parts[-1]) + 2 + len(text) <= MAX_TEXT:
            parts[-1] += f"\n\n{text}"
        else:
            parts.append(text)
    return parts


def _shortened(text: str, language: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    last = _say("shortened", language)
    return f"{text[: MAX_TEXT - len(last) - 3].rstrip()}…\n\n{last}"


def _title(kind: CaseKind, questionnaire: Questionnaire, answer: Answer, language: str, name: str | None) -> str:
    name = shorten(clean_text(name or ""))
    by = "customer" if answer.by == "customer" else "csm"
    who = _say(f"{by}_named" if name else by, language, name=name)
    page = "survey" if questionnaire.kind is LinkKind.SURVEY else "interview"
    return _say("start" if kind is CaseKind.BASELINE else page, language, who=who)


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, ("en",)).format(**values)
