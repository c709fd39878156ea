from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.errors import SchemaMismatch
from cape_airflow.policy.condition import (
    And,
    Column,
    Comparison,
    Condition,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Truth,
    condition_from_dict,
)
from cape_airflow.policy.condition_parser import parse_condition

_columns = st.sampled_from(["a", "b"]).map(Column)
_comparisons = st.builds(
    Comparison, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), _columns, st.integers(-2, 2).map(Literal)
)
_leaves = st.one_of(
    _comparisons,
    st.builds(IsNull, _columns),
    st.builds(In, _columns, st.lists(st.integers(-2, 2).map(Literal), min_size=1, max_size=3).map(tuple)),
)
_conditions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
_values = st.one_of(st.none(), st.integers(-2, 2))


def _truth(condition: Condition, row: dict[str, int | None]) -> bool | None:  # noqa: PLR0911 - one answer a kind
    """SQL's three-valued logic, written out."""
    match condition:
        case Comparison(operator, Column(name), Literal(value)):
            mine = row[name]
            if mine is None:
                return None
            symbol = {"=": "=="}.get(operator, operator)
            return bool(eval(f"{mine} {symbol} {value}"))  # noqa: S307 - numbers and operators of this test only
        case IsNull(Column(name)):
            return row[name] is None
        case In(Column(name), values):
            return None if row[name] is None else row[name] in [value.value for value in values]
        case Not(term):
            inner = _truth(term, row)
            return None if inner is None else not inner
        case And(terms):
            each = [_truth(term, row) for term in terms]
            return False if False in each else None if None in each else True
        case Or(terms):
            each = [_truth(term, row) for term in terms]
            return True if True in each else None if None in each else False
    raise AssertionError(condition)


@given(_conditions, st.lists(st.fixed_dictionaries({"a": _values, "b": _values}), max_size=6))
def test_the_mask_is_three_valued_logic_with_null_as_not_true(
    condition: Condition, rows: list[dict[str, int | None]]
) -> None:
    schema = pa.schema({"a": pa.int32(), "b": pa.float64()})
    batch = pa.RecordBatch.from_pylist(rows, schema=schema)
    assert condition.mask(batch).to_pylist() == [_truth(condition, row) is True for row in rows]


@given(_conditions)
def test_a_condition_survives_json(condition: Condition) -> None:
    assert condition_from_dict(json.loads(json.dumps(condition.to_dict()))) == condition


def test_every_kind_survives_json() -> None:
    for condition in (Truth(Column("x")), Like(Column("x"), "a%"), Comparison("<", Column("x"), Column("y"))):
        assert condition_from_dict(json.loads(json.dumps(condition.to_dict()))) == condition


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (pa.array(["x", "y"]), "v = 'x'"),
        (pa.array(["x", "y"], pa.large_string()), "v = 'x'"),
        (pa.array(["x", "y"], pa.string_view()), "v like 'x%'"),
        (pa.array(["x", "y"]).dictionary_encode(), "v in ('x')"),
        (pa.array([1, 2], pa.uint64()), "v < 2"),
        (pa.array([1, 2], pa.int8()), "v < 1.5"),
        (pa.array([0.5, 2.0], pa.float32()), "v <= 0.5"),
        (pa.array([Decimal("1.10"), Decimal("2.20")]), "v = 1.1"),
        (pa.array([date(2020, 1, 1), date(2021, 1, 1)]), "v < '2020-06-01'"),
        (pa.array([date(2020, 1, 1), date(2021, 1, 1)], pa.date64()), "v = '2020-01-01'"),
        (pa.array([datetime(2020, 1, 1), datetime(2021, 1, 1)], pa.timestamp("s")), "v < '2020-06-01'"),
        (
            pa.array([datetime(2020, 1, 1), datetime(2021, 1, 1)], pa.timestamp("us", "UTC")),
            "v < '2020-06-01T00:00:00Z'",
        ),
        (pa.array([True, False]), "v = true"),
    ],
)
def test_columns_of_every_family_compare_with_constants(array: pa.Array, text: str) -> None:
    condition = parse_condition(text)
    batch = pa.record_batch({"v": array})
    condition.check(batch.schema)
    assert condition.mask(batch).to_pylist() == [True, False]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pa.timestamp("us", "UTC"), "v < '2020-06-01'"),  # without a zone it would be a guess
        (pa.date32(), "v < 'yesterday'"),
        (pa.date32(), "v < 5"),
        (pa.binary(), "v = 'x'"),
        (pa.list_(pa.int64()), "v = 1"),
        (pa.duration("s"), "v = 1"),
        (pa.uint8(), "v < 300"),
        (pa.uint8(), "v > -1"),
    ],
)
def test_constants_that_cannot_be_compared_are_refused_before_a_row_is_read(kind: pa.DataType, text: str) -> None:
    with pytest.raises(SchemaMismatch, match="`v`"):
        parse_condition(text).check(pa.schema({"v": kind}))


def test_nan_is_missing_in_every_container() -> None:
    batch = pa.record_batch({"score": pa.array([1.0, float("nan"), None, 2.0])})
    assert parse_condition("score != 1").mask(batch).to_pylist() == [False, False, False, True]
    assert parse_condition("score is null").mask(batch).to_pylist() == [False, True, True, False]


def test_a_comparison_that_arrow_cannot_do_is_refused_before_a_row_is_read() -> None:
    with pytest.raises(SchemaMismatch, match="`v`"):
        parse_condition("v < 2.5").check(pa.schema({"v": pa.decimal128(38, 0)}))


def test_columns_that_the_condition_does_not_read_may_be_of_any_type() -> None:
    schema = pa.schema({"v": pa.int64(), "other": pa.run_end_encoded(pa.int32(), pa.string_view())})
    parse_condition("v < 2").check(schema)
