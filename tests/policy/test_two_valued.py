from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.policy.condition_parser import parse_condition
from cape_airflow.policy.two_valued import two_valued

_leaves = st.sampled_from(["a == 1", "a != 1", "a < 2", "b >= 1", "a != b", "a in [0, 2]", "a not in [1]", "2 > b"])
_texts = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) | ({})".format, inner, inner),
    ),
    max_leaves=5,
)
_values = st.lists(st.tuples(*[st.one_of(st.none(), st.integers(0, 2))] * 2), max_size=5)


@given(_texts, _values)
def test_version_1_finds_the_rows_that_pandas_finds(text: str, rows: list[tuple[int | None, int | None]]) -> None:
    columns = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    frame = pd.DataFrame({name: pd.Series(values, dtype="float64") for name, values in columns.items()})
    expected = set(frame.query(text, engine="python").index)
    batch = pa.record_batch({name: pa.array(values, pa.int64()) for name, values in columns.items()})
    mask = two_valued(parse_condition(text)).mask(batch).to_pylist()
    assert {row for row, hit in enumerate(mask) if hit} == expected


@pytest.mark.parametrize("text", ["consent != 'yes'", "not (consent == 'yes')", "consent not in ('yes')"])
def test_who_did_not_say_yes_is_found(text: str) -> None:
    batch = pa.record_batch({"consent": ["yes", None, "no"]})
    assert two_valued(parse_condition(text)).mask(batch).to_pylist() == [False, True, True]
