"""Rehearsal (P-70): what would have been done with the deals that ended in a past period; nothing is written.

The planner is the one that works live; the deals are read with their history, and played through as they were. The
connection cannot write (:mod:`connector.readonly`), and no case is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from adapters.errors import AurevoirError
from connector.bootstrap import Runtime
from connector.readonly import ReadOnly
from workflows.dates import at, zone
from workflows.guard import stages_of
from workflows.records import Deal, DealState, People
from workflows.rehearsal import Lack, LeftOut, PastDeal, Rehearsed, Stage, Workload, gone, rehearse, without_bodies
from workflows.rules import AccountRules, CaseKind
from workflows.said import Said

BATCH = 500
"""Deals read at a time: few enough to show progress, and enough for full batches at the CRM."""
LONGEST = timedelta(days=3660)
MOST_INVOLVED = 100
"""Who else took part is read for so many endings at most: it costs a call for each hundred activities, and a thousand
deals may have fifty thousand."""


class NoRehearsalError(AurevoirError):
    """The period asked for cannot be rehearsed: wrong use."""


@dataclass(frozen=True)
class Progress:
    """How far a rehearsal is. ``step`` is finding, reading or planning; ``total`` is None while it is not known."""

    step: str
    done: int
    total: int | None = None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Rehearsal:
    """A rehearsal's outcome. ``since`` and ``until`` are days where the account is, both included.

    ``deals`` are in the order in which they ended; those that are gone come last. ``urls`` leads to the deals in the
    CRM. ``untold`` names fields of a deal of whose past the CRM tells nothing: for these the present value was taken.
    ``knows_involved``: who else took part in the deals was read, or did not matter; otherwise owners alone tell who is
    neutral.
    """

    account: str
    crm: str
    since: date
    until: date
    made_at: datetime
    time_zone: str
    language: str
    deals: tuple[Rehearsed, ...]
    urls: Mapping[str, str]
    untold: frozenset[str] = frozenset()
    knows_involved: bool = True

    @cached_property
    def would_open(self) -> tuple[Rehearsed, ...]:
        """Endings whose plan would have started."""
        return tuple(one for one in self.deals if one.opens)

    @cached_property
    def left_out(self) -> Mapping[LeftOut, tuple[Rehearsed, ...]]:
        """The others, by why not."""
        found: dict[LeftOut, list[Rehearsed]] = {}
        for one in self.deals:
            if one.left_out is not None:
                found.setdefault(one.left_out, []).append(one)
        return {kind: tuple(found[kind]) for kind in LeftOut if kind in found}

    @cached_property
    def lacking(self) -> Mapping[Lack, tuple[Rehearsed, ...]]:
        """Endings whose plan would have started with something missing, by what is missing."""
        found = {lack: tuple(one for one in self.would_open if one.missing(lack)) for lack in Lack}
        return {lack: ones for lack, ones in found.items() if ones}

    @cached_property
    def tasks(self) -> int:
        """How many tasks all plans together have."""
        return sum(len(one.tasks) for one in self.would_open)

    @cached_property
    def tasks_by_owner(self) -> Mapping[str, int]:
        """How many tasks each person would have got, most first; those that nobody could own go by an empty name."""
        counts = Counter(step.owner_name for one in self.would_open for step in one.tasks)
        return dict(counts.most_common())

    def as_json(self) -> dict[str, Any]:
        """For scripts and files."""
        return {
            "account": self.account,
            "crm": self.crm,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "made_at": self.made_at.isoformat(),
            "time_zone": self.time_zone,
            "summary": {
                "endings": len(self.deals),
                "would_open": len(self.would_open),
                "left_out": {kind.value: len(ones) for kind, ones in self.left_out.items()},
                "lacking": {lack.value: len(ones) for lack, ones in self.lacking.items()},
                "tasks": self.tasks,
                "tasks_by_owner": dict(self.tasks_by_owner),
                "untold": sorted(self.untold),
                "knows_involved": self.knows_involved,
            },
            "deals": [
                one.model_dump(mode="json", exclude={"steps": {"__all__": {"body", "link"}}})
                | {"opens": one.opens, "url": self.urls.get(one.deal_id)}
                for one in self.deals
            ],
        }


def rehearse_account(
    runtime: Runtime,
    name: str,
    since: date,
    until: date | None = None,
    on_progress: OnProgress | None = None,
) -> Rehearsal:
    """Rehearse one account over the days from ``since`` to ``until`` (today by default), both included.

    The account need not be switched on. Raises :class:`NoRehearsalError` for a period that makes no sense,
    :class:`~adapters.errors.ConfigError` for names that the CRM does not have, and AdapterError when it cannot be
    asked. May take a minute for a thousand deals, since the CRM's limits are kept.
    """
    account = runtime.accounts[name]
    now = runtime.clock.now()
    tz = zone(account.config.time_zone)
    last = until or now.astimezone(tz).date()
    _check(since, last, now.astimezone(tz).date())
    began = at(since, time(0), tz)
    ended = min(at(last + timedelta(days=1), time(0), tz), now)
    tell = on_progress or (lambda _: None)
    with account.reading() as crm:
        rules = account.rules()
        found = _Reading(crm, rules, began, ended, tell).run()
        playbooks = {key: without_bodies(playbook) for key, playbook in runtime.library.playbooks.items()}
        stage = Stage(rules, playbooks, runtime.library.questionnaires, account.users(), now)
        deals = (*_play(stage, found.deals, began, ended, tell), *map(gone, found.gone))
        urls = {one.deal_id: url for one in deals if (url := crm.deal_url(one.deal_id)) is not None}
    return Rehearsal(
        account=name,
        crm=account.adapter.label,
        since=since,
        until=last,
        made_at=now,
        time_zone=account.config.time_zone,
        language=account.config.language,
        deals=deals,
        urls=urls,
        untold=found.untold,
        knows_involved=found.knows_involved,
    )


def _check(since: date, until: date, today: date) -> None:
    if since > today:
        raise NoRehearsalError(
            Said("--since %(since)s lies in the future: a rehearsal plays what has happened", since=since)
        )
    if until < since:
        raise NoRehearsalError(Said("--until %(until)s lies before --since %(since)s", until=until, since=since))
    if today - since > LONGEST:
        raise NoRehearsalError(Said("--since %(since)s lies more than ten years back: choose a later day", since=since))


@dataclass
class _Reading:
    """Reads all deals that ended in the period, with their people and past."""

    crm: ReadOnly
    rules: AccountRules
    since: datetime
    until: datetime
    tell: OnProgress
    deals: list[PastDeal] = field(default_factory=list)
    gone: list[Deal] = field(default_factory=list)
    untold: frozenset[str] = frozenset()
    knows_involved: bool = True

    def run(self) -> _Reading:
        """Find, then read batch by batch."""
        ids = self._find()
        untold: set[str] | None = None
        for start in range(0, len(ids), BATCH):
            self.tell(Progress("reading", start, len(ids)))
            of_batch = self._trace(ids[start : start + BATCH])
            untold = of_batch if untold is None else untold & of_batch
        self.tell(Progress("reading", len(ids), len(ids)))
        self.untold = frozenset(untold or ())
        if self.rules.people.neutral_pool and self.deals:
            self._read_involved()
        return self

    def _read_involved(self) -> None:
        """For the choice of someone neutral (P-10), as the connector would look at it."""
        self.knows_involved = len(self.deals) <= MOST_INVOLVED
        if self.knows_involved:
            involved = self.crm.involved([each.deal for each in self.deals])
            self.deals = [replace(each, involved=involved.get(each.deal.id, ())) for each in self.deals]

    def _find(self) -> list[str]:
        stages = sorted(frozenset().union(*(stages_of(rule, CaseKind.OFFBOARDING) for rule in self.rules.watch)))
        ids: dict[str, None] = {}
        cursor: str | None = None
        while True:
            self.tell(Progress("finding", len(ids)))
            page = self.crm.ended_between(stages, self.since, self.until, cursor)
            ids.update(dict.fromkeys(page.ids))
            cursor = page.cursor
            if not page.more:
                return list(ids)

    def _trace(self, ids: list[str]) -> set[str]:
        """One batch; people are read only of deals that did end in the period. Fields whose past nothing tells."""
        traced = self.crm.trace(ids)
        self.gone += [each.deal for each in traced.values() if each.deal.state is not DealState.LIVE]
        ended = [
            each
            for each in traced.values()
            if each.deal.state is DealState.LIVE
            and PastDeal(each.deal, People(), each.past).endings(self.rules, self.since, self.until)
        ]
        unknown = [each.deal for each in ended if each.people is None]
        people = self.crm.people(unknown) if unknown else {}
        for each in ended:
            known = each.people if each.people is not None else people.get(each.deal.id, People())
            self.deals.append(PastDeal(each.deal, known, each.past))
        return set().union(*(each.untold for each in ended))


def _play(
    stage: Stage, deals: Iterable[PastDeal], since: datetime, until: datetime, tell: OnProgress
) -> Iterator[Rehearsed]:
    """Play the endings in the order of time: who is least loaded hangs on the plans before."""
    endings = sorted(
        ((moment, deal) for deal in deals for moment in deal.endings(stage.rules, since, until)),
        key=lambda one: (one[0], one[1].deal.id),
    )
    workload = Workload()
    for number, (moment, deal) in enumerate(endings):
        if number % 20 == 0:
            tell(Progress("planning", number, len(endings)))
        rehearsed = rehearse(stage, deal, moment, workload.at(moment))
        workload.add(rehearsed.tasks)
        yield rehearsed
    tell(Progress("planning", len(endings), len(endings)))
