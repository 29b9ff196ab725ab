"""What a playbook must be beyond its format: dates that can be, names that exist, texts that are there, and manners.

Each check takes the steps that are right in themselves and gives faults; none stops at the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, nodes

from workflows.answers import SCORE_NAMES
from workflows.cases import Case
from workflows.documents import Document, Fault, Loc, as_list, guess, language_faults, translation_faults
from workflows.people import RULES
from workflows.records import Company, Contact, Deal
from workflows.rules import RIGHTS_ANCHORS, Anchor, CaseKind, LinkKind, Moment, StepRule
from workflows.said import Said
from workflows.texts import CONDITION_NAMES, ITEM_NAMES, TEXT_NAMES, check_expression, check_text
from workflows.views import Contacts
from workflows.writes import DocumentKind

MAX_TITLE = 120
MAX_REMINDERS = 2
NAME_ROOM = 30
"""How many characters a filled-in value is reckoned to take in a title."""

_STEP_TEXTS = ("title", "body", "call_title", "call_body")
CUSTOMER_NAMES = frozenset({"contract_end"})
"""What a text for the customer's own page may show (P-2A)."""
AHEAD = RIGHTS_ANCHORS | {Anchor.CONTRACT_END, Anchor.ITEM}
"""Days that are known before they come."""
ASKING = frozenset({LinkKind.SURVEY, LinkKind.INTERVIEW, LinkKind.TEAM})
"""Pages that ask the questions of a questionnaire; the others are about the case."""

_EXPRESSION = re.compile(r"{{.*?}}", re.DOTALL)
_ENVIRONMENT = Environment(autoescape=True)  # only parses, to look at what a text names
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "deal": frozenset(Deal.model_fields),
    "company": frozenset(Company.model_fields),
    "contact": frozenset(Contact.model_fields),
    "contacts": Contacts.NAMES,
    "case": frozenset(Case.model_fields) - {"steps", "written"} | SCORE_NAMES,
}


@dataclass(frozen=True)
class Placed:
    """A step with its place in the file, without its ``faulty`` keys, which are named already."""

    loc: Loc
    rule: StepRule
    faulty: frozenset[object] = frozenset()

    @property
    def dated(self) -> bool:
        """Whether its dates are as people meant them: an unknown key may be a date that is misspelt."""
        return self.faulty <= StepRule.model_fields.keys() - {"release", "not_before", "due"}

    @property
    def linked(self) -> bool:
        """Whether its link is as people meant it."""
        return self.faulty.isdisjoint({"link", "questionnaire", "per_contact", "body", "call_title", "call_body"})


Faults = Iterator[Fault]


def check_playbook(document: Document, placed: list[Placed], questionnaires: Mapping[str, LinkKind]) -> list[Fault]:
    """Everything that is wrong beyond the format. ``placed`` are the steps without what is wrong in itself."""
    faults = [*language_faults(document), *_doubled_keys(document)]
    faults += translation_faults(document, _all_texts(document.data))
    keys = {step.get("key") for _, step in raw_steps(document.data)}
    for one in placed:
        faults += [*_moments(document, one, keys), *_overdue(document, one)] if one.dated else ()
        faults += _names(document, one, questionnaires)
        faults += _links(document, one) if one.linked else ()
        faults += _templates(document, one)
    faults += _circles(document, placed)
    faults += _reminders(document, placed)
    faults += _conclusions(document, placed)
    if document.data.get("kind") != CaseKind.BASELINE:  # the first survey of a relation follows no end (P-60)
        faults += _early_surveys(document, placed)
    return faults


def raw_steps(data: Any) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """Every step as written, with its place."""
    for at, phase in enumerate(as_list(data.get("phases"))):
        for number, step in enumerate(as_list(phase.get("steps") if isinstance(phase, dict) else None)):
            if isinstance(step, dict):
                yield ("phases", at, "steps", number), step


def _doubled_keys(document: Document) -> Faults:
    phases = [(("phases", at), phase) for at, phase in enumerate(as_list(document.data.get("phases")))]
    for what, items in (("phase", phases), ("step", list(raw_steps(document.data)))):
        seen: dict[str, int | None] = {}
        for loc, item in items:
            key = item.get("key") if isinstance(item, dict) else None
            if isinstance(key, str) and key in seen:
                cure = Said(
                    "a %(what)s with this key stands in line %(line)s already; give each its own",
                    what=what,
                    line=seen[key],
                )
                yield document.fault((*loc, "key"), key, cure)
            elif isinstance(key, str):
                seen[key] = document.lines.get((*loc, "key"))


