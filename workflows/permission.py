"""What a customer agreed to in a conversation: who may hear from us, of what, and until when (P-55).

A colleague writes it down in the interview form. It counts only when all of it was said: that they agreed, who, what
for and until when. What the person chooses on their own page always counts instead, and so does an opt-out in the CRM.
The question that a form asks is known by the field that it feeds (:data:`ASKED`), so that forms of an admin's own work
as the shipped one does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum

from workflows.cases import Case
from workflows.dates import day_said, zone
from workflows.draft import Draft
from workflows.look import Look
from workflows.questions import Answer, AnswerValue, Questionnaire
from workflows.records import Contact, Model, People, RecordKind, Ref
from workflows.rules import LinkKind, Texts
from workflows.survey import wording
from workflows.texts import date_words, shorten
from workflows.writes import CreateNote, UpdateFields

ASKED, WHO, WHAT, UNTIL = "permission", "permission_who", "permission_for", "permission_until"
FARTHEST = timedelta(days=1830)
"""Nobody agrees to hear from us for longer than this."""
_PLACED = "permit:"
_LOST = "permit?"
_MOST_SAID = 250
"""Shorter than the narrowest text field of a CRM."""


class Agreed(StrEnum):
    """What they said when they were asked."""

    GRANTED = "granted"
    REFUSED = "refused"
    UNASKED = "unasked"


class Purpose(StrEnum):
    """What they agreed to hear."""

    NEWS = "news"
    EVENTS = "events"
    WISHES = "wishes"


class Permission(Model):
    """What one interview form says. ``noted_on``: the day on which the form was last sent."""

    agreed: Agreed
    who: str = ""
    purposes: tuple[Purpose, ...] = ()
    until: date | None = None
    noted_on: date

    @property
    def is_granted(self) -> bool:
        """Whether they said yes."""
        return self.agreed is Agreed.GRANTED

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it has to be guessed."""
        return self.is_granted and bool(self.who and self.purposes and self.until)

    @property
    def digest(self) -> str:
        """Names what was said; sending the form again for another reason does not change it."""
        said = [self.agreed, self.who.casefold(), sorted(self.purposes), self.until and self.until.isoformat()]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]


def noted(look: Look, case: Case) -> tuple[Permission, ...]:
    """What the interview forms of this case say, the newest last."""
    found = (
        _read(asked, answer, look)
        for answer in sorted(look.answers, key=lambda one: one.at)
        if answer.case_id == case.id
        and answer.by == "csm"
        and (asked := look.questionnaires.get(answer.questionnaire)) is not None
        and asked.kind is LinkKind.INTERVIEW
    )
    return tuple(one for one in found if one is not None)


def _read(asked: Questionnaire, answer: Answer, look: Look) -> Permission | None:
    said = fed(asked, answer.values)
    agreed, purposes = said.get(ASKED), said.get(WHAT, ())
    if agreed not in (Agreed.GRANTED, Agreed.REFUSED):
        return None
    return Permission(
        agreed=Agreed(str(agreed)),
        who=" ".join(str(said.get(WHO, "")).split()),
        purposes=tuple(Purpose(one) for one in _many(purposes) if one in tuple(Purpose)),
        until=day_said(said.get(UNTIL)),
        noted_on=answer.at.astimezone(zone(look.rules.time_zone)).date(),
    )


def fed(asked: Questionnaire, values: Mapping[str, AnswerValue]) -> dict[str, AnswerValue]:
    """Answers by the field that they feed."""
    return {one.field: values[one.key] for one in asked.questions() if one.field is not None and one.key in values}


def _many(value: AnswerValue) -> Iterable[str]:
    return value if isinstance(value, tuple) else (str(value),)


# --- whose it is ------------------------------------------------------------------------------------------------------


def standing(look: Look, case: Case) -> tuple[dict[str, Permission], bool]:
    """What counts by contact id, as far as it was found whose it is; and whether everybody is to be left in peace.

    A refusal that names nobody whom we know is everybody's: rather too quiet than too loud.
    """
    found: dict[str, Permission] = {}
    peace = False
    for said in noted(look, case):
        mine = [
            name.removeprefix(_PLACED) for name, value in case.written.items() if _is_placed(name, value, said.digest)
        ]
        found |= dict.fromkeys(mine, said)
        peace = peace or (not said.is_granted and not mine)
    return found, peace


