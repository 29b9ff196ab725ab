"""What is done for the whole account beside its cases: digests for departments (P-40), early signs (P-62).

Runs after the looks of a round, under the account's lock of work. What was done for which period stands in the
database, in the same transaction as what it plans: several processes, restarts and missed days lead to one task each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog

from adapters.errors import AurevoirError, CredentialsInvalid, RateLimited
from adapters.results import Observed
from connector import outbox
from connector.account import Account
from connector.clock import Clock
from connector.histories import Subject
from connector.histories import read as read_history
from connector.library import Library
from connector.resolve import digest_times
from connector.store import Store, accounts, baselines, cases, lessons
from workflows.dates import calendar, due_time, local_date, zone, zone_or
from workflows.digest import Digest, Said, digests, period, say, told_before
from workflows.early import early_signs, name_of, read_since, sign_task
from workflows.guard import stages_of, watch_rule
from workflows.people import Choice, Staff, choose
from workflows.records import Company, Deal, DealState, People, User
from workflows.rules import AccountRules, CaseKind, DigestRule, EarlyRule, LinkKind
from workflows.signs import Sign
from workflows.writes import CreateTask

log = structlog.get_logger(__name__)

DIGEST, EARLY = "digest", "early"
FROM_HOUR = 7
"""Tasks of the day are there when people begin to work, in the account's zone."""
MOST_PAGES = 5
"""Pages of customers a round: looks at cases must not wait for all of them."""
AFTER_TROUBLE = timedelta(hours=1)
STILL_SAVING = timedelta(minutes=1)
"""An answer that is being saved at this moment may be seen only after it: the next digest has it."""
PAGE = 100


@dataclass(frozen=True)
class _Watched:
    """A customer with signs."""

    deal: Deal
    signs: Sequence[Sign]


