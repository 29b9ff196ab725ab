"""The console's page of wishes: words gathered, what became of each wish, and who was told (P-52)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import console_kit as kit
import pytest

from connector.store import agenda, cases, intake
from connector.store.tables import LinkRow
from workflows.cases import Case, CaseStatus, Step, StepStatus
from workflows.questions import Answer

pytestmark = pytest.mark.row("P-52")
PAGE = "/console/wishes/?account=acme"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[kit.Desk]:
    rig = kit.make_rig("hubspot")
    made = kit.build_desk(rig, tmp_path)
    assert made.sign_in().status_code == 303
    yield made
    made.runtime.close()
    rig.close()


def leave(desk: kit.Desk, number: int, words: str) -> None:
    """A customer has left, and said what was missing."""
    now, case_id = desk.rig.now(), f"case-{number}"
    case = Case(
        id=case_id,
        account="acme",
        deal_id=f"50{number}",
        deal_name=f"Hotel {number}",
        status=CaseStatus.COMPLETED,
        playbook="saas",
        language="en",
        stage_id="20",
        entered_at=now,
        opened_at=now,
    )
    link = LinkRow(id=f"link-{number}", account="acme", case_id=case_id, kind="survey", contact_id=f"p{number}")
    link.questionnaire, link.language, link.made_at = "exit", "en", now
    said = Answer(
        case_id=case_id,
        contact_id=f"p{number}",
        questionnaire="exit",
        by="customer",
        language="en",
        at=now,
        values={"recommend": 7, "reason": "product_gap", "missing": words},
    )
    with desk.runtime.store.write() as session:
        cases.save(session, case)
        session.add(link)
        session.flush()
        intake.save_answer(session, link, said)


def test_a_wish_goes_from_words_to_who_was_told_on_one_page(desk: kit.Desk) -> None:
    leave(desk, 1, "No <b>export</b>.")
    leave(desk, 2, "Export to Excel!")
    html = desk.get(PAGE).text
    assert "No &lt;b&gt;export&lt;/b&gt;." in html
    assert 'href="/console/wishes/" aria-current="page"' in html, "the navigation leads here"
    today = desk.rig.now().date()
    for path in ("gather", "1/built", "1/declined"):
        forged = {"text": "a forged wish", "wish": "new", "on": today.isoformat(), "csrf_token": "forged"}
        assert desk.post(f"/console/wishes/acme/{path}", forged, page=PAGE).status_code == 400
    assert "a forged wish" not in desk.get(PAGE).text
    chosen = {"voice": ["link-1|missing", "link-2|missing"], "wish": "new"}
    assert desk.post("/console/wishes/acme/gather", chosen | {"text": " "}, page=PAGE).status_code == 422
    answer = desk.post("/console/wishes/acme/gather", chosen | {"text": "an export"}, page=PAGE)
    assert (answer.status_code, answer.location) == (303, f"{PAGE}#wish-1")
    late = {"on": (today + timedelta(days=3)).isoformat(), "note": "soon"}
    assert desk.post("/console/wishes/acme/1/built", late, page=PAGE).status_code == 422
    no = {"on": today.isoformat(), "note": "too few asked"}
    assert desk.post("/console/wishes/acme/1/declined", no, page=PAGE).status_code == 303
    html = desk.get(PAGE).text
    assert "too few asked" in html
    assert "declined on" in html
    with desk.runtime.store.read() as session:
        assert agenda.depth(session, desk.rig.now()) == {}, "nobody is told of that"
    built = {"on": (today - timedelta(days=1)).isoformat(), "note": "under Reports"}
    assert desk.post("/console/wishes/acme/1/built", built, page=PAGE).status_code == 303
    with desk.runtime.store.write() as session:
        assert agenda.depth(session, desk.rig.now())["acme"][0] == 2
        done = Step(key="you-asked.1@p1", rule="you-asked.1", contact_id="p1", status=StepStatus.DONE)
        case = cases.by_id(session, "case-1")
        assert case is not None
        done = done.model_copy(update={"completed_at": desk.rig.now()})
        cases.save(session, case.model_copy(update={"steps": (done,)}))
    html = desk.get(PAGE + "&lang=fr").text
    assert "disponible depuis le" in html
    assert html.count("prévenu le") == 1
    assert html.count("pas de tâche à ce jour") == 1
    assert desk.post("/console/wishes/acme/9/built", built, page=PAGE).status_code == 404
