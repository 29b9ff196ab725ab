"""Two versions of a playbook side by side."""

from __future__ import annotations

import pytest

from workflows.playbook import parse_playbook, shipped_playbooks
from workflows.playbook_diff import Change, changes
from workflows.rules import Playbook

OWN = """\
extends: saas
version: 2
languages: [fr]
phases: [{key: door, title: {fr: La suite}}]
steps:
  - {key: farewell, due: contract_end + 2d, body: {fr: Une carte.}}
  - {key: training, when: null, linked_to: [contact]}
  - {key: close-access, phase: door, due: contract_end + 40d}
  - {key: gift, after: farewell, owner: csm, due: contract_end, title: {fr: Un cadeau}, body: {fr: Petit.}}
remove: [win-back]
"""


@pytest.fixture(scope="module")
def found() -> tuple[Change, ...]:
    return changes(shipped_playbooks()["saas"], parse_playbook(OWN, "own.yaml"))


def test_a_playbook_does_the_same_as_itself() -> None:
    saas = shipped_playbooks()["saas"]
    assert changes(saas, Playbook.model_validate_json(saas.model_dump_json())) == ()


@pytest.mark.row("P-77")
@pytest.mark.parametrize(
    "change",
    [
        Change(kind="changed", step="farewell", key="due", before="contract_end", after="contract_end + 2d"),
        Change(kind="changed", step="training", key="when", before="days_left >= 21"),
        Change(kind="changed", step="training", key="linked_to", before="company", after="contact"),
        Change(kind="moved", step="close-access", key="phase", before="end", after="door"),
        Change(kind="added", step="gift", after="Un cadeau"),
        Change(kind="removed", step="win-back", before="Does the reason why {{ company.name }} left still hold?"),
        Change(kind="changed", key="languages", before="en, fr", after="fr"),
        Change(kind="changed", key="phases.door.title.fr", before="La porte reste ouverte", after="La suite"),
        Change(kind="changed", key="title.en", before="Goodbye to a subscription customer"),
    ],
    ids=lambda change: f"{change.kind} {change.step} {change.key}",
)
def test_every_difference_is_named(found: tuple[Change, ...], change: Change) -> None:
    assert change in found


def test_of_a_text_only_the_lines_that_differ_are_shown() -> None:
    change = Change(kind="changed", step="a", key="body.en", before="One\n---\nTwo", after="One\n---\nThree")
    assert change.lines() == ["-Two", "+Three"]
