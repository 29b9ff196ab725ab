"""What a document of a case says, as plain data: words in the customer's language, figures, dates, the inventory.

How it looks is decided where it is made. Values come from outside, so they are shortened here and escaped there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.cases import InventoryItem, Step
from workflows.desk import Desk
from workflows.draft import DOCUMENT
from workflows.inventory import item_views, kind_words
from workflows.key_figures import MISSING, KeyFigure, key_figures, present_figures
from workflows.paper import Block, shipped_papers
from workflows.people import Choice
from workflows.rules import StepRule
from workflows.texts import TextError, date_words, dated_as, render, render_anyway, shorten
from workflows.timeline import Milestone, milestones
from workflows.wording import say
from workflows.writes import AttachDocument, DocumentKind

WITH_FIGURES = frozenset({DocumentKind.LETTER, DocumentKind.ACHIEVEMENTS, DocumentKind.CASE_STUDY})
MOST_HIGHLIGHTS = 3
LONGEST_PARAGRAPH = 5000


def needs_start(desk: Desk, rule: StepRule) -> bool:
    """Whether the step's document wants key figures as they were at the start, and nobody has looked for them."""
    look = desk.draft.look
    if rule.document not in WITH_FIGURES or look.started_with is not None:
        return False
    return bool(set(_names(desk)) - _began(desk).keys())


def _began(desk: Desk) -> dict[str, str]:
    """Figures at the start: as the baseline noted them (P-60), else the first that the CRM remembers."""
    look = desk.draft.look
    noted = look.baseline.figures if look.baseline is not None else {}
    return dict(look.started_with or {}) | {name: figure.value for name, figure in noted.items()}


def attach_document(desk: Desk, step: Step, rule: StepRule, choice: Choice) -> None:
    """Add the write that makes the step's document, if it has one."""
    if rule.document is None:
        return
    values = document_values(desk, rule.document, choice.user.name)
    desk.draft.writes.append(
        AttachDocument(
            key=desk.draft.step_key(step) + DOCUMENT,
            deal_id=desk.draft.case.deal_id,
            document=rule.document,
            language=values["language"],
            name=file_name(rule.document, values["customer"], values["language"]),
            values=values,
            at=desk.draft.now,
        )
    )


def file_name(document: DocumentKind, customer: str, language: str) -> str:
    """What the file is called in the CRM, such as ``Letter of thanks - Northwind.docx``."""
    name = "".join(letter if letter.isalnum() or letter in " -_&()." else " " for letter in customer)
    return f"{say(f'document.{document}', language)} - {shorten(name, 60).strip(' .') or '-'}.docx"


def document_values(desk: Desk, document: DocumentKind, sender: str) -> dict[str, Any]:
    """Everything that the document says, as JSON takes it."""
    paper = shipped_papers()[document.value]
    contacts = desk.contacts()
    language = paper.language(contacts[0].language if contacts else None, desk.language)
    figures = _figures(desk, language) if document in WITH_FIGURES else []
    items = desk.draft.look.inventory if document is DocumentKind.INVENTORY else ()
    seen = _seen(desk, language, sender, figures, items)
    blocks = [shown for block in paper.blocks for shown in _block(desk, block, language, seen, figures, items)]
    return {
        "document": document.value,
        "layout": paper.layout,
        "language": language,
        "title": _words(paper.title, language, seen),
        "customer": shorten(str(seen["company"]["name"]), 200),
        "contact": shorten(str(seen["contact"].get("name", "")), 200),
        "us": desk.draft.look.rules.our_name,
        "sender": sender,
        "day": date_words(desk.today, _dates(desk, language)),
        "contract_end": _end_words(desk, language),
        "before": _paragraphs(_words(paper.before, language, seen)),
        "blocks": blocks,
    }


def _names(desk: Desk) -> list[str]:
    """The figures that the settings map, whether they have a value or not."""
    look = desk.draft.look
    company = look.people.company if look.people is not None else None
    return [f"deal.{name}" for name in look.deal.figures] + [
        f"company.{name}" for name in (company.figures if company is not None else {})
    ]


def _figures(desk: Desk, language: str) -> list[KeyFigure]:
    look = desk.draft.look
    now, start = present_figures(look.deal, look.people), _began(desk)
    return key_figures([*_names(desk), *start], now, start, language, look.rules.figure_names)


