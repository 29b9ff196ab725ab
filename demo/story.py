"""The story of a whole goodbye, on both CRMs side by side.

Negotiation → not renewing → settle → reason → people → weeks of handing over → the end → survey → what is learned →
a month later → years of an open door → the way back, where the next relation begins.
"""

from __future__ import annotations

import html
import re
import tempfile
import textwrap
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from connector.figures import gather
from connector.store import agenda, cases, intents
from connector.store.tables import IntentRow
from demo.stage import Crm, Stage, raised
from sandbox.pages import RecordView
from workflows.cases import Case, CaseStatus, StepStatus
from workflows.dates import zone
from workflows.fields import DEGREE_OPTIONS, REASON_OPTIONS, FieldSpec, FieldType, named_in
from workflows.records import RecordKind
from workflows.rules import CaseKind, LinkKind

console = Console(width=110)

ANSWERS = {
    "recommend": "8",
    "reason": "budget",
    "avoidable": "no",
    "missing": "A smaller plan for teams like ours would have kept us.",
}


WAITS = {CaseStatus.SETTLING: "settling", CaseStatus.AWAITING_REASON: "waiting for its reason"}
DOOR = {"stay-in-touch": "a friendly word now and then", "win-back": "a call when the reason may no longer hold"}


def tell(*, wait: bool) -> int:
    """Tell the story; with ``wait`` pause between chapters, and stay at the end so that the pages can be looked at."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aurevoir-demo-") as folder, raised(Path(folder)) as stage:
        _open(stage, wait=wait)
        for number, (title, chapter) in enumerate(CHAPTERS, 1):
            console.rule(f"[bold]{number}. {title}[/]", align="left")
            for crm in stage.crms:
                crm.sandbox.ledger.reset()
            chapter(stage)
            for crm in stage.crms:
                crm.calls[title] = crm.sandbox.ledger.count()
            console.print(f"  [dim]By now it is {stage.clock.now():%a %d %b %Y %H:%M}.[/]")
            if wait:
                console.input("[dim]press Enter for the next chapter [/]")
        told = _close(stage, time.monotonic() - began, wait=wait)
        if wait:
            console.print("The pages stay up until you press Ctrl-C.")
            try:
                while True:
                    time.sleep(1)
            except KeyboardInterrupt:
                console.print("Au revoir.")
    return told


def _open(stage: Stage, *, wait: bool) -> None:
    served = "Watch, in a browser:" if wait else "Served while it runs:"
    console.print(f"[bold]Aurevoir[/], on look-alikes of both CRMs. {served}")
    for crm in stage.crms:
        console.print(f"  {crm.label:<11} {crm.deal_url}?watch=1   (all deals: {crm.server.url}/)")
    console.print(f"  connector   {stage.address}/readyz")
    console.print(f"  [dim]It is {stage.clock.now():%a %d %b %Y %H:%M}.[/]")


# --- chapters -------------------------------------------------------------------------------------------------------


def negotiation(stage: Stage) -> None:
    """A customer who may leave is in negotiation: a plan to keep them, and no goodbye."""
    for crm in stage.crms:
        crm.pages.set_stage(crm.deal_id, crm.early_stage)
    stage.advance(timedelta(minutes=5))
    _move(stage, lambda crm: crm.talks_stage)
    stage.advance(timedelta(hours=24, minutes=5))
    for crm in stage.crms:
        case = _case(stage, crm)
        record = crm.pages.record("deals", crm.deal_id)
        console.print(f"  {crm.label}: [bold]{record.title}[/] is in negotiation. A {case.kind.value} plan runs:")
        _show_tasks(crm)
        _expect(case.kind is CaseKind.SAVE, "a hint is not an ending")


def not_renewing(stage: Stage) -> None:
    """The deal is moved in the CRM; a webhook tells us; the stage has to hold for a day."""
    _move(stage, lambda crm: crm.lost_stage)
    for crm in stage.crms:
        case = _case(stage, crm)
        _expect(case.kind is CaseKind.OFFBOARDING, "now it is an ending")
        console.print(f"  {crm.label}: the webhook arrived; the case is [bold]{_status(case)}[/], no task yet.")
        _expect(all(task.done for task in crm.tasks()), "the plan to keep them is folded up, nothing before it holds")


def settled(stage: Stage) -> None:
    """A day later the plan appears; where the reason is missing, one task asks for it first."""
    stage.advance(timedelta(hours=24, minutes=5))
    for crm in stage.crms:
        console.print(f"  {crm.label}: the case is [bold]{_status(_case(stage, crm))}[/].")
        _show_tasks(crm)


def reason(stage: Stage) -> None:
    """Someone fills in the reason where it was missing: the plan starts."""
    asked = [crm for crm in stage.crms if _case(stage, crm).status.value == "awaiting_reason"]
    for crm in asked:
        crm.pages.set_fields("deals", crm.deal_id, {crm.reason_field: "Price"})
    for account in {crm.account for crm in asked}:
        stage.runtime.rounds[account].run(poll=True)
    stage.settle()
    for crm in asked:
        console.print(f"  {crm.label}: the reason is there; the case is [bold]{_status(_case(stage, crm))}[/].")
        _show_tasks(crm)
    _expect(all(_case(stage, crm).status.value == "active" for crm in stage.crms), "both plans run")


def people(stage: Stage) -> None:
    """Who hears the customer out, and why; their own page with the plan; what is theirs, as a list."""
    live_until(stage, lambda: all(_pages(stage, crm, LinkKind.INVENTORY) for crm in stage.crms))
    for crm in stage.crms:
        neutral = [step.why for step in _case(stage, crm).steps if step.rule == "interview" and step.why]
        why = [step.why for step in _case(stage, crm).steps if step.why]
        console.print(f"  {crm.label}: {(neutral or why)[0]}", markup=False)
        inventory = _pages(stage, crm, LinkKind.INVENTORY)[0]
        shown = requests.get(inventory, timeout=10)
        console.print(f"    the list of what is theirs: {inventory}")
        _expect(shown.status_code == 200, "the list opens without a login")


def weeks(stage: Stage) -> None:
    """People do their tasks on the day they are due; new ones appear as their time comes."""
    ends = [end for crm in stage.crms if (end := _case(stage, crm).contract_end) is not None]
    last = max(ends)
    live_until(stage, lambda: stage.clock.now().date() > last + timedelta(days=1))
    for crm in stage.crms:
        done = sum(task.done for task in crm.tasks())
        console.print(f"  {crm.label}: {done} tasks done; the contract ended on {_case(stage, crm).contract_end}.")
        for name in _documents(stage, crm):
            console.print(f"    attached to the deal: {name}", markup=False)
        for page in _pages(stage, crm, LinkKind.TIMELINE)[:1]:
            console.print(f"    the customer's page with the plan: {page}")


def survey(stage: Stage) -> None:
    """The end is effective: only now the survey goes out. A mail scanner opens it first; then the customer answers."""
    live_until(stage, lambda: all(links(crm) for crm in stage.crms))
    for crm in stage.crms:
        link = next(one for one in links(crm) if 'name="reason"' in requests.get(one, timeout=10).text)
        page, crm.survey = requests.get(link, timeout=10), link
        console.print(f"  {crm.label}: survey page {link}")
        _expect(page.status_code == 200 and not _answered(stage, crm), "opening a link records nothing")
        seal = re.search(r'name="form-seal" value="([^"]+)"', page.text)
        sent = requests.post(link, data={**ANSWERS, "form-seal": seal[1] if seal else ""}, timeout=10)
        _expect(sent.status_code == 200, f"the answer is taken (status {sent.status_code})")
    stage.settle()
    for crm in stage.crms:
        _show_feedback(stage, crm)


def a_month_later(stage: Stage) -> None:
    """A month after the end: was the leaving all right?"""
    until = stage.clock.now() + timedelta(days=35)
    live_until(stage, lambda: stage.clock.now() >= until)
    for crm in stage.crms:
        newest = crm.tasks()[-1] if crm.tasks() else None
        case = _case(stage, crm)
        open_steps = sum(step.status is StepStatus.WAITING for step in case.steps)
        console.print(f"  {crm.label}: case [bold]{_status(case)}[/], {open_steps} steps still to come.")
        if newest is not None:
            console.print(f"    last task: {newest.subject}")


def learning(stage: Stage) -> None:
    """What leavers say reaches the departments that it concerns, as tasks in the CRM; figures for everybody."""
    for crm in stage.crms:
        told = [task.subject for task in crm.tasks() if _is_digest(stage, crm, task.subject)]
        account = stage.runtime.accounts[crm.account]
        with stage.runtime.store.read() as session:
            tz = zone(account.config.time_zone)
            found = gather(session, crm.account, stage.runtime.library.questionnaires, stage.clock.now(), tz)
        named = {option.value: option.text["en"] for option in REASON_OPTIONS}
        reasons = ", ".join(sorted({named.get(line.reason, line.reason) for line in found.reasons}))
        console.print(f"  {crm.label}: {found.offboardings} goodbye, reasons told: {reasons}; digests: {len(told)}.")
        for subject in told[:2]:
            console.print(f"    {subject}", markup=False)


def the_door(stage: Stage) -> None:
    """Months later: a friendly word, until they choose on their own page what they want to hear; a call in time."""
    live_until(stage, lambda: all(_pages(stage, crm, LinkKind.TOUCH) for crm in stage.crms))
    live_until(stage, lambda: all(_case(stage, crm).status.value == "completed" for crm in stage.crms))
    until = stage.clock.now() + timedelta(days=30)
    live_until(stage, lambda: stage.clock.now() >= until)
    for crm in stage.crms:
        page = _pages(stage, crm, LinkKind.TOUCH)[0]
        _send(page, hear="asked", again=None)
        rules = {step.rule.partition(".")[0] for step in _case(stage, crm).steps}
        door = " and ".join(words for rule, words in DOOR.items() if rule in rules)
        console.print(f"  {crm.label}: the case is [bold]{_status(_case(stage, crm))}[/], the door open: {door}.")
        console.print(f"    the former customer chose what to hear: {page}")
    stage.settle()


def back_again(stage: Stage) -> None:
    """They come back: the deal is renewed after all; the return is credited, and the next relation begins."""
    _move(stage, lambda crm: crm.won_stage)
    stage.advance(timedelta(hours=24, minutes=5))
    for crm in stage.crms:
        case = _case(stage, crm)
        _expect(case.kind is CaseKind.BASELINE, "the next relation begins with a baseline")
        record = crm.pages.record("deals", crm.deal_id)
        back = _filled(stage, crm, record, RecordKind.DEAL, "returned")
        console.print(f"  {crm.label}: {', '.join(back)}. A {case.kind.value} plan begins:")
        _show_tasks(crm)


CHAPTERS: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    ("Negotiation", negotiation),
    ("Not renewing", not_renewing),
    ("The stage has held for a day", settled),
    ("The reason is confirmed", reason),
    ("Who does what, and why", people),
    ("The weeks until the contract ends", weeks),
    ("The survey", survey),
    ("One month later", a_month_later),
    ("What the company learns", learning),
    ("The door stays open", the_door),
    ("Back again", back_again),
)


# --- how time passes ------------------------------------------------------------------------------------------------


def live_until(stage: Stage, over: Callable[[], bool]) -> None:
    """Go from one moment at which something happens to the next; people do their tasks when they are due."""
    for _ in range(400):
        if over():
            return
        stage.advance(max(_next_moment(stage) - stage.clock.now(), timedelta(minutes=1)))
        for crm in stage.crms:
            for task in crm.tasks():
                if not task.done and task.overdue:
                    crm.pages.set_done(task.id, True)
    raise TimeoutError("the story does not go on")


def _next_moment(stage: Stage) -> datetime:
    """The next look or the next due task, but a week at the most."""
    now = stage.clock.now()
    within = now + timedelta(days=7)
    with stage.runtime.store.read() as session:
        looks = [row.due_at for name in stage.runtime.accounts for row in agenda.due(session, name, within, 1000)]
    due = [
        step.due_at
        for crm in stage.crms
        for step in _case(stage, crm).steps
        if step.status is StepStatus.OPEN and step.due_at is not None
    ]
    return min((moment for moment in [*looks, *due, within] if moment > now), default=within)


def _move(stage: Stage, where: Callable[[Crm], str]) -> None:
    """People move the deals; webhooks tell of it, and where a look-alike's flow stays silent, the next poll does."""
    for crm in stage.crms:
        crm.pages.set_stage(crm.deal_id, where(crm))
    stage.settle()
    for crm in stage.crms:
        stage.runtime.rounds[crm.account].run(poll=True)
    stage.settle()


