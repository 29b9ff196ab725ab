"""Each playbook that ships has a page, and the page says what the playbook does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workflows.playbook import shipped_playbooks
from workflows.playbook_checks import spell

PAGES = Path(__file__).parents[2] / "docs" / "playbooks"


def test_every_playbook_has_a_page_and_no_other() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(shipped_playbooks())


@pytest.mark.parametrize("key", sorted(shipped_playbooks()))
def test_the_page_names_every_step_with_its_title_dates_and_owner(key: str) -> None:
    page = (PAGES / f"{key}.md").read_text("utf-8")
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line.startswith("| `")]
    told = {row[0].strip(" `"): [cell.strip().replace("\\|", "|") for cell in row[1:]] for row in rows}
    steps = {step.key: step for step in shipped_playbooks()[key].steps()}
    assert list(told) == list(steps)
    for name, (appears, due, owner, asks) in told.items():
        step = steps[name]
        assert (appears.partition(",")[0], due, owner) == (spell(step.release), spell(step.due), step.owner), name
        title = step.title["en"].replace("{{ company.name }}", "[company]").replace("{{ contact.name }}", "[contact]")
        title = re.sub(r"{{ item\..*?}}", "[item]", title).replace("{{ case.score }}", "[score]")
        assert asks.startswith(title), name
        assert ("only if" in asks) == (step.when is not None), name
    assert f"`{key}`" in page.splitlines()[0]
