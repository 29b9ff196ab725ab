"""Texts and conditions of playbooks: Jinja in a sandbox that can only read what it is given, and ends soon.

Whoever may edit a playbook may not thereby run code, read what is not theirs, or hold up the process. So a text may
show values, choose with ``if`` and go once through a list; nothing can be called, defined, included or multiplied up.
The values are plain mappings, lists, texts, numbers and dates. What comes out is plain text: who shows it escapes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal
from jinja2 import ChainableUndefined, StrictUndefined, Template, TemplateError, Undefined, meta, nodes, pass_context
from jinja2.exceptions import UndefinedError
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workflows.said import Said

MAX_SOURCE = 20_000
"""Characters of one text in a playbook."""
MAX_OUTPUT = 30_000
"""Characters that a text may grow to; both CRMs take that much in a task's description."""
DOOR_NAMES = frozenset({"content", "results", "said"})
"""What is known once a customer has left: whether they left content, the figures that rose, what they said."""
CONDITION_NAMES = frozenset({"deal", "company", "contact", "contacts", "case", "days_left", "frame"}) | DOOR_NAMES
"""What a step's condition may ask about."""
ITEM_NAMES = frozenset({"count", "item", "items"})
"""What the texts of a step for items of the inventory may show besides (P-22)."""
TEXT_NAMES = CONDITION_NAMES | {"exit_rights", "learned", "link", "neutral", "news", "timeline", "touch", "why"}
"""What a step's texts may show."""
ONLY_IF_NAMES = frozenset({"deal"})
"""What an account's ``only_if`` may ask about."""
BLANK = "…"
"""Stands for a value that is missing."""
_VALUE = re.compile(r"{{.*?}}", re.DOTALL)
_MARKUP = re.compile(r"{[%#].*?[%#]}", re.DOTALL)

MAX_DEPTH = 60
"""Levels to which a text or condition may be nested."""

_OWN_FILTERS = frozenset({"join"})
_FILTERS = frozenset(
    {"abs", "capitalize", "count", "d", "default", "first", "float", "int", "last", "length", "list", "lower", "map"}
    | {"max", "min", "reject", "rejectattr", "round", "select", "selectattr", "sort", "string", "sum", "title", "trim"}
    | {"truncate", "unique", "upper"}
    | _OWN_FILTERS
)
_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Filter,
    nodes.Test,
    nodes.If,
    nodes.For,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Neg,
    nodes.Pos,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
    nodes.Concat,
    nodes.List,
    nodes.Tuple,
    nodes.Keyword,
)


class TextError(ValueError):
    """A text or condition that cannot be used, or not with these values. The message is fit for an admin."""


class _Blank(ChainableUndefined):
    """A missing value that shows as such instead of failing."""

    __slots__ = ()

    def __str__(self) -> str:
        return BLANK

    def _still_blank(self, _other: object) -> _Blank:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __truediv__ = __rtruediv__ = _still_blank  # type: ignore[assignment]
    __mul__ = __rmul__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _still_blank  # type: ignore[assignment]


