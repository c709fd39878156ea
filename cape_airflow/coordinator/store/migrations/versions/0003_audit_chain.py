"""The audit log becomes a hash chain, and has followers: checkpoints and sinks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

from cape_airflow.coordinator.audit.chain import FACTS, GENESIS, hash_of
from cape_airflow.coordinator.clock import rfc3339
from cape_airflow.coordinator.store.types import UtcDateTime

revision = "0003"
down_revision = "0002"

_CHAIN = ("previous", "hash")
_INDEXED = ("event", "user_email", "project", "target_id")
_AT_ONCE = 1000

_SQLITE_TRIGGERS = {
    "audit_no_update": "BEFORE UPDATE ON audit",
    "audit_no_delete": "BEFORE DELETE ON audit",
    # REPLACE deletes without asking the trigger above.
    "audit_no_replace": "BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)",
}


def upgrade() -> None:
    """Chain the rows that are there, in their order."""
    with _open_for_change():
        for name in _CHAIN:
            op.add_column("audit", sa.Column(name, sa.String(64), nullable=True))
        _chain_rows()
        with op.batch_alter_table("audit") as audit:
            for name in _CHAIN:
                audit.alter_column(name, existing_type=sa.String(64), nullable=False)
    for name in _INDEXED:
        op.create_index(f"audit_{name}_idx", "audit", [name])
    op.create_table(
        "audit_followers",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("done_seq", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("trouble", sa.Text()),
        sa.Column("lease_owner", sa.String(26)),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    """Take the chain away; the rows stay."""
    op.drop_table("audit_followers")
    for name in _INDEXED:
        op.drop_index(f"audit_{name}_idx", "audit")
    with _open_for_change(), op.batch_alter_table("audit") as audit:
        for name in _CHAIN:
            audit.drop_column(name)


@contextmanager
def _open_for_change() -> Iterator[None]:
    """Take away meanwhile what refuses changes; all is one transaction, and nobody else gets in between."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE audit DISABLE TRIGGER audit_no_change")
        yield
        op.execute("ALTER TABLE audit ENABLE TRIGGER audit_no_change")
        return
    for name in _SQLITE_TRIGGERS:
        op.execute(f"DROP TRIGGER {name}")
    yield
    for name, when in _SQLITE_TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END")


def _chain_rows() -> None:
    columns = [sa.column("time", UtcDateTime()), *(sa.column(name) for name in ("seq", *FACTS[1:], *_CHAIN))]
    audit = sa.table("audit", *columns)
    wanted = sa.select(*(audit.c[name] for name in ("seq", *FACTS))).order_by(audit.c.seq).limit(_AT_ONCE)
    last, head = -1, GENESIS
    while rows := op.get_bind().execute(wanted.where(audit.c.seq > last)).mappings().all():
        for row in rows:
            previous = head
            head = hash_of(dict(row) | {"time": rfc3339(row["time"]), "previous": previous})
            changed = sa.update(audit).where(audit.c.seq == row["seq"]).values(previous=previous, hash=head)
            op.get_bind().execute(changed)
        last = rows[-1]["seq"]
