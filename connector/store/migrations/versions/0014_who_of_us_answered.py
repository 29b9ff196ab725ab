"""Which of our own people an answer is from

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answers", sa.Column("author", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("answers", "author")
