"""What belongs to the customer (P-22): its tasks by day and owner, the note that shows it, and no secrets in it.

A playbook step with ``per_item`` makes one task for each day and owner that open items name, so that a hundred files of
one export do not become a hundred tasks. A task goes when everything in it has been received or was moved to another
day; an item that gets a new day or owner gets a new task.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from workflows.cases import Case, InventoryItem, ItemKind, Step, StepStatus
from workflows.dates import calendar, local_date, opening, zone
from workflows.rules import LinkKind, Texts
from workflows.said import Said
from workflows.texts import date_words, shorten
from workflows.wording import say
from workflows.writes import CreateNote

if TYPE_CHECKING:
    from workflows.desk import Desk

MAX_ITEMS = 200
GROUP = "items:"
QUIET = timedelta(minutes=15)
"""The note is written when the list has rested for so long: people save more than once."""
AFTERMATH = timedelta(days=30)
"""So long after the contract's end, days of items that are still open get tasks."""
SHOWN = 100
"""Items that a note or a task lists in full; the others are counted."""
_NOTE = "_inventory"

KINDS: Mapping[ItemKind, Texts] = {
    ItemKind.FILES: {"en": "Files", "fr": "Fichiers"},
    ItemKind.EXPORT: {"en": "Data export", "fr": "Export de données"},
    ItemKind.DOCUMENTS: {"en": "Documents", "fr": "Documents"},
    ItemKind.CONTRACTS: {"en": "Contracts", "fr": "Contrats"},
    ItemKind.REPORTS: {"en": "Reports", "fr": "Rapports"},
    ItemKind.LOGINS: {"en": "Logins", "fr": "Identifiants"},
    ItemKind.TRAINING: {"en": "Training material", "fr": "Supports de formation"},
    ItemKind.OTHER: {"en": "Other", "fr": "Autre"},
}


_EVERY: Sequence[tuple[ItemKind, Texts]] = (
    (ItemKind.CONTRACTS, {"en": "Contract, orders and last invoice", "fr": "Contrat, commandes et dernière facture"}),
    (ItemKind.REPORTS, {"en": "Reports and presentations", "fr": "Rapports et présentations"}),
    (ItemKind.TRAINING, {"en": "Guides and training recordings", "fr": "Guides et enregistrements de formation"}),
    (
        ItemKind.LOGINS,
        {
            "en": "Logins (through a password manager)",
            "fr": "Identifiants (par un gestionnaire de mots de passe)",
        },
    ),
)
_PRODUCT: Sequence[tuple[ItemKind, Texts]] = (
    (ItemKind.EXPORT, {"en": "Full data export", "fr": "Export complet des données"}),
    (ItemKind.FILES, {"en": "Uploaded files", "fr": "Fichiers déposés"}),
    (ItemKind.OTHER, {"en": "Settings, templates and automations", "fr": "Réglages, modèles et automatisations"}),
)
_WORK: Sequence[tuple[ItemKind, Texts]] = (
    (ItemKind.FILES, {"en": "Source files of all work", "fr": "Fichiers sources de tous les travaux"}),
    (ItemKind.DOCUMENTS, {"en": "Briefs, concepts and minutes", "fr": "Briefs, concepts et comptes rendus"}),
    (
        ItemKind.OTHER,
        {"en": "Domains, licences and ad accounts", "fr": "Noms de domaine, licences et comptes publicitaires"},
    ),
)
_SUGGESTED: Mapping[str, Sequence[tuple[ItemKind, Texts]]] = {"agency": _WORK, "light": (), "partial": _PRODUCT[:2]}
ROOM_BEFORE_END = 14
"""Days between the suggested day and the contract's end: time to check what arrived, and to ask again."""


def suggestions(playbook: str, language: str) -> list[tuple[ItemKind, str]]:
    """Lines to begin the list with, for customers of this kind."""
    lines = (*_SUGGESTED.get(playbook, _PRODUCT), *(_EVERY if playbook != "partial" else _EVERY[:1]))
    return [(kind, texts.get(language[:2].lower(), texts["en"])) for kind, texts in lines]


def hand_over_day(case: Case, now: datetime, calendar_code: str, zone_name: str) -> date:
    """A day by which it should all be handed over: two weeks before the contract ends, or a week from now."""
    days, today = calendar(calendar_code), local_date(now, zone(zone_name))
    soonest = days.add_business_days(today, 5)
    if case.contract_end is None:
        return soonest
    return max(soonest, days.previous_business_day(case.contract_end - timedelta(days=ROOM_BEFORE_END)))


