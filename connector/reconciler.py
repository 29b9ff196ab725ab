"""Look again, then do the difference: observe → decide → act → record, for one account.

A look takes up to a hundred deals of the agenda at once. Everything that it decides is committed as intents before the
first call that writes, and what the CRM answered is committed after it. A process may die anywhere in between: the
agenda rows are still there, and the next look asks the CRM about the intents whose outcome is unclear.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from connector.account import Account
from connector.clock import Clock
from connector.deal_look import DealLook, deals_of, followed, hold, in_turn, open_task_ids
from connector.erasure import Erasure
from connector.histories import Subject
from connector.histories import read as read_history
from connector.library import Library
from connector.links import LinkSigner
from connector.metrics import LOOKS
from connector.progress import ProgressOnDeals
from connector.qualifying import tell
from connector.returns import credit_returns
from connector.sending import Sender, backoff
from connector.store import Store, agenda, baselines, cases, door, erasing, intake, intents, inventory, pauses
from connector.store.tables import AgendaRow, IntentState, LinkRow
from connector.survey_links import RememberedLinks, lately_surveyed, surveyed_elsewhere
from connector.unopened import answer_tick
from workflows.cases import NOT_OPENED, Event
from workflows.decide import cancel, decide, take_down
from workflows.ending import BY_HAND, TAKEN_OUT
from workflows.key_figures import first_values
from workflows.look import Decision, Look
from workflows.quiet import asked_for, without_lifting
from workflows.records import Deal, People
from workflows.running import earliest
from workflows.said import Said
from workflows.writes import CreateTask, Write

log = structlog.get_logger(__name__)

BATCH = 100
LEAVING = "the account is taken out"
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
HISTORY_ROOM = timedelta(days=60)
"""A plan may begin so long after its deal was lost, waiting for a reason: a look back counts from the loss."""


class Reconciler:
    """Looks at deals of one account."""

    def __init__(self, account: Account, store: Store, library: Library, links: LinkSigner, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._library = library
        self._links = links
        self._erasure = Erasure(links, library.questionnaires)
        self._sender = Sender(account, store, library.documents, clock)
        self.progress = ProgressOnDeals(account, store, self._sender, clock)
        self._clock = clock

    def look(self) -> int:
        """Look at what is due, up to a hundred deals; gives how many rows there were.

        Raises :class:`~adapters.errors.AdapterError` when the CRM cannot be worked with now; the agenda is as it was.
        """
        with self._store.read() as session:
            due = agenda.due(session, self._account.name, self._clock.now(), BATCH)
        rows = sorted(due, key=lambda row: row.deal_id)  # in the order in which deliveries put them
        if rows:
            ready = self._sender.resolve_unclear(rows)
            if ready:
                self._reconcile(ready)
        return len(rows)

    def cancel(self, deal_id: str, outcome: str = BY_HAND) -> bool:
        """End the deal's open case by an admin's hand (P-76); otherwise as a look, and it raises the same.

        False: it must first be known what became of an earlier write. A look is on the agenda for that.
        """
        with self._store.write() as session:
            why = "cancelled by hand" if outcome == BY_HAND else LEAVING
            wish = agenda.Entry(deal_id, self._clock.now(), why, tasks=True)
            agenda.put(session, self._account.name, [wish])
        with self._store.read() as session:
            row = agenda.of_deal(session, self._account.name, deal_id)
        ready = self._sender.resolve_unclear([row] if row is not None else [])
        if ready:
            self._reconcile(ready, cancelled=outcome)
        return bool(ready)

    def take_down(self, deal_ids: Sequence[str]) -> bool:
        """Close what outlasts the ended cases of these deals, which have no open one (P-7A); as :meth:`cancel`."""
        ready: list[AgendaRow] = []
        for start in range(0, len(deal_ids), BATCH):
            some = deal_ids[start : start + BATCH]
            with self._store.write() as session:
                now = self._clock.now()
                wishes = [agenda.Entry(deal_id, now, LEAVING, tasks=True) for deal_id in some]
                agenda.put(session, self._account.name, wishes)
            with self._store.read() as session:
                rows = [agenda.of_deal(session, self._account.name, deal_id) for deal_id in some]
            known = self._sender.resolve_unclear([row for row in rows if row is not None])
            if known:
                self._reconcile(known, cancelled=TAKEN_OUT)
            ready += known
        return len(ready) == len(deal_ids)

    # --- observe and decide -----------------------------------------------------------------------------------------

    def _reconcile(self, rows: Sequence[AgendaRow], *, cancelled: str = "") -> None:
        rules = self._account.rules()
        users = self._account.users()
        looks = in_turn(self._observe(rows, leaving=bool(cancelled)))
        for look in looks:
            look.cancelled = cancelled
        with self._store.read() as session:
            load = Counter(cases.load_by_owner(session, self._account.name))
            paused = pauses.playbooks(session, self._account.name)
            erased = erasing.all_known(session, self._account.name)
            playbooks = {
                case.id: self._library.frozen(session, case.playbook, case.playbook_version)
                for case in map(followed, looks)
                if case is not None
            }
        undecided = looks
        for _ in range(5):  # people, who took part, and tasks may be asked for, tasks again when people brought steps
            now = self._clock.now()  # the same for all of them: the days of plans that begin together are reckoned once
            lately = self._lately_surveyed(undecided)
            elsewhere = self._answered_elsewhere(undecided)
            for look in undecided if erased else ():
                look.people = look.people and self._erasure.without(self._account.name, look.people, erased)
            for look in undecided:
                kept = followed(look)
                frozen = playbooks.get(kept.id) if kept is not None else None
                known = {"users": users, "rules": rules, "playbook": frozen, "lately": lately, "elsewhere": elsewhere}
                self._decide(look, load, now, **known)
                hold(look, paused)
                load.update(write.owner_id for write in look.decision.writes if isinstance(write, CreateTask))
            undecided = self._ask_for_more(undecided)
            if not undecided:
                break
        for look in undecided:
            look.trouble = Said("the decision asked for the same facts again and again")
        self._leave_to_others(looks)
        self._set_aside([look for look in looks if look.trouble])
        self._act([look for look in looks if not look.trouble])

    def _leave_to_others(self, looks: Sequence[DealLook]) -> None:
        """Touch no deal whose goodbye another installation began: everything would be there twice (P-08).

        Should both have begun at once, the one whose id the deal does not show gives way.
        """
        marked = [
            (marking, look)
            for look in looks
            if (marking := look.observed.deal.open_case) is not None
            and (case := look.decision.case) is not None
            and case.is_open
            and case.id != marking
        ]
        if not marked:
            return
        with self._store.read() as session:
            known = cases.known(session, [marking for marking, _ in marked])
        for marking, look in marked:
            if marking not in known:
                look.trouble = Said(
                    "another installation looks after this deal (its case %(case)s): stop one of the two. To begin "
                    "here, clear the deal’s field “Offboarding case”",
                    case=marking[:8],
                )

    def _set_aside(self, looks: Sequence[DealLook]) -> None:
        """One deal's fault must not stop the other ninety-nine; it stays on the agenda, and the admin sees it."""
        now = self._clock.now()
        with self._store.write() as session:
            for look in looks:
                agenda.failed(session, look.row, now + backoff(look.row.attempts), look.trouble or "", now)

    def _observe(self, rows: Sequence[AgendaRow], *, leaving: bool) -> list[DealLook]:
        crm = self._account.crm()
        observed = crm.observe([row.deal_id for row in rows])
        deals = [one.deal for one in observed.values()]
        unsettled = credit_returns(self._store, self._account.name, self._account.rules(), deals, self._clock.now())
        tell(self._store, self._account, self._library, deals, self._clock.now())
        survivors = [o.deal.merged_into for o in observed.values() if o.deal.merged_into is not None]
        deal_ids = [*observed, *survivors]
        with self._store.read() as session:
            open_cases = cases.open_by_deal(session, self._account.name, deal_ids)
            last_cases = cases.last_by_deal(session, self._account.name, deal_ids, with_tasks_first=leaving)
            older = cases.older_by_deal(session, self._account.name, last_cases.values())
            known = [*open_cases.values(), *last_cases.values(), *(one for former in older.values() for one in former)]
            answers = intake.answers(session, [case.id for case in known])  # some answer after the case has ended
            things = inventory.of_cases(session, [case.id for case in open_cases.values()])
            news = door.news(session, self._account.name, [case.id for case in known])
            subjects = {_subject(one.deal) for one in observed.values()}
            started = baselines.by_subject(session, self._account.name, subjects)
        looks = []
        for row in rows:
            seen = observed[row.deal_id]
            case, last = open_cases.get(row.deal_id), last_cases.get(row.deal_id)
            newest = case or last
            looks.append(
                DealLook(
                    row=row,
                    observed=seen,
                    case=case,
                    last=last,
                    survivor=open_cases.get(seen.deal.merged_into) if seen.deal.merged_into is not None else None,
                    older=(former := older.get(row.deal_id, ())),
                    answers=tuple(one for each in (*former, last, case) if each for one in answers.get(each.id, ())),
                    news=news.get(newest.id, ()) if newest is not None else (),
                    baseline=started.get(_subject(seen.deal)),
                    inventory=things.get(case.id, ()) if case is not None else (),
                    people=seen.people,
                    again=unsettled.get(seen.deal.id),
                )
            )
        wanted = {look.row.deal_id: open_task_ids(look.case or look.last) for look in looks if look.row.tasks}
        self._read_tasks(wanted, looks)
        return looks

    def _ask_for_more(self, looks: Sequence[DealLook]) -> list[DealLook]:
        """Read what decisions still need; gives the looks that must be decided again."""
        lonely = [look for look in looks if look.decision.needs_people]
        if lonely:
            people = self._account.crm().people([look.observed.deal for look in lonely])
            for look in lonely:
                look.people = people.get(look.observed.deal.id, People())
        choosing = [look for look in looks if look.decision.needs_involved]
        if choosing:
            took_part = self._account.crm().involved([look.observed.deal for look in choosing])
            for look in choosing:
                look.involved = took_part.get(look.observed.deal.id, ())
        self._read_history([look for look in looks if look.decision.needs_history])
        self._read_start([look for look in looks if look.decision.needs_start])
        blind = {look.row.deal_id: look.decision.needs_tasks for look in looks if look.decision.needs_tasks}
        self._read_tasks(blind, looks)
        return [
            look
            for look in looks
            if look.decision.needs_people
            or look.decision.needs_start
            or look.decision.needs_involved
            or look.decision.needs_history
            or look.decision.needs_tasks
        ]

    def _read_history(self, looks: Sequence[DealLook]) -> None:
        """What the mapped figures were before, for all of these at once (P-41)."""
        if not looks:
            return
        rules = self._account.rules()
        subjects = [Subject(look.observed.deal.id, look.observed.deal.company_id) for look in looks]
        since = self._clock.now() - rules.look_back - HISTORY_ROOM
        found = read_history(self._account.crm(), self._account.name, subjects, rules.figures, since)
        for look in looks:
            look.history = found.get(look.observed.deal.id, ())

    def _read_start(self, looks: Sequence[DealLook]) -> None:
        """What the mapped figures were at first, as far back as the CRM remembers (P-24)."""
        if not looks:
            return
        subjects = [Subject(look.observed.deal.id, look.observed.deal.company_id) for look in looks]
        figures = self._account.rules().figures
        found = read_history(self._account.crm(), self._account.name, subjects, figures, _LONG_AGO)
        for look in looks:
            look.started_with = first_values(found.get(look.observed.deal.id, ()))

    def _read_tasks(self, wanted: Mapping[str, Sequence[str]], looks: Sequence[DealLook]) -> None:
        task_ids = [task_id for ids in wanted.values() for task_id in ids]
        if not task_ids:
            return
        states = self._account.crm().task_states(task_ids)
        for look in looks:
            for task_id in wanted.get(look.row.deal_id, ()):
                look.tasks[task_id] = states[task_id]

    def _decide(self, look: DealLook, load: Mapping[str, int], now: datetime, **known: Any) -> None:
        facts = Look.model_construct(
            now=now,
            rules=known["rules"],
            deal=look.observed.deal,
            people=look.people,
            involved=look.involved,
            case=look.case,
            last=look.last,
            older=look.older,
            survivor=look.survivor,
            playbook=known["playbook"] or self._library.playbook(self._account.config.playbook),
            playbooks=self._library.playbooks,
            questionnaires=self._library.questionnaires,
            users=known["users"],
            load=load,
            tasks=look.tasks,
            answers=look.answers,
            news=look.news,
            surveyed=self._surveyed(look, known["lately"]),
            elsewhere=known["elsewhere"],
            baseline=look.baseline,
            inventory=look.inventory,
            started_with=look.started_with,
            history=look.history,
            new_case_id=uuid.uuid4().hex,
            asked=look.row.asked,
        )
        try:
            look.links.clear()
            config = self._account.config
            links = RememberedLinks(self._links, self._account.name, config, look.people, look.links, now)
            look.decision = _ended(facts, look.cancelled) if look.cancelled else decide(facts, links)
        except Exception as error:
            log.exception("a deal could not be decided", account=self._account.name, deal=look.row.deal_id)
            look.trouble = Said("internal error: %(name)s", name=type(error).__name__)
            look.decision = Decision()

    def _lately_surveyed(self, looks: Sequence[DealLook]) -> Sequence[LinkRow]:
        people = [look.people for look in looks if look.people is not None]
        account, now = self._account, self._clock.now()
        return lately_surveyed(self._store, self._links, account.name, account.config, people, now)

    def _answered_elsewhere(self, looks: Sequence[DealLook]) -> Sequence[Mapping[str, str]]:
        """What cases of the companies and contacts that were read wrote of answers: deals share both (P-7B)."""
        read = [look for look in looks if look.people is not None]
        companies = {look.people.company.id for look in read if look.people is not None and look.people.company}
        contacts = {answer.contact_id for look in read for answer in look.answers if answer.contact_id}
        with self._store.read() as session:
            return cases.answered_elsewhere(session, self._account.name, companies, contacts)

    def _surveyed(self, look: DealLook, lately: Sequence[LinkRow]) -> Mapping[str, datetime]:
        case_id = look.case.id if look.case is not None else ""
        return surveyed_elsewhere(lately, self._links, self._account.name, look.people, case_id)

    # --- act and record ---------------------------------------------------------------------------------------------

    def _act(self, looks: Sequence[DealLook]) -> None:
        """Commit what was decided, send what is planned, and keep what the CRM answered."""
        now = self._clock.now()
        with self._store.write() as session:
            for look in looks:
                self._try_to_keep(session, look, now)
            paused = {look.case.id for look in looks if look.case is not None and not look.may_write}
            planned = [
                intent
                for intent in intents.open_for(
                    session, self._account.name, deals_of(look for look in looks if not look.trouble)
                )
                if intent.state == IntentState.PLANNED and intent.case_id not in paused
            ]
            intents.sent(session, self._account.name, [intent.key for intent in planned], now)
        self._set_aside([look for look in looks if look.trouble])
        looks = [look for look in looks if not look.trouble]
        outcomes = self._sender.send(planned)
        now = self._clock.now()
        come_back = self._sender.come_back(planned, outcomes, now)

        def keep(session: Session) -> None:
            self._sender.keep(session, list(zip(planned, outcomes, strict=True)), now)
            for look in looks:
                self._move_on(session, look, come_back, now)

        self._store.transaction(keep)  # the answers are not to be had again
        LOOKS.labels(self._account.name).inc(len(looks))

    def _try_to_keep(self, session: Session, look: DealLook, now: datetime) -> None:
        """Keep one decision; what the database refuses of it sets this deal aside, and no other."""
        try:
            with session.begin_nested():
                self._keep_decision(session, look, now)
        except IntegrityError:
            log.exception("a decision could not be kept", account=self._account.name, deal=look.row.deal_id)
            look.trouble = Said("internal error: the database refused what was decided")

    def _keep_decision(self, session: Session, look: DealLook, now: datetime) -> None:
        decision, case = look.decision, look.decision.case
        writes: Sequence[Write] = decision.writes
        if case is not None and case != look.case:
            if look.case is None or look.case.playbook != case.playbook:
                cases.keep_playbook(session, self._library.playbook(case.playbook), now)
            case, writes = self.progress.beside(session, case, writes)
            cases.save(session, case)
            if case.deal_id != look.row.deal_id:
                intents.follow(session, self._account.name, case.id, case.deal_id)
                agenda.put(session, self._account.name, [agenda.Entry(case.deal_id, now, "merged")])
        if case is not None:
            intents.withdraw(session, self._account.name, decision.withdraw, now)
            elsewhere = {name for written in cases.written_elsewhere(session, case) for name in asked_for(written)}
            intents.plan(session, self._account.name, case.id, without_lifting(writes, elsewhere), now)
            for link in look.links:
                intake.keep_link(session, link)
            if decision.starting is not None:
                baselines.keep(session, case, decision.starting, now)
            if decision.close_links:
                intake.close_links(session, case.id, now)
        signal = {"signal": look.row.why}  # what made us look (P-74)
        lines = [
            one.model_copy(update={"data": {**one.data, **signal}})
            for one in decision.events
            if one.what != NOT_OPENED or self._is_news(session, look, one, now)
        ]
        case_id = case.id if case is not None else None
        cases.log(session, self._account.name, lines, now, case_id=case_id, deal_id=look.row.deal_id)

    def _is_news(self, session: Session, look: DealLook, event: Event, now: datetime) -> bool:
        """Whether it was not said lately why no case begins: a tick that cannot be taken back asks at each look."""
        if answer_tick(session, self._account, look, event.detail, now) or look.row.asked:
            return True
        last = cases.not_opened(session, self._account.name, look.row.deal_id, now - cases.LATELY)
        return last is None or last.detail != event.detail

    def _move_on(
        self, session: Session, look: DealLook, come_back: Mapping[str, tuple[datetime, str]], now: datetime
    ) -> None:
        deal_id = look.decision.case.deal_id if look.decision.case is not None else look.row.deal_id
        if deal_id in come_back:
            until, reason = come_back[deal_id]
            agenda.failed(session, look.row, until, reason, now)
        else:
            agenda.looked(session, look.row, earliest(look.decision.next_look, look.again))


def _ended(facts: Look, outcome: str) -> Decision:
    """A deal that never had a case, as one that shows a return, has nothing to end: what is open on it still goes."""
    if facts.case is None and facts.last is None:
        return Decision()
    return cancel(facts, outcome) if facts.case is not None else take_down(facts)


def _subject(deal: Deal) -> str:
    return baselines.subject(deal.company_id, deal.id)
