"""Makes editable documents of what the domain says: Word files from layouts that an admin can replace with their own.

The heavy libraries are loaded when the first document is made. Layouts are filled in a Jinja sandbox, and values are
escaped as XML, so that neither a template nor an answer can run anything or break the file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from adapters.errors import ConfigError, Fault
from adapters.port import Crm
from adapters.results import Outcome, Result
from connector.chart import MOST, draw
from workflows.said import Said
from workflows.tone import LANGUAGES
from workflows.tone_check import Note, plain_notes
from workflows.writes import AttachDocument, AttachFile, DocumentKind, Write

LAYOUTS = Path(__file__).parent / "layouts"
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
LARGEST_LAYOUT = 5 * 1024 * 1024
SUFFIX = ".docx"
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What XML cannot hold, and what a layout would take for the end of a paragraph or a page."""
_REGION = {"en": "en-GB", "fr": "fr-FR"}
_SAMPLE: Mapping[str, Any] = {
    "document": "letter",
    "layout": "letter",
    "language": "en",
    "title": "Title",
    "customer": "Customer",
    "contact": "Contact",
    "us": "Our name",
    "sender": "Sender",
    "day": "1 March 2027",
    "contract_end": "31 March 2027",
    "before": ["Before it is sent"],
    "blocks": [
        {"kind": "paragraph", "text": "Text"},
        {"kind": "heading", "text": "Heading"},
        {"kind": "bullet", "text": "Bullet"},
        {"kind": "question", "text": "Question"},
        {"kind": "signature", "text": "Name"},
        {
            "kind": "table",
            "text": "",
            "name": "figures",
            "columns": ["A", "B", "C", "D"],
            "rows": [["a", "b", "c", "d"]],
        },
        {"kind": "table", "text": "", "name": "milestones", "columns": ["A", "B", "C"], "rows": [["a", "b", "c"]]},
        {"kind": "table", "text": "", "name": "items", "columns": [*"ABCDEF"], "rows": [[*"abcdef"]]},
        {
            "kind": "chart",
            "title": "Chart",
            "text": "Chart",
            "names": ["Then", "Now"],
            "bars": [{"label": "L", "values": [1.0, 2.0], "words": ["1", "2"]}],
        },
    ],
}
"""Values of every kind that there is, to try an admin's own layout with."""


class DocumentError(ValueError):
    """A layout that cannot be used. The message is fit for an admin."""


class Documents:
    """The layouts that ship, and in front of them those of ``documents_dir``."""

    def __init__(self, folder: Path | None) -> None:
        """Raises :class:`~adapters.errors.ConfigError` with what is wrong with each of the admin's own layouts."""
        self._folder = folder
        if folder is not None:
            faults = list(_faults(folder, self))
            if faults:
                raise ConfigError(faults)

    def make(self, write: AttachDocument) -> AttachFile:
        """The file to attach. Raises :class:`DocumentError`."""
        layout = self.layout(write.document, write.language, str(write.values["layout"]))
        content = self.fill(layout, write.values)
        return AttachFile(
            key=write.key,
            deal_id=write.deal_id,
            name=write.name,
            media_type=MEDIA_TYPE,
            content=content,
            at=write.at,
        )

    def layout(self, document: DocumentKind, language: str, layout: str) -> Path:
        """The file that this document is laid out with: for its language, for itself, for its kind, or what ships."""
        for name in (f"{document}.{language}", str(document), layout):
            own = self._folder / f"{name}{SUFFIX}" if self._folder is not None else None
            if own is not None and own.is_file():
                return own
        return LAYOUTS / f"{layout}{SUFFIX}"

    def fill(self, layout: Path, values: Mapping[str, Any]) -> bytes:
        """The layout with these values, as a Word file. Raises :class:`DocumentError`."""
        from docxtpl import DocxTemplate

        try:
            template = DocxTemplate(io.BytesIO(_read(layout)))
            template.init_docx()
            template.render(_with_pictures(_fit(values), template), self._environment, autoescape=True)
            _speak(template.docx, str(values.get("language", "en")))
            _describe(template.docx, values)
            made = io.BytesIO()
            template.save(made)
        except DocumentError:
            raise
        except Exception as error:
            raise DocumentError(
                Said("%(name)s cannot be filled in: %(why)s", name=layout.name, why=_words(error))
            ) from error
        return made.getvalue()

    def unknown_values(self, layout: Path) -> list[str]:
        """Names that the layout asks for and that no document has. Raises :class:`DocumentError`."""
        from docxtpl import DocxTemplate

        try:
            wanted = DocxTemplate(io.BytesIO(_read(layout))).get_undeclared_template_variables(self._environment)
        except DocumentError:
            raise
        except Exception as error:
            raise DocumentError(
                Said("is no Word file with Jinja that can be read: %(why)s", why=_words(error))
            ) from error
        return sorted(wanted - _SAMPLE.keys())

    @cached_property
    def _environment(self) -> Any:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True, cache_size=0)
        made.globals.clear()
        return made


def layout_notes(file: str, content: bytes) -> list[Note]:
    """What in the words of an admin's own layout may hurt the customer who reads them (P-27); it bars no layout.

    ``achievements.fr.docx`` is read as French, one without a language as each that has rules. Raises
    :class:`DocumentError` when it is no Word file.
    """
    named = Path(file).name.removesuffix(SUFFIX).partition(".")[2]
    return plain_notes(file, list(_paragraphs(file, content)), [named] if named else sorted(LANGUAGES))


