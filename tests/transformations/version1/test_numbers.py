"""Cape's numbers, bit for bit: what Cape Python 0.3 gave on pandas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import SchemaMismatch, ValueRefused
from cape_airflow.transformations import Transformation, create

Transform = Callable[..., pa.Array]

ROUNDED = [
    ([0.5, 1.5, 2.5, -0.5, -1.5, -2.5], 0, [0.0, 2.0, 2.0, -0.0, -2.0, -2.0]),
    ([0.125, 0.25, 0.35, 0.45], 1, [0.1, 0.2, 0.4, 0.4]),
    ([0.125, 2.675, 1.005, 2.345], 2, [0.12, 2.68, 1.0, 2.35]),
    ([5.0, 15.0, 25.0, 45.0, 50.0], -1, [0.0, 20.0, 20.0, 40.0, 50.0]),
    ([50.0, 150.0, 250.0, 350.0], -2, [0.0, 200.0, 200.0, 400.0]),
    ([500, 1500, 2500, 49324.53, 59234.32, -1500], -3, [0.0, 2000.0, 2000.0, 49000.0, 59000.0, -2000.0]),
    ([10.8834, 4.21221], 1, [10.9, 4.2]),
    ([114.432, 134.622, 142.984], 1, [114.4, 134.6, 143.0]),
    ([32.43424, 56.64543], 1, [32.4, 56.6]),
]
NOISE = {
    0: [2.739233746429086, -3.6042657247225938, -7.180529521276107, -6.669447289429417, 10.265404784005447],
    123: [3.6470372649628686, -7.923579623955547, -3.592802544547773, -3.3125637860266064, -2.481881978299393],
    1234: [9.533995333962842, -1.3960852996076447, 10.464924675279107, -1.7661515227291158, 0.3819411682839515],
    12345: [-5.453279550656607, -2.6648332058049427, 7.947309146654682, 6.525093415019491, 1.8221910120381803],
    4984: [-7.458437316935824, 9.329155115574412, 2.1959611273194675, 7.664373381599358, 0.49061821401531525],
}
WHOLE_NOISE = {
    0: [2, -3, -7, -6, 10],
    123: [3, -7, -3, -3, -2],
    1234: [9, -1, 10, -1, 1],
    12345: [-5, -2, 7, 6, 2],
    4984: [-7, 9, 2, 7, 1],
}
WHOLE = ("Byte", "Short", "Integer", "Long")


def _rounding(dtype: str, precision: int) -> dict[str, Any]:
    return {"type": "numeric-rounding", "dtype": dtype, "precision": precision}


def _noise(dtype: str, low: float, high: float, seed: int | None = None) -> dict[str, Any]:
    return {"type": "numeric-perturbation", "dtype": dtype, "min": low, "max": high, "seed": seed}


@pytest.mark.parametrize(("values", "precision", "expected"), ROUNDED)
def test_floats_round_as_in_cape(
    values: list[float], precision: int, expected: list[float], transform: Transform
) -> None:
    result = transform(_rounding("Double", precision), pa.array([*values, None], pa.float64()))
    assert [repr(value) for value in result.to_pylist()] == [*(repr(value) for value in expected), "None"]


def test_integers_round_half_to_even(transform: Transform) -> None:
    result = transform(_rounding("Long", -1), pa.array([5, 15, 25, 35, 45, -15, -25, 12345]))
    assert result.to_pylist() == [0, 20, 20, 40, 40, -20, -20, 12340]


def test_a_fraction_left_after_rounding_is_cut_off_for_integers(transform: Transform) -> None:
    assert transform(_rounding("Integer", 1), pa.array([1.55, -1.55])).to_pylist() == [1, -1]


@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300), min_size=1),
    precision=st.integers(-5, 5),
    dtype=st.sampled_from(["Double", "Float"]),
)
def test_rounding_is_what_pandas_does(values: list[float], precision: int, dtype: str, transform: Transform) -> None:
    numpy_type = {"Double": np.float64, "Float": np.float32}[dtype]
    with np.errstate(over="ignore"):
        expected = pd.Series(values).round(precision).astype(numpy_type)
    try:
        result = transform(_rounding(dtype, precision), pa.array(values))
    except ValueRefused:
        assert np.isinf(expected).any()
    else:
        assert result.to_numpy().tobytes() == expected.to_numpy().tobytes()


def test_integers_beyond_the_precision_of_floats_round_exactly(transform: Transform) -> None:
    assert transform(_rounding("Long", -1), pa.array([2**62 + 7])).to_pylist() == [(2**62 + 7 + 5) // 10 * 10]


@pytest.mark.parametrize(
    ("values", "dtype", "count"),
    [
        ([123, 250, 1234], "Byte", 2),
        ([1.0, math.nan, math.inf, -math.inf], "Long", 3),
        ([1.0, 2.0**63, -(2.0**63)], "Long", 1),
        ([1.0, 1e39], "Float", 1),
        ([2**31 - 10, 2**31], "Integer", 1),
    ],
)
def test_what_would_wrap_round_is_refused(values: list[float], dtype: str, count: int, transform: Transform) -> None:
    with pytest.raises(
        ValueRefused, match=f": {count} values? refused: out of the range of .*; choose a wider `dtype`"
    ):
        transform(_rounding(dtype, -1), pa.array(values))


def test_nan_and_infinity_stay_in_floats(transform: Transform) -> None:
    values = [math.nan, math.inf, -math.inf, 1e308]
    result = transform(_rounding("Double", 2), pa.array(values)).to_pylist()
    assert math.isnan(result[0])
    assert result[1:] == values[1:]


@pytest.mark.parametrize("kind", [pa.string(), pa.decimal128(5, 2), pa.bool_()])
def test_other_types_are_refused_before_the_run(kind: pa.DataType) -> None:
    for spec in (_rounding("Long", 0), _noise("Long", 0, 1)):
        technique = create(spec)
        assert isinstance(technique, Transformation)
        with pytest.raises(SchemaMismatch, match="takes integers and floats"):
            technique.output_type(kind)


@pytest.mark.parametrize("seed", NOISE)
def test_seeded_noise_is_capes(seed: int, transform: Transform) -> None:
    assert transform(_noise("Double", -10, 10, seed), pa.array([0, 1, 2, 3, 4])).to_pylist() == NOISE[seed]


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("seed", WHOLE_NOISE)
def test_seeded_whole_noise_is_capes(seed: int, dtype: str, transform: Transform) -> None:
    assert transform(_noise(dtype, -10, 10, seed), pa.array([0, 1, 2, 3, 4])).to_pylist() == WHOLE_NOISE[seed]


def test_the_ages_of_the_policy_are_capes(transform: Transform) -> None:
    assert transform(_noise("Integer", -10, 10, 4984), pa.array([34, 55])).to_pylist() == [27, 63]
    assert transform(_noise("Integer", -10, 10, 4984), pa.array([30, 50])).to_pylist() == [23, 58]


def test_a_null_uses_up_its_draw(transform: Transform) -> None:
    result = transform(_noise("Double", -10, 10, 0), pa.array([0, None, 2, None, 4]))
    assert result.to_pylist() == [NOISE[0][0], None, NOISE[0][2], None, NOISE[0][4]]


@pytest.mark.parametrize(
    ("column", "dtype", "result"),
    [
        ("int64", "Integer", "int64"),
        ("int8", "Long", "int64"),
        ("uint8", "Byte", "int16"),
        ("uint64", "Long", "float64"),
        ("int64", "Float", "float64"),
        ("float32", "Byte", "float32"),
        ("float32", "Double", "float64"),
        ("float16", "Integer", "float64"),
    ],
)
def test_the_type_of_a_sum_is_numpys(column: str, dtype: str, result: str, transform: Transform) -> None:
    assert transform(_noise(dtype, 0, 1), pa.array([1]).cast(column)).type == pa.type_for_alias(result)


@given(
    values=st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=50),
    seed=st.integers(0, 2**64 - 1),
    dtype=st.sampled_from(["Long", "Double", "Float"]),
)
def test_noise_is_numpys_draw_cast_and_added(values: list[int], seed: int, dtype: str, transform: Transform) -> None:
    numpy_type = {"Long": np.int64, "Double": np.float64, "Float": np.float32}[dtype]
    noise = np.random.default_rng(seed).uniform(-50, 50.5, size=len(values)).astype(numpy_type)
    result = transform(_noise(dtype, -50, 50.5, seed), pa.array(values))
    assert result.to_pylist() == (np.array(values) + noise).tolist()


def test_sums_that_would_wrap_round_are_refused(transform: Transform) -> None:
    with pytest.raises(ValueRefused, match="2 values refused: out of the range of int8 with their noise"):
        transform(_noise("Byte", 100, 101), pa.array([27, 28, 127, None, -128], pa.int8()))
    with pytest.raises(ValueRefused, match="1 value refused: out of the range of double"):
        transform(_noise("Double", 1.7e308, 1.75e308), pa.array([1.7e308, 1.0, math.inf]))


def test_only_seeded_noise_needs_its_batches_in_order_and_says_what_a_seed_means() -> None:
    seeded, fresh = create(_noise("Long", 0, 9, 1)), create(_noise("Long", 0, 9))
    assert isinstance(seeded, Transformation)
    assert isinstance(fresh, Transformation)
    assert (seeded.ordered, fresh.ordered) == (True, False)
    assert any("seed" in note for note in seeded.notes())
    assert all("differential privacy" in next(iter(technique.notes())) for technique in (seeded, fresh))


def test_unseeded_noise_differs_from_run_to_run_and_stays_in_its_range(transform: Transform) -> None:
    zeros = pa.array(np.zeros(1000))
    first, second = (transform(_noise("Double", -3, 7), zeros).to_numpy() for _ in range(2))
    assert (first != second).any()
    assert first.min() >= -3
    assert first.max() < 7