class Learning:
    """Digests and early signs of one account."""

    def __init__(self, account: Account, store: Store, library: Library, clock: Clock) -> None:
        self._account, self._store, self._library, self._clock = account, store, library, clock
        self._not_before: datetime | None = None

    def run(self) -> None:
        """Do what is due. Trouble with the CRM is logged and tried again in an hour: it stops no case.

        Raises :class:`~adapters.errors.RateLimited` and :class:`~adapters.errors.CredentialsInvalid` alone: with these,
        cases cannot be worked on either.
        """
        now = self._clock.now()
        if self._not_before is not None and now < self._not_before:
            return
        digest, early = self._due_digest(now), self._due_pass(now)
        if digest is None and early is None:
            return
        try:
            rules = self._account.rules()
            if digest is not None and rules.digest is not None:
                self._digest(rules, rules.digest, digest, now)
            if early is not None and rules.early is not None:
                self._early(rules, rules.early, early, now)
        except (RateLimited, CredentialsInvalid):
            raise
        except AurevoirError as error:
            self._not_before = now + AFTER_TROUBLE
            log.warning("digests or early signs could not be made", account=self._account.name, reason=str(error))

    # --- digests ----------------------------------------------------------------------------------------------------

    def _due_digest(self, now: datetime) -> str | None:
        """The period whose digest is to be made now; costs no call."""
        rule, tz = digest_times(self._account.config), zone(self._account.config.time_zone)
        if rule is None or now.astimezone(tz).hour < FROM_HOUR:
            return None
        due = period(rule, local_date(now, tz))
        with self._store.read() as session:
            last = lessons.moved(session, self._account.name, DIGEST)
        return due if last is None or last[0] != due else None

    def _digest(self, rules: AccountRules, rule: DigestRule, due: str, now: datetime) -> None:
        tz = zone(rules.time_zone)
        with self._store.read() as session:
            last = lessons.moved(session, self._account.name, DIGEST)
            since = last[1] if last is not None else max(told_before(rule, now), rules.starts_at or now)
            rows = lessons.leavers_answers(session, self._account.name, since, now - STILL_SAVING)
        # The next digest goes on where this one ended: no answer is in two of them, or in none.
        until = rows[-1].at if len(rows) == lessons.MOST_ANSWERS else now - STILL_SAVING
        crm, asked = self._account.crm(), self._library.questionnaires
        said = [
            Said(one.answer, asked[one.answer.questionnaire], one.deal_id, one.deal_name, crm.deal_url(one.deal_id))
            for one in rows
            if one.answer.questionnaire in asked
            and asked[one.answer.questionnaire].kind in (LinkKind.SURVEY, LinkKind.INTERVIEW, LinkKind.TEAM)
        ]
        made = digests(said, local_date(since, tz), rules.language)
        tasks = [task for one in made if (task := self._digest_task(rules, rule, one, due, now)) is not None]
        if len(tasks) < len(made):  # what was said is kept until there is somebody to read it
            self._not_before = now + AFTER_TROUBLE
            log.warning("nobody active gets the digests", account=self._account.name)
            return
        with self._store.write() as session:
            outbox.put(session, self._account.name, tasks, now, why="digest")
            accounts.move_cursor(session, self._account.name, DIGEST, due, max(until, since))

    def _digest_task(
        self, rules: AccountRules, rule: DigestRule, one: Digest, due: str, now: datetime
    ) -> CreateTask | None:
        users = self._account.users()
        owner = users.get(rule.owners.get(one.department, ""))
        name = say(one.department, rules.language)
        if owner is not None and owner.active:
            choice: Choice | None = Choice(user=owner, why=say("why", rules.language, name=owner.name, department=name))
        else:
            choice = choose("manager", self._staff(rules, Deal(id=one.deal_id), None))
        if choice is None:
            return None
        tz, days = zone_or(choice.user.time_zone, zone(rules.time_zone)), calendar(rules.calendar)
        return CreateTask(
            key=f"{self._account.name}:digest:{one.department}:{due}",
            deal_id=one.deal_id,
            subject=one.title,
            body=f"{one.body}\n\n{choice.why}",
            due_at=due_time(days.add_business_days(local_date(now, tz), 4), tz, days, now),
            owner_id=choice.user.id,
        )

    # --- early signs ------------------------------------------------------------------------------------------------

    def _due_pass(self, now: datetime) -> dict[str, Any] | None:
        """How far today's pass over the customers has come; None: it is done, or not wanted. Costs no call."""
        tz = zone(self._account.config.time_zone)
        if self._account.config.early_signs is None or now.astimezone(tz).hour < FROM_HOUR:
            return None
        with self._store.read() as session:
            last = lessons.moved(session, self._account.name, EARLY)
        state: dict[str, Any] = json.loads(last[0]) if last is not None else {}
        today = local_date(now, tz).isoformat()
        if state.get("day") != today:
            return {"day": today, "until": now.isoformat(), "cursor": None, "done": False}
        return state if not state["done"] else None

    def _early(self, rules: AccountRules, rule: EarlyRule, state: dict[str, Any], now: datetime) -> None:
        """Look at customers, page by page; a pass is begun once a day, and goes on in the next round if need be."""
        today = date.fromisoformat(state["day"])
        stages = sorted(frozenset().union(*(stages_of(one, CaseKind.BASELINE) for one in rules.watch)))
        for _ in range(MOST_PAGES):
            if state["done"]:
                return
            until = datetime.fromisoformat(state["until"])
            page = self._account.crm().ended_between(stages, until - rule.customers_for, until, state["cursor"])
            tasks = self._look_at(rules, rule, page.ids, now, today)
            state |= {"cursor": page.cursor, "done": not page.more}
            with self._store.write() as session:
                outbox.put(session, self._account.name, tasks, now, why="early sign")
                accounts.move_cursor(session, self._account.name, EARLY, json.dumps(state), now)

    def _look_at(
        self, rules: AccountRules, rule: EarlyRule, ids: Sequence[str], now: datetime, today: date
    ) -> list[CreateTask]:
        crm, tasks = self._account.crm(), list[CreateTask]()
        for start in range(0, len(ids), PAGE):
            observed = crm.observe(ids[start : start + PAGE])
            customers = self._customers(rules, observed)
            if not customers:
                continue
            subjects = [Subject(deal.id, deal.company_id) for deal in customers]
            watched = tuple(dict.fromkeys((*rule.figures, *rule.stalling)))
            history = read_history(crm, self._account.name, subjects, watched, read_since(rule, now))
            found = [_Watched(deal, early_signs(history.get(deal.id, ()), rule, now)) for deal in customers]
            tasks += self._tell(rules, rule, [one for one in found if one.signs], observed, now, today)
        return tasks

    def _customers(self, rules: AccountRules, observed: Mapping[str, Observed]) -> list[Deal]:
        """Deals of those who are customers still: the newest of each company, none of which has left since."""
        live = [one.deal for one in observed.values() if one.deal.state is DealState.LIVE and _is_won(rules, one.deal)]
        newest: dict[str, Deal] = {}
        for deal in sorted(live, key=_won_at):
            newest[deal.company_id or f"deal:{deal.id}"] = deal
        with self._store.read() as session:
            left = lessons.left_at(session, self._account.name, [one for one in newest if not one.startswith("deal:")])
            leaving = cases.open_deal_ids(session, self._account.name, [deal.id for deal in newest.values()])
            leaving &= {
                case.deal_id
                for case in cases.open_by_deal(session, self._account.name, sorted(leaving)).values()
                if case.kind is CaseKind.OFFBOARDING
            }
        return [
            deal
            for key, deal in newest.items()
            if deal.id not in leaving and (key not in left or left[key] < _won_at(deal))
        ]

    def _tell(
        self,
        rules: AccountRules,
        rule: EarlyRule,
        found: Sequence[_Watched],
        observed: Mapping[str, Observed],
        now: datetime,
        today: date,
    ) -> list[CreateTask]:
        """The tasks for signs that were not told lately; who the customers are is read for these alone."""
        name = self._account.name
        news: list[tuple[Deal, list[tuple[str, Sign]]]] = []
        with self._store.read() as session:
            for one in found:
                subject = baselines.subject(one.deal.company_id, one.deal.id)
                told = lessons.told_since(session, name, f"{name}:early:{subject}:", now - rule.again_after)
                fresh = [
                    (f"{name}:early:{subject}:{name_of(sign)}:{today.isoformat()}", sign)
                    for sign in one.signs
                    if not any(key.startswith(f"{name}:early:{subject}:{name_of(sign)}:") for key in told)
                ]
                if fresh:
                    news.append((one.deal, fresh))
        people = self._people([deal for deal, _ in news], observed)
        days, tasks = calendar(rules.calendar), list[CreateTask]()
        for deal, fresh in news:
            company = people.get(deal.id, People()).company
            choice = choose("csm", self._staff(rules, deal, company))
            if choice is None:
                log.warning("nobody active to tell an early sign", account=name, deal=deal.id)
                continue
            tasks += [sign_task(key, sign, deal, company, choice, rules, days, now) for key, sign in fresh]
        return tasks

    def _people(self, deals: Sequence[Deal], observed: Mapping[str, Observed]) -> Mapping[str, People]:
        known = {deal.id: people for deal in deals if (people := observed[deal.id].people) is not None}
        unknown = [deal for deal in deals if deal.id not in known]
        return {**known, **(self._account.crm().people(unknown) if unknown else {})}

    def _staff(self, rules: AccountRules, deal: Deal, company: Company | None) -> Staff:
        users: Mapping[str, User] = self._account.users()
        return Staff(deal=deal, company=company, rule=rules.people, users=users, load={}, language=rules.language)


def _is_won(rules: AccountRules, deal: Deal) -> bool:
    rule = watch_rule(rules, deal.pipeline_id)
    return rule is not None and deal.stage_id in stages_of(rule, CaseKind.BASELINE)


def _won_at(deal: Deal) -> datetime:
    """When the deal entered its present stage; what the CRM does not tell counts as long ago."""
    return deal.stage_history[0].at if deal.stage_history else datetime.min.replace(tzinfo=UTC)
