"""The figures of an account: reasons over time, scores from start to end, response, time to acknowledge, steps on time,
saves, returns, and how leaving itself was rated by playbook version (P-44, P-45, P-46).

How to use it: feed every case once, in any order, to :meth:`Gathering.add`, then read :meth:`Gathering.figures`. What
is counted for a period are the cases that were *opened* in it, with all that came of them, however late. First scores
are kept from all cases that are fed, since a relation begins long before it ends.

Small numbers (P-45): every :class:`Share` and :class:`Scores` carries its counts, and no percentage below
:data:`FEW`. Money is kept by currency and never added across currencies.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from statistics import median
from zoneinfo import ZoneInfo

from pydantic import computed_field

from workflows.cases import CaseStatus, StepStatus
from workflows.facts import AnswerFacts, CaseFacts, Who
from workflows.fields import REASON_OPTIONS
from workflows.questions import AnswerValue
from workflows.records import Model
from workflows.rules import CaseKind

FEW = 10
"""Below so many answers, counts are shown and no percentages (P-45)."""
ACKNOWLEDGE = frozenset({"acknowledge", "tell-them", "confirm"})
"""Steps of the playbooks that ship by which the customer is told that they were heard (P-20)."""
HARDEST = "hardest"
"""The question of the one-month check that names the part of leaving that was hardest (P-46)."""
NO_CURRENCY = ""
"""Stands for a missing currency: such amounts are added among themselves alone."""
UNKNOWN = "unknown"


# --- what comes out -------------------------------------------------------------------------------------------------


class Share(Model):
    """So many of so many. ``percent`` is None below :data:`FEW`."""

    count: int
    of: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def percent(self) -> int | None:
        """Rounded to a whole number."""
        return None if self.of < FEW else round(100 * self.count / self.of)


class Scores(Model):
    """Scores from 0 to 10. ``counts[n]`` is how often n was given."""

    counts: tuple[int, ...] = (0,) * 11

    @computed_field  # type: ignore[prop-decorator]
    @property
    def answers(self) -> int:
        """How many there are."""
        return sum(self.counts)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def promoters(self) -> int:
        """9 and 10."""
        return sum(self.counts[9:])

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passives(self) -> int:
        """7 and 8."""
        return sum(self.counts[7:9])

    @computed_field  # type: ignore[prop-decorator]
    @property
    def detractors(self) -> int:
        """0 to 6."""
        return sum(self.counts[:7])

    @computed_field  # type: ignore[prop-decorator]
    @property
    def nps(self) -> int | None:
        """Percentage of promoters less that of detractors, from -100 to 100; None below :data:`FEW`."""
        if self.answers < FEW:
            return None
        return round(100 * (self.promoters - self.detractors) / self.answers)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def average(self) -> float | None:
        """To one decimal; None below :data:`FEW`."""
        if self.answers < FEW:
            return None
        return round(sum(score * count for score, count in enumerate(self.counts)) / self.answers, 1)


class ReasonLine(Model):
    """A reason in a month, by who said so. ``worth``: amounts of those deals by currency, once a case."""

    month: date
    who: Who
    reason: str
    count: int
    worth: Mapping[str, Decimal] = {}


class StepLine(Model):
    """One step over all cases of one playbook. ``on_time``: done by the end of the day on which it was due."""

    playbook: str
    step: str
    done: int
    on_time: Share
    not_applicable: int
    left_out: int
    deleted: int


class LeavingLine(Model):
    """How leaving was rated about a month later, by playbook version (P-35, P-46). ``hardest``: most named first."""

    playbook: str
    version: str
    scores: Scores
    hardest: tuple[tuple[str, int], ...] = ()


class Pair(Model):
    """One person's score at the start and at the end (P-33)."""

    start: int
    end: int


