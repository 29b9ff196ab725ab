"""Slows down whoever guesses passwords, and shuts out no admin for good.

A lock after so many wrong passwords would be a weapon: a stranger who knows an admin's address, or sits behind the same
proxy, could shut the admin out. So each wrong password only makes the next try wait, longer each time up to a limit;
and browsers that have signed in before are counted by themselves, so that no stranger's tries hold them up (OWASP's
device cookies, https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies). In any other
browser an admin waits as long as somebody goes on guessing at their address; a link that is made on the machine
(``aurevoir admin reset --link``) asks for no password, and makes theirs a known one.

A try counts before its password is looked at, and is taken back when that was right: several at once get no more.

Counts are in the database, so that they hold for all web processes together (:mod:`connector.store.tries`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, Response, request
from flask_limiter.util import get_remote_address
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy.orm import Session

from connector.store import Store, tries

REMEMBERED = timedelta(days=365)
COOKIE = "aurevoir_known"


@dataclass(frozen=True)
class Lane:
    """Who is counted together: after ``free`` wrong passwords each further one doubles the wait, up to ``longest``."""

    key: str
    free: int
    longest: timedelta

    def wait(self, wrong: int) -> timedelta:
        """How long the next try waits after so many wrong ones."""
        over = wrong - self.free
        return min(timedelta(seconds=1 << min(over, 20)), self.longest) if over >= 0 else timedelta()


class Brake:
    """Counts tries by lane, and takes back the right ones; alike in all threads and processes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, lanes: Sequence[Lane], now: datetime) -> timedelta:
        """Count a try, if these lanes are open. Otherwise how long from now until they are; it is not counted then."""
        with self._store.read() as session:  # a flood that is held up costs no writing
            if wait := _wait(session, lanes, now):
                return wait
        with self._store.write() as session:
            tries.hold(session, [lane.key for lane in lanes])
            if wait := _wait(session, lanes, now):
                return wait
            for lane in lanes:
                tries.add(session, lane.key, now)
        return timedelta()

    def right(self, lanes: Sequence[Lane]) -> None:
        """The password of that try was right: in the first lane all is forgotten, in the others this try alone."""
        with self._store.write() as session:
            tries.hold(session, [lane.key for lane in lanes])
            for lane in lanes:
                tries.take_back(session, lane.key, all_of_it=lane is lanes[0])


def _wait(session: Session, lanes: Sequence[Lane], now: datetime) -> timedelta:
    """How long until all of these lanes are open."""
    waits = [timedelta()]
    for lane in lanes:
        wrong, last = tries.of(session, lane.key, now)
        waits.append(last + lane.wait(wrong) - now)
    return max(waits)


class KnownBrowsers:
    """Browsers in which someone has signed in: each holds a sealed number of its own, and whom it is for."""

    def __init__(self, app: Flask) -> None:
        keys = [*app.config["SECRET_KEY_FALLBACKS"], app.config["SECRET_KEY"]]  # the newest last, as they are signed
        self._seal = URLSafeTimedSerializer(keys, salt="known browser")
        self._config = app.config

    def number(self, email: str | None = None) -> str | None:
        """This browser's number, if it is known: at all, or to the admin with this address."""
        try:
            held = self._seal.loads(request.cookies.get(COOKIE, ""), max_age=int(REMEMBERED.total_seconds()))
        except BadData:
            return None
        return str(held["n"]) if email is None or held["who"] == digest(email) else None

    def remember(self, response: Response, email: str) -> None:
        """From now on this browser is known to the admin with this address."""
        response.set_cookie(
            COOKIE,
            self._seal.dumps({"n": secrets.token_urlsafe(16), "who": digest(email)}),
            max_age=REMEMBERED,
            path=self._config["SESSION_COOKIE_PATH"],
            secure=self._config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )

    def sender(self) -> str:
        """Who sends, for limits: a known browser by itself, all others by their address."""
        number = self.number()
        return f"known {number}" if number is not None else get_remote_address()

    def lanes(self, email: str) -> tuple[Lane, ...]:
        """Where a wrong password for this address counts, in the browser that sends it."""
        number = self.number(email)
        if number is not None:
            return (Lane(f"known {number}", 5, timedelta(minutes=5)),)
        who = digest(email)
        return (
            Lane(f"{who} from {get_remote_address()}", 5, timedelta(minutes=1)),
            Lane(f"{who} from strangers", 20, timedelta(seconds=10)),
        )


def digest(email: str) -> str:
    """An address without its words."""
    return hashlib.sha256(email.strip().casefold().encode()).hexdigest()
