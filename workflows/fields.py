"""Our own fields on CRM records, by neutral names; each adapter spells them as its CRM wants.

These are the only fields that we ever write on deals, companies, contacts and tasks (P-37, P-7B).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from workflows.field_words import FIELD_WORDS
from workflows.questions import Option
from workflows.records import Model, RecordKind


class FieldType(StrEnum):
    """What a field holds. KEY: short text, unique where the CRM can do that."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    DATETIME = "datetime"
    DATE = "date"
    BOOLEAN = "boolean"
    ENUM = "enum"
    URL = "url"
    KEY = "key"


class FieldSpec(Model):
    """One field that we create on one kind of record. ``options`` only for ENUM.

    ``label`` and ``description`` are in ``language``, and so are the labels of options (:meth:`option_label`).
    """

    record: RecordKind
    name: str
    type: FieldType
    label: str
    description: str
    options: tuple[Option, ...] = ()
    language: str = "en"

    def option_label(self, option: Option) -> str:
        """What people read of this option, in the field's language or else in English."""
        return option.text.get(self.language, option.text["en"])


def _option(value: str, en: str, fr: str) -> Option:
    return Option(value=value, text={"en": en, "fr": fr})


STATUS_OPTIONS = (
    _option("awaiting_reason", "Awaiting reason", "En attente du motif"),
    _option("active", "Active", "En cours"),
    _option("completed", "Completed", "Terminé"),
    _option("cancelled", "Cancelled", "Annulé"),
    _option("stopped", "Stopped", "Arrêté"),
)

_ENDED = frozenset({"completed", "cancelled", "stopped"})


def open_case(case_id: str | None, status: str | None) -> str | None:
    """The case that a deal's fields ``case_id`` and ``status`` call open; None when there is none, or it has ended."""
    return case_id if case_id and status and status not in _ENDED else None


REASON_OPTIONS = (
    _option("in_house", "Taken in-house", "Reprise en interne"),
    _option("other_supplier", "Consolidated with another supplier", "Regroupement chez un autre fournisseur"),
    _option("results", "Unhappy with the results", "Insatisfaction sur les résultats"),
    _option("relationship", "Unhappy with the relationship or service", "Insatisfaction sur la relation ou le service"),
    _option("product_gap", "Something missing in the product", "Manque dans le produit"),
    _option("price", "Price or value", "Prix ou valeur"),
    _option("budget", "Budget cut", "Réduction de budget"),
    _option("new_leadership", "New leadership", "Nouvelle direction"),
    _option("merger_closure", "Merger or closure", "Fusion ou fermeture"),
    _option("not_needed", "No longer needed", "Plus de besoin"),
    _option("our_decision", "Our decision", "Notre décision"),
    _option("other", "Other", "Autre"),
)
"""The reason taxonomy of P-34: stable values behind wording that may change."""

DEGREE_OPTIONS = (
    _option("yes", "Yes", "Oui"),
    _option("partly", "Partly", "En partie"),
    _option("no", "No", "Non"),
)
"""How far something held."""

PERMISSION_OPTIONS = (
    _option("granted", "Yes, they agreed", "Oui, la personne est d’accord"),
    _option("refused", "No, they would rather not", "Non, elle préfère que non"),
    _option("unasked", "It did not come up", "Le sujet n’a pas été abordé"),
)
"""What somebody said when they were asked whether they may be written to (P-55)."""

PURPOSE_OPTIONS = (
    _option("news", "Useful news, now and then", "Des nouvelles utiles, de temps en temps"),
    _option("events", "Invitations", "Des invitations"),
    _option("wishes", "Word that something they asked for is there", "La disponibilité de ce qu’elle avait demandé"),
)
"""What they agreed to hear."""


