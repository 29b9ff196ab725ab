"""Admins of the console: how they come in, and how long they stay.

There is no default password. An admin is made on the machine itself (``aurevoir admin add``), with a password typed
there or with a link that sets one, good once and for a day. Passwords are kept as argon2id hashes with the parameters
that OWASP names for it (19 MiB, two passes, one lane). A signed-in browser holds a random value whose digest stands in
the database; it ends after an hour without a sign of life, after twelve hours, by signing out, and with each new
password.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from adapters.errors import AurevoirError
from connector.clock import Clock
from connector.store import Store, admins, cases
from connector.store.console_tables import AdminRow
from workflows.cases import Event

if TYPE_CHECKING:
    from argon2 import PasswordHasher

INVITATION = timedelta(hours=24)
IDLE = timedelta(hours=1)
LONGEST = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
"""A sign of life is kept no oftener than this, since it costs a write."""
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
EVERYWHERE = ""
"""Stands for no account in the log: what concerns the installation as a whole."""

_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost")
_ONE_HASH_AT_A_TIME = threading.Semaphore(2)
"""A hash takes 19 MiB on purpose; many sign-ins at once must not take all memory."""


class AdminProblem(AurevoirError):
    """What was asked for an admin cannot be done; the message says what to do instead."""


@dataclass(frozen=True)
class Admin:
    """A signed-in admin, and the digest of the browser's session."""

    id: int
    email: str
    session: str = ""


class Admins:
    """Adds, removes and signs in."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    # --- on the machine ---------------------------------------------------------------------------------------------

    def add(self, email: str) -> None:
        """A new admin, who cannot sign in before a password is set. Raises :class:`AdminProblem`."""
        if not _MAIL.fullmatch(email.strip()):
            raise AdminProblem(f"{email!r} is no e-mail address")
        with self._store.write() as session:
            if admins.by_email(session, email) is not None:
                raise AdminProblem(f"{email} is an admin already: `aurevoir admin reset {email}` gives a new password")
            admins.add(session, email, self._clock.now())
            self._note(session, email, "admin added")

    def remove(self, email: str) -> None:
        """Take an admin out, and sign out their browsers."""
        with self._store.write() as session:
            admins.remove(session, self._known(session, email).id)
            self._note(session, email, "admin removed")

    def listing(self) -> Sequence[AdminRow]:
        """All admins, by address."""
        with self._store.read() as session:
            return admins.listing(session)

    def invite(self, email: str) -> tuple[str, datetime]:
        """A token to set a password with, good once, and until when. What there was of sessions ends."""
        token = secrets.token_urlsafe(32)
        until = self._clock.now() + INVITATION
        with self._store.write() as session:
            row = self._known(session, email)
            admins.change(session, row.id, invitation=_digest(token), invited_until=until, password=None)
            admins.end_sessions(session, row.id)
            self._note(session, email, "admin invited")
        return token, until

    def set_password(self, email: str, password: str) -> None:
        """Give an admin a password; all their browsers are signed out. Raises :class:`AdminProblem`."""
        require_good(password, email)
        hashed = _hash(password)
        with self._store.write() as session:
            row = self._known(session, email)
            admins.change(session, row.id, password=hashed, invitation=None, invited_until=None)
            admins.end_sessions(session, row.id)
            self._note(session, email, "password set")

    # --- in the browser ---------------------------------------------------------------------------------------------

    def invited(self, token: str) -> Admin | None:
        """Whom an invitation is for; looking at it does not use it up."""
        with self._store.read() as session:
            row = admins.by_invitation(session, _digest(token), self._clock.now())
        return Admin(row.id, row.email) if row is not None else None

    def accept(self, token: str, password: str) -> str | None:
        """Set the password of who was invited, and sign them in; None when the invitation is over.

        Raises :class:`AdminProblem` for a bad password, which does not use it up.
        """
        invited = self.invited(token)
        if invited is None:
            return None
        require_good(password, invited.email)
        hashed = _hash(password)
        with self._store.write() as session:
            row = admins.by_invitation(session, _digest(token), self._clock.now())
            if row is None:
                return None
            admins.change(session, row.id, password=hashed, invitation=None, invited_until=None)
            admins.end_sessions(session, row.id)
            self._note(session, row.email, "password set")
            return self._begin(session, row)

    def sign_in(self, email: str, password: str) -> str | None:
        """What the browser is to hold; None when address and password do not belong together.

        An unknown address costs the same time as a wrong password.
        """
        with self._store.read() as session:
            row = admins.by_email(session, email)
        right = _verify(row.password if row is not None else None, password[: LONGEST_PASSWORD + 1])
        with self._store.write() as session:
            # Read again: the password may have been changed while the hash was made.
            now = admins.by_email(session, email)
            if not right or row is None or now is None or now.password != row.password:
                self._note(session, row.email if row is not None else "", "sign-in refused")
                return None
            return self._begin(session, now)

    def signed_in(self, held: str) -> Admin | None:
        """The admin whose browser holds this, unless it is over."""
        digest, now = _digest(held), self._clock.now()
        with self._store.read() as session:
            found = admins.of_session(session, digest)
        if found is None:
            return None
        row, admin = found
        if row.seen_at + IDLE <= now or row.made_at + LONGEST <= now:
            with self._store.write() as session:
                admins.end_session(session, digest)
            return None
        if row.seen_at + SEEN_EVERY <= now:
            with self._store.write() as session:
                admins.seen(session, digest, now)
        return Admin(admin.id, admin.email, digest)

    def sign_out(self, admin: Admin) -> None:
        """This browser's cookie is worth nothing from now on."""
        with self._store.write() as session:
            admins.end_session(session, admin.session)
            self._note(session, admin.email, "signed out")

    # ----------------------------------------------------------------------------------------------------------------

    def _begin(self, session: Session, row: AdminRow) -> str:
        held, now = secrets.token_urlsafe(32), self._clock.now()
        admins.tidy(session, now - LONGEST)
        admins.begin_session(session, _digest(held), row.id, now)
        admins.change(session, row.id, signed_in_at=now)
        self._note(session, row.email, "signed in")
        return held

    @staticmethod
    def _known(session: Session, email: str) -> AdminRow:
        row = admins.by_email(session, email)
        if row is None:
            known = ", ".join(one.email for one in admins.listing(session)) or "none yet"
            raise AdminProblem(f"{email} is no admin; there are: {known}")
        return row

    def _note(self, session: Session, email: str, what: str) -> None:
        note(session, self._clock.now(), email.strip().casefold(), what)


