"""Links in open tasks that were written under an address of ours that is no longer the public one.

A task's text is not written again: people may have changed it. So such a link works as long as the former address
leads here, and an admin is told how many there are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from connector.links import LinkSigner
from connector.store.tables import IntentRow, StepRow
from workflows.cases import StepStatus
from workflows.rules import LinkKind

_LINK = re.compile(r"(https?://[^\s<>\"']+?)/([a-z]+)/([a-z2-7]{52})(?![\w-])")


def open_tasks(session: Session, links: LinkSigner, account: str) -> dict[str, int]:
    """How many open tasks of the account carry a link under which former address of ours."""
    found: Counter[str] = Counter()
    for content in _contents(session, account):
        said = f"{content.get('body') or ''} {content.get('link') or ''}"
        found.update(
            {
                base
                for base, path, token in _LINK.findall(said)
                if base != links.public_url and _is_ours(links, path, token)
            }
        )
    return dict(found)


def _contents(session: Session, account: str) -> Iterator[dict[str, object]]:
    """What the tasks say that people have not done yet, as it was written; some outlast their cases."""
    query = (
        select(IntentRow.content)
        .join(StepRow, StepRow.case_id == IntentRow.case_id)
        .where(IntentRow.account == account, IntentRow.kind == "task", IntentRow.record_id == StepRow.task_id)
        .where(StepRow.status == StepStatus.OPEN.value)
    )
    yield from session.scalars(query)


def _is_ours(links: LinkSigner, path: str, token: str) -> bool:
    """Whether we made the token, for the page of this path."""
    return any(links.path(kind) == path and links.read(kind, token) is not None for kind in LinkKind)
