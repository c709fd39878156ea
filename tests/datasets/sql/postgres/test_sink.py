from __future__ import annotations

import traceback
from decimal import Decimal
from threading import Event, Thread

import pyarrow as pa
import pytest

from cape_airflow.datasets.sql import Table, Write, open_sql_sink
from cape_airflow.datasets.sql.postgres import sink as sink_module
from cape_airflow.errors import CapeError, DatasetError
from tests.datasets.sql.conftest import JOB, Databank

pytestmark = pytest.mark.integration

ROWS = "SELECT id, salary FROM people"


class _Stop(CapeError):
    pass


def _stop() -> None:
    raise _Stop


def tables(databank: Databank) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
    return [name for (name,) in databank.rows(query)]


def write(databank: Databank, batch: pa.RecordBatch, mode: Write = Write.REPLACE, name: str = "out") -> None:
    with open_sql_sink(databank.server, Table(name), job_id=JOB, write=mode) as sink:
        sink.open(batch.schema)
        sink.write(batch)
        sink.finish()
        sink.commit()


def test_a_new_table_gets_the_rows_and_says_which_policy_and_job_made_it(databank: Databank) -> None:
    finish = databank.run()
    assert (finish.progress.rows_in, finish.progress.rows_out) == (1000, 1000)
    assert databank.rows(f"SELECT count(*) FROM ({ROWS} EXCEPT SELECT id, salary FROM out) AS lost") == [(0,)]
    (comment,) = databank.rows("SELECT obj_description('out'::regclass)")[0]
    assert comment.startswith("cape: policy ")
    assert comment.endswith(f", job {JOB}")
    assert tables(databank) == ["out", "people"]


def test_a_second_run_replaces_the_rows_of_the_first(databank: Databank) -> None:
    databank.run()
    databank.sql.execute("DELETE FROM people WHERE id > 5")
    databank.run(job="0b" * 16)
    assert databank.rows("SELECT id FROM out ORDER BY id") == [(1,), (2,), (3,), (4,), (5,)]


def test_what_fails_before_the_commit_leaves_the_old_table_and_nothing_else(databank: Databank) -> None:
    databank.run()
    databank.sql.execute("DELETE FROM people")
    with pytest.raises(_Stop):
        databank.run(before_commit=_stop)
    assert databank.rows("SELECT count(*) FROM out") == [(1000,)]
    assert tables(databank) == ["out", "people"]


def test_nobody_sees_the_new_rows_or_waits_for_them_before_the_commit(databank: Databank) -> None:
    databank.run()
    databank.sql.execute("DELETE FROM people")
    seen = []
    databank.run(before_commit=lambda: seen.extend(databank.rows("SELECT count(*) FROM out")))
    assert seen == [(1000,)]
    assert databank.rows("SELECT count(*) FROM out") == [(0,)]


def test_appending_adds_the_rows_once_for_each_job(databank: Databank) -> None:
    databank.sql.execute("CREATE TABLE out (id bigint, salary numeric, at timestamptz DEFAULT now())")
    for job in ("0a" * 16, "0a" * 16, "0b" * 16, "0a" * 16):
        databank.run(write=Write.APPEND, job=job)
    assert databank.rows("SELECT count(*), count(at), sum(salary) FROM out") == [(2000, 2000, Decimal("1002000.0"))]
    assert databank.rows("SELECT target, job_id, row_count FROM cape_jobs ORDER BY job_id") == [
        ("out", "0a" * 16, 1000),
        ("out", "0b" * 16, 1000),
    ]
    assert tables(databank) == ["cape_jobs", "out", "people"]


def test_appending_to_a_table_that_is_wanting_makes_it(databank: Databank) -> None:
    for _ in range(2):
        databank.run(write=Write.APPEND)
    assert databank.rows("SELECT count(*) FROM out") == [(1000,)]


def test_rows_that_cannot_be_appended_leave_the_table_as_it_was_and_another_try_is_no_repetition(
    databank: Databank,
) -> None:
    databank.sql.execute("CREATE TABLE out (id int PRIMARY KEY, salary numeric); INSERT INTO out VALUES (7, 1)")
    with pytest.raises(DatasetError, match="same unique key") as failure:
        databank.run(write=Write.APPEND)
    assert "(7)" not in "".join(traceback.format_exception(failure.value))
    databank.sql.execute("DELETE FROM out")
    databank.run(write=Write.APPEND)
    assert databank.rows("SELECT count(*) FROM out") == [(1000,)]


