"""Writing to any database that SQLAlchemy knows, in one transaction: whatever ends a run leaves the rows as they were.

The table stays, with all that belongs to it; its rows are deleted and written anew, which nobody sees before the end.
A table that is wanting is made first; databases that end a transaction over that (MySQL, Oracle) then show it empty.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa  # noqa: TID253 - see connecting.py

from cape_airflow.datasets.base import Sink, Source
from cape_airflow.datasets.sql.alchemy.connecting import connect, identity
from cape_airflow.datasets.sql.alchemy.types import check_type, new_type
from cape_airflow.datasets.sql.failures import sql_attempt
from cape_airflow.datasets.sql.names import Table, Write
from cape_airflow.datasets.sql.provenance import LEDGER, LEDGER_COLUMNS, provenance
from cape_airflow.datasets.sql.server import Database
from cape_airflow.errors import DatasetError

INSERTED_ROWS = 8192
"""Rows in one ``executemany``."""


class DatabaseSink(Sink):
    """A table.

    Args:
        server: where it is.
        table: the target.
        job_id: the same for every attempt of one job.
        write: in place of the rows that are there, or beside them.
    """

    def __init__(self, server: Database, table: Table, job_id: str, write: Write) -> None:
        self.url = f"{table} in {server.name}"
        self.format = "sql"
        self.rows_written = 0
        self._bytes = 0
        self._server = server
        self._name = table
        self._job_id = job_id
        self._write = write
        self._task = f"write {self.url}"
        self._schema = pa.schema([])
        self._table = sa.Table(table.name, sa.MetaData(), schema=table.schema)
        self._connection: sa.Connection | None = None
        self._is_repeated = False

    @property
    def bytes_written(self) -> int:
        """Bytes of the rows in memory."""
        return self._bytes

    def check_source(self, source: Source) -> None:
        """Refuse to write to the table that is read.

        Raises:
            DatasetError: the target is the source.
        """
        if source.reads(identity(self._server, self._table)):
            raise DatasetError(f"{self.url} is part of what is read; write the output elsewhere")

    def open(self, schema: pa.Schema) -> None:
        """Begin the transaction.

        Args:
            schema: of all batches; its metadata says which policy made them.

        Raises:
            DatasetError: the table has other columns, or another run writes to it.
        """
        self._schema = schema
        connection = sql_attempt(lambda: connect(self._server, writing=True), self._task)
        self._connection = connection
        sql_attempt(lambda: self._begin(connection), self._task)

    def _begin(self, connection: sa.Connection) -> None:
        if sa.inspect(connection).has_table(self._name.name, schema=self._name.schema):
            self._table = sa.Table(self._name.name, sa.MetaData(), schema=self._name.schema, autoload_with=connection)
            self._check_columns()
        else:
            columns: list[sa.Column[Any]] = [
                sa.Column(field.name, new_type(field.name, field.type)) for field in self._schema
            ]
            self._table = sa.Table(self._name.name, sa.MetaData(), *columns, schema=self._name.schema)
            self._table.create(connection)
        ledger = _ledger(self._name.schema)
        ledger.create(connection, checkfirst=True)
        self._record(connection, ledger)

    def _check_columns(self) -> None:
        for field in self._schema:
            if field.name not in self._table.c:
                raise DatasetError(f"the table has no column `{field.name}`; add it there, or drop it in the policy")
            check_type(field.name, field.type, self._table.c[field.name].type)
        for column in self._table.c:
            if column.name not in self._schema.names and column.server_default is None:
                raise DatasetError(f"the table has a column `{column.name}` that the output has not; drop it there")

    def _record(self, connection: sa.Connection, ledger: sa.Table) -> None:
        """Write down what the job does, and make room for its rows; an append that is there already adds none."""
        of_target = ledger.c.target == self._name.name
        self._of_job = sa.update(ledger).where(of_target, ledger.c.job_id == self._job_id)
        if self._write is Write.REPLACE:
            connection.execute(sa.delete(ledger).where(of_target))
            connection.execute(sa.delete(self._table))
        elif connection.execute(sa.select(ledger).where(of_target, ledger.c.job_id == self._job_id)).first():
            self._is_repeated = True
            return
        digest, now = provenance(self._schema, self._job_id).policy_digest, datetime.now(UTC).replace(tzinfo=None)
        connection.execute(sa.insert(ledger).values((self._name.name, self._job_id, digest, 0, now)))

    def write(self, batch: pa.RecordBatch) -> None:
        """Take the next rows.

        Raises:
            DatasetError: the database does not take them.
        """
        if batch.schema != self._schema:  # Arrow would cast in silence
            raise DatasetError(f"cannot {self._task}: a batch is of another schema than the output was opened with")
        if not self._is_repeated:
            sql_attempt(lambda: self._insert(batch), self._task, self._schema.names)
        self.rows_written += batch.num_rows
        self._bytes += batch.nbytes

    def _insert(self, batch: pa.RecordBatch) -> None:
        statement = sa.insert(self._table)
        for start in range(0, batch.num_rows, INSERTED_ROWS):
            self._opened.execute(statement, batch.slice(start, INSERTED_ROWS).to_pylist())

    def finish(self) -> None:
        """Nothing is pending: all rows are in the transaction."""

    def commit(self) -> None:
        """End the transaction, so that all see the rows.

        Raises:
            DatasetError: it could not be ended; the table is as it was.
        """
        sql_attempt(self._publish, self._task)
        self._opened.close()
        self._connection = None

    def _publish(self) -> None:
        if self._is_repeated:
            return  # an earlier attempt did it
        self._opened.execute(self._of_job.values(row_count=self.rows_written))
        self._opened.commit()

    def abort(self) -> None:
        """End the transaction: what was written is gone. Harmless after `commit`."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @property
    def _opened(self) -> sa.Connection:
        if self._connection is None:
            raise DatasetError(f"{self.url} is not open")
        return self._connection


def _ledger(schema: str | None) -> sa.Table:
    kinds: tuple[Any, ...] = (sa.String(255), sa.String(32), sa.String(64), sa.BigInteger(), sa.DateTime())
    columns: list[sa.Column[Any]] = [
        sa.Column(name, kind, primary_key=name in {"target", "job_id"})
        for name, kind in zip(LEDGER_COLUMNS, kinds, strict=True)
    ]
    return sa.Table(LEDGER, sa.MetaData(), *columns, schema=schema)
