"""The way by SQLAlchemy, on SQLite, which needs no server."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from cape_airflow.datasets.sql import Database, Table, Write, open_sql_sink, open_sql_source, reference
from cape_airflow.engines import run_local
from cape_airflow.errors import CapeError, DatasetError
from cape_airflow.keys import KeyRing
from cape_airflow.policy import compile_plan, load_policy
from tests.datasets.sql.conftest import DROP_EMAIL, JOB

SECRET = "078-05-1120"


class Files:
    """Two databases: one to read, one to write."""

    def __init__(self, folder: Path) -> None:
        self.paths = folder / "in.db", folder / "out.db"
        self.source, self.target = (Database(f"sqlite:///{path}", path.stem) for path in self.paths)
        self.reading, self.writing = map(sqlite3.connect, self.paths)
        self.reading.execute("CREATE TABLE people (id INTEGER, email TEXT, salary NUMERIC(10, 2), born DATE)")
        rows = [(number, f"p{number}", number + 0.5, "2000-02-29") for number in range(1000)]
        self.reading.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
        self.reading.commit()

    def run(
        self, source: str = "table:people", *, write: Write = Write.REPLACE, job: str = JOB, **more: object
    ) -> None:
        opened = open_sql_source(self.source, reference(source), options=more.pop("options", None))  # type: ignore[arg-type]
        try:
            plan = compile_plan(load_policy(DROP_EMAIL), opened.schema)
            sink = open_sql_sink(self.target, Table("out"), job_id=job, write=write)
            run_local(plan, KeyRing(), opened, sink, job_id=job, batch_rows=300, **more)  # type: ignore[arg-type]
        finally:
            opened.close()

    def written(self, query: str) -> list[tuple[object, ...]]:
        return self.writing.execute(query).fetchall()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    files = Files(tmp_path)
    yield files
    files.reading.close()
    files.writing.close()


def _stop() -> None:
    raise CapeError("stop")


def test_the_types_that_a_table_declares_are_read_and_written(files: Files) -> None:
    source = open_sql_source(files.source, reference("table:people"))
    (first, *_), schema = list(source.batches(batch_rows=300)), source.schema
    source.close()
    assert schema.types == [pa.int64(), pa.string(), pa.decimal128(10, 2), pa.date32()]
    assert first.num_rows == 300
    assert first.slice(1, 1).to_pylist() == [
        {"id": 1, "email": "p1", "salary": Decimal("1.50"), "born": date(2000, 2, 29)}
    ]
    files.run()
    assert files.written("SELECT id, salary, born FROM out WHERE id = 1") == [(1, 1.5, "2000-02-29")]
    assert files.written("SELECT target, job_id, row_count, length(policy_digest) FROM cape_jobs") == [
        ("out", JOB, 1000, 64)
    ]


def test_a_query_tells_its_types_by_its_first_rows_or_by_column_types(files: Files) -> None:
    query = "query:select id, born as day, '12:30' as note, 7 as n from people -- all\n;"
    source = open_sql_source(files.source, reference(query), options={"column_types": {"n": "int8"}})
    assert source.schema.types == [pa.int64(), pa.string(), pa.string(), pa.int8()]
    assert sum(batch.num_rows for batch in source.batches()) == 1000
    source.close()


def test_replacing_keeps_the_table_with_its_indexes_and_changes_its_rows(files: Files) -> None:
    files.writing.execute("CREATE TABLE out (id INTEGER PRIMARY KEY, salary NUMERIC(10, 2), born DATE, x DEFAULT 5)")
    files.writing.execute("INSERT INTO out (id) VALUES (5000)")
    files.writing.commit()
    for _ in range(2):
        files.run()
    assert files.written("SELECT count(*), max(id), sum(x) FROM out") == [(1000, 999, 5000)]
    assert files.written("SELECT count(*) FROM cape_jobs") == [(1,)]


def test_what_fails_before_the_commit_leaves_the_rows_and_makes_no_table(files: Files) -> None:
    with pytest.raises(CapeError, match="stop"):
        files.run(before_commit=_stop)
    assert files.written("SELECT name FROM sqlite_master") == []
    files.run()
    files.reading.execute("DELETE FROM people")
    files.reading.commit()
    with pytest.raises(CapeError, match="stop"):
        files.run(before_commit=_stop)
    assert files.written("SELECT count(*) FROM out") == [(1000,)]


def test_appending_adds_the_rows_once_for_each_job(files: Files) -> None:
    for job in ("0a" * 16, "0b" * 16, "0a" * 16):
        files.run(write=Write.APPEND, job=job)
    assert files.written("SELECT count(*) FROM out") == [(2000,)]
    assert files.written("SELECT job_id, row_count FROM cape_jobs ORDER BY job_id") == [
        ("0a" * 16, 1000),
        ("0b" * 16, 1000),
    ]


def test_the_table_that_is_read_is_not_written_to(files: Files) -> None:
    source = open_sql_source(files.source, reference("table:people"))
    with pytest.raises(DatasetError, match="part of what is read"):
        open_sql_sink(files.source, Table("people"), job_id=JOB).check_source(source)
    source.close()


def test_what_others_change_meanwhile_is_not_seen(files: Files) -> None:
    files.reading.execute("PRAGMA journal_mode = wal")
    source = open_sql_source(files.source, reference("table:people"))
    files.reading.execute("DELETE FROM people")
    files.reading.commit()
    assert sum(batch.num_rows for batch in source.batches()) == 1000
    source.close()


def test_a_value_that_is_not_of_its_columns_type_is_refused_and_not_shown(files: Files) -> None:
    files.reading.execute("UPDATE people SET id = ? WHERE id = 500", (SECRET,))
    files.reading.commit()
    with pytest.raises(DatasetError, match="column `id` has values that are no int64") as failure:
        files.run()
    assert SECRET not in "".join(traceback.format_exception(failure.value))


def test_a_row_that_breaks_a_constraint_is_not_shown(files: Files) -> None:
    files.writing.execute("CREATE TABLE out (id INTEGER, salary NUMERIC(10, 2), born DATE, CHECK (id < 500))")
    with pytest.raises(DatasetError, match="IntegrityError") as failure:
        files.run()
    shown = "".join(traceback.format_exception(failure.value))
    assert "2000-02-29" not in shown
    assert "500" not in shown


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("id INTEGER, salary NUMERIC(10, 2)", "no column `born`"),
        ("id INTEGER, salary NUMERIC(10, 2), born DATE, email TEXT", "a column `email` that the output has not"),
        ("id TEXT, salary NUMERIC(10, 2), born DATE", "column `id` is integer in the output and string in the table"),
    ],
)
def test_a_table_of_another_shape_is_refused_by_the_column(files: Files, columns: str, said: str) -> None:
    files.writing.execute(f"CREATE TABLE out ({columns})")
    with pytest.raises(DatasetError, match=said):
        files.run()


@pytest.mark.parametrize(("kind", "given"), [("NUMERIC", "decimal128(20, 2)"), ("BLOBBY", "string")])
def test_a_type_without_a_counterpart_is_refused_unless_column_types_names_one(
    files: Files, kind: str, given: str
) -> None:
    files.reading.execute(f"CREATE TABLE odd (a {kind})")
    with pytest.raises(DatasetError, match="column `a` is of type"):
        open_sql_source(files.source, reference("table:odd"))
    source = open_sql_source(files.source, reference("table:odd"), options={"column_types": {"a": given}})
    assert len(source.schema) == 1
    source.close()


def test_another_writer_is_waited_for_and_then_told_of(files: Files) -> None:
    server = Database(f"sqlite:///{files.paths[1]}?timeout=0.2", "out")
    files.writing.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatasetError, match=r"cannot write out in out: .*\(OperationalError\)"):
        open_sql_sink(server, Table("out"), job_id=JOB).open(pa.schema([("a", pa.int64())]))
    files.writing.rollback()


def test_times_of_a_new_table_come_back(files: Files) -> None:
    batch = pa.record_batch({"at": pa.array([datetime(2026, 11, 21, 12, 0, 0, 5), None])})
    with open_sql_sink(files.target, Table("out"), job_id=JOB) as sink:
        sink.open(batch.schema)
        sink.write(batch)
        sink.finish()
        sink.commit()
    source = open_sql_source(files.target, reference("table:out"))
    assert pa.Table.from_batches(source.batches()).to_pylist() == batch.to_pylist()
    source.close()