class _Sandbox(ImmutableSandboxedEnvironment):
    """Reads mappings by key alone, so that a field called ``items`` is that field, and multiplies numbers alone."""

    intercepted_binops = frozenset({"*", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, str | list | tuple) or isinstance(right, str | list | tuple):
            raise TextError(Said("only numbers can stand around %(operator)s", operator=repr(operator)))
        return super().call_binop(context, operator, left, right)


def _join(items: Iterable[object], between: str = "", attribute: str | None = None) -> str:
    """The filter ``join``, for lists and short separators: joining texts letter by letter is how a text explodes."""
    if isinstance(items, str) or len(between) > 20:
        raise TextError(Said("`join` takes a list and a separator of up to 20 characters"))
    if attribute is not None:
        items = [item.get(attribute, BLANK) if isinstance(item, Mapping) else BLANK for item in items]
    return between.join(str(item) for item in items)


@pass_context
def _shown(context: Context, value: object) -> object:
    """How a value looks in a text: a date and a number as people of the case's language write them."""
    if value is None:
        return BLANK
    if isinstance(value, Decimal | date):
        case = context.resolve("case")
        language = case.get("language", "en") if isinstance(case, Mapping) else "en"
        if isinstance(value, date):
            return date_words(value, str(case.get("dates") or language) if isinstance(case, Mapping) else "en")
        return _number_words(value, str(language))
    return value


@lru_cache(maxsize=4096)
def date_words(day: date, language: str, length: str = "long") -> str:
    """The day as people of this language write it, such as ``31 mars 2026`` (``medium``: shorter, for tables)."""
    locale = locale_of(language)
    words = str(format_date(day, format=length, locale=locale))
    return f"1er{words[1:]}" if locale.language == "fr" and words.startswith("1 ") else words


@lru_cache(maxsize=256)
def dated_as(language: str, calendar: str) -> str:
    """The language as it is spoken where this calendar counts: ``6 January`` in ``GB``, ``January 6`` in ``US``."""
    spoken = f"{language}-{calendar.partition('-')[0]}"
    return spoken if "-" not in language and locale_of(spoken).territory else language


@lru_cache(maxsize=4096)
def _number_words(number: Decimal, language: str) -> str:
    return str(format_decimal(number, locale=locale_of(language)))


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale:
    """How people of this language write dates and numbers; as in English where nobody knows the language."""
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en")


def _sandbox(undefined: type[Undefined]) -> _Sandbox:
    made = _Sandbox(
        undefined=undefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, cache_size=0, finalize=_shown
    )
    made.globals.clear()
    made.filters = {name: made.filters[name] for name in _FILTERS - _OWN_FILTERS} | {"join": _join}
    return made


_STRICT = _sandbox(StrictUndefined)
_LENIENT = _sandbox(_Blank)


def check_text(text: str, allowed: Collection[str]) -> str | None:
    """What is wrong with this text of a playbook, in words, or None. ``allowed`` are the names that it may use."""
    return _problem(lambda: _parse_text(text), allowed)


def check_expression(expression: str, allowed: Collection[str]) -> str | None:
    """What is wrong with this condition, in words, or None. ``allowed`` are the names that it may use."""
    return _problem(lambda: _parse_expression(expression), allowed)


def render(text: str, values: Mapping[str, object]) -> str:
    """The text with these values. :class:`TextError` when it shows one that is missing, or cannot be used at all."""
    if not text:
        return ""
    return _produce(_template(text, strict=True), values)


def render_anyway(text: str, values: Mapping[str, object]) -> str:
    """As :func:`render`, with ``…`` for what is missing; where not even that can be shown, for every value.

    A task with gaps in its words is better than no task. Never fails.
    """
    try:
        return _produce(_template(text, strict=False), values)
    except TextError:
        return _MARKUP.sub("", _VALUE.sub(BLANK, text[:MAX_OUTPUT])).strip()


def holds(expression: str, values: Mapping[str, object]) -> bool:
    """Whether the condition is true with these values.

    :class:`TextError` when that cannot be told: a value is missing or of another kind, or it is no condition.
    """
    test = _condition(expression)
    try:
        return bool(test(values))
    except TextError:
        raise
    except Exception as error:  # noqa: BLE001 - a condition may fail in as many ways as Python has
        raise TextError(
            Said("the condition `%(expression)s` cannot be told: %(why)s", expression=expression, why=_words(error))
        ) from None


def uses(expression: str, name: str) -> bool:
    """Whether the text or condition mentions this name."""
    return name in expression  # a superset is fine: callers only ask whether waiting could help


def shorten(text: str, room: int) -> str:
    """The text in one line of at most ``room`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= room else line[: room - 1].rstrip() + BLANK


def _problem(parse: Callable[[], nodes.Template], allowed: Collection[str]) -> str | None:
    try:
        tree = parse()
    except TextError as error:
        return str(error)
    for name in sorted(meta.find_undeclared_variables(tree)):
        if name not in allowed:
            return Said(
                "nothing is called %(name)s here; there are: %(known)s",
                name=repr(name),
                known=", ".join(sorted(allowed)),
            )
    return None


def _parse_text(text: str) -> nodes.Template:
    if len(text) > MAX_SOURCE:
        raise TextError(Said("longer than %(most)s characters", most=f"{MAX_SOURCE:,}"))
    try:
        tree = _STRICT.parse(text)
    except (TemplateError, RecursionError) as error:
        raise TextError(Said("not understood: %(why)s", why=_words(error))) from None
    return _checked(tree)


def _parse_expression(expression: str) -> nodes.Template:
    if len(expression) > MAX_SOURCE:
        raise TextError(Said("longer than %(most)s characters", most=f"{MAX_SOURCE:,}"))
    try:
        parser = Parser(_STRICT, expression, state="variable")
        found = parser.parse_expression()
        rest = None if parser.stream.eos else str(parser.stream.current.value)
    except (TemplateError, RecursionError) as error:
        raise TextError(Said("not understood: %(why)s", why=_words(error))) from None
    if rest is not None:
        raise TextError(Said("not understood from %(rest)s on", rest=repr(rest)))
    tree = nodes.Template([nodes.Output([found], lineno=1)], lineno=1)
    return _checked(tree.set_environment(_STRICT))  # type: ignore[arg-type]


def _checked(tree: nodes.Template) -> nodes.Template:
    """Refuse what could run long, grow large or reach outside."""
    waiting: list[tuple[nodes.Node, int, frozenset[str]]] = [(tree, 0, frozenset())]
    while waiting:
        node, depth, inside = waiting.pop()
        if depth > MAX_DEPTH:
            raise TextError(Said("it is nested too deeply"))
        mark = _check_node(node, inside)
        inner = inside | {mark} if mark else inside
        waiting += ((child, depth + 1, inner) for child in node.iter_child_nodes())
    return tree


def _check_node(node: nodes.Node, inside: frozenset[str]) -> str | None:
    """Refuse this node, or tell what may not stand inside it again."""
    if not isinstance(node, _ALLOWED):
        raise TextError(_refusal(node))
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise TextError(Said("%(attr)s is not for texts", attr=repr(node.attr)))
    if isinstance(node, nodes.For):
        if node.recursive or "for" in inside:
            raise TextError(Said("a loop inside a loop is not taken"))
        return "for"
    if isinstance(node, nodes.Filter):
        if node.name not in _FILTERS:
            raise TextError(
                Said(
                    "no filter %(name)s; there are: %(known)s", name=repr(node.name), known=", ".join(sorted(_FILTERS))
                )
            )
        if node.name == "join" and "join" in inside:
            raise TextError(Said("`join` inside `join` is not taken"))
        return "join" if node.name == "join" else None
    return None


def _refusal(node: nodes.Node) -> str:
    if isinstance(node, nodes.Call):
        return Said("nothing can be called here; leave out the brackets, or use a filter such as `| length`")
    if isinstance(node, nodes.Pow):
        return Said("`**` is not taken")
    return Said(
        "`%(word)s` is not taken here; show values, use `if`, or loop once over a list",
        word=type(node).__name__.lower(),
    )


@lru_cache(maxsize=4096)
def _template(text: str, *, strict: bool) -> Template:
    _parse_text(text)
    template = (_STRICT if strict else _LENIENT).from_string(text)
    template.globals = {}  # there are none, and an empty chain of mappings is slow to look through at each rendering
    return template


@lru_cache(maxsize=2048)
def _condition(expression: str) -> Callable[[Mapping[str, object]], object]:
    _parse_expression(expression)
    return _STRICT.compile_expression(expression, undefined_to_none=False)


def _produce(template: Template, values: Mapping[str, object]) -> str:
    pieces, room = [], MAX_OUTPUT
    try:
        for piece in template.root_render_func(template.new_context(dict(values), shared=True)):
            pieces.append(piece[:room])
            room -= len(piece)
            if room <= 0:
                break
    except TextError:
        raise
    except Exception as error:  # noqa: BLE001 - as in holds()
        raise TextError(Said("a value cannot be shown: %(why)s", why=_words(error))) from None
    return "".join(pieces).strip()


def _words(error: Exception) -> str:
    if isinstance(error, UndefinedError):
        return str(error.message).replace("'dict object'", "it")
    if isinstance(error, RecursionError):
        return Said("it is nested too deeply")
    return str(error) or type(error).__name__
