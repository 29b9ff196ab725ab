"""The tables of the console: who may sign in, how accounts are connected, and the work that was started there."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from connector.store.tables import Base


class OAuthStateRow(Base):
    """An attempt to connect an account in the browser, good once.

    ``id`` and ``browser`` are digests of what the browser holds; ``verifier`` is sealed by the vault.
    """

    __tablename__ = "oauth_states"
    id: Mapped[str] = mapped_column(primary_key=True)
    crm: Mapped[str]
    account: Mapped[str]
    browser: Mapped[str]
    verifier: Mapped[str]
    redirect_uri: Mapped[str]
    expires_at: Mapped[datetime]


class AdminRow(Base):
    """Someone who may sign in to the console. ``email`` is kept casefolded; ``password`` is an argon2 hash.

    ``invitation`` is the digest of a link to set a password with, good once and until ``invited_until``.
    """

    __tablename__ = "admins"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str | None]
    invitation: Mapped[str | None] = mapped_column(unique=True)
    invited_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime | None]


class AdminSessionRow(Base):
    """A signed-in browser. ``id`` is the digest of what its cookie holds, so that a copy of the database opens nothing.

    Signing out, a new password and removing the admin delete the row: the cookie is worth nothing from then on.
    """

    __tablename__ = "admin_sessions"
    id: Mapped[str] = mapped_column(primary_key=True)
    admin_id: Mapped[int] = mapped_column(ForeignKey("admins.id", ondelete="CASCADE"), index=True)
    made_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class TryRow(Base):
    """Wrong passwords of late under one name, of which only a digest is kept; see :mod:`connector.store.tries`."""

    __tablename__ = "tries"
    key: Mapped[str] = mapped_column(primary_key=True)
    wrong: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)


class JobRow(Base):
    """Work that an admin started in the console, the last of its kind; see :mod:`connector.jobs`.

    ``account`` is empty where it is about the installation. ``run`` tells the one under way from those before.
    ``outcome`` is sealed by the vault, bound to the account.
    """

    __tablename__ = "jobs"
    kind: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    run: Mapped[str]
    begun_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    step: Mapped[str]
    done: Mapped[int]
    total: Mapped[int | None]
    ended_at: Mapped[datetime | None]
    trouble: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str | None]
