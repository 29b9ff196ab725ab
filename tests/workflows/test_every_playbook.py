"""What holds for every playbook that ships: days, and words that are true for whoever receives them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from workflows.cases import Baseline
from workflows.dates import calendar, day_of
from workflows.desk import Desk
from workflows.door import is_addressed
from workflows.draft import Draft
from workflows.exit_rights import hangs_on_rights
from workflows.paper import shipped_papers
from workflows.plan import PlannedStep, preview
from workflows.playbook import shipped_playbooks
from workflows.playbook_checks import spell
from workflows.records import Contact, People, Role
from workflows.rules import Anchor, CaseKind, ExitRights, Playbook, StepRule
from workflows.texts import TextError, render_anyway
from workflows.timing import Waiting
from workflows.writes import DocumentKind

BOOKS = shipped_playbooks()
GOODBYES = sorted(key for key, one in BOOKS.items() if one.kind is CaseKind.OFFBOARDING)
LEAVING = ["agency", "light", "saas"]
"""Goodbyes to a customer who leaves by their own decision."""
DRAFT = re.compile(r"^---\n(.*?)\n---$", re.DOTALL | re.MULTILINE)
LANGUAGES = ("en", "fr")
END = {"en": "(?:15 January 2026|10 July 2026)", "fr": "(?:15 janvier 2026|10 juillet 2026)"}


def rules_of(key: str) -> dict[str, StepRule]:
    return {step.key: step for step in BOOKS[key].steps()}


def planned(world: Any, links: Any, key: str, **deal: Any) -> dict[str, PlannedStep]:
    """The plan of this playbook, by step, as far as each applies."""
    world.playbook = BOOKS[key]
    world.change(**deal)
    steps = preview(world.seen(people=world.people, involved=()), links, left_out=False)
    return {step.rule: step for step in steps}


def drafts(body: str) -> str:
    """What the customer reads of a task's text."""
    return "\n".join(DRAFT.findall(body))


# --- days ------------------------------------------------------------------------------------------------------------

FIRST_WORDS = {
    "agency": ("acknowledge", 1),
    "light": ("acknowledge", 1),
    "partial": ("confirm", 2),
    "saas": ("acknowledge", 1),
    "vendor-ended": ("tell-them", 2),
}
"""The step in which the customer first hears from us, and the business days within which."""
STATUS = {"status-60": range(46, 62), "status-30": range(16, 32)}
"""Days before the end on which a status point tells what its title says."""


@pytest.mark.row("P-20", "P-05", "P-09")
@pytest.mark.parametrize("key", GOODBYES)
def test_the_customer_hears_from_us_at_once(world: Any, links: Any, key: str) -> None:
    steps, days, today = planned(world, links, key), calendar("FR"), world.now.date()
    step, within = FIRST_WORDS[key]
    due = steps[step].due_at
    assert due is not None
    assert due.date() == days.add_business_days(today, within)
    first = [one for one in steps.values() if one.phase == BOOKS[key].phases[0].key and one.due_at is not None]
    earliest = min(first, key=lambda one: str(one.due_at))
    assert earliest.due_at is not None
    assert earliest.due_at.date() == days.add_business_days(today, 1)
    assert earliest.priority == "high"


@pytest.mark.row("P-21")
@pytest.mark.parametrize(
    ("left", "plan", "points"),
    [
        (91, "90", {"status-60", "status-30"}),
        (63, "60", {"status-60", "status-30"}),
        (31, "30", {"status-30"}),
        (10, "short", set()),
    ],
)
def test_plan_and_status_points_keep_their_distance_to_the_end(
    world: Any, links: Any, left: int, plan: str, points: set[str]
) -> None:
    end = world.now.date() + timedelta(days=left)
    steps = planned(world, links, "saas", contract_end=end)
    sent = steps[f"plan-{plan}"].due_at
    assert sent is not None
    assert sent.date() <= calendar("FR").add_business_days(world.now.date(), 5)
    far = {name: (end - one.due_at.date()).days for name, one in steps.items() if name in STATUS and one.due_at}
    assert {name for name, days in far.items() if days in STATUS[name]} == points
    assert ("training" in steps) is (left >= 21)


