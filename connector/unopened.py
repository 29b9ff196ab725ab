"""Answering a tick that asked for an offboarding, where none begins: on the deal where they asked (P-72)."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy.orm import Session

from connector.account import Account
from connector.deal_look import DealLook
from connector.sentences import told
from connector.store import cases, intents
from connector.store.tables import IntentState
from workflows.records import DealState, RecordKind, Ref
from workflows.wording import say
from workflows.writes import CreateNote, UpdateFields, Write

_ROW = re.compile(r" \(P-\w+\)")
_TAKEN_BACK = (IntentState.DONE, IntentState.WITHDRAWN)


def answer_tick(session: Session, account: Account, look: DealLook, reason: str, now: datetime) -> bool:
    """Plan the note with the reason, in the account's language, and the unticking; the look that is under way sends it.

    Each tick is answered once: while its unticking is on its way, or was refused lately, nothing more is planned. A
    deal that is gone cannot be written to, and while its playbook is paused the tick waits (P-76). False: nothing new.
    """
    deal = look.observed.deal
    if not deal.start_now or deal.state is not DealState.LIVE or look.held:
        return False
    prefix = f"{account.name}:unopened:{deal.id}:"
    last = intents.newest(session, account.name, prefix, "fields")
    if last is not None and last.state not in _TAKEN_BACK and last.planned_at > now - cases.LATELY:
        return False
    writes = _writes(f"{prefix}{int(now.timestamp())}", account, deal.id, reason, now)
    intents.plan(session, account.name, "", writes, now)
    return True


def _writes(key: str, account: Account, deal_id: str, reason: str, now: datetime) -> list[Write]:
    language = account.config.language
    why = "; ".join(_ROW.sub("", told(one, language)) for one in reason.split("; "))
    body = say("unopened.body", language, reason=why)
    note = CreateNote(key=key, deal_id=deal_id, title=say("unopened.title", language), body=body, at=now)
    target = Ref(kind=RecordKind.DEAL, id=deal_id)
    return [note, UpdateFields(key=f"{key}:untick", deal_id=deal_id, target=target, values={"start_now": False})]
