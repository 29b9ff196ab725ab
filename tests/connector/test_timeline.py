"""The customer's timeline: what concerns them, up to date, and nothing internal."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from connector.store import accounts, cases, intake
from connector.store.tables import LinkRow
from workflows.cases import CaseStatus, Step, StepStatus
from workflows.playbook import shipped_playbooks
from workflows.rules import LinkKind

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def path(house: Any) -> str:
    """The page of a case that follows the shipped plan, with one step done and one open."""
    playbook = shipped_playbooks()["saas"]
    steps = {rule.key: Step(key=rule.key, rule=rule.key) for rule in playbook.steps()}
    steps["plan-90"] = steps["plan-90"].model_copy(
        update={"status": StepStatus.DONE, "completed_at": datetime(2026, 3, 3, 10, tzinfo=UTC), "owner_id": "u1"}
    )
    for key in ("plan-60", "plan-30", "plan-short"):
        steps[key] = steps[key].model_copy(update={"status": StepStatus.SKIPPED})
    steps["inventory"] = steps["inventory"].model_copy(
        update={"status": StepStatus.OPEN, "due_at": datetime(2026, 3, 9, 16, tzinfo=UTC), "owner_id": "u1"}
    )
    steps["stop-reminders"] = steps["stop-reminders"].model_copy(update={"status": StepStatus.OPEN, "owner_id": "u1"})
    case = house.open_case().model_copy(
        update={
            "playbook_version": playbook.version,
            "confirmed_at": NOW,
            "contract_end": date(2026, 5, 31),
            "reason": "unhappy with the price",
            "steps": tuple(steps.values()),
        }
    )
    link_id = house.runtime.links.link_id(LinkKind.TIMELINE, case.id, None, "")
    users = [{"id": "u1", "name": "Ana Lind", "email": "ana@example.com"}]
    with house.store.write() as session:
        cases.save(session, case)
        cases.keep_playbook(session, playbook, NOW)
        accounts.change(session, "acme", known=dict(accounts.get(session, "acme").known) | {"users": users})
        row = LinkRow(id=link_id, account="acme", case_id=case.id, kind="timeline", contact_id=None, questionnaire="",
                      language="en", made_at=NOW, closed_at=None)  # fmt: skip
        intake.keep_link(session, row)
    address: str = house.runtime.links.address(LinkKind.TIMELINE, case.id, None, "")
    return address.removeprefix(house.runtime.settings.server.public_url)


@pytest.mark.row("P-2A")
def test_the_customer_sees_steps_days_and_counterparts(house: Any, path: str) -> None:
    text = html.unescape(house.client.get(path).text)
    assert "Atelier Lumière" in text
    assert "Our contract ends on 31 May 2026." in text
    assert text.index("We send you the plan of the transition") < text.index("You get the list of everything")
    assert '<time datetime="2026-03-09">9 March 2026</time>' in text
    assert "With Ana Lind" in text
    assert text.count('aria-current="step"') == 1
    assert text.count("We send you the plan") == 1  # of the four plans, the one that was sent


@pytest.mark.row("P-2A")
def test_nothing_internal_stands_on_it(house: Any, path: str) -> None:
    text = house.client.get(path).text
    for internal in ("unhappy", "Brasserie", "case-500", "post-mortem", "reminders", "renewal", "escalat", "win-back"):
        assert internal not in text
    playbook = shipped_playbooks()["saas"]
    for step in (step for step in playbook.steps() if not step.customer):
        for words in step.title.values():
            longest = max(re.split("{{.*?}}", words), key=len).strip()
            assert len(longest) < 12 or longest not in text


@pytest.mark.row("P-2A")
def test_it_speaks_the_customers_language(house: Any, path: str) -> None:
    text = html.unescape(house.client.get(path + "?lang=fr").text)
    assert "Notre contrat prend fin le 31 mai 2026." in text
    assert "Vous recevez la liste de tout ce qui vous appartient" in text
    assert '<html lang="fr">' in text


@pytest.mark.row("P-2A")
@pytest.mark.parametrize("status", [CaseStatus.CANCELLED, CaseStatus.STOPPED])
def test_it_stops_politely_when_the_plan_was_called_off(house: Any, path: str, status: CaseStatus) -> None:
    with house.store.write() as session:
        case = cases.by_id(session, "case-500")
        assert case is not None
        cases.save(session, case.model_copy(update={"status": status}))
    answer = house.client.get(path)
    assert answer.status_code == 410
    assert "This plan no longer applies" in answer.text
    assert "contract" not in answer.text


def test_it_goes_on_after_the_end_and_after_completion(house: Any, path: str) -> None:
    house.clock.sleep(100 * 24 * 3600)
    with house.store.write() as session:
        case = cases.by_id(session, "case-500")
        assert case is not None
        cases.save(session, case.model_copy(update={"status": CaseStatus.COMPLETED}))
    answer = house.client.get(path)
    assert answer.status_code == 200
    assert "Our contract ended on 31 May 2026." in answer.text


@pytest.mark.row("P-09", "P-2A")
def test_a_customer_who_stays_reads_that_a_part_ends(house: Any, path: str) -> None:
    partial = shipped_playbooks()["partial"]
    with house.store.write() as session:
        case = cases.by_id(session, "case-500")
        assert case is not None
        cases.keep_playbook(session, partial, NOW)
        cases.save(session, case.model_copy(update={"playbook": partial.key, "playbook_version": partial.version}))
    page = {lang: html.unescape(house.client.get(f"{path}?lang={lang}").text) for lang in ("en", "fr")}
    assert "The part concerned ends on 31 May 2026; everything else goes on." in page["en"]
    assert "La partie concernée s’arrête le 31 mai 2026\xa0; tout le reste continue." in page["fr"]
    assert "contract ends" not in page["en"]


def test_opening_it_changes_nothing_and_asks_the_crm_nothing(house: Any, path: str) -> None:
    before = len(house.events())
    for _ in range(3):
        assert house.client.get(path).status_code == 200
    assert house.client.post(path).status_code == 405
    assert len(house.events()) == before
    assert not house.agenda()


def test_an_address_that_is_none_is_not_found(house: Any, path: str) -> None:
    assert house.client.get(house.give_link().replace("/s/", "/timeline/")).status_code == 404