@pytest.mark.row("P-21", "P-22")
@pytest.mark.parametrize("key", GOODBYES)
def test_what_is_handed_over_is_due_before_the_end_and_escalated_after_its_day(key: str) -> None:
    rules = rules_of(key)
    ahead = {
        "inventory",
        "handover",
        "receipt",
        "files",
        "accounts",
        "training",
        "finance",
        "last-invoice",
        "money-back",
    }
    for name in ahead & rules.keys():
        due = rules[name].due
        assert due.anchor is Anchor.CONFIRMED or (due.anchor is Anchor.CONTRACT_END and -40 <= due.days <= -5), name
    assert {spell(rules[name].release) for name in ("late-items",)} == {"item + 3bd"}
    assert spell(rules["escalate"].release).endswith("+ 5bd")


@pytest.mark.row("P-22")
@pytest.mark.parametrize("key", ["agency", "saas", "vendor-ended"])
def test_the_list_to_sign_is_made_once_the_inventory_can_be_full(key: str) -> None:
    rules = rules_of(key).values()
    (sign,) = (rule for rule in rules if rule.document is DocumentKind.INVENTORY)
    fill = next(rule for rule in rules if rule.link == "inventory")
    assert (sign.release.anchor, sign.release.days) == (Anchor.CONTRACT_END, -12)
    assert sign.key != fill.key
    assert sign.not_before is not None
    assert fill.not_before is not None
    assert (sign.not_before.anchor, sign.not_before.business) == (Anchor.CONFIRMED, True)
    assert sign.not_before.days >= fill.not_before.days + 2, "a plan that begins late leaves days to fill it in"


@pytest.mark.row("P-2B")
@pytest.mark.parametrize("key", [key for key in GOODBYES if "rights-confirm" in rules_of(key)])
def test_the_days_of_exit_rights_are_the_same_in_every_goodbye(key: str) -> None:
    rules = {name: rule for name, rule in rules_of(key).items() if name.startswith("rights-")}
    days = {name: (spell(rule.release), spell(rule.due)) for name, rule in rules.items()}
    confirm = rules["rights-confirm"].due
    assert confirm.anchor is Anchor.NOTICE_END
    assert -62 < confirm.days <= -50, "the customer learns the days in the first of two months"
    assert days["rights-switching"] == ("switching_end - 21d", "switching_end - 14d")
    assert days["rights-retrieval"] == ("retrieval_end - 21d", "retrieval_end - 14d")
    assert days["rights-erase"] == ("retrieval_end + 1d", "retrieval_end + 6d")


@pytest.mark.row("P-50")
@pytest.mark.parametrize("key", GOODBYES)
def test_about_a_month_after_the_end_somebody_asks_how_it_went(key: str) -> None:
    rule = rules_of(key)["rest-check" if key == "partial" else "month-check"]
    assert rule.due.anchor is Anchor.CONTRACT_END
    assert 28 <= rule.due.days <= 37
    assert rule.release.anchor is Anchor.CONTRACT_END
    assert 14 <= rule.release.days <= 30


@pytest.mark.row("P-60")
@pytest.mark.parametrize(
    ("opened", "due"),
    [
        (date(2026, 11, 2), date(2026, 11, 3)),  # Monday
        (date(2026, 11, 4), date(2026, 11, 5)),  # Wednesday
        (date(2026, 11, 5), date(2026, 11, 6)),  # Thursday
        (date(2026, 11, 6), date(2026, 11, 9)),  # Friday
        (date(2026, 12, 23), date(2026, 12, 24)),  # before Christmas
    ],
)
def test_the_stakeholder_map_is_due_within_72_hours_also_before_a_weekend(opened: date, due: date) -> None:
    (rule,) = (one for one in BOOKS["baseline"].steps() if one.key == "stakeholder-map")
    assert spell(rule.release) == "opened"
    assert day_of(rule.due, opened, calendar("FR")) == due
    assert due - opened <= timedelta(hours=72)


# --- what each must hold ---------------------------------------------------------------------------------------------


@pytest.mark.row("P-11")
@pytest.mark.parametrize("key", GOODBYES)
def test_every_goodbye_asks_who_decides_where_nobody_noted_it(world: Any, links: Any, key: str) -> None:
    ann = Contact(id="p1", name="Ann Lee", email="ann@example.com", primary=True)
    bob = Contact(id="p2", name="Bob Ray", email="bob@example.com", roles=(Role.USER,))
    for people, asked in (((ann, bob), True), ((ann,), False), ((bob, bob.model_copy(update={"id": "p3"})), False)):
        world.people = People(company=world.people.company, contacts=people)
        steps = planned(world, links, key)
        assert ("roles" in steps) is asked
        assert not asked or "- Ann Lee: role unknown\n- Bob Ray: uses it" in steps["roles"].body


