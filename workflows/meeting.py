"""Calling people together for a meeting, such as the post-mortem (P-42).

Who is asked to hold it learns from their task who is invited, by name. Each of the invited learns of it by a light task
of their own in the CRM: the day, the agenda, who else comes, and the page for their own view. When the one who holds it
moves the day, the others' tasks follow, unless somebody gave theirs another date (P-7B); once it was held, what is left
of them closes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo

from workflows.cases import Step, StepStatus
from workflows.dates import closing, local_date, zone_or
from workflows.desk import MAX_SUBJECT, Desk
from workflows.draft import FINISHED, Draft
from workflows.loop import due_of, is_our_due, moving
from workflows.records import User
from workflows.rules import Department, LinkKind, StepRule
from workflows.texts import date_words, shorten
from workflows.wording import say
from workflows.writes import CreateTask, Priority, UpdateTask

INVITED = "invited"
"""The rule of the steps of those who are invited; their keys are ``invited.<meeting's step>.<user id>``."""
MOST_INVITED = 8
CALLED = "called:"
"""Name of what tells that people were called to a meeting, followed by the key of its step."""
MEETS = "meets:"
"""Name of the day on which someone invited was last told to come, followed by the key of their step."""


@dataclass(frozen=True)
class Invited:
    """Someone who is invited, and as what."""

    user: User
    part: str


def invited(desk: Desk, holder: str) -> list[Invited]:
    """Who is invited to a meeting that this user holds: a director, sales, and who worked on the account.

    Those who stand nearest to the deal come before others, and everybody once. Without somebody for sales in the
    settings, the deal's owner speaks for it. Only active users.
    """
    found: dict[str, Invited] = {}
    for user_id, part in _candidates(desk):
        user = desk.staff.active(user_id)
        if user is not None and user.id != holder and len(found) < MOST_INVITED:
            found.setdefault(user.id, Invited(user, part))
    return list(found.values())


def _candidates(desk: Desk) -> Iterator[tuple[str | None, str]]:
    rules, language, staff = desk.draft.look.rules, desk.language, desk.staff
    sales = rules.digest.owners.get(Department.SALES) if rules.digest is not None else None
    yield rules.people.director, say("meeting.director", language)
    yield (sales, say("meeting.sales", language)) if sales else (staff.deal.owner_id, say("meeting.seller", language))
    for user_id, tie in sorted(staff.ties.items(), key=lambda one: (-one[1].weight, one[0])):
        yield user_id, tie.words(desk.dates)
    for step in desk.draft.steps.values():
        if step.rule in desk.rules:
            yield step.owner_id, say("meeting.took_part", language)


def invitation(desk: Desk, holder: str) -> str:
    """What the task of the one who holds the meeting says of the invited."""
    language = desk.language
    lines = [f"- {one.user.name or one.user.email} ({one.part}), {one.user.email}" for one in invited(desk, holder)]
    if desk.staff.active(desk.draft.look.rules.people.director) is None:
        lines.append(say("meeting.no_director", language))
    return "\n".join([say("meeting.invited", language), *lines])


def call_together(desk: Desk) -> None:
    """Invite people to meetings whose task is there, follow a moved day, and close what is left once it was held."""
    draft = desk.draft
    for step in list(draft.steps.values()):
        rule = desk.rules.get(step.rule)
        if rule is None or not rule.meeting or step.status is StepStatus.WAITING:
            continue
        if step.status in FINISHED:
            for each in _invited_to(draft, step):
                if each.status in (StepStatus.OPEN, StepStatus.WRITING):
                    draft.close(each, say("meeting.over", desk.language))
        elif draft.once(f"{CALLED}{step.key}", "yes"):
            _invite(desk, step, rule)
        else:
            _follow_day(desk, step)


def _invited_to(draft: Draft, meeting: Step) -> list[Step]:
    """The steps of those who were invited to this meeting: a plan may have several."""
    return [step for step in draft.of_rule(INVITED) if step.key.rpartition(".")[0] == f"{INVITED}.{meeting.key}"]


