"""Sending many writes in few calls, and knowing afterwards what became of each.

HubSpot takes 100 inputs a call. With a trace id on each it answers in part (207): results and errors both carry them,
though not always. A batch refused as a whole did nothing, so it is halved until the bad input stands alone. A write is
never sent again after an unclear answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from adapters.errors import (
    AdapterError,
    CredentialsInvalid,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Retryable,
)
from adapters.hubspot.client import Answer, Client, Op
from adapters.hubspot.mapping import properties_of
from adapters.hubspot.problems import Problem, Refused, parse_problem
from adapters.hubspot.reads import BATCH, chunks
from adapters.hubspot.values import marker, own
from adapters.results import Outcome, Result
from workflows.said import Said

MOST_SPLITS = 24
REPAIRS = 3


@dataclass(frozen=True)
class Item:
    """One input of a batch call, with the keyed writes that it carries. ``left_out``: properties that HubSpot lacks."""

    keys: tuple[str, ...]
    input: Mapping[str, Any]
    left_out: tuple[str, ...] = ()
    note: str = ""

    @property
    def trace(self) -> str:
        """Its trace id."""
        return str(self.input["objectWriteTraceId"])


@dataclass(frozen=True)
class Ended:
    """What became of one input."""

    result: Result
    record_id: str | None = None
    reason: str = ""
    until: datetime | None = None
    correlation_id: str | None = None
    problem: Problem | None = None

    def outcome(self, key: str) -> Outcome:
        """The same, for one of the writes that the input carried."""
        return Outcome(key, self.result, self.record_id, self.reason, self.until, self.correlation_id)


def from_error(error: AdapterError) -> Ended:
    """What a failed call means for everything that was in it."""
    problem = error.problem if isinstance(error, Refused) else None
    if isinstance(error, NotFound):
        problem = Problem(category="OBJECT_NOT_FOUND")
    until = error.until if isinstance(error, RateLimited) else None
    if isinstance(error, OutcomeUnknown):
        result = Result.UNKNOWN
    elif isinstance(error, Retryable | CredentialsInvalid):
        # Refused credentials did nothing either; the account is paused by whoever reads next.
        result = Result.AGAIN
    else:
        result = Result.GONE if isinstance(error, NotFound) else Result.REFUSED
    return Ended(result, None, error.message, until, error.correlation_id, problem)


Repair = Callable[[Item, Problem], Item | None]


@dataclass
class Sender:
    """Sends items of one operation; made anew for each ``write``."""

    client: Client
    splits: int = MOST_SPLITS
    unclear: int = field(default=0)

    def send(self, op: Op, items: Sequence[Item], repair: Repair) -> list[tuple[Item, Ended]]:
        """Send all; items refused for something that ``repair`` can take out are sent again without it."""
        done: list[tuple[Item, Ended]] = []
        waiting = list(items)
        for turn in range(REPAIRS + 1):
            ended = [pair for chunk in chunks(waiting, BATCH) for pair in self._chunk(op, chunk, turn == REPAIRS)]
            waiting = []
            for item, end in ended:
                mended = repair(item, end.problem) if end.problem and turn < REPAIRS else None
                if mended is None:
                    done.append((item, end))
                else:
                    waiting.append(mended)
            if not waiting:
                break
        return done

    def _chunk(self, op: Op, items: Sequence[Item], last: bool) -> list[tuple[Item, Ended]]:
        if self.unclear >= 2:
            return _all(items, Ended(Result.AGAIN, reason=Said("HubSpot does not answer clearly now")))
        try:
            answer = self.client.call(op, {"inputs": [item.input for item in items]})
        except (Refused, NotFound) as error:
            end = from_error(error)
            if len(items) == 1 or (end.problem is not None and end.problem.unknown_property and not last):
                return _all(items, end)
            return self._halves(op, items, last)
        except AdapterError as error:
            self.unclear += isinstance(error, OutcomeUnknown)
            return _all(items, from_error(error))
        self.unclear = 0
        return attribute(answer, items)

    def _halves(self, op: Op, items: Sequence[Item], last: bool) -> list[tuple[Item, Ended]]:
        if self.splits <= 0:
            return _all(
                items, Ended(Result.AGAIN, reason=Said("too much of this batch was refused; the rest comes later"))
            )
        self.splits -= 1
        middle = len(items) // 2
        return [*self._chunk(op, items[:middle], last), *self._chunk(op, items[middle:], last)]


def _all(items: Sequence[Item], end: Ended) -> list[tuple[Item, Ended]]:
    return [(item, end) for item in items]


def attribute(answer: Answer, items: Sequence[Item]) -> list[tuple[Item, Ended]]:
    """Which result and which error belongs to which item; an item that has neither is unclear."""
    ends: dict[str, Ended] = {}
    for record in answer.body.get("results") or []:
        item = _owner(record, items)
        if item is not None and record.get("id"):
            ends[item.trace] = Ended(Result.DONE, str(record["id"]))
    nameless = []
    for error in answer.body.get("errors") or []:
        end = _from_part(error, answer)
        named = [item for item in items if item.trace not in ends and _names(error, item)]
        ends |= {item.trace: end for item in named}
        if not named:
            nameless.append(end)
    rest = [item for item in items if item.trace not in ends]
    if len(rest) == 1 and len(nameless) == 1:
        ends[rest[0].trace] = nameless[0]
    unclear = Ended(Result.UNKNOWN, reason=Said("HubSpot's answer does not say what became of it"))
    return [(item, ends.get(item.trace, unclear)) for item in items]


def _owner(record: Mapping[str, Any], items: Sequence[Item]) -> Item | None:
    """The item that a result belongs to: by trace id, by record id, else by the key that it carries."""
    values = properties_of(record)
    body = values.get("hs_task_body", "") + values.get("hs_note_body", "")
    for item in items:
        if item.trace == record.get("objectWriteTraceId") or item.input.get("id") == str(record.get("id")):
            return item
    for item in items:
        if "id" not in item.input and (values.get(own("key")) in item.keys or marker(item.keys[0]) in body):
            return item
    return None


def _names(error: Mapping[str, Any], item: Item) -> bool:
    context = error.get("context")
    if not isinstance(context, Mapping):
        return False
    traces = _list(context.get("objectWriteTraceId"))
    if traces:
        return item.trace in traces
    named = {each for name in ("id", "ids", "objectId") for each in _list(context.get(name))}
    return "id" in item.input and str(item.input["id"]) in named


def _list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [] if value is None else [str(value)]


def _from_part(error: Mapping[str, Any], answer: Answer) -> Ended:
    """What one error of a batch answer means."""
    problem = parse_problem(error)
    correlation = problem.correlation_id or parse_problem(answer.body).correlation_id
    if problem.category in ("OBJECT_NOT_FOUND", "NOT_FOUND"):
        return Ended(Result.GONE, None, Said("HubSpot has no such record any more"), None, correlation, problem)
    if problem.category in ("RATE_LIMITS", "RATE_LIMIT"):
        return Ended(Result.AGAIN, None, Said("HubSpot asks to wait"), None, correlation)
    if problem.category in ("INTERNAL_ERROR", "SERVICE_UNAVAILABLE"):
        return Ended(Result.UNKNOWN, None, Said("HubSpot failed on this one"), None, correlation)
    return Ended(
        Result.REFUSED, None, Said("HubSpot refused it (%(why)s)", why=problem.sentence()), None, correlation, problem
    )


def without_properties(item: Item, problem: Problem) -> Item | None:
    """The item without the properties that HubSpot says do not exist; None when that leaves nothing to send."""
    if not problem.unknown_property:
        return None
    properties = item.input["properties"]
    missing = [name for name in problem.fields if name in properties]
    kept = {name: value for name, value in properties.items() if name not in missing}
    if not kept:
        return None
    if not missing:
        # Another item of the batch was meant; this one goes again as it is.
        return item
    return replace(item, input={**item.input, "properties": kept}, left_out=(*item.left_out, *missing))
