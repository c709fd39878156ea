from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import ValueRefused
from cape_airflow.kernels import numbers

WHOLE = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
INT64 = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-300, 300))


@pytest.mark.parametrize("kind", WHOLE)
@given(data=st.data())
def test_sums_of_integers_are_exact_or_stop_at_the_end(kind: type[np.integer], data: st.DataObject) -> None:
    limits = np.iinfo(kind)
    pairs = data.draw(st.lists(st.tuples(st.integers(int(limits.min), int(limits.max)), INT64)))
    values, noise = np.array([a for a, _ in pairs], kind), np.array([b for _, b in pairs], np.int64)
    total, outside = numbers.add_clipped(values, noise, kind)
    assert total.dtype == kind
    assert total.tolist() == [max(limits.min, min(limits.max, a + b)) for a, b in pairs]
    assert outside.tolist() == [not limits.min <= a + b <= limits.max for a, b in pairs]


@given(
    pairs=st.lists(st.tuples(st.integers(-(10**18) + 1, 10**18 - 1), st.integers(-(2**62), 2**62))),
    kind=st.sampled_from([pa.decimal128(18, 4), pa.decimal256(18, 4)]),
)
def test_sums_of_decimals_are_exact_or_stop_at_the_end(pairs: list[tuple[int, int]], kind: pa.DataType) -> None:
    values = pa.array([Decimal(f"{digits}e-4") for digits, _ in pairs], kind)
    total = numbers.add_clipped_decimals(values, np.array([noise for _, noise in pairs], np.int64))
    end = 10**18 - 1
    assert total.type == kind
    assert total.to_pylist() == [Decimal(f"{max(-end, min(end, a + b))}e-4") for a, b in pairs]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, None, -3], pa.int16()),
        pa.array([2**64 - 1, None, 0], pa.uint64()),
        pa.array([1.5, None, float("inf")], pa.float16()),
        pa.array([1.5, None, -0.0], pa.float64()),
        pa.array([1, None, -1], pa.int32()).view(pa.date32()),
        pa.array([1, None, -(2**63)], pa.int64()).view(pa.timestamp("ns", "Europe/Paris")),
    ],
)
def test_numpy_and_back_changes_nothing(array: pa.Array) -> None:
    for part in (array, array[1:], array[:0], pa.nulls(2, array.type)):
        assert numbers.from_numpy(numbers.to_numpy(part), part, part.type).equals(part)


def test_a_nan_keeps_its_bits() -> None:
    strange = np.array([0x7FF8_0000_0000_BEEF, 0x7FF8_0000_0000_0000], np.uint64).view(np.float64)
    array = pa.array(strange)
    back = numbers.from_numpy(numbers.to_numpy(array), array, array.type)
    assert back.null_count == 0
    assert back.to_numpy().tobytes() == strange.tobytes()


@pytest.mark.parametrize(
    ("array", "digits", "count"),
    [
        (pa.array([127, 125, 124, None], pa.int8()), -1, 1),
        (pa.array([65_504.0, 65_500.0, float("inf"), None], pa.float16()), -4, 2),
        (pa.array([Decimal("99.9"), Decimal("-99.9"), Decimal("99.4")], pa.decimal128(3, 1)), 0, 2),
        (pa.array([Decimal("99.9"), Decimal("1.0")], pa.decimal256(3, 1)), 0, 1),
    ],
)
def test_a_rounding_that_does_not_fit_is_refused_wherever_it_stands(array: pa.Array, digits: int, count: int) -> None:
    for column in (array, array.take(pa.array(range(len(array) - 1, -1, -1)))):
        with pytest.raises(ValueRefused, match=f"^{count} values? refused: out of the range of .* once rounded"):
            numbers.round_half_even(column, digits)


def test_a_float_too_large_to_scale_stays_as_it_is() -> None:
    assert numbers.round_half_even(pa.array([1.7e308, 0.1234]), 2).to_pylist() == [1.7e308, 0.12]


@given(values=st.lists(st.floats()), kind=st.sampled_from([pa.int8(), pa.int32(), pa.int64(), pa.float32()]))
def test_casts_are_numpys_or_are_refused(values: list[float], kind: pa.DataType) -> None:
    source = np.array(values, np.float64)
    numpy_type = kind.to_pandas_dtype()
    if kind == pa.float32():
        with np.errstate(over="ignore"):
            bad = np.isinf(source.astype(np.float32)) & np.isfinite(source)
    else:
        limits = np.iinfo(numpy_type)
        bad = ~np.isfinite(source) | (np.trunc(source) < limits.min) | (np.trunc(source) >= float(limits.max) + 1)
    array = pa.array(source)
    if bad.any():
        with pytest.raises(ValueRefused, match=f"^{bad.sum()} value"):
            numbers.cast_numbers(array, kind)
    else:
        result = numbers.cast_numbers(array, kind).to_numpy(zero_copy_only=False)
        assert result.tobytes() == source.astype(numpy_type).tobytes()


def test_null_values_are_never_counted() -> None:
    array = pa.array([1, None])
    numbers.refuse_where(np.array([False, True]), array, "wrong")
    with pytest.raises(ValueRefused, match="1 value refused: wrong"):
        numbers.refuse_where(np.array([True, True]), array, "wrong")
