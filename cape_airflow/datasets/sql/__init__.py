"""Tables and queries of databases: PostgreSQL by ADBC, all others by SQLAlchemy. In one transaction each way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cape_airflow.datasets.base import Sink, Source
from cape_airflow.datasets.sql.names import Query, Reference, Table, Write, is_reference, reference
from cape_airflow.datasets.sql.server import Database, Postgres

__all__ = [
    "Database",
    "Postgres",
    "Query",
    "Reference",
    "Table",
    "Write",
    "is_reference",
    "open_sql_sink",
    "open_sql_source",
    "reference",
]


def open_sql_source(
    server: Postgres | Database, what: Reference, *, options: Mapping[str, Any] | None = None
) -> Source:
    """Open a table or query for reading, in a snapshot that lasts until the source is closed.

    Args:
        server: where it is.
        what: a table, or a query.
        options: ``column_types`` for databases other than PostgreSQL, which does not need them.

    Raises:
        DatasetError: it cannot be read, or a column has a type that cannot be carried.
        MissingExtra: the driver is not installed.
    """
    if isinstance(server, Postgres):
        from cape_airflow.datasets.sql.postgres.source import PostgresSource

        return PostgresSource(server, what, options)
    from cape_airflow.datasets.sql.alchemy.source import DatabaseSource

    return DatabaseSource(server, what, options)


def open_sql_sink(server: Postgres | Database, table: Table, *, job_id: str, write: Write = Write.REPLACE) -> Sink:
    """Name a target; nothing is touched before `Sink.open`.

    Args:
        server: where it is.
        table: it may exist already, with just the columns that are written.
        job_id: the same for every attempt of one job.
        write: in place of the rows that are there, or beside them.
    """
    if isinstance(server, Postgres):
        from cape_airflow.datasets.sql.postgres.sink import PostgresSink

        return PostgresSink(server, table, job_id, write)
    from cape_airflow.datasets.sql.alchemy.sink import DatabaseSink

    return DatabaseSink(server, table, job_id, write)
