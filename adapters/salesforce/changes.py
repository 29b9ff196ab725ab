"""What changed, by SystemModstamp: sweeps that overlap, page by (stamp, id), and tell each change once."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.errors import Rejected
from adapters.results import Page
from adapters.salesforce.client import Client
from adapters.salesforce.mapping import START_NOW_FIELD, Row, parse_datetime
from adapters.salesforce.soql import is_above, is_in, moment, select
from workflows.said import Said

OVERLAP = timedelta(minutes=10)
"""A change can become visible after one that is stamped later, since stamps are set before the commit."""
PAGE_SIZE = 2000
REMEMBERED = 2000
ORDER = "SystemModstamp, Id"


@dataclass(frozen=True)
class Cursor:
    """Where a sweep over changes stands, as JSON text.

    A sweep takes what changed from ``since`` on; within it, ``after`` is stamp and id of the last row read. ``seen``
    holds the states of rows already told, by id, so that the next sweep's overlap does not tell them again.
    """

    since: datetime
    after: tuple[str, str] | None = None
    seen: Mapping[str, str] = field(default_factory=dict)

    def dump(self) -> str:
        """As opaque text."""
        return json.dumps({"since": self.since.isoformat(), "after": self.after, "seen": dict(self.seen)})

    @classmethod
    def load(cls, text: str) -> Cursor:
        """From opaque text. Raises ValueError."""
        try:
            raw = json.loads(text)
            after = tuple(raw["after"]) if raw["after"] else None
            return cls(datetime.fromisoformat(raw["since"]), after, dict(raw["seen"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a cursor") from error

    def condition(self) -> str:
        """What is still to be read. Rows of one stamp are told apart by id: a bulk load stamps many alike."""
        if self.after is None:
            return f"SystemModstamp >= {moment(self.since)}"
        stamp = moment(parse_datetime(self.after[0]))
        return f"(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND {is_above('Id', self.after[1])}))"

    def advance(self, rows: Sequence[Row], now: datetime, *, more: bool) -> Cursor:
        """The cursor after a page. At the end of a sweep the next one begins an overlap before the server's ``now``."""
        overlap = now - OVERLAP
        told = {**self.seen, **{row["Id"]: state_of(row) for row in rows}}
        again = {record: state for record, state in told.items() if parse_datetime(_stamp(state)) >= overlap}
        # More than that in ten minutes is a mass change: to tell some twice is cheaper than a cursor of megabytes.
        seen = again if len(again) <= REMEMBERED else {}
        if more:
            return Cursor(self.since, (rows[-1]["SystemModstamp"], rows[-1]["Id"]), seen)
        return Cursor(max(self.since, overlap), None, seen)


def state_of(row: Row) -> str:
    """Stamp and digest of a row. A stamp has no fractions, so a record may change within its second and keep it."""
    rest = json.dumps({name: row[name] for name in sorted(row) if name != "attributes"}, default=str)
    return f"{row['SystemModstamp']} {zlib.crc32(rest.encode()):08x}"


def _stamp(state: str) -> str:
    return state.partition(" ")[0]


def start_cursor(client: Client) -> str:
    """A cursor at the server's present moment, which its Date header tells."""
    result = client.page("read the server's clock", select(["Id"], "Opportunity", limit=1))
    return Cursor(result.at).dump()


def changed_deals(client: Client, cursor: str, mapped: Sequence[str]) -> Page:
    """Opportunities changed since the cursor, deleted ones among them, with their stages.

    ``mapped`` are further fields to read; with the one by which somebody asks for an offboarding, ``ticked`` is told.
    """
    fields = ["StageName", "OwnerId", "AccountId", "CloseDate", "IsDeleted", *mapped]
    return _changes(client, "read changed deals", fields, "Opportunity", cursor)


def changed_tasks(client: Client, cursor: str, key_field: str) -> Page:
    """Tasks with our key changed since the cursor, deleted ones among them."""
    fields = ["IsClosed", "OwnerId", "ActivityDate", "IsDeleted"]
    return _changes(client, "read changed tasks", fields, "Task", cursor, f"{key_field} != null AND ")


def _changes(client: Client, operation: str, fields: list[str], source: str, text: str, only: str = "") -> Page:
    try:
        cursor = Cursor.load(text)
    except ValueError as error:
        raise Rejected(Said("not a cursor of ours"), account=client.account, operation=operation) from error
    where = only + cursor.condition()
    soql = select(["Id", "SystemModstamp", *fields], source, where, ORDER, PAGE_SIZE)
    result = client.page(operation, soql, deleted=True)
    news = [row for row in result.rows if cursor.seen.get(row["Id"]) != state_of(row)]
    more = result.more is not None or len(result.rows) == PAGE_SIZE
    return Page(
        ids=tuple(row["Id"] for row in news),
        cursor=cursor.advance(result.rows, result.at, more=more).dump(),
        more=more,
        stages={row["Id"]: row["StageName"] for row in news if row.get("StageName")},
        companies={row["Id"]: row["AccountId"] for row in news if row.get("AccountId")},
        ticked=frozenset(row["Id"] for row in news if row.get(START_NOW_FIELD)),
    )


def deals_in_stages(client: Client, stage_ids: Sequence[str], cursor: str | None) -> Page:
    """Opportunities in these stages, by id; the cursor is the last id."""
    if not stage_ids:
        return Page((), cursor or "")
    where = is_in("StageName", stage_ids) + (f" AND {is_above('Id', cursor)}" if cursor else "")
    result = client.page("read deals in stages", select(["Id", "StageName"], "Opportunity", where, "Id", PAGE_SIZE))
    ids = tuple(row["Id"] for row in result.rows)
    more = result.more is not None or len(ids) == PAGE_SIZE
    return Page(ids, ids[-1] if ids else cursor or "", more, {row["Id"]: row["StageName"] for row in result.rows})
