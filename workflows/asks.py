"""Tasks of our own that ask for what the deal lacks: the reason (P-04), the contract end (P-07), contacts (P-16).

Each is a step of the case beside those of its playbook, made at most once, and closed with a word of thanks when what
it asked for is there.
"""

from __future__ import annotations

from workflows.cases import Step, StepStatus
from workflows.dates import due_time, plausible, zone_or
from workflows.desk import Desk
from workflows.draft import UNOWNED
from workflows.people import Choice, choose
from workflows.said import Said
from workflows.texts import date_words, shorten
from workflows.wording import say
from workflows.writes import CreateTask, Priority

REASON = "_reason"
CONTRACT_END = "_contract_end"
CONTACTS = "_contacts"
ASKS = frozenset({REASON, CONTRACT_END, CONTACTS})
"""Keys of our own steps. No step of a playbook can have such a key."""


def ask(desk: Desk, key: str) -> bool:
    """Make the task that asks for this, once, for the deal's owner. False: there is nobody who could own it."""
    draft = desk.draft
    if key in draft.steps:
        return True
    choice = whom_to_ask(desk)
    if choice is None:
        draft.log("nobody active", Said("no active user can be asked; see the people in the settings"), step=key)
        draft.written.setdefault(f"{UNOWNED}{key}", draft.now.isoformat())
        return False
    draft.written.pop(f"{UNOWNED}{key}", None)
    task = ask_task(desk, key, choice)
    draft.writes.append(task)
    status = StepStatus.WRITING
    draft.put(Step(key=key, rule=key, status=status, due_at=task.due_at, owner_id=choice.user.id, why=choice.why))
    draft.log("asked", f"a task asks for {key[1:].replace('_', ' ')}", step=key)
    return True


def whom_to_ask(desk: Desk) -> Choice | None:
    """The deal's owner, or who is there in their place until the next business day; None when nobody is active."""
    return choose("deal_owner", desk.staff, days=(desk.today, desk.days.add_business_days(desk.today, 1)))


def answered(desk: Desk, key: str) -> None:
    """What this task asks for is there: close it with thanks, if it still stands."""
    desk.draft.written.pop(f"{UNOWNED}{key}", None)
    step = desk.draft.steps.get(key)
    if step is not None:
        desk.draft.close(step, say(f"close.{key[1:]}", desk.language))


def ask_task(desk: Desk, key: str, choice: Choice) -> CreateTask:
    """The task itself, due on the next business day."""
    draft, language = desk.draft, desk.language
    people = desk.people
    values = desk.values(None)
    company = values["company"]
    name = company["name"] if isinstance(company, dict) else ""
    tz = zone_or(choice.user.time_zone, desk.tz)
    due = due_time(desk.days.add_business_days(desk.today, 1), tz, desk.days, draft.now)
    words = say(f"ask{key.replace('_', '.', 1)}.body", language, company=name, **_details(desk, key))
    return CreateTask(
        key=draft.step_key(Step(key=key, rule=key)),
        deal_id=draft.case.deal_id,
        subject=shorten(say(f"ask{key.replace('_', '.', 1)}.title", language, company=name), 255),
        body=f"{words}\n\n{choice.why}",
        due_at=due,
        priority=Priority.HIGH,
        owner_id=choice.user.id,
        company_id=people.company.id if people.company is not None else None,
    )


def _details(desk: Desk, key: str) -> dict[str, str]:
    look, language = desk.draft.look, desk.language
    if key == REASON:
        wait = look.rules.reason_wait
        day = date_words((look.now + wait).astimezone(desk.tz).date(), desk.dates)
        return {"deadline": say("ask.reason.deadline", language, day=day) if wait else ""}
    if key == CONTRACT_END:
        seen = look.deal.contract_end
        odd = seen is not None and plausible(seen, desk.today) is None
        return {"seen": say("ask.contract_end.seen", language, day=seen.isoformat()) if odd and seen else ""}
    return {}