def _feedback(record: RecordKind) -> tuple[FieldSpec, ...]:
    return (
        FieldSpec(
            record=record,
            name="start_score",
            type=FieldType.NUMBER,
            label="Start score (0-10)",
            description="Willingness to recommend at the start of the relation.",
        ),
        FieldSpec(
            record=record,
            name="exit_score",
            type=FieldType.NUMBER,
            label="Exit score (0-10)",
            description="Willingness to recommend at the end of the relation.",
        ),
        FieldSpec(
            record=record,
            name="exit_reason",
            type=FieldType.ENUM,
            label="Exit reason (customer)",
            description="Main reason for leaving, as the customer gave it.",
            options=REASON_OPTIONS,
        ),
        FieldSpec(
            record=record,
            name="exit_reason_second",
            type=FieldType.ENUM,
            label="Exit reason, second (customer)",
            description="A further reason for leaving, as the customer gave it.",
            options=REASON_OPTIONS,
        ),
        FieldSpec(
            record=record,
            name="exit_avoidable",
            type=FieldType.ENUM,
            label="Exit avoidable (customer)",
            description="Whether the customer thinks that the end could have been avoided.",
            options=DEGREE_OPTIONS,
        ),
        FieldSpec(
            record=record,
            name="leaving_score",
            type=FieldType.NUMBER,
            label="Leaving score (0-10)",
            description="How well the leaving itself went, as the customer rated it about a month later.",
        ),
        FieldSpec(
            record=record,
            name="exit_feedback",
            type=FieldType.LONG_TEXT,
            label="Exit feedback",
            description="What the customer said on leaving, readable.",
        ),
        FieldSpec(
            record=record,
            name="exit_feedback_at",
            type=FieldType.DATETIME,
            label="Exit feedback at",
            description="When the last exit feedback came in.",
        ),
    )


def _quiet(record: RecordKind) -> FieldSpec:
    return FieldSpec(
        record=record,
        name="quiet",
        type=FieldType.BOOLEAN,
        label="Offboarding: keep quiet",
        description="True while the customer is leaving: no renewal reminders, sales sequences or dunning (P-25).",
    )


def _nurture(record: RecordKind) -> tuple[FieldSpec, ...]:
    return (
        FieldSpec(
            record=record,
            name="nurture",
            type=FieldType.BOOLEAN,
            label="May hear from us again",
            description="True while a former customer has agreed to hear from us now and then (P-55).",
        ),
        FieldSpec(
            record=record,
            name="nurture_until",
            type=FieldType.DATE,
            label="May hear from us until",
            description="The last day of that agreement (P-55).",
        ),
        FieldSpec(
            record=record,
            name="nurture_basis",
            type=FieldType.TEXT,
            label="May hear from us: basis",
            description="Who agreed, when and to what; empty without an agreement (P-55).",
        ),
    )


def _lesson(record: RecordKind) -> tuple[FieldSpec, ...]:
    return (
        FieldSpec(
            record=record,
            name="fit",
            type=FieldType.ENUM,
            label="Was a good fit",
            description="Whether this customer was ever a fit, for those who qualify new deals (P-43).",
            options=DEGREE_OPTIONS,
        ),
        FieldSpec(
            record=record,
            name="exit_reason_interview",
            type=FieldType.ENUM,
            label="Exit reason (interviewer)",
            description="Main reason for leaving, as the interviewer understood it (P-39).",
            options=REASON_OPTIONS,
        ),
        FieldSpec(
            record=record,
            name="exit_reason_team",
            type=FieldType.ENUM,
            label="Exit reason (account team)",
            description="Main reason for leaving, as the account team saw it before it read any answer (P-39).",
            options=REASON_OPTIONS,
        ),
        FieldSpec(
            record=record,
            name="team_score",
            type=FieldType.NUMBER,
            label="Score expected by the team (0-10)",
            description="The exit score that the account team expected before it saw any answer (P-39).",
        ),
        FieldSpec(
            record=record,
            name="win_back_on",
            type=FieldType.DATE,
            label="Win-back on",
            description="When the customer wants to be asked again, or when the reason may no longer hold (P-56).",
        ),
    )


