"""How other survey tools write and sign what people answered there (P-38).

Three ways: ``standard`` is our own plain form; ``typeform`` and ``formbricks`` are what these two send. Standard and
Formbricks sign as the Standard Webhooks specification says (headers ``webhook-id``, ``webhook-timestamp``,
``webhook-signature``; five minutes either way); Typeform sends ``Typeform-Signature: sha256=<base64 of HMAC-SHA-256
over the raw body>`` and no timestamp, so that its deliveries are told apart by ``event_id`` alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from connector.survey_settings import OwnToolConfig
from workflows.documents import shorten
from workflows.questions import AnswerValue, Question, Questionnaire, QuestionType
from workflows.survey import read_answers

Given = Mapping[str, Any]
"""What was answered, by the tool's own references."""


class Unproven(Exception):
    """The delivery is not signed by any secret that we know, or was sent too long ago."""


class Unreadable(Exception):
    """The delivery is authentic, and not what its format says. The text names what was seen, and the cure."""


@dataclass(frozen=True)
class Delivery:
    """One person's answers as the tool sent them. ``at`` is when they answered, where the tool tells."""

    case_key: str
    given: Given
    language: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Problem:
    """An answer that cannot be brought to our questionnaire: where, what was seen, and the cure."""

    question: str
    seen: str
    cure: str


# --- is it authentic? -------------------------------------------------------------------------------------------------


def verify_delivery(tool: OwnToolConfig, headers: Mapping[str, str], body: bytes) -> str:
    """The id of an authentic delivery, the same when it is sent again. Raises :class:`Unproven`."""
    if tool.format == "typeform":
        return _verify_typeform(tool, headers, body)
    for secret in tool.secrets:
        try:
            Webhook(secret).verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError):  # ValueError: a signature that is no base64, a body no UTF-8
            continue
        return headers["webhook-id"][:200]
    raise Unproven


def _verify_typeform(tool: OwnToolConfig, headers: Mapping[str, str], body: bytes) -> str:
    sent = headers.get("typeform-signature", "")
    for secret in tool.secrets:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        if hmac.compare_digest(f"sha256={base64.b64encode(digest).decode()}".encode(), sent.encode()):
            return f"typeform {hashlib.sha256(_event_id(body) or body).hexdigest()}"
    raise Unproven


def _event_id(body: bytes) -> bytes:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return b""
    event = payload.get("event_id") if isinstance(payload, dict) else None
    return event.encode() if isinstance(event, str) else b""


def is_greeting(tool: OwnToolConfig, body: bytes) -> bool:
    """Whether it only asks if anybody is there, as Formbricks does before it shows the secret. It carries nothing."""
    if tool.format != "formbricks" or len(body) > 1024:
        return False
    try:
        return bool(_formbricks_event(json.loads(body)).get("event") == "testEndpoint")
    except (ValueError, RecursionError, Unreadable):
        return False


# --- what does it say? ------------------------------------------------------------------------------------------------


def read_delivery(tool: OwnToolConfig, body: bytes) -> Delivery | None:
    """The answers in an authentic delivery; None when it tells of something else. Raises :class:`Unreadable`."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("the body is not JSON: send it as application/json in UTF-8") from None
    read = {"standard": _standard, "typeform": _typeform, "formbricks": _formbricks}[tool.format]
    return read(tool, payload)


def _standard(_tool: OwnToolConfig, payload: Any) -> Delivery | None:
    data = _part(_object(payload, "the body"), "data")
    answers = _part(data, "answers", "data.")
    language = data.get("language")
    return Delivery(
        case_key=_key(data.get("case_key"), "data.case_key"),
        given=answers,
        language=language if isinstance(language, str) else None,
        at=_moment(data.get("answered_at") or payload.get("timestamp")),
    )


def _typeform(tool: OwnToolConfig, payload: Any) -> Delivery | None:
    payload = _object(payload, "the body")
    if payload.get("event_type") != "form_response":
        return None
    response = _part(payload, "form_response")
    hidden = response.get("hidden")
    answers = response.get("answers")
    if not isinstance(answers, list):
        raise Unreadable("form_response.answers is no list: send the whole payload that Typeform makes")
    return Delivery(
        case_key=_key((hidden if isinstance(hidden, dict) else {}).get(tool.case_field), f"hidden.{tool.case_field}"),
        given=dict(_typeform_answers(answers)),
        at=_moment(response.get("submitted_at")),
    )


def _typeform_answers(answers: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Each answer under the reference of its question, or else its id."""
    for number, listed in enumerate(answers):
        answer = _object(listed, f"form_response.answers[{number}]")
        field = _part(answer, "field", f"form_response.answers[{number}].")
        kind = answer.get("type")
        value = answer.get(kind) if isinstance(kind, str) else None
        if kind == "choice" and isinstance(value, dict):
            value = value.get("label") or value.get("other")
        elif kind == "choices" and isinstance(value, dict):
            other = [value["other"]] if value.get("other") else []
            value = [*(value.get("labels") or []), *other]
        reference = field.get("ref") or field.get("id")
        if not isinstance(reference, str):
            raise Unreadable(f"form_response.answers[{number}].field has neither ref nor id")
        yield reference, value


