"""The look back: which signs came before the loss, and what cannot be told (P-41)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflows.cases import Baseline, CaseStatus, FigureChange, StartingPerson
from workflows.lookback import LOOK_BACK
from workflows.records import Company, OwnerEntry, People, Role
from workflows.rules import SignRule
from workflows.signs import SignKind, label, readings, rising_is_bad, signs, stalled
from workflows.writes import CreateNote, Write

LOSS = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SINCE = LOSS - timedelta(days=365)


def changes(figure: str, *values: tuple[int, str | None], before: str | None = None) -> list[FigureChange]:
    """The figure had each value from so many days before the loss on."""
    made = []
    for days, value in values:
        made.append(FigureChange(figure=figure, value=value, at=LOSS - timedelta(days=days), before=before))
        before = value
    return made


def found(
    figure: str, *values: tuple[int, str | None], rule: SignRule | None = None, **more: Any
) -> list[tuple[str, ...]]:
    told = signs(readings(changes(figure, *values, **more), SINCE), rule or SignRule())
    return [(sign.kind.value, sign.before, sign.after, sign.worst) for sign in told]


USERS, TICKETS, NPS, HEALTH = "company.active_users", "company.open_tickets", "deal.nps", "company.health"


@pytest.mark.row("P-41")
@pytest.mark.parametrize(
    ("figure", "values", "told"),
    [
        (USERS, [(300, "100"), (200, "81")], []),
        (USERS, [(300, "100"), (200, "80")], [("fell", "100", "80", "80")]),
        (USERS, [(300, "100"), (250, "120"), (200, "90"), (100, "30")], [("fell", "120", "90", "30")]),
        (USERS, [(300, "100"), (200, "100.0"), (100, "9e1"), (50, "70.50")], [("fell", "100", "70.5", "70.5")]),
        (TICKETS, [(300, "4"), (200, "6")], [("rose", "4", "6", "6")]),
        (TICKETS, [(300, "4"), (200, "1"), (100, "3"), (50, "9")], [("rose", "1", "3", "9")]),
        (TICKETS, [(300, "0"), (200, "2")], []),
        (TICKETS, [(300, "9"), (200, "2")], []),
        (NPS, [(300, "9"), (200, "8")], []),
        (NPS, [(300, "9"), (200, "7")], [("fell", "9", "7", "7")]),
        (NPS, [(300, "40"), (200, "-10")], [("fell", "40", "-10", "-10")]),
        (HEALTH, [(300, "Green"), (200, "Red")], [("changed", "Green", "Red", "Red")]),
        (USERS, [(300, "100"), (200, None)], [("emptied", "100", "", "")]),
        (USERS, [(300, "0"), (200, "0")], []),
        (USERS, [(300, None), (200, "  ")], []),
    ],
)
def test_what_counts_as_a_sign(figure: str, values: list[tuple[int, str | None]], told: list[tuple[str, ...]]) -> None:
    assert found(figure, *values) == told


def test_a_value_from_before_the_period_counts_from_its_first_day() -> None:
    [sign] = signs(readings(changes(USERS, (100, "10"), before="100"), SINCE), SignRule())
    assert (sign.before, sign.after, sign.since) == ("100", "10", SINCE)


def test_a_figure_that_recovers_is_told_with_the_day_and_may_fall_again() -> None:
    told = signs(readings(changes(USERS, (300, "100"), (200, "50"), (150, "110"), (90, "60")), SINCE), SignRule())
    assert [(one.before, one.after, one.over is not None) for one in told] == [
        ("100", "50", True),
        ("110", "60", False),
    ]


def test_thresholds_and_directions_come_from_the_settings() -> None:
    fell = [(300, "100"), (200, "70")]
    assert found(USERS, *fell, rule=SignRule(falls_by=40)) == []
    rule = SignRule(rising_is_bad=frozenset({"company.logins_failed"}))
    assert found("company.logins_failed", (300, "10"), (200, "20"), rule=rule) == [("rose", "10", "20", "20")]
    assert rising_is_bad(TICKETS, SignRule())
    assert not rising_is_bad(USERS, SignRule())


def test_a_figure_that_does_not_move_has_stalled_after_a_while() -> None:
    series = readings(changes("deal.use_cases_live", (200, "1"), (100, "1")), SINCE)["deal.use_cases_live"]
    rule = SignRule(stalls_after=timedelta(days=90))
    sign = stalled("deal.use_cases_live", series, LOSS, rule)
    assert sign is not None
    assert (sign.kind, sign.after, sign.since) == (SignKind.STALLED, "1", LOSS - timedelta(days=200))
    assert stalled("deal.use_cases_live", series, LOSS - timedelta(days=120), rule) is None
    assert stalled("deal.use_cases_live", series, LOSS, SignRule()) is None
    assert stalled("deal.use_cases_live", [], LOSS, rule) is None


def test_figures_are_named_in_words() -> None:
    assert label("company.active_users") == "active users"
    assert label("company.ActiveUsers__c") == "active users"
    assert label("deal.NPS") == "NPS"


# --- on the deal ----------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(world: Any) -> Any:
    """A world with mapped figures."""
    world.rules = world.rules.model_copy(update={"figures": (USERS, NPS)})
    world.people = People(
        company=Company(id="c1", name="Hotel Aurora", owner_id="u2", figures={"active_users": "30"}),
        contacts=world.people.contacts,
    )
    return world


def note(writes: tuple[Write, ...]) -> CreateNote:
    [made] = [one for one in writes if isinstance(one, CreateNote) and one.key.endswith(LOOK_BACK)]
    return made


@pytest.mark.row("P-41")
def test_the_timeline_is_noted_once_when_the_plan_starts(watched: Any) -> None:
    watched.history = tuple(changes(USERS, (300, "120"), (110, "80"), (20, "30")))
    watched.change(
        owner_history=(
            OwnerEntry(owner_id="u1", at=LOSS - timedelta(days=41)),
            OwnerEntry(owner_id="u3", at=LOSS - timedelta(days=900)),
        )
    )
    watched.baseline = Baseline(
        people=(StartingPerson(contact_id="p1"), StartingPerson(contact_id="p9", roles=(Role.DECIDER,))),
        people_at=LOSS - timedelta(days=700),
    )
    watched.enter("lost")
    made = note(watched.look())
    lines = made.body.splitlines()
    assert "- November 12, 2025 (110 days before): active users fell from 120 to 80, later 30" in lines
    assert "- January 20, 2026 (41 days before): the deal passed from Chloé to Ana" in lines
    assert lines[2].endswith(
        "no longer on the deal: 1 of the 2 people on the stakeholder map of the start, a decider among them"
    )
    assert "- nps: empty, now and in all the history there is" in lines
    assert made.company_id == "c1"
    watched.history = ()
    watched.wait(days=40)
    assert watched.reads.count("history") == 1
    assert "fell from 120 to 80" in watched.case.written[LOOK_BACK]


@pytest.mark.row("P-41")
def test_what_the_crm_kept_no_history_of_is_said_plainly(watched: Any) -> None:
    watched.rules = watched.rules.model_copy(update={"language": "fr"})
    watched.history = tuple(changes(NPS, (30, "9"), (10, "8")))
    watched.enter("lost")
    body = note(watched.look()).body
    assert "Aucun chiffre n’a donné de signe" in body
    assert "- active users : le CRM n’en a gardé aucun historique ; valeur actuelle : 30" in body
    assert "- nps : connu seulement depuis le 31 janvier 2026" in body


def test_what_happened_after_the_loss_is_no_sign_of_it(watched: Any) -> None:
    watched.rules = watched.rules.model_copy(update={"asks_reason": True})
    watched.history = tuple(changes(USERS, (300, "100"), (-3, "1")))
    watched.enter("lost")
    watched.look()
    watched.wait(days=6)
    [made] = [body for body in (watched.case.written.get(LOOK_BACK),) if body]
    assert "fell" not in made


@pytest.mark.parametrize("off", [{"figures": ()}, {"look_back": timedelta(0)}])
def test_without_figures_or_when_switched_off_nothing_is_read(watched: Any, off: dict[str, Any]) -> None:
    watched.rules = watched.rules.model_copy(update=off)
    watched.enter("lost")
    assert not [one for one in watched.look() if isinstance(one, CreateNote)]
    assert "history" not in watched.reads
    assert watched.case.status is CaseStatus.ACTIVE


def test_a_thousand_changes_stay_a_note_that_one_can_read(watched: Any) -> None:
    flips = [(364 - n // 3, "Red" if n % 2 else "Green") for n in range(1000)]
    watched.history = tuple(changes("company.active_users", *flips))
    watched.enter("lost")
    body = note(watched.look()).body
    assert len(body.splitlines()) < 60
    assert "- and " in body


def test_texts_of_any_length_are_shortened_in_a_sign(make_world: Callable[[], Any]) -> None:
    assert max(len(part) for part in found(HEALTH, (300, "x" * 60_000), (200, "<b>=1+1</b>"))[0]) <= 60
