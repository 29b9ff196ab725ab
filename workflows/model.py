"""The words of the domain, shared by every part of the product.

Everything here is immutable and vendor-neutral. Datetimes are aware; what the CRM gave as a date stays a
:class:`datetime.date`. Ids are the CRM's own, as text. Texts from outside are plain text: who shows them escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Model(BaseModel):
    """Base of all domain words: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- records of the CRM ---------------------------------------------------------------------------------------------


class RecordKind(StrEnum):
    """Kinds of CRM records that we read or write."""

    DEAL = "deal"
    COMPANY = "company"
    CONTACT = "contact"
    TASK = "task"
    NOTE = "note"
    FILE = "file"


class Ref(Model):
    """Points at one CRM record."""

    kind: RecordKind
    id: str


class User(Model):
    """Someone who works in the CRM and can own tasks."""

    id: str
    name: str
    email: str
    active: bool = True
    time_zone: str | None = None
    language: str | None = None


class Stage(Model):
    """A stage of a pipeline. ``closed`` and ``won`` are the CRM's own view of it."""

    id: str
    label: str
    closed: bool = False
    won: bool = False


class Pipeline(Model):
    """A pipeline with its stages in display order. In a CRM without pipelines: a record type, or all deals."""

    id: str
    label: str
    stages: tuple[Stage, ...]


class Role(StrEnum):
    """What a contact is to the decision (P-11); COUNTERPART: who says "received" for the handover (P-13)."""

    DECIDER = "decider"
    USER = "user"
    INFLUENCER = "influencer"
    COUNTERPART = "counterpart"
    OTHER = "other"


class Contact(Model):
    """A person at the customer's. Who cannot be written to gets a call, not a link (P-16).

    ``bounced``: the CRM saw mail to their address come back. ``start_score`` is our own field of that name as it stands
    in the CRM (P-33); a company has one as well.
    """

    id: str
    name: str
    first_name: str = ""
    email: str | None = None
    language: str | None = None
    roles: tuple[Role, ...] = ()
    primary: bool = False
    opted_out: bool = False
    bounced: bool = False
    start_score: int | None = None


class Company(Model):
    """The customer. ``figures`` holds the mapped key figures as the CRM's own text."""

    id: str
    name: str
    owner_id: str | None = None
    start_score: int | None = None
    figures: Mapping[str, str] = Field(default_factory=dict)


class StageEntry(Model):
    """The deal entered ``stage_id`` at ``at``."""

    stage_id: str
    at: AwareDatetime


class OwnerEntry(Model):
    """From ``at`` on, the deal was owned by this user; None: by nobody."""

    owner_id: str | None
    at: AwareDatetime


class DealState(StrEnum):
    """Whether the record can still be worked with (P-09)."""

    LIVE = "live"
    DELETED = "deleted"
    ARCHIVED = "archived"
    MERGED = "merged"


class Deal(Model):
    """One deal as the CRM shows it now. ``start_now``: someone asked there for its offboarding to begin (P-72).

    ``stage_history`` is newest first; its first entry is the present stage. A CRM that tells only the last change
    gives one entry. ``past_owner_ids`` are former owners, for P-10; ``owner_history`` says when each owned it, newest
    first, as far as the CRM tells. ``contract_end`` is the mapped end of the contract, or None when the field is empty
    (P-07). ``merged_into`` is set with :attr:`DealState.MERGED`.
    """

    id: str
    name: str = ""
    state: DealState = DealState.LIVE
    merged_into: str | None = None
    pipeline_id: str | None = None
    stage_id: str = ""
    stage_history: tuple[StageEntry, ...] = ()
    owner_id: str | None = None
    past_owner_ids: tuple[str, ...] = ()
    owner_history: tuple[OwnerEntry, ...] = ()
    amount: Decimal | None = None
    currency: str | None = None
    close_date: date | None = None
    contract_end: date | None = None
    exit_reason: str | None = None
    figures: Mapping[str, str] = Field(default_factory=dict)
    company_id: str | None = None
    contact_ids: tuple[str, ...] = ()
    start_now: bool = False


