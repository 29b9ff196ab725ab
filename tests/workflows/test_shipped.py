"""What ships is read without its checks when the product starts: here it must pass them all."""

from __future__ import annotations

import pytest

from workflows.documents import shipped_texts
from workflows.playbook import read_playbook, shipped_playbooks
from workflows.survey import read_questionnaire, shipped_questionnaires


@pytest.mark.parametrize("file", sorted(shipped_texts("playbooks")))
def test_a_shipped_playbook_has_no_fault_and_nothing_that_could_hurt(file: str) -> None:
    playbook, notes = read_playbook(shipped_texts("playbooks")[file], file)
    assert playbook == shipped_playbooks()[playbook.key]
    assert [note for note in notes if note.level == "warning"] == []


@pytest.mark.parametrize("file", sorted(shipped_texts("surveys")))
def test_a_shipped_questionnaire_has_no_fault_and_nothing_that_could_hurt(file: str) -> None:
    questionnaire, notes = read_questionnaire(shipped_texts("surveys")[file], file)
    assert questionnaire == shipped_questionnaires()[questionnaire.key]
    assert [note for note in notes if note.level == "warning"] == []
