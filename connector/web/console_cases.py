"""The console's pages on cases: which there are, one with its steps, answers and log, and what an admin does to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from adapters.errors import AurevoirError
from connector import casework
from connector.store import accounts, agenda, case_search, cases, intake, intents, pauses
from connector.store.case_search import A_PAGE, CaseFilter
from connector.store.tables import AccountRow
from connector.web import languages
from connector.web.case_pages import stored_rules
from connector.web.console import Console, sentence
from connector.web.event_words import own_step
from workflows.cases import Case, CaseStatus, Step
from workflows.plan import Expected, expected
from workflows.questions import Answer, AnswerValue, Question
from workflows.rules import CaseKind, Playbook, StepRule
from workflows.survey import wording
from workflows.timeline import stored_look

MOST_PAGES = 1_000_000
"""Beyond, a database would not take the number."""
_FILLED_IN = re.compile(r"\{\{.*?\}\}")
_CUSTOMER = re.compile(r"\{\{\s*company\.name\s*\}\}")
_CASE_ACTIONS: dict[str, Callable[[Any, str], Case]] = {
    "pause": casework.pause,
    "resume": casework.resume,
    "cancel": casework.cancel,
}


def add_cases(blueprint: Blueprint, console: Console) -> None:
    """Add ``/cases``, and the page of each case."""

    @blueprint.get("/cases")
    def case_list() -> ResponseReturnValue:
        return _case_list(console)

    @blueprint.get("/cases/<case_id>")
    def one_case(case_id: str) -> ResponseReturnValue:
        return _one_case(console, case_id)

    @blueprint.post("/cases/<case_id>/retry")
    def retry_case(case_id: str) -> ResponseReturnValue:
        return _retry_case(console, case_id)

    @blueprint.post("/cases/<case_id>/<any(pause, resume, cancel):what>")
    def change_case(case_id: str, what: str) -> ResponseReturnValue:
        return _change_case(console, case_id, what)


def _case_list(console: Console) -> ResponseReturnValue:
    runtime = console.runtime
    given = {name: request.args.get(name, "").strip() for name in ("account", "status", "kind", "playbook", "text")}
    wanted = CaseFilter(**given | ({} if "status" in request.args else {"status": case_search.OPEN}))
    page = min(max(1, request.args.get("page", 1, type=int)), MOST_PAGES)
    with runtime.store.read() as db:
        found, total = case_search.search(db, wanted, page)
        followed = sorted({key for _, key, *_ in case_search.playbooks_in_use(db)})
        settles = case_search.settles_at(db, [one.row.id for one in found])
        held = {(name, key) for name in runtime.accounts for key in pauses.playbooks(db, name)}
        resting = pauses.accounts_paused(db)
    return console.page(
        "cases.html",
        found=found,
        settles=settles,
        held=held,
        resting=resting,
        total=total,
        page=page,
        pages=max(1, -(-total // A_PAGE)),
        wanted=wanted,
        statuses=[one.value for one in CaseStatus],
        kinds=[one.value for one in CaseKind],
        playbooks=followed,
    )


def _one_case(console: Console, case_id: str) -> ResponseReturnValue:
    with console.runtime.store.read() as db:
        case = cases.by_id(db, case_id)
        if case is None:
            abort(404)
        row = accounts.get(db, case.account)
        held = pauses.playbooks(db, case.account)
        frozen = cases.playbook(db, case.playbook, case.playbook_version)
        due = agenda.of_deal(db, case.account, case.deal_id)
        subjects = {
            intent.key.removeprefix(f"{case.id}:"): str(intent.content.get("subject") or "")
            for intent in intents.of_case(db, case.id)
            if intent.kind == "task"
        }
        shown: dict[str, Any] = {
            "events": cases.events(db, case.id),
            "refused": intents.refused(db, case_id=case.id),
            "answers": [_told(console, one) for one in intake.answers(db, [case.id]).get(case.id, ())],
        }
    playbook = frozen or console.runtime.library.playbooks.get(case.playbook)
    return console.page(
        "case.html",
        case=case,
        deal_url=_deal_url(console, case),
        expected=_expected(console, case, playbook),
        due=due,
        settles=due.due_at if case.status is CaseStatus.SETTLING and due is not None else None,
        owner=_owners(row),
        title=_titles(playbook, subjects, case.deal_name or case.deal_id),
        held=held.get(case.playbook),
        account_paused=row is not None and row.paused_at is not None,
        **shown,
    )


def _owners(row: AccountRow | None) -> Callable[[Step], str]:
    """The names of the steps' owners, as far as they are known."""
    users = {one["id"]: one["name"] for one in (row.known.get("users", []) if row is not None else [])}
    return lambda step: users.get(step.owner_id, step.owner_id or "")


