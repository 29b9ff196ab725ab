"""The words of the documents that steps attach: letter, achievements, farewell, case study, plan, inventory.

What ships in ``papers/*.yaml`` are texts in every language, in blocks; how they look is a matter of the templates into
which they are put. So the page on the web and the editable file say the same, and the tone guard reads both (P-27).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from workflows.documents import (
    Doc,
    Document,
    Loc,
    PlaybookError,
    Wording,
    language_faults,
    load,
    load_all,
    model_faults,
    shipped_texts,
    translation_faults,
)
from workflows.said import Said
from workflows.texts import CONDITION_NAMES, check_text

PAPER_NAMES = (CONDITION_NAMES - {"days_left"}) | {
    "contract_end",
    "exit_rights",
    "figures",
    "highlights",
    "items",
    "missing",
    "over",
    "report",
    "sender",
    "us",
}
"""What the texts of a document may show. ``over``: the contract has ended. ``report``: the plan
makes a report of what was achieved. ``us``: our name, ``sender``: the step's
owner. ``highlights``: figures that rose, as sentences; ``missing``: what is not known of the others."""


class Block(Doc):
    """One part of a document: a text, or something that is laid out from the case."""

    text: Wording = Field({}, description="Paragraphs, apart by empty lines.")
    heading: Wording = Field({}, description="A heading.")
    question: Wording = Field({}, description="A question, with room for the answer.")
    signature: Wording = Field({}, description="Who signs.")
    highlights: Literal[True] | None = Field(None, description="Figures that rose, one line each.")
    figures: Literal[True] | None = Field(None, description="The key figures: at the start, now, the change, a chart.")
    milestones: Literal[True] | None = Field(None, description="The steps that the customer sees, with their dates.")
    items: Literal[True] | None = Field(None, description="The inventory.")

    @model_validator(mode="after")
    def _one(self) -> Block:
        if len(self.model_fields_set) != 1:
            raise ValueError(Said("a block is one of: %(known)s", known=", ".join(type(self).model_fields)))
        return self

    @property
    def kind(self) -> str:
        """Which of its keys is there."""
        return next(iter(self.model_fields_set))

    @property
    def words(self) -> Mapping[str, str]:
        """Its text by language; empty where it is laid out from the case."""
        value = getattr(self, self.kind)
        return value if isinstance(value, dict) else {}


class Paper(Doc):
    """A whole document. ``before`` tells the colleague what to do before it is sent; it is no part of the file."""

    key: str = Field(alias="paper")
    layout: Literal["letter", "report"]
    languages: list[str] = Field(min_length=1)
    title: Wording
    before: Wording
    blocks: list[Block] = Field(min_length=1)

    def language(self, *wishes: str | None) -> str:
        """The first of these languages that it is written in (``fr`` for ``fr-CA``), else its own first."""
        for wish in wishes:
            for code in (wish or "", (wish or "").replace("_", "-").partition("-")[0]):
                if code in self.languages:
                    return code
        return self.languages[0]


def parse_paper(text: str | bytes, file: str) -> Paper:
    """The document that this YAML says. Raises :class:`PlaybookError` with everything that is wrong."""
    document = load(text, file)
    try:
        paper = Paper.model_validate(document.data)
    except ValidationError as error:
        raise PlaybookError(model_faults(document, error, Paper)) from None
    faults = [*language_faults(document), *translation_faults(document, _texts(document))]
    for loc, texts in _texts(document):
        for language, words in texts.items():
            if problem := check_text(words, PAPER_NAMES):
                faults.append(document.fault((*loc, language), words, problem))
    if faults:
        raise PlaybookError(faults)
    return paper


def _texts(document: Document) -> Iterator[tuple[Loc, dict[str, Any]]]:
    yield ("title",), document.data["title"]
    yield ("before",), document.data["before"]
    for at, block in enumerate(document.data["blocks"]):
        for name, value in block.items():
            if isinstance(value, dict):
                yield ("blocks", at, name), value


@cache
def shipped_papers() -> Mapping[str, Paper]:
    """The documents that come with the product, by key."""
    return load_all(shipped_texts("papers"), parse_paper, "paper")
