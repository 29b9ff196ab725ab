"""What mapped figures were before, for many deals in as few calls as the CRM allows (P-41, P-62)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from adapters.errors import CredentialsInvalid, Permanent
from adapters.port import Crm
from adapters.results import Change
from workflows.cases import FigureChange
from workflows.records import RecordKind, Ref

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Subject:
    """A deal and its company, whose figures are asked for."""

    deal_id: str
    company_id: str | None


def read(
    crm: Crm, account: str, subjects: Sequence[Subject], figures: Sequence[str], since: datetime
) -> Mapping[str, tuple[FigureChange, ...]]:
    """The changes of ``figures`` from ``since`` on, by deal id, oldest first: one batched read for each kind of record.

    A CRM that will not tell of one kind counts as knowing nothing of it: what came of it is said where it is shown.
    """
    names = {
        kind: [figure.partition(".")[2] for figure in figures if figure.startswith(f"{kind}.")]
        for kind in (RecordKind.DEAL, RecordKind.COMPANY)
    }
    by_record: dict[tuple[str, str], list[FigureChange]] = {}
    for kind, fields in names.items():
        ids = [one.deal_id if kind is RecordKind.DEAL else one.company_id for one in subjects]
        refs = [Ref(kind=kind, id=one) for one in dict.fromkeys(ids) if one]
        for change in _ask(crm, account, refs, fields, since) if refs and fields else ():
            figure = f"{kind}.{change.field}"
            found = FigureChange(figure=figure, value=change.value, at=change.at, before=change.before)
            by_record.setdefault((kind, change.record.id), []).append(found)
    return {one.deal_id: _of(one, by_record) for one in subjects}


def _of(subject: Subject, by_record: Mapping[tuple[str, str], list[FigureChange]]) -> tuple[FigureChange, ...]:
    own = by_record.get((RecordKind.DEAL, subject.deal_id), [])
    companys = by_record.get((RecordKind.COMPANY, subject.company_id or ""), [])
    return tuple(sorted((*own, *companys), key=lambda change: change.at))


def _ask(crm: Crm, account: str, refs: Sequence[Ref], fields: Sequence[str], since: datetime) -> Sequence[Change]:
    try:
        return crm.history(refs, fields, since)
    except CredentialsInvalid:
        raise
    except Permanent as error:
        log.warning("no history to be had", account=account, kind=refs[0].kind.value, reason=str(error))
        return ()
