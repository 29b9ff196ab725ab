"""From the steps of a playbook to dated, owned tasks (P-14 … P-16, P-20 … P-2E).

A step *appears* (is released) at a moment, and its task is due at another; both hang on anchors that may not be known
yet. Whatever appears on a day does so at 09:00 of the account's zone; with no offset from an exact moment (the plan's
start, an answer, a step that is done), at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import cast

from workflows.answers import answered_at, scores
from workflows.baseline import frame_view
from workflows.cases import Step, StepStatus
from workflows.dates import calendar, day_of, due_time, in_utc, local_date, opening, remind_time, zone, zone_or
from workflows.door import TOUCH, door_values, news_of, win_back_day
from workflows.draft import FINISHED, Draft, delay_of
from workflows.exit_rights import exit_days, exit_view
from workflows.inventory import day_of_group, is_group, item_views, items_of_group, owner_of_group
from workflows.learned import learned_view
from workflows.look import Links
from workflows.loop import due_of, handed_to
from workflows.people import Choice, Staff, choose, is_open_choice
from workflows.records import Contact, People, Role, User
from workflows.rounds import NEWS_ANCHORS, all_rules
from workflows.rules import RIGHTS_ANCHORS, Anchor, CaseKind, Linked, LinkKind, Moment, Playbook, StepRule, Texts
from workflows.texts import TextError, holds, render, render_anyway, shorten, uses
from workflows.views import Contacts, case_view, company_view, contact_view, deal_view
from workflows.wording import say
from workflows.writes import CreateTask, TaskType

MAX_CONTACTS = 10
"""A per-contact step makes at most so many tasks: primary contact first, then by role, then by id."""
MAX_SUBJECT = 255
ASKING = frozenset({LinkKind.SURVEY, LinkKind.INTERVIEW, LinkKind.TEAM})
"""Pages that ask the questions of a questionnaire; a case has one inventory, one timeline, a page for each document."""
_LATE_ROOM = 2
_SHOWS_TOUCH = re.compile(r"{{[^}]*\btouch\b")
_DAY_AFTER = Moment(anchor=Anchor.CONTRACT_END, days=1)
_ROLE_ORDER = {Role.DECIDER: 0, Role.USER: 1, Role.INFLUENCER: 2, Role.COUNTERPART: 3, Role.OTHER: 4}


class Waiting(StrEnum):
    """What a step waits for before its dates can be told."""

    CONTRACT_END = "contract_end"
    ANSWER = "answer"
    ITEM = "item"
    """Nothing in the inventory is to be handed over on a day (P-22)."""
    STEP = "step"
    OVERDUE = "overdue"
    """The step that it watches over is not overdue."""
    DAY = "day"
    """No day to ask again is known (P-56)."""
    NEWS = "news"
    """Nothing new is known of the customer (P-52, P-53)."""
    NEVER = "never"
    """The step that it follows was left out, or the one that it watches over is done: it will not come."""


@dataclass(frozen=True)
class Base:
    """An anchor that is known: the day, and the exact moment where it is one."""

    day: date
    moment: datetime | None


@dataclass(frozen=True)
class Wording:
    """Title and body of a task, its type, and the page address to keep in the task's link field."""

    title: str
    body: str
    type: TaskType
    link: str | None


_PLAIN = frozenset({Anchor.CONTRACT_END, Anchor.CONFIRMED, Anchor.OPENED, Anchor.WIN_BACK}) | RIGHTS_ANCHORS
"""Anchors that are the same for every step and contact, and worked out once until the case changes."""

StepDone = Callable[[str, str | None], "datetime | Waiting"]


