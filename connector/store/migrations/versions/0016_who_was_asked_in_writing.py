"""Open tasks that ask a contact in writing are known as such, also those that earlier versions made (P-3A)

So that they are closed when the contact opts out of messages. A task that asks for a call instead is none of them, nor
is one whose texts were emptied since.

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_OPEN = ("settling", "awaiting_reason", "active")
_steps = sa.table("steps", *map(sa.column, ("case_id", "key", "contact_id", "status", "task_id")))
_links = sa.table("links", *map(sa.column, ("id", "case_id", "contact_id", "kind")))
_cases = sa.table("cases", sa.column("id"), sa.column("status"), sa.column("written", sa.JSON))
_intents = sa.table(
    "intents", sa.column("case_id"), sa.column("kind"), sa.column("record_id"), sa.column("content", sa.JSON)
)


def upgrade() -> None:
    connection = op.get_bind()
    asked = (
        sa.select(_steps.c.case_id, _steps.c.key, _links.c.id, _intents.c.content)
        .join(_cases, _cases.c.id == _steps.c.case_id)
        .join(_links, (_links.c.case_id == _steps.c.case_id) & (_links.c.contact_id == _steps.c.contact_id))
        .join(_intents, (_intents.c.case_id == _steps.c.case_id) & (_intents.c.record_id == _steps.c.task_id))
        .where(_cases.c.status.in_(_OPEN), _steps.c.status == "open", _links.c.kind == "survey")
        .where(_intents.c.kind == "task")
    )
    found: dict[str, set[str]] = {}
    for case_id, step, link, task in connection.execute(asked):
        if link in (task.get("link") or "") and task.get("type") != "call":
            found.setdefault(case_id, set()).add(f"mailed:{step}")
    for case_id, marks in found.items():
        mine = _cases.c.id == case_id
        written = connection.scalar(sa.select(_cases.c.written).where(mine)) or {}
        connection.execute(_cases.update().where(mine).values(written=dict.fromkeys(marks, "yes") | written))


def downgrade() -> None:
    """What was marked does no harm."""