@pytest.mark.row("P-28")
@pytest.mark.parametrize("key", [*LEAVING, "vendor-ended"])
def test_every_farewell_thanks_and_whoever_left_may_come_back(world: Any, links: Any, key: str) -> None:
    for language, (thanks, back) in {"en": ("hank you|glad", "welcome"), "fr": ("Merci|souvenir", "bienvenus")}.items():
        world.change_rules(language=language)
        steps = planned(world, links, key)
        text = drafts(steps["farewell"].body)
        assert re.search(thanks, text), text
        assert (back in text) is (key in LEAVING), text
        due = steps["farewell"].due_at
        assert due is not None
        assert 0 <= (due.date() - world.deal.contract_end).days <= 4


@pytest.mark.row("P-41", "P-42")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", [key for key in GOODBYES if "post-mortem" in rules_of(key)])
def test_every_post_mortem_begins_with_the_signs_and_what_was_said(key: str, language: str) -> None:
    seen = {"learned": {"lookback": "THE SIGNS", "said": "THE WORDS"}, "link": "https://example.com/team"}
    text = render_anyway(rules_of(key)["post-mortem"].body[language], seen)
    assert {"THE SIGNS", "THE WORDS", "https://example.com/team"} <= set(text.splitlines())
    assert rules_of(key)["lessons"].questionnaire == "postmortem", "what came of it feeds the field that sales sees"


@pytest.mark.row("P-51")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", LEAVING)
def test_a_farewell_to_many_tells_whose_the_link_is(world: Any, links: Any, key: str, language: str) -> None:
    world.change_rules(language=language)
    body = planned(world, links, key)["farewell"].body
    assert {"en": "is Zoe Hill's own: leave it out", "fr": "est propre à Zoe Hill\xa0: retirez-le"}[language] in body


# --- words that are true for whoever receives them -------------------------------------------------------------------


def situations(world: Any, book: Playbook, language: str) -> Iterator[tuple[str, Desk]]:
    """The playbook's desk with an end that is past, ahead or unknown, people or none, rights or none, and a frame."""
    named = Contact(id="p1", name="Ann Lee", first_name="Ann", email="ann@example.com", primary=True)
    unnamed = Contact(id="p2", name="", email="bob@example.com")
    silent = Contact(id="p3", name="Cleo Kent", roles=(Role.COUNTERPART,))
    frame = Baseline(frame={"rhythm": "weekly", "channel": "phone", "validates": "Ann Lee", "form": "one page"})
    for end in (date(2026, 1, 15), date(2026, 7, 10), None):
        for people in ((named, unnamed, silent), (unnamed,), ()):
            for more in (False, True):
                world.playbook = book
                world.baseline = frame if more else None
                world.change_rules(language=language, exit_rights=ExitRights() if more else None)
                world.change(contract_end=end, stage_id="lost", exit_reason="price" if more else None)
                look = world.seen(people=People(company=world.people.company if more else None, contacts=people))
                case = world.began.model_copy(
                    update={"kind": book.kind, "contract_end": end, "language": language, "steps": ()}
                )
                name = f"{book.key} {language} end={end} people={len(people)} more={more}"
                yield name, Desk(Draft(look, case), world.links)


@pytest.fixture
def staged(world: Any, links: Any) -> Any:
    """The world, with a case that has begun and nobody neutral."""
    world.enter("lost")
    world.change_rules(people=world.rules.people.model_copy(update={"neutral_pool": ()}))
    world.look()
    world.began, world.links = world.case, links
    return world


def appears(desk: Desk, rule: StepRule) -> bool:
    """Whether the step can have a task as things are; items have tests of their own."""
    without = (hangs_on_rights(rule) and not desk.values(None)["exit_rights"]) or rule.per_item
    without = without or (is_addressed(rule) and not desk.contacts())
    return not without and desk.release(rule) is not Waiting.CONTRACT_END and _holds(desk, rule)