class Desk:
    """Works out dates, owners and texts for the steps of one case. Make one for each decision.

    ``done`` tells when a step (rule key, contact id) was done; by default as the case's steps say.
    """

    def __init__(self, draft: Draft, links: Links, done: StepDone | None = None) -> None:
        look = draft.look
        self.draft = draft
        self.links = links
        self.days = calendar(look.rules.calendar)
        self.tz = zone(look.rules.time_zone)
        self.today = local_date(draft.now, self.tz)
        self.people = look.people or People()
        self.language = draft.case.language
        self.rules = all_rules(look.playbook, draft.steps.values(), look.rules)
        self.done = done or self._done
        self.staff = Staff(
            deal=look.deal,
            company=self.people.company,
            rule=look.rules.people,
            users=look.users,
            load=look.load,
            language=self.language,
            spoken=next((one.language for one in self.contacts() if one.language), self.language),
            involved=look.involved or (),
            negotiating=frozenset().union(*(rule.negotiating for rule in look.rules.watch)),
            tz=self.tz,
        )
        self._values: dict[str, object] | None = None
        self._releases: dict[tuple[str, str | None], datetime | Waiting] = {}
        self._bases: dict[Anchor, Base | Waiting] = {}
        self._moments: dict[tuple[Anchor, int, bool], datetime | Waiting] = {}

    # --- dates ------------------------------------------------------------------------------------------------------

    def base(self, moment: Moment, contact_id: str | None) -> Base | Waiting:
        """The moment's anchor."""
        if moment.anchor in _PLAIN:
            known = self._bases.get(moment.anchor)
            if known is None:
                known = self._bases[moment.anchor] = self._plain_base(moment.anchor)
            return known
        if moment.anchor is Anchor.OVERDUE:
            late = self.overdue(moment.step)
            return late if isinstance(late, Waiting) else Base(local_date(late, self.tz), None)
        if moment.anchor in NEWS_ANCHORS:
            news = news_of(self.draft.look, moment)
            return Base(local_date(news.at, self.tz), news.at) if news is not None else Waiting.NEWS
        if moment.anchor is Anchor.ITEM:
            return Base(day_of_group(contact_id), None) if contact_id and is_group(contact_id) else Waiting.ITEM
        if moment.anchor is Anchor.STEP:
            came = self.done(moment.step or "", contact_id)
        else:
            came = answered_at(self.draft.case, self.draft.written, contact_id) or Waiting.ANSWER
        return came if isinstance(came, Waiting) else Base(local_date(came, self.tz), came)

    def _plain_base(self, anchor: Anchor) -> Base | Waiting:
        """An anchor that is the same for all steps."""
        case, look = self.draft.case, self.draft.look
        if anchor is Anchor.CONTRACT_END:
            return Base(case.contract_end, None) if case.contract_end is not None else Waiting.CONTRACT_END
        if anchor is Anchor.WIN_BACK:
            day = win_back_day(look, case, self.today)
            return Base(day, None) if day is not None else Waiting.DAY
        if anchor in RIGHTS_ANCHORS:
            rights = look.rules.exit_rights
            return Base(exit_days(case, rights, self.tz)[anchor], None) if rights else Waiting.NEVER
        began = case.opened_at if anchor is Anchor.OPENED else case.confirmed_at
        start = began + delay_of(case) if began is not None else self.draft.now
        return Base(local_date(start, self.tz), start)

    def release(self, rule: StepRule, contact_id: str | None = None) -> datetime | Waiting:
        """When the step's task appears, or what that waits for."""
        known = self._releases.get((rule.key, contact_id))
        if known is None:
            known = self._releases[rule.key, contact_id] = self._release(rule, contact_id)
        return known

    def is_later(self, step: Step) -> bool:
        """Whether it was worked out already that the step's moment is still to come."""
        known = self._releases.get((step.rule, step.contact_id))
        return isinstance(known, datetime) and self.is_ahead(known)

    def is_ahead(self, moment: datetime) -> bool:
        """Whether this moment is still to come."""
        return in_utc(moment) > self.draft.now

    def _release(self, rule: StepRule, contact_id: str | None) -> datetime | Waiting:
        first = self._appears(rule.release, contact_id)
        if isinstance(first, Waiting):
            return first
        if rule.due.anchor is not rule.release.anchor or rule.due.step != rule.release.step:
            due = self.base(rule.due, contact_id)
            if isinstance(due, Waiting):
                return due
        if rule.not_before is not None:
            second = self._appears(rule.not_before, contact_id)
            if isinstance(second, Waiting) and second is not Waiting.NEVER:
                return second
            first = first if isinstance(second, Waiting) else max(first, second)
        effective = self.effective_end() if rule.link is LinkKind.SURVEY else None
        return first if effective is None else max(first, effective)

    def effective_end(self) -> datetime | None:
        """The business morning after the contract's last day: no survey before it (P-31).

        None when no end is known, and for a case that is about no ending.
        """
        end = self.draft.case.contract_end
        if end is None or self.draft.case.kind is not CaseKind.OFFBOARDING:
            return None
        return opening(day_of(_DAY_AFTER, end, self.days), self.tz)

    def due(self, rule: StepRule, contact_id: str | None, owner: User | None, after: datetime) -> datetime | Waiting:
        """When the task is due, on the owner's clock, later than ``after``: its ``.date()`` is the owner's day.

        A day that has come already, as in a plan that begins late, becomes the second business day from now: nobody
        should meet a task that wants to be done by the evening, unless the playbook means just that.
        """
        base = self.base(rule.due, contact_id)
        if isinstance(base, Waiting):
            return base
        tz = zone_or(owner.time_zone if owner is not None else None, self.tz)
        day, today = day_of(rule.due, base.day, self.days), local_date(after, tz)
        if day <= today and rule.due != rule.release:
            day = self.days.add_business_days(today, _LATE_ROOM)
        return due_time(day, tz, self.days, after)

    def next_morning(self) -> datetime:
        """09:00 of the next business day, in the account's zone."""
        return opening(self.days.add_business_days(self.today, 1), self.tz)

    def _appears(self, moment: Moment, contact_id: str | None) -> datetime | Waiting:
        """At nine of its day; worked out once for all steps that hang on the same plain day."""
        if moment.anchor not in _PLAIN:
            return self._opening_of(moment, contact_id)
        day = (moment.anchor, moment.days, moment.business)
        known = self._moments.get(day)
        if known is None:
            known = self._moments[day] = self._opening_of(moment, contact_id)
        return known

    def _opening_of(self, moment: Moment, contact_id: str | None) -> datetime | Waiting:
        base = self.base(moment, contact_id)
        if isinstance(base, Waiting):
            return base
        if base.moment is not None and moment.days == 0:
            return base.moment
        return opening(day_of(moment, base.day, self.days), self.tz)

    def _done(self, key: str, contact_id: str | None) -> datetime | Waiting:
        """When a step was done: this contact's own, or else when the last of its tasks was."""
        steps = self.draft.of_rule(key)
        own = [step for step in steps if step.contact_id is not None and step.contact_id == contact_id]
        steps = own or steps
        if any(step.status not in FINISHED or step.status is StepStatus.FAILED for step in steps):
            return Waiting.STEP
        return max((step.completed_at for step in steps if step.completed_at is not None), default=Waiting.NEVER)

    def overdue(self, key: str | None) -> datetime | Waiting:
        """When the open task of this step is, or was, due; never once it is done or was left out (P-13)."""
        steps = self.draft.of_rule(key)
        if key not in self.rules or (steps and all(_is_over(step) for step in steps)):
            return Waiting.NEVER
        dues = [due_of(self.draft, step) for step in steps if step.status in (StepStatus.OPEN, StepStatus.WRITING)]
        return min((due for due in dues if due is not None), default=Waiting.OVERDUE)

    # --- people -----------------------------------------------------------------------------------------------------

    def contacts(self) -> list[Contact]:
        """Whom per-contact steps address: each e-mail address once, the most important first."""
        return list(self._contacts)

    @cached_property
    def _contacts(self) -> tuple[Contact, ...]:
        found: dict[str, Contact] = {}
        for contact in sorted(self.people.contacts, key=_importance):
            found.setdefault((contact.email or contact.id).casefold(), contact)
        return tuple(found.values())

    def contact(self, contact_id: str | None) -> Contact | None:
        """The contact with this id, as the CRM has them now."""
        return next((one for one in self.people.contacts if one.id == contact_id), None)

    def owner(self, rule: StepRule, contact_id: str | None = None) -> Choice | None:
        """Who gets the step's task, and why; None when nobody at all is active."""
        if rule.owner == "item":
            named = self.staff.active(owner_of_group(contact_id or ""))
            if named is not None:
                return Choice(user=named, why=say("why.item", self.language, name=named.name or named.email))
            rule = rule.model_copy(update={"owner": "csm"})
        days = self._days_needed(rule, contact_id)
        if rule.owner != "neutral":
            return choose(rule.owner, self.staff, days=days)
        return choose(rule.owner, self.staff, keep=self._neutral_so_far(), handed=self._handed(), days=days)

    def must_ask_who_took_part(self, rule: StepRule) -> bool:
        """Whether a neutral person is to be chosen now, and it was not read yet who else took part (P-10)."""
        if rule.owner != "neutral" or self.draft.look.involved is not None:
            return False
        return is_open_choice(rule.owner, self.staff, self._neutral_so_far(), self._handed())

    def _days_needed(self, rule: StepRule, contact_id: str | None) -> tuple[date, ...]:
        """The days on which whoever gets the task must be there: today, and when it is due."""
        if not self.draft.look.rules.people.absences:
            return ()
        due = self.due(rule, contact_id, None, self.draft.now)
        return (self.today,) if isinstance(due, Waiting) else (self.today, due.date())

    def _neutral_steps(self) -> list[Step]:
        ours = {key for key, rule in self.rules.items() if rule.owner == "neutral"}
        return [step for step in self.draft.steps.values() if step.rule in ours]

    def _neutral_so_far(self) -> str | None:
        return next((step.owner_id for step in self._neutral_steps() if step.owner_id), None)

    def _handed(self) -> str | None:
        """Whom people gave such a task to last, where they did (P-7B)."""
        given = [handed_to(self.draft, step) for step in self._neutral_steps()]
        return next((user_id for user_id in reversed(given) if user_id), None)

    # --- words ------------------------------------------------------------------------------------------------------

    def values(self, contact_id: str | None, **more: object) -> dict[str, object]:
        """What texts and conditions see. Without a contact of its own, a step sees the most important one."""
        if self._values is None:
            look, case = self.draft.look, self.draft.case
            contacts = self.contacts()
            self._values = {
                "deal": deal_view(look.deal),
                "company": company_view(self.people.company, look.deal, self.language),
                "contacts": Contacts(contacts, self.language),
                "first": contact_view(contacts[0] if contacts else None),
                "case": case_view(case, self.tz),
                "days_left": None if case.contract_end is None else (case.contract_end - self.today).days,
                **door_values(look, case, self.language),
                "frame": frame_view(look.baseline, look.questionnaires, self.language),
                "learned": self._learned(),
            }
        own = contact_id is not None and not is_group(contact_id)
        contact = contact_view(self.contact(contact_id)) if own else self._values["first"]
        given = scores(self.draft.written, self.people, contact_id if own else None, self.draft.look.rules.low_score)
        self._values["case"] = {**cast("Mapping[str, object]", self._values["case"]), **given}
        more = {**self._items(contact_id), **more}
        return {**self._values, "contact": contact, **more}

    def _learned(self) -> Mapping[str, object]:
        """What the case has taught so far (P-42)."""
        look, case = self.draft.look, self.draft.case
        said = [answer for answer in look.answers if answer.case_id == case.id]
        return learned_view(self.draft.written, case.reason, said, look.questionnaires, self.people, self.language)

    def _items(self, group: str | None) -> dict[str, object]:
        """What texts see of the exit-rights clock, and a step for items of the inventory of these (P-22, P-2B)."""
        look = self.draft.look
        seen: dict[str, object] = {"exit_rights": exit_view(self.draft.case, look.rules.exit_rights, self.tz)}
        if group is None or not is_group(group):
            return seen | {"items": (), "item": {}, "count": 0}
        items = items_of_group(look.inventory, group)
        views = item_views(items, self.language)
        return seen | {"items": views, "item": views[0] if views else {}, "count": len(items)}

    def follow(self, playbook: Playbook, language: str) -> None:
        """Lay out this playbook, in this language, and no longer the one before."""
        self.draft.look = self.draft.look.model_copy(update={"playbook": playbook})
        self.draft.set(language=language)
        self.language = language
        self.staff = replace(self.staff, language=language)
        self.rules = all_rules(playbook, self.draft.steps.values(), self.draft.look.rules)
        self.forget()

    def forget_waiting(self) -> None:
        """A step has changed: work out anew what others wait for."""
        self._releases = {key: value for key, value in self._releases.items() if not isinstance(value, Waiting)}

    def forget(self) -> None:
        """The case has changed: work out anew what texts see and when steps appear."""
        self._values = None
        self._releases.clear()
        self._bases.clear()
        self._moments.clear()

    def applies(self, rule: StepRule, contact_id: str | None) -> bool:
        """Whether the step's condition holds. Raises TextError when that cannot be told."""
        return rule.when is None or holds(rule.when, self.values(contact_id))

    def wording(self, rule: StepRule, contact_id: str | None, why: str) -> Wording:
        """The task's words, with the link and the reason for its owner below them unless they stand there already."""
        contact = self.contact(contact_id)
        call = contact is not None and not reachable(contact) and bool(rule.call_title or rule.call_body)
        unseen = call and bool(rule.call_body) and not any(uses(text, "link") for text in rule.call_body.values())
        link = self.link(rule, contact_id) if not unseen else None  # a page that nobody is shown was not given out
        news = news_of(self.draft.look, rule.release)
        values = self.values(contact_id, link=link or "", why=why, news=news.text if news is not None else "")
        if any(_shows_touch(text) for text in rule.body.values()):
            values[TOUCH] = self.touch_link(contact_id)
        if any(uses(text, "timeline") for text in (*rule.body.values(), *rule.call_body.values())):
            values["timeline"] = self.timeline()
        title = self._text(rule.call_title if call and rule.call_title else rule.title, rule, values)
        body = self._text(rule.call_body if call and rule.call_body else rule.body, rule, values)
        if link and link not in body and not call:
            body += "\n\n" + say("task.link", self.language, link=link)
        if why and why not in body:
            body += "\n\n" + why
        shown = link if link and (not call or link in body) else None
        return Wording(shorten(title, MAX_SUBJECT), body.strip(), TaskType.CALL if call else rule.type, shown)

    def link(self, rule: StepRule, contact_id: str | None) -> str | None:
        """The address of the page that the step links to."""
        if rule.link is LinkKind.TOUCH:
            return self.touch_link(contact_id) or None
        if rule.link is None or (rule.link in ASKING and not rule.questionnaire):
            return None
        if rule.link in ASKING:
            return self.links(rule.link, self.draft.case.id, contact_id, rule.questionnaire or "")
        return self.links(rule.link, self.draft.case.id, None, rule.key if rule.link is LinkKind.DOCUMENT else "")

    def touch_link(self, contact_id: str | None) -> str:
        """The address of the page where a former customer chooses what to hear (P-51); the most important one's."""
        person = contact_id or next((one.id for one in self.contacts()), None)
        return self.links(LinkKind.TOUCH, self.draft.case.id, person, TOUCH) if person is not None else ""

    def timeline(self) -> str:
        """The address of the page on which the customer sees the plan (P-2A)."""
        return self.links(LinkKind.TIMELINE, self.draft.case.id, None, "")

    def text(self, texts: Texts) -> str:
        """The text in the case's language, or in the playbook's first."""
        languages = (self.language, *self.draft.look.playbook.languages, *texts)
        return next((texts[language] for language in languages if language in texts), "")

    def _text(self, texts: Texts, rule: StepRule, values: Mapping[str, object]) -> str:
        text = self.text(texts)
        try:
            return render(text, values)
        except TextError as error:
            self.draft.log("text with gaps", str(error), step=rule.key)
            return render_anyway(text, values)

    # --- the task ---------------------------------------------------------------------------------------------------

    def task(self, step: Step, rule: StepRule, choice: Choice, due: datetime) -> CreateTask:
        """The keyed write that makes the step's task."""
        words = self.wording(rule, step.contact_id, choice.why)
        company = self.people.company if Linked.COMPANY in rule.linked_to else None
        own = step.contact_id is not None and not is_group(step.contact_id)
        contacts = [step.contact_id or ""] if own else [one.id for one in self.contacts()[:1]]
        return CreateTask(
            key=self.draft.step_key(step),
            deal_id=self.draft.case.deal_id,
            subject=words.title or rule.key,
            body=words.body,
            due_at=due,
            reminder_at=remind_time(due, rule.reminder, self.draft.now),
            priority=rule.priority,
            type=words.type,
            owner_id=choice.user.id,
            company_id=company.id if company is not None else None,
            contact_ids=tuple(contacts) if Linked.CONTACT in rule.linked_to else (),
            link=words.link,
        )


def reachable(contact: Contact) -> bool:
    """Whether this contact can be written to (P-16)."""
    return bool(contact.email) and not contact.opted_out and not contact.bounced


@lru_cache(maxsize=4096)
def _shows_touch(text: str) -> bool:
    """Whether the text shows the address of the page where a former customer chooses what to hear."""
    return _SHOWS_TOUCH.search(text) is not None


def _is_over(step: Step) -> bool:
    """Whether nobody has to do this step any more; one that the CRM refused is still to be done."""
    return step.status in FINISHED and step.status is not StepStatus.FAILED


def _importance(contact: Contact) -> tuple[bool, int, str]:
    return not contact.primary, min((_ROLE_ORDER[role] for role in contact.roles), default=9), contact.id


def hangs_on_end(rules: Iterable[StepRule]) -> bool:
    """Whether any of these steps is dated by the contract's end."""
    moments = (moment for rule in rules for moment in (rule.release, rule.due, rule.not_before) if moment is not None)
    return any(moment.anchor is Anchor.CONTRACT_END for moment in moments)