# --- what is shown --------------------------------------------------------------------------------------------------


def _show_tasks(crm: Crm) -> None:
    table = Table("    task", "who", "due", show_edge=False, box=None, header_style="dim")
    for task in crm.tasks():
        if not task.done:
            table.add_row(f"    {task.subject}", task.owner, task.due)
    console.print(table)


def _show_feedback(stage: Stage, crm: Crm) -> None:
    case = _case(stage, crm)
    for contact in case.contact_ids:
        record = crm.pages.record("contacts", contact)
        exits = _filled(stage, crm, record, RecordKind.CONTACT)
        if exits:
            console.print(f"  {crm.label}: on contact [bold]{record.title}[/] now:")
            for line in exits:
                console.print(f"    {line}", markup=False)
            return
    raise AssertionError(f"no feedback on a contact in {crm.label}")


def _close(stage: Stage, seconds: float, *, wait: bool) -> int:
    console.rule("[bold]What happened[/]", align="left")
    table = Table("", *(crm.label for crm in stage.crms), box=None, header_style="bold")
    rows: list[tuple[str, Callable[[Crm], object]]] = [
        ("case", lambda crm: _status(_case(stage, crm))),
        ("playbook", lambda crm: f"{_case(stage, crm).playbook} {_case(stage, crm).playbook_version}"),
        ("tasks made", lambda crm: len(crm.tasks())),
        ("tasks done", lambda crm: sum(task.done for task in crm.tasks())),
        ("notes", lambda crm: len(crm.pages.record("deals", crm.deal_id).notes)),
        *((f"calls: {title.lower()}", lambda crm, title=title: crm.calls[title]) for title, _ in CHAPTERS),  # type: ignore[misc]
    ]
    for name, of in rows:
        table.add_row(name, *(str(of(crm)) for crm in stage.crms))
    console.print(table)
    console.print("[dim]Calls include polling and the daily comparison over all these weeks.[/]")
    gone = "These were served while it ran; run `make demo` in a terminal to look at them yourself:"
    console.print("Pages to look at:" if wait else gone)
    for crm in stage.crms:
        console.print(f"  the deal in {crm.label}: {crm.deal_url}")
        console.print(f"  its survey, which now says “{_heading(crm.survey)}”: {crm.survey}")
    console.print(f"Told in {seconds:.0f} s.")
    return 0


