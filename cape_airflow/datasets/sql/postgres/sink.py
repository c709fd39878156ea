"""Writing to PostgreSQL: all in one transaction, so that whatever ends a run leaves the target as it was.

Rows go by COPY into a table ``cape_<job>_<attempt>`` beside the target, which nobody else sees. The commit puts it in
the target's place, or adds its rows there. A process that is killed leaves nothing: the server ends its transaction.
"""

from __future__ import annotations

import secrets

import pyarrow as pa

from cape_airflow.datasets.base import Sink, Source
from cape_airflow.datasets.failures import attempt
from cape_airflow.datasets.sql.failures import sql_attempt
from cape_airflow.datasets.sql.names import Table, Write
from cape_airflow.datasets.sql.postgres.existing import Existing, existing_table, refuse_loss
from cape_airflow.datasets.sql.postgres.ledger import Ledger
from cape_airflow.datasets.sql.postgres.place import Place
from cape_airflow.datasets.sql.postgres.session import Session, quoted, server_identity
from cape_airflow.datasets.sql.postgres.swap import Swap
from cape_airflow.datasets.sql.postgres.types import existing_type, new_type, written_array
from cape_airflow.datasets.sql.provenance import Provenance, provenance
from cape_airflow.datasets.sql.server import Postgres
from cape_airflow.errors import DatasetError

ATTEMPT_SECONDS = 5
"""How long an attempt waits for one before it that is being cleared away by the server."""