@pytest.mark.parametrize(
    "source", ["table:people", "query:select * from (select id, email from people) as p", "table:seen"]
)
def test_what_is_read_is_not_written_to_also_through_a_query_or_view(databank: Databank, source: str) -> None:
    databank.sql.execute("CREATE VIEW seen AS SELECT * FROM people")
    with pytest.raises(DatasetError, match="is part of what is read"):
        databank.run(source, "table:public.people")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("id int", "the table has no column `salary`; add it there"),
        ("id int, salary numeric, email text", "a column `email` that the output has not"),
        ("id int, salary text", r"column `salary` is decimal128\(10, 2\) in the output and text in the table"),
        ("id bool, salary numeric", "column `id` is int32 in the output and bool in the table"),
        ("id int, salary numeric GENERATED ALWAYS AS (id * 2) STORED", "column `salary` is generated"),
        ("id int, salary inet", "column `salary` .* inet in the table"),
    ],
)
@pytest.mark.parametrize("mode", Write)
def test_a_table_of_another_shape_is_refused_by_the_column_before_anything_is_written(
    databank: Databank, columns: str, said: str, mode: Write
) -> None:
    databank.sql.execute(f"CREATE TABLE out ({columns})")
    with pytest.raises(DatasetError, match=said):
        databank.run(write=mode, before_commit=_stop)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("smallint", 40000, "column `a`: values do not fit int16"),
        ("numeric(3, 1)", Decimal("1.25"), "column `a`: values do not fit"),
        ("varchar(2)", "Zurich", "a text is longer than its column takes .*column `a`"),
        ("text", "nul\x00", "column `a`"),
        ("json", "no json", "column `a`"),
    ],
)
def test_values_that_do_not_fit_stop_the_run_and_are_not_shown(
    databank: Databank, kind: str, value: object, said: str
) -> None:
    databank.sql.execute(f"CREATE TABLE out (a {kind})")
    array = pa.array([value])
    batch = pa.record_batch({"a": pa.ExtensionArray.from_storage(pa.json_(), array) if kind == "json" else array})
    with pytest.raises(DatasetError, match=said) as failure:
        write(databank, batch)
    assert str(value) not in str(failure.value)
    assert databank.rows("SELECT count(*) FROM out") == [(0,)]


def test_types_that_postgresql_has_not_are_refused_by_the_column(databank: Databank) -> None:
    batch = pa.record_batch({"a": pa.array([{"x": 1}])})
    with pytest.raises(DatasetError, match="column `a` is of type struct, which PostgreSQL has not"):
        write(databank, batch)


def test_types_of_arrow_alone_are_written_as_the_type_that_holds_all_their_values(databank: Databank) -> None:
    columns = {
        "u8": (pa.array([255], pa.uint8()), "smallint", 255),
        "u32": (pa.array([2**32 - 1], pa.uint32()), "bigint", 2**32 - 1),
        "u64": (pa.array([2**64 - 1], pa.uint64()), "numeric", Decimal(2**64 - 1)),
        "large": (pa.array(["a"], pa.large_string()), "text", "a"),
        "words": (pa.array(["a"]).dictionary_encode(), "text", "a"),
        "nothing": (pa.nulls(1), "text", None),
        "half": (pa.array([1.5], pa.float16()), "real", 1.5),
    }
    write(databank, pa.record_batch({name: array for name, (array, _, _) in columns.items()}))
    names = ", ".join(f'"{name}", pg_typeof("{name}")::text' for name in columns)
    (row,) = databank.rows(f"SELECT {names} FROM out")
    assert list(zip(row[1::2], row[::2], strict=True)) == [(kind, value) for _, kind, value in columns.values()]


def test_times_with_more_digits_than_microseconds_are_not_rounded_in_silence(databank: Databank) -> None:
    with pytest.raises(DatasetError, match="column `a`: values do not fit"):
        write(databank, pa.record_batch({"a": pa.array([1], pa.timestamp("ns"))}))


def test_text_goes_into_an_enumeration(databank: Databank) -> None:
    databank.sql.execute("CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE out (a mood)")
    write(databank, pa.record_batch({"a": ["bad", None]}))
    assert databank.rows("SELECT a::text FROM out") == [("bad",), (None,)]


def test_names_are_literal_and_quoted(databank: Databank) -> None:
    odd = 'a"b; DROP TABLE people; --'
    for mode in Write:
        write(databank, pa.record_batch({odd: [1]}), mode, odd)
    assert tables(databank) == [odd, "cape_jobs", "people"]


def test_of_two_attempts_at_once_one_wins_and_the_other_says_so(
    databank: Databank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_module, "ATTEMPT_SECONDS", 1)
    inside, go_on = Event(), Event()

    def hold() -> None:
        inside.set()
        assert go_on.wait(30)

    for mode in Write:
        first = Thread(target=lambda mode=mode: databank.run(write=mode, before_commit=hold))
        first.start()
        assert inside.wait(30)
        with pytest.raises(DatasetError, match="another run is writing to it"):
            databank.run(write=mode)
        go_on.set()
        first.join()
        inside.clear()
        go_on.clear()
        assert databank.rows("SELECT count(*) FROM out") == [(1000,)] if mode is Write.REPLACE else [(2000,)]


def test_different_jobs_append_at_the_same_time(databank: Databank) -> None:
    databank.sql.execute("CREATE TABLE out (id int, salary numeric(10, 2))")
    databank.run(write=Write.APPEND, before_commit=lambda: databank.run(write=Write.APPEND, job="0b" * 16) and None)
    assert databank.rows("SELECT count(*) FROM out") == [(2000,)]


def test_a_batch_of_another_schema_is_refused(databank: Databank) -> None:
    sink = open_sql_sink(databank.server, Table("out"), job_id=JOB)
    with sink:
        sink.open(pa.schema([("a", pa.int64())]))
        with pytest.raises(DatasetError, match="another schema"):
            sink.write(pa.record_batch({"a": ["x"]}))
    assert tables(databank) == ["people"]
