"""Reads a playbook: YAML that people write into :class:`workflows.rules.Playbook`, or everything that is wrong with it.

The documents below are the format; ``docs/playbooks.md`` explains every key, and :func:`playbook_schema` publishes it
for editors. A playbook file is checked as a whole, so that all its faults are named at once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from copy import copy
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal, Optional, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, WithJsonSchema, create_model
from pydantic.fields import FieldInfo

from workflows.documents import (
    Doc,
    Document,
    Fault,
    Loc,
    Name,
    PlaybookError,
    Wording,
    as_list,
    load,
    load_all,
    model_faults,
    shipped_texts,
)
from workflows.override import overridden
from workflows.playbook_checks import Placed, check_playbook, raw_steps
from workflows.rules import Anchor, CaseKind, Linked, LinkKind, Moment, Phase, Playbook, Quiet, Repeat, StepRule
from workflows.said import Said
from workflows.survey import shipped_questionnaires
from workflows.tone_check import Allowed, Note, check_tone, step_texts
from workflows.writes import DocumentKind, Priority, TaskType

__all__ = [
    "Fault",
    "PlaybookError",
    "load_playbooks",
    "parse_moment",
    "parse_playbook",
    "playbook_schema",
    "read_playbook",
    "shipped_playbooks",
]

_MOMENT = re.compile(
    r"(opened|confirmed|contract_end|answered|rated|item|notice_end|switching_end|retrieval_end|win_back|wish|moved"
    r"|(?:step|overdue):([a-z0-9-]+))(?:\s*([+-])\s*(\d{1,5})\s*(bd|d))?"
)
_SPAN = re.compile(r"(\d{1,4})\s*(m|h|d)")


def parse_moment(text: object) -> Moment:
    """The moment that ``confirmed``, ``contract_end - 30d`` or ``step:interview + 1bd`` says. Raises ValueError."""
    match = _MOMENT.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(
            Said(
                "write an anchor (opened, confirmed, contract_end, answered, step:<key>, overdue:<key>) and, if "
                "you like, an offset in days (d) or business days (bd), such as `contract_end - 30d` or "
                "`confirmed + 1bd`"
            )
        )
    anchor, step, sign, number, unit = match.groups()
    days = int(number or 0) * (-1 if sign == "-" else 1)
    if abs(days) > 1095:
        raise ValueError(Said("an offset may be up to 1095 days (three years)"))
    return Moment(anchor=Anchor(anchor.partition(":")[0]), step=step, days=days, business=unit == "bd" and days != 0)


def _parse_span(text: object) -> timedelta:
    match = _SPAN.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError(Said("write how long before it is due, such as `30m`, `4h` or `1d`"))
    span = timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[match[2]]: int(match[1])})
    if span > timedelta(days=30):
        raise ValueError(Said("a reminder may come up to 30 days before the task is due"))
    return span


_MomentText = Annotated[
    Moment, BeforeValidator(parse_moment), WithJsonSchema({"type": "string", "pattern": f"^{_MOMENT.pattern}$"})
]
_SpanText = Annotated[
    timedelta, BeforeValidator(_parse_span), WithJsonSchema({"type": "string", "pattern": f"^{_SPAN.pattern}$"})
]


class RepeatDoc(Doc):
    """How a step comes again once it is done."""

    every: str = Field(pattern=r"^[1-9]\d{0,3}\s*d$", description="So long after it was done, such as `90d`.")
    until: _MomentText = Field(description="Not later than this, such as `contract_end + 730d`.")


def _parse_quiet(text: object) -> timedelta:
    match = re.fullmatch(r"(\d{1,4})\s*d", text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(Said("write how many days after the case has ended, such as `90d`"))
    return timedelta(days=int(match[1]))


_QuietText = Annotated[
    timedelta, BeforeValidator(_parse_quiet), WithJsonSchema({"type": "string", "pattern": r"^\d{1,4}\s*d$"})
]


class StepDoc(Doc):
    """One task that may appear in the CRM."""

    key: Name = Field(description="Name of the step, once in the playbook. Never change it: running cases know it.")
    type: Annotated[TaskType, Field(strict=False)] = Field(TaskType.TODO, description="todo, call or email.")
    due: _MomentText = Field(description="When it should be done.")
    release: _MomentText | None = Field(None, description="When the task appears; otherwise as its phase says.")
    not_before: _MomentText | None = Field(None, description="It appears no earlier than this, even in a late plan.")
    repeat: RepeatDoc | None = Field(None, description="It comes again some time after it was done.")
    until: Literal["answered", "concluded"] | None = Field(
        None,
        description="Needless once the contact has answered (for reminders), or once a negotiation is concluded.",
    )
    owner: str = Field(description="Who gets it.")
    when: str | None = Field(None, description="Only if this condition holds.")
    per_contact: bool = Field(False, description="One task for each contact.")
    per_item: bool = Field(False, description="One task for each day and owner of the inventory's items.")
    meeting: bool = Field(False, description="A meeting: who worked on the account, sales and a director are invited.")
    paced: bool = Field(False, description="Stands for status points at the rhythm agreed at the start.")
    document: Annotated[DocumentKind, Field(strict=False)] | None = Field(
        None, description="Attached to the deal: letter, achievements, farewell, case-study, plan or inventory."
    )
    linked_to: list[Annotated[Linked, Field(strict=False)]] = Field(
        [Linked.COMPANY], description="Where the task is shown, besides the deal: company, contact."
    )
    priority: Annotated[Priority, Field(strict=False)] = Field(Priority.NORMAL, description="low, normal or high.")
    reminder: _SpanText | None = Field(None, description="How long before it is due the CRM reminds its owner.")
    link: Annotated[LinkKind, Field(strict=False)] | None = Field(
        None, description="A page of ours whose address `{{ link }}` puts into the body, such as survey or interview."
    )
    questionnaire: str | None = Field(None, description="Which questions that page asks.")
    title: Wording = Field(description="What to do, by language.")
    body: Wording = Field(description="How to do it, by language.")
    call_title: Wording = Field({}, description="Instead of the title, for a contact without an e-mail address.")
    call_body: Wording = Field({}, description="Instead of the body, for a contact without an e-mail address.")
    customer: Wording = Field({}, description="What the customer reads of it on their timeline, by language.")
    tone_ok: Allowed = Field({}, description="Rules of tone that its texts may break, each with the reason.")


class PhaseDoc(Doc):
    """Steps that belong together."""

    key: Name = Field(description="Name of the phase, once in the playbook.")
    title: Wording = Field(description="What people read above its steps, by language.")
    release: _MomentText = Field(description="When its tasks appear.")
    not_before: _MomentText | None = Field(None, description="They appear no earlier than this.")
    lasting: bool = Field(False, description="Its steps go on once the case is complete, and do not hold it up.")
    steps: list[StepDoc] = Field(min_length=1, description="The steps, in order.")


class PlaybookDoc(Doc):
    """A whole playbook file."""

    playbook: Name = Field(description="Name of the playbook, as `playbook:` of an account gives it.")
    version: int = Field(ge=1, le=99999, description="Count it up when you change what the playbook does.")
    kind: Annotated[CaseKind, Field(strict=False)] = Field(
        CaseKind.OFFBOARDING, description="What it is for: offboarding, save (a negotiation) or baseline (a won deal)."
    )
    quiet: Annotated[Quiet, Field(strict=False)] | None = Field(
        None, description="Where other automations are to keep quiet: customer (the default), deal or nowhere."
    )
    quiet_for: _QuietText | None = Field(
        None,
        description="For how long they are to after its end, such as `90d`; by default a year.",
    )
    languages: list[str] = Field(min_length=1, description="Languages of its texts; the first is the fallback.")
    title: Wording = Field(description="What people read, by language.")
    phases: list[PhaseDoc] = Field(min_length=1, description="The phases, in order.")


def _changes(model: type[Doc]) -> Any:
    """The keys of this format, of which only ``key`` is needed; those that may be left out may be null as well."""
    return {
        name: (spec.annotation if spec.is_required() else Optional[spec.annotation], _optional(spec))  # noqa: UP045 - not known before it runs
        for name, spec in model.model_fields.items()
        if name not in ("key", "steps")
    }


def _optional(spec: FieldInfo) -> FieldInfo:
    changed = copy(spec)
    changed.default, changed.default_factory = None, None
    return changed


class _PhaseChange(Doc):
    key: Name = Field(description="The phase that is changed.")


class _StepChange(Doc):
    key: Name = Field(description="The step that is changed, or a name of your own for one that is added.")
    phase: str | None = Field(None, description="The phase that it goes to; needed for a step of your own.")
    after: str | None = Field(None, description="The step that it comes after; says the phase as well.")


PhaseChangeDoc = create_model("PhaseChangeDoc", __base__=_PhaseChange, **_changes(PhaseDoc))
StepChangeDoc = create_model("StepChangeDoc", __base__=_StepChange, **_changes(StepDoc))


class OverrideDoc(Doc):
    """A file that changes a playbook that ships."""

    extends: str = Field(description="The playbook that it changes.")
    playbook: Name | None = Field(
        None, description="Its own name, to stand beside the other; otherwise it replaces it."
    )
    version: int = Field(ge=1, le=99999, description="Count it up when you change what the playbook does.")
    quiet: Annotated[Quiet, Field(strict=False)] | None = Field(
        None, description="Where other automations are to keep quiet: customer, deal or nowhere."
    )
    quiet_for: _QuietText | None = Field(None, description="For how long they are to after its end, such as `90d`.")
    languages: list[str] | None = Field(
        None, min_length=1, description="Other languages; texts in the rest are dropped."
    )
    title: Wording | None = Field(None, description="What people read, by language.")
    phases: list[PhaseChangeDoc] = Field([], description="Phases that are changed.")
    steps: list[StepChangeDoc] = Field([], description="Steps that are changed, moved or added.")
    remove: list[str] = Field([], description="Steps that are left out, by key.")


def parse_playbook(text: str | bytes, file: str, questionnaires: Mapping[str, LinkKind] | None = None) -> Playbook:
    """The playbook that this YAML says.

    ``file`` is only named in messages. ``questionnaires`` are those that a step may ask for, by key, with their page;
    by default those that ship. Raises :class:`PlaybookError` with everything that is wrong.
    """
    return read_playbook(text, file, questionnaires)[0]


def read_playbook(
    text: str | bytes, file: str, questionnaires: Mapping[str, LinkKind] | None = None
) -> tuple[Playbook, tuple[Note, ...]]:
    """The same, with notes on its tone (P-27): what may hurt a customer, and what its author allowed and why."""
    document, faults = _whole(load(text, file))
    doc: PlaybookDoc | None = None
    try:
        doc = PlaybookDoc.model_validate(document.data)
    except ValidationError as error:
        faults += model_faults(document, error, PlaybookDoc)
    if questionnaires is None:
        questionnaires = {key: asked.kind for key, asked in shipped_questionnaires().items()}
    faults += check_playbook(document, _placed(document.data), questionnaires)
    threats, notes = check_tone(document, [step_texts(loc, step) for loc, step in raw_steps(document.data)])
    faults += threats
    if faults or doc is None:
        raise PlaybookError(sorted(faults, key=lambda fault: fault.line or 0))
    return _to_playbook(doc), tuple(notes)


def _whole(document: Document) -> tuple[Document, list[Fault]]:
    """The playbook as plain data, also where the file only changes one that ships."""
    if "extends" not in document.data:
        return document, []
    faults: list[Fault] = []
    faulty: list[Loc] = []
    try:
        OverrideDoc.model_validate(document.data)
    except ValidationError as error:
        faults = model_faults(document, error, OverrideDoc)
        places = [one["loc"] for one in error.errors(include_url=False)]
        faulty = [loc[:3] if loc[0] in ("phases", "steps") else loc[:1] for loc in places]
    whole, astray = overridden(document, _bases(), faulty)
    if whole is document:
        raise PlaybookError([*faults, *astray])
    return whole, [*faults, *astray]


@cache
def _bases() -> Mapping[str, Any]:
    documents = [load(text, file).data for file, text in shipped_texts("playbooks").items()]
    return {data["playbook"]: data for data in documents if "extends" not in data}


_STEP: Mapping[str, Any] = {"key": "unnamed", "due": "confirmed", "owner": "deal_owner", "title": {}, "body": {}}
_PHASE: Mapping[str, Any] = {"key": "unnamed", "title": {}, "release": "confirmed", "steps": [_STEP]}


def _placed(data: dict[str, Any]) -> list[Placed]:
    """Every step with its place. What is wrong in itself is left out of it, so that the rest can be checked as well."""
    placed = []
    for at, raw_phase in enumerate(as_list(data.get("phases"))):
        if not isinstance(raw_phase, dict):
            continue
        phase, faulty = _mended(PhaseDoc, {**raw_phase, "steps": [_STEP]}, _PHASE)
        for number, raw in enumerate(as_list(raw_phase.get("steps"))):
            if isinstance(raw, dict):
                step, wrong = _mended(StepDoc, raw, _STEP)
                placed.append(Placed(("phases", at, "steps", number), _to_rule(phase, step), faulty | wrong))
    return placed


D = TypeVar("D", bound=Doc)


def _mended(model: type[D], raw: Mapping[str, Any], stand_ins: Mapping[str, Any]) -> tuple[D, frozenset[object]]:
    """The part without its faulty keys, and which they are."""
    try:
        return model.model_validate(raw), frozenset()
    except ValidationError as error:
        faulty: frozenset[object] = frozenset(one["loc"][0] for one in error.errors(include_url=False))
    kept = {name: value for name, value in raw.items() if name not in faulty}
    return model.model_validate({**stand_ins, **kept}), faulty


def _to_rule(phase: PhaseDoc, step: StepDoc) -> StepRule:
    values = step.model_dump(exclude={"release", "not_before", "repeat", "tone_ok"}, exclude_unset=True)
    return StepRule(
        **values,
        release=step.release or phase.release,
        not_before=step.not_before or phase.not_before,
        repeat=step.repeat and Repeat(days=int(step.repeat.every.rstrip("d")), until=step.repeat.until),
        lasting=phase.lasting,
    )


def _to_playbook(doc: PlaybookDoc) -> Playbook:
    content = json.dumps(doc.model_dump(mode="json", exclude_unset=True), sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(content.encode()).hexdigest()[:10]
    return Playbook(
        key=doc.playbook,
        version=f"{doc.version}-{digest}",
        kind=doc.kind,
        quiet=doc.quiet or (Quiet.CUSTOMER if doc.kind is CaseKind.OFFBOARDING else Quiet.NOWHERE),
        quiet_for=doc.quiet_for,
        languages=tuple(doc.languages),
        title=doc.title,
        phases=tuple(
            Phase(key=phase.key, title=phase.title, steps=tuple(_to_rule(phase, step) for step in phase.steps))
            for phase in doc.phases
        ),
    )


def playbook_schema() -> dict[str, Any]:
    """The format as JSON Schema, for editors that complete and check YAML while one writes."""
    return TypeAdapter(PlaybookDoc | OverrideDoc).json_schema()


@cache
def shipped_playbooks() -> Mapping[str, Playbook]:
    """The playbooks that come with the product, by key. Tests hold them to every check; a start need not repeat it."""
    return load_all(shipped_texts("playbooks"), _as_written, "playbook")


def _as_written(text: str | bytes, file: str) -> Playbook:
    return _to_playbook(PlaybookDoc.model_validate(load(text, file, shipped=True).data))


def load_playbooks(
    texts: Mapping[str, str | bytes], questionnaires: Mapping[str, LinkKind] | None = None
) -> Mapping[str, Playbook]:
    """The playbooks of one folder (file name to content), by key; an admin's own go before those that ship:
    ``{**shipped_playbooks(), **load_playbooks(own)}``.

    Raises :class:`PlaybookError` with the faults of all files, also when two of them hold the same playbook.
    """
    return load_all(texts, lambda text, file: parse_playbook(text, file, questionnaires), "playbook")
