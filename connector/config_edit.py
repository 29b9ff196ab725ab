"""Changing config.yaml in place: the one truth stays one file, with its comments, and is never half written.

A change is made to the file's own text (ruamel.yaml's round trip), checked as a start of the program would check it,
and put in the file's place in one step. Whoever changes a value says what they saw there before: if someone else has
changed it meanwhile nothing is written, and they are told what.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from adapters.errors import AurevoirError, ConfigError, Fault
from connector.config import read_raw, spell
from connector.library import Library
from connector.settings import Settings
from connector.source import Source
from connector.store import Store
from workflows.said import Said

LOCK = "settings"
WAIT_SECONDS = 10.0

Place = tuple[str, ...]
"""Keys from the top of the file down, such as ``("accounts", "acme", "people")``."""


@dataclass(frozen=True)
class Difference:
    """A value that someone else has changed: what it was, what it is now, and what it was to become."""

    key: str
    was: Any
    now: Any
    wanted: Any


class ChangedMeanwhile(AurevoirError):
    """Someone else has changed the same values; nothing was written."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        super().__init__("changed by someone else meanwhile: " + ", ".join(one.key for one in differences))
        self.differences = tuple(differences)


@dataclass(frozen=True)
class Change:
    """One value to set; None takes the key out. ``seen`` is what stood there when the change was thought of."""

    place: Place
    value: Any
    seen: Any = None


def at(raw: Any, place: Place) -> Any:
    """What stands at a place, as text, lists and mappings; None when there is nothing."""
    for key in place:
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw


def change_file(
    source: Source,
    store: Store,
    changes: Sequence[Change],
    secrets: Mapping[str, str] | None = None,
    check: Callable[[Settings], None] = lambda _settings: None,
) -> Settings:
    """Make these changes together, and give the settings that they lead to; those not made here stay as they are.

    ``secrets`` are put into the file beside it, under names that the values refer to as ``${NAME}``. ``check`` may
    refuse what the changes would lead to. Raises
    :class:`ChangedMeanwhile`, and :class:`~adapters.errors.ConfigError` with all faults; then nothing was changed.
    """
    with store.exclusive(LOCK, wait=WAIT_SECONDS):
        target = source.path.resolve()
        raw = read_raw(target)
        _require_unchanged(raw, changes)
        fresh = rewritten(target.read_text(encoding="utf-8-sig"), raw, changes)
        with _secrets_kept(source.env_file, secrets or {}), _beside(target, fresh) as draft:
            settings = source.load_from(draft)
            Library(settings)
            check(settings)
            _replace(draft, target)
    return settings


def plain(value: Any) -> Any:
    """A value as the file's reader would give it back: text, lists and mappings of text."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def literal(text: str) -> str:
    """Text that someone typed, so that nothing in it is taken for a placeholder."""
    return text.replace("${", "$${")


def _require_unchanged(raw: Any, changes: Sequence[Change]) -> None:
    differences = [
        Difference(spell(change.place), change.seen, now, change.value)
        for change in changes
        if (now := at(raw, change.place)) != plain(change.seen) and now != plain(change.value)
    ]
    if differences:
        raise ChangedMeanwhile(differences)


# --- the text -------------------------------------------------------------------------------------------------------


def rewritten(text: str, raw: Mapping[str, Any], changes: Sequence[Change]) -> str:
    """The text with the changes made. What it says is checked against what it should say, to the last value."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 10_000
    offset = _dashes_at(text)
    editor.indent(mapping=2, sequence=offset + 2, offset=offset)
    out = io.StringIO()
    wanted = plain(raw)
    for change in changes:
        _put(wanted, change.place, plain(change.value))
        text = _uncommented(text, change)
    try:
        document = editor.load(text)
        for change in changes:
            _put(document, change.place, change.value)
        editor.dump(document, out)
    except (YAMLError, AttributeError, TypeError) as error:
        raise _by_hand(type(error).__name__) from error
    fresh = out.getvalue()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".yaml") as draft:
        draft.write(fresh)
        draft.flush()
        if _without_empty(read_raw(Path(draft.name))) != _without_empty(wanted):
            raise _by_hand("the outcome would say something else")
    return fresh


