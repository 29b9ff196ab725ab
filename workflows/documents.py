"""Reads the YAML files that people write (playbooks, questionnaires) and says in words what is wrong with them.

Only a plain part of YAML is taken: mappings, lists and scalars as in YAML 1.2, so ``no`` is a word and not False.
Aliases, anchors, tags, doubled keys, huge and deeply nested files are refused before anything is built from them.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Annotated, Any, Protocol, TypeVar, get_args

import yaml
from babel import Locale, UnknownLocaleError
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema

from workflows.records import Model
from workflows.said import Said

try:
    from yaml import CSafeLoader as _Base
except ImportError:  # a build without libyaml is slower, and just as good
    from yaml import SafeLoader as _Base  # type: ignore[assignment]

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 20

Loc = tuple[int | str, ...]
"""A place in a document: keys and list indexes from the top."""


class Fault(Model):
    """One thing that is wrong in a file: where, what was seen, and what would be right.

    ``step`` is the key of the step (or of the question); None for what stands above the steps. ``line`` counts from 1.
    """

    file: str
    line: int | None = None
    step: str | None = None
    key: str
    seen: str = ""
    cure: str

    def __str__(self) -> str:
        """One line, fit for an admin."""
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        step = f", {self.step}" if self.step else ""
        key = f", {self.key}" if self.key else ""
        seen = f" is {self.seen!r}" if self.seen else ""
        return f"{place}{step}{key}{seen}: {self.cure}"


class PlaybookError(ValueError):
    """A playbook or a questionnaire that cannot be used. ``faults`` holds everything that is wrong, in file order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


_NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"


def _parse_name(text: object) -> str:
    if not isinstance(text, str) or not re.fullmatch(_NAME, text) or len(text) > 40:
        raise ValueError(Said("write a name of small letters, digits and hyphens, up to 40, such as `tell-them`"))
    return text


