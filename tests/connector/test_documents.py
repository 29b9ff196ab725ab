"""Documents: Word files from layouts, safe whatever is put into them, and the page on which they are read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from docx.oxml.ns import qn

from adapters.errors import ConfigError
from adapters.results import Outcome, Result
from connector.chart import draw
from connector.documents import _SAMPLE, Documents, send
from connector.layouts import make as layouts
from connector.store import erasing, intake, intents
from connector.store.tables import IntentState, LinkRow
from workflows.rules import LinkKind
from workflows.writes import AttachDocument, AttachFile, CreateNote, DocumentKind

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
NASTY = "=cmd|' /C calc'!A0 <w:p>&amp;</w:p> {{ 7 * 7 }} {% raw %} \x00\x07\x0c\ud800 ]]> É🙂"


def write(values: Mapping[str, Any] | None = None, kind: DocumentKind = DocumentKind.ACHIEVEMENTS) -> AttachDocument:
    filled = {**_SAMPLE, "layout": "report", **(values or {})}
    return AttachDocument(
        key="case:step:document", deal_id="500", document=kind, language="fr", name="A.docx", values=filled, at=NOW
    )


def opened(file: AttachFile) -> Any:
    return Document(io.BytesIO(file.content))


def said(document: Any) -> str:
    lines = [paragraph.text for paragraph in document.paragraphs]
    lines += [" | ".join(cell.text for cell in row.cells) for table in document.tables for row in table.rows]
    return "\n".join(lines)


@pytest.fixture
def documents() -> Documents:
    return Documents(None)


@pytest.mark.row("P-24")
def test_a_report_is_an_editable_word_file_with_tables_and_a_described_chart(documents: Documents) -> None:
    made = documents.make(write({"language": "fr"}))
    document = opened(made)
    assert (made.key, made.name, made.deal_id) == ("case:step:document", "A.docx", "500")
    assert "Heading" in said(document)
    assert "a | b | c | d" in said(document)
    (chart,) = document.inline_shapes
    assert chart._inline.docPr.get("descr") == "L – 1 → 2"
    assert "L – 1 → 2" in said(document)
    assert document.core_properties.title == "Title"
    languages = {one.get(qn("w:val")) for one in document.styles.element.iter(qn("w:lang"))}
    assert languages == {"fr-FR"}


@pytest.mark.row("P-23")
def test_a_letter_has_our_name_the_day_the_text_and_room_to_sign(documents: Documents) -> None:
    document = opened(documents.make(write({"layout": "letter"}, DocumentKind.LETTER)))
    text = said(document)
    assert text.index("Our name") < text.index("1 March 2027") < text.index("Customer") < text.index("Bullet")
    assert text.rstrip().endswith("Name")
    assert not document.tables


def test_nothing_that_is_put_in_breaks_the_file_or_runs(documents: Documents) -> None:
    values = {
        "title": NASTY,
        "customer": NASTY,
        "us": NASTY,
        "blocks": [
            {"kind": "paragraph", "text": NASTY},
            {"kind": "table", "name": "figures", "columns": [NASTY] * 4, "rows": [[NASTY] * 4]},
        ],
    }
    made = documents.make(write(values))
    text = said(opened(made))
    assert "=cmd|' /C calc'!A0 <w:p>&amp;</w:p> {{ 7 * 7 }} {% raw %}" in text
    assert "É🙂" in text
    assert "49" not in text
    names = zipfile.ZipFile(io.BytesIO(made.content)).namelist()
    assert not [name for name in names if "vba" in name.lower() or "external" in name.lower()]


def test_very_long_texts_and_two_hundred_items_are_taken(documents: Documents) -> None:
    long = "Très long. " * 5500
    rows = [[f"Thing {number}", "Fichiers", "Ana", "x" * 300, "3 mars 2027", ""] for number in range(200)]
    table = {"kind": "table", "name": "items", "columns": [*"ABCDEF"], "rows": rows}
    document = opened(documents.make(write({"blocks": [{"kind": "paragraph", "text": long}, table]})))
    assert len(document.tables[0].rows) == 201
    assert len(document.paragraphs[4].text) > 60_000 or long.strip() in said(document)


def test_values_cannot_smuggle_in_paragraphs_or_pages(documents: Documents) -> None:
    plain = len(opened(documents.make(write({"blocks": [{"kind": "paragraph", "text": "one"}]}))).paragraphs)
    odd = opened(documents.make(write({"blocks": [{"kind": "paragraph", "text": "one\a\ftwo"}]})))
    assert len(odd.paragraphs) == plain


@pytest.mark.row("P-24")
def test_the_chart_takes_zeros_tiny_and_huge_values_and_keeps_names_as_text(documents: Documents) -> None:
    for values in ([0.0, 1e14], [1e-9, 0.0], [0.0, 0.0]):
        png = draw(values)
        assert png.startswith(b"\x89PNG")
        assert len(png) < 10_000
    bar = {"label": "Œuvres réalisées 日本", "values": [3.0, 9.0], "words": ["3 €", "9 €"]}
    chart = {"kind": "chart", "title": "T", "text": "T", "names": ["Au départ", "Aujourd’hui"], "bars": [bar] * 20}
    document = opened(documents.make(write({"blocks": [chart]})))
    assert "Œuvres réalisées 日本 – 3 € → 9 €" in said(document)
    assert "■ Au départ" in said(document)
    assert len(document.inline_shapes) == 12


# --- layouts of an admin's own ---------------------------------------------------------------------------------------


def own(folder: Path, name: str, *lines: str) -> Path:
    made = Document()
    for line in lines:
        made.add_paragraph(line)
    folder.mkdir(exist_ok=True)
    made.save(str(folder / name))
    return folder


def test_an_admins_layout_goes_before_ours_for_its_language_first(tmp_path: Path) -> None:
    own(tmp_path, "letter.fr.docx", "FR {{ customer }}")
    own(tmp_path, "letter.docx", "EN {{ customer }} {% for block in blocks %}{{ block.text }} {% endfor %}")
    own(tmp_path, "report.docx", "REPORT {{ title }}")
    documents = Documents(tmp_path)
    assert said(opened(documents.make(write(kind=DocumentKind.LETTER)))) == "FR Customer"
    english = write(kind=DocumentKind.LETTER).model_copy(update={"language": "en", "values": {**_SAMPLE, "blocks": []}})
    assert said(opened(documents.make(english))).startswith("EN Customer")
    assert said(opened(documents.make(write()))) == "REPORT Title"


def test_what_is_wrong_with_a_layout_is_told_at_the_start_with_its_cure(tmp_path: Path) -> None:
    own(tmp_path, "letter.docx", "{{ costumer }}")
    own(tmp_path, "report.docx", "{% for block in blocks %}")
    own(tmp_path, "lettre.docx", "{{ customer }}")
    (tmp_path / "plan.docx").write_bytes(b"no word file")
    (tmp_path / "~$letter.docx").write_bytes(b"open in a word processor")
    with pytest.raises(ConfigError) as caught:
        Documents(tmp_path)
    told = {fault.key: str(fault) for fault in caught.value.faults}
    assert told.keys() == {f"documents_dir/{name}.docx" for name in ("letter", "report", "lettre", "plan")}
    assert "costumer" in told["documents_dir/letter.docx"]
    assert "customer" in told["documents_dir/letter.docx"]
    assert "no document is called that" in told["documents_dir/lettre.docx"]
    assert "Begin with a copy of" in told["documents_dir/plan.docx"]


@pytest.mark.parametrize(
    "line",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ title.__init__.__globals__ }}",
        "{% for a in range(1000000000) %}x{% endfor %}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_layout_cannot_run_code_or_reach_outside(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError):
        Documents(own(tmp_path, "letter.docx", line))


def test_the_layouts_that_ship_are_those_that_their_script_makes() -> None:
    for name, build in (("letter", layouts.letter), ("report", layouts.report)):
        made = io.BytesIO()
        build().save(made)
        fresh = zipfile.ZipFile(io.BytesIO(made.getvalue())).read("word/document.xml")
        assert zipfile.ZipFile(layouts.FOLDER / f"{name}.docx").read("word/document.xml") == fresh, name


# --- on the way to the CRM -------------------------------------------------------------------------------------------


class Taker:
    """A CRM that takes everything."""

    def __init__(self) -> None:
        self.writes: list[Any] = []

    def write(self, batch: Any) -> list[Outcome]:
        self.writes += batch
        return [Outcome(one.key, Result.DONE, f"r{number}") for number, one in enumerate(batch)]


def test_documents_become_files_and_what_cannot_be_made_is_refused_alone(documents: Documents) -> None:
    crm = Taker()
    note = CreateNote(key="n", deal_id="500", title="T", body="B", at=NOW)
    broken = write({"blocks": [{"kind": "chart", "bars": None}]}).model_copy(update={"key": "broken"})
    outcomes = send(crm, documents, [write(), broken, note])  # type: ignore[arg-type]
    assert [one.result for one in outcomes] == [Result.DONE, Result.REFUSED, Result.DONE]
    assert [one.key for one in outcomes] == ["case:step:document", "broken", "n"]
    assert "could not be made" in outcomes[1].reason
    assert [one.kind for one in crm.writes] == ["file", "note"]


def test_a_document_is_small_until_it_is_sent(documents: Documents) -> None:
    planned = write()
    assert len(planned.model_dump_json()) < 3000
    assert len(documents.make(planned).content) > 30_000


# --- to read ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(house: Any) -> str:
    case = house.open_case()
    link_id = house.runtime.links.link_id(LinkKind.DOCUMENT, case.id, None, "achievements")
    planned = write({"title": "<b>Bilan</b>", "before": ["Fill in: NPS at the start"]})
    planned = planned.model_copy(update={"key": f"{case.id}:achievements:document"})
    with house.store.write() as session:
        row = LinkRow(id=link_id, account="acme", case_id=case.id, kind="document", contact_id=None,
                      questionnaire="achievements", language="en", made_at=NOW, closed_at=None)  # fmt: skip
        intake.keep_link(session, row)
        intents.plan(session, "acme", case.id, [planned], NOW)
    address: str = house.runtime.links.address(LinkKind.DOCUMENT, case.id, None, "achievements")
    return address.removeprefix(house.runtime.settings.server.public_url)


@pytest.mark.row("P-24")
def test_the_document_can_be_read_on_the_web_with_its_chart_and_what_is_missing(house: Any, path: str) -> None:
    answer = house.client.get(path)
    assert answer.status_code == 200
    assert "&lt;b&gt;Bilan&lt;/b&gt;" in answer.text
    assert "Fill in: NPS at the start" in answer.text
    assert '<desc id="chart-text">Chart</desc>' in answer.text
    assert "A.docx" in answer.text
    assert "style=" not in answer.text


def test_a_document_s_page_is_closed_with_its_case(house: Any, path: str) -> None:
    with house.store.write() as session:
        intake.close_links(session, "case-500", NOW)
    answer = house.client.get(path)
    assert answer.status_code == 410
    assert "Bilan" not in answer.text


def test_a_link_to_another_page_opens_no_document(house: Any, path: str) -> None:
    assert house.client.get(house.give_link().replace("/s/", "/document/")).status_code == 404


def test_what_a_document_said_goes_with_the_person_it_named(house: Any, path: str) -> None:
    with house.store.write() as session:
        intents.ended(session, "acme", "case-500:achievements:document", IntentState.DONE, NOW, record_id="f1")
        assert erasing.scrub(session, "acme", ["case-500"]) == 1
    assert house.client.get(path).status_code == 404
