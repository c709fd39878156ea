"""Databases of a test's own, and runs between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from cape_airflow.datasets.sql import Database, Postgres, Write, open_sql_sink, open_sql_source, reference
from cape_airflow.engines import run_local
from cape_airflow.jobs import JobFinish
from cape_airflow.keys import KeyRing
from cape_airflow.policy import compile_plan, load_policy

if TYPE_CHECKING:
    from tests.coordinator.conftest import Server

JOB = "0a" * 16
DROP_EMAIL = "label: pay\nversion: 2\ndefault: keep\nrules: [{match: {name: email, optional: true}, actions: [drop]}]\n"


@dataclass
class Databank:
    """A database, a connection to look at it, and runs inside of it.

    Args:
        server: for sources and sinks.
        sql: of psycopg, for PostgreSQL.
    """

    server: Postgres | Database
    sql: Any = None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return list(self.sql.execute(query).fetchall())

    def run(
        self,
        source: str = "table:people",
        target: str = "table:out",
        *,
        job: str = JOB,
        write: Write = Write.REPLACE,
        policy: str = DROP_EMAIL,
        before_commit: Any = None,
    ) -> JobFinish:
        opened = open_sql_source(self.server, reference(source))
        try:
            plan = compile_plan(load_policy(policy), opened.schema)
            table: Any = reference(target)
            sink = open_sql_sink(self.server, table, job_id=job, write=write)
            return run_local(plan, KeyRing(), opened, sink, job_id=job, before_commit=before_commit or opened.close)
        finally:
            opened.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    from tests.coordinator.conftest import throw_away_postgresql  # slow to import, and SQLite needs none of it

    with throw_away_postgresql() as server:
        yield server


@pytest.fixture
def databank(postgresql: Server) -> Iterator[Databank]:
    url = postgresql.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (id int PRIMARY KEY, email text, salary numeric(10, 2))")
        connection.execute("INSERT INTO people SELECT i, 'p' || i, i + 0.5 FROM generate_series(1, 1000) AS i")
        yield Databank(Postgres(url, "warehouse"), connection)
    postgresql.drop(url)
