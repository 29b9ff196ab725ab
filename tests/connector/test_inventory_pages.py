"""The inventory's page: a form for several people at once that loses nothing and takes no secrets."""

from __future__ import annotations

import html
import re
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from docx import Document

from connector.store import accounts, cases, intake, inventory
from connector.store.tables import InventoryRow, LinkRow
from workflows.cases import InventoryItem
from workflows.rules import LinkKind

USERS = [
    {"id": "u1", "name": "Ana Lind", "email": "ana@example.com"},
    {"id": "u2", "name": "Ben Roux", "email": "ben@example.com"},
    {"id": "u3", "name": "Ben Roux", "email": "ben.roux@example.com"},
    {"id": "u4", "name": "Gone", "email": "gone@example.com", "active": False},
]


@pytest.fixture
def path(house: Any) -> str:
    """The page of a case, as the reconciler hands it out."""
    return give(house)


def give(house: Any, language: str = "en") -> str:
    case = house.open_case()
    now = house.clock.now()
    link_id = house.runtime.links.link_id(LinkKind.INVENTORY, case.id, None, "")
    with house.store.write() as session:
        known = dict(accounts.get(session, "acme").known) | {"users": USERS}
        accounts.change(session, "acme", known=known)
        row = LinkRow(id=link_id, account="acme", case_id=case.id, kind="inventory", contact_id=None, questionnaire="",
                      language=language, made_at=now, closed_at=None)  # fmt: skip
        intake.keep_link(session, row)
    address: str = house.runtime.links.address(LinkKind.INVENTORY, case.id, None, "")
    return address.removeprefix(house.runtime.settings.server.public_url)