class Figures(Model):
    """All figures of one account and period. Dates are days in the account's zone; ``until`` is not counted any more.

    ``agreed``: offboardings in which the rep and the customer named the same reason, of those in which both named one.
    ``responses`` and ``leaving_responses``: of the exit surveys, and of those on the leaving, that people were asked in
    writing. ``acknowledged_hours``: median from the plan's start to the acknowledgement; None below :data:`FEW`.
    ``saves``: negotiations that ended with a renewal, of those that ended. ``returns``: customers who came back.
    ``taken_back``: offboardings cancelled because the deal was renewed after all, of all offboardings.
    """

    since: date | None
    until: date | None
    offboardings: int = 0
    open: int = 0
    worth: Mapping[str, Decimal] = {}
    reasons: tuple[ReasonLine, ...] = ()
    agreed: Share = Share(count=0, of=0)
    avoidable: Mapping[str, int] = {}
    start: Scores = Scores()
    end: Scores = Scores()
    pairs: tuple[Pair, ...] = ()
    responses: Share = Share(count=0, of=0)
    leaving_responses: Share = Share(count=0, of=0)
    acknowledged: int = 0
    acknowledged_hours: float | None = None
    acknowledged_in_a_day: Share = Share(count=0, of=0)
    on_time: Share = Share(count=0, of=0)
    steps: tuple[StepLine, ...] = ()
    saves: Share = Share(count=0, of=0)
    taken_back: Share = Share(count=0, of=0)
    returns: int = 0
    leaving: tuple[LeavingLine, ...] = ()
    fits: Mapping[str, int] = {}

    @property
    def moved(self) -> tuple[int, int, int]:
        """Of the people with a first and a last score: how many went up, stayed, went down."""
        ups = sum(pair.end > pair.start for pair in self.pairs)
        downs = sum(pair.end < pair.start for pair in self.pairs)
        return ups, len(self.pairs) - ups - downs, downs


# --- from one to the other ------------------------------------------------------------------------------------------

_BY_WORDS = {
    text.casefold(): option.value for option in REASON_OPTIONS for text in (option.value, *option.text.values())
}


def category(reason: str | None) -> str:
    """The stable category of a reason (P-34), where its words are one of ours in any language; else the words."""
    words = " ".join((reason or "").split())
    return _BY_WORDS.get(words.casefold(), words[:80] or UNKNOWN)


@dataclass
class _StepCount:
    done: int = 0
    due: int = 0
    on_time: int = 0
    not_applicable: int = 0
    left_out: int = 0
    deleted: int = 0


