"""The tables of what lies before and after a case: where a relation began, what leavers asked for, who came back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from connector.store.tables import Base


class BaselineRow(Base):
    """Where the relation with a company began (P-60); see :class:`workflows.cases.Baseline`.

    ``subject`` is ``company:<id>``, or ``deal:<id>`` where the deal has no company. ``figures``: value and moment by
    name; ``people``: roles by contact id.
    """

    __tablename__ = "baselines"
    account: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str]
    figures: Mapped[dict[str, Any]] = mapped_column(default=dict)
    people: Mapped[dict[str, Any]] = mapped_column(default=dict)
    people_at: Mapped[datetime | None]


class WishRow(Base):
    """A line of the ledger of wishes (P-52): what leavers asked for, in a colleague's words.

    ``settled_on`` and ``note``: since when it is there, or when it was declined, and a few words on that.
    """

    __tablename__ = "wishes"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    account: Mapped[str]
    text: Mapped[str]
    made_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    declined_at: Mapped[datetime | None]
    settled_on: Mapped[date | None]
    note: Mapped[str] = mapped_column(server_default="", default="")


class VoiceRow(Base):
    """A leaver voiced a wish in an answer, under this question; the words stand in the answer alone (P-52)."""

    __tablename__ = "voices"
    link_id: Mapped[str] = mapped_column(ForeignKey("answers.link_id", ondelete="CASCADE"), primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str]
    case_id: Mapped[str] = mapped_column(index=True)
    contact_id: Mapped[str | None]
    heard_at: Mapped[datetime]
    wish_id: Mapped[int | None] = mapped_column(ForeignKey("wishes.id", ondelete="SET NULL"), index=True)


class WhereaboutsRow(Base):
    """Where a contact of an ended case was last seen (P-53). ``moved_at``: when we noticed another company."""

    __tablename__ = "whereabouts"
    account: Mapped[str] = mapped_column(primary_key=True)
    contact_id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(index=True)
    company_id: Mapped[str | None]
    company_name: Mapped[str]
    checked_at: Mapped[datetime]
    moved_at: Mapped[datetime | None]


class ReturnRow(Base):
    """A customer who had left came back with this deal; ``case_id`` is the offboarding that they had (P-56)."""

    __tablename__ = "returns"
    account: Mapped[str] = mapped_column(primary_key=True)
    deal_id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]


class ToldRow(Base):
    """A new deal of a former customer was told why they left (P-43). ``fit``: also whether they were a fit.

    The note itself goes with the former case's texts, long before sales is done with the deal.
    """

    __tablename__ = "told"
    account: Mapped[str] = mapped_column(primary_key=True)
    deal_id: Mapped[str] = mapped_column(primary_key=True)
    fit: Mapped[bool]
    at: Mapped[datetime]
