"""From one table of PostgreSQL to another: our job, and plain COPY."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from benchmarks.contenders.ours import JOB, POLICIES, BenchmarkKey
from cape_airflow import KeyRing, compile_plan, load_policy
from cape_airflow.datasets.sql import Postgres, Table, open_sql_sink, open_sql_source
from cape_airflow.engines import run_local

_COLUMNS = """
    'person' || i || '@example.com' AS email, lpad((i * 7919 % 10000000000000000)::text, 16, '0') AS card,
    (i % 100000 + 0.5)::numeric(12, 2) AS salary, timestamp '2020-01-01' + i * interval '1 minute' AS seen,
    '+31 6 ' || lpad((i % 100000000)::text, 8, '0') AS phone, 'note ' || md5(i::text) AS note,
    lpad((i % 1000000000)::text, 9, '0') AS ssn, (ARRAY['NL', 'DE', 'CH', NULL])[1 + i % 4] AS country"""


def fill(url: str, table: str, rows: int) -> Callable[[], None]:
    """Make a table of invented customers."""

    def work() -> None:
        with psycopg.connect(url, autocommit=True) as session:
            rows_of = f"SELECT {_COLUMNS} FROM generate_series(1, {rows}::int8) AS i"  # noqa: S608 - names of our own
            session.execute(f"CREATE TABLE {table} AS {rows_of}")
            session.execute(f"VACUUM ANALYZE {table}")

    return work


def copy(url: str, source: str, target: str) -> Callable[[], None]:
    """COPY out and in, both binary, piece by piece as it comes, into a new table that takes the place of the old."""

    def work() -> None:
        with psycopg.connect(url) as reading, psycopg.connect(url) as writing:
            writing.execute(f"DROP TABLE IF EXISTS {target}; CREATE TABLE {target} (LIKE {source})")
            into = f"COPY {target} FROM STDIN (FORMAT binary)"
            out = f"COPY {source} TO STDOUT (FORMAT binary)"
            with reading.cursor().copy(out) as read, writing.cursor().copy(into) as write:
                for piece in read:
                    write.write(piece)

    return work


def job(url: str, source: str, target: str, policy: str) -> Callable[[], int]:
    """De-identify a table; a round returns the rows written."""
    server, text = Postgres(url, "benchmark"), (POLICIES / policy).read_text()

    def work() -> int:
        opened = open_sql_source(server, Table(source))
        plan = compile_plan(load_policy(text), opened.schema)
        sink = open_sql_sink(server, Table(target), job_id=JOB)
        keys = KeyRing(BenchmarkKey())
        return run_local(plan, keys, opened, sink, job_id=JOB, before_commit=opened.close).progress.rows_out

    return work