def _paragraphs(file: str, content: bytes) -> Iterator[str]:
    from docx import Document
    from docx.oxml.ns import qn

    try:
        document = Document(io.BytesIO(content))
    except Exception as error:
        raise DocumentError(
            Said("%(name)s is no Word file that can be read: %(why)s", name=Path(file).name, why=_words(error))
        ) from error
    names = [f"{page}{edge}" for page in ("", "first_page_", "even_page_") for edge in ("header", "footer")]
    edges = [getattr(section, name) for section in document.sections for name in names]
    for part in (document.element.body, *(edge._element for edge in edges if not edge.is_linked_to_previous)):
        for paragraph in part.iter(qn("w:p")):
            text = "".join(run.text or "" for run in paragraph.iter(qn("w:t")))
            yield re.sub(r"{%.*?%}", " ", text)


def send(
    crm: Crm, documents: Documents, writes: Sequence[Write], *, begins: Callable[[], None] = lambda: None
) -> list[Outcome]:
    """Carry out writes, documents made on the way; one outcome each, in order. What cannot be made is refused.

    ``begins`` is called between the making, which may take seconds, and the first call.
    """
    ready: list[Write] = []
    refused: dict[int, Outcome] = {}
    for at, write in enumerate(writes):
        if not isinstance(write, AttachDocument):
            ready.append(write)
            continue
        try:
            ready.append(documents.make(write))
        except DocumentError as error:
            refused[at] = Outcome(
                write.key, Result.REFUSED, None, Said("the document could not be made: %(error)s", error=error)
            )
    if any(isinstance(write, AttachDocument) for write in writes):
        begins()
    rest = iter(crm.write(ready) if ready else ())
    return [refused[at] if at in refused else next(rest) for at in range(len(writes))]


def _faults(folder: Path, documents: Documents) -> Iterator[Fault]:
    if not folder.is_dir():
        yield Fault("documents_dir", str(folder), Said("is no folder: create it, or take the key out"))
        return
    known = {"letter", "report", *DocumentKind}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if path.name.startswith("~$"):
            continue  # a word processor has it open
        key, name = f"documents_dir/{path.name}", path.name.removesuffix(SUFFIX)
        if name.partition(".")[0] not in known:
            yield Fault(
                key, path.name, Said("no document is called that; there are: %(known)s", known=", ".join(sorted(known)))
            )
            continue
        try:
            unknown = documents.unknown_values(path)
            if unknown:
                cure = Said("no value is called that; there are: %(known)s", known=", ".join(sorted(_SAMPLE)))
                yield from (Fault(key, value, cure) for value in unknown)
            else:
                documents.fill(path, _SAMPLE)
        except DocumentError as error:
            yield Fault(
                key, path.name, Said("%(error)s. Begin with a copy of connector/layouts/report.docx", error=error)
            )


def _read(layout: Path) -> bytes:
    try:
        if layout.stat().st_size > LARGEST_LAYOUT:
            raise DocumentError(
                Said("is larger than %(size)s MiB; make its pictures smaller", size=LARGEST_LAYOUT >> 20)
            )
        return layout.read_bytes()
    except OSError as error:
        raise DocumentError(Said("cannot be read: %(reason)s", reason=error.strerror)) from error


def _fit(value: Any) -> Any:
    """The same with texts that a Word file can hold."""
    if isinstance(value, str):
        return _UNFIT.sub("", value.replace("\r\n", "\n"))
    if isinstance(value, Mapping):
        return {key: _fit(one) for key, one in value.items()}
    return [_fit(one) for one in value] if isinstance(value, list | tuple) else value


def _with_pictures(values: Mapping[str, Any], template: Any) -> dict[str, Any]:
    from docx.shared import Cm
    from docxtpl import InlineImage

    def with_picture(bar: Mapping[str, Any]) -> dict[str, Any]:
        return {**bar, "picture": InlineImage(template, io.BytesIO(draw(bar["values"])), width=Cm(16.5))}

    blocks = [
        {**block, "bars": [with_picture(bar) for bar in block["bars"][:MOST]]} if block["kind"] == "chart" else block
        for block in values["blocks"]
    ]
    return {**values, "blocks": blocks}


def _describe(document: Any, values: Mapping[str, Any]) -> None:
    """Give the charts their words, for people who do not see them."""
    charts = [block for block in values["blocks"] if block["kind"] == "chart"]
    spoken = [f"{bar['label']} – {bar['words'][0]} → {bar['words'][1]}" for one in charts for bar in one["bars"][:MOST]]
    silent = [shape._inline.docPr for shape in document.inline_shapes if not shape._inline.docPr.get("descr")]
    for picture, text in zip(silent, spoken, strict=False):  # a layout may leave the chart out
        picture.set("descr", _fit(text)[:1000])


def _speak(document: Any, language: str) -> None:
    """Tell the word processor which language this is, for its spelling and for screen readers."""
    from docx.oxml.ns import qn

    for element in document.styles.element.iter(qn("w:lang")):
        element.set(qn("w:val"), _REGION.get(language, language))


def _words(error: Exception) -> str:
    return str(getattr(error, "message", None) or error).strip().split("\n")[0][:200] or type(error).__name__
