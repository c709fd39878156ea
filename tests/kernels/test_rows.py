from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.kernels import rows
from cape_airflow.kernels.rows import Bytes, Lengths

KINDS = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]


@st.composite
def columns(draw: st.DrawFn) -> pa.Array:
    """Binary columns, some cut out of longer ones, some with bytes under their nulls."""
    values = draw(st.lists(st.binary(max_size=40), max_size=30))
    start = draw(st.integers(0, len(values)))
    plain = pa.array(values, draw(st.sampled_from([pa.binary(), pa.large_binary()])))
    valid = draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    bitmap = pa.py_buffer(np.packbits(np.array(valid, bool), bitorder="little"))
    return pa.Array.from_buffers(plain.type, len(plain), [bitmap, *plain.buffers()[1:]])[start:]


@given(array=columns())
def test_bytes_are_those_of_the_slice_and_nulls_have_none(array: pa.Array) -> None:
    data, offsets = rows.bytes_of(array)
    values = [data[start:end].tobytes() for start, end in pairwise(offsets)]
    assert values == [value or b"" for value in array.to_pylist()]
    assert len(data) == sum(map(len, values))


def _sizes(lengths: Lengths) -> tuple[Lengths, Lengths]:
    """Look at 8 bytes at a time; give each value back with a byte in front; take none of 13 bytes."""
    return np.where(lengths == 13, 0, -(-(lengths + 1) // 8) * 8), lengths + 1


def _with_a_byte_in_front(found: Bytes, lengths: Lengths) -> tuple[Bytes, np.ndarray]:
    longer = np.concatenate([np.full((len(found), 1), ord(">"), np.uint8), found], axis=1)
    return longer, lengths != 5


@given(array=columns(), kind=st.sampled_from(KINDS[2:]))
def test_results_stand_where_their_values_stood(array: pa.Array, kind: pa.DataType) -> None:
    result = rows.by_width(array, _sizes, _with_a_byte_in_front, kind)
    result.validate(full=True)
    assert result.type == kind
    assert result.to_pylist() == [
        None if value is None or len(value) in {5, 13} else b">" + value for value in array.to_pylist()
    ]


def test_what_is_no_result_leaves_no_bytes_behind() -> None:
    result = rows.by_width(pa.array(["sekrt", "fine"]), _sizes, _with_a_byte_in_front, pa.string())
    assert result.to_pylist() == [None, ">fine"]
    assert result.buffers()[2].to_pybytes() == bytes(6) + b">fine"


def test_more_than_a_part_is_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PART", 64)
    seen = []

    def function(found: Bytes, lengths: Lengths) -> tuple[Bytes, np.ndarray]:
        seen.append(found.shape)
        return found, np.ones(len(found), bool)

    values = [b"x" * (number % 12 + 1) for number in range(50)]
    result = rows.by_width(pa.array(values), lambda lengths: (lengths + 7 & ~7, lengths), function, pa.binary())
    assert result.to_pylist() == values
    assert max(count * width for count, width in seen) <= 64
    assert len(seen) > 5


def test_more_bytes_than_32_bit_offsets_can_count_are_an_error() -> None:
    with pytest.raises(pa.ArrowInvalid):
        rows.from_bytes(np.empty(8, np.uint8), np.array([0, 2**31]), np.ones(1, bool), pa.binary())