def note(session: Session, now: datetime, email: str, what: str, detail: str = "", account: str = EVERYWHERE) -> None:
    """A line in the log on what an admin did."""
    cases.log(session, account, [Event(what=what, detail=detail, data={"admin": email} if email else {})], now)


def require_good(password: str, email: str) -> None:
    """Raise :class:`AdminProblem` for a password that is short or easily guessed; length is what counts."""
    if len(password) < SHORTEST_PASSWORD:
        raise AdminProblem(f"Take at least {SHORTEST_PASSWORD} characters: a few words that you can remember do well.")
    if len(password) > LONGEST_PASSWORD:
        raise AdminProblem(f"Take at most {LONGEST_PASSWORD} characters.")
    plain = password.casefold()
    if (
        len(set(plain)) < 5
        or email.partition("@")[0].casefold() in plain
        or plain in ("password1234", "passwordpassword")
    ):
        raise AdminProblem("That is easily guessed: take a few words that have nothing to do with you.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher  # only where somebody signs in

    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@cache
def _nobodys() -> str:
    """A hash to compare with where there is none, so that it takes the same time."""
    return _hasher().hash(secrets.token_urlsafe(16))


def _hash(password: str) -> str:
    with _ONE_HASH_AT_A_TIME:
        return _hasher().hash(password)


def _verify(hashed: str | None, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    with _ONE_HASH_AT_A_TIME:
        try:
            _hasher().verify(hashed or _nobodys(), password)
        except (VerificationError, InvalidHashError):
            return False
    return hashed is not None
