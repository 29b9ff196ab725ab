"""What is handed over: the inventory's tasks, documents, the customer's timeline, exit rights, goodwill."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.cases import (
    Baseline,
    Case,
    CaseStatus,
    FigureChange,
    InventoryItem,
    ItemKind,
    StartingFigure,
    StepStatus,
)
from workflows.documents import PlaybookError
from workflows.exit_rights import add_months, exit_days
from workflows.inventory import looks_secret, suggestions
from workflows.key_figures import first_values, key_figures, parse_amount
from workflows.paper import parse_paper, shipped_papers
from workflows.plan import preview
from workflows.playbook import shipped_playbooks
from workflows.records import Contact
from workflows.rules import Anchor, ExitRights, LinkKind, StepRule
from workflows.survey import shipped_questionnaires
from workflows.timeline import Stand, timeline
from workflows.tone import review
from workflows.wording import _WORDS
from workflows.writes import AttachDocument, CreateNote, CreateTask, DocumentKind, UpdateFields, UpdateTask, Write

World = Any
MakeRule = Callable[..., StepRule]
MakeBook = Callable[..., Any]


def item(world: World, number: int, due: str | None = "2026-04-10", **more: Any) -> InventoryItem:
    values = {"owner_id": "u2", "kind": ItemKind.EXPORT, "title": f"Export {number}", **more}
    day = date.fromisoformat(due) if due else None
    return InventoryItem(id=f"{number:032x}", due_on=day, changed_at=world.now - timedelta(hours=1), **values)


def documents(writes: tuple[Write, ...]) -> list[AttachDocument]:
    return [write for write in writes if isinstance(write, AttachDocument)]


def tasks(writes: tuple[Write, ...]) -> dict[str, CreateTask]:
    return {write.key.split(":", 1)[1]: write for write in writes if isinstance(write, CreateTask)}


def links_on_deal(writes: tuple[Write, ...]) -> list[object]:
    fields = [write.values for write in writes if isinstance(write, UpdateFields)]
    return [values["timeline_link"] for values in fields if "timeline_link" in values]


def text_of(document: AttachDocument) -> str:
    """All that the document says, a line each."""
    lines = [str(document.values["title"])]
    for block in document.values["blocks"]:
        lines += [block["text"]] if "text" in block else []
        lines += [" | ".join(row) for row in block.get("rows", ())]
    return "\n".join(lines)


@pytest.fixture
def handing(world: World, make_rule: MakeRule, make_book: MakeBook) -> World:
    """A plan with the inventory, tasks for its items, and escalation."""
    world.playbook = make_book(
        make_rule("inventory", link=LinkKind.INVENTORY, body={"en": "{{ link }}"}),
        make_rule(
            "hand",
            "item-5bd",
            "item",
            per_item=True,
            owner="item",
            reminder=timedelta(days=1),
            title={"en": "Hand over {{ item.title }} ({{ count }})"},
            body={"en": "{% for one in items %}{{ one.kind }}: {{ one.title }} {% endfor %} by {{ item.due_on }}"},
        ),
        make_rule(
            "late", "item+3bd", "item+5bd", per_item=True, owner="manager", title={"en": "Late: {{ item.title }}"}
        ),
        make_rule("goodbye", "contract_end", "contract_end+5d"),
    )
    world.enter("lost")
    world.look()
    return world


# --- the inventory ---------------------------------------------------------------------------------------------------


@pytest.mark.row("P-22")
def test_each_item_becomes_a_task_for_its_owner_before_its_day_with_a_reminder(handing: World) -> None:
    handing.inventory = (item(handing, 1),)
    handing.look()
    assert handing.step("hand@2026-04-10.u2").status == "waiting"
    handing.wait(days=33)
    made = handing.made[f"{handing.case.id}:hand@2026-04-10.u2"]
    assert made.owner_id == "u2"
    assert made.due_at.date() == date(2026, 4, 10)
    assert made.reminder_at is not None
    assert made.reminder_at.date() == date(2026, 4, 9)
    assert made.subject == "Hand over Export 1 (1)"
    assert "Ben was chosen because the inventory names them." in made.body


@pytest.mark.row("P-22")
def test_things_of_one_owner_on_one_day_share_a_task_so_that_nobody_gets_a_hundred(handing: World) -> None:
    handing.inventory = tuple(item(handing, number) for number in range(1, 201))
    handing.look()
    handing.wait(days=33)
    hand = [key for key in handing.made if ":hand@" in key]
    assert len(hand) == 1
    assert "Hand over Export 1 (200)" in handing.made[hand[0]].subject


@pytest.mark.row("P-22")
def test_without_a_receipt_the_manager_is_told_and_with_one_both_tasks_close(handing: World) -> None:
    handing.inventory = (item(handing, 1),)
    handing.look()
    handing.wait(days=44)
    late = handing.step("late@2026-04-10.u2")
    assert late.status == "open"
    assert handing.made[f"{handing.case.id}:late@2026-04-10.u2"].owner_id == "u5"
    handing.inventory = (item(handing, 1, received_on=date(2026, 4, 15), received_by="Zoe Hill"),)
    writes = handing.look()
    closed = {write.task_id for write in writes if isinstance(write, UpdateTask) and write.close}
    assert closed == {late.task_id, handing.step("hand@2026-04-10.u2").task_id}
    assert handing.step("late@2026-04-10.u2").status == "closed"


@pytest.mark.row("P-22")
def test_a_receipt_in_time_never_bothers_the_manager(handing: World) -> None:
    handing.inventory = (item(handing, 1),)
    handing.look()
    handing.inventory = (item(handing, 1, received_on=date(2026, 3, 10)),)
    handing.look()
    handing.wait(days=60)
    assert not [key for key in handing.made if "@2026-04-10" in key]


def test_an_item_that_moves_to_another_day_or_person_gets_another_task_and_may_come_back(handing: World) -> None:
    handing.inventory = (item(handing, 1, "2026-03-06"),)
    handing.look()
    assert handing.step("hand@2026-03-06.u2").status == "open"
    handing.inventory = (item(handing, 1, "2026-03-09", owner_id="u4"),)
    handing.look()
    assert handing.step("hand@2026-03-06.u2").status == "closed"
    assert handing.step("hand@2026-03-09.u4").status == "open"
    handing.inventory = (item(handing, 1, "2026-03-06"),)
    handing.look()
    assert handing.step("hand@2026-03-06.u2+1").status == "open"
    assert handing.step("hand@2026-03-09.u4").status == "closed"


def test_what_the_counterpart_or_somebody_who_left_sees_to_is_followed_by_the_csm(handing: World) -> None:
    handing.users["u4"] = handing.users["u4"].model_copy(update={"active": False})
    handing.inventory = (item(handing, 1, "2026-03-06", owner_id=None), item(handing, 2, "2026-03-06", owner_id="u4"))
    handing.look()
    owners = {key.partition(":")[2]: task.owner_id for key, task in handing.made.items() if ":hand@" in key}
    assert owners == {"hand@2026-03-06.": "u2", "hand@2026-03-06.u4": "u2"}


@pytest.mark.row("P-22")
def test_the_list_stands_in_one_note_that_comes_anew_only_when_it_changed_and_rests(handing: World) -> None:
    handing.inventory = (item(handing, 1).model_copy(update={"changed_at": handing.now}),)
    notes = [write for write in handing.look() if isinstance(write, CreateNote)]
    assert not notes  # people are still writing
    handing.now += timedelta(minutes=15)
    (note,) = [write for write in handing.look() if isinstance(write, CreateNote)]
    assert "- Data export: Export 1 – Ben, by 10 April 2026" in note.body
    assert not [write for write in handing.look() if isinstance(write, CreateNote)]
    handing.inventory = (item(handing, 1, received_on=date(2026, 3, 2), received_by="Zoe"),)
    (note,) = [write for write in handing.look() if isinstance(write, CreateNote)]
    assert "received on 2 March 2026 (Zoe)" in note.body
    assert note.key.endswith(":2")


def test_a_case_is_not_kept_open_by_an_inventory_that_nobody_filled_in(handing: World) -> None:
    handing.wait(days=1)
    for _ in range(6):
        handing.wait(days=30)
        for step in handing.case.steps:
            if step.status == "open":
                handing.finish(step.key)
        handing.look()
    assert handing.case.status is CaseStatus.COMPLETED


def test_a_plan_that_begins_after_the_end_still_has_time_for_the_inventory(
    world: World, make_rule: MakeRule, make_book: MakeBook
) -> None:
    world.playbook = make_book(
        make_rule("inventory", link=LinkKind.INVENTORY),
        make_rule("hand", "item-5bd", "item", per_item=True, owner="item"),
    )
    world.change(contract_end=date(2025, 12, 1))
    world.enter("lost")
    world.look()
    world.inventory = (item(world, 1, "2026-03-05"),)
    world.look()
    assert world.step("hand@2026-03-05.u2").status == "open"


@pytest.mark.row("P-22")
@pytest.mark.parametrize(
    "text",
    [
        "password: Tr0ub4dor&3",
        "Login admin, pwd = hunter2",
        "mot de passe : Azerty123",
        "mdp: soleil",
        "The API key is abc123def456",
        "https://admin:secret99@example.com/files",
        "-----BEGIN RSA PRIVATE KEY-----",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "PIN: 4821",
    ],
)
def test_what_looks_like_a_secret_is_known(text: str) -> None:
    assert looks_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Logins (through a password manager)",
        "Passwords: handed over via 1Password",
        "Mot de passe : dans le gestionnaire de mots de passe",
        "Password: Bitwarden",
        "https://drive.example.com/file/d/1a2B3c4D5e6F7g8H9i0J/view",
        "Contract 2024-03 signed (v2)",
        "The secret garden campaign, final files",
        "Brand tokens and colours",
        "Mots de passe réinitialisés le 3 mars",
    ],
)
def test_what_only_speaks_of_secrets_is_not_taken_for_one(text: str) -> None:
    assert not looks_secret(text)


def test_the_list_begins_with_lines_that_fit_the_kind_of_customer_in_both_languages() -> None:
    assert ItemKind.EXPORT in [kind for kind, _ in suggestions("saas", "en")]
    assert ItemKind.FILES in [kind for kind, _ in suggestions("agency", "en")]
    for playbook in shipped_playbooks():
        english, french = suggestions(playbook, "en"), suggestions(playbook, "fr")
        assert [kind for kind, _ in english] == [kind for kind, _ in french]
        assert not {title for _, title in english} & {title for _, title in french}
        assert not [title for _, title in english + french if looks_secret(title)]
        sided = {"their", "theirs", "they", "your", "yours", "leur", "leurs", "ils", "votre", "vos"}
        words = {word for _, title in english + french for word in re.split(r"\W+", title.casefold())}
        assert not words & sided, "the team and the customer read the same lines"


# --- documents -------------------------------------------------------------------------------------------------------


@pytest.fixture
def writing(world: World, make_rule: MakeRule, make_book: MakeBook) -> Callable[..., AttachDocument]:
    """The document of a plan's only step, for the world as it is then."""

    def attach(kind: DocumentKind) -> AttachDocument:
        world.playbook = make_book(make_rule("paper", document=kind, link=LinkKind.DOCUMENT, body={"en": "{{ link }}"}))
        world.enter("lost")
        (document,) = documents(world.look())
        return document

    return attach