class PostgresSink(Sink):
    """A table in PostgreSQL.

    Args:
        server: where it is.
        table: the target.
        job_id: the same for every attempt of one job.
        write: in place of the rows that are there, or beside them.
    """

    def __init__(self, server: Postgres, table: Table, job_id: str, write: Write) -> None:
        self.url = f"{table} in {server.name}"
        self.format = "sql"
        self.rows_written = 0
        self._bytes = 0
        self._server = server
        self._table = table
        self._job_id = job_id
        self._write = write
        self._task = f"write {self.url}"
        self._staging = f"cape_{job_id}_{secrets.token_hex(4)}"
        self._schema: pa.Schema = pa.schema([])
        self._in_database = ""
        self._session: Session | None = None
        self._existing: Existing | None = None
        self._swap: Swap | None = None
        self._provenance = Provenance("", job_id)

    @property
    def bytes_written(self) -> int:
        """Bytes of the rows in memory, as they went to the server."""
        return self._bytes

    def check_source(self, source: Source) -> None:
        """Refuse to write to a table that is read, also by a query or through a view.

        Raises:
            DatasetError: the target is part of the source.
        """
        if source.reads(sql_attempt(self._place, self._task)):
            raise DatasetError(f"{self.url} is part of what is read; write the output elsewhere")

    def _place(self) -> Place:
        session = Session(self._server)
        try:
            return Place(server_identity(session), quoted(self._schema_in(session), self._table.name))
        finally:
            session.close()

    def _schema_in(self, session: Session) -> str:
        schema: str | None = self._table.schema or session.value("SELECT current_schema()::text")
        if schema is None:
            raise DatasetError("the connection has no schema to create tables in; name one, table:schema.name")
        return schema

    def open(self, schema: pa.Schema) -> None:
        """Begin the transaction, and create the table that takes the rows.

        Args:
            schema: of all batches; its metadata says which policy made them.

        Raises:
            DatasetError: the target may not be written, cannot hold a column, or another run writes to it.
        """
        self._schema = schema
        self._provenance = provenance(schema, self._job_id)
        self._session = sql_attempt(lambda: Session(self._server), f"connect to {self._server.name}")
        sql_attempt(lambda: self._begin(self._opened), self._task)

    def _begin(self, session: Session) -> None:
        self._in_database = self._schema_in(session)
        if self._write is Write.APPEND:
            Ledger.create(self._server, self._in_database)
        self._be_alone(session)
        self._existing = existing_table(session, self._in_database, self._table.name)
        if self._existing is None:
            self._create(session, "TABLE", self._new_columns())
            return
        self._existing.check_columns(self._schema.names)
        self._into_existing(session, self._existing)

    def _into_existing(self, session: Session, existing: Existing) -> None:
        known = {column.name: column for column in existing.columns}
        self._written = [
            existing_type(field.name, field.type, known[field.name].kind, known[field.name].typmod)
            for field in self._schema
        ]
        if self._write is Write.REPLACE:
            refuse_loss(session, existing)
            self._swap = Swap(session, self._in_database, self._table.name, self._staging, existing)
            self._swap.create()
            return
        names, target = ", ".join(map(quoted, self._schema.names)), quoted(self._in_database, self._table.name)
        self._create(session, "UNLOGGED TABLE", f"AS SELECT {names} FROM {target} WITH NO DATA")  # noqa: S608 - quoted

    def _be_alone(self, session: Session) -> None:
        """Keep other runs from the target until this transaction ends; of those that append, only the same job's."""
        job = f" {self._job_id}" if self._write is Write.APPEND else ""
        name = f"cape {self._in_database}.{self._table.name}{job}"
        session.execute(f"SET LOCAL lock_timeout = '{ATTEMPT_SECONDS}s'")
        try:
            session.rows("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))::text", name)
        except Exception as error:
            if getattr(error, "sqlstate", None) != "55P03":
                raise
        else:
            return
        raise DatasetError("another run is writing to it at this moment; this one stops")

    def _new_columns(self) -> str:
        kinds = [new_type(field.name, field.type) for field in self._schema]
        self._written = [written for _, written in kinds]
        listed = (f"{quoted(name)} {kind}" for name, (kind, _) in zip(self._schema.names, kinds, strict=True))
        return f"({', '.join(listed)})"

    def _create(self, session: Session, kind: str, definition: str) -> None:
        session.execute(f"CREATE {kind} {quoted(self._in_database, self._staging)} {definition}")

    def write(self, batch: pa.RecordBatch) -> None:
        """Take the next rows.

        Raises:
            DatasetError: they do not fit their columns, or the server does not take them.
        """
        if batch.schema != self._schema:  # Arrow would cast in silence
            raise DatasetError(f"cannot {self._task}: a batch is of another schema than the output was opened with")
        columns = [
            attempt(lambda: written_array(column, kind), f"{self._task}, column `{name}`")  # noqa: B023 - called at once
            for column, kind, name in zip(batch.columns, self._written, batch.schema.names, strict=True)
        ]
        fitted = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        if fitted.num_rows:
            load = self._opened.load
            sql_attempt(lambda: load(self._in_database, self._staging, fitted), self._task, self._schema.names)
        self.rows_written += batch.num_rows
        self._bytes += fitted.nbytes

    def finish(self) -> None:
        """Index what was written; still nobody sees it.

        Raises:
            DatasetError: rows break a constraint of the target.
        """
        if self._swap is not None:
            sql_attempt(self._swap.index, self._task, self._schema.names)

    def commit(self) -> None:
        """Show the output: put it in place of the table, or add it there once for each job.

        Raises:
            DatasetError: it could not be; the target is as it was.
        """
        sql_attempt(lambda: self._publish(self._opened), self._task, self._schema.names)
        self._opened.close()
        self._session = None

    def _publish(self, session: Session) -> None:
        target, staging = quoted(self._in_database, self._table.name), quoted(self._in_database, self._staging)
        if self._write is Write.APPEND and Ledger(session, self._in_database).add(
            self._table.name, self._provenance, self.rows_written
        ):
            return  # an earlier attempt did it; this transaction is thrown away
        if self._existing is not None and self._write is Write.APPEND:
            names = ", ".join(map(quoted, self._schema.names))
            session.execute(f"INSERT INTO {target} ({names}) SELECT {names} FROM {staging}")  # noqa: S608 - quoted
            session.execute(f"DROP TABLE {staging}")
        else:
            self._show(session, target, staging)
        session.commit()

    def _show(self, session: Session, target: str, staging: str) -> None:
        earlier = None
        if self._swap is not None:
            earlier = session.value("SELECT obj_description(to_regclass($1), 'pg_class')", target)
            self._swap()
        else:
            session.execute(f"ANALYZE {staging}")
            session.execute(f"ALTER TABLE {staging} RENAME TO {quoted(self._table.name)}")
        comment = session.value("SELECT quote_literal($1::text)", self._provenance.comment(earlier))
        session.execute(f"COMMENT ON TABLE {target} IS {comment}")

    def abort(self) -> None:
        """End the transaction: what was written is gone. Harmless after `commit`."""
        if self._session is not None:
            self._session.close()
        self._session = None

    @property
    def _opened(self) -> Session:
        if self._session is None:
            raise DatasetError(f"{self.url} is not open")
        return self._session