def _seen(
    desk: Desk, language: str, sender: str, figures: Sequence[KeyFigure], items: Sequence[InventoryItem]
) -> dict[str, Any]:
    """What the document's texts may show."""
    end = desk.draft.case.contract_end
    values: dict[str, Any] = desk.values(None)
    return values | {
        "case": {**values["case"], "language": language, "dates": _dates(desk, language)},
        "contract_end": end,
        "over": end is not None and end < desk.today,
        "us": desk.draft.look.rules.our_name,
        "sender": sender,
        "figures": [figure.label for figure in figures],
        "highlights": highlights(figures, language),
        "missing": _missing(figures, language),
        "report": any(rule.document is DocumentKind.ACHIEVEMENTS for rule in desk.rules.values()),
        "items": item_views(items, language),
    }


def highlights(figures: Sequence[KeyFigure], language: str) -> list[str]:
    """Figures that rose, as sentences without an end."""
    return [say("figure.rose", language, label=one.label, start=one.start, now=one.now) for one in figures if one.rose][
        :MOST_HIGHLIGHTS
    ]


def _missing(figures: Sequence[KeyFigure], language: str) -> list[str]:
    found = []
    for one in figures:
        for name, value in (("start", one.start), ("now", one.now)):
            if value == MISSING:
                found.append(say(f"figure.missing.{name}", language, label=one.label))
    return found


def _block(
    desk: Desk,
    block: Block,
    language: str,
    seen: Mapping[str, Any],
    figures: Sequence[KeyFigure],
    items: Sequence[InventoryItem],
) -> list[dict[str, Any]]:
    """A block as it is laid out: of a text, one part for each paragraph."""
    if block.kind == "highlights":
        return [{"kind": "bullet", "text": line} for line in seen["highlights"]]
    if block.kind == "figures":
        return [_figure_table(figures, language), *_chart(figures, language)]
    if block.kind == "milestones":
        return [_milestone_table(desk, milestones(desk, language, foresee=True), language)]
    if block.kind == "items":
        return [_item_table(desk, items, language)]
    words = _words(block.words, language, seen)
    kind = "paragraph" if block.kind == "text" else block.kind
    return [{"kind": kind, "text": part} for part in _paragraphs(words)]


def _figure_table(figures: Sequence[KeyFigure], language: str) -> dict[str, Any]:
    rows = [[one.label, one.start, one.now, one.change] for one in figures]
    return _table("figures", language, rows or [[MISSING] * 4 for _ in range(3)])


def _chart(figures: Sequence[KeyFigure], language: str) -> list[dict[str, Any]]:
    drawn = [one for one in figures if one.bars is not None and max(one.bars) > 0]
    if not drawn:
        return []
    bars = [{"label": one.label, "values": list(one.bars or ()), "words": [one.start, one.now]} for one in drawn]
    title = say("chart.title", language)
    spoken = "; ".join(f"{bar['label']}: {bar['words'][0]} → {bar['words'][1]}" for bar in bars)
    names = [say("chart.start", language), say("chart.now", language)]
    return [{"kind": "chart", "title": title, "text": f"{title}. {spoken}", "names": names, "bars": bars}]


def _milestone_table(desk: Desk, lines: Sequence[Milestone], language: str) -> dict[str, Any]:
    dates = _dates(desk, language)
    rows = [[date_words(one.day, dates) if one.day is not None else MISSING, one.title, one.who] for one in lines]
    return _table("milestones", language, rows)


def _item_table(desk: Desk, items: Sequence[InventoryItem], language: str) -> dict[str, Any]:
    users, dates = desk.draft.look.users, _dates(desk, language)
    rows = []
    for item in items:
        user = users.get(item.owner_id or "")
        who = user.name or user.email if user is not None else say("inventory.customer", language)
        due = date_words(item.due_on, dates) if item.due_on is not None else MISSING
        got = date_words(item.received_on, dates) if item.received_on is not None else ""
        rows.append(
            [shorten(item.title, 200), kind_words(item.kind, language), who, shorten(item.place, 300), due, got]
        )
    return _table("items", language, rows)


def _table(name: str, language: str, rows: list[list[str]]) -> dict[str, Any]:
    return {
        "kind": "table",
        "text": "",
        "name": name,
        "columns": say(f"columns.{name}", language).split("|"),
        "rows": rows,
    }


def _words(texts: Mapping[str, str], language: str, seen: Mapping[str, Any]) -> str:
    text = texts.get(language) or next(iter(texts.values()))
    try:
        return render(text, seen)
    except TextError:
        return render_anyway(text, seen)


def _paragraphs(words: str) -> list[str]:
    return [" ".join(part.split())[:LONGEST_PARAGRAPH] for part in words.split("\n\n") if part.strip()]


def _end_words(desk: Desk, language: str) -> str:
    end = desk.draft.case.contract_end
    return date_words(end, _dates(desk, language)) if end is not None else ""


def _dates(desk: Desk, language: str) -> str:
    return dated_as(language, desk.draft.look.rules.calendar)