FIELDS: tuple[FieldSpec, ...] = (  # the dearest first: an account may take only some
    FieldSpec(
        record=RecordKind.TASK,
        name="key",
        type=FieldType.KEY,
        label="Offboarding key",
        description="Written by Aurevoir; one value for each step of each case. Do not edit.",
    ),
    FieldSpec(
        record=RecordKind.TASK,
        name="link",
        type=FieldType.URL,
        label="Offboarding link",
        description="The survey or interview page that belongs to this task.",
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="case_id",
        type=FieldType.TEXT,
        label="Offboarding case",
        description="The case that Aurevoir keeps for this deal.",
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="status",
        type=FieldType.ENUM,
        label="Offboarding status",
        description="Where the offboarding stands.",
        options=STATUS_OPTIONS,
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="playbook",
        type=FieldType.TEXT,
        label="Offboarding playbook",
        description="The playbook and version that the case follows.",
    ),
    *_feedback(RecordKind.DEAL),
    *_feedback(RecordKind.COMPANY),
    *_feedback(RecordKind.CONTACT),
    FieldSpec(
        record=RecordKind.CONTACT,
        name="survey_link",
        type=FieldType.URL,
        label="Exit survey link",
        description="This contact's own survey page; empty until the end is effective and after it closes (P-31).",
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="start_now",
        type=FieldType.BOOLEAN,
        label="Start the offboarding now",
        description="Tick it to start the offboarding of this deal by hand; it is unticked when it was heard (P-72).",
    ),
    FieldSpec(
        record=RecordKind.CONTACT,
        name="counterpart",
        type=FieldType.BOOLEAN,
        label="Handover counterpart",
        description="Tick it for the one who says that what is theirs has arrived, when a customer leaves (P-13).",
    ),
    _quiet(RecordKind.DEAL),
    _quiet(RecordKind.COMPANY),
    _quiet(RecordKind.CONTACT),
    *_lesson(RecordKind.DEAL),
    *_lesson(RecordKind.COMPANY),
    *_nurture(RecordKind.COMPANY),
    *_nurture(RecordKind.CONTACT),
    FieldSpec(
        record=RecordKind.DEAL,
        name="reason_unknown",
        type=FieldType.BOOLEAN,
        label="Exit reason unknown",
        description="True while the plan goes on although the deal does not say why the customer leaves (P-04).",
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="timeline_link",
        type=FieldType.URL,
        label="Offboarding timeline link",
        description="The page that shows the customer the steps and dates of the exit (P-2A).",
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="returned",
        type=FieldType.BOOLEAN,
        label="Returned customer",
        description="True where a customer who had left has come back with this deal (P-56).",
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="steps_done",
        type=FieldType.NUMBER,
        label="Offboarding steps done",
        description="How many steps of the plan people have seen to, or that were closed; written anew hourly (P-29).",
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="steps_all",
        type=FieldType.NUMBER,
        label="Offboarding steps in all",
        description="How many steps the plan has, without those that were left out or outlast the case (P-29).",
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="next_step",
        type=FieldType.TEXT,
        label="Offboarding: next step",
        description="The open task that is due first; empty while nothing waits for anybody (P-29).",
    ),
    FieldSpec(
        record=RecordKind.DEAL,
        name="next_due",
        type=FieldType.DATE,
        label="Offboarding: next step due",
        description="When that task is due, as it stands in the CRM (P-29).",
    ),
)


_MOMENT = "exit_feedback_at"
ANSWERS: Mapping[RecordKind, tuple[str, ...]] = {
    kind: tuple(spec.name for spec in (*_feedback(kind), *lessons) if spec.name != _MOMENT)
    for kind, lessons in (
        (RecordKind.DEAL, _lesson(RecordKind.DEAL)),
        (RecordKind.COMPANY, _lesson(RecordKind.COMPANY)),
        (RecordKind.CONTACT, ()),
    )
}
"""By kind of record: the fields that hold what somebody answered. What people correct there stays (P-7B)."""


def named_in(language: str, fields: Sequence[FieldSpec] = FIELDS) -> tuple[FieldSpec, ...]:
    """These fields as they are called in this language, such as ``fr-CA``; in English where we have no words of it."""
    code = language.replace("_", "-").partition("-")[0].lower()
    words = FIELD_WORDS.get(code)
    if words is None:
        return tuple(fields)
    return tuple(
        spec.model_copy(update={**words[spec.name]._asdict(), "language": code}) if spec.name in words else spec
        for spec in fields
    )


def field(record: RecordKind, name: str) -> FieldSpec:
    """The field with this name on this kind of record; KeyError when we have none."""
    for spec in FIELDS:
        if spec.record == record and spec.name == name:
            return spec
    raise KeyError(f"{record}.{name}")
