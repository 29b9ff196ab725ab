"""What the company learns, in the CRM: digests, the look back, early signs, beginnings (P-40, P-41, P-60 to P-62)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.errors import Rejected, Unavailable
from connector.commands.figures import figures_of
from connector.erase_by_hand import erase_by_hand
from connector.store import baselines, intake
from connector.store.housekeeping import Keep, clean
from connector.store.tables import CaseRow, IntentRow, LinkRow
from sandbox.hubspot.definitions import COMPANY
from sandbox.salesforce.schema import Field
from workflows.cases import CaseStatus
from workflows.questions import Answer
from workflows.records import RecordKind
from workflows.rules import LinkKind

WON = {"hubspot": "1003", "salesforce": "Closed Won"}
CURRENCY = {"hubspot": "deal_currency_code", "salesforce": "CurrencyIsoCode"}
SIZE = {"hubspot": "numberofemployees", "salesforce": "NumberOfEmployees"}


@pytest.fixture
def account_settings(request: pytest.FixtureRequest, rig: Any) -> dict[str, Any]:
    """What a test names, the stage of this CRM that says renewed, and a mapped figure whose past the CRM keeps."""
    if rig.name == "salesforce":
        rig.sandbox.world.settings.tracked["Account"].add(SIZE[rig.name])
    size = f"company.{SIZE[rig.name]}"
    given = dict(request.param)
    if given.get("early_signs", {}).get("stalling"):
        given["early_signs"] = given["early_signs"] | {"stalling": [size]}
    fields = {"contract_end": rig.contract_end_field, "exit_reason": rig.exit_reason_field}
    if given.pop("figures", True):
        fields["figures"] = [size]
    return {**given, "fields": fields, "watch": {"renewed": [WON[rig.name]]}}


def set_size(system: Any, company: str, size: int | None) -> None:
    """A person, or the product, writes the company's figure."""
    name, rig = SIZE[system.rig.name], system.rig
    if rig.name == "hubspot":
        rig._change(COMPANY, company, {name: "" if size is None else str(size)})
    else:
        rig.sandbox.world.update(company, {name: size})


def customers(system: Any, count: int, size: int) -> list[tuple[str, str]]:
    """So many customers whose deal was renewed just now, as deal and company."""
    made = []
    for number in range(count):
        company = system.rig.add_company(f"Hotel {number}", owner_id=system.rig.users[0])
        set_size(system, company, size)
        deal = system.renewal(f"Hotel{number} {number}", contacts=1, company_id=company)
        system.rig.move_deal(deal, WON[system.rig.name])
        made.append((deal, company))
    return made


def answer(system: Any, deal: str, questionnaire: str = "exit", by: str = "customer", **values: Any) -> None:
    """Someone answers, as their page would keep it."""
    case, links, now = system.case(deal), system.runtime.links, system.rig.now()
    kind = {"customer": LinkKind.SURVEY, "csm": LinkKind.INTERVIEW, "team": LinkKind.TEAM}[by]
    contact = case.contact_ids[0] if by == "customer" else None
    link = LinkRow(
        id=links.link_id(kind, case.id, contact, questionnaire), account="acme", case_id=case.id, kind=kind.value,
        contact_id=contact, questionnaire=questionnaire, language="en", made_at=now, closed_at=None,
    )  # fmt: skip
    given = Answer(
        case_id=case.id, contact_id=contact, questionnaire=questionnaire, by=by, language="en", at=now,
        values={key.replace("_", "-"): value for key, value in values.items()},
    )  # fmt: skip
    with system.runtime.store.write() as session:
        intake.keep_link(session, link)
        intake.save_answer(session, link, given)


def due_date(due: Any) -> date:
    """The day of a due date, which has a time on one CRM only."""
    return due.date() if isinstance(due, datetime) else due


def subjects(system: Any, deal: str, beginning: str) -> list[str]:
    return sorted(task.subject for task in system.rig.tasks(deal) if task.subject.startswith(beginning))


# --- digests --------------------------------------------------------------------------------------------------------


