"""Nobody is chased while they leave: the fields by which other automations know to keep quiet (P-25).

On the deal it is written together with the rest of its fields. Company and contacts follow within the hour, for many
cases at once: a mis-click that is put right at once reaches nobody, and the calls are shared. What people change by
hand stays as they left it (P-7B): we write only when what we want has changed.

Who ends one contract and keeps another remains a customer, with invoices and reminders: then the deal alone says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from workflows.cases import CaseStatus, NewsKind
from workflows.draft import Draft
from workflows.guard import leaving
from workflows.records import DealState, RecordKind, Ref
from workflows.rules import CaseKind, Quiet
from workflows.said import Said
from workflows.writes import UpdateFields, Write

SOON = timedelta(hours=1)
"""So long after the plan has begun, company and contacts are asked to be left alone as well."""
QUIET_FOR = timedelta(days=365)
"""So long after the case, quiet on company and contacts ends where the playbook that it followed names no time."""
MOST_CONTACTS = 1000
"""Of a crowd beyond this, the first are left alone, and the case's log says so. They are written in batches."""
_RUNNING = frozenset({CaseStatus.AWAITING_REASON, CaseStatus.ACTIVE})
_NAME = "_quiet:"
_WHERE = "quiet"
_SINCE = "quiet_since"
_UNTIL = "quiet_until"
_CROWD = "quiet_crowd"
STAYS = "stays"
"""In :attr:`Case.written`: the other deal by which they remain a customer (:func:`workflows.returning.stays`)."""


def is_quiet(draft: Draft) -> bool:
    """Whether the customer is to be left alone now."""
    case = draft.case
    if case.kind is not CaseKind.OFFBOARDING or _where(draft) is Quiet.NOWHERE:
        return False
    if case.status in _RUNNING:
        return True
    if case.status is not CaseStatus.COMPLETED or leaving(draft.look, case) is not None:
        return False
    if any(news.kind is NewsKind.RETURNED for news in draft.look.news):
        return False  # a customer again, by another deal
    until = draft.written.get(_UNTIL)
    return until is None or draft.now < datetime.fromisoformat(until)


def keep_quiet(draft: Draft) -> datetime | None:
    """Ask for quiet on company and contacts, or for no more of it. The next moment at which time alone changes that."""
    case = draft.case
    if case.kind is not CaseKind.OFFBOARDING:
        return None
    quiet = is_quiet(draft)
    _note_moments(draft, quiet)
    since = draft.written.get(_SINCE)
    everywhere = quiet and _is_everywhere(draft)
    if everywhere and since is not None and draft.now < datetime.fromisoformat(since) + SOON:
        return datetime.fromisoformat(since) + SOON
    if draft.look.deal.state is DealState.LIVE or not quiet:
        _write(draft, everywhere)
    until = _until(draft) if everywhere or _UNTIL in draft.written else None
    return until if quiet and case.status is CaseStatus.COMPLETED else None


def end_quiet(draft: Draft) -> None:
    """From now on a completed case asks nobody for quiet any more: nobody will be there to lift it later (P-7A)."""
    draft.written[_UNTIL] = draft.now.isoformat()


def holds_quiet(written: Mapping[str, str]) -> bool:
    """Whether quiet stands on any record by what a case wrote last: deal, company or contact."""
    return any("quiet=True" in last.split("|") for last in written.values())


def is_partial(written: Mapping[str, str]) -> bool:
    """Whether a case was about a part of what the customer has, so that they never left (P-09)."""
    return written.get(_WHERE) == Quiet.DEAL


def asked_for(written: Mapping[str, str]) -> set[str]:
    """The companies and contacts on which a case asks for quiet now, from what it wrote last."""
    return {name for name, last in written.items() if name.startswith(_NAME) and last.endswith("quiet=True")}


def without_lifting(writes: Iterable[Write], elsewhere: Collection[str]) -> list[Write]:
    """These writes, but for those that would end a quiet that another case asks for (:func:`asked_for`) too."""
    return [write for write in writes if _lifted(write) not in elsewhere]


def _lifted(write: Write) -> str | None:
    """What a write ends the quiet on, as :func:`asked_for` names it."""
    if not isinstance(write, UpdateFields) or write.values != {"quiet": False}:
        return None
    return f"{_NAME}{write.target.kind}:{write.target.id}"


def _note_moments(draft: Draft, quiet: bool) -> None:
    """Where, since when, and for how long after the end: the playbook is not asked again once the case is over."""
    if quiet and draft.case.status in _RUNNING:
        draft.written[_WHERE] = draft.look.playbook.quiet.value
        draft.written.setdefault(_SINCE, draft.now.isoformat())
    span = draft.look.playbook.quiet_for
    ended_now = draft.case.status is CaseStatus.COMPLETED and draft.case.closed_at == draft.now
    if ended_now and span is not None:
        draft.written.setdefault(_UNTIL, (draft.now + span).isoformat())


def _where(draft: Draft) -> Quiet:
    """Where the playbook that the case follows, or followed, asks for quiet."""
    if draft.case.status in _RUNNING:
        return draft.look.playbook.quiet
    return Quiet(draft.written.get(_WHERE, Quiet.NOWHERE))


def _is_everywhere(draft: Draft) -> bool:
    """Whether company and contacts are to be left alone too, as long as the deal is."""
    until = _until(draft)
    over = until is not None and draft.now >= until
    return _where(draft) is Quiet.CUSTOMER and STAYS not in draft.written and not over


def _until(draft: Draft) -> datetime | None:
    """When quiet on company and contacts of an ended case ends by time; None while it runs."""
    if _UNTIL in draft.written:
        return datetime.fromisoformat(draft.written[_UNTIL])
    ended = draft.case.closed_at
    return ended + QUIET_FOR if ended is not None and draft.case.status is CaseStatus.COMPLETED else None


def _write(draft: Draft, everywhere: bool) -> None:
    wanted = dict(_targets(draft)) if everywhere else {}
    crowd = len(set(draft.look.deal.contact_ids))
    if wanted and crowd > MOST_CONTACTS and draft.once(_CROWD, str(crowd)):
        draft.log(
            "quiet reaches not all",
            Said("%(count)d contacts; the first %(most)d are asked to be left alone", count=crowd, most=MOST_CONTACTS),
        )
    for name, target in wanted.items():
        draft.fields(name, target, {"quiet": True})
    for name, last in list(draft.written.items()):
        if name.startswith(_NAME) and name not in wanted and last.endswith("quiet=True") and not _is_taken_over(draft):
            kind, _, record_id = name.removeprefix(_NAME).partition(":")
            draft.fields(name, Ref(kind=RecordKind(kind), id=record_id), {"quiet": False})


def _is_taken_over(draft: Draft) -> bool:
    """Whether the deal went into another one, whose own case now speaks for the customer (P-09)."""
    return draft.case.status is CaseStatus.STOPPED and draft.look.survivor is not None


def _targets(draft: Draft) -> Iterator[tuple[str, Ref]]:
    deal = draft.look.deal
    if deal.company_id:
        yield f"{_NAME}{RecordKind.COMPANY}:{deal.company_id}", Ref(kind=RecordKind.COMPANY, id=deal.company_id)
    for contact_id in list(dict.fromkeys(deal.contact_ids))[:MOST_CONTACTS]:
        yield f"{_NAME}{RecordKind.CONTACT}:{contact_id}", Ref(kind=RecordKind.CONTACT, id=contact_id)
