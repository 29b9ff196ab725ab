"""Who gets a task, and why (P-10, P-14, P-15): owner rules, fallbacks, stand-ins, and the neutral person.

Only active users are ever chosen. Every choice carries its reason in one line, in the case's language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from functools import cached_property

from babel.core import Locale, UnknownLocaleError

from workflows.involvement import Tie, away, ties
from workflows.records import Company, Deal, Involvement, User
from workflows.rules import Absence, PeopleRule
from workflows.texts import date_words
from workflows.wording import say

RULES = ("deal_owner", "company_owner", "neutral", "manager", "csm")
"""Owner rules of playbook steps. ``csm`` is the company's owner, or else the deal's."""
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """Someone for a task, and the reason in words."""

    user: User
    why: str


@dataclass(frozen=True)
class Staff:
    """Everyone who could be chosen for one deal.

    ``load`` counts open tasks of ours by user id. ``language`` is that of the words, ``spoken`` the customer's.
    ``involved`` is who else took part, as far as it was read; ``negotiating`` are the stages of a negotiation.
    """

    deal: Deal
    company: Company | None
    rule: PeopleRule
    users: Mapping[str, User]
    load: Mapping[str, int]
    language: str
    spoken: str | None = None
    involved: tuple[Involvement, ...] = ()
    negotiating: frozenset[str] = frozenset()
    tz: tzinfo = UTC

    def active(self, user_id: str | None) -> User | None:
        """The user with this id, if they can own tasks."""
        user = self.users.get(user_id) if user_id else None
        return user if user is not None and user.active else None

    @cached_property
    def ties(self) -> Mapping[str, Tie]:
        """How those who had a part in the deal are bound to it."""
        return ties(self.deal, self.company, self.involved, self.negotiating, self.tz)

    def pool(self) -> list[User]:
        """Active members of the neutral pool, least loaded first, then by id."""
        members = [user for user in map(self.active, dict.fromkeys(self.rule.neutral_pool)) if user is not None]
        return sorted(members, key=self.by_load)

    def by_load(self, user: User) -> tuple[int, str]:
        """Sorts people by their open tasks."""
        return self.load.get(user.id, 0), user.id

    def involvement(self, user: User) -> int:
        """How near someone stands to the deal: 0 not at all, the most who owns it."""
        tie = self.ties.get(user.id)
        return tie.weight if tie is not None else 0

    def is_neutral(self, user: User) -> bool:
        """Whether it may be said to the customer that this person had no part: a member of the pool, without a tie."""
        return user.id in self.rule.neutral_pool and self.involvement(user) == 0

    def speaks(self, user: User) -> bool:
        """Whether the CRM or the settings say that this person speaks the customer's language."""
        known = (*self.rule.languages.get(user.id, ()), user.language or "")
        return bool(self.spoken) and _tongue(self.spoken) in map(_tongue, known)

    def named(self, rule: str) -> User | None:
        """The active user whom a simple rule means, or None."""
        if rule == "deal_owner":
            return self.active(self.deal.owner_id)
        if rule == "company_owner":
            return self.active(self.company.owner_id if self.company is not None else None)
        if rule == "manager":
            return self.active(self.rule.manager)
        return None


def choose(
    rule: str, staff: Staff, *, keep: str | None = None, handed: str | None = None, days: Iterable[date] = ()
) -> Choice | None:
    """The owner by this rule, or by the fallbacks when it names nobody active. None: nobody at all is active.

    ``keep`` is who was chosen as neutral earlier in the same case: the customer talks to one neutral person, not to
    three. ``handed`` is whom people gave such a task to instead: their choice counts for the rest (P-7B). On ``days``
    the person must be there: a stand-in takes the task of who is away, or else the next in line. After the configured
    fallbacks come the manager and the pool, so that no task goes unowned (P-14).
    """
    found = _Chooser(staff, tuple(days)).choose(rule, keep, handed)
    return found and Choice(found.user, found.why[:1].upper() + found.why[1:])


def is_open_choice(rule: str, staff: Staff, keep: str | None, handed: str | None) -> bool:
    """Whether knowing who else took part in the deal could change the choice: it costs calls to ask (P-10)."""
    if rule != "neutral" or keep is not None or staff.active(handed) is not None:
        return False
    others = {user.id for user in (*staff.pool(), staff.named("manager")) if user is not None}
    return len(others) > 1 and bool(staff.pool())


