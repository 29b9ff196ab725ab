"""When an answer reached us, which may be long after it was given in another survey tool

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No table is made anew here: rows of other tables hang on these, and would go with the old one.
    long_ago = sa.text("'1970-01-01 00:00:00.000000'")
    op.add_column(
        "answers", sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, server_default=long_ago)
    )
    op.execute('update answers set received_at = "at"')
    op.create_index("ix_answers_account_received_at", "answers", ["account", "received_at"])


def downgrade() -> None:
    op.drop_index("ix_answers_account_received_at", "answers")
    op.drop_column("answers", "received_at")
