"""Which new deals were told why their customer left is known without the note, which goes with the old texts (P-43)

Revision: 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "told",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("fit", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "deal_id", name="pk_told"),
    )
    op.execute(
        r"""
        INSERT INTO told (account, deal_id, fit, at)
        SELECT account, deal_id, MAX(CASE WHEN key LIKE '%\:fit' THEN 1 ELSE 0 END) = 1, MAX(planned_at) FROM intents
        WHERE kind = 'note' AND key LIKE '%\:former\:%'
        GROUP BY account, deal_id
        """
    )


def downgrade() -> None:
    op.drop_table("told")