class Form:
    """The form as a browser without script would send it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values = {
            html.unescape(name): html.unescape(value)
            for name, value in re.findall(
                r'<input type="(?:hidden|text|date)"[^>]*? name="([^"]+)" value="([^"]*)"', text
            )
        }
        for name, options in re.findall(r'<select[^>]*name="([^"]+)">(.*?)</select>', text, re.DOTALL):
            chosen = re.search(r'value="([^"]+)" selected', options)
            self.values[name] = chosen[1] if chosen is not None else ""
        self.rows = list(dict.fromkeys(re.findall(r'name="row-([0-9a-f]{32})-version"', text)))

    def fill(self, at: int, **values: str) -> Form:
        for name, value in values.items():
            self.values[f"row-{self.rows[at]}-{name}"] = value
        return self

    def named(self, title: str) -> int:
        return next(at for at, row in enumerate(self.rows) if self.values[f"row-{row}-title"] == title)

    def keep_only(self, *at: int) -> Form:
        """Tick "take this line out" everywhere else."""
        for number, row in enumerate(self.rows):
            if number not in at and self.values[f"row-{row}-title"]:
                self.values[f"row-{row}-remove"] = "1"
        return self


def opened(house: Any, path: str, query: str = "") -> Form:
    answer = house.client.get(path + query)
    assert answer.status_code == 200
    return Form(answer.text)


def send(house: Any, path: str, form: Form, **more: str) -> Any:
    return house.client.post(path, data=form.values | more)


def saved(house: Any) -> list[InventoryRow]:
    with house.store.read() as session:
        return list(inventory.rows(session, "case-500"))


@pytest.mark.row("P-22")
def test_the_list_begins_with_sensible_lines_and_opening_it_keeps_nothing(house: Any, path: str) -> None:
    form = opened(house, path)
    titles = [form.values[f"row-{row}-title"] for row in form.rows]
    assert "Full data export" in titles
    assert titles[-2:] == ["", ""]
    assert not saved(house)
    assert not house.agenda()


@pytest.mark.row("P-22")
def test_what_is_saved_has_owner_place_day_evidence_and_receipt_and_the_deal_is_looked_at(
    house: Any, path: str
) -> None:
    form = opened(house, path).keep_only(0)
    form.fill(0, title="CRM export", owner="Ana Lind", place="sftp://files.example.com/out", due_on="2026-03-20",
              evidence="Delivery note 12", received_on="2026-03-02", received_by="Zoe Hill")  # fmt: skip
    answer = send(house, path, form)
    assert answer.status_code == 303
    (row,) = saved(house)
    assert (row.title, row.kind, row.owner_id, row.place) == (
        "CRM export",
        "export",
        "u1",
        "sftp://files.example.com/out",
    )
    assert (str(row.due_on), row.evidence, str(row.received_on), row.received_by) == (
        "2026-03-20",
        "Delivery note 12",
        "2026-03-02",
        "Zoe Hill",
    )
    assert house.agenda()["acme", "500"].why == "inventory"
    assert house.engine.accounts == ["acme"]
    again = opened(house, path, "?saved=1")
    assert again.values[f"row-{row.id}-owner"] == "ana@example.com"
    assert "Saved." in again.text


@pytest.mark.row("P-22")
def test_the_list_to_sign_can_be_had_as_it_stands_now(house: Any, path: str) -> None:
    address = f"{path}/list.docx"
    assert "list.docx" not in opened(house, path).text, "nothing is saved yet"
    send(
        house, path, opened(house, path).keep_only(0).fill(0, title="CRM export", owner="Ana Lind", due_on="2026-03-20")
    )
    assert f'href="{address}' in opened(house, path).text
    answer = house.client.get(address)
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    words = [cell.text for table in Document(BytesIO(answer.data)).tables for row in table.rows for cell in row.cells]
    assert {"CRM export", "Ana Lind", "20 mars 2026"} <= set(words), "in the language of the case"
    with house.store.write() as session:
        intake.close_links(session, "case-500", house.clock.now())
    assert house.client.get(address).status_code == 410
    assert house.client.get(f"{path}x/list.docx").status_code == 404


def test_lines_that_nobody_touched_are_not_written_again(house: Any, path: str) -> None:
    send(house, path, opened(house, path).keep_only(0, 1))
    before = {row.id: row.version for row in saved(house)}
    send(house, path, opened(house, path).fill(0, place="Shelf 3"))
    after = {row.id: row.version for row in saved(house)}
    assert sorted(after[one] - before[one] for one in before) == [0, 1]


def test_lines_can_be_added_without_script_and_taken_out_again(house: Any, path: str) -> None:
    form = opened(house, path).keep_only()
    answer = send(house, path, form.fill(-1, title="Domain name"), more="1")
    assert "more=1" in answer.location
    form = opened(house, path, "?more=1")
    assert len(form.rows) == 1 + 6
    send(house, path, form.keep_only())
    assert not saved(house)
    assert "Full export" not in house.client.get(path).text  # it was emptied on purpose: no suggestions again


def test_the_same_form_sent_twice_adds_nothing_twice(house: Any, path: str) -> None:
    form = opened(house, path).keep_only(0)
    send(house, path, form)
    send(house, path, form)
    assert len(saved(house)) == 1


@pytest.mark.row("P-22")
def test_of_two_people_who_save_at_once_neither_loses_anything(house: Any, path: str) -> None:
    send(house, path, opened(house, path).keep_only(0, 1))
    one, other = opened(house, path), opened(house, path)
    assert send(house, path, one.fill(0, place="Theirs")).status_code == 303
    other.fill(0, place="Mine").fill(1, place="Untouched by the other").fill(-1, title="A new line of mine")
    answer = send(house, path, other)
    assert answer.status_code == 409
    assert "Somebody else changed this line meanwhile" in answer.text
    assert "Theirs" in answer.text
    rows = {row.title: row.place for row in saved(house)}
    assert rows["Full data export"] == "Theirs"
    assert rows["Uploaded files"] == "Untouched by the other"
    assert "A new line of mine" in rows
    again = Form(answer.text)
    assert again.values[f"row-{again.rows[0]}-place"] == "Mine"
    assert send(house, path, again).status_code == 303
    assert {row.title: row.place for row in saved(house)}["Full data export"] == "Mine"
    assert len(saved(house)) == 3


def test_a_line_that_somebody_took_out_while_i_changed_it_can_be_put_back(house: Any, path: str) -> None:
    send(house, path, opened(house, path).keep_only(0))
    mine = opened(house, path).fill(0, place="Here")
    send(house, path, opened(house, path).keep_only())
    answer = send(house, path, mine)
    assert answer.status_code == 409
    assert "took this line out meanwhile" in answer.text
    assert send(house, path, Form(answer.text)).status_code == 303
    assert [row.place for row in saved(house)] == ["Here"]


def test_both_who_wrote_the_same_agree(house: Any, path: str) -> None:
    send(house, path, opened(house, path).keep_only(0))
    one, other = opened(house, path), opened(house, path)
    send(house, path, one.fill(0, place="Same"))
    assert send(house, path, other.fill(0, place="Same")).status_code == 303


@pytest.mark.row("P-22")
@pytest.mark.parametrize("field", ["title", "place", "evidence", "received_by"])
def test_a_password_is_refused_with_kind_words_and_the_rest_is_saved(house: Any, path: str, field: str) -> None:
    form = opened(house, path).keep_only(0, 1)
    answer = send(house, path, form.fill(0, **{field: "Login admin, password: Tr0ub4dor&3"}))
    assert answer.status_code == 422
    assert "through a password manager" in answer.text
    assert "The others are saved." in answer.text
    assert len(saved(house)) == 1
    assert "Tr0ub4dor" not in " ".join(row.title + row.place + row.evidence + row.received_by for row in saved(house))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"title": "", "place": "Somewhere"}, "Say what it is"),
        ({"due_on": "31/03/2026"}, "year-month-day"),
        ({"due_on": "9999-12-31"}, "too far from today"),
        ({"received_on": "2026-12-24"}, "has not come yet"),
        ({"owner": "Ben Roux"}, "Several colleagues"),
        ({"owner": "gone@example.com"}, "No active colleague"),
        ({"owner": "nobody"}, "No active colleague"),
        ({"kind": "treasure"}, "Choose one of the kinds"),
        ({"place": "x" * 301}, "301 characters; up to 300"),
        ({"title": "y" * 60_000}, "60000 characters; up to 200"),
    ],
)
def test_what_cannot_be_right_is_told_beside_the_field_and_stays_in_it(
    house: Any, path: str, values: dict[str, str], words: str
) -> None:
    form = opened(house, path).keep_only(0)
    answer = send(house, path, form.fill(0, **values))
    assert answer.status_code == 422
    assert words in html.unescape(answer.text)
    again = Form(answer.text)
    for name, value in values.items():
        if name != "kind":
            assert again.values[f"row-{again.rows[0]}-{name}"] == value
    assert not saved(house)


def test_markup_and_formulas_are_shown_as_they_are(house: Any, path: str) -> None:
    nasty = "=cmd|' /C calc'!A0 <script>alert(1)</script> {{ 7*7 }}"
    send(house, path, opened(house, path).keep_only(0).fill(0, title=nasty))
    text = house.client.get(path).text
    assert saved(house)[0].title == nasty
    assert "<script>" not in text
    assert "49" not in re.findall(r'name="row-[0-9a-f]{32}-title" value="([^"]*)"', text)[0]


def test_two_hundred_lines_are_taken_and_one_more_is_told_of(house: Any, path: str) -> None:
    form = opened(house, path).keep_only()
    for number in range(200):
        form.values |= {f"row-{number:032x}-title": f"Thing {number}", f"row-{number:032x}-kind": "files"}
    assert send(house, path, form).status_code == 303
    assert len(saved(house)) == 200
    page = opened(house, path)
    assert len(page.rows) == 200
    page.values |= {"row-" + "f" * 32 + "-title": "One more", "row-" + "f" * 32 + "-kind": "files"}
    answer = send(house, path, page)
    assert answer.status_code == 422
    assert "more than 200 lines" in answer.text
    assert "One more" in answer.text


def test_a_line_of_another_case_cannot_be_changed_from_here(house: Any, path: str) -> None:
    send(house, path, opened(house, path).keep_only(0))
    with house.store.write() as session:
        session.query(InventoryRow).update({"case_id": house.open_case("501").id})
        stranger = session.query(InventoryRow).one().id
    form = opened(house, path)
    values = {f"row-{stranger}-{name}": value for name, value in (("title", "Mine now"), ("kind", "files"))}
    send(house, path, form, **values, **{f"row-{stranger}-version": "1"})
    with house.store.read() as session:
        assert session.get(InventoryRow, stranger).title == "Full data export"


def test_a_form_that_is_not_ours_is_handed_back_unsaved(house: Any, path: str) -> None:
    form = opened(house, path).keep_only(0)
    answer = send(house, path, form, **{"form-seal": "forged"})
    assert answer.status_code == 400
    assert "Nothing that you wrote is lost" in answer.text
    assert send(house, path, form, **{"your-website": "http://spam"}).status_code == 400
    assert not saved(house)


def test_the_list_is_kept_alike_on_both_databases(store: Any, house: Any) -> None:
    now = house.clock.now()
    one = InventoryItem(id="1" * 32, title="One", due_on=date(2026, 3, 20), changed_at=now)
    other = one.model_copy(update={"id": "2" * 32, "title": "Other", "owner_id": "u1"})
    with store.write() as session:
        cases.save(session, house.open_case())
        for item in (one, other, one.model_copy(update={"title": "Sent twice"})):
            inventory.add(session, "acme", "case-500", item)
    with store.write() as session:
        held = inventory.rows(session, "case-500", hold=True)
        assert [(row.title, row.version) for row in held] == [("One", 1), ("Other", 1)]
        assert inventory.change(session, one.model_copy(update={"place": "Here"}), 1)
        assert not inventory.change(session, one.model_copy(update={"place": "Too late"}), 1)
        assert inventory.remove(session, other.id, 1, now)
    with store.read() as session:
        assert inventory.of_cases(session, ["case-500"]) == {"case-500": (one.model_copy(update={"place": "Here"}),)}
        assert inventory.is_begun(session, "case-500")


def test_a_closed_page_says_so_and_gives_back_what_was_written(house: Any, path: str) -> None:
    form = opened(house, path).keep_only(0).fill(0, title="Precious words")
    with house.store.write() as session:
        intake.close_links(session, "case-500", house.clock.now())
    assert house.client.get(path).status_code == 410
    answer = send(house, path, form)
    assert answer.status_code == 410
    assert "Precious words" in answer.text
    assert not saved(house)


def test_sending_too_often_hands_everything_back(house: Any, path: str) -> None:
    form = opened(house, path).keep_only(0).fill(0, title="Kept in the form", due_on="never")
    answers = [send(house, path, form) for _ in range(14)]
    assert answers[-1].status_code == 429
    assert "Kept in the form" in answers[-1].text
    assert answers[-1].headers["Retry-After"] == "60"


def test_the_page_speaks_french(house: Any) -> None:
    path = give(house, "fr")
    text = house.client.get(path).text
    assert "Ce qui appartient au client" in html.unescape(text)
    assert "Export complet des données" in text


def test_an_address_that_is_none_is_not_found(house: Any, path: str) -> None:
    assert house.client.get(path[:-1] + ("a" if path[-1] != "a" else "b")).status_code == 404
    survey = house.give_link()
    assert house.client.get(survey.replace("/s/", "/inventory/")).status_code == 404
