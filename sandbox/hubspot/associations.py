"""Which records belong together, in both directions, with types and labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sandbox.hubspot.definitions import ASSOCIATION_TYPES, PRIMARY, AssociationType, ObjectType
from sandbox.hubspot.errors import invalid

Key = tuple[str, str]
"""Object type id and record id."""


@dataclass
class Link:
    """One direction between two records: its types by type id, and since when."""

    types: dict[int, AssociationType] = field(default_factory=dict)
    since: dict[int, datetime] = field(default_factory=dict)


class Associations:
    """All links of a portal and the types that it knows. Custom labels get ids of this portal alone."""

    def __init__(self) -> None:
        self.types: list[AssociationType] = list(ASSOCIATION_TYPES)
        self._links: dict[tuple[Key, str], dict[str, Link]] = defaultdict(dict)
        self._next_label = 27

    def between(self, start: ObjectType, end: ObjectType) -> list[AssociationType]:
        """All types from one kind to another, the unlabelled one last. Raises ApiError 400 for a pair without any."""
        found = [each for each in self.types if (each.start, each.end) == (start.id, end.id)]
        if not found:
            raise invalid(f"No association types exist between {start.name} and {end.name}")
        return sorted(found, key=lambda each: (each.label is None, each.id))

    def default(self, start: ObjectType, end: ObjectType) -> AssociationType:
        """The unlabelled type of a pair."""
        return next(each for each in self.between(start, end) if each.label is None)

    def type(self, start: ObjectType, end: ObjectType, category: object, type_id: object) -> AssociationType:
        """The type by what an input names. Raises ApiError 400 for a wrong id, category or direction."""
        for each in self.types:
            if (each.start, each.end, each.category, each.id) == (start.id, end.id, category, type_id):
                return each
        raise invalid(
            f"Association type {category} {type_id} is not valid from {start.name} to {end.name}",
            subCategory="crm.associations.INVALID_ASSOCIATION_TYPE",
        )

    def add_label(
        self, start: ObjectType, end: ObjectType, label: str, inverse: str | None = None, name: str | None = None
    ) -> tuple[AssociationType, AssociationType]:
        """Define a custom label; at most 10 for a pair."""
        own = [each for each in self.types if each.category == "USER_DEFINED" and each.start == start.id]
        own = [each for each in own if each.end == end.id]
        if len(own) >= 10:
            raise invalid("You have reached the limit of 10 custom labels between these objects")
        if any(each.label == label for each in own):
            raise invalid(f"An association label {label} already exists")
        there, back = self._next_label, self._next_label + 1
        self._next_label += 2
        name = name or label.lower().replace(" ", "_")
        one = AssociationType(there, back, start.id, end.id, name, label, "USER_DEFINED")
        two = AssociationType(back, there, end.id, start.id, name, inverse or label, "USER_DEFINED")
        self.types += [one, two]
        return one, two

    def link(self, start: Key, end: Key, kind: AssociationType, now: datetime) -> None:
        """Join two records by one type, both ways. A labelled link is an unlabelled one too; one primary at most."""
        inverse = self._inverse(kind)
        if kind.label in PRIMARY and kind.category == "HUBSPOT_DEFINED":
            self._unseat(start, end[0], kind.id) if kind.end == "0-2" else self._unseat(end, start[0], inverse.id)
        for here, there, each in ((start, end, kind), (end, start, inverse)):
            link = self._links[here, there[0]].setdefault(there[1], Link())
            plain = next(x for x in self.types if (x.start, x.end, x.label) == (here[0], there[0], None))
            for one in (plain, each):
                link.types.setdefault(one.id, one)
                link.since.setdefault(one.id, now)

    def unlink(self, start: Key, end: Key) -> None:
        """Part two records."""
        self._links[start, end[0]].pop(end[1], None)
        self._links[end, start[0]].pop(start[1], None)

    def unlabel(self, start: Key, end: Key, kind: AssociationType) -> None:
        """Take one label away; the link stays."""
        for here, there, type_id in ((start, end, kind.id), (end, start, kind.inverse)):
            link = self._links[here, there[0]].get(there[1])
            if link is not None:
                link.types.pop(type_id, None)
                link.since.pop(type_id, None)

    def of(self, start: Key, end: str, seen: datetime | None = None) -> Iterator[tuple[str, list[AssociationType]]]:
        """Record ids joined to ``start`` with their types, oldest first; only those made by ``seen``, when given."""
        for record_id, link in self._links.get((start, end), {}).items():
            types = [each for each in link.types.values() if seen is None or link.since[each.id] <= seen]
            if types:
                yield record_id, sorted(types, key=lambda each: (each.label is None, each.id))

    def move(self, old: Key, new: Key, now: datetime) -> None:
        """Give all links of one record to another (merge)."""
        for start, end in [pair for pair in self._links if pair[0] == old]:
            for record_id, link in list(self._links[start, end].items()):
                for kind in link.types.values():
                    if kind.label not in PRIMARY:
                        self.link(new, (end, record_id), kind, now)
                self.unlink(old, (end, record_id))

    def drop(self, gone: Key) -> None:
        """Part a record from all others."""
        for start, end in [pair for pair in self._links if pair[0] == gone]:
            for record_id in list(self._links[start, end]):
                self.unlink(gone, (end, record_id))

    def _inverse(self, kind: AssociationType) -> AssociationType:
        return next(
            each
            for each in self.types
            if (each.id, each.start, each.end, each.category) == (kind.inverse, kind.end, kind.start, kind.category)
        )

    def _unseat(self, start: Key, end: str, type_id: int) -> None:
        for record_id, link in self._links.get((start, end), {}).items():
            if type_id in link.types:
                self.unlabel(start, (end, record_id), link.types[type_id])
