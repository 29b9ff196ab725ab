"""What changed since last time, by HubSpot's search, and which deals sit in a stage.

Search takes one sorting rule, gives 200 records a page, stops at 10,000, and shows a change only "after a few moments".
So a round of pages moves a floor of modification time forward instead of paging deep; each round begins an overlap
before the moment at which the round before it began, by HubSpot's clock. Should a whole page share one millisecond (an
import does that), the records of that millisecond are walked by id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from adapters.errors import Permanent
from adapters.hubspot.client import Answer, Client, Op
from adapters.hubspot.mapping import START_NOW, properties_of
from adapters.hubspot.values import parse_moment
from adapters.results import Page
from workflows.said import Said

SEARCH_DEALS = Op("crm.deals.search_api", "do_search", read=True, search=True)
SEARCH_TASKS = Op("crm.objects.tasks.search_api", "do_search", read=True, search=True)
PAGE = 200
STAGES_A_SEARCH = 50
MOST_REMEMBERED = 2_000
CHANGED = "hs_lastmodifieddate"
ID = "hs_object_id"
COMPANY = "hs_primary_associated_company"
"""The id of the deal's primary company. Where an account does not tell it, new deals of former customers are told of
only once they are looked at for another reason."""

Filter = Mapping[str, Any]


@dataclass(frozen=True)
class Cursor:
    """Where the reading stands; times in epoch milliseconds of HubSpot's clock.

    ``floor``: changes from here on. ``tie``: with it, only those of exactly ``floor``, with a greater id. ``began``:
    when the round under way began; None between rounds. ``start``: never read back beyond it. ``told``: id to
    modification time of what was told and may come again.
    """

    floor: int
    start: int
    tie: str | None = None
    began: int | None = None
    told: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def at(cls, moment: datetime) -> Cursor:
        """A cursor that stands at this moment."""
        now = _ms(moment)
        return cls(floor=now, start=now)

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """From stored text. Raises Permanent when it is none of ours."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise Permanent(Said("the stored place of the poll cannot be read: start a new one")) from error

    def text(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self), separators=(",", ":"))

    def filters(self) -> list[Filter]:
        """What the next page is searched by."""
        filters = [_filter(CHANGED, "GTE", str(self.floor))]
        if self.tie is not None:
            filters += [_filter(CHANGED, "LTE", str(self.floor)), _filter(ID, "GT", self.tie)]
        return filters

    def after(self, rows: Sequence[tuple[str, int]], now: int, overlap: int) -> tuple[Cursor, bool]:
        """The cursor after a page of (id, modification time) in order; and whether the round goes on."""
        began = now if self.began is None else self.began
        told = {**self.told, **dict(rows)}
        under_way = replace(self, began=began, told=dict(list(told.items())[-MOST_REMEMBERED:]))
        full = len(rows) >= PAGE
        if self.tie is not None:
            if full:
                return replace(under_way, tie=rows[-1][0]), True
            return replace(under_way, tie=None, floor=self.floor + 1), True
        if full:
            first, last = rows[0][1], rows[-1][1]
            return replace(under_way, floor=last, tie="0" if first == last else None), True
        floor = max(self.start, began - overlap)
        kept = {record: at for record, at in under_way.told.items() if at >= floor}
        return replace(under_way, floor=floor, began=None, told=kept), False


def changed(client: Client, op: Op, text: str, overlap_seconds: int, more: Sequence[Filter] = ()) -> Page:
    """One page of what changed; one call."""
    cursor = Cursor.parse(text)
    sort = ID if cursor.tie is not None else CHANGED
    answer = search(client, op, [*cursor.filters(), *more], sort, [CHANGED, "dealstage", COMPANY, START_NOW])
    rows, stages, companies, ticked = [], {}, {}, set()
    for record in _results(answer):
        record_id, values = str(record["id"]), properties_of(record)
        moment = parse_moment(values.get(CHANGED) or record.get("updatedAt"))
        rows.append((record_id, _ms(moment) if moment else cursor.floor))
        if "dealstage" in values:
            stages[record_id] = values["dealstage"]
        if values.get(COMPANY):
            companies[record_id] = values[COMPANY]
        if values.get(START_NOW) == "true":
            ticked.add(record_id)
    fresh = tuple(dict.fromkeys(record_id for record_id, at in rows if cursor.told.get(record_id) != at))
    then, goes_on = cursor.after(rows, _ms(answer.date), overlap_seconds * 1000)
    return Page(
        fresh,
        then.text(),
        goes_on,
        {record_id: stages[record_id] for record_id in fresh if record_id in stages},
        {record_id: companies[record_id] for record_id in fresh if record_id in companies},
        frozenset(ticked.intersection(fresh)),
    )


def in_stages(client: Client, stage_ids: Sequence[str], text: str | None) -> Page:
    """One page of the deals in these stages, by id; one call."""
    part, last = (0, "0") if text is None else _place(text)
    stages = list(dict.fromkeys(stage_ids))
    chunk = stages[part * STAGES_A_SEARCH : (part + 1) * STAGES_A_SEARCH]
    if not chunk:
        return Page((), json.dumps([part, last]), more=False)
    filters = [{"propertyName": "dealstage", "operator": "IN", "values": chunk}, _filter(ID, "GT", last)]
    answer = search(client, SEARCH_DEALS, filters, ID, ["dealstage"])
    records = _results(answer)
    found = {str(record["id"]): properties_of(record).get("dealstage", "") for record in records}
    if len(records) >= PAGE:
        return Page(tuple(found), json.dumps([part, list(found)[-1]]), more=True, stages=found)
    more = (part + 1) * STAGES_A_SEARCH < len(stages)
    return Page(tuple(found), json.dumps([part + 1, "0"]), more=more, stages=found)


def search(
    client: Client,
    op: Op,
    filters: Sequence[Filter],
    sort: str,
    properties: Sequence[str],
    direction: Literal["ASCENDING", "DESCENDING"] = "ASCENDING",
) -> Answer:
    """The first page of a search, oldest or smallest first unless told otherwise. All parts are always sent."""
    return client.call(
        op,
        {
            "filterGroups": [{"filters": list(filters)}],
            "sorts": [{"propertyName": sort, "direction": direction}],
            "properties": list(properties),
            "limit": PAGE,
            "after": "0",
        },
    )


def _filter(name: str, operator: str, value: str) -> Filter:
    return {"propertyName": name, "operator": operator, "value": value}


def _results(answer: Answer) -> list[Mapping[str, Any]]:
    return [record for record in answer.body.get("results") or [] if "id" in record]


def _place(text: str) -> tuple[int, str]:
    try:
        part, last = json.loads(text)
        return int(part), str(last)
    except (TypeError, ValueError) as error:
        raise Permanent(Said("the stored place of the comparison cannot be read: start a new one")) from error


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