def _invite(desk: Desk, meeting: Step, rule: StepRule) -> None:
    draft, day = desk.draft, _day(desk, meeting)
    for one in invited(desk, meeting.owner_id or "") if day is not None else ():
        key = f"{INVITED}.{meeting.key}.{one.user.id}"
        if day is None or key in draft.steps:
            continue
        made = Step(key=key, rule=INVITED, status=StepStatus.WRITING, owner_id=one.user.id, why=one.part)
        made = draft.put(made, due_at=closing(day, zone_or(one.user.time_zone, desk.tz)))
        draft.writes.append(_task(desk, made, one, meeting, rule, day))
        draft.written[f"{MEETS}{key}"] = day.isoformat()
        draft.log("released", f"due {day.isoformat()}", step=key, owner=one.user.id)


def _task(desk: Desk, step: Step, one: Invited, meeting: Step, rule: StepRule, day: date) -> CreateTask:
    draft, language, people = desk.draft, desk.language, desk.people
    company = desk.values(None)["company"]
    name = str(company["name"]) if isinstance(company, Mapping) else ""
    holder = draft.look.users.get(meeting.owner_id or "")
    words = {"company": name, "day": date_words(day, desk.dates), "holder": holder.name if holder is not None else ""}
    others = ", ".join(each.user.name for each in invited(desk, meeting.owner_id or "") if each.user.id != one.user.id)
    body = [say("meeting.body", language, **words, part=one.part)]
    if others:
        body.append(say("meeting.others", language, names=others))
    page = _own_page(desk, rule)
    if page:
        body.append(say("meeting.page", language, link=page))
    body.append(say("meeting.agenda", language) + "\n" + desk.agenda(rule))
    return CreateTask(
        key=draft.step_key(step),
        deal_id=draft.case.deal_id,
        subject=shorten(say("meeting.title", language, **words), MAX_SUBJECT),
        body="\n\n".join(body),
        due_at=closing(day, zone_or(one.user.time_zone, desk.tz)),
        priority=Priority.LOW,
        owner_id=one.user.id,
        company_id=people.company.id if people.company is not None else None,
    )


def _own_page(desk: Desk, meeting: StepRule) -> str:
    """The page on which each of our people answers by name, where the plan has one."""
    forms = desk.draft.look.questionnaires
    for rule in desk.rules.values():
        form = forms.get(rule.questionnaire or "")
        if rule.key != meeting.key and rule.link is LinkKind.TEAM and form is not None and form.each:
            return desk.link(rule, None) or ""
    return ""


def _day(desk: Desk, meeting: Step) -> date | None:
    """The day of the meeting, on the clock of who holds it, or as a person set it where a CRM has no due times."""
    due = due_of(desk.draft, meeting)
    if due is None:
        return None
    if f"due:{meeting.key}" in desk.draft.written and _is_whole_day(due, desk.tz):
        return due.date()
    holder = desk.draft.look.users.get(meeting.owner_id or "")
    return local_date(due, zone_or(holder.time_zone if holder else None, desk.tz))


def _is_whole_day(due: datetime, tz: tzinfo) -> bool:
    """Whether it names a day alone: a CRM without due times gives midnight in the account's zone.

    Midnight of the moment as it stands is not enough: at five in California it is midnight in UTC.
    """
    return due.time() == time() and due.astimezone(tz).time() == time()


def _follow_day(desk: Desk, meeting: Step) -> None:
    """The invited's tasks go along when the meeting's day was moved."""
    draft, day = desk.draft, _day(desk, meeting)
    for step in _invited_to(draft, meeting):
        mark = f"{MEETS}{step.key}"
        if day is None or step.status is not StepStatus.OPEN or draft.written.get(mark) == day.isoformat():
            continue
        state = draft.task(step)
        if state is None or step.task_id is None:
            continue
        draft.written[mark] = day.isoformat()
        user = draft.look.users.get(step.owner_id or "")
        due = closing(day, zone_or(user.time_zone if user is not None else None, desk.tz))
        ours = is_our_due(draft, step, state)
        key = f"{draft.step_key(step)}:due:{draft.number(f'due:{step.key}')}"
        note = say("meeting.moved", desk.language, day=date_words(day, desk.dates))
        draft.writes.append(
            UpdateTask(
                key=key, deal_id=draft.case.deal_id, task_id=step.task_id, due_at=due if ours else None, note=note
            )
        )
        if ours:
            if state.due_at is not None:
                draft.written[moving(step.key)] = state.due_at.isoformat()
            draft.put(step, due_at=due)
