"""docs/playbooks.md is what admins write by: it must name every key, and its example must work."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from workflows.people import RULES
from workflows.playbook import (
    OverrideDoc,
    PhaseDoc,
    PlaybookDoc,
    StepChangeDoc,
    StepDoc,
    parse_playbook,
    playbook_schema,
)
from workflows.rules import Anchor
from workflows.survey import OptionDoc, QuestionDoc, QuestionnaireDoc, SectionDoc, questionnaire_schema
from workflows.texts import TEXT_NAMES
from workflows.tone import Rule

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "playbooks.md").read_text("utf-8")


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the first table below this heading, by the word in their first cell."""
    section = re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], flags=re.MULTILINE)[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("Keys of the file", PlaybookDoc),
        ("Keys of a phase", PhaseDoc),
        ("Keys of a step", StepDoc),
        ("Keys of a file that changes another", OverrideDoc),
        ("Keys of a questionnaire", QuestionnaireDoc),
        ("Keys of a section", SectionDoc),
        ("Keys of a question", QuestionDoc),
        ("Keys of an option", OptionDoc),
    ],
)
def test_every_key_is_explained_and_no_other(heading: str, model: type[BaseModel]) -> None:
    rows = table(heading)
    assert rows.keys() == model.model_fields.keys()
    assert {key for key, row in rows.items() if row[0] == "yes"} == {
        key for key, spec in model.model_fields.items() if spec.is_required()
    }


def test_every_anchor_owner_rule_and_name_is_explained() -> None:
    assert table("Moments").keys() == {
        f"{anchor}:<key>" if anchor in (Anchor.STEP, Anchor.OVERDUE) else str(anchor) for anchor in Anchor
    }
    assert table("Owners").keys() == set(RULES)
    assert table("Texts and conditions").keys() == TEXT_NAMES


def test_a_changed_step_knows_every_key_of_a_step_and_its_place() -> None:
    rows = table("Keys of a changed step")
    assert rows.keys() == StepChangeDoc.model_fields.keys() - StepDoc.model_fields.keys() | {"key"}


def test_the_example_of_a_change_works_as_it_stands() -> None:
    example = PAGE.split("```yaml\n", 2)[2].split("```", 1)[0]
    keys = [step.key for step in parse_playbook(example, "docs").steps()]
    assert "gift" in keys
    assert "win-back" not in keys


def test_every_rule_of_tone_is_explained() -> None:
    assert table("Tone").keys() == set(Rule)


def test_the_example_works_as_it_stands() -> None:
    example = PAGE.split("```yaml\n", 1)[1].split("```", 1)[0]
    assert [step.key for step in parse_playbook(example, "docs").steps()] == ["thank-them", "survey"]


@pytest.mark.parametrize(
    ("file", "schema"),
    [("playbook.schema.json", playbook_schema()), ("questionnaire.schema.json", questionnaire_schema())],
)
def test_the_schemas_that_editors_read_are_those_of_the_code(file: str, schema: dict[str, Any]) -> None:
    assert json.loads((DOCS / file).read_text("utf-8")) == json.loads(json.dumps(schema)), (
        f"the format has changed: write it to docs/{file} again"
    )


def test_files_that_the_page_points_to_exist() -> None:
    for path in re.findall(r"\]\(\.\./([^)]+)\)", PAGE):
        assert (DOCS.parent / path).is_file(), path