@pytest.mark.row("P-24")
def test_the_report_shows_each_figure_at_the_start_now_and_the_change_with_a_chart(
    world: World, writing: Callable[..., AttachDocument]
) -> None:
    world.change(figures={"nps": "8", "nps_start": "6", "tier": "Gold"})
    company = world.people.company.model_copy(update={"figures": {"active_users": "240", "tickets": ""}})
    world.people = world.people.model_copy(update={"company": company})
    world.baseline = Baseline(figures={"company.active_users": StartingFigure(value="35", at=world.now)})
    world.started_with = {"deal.tier": "Silver"}
    document = writing(DocumentKind.ACHIEVEMENTS)
    said = text_of(document)
    assert "NPS | 6 | 8 | +2\n" in said, "a share of a score tells nothing"
    assert "Active users | 35 | 240 | +205 (+586%)" in said
    assert "Tier | Silver | Gold | " in said
    assert "Tickets | … | …" in said
    (chart,) = [block for block in document.values["blocks"] if block["kind"] == "chart"]
    assert [bar["label"] for bar in chart["bars"]] == ["NPS", "Active users"]
    assert "Active users: 35 → 240" in chart["text"]
    assert "figures that are no good news for them" in " ".join(document.values["before"])
    assert "Tickets at the start, Tickets today" in " ".join(document.values["before"])
    assert document.values["sender"] == "Ana"


