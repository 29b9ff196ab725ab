"""The door stays open: what may follow once a customer has left, and what ends it (P-51 … P-56).

Lasting steps go on after the case is complete: a friendly word now and then, a call when the reason may no longer hold,
what was wished for and is there now, who works elsewhere. All of it heeds what each person chose on their own page:
news now and then, only what they asked for, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from workflows.cases import Case, News, NewsKind, Step, StepStatus
from workflows.dates import day_said
from workflows.draft import FINISHED, Draft
from workflows.figures import category
from workflows.heed import Heed
from workflows.key_figures import key_figures, present_figures
from workflows.look import Look
from workflows.permission import Agreed, Permission, Purpose, is_looked_for, place, standing, write_basis
from workflows.questions import Answer, QuestionType
from workflows.records import Contact, Model, RecordKind, Ref
from workflows.returning import close_door, reopen_door
from workflows.rounds import NEWS_ANCHORS, mark_of, next_budget_year, nth
from workflows.rules import Anchor, CaseKind, DoorRules, LinkKind, Moment, StepRule
from workflows.texts import shorten
from workflows.writes import DocumentKind

TOUCH = "touch"
"""The name under which what people chose on their page is kept, as if it were a questionnaire (P-51)."""
CONTENT = 9
"""Who gives this score or more leaves content (P-54)."""
NEVER_AGAIN = frozenset({"our_decision", "merger_closure"})
"""Reasons after which nobody is asked to come back, unless they named a day themselves (P-56)."""
_AFTER: Mapping[str, int | None] = {
    "new_leadership": 365,
    "results": 365,
    "relationship": 365,
    "other_supplier": 330,
    "product_gap": None,
}
_ROOM_BEFORE_BUDGET = timedelta(days=60)
_MAX_SAID = 1500
_UNHAPPY = frozenset({"results", "relationship"}) | NEVER_AGAIN
_NURTURE = "_nurture:"
_OPTED_OUT = "_opted_out:"
_SEEN_AGAIN = timedelta(days=7)
_PAGES = (LinkKind.SURVEY, LinkKind.INTERVIEW)


class Hear(StrEnum):
    """What a former customer wants to hear. ASKED: only that what they asked for is there."""

    NEWS = "news"
    ASKED = "asked"
    NOTHING = "nothing"


class Chosen(Model):
    """What one person chose. ``until`` ends NEWS; ``again`` is the day on which they want to be asked again."""

    contact_id: str | None
    hear: Hear | None = None
    until: date | None = None
    again: date | None = None


# --- what people said -----------------------------------------------------------------------------------------------


def chosen(case: Case, look: Look) -> dict[str, Chosen]:
    """What counts for each contact, by contact id; who chose nothing is absent.

    That is what they chose last on their own page, or else what a colleague noted that they said (P-55).
    """
    if not look.answers:
        return {}
    found = _chosen_themselves(case, look.answers)
    told, peace = standing(look, case)
    said = {
        contact_id: Chosen(contact_id=contact_id, hear=_told(one), until=one.until) for contact_id, one in told.items()
    }
    if peace:
        left = dict.fromkeys(case.contact_ids, Hear.NOTHING)
        said = {contact_id: Chosen(contact_id=contact_id, hear=hear) for contact_id, hear in left.items()} | said
    for contact_id, one in said.items():
        own = found.get(contact_id)
        if own is None or own.hear is None:
            found[contact_id] = one.model_copy(update={"again": own.again if own is not None else None})
    return found


def _told(said: Permission) -> Hear | None:
    """What a permission comes to, in the words of a person's own page."""
    if said.agreed is Agreed.REFUSED:
        return Hear.NOTHING
    return Hear.ASKED if said.purposes == (Purpose.WISHES,) else Hear.NEWS


