from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import ValueRefused
from cape_airflow.kernels.encode import distinct_share, encoded_first, repeats
from cape_airflow.kernels.hashing import hmac_sha256
from cape_airflow.kernels.text import canonical_text, checked_text

ROWS = 50_000


def _column(distinct: int, *, nulls: float = 0.0) -> pa.Array:
    generator = np.random.default_rng(distinct)
    numbers = generator.integers(0, distinct, ROWS)
    return pa.array([f"user{number}@example.com" for number in numbers], mask=generator.random(ROWS) < nulls)


@pytest.mark.parametrize("distinct", [1, 10, 1000, 10_000])
def test_a_column_of_few_values_repeats_however_they_are_spread(distinct: int) -> None:
    column = _column(distinct)
    assert repeats(column)
    assert repeats(column.take(pa.array(np.argsort(column.to_numpy(zero_copy_only=False)))))
    assert repeats(_column(distinct, nulls=0.5))


@pytest.mark.parametrize("distinct", [200_000, 10**9])
def test_a_column_of_many_values_does_not_repeat(distinct: int) -> None:
    assert not repeats(_column(distinct))
    assert not repeats(_column(distinct, nulls=0.8))


def test_one_frequent_value_among_distinct_ones_is_no_repetition() -> None:
    column = _column(10**9).to_pylist()
    column[::5] = ["unknown"] * len(column[::5])
    assert not repeats(pa.array(column))


def test_a_short_column_is_not_worth_a_sample() -> None:
    assert not repeats(pa.array(["same"] * 1000))
    assert not repeats(pa.nulls(ROWS, pa.string()))


@pytest.mark.parametrize("distinct", [100, 5000, 10**9])
def test_the_share_of_distinct_values_is_estimated_within_a_quarter(distinct: int) -> None:
    column = _column(distinct, nulls=0.1)
    truth = len(column.unique().drop_null()) / (len(column) - column.null_count)
    assert distinct_share(column) == pytest.approx(truth, rel=0.25)


@given(
    values=st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=20),
    kind=st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]),
    start=st.integers(0, 100),
)
def test_encoding_first_never_changes_the_result(values: list[str | None], kind: pa.DataType, start: int) -> None:
    column = pa.array((values * 2000)[:4000], kind)[start:]
    seen = []

    def function(array: pa.Array) -> pa.Array:
        seen.append(len(array))
        return hmac_sha256(canonical_text(array), b"k")

    result = encoded_first(function, column)
    assert result.equals(hmac_sha256(canonical_text(column), b"k"))
    assert result.type == hmac_sha256(canonical_text(column[:0]), b"k").type
    assert seen == [len(set(values) - {None}) if any(value is not None for value in values) else len(column)]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([Decimal("1.50"), None] * 3000, pa.decimal128(9, 2)),
        pa.array([7, 8, None] * 2000, pa.uint8()),
        pa.array([True, False] * 2000),
        pa.array([1, 2] * 2000, pa.int32()).view(pa.date32()),
    ],
    ids=lambda column: str(column.type),
)
def test_every_type_with_canonical_text_can_be_encoded(column: pa.Array) -> None:
    assert repeats(column)
    assert encoded_first(canonical_text, column).equals(canonical_text(column))


def test_refused_values_are_counted_by_row() -> None:
    column = pa.array([b"\xff", b"ok"] * 3000).view(pa.string())
    with pytest.raises(ValueRefused, match=r"^3000 values refused"):
        encoded_first(checked_text, column)