def _all_texts(data: dict[str, Any]) -> Iterator[tuple[Loc, dict[str, Any]]]:
    titled: list[tuple[Loc, Any]] = [((), data)] + [
        (("phases", at), phase) for at, phase in enumerate(as_list(data.get("phases")))
    ]
    for loc, item in titled:
        if isinstance(item, dict) and isinstance(item.get("title"), dict):
            yield (*loc, "title"), item["title"]
    for loc, step in raw_steps(data):
        for name in (*_STEP_TEXTS, "customer"):
            if isinstance(step.get(name), dict) and (step[name] or name in ("title", "body")):
                yield (*loc, name), step[name]


def _moments(document: Document, one: Placed, keys: set[Any]) -> Faults:
    rule = one.rule
    for name in ("release", "not_before", "due"):
        moment: Moment | None = getattr(rule, name)
        if moment is None:
            continue
        loc = (*one.loc, name)
        if moment.step is not None and moment.step not in keys:
            known = [key for key in keys if isinstance(key, str)]
            yield document.fault(
                loc,
                spell(moment),
                Said("there is no step %(step)s; %(guess)s", step=repr(moment.step), guess=guess(moment.step, known)),
            )
        if moment.anchor not in AHEAD and moment.days < 0:
            cure = Said(
                "nobody can act before %(anchor)s has happened; only days that are ahead take a minus",
                anchor=moment.anchor,
            )
            yield document.fault(loc, spell(moment), cure)
    yield from _lasting(document, one)
    yield from _paced(document, one)
    if rule.due.anchor in _UNKNOWN_BEFORE and not _same_anchor(rule.due, rule.release):
        cure = Said(
            "this date is not known when the task appears (%(moment)s); release it on the same anchor",
            moment=spell(rule.release),
        )
        yield document.fault((*one.loc, "due"), spell(rule.due), cure)
    for name in ("release", "not_before"):
        start: Moment | None = getattr(rule, name)
        if start and _surely_before(rule.due, start):
            cure = Said(
                "it would be due before it appears (%(name)s is %(moment)s); make it later",
                name=name,
                moment=spell(start),
            )
            yield document.fault((*one.loc, "due"), spell(rule.due), cure)


_UNKNOWN_BEFORE = frozenset({Anchor.STEP, Anchor.OVERDUE, Anchor.ANSWERED, Anchor.RATED})
"""Anchors of which nobody can tell beforehand when they come."""
_LATER = frozenset({Anchor.WIN_BACK, Anchor.WISH, Anchor.MOVED})
"""Anchors that lie after the end, if they come at all (P-52, P-53, P-56)."""


def _lasting(document: Document, one: Placed) -> Faults:
    """What may come long after the end must not hold up the case (P-51 … P-56)."""
    rule = one.rule
    if rule.lasting or "lasting" in one.faulty:
        if rule.release.anchor in _LATER and not _same_anchor(rule.due, rule.release):
            cure = Said(
                "count it from %(anchor)s as well: nobody knows before whether it appears at all",
                anchor=rule.release.anchor,
            )
            yield document.fault((*one.loc, "due"), spell(rule.due), cure)
        return
    cure = Said("the case would be open for years: write `lasting: true` in its phase")
    if rule.repeat is not None:
        yield document.fault((*one.loc, "repeat"), None, cure)
    if rule.release.anchor in _LATER:
        yield document.fault((*one.loc, "release"), spell(rule.release), cure)


def _paced(document: Document, one: Placed) -> Faults:
    """Status points are counted back from a day that is known, and each is one task (P-61)."""
    rule = one.rule
    if not rule.paced:
        return
    if rule.due.anchor is not Anchor.CONTRACT_END:
        cure = Said("status points are counted back from the contract's end: write `contract_end`, less some days")
        yield document.fault((*one.loc, "due"), spell(rule.due), cure)
    for name in ("per_contact", "per_item", "repeat", "document"):
        if getattr(rule, name):
            yield document.fault((*one.loc, name), None, Said("a paced step is one plain task each time: leave it out"))


def _overdue(document: Document, one: Placed) -> Faults:
    """What hangs on a task that is overdue appears some days after that day, and is due later (P-13)."""
    rule = one.rule
    if rule.not_before is not None and rule.not_before.anchor is Anchor.OVERDUE:
        cure = Said("`overdue:` says when a step appears at all: write it as `release`")
        yield document.fault((*one.loc, "not_before"), spell(rule.not_before), cure)
    if rule.release.anchor is Anchor.OVERDUE and rule.release.days <= 0:
        cure = Said("say how long after that day, such as `+ 3bd`: on the day itself nothing is overdue yet")
        yield document.fault((*one.loc, "release"), spell(rule.release), cure)
    if rule.release.anchor is Anchor.OVERDUE and rule.per_contact:
        cure = Said("a step that watches over another is one task; drop `per_contact`")
        yield document.fault((*one.loc, "per_contact"), None, cure)