@pytest.mark.row("P-24")
def test_the_first_figures_are_asked_of_the_crm_only_where_no_baseline_noted_them(
    world: World, writing: Callable[..., AttachDocument]
) -> None:
    world.change(figures={"nps": "8"})
    world.baseline = Baseline(figures={"deal.nps": StartingFigure(value="6", at=world.now)})
    writing(DocumentKind.ACHIEVEMENTS)
    assert "start" not in world.reads


def test_without_any_figures_the_report_says_so_and_leaves_room(
    world: World, writing: Callable[..., AttachDocument]
) -> None:
    document = writing(DocumentKind.ACHIEVEMENTS)
    assert "No key figures are named in the settings" in " ".join(document.values["before"])
    assert not [block for block in document.values["blocks"] if block["kind"] == "chart"]
    assert "start" not in world.reads


@pytest.mark.row("P-23")
def test_the_letter_thanks_with_what_rose_and_leaves_room_for_a_memory_and_a_signature(
    world: World, writing: Callable[..., AttachDocument]
) -> None:
    more_is_worse = {"complaints": "2", "complaints_start": "9", "open_tickets": "12", "open_tickets_start": "5"}
    world.change(figures={"users": "240", "users_start": "35", **more_is_worse})
    said = text_of(writing(DocumentKind.LETTER))
    assert "ickets" not in said, "that more tickets are open is nothing to be thanked for"
    assert "a short report" not in said, "this plan makes none"
    assert "Users: from 35 to 240" in said
    assert "omplaints" not in said
    assert "[a moment, a project, a person]" in said
    assert "[head of the company]" in said
    assert "30 June 2026" in said


