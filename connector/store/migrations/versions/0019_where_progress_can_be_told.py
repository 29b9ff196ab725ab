"""Accounts whose CRM took how far a case is have the fields for it; the others get them with the next provisioning (P-29)

Revision: 0019, after 0018.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_accounts = sa.table("accounts", sa.column("name"), sa.column("state", sa.JSON))
_intents = sa.table("intents", *map(sa.column, ("account", "kind", "state", "reason", "content")))


def upgrade() -> None:
    connection = op.get_bind()
    taken = (
        sa.select(_intents.c.account)
        .distinct()
        .where(_intents.c.kind == "fields", _intents.c.state == "done", _intents.c.reason == "")
        .where(sa.cast(_intents.c.content, sa.Text).like('%"steps_all"%'))
    )
    for name in connection.scalars(taken).all():
        mine = _accounts.c.name == name
        state = connection.scalar(sa.select(_accounts.c.state).where(mine)) or {}
        connection.execute(_accounts.update().where(mine).values(state={**state, "progress_fields": "yes"}))


def downgrade() -> None:
    """What was noted does no harm."""
