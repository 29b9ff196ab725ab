"""The door stays open: what follows once a customer has left, for whom, and what ends it (P-51 … P-56)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from workflows.cases import Baseline, CaseStatus, News, NewsKind, StartingFigure
from workflows.documents import PlaybookError
from workflows.door import CONTENT, chosen, write_win_back
from workflows.draft import SOMEONE_ERASED, Draft
from workflows.permission import NOBODY, Agreed, forgotten
from workflows.playbook import parse_playbook, shipped_playbooks
from workflows.questions import Answer
from workflows.records import Company, Contact, Deal, People, StageEntry
from workflows.returning import Left, came_back, stays
from workflows.rules import Anchor, DoorRules, LinkKind, Moment, Repeat
from workflows.survey import shipped_questionnaires
from workflows.writes import DocumentKind, UpdateFields

Make = Callable[..., Any]
YEAR = timedelta(days=365)


def every(days: int, until: int = 730) -> Repeat:
    return Repeat(days=days, until=Moment(anchor="contract_end", days=until))


def lasting(make_rule: Make, key: str, release: str, due: str, **more: Any) -> Any:
    return make_rule(key, release, due, lasting=True, **more)


def touching(make_rule: Make, **more: Any) -> Any:
    body = {"en": "Write to {{ contact.first_name }}: {{ link }}"}
    values = {"repeat": every(90), "link": LinkKind.TOUCH, "body": body} | more
    return lasting(make_rule, "stay-in-touch", "contract_end+90d", "contract_end+100d", **values)


def leave(world: Any, *rules: Any, make_rule: Make, make_book: Make) -> None:
    """The customer leaves, and all that is due before the end is done."""
    world.playbook = make_book(make_rule("thank"), *rules)
    world.enter("lost")
    world.look()
    world.finish("thank")
    world.look()


def choose(world: Any, contact_id: str = "p1", **values: str) -> tuple[Any, ...]:
    """Someone chooses on their page what to hear."""
    kept = [one for one in world.answers if (one.questionnaire, one.contact_id) != ("touch", contact_id)]
    said = Answer(
        case_id=world.case.id,
        contact_id=contact_id,
        questionnaire="touch",
        by="customer",
        language="en",
        at=world.now,
        values=values,
    )
    world.answers = (*kept, said)
    return world.look()  # type: ignore[no-any-return]


def scored(world: Any, contact_id: str, score: int) -> None:
    said = Answer(
        case_id=world.case.id,
        contact_id=contact_id,
        questionnaire="exit",
        by="customer",
        language="en",
        at=world.now,
        values={"nps": score},
    )
    world.answers = (*world.answers, said)
    world.look()


def tasks(world: Any) -> list[str]:
    return sorted(key.split(":", 1)[1] for key in world.made)


# --- a friendly word now and then (P-51) ----------------------------------------------------------------------------


@pytest.mark.row("P-51")
def test_a_case_completes_without_the_steps_that_outlast_it_and_they_appear_all_the_same(
    world: Any, make_rule: Make, make_book: Make
) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    assert world.case.status is CaseStatus.COMPLETED
    assert tasks(world) == ["thank"]
    world.wait(days=120 + 90 + 1)
    assert tasks(world) == ["stay-in-touch", "thank"]
    assert world.case.status is CaseStatus.COMPLETED
    made = world.made["case-1:stay-in-touch"]
    assert "Zoe" in made.body
    assert made.link == "https://goodbye.example.com/touch/case-1/p1/touch"


@pytest.mark.row("P-51")
def test_a_word_comes_again_some_time_after_it_was_given_until_the_time_is_over(
    world: Any, make_rule: Make, make_book: Make
) -> None:
    leave(world, touching(make_rule, repeat=every(90, until=250)), make_rule=make_rule, make_book=make_book)
    world.wait(days=120 + 91)
    first_done = world.now
    world.finish("stay-in-touch")
    world.look()
    world.wait(days=89)
    assert "stay-in-touch.2" not in tasks(world)
    world.wait(days=3)
    assert "stay-in-touch.2" in tasks(world)
    assert world.made["case-1:stay-in-touch.2"].due_at > first_done + timedelta(days=90)
    world.finish("stay-in-touch.2")
    world.look()
    world.wait(days=400)
    assert "stay-in-touch.3" not in tasks(world), "a third would come after its time"


@pytest.mark.row("P-51")
def test_an_open_word_is_not_followed_by_another(world: Any, make_rule: Make, make_book: Make) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    world.wait(days=600)
    assert tasks(world) == ["stay-in-touch", "thank"]


@pytest.mark.row("P-51")
@pytest.mark.parametrize("how", ["not_applicable", "deleted"])
def test_a_word_that_people_put_aside_never_comes_again(world: Any, make_rule: Make, make_book: Make, how: str) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    world.wait(days=211)
    if how == "deleted":
        world.touch("stay-in-touch", found=False)
    else:
        world.touch("stay-in-touch", done=True, completed_at=world.now, text="Not applicable: they moved abroad")
    world.look()
    world.wait(days=200)
    assert tasks(world) == ["stay-in-touch", "thank"]


@pytest.mark.row("P-51")
@pytest.mark.parametrize("choice", ["nothing", "asked"])
def test_a_stop_closes_the_open_word_with_a_note_and_ends_the_rhythm(
    world: Any, make_rule: Make, make_book: Make, choice: str
) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    world.wait(days=211)
    closing = [write for write in choose(world, hear=choice) if write.kind == "update_task"]
    assert [write.close for write in closing] == [True]
    assert ("peace" if choice == "nothing" else "asked for") in closing[0].note
    world.wait(days=200)
    assert tasks(world) == ["stay-in-touch", "thank"]


@pytest.mark.row("P-51")
def test_a_word_goes_to_somebody_else_where_the_first_wants_none_and_to_nobody_where_all_opted_out(
    world: Any, make_rule: Make, make_book: Make
) -> None:
    both = (*world.people.contacts, Contact(id="p2", name="Max Ott", first_name="Max", email="max@example.com"))
    world.people = world.people.model_copy(update={"contacts": both})
    leave(world, touching(make_rule, repeat=None), make_rule=make_rule, make_book=make_book)
    choose(world, hear="nothing")
    world.wait(days=211)
    assert world.step("stay-in-touch").contact_id == "p2"

    out = both[1].model_copy(update={"opted_out": True})
    world.people = world.people.model_copy(update={"contacts": (both[0], out)})
    world.now += timedelta(days=1)
    (closed,) = [one for one in world.look() if one.kind == "update_task"]
    assert "opted out" in closed.note, "also where the word was to be written already"

    other = type(world)()
    other.people = People(
        company=Company(id="c1", name="Aurora"), contacts=(both[0].model_copy(update={"opted_out": True}),)
    )
    leave(other, touching(make_rule), make_rule=make_rule, make_book=make_book)
    other.wait(days=211)
    assert tasks(other) == ["thank"]
    assert "left out" in other.happened()


@pytest.mark.row("P-51")
def test_news_that_was_wanted_until_a_day_ends_on_it(world: Any, make_rule: Make, make_book: Make) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    world.wait(days=211)
    choose(world, hear="news", until=(world.now.date() + timedelta(days=30)).isoformat())
    world.finish("stay-in-touch")
    world.look()
    world.wait(days=200)
    assert tasks(world) == ["stay-in-touch", "thank"]


# --- marketing's fields (P-55) --------------------------------------------------------------------------------------


@pytest.mark.row("P-55")
def test_marketing_hears_of_an_agreement_and_of_its_end(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make
) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    until = world.now.date() + timedelta(days=40)
    written = fields_of(choose(world, hear="news", until=until.isoformat()))
    wanted = {"nurture": True, "nurture_until": until, "nurture_basis": "Chosen on their own page."}
    assert written == {"contact:p1": wanted, "company:c1": wanted}
    seen: list[Any] = []
    while world.now.date() <= until:
        assert world.last_decision.next_look is not None, "the day must not be missed"
        world.now = world.last_decision.next_look
        seen += world.look()
    ended = {"nurture": False, "nurture_until": None, "nurture_basis": None}
    assert fields_of(tuple(seen)) == {"contact:p1": ended, "company:c1": ended}


@pytest.mark.row("P-55")
@pytest.mark.parametrize("forgotten", [False, True], ids=["withdrawn", "its answer is no longer kept"])
def test_a_withdrawal_empties_marketings_fields_and_without_an_agreement_nothing_is_ever_written(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make, forgotten: bool
) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    assert "nurture" not in str(fields_of(choose(world, hear="asked")))
    until = world.now.date() + YEAR
    choose(world, hear="news", until=until.isoformat())
    world.now += timedelta(hours=1)
    if forgotten:
        world.answers = ()
        written = fields_of(world.look())
    else:
        written = fields_of(choose(world, hear="nothing"))
    assert written["contact:p1"] == {"nurture": False, "nurture_until": None, "nurture_basis": None}
    assert written["company:c1"] == {"nurture": False, "nurture_until": None, "nurture_basis": None}


# --- what was agreed in the conversation (P-55) ---------------------------------------------------------------------


def note_permission(world: Any, **said: Any) -> tuple[Any, ...]:
    """A colleague sends the interview form, anew each time."""
    world.questionnaires = dict(shipped_questionnaires()) | world.questionnaires
    values = {"reason": "budget"} | {key.replace("_", "-"): value for key, value in said.items()}
    told = Answer(
        case_id=world.case.id,
        contact_id=None,
        questionnaire="interview",
        by="csm",
        language="en",
        at=world.now,
        values=values,
    )
    world.answers = (*(one for one in world.answers if one.questionnaire != "interview"), told)
    return world.look()  # type: ignore[no-any-return]


def agreed(world: Any, **more: Any) -> dict[str, Any]:
    until = (world.now.date() + YEAR).isoformat()
    return {
        "permission": "granted",
        "permission_who": "zoe  HILL",
        "permission_for": ("news",),
        "permission_until": until,
    } | more


@pytest.mark.row("P-55")
@pytest.mark.parametrize("who", ["zoe  HILL", "Zoe Hill <Zoe@Example.com>"])
def test_a_permission_that_was_noted_stands_on_contact_and_company_until_it_is_taken_back(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make, who: str
) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    until = world.now.date() + YEAR
    written = fields_of(note_permission(world, **agreed(world, permission_who=who)))
    assert {name: written["contact:p1"][name] for name in ("nurture", "nurture_until")} == {
        "nurture": True,
        "nurture_until": until,
    }
    assert written["contact:p1"]["nurture_basis"].startswith(
        "Agreed in the exit conversation, noted on March 2, 2026: useful news"
    )
    assert written["company:c1"]["nurture_until"] == until
    assert who.split()[-1] in written["company:c1"]["nurture_basis"]
    world.now += timedelta(days=3)
    assert "nurture" not in str(
        fields_of(
            note_permission(
                world, **agreed(world, permission_who=who, permission_until=until.isoformat(), improve="More.")
            )
        )
    ), "sent again for another reason"
    written = fields_of(note_permission(world, permission="unasked"))
    ended = {"nurture": False, "nurture_until": None, "nurture_basis": None}
    assert written["contact:p1"] == ended
    assert written["company:c1"].items() >= ended.items()


@pytest.mark.row("P-55")
@pytest.mark.parametrize(
    "half", [{"permission": "unasked"}, {"permission_who": ""}, {"permission_for": ()}, {"permission_until": ""}]
)
def test_nothing_of_a_permission_is_ever_guessed(
    world: Any, make_rule: Make, make_book: Make, half: dict[str, Any]
) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    assert "nurture" not in str(note_permission(world, **agreed(world, **half)))


@pytest.mark.row("P-55")
@pytest.mark.parametrize(("who", "told"), [("Zoe", "No single contact"), ("zoe@example.com", "opted out")])
def test_a_permission_that_cannot_be_placed_is_told_on_the_deal_once(
    world: Any, make_rule: Make, make_book: Make, who: str, told: str
) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    zoe = world.people.contacts[0].model_copy(update={"opted_out": who != "Zoe"})
    world.people = world.people.model_copy(update={"contacts": (zoe,)})
    writes = note_permission(world, **agreed(world, permission_who=who))
    assert "nurture" not in str(writes)
    assert [told in one.body for one in writes if one.kind == "note" and ":permission:" in one.key] == [True]
    assert not [one for one in world.look() if one.kind == "note"]


@pytest.mark.row("P-55")
def test_a_permission_is_taken_over_once_its_contact_was_added_to_the_deal(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make
) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    note_permission(world, **agreed(world, permission_who="Max New"))
    world.reads.clear()
    world.wait(days=8)
    assert world.reads == [], "the same people would tell the same"
    anew = Contact(id="p9", name="Max New", email="max@example.com")
    world.people = world.people.model_copy(update={"contacts": (*world.people.contacts, anew)})
    world.change(contact_ids=("p1", "p9"))
    before = set(world.keys)
    world.wait(days=8)
    assert any("_nurture:p9" in key for key in world.keys - before), "nobody had to send the form again"


@pytest.mark.row("P-55")
def test_an_opt_out_in_the_crm_ends_a_permission_within_a_week_and_is_kept(
    world: Any, make_rule: Make, make_book: Make
) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    note_permission(world, **agreed(world))
    zoe = world.people.contacts[0]
    world.people = world.people.model_copy(update={"contacts": (zoe.model_copy(update={"opted_out": True}),)})
    world.wait(days=8)
    assert "nurture=False" in world.case.written["_nurture:p1"]
    assert "nurture=False" in world.case.written["_nurture"]
    world.look()
    world.now += timedelta(minutes=1)
    world.reads.clear()
    assert (world.look(), world.reads) == ((), []), "it is remembered while they are not read"
    world.people = world.people.model_copy(update={"contacts": (zoe,)})
    world.wait(days=8)
    assert "nurture=True" in world.case.written["_nurture:p1"], "they subscribed again, within the agreed time"


@pytest.mark.row("P-55")
def test_who_opted_out_is_not_set_for_marketing_by_a_click_either(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make
) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    zoe = world.people.contacts[0].model_copy(update={"opted_out": True})
    world.people = world.people.model_copy(update={"contacts": (zoe,)})
    until = (world.now.date() + YEAR).isoformat()
    assert "nurture" not in str(fields_of(choose(world, hear="news", until=until)))


def form(world: Any, contact_id: str, **said: Any) -> tuple[Any, ...]:
    """A colleague sends the interview form that belongs to this contact, beside others."""
    world.now += timedelta(days=1)
    world.questionnaires = dict(shipped_questionnaires()) | world.questionnaires
    values = {"reason": "budget"} | {key.replace("_", "-"): value for key, value in said.items()}
    told = Answer(
        case_id=world.case.id,
        contact_id=contact_id,
        questionnaire="interview",
        by="csm",
        language="en",
        at=world.now,
        values=values,
    )
    world.answers = (*world.answers, told)
    return world.look()  # type: ignore[no-any-return]


@pytest.mark.row("P-55")
def test_of_two_forms_about_one_person_the_newest_counts_and_nothing_goes_to_and_fro(
    world: Any, make_rule: Make, make_book: Make
) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    max_ray = Contact(id="p2", name="Max Ray", email="max@example.com")
    world.people = world.people.model_copy(update={"contacts": (*world.people.contacts, max_ray)})
    world.change(contact_ids=("p1", "p2"))
    form(world, "p1", permission="refused", permission_who="Zoe Hill")
    form(world, "p2", **agreed(world))
    assert "nurture=True" in world.case.written["_nurture:p1"]
    assert set(chosen(world.case, world.seen())) == {"p1"}, "a refusal that was taken back is not everybody's"
    world.now += timedelta(minutes=1)
    world.reads.clear()
    world.events.clear()
    assert (world.look(), world.reads, world.events) == ((), [], [])
    form(world, "p1", permission="refused", permission_who="Zoe Hill", improve="Less.")
    assert "nurture=False" in world.case.written["_nurture:p1"]


@pytest.mark.row("P-55", "P-79")
@pytest.mark.parametrize("said", [Agreed.GRANTED, Agreed.REFUSED])
def test_what_someone_said_who_was_erased_is_nobodys(
    world: Any, make_rule: Make, make_book: Make, said: Agreed
) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    note_permission(world, **agreed(world, permission=said))
    max_ray = Contact(id="p2", name="Max Ray", email="max@example.com")
    world.people = world.people.model_copy(update={"contacts": (max_ray,)})
    world.change(contact_ids=("p2",))
    kept = {name: value for name, value in world.case.written.items() if not name.endswith(":p1")}
    written = kept | forgotten(world.case.written, {"p1"})
    world.cases[-1] = world.case.model_copy(update={"contact_ids": ("p2",), "written": written})
    world.now += timedelta(days=1)
    writes = world.look()
    assert "hill" not in str(writes).casefold(), "nobody reads the name again"
    assert chosen(world.case, world.seen()) == {}, "the others are not silenced"


@pytest.mark.row("P-79")
def test_a_note_names_nobody_once_somebody_of_the_case_was_erased(world: Any, make_rule: Make, make_book: Make) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    written = world.case.written | {SOMEONE_ERASED: "1"}
    world.cases[-1] = world.case.model_copy(update={"written": written})
    writes = note_permission(world, **agreed(world, permission_who="Max New"))
    [note] = [one for one in writes if ":permission:" in one.key]
    assert "that someone agreed" in note.body


@pytest.mark.row("P-55")
def test_what_a_person_chose_counts_more_than_what_was_noted_of_them(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make
) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    choose(world, hear="nothing")
    assert "nurture" not in str(fields_of(note_permission(world, **agreed(world))))


@pytest.mark.row("P-55")
def test_a_refusal_in_the_conversation_ends_friendly_words(world: Any, make_rule: Make, make_book: Make) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    note_permission(world, permission="refused")
    world.wait(days=300)
    assert tasks(world) == ["thank"]


@pytest.mark.row("P-37", "P-79")
def test_a_form_that_lost_a_name_does_not_take_the_place_of_a_newer_answer(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make
) -> None:
    leave(world, make_rule=make_rule, make_book=make_book)
    note_permission(world, **agreed(world))
    world.now += timedelta(days=1)
    scored(world, "p1", 9)
    [interview, survey] = sorted(world.answers, key=lambda one: one.questionnaire, reverse=True)
    nameless = interview.model_copy(update={"values": {**interview.values, "permission-who": NOBODY}})
    world.answers = (nameless, survey)
    written = world.case.written | {SOMEONE_ERASED: "1"}
    world.cases[-1] = world.case.model_copy(update={"written": written})
    values = fields_of(world.look())["company:c1"]
    assert values["exit_feedback"].startswith("Exit survey: Zoe Hill's own answer\n")
    assert values["exit_feedback_at"] == survey.at
    assert "exit_score" not in values


# --- when the reason no longer holds (P-56) -------------------------------------------------------------------------


def winning_back(make_rule: Make, **more: Any) -> Any:
    return lasting(make_rule, "win-back", "win_back", "win_back+10d", **more)


@pytest.mark.row("P-56")
@pytest.mark.parametrize(
    ("reason", "rules", "expected"),
    [
        ("Budget cut", DoorRules(), date(2027, 1, 1)),
        ("budget", DoorRules(budget_year=(9, 1)), date(2026, 9, 1)),
        ("budget", DoorRules(budget_year=(7, 15)), date(2027, 7, 15)),
        ("New leadership", DoorRules(), date(2027, 6, 30)),
        ("new_leadership", DoorRules(after={"new_leadership": 200}), date(2027, 1, 16)),
        ("Prix ou valeur", DoorRules(), date(2026, 12, 27)),
        ("price", DoorRules(after_others=None), None),
        ("product_gap", DoorRules(), None),
        ("Our decision", DoorRules(), None),
        ("Merger or closure", DoorRules(), None),
        ("Something of their own", DoorRules(after_others=90), date(2026, 9, 28)),
    ],
)
def test_a_call_is_proposed_when_the_reason_may_no_longer_hold(
    world: Any, make_rule: Make, make_book: Make, reason: str, rules: DoorRules, expected: date | None
) -> None:
    world.rules = world.rules.model_copy(update={"door": rules})
    world.change(exit_reason=reason)
    leave(world, winning_back(make_rule), make_rule=make_rule, make_book=make_book)
    world.wait(days=1000)
    made = world.made.get("case-1:win-back")
    assert (made is not None) == (expected is not None)
    if made is not None and expected is not None:
        appeared = made.due_at.date() - expected
        assert timedelta(days=8) <= appeared <= timedelta(days=16)


@pytest.mark.row("P-56")
def test_the_day_that_a_customer_named_goes_before_any_reckoning(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make
) -> None:
    world.change(exit_reason="Price or value")
    leave(world, winning_back(make_rule), make_rule=make_rule, make_book=make_book)
    world.wait(days=125)
    written = fields_of(choose(world, hear="nothing", again="2027-03-01"))
    assert written["deal:d1"]["win_back_on"] == date(2027, 3, 1)
    assert written["company:c1"]["win_back_on"] == date(2027, 3, 1)
    world.wait(days=(datetime(2027, 2, 28, tzinfo=UTC) - world.now).days)
    assert "win-back" not in tasks(world)
    world.wait(days=3)
    assert "win-back" in tasks(world)
    world.finish("win-back")
    world.look()
    choose(world, hear="nothing", again="2027-09-01")
    world.wait(days=250)
    assert "win-back.2" in tasks(world), "another day was named"


@pytest.mark.row("P-56")
def test_nobody_is_called_who_asked_for_peace(world: Any, make_rule: Make, make_book: Make) -> None:
    world.change(exit_reason="Price or value")
    leave(world, winning_back(make_rule), make_rule=make_rule, make_book=make_book)
    choose(world, hear="nothing")
    world.wait(days=1000)
    assert tasks(world) == ["thank"]


@pytest.mark.row("P-56")
def test_deal_and_company_show_when_to_ask_again_but_not_before_the_customer_has_left(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make
) -> None:
    world.change(exit_reason="Budget cut")
    leave(world, winning_back(make_rule), make_rule=make_rule, make_book=make_book)
    seen: list[Any] = []
    while "win_back_on" not in str(seen):
        assert world.last_decision.next_look is not None
        world.now = world.last_decision.next_look
        seen += world.look()
    assert world.now.date() == date(2026, 7, 1)
    shown = fields_of(tuple(seen))
    assert shown["deal:d1"]["win_back_on"] == shown["company:c1"]["win_back_on"] == date(2027, 1, 1)


@pytest.mark.row("P-56", "P-7B")
def test_a_day_that_an_earlier_version_wrote_moves_and_one_that_a_colleague_set_since_stays(world: Any) -> None:
    world.enter("lost")
    world.look()
    known = {"_win_back": "d1|win_back_on=2027-01-04", "_win_back:company": "c1|win_back_on=2027-01-04"}
    case = world.case.model_copy(update={"written": {**world.case.written, **known}, "company_id": "c1"})
    for on_company, moved in (("2027-01-04", ["d1", "c1"]), ("2027-02-01", ["d1"])):
        company = world.people.company.model_copy(update={"said": {"win_back_on": on_company}})
        world.change(said={"win_back_on": "2027-01-04"})
        draft = Draft(world.seen(people=world.people.model_copy(update={"company": company})), case)
        write_win_back(draft, date(2027, 6, 1))
        assert [one.target.id for one in draft.writes if isinstance(one, UpdateFields)] == moved


def won(deal_id: str = "d2", *entries: tuple[str, datetime], **more: Any) -> Deal:
    history = tuple(StageEntry(stage_id=stage, at=at) for stage, at in entries)
    values = {"pipeline_id": "renewals", "stage_id": history[0].stage_id, "company_id": "c1"}
    return Deal(id=deal_id, stage_history=history, **(values | more))


@pytest.mark.row("P-56")
@pytest.mark.parametrize(
    ("deal", "back"),
    [
        (won("d2", ("won", datetime(2027, 1, 5, tzinfo=UTC))), True),
        (won("d2", ("won", datetime(2027, 1, 5, tzinfo=UTC)), ("talks", datetime(2026, 12, 1, tzinfo=UTC))), True),
        (won("d2", ("won", datetime(2027, 1, 5, tzinfo=UTC)), ("talks", datetime(2026, 1, 1, tzinfo=UTC))), False),
        (won("d2", ("won", datetime(2026, 5, 5, tzinfo=UTC))), False),
        (won("d1", ("won", datetime(2027, 1, 5, tzinfo=UTC))), False),
        (won("d2", ("talks", datetime(2027, 1, 5, tzinfo=UTC))), False),
        (won("d2", ("won", datetime(2027, 1, 5, tzinfo=UTC)), company_id=None), False),
    ],
    ids=["new", "negotiated after", "ran beside it", "before the end", "the same deal", "not won", "no company"],
)
def test_a_deal_that_was_won_after_the_end_is_a_return(world: Any, deal: Deal, back: bool) -> None:
    left = Left("case-1", "d1", datetime(2026, 3, 2, tzinfo=UTC), date(2026, 6, 30))
    assert came_back(world.rules, deal, left) is back


@pytest.mark.row("P-25")
@pytest.mark.parametrize(
    ("deal", "remains"),
    [
        (won("d2", ("won", datetime(2026, 5, 5, tzinfo=UTC)), contract_end=None), True),
        (won("d2", ("won", datetime(2026, 1, 5, tzinfo=UTC)), contract_end=date(2027, 1, 31)), True),
        (won("d2", ("won", datetime(2025, 7, 1, tzinfo=UTC)), contract_end=date(2026, 6, 30)), False),
        (won("d2", ("won", datetime(2025, 7, 1, tzinfo=UTC)), contract_end=None), False),
        (won("d2", ("talks", datetime(2026, 5, 5, tzinfo=UTC)), contract_end=date(2027, 1, 31)), False),
        (won("d1", ("won", datetime(2026, 5, 5, tzinfo=UTC)), contract_end=date(2027, 1, 31)), False),
    ],
    ids=["renewed since", "runs on", "where the ended one began", "end unknown", "not won", "the same deal"],
)
def test_a_contract_that_runs_on_keeps_the_company_a_customer(world: Any, deal: Deal, remains: bool) -> None:
    left = Left("case-1", "d1", datetime(2026, 3, 2, tzinfo=UTC), date(2026, 6, 30))
    assert stays(world.rules, deal, left, date(2026, 5, 6)) is remains


@pytest.mark.row("P-56")
def test_a_return_closes_the_door_tasks_and_is_kept_on_the_case(world: Any, make_rule: Make, make_book: Make) -> None:
    leave(world, touching(make_rule), winning_back(make_rule), make_rule=make_rule, make_book=make_book)
    world.wait(days=211)
    world.news = (News(kind=NewsKind.RETURNED, id="d2", at=world.now),)
    closing = [write for write in world.look() if write.kind == "update_task"]
    assert [write.close for write in closing] == [True]
    assert "back" in closing[0].note
    assert world.case.written["returned"] == "d2"
    before = world.case
    world.wait(days=1000)
    assert tasks(world) == ["stay-in-touch", "thank"]
    world.cases[-1], world.now = before, world.news[0].at + timedelta(days=30)
    world.news = ()
    made = [write for write in world.look() if write.kind == "task"]
    assert [write.key for write in made] == ["case-1:stay-in-touch~2"], "it was no return: the door is open again"
    assert "returned" not in world.case.written
    assert "the customer is not back after all" in [event.detail for event in world.events]


@pytest.mark.row("P-56")
def test_the_same_deal_renewed_later_is_a_return_too(
    world: Any, make_rule: Make, make_book: Make, fields_of: Make
) -> None:
    leave(world, touching(make_rule), make_rule=make_rule, make_book=make_book)
    world.wait(days=211)
    world.enter("won")
    written = world.look()
    assert fields_of(tuple(one for one in written if "_returned" in one.key)) == {"deal:d1": {"returned": True}}
    assert world.case.written["returned"] == "d1"
    assert [write.close for write in written if write.kind == "update_task"] == [True]
    world.now += timedelta(days=2)
    world.enter("lost")
    assert fields_of(tuple(one for one in world.look() if "_returned" in one.key)) == {"deal:d1": {"returned": False}}
    assert world.happened()[-1] == "back no longer"


# --- news of former customers (P-52, P-53) --------------------------------------------------------------------------


@pytest.mark.row("P-52")
def test_each_delivered_wish_makes_one_task_to_tell_whoever_voiced_it(
    world: Any, make_rule: Make, make_book: Make
) -> None:
    tell = lasting(
        make_rule,
        "you-asked",
        "wish",
        "wish+5bd",
        body={"en": "Tell {{ contact.first_name }} that {{ news }} is there."},
    )
    leave(world, tell, make_rule=make_rule, make_book=make_book)
    assert tasks(world) == ["thank"]
    world.now += timedelta(days=200)
    world.news = (News(kind=NewsKind.WISH, id="7", at=world.now, contact_id="p1", text="an export to Excel"),)
    world.look()
    world.look()
    assert tasks(world) == ["thank", "you-asked.7@p1"]
    assert world.made["case-1:you-asked.7@p1"].body.startswith("Tell Zoe that an export to Excel is there.")
    world.news = (*world.news, News(kind=NewsKind.WISH, id="8", at=world.now, contact_id="p1", text="dark colours"))
    world.look()
    assert tasks(world) == ["thank", "you-asked.7@p1", "you-asked.8@p1"]


@pytest.mark.row("P-52")
@pytest.mark.parametrize(("choice", "told"), [("asked", True), ("news", True), ("nothing", False)])
def test_who_asked_for_peace_is_not_told_and_who_asked_for_just_that_is(
    world: Any, make_rule: Make, make_book: Make, choice: str, told: bool
) -> None:
    leave(world, lasting(make_rule, "you-asked", "wish", "wish+5bd"), make_rule=make_rule, make_book=make_book)
    choose(world, hear=choice)
    world.news = (News(kind=NewsKind.WISH, id="7", at=world.now, contact_id="p1", text="an export"),)
    world.look()
    assert ("you-asked.7@p1" in tasks(world)) is told


@pytest.mark.row("P-53")
def test_a_contact_who_works_elsewhere_now_makes_one_task(world: Any, make_rule: Make, make_book: Make) -> None:
    greet = lasting(
        make_rule, "moved-on", "moved", "moved+5bd", body={"en": "{{ contact.name }} is now with {{ news }}."}
    )
    leave(world, greet, make_rule=make_rule, make_book=make_book)
    world.now += timedelta(days=200)
    world.news = (News(kind=NewsKind.MOVED, id="p1-c9", at=world.now, contact_id="p1", text="Hotel Borealis"),)
    world.look()
    world.look()
    assert tasks(world) == ["moved-on.p1-c9@p1", "thank"]
    assert "Zoe Hill is now with Hotel Borealis." in world.made["case-1:moved-on.p1-c9@p1"].body


# --- who leaves content (P-54) --------------------------------------------------------------------------------------


@pytest.mark.row("P-54")
@pytest.mark.parametrize(
    ("scores", "reason", "began", "asked"),
    [
        ({"p1": CONTENT}, "Budget cut", "40", True),
        ({"p1": 10, "p2": 7}, "Merger or closure", "40", False),
        ({"p1": 10, "p2": 7}, "No longer needed", "40", True),
        ({"p1": 10, "p2": 6}, "Budget cut", "40", False),
        ({"p1": 8}, "Budget cut", "40", False),
        ({"p1": 10}, "Unhappy with the results", "40", False),
        ({"p1": 10}, "Unhappy with the relationship or service", "40", False),
        ({"p1": 10}, "Budget cut", "90", False),
        ({"p1": 10}, "Budget cut", None, False),
    ],
)
def test_only_who_leaves_content_with_results_to_show_is_asked_for_a_case_study(
    world: Any,
    make_rule: Make,
    make_book: Make,
    scores: dict[str, int],
    reason: str,
    began: str | None,
    asked: bool,
) -> None:
    second = Contact(id="p2", name="Max Ott", first_name="Max", email="max@example.com")
    company = Company(id="c1", name="Hotel Aurora", figures={"users": "80"})
    world.people = People(company=company, contacts=(*world.people.contacts, second))
    start = {"company.users": StartingFigure(value=began, at=world.now)} if began is not None else {}
    world.baseline = Baseline(figures=start)
    world.rules = world.rules.model_copy(update={"figures": ("company.users",)})
    world.change(exit_reason=reason, amount=Decimal(1))
    study = lasting(
        make_rule,
        "case-study",
        "answered+14d",
        "answered+21d",
        when="content and results",
        document=DocumentKind.CASE_STUDY,
    )
    leave(world, study, make_rule=make_rule, make_book=make_book)
    for contact_id, score in scores.items():
        scored(world, contact_id, score)
    world.wait(days=30)
    assert ("case-study" in tasks(world)) is asked
    if asked:
        assert world.step("case-study").contact_id == "p1", "whoever liked it best"


@pytest.mark.row("P-54", "P-52")
def test_whoever_leaves_is_told_when_a_wish_is_there_and_asked_for_a_story_only_if_content() -> None:
    for key in ("saas", "agency", "light"):
        steps = {step.key: step for step in shipped_playbooks()[key].steps()}
        assert steps["case-study"].when == "content and results", key
        assert steps["you-asked"].release.anchor is Anchor.WISH, key
    steps = {step.key: step for step in shipped_playbooks()["vendor-ended"].steps()}
    assert "case-study" not in steps, "whom we left is asked for no favour"


# --- playbooks ------------------------------------------------------------------------------------------------------

PLAYBOOK = """
playbook: own
version: 1
languages: [en]
title: {en: Own}
phases:
  - key: door
    title: {en: Door}
    release: contract_end + 90d
    LASTING
    steps:
      - key: touch
        owner: csm
        DATES
        title: {en: A word}
        body: {en: "Write to them."}
"""


def own(dates: str, lasts: bool = True) -> str:
    return PLAYBOOK.replace("LASTING", "lasting: true" if lasts else "").replace("DATES", dates)


@pytest.mark.row("P-51")
def test_a_playbook_says_how_a_step_comes_again() -> None:
    step = parse_playbook(
        own("due: contract_end + 100d\n        repeat: {every: 90d, until: contract_end + 730d}"), "own.yaml"
    ).steps()[0]
    assert step.lasting
    assert step.repeat == every(90)


@pytest.mark.parametrize(
    ("dates", "lasts", "message"),
    [
        ("due: contract_end + 100d\n        repeat: {every: 90d, until: contract_end + 730d}", False, "lasting: true"),
        ("release: win_back\n        due: win_back + 5d", False, "lasting: true"),
        ("release: wish\n        due: contract_end + 100d", True, "count it from wish"),
        ("due: contract_end + 100d\n        repeat: {every: 0d, until: contract_end + 730d}", True, "every"),
    ],
)
def test_a_step_that_would_hold_a_case_open_for_years_is_refused_with_the_cure(
    dates: str, lasts: bool, message: str
) -> None:
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(own(dates, lasts), "own.yaml")
    assert message in str(caught.value)
