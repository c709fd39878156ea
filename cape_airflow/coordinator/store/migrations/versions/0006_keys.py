"""Key versions have states and seals, keys a period of rotation, workers a grant to reveal; root keys may be served."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MOMENTS = ("retired_at", "destroyed_at")


def upgrade() -> None:
    """Make the columns. Versions that are there are enabled; the start that runs this seals them. No worker reveals."""
    unsealed = sa.text("''" if op.get_bind().dialect.name == "postgresql" else "x''")
    for table in ("project_keys", "key_versions"):
        op.add_column(table, sa.Column("seal", sa.LargeBinary(), nullable=False, server_default=unsealed))
    op.add_column("project_keys", sa.Column("rotate_after_days", sa.Integer()))
    op.add_column("contributors", sa.Column("may_reveal", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("key_versions") as versions:
        versions.add_column(sa.Column("state", sa.String(32), nullable=False, server_default="enabled"))
        for name in _MOMENTS:
            versions.add_column(sa.Column(name, sa.DateTime(timezone=True)))
        versions.alter_column("wrapped", existing_type=sa.LargeBinary(), nullable=True)
    op.create_table(
        "served_root_keys",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop them. Destroyed versions go, and what was retired counts as enabled again."""
    op.drop_table("served_root_keys")
    op.execute("DELETE FROM key_versions WHERE wrapped IS NULL")
    with op.batch_alter_table("key_versions") as versions:
        versions.alter_column("wrapped", existing_type=sa.LargeBinary(), nullable=False)
        for name in ("state", *_MOMENTS, "seal"):
            versions.drop_column(name)
    op.drop_column("contributors", "may_reveal")
    for name in ("rotate_after_days", "seal"):
        op.drop_column("project_keys", name)