@pytest.mark.row("P-40", "P-45")
@pytest.mark.parametrize("account_settings", [{"digest": {"every": "weekly"}, "figures": False}], indirect=True)
def test_each_department_is_told_once_a_week_what_leavers_said(system: Any) -> None:
    one, two = system.renewal("Aurora renewal"), system.renewal("Borea renewal")
    system.lose(one, two)
    system.work()
    answer(system, one, recommend=3, reason="price", missing="An export to Excel")
    system.rig.advance(timedelta(hours=1))
    answer(system, two, recommend=8, reason="price")
    system.rig.advance(timedelta(days=16))  # nobody listens for more than two weeks
    system.restart()
    system.work()
    assert subjects(system, two, "What leavers") == [
        "What leavers told us, for finance: 2 answers",
        "What leavers told us, for sales: 2 answers",
    ]
    [told] = [task for task in system.rig.tasks(one) if task.subject.startswith("What leavers")]
    assert told.subject == "What leavers told us, for product: one answer"
    assert "An export to Excel" in told.body
    words = [task.body for deal in (one, two) for task in system.rig.tasks(deal) if "What leavers" in task.subject]
    assert "%" not in "".join(words), "two answers are no percentage"
    assert system.account.crm().deal_url(one) in told.body
    system.restart()
    system.rig.advance(timedelta(days=8))
    system.work()
    everything = [*subjects(system, one, "What leavers"), *subjects(system, two, "What leavers")]
    assert len(everything) == 3, "neither a restart nor a week without answers brings another"


@pytest.mark.row("P-79", "P-40")
@pytest.mark.parametrize("account_settings", [{"digest": {"every": "weekly"}, "figures": False}], indirect=True)
def test_an_erased_persons_words_leave_the_digests_that_we_keep(system: Any) -> None:
    deal = system.renewal("Aurora renewal", contacts=1)
    system.lose(deal)
    system.work()
    answer(system, deal, reason="price", missing="An export to Excel")
    system.rig.advance(timedelta(days=8))
    system.work()
    assert subjects(system, deal, "What leavers")
    receipt = erase_by_hand(system.runtime, "acme", email="person0@aurora.example")
    with system.runtime.store.read() as session:
        kept = [row.content for row in session.query(IntentRow) if ":digest:" in row.key]
    assert kept
    assert not any("An export" in str(content) for content in kept)
    told = [task.id for task in system.rig.tasks(deal) if task.subject.startswith("What leavers")]
    assert set(told) <= set(str(receipt.as_json()).replace("'", " ").replace(",", " ").split()), (
        "and what stays is named"
    )


# --- the look back --------------------------------------------------------------------------------------------------


@pytest.mark.row("P-41")
@pytest.mark.parametrize("account_settings", [{}], indirect=True)
def test_the_signs_before_the_loss_are_noted_on_the_deal(system: Any) -> None:
    company = system.rig.add_company("Northwind", owner_id=system.rig.users[0])
    set_size(system, company, 120)
    system.rig.advance(timedelta(days=1))
    set_size(system, company, 110)
    system.rig.advance(timedelta(days=39))
    set_size(system, company, 30)
    system.rig.advance(timedelta(days=20))
    deal = system.renewal(company_id=company)
    system.lose(deal)
    system.work()
    [note] = [one for one in system.rig.notes(deal) if "Looking back" in one.body]
    assert "from 120 to 30" in note.body or "from 110 to 30" in note.body
    assert "(20 days before)" in note.body
    for _ in range(3):
        system.signal(deal)
        system.work()
    assert sum("Looking back" in one.body for one in system.rig.notes(deal)) == 1