def _holds(desk: Desk, rule: StepRule) -> bool:
    try:
        return desk.applies(rule, None)
    except TextError:
        return False


PROMISE = {
    "en": r"(?:[Uu]ntil|[Bb]y|[Bb]efore|ends on|comes to its end on|continue our contract beyond) ",
    "fr": r"(?:[Dd]’ici au|[Jj]usqu’au|[Aa]vant le|s’arrête le|prend fin le|poursuivrons pas .* au-delà du) ",
}
CLAIM = re.compile(r"had no part|took no part|pas pris part|étrangère? à")
ENDLESS = re.compile(
    r"until you (?:have )?(?:confirm|tell)\w*\.|before you have confirmed|Nothing (?:is|will be) deleted"
    r"|jusqu’à votre confirmation|avant votre confirmation|Rien n’est supprimé"
)


@pytest.mark.row("P-07", "P-10", "P-15", "P-2B")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", sorted(BOOKS))
def test_no_text_has_gaps_or_says_what_is_not_true(staged: Any, key: str, language: str) -> None:
    for name, desk in situations(staged, BOOKS[key], language):
        past = desk.draft.case.contract_end is not None and desk.draft.case.contract_end < desk.today
        for rule in (one for one in desk.rules.values() if appears(desk, one)):
            contacts = [one.id for one in desk.contacts()] if rule.per_contact else [None]
            for contact in contacts:
                words = desk.wording(rule, contact, "")
                where = f"{name}, {rule.key}: {words.title}\n{words.body}"
                assert not [event for event in desk.draft.events if event.what == "text with gaps"], where
                assert words.title, where
                assert "None" not in words.body, where
                text = drafts(words.body)
                assert not CLAIM.search(text), where
                assert not ENDLESS.search(text), where
                assert not (past and re.search(PROMISE[language] + END[language], text)), where


@pytest.mark.row("P-10", "P-15")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", [key for key in GOODBYES if "interview" in rules_of(key)])
def test_an_invitation_says_had_no_part_only_of_somebody_neutral(
    world: Any, links: Any, key: str, language: str
) -> None:
    world.change_rules(language=language)
    claim, else_words = {
        "en": ("I had no part in our work together", "You may know me from our work together"),
        "fr": ("Je n’ai pas pris part à notre collaboration", "Nous nous sommes peut-être déjà croisés"),
    }[language]
    for pool, neutral in ((("u3", "u4"), True), (("u1",), False), ((), False)):
        world.change_rules(people=world.rules.people.model_copy(update={"neutral_pool": pool}))
        text = drafts(planned(world, links, key)["interview"].body)
        assert (claim in text, else_words in text) == (neutral, not neutral)


@pytest.mark.row("P-2B", "P-22")
@pytest.mark.parametrize("key", GOODBYES)
def test_what_is_kept_is_kept_until_one_day_that_every_text_names(world: Any, links: Any, key: str) -> None:
    kept = re.compile(r"(?:is kept until|keep a copy until|retrieve your data (?:from it )?until) ([^,;.\n]+)")
    for rights, day in ((ExitRights(), r"\d+ \w+ 2026"), (None, r"\[date\]")):
        world.change_rules(exit_rights=rights)
        steps = planned(world, links, key)
        said = {one for step in steps.values() for one in kept.findall(drafts(step.body))}
        assert len(said) <= 1, said
        assert all(re.fullmatch(day, one) for one in said)
        assert said or key in ("agency", "partial") or (key == "light" and rights is None)


def test_no_french_text_puts_a_name_where_french_would_elide() -> None:
    """“De Atelier Lumière” is not French, and a template cannot know how the name begins."""
    elided = re.compile(r"\b(?:de|que|jusque|lorsque|puisque|quoique|le|la|ne|si) {{ (?:company|contacts?)\.[^}]*name")
    texts = [
        (f"{key} {step.key}", text.get("fr", ""))
        for key, book in BOOKS.items()
        for step in book.steps()
        for text in (step.title, step.body, step.call_title, step.call_body, step.customer)
    ]
    texts += [(paper.key, words["fr"]) for paper in shipped_papers().values() for words in (paper.title, paper.before)]
    texts += [
        (paper.key, block.words["fr"]) for paper in shipped_papers().values() for block in paper.blocks if block.words
    ]
    assert len(texts) > 400
    assert [where for where, text in texts if elided.search(text)] == []