def _is_placed(name: str, value: str, digest: str) -> bool:
    return name.startswith(_PLACED) and value.partition("|")[0] == digest


def place(draft: Draft) -> None:
    """Find out whose a permission is, once for each; a note on the deal says so where that cannot be told.

    May find people to be needed. Each is kept under the contact's id, so that it goes when that person is erased.
    """
    said = [one for one in noted(draft.look, draft.case) if one.is_whole or (one.who and not one.is_granted)]
    for one in said:
        if any(_is_placed(name, value, one.digest) for name, value in draft.written.items()):
            continue
        tried = draft.written.get(f"{_LOST}{one.digest}") is not None
        if draft.look.people is None:
            draft.needs_people = draft.needs_people or not tried
        else:
            _place(draft, one, draft.look.people)
    valid = {one.digest for one in said}
    for name, value in list(draft.written.items()):
        if name.startswith(_PLACED) and value.partition("|")[0] not in valid:
            del draft.written[name]
    draft.set(written=dict(draft.written))


def _place(draft: Draft, said: Permission, people: People) -> None:
    contact = matching(said.who, people.contacts)
    trouble = "unknown" if contact is None else "opted_out" if contact.opted_out and said.is_granted else ""
    if contact is not None and not trouble:
        draft.written[f"{_PLACED}{contact.id}"] = f"{said.digest}|{said.noted_on.isoformat()}"
        draft.written.pop(f"{_LOST}{said.digest}", None)
        draft.log("permission noted", f"{said.agreed}, until {said.until}", contact=contact.id)
    elif draft.once(f"{_LOST}{said.digest}", trouble) and said.is_granted:
        draft.log("permission not taken over", trouble)
        draft.writes.append(_note(draft, said, trouble))


def matching(who: str, contacts: Sequence[Contact]) -> Contact | None:
    """The one contact who has this address or this whole name; None when there is none, or more than one."""
    words = who.casefold()
    address = re.search(r"[^\s<>(),;]+@[^\s<>(),;]+", words)
    if address is not None:
        found = [one for one in contacts if (one.email or "").casefold() == address.group()]
    else:
        found = [one for one in contacts if one.name and " ".join(one.name.casefold().split()) == words]
    return found[0] if len(found) == 1 else None


def _note(draft: Draft, said: Permission, trouble: str) -> CreateNote:
    language = draft.case.language
    return CreateNote(
        key=f"{draft.case.id}:permission:{said.digest}:{draft.number(f'permission:{said.digest}')}",
        deal_id=draft.case.deal_id,
        title=_say("title", language),
        body=_say(trouble, language, who=shorten(said.who, 200)),
        at=draft.now,
        company_id=draft.case.company_id,
    )


# --- what it rests on, for marketing ----------------------------------------------------------------------------------


def write_basis(draft: Draft, target: Ref, contact_id: str | None) -> None:
    """Show on this record what the agreement of this contact rests on; None: there is none any more.

    Only a digest of it is kept with the case, since it may name a person.
    """
    text = _basis(draft, contact_id, named=target.kind is RecordKind.COMPANY) if contact_id is not None else None
    name = f"_basis:{target.id}"
    if draft.once(name, hashlib.sha256((text or "").encode()).hexdigest()[:12]):
        key = f"{draft.case.id}:{name}:{draft.number(name)}"
        values = {"nurture_basis": text}
        draft.writes.append(UpdateFields(key=key, deal_id=draft.case.deal_id, target=target, values=values))


def _basis(draft: Draft, contact_id: str, *, named: bool) -> str:
    language, told = draft.case.language, standing(draft.look, draft.case)[0].get(contact_id)
    if told is None or not told.is_granted:
        return _say("own", language)
    first = day_said(draft.case.written.get(f"{_PLACED}{contact_id}", "").partition("|")[2])
    purposes = ", ".join(_say(purpose, language) for purpose in told.purposes)
    day = date_words(first or told.noted_on, language)
    return shorten(_say("named" if named else "told", language, who=told.who, day=day, purposes=purposes), _MOST_SAID)


