"""Who of ours took part in a deal besides its owners: tasks, calls and meetings on it, and the teams (P-10).

Asked only when a neutral person is to be chosen. Teams are a feature that an org may not have switched on: which of
them there are was found out with the org's other peculiarities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from adapters.errors import Rejected
from adapters.salesforce.client import Client
from adapters.salesforce.mapping import PREFIXES, Row, is_whole, parse_date, to18
from adapters.salesforce.shape import COMPANY_TEAM, DEAL_TEAM, Shape
from adapters.salesforce.soql import chunks, is_in, select
from workflows.records import Deal, Involvement, Part

NEWEST = 100
"""So many activities of a kind are looked at on a deal, the newest."""
_UTC = ZoneInfo("UTC")


def involved(client: Client, shape: Shape, deals: Sequence[Deal]) -> dict[str, tuple[Involvement, ...]]:
    """See :meth:`adapters.port.Crm.involved`."""
    asked = {deal.id: to18(deal.id) for deal in deals}
    known = list(dict.fromkeys(one for one in asked.values() if is_whole(one, PREFIXES["Opportunity"])))
    try:
        rows = _rows_of(client, known, _fields(shape))
    except Rejected:
        shape = shape.model_copy(update={"teams": ()})  # switched off or hidden since we looked
        rows = _rows_of(client, known, _fields(shape))
    teams = _company_teams(client, shape, deals)
    found = {}
    for deal in deals:
        row = rows.get(asked[deal.id], {})
        parts = [*_of_deal(row, shape), *((user, Part.COMPANY_TEAM, None) for user in teams.get(deal.company_id, ()))]
        found[deal.id] = tuple(_once(parts))
    return found


def _rows_of(client: Client, deal_ids: Sequence[str], fields: Sequence[str]) -> dict[str, Row]:
    return {
        row["Id"]: row
        for soql in chunks(lambda ids: select(fields, "Opportunity", is_in("Id", ids)), deal_ids)
        for row in client.query("read who took part", soql)
    }


def _fields(shape: Shape) -> list[str]:
    tasks = ["OwnerId", "ActivityDate", "Type", shape.key_field]
    order = "ActivityDate DESC NULLS LAST, Id DESC"
    parts = [
        "Id",
        f"({select(tasks, 'Tasks', order=order, limit=NEWEST)})",
        f"({select(['OwnerId', 'ActivityDate'], 'Events', order=order, limit=NEWEST)})",
    ]
    if DEAL_TEAM in shape.teams:
        parts.append(f"({select(['UserId'], DEAL_TEAM, order='CreatedDate, Id')})")
    return parts


Taken = tuple[str, Part, datetime | None]


def _of_deal(row: Row, shape: Shape) -> Iterator[Taken]:
    for task in _rows(row, "Tasks"):
        if ":" not in (task.get(shape.key_field) or ""):  # else it is one of ours
            yield task["OwnerId"], Part.CALL if task.get("Type") == "Call" else Part.TASK, _day(task)
    for event in _rows(row, "Events"):
        yield event["OwnerId"], Part.MEETING, _day(event)
    for member in _rows(row, DEAL_TEAM):
        yield member["UserId"], Part.DEAL_TEAM, None


def _company_teams(client: Client, shape: Shape, deals: Sequence[Deal]) -> dict[str | None, list[str]]:
    companies = [to18(deal.company_id) for deal in deals if deal.company_id and is_whole(deal.company_id)]
    if COMPANY_TEAM not in shape.teams:
        return {}
    members: dict[str | None, list[str]] = {}
    wanted = list(dict.fromkeys(companies))
    for soql in chunks(
        lambda ids: select(["AccountId", "UserId"], "AccountTeamMember", is_in("AccountId", ids)), wanted
    ):
        try:
            rows = client.query("read account teams", soql)
        except Rejected:
            return members  # switched off or hidden since we looked
        for row in rows:
            members.setdefault(row["AccountId"], []).append(row["UserId"])
    return members


def _rows(row: Row, name: str) -> Sequence[Row]:
    part: Any = row.get(name) or {}
    return list(part.get("records", ()))


def _day(activity: Row) -> datetime | None:
    day = parse_date(activity.get("ActivityDate"))
    return datetime.combine(day, time(12), _UTC) if day is not None else None


def _once(taken: Iterable[Taken]) -> Iterator[Involvement]:
    last: dict[tuple[str, Part], datetime | None] = {}
    for user_id, part, at in taken:
        known = last.get((user_id, part))
        last[user_id, part] = max((each for each in (known, at) if each is not None), default=None)
    for (user_id, part), at in last.items():
        if user_id.startswith("005"):
            yield Involvement(user_id=to18(user_id), part=part, at=at)
