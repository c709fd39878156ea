"""Reading tables and queries of any database that SQLAlchemy knows, some rows at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
import sqlalchemy as sa  # noqa: TID253 - see connecting.py

from cape_airflow.datasets.base import Source
from cape_airflow.datasets.formats.types import declared, without_null_types
from cape_airflow.datasets.sql.alchemy.connecting import connect, identity
from cape_airflow.datasets.sql.alchemy.types import read_type
from cape_airflow.datasets.sql.failures import sql_attempt, sql_attempt_each
from cape_airflow.datasets.sql.names import Query, Reference
from cape_airflow.datasets.sql.server import Database
from cape_airflow.errors import DatasetError

_INFERRED_ROWS = 10_000
"""First rows of a query that tell the types of its columns: results say nothing that holds for all databases."""


class DatabaseSource(Source):
    """A table or query; what others change while it is open is not seen, where the database has such an isolation.

    Args:
        server: where it is.
        what: a table, whose columns have the types that it declares; or a query, whose first 10,000 rows tell them.
        options: ``column_types``, Arrow types by column, for those that are not told rightly.

    Raises:
        DatasetError: it cannot be read, or a column has a type that cannot be carried.
    """

    def __init__(self, server: Database, what: Reference, options: Mapping[str, Any] | None = None) -> None:
        given = dict(options or {})
        self._given = given.pop("column_types", {})
        if given:
            raise DatasetError(f"databases have no option `{min(given)}`; there is column_types")
        self.url = f"{what} in {server.name}"
        self.format = "sql"
        self.row_count = None
        self.bytes_read = 0
        self._task = f"read {self.url}"
        self._server = server
        self._table: sa.Table | None = None
        self._connection = sql_attempt(lambda: connect(server, writing=False), f"connect to {server.name}")
        try:
            self.schema = sql_attempt(lambda: self._describe(what), self._task)
        except BaseException:
            self.close()
            raise

    def _describe(self, what: Reference) -> pa.Schema:
        if isinstance(what, Query):
            return self._inferred(what)
        self._table = sa.Table(what.name, sa.MetaData(), schema=what.schema, autoload_with=self._connection)
        self._statement: sa.Executable = sa.select(self._table)
        types = declared(self._given, list(self._table.columns.keys()))
        return pa.schema(
            [(column.name, types.get(column.name) or read_type(column.name, column.type)) for column in self._table.c]
        )

    def _inferred(self, query: Query) -> pa.Schema:
        self._statement = sa.text(query.body.replace(":", r"\:"))  # no parameters
        with self._connection.execute(self._statement) as result:
            names = list(result.keys())
            rows = [tuple(row) for row in islice(result, _INFERRED_ROWS)]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise DatasetError(f"there is more than one column `{twice[0]}`; give them names of their own")
        types = declared(self._given, names)
        values = dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
        return pa.schema([(name, types.get(name) or _inferred_type(name, values[name])) for name in names])

    def batches(
        self, columns: Sequence[str] | None = None, batch_rows: int = 65536
    ) -> Generator[pa.RecordBatch, None, None]:
        """Read all rows in the order in which the database has them.

        Args:
            columns: names of the columns wanted, in that order; None for all.
            batch_rows: the most rows in a batch.

        Raises:
            SchemaMismatch: no such column.
            DatasetError: it cannot be read, or a value is not of its column's type; the message shows no value.
        """
        names = self._chosen(columns, self.url)
        self.bytes_read = 0
        return self._batches(names, batch_rows)

    def _batches(self, names: list[str], batch_rows: int) -> Generator[pa.RecordBatch, None, None]:
        fields = [(self.schema.names.index(name), self.schema.field(name)) for name in names]
        wanted = pa.schema([field for _, field in fields])
        for rows in sql_attempt_each(self._rows(batch_rows), self._task):
            values = list(zip(*rows, strict=True))
            arrays = [_array(values[place], field) for place, field in fields]
            batch = pa.RecordBatch.from_arrays(arrays, schema=wanted)
            self.bytes_read += batch.nbytes
            yield batch

    def _rows(self, batch_rows: int) -> Iterator[Sequence[Any]]:
        streaming = self._connection.execution_options(stream_results=True, max_row_buffer=batch_rows)
        with streaming.execute(self._statement) as result:
            yield from result.partitions(batch_rows)

    def reads(self, target: object) -> bool:
        """Whether the target is the table that is read; of queries that is not known."""
        return self._table is not None and target == identity(self._server, self._table)

    def close(self) -> None:
        """End the transaction."""
        self._connection.close()


def _array(values: Sequence[Any], field: pa.Field) -> pa.Array:
    try:
        return pa.array(values, field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass  # its words hold the value
    raise DatasetError(
        f"column `{field.name}` has values that are no {field.type}; give its type in column_types, or cast it"
    )


def _inferred_type(name: str, values: Sequence[Any]) -> pa.DataType:
    try:
        kind = pa.array(values).type
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        kind = None
    if kind is None or pa.types.is_decimal(kind):  # as many digits as the first rows have
        raise DatasetError(f"the type of column `{name}` cannot be told; give it in column_types of source_options")
    return without_null_types(kind)
