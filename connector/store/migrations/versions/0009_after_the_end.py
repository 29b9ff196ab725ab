"""What is kept of customers who have left: wishes, where their people are, returns

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wishes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_wishes"),
    )
    op.create_table(
        "voices",
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=True),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wish_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("link_id", "question", name="pk_voices"),
        sa.ForeignKeyConstraint(["link_id"], ["answers.link_id"], name="fk_voices_link_id_answers", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["wish_id"], ["wishes.id"], name="fk_voices_wish_id_wishes", ondelete="SET NULL"),
    )
    op.create_index("ix_voices_case_id", "voices", ["case_id"])
    op.create_index("ix_voices_wish_id", "voices", ["wish_id"])
    op.create_table(
        "whereabouts",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("company_id", sa.Text(), nullable=True),
        sa.Column("company_name", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account", "contact_id", name="pk_whereabouts"),
    )
    op.create_index("ix_whereabouts_case_id", "whereabouts", ["case_id"])
    op.create_table(
        "returns",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "deal_id", name="pk_returns"),
    )
    op.create_index("ix_returns_case_id", "returns", ["case_id"])


def downgrade() -> None:
    for table in ("returns", "whereabouts", "voices", "wishes"):
        op.drop_table(table)
