"""Endings that are not alike, each with the playbook that ships for it, on every CRM: who ended it, how long it was
talked about, whom one can reach, which rights the contract gives, and how content they leave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from workflows.tone import review
from workflows.tone_check import drafts

OUR_DECISION = {"hubspot": "Other", "salesforce": "Our decision"}
CHOICES = [
    {"when": 'deal.exit_reason in ["Other", "Our decision"]', "playbook": "vendor-ended"},
    {"when": "case.save_steps_done", "playbook": "light"},
]


@pytest.fixture
def account_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a test wants to differ."""
    return dict(getattr(request, "param", {}))


def work_out(system: Any) -> None:
    while system.work():
        pass


def go_on(system: Any, days: float) -> None:
    """Time passes, and whatever comes due on the way is worked on."""
    until = system.rig.now() + timedelta(days=days)
    while (due := min(system.agenda().values(), default=until)) < until:
        system.rig.advance(max(due - system.rig.now(), timedelta(0)))
        system.work()
    system.rig.advance(until - system.rig.now())
    system.work()


def task_about(system: Any, deal: str, words: str) -> Any:
    [found] = [task for task in system.rig.tasks(deal) if words in task.subject]
    return found


def subjects(system: Any, deal: str) -> str:
    return "\n".join(task.subject for task in system.rig.tasks(deal))


def page_in(text: str, kind: str) -> str:
    found = re.search(rf"https://[^/\s\"]+(/{kind}/[a-z2-7]+)", unescape(text))
    assert found is not None, text
    return found[1]


def send(system: Any, path: str, answers: Mapping[str, str]) -> None:
    """Open one of our pages, fill in and send it, as a person does."""
    seal = re.search(r'name="form-seal" value="([^"]+)"', system.web.get(path).text)
    assert seal is not None
    reply = system.web.post(path, data={**answers, "form-seal": seal[1]})
    assert reply.status_code == 303, reply.text
    work_out(system)


def finish_open(system: Any, deal: str) -> None:
    for task in system.rig.tasks(deal):
        if not task.done:
            system.rig.complete_task(task.id)
    system.rig.advance(timedelta(minutes=5))
    system.work(poll=True)
    work_out(system)


def drafted(system: Any, deal: str) -> Iterator[str]:
    """The texts for the customer in the deal's tasks, as people read them there."""
    for task in system.rig.tasks(deal):
        yield from drafts(re.sub(r"<[^>]+>", "", unescape(task.body).replace("<br>", "\n").replace("</p>", "\n")))


# --- who ended it, and how ------------------------------------------------------------------------------------------


@pytest.mark.row("P-05", "P-27", "P-2D")
@pytest.mark.parametrize("account_settings", [{"save_playbook": "save-plan", "playbooks": CHOICES}], indirect=True)
def test_each_ending_is_told_in_words_of_its_own_and_none_of_them_hurts(system: Any) -> None:
    talked, abrupt = system.renewal("Talked renewal"), system.renewal("Abrupt renewal")
    system.rig.advance(timedelta(minutes=15))
    system.work(poll=True)
    while "Say on the deal how Talked has decided" not in subjects(system, talked):
        finish_open(system, talked)
        go_on(system, 1)
    system.rig.complete_task(task_about(system, talked, "what was said").id)
    end = (system.rig.now() - timedelta(days=3)).date()
    ours = system.renewal("Ours renewal", contacts=1, exit_reason=OUR_DECISION[system.rig.name], contract_end=end)
    system.lose(talked, abrupt, ours)
    work_out(system)
    followed = {deal: system.case(deal).playbook for deal in (talked, abrupt, ours)}
    assert followed == {talked: "light", abrupt: "saas", ours: "vendor-ended"}, "the plan was gone through to its end"
    assert "Thank Talked for a clear decision" in subjects(system, talked)
    assert "Tell Abrupt that you have heard them" in subjects(system, abrupt)
    assert "Agree who tells Ours" in subjects(system, ours), "who leaves by our decision has told us nothing to hear"
    assert "have heard" not in subjects(system, ours)
    for days in (1, 13):
        finish_open(system, ours)
        go_on(system, days)
    said = [text for deal in (talked, abrupt, ours) for text in drafted(system, deal)]
    assert len(said) >= 6
    assert [finding.phrase for text in said for finding in review(text, "en")] == []
    asked = system.web.get(page_in(task_about(system, ours, "how fairly we parted").body, "s")).text
    assert 'name="fair"' in asked
    assert 'name="reason"' not in asked, "the reason was ours"
    assert "exit conversation" not in subjects(system, talked) + subjects(system, ours), "nothing is asked twice"