# --- what is wrong with a form, and words -----------------------------------------------------------------------------


def incomplete(
    asked: Questionnaire,
    values: Mapping[str, AnswerValue],
    before: Mapping[str, AnswerValue],
    today: date,
    language: str,
) -> dict[str, str]:
    """What is missing of a permission in a form that was sent, by question key, in words for the colleague.

    A day that stands there already is not asked about again when the form is sent once more after it.
    """
    keys = {one.field: one.key for one in asked.questions() if one.field is not None}
    said = fed(asked, values)
    problems: dict[str, str] = {}
    if said.get(ASKED) == Agreed.GRANTED:
        missing = [name for name in (WHO, WHAT, UNTIL) if name in keys and not said.get(name)]
        problems = {keys[name]: _say(f"missing_{name}", language) for name in missing}
    day = day_said(said.get(UNTIL))
    is_new = fed(asked, before).get(UNTIL) != said.get(UNTIL)
    if day is not None and is_new and not today < day <= today + FARTHEST:
        problems[keys[UNTIL]] = _say("day", language)
    return problems


_WORDS: Mapping[str, Texts] = {
    "news": {"en": "useful news now and then", "fr": "des nouvelles utiles de temps en temps"},
    "events": {"en": "invitations", "fr": "des invitations"},
    "wishes": {
        "en": "what they had asked for, once it is there",
        "fr": "ce qui avait été demandé, une fois disponible",
    },
    "own": {"en": "Chosen on their own page.", "fr": "Choisi par la personne elle-même, sur sa page."},
    "told": {
        "en": "Agreed in the exit conversation, noted on {day}: {purposes}.",
        "fr": "Accord donné lors de l’entretien de départ, noté le {day} : {purposes}.",
    },
    "named": {
        "en": "Agreed by {who} in the exit conversation, noted on {day}: {purposes}.",
        "fr": "Accord de {who} lors de l’entretien de départ, noté le {day} : {purposes}.",
    },
    "title": {
        "en": "The permission to write to them was not taken over",
        "fr": "L’accord pour écrire au client n’a pas été repris",
    },
    "unknown": {
        "en": (
            "The notes of the exit conversation say that {who} agreed to hear from us. No single contact of this deal "
            "has this name or address, so nothing was set for marketing. Add the contact to the deal, or open the form "
            "again and write the name or the e-mail address as it stands on the contact."
        ),
        "fr": (
            "D’après le compte rendu de l’entretien, {who} accepte de recevoir de nos nouvelles. Aucun contact de "
            "cette transaction ne porte à lui seul ce nom ou cette adresse : rien n’a donc été indiqué au marketing. "
            "Ajoutez le contact à la transaction, ou rouvrez le formulaire et reprenez le nom ou l’adresse e-mail "
            "qui figure sur la fiche du contact."
        ),
    },
    "opted_out": {
        "en": (
            "The notes of the exit conversation say that {who} agreed to hear from us, but the contact is opted out of "
            "e-mail in the CRM. The opt-out counts, so nothing was set for marketing. If they have changed their mind, "
            "let them say so on their own page."
        ),
        "fr": (
            "D’après le compte rendu de l’entretien, {who} accepte de recevoir de nos nouvelles, mais le contact est "
            "désinscrit des e-mails dans le CRM. La désinscription l’emporte : rien n’a été indiqué au marketing. Si "
            "la personne a changé d’avis, laissez-la le dire sur sa propre page."
        ),
    },
    "missing_permission_who": {
        "en": "Please write who agreed: nobody may agree for somebody else.",
        "fr": "Merci d’indiquer qui a donné son accord : personne ne peut le donner à la place d’un autre.",
    },
    "missing_permission_for": {
        "en": "Please choose what they agreed to hear.",
        "fr": "Merci d’indiquer ce que la personne accepte de recevoir.",
    },
    "missing_permission_until": {
        "en": "Please give the day until which they agreed: a permission without an end does not count.",
        "fr": "Merci d’indiquer jusqu’à quand : un accord sans date de fin ne compte pas.",
    },
    "day": {
        "en": "Please choose a day between tomorrow and five years from now.",
        "fr": "Merci de choisir un jour entre demain et dans cinq ans.",
    },
}


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, ("en",)).format(**values)
