"""A connection of SQLAlchemy that shows no values: neither in its log nor in its errors."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa  # noqa: TID253 - this package is imported only where a database is reached by it

from cape_airflow.datasets.sql.server import Database

_SNAPSHOTS = ("REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE")


def connect(server: Database, *, writing: bool) -> sa.Connection:
    """Open a connection of its own, and begin its transaction.

    Args:
        server: where to log in.
        writing: SQLite then locks out other writers at once, instead of in the middle.
    """
    engine = sa.create_engine(server.url, poolclass=sa.NullPool, hide_parameters=True, echo=False)
    if engine.dialect.name == "sqlite":
        _in_transactions(engine, "BEGIN IMMEDIATE" if writing else "BEGIN")
    connection = engine.connect()
    if not writing:
        connection = _in_snapshot(connection)
    connection.begin()
    return connection


def identity(server: Database, table: sa.Table) -> tuple[str, ...]:
    """Return what tells a table from all others that are reached by the same address."""
    url = sa.make_url(server.url)
    return (url.get_backend_name(), str(url.host), str(url.port), str(url.database), str(table.schema), table.name)


def _in_snapshot(connection: sa.Connection) -> sa.Connection:
    """Ask for the weakest isolation that shows one state in all its reads; a database without one gets none."""
    raw: Any = connection.connection.dbapi_connection
    known = connection.dialect.get_isolation_level_values(raw)
    level: Any = next((level for level in _SNAPSHOTS if level in known), None)
    return connection if level is None else connection.execution_options(isolation_level=level)


def _in_transactions(engine: sa.Engine, begin: str) -> None:
    """Let SQLite's transactions hold what its driver would leave out: reads, and changes of the schema."""

    @sa.event.listens_for(engine, "connect")
    def leave_to_us(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def start(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)