PastField = Literal["name", "pipeline_id", "owner_id", "amount", "close_date", "contract_end", "exit_reason"]
"""The fields of a deal, besides its stage, of which CRMs may keep a history."""


class PastValue(Model):
    """From ``at`` on, until a later one took its place, the ``field`` of a deal had this value."""

    field: PastField
    value: str | Decimal | date | None
    at: AwareDatetime


class People(Model):
    """Company and contacts of one deal."""

    company: Company | None = None
    contacts: tuple[Contact, ...] = ()


class Part(StrEnum):
    """How someone of ours took part in a deal or an account, as the CRM shows it (P-10)."""

    TASK = "task"
    CALL = "call"
    MEETING = "meeting"
    DEAL_TEAM = "deal_team"
    COMPANY_TEAM = "company_team"


class Involvement(Model):
    """This user took part in a deal in this way; ``at`` is the last time, where the CRM tells."""

    user_id: str
    part: Part
    at: AwareDatetime | None = None


class TaskState(Model):
    """A task of ours as it stands in the CRM now. ``found`` is False when the CRM no longer has it.

    ``deferred``: a person set it aside without doing it. ``text`` is the body as plain text, only where the task is
    done or set aside: people may say there that the step was not applicable, and why (P-2E).
    """

    id: str
    found: bool = True
    done: bool = False
    deferred: bool = False
    text: str = ""
    completed_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    owner_id: str | None = None


# --- keyed writes ---------------------------------------------------------------------------------------------------


class Priority(StrEnum):
    """Priority of a task."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class TaskType(StrEnum):
    """What the owner is to do."""

    TODO = "todo"
    CALL = "call"
    EMAIL = "email"


class CreateTask(Model):
    """A task to create. ``body`` is plain text; addresses in it become links. It is found again by ``deal_id``."""

    kind: Literal["task"] = "task"
    key: str
    deal_id: str
    subject: str = Field(max_length=255)
    body: str = ""
    due_at: AwareDatetime
    reminder_at: AwareDatetime | None = None
    priority: Priority = Priority.NORMAL
    type: TaskType = TaskType.TODO
    owner_id: str
    company_id: str | None = None
    contact_ids: tuple[str, ...] = ()
    link: str | None = None


class UpdateTask(Model):
    """Changes to a task of ours; None leaves a value as it is. Never sent for a task that people have closed.

    ``note`` is added below the body, and closes the task when ``close`` is set (P-06).
    """

    kind: Literal["update_task"] = "update_task"
    key: str
    deal_id: str
    task_id: str
    due_at: AwareDatetime | None = None
    owner_id: str | None = None
    note: str | None = None
    close: bool = False


class CreateNote(Model):
    """A note on the deal, and on company and contacts where given. ``body`` is plain text."""

    kind: Literal["note"] = "note"
    key: str
    deal_id: str
    title: str
    body: str
    at: AwareDatetime
    company_id: str | None = None
    contact_ids: tuple[str, ...] = ()


class AttachFile(Model):
    """A document on the deal. ``content`` is base64 when stored as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    kind: Literal["file"] = "file"
    key: str
    deal_id: str
    name: str
    media_type: str
    content: bytes
    at: AwareDatetime


class DocumentKind(StrEnum):
    """An editable document that a step attaches to the deal.

    LETTER: thanks, to sign by the head of the company (P-23). ACHIEVEMENTS: what the relation brought (P-24).
    FAREWELL: a goodbye message (P-28). CASE_STUDY: four questions to a former customer (P-54). PLAN: the steps and
    dates of the exit on one page (P-21). INVENTORY: what is the customer's, to sign for (P-22).
    """

    LETTER = "letter"
    ACHIEVEMENTS = "achievements"
    FAREWELL = "farewell"
    CASE_STUDY = "case-study"
    PLAN = "plan"
    INVENTORY = "inventory"


