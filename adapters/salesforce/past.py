"""Which opportunities ended in a period, and what they were then: for a rehearsal (P-70).

An org writes down by itself each change of stage, amount and close date (OpportunityHistory). Owners and custom fields
have a past only where an admin switched their tracking on (OpportunityFieldHistory).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from adapters.results import Page
from adapters.salesforce.client import Client
from adapters.salesforce.mapping import Row, as_text, is_id, parse_date, parse_datetime, to18
from adapters.salesforce.soql import is_above, is_in, moment, select
from adapters.services import FieldMap
from workflows.records import PastField, PastValue

PAGE_SIZE = 2000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
HISTORY_FIELDS = ("StageName", "Amount", "CloseDate", "CreatedDate")
"""What a trace reads of OpportunityHistory; a look only needs the stage."""


def ended_between(
    client: Client, stage_ids: Sequence[str], since: datetime, until: datetime, cursor: str | None
) -> Page:
    """One page, one call: opportunities that the history shows in these stages in that time, by id.

    A row of the history stands for a change of amount or close date as well, so some had entered before. A deal whose
    rows are cut in two by a page's end is told by its first.
    """
    if not stage_ids:
        return Page((), cursor or "")
    where = (
        f"{is_in('StageName', list(stage_ids))} AND CreatedDate >= {moment(since)} AND CreatedDate < {moment(until)}"
    )
    where += f" AND {is_above('OpportunityId', cursor)}" if cursor else ""
    soql = select(["OpportunityId"], "OpportunityHistory", where, "OpportunityId", PAGE_SIZE)
    result = client.page("read past deals", soql)
    ids = tuple(dict.fromkeys(row["OpportunityId"] for row in result.rows))
    more = result.more is not None or len(result.rows) == PAGE_SIZE
    return Page(ids, ids[-1] if ids else cursor or "", more)


def tracked_names(fields: FieldMap) -> dict[PastField, tuple[str, ...]]:
    """What OpportunityFieldHistory calls the fields whose past a rehearsal wants."""
    names: dict[PastField, tuple[str, ...]] = {"name": ("Name",), "owner_id": ("Owner", "OwnerId")}
    names["pipeline_id"] = ("RecordType", "RecordTypeId")
    if fields.contract_end:
        names["contract_end"] = (fields.contract_end,)
    if fields.exit_reason:
        names["exit_reason"] = (fields.exit_reason,)
    return names


def past_of(row: Row, fields: FieldMap) -> tuple[PastValue, ...]:
    """All former values of one opportunity, newest first."""
    steps = sorted(row.get("OpportunityHistories") or [], key=lambda each: str(each["CreatedDate"]))
    found = [*_steps(steps, fields)]
    for ours, names in tracked_names(fields).items():
        found += _changes(ours, [each for each in row.get("Histories") or [] if each.get("Field") in names])
    return tuple(sorted(found, key=lambda value: value.at, reverse=True))


def _steps(rows: Sequence[Row], fields: FieldMap) -> Iterator[PastValue]:
    for row in rows:
        at = parse_datetime(row["CreatedDate"])
        amount, close = row.get("Amount"), parse_date(row.get("CloseDate"))
        yield PastValue(field="amount", value=None if amount is None else Decimal(str(amount)), at=at)
        yield PastValue(field="close_date", value=close, at=at)
        if not fields.contract_end:
            yield PastValue(field="contract_end", value=close, at=at)


def _changes(ours: PastField, rows: Iterable[Row]) -> Iterator[PastValue]:
    """What a tracked field was: before its first change the old value, then each new one.

    Changes of look-ups come twice, once with names and once with ids; only ids are of use.
    """
    ordered = sorted(rows, key=lambda each: str(each["CreatedDate"]))
    if ours in ("owner_id", "pipeline_id"):
        ordered = [row for row in ordered if _is_id(row.get("NewValue")) or _is_id(row.get("OldValue"))]
    for number, row in enumerate(ordered):
        if number == 0:
            yield PastValue(field=ours, value=_read(ours, row.get("OldValue")), at=BEGINNING)
        yield PastValue(field=ours, value=_read(ours, row.get("NewValue")), at=parse_datetime(row["CreatedDate"]))


def untold(rows: Iterable[Row], fields: FieldMap) -> frozenset[str]:
    """Fields of which none of these opportunities has a past: most likely the org does not track them."""
    seen = {change.get("Field") for row in rows for change in row.get("Histories") or []}
    asked = ("owner_id", "contract_end", "exit_reason")
    return frozenset(
        ours for ours, names in tracked_names(fields).items() if ours in asked and not seen.intersection(names)
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and is_id(value)


def _read(ours: PastField, value: Any) -> str | date | None:
    if ours == "contract_end":
        return parse_date(value)
    return to18(value) if _is_id(value) and ours in ("owner_id", "pipeline_id") else as_text(value)
