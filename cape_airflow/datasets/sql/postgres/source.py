"""Reading from PostgreSQL: columns described by the server, rows by COPY, all in one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from cape_airflow.datasets.base import Source
from cape_airflow.datasets.failures import attempt
from cape_airflow.datasets.sql.failures import sql_attempt, sql_attempt_each
from cape_airflow.datasets.sql.names import Reference
from cape_airflow.datasets.sql.postgres.place import Place
from cape_airflow.datasets.sql.postgres.session import Session, quoted, relation, server_identity
from cape_airflow.datasets.sql.postgres.types import read_array, read_field
from cape_airflow.datasets.sql.server import Postgres
from cape_airflow.errors import DatasetError

_SNAPSHOT = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    # Each pass and each retry is to see the rows in one order.
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)


class PostgresSource(Source):
    """A table or query in PostgreSQL; what others change while it is open is not seen.

    Args:
        server: where it is.
        what: a table, or a query.
        options: none is known.

    Raises:
        DatasetError: it cannot be read, or a column has a type that cannot be carried.
    """

    def __init__(self, server: Postgres, what: Reference, options: Mapping[str, Any] | None = None) -> None:
        if options:
            raise DatasetError("PostgreSQL knows the types of its columns: give no source_options, cast in a query")
        self.url = f"{what} in {server.name}"
        self.format = "sql"
        self.row_count = None
        self.bytes_read = 0
        self._task = f"read {self.url}"
        self._session = sql_attempt(lambda: Session(server), f"connect to {server.name}")
        try:
            sql_attempt(lambda: self._begin(what), self._task)
        except BaseException:
            self._session.close()
            raise

    def _begin(self, what: Reference) -> None:
        for statement in _SNAPSHOT:
            self._session.execute(statement)
        self._relation = relation(what, self._session.value("SELECT current_schema()::text") or "public")
        found = self._session.schema(f"SELECT * FROM {self._relation}")  # noqa: S608 - quoted, or the author's query
        twice = [name for name, count in Counter(found.names).items() if count > 1]
        if twice:
            raise DatasetError(f"there is more than one column `{twice[0]}`; give them names of their own")
        self.schema = pa.schema([read_field(field) for field in found])
        self._refuse_matrices()

    def _refuse_matrices(self) -> None:
        """Refuse arrays of more than one dimension: the driver would read them as one of their elements."""
        for field in self.schema:
            name = quoted(field.name)
            if pa.types.is_list(field.type) and self._session.value(
                f"SELECT count(*) FROM (SELECT FROM {self._relation} WHERE array_ndims({name}) > 1 LIMIT 1) AS found"  # noqa: S608 - quoted
            ):
                raise DatasetError(f"column `{field.name}` has arrays of more than one dimension; read a query without")

    def batches(
        self, columns: Sequence[str] | None = None, batch_rows: int = 65536
    ) -> Generator[pa.RecordBatch, None, None]:
        """Read all rows in the order in which the server has them. May be called again: the snapshot stays.

        Args:
            columns: names of the columns wanted, in that order; None for all.
            batch_rows: the most rows in a batch.

        Raises:
            SchemaMismatch: no such column.
            DatasetError: it cannot be read; the message shows no value.
        """
        names = self._chosen(columns, self.url)
        self.bytes_read = 0
        return self._batches(names, batch_rows)

    def _batches(self, names: list[str], batch_rows: int) -> Generator[pa.RecordBatch, None, None]:
        listed = ", ".join(map(quoted, names or self.schema.names[:1]))
        sql = f"SELECT {listed} FROM {self._relation}"  # noqa: S608 - quoted, or the author's query
        wanted = pa.schema([self.schema.field(name) for name in names])
        for batch in sql_attempt_each(self._session.batches(sql), self._task, names):
            self.bytes_read += batch.nbytes
            read = pa.RecordBatch.from_arrays([self._column(batch, field) for field in wanted], schema=wanted)
            for start in range(0, read.num_rows, batch_rows):
                yield read.slice(start, batch_rows)

    def _column(self, batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
        return attempt(lambda: read_array(batch.column(field.name), field.type), f"{self._task}, column `{field.name}`")

    def reads(self, target: object) -> bool:
        """Whether the target is a table that is read, also by a query or through a view."""
        return isinstance(target, Place) and sql_attempt(lambda: self._holds(target), self._task)

    def _holds(self, target: Place) -> bool:
        # Describing the columns took a lock on each table of the query, see pg_locks.
        held = """SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = to_regclass($1)"""
        return server_identity(self._session) == target.server and bool(self._session.value(held, target.name))

    def close(self) -> None:
        """End the snapshot."""
        self._session.close()