def spell(moment: Moment) -> str:
    """The moment as people write it."""
    anchor = f"{moment.anchor}:{moment.step}" if moment.step is not None else str(moment.anchor)
    offset = f" {'-' if moment.days < 0 else '+'} {abs(moment.days)}{'bd' if moment.business else 'd'}"
    return anchor + offset if moment.days else anchor


def _same_anchor(one: Moment, other: Moment) -> bool:
    return (one.anchor, one.step) == (other.anchor, other.step)


def _surely_before(one: Moment, other: Moment) -> bool:
    """True when ``one`` lies before ``other`` on every calendar (both on the same anchor)."""
    if not _same_anchor(one, other):
        return False
    if one.business == other.business:
        return one.days < other.days
    return max(_calendar_days(one)) < min(_calendar_days(other))


def _calendar_days(moment: Moment) -> tuple[int, int]:
    """How many days of the calendar the offset takes, at least and at most (weekends, and a week of holidays)."""
    stretch = abs(moment.days) * 7 // 5 + 9 if moment.business else abs(moment.days)
    return (moment.days, stretch) if moment.days >= 0 else (-stretch, moment.days)


def _names(document: Document, one: Placed, questionnaires: Mapping[str, LinkKind]) -> Faults:
    rule = one.rule
    if rule.owner == "item" and not rule.per_item:
        yield document.fault(
            (*one.loc, "owner"), rule.owner, Said("only a step with `per_item: true` has such an owner")
        )
    elif rule.owner not in RULES and rule.owner != "item":
        cure = Said("there is no such rule for an owner; %(guess)s", guess=guess(rule.owner, RULES))
        yield document.fault((*one.loc, "owner"), rule.owner, cure)
    if rule.questionnaire is not None and rule.questionnaire not in questionnaires:
        cure = Said("there is no such questionnaire; %(guess)s", guess=guess(rule.questionnaire, questionnaires))
        yield document.fault((*one.loc, "questionnaire"), rule.questionnaire, cure)
    elif rule.questionnaire and rule.link and questionnaires[rule.questionnaire] != rule.link:
        cure = Said(
            "this questionnaire is for a page of the kind %(kind)s; change `link` to it",
            kind=questionnaires[rule.questionnaire],
        )
        yield document.fault((*one.loc, "questionnaire"), rule.questionnaire, cure)


def _links(document: Document, one: Placed) -> Faults:
    rule = one.rule
    moments = [moment for moment in (rule.release, rule.not_before, rule.due) if moment is not None]
    if any(moment.anchor is Anchor.ITEM for moment in moments) and not rule.per_item:
        yield document.fault((*one.loc, "release"), "item", Said("only a step with `per_item: true` has days of items"))
    if rule.per_item and rule.per_contact:
        yield document.fault(
            (*one.loc, "per_item"), "true", Said("a step is per contact or per item; drop one of them")
        )
    if rule.link in ASKING and not rule.questionnaire:
        yield document.fault((*one.loc, "link"), rule.link, Said("say which `questionnaire` this page asks"))
    if rule.link is LinkKind.DOCUMENT and rule.document is None:
        cure = Said("say which `document` this page shows: %(known)s", known=", ".join(DocumentKind))
        yield document.fault((*one.loc, "link"), rule.link, cure)
    if rule.questionnaire and not rule.link:
        cure = Said("say with `link` which page asks it (survey or interview)")
        yield document.fault((*one.loc, "questionnaire"), rule.questionnaire, cure)
    if rule.link is LinkKind.SURVEY and not rule.per_contact:
        cure = Said("a survey is one person's own page; add `per_contact: true`")
        yield document.fault((*one.loc, "link"), rule.link, cure)
    for language, text in rule.customer.items():
        for problem in _cures(text, CUSTOMER_NAMES):
            yield document.fault((*one.loc, "customer", language), text, problem)
    for language, text in rule.body.items() if rule.link else ():
        if not re.search(r"\blink\b", "".join(_EXPRESSION.findall(text))):
            cure = Said("the body never shows the link; put {{ link }} where it belongs")
            yield document.fault((*one.loc, "body", language), None, cure)
    for name in ("call_title", "call_body"):
        if rule.link and rule.per_contact and rule.until is None and not getattr(rule, name):
            cure = Said("a contact without an e-mail address gets a call instead; write what to do then")
            yield document.fault((*one.loc, name), None, cure)
        if getattr(rule, name) and not rule.per_contact:
            cure = Said("only a step with `per_contact: true` calls people who cannot be written to; drop this text")
            yield document.fault((*one.loc, name), None, cure)