def _dashes_at(text: str) -> int:
    """How far the dashes of lists stand to the right of their key, as the file has it."""
    key = None
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        at_column = len(line) - len(line.lstrip())
        if key is not None and bare.startswith("-"):
            return at_column - key
        key = at_column if re.fullmatch(r"[\w\-\"']+:(\s+#.*)?", bare) else None
    return 2


def _uncommented(text: str, change: Change) -> str:
    """The text with the value in the place of the example that stands there behind a ``#``, where there is one."""
    value = change.value
    several = isinstance(value, list | tuple) and not any(isinstance(one, Mapping | list | tuple) for one in value)
    if not (isinstance(value, str) or several):
        return text
    lines = text.splitlines(keepends=True)
    first, last, indent = 0, len(lines), ""
    for key in change.place[:-1]:
        head = re.compile(rf"{indent}['\"]?{re.escape(key)}['\"]?:\s*(#.*)?$")
        first = next((number + 1 for number in range(first, last) if head.match(lines[number].rstrip())), last)
        last = next((number for number in range(first, last) if _leaves(lines[number], indent)), last)
        indent += "  "
    example = re.compile(rf"{indent}#{re.escape(change.place[-1])}: ")
    found = next((number for number in range(first, last) if example.match(lines[number])), None)
    if found is None:
        return text
    words = yaml.safe_dump(list(value) if several else value, default_flow_style=True, allow_unicode=True, width=10_000)
    lines[found] = f"{indent}{change.place[-1]}: {words.removesuffix(chr(10)).removesuffix('...').rstrip()}\n"
    return "".join(lines)


def _leaves(line: str, indent: str) -> bool:
    """Whether the line no longer belongs to a key that stands at this indentation."""
    bare = line.lstrip(" ")
    return bool(bare.strip()) and not bare.startswith("#") and len(line) - len(bare) <= len(indent)


def _by_hand(why: str) -> ConfigError:
    cure = Said("is written in a way that cannot be changed from here (%(why)s): change it by hand", why=why)
    return ConfigError([Fault(Said("config file"), "", cure)])


def _put(node: Any, place: Place, value: Any) -> None:
    for key in place[:-1]:
        if node.get(key) is None:
            if value is None:
                return
            node[key] = _fresh(node, {})
        node = node[key]
    key = place[-1]
    if value is None:
        _empty(node, [key])
    elif key in node and node[key] is not None:
        node[key] = _merged(node[key], value)
    else:
        if not node and hasattr(node, "fa"):
            node.fa.set_block_style()  # it was written as {}
        node[key] = _fresh(node, value)


def _empty(node: Any, keys: Sequence[str]) -> None:
    """Take keys out. In the file the bare key stays, which counts as not given: the comments below hang on it."""
    for key in keys:
        if key in node and hasattr(node, "ca") and not node.fa.flow_style():
            node[key] = None
        elif key in node:
            del node[key]


def _merged(old: Any, new: Any) -> Any:
    """``old`` made to say ``new``, and left alone as far as it does: its comments and its style stay."""
    if plain(old) == plain(new):
        return old
    if isinstance(old, dict) and isinstance(new, Mapping):
        _empty(old, [key for key in old if key not in new])
        for key, value in new.items():
            old[key] = _merged(old[key], value) if key in old and old[key] is not None else _fresh(old, value)
        return old
    if isinstance(old, list) and isinstance(new, list | tuple):
        tail = _take_tail(old)
        for number, value in enumerate(new):
            if number < len(old):
                old[number] = _merged(old[number], value)
            else:
                old.append(_fresh(old, value))
        del old[len(new) :]
        _give_tail(old, tail)
        return old
    return _fresh(old, new)