def _chosen_themselves(case: Case, answers: Iterable[Answer]) -> dict[str, Chosen]:
    found: dict[str, Chosen] = {}
    for answer in sorted(answers, key=lambda one: one.at):
        mine = answer.case_id == case.id or answer.at > case.opened_at  # by the page of a former case of this deal
        if mine and answer.questionnaire == TOUCH and answer.contact_id:
            found[answer.contact_id] = Chosen(
                contact_id=answer.contact_id,
                hear=_hear(answer.values.get("hear")),
                until=day_said(answer.values.get("until")),
                again=day_said(answer.values.get("again")),
            )
    return found


def _hear(value: object) -> Hear | None:
    return Hear(value) if isinstance(value, str) and value in tuple(Hear) else None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the answers of a case come to: reasons (the customer's first), scores by contact, and words."""

    reasons: tuple[str, ...] = ()
    scores: Mapping[str, int] = field(default_factory=dict)
    words: tuple[str, ...] = ()


def heard(look: Look, case: Case) -> Heard:
    """From the customer's and the interviewer's answers, and the reason on the deal."""
    told = (category(case.reason),) if case.reason else ()
    if not look.answers:
        return Heard(reasons=told)
    by_customer: list[str] = []
    by_us: list[str] = []
    scores: dict[str, int] = {}
    words: list[str] = []
    for answer in sorted(look.answers, key=lambda one: one.at, reverse=True):
        asked = look.questionnaires.get(answer.questionnaire)
        if answer.case_id != case.id or asked is None or asked.kind not in _PAGES:
            continue
        for question in asked.questions():
            value = answer.values.get(question.key)
            if question.field in ("exit_reason", "exit_reason_interview") and isinstance(value, str):
                (by_customer if answer.by == "customer" else by_us).append(category(value))
            elif question.field == "exit_score" and isinstance(value, int) and answer.by == "customer":
                scores.setdefault(answer.contact_id or "", value)
            elif question.type is QuestionType.TEXT and isinstance(value, str) and answer.by == "customer":
                words.append(value)
    return Heard(reasons=(*by_customer, *by_us, *told), scores=scores, words=tuple(words))


def left_content(said: Heard, low_score: int) -> bool:
    """Whether this customer leaves content: a high score, nobody unhappy, no bad reason (P-54)."""
    scores = said.scores.values()
    return max(scores, default=0) >= CONTENT and min(scores) > low_score and _UNHAPPY.isdisjoint(said.reasons)


def door_values(look: Look, case: Case, language: str) -> dict[str, object]:
    """What conditions and texts of lasting steps see besides: ``content``, ``results`` and ``said``.

    ``results`` names the key figures that rose since the start, as far as that was read (P-24).
    """
    said = heard(look, case)
    noted = look.baseline.figures if look.baseline is not None else {}
    start = dict(look.started_with or {}) | {name: figure.value for name, figure in noted.items()}
    now, called = present_figures(look.deal, look.people), look.rules.figure_names
    return {
        "content": left_content(said, look.rules.low_score),
        "results": [one.label for one in key_figures(look.rules.figures, now, start, language, called) if one.rose],
        "said": "\n\n".join(shorten(words, _MAX_SAID) for words in said.words[:3]),
    }


# --- when the reason may no longer hold (P-56) ----------------------------------------------------------------------


def win_back_day(look: Look, case: Case, today: date) -> date | None:
    """The day on which to ask again: the one that the customer named, or one by their reason; None: no such day."""
    named = [one.again for one in chosen(case, look).values() if one.again is not None]
    if named:
        return min((day for day in named if day >= today), default=max(named))
    reasons = heard(look, case).reasons or ("unknown",)
    if reasons[0] in NEVER_AGAIN:
        return None
    return _by_reason(reasons[0], case.contract_end or (case.confirmed_at or look.now).date(), look.rules.door)


def _by_reason(reason: str, end: date, rules: DoorRules) -> date | None:
    if reason in rules.after or (reason in _AFTER and reason != "budget"):
        days = rules.after.get(reason, _AFTER.get(reason))
    elif reason == "budget":
        return next_budget_year(end + _ROOM_BEFORE_BUDGET, rules.budget_year)
    else:
        days = rules.after_others
    return None if days is None else end + timedelta(days=days)


# --- to whom --------------------------------------------------------------------------------------------------------


def is_addressed(rule: StepRule) -> bool:
    """Whether a lasting step is about one person, who must not have asked to be left in peace."""
    anchored = rule.release.anchor in (Anchor.WIN_BACK, *NEWS_ANCHORS)
    return rule.lasting and (anchored or rule.link is LinkKind.TOUCH or rule.document is DocumentKind.CASE_STUDY)


def addressee(look: Look, case: Case, rule: StepRule, contacts: list[Contact], own: str | None) -> Contact | None:
    """Whom a lasting step is for: its own contact, or the first fitting one; None when nobody may be approached.

    Nobody is approached who opted out in the CRM or chose to hear nothing, except on the day that they named. Who only
    wants to hear of what they asked for gets no friendly word in between.
    """
    choices = chosen(case, look)
    fitting = [one for one in contacts if may_be_approached(one, choices.get(one.id), rule)]
    if own is not None:
        return next((one for one in fitting if one.id == own), None)
    if rule.release.anchor is Anchor.WIN_BACK:
        fitting.sort(key=lambda one: not (one.id in choices and choices[one.id].again))
    if rule.document is DocumentKind.CASE_STUDY:
        scores = heard(look, case).scores
        fitting.sort(key=lambda one: -scores.get(one.id, 0))
    return fitting[0] if fitting else None


def may_be_approached(contact: Contact, choice: Chosen | None, rule: StepRule) -> bool:
    """Whether this step may be about this person."""
    if choice is not None and choice.again is not None and rule.release.anchor is Anchor.WIN_BACK:
        return True
    return not contact.opted_out and (choice is None or not is_unwanted(choice, rule))


def is_unwanted(choice: Chosen, rule: StepRule) -> bool:
    """Whether what a person chose speaks against this step."""
    if rule.release.anchor is Anchor.WIN_BACK and choice.again is not None:
        return False
    if choice.hear is Hear.ASKED:
        return rule.release.anchor is not Anchor.WISH
    return choice.hear is Hear.NOTHING


# --- rounds, news, and the end of it --------------------------------------------------------------------------------


def open_door(draft: Draft, rules: dict[str, StepRule], tz: ZoneInfo, ends: Callable[[StepRule], date | None]) -> None:
    """Add the steps that come again, and those that news calls for; end what people no longer want.

    ``rules`` are those of all steps, and takes up new ones. ``ends`` says until when a step may come again.
    """
    lasting = [rule for rule in rules.values() if rule.lasting and not mark_of(rule.key)]
    if draft.case.kind is not CaseKind.OFFBOARDING:
        return
    place(draft)
    if not lasting:
        _write_choices(draft, tz)
        return
    back = next((news for news in draft.look.news if news.kind is NewsKind.RETURNED), None)
    if back is not None:
        close_door(draft, rules, "returned", back.id)
        return
    reopen_door(draft)
    _heed_choices(draft, rules)
    _heed_opt_outs(draft, rules)
    for rule in lasting:
        if rule.release.anchor in NEWS_ANCHORS:
            _add_news(draft, rules, rule)
        elif rule.repeat is not None or rule.release.anchor is Anchor.WIN_BACK:
            _add_round(draft, rules, rule, ends(rule), tz)
    _write_choices(draft, tz)


def _heed_choices(draft: Draft, rules: Mapping[str, StepRule]) -> None:
    """Close open tasks about people who chose not to be approached in that way."""
    choices = chosen(draft.case, draft.look)
    if not choices:
        return
    for step in list(draft.steps.values()):
        rule, choice = rules.get(step.rule), choices.get(step.contact_id or "")
        if rule is None or not is_addressed(rule) or choice is None or not is_unwanted(choice, rule):
            continue
        if step.status in (StepStatus.OPEN, StepStatus.WRITING):
            draft.close(step, _note(choice.hear or Hear.NOTHING, draft.case.language))


def _heed_opt_outs(draft: Draft, rules: Mapping[str, StepRule]) -> None:
    """Close open tasks about people who opted out in the CRM since; they are read again once a day for it."""
    for step in draft.with_task():
        rule = rules.get(step.rule)
        if rule is None or not is_addressed(rule) or step.contact_id is None:
            continue
        draft.read_people_daily()
        people = draft.look.people.contacts if draft.look.people is not None else ()
        contacts = [one for one in people if one.id == step.contact_id and one.opted_out]
        if contacts and addressee(draft.look, draft.case, rule, contacts, step.contact_id) is None:
            draft.close(step, _note("opted_out", draft.case.language))


def _add_news(draft: Draft, rules: dict[str, StepRule], rule: StepRule) -> None:
    """One step for each piece of news that this rule is about, once."""
    kind = NEWS_ANCHORS[rule.release.anchor]
    for news in draft.look.news:
        made = nth(rule, news.id)
        if news.kind is kind and not draft.of_rule(made.key):
            rules[made.key] = made
            key = f"{made.key}@{news.contact_id}" if news.contact_id else made.key
            draft.put(Step(key=key, rule=made.key, contact_id=news.contact_id))


def _add_round(draft: Draft, rules: dict[str, StepRule], rule: StepRule, end: date | None, tz: ZoneInfo) -> None:
    """The next round of a step, once the last one is done, unless that would be too late or nobody wants it."""
    rounds, number = draft.of_rule(rule.key), 1
    while further := draft.of_rule(f"{rule.key}.{number + 1}"):
        rounds, number = further, number + 1
    last = next(iter(rounds), None)
    if last is None or last.status not in FINISHED:
        return
    wanted = _named_anew(draft, last, tz) if rule.repeat is None else _comes_again(draft, rule, last, end, tz)
    if wanted:
        made = nth(rule, str(number + 1))
        rules[made.key] = made
        draft.put(Step(key=made.key, rule=made.key))


def _comes_again(draft: Draft, rule: StepRule, last: Step, end: date | None, tz: ZoneInfo) -> bool:
    """Whether a step that repeats comes again: within its time and that of the person who got the last word (P-51)."""
    if rule.repeat is None or last.status is not StepStatus.DONE or last.completed_at is None:
        return False
    day = (last.completed_at + timedelta(days=rule.repeat.days)).astimezone(tz).date()
    choice = chosen(draft.case, draft.look).get(last.contact_id or "")
    if choice is not None and (is_unwanted(choice, rule) or (choice.until is not None and day > choice.until)):
        return False
    return end is None or day <= end


def _named_anew(draft: Draft, last: Step, tz: ZoneInfo) -> bool:
    """Whether the customer named a day to be asked again that has not led to a task yet (P-56)."""
    days = [one.again for one in chosen(draft.case, draft.look).values() if one.again is not None]
    if not days or draft.written.get(f"again:{max(days)}") is not None:
        return False
    since = last.completed_at or last.due_at
    if since is not None and max(days) <= since.astimezone(tz).date():
        return False
    draft.written[f"again:{max(days)}"] = last.key
    return True


def _write_choices(draft: Draft, tz: ZoneInfo) -> None:
    """Marketing's fields follow what people chose, and end when they said or once they opt out in the CRM (P-55)."""
    today = draft.now.astimezone(tz).date()
    choices = chosen(draft.case, draft.look)
    until = {key: one.until for key, one in choices.items() if one.hear is Hear.NEWS and one.until is not None}
    until = {contact_id: day for contact_id, day in until.items() if day >= today}
    agreed = {name.removeprefix(_NURTURE) for name in draft.written if name.startswith(_NURTURE)}
    wanted: dict[str, date | None] = {}
    opted_out = _opted_out(draft, until.keys(), agreed)
    for contact_id in sorted(choices.keys() | (agreed & set(draft.case.contact_ids))):  # an answer may be gone by now
        wanted[contact_id] = until.get(contact_id) if contact_id not in opted_out else None
        values = {"nurture": wanted[contact_id] is not None, "nurture_until": wanted[contact_id]}
        if wanted[contact_id] is not None or contact_id in agreed:
            person = Ref(kind=RecordKind.CONTACT, id=contact_id)
            draft.fields(f"{_NURTURE}{contact_id}", person, values)
            write_basis(draft, person, contact_id if wanted[contact_id] is not None else None)
    if draft.case.company_id is not None:
        days = {day: contact_id for contact_id, day in wanted.items() if day is not None}
        if days or "_nurture" in draft.written:
            company = Ref(kind=RecordKind.COMPANY, id=draft.case.company_id)
            last = max(days, default=None)
            draft.fields("_nurture", company, {"nurture": bool(days), "nurture_until": last})
            write_basis(draft, company, days[last] if last is not None else None)


def _opted_out(draft: Draft, willing: Collection[str], known: Collection[str]) -> set[str]:
    """Who of the willing opted out in the CRM. They are read before anything is set, and then once a day at most."""
    marked = {name.removeprefix(_OPTED_OUT) for name in draft.written if name.startswith(_OPTED_OUT)}
    people = draft.look.people
    if willing:
        draft.read_people_daily()
        draft.needs_people |= people is None and not set(willing) <= {*marked, *known}
    for contact in people.contacts if people is not None else ():
        if contact.id in willing and contact.opted_out:
            draft.written[f"{_OPTED_OUT}{contact.id}"] = "seen"
            marked.add(contact.id)
        elif draft.written.pop(f"{_OPTED_OUT}{contact.id}", None) is not None:
            marked.discard(contact.id)
    return marked


def write_win_back(draft: Draft, day: date | None) -> None:
    """Deal and company show when to ask again, once it is known (P-56)."""
    if day is None and "_win_back" not in draft.written:
        return
    targets = {"_win_back": Ref(kind=RecordKind.DEAL, id=draft.case.deal_id)}
    if draft.case.company_id is not None:
        targets["_win_back:company"] = Ref(kind=RecordKind.COMPANY, id=draft.case.company_id)
    before = {
        target: draft.written.get(name, "").removeprefix(f"{target.id}|win_back_on=")
        for name, target in targets.items()
    }
    heed = Heed(draft, unknown_stays=True, undigested=before).settle
    for name, target in targets.items():
        draft.fields(name, target, {"win_back_on": day}, heed)


def next_change(look: Look, case: Case, tz: ZoneInfo) -> datetime | None:
    """The next morning on which an agreement to hear from us has run out (P-55), or is to be seen to.

    That is weekly while one stands, for an opt-out in the CRM, or waits for its contact to be added to the deal.
    """
    days = [one.until for one in chosen(case, look).values() if one.hear is Hear.NEWS and one.until is not None]
    mornings = [datetime.combine(day + timedelta(days=1), time(9), tz) for day in days]
    ahead = [morning for morning in mornings if morning > look.now]
    if ahead or is_looked_for(look, case):
        ahead.append(datetime.combine(look.now.astimezone(tz).date() + _SEEN_AGAIN, time(9), tz))
    return min(ahead, default=None)


def news_of(look: Look, moment: Moment) -> News | None:
    """The piece of news that a step hangs on."""
    kind = NEWS_ANCHORS.get(moment.anchor)
    return next((one for one in look.news if one.kind is kind and one.id == moment.step), None)


# --- words ----------------------------------------------------------------------------------------------------------

_NOTES: Mapping[str, Mapping[str, str]] = {
    "opted_out": {
        "en": "They have opted out of messages in the CRM. Please leave them in peace.",
        "fr": "Cette personne s’est désinscrite dans le CRM. Merci de respecter son choix.",
    },
    Hear.NOTHING: {
        "en": "They asked not to hear from us any more. Please leave them in peace.",
        "fr": "Cette personne ne souhaite plus recevoir de nos nouvelles. Merci de respecter son choix.",
    },
    Hear.ASKED: {
        "en": "They only want to hear from us when something that they asked for is there.",
        "fr": "Cette personne souhaite seulement apprendre que ce qu’elle avait demandé est disponible.",
    },
}


def _note(key: str, language: str) -> str:
    return _NOTES[key].get(language[:2].lower(), _NOTES[key]["en"])
