"""From the steps of a playbook to owned tasks in words (P-14 … P-16); when they come says :mod:`workflows.timing`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import cast

from workflows.answers import scores
from workflows.baseline import frame_view
from workflows.cases import Step
from workflows.dates import remind_time
from workflows.door import TOUCH, door_values, news_of
from workflows.draft import Draft
from workflows.exit_rights import exit_view, rights_of
from workflows.inventory import is_group, item_views, items_of_group, owner_of_group
from workflows.learned import learned_view
from workflows.look import Links
from workflows.loop import handed_to
from workflows.people import Choice, Staff, choose, is_open_choice
from workflows.records import Contact, People, Role
from workflows.rounds import all_rules
from workflows.rules import Linked, LinkKind, Playbook, StepRule, Texts
from workflows.texts import BLANK, TextError, dated_as, holds, render, render_anyway, shorten, uses
from workflows.timing import StepDone, Timing, Waiting
from workflows.views import Contacts, case_view, company_view, contact_view, deal_view
from workflows.wording import say
from workflows.writes import CreateTask, TaskType

MAX_CONTACTS = 10
"""A per-contact step makes at most so many tasks: primary contact first, then by role, then by id."""
MAX_SUBJECT = 255
ASKING = frozenset({LinkKind.SURVEY, LinkKind.INTERVIEW, LinkKind.TEAM})
"""Pages that ask the questions of a questionnaire; a case has one inventory, one timeline, a page for each document."""
_SHOWS_TOUCH = re.compile(r"{{[^}]*\btouch\b")
_ROLE_ORDER = {Role.DECIDER: 0, Role.USER: 1, Role.INFLUENCER: 2, Role.COUNTERPART: 3, Role.OTHER: 4}


@dataclass(frozen=True)
class Wording:
    """Title and body of a task, its type, and the page address to keep in the task's link field."""

    title: str
    body: str
    type: TaskType
    link: str | None