@pytest.mark.row("P-28")
def test_the_farewell_is_in_the_customers_language_and_signed_by_whoever_sends_it(
    world: World, writing: Callable[..., AttachDocument]
) -> None:
    contact = Contact(id="p1", name="Zoé Hill", first_name="Zoé", email="zoe@example.com", language="fr-CA")
    world.people = world.people.model_copy(update={"contacts": (contact,)})
    document = writing(DocumentKind.FAREWELL)
    assert document.language == "fr"
    said = text_of(document)
    assert "Bonjour Zoé," in said
    assert "30 juin 2026" in said
    assert "vous serez toujours les bienvenus" in said
    assert said.endswith("Ana")
    assert document.name == "Message d’au revoir - Hotel Aurora.docx"


@pytest.mark.row("P-54")
def test_the_case_study_asks_four_questions(writing: Callable[..., AttachDocument]) -> None:
    document = writing(DocumentKind.CASE_STUDY)
    assert len([block for block in document.values["blocks"] if block["kind"] == "question"]) == 4
    assert "accept a no" in " ".join(document.values["before"])


@pytest.mark.row("P-21")
def test_the_plan_lists_the_customers_steps_with_dates_and_people(
    world: World, make_rule: MakeRule, make_book: MakeBook
) -> None:
    world.playbook = make_book(
        make_rule("plan", document=DocumentKind.PLAN, owner="csm"),
        make_rule(
            "end", "contract_end", "contract_end", owner="csm", customer={"en": "Access closes", "fr": "Fermeture"}
        ),
        make_rule("secret", "contract_end", "contract_end"),
    )
    world.enter("lost")
    (document,) = documents(world.look())
    assert "30 June 2026 | Access closes | Ben" in text_of(document)
    assert "secret" not in text_of(document)


def test_a_case_that_ends_at_once_takes_its_unsent_document_back(world: World, writing: Callable[..., Any]) -> None:
    world.crm_answers = False
    document = writing(DocumentKind.LETTER)
    world.enter("won")
    world.look()
    assert document.key in world.last_decision.withdraw