def _fresh(beside: Any, value: Any) -> Any:
    """A new value in the way that people write it: short lists in one line."""
    if not hasattr(beside, "ca"):
        return value if isinstance(value, str) else plain(value) if isinstance(value, Mapping | list | tuple) else value
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, Mapping):
        made = CommentedMap()
        for key, one in value.items():
            made[key] = _fresh(made, one)
        return made
    if isinstance(value, list | tuple):
        items = CommentedSeq()
        for one in value:
            items.append(_fresh(items, one))
        if not any(isinstance(one, Mapping | list | tuple) for one in value):
            items.fa.set_flow_style()
        return items
    return value


def _take_tail(node: Any) -> Any:
    """The comment after a list's last word, which belongs to what follows; it would go with that word."""
    while isinstance(node, dict | list) and node and hasattr(node, "ca"):
        last = len(node) - 1 if isinstance(node, list) else list(node)[-1]
        if last in node.ca.items and not isinstance(node[last], dict | list):
            found = node.ca.items[last]
            slot = 0 if isinstance(node, list) else 2
            comment, found[slot] = found[slot], None
            return comment
        node = node[last]
    return None


def _give_tail(node: Any, comment: Any) -> None:
    while comment is not None and isinstance(node, dict | list) and node and hasattr(node, "ca"):
        last = len(node) - 1 if isinstance(node, list) else list(node)[-1]
        if not (isinstance(node[last], dict | list) and node[last] and not _is_flow(node[last])):
            slot = 0 if isinstance(node, list) else 2
            node.ca.items.setdefault(last, [None, None, None, None])[slot] = comment
            return
        node = node[last]


def _is_flow(node: Any) -> bool:
    return bool(node.fa.flow_style()) if hasattr(node, "fa") else True


def _without_empty(value: Any) -> Any:
    """A key with nothing after it counts as not given."""
    if isinstance(value, Mapping):
        return {key: kept for key, one in value.items() if (kept := _without_empty(one)) not in (None, {})}
    return [_without_empty(one) for one in value] if isinstance(value, list) else value


# --- the files ------------------------------------------------------------------------------------------------------


@contextmanager
def _beside(target: Path, text: str) -> Iterator[Path]:
    """A draft in the same folder, with the mode and owner of what it will replace, safely on disk."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".draft", dir=target.parent)
    except OSError as error:
        raise _unwritable(target, error) from None
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        before = target.stat()
        draft.chmod(before.st_mode & 0o7777)
        with suppress(OSError):  # only root may give a file away
            os.chown(draft, before.st_uid, before.st_gid)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _replace(draft: Path, target: Path) -> None:
    try:
        draft.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _unwritable(target, error) from None


def _unwritable(target: Path, error: OSError) -> ConfigError:
    cure = Said(
        "cannot be written: %(reason)s. The program's user needs to write in %(folder)s; or change the file by hand",
        reason=error.strerror,
        folder=target.parent,
    )
    return ConfigError([Fault(Said("config file"), str(target), cure)])


@contextmanager
def _secrets_kept(file: Path, secrets: Mapping[str, str]) -> Iterator[None]:
    """The secrets in their file while the block runs, and for good when it ends well."""
    if not secrets:
        yield
        return
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = [
        line for line in before.splitlines() if line.partition("=")[0].strip().removeprefix("export ") not in secrets
    ]
    lines += [f"{name}={value}" for name, value in secrets.items()]
    _write_secret(file, "\n".join(lines) + "\n")
    try:
        yield
    except BaseException:
        if before:
            _write_secret(file, before)
        else:
            file.unlink(missing_ok=True)
        raise


def _write_secret(file: Path, text: str) -> None:
    """For the owner's eyes only, from the first byte on."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise _unwritable(file, error) from None
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _unwritable(file, error) from None
