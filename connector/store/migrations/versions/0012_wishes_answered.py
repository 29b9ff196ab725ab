"""Which answers were gone through for wishes, and what became of a wish

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Columns are added one by one: rows of other tables hang on these, and would go with a table that is made anew.
    op.add_column("answers", sa.Column("heard", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_answers_account_heard", "answers", ["account", "heard"])
    op.add_column("wishes", sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("wishes", sa.Column("settled_on", sa.Date(), nullable=True))
    op.add_column("wishes", sa.Column("note", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    for name in ("note", "settled_on", "declined_at"):
        op.drop_column("wishes", name)
    op.drop_index("ix_answers_account_heard", "answers")
    op.drop_column("answers", "heard")