def test_odd_names_and_long_texts_stay_within_bounds(world: World, writing: Callable[..., AttachDocument]) -> None:
    name = "=cmd|' /C calc'!A0 <b>{{ 7 * 7 }}</b> " + "x" * 60_000
    world.people = world.people.model_copy(
        update={"company": world.people.company.model_copy(update={"name": name, "figures": {"note": "y" * 60_000}})}
    )
    document = writing(DocumentKind.ACHIEVEMENTS)
    assert len(document.model_dump_json()) < 100_000
    assert "49" not in text_of(document)
    assert len(document.name) < 120
    assert not set(document.name) & set("<>|/'{}=")


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("1250.5", "1250.5", ""),
        ("EUR 1 200,50", "1200.50", "EUR"),
        ("85 %", "85", "%"),
        ("-3", "-3", ""),
        ("1’000 CHF", "1000", "CHF"),
    ],
)
def test_figures_that_are_numbers_are_reckoned_with(text: str, number: str, unit: str) -> None:
    amount = parse_amount(text)
    assert amount is not None
    assert (amount.number, amount.unit) == (Decimal(number), unit)


@pytest.mark.parametrize(
    "text", ["", "n/a", "1,234", "NaN", "Infinity", "9" * 40, "2025-03-01", "12 EUR USD", "=1+1", None]
)
def test_figures_that_are_no_numbers_for_sure_stay_texts(text: str | None) -> None:
    assert parse_amount(text) is None


def test_different_currencies_are_never_compared_and_points_are_no_percentages() -> None:
    now = {"deal.fee": "USD 90", "deal.share": "60 %"}
    fee, share = key_figures(["deal.fee", "deal.share"], now, {"deal.fee": "EUR 100", "deal.share": "40 %"}, "fr")
    assert (fee.change, fee.bars) == ("", None)
    assert share.change == "+20\u00a0pt"


def test_a_score_has_a_real_minus_and_no_percentage_and_a_figure_its_own_name() -> None:
    called = {"company.active_users": {"fr": "Utilisateurs actifs", "en": "Active users"}}
    now = {"deal.nps": "-20", "company.active_users": "12"}
    start = {"deal.nps": "30", "company.active_users": "10"}
    nps, users = key_figures(now, now, start, "fr", called)
    assert (nps.start, nps.now, nps.change) == ("30", "−20", "−50")
    assert (users.label, users.change) == ("Utilisateurs actifs", "+2 (+20\u00a0%)")
    assert key_figures(now, now, start, "de", called)[1].label == "Utilisateurs actifs", "what there is"


def test_the_oldest_value_that_the_crm_remembers_is_the_first(world: World) -> None:
    first = FigureChange(figure="deal.nps", value="7", at=world.now - timedelta(days=300), before="5")
    later = FigureChange(figure="deal.nps", value="8", at=world.now)
    empty = FigureChange(figure="deal.tier", value=None, at=world.now)
    assert first_values([first, later, empty]) == {"deal.nps": "5"}


@given(st.text(max_size=40))
def test_no_figure_text_breaks_the_report(text: str) -> None:
    (figure,) = key_figures(["deal.x"], {"deal.x": text}, {"deal.x": text[::-1]}, "fr")
    assert figure.label == "X"


@pytest.mark.row("P-27")
def test_no_document_and_no_line_for_customers_hurts(world: World) -> None:
    for paper in shipped_papers().values():
        for block in paper.blocks:
            for language, text in block.words.items():
                assert not review(text, language), (paper.key, text)
    for playbook in shipped_playbooks().values():
        for step in playbook.steps():
            for language, text in step.customer.items():
                assert not review(text, language), text


def test_a_document_with_a_fault_says_where_and_what_is_right() -> None:
    good = (
        "paper: note\nlayout: report\nlanguages: [en, fr]\ntitle: {en: T, fr: T}\nbefore: {en: B, fr: B}\nblocks:\n"
        '  - text: {en: "{{ reason }}", fr: "x"}\n'
    )
    with pytest.raises(PlaybookError, match="nothing is called 'reason' here"):
        parse_paper(good, "note.yaml")


# --- the customer's timeline -----------------------------------------------------------------------------------------


@pytest.fixture
def showing(world: World, make_rule: MakeRule, make_book: MakeBook) -> World:
    words = {"en": "You get the plan", "fr": "Vous recevez le plan"}
    world.playbook = make_book(
        make_rule("plan", owner="csm", customer=words, body={"en": "Follow it here: {{ timeline }}"}),
        make_rule("inside", owner="manager"),
        make_rule("close", "contract_end", "contract_end+5d", customer={"en": "Access closes", "fr": "Fermeture"}),
        make_rule("never", when="days_left > 9000", customer={"en": "Never shown", "fr": "Jamais"}),
    )
    world.enter("lost")
    return world