def kind_words(kind: ItemKind, language: str) -> str:
    """The kind as people read it."""
    texts = KINDS[kind]
    return texts.get(language[:2].lower(), texts["en"])


# --- tasks ----------------------------------------------------------------------------------------------------------


def group_of(item: InventoryItem) -> str | None:
    """For which day and whom an item is due; None when it needs no task: received, or without a day."""
    if item.due_on is None or item.received_on is not None:
        return None
    return f"{GROUP}{item.due_on.isoformat()}.{item.owner_id or ''}"


def is_group(subject: str | None) -> bool:
    """Whether a step is about items of the inventory, and not about a contact."""
    return subject is not None and subject.startswith(GROUP)


def day_of_group(group: str) -> date:
    """The day on which the group's items are due."""
    return date.fromisoformat(group.removeprefix(GROUP).partition(".")[0])


def owner_of_group(group: str) -> str | None:
    """Our user who hands the group's items over; None: the customer's counterpart."""
    return group.removeprefix(GROUP).partition(".")[2] or None


def items_of_group(items: Iterable[InventoryItem], group: str) -> list[InventoryItem]:
    """Open items of this day and owner, in the list's order."""
    return [item for item in items if group_of(item) == group]


def item_views(items: Sequence[InventoryItem], language: str) -> list[Mapping[str, object]]:
    """What texts see of items."""
    return [
        {
            "title": item.title,
            "kind": kind_words(item.kind, language),
            "place": item.place,
            "due_on": item.due_on,
            "received_on": item.received_on,
            "received_by": item.received_by,
            "evidence": item.evidence,
        }
        for item in items[:SHOWN]
    ]


def follow_items(desk: Desk) -> None:
    """Make a step for each day and owner of open items; close those of which nothing is left to hand over."""
    draft = desk.draft
    wanted = list(dict.fromkeys(group for item in draft.look.inventory if (group := group_of(item)) is not None))
    for rule in desk.rules.values():
        source = draft.steps.get(rule.key) if rule.per_item else None
        if source is None or source.status is not StepStatus.WAITING:
            continue
        steps = [step for step in draft.of_rule(rule.key) if is_group(step.contact_id)]
        for step in steps:
            if step.contact_id not in wanted and step.status in (
                StepStatus.WAITING,
                StepStatus.OPEN,
                StepStatus.WRITING,
            ):
                draft.close(step, say("close.items", desk.language))
        made = {step.contact_id: step for step in steps}
        for group in wanted:
            before = made.get(group)
            if before is None:
                draft.put(Step(key=f"{rule.key}@{group.removeprefix(GROUP)}", rule=rule.key, contact_id=group))
            elif before.status is StepStatus.CLOSED:
                _take_up(desk, before)
        if _is_over(desk, wanted):
            draft.put(source, status=StepStatus.SKIPPED)
            draft.log("inventory closed", Said("everything was handed over, or the time for it is over"), step=rule.key)


def _take_up(desk: Desk, before: Step) -> None:
    """An item came back to a day whose task was closed: that calls for another task, under a key of its own."""
    draft = desk.draft
    base = before.key.partition("+")[0]
    key = f"{base}+{draft.number(f'again:{base}')}"
    draft.put(before, contact_id=None)
    draft.put(Step(key=key, rule=before.rule, contact_id=before.contact_id))


def _is_over(desk: Desk, wanted: Sequence[str]) -> bool:
    """Whether no new day can come up any more."""
    end, last = desk.draft.case.contract_end, _last_day(desk)
    if end is None or last is None or desk.today <= end:
        return False
    unfinished = (StepStatus.WAITING, StepStatus.WRITING, StepStatus.OPEN)
    lists = [step for step in desk.draft.steps.values() if _lists(desk, step)]
    rests = not wanted and all(step.status not in unfinished for step in lists)
    return rests or desk.today > last


def _last_day(desk: Desk) -> date | None:
    """The last day on which days of items can still come up; a plan may begin long after the contract's end."""
    case = desk.draft.case
    if case.contract_end is None:
        return None
    began = local_date(case.confirmed_at, desk.tz) if case.confirmed_at is not None else desk.today
    return max(case.contract_end, began) + AFTERMATH


def _lists(desk: Desk, step: Step) -> bool:
    rule = desk.rules.get(step.rule)
    return rule is not None and rule.link is LinkKind.INVENTORY and not rule.per_item


