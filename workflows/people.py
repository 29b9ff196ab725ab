"""Who gets a task, and why (P-10, P-14, P-15): owner rules, fallbacks, and the neutral person.

Only active users are ever chosen. Every choice carries its reason in one line, in the case's language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from workflows.model import Company, Deal, Model, PeopleRule, User
from workflows.wording import say

RULES = ("deal_owner", "company_owner", "neutral", "manager", "csm")
"""Owner rules of playbook steps. ``csm`` is the company's owner, or else the deal's."""


class Choice(Model):
    """Someone for a task, and the reason in words."""

    user: User
    why: str


@dataclass(frozen=True)
class Staff:
    """Everyone who could be chosen for one deal. ``load`` counts open tasks of ours by user id."""

    deal: Deal
    company: Company | None
    rule: PeopleRule
    users: Mapping[str, User]
    load: Mapping[str, int]
    language: str

    def active(self, user_id: str | None) -> User | None:
        """The user with this id, if they can own tasks."""
        user = self.users.get(user_id) if user_id else None
        return user if user is not None and user.active else None

    def pool(self) -> list[User]:
        """Active members of the neutral pool, least loaded first, then by id."""
        members = [user for user in map(self.active, dict.fromkeys(self.rule.neutral_pool)) if user is not None]
        return sorted(members, key=self._by_load)

    def _by_load(self, user: User) -> tuple[int, str]:
        return self.load.get(user.id, 0), user.id

    def involvement(self, user: User) -> int:
        """How near someone stands to the deal: 0 not at all, 1 once owned it, 2 owns the company, 3 owns the deal."""
        if user.id == self.deal.owner_id:
            return 3
        if self.company is not None and user.id == self.company.owner_id:
            return 2
        return 1 if user.id in self.deal.past_owner_ids else 0

    def named(self, rule: str) -> User | None:
        """The active user whom a simple rule means, or None."""
        if rule == "deal_owner":
            return self.active(self.deal.owner_id)
        if rule == "company_owner":
            return self.active(self.company.owner_id if self.company is not None else None)
        if rule == "manager":
            return self.active(self.rule.manager)
        return None


def choose(rule: str, staff: Staff, *, keep: str | None = None) -> Choice | None:
    """The owner by this rule, or by the fallbacks when it names nobody active. None: nobody at all is active.

    ``keep`` is who was chosen as neutral earlier in the same case: the customer talks to one neutral person, not to
    three. After the configured fallbacks come the manager and the pool, so that no task goes unowned (P-14).
    """
    found = _found(rule, staff, keep)
    return found and found.model_copy(update={"why": found.why[:1].upper() + found.why[1:]})


def _found(rule: str, staff: Staff, keep: str | None) -> Choice | None:
    if rule == "neutral":
        return _neutral(staff, keep) or _instead("neutral", staff, staff.rule.fallback)
    wanted = ("company_owner", "deal_owner") if rule == "csm" else (rule,)
    user = staff.named(wanted[0])
    if user is not None:
        return _choice(f"why.{wanted[0]}", user, staff)
    return _instead(wanted[0], staff, (*wanted[1:], *staff.rule.fallback))


def _neutral(staff: Staff, keep: str | None) -> Choice | None:
    """A member of the pool who has no part in the deal, or the least involved of all who could do it."""
    pool = staff.pool()
    free = [user for user in pool if staff.involvement(user) == 0]
    if free:
        user = next((user for user in free if user.id == keep), free[0])
        return _choice("why.neutral", user, staff)
    manager = staff.named("manager")
    candidates = [*pool, manager] if manager is not None else pool
    if not candidates:
        return None
    least = min(candidates, key=staff.involvement)
    return _choice("why.least_involved", least, staff)


def _instead(missing: str, staff: Staff, chain: Iterable[str]) -> Choice | None:
    """The first active person of the chain, or anyone of the pool, with what made them second choice."""
    known = ((rule, staff.named(rule)) for rule in (*chain, "manager"))
    rule, user = next(((rule, user) for rule, user in known if user is not None), ("anyone", None))
    user = user or next(iter(staff.pool()), None)
    if user is None:
        return None
    choice = _choice(f"why.{rule}", user, staff)
    words = say("why.instead", staff.language, missing=say(f"missing.{missing}", staff.language), rest=choice.why)
    return Choice(user=user, why=words)


def _choice(key: str, user: User, staff: Staff) -> Choice:
    return Choice(user=user, why=say(key, staff.language, name=user.name or user.email or user.id))