class AttachDocument(Model):
    """A document to make and attach. ``values`` is all that it says, as plain data (see :mod:`workflows.papers`).

    It becomes an :class:`AttachFile` of the same key when it is sent, so that it stays small until then; adapters never
    see it.
    """

    kind: Literal["document"] = "document"
    key: str
    deal_id: str
    document: DocumentKind
    language: str
    name: str
    values: Mapping[str, Any]
    at: AwareDatetime


FieldValue = str | int | Decimal | bool | AwareDatetime | date | None


class UpdateFields(Model):
    """Values for our own fields on one record, by their names in :data:`workflows.fields.FIELDS`. None empties one."""

    kind: Literal["fields"] = "fields"
    key: str
    deal_id: str
    target: Ref
    values: Mapping[str, FieldValue]


Write = Annotated[
    CreateTask | UpdateTask | CreateNote | AttachFile | AttachDocument | UpdateFields, Field(discriminator="kind")
]


# --- playbooks ------------------------------------------------------------------------------------------------------

Texts = Mapping[str, str]
"""A text by language code. The first playbook language is the fallback."""


class Anchor(StrEnum):
    """The moment that an offset counts from. ``step:<key>`` and ``overdue:<key>`` are spelt in :class:`Moment`."""

    OPENED = "opened"
    CONFIRMED = "confirmed"
    CONTRACT_END = "contract_end"
    ANSWERED = "answered"
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
    appears. ``customer`` is what the customer reads of the step on their page; without it, they see nothing (P-2A).
    A ``lasting`` step does not hold up the end of the case, and may still appear after it (P-51 … P-56).
    ``until`` says what makes the step needless, such as a reminder once the contact has answered (P-3A): it is left out
    then, or its open task is closed.
    """

    key: str
    type: TaskType = TaskType.TODO
    due: Moment
    release: Moment
    not_before: Moment | None = None
    repeat: Repeat | None = None
    lasting: bool = False
    until: Literal["answered"] | None = None
    owner: str
    when: str | None = None
    per_contact: bool = False
    per_item: bool = False
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
    after the case has run to its end; None: until people say otherwise (P-25).
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


# --- cases ----------------------------------------------------------------------------------------------------------


class CaseStatus(StrEnum):
    """Where a case stands. The first three are open: a deal has at most one open case (P-08).

    COMPLETED: all was done, or what a save plan was for has come about (P-02). DISMISSED: the stage did not hold
    (P-03). CANCELLED: reopened, renewed (P-06), moved on to another kind of case, or by hand. STOPPED: the record went
    away (P-09).
    """

    SETTLING = "settling"
    AWAITING_REASON = "awaiting_reason"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    DISMISSED = "dismissed"
    STOPPED = "stopped"


OPEN_STATUSES = frozenset({CaseStatus.SETTLING, CaseStatus.AWAITING_REASON, CaseStatus.ACTIVE})


class StepStatus(StrEnum):
    """Where a step stands. WRITING: its task is on the way to the CRM. NOT_APPLICABLE: a person said so (P-2E)."""

    WAITING = "waiting"
    WRITING = "writing"
    OPEN = "open"
    DONE = "done"
    NOT_APPLICABLE = "not_applicable"
    CLOSED = "closed"
    DELETED = "deleted"
    SKIPPED = "skipped"
    FAILED = "failed"


class Step(Model):
    """One step of one case. ``key`` is the rule's key, with ``@<contact id>`` for a per-contact step.

    ``due_at`` and ``owner_id`` are what we last wrote; a person's own change in the CRM wins over them (P-7B).
    ``why`` explains the choice of the owner in one line (P-15). ``reason`` is what people gave for a step that is not
    applicable (P-2E).
    """

    key: str
    rule: str
    contact_id: str | None = None
    status: StepStatus = StepStatus.WAITING
    due_at: AwareDatetime | None = None
    owner_id: str | None = None
    why: str = ""
    task_id: str | None = None
    completed_at: AwareDatetime | None = None
    reason: str = ""


class Case(Model):
    """One ending of one customer relation, or one negotiation or beginning. ``number`` counts the deal's cases, from 1.

    ``entered_at`` is when the deal entered the stage that opened the case; it tells one ending from the next (P-08).
    ``written`` holds a digest of what was last written for a purpose other than a step (fields, notes), by the name of
    that purpose, so that the same is not written again.
    """

    id: str
    account: str
    deal_id: str
    deal_name: str = ""
    number: int = 1
    kind: CaseKind = CaseKind.OFFBOARDING
    status: CaseStatus
    paused: bool = False
    playbook: str
    playbook_version: str = ""
    language: str
    stage_id: str
    entered_at: AwareDatetime
    opened_at: AwareDatetime
    confirmed_at: AwareDatetime | None = None
    contract_end: date | None = None
    reason: str | None = None
    answered_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    outcome: str = ""
    company_id: str | None = None
    contact_ids: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    written: Mapping[str, str] = Field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """True while the case may still write."""
        return self.status in OPEN_STATUSES

    def step(self, key: str) -> Step | None:
        """The step with this key, or None."""
        return next((step for step in self.steps if step.key == key), None)


class Event(Model):
    """A line of a case's log (P-74): what happened and why, in words. ``data`` holds ids, never personal data."""

    what: str
    detail: str = ""
    data: Mapping[str, str] = Field(default_factory=dict)


