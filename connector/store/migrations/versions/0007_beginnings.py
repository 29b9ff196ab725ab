"""Where relations began, and cases by their company

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "baselines",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("people", sa.JSON(), nullable=False),
        sa.Column("people_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account", "subject", name=op.f("pk_baselines")),
    )
    op.create_index("ix_cases_account_company_id", "cases", ["account", "company_id"])


def downgrade() -> None:
    op.drop_index("ix_cases_account_company_id", "cases")
    op.drop_table("baselines")