def _case(stage: Stage, crm: Crm) -> Case:
    case = stage.case(crm)
    if case is None:
        raise AssertionError(f"no case in {crm.label}")
    return case


def links(crm: Crm) -> list[str]:
    """Addresses of survey pages in the tasks, each once."""
    bodies = "\n".join(str(task.body) for task in crm.tasks())
    return list(dict.fromkeys(re.findall(r"http://127\.0\.0\.1:\d+/s/[\w.-]+", bodies)))


def _heading(page: str) -> str:
    """What an address of ours shows: whoever follows it shall find what was said of it."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", requests.get(page, timeout=10).text, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>|\s+", " ", found[1])).strip() if found else ""


def _filled(stage: Stage, crm: Crm, shown: RecordView, record: RecordKind, *names: str) -> list[str]:
    """Fields of ours that say something, as people read them; all of this kind of record without ``names``."""
    specs = {
        spec.label: spec
        for spec in named_in(stage.runtime.accounts[crm.account].config.language)
        if spec.record is record and (not names or spec.name in names)
    }
    return [
        f"{one.label}: {_words(specs[one.label], one.value)}"
        for one in shown.fields
        if one.value and one.label in specs
    ]


def _words(spec: FieldSpec, value: str) -> str:
    """A value in the words of its field's language; texts in one line, the long ones by their beginning."""
    if spec.type is FieldType.BOOLEAN:
        yes, _, no = (option.text[spec.language] for option in DEGREE_OPTIONS)
        return yes if value.lower() in ("true", "yes") else no
    named = {option.value: spec.option_label(option) for option in spec.options}
    return named.get(value) or (value if spec.type is FieldType.URL else textwrap.shorten(value, 60, placeholder=" …"))