# --- what is the customer's -----------------------------------------------------------------------------------------


class ItemKind(StrEnum):
    """What an item of the inventory is (P-22)."""

    FILES = "files"
    EXPORT = "export"
    DOCUMENTS = "documents"
    CONTRACTS = "contracts"
    REPORTS = "reports"
    LOGINS = "logins"
    TRAINING = "training"
    OTHER = "other"


class InventoryItem(Model):
    """One thing that belongs to the customer (P-22): who hands it over, where it is found, and by when.

    ``owner_id`` is one of our users; None: the customer's own counterpart sees to it. ``received_on`` closes the item.
    Never holds a secret: logins go through a password manager.
    """

    id: str
    kind: ItemKind = ItemKind.OTHER
    title: str
    owner_id: str | None = None
    place: str = ""
    due_on: date | None = None
    evidence: str = ""
    received_on: date | None = None
    received_by: str = ""
    changed_at: AwareDatetime


# --- feedback -------------------------------------------------------------------------------------------------------


class QuestionType(StrEnum):
    """How a question is asked."""

    SCALE = "scale"
    CHOICE = "choice"
    CHOICES = "choices"
    TEXT = "text"


class Department(StrEnum):
    """Who is concerned by what leavers say (P-40)."""

    PRODUCT = "product"
    SALES = "sales"
    FINANCE = "finance"
    OPERATIONS = "operations"
    SUCCESS = "success"


class Option(Model):
    """One choice. ``value`` is stable; the texts may be reworded (P-34).

    A reason of an admin's own names with ``category`` the stable reason that it counts as. ``steps`` are those steps of
    a playbook that the choice is about: without any of them in the case, nobody is offered it (P-35).
    """

    value: str
    text: Texts
    category: str | None = None
    steps: tuple[str, ...] = ()


class Question(Model):
    """One question. ``field`` names the feedback field that the answer feeds, if any.

    A scale runs from ``low`` to ``high`` inclusive, with the meaning of both ends in ``ends``. With ``roles``, only
    people in one of these roles are asked (P-11).
    """

    key: str
    type: QuestionType
    text: Texts
    help: Texts = Field(default_factory=dict)
    required: bool = False
    field: str | None = None
    low: int = 0
    high: int = 10
    ends: tuple[Texts, ...] = ()
    options: tuple[Option, ...] = ()
    roles: tuple[Role, ...] = ()
    department: Department | None = None
    max_length: int = 60_000


