"""What looking after it needs: the last good round, since when something fails, pauses, notices, erasures

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("worked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("agenda", sa.Column("troubled_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "pauses",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("playbook", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "playbook", name=op.f("pk_pauses")),
    )
    op.create_table(
        "notices",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account", "subject", name=op.f("pk_notices")),
    )
    op.create_table(
        "erasures",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receipt", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("account", "who", name=op.f("pk_erasures")),
    )


def downgrade() -> None:
    op.drop_table("erasures")
    op.drop_table("notices")
    op.drop_table("pauses")
    op.drop_column("agenda", "troubled_at")
    op.drop_column("accounts", "worked_at")
