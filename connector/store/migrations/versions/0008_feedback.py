"""Whose survey a link is, under which playbook an answer came, and which deliveries of survey tools were taken

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("roles", sa.JSON(), nullable=True))
    op.add_column("links", sa.Column("person", sa.Text(), nullable=True))
    op.create_index("ix_links_account_kind_made_at", "links", ["account", "kind", "made_at"])
    op.add_column("answers", sa.Column("playbook", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "feedback_deliveries",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name="pk_feedback_deliveries"),
    )


def downgrade() -> None:
    op.drop_table("feedback_deliveries")
    op.drop_column("answers", "playbook")
    op.drop_index("ix_links_account_kind_made_at", "links")
    op.drop_column("links", "person")
    op.drop_column("links", "roles")