def _retry_case(console: Console, case_id: str) -> ResponseReturnValue:
    try:
        done = casework.retry(console.runtime, case_id)
    except casework.NoSuchCase:
        abort(404)
    except AurevoirError as error:
        flash(sentence(error), "trouble")
        return redirect(url_for(".one_case", case_id=case_id), 303)
    console.note("case retry", detail=done.case.id, account=done.case.account)
    tell_retried(again=done.again > 0, outdated=done.outdated > 0)
    return redirect(url_for(".one_case", case_id=done.case.id), 303)


def _change_case(console: Console, case_id: str, what: str) -> ResponseReturnValue:
    try:
        case = _CASE_ACTIONS[what](console.runtime, case_id)
    except casework.NoSuchCase:
        abort(404)
    except AurevoirError as error:
        flash(sentence(error), "trouble")
        return redirect(url_for(".one_case", case_id=case_id), 303)
    console.note(f"case {what}", detail=case.id, account=case.account)
    flash(
        {
            "pause": languages.say("The case is paused: nothing more is written for it."),
            "resume": languages.say("The case goes on where it was."),
            "cancel": languages.say("The case is cancelled: open tasks are closed, links stop working."),
        }[what]
    )
    return redirect(url_for(".one_case", case_id=case.id), 303)


def tell_retried(*, again: bool, outdated: bool) -> None:
    """What became of refused writes that were to be tried again."""
    if again:
        flash(languages.say("What was refused is sent again at the next look."))
    if outdated:
        flash(languages.say("Newer values were written since: the old ones are not sent, and listed no longer."))


def _expected(console: Console, case: Case, playbook: Playbook | None) -> dict[str, Expected]:
    """What the steps wait for that have no task yet, as far as it can be told without asking the CRM."""
    account = console.runtime.accounts.get(case.account)
    if account is None or playbook is None or case.status is not CaseStatus.ACTIVE:
        return {}
    rules, users = stored_rules(account, case.playbook), account.users_at_hand()
    return expected(stored_look(case, playbook, rules, users, console.runtime.clock.now()), case)


def _deal_url(console: Console, case: Case) -> str | None:
    account = console.runtime.accounts.get(case.account)
    try:
        url = account.crm().deal_url(case.deal_id) if account is not None else None
    except AurevoirError:
        return None
    return url if url is not None and url.startswith(("https://", "http://127.0.0.1", "http://localhost")) else None


def _titles(playbook: Playbook | None, subjects: Mapping[str, str], deal: str) -> Callable[[Step], str]:
    """The steps' titles: of a task that was written its subject; else the playbook's, which name the customer.

    Other gaps stay open. Until a written task says what the customer is called, the deal's name stands in.
    """
    rules = {rule.key: rule for rule in playbook.steps()} if playbook is not None else {}
    named = _named_in(rules, subjects) or deal

    def title(step: Step) -> str:
        if subjects.get(step.key):
            return subjects[step.key]
        if own := own_step(step.rule):
            return own
        rule = rules.get(step.rule)
        words = wording(rule.title, languages.current(), playbook.languages) if rule is not None and playbook else ""
        shown = _FILLED_IN.sub("…", _CUSTOMER.sub(lambda _: named, words))
        return shown if shown and "{" not in shown else step.rule.strip("_").replace("_", " ").replace("-", " ")

    return title


def _named_in(rules: Mapping[str, StepRule], subjects: Mapping[str, str]) -> str:
    """The customer's name, as the first written task has it in the place that its title keeps for it."""
    for key, subject in subjects.items():
        rule = rules.get(key.partition("@")[0])
        for words in rule.title.values() if rule is not None else ():
            before, *after = _CUSTOMER.split(words)
            if len(after) != 1 or "{" in before + after[0] or not before + after[0]:
                continue
            if subject.startswith(before) and subject.endswith(after[0]):
                return subject[len(before) : len(subject) - len(after[0])]
    return ""


def _told(console: Console, answer: Answer) -> dict[str, Any]:
    """An answer with its questions, in the admin's language."""
    asked = console.runtime.library.questionnaires.get(answer.questionnaire)
    lines: list[tuple[str, str]] = []
    if asked is not None:
        lines = [
            (
                wording(one.text, languages.current(), asked.languages),
                _value(one, answer.values[one.key], asked.languages),
            )
            for one in asked.questions()
            if one.key in answer.values
        ]
    return {"answer": answer, "lines": lines or [(key, str(value)) for key, value in answer.values.items()]}


def _value(question: Question, value: AnswerValue, offered: Sequence[str]) -> str:
    labels = {option.value: wording(option.text, languages.current(), offered) for option in question.options}
    values = value if isinstance(value, tuple) else (value,)
    return ", ".join(labels.get(str(one), str(one)) for one in values)
