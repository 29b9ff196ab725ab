"""Writes the layouts of documents anew: ``python -m connector.layouts.make``. Look at them in a word processor after.

A layout is a Word file with Jinja in it (docxtpl): ``{{ … }}`` shows a value, a paragraph with ``{%p … %}`` and a table
row with ``{%tr … %}`` are left out of what is made. The values are those of :func:`workflows.handover.document_values`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

FOLDER = Path(__file__).parent
INK, SOFT, ACCENT = RGBColor(0x24, 0x29, 0x2B), RGBColor(0x5B, 0x64, 0x68), RGBColor(0x22, 0x61, 0x5A)
BEFORE, AFTER = RGBColor(0x8A, 0x96, 0x92), ACCENT
"""Of the chart's legend; the first is darker than its bars, so that it can be read."""
TABLES = {
    "figures": (7.0, 3.2, 3.2, 3.6),
    "milestones": (3.6, 10.0, 3.4),
    "items": (4.4, 2.3, 2.8, 3.5, 2.2, 1.8),
}
"""Widths of the columns, in centimetres."""


def letter() -> Any:
    """A letter: our name, the date, whom it is for, and text."""
    made = _page(top=3.0)
    _line(made, "{{ us }}", bold=True, color=ACCENT)
    _line(made, "{{ day }}", align=WD_ALIGN_PARAGRAPH.RIGHT, color=SOFT)
    _line(made, "{{ customer }}", after=24)
    _blocks(made, ("paragraph", "heading", "bullet", "signature"))
    return made


def report() -> Any:
    """A page or two with a title, headings, tables and a chart."""
    made = _page(top=2.2)
    _line(made, "{{ us }}", bold=True, color=ACCENT, after=18)
    made.add_paragraph("{{ title }}", style="Title")
    _line(made, "{{ customer }}{% if us %} · {{ us }}{% endif %} · {{ day }}", color=SOFT, after=14)
    _blocks(made, ("paragraph", "heading", "bullet", "question", "table", "chart", "signature"))
    return made


def _page(*, top: float) -> Any:
    made = Document()
    section = made.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2)
    section.top_margin, section.bottom_margin = Cm(top), Cm(2)
    _style(made, "Normal", "Calibri", 11, INK)
    made.styles["Normal"].paragraph_format.space_after = Pt(8)
    made.styles["Normal"].paragraph_format.line_spacing = 1.25
    for name, size in (("Title", 24), ("Heading 2", 14), ("Heading 3", 12)):
        _style(made, name, "Georgia", size, INK)
    made.styles["Heading 2"].paragraph_format.space_before = Pt(16)
    made.styles["Heading 3"].paragraph_format.space_before = Pt(14)
    _no_rule(made.styles["Title"])
    made.core_properties.title = "{{ title }}"
    made.core_properties.author = "{{ us }}"
    made.core_properties.comments = ""
    return made


def _style(made: Any, name: str, font: str, size: int, color: RGBColor) -> None:
    style = made.styles[name]
    style.font.name, style.font.size, style.font.color.rgb = font, Pt(size), color
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{theme}"), None)
    for script in ("ascii", "hAnsi", "cs"):
        fonts.set(qn(f"w:{script}"), font)


def _no_rule(style: Any) -> None:
    """Word's own title is underlined."""
    for border in style.element.findall(f".//{qn('w:pBdr')}"):
        border.getparent().remove(border)


def _line(
    made: Any, text: str, *, bold: bool = False, color: RGBColor = INK, align: Any = None, after: float = 6
) -> None:
    paragraph = made.add_paragraph()
    run = paragraph.add_run(text)
    run.bold, run.font.color.rgb = bold, color
    paragraph.alignment = align
    paragraph.paragraph_format.space_after = Pt(after)


def _blocks(made: Any, kinds: Sequence[str]) -> None:
    """The document's blocks in turn, each as its kind wants."""
    made.add_paragraph("{%p for block in blocks %}")
    for kind in kinds:
        made.add_paragraph(f'{{%p if block.kind == "{kind}" %}}')
        _block(made, kind)
        made.add_paragraph("{%p endif %}")
    made.add_paragraph("{%p endfor %}")


def _block(made: Any, kind: str) -> None:
    if kind == "table":
        for name, widths in TABLES.items():
            made.add_paragraph(f'{{%p if block.name == "{name}" %}}')
            _table(made, widths)
            _line(made, "", after=4)
            made.add_paragraph("{%p endif %}")
    elif kind == "chart":
        _chart(made)
    elif kind == "question":
        made.add_paragraph("{{ block.text }}", style="Heading 3")
        for _ in range(5):
            made.add_paragraph("")
    elif kind == "signature":
        _line(made, "", after=30)
        made.add_paragraph("{{ block.text }}")
    else:
        style = {"heading": "Heading 2", "bullet": "List Bullet"}.get(kind, "Normal")
        made.add_paragraph("{{ block.text }}", style=style)


def _chart(made: Any) -> None:
    """Names and values as text, and a picture of two bars below each."""
    legend = made.add_paragraph()
    for number, color in enumerate((BEFORE, AFTER)):
        legend.add_run("■ ").font.color.rgb = color
        legend.add_run(f"{{{{ block.names[{number}] }}}}    ").font.color.rgb = SOFT
    made.add_paragraph("{%p for bar in block.bars %}")
    words = made.add_paragraph("{{ bar.label }} – {{ bar.words[0] }} → {{ bar.words[1] }}")
    words.paragraph_format.space_after, words.paragraph_format.keep_with_next = Pt(2), True
    made.add_paragraph("{{ bar.picture }}")
    made.add_paragraph("{%p endfor %}")


def _table(made: Any, widths: Sequence[float]) -> None:
    table = made.add_table(rows=4, cols=len(widths))
    table.style = "Table Grid"
    table.alignment = WD_TABLE_ALIGNMENT.LEFT
    table.autofit = False
    _thin_lines(table)
    head, begin, row, end = table.rows
    _repeat(head)
    for at, width in enumerate(widths):
        table.columns[at].width = Cm(width)
        for one in table.rows:
            one.cells[at].width = Cm(width)
        _cell(head.cells[at], f"{{{{ block.columns[{at}] }}}}", bold=True)
        _cell(row.cells[at], f"{{{{ row[{at}] }}}}")
    _cell(begin.cells[0], "{%tr for row in block.rows %}")
    _cell(end.cells[0], "{%tr endfor %}")


def _cell(cell: Any, text: str, *, bold: bool = False) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_after = Pt(2)
    run = paragraph.add_run(text)
    run.bold, run.font.size = bold, Pt(10)


def _repeat(row: Any) -> None:
    """The head of a table stands again at the top of each page."""
    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _thin_lines(table: Any) -> None:
    borders = OxmlElement("w:tblBorders")
    for side in ("top", "bottom", "insideH"):
        line = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "4"), ("color", "DEDAD1")):
            line.set(qn(f"w:{name}"), value)
        borders.append(line)
    for side in ("left", "right", "insideV"):
        line = OxmlElement(f"w:{side}")
        line.set(qn("w:val"), "nil")
        borders.append(line)
    table._tbl.tblPr.append(borders)


def main() -> None:
    """Write both."""
    letter().save(str(FOLDER / "letter.docx"))
    report().save(str(FOLDER / "report.docx"))


if __name__ == "__main__":
    main()
