"""Erasure requests (P-79): from the CRM's privacy event, or by an admin's hand; each confirmed by a receipt.

The receipt names nobody: it says what was removed here, and what stays where and why. Whoever was erased is recognised
by a keyed digest, so that a late signal does not bring them back and no page or task is made for them again.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from adapters.errors import AurevoirError
from connector import outbox
from connector.links import LinkSigner
from connector.store import Store, agenda, cases, erasing, mentions
from workflows.cases import Event
from workflows.permission import keys_asked
from workflows.questions import Questionnaire
from workflows.records import People
from workflows.said import Said
from workflows.wording import say

_NOT_ASKED = (
    "Not finished: the CRM did not answer when asked who this is. Erased is what we knew by ourselves; erase "
    "again once `aurevoir check` says that it answers."
)
_UNPLACED = Said(
    "somebody of the case was erased, and the form named somebody who fits no contact: if that was somebody else, open "
    "the form again and write the name anew"
)


class Unknown(AurevoirError):
    """Nobody here fits what was said, or too little was said."""


@dataclass(frozen=True)
class Receipt:
    """The confirmation. ``stays``: what is left, in sentences; ``back_ups``: files that still hold what was removed.

    ``to_look_at``: where a part of the name stands, which may be anybody's; ``forms_without_a_name``: cases whose forms
    named somebody who fits no contact, which is gone as well.
    ``crm_away``: the CRM could not be asked who has the address, so contacts that only it knows of were not found.
    """

    account: str
    reference: str
    at: str
    answers_removed: int
    texts_emptied: int
    writes_withdrawn: int
    links_closed: int
    raw_events_removed: int
    tasks_closed: int
    cases: int
    tasks_in_crm: tuple[str, ...]
    notes_in_crm: tuple[str, ...]
    back_ups: tuple[str, ...]
    already: str | None = None
    crm_away: bool = False
    to_look_at: tuple[mentions.Place, ...] = ()
    forms_without_a_name: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For scripts, with the sentences; it quotes and names nobody."""
        return asdict(self) | {"stays": self.stays, "to_look_at": [one.as_json() for one in self.to_look_at]}

    @property
    def found(self) -> bool:
        """Whether anything of them was here, now or when they were erased before."""
        return self.already is not None or self.removes or bool(self.to_look_at)

    @property
    def removes(self) -> bool:
        """Whether anything goes by it, here or from an open task in the CRM."""
        here = self.cases, self.answers_removed, self.texts_emptied, self.writes_withdrawn, self.links_closed
        return any(here) or bool(self.tasks_closed or self.raw_events_removed)

    @property
    def stays(self) -> list[str]:
        """What is left, and why."""
        told = [_NOT_ASKED] if self.crm_away else []
        told += [
            "In the CRM: the person's own record and what is written there, unless the CRM erases it itself; we never "
            "delete what is yours."
        ]
        if self.tasks_in_crm or self.notes_in_crm:
            told.append(
                f"In the CRM, made by us: {len(self.tasks_in_crm)} tasks and {len(self.notes_in_crm)} notes of the "
                "deals concerned, whose texts may hold the name. They are listed by id: delete them if they must go."
            )
        if self.forms_without_a_name:
            cases_told = ", ".join(one[:8] for one in self.forms_without_a_name)
            told.append(
                f"A name that fits no contact was taken out of forms of these cases, since it may have been theirs: "
                f"{cases_told}. If it was somebody else's, open the form again and write it anew."
            )
        if self.to_look_at:
            told.append(
                f"Here: texts with a part of the name, which may be anybody's ({_at_least(len(self.to_look_at))}). "
                "They are listed with their places: look at them, and erase again by the words that must go."
            )
        told.append("Here: the CRM's id of the person in keys and in the log. It names nobody without the CRM.")
        told.append("Here: a keyed digest, so that they are not taken in again.")
        if self.back_ups:
            told.append(f"Back-ups from before still hold what was removed: {', '.join(self.back_ups)}. Delete them.")
        told.append("Back-ups that you made elsewhere: let them run out, and erase again after a restore.")
        return told


class Erasure:
    """Forgets people, in the caller's transaction."""

    def __init__(self, links: LinkSigner, questionnaires: Mapping[str, Questionnaire]) -> None:
        self._links, self._asked = links, keys_asked(questionnaires)

    def erase(
        self,
        session: Session,
        account: str,
        contact_ids: Collection[str],
        now: datetime,
        *,
        language: str,
        words: Sequence[str] = (),
        back_ups: Sequence[str] = (),
    ) -> Receipt:
        """Remove, remember, close what is open, and log it; again and again with the same end."""
        said = [*contact_ids, *(word for word in words if "@" in word)]
        digests = {one: self._links.who(account, one) for one in said}
        before = erasing.known(session, account, [digest for all_of in digests.values() for digest in all_of])
        own = erasing.cases_of(session, account, contact_ids)
        note = say("close.erased", language)
        done = erasing.erase(session, account, contact_ids, now, words=words, note=note, asked=self._asked)
        left = mentions.places(session, account, {*own, *done.cases}, words) if words else []
        for case in done.unplaced:
            told = Event(what="name taken out", detail=_UNPLACED)
            cases.log(session, account, [told], now, case_id=case.id, deal_id=case.deal_id)
        for case_id, write in done.closing:
            outbox.put(session, account, [write], now, case_id=case_id, why="someone was erased")
        agenda.put(session, account, [agenda.Entry(one, now, "someone was erased") for one in sorted(done.deals)])
        already = before.at.isoformat() if before is not None else None
        receipt = _receipt(account, done, now, back_ups, already=already, left=left)
        first = receipt.as_json() if before is None else dict(before.receipt)
        erasing.remember(session, account, [all_of[0] for all_of in digests.values()], first, now)
        if done.anything or before is None:
            event = Event(what="person erased", detail=f"reference {receipt.reference}")
            cases.log(session, account, [event], now)
        return receipt

    def without(self, account: str, people: People, erased: Collection[str]) -> People:
        """These people without those who were erased."""
        kept = tuple(
            contact
            for contact in people.contacts
            if not any(
                digest in erased
                for said in (contact.id, contact.email or contact.id)
                for digest in self._links.who(account, said)
            )
        )
        return people if len(kept) == len(people.contacts) else people.model_copy(update={"contacts": kept})


def _at_least(count: int) -> str:
    return f"at least {count}" if count >= mentions.MOST_PLACES else str(count)


def _receipt(
    account: str,
    done: erasing.Erased,
    now: datetime,
    back_ups: Sequence[str],
    *,
    already: str | None,
    left: Sequence[mentions.Place],
) -> Receipt:
    return Receipt(
        account=account,
        reference=uuid.uuid4().hex[:12],
        at=now.astimezone(UTC).isoformat(timespec="seconds"),
        answers_removed=done.answers,
        texts_emptied=done.texts,
        writes_withdrawn=done.withdrawn,
        links_closed=done.links,
        raw_events_removed=done.events,
        tasks_closed=len(done.closing),
        cases=len(done.cases),
        tasks_in_crm=tuple(sorted(done.left_tasks)),
        notes_in_crm=tuple(sorted(done.left_notes)),
        back_ups=tuple(back_ups),
        already=already,
        to_look_at=tuple(left[: mentions.MOST_PLACES]),
        forms_without_a_name=tuple(sorted({case.id for case in done.unplaced})),
    )


def back_ups(store: Store) -> list[str]:
    """Copies of the database that we made beside it, before upgrades."""
    if store.path is None:
        return []
    return sorted(str(path) for path in store.path.parent.glob(f"{store.path.name}.*.bak"))
