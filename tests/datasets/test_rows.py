"""Chosen rows, and nothing of the others."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest

from cape_airflow.datasets.rows import choose, compact

TYPES = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.binary_view(),
    pa.dictionary(pa.int8(), pa.string(), ordered=True),
    pa.list_(pa.string_view()),
    pa.list_(pa.dictionary(pa.int32(), pa.string())),
    pa.struct([("x", pa.list_(pa.string_view()))]),
]
LONG = "long enough for no view to hold it in itself, "


def column(kind: pa.DataType) -> pa.Array:
    values = [f"{LONG}first", None, f"{LONG}S3CRET", f"{LONG}last"]
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind):
        return pa.array([value and value.encode() for value in values], kind)
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(
            pa.array([2, None, 0, 1], pa.int8()), [values[2], values[3], values[0]], ordered=True
        )
    if pa.types.is_list(kind):
        return pa.array([value and [value] for value in values], kind)
    return (
        pa.array([value and {"x": [value]} for value in values], kind)
        if pa.types.is_struct(kind)
        else pa.array(values, kind)
    )


def written(array: pa.Array) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_file(file, pa.schema([("x", array.type)])) as writer:
        writer.write_batch(pa.record_batch([array], ["x"]))
    return file.getvalue()


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_rows_that_were_filtered_out_or_sliced_off_are_in_no_buffer(kind: pa.DataType) -> None:
    whole = column(kind)
    for part in (choose(whole, pa.array([True, True, False, True])), whole.slice(0, 2), whole.slice(3)):
        result = compact(part)
        result.validate(full=True)
        assert (result.type, result.to_pylist()) == (kind, part.to_pylist())
        assert b"S3CRET" not in written(result)


@pytest.mark.parametrize("kind", [*TYPES, pa.int8(), pa.bool_(), pa.float64(), pa.timestamp("us")], ids=str)
def test_chunks_and_no_chunks_become_one_array(kind: pa.DataType) -> None:
    nulls = pa.nulls(3, kind)
    assert compact(pa.chunked_array([nulls, nulls.slice(1)], kind)).equals(pa.nulls(5, kind))
    assert compact(pa.chunked_array([], kind)).equals(pa.array([], kind))


def test_an_ordered_dictionary_keeps_its_order() -> None:
    assert compact(column(TYPES[5]).slice(2)).dictionary.to_pylist() == [f"{LONG}S3CRET", f"{LONG}last"]