def _parse_words(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError(Said("write a text (in quotes if it looks like a number)"))
    if not text.strip():
        raise ValueError(Said("this text is empty; write it"))
    return unicodedata.normalize("NFC", text.strip())


Name = Annotated[str, BeforeValidator(_parse_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"})]
Wording = dict[str, Annotated[str, BeforeValidator(_parse_words)]]
"""A text by language code; which languages there must be is checked by :func:`translation_faults`."""


class Doc(BaseModel):
    """Base of file formats: keys as written in the file, no others, and no value turned into another kind."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Loader(_Base):
    """Knows null, true, false, whole numbers and decimals; everything else is text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own way to begin with none


_NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))


for _tag, _pattern, _first in (
    (_NULL, r"^(~|null|)$", ["~", "n", ""]),
    (_BOOL, r"^(true|false)$", ["t", "f"]),
    (_INT, r"^[-+]?(0|[1-9][0-9]{0,17})$", list("-+0123456789")),
    (_FLOAT, r"^[-+]?[0-9]{1,17}\.[0-9]{1,17}$", list("-+0123456789")),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


@dataclass
class Document:
    """A file as plain data, with the line of each place in it."""

    file: str
    data: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)

    def fault(self, loc: Loc, seen: object, cure: str) -> Fault:
        """A fault at this place; list elements go by their ``key`` where they have one."""
        step, names = self._names(loc)
        line = next((self.lines[loc[:end]] for end in range(len(loc), -1, -1) if loc[:end] in self.lines), None)
        return Fault(file=self.file, line=line, step=step, key=".".join(names), seen=shorten(seen), cure=cure)

    def _names(self, loc: Loc) -> tuple[str | None, list[str]]:
        here, step, names = self.data, None, list[str]()
        for part in loc:
            try:
                here = here[part]
            except (KeyError, IndexError, TypeError):
                here = None
            if isinstance(part, str):
                names.append(part)
                continue
            own = here.get("key") if isinstance(here, dict) else None
            name = own if isinstance(own, str) else f"#{part + 1}"
            kind = {"steps": "step", "questions": "question"}.get(names[-1] if names else "")
            if kind:
                step, names = f"{kind} {name}", []
            else:
                names.append(name)
        return step, names


def shorten(value: object, room: int = 80) -> str:
    """The value in one short line, for a message."""
    if value is None:
        return ""
    text = " ".join(str(value).split())
    return text if len(text) <= room else text[: room - 1] + "…"


def load(text: str | bytes, file: str, *, shipped: bool = False) -> Document:
    """The file as plain data. Raises :class:`PlaybookError` when it is no YAML that we take.

    ``shipped``: a file of ours, which tests hold to what is refused from others; a start need not read it twice.
    """
    document = Document(file)
    faults: list[Fault] = []
    try:
        text = _decoded(text)
        if not shipped:
            _scan(text)
        node = yaml.compose(text, Loader=_Loader)
        document.data = None if node is None else _build(node, (), document, faults)
    except _RefusedError as error:
        raise PlaybookError([Fault(file=file, line=error.line, key="", cure=error.cure)]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        problem = getattr(error, "problem", None) or shorten(error)
        cure = Said("this is not YAML: %(problem)s; look at the indents and quotes near this line", problem=problem)
        line = None if mark is None else mark.line + 1
        raise PlaybookError([Fault(file=file, line=line, key="", cure=cure)]) from None
    if not faults and not isinstance(document.data, dict):
        faults.append(
            Fault(file=file, line=1, key="", cure=Said("the file must start with its name, such as `playbook: saas`"))
        )
    if faults:
        raise PlaybookError(faults)
    return document


class _RefusedError(Exception):
    """YAML that we do not take."""

    def __init__(self, cure: str, line: int | None = None) -> None:
        super().__init__(cure)
        self.cure, self.line = cure, line


def _decoded(text: str | bytes) -> str:
    too_long = _RefusedError(Said("the file is longer than %(most)s characters; split it", most=f"{MAX_CHARACTERS:,}"))
    if isinstance(text, bytes):
        if len(text) > 4 * MAX_CHARACTERS:
            raise too_long
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _RefusedError(
                Said("the file is not UTF-8 (byte %(byte)s); save it as UTF-8", byte=error.start + 1)
            ) from None
    if len(text) > MAX_CHARACTERS:
        raise too_long
    return text


def _scan(text: str) -> None:
    """Refuse what could grow or mean more than it shows, from the event stream, which is never nested."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else None
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > MAX_DEPTH:
            raise _RefusedError(Said("the file is nested deeper than %(most)s levels", most=MAX_DEPTH), line)
        if documents > 1:
            raise _RefusedError(Said("the file holds more than one document (`---`); put each into its own file"), line)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _RefusedError(
                Said("anchors (&) and aliases (*) are not taken; write the text out, or quote it"), line
            )
        if getattr(event, "tag", None):
            raise _RefusedError(Said("tags (!) are not taken; write the value without it, or quote it"), line)


def _build(node: yaml.Node, loc: Loc, document: Document, faults: list[Fault]) -> Any:
    document.lines[loc] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*loc, index), document, faults) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, loc, document, faults)
    return _scalar(node)


def _build_mapping(node: yaml.MappingNode, loc: Loc, document: Document, faults: list[Fault]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            faults.append(
                Fault(file=document.file, line=line, key="", cure=Said("a key must be a word, not a list or mapping"))
            )
            continue
        key = str(name.value)
        if key in data:
            cure = Said("this key stands here twice (first in line %(line)s); keep one", line=document.lines[*loc, key])
            faults.append(Fault(file=document.file, line=line, key=key, cure=cure))
            continue
        data[key] = _build(value, (*loc, key), document, faults)
        document.lines[*loc, key] = line
    return data


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    value = str(node.value)
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL:
        return value == "true"
    if node.tag == _INT:
        return int(value)
    return float(value) if node.tag == _FLOAT else value


def as_list(value: object) -> list[Any]:
    """The value where it is a list, else nothing: faulty parts are named elsewhere."""
    return value if isinstance(value, list) else []


def shipped_texts(folder: str) -> dict[str, str]:
    """The YAML files that come with the product in ``workflows/<folder>``, by file name."""
    files = resources.files("workflows") / folder
    return {
        file.name: file.read_text("utf-8")
        for file in sorted(files.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".yaml")
    }


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


K = TypeVar("K", bound=_Keyed)


def load_all(texts: Mapping[str, str | bytes], parse: Callable[[str | bytes, str], K], kind: str) -> dict[str, K]:
    """What the files of a folder hold, by key. ``texts`` maps file names to contents; ``kind`` is a file's first key.

    Raises :class:`PlaybookError` with the faults of all files, also when two of them use the same name.
    """
    found: dict[str, K] = {}
    files: dict[str, str] = {}
    faults: list[Fault] = []
    for file, text in texts.items():
        try:
            one = parse(text, file)
        except PlaybookError as error:
            faults += error.faults
            continue
        if one.key in found:
            cure = Said("%(file)s has this name already; give each its own", file=files[one.key])
            faults.append(Fault(file=file, key=kind, seen=one.key, cure=cure))
        found[one.key], files[one.key] = one, file
    if faults:
        raise PlaybookError(faults)
    return found


def guess(word: object, known: Iterable[str]) -> str:
    """ "Did you mean …?" with the nearest known word, or the list of them."""
    known = sorted(known)
    near = difflib.get_close_matches(str(word), known, n=1)
    return (
        Said("did you mean %(near)s?", near=repr(near[0]))
        if near
        else Said("there are: %(known)s", known=", ".join(known))
    )


def model_faults(document: Document, error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """What pydantic found in the document, in our words."""
    faults = []
    for one in error.errors(include_url=False):
        # Where a value may be a word or a list, pydantic names the kind in brackets and tells what is wrong for each.
        loc = tuple(part for part in one["loc"] if not (isinstance(part, str) and "[" in part))
        other_kind = "literal_error" if isinstance(one["input"], list) else "list_type"
        if len(loc) == len(one["loc"]) or one["type"] != other_kind:
            faults.append(document.fault(loc, *_in_words({**one, "loc": loc}, model)))
    return faults


_WANTED = {
    "string_type": Said("write a text (in quotes if it looks like a number)"),
    "bool_type": Said("write true or false"),
    "int_type": Said("write a whole number"),
    "list_type": Said("write a list, such as [a, b]"),
    "dict_type": Said("write it by language, such as {en: …, fr: …}"),
    "model_type": Said("write keys and values"),
    "too_short": Said("this list is empty; add at least one"),
}


def _in_words(error: Mapping[str, Any], model: type[BaseModel]) -> tuple[object, str]:
    kind, seen, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return None, Said("this key is missing; add it")
    if kind == "extra_forbidden":
        return seen, Said("no such key; %(guess)s", guess=guess(error["loc"][-1], _keys_at(model, error["loc"][:-1])))
    if kind in ("enum", "literal_error"):
        return seen, Said("write one of %(known)s", known=context["expected"])
    if kind in ("greater_than_equal", "less_than_equal"):
        return seen, Said("write %(least)s or more", least=context["ge"]) if "ge" in context else Said(
            "write %(most)s or less", most=context["le"]
        )
    return seen, str(context["error"]) if kind == "value_error" else _WANTED.get(kind, str(error["msg"]))


def _keys_at(model: type[BaseModel], loc: Loc) -> set[str]:
    """The keys that the model at this place knows."""
    here = model
    for part in loc:
        if isinstance(part, str) and part in here.model_fields:
            inner = _flat(here.model_fields[part].annotation)
            here = next((arg for arg in inner if isinstance(arg, type) and issubclass(arg, BaseModel)), here)
    return {spec.alias or name for name, spec in here.model_fields.items()}


def _flat(annotation: Any) -> list[Any]:
    return [annotation, *(deep for arg in get_args(annotation) for deep in _flat(arg))]


def language_faults(document: Document) -> Iterator[Fault]:
    """Languages of the file that do not exist or stand there twice."""
    languages = as_list(document.data.get("languages"))
    for at, language in enumerate(languages):
        try:
            Locale.parse(str(language), sep="-")
        except (UnknownLocaleError, ValueError):
            yield document.fault(
                ("languages", at), language, Said("no such language; write a code such as en, fr or pt-BR")
            )
        if language in languages[:at]:
            yield document.fault(("languages", at), language, Said("this language stands here twice; keep one"))


def translation_faults(document: Document, located: Iterable[tuple[Loc, dict[str, Any]]]) -> Iterator[Fault]:
    """Texts that lack one of the file's languages, or are in another, which would never be shown."""
    languages = [language for language in as_list(document.data.get("languages")) if isinstance(language, str)]
    for loc, texts in located:
        for language in languages:
            if language not in texts:
                yield document.fault(
                    (*loc, language), None, Said("the text in %(language)s is missing; add it", language=language)
                )
        for language in texts:
            if languages and language not in languages:
                cure = Said(
                    "the file has no such language (%(languages)s); add it to `languages` or drop it",
                    languages=", ".join(languages),
                )
                yield document.fault((*loc, language), language, cure)
