"""What runs on other schedulers, and which applications our own jobs ran as."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    _table(
        "job_applications",
        _reference("job_seq", "jobs"),
        sa.Column("application_id", sa.String(200), nullable=False, index=True),
        sa.UniqueConstraint("job_seq", "application_id"),
    )
    _table(
        "schedulers",
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        _moment("next_poll_at", nullable=False),
        _moment("polled_at"),
        _moment("succeeded_at"),
        sa.Column("trouble", sa.Text()),
        sa.Column("lease_owner", sa.String(26)),
        _moment("lease_until"),
    )
    _table(
        "scheduler_jobs",
        sa.Column("id", sa.String(26), nullable=False, unique=True),
        _reference("scheduler_seq", "schedulers"),
        sa.Column("external_id", sa.String(700), nullable=False),
        sa.Column("application_id", sa.String(300), index=True),
        sa.Column("user_name", sa.String(300), index=True),
        sa.Column("project_label", sa.String(64), index=True),
        sa.Column("spark", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        _moment("seen_at", nullable=False),
        _moment("cancel_asked_at"),
        sa.UniqueConstraint("scheduler_seq", "external_id"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("scheduler_jobs", "schedulers", "job_applications"):
        op.drop_table(table)


def _table(name: str, *parts: sa.Column[Any] | sa.Constraint) -> None:
    op.create_table(name, sa.Column("seq", _number(), primary_key=True), *parts)


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _moment(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _reference(name: str, table: str) -> sa.Column[int]:
    return sa.Column(name, _number(), sa.ForeignKey(f"{table}.seq"), nullable=False)
