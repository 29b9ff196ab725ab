"""Who of ours took part in a deal besides its owners: tasks, calls and meetings on it, and its collaborators (P-10).

Asked only when a neutral person is to be chosen: one call for a deal on which nobody else did anything, and one more
for each kind of activity that there is; for many deals at once four, and one for each hundred activities of a kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.errors import NotFound, Rejected, ScopeMissing, Unsupported
from adapters.hubspot.client import Op
from adapters.hubspot.mapping import properties_of
from adapters.hubspot.reads import BATCH, BATCH_READ, GET_DEAL, Reader, chunks
from adapters.hubspot.values import own, parse_moment
from workflows.records import Deal, Involvement, Part, RecordKind

ACTIVITIES: Mapping[Part, tuple[str, Op]] = {
    Part.TASK: ("tasks", BATCH_READ[RecordKind.TASK]),
    Part.CALL: ("calls", Op("crm.objects.calls.batch_api", "read", read=True)),
    Part.MEETING: ("meetings", Op("crm.objects.meetings.batch_api", "read", read=True)),
}
COLLABORATORS = "hs_all_collaborator_owner_ids"
"""Owner ids with semicolons between; a portal without the property answers nothing for it."""
NEWEST = 100
"""So many activities of a kind are looked at on a deal, the newest: ids grow."""
_NOT_TO_BE_HAD = (NotFound, Rejected, ScopeMissing, Unsupported)
"""What a portal or a token may lack. Choosing someone goes on with what is known."""


def involved(reader: Reader, deals: Sequence[Deal]) -> dict[str, tuple[Involvement, ...]]:
    """See :meth:`adapters.port.Crm.involved`."""
    ids = list(dict.fromkeys(deal.id for deal in deals))
    if not ids:
        return {}
    teams, activities = _one(reader, ids[0]) if len(ids) == 1 else _many(reader, ids)
    found: dict[str, list[Involvement]] = {
        deal_id: [Involvement(user_id=user_id, part=Part.DEAL_TEAM) for user_id in teams.get(deal_id, ())]
        for deal_id in ids
    }
    for part, by_deal in activities.items():
        records = _read(reader, part, [each for ids_of in by_deal.values() for each in ids_of])
        for deal_id, ids_of in by_deal.items():
            found[deal_id] += _people_of(part, [records[each] for each in ids_of if each in records])
    return {deal_id: tuple(each) for deal_id, each in found.items()}


Found = tuple[Mapping[str, Sequence[str]], Mapping[Part, Mapping[str, Sequence[str]]]]
"""Collaborators by deal, and ids of activities by kind and deal."""


def _one(reader: Reader, deal_id: str) -> Found:
    names = [name for name, _ in ACTIVITIES.values()]
    try:
        record = reader.client.call(GET_DEAL, deal_id, properties=[COLLABORATORS], associations=names).body
    except _NOT_TO_BE_HAD:
        return {}, {}
    ids = {
        part: {deal_id: _newest(target.id for target in reader.inline(record, name))}
        for part, (name, _) in ACTIVITIES.items()
    }
    return {deal_id: _collaborators(record)}, ids


def _many(reader: Reader, deal_ids: Sequence[str]) -> Found:
    ids: dict[Part, Mapping[str, Sequence[str]]] = {}
    for part, (name, _) in ACTIVITIES.items():
        try:
            linked = reader.associations("deals", name, deal_ids)
        except _NOT_TO_BE_HAD:
            continue
        ids[part] = {deal_id: _newest(target.id for target in linked[deal_id]) for deal_id in deal_ids}
    records: dict[str, Mapping[str, Any]] = {}
    for chunk in chunks(deal_ids, BATCH):
        records |= reader.batch_read(RecordKind.DEAL, chunk, [COLLABORATORS])
    return {deal_id: _collaborators(record) for deal_id, record in records.items()}, ids


def _collaborators(record: Mapping[str, Any]) -> list[str]:
    named = properties_of(record).get(COLLABORATORS, "").split(";")
    return list(dict.fromkeys(one.strip() for one in named if one.strip()))


def _newest(ids: Iterable[str]) -> list[str]:
    return sorted(ids, key=lambda one: (len(one), one), reverse=True)[:NEWEST]


def _read(reader: Reader, part: Part, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The activities with their owners; those of ours are left out."""
    _, op = ACTIVITIES[part]
    ours = [own("key"), "hs_task_body"] if part is Part.TASK else []
    records: dict[str, Mapping[str, Any]] = {}
    try:
        for chunk in chunks(list(dict.fromkeys(ids)), BATCH):
            records |= reader.batch_read_by(op, chunk, ["hubspot_owner_id", "hs_timestamp", *ours])
    except _NOT_TO_BE_HAD:
        return {}
    return {record_id: record for record_id, record in records.items() if not _is_ours(record)}


def _is_ours(record: Mapping[str, Any]) -> bool:
    values = properties_of(record)
    return bool(values.get(own("key"))) or "Ref. aurevoir-" in values.get("hs_task_body", "")


def _people_of(part: Part, records: Iterable[Mapping[str, Any]]) -> Iterator[Involvement]:
    last: dict[str, datetime | None] = {}
    for record in records:
        values = properties_of(record)
        owner, at = values.get("hubspot_owner_id"), parse_moment(values.get("hs_timestamp"))
        if owner:
            known = last.get(owner)
            last[owner] = max((each for each in (known, at) if each is not None), default=None)
    for user_id, at in last.items():
        yield Involvement(user_id=user_id, part=part, at=at)