def _templates(document: Document, one: Placed) -> Faults:
    rule = one.rule
    if rule.when is not None:
        for cure in _cures(rule.when, CONDITION_NAMES, expression=True):
            yield document.fault((*one.loc, "when"), rule.when, cure)
    names = TEXT_NAMES if rule.link or not one.linked else TEXT_NAMES - {"link"}
    names |= ITEM_NAMES if rule.per_item else frozenset()
    for field in _STEP_TEXTS:
        for language, text in getattr(rule, field).items():
            loc = (*one.loc, field, language)
            for cure in _cures(text, names):
                yield document.fault(loc, text, cure)
            if field.endswith("title") and (length := _length(text)) > MAX_TITLE:
                cure = Said(
                    "this title takes about %(length)s characters once it is filled in; keep it under %(most)s",
                    length=length,
                    most=MAX_TITLE,
                )
                yield document.fault(loc, text, cure)


def _cures(source: str, names: frozenset[str], *, expression: bool = False) -> Iterator[str]:
    """What is wrong with a text or a condition that may use these names."""
    problem = check_expression(source, names) if expression else check_text(source, names)
    if problem:
        yield problem
    else:
        yield from _wrong_attributes("{{ " + source + " }}" if expression else source)


def _wrong_attributes(source: str) -> Iterator[str]:
    """Attributes that nothing has, such as ``deal.nmae``, in a text that is right otherwise."""
    for node in _ENVIRONMENT.parse(source).find_all(nodes.Getattr):
        known = _ATTRIBUTES.get(node.node.name) if isinstance(node.node, nodes.Name) else None
        if known is not None and node.attr not in known:
            yield Said(
                "%(name)s has no %(attr)s; %(guess)s",
                name=getattr(node.node, "name", ""),
                attr=repr(node.attr),
                guess=guess(node.attr, known),
            )


def _length(title: str) -> int:
    """Characters that a title takes when each value in it takes :data:`NAME_ROOM`."""
    return len(_EXPRESSION.sub("x" * NAME_ROOM, title))


def _circles(document: Document, placed: list[Placed]) -> Faults:
    after = {
        one.rule.key: {m.step for m in (one.rule.release, one.rule.not_before, one.rule.due) if m and m.step}
        for one in placed
    }
    split = {one.rule.key for one in placed if one.rule.per_contact}
    for one in placed:
        reached, ahead = set[str](), set(after[one.rule.key])
        while ahead:
            reached |= ahead
            ahead = {then for key in ahead for then in after.get(key, ())} - reached
        if one.rule.key in reached:
            cure = Said(
                "this step waits for itself, through %(steps)s; give one of them another anchor",
                steps=", ".join(sorted(reached)),
            )
            yield document.fault((*one.loc, "release"), spell(one.rule.release), cure)
        for key in sorted(after[one.rule.key] & split - ({*split} if one.rule.per_contact else set())):
            cure = Said(
                "%(key)s is one task per contact, so it is not done at one moment; use another anchor", key=repr(key)
            )
            yield document.fault((*one.loc, "release"), spell(one.rule.release), cure)


def _reminders(document: Document, placed: list[Placed]) -> Faults:
    """Who does not answer is reminded twice at most (P-3A)."""
    reminders: dict[str | None, int] = {}
    for one in placed:
        if one.rule.until != "answered" or one.rule.link is not LinkKind.SURVEY:
            continue
        count = reminders[one.rule.questionnaire] = reminders.get(one.rule.questionnaire, 0) + 1
        if count > MAX_REMINDERS:
            cure = Said(
                "this is reminder number %(count)d of the same survey; there are two reminders at most",
                count=count,
            )
            yield document.fault((*one.loc, "until"), one.rule.until, cure)


def _conclusions(document: Document, placed: list[Placed]) -> Faults:
    """Only a negotiation is concluded (P-2D)."""
    for one in placed:
        if one.rule.until == "concluded" and document.data.get("kind") != CaseKind.SAVE:
            cure = Said("only a negotiation is concluded; leave it out, or write it in a playbook with `kind: save`")
            yield document.fault((*one.loc, "until"), one.rule.until, cure)


def _early_surveys(document: Document, placed: list[Placed]) -> Faults:
    """The survey goes out once the end is effective, never before (P-31)."""
    rules = {one.rule.key: one.rule for one in placed}
    for one in placed:
        if one.dated and one.rule.link is LinkKind.SURVEY and not _after_end(one.rule, rules, frozenset()):
            cure = Said("the survey goes out once the contract has ended; write `contract_end` or later")
            yield document.fault((*one.loc, "release"), spell(one.rule.release), cure)


def _after_end(rule: StepRule, rules: Mapping[str, StepRule], seen: frozenset[str]) -> bool:
    """Whether this step can only appear once the contract has ended, by itself or through steps that it waits for."""
    for moment in (rule.release, rule.not_before):
        if moment is None or moment.days < 0:
            continue
        if moment.anchor is Anchor.CONTRACT_END:
            return True
        step = rules.get(moment.step or "")
        if step and step.key not in seen and _after_end(step, rules, seen | {rule.key}):
            return True
    return False
