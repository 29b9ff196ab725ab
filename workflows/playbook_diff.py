"""What is different between two versions of a playbook, step by step and key by key (P-77)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from workflows.playbook_checks import spell
from workflows.records import Model
from workflows.rules import Playbook, StepRule

_MOMENTS = ("release", "not_before", "due")


class Change(Model):
    """One difference. ``step`` is None for what stands above the steps; ``key`` is empty for a whole step.

    ``before`` and ``after`` are as people write them; None where there is nothing.
    """

    kind: Literal["added", "removed", "changed", "moved"]
    step: str | None = None
    key: str = ""
    before: str | None = None
    after: str | None = None

    def lines(self) -> list[str]:
        """The lines that went (``-``) and came (``+``), without those that stayed."""
        before, after = ((text or "").splitlines() for text in (self.before, self.after))
        compared = difflib.unified_diff(before, after, lineterm="", n=0)
        return [line for line in compared if line[:3] not in ("---", "+++") and not line.startswith("@@")]


def changes(old: Playbook, new: Playbook) -> tuple[Change, ...]:
    """What ``new`` does otherwise than ``old``, in the order of ``new``; what was removed comes last."""
    return tuple(_changes(old, new))


def _changes(old: Playbook, new: Playbook) -> Iterator[Change]:
    yield from _values(None, _head(old), _head(new))
    were, places = {step.key: step for step in old.steps()}, _places(old)
    now, wanted = {step.key: step for step in new.steps()}, _places(new)
    for key, step in now.items():
        if key not in were:
            yield Change(kind="added", step=key, after=_title(new, step))
            continue
        if places[key] != wanted[key]:
            yield Change(kind="moved", step=key, key="phase", before=places[key], after=wanted[key])
        yield from _values(key, _plain(were[key]), _plain(step))
    for key in (key for key in were if key not in now):
        yield Change(kind="removed", step=key, before=_title(old, were[key]))


def _places(playbook: Playbook) -> dict[str, str]:
    return {step.key: phase.key for phase in playbook.phases for step in phase.steps}


def _title(playbook: Playbook, step: StepRule) -> str:
    return step.title.get(playbook.languages[0], step.key)


def _head(playbook: Playbook) -> dict[str, str]:
    titles = {
        f"phases.{phase.key}.title.{code}": text for phase in playbook.phases for code, text in phase.title.items()
    }
    title = {f"title.{code}": text for code, text in playbook.title.items()}
    return {"kind": playbook.kind, "languages": ", ".join(playbook.languages), **title, **titles}


def _plain(step: StepRule) -> dict[str, str]:
    """The step's keys as people write them; texts by language, what is empty left out."""
    flat: dict[str, str] = {}
    for name, value in step.model_dump(mode="json", exclude={"key", *_MOMENTS}).items():
        flat |= _flat(name, value)
    moments = {name: getattr(step, name) for name in _MOMENTS}
    return flat | {name: spell(moment) for name, moment in moments.items() if moment is not None}


def _flat(name: str, value: Any) -> Mapping[str, str]:
    if isinstance(value, dict):
        return {f"{name}.{code}": str(text) for code, text in value.items()}
    if isinstance(value, list):
        return {name: ", ".join(map(str, value))}
    return {} if value is None else {name: str(value).lower() if isinstance(value, bool) else str(value)}


def _values(step: str | None, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for key in dict.fromkeys([*after, *before]):
        if before.get(key) != after.get(key):
            yield Change(kind="changed", step=step, key=key, before=before.get(key), after=after.get(key))
