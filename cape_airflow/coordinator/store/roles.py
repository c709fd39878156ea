"""On PostgreSQL: a role to run as that can do no more than the coordinator does; above all not change the audit log.

The owner of a table can take its triggers away. So the schema belongs to one role, which only migrates, and the service
runs as another.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from cape_airflow.coordinator.store.migrate import VERSION_TABLE
from cape_airflow.coordinator.store.models import AuditRow, Base

_ONLY_READ = (VERSION_TABLE,)
_ONLY_GROW = (AuditRow.__tablename__,)


def limit(connection: Connection, role: str) -> None:
    """Give `role` what it needs, and take from it what it must not have; nothing where it is this connection's own.

    The role exists already; who makes roles is not for us to say.
    """
    if connection.dialect.name != "postgresql" or connection.scalar(text("SELECT current_user")) == role:
        return
    to = connection.dialect.identifier_preparer.quote(role)
    schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {to}"))
    for table in (*Base.metadata.tables, VERSION_TABLE):
        connection.execute(text(f"REVOKE ALL ON {table} FROM {to}"))
        connection.execute(text(f"GRANT {_rights(table)} ON {table} TO {to}"))
    for table in Base.metadata.tables:
        sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, 'seq')"), {"table": table})
        connection.execute(text(f"GRANT USAGE ON SEQUENCE {sequence} TO {to}"))


def _rights(table: str) -> str:
    if table in _ONLY_READ:
        return "SELECT"
    return "SELECT, INSERT" if table in _ONLY_GROW else "SELECT, INSERT, UPDATE, DELETE"
