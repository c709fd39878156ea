"""Jobs have the verdicts of whoever read their output again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the column; nobody has looked at the jobs that are there."""
    op.add_column("jobs", sa.Column("verification", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("jobs", "verification")
