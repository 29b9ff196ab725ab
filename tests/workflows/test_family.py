"""Save plans, baselines, and which playbook a goodbye follows: P-02, P-05, P-09, P-2D, P-60."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from workflows.cases import CaseStatus
from workflows.documents import PlaybookError
from workflows.guard import occasion, refusal
from workflows.playbook import load_playbooks, shipped_playbooks
from workflows.records import StageEntry
from workflows.rules import CaseKind, PlaybookRule
from workflows.writes import CreateTask

World = Any


@pytest.fixture
def family(world: World, make_book: Any, make_rule: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """An account that names a playbook for negotiations and one for deals that were won."""
    books = {
        "test": world.playbook,
        "save": make_book(make_rule("hear", "opened", "opened+2bd"), make_rule("offer", "step:hear", "step:hear+2bd")),
        "begin": make_book(make_rule("map", "opened", "opened+3d")),
        "ours": make_book(make_rule("tell")),
        "light": make_book(make_rule("wave")),
    }
    kinds = {"save": CaseKind.SAVE, "begin": CaseKind.BASELINE}
    named = {
        key: one.model_copy(update={"key": key, "kind": kinds.get(key, CaseKind.OFFBOARDING)})
        for key, one in books.items()
    }
    seen = world.seen

    def with_family(**more: Any) -> Any:
        look = seen(**more)
        followed = named.get(look.case.playbook) if look.case is not None else None
        return look.model_copy(update={"playbooks": named, "playbook": followed or look.playbook})

    monkeypatch.setattr(world, "seen", with_family)
    world.change_rules(save_playbook="save", baseline_playbook="begin")
    return world


def settle_looks(world: World) -> None:
    """Look until nothing calls for another look at once."""
    for _ in range(4):
        world.look()
        if world.last_decision.next_look != world.now:
            return


# --- P-02 negotiation is a plan too ---------------------------------------------------------------------------------


@pytest.mark.row("P-01", "P-02")
def test_a_negotiation_opens_a_save_plan_and_no_goodbye(family: World, fields_of: Any) -> None:
    family.enter("talks")
    writes = family.look()
    assert (family.case.kind, family.case.status, family.case.playbook) == ("save", CaseStatus.ACTIVE, "save")
    assert [write.subject for write in writes if isinstance(write, CreateTask)] == ["hear: Hotel Aurora"]
    assert fields_of(writes) == {}, "automations would read an offboarding status as: this customer leaves"


@pytest.mark.row("P-02")
def test_a_save_plan_whose_deal_is_renewed_ends_as_saved(family: World, notes_of: Any) -> None:
    family.enter("talks")
    family.look()
    family.change_rules(baseline_playbook=None)
    family.enter("won")
    writes = family.look()
    assert (family.case.status, family.case.outcome) == (CaseStatus.COMPLETED, "saved")
    assert family.statuses()["hear"] == "closed"
    assert [note.title for note in notes_of(writes)] == ["Save plan ended"]
    assert len(family.cases) == 1


@pytest.mark.row("P-02")
def test_a_lost_negotiation_folds_the_save_plan_and_lets_the_goodbye_begin_by_its_own_rules(family: World) -> None:
    family.change_rules(settle_for=timedelta(hours=24))
    family.enter("talks")
    family.look()
    family.wait(days=2)
    assert family.case.status is CaseStatus.ACTIVE
    family.enter("lost")
    settle_looks(family)
    save, goodbye = family.cases
    assert (save.status, save.outcome) == (CaseStatus.CANCELLED, "not_renewing")
    assert (goodbye.kind, goodbye.status) == ("offboarding", CaseStatus.SETTLING)
    family.wait(days=2)
    assert family.case.status is CaseStatus.ACTIVE
    assert all(
        task.done for key, task in zip(family.made, family.tasks.values(), strict=True) if key.startswith("case-1")
    )


@pytest.mark.row("P-02")
def test_a_save_plan_waits_for_the_end_of_the_negotiation_even_when_all_is_done(family: World) -> None:
    family.enter("talks")
    family.look()
    for step in ("hear", "offer"):
        family.finish(step)
        family.look()
    assert family.case.status is CaseStatus.ACTIVE
    family.enter("won")
    family.look()
    assert family.case.outcome == "saved"


@pytest.mark.row("P-02", "P-08")
def test_talks_that_begin_anew_after_a_goodbye_open_a_second_save_plan_and_a_second_goodbye(family: World) -> None:
    for stage in ("talks", "lost", "talks", "lost"):
        family.enter(stage)
        settle_looks(family)
        family.wait(days=3)
    assert [case.kind for case in family.cases] == ["save", "offboarding", "save", "offboarding"]
    assert [case.is_open for case in family.cases] == [False, False, False, True]


def test_an_account_that_names_no_save_playbook_lets_negotiations_be(family: World) -> None:
    family.change_rules(save_playbook=None)
    family.enter("talks")
    assert family.look() == ()
    assert family.cases == []


# --- P-60 the baseline ----------------------------------------------------------------------------------------------


@pytest.mark.row("P-60")
@pytest.mark.parametrize("stage", ["won", "signed"])
def test_a_deal_that_is_won_or_renewed_gets_its_baseline_within_three_days(family: World, stage: str) -> None:
    family.change_rules(won=frozenset({"signed"}), starts_at=family.now - timedelta(days=1))
    family.enter(stage)
    [task] = family.look()
    assert family.case.kind is CaseKind.BASELINE
    assert task.due_at - family.now <= timedelta(hours=80)
    family.finish("map")
    family.look()
    assert (family.case.status, family.case.outcome) == (CaseStatus.COMPLETED, "completed")
    family.look()
    assert len(family.cases) == 1, "once for each win"


@pytest.mark.row("P-60", "P-71")
@pytest.mark.parametrize("asked", [False, True])
def test_a_deal_won_before_the_switch_on_gets_no_baseline_even_when_asked(family: World, asked: bool) -> None:
    family.enter("won")
    family.change_rules(starts_at=family.now + timedelta(hours=1))
    family.asked = asked
    assert family.look() == ()
    family.change(stage_history=())
    present = occasion(family.rules, family.deal)
    assert "baseline" in (refusal(family.seen(), present) or ""), "nobody can tell when it was won"
    assert family.cases == []


@pytest.mark.row("P-60")
def test_a_saved_customer_gets_a_new_baseline_at_once(family: World) -> None:
    family.enter("talks")
    family.look()
    family.enter("won")
    settle_looks(family)
    assert [(case.kind, case.outcome) for case in family.cases] == [("save", "saved"), ("baseline", "")]


@pytest.mark.row("P-60")
def test_a_baseline_asks_for_its_first_score_without_waiting_for_the_contract_to_end(
    family: World, make_book: Any, make_rule: Any
) -> None:
    survey = make_rule(
        "score",
        "opened+5bd",
        "opened+8bd",
        per_contact=True,
        link="survey",
        questionnaire="exit",
        call_body={"en": "?"},
    )
    begin = make_book(survey).model_copy(update={"key": "begin", "kind": CaseKind.BASELINE})
    family.seen().playbooks["begin"] = begin
    family.enter("won")
    family.look()
    family.wait(days=10)
    assert family.statuses() == {"score@p1": "open"}
    assert "_link:p1" not in family.case.written, "mail automations would send it as an exit survey"


# --- which playbook a goodbye follows -------------------------------------------------------------------------------


@pytest.mark.row("P-05", "P-77")
def test_an_ending_of_our_own_follows_its_own_playbook_once_the_reason_is_known_and_for_good(family: World) -> None:
    ours = PlaybookRule(when='deal.exit_reason == "Our decision"', playbook="ours")
    family.change_rules(asks_reason=True, playbooks=(ours,))
    family.enter("lost")
    family.look()
    assert (family.case.status, family.case.playbook) == (CaseStatus.AWAITING_REASON, "test")
    family.change(exit_reason="Our decision")
    family.look()
    assert (family.case.playbook, list(family.statuses())) == ("ours", ["_reason", "tell"])
    family.change(exit_reason="Price")
    family.look()
    assert family.case.playbook == "ours"


@pytest.mark.row("P-2D")
@pytest.mark.parametrize(("finished", "expected"), [(("hear", "offer"), "light"), (("hear",), "test"), ((), "test")])
def test_a_negotiation_done_in_all_its_steps_makes_the_goodbye_light(
    family: World, finished: tuple[str, ...], expected: str
) -> None:
    family.change_rules(playbooks=(PlaybookRule(when="case.save_steps_done", playbook="light"),))
    family.enter("talks")
    family.look()
    for step in finished:
        family.finish(step)
        family.look()
    family.enter("lost")
    settle_looks(family)
    assert family.case.playbook == expected


@pytest.mark.row("P-2D", "P-2E")
@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("case.save_steps_done", "test"),
        ("case.save_steps_left <= 1", "light"),
        ("case.save_steps_left == 0", "test"),
        ("'hear' in case.save_steps_seen_to", "light"),
        ("'offer' in case.save_steps_seen_to", "test"),
    ],
)
def test_an_account_says_itself_what_makes_a_negotiation_clean(family: World, when: str, expected: str) -> None:
    family.change_rules(playbooks=(PlaybookRule(when=when, playbook="light"),))
    family.enter("talks")
    family.look()
    family.touch("hear", deferred=True, text="not applicable: they had decided")
    family.look()
    assert family.statuses() == {"hear": "not_applicable", "offer": "open"}
    family.enter("lost")
    settle_looks(family)
    assert family.case.playbook == expected


@pytest.mark.row("P-2D", "P-2E")
def test_a_step_set_aside_as_not_applicable_leaves_a_negotiation_clean(family: World) -> None:
    family.change_rules(playbooks=(PlaybookRule(when="case.save_steps_done", playbook="light"),))
    family.enter("talks")
    family.look()
    family.touch("hear", deferred=True, text="not applicable: they had decided")
    family.look()
    family.finish("offer")
    family.look()
    family.enter("lost")
    settle_looks(family)
    assert family.case.playbook == "light"


@pytest.mark.row("P-2D")
def test_steps_that_the_end_of_the_negotiation_makes_needless_need_not_be_done(
    family: World, make_book: Any, make_rule: Any
) -> None:
    save = make_book(
        make_rule("hear", "opened", "opened+2bd"),
        make_rule("say", "step:hear", "step:hear+2bd", until="concluded"),
        make_rule("month", "opened+30d", "opened+33d", until="concluded"),
    )
    family.seen().playbooks["save"] = save.model_copy(update={"key": "save", "kind": CaseKind.SAVE})
    family.change_rules(playbooks=(PlaybookRule(when="case.save_steps_done", playbook="light"),))
    family.enter("talks")
    family.look()
    family.finish("hear")
    family.look()
    assert family.statuses() == {"hear": "done", "say": "open", "month": "waiting"}
    family.enter("lost")
    settle_looks(family)
    assert family.case.playbook == "light"
    text = "extends: light\nversion: 1\nplaybook: odd\nsteps:\n  - {key: survey, until: concluded}\n"
    with pytest.raises(PlaybookError, match="only a negotiation is concluded"):
        load_playbooks({"odd.yaml": text}, {})


@pytest.mark.row("P-2D")
@pytest.mark.parametrize(("days", "expected"), [(40, "light"), (10, "test")])
def test_a_long_negotiation_makes_the_goodbye_light_without_a_save_plan_too(
    family: World, days: int, expected: str
) -> None:
    family.change_rules(
        save_playbook=None, playbooks=(PlaybookRule(when="case.days_negotiated >= 30", playbook="light"),)
    )
    began = family.now - timedelta(days=days)
    family.change(stage_history=(StageEntry(stage_id="talks", at=began),))
    family.enter("lost")
    family.look()
    assert family.case.playbook == expected


def test_a_condition_that_cannot_be_told_is_logged_and_the_usual_playbook_followed(family: World) -> None:
    family.change_rules(playbooks=(PlaybookRule(when="deal.amount > 'x'", playbook="light"),))
    family.enter("lost")
    family.look()
    assert family.case.playbook == "test"
    assert "condition left aside" in family.happened()


# --- what ships -----------------------------------------------------------------------------------------------------


@pytest.mark.row("P-02", "P-05", "P-09", "P-2D", "P-60", "P-61", "P-62")
def test_the_family_that_ships_has_a_playbook_for_each_kind() -> None:
    kinds = {key: playbook.kind for key, playbook in shipped_playbooks().items()}
    assert kinds["save-plan"] is CaseKind.SAVE
    assert kinds["baseline"] is CaseKind.BASELINE
    assert {key for key, kind in kinds.items() if kind is CaseKind.OFFBOARDING} >= {
        "saas",
        "light",
        "partial",
        "vendor-ended",
    }
