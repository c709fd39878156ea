from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets import open_sink
from cape_airflow.engines import run_local
from cape_airflow.engines.frame_source import open_frame
from cape_airflow.errors import CapeError, DataError, DatasetError, SchemaMismatch
from cape_airflow.keys import KeyRing
from cape_airflow.policy import compile_plan, load_policy

DROP_NAMES = "version: 2\nrules: [{match: {name: name}, actions: [drop]}, {match: {name: n}, keep: {reason: a number}}]"
ROWS = {"name": ["Ann", "Bob", "Cy"], "n": [1, 2, 3]}


def _reader(table: pa.Table) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(table.schema, iter(table.to_batches()))


class Stream:
    """What a database gives: no frame of a kind that we know, but it exports a stream."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "make",
    [
        pa.table,
        pa.record_batch,
        pd.DataFrame,
        pl.DataFrame,
        lambda rows: _reader(pa.table(rows)),
        lambda rows: Stream(pa.table(rows)),
    ],
)
def test_frames_and_streams_of_all_kinds_are_written_as_the_policy_says(
    make: Callable[[object], object], tmp_path: Path
) -> None:
    source = open_frame(make(ROWS), "extract()")
    plan = compile_plan(load_policy(DROP_NAMES), source.schema)
    sink = open_sink(str(tmp_path / "out.parquet"), job_id="0" * 32)
    finish = run_local(plan, KeyRing(), source, sink, job_id="0" * 32)
    assert (finish.progress.rows_in, finish.progress.rows_out) == (3, 3)
    assert pq.read_table(tmp_path / "out.parquet").to_pydict() == {"n": [1, 2, 3]}


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 20))
def test_batches_hold_all_rows_in_order_and_none_holds_more_than_was_asked_for(numbers: list[int], most: int) -> None:
    table = pa.table({"n": pa.array(numbers, pa.int64()), "m": pa.array(numbers, pa.int64())})
    for frame in (table, _reader(table)):
        batches = list(open_frame(frame, "extract()").batches(["m"], most))
        assert [value for batch in batches for value in batch.column("m").to_pylist()] == numbers
        assert all(batch.num_rows <= most and batch.schema.names == ["m"] for batch in batches)


def test_a_frame_can_be_read_again_and_a_stream_only_once() -> None:
    table = pa.table(ROWS)
    frame, stream = open_frame(table, "extract()"), open_frame(_reader(table), "extract()")
    assert [len(list(frame.batches())) for _ in range(2)] == [1, 1]
    assert len(list(stream.batches())) == 1
    with pytest.raises(DatasetError, match=r"extract\(\) is a stream, which can be read only once"):
        list(stream.batches())


def test_rows_of_a_frame_are_known_before_they_are_read_and_those_of_a_stream_are_not() -> None:
    table = pa.table(ROWS)
    assert open_frame(table, "extract()").row_count == 3
    assert open_frame(_reader(table), "extract()").row_count is None


def test_bytes_are_counted_as_they_are_read() -> None:
    source = open_frame(pa.table(ROWS), "extract()")
    for batch in source.batches(["n"]):
        assert source.bytes_read == batch.nbytes == 24


def test_a_stream_that_fails_is_told_without_its_words() -> None:
    def fails() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch(ROWS)
        raise ValueError("canary")

    stream = pa.RecordBatchReader.from_batches(pa.table(ROWS).schema, fails())
    with pytest.raises(DatasetError, match=r"cannot read extract\(\)") as failure:
        list(open_frame(stream, "extract()").batches())
    assert "canary" not in str(failure.value)
    assert failure.value.__context__ is None


@pytest.mark.parametrize("second", [{"n": ["canary"]}, {"m": [1]}, {"n": [1], "m": [1]}])
def test_a_batch_of_another_schema_is_refused(second: dict[str, list[object]]) -> None:
    batches = [pa.record_batch({"n": [1]}), pa.record_batch(second)]
    stream = pa.RecordBatchReader.from_batches(batches[0].schema, iter(batches))
    with pytest.raises(DatasetError, match="another schema") as failure:
        list(open_frame(stream, "extract()").batches())
    assert "canary" not in str(failure.value)


@pytest.mark.parametrize("index", [pd.Index(["canary"], name="ssn"), pd.Index(["canary"])])
def test_a_pandas_index_that_is_data_is_refused_since_it_would_be_lost(index: pd.Index) -> None:
    with pytest.raises(SchemaMismatch, match="reset_index") as failure:
        open_frame(pd.DataFrame({"n": [1]}, index=index), "extract()")
    assert "canary" not in str(failure.value)


@pytest.mark.parametrize("given", [None, 7, {"n": [1]}, [pa.record_batch({"n": [1]})], pl.DataFrame({"n": [1]}).lazy()])
def test_what_is_no_frame_is_refused(given: object) -> None:
    with pytest.raises(DataError, match="a policy is applied to a pandas or polars DataFrame"):
        open_frame(given, "extract()")


def test_a_column_of_several_types_is_refused_without_its_values() -> None:
    with pytest.raises(CapeError, match="column `n`") as failure:
        open_frame(pd.DataFrame({"n": ["canary", 1, object()]}), "extract()")
    assert "canary" not in str(failure.value)


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(SchemaMismatch, match=r"extract\(\) has no column `nmae`; did you mean `name`"):
        open_frame(pa.table(ROWS), "extract()").batches(["nmae"])
