"""What people set: the rules of a playbook, and those of an account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from workflows.records import Model
from workflows.writes import DocumentKind, Priority, TaskType

Texts = Mapping[str, str]
"""A text by language code. The first playbook language is the fallback."""


class Anchor(StrEnum):
    """The moment that an offset counts from. ``step:<key>`` and ``overdue:<key>`` are spelt in :class:`Moment`.

    ANSWERED is the first answer on the relation, RATED the first one on how the leaving itself went (P-35).
    """

    OPENED = "opened"
    CONFIRMED = "confirmed"
    CONTRACT_END = "contract_end"
    ANSWERED = "answered"
    RATED = "rated"
    ITEM = "item"
    NOTICE_END = "notice_end"
    SWITCHING_END = "switching_end"
    RETRIEVAL_END = "retrieval_end"
    STEP = "step"
    OVERDUE = "overdue"
    WIN_BACK = "win_back"
    WISH = "wish"
    MOVED = "moved"


RIGHTS_ANCHORS = frozenset({Anchor.NOTICE_END, Anchor.SWITCHING_END, Anchor.RETRIEVAL_END})
"""Days of the exit-rights clock: steps that hang on them are left out where an account keeps none (P-2B)."""


class Moment(Model):
    """A moment relative to an anchor. Business days (``bd``) follow the account's calendar; days (``d``) do not.

    ``step`` names the step for :attr:`Anchor.STEP`, and the anchor is then the moment at which that step was done; or
    for :attr:`Anchor.OVERDUE`, and the anchor is then the day on which its task was due. What hangs on the latter comes
    only if the task is still open by then, and goes when it is done (P-13). :attr:`Anchor.WIN_BACK` is the day on which
    the reason may no longer hold (P-56). What hangs on :attr:`Anchor.WISH` or :attr:`Anchor.MOVED` comes once for each
    :class:`News` of that kind, which ``step`` then names.
    """

    anchor: Anchor
    step: str | None = None
    days: int = 0
    business: bool = False


class Repeat(Model):
    """A step comes again so many days after it was done, unless that is later than ``until`` (P-51)."""

    days: int = Field(ge=1)
    until: Moment


class Linked(StrEnum):
    """What a task is shown on, besides the deal."""

    COMPANY = "company"
    CONTACT = "contact"


class LinkKind(StrEnum):
    """A page of ours that a step links to.

    SURVEY: the customer's questions (P-32). INTERVIEW: the form for the conversation (P-30). TEAM: our own people's
    questions (P-39, P-42). INVENTORY: the list of what is the customer's (P-22). TIMELINE: the steps and dates of the
    exit as the customer sees them (P-2A). DOCUMENT: a document to read on the web (P-24, P-54). TOUCH: what a former
    customer wants to hear, and the end of it (P-51, P-55).
    """

    SURVEY = "survey"
    INTERVIEW = "interview"
    TEAM = "team"
    INVENTORY = "inventory"
    TIMELINE = "timeline"
    DOCUMENT = "document"
    TOUCH = "touch"


class StepRule(Model):
    """One step of a playbook: who, what, when, how.

    ``owner`` is a rule of :mod:`workflows.people`. ``per_contact`` makes one task for each contact whom the
    questionnaire addresses. ``when`` is a sandboxed Jinja expression over ``deal``, ``company``, ``contact``,
    ``contacts``, ``case`` and ``days_left``. ``call_title`` and ``call_body`` replace title and
    body for a contact who cannot be written to (P-16). ``link`` puts the address of one of our pages into the task.
    The step appears at ``release``, and not before ``not_before`` where that is given: it keeps a plan that begins
    late, or after the contract's end, from appearing all at once. ``per_item`` makes one task for each day and person
    of the inventory's items that are not received yet (P-22). ``document`` is attached to the deal when the step
    appears. A ``paced`` step stands for status points at the rhythm that was agreed at the start, from its release
    until its due day (P-61). ``customer`` is what the customer reads of the step on their page; without it, they see
    nothing (P-2A). A ``lasting`` step does not hold up the end of the case, and may still appear after it (P-51 to
    P-56).
    ``until`` says what makes the step needless, such as a reminder once the contact has answered (P-3A): it is left out
    then, or its open task is closed. ``concluded``, in a save plan: the end of the negotiation does, so that nobody is
    asked to have done it before (P-2D). To a ``meeting`` those who worked on the account, sales and a director are
    invited, each by a task of their own (P-42).
    """

    key: str
    type: TaskType = TaskType.TODO
    due: Moment
    release: Moment
    not_before: Moment | None = None
    repeat: Repeat | None = None
    lasting: bool = False
    until: Literal["answered", "concluded"] | None = None
    owner: str
    when: str | None = None
    per_contact: bool = False
    per_item: bool = False
    paced: bool = False
    meeting: bool = False
    document: DocumentKind | None = None
    linked_to: tuple[Linked, ...] = (Linked.COMPANY,)
    priority: Priority = Priority.NORMAL
    reminder: timedelta | None = None
    link: LinkKind | None = None
    questionnaire: str | None = None
    title: Texts
    body: Texts
    call_title: Texts = Field(default_factory=dict)
    call_body: Texts = Field(default_factory=dict)
    customer: Texts = Field(default_factory=dict)


class Phase(Model):
    """Steps that appear together."""

    key: str
    title: Texts
    steps: tuple[StepRule, ...]


class CaseKind(StrEnum):
    """What a case, and the playbook that it follows, is for.

    OFFBOARDING: a renewal ended without a renewal (P-01). SAVE: a renewal is being negotiated (P-02). BASELINE: a deal
    was won (P-60).
    """

    OFFBOARDING = "offboarding"
    SAVE = "save"
    BASELINE = "baseline"


class Quiet(StrEnum):
    """Where the CRM shows that other automations should keep quiet (P-25): on the deal alone, or on the deal, its
    company and its contacts."""

    NOWHERE = "nowhere"
    DEAL = "deal"
    CUSTOMER = "customer"


class Playbook(Model):
    """A versioned list of phases (P-29). ``version`` is ``<number>-<digest of the content>``.

    ``quiet`` says where other automations are asked to keep quiet while a case follows it, ``quiet_for`` for how long
    after the case has run to its end; None: on the deal until it is won again, elsewhere for a year (P-25).
    """

    key: str
    version: str
    kind: CaseKind = CaseKind.OFFBOARDING
    quiet: Quiet = Quiet.CUSTOMER
    quiet_for: timedelta | None = None
    languages: tuple[str, ...]
    title: Texts
    phases: tuple[Phase, ...]

    def steps(self) -> tuple[StepRule, ...]:
        """All steps in playbook order."""
        return tuple(step for phase in self.phases for step in phase.steps)


class Department(StrEnum):
    """Who is concerned by what leavers say (P-40)."""

    PRODUCT = "product"
    SALES = "sales"
    FINANCE = "finance"
    OPERATIONS = "operations"
    SUCCESS = "success"


class SignRule(Model):
    """When a figure's change is a sign (P-41, P-62).

    ``falls_by`` and ``rises_by`` are percent: of its best value, or of the whole scale for a score. ``rising_is_bad``
    names figures of which less is better, beside those whose names say so. ``stalls_after``: a figure that did not move
    for so long has stalled; None: that is no sign.
    """

    falls_by: int = 20
    rises_by: int = 50
    rising_is_bad: frozenset[str] = frozenset()
    stalls_after: timedelta | None = None


class DigestRule(Model):
    """How often departments are told what leavers said, on which day of the week (0 is Monday), and who gets it (P-40).

    Monthly: on the first such day of the month. Departments without an owner here go to the manager.
    """

    every: Literal["weekly", "monthly"] = "weekly"
    weekday: int = 0
    owners: Mapping[Department, str] = Field(default_factory=dict)


class EarlyRule(Model):
    """Which figures of customers are watched while they are customers, and when they are a sign (P-62).

    ``figures`` are watched for falls and rises over the time ``within``, ``stalling`` also for standing still.
    Customers are those whose deal was won or renewed in the time ``customers_for``. The same sign is told again after
    ``again_after``.
    """

    figures: tuple[str, ...]
    stalling: tuple[str, ...] = ()
    signs: SignRule = SignRule()
    within: timedelta = timedelta(days=90)
    customers_for: timedelta = timedelta(days=400)
    again_after: timedelta = timedelta(days=90)


class WatchRule(Model):
    """Which stages of one pipeline mean what. Ids, resolved from the names in the settings; None: any pipeline."""

    pipeline_id: str | None
    negotiating: frozenset[str] = frozenset()
    not_renewing: frozenset[str]
    renewed: frozenset[str] = frozenset()
    won: frozenset[str] = frozenset()
    settle_for: timedelta = timedelta(hours=24)
    only_if: str | None = None


class Absence(Model):
    """Someone of ours is away from the first day to the last, both included; ``stand_in`` takes their tasks."""

    user_id: str
    first: date
    last: date
    stand_in: str | None = None


class PeopleRule(Model):
    """Who may be chosen for what; user ids, resolved from e-mail addresses (P-10, P-14).

    ``languages`` are those that someone speaks besides the one that the CRM tells, by user id.
    """

    neutral_pool: tuple[str, ...] = ()
    manager: str | None = None
    director: str | None = None
    fallback: tuple[str, ...] = ("deal_owner", "company_owner", "manager")
    absences: tuple[Absence, ...] = ()
    languages: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)


class PlaybookRule(Model):
    """An offboarding follows ``playbook`` where the condition ``when`` (over ``deal`` and ``case``) holds."""

    when: str
    playbook: str


class ExitRights(Model):
    """The periods of the exit-rights clock (P-2B), from the day on which the customer gave notice.

    The defaults are those of the EU Data Act (Regulation 2023/2854, articles 25 and 29): notice of at most two months,
    30 days to switch, at least 30 days to retrieve data, no switching charges from 2027-01-12 on. What applies to a
    contract is for the admin to judge: ``in_scope`` says what holds for those whose deal says nothing of it.
    """

    notice_months: int = Field(default=2, ge=0, le=24)
    switching_days: int = Field(default=30, ge=0, le=366)
    retrieval_days: int = Field(default=30, ge=0, le=366)
    no_charges_from: date = date(2027, 1, 12)
    in_scope: bool = True


class DoorRules(Model):
    """When the reason for leaving may no longer hold (P-56).

    ``after`` gives the days from the end by reason (one of the stable values); None: never ask. ``after_others`` is for
    reasons that it does not name. A budget is asked about at the next ``budget_year`` (month and day) that begins at
    least two months after the end, unless ``after`` says otherwise. A gap is not asked about by time: see P-52.
    """

    after: Mapping[str, int | None] = Field(default_factory=dict)
    after_others: int | None = 180
    budget_year: tuple[int, int] = (1, 1)


class AccountRules(Model):
    """What the domain needs to know of an account. ``calendar`` is a country code such as ``FR`` or ``US-CA``.

    ``playbooks`` are tried in order, and ``playbook`` is what an offboarding follows where none of them fits. Without a
    ``save_playbook`` negotiations open no case, without a ``baseline_playbook`` deals that were won open none.
    ``reason_wait`` is how long a missing reason holds the plan back (P-04); zero: not at all.
    ``starts_at`` is the moment of switch-on: endings before it open no case (P-71). ``our_name`` is our company's name
    as customers know it; empty: nobody said. Without ``exit_rights`` no such clock runs (P-2B).
    A score of ``low_score`` or below calls for care at once (P-36). ``figures`` names the mapped key figures, such as
    ``company.active_users``, and ``figure_names`` says what some of them are called, by language.
    """

    account: str
    time_zone: str
    language: str
    calendar: str
    watch: tuple[WatchRule, ...]
    people: PeopleRule
    playbook: str
    playbooks: tuple[PlaybookRule, ...] = ()
    save_playbook: str | None = None
    baseline_playbook: str | None = None
    asks_reason: bool = False
    reason_wait: timedelta = timedelta(days=5)
    starts_at: datetime | None = None
    figures: tuple[str, ...] = ()
    figure_names: Mapping[str, Texts] = Field(default_factory=dict)
    look_back: timedelta = timedelta(days=365)
    signs: SignRule = SignRule()
    digest: DigestRule | None = None
    early: EarlyRule | None = None
    low_score: int = 6
    our_name: str = ""
    exit_rights: ExitRights | None = None
    door: DoorRules = Field(default_factory=DoorRules)
