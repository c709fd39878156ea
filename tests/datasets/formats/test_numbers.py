"""Which numbers in text survive as numbers."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets.formats.numbers import survives


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_as_python_writes_it_is_a_number(value: float) -> None:
    assert survives(pa.array([repr(value)]), pa.float64())


@given(value=st.decimals(allow_nan=False, allow_infinity=False, min_value=1 - 10**18, max_value=10**18 - 1))
def test_a_number_survives_only_as_itself(value: Decimal) -> None:
    assert survives(pa.array([str(value)]), pa.float64()) == (Decimal(repr(float(str(value)))) == value)
