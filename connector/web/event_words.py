"""What happened, in words for people: the log's short names, and how much of an event's data is worth showing.

A name that we do not know is shown as it is, so that no event is lost from the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

from connector.web.languages import current, say, told
from workflows.asks import CONTACTS, CONTRACT_END, REASON
from workflows.cases import Case
from workflows.texts import date_words
from workflows.wording import ending

_LOOSE_DAY = re.compile(r"(?<![\w'\"/.-])\d{4}-\d\d-\d\d(?![\w'\"/-])")
"""A day that stands in a sentence, and is no part of a condition, an address or a name."""
_KINDS = ("task", "update_task", "fields", "note", "file", "document")
"""Kinds of writes."""
MACHINES = frozenset({"key", "record", "correlation_id", "step", "admin"})
"""Data of an event that only helps to find it in a log or in the CRM; pages fold it away."""


def happened(what: str) -> str:
    """An event's name as a sentence's beginning, in the language of the page."""
    if found := re.fullmatch(r"playbook (\S+) (paused|resumed)", what):
        words = say("playbook %(name)s paused") if found[2] == "paused" else say("playbook %(name)s resumed")
        return words % {"name": found[1]}
    return _of_cases().get(what) or _of_writes().get(what) or _by_admins().get(what) or what


def explained(detail: str) -> str:
    """The few details that we write ourselves, in the language of the page; others as they are."""
    if detail == "up to 0 older endings":
        return say("leaving older endings alone")
    if found := re.fullmatch(r"up to (\d+) older endings", detail):
        return say("with %(most)s older endings at most") % {"most": found[1]}
    if found := re.fullmatch(r"due (\d{4}-\d\d-\d\d)", detail):
        return say("due %(day)s") % {"day": _day(found[1])}
    if found := re.fullmatch(r"since (\d{4}-\d\d-\d\d)", detail):
        return say("over the time since %(day)s") % {"day": _day(found[1])}
    if found := re.fullmatch(r"playbook (\S+) (\S+)", detail):
        return say("by the playbook %(name)s") % {"name": found[1]}
    if found := re.fullmatch(r"reference (\w+)", detail):
        return say("reference %(name)s") % {"name": found[1]}
    if found := re.fullmatch(r"(\d+) lines", detail):
        return say("lines that changed: %(count)s") % {"count": found[1]}
    known = {
        "a task asks for reason": say("a task asks for the reason"),
        "a task asks for contract end": say("a task asks for the contract's end"),
        "a task asks for contacts": say("a task asks for contacts"),
        "by hand": say("by hand"),
        "stages": say("Stages"),
        "fields": say("Fields"),
        "people": say("People"),
        "playbooks": say("Playbooks"),
        "place": say("Calendar and language"),
        "the plan starts without a reason": say("the plan starts without a reason"),
        "a person gave the task to someone else": say("a person gave the task to someone else"),
        "a person changed the due date": say("a person changed the due date"),
        "a person deleted the task; it is not made again": say("a person deleted the task; it is not made again"),
        "newer values were written since": say("newer values were written since"),
        "the deal is back": say("the deal is back"),
        "the customer is back": say("the customer is back"),
    }
    return known.get(detail) or _with_days(told(detail))


def own_step(rule: str) -> str:
    """What a step of ours is called that stands in no playbook, where its task's subject is not known; else empty."""
    known = {
        REASON: say("Ask for the reason"),
        CONTRACT_END: say("Ask for the contract's end"),
        CONTACTS: say("Ask for contacts"),
    }
    return known.get(rule, "")


def ended_because(case: Case) -> str:
    """Why the case ended, as a sentence; empty where it just came to its end."""
    words = ending(case.kind, case.outcome, current()) or ""
    return words[:1].upper() + words[1:]


def _moment(written: str) -> str:
    return _day(written[:10]) if re.match(r"\d{4}-\d\d-\d\d", written) else written


def _with_days(text: str) -> str:
    """A sentence with its days as the page writes days; what only looks like a day stays."""

    def day(found: re.Match[str]) -> str:
        try:
            return _day(found[0])
        except ValueError:
            return found[0]

    return _LOOSE_DAY.sub(day, text)


def _day(written: str) -> str:
    return date_words(date.fromisoformat(written), current(), "medium")


def for_people(data: Mapping[str, str], users: Mapping[str, str]) -> dict[str, str]:
    """What of an event's data is shown beside it, by its name in the language of the page; ``users`` by their ids."""
    names = {
        "owner": say("owner"),
        "deal": say("deal"),
        "contact": say("contact"),
        "contact_id": say("contact"),
        "due": say("due"),
        "field": say("field"),
        "questionnaire": say("questionnaire"),
        "by": say("by"),
        "signal": say("noticed by"),
    }
    voices = {"customer": say("the customer"), "csm": say("who held the conversation"), "team": say("the team")}
    valued: Mapping[str, Callable[[str], str]] = {
        "by": lambda value: voices.get(value, value),
        "owner": lambda value: users.get(value, value),
        "due": _moment,
        "signal": lambda value: _signals().get(value) or told(value),
    }
    return {
        names.get(name, name): valued.get(name, _with_days)(value)
        for name, value in data.items()
        if name not in MACHINES
    }