class Desk(Timing):
    """Works out dates, owners and texts for the steps of one case. Make one for each decision.

    ``done`` tells when a step (rule key, contact id) was done; by default as the case's steps say.
    """

    def __init__(self, draft: Draft, links: Links, done: StepDone | None = None) -> None:
        super().__init__(draft, done)
        look = draft.look
        self.links = links
        self.people = look.people or People()
        self._contacts = _addressed(self.people.contacts)
        self.language = draft.case.language
        self.staff = Staff(
            deal=look.deal,
            company=self.people.company,
            rule=look.rules.people,
            users=look.users,
            load=look.load,
            language=self.dates,
            spoken=next((one.language for one in self._contacts if one.language), self.language),
            involved=look.involved or (),
            negotiating=frozenset().union(*(rule.negotiating for rule in look.rules.watch)),
            tz=self.tz,
        )
        self._values: dict[str, object] | None = None
        self._seen: dict[str | None, dict[str, object]] = {}
        self._choices: dict[tuple[object, ...], Choice | None] = {}

    # --- people -----------------------------------------------------------------------------------------------------

    def contacts(self) -> list[Contact]:
        """Whom per-contact steps address: each e-mail address once, the most important first."""
        return list(self._contacts)

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
            return self._chosen(rule.owner, None, None, days)
        return self._chosen(rule.owner, self._neutral_so_far(), self._handed(), days)

    def _chosen(self, owner: str, keep: str | None, handed: str | None, days: tuple[date, ...]) -> Choice | None:
        """As :func:`~workflows.people.choose`, once for all steps that ask the same."""
        asked = (owner, keep, handed, days)
        if asked not in self._choices:
            self._choices[asked] = choose(owner, self.staff, keep=keep, handed=handed, days=days)
        return self._choices[asked]

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
        ruled = ((step, self.rules.get(step.rule)) for step in self.draft.steps.values())
        return [step for step, rule in ruled if rule is not None and rule.owner == "neutral"]

    def _neutral_so_far(self) -> str | None:
        return next((step.owner_id for step in self._neutral_steps() if step.owner_id), None)

    def _handed(self) -> str | None:
        """Whom people gave such a task to last, where they did (P-7B)."""
        given = [handed_to(self.draft, step) for step in self._neutral_steps()]
        return next((user_id for user_id in reversed(given) if user_id), None)

    # --- words ------------------------------------------------------------------------------------------------------

    @property
    def dates(self) -> str:
        """The case's language as it is spoken in the account's country: days look as they do there."""
        return dated_as(self.language, self.draft.look.rules.calendar)

    def values(self, contact_id: str | None, **more: object) -> dict[str, object]:
        """What texts and conditions see. Without a contact of its own, a step sees the most important one."""
        if contact_id not in self._seen:
            self._seen[contact_id] = self._values_of(contact_id)
        return {**self._seen[contact_id], **more}

    def _values_of(self, contact_id: str | None) -> dict[str, object]:
        if self._values is None:
            look, case = self.draft.look, self.draft.case
            contacts = self.contacts()
            frame = frame_view(look.baseline, look.questionnaires, self.language)
            self._values = {
                "deal": deal_view(look.deal),
                "company": company_view(self.people.company, look.deal, self.language),
                "contacts": Contacts(contacts, self.language, frame["validates"]),
                "first": contact_view(contacts[0] if contacts else None, self.language),
                "case": {**case_view(case, self.tz), "dates": self.dates},
                "days_left": None if case.contract_end is None else (case.contract_end - self.today).days,
                **door_values(look, case, self.language),
                "frame": frame,
            }
        own = contact_id is not None and not is_group(contact_id)
        contact = contact_view(self.contact(contact_id), self.language) if own else self._values["first"]
        given = scores(self.draft.written, self.people, contact_id if own else None, self.draft.look.rules.low_score)
        self._values["case"] = {**cast("Mapping[str, object]", self._values["case"]), **given}
        return {**self._values, "contact": contact, **self._items(contact_id)}

    def _learned(self) -> Mapping[str, object]:
        """What the case has taught so far (P-42)."""
        look, case = self.draft.look, self.draft.case
        said = [answer for answer in look.answers if answer.case_id == case.id]
        return learned_view(self.draft.written, case.reason, said, look.questionnaires, self.people, self.language)

    def _items(self, group: str | None) -> dict[str, object]:
        """What texts see of the exit-rights clock, and a step for items of the inventory of these (P-22, P-2B)."""
        look = self.draft.look
        rights = rights_of(look.rules, look.deal, self.draft.written)
        seen: dict[str, object] = {"exit_rights": exit_view(self.draft.case, rights, self.tz)}
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
        self.staff = replace(self.staff, language=self.dates)
        self._choices.clear()
        self.rules = all_rules(playbook, self.draft.steps.values(), self.draft.look.rules)
        self.forget()

    def forget(self) -> None:
        """The case has changed: work out anew what texts see and when steps appear."""
        super().forget()
        self._values = None
        self._seen.clear()

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
        values = self.values(contact_id, link=link or "", why=why, news=news.text if news is not None else BLANK)
        values["neutral"] = self._is_neutral(rule, contact_id)
        if any(_shows_touch(text) for text in rule.body.values()):
            values[TOUCH] = self.touch_link(contact_id)
        if any(uses(text, "timeline") for text in (*rule.body.values(), *rule.call_body.values())):
            values["timeline"] = self.timeline()
        if any(uses(text, "learned") for text in _texts(rule)):
            values["learned"] = self._learned()
        title = self._text(rule.call_title if call and rule.call_title else rule.title, rule, values)
        body = self._text(rule.call_body if call and rule.call_body else rule.body, rule, values)
        if rule.per_contact and rule.link is LinkKind.SURVEY and rule.until is None:
            body += self._left_out()
        if link and link not in body and not call:
            body += "\n\n" + say("task.link", self.language, link=link)
        if why and why not in body:
            body += "\n\n" + why
        shown = link if not call else None  # the field is for whoever writes
        return Wording(shorten(title, MAX_SUBJECT), body.strip(), TaskType.CALL if call else rule.type, shown)

    def _left_out(self) -> str:
        """That some of a crowd are not asked (P-16): silence about it would pass for everybody having been heard."""
        more = len(self._contacts) - MAX_CONTACTS
        return "\n\n" + say("task.left_out", self.language, count=more, most=MAX_CONTACTS) if more > 0 else ""

    def _is_neutral(self, rule: StepRule, contact_id: str | None) -> bool:
        """Whether whoever gets the step was chosen as neutral, and is (P-10); drafts may say so only then."""
        choice = self.owner(rule, contact_id) if rule.owner == "neutral" else None
        return choice is not None and self.staff.is_neutral(choice.user)

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

    def agenda(self, rule: StepRule) -> str:
        """The step's own text for those who are invited to it: without what was said, which they are to read there."""
        nothing = {"said": "", "lookback": ""}
        return self._text(rule.body, rule, self.values(None, link=self.link(rule, None) or "", why="", learned=nothing))

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


def _texts(rule: StepRule) -> Iterator[str]:
    for texts in (rule.title, rule.body, rule.call_title, rule.call_body):
        yield from texts.values()


def _addressed(contacts: Iterable[Contact]) -> Sequence[Contact]:
    found: dict[str, Contact] = {}
    for contact in sorted(contacts, key=_importance):
        found.setdefault((contact.email or contact.id).casefold(), contact)
    return tuple(found.values())


def _importance(contact: Contact) -> tuple[bool, int, str]:
    return not contact.primary, min((_ROLE_ORDER[role] for role in contact.roles), default=9), contact.id
