"""Which deals ended in a period, and what they were then: for a rehearsal (P-70).

For each stage a portal has a property that tells when a deal last entered it. Its name ends in the stage's id, in a
form fit for a name, and for ids that do not fit also in a number; so the names are read rather than made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from adapters.errors import Permanent
from adapters.hubspot.changes import CHANGED, ID, PAGE, SEARCH_DEALS
from adapters.hubspot.client import Client
from adapters.hubspot.mapping import OBJECTS, amount_of, deal_from, deal_properties, history_of, properties_of
from adapters.hubspot.reads import BATCH_WITH_HISTORY, Reader, chunks, primary
from adapters.hubspot.schema import LIST
from adapters.hubspot.values import milliseconds, parse_date
from adapters.results import Page, Traced
from adapters.services import FieldMap
from workflows.records import PastField, PastValue, RecordKind
from workflows.said import Said

STAGES_A_SEARCH = 5
"""A search takes five groups of filters, and each stage needs one."""
KEPT_VALUES = 20
"""HubSpot keeps so many values of a deal's property; older ones are gone."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_ENTERED = "hs_v2_date_entered_"


def entry_properties(client: Client) -> list[str]:
    """The names of all properties that tell when a deal last entered a stage; one call."""
    body = client.call(LIST, OBJECTS[RecordKind.DEAL]).body
    names = (str(each.get("name", "")) for each in body.get("results") or [])
    return [name for name in names if name.startswith(_ENTERED)]


def entry_property(stage_id: str, known: Sequence[str]) -> str | None:
    """The one for this stage, or None when the portal has none."""
    fit = re.sub(r"[^a-z0-9]", "_", stage_id.lower())
    pattern = re.compile(rf"{_ENTERED}{fit}(_\d+)?")
    exact = f"{_ENTERED}{fit}"
    return exact if exact in known else next((name for name in known if pattern.fullmatch(name)), None)


def ended_between(
    client: Client, stage_ids: Sequence[str], since: datetime, text: str | None, known: Sequence[str]
) -> Page:
    """One page, one call, by id; a search stops at 10,000 results, so each page begins anew after the last id.

    Only the last entry can be searched for, so all deals count that entered after ``since``: an earlier entry, within
    the period asked for, shows in their history. Where a stage has no such property, its deals that changed since do.
    """
    part, last = (0, "0") if text is None else _place(text)
    stages = list(dict.fromkeys(stage_ids))
    chunk = stages[part * STAGES_A_SEARCH : (part + 1) * STAGES_A_SEARCH]
    if not chunk:
        return Page((), json.dumps([part, last]), more=False)
    groups = [{"filters": [*_entered(stage, since, known), _filter(ID, "GT", last)]} for stage in chunk]
    answer = client.call(
        SEARCH_DEALS,
        {
            "filterGroups": groups,
            "sorts": [{"propertyName": ID, "direction": "ASCENDING"}],
            "properties": ["dealstage"],
            "limit": PAGE,
            "after": "0",
        },
    )
    records = [record for record in answer.body.get("results") or [] if "id" in record]
    found = {str(record["id"]): properties_of(record).get("dealstage", "") for record in records}
    if len(records) >= PAGE:
        return Page(tuple(found), json.dumps([part, list(found)[-1]]), more=True, stages=found)
    more = (part + 1) * STAGES_A_SEARCH < len(stages)
    return Page(tuple(found), json.dumps([part + 1, "0"]), more=more, stages=found)


def _entered(stage: str, since: datetime, known: Sequence[str]) -> list[Mapping[str, str]]:
    name = entry_property(stage, known)
    if name is not None:
        return [_filter(name, "GTE", milliseconds(since))]
    return [_filter("dealstage", "EQ", stage), _filter(CHANGED, "GTE", milliseconds(since))]


def _filter(name: str, operator: str, value: str) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": value}


def _place(text: str) -> tuple[int, str]:
    try:
        part, last = json.loads(text)
        return int(part), str(last)
    except (TypeError, ValueError) as error:
        raise Permanent(Said("the place in the list of past deals cannot be read: start anew")) from error


# --- what they were -------------------------------------------------------------------------------------------------


def trace(reader: Reader, deal_ids: Sequence[str]) -> dict[str, Traced]:
    """Deals with their past: one call for fifty, and two more for all of them."""
    names = past_properties(reader.fields)
    properties = list(dict.fromkeys([*deal_properties(reader.fields), *names.values()]))
    wanted = list(dict.fromkeys(deal_ids))
    found: dict[str, Mapping[str, Any]] = {}
    for chunk in chunks(wanted, BATCH_WITH_HISTORY):
        found |= reader.batch_read(RecordKind.DEAL, chunk, properties, history=["dealstage", *names.values()])
    present = [deal_id for deal_id in wanted if deal_id in found]
    companies = reader.associations("deals", "companies", present)
    contacts = reader.associations("deals", "contacts", present)
    traced = {}
    for deal_id in wanted:
        if deal_id in found:
            ids = primary(companies[deal_id]), [target.id for target in contacts[deal_id]]
            deal = deal_from(found[deal_id], reader.fields, reader.zone, *ids)
            traced[deal_id] = Traced(deal, None, past_of(found[deal_id], reader.fields, reader.zone))
        else:
            traced[deal_id] = Traced(reader.observe([deal_id])[deal_id].deal)
    return traced


def past_properties(fields: FieldMap) -> dict[PastField, str]:
    """The properties whose past a rehearsal wants, by what we call them."""
    named: dict[PastField, str | None] = {
        "name": "dealname",
        "pipeline_id": "pipeline",
        "owner_id": "hubspot_owner_id",
        "amount": "amount",
        "close_date": "closedate",
        "contract_end": fields.contract_end or "closedate",
        "exit_reason": fields.exit_reason,
    }
    return {ours: name for ours, name in named.items() if name}


def past_of(record: Mapping[str, Any], fields: FieldMap, zone: ZoneInfo) -> tuple[PastValue, ...]:
    """All former values of one record, newest first."""
    found = [value for ours, name in past_properties(fields).items() for value in _values(record, ours, name, zone)]
    return tuple(sorted(found, key=lambda value: value.at, reverse=True))


def _values(record: Mapping[str, Any], ours: PastField, name: str, zone: ZoneInfo) -> Iterator[PastValue]:
    entries = history_of(record, name)
    for entry in entries:
        yield PastValue(field=ours, value=_read(ours, entry.value, zone), at=entry.at)
    if len((record.get("propertiesWithHistory") or {}).get(name) or []) >= KEPT_VALUES and entries:
        # What was before is gone, and the oldest value that is left is nearer to it than none.
        yield PastValue(field=ours, value=_read(ours, entries[-1].value, zone), at=BEGINNING)


def _read(ours: PastField, text: str, zone: ZoneInfo) -> str | Decimal | date | None:
    if ours in ("close_date", "contract_end"):
        return parse_date(text, zone)
    return amount_of(text) if ours == "amount" else text or None
