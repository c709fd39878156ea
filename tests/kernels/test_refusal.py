from __future__ import annotations

import traceback

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import ValueRefused
from cape_airflow.kernels.refusal import refusing


def _to_int64(array: pa.Array) -> pa.Array:
    return array.cast(pa.int64())


@given(good=st.lists(st.integers(0, 9).map(str)), bad=st.lists(st.just("not a number"), min_size=1), data=st.data())
def test_refused_values_are_counted_wherever_they_stand(good: list[str], bad: list[str], data: st.DataObject) -> None:
    values = data.draw(st.permutations([*good, *bad]))
    with pytest.raises(ValueRefused) as refusal:
        refusing(_to_int64, pa.array(values), "not numbers")
    assert str(refusal.value) == f"{len(bad)} value{'s' if len(bad) > 1 else ''} refused: not numbers"


def test_the_error_that_shows_values_is_not_in_the_chain() -> None:
    with pytest.raises(ValueRefused) as refusal:
        refusing(_to_int64, pa.array(["1", "CANARY"]), "not numbers")
    assert "CANARY" not in "".join(traceback.format_exception_only(refusal.value))
    assert refusal.value.__context__ is None


def test_what_can_be_taken_is_returned() -> None:
    assert refusing(_to_int64, pa.array(["1", None]), "not numbers").to_pylist() == [1, None]
