"""A file that changes single steps or texts of a shipped playbook, without copying the whole.

``extends`` names the playbook. What the file says takes the place of what stands there, step by step and key by key;
texts are taken over by language, and null takes an optional key away. The outcome is a whole playbook as plain data, in
which each place knows its line in the admin's file, so that it is checked as any other and faults lead there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workflows.documents import Document, Fault, Loc, as_list, guess

_TEXTS = ("title", "body", "call_title", "call_body", "customer")
_PLACE = ("phase", "after")


def overridden(document: Document, bases: Mapping[str, Any], faulty: Sequence[Loc]) -> tuple[Document, list[Fault]]:
    """The whole playbook that an override gives, and what of the override leads nowhere.

    ``bases`` are the shipped playbooks as plain data, by key. ``faulty`` are places of the override that are wrong in
    themselves; they are left out, so that the rest can be checked.
    """
    base = bases.get(str(document.data.get("extends")))
    if base is None:
        cure = f"no such playbook ships with the product; {guess(document.data.get('extends'), bases)}"
        return document, [document.fault(("extends",), document.data.get("extends"), cure)]
    merge = _Merge(document, copy.deepcopy(base), frozenset(faulty))
    return merge.run(), merge.faults


class _Merge:
    """One merge. Steps are kept with their place in the override, None for those that it leaves alone."""

    def __init__(self, document: Document, base: dict[str, Any], faulty: frozenset[Loc]) -> None:
        self.own, self.base, self.faulty = document, base, faulty
        self.faults: list[Fault] = []
        self.phases: list[tuple[dict[str, Any], Loc | None]] = [(phase, None) for phase in base["phases"]]
        self.steps: dict[str, list[tuple[dict[str, Any], Loc | None]]] = {
            phase["key"]: [(step, None) for step in phase["steps"]] for phase in base["phases"]
        }

    def run(self) -> Document:
        self._languages()
        self._change_phases()
        self._remove_steps()
        self._change_steps()
        head = {name: value for name, value in self.base.items() if name not in ("phases", "languages", "title")}
        given = self._given((), self.own.data)
        data: dict[str, Any] = dict(head)
        data |= {
            name: given[name] for name in ("playbook", "version", "quiet", "quiet_for") if given.get(name) is not None
        }
        data["languages"] = self.base["languages"]
        data["title"] = {**self.base["title"], **(given.get("title") or {})}
        return self._laid_out(data)

    def _given(self, loc: Loc, part: Mapping[str, Any]) -> dict[str, Any]:
        """What this part says, without what is wrong in itself."""
        return {name: value for name, value in part.items() if (*loc, name) not in self.faulty}

    def _items(self, name: str) -> Iterator[tuple[Loc, dict[str, Any]]]:
        """The changes in a list of the override, each key once."""
        seen: set[str] = set()
        for at, raw in enumerate(as_list(self.own.data.get(name))):
            key = raw.get("key") if isinstance(raw, dict) else None
            if not isinstance(key, str) or (name, at, "key") in self.faulty:
                continue
            if key in seen:
                self._fault((name, at, "key"), key, "this key stands here twice; put both changes together")
            else:
                seen.add(key)
                yield (name, at), raw

    def _fault(self, loc: Loc, seen: object, cure: str) -> None:
        self.faults.append(self.own.fault(loc, seen, cure))

    # --- what changes ---------------------------------------------------------------------------------------------

    def _languages(self) -> None:
        """Texts of the base in languages that the override does not want are dropped."""
        given = self._given((), self.own.data).get("languages")
        if not isinstance(given, list):
            return
        self.base["languages"] = given
        parts = [self.base, *self.base["phases"], *(step for phase in self.base["phases"] for step in phase["steps"])]
        for part in parts:
            for name in _TEXTS:
                if name in part:
                    part[name] = {code: text for code, text in part[name].items() if code in given}

    def _change_phases(self) -> None:
        keys = [phase["key"] for phase, _ in self.phases]
        for loc, raw in self._items("phases"):
            if raw["key"] not in keys:
                cure = f"{self.base['playbook']} has no such phase; {guess(raw['key'], keys)}"
                self._fault((*loc, "key"), raw["key"], cure)
                continue
            at = keys.index(raw["key"])
            self.phases[at] = (_changed(self.phases[at][0], self._given(loc, raw)), loc)

    def _remove_steps(self) -> None:
        for at, key in enumerate(as_list(self.own.data.get("remove"))):
            place = self._find(key)
            if place is None:
                cure = f"{self.base['playbook']} has no such step; {guess(key, self._keys())}"
                self._fault(("remove", at), key, cure)
            else:
                del self.steps[place[0]][place[1]]

    def _change_steps(self) -> None:
        removed = as_list(self.own.data.get("remove"))
        for loc, raw in self._items("steps"):
            key, given = raw["key"], self._given(loc, raw)
            if key in removed:
                self._fault((*loc, "key"), key, "this step is removed in this file; drop one of the two")
                continue
            place = self._find(key)
            target = self._target(loc, given)
            if place is None and target is None:
                if not any(self.faulty & {(*loc, name) for name in _PLACE}) and not _misplaced(given):
                    cure = f"{self.base['playbook']} has no such step; {guess(key, self._keys())}"
                    self._fault((*loc, "key"), key, f"{cure} (to add a step of your own, say its `phase`)")
                continue
            step: dict[str, Any] = {}
            if place is not None:
                step = self.steps[place[0]][place[1]][0]
                if target is None:
                    self.steps[place[0]][place[1]] = (_changed(step, given), loc)
                    continue
                del self.steps[place[0]][place[1]]
                target = self._target(loc, given) or target
            self.steps[target[0]].insert(target[1], (_changed(step, given), loc))  # type: ignore[index]

    def _keys(self) -> list[str]:
        return [step["key"] for steps in self.steps.values() for step, _ in steps]

    def _find(self, key: object) -> tuple[str, int] | None:
        for phase, steps in self.steps.items():
            for at, (step, _) in enumerate(steps):
                if step["key"] == key:
                    return phase, at
        return None

    def _target(self, loc: Loc, given: Mapping[str, Any]) -> tuple[str, int] | None:
        """Where ``phase`` and ``after`` put a step; None when they say nothing, or nothing that is there."""
        phase, after = given.get("phase"), given.get("after")
        if after is not None:
            place = self._find(after)
            if place is None or after == given.get("key"):
                self._fault((*loc, "after"), after, f"there is no such step; {guess(after, self._keys())}")
                return None
            if phase is not None and phase != place[0]:
                self._fault(
                    (*loc, "after"), after, f"this step is in the phase {place[0]!r}; drop `phase` or change it"
                )
                return None
            return place[0], place[1] + 1
        if phase is None:
            return None
        if phase not in self.steps:
            self._fault((*loc, "phase"), phase, f"there is no such phase; {guess(phase, self.steps)}")
            return None
        return phase, len(self.steps[phase])

    # --- what comes of it -----------------------------------------------------------------------------------------

    def _laid_out(self, data: dict[str, Any]) -> Document:
        whole = Document(self.own.file, data)
        top = ("remove",) if ("remove",) in self.own.lines else ("extends",)
        whole.lines[()] = self.own.lines[top]
        for name in ("playbook", "version", "quiet", "quiet_for", "languages", "title"):
            self._place(whole, (name,), (name,))
        data["phases"] = []
        for phase, origin in self.phases:
            steps = self.steps[phase["key"]]
            if not steps:
                continue
            loc: Loc = ("phases", len(data["phases"]))
            data["phases"].append({**phase, "steps": [step for step, _ in steps]})
            self._place(whole, loc, origin)
            for at, (_, place) in enumerate(steps):
                self._place(whole, (*loc, "steps", at), place)
        return whole

    def _place(self, whole: Document, loc: Loc, origin: Loc | None) -> None:
        """Give a place of the outcome, and all within it, the lines of where it was written."""
        for known, line in self.own.lines.items():
            if origin is not None and known[: len(origin)] == origin:
                whole.lines[(*loc, *known[len(origin) :])] = line


def _misplaced(given: Mapping[str, Any]) -> bool:
    """Whether the step says where it belongs, so that what is wrong with that is named already."""
    return any(given.get(name) is not None for name in _PLACE)


def _changed(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    changed = dict(base)
    for name, value in given.items():
        if name in _PLACE:
            continue
        if value is None:
            changed.pop(name, None)
        elif isinstance(value, dict) and isinstance(changed.get(name), dict):
            changed[name] = {**changed[name], **value}
        else:
            changed[name] = value
    return changed
