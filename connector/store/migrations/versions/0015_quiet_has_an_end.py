"""Customers who were left quiet without an end are looked at once more: it ends a year after their case (P-25)

Revision: 0015, after 0014.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        INSERT INTO agenda (account, deal_id, due_at, version, tasks, asked, why, attempts)
        SELECT account, deal_id, MAX(closed_at), 1, false, false, 'quiet has an end', 0 FROM cases
        WHERE kind = 'offboarding' AND status = 'completed' AND closed_at IS NOT NULL
          AND CAST(written AS TEXT) LIKE '%quiet=True%' AND CAST(written AS TEXT) NOT LIKE '%"quiet_until"%'
          AND NOT EXISTS (
            SELECT 1 FROM agenda AS known WHERE known.account = cases.account AND known.deal_id = cases.deal_id
          )
        GROUP BY account, deal_id
        """
    )


def downgrade() -> None:
    """A look too many does no harm."""