@pytest.mark.row("P-2A")
def test_the_customer_sees_their_steps_with_day_person_and_state_and_nothing_else(showing: World) -> None:
    showing.look()
    lines = timeline(showing.seen(), showing.case, "fr")
    assert [(line.title, line.day) for line in lines] == [
        ("Vous recevez le plan", date(2026, 3, 3)),
        ("Fermeture", date(2026, 7, 6)),
    ]
    assert (lines[0].who, lines[0].stand) == ("Ben", Stand.NEXT)
    assert "inside" not in str(lines)
    assert "Never" not in str(lines)


@pytest.mark.row("P-2A")
def test_the_timeline_follows_the_plan_and_what_people_change(showing: World) -> None:
    showing.look()
    showing.touch("plan", owner_id="u3", due_at=datetime(2026, 3, 5, 16, tzinfo=ZoneInfo("UTC")))
    showing.look()
    (plan, _) = timeline(showing.seen(), showing.case, "en")
    assert (plan.day, plan.who) == (date(2026, 3, 5), "Chloé")
    showing.finish("plan")
    showing.change(contract_end=date(2026, 8, 31))
    showing.look()
    (plan, close) = timeline(showing.seen(), showing.case, "en")
    assert (plan.stand, plan.day) == (Stand.DONE, date(2026, 3, 2))
    assert (close.stand, close.day) == (Stand.NEXT, date(2026, 9, 7))


@pytest.mark.row("P-2A")
def test_the_pages_address_is_on_the_deal_and_in_drafts_once(showing: World) -> None:
    writes = showing.look()
    address = f"https://goodbye.example.com/timeline/{showing.case.id}/-/"
    assert links_on_deal(writes) == [address]
    assert address in tasks(writes)["plan"].body
    showing.change(name="Renamed")
    assert not links_on_deal(showing.look())


def test_a_playbook_without_words_for_customers_gives_no_page(world: World) -> None:
    world.enter("lost")
    assert not links_on_deal(world.look())


# --- exit rights -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2026, 8, 31), 1, date(2026, 9, 30)),
        (date(2026, 11, 30), 2, date(2027, 1, 30)),
        (date(2026, 5, 15), 0, date(2026, 5, 15)),
    ],
)
@pytest.mark.row("P-2B")
def test_months_end_where_they_end(day: date, months: int, expected: date) -> None:
    assert add_months(day, months) == expected


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(0, 24))
def test_so_many_months_later_is_so_many_months_later(day: date, months: int) -> None:
    then = add_months(day, months)
    assert (then.year * 12 + then.month) - (day.year * 12 + day.month) == months
    assert then.day <= day.day


@pytest.fixture
def rights(world: World) -> World:
    world.playbook = shipped_playbooks()["saas"]
    world.questionnaires = dict(shipped_questionnaires())
    return world


@pytest.mark.row("P-2B")
def test_the_clock_counts_from_the_notice_and_never_ends_before_the_contract(rights: World) -> None:
    rights.rules = rights.rules.model_copy(update={"exit_rights": ExitRights()})
    rights.enter("lost")
    rights.look()
    tz = ZoneInfo("Europe/Paris")
    days = exit_days(rights.case, ExitRights(), tz)
    assert days[Anchor.NOTICE_END] == date(2026, 5, 2)
    assert days[Anchor.SWITCHING_END] == date(2026, 6, 30)  # the contract runs longer than the 30 days
    assert days[Anchor.RETRIEVAL_END] == date(2026, 7, 30)
    shorter = rights.case.model_copy(update={"contract_end": date(2026, 3, 31)})
    assert exit_days(shorter, ExitRights(), tz)[Anchor.SWITCHING_END] == date(2026, 6, 1)


@pytest.mark.row("P-2B")
def test_tasks_come_before_each_of_its_days_and_a_receipt_after_the_last(rights: World) -> None:
    rights.rules = rights.rules.model_copy(update={"exit_rights": ExitRights()})
    rights.enter("lost")
    rights.look()
    rights.wait(days=170)
    made = {key.partition(":")[2]: task for key, task in rights.made.items() if ":rights-" in key}
    assert list(made) == ["rights-confirm", "rights-switching", "rights-retrieval", "rights-erase"]
    assert made["rights-switching"].due_at.date() <= date(2026, 6, 16)
    assert made["rights-retrieval"].due_at.date() <= date(2026, 7, 16)
    assert made["rights-erase"].due_at.date() > date(2026, 7, 30)
    assert "until 30 July 2026" in made["rights-retrieval"].body
    assert "at most what it costs us" in made["rights-confirm"].body