@pytest.mark.row("P-41")
@pytest.mark.parametrize("account_settings", [{}], indirect=True)
def test_looking_back_is_one_read_for_a_whole_batch(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = [system.renewal(f"Hotel{number} renewal", contacts=1) for number in range(6)]
    crm, asked = system.account.crm(), list[int]()
    history = crm.history
    monkeypatch.setattr(crm, "history", lambda refs, *rest: asked.append(len(refs)) or history(refs, *rest))
    system.lose(*deals)
    system.work()
    assert asked == [6]
    assert all(any("Looking back" in note.body for note in system.rig.notes(deal)) for deal in deals)


# --- early signs ----------------------------------------------------------------------------------------------------


@pytest.mark.row("P-62")
@pytest.mark.parametrize(
    "account_settings", [{"early_signs": {"stalling": True, "stalls_after": "25d"}}], indirect=True
)
def test_what_falls_or_stands_still_at_a_customers_is_told_once_while_it_can_help(system: Any) -> None:
    made = customers(system, 8, 95)
    system.rig.advance(timedelta(days=15))
    falling, leaving, still = made[0], made[1], made[2]
    for _, company in made:
        set_size(system, company, 95 if company == still[1] else 100)
    system.rig.advance(timedelta(days=15))
    system.work()
    [stands] = [task for task in system.rig.tasks(still[0]) if task.subject.startswith("Early sign")]
    assert "has stood still at 95 since" in stands.subject
    assert stands.owner_id == system.rig.users[0]
    for _, company in (falling, leaving):
        set_size(system, company, 40)
    system.lose(leaving[0])
    system.rig.advance(timedelta(days=1))
    system.work()
    [sign] = [task for task in system.rig.tasks(falling[0]) if task.subject.startswith("Early sign")]
    assert sign.subject.endswith("fell from 100 to 40")
    assert sign.owner_id == system.rig.users[0]
    others = [deal for deal, _ in made if deal not in (falling[0], still[0])]
    assert not [one for deal in others for one in subjects(system, deal, "Early sign")], "who leaves is no customer"
    system.restart()
    system.advance(days=3)
    assert [len(subjects(system, deal, "Early sign")) for deal in (falling[0], still[0])] == [1, 1]


@pytest.mark.row("P-62")
@pytest.mark.parametrize("account_settings", [{"early_signs": {}}], indirect=True)
def test_watching_customers_costs_few_calls(system: Any) -> None:
    customers(system, 40, 100)
    system.rig.advance(timedelta(days=2))
    system.work()
    system.rig.forget_calls()
    system.rig.advance(timedelta(minutes=30))
    system.work()
    assert system.rig.calls() == 0, "once a day is enough"
    system.rig.advance(timedelta(days=1))
    system.work()
    assert system.rig.calls() <= 12, "the daily comparison and the users of the hour among them"


@pytest.mark.row("P-41", "P-62")
@pytest.mark.parametrize("account_settings", [{"early_signs": {}}], indirect=True)
def test_trouble_with_the_past_of_figures_stops_no_case(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        raise Rejected("history is not kept here")

    def away(*_: Any) -> Any:
        raise Unavailable("try again")

    company = system.rig.add_company("Northwind", owner_id=system.rig.users[0])
    set_size(system, company, 30)
    deal = system.renewal(company_id=company)
    crm = system.account.crm()
    monkeypatch.setattr(crm, "history", refused)
    monkeypatch.setattr(crm, "ended_between", away)
    system.rig.advance(timedelta(days=1))
    system.lose(deal)
    system.work()
    assert system.case(deal).confirmed_at
    [note] = [one for one in system.rig.notes(deal) if "Looking back" in one.body]
    assert "kept no history of it; it is 30 now" in note.body


# --- where it begins, and what it comes to --------------------------------------------------------------------------


@pytest.mark.row("P-60")
@pytest.mark.parametrize("account_settings", [{"baseline_playbook": "baseline"}], indirect=True)
def test_first_figures_and_the_map_of_people_are_kept_from_the_start(system: Any) -> None:
    [(deal, company)] = customers(system, 1, 100)
    system.rig.advance(timedelta(minutes=15))
    system.work(poll=True)
    set_size(system, company, 250)
    task = next(task for task in system.rig.tasks(deal) if "within 72 hours" in task.subject)
    system.rig.complete_task(task.id)
    system.advance(days=2)
    with system.runtime.store.read() as session:
        [kept] = baselines.by_subject(session, "acme", [f"company:{company}"]).values()
    [(name, figure)] = kept.figures.items()
    assert (name, figure.value) == (f"company.{SIZE[system.rig.name]}", "100"), "what was true at the start stays"
    assert len(kept.people) == 1


@pytest.mark.row("P-61", "P-13")
@pytest.mark.parametrize("account_settings", [{"baseline_playbook": "baseline", "figures": False}], indirect=True)
def test_how_people_wanted_to_work_comes_back_in_the_transition_plan(system: Any) -> None:
    [(deal, company)] = customers(system, 1, 100)
    system.rig.advance(timedelta(minutes=15))
    system.work(poll=True)
    system.advance(days=4)
    [asked] = [task for task in system.rig.tasks(deal) if task.subject.startswith("Agree with")]
    assert "/interview/" in asked.body
    answer(system, deal, "frame", by="csm", rhythm="fortnightly", channel="Phone", validates="Zoe Hill")
    system.signal(deal)
    system.work()
    assert any("How we work together" in note.body and "Zoe Hill" in note.body for note in system.rig.notes(deal))
    renewal = system.renewal(company_id=company)
    system.lose(renewal)
    system.advance(days=3)
    [task] = [task for task in system.rig.tasks(renewal) if "one counterpart" in task.subject]
    agreed = "who validates: Zoe Hill; channel: Phone; status: every two weeks"
    assert agreed in task.body
    system.go_on(days=40)
    points = [task for task in system.rig.tasks(renewal) if "the next short status" in task.subject]
    first, second = sorted(date.fromisoformat(f"{task.due:%Y-%m-%d}") for task in points)[:2]
    assert second - first == timedelta(days=14), "the rhythm of the short status points"
    assert "every two weeks, by Phone" in points[0].body
    assert "Zoe Hill validates on their side" in points[0].body


@pytest.mark.row("P-42", "P-43")
@pytest.mark.parametrize("account_settings", [{"digest": {"every": "weekly"}}], indirect=True)
def test_the_post_mortem_begins_with_what_is_known_and_its_outcome_is_kept(system: Any) -> None:
    company = system.rig.add_company("Northwind", owner_id=system.rig.users[0])
    set_size(system, company, 120)
    system.rig.advance(timedelta(days=30))
    set_size(system, company, 30)
    system.rig.advance(timedelta(days=5))
    ended = (system.rig.now() - timedelta(days=10)).date()
    seller = system.rig.users[1]
    deal = system.renewal(company_id=company, contract_end=ended, owner_id=seller)
    system.lose(deal)
    system.work()
    answer(system, deal, recommend=3, reason="product_gap", missing="An export to Excel")
    answer(system, deal, "team", by="team", recommend=8, reason="price")
    system.advance(days=25)
    tasks = {task.subject: task for task in system.rig.tasks(deal)}
    assert any("people's view" in subject for subject in tasks)
    agenda = next(task.body for subject, task in tasks.items() if subject.startswith("Hold the post-mortem"))
    for part in ("1. The relation", "2. The work", "3. What follows", "/team/", "An export to Excel", "from 120 to 30"):
        assert part in agenda
    held = next(task for subject, task in tasks.items() if subject.startswith("Hold the post-mortem"))
    [come] = [task for subject, task in tasks.items() if subject.startswith("Come to the post-mortem")]
    assert (come.owner_id, come.due) == (seller, held.due)
    assert system.account.users()[seller].name in held.body
    assert "/team/" in come.body
    assert "An export to Excel" not in come.body, "what the customer said is read together"
    moved = due_date(held.due) + timedelta(days=3)
    system.move_task(held.id, moved)
    system.rig.advance(timedelta(minutes=15))
    system.work(poll=True)
    assert [due_date(task.due) for task in system.rig.tasks(deal) if task.id == come.id] == [moved]
    assert agenda.index("Price or value") < agenda.index("Something missing in the product"), "our own view first"
    answer(system, deal, "postmortem", by="team", fit="no", decisions="Ask for the number of users first. Ana, May.",
           qualify="How many use it?")  # fmt: skip
    system.signal(deal)
    system.work()
    assert system.rig.value(RecordKind.DEAL, deal, "fit") == "no"
    assert system.rig.value(RecordKind.COMPANY, company, "fit") == "no"
    assert any("Ask for the number of users first" in note.body for note in system.rig.notes(deal))

    again = system.rig.add_deal("Northwind, once more", company_id=company, owner_id=system.rig.users[0])
    other = system.rig.add_deal("Somebody else", owner_id=system.rig.users[0])
    for _ in range(3):
        system.rig.advance(timedelta(minutes=15))
        system.work(poll=True)
    [note] = system.rig.notes(again)
    for part in (
        "a fit? no",
        "Why they left, in their own answer: Something missing in the product",
        "How many use it?",
    ):
        assert part in note.body
    assert system.rig.value(RecordKind.DEAL, again, "fit") == "no"
    assert system.rig.notes(other) == []
    system.rig.advance(timedelta(days=7))
    system.work()
    [told] = [task for task in system.rig.tasks(deal) if "for sales" in task.subject and "post-mortems" in task.body]
    assert "How many use it?" in told.body

    with system.runtime.store.write() as session:  # the ending's texts go in time, and sales still works on the deal
        row = session.get(CaseRow, system.case(deal).id)
        row.status, row.closed_at = CaseStatus.COMPLETED.value, system.rig.now()
    system.rig.advance(timedelta(hours=1))
    assert clean(system.runtime.store, Keep(timedelta(0), None, None, None, None), system.rig.now())["acme"]["texts"]
    system.signal(again)
    system.work()
    assert len(system.rig.notes(again)) == 1, "what was told once is not told again"


@pytest.mark.row("P-54", "P-24")
@pytest.mark.parametrize("account_settings", [{}], indirect=True)
def test_only_who_leaves_content_with_results_is_asked_for_a_story(system: Any) -> None:
    names = ("Proud", "Flat")
    companies = [system.rig.add_company(name, owner_id=system.rig.users[0]) for name in names]
    for company in companies:
        set_size(system, company, 10)
    system.rig.advance(timedelta(days=30))
    set_size(system, companies[0], 25)
    ended = (system.rig.now() - timedelta(days=10)).date()
    known = {"contacts": 1, "contract_end": ended, "exit_reason": "Company closed"}
    deals = [system.renewal(name, company_id=one, **known) for name, one in zip(names, companies, strict=True)]
    system.lose(*deals)
    system.work()
    for deal in deals:
        answer(system, deal, recommend=9, reason="budget")
    for days in (1, 22):
        system.rig.advance(timedelta(days=days))
        while system.work():
            pass
    asked = [[task for task in system.rig.tasks(deal) if "a short story" in task.subject] for deal in deals]
    assert [len(each) for each in asked] == [1, 0]
    assert "there is something to show: number" in asked[0][0].body.lower()
    assert "Case study questions - Proud.docx" in [file.name for file in system.rig.files(deals[0])]


@pytest.mark.row("P-44", "P-45")
@pytest.mark.parametrize("account_settings", [{"figures": False}], indirect=True)
def test_figures_count_what_happened_in_the_crm(system: Any) -> None:
    if system.rig.name == "salesforce":  # an org of more than one currency
        code = Field(CURRENCY["salesforce"], "string", "Currency", length=3, createable=True, updateable=True)
        system.rig.sandbox.world.schema.add_field("Opportunity", code)
        system.account.provision()
    deal, other = (system.renewal(name, amount=Decimal(1200)) for name in ("Aurora renewal", "Borea renewal"))
    for each, currency in ((deal, "EUR"), (other, "USD")):
        system.edit_deal(each, CURRENCY[system.rig.name], currency)
    system.lose(deal, other)
    system.work()
    answer(system, deal, recommend=3, reason="price")
    task = next(task for task in system.rig.tasks(deal) if "heard" in task.subject)
    system.rig.advance(timedelta(hours=5))
    system.rig.complete_task(task.id)
    system.rig.advance(timedelta(hours=25))
    system.work(poll=True)
    found = figures_of(system.runtime, "acme", since=date(2026, 11, 1))
    assert (found.offboardings, found.open, found.end.detractors) == (2, 2, 1)
    assert found.worth == {"EUR": Decimal(1200), "USD": Decimal(1200)}, "never added across currencies"
    assert (found.end.nps, found.end.average, found.acknowledged_in_a_day.percent) == (None, None, None), "too few"
    assert found.acknowledged_in_a_day.count == 1
    assert {(line.who.value, line.reason) for line in found.reasons} >= {("customer", "price")}
