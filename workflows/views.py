"""What texts and conditions of playbooks can see: the fields of deal, company, contact and case, as plain mappings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from workflows.cases import Case
from workflows.records import Company, Contact, Deal, Role
from workflows.wording import say

View = Mapping[str, object]


def deal_view(deal: Deal) -> View:
    """The fields of :class:`~workflows.records.Deal`."""
    return dict(vars(deal))


def company_view(company: Company | None, deal: Deal, language: str) -> View:
    """The fields of :class:`~workflows.records.Company`. The deal's name stands in: texts always name someone."""
    name = deal.name or say("customer", language)
    if company is None:
        return {"id": None, "name": name, "owner_id": None, "figures": {}}
    return {**vars(company), "name": company.name or name}


def contact_view(contact: Contact | None, language: str) -> View:
    """The fields of :class:`~workflows.records.Contact`; empty when there is nobody.

    Who has no first name is greeted by the name, and who has none either by a gap to fill in: no letter begins with
    an address.
    """
    if contact is None:
        return {}
    name = contact.name or contact.email or ""
    first_name = contact.first_name or contact.name or say("first_name", language)
    return {**vars(contact), "name": name, "first_name": first_name}


class Contacts(list[View]):
    """The contacts of a deal as views, the most important first, and the stakeholder map made of them (P-11, P-13)."""

    NAMES = frozenset({"deciders", "users", "influencers", "counterparts", "counterpart", "unknown", "map"})
    """What a text may ask of it besides its items."""

    def __init__(self, contacts: Iterable[Contact], language: str, validator: str = "") -> None:
        people = list(contacts)
        super().__init__(contact_view(one, language) for one in people)
        self._people, self._language = people, language
        names = (str(one[key] or "") for one in self for key in ("name", "email"))
        self._validators = _named(validator, names) if validator else frozenset()

    @property
    def deciders(self) -> list[View]:
        """Who decides."""
        return self._with(Role.DECIDER)

    @property
    def users(self) -> list[View]:
        """Who uses what we deliver."""
        return self._with(Role.USER)

    @property
    def influencers(self) -> list[View]:
        """Who has a say."""
        return self._with(Role.INFLUENCER)

    @property
    def counterparts(self) -> list[View]:
        """Who says "received" for the handover: who is marked for it, or else who was agreed to validate (P-61)."""
        return self._with(Role.COUNTERPART) or [view for view in self if self._is_validator(view)]

    def _is_validator(self, view: View) -> bool:
        """Whether what was agreed at the start names them, by their whole name or their address."""
        said = self._validators
        return bool(said) and any(_plain(str(view.get(key) or "")) in said for key in ("name", "email"))

    @property
    def counterpart(self) -> View:
        """The first of them; empty when nobody was named."""
        return next(iter(self.counterparts), {})

    @property
    def unknown(self) -> list[View]:
        """Whose part in the decision nobody has noted."""
        return [view for view, one in zip(self, self._people, strict=True) if not _PARTS & {*one.roles}]

    @property
    def map(self) -> str:
        """All of them with their roles, one a line; the first twenty of a crowd."""
        lines = [f"- {_line(one, self._language)}" for one in self._people[:_MOST_SHOWN]]
        more = len(self._people) - _MOST_SHOWN
        return "\n".join([*lines, *([say("role.more", self._language, count=more)] if more > 0 else [])])

    def _with(self, role: Role) -> list[View]:
        return [view for view, one in zip(self, self._people, strict=True) if role in one.roles]


def _plain(text: str) -> str:
    """The words alone, without case and accents."""
    bare = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return " ".join(re.findall(r"[^\s,;()<>]+", bare.casefold()))


def _named(said: str, names: Iterable[str]) -> frozenset[str]:
    """Which of these names are said, as :func:`_plain` has them: "Ann Lee" does not name an "Ann" as well."""
    text, found = f" {_plain(said)} ", set()
    for name in sorted({_plain(name) for name in names} - {""}, key=len, reverse=True):
        if f" {name} " in text:
            found.add(name)
            text = text.replace(f" {name} ", " , ")
    return frozenset(found)


_PARTS = frozenset({Role.DECIDER, Role.USER, Role.INFLUENCER})
_MOST_SHOWN = 20


def _line(contact: Contact, language: str) -> str:
    known = [role for role in dict.fromkeys(contact.roles) if role is not Role.OTHER]
    words = ", ".join(say(f"role.{role}", language) for role in known) or say("role.unknown", language)
    return f"{contact.name or contact.email or contact.id}{say('colon', language)} {words}"


def case_view(case: Case, tz: ZoneInfo) -> View:
    """The fields of :class:`~workflows.cases.Case`, its moments in the account's zone."""
    view = {name: value for name, value in vars(case).items() if name not in ("steps", "written")}
    moments = ("entered_at", "opened_at", "confirmed_at", "answered_at", "closed_at")
    return view | {name: view[name].astimezone(tz) for name in moments if view[name] is not None}