@pytest.mark.row("P-2B")
@pytest.mark.parametrize("playbook", ["light", "vendor-ended", "partial"])
def test_the_clock_runs_whoever_ended_it_and_for_a_part_as_well(rights: World, playbook: str) -> None:
    rights.playbook = shipped_playbooks()[playbook]
    rights.rules = rights.rules.model_copy(update={"exit_rights": ExitRights()})
    rights.enter("lost")
    began = rights.now.date()
    rights.look()
    rights.wait(days=170)
    made = {key.partition(":")[2]: task for key, task in rights.made.items() if ":rights-" in key}
    assert list(made) == ["rights-confirm", "rights-switching", "rights-retrieval", "rights-erase"]
    assert made["rights-confirm"].due_at.date() >= began + timedelta(days=4)
    confirm = made["rights-confirm"].body
    for day in ("2 May 2026", "30 June 2026", "30 July 2026"):
        assert day in confirm
    assert ("your notice" in confirm) is (playbook != "vendor-ended"), "who was given notice has given none"
    assert ("[the part]" in confirm) is (playbook == "partial"), "the rest goes on"


@pytest.mark.row("P-2B")
def test_from_the_day_of_the_law_on_switching_costs_nothing(rights: World) -> None:
    rights.rules = rights.rules.model_copy(update={"exit_rights": ExitRights()})
    rights.change(contract_end=date(2027, 1, 31))
    rights.enter("lost")
    rights.look()
    rights.wait(days=5)
    confirm = next(task for key, task in rights.made.items() if ":rights-confirm" in key)
    assert "Switching costs you nothing." in confirm.body


@pytest.mark.row("P-2B")
def test_open_tasks_of_the_clock_move_with_the_contracts_end(rights: World) -> None:
    rights.rules = rights.rules.model_copy(update={"exit_rights": ExitRights()})
    rights.enter("lost")
    rights.look()
    rights.wait(days=101)
    before = rights.step("rights-switching").due_at
    rights.change(contract_end=date(2026, 7, 31))
    rights.look()
    assert rights.step("rights-switching").due_at == before.replace(month=7, day=17)


@pytest.mark.row("P-2B")
def test_where_no_clock_is_kept_nothing_of_it_exists(rights: World, links: Any) -> None:
    rights.enter("lost")
    rights.look()
    assert not [step.key for step in rights.case.steps if step.key.startswith("rights-")]
    assert not [
        step.key for step in preview(rights.seen(people=rights.people), links) if step.key.startswith("rights-")
    ]


@pytest.mark.row("P-2B")
@pytest.mark.parametrize(("usual", "said", "runs"), [(True, False, False), (False, True, True), (False, None, False)])
def test_what_a_deal_says_of_its_contract_counts_before_what_the_account_says(
    rights: World, links: Any, usual: bool, said: bool | None, runs: bool
) -> None:
    rights.rules = rights.rules.model_copy(update={"exit_rights": ExitRights(in_scope=usual)})
    rights.change(exit_rights=said)
    rights.enter("lost")
    rights.look()
    rights.wait(days=7)
    seen = preview(rights.seen(people=rights.people), links)
    assert any(step.key == "rights-confirm" for step in seen) is runs
    assert any(":rights-confirm" in key for key in rights.made) is runs