def _status(case: Case) -> str:
    """Where a case stands, in words."""
    return WAITS.get(case.status, case.status.value)


def _pages(stage: Stage, crm: Crm, kind: LinkKind) -> list[str]:
    """Addresses of pages of this kind in the deal's tasks, each once; the customer's plan from its field."""
    bodies = "\n".join(str(task.body) for task in crm.tasks())
    fields = "\n".join(str(one.value) for one in crm.pages.record("deals", crm.deal_id).fields)
    return list(dict.fromkeys(re.findall(rf"{stage.address}/{kind.value}/\w+", f"{bodies}\n{fields}")))


def _documents(stage: Stage, crm: Crm) -> list[str]:
    """Names of the documents that were attached."""
    with stage.runtime.store.read() as session:
        rows = [
            row for case in cases.listing(session, account=crm.account) for row in intents.of_case(session, case.id)
        ]
    return [str(row.content.get("name")) for row in rows if row.kind == "document" and row.state == "done"]


def _is_digest(stage: Stage, crm: Crm, subject: str) -> bool:
    """Whether a task of the deal belongs to no case: a digest."""
    with stage.runtime.store.read() as session:
        query = select(IntentRow).where(IntentRow.account == crm.account, IntentRow.case_id == "")
        return any(row.content.get("subject") == subject for row in session.scalars(query))


def _send(page: str, **values: str | None) -> None:
    """Send a form of ours as the customer would."""
    seal = re.search(r'name="form-seal" value="([^"]+)"', requests.get(page, timeout=10).text)
    said = {name: value for name, value in values.items() if value is not None}
    sent = requests.post(page, data={**said, "form-seal": seal[1] if seal else ""}, timeout=10)
    _expect(sent.status_code == 200, f"the choice is taken (status {sent.status_code})")


def _answered(stage: Stage, crm: Crm) -> bool:
    return _case(stage, crm).answered_at is not None


def _expect(holds: bool, what: str) -> None:
    """The demo proves what it tells."""
    if not holds:
        raise AssertionError(what)
