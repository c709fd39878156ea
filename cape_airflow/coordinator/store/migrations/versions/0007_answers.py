"""A review may have been said elsewhere: inside Airflow. Which answer there it is, counts once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the column. What was said so far was said here."""
    op.add_column("reviews", sa.Column("via", sa.Text()))
    op.create_index("reviews_via", "reviews", ["via"], unique=True)


def downgrade() -> None:
    """Drop it. What was said elsewhere has seals that are refused from then on."""
    op.drop_index("reviews_via", "reviews")
    op.drop_column("reviews", "via")
