"""One connection to PostgreSQL, and the one transaction that it is opened for."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pyarrow as pa

from cape_airflow.datasets.sql.names import Query, Reference
from cape_airflow.datasets.sql.server import Postgres
from cape_airflow.errors import MissingExtra

BATCH_BYTES = 16 << 20
"""Bytes after which the driver hands over what it has read."""


class Session:
    """A connection, in a transaction from its first statement on.

    Args:
        server: where to log in.

    Raises:
        MissingExtra: the driver is not installed.
    """

    def __init__(self, server: Postgres) -> None:
        try:
            from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]
        except ImportError:
            raise MissingExtra("adbc_driver_postgresql", "postgres") from None
        self._connection = dbapi.connect(server.uri)
        self.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # transforming may take longer

    def execute(self, sql: str) -> None:
        """Run a statement that returns nothing."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql)

    def rows(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query with ``$1``, ``$2``, ..."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return [tuple(row) for row in cursor.fetchall()]

    def value(self, sql: str, *parameters: str) -> Any:
        """Return the only value of a query."""
        return self.rows(sql, *parameters)[0][0]

    def schema(self, sql: str) -> pa.Schema:
        """Return the columns of a query, without running it."""
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({sql}) AS described LIMIT 0")  # noqa: S608 - see `relation`
            return cursor.fetch_record_batch().schema

    def batches(self, sql: str) -> Generator[pa.RecordBatch, None, None]:
        """Run a query and yield its rows as they come, by COPY in the binary format."""
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)})
            cursor.execute(sql)
            yield from cursor.fetch_record_batch()

    def load(self, schema: str, table: str, batch: pa.RecordBatch) -> None:
        """Add rows to a table, by COPY in the binary format."""
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(table, batch, mode="append", db_schema_name=schema)

    def commit(self) -> None:
        """End the transaction."""
        self._connection.commit()

    def close(self) -> None:
        """Close the connection; what is not committed is gone."""
        self._connection.close()


def quoted(*names: str) -> str:
    """Return a name of one or more parts as PostgreSQL's identifiers (documentation, 4.1.1)."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def relation(what: Reference, default_schema: str) -> str:
    """Return what stands behind FROM: a quoted table, or the author's query as a subquery."""
    if isinstance(what, Query):
        return f"({what.body}) AS source"
    return quoted(what.schema or default_schema, what.name)


def server_identity(session: Session) -> tuple[str, str]:
    """Return what tells one database from all others, whatever its addresses."""
    started, database = session.rows("SELECT pg_postmaster_start_time()::text, current_database()::text")[0]
    return started, database
