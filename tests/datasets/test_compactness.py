"""Arrays that carry no more than they show."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets.compactness import is_compact
from cape_airflow.datasets.rows import compact

VALUES = {
    "string": pa.array(["a", "S3CRET", "c"] * 5),
    "large binary": pa.array([b"a", b"S3CRET", b"c"] * 5, pa.large_binary()),
    "int8": pa.array([1, 115, 3] * 5, pa.int8()),
    "float64": pa.array([1.5, 115.0, 3.5] * 5),
    "timestamp": pa.array([1, 2, 3] * 5, pa.timestamp("ms", "UTC")),
    "decimal": pa.array([1, 2, 3] * 5).cast(pa.decimal128(30, 2)),
    "bytes of fixed size": pa.array([b"aaa", b"S3C", b"RET"] * 5, pa.binary(3)),
    "boolean": pa.array([True, False, True] * 5),
}
NULLS = np.array([False, True, False] * 5)


def with_nulls(array: pa.Array) -> pa.Array:
    """Return the array with nulls over values that are still there."""
    valid = pa.array(~NULLS).buffers()[1]
    return pa.Array.from_buffers(array.type, len(array), [valid, *array.buffers()[1:]])


@pytest.mark.parametrize("name", VALUES)
def test_new_arrays_are_compact(name: str) -> None:
    assert is_compact(VALUES[name])
    assert is_compact(VALUES[name][:0].take(pa.array([], pa.int64())))


@pytest.mark.parametrize("name", VALUES)
def test_slices_are_not(name: str) -> None:
    for part in (VALUES[name][1:], VALUES[name][:-1], VALUES[name][1:-1], VALUES[name][:0]):
        assert not is_compact(part)


@pytest.mark.parametrize("name", VALUES)
def test_nulls_over_values_are_not(name: str) -> None:
    assert not is_compact(with_nulls(VALUES[name]))


@pytest.mark.parametrize("name", [name for name in VALUES if name != "boolean"])
def test_nulls_over_zeros_or_nothing_are(name: str) -> None:
    assert is_compact(compact(with_nulls(VALUES[name])))


def test_bits_after_the_last_row_are_those_of_others() -> None:
    bits = pa.array([True] * 8).buffers()[1]
    zeros = pa.py_buffer(bytes(5))
    assert not is_compact(pa.Array.from_buffers(pa.bool_(), 5, [None, bits]))
    assert not is_compact(pa.Array.from_buffers(pa.int8(), 5, [bits, zeros]))
    assert is_compact(pa.Array.from_buffers(pa.int8(), 8, [bits, pa.py_buffer(bytes(8))]))


def test_bytes_before_and_after_the_values_are_those_of_others() -> None:
    text = pa.py_buffer(b"S3CRETabS3CRET")
    offsets = pa.array([6, 7, 8], pa.int32()).buffers()[1]
    assert not is_compact(pa.Array.from_buffers(pa.string(), 2, [None, offsets, text]))


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[1]]),
        pa.array([{"a": 1}]),
        pa.array(["a"]).dictionary_encode(),
        pa.array(["a"], pa.string_view()),
        pc.run_end_encode(pa.array([1, 1])),
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)], pa.binary(16))),
    ],
    ids=lambda array: str(array.type),
)
def test_what_is_not_looked_into_counts_as_not_compact(array: pa.Array) -> None:
    assert not is_compact(array)


@given(
    values=st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=20),
    start=st.integers(0, 20),
    length=st.integers(0, 20),
)
def test_what_counts_as_compact_carries_no_more_than_a_new_array(values, start: int, length: int) -> None:
    lengths = [None if text is None else len(text) for text in values]
    for array in (pa.array(values, pa.string()), pa.array(lengths, pa.int64())):
        part = array.slice(start, length)
        if is_compact(part):
            assert len(pickle.dumps(part)) <= len(pickle.dumps(pa.array(part.to_pylist(), part.type)))
