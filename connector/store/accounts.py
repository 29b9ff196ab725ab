"""What belongs to an account as a whole: its row, token, cursors and call budget."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from connector.store.console_tables import JobRow
from connector.store.database import insert_or, one_after_another
from connector.store.tables import (
    AccountRow,
    AgendaRow,
    Base,
    CursorRow,
    HoldRow,
    IntentRow,
    IntentState,
    NoticeRow,
    PauseRow,
    TokenRow,
)

ROUNDS = "rounds"
"""The bucket of holds that keeps an account's rounds of work waiting; all others are buckets of calls."""

Rounds = tuple[datetime | None, datetime | None]
"""When an account was last polled, and last compared."""

SILENT_AFTER = timedelta(minutes=15)
"""A trouble that lasts longer, or a silence, is worth an alarm."""

UNBOUND = ""
"""In place of an account's id in its CRM: it was taken out, and another name may be connected to the same one."""

_HOLDS, _CALL_TABLE = Base.metadata.tables["holds"], Base.metadata.tables["calls"]

SEALED = "tokens.sealed"
"""The column that a sealed token is bound to."""


def get(session: Session, name: str) -> AccountRow | None:
    """The account's row."""
    return session.get(AccountRow, name)


def last_rounds(session: Session) -> dict[str, Rounds]:
    """When each account was last polled and compared, without the rest of its row."""
    rows = session.execute(select(AccountRow.name, AccountRow.polled_at, AccountRow.compared_at))
    return {name: (polled_at, compared_at) for name, polled_at, compared_at in rows}


def ensure(session: Session, name: str, crm: str, account_id: str) -> AccountRow:
    """The account's row, made when it is new."""
    session.execute(
        insert_or(session, AccountRow)
        .values(name=name, crm=crm, account_id=account_id, state={}, known={})
        .on_conflict_do_nothing()
    )
    return session.get_one(AccountRow, name)


def claim(session: Session, name: str, crm: str, account_id: str, same: Callable[[str, str], bool]) -> AccountRow | str:
    """Bind the name to an account of the CRM, unless another name is bound to it: then that name is given.

    Of two that do it at once, in whatever process, the second one sees what the first one did.
    """
    one_after_another(session, f"claim-{crm}")
    for row in session.scalars(select(AccountRow).where(AccountRow.crm == crm, AccountRow.name != name)):
        if row.account_id != UNBOUND and same(row.account_id, account_id):
            return row.name
    row = ensure(session, name, crm, account_id)
    if row.account_id == UNBOUND:
        row.crm, row.account_id = crm, account_id
        session.flush()
    return row


def change(session: Session, name: str, **values: Any) -> None:
    """Set columns of the account's row."""
    session.execute(update(AccountRow).where(AccountRow.name == name).values(**values))


def is_well(row: AccountRow, poll_every: timedelta, now: datetime) -> bool:
    """Whether a switched-on account works: not in trouble for a quarter of an hour, nor silent for three polls.

    One that is paused need not work.
    """
    if row.started_at is None:
        return False
    if row.paused_at is not None:
        return True
    if row.trouble is not None and row.trouble_at is not None and row.trouble_at + SILENT_AFTER <= now:
        return False
    return max(row.worked_at or row.started_at, row.started_at) + max(SILENT_AFTER, 3 * poll_every) > now


def is_taken_out(row: AccountRow | None) -> bool:
    """Whether the connector was taken out of the account (P-7A) and not provisioned or connected again since."""
    return row is not None and row.started_at is None and row.account_id == UNBOUND


def troubled(session: Session, name: str, reason: str, now: datetime) -> None:
    """Work on the account had to stop; ``trouble_at`` stays at the moment since when it cannot be worked on."""
    change(session, name, trouble=reason, trouble_at=func.coalesce(AccountRow.trouble_at, now))


def forget(session: Session, name: str) -> None:
    """The account is switched off: no token, no cursors, nothing on its agenda, nothing that is still to be written."""
    for table in (TokenRow, CursorRow, AgendaRow, HoldRow, PauseRow, NoticeRow, JobRow):
        session.execute(delete(table).where(table.account == name))
    session.execute(
        update(IntentRow)
        .where(IntentRow.account == name, IntentRow.state.in_([IntentState.PLANNED.value, IntentState.SENT.value]))
        .values(state=IntentState.WITHDRAWN.value)
    )
    gone = ("started_at", "paused_at", "trouble", "trouble_at", "worked_at", "polled_at", "compared_at", "known_at")
    change(session, name, account_id=UNBOUND, state={}, known={}, **dict.fromkeys(gone))


