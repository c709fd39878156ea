"""Which jobs appended to which table: written with their rows in one transaction, so that a retry adds nothing."""

from __future__ import annotations

from cape_airflow.datasets.sql.postgres.session import Session, quoted
from cape_airflow.datasets.sql.provenance import LEDGER, LEDGER_COLUMNS, Provenance
from cape_airflow.datasets.sql.server import Postgres

_KINDS = ("text NOT NULL", "text NOT NULL", "text NOT NULL", "bigint NOT NULL", "timestamptz NOT NULL DEFAULT now()")


class Ledger:
    """The table of that name in a schema.

    Args:
        session: in whose transaction it is written.
        schema: of the targets.
    """

    def __init__(self, session: Session, schema: str) -> None:
        self._session = session
        self._table = quoted(schema, LEDGER)

    @staticmethod
    def create(server: Postgres, schema: str) -> None:
        """Make the table where it is wanting, in a transaction of its own: others need it meanwhile."""
        session = Session(server)
        try:
            if session.value("SELECT to_regclass($1) IS NULL", quoted(schema, LEDGER)):
                session.rows("SELECT pg_advisory_xact_lock(hashtextextended('cape', 0))::text")
                columns = ", ".join(f"{name} {kind}" for name, kind in zip(LEDGER_COLUMNS, _KINDS, strict=True))
                session.execute(
                    f"CREATE TABLE IF NOT EXISTS {quoted(schema, LEDGER)} ({columns}, PRIMARY KEY (target, job_id))"
                )
                session.commit()
        finally:
            session.close()

    def add(self, target: str, origin: Provenance, rows: int) -> bool:
        """Write down that a job appends; return whether it has done so before.

        Args:
            target: the table.
            origin: the job and its policy.
            rows: how many it adds.
        """
        found = f"SELECT count(*) FROM {self._table} WHERE target = $1 AND job_id = $2"  # noqa: S608 - quoted
        if self._session.value(found, target, origin.job_id):
            return True
        literals = self._session.value(
            "SELECT format('%L, %L, %L', $1::text, $2::text, $3::text)", target, origin.job_id, origin.policy_digest
        )
        self._session.execute(f"INSERT INTO {self._table} VALUES ({literals}, {rows})")  # noqa: S608 - quoted
        return False
