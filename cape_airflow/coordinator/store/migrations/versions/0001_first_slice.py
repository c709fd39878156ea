"""The first slice: people, projects, review, keys, jobs, and an audit log that only grows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TABLES = (
    "audit",
    "replays",
    "job_columns",
    "jobs",
    "key_versions",
    "project_keys",
    "signing_keys",
    "approvals",
    "comments",
    "suggestions",
    "contributors",
    "projects",
    "tokens",
    "users",
)

_SQLITE_TRIGGERS = (
    """CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
       BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END""",
    """CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
       BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END""",
    # REPLACE deletes without asking the trigger above.
    """CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
       WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
       BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END""",
)

_POSTGRESQL_TRIGGERS = (
    """CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql
       AS 'BEGIN RAISE EXCEPTION ''the audit log only grows''; END'""",
    """CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
       FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()""",
)


def upgrade() -> None:
    """Make all tables."""
    _people()
    _review()
    _keys()
    _jobs()
    _replays()
    _audit()


def downgrade() -> None:
    """Drop all tables."""
    for table in _TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_only_grows()")


def _table(name: str, *parts: sa.Column[Any] | sa.Constraint) -> None:
    op.create_table(name, sa.Column("seq", _number(), primary_key=True), *parts)


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, length: int | None = None, *, nullable: bool = False, unique: bool = False) -> sa.Column[str]:
    kind = sa.Text() if length is None else sa.String(length)
    return sa.Column(name, kind, nullable=nullable, unique=unique)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _reference(
    name: str, table: str, *, nullable: bool = False, unique: bool = False, index: bool = False
) -> sa.Column[int]:
    return sa.Column(name, _number(), sa.ForeignKey(f"{table}.seq"), nullable=nullable, unique=unique, index=index)


def _people() -> None:
    _table(
        "users",
        _text("id", 26, unique=True),
        _text("email", 254, unique=True),
        _text("name"),
        _text("role", 32),
        _moment("created_at"),
        _bytes("seal"),
    )
    _table(
        "tokens",
        _text("id", 26, unique=True),
        _reference("user_seq", "users", index=True),
        sa.Column("parent_id", sa.String(26), sa.ForeignKey("tokens.id"), nullable=True, index=True),
        _bytes("secret_digest"),
        _text("description"),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("revoked_at", nullable=True),
        _moment("last_used_at", nullable=True),
        _bytes("seal"),
    )
    _table(
        "projects",
        _text("id", 26, unique=True),
        _text("label", 64, unique=True),
        _text("name"),
        _text("description"),
        _moment("created_at"),
        _bytes("seal"),
    )
    _table(
        "contributors",
        _reference("project_seq", "projects"),
        _reference("user_seq", "users", index=True),
        _text("role", 32),
        _moment("created_at"),
        _bytes("seal"),
        sa.UniqueConstraint("project_seq", "user_seq"),
    )


def _review() -> None:
    _table(
        "suggestions",
        _text("id", 26, unique=True),
        _reference("project_seq", "projects"),
        _text("title"),
        _text("description"),
        _text("policy"),
        _text("digest", 64),
        _text("state", 32),
        _reference("author_seq", "users"),
        _moment("created_at"),
        _reference("reviewer_seq", "users", nullable=True),
        _moment("reviewed_at", nullable=True),
        _text("review_comment", nullable=True),
        _bytes("seal"),
    )
    op.create_index("suggestions_of_project", "suggestions", ["project_seq", "seq"])
    _table(
        "comments",
        _reference("suggestion_seq", "suggestions", index=True),
        _reference("author_seq", "users"),
        _text("text"),
        _moment("created_at"),
    )
    _table(
        "approvals",
        _reference("project_seq", "projects"),
        _reference("suggestion_seq", "suggestions", unique=True),
        _text("digest", 64),
        _json("document"),
        _bytes("signature"),
    )
    op.create_index("approvals_of_project", "approvals", ["project_seq", "seq"])
    op.create_index("approvals_by_digest", "approvals", ["project_seq", "digest", "seq"])


def _keys() -> None:
    _table(
        "signing_keys",
        _text("key_id", 16, unique=True),
        _bytes("public_key"),
        _bytes("wrapped"),
        _moment("created_at"),
    )
    _table(
        "project_keys",
        _reference("project_seq", "projects"),
        _text("name", 200),
        _integer("length"),
        _integer("primary_version"),
        _moment("created_at"),
        sa.UniqueConstraint("project_seq", "name"),
    )
    _table(
        "key_versions",
        _reference("key_seq", "project_keys"),
        _integer("version"),
        _bytes("wrapped"),
        _moment("created_at"),
        sa.UniqueConstraint("key_seq", "version"),
    )


def _jobs() -> None:
    _table(
        "jobs",
        _reference("project_seq", "projects"),
        _text("job_id", 32),
        _text("state", 32),
        _integer("attempts"),
        _text("policy_digest", 64),
        _json("start"),
        _json("progress"),
        _json("finish"),
        _moment("heartbeat_at"),
        sa.UniqueConstraint("project_seq", "job_id"),
    )
    op.create_index("jobs_of_project", "jobs", ["project_seq", "seq"])
    _table(
        "job_columns",
        _reference("job_seq", "jobs"),
        _integer("position"),
        _text("name"),
        _json("techniques"),
        _text("decision"),
        sa.Column("value_count", sa.BigInteger(), nullable=False),
        sa.Column("null_count", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("job_seq", "position"),
    )


def _replays() -> None:
    _table(
        "replays",
        _reference("token_seq", "tokens"),
        _text("key", 200),
        _bytes("fingerprint"),
        _moment("created_at"),
        _integer("status"),
        _bytes("wrapped"),
        sa.UniqueConstraint("token_seq", "key"),
    )


def _audit() -> None:
    _table(
        "audit",
        _moment("time"),
        _text("event", 64),
        _text("user_id", 26, nullable=True),
        _text("user_email", 254, nullable=True),
        _text("project", 64, nullable=True),
        _text("target_type", 32),
        _text("target_id", 200),
        _text("target_label", nullable=True),
        _text("request_id", 36, nullable=True),
        _text("client_address", 64, nullable=True),
    )
    for statement in _POSTGRESQL_TRIGGERS if op.get_bind().dialect.name == "postgresql" else _SQLITE_TRIGGERS:
        op.execute(statement)