class Gathering:
    """Counts case by case, and keeps no case."""

    def __init__(self, now: datetime, tz: ZoneInfo, since: date | None = None, until: date | None = None) -> None:
        self._now, self._tz, self._since, self._until = now, tz, since, until
        self._open = self._offboardings = self._returns = self._taken_back = 0
        self._worth: dict[str, Decimal] = defaultdict(Decimal)
        self._reasons: Counter[tuple[date, Who, str]] = Counter()
        self._worths: dict[tuple[date, Who, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self._agreed = [0, 0]
        self._avoidable: Counter[str] = Counter()
        self._fits: Counter[str] = Counter()
        self._starts: dict[str, tuple[datetime, int]] = {}
        self._start: Counter[int] = Counter()
        self._ends: dict[str, tuple[datetime, int]] = {}
        self._end: Counter[int] = Counter()
        self._responses = [0, 0]
        self._later = [0, 0]
        self._hours: list[float] = []
        self._steps: dict[tuple[str, str], _StepCount] = defaultdict(_StepCount)
        self._saves = [0, 0]
        self._leaving: dict[tuple[str, str], tuple[Counter[int], Counter[str]]] = {}

    def add(self, case: CaseFacts) -> None:
        """Count one case."""
        counts = self._counts(case)
        for answer in case.answers:
            self._add_start(answer, counts=counts)
        if not counts:
            return
        self._add_steps(case)
        self._returns += case.returned
        if case.kind is CaseKind.SAVE and case.outcome in _ENDED_TALKS:
            self._saves[0] += case.outcome == "saved"
            self._saves[1] += 1
        # One that was dismissed never began, since its stage did not hold (P-03).
        if case.kind is CaseKind.OFFBOARDING and case.status not in (CaseStatus.SETTLING, CaseStatus.DISMISSED):
            self._add_offboarding(case)

    def figures(self) -> Figures:
        """What was counted so far."""
        return Figures(
            since=self._since,
            until=self._until,
            offboardings=self._offboardings,
            open=self._open,
            worth=dict(self._worth),
            reasons=tuple(self._reason_lines()),
            agreed=Share(count=self._agreed[0], of=self._agreed[1]),
            avoidable=dict(self._avoidable),
            start=_scores(self._start),
            end=_scores(self._end),
            pairs=tuple(
                Pair(start=self._starts[who][1], end=score)
                for who, (_, score) in sorted(self._ends.items())
                if who in self._starts
            ),
            responses=Share(count=self._responses[0], of=self._responses[1]),
            leaving_responses=Share(count=self._later[0], of=self._later[1]),
            acknowledged=len(self._hours),
            acknowledged_hours=round(median(self._hours), 1) if len(self._hours) >= FEW else None,
            acknowledged_in_a_day=Share(count=sum(hours <= 24 for hours in self._hours), of=len(self._hours)),
            on_time=Share(
                count=sum(step.on_time for step in self._steps.values()),
                of=sum(step.due for step in self._steps.values()),
            ),
            steps=tuple(self._step_lines()),
            saves=Share(count=self._saves[0], of=self._saves[1]),
            taken_back=Share(count=self._taken_back, of=self._offboardings),
            returns=self._returns,
            leaving=tuple(self._leaving_lines()),
            fits=dict(self._fits),
        )

    def _counts(self, case: CaseFacts) -> bool:
        day = case.opened_at.astimezone(self._tz).date()
        return (self._since is None or day >= self._since) and (self._until is None or day < self._until)

    def _add_start(self, answer: AnswerFacts, *, counts: bool) -> None:
        score = _score(answer.fields.get("start_score"))
        if score is None or answer.who is not Who.CUSTOMER:
            return
        self._start[score] += counts
        former = self._starts.get(answer.contact_id or "")
        if answer.contact_id and (former is None or answer.at < former[0]):
            self._starts[answer.contact_id] = (answer.at, score)

    def _add_offboarding(self, case: CaseFacts) -> None:
        self._offboardings += 1
        self._open += case.status in (CaseStatus.AWAITING_REASON, CaseStatus.ACTIVE)
        self._taken_back += case.outcome == "renewed"
        currency = case.currency or NO_CURRENCY
        if case.amount is not None:
            self._worth[currency] += case.amount
        self._responses[0] += case.answered
        self._responses[1] += case.asked
        self._later[0] += case.answered_later
        self._later[1] += case.asked_later
        self._add_reasons(case)
        self._add_acknowledgement(case)
        for answer in case.answers:
            self._add_answer(case, answer)

    def _add_reasons(self, case: CaseFacts) -> None:
        month = case.opened_at.astimezone(self._tz).date().replace(day=1)
        said: dict[Who, list[str]] = defaultdict(list)
        if case.confirmed_at is not None:
            said[Who.REP] = [category(case.reason)]
        for answer in case.answers:
            for name in ("exit_reason", "exit_reason_interview", "exit_reason_team"):
                value = answer.fields.get(name)
                if isinstance(value, str) and value:
                    said[answer.who].append(category(value))
        for who, reasons in said.items():
            self._reasons.update((month, who, reason) for reason in reasons)
            for reason in set(reasons) if case.amount is not None else ():
                self._worths[month, who, reason][case.currency or NO_CURRENCY] += case.amount or Decimal()
        rep, customer = said.get(Who.REP, []), said.get(Who.CUSTOMER, [])
        if customer and rep and rep != [UNKNOWN]:
            self._agreed[0] += rep[0] in customer
            self._agreed[1] += 1

    def _add_acknowledgement(self, case: CaseFacts) -> None:
        told = [step.completed_at for step in case.steps if step.rule in ACKNOWLEDGE and step.completed_at is not None]
        if told and case.confirmed_at is not None:
            self._hours.append(max((min(told) - case.confirmed_at).total_seconds() / 3600, 0.0))

    def _add_answer(self, case: CaseFacts, answer: AnswerFacts) -> None:
        fit = answer.fields.get("fit")
        if isinstance(fit, str):
            self._fits[fit] += 1
        if answer.who is not Who.CUSTOMER:
            return
        end, leaving = _score(answer.fields.get("exit_score")), _score(answer.fields.get("leaving_score"))
        avoidable = answer.fields.get("exit_avoidable")
        if isinstance(avoidable, str):
            self._avoidable[avoidable] += 1
        if end is not None:
            self._end[end] += 1
            if answer.contact_id:
                former = self._ends.get(answer.contact_id)
                if former is None or former[0] < answer.at:
                    self._ends[answer.contact_id] = (answer.at, end)
        hardest = answer.values.get(HARDEST)
        if leaving is not None or hardest:
            key, _, version = (answer.playbook or f"{case.playbook} {case.version}").partition(" ")
            scores, named = self._leaving.setdefault((key, version), (Counter(), Counter()))
            if leaving is not None:
                scores[leaving] += 1
            named.update(hardest if isinstance(hardest, tuple) else [str(hardest)] if hardest else [])

    def _add_steps(self, case: CaseFacts) -> None:
        for step in case.steps:
            if step.rule.startswith("_"):
                continue
            count = self._steps[case.playbook, step.rule]
            if step.status == StepStatus.DONE and step.completed_at is not None:
                count.done += 1
                count.due += step.due_at is not None
                count.on_time += step.due_at is not None and self._in_time(step.completed_at, step.due_at)
            elif step.status == StepStatus.OPEN and step.due_at is not None:
                count.due += not self._in_time(self._now, step.due_at)  # what is not due yet says nothing
            count.not_applicable += step.status == NOT_APPLICABLE
            count.left_out += step.status == StepStatus.SKIPPED
            count.deleted += step.status == StepStatus.DELETED

    def _in_time(self, at: datetime, due: datetime) -> bool:
        return at.astimezone(self._tz).date() <= due.astimezone(self._tz).date()

    def _reason_lines(self) -> Iterable[ReasonLine]:
        for (month, who, reason), count in sorted(self._reasons.items(), key=lambda item: (item[0], item[1])):
            worth = dict(self._worths.get((month, who, reason), {}))
            yield ReasonLine(month=month, who=who, reason=reason, count=count, worth=worth)

    def _step_lines(self) -> Iterable[StepLine]:
        for (playbook, step), count in sorted(self._steps.items()):
            yield StepLine(
                playbook=playbook,
                step=step,
                done=count.done,
                on_time=Share(count=count.on_time, of=count.due),
                not_applicable=count.not_applicable,
                left_out=count.left_out,
                deleted=count.deleted,
            )

    def _leaving_lines(self) -> Iterable[LeavingLine]:
        for (playbook, version), (scores, hardest) in sorted(self._leaving.items()):
            named = tuple(sorted(hardest.items(), key=lambda item: (-item[1], item[0])))
            yield LeavingLine(playbook=playbook, version=version, scores=_scores(scores), hardest=named)


NOT_APPLICABLE = "not_applicable"
"""State of a step that a person closed as not applicable (P-2E)."""
_ENDED_TALKS = frozenset({"saved", "not_renewing"})


def _score(value: AnswerValue | None) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= 10 else None


def _scores(counts: Mapping[int, int]) -> Scores:
    return Scores(counts=tuple(counts.get(score, 0) for score in range(11)))