@dataclass(frozen=True)
class _Chooser:
    staff: Staff
    days: tuple[date, ...]

    def choose(self, rule: str, keep: str | None, handed: str | None) -> Choice | None:
        if rule == "neutral":
            return self.neutral(keep, handed) or self.instead("neutral", self.staff.rule.fallback)
        wanted = ("company_owner", "deal_owner") if rule == "csm" else (rule,)
        user = self.staff.named(wanted[0])
        absence = self.away(user) if user is not None else None
        if user is not None and absence is None:
            return self.choice(f"why.{wanted[0]}", user)
        chain = (*wanted[1:], *self.staff.rule.fallback)
        if user is None or absence is None:
            return self.instead(wanted[0], chain)
        return self.stand_in(user, absence) or self.instead(wanted[0], chain, absence) or self.choice("why.away", user)

    # --- the neutral person -----------------------------------------------------------------------------------------

    def neutral(self, keep: str | None, handed: str | None) -> Choice | None:
        """Whom people chose, or a member of the pool without any part in the deal, or the least involved of all."""
        staff = self.staff
        given = staff.active(handed)
        if given is not None and self.away(given) is None:
            return self.choice("why.handed", given)
        pool = staff.pool()
        free = [user for user in pool if staff.involvement(user) == 0]
        there = [user for user in free if self.away(user) is None]
        if there:
            speaking = [user for user in there if staff.speaks(user)]
            user = next((user for user in there if user.id == keep), (speaking or there)[0])
            return self.explained(self.choice("why.neutral", user), pool, speaking)
        for user in free:
            absence = self.away(user)
            replaced = absence and self.stand_in(user, absence)
            if replaced and staff.involvement(replaced.user) == 0:
                return replaced
        return self.least_involved(pool, keep)

    def least_involved(self, pool: Sequence[User], keep: str | None) -> Choice | None:
        manager = self.staff.named("manager")
        candidates = [*pool, manager] if manager is not None else list(pool)
        candidates = [user for user in candidates if self.away(user) is None] or candidates
        if not candidates:
            return None
        least = min(candidates, key=lambda user: (self.staff.involvement(user), user.id != keep))
        return self.explained(self.choice("why.least_involved", least), pool, ())

    def explained(self, choice: Choice, pool: Sequence[User], speaking: Sequence[User]) -> Choice:
        """The choice, with who was passed over and why, and the language that decided (P-15)."""
        staff, words = self.staff, [choice.why]
        if choice.user in speaking and len(speaking) < len(pool):
            words.append(say("why.speaks", staff.language, tongue=_tongue_name(staff.spoken, staff.language)))
        passed = [(user, why) for user in pool if user.id != choice.user.id and (why := self.against(user))]
        if passed:
            named = "; ".join(f"{_name(user)} ({why})" for user, why in passed[:_MOST_NAMED])
            words.append(say("why.passed_over", staff.language, names=named))
        own = self.staff.ties.get(choice.user.id)
        if own is not None:
            words.insert(1, say("why.their_part", staff.language, part=own.words(staff.language)))
        return Choice(user=choice.user, why=" ".join(words))

    def against(self, user: User) -> str:
        """What speaks against a member of the pool; empty: nothing but that another fits better."""
        tie, absence = self.staff.ties.get(user.id), self.away(user)
        if tie is not None:
            return tie.words(self.staff.language)
        return self.until("why.is_away", absence) if absence is not None else ""

    # --- others in their place --------------------------------------------------------------------------------------

    def away(self, user: User) -> Absence | None:
        return away(self.staff.rule.absences, user.id, self.days)

    def until(self, key: str, absence: Absence, **words: str) -> str:
        return say(key, self.staff.language, day=date_words(absence.last, self.staff.language), **words)

    def stand_in(self, user: User, absence: Absence) -> Choice | None:
        """Whom the absent one named, if they are there themselves."""
        other = self.staff.active(absence.stand_in)
        if other is None or self.away(other) is not None:
            return None
        return Choice(user=other, why=self.until("why.stand_in", absence, name=_name(other), absent=_name(user)))

    def instead(self, missing: str, chain: Iterable[str], absence: Absence | None = None) -> Choice | None:
        """The first of the chain who is there, or anyone of the pool, with what made them second choice."""
        staff = self.staff
        known = [(rule, user) for rule in (*chain, "manager") if (user := staff.named(rule)) is not None]
        known += [("anyone", user) for user in staff.pool()]
        there = [(rule, user) for rule, user in known if self.away(user) is None]
        if absence is not None and not there:
            return None  # all others are away as well: then it may as well be the one whom it concerns
        rule, user = next(iter(there or known), ("", None))
        if user is None:
            return None
        if absence is not None:
            lack = self.until(f"missing.{missing}.away", absence)
        else:
            lack = say(f"missing.{missing}", staff.language)
        words = say("why.instead", staff.language, missing=lack, rest=self.choice(f"why.{rule}", user).why)
        return Choice(user=user, why=words)

    def choice(self, key: str, user: User) -> Choice:
        return Choice(user=user, why=say(key, self.staff.language, name=_name(user)))


def _name(user: User) -> str:
    return user.name or user.email or user.id


def _tongue(language: str | None) -> str:
    return (language or "").replace("_", "-").partition("-")[0].casefold()


def _tongue_name(spoken: str | None, language: str) -> str:
    try:
        name = Locale.parse(_tongue(spoken)).get_language_name(language)
    except (UnknownLocaleError, ValueError):
        name = None
    return name or (spoken or "")
