"""Which parts of a file reach a customer, and what the tone guard says about them (P-27).

In a step's body the draft for the customer stands between two lines of three hyphens; the rest is for the colleague.
A call is read out, so all texts of a call count, and so does the whole body of an e-mail that marks no draft. Of a
survey everything counts but the answers to choose from, which are the customer's own words; an interview form never
reaches them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from workflows.documents import Document, Fault, Loc, as_list
from workflows.records import Model
from workflows.said import Said
from workflows.tone import LANGUAGES, Finding, Level, Rule, review

ALLOWABLE = tuple(rule.value for rule in Rule if rule is not Rule.THREAT)
"""Rules whose findings may be allowed with a reason. Threats may not."""

_MARK = re.compile(r"^[^\S\n]*---[^\S\n]*$", re.MULTILINE)


class Note(Model):
    """Something that does not bar a file from use: a warning, or a finding that its author allowed with a ``reason``.

    ``fault`` tells the place, the phrase and a better wording. ``rule`` is None where a language has no rules.
    """

    level: Literal["warning", "allowed"]
    rule: Rule | None = None
    fault: Fault
    reason: str = ""

    def __str__(self) -> str:
        """One line, fit for an admin."""
        return f"{self.fault} (allowed: {self.reason})" if self.level == "allowed" else str(self.fault)


@dataclass(frozen=True)
class Spoken:
    """Texts of one part of a file that reach a customer: ``owner`` is where its ``tone_ok`` stands."""

    owner: Loc
    allowed: Mapping[str, str]
    texts: tuple[tuple[Loc, str, str], ...]
    """Place, language and text of each."""


def _parse_allowed(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError(Said("write which rule may be broken here and why, such as {selling: they asked for a quote}"))
    for rule, reason in value.items():
        if rule == Rule.THREAT:
            raise ValueError(Said("a threat cannot be allowed; reword the text"))
        if rule not in ALLOWABLE:
            raise ValueError(
                Said("there is no rule %(rule)s; write one of %(known)s", rule=repr(rule), known=", ".join(ALLOWABLE))
            )
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(Said("say why %(rule)s is right here; the reason is kept and listed", rule=rule))
    return value


Allowed = Annotated[
    dict[str, str],
    BeforeValidator(_parse_allowed),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {rule: {"type": "string", "minLength": 1} for rule in ALLOWABLE},
            "additionalProperties": False,
        }
    ),
]
"""``tone_ok``: the reason by rule."""


def drafts(body: str) -> tuple[str, ...]:
    """The drafts for the customer in a body: what stands between lines of ``---``; the last may lack its end."""
    return tuple(part for part in _MARK.split(body)[1::2] if part.strip())


def step_texts(loc: Loc, step: Mapping[str, Any]) -> Spoken:
    """What of a step, as written in the file, reaches a customer."""
    texts: list[tuple[Loc, str, str]] = []
    kind = step.get("type", "todo")
    for name in ("body", "call_title", "call_body", "customer"):
        for language, text in _by_language(step.get(name)):
            parts: Sequence[str] = drafts(text)
            if name != "body" or kind == "call" or (kind == "email" and not parts):
                parts = [text]
            texts += [((*loc, name, language), language, part) for part in parts]
    return Spoken(loc, _allowed(step), tuple(texts))


def survey_texts(data: Mapping[str, Any]) -> Iterator[Spoken]:
    """What of a survey, as written in the file, its reader sees of ours."""
    if data.get("kind") != "survey":
        return
    yield _named((), data, ("title", "intro", "thanks"))
    for at, section in enumerate(as_list(data.get("sections"))):
        if isinstance(section, dict):
            yield _named(("sections", at), section, ("title", "intro"))
            for number, question in enumerate(as_list(section.get("questions"))):
                if isinstance(question, dict):
                    yield _named(("sections", at, "questions", number), question, ("text", "help"))


def reason_texts(data: Mapping[str, Any]) -> Spoken:
    """What the readers of an admin's own reasons for leaving see (P-34): unlike other choices, our words for theirs."""
    texts = [
        (("options", at, "text", code), code, text)
        for at, option in enumerate(as_list(data.get("options")))
        if isinstance(option, dict)
        for code, text in _by_language(option.get("text"))
    ]
    return Spoken((), _allowed(data), tuple(texts))


def plain_notes(file: str, texts: Sequence[str], languages: Sequence[str]) -> list[Note]:
    """Notes on the texts of a file that is no YAML, such as a letter's layout: warnings that name the phrase."""
    found = {(one.rule, one.phrase): one for text in texts for code in languages for one in review(text, code)}
    return [
        Note(
            level="warning",
            rule=one.rule,
            fault=Fault(file=file, key="", seen=one.phrase, cure=f"{one.rule}. {one.why} {one.better}"),
        )
        for one in found.values()
    ]


def _named(loc: Loc, part: Mapping[str, Any], names: Sequence[str]) -> Spoken:
    texts = [((*loc, name, code), code, text) for name in names for code, text in _by_language(part.get(name))]
    return Spoken(loc, _allowed(part), tuple(texts))


def _by_language(texts: object) -> Iterator[tuple[str, str]]:
    if isinstance(texts, dict):
        yield from ((language, text) for language, text in texts.items() if isinstance(text, str))


def _allowed(part: Mapping[str, Any]) -> Mapping[str, str]:
    allowed = part.get("tone_ok")
    return allowed if isinstance(allowed, dict) else {}


def check_tone(document: Document, spoken: Sequence[Spoken]) -> tuple[list[Fault], list[Note]]:
    """Threats, which bar the file from use, and notes on the rest, in file order."""
    faults, notes = list[Fault](), list[Note]()
    for part in spoken:
        found = [(loc, one) for loc, language, text in part.texts for one in review(text, language)]
        faults += [_told(document, loc, one) for loc, one in found if one.level is Level.BLOCK]
        for loc, one in found:
            if one.level is Level.WARNING:
                reason = part.allowed.get(one.rule)
                level: Literal["warning", "allowed"] = "warning" if reason is None else "allowed"
                fault = _told(document, loc, one)
                notes.append(Note(level=level, rule=one.rule, fault=fault, reason=str(reason or "")))
        for rule in part.allowed.keys() & set(ALLOWABLE) - {one.rule.value for _, one in found}:
            fault = document.fault(
                (*part.owner, "tone_ok", rule), None, Said("nothing here reads like %(rule)s; drop it", rule=rule)
            )
            notes.append(Note(level="warning", rule=Rule(rule), fault=fault))
    return faults, [*notes, *_without_rules(document, spoken)]


def _told(document: Document, loc: Loc, one: Finding) -> Fault:
    return document.fault(loc, one.phrase, f"{one.rule}. {one.why} {one.better}")


def _without_rules(document: Document, spoken: Sequence[Spoken]) -> Iterator[Note]:
    languages = {language for part in spoken for _, language, _ in part.texts}
    for language in sorted(code for code in languages if code.replace("_", "-").partition("-")[0] not in LANGUAGES):
        known = ", ".join(sorted(LANGUAGES))
        cure = Said(
            "there are no rules of tone for %(language)s yet (%(known)s); have somebody read these texts",
            language=language,
            known=known,
        )
        yield Note(level="warning", fault=document.fault(("languages",), language, cure))