class Section(Model):
    """Questions under one heading. A ``fold`` section is the optional long form, closed at first (P-32)."""

    key: str
    title: Texts
    intro: Texts = Field(default_factory=dict)
    fold: bool = False
    questions: tuple[Question, ...]


class Questionnaire(Model):
    """A survey page or an interview form."""

    key: str
    version: str
    kind: LinkKind
    languages: tuple[str, ...]
    title: Texts
    intro: Texts
    thanks: Texts
    sections: tuple[Section, ...]

    def questions(self) -> tuple[Question, ...]:
        """All questions in order."""
        return tuple(question for section in self.sections for question in section.questions)


AnswerValue = int | str | tuple[str, ...]


class Answer(Model):
    """What one person answered, by question key; unanswered questions are absent.

    ``by`` is ``customer``, ``csm`` (who held the conversation) or ``team`` (the account's own people).
    """

    case_id: str
    contact_id: str | None
    questionnaire: str
    by: str
    language: str
    at: AwareDatetime
    values: Mapping[str, AnswerValue]


# --- after the end --------------------------------------------------------------------------------------------------


class NewsKind(StrEnum):
    """What may be learned of a customer who has left.

    WISH: what they wished for is there (P-52). MOVED: one of them works elsewhere now (P-53). RETURNED: they are back
    with another deal (P-56).
    """

    WISH = "wish"
    MOVED = "moved"
    RETURNED = "returned"


class News(Model):
    """One such piece of news. ``id`` tells it from others of its kind; ``text`` is the wish, or the new company's name.

    ``contact_id`` is the person whom it is about; None: nobody in particular.
    """

    kind: NewsKind
    id: str
    at: AwareDatetime
    contact_id: str | None = None
    text: str = ""


class StartingFigure(Model):
    """A key figure as it stood at the start, as the CRM's own text, and when that was."""

    value: str
    at: AwareDatetime


class StartingPerson(Model):
    """Someone on the stakeholder map of the start. No name: who it is stands in the CRM."""

    contact_id: str
    roles: tuple[Role, ...] = ()


class Baseline(Model):
    """Where the relation with a company began (P-60, P-61).

    ``figures`` go by their names in the settings, such as ``company.active_users``; what was empty is absent.
    ``people`` is the stakeholder map as it was last taken, at ``people_at``. ``frame`` is what was agreed on how to
    work together, by question of the questionnaire ``frame``.
    """

    figures: Mapping[str, StartingFigure] = Field(default_factory=dict)
    people: tuple[StartingPerson, ...] = ()
    people_at: AwareDatetime | None = None
    frame: Mapping[str, AnswerValue] = Field(default_factory=dict)


class FigureChange(Model):
    """From ``at`` on, a mapped figure had this value, as the CRM's own text; None: empty.

    ``before`` is the value that it had until then, where the CRM tells.
    """

    figure: str
    value: str | None
    at: AwareDatetime
    before: str | None = None


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


# --- an account's rules ---------------------------------------------------------------------------------------------


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
    contract is for the admin to judge.
    """

    notice_months: int = Field(default=2, ge=0, le=24)
    switching_days: int = Field(default=30, ge=0, le=366)
    retrieval_days: int = Field(default=30, ge=0, le=366)
    no_charges_from: date = date(2027, 1, 12)


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
    ``company.active_users``.
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
    look_back: timedelta = timedelta(days=365)
    signs: SignRule = SignRule()
    digest: DigestRule | None = None
    early: EarlyRule | None = None
    low_score: int = 6
    our_name: str = ""
    exit_rights: ExitRights | None = None
    door: DoorRules = Field(default_factory=DoorRules)