def token(session: Session, account: str) -> TokenRow | None:
    """The account's sealed token."""
    return session.get(TokenRow, account, populate_existing=True)


def save_token(
    session: Session, account: str, sealed: str, facts: Mapping[str, str], expires_at: datetime | None, now: datetime
) -> None:
    """Keep a sealed token in place of the former one."""
    _put(
        session,
        TokenRow,
        [TokenRow.account],
        {"account": account, "sealed": sealed, "facts": dict(facts), "expires_at": expires_at, "saved_at": now},
    )


def tokens(session: Session) -> list[TokenRow]:
    """All sealed tokens, by account."""
    return list(session.scalars(select(TokenRow).order_by(TokenRow.account)))


def left_behind(session: Session, present: Collection[str]) -> list[str]:
    """Accounts that are watched, or whose sealed token is kept, and that are not among the present ones."""
    watched = select(AccountRow.name).where(AccountRow.started_at.is_not(None))
    names = session.scalars(watched.union(select(TokenRow.account)))
    return sorted(set(names) - set(present))


def cursor(session: Session, account: str, stream: str) -> str | None:
    """How far the stream was read."""
    row = session.get(CursorRow, (account, stream))
    return row.cursor if row is not None else None


def move_cursor(session: Session, account: str, stream: str, value: str | None, now: datetime) -> None:
    """The stream was read up to ``value``, and what it told is on the agenda. None: begin anew."""
    if value is None:
        session.execute(delete(CursorRow).where(CursorRow.account == account, CursorRow.stream == stream))
    else:
        values = {"account": account, "stream": stream, "cursor": value, "moved_at": now}
        _put(session, CursorRow, [CursorRow.account, CursorRow.stream], values)


_HELD = select(_HOLDS.c.until).where(_HOLDS.c.account == bindparam("of"), _HOLDS.c.bucket == bindparam("in"))
_OURS = (_CALL_TABLE.c.account == bindparam("of"), _CALL_TABLE.c.bucket == bindparam("in"))
_FORGET_CALLS = delete(_CALL_TABLE).where(*_OURS, _CALL_TABLE.c.at <= bindparam("until"))
_CALLS = select(func.count(), func.min(_CALL_TABLE.c.at)).where(*_OURS)
_NOTE_CALL = insert(_CALL_TABLE)
"""Made once, and on the tables themselves: they run before each call to a CRM, and took half as long as the call."""


def take_call(
    session: Session, account: str, bucket: str, *, limit: int, window: timedelta, now: datetime
) -> datetime | None:
    """Count one call, unless the window is full or the CRM said to wait: then the moment to come back is given."""
    one_after_another(session, f"calls-{account}-{bucket}")
    connection, mine = session.connection(), {"of": account, "in": bucket}
    held: datetime | None = connection.scalar(_HELD, mine)
    if held is not None and held > now:
        return held
    connection.execute(_FORGET_CALLS, mine | {"until": now - window})
    used: int
    oldest: datetime
    used, oldest = connection.execute(_CALLS, mine).one()
    if used >= limit:
        return oldest + window
    connection.execute(_NOTE_CALL, {"account": account, "bucket": bucket, "at": now})
    return None


def hold(session: Session, account: str, bucket: str, until: datetime) -> None:
    """No call in this bucket before ``until``; a later hold wins."""
    insert = insert_or(session, HoldRow).values(account=account, bucket=bucket, until=until)
    later = case((insert.excluded.until > HoldRow.until, insert.excluded.until), else_=HoldRow.until)
    session.execute(
        insert.on_conflict_do_update(index_elements=[HoldRow.account, HoldRow.bucket], set_={"until": later})
    )


def held_until(session: Session, account: str, bucket: str, now: datetime) -> datetime | None:
    """Until when the bucket is held, or None."""
    row = session.get(HoldRow, (account, bucket))
    return row.until if row is not None and row.until > now else None


def release_hold(session: Session, account: str, bucket: str) -> None:
    """The reason to wait is gone."""
    session.execute(delete(HoldRow).where(HoldRow.account == account, HoldRow.bucket == bucket))


def resting(session: Session, now: datetime) -> list[str]:
    """Accounts that are paused, or whose rounds wait for a later moment."""
    held = select(HoldRow.account).where(HoldRow.bucket == ROUNDS, HoldRow.until > now)
    paused = select(AccountRow.name).where(AccountRow.paused_at.is_not(None))
    return list(session.scalars(held.union(paused)))


def _put(session: Session, table: type[Any], key: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Insert the row, or set its columns; one statement, so that two that do it at once do not collide."""
    insert = insert_or(session, table).values(**values)
    session.execute(insert.on_conflict_do_update(index_elements=key, set_=dict(values)))