def _formbricks(tool: OwnToolConfig, payload: Any) -> Delivery | None:
    payload = _formbricks_event(payload)
    response = payload.get("data")
    if payload.get("event") not in ("responseFinished", "responseUpdated") or not isinstance(response, dict):
        return None
    if not response.get("finished"):
        return None
    answers = dict(_part(response, "data", "data."))
    key = answers.pop(tool.case_field, None)
    language = response.get("language")
    return Delivery(
        case_key=_key(key, f"data.data.{tool.case_field}"),
        given=answers,
        language=language if isinstance(language, str) and language != "default" else None,
        at=_moment(response.get("updatedAt")),
    )


def _formbricks_event(payload: Any) -> dict[str, Any]:
    """The event; its documentation shows it in a list of one."""
    if isinstance(payload, list) and len(payload) == 1:
        payload = payload[0]
    return _object(payload, "the body")


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is no JSON object")
    return value


def _part(value: dict[str, Any], name: str, within: str = "") -> dict[str, Any]:
    return _object(value.get(name), within + name)


def _key(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unreadable(f"{where} is missing: hand {{{{ case_key }}}} of the link through, as a hidden field")
    return value.strip()


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


# --- from its questions to ours ---------------------------------------------------------------------------------------


_SENDABLE = "send a text, a number, true or false, or a list of texts"


def bring_home(
    tool: OwnToolConfig, questionnaire: Questionnaire, given: Given
) -> tuple[dict[str, AnswerValue], list[Problem]]:
    """The answers by the keys of our questionnaire, and what could not be brought there.

    A reference that ``tool.questions`` does not name is our key itself. Nothing is required: what must be answered is
    for the tool to say.
    """
    asked = {question.key: question for question in questionnaire.questions()}
    form: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for reference, value in given.items():
        wanted = tool.questions.get(reference, reference)
        if wanted is None or value is None:
            continue
        if wanted not in asked:
            cure = f"name it in surveys.own_tool.questions (null to leave it aside); ours are {', '.join(asked)}"
            problems.append(Problem(reference, shorten(value), cure))
            continue
        sent = _sent(tool, asked[wanted], value)
        if sent is None:
            problems.append(Problem(reference, shorten(value), _SENDABLE))
        else:
            form[wanted] = sent
    values, faults = read_answers(_optional(questionnaire), form, "en")
    problems += [_problem(asked[key], form[key], text) for key, text in faults.items()]
    return values, problems


def _sent(tool: OwnToolConfig, question: Question, value: Any) -> list[str] | None:
    """The answer as our own form would send it; None for what is no answer."""
    texts = [_text(one) for one in (value if isinstance(value, list) else [value])]
    found = [_choice(tool, question, one) if question.options else one for one in texts if one is not None]
    if len(found) < len(texts):
        return None
    if len(found) > 1 and question.type is QuestionType.TEXT:
        return ["\n".join(found)]
    return found


def _text(value: Any) -> str | None:
    """A single answer as text; None for what is none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else None


def _choice(tool: OwnToolConfig, question: Question, label: str) -> str:
    """Our value for the tool's words: as mapped, or else the choice with this value or this text in any language."""
    mapped = tool.choices.get(question.key, {}).get(label)
    if mapped is not None:
        return mapped
    plain = label.strip().casefold()
    for option in question.options:
        if plain in (option.value, *(text.casefold() for text in option.text.values())):
            return option.value
    return label


def _problem(question: Question, sent: Sequence[str], text: str) -> Problem:
    cure = text
    if question.options:
        values = ", ".join(option.value for option in question.options)
        cure = f"name it in surveys.own_tool.choices.{question.key}; ours are {values}"
    elif question.type is QuestionType.SCALE:
        cure = f"send a whole number from {question.low} to {question.high}"
    return Problem(question.key, shorten(", ".join(sent)), cure)


def _optional(questionnaire: Questionnaire) -> Questionnaire:
    sections = tuple(
        section.model_copy(
            update={"questions": tuple(one.model_copy(update={"required": False}) for one in section.questions)}
        )
        for section in questionnaire.sections
    )
    return questionnaire.model_copy(update={"sections": sections})
