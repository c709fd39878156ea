"""Revisions, verdicts, rules and dry runs of reviews; comments on a line; approvals that can be renewed or revoked."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ONE_APPROVAL = "approvals_suggestion_seq_key"
_UNKNOWN_BEFORE = {"changes-requested": "open", "withdrawn": "rejected", "superseded": "approved"}


def upgrade() -> None:
    """Make the tables and columns."""
    _table(
        "revisions",
        _reference("suggestion_seq", "suggestions"),
        sa.Column("number", sa.Integer(), nullable=False),
        _reference("editor_seq", "users"),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("base_digest", sa.String(64)),
        _moment("created_at"),
        _seal(),
        sa.UniqueConstraint("suggestion_seq", "number"),
    )
    _table(
        "reviews",
        _reference("suggestion_seq", "suggestions", index=True),
        _reference("reviewer_seq", "users"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("comment", sa.Text()),
        _moment("created_at"),
        _seal(),
    )
    _table(
        "review_rules",
        _reference("project_seq", "projects", unique=True),
        sa.Column("quorum", sa.JSON(), nullable=False),
        sa.Column("valid_days", sa.Integer()),
        _moment("updated_at"),
        _seal(),
    )
    _table(
        "dry_runs",
        _reference("suggestion_seq", "suggestions", index=True),
        _reference("reporter_seq", "users"),
        sa.Column("revision", sa.Integer(), nullable=False),
        _moment("created_at"),
        sa.Column("document", sa.JSON(), nullable=False),
    )
    for name in ("line", "revision"):
        op.add_column("comments", sa.Column(name, sa.Integer()))
    with op.batch_alter_table("approvals") as approvals:
        approvals.drop_constraint(_ONE_APPROVAL, type_="unique")
        approvals.add_column(sa.Column("revoked_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Drop them. Of two approvals of one suggestion the newer stays; revoked ones go."""
    op.execute(
        "DELETE FROM approvals WHERE revoked_at IS NOT NULL"
        " OR seq NOT IN (SELECT max(seq) FROM approvals GROUP BY suggestion_seq)"
    )
    with op.batch_alter_table("approvals") as approvals:
        approvals.drop_column("revoked_at")
        approvals.create_unique_constraint(_ONE_APPROVAL, ["suggestion_seq"])
    with op.batch_alter_table("comments") as comments:
        for name in ("line", "revision"):
            comments.drop_column(name)
    suggestions = sa.table("suggestions", sa.column("state", sa.String))
    for state, nearest in _UNKNOWN_BEFORE.items():
        op.execute(suggestions.update().where(suggestions.c.state == state).values(state=nearest))
    for table in ("dry_runs", "review_rules", "reviews", "revisions"):
        op.drop_table(table)


def _table(name: str, *parts: sa.Column[Any] | sa.Constraint) -> None:
    op.create_table(name, sa.Column("seq", _number(), primary_key=True), *parts)


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _seal() -> sa.Column[bytes]:
    return sa.Column("seal", sa.LargeBinary(), nullable=False)


def _reference(name: str, table: str, **more: Any) -> sa.Column[int]:
    return sa.Column(name, _number(), sa.ForeignKey(f"{table}.seq"), nullable=False, **more)