def _signals() -> Mapping[str, str]:
    """What made us look at a deal."""
    return {
        "poll": say("the regular look at deals"),
        "poll of tasks": say("the regular look at tasks"),
        "webhook": say("word from the CRM"),
        "daily comparison": say("the daily comparison"),
        "timer": say("the time that was set for it"),
        "by hand": say("a start by hand"),
        "taken in at switch-on": say("the switch-on, which took the deal in"),
        "answer": say("an answer"),
        "inventory": say("the list of what is handed over"),
        "choice": say("a choice on the customer's page"),
        "merged": say("two deals that became one"),
        "playbook resumed": say("the playbook, which goes on"),
        "paused by hand": say("a pause by hand"),
        "resumed by hand": say("a case that goes on, by hand"),
        "cancelled by hand": say("a cancellation by hand"),
        "tried again by hand": say("another try, by hand"),
        "moved to another version by hand": say("a move to another version, by hand"),
        "someone was erased": say("the erasure of a person"),
        "the customer is back": say("the customer is back"),
        "a contact moved on": say("a contact who moved on"),
        "digest": say("the digest"),
        "early sign": say("an early sign"),
        "the account is taken out": say("the removal of the account"),
        "a wish was delivered": say("a wish that was delivered"),
    }


def for_machines(data: Mapping[str, str]) -> dict[str, str]:
    """What of it is folded away."""
    return {name: value for name, value in data.items() if name in MACHINES and name != "admin"}


def _of_cases() -> Mapping[str, str]:
    return {
        "plan started": say("The plan began"),
        "released": say("A step became due for its owner"),
        "task done": say("A task was done"),
        "task reopened": say("A task was opened again"),
        "task deleted": say("A task was deleted in the CRM"),
        "not applicable": say("A step was marked as not applicable"),
        "owner changed": say("A task got another owner"),
        "due date changed": say("A task's due date was changed"),
        "due date moved": say("A due date moved along"),
        "due date kept": say("A due date was kept"),
        "contract end moved": say("The contract's end moved"),
        "contract end left aside": say("The contract's end was left aside"),
        "reason known": say("The reason became known"),
        "reason unknown": say("The reason is unknown"),
        "answered": say("An answer came in"),
        "exit rights": say("What the deal says of exit rights was taken over"),
        "value kept": say("A value that somebody entered in the CRM was kept"),
        "asked": say("Somebody was asked for what is missing"),
        "asking ended": say("Asking ended"),
        "nobody active": say("Nobody active could be found"),
        "left out": say("A step was left out"),
        "contacts left out": say("Contacts were left out"),
        "text with gaps": say("A text has gaps"),
        "condition left aside": say("A condition could not be told"),
        "inventory shown": say("The list of what is handed over was shown"),
        "inventory closed": say("The list of what is handed over was closed"),
        "inventory saved": say("The list of what is handed over was changed"),
        "playbook changed": say("The playbook was changed"),
        "beginning noted": say("The beginning was noted"),
        "looked back": say("The plan looked back"),
        "both sides compared": say("Both sides' answers were compared"),
        "deal merged": say("The deal was merged into another"),
        "came back": say("The deal came back"),
        "remains a customer": say("The company remains a customer"),
        "remains no longer": say("The company remains a customer no longer"),
        "contract end known": say("The contract's end became known"),
        "let go": say("The case was let go of"),
        "not opened": say("No case was opened"),
        "quiet reaches not all": say("Not everybody could be asked to be left alone"),
        "permission noted": say("A permission was noted"),
        "permission not taken over": say("A permission was not taken over"),
        "contact_erased": say("The CRM erased a person"),
        "person erased": say("A person was erased"),
        "returned": say("The customer came back"),
        "name taken out": say("A name was taken out of a form"),
        "back no longer": say("It turned out that the customer is not back"),
        "completed": say("The case was completed"),
        "cancelled": say("The case was cancelled"),
        "stopped": say("The case was stopped"),
        "dismissed": say("The case was dismissed"),
        "paused": say("Paused"),
        "resumed": say("Went on"),
        "tried again": say("Tried again"),
        "not tried again": say("Not tried again"),
    }


def _of_writes() -> Mapping[str, str]:
    return {
        "task written": say("A task was written to the CRM"),
        "update_task written": say("A task was changed in the CRM"),
        "fields written": say("Fields were written to the CRM"),
        **{f"{kind} again": say("The CRM asked to try a write again later") for kind in _KINDS},
        **{f"{kind} unknown": say("Whether a write arrived is not clear yet") for kind in _KINDS},
        **{f"{kind} gone": say("What was to be changed is gone from the CRM") for kind in _KINDS},
        "note written": say("A note was written to the CRM"),
        "file written": say("A document was put into the CRM"),
        "document written": say("A document was put into the CRM"),
        "task refused": say("The CRM refused a task"),
        "update_task refused": say("The CRM refused to change a task"),
        "fields refused": say("The CRM refused fields"),
        "note refused": say("The CRM refused a note"),
        "file refused": say("The CRM refused a document"),
        "document refused": say("The CRM refused a document"),
    }


def _by_admins() -> Mapping[str, str]:
    return {
        "signed in": say("signed in"),
        "signed out": say("signed out"),
        "sign-in refused": say("sign-in refused"),
        "password set": say("password set"),
        "admin added": say("admin added"),
        "admin invited": say("admin invited"),
        "admin removed": say("admin removed"),
        "account added in the console": say("account added"),
        "settings changed in the console": say("settings changed"),
        "rehearsal begun in the console": say("rehearsal begun"),
        "rehearsed": say("rehearsal finished"),
        "switched on in the console": say("switched on"),
        "account paused": say("account paused"),
        "account resumed": say("account resumed"),
        "account paused in the console": say("account paused"),
        "account resumed in the console": say("account resumed"),
        "playbook paused in the console": say("playbook paused"),
        "playbook resumed in the console": say("playbook resumed"),
        "case pause": say("case paused"),
        "case resume": say("case resumed"),
        "case cancel": say("case cancelled"),
        "case retry": say("refused writes tried again"),
        "a refused write is tried again": say("refused write tried again"),
        "words gathered into a wish": say("words gathered into a wish"),
        "uninstalled": say("taken out of the CRM"),
    }
