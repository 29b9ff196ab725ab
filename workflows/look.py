"""What a decision rests on, and what follows from it: what goes into :func:`workflows.decide.decide`, and comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import AwareDatetime, Field

from workflows.cases import Baseline, Case, Event, FigureChange, InventoryItem, News
from workflows.questions import Answer, Questionnaire
from workflows.records import Deal, Involvement, Model, People, TaskState, User
from workflows.rules import AccountRules, LinkKind, Playbook
from workflows.writes import Write


class Links(Protocol):
    """Makes the address of a page of ours. Always the same address for the same arguments."""

    def __call__(self, kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
        """The full address."""


class Look(Model):
    """All that a decision rests on.

    ``people`` is None while they have not been read, and so is ``involved``: who else took part in the deal (P-10).
    ``case`` is the deal's open case, ``last`` its newest ended one. ``playbook`` is the version that the open case
    follows (or the last one, where that was stopped or completed: it may be taken up again, or have lasting steps);
    without one, the account's usual one. ``playbooks`` holds by key the newest version of all that a case could
    begin with. ``tasks`` holds the states of those tasks of ours that were read just now, by task id. ``load``
    counts the open tasks of ours by user id. ``inventory`` is the case's list of what is the customer's (P-22).
    ``started_with`` holds key figures as they were at the start of the relation, by ``deal.<name>`` and
    ``company.<name>`` (P-24); None while they have not been read. ``new_case_id`` is the id for a case that opens
    now. ``asked`` is True when an admin asked for this deal to be taken in although its ending is older than the
    switch-on (P-71, P-72). ``surveyed`` says when contacts, by id, were last sent a survey for another case, if
    that was within the rest period (P-3A). ``survivor`` is set with a merged deal: the open case of the deal that
    it was merged into, if that has one (P-09). ``news`` is what was learned of a customer after the newest case of
    the deal began (P-52, P-53, P-56).
    """

    now: AwareDatetime
    rules: AccountRules
    deal: Deal
    people: People | None = None
    involved: tuple[Involvement, ...] | None = None
    case: Case | None = None
    last: Case | None = None
    older: tuple[Case, ...] = ()
    """The deal's ended cases before ``last``, oldest first, where answers to any of them are known; without steps."""
    playbook: Playbook
    playbooks: Mapping[str, Playbook] = Field(default_factory=dict)
    questionnaires: Mapping[str, Questionnaire] = Field(default_factory=dict)
    users: Mapping[str, User] = Field(default_factory=dict)
    load: Mapping[str, int] = Field(default_factory=dict)
    tasks: Mapping[str, TaskState] = Field(default_factory=dict)
    answers: tuple[Answer, ...] = ()
    surveyed: Mapping[str, AwareDatetime] = Field(default_factory=dict)
    inventory: tuple[InventoryItem, ...] = ()
    started_with: Mapping[str, str] | None = None
    new_case_id: str
    asked: bool = False
    survivor: Case | None = None
    history: tuple[FigureChange, ...] | None = None
    """What the mapped figures of deal and company were before (P-41); None while that was not read."""
    baseline: Baseline | None = None
    """Where the relation with the deal's company began, as far as that was noted (P-60)."""
    news: tuple[News, ...] = ()
    elsewhere: tuple[Mapping[str, str], ...] = ()
    """What other cases wrote last into the fields of the same company and contacts (:func:`workflows.heed.marks`)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a look.

    ``needs_people``, ``needs_involved``, ``needs_tasks``: nothing is decided yet; read the people, who else took
    part, the states of the tasks with these ids, and look again. ``needs_start``: the same for the key figures at
    the start of the relation. ``case`` is the case's next state (None: there is none); it may be the ended case
    that the look gave as its last, and may have moved to another ``deal_id``, which is then to be looked at (P-09).
    ``writes`` are new: each is decided once and becomes an intent. ``withdraw`` names writes of the case that must
    no longer be sent if they were not sent yet. ``next_look`` None: nothing will change by time alone.
    ``close_links``: the case's pages no longer take answers; those of a case that is open again do.
    """

    needs_people: bool = False
    needs_history: bool = False
    """As needs_people: read what the mapped figures were before."""
    needs_involved: bool = False
    needs_tasks: tuple[str, ...] = ()
    needs_start: bool = False
    case: Case | None = None
    writes: tuple[Write, ...] = ()
    withdraw: tuple[str, ...] = ()
    next_look: datetime | None = None
    events: tuple[Event, ...] = ()
    close_links: bool = False
    starting: Baseline | None = None
    """To be kept of the beginning of a relation, beside what is known of it already (P-60)."""
