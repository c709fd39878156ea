"""Service accounts, deactivated users, and what people prove with who they are."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables. Users that are there already are people, and active; their seals stay good."""
    op.add_column("users", sa.Column("kind", sa.String(32), nullable=False, server_default="person"))
    op.add_column("users", _moment("deactivated_at", nullable=True))
    _table("passwords", _user(unique=True), sa.Column("encoded", sa.Text(), nullable=False), _moment("changed_at"))
    for table in ("browser_sessions", "one_time_links"):
        _table(
            table,
            sa.Column("id", sa.String(26), nullable=False, unique=True),
            _user(index=True),
            sa.Column("secret_digest", sa.LargeBinary(), nullable=False, unique=True),
            _moment("created_at"),
            *([_moment("last_used_at")] if table == "browser_sessions" else []),
            _moment("expires_at"),
        )
    _table(
        "external_identities",
        sa.Column("issuer", sa.String(300), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        _user(index=True),
        _moment("created_at"),
        sa.UniqueConstraint("issuer", "subject"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("external_identities", "one_time_links", "browser_sessions", "passwords"):
        op.drop_table(table)
    for column in ("deactivated_at", "kind"):
        op.drop_column("users", column)


def _table(name: str, *parts: sa.Column[Any] | sa.Constraint) -> None:
    seal = sa.Column("seal", sa.LargeBinary(), nullable=False)
    op.create_table(name, sa.Column("seq", _number(), primary_key=True), *parts, seal)


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _user(*, unique: bool = False, index: bool = False) -> sa.Column[int]:
    return sa.Column("user_seq", _number(), sa.ForeignKey("users.seq"), nullable=False, unique=unique, index=index)
