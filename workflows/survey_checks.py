"""What a questionnaire may not ask, or not in this way: faults that no single key of its file can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from workflows.documents import Document, Fault, Loc, as_list, guess
from workflows.fields import DEGREE_OPTIONS, PERMISSION_OPTIONS, PURPOSE_OPTIONS, REASON_OPTIONS
from workflows.questions import Option, QuestionType
from workflows.rules import LinkKind
from workflows.said import Said

if TYPE_CHECKING:  # the files' models use these checks
    from workflows.survey import OptionDoc, QuestionDoc, QuestionnaireDoc

MAX_REQUIRED = 5
FEEDBACK_FIELDS: Mapping[LinkKind, Mapping[str, QuestionType]] = {
    LinkKind.SURVEY: {
        "exit_score": QuestionType.SCALE,
        "exit_reason": QuestionType.CHOICE,
        "exit_reason_second": QuestionType.CHOICE,
        "exit_avoidable": QuestionType.CHOICE,
        "start_score": QuestionType.SCALE,
        "leaving_score": QuestionType.SCALE,
    },
    LinkKind.INTERVIEW: {
        "exit_reason_interview": QuestionType.CHOICE,
        "permission": QuestionType.CHOICE,
        "permission_who": QuestionType.TEXT,
        "permission_for": QuestionType.CHOICES,
        "permission_until": QuestionType.DATE,
    },
    LinkKind.TEAM: {
        "exit_reason_team": QuestionType.CHOICE,
        "team_score": QuestionType.SCALE,
        "fit": QuestionType.CHOICE,
    },
}
"""The CRM fields that a question may feed, by the page that asks it, and how it must be asked then.

Who said so is told by the field (P-34): the customer's own words never mix with those of our people. Those of a
permission are no fields of their own: together they give or end an agreement (P-55).
"""
_CHOICES: Mapping[str, tuple[Option, ...]] = {
    "permission": PERMISSION_OPTIONS,
    "permission_for": PURPOSE_OPTIONS,
    "exit_avoidable": DEGREE_OPTIONS,
    "fit": DEGREE_OPTIONS,
    **dict.fromkeys(("exit_reason", "exit_reason_second", "exit_reason_interview", "exit_reason_team"), REASON_OPTIONS),
}


def check(document: Document, doc: QuestionnaireDoc) -> Iterator[Fault]:
    """All that is wrong with the questions of one file."""
    seen: set[str] = set()
    fields: set[str] = set()
    required = 0
    for at, section in enumerate(doc.sections):
        for number, question in enumerate(section.questions):
            loc: Loc = ("sections", at, "questions", number)
            yield from _check_question(document, loc, question, doc)
            for name, value, known in (("key", question.key, seen), ("field", question.field, fields)):
                if value in known:
                    yield document.fault(
                        (*loc, name), value, Said("two questions have this %(name)s; keep one", name=name)
                    )
                known.update({value} if value else ())
            required += question.required
            if question.required and question.roles:
                cure = Said("what only some roles are asked cannot be required; drop one of the two")
                yield document.fault((*loc, "required"), "true", cure)
            if question.required and section.fold:
                cure = Said("nothing in a folded section may be required; people may never open it")
                yield document.fault((*loc, "required"), "true", cure)
    if doc.kind is LinkKind.SURVEY and required > MAX_REQUIRED:
        cure = Said(
            "%(required)s questions are required; a departing customer is asked for %(most)s clicks at most",
            required=required,
            most=MAX_REQUIRED,
        )
        yield document.fault(("sections",), None, cure)


def _check_question(document: Document, loc: Loc, question: QuestionDoc, doc: QuestionnaireDoc) -> Iterator[Fault]:
    chooses = question.type in (QuestionType.CHOICE, QuestionType.CHOICES)
    options = as_list(question.options)
    values = [option.value for option in options]
    if chooses and question.options != "reasons" and len(set(values)) < max(2, len(values)):
        yield document.fault((*loc, "options"), None, Said("a choice needs two different options or more, each once"))
    if not chooses and question.options:
        yield document.fault((*loc, "options"), None, Said("a %(type)s has no options; drop them", type=question.type))
    if question.options == "reasons" and not set(doc.languages) <= set(REASON_OPTIONS[0].text):
        known = ", ".join(REASON_OPTIONS[0].text)
        cure = Said(
            "the common reasons are worded in %(known)s only; write the options out in your languages", known=known
        )
        yield document.fault((*loc, "options"), "reasons", cure)
    if question.ends and (question.type is not QuestionType.SCALE or len(question.ends) != 2):
        yield document.fault(
            (*loc, "ends"), None, Said("a scale has two ends, the lowest first; other questions have none")
        )
    yield from _check_field(document, loc, question, doc.kind)


def _check_field(document: Document, loc: Loc, question: QuestionDoc, kind: LinkKind) -> Iterator[Fault]:
    """Whether the page may feed this field, and the answer can stand there."""
    if question.field is None:
        return
    feeds, at = FEEDBACK_FIELDS.get(kind, {}), (*loc, "field")
    wanted = feeds.get(question.field)
    if wanted is None:
        cure = Said("a page of the kind %(kind)s feeds no such field", kind=kind)
        yield document.fault(
            at,
            question.field,
            Said("%(cure)s; it may feed %(known)s", cure=cure, known=", ".join(feeds)) if feeds else cure,
        )
        return
    if question.type is not wanted:
        yield document.fault(at, question.field, Said("only a %(wanted)s can feed this field", wanted=wanted))
    if wanted is QuestionType.SCALE and (question.low, question.high) != (0, 10):
        cure = Said("this field holds 0 to 10; ask from low: 0 to high: 10")
        yield document.fault(at, question.field, cure)
    if question.field in _CHOICES:
        known = {option.value for option in _CHOICES[question.field]}
        at = (*loc, "options")
        if question.options == "reasons" and _CHOICES[question.field] is not REASON_OPTIONS:
            cure = Said(
                "the field %(field)s holds %(known)s; write these options out",
                field=question.field,
                known=", ".join(sorted(known)),
            )
            yield document.fault(at, "reasons", cure)
        yield from check_choices(document, at, as_list(question.options), question.field, known)


def check_choices(
    document: Document, loc: Loc, options: Sequence[OptionDoc], field: str, known: set[str]
) -> Iterator[Fault]:
    """Choices that the CRM field ``field``, which has the ``known`` values, could not hold."""
    for index, option in enumerate(options):
        if option.category is not None and option.category not in known:
            cure = Said(
                "the field %(field)s has no such value; %(guess)s", field=field, guess=guess(option.category, known)
            )
            yield document.fault((*loc, index, "category"), option.category, cure)
        elif option.category is None and option.value not in known:
            cure = Said(
                "the field %(field)s has no such value; %(guess)s, or add a `category` to count it",
                field=field,
                guess=guess(option.value, known),
            )
            yield document.fault((*loc, index, "value"), option.value, cure)
