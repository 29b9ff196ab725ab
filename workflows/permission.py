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
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum

from workflows.cases import Case
from workflows.dates import day_said, zone
from workflows.draft import SOMEONE_ERASED, Draft
from workflows.look import Look
from workflows.questions import Answer, AnswerValue, Questionnaire
from workflows.records import Contact, Model, People, RecordKind, Ref
from workflows.rules import LinkKind, Texts
from workflows.said import Said
from workflows.survey import wording
from workflows.texts import date_words, shorten
from workflows.writes import CreateNote, UpdateFields

ASKED, WHO, WHAT, UNTIL = "permission", "permission_who", "permission_for", "permission_until"
FARTHEST = timedelta(days=1830)
"""Nobody agrees to hear from us for longer than this."""
NOBODY = "…"
"""Stands in a form instead of somebody who was erased (P-79); what it says of them is no permission."""
SOMEBODY = "?"
"""Stands instead of a name that fitted no contact, where the form says that they refused: that counts as before."""
_PLACED = "permit:"
"""Before the digest of what was said and the contact's id: the day on which it was noted, and :func:`whose`."""
_LOST = "permit?"
"""Before the digest of what was said: why nobody has it, and which contacts the deal had then."""
_ERASED = "erased"
TOLD = (":permission:", ":_basis:", ":feedback:")
"""In the keys of those writes that tell people what was agreed, or said in the form."""
_TROUBLES = {
    "unknown": Said("no single contact of the deal has this name or address"),
    "opted_out": Said("the contact is opted out of e-mail in the CRM"),
}
"""Why an agreement was not taken over, for the log."""
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
        return _short(json.dumps(said))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def noted(look: Look, case: Case) -> tuple[Permission, ...]:
    """What the interview forms of this case say, the newest last."""
    if not look.answers:
        return ()
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
    who = _one_line(str(said.get(WHO, "")))
    if agreed not in (Agreed.GRANTED, Agreed.REFUSED) or who == NOBODY:
        return None
    return Permission(
        agreed=Agreed(str(agreed)),
        who=who,
        purposes=tuple(Purpose(one) for one in _many(purposes) if one in tuple(Purpose)),
        until=day_said(said.get(UNTIL)),
        noted_on=answer.at.astimezone(zone(look.rules.time_zone)).date(),
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def fed(asked: Questionnaire, values: Mapping[str, AnswerValue]) -> dict[str, AnswerValue]:
    """Answers by the field that they feed."""
    return {one.field: values[one.key] for one in asked.questions() if one.field is not None and one.key in values}


def _many(value: AnswerValue) -> Iterable[str]:
    return value if isinstance(value, tuple) else (str(value),)


# --- whose it is ------------------------------------------------------------------------------------------------------


def standing(look: Look, case: Case) -> tuple[dict[str, Permission], bool]:
    """What counts by contact id, as far as it was found whose it is; and whether everybody is to be left in peace.

    Of several forms about one person the newest counts. A refusal that names nobody whom we know is everybody's: rather
    too quiet than too loud. What somebody said who was erased is nobody's.
    """
    found: dict[str, Permission] = {}
    peace = False
    for said in noted(look, case):
        if case.written.get(f"{_LOST}{said.digest}") == _ERASED:
            continue
        mine = _owners(case.written, said.digest)
        found |= dict.fromkeys(mine, said)
        peace = peace or (not said.is_granted and not mine)
    return found, peace


def _owners(written: Mapping[str, str], digest: str) -> list[str]:
    own = f"{_PLACED}{digest}:"
    return [name.removeprefix(own) for name in written if name.startswith(own)]


def place(draft: Draft) -> None:
    """Find out whose a permission is, once for each; a note on the deal says so where that cannot be told.

    It is tried anew when the deal has other contacts. May find people to be needed. Each is kept under the contact's
    id, so that it goes when that person is erased.
    """
    said = [one for one in noted(draft.look, draft.case) if one.is_whole or (one.who and not one.is_granted)]
    if not said and not any(name.startswith(_PLACED) for name in draft.written):
        return
    for one in said:
        before = draft.written.get(f"{_LOST}{one.digest}", "")
        if before == _ERASED or _owners(draft.written, one.digest):
            continue
        if draft.look.people is not None:
            _place(draft, one, draft.look.people)
        elif before.partition("|")[2] != _contacts(draft.look):
            draft.needs_people = True
    valid = {one.digest for one in said}
    for name in list(draft.written):
        if name.startswith(_PLACED) and name.split(":")[1] not in valid:
            del draft.written[name]
    draft.set(written=dict(draft.written))


def _contacts(look: Look) -> str:
    return _short(",".join(sorted(look.deal.contact_ids)))


def _place(draft: Draft, said: Permission, people: People) -> None:
    contact, lost = matching(said.who, people.contacts), f"{_LOST}{said.digest}"
    if contact is None:
        is_new = lost not in draft.written
        draft.written[lost] = f"unknown|{_contacts(draft.look)}"
        if is_new and said.is_granted:
            _tell(draft, said, "unknown")
        return
    draft.written[f"{_PLACED}{said.digest}:{contact.id}"] = f"{said.noted_on.isoformat()}|{whose(said.who)}"
    draft.written.pop(lost, None)
    draft.log("permission noted", _agreement(said), contact=contact.id)
    if contact.opted_out and said.is_granted:
        _tell(draft, said, "opted_out")


def _agreement(said: Permission) -> Said:
    """What was agreed, for the log: it names nobody."""
    if said.until is None:
        return Said("agreed") if said.is_granted else Said("refused")
    day = said.until.isoformat()
    return Said("agreed, until %(day)s", day=day) if said.is_granted else Said("refused, until %(day)s", day=day)


def is_looked_for(look: Look, case: Case) -> bool:
    """Whether an agreement that has not run out waits for its contact to be added to the deal."""
    today = look.now.astimezone(zone(look.rules.time_zone)).date()
    return any(
        one.until is not None and one.until >= today
        for one in noted(look, case)
        if one.is_whole and case.written.get(f"{_LOST}{one.digest}", _ERASED) != _ERASED
    )


# --- forgetting whose it was (P-79) -----------------------------------------------------------------------------------


def whose(who: str) -> str:
    """A digest of the words in which a form names somebody: finds them again without keeping them."""
    return _short(_one_line(who).casefold())


def naming(written: Mapping[str, str], contact_ids: Collection[str]) -> set[str]:
    """The digests (:func:`whose`) of the words in which forms of this case name these contacts."""
    mine = [name for name in written if name.startswith(_PLACED) and name.split(":")[2] in contact_ids]
    return {written[name].partition("|")[2] for name in mine}


def naming_others(written: Mapping[str, str], contact_ids: Collection[str]) -> set[str]:
    """The same for all other contacts whom forms of this case name."""
    others = {name.split(":")[2] for name in written if name.startswith(_PLACED)} - set(contact_ids)
    return naming(written, others)


def keys_asked(questionnaires: Mapping[str, Questionnaire]) -> dict[str, tuple[str, str]]:
    """For each form that asks for a permission, by its key: the questions for who it is, and whether they agreed."""
    found = {key: {one.field: one.key for one in asked.questions()} for key, asked in questionnaires.items()}
    return {key: (fields[WHO], fields[ASKED]) for key, fields in found.items() if {WHO, ASKED} <= fields.keys()}


def unnamed(agreed: object) -> str:
    """What stands instead of a name that fits no contact once it may be that of somebody who was erased."""
    return SOMEBODY if agreed == Agreed.REFUSED else NOBODY


def forgotten(written: Mapping[str, str], contact_ids: Collection[str]) -> dict[str, str]:
    """Marks for :attr:`Case.written`: what these contacts said is nobody's from now on, and not looked for either."""
    mine = [name.split(":") for name in written if name.startswith(_PLACED)]
    return {f"{_LOST}{digest}": _ERASED for _, digest, contact_id in mine if contact_id in contact_ids}


def words_of(who: str) -> str:
    """How what a form says of somebody begins wherever we write it, for finding it again."""
    return _one_line(who)[:100]


# --- a note where it cannot be told -----------------------------------------------------------------------------------


def matching(who: str, contacts: Sequence[Contact]) -> Contact | None:
    """The one contact who has this address or this whole name; None when there is none, or more than one."""
    words = who.casefold()
    address = re.search(r"[^\s<>(),;]+@[^\s<>(),;]+", words)
    if address is not None:
        found = [one for one in contacts if (one.email or "").casefold() == address.group()]
    else:
        found = [one for one in contacts if one.name and " ".join(one.name.casefold().split()) == words]
    return found[0] if len(found) == 1 else None


def _tell(draft: Draft, said: Permission, trouble: str) -> None:
    """Name nobody once somebody of this case was erased: it may be them, of whom only an id is known (P-79)."""
    draft.log("permission not taken over", _TROUBLES[trouble])
    language = draft.case.language
    who = _say("someone", language) if SOMEONE_ERASED in draft.written else shorten(said.who, 200)
    note = CreateNote(
        key=f"{draft.case.id}:permission:{said.digest}:{draft.number(f'permission:{said.digest}')}",
        deal_id=draft.case.deal_id,
        title=_say("title", language),
        body=_say(trouble, language, who=who),
        at=draft.now,
        company_id=draft.case.company_id,
    )
    draft.writes.append(note)


# --- what it rests on, for marketing ----------------------------------------------------------------------------------


def write_basis(draft: Draft, target: Ref, contact_id: str | None) -> None:
    """Show on this record what the agreement of this contact rests on; None: there is none any more.

    Only a digest of it is kept with the case, since it may name a person.
    """
    text = _basis(draft, contact_id, named=target.kind is RecordKind.COMPANY) if contact_id is not None else None
    name = f"_basis:{target.id}"
    if draft.once(name, _short(text or "")):
        key = f"{draft.case.id}:{name}:{draft.number(name)}"
        values = {"nurture_basis": text}
        draft.writes.append(UpdateFields(key=key, deal_id=draft.case.deal_id, target=target, values=values))


def _basis(draft: Draft, contact_id: str, *, named: bool) -> str:
    language, told = draft.case.language, standing(draft.look, draft.case)[0].get(contact_id)
    if told is None or not told.is_granted:
        return _say("own", language)
    first = day_said(draft.case.written.get(f"{_PLACED}{told.digest}:{contact_id}", "").partition("|")[0])
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
        "fr": "Accord donné par {who} lors de l’entretien de départ, noté le {day} : {purposes}.",
    },
    "someone": {"en": "someone", "fr": "quelqu’un"},
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
            "they can subscribe again themselves: what they agreed to counts then."
        ),
        "fr": (
            "D’après le compte rendu de l’entretien, {who} accepte de recevoir de nos nouvelles, mais le contact est "
            "désinscrit des e-mails dans le CRM. La désinscription l’emporte : rien n’a été indiqué au marketing. Si "
            "la personne a changé d’avis, elle peut se réinscrire elle-même : son accord comptera alors."
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