@pytest.mark.row("P-2B")
def test_a_deal_that_is_marked_while_the_plan_runs_gets_its_tasks_and_loses_them(rights: World) -> None:
    rights.rules = rights.rules.model_copy(update={"exit_rights": ExitRights(in_scope=False)})
    rights.enter("lost")
    rights.look()
    rights.wait(days=20)
    assert rights.step("rights-confirm").status is StepStatus.SKIPPED
    rights.change(exit_rights=True)
    rights.look()
    rights.wait(days=2)
    assert rights.step("rights-confirm").status is StepStatus.OPEN
    rights.change(exit_rights=False)
    rights.look()
    assert rights.step("rights-confirm").status is StepStatus.CLOSED
    assert rights.step("rights-erase").status is StepStatus.SKIPPED
    former = rights.step("rights-confirm").task_id
    rights.change(exit_rights=True)  # it was a mis-click
    rights.look()
    rights.wait(days=2)
    again = rights.step("rights-confirm")
    assert (again.status, rights.tasks[again.task_id].done) == (StepStatus.OPEN, False)
    assert again.task_id != former
    rights.finish("rights-confirm")
    rights.look()
    for said in (False, True):
        rights.change(exit_rights=said)
        rights.look()
    assert rights.step("rights-confirm").status is StepStatus.DONE, "what people did stays done"


@pytest.mark.parametrize("playbook", ["saas", "light", "vendor-ended", "partial"])
def test_nothing_about_exit_rights_claims_to_be_legal_advice(playbook: str) -> None:
    for step in shipped_playbooks()[playbook].steps():
        if step.key.startswith("rights-"):
            for text in (*step.body.values(), *step.title.values()):
                assert "complian" not in text.lower()
                assert "conform" not in text.lower()
                assert "Data Act" not in text


# --- goodwill, finance -----------------------------------------------------------------------------------------------


@pytest.mark.row("P-2C")
@pytest.mark.parametrize("playbook", ["saas", "agency"])
def test_goodwill_is_a_person_s_decision_after_the_conversation_and_asks_for_its_reason(
    world: World, playbook: str
) -> None:
    world.playbook = shipped_playbooks()[playbook]
    world.questionnaires = dict(shipped_questionnaires())
    world.enter("lost")
    world.look()
    world.wait(days=20)
    assert not [key for key in world.made if ":goodwill" in key]
    world.finish("interview")
    world.look()
    (task,) = [task for key, task in world.made.items() if ":goodwill" in key]
    assert task.owner_id == "u1"
    assert "Nobody has to" in task.body
    assert task.link is not None
    required = {one.key for one in world.questionnaires["goodwill"].questions() if one.required}
    assert {"what", "reason", "offer"} <= required


@pytest.mark.row("P-25")
@pytest.mark.parametrize("playbook", ["saas", "agency", "light", "vendor-ended", "partial"])
def test_every_goodbye_has_finance_stop_billing_and_settle_the_last_invoice(playbook: str) -> None:
    said = " ".join(
        step.title["en"] + " " + step.body["en"]
        for step in shipped_playbooks()[playbook].steps()
        if "finance" in step.title["en"] + step.body["en"] or "billing" in step.body["en"]
    )
    assert "invoice" in said
    assert re.search("after|no longer", said)


# --- what ships ------------------------------------------------------------------------------------------------------


@pytest.mark.row("P-22")
@pytest.mark.parametrize("playbook", ["saas", "agency", "light", "vendor-ended", "partial"])
def test_every_shipped_goodbye_has_an_inventory_with_tasks_escalation_and_a_line_for_the_customer(
    playbook: str,
) -> None:
    steps = shipped_playbooks()[playbook].steps()
    assert [step for step in steps if step.link is LinkKind.INVENTORY and not step.per_item]
    assert {step.owner for step in steps if step.per_item} == {"item", "manager"}
    assert [step for step in steps if step.customer]
    for step in steps:
        assert not step.customer or set(step.customer) == {"en", "fr"}


@pytest.mark.row("P-23")
def test_a_letter_goes_out_with_every_whole_goodbye() -> None:
    for key in ("saas", "agency", "light", "vendor-ended"):
        kinds = {step.document for step in shipped_playbooks()[key].steps()}
        assert DocumentKind.LETTER in kinds, key


def test_our_own_words_about_handing_over_are_in_both_languages() -> None:
    ours = [key for key in _WORDS if key.startswith(("inventory.", "figure.", "chart.", "columns.", "document."))]
    assert len(ours) > 15
    assert all(set(_WORDS[key]) == {"en", "fr"} for key in ours)
    for document in DocumentKind:
        assert f"document.{document}" in _WORDS


def test_a_stored_case_knows_steps_of_items_again(handing: World) -> None:
    handing.inventory = (item(handing, 1),)
    handing.look()
    again = Case.model_validate_json(handing.case.model_dump_json())
    assert again == handing.case