def items_over(desk: Desk) -> datetime | None:
    """When days of items get no tasks any more; None without such steps, or while no end is known."""
    end, draft = desk.draft.case.contract_end, desk.draft
    waits = any(
        rule.per_item and (step := draft.steps.get(rule.key)) is not None and step.status is StepStatus.WAITING
        for rule in desk.rules.values()
    )
    if end is None or not waits:
        return None
    last = end if desk.today <= end else _last_day(desk) or end
    return opening(last + timedelta(days=1), desk.tz)


# --- the note -------------------------------------------------------------------------------------------------------


def show_inventory(desk: Desk) -> datetime | None:
    """Show the list in a note on the deal, when it has changed and rests; else when to look again."""
    draft = desk.draft
    items = draft.look.inventory
    digest = _digest(items) if items else _EMPTY
    if draft.written.get(_NOTE, _EMPTY) == digest:
        return None
    rested = max((item.changed_at for item in items), default=draft.now - QUIET) + QUIET
    if rested > draft.now:
        return rested
    draft.once(_NOTE, digest)
    number = draft.number(_NOTE)
    language = desk.language
    draft.writes.append(
        CreateNote(
            key=f"{draft.case.id}:{_NOTE}:{number}",
            deal_id=draft.case.deal_id,
            title=say("inventory.title", language, number=number),
            body=_listed(desk, items) or say("inventory.empty", language),
            at=draft.now,
        )
    )
    draft.log("inventory shown", Said("items: %(count)d", count=len(items)))
    return None


def _digest(items: Sequence[InventoryItem]) -> str:
    said = [item.model_dump(mode="json", exclude={"changed_at"}) for item in items]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()[:16]


_EMPTY = _digest(())


def _listed(desk: Desk, items: Sequence[InventoryItem]) -> str:
    lines = [_line(desk, item) for item in items[:SHOWN]]
    if len(items) > SHOWN:
        lines.append(say("inventory.more", desk.language, count=len(items) - SHOWN))
    return "\n".join(lines)


def _line(desk: Desk, item: InventoryItem) -> str:
    language = desk.language
    owner = desk.draft.look.users.get(item.owner_id or "")
    parts = [owner.name or owner.email if owner is not None else say("inventory.customer", language)]
    parts += [shorten(item.place, 100)] if item.place else []
    if item.received_on is not None:
        by = f" ({shorten(item.received_by, 60)})" if item.received_by else ""
        parts.append(say("inventory.received", language, day=date_words(item.received_on, desk.dates)) + by)
    elif item.due_on is not None:
        parts.append(say("inventory.due", language, day=date_words(item.due_on, desk.dates)))
    kind = kind_words(item.kind, language) + say("colon", language)
    return f"- {kind} {shorten(item.title, 150)} – " + ", ".join(parts)


# --- no secrets -----------------------------------------------------------------------------------------------------

_KEYED = re.compile(
    r"\b(pass[ -]?words?|passwd|pwd|pass[ -]?phrase|passcode|pin|secret(?:s| key)?|api[ _-]?keys?|access[ _-]?keys?|"
    r"tokens?|mots? de passe|mdp|cl[ée]s? (?:d['’]?api|secr[èe]te)|code (?:pin|secret))\b"
    r"\s*(?::|=|->|→|\bis\b|\best\b)\s*[\"'«“]?\s*(\S{3,})(.*)",
    re.IGNORECASE,
)
_MARKS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[0-9A-Za-z]{20,}|\bsk_live_[0-9A-Za-z]{8,}|"
    r"\bxox[abprs]-[0-9A-Za-z-]{10,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.|\bpat-[a-z0-9]{2,4}-[0-9a-f-]{20,}|://[^\s/:@]+:[^\s/@]+@"
)
_HARMLESS = re.compile(
    r"(?:in|via|through|by|with|see|sent|to|a|the|our|your|their|none|no|yes|n/a|not|later|reset|changed|shared|handed|"
    r"given|par|dans|voir|avec|chez|aucune?|remise?s?|transmise?s?|réinitialisée?s?|un|une|le|la|les|pas|gestionnaire|"
    r"password|vault|coffre\w*|1password|bitwarden|keepass\w*|dashlane|lastpass|nordpass|proton|https?://.*)\W*",
    re.IGNORECASE,
)


def looks_secret(text: str) -> bool:
    """Whether a text seems to hold a password, a key or a token: they belong in a password manager, never here."""
    if _MARKS.search(text):
        return True
    for match in _KEYED.finditer(text):
        word, rest = match[2], match[3].strip()
        if _HARMLESS.fullmatch(word):
            continue
        if not rest or re.search(r"[\d!@#$%^&*_+=?~]", word.rstrip(".,;:)!?")):
            return True
    return False
