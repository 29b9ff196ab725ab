"""Whether two contacts are probably one person, entered anew under another company (P-53).

A name alone says nothing, so besides the whole name something must be the same that people take along: their e-mail
address, a number or their profile on LinkedIn. It is only ever a hint for a human: nobody is merged by it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from pydantic import AwareDatetime

from workflows.records import Model
from workflows.rules import Texts

FEWEST_DIGITS = 8
"""A shorter number is an extension, or none."""
SAME_DIGITS = 9
"""So many last digits tell a number: whether it was written with the country's code or with a zero differs."""


class Shared(StrEnum):
    """What the two have in common, besides the name."""

    EMAIL = "email"
    NUMBER = "number"
    PROFILE = "profile"


class Person(Model):
    """A contact, as far as it tells who someone is. ``numbers`` are telephone numbers as people wrote them."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    numbers: tuple[str, ...] = ()
    profile: str = ""
    company_id: str | None = None
    company_name: str = ""
    made_at: AwareDatetime | None = None


class Leaver(Model):
    """A person of a customer who has left, the company where they were, and since when they are looked for."""

    company_id: str | None
    since: AwareDatetime


class Namesake(Model):
    """The newer contact of what is probably the same person, and by what they were told."""

    contact_id: str
    company_id: str
    company_name: str
    shared: Shared


def namesakes(
    known: Mapping[str, Leaver], people: Mapping[str, Person], found: Iterable[Person]
) -> dict[str, Namesake]:
    """By contact id, the newer contact of the same person at another company; none where there are two, or doubt."""
    by_name: dict[tuple[str, str], list[Person]] = {}
    for one in found:
        by_name.setdefault(_name(one), []).append(one)
    matched: dict[str, Namesake] = {}
    for contact_id, leaver in known.items():
        person = people.get(contact_id)
        if person is None or not all(_name(person)):
            continue
        alike = [
            (one, shared)
            for one in by_name.get(_name(person), ())
            if _is_new(one, leaver, known) and (shared := shared_by(person, one)) is not None
        ]
        if len(alike) == 1 and alike[0][0].company_id is not None:
            one, shared = alike[0]
            matched[contact_id] = Namesake(
                contact_id=one.id,
                company_id=one.company_id or "",
                company_name=one.company_name,
                shared=shared,
            )
    return matched


def likely(found: Iterable[Person], people: Iterable[Person]) -> list[Person]:
    """Those found who share the whole name, and something besides, with one of these people: worth asking more of."""
    by_name: dict[tuple[str, str], list[Person]] = {}
    for one in people:
        by_name.setdefault(_name(one), []).append(one)
    return [one for one in found if any(shared_by(one, each) for each in by_name.get(_name(one), ()))]


def _is_new(one: Person, leaver: Leaver, known: Mapping[str, Leaver]) -> bool:
    elsewhere = one.company_id is not None and one.company_id != leaver.company_id
    return elsewhere and one.id not in known and one.made_at is not None and one.made_at > leaver.since


def shared_by(one: Person, other: Person) -> Shared | None:
    """What the two have in common that people take along, the strongest first."""
    if one.email and one.email.casefold() == other.email.casefold():
        return Shared.EMAIL
    if _profile(one.profile) and _profile(one.profile) == _profile(other.profile):
        return Shared.PROFILE
    return Shared.NUMBER if _digits(one.numbers) & _digits(other.numbers) else None


def last_names(people: Iterable[Person]) -> Sequence[str]:
    """The last names of those who could be told from others at all: who has a whole name and something besides."""
    tellable = (
        one for one in people if all(_name(one)) and (one.email or _profile(one.profile) or _digits(one.numbers))
    )
    return sorted({one.last_name.strip() for one in tellable})


def _name(one: Person) -> tuple[str, str]:
    return _plain(one.first_name), _plain(one.last_name)


def _plain(text: str) -> str:
    """Without case, accents and doubled blanks."""
    bare = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return " ".join(bare.casefold().split())


def _profile(address: str) -> str:
    """The part of a profile's address that names the person."""
    found = re.search(r"linkedin\.com/(?:in|pub)/([^/?#\s]+)", address.casefold())
    return found[1] if found is not None else ""


def _digits(numbers: Iterable[str]) -> set[str]:
    plain = (re.sub(r"\D", "", number) for number in numbers)
    return {one[-SAME_DIGITS:] for one in plain if len(one) >= FEWEST_DIGITS}


_SHARED: Mapping[Shared, Texts] = {
    Shared.EMAIL: {"en": "e-mail address", "fr": "la même adresse e-mail"},
    Shared.NUMBER: {"en": "number", "fr": "le même numéro"},
    Shared.PROFILE: {"en": "LinkedIn profile", "fr": "le même profil LinkedIn"},
}
_HINT: Texts = {
    "en": "{company} (perhaps: a newer contact there has the same name and {shared}; please check that it is them)",
    "fr": (
        "{company} (peut-être : un contact plus récent y porte le même nom et {shared} ; à vérifier avant d’écrire)"
    ),
}


def hint(alike: Namesake, language: str) -> str:
    """The company's name, and why a colleague should look before they write."""
    code = "fr" if language[:2].lower() == "fr" else "en"
    return _HINT[code].format(company=alike.company_name or alike.company_id, shared=_SHARED[alike.shared][code])
